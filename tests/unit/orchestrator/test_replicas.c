/* unit/orchestrator/test_replicas.c - how many tasks, where, and for how long. */
#include "world.h"

static void a_new_service_gets_its_tasks_in_slots_1_to_n(void)
{
    world_open();
    world_put(STORE_CREATE, STORE_NODE, world_node("n1"));
    world_put(STORE_CREATE, STORE_SERVICE, world_service("web", "nginx", 3));
    EXPECT_INT(world_pass(), 1);
    EXPECT_INT(count_tasks("web", TASK_NEW, TASK_RUNNING), 3);
    for (uint64_t i = 1; i <= 3; i++) {
        const Pb__Task *t = newest("web", i, NULL);
        REQUIRE(t);
        EXPECT_STR(t->status->message, "created");
        EXPECT_STR(t->spec->container->image, "nginx");
        EXPECT_STR(t->service_annotations->name, "web");
    }
    EXPECT_INT(world_pass(), 0);
    EXPECT(wake == INT64_MAX);
    world_close();
}

static void replicas_of_a_stranger_are_bounded(void)
{
    world_open();
    world_put(STORE_CREATE, STORE_SERVICE, world_service("web", "nginx", UINT64_MAX));
    struct store_batch *b = store_batch_new(fx.store);
    orchestrator_pass(orch, fx.store, fx.now, b, &wake);
    EXPECT_INT(store_batch_len(b), STORE_BATCH_MAX);
    EXPECT_INT(wake, fx.now);
    store_batch_free(b);
    world_close();
}

static void scale(uint64_t n)
{
    Pb__Service *s = service_now("web");
    Pb__ServiceSpec *spec = pb_dup(s->spec);
    spec->replicated->replicas = n;
    service_change(s, spec);
    world_put(STORE_UPDATE, STORE_SERVICE, s);
}

static void scaling_up_fills_the_lowest_free_slots_and_leaves_the_others_alone(void)
{
    world_open();
    world_put(STORE_CREATE, STORE_NODE, world_node("n1"));
    world_put(STORE_CREATE, STORE_SERVICE, world_service("web", "nginx", 2));
    world_settle("web", "n1");
    scale(4);
    world_settle("web", "n1");
    EXPECT_INT(count_tasks("web", -1, -1), 4);
    EXPECT_INT(count_tasks("web", TASK_RUNNING, TASK_RUNNING), 4);
    EXPECT(newest("web", 4, NULL) != NULL);
    const Pb__Service *s = store_get(fx.store, STORE_TIP, STORE_SERVICE, "web");
    EXPECT_INT(service_update_state(s), UPDATE_NONE); /* nobody was replaced */
    world_close();
}

static void scaling_down_prefers_what_does_not_run_then_the_fullest_node_then_the_highest_slot(void)
{
    world_open();
    world_put(STORE_CREATE, STORE_NODE, world_node("n1"));
    world_put(STORE_CREATE, STORE_NODE, world_node("n2"));
    world_put(STORE_CREATE, STORE_SERVICE, world_service("web", "nginx", 5));
    world_pass();
    for (uint64_t i = 1; i <= 5; i++) /* slots 1, 2, 3 on n1; 4, 5 on n2; slot 2 does not run */
        set_task(newest("web", i, NULL), TASK_ASSIGNED, i <= 3 ? "n1" : "n2");
    for (uint64_t i = 1; i <= 5; i++)
        if (i != 2)
            set_task(newest("web", i, NULL), TASK_RUNNING, NULL);
    scale(4);
    world_pass();
    EXPECT_INT(newest("web", 2, NULL)->desired_state, TASK_REMOVE);
    scale(3);
    world_pass();
    EXPECT_INT(newest("web", 5, NULL)->desired_state,
               TASK_REMOVE); /* two each on n1 and n2: the highest */
    scale(2);
    world_pass();
    EXPECT_INT(newest("web", 3, NULL)->desired_state, TASK_REMOVE); /* two on n1, one on n2 */
    world_obey("web", "n1");
    world_pass();
    EXPECT_INT(count_tasks("web", -1, -1), 2);
    world_close();
}

static void a_removed_service_takes_its_tasks_along_once_they_have_stopped(void)
{
    world_open();
    world_put(STORE_CREATE, STORE_NODE, world_node("n1"));
    world_put(STORE_CREATE, STORE_SERVICE, world_service("web", "nginx", 2));
    world_settle("web", "n1");
    world_drop(STORE_SERVICE, "web");
    world_pass();
    EXPECT_INT(count_tasks("web", TASK_RUNNING, TASK_REMOVE), 2);
    world_obey("web", "n1");
    world_pass();
    EXPECT_INT(count_tasks("web", -1, -1), 0);
    world_close();
}

