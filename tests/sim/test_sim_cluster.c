/* sim/test_sim_cluster.c - histories of a cluster: users, crashes, failures and losses by chance,
 * and what must hold all the same.
 *
 * SIM_HISTORIES says how many of each kind; SIM_SEED where they begin. A failure prints its seed:
 * SIM_HISTORIES=1 SIM_SEED=that runs it alone. */
#include "sim/sim.h"

enum { SERVICES = 4, REPLICAS_MAX = 6 };
static const char *const services[SERVICES] = {"w0", "w1", "w2", "w3"};

static const Pb__Service *tip_service(const char *id)
{
    return store_get(fx.store, STORE_TIP, STORE_SERVICE, id);
}

static bool spec_names(const Pb__ServiceSpec *spec, const char *secret)
{
    const Pb__ContainerSpec *c = spec ? spec->task->container : NULL;

    return c && c->n_secrets && str_eq(c->secrets[0]->secret_id, secret);
}

/* Now, or after a rollback: a service whose secret is gone can do no more than fail. */
static int names_secret(const void *object, void *arg)
{
    const Pb__Service *s = object;

    return spec_names(s->spec, arg) || spec_names(s->previous_spec, arg);
}

static void give_secret(Pb__ContainerSpec *c)
{
    char id[8];

    for (size_t i = 0; i < c->n_secrets; i++)
        pb_free(c->secrets[i]);
    c->n_secrets = 0;
    snprintf(id, sizeof id, "s%d", (int)rnd(SIM_SECRETS));
    if (!store_get(fx.store, STORE_TIP, STORE_SECRET, id))
        return;
    Pb__SecretReference *r = PB_NEW(SecretReference, secret_reference);
    pb_str(&r->secret_id, id);
    PB_PUSH(c->n_secrets, c->secrets, r);
}

static Pb__UpdateConfig *some_update(bool start_first)
{
    Pb__UpdateConfig *u = PB_NEW(UpdateConfig, update_config);

    u->parallelism = rnd(4);
    u->failure_action = (Pb__UpdateConfig__FailureAction)rnd(3);
    u->max_failure_ratio = rnd(2) ? 0.0F : 0.4F;
    u->order = start_first && rnd(2) ? PB__UPDATE_CONFIG__UPDATE_ORDER__UPDATE_ORDER_START_FIRST
                                     : PB__UPDATE_CONFIG__UPDATE_ORDER__UPDATE_ORDER_STOP_FIRST;
    pb_set_duration(&u->delay, (int64_t)rnd(3) * NS_PER_SEC);
    pb_set_duration(&u->monitor, (int64_t)rnd(6) * NS_PER_SEC);
    return u;
}

static int stop_at_first(const void *object, void *arg)
{
    (void)object;
    (void)arg;
    return 1;
}

static void create_service(const char *id)
{
    if (store_each_task_of_service(fx.store, STORE_TIP, id, stop_at_first, NULL))
        return; /* a new service never has the id of an old one */
    struct store_batch *b = store_batch_new(fx.store);
    Pb__Service *s = PB_NEW(Service, service);

    pb_str(&s->id, id);
    s->spec = PB_NEW(ServiceSpec, service_spec);
    s->spec->annotations = PB_NEW(Annotations, annotations);
    pb_str(&s->spec->annotations->name, id);
    if (rnd(4) == 0) {
        s->spec->mode_case = PB__SERVICE_SPEC__MODE_GLOBAL;
        s->spec->global = PB_NEW(GlobalService, global_service);
    } else {
        s->spec->mode_case = PB__SERVICE_SPEC__MODE_REPLICATED;
        s->spec->replicated = PB_NEW(ReplicatedService, replicated_service);
        s->spec->replicated->replicas = rnd(REPLICAS_MAX + 1);
    }
    s->spec->task = PB_NEW(TaskSpec, task_spec);
    s->spec->task->runtime_case = PB__TASK_SPEC__RUNTIME_CONTAINER;
    s->spec->task->container = PB_NEW(ContainerSpec, container_spec);
    pb_str(&s->spec->task->container->image, "v0");
    give_secret(s->spec->task->container);
    s->spec->task->restart = PB_NEW(RestartPolicy, restart_policy);
    s->spec->task->restart->condition =
        PB__RESTART_POLICY__RESTART_CONDITION__RESTART_CONDITION_ANY;
    pb_set_duration(&s->spec->task->restart->delay, (int64_t)rnd(6) * NS_PER_SEC);
    service_born(s);
    store_create(b, STORE_SERVICE, s);
    sim_propose(b);
}

