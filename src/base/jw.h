/* base/jw.h - writes compact JSON into a buffer, member by member, in the order of the calls.
 *
 * Building a tree first costs three times as long for a list of ten thousand objects
 * (docs/adr/0006), and the order of members is part of what clients see. Strings are escaped as the
 * engine does it: control bytes, quote, backslash, U+2028/2029; '<', '>', '&' stay; invalid UTF-8
 * becomes U+FFFD. A key of NULL writes an array element. Sizes are bounded by the buffer. */
#ifndef BASE_JW_H
#define BASE_JW_H
#include <stdbool.h>
#include <stdint.h>
#include "base/buf.h"

struct jw {
    struct buf *b;
    bool comma;
};
#define JW_INIT(buffer) ((struct jw){.b = (buffer)})

void jw_object(struct jw *w, const char *key); /* opens */
void jw_end_object(struct jw *w);
void jw_array(struct jw *w, const char *key);
void jw_end_array(struct jw *w);
void jw_str(struct jw *w, const char *key, const char *s); /* NULL writes "" */
void jw_strn(struct jw *w, const char *key, const char *s, size_t n);
void jw_str_opt(struct jw *w, const char *key, const char *s); /* nothing when NULL or empty */
void jw_int(struct jw *w, const char *key, int64_t v);
void jw_uint(struct jw *w, const char *key, uint64_t v);
void jw_real(struct jw *w, const char *key, double v);
void jw_bool(struct jw *w, const char *key, bool v);
void jw_null(struct jw *w, const char *key);
void jw_base64(struct jw *w, const char *key, const void *p, size_t n); /* never for a secret */
void jw_time(struct jw *w, const char *key, int64_t wall_ns);
void jw_raw(struct jw *w, const char *key, const char *json);      /* already JSON */
void jw_strv(struct jw *w, const char *key, const char *const *v); /* NULL writes null */
#endif