static void tasks_of_a_service_that_went_while_no_manager_ran_are_found(void)
{
    world_open();
    world_put(STORE_CREATE, STORE_NODE, world_node("n1"));
    world_put(STORE_CREATE, STORE_SERVICE, world_service("web", "nginx", 1));
    world_pass();
    world_drop(STORE_SERVICE, "web");
    world_restart();
    world_pass();
    EXPECT_INT(count_tasks("web", -1, -1), 0); /* it had no node: nothing to wait for */
    world_close();
}

static void a_global_service_has_one_task_on_each_fit_node(void)
{
    world_open();
    Pb__Service *s = world_service("mon", "mon", 0);
    world_global(s);
    s->spec->task->placement = PB_NEW(Placement, placement);
    PB_PUSH(s->spec->task->placement->n_constraints, s->spec->task->placement->constraints,
            mem_str("node.labels.disk==ssd"));
    world_put(STORE_CREATE, STORE_SERVICE, s);
    for (int i = 0; i < 4; i++) {
        char id[8];
        snprintf(id, sizeof id, "n%d", i);
        Pb__Node *n = world_node(id);
        if (i != 3)
            pb_label_set(n->spec->annotations, "disk", "SSD");
        if (i == 2)
            n->spec->availability = PB__NODE_SPEC__AVAILABILITY__AVAILABILITY_DRAIN;
        world_put(STORE_CREATE, STORE_NODE, n);
    }
    world_settle("mon", NULL);
    EXPECT_INT(count_tasks("mon", TASK_RUNNING, TASK_RUNNING), 2);
    EXPECT(newest("mon", 0, "n2") == NULL);
    EXPECT(newest("mon", 0, "n3") == NULL);
    world_close();
}

static void edit_node(const char *id, int availability, int state)
{
    Pb__Node *n = store_copy(STORE_NODE, store_get(fx.store, STORE_TIP, STORE_NODE, id));
    n->spec->availability = (Pb__NodeSpec__Availability)availability;
    n->status->state = (Pb__NodeStatus__State)state;
    world_put(STORE_UPDATE, STORE_NODE, n);
}

static void a_paused_node_keeps_its_global_task_and_a_drained_one_loses_it_until_it_is_back(void)
{
    world_open();
    Pb__Service *s = world_service("mon", "mon", 0);
    world_global(s);
    world_put(STORE_CREATE, STORE_SERVICE, s);
    world_put(STORE_CREATE, STORE_NODE, world_node("n1"));
    world_settle("mon", NULL);
    edit_node("n1", NODE_PAUSE, NODE_READY);
    EXPECT_INT(world_pass(), 0);
    edit_node("n1", NODE_DRAIN, NODE_READY);
    world_settle("mon", NULL);
    EXPECT_INT(count_tasks("mon", TASK_SHUTDOWN, TASK_SHUTDOWN), 1);
    EXPECT_INT(count_tasks("mon", -1, TASK_RUNNING), 0);
    edit_node("n1", NODE_ACTIVE, NODE_READY);
    world_settle("mon", NULL);
    EXPECT_INT(count_tasks("mon", TASK_RUNNING, TASK_RUNNING), 1);
    world_close();
}

static void draining_replaces_at_once_but_starts_only_when_the_old_task_has_stopped(void)
{
    world_open();
    world_put(STORE_CREATE, STORE_NODE, world_node("n1"));
    world_put(STORE_CREATE, STORE_NODE, world_node("n2"));
    world_put(STORE_CREATE, STORE_SERVICE, world_service("web", "nginx", 1));
    world_settle("web", "n1");
    edit_node("n1", NODE_DRAIN, NODE_READY);
    world_pass();
    EXPECT_INT(count_tasks("web", TASK_RUNNING, TASK_SHUTDOWN), 1);
    EXPECT_INT(count_tasks("web", TASK_NEW, TASK_READY), 1);
    world_obey("web", "n2");
    world_pass();
    EXPECT_INT(newest("web", 1, NULL)->desired_state, TASK_RUNNING);
    world_close();
}

static void a_task_on_a_node_that_is_down_is_replaced_without_waiting_for_it(void)
{
    world_open();
    world_put(STORE_CREATE, STORE_NODE, world_node("n1"));
    world_put(STORE_CREATE, STORE_NODE, world_node("n2"));
    world_put(STORE_CREATE, STORE_SERVICE, world_service("web", "nginx", 1));
    world_settle("web", "n1");
    edit_node("n1", NODE_ACTIVE, NODE_DOWN);
    world_pass();
    EXPECT_INT(count_tasks("web", TASK_RUNNING, TASK_SHUTDOWN), 1);
    EXPECT_INT(count_tasks("web", TASK_NEW, TASK_READY), 1);
    set_task(newest("web", 1, NULL), TASK_ASSIGNED, "n2");
    world_pass();
    EXPECT_INT(count_tasks("web", TASK_ASSIGNED, TASK_RUNNING), 1);
    EXPECT_INT(wake, fx.now + ORCHESTRATOR_ORPHAN_NS);
    fx.now = wake;
    world_pass();
    EXPECT_INT(count_tasks("web", TASK_ORPHANED, TASK_SHUTDOWN), 1);
    world_close();
}