static void update_service(const Pb__Service *old, bool start_first)
{
    struct store_batch *b = store_batch_new(fx.store);
    Pb__Service *s = store_copy(STORE_SERVICE, old);
    char image[16];

    if (rnd(5) == 0 && service_can_roll_back(s)) {
        service_roll_back(s, fx.now, SERVICE_ROLLBACK_MANUAL);
    } else {
        Pb__ServiceSpec *spec = pb_dup(s->spec);
        if (service_spec_mode(spec) == SERVICE_REPLICATED && rnd(2))
            spec->replicated->replicas = rnd(REPLICAS_MAX + 1);
        if (rnd(2)) {
            snprintf(image, sizeof image, "v%d", (int)rnd(3));
            pb_str(&spec->task->container->image, image);
        }
        if (rnd(4) == 0)
            give_secret(spec->task->container);
        pb_free(spec->update);
        spec->update = some_update(start_first);
        service_change(s, spec);
    }
    store_update(b, STORE_SERVICE, s);
    sim_propose(b);
}

static void remove_object(enum store_kind k, const char *id)
{
    struct store_batch *b = store_batch_new(fx.store);
    store_remove(b, k, id);
    sim_propose(b);
}

static void set_availability(struct sim_node *n, int a)
{
    struct store_batch *b = store_batch_new(fx.store);
    Pb__Node *o = store_copy(STORE_NODE, store_get(fx.store, STORE_TIP, STORE_NODE, n->id));
    o->spec->availability = (Pb__NodeSpec__Availability)a;
    store_update(b, STORE_NODE, o);
    sim_propose(b);
}

/* One thing that a user does. */
static void user(void)
{
    const char *id = services[rnd(SERVICES)];
    const Pb__Service *s = tip_service(id);
    char secret[8];

    switch (rnd(10)) {
    case 0:
        if (s)
            remove_object(STORE_SERVICE, id);
        break;
    case 1:
        set_availability(&sim_nodes[rnd(SIM_NODES)], (int)rnd(3));
        break;
    case 2:
        snprintf(secret, sizeof secret, "s%d", (int)rnd(SIM_SECRETS));
        if (store_get(fx.store, STORE_TIP, STORE_SECRET, secret) &&
            !store_each(fx.store, STORE_TIP, STORE_SERVICE, names_secret, secret))
            remove_object(STORE_SECRET, secret);
        break;
    default:
        if (s)
            update_service(s, true);
        else
            create_service(id);
    }
}

/* One thing that goes wrong. */
static void mishap(void)
{
    struct sim_node *n = &sim_nodes[rnd(SIM_NODES)];

    switch (rnd(6)) {
    case 0:
        sim_crash();
        break;
    case 1:
        if (fake_log_waiting(fx.disk))
            fake_log_fail(fx.disk, -28, "no space left on device", 1);
        break;
    case 2:
        sim_power(n, !n->up);
        break;
    default:
        sim_connect(n, !n->connected);
    }
}

/* One step of everybody else. */
static void tick(double lost)
{
    for (int i = 0; i < SIM_NODES; i++) {
        sim_register(&sim_nodes[i]);
        if (chance(0.7))
            sim_deliver(&sim_nodes[i]);
        for (int k = 0; k < 4; k++)
            sim_step_task(&sim_nodes[i]);
        if (chance(0.7))
            sim_report(&sim_nodes[i], lost);
    }
    sim_pass();
    if (chance(0.7))
        sim_commit();
    if (chance(0.3))
        fx.now += (int64_t)rnd(1500) * NS_PER_MS;
}

/* ---- what must be so in the end ---- */
struct tally {
    const Pb__Service *s;
    size_t all, wanted, running, removing;
    size_t other_image;
};

