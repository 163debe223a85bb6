/* api/routes_secret.c - /secrets. The one place of this room that handles a payload, and it only
 * passes it on: from the body's pieces (http/secret_body.h) to the message for the manager (packed
 * in secret memory by rpc), then wiped. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include "api/decode.h"
#include "api/encode.h"
#include "api/lists.h"
#include "api/state.h"
#include "base/secret.h"
#include "base/str.h"
#include "http/secret_body.h"
#include "rpc/methods.h"

static const char *const known[] = {"id", "label", "name", "names", NULL};

/* ---- list ---- */

static void free_filters(void *f)
{
    api_filters_free(f);
}

static bool wanted(const Pb__Secret *s, const struct api_filters *f)
{
    return api_filters_labels(f, "label", list_label, s->spec ? s->spec->annotations : NULL);
}

static void on_listed(struct api_call *c, ProtobufCMessage *response)
{
    const Pb__ListSecretsResponse *l = (const void *)response;
    struct buf b = API_OUT();
    struct jw w = JW_INIT(&b);
    buf_reserve(&b, 64 + l->n_secrets * 256);
    jw_array(&w, NULL);
    for (size_t i = 0; i < l->n_secrets; i++) {
        if (wanted(l->secrets[i], c->state))
            encode_secret(&w, NULL, l->secrets[i]);
    }
    jw_end_array(&w);
    api_reply_json(c, 200, &b);
}

static void list_ready(struct api_call *c)
{
    struct api_filters *f = NULL;
    Pb__ListSecretsRequest rq = PB__LIST_SECRETS_REQUEST__INIT;
    Pb__ListSecretsRequest__Filters filters = PB__LIST_SECRETS_REQUEST__FILTERS__INIT;
    if (!api_manager(c) || api_filters_get(c, known, &f) != 0)
        return;
    c->state = f;
    c->free_state = free_filters;
    struct list_words names = list_words(f, "names"), ids = list_words(f, "id"),
                      prefixes = list_words(f, "name");
    filters.names = names.v;
    filters.n_names = names.n;
    filters.id_prefixes = ids.v;
    filters.n_id_prefixes = ids.n;
    filters.name_prefixes = prefixes.v;
    filters.n_name_prefixes = prefixes.n;
    rq.filters = &filters;
    api_rpc(c, &rpc_method_control_list_secrets, &rq, on_listed);
    list_words_free(&names);
    list_words_free(&ids);
    list_words_free(&prefixes);
}

void api_secret_list(struct api_call *c)
{
    api_take_none(c, list_ready);
}

/* ---- create ---- */

static void free_body(void *b)
{
    secret_body_free(b);
}

static void on_created(struct api_call *c, ProtobufCMessage *response)
{
    const Pb__CreateSecretResponse *r = (const void *)response;
    struct buf b = API_OUT();
    struct jw w = JW_INIT(&b);
    jw_object(&w, NULL);
    jw_str(&w, "ID", r->secret ? r->secret->id : "");
    jw_end_object(&w);
    api_reply_json(c, 201, &b);
}

static void create(struct api_call *c, const json_t *rest, struct secret_buf *payload)
{
    struct err e = {""};
    Pb__SecretSpec *spec = NULL;
    if (decode_secret_spec(rest, &spec, &e) < 0) {
        api_error(c, 400, "%s", e.text);
        return;
    }
    Pb__CreateSecretRequest rq = PB__CREATE_SECRET_REQUEST__INIT;
    rq.spec = spec;
    if (payload) /* borrowed while the request is packed, which happens in secret memory */
        spec->data = (ProtobufCBinaryData){secret_buf_len(payload),
                                           (uint8_t *)(uintptr_t)secret_buf_bytes(payload)};
    api_rpc(c, &rpc_method_control_create_secret, &rq, on_created);
    spec->data = (ProtobufCBinaryData){0, NULL};
    pb_free(spec);
}

static void create_end(struct api_call *c)
{
    struct secret_body *body = c->state;
    struct err e = {""};
    json_t *rest = NULL;
    int r = secret_body_end(body, &rest, &e);
    AUTO_SECRET struct secret_buf *payload = secret_body_take(body);
    if (r == SECRET_BODY_EMPTY)
        api_error(c, 400, "got EOF while reading request body");
    else if (r == -ENOMEM)
        api_error(c, 503, "%s", e.text);
    else if (r < 0)
        api_error(c, 400, "%s", e.text);
    else
        create(c, rest, payload);
    json_decref(rest);
    c->free_state(c->state); /* nothing of the body is kept while the manager works */
    c->state = NULL;
    c->free_state = NULL;
}

