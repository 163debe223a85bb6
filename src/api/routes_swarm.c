/* api/routes_swarm.c - /swarm: founding, leaving, looking at and changing the cluster. Joining
 * another one is refused for now. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include "api/decode.h"
#include "api/encode.h"
#include "api/state.h"
#include "api/swarm_addr.h"
#include "base/secret.h"
#include "base/str.h"
#include "proto/ca.pb-c.h"
#include "rpc/methods.h"

static struct api_node node_now(struct api_call *c)
{
    struct api_node n = {.state = API_NODE_INACTIVE};
    const struct api_node_ops *ops = &c->api->o.node;
    if (ops->get)
        ops->get(ops->arg, &n);
    return n;
}

/* An asynchronous operation of the node has ended; the client may be gone, the call is held. */
static bool outcome_is_good(struct api_call *c, const struct api_outcome *o)
{
    if (o->http)
        api_error(c, o->http, "%s", str_or(o->message, "the operation failed"));
    else if (o->st && o->st->code != RPC_OK)
        api_error_status(c, o->st);
    else
        return true;
    return false;
}

/* ---- init ---- */

static const char *const availability[] = {"active", "pause", "drain"};

static void on_founded(void *arg, const struct api_outcome *o)
{
    struct api_call *c = arg;
    if (!o->http && o->st &&
        o->st->code ==
            RPC_INVALID_ARGUMENT) /* what the manager says of the spec comes wrapped, as a 500 */
        api_error(c, 500, "error updating cluster settings: rpc error: code = %s desc = %s",
                  rpc_code_name(o->st->code), o->st->message);
    else if (outcome_is_good(c, o)) {
        struct buf b = API_OUT();
        struct jw w = JW_INIT(&b);
        jw_str(&w, NULL, o->node_id);
        api_reply_json(c, 200, &b);
    }
    api_node_changed(c->api);
    api_release(c);
}

static int read_addresses(const struct json_at *at, Keep__InitRequest *rq, unsigned *status,
                          struct err *e)
{
    char listen[SWARM_ADDR_SIZE], advertise[SWARM_ADDR_SIZE], data[SWARM_ADDR_SIZE];
    int r = swarm_addr_listen(json_at_str(at, "ListenAddr"), listen, status, e);
    if (r == 0)
        r = swarm_addr_advertise(json_at_str(at, "AdvertiseAddr"), listen, advertise, status, e);
    if (r == 0)
        r = swarm_addr_data_path(json_at_str(at, "DataPathAddr"), data, status, e);
    if (r < 0)
        return r;
    pb_str(&rq->listen_addr, listen);
    pb_str(&rq->advertise_addr, advertise);
    pb_str(&rq->data_path_addr, data);
    return 0;
}

static int read_pool(const struct json_at *at, Keep__InitRequest *rq, unsigned *status,
                     struct err *e)
{
    *status = 500;
    uint64_t port = json_at_uint(at, "DataPathPort", UINT32_MAX, "uint32", NULL);
    if (port != 0 && (port < 1024 || port > 49151))
        return err_set(e, -EINVAL, "Datapath port number is not in valid range (1024-49151) : %llu",
                       (unsigned long long)port);
    uint64_t size = json_at_uint(at, "SubnetSize", UINT32_MAX, "uint32", NULL);
    rq->default_addr_pool = json_at_strings(at, "DefaultAddrPool", &rq->n_default_addr_pool);
    if (rq->n_default_addr_pool > 0 && (size == 0 || size > 29))
        return err_set(e, -EINVAL, "subnet size is out of range: %llu", (unsigned long long)size);
    rq->data_path_port = (uint32_t)port;
    rq->subnet_size = rq->n_default_addr_pool > 0 ? (uint32_t)size : 0;
    return 0;
}

static int read_init(const struct json_at *at, Keep__InitRequest *rq, unsigned *status,
                     struct err *e)
{
    struct json_at spec;
    const char *word = json_at_str(at, "Availability");
    int avail = *word ? decode_word(availability, 3, word) : 0;
    int r = read_addresses(at, rq, status, e);
    if (r == 0)
        r = read_pool(at, rq, status, e);
    if (r < 0)
        return r;
    *status = 400;
    if (avail < 0)
        return err_set(e, -EINVAL, "invalid Availability: \"%s\"", word);
    rq->availability = (Pb__NodeSpec__Availability)avail;
    json_at_object(at, "Spec", "Spec", "swarm.Spec", &spec);
    r = decode_cluster_spec(&spec, NULL, &rq->spec, e);
    if (r == 0 && json_at_bool(at, "AutoLockManagers"))
        rq->spec->encryption_config->auto_lock_managers = true;
    return r;
}

