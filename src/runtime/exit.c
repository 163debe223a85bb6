/* runtime/exit.c - noticing that a container has ended, and clearing away what it had.
 *
 * The kernel tells the end by the pidfd; conmon writes the exit code to a file a moment later (and
 * inotify tells that). A conmon that was killed writes nothing: then the code is EXIT_UNKNOWN after
 * a short wait. */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/str.h"
#include "loop/file.h"
#include "runtime/internal.h"
#include "runtime/rootfs.h"
#include "runtime/secrets.h"

enum { EXIT_UNKNOWN = 255, EXIT_FILE_TRIES = 200, EXIT_FILE_PAUSE_MS = 10 };

/* Field 22 of /proc/PID/stat; the name in field 2 may hold blanks and brackets. */
uint64_t exit_pid_start(int pid)
{
    char path[40];
    AUTO_BUF struct buf b = BUF_INIT(4096);
    snprintf(path, sizeof path, "/proc/%d/stat", pid);
    if (buf_read_file(&b, path, NULL) != 0)
        return 0;
    const char *p = strrchr(b.p, ')');
    for (int field = 2; p && field < 22; field++) {
        p = strchr(p, ' ');
        p = p ? p + 1 : NULL;
    }
    unsigned long long ticks;
    return p && sscanf(p, "%llu", &ticks) == 1 ? ticks : 0;
}

int exit_signal(struct ct *c, int signal)
{
    if (c->pidfd < 0)
        return -ESRCH;
    return syscall(SYS_pidfd_send_signal, c->pidfd, signal, NULL, 0) == 0 ? 0 : -errno;
}

/* ---- watching ---- */

static void free_handle(uv_handle_t *h)
{
    free(h);
}

void exit_unwatch(struct ct *c)
{
    if (c->exit_poll)
        uv_close((uv_handle_t *)TAKE(c->exit_poll), free_handle);
    if (c->exit_timer)
        uv_close((uv_handle_t *)TAKE(c->exit_timer), free_handle);
    if (c->pidfd >= 0)
        close(TAKE_FD(c->pidfd));
}

static void on_ended(uv_poll_t *h, int status, int events)
{
    struct ct *c = h->data;
    (void)status, (void)events;
    uv_poll_stop(h);
    exit_queue_reap(c);
}

int exit_watch(struct ct *c, int pid, struct err *e)
{
    exit_unwatch(c);
    c->exit_seen = false;
    c->pid_start = exit_pid_start(pid);
    c->pidfd = (int)syscall(SYS_pidfd_open, pid, 0);
    if (c->pidfd < 0)
        return err_sys(e, errno, "cannot watch the container's process");
    fcntl(c->pidfd, F_SETFD, FD_CLOEXEC);
    c->exit_poll = NEW(uv_poll_t);
    c->exit_poll->data = c;
    int r = uv_poll_init(c->rt->loop, c->exit_poll, c->pidfd);
    if (r != 0) {
        free(TAKE(c->exit_poll));
        return err_sys(e, -r, "cannot watch the container's process");
    }
    uv_poll_start(c->exit_poll, UV_READABLE, on_ended);
    return 0;
}

/* ---- clearing away: used after an exit, after a start that failed, and before removing ---- */

static char *exit_file(const struct ct *c)
{
    return mem_printf("%s/%s", c->rt->exits_dir, c->pub.id);
}

static void unmount_in_pool(struct op *op)
{
    rootfs_unmount(op->paths[0]);
    for (size_t i = 1; op->paths[i]; i++)
        if (unlink(op->paths[i]) != 0 && errno != ENOENT && !op->err.text[0])
            (void)err_sys(&op->err, errno, "cannot remove %s", op->paths[i]);
}

static void on_unmounted(struct op *op)
{
    void (*then)(struct op *) = op->on_exit;
    struct ct *c = op->c;
    op->on_exit = NULL;
    network_detach(op->rt->network, c->pub.id);
    c->endpoint = (struct network_endpoint){0};
    c->pub.endpoint = NULL;
    c->prepared = false;
    strv_free(TAKE(op->paths));
    then(op);
}

static void on_deleted(void *data, const struct child_result *r)
{
    static const char *const leftovers[] = {"ctr.pid", "conmon.pid", "attach",    "ctl",
                                            "winsz",   "oom",        "conmon.err"};
    struct op *op = data;
    struct ct *c = op->c;
    if (r && r->status != 0 && !strstr(r->err->p, "No such file") &&
        !strstr(r->err->p, "does not exist"))
        log_warn("container %.12s: %s delete: %s", c->pub.id, op->rt->name, r->err->p);
    strv_push(&op->paths, mem_str(c->rootfs));
    for (size_t i = 0; i < sizeof leftovers / sizeof leftovers[0]; i++)
        strv_push(&op->paths, mem_printf("%s/%s", c->exec_dir, leftovers[i]));
    strv_push(&op->paths, exit_file(c));
    op_in_pool(op, unmount_in_pool, on_unmounted);
}

