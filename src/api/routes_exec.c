/* api/routes_exec.c - exec and attach: commands in a container, their streams over a taken-over
 * connection.
 *
 * One struct session joins a connection and a stream of the runtime. Either may end first: the
 * client's going closes the stream (the process goes on), the process's end closes the connection
 * once all output has gone out. A client that closes only its sending half ends stdin. */
#include "api/routes_local.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "api/frame.h"
#include "base/mem.h"
#include "base/str.h"

enum { SESSION_FULL = 256 << 10, INPUT_FULL = 256 << 10, CMD_MAX = 4096 };

struct session {
    struct http_raw *raw; /* NULL: not open yet, or gone */
    struct stream *stream;
    struct runtime *runtime;
    char exec_id[ID_HEX_SIZE], container_id[ID_HEX_SIZE];
    bool tty, attach, starting, gone, paused;
    struct buf frame;
};

static void session_unref(struct session *x)
{
    if (x->raw || x->stream || x->starting || !x->gone)
        return;
    buf_free(&x->frame);
    free(x);
}

/* ---- output ---- */

static int64_t session_write(struct session *x, enum stream_fd fd, const void *p, size_t n)
{
    if (!x->raw)
        return 0;
    if (x->tty)
        return http_raw_write(x->raw, p, n);
    buf_clear(&x->frame);
    frame_reserve(&x->frame);
    buf_append(&x->frame, p, n);
    frame_fill(&x->frame, fd);
    return http_raw_write(x->raw, x->frame.p, x->frame.len);
}

static bool on_output(void *arg, enum stream_fd fd, const void *p, size_t n)
{
    return session_write(arg, fd, p, n) < SESSION_FULL;
}

static void on_stream_end(void *arg)
{
    struct session *x = arg;
    x->stream = NULL;
    if (x->raw)
        http_raw_close(x->raw);
    session_unref(x);
}

static void on_drain(void *arg)
{
    struct session *x = arg;
    if (x->stream)
        stream_resume(x->stream);
}

/* ---- input ---- */

static void on_bytes(void *arg, const char *p, size_t n)
{
    struct session *x = arg;
    if (!x->stream)
        return;
    if (n == 0)
        stream_input_end(x->stream);
    else
        stream_input(x->stream, p, n);
}

static void on_closed(void *arg)
{
    struct session *x = arg;
    x->raw = NULL;
    x->gone = true;
    if (x->stream)
        stream_close(TAKE(x->stream));
    session_unref(x);
}

/* ---- start ---- */

/* The engine tells a failed start in the stream, as output that ends with CR LF. */
static void tell_failure(struct session *x, const struct err *e)
{
    AUTO_FREE char *text = mem_printf("%s\r\n", err_text(e));
    session_write(x, STREAM_STDOUT, text, strlen(text));
    if (x->raw)
        http_raw_close(x->raw);
}

static void on_started(void *arg, int r, const struct err *e, struct stream *s)
{
    struct session *x = arg;
    x->starting = false;
    if (r != 0) {
        tell_failure(x, e);
    } else if (x->gone) {
        stream_close(s);
    } else {
        x->stream = s;
        if (x->raw)
            http_raw_pause(x->raw, false);
    }
    session_unref(x);
}

static void start_exec(struct session *x)
{
    struct exec *found;
    struct err e = {0};
    const struct stream_sink sink = {.on_output = on_output, .on_end = on_stream_end, .arg = x};
    if (runtime_exec_find(x->runtime, x->exec_id, &found, &e) != 0) {
        tell_failure(x, &e);
        return;
    }
    x->starting = true;
    http_raw_pause(x->raw,
                   true); /* what the client says waits until there is somebody to hear it */
    runtime_exec_start(x->runtime, found, &sink, on_started, x);
}

static void start_attach(struct session *x)
{
    struct container *ct;
    struct err e = {0};
    const struct stream_sink sink = {.on_output = on_output, .on_end = on_stream_end, .arg = x};
    int r = runtime_find(x->runtime, x->container_id, &ct, &e);
    if (r == 0)
        r = runtime_attach(x->runtime, ct, &sink, &x->stream, &e);
    if (r != 0)
        tell_failure(x, &e);
}

static void on_open(void *arg, struct http_raw *raw)
{
    struct session *x = arg;
    x->raw = raw;
    if (x->attach)
        start_attach(x);
    else
        start_exec(x);
}

