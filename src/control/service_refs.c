/* control/service_refs.c - does the rest of the cluster have what a service's spec names? */
#include "control/service_refs.h"

#include <stdlib.h>

#include "base/buf.h"
#include "base/str.h"
#include "model/pb.h"
#include "model/service.h"

enum { LIST_MAX = 4096, PORT_FIRST = 30000, PORT_LAST = 32767 };
#define BAD(...) ((enum rpc_code)rpc_status_set(why, RPC_INVALID_ARGUMENT, __VA_ARGS__))

/* ---- secrets and configs ---- */
static const char *stored_name(const struct store *s, enum store_kind k, const char *id)
{
    const void *o = store_get(s, STORE_TIP, k, id);
    return o ? store_object_name(k, o) : NULL;
}

static void missing(struct buf *list, size_t *n, const char *name)
{
    buf_printf(list, "%s%s", (*n)++ ? ", " : "", name);
}

static enum rpc_code check_secrets(const struct store *s, const Pb__ContainerSpec *c,
                                   struct rpc_status *why)
{
    AUTO_BUF struct buf names = BUF_INIT(LIST_MAX);
    size_t n = 0;
    for (size_t i = 0; i < c->n_secrets; i++) {
        const Pb__SecretReference *r = c->secrets[i];
        if (!str_eq(stored_name(s, STORE_SECRET, r->secret_id), r->secret_name))
            missing(&names, &n, r->secret_name);
    }
    return n ? BAD("secret%s not found: %s", n > 1 ? "s" : "", str_or(names.p, "")) : RPC_OK;
}

static enum rpc_code check_configs(const struct store *s, const Pb__ContainerSpec *c,
                                   struct rpc_status *why)
{
    AUTO_BUF struct buf names = BUF_INIT(LIST_MAX);
    size_t n = 0;
    for (size_t i = 0; i < c->n_configs; i++) {
        const Pb__ConfigReference *r = c->configs[i];
        if (!str_eq(stored_name(s, STORE_CONFIG, r->config_id), r->config_name))
            missing(&names, &n, r->config_name);
    }
    return n ? BAD("config%s not found: %s", n > 1 ? "s" : "", str_or(names.p, "")) : RPC_OK;
}

/* ---- networks ---- */
static enum rpc_code check_attachments(const struct store *s, size_t n,
                                       Pb__NetworkAttachmentConfig *const *list,
                                       struct rpc_status *why)
{
    for (size_t i = 0; i < n; i++) {
        const char *target = str_or(list[i]->target, "");
        const Pb__Network *net = STORE_GET(s, STORE_TIP, NETWORK, Network, target);
        if (net && net->spec && net->spec->ingress)
            return BAD("Service cannot be explicitly attached to the ingress network \"%s\"",
                       pb_name(net->spec->annotations));
        /* those that every node has of its own */
        if (net || str_eq(target, "bridge") || str_eq(target, "host") || str_eq(target, "none"))
            continue;
        rpc_status_set(why, RPC_NOT_FOUND, "network %s not found", target);
        return RPC_NOT_FOUND;
    }
    return RPC_OK;
}

static int is_ingress(const void *object, void *arg)
{
    const Pb__Network *n = object;
    (void)arg;
    return n->spec && n->spec->ingress;
}

static bool ingress_port(const Pb__PortConfig *p)
{
    return p->publish_mode == PB__PORT_CONFIG__PUBLISH_MODE__PUBLISH_MODE_INGRESS;
}

static enum rpc_code check_ingress(const struct store *s, const Pb__EndpointSpec *e,
                                   struct rpc_status *why)
{
    bool wanted = false;
    for (size_t i = 0; e && i < e->n_ports; i++)
        wanted = wanted || ingress_port(e->ports[i]);
    if (!wanted || store_each(s, STORE_TIP, STORE_NETWORK, is_ingress, NULL))
        return RPC_OK;
    rpc_status_set(why, RPC_FAILED_PRECONDITION,
                   "service needs ingress network, but no ingress network is present");
    return RPC_FAILED_PRECONDITION;
}

/* ---- ports ---- */
struct port_search {
    const Pb__EndpointSpec *want;
    const char *own_id;
    struct rpc_status *why;
};

/* A host port is only taken on the nodes that run its tasks: two services may have the same one. */
static bool clash(const Pb__PortConfig *a, const Pb__PortConfig *b)
{
    return a->published_port && a->published_port == b->published_port &&
           a->protocol == b->protocol && (ingress_port(a) || ingress_port(b));
}

static int port_taken(const struct port_search *q, const Pb__Service *s, size_t n,
                      Pb__PortConfig *const *ports)
{
    for (size_t i = 0; i < q->want->n_ports; i++)
        for (size_t k = 0; k < n; k++)
            if (clash(q->want->ports[i], ports[k]))
                return rpc_status_set(q->why, RPC_INVALID_ARGUMENT,
                                      "port '%u' is already in use by service '%s' (%s) as %s port",
                                      ports[k]->published_port, service_name(s), s->id,
                                      ingress_port(ports[k]) ? "an ingress" : "a host-published");
    return 0;
}

