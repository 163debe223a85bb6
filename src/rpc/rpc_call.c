/* rpc/rpc_call.c - how a handler answers its call. */
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>

#include "rpc/rpc.h"
#include "rpc/rpc_server_in.h"

static bool secret_answer(const struct rpc_call *c)
{
    return c->stream.method->flags & RPC_SECRET_RESPONSE;
}

static const char *too_much(const struct rpc_call *c, int r)
{
    if (r == -EMSGSIZE)
        return "the answer is too large";
    return secret_answer(c) ? "out of locked memory" : "out of memory for the answer";
}

static void reply_bytes(struct rpc_call *c, int r, struct rpc_bytes *b)
{
    if (r) {
        rpc_stream_status(&c->stream, RPC_RESOURCE_EXHAUSTED, too_much(c, r));
        return;
    }
    r = rpc_stream_send(&c->stream, b); /* -EPIPE: nobody waits for it any more */
    if (r == -ENOBUFS)
        rpc_stream_status(&c->stream, RPC_RESOURCE_EXHAUSTED, "the answer is too large");
    else
        rpc_stream_status(&c->stream, RPC_OK, NULL);
}

void rpc_reply(struct rpc_call *c, const ProtobufCMessage *response)
{
    struct rpc_bytes *b = NULL;
    int r = rpc_bytes_pack(response, secret_answer(c), &b);
    reply_bytes(c, r, b);
}

void rpc_reply_packed(struct rpc_call *c, const void *packed, size_t n)
{
    struct rpc_bytes *b = NULL;
    int r = rpc_bytes_copy(packed, n, &b);
    reply_bytes(c, r, b);
}

int rpc_send(struct rpc_call *c, const ProtobufCMessage *m)
{
    struct rpc_bytes *b = NULL;
    if (!c->stream.session || c->stream.out_ended)
        return -EPIPE;
    int r = rpc_bytes_pack(m, secret_answer(c), &b);
    return r ? r : rpc_stream_send(&c->stream, b);
}

void rpc_fail_status(struct rpc_call *c, const struct rpc_status *st)
{
    rpc_stream_status(&c->stream, (int)st->code, st->message);
}

void rpc_fail(struct rpc_call *c, enum rpc_code code, const char *fmt, ...)
{
    char text[ERR_TEXT_MAX];
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(text, sizeof(text), fmt, ap);
    va_end(ap);
    rpc_stream_status(&c->stream, (int)code, text);
}

void rpc_finish(struct rpc_call *c)
{
    rpc_stream_status(&c->stream, RPC_OK, NULL);
}

size_t rpc_queued(const struct rpc_call *c)
{
    return c->stream.queued;
}

void rpc_on_drain(struct rpc_call *c, void (*cb)(struct rpc_call *, void *), void *arg)
{
    c->on_drain = cb;
    c->on_drain_arg = arg;
}

void rpc_on_close(struct rpc_call *c, void (*cb)(struct rpc_call *, void *), void *arg)
{
    c->on_close = cb;
    c->on_close_arg = arg;
}
