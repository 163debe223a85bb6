/* cli/cmd_run.c - `keep run`, `create`, `start`, `attach`: from flags to a container, and being
 * connected to it. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "base/mem.h"
#include "base/str.h"
#include "cli/api.h"
#include "cli/commands.h"
#include "cli/format.h"
#include "cli/hijack.h"
#include "cli/image_impl.h"
#include "cli/js.h"
#include "cli/run_impl.h"
#include "cli/term.h"

enum { EXIT_FAILED = 125, EXIT_CANNOT_RUN = 126, EXIT_NOT_FOUND = 127 };

/* --- create --- */

static int post_create(struct cli *c, json_t *q, json_t **ret)
{
    AUTO_BUF struct buf path = BUF_INIT(1 << 16);
    buf_str(&path, "/containers/create");
    if (!str_empty(flag_str(c, "name")))
        query_add(&path, "name", flag_str(c, "name"));
    if (!str_empty(flag_str(c, "platform")))
        query_add(&path, "platform", flag_str(c, "platform"));
    return api_call(c, "POST", path.p, q, ret);
}

static int create_container(struct cli *c, bool attach, char **ret_id)
{
    AUTO_JSON json_t *q = NULL, *made = NULL;
    const char *pull = str_or(flag_str(c, "pull"), "missing"), *image = c->args[0];
    int r = run_request(c, attach, &q);
    if (!r && str_eq(pull, "always"))
        r = image_pull(c, image, flag_bool(c, "quiet"), stderr);
    if (!r)
        r = post_create(c, q, &made);
    if (r == 404 && strstr(c->err.text, "No such image") && str_eq(pull, "missing")) {
        AUTO_FREE char *tagged = image_tagged(image);
        fprintf(stderr, "Unable to find image '%s' locally\n", tagged);
        c->err.text[0] = 0;
        r = image_pull(c, image, flag_bool(c, "quiet"), stderr);
        if (!r)
            r = post_create(c, q, &made);
    }
    if (r)
        return r;
    warn_answer(made);
    *ret_id = mem_str(js_str(made, "Id"));
    const char *file = flag_str(c, "cidfile");
    if (!file)
        return 0;
    FILE *f = fopen(file, "wxe");
    if (!f)
        return err_sys(&c->err, errno, "failed to write the container ID to the file %s", file);
    fputs(*ret_id, f);
    return fclose(f)
               ? err_sys(&c->err, errno, "failed to write the container ID to the file %s", file)
               : 0;
}

static int run_create(struct cli *c)
{
    AUTO_FREE char *id = NULL;
    int r = create_container(c, true, &id);
    if (!r)
        printf("%s\n", id);
    return r;
}

/* --- attached --- */

struct session {
    bool tty, in, out, err;
    const char *keys;
    bool proxy;
};

static int open_stream(struct cli *c, const char *id, const struct session *s, struct hijack **ret)
{
    AUTO_BUF struct buf path = BUF_INIT(1 << 16);
    AUTO_FREE char *name = api_path("/containers/%s/attach", id);
    buf_str(&path, name);
    if (s->keys)
        query_add(&path, "detachKeys", s->keys);
    if (s->err)
        query_add(&path, "stderr", "1");
    if (s->in)
        query_add(&path, "stdin", "1");
    if (s->out)
        query_add(&path, "stdout", "1");
    query_add(&path, "stream", "1");
    return hijack_open(c, path.p, NULL, ret);
}

static int start(struct cli *c, const char *id)
{
    AUTO_FREE char *path = api_path("/containers/%s/start", id);
    int r = api_call(c, "POST", path, NULL, NULL);
    if (r == 304) {
        c->err.text[0] = 0;
        r = 0;
    }
    return r;
}

static int stream(struct cli *c, const char *id, struct hijack *h, const struct session *s,
                  bool *ret_detached)
{
    AUTO_FREE char *resize = api_path("/containers/%s/resize", id),
                   *kill = api_path("/containers/%s/kill", id);
    struct hijack_run o = {.tty = s->tty,
                           .in = s->in,
                           .detach_keys = s->keys,
                           .resize_path = s->tty ? resize : NULL,
                           .kill_path = s->proxy && !s->tty ? kill : NULL};
    int r = hijack_run(c, h, &o);
    *ret_detached = o.detached;
    return r;
}

