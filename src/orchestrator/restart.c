/* orchestrator/restart.c - the restart supervisor: who follows a task that ended, and when the
 * follower may start.
 *
 * A follower is made at once with desired READY, so that its image is there early; the note on it
 * says when it may run. */
#include "base/str.h"
#include "model/node.h"
#include "model/pb.h"
#include "model/task.h"
#include "orchestrator/orchestrator.h"
#include "orchestrator/plan.h"

/* How often has this slot been restarted with the spec of `ended` (within the window, counted back
 * from its end)? Every task of that spec but the first is a restart. */
static uint64_t restarts(struct slot *s, const struct item *ended, int64_t window)
{
    uint64_t version = pb_version(ended->t->spec_version), count = 0;
    int64_t end = task_ended_at(ended->t);
    bool first = true;

    for (size_t i = 0; i < s->n_old; i++) {
        const Pb__Task *t = s->old[i].t;
        if (pb_version(t->spec_version) != version)
            continue;
        int64_t born = t->meta ? pb_time_ns(t->meta->created_at) : 0;
        if (!first && (window <= 0 || end == 0 || born >= end - window))
            count++;
        first = false;
    }
    return count;
}

bool restart_allowed(struct slot *s, const struct item *ended)
{
    struct restart_rules r = restart_rules(ended->t->spec);

    if (r.condition == PB__RESTART_POLICY__RESTART_CONDITION__RESTART_CONDITION_NONE)
        return false;
    if (r.condition == PB__RESTART_POLICY__RESTART_CONDITION__RESTART_CONDITION_ON_FAILURE &&
        task_state(ended->t) == TASK_COMPLETE)
        return false;
    return r.max_attempts == 0 || restarts(s, ended, r.window_ns) < r.max_attempts;
}

static bool on_lost_node(const struct plan *p, const Pb__Task *t)
{
    return !str_empty(t->node_id) && node_lost(plan_node(p, t->node_id));
}

/* A follower that ended before its own start was due (its image is not there): the next one comes
 * when it would have run, or each would follow the other without a pause. */
static bool ended_before_its_start(struct plan *p, const struct item *it)
{
    int64_t at = task_note_ns(it->t, TASK_NOTE_START_AT);
    if ((int)it->t->desired_state != TASK_READY || p->now >= at)
        return false;
    plan_wake(p, at);
    return true;
}

static void restart_slot(struct plan *p, struct slot *s)
{
    struct item *ended = NULL;
    bool lost = false, followed = false; /* a younger task has the place already: an update's */

    for (size_t i = 0; i < s->n_old && !s->leaving; i++) {
        struct item *it = &s->old[i];
        if (!task_wanted(it->t))
            continue;
        bool away = on_lost_node(p, it->t);
        if (!away && (!task_state_is_final(task_state(it->t)) || ended_before_its_start(p, it))) {
            followed = true;
            continue;
        }
        item_shut_down(p, it);
        ended = it;
        lost = away;
        followed = false;
    }
    if (!ended || followed || !restart_allowed(s, ended))
        return;
    if (p->mode == SERVICE_GLOBAL) {
        const Pb__Node *n = plan_node(p, s->node_id);
        if (!n || !global_node_fits(p, n) || !node_takes_tasks(n))
            return;
    }
    struct item *next = slot_create(p, s, TASK_READY);
    int64_t delay = restart_rules(p->service->spec->task).delay_ns;
    if (next && !lost && delay > 0)
        task_set_note_ns(item_edit(next), TASK_NOTE_START_AT, p->now + delay);
}

void step_restart(struct plan *p)
{
    for (size_t i = 0; i < p->n_slots; i++)
        restart_slot(p, &p->slots[i]);
}

static void raise_item(struct plan *p, struct slot *s, struct item *it)
{
    int64_t at = task_note_ns(it->t, TASK_NOTE_START_AT);
    int64_t born = it->t->meta ? pb_time_ns(it->t->meta->created_at) : p->now;

    if (task_state(it->t) < TASK_ASSIGNED || task_state_is_final(task_state(it->t)))
        return; /* without a place it stays READY, as the engine shows it; its place wakes us */
    if (p->now < at) {
        plan_wake(p, at);
        return;
    }
    for (size_t i = 0; i < s->n_old && p->now < born + ORCHESTRATOR_STOP_WAIT_NS; i++) {
        if (&s->old[i] != it && item_stopping(p, &s->old[i])) {
            plan_wake(p, born + ORCHESTRATOR_STOP_WAIT_NS);
            return;
        }
    }
    item_set_desired(it, TASK_RUNNING);
}

void step_raise(struct plan *p)
{
    for (size_t i = 0; i < p->n_slots; i++) {
        struct slot *s = &p->slots[i];
        for (size_t k = 0; k < slot_len(s); k++) {
            struct item *it = slot_at(s, k);
            if (!it->removed && (int)it->t->desired_state == TASK_READY)
                raise_item(p, s, it);
        }
    }
}
