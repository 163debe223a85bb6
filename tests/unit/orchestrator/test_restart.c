/* unit/orchestrator/test_restart.c - the restart supervisor and the records that it leaves. */
#include "world.h"

#define SECONDS(n) ((n)*NS_PER_SEC)

static void open_with(int condition, uint64_t attempts, int64_t window)
{
    world_open();
    world_put(STORE_CREATE, STORE_NODE, world_node("n1"));
    Pb__Service *s = world_service("web", "nginx", 1);
    Pb__RestartPolicy *p = world_restart_policy(s->spec, condition);
    p->max_attempts = attempts;
    if (window)
        pb_set_duration(&p->window, window);
    world_put(STORE_CREATE, STORE_SERVICE, s);
    world_settle("web", "n1");
}

static void end_newest(int state)
{
    set_task(newest("web", 1, NULL), state, NULL);
    world_pass();
}

enum {
    NONE = PB__RESTART_POLICY__RESTART_CONDITION__RESTART_CONDITION_NONE,
    ON_FAILURE = PB__RESTART_POLICY__RESTART_CONDITION__RESTART_CONDITION_ON_FAILURE,
    ANY = PB__RESTART_POLICY__RESTART_CONDITION__RESTART_CONDITION_ANY,
};

static void a_failed_task_has_a_successor_at_once_that_starts_after_the_delay(void)
{
    open_with(ANY, 0, 0);
    end_newest(TASK_FAILED);
    EXPECT_INT(count_tasks("web", TASK_FAILED, TASK_SHUTDOWN), 1);
    EXPECT_INT(count_tasks("web", TASK_NEW, TASK_READY), 1);
    fx.now += SECONDS(5);
    EXPECT_INT(world_pass(), 0); /* it has no place yet */
    fx.now -= 1;
    set_task(newest("web", 1, NULL), TASK_ASSIGNED, "n1");
    EXPECT_INT(world_pass(), 0);
    EXPECT_INT(wake, fx.now + 1);
    fx.now += 1;
    world_pass();
    EXPECT_INT(count_tasks("web", TASK_ASSIGNED, TASK_RUNNING), 1);
    world_close();
}

static void a_successor_that_is_rejected_before_its_start_is_followed_after_its_delay(void)
{
    open_with(ANY, 0, 0);
    end_newest(TASK_REJECTED);
    set_task(newest("web", 1, NULL), TASK_ASSIGNED, "n1");
    fx.now += SECONDS(1);
    end_newest(TASK_REJECTED);
    EXPECT_INT(count_tasks("web", -1, -1), 2);
    EXPECT_INT(count_tasks("web", TASK_REJECTED, TASK_READY), 1);
    EXPECT_INT(wake, fx.now + SECONDS(4));
    fx.now += SECONDS(4);
    world_pass();
    EXPECT_INT(count_tasks("web", -1, -1), 3);
    EXPECT_INT(count_tasks("web", TASK_REJECTED, TASK_SHUTDOWN), 2);
    world_close();
}

static void the_delay_outlives_the_manager(void)
{
    open_with(ANY, 0, 0);
    end_newest(TASK_FAILED);
    set_task(newest("web", 1, NULL), TASK_ASSIGNED, "n1");
    fx.now += SECONDS(3);
    world_restart();
    EXPECT_INT(world_pass(), 0);
    EXPECT_INT(wake, fx.now + SECONDS(2));
    fx.now += SECONDS(2);
    world_pass();
    EXPECT_INT(newest("web", 1, NULL)->desired_state, TASK_RUNNING);
    world_close();
}

static void on_failure_leaves_a_finished_task_alone_and_none_leaves_all_of_them(void)
{
    open_with(ON_FAILURE, 0, 0);
    end_newest(TASK_COMPLETE);
    EXPECT_INT(count_tasks("web", -1, -1), 1);
    EXPECT_INT(count_tasks("web", TASK_COMPLETE, TASK_SHUTDOWN), 1);
    fx.now += SECONDS(100);
    orchestrator_note_all(orch);
    EXPECT_INT(world_pass(), 0);
    world_close();

    open_with(ON_FAILURE, 0, 0);
    end_newest(TASK_FAILED);
    EXPECT_INT(count_tasks("web", -1, -1), 2);
    world_close();

    open_with(NONE, 0, 0);
    end_newest(TASK_FAILED);
    EXPECT_INT(count_tasks("web", -1, -1), 1);
    world_close();
}

static void fail_and_wait(void)
{
    end_newest(TASK_FAILED);
    fx.now += SECONDS(5);
    world_settle("web", "n1");
}

