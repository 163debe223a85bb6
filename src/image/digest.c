/* image/digest.c - SHA-256 by libcrypto. Its failures are those of memory, so they end the process.
 */
#include "image/digest.h"

#include <openssl/evp.h>
#include <stdlib.h>
#include "base/id.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/str.h"

struct digest {
    EVP_MD_CTX *ctx;
};

static void must(int ok)
{
    if (ok == 1)
        return;
    log_error("libcrypto cannot compute SHA-256");
    abort();
}

struct digest *digest_new(void)
{
    struct digest *d = NEW(struct digest);
    d->ctx = EVP_MD_CTX_new();
    must(d->ctx && EVP_DigestInit_ex(d->ctx, EVP_sha256(), NULL) == 1);
    return d;
}

void digest_update(struct digest *d, const void *p, size_t n)
{
    must(EVP_DigestUpdate(d->ctx, p, n));
}

void digest_end(struct digest *d, char ret[DIGEST_HEX_SIZE])
{
    uint8_t md[32];
    unsigned n = sizeof md;
    must(EVP_DigestFinal_ex(d->ctx, md, &n));
    hex_encode(md, sizeof md, ret);
    digest_free(d);
}

void digest_free(struct digest *d)
{
    if (!d)
        return;
    EVP_MD_CTX_free(d->ctx);
    free(d);
}

void digest_of(const void *p, size_t n, char ret[DIGEST_HEX_SIZE])
{
    struct digest *d = digest_new();
    digest_update(d, p, n);
    digest_end(d, ret);
}

const char *digest_hex(const char *s)
{
    return s && str_starts(s, "sha256:") && str_is_hex(s + 7, 64) ? s + 7 : NULL;
}
