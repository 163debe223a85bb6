/* agent/agent.c - the session with the manager: opened, kept, torn down as a whole, opened again.
 */
#include "agent/internal.h"

#include <stdlib.h>

#include "agent/description.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/str.h"
#include "model/pb.h"
#include "rpc/methods.h"

enum {
    BACKOFF_FIRST_MS =
        20, /* the manager is on this machine: a restart of it takes tens of milliseconds */
    BACKOFF_MAX_MS = 8000,   /* swarm-wire 4.4 */
    FIRST_MESSAGE_MS = 5000, /* swarm-wire 4.2 */
    HEARTBEAT_TIMEOUT_MS = 5000,
    UPDATE_TIMEOUT_MS = 20000,
    UPDATES_MAX = 1000, /* statuses in one call */
};

struct agent_told { /* the statuses that an update under way carries */
    size_t n;
    struct {
        char id[ID_SIZE * 3];
        unsigned revision;
    } task[];
};

static void session_open(struct agent *a);

static void session_down(struct agent *a, const char *why)
{
    if (a->session_id && !a->closing)
        log_warn("session with the manager ended: %s", why);
    struct rpc_pending **all[] = {&a->session, &a->assignments, &a->heartbeat, &a->update};
    for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++)
        if (*all[i])
            rpc_cancel(TAKE(*all[i]));
    free(TAKE(a->told));
    free(TAKE(a->session_id));
    a->complete = false;
    uv_timer_stop(&a->beat);
}

static void on_retry(uv_timer_t *t)
{
    session_open(t->data);
}

static void session_lost(struct agent *a, const char *why)
{
    session_down(a, why);
    if (a->closing)
        return;
    uv_timer_start(&a->retry, on_retry, a->backoff_ms, 0);
    a->backoff_ms = a->backoff_ms * 2 > BACKOFF_MAX_MS ? BACKOFF_MAX_MS : a->backoff_ms * 2;
}

/* ---- heartbeat ---- */

static void on_beat(uv_timer_t *t);

static void on_heartbeat(void *arg, const struct rpc_status *st, ProtobufCMessage *m)
{
    struct agent *a = arg;
    a->heartbeat = NULL;
    if (st->code != RPC_OK) {
        session_lost(a, st->message);
        return;
    }
    const Pb__HeartbeatResponse *r = (const Pb__HeartbeatResponse *)m;
    int64_t ms = r->period ? r->period->seconds * 1000 + r->period->nanos / NS_PER_MS : 5000;
    uv_timer_start(&a->beat, on_beat, ms < 100 ? 100 : (uint64_t)ms, 0);
}

static void on_beat(uv_timer_t *t)
{
    struct agent *a = t->data;
    if (a->heartbeat || !a->session_id)
        return;
    Pb__HeartbeatRequest rq = PB__HEARTBEAT_REQUEST__INIT;
    rq.session_id = a->session_id;
    a->heartbeat = rpc_start(a->manager, &rpc_method_dispatcher_heartbeat, &rq.base,
                             HEARTBEAT_TIMEOUT_MS, on_heartbeat, a);
}

/* ---- assignments ---- */

static void take_change(struct agent *a, const Pb__AssignmentChange *c)
{
    if (!c->assignment)
        return;
    bool remove = c->action == PB__ASSIGNMENT_CHANGE__ASSIGNMENT_ACTION__ASSIGNMENT_ACTION_REMOVE;
    switch (c->assignment->item_case) {
    case PB__ASSIGNMENT__ITEM_SECRET:
        if (remove)
            agent_secrets_drop(a, c->assignment->secret->id);
        else
            agent_secrets_put(a, c->assignment->secret);
        break;
    case PB__ASSIGNMENT__ITEM_TASK:
        if (remove)
            agent_tasks_withdraw(a, c->assignment->task->id);
        else
            agent_tasks_assign(a, c->assignment->task);
        break;
    default:
        break; /* configs and volumes are not delivered yet: no task that needs them is accepted */
    }
}

