/* control/validate_service.h - what a service's spec must be, by itself. Pure; the first thing that
 * is wrong is told, in the engine's words.
 *
 * What needs the rest of the cluster (names, ports of others, whether a secret exists) is in
 * service_refs.h. */
#ifndef CONTROL_VALIDATE_SERVICE_H
#define CONTROL_VALIDATE_SERVICE_H
#include "proto/swarm.pb-c.h"
#include "rpc/rpc.h"

enum rpc_code validate_service_spec(const Pb__ServiceSpec *spec, struct rpc_status *why);

/* Its parts, for tests and for each other (validate_container.c) */
enum rpc_code validate_container_spec(const Pb__ContainerSpec *c, struct rpc_status *why);
enum rpc_code validate_secret_refs(const Pb__ContainerSpec *c, struct rpc_status *why);
enum rpc_code validate_config_refs(const Pb__ContainerSpec *c, struct rpc_status *why);
enum rpc_code validate_endpoint_spec(const Pb__EndpointSpec *e, struct rpc_status *why);
#endif
