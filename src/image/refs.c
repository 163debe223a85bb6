/* image/refs.c - finding, tagging and removing images by the engine's rules. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include "base/clock.h"
#include "base/mem.h"
#include "base/str.h"
#include "image/store.h"

/* ---- finding ---- */

static const struct ref_row *row_of(const struct image_store *s, const struct image_ref *r)
{
    char name[640];
    struct image_ref key = *r;
    if (key.digest[0])
        key.tag[0] = '\0'; /* the digest decides */
    image_ref_familiar(&key, name, sizeof name);
    return store_ref(s, name);
}

static int find_prefix(struct image_store *s, const char *prefix, struct stored **ret)
{
    struct stored *found = NULL;
    size_t n = strlen(prefix);
    if (n == 0 || n > 64 || strspn(prefix, "0123456789abcdef") != n)
        return IMAGE_NOT_FOUND;
    for (size_t i = 0; i < s->nimages; i++) {
        if (!str_starts(digest_hex(s->images[i]->pub.id), prefix))
            continue;
        if (found)
            return IMAGE_AMBIGUOUS;
        found = s->images[i];
    }
    *ret = found;
    return found ? 0 : IMAGE_NOT_FOUND;
}

/* ret_by_id: the words were (a part of) an id, not a name. */
static int find(struct image_store *s, const char *ref, struct stored **ret, bool *ret_by_id)
{
    struct image_ref r;
    *ret_by_id = true;
    if (digest_hex(ref) || str_is_hex(ref, 64))
        return find_prefix(s, digest_hex(ref) ? digest_hex(ref) : ref, ret);
    int bad = image_ref_parse(ref, &r, NULL);
    const struct ref_row *row = bad ? NULL : row_of(s, &r);
    if (row) {
        *ret = store_by_id(s, row->id);
        *ret_by_id = false;
        return *ret ? 0 : IMAGE_NOT_FOUND;
    }
    int x = find_prefix(s, str_starts(ref, "sha256:") ? ref + 7 : ref, ret);
    return x == IMAGE_NOT_FOUND && bad ? bad : x;
}

int image_find(struct image_store *s, const char *ref, const struct image **ret)
{
    struct stored *im = NULL;
    bool by_id;
    int r = find(s, ref, &im, &by_id);
    if (r == 0)
        *ret = &im->pub;
    return r;
}

int image_each(struct image_store *s, int (*fn)(void *arg, const struct image *img), void *arg)
{
    int r = 0;
    for (size_t i = 0; i < s->nimages && r == 0; i++)
        r = fn(arg, &s->images[i]->pub);
    return r;
}

void image_hold(struct image_store *s, const char *id)
{
    struct stored *im = store_by_id(s, id);
    if (im)
        im->pub.users++;
}

void image_release(struct image_store *s, const char *id)
{
    struct stored *im = store_by_id(s, id);
    if (im && im->pub.users > 0)
        im->pub.users--;
}

/* ---- tagging ---- */

int store_compose_ref(const char *repo, const char *tag, struct image_ref *ret, struct err *e)
{
    int r = image_ref_parse(repo, ret, e);
    if (r != 0 || str_empty(tag))
        return r;
    char both[640];
    struct image_ref probe;
    snprintf(both, sizeof both, "x:%.300s", tag);
    if (image_ref_parse(both, &probe, NULL) != 0 || probe.digest[0])
        return err_set(e, IMAGE_BAD_REFERENCE, "invalid tag format");
    str_copy(ret->tag, sizeof ret->tag, tag);
    return 0;
}

