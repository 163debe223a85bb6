/* runtime/launch.c - conmon makes the container: one start byte in, one line of JSON back.
 *
 * conmon forks away at once; what it has to say comes through the pipe, and its own complaints go
 * to a file, since it outlives us. */
#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/mem.h"
#include "base/str.h"
#include "loop/file.h"
#include "runtime/internal.h"

enum {
    SYNC_MAX = 65536,
    LAUNCH_TIMEOUT_MS = 120000,
    EXIT_NOT_FOUND = 127,
    EXIT_NOT_EXECUTABLE = 126,
    EXIT_OTHER = 128
};

struct launching {
    struct op *op;
    void (*done)(struct op *op, int r);
    uv_pipe_t sync;
    uv_timer_t timer;
    struct buf text;
    int handles;
    bool child_ended, sync_ended;
    int child_status, result;
};

/* ---- words ---- */

static const char *exec_word(const struct ct *c)
{
    return c->argv[0];
}

/* runc gives a line of its log: time="…" level=error msg="words \"quoted\"". The words alone,
 * malloc'ed. */
static char *plain_words(const char *message)
{
    const char *p = strstr(message, " msg=\"");
    char *out = mem_new(strlen(message) + 1);
    size_t n = 0;
    if (!p)
        return memcpy(out, message, strcspn(message, "\n"));
    for (p += strlen(" msg=\""); *p && *p != '"' && *p != '\n'; p++) {
        if (*p == '\\' && p[1])
            p++;
        out[n++] = *p;
    }
    return out;
}

/* crun's and runc's words become the engine's. ret_exit: what the container's exit code shall be.
 */
void launch_error(const struct runtime *rt, const char *phase, const struct ct *c,
                  const char *message, struct err *e, int *ret_exit)
{
    AUTO_FREE char *text = plain_words(message);
    const char *word = exec_word(c);
    *ret_exit = EXIT_OTHER;
    if (strstr(text, "executable file") && strstr(text, "not found")) {
        *ret_exit = EXIT_NOT_FOUND;
        if (rt->is_crun && strchr(word, '/'))
            (void)err_set(e, RUNTIME_BAD_REQUEST,
                          "%s%s create failed: unable to start container process: exec: "
                          "\"%.256s\": stat %.256s: no such "
                          "file or directory: unknown",
                          phase, rt->name, word, word);
        else if (rt->is_crun)
            (void)err_set(e, RUNTIME_BAD_REQUEST,
                          "%s%s create failed: unable to start container process: exec: "
                          "\"%.256s\": executable file "
                          "not found in $PATH: unknown",
                          phase, rt->name, word);
    } else if (strstr(text, "ermission denied") &&
               (strstr(text, "executable") || strstr(text, "exec"))) {
        *ret_exit = EXIT_NOT_EXECUTABLE;
        if (rt->is_crun)
            (void)err_set(e, RUNTIME_BAD_REQUEST,
                          "%s%s create failed: unable to start container process: exec: "
                          "\"%.256s\": permission denied: "
                          "unknown",
                          phase, rt->name, word);
    } else if (strstr(text, "no such file or directory") && strstr(text, "exec: ")) {
        *ret_exit = EXIT_NOT_FOUND;
    }
    if (!e->text[0]) /* runc says it in the engine's own words already */
        (void)err_set(e, -EIO, "%s%s%s%.700s: unknown", phase, rt->is_crun ? "crun" : "",
                      rt->is_crun ? " create failed: " : "", text);
}

/* ---- the end of it ---- */

static void launching_end(struct launching *l)
{
    struct op *op = l->op;
    void (*done)(struct op *, int) = l->done;
    int r = l->result;
    buf_free(&l->text);
    free(l);
    done(op, r);
}

static void on_closed(uv_handle_t *h)
{
    struct launching *l = h->data;
    if (--l->handles == 0)
        launching_end(l);
}

static int take_pid(struct launching *l, int pid)
{
    struct ct *c = l->op->c;
    c->pub.pid = pid;
    return exit_watch(c, pid, &l->op->err);
}

