/* base/clock.h - time as values. Everything that decides takes `now` as a parameter; only the edge
 * asks the clock. Wall times are nanoseconds since 1970 UTC; 0 means "not set". */
#ifndef BASE_CLOCK_H
#define BASE_CLOCK_H
#include <stddef.h>
#include <stdint.h>
#include "base/err.h"

#define NS_PER_SEC 1000000000LL
#define NS_PER_MS 1000000LL
int64_t clock_wall_ns(void);
int64_t clock_mono_ns(void);
enum { TIME_TEXT_SIZE = 40 };
/* RFC 3339, UTC, nanoseconds with trailing zeros dropped, "Z". ns 0 gives Go's zero time
 * "0001-01-01T00:00:00Z". */
const char *time_text(int64_t ns, char ret[TIME_TEXT_SIZE]);
/* Nine fixed decimals, as log time stamps have. */
const char *time_text_fixed(int64_t ns, char ret[TIME_TEXT_SIZE]);
MUST_CHECK int time_parse(const char *rfc3339, int64_t *ret_ns); /* any offset; 0 or -EINVAL */
/* "1700000000", "1700000000.123456789" or RFC 3339, or a Go duration ("10m", "1h30m") meaning that
 * long before now. */
MUST_CHECK int time_parse_query(const char *s, int64_t now_ns, int64_t *ret_ns);
MUST_CHECK int duration_parse(const char *s,
                              int64_t *ret_ns); /* Go's: 1h2m3.5s, 300ms, -1s; 0 or -EINVAL */
#endif
