/* rpc/rpc_pipe.h - a session on a unix socket.
 *
 * Reads into one buffer that is wiped after each use, sends at most once a turn of the loop (so
 * that calls made together leave together), straight from the messages' memory. The one place of
 * this room that knows what a socket is, beside listening.
 *
 * Life: rpc_pipe_init, then rpc_pipe_connect or rpc_pipe_accept, then until rpc_pipe_close (asked,
 * or by itself when the connection breaks): the owner's on_broken says why at once; on_gone comes
 * later from the loop, when nothing touches the pipe any more, and frees the rest. */
#ifndef RPC_RPC_PIPE_H
#define RPC_RPC_PIPE_H
#include "rpc/rpc_session.h"

struct rpc_pipe;
struct rpc_pipe_ops {
    void (*on_broken)(struct rpc_pipe *p, const char *why); /* not after rpc_pipe_close */
    void (*on_gone)(struct rpc_pipe *p);
};
struct rpc_pipe {
    uv_pipe_t handle;
    uv_prepare_t prepare;
    uv_connect_t connecting;
    uv_write_t write;
    size_t write_len;
    struct rpc_session *session;
    const struct rpc_pipe_ops *ops;
    uint8_t *read_buffer; /* shared with the other pipes of the owner */
    bool up, writing, closing;
    unsigned handles; /* still open */
};
enum { RPC_READ_SIZE = 128 << 10 };
uint8_t *rpc_read_buffer_new(void); /* locked memory where there is some, else ordinary */
void rpc_read_buffer_free(uint8_t *p);

MUST_CHECK int rpc_pipe_init(struct rpc_pipe *p, uv_loop_t *loop, bool server,
                             const struct rpc_session_ops *sops, const struct rpc_pipe_ops *ops,
                             uint8_t *read_buffer);
void rpc_pipe_connect(struct rpc_pipe *p, const char *path);
MUST_CHECK int rpc_pipe_accept(struct rpc_pipe *p, uv_stream_t *listener);
MUST_CHECK int rpc_pipe_peer(const struct rpc_pipe *p, struct rpc_peer *ret);
int rpc_pipe_start(struct rpc_pipe *p);  /* begins to read */
void rpc_pipe_dirty(struct rpc_pipe *p); /* there is something to send */
void rpc_pipe_flush(struct rpc_pipe *p);
void rpc_pipe_close(struct rpc_pipe *p);
#endif
