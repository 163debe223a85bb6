/* sim/sim.h - a whole cluster in memory: the real store, orchestrator, scheduler and assignments; a
 * fake disk, clock and nodes.
 *
 * Everything that happens is drawn from one seed. What must always hold is checked at each commit
 * and each delivery (sim_fail). */
#ifndef SIM_H
#define SIM_H
#include "lib/store_fixture.h"

#include <inttypes.h>

#include "base/clock.h"
#include "base/id.h"
#include "base/str.h"
#include "dispatcher/assignment.h"
#include "model/node.h"
#include "model/pb.h"
#include "model/service.h"
#include "model/task.h"
#include "orchestrator/orchestrator.h"
#include "scheduler/scheduler.h"

enum { SIM_NODES = 4, SIM_TASKS = 400, SIM_SECRETS = 4, SIM_HELD = 32 };

struct sim_task { /* as its node knows it */
    char id[ID_SIZE], secret[ID_SIZE], service[ID_SIZE];
    uint64_t slot;
    int desired, state, told; /* told: the last state that the manager has confirmed */
};
struct sim_node {
    char id[8];
    bool up;                     /* the machine */
    bool connected;              /* its assignment stream */
    bool fresh;                  /* the next set is COMPLETE */
    struct assignment_sent sent; /* the manager's memory of the stream */
    struct sim_task tasks[SIM_TASKS];
    size_t n_tasks;
    char held[SIM_HELD][ID_SIZE]; /* secrets */
    size_t n_held;
};

static struct store_fixture fx;
static struct orchestrator *sim_orch;
static struct store_watch *sim_watch;
static struct sim_node sim_nodes[SIM_NODES];
static uint64_t sim_state, sim_seed;
static int64_t sim_wake;
static unsigned sim_failed;  /* tasks of this history that broke something */
static double sim_fail_rate; /* of a task at each step of its life */

static inline uint64_t rnd(uint64_t n) /* 0 … n-1 */
{
    sim_state ^= sim_state << 13;
    sim_state ^= sim_state >> 7;
    sim_state ^= sim_state << 17;
    return (sim_state * 0x2545f4914f6cdd1du >> 33) % n;
}

static inline bool chance(double p)
{
    return (double)rnd(1000000) < p * 1000000;
}

#define sim_fail(...)                                                                              \
    do {                                                                                           \
        if (sim_failed++ == 0) {                                                                   \
            printf("# seed %" PRIu64 ": ", sim_seed);                                              \
            printf(__VA_ARGS__);                                                                   \
            printf("\n");                                                                          \
        }                                                                                          \
    } while (0)

static inline void sim_id(void *arg, char ret[ID_SIZE])
{
    (void)arg;
    for (int i = 0; i < ID_LEN; i++)
        ret[i] = "0123456789abcdefghijklmnopqrstuvwxyz"[rnd(36)];
    ret[ID_LEN] = '\0';
}

/* ---- SIM_TRACE=1 tells the story of what changes ---- */
static inline void sim_trace(const struct store_event *ev)
{
    static int on = -1;

    if (on < 0)
        on = getenv("SIM_TRACE") != NULL;
    if (!on)
        return;
    double at = (double)(fx.now - 1700000000000000000) / 1e9;
    if (ev->kind == STORE_TASK) {
        const Pb__Task *t = ev->object;
        const char *mark = task_note(t, TASK_NOTE_UPDATE);
        printf("# %.1f %c %s.%" PRIu64 " %.5s %s on %s: %s, wanted %s%s%s\n", at,
               " +u r"[ev->action], t -> service_id, t -> slot, t -> id,
               t -> spec -> container -> image, t -> node_id, task_state_name(task_state(t)),
               task_state_name((int)t->desired_state), mark ? " by " : "", mark ? mark : "");
    } else if (ev->kind == STORE_SERVICE) {
        const Pb__Service *s = ev->object;
        printf("# %.1f %c %s %s x %" PRIu64 " version %" PRIu64 ": %s\n", at, " +u r"[ev->action],
               s -> id, s -> spec -> task -> container -> image, service_spec_replicas(s->spec),
               pb_version(s->spec_version),
               s -> update_status ? s -> update_status -> message : "");
    } else if (ev->kind == STORE_NODE) {
        const Pb__Node *n = ev->object;
        printf("# %.1f %c %s %s %s\n", at, " +u r"[ev->action], n -> id,
               node_state_name(node_state(n)), node_availability_name(node_availability(n)));
    }
}

