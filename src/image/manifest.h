/* image/manifest.h - what a registry answers: a manifest, or a list of them by platform; and
 * skopeo's complaints. */
#ifndef IMAGE_MANIFEST_H
#define IMAGE_MANIFEST_H
#include <stddef.h>
#include <stdint.h>
#include "base/err.h"
#include "image/digest.h"

struct manifest_layer {
    char hex[DIGEST_HEX_SIZE];
    uint64_t size;
};
struct manifest {
    char platform[DIGEST_HEX_SIZE]; /* of a list: the manifest for this machine; else "" */
    char config[DIGEST_HEX_SIZE];
    struct manifest_layer *layers; /* lowest first */
    size_t nlayers;
};
MUST_CHECK int manifest_parse(const char *json, size_t n, struct manifest *ret,
                              struct err *e); /* 0 or -EPROTO */
void manifest_free(struct manifest *m);

/* skopeo's last words, in one line and where possible in the engine's. `name` is the familiar
 * reference. IMAGE_NOT_FOUND when the registry has no such image or does not show it, else -EIO. */
int manifest_complaint(const char *stderr_text, const char *name, struct err *e);
#endif
