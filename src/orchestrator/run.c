/* orchestrator/run.c - see orchestrator/run.h. */
#include "orchestrator/run.h"

#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "loop/deferred.h"

#define RETRY_NS NS_PER_SEC

struct run {
    struct store *store;
    struct store_watch *watch;
    struct deferred *turn;
    uv_timer_t *timer; /* freed by its close callback */
    struct decider d[RUN_DECIDERS_MAX];
    size_t n;
    int64_t (*now)(void *arg);
    void *now_arg;
    int64_t retry_at; /* after a lost proposal; 0: none */
    struct proposal *pending;
};
struct proposal { /* on its way; outlives the run that made it */
    struct run *run;
    struct proposal *next;
};

static int64_t wall(void *arg)
{
    (void)arg;
    return clock_wall_ns();
}

static bool orchestrator_noted(void *self, const struct store *s, const struct store_event *ev)
{
    orchestrator_note(self, s, ev);
    return true;
}

static void orchestrator_noted_all(void *self)
{
    orchestrator_note_all(self);
}

static int64_t orchestrator_passed(void *self, const struct store *s, int64_t now,
                                   struct store_batch *out)
{
    int64_t wake;

    orchestrator_pass(self, s, now, out, &wake);
    return wake;
}

struct decider orchestrator_decider(struct orchestrator *o)
{
    return (struct decider){.self = o,
                            .note = orchestrator_noted,
                            .note_all = orchestrator_noted_all,
                            .pass = orchestrator_passed};
}

/* Rounded up: a timer that is early finds nothing to do. */
static uint64_t ms_until(int64_t at, int64_t now)
{
    return at > now ? (uint64_t)((at - now) / NS_PER_MS) + 1 : 0;
}

static void on_timer(uv_timer_t *t)
{
    struct run *r = t->data;

    deferred_ask(r->turn);
}

static void on_proposed(void *arg, int r, const struct err *e)
{
    struct proposal *p = arg;
    struct run *run = p->run;

    if (run) {
        struct proposal **at = &run->pending;
        while (*at != p)
            at = &(*at)->next;
        *at = p->next;
    }
    free(p);
    if (!run || r == 0)
        return;
    if (!run->retry_at)
        log_error("decisions could not be stored, and are made anew in a second: %s", err_text(e));
    run->retry_at = run->now(run->now_arg) + RETRY_NS;
    uv_timer_start(run->timer, on_timer, RETRY_NS / NS_PER_MS, 0);
}

/* One decider's pass; when it wants to run again. What it proposed is in TIP but not yet an event:
 * those after it are told at once. */
static int64_t decide(struct run *r, size_t which, int64_t now)
{
    struct store_batch *b = store_batch_new(r->store);
    struct decider *d = &r->d[which];
    int64_t wake = d->pass(d->self, r->store, now, b);

    if (store_batch_len(b) == 0) {
        store_batch_free(b);
        return wake;
    }
    struct proposal *p = NEW(struct proposal);
    p->run = r;
    p->next = r->pending;
    r->pending = p;
    store_propose(r->store, b, on_proposed, p);
    for (size_t i = which + 1; i < r->n; i++)
        r->d[i].note_all(r->d[i].self);
    return wake;
}

static void on_turn(void *arg)
{
    struct run *r = arg;
    int64_t now = r->now(r->now_arg), wake = INT64_MAX;

    if (r->retry_at && now < r->retry_at) {
        uv_timer_start(r->timer, on_timer, ms_until(r->retry_at, now), 0);
        return;
    }
    if (r->retry_at)
        for (size_t i = 0; i < r->n; i++)
            r->d[i].note_all(r->d[i].self);
    r->retry_at = 0;
    for (size_t i = 0; i < r->n; i++) {
        int64_t at = decide(r, i, now);
        wake = at < wake ? at : wake;
    }
    if (wake <= now)
        deferred_ask(r->turn);
    else if (wake != INT64_MAX)
        uv_timer_start(r->timer, on_timer, ms_until(wake, now), 0);
    else
        uv_timer_stop(r->timer);
}

static void on_event(void *arg, const struct store_event *ev)
{
    struct run *r = arg;
    bool work = false;

    for (size_t i = 0; i < r->n; i++)
        work = r->d[i].note(r->d[i].self, r->store, ev) || work;
    if (work)
        deferred_ask(r->turn);
}

struct run *run_new(uv_loop_t *loop, struct store *s, const struct decider *d, size_t n,
                    int64_t (*now)(void *arg), void *now_arg)
{
    struct run *r = NEW(struct run);

    r->store = s;
    r->n = n < RUN_DECIDERS_MAX ? n : RUN_DECIDERS_MAX;
    memcpy(r->d, d, r->n * sizeof *d);
    r->now = now ? now : wall;
    r->now_arg = now_arg;
    r->turn = deferred_new(loop, on_turn, r);
    r->timer = NEW(uv_timer_t);
    uv_timer_init(loop, r->timer);
    r->timer->data = r;
    r->watch = store_watch(s, on_event, r);
    for (size_t i = 0; i < r->n; i++)
        r->d[i].note_all(r->d[i].self);
    deferred_ask(r->turn);
    return r;
}

static void on_timer_closed(uv_handle_t *h)
{
    free(h);
}

void run_free(struct run *r)
{
    if (!r)
        return;
    for (struct proposal *p = r->pending; p; p = p->next)
        p->run = NULL;
    store_unwatch(r->watch);
    deferred_free(r->turn);
    uv_close((uv_handle_t *)r->timer, on_timer_closed);
    free(r);
}
