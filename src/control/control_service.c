/* control/control_service.c - services: create, get, list, update, roll back, remove, count their
 * tasks. */
#include <stdlib.h>

#include "base/id.h"
#include "base/mem.h"
#include "base/str.h"
#include "control/control_int.h"
#include "control/invent_name.h"
#include "control/service_refs.h"
#include "control/validate_service.h"
#include "model/pb.h"
#include "model/service.h"
#include "model/task.h"

/* ---- reading ---- */
static void get_service(struct rpc_call *call, const ProtobufCMessage *request, void *service)
{
    const Pb__GetServiceRequest *req = (const Pb__GetServiceRequest *)request;
    struct control *c = service;
    Pb__GetServiceResponse res = PB__GET_SERVICE_RESPONSE__INIT;
    Pb__Service *filled = NULL;
    if (str_empty(req->service_id)) {
        rpc_fail(call, RPC_INVALID_ARGUMENT, "service ID must be provided");
        return;
    }
    const void *s = store_get(c->store, STORE_COMMITTED, STORE_SERVICE, req->service_id);
    if (!s) {
        control_fail_missing(call, "service", req->service_id);
        return;
    }
    res.service = (Pb__Service *)(uintptr_t)s;
    if (req->insert_defaults) {
        res.service = filled = store_copy(STORE_SERVICE, s);
        if (filled->spec)
            service_spec_insert_defaults(filled->spec);
    }
    rpc_reply(call, &res.base);
    store_object_free(STORE_SERVICE, filled);
}

static const char *runtime_of(const Pb__Service *s)
{
    const Pb__TaskSpec *t = s->spec ? s->spec->task : NULL;
    switch (t ? t->runtime_case : PB__TASK_SPEC__RUNTIME__NOT_SET) {
    case PB__TASK_SPEC__RUNTIME_CONTAINER:
        return "container";
    case PB__TASK_SPEC__RUNTIME_ATTACHMENT:
        return "attachment";
    case PB__TASK_SPEC__RUNTIME_GENERIC:
        return str_or(t->generic->kind, "");
    default:
        return "";
    }
}

static void list_services(struct rpc_call *call, const ProtobufCMessage *request, void *service)
{
    const Pb__ListServicesRequest *req = (const Pb__ListServicesRequest *)request;
    const Pb__ListServicesRequest__Filters *rf = req->filters;
    Pb__ListServicesResponse res = PB__LIST_SERVICES_RESPONSE__INIT;
    struct control_filter f = CONTROL_FILTER(rf, false);
    struct control_list l = control_list_of(service, STORE_SERVICE, &f);
    size_t n = 0;
    for (size_t i = 0; i < l.n; i++)
        if (!rf || !rf->n_runtimes ||
            control_has_string(rf->runtimes, rf->n_runtimes, runtime_of(l.v[i])))
            l.v[n++] = l.v[i];
    res.services = (Pb__Service **)(uintptr_t)l.v;
    res.n_services = n;
    rpc_reply(call, &res.base);
    free(l.v);
}

struct count {
    Pb__ListServiceStatusesResponse__ServiceStatus *st;
    bool global;
};

static int count_task(const void *object, void *arg)
{
    const Pb__Task *t = object;
    struct count *n = arg;
    n->st->running_tasks += task_is_running(t);
    n->st->completed_tasks += task_state(t) == TASK_COMPLETE;
    if (n->global)
        n->st->desired_tasks += task_wanted(t);
    return 0;
}

static Pb__ListServiceStatusesResponse__ServiceStatus *status_of(struct control *c, const char *id)
{
    Pb__ListServiceStatusesResponse__ServiceStatus *st =
        NEW(Pb__ListServiceStatusesResponse__ServiceStatus);
    pb__list_service_statuses_response__service_status__init(st);
    pb_str(&st->service_id, id);
    const Pb__Service *s = STORE_GET(c->store, STORE_COMMITTED, SERVICE, Service, id);
    if (!s || !s->spec)
        return st;
    struct count n = {st, service_spec_mode(s->spec) == SERVICE_GLOBAL};
    st->desired_tasks = service_spec_replicas(s->spec);
    store_each_task_of_service(c->store, STORE_COMMITTED, id, count_task, &n);
    if (!service_spec_is_job(s->spec))
        st->completed_tasks = 0; /* only jobs complete */
    return st;
}

