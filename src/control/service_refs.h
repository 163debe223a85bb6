/* control/service_refs.h - what a service's spec says about the rest of the cluster: secrets,
 * configs, networks, ports.
 *
 * Reads STORE_TIP, changes nothing. Checked at each create, update and rollback, so that no service
 * starts with something that is not there. */
#ifndef CONTROL_SERVICE_REFS_H
#define CONTROL_SERVICE_REFS_H
#include "rpc/rpc.h"
#include "store/store.h"

/* id: of the service that is updated, whose own ports are no obstacle; NULL for a new one. */
enum rpc_code service_refs_check(const struct store *s, const Pb__ServiceSpec *spec, const char *id,
                                 struct rpc_status *why);

/* The endpoint that a service gets: its spec's ports, and a free one in 30000…32767 for each that
 * asks for any. A port that it had so before stays. before may be NULL. NULL: no port is free
 * (*why). */
Pb__Endpoint *service_endpoint_new(const struct store *s, const Pb__ServiceSpec *spec,
                                   const char *id, const Pb__Endpoint *before,
                                   struct rpc_status *why);
#endif
