/* fuzz/fuzz_image_ref.c - image references: what is accepted is in normal form and stays the same
 * when it is read again. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "image/image.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct image_ref a, b;
    struct err e = {0};
    char one[640], two[640];
    char *text = mem_strn((const char *)data, size);
    if (image_ref_parse(text, &a, &e) == 0) {
        image_ref_familiar(&a, one, sizeof one);
        if (image_ref_parse(one, &b, &e) != 0)
            abort();
        image_ref_familiar(&b, two, sizeof two);
        if (strcmp(one, two) != 0)
            abort();
    }
    free(text);
    return 0;
}
