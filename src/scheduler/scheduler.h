/* scheduler/scheduler.h - gives tasks that have no place yet a node: filters first, then the
 * fairest spread.
 *
 * It owns the move to ASSIGNED (and what PENDING says while nothing fits); it makes no tasks and
 * wants nothing of them. Pure: it reads the store's TIP and fills a batch. A task that gets its
 * node at once goes from NEW to ASSIGNED in one write.
 *
 * Tasks of a global service come with their node, which is only checked. */
#ifndef SCHEDULER_SCHEDULER_H
#define SCHEDULER_SCHEDULER_H
#include <stdbool.h>
#include <stdint.h>
#include "store/store.h"

/* Places everything that waits. Changes at most what fits into out; true when something is left for
 * another batch. */
bool scheduler_pass(const struct store *s, int64_t now, struct store_batch *out);

/* As a decider (orchestrator/run.h): it remembers whether there may be anything to place. */
struct scheduler;
struct scheduler *scheduler_new(void);
void scheduler_free(struct scheduler *sc);
bool scheduler_note(void *scheduler, const struct store *s, const struct store_event *ev);
void scheduler_note_all(void *scheduler);
int64_t scheduler_decide(void *scheduler, const struct store *s, int64_t now,
                         struct store_batch *out); /* when again */
#endif
