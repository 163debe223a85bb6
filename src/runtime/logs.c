/* runtime/logs.c - reading a container's log, from the end or the start, once or for as long as it
 * runs. */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/mem.h"
#include "base/str.h"
#include "runtime/internal.h"
#include "runtime/k8slog.h"

enum {
    READ_SIZE = 65536,
    TURN_READS = 16,        /* blocks in one turn of the loop */
    LINE_MAX_LEN = 1 << 20, /* of one line in the file */
    JOIN_MAX = 65536,       /* pieces are joined up to this; then they are given as they are */
    FOLLOW_POLL_MS = 1000,  /* should inotify miss something */
};

struct half { /* a line whose end has not come yet */
    struct buf text;
    int64_t time_ns;
};
struct log_reader {
    struct ct *c;
    struct log_query q;
    struct log_sink sink;
    uv_timer_t timer;
    uv_fs_event_t watch;
    struct runtime_watch *events;
    struct deferred *turn;
    int fd, handles;
    int64_t at;
    struct buf raw;
    size_t raw_used; /* bytes of raw that were given already */
    struct half half[2];
    bool full, reading, closed, container_ended, over, watching;
};

/* ---- life ---- */

static void on_closed(uv_handle_t *h)
{
    struct log_reader *l = h->data;
    if (--l->handles > 0)
        return;
    if (l->fd >= 0)
        close(l->fd);
    buf_free(&l->raw);
    buf_free(&l->half[0].text);
    buf_free(&l->half[1].text);
    ct_put(l->c);
    free(l);
}

static void reader_free(struct log_reader *l)
{
    runtime_unwatch(TAKE(l->events));
    deferred_free(TAKE(l->turn));
    uv_close((uv_handle_t *)&l->timer, on_closed);
    uv_close((uv_handle_t *)&l->watch, on_closed);
}

void log_reader_close(struct log_reader *l)
{
    l->closed = true;
    if (!l->reading)
        reader_free(l);
}

static void reader_end(struct log_reader *l)
{
    void (*on_end)(void *) = l->sink.on_end;
    void *arg = l->sink.arg;
    reader_free(l);
    on_end(arg);
}

/* ---- lines ---- */

static bool wanted(const struct log_reader *l, const struct k8slog_line *line)
{
    if (line->fd == STREAM_STDOUT ? !l->q.want_stdout : !l->q.want_stderr)
        return false;
    return (!l->q.since_ns || line->time_ns >= l->q.since_ns) &&
           (!l->q.until_ns || line->time_ns <= l->q.until_ns);
}

static void give(struct log_reader *l, enum stream_fd fd, struct half *h)
{
    if (!l->sink.on_line(l->sink.arg, fd, h->time_ns, h->text.p ? h->text.p : "", h->text.len))
        l->full = true;
    buf_clear(&h->text);
}

static void take_line(struct log_reader *l, const char *p, size_t n)
{
    struct k8slog_line line;
    if (!k8slog_parse(p, n, &line))
        return;
    if (l->q.until_ns && line.time_ns > l->q.until_ns)
        l->over = true;
    if (!wanted(l, &line))
        return;
    struct half *h = &l->half[line.fd == STREAM_STDERR];
    if (h->text.len == 0)
        h->time_ns = line.time_ns;
    buf_append(&h->text, line.text, line.n);
    if (!line.partial)
        buf_char(&h->text, '\n');
    if (!line.partial || h->text.len >= JOIN_MAX)
        give(l, line.fd, h);
}

/* Gives whole lines of what was read; stops when the sink is full. */
static void take_lines(struct log_reader *l)
{
    while (!l->full && !l->closed && !l->over) {
        char *start = l->raw.p + l->raw_used;
        size_t left = l->raw.len - l->raw_used;
        char *end = left ? memchr(start, '\n', left) : NULL;
        if (!end)
            break;
        l->raw_used += (size_t)(end - start) + 1;
        take_line(l, start, (size_t)(end - start));
    }
    if (l->raw_used == l->raw.len || l->raw_used >= READ_SIZE) {
        buf_consume(&l->raw, l->raw_used);
        l->raw_used = 0;
    }
}

/* 0 at the end of what there is, 1 when something was read, negative on error. */
static int read_block(struct log_reader *l)
{
    if (l->raw.len - l->raw_used > LINE_MAX_LEN) { /* no newline in a megabyte: not conmon's */
        buf_clear(&l->raw);
        l->raw_used = 0;
    }
    buf_reserve(&l->raw, READ_SIZE);
    if (l->raw.failed)
        return -ENOMEM;
    ssize_t n = pread(l->fd, l->raw.p + l->raw.len, READ_SIZE, l->at);
    if (n <= 0)
        return n < 0 ? -errno : 0;
    l->at += n;
    l->raw.len += (size_t)n;
    l->raw.p[l->raw.len] = '\0';
    return 1;
}

