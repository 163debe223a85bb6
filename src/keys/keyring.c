/* keys/keyring.c - data keys, wrapped in a file, in clear only in secret memory. */
#include "keys/keyring.h"

#include <errno.h>
#include <fcntl.h>
#include <sodium.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/id.h"
#include "base/mem.h"
#include "keys/keyring_file.h"

enum {
    VERSION = 1,
    FLAG_AUTOLOCK = 1,
    KEY = 32,
    HEAD = 8 + 1 + 1 + 4 + 2,
    NONCE = crypto_aead_xchacha20poly1305_ietf_NPUBBYTES,
    WRAPPED = KEY + crypto_aead_xchacha20poly1305_ietf_ABYTES,
    ENTRY = 4 + 8 + NONCE + WRAPPED,
    HASH = 32,
    FILE_MAX = HEAD + KEYRING_MAX * ENTRY + 2 * HASH
};
static const char magic[8] = {'K', 'E', 'E', 'P', 'R', 'I', 'N', 'G'};

struct data_key {
    uint32_t id;
    uint64_t created;
    uint8_t *bytes; /* secret memory */
};
struct keyring {
    int dir; /* -1: in memory only */
    bool autolock;
    struct kek *kek;
    uint32_t current;
    size_t count;
    struct data_key keys[KEYRING_MAX];
};
struct subkeys { /* in secret memory */
    uint8_t wrap[KEY], mac[KEY];
};

static int no_memory(struct err *e)
{
    return err_set(e, -ENOMEM, "out of locked memory");
}

static size_t put_be(uint8_t *at, uint64_t v, size_t bytes)
{
    for (size_t i = 0; i < bytes; i++)
        at[i] = (uint8_t)(v >> (8 * (bytes - 1 - i)));
    return bytes;
}

static uint64_t get_be(const uint8_t *at, size_t bytes)
{
    uint64_t v = 0;
    for (size_t i = 0; i < bytes; i++)
        v = v << 8 | at[i];
    return v;
}

/* One key for each use: the KEK itself encrypts and authenticates nothing. */
static int derive(const struct kek *kek, struct subkeys **ret, struct err *e)
{
    struct subkeys *s = secret_alloc(sizeof *s);
    if (!s)
        return no_memory(e);
    crypto_kdf_derive_from_key(s->wrap, KEY, 1, "keep-kek", kek_bytes(kek));
    crypto_kdf_derive_from_key(s->mac, KEY, 2, "keep-kek", kek_bytes(kek));
    *ret = s;
    return 0;
}

/* ---- the file's bytes ---- */

static size_t pack(const struct keyring *k, const struct subkeys *sub, uint8_t out[FILE_MAX])
{
    size_t n = sizeof magic;
    memcpy(out, magic, sizeof magic);
    n += put_be(out + n, VERSION, 1);
    n += put_be(out + n, k->autolock ? FLAG_AUTOLOCK : 0, 1);
    n += put_be(out + n, k->current, 4);
    n += put_be(out + n, k->count, 2);
    for (size_t i = 0; i < k->count; i++) {
        uint8_t *entry = out + n;
        n += put_be(out + n, k->keys[i].id, 4);
        n += put_be(out + n, k->keys[i].created, 8);
        uint8_t *nonce = out + n;
        random_bytes(nonce, NONCE);
        n += NONCE;
        crypto_aead_xchacha20poly1305_ietf_encrypt(out + n, NULL, k->keys[i].bytes, KEY, entry, 12,
                                                   NULL, nonce, sub->wrap);
        n += WRAPPED;
    }
    crypto_generichash(out + n, HASH, out, n, sub->mac, KEY);
    n += HASH;
    crypto_generichash(out + n, HASH, out, n, NULL, 0);
    return n + HASH;
}

