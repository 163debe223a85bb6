/* loop/child.c - uv_spawn with everything closed that was not asked for.
 *
 * Life: child_start opens the handles and spawns; the child ends (on_ended) and its pipes reach
 * their end (on_read), in either order; then all handles are closed, and the last on_closed tells
 * the caller and frees. */
#include "loop/child.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "base/mem.h"
#include "loop/child_spawn.h"
#include "loop/signals.h"

enum { READ_SIZE = 65536, KNOWN_STEP = 64 };

/* One of the child's three streams, seen from here. */
struct stream {
    struct child *c;
    uv_pipe_t pipe;
    bool open;
    struct child_output want;
    struct buf text; /* what was captured, or the line so far */
    bool cut;
};

enum phase { RUNNING, ASKED_TO_STOP, ENDED, CLOSING };

struct child {
    uv_process_t process;
    uv_timer_t timer; /* the timeout, then the grace, then the drain */
    uv_write_t write;
    struct stream in, out, err;
    struct child_result result;
    uint64_t grace_ms;
    child_exit_cb *on_exit;
    void *data;
    pid_t pid;
    enum phase phase;
    bool has_process, group, paused, told_nothing;
    int handles; /* not yet closed */
};

/* --- which processes are ours: loop/subreaper.c must not reap them
 * ---------------------------------- */

static pid_t *known;
static size_t known_len, known_cap;

static void know(pid_t pid)
{
    if (known_len == known_cap)
        known = mem_grow(known, known_cap += KNOWN_STEP, sizeof(*known));
    known[known_len++] = pid;
}

static void forget(pid_t pid)
{
    for (size_t i = 0; i < known_len; i++)
        if (known[i] == pid) {
            known[i] = known[--known_len];
            break;
        }
    if (known_len == 0) {
        free(known);
        known = NULL;
        known_cap = 0;
    }
}

bool child_known(pid_t pid)
{
    for (size_t i = 0; i < known_len; i++)
        if (known[i] == pid)
            return true;
    return false;
}

/* --- the end
 * ------------------------------------------------------------------------------------------ */

static void finish(struct child *c)
{
    c->result.out = &c->out.text;
    c->result.err = &c->err.text;
    c->result.out_cut = c->out.cut;
    c->result.err_cut = c->err.cut;
    if (c->on_exit && !c->told_nothing)
        c->on_exit(c->data, &c->result);
    buf_free(&c->out.text);
    buf_free(&c->err.text);
    free(c);
}

static void on_closed(uv_handle_t *h)
{
    struct child *c = h->data;
    if (--c->handles == 0)
        finish(c);
}

static void on_pipe_closed(uv_handle_t *h)
{
    struct stream *s = h->data;
    if (--s->c->handles == 0)
        finish(s->c);
}

static void close_stream(struct stream *s)
{
    if (!s->open)
        return;
    s->open = false;
    uv_close((uv_handle_t *)&s->pipe, on_pipe_closed);
}

static void close_all(struct child *c)
{
    if (c->phase == CLOSING)
        return;
    c->phase = CLOSING;
    close_stream(&c->in);
    close_stream(&c->out);
    close_stream(&c->err);
    uv_close((uv_handle_t *)&c->timer, on_closed);
    if (c->has_process)
        uv_close((uv_handle_t *)&c->process, on_closed);
}

static void on_drained(uv_timer_t *t)
{
    close_all(t->data);
}

/* Nothing more can come once the child has ended and both pipes have too. */
static void settle(struct child *c)
{
    if (c->phase != ENDED)
        return;
    if (!c->out.open && !c->err.open)
        close_all(c);
    else if (!c->paused)
        uv_timer_start(&c->timer, on_drained, CHILD_DRAIN_MS, 0);
    else
        uv_timer_stop(&c->timer); /* who paused has not seen the end of it */
}

static void on_ended(uv_process_t *p, int64_t status, int signum)
{
    struct child *c = p->data;
    forget(c->pid);
    c->pid = 0;
    c->phase = ENDED;
    c->result.status = signum ? -1 : (int)status;
    c->result.signal = signum;
    uv_timer_stop(&c->timer);
    settle(c);
}

