/* rpc/rpc_client.c - the client: one connection at a time, made when it is needed; calls and their
 * ends. */
#include <errno.h>
#include <nghttp2/nghttp2.h>
#include <stdlib.h>
#include <string.h>
#include <sys/un.h>

#include "base/mem.h"
#include "rpc/rpc.h"
#include "rpc/rpc_pipe.h"
#include "rpc/rpc_session.h"
#include "rpc/rpc_status.h"

struct link {
    struct rpc_pipe pipe; /* first */
    struct link *next;
    struct rpc_client *client; /* NULL: the client has gone */
    bool was_up;
    struct rpc_status why; /* what its calls end with */
};
struct rpc_client {
    uv_loop_t *loop;
    char *path;
    struct link *link;         /* the one that takes new calls; or NULL */
    struct rpc_pending *stuck; /* calls that failed before they could begin */
    uv_timer_t turn;           /* ends those, and the client */
    uint8_t *read_buffer;
    unsigned links; /* that are not gone yet */
    bool closing;
    struct link *all;
};
struct rpc_pending {
    struct rpc_stream stream; /* first */
    struct rpc_client *client;
    rpc_on_done on_done;
    void (*on_message)(void *arg, ProtobufCMessage *m);
    void (*on_end)(void *arg, const struct rpc_status *st);
    void (*on_drain)(void *arg);
    void *arg;
    bool over; /* its callback has run, or must not */
    bool streaming_up;
    bool has_timer, stream_gone;
    ProtobufCMessage *response;
    struct rpc_chunk *memory;
    struct rpc_status *early; /* in `stuck` */
    struct rpc_pending *next_stuck;
    uint64_t timeout_ms;
    uv_timer_t timer;
};

/* ---- the end of a call ---- */
static void pending_free(struct rpc_pending *p)
{
    rpc_chunks_free(p->memory);
    free(p->early);
    free(p);
}

static void on_timer_closed(uv_handle_t *h)
{
    struct rpc_pending *p = h->data;
    p->has_timer = false;
    if (p->stream_gone)
        pending_free(p);
}

static void timer_stop(struct rpc_pending *p)
{
    if (p->has_timer && !uv_is_closing((uv_handle_t *)&p->timer))
        uv_close((uv_handle_t *)&p->timer, on_timer_closed);
}

static void finish(struct rpc_pending *p, const struct rpc_status *st)
{
    timer_stop(p);
    if (p->over)
        return;
    p->over = true;
    if (p->on_end)
        p->on_end(p->arg, st);
    else if (p->on_done)
        p->on_done(p->arg, st, st->code == RPC_OK ? p->response : NULL);
}

static void gone(struct rpc_pending *p)
{
    p->stream_gone = true;
    if (!p->has_timer)
        pending_free(p);
}

/* An OK of a call that has one answer comes with it; only an upload may end without (real engines
 * do). */
static void need_response(struct rpc_pending *p, struct rpc_status *st)
{
    const struct rpc_method *m = p->stream.method;
    if (st->code != RPC_OK || p->on_end || p->response)
        return;
    if (!p->streaming_up || rpc_unpack(m->response, NULL, 0, false, &p->response, &p->memory))
        rpc_status_set(st, RPC_INTERNAL, "the answer to %s has no message", m->path);
}

static void status_of(const struct rpc_pending *p, uint32_t http2_error, struct rpc_status *st)
{
    const struct rpc_stream *s = &p->stream;
    if (s->code >= 0) {
        rpc_status_set(st, s->code <= RPC_UNAUTHENTICATED ? (enum rpc_code)s->code : RPC_UNKNOWN,
                       "%s", s->message ? s->message : "");
    } else if (s->http_status && s->http_status != 200) {
        rpc_status_set(st, rpc_code_of_http(s->http_status), "unexpected HTTP status %u",
                       s->http_status);
    } else {
        rpc_status_set(st, rpc_code_of_reset(http2_error),
                       "%s was ended by %s without a status (HTTP/2 error %u)", s->method->path,
                       p->client->path, http2_error);
    }
}

static struct rpc_pending *pending_of(struct rpc_stream *st)
{
    return (struct rpc_pending *)st;
}

static void on_stream_closed(struct rpc_stream *s, uint32_t http2_error)
{
    struct rpc_pending *p = pending_of(s);
    struct rpc_status st = RPC_STATUS_OK;
    struct link *l = rpc_session_owner(s->session);
    if (!p->over) {
        status_of(p, http2_error, &st);
        need_response(p, &st);
    }
    rpc_stream_detach(s);
    if (l != p->client->link && !rpc_session_first(l->pipe.session))
        rpc_pipe_close(&l->pipe); /* it took no new calls any more, and this was the last */
    finish(p, &st);
    gone(p);
}

