/* image/config.h - the OCI image configuration: from the blob to what a container inherits, and
 * back for images made here.
 *
 * Blobs come from strangers: at most IMAGE_CONFIG_MAX bytes, no duplicate members, every member of
 * the expected type, at most IMAGE_LAYERS_MAX layers. Environment entries without a name and '='
 * are dropped: a runtime would look them up in its own. */
#ifndef IMAGE_CONFIG_H
#define IMAGE_CONFIG_H
#include <stdint.h>
#include "base/err.h"
#include "image/image.h"

struct config { /* of one blob */
    struct image_config c;
    char **diff_ids; /* "sha256:…" */
    int64_t created_ns;
};
/* 0, or -EPROTO with a sentence. */
MUST_CHECK int config_parse(const char *json, size_t n, struct config *ret, struct err *e);
void config_free(struct config *c);
void config_free_part(struct image_config *c);
/* Docker's form of a configuration with one history entry. malloc'ed; NULL past IMAGE_CONFIG_MAX.
 */
char *config_write(const struct image_config *c, const char *const *diff_ids, int64_t created_ns,
                   const char *comment);
const char *config_host_architecture(void); /* "amd64", "arm64" … */
#endif
