/* api/routes_service.c - /services. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include "api/decode.h"
#include "api/encode.h"
#include "api/lists.h"
#include "api/service_networks.h"
#include "api/state.h"
#include "base/str.h"
#include "model/service.h"
#include "rpc/methods.h"

static const char *const known[] = {"id", "label", "mode", "name", "runtime", NULL};
static const char *const mode_words[] = {"replicated", "global", "replicated-job", "global-job"};

/* ---- list ---- */

struct list {
    struct api_filters *filters;
    Pb__Service **v; /* copies, kept while the statuses are asked for */
    size_t n;
};

static void free_list(void *arg)
{
    struct list *l = arg;
    api_filters_free(l->filters);
    for (size_t i = 0; i < l->n; i++)
        pb_free(l->v[i]);
    free(l->v);
    free(l);
}

static bool wanted(const Pb__Service *s, const struct api_filters *f)
{
    if (!s->spec || !api_filters_labels(f, "label", list_label, s->spec->annotations))
        return false;
    return list_fits_exact(f, "mode", mode_words[service_spec_mode(s->spec)]);
}

static const Pb__ListServiceStatusesResponse__ServiceStatus *
status_of(const Pb__ListServiceStatusesResponse *l, const char *id)
{
    for (size_t i = 0; l && i < l->n_statuses; i++) {
        if (str_eq(l->statuses[i]->service_id, id))
            return l->statuses[i];
    }
    return NULL;
}

static void reply_list(struct api_call *c, ProtobufCMessage *statuses)
{
    struct list *l = c->state;
    struct buf b = API_OUT();
    struct jw w = JW_INIT(&b);
    jw_array(&w, NULL);
    for (size_t i = 0; i < l->n; i++) {
        const Pb__ListServiceStatusesResponse *all = (const void *)statuses;
        /* the answer keeps the order of the question; else it is looked for */
        const Pb__ListServiceStatusesResponse__ServiceStatus *st =
            all && i < all->n_statuses && str_eq(all->statuses[i]->service_id, l->v[i]->id)
                ? all->statuses[i]
                : status_of(all, l->v[i]->id);
        encode_service(&w, NULL, l->v[i], st);
    }
    jw_end_array(&w);
    api_reply_json(c, 200, &b);
}

static void ask_statuses(struct api_call *c)
{
    struct list *l = c->state;
    Pb__ListServiceStatusesRequest rq = PB__LIST_SERVICE_STATUSES_REQUEST__INIT;
    AUTO_FREE char **ids = mem_array(l->n + 1, sizeof(char *));
    for (size_t i = 0; i < l->n; i++)
        ids[i] = l->v[i]->id;
    rq.services = ids;
    rq.n_services = l->n;
    api_rpc(c, &rpc_method_control_list_service_statuses, &rq, reply_list);
}

static void on_listed(struct api_call *c, ProtobufCMessage *response)
{
    const Pb__ListServicesResponse *r = (const void *)response;
    struct list *l = c->state;
    l->v = mem_array(r->n_services + 1, sizeof(*l->v));
    for (size_t i = 0; i < r->n_services; i++) {
        if (wanted(r->services[i], l->filters))
            l->v[l->n++] = r->services[i];
    }
    if (l->n == 0 || !http_query_bool(c->rq, "status")) {
        reply_list(c, NULL);
        l->n = 0; /* they belong to the answer that is freed after this */
        return;
    }
    for (size_t i = 0; i < l->n; i++)
        l->v[i] = pb_dup(l->v[i]);
    ask_statuses(c);
}

static void list_ready(struct api_call *c)
{
    struct api_filters *f = NULL;
    Pb__ListServicesRequest rq = PB__LIST_SERVICES_REQUEST__INIT;
    Pb__ListServicesRequest__Filters filters = PB__LIST_SERVICES_REQUEST__FILTERS__INIT;
    if (!api_manager(c) || api_filters_get(c, known, &f) != 0)
        return;
    struct list *l = NEW(struct list);
    l->filters = f;
    c->state = l;
    c->free_state = free_list;
    struct list_words ids = list_words(f, "id"), prefixes = list_words(f, "name"),
                      runtimes = list_words(f, "runtime");
    filters.id_prefixes = ids.v;
    filters.n_id_prefixes = ids.n;
    filters.name_prefixes = prefixes.v;
    filters.n_name_prefixes = prefixes.n;
    filters.runtimes = runtimes.v;
    filters.n_runtimes = runtimes.n;
    rq.filters = &filters;
    api_rpc(c, &rpc_method_control_list_services, &rq, on_listed);
    list_words_free(&ids);
    list_words_free(&prefixes);
    list_words_free(&runtimes);
}

