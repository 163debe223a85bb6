/* keys/sealer.c - XChaCha20-Poly1305 over records, bound to what they are. */
#include "keys/sealer.h"

#include <errno.h>
#include <sodium.h>
#include <stdlib.h>
#include <string.h>

#include "base/id.h"
#include "base/mem.h"

enum {
    VERSION = 1,
    HEAD = 5, /* version and key id */
    NONCE = crypto_aead_xchacha20poly1305_ietf_NPUBBYTES,
    TAG = crypto_aead_xchacha20poly1305_ietf_ABYTES,
    ID_MAX = 128,
    AD_MAX = 8 + HEAD + 1 + 4 + 4 + ID_MAX + 8
};
_Static_assert(HEAD + NONCE + TAG == SEAL_OVERHEAD, "the header names the overhead");

struct sealer {
    const struct keyring *keys;
};

struct sealer *sealer_new(const struct keyring *k)
{
    struct sealer *s = NEW(struct sealer);
    s->keys = k;
    return s;
}

void sealer_free(struct sealer *s)
{
    free(s);
}

static size_t put_be(uint8_t *at, uint64_t v, size_t bytes)
{
    for (size_t i = 0; i < bytes; i++)
        at[i] = (uint8_t)(v >> (8 * (bytes - 1 - i)));
    return bytes;
}

/* Every part has a fixed size but the id, which carries its length. */
static int build_ad(uint8_t ad[AD_MAX], const uint8_t head[HEAD], const struct seal_label *l,
                    size_t *ret)
{
    size_t idlen = strlen(l->id), n = 0;
    if (idlen > ID_MAX)
        return -EINVAL;
    memcpy(ad, "keep-rec", 8);
    n += 8;
    memcpy(ad + n, head, HEAD);
    n += HEAD;
    n += put_be(ad + n, l->of, 1);
    n += put_be(ad + n, l->kind, 4);
    n += put_be(ad + n, idlen, 4);
    memcpy(ad + n, l->id, idlen);
    n += idlen;
    n += put_be(ad + n, l->index, 8);
    *ret = n;
    return 0;
}

int sealer_seal(const struct sealer *s, const struct seal_label *label, const void *p, size_t n,
                void **ret, size_t *ret_len, struct err *e)
{
    uint8_t ad[AD_MAX];
    size_t adlen;
    if (n > SEAL_MAX)
        return err_set(e, -EMSGSIZE, "a record of %zu bytes is too large", n);
    uint8_t *out = mem_try(n + SEAL_OVERHEAD);
    if (!out)
        return err_set(e, -ENOMEM, "no memory for a record of %zu bytes", n);
    uint32_t id = keyring_current(s->keys);
    out[0] = VERSION;
    put_be(out + 1, id, 4);
    if (build_ad(ad, out, label, &adlen) < 0) {
        free(out);
        return err_set(e, -EINVAL, "an id is too long");
    }
    random_bytes(out + HEAD, NONCE);
    crypto_aead_xchacha20poly1305_ietf_encrypt(out + HEAD + NONCE, NULL, p, n, ad, adlen, NULL,
                                               out + HEAD, keyring_key(s->keys, id));
    *ret = out;
    *ret_len = n + SEAL_OVERHEAD;
    return 0;
}

/* What must hold before anything is decrypted: size, version, a key that we have. */
static int prepare(const struct sealer *s, const struct seal_label *l, const uint8_t *in, size_t n,
                   uint8_t ad[AD_MAX], size_t *ret_adlen, const uint8_t **ret_key, struct err *e)
{
    if (n < SEAL_OVERHEAD || n > (size_t)SEAL_MAX + SEAL_OVERHEAD)
        return err_set(e, -EBADMSG, "record '%s' has an impossible size (%zu bytes)", l->id, n);
    if (in[0] != VERSION)
        return err_set(e, -EBADMSG, "record '%s' has an unknown version (%u)", l->id, in[0]);
    uint32_t id = (uint32_t)in[1] << 24 | (uint32_t)in[2] << 16 | (uint32_t)in[3] << 8 | in[4];
    *ret_key = keyring_key(s->keys, id);
    if (!*ret_key)
        return err_set(e, -EBADMSG,
                       "record '%s' is sealed with key %u, which is not in the keyring", l->id,
                       (unsigned)id);
    if (build_ad(ad, in, l, ret_adlen) < 0)
        return err_set(e, -EBADMSG, "a record's id is too long");
    return 0;
}

static int decrypt(const struct seal_label *l, const uint8_t *in, size_t n, const uint8_t *ad,
                   size_t adlen, const uint8_t *key, uint8_t *out, struct err *e)
{
    if (crypto_aead_xchacha20poly1305_ietf_decrypt(
            out, NULL, NULL, in + HEAD + NONCE, n - HEAD - NONCE, ad, adlen, in + HEAD, key) != 0)
        return err_set(e, -EBADMSG, "record '%s' was altered or belongs elsewhere", l->id);
    return 0;
}

int sealer_open(const struct sealer *s, const struct seal_label *label, const void *p, size_t n,
                void **ret, size_t *ret_len, struct err *e)
{
    uint8_t ad[AD_MAX];
    size_t adlen;
    const uint8_t *key;
    int r = prepare(s, label, p, n, ad, &adlen, &key, e);
    if (r < 0)
        return r;
    size_t len = n - SEAL_OVERHEAD;
    uint8_t *out = mem_try(len + 1);
    if (!out)
        return err_set(e, -ENOMEM, "no memory for a record of %zu bytes", len);
    r = decrypt(label, p, n, ad, adlen, key, out, e);
    if (r < 0) {
        free(out);
        return r;
    }
    *ret = out;
    *ret_len = len;
    return 0;
}

int sealer_open_secret(const struct sealer *s, const struct seal_label *label, const void *p,
                       size_t n, struct secret_buf **ret, struct err *e)
{
    uint8_t ad[AD_MAX];
    size_t adlen;
    const uint8_t *key;
    int r = prepare(s, label, p, n, ad, &adlen, &key, e);
    if (r < 0)
        return r;
    size_t len = n - SEAL_OVERHEAD;
    AUTO_SECRET struct secret_buf *out = secret_buf_new(len);
    uint8_t *room = out ? secret_buf_room(out, len) : NULL;
    if (!room)
        return err_set(e, -ENOMEM, "out of locked memory");
    r = decrypt(label, p, n, ad, adlen, key, room, e);
    if (r < 0)
        return r;
    secret_buf_grown(out, len);
    *ret = TAKE(out);
    return 0;
}