static int on_piece(struct http_request *rq, const char *p, size_t n)
{
    struct api_call *c = api_call_of(rq);
    if (!p)
        create_end(c);
    else
        (void)secret_body_step(c->state, p, n);
    return 0;
}

static void never(struct api_call *c)
{
    (void)c;
}

void api_secret_create(struct api_call *c)
{
    uint64_t expected = 0;
    const char *length = http_header(c->rq, "Content-Length");
    if (!api_manager(c)) {
        api_take_none(c, never);
        return;
    }
    if (length && str_to_u64(length, SECRET_BODY_MAX, &expected) != 0)
        expected = 0;
    c->state = secret_body_new("SecretSpec", "swarm.SecretSpec", expected);
    c->free_state = free_body;
    http_take_pieces(c->rq, SECRET_BODY_MAX, true, on_piece);
}

/* ---- one ---- */

static void reply_secret(struct api_call *c, void *object)
{
    struct buf b = API_OUT();
    struct jw w = JW_INIT(&b);
    encode_secret(&w, NULL, object);
    api_reply_json(c, 200, &b);
}

static void get_ready(struct api_call *c)
{
    api_resolve(c, KIND_SECRET, c->param[0], reply_secret);
}

void api_secret_get(struct api_call *c)
{
    api_take_none(c, get_ready);
}

static void on_removed(struct api_call *c, ProtobufCMessage *response)
{
    (void)response;
    api_reply_empty(c, 204);
}

static void remove_found(struct api_call *c, void *object)
{
    Pb__RemoveSecretRequest rq = PB__REMOVE_SECRET_REQUEST__INIT;
    rq.secret_id = ((Pb__Secret *)object)->id;
    api_rpc(c, &rpc_method_control_remove_secret, &rq, on_removed);
}

static void remove_ready(struct api_call *c)
{
    api_resolve(c, KIND_SECRET, c->param[0], remove_found);
}

void api_secret_remove(struct api_call *c)
{
    api_take_none(c, remove_ready);
}

/* ---- update: the body may carry Data again, which must then be the same; so it is read like that
 * of create ---- */

struct update {
    struct secret_body *body;
    Pb__SecretSpec *spec;
    struct secret_buf *payload;
    uint64_t version;
};

static void free_update(void *arg)
{
    struct update *u = arg;
    secret_body_free(u->body);
    secret_buf_free(u->payload);
    pb_free(u->spec);
    free(u);
}

static void on_updated(struct api_call *c, ProtobufCMessage *response)
{
    (void)response;
    api_reply_empty(c, 200);
}

static void update_found(struct api_call *c, void *object)
{
    struct update *u = c->state;
    Pb__UpdateSecretRequest rq = PB__UPDATE_SECRET_REQUEST__INIT;
    Pb__Version version = PB__VERSION__INIT;
    version.index = u->version;
    rq.secret_id = ((Pb__Secret *)object)->id;
    rq.secret_version = &version;
    rq.spec = u->spec;
    if (u->payload)
        u->spec->data = (ProtobufCBinaryData){secret_buf_len(u->payload),
                                              (uint8_t *)(uintptr_t)secret_buf_bytes(u->payload)};
    api_rpc(c, &rpc_method_control_update_secret, &rq, on_updated);
    u->spec->data = (ProtobufCBinaryData){0, NULL};
    secret_buf_free(TAKE(u->payload));
}

static void update_end(struct api_call *c)
{
    struct update *u = c->state;
    struct err e = {""};
    json_t *rest = NULL;
    int r = secret_body_end(u->body, &rest, &e);
    u->payload = secret_body_take(u->body);
    if (r == 0)
        r = decode_secret_spec(rest, &u->spec, &e);
    json_decref(rest);
    if (r == SECRET_BODY_EMPTY)
        api_error(c, 400, "got EOF while reading request body");
    else if (r < 0)
        api_error(c, r == -ENOMEM ? 503 : 400, "%s", e.text);
    else if (api_version_param(c, "secret", false, &u->version) == 0)
        api_resolve(c, KIND_SECRET, c->param[0], update_found);
}

static int on_update_piece(struct http_request *rq, const char *p, size_t n)
{
    struct api_call *c = api_call_of(rq);
    if (!p)
        update_end(c);
    else
        (void)secret_body_step(((struct update *)c->state)->body, p, n);
    return 0;
}

void api_secret_update(struct api_call *c)
{
    if (!api_manager(c)) {
        api_take_none(c, never);
        return;
    }
    struct update *u = NEW(struct update);
    u->body = secret_body_new("SecretSpec", "swarm.SecretSpec", 0);
    c->state = u;
    c->free_state = free_update;
    http_take_pieces(c->rq, SECRET_BODY_MAX, true, on_update_piece);
}
