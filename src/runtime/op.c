/* runtime/op.c - operations in order, at most RUNTIME_PARALLEL at once, one at a time for a
 * container. */
#include <errno.h>
#include <stdlib.h>

#include "base/mem.h"
#include "runtime/internal.h"
#include "runtime/tools.h"

struct op *op_new(struct ct *c, void (*run)(struct op *op), runtime_on_done done, void *arg)
{
    struct op *op = NEW(struct op);
    op->rt = c->rt;
    op->c = ct_hold(c);
    op->run = run;
    op->done = done;
    op->arg = arg;
    op->timeout_s = -1;
    op->text = BUF_INIT(CHILD_TEXT_MAX);
    return op;
}

void op_queue(struct op *op, bool first)
{
    if (first)
        TAILQ_INSERT_HEAD(&op->rt->pending, op, link);
    else
        TAILQ_INSERT_TAIL(&op->rt->pending, op, link);
    deferred_ask(op->rt->pump);
}

void ops_pump(void *arg)
{
    struct runtime *rt = arg;
    struct op *op, *next;
    for (op = TAILQ_FIRST(&rt->pending); op && rt->running < RUNTIME_PARALLEL; op = next) {
        next = TAILQ_NEXT(op, link);
        if (op->c->current && !op->shared)
            continue;
        TAILQ_REMOVE(&rt->pending, op, link);
        op->active = true;
        if (!op->shared)
            op->c->current = op;
        rt->running++;
        op->run(op);
        next = TAILQ_FIRST(&rt->pending); /* run may have changed the queue */
    }
}

static void give_back(struct op *op)
{
    if (!op->shared)
        op->c->current = NULL;
    op->active = false;
    op->rt->running--;
    deferred_ask(op->rt->pump);
}

void op_release(struct op *op)
{
    TAILQ_INSERT_TAIL(&op->c->waiters, op, wait);
    give_back(op);
}

static void on_timer_closed(uv_handle_t *h)
{
    free(h);
}

void op_tell(struct op *op, int r)
{
    if (op->told)
        return;
    op->told = true;
    op->result = r;
    if (op->done)
        op->done(op->arg, r, &op->err, op->c->gone ? NULL : &op->c->pub);
}

void op_end(struct op *op, int r)
{
    struct ct *c = op->c;
    op->told =
        op->told ||
        (op->active && op->rt->closing); /* what is under way when the daemon stops ends silently */
    if (op->active)
        give_back(op);
    else
        TAILQ_REMOVE(&c->waiters, op, wait);
    if (op->timer) {
        uv_timer_stop(op->timer);
        uv_close((uv_handle_t *)op->timer, on_timer_closed);
    }
    for (size_t i = 0; i < op->npayloads; i++)
        secret_buf_free(op->payloads[i]);
    free(op->payloads);
    op->payloads = NULL;
    op_tell(op, r);
    if (c->gone && c->linked)
        ct_unlink(c);
    strv_free(op->paths);
    buf_free(&op->text);
    free(op);
    ct_put(c);
}

void ops_cancel(struct ct *c, int r, const char *why)
{
    struct op *op, *next;
    for (op = TAILQ_FIRST(&c->rt->pending); op; op = next) {
        next = TAILQ_NEXT(op, link);
        if (op->c != c)
            continue;
        TAILQ_REMOVE(&c->rt->pending, op, link);
        TAILQ_INSERT_TAIL(&c->waiters, op, wait);
    }
    while ((op = TAILQ_FIRST(&c->waiters)))
        op_end(op, err_set(&op->err, r, "%s", why));
}

void ops_exited(struct ct *c)
{
    struct op_queue ready;
    TAILQ_INIT(&ready);
    TAILQ_CONCAT(&ready, &c->waiters, wait);
    for (struct op *op; (op = TAILQ_FIRST(&ready));) {
        TAILQ_REMOVE(&ready, op, wait);
        TAILQ_INSERT_TAIL(&c->waiters, op, wait);
        op->on_exit(op);
    }
}

static void on_work(uv_work_t *w)
{
    struct op *op = w->data;
    op->work_run(op);
}

static void on_worked(uv_work_t *w, int status)
{
    struct op *op = w->data;
    (void)status; /* never cancelled */
    op->work_done(op);
}

void op_in_pool(struct op *op, void (*run)(struct op *op), void (*done)(struct op *op))
{
    op->work.data = op;
    op->work_run = run;
    op->work_done = done;
    uv_queue_work(op->rt->loop, &op->work, on_work, on_worked); /* cannot fail with a callback */
}

int op_run_oci(struct op *op, const char *const *args, child_exit_cb *on_exit)
{
    AUTO_STRV char **argv = tools_oci_argv(op->rt, args);
    struct child_spec spec = {
        .argv = (const char *const *)argv,
        .out = {.to = CHILD_NULL},
        .err = {.to = CHILD_CAPTURE, .max = CHILD_TEXT_MAX},
        .timeout_ms = CHILD_TIMEOUT_MS,
        .on_exit = on_exit,
        .data = op,
    };
    return child_start(op->rt->loop, &spec, NULL, &op->err);
}
