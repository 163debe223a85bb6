/* control/control_secret.c - secrets: create, get, list, update, remove. */
#include <errno.h>
#include <stdlib.h>

#include "base/buf.h"
#include "base/id.h"
#include "base/mem.h"
#include "base/secret.h"
#include "base/str.h"
#include "control/control_int.h"
#include "control/in_use.h"
#include "control/validate_secret.h"
#include "model/pb.h"

enum { NAMES_MAX = 4096 };

/* ---- reading ---- */
static void get_secret(struct rpc_call *call, const ProtobufCMessage *request, void *service)
{
    const Pb__GetSecretRequest *req = (const Pb__GetSecretRequest *)request;
    struct control *c = service;
    Pb__GetSecretResponse res = PB__GET_SECRET_RESPONSE__INIT;
    if (str_empty(req->secret_id)) {
        rpc_fail(call, RPC_INVALID_ARGUMENT, "secret ID must be provided");
        return;
    }
    const void *s = store_get(c->store, STORE_COMMITTED, STORE_SECRET, req->secret_id);
    if (!s) {
        control_fail_missing(call, "secret", req->secret_id);
        return;
    }
    res.secret = (Pb__Secret *)(uintptr_t)s;
    rpc_reply(call, &res.base);
}

/* One element of the response's field 1, as protobuf writes it. */
static int add_packed(const void *object, const void *packed, size_t n, void *arg)
{
    struct buf *out = arg;
    if (((const Pb__Secret *)object)->internal)
        return 0;
    buf_char(out, 1 << 3 | 2);
    size_t v = n;
    for (; v > 0x7f; v >>= 7)
        buf_char(out, (char)((v & 0x7f) | 0x80));
    buf_char(out, (char)v);
    buf_append(out, packed, n);
    return 0;
}

/* Packing ten thousand objects anew for every list would take half of its time (docs/benchmark.md).
 */
static void list_all_secrets(struct rpc_call *call, struct control *c)
{
    AUTO_BUF struct buf out = BUF_INIT(RPC_MESSAGE_MAX);
    store_each_packed(c->store, STORE_SECRET, add_packed, &out);
    if (out.failed)
        rpc_fail(call, RPC_RESOURCE_EXHAUSTED, "the list is too long: narrow it with a filter");
    else
        rpc_reply_packed(call, out.p, out.len);
}

static void list_secrets(struct rpc_call *call, const ProtobufCMessage *request, void *service)
{
    const Pb__ListSecretsRequest *req = (const Pb__ListSecretsRequest *)request;
    Pb__ListSecretsResponse res = PB__LIST_SECRETS_RESPONSE__INIT;
    struct control_filter f = CONTROL_FILTER(req->filters, true);
    if (!f.n_names && !f.n_prefixes && !f.n_ids && !f.n_labels) {
        list_all_secrets(call, service);
        return;
    }
    struct control_list l = control_list_of(service, STORE_SECRET, &f);
    size_t n = 0;
    for (size_t i = 0; i < l.n; i++)
        if (!((const Pb__Secret *)l.v[i])->internal)
            l.v[n++] = l.v[i];
    res.secrets = (Pb__Secret **)(uintptr_t)l.v;
    res.n_secrets = n;
    rpc_reply(call, &res.base);
    free(l.v);
}

/* ---- creating ---- */
static void reply_created(struct control *c, struct rpc_call *call, const void *object)
{
    Pb__CreateSecretResponse res = PB__CREATE_SECRET_RESPONSE__INIT;
    (void)c;
    res.secret = (Pb__Secret *)(uintptr_t)object;
    rpc_reply(call, &res.base);
}

/* The stored object has everything of the spec but its payload, which only the sealer gets to see.
 */
static Pb__Secret *secret_from(const Pb__SecretSpec *spec)
{
    Pb__SecretSpec bare = *spec;
    char id[ID_SIZE];
    bare.data = (ProtobufCBinaryData){0, NULL};
    Pb__Secret *s = PB_NEW(Secret, secret);
    id_new(id);
    pb_str(&s->id, id);
    s->spec = pb_dup(&bare);
    return s;
}

static void create_secret(struct rpc_call *call, const ProtobufCMessage *request, void *service)
{
    const Pb__CreateSecretRequest *req = (const Pb__CreateSecretRequest *)request;
    struct control *c = service;
    struct rpc_status why;
    if (validate_secret_spec(req->spec, &why)) {
        rpc_fail_status(call, &why);
        return;
    }
    const char *name = pb_name(req->spec->annotations);
    if (store_by_name(c->store, STORE_TIP, STORE_SECRET, name)) {
        rpc_fail(call, RPC_ALREADY_EXISTS, "secret %s already exists", name);
        return;
    }
    Pb__Secret *s = secret_from(req->spec);
    struct store_batch *b = store_batch_new(c->store);
    AUTO_FREE char *id = mem_str(s->id);
    store_create(b, STORE_SECRET, s);
    store_put_payload(b, id, req->spec->data.data, req->spec->data.len);
    control_commit(c, call, b, STORE_SECRET, id, reply_created);
}

