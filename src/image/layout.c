/* image/layout.c - what an unpacked archive says it holds: Docker's manifest.json, or an OCI image
 * layout.
 *
 * The names are a stranger's and only compared with the names that the archive really holds, each
 * at most once. A manifest or a configuration must be a file itself; a layer may be one symbolic
 * link away, as the engine writes layers that repeat. */
#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>
#include "base/buf.h"
#include "base/mem.h"
#include "base/str.h"
#include "image/job.h"
#include "image/unpack.h"

enum { MANIFEST_MAX = 4 << 20, INDEX_DEPTH_MAX = 3 };

void layout_free(struct image_job *j)
{
    for (size_t i = 0; i < j->nfiles; i++) {
        free(j->files[i].name);
        free(j->files[i].target);
        free(j->files[i].path);
    }
    free(j->files);
    j->files = NULL;
    j->nfiles = j->files_cap = 0;
}

static int by_name(const void *a, const void *b)
{
    const struct archive_file *x = a, *y = b;
    return strcmp(x->name, y->name);
}

static int sort_files(struct image_job *j)
{
    if (j->nfiles > 0)
        qsort(j->files, j->nfiles, sizeof *j->files, by_name);
    for (size_t i = 1; i < j->nfiles; i++)
        if (str_eq(j->files[i - 1].name, j->files[i].name))
            return err_set(&j->err, -EPROTO, "the archive holds %.200s twice", j->files[i].name);
    return 0;
}

static const struct archive_file *file_named(const struct image_job *j, const char *name)
{
    char clean[UNPACK_PATH_MAX + 1];
    if (strlen(name) > UNPACK_PATH_MAX || unpack_clean_path(name, clean, NULL) < 0 ||
        j->nfiles == 0)
        return NULL;
    struct archive_file key = {.name = clean};
    return bsearch(&key, j->files, j->nfiles, sizeof key, by_name);
}

/* "a/layer.tar" -> "../b/layer.tar" is "b/layer.tar": as text, one step. */
static const struct archive_file *follow(const struct image_job *j, const struct archive_file *f)
{
    if (!f || !f->target)
        return f;
    if (*f->target == '/')
        return NULL;
    AUTO_FREE char *base = mem_str(f->name);
    const char *rest = f->target;
    char *slash = strrchr(base, '/');
    base[slash ? slash - base : 0] = '\0';
    while (str_starts(rest, "../")) {
        if (!*base)
            return NULL; /* climbs out */
        slash = strrchr(base, '/');
        base[slash ? slash - base : 0] = '\0';
        rest += 3;
    }
    AUTO_FREE char *name = mem_printf("%s%s%s", base, *base ? "/" : "", rest);
    const struct archive_file *to = file_named(j, name);
    return to && !to->target ? to : NULL;
}

static int missing(struct image_job *j, const char *name)
{
    return err_set(&j->err, -EPROTO, "invalid archive: it names %.200s, which it does not hold",
                   name);
}

static int read_named(struct image_job *j, const char *name, size_t max, struct buf *b)
{
    const struct archive_file *f = file_named(j, name);
    if (!f)
        return missing(j, name);
    if (f->target)
        return err_set(&j->err, -EPROTO, "invalid archive: %.200s is a link", name);
    if (f->size > max)
        return err_set(&j->err, -EPROTO, "invalid archive: %.200s is larger than %zu bytes", name,
                       max);
    return buf_read_file(b, f->path, &j->err);
}

static json_t *read_json(struct image_job *j, const char *name, int *ret)
{
    AUTO_BUF struct buf b = BUF_INIT(MANIFEST_MAX);
    json_error_t je;
    *ret = read_named(j, name, MANIFEST_MAX, &b);
    if (*ret < 0)
        return NULL;
    json_t *root = json_loadb(b.p ? b.p : "", b.len, JSON_REJECT_DUPLICATES, &je);
    if (!root)
        *ret = err_set(&j->err, -EPROTO, "invalid archive: %.100s: %.200s", name, je.text);
    return root;
}

static int bad_manifest(struct image_job *j, const char *what)
{
    return err_set(&j->err, -EPROTO, "invalid archive: the manifest's %s is not what it should be",
                   what);
}

/* ---- Docker's archive ---- */

