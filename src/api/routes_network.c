/* api/routes_network.c - /networks: this node's own (bridge, host, none) and the cluster's. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include "api/decode.h"
#include "api/encode.h"
#include "api/lists.h"
#include "api/state.h"
#include "base/str.h"
#include "rpc/methods.h"

enum { LOCAL_MAX = 16 };
static const char *const known[] = {"dangling", "driver", "id",   "label",
                                    "name",     "scope",  "type", NULL};

static void encode_local(struct jw *w, const struct network_info *n)
{
    jw_object(w, NULL);
    jw_str(w, "Name", n->name);
    jw_str(w, "Id", n->id);
    jw_time(w, "Created", n->created_ns);
    jw_str(w, "Scope", "local");
    jw_str(w, "Driver", n->driver);
    jw_bool(w, "EnableIPv6", false);
    jw_object(w, "IPAM");
    jw_str(w, "Driver", "default");
    jw_null(w, "Options");
    jw_array(w, "Config");
    if (!str_empty(n->subnet)) {
        jw_object(w, NULL);
        jw_str(w, "Subnet", n->subnet);
        jw_str_opt(w, "Gateway", n->gateway);
        jw_end_object(w);
    }
    jw_end_array(w);
    jw_end_object(w);
    jw_bool(w, "Internal", n->internal);
    jw_bool(w, "Attachable", false);
    jw_bool(w, "Ingress", false);
    jw_raw(w, "ConfigFrom", "{\"Network\":\"\"}");
    jw_bool(w, "ConfigOnly", false);
    jw_raw(w, "Containers", "{}");
    jw_object(w, "Options");
    if (!str_empty(n->bridge)) {
        jw_str(w, "com.docker.network.bridge.default_bridge", "true");
        jw_str(w, "com.docker.network.bridge.enable_icc", "true");
        jw_str(w, "com.docker.network.bridge.enable_ip_masquerade", "true");
        jw_str(w, "com.docker.network.bridge.host_binding_ipv4", "0.0.0.0");
        jw_str(w, "com.docker.network.bridge.name", n->bridge);
        jw_str(w, "com.docker.network.driver.mtu", "1500");
    }
    jw_end_object(w);
    jw_raw(w, "Labels", "{}");
    jw_end_object(w);
}

static size_t local_networks(struct api_call *c, struct network_info ret[LOCAL_MAX])
{
    return c->api->o.network ? network_list(c->api->o.network, ret, LOCAL_MAX) : 0;
}

static bool fits(const struct api_filters *f, const char *id, const char *name, const char *driver,
                 const char *scope, bool custom)
{
    bool named = !api_filters_has(f, "name");
    for (const char *const *v = api_filters_values(f, "name"); *v; v++)
        named = named || strstr(name, *v);
    return named && list_fits_prefix(f, "id", id) && list_fits_exact(f, "driver", driver) &&
           list_fits_exact(f, "scope", scope) &&
           list_fits_exact(f, "type", custom ? "custom" : "builtin");
}

static const char *no_label(void *arg, const char *key)
{
    (void)arg, (void)key;
    return NULL;
}

static const char *driver_of(const Pb__Network *n)
{
    const Pb__Driver *d = n->driver_state ? n->driver_state
                          : n->spec       ? n->spec->driver_config
                                          : NULL;
    return d && !str_empty(d->name) ? d->name : "overlay";
}

static void reply_list(struct api_call *c, const Pb__ListNetworksResponse *r)
{
    struct network_info local[LOCAL_MAX];
    size_t n = local_networks(c, local);
    struct buf b = API_OUT();
    struct jw w = JW_INIT(&b);
    jw_array(&w, NULL);
    for (size_t i = 0; i < n; i++) {
        if (fits(c->state, local[i].id, local[i].name, local[i].driver, "local", false) &&
            api_filters_labels(c->state, "label", no_label, NULL))
            encode_local(&w, &local[i]);
    }
    for (size_t i = 0; r && i < r->n_networks; i++) {
        const Pb__Network *net = r->networks[i];
        Pb__Annotations *a = net->spec ? net->spec->annotations : NULL;
        if (fits(c->state, net->id, pb_name(a), driver_of(net), "swarm", true) &&
            api_filters_labels(c->state, "label", list_label, a))
            encode_network(&w, NULL, net, true);
    }
    jw_end_array(&w);
    api_reply_json(c, 200, &b);
}

static void on_listed(struct api_call *c, const struct rpc_status *st, ProtobufCMessage *response)
{
    reply_list(c, st->code == RPC_OK ? (const void *)response
                                     : NULL); /* without a manager there are the local ones still */
}

