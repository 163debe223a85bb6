/* api/routes_task.c - /tasks. The list is what waiting clients poll, with a service's id and
 * _up-to-date. */
#include <stdlib.h>
#include <string.h>
#include "api/encode.h"
#include "api/lists.h"
#include "api/state.h"
#include "base/str.h"
#include "model/task.h"
#include "rpc/methods.h"

static const char *const known[] = {"_up-to-date", "desired-state", "id",      "label", "name",
                                    "node",        "runtime",       "service", NULL};

struct list {
    struct api_filters *filters;
    char **services, **nodes; /* words, then ids */
    Pb__TaskState *states;
    size_t nstates;
};

static void free_list(void *arg)
{
    struct list *l = arg;
    api_filters_free(l->filters);
    strv_free(l->services);
    strv_free(l->nodes);
    free(l->states);
    free(l);
}

static void on_listed(struct api_call *c, ProtobufCMessage *response)
{
    const Pb__ListTasksResponse *r = (const void *)response;
    const struct list *l = c->state;
    struct buf b = API_OUT();
    struct jw w = JW_INIT(&b);
    jw_array(&w, NULL);
    for (size_t i = 0; i < r->n_tasks; i++) {
        const Pb__Task *t = r->tasks[i];
        /* a task's labels are those of its service's spec, as filters see them */
        if (api_filters_labels(l->filters, "label", list_label,
                               t->service_annotations ? t->service_annotations : t->annotations))
            encode_task(&w, NULL, t);
    }
    jw_end_array(&w);
    api_reply_json(c, 200, &b);
}

static void ask(struct api_call *c)
{
    struct list *l = c->state;
    Pb__ListTasksRequest rq = PB__LIST_TASKS_REQUEST__INIT;
    Pb__ListTasksRequest__Filters f = PB__LIST_TASKS_REQUEST__FILTERS__INIT;
    struct list_words ids = list_words(l->filters, "id"), prefixes = list_words(l->filters, "name"),
                      runtimes = list_words(l->filters, "runtime");
    f.id_prefixes = ids.v;
    f.n_id_prefixes = ids.n;
    f.name_prefixes = prefixes.v;
    f.n_name_prefixes = prefixes.n;
    f.runtimes = runtimes.v;
    f.n_runtimes = runtimes.n;
    f.service_ids = l->services;
    f.n_service_ids = strv_len((const char *const *)l->services);
    f.node_ids = l->nodes;
    f.n_node_ids = strv_len((const char *const *)l->nodes);
    f.desired_states = l->states;
    f.n_desired_states = l->nstates;
    f.up_to_date = api_filters_has(l->filters, "_up-to-date");
    rq.filters = &f;
    api_rpc(c, &rpc_method_control_list_tasks, &rq, on_listed);
    list_words_free(&ids);
    list_words_free(&prefixes);
    list_words_free(&runtimes);
}

static void resolve_nodes(struct api_call *c)
{
    struct list *l = c->state;
    if (l->nodes)
        api_resolve_all(c, KIND_NODE, l->nodes, ask);
    else
        ask(c);
}

static int take_states(struct api_call *c, struct list *l)
{
    for (const char *const *v = api_filters_values(l->filters, "desired-state"); *v; v++) {
        int state = task_state_parse(*v);
        if (state < 0) {
            api_error(c, 500, "Invalid desired-state filter: '%s'", *v);
            return -1;
        }
        l->states = mem_grow(l->states, l->nstates + 1, sizeof(*l->states));
        l->states[l->nstates++] = (Pb__TaskState)state;
    }
    return 0;
}

static char **copy_values(const struct api_filters *f, const char *key)
{
    const char *const *v = api_filters_values(f, key);
    return *v ? strv_dup(v) : NULL;
}

static void list_ready(struct api_call *c)
{
    struct api_filters *f = NULL;
    if (!api_manager(c) || api_filters_get(c, known, &f) != 0)
        return;
    struct list *l = NEW(struct list);
    l->filters = f;
    c->state = l;
    c->free_state = free_list;
    if (take_states(c, l) != 0)
        return;
    l->services = copy_values(f, "service");
    l->nodes = copy_values(f, "node");
    if (l->services)
        api_resolve_all(c, KIND_SERVICE, l->services, resolve_nodes);
    else
        resolve_nodes(c);
}

void api_task_list(struct api_call *c)
{
    api_take_none(c, list_ready);
}

static void reply_task(struct api_call *c, void *object)
{
    struct buf b = API_OUT();
    struct jw w = JW_INIT(&b);
    encode_task(&w, NULL, object);
    api_reply_json(c, 200, &b);
}

static void get_ready(struct api_call *c)
{
    api_resolve(c, KIND_TASK, c->param[0], reply_task);
}

void api_task_get(struct api_call *c)
{
    api_take_none(c, get_ready);
}