static int tally_task(const void *object, void *arg)
{
    const Pb__Task *t = object;
    struct tally *y = arg;

    y->all++;
    y->wanted += task_wanted(t);
    y->running += task_wanted(t) && task_is_running(t);
    y->removing += (int)t->desired_state == TASK_REMOVE;
    y->other_image += task_wanted(t) && y->s &&
                      !str_eq(t->spec->container->image, y->s->spec->task->container->image);
    return 0;
}

static void check_converged(const char *id)
{
    struct tally y = {.s = tip_service(id)};
    int state = y.s ? service_update_state(y.s) : UPDATE_NONE;
    uint64_t want = 0;

    store_each_task_of_service(fx.store, STORE_COMMITTED, id, tally_task, &y);
    if (y.s)
        want = service_spec_mode(y.s->spec) == SERVICE_GLOBAL ? SIM_NODES
                                                              : service_spec_replicas(y.s->spec);
    bool paused = state == UPDATE_PAUSED || state == UPDATE_ROLLBACK_PAUSED;
    if (y.running != want && !paused)
        sim_fail("service %s ends with %zu running of %" PRIu64 " (%s)", id, y.running, want,
                 update_state_name(state));
    if (y.wanted != y.running && !paused)
        sim_fail("service %s ends with %zu tasks that do not run", id, y.wanted - y.running);
    if (y.all > want * DEFAULT_TASK_HISTORY && !paused)
        sim_fail("service %s ends with %zu records for %" PRIu64 " slots", id, y.all, want);
    if (y.removing)
        sim_fail("service %s ends with %zu tasks that are to be removed", id, y.removing);
    if (y.other_image && !paused)
        sim_fail("service %s ends with %zu tasks of another spec (%s)", id, y.other_image,
                 update_state_name(state));
    if (state == UPDATE_UPDATING || state == UPDATE_ROLLBACK_STARTED)
        sim_fail("service %s never ends its update", id);
}

static int count_unknown(const void *object, void *arg)
{
    const Pb__Task *t = object;
    size_t *n = arg;

    *n += !str_empty(t->service_id) && !tip_service(t->service_id);
    return 0;
}

static void calm_down(void)
{
    sim_fail_rate = 0;
    fixture_run(&fx);
    for (int i = 0; i < SIM_NODES; i++) {
        if (!sim_nodes[i].up)
            sim_power(&sim_nodes[i], true);
        else if (!sim_nodes[i].connected)
            sim_connect(&sim_nodes[i], true);
        set_availability(&sim_nodes[i], NODE_ACTIVE);
    }
    for (int quiet = 0, i = 0; quiet < 40 && i < 2000; i++) {
        uint64_t before = store_index(fx.store, STORE_TIP);
        for (int k = 0; k < SIM_NODES; k++) {
            sim_register(&sim_nodes[k]);
            sim_deliver(&sim_nodes[k]);
            for (size_t t = 0; t < sim_nodes[k].n_tasks; t++)
                sim_nodes[k].tasks[t].state = sim_next_state(&sim_nodes[k], &sim_nodes[k].tasks[t]);
            sim_report(&sim_nodes[k], 0);
        }
        sim_pass();
        fixture_run(&fx);
        fx.now += NS_PER_SEC;
        quiet = store_index(fx.store, STORE_TIP) == before ? quiet + 1 : 0;
    }
}

static void check_end(void)
{
    size_t strangers = 0;

    for (int i = 0; i < SERVICES; i++)
        check_converged(services[i]);
    store_each(fx.store, STORE_TIP, STORE_TASK, count_unknown, &strangers);
    if (strangers)
        sim_fail("%zu tasks of no service are left", strangers);
    for (int i = 0; i < SIM_NODES; i++)
        for (size_t k = 0; k < sim_nodes[i].n_tasks; k++)
            if (!store_get(fx.store, STORE_TIP, STORE_TASK, sim_nodes[i].tasks[k].id))
                sim_fail("node %s keeps task %s, which is gone", sim_nodes[i].id,
                         sim_nodes[i].tasks[k].id);
    orchestrator_note_all(sim_orch);
    uint64_t before = store_index(fx.store, STORE_TIP);
    sim_pass();
    fixture_run(&fx);
    if (store_index(fx.store, STORE_TIP) != before)
        sim_fail("a look at everything still finds something to do");
}

