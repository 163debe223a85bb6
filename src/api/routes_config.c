/* api/routes_config.c - /configs. A config is no secret: its data comes and goes as ordinary JSON.
 */
#include <stdlib.h>
#include <string.h>
#include "api/decode.h"
#include "api/encode.h"
#include "api/lists.h"
#include "api/state.h"
#include "rpc/methods.h"

static const char *const known[] = {"id", "label", "name", "names", NULL};

static void free_filters(void *f)
{
    api_filters_free(f);
}

static void on_listed(struct api_call *c, ProtobufCMessage *response)
{
    const Pb__ListConfigsResponse *l = (const void *)response;
    struct buf b = API_OUT();
    struct jw w = JW_INIT(&b);
    jw_array(&w, NULL);
    for (size_t i = 0; i < l->n_configs; i++) {
        const Pb__Config *o = l->configs[i];
        if (api_filters_labels(c->state, "label", list_label,
                               o->spec ? o->spec->annotations : NULL))
            encode_config(&w, NULL, o);
    }
    jw_end_array(&w);
    api_reply_json(c, 200, &b);
}

static void list_ready(struct api_call *c)
{
    struct api_filters *f = NULL;
    Pb__ListConfigsRequest rq = PB__LIST_CONFIGS_REQUEST__INIT;
    Pb__ListConfigsRequest__Filters filters = PB__LIST_CONFIGS_REQUEST__FILTERS__INIT;
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
    api_rpc(c, &rpc_method_control_list_configs, &rq, on_listed);
    list_words_free(&names);
    list_words_free(&ids);
    list_words_free(&prefixes);
}

void api_config_list(struct api_call *c)
{
    api_take_none(c, list_ready);
}

static void on_created(struct api_call *c, ProtobufCMessage *response)
{
    const Pb__CreateConfigResponse *r = (const void *)response;
    struct buf b = API_OUT();
    struct jw w = JW_INIT(&b);
    jw_object(&w, NULL);
    jw_str(&w, "ID", r->config ? r->config->id : "");
    jw_end_object(&w);
    api_reply_json(c, 201, &b);
}

static void create_json(struct api_call *c, json_t *body)
{
    struct err e = {""};
    Pb__CreateConfigRequest rq = PB__CREATE_CONFIG_REQUEST__INIT;
    if (!api_manager(c))
        return;
    if (decode_config_spec(body, &rq.spec, &e) < 0) {
        api_error(c, 400, "%s", e.text);
        return;
    }
    api_rpc(c, &rpc_method_control_create_config, &rq, on_created);
    pb_free(rq.spec);
}

void api_config_create(struct api_call *c)
{
    api_take_json(c, "swarm.ConfigSpec", create_json);
}

static void reply_config(struct api_call *c, void *object)
{
    struct buf b = API_OUT();
    struct jw w = JW_INIT(&b);
    encode_config(&w, NULL, object);
    api_reply_json(c, 200, &b);
}

static void get_ready(struct api_call *c)
{
    api_resolve(c, KIND_CONFIG, c->param[0], reply_config);
}

void api_config_get(struct api_call *c)
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
    Pb__RemoveConfigRequest rq = PB__REMOVE_CONFIG_REQUEST__INIT;
    rq.config_id = ((Pb__Config *)object)->id;
    api_rpc(c, &rpc_method_control_remove_config, &rq, on_removed);
}

static void remove_ready(struct api_call *c)
{
    api_resolve(c, KIND_CONFIG, c->param[0], remove_found);
}

void api_config_remove(struct api_call *c)
{
    api_take_none(c, remove_ready);
}

static void on_updated(struct api_call *c, ProtobufCMessage *response)
{
    (void)response;
    api_reply_empty(c, 200);
}

static void update_found(struct api_call *c, void *object)
{
    Pb__UpdateConfigRequest rq = PB__UPDATE_CONFIG_REQUEST__INIT;
    Pb__Version version = PB__VERSION__INIT;
    if (api_version_param(c, "config", false, &version.index) != 0)
        return;
    rq.config_id = ((Pb__Config *)object)->id;
    rq.config_version = &version;
    rq.spec = c->state;
    api_rpc(c, &rpc_method_control_update_config, &rq, on_updated);
}

static void update_json(struct api_call *c, json_t *body)
{
    struct err e = {""};
    Pb__ConfigSpec *spec = NULL;
    uint64_t version = 0;
    if (!api_manager(c))
        return;
    if (decode_config_spec(body, &spec, &e) < 0) {
        api_error(c, 400, "%s", e.text);
        return;
    }
    c->state = spec;
    c->free_state = pb_free;
    if (api_version_param(c, "config", false, &version) == 0)
        api_resolve(c, KIND_CONFIG, c->param[0], update_found);
}

void api_config_update(struct api_call *c)
{
    api_take_json(c, "swarm.ConfigSpec", update_json);
}