/* ---- invariants at each commit ---- */
static inline void check_task_event(const struct store_event *ev)
{
    const Pb__Task *t = ev->object, *b = ev->before;

    if (ev->action != STORE_UPDATE)
        return;
    int from = task_state(b), to = task_state(t);
    if (to < from || (from >= TASK_COMPLETE && to != from && to != TASK_ORPHANED))
        sim_fail("task %s goes from %s to %s", t->id, task_state_name(task_state(b)),
                 task_state_name(task_state(t)));
    if (t->desired_state < b->desired_state)
        sim_fail("task %s is wanted again: %s after %s", t->id,
                 task_state_name((int)t->desired_state), task_state_name((int)b->desired_state));
    if (!str_empty(b->node_id) && !str_eq(t->node_id, b->node_id))
        sim_fail("task %s changes its node", t->id);
}

struct in_flight {
    const char *mark;
    uint64_t n;
};

static inline int count_in_flight(const void *object, void *arg)
{
    const Pb__Task *t = object;
    struct in_flight *f = arg;
    const char *note = task_note(t, TASK_NOTE_UPDATE);

    f->n += note && str_eq(note, f->mark) && task_wanted(t) && task_state(t) < TASK_RUNNING;
    return 0;
}

/* No more of an update is under way at once than its parallelism allows. */
static inline int check_service(const void *object, void *arg)
{
    const Pb__Service *s = object;
    int state = service_update_state(s);
    bool back = state == UPDATE_ROLLBACK_STARTED;
    uint64_t parallelism = update_rules(back ? s->spec->rollback : s->spec->update).parallelism;
    char mark[48];
    struct in_flight f = {.mark = mark};

    (void)arg;
    if ((state != UPDATE_UPDATING && !back) || parallelism == 0)
        return 0;
    snprintf(mark, sizeof mark, "%c%" PRId64 ".%" PRIu64, back ? 'r' : 'u',
             pb_time_ns(s->update_status->started_at), pb_version(s->spec_version));
    store_each_task_of_service(fx.store, STORE_COMMITTED, s->id, count_in_flight, &f);
    if (f.n > parallelism)
        sim_fail("service %s replaces %" PRIu64 " at once, not %" PRIu64, s->id, f.n, parallelism);
    return 0;
}

static inline void sim_event(void *arg, const struct store_event *ev)
{
    (void)arg;
    orchestrator_note(sim_orch, fx.store, ev);
    sim_trace(ev);
    if (ev->kind == STORE_TASK)
        check_task_event(ev);
    for (int i = 0; i < SIM_NODES; i++)
        assignment_event(&sim_nodes[i].sent, sim_nodes[i].id, ev);
}

/* ---- the manager ---- */
static inline void sim_manager(void)
{
    sim_orch = orchestrator_new();
    orchestrator_set_ids(sim_orch, sim_id, NULL);
    sim_watch = store_watch(fx.store, sim_event, NULL);
    for (int i = 0; i < SIM_NODES; i++) {
        assignment_sent_clear(&sim_nodes[i].sent);
        sim_nodes[i].fresh = true;
    }
}

static inline void on_lost(void *arg, int r, const struct err *e)
{
    (void)arg;
    (void)e;
    if (r < 0)
        orchestrator_note_all(sim_orch);
}

static inline void sim_propose(struct store_batch *b)
{
    if (store_batch_len(b))
        store_propose(fx.store, b, on_lost, NULL);
    else
        store_batch_free(b);
}

static inline void sim_pass(void)
{
    struct store_batch *b = store_batch_new(fx.store);
    orchestrator_pass(sim_orch, fx.store, fx.now, b, &sim_wake);
    sim_propose(b);
    b = store_batch_new(fx.store);
    scheduler_pass(fx.store, fx.now, b);
    sim_propose(b);
}

