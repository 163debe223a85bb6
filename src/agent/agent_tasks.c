/* agent/agent_tasks.c - the tasks that were assigned to this node: table, adoption of running
 * containers, what containers' events mean. */
#include "agent/internal.h"

#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/str.h"
#include "model/pb.h"

static int compare(struct agent_task *a, struct agent_task *b)
{
    return strcmp(a->task->id, b->task->id);
}
RB_PROTOTYPE_STATIC(agent_tasks, agent_task, node, compare)
RB_GENERATE_STATIC(agent_tasks, agent_task, node, compare)

#define TASK_ID_LABEL "com.docker.swarm.task.id="

struct agent_task *agent_tasks_find(struct agent *a, const char *id)
{
    Pb__Task task = PB__TASK__INIT;
    task.id = (char *)(uintptr_t)id;
    struct agent_task key = {.task = &task};
    return RB_FIND(agent_tasks, &a->tasks, &key);
}

struct agent_task *agent_tasks_first(struct agent *a)
{
    return RB_MIN(agent_tasks, &a->tasks);
}

struct agent_task *agent_tasks_next(struct agent_task *t)
{
    return RB_NEXT(agent_tasks, &t->agent->tasks, t);
}

void agent_task_set(struct agent_task *t, int state, const char *message, const char *err)
{
    if (state < t->state)
        return;
    char *new_message = mem_str(message), *new_err = mem_str(err); /* message may be the old one */
    free(t->message);
    free(t->err);
    t->state = state;
    t->message = new_message;
    t->err = new_err;
    t->changed_ns = clock_wall_ns();
    t->dirty = true;
    t->revision++;
}

static void task_free(struct agent_task *t)
{
    RB_REMOVE(agent_tasks, &t->agent->tasks, t);
    t->agent->ntasks--;
    pb__task__free_unpacked(t->task, NULL);
    free(t->message);
    free(t->err);
    free(t);
}

void agent_tasks_free(struct agent *a)
{
    struct agent_task *t;
    while ((t = agent_tasks_first(a)) != NULL)
        task_free(t);
}

/* ---- what a container says about its task ---- */

void agent_task_take_exit(struct agent_task *t, const struct container *c)
{
    t->pid = 0;
    t->exit_code = c->exit_code;
    t->has_exit_code = true;
    if (t->stopping || t->task->desired_state >= PB__TASK_STATE__TASK_STATE_SHUTDOWN)
        agent_task_set(t, PB__TASK_STATE__TASK_STATE_SHUTDOWN, "shutdown", NULL);
    else if (c->exit_code == 0)
        agent_task_set(t, PB__TASK_STATE__TASK_STATE_COMPLETE, "finished", NULL);
    else {
        AUTO_FREE char *err = mem_printf("task: non-zero exit (%d)%s", c->exit_code,
                                         c->oom_killed ? ": container ran out of memory" : "");
        agent_task_set(t, PB__TASK_STATE__TASK_STATE_FAILED, t->message, err);
    }
}

static struct agent_task *task_of(struct agent *a, const struct container *c)
{
    for (char **l = c->config->labels; l && *l; l++)
        if (str_starts(*l, TASK_ID_LABEL))
            return agent_tasks_find(a, *l + sizeof(TASK_ID_LABEL) - 1);
    return NULL;
}

static void take_removal(struct agent_task *t)
{
    t->container = NULL;
    if (t->withdrawn || t->state >= PB__TASK_STATE__TASK_STATE_COMPLETE)
        return;
    AUTO_FREE char *name = task_container_name(t->task, t->agent->node_id);
    AUTO_FREE char *err = mem_printf("No such container: %s", name);
    agent_task_set(t, PB__TASK_STATE__TASK_STATE_FAILED, t->message, err);
}

void agent_tasks_on_runtime(void *arg, const struct runtime_event *ev)
{
    struct agent *a = arg;
    if (a->closing || !ev->c)
        return;
    bool died = str_eq(ev->action, "die"), gone = str_eq(ev->action, "destroy");
    if (!died && !gone)
        return;
    struct agent_task *t = task_of(a, ev->c);
    if (!t || t->container != ev->c)
        return;
    if (gone)
        take_removal(t);
    else if (t->state >= PB__TASK_STATE__TASK_STATE_STARTING &&
             t->state < PB__TASK_STATE__TASK_STATE_COMPLETE && !t->busy)
        agent_task_take_exit(t, ev->c);
    agent_task_advance(t);
    agent_tell(a);
}

/* ---- assignments ---- */

static int adopt_one(void *arg, struct container *c)
{
    struct agent_task *t = arg;
    if (task_of(t->agent, c) != t)
        return 0;
    t->container = c;
    str_copy(t->container_id, sizeof(t->container_id), c->id);
    return 1;
}

