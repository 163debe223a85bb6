/* orchestrator/update.c - the rolling update: slot after slot from the old spec to the new one,
 * watched for failures.
 *
 * Nothing is remembered outside the store: each task that an update makes carries the update's
 * mark, and what the update's "workers" are doing is read off those tasks. A worker is busy with a
 * slot until the task it made runs (or has failed) and the delay has passed. */
#include <inttypes.h>
#include <stdio.h>

#include "base/clock.h"
#include "base/str.h"
#include "model/node.h"
#include "model/pb.h"
#include "model/task.h"
#include "orchestrator/plan.h"

enum { MARK_SIZE = 48 };

static bool rolling_back(const struct plan *p)
{
    int state = service_update_state(p->service);

    return state == UPDATE_ROLLBACK_STARTED || state == UPDATE_ROLLBACK_PAUSED ||
           state == UPDATE_ROLLBACK_COMPLETED;
}

/* Names this run of the update: an update and the rollback that follows it share the time at which
 * they started, and two updates could if the clock is coarse. */
static const char *update_mark(const struct plan *p, char ret[MARK_SIZE])
{
    const Pb__UpdateStatus *u = p->service->update_status;

    snprintf(ret, MARK_SIZE, "%c%" PRId64 ".%" PRIu64, rolling_back(p) ? 'r' : 'u',
             u ? pb_time_ns(u->started_at) : 0, pb_version(p->service->spec_version));
    return ret;
}

bool update_made(const struct plan *p, const Pb__Task *t)
{
    char mark[MARK_SIZE];
    const char *note = task_note(t, TASK_NOTE_UPDATE);

    return note && p->service->update_status && str_eq(note, update_mark(p, mark));
}

struct survey { /* of all slots */
    struct update_rules rules;
    size_t total, busy, waiting, failures;
    int64_t last_event;    /* when a slot was last done with */
    const Pb__Task *worst; /* the latest failure */
    int64_t worst_at;
};

static struct item *made_in(struct plan *p, struct slot *s)
{
    for (size_t i = 0; i < slot_len(s); i++)
        if (!slot_at(s, i)->removed && update_made(p, slot_at(s, i)->t))
            return slot_at(s, i);
    return NULL;
}

static bool is_failure(const Pb__Task *t, int64_t end, int64_t monitor)
{
    int64_t ran = task_note_ns(t, TASK_NOTE_RAN_AT);
    int state = task_state(t);

    if (state != TASK_FAILED && state != TASK_REJECTED && state != TASK_COMPLETE)
        return false; /* stopped on request, or lost with its node */
    return ran == 0 || end - ran <= monitor;
}

/* What the worker that made this task is doing now. */
static void survey_made(struct plan *p, struct survey *v, const Pb__Task *t)
{
    int64_t ran = task_note_ns(t, TASK_NOTE_RAN_AT), done;

    v->total++;
    if (task_state_is_final(task_state(t))) {
        int64_t end = task_ended_at(t);
        if (is_failure(t, end, v->rules.monitor_ns)) {
            v->failures++;
            if (!v->worst || end >= v->worst_at) {
                v->worst = t;
                v->worst_at = end;
            }
        }
        done = ran ? ran : end;
    } else if (task_is_running(t)) {
        done = ran ? ran : task_status_time(t);
    } else if (task_wanted(t)) {
        v->busy++;
        v->waiting++;
        return;
    } else { /* taken away before it ran (its node was lost): another has its place */
        return;
    }
    if (done > v->last_event)
        v->last_event = done;
    if (p->now < done + v->rules.delay_ns) {
        v->busy++;
        plan_wake(p, done + v->rules.delay_ns);
    }
}

/* The task to look at when a slot has none that is meant to run: its last one, if that ended for
 * good. */
static struct item *finished(struct plan *p, struct slot *s)
{
    struct item *last = slot_newest(s);

    return last && !slot_has_wanted(s) && !rolling_back(p) && !restart_allowed(s, last) ? last
                                                                                        : NULL;
}

