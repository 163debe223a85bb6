/* unit/control/test_control_cluster.c - nodes, the cluster and its keys, the watch, the manager's
 * status, what is refused. */
#include "unit/control/control_fixture.h"

#include "model/node.h"
#include "proto/keep.pb-c.h"
#include "proto/watch.pb-c.h"

static struct ctl c;

static void put_node(const char *id, const char *host, int role, int state)
{
    Pb__Node *n = PB_NEW(Node, node);
    pb_str(&n->id, id);
    n->role = (Pb__NodeRole)role;
    n->spec = PB_NEW(NodeSpec, node_spec);
    n->spec->desired_role = (Pb__NodeRole)role;
    n->spec->membership = PB__NODE_SPEC__MEMBERSHIP__MEMBERSHIP_ACCEPTED;
    n->spec->annotations = PB_NEW(Annotations, annotations);
    pb_label_set(n->spec->annotations, "zone", host);
    n->description = PB_NEW(NodeDescription, node_description);
    pb_str(&n->description->hostname, host);
    n->status = PB_NEW(NodeStatus, node_status);
    n->status->state = (Pb__NodeStatus__State)state;
    n->certificate = PB_NEW(Certificate, certificate);
    pb_str(&n->certificate->cn, id);
    if (role == NODE_MANAGER)
        n->manager_status = PB_NEW(ManagerStatus, manager_status);
    ctl_put(&c, STORE_NODE, n);
}

static const Pb__Node *node(const char *id)
{
    return STORE_GET(c.fx.store, STORE_COMMITTED, NODE, Node, id);
}

static int update_node(const char *id, int role, int availability, uint64_t version)
{
    Pb__UpdateNodeRequest rq = PB__UPDATE_NODE_REQUEST__INIT;
    Pb__NodeSpec spec = PB__NODE_SPEC__INIT;
    Pb__Version v = PB__VERSION__INIT;
    v.index = version ? version : node(id) ? node(id)->meta->version->index : 0;
    spec.desired_role = (Pb__NodeRole)role;
    spec.availability = (Pb__NodeSpec__Availability)availability;
    rq.node_id = (char *)(uintptr_t)id;
    rq.node_version = &v;
    rq.spec = &spec;
    return CTL_CALL(&c, update_node, &rq);
}

static int remove_node(const char *id, bool force)
{
    Pb__RemoveNodeRequest rq = PB__REMOVE_NODE_REQUEST__INIT;
    rq.node_id = (char *)(uintptr_t)id;
    rq.force = force;
    return CTL_CALL(&c, remove_node, &rq);
}

static void nodes_are_drained_but_the_last_manager_stays(void)
{
    ctl_open(&c, NULL);
    put_node("m1", "alpha", NODE_MANAGER, NODE_READY);
    put_node("w1", "beta", NODE_WORKER, NODE_READY);
    EXPECT_INT(update_node("m1", NODE_MANAGER, NODE_DRAIN, 0), RPC_OK);
    EXPECT_INT(node_availability(node("m1")), NODE_DRAIN);
    EXPECT_INT(node("m1")->spec->membership, PB__NODE_SPEC__MEMBERSHIP__MEMBERSHIP_ACCEPTED);
    EXPECT_INT(update_node("m1", NODE_WORKER, NODE_ACTIVE, 0), RPC_FAILED_PRECONDITION);
    EXPECT_STR(c.st.message, "attempting to demote the last manager of the swarm");
    EXPECT_INT(update_node("w1", NODE_WORKER, NODE_PAUSE, 1), RPC_UNKNOWN);
    EXPECT_STR(c.st.message, "update out of sequence");
    EXPECT_INT(update_node("w1", NODE_WORKER, 77, 0), RPC_INVALID_ARGUMENT);
    EXPECT_INT(update_node("nope", NODE_WORKER, 0, 1), RPC_NOT_FOUND);
    EXPECT_STR(c.st.message, "node nope not found");
    EXPECT_INT(update_node("", NODE_WORKER, 0, 1), RPC_INVALID_ARGUMENT);
    ctl_close(&c);
}