static int exit_status(struct cli *c, struct hijack *waiting, int *ret_code)
{
    AUTO_JSON json_t *o = NULL;
    int r = later_finish(c, waiting, &o);
    if (r)
        return r;
    const char *error = js_str(o, "Error.Message");
    if (*error)
        return err_set(&c->err, -EIO, "%s", error);
    *ret_code = (int)js_int(o, "StatusCode");
    return 0;
}

/* Attach, wait, start, stream, exit code: in this order, so that nothing is missed. */
static int start_attached(struct cli *c, const char *id, const struct session *s, bool removed,
                          int *ret_code)
{
    struct hijack *h = NULL, *waiting = NULL;
    AUTO_FREE char *wait = api_path("/containers/%s/wait", id);
    AUTO_FREE char *full = mem_printf("%s?condition=%s", wait, removed ? "removed" : "next-exit");
    bool detached = false;
    int r = open_stream(c, id, s, &h);
    if (!r)
        r = later_open(c, full, &waiting);
    if (!r)
        r = start(c, id);
    if (!r)
        r = stream(c, id, h, s, &detached);
    hijack_close(h);
    if (r || detached) {
        hijack_close(waiting);
        return r;
    }
    return exit_status(c, waiting, ret_code);
}

/* The stock CLI's exit code for a container that could not be started. */
static int run_failed(struct cli *c)
{
    int code = EXIT_FAILED;
    if (strstr(c->err.text, "executable file not found") ||
        strstr(c->err.text, "no such file or directory") ||
        strstr(c->err.text, "system cannot find the file specified"))
        code = EXIT_NOT_FOUND;
    else if (strstr(c->err.text, "permission denied") || strstr(c->err.text, "is a directory"))
        code = EXIT_CANNOT_RUN;
    fflush(stdout);
    fprintf(stderr, "keep: %s\n\nRun 'keep run --help' for more information\n", c->err.text);
    c->err.text[0] = 0;
    return code;
}

static int run_run(struct cli *c)
{
    AUTO_FREE char *id = NULL;
    bool detach = flag_bool(c, "detach"), tty = flag_bool(c, "tty"),
         in = flag_bool(c, "interactive") && !detach;
    if (tty && in && !isatty(0)) {
        fprintf(stderr, "the input device is not a TTY\n");
        return 1;
    }
    int code = 0, r = create_container(c, !detach, &id);
    if (r)
        return run_failed(c);
    if (detach) {
        if (start(c, id))
            return run_failed(c);
        printf("%s\n", id);
        return 0;
    }
    struct session s = {.tty = tty,
                        .in = in,
                        .out = true,
                        .err = true,
                        .keys = flag_str(c, "detach-keys"),
                        .proxy = flag_bool(c, "sig-proxy")};
    r = start_attached(c, id, &s, flag_bool(c, "rm"), &code);
    return r ? run_failed(c) : code;
}

const struct command cmd_run = {.name = "run",
                                .paths = "keep container run, keep run",
                                .usage = "[OPTIONS] IMAGE [COMMAND] [ARG...]",
                                .about = "Create and run a new container from an image",
                                .flags = run_flags,
                                .run = run_run,
                                .min = 1,
                                .max = -1,
                                .greedy = true,
                                .section = SEC_COMMON};
const struct command cmd_create = {.name = "create",
                                   .paths = "keep container create, keep create",
                                   .usage = "[OPTIONS] IMAGE [COMMAND] [ARG...]",
                                   .about = "Create a new container",
                                   .flags = run_flags,
                                   .run = run_create,
                                   .min = 1,
                                   .max = -1,
                                   .greedy = true};

/* --- start --- */

static int fetch(struct cli *c, const char *ref, json_t **ret)
{
    AUTO_FREE char *path = api_path("/containers/%s/json", ref);
    return api_get(c, path, ret);
}

static int run_start(struct cli *c)
{
    bool attach = flag_bool(c, "attach") || flag_bool(c, "interactive");
    if (!attach)
        return for_each_arg(c, start);
    AUTO_JSON json_t *o = NULL;
    int code = 0;
    if (c->nargs > 1)
        return err_set(&c->err, -EINVAL, "you cannot start and attach multiple containers at once");
    int r = fetch(c, c->args[0], &o);
    if (r)
        return r;
    struct session s = {.tty = js_bool(o, "Config.Tty"),
                        .in = flag_bool(c, "interactive") && js_bool(o, "Config.OpenStdin"),
                        .out = true,
                        .err = true,
                        .keys = flag_str(c, "detach-keys"),
                        .proxy = true};
    r = start_attached(c, js_str(o, "Id"), &s, js_bool(o, "HostConfig.AutoRemove"), &code);
    return r ? r : code;
}