/* What can be known without a key: that these are the bytes that were written. */
static int check_shape(const uint8_t *p, size_t n, struct err *e)
{
    uint8_t hash[HASH];
    if (n < HEAD + ENTRY + 2 * HASH || memcmp(p, magic, sizeof magic) != 0)
        return err_set(e, -EBADMSG, "the keyring is damaged: it is cut short or something else");
    if (p[8] != VERSION)
        return err_set(e, -EBADMSG, "the keyring has version %u, this program knows %d", p[8],
                       VERSION);
    size_t count = get_be(p + 14, 2);
    if (count == 0 || count > KEYRING_MAX || n != HEAD + count * ENTRY + 2 * HASH)
        return err_set(e, -EBADMSG, "the keyring is damaged: its size is wrong");
    crypto_generichash(hash, HASH, p, n - HASH, NULL, 0);
    if (memcmp(hash, p + n - HASH, HASH) != 0)
        return err_set(e, -EBADMSG, "the keyring is damaged: its checksum is wrong");
    return 0;
}

static int unpack_entry(struct keyring *k, const struct subkeys *sub, const uint8_t *entry,
                        struct err *e)
{
    struct data_key *d = &k->keys[k->count];
    d->bytes = secret_alloc(KEY);
    if (!d->bytes)
        return no_memory(e);
    k->count++;
    d->id = (uint32_t)get_be(entry, 4);
    d->created = get_be(entry + 4, 8);
    if (crypto_aead_xchacha20poly1305_ietf_decrypt(d->bytes, NULL, NULL, entry + 12 + NONCE,
                                                   WRAPPED, entry, 12, entry + 12, sub->wrap) != 0)
        return err_set(e, -EBADMSG, "the keyring is damaged: key %u does not open",
                       (unsigned)d->id);
    return 0;
}

static void drop_keys(struct keyring *k)
{
    for (size_t i = 0; i < k->count; i++)
        secret_free(k->keys[i].bytes);
    k->count = 0;
}

/* p has passed check_shape. KEYRING_WRONG_KEY leaves k as it was. */
static int unpack(struct keyring *k, const struct kek *kek, const uint8_t *p, size_t n,
                  struct err *e)
{
    uint8_t mac[HASH];
    struct subkeys *sub;
    int r = derive(kek, &sub, e);
    if (r < 0)
        return r;
    crypto_generichash(mac, HASH, p, n - 2 * HASH, sub->mac, KEY);
    if (sodium_memcmp(mac, p + n - 2 * HASH, HASH) != 0) {
        secret_free(sub);
        err_set(e, 0, "the key does not open the keyring");
        return KEYRING_WRONG_KEY;
    }
    size_t count = get_be(p + 14, 2);
    for (size_t i = 0; i < count && r == 0; i++)
        r = unpack_entry(k, sub, p + HEAD + i * ENTRY, e);
    secret_free(sub);
    k->autolock = p[9] & FLAG_AUTOLOCK;
    k->current = (uint32_t)get_be(p + 10, 4);
    if (r == 0 && !keyring_key(k, k->current))
        r = err_set(e, -EBADMSG, "the keyring is damaged: its current key is missing");
    if (r < 0)
        drop_keys(k);
    return r;
}

static int save(const struct keyring *k, bool fresh, struct err *e)
{
    uint8_t bytes[FILE_MAX];
    struct subkeys *sub;
    if (k->dir < 0)
        return 0;
    int r = derive(k->kek, &sub, e);
    if (r < 0)
        return r;
    size_t n = pack(k, sub, bytes);
    secret_free(sub);
    return keyring_file_write(k->dir, KEYRING_NAME, bytes, n, fresh, e);
}

/* ---- making and opening ---- */

static int add_key(struct keyring *k, int64_t now, struct err *e)
{
    uint32_t id = 1;
    for (size_t i = 0; i < k->count; i++)
        if (k->keys[i].id >= id)
            id = k->keys[i].id + 1;
    if (k->count == KEYRING_MAX || id == 0)
        return err_set(e, -ENOSPC, "the keyring holds %d keys and takes no more", KEYRING_MAX);
    uint8_t *bytes = secret_alloc(KEY);
    if (!bytes)
        return no_memory(e);
    random_bytes(bytes, KEY);
    k->keys[k->count++] = (struct data_key){.id = id, .created = (uint64_t)now, .bytes = bytes};
    k->current = id;
    return 0;
}

