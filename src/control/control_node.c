/* control/control_node.c - nodes: get, list, update, remove. */
#include <stdlib.h>

#include "base/clock.h"
#include "base/mem.h"
#include "base/str.h"
#include "control/control_int.h"
#include "model/node.h"
#include "model/pb.h"

/* How long a removed node's certificate may still be good: twice the engine's default life of one,
 * when the cluster says nothing. */
#define CERT_LIFE_NS (2 * 90 * 24 * 3600 * NS_PER_SEC)

static void get_node(struct rpc_call *call, const ProtobufCMessage *request, void *service)
{
    const Pb__GetNodeRequest *req = (const Pb__GetNodeRequest *)request;
    struct control *c = service;
    Pb__GetNodeResponse res = PB__GET_NODE_RESPONSE__INIT;
    if (str_empty(req->node_id)) {
        control_fail_argument(call);
        return;
    }
    const void *n = store_get(c->store, STORE_COMMITTED, STORE_NODE, req->node_id);
    if (!n) {
        control_fail_missing(call, "node", req->node_id);
        return;
    }
    res.node = (Pb__Node *)(uintptr_t)n;
    rpc_reply(call, &res.base);
}

/* ---- listing ---- */
struct node_walk {
    const Pb__ListNodesRequest__Filters *f;
    struct control_list list;
};

static bool labelled(const Pb__ListNodesRequest__Filters *f, const Pb__Node *n)
{
    const Pb__EngineDescription *e = n->description ? n->description->engine : NULL;
    const Pb__Annotations *a = n->spec ? n->spec->annotations : NULL;
    if (f->n_labels && !(e && control_labels_match(f->n_labels, f->labels, e->n_labels, e->labels)))
        return false;
    return !f->n_node_labels ||
           (a && control_labels_match(f->n_node_labels, f->node_labels, a->n_labels, a->labels));
}

static bool of_role(const Pb__ListNodesRequest__Filters *f, const Pb__Node *n)
{
    for (size_t i = 0; i < f->n_roles; i++)
        if (f->roles[i] == n->role)
            return true;
    return !f->n_roles;
}

static bool of_membership(const Pb__ListNodesRequest__Filters *f, const Pb__Node *n)
{
    for (size_t i = 0; i < f->n_memberships; i++)
        if (n->spec && f->memberships[i] == n->spec->membership)
            return true;
    return !f->n_memberships;
}

static int visit(const void *object, void *arg)
{
    const Pb__Node *n = object;
    struct node_walk *w = arg;
    const Pb__ListNodesRequest__Filters *f = w->f;
    const char *host = node_hostname(n);
    if (f &&
        ((f->n_names && !control_has_string(f->names, f->n_names, host)) ||
         (f->n_name_prefixes &&
          !control_has_prefix_of(f->name_prefixes, f->n_name_prefixes, host)) ||
         (f->n_id_prefixes && !control_has_prefix_of(f->id_prefixes, f->n_id_prefixes, n->id)) ||
         !labelled(f, n) || !of_role(f, n) || !of_membership(f, n)))
        return 0;
    control_list_add(&w->list, n);
    return 0;
}

static void list_nodes(struct rpc_call *call, const ProtobufCMessage *request, void *service)
{
    const Pb__ListNodesRequest *req = (const Pb__ListNodesRequest *)request;
    struct control *c = service;
    Pb__ListNodesResponse res = PB__LIST_NODES_RESPONSE__INIT;
    struct node_walk w = {.f = req->filters};
    store_each(c->store, STORE_COMMITTED, STORE_NODE, visit, &w);
    res.nodes = (Pb__Node **)(uintptr_t)w.list.v;
    res.n_nodes = w.list.n;
    rpc_reply(call, &res.base);
    free(w.list.v);
}

/* ---- updating ---- */
static int desired_role(const Pb__Node *n)
{
    return n->spec ? (int)n->spec->desired_role : NODE_WORKER;
}

static int count_manager(const void *object, void *arg)
{
    *(unsigned *)arg += desired_role(object) == NODE_MANAGER;
    return 0;
}

static enum rpc_code check_update(const struct control *c, const Pb__Node *n,
                                  const Pb__UpdateNodeRequest *req, struct rpc_status *why)
{
    unsigned managers = 0;
    if (desired_role(n) == NODE_MANAGER && (int)req->spec->desired_role == NODE_WORKER) {
        store_each(c->store, STORE_TIP, STORE_NODE, count_manager, &managers);
        if (managers <= 1)
            return (enum rpc_code)rpc_status_set(
                why, RPC_FAILED_PRECONDITION, "attempting to demote the last manager of the swarm");
    }
    if ((unsigned)req->spec->availability > NODE_DRAIN ||
        (unsigned)req->spec->desired_role > NODE_MANAGER)
        return (enum rpc_code)rpc_status_set(why, RPC_INVALID_ARGUMENT, "invalid argument");
    if (!control_same_version(STORE_NODE, n, req->node_version))
        return (enum rpc_code)rpc_status_set(why, RPC_UNKNOWN, "update out of sequence");
    return RPC_OK;
}

