/* image/import.c - a root file system as a tar becomes an image of one layer. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include "base/clock.h"
#include "base/mem.h"
#include "base/str.h"
#include "image/changes.h"
#include "image/job.h"

struct import {
    char *name; /* familiar reference, or NULL */
    char *message;
    struct image_config c;
    int r; /* what was found wrong before the start */
};

static void import_free(void *p)
{
    struct import *im = p;
    free(im->name);
    free(im->message);
    config_free_part(&im->c);
    free(im);
}

/* The layer's hash is known now: the configuration, and with it the id, follows. */
static void on_layers(struct image_job *j)
{
    struct import *im = j->more;
    AUTO_FREE char *diff = mem_printf("sha256:%s", j->plan.layers[0].hex);
    const char *const diffs[] = {diff, NULL};
    AUTO_FREE char *json = config_write(&im->c, diffs, clock_wall_ns(), im->message);
    if (!json) {
        job_end(j, err_set(&j->err, -EFBIG, "the image's configuration is too large"));
        return;
    }
    struct plan_image *p = plan_add_image(&j->plan, json, strlen(json));
    p->layers = mem_array(1, sizeof *p->layers);
    p->nlayers = 1;
    if (im->name)
        strv_push(&p->tags, mem_str(im->name));
    int r = job_commit(j);
    if (r == 0)
        job_say(j, j->id, NULL, 0, 0);
    job_end(j, r);
}

static void start(struct image_job *j)
{
    struct import *im = j->more;
    int r = im->r == 0 ? job_make_dir(j, "import") : im->r;
    if (r != 0) {
        job_end(j, r);
        return;
    }
    plan_add_layer(&j->plan, "", j->file);
    j->layers_ready = on_layers;
    job_build(j);
}

static int check_name(struct import *im, const char *repo, const char *tag, struct err *e)
{
    struct image_ref ref;
    char name[640];
    if (str_empty(repo))
        return 0;
    int r = store_compose_ref(repo, tag, &ref, e);
    if (r != 0)
        return r;
    if (ref.digest[0])
        return err_set(e, IMAGE_BAD_REFERENCE, "cannot import digest reference");
    image_ref_familiar(&ref, name, sizeof name);
    im->name = mem_str(name);
    return 0;
}

struct image_job *image_import(struct image_store *s, const char *file, const char *repo,
                               const char *tag, const char *message, const char *const *changes,
                               image_on_progress p, image_on_done d, void *arg)
{
    struct import *im = NEW(struct import);
    struct image_job *j = job_new(s, "import", start, p, d, arg);
    j->more = im;
    j->free_more = import_free;
    j->file = mem_str(file);
    im->message = mem_str(str_or(message, "Imported from -"));
    im->r = check_name(im, repo, tag, &j->err);
    if (im->r == 0)
        im->r = changes_apply(&im->c, changes, &j->err);
    return j;
}