/* After a restart of the daemon: the container, if there is one, says where the task stands. */
static void adopt(struct agent_task *t)
{
    const Pb__TaskStatus *s = t->task->status;
    int told = s ? (int)s->state : 0;
    t->state = told;
    t->message = mem_str(s ? s->message : "");
    t->err = mem_str(s ? s->err : "");
    t->changed_ns = clock_wall_ns();
    runtime_each(t->agent->runtime, adopt_one, t);
    if (told >= PB__TASK_STATE__TASK_STATE_COMPLETE)
        return;
    const struct container *c = t->container;
    if (!c) {
        if (told >= PB__TASK_STATE__TASK_STATE_STARTING)
            take_removal(t);
        else
            agent_task_set(t, PB__TASK_STATE__TASK_STATE_ACCEPTED, "accepted", NULL);
    } else if (c->state == CONTAINER_RUNNING || c->state == CONTAINER_PAUSED) {
        t->pid = c->pid;
        agent_task_set(t, PB__TASK_STATE__TASK_STATE_RUNNING, "started", NULL);
    } else if (c->started_ns) {
        agent_task_take_exit(t, c);
    } else {
        agent_task_set(t, PB__TASK_STATE__TASK_STATE_READY, "prepared", NULL);
    }
}

void agent_tasks_assign(struct agent *a, const Pb__Task *in)
{
    struct agent_task *t = agent_tasks_find(a, in->id);
    if (t) {
        t->seen = true;
        if (t->withdrawn || in->desired_state <= t->task->desired_state)
            return; /* desired never goes back; the rest of a task never changes */
        t->task->desired_state = in->desired_state;
        return;
    }
    if (a->ntasks == AGENT_TASKS_MAX) {
        log_error("task %s was not taken: this node has %d already", in->id, AGENT_TASKS_MAX);
        return;
    }
    t = NEW(struct agent_task);
    t->agent = a;
    t->seen = true;
    t->task = pb_dup(in);
    RB_INSERT(agent_tasks, &a->tasks, t);
    a->ntasks++;
    adopt(t);
}

void agent_tasks_withdraw(struct agent *a, const char *id)
{
    struct agent_task *t = agent_tasks_find(a, id);
    if (!t)
        return;
    t->withdrawn = true;
    if (t->pull)
        image_job_cancel(t->pull);
}

void agent_tasks_begin_complete(struct agent *a)
{
    for (struct agent_task *t = agent_tasks_first(a); t; t = agent_tasks_next(t))
        t->seen = false;
}

struct strays {
    struct agent *agent;
    struct container *found[64];
    size_t n;
};

static int find_stray(void *arg, struct container *c)
{
    struct strays *s = arg;
    if (!c->config->service_task || c->state == CONTAINER_REMOVING || task_of(s->agent, c))
        return 0;
    s->found[s->n++] = c;
    return s->n == sizeof(s->found) / sizeof(s->found[0]);
}

static void on_stray_removed(void *arg, int r, const struct err *e, struct container *c)
{
    (void)c;
    if (r != 0)
        log_warn("a container of a task that is gone could not be removed: %s", err_text(e));
    agent_operation_done(arg);
}

/* Containers of tasks that the manager no longer knows, left by a daemon that died. */
static void remove_strays(struct agent *a)
{
    struct strays s = {.agent = a};
    runtime_each(a->runtime, find_stray, &s);
    for (size_t i = 0; i < s.n; i++) {
        a->operations++;
        runtime_remove(a->runtime, s.found[i], true, on_stray_removed, a);
    }
}

void agent_tasks_end_complete(struct agent *a)
{
    for (struct agent_task *t = agent_tasks_first(a); t; t = agent_tasks_next(t))
        if (!t->seen)
            agent_tasks_withdraw(a, t->task->id);
    remove_strays(a);
}

static struct task_view view_of(const struct agent_task *t)
{
    const struct container *c = t->container;
    return (struct task_view){
        .state = t->state,
        .desired = (int)t->task->desired_state,
        .busy = t->busy,
        .withdrawn = t->withdrawn,
        .has_container = c != NULL,
        .running = c && (c->state == CONTAINER_RUNNING || c->state == CONTAINER_PAUSED),
    };
}

void agent_task_advance(struct agent_task *t)
{
    while (!t->agent->closing) {
        struct task_view v = view_of(t);
        enum task_step step = task_plan(&v);
        if (step == STEP_NONE)
            return;
        if (step == STEP_FORGET) {
            task_free(t);
            return;
        }
        agent_step(t, step);
    }
}

void agent_tasks_run(struct agent *a)
{
    struct agent_task *t = agent_tasks_first(a), *next;
    for (; t; t = next) {
        next = agent_tasks_next(t);
        agent_task_advance(t);
    }
}