static int failed_without_words(struct launching *l)
{
    struct op *op = l->op;
    char line[512] = "";
    AUTO_FREE char *path = mem_printf("%s/conmon.err", op->c->exec_dir);
    if (file_read_line(path, line, sizeof line, NULL) != 0)
        line[0] = '\0';
    return err_set(&op->err, -EIO, "conmon could not create the container%s%s", line[0] ? ": " : "",
                   line);
}

static int read_answer(struct launching *l)
{
    struct op *op = l->op;
    json_t *o = json_loads(l->text.p ? l->text.p : "", JSON_DISABLE_EOF_CHECK, NULL);
    const json_t *data = json_object_get(o, "data");
    const json_t *message = json_object_get(o, "message");
    int r;
    if (!json_is_integer(data)) {
        r = failed_without_words(l);
    } else if (json_integer_value(data) > 0) {
        r = take_pid(l, (int)json_integer_value(data));
    } else {
        int code;
        launch_error(op->rt, "failed to create shim task: OCI runtime create failed: ", op->c,
                     json_is_string(message) ? json_string_value(message)
                                             : "the runtime did not say why",
                     &op->err, &code);
        op->c->pub.exit_code = code;
        r = code == EXIT_OTHER ? -EIO : RUNTIME_BAD_REQUEST;
    }
    json_decref(o);
    return r;
}

static void settle(struct launching *l)
{
    if (!l->child_ended || !l->sync_ended || uv_is_closing((uv_handle_t *)&l->sync))
        return;
    l->result = l->result ? l->result : read_answer(l);
    uv_close((uv_handle_t *)&l->sync, on_closed);
    uv_close((uv_handle_t *)&l->timer, on_closed);
}

static void on_late(uv_timer_t *t)
{
    struct launching *l = t->data;
    l->result = err_set(&l->op->err, -ETIMEDOUT, "conmon did not answer in %d seconds",
                        LAUNCH_TIMEOUT_MS / 1000);
    l->sync_ended = true;
    settle(l);
}

static void on_alloc(uv_handle_t *h, size_t suggested, uv_buf_t *ret)
{
    struct launching *l = h->data;
    (void)suggested;
    buf_reserve(&l->text, 4096);
    *ret = l->text.failed ? uv_buf_init(NULL, 0) : uv_buf_init(l->text.p + l->text.len, 4096);
}

static void on_sync(uv_stream_t *s, ssize_t n, const uv_buf_t *b)
{
    struct launching *l = s->data;
    (void)b;
    if (n > 0) {
        l->text.len += (size_t)n;
        l->text.p[l->text.len] = '\0';
    }
    if (n < 0 || (l->text.len > 0 && memchr(l->text.p, '\n', l->text.len))) {
        uv_read_stop(s);
        l->sync_ended = true;
        settle(l);
    }
}

static void on_child(void *data, const struct child_result *r)
{
    struct launching *l = data;
    l->child_ended = true;
    l->child_status = r->status;
    if (r->status != 0)
        l->sync_ended = true;
    settle(l);
}

/* ---- the command line ---- */

static void push2(char ***v, const char *option, char *value)
{
    strv_push(v, mem_str(option));
    strv_push(v, value);
}

