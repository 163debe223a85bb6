/* scheduler/host.c - see scheduler/host.h. */
#include "scheduler/host.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/str.h"
#include "model/constraint.h"
#include "model/node.h"
#include "model/pb.h"
#include "model/task.h"

static const Pb__Resources *reserved(const Pb__Task *t)
{
    return t->spec && t->spec->resources ? t->spec->resources->reservations : NULL;
}

static void add_generic(struct host *h, const char *kind, const char *value, int64_t count)
{
    h->generic = mem_grow(h->generic, h->n_generic + 1, sizeof *h->generic);
    h->generic[h->n_generic].kind = mem_str(str_or(kind, ""));
    h->generic[h->n_generic].value = value ? mem_str(value) : NULL;
    h->generic[h->n_generic++].count = count;
}

void host_init(struct host *h, const Pb__Node *n)
{
    const Pb__Resources *r = n->description ? n->description->resources : NULL;

    *h = (struct host){.node = n, .cpus = r ? r->nano_cpus : 0, .memory = r ? r->memory_bytes : 0};
    for (size_t i = 0; r && i < r->n_generic; i++) {
        const Pb__GenericResource *g = r->generic[i];
        if (g->resource_case == PB__GENERIC_RESOURCE__RESOURCE_NAMED_RESOURCE_SPEC)
            add_generic(h, g->named_resource_spec->kind, str_or(g->named_resource_spec->value, ""),
                        1);
        else if (g->resource_case == PB__GENERIC_RESOURCE__RESOURCE_DISCRETE_RESOURCE_SPEC)
            add_generic(h, g->discrete_resource_spec->kind, NULL, g->discrete_resource_spec->value);
    }
}

void host_done(struct host *h)
{
    for (size_t i = 0; i < h->n_generic; i++) {
        free(h->generic[i].kind);
        free(h->generic[i].value);
    }
    free(h->generic);
    free(h->ports);
}

static uint64_t port_key(const Pb__PortConfig *p)
{
    return (uint64_t)p->published_port | (uint64_t)p->protocol << 32;
}

/* A host port that the node is to choose (0) is never taken already. */
static bool is_host_port(const Pb__PortConfig *p)
{
    return p->publish_mode == PB__PORT_CONFIG__PUBLISH_MODE__PUBLISH_MODE_HOST &&
           p->published_port != 0;
}

static void use_generic(struct host *h, const Pb__GenericResource *g)
{
    for (size_t i = 0; i < h->n_generic; i++) {
        if (g->resource_case == PB__GENERIC_RESOURCE__RESOURCE_NAMED_RESOURCE_SPEC) {
            if (h->generic[i].value && str_eq(h->generic[i].kind, g->named_resource_spec->kind) &&
                str_eq(h->generic[i].value, g->named_resource_spec->value))
                h->generic[i].count = 0;
        } else if (g->resource_case == PB__GENERIC_RESOURCE__RESOURCE_DISCRETE_RESOURCE_SPEC) {
            if (!h->generic[i].value && str_eq(h->generic[i].kind, g->discrete_resource_spec->kind))
                h->generic[i].count -= g->discrete_resource_spec->value;
        }
    }
}

void host_take(struct host *h, const Pb__Task *t)
{
    const Pb__Resources *r = reserved(t);

    if (r) {
        h->cpus -= r->nano_cpus > 0 ? r->nano_cpus : 0;
        h->memory -= r->memory_bytes > 0 ? r->memory_bytes : 0;
    }
    if (task_wanted(t))
        h->active++;
    for (size_t i = 0; i < t->n_assigned_generic_resources; i++)
        use_generic(h, t->assigned_generic_resources[i]);
    for (size_t i = 0; t->endpoint && i < t->endpoint->n_ports; i++) {
        if (!is_host_port(t->endpoint->ports[i]))
            continue;
        h->ports = mem_grow(h->ports, h->n_ports + 1, sizeof *h->ports);
        h->ports[h->n_ports++] = port_key(t->endpoint->ports[i]);
    }
}

