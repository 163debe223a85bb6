/* runtime/hub.c - attach: one connection to conmon for all clients of a container.
 *
 * conmon stops the container when an attached reader does not read, so this always reads. A client
 * that is slow for a moment slows the container down; one that takes nothing for HUB_STALL_MS while
 * its buffer is full is dropped. */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/log.h"
#include "base/mem.h"
#include "runtime/internal.h"

enum {
    HUB_PACKET = 8192 + 1, /* conmon's: a byte that names the stream, and output */
    HUB_INPUT_PACKET = 8192,
    HUB_INPUT_MAX = 8 << 20,
    HUB_READS = 64, /* packets in one turn of the loop */
    HUB_STALL_MS = 2000,
    CONMON_STDERR = 3,
};

struct hub {
    struct ct *c;
    uv_poll_t poll;
    uv_timer_t stall;
    int fd, handles;
    struct buf input;
    bool paused, input_ends, input_ended;
};

/* ---- life ---- */

static void on_closed(uv_handle_t *handle)
{
    struct hub *h = handle->data;
    if (--h->handles > 0)
        return;
    close(h->fd);
    buf_free(&h->input);
    free(h);
}

static void hub_disconnect(struct ct *c)
{
    struct hub *h = TAKE(c->hub);
    if (!h)
        return;
    uv_close((uv_handle_t *)&h->poll, on_closed);
    uv_close((uv_handle_t *)&h->stall, on_closed);
}

void hub_close(struct ct *c)
{
    struct stream_list ending;
    hub_disconnect(c);
    TAILQ_INIT(&ending);
    /* Each leaves the list when its last output was taken; none may be visited twice. */
    for (struct stream *s = TAILQ_FIRST(&c->streams), *next; s; s = next) {
        next = TAILQ_NEXT(s, link);
        if (c->rt->closing)
            stream_drop(s);
        else
            stream_end(s);
    }
}

static void update(struct hub *h);

static void on_stalled(uv_timer_t *t)
{
    struct hub *h = t->data;
    struct ct *c = h->c;
    h->paused = false;
    for (struct stream *s = TAILQ_FIRST(&c->streams), *next; s; s = next) {
        next = TAILQ_NEXT(s, link);
        if (s->queued < RUNTIME_SINK_MAX)
            continue;
        log_warn("container %.12s: an attached client that does not read was dropped", c->pub.id);
        stream_drop(s);
    }
    if (c->hub == h)
        update(h);
}

/* ---- output ---- */

static void give_all(struct hub *h, enum stream_fd fd, const char *p, size_t n)
{
    struct ct *c = h->c;
    for (struct stream *s = TAILQ_FIRST(&c->streams), *next; s; s = next) {
        next = TAILQ_NEXT(s, link);
        if (stream_give(s, fd, p, n) || c->hub != h)
            continue;
        if (!h->paused)
            uv_timer_start(&h->stall, on_stalled, HUB_STALL_MS, 0);
        h->paused = true;
    }
}

/* false when the connection is over. */
static bool read_some(struct hub *h)
{
    static char packet[HUB_PACKET];
    struct ct *c = h->c;
    for (int i = 0; i < HUB_READS && !h->paused; i++) {
        ssize_t n = recv(h->fd, packet, sizeof packet, MSG_DONTWAIT);
        if (n < 0)
            return errno == EAGAIN || errno == EINTR;
        if (n == 0)
            return false;
        if (n > 1)
            give_all(h, packet[0] == CONMON_STDERR ? STREAM_STDERR : STREAM_STDOUT, packet + 1,
                     (size_t)n - 1);
        if (c->hub != h)
            return true; /* closed by a client's callback: nothing of h may be used */
    }
    return true;
}

/* ---- input ---- */

static bool write_some(struct hub *h)
{
    while (h->input.len > 0) {
        size_t n = h->input.len < HUB_INPUT_PACKET ? h->input.len : HUB_INPUT_PACKET;
        ssize_t m = send(h->fd, h->input.p, n, MSG_DONTWAIT | MSG_NOSIGNAL);
        if (m < 0)
            return errno == EAGAIN || errno == EINTR;
        buf_consume(&h->input, (size_t)m);
    }
    if (h->input_ends && !h->input_ended) {
        h->input_ended = true;
        shutdown(h->fd, SHUT_WR);
    }
    return true;
}

static void on_ready(uv_poll_t *p, int status, int events)
{
    struct hub *h = p->data;
    struct ct *c = h->c;
    bool alive = status == 0 || status == UV_EBADF;
    if (alive && (events & UV_WRITABLE))
        alive = write_some(h);
    if (alive && (events & UV_READABLE))
        alive = read_some(h);
    if (c->hub != h)
        return;
    if (!alive)
        hub_close(c);
    else
        update(h);
}

static void update(struct hub *h)
{
    int events = (h->paused ? 0 : UV_READABLE) | (h->input.len > 0 ? UV_WRITABLE : 0);
    if (events)
        uv_poll_start(&h->poll, events, on_ready);
    else
        uv_poll_stop(&h->poll);
}

/* ---- connecting ---- */