static int keyring_new(const char *dir, struct keyring **ret, struct err *e)
{
    AUTO_CLOSE int fd = -1;
    if (sodium_init() < 0)
        return err_set(e, -EIO, "libsodium does not start");
    if (dir) {
        fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        if (fd < 0)
            return err_sys(e, errno, "open '%s'", dir);
    }
    struct keyring *k = NEW(struct keyring);
    k->dir = TAKE_FD(fd);
    *ret = k;
    return 0;
}

static void auto_keyring(struct keyring **k)
{
    keyring_free(*k);
}
#define AUTO_KEYRING __attribute__((cleanup(auto_keyring)))

int keyring_create(const char *dir, const struct kek *kek, int64_t now_ns, struct keyring **ret,
                   struct err *e)
{
    AUTO_KEYRING struct keyring *k = NULL;
    int r = keyring_new(dir, &k, e);
    if (r < 0)
        return r;
    if (faccessat(k->dir, KEYRING_NAME, F_OK, AT_SYMLINK_NOFOLLOW) == 0)
        return err_set(e, -EEXIST, "there is a keyring in '%s' already", dir);
    k->autolock = kek != NULL;
    r = kek ? kek_dup(kek, &k->kek, e) : kek_new(&k->kek, e);
    if (r == 0)
        r = add_key(k, now_ns, e);
    if (r == 0 && !k->autolock)
        r = kek_file_write(k->dir, KEK_NEW_NAME, k->kek, e);
    if (r == 0)
        r = save(k, true, e);
    if (r == 0 && !k->autolock)
        r = keyring_file_rename(k->dir, KEK_NEW_NAME, KEK_NAME, e);
    if (r < 0)
        return r;
    *ret = TAKE(k);
    return 0;
}

int keyring_new_ephemeral(struct keyring **ret, struct err *e)
{
    AUTO_KEYRING struct keyring *k = NULL;
    int r = keyring_new(NULL, &k, e);
    if (r == 0)
        r = kek_new(&k->kek, e);
    if (r == 0)
        r = add_key(k, 0, e);
    if (r < 0)
        return r;
    *ret = TAKE(k);
    return 0;
}

/* One of the two names under which the KEK may lie. -ENOENT: not under this one. */
static int try_file(struct keyring *k, const char *name, const uint8_t *p, size_t n, struct err *e)
{
    struct kek *kek = NULL;
    int r = kek_file_read(k->dir, name, &kek, e);
    if (r < 0)
        return r;
    r = unpack(k, kek, p, n, e);
    if (r == 0)
        k->kek = kek;
    else
        kek_free(kek);
    return r;
}

/* A crash while the KEK changed may have left the right one under its new name, or a useless new
 * one beside the right one. */
static int open_with_files(struct keyring *k, const uint8_t *p, size_t n, struct err *e)
{
    int r = try_file(k, KEK_NAME, p, n, e);
    if (r == 0)
        return keyring_file_remove(k->dir, KEK_NEW_NAME, e);
    if (r != -ENOENT && r != KEYRING_WRONG_KEY)
        return r;
    int r2 = try_file(k, KEK_NEW_NAME, p, n, e);
    if (r2 == 0)
        return keyring_file_rename(k->dir, KEK_NEW_NAME, KEK_NAME, e);
    if (r2 != -ENOENT)
        return r2;
    if (r == KEYRING_WRONG_KEY)
        return r;
    err_set(e, 0, "the keyring is locked: %s is not there", KEK_NAME);
    return KEYRING_LOCKED;
}

static int open_bytes(struct keyring *k, const struct kek *kek, const uint8_t *p, size_t n,
                      struct err *e)
{
    int r = check_shape(p, n, e);
    if (r < 0)
        return r;
    bool locked = p[9] & FLAG_AUTOLOCK; /* believed only as far as which file to look for */
    if (!kek && locked) {
        err_set(e, 0, "the keyring is locked");
        return KEYRING_LOCKED;
    }
    if (!kek)
        return open_with_files(k, p, n, e);
    r = unpack(k, kek, p, n, e);
    if (r != 0)
        return r;
    if (k->autolock) { /* what a crash between locking and removing may have left */
        r = keyring_file_remove(k->dir, KEK_NAME, e);
        if (r < 0)
            return r;
    }
    return kek_dup(kek, &k->kek, e);
}

