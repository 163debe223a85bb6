/* runtime/stream.c - one client of a process's output: what it has not taken yet waits here, up to
 * RUNTIME_SINK_MAX and one piece. */
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "runtime/internal.h"

struct stream *stream_new(const struct stream_sink *sink, const struct stream_owner *owner,
                          void *owner_arg)
{
    struct stream *s = NEW(struct stream);
    s->sink = *sink;
    s->owner = owner;
    s->owner_arg = owner_arg;
    STAILQ_INIT(&s->queue);
    return s;
}

static void stream_free(struct stream *s)
{
    for (struct chunk *c; (c = STAILQ_FIRST(&s->queue));) {
        STAILQ_REMOVE_HEAD(&s->queue, link);
        free(c);
    }
    s->owner->gone(s->owner_arg, s);
    free(s);
}

static void stream_finish(struct stream *s)
{
    void (*on_end)(void *) = s->sink.on_end;
    void *arg = s->sink.arg;
    stream_free(s);
    on_end(arg);
}

/* Gives what waits; s may be gone afterwards (false). */
static bool pump(struct stream *s)
{
    if (s->pumping || s->held)
        return true;
    s->pumping = true;
    for (struct chunk *c; !s->closed && !s->full && (c = STAILQ_FIRST(&s->queue));) {
        STAILQ_REMOVE_HEAD(&s->queue, link);
        s->queued -= c->n;
        if (!s->sink.on_output(s->sink.arg, c->fd, c->bytes, c->n))
            s->full = true;
        free(c);
    }
    s->pumping = false;
    if (s->closed) {
        stream_free(s);
        return false;
    }
    if (s->ended && STAILQ_EMPTY(&s->queue)) {
        stream_finish(s);
        return false;
    }
    return true;
}

bool stream_give(struct stream *s, enum stream_fd fd, const void *p, size_t n)
{
    if (s->closed || s->ended)
        return true;
    struct chunk *c = mem_new(sizeof(*c) + n);
    c->fd = fd;
    c->n = n;
    memcpy(c->bytes, p, n);
    STAILQ_INSERT_TAIL(&s->queue, c, link);
    s->queued += n;
    return !pump(s) || s->queued < RUNTIME_SINK_MAX;
}

void stream_end(struct stream *s)
{
    s->ended = true;
    pump(s);
}

void stream_drop(struct stream *s)
{
    if (s->pumping) /* from inside its own callback: the loop of pump frees it */
        s->closed = true;
    else
        stream_finish(s);
}

void stream_unhold(struct stream *s)
{
    s->held = false;
    pump(s);
}

/* ---- for the client ---- */

void stream_resume(struct stream *s)
{
    s->full = false;
    if (pump(s) && s->queued < RUNTIME_SINK_MAX / 2)
        s->owner->drained(s->owner_arg, s);
}

void stream_close(struct stream *s)
{
    s->closed = true;
    if (!s->pumping)
        stream_free(s);
}

void stream_input(struct stream *s, const void *p, size_t n)
{
    if (n > 0)
        s->owner->input(s->owner_arg, s, p, n);
}

void stream_input_end(struct stream *s)
{
    s->owner->input_end(s->owner_arg, s);
}

size_t stream_input_queued(const struct stream *s)
{
    return s->owner->input_queued(s->owner_arg);
}

void stream_resize(struct stream *s, unsigned rows, unsigned cols)
{
    s->owner->resize(s->owner_arg, rows, cols);
}