static void on_message(struct rpc_stream *s, ProtobufCMessage *m, struct rpc_chunk *memory)
{
    struct rpc_pending *p = pending_of(s);
    if (p->over) {
        rpc_chunks_free(memory);
    } else if (p->on_message) {
        p->on_message(p->arg, m);
        rpc_chunks_free(memory);
    } else {
        p->response = m; /* handed out with the status, which comes after it */
        p->memory = memory;
    }
}

static void on_drained(struct rpc_stream *s)
{
    struct rpc_pending *p = pending_of(s);
    if (p->on_drain && !p->over && !s->out_ended)
        p->on_drain(p->arg);
}

static void on_goaway(void *owner)
{
    struct link *l = owner;
    if (l->client && l->client->link == l)
        l->client->link = NULL;
}

static void on_dirty(void *owner)
{
    rpc_pipe_dirty(owner);
}

static const struct rpc_session_ops session_ops = {
    .on_message = on_message,
    .on_drained = on_drained,
    .on_closed = on_stream_closed,
    .on_goaway = on_goaway,
    .on_dirty = on_dirty,
};

/* ---- links ---- */
static void client_end(struct rpc_client *c);

static void on_link_gone(struct rpc_pipe *pipe)
{
    struct link *l = (struct link *)pipe;
    struct rpc_client *c = l->client;
    struct rpc_stream *s;
    struct link **at = &c->all;
    while (*at != l)
        at = &(*at)->next;
    *at = l->next;
    while ((s = rpc_session_first(pipe->session))) {
        struct rpc_pending *p = pending_of(s);
        rpc_stream_detach(s);
        finish(p, &l->why);
        gone(p);
    }
    rpc_session_free(pipe->session);
    free(l);
    c->links--;
    client_end(c);
}

static void on_link_broken(struct rpc_pipe *pipe, const char *why)
{
    struct link *l = (struct link *)pipe;
    struct rpc_client *c = l->client;
    if (c->link == l)
        c->link = NULL;
    if (pipe->up)
        rpc_status_set(&l->why, RPC_UNAVAILABLE, "the connection to %s broke: %s", c->path, why);
    else
        rpc_status_set(&l->why, RPC_UNAVAILABLE, "cannot connect to %s: %s", c->path, why);
}

static const struct rpc_pipe_ops pipe_ops = {.on_broken = on_link_broken, .on_gone = on_link_gone};

static struct link *link_ready(struct rpc_client *c)
{
    if (c->link && !rpc_session_worn(c->link->pipe.session))
        return c->link;
    struct link *l = NEW(struct link);
    l->client = c;
    if (rpc_pipe_init(&l->pipe, c->loop, false, &session_ops, &pipe_ops, c->read_buffer)) {
        free(l);
        return NULL;
    }
    l->next = c->all;
    c->all = l;
    c->links++;
    c->link = l;
    rpc_pipe_connect(&l->pipe, c->path);
    return l;
}

/* ---- beginning a call ---- */
static void on_turn(uv_timer_t *t)
{
    struct rpc_client *c = t->data;
    while (c->stuck) {
        struct rpc_pending *p = c->stuck;
        c->stuck = p->next_stuck;
        finish(p, p->early);
        gone(p);
    }
    if (!c->closing)
        return;
    for (struct link *l = c->all; l; l = l->next) {
        rpc_status_set(&l->why, RPC_CANCELLED, "the client was closed");
        rpc_pipe_close(&l->pipe);
    }
    client_end(c);
}

static void stick(struct rpc_pending *p, enum rpc_code code, const char *text)
{
    p->early = NEW(struct rpc_status);
    rpc_status_set(p->early, code, "%s", text);
    p->next_stuck = p->client->stuck;
    p->client->stuck = p;
    uv_timer_start(&p->client->turn, on_turn, 0, 0);
}

static void on_deadline(uv_timer_t *t)
{
    struct rpc_pending *p = t->data;
    struct rpc_status st;
    rpc_status_set(&st, RPC_DEADLINE_EXCEEDED, "no answer from %s within %llu ms", p->client->path,
                   (unsigned long long)p->timeout_ms);
    rpc_stream_reset(&p->stream, NGHTTP2_CANCEL);
    finish(p, &st);
}

static void set_deadline(struct rpc_pending *p, uint64_t timeout_ms)
{
    if (!timeout_ms || uv_timer_init(p->client->loop, &p->timer))
        return;
    p->timeout_ms = timeout_ms;
    p->timer.data = p;
    p->has_timer = true;
    uv_update_time(p->client->loop);
    uv_timer_start(&p->timer, on_deadline, timeout_ms, 0);
}

