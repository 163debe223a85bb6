/* rpc/rpc_message.c - packing, the five byte prefix, unpacking into an arena. */
#include "rpc/rpc_message.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/secret.h"
#include "rpc/rpc.h"

/* Room for a message of n bytes behind its prefix, which is written. */
static int bytes_new(size_t n, bool secret, struct rpc_bytes **ret)
{
    if (n > RPC_MESSAGE_MAX)
        return -EMSGSIZE;
    size_t len = n + RPC_PREFIX;
    struct rpc_bytes *b = mem_try(sizeof(*b) + (secret ? 0 : len));
    if (!b)
        return -ENOMEM;
    *b = (struct rpc_bytes){.refs = 1, .secret = secret, .len = len};
    b->p = secret ? secret_alloc(len) : (uint8_t *)(b + 1);
    if (!b->p) {
        free(b);
        return -ENOMEM;
    }
    b->p[0] = 0;
    for (int i = 0; i < 4; i++)
        b->p[1 + i] = (uint8_t)(n >> (24 - 8 * i));
    *ret = b;
    return 0;
}

int rpc_bytes_pack(const ProtobufCMessage *m, bool secret, struct rpc_bytes **ret)
{
    int r = bytes_new(protobuf_c_message_get_packed_size(m), secret, ret);
    if (r == 0)
        protobuf_c_message_pack(m, (*ret)->p + RPC_PREFIX);
    return r;
}

int rpc_bytes_copy(const void *packed, size_t n, struct rpc_bytes **ret)
{
    int r = bytes_new(n, false, ret);
    if (r == 0)
        memcpy((*ret)->p + RPC_PREFIX, packed, n);
    return r;
}

void rpc_bytes_unref(struct rpc_bytes *b)
{
    if (!b || --b->refs)
        return;
    if (b->secret)
        secret_free(b->p);
    free(b);
}

/* ---- arena ---- */
enum { ALIGN = 16, CHUNK_MIN = 512, CHUNK_MAX = 1 << 20 };

struct rpc_chunk {
    struct rpc_chunk *next;
    size_t used, size;
    bool secret;
    _Alignas(ALIGN) uint8_t bytes[];
};
struct arena {
    struct rpc_chunk *chunks; /* newest first */
    size_t total, limit, grow;
    bool secret, full;
};

void rpc_chunks_free(struct rpc_chunk *c)
{
    while (c) {
        struct rpc_chunk *next = c->next;
        if (c->secret)
            secret_free(c);
        else
            free(c);
        c = next;
    }
}

static bool arena_grow(struct arena *a, size_t need)
{
    size_t size = a->grow > need ? a->grow : need;
    if (size > a->limit - a->total)
        size = a->limit - a->total;
    if (size < need)
        return false;
    struct rpc_chunk *c = a->secret ? secret_alloc(sizeof(*c) + size) : mem_try(sizeof(*c) + size);
    if (!c)
        return false;
    c->next = a->chunks;
    c->used = 0;
    c->size = size;
    c->secret = a->secret;
    a->chunks = c;
    a->total += size;
    a->grow = size * 2 < CHUNK_MAX ? size * 2 : CHUNK_MAX;
    return true;
}

static void *arena_alloc(void *data, size_t n)
{
    struct arena *a = data;
    if (n > SIZE_MAX - ALIGN)
        return NULL;
    n = (n + ALIGN - 1) & ~(size_t)(ALIGN - 1);
    if (!a->chunks || a->chunks->size - a->chunks->used < n) {
        if (!arena_grow(a, n)) {
            a->full = true;
            return NULL;
        }
    }
    void *p = a->chunks->bytes + a->chunks->used;
    a->chunks->used += n;
    return p;
}

static void arena_free(void *data, void *p)
{
    (void)data, (void)p;
}

static void drop_unknown(ProtobufCMessage *m);

static void drop_unknown_in(ProtobufCMessage *m, const ProtobufCFieldDescriptor *f)
{
    const void *at = (const uint8_t *)m + f->offset,
               *count = (const uint8_t *)m + f->quantifier_offset;
    if (f->label == PROTOBUF_C_LABEL_REPEATED) {
        ProtobufCMessage *const *list = *(ProtobufCMessage *const *const *)at;
        for (size_t i = 0, n = *(const size_t *)count; i < n; i++)
            drop_unknown(list[i]);
    } else if (!(f->flags & PROTOBUF_C_FIELD_FLAG_ONEOF) || *(const uint32_t *)count == f->id) {
        drop_unknown(*(ProtobufCMessage *const *)at);
    }
}

