/* cli/registry.h - credentials of registries, out of the client's config file, for the
 * X-Registry-Auth header. */
#ifndef CLI_REGISTRY_H
#define CLI_REGISTRY_H
#include <jansson.h>
#include "base/buf.h"
#include "cli/command.h"

/* The header's value: base64 of the JSON, URL alphabet. "e30=" ({}) when there are none. Malloc'ed.
 */
char *registry_auth(struct cli *c, const char *image);
int registry_call(struct cli *c, const char *method, const char *path, json_t *body,
                  const char *const *headers, struct buf *ret);
#endif
