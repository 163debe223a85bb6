/* dispatcher/dispatcher.c - see dispatcher/dispatcher.h: the wiring between calls, the store and
 * the clock. */
#include "dispatcher/dispatcher.h"

#include <stdlib.h>

#include "base/clock.h"
#include "base/id.h"
#include "base/mem.h"
#include "base/str.h"
#include "dispatcher/internal.h"
#include "model/node.h"
#include "model/pb.h"
#include "model/service.h"
#include "rpc/methods.h"

int64_t dispatcher_wall(const struct dispatcher *d)
{
    return d->o.wall ? d->o.wall(d->o.clock_arg) : clock_wall_ns();
}

int64_t dispatcher_mono(const struct dispatcher *d)
{
    return d->o.mono ? d->o.mono(d->o.clock_arg) : clock_mono_ns();
}

int64_t dispatcher_period(const struct dispatcher *d)
{
    return service_heartbeat_ns(store_by_name(d->o.store, STORE_TIP, STORE_CLUSTER, "default"));
}

const char *dispatcher_caller(struct dispatcher *d, struct rpc_call *call, bool *ret_local)
{
    *ret_local = !d->o.identify;
    const char *id =
        d->o.identify ? d->o.identify(d->o.identify_arg, call, ret_local) : d->local_node_id;

    if (d->stopped) {
        rpc_fail(call, RPC_ABORTED, "dispatcher is stopped");
        return NULL;
    }
    if (str_empty(id)) {
        rpc_fail(call, RPC_PERMISSION_DENIED, "the caller is no node of this cluster");
        return NULL;
    }
    return id;
}

struct session *dispatcher_session(struct dispatcher *d, struct rpc_call *call,
                                   const char *session_id)
{
    struct session *s = NULL;
    bool local;
    const char *node_id = dispatcher_caller(d, call, &local);

    if (!node_id)
        return NULL;
    switch (session_check(&d->sessions, node_id, session_id, &s)) {
    case 0:
        return s;
    case SESSION_NONE:
        rpc_fail(call, RPC_NOT_FOUND, "node not registered");
        return NULL;
    default:
        rpc_fail(call, RPC_INVALID_ARGUMENT, "session invalid");
        return NULL;
    }
}

static void on_heartbeat(struct rpc_call *call, const ProtobufCMessage *request, void *service)
{
    const Pb__HeartbeatRequest *m = (const Pb__HeartbeatRequest *)request;
    struct dispatcher *d = service;
    struct session *s = dispatcher_session(d, call, m->session_id);
    Pb__HeartbeatResponse answer = PB__HEARTBEAT_RESPONSE__INIT;

    if (!s)
        return;
    /* a tenth more or less, so that the nodes do not fall into step */
    int64_t period = dispatcher_period(d), tenth = period / 10;
    if (tenth > 0)
        period += (int64_t)(random_u64() % (uint64_t)(2 * tenth)) - tenth;
    session_beat(s, period, dispatcher_mono(d));
    pb_set_duration(&answer.period, period);
    rpc_reply(call, &answer.base);
    pb_free(answer.period);
    dispatcher_arm(d);
}

static void on_timer(uv_timer_t *timer)
{
    struct dispatcher *d = timer->data;
    bool expected;

    for (struct session *s; (s = session_expire(&d->sessions, dispatcher_mono(d), &expected));) {
        node_set_state(d, s->node_id, NODE_DOWN,
                       expected ? "heartbeat failure for node in \"unknown\" state"
                                : "heartbeat failure");
        streams_end(d, s, NULL, RPC_INVALID_ARGUMENT, "session invalid");
    }
    dispatcher_arm(d);
}

void dispatcher_arm(struct dispatcher *d)
{
    int64_t at = session_next_deadline(&d->sessions), now = dispatcher_mono(d);

    if (at == INT64_MAX || d->stopped)
        uv_timer_stop(d->timer);
    else
        uv_timer_start(d->timer, on_timer, at > now ? (uint64_t)((at - now) / NS_PER_MS) + 1 : 0,
                       0);
}

static void on_turn(void *arg)
{
    struct dispatcher *d = arg;

    updates_flush(d);
    streams_flush(d);
}