static void init_json(struct api_call *c, json_t *body)
{
    struct err e = {""};
    struct json_in in = {.failed = false};
    struct json_at at = json_at_root(&in, body, "swarm.InitRequest");
    const struct api_node_ops *ops = &c->api->o.node;
    unsigned status = 400;
    struct api_node n = node_now(c);
    if (n.state != API_NODE_INACTIVE && !json_at_bool(&at, "ForceNewCluster")) {
        api_error(c, 503,
                  "This node is already part of a swarm. Use \"docker swarm leave\" to leave this "
                  "swarm and join another one.");
        return;
    }
    Keep__InitRequest *rq = NEW(Keep__InitRequest);
    keep__init_request__init(rq);
    int r = read_init(&at, rq, &status, &e);
    if (in.failed)
        api_error(c, 400, "%s", in.e.text);
    else if (r < 0)
        api_error(c, status, "%s", e.text);
    else if (!ops->init)
        api_error(c, 501, "this daemon cannot found a swarm");
    else {
        api_hold(c);
        ops->init(ops->arg, rq, n.state != API_NODE_INACTIVE, on_founded, c);
    }
    pb_free(rq);
}

void api_swarm_init(struct api_call *c)
{
    api_take_json(c, "swarm.InitRequest", init_json);
}

/* ---- join, leave ---- */

/* "SWMTKN-1-<50 digits of base 36>-<25 digits>" */
static bool is_join_token(const char *t)
{
    static const char digits[] = "0123456789abcdefghijklmnopqrstuvwxyz";
    if (!str_starts(t, "SWMTKN-1-"))
        return false;
    t += strlen("SWMTKN-1-");
    return strlen(t) == 76 && strspn(t, digits) == 50 && t[50] == '-' &&
           strspn(t + 51, digits) == 25;
}

static void join_json(struct api_call *c, json_t *body)
{
    struct json_in in = {.failed = false};
    struct json_at at = json_at_root(&in, body, "swarm.JoinRequest");
    const char *token = json_at_str(&at, "JoinToken");
    if (in.failed)
        api_error(c, 400, "%s", in.e.text);
    else if (node_now(c).state != API_NODE_INACTIVE)
        api_error(c, 503,
                  "This node is already part of a swarm. Use \"docker swarm leave\" to leave this "
                  "swarm and join another one.");
    else if (!is_join_token(token))
        api_error(c, 500, "invalid join token");
    else
        api_error(c, 501,
                  "joining the swarm of another node is not supported yet; this node can found one "
                  "of its own with swarm init");
}

void api_swarm_join(struct api_call *c)
{
    api_take_json(c, "swarm.JoinRequest", join_json);
}

static void on_left(void *arg, const struct api_outcome *o)
{
    struct api_call *c = arg;
    if (outcome_is_good(c, o))
        api_reply_empty(c, 200);
    api_node_changed(c->api);
    api_release(c);
}

static void leave_ready(struct api_call *c)
{
    const struct api_node_ops *ops = &c->api->o.node;
    struct api_node n = node_now(c);
    bool force = http_query_bool(c->rq, "force");
    if (n.state == API_NODE_INACTIVE) {
        api_error(c, 503, "This node is not part of a swarm");
    } else if (n.state == API_NODE_LOCKED && !force) {
        api_error(c, 503,
                  "Swarm is encrypted and locked. Please unlock it first or use `--force` to "
                  "ignore this message.");
    } else if (n.manager && !force) {
        api_error(c, 503,
                  "You are attempting to leave the swarm on a node that is participating as a "
                  "manager. Removing the last manager erases all "
                  "current state of the swarm. Use `--force` to ignore this message. ");
    } else if (!ops->leave) {
        api_error(c, 501, "this daemon cannot leave a swarm");
    } else {
        api_hold(c);
        ops->leave(ops->arg, force, on_left, c);
    }
}

void api_swarm_leave(struct api_call *c)
{
    api_take_none(c, leave_ready);
}

/* ---- the cluster object ---- */

