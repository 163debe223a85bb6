/* image/auth.h - the credentials of a pull, from the X-Registry-Auth header into a file that only
 * skopeo can read.
 *
 * The file is an anonymous one in memory (memfd); nothing of it is ever on a disk, in an argument
 * or in the environment, and every copy on the way is wiped. A header that cannot be read counts as
 * none, as the engine has it; so does a missing one: the file then grants nothing, which also keeps
 * the machine's own credentials out. */
#ifndef IMAGE_AUTH_H
#define IMAGE_AUTH_H
#include "base/err.h"

enum { AUTH_HEADER_MAX = 65536 };
/* registry: "docker.io", "host:5000". A descriptor, or -errno. */
MUST_CHECK int auth_memfd(const char *header_b64, const char *registry, struct err *e);
#endif
