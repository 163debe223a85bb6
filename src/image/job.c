/* image/job.c - the life of a job: its start, its children, its layers, its end. */
#include "image/job.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include "base/mem.h"
#include "base/str.h"
#include "image/disk.h"
#include "image/unpack.h"
#include "loop/file.h"

enum { CHILD_STDERR_MAX = 8192, REPORT_LINE_MAX = 30000 };

/* ---- beginning and end ---- */

static void on_start(uv_timer_t *t)
{
    struct image_job *j = t->data;
    if (j->cancelled)
        job_end(j, err_set(&j->err, -ECANCELED, "canceled"));
    else
        j->start(j);
}

struct image_job *job_new(struct image_store *s, const char *action,
                          void (*start)(struct image_job *j), image_on_progress p, image_on_done d,
                          void *arg)
{
    struct image_job *j = NEW(struct image_job);
    *j = (struct image_job){.s = s, .action = action, .start = start, .arg = arg};
    j->on_progress = p, j->on_done = d;
    j->bytes_left = IMAGE_BYTES_MAX;
    j->at = &s->jobs;
    j->next = s->jobs;
    if (j->next)
        j->next->at = &j->next;
    s->jobs = j;
    s->njobs++;
    uv_timer_init(s->loop, &j->starter);
    j->starter.data = j;
    uv_timer_start(&j->starter, on_start, 0, 0); /* no callback from inside the caller's call */
    return j;
}

int job_make_dir(struct image_job *j, const char *prefix)
{
    j->dir = store_tmp_name(j->s, prefix);
    if (mkdir(j->dir, 0700) < 0)
        return err_sys(&j->err, errno, "cannot make %s", j->dir);
    return 0;
}

static void on_job_closed(uv_handle_t *h)
{
    struct image_job *j = h->data;
    struct image_store *s = j->s;
    s->njobs--;
    plan_free(&j->plan);
    layout_free(j);
    if (j->free_more)
        j->free_more(j->more);
    free(j->file);
    free(j->dir);
    free(j);
    store_maybe_free(s);
}

void job_end(struct image_job *j, int r)
{
    if (j->ended)
        return;
    j->ended = true;
    for (size_t i = 0; i < j->plan.nlayers; i++)
        if (j->plan.layers[i].layer)
            store_layer_unneed(j->s, j->plan.layers[i].layer);
    if (j->dir)
        disk_remove_later(j->s->loop, j->dir);
    *j->at = j->next;
    if (j->next)
        j->next->at = j->at;
    if (r != 0 && !j->err.text[0])
        err_set(&j->err, r, "the image could not be made: %s", r < 0 ? strerror(-r) : "not found");
    if (j->on_done)
        j->on_done(j->arg, r, &j->err, r == 0 ? j->id : NULL);
    uv_close((uv_handle_t *)&j->starter, on_job_closed);
}

void image_job_cancel(struct image_job *j)
{
    j->cancelled = true;
    if (j->child)
        child_kill(j->child, SIGKILL);
}

void jobs_cancel_all(struct image_store *s)
{
    for (struct image_job *j = s->jobs; j; j = j->next)
        image_job_cancel(j);
}

void job_say(struct image_job *j, const char *status, const char *id, uint64_t current,
             uint64_t total)
{
    struct image_progress p = {.status = status, .id = id, .current = current, .total = total};
    if (j->on_progress && !j->cancelled)
        j->on_progress(j->arg, &p);
}

void job_say_stream(struct image_job *j, const char *text)
{
    struct image_progress p = {.stream = text};
    if (j->on_progress && !j->cancelled)
        j->on_progress(j->arg, &p);
}

/* ---- children ---- */

static void on_child_exit(void *data, const struct child_result *res)
{
    struct image_job *j = data;
    j->child = NULL;
    if (j->cancelled) {
        job_end(j, err_set(&j->err, -ECANCELED, "canceled"));
    } else if (res->status == 0 && !res->signal) {
        j->next_step(j);
    } else if (j->on_child_failed) {
        j->on_child_failed(j, res->err->p ? res->err->p : "");
    } else {
        if (!j->err.text[0])
            err_set(&j->err, -EPROTO, "a child ended with status %d, signal %d", res->status,
                    res->signal);
        job_end(j, -EPROTO);
    }
}

