/* rpc/rpc_session.c - the life of a session, and what goes out of it. */
#include "rpc/rpc_session.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "rpc/rpc_session_in.h"
#include "rpc/rpc_status.h"

enum {
    STREAM_WINDOW = 4 << 20, /* a list of 10,000 objects without waiting for the reader */
    CONNECTION_WINDOW = 16 << 20,
    FRAME_MAX = 256 << 10,
    OUT_MAX = 1 << 20, /* bytes of frames that wait for the transport */
    RESET_BURST =
        10000, /* cancelled calls at once, and a second, before the peer is taken for hostile */
    RESET_RATE = 1000,
    STREAM_ID_LAST = 0x7fff0000,
};

/* ---- output ---- */
static void mark_dirty(struct rpc_session *s)
{
    s->ops->on_dirty(s->owner);
}

static ssize_t on_send(nghttp2_session *h2, const uint8_t *p, size_t n, int flags, void *arg)
{
    struct rpc_session *s = arg;
    (void)h2, (void)flags;
    if (s->out.total >= OUT_MAX)
        return NGHTTP2_ERR_WOULDBLOCK;
    rpc_out_copy(&s->out, p, n);
    return (ssize_t)n;
}

static ssize_t on_frame_room(nghttp2_session *h2, uint8_t type, int32_t id, int32_t session_window,
                             int32_t stream_window, uint32_t frame_max, void *arg)
{
    int32_t n = session_window < stream_window ? session_window : stream_window;
    (void)h2, (void)type, (void)id, (void)arg;
    if (n > (int32_t)frame_max)
        n = (int32_t)frame_max;
    return n < FRAME_MAX ? n : FRAME_MAX;
}

static int submit_trailer(struct rpc_stream *st)
{
    char number[12], text[RPC_TEXT_ENCODED];
    nghttp2_nv nv[2];
    size_t n = rpc_session_status_nv(st, number, text, nv);
    return nghttp2_submit_trailer(st->session->h2, st->id, nv, n);
}

/* nghttp2 asks how much there is; the bytes themselves go out by on_send_data. */
static ssize_t on_read(nghttp2_session *h2, int32_t id, uint8_t *buf, size_t room, uint32_t *flags,
                       nghttp2_data_source *source, void *arg)
{
    struct rpc_stream *st = source->ptr;
    struct rpc_session *s = arg;
    (void)h2, (void)id, (void)buf;
    *flags |= NGHTTP2_DATA_FLAG_NO_COPY;
    if (!st->queued && !st->out_ended) {
        st->stalled = true;
        return NGHTTP2_ERR_DEFERRED;
    }
    size_t n = st->queued < room ? st->queued : room;
    if (n == st->queued && st->out_ended) {
        *flags |= NGHTTP2_DATA_FLAG_EOF;
        if (s->server) {
            *flags |= NGHTTP2_DATA_FLAG_NO_END_STREAM;
            if (submit_trailer(st))
                return NGHTTP2_ERR_TEMPORAL_CALLBACK_FAILURE;
        }
    }
    return (ssize_t)n;
}

static void note_drained(struct rpc_stream *st)
{
    if (st->drained)
        return;
    st->drained = true;
    st->next_drained = st->session->drained;
    st->session->drained = st;
}

static int on_send_data(nghttp2_session *h2, nghttp2_frame *frame, const uint8_t *head, size_t n,
                        nghttp2_data_source *source, void *arg)
{
    struct rpc_session *s = arg;
    struct rpc_stream *st = source->ptr;
    (void)h2, (void)frame;
    if (s->out.total >= OUT_MAX)
        return NGHTTP2_ERR_WOULDBLOCK;
    rpc_out_copy(&s->out, head, 9); /* no padding is ever asked for */
    while (n) {
        struct rpc_bytes *b = st->out_first;
        size_t take = b->len - st->out_offset < n ? b->len - st->out_offset : n;
        rpc_out_message(&s->out, b, st->out_offset, take);
        st->out_offset += take;
        st->queued -= take;
        n -= take;
        if (st->out_offset < b->len)
            continue;
        st->out_first = b->next;
        st->out_offset = 0;
        rpc_bytes_unref(b);
        if (!st->out_first) {
            st->out_last = NULL;
            note_drained(st);
        }
    }
    return 0;
}

