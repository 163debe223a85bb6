/* control/validate_service.c - a service's spec: name, template, mode, update rules, endpoint. */
#include "control/validate_service.h"

#include <inttypes.h>

#include "base/str.h"
#include "model/constraint.h"
#include "model/name.h"
#include "model/pb.h"
#include "model/service.h"

enum { CPU_MIN = 1000000, MEMORY_MIN = 4 << 20 };

#define BAD(...) ((enum rpc_code)rpc_status_set(why, RPC_INVALID_ARGUMENT, __VA_ARGS__))

static bool negative(const Google__Protobuf__Duration *d)
{
    return pb_duration_ns(d, 0) < 0;
}

static enum rpc_code check_amounts(const Pb__Resources *r, struct rpc_status *why)
{
    if (!r)
        return RPC_OK;
    if (r->nano_cpus != 0 && r->nano_cpus < CPU_MIN)
        return BAD("invalid cpu value %g: Must be at least %g", (double)r->nano_cpus / 1e9,
                   CPU_MIN / 1e9);
    if (r->memory_bytes != 0 && r->memory_bytes < MEMORY_MIN)
        return BAD("invalid memory value %" PRId64 ": Must be at least 4MiB", r->memory_bytes);
    return RPC_OK;
}

static enum rpc_code check_resources(const Pb__ResourceRequirements *r, struct rpc_status *why)
{
    enum rpc_code bad = r ? check_amounts(r->limits, why) : RPC_OK;
    return bad || !r ? bad : check_amounts(r->reservations, why);
}

static enum rpc_code check_restart(const Pb__RestartPolicy *p, struct rpc_status *why)
{
    if (p && negative(p->delay))
        return BAD("TaskSpec: restart-delay cannot be negative");
    if (p && negative(p->window))
        return BAD("TaskSpec: restart-window cannot be negative");
    return RPC_OK;
}

/* The engine hands these on without a code of their own. */
static enum rpc_code check_placement(const Pb__Placement *p, struct rpc_status *why)
{
    struct err e = {0};
    for (size_t i = 0; p && i < p->n_constraints; i++) {
        if (constraint_check(p->constraints[i], &e) == 0)
            continue;
        rpc_status_set(why, RPC_UNKNOWN, "%s", e.text);
        return RPC_UNKNOWN;
    }
    return RPC_OK;
}

static enum rpc_code check_task(const Pb__TaskSpec *t, struct rpc_status *why)
{
    enum rpc_code bad = RPC_OK;
    if (!t || t->runtime_case == PB__TASK_SPEC__RUNTIME__NOT_SET)
        return BAD("TaskSpec: missing runtime");
    if ((bad = check_resources(t->resources, why)) || (bad = check_restart(t->restart, why)) ||
        (bad = check_placement(t->placement, why)))
        return bad;
    if (t->runtime_case != PB__TASK_SPEC__RUNTIME_CONTAINER) {
        rpc_status_set(why, RPC_UNIMPLEMENTED, "only services of containers are supported");
        return RPC_UNIMPLEMENTED;
    }
    if ((bad = validate_secret_refs(t->container, why)) ||
        (bad = validate_config_refs(t->container, why)))
        return bad;
    return validate_container_spec(t->container, why);
}

static enum rpc_code check_update(const Pb__UpdateConfig *u, struct rpc_status *why)
{
    if (!u)
        return RPC_OK;
    if (negative(u->delay))
        return BAD("TaskSpec: update-delay cannot be negative");
    if (negative(u->monitor))
        return BAD("TaskSpec: update-monitor cannot be negative");
    if (!(u->max_failure_ratio >= 0 && u->max_failure_ratio <= 1)) /* NaN too */
        return BAD("TaskSpec: update-maxfailureratio cannot be less than 0 or bigger than 1");
    return RPC_OK;
}

static enum rpc_code check_mode(const Pb__ServiceSpec *spec, struct rpc_status *why)
{
    uint64_t replicas = service_spec_replicas(spec);
    if (service_spec_is_job(spec)) {
        if (spec->update)
            return BAD("Jobs may not have an update config");
        rpc_status_set(why, RPC_UNIMPLEMENTED, "job services are not supported yet");
        return RPC_UNIMPLEMENTED;
    }
    if (replicas > INT64_MAX) /* what a negative number becomes on its way */
        return BAD("Number of replicas must be non-negative");
    if (replicas > SERVICE_REPLICAS_MAX)
        return BAD("Number of replicas must be at most %d", SERVICE_REPLICAS_MAX);
    return RPC_OK;
}

static bool same_port(const Pb__PortConfig *a, const Pb__PortConfig *b)
{
    return a->published_port && a->published_port == b->published_port &&
           a->protocol == b->protocol;
}

enum rpc_code validate_endpoint_spec(const Pb__EndpointSpec *e, struct rpc_status *why)
{
    enum { PORT_MAX = 65535 };
    for (size_t i = 0; e && i < e->n_ports; i++) {
        const Pb__PortConfig *p = e->ports[i];
        if (p->target_port > PORT_MAX || p->published_port > PORT_MAX)
            return BAD("EndpointSpec: a port is larger than 65535");
        if (p->publish_mode == PB__PORT_CONFIG__PUBLISH_MODE__PUBLISH_MODE_INGRESS &&
            e->mode == PB__ENDPOINT_SPEC__RESOLUTION_MODE__RESOLUTION_MODE_DNSRR)
            return BAD(
                "EndpointSpec: port published with ingress mode can't be used with dnsrr mode");
        for (size_t k = 0; k < i; k++)
            if (same_port(e->ports[k], p))
                return BAD("EndpointSpec: duplicate published ports provided");
    }
    return RPC_OK;
}

enum rpc_code validate_service_spec(const Pb__ServiceSpec *spec, struct rpc_status *why)
{
    enum rpc_code bad = RPC_OK;
    if (!spec)
        return BAD("invalid argument");
    const char *text = name_check_service(pb_name(spec->annotations));
    if (text)
        return BAD("%s", text);
    if ((bad = check_task(spec->task, why)) || (bad = check_mode(spec, why)) ||
        (bad = check_update(spec->update, why)) || (bad = check_update(spec->rollback, why)))
        return bad;
    return validate_endpoint_spec(spec->endpoint, why);
}