void job_child(struct image_job *j, const struct child_spec *spec,
               void (*next_step)(struct image_job *j))
{
    struct child_spec full = *spec;
    full.on_exit = on_child_exit;
    full.data = j;
    j->next_step = next_step;
    int r = child_start(j->s->loop, &full, &j->child, &j->err);
    if (r < 0)
        job_end(j, r);
}

/* ---- the report of the unpacking child (image/unpack.h) ---- */

static int take_file_line(struct image_job *j, char *rest)
{
    char *save = NULL;
    const char *number = strtok_r(rest, " ", &save), *size = strtok_r(NULL, " ", &save);
    const char *hex = strtok_r(NULL, " ", &save);
    char *name = strtok_r(NULL, " ", &save);
    uint64_t n;
    struct archive_file f = {0};
    if (!name || str_to_u64(number, UNPACK_FILES_MAX, &n) != 0 ||
        str_to_u64(size, IMAGE_BYTES_MAX, &f.size) != 0 || unpack_decode(name) < 0)
        return -EPROTO;
    if (str_is_hex(hex, 64))
        str_copy(f.hex, sizeof f.hex, hex);
    f.name = mem_str(name);
    f.path = mem_printf("%s/f%llu", j->dir, (unsigned long long)n);
    j->files[j->nfiles++] = f;
    return 0;
}

static int take_link_line(struct image_job *j, char *rest)
{
    char *target = strchr(rest, ' ');
    if (!target)
        return -EPROTO;
    *target++ = '\0';
    if (unpack_decode(rest) < 0 || unpack_decode(target) < 0)
        return -EPROTO;
    j->files[j->nfiles++] = (struct archive_file){.name = mem_str(rest), .target = mem_str(target)};
    return 0;
}

static int take_name(struct image_job *j, bool link, char *rest)
{
    if (j->nfiles >= UNPACK_FILES_MAX)
        return -EPROTO;
    if (j->nfiles == j->files_cap) {
        j->files_cap = j->files_cap ? 2 * j->files_cap : 64;
        j->files = mem_grow(j->files, j->files_cap, sizeof *j->files);
    }
    return link ? take_link_line(j, rest) : take_file_line(j, rest);
}

static int take_done(struct image_job *j, char *rest)
{
    char *hex = strchr(rest, ' ');
    if (!hex)
        return -EPROTO;
    *hex++ = '\0';
    str_copy(j->done_hex, sizeof j->done_hex, hex);
    j->reported = true;
    return str_to_u64(rest, IMAGE_BYTES_MAX, &j->done_bytes);
}

static int take_progress(struct image_job *j, char *rest)
{
    uint64_t current, total;
    char *second = strchr(rest, ' ');
    if (!second)
        return -EPROTO;
    *second++ = '\0';
    if (str_to_u64(rest, UINT64_MAX, &current) != 0 || str_to_u64(second, UINT64_MAX, &total) != 0)
        return -EPROTO;
    if (j->building < j->plan.nlayers && *j->plan.layers[j->building].label)
        job_say(j, str_eq(j->action, "pull") ? "Extracting" : "Loading layer",
                j->plan.layers[j->building].label, current, total);
    return 0;
}

static int take_parent(struct image_job *j, char *rest)
{
    if (j->building >= j->plan.nlayers || unpack_decode(rest) < 0)
        return -EPROTO;
    strv_push(&j->plan.layers[j->building].implicit, mem_str(rest));
    return 0;
}

static int take_report(struct image_job *j, char *line)
{
    char *rest = strchr(line, ' ');
    if (!rest)
        return -EPROTO;
    *rest++ = '\0';
    if (str_eq(line, "file") || str_eq(line, "link"))
        return take_name(j, str_eq(line, "link"), rest);
    if (str_eq(line, "progress"))
        return take_progress(j, rest);
    if (str_eq(line, "parent"))
        return take_parent(j, rest);
    if (str_eq(line, "done"))
        return take_done(j, rest);
    if (str_eq(line, "error")) {
        err_set(&j->err, -EPROTO, "Error processing tar file(exit status 1): %s", rest);
        return 0;
    }
    return -EPROTO;
}

static void on_report(void *data, const char *line, size_t n)
{
    struct image_job *j = data;
    AUTO_FREE char *copy = mem_strn(line, n);
    if (!j->err.text[0] && take_report(j, copy) < 0) {
        err_set(&j->err, -EPROTO, "the unpacking child reported what cannot be: %.100s", line);
        child_kill(j->child, SIGKILL);
    }
}

