/* orchestrator/run.h - makes the deciders decide: after what was committed, and when their time
 * comes.
 *
 * Every committed change is noted to every decider; at the end of that turn of the loop each has
 * one pass, in order, and what it decided is proposed before the next one looks. There is no
 * waiting for more to come. A proposal that is lost (the disk is full) makes them all look at
 * everything again a second later.
 *
 * The rooms that decide do not know each other: whoever builds the program (main, a test) lists
 * them here. */
#ifndef ORCHESTRATOR_RUN_H
#define ORCHESTRATOR_RUN_H
#include <stdbool.h>
#include <uv.h>
#include "orchestrator/orchestrator.h"

struct decider {
    void *self;
    /* true: the change gives it work */
    bool (*note)(void *self, const struct store *s, const struct store_event *ev);
    void (*note_all)(void *self);
    /* fills out; hands back when it wants to run again: INT64_MAX never, `now` at once */
    int64_t (*pass)(void *self, const struct store *s, int64_t now, struct store_batch *out);
};
struct decider orchestrator_decider(struct orchestrator *o);

enum { RUN_DECIDERS_MAX = 8 };
struct run;
/* Starts with a pass over everything. `now`: clock_wall_ns unless NULL says otherwise. Deciders are
 * copied; their selves stay the caller's. */
struct run *run_new(uv_loop_t *loop, struct store *s, const struct decider *d, size_t n,
                    int64_t (*now)(void *arg), void *now_arg);
void run_free(struct run *r); /* before store_close */
#endif
