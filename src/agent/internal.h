/* agent/internal.h - what the agent's own files share: the agent, its tasks, its secrets. Not for
 * other rooms. */
#ifndef AGENT_INTERNAL_H
#define AGENT_INTERNAL_H
#include <uv.h>
#include "agent/agent.h"
#include "agent/task_plan.h"
#include "base/tree.h"
#include "proto/dispatcher.pb-c.h"

struct agent_secret { /* one delivered secret */
    RB_ENTRY(agent_secret) node;
    char *id, *name;
    bool templated;
    struct secret_buf *payload;
};
RB_HEAD(agent_secrets, agent_secret);

struct agent_task {
    RB_ENTRY(agent_task) node;
    struct agent *agent;
    Pb__Task *task; /* as assigned; its status member is the manager's view, ours is below */
    int state;
    char *message, *err;
    int64_t changed_ns;
    char container_id[ID_HEX_SIZE];
    int pid, exit_code;
    bool has_exit_code;

    struct container *container; /* borrowed from the runtime; NULL after its "destroy" */
    struct image_job *pull;
    bool busy, withdrawn, seen, pulled;
    bool stopping;     /* we asked it to end: its exit is SHUTDOWN, not a failure */
    bool dirty;        /* the manager has not acknowledged this status in this session */
    unsigned revision; /* counts status changes, to see what an acknowledgement covers */
};
RB_HEAD(agent_tasks, agent_task);

struct agent {
    uv_loop_t *loop;
    struct rpc_client *manager;
    struct runtime *runtime;
    struct image_store *images;
    char *node_id;
    struct agent_tasks tasks;
    size_t ntasks;
    struct agent_secrets secrets;
    struct runtime_watch *watch;

    char *session_id; /* NULL until the first SessionMessage */
    struct rpc_pending *session, *assignments, *heartbeat, *update;
    struct agent_told *told; /* what the update under way carries */
    uv_timer_t retry, beat;
    uint64_t backoff_ms;
    bool complete, closing;
    int handles;       /* timers still open while closing */
    size_t operations; /* steps of tasks under way */
    void (*on_closed)(void *arg);
    void *on_closed_arg;
};

/* agent_tasks.c */
void agent_tasks_assign(struct agent *a, const Pb__Task *t);
void agent_tasks_withdraw(struct agent *a, const char *id);
void agent_tasks_begin_complete(
    struct agent *a); /* unmarks all; then assign each; then end_complete withdraws the rest */
void agent_tasks_end_complete(struct agent *a);
void agent_task_advance(struct agent_task *t); /* t may be gone after */
void agent_task_take_exit(struct agent_task *t, const struct container *c);
void agent_tasks_run(struct agent *a); /* plans and starts every task's next step */
void agent_tasks_on_runtime(void *arg, const struct runtime_event *ev);
void agent_tasks_free(struct agent *a);
struct agent_task *agent_tasks_find(struct agent *a, const char *id);
struct agent_task *agent_tasks_first(struct agent *a);
struct agent_task *agent_tasks_next(struct agent_task *t);
void agent_task_set(struct agent_task *t, int state, const char *message,
                    const char *err); /* forward only */
/* agent_steps.c */
void agent_step(struct agent_task *t,
                enum task_step step); /* not NONE, not FORGET; t may be busy after */
/* agent.c */
void agent_tell(struct agent *a); /* sends what is dirty, unless a call is under way */
void agent_operation_done(struct agent *a);
/* agent_secrets.c */
void agent_secrets_put(struct agent *a, const Pb__Secret *s);
void agent_secrets_drop(struct agent *a, const char *id);
void agent_secrets_clear(struct agent *a);
const struct agent_secret *agent_secrets_find(struct agent *a, const char *id);
/* task_container.c */
MUST_CHECK int task_container_config(const Pb__Task *t, const char *node_id,
                                     struct container_config **ret, struct err *e);
/* What the engine finds only when it starts the container: owners of secrets that are no numbers.
 */
MUST_CHECK int task_container_check_start(const Pb__Task *t, struct err *e);
char *task_container_name(const Pb__Task *t, const char *node_id);
#endif