void api_service_list(struct api_call *c)
{
    api_take_none(c, list_ready);
}

/* ---- create and update ---- */

struct change {
    Pb__ServiceSpec *spec;
    char **networks; /* what to look up, in order; then ids */
    uint64_t version;
    char *service_id; /* NULL: a new one */
    Pb__UpdateServiceRequest__Rollback rollback;
};

static void free_change(void *arg)
{
    struct change *ch = arg;
    pb_free(ch->spec);
    strv_free(ch->networks);
    free(ch->service_id);
    free(ch);
}

static void on_created(struct api_call *c, ProtobufCMessage *response)
{
    const Pb__CreateServiceResponse *r = (const void *)response;
    struct buf b = API_OUT();
    struct jw w = JW_INIT(&b);
    jw_object(&w, NULL);
    jw_str(&w, "ID", r->service ? r->service->id : "");
    jw_end_object(&w);
    api_reply_json(c, 201, &b);
}

static void on_updated(struct api_call *c, ProtobufCMessage *response)
{
    struct buf b = API_OUT();
    struct jw w = JW_INIT(&b);
    (void)response;
    jw_object(&w, NULL);
    jw_null(&w, "Warnings");
    jw_end_object(&w);
    api_reply_json(c, 200, &b);
}

static void send_change(struct api_call *c)
{
    struct change *ch = c->state;
    service_networks_put(ch->spec, ch->networks);
    if (!ch->service_id) {
        Pb__CreateServiceRequest rq = PB__CREATE_SERVICE_REQUEST__INIT;
        rq.spec = ch->spec;
        api_rpc(c, &rpc_method_control_create_service, &rq, on_created);
        return;
    }
    Pb__UpdateServiceRequest rq = PB__UPDATE_SERVICE_REQUEST__INIT;
    Pb__Version version = PB__VERSION__INIT;
    version.index = ch->version;
    rq.service_id = ch->service_id;
    rq.service_version = &version;
    rq.spec = ch->spec;
    rq.rollback = ch->rollback;
    api_rpc(c, &rpc_method_control_update_service, &rq, on_updated);
}

/* Networks are named by the user and kept by id. */
static void resolve_networks(struct api_call *c)
{
    struct change *ch = c->state;
    ch->networks = service_networks_take(ch->spec);
    api_resolve_all(c, KIND_NETWORK, ch->networks, send_change);
}

static void set_registry_auth(Pb__ServiceSpec *spec, const char *auth)
{
    Pb__ContainerSpec *cs =
        spec->task && spec->task->runtime_case == PB__TASK_SPEC__RUNTIME_CONTAINER
            ? spec->task->container
            : NULL;
    if (!cs || str_empty(auth))
        return;
    if (!cs->pull_options)
        cs->pull_options = PB_NEW(ContainerSpec__PullOptions, container_spec__pull_options);
    pb_str(&cs->pull_options->registry_auth, auth);
}

static struct change *take_spec(struct api_call *c, json_t *body)
{
    struct err e = {""};
    Pb__ServiceSpec *spec = NULL;
    if (!api_manager(c))
        return NULL;
    if (decode_service_spec(body, &spec, &e) < 0) {
        api_error(c, 400, "%s", e.text);
        return NULL;
    }
    struct change *ch = NEW(struct change);
    ch->spec = spec;
    c->state = ch;
    c->free_state = free_change;
    set_registry_auth(spec, http_header(c->rq, "X-Registry-Auth"));
    return ch;
}

static void create_json(struct api_call *c, json_t *body)
{
    if (take_spec(c, body))
        resolve_networks(c);
}

void api_service_create(struct api_call *c)
{
    api_take_json(c, "swarm.ServiceSpec", create_json);
}

static const char *auth_of(const Pb__ServiceSpec *s)
{
    const Pb__ContainerSpec *cs =
        s && s->task && s->task->runtime_case == PB__TASK_SPEC__RUNTIME_CONTAINER
            ? s->task->container
            : NULL;
    return cs && cs->pull_options ? cs->pull_options->registry_auth : NULL;
}

