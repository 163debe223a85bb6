/* orchestrator/reap.c - which records of ended tasks are kept. */
#include "base/str.h"
#include "model/pb.h"
#include "model/task.h"
#include "orchestrator/plan.h"

static int64_t history_limit(const struct plan *p)
{
    const Pb__Cluster *c = store_by_name(p->store, STORE_TIP, STORE_CLUSTER, "default");
    uint64_t attempts = restart_rules(p->service->spec->task).max_attempts;

    if (attempts > 0 && attempts < INT32_MAX) /* as many as it takes to count the restarts */
        return (int64_t)attempts + 1;
    if (!c || !c->spec || !c->spec->orchestration)
        return DEFAULT_TASK_HISTORY;
    return c->spec->orchestration->task_history_retention_limit;
}

/* The newest of a slot stays whatever the limit: it alone tells that a slot ended and is not to be
 * followed. What an update has made stays until the update has ended: its failures are counted from
 * these records. */
static void reap_slot(struct plan *p, struct slot *s, int64_t limit)
{
    int state = service_update_state(p->service);
    bool updating = state == UPDATE_UPDATING || state == UPDATE_ROLLBACK_STARTED;
    int64_t have = 0;

    for (size_t i = 0; i < slot_len(s); i++)
        have += !slot_at(s, i)->removed;
    for (size_t i = 0; i + 1 < slot_len(s) && have > limit; i++) {
        struct item *it = &s->old[i];
        if (it->removed || task_wanted(it->t) || !task_state_is_final(task_state(it->t)) ||
            (updating && update_made(p, it->t)))
            continue;
        it->removed = true;
        have--;
    }
}

void step_reap(struct plan *p)
{
    int64_t limit = p->service ? history_limit(p) : -1;

    for (size_t i = 0; i < p->n_items; i++) {
        struct item *it = &p->items[i];
        if (!it->removed && (!p->service || (int)it->t->desired_state == TASK_REMOVE))
            item_remove(p, it);
    }
    for (size_t i = 0; limit >= 0 && i < p->n_slots; i++)
        reap_slot(p, &p->slots[i], limit);
}
