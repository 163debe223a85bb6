/* loop/child_spawn.c - argument vector, environment and descriptors of a new program. */
#include "loop/child_spawn.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/close_range.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "base/mem.h"
#include "base/str.h"

enum { INPUT_MAX = 1 << 30 };

static int check_output(const struct child_output *o, const char *what, struct err *e)
{
    if (o->to == CHILD_DATA)
        return err_set(e, -EINVAL, "data is no place for %s", what);
    if (o->to == CHILD_FD && o->fd < 0)
        return err_set(e, -EBADF, "no descriptor for %s", what);
    if ((o->to == CHILD_CHUNKS && !o->on_chunk) || (o->to == CHILD_LINES && !o->on_line))
        return err_set(e, -EINVAL, "nobody takes %s", what);
    if (o->to == CHILD_CAPTURE && o->max == 0)
        return err_set(e, -EINVAL, "captured %s needs a ceiling", what);
    return 0;
}

int child_spec_check(const struct child_spec *spec, struct err *e)
{
    if (!spec->argv || !spec->argv[0] || !*spec->argv[0])
        return err_set(e, -EINVAL, "no program to start");
    if (spec->in.from != CHILD_NULL && spec->in.from != CHILD_FD && spec->in.from != CHILD_DATA)
        return err_set(e, -EINVAL, "input cannot be captured");
    if (spec->in.from == CHILD_FD && spec->in.fd < 0)
        return err_set(e, -EBADF, "no descriptor for input");
    if (spec->in.from == CHILD_DATA && spec->in.len > INPUT_MAX)
        return err_set(e, -EFBIG, "%zu bytes of input", spec->in.len);
    for (size_t i = 0; i < spec->nfds; i++)
        if (spec->fds[i].fd < 0 || spec->fds[i].as < 3 || spec->fds[i].as > CHILD_FD_MAX)
            return err_set(e, -EBADF, "descriptor %d as %d", spec->fds[i].fd, spec->fds[i].as);
    int r = check_output(&spec->out, "output", e);
    return r < 0 ? r : check_output(&spec->err, "error output", e);
}

int child_find(const char *name, char *ret, size_t size)
{
    const char *path = CHILD_PATH;
    if (str_empty(name) || strchr(name, '/'))
        return -ENOENT;
    while (*path) {
        size_t n = strcspn(path, ":");
        int len = snprintf(ret, size, "%.*s/%s", (int)n, path, name);
        if (len > 0 && (size_t)len < size && access(ret, X_OK) == 0)
            return 0;
        path += n + (path[n] == ':');
    }
    return -ENOENT;
}

static bool sets(const char *const *env, const char *entry)
{
    size_t n = strcspn(entry, "=");
    for (; env && *env; env++)
        if (strncmp(*env, entry, n) == 0 && (*env)[n] == '=')
            return true;
    return false;
}

static char **build_env(const struct child_spec *spec)
{
    char **env = mem_array(1, sizeof(*env));
    if (spec->inherit_env) {
        for (char **p = environ; p && *p; p++)
            if (!sets(spec->env, *p))
                strv_push(&env, mem_str(*p));
    } else if (!spec->env) {
        strv_push(&env, mem_str("PATH=" CHILD_PATH));
    }
    for (const char *const *p = spec->env; p && *p; p++)
        strv_push(&env, mem_str(*p));
    return env;
}

/* Where each descriptor of the child comes from; -1 for none. Returns how many there are. */
static int plan(const struct child_spec *spec, const int theirs[3], int null_fd,
                int ret_source[CHILD_FD_MAX + 1])
{
    int n = 3;
    for (int i = 0; i <= CHILD_FD_MAX; i++)
        ret_source[i] = -1;
    for (int i = 0; i < 3; i++)
        ret_source[i] = theirs[i] >= 0 ? theirs[i] : null_fd;
    if (spec->in.from == CHILD_FD)
        ret_source[0] = spec->in.fd;
    if (spec->out.to == CHILD_FD)
        ret_source[1] = spec->out.fd;
    if (spec->err.to == CHILD_FD)
        ret_source[2] = spec->err.fd;
    for (size_t i = 0; i < spec->nfds; i++) {
        ret_source[spec->fds[i].as] = spec->fds[i].fd;
        if (spec->fds[i].as >= n)
            n = spec->fds[i].as + 1;
    }
    return n;
}

static int spawn_with(uv_loop_t *loop, uv_process_t *process, uv_process_options_t *o,
                      const struct child_spec *spec, const int source[], bool *ret_inited)
{
    uv_stdio_container_t stdio[CHILD_FD_MAX + 1];
    int filler[CHILD_FD_MAX + 1], fillers = 0;
    for (int i = 0; i < o->stdio_count; i++) {
        stdio[i].flags = source[i] < 0 ? UV_IGNORE : UV_INHERIT_FD;
        stdio[i].data.fd = source[i];
    }
    o->stdio = stdio;
    AUTO_STRV char **env = build_env(spec);
    o->env = env;
    /* libuv reports a failed exec through a pipe of its own. Were that pipe to get one of the
     * numbers that the child is to have, it would be overwritten: take those numbers away first. */
    int fd;
    while ((fd = open("/dev/null", O_RDONLY | O_CLOEXEC)) >= 0 && fd < o->stdio_count)
        filler[fillers++] = fd;
    if (fd >= 0)
        close(fd);
    /* What a library or whoever started us left open for all, too. A kernel older than 5.11 has no
     * such call. */
    close_range(3, ~0u, CLOSE_RANGE_CLOEXEC);
    *ret_inited = true;
    int r = uv_spawn(loop, process, o);
    while (fillers)
        close(filler[--fillers]);
    return r;
}

int child_spawn(uv_loop_t *loop, uv_process_t *process, const struct child_spec *spec,
                const int theirs[3], uv_exit_cb on_ended, bool *ret_inited, struct err *e)
{
    char file[PATH_MAX];
    int source[CHILD_FD_MAX + 1];
    if (strchr(spec->argv[0], '/')) {
        if (str_copy(file, sizeof(file), spec->argv[0]) >= sizeof(file))
            return err_sys(e, ENAMETOOLONG, "path");
    } else if (child_find(spec->argv[0], file, sizeof(file)) < 0) {
        return err_set(e, -ENOENT, "not found in " CHILD_PATH);
    }
    AUTO_CLOSE int null_fd = open("/dev/null", O_RDWR | O_CLOEXEC);
    if (null_fd < 0)
        return err_sys(e, errno, "open /dev/null");
    uv_process_options_t o = {.exit_cb = on_ended, .file = file};
    o.cwd = spec->cwd ? spec->cwd : "/";
    o.args = (char **)(uintptr_t)spec->argv; /* libuv does not write there */
    if (spec->new_session)
        o.flags |= UV_PROCESS_DETACHED;
    if (spec->set_ids) {
        o.flags |= UV_PROCESS_SETUID | UV_PROCESS_SETGID;
        o.uid = spec->uid;
        o.gid = spec->gid;
    }
    o.stdio_count = plan(spec, theirs, null_fd, source);
    int r = spawn_with(loop, process, &o, spec, source, ret_inited);
    return r < 0 ? err_sys(e, r, "exec") : 0;
}
