/* unit/rpc/test_rpc_message.c - framing, arenas, and what a stranger may put into a length. */
#include <errno.h>
#include <stdlib.h>
#include "base/mem.h"
#include "base/secret.h"
#include "lib/check.h"
#include "proto/control.pb-c.h"
#include "rpc/rpc.h"
#include "rpc/rpc_message.h"

static struct rpc_bytes *packed(bool secret)
{
    Pb__GetNodeRequest r = PB__GET_NODE_REQUEST__INIT;
    struct rpc_bytes *b = NULL;
    char id[] = "some-node";
    r.node_id = id;
    EXPECT_INT(rpc_bytes_pack(&r.base, secret, &b), 0);
    return b;
}

static void a_packed_message_has_its_length_in_front(void)
{
    struct rpc_bytes *b = packed(false);
    EXPECT_INT(b->len, RPC_PREFIX + 11);
    EXPECT(memcmp(b->p, "\0\0\0\0\013\012\011some-node", b->len) == 0);
    rpc_bytes_unref(b);
}

static void messages_are_cut_right_whatever_the_size_of_the_pieces(void)
{
    struct rpc_bytes *b = packed(false);
    uint8_t two[64];
    memcpy(two, b->p, b->len);
    memcpy(two + b->len, b->p, b->len);
    for (size_t step = 1; step <= 2 * b->len; step++) {
        struct rpc_reader r = {0};
        int found = 0;
        for (size_t at = 0; at < 2 * b->len; at += step) {
            size_t n = 2 * b->len - at < step ? 2 * b->len - at : step;
            const uint8_t *p = two + at, *msg = NULL;
            size_t len = 0;
            while (n) {
                int got = rpc_reader_feed(&r, &p, &n, &msg, &len);
                EXPECT(got >= 0);
                if (got == 1 && len == 11 && memcmp(msg, b->p + RPC_PREFIX, 11) == 0)
                    found++;
            }
        }
        EXPECT_INT(found, 2);
        EXPECT(rpc_reader_empty(&r));
        rpc_reader_done(&r);
    }
    rpc_bytes_unref(b);
}

static int feed(struct rpc_reader *r, const char *bytes, size_t n)
{
    const uint8_t *p = (const uint8_t *)bytes, *msg = NULL;
    size_t len = 0;
    return rpc_reader_feed(r, &p, &n, &msg, &len);
}

static void a_compressed_or_oversize_message_is_refused_at_its_prefix(void)
{
    struct rpc_reader r = {0};
    EXPECT_INT(feed(&r, "\1\0\0\0\1x", 6), -EPROTO);
    rpc_reader_done(&r);
    EXPECT_INT(feed(&r, "\0\4\0\0\1x", 6), -EMSGSIZE); /* 64 MiB and a byte */
    rpc_reader_done(&r);
}

static void an_announced_length_alone_takes_no_memory(void)
{
    struct rpc_reader r = {0};
    EXPECT_INT(feed(&r, "\0\4\0\0\0abc", 8), 0);
    EXPECT(r.room <= 64 << 10);
    EXPECT(!rpc_reader_empty(&r));
    rpc_reader_done(&r);
}

static void an_empty_message_is_five_bytes(void)
{
    struct rpc_reader r = {0};
    EXPECT_INT(feed(&r, "\0\0\0\0\0", 5), 1);
    rpc_reader_done(&r);
}

static void garbage_does_not_unpack(void)
{
    ProtobufCMessage *m = NULL;
    struct rpc_chunk *memory = NULL;
    const uint8_t bad[] = {0x0a, 0xff, 0xff, 0xff, 0x0f};
    EXPECT_INT(rpc_unpack(&pb__get_node_request__descriptor, bad, sizeof(bad), false, &m, &memory),
               -EPROTO);
    EXPECT(!m && !memory);
}

/* Number 0, written in two bytes, at the top and inside a list's element: protobuf-c takes both,
 * and could not read again what it would write of them. */