static void a_task_of_a_deleted_node_is_orphaned_and_replaced(void)
{
    world_open();
    world_put(STORE_CREATE, STORE_NODE, world_node("n1"));
    world_put(STORE_CREATE, STORE_SERVICE, world_service("web", "nginx", 1));
    world_settle("web", "n1");
    world_drop(STORE_NODE, "n1");
    world_pass();
    struct tasks t = tasks_of("web");
    REQUIRE(t.n == 2);
    EXPECT_INT(task_state(t.v[0]), TASK_ORPHANED);
    EXPECT_STR(t.v[0]->status->message, "Task belonged to a node that has been deleted");
    EXPECT_INT(t.v[1]->desired_state, TASK_READY);
    world_close();
}

static void a_task_that_does_not_fit_its_node_any_more_is_rejected_and_replaced(void)
{
    world_open();
    Pb__Service *s = world_service("web", "nginx", 1);
    s->spec->task->placement = PB_NEW(Placement, placement);
    PB_PUSH(s->spec->task->placement->n_constraints, s->spec->task->placement->constraints,
            mem_str("node.labels.zone != b"));
    world_put(STORE_CREATE, STORE_SERVICE, s);
    world_put(STORE_CREATE, STORE_NODE, world_node("n1"));
    world_settle("web", "n1");
    Pb__Node *n = store_copy(STORE_NODE, store_get(fx.store, STORE_TIP, STORE_NODE, "n1"));
    pb_label_set(n->spec->annotations, "zone", "b");
    world_put(STORE_UPDATE, STORE_NODE, n);
    world_pass();
    struct tasks t = tasks_of("web");
    REQUIRE(t.n == 2);
    EXPECT_INT(task_state(t.v[0]), TASK_REJECTED);
    EXPECT_STR(t.v[0]->status->err, "assigned node no longer meets constraints");
    EXPECT_INT(t.v[0]->desired_state, TASK_SHUTDOWN);
    world_close();
}

static void a_thousand_services_are_looked_at_in_time_and_one_event_wakes_one(void)
{
    world_open();
    struct store_batch *b = store_batch_new(fx.store);
    for (int i = 0; i < 1000; i++) {
        char id[16];
        snprintf(id, sizeof id, "s%04d", i);
        store_create(b, STORE_SERVICE, world_service(id, "nginx", 10));
    }
    store_propose(fx.store, b, NULL, NULL);
    fixture_run(&fx);
    world_pass();
    EXPECT_INT(store_count(fx.store, STORE_TIP, STORE_TASK), 10000);
    int64_t best = INT64_MAX;
    for (int i = 0; i < 5; i++) {
        orchestrator_note_all(orch);
        int64_t from = clock_mono_ns();
        EXPECT_INT(world_pass(), 0);
        int64_t took = clock_mono_ns() - from;
        best = took < best ? took : best;
    }
    printf("# 1000 services of 10 tasks: %.1f ms\n", (double)best / 1e6);
    EXPECT(best <
           500 * NS_PER_MS); /* 50 ms on a quiet machine; sanitizers and company are slower */
    int64_t from = clock_mono_ns();
    orchestrator_note(
        orch, fx.store,
        &(struct store_event){.action = STORE_UPDATE,
                              .kind = STORE_SERVICE,
                              .object = store_get(fx.store, STORE_TIP, STORE_SERVICE, "s0500")});
    world_pass();
    printf("# one service of them: %.3f ms\n", (double)(clock_mono_ns() - from) / 1e6);
    world_close();
}

int main(void)
{
    TEST(a_new_service_gets_its_tasks_in_slots_1_to_n);
    TEST(replicas_of_a_stranger_are_bounded);
    TEST(scaling_up_fills_the_lowest_free_slots_and_leaves_the_others_alone);
    TEST(scaling_down_prefers_what_does_not_run_then_the_fullest_node_then_the_highest_slot);
    TEST(a_removed_service_takes_its_tasks_along_once_they_have_stopped);
    TEST(tasks_of_a_service_that_went_while_no_manager_ran_are_found);
    TEST(a_global_service_has_one_task_on_each_fit_node);
    TEST(a_paused_node_keeps_its_global_task_and_a_drained_one_loses_it_until_it_is_back);
    TEST(draining_replaces_at_once_but_starts_only_when_the_old_task_has_stopped);
    TEST(a_task_on_a_node_that_is_down_is_replaced_without_waiting_for_it);
    TEST(a_task_of_a_deleted_node_is_orphaned_and_replaced);
    TEST(a_task_that_does_not_fit_its_node_any_more_is_rejected_and_replaced);
    TEST(a_thousand_services_are_looked_at_in_time_and_one_event_wakes_one);
    return check_done();
}
