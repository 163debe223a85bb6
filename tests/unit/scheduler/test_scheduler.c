/* unit/scheduler/test_scheduler.c - filters, spread, and what a task says that fits nowhere. */
#include "scheduler/scheduler.h"

#include "lib/store_fixture.h"

#include "base/clock.h"
#include "base/str.h"
#include "model/node.h"
#include "model/pb.h"
#include "model/task.h"

static struct store_fixture fx;
static struct store_batch *batch;

static void begin(void)
{
    batch = store_batch_new(fx.store);
}

static void commit(void)
{
    store_propose(fx.store, batch, NULL, NULL);
    fixture_run(&fx);
}

static Pb__Node *node(const char *id)
{
    Pb__Node *n = PB_NEW(Node, node);
    pb_str(&n->id, id);
    n->spec = PB_NEW(NodeSpec, node_spec);
    n->spec->annotations = PB_NEW(Annotations, annotations);
    n->status = PB_NEW(NodeStatus, node_status);
    n->status->state = PB__NODE_STATUS__STATE__STATE_READY;
    n->description = PB_NEW(NodeDescription, node_description);
    n->description->resources = PB_NEW(Resources, resources);
    n->description->resources->nano_cpus = 4000000000;
    n->description->resources->memory_bytes = 1 << 30;
    n->description->platform = PB_NEW(Platform, platform);
    pb_str(&n->description->platform->os, "linux");
    pb_str(&n->description->platform->architecture, "x86_64");
    n->description->engine = PB_NEW(EngineDescription, engine_description);
    return n;
}

static Pb__Task *task(const char *id, const char *service, uint64_t slot)
{
    Pb__Task *t = PB_NEW(Task, task);
    pb_str(&t->id, id);
    pb_str(&t->service_id, service);
    t->slot = slot;
    t->desired_state = PB__TASK_STATE__TASK_STATE_RUNNING;
    t->spec = PB_NEW(TaskSpec, task_spec);
    t->spec->runtime_case = PB__TASK_SPEC__RUNTIME_CONTAINER;
    t->spec->container = PB_NEW(ContainerSpec, container_spec);
    t->spec->placement = PB_NEW(Placement, placement);
    pb_set_version(&t->spec_version, 0);
    task_set_status(t, TASK_NEW, fx.now, "created", NULL);
    return t;
}

static void constrain(Pb__Task *t, const char *expr)
{
    PB_PUSH(t->spec->placement->n_constraints, t->spec->placement->constraints, mem_str(expr));
}

static void reserve(Pb__Task *t, int64_t cpus, int64_t memory)
{
    t->spec->resources = PB_NEW(ResourceRequirements, resource_requirements);
    t->spec->resources->reservations = PB_NEW(Resources, resources);
    t->spec->resources->reservations->nano_cpus = cpus;
    t->spec->resources->reservations->memory_bytes = memory;
}

static void publish_on_host(Pb__Task *t, uint32_t port)
{
    Pb__PortConfig *p = PB_NEW(PortConfig, port_config);
    p->published_port = port;
    p->publish_mode = PB__PORT_CONFIG__PUBLISH_MODE__PUBLISH_MODE_HOST;
    t->endpoint = PB_NEW(Endpoint, endpoint);
    PB_PUSH(t->endpoint->n_ports, t->endpoint->ports, p);
}

static size_t pass(void)
{
    begin();
    scheduler_pass(fx.store, fx.now, batch);
    size_t n = store_batch_len(batch);
    commit();
    return n;
}

static const Pb__Task *now_(const char *id)
{
    return store_get(fx.store, STORE_TIP, STORE_TASK, id);
}

static void open_with(int nodes)
{
    fixture_open(&fx);
    begin();
    for (int i = 1; i <= nodes; i++) {
        char id[8];
        snprintf(id, sizeof id, "n%d", i);
        store_create(batch, STORE_NODE, node(id));
    }
    commit();
}

static void add(Pb__Task *t)
{
    begin();
    store_create(batch, STORE_TASK, t);
    commit();
}

static size_t on_node(const char *id, const char *prefix)
{
    size_t n = 0;
    for (int i = 0; i < 100; i++) {
        char name[32];
        snprintf(name, sizeof name, "%s%02d", prefix, i);
        n += now_(name) && str_eq(now_(name)->node_id, id) &&
             task_state(now_(name)) == TASK_ASSIGNED;
    }
    return n;
}

static void add_many(const char *prefix, const char *service, int n)
{
    begin();
    for (int i = 0; i < n; i++) {
        char id[32];
        snprintf(id, sizeof id, "%s%02d", prefix, i);
        store_create(batch, STORE_TASK, task(id, service, (uint64_t)i + 1));
    }
    commit();
}

