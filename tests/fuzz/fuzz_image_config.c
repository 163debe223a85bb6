/* fuzz/fuzz_image_config.c - what strangers write into archives and registries: configurations,
 * manifests, changes.
 *
 * The first byte chooses which. A configuration that is accepted is written and must be accepted
 * again. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "image/changes.h"
#include "image/config.h"
#include "image/manifest.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void try_config(const char *text, size_t size)
{
    struct config c, again;
    if (config_parse(text, size, &c, NULL) != 0)
        return;
    free(c.c.os); /* is written as linux */
    c.c.os = NULL;
    char *json = config_write(&c.c, (const char *const *)c.diff_ids, c.created_ns, "");
    if (json && config_parse(json, strlen(json), &again, NULL) == 0)
        config_free(&again);
    free(json);
    config_free(&c);
}

static void try_manifest(const char *text, size_t size)
{
    struct manifest m;
    if (manifest_parse(text, size, &m, NULL) == 0)
        manifest_free(&m);
}

static void try_changes(const char *text)
{
    struct image_config c = {0};
    const char *const changes[] = {text, NULL};
    struct err e = {0};
    if (changes_apply(&c, changes, &e) != 0 && !e.text[0])
        abort();
    config_free_part(&c);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct err e = {0};
    if (size == 0)
        return 0;
    char *text = mem_strn((const char *)data + 1, size - 1);
    switch (data[0] % 4) {
    case 0:
        try_config(text, strlen(text));
        break;
    case 1:
        try_manifest(text, strlen(text));
        break;
    case 2:
        try_changes(text);
        break;
    default:
        if (manifest_complaint(text, "a:1", &e) == 0)
            abort();
    }
    free(text);
    return 0;
}