static int visit_ports(const void *object, void *arg)
{
    const Pb__Service *s = object;
    const struct port_search *q = arg;
    int taken = 0;
    if (q->own_id && str_eq(s->id, q->own_id))
        return 0;
    if (s->spec && s->spec->endpoint)
        taken = port_taken(q, s, s->spec->endpoint->n_ports, s->spec->endpoint->ports);
    if (!taken && s->endpoint)
        taken = port_taken(q, s, s->endpoint->n_ports, s->endpoint->ports);
    return taken;
}

static enum rpc_code check_ports(const struct store *s, const Pb__EndpointSpec *e, const char *id,
                                 struct rpc_status *why)
{
    struct port_search q = {e, id, why};
    if (!e || !e->n_ports)
        return RPC_OK;
    return (enum rpc_code)store_each(s, STORE_TIP, STORE_SERVICE, visit_ports, &q);
}

enum rpc_code service_refs_check(const struct store *s, const Pb__ServiceSpec *spec, const char *id,
                                 struct rpc_status *why)
{
    const Pb__TaskSpec *t = spec->task;
    enum rpc_code bad = RPC_OK;
    if ((bad = check_attachments(s, t->n_networks, t->networks, why)) ||
        (bad = check_attachments(s, spec->n_networks, spec->networks, why)) ||
        (bad = check_ingress(s, spec->endpoint, why)) ||
        (bad = check_ports(s, spec->endpoint, id, why)))
        return bad;
    if ((bad = check_secrets(s, t->container, why)))
        return bad;
    return check_configs(s, t->container, why);
}

/* ---- the endpoint ---- */
enum { PORTS = PORT_LAST - PORT_FIRST + 1, PROTOCOLS = 3 };
struct port_map {
    bool taken[PROTOCOLS][PORTS];
    const char *own_id;
};

static void take_port(struct port_map *m, const Pb__PortConfig *p)
{
    if (p->published_port >= PORT_FIRST && p->published_port <= PORT_LAST &&
        (unsigned)p->protocol < PROTOCOLS)
        m->taken[p->protocol][p->published_port - PORT_FIRST] = true;
}

static int visit_taken(const void *object, void *arg)
{
    const Pb__Service *s = object;
    struct port_map *m = arg;
    if (m->own_id && str_eq(s->id, m->own_id))
        return 0;
    for (size_t i = 0; s->endpoint && i < s->endpoint->n_ports; i++)
        take_port(m, s->endpoint->ports[i]);
    return 0;
}

static uint32_t port_before(const Pb__Endpoint *before, const Pb__PortConfig *p)
{
    for (size_t i = 0; before && i < before->n_ports; i++) {
        const Pb__PortConfig *b = before->ports[i];
        if (b->target_port == p->target_port && b->protocol == p->protocol &&
            b->publish_mode == p->publish_mode && b->published_port >= PORT_FIRST &&
            b->published_port <= PORT_LAST)
            return b->published_port;
    }
    return 0;
}

static uint32_t port_choose(struct port_map *m, const Pb__PortConfig *p, const Pb__Endpoint *before)
{
    if ((unsigned)p->protocol >= PROTOCOLS)
        return 0;
    bool *taken = m->taken[p->protocol];
    uint32_t had = port_before(before, p);
    if (had && !taken[had - PORT_FIRST])
        return had;
    for (uint32_t i = 0; i < PORTS; i++)
        if (!taken[i])
            return PORT_FIRST + i;
    return 0;
}

Pb__Endpoint *service_endpoint_new(const struct store *s, const Pb__ServiceSpec *spec,
                                   const char *id, const Pb__Endpoint *before,
                                   struct rpc_status *why)
{
    struct port_map m = {.own_id = id};
    Pb__Endpoint *e = PB_NEW(Endpoint, endpoint);
    e->spec = pb_dup(spec->endpoint);
    if (!spec->endpoint)
        return e;
    store_each(s, STORE_TIP, STORE_SERVICE, visit_taken, &m);
    for (size_t i = 0; i < spec->endpoint->n_ports; i++)
        take_port(&m, spec->endpoint->ports[i]);
    for (size_t i = 0; i < spec->endpoint->n_ports; i++) {
        Pb__PortConfig *p = pb_dup(spec->endpoint->ports[i]);
        PB_PUSH(e->n_ports, e->ports, p);
        if (p->published_port || !ingress_port(p))
            continue; /* a host port that is left open is the node's to choose */
        p->published_port = port_choose(&m, p, before);
        take_port(&m, p);
        if (p->published_port)
            continue;
        rpc_status_set(why, RPC_RESOURCE_EXHAUSTED, "no free port is left in %d-%d", PORT_FIRST,
                       PORT_LAST);
        pb_free(e);
        return NULL;
    }
    return e;
}
