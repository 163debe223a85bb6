/* rpc/rpc.h - gRPC for everybody: unary calls and streams over HTTP/2 on one libuv loop.
 *
 * The same messages travel between keepd and keep-manager (a unix socket) and between nodes (mutual
 * TLS, later). nghttp2 does the framing, protobuf-c the messages. A message is at most
 * RPC_MESSAGE_MAX; what waits to be sent on one call is at most RPC_QUEUE_MAX; a peer may have
 * RPC_STREAMS_MAX calls open. Larger is RESOURCE_EXHAUSTED.
 *
 * Secrets: methods flagged RPC_SECRET_REQUEST / RPC_SECRET_RESPONSE have that side's message bytes
 * (received and to be sent) in secret memory (base/secret.h), unpacked with an allocator of secret
 * memory, and wiped when the call ends. Socket read buffers are wiped after use. DATA is sent
 * straight from the message's memory (no copy inside nghttp2).
 *
 * Ownership: a handler's request is valid until its call is over (of a client stream: until the
 * handler returns). Who answers later must set rpc_on_close: the call may be over before
 * (cancelled, connection broken), and then it is gone. Replies are packed at once: the caller keeps
 * its message. A call's memory is freed after its on_close has run; every call gets exactly one
 * on_close / on_end. Nothing is called back from inside the function that starts it. */
#ifndef RPC_RPC_H
#define RPC_RPC_H
#include <protobuf-c/protobuf-c.h>
#include <stdbool.h>
#include <stdint.h>
#include <uv.h>
#include "base/err.h"

enum { RPC_MESSAGE_MAX = 64 << 20, RPC_QUEUE_MAX = 128 << 20, RPC_STREAMS_MAX = 4096 };

/* gRPC's status codes */
enum rpc_code {
    RPC_OK = 0,
    RPC_CANCELLED = 1,
    RPC_UNKNOWN = 2,
    RPC_INVALID_ARGUMENT = 3,
    RPC_DEADLINE_EXCEEDED = 4,
    RPC_NOT_FOUND = 5,
    RPC_ALREADY_EXISTS = 6,
    RPC_PERMISSION_DENIED = 7,
    RPC_RESOURCE_EXHAUSTED = 8,
    RPC_FAILED_PRECONDITION = 9,
    RPC_ABORTED = 10,
    RPC_OUT_OF_RANGE = 11,
    RPC_UNIMPLEMENTED = 12,
    RPC_INTERNAL = 13,
    RPC_UNAVAILABLE = 14,
    RPC_DATA_LOSS = 15,
    RPC_UNAUTHENTICATED = 16,
};
const char *
rpc_code_name(enum rpc_code code); /* "InvalidArgument": Go's names, as the engine prints them */

struct rpc_status {
    enum rpc_code code;
    char message[ERR_TEXT_MAX];
};
#define RPC_STATUS_OK ((struct rpc_status){.code = RPC_OK})
int rpc_status_set(struct rpc_status *st, enum rpc_code code, const char *fmt, ...)
    PRINTF(3, 4); /* returns code */

enum rpc_flags {
    RPC_SECRET_REQUEST = 1,
    RPC_SECRET_RESPONSE = 2,
    RPC_SERVER_STREAM = 4, /* the server sends any number of messages */
    RPC_CLIENT_STREAM = 8, /* the client does */
};
struct rpc_method {
    const char *path; /* "/docker.swarmkit.v1.Control/CreateSecret" */
    const ProtobufCMessageDescriptor *request, *response;
    unsigned flags;
};

/* ---- the server ---- */
struct rpc_server;
struct rpc_call; /* one call, as its server sees it */

struct rpc_peer { /* who is at the other end of a unix socket (SO_PEERCRED) */
    uint32_t uid, gid;
    int32_t pid;
};
struct rpc_handler {
    const struct rpc_method *method;
    /* Unary and server stream: once, with the request. Client stream: once for each message, then
     * with NULL at its end. The handler answers now or later with rpc_reply / rpc_fail, or rpc_send
     * … rpc_finish. */
    void (*handle)(struct rpc_call *call, const ProtobufCMessage *request, void *service);
};