static inline void sim_commit(void)
{
    if (fake_log_step(fx.disk))
        store_each(fx.store, STORE_COMMITTED, STORE_SERVICE, check_service, NULL);
}

static inline void sim_crash(void)
{
    struct orchestrator *old = sim_orch;
    fake_log_crash(fx.disk);
    fixture_reopen(&fx); /* its proposers hear of the loss once more */
    orchestrator_free(old);
    sim_manager();
}

/* ---- the nodes ---- */
static inline struct sim_task *sim_find(struct sim_node *n, const char *id)
{
    for (size_t i = 0; i < n->n_tasks; i++)
        if (str_eq(n->tasks[i].id, id))
            return &n->tasks[i];
    return NULL;
}

static inline void sim_drop_task(struct sim_node *n, const char *id)
{
    struct sim_task *t = sim_find(n, id);
    if (t)
        *t = n->tasks[--n->n_tasks];
}

static inline void sim_drop_secret(struct sim_node *n, const char *id)
{
    for (size_t i = 0; i < n->n_held; i++)
        if (str_eq(n->held[i], id))
            memcpy(n->held[i], n->held[--n->n_held], ID_SIZE);
}

static inline bool sim_holds(const struct sim_node *n, const char *id)
{
    for (size_t i = 0; i < n->n_held; i++)
        if (str_eq(n->held[i], id))
            return true;
    return false;
}

static inline void sim_take_task(struct sim_node *n, const Pb__Task *t)
{
    struct sim_task *have = sim_find(n, t->id);
    const Pb__ContainerSpec *c = task_container(t);

    if (have) {
        if (have->desired < (int)t->desired_state)
            have->desired = (int)t->desired_state;
        return;
    }
    if (n->n_tasks == SIM_TASKS)
        abort();
    have = &n->tasks[n->n_tasks++];
    *have = (struct sim_task){
        .slot = t->slot, .desired = (int)t->desired_state, .state = task_state(t)};
    have->told = have->state;
    str_copy(have->id, ID_SIZE, t->id);
    str_copy(have->service, ID_SIZE, t->service_id);
    if (c && c->n_secrets)
        str_copy(have->secret, ID_SIZE, c->secrets[0]->secret_id);
}

struct user_of {
    const char *secret;
    bool found;
};

static inline int uses(const void *object, void *arg)
{
    const Pb__Task *t = object;
    struct user_of *u = arg;

    u->found = u->found || (task_state(t) >= TASK_ASSIGNED && task_state(t) <= TASK_RUNNING &&
                            task_uses_secret(t, u->secret));
    return u->found;
}

/* What the manager has sent to a node is what that node's tasks need, and what it sent is what the
 * node has. */
static inline void check_secrets(struct sim_node *n)
{
    for (size_t i = 0; i < n->n_held; i++) {
        struct user_of u = {.secret = n->held[i]};
        store_each_task_of_node(fx.store, STORE_COMMITTED, n->id, uses, &u);
        if (!u.found)
            sim_fail("node %s has secret %s, which no task of its own needs", n->id, n->held[i]);
        if (!assignment_has_secret(&n->sent, n->held[i]))
            sim_fail("node %s has secret %s, which it was not sent", n->id, n->held[i]);
    }
}

static inline void sim_node_state(struct sim_node *n, int state)
{
    const Pb__Node *tip = store_get(fx.store, STORE_TIP, STORE_NODE, n->id);
    if (!tip || node_state(tip) == state)
        return;
    struct store_batch *b = store_batch_new(fx.store);
    Pb__Node *c = store_copy(STORE_NODE, tip);
    c->status->state = (Pb__NodeStatus__State)state;
    store_update(b, STORE_NODE, c);
    sim_propose(b);
}