static void a_new_task_gets_a_node_in_one_write(void)
{
    open_with(1);
    add(task("t1", "web", 1));
    EXPECT_INT(pass(), 1);
    EXPECT_INT(task_state(now_("t1")), TASK_ASSIGNED);
    EXPECT_STR(now_("t1")->node_id, "n1");
    EXPECT_STR(now_("t1")->status->message, "scheduler assigned task to node");
    EXPECT_INT(pass(), 0);
    fixture_close(&fx);
}

static void tasks_of_a_service_spread_evenly_and_then_by_load(void)
{
    open_with(3);
    add_many("a", "a", 6);
    pass();
    for (int i = 1; i <= 3; i++) {
        char id[8];
        snprintf(id, sizeof id, "n%d", i);
        EXPECT_INT(on_node(id, "a"), 2);
    }
    add_many("b", "b", 1);
    pass();
    add_many("c", "c", 2); /* c goes where b is not */
    pass();
    EXPECT_STR(now_("b00")->node_id, "n1");
    EXPECT_INT(on_node("n1", "c"), 0);
    fixture_close(&fx);
}

static void where_nothing_fits_the_task_says_why_most_first_and_only_once(void)
{
    open_with(3);
    begin();
    Pb__Node *n = store_copy(STORE_NODE, store_get(fx.store, STORE_TIP, STORE_NODE, "n1"));
    n->spec->availability = PB__NODE_SPEC__AVAILABILITY__AVAILABILITY_DRAIN;
    store_update(batch, STORE_NODE, n);
    commit();
    Pb__Task *t = task("t1", "web", 1);
    constrain(t, "node.labels.zone==b");
    add(t);
    EXPECT_INT(pass(), 1);
    EXPECT_INT(task_state(now_("t1")), TASK_PENDING);
    EXPECT_STR(now_("t1")->status->message, "pending task scheduling");
    EXPECT_STR(now_("t1")->status->err,
               "no suitable node (scheduling constraints not satisfied on 2 nodes; "
               "1 node not available for new tasks)");
    EXPECT_INT(pass(), 0);
    begin();
    n = store_copy(STORE_NODE, store_get(fx.store, STORE_TIP, STORE_NODE, "n2"));
    pb_label_set(n->spec->annotations, "zone", "b");
    store_update(batch, STORE_NODE, n);
    commit();
    pass();
    EXPECT_STR(now_("t1")->node_id, "n2");
    EXPECT_STR(now_("t1")->status->err, "");
    fixture_close(&fx);
}

static void without_any_node_there_is_no_suitable_one(void)
{
    open_with(0);
    add(task("t1", "web", 1));
    pass();
    EXPECT_STR(now_("t1")->status->err, "no suitable node");
    fixture_close(&fx);
}

static void reservations_are_kept_and_given_back(void)
{
    open_with(1);
    for (int i = 1; i <= 3; i++) {
        char id[8];
        snprintf(id, sizeof id, "t%d", i);
        Pb__Task *t = task(id, "web", (uint64_t)i);
        reserve(t, 2000000000, 1 << 20);
        add(t);
    }
    pass();
    EXPECT_INT(task_state(now_("t2")), TASK_ASSIGNED);
    EXPECT_STR(now_("t3")->status->err, "no suitable node (insufficient resources on 1 node)");
    begin();
    Pb__Task *t = store_copy(STORE_TASK, now_("t1"));
    task_set_status(t, TASK_FAILED, fx.now, NULL, NULL);
    store_update(batch, STORE_TASK, t);
    commit();
    pass();
    EXPECT_INT(task_state(now_("t3")), TASK_ASSIGNED);
    fixture_close(&fx);
}

static void a_host_port_is_given_once_a_node(void)
{
    open_with(2);
    for (int i = 1; i <= 3; i++) {
        char id[8];
        snprintf(id, sizeof id, "t%d", i);
        Pb__Task *t = task(id, "web", (uint64_t)i);
        publish_on_host(t, 80);
        add(t);
    }
    pass();
    EXPECT(!str_eq(now_("t1")->node_id, now_("t2")->node_id));
    EXPECT_STR(now_("t3")->status->err,
               "no suitable node (host-mode port already in use on 2 nodes)");
    fixture_close(&fx);
}

static void max_replicas_per_node_is_kept_also_over_two_specs_in_one_pass(void)
{
    open_with(2);
    for (int i = 1; i <= 3; i++) {
        char id[8];
        snprintf(id, sizeof id, "t%d", i);
        Pb__Task *t = task(id, "web", (uint64_t)i);
        t->spec->placement->max_replicas = 1;
        t->spec_version->index = i == 3 ? 7 : 0;
        add(t);
    }
    pass();
    EXPECT(!str_eq(now_("t1")->node_id, now_("t2")->node_id));
    EXPECT_STR(now_("t3")->status->err, "no suitable node (max replicas per node limit exceed)");
    fixture_close(&fx);
}