static void reply_updated(struct control *c, struct rpc_call *call, const void *object)
{
    Pb__UpdateNodeResponse res = PB__UPDATE_NODE_RESPONSE__INIT;
    (void)c;
    res.node = (Pb__Node *)(uintptr_t)object;
    rpc_reply(call, &res.base);
}

static void update_node(struct rpc_call *call, const ProtobufCMessage *request, void *service)
{
    const Pb__UpdateNodeRequest *req = (const Pb__UpdateNodeRequest *)request;
    struct control *c = service;
    struct rpc_status why;
    if (str_empty(req->node_id) || !req->node_version || !req->spec) {
        control_fail_argument(call);
        return;
    }
    const Pb__Node *n = STORE_GET(c->store, STORE_TIP, NODE, Node, req->node_id);
    if (!n) {
        control_fail_missing(call, "node", req->node_id);
        return;
    }
    if (check_update(c, n, req, &why)) {
        rpc_fail_status(call, &why);
        return;
    }
    Pb__Node *changed = store_copy(STORE_NODE, n);
    int membership = changed->spec ? (int)changed->spec->membership
                                   : PB__NODE_SPEC__MEMBERSHIP__MEMBERSHIP_ACCEPTED;
    struct store_batch *b = store_batch_new(c->store);
    pb_free(changed->spec);
    changed->spec = pb_dup(req->spec);
    changed->spec->membership = (Pb__NodeSpec__Membership)membership; /* not the user's to say */
    store_update(b, STORE_NODE, changed);
    control_commit(c, call, b, STORE_NODE, req->node_id, reply_updated);
}

/* ---- removing ---- */
static enum rpc_code check_removal(const Pb__Node *n, bool force, struct rpc_status *why)
{
    if (desired_role(n) == NODE_MANAGER || n->manager_status)
        return (enum rpc_code)rpc_status_set(
            why, RPC_FAILED_PRECONDITION,
            "node %s is a cluster manager and is a member of the raft cluster. It must be demoted "
            "to worker before removal",
            n->id);
    if (!force && node_state(n) == NODE_READY)
        return (enum rpc_code)rpc_status_set(why, RPC_FAILED_PRECONDITION,
                                             "node %s is not down and can't be removed", n->id);
    return RPC_OK;
}

static int first(const void *object, void *arg)
{
    *(const void **)arg = object;
    return 1;
}

/* Its certificate is good for a while yet: nobody may come back with it. */
static void blacklist(struct control *c, struct store_batch *b, const Pb__Node *n)
{
    const void *have = NULL;
    store_each(c->store, STORE_TIP, STORE_CLUSTER, first, &have);
    if (!have || !n->certificate || str_empty(n->certificate->cn))
        return;
    Pb__Cluster *cluster = store_copy(STORE_CLUSTER, have);
    const Pb__CAConfig *ca = cluster->spec ? cluster->spec->ca_config : NULL;
    int64_t life = pb_duration_ns(ca ? ca->node_cert_expiry : NULL, CERT_LIFE_NS / 2);
    Pb__Cluster__BlacklistedCertificatesEntry *e = NEW(Pb__Cluster__BlacklistedCertificatesEntry);
    pb__cluster__blacklisted_certificates_entry__init(e);
    pb_str(&e->key, n->certificate->cn);
    e->value = PB_NEW(BlacklistedCertificate, blacklisted_certificate);
    pb_set_time(&e->value->expiry, control_now(c) + life * 2);
    PB_PUSH(cluster->n_blacklisted_certificates, cluster->blacklisted_certificates, e);
    store_update(b, STORE_CLUSTER, cluster);
}

static void reply_removed(struct control *c, struct rpc_call *call, const void *object)
{
    Pb__RemoveNodeResponse res = PB__REMOVE_NODE_RESPONSE__INIT;
    (void)c, (void)object;
    rpc_reply(call, &res.base);
}

static void remove_node(struct rpc_call *call, const ProtobufCMessage *request, void *service)
{
    const Pb__RemoveNodeRequest *req = (const Pb__RemoveNodeRequest *)request;
    struct control *c = service;
    struct rpc_status why;
    if (str_empty(req->node_id)) {
        control_fail_argument(call);
        return;
    }
    const Pb__Node *n = STORE_GET(c->store, STORE_TIP, NODE, Node, req->node_id);
    if (!n) {
        control_fail_missing(call, "node", req->node_id);
        return;
    }
    if (check_removal(n, req->force, &why)) {
        rpc_fail_status(call, &why);
        return;
    }
    struct store_batch *b = store_batch_new(c->store);
    blacklist(c, b, n);
    store_remove(b, STORE_NODE, req->node_id);
    control_commit(c, call, b, STORE_NODE, NULL, reply_removed);
}

struct control_table control_node_table(void)
{
    static const struct rpc_handler t[] = {
        {&rpc_method_control_get_node, get_node},
        {&rpc_method_control_list_nodes, list_nodes},
        {&rpc_method_control_update_node, update_node},
        {&rpc_method_control_remove_node, remove_node},
    };
    return CONTROL_TABLE(t);
}
