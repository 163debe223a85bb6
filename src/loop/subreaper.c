/* loop/subreaper.c - looks before it reaps, so that libuv's own children stay libuv's. */
#include "loop/subreaper.h"

#include <errno.h>
#include <signal.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include "base/log.h"
#include "base/mem.h"
#include "loop/child.h"
#include "loop/deferred.h"

struct subreaper {
    uv_signal_t handle;
    struct deferred *again;
    subreaper_cb *on_reaped;
    void *data;
    bool closing;
};

static void reap_one(struct subreaper *s, pid_t pid)
{
    int st = 0;
    if (waitpid(pid, &st, WNOHANG) != pid)
        return;
    if (s->on_reaped)
        s->on_reaped(s->data, pid, WIFEXITED(st) ? WEXITSTATUS(st) : -1,
                     WIFSIGNALED(st) ? WTERMSIG(st) : 0);
}

static void reap_orphans(void *data)
{
    struct subreaper *s = data;
    while (!s->closing) {
        siginfo_t who = {0};
        if (waitid(P_ALL, 0, &who, WEXITED | WNOHANG | WNOWAIT) < 0) {
            if (errno != EINTR && errno != ECHILD)
                log_error("cannot look for ended children: %s", strerrordesc_np(errno));
            if (errno != EINTR)
                return;
            continue;
        }
        if (who.si_pid == 0)
            return;
        if (child_known(who.si_pid)) {
            /* The kernel shows this one until libuv has waited for it, and hides those behind it.
             * libuv does so when it handles the same signal, in this very turn: look again after
             * that. */
            deferred_ask(s->again);
            return;
        }
        reap_one(s, who.si_pid);
    }
}

static void on_sigchld(uv_signal_t *h, int signum)
{
    (void)signum;
    reap_orphans(h->data);
}

static void on_closed(uv_handle_t *h)
{
    free(h->data);
}

int subreaper_start(uv_loop_t *loop, subreaper_cb *on_reaped, void *data, struct subreaper **ret,
                    struct err *e)
{
    if (prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0) < 0)
        return err_sys(e, errno, "become the reaper of orphans");
    struct subreaper *s = NEW(struct subreaper);
    s->on_reaped = on_reaped;
    s->data = data;
    int r = uv_signal_init(loop, &s->handle);
    if (r < 0) {
        free(s);
        return err_sys(e, r, "watch for ended children");
    }
    s->handle.data = s;
    s->again = deferred_new(loop, reap_orphans, s);
    uv_unref((uv_handle_t *)&s->handle);
    r = uv_signal_start(&s->handle, on_sigchld, SIGCHLD);
    if (r < 0) {
        subreaper_free(s);
        return err_sys(e, r, "watch for ended children");
    }
    deferred_ask(s->again); /* some may have ended before we watched */
    *ret = s;
    return 0;
}

void subreaper_free(struct subreaper *s)
{
    if (!s || s->closing)
        return;
    s->closing = true;
    prctl(PR_SET_CHILD_SUBREAPER, 0, 0, 0, 0); /* cannot fail with this argument */
    deferred_free(s->again);
    uv_close((uv_handle_t *)&s->handle, on_closed);
}
