/* orchestrator/plan.h - one service under decision: its tasks by slot, as they are and as they
 * shall be.
 *
 * A plan reads the store's TIP and collects changes; plan_flush puts them into the batch, each task
 * once. The steps are the other modules of this room, run in the order in which they are named
 * here. Private to the room. */
#ifndef ORCHESTRATOR_PLAN_H
#define ORCHESTRATOR_PLAN_H
#include <stdbool.h>
#include <stdint.h>
#include "base/id.h"
#include "model/service.h"
#include "store/store.h"

struct item {          /* a task */
    const Pb__Task *t; /* as it shall be */
    Pb__Task *edit;    /* ours, once it was changed; t points here then */
    int64_t order;     /* among those of its slot */
    bool created, removed;
};
struct slot { /* the tasks of one replica (number) or, of a global service, of one node: oldest
                 first, the fresh one last */
    uint64_t number;
    const char *node_id;
    struct item *old;
    size_t n_old;
    struct item fresh; /* t NULL: none */
    bool leaving;      /* all of it is to be removed */
};
struct plan {
    const struct store *store;
    struct store_batch *out;
    int64_t now, wake;
    void (*new_id)(void *arg, char ret[ID_SIZE]);
    void *id_arg;

    const char *service_id;
    const Pb__Service *service; /* NULL: it is gone */
    Pb__Service *service_edit;  /* ours, once it was changed; service points here then */
    enum service_mode mode;
    struct item *items;
    size_t n_items;
    struct slot *slots;
    size_t n_slots, cap_slots;
    struct { /* answers of service_task_difference, which depend on no more than this */
        uint64_t version;
        bool past_ready;
        enum task_difference answer;
    } known[4];
    unsigned n_known;
};

void plan_open(struct plan *p,
               const char *service_id); /* the first block of fields is set by the caller */
void plan_flush(struct plan *p);
void plan_done(struct plan *p);
void plan_wake(struct plan *p, int64_t at);
const Pb__Node *plan_node(const struct plan *p, const char *id); /* NULL: none */
size_t plan_room(const struct plan *p); /* changes that still fit into the batch */

struct slot *plan_slot_add(struct plan *p, uint64_t number,
                           const char *node_id); /* an empty one; capacity was planned */
void plan_slots_reserve(struct plan *p, size_t more);
size_t slot_len(const struct slot *s);
struct item *slot_at(struct slot *s, size_t i);
struct item *slot_newest(struct slot *s); /* that is not to be removed; NULL: none */
bool slot_has_wanted(struct slot *s);
struct item *slot_create(struct plan *p, struct slot *s,
                         int desired); /* NULL when the slot has a fresh one already */

Pb__Task *item_edit(struct item *it);
Pb__Service *plan_service_edit(struct plan *p);
void item_set_desired(struct item *it, int desired);
void item_shut_down(
    struct plan *p,
    struct item *it); /* desired SHUTDOWN; one that no node knows has stopped at once */
void item_remove(struct plan *p,
                 struct item *it); /* desired REMOVE, or gone when nothing runs any more */
bool item_stopping(const struct plan *p,
                   const struct item *it); /* not wanted, and may still run somewhere */
bool item_is_dirty(struct plan *p, const struct item *it);

/* ---- the steps ---- */
void step_nodes(
    struct plan *p); /* nodes.c: nodes that are gone, down for too long, or do not fit any more */
void step_restart(struct plan *p); /* restart.c: what ended, or whose node is lost */
bool restart_allowed(struct slot *s, const struct item *ended);
void step_replicas(
    struct plan *p); /* replicas.c: as many as the service wants, where it wants them */
bool global_node_fits(const struct plan *p, const Pb__Node *n);
void step_update(struct plan *p); /* update.c: from the old spec to the new one */
void step_raise(struct plan *p);  /* restart.c: READY to RUNNING when its time has come */
void step_reap(
    struct plan *p); /* reap.c: old records, and what was to be removed and has stopped */
bool update_made(const struct plan *p, const Pb__Task *t); /* by the update that is under way */
#endif