int keyring_open(const char *dir, const struct kek *kek, struct keyring **ret, struct err *e)
{
    uint8_t bytes[FILE_MAX];
    size_t n;
    AUTO_KEYRING struct keyring *k = NULL;
    int r = keyring_new(dir, &k, e);
    if (r < 0)
        return r;
    r = keyring_file_read(k->dir, KEYRING_NAME, bytes, sizeof bytes, &n, e);
    if (r == -ENOENT)
        return err_set(e, r, "there is no keyring in '%s'", dir);
    if (r == -EFBIG)
        return err_set(e, -EBADMSG, "the keyring is damaged: it is too large");
    if (r == 0)
        r = open_bytes(k, kek, bytes, n, e);
    if (r != 0)
        return r < 0 ? err_wrap(e, r, "'%s'", dir) : r;
    *ret = TAKE(k);
    return 0;
}

void keyring_free(struct keyring *k)
{
    if (!k)
        return;
    drop_keys(k);
    kek_free(k->kek);
    if (k->dir >= 0)
        close(k->dir);
    free(k);
}

/* ---- using and changing ---- */

bool keyring_autolocked(const struct keyring *k)
{
    return k->autolock;
}

const struct kek *keyring_kek(const struct keyring *k)
{
    return k->kek;
}

uint32_t keyring_current(const struct keyring *k)
{
    return k->current;
}

const uint8_t *keyring_key(const struct keyring *k, uint32_t id)
{
    for (size_t i = 0; i < k->count; i++)
        if (k->keys[i].id == id)
            return k->keys[i].bytes;
    return NULL;
}

size_t keyring_count(const struct keyring *k)
{
    return k->count;
}

int keyring_rotate(struct keyring *k, int64_t now_ns, struct err *e)
{
    uint32_t before = k->current;
    int r = add_key(k, now_ns, e);
    if (r < 0)
        return r;
    r = save(k, false, e);
    if (r < 0) { /* the file may or may not have the new key; nothing was sealed with it */
        secret_free(k->keys[--k->count].bytes);
        k->current = before;
    }
    return r;
}

/* The order is what makes a crash harmless: first the new KEK under another name, then the keyring,
 * then the name. */
static int rewrap_files(struct keyring *k, struct err *e)
{
    int r = k->autolock ? 0 : kek_file_write(k->dir, KEK_NEW_NAME, k->kek, e);
    if (r == 0)
        r = save(k, false, e);
    if (r < 0)
        return r;
    if (!k->autolock)
        return keyring_file_rename(k->dir, KEK_NEW_NAME, KEK_NAME, e);
    r = keyring_file_remove(k->dir, KEK_NAME, e);
    return r < 0 ? r : keyring_file_remove(k->dir, KEK_NEW_NAME, e);
}

int keyring_rewrap(struct keyring *k, const struct kek *kek, bool autolock, struct err *e)
{
    struct kek *fresh = NULL;
    int r = kek ? kek_dup(kek, &fresh, e) : kek_new(&fresh, e);
    if (r < 0)
        return r;
    struct kek *before = k->kek;
    bool was_locked = k->autolock;
    k->kek = fresh;
    k->autolock = autolock;
    r = k->dir < 0 ? 0 : rewrap_files(k, e);
    if (r < 0) {
        k->kek = before;
        k->autolock = was_locked;
        kek_free(fresh);
        /* The new file may be in place although its sync failed: nobody would hold the KEK that
         * opens it. */
        if (k->dir >= 0 && save(k, false, NULL) < 0)
            err_wrap(e, r, "the keyring may need the key that was just made");
        return r;
    }
    kek_free(before);
    return 0;
}