static void free_filters(void *f)
{
    api_filters_free(f);
}

static bool has_manager(struct api_call *c)
{
    struct api_node node = {.state = API_NODE_INACTIVE};
    if (c->api->o.node.get)
        c->api->o.node.get(c->api->o.node.arg, &node);
    return node.state == API_NODE_ACTIVE && node.manager && c->api->o.manager;
}

static void list_ready(struct api_call *c)
{
    struct api_filters *f = NULL;
    Pb__ListNetworksRequest rq = PB__LIST_NETWORKS_REQUEST__INIT;
    if (api_filters_get(c, known, &f) != 0)
        return;
    c->state = f;
    c->free_state = free_filters;
    if (has_manager(c))
        api_rpc_any(c, &rpc_method_control_list_networks, &rq, on_listed);
    else
        reply_list(c, NULL);
}

void api_network_list(struct api_call *c)
{
    api_take_none(c, list_ready);
}

/* ---- one ---- */

static void not_found(struct api_call *c)
{
    api_error(c, 404, "network %s not found", c->param[0]);
}

static void reply_network(struct api_call *c, void *object)
{
    struct buf b = API_OUT();
    struct jw w = JW_INIT(&b);
    encode_network(&w, NULL, object, true);
    api_reply_json(c, 200, &b);
}

static const struct network_info *find_local(struct network_info *all, size_t n, const char *word)
{
    for (size_t i = 0; i < n; i++) {
        if (str_eq(all[i].name, word) || str_eq(all[i].id, word))
            return &all[i];
    }
    for (size_t i = 0; i < n; i++) {
        if (strlen(word) >= 3 && str_starts(all[i].id, word))
            return &all[i];
    }
    return NULL;
}

static void get_ready(struct api_call *c)
{
    struct network_info local[LOCAL_MAX];
    const char *scope = http_query(c->rq, "scope");
    bool swarm_only = scope && strcmp(scope, "swarm") == 0;
    const struct network_info *found =
        swarm_only ? NULL : find_local(local, local_networks(c, local), c->param[0]);
    if (found) {
        struct buf b = API_OUT();
        struct jw w = JW_INIT(&b);
        encode_local(&w, found);
        api_reply_json(c, 200, &b);
    } else if (has_manager(c)) {
        api_resolve(c, KIND_NETWORK, c->param[0], reply_network);
    } else {
        not_found(c);
    }
}

void api_network_get(struct api_call *c)
{
    api_take_none(c, get_ready);
}

/* ---- create, remove ---- */

static void on_created(struct api_call *c, ProtobufCMessage *response)
{
    const Pb__CreateNetworkResponse *r = (const void *)response;
    struct buf b = API_OUT();
    struct jw w = JW_INIT(&b);
    jw_object(&w, NULL);
    jw_str(&w, "Id", r->network ? r->network->id : "");
    jw_str(&w, "Warning", "");
    jw_end_object(&w);
    api_reply_json(c, 201, &b);
}

