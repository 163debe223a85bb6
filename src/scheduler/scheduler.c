/* scheduler/scheduler.c - see scheduler/scheduler.h.
 *
 * Tasks of one service with one spec are a group: the nodes are filtered and counted for all of
 * them together. */
#include "scheduler/scheduler.h"

#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/str.h"
#include "model/idmap.h"
#include "model/node.h"
#include "model/pb.h"
#include "model/task.h"
#include "scheduler/host.h"

struct pass {
    const struct store *s;
    int64_t now;
    struct store_batch *out;
    bool more;
    const Pb__Task **waiting;
    size_t n_waiting;
    struct host *hosts;
    size_t n_hosts;
    struct idmap by_id; /* node id to place in hosts */
    struct host *last;  /* that was asked for: neighbours tend to be on the same node */
};

static bool is_waiting(const Pb__Task *t)
{
    return task_state(t) < TASK_ASSIGNED && (int)t->desired_state <= TASK_COMPLETE;
}

static int collect_waiting(const void *object, void *arg)
{
    struct pass *p = arg;
    const Pb__Task *t = object;

    if (!is_waiting(t))
        return 0;
    if ((p->n_waiting & (p->n_waiting - 1)) == 0)
        p->waiting = mem_grow(p->waiting, p->n_waiting ? p->n_waiting * 2 : 1, sizeof *p->waiting);
    p->waiting[p->n_waiting++] = t;
    return 0;
}

/* Groups together; within one, by slot. */
static int by_group(const void *a, const void *b)
{
    const Pb__Task *x = *(const Pb__Task *const *)a, *y = *(const Pb__Task *const *)b;
    int c = strcmp(str_or(x->service_id, ""), str_or(y->service_id, ""));
    uint64_t vx = pb_version(x->spec_version), vy = pb_version(y->spec_version);

    if (c)
        return c;
    if (vx != vy)
        return vx < vy ? -1 : 1;
    if (x->slot != y->slot)
        return x->slot < y->slot ? -1 : 1;
    return strcmp(x->id, y->id);
}

static int add_host(const void *object, void *arg)
{
    struct pass *p = arg;

    idmap_put(&p->by_id, ((const Pb__Node *)object)->id)->n = (int64_t)p->n_hosts;
    host_init(&p->hosts[p->n_hosts++], object);
    return 0;
}

static struct host *host_of(struct pass *p, const Pb__Task *t)
{
    const char *id = str_or(t->node_id, "");

    if (!p->last || strcmp(p->last->node->id, id) != 0) {
        const struct idmap_entry *e = idmap_get(&p->by_id, id);
        if (!e)
            return NULL;
        p->last = &p->hosts[e->n];
    }
    return p->last;
}

static bool holds_room(const Pb__Task *t)
{
    return task_state(t) >= TASK_ASSIGNED && !task_state_is_final(task_state(t));
}

static int count_use(const void *object, void *arg)
{
    const Pb__Task *t = object;
    struct host *h = holds_room(t) ? host_of(arg, t) : NULL;

    if (h)
        host_take(h, t);
    return 0;
}

struct group_count {
    struct pass *p;
    uint64_t version;
    bool same_service; /* as the group before: what that one was given counts already, and the store
                          does not know of it yet */
};

static int count_service(const void *object, void *arg)
{
    struct group_count *g = arg;
    const Pb__Task *t = object;
    struct host *h = host_of(g->p, t);
    int state = task_state(t);

    if (!h)
        return 0;
    if (!g->same_service && holds_room(t) && task_wanted(t))
        h->of_service++;
    if ((state == TASK_FAILED || state == TASK_REJECTED) &&
        pb_version(t->spec_version) == g->version &&
        task_ended_at(t) > g->p->now - HOST_FAILURE_WINDOW_NS)
        h->failures++;
    return 0;
}

/* ---- the spread: each level of preferences splits the nodes into branches, each of which is to
 * have an equal share ---- */
struct spread {
    size_t levels;
    uint64_t *share[HOST_SPREAD_MAX]; /* tasks of the service in each branch of the level */
};

static const char *spread_value(const char *descriptor, const Pb__Node *n)
{
    const char *v = NULL;

    if (str_istarts(descriptor, "node.labels."))
        v = node_label(n, descriptor + strlen("node.labels."));
    else if (str_istarts(descriptor, "engine.labels."))
        v = node_engine_label(n, descriptor + strlen("engine.labels."));
    return str_or(v, "");
}

