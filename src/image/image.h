/* image/image.h - the images of this node: load, import, pull, tag, remove; layers as shared
 * directories.
 *
 * On disk, below <data-root>/image (0700):
 *   layers/<diff id hex>/fs one unpacked layer: overlay form (char 0:0 whiteouts,
 * trusted.overlay.opaque); shared by images layers/<diff id hex>/size  its size in bytes, decimal
 *   configs/<id hex>        the OCI image config blob, whose SHA-256 is the image's id
 *   repositories.json       which images there are, with their references; replaced atomically.
 * What it does not name is garbage tmp/                    work under way; emptied at start A layer
 * or a config appears under its name only when it is whole (rename), so a crash leaves only tmp/.
 *
 * Archives come from strangers: unpacking happens in a child process that has nothing but the
 * layer's directory and the archive (its own root by pivot/chroot or openat2 RESOLVE_BENEATH, no
 * capability but those that chown and mknod need), with limits on the number of entries, the depth,
 * the sizes and the ratio of expansion. What climbs, links out, is a device, or whites out through
 * a link is refused as a whole and leaves nothing behind.
 *
 * References are normalised the engine's way ("redis" is "redis:latest", with the short name kept
 * for display). Long work is asynchronous: progress callbacks on the loop, then exactly one
 * on_done. */
#ifndef IMAGE_IMAGE_H
#define IMAGE_IMAGE_H
#include <stdbool.h>
#include <stdint.h>
#include <uv.h>
#include "base/err.h"

enum { IMAGE_ID_SIZE = 72 }; /* "sha256:" and 64 hex digits, terminated */
enum {
    IMAGE_LAYERS_MAX = 127,
    IMAGE_CONFIG_MAX = 4 << 20,
    IMAGE_ENTRIES_MAX = 2000000, /* in one layer */
};
#define IMAGE_BYTES_MAX (64ULL << 30) /* unpacked, all layers */

enum {
    IMAGE_NOT_FOUND = 1,
    IMAGE_AMBIGUOUS,
    IMAGE_BAD_REFERENCE,
    IMAGE_IN_USE,
    IMAGE_MULTIPLE_TAGS,
    IMAGE_BAD_CHANGE
}; /* outcomes */

struct image_config {                /* what a container inherits; from the OCI config */
    char **entrypoint, **cmd, **env; /* NULL or NULL-terminated */
    char **labels;                   /* "key=value" */
    char **volumes, **ports;         /* "/data"; "80/tcp" */
    char *user, *workdir, *stop_signal, *author, *architecture, *os;
    char **shell, **onbuild;
    char *healthcheck_json; /* Docker's Healthcheck object as JSON text, or NULL */
};
struct image { /* borrowed from the store: valid until the loop turns */
    char id[IMAGE_ID_SIZE];
    char **tags;    /* "redis:alpine" familiar names, sorted */
    char **digests; /* "redis@sha256:…" */
    int64_t created_ns;
    uint64_t size;
    struct image_config config;
    const char *config_json; /* the whole blob */
    char **diff_ids;         /* "sha256:…", lowest first */
    char **layer_dirs;       /* absolute paths, lowest first, parallel to diff_ids */
    int64_t tagged_ns;       /* when it last got a tag; 0: never */
    unsigned users;          /* containers that hold it */
    const char *parent;      /* or "" */
};

struct image_store;
struct image_store_options {
    const char *data_root;   /* /var/lib/keep */
    const char *skopeo_path; /* NULL: found on PATH at the first pull */
    const char *self_exe;    /* program that calls image_unpack_main when started as "X image-unpack
                                ..."; NULL: /proc/self/exe */
};
MUST_CHECK int image_store_open(uv_loop_t *loop, const struct image_store_options *o,
                                struct image_store **ret, struct err *e);
/* Ends the children of jobs under way; their on_done comes (with -ECANCELED) while the loop runs
 * on; then the store is gone. */
void image_store_close(struct image_store *s);
/* The child's side of unpacking: the main program calls it, first thing, when argv[1] is
 * "image-unpack". Never returns to other work. */
int image_unpack_main(int argc, char **argv);

/* By id, unique id prefix (≥ 1 hex digit, "sha256:" optional), name[:tag], name@digest. */
MUST_CHECK int image_find(struct image_store *s, const char *ref, const struct image **ret);
int image_each(struct image_store *s, int (*fn)(void *arg, const struct image *img),
               void *arg);                              /* stops at non-zero, returned */
