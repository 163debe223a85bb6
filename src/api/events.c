/* api/events.c - /events: what happens on this node and in its cluster, live and from a ring of the
 * last EVENTS_KEPT.
 *
 * Three sources: the runtime's watch, the images' events, and the manager's Watch stream (opened
 * again after a pause when it breaks). An event is kept as what it says; each listener filters and
 * writes it in the form of its API version. A listener that does not read is cut off at
 * LISTENER_QUEUE. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include "api/event_text.h"
#include "api/state.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/str.h"
#include "proto/watch.pb-c.h"
#include "rpc/methods.h"

enum { EVENTS_KEPT = 256, LISTENER_QUEUE = 4 << 20, WATCH_PAUSE_MS = 1000, LOCAL_NETWORKS = 8 };

struct listener {
    struct api_call *call;
    struct api_filters *filters;
    int64_t until_ns; /* 0: no end */
    uv_timer_t timer;
    struct listener *next, **link;
};
struct api_events {
    struct api *api;
    struct event ring[EVENTS_KEPT];
    size_t first, n;
    struct listener *listeners;
    size_t nlisteners;
    struct rpc_client *client;
    struct rpc_pending *watch;
    uv_timer_t retry;
    struct runtime_watch *containers;
    bool freeing;
};

/* ---- telling ---- */

static void write_to(struct listener *l, const struct event *ev)
{
    struct buf b = BUF_INIT(1 << 20);
    if (!event_fits(ev, l->filters))
        return;
    event_write(ev, &b);
    if (!b.failed && http_stream_write(l->call->rq, b.p, b.len) == -ENOBUFS) {
        log_warn("a reader of events is too slow and was cut off");
        http_stream_end(l->call->rq);
    }
    buf_free(&b);
}

static void publish(struct api_events *evs, struct event *ev /* taken */)
{
    struct event *place = &evs->ring[(evs->first + evs->n) % EVENTS_KEPT];
    if (evs->n == EVENTS_KEPT) {
        event_done(place);
        evs->first = (evs->first + 1) % EVENTS_KEPT;
    } else {
        evs->n++;
    }
    *place = *ev;
    for (struct listener *l = evs->listeners, *next; l; l = next) {
        next = l->next;
        write_to(l, place);
    }
}

void api_event(struct api *a, const char *type, const char *action, const char *id,
               const char *from, const char *const *attributes)
{
    struct event ev;
    event_init(&ev, type, action, id, "local", clock_wall_ns());
    ev.from = mem_str(from);
    for (; attributes && attributes[0]; attributes += 2)
        event_attribute(&ev, attributes[0], attributes[1]);
    publish(a->events, &ev);
}

/* ---- this node ---- */

/* A container on the bridge joins it when it starts and leaves it when it ends; the network room
 * keeps no watch of its own. */
static void tell_network(struct api_events *evs, const char *action, const struct container *c)
{
    struct event ev;
    if (!c->endpoint || c->endpoint->mode != NETWORK_BRIDGE)
        return;
    event_init(&ev, "network", action, c->endpoint->network_id, "local", clock_wall_ns());
    event_attribute(&ev, "container", c->id);
    event_attribute(&ev, "name", "bridge");
    event_attribute(&ev, "type", "bridge");
    publish(evs, &ev);
}

/* A container's network: told as an event of the network. */
static void on_container_network(struct api_events *evs, const struct runtime_event *re)
{
    struct network_info all[LOCAL_NETWORKS];
    size_t n = evs->api->o.network ? network_list(evs->api->o.network, all, LOCAL_NETWORKS) : 0;
    struct event ev;
    event_init(&ev, "network", re->action, re->network_id, "local", clock_wall_ns());
    event_attribute(&ev, "container", re->c->id);
    for (size_t i = 0; i < n; i++) {
        if (strcmp(all[i].id, re->network_id) != 0)
            continue;
        event_attribute(&ev, "name", all[i].name);
        event_attribute(&ev, "type", all[i].driver);
    }
    publish(evs, &ev);
}