static void give(Pb__Task *t, const char *kind, const char *value, int64_t count)
{
    Pb__GenericResource *g = PB_NEW(GenericResource, generic_resource);

    if (value) {
        g->resource_case = PB__GENERIC_RESOURCE__RESOURCE_NAMED_RESOURCE_SPEC;
        g->named_resource_spec = PB_NEW(NamedGenericResource, named_generic_resource);
        pb_str(&g->named_resource_spec->kind, kind);
        pb_str(&g->named_resource_spec->value, value);
    } else {
        g->resource_case = PB__GENERIC_RESOURCE__RESOURCE_DISCRETE_RESOURCE_SPEC;
        g->discrete_resource_spec = PB_NEW(DiscreteGenericResource, discrete_generic_resource);
        pb_str(&g->discrete_resource_spec->kind, kind);
        g->discrete_resource_spec->value = count;
    }
    PB_PUSH(t->n_assigned_generic_resources, t->assigned_generic_resources, g);
}

/* What a reservation asks for: kind and how many. A name cannot be asked for. */
static const Pb__DiscreteGenericResource *asked(const Pb__GenericResource *g)
{
    return g->resource_case == PB__GENERIC_RESOURCE__RESOURCE_DISCRETE_RESOURCE_SPEC
               ? g->discrete_resource_spec
               : NULL;
}

void host_claim(struct host *h, Pb__Task *t)
{
    const Pb__Resources *r = reserved(t);

    for (size_t k = 0; r && k < r->n_generic; k++) {
        const Pb__DiscreteGenericResource *want = asked(r->generic[k]);
        int64_t left = want ? want->value : 0;
        for (size_t i = 0; i < h->n_generic && left > 0; i++) {
            if (h->generic[i].count <= 0 || !str_eq(h->generic[i].kind, want->kind))
                continue;
            int64_t n = h->generic[i].value ? 1 : left;
            give(t, want->kind, h->generic[i].value, n);
            left -= n;
        }
    }
}

static bool generic_fits(const struct host *h, const Pb__GenericResource *g)
{
    const Pb__DiscreteGenericResource *want = asked(g);
    int64_t have = 0;

    if (!want)
        return false;
    for (size_t i = 0; i < h->n_generic; i++)
        if (h->generic[i].count > 0 && str_eq(h->generic[i].kind, want->kind))
            have += h->generic[i].count;
    return have >= want->value;
}

static bool resources_fit(const struct host *h, const Pb__Task *t)
{
    const Pb__Resources *r = reserved(t);

    if (!r)
        return true;
    if ((r->nano_cpus > 0 && r->nano_cpus > h->cpus) ||
        (r->memory_bytes > 0 && r->memory_bytes > h->memory))
        return false;
    for (size_t i = 0; i < r->n_generic; i++)
        if (!generic_fits(h, r->generic[i]))
            return false;
    return true;
}

/* A node that lists no plugin of a kind does not tell; the task finds out there. */
static bool has_plugin(const Pb__Node *n, const char *type, const char *name)
{
    const Pb__EngineDescription *e = n->description ? n->description->engine : NULL;
    bool any = false;

    for (size_t i = 0; e && i < e->n_plugins; i++) {
        if (!str_ieq(e->plugins[i]->type, type))
            continue;
        any = true;
        /* a name without a tag means the latest */
        const char *have = str_or(e->plugins[i]->name, "");
        size_t len = strlen(name);
        if (strcmp(have, name) == 0 ||
            (strncmp(have, name, len) == 0 && strcmp(have + len, ":latest") == 0))
            return true;
    }
    return !any;
}

static bool plugins_fit(const struct host *h, const Pb__Task *t)
{
    const Pb__ContainerSpec *c = task_container(t);

    for (size_t i = 0; c && i < c->n_mounts; i++) {
        const Pb__Mount *m = c->mounts[i];
        const Pb__Driver *d = m->volume_options ? m->volume_options->driver_config : NULL;
        if (m->type == PB__MOUNT__TYPE__TYPE_VOLUME && d && !str_empty(d->name) &&
            !str_eq(d->name, "local") && !has_plugin(h->node, "Volume", d->name))
            return false;
    }
    for (size_t i = 0; i < t->n_networks; i++) {
        const Pb__Network *n = t->networks[i]->network;
        const Pb__Driver *d = n ? n->driver_state : NULL;
        if (d && !str_empty(d->name) && !has_plugin(h->node, "Network", d->name))
            return false;
    }
    const Pb__Driver *log = t->log_driver;
    return !log || str_empty(log->name) || str_eq(log->name, "none") ||
           has_plugin(h->node, "Log", log->name);
}

