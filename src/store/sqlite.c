/* store/sqlite.c - the embedded engine: appends on libuv's pool, one transaction each. */
#include "store/sqlite.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

#include "base/log.h"
#include "base/mem.h"
#include "store/sqlite_db.h"

typedef void done_fn(void *arg, int r, const struct err *e);

struct engine {
    struct log_engine g; /* first */
    uv_loop_t *loop;
    int dir; /* locked */
    struct sqlite_db *writer, *reader;
    uv_mutex_t writing; /* an append that starts while the journal is folded waits on the pool */
    struct job *append, *fold;
    size_t journal;
    uv_timer_t *idle;
    bool fold_failed; /* said so; not again before it works */
};

/* One piece of work for the pool. It outlives the engine when the engine is closed before libuv
 * hands it back. */
struct job {
    uv_work_t req;
    struct engine *engine;
    void (*run)(struct job *j);
    void (*deliver)(struct job *j);
    uv_sem_t finished;
    bool delivered;
    const struct log_entry *entries;
    size_t n;
    done_fn *done;
    void *arg;
    int r;
    size_t journal;
    struct err err;
};

static void on_pool(uv_work_t *req)
{
    struct job *j = req->data;
    j->run(j);
    uv_sem_post(&j->finished);
}

static void on_worked(uv_work_t *req, int status)
{
    struct job *j = req->data;
    (void)status; /* cancelled only by job_finish, which has run it itself */
    if (!j->delivered)
        j->deliver(j);
    uv_sem_destroy(&j->finished);
    free(j);
}

static struct job *job_start(struct engine *g, void (*run)(struct job *j),
                             void (*deliver)(struct job *j))
{
    struct job *j = NEW(struct job);
    j->req.data = j;
    j->engine = g;
    j->run = run;
    j->deliver = deliver;
    if (uv_sem_init(&j->finished, 0) < 0)
        abort();
    return j;
}

static void job_queue(struct job *j)
{
    if (uv_queue_work(j->engine->loop, &j->req, on_pool, on_worked) < 0)
        abort(); /* only when on_pool is NULL */
}

/* Waits for it here and now, and delivers it; the loop frees it later. */
static void job_finish(struct job *j)
{
    if (uv_cancel((uv_req_t *)&j->req) == 0)
        j->run(j);
    else
        uv_sem_wait(&j->finished);
    j->delivered = true;
    j->deliver(j);
}

/* ---- folding the journal ---- */

static void run_fold(struct job *j)
{
    struct engine *g = j->engine;
    uv_mutex_lock(&g->writing);
    j->r = sqlite_db_checkpoint(g->writer, &j->err);
    j->journal = sqlite_db_journal(g->writer);
    uv_mutex_unlock(&g->writing);
}

static void deliver_fold(struct job *j)
{
    struct engine *g = j->engine;
    g->fold = NULL;
    g->journal = j->journal;
    if (j->r < 0 && !g->fold_failed)
        log_warn("store: %s", err_text(&j->err));
    g->fold_failed = j->r < 0;
}

static void fold(struct engine *g)
{
    if (g->fold || g->journal == 0)
        return;
    g->fold = job_start(g, run_fold, deliver_fold);
    job_queue(g->fold);
}

static void on_idle(uv_timer_t *t)
{
    fold(t->data);
}

/* ---- the engine's functions ---- */

static int engine_load(struct log_engine *lg,
                       int (*on_record)(void *arg, const struct log_record *r), void *arg,
                       uint64_t *ret_index, struct err *e)
{
    struct engine *g = (struct engine *)lg;
    return sqlite_db_load(g->writer, on_record, arg, ret_index, e);
}

static void run_append(struct job *j)
{
    struct engine *g = j->engine;
    uv_mutex_lock(&g->writing);
    j->r = sqlite_db_append(g->writer, j->entries, j->n, &j->err);
    j->journal = sqlite_db_journal(g->writer);
    uv_mutex_unlock(&g->writing);
}

