/* model/task.c - see model/task.h. */
#include "model/task.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/str.h"
#include "model/pb.h"
#include "model/service.h"

static const struct {
    int state;
    const char *name;
} states[] = {
    {TASK_NEW, "new"},
    {128, "allocated"}, /* never seen: what it stood for is part of PENDING; clients may still
                           filter by it */
    {TASK_PENDING, "pending"},
    {TASK_ASSIGNED, "assigned"},
    {TASK_ACCEPTED, "accepted"},
    {TASK_PREPARING, "preparing"},
    {TASK_READY, "ready"},
    {TASK_STARTING, "starting"},
    {TASK_RUNNING, "running"},
    {TASK_COMPLETE, "complete"},
    {TASK_SHUTDOWN, "shutdown"},
    {TASK_FAILED, "failed"},
    {TASK_REJECTED, "rejected"},
    {TASK_REMOVE, "remove"},
    {TASK_ORPHANED, "orphaned"},
};

const char *task_state_name(int state)
{
    for (size_t i = 0; i < sizeof states / sizeof *states; i++)
        if (states[i].state == state)
            return states[i].name;
    return "unknown";
}

int task_state_parse(const char *name)
{
    for (size_t i = 0; i < sizeof states / sizeof *states; i++)
        if (str_ieq(states[i].name, name))
            return states[i].state;
    return -1;
}

bool task_state_is_final(int state)
{
    return state >= TASK_COMPLETE;
}

bool task_state_may_move(int from, int to)
{
    if (strcmp(task_state_name(to), "unknown") == 0 || to == TASK_REMOVE)
        return false;
    if (to == from)
        return true;
    return task_state_is_final(from) ? to == TASK_ORPHANED : to > from;
}

int task_state(const Pb__Task *t)
{
    return t->status ? (int)t->status->state : TASK_NEW;
}

bool task_wanted(const Pb__Task *t)
{
    return (int)t->desired_state <= TASK_RUNNING;
}

bool task_is_running(const Pb__Task *t)
{
    return task_state(t) == TASK_RUNNING;
}

int64_t task_status_time(const Pb__Task *t)
{
    return t->status ? pb_time_ns(t->status->timestamp) : 0;
}

void task_set_status(Pb__Task *t, int state, int64_t now, const char *message, const char *err)
{
    if (!t->status)
        t->status = PB_NEW(TaskStatus, task_status);
    t->status->state = (Pb__TaskState)state;
    pb_set_time(&t->status->timestamp, now);
    if (message)
        pb_str(&t->status->message, message);
    if (err)
        pb_str(&t->status->err, err);
}

char *task_name(const Pb__Task *t)
{
    const char *own = pb_name(t->annotations), *service = pb_name(t->service_annotations);

    if (!str_empty(own))
        return mem_str(own);
    if (t->slot)
        return mem_printf("%s.%" PRIu64 ".%s", service, t->slot, str_or(t->id, ""));
    return mem_printf("%s.%s.%s", service, str_or(t->node_id, ""), str_or(t->id, ""));
}

/* A node says everything again when it registers again: that is no news. Our own stamps are put
 * aside. */
static bool same_report(const Pb__TaskStatus *reported, const Pb__TaskStatus *have)
{
    Pb__TaskStatus a = *reported, b = *have;

    a.applied_by = b.applied_by = NULL;
    a.applied_at = b.applied_at = NULL;
    return pb_equal(&a, &b);
}

bool task_apply_status(Pb__Task *t, const Pb__TaskStatus *reported, const char *by, int64_t now)
{
    int from = task_state(t), to = (int)reported->state;

    if (to < TASK_ACCEPTED || to > TASK_REJECTED || !task_state_may_move(from, to))
        return false;
    if (to == from && (task_state_is_final(from) || same_report(reported, t->status)))
        return false;
    pb_free(t->status);
    t->status = pb_dup(reported);
    pb_str(&t->status->applied_by, by);
    pb_set_time(&t->status->applied_at, now);
    if (to == TASK_RUNNING && from != TASK_RUNNING)
        task_set_note_ns(t, TASK_NOTE_RAN_AT, now);
    return true;
}

int64_t task_ended_at(const Pb__Task *t)
{
    if (!task_state_is_final(task_state(t)))
        return 0;
    int64_t applied = pb_time_ns(t->status->applied_at);
    return applied ? applied : task_status_time(t);
}