static Pb__Cluster *only_cluster(struct api_call *c, ProtobufCMessage *response)
{
    const Pb__ListClustersResponse *r = (const void *)response;
    if (r->n_clusters > 0)
        return r->clusters[0];
    api_error(c, 500, "the manager knows no cluster");
    return NULL;
}

static void ask_cluster(struct api_call *c,
                        void (*on_ok)(struct api_call *c, ProtobufCMessage *response))
{
    Pb__ListClustersRequest rq = PB__LIST_CLUSTERS_REQUEST__INIT;
    api_rpc(c, &rpc_method_control_list_clusters, &rq, on_ok);
}

static void reply_cluster(struct api_call *c, ProtobufCMessage *response)
{
    const Pb__Cluster *cluster = only_cluster(c, response);
    if (!cluster)
        return;
    struct buf b = API_OUT();
    struct jw w = JW_INIT(&b);
    encode_cluster(&w, NULL, cluster, true);
    api_reply_json(c, 200, &b);
}

static void get_ready(struct api_call *c)
{
    ask_cluster(c, reply_cluster);
}

void api_swarm_get(struct api_call *c)
{
    api_take_none(c, get_ready);
}

/* ---- update ---- */

struct update {
    json_t *body;
    uint64_t version;
    bool worker, manager, unlock_key;
};

static void free_update(void *arg)
{
    struct update *u = arg;
    json_decref(u->body);
    free(u);
}

static void on_updated(struct api_call *c, ProtobufCMessage *response)
{
    (void)response;
    api_reply_empty(c, 200);
}

static void update_cluster(struct api_call *c, ProtobufCMessage *response)
{
    struct update *u = c->state;
    struct err e = {""};
    struct json_in in = {.failed = false};
    Pb__Cluster *cluster = only_cluster(c, response);
    Pb__ClusterSpec *spec = NULL;
    if (!cluster)
        return;
    struct json_at at = json_at_root(&in, u->body, "swarm.Spec");
    if (decode_cluster_spec(&at, cluster->spec, &spec, &e) < 0) {
        api_error(c, 400, "%s", e.text);
        return;
    }
    Pb__UpdateClusterRequest rq = PB__UPDATE_CLUSTER_REQUEST__INIT;
    Pb__Version version = PB__VERSION__INIT;
    Pb__KeyRotation rotation = PB__KEY_ROTATION__INIT;
    version.index = u->version;
    rotation.worker_join_token = u->worker;
    rotation.manager_join_token = u->manager;
    rotation.manager_unlock_key = u->unlock_key;
    rq.cluster_id = cluster->id;
    rq.cluster_version = &version;
    rq.rotation = &rotation;
    rq.spec = spec;
    api_rpc(c, &rpc_method_control_update_cluster, &rq, on_updated);
    pb_free(spec);
}

static int flag_param(struct api_call *c, const char *name, bool *ret)
{
    static const char *const words[] = {"1", "t", "true", "0", "f", "false"};
    const char *text = http_query(c->rq, name);
    *ret = false;
    if (str_empty(text))
        return 0;
    int at = decode_word(words, 6, text);
    if (at < 0) {
        api_error(c, 400, "invalid value for %s: %s", name, text);
        return -1;
    }
    *ret = at < 3;
    return 0;
}

static void update_json(struct api_call *c, json_t *body)
{
    struct update *u = NEW(struct update);
    u->body = json_incref(body);
    c->state = u;
    c->free_state = free_update;
    if (!api_manager(c) || api_version_param(c, "swarm", true, &u->version) != 0)
        return;
    if (flag_param(c, "rotateWorkerToken", &u->worker) != 0 ||
        flag_param(c, "rotateManagerToken", &u->manager) != 0 ||
        flag_param(c, "rotateManagerUnlockKey", &u->unlock_key) != 0)
        return;
    ask_cluster(c, update_cluster);
}

void api_swarm_update(struct api_call *c)
{
    api_take_json(c, "swarm.Spec", update_json);
}

/* ---- unlock key ---- */

