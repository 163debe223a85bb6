/* orchestrator/replicas.c - how many tasks a service has, and in which slots or on which nodes. */
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/str.h"
#include "model/constraint.h"
#include "model/idmap.h"
#include "model/node.h"
#include "model/task.h"
#include "orchestrator/plan.h"

/* A slot counts when it has a task that is meant to run, or when its last one ended and is not to
 * be followed. */
static bool occupied(struct slot *s)
{
    if (s->leaving)
        return false;
    if (slot_has_wanted(s))
        return true;
    struct item *last = slot_newest(s);
    return last && !restart_allowed(s, last);
}

static void remove_slot(struct plan *p, struct slot *s)
{
    s->leaving = true;
    for (size_t i = 0; i < slot_len(s); i++)
        item_remove(p, slot_at(s, i));
}

static struct slot *slot_of_number(struct plan *p, uint64_t number)
{
    size_t lo = 0, hi = p->n_slots;

    while (lo <
           hi) { /* sorted, but for those that were added at the end with numbers of their own */
        size_t mid = lo + (hi - lo) / 2;
        if (p->slots[mid].number < number)
            lo = mid + 1;
        else
            hi = mid;
    }
    return lo < p->n_slots && p->slots[lo].number == number ? &p->slots[lo] : NULL;
}

/* Fills the lowest numbers that are not in use. */
static void add_replicas(struct plan *p, uint64_t missing)
{
    size_t old = p->n_slots, room = plan_room(p);

    if (missing > room) { /* the rest in another batch */
        missing = room;
        p->wake = p->now;
    }
    if (missing == 0)
        return;
    size_t top = old + (size_t)missing + 1;
    bool *used = mem_array(top + 1, 1);
    for (size_t i = 0; i < old; i++)
        if (p->slots[i].number <= top && occupied(&p->slots[i]))
            used[p->slots[i].number] = true;
    plan_slots_reserve(p, (size_t)missing);
    size_t sorted = p->n_slots;
    for (uint64_t n = 1; n <= top && missing; n++) {
        if (used[n])
            continue;
        size_t all = p->n_slots;
        p->n_slots = sorted;
        struct slot *s = slot_of_number(p, n);
        p->n_slots = all;
        if (!s)
            s = plan_slot_add(p, n, NULL);
        s->leaving = false;
        slot_create(p, s, TASK_RUNNING);
        missing--;
    }
    free(used);
}

struct victim {
    struct slot *slot;
    const char *node_id;
    bool running;
    size_t rank; /* how many of the node's come before it */
};

static int by_node_then_number(const void *a, const void *b)
{
    const struct victim *x = a, *y = b;
    int c = strcmp(x->node_id, y->node_id);

    return c ? c : (x->slot->number < y->slot->number ? -1 : 1);
}

/* Whom to remove first: what does not run; then from the node that has most; then the highest
 * number. */
static int first_to_go(const void *a, const void *b)
{
    const struct victim *x = a, *y = b;

    if (x->running != y->running)
        return x->running ? 1 : -1;
    if (x->running && x->rank != y->rank)
        return x->rank > y->rank ? -1 : 1;
    return x->slot->number > y->slot->number ? -1 : 1;
}

static struct victim victim_of(struct slot *s)
{
    struct victim v = {.slot = s, .node_id = ""};

    for (size_t i = 0; i < slot_len(s); i++) {
        const struct item *it = slot_at(s, i);
        if (it->removed || !task_wanted(it->t))
            continue;
        v.running = v.running || task_is_running(it->t);
        v.node_id = str_or(it->t->node_id, "");
    }
    return v;
}

static void drop_replicas(struct plan *p, size_t have, size_t surplus)
{
    struct victim *v = mem_array(have, sizeof *v);
    size_t n = 0;

    for (size_t i = 0; i < p->n_slots; i++)
        if (occupied(&p->slots[i]))
            v[n++] = victim_of(&p->slots[i]);
    qsort(v, n, sizeof *v, by_node_then_number);
    for (size_t i = 1; i < n; i++)
        v[i].rank = strcmp(v[i].node_id, v[i - 1].node_id) == 0 ? v[i - 1].rank + 1 : 0;
    qsort(v, n, sizeof *v, first_to_go);
    for (size_t i = 0; i < surplus && i < n; i++)
        remove_slot(p, v[i].slot);
    free(v);
}

static void replicated(struct plan *p)
{
    uint64_t want = service_spec_replicas(p->service->spec);
    size_t have = 0;

    if (want > SERVICE_REPLICAS_MAX)
        want = SERVICE_REPLICAS_MAX;
    for (size_t i = 0; i < p->n_slots; i++)
        have += occupied(&p->slots[i]);
    if (have < want)
        add_replicas(p, want - have);
    else if (have > want)
        drop_replicas(p, have, have - (size_t)want);
    for (size_t i = 0; i < p->n_slots; i++) /* records of slots that are nobody's any more */
        if (!p->slots[i].leaving && !occupied(&p->slots[i]))
            remove_slot(p, &p->slots[i]);
}

bool global_node_fits(const struct plan *p, const Pb__Node *n)
{
    return !node_lost(n) && constraint_match_task(p->service->spec->task, n);
}

struct global {
    struct plan *p;
    struct idmap slots; /* node id to place in p->slots, plus one */
};

static int one_node(const void *object, void *arg)
{
    const Pb__Node *n = object;
    struct global *g = arg;
    struct plan *p = g->p;
    const struct idmap_entry *known = idmap_get(&g->slots, n->id);
    struct slot *s = known ? &p->slots[known->n - 1] : NULL;

    /* A node that was never heard of, or is not heard of just now, gets its task when it is ready.
     */
    if (!global_node_fits(p, n) || !node_takes_tasks(n) || (s && slot_has_wanted(s)))
        return 0;
    struct item *last = s ? slot_newest(s) : NULL;
    if (last) { /* what ended by itself and is not to be followed stays so; what we stopped comes
                   back */
        int state = task_state(last->t);
        bool by_itself = state == TASK_COMPLETE || state == TASK_FAILED || state == TASK_REJECTED;
        if (by_itself && !restart_allowed(s, last))
            return 0;
    }
    if (!s) {
        plan_slots_reserve(p, 1);
        s = plan_slot_add(p, 0, n->id);
    }
    bool stopping = false; /* an earlier one of this node */
    for (size_t i = 0; i < s->n_old; i++)
        stopping = stopping || item_stopping(p, &s->old[i]);
    slot_create(p, s, stopping ? TASK_READY : TASK_RUNNING);
    return 0;
}

static void global_service(struct plan *p)
{
    struct global g = {.p = p};

    for (size_t i = 0; i < p->n_slots; i++) {
        struct slot *s = &p->slots[i];
        const Pb__Node *n = plan_node(p, s->node_id);
        if (s->node_id)
            idmap_put(&g.slots, s->node_id)->n = (int64_t)i + 1;
        if (n && global_node_fits(p, n))
            continue;
        for (size_t k = 0; k < slot_len(s); k++)
            if (task_wanted(slot_at(s, k)->t))
                item_shut_down(p, slot_at(s, k));
    }
    store_each(p->store, STORE_TIP, STORE_NODE, one_node, &g);
    idmap_clear(&g.slots);
}

void step_replicas(struct plan *p)
{
    if (p->mode == SERVICE_REPLICATED)
        replicated(p);
    else if (p->mode == SERVICE_GLOBAL)
        global_service(p);
}
