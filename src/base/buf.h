/* base/buf.h - a growing byte buffer with a ceiling.
 *
 * The first append that would pass the ceiling (or an invalid call) sets `failed` and every later
 * append does nothing, so that a caller may append many times and check once. The bytes are always
 * followed by a NUL that is not counted in len. Not for secrets. */
#ifndef BASE_BUF_H
#define BASE_BUF_H
#include <stdbool.h>
#include <stddef.h>
#include "base/err.h"

struct buf {
    char *p;
    size_t len, cap, max;
    bool failed;
};
#define BUF_INIT(limit) ((struct buf){.max = (limit)})

void buf_append(struct buf *b, const void *p, size_t n);
void buf_str(struct buf *b, const char *s);
void buf_char(struct buf *b, char c);
void buf_printf(struct buf *b, const char *fmt, ...) PRINTF(2, 3);
void buf_reserve(struct buf *b, size_t more); /* room for `more` bytes without another allocation */
void buf_consume(struct buf *b, size_t n);    /* drops the first n bytes */
void buf_clear(struct buf *b);                /* len 0, failed off; keeps the memory */
void buf_free(struct buf *b);                 /* back to BUF_INIT(max); twice is fine */
char *buf_take(struct buf *b); /* the bytes, malloc'ed and terminated; empties the buffer */
MUST_CHECK int buf_read_file(struct buf *b, const char *path,
                             struct err *e); /* -EFBIG past the ceiling */
#define AUTO_BUF __attribute__((cleanup(buf_free)))
#endif