static int open_log(const struct log_reader *l)
{
    int fd = open(l->c->log_path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
    return fd >= 0 ? fd : -errno;
}

/* conmon puts a new file in the place of one that has grown to its limit. true: there is another to
 * read. */
static bool reopen(struct log_reader *l)
{
    struct stat now, was;
    bool other = l->fd < 0;
    if (!other)
        other = stat(l->c->log_path, &now) == 0 && fstat(l->fd, &was) == 0 &&
                (now.st_ino != was.st_ino || now.st_size < l->at);
    if (!other)
        return false;
    int fd = open_log(l);
    if (fd < 0)
        return false;
    if (l->fd >= 0)
        close(l->fd);
    l->fd = fd;
    l->at = 0;
    return true;
}

static void on_changed(uv_fs_event_t *h, const char *name, int events, int status)
{
    struct log_reader *l = h->data;
    (void)name, (void)events, (void)status;
    if (l->turn)
        deferred_ask(l->turn);
}

static void follow_file(struct log_reader *l)
{
    if (l->watching)
        uv_fs_event_stop(&l->watch);
    l->watching = uv_fs_event_start(&l->watch, on_changed, l->c->log_path, 0) == 0;
}

/* Nothing more to read for now. true: the reader is at its end. */
static bool at_end(struct log_reader *l)
{
    if (l->q.follow && !l->over && reopen(l)) {
        follow_file(l);
        deferred_ask(l->turn);
        return false;
    }
    if (l->q.follow && !l->over && !l->container_ended) {
        l->container_ended = !ct_running(
            l->c); /* once more round: conmon wrote its last lines before the exit was known */
        if (l->container_ended)
            deferred_ask(l->turn);
        return false;
    }
    for (int i = 0; i < 2; i++)
        if (l->half[i].text.len > 0)
            give(l, i ? STREAM_STDERR : STREAM_STDOUT, &l->half[i]);
    return true;
}

static void on_turn(void *arg)
{
    struct log_reader *l = arg;
    int r = 1;
    l->reading = true;
    for (int i = 0; i < TURN_READS && r > 0 && !l->full && !l->closed && !l->over; i++) {
        take_lines(l);
        if (!l->full && !l->closed && !l->over)
            r = l->fd < 0 ? 0 : read_block(l);
    }
    if (!l->full && !l->closed)
        take_lines(l);
    bool ended = !l->closed && !l->full && (r <= 0 || l->over) && at_end(l);
    l->reading = false;
    if (l->closed)
        reader_free(l);
    else if (ended)
        reader_end(l);
    else if (!l->full && r > 0 && !l->over)
        deferred_ask(l->turn);
}

void log_reader_resume(struct log_reader *l)
{
    l->full = false;
    if (l->turn)
        deferred_ask(l->turn);
}

/* ---- following ---- */

static void on_poll(uv_timer_t *t)
{
    struct log_reader *l = t->data;
    if (l->turn && !l->full)
        deferred_ask(l->turn);
}

static void on_event(void *arg, const struct runtime_event *ev)
{
    struct log_reader *l = arg;
    if (ev->c == &l->c->pub && l->turn &&
        (str_eq(ev->action, "die") || str_eq(ev->action, "destroy")))
        deferred_ask(l->turn);
}

static void start_following(struct log_reader *l)
{
    follow_file(l);
    uv_timer_start(&l->timer, on_poll, FOLLOW_POLL_MS, FOLLOW_POLL_MS);
    l->events = runtime_watch(l->c->rt, on_event, l);
}

int runtime_logs(struct runtime *rt, struct container *pub, const struct log_query *q,
                 const struct log_sink *sink, struct log_reader **ret, struct err *e)
{
    struct ct *c = ct_of(pub);
    struct stat st;
    if (str_eq(c->config->log_driver, "none"))
        return err_set(e, RUNTIME_BAD_REQUEST,
                       "configured logging driver does not support reading");
    struct log_reader *l = NEW(struct log_reader);
    *l = (struct log_reader){.q = *q, .sink = *sink, .handles = 2};
    l->c = ct_hold(c);
    l->raw = BUF_INIT(LINE_MAX_LEN + 2 * READ_SIZE);
    l->half[0].text = l->half[1].text = BUF_INIT(LINE_MAX_LEN + READ_SIZE);
    uv_timer_init(rt->loop, &l->timer); /* these two cannot fail */
    uv_fs_event_init(rt->loop, &l->watch);
    l->timer.data = l->watch.data = l;
    l->turn = deferred_new(rt->loop, on_turn, l);
    l->fd = open_log(l);
    if (l->fd >= 0 && q->tail >= 0 && fstat(l->fd, &st) == 0)
        l->at = k8slog_tail(l->fd, st.st_size, q->tail, q->want_stdout, q->want_stderr);
    if (l->at < 0 || (l->fd < 0 && l->fd != -ENOENT)) {
        int r =
            err_sys(e, l->at < 0 ? (int)-l->at : -l->fd, "cannot read the log of %s", c->pub.id);
        reader_free(l);
        return r;
    }
    if (q->follow)
        start_following(l);
    deferred_ask(l->turn);
    *ret = l;
    return 0;
}
