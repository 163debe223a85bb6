/* control/control_watch.c - docker.swarmkit.v1.Watch: the store's events as a stream, for `events`
 * and whoever follows the cluster.
 *
 * The first message is empty and says that the watch is set; then one message an event. A watcher
 * that lags more than WATCH_BEHIND_MAX is dropped with RESOURCE_EXHAUSTED. There is no history:
 * resume_from is only good when nothing has happened since. */
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/str.h"
#include "control/control_int.h"
#include "model/pb.h"
#include "proto/watch.pb-c.h"

enum { WATCH_BEHIND_MAX = 16 << 20 };

struct watcher {
    struct watcher *next;
    struct control *control;
    struct rpc_call *call;
    const Pb__WatchRequest *request; /* lives as long as the call */
};

static const char *const kind_names[STORE_KINDS] = {
    [STORE_CLUSTER] = "cluster", [STORE_NODE] = "node",       [STORE_SERVICE] = "service",
    [STORE_TASK] = "task",       [STORE_NETWORK] = "network", [STORE_SECRET] = "secret",
    [STORE_CONFIG] = "config",
};

/* ---- what a watcher wants ---- */
static bool by_known(const Pb__SelectBy *by)
{
    switch (by->by_case) {
    case PB__SELECT_BY__BY_ID:
    case PB__SELECT_BY__BY_ID_PREFIX:
    case PB__SELECT_BY__BY_NAME:
    case PB__SELECT_BY__BY_NAME_PREFIX:
    case PB__SELECT_BY__BY_SERVICE_ID:
    case PB__SELECT_BY__BY_NODE_ID:
        return true;
    default:
        return false;
    }
}

static bool by_matches(const Pb__SelectBy *by, enum store_kind k, const void *object)
{
    const Pb__Task *t = k == STORE_TASK ? object : NULL;
    switch (by->by_case) {
    case PB__SELECT_BY__BY_ID:
        return str_eq(by->id, store_object_id(k, object));
    case PB__SELECT_BY__BY_ID_PREFIX:
        return str_starts(store_object_id(k, object), by->id_prefix);
    case PB__SELECT_BY__BY_NAME:
        return str_ieq(by->name, store_object_name(k, object));
    case PB__SELECT_BY__BY_NAME_PREFIX:
        return str_istarts(store_object_name(k, object), by->name_prefix);
    case PB__SELECT_BY__BY_SERVICE_ID:
        return t && str_eq(t->service_id, by->service_id);
    case PB__SELECT_BY__BY_NODE_ID:
        return t && str_eq(t->node_id, by->node_id);
    default:
        return false;
    }
}

static bool entry_matches(const Pb__WatchRequest__WatchEntry *w, const struct store_event *ev)
{
    if (!str_eq(w->kind, kind_names[ev->kind]) ||
        (w->action != 0 && !((unsigned)w->action & (unsigned)ev->action)))
        return false;
    for (size_t i = 0; i < w->n_filters; i++)
        if (!by_matches(w->filters[i], ev->kind, ev->object))
            return false;
    return true;
}

static bool wanted(const Pb__WatchRequest *r, const struct store_event *ev)
{
    for (size_t i = 0; i < r->n_entries; i++)
        if (entry_matches(r->entries[i], ev))
            return true;
    return r->n_entries == 0;
}

static enum rpc_code check_request(const struct control *c, const Pb__WatchRequest *r,
                                   struct rpc_status *why)
{
    for (size_t i = 0; i < r->n_entries; i++) {
        const Pb__WatchRequest__WatchEntry *w = r->entries[i];
        size_t k = 0;
        while (k < STORE_KINDS && !str_eq(w->kind, kind_names[k]))
            k++;
        if (k == STORE_KINDS)
            return (enum rpc_code)rpc_status_set(why, RPC_INVALID_ARGUMENT,
                                                 "unrecognized object kind %s", w->kind);
        for (size_t f = 0; f < w->n_filters; f++)
            if (!by_known(w->filters[f]))
                return (enum rpc_code)rpc_status_set(why, RPC_UNIMPLEMENTED,
                                                     "this filter of a watch is not supported");
    }
    if (r->resume_from && r->resume_from->index != store_index(c->store, STORE_COMMITTED))
        return (enum rpc_code)rpc_status_set(why, RPC_OUT_OF_RANGE,
                                             "events before the watch are not kept");
    return RPC_OK;
}