static bool slot_is_dirty(struct plan *p, struct slot *s)
{
    size_t wanted = 0;
    bool dirty = false;

    if (s->leaving)
        return false;
    for (size_t i = 0; i < slot_len(s); i++) {
        struct item *it = slot_at(s, i);
        if (it->removed || !task_wanted(it->t))
            continue;
        wanted++;
        dirty = dirty || item_is_dirty(p, it);
    }
    struct item *last = wanted ? NULL : finished(p, s);
    return dirty || wanted > 1 || (last && item_is_dirty(p, last));
}

/* A clean task runs beside others in its slot: they have been replaced. */
static void retire_others(struct plan *p, struct slot *s)
{
    struct item *keep = NULL;

    for (size_t i = 0; i < slot_len(s); i++) {
        struct item *it = slot_at(s, i);
        if (!it->removed && task_wanted(it->t) && task_is_running(it->t) && !item_is_dirty(p, it))
            keep = it;
    }
    for (size_t i = 0; keep && i < slot_len(s); i++) {
        struct item *it = slot_at(s, i);
        if (it != keep && !it->removed && task_wanted(it->t))
            item_shut_down(p, it);
    }
}

static bool has_clean_wanted(struct plan *p, struct slot *s)
{
    for (size_t i = 0; i < slot_len(s); i++) {
        struct item *it = slot_at(s, i);
        if (!it->removed && task_wanted(it->t) && !item_is_dirty(p, it))
            return true;
    }
    return false;
}

/* Can the slot be taken up now? A global service's task could not start on a node that takes none.
 */
static bool takable(const struct plan *p, const struct slot *s)
{
    const Pb__Node *n = plan_node(p, s->node_id);

    return !s->node_id || (n && node_takes_tasks(n));
}

static void replace_slot(struct plan *p, struct slot *s, const struct update_rules *rules)
{
    bool start_first = rules->order == PB__UPDATE_CONFIG__UPDATE_ORDER__UPDATE_ORDER_START_FIRST;
    struct item *made = slot_create(p, s, start_first ? TASK_RUNNING : TASK_READY);
    char mark[MARK_SIZE];

    if (!made)
        return;
    task_set_note(item_edit(made), TASK_NOTE_UPDATE, update_mark(p, mark));
    for (size_t i = 0; !start_first && i < s->n_old; i++)
        if (!s->old[i].removed && task_wanted(s->old[i].t))
            item_shut_down(p, &s->old[i]);
}

static void set_status(struct plan *p, int state, const char *message)
{
    Pb__Service *s = plan_service_edit(p);

    if (!s->update_status) {
        s->update_status = PB_NEW(UpdateStatus, update_status);
        pb_set_time(&s->update_status->started_at, p->now);
    }
    s->update_status->state = (Pb__UpdateStatus__UpdateState)state;
    pb_str(&s->update_status->message, message);
    if (state == UPDATE_COMPLETED || state == UPDATE_ROLLBACK_COMPLETED)
        pb_set_time(&s->update_status->completed_at, p->now);
}

/* The ports of the spec that is in force again; one whose number was chosen for it keeps that if it
 * has it still. */
static void endpoint_follows(Pb__Service *s)
{
    Pb__Endpoint *old = s->endpoint, *e = PB_NEW(Endpoint, endpoint);

    e->spec = pb_dup(s->spec->endpoint);
    for (size_t i = 0; e->spec && i < e->spec->n_ports; i++) {
        Pb__PortConfig *p = pb_dup(e->spec->ports[i]);
        for (size_t k = 0; old && p->published_port == 0 && k < old->n_ports; k++) {
            const Pb__PortConfig *had = old->ports[k];
            if (had->target_port == p->target_port && had->protocol == p->protocol &&
                had->publish_mode == p->publish_mode)
                p->published_port = had->published_port;
        }
        PB_PUSH(e->n_ports, e->ports, p);
    }
    for (size_t i = 0; old && i < old->n_virtual_ips; i++)
        PB_PUSH(e->n_virtual_ips, e->virtual_ips, pb_dup(old->virtual_ips[i]));
    pb_free(old);
    s->endpoint = e;
}

