/* image/store.h - inside of the room: images, layers and references in memory, and their commit to
 * the disk.
 *
 * The one commit point is repositories.json: it names the images (by id) and their references.
 * Layers and configurations are put in their places before it, and are removed after it, so a crash
 * leaves what image_store_open sweeps. A layer is needed by images and by jobs under way; without
 * either its directory goes to tmp/ at once and is removed from the pool. */
#ifndef IMAGE_STORE_H
#define IMAGE_STORE_H
#include <stdbool.h>
#include <stdint.h>
#include "base/err.h"
#include "image/config.h"
#include "image/digest.h"
#include "image/image.h"

enum { STORE_IMAGES_MAX = 20000, STORE_REFS_MAX = 100000, REPOSITORIES_MAX = 32 << 20 };

struct layer {
    char hex[DIGEST_HEX_SIZE];
    uint64_t size;
    unsigned needed;
};
struct stored {
    struct image pub; /* config, config_json and diff_ids are owned by `config` and `json` */
    struct config config;
    char *json;
    size_t json_len;
};
struct ref_row {
    char *name; /* familiar: "redis:alpine" or "redis@sha256:…" */
    char id[IMAGE_ID_SIZE];
    bool digest;
};
struct image_store {
    uv_loop_t *loop;
    char *root, *tmp, *layers_dir, *configs_dir, *self_exe, *skopeo;
    struct stored **images;
    size_t nimages;
    struct layer **layers;
    size_t nlayers;
    struct ref_row *refs; /* sorted by name */
    size_t nrefs;
    struct image_job *jobs;
    unsigned njobs;
    uint64_t sequence; /* names in tmp/ */
    bool closing;
    void (*on_event)(void *arg, const char *action, const char *id, const char *name);
    void *on_event_arg;
    const char *(*describe_user)(void *arg, const char *image_id, bool *ret_running);
    void *describe_user_arg;
};

struct stored *store_by_id(struct image_store *s, const char *id);
struct layer *store_layer(struct image_store *s, const char *hex);
void store_layer_need(struct layer *l);
/* The last one to need it removes it: true. */
bool store_layer_unneed(struct image_store *s, struct layer *l);
/* Moves a finished directory (holding fs/ and size) to its place. Exists already: dropped. The
 * layer comes back needed once more. */
MUST_CHECK int store_layer_add(struct image_store *s, const char *hex, const char *dir,
                               uint64_t size, struct layer **ret, struct err *e);
char *store_layer_fs(const struct image_store *s, const char *hex); /* malloc'ed path */

/* Adds the image (every layer must be present), and with `write` puts its configuration on the
 * disk. An image that exists is found instead. Not durable before store_save. */
MUST_CHECK int store_image_add(struct image_store *s, const char *json, size_t n, bool write,
                               struct stored **ret, bool *ret_new, struct err *e);
/* Out of the list, store_save, then either gone for good or back in. Destroying drops its
 * configuration and layers; on_layer is told the chain id of each layer that went, highest first.
 */
void store_image_detach(struct image_store *s, struct stored *im);
void store_image_attach(struct image_store *s, struct stored *im);
void store_image_destroy(struct image_store *s, struct stored *im,
                         void (*on_layer)(void *arg, const char *chain_id), void *arg);

const struct ref_row *store_ref(const struct image_store *s, const char *name);
void store_ref_set(struct image_store *s, const char *name, const char *id, bool digest);
void store_ref_remove(struct image_store *s, const char *name);
struct ref_row *store_refs_copy(const struct image_store *s);                   /* for a way back */
void store_refs_restore(struct image_store *s, struct ref_row *copy, size_t n); /* takes it */
void store_refs_free(struct ref_row *copy, size_t n);
void store_refresh(
    struct image_store *s); /* tags and digests of every image, from the references */

/* "redis" + "alpine"; a tag given replaces one in the name. */
MUST_CHECK int store_compose_ref(const char *repo, const char *tag, struct image_ref *ret,
                                 struct err *e);
/* repo.c */
MUST_CHECK int store_save(struct image_store *s, struct err *e);
MUST_CHECK int store_load(struct image_store *s, struct err *e);

void store_event(struct image_store *s, const char *action, const char *id, const char *name);
char *store_tmp_name(struct image_store *s,
                     const char *prefix);     /* malloc'ed path in tmp/, not used before */
void store_maybe_free(struct image_store *s); /* when closing and the last job is done */
#endif