static void take_over(struct api_call *c, struct session *x)
{
    const struct http_raw_callbacks cb = {.on_open = on_open,
                                          .on_bytes = on_bytes,
                                          .on_drain = on_drain,
                                          .on_closed = on_closed,
                                          .arg = x};
    x->runtime = api_runtime(c->api);
    x->frame = BUF_INIT(1 << 20);
    http_upgrade(c->rq, frame_content_type(c->minor, x->tty), &cb);
}

/* ---- exec ---- */

static void on_detached(void *arg, int r, const struct err *e, struct stream *s)
{
    (void)s;
    struct api_call *c = arg;
    if (r == 0)
        api_reply_empty(c, 200);
    else
        api_error(c, 400, "%s", err_text(e));
    api_release(c);
}

static void on_exec_start(struct api_call *c, json_t *body)
{
    struct exec *found;
    struct err e = {0};
    struct json_in in = {0};
    struct json_at at = json_at_root(&in, body, "types.ExecStartCheck");
    bool detach = json_at_bool(&at, "Detach");
    int r = runtime_exec_find(api_runtime(c->api), c->param[0], &found, &e);
    if (r != 0) {
        api_error_runtime(c, r, &e);
        return;
    }
    if (in.failed) {
        api_error(c, 400, "%s", in.e.text);
        return;
    }
    if (found->started) {
        api_error(c, 409, "Error: Exec command %s is already running", found->id);
        return;
    }
    if (detach) {
        api_hold(c);
        runtime_exec_start(api_runtime(c->api), found, NULL, on_detached, c);
        return;
    }
    struct session *x = NEW(struct session);
    x->tty = found->config->tty;
    str_copy(x->exec_id, sizeof(x->exec_id), found->id);
    take_over(c, x);
}

void api_exec_start(struct api_call *c)
{
    api_take_json_opt(c, "types.ExecStartCheck", on_exec_start);
}

/* "ConsoleSize": [height, width] */
static void take_console_size(const struct json_at *at, struct exec_config *x)
{
    const json_t *size = json_at_any(at, "ConsoleSize");
    if (!json_is_array(size) || json_array_size(size) != 2)
        return;
    x->rows = (unsigned)json_integer_value(json_array_get(size, 0)) & 0xffff;
    x->cols = (unsigned)json_integer_value(json_array_get(size, 1)) & 0xffff;
}

static void exec_config_free_(struct exec_config *x)
{
    strv_free(x->cmd);
    strv_free(x->env);
    free(x->user);
    free(x->workdir);
    free(x->detach_keys);
    free(x);
}

static struct exec_config *exec_config_of(const struct json_at *at)
{
    struct exec_config *x = NEW(struct exec_config);
    x->cmd = json_at_strv(at, "Cmd");
    x->env = json_at_strv(at, "Env");
    x->user = json_at_dup(at, "User");
    x->workdir = json_at_dup(at, "WorkingDir");
    x->detach_keys = json_at_dup(at, "DetachKeys");
    x->tty = json_at_bool(at, "Tty");
    x->privileged = json_at_bool(at, "Privileged");
    x->attach_stdin = json_at_bool(at, "AttachStdin");
    x->attach_stdout = json_at_bool(at, "AttachStdout");
    x->attach_stderr = json_at_bool(at, "AttachStderr");
    take_console_size(at, x);
    return x;
}

static void on_exec_create(struct api_call *c, json_t *body)
{
    struct json_in in = {0};
    struct json_at at = json_at_root(&in, body, "types.ExecConfig");
    struct exec_config *x = exec_config_of(&at);
    struct container *ct = in.failed ? NULL : api_container(c);
    if (in.failed)
        api_error(c, 400, "%s", in.e.text);
    else if (ct && !x->cmd)
        api_error(c, 400, "No exec command specified");
    if (!ct || !x->cmd) {
        exec_config_free_(x);
        return;
    }
    struct exec *made;
    struct err e = {0};
    int r = runtime_exec_create(api_runtime(c->api), ct, x, &made, &e);
    if (r != 0) {
        api_error_runtime(c, r, &e);
        return;
    }
    AUTO_BUF struct buf out = API_OUT();
    struct jw w = JW_INIT(&out);
    jw_object(&w, NULL);
    jw_str(&w, "Id", made->id);
    jw_end_object(&w);
    api_reply_json(c, 201, &out);
}

