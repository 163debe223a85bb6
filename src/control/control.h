/* control/control.h - the manager's side of the Engine API: secrets, configs, services, tasks,
 * nodes, the cluster, networks.
 *
 * Owns: the rules of what a user may ask for (validate_*.h, pure) and the answers. Serves
 * docker.swarmkit.v1.Control and Watch and keep.v1.Manager/Status on a server of the rpc room.
 * Meets everybody else in the store only. Decides by STORE_TIP, shows STORE_COMMITTED, and answers
 * a change when it is durable.
 *
 * Payloads: a secret's is handed to the store to be sealed and is in no answer, no event, no error.
 * The cluster's keys are in no answer either (control_redact_cluster).
 *
 * Texts are the engine's, without "rpc error: …" in front. Limits: replicas (model/service.h),
 * sizes of payloads, WATCH_BEHIND_MAX. */
#ifndef CONTROL_CONTROL_H
#define CONTROL_CONTROL_H
#include <stdint.h>
#include "proto/control.pb-c.h"
#include "rpc/rpc.h"
#include "store/store.h"

struct control;

/* What control cannot do itself: keys and certificates are the ca and keys rooms' business, plugged
 * in by the main program. Any of them may be NULL: what would need it is refused. */
struct control_hooks {
    void *arg;
    /* An update of the cluster that asks for new join tokens or a new unlock key (rotation), or
     * switches autolock: makes them in `after`, which already has the new spec. RPC_OK, or why not.
     */
    enum rpc_code (*rotate)(void *arg, const Pb__Cluster *before, Pb__Cluster *after,
                            const Pb__KeyRotation *rotation, struct rpc_status *why);
};

/* now: wall time in ns, as the store has it. The store is borrowed and must be closed before
 * control_free. */
struct control *control_new(struct store *s, const struct control_hooks *hooks,
                            int64_t (*now)(void *arg), void *now_arg);
/* Of keep.v1.Manager/Status: this node and the address it advertises. Copied. */
void control_set_self(struct control *c, const char *node_id, const char *addr);
void control_register(struct rpc_server *server, struct control *c);
/* In this order: the server that it is registered with is closed, then the store, then this. */
void control_free(struct control *c);

/* The ingress network as it is made at the start of a cluster; the caller puts it into its first
 * batch. */
Pb__Network *control_ingress_network(void);
#endif