static nghttp2_data_provider provider(struct rpc_stream *st)
{
    return (nghttp2_data_provider){.source = {.ptr = st}, .read_callback = on_read};
}

static void kick(struct rpc_stream *st)
{
    if (st->stalled) {
        st->stalled = false;
        nghttp2_session_resume_data(st->session->h2, st->id);
    }
    mark_dirty(st->session);
}

static int start_response(struct rpc_stream *st, bool body)
{
    static const nghttp2_nv head[] = {RPC_NV(":status", "200"),
                                      RPC_NV("content-type", "application/grpc")};
    nghttp2_nv nv[4] = {head[0], head[1]};
    char number[12], text[RPC_TEXT_ENCODED];
    nghttp2_data_provider from = provider(st);
    size_t n = 2;
    st->started = true;
    if (!body)
        n += rpc_session_status_nv(st, number, text, nv + 2);
    return nghttp2_submit_response(st->session->h2, st->id, nv, n, body ? &from : NULL);
}

int rpc_stream_send(struct rpc_stream *st, struct rpc_bytes *b)
{
    int r = !st->session || st->out_ended ? -EPIPE : 0;
    if (!r && st->queued + b->len > RPC_QUEUE_MAX)
        r = -ENOBUFS;
    if (r) {
        rpc_bytes_unref(b);
        return r;
    }
    if (st->out_last)
        st->out_last->next = b;
    else
        st->out_first = b;
    st->out_last = b;
    st->queued += b->len;
    if (st->session->server && !st->started && start_response(st, true))
        rpc_stream_reset(st, NGHTTP2_INTERNAL_ERROR);
    kick(st);
    return 0;
}

void rpc_stream_end(struct rpc_stream *st)
{
    if (!st->session || st->out_ended)
        return;
    st->out_ended = true;
    kick(st);
}

void rpc_stream_status(struct rpc_stream *st, int code, const char *message)
{
    if (!st->session || st->out_ended)
        return;
    st->out_ended = true;
    st->code = code;
    free(st->message);
    st->message = message && *message ? mem_str(message) : NULL;
    if (!st->started && start_response(st, false))
        rpc_stream_reset(st, NGHTTP2_INTERNAL_ERROR);
    kick(st);
}

void rpc_stream_reset(struct rpc_stream *st, uint32_t http2_error)
{
    if (!st->session)
        return;
    st->failed = true;
    nghttp2_submit_rst_stream(st->session->h2, NGHTTP2_FLAG_NONE, st->id, http2_error);
    mark_dirty(st->session);
}

int rpc_session_call(struct rpc_session *s, struct rpc_stream *st, const struct rpc_method *m,
                     uint64_t timeout_ms)
{
    char timeout[RPC_TIMEOUT_TEXT];
    nghttp2_nv nv[] = {RPC_NV(":method", "POST"),
                       RPC_NV(":scheme", "http"),
                       rpc_nv(":path", m->path, strlen(m->path)),
                       RPC_NV(":authority", "localhost"),
                       RPC_NV("content-type", "application/grpc"),
                       RPC_NV("te", "trailers"),
                       RPC_NV("grpc-timeout", "")};
    size_t n = sizeof(nv) / sizeof(*nv);
    if (timeout_ms) {
        rpc_timeout_text(timeout_ms, timeout);
        nv[n - 1] = rpc_nv("grpc-timeout", timeout, strlen(timeout));
        nv[n - 1].flags = NGHTTP2_NV_FLAG_NO_COPY_NAME;
    } else {
        n--;
    }
    nghttp2_data_provider from = provider(st);
    int32_t id = nghttp2_submit_request(s->h2, NULL, nv, n, &from, st);
    if (id < 0)
        return -EPROTO;
    st->method = m;
    st->id = id;
    st->code = -1;
    st->in.secret = m->flags & RPC_SECRET_RESPONSE;
    rpc_session_attach(s, st);
    mark_dirty(s);
    return 0;
}

