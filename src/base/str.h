/* base/str.h - strings: parsing numbers, prefixes, times in the API's form. No locale, no hidden
 * state. */
#ifndef BASE_STR_H
#define BASE_STR_H
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "base/err.h"

bool str_eq(const char *a, const char *b);  /* NULL equals only NULL */
bool str_ieq(const char *a, const char *b); /* ASCII letters without case */
int str_icmp(const char *a, const char *b);
bool str_starts(const char *s, const char *prefix);
bool str_istarts(const char *s, const char *prefix);
bool str_ends(const char *s, const char *suffix);
bool str_empty(const char *s);                            /* NULL or "" */
const char *str_or(const char *s, const char *otherwise); /* s unless it is NULL or empty */
bool str_is_hex(const char *s, size_t len);               /* exactly len lower-case hex digits */
MUST_CHECK int str_to_u64(const char *s, uint64_t max,
                          uint64_t *ret); /* decimal digits only; 0 or -EINVAL / -ERANGE */
MUST_CHECK int str_to_i64(const char *s, int64_t *ret);
size_t str_copy(char *dst, size_t size,
                const char *src);                  /* cuts, always terminates; length of src */
bool str_printable(const char *s);                 /* no control byte, none above 126 */
int str_natural_cmp(const char *a, const char *b); /* digit runs as numbers: web_9 before web_10 */
#endif
