/* rpc/rpc_session_in.c - what comes into a session: heads, messages, ends. */
#include "rpc/rpc_session_in.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "rpc/rpc_status.h"

size_t rpc_session_status_nv(const struct rpc_stream *st, char number[12], char *text,
                             nghttp2_nv nv[2])
{
    size_t n = (size_t)snprintf(number, 12, "%d", st->code);
    nv[0] = rpc_nv("grpc-status", number, n);
    nv[0].flags = NGHTTP2_NV_FLAG_NO_COPY_NAME;
    if (!st->message)
        return 1;
    n = rpc_text_encode(st->message, text);
    nv[1] = rpc_nv("grpc-message", text, n);
    nv[1].flags = NGHTTP2_NV_FLAG_NO_COPY_NAME;
    return 2;
}

/* ---- streams ---- */
void rpc_session_attach(struct rpc_session *s, struct rpc_stream *st)
{
    st->session = s;
    st->prev = NULL;
    st->next = s->streams;
    if (s->streams)
        s->streams->prev = st;
    s->streams = st;
}

static void forget_drained(struct rpc_stream *st)
{
    struct rpc_stream **at = &st->session->drained;
    while (*at && *at != st)
        at = &(*at)->next_drained;
    if (*at)
        *at = st->next_drained;
    st->drained = false;
}

void rpc_stream_detach(struct rpc_stream *st)
{
    struct rpc_session *s = st->session;
    if (!s)
        return;
    if (st->drained)
        forget_drained(st);
    if (st->prev)
        st->prev->next = st->next;
    else
        s->streams = st->next;
    if (st->next)
        st->next->prev = st->prev;
    while (st->out_first) {
        struct rpc_bytes *b = st->out_first;
        st->out_first = b->next;
        rpc_bytes_unref(b);
    }
    st->out_last = NULL;
    st->queued = 0;
    rpc_reader_done(&st->in);
    free(st->message);
    st->message = NULL;
    st->session = NULL;
}

/* Ends a call whose peer did something wrong. */
static void fail(struct rpc_stream *st, enum rpc_code code, const char *text)
{
    if (st->failed)
        return;
    st->failed = true;
    rpc_reader_done(&st->in);
    if (st->session->server) {
        rpc_stream_status(st, (int)code, text);
        return;
    }
    if (st->code < 0) {
        st->code = (int)code;
        free(st->message);
        st->message = mem_str(text);
    }
    rpc_stream_reset(st, NGHTTP2_CANCEL);
}

static void fail_errno(struct rpc_stream *st, int r)
{
    char text[128];
    switch (r) {
    case -EMSGSIZE:
        snprintf(text, sizeof(text), "received message larger than max (%zu vs. %d)", st->in.want,
                 (int)RPC_MESSAGE_MAX);
        fail(st, RPC_RESOURCE_EXHAUSTED, text);
        return;
    case -ENOMEM:
        fail(st, RPC_RESOURCE_EXHAUSTED,
             st->in.secret ? "out of locked memory" : "out of memory for a message");
        return;
    case -ENOSYS:
        fail(st, RPC_UNIMPLEMENTED, "compressed messages are not supported");
        return;
    default:
        fail(st, RPC_INTERNAL, "the message does not parse");
    }
}

static int deliver(struct rpc_stream *st, const uint8_t *p, size_t n)
{
    bool server = st->session->server;
    unsigned many = server ? RPC_CLIENT_STREAM : RPC_SERVER_STREAM;
    if (st->messages++ && !(st->method->flags & many)) {
        fail(st, RPC_INTERNAL, "more than one message in a call that has one");
        return 0;
    }
    ProtobufCMessage *m = NULL;
    struct rpc_chunk *memory = NULL;
    int r = rpc_unpack(server ? st->method->request : st->method->response, p, n, st->in.secret, &m,
                       &memory);
    if (r)
        return r;
    st->session->ops->on_message(st, m, memory);
    return 0;
}

