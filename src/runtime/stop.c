/* runtime/stop.c - stop, kill, pause. Signals go by the pidfd, so that they reach this process and
 * no later owner of its number. */
#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "base/mem.h"
#include "base/str.h"
#include "runtime/internal.h"
#include "runtime/tools.h"

enum { STOP_TIMEOUT_S = 10, KILL_WAIT_S = 10, STOP_TIMEOUT_MAX_S = 365 * 86400 };

static void start_timer(struct op *op, int64_t seconds, uv_timer_cb cb)
{
    if (!op->timer) {
        op->timer = NEW(uv_timer_t);
        uv_timer_init(op->rt->loop, op->timer);
        op->timer->data = op;
    }
    uv_timer_start(op->timer, cb, seconds > 0 ? (uint64_t)seconds * 1000 : 1, 0);
}

static void on_thawed(void *data, const struct child_result *r)
{
    (void)data;
    if (r->status != 0)
        log_warn("a paused container could not be resumed: %s", r->err->p);
}

/* A frozen process takes its signal when it is thawed. */
static void thaw(struct ct *c)
{
    const char *const args[] = {"resume", c->pub.id, NULL};
    struct err e = {0};
    if (c->pub.state != CONTAINER_PAUSED)
        return;
    AUTO_STRV char **argv = tools_oci_argv(c->rt, args);
    struct child_spec spec = {
        .argv = (const char *const *)argv,
        .err = {.to = CHILD_CAPTURE, .max = CHILD_TEXT_MAX},
        .timeout_ms = CHILD_TIMEOUT_MS,
        .on_exit = on_thawed,
    };
    c->pub.state = CONTAINER_RUNNING;
    if (child_start(c->rt->loop, &spec, NULL, &e) != 0)
        log_warn("container %.12s: %s", c->pub.id, err_text(&e));
}

static int signal_it(struct op *op, int signal)
{
    struct ct *c = op->c;
    int r = exit_signal(c, signal);
    if (r != 0 && r != -ESRCH)
        return err_sys(&op->err, -r, "cannot send signal %d", signal);
    const struct runtime_event ev = {.action = "kill", .c = &c->pub, .signal = signal};
    rt_emit(c, &ev);
    return 0;
}

static void on_ended(struct op *op)
{
    if (op->is_stop)
        rt_emit_simple(op->c, "stop");
    op_end(op, 0);
}

static void on_still_there(uv_timer_t *t)
{
    struct op *op = t->data;
    op_end(op, err_set(&op->err, -ETIMEDOUT,
                       "tried to kill container, but did not receive an exit event"));
}

static void on_grace_over(uv_timer_t *t)
{
    struct op *op = t->data;
    int r = signal_it(op, SIGKILL);
    thaw(op->c);
    if (r != 0)
        op_end(op, r);
    else
        start_timer(op, KILL_WAIT_S, on_still_there);
}

static int own_signal(const struct ct *c)
{
    int n =
        str_empty(c->config->stop_signal) ? SIGTERM : runtime_signal_number(c->config->stop_signal);
    return n > 0 ? n : SIGTERM;
}

static void stop_run(struct op *op)
{
    struct ct *c = op->c;
    int64_t grace = op->timeout_s >= 0 ? op->timeout_s : c->config->stop_timeout_s;
    if (grace < 0)
        grace = STOP_TIMEOUT_S;
    if (!ct_running(c)) {
        op_end(op, err_set(&op->err, RUNTIME_NOT_MODIFIED, "Container %s is already stopped",
                           c->pub.id));
        return;
    }
    int r = signal_it(op, op->signal ? op->signal : own_signal(c));
    thaw(c);
    if (r != 0) {
        op_end(op, r);
        return;
    }
    op->is_stop = true;
    op->on_exit = on_ended;
    start_timer(op, grace < STOP_TIMEOUT_MAX_S ? grace : STOP_TIMEOUT_MAX_S, on_grace_over);
    op_release(op);
}

void runtime_stop(struct runtime *rt, struct container *c, int signal, int64_t timeout_s,
                  runtime_on_done d, void *arg)
{
    struct op *op = op_new(ct_of(c), stop_run, d, arg);
    (void)rt;
    op->signal = signal;
    op->timeout_s = timeout_s;
    op_queue(op, false);
}

static void kill_run(struct op *op)
{
    struct ct *c = op->c;
    if (!ct_running(c)) {
        op_end(op, err_set(&op->err, RUNTIME_CONFLICT,
                           "Cannot kill container: %s: Container %s is not running",
                           c->config->name, c->pub.id));
        return;
    }
    int r = signal_it(op, op->signal);
    if (r != 0 || op->signal != SIGKILL) {
        op_end(op, r);
        return;
    }
    thaw(c);
    op->on_exit = on_ended;
    start_timer(op, KILL_WAIT_S, on_still_there);
    op_release(op);
}

void runtime_kill(struct runtime *rt, struct container *c, int signal, runtime_on_done d, void *arg)
{
    struct op *op = op_new(ct_of(c), kill_run, d, arg);
    (void)rt;
    op->signal = signal > 0 ? signal : SIGKILL;
    op_queue(op, false);
}

/* ---- pause ---- */

static void on_paused(void *data, const struct child_result *r)
{
    struct op *op = data;
    struct ct *c = op->c;
    struct err e = {0};
    if (r->status != 0) {
        op_end(op, err_set(&op->err, -EIO, "Cannot %s container %s: %s",
                           op->pause ? "pause" : "unpause", c->pub.id, r->err->p));
        return;
    }
    c->pub.state = op->pause ? CONTAINER_PAUSED : CONTAINER_RUNNING;
    if (ct_save_state(c, &e) != 0)
        log_error("container %.12s: %s", c->pub.id, err_text(&e));
    rt_emit_simple(c, op->pause ? "pause" : "unpause");
    op_end(op, 0);
}

static void pause_run(struct op *op)
{
    struct ct *c = op->c;
    const char *const args[] = {op->pause ? "pause" : "resume", c->pub.id, NULL};
    int r = 0;
    if (!ct_running(c))
        r = err_set(&op->err, RUNTIME_CONFLICT, "Container %s is not running", c->pub.id);
    else if (op->pause && c->pub.state == CONTAINER_PAUSED)
        r = err_set(&op->err, RUNTIME_CONFLICT, "Container %s is already paused", c->config->name);
    else if (!op->pause && c->pub.state != CONTAINER_PAUSED)
        r = err_set(&op->err, RUNTIME_CONFLICT, "Container %s is not paused", c->config->name);
    if (r == 0)
        r = op_run_oci(op, args, on_paused);
    if (r != 0)
        op_end(op, r);
}

void runtime_pause(struct runtime *rt, struct container *c, bool pause, runtime_on_done d,
                   void *arg)
{
    struct op *op = op_new(ct_of(c), pause_run, d, arg);
    (void)rt;
    op->pause = pause;
    op_queue(op, false);
}
