/* dispatcher/dispatcher.h - the manager's side of a node's session: who is there, what each node
 * has to run, what became of it.
 *
 * Serves docker.swarmkit.v1.Dispatcher. It owns the nodes' status in the store (READY, DOWN,
 * UNKNOWN) and description, and brings the tasks' status there; it decides nothing about tasks but
 * one: a task whose secret cannot be opened is rejected with the reason. Payloads of secrets are
 * opened when a message is packed (into secret memory) and forgotten in the same turn of the loop.
 *
 * Changes go out at the end of the turn in which they were committed. One loop. */
#ifndef DISPATCHER_DISPATCHER_H
#define DISPATCHER_DISPATCHER_H
#include <uv.h>
#include "rpc/rpc.h"
#include "store/store.h"

struct dispatcher;
struct dispatcher_options {
    uv_loop_t *loop;
    struct store *store;
    /* Who calls: the id of the node, or NULL for nobody that may. *ret_local: it is this machine's
     * own, whose registrations are not counted. NULL: every caller is local_node_id. (With
     * certificates, this is where their common name is read.) */
    const char *(*identify)(void *arg, struct rpc_call *call, bool *ret_local);
    void *identify_arg;
    const char *local_node_id; /* copied; may be NULL until dispatcher_set_local_node */
    int64_t (*wall)(void *arg), (*mono)(void *arg); /* NULL: the clocks of base/clock.h */
    void *clock_arg;
};
/* Nodes that the store believes READY become UNKNOWN until they register again. */
struct dispatcher *dispatcher_new(const struct dispatcher_options *o);
void dispatcher_set_local_node(struct dispatcher *d, const char *node_id);
void dispatcher_register(struct rpc_server *server, struct dispatcher *d);
/* Every stream ends ("dispatcher is stopped"); later calls are refused with the same words. Then,
 * once the server is closed, free. */
void dispatcher_stop(struct dispatcher *d);
void dispatcher_free(struct dispatcher *d); /* before store_close */
#endif