static void reply_key(struct api_call *c, ProtobufCMessage *response)
{
    const Pb__GetUnlockKeyResponse *r = (const void *)response;
    struct buf b = BUF_INIT(4096);
    buf_str(&b, "{\"UnlockKey\":\"");
    if (r->unlock_key.len > 0 && r->unlock_key.len < 1024) {
        struct buf text = BUF_INIT(2048);
        struct jw w = JW_INIT(&text);
        jw_base64(&w, NULL, r->unlock_key.data,
                  r->unlock_key.len); /* its owner asked for it: the one key that is ever shown */
        size_t n = text.len - 2;
        while (n > 0 && text.p[n] == '=')
            n--;
        buf_str(&b, "SWMKEY-1-");
        buf_append(&b, text.p + 1, n);
        secret_wipe(text.p, text.cap);
        buf_free(&text);
    }
    buf_str(&b, "\"}");
    api_reply_json(c, 200, &b);
}

static void ask_key(struct api_call *c, ProtobufCMessage *response)
{
    const Pb__Cluster *cluster = only_cluster(c, response);
    Pb__GetUnlockKeyRequest rq = PB__GET_UNLOCK_KEY_REQUEST__INIT;
    Pb__GetUnlockKeyResponse none = PB__GET_UNLOCK_KEY_RESPONSE__INIT;
    if (!cluster)
        return;
    if (cluster->spec && cluster->spec->encryption_config &&
        cluster->spec->encryption_config->auto_lock_managers)
        api_rpc(c, &rpc_method_ca_get_unlock_key, &rq, reply_key);
    else
        reply_key(c, &none.base);
}

static void unlockkey_ready(struct api_call *c)
{
    ask_cluster(c, ask_key);
}

void api_swarm_unlockkey(struct api_call *c)
{
    api_take_none(c, unlockkey_ready);
}

/* ---- unlock ---- */

static void on_unlocked(void *arg, const struct api_outcome *o)
{
    struct api_call *c = arg;
    if (outcome_is_good(c, o))
        api_reply_empty(c, 200);
    api_node_changed(c->api);
    api_release(c);
}

struct unlock {
    struct buf body; /* bounded to a key's size; wiped */
};

static void free_unlock(void *arg)
{
    struct unlock *u = arg;
    if (u->body.p)
        secret_wipe(u->body.p, u->body.cap);
    buf_free(&u->body);
    free(u);
}

static void unlock_with(struct api_call *c, const char *key)
{
    const struct api_node_ops *ops = &c->api->o.node;
    struct api_node n = node_now(c);
    if (n.state == API_NODE_INACTIVE) {
        api_error(c, 503, "This node is not part of a swarm");
    } else if (n.state != API_NODE_LOCKED) {
        api_error(c, 409, "swarm is not locked");
    } else if (!str_starts(key, "SWMKEY-1-")) {
        api_error(c, 400, "invalid key string");
    } else if (!ops->unlock) {
        api_error(c, 501, "this daemon cannot unlock a swarm");
    } else {
        AUTO_SECRET struct secret_buf *s = secret_buf_new(strlen(key) + 1);
        if (!s || secret_buf_append(s, key, strlen(key)) != 0) {
            api_error(c, 503, "out of locked memory for secrets");
            return;
        }
        api_hold(c);
        ops->unlock(ops->arg, s, on_unlocked, c);
    }
}

static int on_unlock_piece(struct http_request *rq, const char *p, size_t n)
{
    struct api_call *c = api_call_of(rq);
    struct unlock *u = c->state;
    struct err e = {""};
    json_t *body = NULL;
    if (p) {
        buf_append(&u->body, p, n);
        return 0;
    }
    int r = u->body.failed ? err_set(&e, -EINVAL, "invalid key string")
                           : json_body_parse(u->body.p ? u->body.p : "", u->body.len, &body, &e);
    struct json_in in = {.failed = false};
    struct json_at at = json_at_root(&in, body, "swarm.UnlockRequest");
    const char *key = r == 0 ? json_at_str(&at, "UnlockKey") : "";
    if (r > 0)
        api_error(c, 400, "got EOF while reading request body");
    else if (r < 0 || in.failed)
        api_error(c, 400, "%s", r < 0 ? e.text : in.e.text);
    else
        unlock_with(c, key);
    if (*key) /* jansson's copy; its memory is ours until decref */
        secret_wipe((char *)(uintptr_t)key, strlen(key));
    json_decref(body);
    return 0;
}

void api_swarm_unlock(struct api_call *c)
{
    struct unlock *u = NEW(struct unlock);
    u->body = BUF_INIT(4096);
    buf_reserve(&u->body, 4000); /* never moves, so that no copy stays behind */
    c->state = u;
    c->free_state = free_unlock;
    http_take_pieces(c->rq, 1 << 16, true, on_unlock_piece);
}
