/* http/reply.c - answers: whole ones and streams. An answer is made at once and given to the
 * library at the next step of its request. */
#include "http/internal.h"

#include <stdlib.h>
#include <errno.h>
#include <string.h>

static void add_headers(struct http_request *rq, struct MHD_Response *r, const char *content_type)
{
    const struct http_server *s = rq->s;
    for (size_t i = 0; i < s->nheaders && !rq->plain; i++)
        MHD_add_response_header(r, s->headers[i].name, s->headers[i].value);
    if (content_type)
        MHD_add_response_header(r, "Content-Type", content_type);
    for (size_t i = 0; i < rq->nheaders; i++)
        MHD_add_response_header(r, rq->headers[i].name, rq->headers[i].value);
}

static void choose(struct http_request *rq, unsigned status, const char *content_type,
                   struct MHD_Response *r)
{
    if (!r) { /* a header that is none, or no memory: nothing can be said but that */
        static char text[] = "";
        r = MHD_create_response_from_buffer(0, text, MHD_RESPMEM_PERSISTENT);
        status = 500;
    }
    add_headers(rq, r, content_type);
    rq->answer = r;
    rq->status = status;
    rq->answered = true;
    if (!rq->in_handler) {
        rq->paused = false;
        if (!rq->body_done)
            rq->dropping = true;
        http_request_wake(rq);
    }
}

enum MHD_Result http_reply_queue(struct http_request *rq)
{
    enum MHD_Result r = MHD_queue_response(rq->mhd, rq->status, rq->answer);
    MHD_destroy_response(rq->answer);
    rq->answer = NULL;
    rq->queued = r == MHD_YES;
    return r;
}

void http_reply_header(struct http_request *rq, const char *name, const char *value)
{
    if (rq->nheaders < HTTP_REPLY_HEADERS_MAX)
        rq->headers[rq->nheaders++] = (struct http_header_pair){mem_str(name), mem_str(value)};
}

void http_plain(struct http_request *rq)
{
    rq->plain = true;
}

void http_reply(struct http_request *rq, unsigned status, const char *content_type,
                struct buf *body)
{
    if (rq->answered || rq->gone) {
        buf_free(body);
        return;
    }
    size_t n = body->len;
    char *p = buf_take(body);
    struct MHD_Response *r = MHD_create_response_from_buffer_with_free_callback(n, p, free);
    if (!r)
        free(p);
    choose(rq, status, content_type, r);
}

void http_reply_text(struct http_request *rq, unsigned status, const char *content_type,
                     const char *text)
{
    if (rq->answered || rq->gone)
        return;
    choose(rq, status, content_type,
           MHD_create_response_from_buffer(strlen(text), (void *)(uintptr_t)text,
                                           MHD_RESPMEM_MUST_COPY));
}

void http_reply_empty(struct http_request *rq, unsigned status)
{
    static char nothing[] = "";
    if (rq->answered || rq->gone)
        return;
    choose(rq, status, NULL, MHD_create_response_from_buffer(0, nothing, MHD_RESPMEM_PERSISTENT));
}

/* ---- streams ---- */

void http_stream_free(struct http_stream *st)
{
    free(st->p);
    st->p = NULL;
}

static ssize_t read_stream(void *arg, uint64_t pos, char *to, size_t max)
{
    struct http_request *rq = arg;
    struct http_stream *st = &rq->stream;
    (void)pos;
    if (rq->gone || (rq->conn && rq->conn->gone))
        return MHD_CONTENT_READER_END_WITH_ERROR;
    size_t n = st->len - st->off;
    if (n > 0) {
        n = n < max ? n : max;
        memcpy(to, st->p + st->off, n);
        st->off += n;
        if (st->off == st->len) {
            st->off = st->len = 0;
            st->told_drain = false;
        }
        return (ssize_t)n;
    }
    if (!st->told_drain && st->on_drain && !st->ended) {
        st->told_drain = true;
        st->on_drain(st->drain_arg, rq); /* may write more or end */
        if (st->len > st->off)
            return read_stream(arg, pos, to, max);
    }
    if (st->ended)
        return MHD_CONTENT_READER_END_OF_STREAM;
    rq->suspended = true;
    MHD_suspend_connection(rq->mhd);
    return 0;
}

void http_stream_begin(struct http_request *rq, unsigned status, const char *content_type,
                       size_t max_queue)
{
    if (rq->answered || rq->gone)
        return;
    rq->stream.begun = true;
    rq->stream.max = max_queue;
    rq->stream.told_drain = true; /* nothing has been written yet */
    choose(rq, status, content_type,
           MHD_create_response_from_callback(MHD_SIZE_UNKNOWN, HTTP_BLOCK, read_stream, rq, NULL));
}

static void stream_room(struct http_stream *st, size_t n)
{
    if (st->off > 0 && st->len + n > st->cap) {
        memmove(st->p, st->p + st->off, st->len - st->off);
        st->len -= st->off;
        st->off = 0;
    }
    if (st->len + n > st->cap) {
        size_t cap = st->cap ? st->cap : 4096;
        while (cap < st->len + n)
            cap *= 2;
        st->p = mem_grow(st->p, cap, 1);
        st->cap = cap;
    }
}

int64_t http_stream_write(struct http_request *rq, const void *p, size_t n)
{
    struct http_stream *st = &rq->stream;
    if (rq->gone || !st->begun || st->ended)
        return -EPIPE;
    if (st->len - st->off + n > st->max)
        return -ENOBUFS;
    if (n == 0)
        return (int64_t)(st->len - st->off);
    stream_room(st, n);
    memcpy(st->p + st->len, p, n);
    st->len += n;
    if (rq->queued)
        http_request_wake(rq);
    return (int64_t)(st->len - st->off);
}

void http_stream_on_drain(struct http_request *rq, void (*cb)(void *arg, struct http_request *rq),
                          void *arg)
{
    rq->stream.on_drain = cb;
    rq->stream.drain_arg = arg;
}

void http_stream_end(struct http_request *rq)
{
    rq->stream.ended = true;
    if (rq->queued)
        http_request_wake(rq);
}

/* ---- takeover ---- */

static void on_upgraded(void *arg, struct MHD_Connection *c, void *con_cls, const char *extra,
                        size_t nextra, MHD_socket fd, struct MHD_UpgradeResponseHandle *urh)
{
    struct http_request *rq = arg;
    (void)c, (void)con_cls;
    http_raw_open(rq->conn, &rq->raw_cb, extra, nextra, fd, urh);
}

void http_upgrade(struct http_request *rq, const char *content_type,
                  const struct http_raw_callbacks *cb)
{
    if (rq->answered || rq->gone)
        return;
    rq->raw_cb = *cb;
    struct MHD_Response *r = MHD_create_response_for_upgrade(on_upgraded, rq);
    if (r)
        MHD_add_response_header(r, "Upgrade", "tcp");
    choose(rq, r ? MHD_HTTP_SWITCHING_PROTOCOLS : 500, content_type, r);
}