/* --- stopping
 * ----------------------------------------------------------------------------------------- */

void child_kill(struct child *c, int signum)
{
    if (!c->pid)
        return; /* ended: the number may be another's by now */
    kill(c->group ? -c->pid : c->pid, signum);
}

static void on_grace_over(uv_timer_t *t)
{
    child_kill(t->data, SIGKILL);
}

void child_stop(struct child *c)
{
    if (c->phase != RUNNING)
        return;
    c->phase = ASKED_TO_STOP;
    child_kill(c, SIGTERM);
    uv_timer_start(&c->timer, on_grace_over, c->grace_ms, 0);
}

static void on_timeout(uv_timer_t *t)
{
    struct child *c = t->data;
    c->result.timed_out = true;
    child_stop(c);
}

void child_abandon(struct child *c)
{
    if (!c)
        return;
    c->told_nothing = true;
    close_stream(&c->in);
    close_stream(&c->out);
    close_stream(&c->err);
    child_kill(c, SIGKILL);
    settle(c);
}

pid_t child_pid(const struct child *c)
{
    return c->pid;
}

/* --- output
 * --------------------------------------------------------------------------------------------- */

/* Appends what fits below the ceiling. */
static void keep_text(struct stream *s, const char *p, size_t n)
{
    size_t room = s->text.max - s->text.len;
    if (n > room) {
        s->cut = true;
        n = room;
    }
    buf_append(&s->text, p, n);
}

static void give_line(struct stream *s)
{
    buf_reserve(&s->text, 0); /* an empty line is a string too */
    s->want.on_line(s->c->data, s->text.p, s->text.len);
    buf_clear(&s->text);
}

static void take_lines(struct stream *s, const char *p, size_t n)
{
    while (n && !s->c->told_nothing) {
        const char *end = memchr(p, '\n', n);
        size_t len = end ? (size_t)(end - p) : n;
        keep_text(s, p, len);
        if (!end)
            return;
        give_line(s);
        p += len + 1;
        n -= len + 1;
    }
}

static void take_output(struct stream *s, const char *p, size_t n)
{
    if (s->want.to == CHILD_CHUNKS)
        s->want.on_chunk(s->c->data, p, n);
    else if (s->want.to == CHILD_LINES)
        take_lines(s, p, n);
    else
        keep_text(s, p, n);
}

static void on_alloc(uv_handle_t *h, size_t suggested, uv_buf_t *ret)
{
    static _Thread_local char room[READ_SIZE]; /* used up before the next call */
    (void)h, (void)suggested;
    *ret = uv_buf_init(room, sizeof(room));
}

static void on_read(uv_stream_t *h, ssize_t n, const uv_buf_t *b)
{
    struct stream *s = h->data;
    if (n > 0)
        take_output(s, b->base, (size_t)n);
    if (n >= 0 || !s->open)
        return;
    if (n != UV_EOF)
        s->cut = true;
    if (s->want.to == CHILD_LINES && s->text.len && !s->c->told_nothing)
        give_line(s); /* the last line may have no newline */
    close_stream(s);
    settle(s->c);
}

void child_pause(struct child *c, bool paused)
{
    struct stream *both[] = {&c->out, &c->err};
    c->paused = paused;
    for (int i = 0; i < 2; i++) {
        if (!both[i]->open)
            continue;
        if (paused)
            uv_read_stop((uv_stream_t *)&both[i]->pipe);
        else
            uv_read_start((uv_stream_t *)&both[i]->pipe, on_alloc, on_read);
    }
    settle(c);
}

static void on_written(uv_write_t *w, int status)
{
    (void)status; /* a child that closes its input early says why by its status */
    struct child *c = w->data;
    close_stream(&c->in);
}

/* --- the start
 * ------------------------------------------------------------------------------------------ */