static void spread_init(struct spread *s, struct pass *p, const Pb__Task *t)
{
    const Pb__Placement *pl = t->spec ? t->spec->placement : NULL;

    *s = (struct spread){0};
    for (size_t i = 0; pl && i < pl->n_preferences && s->levels < HOST_SPREAD_MAX; i++) {
        if (pl->preferences[i]->preference_case != PB__PLACEMENT_PREFERENCE__PREFERENCE_SPREAD)
            continue;
        const char *descriptor = str_or(pl->preferences[i]->spread->spread_descriptor, "");
        size_t level = s->levels++;
        struct idmap names = {0};
        s->share[level] = mem_array(p->n_hosts + 1, sizeof **s->share);
        for (size_t h = 0; h < p->n_hosts; h++) {
            struct host *host = &p->hosts[h];
            /* a branch is known by the branch that it grows from, and its own value */
            AUTO_FREE char *name = mem_printf("%u/%s", level ? host->branch[level - 1] : 0,
                                              spread_value(descriptor, host->node));
            struct idmap_entry *e = idmap_get(&names, name);
            if (!e) {
                size_t next = names.count;
                e = idmap_put(&names, name);
                e->n = (int64_t)next;
            }
            host->branch[level] = (uint32_t)e->n;
            s->share[level][e->n] += host->of_service;
        }
        idmap_clear(&names);
    }
}

static void spread_done(struct spread *s)
{
    for (size_t i = 0; i < s->levels; i++)
        free(s->share[i]);
}

static bool better(const struct spread *s, const struct host *a, const struct host *b)
{
    for (size_t i = 0; i < s->levels; i++) {
        uint64_t x = s->share[i][a->branch[i]], y = s->share[i][b->branch[i]];
        if (x != y)
            return x < y;
    }
    if ((a->failures >= HOST_FAILURES_BAD || b->failures >= HOST_FAILURES_BAD) &&
        a->failures != b->failures)
        return a->failures < b->failures;
    if (a->of_service != b->of_service)
        return a->of_service < b->of_service;
    return a->active < b->active;
}

static void assign(struct pass *p, const Pb__Task *t, struct host *h, const char *message)
{
    Pb__Task *copy = store_copy(STORE_TASK, t);

    pb_str(&copy->node_id, h->node->id);
    host_claim(h, copy);
    task_set_status(copy, TASK_ASSIGNED, p->now, message, "");
    host_take(h, copy);
    if (task_wanted(copy))
        h->of_service++;
    store_update(p->out, STORE_TASK, copy);
}

/* Says why the task has no place, when that is not what it says already. */
static void keep_waiting(struct pass *p, const Pb__Task *t, const char *why)
{
    if (task_state(t) == TASK_PENDING && str_eq(str_or(t->status->err, ""), why))
        return;
    Pb__Task *copy = store_copy(STORE_TASK, t);
    task_set_status(copy, TASK_PENDING, p->now, "pending task scheduling", why);
    store_update(p->out, STORE_TASK, copy);
}

/* NULL: none fits, and *ret_why says why. */
static struct host *pick(struct pass *p, const Pb__Task *t, const struct spread *s, char **ret_why)
{
    struct why_not why = {0};
    struct host *best = NULL;

    for (size_t i = 0; i < p->n_hosts; i++) {
        enum filter f = host_filter(&p->hosts[i], t);
        if (f != FILTERS)
            why.n[f]++;
        else if (!best || better(s, &p->hosts[i], best))
            best = &p->hosts[i];
    }
    if (best)
        return best;
    AUTO_BUF struct buf explained = BUF_INIT(4096);
    why_not_explain(&why, &explained);
    *ret_why = explained.len ? mem_printf("no suitable node (%s)", explained.p)
                             : mem_str("no suitable node");
    return NULL;
}

static void confirm(struct pass *p, const Pb__Task *t)
{
    struct host *h = host_of(p, t);
    struct why_not why = {0};

    if (!h) /* the node is gone: the orchestrator takes the task away */
        return;
    enum filter f = host_filter(h, t);
    if (f == FILTERS) {
        assign(p, t, h, "scheduler confirmed task can run on preassigned node");
        return;
    }
    why.n[f] = 1;
    AUTO_BUF struct buf explained = BUF_INIT(4096);
    why_not_explain(&why, &explained);
    keep_waiting(p, t, explained.p);
}