static int hub_connect(struct ct *c)
{
    struct sockaddr_un a = {.sun_family = AF_UNIX};
    AUTO_CLOSE int dir = open(c->exec_dir, O_PATH | O_DIRECTORY | O_CLOEXEC);
    AUTO_CLOSE int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (dir < 0 || fd < 0)
        return -errno;
    /* By way of the directory's descriptor: the real path may be longer than a socket's address. */
    snprintf(a.sun_path, sizeof a.sun_path, "/proc/self/fd/%d/attach", dir);
    if (connect(fd, (struct sockaddr *)&a, sizeof a) != 0)
        return -errno;
    struct hub *h = NEW(struct hub);
    h->c = c;
    h->fd = TAKE_FD(fd);
    h->input = BUF_INIT(HUB_INPUT_MAX);
    h->poll.data = h->stall.data = h;
    h->handles = 2;
    uv_timer_init(c->rt->loop, &h->stall);
    int r = uv_poll_init(c->rt->loop, &h->poll, h->fd);
    if (r != 0) {
        h->handles = 1;
        uv_close((uv_handle_t *)&h->stall, on_closed);
        return r;
    }
    c->hub = h;
    buf_append(&h->input, c->early.p ? c->early.p : "",
               c->early.len); /* what clients sent before the start */
    h->input_ends = c->early_end;
    buf_free(&c->early);
    c->early_end = false;
    if (h->input.len > 0 || h->input_ends)
        write_some(h);
    update(h);
    return 0;
}

void hub_open(struct ct *c)
{
    if (TAILQ_EMPTY(&c->streams))
        return;
    hub_disconnect(c);
    int r = hub_connect(c);
    if (r != 0) {
        log_warn("container %.12s: cannot attach: %s", c->pub.id, strerror(-r));
        hub_close(c);
    }
}

/* ---- as a stream's owner ---- */

static void hub_input(void *owner, struct stream *s, const void *p, size_t n)
{
    struct ct *c = owner;
    struct hub *h = c->hub;
    struct buf *to = h ? &h->input : &c->early;
    if (!c->config->open_stdin || (h ? h->input_ends : c->early_end))
        return;
    to->max = HUB_INPUT_MAX;
    buf_append(to, p, n);
    if (to->failed) {
        log_warn("container %.12s: an attached client that sends more than is read was dropped",
                 c->pub.id);
        buf_clear(to);
        stream_drop(s);
        return;
    }
    if (h && write_some(h))
        update(h);
}

static void hub_input_end(void *owner, struct stream *s)
{
    struct ct *c = owner;
    struct hub *h = c->hub;
    (void)s;
    if (!c->config->stdin_once || c->config->tty)
        return;
    if (!h) {
        c->early_end = true;
        return;
    }
    h->input_ends = true;
    if (write_some(h))
        update(h);
}

static size_t hub_input_queued(void *owner)
{
    struct ct *c = owner;
    return c->hub ? c->hub->input.len : c->early.len;
}

static void hub_resize(void *owner, unsigned rows, unsigned cols)
{
    struct ct *c = owner;
    struct err e;
    if (runtime_resize(c->rt, &c->pub, rows, cols, &e) != 0)
        log_debug("%s", err_text(&e));
}

static void hub_drained(void *owner, struct stream *s)
{
    struct ct *c = owner;
    struct hub *h = c->hub;
    struct stream *other;
    (void)s;
    if (!h || !h->paused)
        return;
    TAILQ_FOREACH(other, &c->streams, link)
    if (other->queued >= RUNTIME_SINK_MAX)
        return;
    uv_timer_stop(&h->stall);
    h->paused = false;
    update(h);
}

static void hub_gone(void *owner, struct stream *s)
{
    struct ct *c = owner;
    TAILQ_REMOVE(&c->streams, s, link);
    if (TAILQ_EMPTY(&c->streams)) {
        hub_disconnect(c); /* nobody reads any more: conmon need not copy */
        buf_free(&c->early);
        c->early_end = false;
    } else {
        hub_drained(owner, s);
    }
    ct_put(c);
}

static const struct stream_owner hub_owner = {
    .input = hub_input,
    .input_end = hub_input_end,
    .input_queued = hub_input_queued,
    .resize = hub_resize,
    .drained = hub_drained,
    .gone = hub_gone,
};

int runtime_attach(struct runtime *rt, struct container *pub, const struct stream_sink *sink,
                   struct stream **ret, struct err *e)
{
    struct ct *c = ct_of(pub);
    int r = 0;
    (void)rt;
    if (c->pub.state == CONTAINER_PAUSED)
        return err_set(e, RUNTIME_CONFLICT, "Container %s is paused. Unpause the container first",
                       c->config->name);
    if (c->pub.state == CONTAINER_REMOVING || c->pub.state == CONTAINER_DEAD)
        return err_set(e, RUNTIME_CONFLICT, "container is marked for removal");
    if (!c->hub && c->pub.state == CONTAINER_RUNNING)
        r = hub_connect(c);
    if (r != 0)
        return err_sys(e, -r, "cannot attach to container %s", c->pub.id);
    struct stream *s = stream_new(sink, &hub_owner, ct_hold(c));
    TAILQ_INSERT_TAIL(&c->streams, s, link);
    rt_emit_simple(c, "attach");
    *ret = s;
    return 0;
}

int runtime_resize(struct runtime *rt, struct container *pub, unsigned rows, unsigned cols,
                   struct err *e)
{
    struct ct *c = ct_of(pub);
    char line[48];
    (void)rt;
    if (!ct_running(c))
        return err_set(e, RUNTIME_CONFLICT, "Container %s is not running", c->pub.id);
    if (rows > 65535 || cols > 65535)
        return err_set(e, RUNTIME_BAD_REQUEST, "a terminal of %u lines and %u columns cannot be",
                       rows, cols);
    if (!c->config->tty)
        return 0;
    AUTO_FREE char *path = mem_printf("%s/ctl", c->exec_dir);
    AUTO_CLOSE int fd = open(path, O_WRONLY | O_NONBLOCK | O_CLOEXEC | O_NOFOLLOW);
    int n = snprintf(line, sizeof line, "1 %u %u\n", rows, cols);
    if (fd < 0 || write(fd, line, (size_t)n) != n)
        return err_sys(e, errno, "cannot resize the terminal of %s", c->pub.id);
    rt_emit_simple(c, "resize");
    return 0;
}
