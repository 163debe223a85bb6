/* runtime/start.c - a container begins to run: network, mounts, secrets, conmon, start. What fails
 * undoes all of it. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/str.h"
#include "runtime/internal.h"

static void on_undone(struct op *op)
{
    struct ct *c = op->c;
    struct err e = {0};
    rt_emit_disconnect(c);
    ct_set_error(c, err_text(&op->err));
    hub_close(c);
    if (ct_save_state(c, &e) != 0)
        log_error("container %.12s: %s", c->pub.id, err_text(&e));
    if (c->config->auto_remove)
        op_queue(op_new(c, remove_run, NULL, NULL), true);
    else
        waits_tell(c, false);
    op_end(op, op->result);
}

static void undo(struct op *op, int r)
{
    struct ct *c = op->c;
    op->result = r;
    c->pub.pid = 0;
    exit_unwatch(c);
    clean_up(op, on_undone);
}

static void on_started(void *data, const struct child_result *r)
{
    struct op *op = data;
    struct ct *c = op->c;
    struct err e = {0};
    if (r->status != 0) {
        int code;
        launch_error(op->rt, "failed to start shim task: OCI runtime start failed: ", c, r->err->p,
                     &op->err, &code);
        c->pub.exit_code = code;
        undo(op, code == 127 || code == 126 ? RUNTIME_BAD_REQUEST : -EIO);
        return;
    }
    c->pub.state = CONTAINER_RUNNING;
    c->pub.started_ns = clock_wall_ns();
    if (ct_save_state(c, &e) != 0)
        log_error("container %.12s: %s", c->pub.id, err_text(&e));
    rt_emit_simple(c, "start");
    if (c->exit_seen)
        exit_queue_reap(c);
    op_end(op, 0);
}

static void on_created(struct op *op, int r)
{
    struct ct *c = op->c;
    const char *const args[] = {"start", c->pub.id, NULL};
    if (r != 0) {
        undo(op, r);
        return;
    }
    hub_open(c);
    r = op_run_oci(op, args, on_started);
    if (r != 0)
        undo(op, r);
}

static void drop_payloads(struct op *op)
{
    for (size_t i = 0; i < op->npayloads; i++)
        secret_buf_free(op->payloads[i]);
    free(TAKE(op->payloads));
    op->npayloads = 0;
}

static void on_network(void *arg, int r, const struct err *e, const struct network_endpoint *ep)
{
    struct op *op = arg;
    struct ct *c = op->c;
    if (r != 0) {
        (void)err_set(&op->err, r, "%s", err_text(e));
        undo(op, r);
        return;
    }
    c->endpoint = *ep;
    c->pub.endpoint = &c->endpoint;
    rt_emit_connect(c);
    r = bundle_mount(c, &op->err);
    if (r == 0)
        r = bundle_write(c, op->payloads, &op->err);
    drop_payloads(op);
    if (r != 0)
        undo(op, r);
    else
        launch(op, on_created);
}

static int check_start(struct op *op)
{
    struct ct *c = op->c;
    if (c->pub.state == CONTAINER_PAUSED)
        return err_set(&op->err, RUNTIME_CONFLICT,
                       "cannot start a paused container, try unpause instead");
    if (ct_running(c))
        return err_set(&op->err, RUNTIME_NOT_MODIFIED, "Container %s is already running",
                       c->pub.id);
    if (c->pub.state == CONTAINER_REMOVING || c->pub.state == CONTAINER_DEAD)
        return err_set(&op->err, RUNTIME_CONFLICT,
                       "container is marked for removal and cannot be started");
    if (op->npayloads != c->config->nsecrets)
        return err_set(&op->err, RUNTIME_CONFLICT,
                       "unable to get secret from secret store: the secrets of %s are not here",
                       c->config->name);
    return 0;
}

static void start_run(struct op *op)
{
    struct ct *c = op->c;
    int r = check_start(op);
    if (r != 0) {
        drop_payloads(op);
        op_end(op, r);
        return;
    }
    ct_set_error(c, "");
    c->pub.exit_code = 0;
    c->pub.oom_killed = false;
    network_attach(op->rt->network, c->pub.id, c->config->network, on_network, op);
}

void runtime_start(struct runtime *rt, struct container *pub, struct secret_buf **payloads,
                   size_t n, runtime_on_done d, void *arg)
{
    struct op *op = op_new(ct_of(pub), start_run, d, arg);
    (void)rt;
    op->payloads = mem_array(n + 1, sizeof(*op->payloads));
    op->npayloads = n;
    for (size_t i = 0; i < n; i++) {
        op->payloads[i] = payloads[i];
        payloads[i] = NULL;
    }
    op_queue(op, false);
}

/* ---- ahead of the start ---- */

static void on_prepared_network(void *arg, int r, const struct err *e,
                                const struct network_endpoint *ep)
{
    struct op *op = arg;
    struct ct *c = op->c;
    if (r == 0) {
        c->endpoint = *ep;
        r = bundle_mount(c, &op->err);
    } else {
        (void)err_set(&op->err, r, "%s", err_text(e));
    }
    c->prepared = r == 0;
    if (r != 0) {
        undo(op, r);
        return;
    }
    op_end(op, 0);
}

static void prepare_run(struct op *op)
{
    struct ct *c = op->c;
    if (ct_running(c) || c->prepared || c->pub.state == CONTAINER_REMOVING) {
        op_end(op, 0);
        return;
    }
    network_attach(op->rt->network, c->pub.id, c->config->network, on_prepared_network, op);
}

void runtime_prepare(struct runtime *rt, struct container *pub, runtime_on_done d, void *arg)
{
    (void)rt;
    op_queue(op_new(ct_of(pub), prepare_run, d, arg), false);
}
