/* agent/agent.h - the node's half of a session with its manager: hears what should run here, makes
 * it so, tells what became of it.
 *
 * The agent speaks the Dispatcher service: Session, Heartbeat, Assignments, UpdateTaskStatus.
 * Secrets of assignments live in secret memory from the message that brought them to the one that
 * withdraws them, and reach nobody but the tasks whose spec names them. Any break ends the whole
 * session; it is built again after a growing pause, and the COMPLETE set that follows is compared
 * with what runs: containers carry their task's id in a label, so nothing else has to be remembered
 * across a restart of the daemon.
 *
 * Statuses go one call at a time; while it is under way, newer states of a task replace older ones
 * that wait. A status is told again in every new session until the manager withdraws the task.
 *
 * Owns: tasks (agent/task.h), secrets. Borrows: client, runtime, images. One loop. Limits:
 * AGENT_TASKS_MAX tasks. */
#ifndef AGENT_AGENT_H
#define AGENT_AGENT_H
#include <uv.h>
#include "image/image.h"
#include "rpc/rpc.h"
#include "runtime/runtime.h"

enum { AGENT_TASKS_MAX = 5000 };

struct agent;
struct agent_options {
    uv_loop_t *loop;
    struct rpc_client *manager;
    struct runtime *runtime;
    struct image_store *images;
    const char *node_id;
};
struct agent *
agent_new(const struct agent_options *o); /* starts its first session; copies what it needs of o */
/* Ends the session. What runs goes on. on_closed when nothing of the agent is under way any more;
 * then it is freed. */
void agent_close(struct agent *a, void (*on_closed)(void *arg), void *arg);
bool agent_connected(
    const struct agent *a); /* a session is up and its first assignments were taken */
#endif
