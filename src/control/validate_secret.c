/* control/validate_secret.c - rules for secrets and configs. */
#include "control/validate_secret.h"

#include "base/secret.h"
#include "base/str.h"
#include "model/name.h"
#include "model/pb.h"

static enum rpc_code refuse(struct rpc_status *why, const char *text)
{
    rpc_status_set(why, RPC_INVALID_ARGUMENT, "%s", text);
    return RPC_INVALID_ARGUMENT;
}

enum rpc_code validate_secret_spec(const Pb__SecretSpec *spec, struct rpc_status *why)
{
    if (!spec)
        return refuse(why, "invalid argument");
    const char *bad = name_check_secret(pb_name(spec->annotations));
    if (bad)
        return refuse(why, bad);
    if (spec->driver) {
        if (str_empty(spec->driver->name))
            return refuse(why, "secret driver must have a name");
        /* No plugin can be there: Keep does not run any yet. */
        rpc_status_set(why, RPC_UNKNOWN, "plugin \"%s\" not found", spec->driver->name);
        return RPC_UNKNOWN;
    }
    if (!spec->data.len || spec->data.len >= SECRET_MAX)
        return refuse(why, "secret data must be larger than 0 and less than 512000 bytes");
    return RPC_OK;
}

enum rpc_code validate_config_spec(const Pb__ConfigSpec *spec, struct rpc_status *why)
{
    if (!spec)
        return refuse(why, "invalid argument");
    const char *bad = name_check_secret(pb_name(spec->annotations));
    if (bad)
        return refuse(why, bad);
    if (!spec->data.len || spec->data.len >= CONFIG_DATA_MAX)
        return refuse(why, "config data must be larger than 0 and less than 1024000 bytes");
    return RPC_OK;
}
