/* api/distribution.h - what a registry says of an image without fetching it: digest, size,
 * platforms. The pure part. */
#ifndef API_DISTRIBUTION_H
#define API_DISTRIBUTION_H
#include <stddef.h>
#include "base/buf.h"
#include "base/err.h"
#include "image/image.h"

/* The answer of /distribution/{name}/json for a raw manifest, or list of them. -EPROTO: it is none.
 */
MUST_CHECK int distribution_answer(const char *manifest, size_t n, struct buf *ret, struct err *e);
/* "docker://docker.io/library/redis:alpine"; the registry's host apart, for credentials. malloc'ed.
 */
char *distribution_remote(const struct image_ref *ref, char **ret_registry);
#endif