static unsigned long from_env(const char *name, unsigned long otherwise)
{
    const char *s = getenv(name);
    uint64_t v;

    return s && str_to_u64(s, 1000000000, &v) == 0 ? v : otherwise;
}

static void histories(unsigned long n, void (*one)(void))
{
    unsigned long first = from_env("SIM_SEED", 1), bad = 0;

    n = from_env("SIM_HISTORIES", n);
    for (unsigned long i = 0; i < n; i++) {
        sim_open(first + i);
        one();
        sim_close();
        bad += sim_failed > 0;
        if (bad > 9)
            break;
    }
    EXPECT_INT(bad, 0);
}

static void rough(void)
{
    sim_fail_rate = 0.01;
    for (int i = 0; i < 150 && !sim_failed; i++) {
        if (chance(0.15))
            user();
        if (chance(0.06))
            mishap();
        tick(0.2);
    }
    calm_down();
    check_end();
}

static void whatever_happens_the_cluster_keeps_its_rules_and_ends_as_it_was_asked_to(void)
{
    histories(600, rough);
}

/* ---- calm histories: nothing fails, so an update never takes more away than it may, and no slot
 * runs twice ---- */
static void check_running(const Pb__Service *s, uint64_t parallelism)
{
    bool slots[REPLICAS_MAX + 1] = {false};
    uint64_t running = 0;

    for (int i = 0; i < SIM_NODES; i++) {
        for (size_t k = 0; k < sim_nodes[i].n_tasks; k++) {
            const struct sim_task *t = &sim_nodes[i].tasks[k];
            if (t->state != TASK_RUNNING || t->slot > REPLICAS_MAX || !str_eq(t->service, s->id))
                continue;
            if (slots[t->slot])
                sim_fail("slot %" PRIu64 " of %s runs twice", t->slot, s->id);
            slots[t->slot] = true;
            running++;
        }
    }
    if (running + parallelism < service_spec_replicas(s->spec))
        sim_fail("service %s runs %" PRIu64 " of %" PRIu64 " with parallelism %" PRIu64, s->id,
                 running, service_spec_replicas(s->spec), parallelism);
}

static void calm(void)
{
    create_service("w0");
    while (!tip_service("w0")->spec->replicated ||
           service_spec_replicas(tip_service("w0")->spec) < 2) {
        remove_object(STORE_SERVICE, "w0");
        create_service("w0");
    }
    calm_down();
    uint64_t parallelism = 1 + rnd(2);
    for (int round = 0; round < 3 && !sim_failed; round++) {
        struct store_batch *b = store_batch_new(fx.store);
        Pb__Service *s = store_copy(STORE_SERVICE, tip_service("w0"));
        Pb__ServiceSpec *spec = pb_dup(s->spec);
        spec->task->force_update++;
        pb_free(spec->update);
        spec->update = some_update(false);
        spec->update->parallelism = parallelism;
        service_change(s, spec);
        store_update(b, STORE_SERVICE, s);
        sim_propose(b);
        for (int i = 0; i < 80 && !sim_failed; i++) {
            tick(0.1);
            if (chance(0.03)) {
                fixture_run(&fx); /* what was told to a node is durable; a manager that comes back
                                     knows all of it */
                sim_crash();
            }
            check_running(tip_service("w0"), parallelism);
        }
        calm_down(); /* the next round begins when this one has ended */
    }
    check_end();
}

static void
without_failures_a_stop_first_update_keeps_all_but_its_parallelism_running_and_no_slot_twice(void)
{
    histories(400, calm);
}

int main(void)
{
    TEST(whatever_happens_the_cluster_keeps_its_rules_and_ends_as_it_was_asked_to);
    TEST(
        without_failures_a_stop_first_update_keeps_all_but_its_parallelism_running_and_no_slot_twice);
    return check_done();
}