static void a_platform_must_match_by_either_of_its_names(void)
{
    open_with(1);
    Pb__Task *t = task("t1", "web", 1);
    Pb__Platform *p = PB_NEW(Platform, platform);
    pb_str(&p->os, "linux");
    pb_str(&p->architecture, "amd64");
    PB_PUSH(t->spec->placement->n_platforms, t->spec->placement->platforms, p);
    add(t);
    t = task("t2", "arm", 1);
    p = PB_NEW(Platform, platform);
    pb_str(&p->os, "linux");
    pb_str(&p->architecture, "arm64");
    PB_PUSH(t->spec->placement->n_platforms, t->spec->placement->platforms, p);
    add(t);
    pass();
    EXPECT_INT(task_state(now_("t1")), TASK_ASSIGNED);
    EXPECT_STR(now_("t2")->status->err, "no suitable node (unsupported platform on 1 node)");
    fixture_close(&fx);
}

static void a_plugin_must_be_there_when_the_node_lists_its_kind(void)
{
    open_with(1);
    Pb__Task *t = task("t1", "web", 1);
    t->log_driver = PB_NEW(Driver, driver);
    pb_str(&t->log_driver->name, "fluentd");
    add(t);
    begin();
    Pb__Node *n = store_copy(STORE_NODE, store_get(fx.store, STORE_TIP, STORE_NODE, "n1"));
    Pb__PluginDescription *p = PB_NEW(PluginDescription, plugin_description);
    pb_str(&p->type, "Log");
    pb_str(&p->name, "json-file");
    PB_PUSH(n->description->engine->n_plugins, n->description->engine->plugins, p);
    store_update(batch, STORE_NODE, n);
    commit();
    pass();
    EXPECT_STR(now_("t1")->status->err, "no suitable node (missing plugin on 1 node)");
    fixture_close(&fx);
}

static void a_preference_splits_by_label_first(void)
{
    open_with(3);
    begin();
    for (int i = 1; i <= 3; i++) { /* a has one node, b has two */
        char id[8];
        snprintf(id, sizeof id, "n%d", i);
        Pb__Node *n = store_copy(STORE_NODE, store_get(fx.store, STORE_TIP, STORE_NODE, id));
        pb_label_set(n->spec->annotations, "rack", i == 1 ? "a" : "b");
        store_update(batch, STORE_NODE, n);
    }
    for (int i = 0; i < 8; i++) {
        char id[8];
        snprintf(id, sizeof id, "t%02d", i);
        Pb__Task *t = task(id, "web", (uint64_t)i + 1);
        Pb__PlacementPreference *p = PB_NEW(PlacementPreference, placement_preference);
        p->preference_case = PB__PLACEMENT_PREFERENCE__PREFERENCE_SPREAD;
        p->spread = PB_NEW(SpreadOver, spread_over);
        pb_str(&p->spread->spread_descriptor, "node.labels.rack");
        PB_PUSH(t->spec->placement->n_preferences, t->spec->placement->preferences, p);
        store_create(batch, STORE_TASK, t);
    }
    commit();
    pass();
    EXPECT_INT(on_node("n1", "t"), 4);
    EXPECT_INT(on_node("n2", "t"), 2);
    EXPECT_INT(on_node("n3", "t"), 2);
    fixture_close(&fx);
}

static void a_node_where_the_service_kept_failing_comes_last(void)
{
    open_with(2);
    begin();
    for (int i = 0; i < 5; i++) {
        char id[8];
        snprintf(id, sizeof id, "f%d", i);
        Pb__Task *t = task(id, "web", 9);
        pb_str(&t->node_id, "n1");
        t->desired_state = PB__TASK_STATE__TASK_STATE_SHUTDOWN;
        task_set_status(t, TASK_FAILED, fx.now, NULL, NULL);
        store_create(batch, STORE_TASK, t);
    }
    commit();
    add_many("t", "web", 2);
    pass();
    EXPECT_INT(on_node("n2", "t"), 2);
    fx.now += 6 * 60 * NS_PER_SEC;
    add_many("u", "web", 2); /* long ago */
    pass();
    EXPECT_INT(on_node("n1", "u"), 2);
    fixture_close(&fx);
}

static void a_global_task_stays_on_its_node_and_waits_for_it(void)
{
    open_with(2);
    Pb__Task *t = task("t1", "mon", 0);
    pb_str(&t->node_id, "n2");
    add(t);
    t = task("t2", "mon", 0);
    pb_str(&t->node_id, "n1");
    constrain(t, "node.id==n2");
    t->spec_version->index = 1; /* one version is one spec */
    add(t);
    pass();
    EXPECT_STR(now_("t1")->node_id, "n2");
    EXPECT_STR(now_("t1")->status->message, "scheduler confirmed task can run on preassigned node");
    EXPECT_INT(task_state(now_("t2")), TASK_PENDING);
    EXPECT_STR(now_("t2")->status->err, "scheduling constraints not satisfied on 1 node");
    fixture_close(&fx);
}

