/* control/validate_container.c - a container's spec: image, mounts, health, references to secrets
 * and configs. */
#include <string.h>

#include "base/str.h"
#include "control/validate_service.h"
#include "model/name.h"
#include "model/pb.h"

#define BAD(...) ((enum rpc_code)rpc_status_set(why, RPC_INVALID_ARGUMENT, __VA_ARGS__))

static enum rpc_code check_image(const Pb__ContainerSpec *c, struct rpc_status *why)
{
    char reason[NAME_REASON_SIZE];
    const char *bad = name_check_image(c->image, reason);
    return bad ? BAD("%s", bad) : RPC_OK;
}

static enum rpc_code check_mounts(const Pb__ContainerSpec *c, struct rpc_status *why)
{
    for (size_t i = 0; i < c->n_mounts; i++)
        for (size_t k = 0; k < i; k++)
            if (str_eq(c->mounts[i]->target, c->mounts[k]->target))
                return BAD("ContainerSpec: duplicate mount point: %s", c->mounts[i]->target);
    return RPC_OK;
}

static enum rpc_code check_health(const Pb__HealthConfig *h, struct rpc_status *why)
{
    if (!h)
        return RPC_OK;
    const struct {
        const char *name;
        const Google__Protobuf__Duration *wait;
    } waits[] = {{"Interval", h->interval},
                 {"Timeout", h->timeout},
                 {"StartPeriod", h->start_period},
                 {"StartInterval", h->start_interval}};
    for (size_t i = 0; i < sizeof(waits) / sizeof(*waits); i++) {
        int64_t ns = pb_duration_ns(waits[i].wait, 0);
        if (ns != 0 && ns < 1000000)
            return BAD("ContainerSpec: %s in HealthConfig cannot be less than 1ms", waits[i].name);
    }
    if (h->retries < 0)
        return BAD("ContainerSpec: Retries in HealthConfig cannot be negative");
    return RPC_OK;
}

enum rpc_code validate_container_spec(const Pb__ContainerSpec *c, struct rpc_status *why)
{
    enum { MOUNTS_MAX = 1000 }; /* they are compared each with each */
    enum rpc_code bad = RPC_OK;
    if (!c)
        return BAD("invalid argument");
    if (c->n_mounts > MOUNTS_MAX)
        return BAD("ContainerSpec: more than %d mounts", MOUNTS_MAX);
    if ((bad = check_image(c, why)) || (bad = check_mounts(c, why)))
        return bad;
    return check_health(c->healthcheck, why);
}

/* Each reference is compared with all before it: targets as they are written, byte for byte. */
enum { REFERENCES_MAX = 2000 };

enum rpc_code validate_secret_refs(const Pb__ContainerSpec *c, struct rpc_status *why)
{
    if (c && c->n_secrets > REFERENCES_MAX)
        return BAD("more than %d secret references", REFERENCES_MAX);
    for (size_t i = 0; c && i < c->n_secrets; i++) {
        const Pb__SecretReference *r = c->secrets[i];
        if (str_empty(r->secret_id) || str_empty(r->secret_name))
            return BAD("malformed secret reference");
        if (r->target_case != PB__SECRET_REFERENCE__TARGET_FILE || !r->file)
            return BAD("malformed secret reference, no target provided");
        if (str_empty(r->file->name))
            return BAD("malformed file secret reference, invalid target file name provided");
        for (size_t k = 0; k < i; k++)
            if (str_eq(c->secrets[k]->file->name, r->file->name))
                return BAD("secret references '%s' and '%s' have a conflicting target: '%s'",
                           c->secrets[k]->secret_name, r->secret_name, r->file->name);
    }
    return RPC_OK;
}

static const char *config_file(const Pb__ConfigReference *r)
{
    return r->target_case == PB__CONFIG_REFERENCE__TARGET_FILE && r->file
               ? str_or(r->file->name, "")
               : NULL;
}

enum rpc_code validate_config_refs(const Pb__ContainerSpec *c, struct rpc_status *why)
{
    if (c && c->n_configs > REFERENCES_MAX)
        return BAD("more than %d config references", REFERENCES_MAX);
    for (size_t i = 0; c && i < c->n_configs; i++) {
        const Pb__ConfigReference *r = c->configs[i];
        const char *file = config_file(r);
        if (str_empty(r->config_id) || str_empty(r->config_name))
            return BAD("malformed config reference");
        if (r->target_case == PB__CONFIG_REFERENCE__TARGET__NOT_SET)
            return BAD("malformed config reference, no target provided");
        if (file && !*file)
            return BAD("malformed file config reference, invalid target file name provided");
        for (size_t k = 0; file && k < i; k++)
            if (str_eq(config_file(c->configs[k]), file))
                return BAD("config references '%s' and '%s' have a conflicting target: '%s'",
                           c->configs[k]->config_name, r->config_name, file);
    }
    return RPC_OK;
}
