/* fuzz/fuzz_http_path.c - request paths: whatever comes, the segments lie inside the storage, and a
 * clean path is clean when it is asked for again. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include "base/mem.h"
#include "http/http.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void look_at(const char *raw, int depth)
{
    struct http_path p;
    char *clean = NULL;
    int r = http_path_parse(raw, &p, &clean);
    if (r == 0) {
        for (size_t i = 0; i < p.count; i++) {
            if (strchr(p.segment[i], '/') || strcmp(p.segment[i], "..") == 0 ||
                strcmp(p.segment[i], ".") == 0)
                abort();
        }
        http_path_free(&p);
    } else if (r == 1) {
        if (depth > 0 || !clean || *clean != '/')
            abort(); /* one redirect has to be enough */
        look_at(clean, depth + 1);
        free(clean);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char *raw = mem_strn((const char *)data, size);
    look_at(raw, 0);
    free(raw);
    return 0;
}
