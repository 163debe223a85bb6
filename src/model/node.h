/* model/node.h - a node: short names for its states, and what they allow. Pure; NULL parts of a
 * node are as if empty. */
#ifndef MODEL_NODE_H
#define MODEL_NODE_H
#include <stdbool.h>
#include "proto/swarm.pb-c.h"

enum {
    NODE_UNKNOWN = PB__NODE_STATUS__STATE__STATE_UNKNOWN,
    NODE_DOWN = PB__NODE_STATUS__STATE__STATE_DOWN,
    NODE_READY = PB__NODE_STATUS__STATE__STATE_READY,
    NODE_DISCONNECTED = PB__NODE_STATUS__STATE__STATE_DISCONNECTED,
    NODE_ACTIVE = PB__NODE_SPEC__AVAILABILITY__AVAILABILITY_ACTIVE,
    NODE_PAUSE = PB__NODE_SPEC__AVAILABILITY__AVAILABILITY_PAUSE,
    NODE_DRAIN = PB__NODE_SPEC__AVAILABILITY__AVAILABILITY_DRAIN,
    NODE_WORKER = PB__NODE_ROLE__NODE_ROLE_WORKER,
    NODE_MANAGER = PB__NODE_ROLE__NODE_ROLE_MANAGER,
};
int node_state(const Pb__Node *n);
int node_availability(const Pb__Node *n);
bool node_takes_tasks(const Pb__Node *n); /* ready and active */
/* NULL (deleted), down or drained: its tasks are to run elsewhere */
bool node_lost(const Pb__Node *n);
const char *node_hostname(const Pb__Node *n);               /* "" when not known yet */
const char *node_state_name(int state);                     /* "ready" */
const char *node_availability_name(int a);                  /* "active" */
const char *node_role_name(int role);                       /* "worker" */
const char *node_label(const Pb__Node *n, const char *key); /* of the node's spec; NULL: absent */
const char *node_engine_label(const Pb__Node *n, const char *key); /* of its engine; NULL: absent */
#endif
