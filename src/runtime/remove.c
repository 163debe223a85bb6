/* runtime/remove.c - a container goes: killed if it must be, unmounted, its files deleted, its
 * image released. */
#include <errno.h>
#include <signal.h>
#include <stdlib.h>

#include "base/log.h"
#include "base/mem.h"
#include "loop/file.h"
#include "runtime/internal.h"

static void delete_in_pool(struct op *op)
{
    struct err e = {0};
    op->result = 0;
    for (size_t i = 0; op->paths[i]; i++) {
        int r = file_remove_tree(op->paths[i], &e);
        if (r != 0 && op->result == 0) {
            op->result = r;
            op->err = e;
        }
    }
}

static void on_files_gone(struct op *op)
{
    struct ct *c = op->c;
    if (op->result != 0) { /* may be tried again */
        c->pub.state = CONTAINER_DEAD;
        ct_set_error(c, err_text(&op->err));
        op_end(op, err_wrap(&op->err, op->result, "cannot remove container %s", c->pub.id));
        return;
    }
    image_release(op->rt->images, c->pub.image_id);
    waits_tell(c, true);
    rt_emit_simple(c, "destroy");
    c->gone = true;
    op_end(op, 0);
}

static void on_cleaned(struct op *op)
{
    struct ct *c = op->c;
    strv_push(&op->paths, mem_str(c->exec_dir));
    /* First the record, then the rest: a daemon that dies in between finds no half a container. */
    strv_push(&op->paths, mem_printf("%s/config.json", c->data_dir));
    strv_push(&op->paths, mem_str(c->data_dir));
    op_in_pool(op, delete_in_pool, on_files_gone);
}

/* Back in the queue once the container has ended. */
static void on_killed(struct op *op)
{
    TAILQ_REMOVE(&op->c->waiters, op, wait);
    op_queue(op, true);
}

static void kill_first(struct op *op)
{
    struct ct *c = op->c;
    int r = exit_signal(c, SIGKILL);
    if (r != 0 && r != -ESRCH) {
        op_end(op, err_sys(&op->err, -r, "Could not kill running container %s, cannot remove",
                           c->pub.id));
        return;
    }
    const struct runtime_event ev = {.action = "kill", .c = &c->pub, .signal = SIGKILL};
    rt_emit(c, &ev);
    op->on_exit = on_killed;
    op_release(op);
}

static void on_resumed(void *data, const struct child_result *r)
{
    (void)r; /* what could not be thawed is killed all the same */
    kill_first(data);
}

void remove_run(struct op *op)
{
    struct ct *c = op->c;
    const char *const resume[] = {"resume", c->pub.id, NULL};
    if (ct_running(c) && !op->force) {
        const char *what = c->pub.state == CONTAINER_PAUSED ? "paused" : "running";
        op_end(op, err_set(&op->err, RUNTIME_CONFLICT, "You cannot remove a %s container %s. %s",
                           what, c->pub.id,
                           c->pub.state == CONTAINER_PAUSED
                               ? "Unpause and then stop the container before attempting removal or "
                                 "force remove"
                               : "Stop the container before attempting removal or force remove"));
        return;
    }
    if (c->pub.state == CONTAINER_PAUSED && op_run_oci(op, resume, on_resumed) == 0)
        return;
    if (ct_running(c)) {
        kill_first(op);
        return;
    }
    c->pub.state = CONTAINER_REMOVING;
    hub_close(c);
    clean_up(op, on_cleaned);
}

/* Two removals at once: the second finds the container gone. */
static void remove_once(struct op *op)
{
    if (op->c->pub.state == CONTAINER_REMOVING)
        op_end(op, err_set(&op->err, RUNTIME_CONFLICT,
                           "removal of container %s is already in progress", op->c->pub.id));
    else
        remove_run(op);
}

void runtime_remove(struct runtime *rt, struct container *c, bool force, runtime_on_done d,
                    void *arg)
{
    struct op *op = op_new(ct_of(c), remove_once, d, arg);
    (void)rt;
    op->force = force;
    op_queue(op, false);
}
