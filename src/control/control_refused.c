/* control/control_refused.c - what the swarm's Control service has and Keep does not: refused by
 * name. */
#include "control/control_int.h"

static void refuse(struct rpc_call *call, const ProtobufCMessage *request, void *service)
{
    (void)service;
    rpc_fail(call, RPC_UNIMPLEMENTED,
             "extensions, resources and cluster volumes are not supported (%s)",
             request->descriptor->short_name);
}

struct control_table control_refused_table(void)
{
    static const struct rpc_handler t[] = {
        {&rpc_method_control_get_extension, refuse},
        {&rpc_method_control_create_extension, refuse},
        {&rpc_method_control_remove_extension, refuse},
        {&rpc_method_control_get_resource, refuse},
        {&rpc_method_control_update_resource, refuse},
        {&rpc_method_control_list_resources, refuse},
        {&rpc_method_control_create_resource, refuse},
        {&rpc_method_control_remove_resource, refuse},
        {&rpc_method_control_create_volume, refuse},
        {&rpc_method_control_get_volume, refuse},
        {&rpc_method_control_update_volume, refuse},
        {&rpc_method_control_list_volumes, refuse},
        {&rpc_method_control_remove_volume, refuse},
    };
    return CONTROL_TABLE(t);
}
