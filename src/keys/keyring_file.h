/* keys/keyring_file.h - the two files of a keyring: read whole, replaced whole.
 *
 * Internal to the room. Names are inside a directory descriptor. A write that returned 0 survives a
 * power cut. */
#ifndef KEYS_KEYRING_FILE_H
#define KEYS_KEYRING_FILE_H
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "base/err.h"
#include "keys/kek.h"

#define KEYRING_NAME "keyring"
#define KEK_NAME "kek.key"
#define KEK_NEW_NAME "kek.key.new"

/* Up to max bytes of it; *ret_len of max + 1 cannot be: -EFBIG. -ENOENT (without words). */
MUST_CHECK int keyring_file_read(int dir, const char *name, void *p, size_t max, size_t *ret_len,
                                 struct err *e);
/* Beside, synced, then renamed. fresh: -EEXIST when the name is taken. */
MUST_CHECK int keyring_file_write(int dir, const char *name, const void *p, size_t n, bool fresh,
                                  struct err *e);
MUST_CHECK int keyring_file_rename(int dir, const char *from, const char *to, struct err *e);
MUST_CHECK int keyring_file_remove(int dir, const char *name,
                                   struct err *e); /* none there is fine */
/* The KEK as text. -ENOENT; -EPERM: others may read it; -EINVAL. */
MUST_CHECK int kek_file_read(int dir, const char *name, struct kek **ret, struct err *e);
MUST_CHECK int kek_file_write(int dir, const char *name, const struct kek *k, struct err *e);
#endif
