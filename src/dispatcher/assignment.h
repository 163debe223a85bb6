/* dispatcher/assignment.h - what a node should have, against what it was sent. Pure.
 *
 * A node gets its tasks from ASSIGNED on, and the secrets and configs of those between ASSIGNED and
 * RUNNING: nothing else, and no longer than that. It looks at what is COMMITTED: nothing that could
 * still be lost leaves the manager.
 *
 * A plan borrows the store's objects: use it before control returns to the loop. */
#ifndef DISPATCHER_ASSIGNMENT_H
#define DISPATCHER_ASSIGNMENT_H
#include <stdbool.h>
#include "model/idmap.h"
#include "store/store.h"

/* What a stream has brought to its node. Starts zeroed: the first plan looks at all tasks of the
 * node, those after it only at what assignment_event has noted, so that a change costs the same
 * however many tasks there are. */
struct assignment_sent {
    struct idmap tasks;            /* id to struct sent_task (assignment.c) */
    struct idmap secrets, configs; /* id to struct sent_object */
    struct idmap touched_tasks, touched_secrets, touched_configs;
    bool begun;
};
void assignment_sent_clear(struct assignment_sent *s);
bool assignment_has_secret(const struct assignment_sent *s, const char *id);
bool assignment_has_task(const struct assignment_sent *s, const char *id);

/* Notes a committed change. False: it cannot alter what this node has to be sent. */
bool assignment_event(struct assignment_sent *sent, const char *node_id,
                      const struct store_event *ev);

struct assignment_list {
    const void **v;
    size_t n;
};
struct assignment_plan {
    struct assignment_list tasks, secrets,
        configs; /* Pb__Task, Pb__Secret, Pb__Config: new, or other than they were sent */
    char **gone_tasks, **gone_secrets, **gone_configs; /* ids to be withdrawn */
};
/* What has to be sent now. It counts as sent: a stream that cannot send it has to end. */
void assignment_plan(const struct store *s, const char *node_id, struct assignment_sent *sent,
                     struct assignment_plan *ret);
bool assignment_plan_empty(const struct assignment_plan *p);
void assignment_plan_done(struct assignment_plan *p);

/* The payload of this secret cannot be had: takes it out of the plan, and every task that needs it
 * and has not been started yet. Those are put into `failed`, to be rejected; one that runs already
 * has it. */
void assignment_plan_without(struct assignment_plan *p, struct assignment_sent *sent,
                             const Pb__Secret *secret, struct assignment_list *failed);
#endif