static void deliver_append(struct job *j)
{
    struct engine *g = j->engine;
    g->append = NULL;
    g->journal = j->journal;
    /* A fold that failed for want of space is tried again when idle, not after each append. */
    if (g->journal > SQLITE_LOG_JOURNAL_MAX && !g->fold_failed)
        fold(g);
    else if (g->journal > 0)
        uv_timer_start(g->idle, on_idle, SQLITE_LOG_IDLE_MS, 0);
    j->done(j->arg, j->r, &j->err); /* last: it may close the engine */
}

static void engine_append(struct log_engine *lg, const struct log_entry *entries, size_t n,
                          done_fn *done, void *arg)
{
    struct engine *g = (struct engine *)lg;
    if (g->append)
        abort(); /* one at a time, says the contract */
    struct job *j = g->append = job_start(g, run_append, deliver_append);
    j->entries = entries;
    j->n = n;
    j->done = done;
    j->arg = arg;
    job_queue(j);
}

static int engine_payload(struct log_engine *lg, const char *id, void **ret, size_t *ret_len,
                          uint64_t *ret_index, struct err *e)
{
    struct engine *g = (struct engine *)lg;
    return sqlite_db_payload(g->reader, id, ret, ret_len, ret_index, e);
}

static void engine_flush(struct log_engine *lg)
{
    struct engine *g = (struct engine *)lg;
    if (g->append)
        job_finish(g->append);
}

static void on_timer_closed(uv_handle_t *h)
{
    free(h);
}

static void engine_close(struct log_engine *lg)
{
    struct engine *g = (struct engine *)lg;
    engine_flush(lg);
    if (g->fold)
        job_finish(g->fold);
    if (g->idle) {
        uv_timer_stop(g->idle);
        uv_close((uv_handle_t *)g->idle, on_timer_closed);
    }
    sqlite_db_close(g->reader);
    sqlite_db_close(g->writer); /* the last connection folds and removes the journal */
    uv_mutex_destroy(&g->writing);
    if (g->dir >= 0)
        close(g->dir);
    free(g);
}

/* ---- opening ---- */

static int lock_dir(struct engine *g, const char *dir, struct err *e)
{
    g->dir = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (g->dir < 0)
        return err_sys(e, errno, "open '%s'", dir);
    if (flock(g->dir, LOCK_EX | LOCK_NB) < 0 && errno == EWOULDBLOCK)
        return err_set(e, -EBUSY, "'%s' is in use by another process", dir);
    /* Born private; the journal takes its mode from it. */
    AUTO_CLOSE int fd = openat(g->dir, "state.db", O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (fd < 0)
        return err_sys(e, errno, "open '%s/state.db'", dir);
    return 0;
}

static int open_in(struct engine *g, const char *dir, struct err *e)
{
    int r = lock_dir(g, dir, e);
    if (r < 0)
        return r;
    AUTO_FREE char *path = mem_printf("%s/state.db", dir);
    r = sqlite_db_open(path, true, &g->writer, e);
    if (r == 0)
        r = sqlite_db_open(path, false, &g->reader, e);
    if (r == 0 && fsync(g->dir) < 0)
        r = err_sys(e, errno, "sync '%s'", dir);
    return r;
}

int sqlite_log_open(uv_loop_t *loop, const char *dir, struct log_engine **ret, struct err *e)
{
    struct engine *g = NEW(struct engine);
    g->g = (struct log_engine){.load = engine_load,
                               .append = engine_append,
                               .payload = engine_payload,
                               .flush = engine_flush,
                               .close = engine_close};
    g->loop = loop;
    g->dir = -1;
    if (uv_mutex_init(&g->writing) < 0)
        abort();
    int r = open_in(g, dir, e);
    if (r < 0) {
        engine_close(&g->g);
        return r;
    }
    g->idle = NEW(uv_timer_t);
    uv_timer_init(loop, g->idle);
    g->idle->data = g;
    uv_unref((uv_handle_t *)g->idle); /* housekeeping keeps no loop alive */
    *ret = &g->g;
    return 0;
}