static void fields_that_nobody_knows_are_gone_after_unpacking(void)
{
    const uint8_t bytes[] = {0x80, 0x00, 0x05, 0x0a, 0x06, 0x0a, 0x01, 'n', 0x80, 0x00, 0x07};
    ProtobufCMessage *m = NULL;
    struct rpc_chunk *memory = NULL;
    uint8_t again[64];
    REQUIRE(rpc_unpack(&pb__list_secrets_response__descriptor, bytes, sizeof(bytes), false, &m,
                       &memory) == 0);
    const Pb__ListSecretsResponse *list = (const Pb__ListSecretsResponse *)m;
    REQUIRE(list->n_secrets == 1);
    EXPECT_STR(list->secrets[0]->id, "n");
    size_t n = protobuf_c_message_pack(m, again);
    EXPECT_INT(n, 5);
    rpc_chunks_free(memory);
    EXPECT_INT(rpc_unpack(&pb__list_secrets_response__descriptor, again, n, false, &m, &memory), 0);
    rpc_chunks_free(memory);
}

static void a_message_that_bloats_is_refused(void)
{
    enum { N = 1 << 20 };
    uint8_t *p = mem_new(2 * N); /* a million empty tasks of two bytes each */
    ProtobufCMessage *m = NULL;
    struct rpc_chunk *memory = NULL;
    for (size_t i = 0; i < N; i++)
        p[2 * i] = 0x0a;
    EXPECT_INT(rpc_unpack(&pb__list_tasks_response__descriptor, p, 2 * N, false, &m, &memory),
               -ENOMEM);
    free(p);
}

static void secret_messages_live_and_die_in_secret_memory(void)
{
    size_t before = 0, after = 0, total = 0;
    secret_arena_stats(&before, &total);
    struct rpc_bytes *b = packed(true);
    EXPECT(secret_owns(b->p));
    ProtobufCMessage *m = NULL;
    struct rpc_chunk *memory = NULL;
    EXPECT_INT(rpc_unpack(&pb__get_node_request__descriptor, b->p + RPC_PREFIX, b->len - RPC_PREFIX,
                          true, &m, &memory),
               0);
    EXPECT(secret_owns(m) && secret_owns(((Pb__GetNodeRequest *)m)->node_id));
    EXPECT_STR(((Pb__GetNodeRequest *)m)->node_id, "some-node");
    rpc_chunks_free(memory);
    rpc_bytes_unref(b);
    secret_arena_stats(&after, &total);
    EXPECT(after <= before + 8192); /* the allocator may keep an empty page */
}

static void a_secret_message_put_together_from_pieces_stays_in_secret_memory(void)
{
    struct rpc_reader r = {.secret = true};
    EXPECT_INT(feed(&r, "\0\0\0\0\4ab", 7), 0);
    EXPECT(secret_owns(r.p));
    EXPECT_INT(feed(&r, "cd", 2), 1);
    EXPECT(memcmp(r.p, "abcd", 4) == 0);
    rpc_reader_done(&r);
}

static void full_locked_memory_is_said_not_hidden(void)
{
    Pb__CreateSecretRequest req = PB__CREATE_SECRET_REQUEST__INIT;
    Pb__SecretSpec spec = PB__SECRET_SPEC__INIT;
    struct rpc_bytes *b = NULL;
    spec.data.len = 16 << 20;
    spec.data.data = mem_new(spec.data.len);
    req.spec = &spec;
    EXPECT_INT(rpc_bytes_pack(&req.base, true, &b), -ENOMEM);
    free(spec.data.data);
}

int main(void)
{
    struct err e = {0};
    if (secret_arena_open(4 << 20, &e)) {
        printf("# %s\n", e.text);
        return 2;
    }
    TEST(a_packed_message_has_its_length_in_front);
    TEST(messages_are_cut_right_whatever_the_size_of_the_pieces);
    TEST(a_compressed_or_oversize_message_is_refused_at_its_prefix);
    TEST(an_announced_length_alone_takes_no_memory);
    TEST(an_empty_message_is_five_bytes);
    TEST(garbage_does_not_unpack);
    TEST(fields_that_nobody_knows_are_gone_after_unpacking);
    TEST(a_message_that_bloats_is_refused);
    TEST(secret_messages_live_and_die_in_secret_memory);
    TEST(a_secret_message_put_together_from_pieces_stays_in_secret_memory);
    TEST(full_locked_memory_is_said_not_hidden);
    return check_done();
}
