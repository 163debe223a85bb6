/* api/manager.c - calls to the manager on behalf of a request, and the sentences for a node that
 * has none. */
#include "api/state.h"

#include <stdlib.h>
#include <string.h>

#define NOT_A_MANAGER "This node is not a swarm manager. "

struct rpc_client *api_manager(struct api_call *c)
{
    struct api *a = c->api;
    struct api_node node = {.state = API_NODE_INACTIVE};
    if (a->o.node.get)
        a->o.node.get(a->o.node.arg, &node);
    switch (node.state) {
    case API_NODE_INACTIVE:
        api_error(c, 503,
                  NOT_A_MANAGER "Use \"docker swarm init\" or \"docker swarm join\" to connect "
                                "this node to swarm and try again.");
        return NULL;
    case API_NODE_LOCKED:
        api_error(c, 503,
                  "Swarm is encrypted and needs to be unlocked before it can be used. Please use "
                  "\"docker swarm unlock\" to unlock it.");
        return NULL;
    case API_NODE_PENDING:
    case API_NODE_ERROR:
    case API_NODE_ACTIVE:
        break;
    }
    if (!node.manager) {
        api_error(
            c, 503,
            NOT_A_MANAGER
            "Worker nodes can't be used to view or modify cluster state. "
            "Please run this command on a manager node or promote the current node to a manager.");
        return NULL;
    }
    if (!a->o.manager)
        api_error(c, 503,
                  NOT_A_MANAGER
                  "Manager is being prepared or has trouble connecting to the cluster.");
    return a->o.manager;
}

static void on_rpc_ok(void *arg, const struct rpc_status *st, ProtobufCMessage *response)
{
    struct api_call *c = arg;
    void (*on_ok)(struct api_call *, ProtobufCMessage *) = c->on_rpc_ok;
    c->pending = NULL;
    if (st->code != RPC_OK)
        api_error_status(c, st);
    else
        on_ok(c, response);
}

static void on_rpc_any(void *arg, const struct rpc_status *st, ProtobufCMessage *response)
{
    struct api_call *c = arg;
    c->pending = NULL;
    c->on_rpc_any(c, st, response);
}

void api_rpc(struct api_call *c, const struct rpc_method *m, const void *request,
             void (*on_ok)(struct api_call *c, ProtobufCMessage *response))
{
    struct rpc_client *client = api_manager(c);
    if (!client)
        return;
    c->on_rpc_ok = on_ok;
    c->pending = rpc_start(client, m, request, API_RPC_MS, on_rpc_ok, c);
}

void api_rpc_any(struct api_call *c, const struct rpc_method *m, const void *request,
                 void (*on_done)(struct api_call *c, const struct rpc_status *st,
                                 ProtobufCMessage *response))
{
    struct rpc_client *client = api_manager(c);
    if (!client)
        return;
    c->on_rpc_any = on_done;
    c->pending = rpc_start(client, m, request, API_RPC_MS, on_rpc_any, c);
}