static inline int find_held_need(const void *object, void *arg)
{
    const Pb__Task *t = object;
    struct sim_node *n = arg;
    const Pb__ContainerSpec *c = task_container(t);
    struct sim_task *have = sim_find(n, t->id);

    if (task_state(t) < TASK_ASSIGNED)
        return 0;
    if (!have || have->desired != (int)t->desired_state)
        sim_fail("node %s has not heard of task %s as it is", n->id, t->id);
    if (task_state(t) <= TASK_RUNNING && c->n_secrets &&
        store_get(fx.store, STORE_COMMITTED, STORE_SECRET, c->secrets[0]->secret_id) &&
        !sim_holds(n, c->secrets[0]->secret_id))
        sim_fail("node %s lacks the secret of task %s", n->id, t->id);
    return 0;
}

/* After a message the node knows all that it should: what was noted change by change is what a look
 * at everything finds. */
static inline void check_complete(struct sim_node *n)
{
    store_each_task_of_node(fx.store, STORE_COMMITTED, n->id, find_held_need, n);
    for (size_t i = 0; i < n->n_tasks; i++)
        if (!store_get(fx.store, STORE_COMMITTED, STORE_TASK, n->tasks[i].id))
            sim_fail("node %s still has task %s", n->id, n->tasks[i].id);
}

/* A registration that was lost is tried again. */
static inline void sim_register(struct sim_node *n)
{
    sim_node_state(n, n->up && n->connected ? NODE_READY : NODE_DOWN);
}

/* The stream's next message, if there is anything to say. */
static inline void sim_deliver(struct sim_node *n)
{
    struct assignment_plan p;

    if (!n->up || !n->connected)
        return;
    assignment_plan(fx.store, n->id, &n->sent, &p);
    if (n->fresh) { /* COMPLETE: what is not listed goes */
        n->n_held = 0;
        for (size_t i = n->n_tasks; i-- > 0;) {
            bool listed = false;
            for (size_t k = 0; k < p.tasks.n; k++)
                listed = listed || str_eq(((const Pb__Task *)p.tasks.v[k])->id, n->tasks[i].id);
            if (!listed)
                n->tasks[i] = n->tasks[--n->n_tasks];
        }
        n->fresh = false;
    }
    for (size_t i = 0; i < p.secrets.n; i++) {
        const Pb__Secret *s = p.secrets.v[i];
        if (!sim_holds(n, s->id) && n->n_held < SIM_HELD)
            str_copy(n->held[n->n_held++], ID_SIZE, s->id);
    }
    for (size_t i = 0; i < p.tasks.n; i++)
        sim_take_task(n, p.tasks.v[i]);
    for (char **id = p.gone_tasks; id && *id; id++)
        sim_drop_task(n, *id);
    for (char **id = p.gone_secrets; id && *id; id++)
        sim_drop_secret(n, *id);
    assignment_plan_done(&p);
    check_secrets(n);
    check_complete(n);
}

static inline int sim_next_state(struct sim_node *n, struct sim_task *t)
{
    static const int path[] = {TASK_ASSIGNED, TASK_ACCEPTED, TASK_PREPARING,
                               TASK_READY,    TASK_STARTING, TASK_RUNNING};

    if (task_state_is_final(t->state))
        return t->state;
    if (t->desired >= TASK_SHUTDOWN)
        return TASK_SHUTDOWN;
    if (chance(sim_fail_rate))
        return t->state < TASK_STARTING ? TASK_REJECTED : (rnd(2) ? TASK_FAILED : TASK_COMPLETE);
    if (t->state >= t->desired)
        return t->state;
    for (size_t i = 0; i + 1 < sizeof path / sizeof *path; i++) {
        if (path[i] != t->state)
            continue;
        if (path[i + 1] == TASK_STARTING && t->secret[0] && !sim_holds(n, t->secret)) {
            if (n->connected && !n->fresh &&
                store_get(fx.store, STORE_COMMITTED, STORE_SECRET, t->secret) &&
                assignment_has_task(&n->sent, t->id)) {
                const Pb__Task *stored = store_get(fx.store, STORE_COMMITTED, STORE_TASK, t->id);
                if (stored && task_state(stored) <= TASK_RUNNING)
                    sim_fail("task %s starts on %s without its secret", t->id, n->id);
            }
            return TASK_FAILED;
        }
        return path[i + 1];
    }
    return t->state;
}

