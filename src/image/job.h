/* image/job.h - long work: a chain of steps on the loop with at most one child at a time, and one
 * ending.
 *
 * A job owns a directory in tmp/, made when it starts and removed when it ends. What it builds is
 * described by a plan: images with their configuration, references and layers. job_build unpacks
 * the layers that are missing and commits all of it together. */
#ifndef IMAGE_JOB_H
#define IMAGE_JOB_H
#include <stdbool.h>
#include <stdint.h>
#include <uv.h>
#include "base/err.h"
#include "image/image.h"
#include "image/store.h"
#include "loop/child.h"

enum { JOB_IMAGES_MAX = 1000, JOB_LAYERS_MAX = 4096 };

struct plan_layer {
    char hex[DIGEST_HEX_SIZE]; /* "" in an import: whatever comes out */
    char label[13]; /* what progress calls it: of a pulled layer the blob's digest, else the diff id
                     */
    char *source;   /* path of the blob, made by us */
    char *dir;      /* in the job's directory, once unpacked */
    char **implicit; /* directories whose owner and mode come from below */
    uint64_t size;
    struct layer *layer; /* held, once it is in the store */
};
struct plan_image {
    char *json;
    size_t json_len;
    char id[IMAGE_ID_SIZE];
    char **tags, **digests; /* references to be set */
    size_t *layers;         /* indices into the plan, lowest first */
    size_t nlayers;
};
struct plan {
    struct plan_layer *layers; /* each diff id once */
    size_t nlayers;
    struct plan_image *images;
    size_t nimages;
};

struct archive_file { /* one name in an outer archive */
    char *name;
    char *target; /* of a symbolic link, or NULL */
    char *path;   /* of the numbered file */
    char hex[DIGEST_HEX_SIZE];
    uint64_t size;
};

struct image_job {
    struct image_store *s;
    struct image_job *next, **at; /* in the store's list */
    uv_timer_t starter;
    image_on_progress on_progress;
    image_on_done on_done;
    void *arg;
    const char *action; /* the event: "load", "import", "pull" */
    void (*start)(struct image_job *j);
    void (*next_step)(struct image_job *j);    /* after the child under way */
    void (*layers_ready)(struct image_job *j); /* every layer of the plan is built or found */
    void (*on_child_failed)(struct image_job *j, const char *stderr_text); /* or NULL */
    struct child *child;
    bool cancelled, ended, reported; /* reported: the unpacking child said "done" */
    char *dir;
    char id[IMAGE_ID_SIZE]; /* for on_done */
    struct err err;
    struct plan plan;
    size_t building; /* the layer under way */
    uint64_t bytes_left;
    char done_hex[DIGEST_HEX_SIZE];
    uint64_t done_bytes;

    char *file; /* load, import: the archive */
    struct archive_file *files;
    size_t nfiles, files_cap;
    void *more; /* of the kind of job */
    void (*free_more)(void *more);
};

struct image_job *job_new(struct image_store *s, const char *action,
                          void (*start)(struct image_job *j), image_on_progress p, image_on_done d,
                          void *arg);
void job_end(struct image_job *j, int r); /* the words are in j->err */
MUST_CHECK int job_make_dir(struct image_job *j, const char *prefix);
/* Starts the unpacking child on descriptors that stay the caller's; next_step follows when it
 * reports "done". */
void job_unpack(struct image_job *j, const char *mode, const char *archive, const char *dir,
                void (*next_step)(struct image_job *j));
/* Starts another child; lines to on_line; next_step when it ends with status 0, else
 * on_child_failed, or the job ends. */
void job_child(struct image_job *j, const struct child_spec *spec,
               void (*next_step)(struct image_job *j));
void job_build(struct image_job *j); /* the plan; ends the job */
MUST_CHECK int
job_commit(struct image_job *j); /* all layers are there: everything into the store */
void job_say(struct image_job *j, const char *status, const char *id, uint64_t current,
             uint64_t total);
void job_say_stream(struct image_job *j, const char *text);
void jobs_cancel_all(struct image_store *s);

size_t plan_add_layer(struct plan *p, const char *hex,
                      const char *source); /* found by hex, or new */
struct plan_image *plan_add_image(struct plan *p, const char *json, size_t n);
void plan_free(struct plan *p);
/* layout.c: the plan of an archive that was unpacked into j->files. */
MUST_CHECK int layout_plan(struct image_job *j);
void layout_free(struct image_job *j);
/* A configuration and its blobs (lowest first) become an image of the plan; counts must agree. */
MUST_CHECK int plan_image_of(struct plan *p, const char *json, size_t n, const char *const *blobs,
                             struct plan_image **ret, struct err *e);
#endif