static Pb__Cluster *make_cluster(void)
{
    static const uint8_t key[] = "KEYKEYKEY";
    Pb__Cluster *k = PB_NEW(Cluster, cluster);
    pb_str(&k->id, "cluster1");
    k->spec = PB_NEW(ClusterSpec, cluster_spec);
    k->spec->annotations = PB_NEW(Annotations, annotations);
    pb_str(&k->spec->annotations->name, "default");
    k->spec->ca_config = PB_NEW(CAConfig, caconfig);
    pb_bytes(&k->spec->ca_config->signing_ca_key, key, 9);
    k->root_ca = PB_NEW(RootCA, root_ca);
    pb_bytes(&k->root_ca->ca_key, key, 9);
    pb_bytes(&k->root_ca->ca_cert, "CERT", 4);
    k->root_ca->join_tokens = PB_NEW(JoinTokens, join_tokens);
    pb_str(&k->root_ca->join_tokens->worker, "SWMTKN-1-w");
    k->root_ca->root_rotation = PB_NEW(RootRotation, root_rotation);
    pb_bytes(&k->root_ca->root_rotation->ca_key, key, 9);
    Pb__EncryptionKey *e = PB_NEW(EncryptionKey, encryption_key);
    pb_bytes(&e->key, key, 9);
    PB_PUSH(k->n_unlock_keys, k->unlock_keys, e);
    e = PB_NEW(EncryptionKey, encryption_key);
    pb_bytes(&e->key, key, 9);
    PB_PUSH(k->n_network_bootstrap_keys, k->network_bootstrap_keys, e);
    return k;
}

static void a_removed_node_is_not_let_in_again(void)
{
    ctl_open(&c, NULL);
    ctl_put(&c, STORE_CLUSTER, make_cluster());
    put_node("m1", "alpha", NODE_MANAGER, NODE_READY);
    put_node("w1", "beta", NODE_WORKER, NODE_READY);
    put_node("w2", "gamma", NODE_WORKER, NODE_DOWN);
    EXPECT_INT(remove_node("m1", true), RPC_FAILED_PRECONDITION); /* force does not help */
    EXPECT_STR(c.st.message,
               "node m1 is a cluster manager and is a member of the raft cluster. It must be "
               "demoted to worker before removal");
    EXPECT_INT(remove_node("w1", false), RPC_FAILED_PRECONDITION);
    EXPECT_STR(c.st.message, "node w1 is not down and can't be removed");
    EXPECT_INT(remove_node("w1", true), RPC_OK);
    EXPECT_INT(remove_node("w2", false), RPC_OK);
    EXPECT_INT(remove_node("w2", false), RPC_NOT_FOUND);
    const Pb__Cluster *k = STORE_GET(c.fx.store, STORE_COMMITTED, CLUSTER, Cluster, "cluster1");
    REQUIRE(k && k->n_blacklisted_certificates == 2);
    EXPECT_STR(k->blacklisted_certificates[0]->key, "w1");
    EXPECT(pb_time_ns(k->blacklisted_certificates[0]->value->expiry) > c.fx.now);
    ctl_close(&c);
}

static size_t nodes(const char *prefix, int role, const char *zone)
{
    Pb__ListNodesRequest rq = PB__LIST_NODES_REQUEST__INIT;
    Pb__ListNodesRequest__Filters f = PB__LIST_NODES_REQUEST__FILTERS__INIT;
    Pb__ListNodesRequest__Filters__NodeLabelsEntry
        l = PB__LIST_NODES_REQUEST__FILTERS__NODE_LABELS_ENTRY__INIT,
        *ls[] = {&l};
    char *p[] = {(char *)(uintptr_t)prefix}, key[] = "zone";
    Pb__NodeRole roles[] = {(Pb__NodeRole)role};
    rq.filters = &f;
    f.name_prefixes = p;
    f.n_name_prefixes = prefix != NULL;
    f.roles = roles;
    f.n_roles = role >= 0;
    l.key = key;
    l.value = (char *)(uintptr_t)zone;
    f.node_labels = ls;
    f.n_node_labels = zone != NULL;
    EXPECT_INT(CTL_CALL(&c, list_nodes, &rq), RPC_OK);
    return c.response ? ((Pb__ListNodesResponse *)c.response)->n_nodes : 999;
}

