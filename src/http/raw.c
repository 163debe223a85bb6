/* http/raw.c - a connection that was taken over: raw bytes both ways until one side closes.
 *
 * The client closing its sending half is told by on_bytes with n 0 and ends nothing. The socket
 * belongs to the library until it is told to close it. */
#include "http/internal.h"

#include <stdlib.h>
#include <errno.h>
#include <string.h>
#include <sys/socket.h>

enum { RAW_READ = 64 << 10 };

struct http_raw {
    struct http_conn *conn; /* NULL once closed */
    struct http_server *s;
    struct MHD_UpgradeResponseHandle *urh;
    int fd;
    uv_poll_t poll;
    struct http_raw_callbacks cb;
    char *out; /* off..len wait */
    size_t off, len, cap;
    bool paused, ended /* the client's half */, closing, closed, was_queued;
};

static void on_ready(uv_poll_t *p, int status, int events);

static void update_poll(struct http_raw *raw)
{
    int events = 0;
    if (raw->closed)
        return;
    if (!raw->paused && !raw->ended)
        events |= UV_READABLE;
    if (raw->len > raw->off)
        events |= UV_WRITABLE;
    if (events)
        uv_poll_start(&raw->poll, events, on_ready);
    else
        uv_poll_stop(&raw->poll);
}

static void on_poll_closed(uv_handle_t *h)
{
    struct http_raw *raw = h->data;
    if (raw->cb.on_closed)
        raw->cb.on_closed(raw->cb.arg);
    free(raw->out);
    free(raw);
}

static void raw_end(struct http_raw *raw)
{
    if (raw->closed)
        return;
    raw->closed = true;
    uv_poll_stop(&raw->poll);
    shutdown(raw->fd, SHUT_WR);
    if (raw->conn)
        raw->conn->raw = NULL;
    raw->conn = NULL;
    MHD_upgrade_action(raw->urh, MHD_UPGRADE_ACTION_CLOSE);
    http_server_kick(raw->s);
    uv_close((uv_handle_t *)&raw->poll, on_poll_closed);
}

void http_raw_lost(struct http_raw *raw)
{
    raw_end(raw);
}

static void flush(struct http_raw *raw)
{
    while (raw->len > raw->off) {
        ssize_t n =
            send(raw->fd, raw->out + raw->off, raw->len - raw->off, MSG_NOSIGNAL | MSG_DONTWAIT);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0 && errno == EAGAIN)
            return;
        if (n < 0) {
            raw_end(raw);
            return;
        }
        raw->off += (size_t)n;
    }
    raw->off = raw->len = 0;
}

static void read_some(struct http_raw *raw)
{
    char piece[RAW_READ];
    ssize_t n = recv(raw->fd, piece, sizeof(piece), MSG_DONTWAIT);
    if (n < 0 && (errno == EAGAIN || errno == EINTR))
        return;
    if (n < 0) {
        raw_end(raw);
        return;
    }
    if (n == 0)
        raw->ended = true;
    raw->cb.on_bytes(raw->cb.arg, piece, (size_t)n);
}

static void on_ready(uv_poll_t *p, int status, int events)
{
    struct http_raw *raw = p->data;
    if (status < 0)
        events = UV_READABLE;
    if (events & UV_WRITABLE) {
        flush(raw);
        if (!raw->closed && raw->len == 0 && raw->closing)
            raw_end(raw);
        else if (!raw->closed && raw->len == 0 && raw->was_queued) {
            raw->was_queued = false;
            if (raw->cb.on_drain)
                raw->cb.on_drain(raw->cb.arg);
        }
    }
    if (!raw->closed && (events & UV_READABLE) && !raw->paused && !raw->ended)
        read_some(raw);
    update_poll(raw);
}

void http_raw_open(struct http_conn *conn, const struct http_raw_callbacks *cb, const void *extra,
                   size_t nextra, int fd, struct MHD_UpgradeResponseHandle *urh)
{
    struct http_raw *raw = NEW(struct http_raw);
    *raw = (struct http_raw){.conn = conn, .s = conn->s, .urh = urh, .fd = fd, .cb = *cb};
    raw->poll.data = raw;
    if (uv_poll_init(conn->s->loop, &raw->poll, fd) !=
        0) { /* cannot be watched: as if it had closed at once */
        MHD_upgrade_action(urh, MHD_UPGRADE_ACTION_CLOSE);
        http_server_kick(conn->s);
        cb->on_closed(cb->arg);
        free(raw);
        return;
    }
    conn->raw = raw;
    raw->cb.on_open(raw->cb.arg, raw);
    if (!raw->closed && nextra > 0)
        raw->cb.on_bytes(raw->cb.arg, extra, nextra);
    if (!raw->closed && conn->gone)
        raw_end(raw);
    update_poll(raw);
}

int64_t http_raw_write(struct http_raw *raw, const void *p, size_t n)
{
    if (raw->closed || raw->closing)
        return -EPIPE;
    size_t sent = 0;
    if (raw->len == raw->off) {
        ssize_t r = send(raw->fd, p, n, MSG_NOSIGNAL | MSG_DONTWAIT);
        if (r < 0 && errno != EAGAIN && errno != EINTR) {
            raw_end(raw);
            return -EPIPE;
        }
        sent = r > 0 ? (size_t)r : 0;
    }
    if (sent == n)
        return 0;
    n -= sent;
    if (raw->off > 0 && raw->len + n > raw->cap) {
        memmove(raw->out, raw->out + raw->off, raw->len - raw->off);
        raw->len -= raw->off;
        raw->off = 0;
    }
    if (raw->len + n > raw->cap) {
        raw->cap = (raw->len + n) * 2;
        raw->out = mem_grow(raw->out, raw->cap, 1);
    }
    memcpy(raw->out + raw->len, (const char *)p + sent, n);
    raw->len += n;
    raw->was_queued = true;
    update_poll(raw);
    return (int64_t)(raw->len - raw->off);
}

void http_raw_pause(struct http_raw *raw, bool pause)
{
    raw->paused = pause;
    update_poll(raw);
}

void http_raw_close(struct http_raw *raw)
{
    raw->closing = true;
    if (raw->len == raw->off)
        raw_end(raw);
}
