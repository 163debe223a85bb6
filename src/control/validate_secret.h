/* control/validate_secret.h - what a new secret or config must be, and what an update of one may
 * change. Pure.
 *
 * The words are the engine's. Names that are taken are the store's affair. */
#ifndef CONTROL_VALIDATE_SECRET_H
#define CONTROL_VALIDATE_SECRET_H
#include "proto/swarm.pb-c.h"
#include "rpc/rpc.h"

enum { CONFIG_DATA_MAX = 1024000 }; /* less than; a secret's is SECRET_MAX of base/secret.h */
enum rpc_code validate_secret_spec(const Pb__SecretSpec *spec, struct rpc_status *why);
enum rpc_code validate_config_spec(const Pb__ConfigSpec *spec, struct rpc_status *why);
#endif
