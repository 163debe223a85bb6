/* orchestrator/nodes.c - what happens to tasks when their node goes, stays away, or changes so that
 * they fit no more. */
#include "model/constraint.h"
#include "model/node.h"
#include "model/pb.h"
#include "model/task.h"
#include "orchestrator/orchestrator.h"
#include "orchestrator/plan.h"

static void orphan(struct plan *p, struct item *it, const char *message)
{
    task_set_status(item_edit(it), TASK_ORPHANED, p->now, message, NULL);
}

/* Is what the tasks of this node reserve more than it has? Looked at for the task alone: the sum is
 * the scheduler's. */
static bool outgrown(const Pb__Task *t, const Pb__Node *n)
{
    const Pb__Resources *want =
        t->spec && t->spec->resources ? t->spec->resources->reservations : NULL;
    const Pb__Resources *have = n->description ? n->description->resources : NULL;

    if (!want || !have)
        return false;
    return want->nano_cpus > have->nano_cpus || want->memory_bytes > have->memory_bytes;
}

static void look_at(struct plan *p, struct item *it)
{
    int state = task_state(it->t);

    if (state < TASK_ASSIGNED || task_state_is_final(state))
        return;
    const Pb__Node *n = plan_node(p, it->t->node_id);
    if (!n) {
        orphan(p, it, "Task belonged to a node that has been deleted");
        return;
    }
    if (node_state(n) == NODE_DOWN) { /* nothing else is written to a node while it is down but what
                                         a user changes */
        int64_t until = (n->meta ? pb_time_ns(n->meta->updated_at) : 0) + ORCHESTRATOR_ORPHAN_NS;
        if (p->now >= until)
            orphan(p, it, "Task belonged to a node that has been down for too long");
        else
            plan_wake(p, until);
        return;
    }
    if (node_lost(n) || !task_wanted(it->t))
        return;
    if (!constraint_match_task(it->t->spec, n) || outgrown(it->t, n))
        task_set_status(item_edit(it), TASK_REJECTED, p->now,
                        "task rejected by constraint enforcer",
                        "assigned node no longer meets constraints");
}

void step_nodes(struct plan *p)
{
    for (size_t i = 0; i < p->n_items; i++)
        look_at(p, &p->items[i]);
}
