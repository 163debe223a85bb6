/* control/validate_cluster.h - what a cluster's spec must be. Pure. */
#ifndef CONTROL_VALIDATE_CLUSTER_H
#define CONTROL_VALIDATE_CLUSTER_H
#include "proto/swarm.pb-c.h"
#include "rpc/rpc.h"

/* before: the spec that it replaces; NULL for a new cluster. */
enum rpc_code validate_cluster_spec(const Pb__ClusterSpec *spec, const Pb__ClusterSpec *before,
                                    struct rpc_status *why);
#endif
