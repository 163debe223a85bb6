/* control/control_network.c - networks as objects of the cluster: create, get, list, remove. What
 * they are on a node is the node's affair. */
#include <stdlib.h>

#include "base/id.h"
#include "base/mem.h"
#include "base/str.h"
#include "control/control_int.h"
#include "control/in_use.h"
#include "model/name.h"
#include "model/pb.h"

enum { NAMES_MAX = 4096 };
#define PREDEFINED_LABEL "com.docker.swarm.predefined"

static const Pb__Network *find(const struct control *c, enum store_view v, const char *id,
                               const char *name)
{
    return !str_empty(id) ? store_get(c->store, v, STORE_NETWORK, id)
                          : store_by_name(c->store, v, STORE_NETWORK, str_or(name, ""));
}

static void get_network(struct rpc_call *call, const ProtobufCMessage *request, void *service)
{
    const Pb__GetNetworkRequest *req = (const Pb__GetNetworkRequest *)request;
    Pb__GetNetworkResponse res = PB__GET_NETWORK_RESPONSE__INIT;
    const Pb__Network *n = find(service, STORE_COMMITTED, req->network_id, req->name);
    if (!n) {
        control_fail_missing(call, "network", str_or(req->network_id, str_or(req->name, "")));
        return;
    }
    res.network = (Pb__Network *)(uintptr_t)n;
    rpc_reply(call, &res.base);
}

static void list_networks(struct rpc_call *call, const ProtobufCMessage *request, void *service)
{
    const Pb__ListNetworksRequest *req = (const Pb__ListNetworksRequest *)request;
    Pb__ListNetworksResponse res = PB__LIST_NETWORKS_RESPONSE__INIT;
    struct control_filter f = CONTROL_FILTER(req->filters, false);
    struct control_list l = control_list_of(service, STORE_NETWORK, &f);
    res.networks = (Pb__Network **)(uintptr_t)l.v;
    res.n_networks = l.n;
    rpc_reply(call, &res.base);
    free(l.v);
}

/* ---- creating ---- */
static enum rpc_code check_spec(const struct control *c, const Pb__NetworkSpec *spec,
                                struct rpc_status *why)
{
    const char *name = spec ? pb_name(spec->annotations) : "";
    const char *bad = spec ? name_check_service(name) : "invalid argument";
    if (bad)
        return (enum rpc_code)rpc_status_set(why, RPC_INVALID_ARGUMENT, "%s", bad);
    if (spec->annotations && pb_map_get(PB_MAP(spec->annotations, labels), PREDEFINED_LABEL))
        return (enum rpc_code)rpc_status_set(why, RPC_PERMISSION_DENIED,
                                             "label " PREDEFINED_LABEL
                                             " is for internally created predefined networks and "
                                             "cannot be applied by users");
    const char *driver =
        spec->driver_config ? str_or(spec->driver_config->name, "overlay") : "overlay";
    if (!str_eq(driver, "overlay"))
        return (enum rpc_code)rpc_status_set(why, RPC_INVALID_ARGUMENT,
                                             "network driver %s is not supported", driver);
    if (spec->ingress)
        return (enum rpc_code)rpc_status_set(why, RPC_UNIMPLEMENTED,
                                             "a second ingress network is not supported");
    if (store_by_name(c->store, STORE_TIP, STORE_NETWORK, name))
        return (enum rpc_code)rpc_status_set(
            why, RPC_ALREADY_EXISTS,
            "name conflicts with an existing object: network with name %s already exists", name);
    return RPC_OK;
}