static void nodes_are_found_by_hostname_role_and_label(void)
{
    ctl_open(&c, NULL);
    put_node("m1", "alpha", NODE_MANAGER, NODE_READY);
    put_node("w1", "alps", NODE_WORKER, NODE_READY);
    EXPECT_INT(nodes(NULL, -1, NULL), 2);
    EXPECT_INT(nodes("alp", -1, NULL), 2);
    EXPECT_INT(nodes("alpha", -1, NULL), 1);
    EXPECT_INT(nodes("alp", NODE_WORKER, NULL), 1);
    EXPECT_INT(nodes(NULL, -1, "alpha"), 1);
    EXPECT_INT(nodes("beta", -1, NULL), 0);
    ctl_close(&c);
}

static bool has_key(const void *m)
{
    size_t n = protobuf_c_message_get_packed_size(m);
    uint8_t *p = mem_new(n ? n : 1);
    protobuf_c_message_pack(m, p);
    bool found = memmem(p, n, "KEYKEYKEY", 9) != NULL;
    free(p);
    return found;
}

static void the_clusters_keys_are_in_no_answer(void)
{
    Pb__GetClusterRequest get = PB__GET_CLUSTER_REQUEST__INIT;
    Pb__ListClustersRequest list = PB__LIST_CLUSTERS_REQUEST__INIT;
    char id[] = "cluster1";
    ctl_open(&c, NULL);
    ctl_put(&c, STORE_CLUSTER, make_cluster());
    get.cluster_id = id;
    EXPECT_INT(CTL_CALL(&c, get_cluster, &get), RPC_OK);
    Pb__Cluster *k = ((Pb__GetClusterResponse *)c.response)->cluster;
    EXPECT(!has_key(k));
    EXPECT_STR(k->root_ca->join_tokens->worker, "SWMTKN-1-w");
    EXPECT_INT(k->root_ca->ca_cert.len, 4);
    EXPECT_INT(CTL_CALL(&c, list_clusters, &list), RPC_OK);
    EXPECT_INT(((Pb__ListClustersResponse *)c.response)->n_clusters, 1);
    EXPECT(!has_key(c.response));
    EXPECT(has_key(STORE_GET(c.fx.store, STORE_COMMITTED, CLUSTER, Cluster, "cluster1")));
    ctl_close(&c);
}

static enum rpc_code rotate(void *arg, const Pb__Cluster *before, Pb__Cluster *after,
                            const Pb__KeyRotation *r, struct rpc_status *why)
{
    (void)before;
    ++*(int *)arg;
    if (r->manager_unlock_key)
        return (enum rpc_code)rpc_status_set(why, RPC_FAILED_PRECONDITION, "no autolock");
    if (r->worker_join_token)
        pb_str(&after->root_ca->join_tokens->worker, "SWMTKN-1-new");
    return RPC_OK;
}

static int update_cluster(bool worker, bool unlock, bool autolock, uint64_t version)
{
    Pb__UpdateClusterRequest rq = PB__UPDATE_CLUSTER_REQUEST__INIT;
    Pb__Version v = PB__VERSION__INIT;
    Pb__KeyRotation r = PB__KEY_ROTATION__INIT;
    char id[] = "cluster1";
    const Pb__Cluster *k = STORE_GET(c.fx.store, STORE_COMMITTED, CLUSTER, Cluster, id);
    v.index = version ? version : k->meta->version->index;
    rq.cluster_id = id;
    rq.cluster_version = &v;
    rq.spec = PB_NEW(ClusterSpec, cluster_spec);
    rq.spec->annotations = PB_NEW(Annotations, annotations);
    pb_str(&rq.spec->annotations->name, "default");
    rq.spec->encryption_config = PB_NEW(EncryptionConfig, encryption_config);
    rq.spec->encryption_config->auto_lock_managers = autolock;
    r.worker_join_token = worker;
    r.manager_unlock_key = unlock;
    rq.rotation = &r;
    int code = CTL_CALL(&c, update_cluster, &rq);
    pb_free(rq.spec);
    return code;
}

