/* control/control_cluster.c - the cluster: get, list, update; and the manager's own status. Its
 * keys never leave by here. */
#include <stdlib.h>

#include "base/mem.h"
#include "base/str.h"
#include "control/control_int.h"
#include "control/validate_cluster.h"
#include "model/node.h"
#include "model/pb.h"
#include "proto/keep.pb-c.h"

const Pb__Cluster *control_redact_cluster(const Pb__Cluster *c, struct control_redacted *r)
{
    static const ProtobufCBinaryData nothing = {0, NULL};
    if (!c)
        return NULL;
    r->cluster = *c;
    r->cluster.n_network_bootstrap_keys = 0;
    r->cluster.n_unlock_keys = 0;
    if (c->spec && c->spec->ca_config) {
        r->spec = *c->spec;
        r->ca_config = *c->spec->ca_config;
        r->ca_config.signing_ca_key = nothing;
        r->spec.ca_config = &r->ca_config;
        r->cluster.spec = &r->spec;
    }
    if (c->root_ca) {
        r->root_ca = *c->root_ca;
        r->root_ca.ca_key = nothing;
        r->cluster.root_ca = &r->root_ca;
    }
    if (c->root_ca && c->root_ca->root_rotation) {
        r->rotation = *c->root_ca->root_rotation;
        r->rotation.ca_key = nothing;
        r->root_ca.root_rotation = &r->rotation;
    }
    return &r->cluster;
}

static void get_cluster(struct rpc_call *call, const ProtobufCMessage *request, void *service)
{
    const Pb__GetClusterRequest *req = (const Pb__GetClusterRequest *)request;
    struct control *c = service;
    struct control_redacted shown;
    Pb__GetClusterResponse res = PB__GET_CLUSTER_RESPONSE__INIT;
    if (str_empty(req->cluster_id)) {
        control_fail_argument(call);
        return;
    }
    const Pb__Cluster *have =
        STORE_GET(c->store, STORE_COMMITTED, CLUSTER, Cluster, req->cluster_id);
    if (!have) {
        control_fail_missing(call, "cluster", req->cluster_id);
        return;
    }
    res.cluster = (Pb__Cluster *)(uintptr_t)control_redact_cluster(have, &shown);
    rpc_reply(call, &res.base);
}

static void list_clusters(struct rpc_call *call, const ProtobufCMessage *request, void *service)
{
    const Pb__ListClustersRequest *req = (const Pb__ListClustersRequest *)request;
    Pb__ListClustersResponse res = PB__LIST_CLUSTERS_RESPONSE__INIT;
    struct control_filter f = CONTROL_FILTER(req->filters, false);
    struct control_list l = control_list_of(service, STORE_CLUSTER, &f);
    struct control_redacted *shown = mem_array(l.n, sizeof(*shown));
    for (size_t i = 0; i < l.n; i++)
        l.v[i] = control_redact_cluster(l.v[i], &shown[i]);
    res.clusters = (Pb__Cluster **)(uintptr_t)l.v;
    res.n_clusters = l.n;
    rpc_reply(call, &res.base);
    free(l.v);
    free(shown);
}

/* ---- updating ---- */
static bool autolock(const Pb__ClusterSpec *spec)
{
    return spec && spec->encryption_config && spec->encryption_config->auto_lock_managers;
}

static bool needs_keys(const Pb__Cluster *have, const Pb__UpdateClusterRequest *req)
{
    const Pb__KeyRotation *r = req->rotation;
    return autolock(have->spec) != autolock(req->spec) ||
           (r && (r->worker_join_token || r->manager_join_token || r->manager_unlock_key));
}

static enum rpc_code rotate(struct control *c, const Pb__Cluster *have, Pb__Cluster *changed,
                            const Pb__UpdateClusterRequest *req, struct rpc_status *why)
{
    static const Pb__KeyRotation none = PB__KEY_ROTATION__INIT;
    if (!needs_keys(have, req))
        return RPC_OK;
    if (c->hooks.rotate)
        return c->hooks.rotate(c->hooks.arg, have, changed, req->rotation ? req->rotation : &none,
                               why);
    rpc_status_set(why, RPC_UNIMPLEMENTED, "this manager cannot rotate keys and tokens");
    return RPC_UNIMPLEMENTED;
}

static void reply_updated(struct control *c, struct rpc_call *call, const void *object)
{
    struct control_redacted shown;
    Pb__UpdateClusterResponse res = PB__UPDATE_CLUSTER_RESPONSE__INIT;
    (void)c;
    res.cluster = (Pb__Cluster *)(uintptr_t)control_redact_cluster(object, &shown);
    rpc_reply(call, &res.base);
}

static void update_cluster(struct rpc_call *call, const ProtobufCMessage *request, void *service)
{
    const Pb__UpdateClusterRequest *req = (const Pb__UpdateClusterRequest *)request;
    struct control *c = service;
    struct rpc_status why;
    if (str_empty(req->cluster_id) || !req->cluster_version || !req->spec) {
        control_fail_argument(call);
        return;
    }
    const Pb__Cluster *have = STORE_GET(c->store, STORE_TIP, CLUSTER, Cluster, req->cluster_id);
    if (!have) {
        control_fail_missing(call, "cluster", req->cluster_id);
        return;
    }
    if (validate_cluster_spec(req->spec, have->spec, &why)) {
        rpc_fail_status(call, &why);
        return;
    }
    if (!control_same_version(STORE_CLUSTER, have, req->cluster_version)) {
        control_fail_sequence(call);
        return;
    }
    Pb__Cluster *changed = store_copy(STORE_CLUSTER, have);
    pb_free(changed->spec);
    changed->spec = pb_dup(req->spec);
    if (rotate(c, have, changed, req, &why)) {
        store_object_free(STORE_CLUSTER, changed);
        rpc_fail_status(call, &why);
        return;
    }
    struct store_batch *b = store_batch_new(c->store);
    store_update(b, STORE_CLUSTER, changed);
    control_commit(c, call, b, STORE_CLUSTER, req->cluster_id, reply_updated);
}

/* ---- keep.v1.Manager/Status ---- */
struct headcount {
    uint32_t nodes, managers;
};

static int count_node(const void *object, void *arg)
{
    struct headcount *h = arg;
    h->nodes++;
    h->managers += (int)((const Pb__Node *)object)->role == NODE_MANAGER;
    return 0;
}

static int first_id(const void *object, void *arg)
{
    *(char **)arg = ((const Pb__Cluster *)object)->id;
    return 1;
}

static void manager_status(struct rpc_call *call, const ProtobufCMessage *request, void *service)
{
    struct control *c = service;
    struct headcount h = {0};
    Keep__StatusResponse res = KEEP__STATUS_RESPONSE__INIT;
    (void)request;
    store_each(c->store, STORE_COMMITTED, STORE_NODE, count_node, &h);
    store_each(c->store, STORE_COMMITTED, STORE_CLUSTER, first_id, &res.cluster_id);
    if (c->node_id)
        res.node_id = c->node_id;
    if (c->addr)
        res.addr = c->addr;
    res.nodes = h.nodes;
    res.managers = h.managers;
    res.index = store_index(c->store, STORE_COMMITTED);
    rpc_reply(call, &res.base);
}

struct control_table control_cluster_table(void)
{
    static const struct rpc_handler t[] = {
        {&rpc_method_control_get_cluster, get_cluster},
        {&rpc_method_control_list_clusters, list_clusters},
        {&rpc_method_control_update_cluster, update_cluster},
        {&rpc_method_manager_status, manager_status},
    };
    return CONTROL_TABLE(t);
}
