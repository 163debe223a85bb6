/* image/repo.c - references in memory, and repositories.json, the list of what there is. */
#include "image/store.h"

#include <errno.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>
#include "base/buf.h"
#include "base/jw.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/str.h"
#include "image/disk.h"
#include "loop/file.h"

#define REPOSITORIES "repositories.json"
enum { FORMAT = 1 };

/* ---- in memory ---- */

/* Where name is, or belongs. */
static size_t ref_at(const struct image_store *s, const char *name, bool *ret_found)
{
    size_t lo = 0, hi = s->nrefs;
    while (lo < hi) {
        size_t mid = (lo + hi) / 2;
        int c = strcmp(s->refs[mid].name, name);
        if (c == 0) {
            *ret_found = true;
            return mid;
        }
        if (c < 0)
            lo = mid + 1;
        else
            hi = mid;
    }
    *ret_found = false;
    return lo;
}

const struct ref_row *store_ref(const struct image_store *s, const char *name)
{
    bool found;
    size_t i = ref_at(s, name, &found);
    return found ? &s->refs[i] : NULL;
}

void store_ref_set(struct image_store *s, const char *name, const char *id, bool digest)
{
    bool found;
    size_t i = ref_at(s, name, &found);
    if (!found) {
        s->refs = mem_grow(s->refs, s->nrefs + 1, sizeof *s->refs);
        memmove(s->refs + i + 1, s->refs + i, (s->nrefs - i) * sizeof *s->refs);
        s->refs[i] = (struct ref_row){.name = mem_str(name), .digest = digest};
        s->nrefs++;
    }
    str_copy(s->refs[i].id, sizeof s->refs[i].id, id);
}

void store_ref_remove(struct image_store *s, const char *name)
{
    bool found;
    size_t i = ref_at(s, name, &found);
    if (!found)
        return;
    free(s->refs[i].name);
    memmove(s->refs + i, s->refs + i + 1, (s->nrefs - i - 1) * sizeof *s->refs);
    s->nrefs--;
}

struct ref_row *store_refs_copy(const struct image_store *s)
{
    struct ref_row *copy = mem_array(s->nrefs + 1, sizeof *copy);
    for (size_t i = 0; i < s->nrefs; i++) {
        copy[i] = s->refs[i];
        copy[i].name = mem_str(s->refs[i].name);
    }
    return copy;
}

void store_refs_free(struct ref_row *copy, size_t n)
{
    for (size_t i = 0; i < n; i++)
        free(copy[i].name);
    free(copy);
}

void store_refs_restore(struct image_store *s, struct ref_row *copy, size_t n)
{
    store_refs_free(s->refs, s->nrefs);
    s->refs = copy;
    s->nrefs = n;
    store_refresh(s);
}

void store_refresh(struct image_store *s)
{
    for (size_t i = 0; i < s->nimages; i++) {
        struct image *p = &s->images[i]->pub;
        strv_free(p->tags);
        strv_free(p->digests);
        p->tags = mem_array(1, sizeof *p->tags);
        p->digests = mem_array(1, sizeof *p->digests);
    }
    for (size_t i = 0; i < s->nrefs; i++) { /* in order, so the lists are sorted */
        struct stored *im = store_by_id(s, s->refs[i].id);
        if (im)
            strv_push(s->refs[i].digest ? &im->pub.digests : &im->pub.tags,
                      mem_str(s->refs[i].name));
    }
}

/* ---- on the disk ---- */

static void write_image(struct jw *w, const struct image *p)
{
    jw_object(w, p->id);
    jw_int(w, "tagged", p->tagged_ns);
    jw_strv(w, "tags", (const char *const *)p->tags);
    jw_strv(w, "digests", (const char *const *)p->digests);
    jw_end_object(w);
}

int store_save(struct image_store *s, struct err *e)
{
    AUTO_BUF struct buf b = BUF_INIT(REPOSITORIES_MAX);
    struct jw w = JW_INIT(&b);
    store_refresh(s);
    jw_object(&w, NULL);
    jw_int(&w, "format", FORMAT);
    jw_object(&w, "images");
    for (size_t i = 0; i < s->nimages; i++)
        write_image(&w, &s->images[i]->pub);
    jw_end_object(&w);
    jw_end_object(&w);
    if (b.failed)
        return err_set(e, -EFBIG, "the list of images would grow past %d bytes", REPOSITORIES_MAX);
    AUTO_FREE char *path = mem_printf("%s/%s", s->root, REPOSITORIES);
    int r = disk_sync_dir(s->layers_dir, e);
    return r < 0 ? r : file_write(path, b.p, b.len, 0600, e);
}

static void load_refs(struct image_store *s, const char *id, json_t *list, bool digest)
{
    json_t *it;
    size_t i;
    json_array_foreach(list, i, it)
    {
        if (json_is_string(it) && s->nrefs < STORE_REFS_MAX)
            store_ref_set(s, json_string_value(it), id, digest);
    }
}

static int load_image(struct image_store *s, const char *id, json_t *o)
{
    struct err e = {0};
    struct stored *im;
    bool new;
    char hex[DIGEST_HEX_SIZE];
    AUTO_BUF struct buf b = BUF_INIT(IMAGE_CONFIG_MAX + 1);
    if (!digest_hex(id))
        return -EPROTO;
    AUTO_FREE char *path = mem_printf("%s/%s", s->configs_dir, digest_hex(id));
    int r = buf_read_file(&b, path, &e);
    digest_of(b.p ? b.p : "", b.len, hex);
    if (r == 0 && !str_eq(hex, digest_hex(id)))
        r = err_set(&e, -EPROTO, "its configuration was altered");
    if (r == 0)
        r = store_image_add(s, b.p, b.len, false, &im, &new, &e);
    if (r < 0) {
        log_warn("image %s is damaged and left out: %s", id, err_text(&e));
        return r;
    }
    im->pub.tagged_ns = json_integer_value(json_object_get(o, "tagged"));
    load_refs(s, id, json_object_get(o, "tags"), false);
    load_refs(s, id, json_object_get(o, "digests"), true);
    return 0;
}

int store_load(struct image_store *s, struct err *e)
{
    AUTO_BUF struct buf b = BUF_INIT(REPOSITORIES_MAX + 1);
    AUTO_FREE char *path = mem_printf("%s/%s", s->root, REPOSITORIES);
    json_error_t je;
    int r = buf_read_file(&b, path, e);
    if (r == -ENOENT)
        return 0;
    if (r < 0)
        return r;
    json_t *root = json_loadb(b.p ? b.p : "", b.len, JSON_REJECT_DUPLICATES, &je);
    json_t *images = json_object_get(root, "images"), *it;
    const char *id;
    if (!json_is_object(images) || json_integer_value(json_object_get(root, "format")) != FORMAT) {
        json_decref(root);
        /* going on would sweep every layer away */
        return err_set(e, -EPROTO, "%s is damaged; put it right, or move it away to start empty",
                       path);
    }
    json_object_foreach(images, id, it) load_image(s, id, it);
    json_decref(root);
    store_refresh(s);
    return 0;
}
