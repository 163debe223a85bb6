/* image/digest.h - SHA-256 as images use it: a running hash, and "sha256:<hex>" text. */
#ifndef IMAGE_DIGEST_H
#define IMAGE_DIGEST_H
#include <stddef.h>
#include <stdint.h>

enum { DIGEST_HEX_SIZE = 65 };
struct digest;
struct digest *digest_new(void);
void digest_update(struct digest *d, const void *p, size_t n);
void digest_end(struct digest *d, char ret[DIGEST_HEX_SIZE]); /* lower-case hex; frees */
void digest_free(struct digest *d);                           /* NULL is fine */
void digest_of(const void *p, size_t n, char ret[DIGEST_HEX_SIZE]);
const char *
digest_hex(const char *s); /* the 64 digits of "sha256:<hex>", or NULL when it is not one */
#endif