static void max_attempts_ends_the_restarts_and_a_new_spec_begins_them_anew(void)
{
    open_with(ANY, 2, 0);
    fail_and_wait();
    fail_and_wait();
    EXPECT_INT(count_tasks("web", TASK_RUNNING, TASK_RUNNING), 1);
    fail_and_wait();
    EXPECT_INT(count_tasks("web", -1, -1), 3);
    EXPECT_INT(count_tasks("web", -1, TASK_SHUTDOWN), 3);
    world_restart();
    EXPECT_INT(world_pass(), 0);

    Pb__Service *s = service_now("web");
    Pb__ServiceSpec *spec = pb_dup(s->spec);
    pb_str(&spec->task->container->image, "nginx:2");
    service_change(s, spec);
    world_put(STORE_UPDATE, STORE_SERVICE, s);
    world_settle("web", "n1");
    EXPECT_INT(count_tasks("web", TASK_RUNNING, TASK_RUNNING), 1);
    world_close();
}

static void attempts_outside_the_window_do_not_count(void)
{
    open_with(ANY, 1, SECONDS(60));
    fail_and_wait();
    EXPECT_INT(count_tasks("web", TASK_RUNNING, TASK_RUNNING), 1);
    fx.now += SECONDS(61);
    fail_and_wait();
    EXPECT_INT(count_tasks("web", TASK_RUNNING, TASK_RUNNING), 1);
    fail_and_wait();
    EXPECT_INT(count_tasks("web", TASK_RUNNING, TASK_RUNNING), 0);
    fx.now +=
        SECONDS(1000); /* the window looks back from the end, so time alone starts nothing again */
    orchestrator_note_all(orch);
    EXPECT_INT(world_pass(), 0);
    world_close();
}

static void a_slot_keeps_as_many_records_as_the_cluster_says(void)
{
    world_open();
    Pb__Cluster *c = PB_NEW(Cluster, cluster);
    pb_str(&c->id, "c1");
    c->spec = PB_NEW(ClusterSpec, cluster_spec);
    c->spec->annotations = PB_NEW(Annotations, annotations);
    pb_str(&c->spec->annotations->name, "default");
    c->spec->orchestration = PB_NEW(OrchestrationConfig, orchestration_config);
    c->spec->orchestration->task_history_retention_limit = 3;
    world_put(STORE_CREATE, STORE_CLUSTER, c);
    world_put(STORE_CREATE, STORE_NODE, world_node("n1"));
    world_put(STORE_CREATE, STORE_SERVICE, world_service("web", "nginx", 1));
    world_settle("web", "n1");
    for (int i = 0; i < 6; i++)
        fail_and_wait();
    EXPECT_INT(count_tasks("web", -1, -1), 3);
    EXPECT_INT(count_tasks("web", TASK_RUNNING, TASK_RUNNING), 1);
    world_close();
}

static void without_a_cluster_object_five_records_are_kept(void)
{
    open_with(ANY, 0, 0);
    for (int i = 0; i < 8; i++)
        fail_and_wait();
    EXPECT_INT(count_tasks("web", -1, -1), 5);
    world_close();
}

static void a_task_that_will_not_stop_holds_its_successor_for_a_minute(void)
{
    world_open();
    world_put(STORE_CREATE, STORE_NODE, world_node("n1"));
    world_put(STORE_CREATE, STORE_NODE, world_node("n2"));
    world_put(STORE_CREATE, STORE_SERVICE, world_service("web", "nginx", 1));
    world_settle("web", "n1");
    Pb__Node *n = store_copy(STORE_NODE, store_get(fx.store, STORE_TIP, STORE_NODE, "n1"));
    n->spec->availability = PB__NODE_SPEC__AVAILABILITY__AVAILABILITY_DRAIN;
    world_put(STORE_UPDATE, STORE_NODE, n);
    world_pass();
    set_task(newest("web", 1, NULL), TASK_ASSIGNED, "n2");
    world_pass();
    EXPECT_INT(wake, fx.now + ORCHESTRATOR_STOP_WAIT_NS);
    EXPECT_INT(newest("web", 1, NULL)->desired_state, TASK_READY);
    fx.now = wake;
    world_pass();
    EXPECT_INT(newest("web", 1, NULL)->desired_state, TASK_RUNNING);
    world_close();
}

int main(void)
{
    TEST(a_failed_task_has_a_successor_at_once_that_starts_after_the_delay);
    TEST(a_successor_that_is_rejected_before_its_start_is_followed_after_its_delay);
    TEST(the_delay_outlives_the_manager);
    TEST(on_failure_leaves_a_finished_task_alone_and_none_leaves_all_of_them);
    TEST(max_attempts_ends_the_restarts_and_a_new_spec_begins_them_anew);
    TEST(attempts_outside_the_window_do_not_count);
    TEST(a_slot_keeps_as_many_records_as_the_cluster_says);
    TEST(without_a_cluster_object_five_records_are_kept);
    TEST(a_task_that_will_not_stop_holds_its_successor_for_a_minute);
    return check_done();
}