static int on_data(nghttp2_session *h2, uint8_t flags, int32_t id, const uint8_t *p, size_t n,
                   void *arg)
{
    struct rpc_stream *st = nghttp2_session_get_stream_user_data(h2, id);
    (void)flags, (void)arg;
    while (n && st && st->session && !st->failed && st->method) {
        const uint8_t *message = NULL;
        size_t len = 0;
        int r = rpc_reader_feed(&st->in, &p, &n, &message, &len);
        if (r == -EPROTO)
            r = -ENOSYS; /* its only cause: the flag that says compressed */
        if (r > 0)
            r = deliver(st, message, len);
        if (r < 0)
            fail_errno(st, r);
    }
    return 0;
}

/* ---- heads ---- */
static int on_begin(nghttp2_session *h2, const nghttp2_frame *frame, void *arg)
{
    struct rpc_session *s = arg;
    if (!s->server || frame->hd.type != NGHTTP2_HEADERS ||
        frame->headers.cat != NGHTTP2_HCAT_REQUEST)
        return 0;
    struct rpc_stream *st = s->ops->on_open(s->owner);
    if (!st)
        return NGHTTP2_ERR_TEMPORAL_CALLBACK_FAILURE;
    st->id = frame->hd.stream_id;
    rpc_session_attach(s, st);
    nghttp2_session_set_stream_user_data(h2, st->id, st);
    return 0;
}

static bool is(const char *word, const uint8_t *p, size_t n)
{
    return strlen(word) == n && memcmp(word, p, n) == 0;
}

static bool is_grpc(const uint8_t *p, size_t n)
{
    static const char type[] = "application/grpc";
    size_t len = sizeof(type) - 1;
    return n >= len && memcmp(p, type, len) == 0 && (n == len || p[len] == '+' || p[len] == ';');
}

static void request_header(struct rpc_stream *st, const uint8_t *name, size_t nlen,
                           const uint8_t *value, size_t vlen)
{
    if (is(":method", name, nlen)) {
        st->post = is("POST", value, vlen);
    } else if (is("content-type", name, nlen)) {
        st->grpc = is_grpc(value, vlen);
    } else if (is(":path", name, nlen)) {
        struct rpc_status why = RPC_STATUS_OK;
        st->method = st->session->ops->on_path(st, (const char *)value, vlen, &why);
        if (!st->method) {
            st->code = (int)why.code; /* answered when the head is whole */
            free(st->message);
            st->message = mem_str(why.message);
        }
    }
}

static unsigned decimal(const uint8_t *p, size_t n, unsigned otherwise)
{
    unsigned v = 0;
    if (!n || n > 3)
        return otherwise;
    for (size_t i = 0; i < n; i++) {
        if (p[i] < '0' || p[i] > '9')
            return otherwise;
        v = v * 10 + (unsigned)(p[i] - '0');
    }
    return v;
}

static void response_header(struct rpc_stream *st, const uint8_t *name, size_t nlen,
                            const uint8_t *value, size_t vlen)
{
    if (st->failed)
        return;
    if (is(":status", name, nlen)) {
        st->http_status = decimal(value, vlen, 0);
    } else if (is("content-type", name, nlen)) {
        st->grpc = is_grpc(value, vlen);
    } else if (is("grpc-status", name, nlen)) {
        st->code = (int)decimal(value, vlen, RPC_UNKNOWN);
    } else if (is("grpc-message", name, nlen)) {
        char text[ERR_TEXT_MAX];
        rpc_text_decode((const char *)value, vlen, text);
        free(st->message);
        st->message = mem_str(text);
    }
}

static int on_header(nghttp2_session *h2, const nghttp2_frame *frame, const uint8_t *name,
                     size_t nlen, const uint8_t *value, size_t vlen, uint8_t flags, void *arg)
{
    struct rpc_session *s = arg;
    struct rpc_stream *st = nghttp2_session_get_stream_user_data(h2, frame->hd.stream_id);
    (void)flags;
    if (!st || !st->session || frame->hd.type != NGHTTP2_HEADERS)
        return 0;
    if (!s->server)
        response_header(st, name, nlen, value, vlen);
    else if (frame->headers.cat == NGHTTP2_HCAT_REQUEST)
        request_header(st, name, nlen, value, vlen);
    return 0;
}