static int add_tag(struct image_job *j, struct plan_image *im, const char *name)
{
    struct image_ref r;
    char familiar[640];
    int x = image_ref_parse(name, &r, &j->err);
    if (x != 0)
        return err_wrap(&j->err, -EPROTO, "invalid tag \"%.200s\"", name);
    if (r.digest[0])
        return err_set(&j->err, -EPROTO, "invalid tag \"%.200s\"", name);
    image_ref_familiar(&r, familiar, sizeof familiar);
    strv_push(&im->tags, mem_str(familiar));
    return 0;
}

/* A name like "<hex>.json" or "blobs/sha256/<hex>" promises the content's hash. */
static int check_promise(struct image_job *j, const char *name, const char *id)
{
    const char *slash = strrchr(name, '/'), *base = slash ? slash + 1 : name;
    if (str_starts(base, "sha256:"))
        base += 7;
    size_t n = strspn(base, "0123456789abcdef");
    if (n != 64 || (base[n] && !str_eq(base + n, ".json")))
        return 0;
    if (strncmp(base, digest_hex(id), 64) == 0)
        return 0;
    return err_set(&j->err, -EPROTO,
                   "invalid archive: the configuration %.200s is not what its name says", name);
}

static int image_from(struct image_job *j, const char *config_name, char **blobs,
                      struct plan_image **ret)
{
    AUTO_BUF struct buf b = BUF_INIT(IMAGE_CONFIG_MAX);
    int r = read_named(j, config_name, IMAGE_CONFIG_MAX, &b);
    if (r == 0)
        r = plan_image_of(&j->plan, b.p ? b.p : "", b.len, (const char *const *)blobs, ret,
                          &j->err);
    if (r == 0)
        r = check_promise(j, config_name, (*ret)->id);
    return r;
}

static int layer_paths(struct image_job *j, json_t *layers, char ***ret)
{
    json_t *it;
    size_t i;
    if (!json_is_array(layers) || json_array_size(layers) > IMAGE_LAYERS_MAX)
        return json_is_null(layers) ? 0 : bad_manifest(j, "Layers");
    json_array_foreach(layers, i, it)
    {
        const char *name = json_string_value(it);
        const struct archive_file *f = name ? follow(j, file_named(j, name)) : NULL;
        if (!f)
            return name ? missing(j, name) : bad_manifest(j, "Layers");
        strv_push(ret, mem_str(f->path));
    }
    return 0;
}

static int docker_image(struct image_job *j, json_t *o)
{
    AUTO_STRV char **blobs = NULL;
    const char *config = json_string_value(json_object_get(o, "Config"));
    json_t *tags = json_object_get(o, "RepoTags"), *it;
    struct plan_image *im;
    size_t i;
    if (!config)
        return bad_manifest(j, "Config");
    int r = layer_paths(j, json_object_get(o, "Layers"), &blobs);
    if (r == 0)
        r = image_from(j, config, blobs, &im);
    if (r < 0)
        return r;
    if (tags && !json_is_array(tags) && !json_is_null(tags))
        return bad_manifest(j, "RepoTags");
    json_array_foreach(tags, i, it)
    {
        if (!json_is_string(it) || i >= JOB_IMAGES_MAX)
            return bad_manifest(j, "RepoTags");
        r = add_tag(j, im, json_string_value(it));
        if (r < 0)
            return r;
    }
    return 0;
}

static int docker_plan(struct image_job *j)
{
    int r;
    size_t i;
    json_t *root = read_json(j, "manifest.json", &r), *it;
    if (!root)
        return r;
    if (!json_is_array(root))
        r = bad_manifest(j, "whole");
    json_array_foreach(root, i, it)
    {
        r = docker_image(j, it);
        if (r < 0)
            break;
    }
    json_decref(root);
    return r;
}

/* ---- OCI image layout ---- */

/* The blob's name in the archive; its content was hashed as it was unpacked. */
static int blob_name(struct image_job *j, json_t *descriptor, char ret[80])
{
    const char *hex = digest_hex(json_string_value(json_object_get(descriptor, "digest")));
    if (!hex)
        return bad_manifest(j, "digest");
    snprintf(ret, 80, "blobs/sha256/%s", hex);
    const struct archive_file *f = file_named(j, ret);
    if (!f || f->target)
        return missing(j, ret);
    if (!str_eq(f->hex, hex))
        return err_set(&j->err, -EPROTO, "invalid archive: %s is not what its name says", ret);
    return 0;
}