/* Secrets first: nothing later may fail and leave them. */
void clean_up(struct op *op, void (*then)(struct op *op))
{
    struct ct *c = op->c;
    struct err e = {0};
    if (c->config->nsecrets > 0 && secrets_wipe(c->secrets_dir, &e) != 0)
        log_error("container %.12s: %s", c->pub.id, err_text(&e));
    op->on_exit = then;
    AUTO_FREE char *state = mem_printf("%s/%s", op->rt->state_root, c->pub.id);
    const char *const args[] = {"delete", "--force", c->pub.id, NULL};
    if (!file_exists(state)) {
        on_deleted(op, NULL);
    } else if (op_run_oci(op, args, on_deleted) != 0) {
        log_error("container %.12s: %s", c->pub.id, err_text(&op->err));
        on_deleted(op, NULL);
    }
}

/* ---- reaping ---- */

static bool read_exit_code(struct ct *c, int *ret)
{
    char line[16];
    uint64_t v;
    AUTO_FREE char *path = exit_file(c);
    if (file_read_line(path, line, sizeof line, NULL) != 0 || str_to_u64(line, 255, &v) != 0)
        return false;
    *ret = (int)v;
    return true;
}

/* The kernel counts in the container's own cgroup, which is there until the runtime deletes it. */
static bool was_oom_killed(const struct ct *c)
{
    for (int i = 0; i < 2; i++) { /* cgroup v1, v2 */
        AUTO_BUF struct buf b = BUF_INIT(4096);
        AUTO_FREE char *path = i == 0 ? mem_printf("/sys/fs/cgroup/memory%s/%s/memory.oom_control",
                                                   c->rt->cgroup_parent, c->pub.id)
                                      : mem_printf("/sys/fs/cgroup%s/%s/memory.events",
                                                   c->rt->cgroup_parent, c->pub.id);
        const char *count = buf_read_file(&b, path, NULL) == 0 ? strstr(b.p, "oom_kill ") : NULL;
        if (count)
            return count[strlen("oom_kill ")] != '0';
    }
    return false;
}

static void on_reaped(struct op *op)
{
    struct ct *c = op->c;
    struct err e = {0};
    c->reaping = false;
    c->pub.pid = 0;
    c->pub.state = CONTAINER_EXITED;
    if (ct_save_state(c, &e) != 0)
        log_error("container %.12s: %s", c->pub.id, err_text(&e));
    if (c->pub.oom_killed)
        rt_emit_simple(c, "oom");
    const struct runtime_event ev = {.action = "die", .c = &c->pub, .exit_code = c->pub.exit_code};
    rt_emit(c, &ev);
    rt_emit_disconnect(c);
    waits_tell(c, false);
    ops_exited(c);
    bool removed_by_other = c->pub.state == CONTAINER_REMOVING;
    if (c->config->auto_remove && !removed_by_other && !op->rt->closing)
        op_queue(op_new(c, remove_run, NULL, NULL), true);
    op_end(op, 0);
}

static void reap_run(struct op *op);

static void on_try_again(uv_timer_t *t)
{
    struct ct *c = t->data;
    reap_run(c->current);
}

static void reap_run(struct op *op)
{
    struct ct *c = op->c;
    int code = EXIT_UNKNOWN;
    if (!read_exit_code(c, &code) && c->exit_tries++ < EXIT_FILE_TRIES) {
        if (!c->exit_timer) {
            c->exit_timer = NEW(uv_timer_t);
            uv_timer_init(c->rt->loop, c->exit_timer);
            c->exit_timer->data = c;
        }
        uv_timer_start(c->exit_timer, on_try_again, c->exit_tries < 5 ? 1 : EXIT_FILE_PAUSE_MS, 0);
        return;
    }
    c->pub.exit_code = code;
    c->pub.finished_ns = clock_wall_ns();
    c->pub.oom_killed = was_oom_killed(c);
    exit_unwatch(c);
    clean_up(op, on_reaped);
}

void exit_queue_reap(struct ct *c)
{
    c->exit_seen = !ct_running(c); /* ended before its start was told: start.c looks again */
    if (c->reaping || !ct_running(c))
        return;
    c->reaping = true;
    c->exit_tries = 0;
    op_queue(op_new(c, reap_run, NULL, NULL), true);
}