static void request_head_whole(struct rpc_stream *st)
{
    if (!st->method) {
        char *text = st->message;
        st->message = NULL;
        fail(st, st->code > 0 ? (enum rpc_code)st->code : RPC_UNIMPLEMENTED,
             text ? text : "no path");
        free(text);
    } else if (!st->post || !st->grpc) {
        fail(st, RPC_UNIMPLEMENTED, "not a gRPC request");
    }
    if (st->session && st->method)
        st->in.secret = st->method->flags & RPC_SECRET_REQUEST;
}

static void peer_ended(struct rpc_session *s, struct rpc_stream *st)
{
    st->peer_ended = true;
    if (st->failed || !s->server)
        return;
    if (!rpc_reader_empty(&st->in))
        fail(st, RPC_INTERNAL, "the request ends within a message");
    else if (!st->messages && !(st->method->flags & RPC_CLIENT_STREAM))
        fail(st, RPC_INTERNAL, "the request has no message");
    else
        s->ops->on_peer_ended(st);
}

static int on_frame(nghttp2_session *h2, const nghttp2_frame *frame, void *arg)
{
    struct rpc_session *s = arg;
    uint8_t type = frame->hd.type;
    if (type == NGHTTP2_GOAWAY && !s->server)
        s->ops->on_goaway(s->owner);
    if (type != NGHTTP2_HEADERS && type != NGHTTP2_DATA)
        return 0;
    struct rpc_stream *st = nghttp2_session_get_stream_user_data(h2, frame->hd.stream_id);
    if (!st || !st->session)
        return 0;
    if (s->server && type == NGHTTP2_HEADERS && frame->headers.cat == NGHTTP2_HCAT_REQUEST)
        request_head_whole(st);
    if (st->session && (frame->hd.flags & NGHTTP2_FLAG_END_STREAM))
        peer_ended(s, st);
    return 0;
}

/* A server that has answered before the request was whole tells the client to stop sending. */
static int on_frame_sent(nghttp2_session *h2, const nghttp2_frame *frame, void *arg)
{
    struct rpc_session *s = arg;
    if (!s->server || frame->hd.type != NGHTTP2_HEADERS ||
        !(frame->hd.flags & NGHTTP2_FLAG_END_STREAM))
        return 0;
    struct rpc_stream *st = nghttp2_session_get_stream_user_data(h2, frame->hd.stream_id);
    if (st && st->session && !st->peer_ended)
        nghttp2_submit_rst_stream(h2, NGHTTP2_FLAG_NONE, st->id, NGHTTP2_NO_ERROR);
    return 0;
}

static int on_close(nghttp2_session *h2, int32_t id, uint32_t error, void *arg)
{
    struct rpc_session *s = arg;
    struct rpc_stream *st = nghttp2_session_get_stream_user_data(h2, id);
    if (st && st->session) {
        nghttp2_session_set_stream_user_data(h2, id, NULL);
        s->ops->on_closed(st, error);
    }
    return 0;
}

void rpc_session_in_callbacks(nghttp2_session_callbacks *cb)
{
    nghttp2_session_callbacks_set_on_begin_headers_callback(cb, on_begin);
    nghttp2_session_callbacks_set_on_header_callback(cb, on_header);
    nghttp2_session_callbacks_set_on_data_chunk_recv_callback(cb, on_data);
    nghttp2_session_callbacks_set_on_frame_recv_callback(cb, on_frame);
    nghttp2_session_callbacks_set_on_frame_send_callback(cb, on_frame_sent);
    nghttp2_session_callbacks_set_on_stream_close_callback(cb, on_close);
}

int rpc_session_feed(struct rpc_session *s, const uint8_t *p, size_t n, struct err *e)
{
    ssize_t used = nghttp2_session_mem_recv(s->h2, p, n);
    if (used < 0)
        return err_set(e, -EPROTO, "HTTP/2: %s", nghttp2_strerror((int)used));
    return 0;
}
