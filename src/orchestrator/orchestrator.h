/* orchestrator/orchestrator.h - turns services into tasks: replicas and global tasks, restarts,
 * rolling updates, removal.
 *
 * It owns what tasks there are and what is wanted of them (desired_state); it never places a task
 * and never speaks to a node. It reads the store and fills a batch. Everything that it must know
 * later lies in the store (model/task.h: notes), so that a new manager goes on where the last one
 * stopped; what struct orchestrator holds is only which services may need a look and when.
 *
 * Jobs are not carried out: control refuses them; a job service that is there all the same is left
 * alone. A service that is gone: its tasks get desired REMOVE and are deleted once they have
 * stopped. */
#ifndef ORCHESTRATOR_ORCHESTRATOR_H
#define ORCHESTRATOR_ORCHESTRATOR_H
#include <stdint.h>
#include "base/id.h"
#include "store/store.h"

struct orchestrator;
struct orchestrator *orchestrator_new(void);
void orchestrator_free(struct orchestrator *o);
/* Where the ids of new tasks come from; id_new unless told otherwise (simulations want the same ids
 * from the same seed). */
void orchestrator_set_ids(struct orchestrator *o, void (*new_id)(void *arg, char ret[ID_SIZE]),
                          void *arg);

/* Looks at the store's TIP for the services that were noted or whose time has come, and puts what
 * is to change into out (of the same store). *ret_wake: when it wants to run again by itself;
 * INT64_MAX: only when something is noted. */
void orchestrator_pass(struct orchestrator *o, const struct store *s, int64_t now,
                       struct store_batch *out, int64_t *ret_wake);
void orchestrator_note(struct orchestrator *o, const struct store *s, const struct store_event *ev);
void orchestrator_note_all(struct orchestrator *o); /* at start, and when a proposal was lost */

#define ORCHESTRATOR_STOP_WAIT_NS                                                                  \
    (60 * 1000000000LL) /* a successor waits no longer than that for the old task to stop */
#define ORCHESTRATOR_ORPHAN_NS                                                                     \
    (24 * 3600 * 1000000000LL) /* on a node that is down this long, tasks are given up */
#endif