static void generic_resources_are_handed_out_by_name(void)
{
    open_with(1);
    begin();
    Pb__Node *n = store_copy(STORE_NODE, store_get(fx.store, STORE_TIP, STORE_NODE, "n1"));
    static const char *const gpus[] = {"g1", "g2"};
    for (int i = 0; i < 2; i++) {
        Pb__GenericResource *g = PB_NEW(GenericResource, generic_resource);
        g->resource_case = PB__GENERIC_RESOURCE__RESOURCE_NAMED_RESOURCE_SPEC;
        g->named_resource_spec = PB_NEW(NamedGenericResource, named_generic_resource);
        pb_str(&g->named_resource_spec->kind, "gpu");
        pb_str(&g->named_resource_spec->value, gpus[i]);
        PB_PUSH(n->description->resources->n_generic, n->description->resources->generic, g);
    }
    store_update(batch, STORE_NODE, n);
    for (int i = 1; i <= 3; i++) {
        char id[8];
        snprintf(id, sizeof id, "t%d", i);
        Pb__Task *t = task(id, "web", (uint64_t)i);
        reserve(t, 0, 0);
        Pb__GenericResource *g = PB_NEW(GenericResource, generic_resource);
        g->resource_case = PB__GENERIC_RESOURCE__RESOURCE_DISCRETE_RESOURCE_SPEC;
        g->discrete_resource_spec = PB_NEW(DiscreteGenericResource, discrete_generic_resource);
        pb_str(&g->discrete_resource_spec->kind, "gpu");
        g->discrete_resource_spec->value = 1;
        PB_PUSH(t->spec->resources->reservations->n_generic,
                t->spec->resources->reservations->generic, g);
        store_create(batch, STORE_TASK, t);
    }
    commit();
    pass();
    REQUIRE(now_("t1")->n_assigned_generic_resources == 1 &&
            now_("t2")->n_assigned_generic_resources == 1);
    EXPECT(!str_eq(now_("t1")->assigned_generic_resources[0]->named_resource_spec->value,
                   now_("t2")->assigned_generic_resources[0]->named_resource_spec->value));
    EXPECT_STR(now_("t3")->status->err, "no suitable node (insufficient resources on 1 node)");
    fixture_close(&fx);
}

static void what_is_not_wanted_any_more_is_not_placed(void)
{
    open_with(1);
    Pb__Task *t = task("t1", "web", 1);
    t->desired_state = PB__TASK_STATE__TASK_STATE_SHUTDOWN;
    add(t);
    EXPECT_INT(pass(), 0);
    fixture_close(&fx);
}

static void ten_thousand_tasks_find_their_nodes_in_time(void)
{
    open_with(10);
    begin();
    for (int i = 0; i < 10000; i++) {
        char id[16], svc[16];
        snprintf(id, sizeof id, "t%05d", i);
        snprintf(svc, sizeof svc, "s%03d", i / 10);
        store_create(batch, STORE_TASK, task(id, svc, (uint64_t)(i % 10) + 1));
    }
    commit();
    int64_t from = clock_mono_ns();
    EXPECT_INT(pass(), 10000);
    printf("# 10000 tasks of 1000 services placed on 10 nodes, with commit: %.0f ms\n",
           (double)(clock_mono_ns() - from) / 1e6);
    from = clock_mono_ns();
    EXPECT_INT(pass(), 0);
    printf("# a pass with nothing to place: %.2f ms\n", (double)(clock_mono_ns() - from) / 1e6);
    fixture_close(&fx);
}

int main(void)
{
    TEST(a_new_task_gets_a_node_in_one_write);
    TEST(tasks_of_a_service_spread_evenly_and_then_by_load);
    TEST(where_nothing_fits_the_task_says_why_most_first_and_only_once);
    TEST(without_any_node_there_is_no_suitable_one);
    TEST(reservations_are_kept_and_given_back);
    TEST(a_host_port_is_given_once_a_node);
    TEST(max_replicas_per_node_is_kept_also_over_two_specs_in_one_pass);
    TEST(a_platform_must_match_by_either_of_its_names);
    TEST(a_plugin_must_be_there_when_the_node_lists_its_kind);
    TEST(a_preference_splits_by_label_first);
    TEST(a_node_where_the_service_kept_failing_comes_last);
    TEST(a_global_task_stays_on_its_node_and_waits_for_it);
    TEST(generic_resources_are_handed_out_by_name);
    TEST(what_is_not_wanted_any_more_is_not_placed);
    TEST(ten_thousand_tasks_find_their_nodes_in_time);
    return check_done();
}