void api_exec_create(struct api_call *c)
{
    api_take_json(c, "types.ExecConfig", on_exec_create);
}

static void on_exec_inspect(struct api_call *c)
{
    struct exec *x;
    struct err e = {0};
    int r = runtime_exec_find(api_runtime(c->api), c->param[0], &x, &e);
    if (r != 0) {
        api_error_runtime(c, r, &e);
        return;
    }
    const struct exec_config *f = x->config;
    AUTO_BUF struct buf out = API_OUT();
    struct jw w = JW_INIT(&out);
    jw_object(&w, NULL);
    jw_str(&w, "ID", x->id);
    jw_bool(&w, "Running", x->running);
    if (x->running || !x->started)
        jw_null(&w, "ExitCode");
    else
        jw_int(&w, "ExitCode", x->exit_code);
    jw_object(&w, "ProcessConfig");
    jw_bool(&w, "tty", f->tty);
    jw_str(&w, "entrypoint", f->cmd[0]);
    jw_strv(&w, "arguments", (const char *const *)f->cmd + 1);
    jw_bool(&w, "privileged", f->privileged);
    /* The engine fills in the container's own. */
    jw_str_opt(&w, "user",
               str_empty(f->user) && x->container ? x->container->config->user : f->user);
    jw_end_object(&w);
    jw_bool(&w, "OpenStdin", f->attach_stdin);
    jw_bool(&w, "OpenStderr", f->attach_stderr);
    jw_bool(&w, "OpenStdout", f->attach_stdout);
    jw_bool(&w, "CanRemove", false);
    jw_str(&w, "ContainerID", x->container ? x->container->id : "");
    jw_str(&w, "DetachKeys", str_or(f->detach_keys, ""));
    jw_int(&w, "Pid", x->pid);
    jw_end_object(&w);
    api_reply_json(c, 200, &out);
}

void api_exec_inspect(struct api_call *c)
{
    api_take_none(c, on_exec_inspect);
}

/* ---- terminals ---- */

static bool take_size(struct api_call *c, unsigned *rows, unsigned *cols)
{
    uint64_t h, w;
    const char *hs = http_query(c->rq, "h"), *ws = http_query(c->rq, "w");
    if (str_to_u64(str_or(hs, "x"), 65535, &h) != 0 ||
        str_to_u64(str_or(ws, "x"), 65535, &w) != 0) {
        api_error(c, 400, "strconv.Atoi: parsing \"%.64s\": invalid syntax",
                  str_or(hs && *hs ? ws : hs, ""));
        return false;
    }
    *rows = (unsigned)h;
    *cols = (unsigned)w;
    return true;
}

static void on_exec_resize(struct api_call *c)
{
    unsigned rows, cols;
    struct exec *x;
    struct err e = {0};
    if (!take_size(c, &rows, &cols))
        return;
    int r = runtime_exec_find(api_runtime(c->api), c->param[0], &x, &e);
    if (r == 0)
        r = runtime_exec_resize(api_runtime(c->api), x, rows, cols, &e);
    if (r == 0)
        api_reply_empty(c, 200);
    else
        api_error_runtime(c, r, &e);
}

void api_exec_resize(struct api_call *c)
{
    api_take_none(c, on_exec_resize);
}

static void on_container_resize(struct api_call *c)
{
    unsigned rows, cols;
    struct err e = {0};
    struct container *ct = api_container(c);
    if (!ct || !take_size(c, &rows, &cols))
        return;
    int r = runtime_resize(api_runtime(c->api), ct, rows, cols, &e);
    if (r == 0)
        api_reply_empty(c, 200);
    else
        api_error_runtime(c, r, &e);
}

void api_container_resize(struct api_call *c)
{
    api_take_none(c, on_container_resize);
}

static void on_attach(struct api_call *c)
{
    struct container *ct = api_container(c);
    if (!ct)
        return;
    if (ct->state == CONTAINER_PAUSED) {
        api_error(c, 409, "container %s is paused, unpause the container before attach", ct->id);
        return;
    }
    struct session *x = NEW(struct session);
    x->attach = true;
    x->tty = ct->config->tty;
    str_copy(x->container_id, sizeof(x->container_id), ct->id);
    take_over(c, x);
}

void api_container_attach(struct api_call *c)
{
    api_take_none(c, on_attach);
}