static inline void sim_step_task(struct sim_node *n)
{
    if (!n->up || n->n_tasks == 0)
        return;
    struct sim_task *t = &n->tasks[rnd(n->n_tasks)];
    t->state = sim_next_state(n, t);
}

/* Tells the manager what it does not know yet. Lost on the way now and then: told again later. */
static inline void sim_report(struct sim_node *n, double lost)
{
    struct store_batch *b;

    if (!n->up || !n->connected || chance(lost))
        return;
    b = store_batch_new(fx.store);
    bool stale =
        lost > 0 &&
        chance(0.1); /* what was on its way for too long: it says less than the manager knows */
    for (size_t i = 0; i < n->n_tasks; i++) {
        struct sim_task *t = &n->tasks[i];
        const Pb__Task *tip = store_get(fx.store, STORE_TIP, STORE_TASK, t->id);
        if (!tip || (task_state(tip) == t->state && !stale))
            continue;
        Pb__TaskStatus st = PB__TASK_STATUS__INIT;
        Pb__Task *copy = store_copy(STORE_TASK, tip);
        st.state = (Pb__TaskState)(stale ? (int)rnd((uint64_t)t->state / 64 + 1) * 64 : t->state);
        pb_set_time(&st.timestamp, fx.now);
        if (task_apply_status(copy, &st, n->id, fx.now))
            store_update(b, STORE_TASK, copy);
        else
            pb_free(copy);
        pb_free(st.timestamp);
    }
    sim_propose(b);
}

static inline void sim_connect(struct sim_node *n, bool on)
{
    n->connected = on && n->up;
    n->fresh = true;
    assignment_sent_clear(&n->sent);
    sim_node_state(n, n->connected ? NODE_READY : NODE_DOWN);
}

/* The machine loses power: what ran there is gone, and so is its memory. */
static inline void sim_power(struct sim_node *n, bool on)
{
    n->up = on;
    if (!on) {
        n->n_tasks = n->n_held = 0;
        sim_connect(n, false);
    } else {
        sim_connect(n, true);
    }
}

static inline void sim_open(uint64_t seed)
{
    sim_seed = seed;
    sim_state = seed * 0x9e3779b97f4a7c15u + 0x1234567;
    sim_failed = 0;
    sim_fail_rate = 0;
    fixture_open(&fx);
    memset(sim_nodes, 0, sizeof sim_nodes);
    sim_manager();
    struct store_batch *b = store_batch_new(fx.store);
    for (int i = 0; i < SIM_NODES; i++) {
        struct sim_node *n = &sim_nodes[i];
        snprintf(n->id, sizeof n->id, "n%d", i + 1);
        n->up = n->connected = n->fresh = true;
        Pb__Node *o = PB_NEW(Node, node);
        pb_str(&o->id, n->id);
        o->spec = PB_NEW(NodeSpec, node_spec);
        o->spec->annotations = PB_NEW(Annotations, annotations);
        o->status = PB_NEW(NodeStatus, node_status);
        o->status->state = PB__NODE_STATUS__STATE__STATE_READY;
        store_create(b, STORE_NODE, o);
    }
    for (int i = 0; i < SIM_SECRETS; i++) {
        char id[8];
        snprintf(id, sizeof id, "s%d", i);
        Pb__Secret *s = PB_NEW(Secret, secret);
        pb_str(&s->id, id);
        s->spec = PB_NEW(SecretSpec, secret_spec);
        s->spec->annotations = PB_NEW(Annotations, annotations);
        pb_str(&s->spec->annotations->name, id);
        store_create(b, STORE_SECRET, s);
        store_put_payload(b, id, "x", 1);
    }
    store_propose(fx.store, b, NULL, NULL);
    fixture_run(&fx);
}

static inline void sim_close(void)
{
    for (int i = 0; i < SIM_NODES; i++)
        assignment_sent_clear(&sim_nodes[i].sent);
    fixture_run(&fx);
    orchestrator_free(sim_orch);
    fixture_close(&fx);
}
#endif
