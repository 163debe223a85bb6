/* image/commit.c - a job's layers and images become part of the store, all of them or none. */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>
#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/str.h"
#include "image/disk.h"
#include "image/job.h"

/* A directory that a layer holds only because something lies in it would hide the owner and mode of
 * the same directory below: they are copied. */
static void inherit(int dir, const char *path, char *const *below, size_t n)
{
    for (size_t i = n; i-- > 0;) {
        AUTO_CLOSE int root = open(below[i], O_PATH | O_DIRECTORY | O_CLOEXEC);
        AUTO_CLOSE int from = root < 0 ? -1 : disk_open_beneath(root, path, O_PATH, 0);
        struct stat st;
        if (from < 0 || fstat(from, &st) < 0)
            continue;
        if (!S_ISDIR(
                st.st_mode)) /* hidden by a file or whiteout: there is no such directory below */
            return;
        struct timespec times[2] = {{.tv_nsec = UTIME_OMIT}, st.st_mtim};
        AUTO_CLOSE int to = disk_open_beneath(dir, path, O_RDONLY | O_DIRECTORY, 0);
        if (to < 0 || fchown(to, st.st_uid, st.st_gid) < 0 || fchmod(to, st.st_mode & 07777) < 0 ||
            futimens(to, times) < 0)
            log_warn("image layer: owner and mode of %s could not be copied from below", path);
        return;
    }
}

static char *layer_fs(struct image_job *j, const struct plan_layer *l)
{
    return l->dir ? mem_printf("%s/fs", l->dir) : store_layer_fs(j->s, l->hex);
}

static void inherit_all(struct image_job *j, const struct plan_image *im)
{
    AUTO_STRV char **dirs = NULL;
    for (size_t i = 0; i < im->nlayers; i++) {
        struct plan_layer *l = &j->plan.layers[im->layers[i]];
        strv_push(&dirs, layer_fs(j, l));
        if (!l->implicit || !l->dir)
            continue;
        AUTO_CLOSE int dir = open(dirs[i], O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        for (size_t k = 0; dir >= 0 && l->implicit[k]; k++)
            inherit(dir, l->implicit[k], dirs, i);
    }
}

static int add_layers(struct image_job *j)
{
    for (size_t i = 0; i < j->plan.nlayers; i++) {
        struct plan_layer *l = &j->plan.layers[i];
        if (l->layer)
            continue;
        int r = store_layer_add(j->s, l->hex, l->dir, l->size, &l->layer, &j->err);
        if (r < 0)
            return r;
    }
    return 0;
}

static void set_refs(struct image_job *j, const struct plan_image *im, struct stored *stored)
{
    for (size_t k = 0; im->tags && im->tags[k]; k++)
        store_ref_set(j->s, im->tags[k], stored->pub.id, false);
    for (size_t k = 0; im->digests && im->digests[k]; k++)
        store_ref_set(j->s, im->digests[k], stored->pub.id, true);
    if (im->tags)
        stored->pub.tagged_ns = clock_wall_ns();
}

struct added {
    struct stored **v;
    size_t n;
};

static int add_images(struct image_job *j, struct added *added)
{
    bool new;
    for (size_t i = 0; i < j->plan.nimages; i++) {
        struct plan_image *im = &j->plan.images[i];
        struct stored *stored;
        if (j->s->nrefs >= STORE_REFS_MAX)
            return err_set(&j->err, -ENOSPC, "there are %d references: no more are possible",
                           STORE_REFS_MAX);
        int r = store_image_add(j->s, im->json, im->json_len, true, &stored, &new, &j->err);
        if (r < 0)
            return r;
        if (new)
            added->v[added->n++] = stored;
        set_refs(j, im, stored);
        str_copy(j->id, sizeof j->id, im->id);
    }
    return 0;
}

static void tell(struct image_job *j)
{
    for (size_t i = 0; i < j->plan.nimages; i++) {
        struct plan_image *im = &j->plan.images[i];
        const char *name = im->tags ? im->tags[0] : im->id;
        store_event(j->s, j->action, str_eq(j->action, "pull") ? name : im->id, name);
        if (str_eq(j->action, "import"))
            for (size_t k = 0; im->tags && im->tags[k]; k++)
                store_event(j->s, "tag", im->id, im->tags[k]);
    }
}

int job_commit(struct image_job *j)
{
    struct added added = {.v = mem_array(j->plan.nimages + 1, sizeof *added.v)};
    if (j->s->closing) {
        free(added.v);
        return err_set(&j->err, -ECANCELED, "canceled");
    }
    for (size_t i = 0; i < j->plan.nimages; i++)
        inherit_all(j, &j->plan.images[i]);
    size_t nrefs = j->s->nrefs;
    struct ref_row *before = store_refs_copy(j->s);
    int r = add_layers(j);
    if (r == 0)
        r = add_images(j, &added);
    if (r == 0)
        r = store_save(j->s, &j->err);
    if (r == 0) {
        store_refs_free(before, nrefs);
        tell(j);
    } else {
        for (size_t i = 0; i < added.n; i++) {
            store_image_detach(j->s, added.v[i]);
            store_image_destroy(j->s, added.v[i], NULL, NULL);
        }
        store_refs_restore(j->s, before, nrefs);
    }
    free(added.v);
    return r;
}
