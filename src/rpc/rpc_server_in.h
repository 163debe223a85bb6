/* rpc/rpc_server_in.h - the inside of the server, shared by rpc_server.c (connections) and
 * rpc_call.c (answers). */
#ifndef RPC_RPC_SERVER_IN_H
#define RPC_RPC_SERVER_IN_H
#include "rpc/rpc_pipe.h"
#include "rpc/rpc_session.h"

struct connection;
struct rpc_call {
    struct rpc_stream stream; /* first */
    struct connection *connection;
    const struct rpc_handler *handler;
    void *service;
    ProtobufCMessage *request;
    struct rpc_chunk *memory; /* of the request */
    void (*on_close)(struct rpc_call *, void *);
    void *on_close_arg;
    void (*on_drain)(struct rpc_call *, void *);
    void *on_drain_arg;
};
#endif
