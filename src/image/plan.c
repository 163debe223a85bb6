/* image/plan.c - what a job will put into the store. */
#include <errno.h>
#include <stdlib.h>
#include "base/mem.h"
#include "base/str.h"
#include "image/job.h"

size_t plan_add_layer(struct plan *p, const char *hex, const char *source)
{
    for (size_t i = 0; i < p->nlayers; i++)
        if (*hex && str_eq(p->layers[i].hex, hex))
            return i;
    p->layers = mem_grow(p->layers, p->nlayers + 1, sizeof *p->layers);
    struct plan_layer *l = &p->layers[p->nlayers];
    *l = (struct plan_layer){.source = mem_str(source)};
    str_copy(l->hex, sizeof l->hex, hex);
    str_copy(l->label, sizeof l->label, hex);
    return p->nlayers++;
}

struct plan_image *plan_add_image(struct plan *p, const char *json, size_t n)
{
    char hex[DIGEST_HEX_SIZE];
    p->images = mem_grow(p->images, p->nimages + 1, sizeof *p->images);
    struct plan_image *im = &p->images[p->nimages++];
    *im = (struct plan_image){.json = mem_dup(json, n + 1), .json_len = n};
    digest_of(json, n, hex);
    snprintf(im->id, sizeof im->id, "sha256:%s", hex);
    return im;
}

int plan_image_of(struct plan *p, const char *json, size_t n, const char *const *blobs,
                  struct plan_image **ret, struct err *e)
{
    struct config c;
    if (p->nimages >= JOB_IMAGES_MAX)
        return err_set(e, -EPROTO, "the archive holds more than %d images", JOB_IMAGES_MAX);
    int r = config_parse(json, n, &c, e);
    if (r < 0)
        return r;
    size_t count = strv_len((const char *const *)c.diff_ids);
    if (count != strv_len(blobs)) {
        config_free(&c);
        return err_set(e, -EPROTO,
                       "invalid manifest, layers length mismatch: expected %zu, got %zu",
                       strv_len(blobs), count);
    }
    struct plan_image *im = plan_add_image(p, json, n);
    im->layers = mem_array(count + 1, sizeof *im->layers);
    im->nlayers = count;
    for (size_t i = 0; i < count; i++)
        im->layers[i] = plan_add_layer(p, digest_hex(c.diff_ids[i]), blobs[i]);
    config_free(&c);
    if (p->nlayers > JOB_LAYERS_MAX)
        return err_set(e, -EPROTO, "the archive holds more than %d layers", JOB_LAYERS_MAX);
    if (ret)
        *ret = im;
    return 0;
}

void plan_free(struct plan *p)
{
    for (size_t i = 0; i < p->nlayers; i++) {
        free(p->layers[i].source);
        free(p->layers[i].dir);
        strv_free(p->layers[i].implicit);
    }
    for (size_t i = 0; i < p->nimages; i++) {
        free(p->images[i].json);
        strv_free(p->images[i].tags);
        strv_free(p->images[i].digests);
        free(p->images[i].layers);
    }
    free(p->layers);
    free(p->images);
    *p = (struct plan){0};
}
