/* api/resolve.c - which object a word means: exact id, exact name without regard to case, unique id
 * prefix, in this order.
 *
 * A name costs one call to the manager, a prefix two: names first, since they come first and are
 * found without a walk; the prefix only when no name fits and the word can be one. A word in the
 * form of an id is fetched before all that. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include "api/state.h"
#include "base/id.h"
#include "base/str.h"
#include "rpc/methods.h"

struct any_list { /* the shape of every List…Response */
    ProtobufCMessage base;
    size_t n;
    void **items;
};
struct any_get { /* of every Get…Response */
    ProtobufCMessage base;
    void *item;
};
struct any_object { /* of every object */
    ProtobufCMessage base;
    char *id;
};

static const char *const words[] = {"secret", "config", "service", "node", "task", "network"};

static const char *name_of(unsigned kind, const void *object)
{
    switch ((enum api_kind)kind) {
    case KIND_SECRET: {
        const Pb__Secret *o = object;
        return o->spec ? pb_name(o->spec->annotations) : "";
    }
    case KIND_CONFIG: {
        const Pb__Config *o = object;
        return o->spec ? pb_name(o->spec->annotations) : "";
    }
    case KIND_SERVICE: {
        const Pb__Service *o = object;
        return o->spec ? pb_name(o->spec->annotations) : "";
    }
    case KIND_NETWORK: {
        const Pb__Network *o = object;
        return o->spec ? pb_name(o->spec->annotations) : "";
    }
    case KIND_NODE: {
        const Pb__Node *o = object;
        return o->description && o->description->hostname ? o->description->hostname : "";
    }
    case KIND_TASK: {
        const Pb__Task *o = object;
        return pb_name(o->annotations);
    }
    }
    return "";
}

/* ---- requests ---- */

