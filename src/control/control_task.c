/* control/control_task.c - tasks: get, list with all filters, remove. */
#include <stdlib.h>

#include "base/mem.h"
#include "base/str.h"
#include "control/control_int.h"
#include "model/pb.h"
#include "model/service.h"
#include "model/task.h"

static void get_task(struct rpc_call *call, const ProtobufCMessage *request, void *service)
{
    const Pb__GetTaskRequest *req = (const Pb__GetTaskRequest *)request;
    struct control *c = service;
    Pb__GetTaskResponse res = PB__GET_TASK_RESPONSE__INIT;
    if (str_empty(req->task_id)) {
        rpc_fail(call, RPC_INVALID_ARGUMENT, "task ID must be provided");
        return;
    }
    const void *t = store_get(c->store, STORE_COMMITTED, STORE_TASK, req->task_id);
    if (!t) {
        control_fail_missing(call, "task", req->task_id);
        return;
    }
    res.task = (Pb__Task *)(uintptr_t)t;
    rpc_reply(call, &res.base);
}

struct task_walk {
    const struct control *control;
    const Pb__ListTasksRequest__Filters *f;
    struct control_list list;
};

static const char *runtime_of(const Pb__Task *t)
{
    switch (t->spec ? t->spec->runtime_case : PB__TASK_SPEC__RUNTIME__NOT_SET) {
    case PB__TASK_SPEC__RUNTIME_CONTAINER:
        return "container";
    case PB__TASK_SPEC__RUNTIME_ATTACHMENT:
        return "attachment";
    case PB__TASK_SPEC__RUNTIME_GENERIC:
        return str_or(t->spec->generic->kind, "");
    default:
        return "";
    }
}

static bool up_to_date(const struct control *c, const Pb__Task *t)
{
    const Pb__Service *s =
        STORE_GET(c->store, STORE_COMMITTED, SERVICE, Service, str_or(t->service_id, ""));
    const Pb__Node *n = STORE_GET(c->store, STORE_COMMITTED, NODE, Node, str_or(t->node_id, ""));
    return s && !service_task_is_dirty(s, t, n);
}

static bool named(const Pb__ListTasksRequest__Filters *f, const Pb__Task *t)
{
    if (!f->n_names && !f->n_name_prefixes)
        return true;
    AUTO_FREE char *name = task_name(t);
    return (!f->n_names || control_has_string(f->names, f->n_names, name)) &&
           (!f->n_name_prefixes ||
            control_has_prefix_of(f->name_prefixes, f->n_name_prefixes, name));
}

static bool desired(const Pb__ListTasksRequest__Filters *f, const Pb__Task *t)
{
    for (size_t i = 0; i < f->n_desired_states; i++)
        if (f->desired_states[i] == t->desired_state)
            return true;
    return !f->n_desired_states;
}

static bool passes(const struct task_walk *w, const Pb__Task *t)
{
    const Pb__ListTasksRequest__Filters *f = w->f;
    const Pb__Annotations *a = t->service_annotations;
    if (f->n_service_ids &&
        !control_has_string(f->service_ids, f->n_service_ids, str_or(t->service_id, "")))
        return false;
    if (f->n_node_ids && !control_has_string(f->node_ids, f->n_node_ids, str_or(t->node_id, "")))
        return false;
    if (f->n_id_prefixes && !control_has_prefix_of(f->id_prefixes, f->n_id_prefixes, t->id))
        return false;
    if (f->n_runtimes && !control_has_string(f->runtimes, f->n_runtimes, runtime_of(t)))
        return false;
    if (f->n_labels && !(a && control_labels_match(f->n_labels, f->labels, a->n_labels, a->labels)))
        return false;
    if (!desired(f, t) || !named(f, t))
        return false;
    return !f->up_to_date || up_to_date(w->control, t);
}

static int visit(const void *object, void *arg)
{
    struct task_walk *w = arg;
    if (!w->f || passes(w, object))
        control_list_add(&w->list, object);
    return 0;
}

static void list_tasks(struct rpc_call *call, const ProtobufCMessage *request, void *service)
{
    const Pb__ListTasksRequest *req = (const Pb__ListTasksRequest *)request;
    struct control *c = service;
    Pb__ListTasksResponse res = PB__LIST_TASKS_RESPONSE__INIT;
    struct task_walk w = {.control = c, .f = req->filters};
    /* The usual question is about one service, or one node: do not look at all the others */
    if (w.f && w.f->n_service_ids == 1)
        store_each_task_of_service(c->store, STORE_COMMITTED, w.f->service_ids[0], visit, &w);
    else if (w.f && w.f->n_node_ids == 1)
        store_each_task_of_node(c->store, STORE_COMMITTED, w.f->node_ids[0], visit, &w);
    else
        store_each(c->store, STORE_COMMITTED, STORE_TASK, visit, &w);
    res.tasks = (Pb__Task **)(uintptr_t)w.list.v;
    res.n_tasks = w.list.n;
    rpc_reply(call, &res.base);
    free(w.list.v);
}

static void reply_removed(struct control *c, struct rpc_call *call, const void *object)
{
    Pb__RemoveTaskResponse res = PB__REMOVE_TASK_RESPONSE__INIT;
    (void)c, (void)object;
    rpc_reply(call, &res.base);
}

static void remove_task(struct rpc_call *call, const ProtobufCMessage *request, void *service)
{
    const Pb__RemoveTaskRequest *req = (const Pb__RemoveTaskRequest *)request;
    struct control *c = service;
    if (str_empty(req->task_id)) {
        rpc_fail(call, RPC_INVALID_ARGUMENT, "task ID must be provided");
        return;
    }
    if (!store_get(c->store, STORE_TIP, STORE_TASK, req->task_id)) {
        control_fail_missing(call, "task", req->task_id);
        return;
    }
    struct store_batch *b = store_batch_new(c->store);
    store_remove(b, STORE_TASK, req->task_id);
    control_commit(c, call, b, STORE_TASK, NULL, reply_removed);
}

struct control_table control_task_table(void)
{
    static const struct rpc_handler t[] = {
        {&rpc_method_control_get_task, get_task},
        {&rpc_method_control_list_tasks, list_tasks},
        {&rpc_method_control_remove_task, remove_task},
    };
    return CONTROL_TABLE(t);
}