static const struct flag start_flags[] = {
    {.name = "attach", .letter = 'a', .help = "Show its output and pass signals on"},
    {.name = "detach-keys",
     .type = "string",
     .help = "Keys that leave the container running and return"},
    {.name = "interactive", .letter = 'i', .help = "Pass standard input on"},
    FLAG_END,
};
const struct command cmd_start = {.name = "start",
                                  .paths = "keep container start, keep start",
                                  .usage = "[OPTIONS] CONTAINER [CONTAINER...]",
                                  .about = "Start one or more stopped containers",
                                  .flags = start_flags,
                                  .run = run_start,
                                  .min = 1,
                                  .max = -1};

/* --- attach --- */

static int check_attachable(struct cli *c, json_t *o)
{
    if (!js_bool(o, "State.Running"))
        return err_set(&c->err, -EINVAL,
                       "You cannot attach to a stopped container, start it first");
    if (js_bool(o, "State.Paused"))
        return err_set(&c->err, -EINVAL,
                       "You cannot attach to a paused container, unpause it first");
    if (js_bool(o, "State.Restarting"))
        return err_set(&c->err, -EINVAL,
                       "You cannot attach to a restarting container, wait until it is running");
    return 0;
}

/* One row and column too many: when the right size follows, the program on that terminal draws
 * itself anew. */
static void nudge(struct cli *c, const char *id)
{
    unsigned rows, columns;
    if (!term_size(1, &rows, &columns))
        return;
    AUTO_FREE char *path = api_path("/containers/%s/resize", id);
    AUTO_FREE char *full = mem_printf("%s?h=%u&w=%u", path, rows + 1, columns + 1);
    struct err keep = c->err;
    if (api_call(c, "POST", full, NULL, NULL))
        c->err = keep; /* only looks depend on it */
}

static int run_attach(struct cli *c)
{
    AUTO_JSON json_t *o = NULL;
    struct hijack *h = NULL, *waiting = NULL;
    int code = 0, r = fetch(c, c->args[0], &o);
    bool detached = false;
    if (!r)
        r = check_attachable(c, o);
    if (r)
        return r;
    struct session s = {.tty = js_bool(o, "Config.Tty"),
                        .in = !flag_bool(c, "no-stdin") && js_bool(o, "Config.OpenStdin"),
                        .out = true,
                        .err = true,
                        .keys = flag_str(c, "detach-keys"),
                        .proxy = flag_bool(c, "sig-proxy")};
    if (s.tty && s.in && !isatty(0))
        return err_set(&c->err, -ENOTTY, "the input device is not a TTY");
    AUTO_FREE char *wait = api_path("/containers/%s/wait", js_str(o, "Id"));
    r = later_open(c, wait, &waiting);
    if (!r)
        r = open_stream(c, js_str(o, "Id"), &s, &h);
    if (!r && s.tty)
        nudge(c, js_str(o, "Id"));
    if (!r)
        r = stream(c, js_str(o, "Id"), h, &s, &detached);
    hijack_close(h);
    if (r || detached) {
        hijack_close(waiting);
        return r ? r : err_set(&c->err, -EINTR, "read escape sequence");
    }
    r = exit_status(c, waiting, &code);
    return r ? r : code;
}

static const struct flag attach_flags[] = {
    {.name = "detach-keys",
     .type = "string",
     .help = "Keys that leave the container running and return"},
    {.name = "no-stdin", .help = "Do not pass standard input on"},
    {.name = "sig-proxy", .help = "Pass signals on to the process", .def = "true"},
    FLAG_END,
};
const struct command cmd_attach = {
    .name = "attach",
    .paths = "keep container attach, keep attach",
    .usage = "[OPTIONS] CONTAINER",
    .about = "Attach local standard input, output, and error streams to a running container",
    .flags = attach_flags,
    .run = run_attach,
    .min = 1,
    .max = 1};