static struct rpc_pending *begin(struct rpc_client *c, const struct rpc_method *m,
                                 uint64_t timeout_ms, void *arg)
{
    struct rpc_pending *p = NEW(struct rpc_pending);
    p->client = c;
    p->arg = arg;
    p->stream.method = m;
    struct link *l = c->closing ? NULL : link_ready(c);
    if (c->closing)
        stick(p, RPC_CANCELLED, "the client was closed");
    else if (!l || rpc_session_call(l->pipe.session, &p->stream, m, timeout_ms))
        stick(p, RPC_UNAVAILABLE, "no new call can be begun");
    else
        set_deadline(p, timeout_ms);
    return p;
}

static int push(struct rpc_pending *p, const ProtobufCMessage *m)
{
    struct rpc_bytes *b = NULL;
    if (!p->stream.session || p->stream.out_ended || p->stream.failed)
        return -EPIPE;
    int r = rpc_bytes_pack(m, p->stream.method->flags & RPC_SECRET_REQUEST, &b);
    return r ? r : rpc_stream_send(&p->stream, b);
}

/* A request that cannot be packed ends its call at once; its place on the connection is given back.
 */
static void send_request(struct rpc_pending *p, const ProtobufCMessage *request)
{
    if (p->early)
        return;
    int r = push(p, request);
    if (!r) {
        rpc_stream_end(&p->stream);
        return;
    }
    p->stream.code = RPC_RESOURCE_EXHAUSTED;
    p->stream.message =
        mem_str(r == -EMSGSIZE || r == -ENOBUFS                ? "the request is too large"
                : p->stream.method->flags & RPC_SECRET_REQUEST ? "out of locked memory"
                                                               : "out of memory for the request");
    rpc_stream_reset(&p->stream, NGHTTP2_CANCEL);
}

struct rpc_pending *rpc_start(struct rpc_client *c, const struct rpc_method *m,
                              const ProtobufCMessage *request, uint64_t timeout_ms,
                              rpc_on_done on_done, void *arg)
{
    struct rpc_pending *p = begin(c, m, timeout_ms, arg);
    p->on_done = on_done;
    send_request(p, request);
    return p;
}

struct rpc_pending *rpc_open(struct rpc_client *c, const struct rpc_method *m,
                             const ProtobufCMessage *request, uint64_t timeout_ms,
                             void (*on_msg)(void *arg, ProtobufCMessage *m),
                             void (*on_end)(void *arg, const struct rpc_status *st), void *arg)
{
    struct rpc_pending *p = begin(c, m, timeout_ms, arg);
    p->on_message = on_msg;
    p->on_end = on_end;
    send_request(p, request);
    return p;
}

struct rpc_pending *rpc_open_upload(struct rpc_client *c, const struct rpc_method *m,
                                    uint64_t timeout_ms, rpc_on_done on_done, void *arg)
{
    struct rpc_pending *p = begin(c, m, timeout_ms, arg);
    p->on_done = on_done;
    p->streaming_up = true;
    return p;
}

int rpc_push(struct rpc_pending *p, const ProtobufCMessage *m)
{
    return push(p, m);
}

void rpc_push_end(struct rpc_pending *p)
{
    rpc_stream_end(&p->stream);
}

size_t rpc_push_queued(const struct rpc_pending *p)
{
    return p->stream.queued;
}

void rpc_on_push_drain(struct rpc_pending *p, void (*cb)(void *arg))
{
    p->on_drain = cb;
}

void rpc_cancel(struct rpc_pending *p)
{
    p->over = true;
    timer_stop(p);
    rpc_stream_reset(&p->stream, NGHTTP2_CANCEL);
}

/* ---- the client ---- */
int rpc_client_new(uv_loop_t *loop, const char *unix_path, struct rpc_client **ret, struct err *e)
{
    struct sockaddr_un where;
    if (strlen(unix_path) >= sizeof(where.sun_path))
        return err_set(e, -ENAMETOOLONG, "socket path %s is longer than %zu bytes", unix_path,
                       sizeof(where.sun_path) - 1);
    struct rpc_client *c = NEW(struct rpc_client);
    int r = uv_timer_init(loop, &c->turn);
    if (r) {
        free(c);
        return err_set(e, r, "rpc: %s", uv_strerror(r));
    }
    c->turn.data = c;
    c->loop = loop;
    c->path = mem_str(unix_path);
    c->read_buffer = rpc_read_buffer_new();
    *ret = c;
    return 0;
}

static void on_turn_closed(uv_handle_t *h)
{
    struct rpc_client *c = h->data;
    rpc_read_buffer_free(c->read_buffer);
    free(c->path);
    free(c);
}

static void client_end(struct rpc_client *c)
{
    bool turned = c->closing && !uv_is_active((uv_handle_t *)&c->turn);
    if (turned && !c->links && !c->stuck && !uv_is_closing((uv_handle_t *)&c->turn))
        uv_close((uv_handle_t *)&c->turn, on_turn_closed);
}

void rpc_client_close(struct rpc_client *c)
{
    if (!c)
        return;
    c->closing = true;
    uv_timer_start(&c->turn, on_turn, 0, 0);
}