/* ---- telling it ---- */
static void object_set(Pb__Object *o, enum store_kind k, const void *object,
                       struct control_redacted *shown)
{
    void *p = (void *)(uintptr_t)object;
    switch (k) {
    case STORE_CLUSTER:
        o->object_case = PB__OBJECT__OBJECT_CLUSTER;
        o->cluster = (Pb__Cluster *)(uintptr_t)control_redact_cluster(object, shown);
        break;
    case STORE_NODE:
        o->object_case = PB__OBJECT__OBJECT_NODE;
        o->node = p;
        break;
    case STORE_SERVICE:
        o->object_case = PB__OBJECT__OBJECT_SERVICE;
        o->service = p;
        break;
    case STORE_TASK:
        o->object_case = PB__OBJECT__OBJECT_TASK;
        o->task = p;
        break;
    case STORE_NETWORK:
        o->object_case = PB__OBJECT__OBJECT_NETWORK;
        o->network = p;
        break;
    case STORE_SECRET:
        o->object_case = PB__OBJECT__OBJECT_SECRET;
        o->secret = p;
        break;
    case STORE_CONFIG:
        o->object_case = PB__OBJECT__OBJECT_CONFIG;
        o->config = p;
        break;
    default:
        break;
    }
}

static void tell(struct watcher *w, const struct store_event *ev)
{
    Pb__WatchMessage m = PB__WATCH_MESSAGE__INIT;
    Pb__WatchMessage__Event one = PB__WATCH_MESSAGE__EVENT__INIT, *list[] = {&one};
    Pb__Version version = PB__VERSION__INIT;
    Pb__Object now = PB__OBJECT__INIT, before = PB__OBJECT__INIT;
    struct control_redacted shown_now, shown_before;
    object_set(&now, ev->kind, ev->object, &shown_now);
    one.action = (Pb__WatchActionKind)ev->action;
    one.object = &now;
    if (ev->before && w->request->include_old_object) {
        object_set(&before, ev->kind, ev->before, &shown_before);
        one.old_object = &before;
    }
    version.index = ev->index;
    m.version = &version;
    m.events = list;
    m.n_events = 1;
    if (rpc_send(w->call, &m.base))
        rpc_fail(w->call, RPC_RESOURCE_EXHAUSTED, "the event could not be sent");
}

static void on_event(void *arg, const struct store_event *ev)
{
    struct control *c = arg;
    for (struct watcher *w = c->watchers; w; w = w->next) {
        if (!wanted(w->request, ev))
            continue;
        if (rpc_queued(w->call) > WATCH_BEHIND_MAX)
            rpc_fail(w->call, RPC_RESOURCE_EXHAUSTED, "the watcher does not keep up");
        else
            tell(w, ev);
    }
}

/* ---- beginning and end ---- */
static void on_over(struct rpc_call *call, void *arg)
{
    struct watcher *w = arg, **at = &w->control->watchers;
    struct control *c = w->control;
    (void)call;
    while (*at != w)
        at = &(*at)->next;
    *at = w->next;
    free(w);
    if (!c->watchers)
        control_watch_done(c);
}

void control_watch_done(struct control *c)
{
    if (c->watch)
        store_unwatch(c->watch);
    c->watch = NULL;
}

static void watch(struct rpc_call *call, const ProtobufCMessage *request, void *service)
{
    const Pb__WatchRequest *req = (const Pb__WatchRequest *)request;
    struct control *c = service;
    struct rpc_status why;
    Pb__WatchMessage ready = PB__WATCH_MESSAGE__INIT;
    Pb__Version version = PB__VERSION__INIT;
    if (check_request(c, req, &why)) {
        rpc_fail_status(call, &why);
        return;
    }
    struct watcher *w = NEW(struct watcher);
    *w = (struct watcher){.next = c->watchers, .control = c, .call = call, .request = req};
    c->watchers = w;
    rpc_on_close(call, on_over, w);
    if (!c->watch)
        c->watch = store_watch(c->store, on_event, c);
    version.index = store_index(c->store, STORE_COMMITTED);
    ready.version = &version;
    if (rpc_send(call, &ready.base))
        rpc_fail(call, RPC_RESOURCE_EXHAUSTED, "the watch could not be begun");
}

struct control_table control_watch_table(void)
{
    static const struct rpc_handler t[] = {{&rpc_method_watch_watch, watch}};
    return CONTROL_TABLE(t);
}
