/* image/store.c - opening, sweeping, images and layers in memory. */
#include "image/store.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include "base/log.h"
#include "base/mem.h"
#include "base/str.h"
#include "image/disk.h"
#include "image/job.h"
#include "loop/file.h"

/* ---- layers ---- */

struct layer *store_layer(struct image_store *s, const char *hex)
{
    for (size_t i = 0; i < s->nlayers; i++)
        if (str_eq(s->layers[i]->hex, hex))
            return s->layers[i];
    return NULL;
}

char *store_layer_fs(const struct image_store *s, const char *hex)
{
    return mem_printf("%s/%s/fs", s->layers_dir, hex);
}

void store_layer_need(struct layer *l)
{
    l->needed++;
}

static struct layer *layer_insert(struct image_store *s, const char *hex, uint64_t size)
{
    struct layer *l = NEW(struct layer);
    str_copy(l->hex, sizeof l->hex, hex);
    l->size = size;
    s->layers = mem_grow(s->layers, s->nlayers + 1, sizeof *s->layers);
    s->layers[s->nlayers++] = l;
    return l;
}

static void layer_remove(struct image_store *s, struct layer *l)
{
    AUTO_FREE char *from = mem_printf("%s/%s", s->layers_dir, l->hex);
    AUTO_FREE char *to = store_tmp_name(s, "gone");
    for (size_t i = 0; i < s->nlayers; i++)
        if (s->layers[i] == l) {
            s->layers[i] = s->layers[--s->nlayers];
            break;
        }
    free(l);
    if (rename(from, to) < 0)
        log_warn("cannot remove layer %s: %s", from,
                 strerror(errno)); /* the next start sweeps it */
    else
        disk_remove_later(s->loop, to);
}

bool store_layer_unneed(struct image_store *s, struct layer *l)
{
    if (--l->needed > 0)
        return false;
    layer_remove(s, l);
    return true;
}

int store_layer_add(struct image_store *s, const char *hex, const char *dir, uint64_t size,
                    struct layer **ret, struct err *e)
{
    struct layer *l = store_layer(s, hex); /* another job may have been quicker */
    if (!l) {
        AUTO_FREE char *to = mem_printf("%s/%s", s->layers_dir, hex);
        if (rename(dir, to) < 0)
            return err_sys(e, errno, "cannot put layer %s in its place", hex);
        l = layer_insert(s, hex, size);
    }
    store_layer_need(l);
    *ret = l;
    return 0;
}

/* ---- images ---- */

struct stored *store_by_id(struct image_store *s, const char *id)
{
    for (size_t i = 0; i < s->nimages; i++)
        if (str_eq(s->images[i]->pub.id, id))
            return s->images[i];
    return NULL;
}

void store_image_attach(struct image_store *s, struct stored *im)
{
    s->images = mem_grow(s->images, s->nimages + 1, sizeof *s->images);
    s->images[s->nimages++] = im;
}

void store_image_detach(struct image_store *s, struct stored *im)
{
    for (size_t i = 0; i < s->nimages; i++)
        if (s->images[i] == im) {
            s->images[i] = s->images[--s->nimages];
            return;
        }
}

static void stored_free(struct stored *im)
{
    strv_free(im->pub.layer_dirs);
    strv_free(im->pub.tags);
    strv_free(im->pub.digests);
    config_free(&im->config);
    free(im->json);
    free(im);
}

static int stored_check_layers(struct image_store *s, struct stored *im, struct err *e)
{
    for (size_t i = 0; im->config.diff_ids[i]; i++)
        if (!store_layer(s, digest_hex(im->config.diff_ids[i])))
            return err_set(e, -ENOENT, "layer %s is missing", im->config.diff_ids[i]);
    return 0;
}

static void stored_publish(struct image_store *s, struct stored *im)
{
    struct image *p = &im->pub;
    p->config = im->config.c;
    p->config_json = im->json;
    p->diff_ids = im->config.diff_ids;
    p->created_ns = im->config.created_ns;
    p->parent = "";
    for (size_t i = 0; p->diff_ids[i]; i++) {
        struct layer *l = store_layer(s, digest_hex(p->diff_ids[i]));
        store_layer_need(l);
        p->size += l->size;
        strv_push(&p->layer_dirs, store_layer_fs(s, l->hex));
    }
    if (!p->layer_dirs)
        p->layer_dirs = mem_array(1, sizeof *p->layer_dirs);
    store_image_attach(s, im);
}