int image_tag(struct image_store *s, const char *ref, const char *repo, const char *tag,
              struct err *e)
{
    const struct image *img;
    struct image_ref to;
    char name[640];
    if (image_find(s, ref, &img) != 0)
        return image_not_found(ref, e);
    int r = store_compose_ref(repo, tag, &to, e);
    if (r != 0)
        return r;
    if (to.digest[0])
        return err_set(e, IMAGE_BAD_REFERENCE, "refusing to create a tag with a digest reference");
    if (str_eq(to.path, "sha256") && !to.domain[0])
        return err_set(e, IMAGE_BAD_REFERENCE,
                       "refusing to create an ambiguous tag using digest algorithm as name");
    image_ref_familiar(&to, name, sizeof name);
    struct stored *im = store_by_id(s, img->id);
    if (s->nrefs >= STORE_REFS_MAX)
        return err_set(e, -ENOSPC, "there are %d references: no more are possible", STORE_REFS_MAX);
    size_t n = s->nrefs;
    struct ref_row *before = store_refs_copy(s);
    int64_t tagged = im->pub.tagged_ns;
    store_ref_set(s, name, im->pub.id, false);
    im->pub.tagged_ns = clock_wall_ns();
    r = store_save(s, e);
    if (r < 0) {
        im->pub.tagged_ns = tagged;
        store_refs_restore(s, before, n);
        return r;
    }
    store_refs_free(before, n);
    store_event(s, "tag", im->pub.id, name);
    return 0;
}

/* ---- removing ---- */

struct removal {
    struct image_store *s;
    struct stored *im;
    char id[IMAGE_ID_SIZE];
    char **untagged;
    void (*on_removed)(void *arg, const char *untagged, const char *deleted);
    void *arg;
};

static size_t name_len(const char *ref)
{
    const char *at = strchr(ref, '@');
    if (at)
        return (size_t)(at - ref);
    const char *slash = strrchr(ref, '/'), *colon = strrchr(ref, ':');
    return colon && colon > (slash ? slash : ref) ? (size_t)(colon - ref) : strlen(ref);
}

static bool same_name(const char *a, const char *b)
{
    return name_len(a) == name_len(b) && strncmp(a, b, name_len(a)) == 0;
}

/* At most one tag, and digests of the same repository only: then the image may go with all its
 * references. */
static bool single_reference(const struct image *p)
{
    size_t tags = strv_len((const char *const *)p->tags);
    if (tags > 1)
        return false;
    const char *first = tags ? p->tags[0] : p->digests[0];
    for (size_t i = 0; p->digests[i]; i++)
        if (!same_name(first, p->digests[i]))
            return false;
    return true;
}

static int conflict(struct err *e, int r, const struct image *p, bool hard, const char *why,
                    const char *who)
{
    return err_set(e, r, "conflict: unable to delete %.12s (%s) - %s%.12s", digest_hex(p->id),
                   hard ? "cannot be forced" : "must be forced", why, who);
}

/* What stands against deleting the image itself; 0, IMAGE_IN_USE, IMAGE_MULTIPLE_TAGS. */
static int check_delete(struct removal *x, bool force, size_t refs, struct err *e)
{
    const struct image *p = &x->im->pub;
    bool running = false;
    const char *who =
        x->s->describe_user ? x->s->describe_user(x->s->describe_user_arg, p->id, &running) : NULL;
    if (running && p->users > 0)
        return conflict(e, IMAGE_IN_USE, p, true, "image is being used by running container ", who);
    if (!force && refs > 1)
        return conflict(e, IMAGE_MULTIPLE_TAGS, p, false,
                        "image is referenced in multiple repositories", "");
    if (!force && p->users > 0)
        return conflict(e, IMAGE_IN_USE, p, false, "image is being used by stopped container ",
                        str_or(who, "(unknown)"));
    return 0;
}

static void untag(struct removal *x, const char *name)
{
    strv_push(&x->untagged, mem_str(name));
    store_ref_remove(x->s, name);
}

/* By a name: that name goes, and with the repository's last tag its digests too. ret_left:
 * references that remain. */
