/* cli/cmd_exec.c - `keep exec`. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "base/mem.h"
#include "base/str.h"
#include "cli/api.h"
#include "cli/commands.h"
#include "cli/hijack.h"
#include "cli/js.h"
#include "cli/opts.h"
#include "cli/term.h"

static void set_console_size(struct cli *c, json_t *q)
{
    unsigned rows, columns;
    if (!version_less(api_version(c), "1.42") && term_size(1, &rows, &columns))
        json_object_set_new(q, "ConsoleSize", js_own(json_pack("[i,i]", (int)rows, (int)columns)));
}

static int exec_request(struct cli *c, json_t **ret)
{
    AUTO_JSON json_t *q = js_own(json_object()), *env = NULL;
    bool detach = flag_bool(c, "detach");
    int r = env_from_files(flag_list(c, "env-file"), flag_list(c, "env"), &env, &c->err);
    if (!r)
        r = api_ready(c);
    if (r)
        return r;
    js_set_str(q, "User", flag_str(c, "user"));
    json_object_set_new(q, "Privileged", json_boolean(flag_bool(c, "privileged")));
    json_object_set_new(q, "Tty", json_boolean(flag_bool(c, "tty")));
    if (flag_bool(c, "tty"))
        set_console_size(c, q);
    json_object_set_new(q, "AttachStdin", json_boolean(!detach && flag_bool(c, "interactive")));
    json_object_set_new(q, "AttachStderr", json_boolean(!detach));
    json_object_set_new(q, "AttachStdout", json_boolean(!detach));
    js_set_str(q, "DetachKeys", flag_str(c, "detach-keys"));
    if (json_array_size(env))
        json_object_set(q, "Env", env);
    js_set_str(q, "WorkingDir", flag_str(c, "workdir"));
    json_t *cmd = js_list(q, "Cmd");
    for (size_t i = 1; i < c->nargs; i++)
        js_push_str(cmd, c->args[i]);
    *ret = TAKE(q);
    return 0;
}

/* Runs the stream; the exit code of the process goes to *ret_code. */
static int run_attached(struct cli *c, const char *id, int *ret_code)
{
    struct hijack *h;
    AUTO_JSON json_t *start = js_own(json_object()), *state = NULL;
    AUTO_FREE char *path = api_path("/exec/%s/start", id),
                   *resize = api_path("/exec/%s/resize", id),
                   *inspect = api_path("/exec/%s/json", id);
    bool tty = flag_bool(c, "tty");
    json_object_set_new(start, "Detach", json_false());
    json_object_set_new(start, "Tty", json_boolean(tty));
    if (tty)
        set_console_size(c, start);
    int r = hijack_open(c, path, start, &h);
    if (r)
        return r;
    struct hijack_run o = {.tty = tty,
                           .in = flag_bool(c, "interactive"),
                           .detach_keys = flag_str(c, "detach-keys"),
                           .resize_path = tty ? resize : NULL};
    r = hijack_run(c, h, &o);
    hijack_close(h);
    if (!r && o.detached)
        r = err_set(&c->err, -EINTR, "read escape sequence");
    if (!r)
        r = api_get(c, inspect, &state);
    if (!r)
        *ret_code = (int)js_int(state, "ExitCode");
    return r;
}

static int run_exec(struct cli *c)
{
    AUTO_JSON json_t *q = NULL, *made = NULL;
    AUTO_FREE char *inspect = api_path("/containers/%s/json", c->args[0]),
                   *create = api_path("/containers/%s/exec", c->args[0]);
    bool tty = flag_bool(c, "tty"), in = flag_bool(c, "interactive"),
         detach = flag_bool(c, "detach");
    int code = 0, r = exec_request(c, &q);
    if (!r)
        r = api_get(c, inspect, NULL);
    if (!r && tty && in && !detach && !isatty(0))
        r = err_set(&c->err, -ENOTTY, "the input device is not a TTY");
    if (!r)
        r = api_call(c, "POST", create, q, &made);
    if (r)
        return r;
    const char *id = js_str(made, "Id");
    if (!detach) {
        r = run_attached(c, id, &code);
        return r ? r : code;
    }
    AUTO_JSON json_t *start = js_own(json_pack("{s:b,s:b}", "Detach", 1, "Tty", (int)tty));
    AUTO_FREE char *path = api_path("/exec/%s/start", id);
    return api_call(c, "POST", path, start, NULL);
}

static const struct flag flags[] = {
    {.name = "detach", .letter = 'd', .help = "Leave the command running and return at once"},
    {.name = "detach-keys",
     .type = "string",
     .help = "Keys that leave the container running and return"},
    {.name = "env",
     .letter = 'e',
     .type = "list",
     .help = "Environment variables",
     .check = check_env},
    {.name = "env-file", .type = "list", .help = "Files of environment variables"},
    {.name = "interactive", .letter = 'i', .help = "Pass standard input on"},
    {.name = "privileged", .help = "Give the command all rights"},
    {.name = "tty", .letter = 't', .help = "Allocate a pseudo-TTY"},
    {.name = "user",
     .letter = 'u',
     .type = "string",
     .help = "User name or id (format: \"<name|uid>[:<group|gid>]\")"},
    {.name = "workdir",
     .letter = 'w',
     .type = "string",
     .help = "Working directory in the container"},
    FLAG_END,
};
const struct command cmd_exec = {.name = "exec",
                                 .paths = "keep container exec, keep exec",
                                 .usage = "[OPTIONS] CONTAINER COMMAND [ARG...]",
                                 .about = "Execute a command in a running container",
                                 .flags = flags,
                                 .run = run_exec,
                                 .min = 2,
                                 .max = -1,
                                 .greedy = true,
                                 .section = SEC_COMMON};