static void update_found(struct api_call *c, void *object)
{
    const Pb__Service *s = object;
    struct change *ch = c->state;
    const char *from = http_query(c->rq, "registryAuthFrom");
    ch->service_id = mem_str(s->id);
    if (!http_header(c->rq, "X-Registry-Auth")) {
        if (str_empty(from) || strcmp(from, "spec") == 0) {
            set_registry_auth(ch->spec, auth_of(s->spec));
        } else if (strcmp(from, "previous-spec") == 0) {
            if (!s->previous_spec) {
                api_error(c, 400,
                          "service does not have a previous spec to copy the registry auth from");
                return;
            }
            set_registry_auth(ch->spec, auth_of(s->previous_spec));
        } else {
            api_error(c, 400, "unsupported registryAuthFrom value");
            return;
        }
    }
    resolve_networks(c);
}

static void update_json(struct api_call *c, json_t *body)
{
    const char *rollback = http_query(c->rq, "rollback");
    uint64_t version = 0;
    struct change *ch = take_spec(c, body);
    if (!ch || api_version_param(c, "service", true, &version) != 0)
        return;
    ch->version = version;
    if (!str_empty(rollback) && strcmp(rollback, "none") != 0) {
        if (strcmp(rollback, "previous") != 0) {
            api_error(c, 400, "unrecognized rollback option %s", rollback);
            return;
        }
        ch->rollback = PB__UPDATE_SERVICE_REQUEST__ROLLBACK__ROLLBACK_PREVIOUS;
    }
    api_resolve(c, KIND_SERVICE, c->param[0], update_found);
}

void api_service_update(struct api_call *c)
{
    api_take_json(c, "swarm.ServiceSpec", update_json);
}

/* ---- one ---- */

static void reply_service(struct api_call *c, void *object)
{
    Pb__Service *s = object, *filled = NULL;
    struct buf b = API_OUT();
    struct jw w = JW_INIT(&b);
    if (s->spec && http_query_bool(c->rq, "insertDefaults")) {
        s = filled = pb_dup(s); /* the answer itself must not be changed: its memory is not ours */
        service_spec_insert_defaults(s->spec);
    }
    encode_service(&w, NULL, s, NULL);
    pb_free(filled);
    api_reply_json(c, 200, &b);
}

static void get_ready(struct api_call *c)
{
    const char *word = http_query(c->rq, "insertDefaults");
    static const char *const words[] = {"1", "t", "T", "true",  "TRUE",  "True",
                                        "0", "f", "F", "false", "FALSE", "False"};
    if (!str_empty(word) && decode_word(words, 12, word) < 0)
        api_error(c, 400, "invalid value for insertDefaults: %s", word);
    else
        api_resolve(c, KIND_SERVICE, c->param[0], reply_service);
}

void api_service_get(struct api_call *c)
{
    api_take_none(c, get_ready);
}

static void on_removed(struct api_call *c, ProtobufCMessage *response)
{
    (void)response;
    api_reply_empty(c, 200);
}

static void remove_found(struct api_call *c, void *object)
{
    Pb__RemoveServiceRequest rq = PB__REMOVE_SERVICE_REQUEST__INIT;
    rq.service_id = ((Pb__Service *)object)->id;
    api_rpc(c, &rpc_method_control_remove_service, &rq, on_removed);
}

static void remove_ready(struct api_call *c)
{
    api_resolve(c, KIND_SERVICE, c->param[0], remove_found);
}

void api_service_remove(struct api_call *c)
{
    api_take_none(c, remove_ready);
}

/* ---- logs: the broker that would carry them between nodes does not exist yet ---- */

static void refuse_logs(struct api_call *c, void *object)
{
    (void)object;
    api_error(c, 501,
              "logs of services and tasks are not supported; use the logs of the containers on "
              "their nodes");
}

static void service_logs_ready(struct api_call *c)
{
    api_resolve(c, KIND_SERVICE, c->param[0], refuse_logs);
}

void api_service_logs(struct api_call *c)
{
    api_take_none(c, service_logs_ready);
}

static void task_logs_ready(struct api_call *c)
{
    api_resolve(c, KIND_TASK, c->param[0], refuse_logs);
}

void api_task_logs(struct api_call *c)
{
    api_take_none(c, task_logs_ready);
}