void image_hold(struct image_store *s, const char *id); /* a container uses it; counts */
void image_release(struct image_store *s, const char *id);
/* Names one container that uses the image, for the words of a refusal: its id (borrowed) and
 * whether it runs. NULL: none known. */
void image_on_describe_user(struct image_store *s,
                            const char *(*cb)(void *arg, const char *image_id, bool *ret_running),
                            void *arg);
/* "No such image: web:latest", the engine's words for a reference that image_find did not find (or
 * found ambiguous, or not well formed). */
int image_not_found(const char *ref, struct err *e); /* returns IMAGE_NOT_FOUND */

/* "redis" -> repo "redis", tag "latest"; "host:5000/a/b:c@sha256:…". 0 or IMAGE_BAD_REFERENCE with
 * the engine's words ("invalid reference format"). */
struct image_ref {
    char domain[256]; /* "" for the default registry */
    char path[256];   /* "redis", "library/" not added */
    char tag[129];    /* "" when only a digest is given; "latest" filled in otherwise */
    char digest[80];  /* "sha256:…" or "" */
};
MUST_CHECK int image_ref_parse(const char *s, struct image_ref *ret, struct err *e);
void image_ref_familiar(const struct image_ref *r, char *ret,
                        size_t size); /* "redis:latest" as shown to people */

/* Events for whoever tells them on: "load", "import", "pull", "tag", "untag", "delete" with the id
 * (or reference) and the name. */
void image_on_event(struct image_store *s,
                    void (*cb)(void *arg, const char *action, const char *id, const char *name),
                    void *arg);

/* ---- asynchronous work. One struct image_job per call; image_job_cancel ends it soon (on_done
 * still comes, with -ECANCELED). ---- */
struct image_job;
struct image_progress {               /* borrowed during the call; fields may be NULL */
    const char *status, *id, *stream; /* as in the engine's JSON message streams */
    uint64_t current, total;          /* 0, 0: none */
};
typedef void (*image_on_progress)(void *arg, const struct image_progress *p);
typedef void (*image_on_done)(void *arg, int r, const struct err *e,
                              const char *id); /* r 0, a positive outcome above, or negative */
/* The archive is a file that the caller has written completely (an upload spooled into
 * image_tmp_dir); not removed here. Docker archive or OCI layout, plain or gzip/xz/zstd compressed.
 * Progress "stream" lines: "Loaded image: NAME:TAG\n". */
struct image_job *image_load(struct image_store *s, const char *file, image_on_progress p,
                             image_on_done d, void *arg);
/* A root file system as a tar becomes a one-layer image; repo and tag may be empty; changes:
 * Dockerfile instructions (CMD, ENV, ENTRYPOINT, WORKDIR, USER, LABEL, EXPOSE, VOLUME, STOPSIGNAL,
 * HEALTHCHECK, ONBUILD). */
struct image_job *image_import(struct image_store *s, const char *file, const char *repo,
                               const char *tag, const char *message, const char *const *changes,
                               image_on_progress p, image_on_done d, void *arg);
/* By skopeo. registry_auth_b64: the X-Registry-Auth header (base64url of JSON) or NULL; reaches
 * skopeo through a memfd, never argv or a disk. Registries on loopback addresses may speak plain
 * http. IMAGE_NOT_FOUND with the engine's words when the registry has no such image or denies it.
 */
struct image_job *image_pull(struct image_store *s, const char *ref, const char *registry_auth_b64,
                             image_on_progress p, image_on_done d, void *arg);
void image_job_cancel(struct image_job *j);
const char *image_tmp_dir(const struct image_store *s);

/* ---- at once ---- */
MUST_CHECK int image_tag(struct image_store *s, const char *ref, const char *repo, const char *tag,
                         struct err *e);
/* Docker's rules: by tag removes the tag, the image with its last one; by id needs force when
 * several tags; in use by a container refused (force: only untags). on_removed is called for each
 * "Untagged: x" / "Deleted: sha256:…" in order. */
MUST_CHECK int image_remove(struct image_store *s, const char *ref, bool force, bool noprune,
                            void (*on_removed)(void *arg, const char *untagged,
                                               const char *deleted),
                            void *arg, struct err *e);
uint64_t image_disk_usage(struct image_store *s); /* of all layers, counted once */
#endif