static void tokens_are_rotated_by_whom_main_plugged_in(void)
{
    int calls = 0;
    struct control_hooks hooks = {&calls, rotate};
    ctl_open(&c, &hooks);
    ctl_put(&c, STORE_CLUSTER, make_cluster());
    EXPECT_INT(update_cluster(false, false, false, 0), RPC_OK);
    EXPECT_INT(calls, 0);
    EXPECT_INT(update_cluster(true, false, false, 0), RPC_OK);
    Pb__Cluster *k = ((Pb__UpdateClusterResponse *)c.response)->cluster;
    EXPECT_STR(k->root_ca->join_tokens->worker, "SWMTKN-1-new");
    EXPECT(!has_key(k));
    EXPECT_INT(update_cluster(false, true, false, 0), RPC_FAILED_PRECONDITION);
    EXPECT_STR(c.st.message, "no autolock");
    EXPECT_INT(update_cluster(false, false, true, 0), RPC_OK); /* autolock switched */
    EXPECT_INT(calls, 3);
    EXPECT_INT(update_cluster(false, false, true, 1), RPC_UNKNOWN);
    ctl_close(&c);
    ctl_open(&c, NULL);
    ctl_put(&c, STORE_CLUSTER, make_cluster());
    EXPECT_INT(update_cluster(true, false, false, 0), RPC_UNIMPLEMENTED);
    ctl_close(&c);
}

static void the_manager_says_how_it_is(void)
{
    Keep__StatusRequest rq = KEEP__STATUS_REQUEST__INIT;
    ctl_open(&c, NULL);
    EXPECT_INT(ctl_call(&c, &rpc_method_manager_status, &rq), RPC_OK);
    EXPECT_STR(((Keep__StatusResponse *)c.response)->cluster_id, "");
    ctl_put(&c, STORE_CLUSTER, make_cluster());
    put_node("m1", "a", NODE_MANAGER, NODE_READY);
    put_node("w1", "b", NODE_WORKER, NODE_READY);
    control_set_self(c.control, "m1", "127.0.0.1:2377");
    EXPECT_INT(ctl_call(&c, &rpc_method_manager_status, &rq), RPC_OK);
    Keep__StatusResponse *r = c.response;
    EXPECT_STR(r->cluster_id, "cluster1");
    EXPECT_STR(r->node_id, "m1");
    EXPECT_STR(r->addr, "127.0.0.1:2377");
    EXPECT_INT(r->nodes, 2);
    EXPECT_INT(r->managers, 1);
    EXPECT_INT(r->index, store_index(c.fx.store, STORE_COMMITTED));
    ctl_close(&c);
}

static void what_there_is_not_is_refused_by_name(void)
{
    Pb__ListVolumesRequest rq = PB__LIST_VOLUMES_REQUEST__INIT;
    ctl_open(&c, NULL);
    EXPECT_INT(CTL_CALL(&c, list_volumes, &rq), RPC_UNIMPLEMENTED);
    EXPECT(strstr(c.st.message, "not supported") && strstr(c.st.message, "ListVolumes"));
    ctl_close(&c);
}

/* ---- the watch ---- */
struct seen {
    int messages, events, secrets, with_old;
    int last_action;
    char last_id[64];
    bool ended, key, payload;
    struct rpc_status st;
};

static void on_message(void *arg, ProtobufCMessage *m)
{
    struct seen *s = arg;
    Pb__WatchMessage *w = (Pb__WatchMessage *)m;
    s->messages++;
    s->key = s->key || has_key(m);
    for (size_t i = 0; i < w->n_events; i++) {
        Pb__Object *o = w->events[i]->object;
        s->events++;
        s->with_old += w->events[i]->old_object != NULL;
        s->last_action = (int)w->events[i]->action;
        if (o->object_case != PB__OBJECT__OBJECT_SECRET)
            continue;
        s->secrets++;
        s->payload = s->payload || o->secret->spec->data.len > 0;
        snprintf(s->last_id, sizeof(s->last_id), "%s", o->secret->id);
    }
}