MUST_CHECK int rpc_server_new(uv_loop_t *loop, struct rpc_server **ret, struct err *e);
void rpc_server_add(struct rpc_server *s, const struct rpc_handler *handlers, size_t n,
                    void *service); /* handlers borrowed */
/* Serves connections of a listening unix socket (takes fd). Only peers with one of these uids;
 * others are closed. */
MUST_CHECK int rpc_server_listen_fd(struct rpc_server *s, int fd, const uint32_t *uids,
                                    size_t nuids, struct err *e);
void rpc_server_close(struct rpc_server *s, void (*on_closed)(void *arg),
                      void *arg); /* ends calls, then frees s */

void rpc_reply(struct rpc_call *c,
               const ProtobufCMessage *response); /* unary: message and OK; ends the call */
void rpc_reply_packed(struct rpc_call *c, const void *packed,
                      size_t n); /* the response as bytes; copied; no secret */
void rpc_fail(struct rpc_call *c, enum rpc_code code, const char *fmt, ...)
    PRINTF(3, 4); /* ends the call */
void rpc_fail_status(struct rpc_call *c, const struct rpc_status *st);
int rpc_send(
    struct rpc_call *c,
    const ProtobufCMessage *m); /* stream: queues one; 0, -ENOBUFS when RPC_QUEUE_MAX is passed,
                                   -EPIPE when over, -EMSGSIZE, -ENOMEM (locked memory is full) */
size_t rpc_queued(const struct rpc_call *c); /* bytes that the connection has not taken yet */
void rpc_on_drain(struct rpc_call *c, void (*cb)(struct rpc_call *, void *),
                  void *arg);        /* when queued falls to 0 */
void rpc_finish(struct rpc_call *c); /* stream: OK after what is queued */
void rpc_on_close(struct rpc_call *c, void (*cb)(struct rpc_call *, void *),
                  void *arg); /* over, for whatever reason */
struct rpc_peer rpc_call_peer(const struct rpc_call *c);

/* ---- the client ---- */
struct rpc_client;
struct rpc_pending; /* one call, as its client sees it; gone after its callback on_done / on_end has
                       run */

/* Connects at the first call and again at the first call after a break; a call that cannot connect
 * or whose connection breaks ends with UNAVAILABLE. */
MUST_CHECK int rpc_client_new(uv_loop_t *loop, const char *unix_path, struct rpc_client **ret,
                              struct err *e);
void rpc_client_close(
    struct rpc_client *c); /* ends every call with CANCELLED, then frees c (later, on the loop) */

typedef void (*rpc_on_done)(void *arg, const struct rpc_status *st,
                            ProtobufCMessage *response); /* response NULL unless OK; freed after */
struct rpc_pending *rpc_start(struct rpc_client *c, const struct rpc_method *m,
                              const ProtobufCMessage *request, uint64_t timeout_ms,
                              rpc_on_done on_done, void *arg);
/* A server stream: on_message for each (freed after), then on_end once. timeout_ms 0: no end of its
 * own. */
struct rpc_pending *rpc_open(struct rpc_client *c, const struct rpc_method *m,
                             const ProtobufCMessage *request, uint64_t timeout_ms,
                             void (*on_message)(void *arg, ProtobufCMessage *m),
                             void (*on_end)(void *arg, const struct rpc_status *st), void *arg);
/* A client stream: rpc_push any number of messages, rpc_push_end once; on_done has the response. */
struct rpc_pending *rpc_open_upload(struct rpc_client *c, const struct rpc_method *m,
                                    uint64_t timeout_ms, rpc_on_done on_done, void *arg);
int rpc_push(struct rpc_pending *p,
             const ProtobufCMessage *m); /* 0, -EPIPE when over, -ENOBUFS, -EMSGSIZE, -ENOMEM */
void rpc_push_end(struct rpc_pending *p);
size_t
rpc_push_queued(const struct rpc_pending *p); /* bytes that the connection has not taken yet */
void rpc_on_push_drain(struct rpc_pending *p,
                       void (*cb)(void *arg)); /* with the call's arg, when that falls to 0 */
void rpc_cancel(struct rpc_pending *p);        /* no callback after this returns */
#endif