/* ---- the session ---- */
static void set_callbacks(nghttp2_session_callbacks *cb)
{
    nghttp2_session_callbacks_set_send_callback(cb, on_send);
    nghttp2_session_callbacks_set_send_data_callback(cb, on_send_data);
    nghttp2_session_callbacks_set_data_source_read_length_callback(cb, on_frame_room);
    rpc_session_in_callbacks(cb);
}

static int submit_settings(struct rpc_session *s)
{
    nghttp2_settings_entry iv[] = {
        {NGHTTP2_SETTINGS_INITIAL_WINDOW_SIZE, STREAM_WINDOW},
        {NGHTTP2_SETTINGS_MAX_FRAME_SIZE, FRAME_MAX},
        {NGHTTP2_SETTINGS_MAX_CONCURRENT_STREAMS, RPC_STREAMS_MAX},
        {NGHTTP2_SETTINGS_ENABLE_PUSH, 0},
    };
    size_t n = sizeof(iv) / sizeof(*iv) - (s->server ? 1 : 0);
    int r = nghttp2_submit_settings(s->h2, NGHTTP2_FLAG_NONE, iv, n);
    if (!r)
        r = nghttp2_session_set_local_window_size(s->h2, NGHTTP2_FLAG_NONE, 0, CONNECTION_WINDOW);
    return r;
}

int rpc_session_new(bool server, const struct rpc_session_ops *ops, void *owner,
                    struct rpc_session **ret)
{
    struct rpc_session *s = NEW(struct rpc_session);
    nghttp2_session_callbacks *cb = NULL;
    nghttp2_option *opt = NULL;
    s->server = server;
    s->ops = ops;
    s->owner = owner;
    int r = nghttp2_session_callbacks_new(&cb);
    if (!r)
        r = nghttp2_option_new(&opt);
    if (!r) {
        set_callbacks(cb);
        nghttp2_option_set_no_closed_streams(opt, 1);
        nghttp2_option_set_peer_max_concurrent_streams(opt, RPC_STREAMS_MAX);
        nghttp2_option_set_stream_reset_rate_limit(opt, RESET_BURST, RESET_RATE);
        r = server ? nghttp2_session_server_new2(&s->h2, cb, s, opt)
                   : nghttp2_session_client_new2(&s->h2, cb, s, opt);
    }
    nghttp2_session_callbacks_del(cb);
    nghttp2_option_del(opt);
    if (!r)
        r = submit_settings(s);
    if (r) {
        rpc_session_free(s);
        return -ENOMEM;
    }
    *ret = s;
    return 0;
}

void rpc_session_free(struct rpc_session *s)
{
    if (!s)
        return;
    nghttp2_session_del(s->h2);
    rpc_out_done(&s->out);
    free(s);
}

static void run_drained(struct rpc_session *s)
{
    while (s->drained) {
        struct rpc_stream *st = s->drained;
        s->drained = st->next_drained;
        st->drained = false;
        if (!st->queued)
            s->ops->on_drained(st);
    }
}

int rpc_session_pump(struct rpc_session *s, struct err *e)
{
    int r = nghttp2_session_send(s->h2);
    run_drained(s);
    if (r)
        return err_set(e, -EPROTO, "HTTP/2: %s", nghttp2_strerror(r));
    return 0;
}

struct rpc_out *rpc_session_out(struct rpc_session *s)
{
    return &s->out;
}

void *rpc_session_owner(const struct rpc_session *s)
{
    return s->owner;
}

bool rpc_session_over(const struct rpc_session *s)
{
    return !s->out.total && !nghttp2_session_want_read(s->h2) && !nghttp2_session_want_write(s->h2);
}

bool rpc_session_worn(const struct rpc_session *s)
{
    return nghttp2_session_get_next_stream_id(s->h2) >= STREAM_ID_LAST;
}

void rpc_session_goaway(struct rpc_session *s)
{
    nghttp2_session_terminate_session(s->h2, NGHTTP2_NO_ERROR);
}

struct rpc_stream *rpc_session_first(struct rpc_session *s)
{
    return s->streams;
}