/* Dependencies first: a task may be started as soon as it is taken. */
static void take_changes(struct agent *a, const Pb__AssignmentsMessage *m)
{
    for (int tasks = 0; tasks < 2; tasks++)
        for (size_t i = 0; i < m->n_changes; i++) {
            const Pb__AssignmentChange *c = m->changes[i];
            bool is_task = c->assignment && c->assignment->item_case == PB__ASSIGNMENT__ITEM_TASK;
            if (is_task == (tasks == 1))
                take_change(a, c);
        }
}

static void on_assignments(void *arg, ProtobufCMessage *msg)
{
    struct agent *a = arg;
    const Pb__AssignmentsMessage *m = (const Pb__AssignmentsMessage *)msg;
    bool whole = m->type == PB__ASSIGNMENTS_MESSAGE__TYPE__TYPE_COMPLETE;
    if (whole) {
        agent_secrets_clear(a);
        agent_tasks_begin_complete(a);
    }
    take_changes(a, m);
    if (whole) {
        agent_tasks_end_complete(a);
        a->complete = true;
    }
    agent_tasks_run(a);
    agent_tell(a);
}

static void on_assignments_end(void *arg, const struct rpc_status *st)
{
    struct agent *a = arg;
    a->assignments = NULL;
    session_lost(a, st->message);
}

/* ---- statuses ---- */

static void on_updated(void *arg, const struct rpc_status *st, ProtobufCMessage *m)
{
    (void)m;
    struct agent *a = arg;
    a->update = NULL;
    struct agent_told *told = TAKE(a->told);
    if (st->code != RPC_OK) {
        free(told);
        session_lost(a, st->message);
        return;
    }
    for (size_t i = 0; i < told->n; i++) {
        struct agent_task *t = agent_tasks_find(a, told->task[i].id);
        if (t && t->revision == told->task[i].revision)
            t->dirty = false;
    }
    free(told);
    agent_tell(a);
}

static Pb__UpdateTaskStatusRequest__TaskStatusUpdate *status_of(const struct agent_task *t)
{
    Pb__UpdateTaskStatusRequest__TaskStatusUpdate *u =
        NEW(Pb__UpdateTaskStatusRequest__TaskStatusUpdate);
    pb__update_task_status_request__task_status_update__init(u);
    u->task_id = mem_str(t->task->id);
    Pb__TaskStatus *s = NEW(Pb__TaskStatus);
    pb__task_status__init(s);
    u->status = s;
    pb_set_time(&s->timestamp, t->changed_ns);
    s->state = (Pb__TaskState)t->state;
    s->message = mem_str(t->message);
    s->err = mem_str(t->err ? t->err : "");
    if (t->container_id[0]) {
        s->runtime_status_case = PB__TASK_STATUS__RUNTIME_STATUS_CONTAINER;
        s->container = NEW(Pb__ContainerStatus);
        pb__container_status__init(s->container);
        s->container->container_id = mem_str(t->container_id);
        s->container->pid = t->pid;
        s->container->exit_code = t->has_exit_code ? t->exit_code : 0;
    }
    s->port_status = NEW(Pb__PortStatus);
    pb__port_status__init(s->port_status);
    return u;
}

void agent_tell(struct agent *a)
{
    if (a->update || !a->session_id || a->closing)
        return;
    Pb__UpdateTaskStatusRequest *rq = NEW(Pb__UpdateTaskStatusRequest);
    pb__update_task_status_request__init(rq);
    rq->updates = mem_array(UPDATES_MAX, sizeof(*rq->updates));
    struct agent_told *told = mem_new(sizeof(*told) + UPDATES_MAX * sizeof(told->task[0]));
    for (struct agent_task *t = agent_tasks_first(a); t && rq->n_updates < UPDATES_MAX;
         t = agent_tasks_next(t)) {
        if (!t->dirty || t->withdrawn)
            continue;
        str_copy(told->task[told->n].id, sizeof(told->task[0].id), t->task->id);
        told->task[told->n++].revision = t->revision;
        rq->updates[rq->n_updates++] = status_of(t);
    }
    if (rq->n_updates) {
        rq->session_id = mem_str(a->session_id);
        a->told = TAKE(told);
        a->update = rpc_start(a->manager, &rpc_method_dispatcher_update_task_status, &rq->base,
                              UPDATE_TIMEOUT_MS, on_updated, a);
    }
    free(told);
    pb__update_task_status_request__free_unpacked(rq, NULL);
}