static char **conmon_argv(const struct ct *c)
{
    const struct runtime *rt = c->rt;
    const struct container_config *cfg = c->config;
    char **v = NULL;
    strv_push(&v, mem_str(rt->conmon_path));
    push2(&v, "--api-version", mem_str("1"));
    push2(&v, "-c", mem_str(c->pub.id));
    push2(&v, "-u", mem_str(c->pub.id));
    push2(&v, "-n", mem_str(cfg->name));
    push2(&v, "-r", mem_str(rt->helper));
    push2(&v, "--runtime-arg", mem_str(rt->oci_path));
    push2(&v, "--runtime-arg", mem_printf("--root=%s", rt->state_root));
    push2(&v, "-b", mem_str(c->exec_dir));
    push2(&v, "-p", mem_printf("%s/ctr.pid", c->exec_dir));
    push2(&v, "-P", mem_printf("%s/conmon.pid", c->exec_dir));
    push2(&v, "--exit-dir", mem_str(rt->exits_dir));
    strv_push(&v, mem_str("--full-attach"));
    strv_push(&v, mem_str("--no-sync-log"));
    push2(&v, "-l",
          str_eq(cfg->log_driver, "none") ? mem_str("none")
                                          : mem_printf("k8s-file:%s", c->log_path));
    if (cfg->log_max_size > 0)
        push2(&v, "--log-size-max", mem_printf("%llu", (unsigned long long)cfg->log_max_size));
    if (cfg->tty)
        strv_push(&v, mem_str("-t"));
    if (cfg->open_stdin)
        strv_push(&v, mem_str("-i"));
    if (!cfg->stdin_once || cfg->tty)
        strv_push(&v, mem_str("--leave-stdin-open"));
    return v;
}

static int open_sync(struct launching *l, int fd, struct err *e)
{
    uv_loop_t *loop = l->op->rt->loop;
    uv_timer_init(loop, &l->timer); /* these two cannot fail */
    uv_pipe_init(loop, &l->sync, 0);
    l->sync.data = l->timer.data = l;
    l->handles = 2;
    int r = uv_pipe_open(&l->sync, fd);
    if (r != 0) {
        close(fd);
        return err_sys(e, -r, "cannot read from conmon");
    }
    uv_timer_start(&l->timer, on_late, LAUNCH_TIMEOUT_MS, 0);
    return uv_read_start((uv_stream_t *)&l->sync, on_alloc, on_sync);
}

static int start_conmon(struct launching *l, int sync_theirs, int start_theirs, struct err *e)
{
    struct ct *c = l->op->c;
    AUTO_STRV char **argv = conmon_argv(c);
    AUTO_FREE char *path = mem_printf("%s/conmon.err", c->exec_dir);
    AUTO_CLOSE int words = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600);
    const char *const env[] = {"PATH=" CHILD_PATH, "_OCI_SYNCPIPE=3", "_OCI_STARTPIPE=4", NULL};
    const struct child_fd fds[] = {{.fd = sync_theirs, .as = 3}, {.fd = start_theirs, .as = 4}};
    struct child_spec spec = {
        .argv = (const char *const *)argv,
        .env = env,
        .cwd = c->exec_dir, /* conmon leaves small files where it is */
        .err = {.to = words >= 0 ? CHILD_FD : CHILD_NULL, .fd = words},
        .fds = fds,
        .nfds = 2,
        .on_exit = on_child,
        .data = l,
    };
    return child_start(l->op->rt->loop, &spec, NULL, e);
}

static int try_launch(struct launching *l, struct err *e)
{
    int sync[2], start[2];
    if (pipe2(sync, O_CLOEXEC) != 0)
        return err_sys(e, errno, "cannot make a pipe");
    if (pipe2(start, O_CLOEXEC) != 0) {
        close(sync[0]);
        close(sync[1]);
        return err_sys(e, errno, "cannot make a pipe");
    }
    AUTO_CLOSE int sync_theirs = sync[1], start_theirs = start[0], start_ours = start[1];
    int r = open_sync(l, sync[0], e);
    if (r == 0)
        r = start_conmon(l, sync_theirs, start_theirs, e);
    if (r == 0 && write(start_ours, "", 1) != 1)
        l->result = err_sys(e, errno, "cannot start conmon");
    return r;
}

void launch(struct op *op, void (*done)(struct op *op, int r))
{
    struct launching *l = NEW(struct launching);
    l->op = op;
    l->done = done;
    l->text = BUF_INIT(SYNC_MAX);
    int r = try_launch(l, &op->err);
    if (r == 0)
        return;
    l->result = r;
    if (l->handles == 0) {
        launching_end(l);
        return;
    }
    uv_close((uv_handle_t *)&l->sync, on_closed);
    uv_close((uv_handle_t *)&l->timer, on_closed);
}
