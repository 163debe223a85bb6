/* runtime/wait.c - who waits for a container's end. */
#include <stdlib.h>

#include "base/mem.h"
#include "runtime/internal.h"

struct wait_handle *runtime_wait(struct runtime *rt, struct container *pub, enum wait_for what,
                                 void (*on_exit)(void *arg, int exit_code, const char *error),
                                 void *arg)
{
    struct ct *c = ct_of(pub);
    struct wait_handle *w = NEW(struct wait_handle);
    w->c = c;
    w->what = what;
    w->on_exit = on_exit;
    w->arg = arg;
    /* A container that was created and not started is "not running" already. */
    if (what == WAIT_NOT_RUNNING && !ct_running(c)) {
        w->due = true;
        w->exit_code = c->pub.exit_code;
        w->error = mem_str(c->error);
        deferred_ask(rt->wake);
    }
    TAILQ_INSERT_TAIL(&c->waits, w, link);
    return w;
}

static void wait_free(struct wait_handle *w)
{
    TAILQ_REMOVE(&w->c->waits, w, link);
    free(w->error);
    free(w);
}

void runtime_wait_cancel(struct wait_handle *w)
{
    if (w)
        wait_free(w);
}

static void wait_call(struct wait_handle *w)
{
    AUTO_FREE char *error = TAKE(w->error);
    int code = w->exit_code;
    void (*cb)(void *, int, const char *) = w->on_exit;
    void *arg = w->arg;
    wait_free(w);
    cb(arg, code, error);
}

void waits_tell(struct ct *c, bool removed)
{
    struct wait_handle *w;
    bool any = false;
    TAILQ_FOREACH(w, &c->waits, link)
    {
        if (w->due || (!removed && w->what == WAIT_REMOVED))
            continue;
        w->due = any = true;
        w->exit_code = c->pub.exit_code;
        w->error = mem_str(c->error);
    }
    if (any)
        deferred_ask(c->rt->wake);
}

void waits_run_due(struct runtime *rt)
{
    struct ct *c;
    struct wait_handle *w;
again:
    TAILQ_FOREACH(c, &rt->all, age)
    {
        TAILQ_FOREACH(w, &c->waits, link)
        {
            if (w->due) {
                wait_call(w); /* may change both lists */
                goto again;
            }
        }
    }
}

void waits_drop(struct ct *c)
{
    struct wait_handle *w;
    while ((w = TAILQ_FIRST(&c->waits))) {
        w->due = true;
        if (!w->error)
            w->error = mem_str("");
        w->exit_code = c->pub.exit_code;
        if (c->rt->closing)
            wait_free(w);
        else
            wait_call(w);
    }
}
