/* api/routes_node.c - /nodes. */
#include <stdlib.h>
#include <string.h>
#include "api/decode.h"
#include "api/encode.h"
#include "api/lists.h"
#include "api/state.h"
#include "rpc/methods.h"

static const char *const known[] = {"id",         "label", "membership", "name",
                                    "node.label", "role",  NULL};

struct list {
    struct api_filters *filters;
    Pb__NodeRole *roles;
    Pb__NodeSpec__Membership *memberships;
    size_t nroles, nmemberships;
};

static void free_list(void *arg)
{
    struct list *l = arg;
    api_filters_free(l->filters);
    free(l->roles);
    free(l->memberships);
    free(l);
}

static const char *engine_label(void *arg, const char *key)
{
    const Pb__Node *n = arg;
    const Pb__EngineDescription *e = n->description ? n->description->engine : NULL;
    return e ? pb_map_get(PB_MAP(e, labels), key) : NULL;
}

static void on_listed(struct api_call *c, ProtobufCMessage *response)
{
    const Pb__ListNodesResponse *r = (const void *)response;
    const struct list *l = c->state;
    struct buf b = API_OUT();
    struct jw w = JW_INIT(&b);
    jw_array(&w, NULL);
    for (size_t i = 0; i < r->n_nodes; i++) {
        Pb__Node *n = r->nodes[i];
        if (api_filters_labels(l->filters, "label", engine_label, n) &&
            api_filters_labels(l->filters, "node.label", list_label,
                               n->spec ? n->spec->annotations : NULL))
            encode_node(&w, NULL, n);
    }
    jw_end_array(&w);
    api_reply_json(c, 200, &b);
}

static int take_words(struct api_call *c, struct list *l)
{
    static const char *const roles[] = {"worker", "manager"}, *const memberships[] = {"pending",
                                                                                      "accepted"};
    for (const char *const *v = api_filters_values(l->filters, "role"); *v; v++) {
        int at = decode_word(roles, 2, *v);
        if (at < 0) {
            api_error(c, 500, "Invalid role filter: '%s'", *v);
            return -1;
        }
        l->roles = mem_grow(l->roles, l->nroles + 1, sizeof(*l->roles));
        l->roles[l->nroles++] = (Pb__NodeRole)at;
    }
    for (const char *const *v = api_filters_values(l->filters, "membership"); *v; v++) {
        int at = decode_word(memberships, 2, *v);
        if (at < 0) {
            api_error(c, 500, "Invalid membership filter: '%s'", *v);
            return -1;
        }
        l->memberships = mem_grow(l->memberships, l->nmemberships + 1, sizeof(*l->memberships));
        l->memberships[l->nmemberships++] = (Pb__NodeSpec__Membership)at;
    }
    return 0;
}

static void list_ready(struct api_call *c)
{
    struct api_filters *f = NULL;
    Pb__ListNodesRequest rq = PB__LIST_NODES_REQUEST__INIT;
    Pb__ListNodesRequest__Filters filters = PB__LIST_NODES_REQUEST__FILTERS__INIT;
    if (!api_manager(c) || api_filters_get(c, known, &f) != 0)
        return;
    struct list *l = NEW(struct list);
    l->filters = f;
    c->state = l;
    c->free_state = free_list;
    if (take_words(c, l) != 0)
        return;
    struct list_words ids = list_words(f, "id"), prefixes = list_words(f, "name");
    filters.id_prefixes = ids.v;
    filters.n_id_prefixes = ids.n;
    filters.name_prefixes = prefixes.v;
    filters.n_name_prefixes = prefixes.n;
    filters.roles = l->roles;
    filters.n_roles = l->nroles;
    filters.memberships = l->memberships;
    filters.n_memberships = l->nmemberships;
    rq.filters = &filters;
    api_rpc(c, &rpc_method_control_list_nodes, &rq, on_listed);
    list_words_free(&ids);
    list_words_free(&prefixes);
}

void api_node_list(struct api_call *c)
{
    api_take_none(c, list_ready);
}

static void reply_node(struct api_call *c, void *object)
{
    struct buf b = API_OUT();
    struct jw w = JW_INIT(&b);
    encode_node(&w, NULL, object);
    api_reply_json(c, 200, &b);
}

static void get_ready(struct api_call *c)
{
    api_resolve(c, KIND_NODE, c->param[0], reply_node);
}

void api_node_get(struct api_call *c)
{
    api_take_none(c, get_ready);
}

static void on_changed(struct api_call *c, ProtobufCMessage *response)
{
    (void)response;
    api_reply_empty(c, 200);
}

static void update_found(struct api_call *c, void *object)
{
    Pb__UpdateNodeRequest rq = PB__UPDATE_NODE_REQUEST__INIT;
    Pb__Version version = PB__VERSION__INIT;
    if (api_version_param(c, "node", true, &version.index) != 0)
        return;
    rq.node_id = ((Pb__Node *)object)->id;
    rq.node_version = &version;
    rq.spec = c->state;
    api_rpc(c, &rpc_method_control_update_node, &rq, on_changed);
}

static void update_json(struct api_call *c, json_t *body)
{
    struct err e = {""};
    Pb__NodeSpec *spec = NULL;
    uint64_t version = 0;
    if (!api_manager(c) || api_version_param(c, "node", true, &version) != 0)
        return;
    if (decode_node_spec(body, &spec, &e) < 0) {
        api_error(c, 400, "%s", e.text);
        return;
    }
    c->state = spec;
    c->free_state = pb_free;
    api_resolve(c, KIND_NODE, c->param[0], update_found);
}

void api_node_update(struct api_call *c)
{
    api_take_json(c, "swarm.NodeSpec", update_json);
}

static void remove_found(struct api_call *c, void *object)
{
    Pb__RemoveNodeRequest rq = PB__REMOVE_NODE_REQUEST__INIT;
    rq.node_id = ((Pb__Node *)object)->id;
    rq.force = http_query_bool(c->rq, "force");
    api_rpc(c, &rpc_method_control_remove_node, &rq, on_changed);
}

static void remove_ready(struct api_call *c)
{
    api_resolve(c, KIND_NODE, c->param[0], remove_found);
}

void api_node_remove(struct api_call *c)
{
    api_take_none(c, remove_ready);
}
