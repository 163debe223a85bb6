/* control/validate_cluster.c - rules for the cluster's settings. */
#include "control/validate_cluster.h"

#include "base/clock.h"
#include "base/str.h"
#include "model/name.h"
#include "model/pb.h"

#define CERT_EXPIRY_MIN_NS (3600 * NS_PER_SEC)
#define BAD(...) ((enum rpc_code)rpc_status_set(why, RPC_INVALID_ARGUMENT, __VA_ARGS__))

static enum rpc_code check_ca(const Pb__CAConfig *ca, const Pb__CAConfig *before,
                              struct rpc_status *why)
{
    if (!ca)
        return RPC_OK;
    if (ca->node_cert_expiry && pb_duration_ns(ca->node_cert_expiry, 0) < CERT_EXPIRY_MIN_NS)
        return BAD("minimum certificate expiry time is: 1h0m0s");
    bool rotate = ca->signing_ca_cert.len || ca->signing_ca_key.len ||
                  ca->force_rotate != (before ? before->force_rotate : 0);
    if (!rotate && !ca->n_external_cas)
        return RPC_OK;
    rpc_status_set(why, RPC_UNIMPLEMENTED, "%s",
                   rotate ? "rotating the root certificate is not supported yet"
                          : "external certificate authorities are not supported yet");
    return RPC_UNIMPLEMENTED;
}

enum rpc_code validate_cluster_spec(const Pb__ClusterSpec *spec, const Pb__ClusterSpec *before,
                                    struct rpc_status *why)
{
    if (!spec)
        return BAD("invalid argument");
    enum rpc_code bad = check_ca(spec->ca_config, before ? before->ca_config : NULL, why);
    if (bad)
        return bad;
    if (spec->dispatcher && pb_duration_ns(spec->dispatcher->heartbeat_period, 0) < 0)
        return BAD("heartbeat time period cannot be a negative duration");
    const char *name = pb_name(spec->annotations);
    const char *text = name_check_cluster(name);
    if (text)
        return BAD("%s", text);
    if (before && !str_eq(pb_name(before->annotations), name))
        return BAD("modification of cluster name is not allowed");
    return RPC_OK;
}
