/* rpc/rpc_out.h - what a connection has yet to send: small frames in blocks, messages by reference.
 *
 * Nothing that has been added moves before it is consumed, so a transport may hold the pieces for
 * as long as a write takes. */
#ifndef RPC_RPC_OUT_H
#define RPC_RPC_OUT_H
#include <stddef.h>
#include <stdint.h>
#include <uv.h>
#include "rpc/rpc_message.h"

struct rpc_block;
struct rpc_piece {
    uint8_t *p;
    size_t len;
    struct rpc_block *block; /* where p lies, or */
    struct rpc_bytes *bytes; /* the message it is part of */
};
struct rpc_out {
    struct rpc_piece *pieces;
    size_t first, count, room;
    struct rpc_block *block, *spare;
    size_t total; /* bytes */
};
void rpc_out_copy(struct rpc_out *o, const uint8_t *p, size_t n);
/* n bytes of a message; a short one is copied, a long or secret one is kept by a reference of its
 * own. */
void rpc_out_message(struct rpc_out *o, struct rpc_bytes *b, size_t offset, size_t n);
unsigned rpc_out_pieces(const struct rpc_out *o, uv_buf_t *ret, unsigned max);
void rpc_out_consume(struct rpc_out *o, size_t n);
void rpc_out_done(struct rpc_out *o);
#endif
