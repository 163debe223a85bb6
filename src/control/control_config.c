/* control/control_config.c - configs: as secrets, but their data is part of the object and is
 * shown. */
#include <stdlib.h>
#include <string.h>

#include "base/id.h"
#include "base/mem.h"
#include "base/str.h"
#include "control/control_int.h"
#include "control/in_use.h"
#include "control/validate_secret.h"
#include "model/pb.h"

enum { NAMES_MAX = 4096 };

/* ---- reading ---- */
static void get_config(struct rpc_call *call, const ProtobufCMessage *request, void *service)
{
    const Pb__GetConfigRequest *req = (const Pb__GetConfigRequest *)request;
    struct control *c = service;
    Pb__GetConfigResponse res = PB__GET_CONFIG_RESPONSE__INIT;
    if (str_empty(req->config_id)) {
        rpc_fail(call, RPC_INVALID_ARGUMENT, "config ID must be provided");
        return;
    }
    const void *s = store_get(c->store, STORE_COMMITTED, STORE_CONFIG, req->config_id);
    if (!s) {
        control_fail_missing(call, "config", req->config_id);
        return;
    }
    res.config = (Pb__Config *)(uintptr_t)s;
    rpc_reply(call, &res.base);
}

static void list_configs(struct rpc_call *call, const ProtobufCMessage *request, void *service)
{
    const Pb__ListConfigsRequest *req = (const Pb__ListConfigsRequest *)request;
    Pb__ListConfigsResponse res = PB__LIST_CONFIGS_RESPONSE__INIT;
    struct control_filter f = CONTROL_FILTER(req->filters, true);
    struct control_list l = control_list_of(service, STORE_CONFIG, &f);
    res.configs = (Pb__Config **)(uintptr_t)l.v;
    res.n_configs = l.n;
    rpc_reply(call, &res.base);
    free(l.v);
}

/* ---- creating ---- */
static void reply_created(struct control *c, struct rpc_call *call, const void *object)
{
    Pb__CreateConfigResponse res = PB__CREATE_CONFIG_RESPONSE__INIT;
    (void)c;
    res.config = (Pb__Config *)(uintptr_t)object;
    rpc_reply(call, &res.base);
}

static Pb__Config *config_from(const Pb__ConfigSpec *spec)
{
    char id[ID_SIZE];
    Pb__Config *s = PB_NEW(Config, config);
    id_new(id);
    pb_str(&s->id, id);
    s->spec = pb_dup(spec);
    return s;
}

static void create_config(struct rpc_call *call, const ProtobufCMessage *request, void *service)
{
    const Pb__CreateConfigRequest *req = (const Pb__CreateConfigRequest *)request;
    struct control *c = service;
    struct rpc_status why;
    if (validate_config_spec(req->spec, &why)) {
        rpc_fail_status(call, &why);
        return;
    }
    const char *name = pb_name(req->spec->annotations);
    if (store_by_name(c->store, STORE_TIP, STORE_CONFIG, name)) {
        rpc_fail(call, RPC_ALREADY_EXISTS, "config %s already exists", name);
        return;
    }
    Pb__Config *s = config_from(req->spec);
    struct store_batch *b = store_batch_new(c->store);
    AUTO_FREE char *id = mem_str(s->id);
    store_create(b, STORE_CONFIG, s);
    control_commit(c, call, b, STORE_CONFIG, id, reply_created);
}

/* ---- updating ---- */
static void reply_updated(struct control *c, struct rpc_call *call, const void *object)
{
    Pb__UpdateConfigResponse res = PB__UPDATE_CONFIG_RESPONSE__INIT;
    (void)c;
    res.config = (Pb__Config *)(uintptr_t)object;
    rpc_reply(call, &res.base);
}

/* Data may be left out, or sent as it is. */
static bool same_data(const ProtobufCBinaryData *have, const ProtobufCBinaryData *sent)
{
    return !sent->len || (sent->len == have->len && memcmp(sent->data, have->data, have->len) == 0);
}

static void take_labels(Pb__Annotations **have, const Pb__Annotations *sent)
{
    Pb__Annotations *copy = sent ? pb_dup(sent) : PB_NEW(Annotations, annotations);
    pb_str(&copy->name, pb_name(*have));
    pb_free(*have);
    *have = copy;
}

static void update_config(struct rpc_call *call, const ProtobufCMessage *request, void *service)
{
    const Pb__UpdateConfigRequest *req = (const Pb__UpdateConfigRequest *)request;
    struct control *c = service;
    if (str_empty(req->config_id) || !req->config_version || !req->spec) {
        control_fail_argument(call);
        return;
    }
    const Pb__Config *s = STORE_GET(c->store, STORE_TIP, CONFIG, Config, req->config_id);
    if (!s) {
        control_fail_missing(call, "config", req->config_id);
        return;
    }
    if (!str_eq(pb_name(s->spec->annotations), pb_name(req->spec->annotations)) ||
        !same_data(&s->spec->data, &req->spec->data)) {
        rpc_fail(call, RPC_INVALID_ARGUMENT, "only updates to Labels are allowed");
        return;
    }
    if (!control_same_version(STORE_CONFIG, s, req->config_version)) {
        control_fail_sequence(call);
        return;
    }
    Pb__Config *changed = store_copy(STORE_CONFIG, s);
    struct store_batch *b = store_batch_new(c->store);
    take_labels(&changed->spec->annotations, req->spec->annotations);
    store_update(b, STORE_CONFIG, changed);
    control_commit(c, call, b, STORE_CONFIG, req->config_id, reply_updated);
}

/* ---- removing ---- */
static void reply_removed(struct control *c, struct rpc_call *call, const void *object)
{
    Pb__RemoveConfigResponse res = PB__REMOVE_CONFIG_RESPONSE__INIT;
    (void)c, (void)object;
    rpc_reply(call, &res.base);
}

static void remove_config(struct rpc_call *call, const ProtobufCMessage *request, void *service)
{
    const Pb__RemoveConfigRequest *req = (const Pb__RemoveConfigRequest *)request;
    struct control *c = service;
    AUTO_BUF struct buf users = BUF_INIT(NAMES_MAX);
    if (str_empty(req->config_id)) {
        rpc_fail(call, RPC_INVALID_ARGUMENT, "config ID must be provided");
        return;
    }
    const Pb__Config *s = STORE_GET(c->store, STORE_TIP, CONFIG, Config, req->config_id);
    if (!s) {
        control_fail_missing(call, "config", req->config_id);
        return;
    }
    if (in_use_services(c->store, service_spec_uses_config, s->id, &users)) {
        rpc_fail(call, RPC_INVALID_ARGUMENT, "config '%s' is in use by the following %s",
                 pb_name(s->spec->annotations), users.p);
        return;
    }
    struct store_batch *b = store_batch_new(c->store);
    store_remove(b, STORE_CONFIG, req->config_id);
    control_commit(c, call, b, STORE_CONFIG, NULL, reply_removed);
}

struct control_table control_config_table(void)
{
    static const struct rpc_handler t[] = {
        {&rpc_method_control_get_config, get_config},
        {&rpc_method_control_list_configs, list_configs},
        {&rpc_method_control_create_config, create_config},
        {&rpc_method_control_update_config, update_config},
        {&rpc_method_control_remove_config, remove_config},
    };
    return CONTROL_TABLE(t);
}