/* Puts key and value at the end of the flat list, or the value in place of the one that key has. */
static void flat_set(char ***v, const char *key, const char *value)
{
    for (size_t i = 0; *v && (*v)[i]; i += 2) {
        if (strcmp((*v)[i], key) == 0) {
            free((*v)[i + 1]);
            (*v)[i + 1] = mem_str(value);
            return;
        }
    }
    strv_push(v, mem_str(key));
    strv_push(v, mem_str(value));
}

char **task_container_labels(const Pb__Task *t)
{
    const Pb__ContainerSpec *c = task_container(t);
    char **v = NULL, *name = task_name(t);

    for (size_t i = 0; c && i < c->n_labels; i++)
        flat_set(&v, str_or(c->labels[i]->key, ""), str_or(c->labels[i]->value, ""));
    for (size_t i = 0; t->annotations && i < t->annotations->n_labels; i++)
        flat_set(&v, str_or(t->annotations->labels[i]->key, ""),
                 str_or(t->annotations->labels[i]->value, ""));
    flat_set(&v, "com.docker.swarm.task", "");
    flat_set(&v, "com.docker.swarm.task.id", str_or(t->id, ""));
    flat_set(&v, "com.docker.swarm.task.name", name);
    flat_set(&v, "com.docker.swarm.node.id", str_or(t->node_id, ""));
    flat_set(&v, "com.docker.swarm.service.id", str_or(t->service_id, ""));
    flat_set(&v, "com.docker.swarm.service.name", pb_name(t->service_annotations));
    free(name);
    return v;
}

const Pb__ContainerSpec *task_container(const Pb__Task *t)
{
    if (!t->spec || t->spec->runtime_case != PB__TASK_SPEC__RUNTIME_CONTAINER)
        return NULL;
    return t->spec->container;
}

uint64_t task_stop_grace_ns(const Pb__Task *t)
{
    const Pb__ContainerSpec *c = task_container(t);
    int64_t ns = pb_duration_ns(c ? c->stop_grace_period : NULL, DEFAULT_STOP_GRACE_NS);

    return ns < 0 ? 0 : (uint64_t)ns;
}

static bool refers(const Pb__TaskSpec *spec, int type, const char *id)
{
    for (size_t i = 0; spec && i < spec->n_resource_references; i++) {
        const Pb__ResourceReference *r = spec->resource_references[i];
        if ((int)r->resource_type == type && str_eq(r->resource_id, id))
            return true;
    }
    return false;
}

bool task_uses_secret(const Pb__Task *t, const char *secret_id)
{
    const Pb__ContainerSpec *c = task_container(t);

    for (size_t i = 0; c && i < c->n_secrets; i++)
        if (str_eq(c->secrets[i]->secret_id, secret_id))
            return true;
    return refers(t->spec, PB__RESOURCE_TYPE__RESOURCE_TYPE_SECRET, secret_id);
}

bool task_uses_config(const Pb__Task *t, const char *config_id)
{
    const Pb__ContainerSpec *c = task_container(t);

    for (size_t i = 0; c && i < c->n_configs; i++)
        if (str_eq(c->configs[i]->config_id, config_id))
            return true;
    return refers(t->spec, PB__RESOURCE_TYPE__RESOURCE_TYPE_CONFIG, config_id);
}

const char *task_note(const Pb__Task *t, const char *key)
{
    const Pb__Annotations *a = t->annotations;

    for (size_t i = 0; a && i < a->n_indices; i++)
        if (str_eq(a->indices[i]->key, key))
            return str_or(a->indices[i]->val, "");
    return NULL;
}

int64_t task_note_ns(const Pb__Task *t, const char *key)
{
    const char *s = task_note(t, key);
    int64_t ns = 0;

    return s && str_to_i64(s, &ns) == 0 ? ns : 0;
}

void task_set_note(Pb__Task *t, const char *key, const char *value)
{
    if (!t->annotations)
        t->annotations = PB_NEW(Annotations, annotations);
    Pb__Annotations *a = t->annotations;
    for (size_t i = 0; i < a->n_indices; i++) {
        if (str_eq(a->indices[i]->key, key)) {
            pb_str(&a->indices[i]->val, value);
            return;
        }
    }
    Pb__IndexEntry *e = PB_NEW(IndexEntry, index_entry);
    pb_str(&e->key, key);
    pb_str(&e->val, value);
    PB_PUSH(a->n_indices, a->indices, e);
}

void task_set_note_ns(Pb__Task *t, const char *key, int64_t ns)
{
    char text[24];

    snprintf(text, sizeof text, "%" PRId64, ns);
    task_set_note(t, key, text);
}