static int write_config_blob(struct image_store *s, const char *hex, const char *json, size_t n,
                             struct err *e)
{
    AUTO_FREE char *path = mem_printf("%s/%s", s->configs_dir, hex);
    return file_write(path, json, n, 0600, e);
}

int store_image_add(struct image_store *s, const char *json, size_t n, bool write,
                    struct stored **ret, bool *ret_new, struct err *e)
{
    char hex[DIGEST_HEX_SIZE], id[IMAGE_ID_SIZE];
    digest_of(json, n, hex);
    snprintf(id, sizeof id, "sha256:%s", hex);
    *ret = store_by_id(s, id);
    *ret_new = !*ret;
    if (*ret)
        return 0;
    if (s->nimages >= STORE_IMAGES_MAX)
        return err_set(e, -ENOSPC, "there are %d images: no more are possible", STORE_IMAGES_MAX);
    struct stored *im = NEW(struct stored);
    int r = config_parse(json, n, &im->config, e);
    if (r == 0)
        r = stored_check_layers(s, im, e);
    if (r == 0 && write)
        r = write_config_blob(s, hex, json, n, e);
    if (r < 0) {
        stored_free(im);
        return r;
    }
    str_copy(im->pub.id, sizeof im->pub.id, id);
    im->json = mem_strn(json, n);
    im->json_len = n;
    stored_publish(s, im);
    *ret = im;
    return 0;
}

/* chain(0) = diff(0); chain(n) = SHA-256 of "chain(n-1) diff(n)": the name the engine gives to a
 * layer on all below it. */
static char **chain_ids(char **diff_ids)
{
    char **chain = NULL;
    char hex[DIGEST_HEX_SIZE];
    for (size_t i = 0; diff_ids[i]; i++) {
        if (i == 0) {
            strv_push(&chain, mem_str(diff_ids[0]));
            continue;
        }
        AUTO_FREE char *both = mem_printf("%s %s", chain[i - 1], diff_ids[i]);
        digest_of(both, strlen(both), hex);
        strv_push(&chain, mem_printf("sha256:%s", hex));
    }
    return chain;
}

void store_image_destroy(struct image_store *s, struct stored *im,
                         void (*on_layer)(void *arg, const char *chain_id), void *arg)
{
    AUTO_STRV char **chain = chain_ids(im->config.diff_ids);
    AUTO_FREE char *path = mem_printf("%s/%s", s->configs_dir, digest_hex(im->pub.id));
    unlink(path); /* when it fails the next start sweeps it */
    for (size_t i = strv_len((const char *const *)im->config.diff_ids); i-- > 0;) {
        struct layer *l = store_layer(s, digest_hex(im->config.diff_ids[i]));
        if (l && store_layer_unneed(s, l) && on_layer)
            on_layer(arg, chain[i]);
    }
    stored_free(im);
}

/* ---- opening ---- */

static bool read_size(const char *dir, const char *hex, uint64_t *ret)
{
    AUTO_BUF struct buf b = BUF_INIT(32);
    AUTO_FREE char *path = mem_printf("%s/%s/size", dir, hex);
    AUTO_FREE char *fs = mem_printf("%s/%s/fs", dir, hex);
    struct stat st;
    return lstat(fs, &st) == 0 && S_ISDIR(st.st_mode) && buf_read_file(&b, path, NULL) == 0 &&
           str_to_u64(b.p ? b.p : "", UINT64_MAX, ret) == 0;
}

static int for_each_name(const char *dir, void (*fn)(struct image_store *s, const char *name),
                         struct image_store *s, struct err *e)
{
    AUTO_STRV char **names = NULL;
    DIR *d = opendir(dir);
    if (!d)
        return err_sys(e, errno, "cannot read %s", dir);
    for (struct dirent *it = readdir(d); it; it = readdir(d))
        if (!str_eq(it->d_name, ".") && !str_eq(it->d_name, ".."))
            strv_push(&names, mem_str(it->d_name));
    closedir(d);
    for (size_t i = 0; names && names[i]; i++)
        fn(s, names[i]);
    return 0;
}

static void sweep_tmp(struct image_store *s, const char *name)
{
    AUTO_FREE char *path = mem_printf("%s/%s", s->tmp, name);
    struct err e = {0};
    if (file_remove_tree(path, &e) < 0)
        log_warn("%s", err_text(&e));
}

static void find_layer(struct image_store *s, const char *name)
{
    uint64_t size;
    if (str_is_hex(name, 64) && read_size(s->layers_dir, name, &size)) {
        layer_insert(s, name, size);
        return;
    }
    AUTO_FREE char *path = mem_printf("%s/%s", s->layers_dir, name);
    log_warn("removing %s: not a whole layer", path);
    if (file_remove_tree(path, NULL) < 0)
        log_warn("cannot remove %s", path);
}