static void list_statuses(struct rpc_call *call, const ProtobufCMessage *request, void *service)
{
    const Pb__ListServiceStatusesRequest *req = (const Pb__ListServiceStatusesRequest *)request;
    Pb__ListServiceStatusesResponse *res =
        PB_NEW(ListServiceStatusesResponse, list_service_statuses_response);
    for (size_t i = 0; i < req->n_services; i++)
        PB_PUSH(res->n_statuses, res->statuses, status_of(service, req->services[i]));
    rpc_reply(call, &res->base);
    pb_free(res);
}

/* ---- creating ---- */
static void reply_created(struct control *c, struct rpc_call *call, const void *object)
{
    Pb__CreateServiceResponse res = PB__CREATE_SERVICE_RESPONSE__INIT;
    (void)c;
    res.service = (Pb__Service *)(uintptr_t)object;
    rpc_reply(call, &res.base);
}

static void name_it(struct control *c, Pb__ServiceSpec *spec)
{
    char name[INVENTED_NAME_SIZE];
    uint64_t random = random_u64();
    unsigned attempt = 0;
    if (!spec->annotations)
        spec->annotations = PB_NEW(Annotations, annotations);
    if (!str_empty(spec->annotations->name))
        return;
    do
        invent_name(random, attempt++, name);
    while (store_by_name(c->store, STORE_TIP, STORE_SERVICE, name));
    pb_str(&spec->annotations->name, name);
}

/* Takes spec. */
static void create_checked(struct control *c, struct rpc_call *call, Pb__ServiceSpec *spec)
{
    struct rpc_status why;
    char id[ID_SIZE];
    Pb__Endpoint *endpoint = service_endpoint_new(c->store, spec, NULL, NULL, &why);
    if (!endpoint) {
        rpc_fail_status(call, &why);
        pb_free(spec);
        return;
    }
    Pb__Service *s = PB_NEW(Service, service);
    struct store_batch *b = store_batch_new(c->store);
    id_new(id);
    pb_str(&s->id, id);
    s->spec = spec;
    s->endpoint = endpoint;
    service_born(s);
    store_create(b, STORE_SERVICE, s);
    control_commit(c, call, b, STORE_SERVICE, id, reply_created);
}

static void create_service(struct rpc_call *call, const ProtobufCMessage *request, void *service)
{
    const Pb__CreateServiceRequest *req = (const Pb__CreateServiceRequest *)request;
    struct control *c = service;
    struct rpc_status why;
    if (!req->spec) {
        control_fail_argument(call);
        return;
    }
    Pb__ServiceSpec *spec = pb_dup(req->spec);
    name_it(c, spec);
    const char *name = spec->annotations->name;
    if (validate_service_spec(spec, &why) || service_refs_check(c->store, spec, NULL, &why)) {
        rpc_fail_status(call, &why);
    } else if (store_by_name(c->store, STORE_TIP, STORE_SERVICE, name)) {
        rpc_fail(call, RPC_ALREADY_EXISTS,
                 "name conflicts with an existing object: service %s already exists", name);
    } else {
        create_checked(c, call, spec);
        return;
    }
    pb_free(spec);
}

/* ---- updating ---- */
static void reply_updated(struct control *c, struct rpc_call *call, const void *object)
{
    Pb__UpdateServiceResponse res = PB__UPDATE_SERVICE_RESPONSE__INIT;
    (void)c;
    res.service = (Pb__Service *)(uintptr_t)object;
    rpc_reply(call, &res.base);
}

