/* unit/keys/test_sealer.c - records open in their own place, unaltered, or not at all. */
#include "lib/check.h"

#include <errno.h>
#include <stdlib.h>

#include "base/mem.h"
#include "base/secret.h"
#include "keys/sealer.h"

static struct keyring *ring;
static struct sealer *sealer;
static const struct seal_label label = {SEAL_OBJECT, 5, "0123456789abcdefghijklmno", 42};

static void what_was_sealed_opens_again(void)
{
    void *sealed = NULL, *clear = NULL;
    size_t n = 0, m = 0;
    struct err e = {0};
    REQUIRE(sealer_seal(sealer, &label, "hello", 5, &sealed, &n, &e) == 0);
    EXPECT_INT(n, 5 + SEAL_OVERHEAD);
    EXPECT(memmem(sealed, n, "hello", 5) == NULL);
    REQUIRE(sealer_open(sealer, &label, sealed, n, &clear, &m, &e) == 0);
    EXPECT(m == 5 && memcmp(clear, "hello", 5) == 0);
    free(sealed);
    free(clear);
}

static void an_empty_record_is_fine(void)
{
    void *sealed = NULL, *clear = NULL;
    size_t n = 0, m = 9;
    REQUIRE(sealer_seal(sealer, &label, NULL, 0, &sealed, &n, NULL) == 0);
    EXPECT(sealer_open(sealer, &label, sealed, n, &clear, &m, NULL) == 0 && m == 0);
    free(sealed);
    free(clear);
}

static void two_seals_of_the_same_bytes_differ(void)
{
    void *a = NULL, *b = NULL;
    size_t n;
    REQUIRE(sealer_seal(sealer, &label, "same", 4, &a, &n, NULL) == 0);
    REQUIRE(sealer_seal(sealer, &label, "same", 4, &b, &n, NULL) == 0);
    EXPECT(memcmp(a, b, n) != 0);
    free(a);
    free(b);
}

static void a_payload_opens_only_into_secret_memory(void)
{
    void *sealed = NULL;
    size_t n;
    struct seal_label l = label;
    l.of = SEAL_PAYLOAD;
    REQUIRE(sealer_seal(sealer, &l, "p4ss", 4, &sealed, &n, NULL) == 0);
    AUTO_SECRET struct secret_buf *s = NULL;
    REQUIRE(sealer_open_secret(sealer, &l, sealed, n, &s, NULL) == 0);
    EXPECT_INT(secret_buf_len(s), 4);
    EXPECT(memcmp(secret_buf_bytes(s), "p4ss", 4) == 0);
    EXPECT(secret_owns(secret_buf_bytes(s)));
    free(sealed);
}

static bool opens_as(const struct seal_label *l, const void *p, size_t n)
{
    void *clear = NULL;
    size_t m;
    struct err e = {0};
    int r = sealer_open(sealer, l, p, n, &clear, &m, &e);
    if (r != 0 && (r != -EBADMSG || !*err_text(&e)))
        abort(); /* refused without words */
    free(clear);
    return r == 0;
}

static void a_record_opens_in_no_other_place(void)
{
    void *sealed = NULL;
    size_t n;
    REQUIRE(sealer_seal(sealer, &label, "x", 1, &sealed, &n, NULL) == 0);
    struct seal_label l = label;
    EXPECT(opens_as(&l, sealed, n));
    l.of = SEAL_PAYLOAD;
    EXPECT(!opens_as(&l, sealed, n));
    l = label, l.kind = 6;
    EXPECT(!opens_as(&l, sealed, n));
    l = label, l.index = 43;
    EXPECT(!opens_as(&l, sealed, n));
    l = label, l.id = "0123456789abcdefghijklmnp";
    EXPECT(!opens_as(&l, sealed, n));
    l = label, l.id = "0123456789abcdefghijklmn";
    EXPECT(!opens_as(&l, sealed, n));
    free(sealed);
}

static void every_flipped_bit_and_every_cut_is_refused(void)
{
    uint8_t *sealed = NULL;
    size_t n;
    REQUIRE(sealer_seal(sealer, &label, "some bytes", 10, (void **)&sealed, &n, NULL) == 0);
    for (size_t bit = 0; bit < n * 8; bit++) {
        sealed[bit / 8] ^= (uint8_t)(1 << bit % 8);
        EXPECT(!opens_as(&label, sealed, n));
        sealed[bit / 8] ^= (uint8_t)(1 << bit % 8);
    }
    for (size_t cut = 0; cut < n; cut++)
        EXPECT(!opens_as(&label, sealed, cut));
    EXPECT(opens_as(&label, sealed, n));
    free(sealed);
}

static void old_records_open_after_the_data_key_changed(void)
{
    void *old = NULL, *new = NULL;
    size_t n;
    REQUIRE(sealer_seal(sealer, &label, "old", 3, &old, &n, NULL) == 0);
    REQUIRE(keyring_rotate(ring, 1, NULL) == 0);
    REQUIRE(sealer_seal(sealer, &label, "new", 3, &new, &n, NULL) == 0);
    EXPECT(opens_as(&label, old, n));
    EXPECT(opens_as(&label, new, n));
    EXPECT(memcmp(old, new, 5) != 0);
    free(old);
    free(new);
}

static void too_large_is_refused(void)
{
    void *out = NULL;
    size_t n;
    EXPECT_INT(sealer_seal(sealer, &label, "", (size_t)SEAL_MAX + 1, &out, &n, NULL), -EMSGSIZE);
    EXPECT(out == NULL);
}

int main(void)
{
    struct err e = {0};
    if (secret_arena_open(1 << 20, &e) < 0 || keyring_new_ephemeral(&ring, &e) < 0) {
        printf("# %s\n", err_text(&e));
        return 2;
    }
    sealer = sealer_new(ring);
    TEST(what_was_sealed_opens_again);
    TEST(an_empty_record_is_fine);
    TEST(two_seals_of_the_same_bytes_differ);
    TEST(a_payload_opens_only_into_secret_memory);
    TEST(a_record_opens_in_no_other_place);
    TEST(every_flipped_bit_and_every_cut_is_refused);
    TEST(old_records_open_after_the_data_key_changed);
    TEST(too_large_is_refused);
    sealer_free(sealer);
    keyring_free(ring);
    return check_done();
}
