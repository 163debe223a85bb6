/* keys/keyring.h - the data keys of this manager's store, each wrapped by a key-encryption key
 * (KEK).
 *
 * Owns two files of one directory (0700, made by the caller): `keyring` (0600; wrapped keys) and,
 * without autolock, `kek.key` (0600; the KEK as text). With autolock there is no kek.key and the
 * KEK is given from outside. Both are written new, synced, renamed, and the directory synced; a
 * change of the KEK passes through `kek.key.new`, so that a crash at any point leaves a pair that
 * opens. Keys in clear are only in secret memory.
 *
 * Layout of `keyring`, integers big-endian: "KEEPRING", u8 version 1, u8 flags (1: autolock), u32
 * current key, u16 count, then for each key u32 id, u64 created (ns), 24 bytes nonce, 48 bytes
 * wrapped key; at the end 32 bytes keyed hash (under the KEK) and 32 bytes plain hash of all
 * before. The plain hash tells damage from a wrong KEK; the keyed one lets nobody without the KEK
 * take keys away or order anew.
 *
 * Nothing is overwritten unless what was there before has been opened by this process. Limit:
 * KEYRING_MAX keys. */
#ifndef KEYS_KEYRING_H
#define KEYS_KEYRING_H
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "base/err.h"
#include "keys/kek.h"

enum { KEYRING_MAX = 64 };
enum {
    KEYRING_LOCKED = 1,
    KEYRING_WRONG_KEY
}; /* outcomes: no KEK here; this KEK does not open it */
struct keyring;

/* A new keyring with one data key. kek NULL: a new KEK, kept in kek.key. -EEXIST: there is one
 * already. */
MUST_CHECK int keyring_create(const char *dir, const struct kek *kek, int64_t now_ns,
                              struct keyring **ret, struct err *e);
/* kek NULL: the one in kek.key. -ENOENT: no keyring; KEYRING_LOCKED, KEYRING_WRONG_KEY; -EBADMSG:
 * damaged; -EPERM: kek.key may be read by others. */
MUST_CHECK int keyring_open(const char *dir, const struct kek *kek, struct keyring **ret,
                            struct err *e);
/* In memory only, with random keys: for simulations and benches. */
MUST_CHECK int keyring_new_ephemeral(struct keyring **ret, struct err *e);
void keyring_free(struct keyring *k); /* wipes; NULL is fine */

bool keyring_autolocked(const struct keyring *k);       /* the KEK is not on this disk */
const struct kek *keyring_kek(const struct keyring *k); /* borrowed */
uint32_t keyring_current(const struct keyring *k);      /* id of the key that seals */
const uint8_t *keyring_key(const struct keyring *k,
                           uint32_t id); /* 32 bytes in secret memory, or NULL */
size_t keyring_count(const struct keyring *k);

/* A new data key for what is sealed from now on; older ones stay to open what they sealed. -ENOSPC:
 * KEYRING_MAX. */
MUST_CHECK int keyring_rotate(struct keyring *k, int64_t now_ns, struct err *e);
/* Wraps every data key anew. kek NULL: a random one. autolock: the new KEK is not written to this
 * disk. */
MUST_CHECK int keyring_rewrap(struct keyring *k, const struct kek *kek, bool autolock,
                              struct err *e);
#endif
