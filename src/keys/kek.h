/* keys/kek.h - the key-encryption key: what wraps the data keys of a keyring.
 *
 * 32 random bytes in secret memory. Its text is that of the engine's unlock key: "SWMKEY-1-" and 43
 * characters of standard base64 without padding. The text is as secret as the key: it is only ever
 * put into secret memory, and the caller of kek_parse wipes what it passed in. */
#ifndef KEYS_KEK_H
#define KEYS_KEK_H
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "base/err.h"
#include "base/secret.h"

enum { KEK_SIZE = 32, KEK_TEXT_LEN = 52 };
struct kek;

MUST_CHECK int kek_new(struct kek **ret,
                       struct err *e); /* random; -ENOMEM: locked memory is full */
MUST_CHECK int kek_from_bytes(const uint8_t bytes[KEK_SIZE], struct kek **ret, struct err *e);
MUST_CHECK int kek_parse(const char *text, size_t len, struct kek **ret,
                         struct err *e); /* -EINVAL: not such a key */
MUST_CHECK int kek_print(const struct kek *k, struct secret_buf **ret,
                         struct err *e); /* no newline */
MUST_CHECK int kek_dup(const struct kek *k, struct kek **ret, struct err *e);
const uint8_t *kek_bytes(const struct kek *k);
bool kek_equal(const struct kek *a, const struct kek *b);
void kek_free(struct kek *k); /* wipes; NULL is fine */
#endif