static Pb__Network *network_from(Pb__NetworkSpec *spec)
{
    char id[ID_SIZE];
    Pb__Network *n = PB_NEW(Network, network);
    id_new(id);
    pb_str(&n->id, id);
    n->spec = spec;
    n->driver_state = PB_NEW(Driver, driver);
    pb_str(&n->driver_state->name, "overlay");
    n->ipam = PB_NEW(IPAMOptions, ipamoptions);
    n->ipam->driver = PB_NEW(Driver, driver);
    pb_str(&n->ipam->driver->name, "default");
    for (size_t i = 0; spec->ipam && i < spec->ipam->n_configs; i++)
        PB_PUSH(n->ipam->n_configs, n->ipam->configs, pb_dup(spec->ipam->configs[i]));
    return n;
}

Pb__Network *control_ingress_network(void)
{
    Pb__NetworkSpec *spec = PB_NEW(NetworkSpec, network_spec);
    spec->annotations = PB_NEW(Annotations, annotations);
    pb_str(&spec->annotations->name, "ingress");
    spec->ingress = true;
    return network_from(spec);
}

static void reply_created(struct control *c, struct rpc_call *call, const void *object)
{
    Pb__CreateNetworkResponse res = PB__CREATE_NETWORK_RESPONSE__INIT;
    (void)c;
    res.network = (Pb__Network *)(uintptr_t)object;
    rpc_reply(call, &res.base);
}

static void create_network(struct rpc_call *call, const ProtobufCMessage *request, void *service)
{
    const Pb__CreateNetworkRequest *req = (const Pb__CreateNetworkRequest *)request;
    struct control *c = service;
    struct rpc_status why;
    if (check_spec(c, req->spec, &why)) {
        rpc_fail_status(call, &why);
        return;
    }
    Pb__Network *n = network_from(pb_dup(req->spec));
    AUTO_FREE char *id = mem_str(n->id);
    struct store_batch *b = store_batch_new(c->store);
    store_create(b, STORE_NETWORK, n);
    control_commit(c, call, b, STORE_NETWORK, id, reply_created);
}

/* ---- removing ---- */
static int uses(const void *object, void *arg)
{
    const char *id = arg;
    return service_spec_uses_network(((const Pb__Service *)object)->spec, id);
}

static void reply_removed(struct control *c, struct rpc_call *call, const void *object)
{
    Pb__RemoveNetworkResponse res = PB__REMOVE_NETWORK_RESPONSE__INIT;
    (void)c, (void)object;
    rpc_reply(call, &res.base);
}

struct search {
    const char *id;
    const Pb__Service *found;
};

static int find_user(const void *object, void *arg)
{
    struct search *s = arg;
    if (!uses(object, (void *)(uintptr_t)s->id))
        return 0;
    s->found = object;
    return 1;
}

static void remove_network(struct rpc_call *call, const ProtobufCMessage *request, void *service)
{
    const Pb__RemoveNetworkRequest *req = (const Pb__RemoveNetworkRequest *)request;
    struct control *c = service;
    const Pb__Network *n = find(c, STORE_TIP, req->network_id, req->name);
    if (!n) {
        control_fail_missing(call, "network", str_or(req->network_id, str_or(req->name, "")));
        return;
    }
    if (n->spec && n->spec->ingress) {
        rpc_fail(call, RPC_UNIMPLEMENTED, "removing the ingress network is not supported");
        return;
    }
    struct search s = {.id = n->id};
    store_each(c->store, STORE_TIP, STORE_SERVICE, find_user, &s);
    if (s.found) {
        rpc_fail(call, RPC_FAILED_PRECONDITION, "network %s is in use by service %s", n->id,
                 s.found->id);
        return;
    }
    struct store_batch *b = store_batch_new(c->store);
    store_remove(b, STORE_NETWORK, n->id);
    control_commit(c, call, b, STORE_NETWORK, NULL, reply_removed);
}

struct control_table control_network_table(void)
{
    static const struct rpc_handler t[] = {
        {&rpc_method_control_get_network, get_network},
        {&rpc_method_control_list_networks, list_networks},
        {&rpc_method_control_create_network, create_network},
        {&rpc_method_control_remove_network, remove_network},
    };
    return CONTROL_TABLE(t);
}