static bool is_for_this_machine(json_t *descriptor)
{
    json_t *p = json_object_get(descriptor, "platform");
    const char *os = json_string_value(json_object_get(p, "os"));
    const char *arch = json_string_value(json_object_get(p, "architecture"));
    return (!os || str_eq(os, "linux")) && (!arch || str_eq(arch, config_host_architecture()));
}

/* Tools write the whole name into one of two annotations, or a bare tag, which names nothing. */
static const char *layout_name(json_t *descriptor)
{
    json_t *a = json_object_get(descriptor, "annotations");
    const char *full = json_string_value(json_object_get(a, "io.containerd.image.name"));
    const char *ref = json_string_value(json_object_get(a, "org.opencontainers.image.ref.name"));
    if (full)
        return full;
    return ref && strpbrk(ref, ":/") ? ref : NULL;
}

static int oci_layers(struct image_job *j, json_t *layers, char ***ret)
{
    json_t *it;
    size_t i;
    char name[80];
    if (!json_is_array(layers) || json_array_size(layers) > IMAGE_LAYERS_MAX)
        return bad_manifest(j, "layers");
    json_array_foreach(layers, i, it)
    {
        int r = blob_name(j, it, name);
        if (r < 0)
            return r;
        strv_push(ret, mem_str(file_named(j, name)->path));
    }
    return 0;
}

static int oci_manifest(struct image_job *j, json_t *manifest, const char *name)
{
    AUTO_STRV char **blobs = NULL;
    char config[80];
    struct plan_image *im;
    int r = blob_name(j, json_object_get(manifest, "config"), config);
    if (r == 0)
        r = oci_layers(j, json_object_get(manifest, "layers"), &blobs);
    if (r == 0)
        r = image_from(j, config, blobs, &im);
    return r == 0 && name ? add_tag(j, im, name) : r;
}

static int oci_index(struct image_job *j, json_t *index, const char *name, unsigned depth);

static int oci_descriptor(struct image_job *j, json_t *d, const char *name, unsigned depth)
{
    char path[80];
    int r = blob_name(j, d, path);
    if (r < 0)
        return r;
    json_t *o = read_json(j, path, &r);
    if (!o)
        return r;
    r = json_object_get(o, "manifests") ? oci_index(j, o, name, depth + 1)
                                        : oci_manifest(j, o, name);
    json_decref(o);
    return r;
}

/* Depth 0 is the layout's own list, every member an image; deeper ones are the platforms of one
 * image. */
static int oci_index(struct image_job *j, json_t *index, const char *name, unsigned depth)
{
    json_t *list = json_object_get(index, "manifests"), *it;
    size_t i, taken = 0;
    if (!json_is_array(list) || depth > INDEX_DEPTH_MAX)
        return bad_manifest(j, "list of manifests");
    json_array_foreach(list, i, it)
    {
        if (!is_for_this_machine(it) || (depth > 0 && taken > 0))
            continue;
        int r = oci_descriptor(j, it, depth == 0 ? layout_name(it) : name, depth);
        if (r < 0)
            return r;
        taken++;
    }
    if (taken == 0)
        return err_set(&j->err, -EPROTO,
                       "no matching manifest for linux/%s in the manifest list entries",
                       config_host_architecture());
    return 0;
}

static int oci_plan(struct image_job *j)
{
    int r;
    if (!file_named(j, "oci-layout"))
        return missing(j, "oci-layout");
    json_t *root = read_json(j, "index.json", &r);
    if (!root)
        return r;
    r = oci_index(j, root, NULL, 0);
    json_decref(root);
    return r;
}

int layout_plan(struct image_job *j)
{
    int r = sort_files(j);
    if (r < 0)
        return r;
    if (file_named(j, "manifest.json"))
        return docker_plan(j);
    if (file_named(j, "index.json"))
        return oci_plan(j);
    if (file_named(j, "repositories"))
        return err_set(
            &j->err, -EPROTO,
            "the archive has the form that docker save had before version 1.10: not supported");
    return err_set(&j->err, -EPROTO, "open %s/repositories: no such file or directory", j->dir);
}
