/* dispatcher/stream.c - the two streams of a session: Session and Assignments. */
#include <errno.h>
#include <stdlib.h>

#include "base/log.h"
#include "base/mem.h"
#include "base/str.h"
#include "dispatcher/internal.h"

static void on_stream_closed(struct rpc_call *call, void *arg)
{
    struct stream *st = arg;

    (void)call;
    if (st->d) {
        struct stream **at = &st->d->streams;
        while (*at != st)
            at = &(*at)->next;
        *at = st->next;
    }
    assignment_sent_clear(&st->sent);
    free(st);
}

static struct stream *stream_new(struct dispatcher *d, struct rpc_call *call, struct session *s)
{
    struct stream *st = NEW(struct stream);

    st->d = d;
    st->call = call;
    st->session = s;
    str_copy(st->session_id, sizeof st->session_id, s->id);
    st->next = d->streams;
    d->streams = st;
    rpc_on_close(call, on_stream_closed, st);
    return st;
}

void streams_end(struct dispatcher *d, const struct session *s, const char *but_session_id,
                 enum rpc_code code, const char *words)
{
    for (struct stream *st = d->streams, *next; st; st = next) {
        next = st->next;
        if (st->over || (s && st->session != s) ||
            (but_session_id && str_eq(st->session_id, but_session_id)))
            continue;
        st->over = true;
        rpc_fail(st->call, code, "%s", words);
    }
}

void on_session(struct rpc_call *call, const ProtobufCMessage *request, void *service)
{
    const Pb__SessionRequest *m = (const Pb__SessionRequest *)request;
    struct dispatcher *d = service;
    struct session *s;
    bool local = false;
    const char *node_id = dispatcher_caller(d, call, &local);

    if (!node_id)
        return;
    if (!STORE_GET(d->o.store, STORE_TIP, NODE, Node, node_id)) {
        rpc_fail(call, RPC_UNKNOWN, "node not found");
        return;
    }
    int r = session_register(&d->sessions, node_id, m->session_id, !local, dispatcher_period(d),
                             dispatcher_mono(d), &s);
    if (r == SESSION_TOO_MANY) {
        rpc_fail(call, RPC_UNAVAILABLE, "node %s exceeded rate limit count of registrations",
                 node_id);
        return;
    }
    if (r == SESSION_NEW)
        streams_end(d, s, s->id, RPC_INVALID_ARGUMENT, "session invalid");
    struct stream *st = stream_new(d, call, s);
    st->dirty = st->waiting = true;
    node_registered(d, s, m->description);
    dispatcher_arm(d);
}

void on_assignments(struct rpc_call *call, const ProtobufCMessage *request, void *service)
{
    const Pb__AssignmentsRequest *m = (const Pb__AssignmentsRequest *)request;
    struct dispatcher *d = service;
    struct session *s = dispatcher_session(d, call, m->session_id);

    if (!s)
        return;
    struct stream *st = stream_new(d, call, s);
    st->assignments = st->dirty = true;
    deferred_ask(d->turn);
}

static void on_drained(struct rpc_call *call, void *arg)
{
    struct stream *st = arg;

    (void)call;
    st->waiting = false;
    if (st->d && st->dirty)
        deferred_ask(st->d->turn);
}

static void flush_one(struct stream *st)
{
    if (rpc_queued(st->call) > STREAM_QUEUE_MAX) {
        st->waiting = true;
        rpc_on_drain(st->call, on_drained, st);
        return;
    }
    st->dirty = false;
    int r = st->assignments ? send_assignments(st) : send_session(st);
    if (r == 0)
        return;
    log_error("node %s: its %s could not be sent (%d)", st->session->node_id,
              st->assignments ? "assignments" : "session", r);
    st->over = true;
    if (r != -EPIPE)
        rpc_fail(st->call, RPC_RESOURCE_EXHAUSTED, "%s",
                 r == -ENOMEM ? "the manager is out of locked memory" : "the message is too large");
}

void streams_flush(struct dispatcher *d)
{
    for (struct stream *st = d->streams, *next; st; st = next) {
        next = st->next;
        if (st->dirty && !st->waiting && !st->over)
            flush_one(st);
    }
}