static void on_container(void *arg, const struct runtime_event *re)
{
    struct api_events *evs = arg;
    const struct container *c = re->c;
    if (re->network_id) {
        on_container_network(evs, re);
        return;
    }
    struct event ev;
    char number[24];
    if (strcmp(re->action, "start") == 0)
        tell_network(evs, "connect", c);
    event_init(&ev, "container", re->action, c->id, "local", clock_wall_ns());
    ev.from = mem_str(c->config->image);
    for (char *const *label = c->config->labels; label && *label; label++) {
        const char *eq = strchr(*label, '=');
        AUTO_FREE char *key = eq ? mem_strn(*label, (size_t)(eq - *label)) : mem_str(*label);
        event_attribute(&ev, key, eq ? eq + 1 : "");
    }
    event_attribute(&ev, "image", c->config->image);
    event_attribute(&ev, "name", c->config->name);
    if (strcmp(re->action, "die") == 0 || strcmp(re->action, "exec_die") == 0) {
        snprintf(number, sizeof(number), "%d", re->exit_code);
        event_attribute(&ev, "exitCode", number);
    }
    if (strcmp(re->action, "kill") == 0) {
        snprintf(number, sizeof(number), "%d", re->signal);
        event_attribute(&ev, "signal", number);
    }
    if (re->exec_id)
        event_attribute(&ev, "execID", re->exec_id);
    publish(evs, &ev);
    if (strcmp(re->action, "die") == 0)
        tell_network(evs, "disconnect", c);
}

static void on_image(void *arg, const char *action, const char *id, const char *name)
{
    struct api_events *evs = arg;
    struct event ev;
    event_init(&ev, "image", action, id, "local", clock_wall_ns());
    if (!str_empty(name))
        event_attribute(&ev, "name", name);
    publish(evs, &ev);
}

/* ---- the cluster ---- */

static void start_watch(struct api_events *evs);

static void on_retry(uv_timer_t *t)
{
    struct api_events *evs = t->data;
    start_watch(evs);
}

static void on_watch_end(void *arg, const struct rpc_status *st)
{
    struct api_events *evs = arg;
    evs->watch = NULL;
    log_debug("the watch of cluster events ended: %s", st->message);
    if (evs->client && st->code != RPC_UNIMPLEMENTED)
        uv_timer_start(&evs->retry, on_retry, WATCH_PAUSE_MS, 0);
}

static void on_watch_message(void *arg, ProtobufCMessage *m)
{
    struct api_events *evs = arg;
    const Pb__WatchMessage *w = (const void *)m;
    for (size_t i = 0; i < w->n_events; i++) {
        struct event ev;
        if (event_of_object(w->events[i], clock_wall_ns(), &ev))
            publish(evs, &ev);
    }
}

static void start_watch(struct api_events *evs)
{
    static const char *const kinds[] = {"secret", "config", "service", "node", "network"};
    enum { KINDS = sizeof(kinds) / sizeof(*kinds) };
    Pb__WatchRequest rq = PB__WATCH_REQUEST__INIT;
    Pb__WatchRequest__WatchEntry entries[KINDS], *list[KINDS];
    if (!evs->client || evs->watch)
        return;
    for (size_t i = 0; i < KINDS; i++) {
        pb__watch_request__watch_entry__init(&entries[i]);
        entries[i].kind = (char *)(uintptr_t)kinds[i];
        entries[i].action =
            (Pb__WatchActionKind)(PB__WATCH_ACTION_KIND__WATCH_ACTION_KIND_WATCH_ACTION_CREATE |
                                  PB__WATCH_ACTION_KIND__WATCH_ACTION_KIND_WATCH_ACTION_UPDATE |
                                  PB__WATCH_ACTION_KIND__WATCH_ACTION_KIND_WATCH_ACTION_REMOVE);
        list[i] = &entries[i];
    }
    rq.entries = list;
    rq.n_entries = KINDS;
    rq.include_old_object = true;
    evs->watch = rpc_open(evs->client, &rpc_method_watch_watch, &rq.base, 0, on_watch_message,
                          on_watch_end, evs);
}

void api_events_manager(struct api_events *evs, struct rpc_client *client)
{
    if (evs->client == client)
        return;
    if (evs->watch)
        rpc_cancel(TAKE(evs->watch));
    uv_timer_stop(&evs->retry);
    evs->client = client;
    start_watch(evs);
}

