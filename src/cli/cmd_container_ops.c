/* cli/cmd_container_ops.c - what is done to containers by name: stop, start, rm and their like. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include "base/mem.h"
#include "base/str.h"
#include "cli/api.h"
#include "cli/commands.h"
#include "cli/format.h"
#include "cli/js.h"

#define PATHS(word) "keep container " word ", keep " word
#define MANY "CONTAINER [CONTAINER...]"
#define STOP_FLAGS                                                                                 \
    {.name = "signal", .letter = 's', .type = "string", .help = "Signal to send", .api = "1.42"},  \
        {.name = "timeout",                                                                        \
         .letter = 't',                                                                            \
         .type = "int",                                                                            \
         .help = "Seconds to wait before killing it"},                                             \
    {                                                                                              \
        .name = "time", .type = "int"                                                              \
    }

static int post_to(struct cli *c, const char *ref, const char *verb)
{
    AUTO_FREE char *path = api_path("/containers/%s/%s", ref, verb);
    int r = api_call(c, "POST", path, NULL, NULL);
    if (r != 304)
        return r;
    c->err.text[0] = 0; /* it was so already */
    return 0;
}

static int stop_like(struct cli *c, const char *ref, const char *verb)
{
    AUTO_BUF struct buf path = BUF_INIT(1 << 16);
    AUTO_FREE char *name = api_path("/containers/%s/%s", ref, verb);
    buf_str(&path, name);
    if (!str_empty(flag_str(c, "signal")))
        query_add(&path, "signal", flag_str(c, "signal"));
    const char *t = str_or(flag_str(c, "timeout"), flag_str(c, "time"));
    if (t)
        query_add(&path, "t", t);
    int r = api_call(c, "POST", path.p, NULL, NULL);
    if (r != 304)
        return r;
    c->err.text[0] = 0;
    return 0;
}

static int stop_one(struct cli *c, const char *ref)
{
    return stop_like(c, ref, "stop");
}

static int restart_one(struct cli *c, const char *ref)
{
    return stop_like(c, ref, "restart");
}

static int pause_one(struct cli *c, const char *ref)
{
    return post_to(c, ref, "pause");
}

static int unpause_one(struct cli *c, const char *ref)
{
    return post_to(c, ref, "unpause");
}

static int kill_one(struct cli *c, const char *ref)
{
    AUTO_BUF struct buf path = BUF_INIT(1 << 16);
    AUTO_FREE char *name = api_path("/containers/%s/kill", ref);
    buf_str(&path, name);
    if (!str_empty(flag_str(c, "signal")))
        query_add(&path, "signal", flag_str(c, "signal"));
    return api_call(c, "POST", path.p, NULL, NULL);
}

static int rm_one(struct cli *c, const char *ref)
{
    AUTO_BUF struct buf path = BUF_INIT(1 << 16);
    const char *plain = ref + strspn(ref, "/");
    if (!*plain)
        return err_set(&c->err, -EINVAL, "container name cannot be empty");
    AUTO_FREE char *name = api_path("/containers/%s", plain);
    buf_str(&path, name);
    if (flag_bool(c, "force"))
        query_add(&path, "force", "1");
    if (flag_bool(c, "link"))
        query_add(&path, "link", "1");
    if (flag_bool(c, "volumes"))
        query_add(&path, "v", "1");
    int r = api_call(c, "DELETE", path.p, NULL, NULL);
    if (r == 404 && flag_bool(c, "force")) {
        /* gone is what was wanted; it is still told, and the name is not printed */
        fprintf(stderr, "%s\n", c->err.text);
        c->err.text[0] = 0;
    }
    return r;
}

static int wait_one(struct cli *c, const char *ref, long long *ret)
{
    AUTO_JSON json_t *o = NULL;
    AUTO_FREE char *path = api_path("/containers/%s/wait", ref);
    int r = api_call(c, "POST", path, NULL, &o);
    if (!r)
        *ret = js_int(o, "StatusCode");
    return r;
}

static int run_stop(struct cli *c)
{
    return for_each_arg(c, stop_one);
}

static int run_restart(struct cli *c)
{
    return for_each_arg(c, restart_one);
}

static int run_pause(struct cli *c)
{
    return for_each_arg(c, pause_one);
}

static int run_unpause(struct cli *c)
{
    return for_each_arg(c, unpause_one);
}