static void on_node_removed(struct dispatcher *d, const Pb__Node *n)
{
    struct session *s = session_of(&d->sessions, n->id);

    if (!s)
        return;
    session_end(s);
    streams_end(d, s, NULL, RPC_UNKNOWN, "node not found");
}

static void on_event(void *arg, const struct store_event *ev)
{
    struct dispatcher *d = arg;
    bool any = false;

    if (ev->kind == STORE_NODE && ev->action == STORE_REMOVE)
        on_node_removed(d, ev->object);
    for (struct stream *st = d->streams; st; st = st->next) {
        const char *node_id = st->session->node_id;
        if (st->assignments)
            st->dirty = assignment_event(&st->sent, node_id, ev) || st->dirty;
        else /* its own node, the cluster's keys and root; another node may be a manager that came
                or went */
            st->dirty =
                st->dirty || ev->kind == STORE_CLUSTER ||
                (ev->kind == STORE_NODE && (str_eq(((const Pb__Node *)ev->object)->id, node_id) ||
                                            ((const Pb__Node *)ev->object)->manager_status));
        any = any || st->dirty;
    }
    if (any)
        deferred_ask(d->turn);
}

struct ready_nodes {
    char **ids;
};

static int collect_ready(const void *object, void *arg)
{
    const Pb__Node *n = object;
    struct ready_nodes *r = arg;

    if (node_state(n) == NODE_READY || node_state(n) == NODE_UNKNOWN)
        strv_push(&r->ids, mem_str(n->id));
    return 0;
}

/* Who was there when the last manager ended has some time to come back. */
static void expect_nodes(struct dispatcher *d)
{
    struct ready_nodes r = {0};

    store_each(d->o.store, STORE_TIP, STORE_NODE, collect_ready, &r);
    for (char **id = r.ids; id && *id; id++) {
        node_set_state(d, *id, NODE_UNKNOWN, "node moved to \"unknown\" state by a new manager");
        session_expect(&d->sessions, *id, dispatcher_period(d), dispatcher_mono(d));
    }
    strv_free(r.ids);
    dispatcher_arm(d);
}

struct dispatcher *dispatcher_new(const struct dispatcher_options *o)
{
    struct dispatcher *d = NEW(struct dispatcher);

    d->o = *o;
    d->local_node_id = mem_str(o->local_node_id);
    d->updates_end = &d->updates;
    d->turn = deferred_new(o->loop, on_turn, d);
    d->timer = NEW(uv_timer_t);
    uv_timer_init(o->loop, d->timer);
    d->timer->data = d;
    d->watch = store_watch(o->store, on_event, d);
    expect_nodes(d);
    return d;
}

void dispatcher_set_local_node(struct dispatcher *d, const char *node_id)
{
    free(d->local_node_id);
    d->local_node_id = mem_str(node_id);
}

void dispatcher_register(struct rpc_server *server, struct dispatcher *d)
{
    static const struct rpc_handler handlers[] = {
        {&rpc_method_dispatcher_session, on_session},
        {&rpc_method_dispatcher_heartbeat, on_heartbeat},
        {&rpc_method_dispatcher_update_task_status, on_update_task_status},
        {&rpc_method_dispatcher_assignments, on_assignments},
    };

    rpc_server_add(server, handlers, sizeof handlers / sizeof *handlers, d);
}

void dispatcher_stop(struct dispatcher *d)
{
    if (d->stopped)
        return;
    d->stopped = true;
    uv_timer_stop(d->timer);
    streams_end(d, NULL, NULL, RPC_ABORTED, "dispatcher is stopped");
}

static void on_timer_closed(uv_handle_t *h)
{
    free(h);
}

void dispatcher_free(struct dispatcher *d)
{
    if (!d)
        return;
    dispatcher_stop(d);
    updates_drop(d);
    for (struct stream *st = d->streams; st; st = st->next)
        st->d = NULL;
    store_unwatch(d->watch);
    deferred_free(d->turn);
    uv_close((uv_handle_t *)d->timer, on_timer_closed);
    sessions_done(&d->sessions, NULL);
    free(d->local_node_id);
    free(d);
}