void job_unpack(struct image_job *j, const char *mode, const char *archive, const char *dir,
                void (*next_step)(struct image_job *j))
{
    char max[24];
    AUTO_CLOSE int in = open(archive, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
    AUTO_CLOSE int out = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
    struct stat st;
    if (in < 0 || out < 0 || fstat(in, &st) < 0) {
        job_end(j, err_sys(&j->err, errno, "cannot read %s", archive));
        return;
    }
    if (!S_ISREG(st.st_mode)) {
        job_end(j, err_set(&j->err, -EINVAL, "%s is not a file", archive));
        return;
    }
    snprintf(max, sizeof max, "%llu", (unsigned long long)j->bytes_left);
    const char *argv[] = {j->s->self_exe, "image-unpack", mode, max, NULL};
    static const char *const env[] = {NULL};
    struct child_fd third = {.fd = out, .as = 3};
    struct child_spec spec = {
        .argv = argv,
        .env = env,
        .in = {.from = CHILD_FD, .fd = in},
        .out = {.to = CHILD_LINES, .max = REPORT_LINE_MAX, .on_line = on_report},
        .err = {.to = CHILD_CAPTURE, .max = CHILD_STDERR_MAX},
        .fds = &third,
        .nfds = 1,
    };
    j->reported = false;
    job_child(j, &spec, next_step);
}

/* ---- layers ---- */

static void build_next(struct image_job *j);

static int check_layer(struct image_job *j, struct plan_layer *l)
{
    if (!j->reported || !str_is_hex(j->done_hex, 64))
        return err_set(&j->err, -EPROTO, "the unpacking child ended without a report");
    if (*l->hex && !str_eq(l->hex, j->done_hex))
        return err_set(&j->err, -EPROTO,
                       "invalid diffID for layer: expected \"sha256:%s\", got \"sha256:%s\"",
                       l->hex, j->done_hex);
    str_copy(l->hex, sizeof l->hex, j->done_hex);
    l->size = j->done_bytes;
    j->bytes_left -= j->done_bytes < j->bytes_left ? j->done_bytes : j->bytes_left;
    return 0;
}

static int write_size(struct image_job *j, const struct plan_layer *l)
{
    char text[24];
    AUTO_FREE char *path = mem_printf("%s/size", l->dir);
    int n = snprintf(text, sizeof text, "%llu", (unsigned long long)l->size);
    return file_write(path, text, (size_t)n, 0600, &j->err);
}

static void on_layer_unpacked(struct image_job *j)
{
    struct plan_layer *l = &j->plan.layers[j->building];
    struct stat st;
    int r = check_layer(j, l);
    if (r == 0)
        r = write_size(j, l);
    if (r < 0) {
        job_end(j, r);
        return;
    }
    if (str_eq(j->action, "pull"))
        job_say(j, "Pull complete", l->label, 0, 0);
    else if (str_eq(j->action, "load") && stat(l->source, &st) == 0)
        job_say(j, "Loading layer", l->label, (uint64_t)st.st_size, (uint64_t)st.st_size);
    j->building++;
    build_next(j);
}

static void build_next(struct image_job *j)
{
    for (; j->building < j->plan.nlayers; j->building++) {
        struct plan_layer *l = &j->plan.layers[j->building];
        struct layer *have = *l->hex ? store_layer(j->s, l->hex) : NULL;
        if (!have)
            break;
        store_layer_need(have); /* it must not go while this job counts on it */
        l->layer = have;
    }
    if (j->building == j->plan.nlayers) {
        j->layers_ready(j);
        return;
    }
    struct plan_layer *l = &j->plan.layers[j->building];
    l->dir = mem_printf("%s/layer-%zu", j->dir, j->building);
    AUTO_FREE char *fs = mem_printf("%s/fs", l->dir);
    if (mkdir(l->dir, 0700) < 0 || mkdir(fs, 0755) < 0 || chmod(fs, 0755) < 0) {
        job_end(j, err_sys(&j->err, errno, "cannot make %s", fs));
        return;
    }
    job_unpack(j, "layer", l->source, fs, on_layer_unpacked);
}

static void commit_and_end(struct image_job *j)
{
    job_end(j, job_commit(j));
}

void job_build(struct image_job *j)
{
    if (!j->layers_ready)
        j->layers_ready = commit_and_end;
    build_next(j);
}