/* ---- listeners ---- */

static void on_listener_closed(uv_handle_t *h)
{
    free(h->data);
}

static void listener_free(void *arg)
{
    struct listener *l = arg;
    if (l->link) {
        *l->link = l->next;
        if (l->next)
            l->next->link = l->link;
        l->call->api->events->nlisteners--;
    }
    api_filters_free(l->filters);
    uv_close((uv_handle_t *)&l->timer, on_listener_closed);
}

static void on_until(uv_timer_t *t)
{
    struct listener *l = t->data;
    if (l->call->rq)
        http_stream_end(l->call->rq);
}

static int time_param(struct api_call *c, const char *name, int64_t now, int64_t *ret)
{
    const char *text = http_query(c->rq, name);
    *ret = 0;
    if (str_empty(text) || time_parse_query(text, now, ret) == 0)
        return 0;
    /* a 500 and these words, as the engine has them here */
    api_error(c, 500, "strconv.ParseInt: parsing \"%s\": invalid syntax", text);
    return -1;
}

static struct listener *listener_new(struct api_call *c, struct api_filters *f, int64_t until)
{
    struct listener *l = NEW(struct listener);
    *l = (struct listener){.call = c, .filters = f, .until_ns = until};
    uv_timer_init(c->api->o.loop, &l->timer);
    l->timer.data = l;
    c->state = l;
    c->free_state = listener_free;
    return l;
}

static void listener_add(struct api_events *evs, struct listener *l, int64_t now)
{
    l->next = evs->listeners;
    l->link = &evs->listeners;
    if (l->next)
        l->next->link = &l->next;
    evs->listeners = l;
    evs->nlisteners++;
    if (l->until_ns)
        uv_timer_start(&l->timer, on_until, (uint64_t)((l->until_ns - now) / NS_PER_MS) + 1, 0);
}

static void events_ready(struct api_call *c)
{
    struct api_events *evs = c->api->events;
    struct api_filters *f = NULL;
    int64_t now = clock_wall_ns(), since = 0, until = 0;
    if (time_param(c, "since", now, &since) != 0 || time_param(c, "until", now, &until) != 0)
        return;
    if (since && until && until < since) {
        api_error(c, 400, "`since` time (%s) cannot be after `until` time (%s)",
                  http_query(c->rq, "since"), http_query(c->rq, "until"));
        return;
    }
    if (api_filters_get(c, NULL, &f) != 0)
        return;
    struct listener *l = listener_new(c, f, until);
    c->answered = true;
    http_stream_begin(c->rq, 200, "application/json", LISTENER_QUEUE);
    for (size_t i = 0; i < evs->n && (since || until); i++) {
        const struct event *ev = &evs->ring[(evs->first + i) % EVENTS_KEPT];
        if (ev->time_ns >= since && (!until || ev->time_ns <= until))
            write_to(l, ev);
    }
    if (until && until <= now)
        http_stream_end(c->rq);
    else
        listener_add(evs, l, now);
}

void api_events_route(struct api_call *c)
{
    api_take_none(c, events_ready);
}

size_t api_events_listeners(const struct api_events *evs)
{
    return evs->nlisteners;
}

/* ---- beginning and end ---- */

struct api_events *api_events_new(struct api *a)
{
    struct api_events *evs = NEW(struct api_events);
    evs->api = a;
    uv_timer_init(a->o.loop, &evs->retry);
    evs->retry.data = evs;
    if (a->o.runtime)
        evs->containers = runtime_watch(a->o.runtime, on_container, evs);
    if (a->o.images)
        image_on_event(a->o.images, on_image, evs);
    return evs;
}

static void on_retry_closed(uv_handle_t *h)
{
    struct api_events *evs = h->data;
    for (size_t i = 0; i < evs->n; i++)
        event_done(&evs->ring[(evs->first + i) % EVENTS_KEPT]);
    free(evs);
}

void api_events_free(struct api_events *evs)
{
    api_events_manager(evs, NULL);
    if (evs->containers)
        runtime_unwatch(evs->containers);
    if (evs->api->o.images)
        image_on_event(evs->api->o.images, NULL, NULL);
    uv_close((uv_handle_t *)&evs->retry, on_retry_closed);
}
