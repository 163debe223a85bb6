/* loop/deferred.h - "do this once, soon": many requests in a turn of the loop become one call.
 *
 * The call comes at the end of the turn in which it was asked for, after all input of that turn, or
 * in the next turn when it was asked for later than that. Asking from inside the callback means the
 * next turn. A pending call keeps the loop alive and from sleeping. */
#ifndef LOOP_DEFERRED_H
#define LOOP_DEFERRED_H
#include <stdbool.h>
#include <uv.h>

typedef void deferred_cb(void *data);
struct deferred;
struct deferred *deferred_new(uv_loop_t *loop, deferred_cb *on_due, void *data);
void deferred_ask(struct deferred *d); /* again before the call: nothing more happens */
void deferred_cancel(struct deferred *d);
bool deferred_pending(const struct deferred *d);
void deferred_free(struct deferred *d); /* also from inside its callback; NULL is fine */
#endif