static enum rpc_code check_change(const Pb__Service *s, const Pb__UpdateServiceRequest *req,
                                  struct rpc_status *why)
{
    if (!str_eq(service_name(s), pb_name(req->spec->annotations)))
        return (enum rpc_code)rpc_status_set(why, RPC_UNIMPLEMENTED,
                                             "renaming services is not supported");
    if (service_spec_mode(s->spec) != service_spec_mode(req->spec))
        return (enum rpc_code)rpc_status_set(why, RPC_UNIMPLEMENTED,
                                             "service mode change is not allowed");
    bool back = req->rollback == PB__UPDATE_SERVICE_REQUEST__ROLLBACK__ROLLBACK_PREVIOUS;
    if (back && !service_can_roll_back(s))
        return (enum rpc_code)rpc_status_set(why, RPC_FAILED_PRECONDITION,
                                             "service %s does not have a previous spec", s->id);
    if (!control_same_version(STORE_SERVICE, s, req->service_version))
        return (enum rpc_code)rpc_status_set(why, RPC_UNKNOWN, "update out of sequence");
    return RPC_OK;
}

/* What the service becomes; its endpoint follows its new spec. NULL: *why. */
static Pb__Service *changed(struct control *c, const Pb__Service *s,
                            const Pb__UpdateServiceRequest *req, struct rpc_status *why)
{
    Pb__Service *n = store_copy(STORE_SERVICE, s);
    if (req->rollback == PB__UPDATE_SERVICE_REQUEST__ROLLBACK__ROLLBACK_PREVIOUS)
        service_roll_back(n, control_now(c), SERVICE_ROLLBACK_MANUAL);
    else
        service_change(n, pb_dup(req->spec));
    /* Also of a spec that was good once: what it names may be gone since. */
    Pb__Endpoint *e = service_refs_check(c->store, n->spec, n->id, why)
                          ? NULL
                          : service_endpoint_new(c->store, n->spec, n->id, n->endpoint, why);
    if (!e) {
        store_object_free(STORE_SERVICE, n);
        return NULL;
    }
    pb_free(n->endpoint);
    n->endpoint = e;
    return n;
}

static void update_service(struct rpc_call *call, const ProtobufCMessage *request, void *service)
{
    const Pb__UpdateServiceRequest *req = (const Pb__UpdateServiceRequest *)request;
    struct control *c = service;
    struct rpc_status why;
    if (str_empty(req->service_id) || !req->service_version) {
        control_fail_argument(call);
        return;
    }
    if (validate_service_spec(req->spec, &why)) {
        rpc_fail_status(call, &why);
        return;
    }
    const Pb__Service *s = STORE_GET(c->store, STORE_TIP, SERVICE, Service, req->service_id);
    if (!s) {
        control_fail_missing(call, "service", req->service_id);
        return;
    }
    Pb__Service *n = check_change(s, req, &why) ? NULL : changed(c, s, req, &why);
    if (!n) {
        rpc_fail_status(call, &why);
        return;
    }
    struct store_batch *b = store_batch_new(c->store);
    store_update(b, STORE_SERVICE, n);
    control_commit(c, call, b, STORE_SERVICE, req->service_id, reply_updated);
}

/* ---- removing: its tasks are the orchestrator's to stop ---- */
static void reply_removed(struct control *c, struct rpc_call *call, const void *object)
{
    Pb__RemoveServiceResponse res = PB__REMOVE_SERVICE_RESPONSE__INIT;
    (void)c, (void)object;
    rpc_reply(call, &res.base);
}

static void remove_service(struct rpc_call *call, const ProtobufCMessage *request, void *service)
{
    const Pb__RemoveServiceRequest *req = (const Pb__RemoveServiceRequest *)request;
    struct control *c = service;
    if (str_empty(req->service_id)) {
        rpc_fail(call, RPC_INVALID_ARGUMENT, "service ID must be provided");
        return;
    }
    if (!store_get(c->store, STORE_TIP, STORE_SERVICE, req->service_id)) {
        control_fail_missing(call, "service", req->service_id);
        return;
    }
    struct store_batch *b = store_batch_new(c->store);
    store_remove(b, STORE_SERVICE, req->service_id);
    control_commit(c, call, b, STORE_SERVICE, NULL, reply_removed);
}

struct control_table control_service_table(void)
{
    static const struct rpc_handler t[] = {
        {&rpc_method_control_get_service, get_service},
        {&rpc_method_control_list_services, list_services},
        {&rpc_method_control_list_service_statuses, list_statuses},
        {&rpc_method_control_create_service, create_service},
        {&rpc_method_control_update_service, update_service},
        {&rpc_method_control_remove_service, remove_service},
    };
    return CONTROL_TABLE(t);
}