/* ---- session ---- */

static void on_session_message(void *arg, ProtobufCMessage *msg)
{
    struct agent *a = arg;
    const Pb__SessionMessage *m = (const Pb__SessionMessage *)msg;
    if (a->session_id)
        return; /* a change of node, managers or keys: nothing here depends on them yet */
    uv_timer_stop(&a->retry);
    a->session_id = mem_str(m->session_id);
    a->backoff_ms = BACKOFF_FIRST_MS;
    for (struct agent_task *t = agent_tasks_first(a); t; t = agent_tasks_next(t))
        t->dirty = true; /* a new session is told everything again */
    Pb__AssignmentsRequest rq = PB__ASSIGNMENTS_REQUEST__INIT;
    rq.session_id = a->session_id;
    a->assignments = rpc_open(a->manager, &rpc_method_dispatcher_assignments, &rq.base, 0,
                              on_assignments, on_assignments_end, a);
    on_beat(&a->beat);
}

static void on_session_end(void *arg, const struct rpc_status *st)
{
    struct agent *a = arg;
    a->session = NULL;
    session_lost(a, st->message);
}

static void on_first_message_late(uv_timer_t *t)
{
    session_lost(t->data, "no answer to the registration in 5 seconds");
}

static void session_open(struct agent *a)
{
    Pb__SessionRequest rq = PB__SESSION_REQUEST__INIT;
    rq.description = node_description_new();
    a->session = rpc_open(a->manager, &rpc_method_dispatcher_session, &rq.base, 0,
                          on_session_message, on_session_end, a);
    pb__node_description__free_unpacked(rq.description, NULL);
    uv_timer_start(&a->retry, on_first_message_late, FIRST_MESSAGE_MS, 0);
}

struct agent *agent_new(const struct agent_options *o)
{
    struct agent *a = NEW(struct agent);
    a->loop = o->loop;
    a->manager = o->manager;
    a->runtime = o->runtime;
    a->images = o->images;
    a->node_id = mem_str(o->node_id);
    a->backoff_ms = BACKOFF_FIRST_MS;
    RB_INIT(&a->tasks);
    RB_INIT(&a->secrets);
    uv_timer_init(a->loop, &a->retry);
    uv_timer_init(a->loop, &a->beat);
    a->retry.data = a->beat.data = a;
    a->handles = 2;
    a->watch = runtime_watch(a->runtime, agent_tasks_on_runtime, a);
    session_open(a);
    return a;
}

bool agent_connected(const struct agent *a)
{
    return a->complete;
}

static void maybe_closed(struct agent *a)
{
    if (!a->closing || a->handles || a->operations)
        return;
    agent_tasks_free(a);
    agent_secrets_clear(a);
    runtime_unwatch(a->watch);
    void (*cb)(void *) = a->on_closed;
    void *arg = a->on_closed_arg;
    free(a->node_id);
    free(a);
    if (cb)
        cb(arg);
}

static void on_timer_closed(uv_handle_t *h)
{
    struct agent *a = h->data;
    a->handles--;
    maybe_closed(a);
}

void agent_operation_done(struct agent *a)
{
    a->operations--;
    if (a->closing)
        maybe_closed(a);
}

void agent_close(struct agent *a, void (*on_closed)(void *arg), void *arg)
{
    a->closing = true;
    a->on_closed = on_closed;
    a->on_closed_arg = arg;
    session_down(a, "closing");
    uv_close((uv_handle_t *)&a->retry, on_timer_closed);
    uv_close((uv_handle_t *)&a->beat, on_timer_closed);
}
