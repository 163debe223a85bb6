/* loop/deferred.c - a check handle runs the call, an idle handle keeps the loop from sleeping
 * before it. */
#include "loop/deferred.h"

#include <stdlib.h>
#include "base/mem.h"

struct deferred {
    uv_check_t check;
    uv_idle_t idle;
    deferred_cb *on_due;
    void *data;
    int open;
};

static void on_idle(uv_idle_t *h)
{
    (void)h; /* being active is all it is for */
}

static void on_check(uv_check_t *h)
{
    struct deferred *d = h->data;
    deferred_cancel(d);
    d->on_due(d->data); /* last: it may free d */
}

struct deferred *deferred_new(uv_loop_t *loop, deferred_cb *on_due, void *data)
{
    struct deferred *d = NEW(struct deferred);
    uv_check_init(loop, &d->check); /* these two cannot fail */
    uv_idle_init(loop, &d->idle);
    d->check.data = d->idle.data = d;
    d->on_due = on_due;
    d->data = data;
    d->open = 2;
    return d;
}

void deferred_ask(struct deferred *d)
{
    uv_check_start(&d->check, on_check);
    uv_idle_start(&d->idle, on_idle);
}

void deferred_cancel(struct deferred *d)
{
    uv_check_stop(&d->check);
    uv_idle_stop(&d->idle);
}

bool deferred_pending(const struct deferred *d)
{
    return uv_is_active((const uv_handle_t *)&d->check);
}

static void on_closed(uv_handle_t *h)
{
    struct deferred *d = h->data;
    if (--d->open == 0)
        free(d);
}

void deferred_free(struct deferred *d)
{
    if (!d)
        return;
    uv_close((uv_handle_t *)&d->check, on_closed);
    uv_close((uv_handle_t *)&d->idle, on_closed);
}