static void decode_ipam(const struct json_at *at, Pb__NetworkSpec *s)
{
    struct json_at ipam, x;
    json_t *list;
    if (!json_at_object(at, "IPAM", "IPAM", "network.IPAM", &ipam))
        return;
    s->ipam = PB_NEW(IPAMOptions, ipamoptions);
    s->ipam->driver = PB_NEW(Driver, driver);
    pb_str(&s->ipam->driver->name, json_at_str(&ipam, "Driver"));
    DECODE_MAP(&ipam, "Options", s->ipam->driver, options, pb__driver__options_entry__init);
    size_t n = json_at_array(&ipam, "Config", "[]network.IPAMConfig", &list);
    for (size_t i = 0; i < n; i++) {
        if (!json_at_element(&ipam, "Config", list, i, "IPAMConfig", "network.IPAMConfig", &x))
            continue;
        Pb__IPAMConfig *m = PB_NEW(IPAMConfig, ipamconfig);
        pb_str(&m->subnet, json_at_str(&x, "Subnet"));
        pb_str(&m->range, json_at_str(&x, "IPRange"));
        pb_str(&m->gateway, json_at_str(&x, "Gateway"));
        m->family = strchr(m->subnet, ':') ? PB__IPAMCONFIG__ADDRESS_FAMILY__ADDRESS_FAMILY_IPV6
                                           : PB__IPAMCONFIG__ADDRESS_FAMILY__ADDRESS_FAMILY_IPV4;
        PB_PUSH(s->ipam->n_configs, s->ipam->configs, m);
    }
}

static void create_json(struct api_call *c, json_t *body)
{
    struct json_in in = {.failed = false};
    struct json_at at = json_at_root(&in, body, "network.CreateRequest");
    const char *driver = json_at_str(&at, "Driver");
    if (strcmp(driver, "overlay") != 0 && strcmp(json_at_str(&at, "Scope"), "swarm") != 0) {
        api_error(c, 501,
                  "networks of driver \"%s\" on one node are not supported; there is the network "
                  "\"bridge\"",
                  *driver ? driver : "bridge");
        return;
    }
    Pb__NetworkSpec *s = PB_NEW(NetworkSpec, network_spec);
    s->annotations = decode_annotations(&at);
    s->driver_config = PB_NEW(Driver, driver);
    pb_str(&s->driver_config->name, driver);
    DECODE_MAP(&at, "Options", s->driver_config, options, pb__driver__options_entry__init);
    s->ipv6_enabled = json_at_bool(&at, "EnableIPv6");
    s->internal = json_at_bool(&at, "Internal");
    s->attachable = json_at_bool(&at, "Attachable");
    s->ingress = json_at_bool(&at, "Ingress");
    decode_ipam(&at, s);
    Pb__CreateNetworkRequest rq = PB__CREATE_NETWORK_REQUEST__INIT;
    rq.spec = s;
    if (in.failed)
        api_error(c, 400, "%s", in.e.text);
    else if (!has_manager(c)) /* the engine says this one with 500 */
        api_error(c, 500,
                  "This node is not a swarm manager. Use \"docker swarm init\" or \"docker swarm "
                  "join\" to connect this node to swarm and try again.");
    else
        api_rpc(c, &rpc_method_control_create_network, &rq, on_created);
    pb_free(s);
}

void api_network_create(struct api_call *c)
{
    api_take_json(c, "network.CreateRequest", create_json);
}

static void on_removed(struct api_call *c, ProtobufCMessage *response)
{
    (void)response;
    api_reply_empty(c, 204);
}

static void remove_found(struct api_call *c, void *object)
{
    Pb__RemoveNetworkRequest rq = PB__REMOVE_NETWORK_REQUEST__INIT;
    rq.network_id = ((Pb__Network *)object)->id;
    api_rpc(c, &rpc_method_control_remove_network, &rq, on_removed);
}

static void remove_ready(struct api_call *c)
{
    struct network_info local[LOCAL_MAX];
    const struct network_info *found = find_local(local, local_networks(c, local), c->param[0]);
    if (found)
        api_error(c, 403, "%s is a pre-defined network and cannot be removed", found->name);
    else if (has_manager(c))
        api_resolve(c, KIND_NETWORK, c->param[0], remove_found);
    else
        not_found(c);
}

void api_network_remove(struct api_call *c)
{
    api_take_none(c, remove_ready);
}
