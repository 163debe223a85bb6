/* runtime/exec_run.c - one exec'd process: the OCI runtime stays beside it, its status is the
 * process's.
 *
 * It has begun when the runtime has written the pid file; until then the runtime's own log says why
 * not. Output: two pipes, or the terminal's end that the runtime sends through a socket. A client
 * that does not read makes the process wait, and nobody else. */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/log.h"
#include "base/mem.h"
#include "base/str.h"
#include "loop/file.h"
#include "runtime/console.h"
#include "runtime/internal.h"
#include "runtime/path.h"
#include "runtime/rootfs.h"
#include "runtime/spec.h"
#include "runtime/tools.h"

enum { READ_SIZE = 65536, DRAIN_MS = 1000, EXEC_INPUT_MAX = 8 << 20, CODE_NOT_STARTED = 126 };

struct pipe_end {
    struct exec_run *run;
    uv_pipe_t pipe;
    enum stream_fd fd;
    bool open;
};
struct exec_run {
    struct ex *x;
    struct ct *c;
    struct op *op; /* until it has started */
    bool told, child_ended, paused, input_ends, ending, finished, abandoned;
    struct child *child;
    void (*on_started)(void *arg, int r, const struct err *e, struct stream *s);
    void *arg;
    struct stream *s;
    struct pipe_end in, out, err; /* with a terminal: `out` is both ways */
    struct console *console;
    uv_fs_event_t watch;
    uv_timer_t drain;
    char *dir;
    int handles, status;
    size_t input_queued;
    struct err error;
    int result;
};

/* ---- the end ---- */

static void exec_run_free(struct exec_run *r)
{
    struct ct *c = r->c;
    struct err e;
    if (r->dir && file_remove_tree(r->dir, &e) != 0)
        log_warn("%s", err_text(&e));
    exec_ended(r->x);
    free(r->dir);
    free(r);
    ct_put(c);
}

static void tell_started(struct exec_run *r, int result)
{
    if (r->told)
        return;
    r->told = true;
    struct op *op = TAKE(r->op);
    if (result == 0) {
        r->x->pub.running = true;
        r->on_started(r->arg, 0, &r->error, r->s);
        if (r->s)
            stream_unhold(r->s);
    } else {
        if (r->s)
            stream_close(r->s); /* no on_end: it never began */
        r->on_started(r->arg, result, &r->error, NULL);
    }
    if (op)
        op_end(op, 0);
}

/* The runtime writes the number when the program is about to be executed and nothing can go wrong
 * any more. */
static void check_started(struct exec_run *r)
{
    char line[24];
    uint64_t pid;
    AUTO_FREE char *path = mem_printf("%s/pid", r->dir);
    if (r->told || file_read_line(path, line, sizeof line, NULL) != 0 ||
        str_to_u64(line, 1 << 30, &pid) != 0 || pid == 0)
        return;
    r->x->pub.pid = (int)pid;
    tell_started(r, 0);
}

static void finish(struct exec_run *r)
{
    struct ex *x = r->x;
    if (r->abandoned) {
        x->pub.running = false;
        if (r->op)
            op_end(TAKE(r->op), 0);
    } else if (!r->told) {
        x->pub.exit_code = CODE_NOT_STARTED;
        tell_started(r, r->result ? r->result : -EIO);
    } else {
        x->pub.exit_code = r->status;
        x->pub.running = false;
        x->pub.pid = 0;
        const struct runtime_event ev = {
            .action = "exec_die", .c = &r->c->pub, .exit_code = r->status, .exec_id = x->pub.id};
        rt_emit(r->c, &ev);
        if (r->s)
            stream_end(r->s);
    }
    r->finished = true; /* a client that reads slowly may still want the rest */
    if (!r->s)
        exec_run_free(r);
}

static void on_closed(uv_handle_t *h)
{
    struct exec_run *r = h->data;
    if (--r->handles == 0)
        finish(r);
}

static void on_pipe_closed(uv_handle_t *h)
{
    struct pipe_end *p = h->data;
    if (--p->run->handles == 0)
        finish(p->run);
}

static void close_end(struct pipe_end *p)
{
    if (!p->open)
        return;
    p->open = false;
    uv_close((uv_handle_t *)&p->pipe, on_pipe_closed);
}

static void end_all(struct exec_run *r)
{
    if (r->ending)
        return;
    r->ending = true;
    close_end(&r->in);
    close_end(&r->out);
    close_end(&r->err);
    console_free(TAKE(r->console));
    uv_close((uv_handle_t *)&r->watch, on_closed);
    uv_close((uv_handle_t *)&r->drain, on_closed);
}