/* ---- updating ---- */
static void reply_updated(struct control *c, struct rpc_call *call, const void *object)
{
    Pb__UpdateSecretResponse res = PB__UPDATE_SECRET_RESPONSE__INIT;
    (void)c;
    res.secret = (Pb__Secret *)(uintptr_t)object;
    rpc_reply(call, &res.base);
}

/* Only the very payload that is stored may be sent along. */
static enum rpc_code check_payload(struct control *c, const char *id,
                                   const ProtobufCBinaryData *data, struct rpc_status *why)
{
    AUTO_SECRET struct secret_buf *have = NULL;
    struct err e = {0};
    if (!data->len)
        return RPC_OK;
    int r = store_payload(c->store, id, &have, &e);
    if (r) {
        enum rpc_code code = r == -ENOMEM   ? RPC_RESOURCE_EXHAUSTED
                             : r == -ENOENT ? RPC_UNAVAILABLE /* still on its way to the disk */
                                            : RPC_UNKNOWN;
        rpc_status_set(why, code, "the payload of secret %s cannot be compared: %s", id, e.text);
        return code;
    }
    if (secret_buf_len(have) == data->len &&
        secret_equal(secret_buf_bytes(have), data->data, data->len))
        return RPC_OK;
    rpc_status_set(why, RPC_INVALID_ARGUMENT, "only updates to Labels are allowed");
    return RPC_INVALID_ARGUMENT;
}

static void take_labels(Pb__Annotations **have, const Pb__Annotations *sent)
{
    Pb__Annotations *copy = sent ? pb_dup(sent) : PB_NEW(Annotations, annotations);
    pb_str(&copy->name, pb_name(*have));
    pb_free(*have);
    *have = copy;
}

static void update_secret(struct rpc_call *call, const ProtobufCMessage *request, void *service)
{
    const Pb__UpdateSecretRequest *req = (const Pb__UpdateSecretRequest *)request;
    struct control *c = service;
    struct rpc_status why;
    if (str_empty(req->secret_id) || !req->secret_version || !req->spec) {
        control_fail_argument(call);
        return;
    }
    const Pb__Secret *s = STORE_GET(c->store, STORE_TIP, SECRET, Secret, req->secret_id);
    if (!s) {
        control_fail_missing(call, "secret", req->secret_id);
        return;
    }
    if (!str_eq(pb_name(s->spec->annotations), pb_name(req->spec->annotations))) {
        rpc_fail(call, RPC_INVALID_ARGUMENT, "only updates to Labels are allowed");
        return;
    }
    if (check_payload(c, s->id, &req->spec->data, &why)) {
        rpc_fail_status(call, &why);
        return;
    }
    if (!control_same_version(STORE_SECRET, s, req->secret_version)) {
        control_fail_sequence(call);
        return;
    }
    Pb__Secret *changed = store_copy(STORE_SECRET, s);
    struct store_batch *b = store_batch_new(c->store);
    take_labels(&changed->spec->annotations, req->spec->annotations);
    store_update(b, STORE_SECRET, changed);
    control_commit(c, call, b, STORE_SECRET, req->secret_id, reply_updated);
}

/* ---- removing ---- */
static void reply_removed(struct control *c, struct rpc_call *call, const void *object)
{
    Pb__RemoveSecretResponse res = PB__REMOVE_SECRET_RESPONSE__INIT;
    (void)c, (void)object;
    rpc_reply(call, &res.base);
}

static void remove_secret(struct rpc_call *call, const ProtobufCMessage *request, void *service)
{
    const Pb__RemoveSecretRequest *req = (const Pb__RemoveSecretRequest *)request;
    struct control *c = service;
    AUTO_BUF struct buf users = BUF_INIT(NAMES_MAX);
    if (str_empty(req->secret_id)) {
        rpc_fail(call, RPC_INVALID_ARGUMENT, "secret ID must be provided");
        return;
    }
    const Pb__Secret *s = STORE_GET(c->store, STORE_TIP, SECRET, Secret, req->secret_id);
    if (!s) {
        control_fail_missing(call, "secret", req->secret_id);
        return;
    }
    if (in_use_services(c->store, service_spec_uses_secret, s->id, &users)) {
        rpc_fail(call, RPC_INVALID_ARGUMENT, "secret '%s' is in use by the following %s",
                 pb_name(s->spec->annotations), users.p);
        return;
    }
    struct store_batch *b = store_batch_new(c->store);
    store_remove(b, STORE_SECRET, req->secret_id);
    control_commit(c, call, b, STORE_SECRET, NULL, reply_removed);
}

struct control_table control_secret_table(void)
{
    static const struct rpc_handler t[] = {
        {&rpc_method_control_get_secret, get_secret},
        {&rpc_method_control_list_secrets, list_secrets},
        {&rpc_method_control_create_secret, create_secret},
        {&rpc_method_control_update_secret, update_secret},
        {&rpc_method_control_remove_secret, remove_secret},
    };
    return CONTROL_TABLE(t);
}