static int run_kill(struct cli *c)
{
    return for_each_arg(c, kill_one);
}

static int run_rm(struct cli *c)
{
    int bad = 0;
    for (size_t i = 0; i < c->nargs; i++) {
        int r = rm_one(c, c->args[i]);
        if (!r)
            printf("%s\n", c->args[i]);
        else if (!(r == 404 && flag_bool(c, "force")))
            bad |= report(c, r);
    }
    return bad;
}

static int run_wait(struct cli *c)
{
    int bad = 0;
    for (size_t i = 0; i < c->nargs; i++) {
        long long code = 0;
        int r = wait_one(c, c->args[i], &code);
        bad |= report(c, r);
        if (!r)
            printf("%lld\n", code);
        fflush(stdout);
    }
    return bad;
}

static int run_rename(struct cli *c)
{
    AUTO_FREE char *path = api_path("/containers/%s/rename?name=", c->args[0]),
                   *name = api_path("%s", c->args[1]);
    AUTO_FREE char *full = mem_printf("%s%s", path, name);
    if (!*c->args[0] || !*c->args[1])
        return err_set(&c->err, -EINVAL, "Error: Neither old nor new names may be empty");
    int r = api_call(c, "POST", full, NULL, NULL);
    if (!r)
        return 0;
    fprintf(stderr, "%s\n", c->err.text);
    return err_set(&c->err, r, "Error: failed to rename container named %s", c->args[0]);
}

static const struct flag stop_flags[] = {STOP_FLAGS, FLAG_END};
const struct command cmd_stop = {.name = "stop",
                                 .paths = PATHS("stop"),
                                 .usage = "[OPTIONS] " MANY,
                                 .about = "Stop one or more running containers",
                                 .flags = stop_flags,
                                 .run = run_stop,
                                 .min = 1,
                                 .max = -1};
const struct command cmd_restart = {.name = "restart",
                                    .paths = PATHS("restart"),
                                    .usage = "[OPTIONS] " MANY,
                                    .about = "Restart one or more containers",
                                    .flags = stop_flags,
                                    .run = run_restart,
                                    .min = 1,
                                    .max = -1};
const struct command cmd_pause = {.name = "pause",
                                  .paths = PATHS("pause"),
                                  .usage = MANY,
                                  .about = "Pause all processes within one or more containers",
                                  .run = run_pause,
                                  .min = 1,
                                  .max = -1};
const struct command cmd_unpause = {.name = "unpause",
                                    .paths = PATHS("unpause"),
                                    .usage = MANY,
                                    .about = "Unpause all processes within one or more containers",
                                    .run = run_unpause,
                                    .min = 1,
                                    .max = -1};
static const struct flag kill_flags[] = {
    {.name = "signal", .letter = 's', .type = "string", .help = "Signal to send"}, FLAG_END};
const struct command cmd_kill = {.name = "kill",
                                 .paths = PATHS("kill"),
                                 .usage = "[OPTIONS] " MANY,
                                 .about = "Kill one or more running containers",
                                 .flags = kill_flags,
                                 .run = run_kill,
                                 .min = 1,
                                 .max = -1};
static const struct flag rm_flags[] = {
    {.name = "force", .letter = 'f', .help = "Also remove it when it runs (it is killed)"},
    {.name = "link", .letter = 'l', .help = "Remove this link"},
    {.name = "volumes", .letter = 'v', .help = "Also remove its volumes without a name"},
    FLAG_END,
};
const struct command cmd_rm = {.name = "rm",
                               .aliases = "remove",
                               .paths = "keep container rm, keep container remove, keep rm",
                               .usage = "[OPTIONS] " MANY,
                               .about = "Remove one or more containers",
                               .flags = rm_flags,
                               .run = run_rm,
                               .min = 1,
                               .max = -1};
const struct command cmd_wait = {
    .name = "wait",
    .paths = PATHS("wait"),
    .usage = MANY,
    .about = "Block until one or more containers stop, then print their exit codes",
    .run = run_wait,
    .min = 1,
    .max = -1};
const struct command cmd_rename = {.name = "rename",
                                   .paths = PATHS("rename"),
                                   .usage = "CONTAINER NEW_NAME",
                                   .about = "Rename a container",
                                   .run = run_rename,
                                   .min = 2,
                                   .max = 2};