static void on_drain_over(uv_timer_t *t)
{
    struct exec_run *r = t->data;
    if (r->paused)
        uv_timer_start(t, on_drain_over, DRAIN_MS, 0); /* the client still takes what there is */
    else
        end_all(r);
}

/* The process has ended and its output too; what it left in the background may hold the pipes for
 * ever. */
static void maybe_over(struct exec_run *r)
{
    if (!r->child_ended || r->ending)
        return;
    if (!r->out.open && !r->err.open)
        end_all(r);
    else
        uv_timer_start(&r->drain, on_drain_over, DRAIN_MS, 0);
}

/* ---- output ---- */

static void on_alloc(uv_handle_t *h, size_t suggested, uv_buf_t *ret)
{
    static char room[READ_SIZE]; /* used up before the next call */
    (void)h, (void)suggested;
    *ret = uv_buf_init(room, sizeof room);
}

static void on_read(uv_stream_t *h, ssize_t n, const uv_buf_t *b);

static void set_paused(struct exec_run *r, bool paused)
{
    struct pipe_end *const both[] = {&r->out, &r->err};
    r->paused = paused;
    for (int i = 0; i < 2; i++) {
        if (!both[i]->open)
            continue;
        if (paused)
            uv_read_stop((uv_stream_t *)&both[i]->pipe);
        else
            uv_read_start((uv_stream_t *)&both[i]->pipe, on_alloc, on_read);
    }
}

static void on_read(uv_stream_t *h, ssize_t n, const uv_buf_t *b)
{
    struct pipe_end *p = h->data;
    struct exec_run *r = p->run;
    if (n > 0 && r->s && !stream_give(r->s, p->fd, b->base, (size_t)n) && r->s)
        set_paused(r, true);
    if (n < 0) { /* a terminal ends with EIO */
        close_end(p);
        maybe_over(r);
    }
}

static int open_end(struct exec_run *r, struct pipe_end *p, int fd, enum stream_fd as,
                    struct err *e)
{
    p->run = r;
    p->fd = as;
    p->pipe.data = p;
    uv_pipe_init(r->c->rt->loop, &p->pipe, 0); /* cannot fail */
    p->open = true;
    r->handles++;
    int u = uv_pipe_open(&p->pipe, fd);
    if (u != 0) {
        close(fd);
        return err_sys(e, -u, "cannot open the exec's stream");
    }
    return 0;
}

/* ---- as a stream's owner ---- */

struct input {
    uv_write_t write;
    struct exec_run *run;
    size_t n;
    char bytes[];
};

static void on_written(uv_write_t *w, int status)
{
    struct input *i = w->data;
    struct exec_run *r = i->run;
    (void)status; /* a process that does not read its input may end first */
    r->input_queued -= i->n;
    if (r->input_ends && r->input_queued == 0 && !r->x->config->tty)
        close_end(&r->in);
    free(i);
}

static void exec_input(void *owner, struct stream *s, const void *p, size_t n)
{
    struct exec_run *r = owner;
    struct pipe_end *to = r->x->config->tty ? &r->out : &r->in;
    if (!to->open || r->input_ends || !r->x->config->attach_stdin)
        return;
    if (r->input_queued + n > EXEC_INPUT_MAX) {
        log_warn("exec %.12s: a client that sends more than is read was dropped", r->x->pub.id);
        stream_drop(s);
        return;
    }
    struct input *i = mem_new(sizeof(*i) + n);
    i->run = r;
    i->n = n;
    memcpy(i->bytes, p, n);
    i->write.data = i;
    uv_buf_t b = uv_buf_init(i->bytes, (unsigned)n);
    r->input_queued += n;
    int u = uv_write(&i->write, (uv_stream_t *)&to->pipe, &b, 1, on_written);
    if (u != 0)
        on_written(&i->write, u);
}

static void exec_input_end(void *owner, struct stream *s)
{
    struct exec_run *r = owner;
    (void)s;
    r->input_ends = true;
    if (r->input_queued == 0 && !r->x->config->tty)
        close_end(&r->in);
}

static size_t exec_input_queued(void *owner)
{
    const struct exec_run *r = owner;
    return r->input_queued;
}

void exec_run_resize(struct exec_run *r, unsigned rows, unsigned cols)
{
    struct winsize w = {.ws_row = (unsigned short)rows, .ws_col = (unsigned short)cols};
    uv_os_fd_t fd;
    if (r->x->config->tty && r->out.open && rows > 0 &&
        uv_fileno((uv_handle_t *)&r->out.pipe, &fd) == 0)
        ioctl(fd, TIOCSWINSZ, &w); /* a terminal that has just gone needs no size */
}

