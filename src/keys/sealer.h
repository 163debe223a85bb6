/* keys/sealer.h - seals records before they go to an engine, and opens them again.
 *
 * XChaCha20-Poly1305 under the current data key of a keyring, with a random nonce. What a record is
 * (class, kind, id, index) is authenticated beside it, each part with its length, so that no record
 * opens in another's place. Layout: u8 version 1, u32 key id (big-endian), 24 bytes nonce,
 * ciphertext, 16 bytes tag; the first five bytes are authenticated too.
 *
 * Not protected against: putting a whole older record with its older index back (that needs
 * something outside the disk). A sealer borrows its keyring, which must live longer. One thread. */
#ifndef KEYS_SEALER_H
#define KEYS_SEALER_H
#include <stddef.h>
#include <stdint.h>
#include "base/err.h"
#include "base/secret.h"
#include "keys/keyring.h"

enum { SEAL_OVERHEAD = 45, SEAL_MAX = 16 << 20 };

enum seal_class { SEAL_OBJECT = 1, SEAL_PAYLOAD = 2 };
struct seal_label {
    enum seal_class of;
    uint32_t kind;
    const char *id;
    uint64_t index;
};

struct sealer;
struct sealer *sealer_new(const struct keyring *k);
void sealer_free(struct sealer *s); /* NULL is fine */

/* ret is malloc'ed, n + SEAL_OVERHEAD long. -EMSGSIZE past SEAL_MAX. */
MUST_CHECK int sealer_seal(const struct sealer *s, const struct seal_label *label, const void *p,
                           size_t n, void **ret, size_t *ret_len, struct err *e);
/* Into ordinary memory, for what is no payload. -EBADMSG: altered, another record's, or of a key
 * that is not here. */
MUST_CHECK int sealer_open(const struct sealer *s, const struct seal_label *label, const void *p,
                           size_t n, void **ret, size_t *ret_len, struct err *e);
/* Into secret memory. -EBADMSG; -ENOMEM: locked memory is full. */
MUST_CHECK int sealer_open_secret(const struct sealer *s, const struct seal_label *label,
                                  const void *p, size_t n, struct secret_buf **ret, struct err *e);
#endif
