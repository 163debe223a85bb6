/* image/load.c - an archive of images, as docker save or an OCI tool writes it, into the store. */
#include <stdlib.h>
#include "base/mem.h"
#include "base/str.h"
#include "image/job.h"

static void say_loaded(struct image_job *j)
{
    for (size_t i = 0; i < j->plan.nimages; i++) {
        struct plan_image *im = &j->plan.images[i];
        if (!im->tags) {
            AUTO_FREE char *line = mem_printf("Loaded image ID: %s\n", im->id);
            job_say_stream(j, line);
        }
        for (size_t k = 0; im->tags && im->tags[k]; k++) {
            AUTO_FREE char *line = mem_printf("Loaded image: %s\n", im->tags[k]);
            job_say_stream(j, line);
        }
    }
}

static void on_layers(struct image_job *j)
{
    int r = job_commit(j);
    if (r == 0)
        say_loaded(j);
    job_end(j, r);
}

static void on_unpacked(struct image_job *j)
{
    int r = layout_plan(j);
    if (r < 0) {
        job_end(j, r);
        return;
    }
    j->layers_ready = on_layers;
    job_build(j);
}

static void start(struct image_job *j)
{
    int r = job_make_dir(j, "docker-import"); /* the engine's name for it, which its errors quote */
    if (r < 0)
        job_end(j, r);
    else
        job_unpack(j, "archive", j->file, j->dir, on_unpacked);
}

struct image_job *image_load(struct image_store *s, const char *file, image_on_progress p,
                             image_on_done d, void *arg)
{
    struct image_job *j = job_new(s, "load", start, p, d, arg);
    j->file = mem_str(file);
    return j;
}