static int untag_by_name(struct removal *x, const char *ref, bool force, size_t *ret_left,
                         struct err *e)
{
    struct image_ref r;
    const struct image *p = &x->im->pub;
    bool running;
    if (image_ref_parse(ref, &r, e) != 0)
        return IMAGE_BAD_REFERENCE;
    if (!force && single_reference(p) && p->users > 0) {
        const char *who = x->s->describe_user
                              ? x->s->describe_user(x->s->describe_user_arg, p->id, &running)
                              : NULL;
        return err_set(e, IMAGE_IN_USE,
                       "conflict: unable to remove repository reference \"%.300s\" (must force) - "
                       "container %.12s is using its referenced image %.12s",
                       ref, str_or(who, "(unknown)"), digest_hex(p->id));
    }
    AUTO_FREE char *name = mem_str(row_of(x->s, &r)->name);
    bool by_digest = r.digest[0] != '\0', tags_left = false;
    untag(x, name);
    for (size_t i = 0; p->tags[i]; i++)
        tags_left |= !str_eq(p->tags[i], name) && same_name(p->tags[i], name);
    for (size_t i = 0; p->digests[i]; i++)
        if (!by_digest && !tags_left && same_name(p->digests[i], name))
            untag(x, p->digests[i]);
    *ret_left = strv_len((const char *const *)p->tags) + strv_len((const char *const *)p->digests) -
                strv_len((const char *const *)x->untagged);
    return 0;
}

static void untag_all(struct removal *x)
{
    const struct image *p = &x->im->pub;
    for (size_t i = 0; p->tags[i]; i++)
        if (store_ref(x->s, p->tags[i]))
            untag(x, p->tags[i]);
    for (size_t i = 0; p->digests[i]; i++)
        if (store_ref(x->s, p->digests[i]))
            untag(x, p->digests[i]);
}

static void on_layer_gone(void *arg, const char *chain_id)
{
    struct removal *x = arg;
    if (x->on_removed)
        x->on_removed(x->arg, NULL, chain_id);
}

static int commit_removal(struct removal *x, bool delete, struct err *e)
{
    if (delete)
        store_image_detach(x->s, x->im);
    int r = store_save(x->s, e);
    if (r < 0) {
        if (delete)
            store_image_attach(x->s, x->im);
        return r;
    }
    for (size_t i = 0; x->untagged && x->untagged[i]; i++) {
        store_event(x->s, "untag", x->id, x->untagged[i]);
        if (x->on_removed)
            x->on_removed(x->arg, x->untagged[i], NULL);
    }
    if (!delete)
        return 0;
    store_event(x->s, "delete", x->id, x->id);
    if (x->on_removed)
        x->on_removed(x->arg, NULL, x->id);
    store_image_destroy(x->s, x->im, on_layer_gone, x);
    return 0;
}

/* Decides: names go into x->untagged, ret_delete says whether the image goes. */
static int plan_removal(struct removal *x, const char *ref, bool by_id, bool force,
                        bool *ret_delete, struct err *e)
{
    size_t left = 0;
    *ret_delete = false;
    if (!by_id) {
        int r = untag_by_name(x, ref, force, &left, e);
        if (r != 0 || left > 0)
            return r;
        /* the name is gone; the image goes too unless a container still has it */
        *ret_delete = check_delete(x, force, 0, NULL) == 0;
        return 0;
    }
    const struct image *p = &x->im->pub;
    size_t refs =
        strv_len((const char *const *)p->tags) + strv_len((const char *const *)p->digests);
    int r = check_delete(x, force, single_reference(p) ? 0 : refs, e);
    if (r != 0)
        return r;
    untag_all(x);
    *ret_delete = true;
    return 0;
}

int image_remove(struct image_store *s, const char *ref, bool force, bool noprune,
                 void (*on_removed)(void *arg, const char *untagged, const char *deleted),
                 void *arg, struct err *e)
{
    struct removal x = {.s = s, .on_removed = on_removed, .arg = arg};
    bool by_id, delete;
    (void)noprune; /* no image here has a parent image that would be pruned with it */
    int r = find(s, ref, &x.im, &by_id);
    if (r == IMAGE_AMBIGUOUS)
        return err_set(e, r, "image reference \"%.200s\" is ambiguous", ref);
    if (r != 0)
        return image_not_found(ref, e);
    str_copy(x.id, sizeof x.id, x.im->pub.id);
    size_t n = s->nrefs;
    struct ref_row *before = store_refs_copy(s);
    r = plan_removal(&x, ref, by_id, force, &delete, e);
    if (r == 0)
        r = commit_removal(&x, delete, e);
    if (r != 0)
        store_refs_restore(s, before, n);
    else
        store_refs_free(before, n);
    strv_free(x.untagged);
    return r;
}
