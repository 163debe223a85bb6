/* runtime/seccomp.h - which system calls a container may make: an allow-list with the same effect
 * as the engine's default.
 *
 * Everything not listed answers EPERM (clone3 ENOSYS, so that C libraries fall back to clone, whose
 * flags can be looked at). Some calls open up with a capability. Names that this machine's
 * libseccomp does not know are left out. */
#ifndef RUNTIME_SECCOMP_H
#define RUNTIME_SECCOMP_H
#include "base/jw.h"
#include "runtime/caps.h"

void seccomp_write(struct jw *w, const char *key, caps_set caps);
/* The same policy as the kernel takes it, in base64: crun uses it as it is, and is spared 10 ms of
 * compiling at every start. NULL when libseccomp could not make it. The last one is kept; borrowed.
 */
const char *seccomp_compiled(caps_set caps);
#endif