static void sweep_config(struct image_store *s, const char *name)
{
    AUTO_FREE char *id = mem_printf("sha256:%s", name);
    AUTO_FREE char *path = mem_printf("%s/%s", s->configs_dir, name);
    if (!store_by_id(s, id))
        unlink(path);
}

static void sweep_layers(struct image_store *s)
{
    for (size_t i = s->nlayers; i-- > 0;)
        if (s->layers[i]->needed == 0)
            layer_remove(s, s->layers[i]);
}

static int store_read(struct image_store *s, struct err *e)
{
    int r = for_each_name(s->tmp, sweep_tmp, s, e);
    if (r == 0)
        r = for_each_name(s->layers_dir, find_layer, s, e);
    if (r == 0)
        r = store_load(s, e);
    if (r == 0)
        r = for_each_name(s->configs_dir, sweep_config, s, e);
    if (r == 0)
        sweep_layers(s);
    return r;
}

static int make_dirs(struct image_store *s, const char *data_root, struct err *e)
{
    if (mkdir(data_root, 0700) < 0 &&
        errno != EEXIST) /* another room's as well: its mode is not changed */
        return err_sys(e, errno, "cannot make %s", data_root);
    int r = disk_mkdir(s->root, 0700, e);
    if (r == 0)
        r = disk_mkdir(s->tmp, 0700, e);
    if (r == 0)
        r = disk_mkdir(s->layers_dir, 0700, e);
    if (r == 0)
        r = disk_mkdir(s->configs_dir, 0700, e);
    return r;
}

static void store_free(struct image_store *s)
{
    for (size_t i = 0; i < s->nimages; i++)
        stored_free(s->images[i]);
    for (size_t i = 0; i < s->nlayers; i++)
        free(s->layers[i]);
    store_refs_free(s->refs, s->nrefs);
    free(s->images);
    free(s->layers);
    free(s->root);
    free(s->tmp);
    free(s->layers_dir);
    free(s->configs_dir);
    free(s->self_exe);
    free(s->skopeo);
    free(s);
}

int image_store_open(uv_loop_t *loop, const struct image_store_options *o, struct image_store **ret,
                     struct err *e)
{
    struct image_store *s = NEW(struct image_store);
    s->loop = loop;
    s->root = mem_printf("%s/image", o->data_root);
    s->tmp = mem_printf("%s/tmp", s->root);
    s->layers_dir = mem_printf("%s/layers", s->root);
    s->configs_dir = mem_printf("%s/configs", s->root);
    s->self_exe = mem_str(o->self_exe ? o->self_exe : "/proc/self/exe");
    s->skopeo = mem_str(o->skopeo_path);
    int r = make_dirs(s, o->data_root, e);
    if (r == 0)
        r = store_read(s, e);
    if (r < 0) {
        store_free(s);
        return err_wrap(e, r, "cannot open the image store");
    }
    *ret = s;
    return 0;
}

void store_maybe_free(struct image_store *s)
{
    if (s->closing && s->njobs == 0)
        store_free(s);
}

void image_store_close(struct image_store *s)
{
    if (!s)
        return;
    s->closing = true;
    s->on_event = NULL;
    jobs_cancel_all(s);
    store_maybe_free(s);
}

/* ---- small things ---- */

char *store_tmp_name(struct image_store *s, const char *prefix)
{
    return mem_printf("%s/%s-%llu", s->tmp, prefix, (unsigned long long)++s->sequence);
}

void store_event(struct image_store *s, const char *action, const char *id, const char *name)
{
    if (s->on_event)
        s->on_event(s->on_event_arg, action, id, name);
}

void image_on_event(struct image_store *s,
                    void (*cb)(void *arg, const char *action, const char *id, const char *name),
                    void *arg)
{
    s->on_event = cb;
    s->on_event_arg = arg;
}

void image_on_describe_user(struct image_store *s,
                            const char *(*cb)(void *arg, const char *image_id, bool *ret_running),
                            void *arg)
{
    s->describe_user = cb;
    s->describe_user_arg = arg;
}

const char *image_tmp_dir(const struct image_store *s)
{
    return s->tmp;
}

uint64_t image_disk_usage(struct image_store *s)
{
    uint64_t sum = 0;
    for (size_t i = 0; i < s->nlayers; i++)
        sum += s->layers[i]->size;
    return sum;
}