static void on_end(void *arg, const struct rpc_status *st)
{
    struct seen *s = arg;
    s->ended = true;
    s->st = *st;
}

static struct rpc_pending *start_watch(const char *kind, int action, bool old, struct seen *s)
{
    Pb__WatchRequest rq = PB__WATCH_REQUEST__INIT;
    Pb__WatchRequest__WatchEntry e = PB__WATCH_REQUEST__WATCH_ENTRY__INIT, *es[] = {&e};
    e.kind = (char *)(uintptr_t)kind;
    e.action = (Pb__WatchActionKind)action;
    rq.entries = es;
    rq.n_entries = kind != NULL;
    rq.include_old_object = old;
    struct rpc_pending *p =
        rpc_open(c.client, &rpc_method_watch_watch, &rq.base, 0, on_message, on_end, s);
    ctl_turn(&c);
    return p;
}

static void a_watch_tells_what_became_durable_and_no_secret(void)
{
    struct seen secrets = {0}, all = {0};
    char id[ID_SIZE] = "";
    ctl_open(&c, NULL);
    start_watch("secret", STORE_CREATE | STORE_REMOVE, true, &secrets);
    struct rpc_pending *p = start_watch(NULL, 0, true, &all);
    EXPECT_INT(secrets.messages, 1); /* the watch is set */
    EXPECT_INT(secrets.events, 0);
    EXPECT_INT(ctl_secret(&c, "s", 5, id), RPC_OK);
    ctl_put(&c, STORE_CLUSTER, make_cluster());
    ctl_turn(&c);
    EXPECT_INT(secrets.secrets, 1);
    EXPECT_STR(secrets.last_id, id);
    EXPECT_INT(all.events, 2);
    EXPECT(!all.key && !all.payload);
    EXPECT_INT(update_cluster(false, false, false, 0), RPC_OK);
    ctl_turn(&c);
    EXPECT_INT(all.with_old, 1);
    EXPECT(!all.key);
    rpc_cancel(p);
    Pb__RemoveSecretRequest rm = PB__REMOVE_SECRET_REQUEST__INIT;
    rm.secret_id = id;
    EXPECT_INT(CTL_CALL(&c, remove_secret, &rm), RPC_OK);
    ctl_turn(&c);
    EXPECT_INT(secrets.events, 2);
    EXPECT_INT(secrets.last_action, STORE_REMOVE);
    EXPECT_INT(all.events, 3);
    ctl_close(&c);
    EXPECT(secrets.ended);
}

static void a_watch_that_cannot_be_kept_is_refused(void)
{
    struct seen s = {0};
    Pb__WatchRequest rq = PB__WATCH_REQUEST__INIT;
    Pb__Version v = PB__VERSION__INIT;
    ctl_open(&c, NULL);
    start_watch("banana", 0, false, &s);
    EXPECT(s.ended);
    EXPECT_INT(s.st.code, RPC_INVALID_ARGUMENT);
    v.index = 99;
    rq.resume_from = &v;
    s = (struct seen){0};
    rpc_open(c.client, &rpc_method_watch_watch, &rq.base, 0, on_message, on_end, &s);
    ctl_turn(&c);
    EXPECT(s.ended);
    EXPECT_INT(s.st.code, RPC_OUT_OF_RANGE);
    ctl_close(&c);
}

int main(void)
{
    TEST(nodes_are_drained_but_the_last_manager_stays);
    TEST(a_removed_node_is_not_let_in_again);
    TEST(nodes_are_found_by_hostname_role_and_label);
    TEST(the_clusters_keys_are_in_no_answer);
    TEST(tokens_are_rotated_by_whom_main_plugged_in);
    TEST(the_manager_says_how_it_is);
    TEST(what_there_is_not_is_refused_by_name);
    TEST(a_watch_tells_what_became_durable_and_no_secret);
    TEST(a_watch_that_cannot_be_kept_is_refused);
    return check_done();
}