/* Makes the pipe of one stream; *ret_theirs is the end that the child gets. */
static int open_stream(struct child *c, struct stream *s, uv_loop_t *loop, bool input,
                       int *ret_theirs, struct err *e)
{
    int fds[2];
    if (pipe2(fds, O_CLOEXEC) < 0)
        return err_sys(e, errno, "make a pipe");
    int ours = fds[input ? 1 : 0];
    *ret_theirs = fds[input ? 0 : 1];
    s->c = c;
    int r = uv_pipe_init(loop, &s->pipe, 0);
    if (r < 0) {
        close(ours);
        return err_sys(e, r, "make a pipe");
    }
    s->pipe.data = s;
    s->open = true;
    c->handles++;
    r = uv_pipe_open(&s->pipe, ours);
    if (r < 0) {
        close(ours);
        return err_sys(e, r, "make a pipe");
    }
    return 0;
}

static bool wants_pipe(enum child_io io)
{
    return io == CHILD_CAPTURE || io == CHILD_CHUNKS || io == CHILD_LINES || io == CHILD_DATA;
}

static int open_output(struct child *c, struct stream *s, uv_loop_t *loop,
                       const struct child_output *want, int *ret_theirs, struct err *e)
{
    size_t max = want->max;
    if (max == 0 && want->to == CHILD_LINES)
        max = CHILD_LINE_MAX;
    s->want = *want;
    s->text = BUF_INIT(max);
    buf_reserve(&s->text, 0);
    return wants_pipe(want->to) ? open_stream(c, s, loop, false, ret_theirs, e) : 0;
}

static void start_io(struct child *c, const struct child_spec *spec)
{
    child_pause(c, false);
    if (!c->in.open)
        return;
    signals_ignore_pipe();
    uv_buf_t b = uv_buf_init((char *)(uintptr_t)spec->in.data, (unsigned)spec->in.len);
    c->write.data = c;
    if (uv_write(&c->write, (uv_stream_t *)&c->in.pipe, &b, 1, on_written) < 0)
        close_stream(&c->in);
}

static struct child *child_new(uv_loop_t *loop, const struct child_spec *spec)
{
    struct child *c = NEW(struct child);
    c->on_exit = spec->on_exit;
    c->data = spec->data;
    c->group = spec->new_session;
    c->grace_ms = spec->grace_ms ? spec->grace_ms : CHILD_GRACE_MS;
    c->result.status = -1;
    uv_timer_init(loop, &c->timer); /* cannot fail */
    c->timer.data = c->process.data = c;
    c->handles = 1;
    return c;
}

/* Opens the pipes, spawns, and closes the child's ends again. */
static int launch(struct child *c, uv_loop_t *loop, const struct child_spec *spec, struct err *e)
{
    int theirs[3] = {-1, -1, -1};
    int r = 0;
    if (wants_pipe(spec->in.from))
        r = open_stream(c, &c->in, loop, true, &theirs[0], e);
    if (r == 0)
        r = open_output(c, &c->out, loop, &spec->out, &theirs[1], e);
    if (r == 0)
        r = open_output(c, &c->err, loop, &spec->err, &theirs[2], e);
    if (r == 0) {
        r = child_spawn(loop, &c->process, spec, theirs, on_ended, &c->has_process, e);
        c->handles += c->has_process; /* to be closed even when the start failed */
    }
    for (int i = 0; i < 3; i++)
        if (theirs[i] >= 0)
            close(theirs[i]);
    return r;
}

int child_start(uv_loop_t *loop, const struct child_spec *spec, struct child **ret, struct err *e)
{
    int r = child_spec_check(spec, e);
    if (r < 0)
        return r;
    struct child *c = child_new(loop, spec);
    r = launch(c, loop, spec, e);
    if (r < 0) {
        c->told_nothing = true;
        close_all(c);
        return err_wrap(e, r, "start '%s'", spec->argv[0]);
    }
    c->pid = c->process.pid;
    know(c->pid);
    start_io(c, spec);
    if (spec->timeout_ms)
        uv_timer_start(&c->timer, on_timeout, spec->timeout_ms, 0);
    if (ret)
        *ret = c;
    return 0;
}