static void one_group(struct pass *p, const Pb__Task **tasks, size_t n, bool same_service)
{
    struct group_count g = {
        .p = p, .version = pb_version(tasks[0]->spec_version), .same_service = same_service};
    struct spread spread;
    AUTO_FREE char *why = NULL; /* once nothing fits, nothing will fit the rest of the group */

    for (size_t i = 0; i < p->n_hosts; i++) {
        struct host *h = &p->hosts[i];
        h->of_service = same_service ? h->of_service : 0;
        h->failures = 0;
        h->fixed = host_filter_fixed(h, tasks[0]);
    }
    if (!str_empty(tasks[0]->service_id))
        store_each_task_of_service(p->s, STORE_TIP, tasks[0]->service_id, count_service, &g);
    spread_init(&spread, p, tasks[0]);
    for (size_t i = 0; i < n; i++) {
        if (store_batch_len(p->out) >= STORE_BATCH_MAX) {
            p->more = true;
            break;
        }
        if (!str_empty(tasks[i]->node_id)) {
            confirm(p, tasks[i]);
            continue;
        }
        struct host *h = why ? NULL : pick(p, tasks[i], &spread, &why);
        if (!h) {
            keep_waiting(p, tasks[i], why);
            continue;
        }
        assign(p, tasks[i], h, "scheduler assigned task to node");
        for (size_t k = 0; k < spread.levels; k++)
            spread.share[k][h->branch[k]]++;
    }
    spread_done(&spread);
}

static bool same_service(const Pb__Task *a, const Pb__Task *b)
{
    return !str_empty(a->service_id) && str_eq(a->service_id, str_or(b->service_id, ""));
}

static void all_groups(struct pass *p)
{
    bool follows = false; /* the group before was of this service too */

    for (size_t i = 0, from = 0; i < p->n_waiting; i++) {
        const Pb__Task *a = p->waiting[i], *b = i + 1 < p->n_waiting ? p->waiting[i + 1] : NULL;
        bool more = b && same_service(a, b);
        if (more && pb_version(a->spec_version) == pb_version(b->spec_version))
            continue;
        one_group(p, p->waiting + from, i + 1 - from, follows);
        follows = more;
        from = i + 1;
    }
}

bool scheduler_pass(const struct store *s, int64_t now, struct store_batch *out)
{
    struct pass p = {.s = s, .now = now, .out = out};

    store_each(s, STORE_TIP, STORE_TASK, collect_waiting, &p);
    if (p.n_waiting == 0)
        return false;
    qsort(p.waiting, p.n_waiting, sizeof *p.waiting, by_group);
    p.hosts = mem_array(store_count(s, STORE_TIP, STORE_NODE) + 1, sizeof *p.hosts);
    store_each(s, STORE_TIP, STORE_NODE, add_host, &p);
    store_each(s, STORE_TIP, STORE_TASK, count_use, &p);
    all_groups(&p);
    for (size_t i = 0; i < p.n_hosts; i++)
        host_done(&p.hosts[i]);
    free(p.hosts);
    free(p.waiting);
    idmap_clear(&p.by_id);
    return p.more;
}

/* Can this change give work: a task without a place, a node that is other than before, room that
 * became free? */
static bool concerns(const struct store *s, const struct store_event *ev)
{
    if (ev->kind == STORE_NODE)
        return true;
    if (ev->kind != STORE_TASK)
        return false;
    const Pb__Task *t = ev->object, *before = ev->before;
    if (is_waiting(t)) { /* what has been placed since is no news */
        const Pb__Task *tip = STORE_GET(s, STORE_TIP, TASK, Task, t->id);
        return tip && is_waiting(tip) &&
               (ev->action == STORE_CREATE ||
                (before && before->desired_state != t->desired_state));
    }
    if (ev->action == STORE_REMOVE)
        return holds_room(t);
    return before &&
           ((holds_room(before) && !holds_room(t)) || (task_wanted(before) && !task_wanted(t)));
}

struct scheduler {
    bool look;
};

struct scheduler *scheduler_new(void)
{
    struct scheduler *sc = NEW(struct scheduler);

    sc->look = true;
    return sc;
}

void scheduler_free(struct scheduler *sc)
{
    free(sc);
}

bool scheduler_note(void *scheduler, const struct store *s, const struct store_event *ev)
{
    struct scheduler *sc = scheduler;

    sc->look = sc->look || concerns(s, ev);
    return sc->look;
}

void scheduler_note_all(void *scheduler)
{
    ((struct scheduler *)scheduler)->look = true;
}

int64_t scheduler_decide(void *scheduler, const struct store *s, int64_t now,
                         struct store_batch *out)
{
    struct scheduler *sc = scheduler;

    if (sc->look)
        sc->look = scheduler_pass(s, now, out);
    return sc->look ? now : INT64_MAX;
}