#define GET_BY_ID(Type, type, field, method)                                                       \
    do {                                                                                           \
        Pb__Get##Type##Request rq = PB__GET_##type##_REQUEST__INIT;                                \
        rq.field = id;                                                                             \
        api_rpc_any(c, &rpc_method_control_get_##method, &rq, on_got);                             \
    } while (0)
#define LIST_BY_WORD(Type, type, method)                                                           \
    do {                                                                                           \
        Pb__List##Type##Request rq = PB__LIST_##type##_REQUEST__INIT;                              \
        Pb__List##Type##Request__Filters f = PB__LIST_##type##_REQUEST__FILTERS__INIT;             \
        f.n_names = by_name;                                                                       \
        f.n_id_prefixes = by_prefix;                                                               \
        f.names = f.id_prefixes = &word;                                                           \
        rq.filters = &f;                                                                           \
        api_rpc(c, &rpc_method_control_list_##method, &rq, on_listed);                             \
    } while (0)

static void on_listed(struct api_call *c, ProtobufCMessage *response);
static void on_got(struct api_call *c, const struct rpc_status *st, ProtobufCMessage *response);

static void fetch(struct api_call *c)
{
    char *id = (char *)(uintptr_t)c->ref; /* only read while the request is packed */
    switch ((enum api_kind)c->kind) {
    case KIND_SECRET:
        GET_BY_ID(Secret, SECRET, secret_id, secret);
        break;
    case KIND_CONFIG:
        GET_BY_ID(Config, CONFIG, config_id, config);
        break;
    case KIND_SERVICE:
        GET_BY_ID(Service, SERVICE, service_id, service);
        break;
    case KIND_NODE:
        GET_BY_ID(Node, NODE, node_id, node);
        break;
    case KIND_TASK:
        GET_BY_ID(Task, TASK, task_id, task);
        break;
    case KIND_NETWORK:
        GET_BY_ID(Network, NETWORK, network_id, network);
        break;
    }
}

static void list(struct api_call *c)
{
    char *word = (char *)(uintptr_t)c->ref;
    bool by_name = !c->by_prefix, by_prefix = c->by_prefix;
    switch ((enum api_kind)c->kind) {
    case KIND_SECRET:
        LIST_BY_WORD(Secrets, SECRETS, secrets);
        break;
    case KIND_CONFIG:
        LIST_BY_WORD(Configs, CONFIGS, configs);
        break;
    case KIND_SERVICE:
        LIST_BY_WORD(Services, SERVICES, services);
        break;
    case KIND_NODE:
        LIST_BY_WORD(Nodes, NODES, nodes);
        break;
    case KIND_TASK:
        LIST_BY_WORD(Tasks, TASKS, tasks);
        break;
    case KIND_NETWORK:
        LIST_BY_WORD(Networks, NETWORKS, networks);
        break;
    }
}

/* ---- answers ---- */

static bool may_be_id(const char *s)
{
    return strlen(s) < ID_LEN && s[strspn(s, "0123456789abcdefghijklmnopqrstuvwxyz")] == '\0';
}

static void on_listed(struct api_call *c, ProtobufCMessage *response)
{
    const struct any_list *l = (const void *)response;
    size_t prefixes = 0;
    void *by_name = NULL, *by_prefix = NULL;
    for (size_t i = 0; i < l->n; i++) {
        const struct any_object *o = l->items[i];
        if (str_eq(o->id, c->ref)) {
            c->on_found(c, l->items[i]);
            return;
        }
        if (str_ieq(name_of(c->kind, o), c->ref) && !by_name)
            by_name = l->items[i];
        if (str_starts(o->id, c->ref)) {
            by_prefix = l->items[i];
            prefixes++;
        }
    }
    if (by_name)
        c->on_found(c, by_name);
    else if (prefixes == 1)
        c->on_found(c, by_prefix);
    else if (!c->by_prefix && may_be_id(c->ref)) {
        c->by_prefix = true;
        list(c);
    } else if (prefixes > 1)
        api_error(c, 400, "%s %s is ambiguous (%zu matches found)", words[c->kind], c->ref,
                  prefixes);
    else if (c->on_none)
        c->on_none(c);
    else
        api_error(c, 404, "%s %s not found", words[c->kind], c->ref);
}

static void on_got(struct api_call *c, const struct rpc_status *st, ProtobufCMessage *response)
{
    const struct any_get *g = (const void *)response;
    if (st->code == RPC_NOT_FOUND)
        list(c); /* the word may still be a name of that form */
    else if (st->code != RPC_OK)
        api_error_status(c, st);
    else if (g->item)
        c->on_found(c, g->item);
    else
        api_error(c, 500, "the manager sent no %s", words[c->kind]);
}

void api_resolve_or(struct api_call *c, enum api_kind kind, const char *ref,
                    void (*on_found)(struct api_call *c, void *object),
                    void (*on_none)(struct api_call *c))
{
    c->kind = kind;
    c->ref = ref;
    c->on_found = on_found;
    c->on_none = on_none;
    c->by_prefix = false;
    if (id_valid(ref))
        fetch(c);
    else
        list(c);
}

void api_resolve(struct api_call *c, enum api_kind kind, const char *ref,
                 void (*on_found)(struct api_call *c, void *object))
{
    api_resolve_or(c, kind, ref, on_found, NULL);
}

/* ---- many words, one after another ---- */

static void next_value(struct api_call *c)
{
    if (*c->values)
        api_resolve(c, c->kind, *c->values, c->on_each);
    else
        c->on_all(c);
}

static void on_value(struct api_call *c, void *object)
{
    const struct any_object *o = object;
    char *id = mem_str(o->id);
    free(*c->values);
    *c->values++ = id;
    next_value(c);
}

void api_resolve_all(struct api_call *c, enum api_kind kind, char **values,
                     void (*on_all)(struct api_call *c))
{
    c->kind = kind;
    c->values = values;
    c->on_all = on_all;
    c->on_each = on_value;
    next_value(c);
}

/* ---- ?version= ---- */

int api_version_param(struct api_call *c, const char *word, bool with_reason, uint64_t *ret)
{
    const char *text = http_query(c->rq, "version");
    int r = text ? str_to_u64(text, UINT64_MAX, ret) : -EINVAL;
    if (r == 0)
        return 0;
    if (!with_reason)
        api_error(c, 400, "invalid %s version", word);
    else
        api_error(c, 400, "invalid %s version '%s': strconv.ParseUint: parsing \"%s\": %s", word,
                  text ? text : "", text ? text : "",
                  r == -ERANGE ? "value out of range" : "invalid syntax");
    return r;
}
