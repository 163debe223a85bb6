/* runtime/caps.h - which Linux capabilities a container's root has: the engine's default set, plus
 * and minus what is asked for. */
#ifndef RUNTIME_CAPS_H
#define RUNTIME_CAPS_H
#include <stdbool.h>
#include <stdint.h>
#include "base/err.h"

enum { CAPS_MAX = 64 };
typedef uint64_t caps_set; /* bit = the kernel's number */

/* Names with or without "CAP_", any case, or "ALL". available: what this daemon may give at all.
 * -EINVAL: an unknown name. */
MUST_CHECK int caps_choose(const char *const *add, const char *const *drop, caps_set available,
                           caps_set *ret, struct err *e);
caps_set caps_available(void);
bool caps_has(caps_set s, const char *name); /* "CAP_SYS_ADMIN" */
const char *caps_name(unsigned bit);         /* "CAP_CHOWN", NULL past the last */
#endif
