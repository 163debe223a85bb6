/* rpc/rpc_session.h - gRPC on an HTTP/2 connection, without the connection: bytes in, bytes out.
 *
 * One session is one connection, of either side. The transport (rpc_pipe.c; TLS later) feeds what
 * it read and sends what `out` holds. A stream is one call; rpc_server.c and rpc_client.c embed it
 * in theirs. Callbacks come from within rpc_session_feed and rpc_session_pump only, and may call
 * everything here except those two and rpc_session_free.
 *
 * What is refused here: bytes that are not HTTP/2 or not gRPC (the connection or the call ends),
 * messages above RPC_MESSAGE_MAX, compressed messages, more than one message where the method has
 * one. */
#ifndef RPC_RPC_SESSION_H
#define RPC_RPC_SESSION_H
#include "rpc/rpc.h"
#include "rpc/rpc_message.h"
#include "rpc/rpc_out.h"

struct rpc_session;
struct rpc_stream {
    struct rpc_stream *next, *prev; /* of the session */
    struct rpc_session *session;    /* NULL when closed */
    const struct rpc_method *method;
    int32_t id;
    unsigned messages; /* received */
    struct rpc_reader in;
    struct rpc_bytes *out_first, *out_last;
    size_t out_offset; /* of out_first: sent */
    size_t queued;
    struct rpc_stream *next_drained;
    bool started;   /* the response's head was submitted */
    bool out_ended; /* nothing more will be queued */
    bool stalled;   /* nghttp2 waits for data */
    bool peer_ended;
    bool failed;     /* what comes in is not looked at any more */
    bool post, grpc; /* server: the request's head was as it must be */
    bool drained;    /* in the session's list */
    unsigned http_status;
    int code;      /* server: to be sent; client: received, -1 before */
    char *message; /* of the status */
};

struct rpc_session_ops {
    struct rpc_stream *(*on_open)(void *owner); /* server: a call begins; the stream zeroed */
    /* server: its path is known. NULL: *why is set; the call is ended with it. */
    const struct rpc_method *(*on_path)(struct rpc_stream *s, const char *path, size_t n,
                                        struct rpc_status *why);
    void (*on_message)(struct rpc_stream *s, ProtobufCMessage *m,
                       struct rpc_chunk *memory); /* takes memory */
    void (*on_peer_ended)(struct rpc_stream *s);  /* server: the request is whole */
    void (*on_drained)(struct rpc_stream *s);
    void (*on_closed)(struct rpc_stream *s,
                      uint32_t http2_error); /* the last; may free the stream */
    void (*on_goaway)(void *owner);          /* client: no new calls on this connection */
    void (*on_dirty)(void *owner);           /* pump soon */
};

int rpc_session_new(bool server, const struct rpc_session_ops *ops, void *owner,
                    struct rpc_session **ret);
/* Every stream still there must have been taken off (rpc_session_first, rpc_stream_detach). */
void rpc_session_free(struct rpc_session *s);
int rpc_session_feed(struct rpc_session *s, const uint8_t *p, size_t n,
                     struct err *e);                        /* 0 or -EPROTO */
int rpc_session_pump(struct rpc_session *s, struct err *e); /* fills `out` as far as its limit */
struct rpc_out *rpc_session_out(struct rpc_session *s);
void *rpc_session_owner(const struct rpc_session *s);
bool rpc_session_over(const struct rpc_session *s); /* HTTP/2 is finished with this connection */
bool rpc_session_worn(
    const struct rpc_session *s); /* client: stream numbers run out; take a new connection */
void rpc_session_goaway(struct rpc_session *s);
struct rpc_stream *rpc_session_first(struct rpc_session *s);
void rpc_stream_detach(struct rpc_stream *st); /* frees its queue; no on_closed */

/* Client: begins a call. 0, or -EPROTO when the session takes no more. */
int rpc_session_call(struct rpc_session *s, struct rpc_stream *st, const struct rpc_method *m,
                     uint64_t timeout_ms);
int rpc_stream_send(struct rpc_stream *st, struct rpc_bytes *b); /* takes b; 0, -ENOBUFS, -EPIPE */
void rpc_stream_end(struct rpc_stream *st);                      /* client: no more messages */
void rpc_stream_status(struct rpc_stream *st, int code,
                       const char *message); /* server: ends the call */
void rpc_stream_reset(struct rpc_stream *st, uint32_t http2_error);
#endif
