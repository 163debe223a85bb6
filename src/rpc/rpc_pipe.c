/* rpc/rpc_pipe.c - libuv's side of a session. */
#include "rpc/rpc_pipe.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/socket.h>

#include "base/mem.h"
#include "base/secret.h"

enum {
    PIECES = 64,
    SOCKET_BUFFER = 1 << 20,
    TURN_MAX =
        4 << 20, /* bytes sent in one turn of the loop, so that one stream leaves time to others */
};

uint8_t *rpc_read_buffer_new(void)
{
    size_t used = 0, total = 0;
    secret_arena_stats(&used, &total);
    uint8_t *p = total - used > 4 * (size_t)RPC_READ_SIZE ? secret_alloc(RPC_READ_SIZE) : NULL;
    return p ? p : mem_new(RPC_READ_SIZE);
}

void rpc_read_buffer_free(uint8_t *p)
{
    if (p && secret_owns(p))
        secret_free(p);
    else
        free(p);
}

static void on_handle_closed(uv_handle_t *h)
{
    struct rpc_pipe *p = h->data;
    if (--p->handles == 0)
        p->ops->on_gone(p);
}

void rpc_pipe_close(struct rpc_pipe *p)
{
    if (p->closing)
        return;
    p->closing = true;
    uv_close((uv_handle_t *)&p->handle, on_handle_closed);
    uv_close((uv_handle_t *)&p->prepare, on_handle_closed);
}

static void broken(struct rpc_pipe *p, const char *why)
{
    if (p->closing)
        return;
    rpc_pipe_close(p);
    p->ops->on_broken(p, why);
}

/* ---- writing ---- */
static void on_written(uv_write_t *w, int status)
{
    struct rpc_pipe *p = w->data;
    p->writing = false;
    if (status < 0) {
        broken(p, uv_strerror(status));
        return;
    }
    rpc_out_consume(rpc_session_out(p->session), p->write_len);
    if (!p->closing)
        rpc_pipe_flush(p);
}

/* The socket is full: libuv writes the rest when it can, from the same memory. */
static int write_later(struct rpc_pipe *p, uv_buf_t *bufs, unsigned n)
{
    p->write_len = 0;
    for (unsigned i = 0; i < n; i++)
        p->write_len += bufs[i].len;
    p->write.data = p;
    int r = uv_write(&p->write, (uv_stream_t *)&p->handle, bufs, n, on_written);
    p->writing = r == 0;
    return r;
}

void rpc_pipe_flush(struct rpc_pipe *p)
{
    struct err e = {0};
    uv_buf_t bufs[PIECES];
    size_t sent = 0;
    int r = 0;
    if (!p->up || p->writing || p->closing)
        return;
    while (!r && !p->writing) {
        if (rpc_session_pump(p->session, &e)) {
            broken(p, e.text);
            return;
        }
        struct rpc_out *out = rpc_session_out(p->session);
        unsigned n = rpc_out_pieces(out, bufs, PIECES);
        if (!n)
            break;
        r = sent > TURN_MAX ? UV_EAGAIN : uv_try_write((uv_stream_t *)&p->handle, bufs, n);
        if (r > 0) {
            sent += (size_t)r;
            rpc_out_consume(out, (size_t)r);
            r = 0;
        } else if (r == UV_EAGAIN) {
            r = write_later(p, bufs, n);
        }
    }
    if (r < 0)
        broken(p, uv_strerror(r));
    else if (!p->writing && rpc_session_over(p->session))
        broken(p, "the connection is finished");
}

static void on_prepare(uv_prepare_t *h)
{
    struct rpc_pipe *p = h->data;
    uv_prepare_stop(h);
    rpc_pipe_flush(p);
}

void rpc_pipe_dirty(struct rpc_pipe *p)
{
    if (p->up && !p->closing && !p->writing && !uv_is_active((uv_handle_t *)&p->prepare))
        uv_prepare_start(&p->prepare, on_prepare);
}

/* ---- reading ---- */
static void on_alloc(uv_handle_t *h, size_t suggested, uv_buf_t *buf)
{
    struct rpc_pipe *p = h->data;
    (void)suggested;
    *buf = uv_buf_init((char *)p->read_buffer, RPC_READ_SIZE);
}

static void on_read(uv_stream_t *stream, ssize_t n, const uv_buf_t *buf)
{
    struct rpc_pipe *p = stream->data;
    struct err e = {0};
    if (n == 0 || p->closing)
        return;
    if (n < 0) {
        broken(p, n == UV_EOF ? "the other side closed it" : uv_strerror((int)n));
        return;
    }
    int r = rpc_session_feed(p->session, (const uint8_t *)buf->base, (size_t)n, &e);
    secret_wipe(buf->base, (size_t)n);
    if (r)
        broken(p, e.text);
    else
        rpc_pipe_dirty(p);
}

int rpc_pipe_start(struct rpc_pipe *p)
{
    int size = SOCKET_BUFFER;
    uv_send_buffer_size((uv_handle_t *)&p->handle, &size); /* as far as the system allows */
    p->up = true;
    int r = uv_read_start((uv_stream_t *)&p->handle, on_alloc, on_read);
    if (!r)
        rpc_pipe_dirty(p);
    return r;
}

/* ---- beginning ---- */
/* libuv writes without MSG_NOSIGNAL: a peer that has gone must not kill the process. */
static void no_sigpipe(void)
{
    struct sigaction now;
    if (sigaction(SIGPIPE, NULL, &now) == 0 && now.sa_handler == SIG_DFL)
        signal(SIGPIPE, SIG_IGN);
}

int rpc_pipe_init(struct rpc_pipe *p, uv_loop_t *loop, bool server,
                  const struct rpc_session_ops *sops, const struct rpc_pipe_ops *ops,
                  uint8_t *read_buffer)
{
    no_sigpipe();
    p->ops = ops;
    p->read_buffer = read_buffer;
    int r = rpc_session_new(server, sops, p, &p->session);
    if (!r)
        r = uv_pipe_init(loop, &p->handle, 0);
    if (r) {
        rpc_session_free(p->session);
        return r;
    }
    uv_prepare_init(loop, &p->prepare); /* cannot fail */
    p->handle.data = p->prepare.data = p;
    p->handles = 2;
    return 0;
}

static void on_connected(uv_connect_t *req, int status)
{
    struct rpc_pipe *p = req->data;
    if (p->closing)
        return;
    int r = status < 0 ? status : rpc_pipe_start(p);
    if (r < 0)
        broken(p, uv_strerror(r));
}

void rpc_pipe_connect(struct rpc_pipe *p, const char *path)
{
    p->connecting.data = p;
    uv_pipe_connect(&p->connecting, &p->handle, path, on_connected);
}

int rpc_pipe_accept(struct rpc_pipe *p, uv_stream_t *listener)
{
    return uv_accept(listener, (uv_stream_t *)&p->handle);
}

int rpc_pipe_peer(const struct rpc_pipe *p, struct rpc_peer *ret)
{
    struct ucred cred;
    socklen_t len = sizeof(cred);
    uv_os_fd_t fd;
    int r = uv_fileno((const uv_handle_t *)&p->handle, &fd);
    if (r)
        return r;
    if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &cred, &len))
        return -errno;
    *ret = (struct rpc_peer){.uid = cred.uid, .gid = cred.gid, .pid = cred.pid};
    return 0;
}