static void exec_resize(void *owner, unsigned rows, unsigned cols)
{
    exec_run_resize(owner, rows, cols);
}

static void exec_drained(void *owner, struct stream *s)
{
    struct exec_run *r = owner;
    (void)s;
    if (r->paused)
        set_paused(r, false);
}

static void exec_gone(void *owner, struct stream *s)
{
    struct exec_run *r = owner;
    (void)s;
    r->s = NULL;
    if (r->finished) {
        exec_run_free(r);
        return;
    }
    r->input_ends = true;
    close_end(&r->in);
    if (r->paused)
        set_paused(r, false); /* read and thrown away from now on */
}

static const struct stream_owner exec_owner = {
    .input = exec_input,
    .input_end = exec_input_end,
    .input_queued = exec_input_queued,
    .resize = exec_resize,
    .drained = exec_drained,
    .gone = exec_gone,
};

/* ---- the start ---- */

static void on_child(void *data, const struct child_result *res)
{
    struct exec_run *r = data;
    r->child = NULL;
    r->child_ended = true;
    r->status = res->signal ? 128 + res->signal : res->status;
    if (r->abandoned)
        return;
    check_started(r);
    if (!r->told) {
        AUTO_FREE char *why = exec_read_log(r->dir);
        int code;
        exec_error(r->c->rt, r->x->config->cmd[0], why, &r->error, &code);
        r->result = -EIO;
        end_all(r);
        return;
    }
    maybe_over(r);
}

static void on_dir_changed(uv_fs_event_t *h, const char *name, int events, int status)
{
    struct exec_run *r = h->data;
    (void)name, (void)events, (void)status;
    if (!r->ending)
        check_started(r);
}

static void on_terminal(void *arg, int fd)
{
    struct exec_run *r = arg;
    const struct exec_config *x = r->x->config;
    if (r->ending || open_end(r, &r->out, fd, STREAM_STDOUT, &r->error) != 0) {
        if (r->ending)
            close(fd);
        return;
    }
    exec_run_resize(r, x->rows, x->cols);
    set_paused(r, false);
}

static int write_process(struct exec_run *r, struct err *e)
{
    struct ct *c = r->c;
    const struct exec_config *x = r->x->config;
    struct user_ids user;
    struct spec_input in;
    AUTO_BUF struct buf b = BUF_INIT(SPEC_MAX);
    AUTO_FREE char *hostname = bundle_hostname(c);
    AUTO_FREE char *path = mem_printf("%s/process.json", r->dir);
    AUTO_CLOSE int root = rootfs_open(c->rootfs, e);
    if (root < 0)
        return root;
    if (!str_empty(x->workdir) && x->workdir[0] != '/')
        return err_set(
            e, -EINVAL,
            "OCI runtime exec failed: exec failed: Cwd must be an absolute path: unknown");
    int u = bundle_find_user(c, root, str_empty(x->user) ? c->config->user : x->user, &user, e);
    if (u != 0)
        return u;
    bundle_spec_input(c, hostname, &in);
    in.user = &user;
    spec_write_exec(&in, x, str_or(x->workdir, c->config->workdir), &b);
    user_ids_done(&user);
    if (b.failed)
        return err_set(e, -E2BIG, "the exec's command is too large");
    return file_replace(path, b.p, b.len, 0600, e);
}

static char **exec_argv(const struct exec_run *r, const char *socket)
{
    AUTO_FREE char *log = mem_printf("--log=%s/log", r->dir);
    AUTO_FREE char *pid = mem_printf("%s/pid", r->dir);
    AUTO_FREE char *process = mem_printf("%s/process.json", r->dir);
    const char *args[16];
    size_t n = 0;
    args[n++] = log;
    args[n++] = "--log-format=json";
    args[n++] = "exec";
    if (socket) {
        args[n++] = "--tty";
        args[n++] = "--console-socket";
        args[n++] = socket;
    }
    args[n++] = "--pid-file";
    args[n++] = pid;
    args[n++] = "--process";
    args[n++] = process;
    args[n++] = r->c->pub.id;
    args[n] = NULL;
    return tools_oci_argv(r->c->rt, args);
}

/* One pipe between us and the child; *ret_theirs is its end. */
static int make_pipe(struct exec_run *r, struct pipe_end *p, enum stream_fd as, bool input,
                     int *ret_theirs, struct err *e)
{
    int fds[2];
    if (pipe2(fds, O_CLOEXEC) != 0)
        return err_sys(e, errno, "cannot make a pipe");
    *ret_theirs = fds[input ? 0 : 1];
    return open_end(r, p, fds[input ? 1 : 0], as, e);
}

