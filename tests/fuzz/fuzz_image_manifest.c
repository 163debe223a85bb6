/* fuzz/fuzz_image_manifest.c - what a registry answers, and what skopeo says when it does not.
 *
 * fuzz-room: image */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "image/manifest.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct manifest m = {.layers = NULL};
    struct err e = {0};
    if (manifest_parse((const char *)data, size, &m, &e) == 0) {
        if (strlen(m.config) >= DIGEST_HEX_SIZE || strlen(m.platform) >= DIGEST_HEX_SIZE)
            abort();
        for (size_t i = 0; i < m.nlayers; i++)
            if (strspn(m.layers[i].hex, "0123456789abcdef") != DIGEST_HEX_SIZE - 1)
                abort();
        manifest_free(&m);
    } else if (!e.text[0]) {
        abort();
    }
    AUTO_FREE char *text = mem_strn((const char *)data, size);
    e.text[0] = '\0';
    if (manifest_complaint(text, "busybox:latest", &e) == 0 || !e.text[0])
        abort();
    return 0;
}
