/* rpc/rpc_session_in.h - the inside of a session, shared by its two halves: rpc_session.c sends,
 * rpc_session_in.c receives. */
#ifndef RPC_RPC_SESSION_IN_H
#define RPC_RPC_SESSION_IN_H
#include <nghttp2/nghttp2.h>
#include "rpc/rpc_session.h"

struct rpc_session {
    nghttp2_session *h2;
    bool server;
    const struct rpc_session_ops *ops;
    void *owner;
    struct rpc_out out;
    struct rpc_stream *streams;
    struct rpc_stream *drained;
};

#define RPC_NV(n, v)                                                                               \
    {                                                                                              \
        (uint8_t *)(uintptr_t)(n), (uint8_t *)(uintptr_t)(v), sizeof(n) - 1, sizeof(v) - 1,        \
            NGHTTP2_NV_FLAG_NO_COPY_NAME | NGHTTP2_NV_FLAG_NO_COPY_VALUE                           \
    }
static inline nghttp2_nv rpc_nv(const char *name, const char *value, size_t n)
{
    return (nghttp2_nv){.name = (uint8_t *)(uintptr_t)name,
                        .value = (uint8_t *)(uintptr_t)value,
                        .namelen = __builtin_strlen(name),
                        .valuelen = n,
                        .flags = NGHTTP2_NV_FLAG_NO_COPY_NAME | NGHTTP2_NV_FLAG_NO_COPY_VALUE};
}
/* grpc-status and, when there is one, grpc-message; the texts must outlive the submit only. */
size_t rpc_session_status_nv(const struct rpc_stream *st, char number[12], char *text,
                             nghttp2_nv nv[2]);
void rpc_session_in_callbacks(nghttp2_session_callbacks *cb);
void rpc_session_attach(struct rpc_session *s, struct rpc_stream *st);
#endif