static int make_pipes(struct exec_run *r, int theirs[3], struct err *e)
{
    const struct exec_config *x = r->x->config;
    int ret = 0;
    if (x->tty || !r->s)
        return 0;
    if (x->attach_stdin)
        ret = make_pipe(r, &r->in, STREAM_STDOUT, true, &theirs[0], e);
    if (ret == 0 && x->attach_stdout)
        ret = make_pipe(r, &r->out, STREAM_STDOUT, false, &theirs[1], e);
    if (ret == 0 && x->attach_stderr)
        ret = make_pipe(r, &r->err, STREAM_STDERR, false, &theirs[2], e);
    return ret;
}

static int start_child(struct exec_run *r, const int theirs[3], struct err *e)
{
    struct runtime *rt = r->c->rt;
    AUTO_FREE char *socket = NULL;
    int ret = 0;
    if (r->x->config->tty) {
        socket = mem_printf("%s/tty-%.16s", rt->exec_root, r->x->pub.id);
        ret = console_listen(rt->loop, socket, on_terminal, r, &r->console, e);
    }
    if (ret != 0)
        return ret;
    AUTO_STRV char **argv = exec_argv(r, socket);
    struct child_spec spec = {
        .argv = (const char *const *)argv,
        .in = {.from = theirs[0] >= 0 ? CHILD_FD : CHILD_NULL, .fd = theirs[0]},
        .out = {.to = theirs[1] >= 0 ? CHILD_FD : CHILD_NULL, .fd = theirs[1]},
        .err = {.to = theirs[2] >= 0 ? CHILD_FD : CHILD_NULL, .fd = theirs[2]},
        .new_session = true,
        .on_exit = on_child,
        .data = r,
    };
    return child_start(rt->loop, &spec, &r->child, e);
}

static void exec_op_run(struct op *op)
{
    struct exec_run *r = op->exec;
    int theirs[3] = {-1, -1, -1};
    int ret = 0;
    if (r->c->pub.state != CONTAINER_RUNNING)
        ret = err_set(&r->error, RUNTIME_CONFLICT, "Container %s is not running", r->c->pub.id);
    if (ret == 0 && mkdir(r->dir, 0700) != 0)
        ret = err_sys(&r->error, errno, "cannot make %s", r->dir);
    if (ret == 0)
        ret = write_process(r, &r->error);
    if (ret == 0 && (ret = uv_fs_event_start(&r->watch, on_dir_changed, r->dir, 0)) != 0)
        ret = err_sys(&r->error, -ret, "cannot watch %s", r->dir);
    if (ret == 0)
        ret = make_pipes(r, theirs, &r->error);
    if (ret == 0)
        ret = start_child(r, theirs, &r->error);
    for (int i = 0; i < 3; i++)
        if (theirs[i] >= 0)
            close(theirs[i]);
    if (ret == 0) {
        set_paused(r, false);
        return;
    }
    r->result = ret;
    r->child_ended = true;
    end_all(r);
}

/* The operation is withdrawn before it began: the container has gone. */
static void on_withdrawn(void *arg, int result, const struct err *e, struct container *c)
{
    struct exec_run *r = arg;
    (void)c;
    if (r->told || !r->op)
        return;
    r->op = NULL;
    r->error = *e;
    r->result = result;
    r->child_ended = true;
    end_all(r);
}

void exec_run_start(struct ex *x, const struct stream_sink *sink,
                    void (*on_started)(void *arg, int r, const struct err *e, struct stream *s),
                    void *arg)
{
    struct ct *c = ct_of(x->pub.container);
    struct exec_run *r = NEW(struct exec_run);
    r->x = x;
    r->c = ct_hold(c);
    r->on_started = on_started;
    r->arg = arg;
    r->dir = mem_printf("%s/exec-%.16s", c->exec_dir, x->pub.id);
    uv_fs_event_init(c->rt->loop, &r->watch); /* these two cannot fail */
    uv_timer_init(c->rt->loop, &r->drain);
    r->watch.data = r->drain.data = r;
    r->handles = 2;
    if (sink) {
        r->s = stream_new(sink, &exec_owner, r);
        r->s->held = true;
    }
    x->run = r;
    r->op = op_new(c, exec_op_run, on_withdrawn, r);
    r->op->exec = r;
    r->op->shared = true;
    op_queue(r->op, false);
}

/* The daemon stops: the process goes on without us. */
void exec_run_abandon(struct exec_run *r)
{
    r->abandoned = true;
    if (r->s)
        stream_drop(r->s);
    child_abandon(TAKE(r->child));
    end_all(r);
}
