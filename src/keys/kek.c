/* keys/kek.c - the key-encryption key and its text form. */
#include "keys/kek.h"

#include <errno.h>
#include <sodium.h>
#include <string.h>

#include "base/id.h"

struct kek {
    uint8_t bytes[KEK_SIZE];
};

static const char prefix[] = "SWMKEY-1-";
enum { PREFIX_LEN = sizeof prefix - 1, BODY_LEN = KEK_TEXT_LEN - PREFIX_LEN };

static int no_memory(struct err *e)
{
    return err_set(e, -ENOMEM, "out of locked memory");
}

int kek_from_bytes(const uint8_t bytes[KEK_SIZE], struct kek **ret, struct err *e)
{
    struct kek *k = secret_alloc(sizeof *k);
    if (!k)
        return no_memory(e);
    memcpy(k->bytes, bytes, KEK_SIZE);
    *ret = k;
    return 0;
}

int kek_new(struct kek **ret, struct err *e)
{
    struct kek *k = secret_alloc(sizeof *k);
    if (!k)
        return no_memory(e);
    random_bytes(k->bytes, KEK_SIZE);
    *ret = k;
    return 0;
}

int kek_dup(const struct kek *k, struct kek **ret, struct err *e)
{
    return kek_from_bytes(k->bytes, ret, e);
}

/* Bits beyond the 32 bytes must be zero, else two texts would name one key; libsodium checks that.
 */
int kek_parse(const char *text, size_t len, struct kek **ret, struct err *e)
{
    size_t got = 0;
    if (len != KEK_TEXT_LEN || memcmp(text, prefix, PREFIX_LEN) != 0)
        return err_set(e, -EINVAL, "invalid key string");
    struct kek *k = secret_alloc(sizeof *k);
    if (!k)
        return no_memory(e);
    if (sodium_base642bin(k->bytes, KEK_SIZE, text + PREFIX_LEN, BODY_LEN, NULL, &got, NULL,
                          sodium_base64_VARIANT_ORIGINAL_NO_PADDING) != 0 ||
        got != KEK_SIZE) {
        secret_free(k);
        return err_set(e, -EINVAL, "invalid key string");
    }
    *ret = k;
    return 0;
}

int kek_print(const struct kek *k, struct secret_buf **ret, struct err *e)
{
    struct secret_buf *s = secret_buf_new(KEK_TEXT_LEN + 1);
    if (!s)
        return no_memory(e);
    char *p = (char *)secret_buf_room(s, KEK_TEXT_LEN + 1);
    memcpy(p, prefix, PREFIX_LEN);
    sodium_bin2base64(p + PREFIX_LEN, BODY_LEN + 1, k->bytes, KEK_SIZE,
                      sodium_base64_VARIANT_ORIGINAL_NO_PADDING);
    secret_buf_grown(s, KEK_TEXT_LEN);
    *ret = s;
    return 0;
}

const uint8_t *kek_bytes(const struct kek *k)
{
    return k->bytes;
}

bool kek_equal(const struct kek *a, const struct kek *b)
{
    return secret_equal(a->bytes, b->bytes, KEK_SIZE);
}

void kek_free(struct kek *k)
{
    secret_free(k);
}