/* The names of Go and those of the kernel for one architecture */
static const char *plain_arch(const char *a)
{
    if (str_eq(a, "x86_64"))
        return "amd64";
    return str_eq(a, "aarch64") ? "arm64" : a;
}

static bool platform_fits(const struct host *h, const Pb__Task *t)
{
    const Pb__Placement *p = t->spec ? t->spec->placement : NULL;
    const Pb__Platform *have = h->node->description ? h->node->description->platform : NULL;

    if (!p || p->n_platforms == 0)
        return true;
    for (size_t i = 0; have && i < p->n_platforms; i++) {
        const Pb__Platform *want = p->platforms[i];
        if ((str_empty(want->os) || str_eq(want->os, have->os)) &&
            (str_empty(want->architecture) ||
             str_eq(plain_arch(want->architecture), plain_arch(str_or(have->architecture, "")))))
            return true;
    }
    return false;
}

static bool ports_fit(const struct host *h, const Pb__Task *t)
{
    for (size_t i = 0; t->endpoint && i < t->endpoint->n_ports; i++)
        for (size_t k = 0; is_host_port(t->endpoint->ports[i]) && k < h->n_ports; k++)
            if (h->ports[k] == port_key(t->endpoint->ports[i]))
                return false;
    return true;
}

enum filter host_filter_fixed(const struct host *h, const Pb__Task *t)
{
    if (!node_takes_tasks(h->node))
        return FILTER_READY;
    if (!plugins_fit(h, t))
        return FILTER_PLUGINS;
    if (!constraint_match_task(t->spec, h->node))
        return FILTER_CONSTRAINTS;
    return platform_fits(h, t) ? FILTERS : FILTER_PLATFORM;
}

enum filter host_filter(const struct host *h, const Pb__Task *t)
{
    const Pb__Placement *p = t->spec ? t->spec->placement : NULL;

    if (h->fixed == FILTER_READY)
        return FILTER_READY;
    if (!resources_fit(h, t))
        return FILTER_RESOURCES;
    if (h->fixed != FILTERS)
        return h->fixed;
    if (!ports_fit(h, t))
        return FILTER_PORTS;
    if (p && p->max_replicas > 0 && h->of_service >= p->max_replicas)
        return FILTER_MAX_REPLICAS;
    return FILTERS;
}

static void explain_one(struct buf *b, enum filter f, uint64_t n)
{
    static const char *const words[FILTERS] = {
        [FILTER_RESOURCES] = "insufficient resources",
        [FILTER_PLUGINS] = "missing plugin",
        [FILTER_CONSTRAINTS] = "scheduling constraints not satisfied",
        [FILTER_PLATFORM] = "unsupported platform",
        [FILTER_PORTS] = "host-mode port already in use",
    };
    const char *s = n == 1 ? "" : "s";

    if (f == FILTER_READY)
        buf_printf(b, "%" PRIu64 " node%s not available for new tasks", n, s);
    else if (f == FILTER_MAX_REPLICAS)
        buf_str(b, "max replicas per node limit exceed");
    else
        buf_printf(b, "%s on %" PRIu64 " node%s", words[f], n, s);
}

void why_not_explain(const struct why_not *w, struct buf *b)
{
    struct why_not left = *w;

    for (;;) {
        int top = -1;
        for (int f = 0; f < FILTERS; f++)
            if (left.n[f] && (top < 0 || left.n[f] > left.n[top]))
                top = f;
        if (top < 0)
            return;
        if (b->len)
            buf_str(b, "; ");
        explain_one(b, (enum filter)top, left.n[top]);
        left.n[top] = 0;
    }
}
