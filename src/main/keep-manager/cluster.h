/* main/keep-manager/cluster.h - the rooms of a manager, joined: control, dispatcher, orchestrator,
 * scheduler, ca over one store and one server.
 *
 * Before there is a cluster only keep.v1.Manager answers; Init founds one. */
#ifndef MAIN_KEEP_MANAGER_CLUSTER_H
#define MAIN_KEEP_MANAGER_CLUSTER_H
#include <uv.h>
#include "base/err.h"
#include "store/store.h"

struct cluster;
/* Serves listen_fd (taken). The store is borrowed. */
MUST_CHECK int cluster_open(uv_loop_t *loop, struct store *s, int listen_fd, struct cluster **ret,
                            struct err *e);
void cluster_close(struct cluster *c, void (*on_closed)(void *arg),
                   void *arg); /* no call is open any more; then close the store, then free */
void cluster_free(struct cluster *c);
#endif