/* Fields that we do not know are dropped, as the engine drops them. protobuf-c would keep them and
 * write them again, but takes a field numbered 0 (from a number written longer than need be) that
 * it cannot read after writing it: an object with one could be stored and never be opened again. */
static void drop_unknown(ProtobufCMessage *m)
{
    if (!m)
        return;
    m->n_unknown_fields = 0;
    m->unknown_fields = NULL; /* the arena's memory */
    for (unsigned i = 0; i < m->descriptor->n_fields; i++)
        if (m->descriptor->fields[i].type == PROTOBUF_C_TYPE_MESSAGE)
            drop_unknown_in(m, &m->descriptor->fields[i]);
}

int rpc_unpack(const ProtobufCMessageDescriptor *d, const uint8_t *p, size_t n, bool secret,
               ProtobufCMessage **ret, struct rpc_chunk **ret_memory)
{
    struct arena a = {.secret = secret};
    a.limit = RPC_BLOAT_FREE + n * RPC_BLOAT_MAX;
    a.grow = d->sizeof_message + n + (secret ? n / 8 : n) + CHUNK_MIN;
    if (a.grow > CHUNK_MAX && !secret)
        a.grow = CHUNK_MAX;
    ProtobufCAllocator allocator = {arena_alloc, arena_free, &a};
    ProtobufCMessage *m = protobuf_c_message_unpack(d, &allocator, n, p);
    if (!m) {
        rpc_chunks_free(a.chunks);
        return a.full ? -ENOMEM : -EPROTO;
    }
    drop_unknown(m);
    *ret = m;
    *ret_memory = a.chunks;
    return 0;
}

/* ---- reader ---- */
enum { READER_START = 64 << 10, READER_SECRET_START = 1 << 20 };

static void buffer_free(struct rpc_reader *r)
{
    if (r->secret)
        secret_free(r->p);
    else
        free(r->p);
    r->p = NULL;
    r->room = 0;
}

void rpc_reader_done(struct rpc_reader *r)
{
    buffer_free(r);
    r->have_head = 0;
    r->have = r->want = 0;
}

bool rpc_reader_empty(const struct rpc_reader *r)
{
    return r->have_head == 0 || (r->have_head == RPC_PREFIX && r->have == r->want);
}

/* Memory grows with what has come, not with what was announced: a length alone costs the peer
 * nothing. */
static int buffer_grow(struct rpc_reader *r, size_t need)
{
    if (need <= r->room)
        return 0;
    size_t size = r->secret ? READER_SECRET_START : READER_START;
    while (size < need)
        size *= 4;
    if (size > r->want)
        size = r->want;
    uint8_t *p = r->secret ? secret_alloc(size) : mem_try(size);
    if (!p)
        return -ENOMEM;
    if (r->have)
        memcpy(p, r->p, r->have);
    buffer_free(r);
    r->p = p;
    r->room = size;
    return 0;
}

static int read_head(struct rpc_reader *r, const uint8_t **p, size_t *n)
{
    while (*n && r->have_head < RPC_PREFIX) {
        r->head[r->have_head++] = *(*p)++;
        --*n;
    }
    if (r->have_head < RPC_PREFIX)
        return 0;
    const uint8_t *h = r->head;
    r->want = (size_t)h[1] << 24 | (size_t)h[2] << 16 | (size_t)h[3] << 8 | h[4];
    if (h[0] != 0)
        return -EPROTO;
    return r->want > RPC_MESSAGE_MAX ? -EMSGSIZE : 1;
}

int rpc_reader_feed(struct rpc_reader *r, const uint8_t **p, size_t *n, const uint8_t **ret_msg,
                    size_t *ret_len)
{
    if (r->have_head == RPC_PREFIX && r->have == r->want)
        rpc_reader_done(r); /* the message before was handed out */
    if (r->have_head < RPC_PREFIX) {
        int got = read_head(r, p, n);
        if (got <= 0)
            return got;
    }
    size_t take = r->want - r->have < *n ? r->want - r->have : *n;
    bool whole = r->have == 0 && take == r->want;
    if (whole) {
        *ret_msg = *p; /* it lies in the input in one piece */
    } else {
        int error = take ? buffer_grow(r, r->have + take) : 0;
        if (error)
            return error;
        if (take)
            memcpy(r->p + r->have, *p, take);
        *ret_msg = r->p;
    }
    r->have += take;
    *p += take;
    *n -= take;
    *ret_len = r->want;
    return r->have == r->want;
}