/* Too many failures: stops, or turns back to the spec before. */
static void give_up(struct plan *p, const struct survey *v)
{
    static const char words[] = "due to failure or early termination of task";
    char text[128];
    bool back = rolling_back(p);

    if (!back &&
        v->rules.failure_action == PB__UPDATE_CONFIG__FAILURE_ACTION__FAILURE_ACTION_ROLLBACK &&
        p->service->previous_spec) {
        int64_t started = pb_time_ns(p->service->update_status->started_at);
        snprintf(text, sizeof text, "update rolled back %s %s", words, v->worst->id);
        Pb__Service *s = plan_service_edit(p);
        service_roll_back(s, started, text);
        pb_free(TAKE(s->previous_spec)); /* there is no way forward again from here */
        pb_free(TAKE(s->previous_spec_version));
        if (s->endpoint && !pb_equal(s->endpoint->spec, s->spec->endpoint))
            endpoint_follows(s);
        p->n_known = 0;
        return;
    }
    snprintf(text, sizeof text, "%s paused %s %s", back ? "rollback" : "update", words,
             v->worst->id);
    set_status(p, back ? UPDATE_ROLLBACK_PAUSED : UPDATE_PAUSED, text);
}

static bool too_many(const struct survey *v)
{
    return v->failures &&
           v->rules.failure_action != PB__UPDATE_CONFIG__FAILURE_ACTION__FAILURE_ACTION_CONTINUE &&
           (double)v->failures / (double)v->total > v->rules.max_failure_ratio;
}

static void complete(struct plan *p, const struct survey *v)
{
    const struct update_rules *r = &v->rules;
    int64_t watch = r->delay_ns >= r->monitor_ns ? r->delay_ns + NS_PER_SEC : r->monitor_ns;

    if (v->total && p->now < v->last_event + watch) {
        plan_wake(p, v->last_event + watch);
        return;
    }
    bool back = rolling_back(p);
    set_status(p, back ? UPDATE_ROLLBACK_COMPLETED : UPDATE_COMPLETED,
               back ? "rollback completed" : "update completed");
}

/* Takes up as many dirty slots as there are free workers; how many are left. */
static size_t take_slots(struct plan *p, struct survey *v, size_t dirty)
{
    size_t free_workers = SIZE_MAX, left = 0;

    if (v->rules.parallelism)
        free_workers = v->rules.parallelism > v->busy ? (size_t)v->rules.parallelism - v->busy : 0;
    for (size_t i = 0; dirty && i < p->n_slots; i++) {
        struct slot *s = &p->slots[i];
        if (!takable(p, s) || made_in(p, s) || !slot_is_dirty(p, s) || has_clean_wanted(p, s))
            continue;
        if (free_workers == 0 || plan_room(p) == 0) {
            left++;
            continue;
        }
        replace_slot(p, s, &v->rules);
        v->waiting++;
        free_workers--;
    }
    return left;
}

static size_t survey_slots(struct plan *p, struct survey *v)
{
    size_t dirty = 0;

    for (size_t i = 0; i < p->n_slots; i++) {
        struct slot *s = &p->slots[i];
        if (s->leaving)
            continue;
        if (slot_is_dirty(p, s))
            retire_others(p, s);
        struct item *made = p->service->update_status ? made_in(p, s) : NULL;
        if (made) {
            survey_made(p, v, made->t);
        } else if (slot_is_dirty(p, s) && takable(p, s)) {
            dirty++;
            v->total++;
            v->waiting += has_clean_wanted(p, s);
        }
    }
    return dirty;
}

void step_update(struct plan *p)
{
    int state = service_update_state(p->service);

    if (state == UPDATE_PAUSED || state == UPDATE_ROLLBACK_PAUSED)
        return;
    bool under_way = state == UPDATE_UPDATING || state == UPDATE_ROLLBACK_STARTED;
    struct survey v = {
        .rules =
            update_rules(rolling_back(p) ? p->service->spec->rollback : p->service->spec->update),
    };
    size_t dirty = survey_slots(p, &v);
    if (!under_way && dirty == 0)
        return;
    if (state == UPDATE_NONE) {
        set_status(p, UPDATE_UPDATING, "update in progress");
        under_way = true;
    }
    if (under_way && too_many(&v)) {
        give_up(p, &v);
        return;
    }
    size_t left = take_slots(p, &v, dirty);
    if (under_way && left == 0 && v.waiting == 0 && v.busy == 0)
        complete(p, &v);
}
