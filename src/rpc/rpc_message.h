/* rpc/rpc_message.h - a message's memory: packed with its five byte prefix, put together again,
 * unpacked.
 *
 * Packed bytes are counted by reference, because they lie in a call's queue and in the connection's
 * output at once. An arena gives unpacking its memory and takes it back in one stroke: a list of
 * ten thousand objects is some hundred thousand allocations otherwise. Both live in secret memory
 * when asked to; then freeing wipes. */
#ifndef RPC_RPC_MESSAGE_H
#define RPC_RPC_MESSAGE_H
#include <protobuf-c/protobuf-c.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { RPC_PREFIX = 5 };

struct rpc_bytes {
    struct rpc_bytes *next; /* in a call's queue */
    unsigned refs;
    bool secret;
    size_t len; /* with the prefix */
    uint8_t *p;
};
/* One reference. -EMSGSIZE: above RPC_MESSAGE_MAX. -ENOMEM: no (locked) memory. */
int rpc_bytes_pack(const ProtobufCMessage *m, bool secret, struct rpc_bytes **ret);
int rpc_bytes_copy(const void *packed, size_t n,
                   struct rpc_bytes **ret); /* is packed already; no secret */
void rpc_bytes_unref(struct rpc_bytes *b);  /* NULL is fine */

/* Memory of an unpacked message. */
struct rpc_chunk;
void rpc_chunks_free(struct rpc_chunk *c); /* NULL is fine */
/* Unpacks; *ret_memory then owns the whole message; fields that are unknown are dropped. -EPROTO:
 * not such a message. -ENOMEM: no (locked) memory, or a message that would take far more memory
 * than its length explains (RPC_BLOAT_MAX). */
enum { RPC_BLOAT_MAX = 64, RPC_BLOAT_FREE = 1 << 20 };
int rpc_unpack(const ProtobufCMessageDescriptor *d, const uint8_t *p, size_t n, bool secret,
               ProtobufCMessage **ret, struct rpc_chunk **ret_memory);

/* Cuts a stream of DATA bytes into messages. Zeroed is empty; set `secret` first. */
struct rpc_reader {
    bool secret;
    uint8_t head[RPC_PREFIX];
    unsigned have_head;
    size_t want, have, room;
    uint8_t *p;
};
/* Takes from *p, *n. 1: a message lies at *ret_msg (valid until the next call or reset, or the
 * input goes away). 0: more is needed. -EMSGSIZE, -EPROTO (compressed), -ENOMEM: the stream is of
 * no more use. */
int rpc_reader_feed(struct rpc_reader *r, const uint8_t **p, size_t *n, const uint8_t **ret_msg,
                    size_t *ret_len);
bool rpc_reader_empty(const struct rpc_reader *r); /* nothing of a next message has come */
void rpc_reader_done(struct rpc_reader *r);
#endif
