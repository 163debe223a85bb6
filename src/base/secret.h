/* base/secret.h - the memory of secrets. The one way to hold a payload or a key.
 *
 * secret_arena_open reserves one range of address space between guard pages, locks it (pages are
 * charged as they are touched), keeps it out of core dumps and out of forked children, and turns
 * core dumps and tracing of the process off. Everything allocated from it is wiped when it is
 * freed. Freed pages go back to the kernel.
 *
 * struct secret_buf is opaque: nothing can print, copy or compare one by accident. Its bytes are
 * reached only through secret_buf_bytes, which tools/check-words allows in the few files listed
 * there.
 *
 * Errors: NULL when the arena is full (the caller answers "out of locked memory"); -EPERM / -ENOMEM
 * from open when the range cannot be locked. Single-threaded, but for secret_wipe: another thread
 * aborts. Ownership: who allocates frees. */
#ifndef BASE_SECRET_H
#define BASE_SECRET_H
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "base/err.h"

enum { SECRET_MAX = 512000 }; /* a payload is smaller than this; swarm-semantics 1.4 */

MUST_CHECK int secret_arena_open(size_t bytes, struct err *e); /* once, before the first secret */
void secret_arena_stats(size_t *ret_used, size_t *ret_total);
void secret_process_harden(void); /* no core, not dumpable; part of secret_arena_open */

void *secret_alloc(size_t n); /* zeroed; NULL when full. n of 0 gives a valid pointer */
void secret_free(void *p);    /* wipes; NULL is fine */
bool secret_owns(const void *p);
void secret_wipe(void *p, size_t n);                       /* not optimised away; any memory */
bool secret_equal(const void *a, const void *b, size_t n); /* in constant time */

struct secret_buf;
struct secret_buf *secret_buf_new(size_t capacity); /* empty; NULL when full */
int secret_buf_append(struct secret_buf *s, const void *p,
                      size_t n);                               /* 0, or -ENOSPC past its capacity */
struct secret_buf *secret_buf_dup(const struct secret_buf *s); /* with no room to grow; or NULL */
size_t secret_buf_len(const struct secret_buf *s);
const uint8_t *secret_buf_bytes(const struct secret_buf *s);
uint8_t *secret_buf_room(struct secret_buf *s,
                         size_t n); /* n writable bytes at the end, counted by _grown; or NULL */
void secret_buf_grown(struct secret_buf *s, size_t n);
bool secret_buf_equal(const struct secret_buf *a, const struct secret_buf *b);
void secret_buf_free(struct secret_buf *s); /* wipes; NULL is fine */

/* Standard base64 with padding, newlines tolerated, decoded as the bytes arrive and straight into
 * s. Chunks of any size; state starts zeroed. 0, -EINVAL (ret_at: offset of the bad byte), -ENOSPC.
 */
struct secret_base64 {
    uint32_t bits;
    unsigned have, padding;
    size_t at;
};
int secret_base64_step(struct secret_base64 *st, const char *p, size_t n, struct secret_buf *s);
int secret_base64_end(
    const struct secret_base64 *st); /* 0, or -EINVAL when a group is incomplete */

void auto_secret_buf_(struct secret_buf **p);
#define AUTO_SECRET __attribute__((cleanup(auto_secret_buf_)))
#endif
