/* rpc/rpc_out.c - the output of a connection. */
#include "rpc/rpc_out.h"

#include <stdlib.h>
#include <string.h>

#include "base/mem.h"

enum { BLOCK_SIZE = 16 << 10, COPY_MAX = 2 << 10 };

struct rpc_block {
    unsigned refs; /* pieces, and one of the output while it is being filled */
    size_t used;
    uint8_t bytes[BLOCK_SIZE];
};

static void block_unref(struct rpc_out *o, struct rpc_block *b)
{
    if (!b || --b->refs)
        return;
    if (o->spare)
        free(b);
    else
        o->spare = b;
}

static struct rpc_block *block_take(struct rpc_out *o)
{
    struct rpc_block *b = o->spare;
    if (b)
        o->spare = NULL;
    else if (!(b = mem_try(sizeof(*b))))
        abort(); /* as mem_new does, but without clearing 16 KiB */
    b->refs = 1;
    b->used = 0;
    return b;
}

static struct rpc_piece *piece_add(struct rpc_out *o)
{
    if (o->first + o->count == o->room && o->first) {
        memmove(o->pieces, o->pieces + o->first, o->count * sizeof(*o->pieces));
        o->first = 0;
    }
    if (o->count == o->room) {
        o->room = o->room ? o->room * 2 : 32;
        o->pieces = mem_grow(o->pieces, o->room, sizeof(*o->pieces));
    }
    return &o->pieces[o->first + o->count++];
}

void rpc_out_copy(struct rpc_out *o, const uint8_t *p, size_t n)
{
    o->total += n;
    while (n) {
        if (!o->block || o->block->used == BLOCK_SIZE) {
            block_unref(o, o->block);
            o->block = block_take(o);
        }
        struct rpc_block *b = o->block;
        size_t take = BLOCK_SIZE - b->used < n ? BLOCK_SIZE - b->used : n;
        uint8_t *at = b->bytes + b->used;
        memcpy(at, p, take);
        b->used += take;
        p += take;
        n -= take;
        struct rpc_piece *last = o->count ? &o->pieces[o->first + o->count - 1] : NULL;
        if (last && last->block == b && last->p + last->len == at) {
            last->len += take;
            continue;
        }
        b->refs++;
        *piece_add(o) = (struct rpc_piece){.p = at, .len = take, .block = b};
    }
}

void rpc_out_message(struct rpc_out *o, struct rpc_bytes *b, size_t offset, size_t n)
{
    if (!n)
        return;
    if (!b->secret && n <= COPY_MAX) {
        rpc_out_copy(o, b->p + offset, n);
        return;
    }
    b->refs++;
    o->total += n;
    *piece_add(o) = (struct rpc_piece){.p = b->p + offset, .len = n, .bytes = b};
}

unsigned rpc_out_pieces(const struct rpc_out *o, uv_buf_t *ret, unsigned max)
{
    unsigned n = 0;
    for (; n < max && n < o->count; n++) {
        const struct rpc_piece *p = &o->pieces[o->first + n];
        ret[n] = uv_buf_init((char *)p->p, (unsigned)p->len);
    }
    return n;
}

void rpc_out_consume(struct rpc_out *o, size_t n)
{
    o->total -= n;
    while (n) {
        struct rpc_piece *p = &o->pieces[o->first];
        if (n < p->len) {
            p->p += n;
            p->len -= n;
            return;
        }
        n -= p->len;
        block_unref(o, p->block);
        rpc_bytes_unref(p->bytes);
        o->first++;
        o->count--;
    }
    if (!o->count)
        o->first = 0;
    if (!o->count && o->block && o->block->refs == 1)
        o->block->used = 0; /* start the block again rather than fill a second one */
}

void rpc_out_done(struct rpc_out *o)
{
    rpc_out_consume(o, o->total);
    block_unref(o, o->block);
    free(o->spare);
    free(o->pieces);
    *o = (struct rpc_out){0};
}
