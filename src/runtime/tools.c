/* runtime/tools.c - looking for the programs, and trying them. */
#include "runtime/tools.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/log.h"
#include "base/mem.h"
#include "base/str.h"
#include "runtime/internal.h"

struct trial { /* one program run at start, in a loop of its own */
    int status;
    char *text;
};

static void on_trial_end(void *data, const struct child_result *r)
{
    struct trial *t = data;
    t->status = r->status;
    t->text = mem_str(r->out->p);
    if (r->status != 0) {
        free(t->text);
        t->text = mem_str(r->err->p);
    }
}

/* 0 and what it printed; else negative, and what it said. */
static int try_program(const char *const *argv, char **ret)
{
    uv_loop_t loop;
    struct trial t = {.status = -1};
    struct child_spec spec = {
        .argv = argv,
        .out = {.to = CHILD_CAPTURE, .max = CHILD_TEXT_MAX},
        .err = {.to = CHILD_CAPTURE, .max = CHILD_TEXT_MAX},
        .timeout_ms = CHILD_TIMEOUT_MS,
        .on_exit = on_trial_end,
        .data = &t,
    };
    if (uv_loop_init(&loop) != 0)
        return -ENOMEM;
    int r = child_start(&loop, &spec, NULL, NULL);
    uv_run(&loop, UV_RUN_DEFAULT);
    uv_loop_close(&loop);
    *ret = t.text ? t.text : mem_str("");
    (*ret)[strcspn(*ret, "\n")] = '\0';
    return r != 0 ? r : t.status == 0 ? 0 : -EIO;
}

char **tools_oci_argv(const struct runtime *rt, const char *const *args)
{
    char **v = NULL;
    strv_push(&v, mem_str(rt->helper));
    strv_push(&v, mem_str(rt->oci_path));
    strv_push(&v, mem_printf("--root=%s", rt->state_root));
    for (size_t i = 0; args[i]; i++)
        strv_push(&v, mem_str(args[i]));
    return v;
}

/* `list` makes crun look at the cgroup layout of the machine, which --version does not. */
static int try_runtime(struct runtime *rt, const char *name, char **ret_why)
{
    AUTO_FREE char *version = NULL;
    if (child_find(name, rt->oci_path, sizeof rt->oci_path) != 0) {
        *ret_why = mem_str("not installed");
        return -ENOENT;
    }
    const char *const ask[] = {rt->helper, rt->oci_path, "--version", NULL};
    int r = try_program(ask, &version);
    if (r == 0) {
        AUTO_STRV char **list = tools_oci_argv(rt, (const char *const[]){"list", NULL});
        free(TAKE(version));
        AUTO_FREE char *listed = NULL;
        r = try_program((const char *const *)list, &listed);
        if (r != 0)
            *ret_why = mem_str(listed);
        if (r == 0)
            r = try_program(ask, &version);
    } else {
        *ret_why = mem_str(version);
    }
    if (r != 0)
        return r;
    const char *word = strstr(version, "version ");
    str_copy(rt->version, sizeof rt->version, word ? word + 8 : "unknown");
    rt->version[strcspn(rt->version, " +~\n")] = '\0';
    str_copy(rt->name, sizeof rt->name, name);
    return 0;
}

int tools_find(struct runtime *rt, struct err *e)
{
    AUTO_FREE char *crun = NULL, *runc = NULL;
    struct stat st;
    if (stat(rt->helper, &st) != 0 || !(st.st_mode & 0111))
        return err_set(e, -ENOENT, "%s is missing: build or install the whole of Keep", rt->helper);
    if (child_find("conmon", rt->conmon_path, sizeof rt->conmon_path) != 0)
        return err_set(e, -ENOENT, "conmon is not installed: run 'apt-get install conmon'");
    if (try_runtime(rt, "crun", &crun) == 0) {
        rt->is_crun = true;
        return 0;
    }
    if (try_runtime(rt, "runc", &runc) == 0) {
        log_warn("crun does not run here (%s): runc is used", str_or(crun, "?"));
        return 0;
    }
    return err_set(
        e, -ENOENT,
        "no container runtime runs here (crun: %s; runc: %s): run 'apt-get install crun'",
        str_or(crun, "?"), str_or(runc, "?"));
}
