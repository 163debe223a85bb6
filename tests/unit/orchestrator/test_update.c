/* unit/orchestrator/test_update.c - rolling updates and rollbacks. */
#include "world.h"

#define SECONDS(n) ((n)*NS_PER_SEC)

static struct update_rules rules;
static const char *image;

static Pb__UpdateConfig *config_of(const struct update_rules *r)
{
    Pb__UpdateConfig *c = PB_NEW(UpdateConfig, update_config);
    c->parallelism = r->parallelism;
    pb_set_duration(&c->delay, r->delay_ns);
    pb_set_duration(&c->monitor, r->monitor_ns);
    c->failure_action = (Pb__UpdateConfig__FailureAction)r->failure_action;
    c->order = (Pb__UpdateConfig__UpdateOrder)r->order;
    c->max_failure_ratio = (float)r->max_failure_ratio;
    return c;
}

static void new_image(Pb__ServiceSpec *spec)
{
    pb_str(&spec->task->container->image, image);
    pb_free(spec->update);
    spec->update = config_of(&rules);
}

static void open_with(uint64_t replicas)
{
    world_open();
    rules = update_rules(NULL);
    world_put(STORE_CREATE, STORE_NODE, world_node("n1"));
    world_put(STORE_CREATE, STORE_SERVICE, world_service("web", "v1", replicas));
    world_settle("web", "n1");
}

static void update_to(const char *to)
{
    image = to;
    world_update("web", new_image);
    world_pass();
}

static size_t count_image(const char *img, int state, bool wanted)
{
    struct tasks t = tasks_of("web");
    size_t n = 0;
    for (size_t i = 0; i < t.n; i++)
        n += str_eq(t.v[i]->spec->container->image, img) &&
             (state < 0 || task_state(t.v[i]) == state) && task_wanted(t.v[i]) == wanted;
    return n;
}

static const Pb__UpdateStatus *status(void)
{
    return ((const Pb__Service *)store_get(fx.store, STORE_TIP, STORE_SERVICE, "web"))
        ->update_status;
}

static void an_update_replaces_one_slot_after_the_other_and_completes_after_the_monitor_period(void)
{
    open_with(3);
    update_to("v2");
    REQUIRE(status());
    EXPECT_INT(status()->state, UPDATE_UPDATING);
    EXPECT_STR(status()->message, "update in progress");
    EXPECT_INT(pb_time_ns(status()->started_at), fx.now);
    for (uint64_t slot = 1; slot <= 3; slot++) {
        EXPECT_INT(count_image("v1", TASK_RUNNING, true), 3 - slot); /* one at a time, in order */
        EXPECT_STR(newest("web", slot, NULL)->spec->container->image, "v2");
        EXPECT_INT(newest("web", slot, NULL)->desired_state,
                   TASK_READY); /* the old one still runs */
        world_obey("web", "n1");
        world_pass();
        EXPECT_INT(newest("web", slot, NULL)->desired_state, TASK_RUNNING);
        world_obey("web", "n1");
        world_pass();
    }
    EXPECT_INT(count_image("v2", TASK_RUNNING, true), 3);
    EXPECT_INT(status()->state, UPDATE_UPDATING);
    EXPECT_INT(wake, fx.now + SECONDS(5));
    fx.now = wake;
    world_pass();
    EXPECT_INT(status()->state, UPDATE_COMPLETED);
    EXPECT_STR(status()->message, "update completed");
    EXPECT_INT(pb_time_ns(status()->completed_at), fx.now);
    EXPECT_INT(world_pass(), 0);
    EXPECT(wake == INT64_MAX);
    world_close();
}

static void parallelism_and_delay_are_kept_also_by_a_manager_that_took_over(void)
{
    open_with(6);
    rules.parallelism = 2;
    rules.delay_ns = SECONDS(10);
    update_to("v2");
    EXPECT_INT(count_image("v1", TASK_RUNNING, true), 4);
    world_settle("web", "n1");
    EXPECT_INT(count_image("v2", TASK_RUNNING, true), 2);
    EXPECT_INT(count_image("v1", TASK_RUNNING, true), 4);
    fx.now += SECONDS(4);
    world_restart();
    world_settle("web", "n1");
    EXPECT_INT(count_image("v1", TASK_RUNNING, true), 4);
    EXPECT_INT(wake, fx.now + SECONDS(6));
    fx.now += SECONDS(6);
    world_settle("web", "n1");
    EXPECT_INT(count_image("v2", TASK_RUNNING, true), 4);
    fx.now += SECONDS(10);
    world_settle("web", "n1");
    EXPECT_INT(count_image("v2", TASK_RUNNING, true), 6);
    fx.now += SECONDS(10);
    world_pass();
    EXPECT_INT(status()->state,
               UPDATE_UPDATING); /* delay of 10 s is not below the monitor period: delay + 1 s */
    fx.now += SECONDS(1);
    world_pass();
    EXPECT_INT(status()->state, UPDATE_COMPLETED);
    world_close();
}

static void parallelism_0_replaces_all_at_once(void)
{
    open_with(5);
    rules.parallelism = 0;
    update_to("v2");
    EXPECT_INT(count_image("v2", TASK_NEW, true), 5);
    EXPECT_INT(count_image("v1", TASK_RUNNING, false), 5);
    world_close();
}

static void start_first_keeps_the_old_task_until_the_new_one_runs(void)
{
    open_with(2);
    rules.order = PB__UPDATE_CONFIG__UPDATE_ORDER__UPDATE_ORDER_START_FIRST;
    update_to("v2");
    EXPECT_INT(count_image("v1", TASK_RUNNING, true), 2);
    EXPECT_INT(newest("web", 1, NULL)->desired_state, TASK_RUNNING);
    world_obey("web", "n1");
    world_pass();
    EXPECT_INT(count_image("v2", TASK_RUNNING, true), 1);
    EXPECT_INT(count_image("v1", TASK_RUNNING, true), 1);
    EXPECT_INT(count_image("v1", TASK_RUNNING, false), 1); /* told to stop */
    world_settle("web", "n1");
    EXPECT_INT(count_image("v2", TASK_RUNNING, true), 2);
    EXPECT_INT(count_image("v1", -1, true), 0);
    world_close();
}

static void fail_the_new_one(uint64_t slot)
{
    set_task(newest("web", slot, NULL), TASK_ASSIGNED, "n1");
    set_task(newest("web", slot, NULL), TASK_REJECTED, NULL);
    world_pass();
}

static void a_failure_pauses_the_update_and_names_the_task(void)
{
    open_with(3);
    update_to("v2");
    char id[ID_SIZE], words[128];
    str_copy(id, sizeof id, newest("web", 1, NULL)->id);
    fail_the_new_one(1);
    EXPECT_INT(status()->state, UPDATE_PAUSED);
    snprintf(words, sizeof words, "update paused due to failure or early termination of task %s",
             id);
    EXPECT_STR(status()->message, words);
    world_settle("web", "n1");
    EXPECT_INT(count_image("v1", TASK_RUNNING, true), 2); /* the others stay as they were */
    EXPECT_INT(status()->state, UPDATE_PAUSED);
    fx.now += SECONDS(60);
    world_settle("web", "n1");
    EXPECT_INT(count_image("v2", TASK_RUNNING, true),
               1); /* the failing one is tried again and again */
    update_to("v3");
    for (int i = 0; i < 10; i++) {
        world_settle("web", "n1");
        fx.now += SECONDS(5);
    }
    EXPECT_INT(status()->state, UPDATE_COMPLETED);
    EXPECT_INT(count_image("v3", TASK_RUNNING, true), 3);
    world_close();
}

static void a_failure_after_the_monitor_period_is_no_failure_of_the_update(void)
{
    open_with(2);
    rules.delay_ns = SECONDS(60);
    update_to("v2");
    world_settle("web", "n1");
    fx.now += SECONDS(6);
    set_task(newest("web", 1, NULL), TASK_FAILED, NULL);
    world_pass();
    EXPECT_INT(status()->state, UPDATE_UPDATING);
    world_close();

    open_with(2);
    rules.delay_ns = SECONDS(60);
    update_to("v2");
    world_settle("web", "n1");
    fx.now += SECONDS(4);
    set_task(newest("web", 1, NULL), TASK_FAILED, NULL);
    world_pass();
    EXPECT_INT(status()->state, UPDATE_PAUSED);
    world_close();
}

static void the_failure_ratio_is_of_all_slots_and_must_be_passed_to_count(void)
{
    open_with(4);
    rules.max_failure_ratio = 0.25;
    rules.parallelism = 2;
    update_to("v2");
    fail_the_new_one(1);
    EXPECT_INT(status()->state, UPDATE_UPDATING); /* 1 of 4 is not more than a quarter */
    fail_the_new_one(2);
    EXPECT_INT(status()->state, UPDATE_PAUSED);
    world_close();
}

static void continue_does_not_care(void)
{
    open_with(2);
    rules.failure_action = PB__UPDATE_CONFIG__FAILURE_ACTION__FAILURE_ACTION_CONTINUE;
    update_to("v2");
    fail_the_new_one(1);
    EXPECT_INT(status()->state, UPDATE_UPDATING);
    EXPECT_STR(newest("web", 2, NULL)->spec->container->image, "v2");
    fail_the_new_one(2);
    for (int i = 0; i < 5; i++) {
        fx.now += SECONDS(5);
        world_settle("web", "n1");
    }
    EXPECT_INT(status()->state, UPDATE_COMPLETED);
    EXPECT_INT(count_image("v2", TASK_RUNNING, true), 2);
    world_close();
}

static void a_failure_can_turn_the_update_back_once_and_for_all(void)
{
    open_with(3);
    rules.failure_action = PB__UPDATE_CONFIG__FAILURE_ACTION__FAILURE_ACTION_ROLLBACK;
    rules.parallelism = 2;
    update_to("v2");
    fail_the_new_one(2);
    EXPECT_INT(status()->state, UPDATE_ROLLBACK_STARTED);
    EXPECT(str_starts(status()->message,
                      "update rolled back due to failure or early termination of task "));
    const Pb__Service *s = store_get(fx.store, STORE_TIP, STORE_SERVICE, "web");
    EXPECT_STR(s->spec->task->container->image, "v1");
    EXPECT(!service_can_roll_back(s));
    for (int i = 0; i < 6; i++) {
        world_settle("web", "n1");
        fx.now += SECONDS(5);
    }
    EXPECT_INT(status()->state, UPDATE_ROLLBACK_COMPLETED);
    EXPECT_STR(status()->message, "rollback completed");
    EXPECT_INT(count_image("v1", TASK_RUNNING, true), 3);
    EXPECT_INT(count_image("v2", -1, true), 0);
    world_close();
}

static void a_failure_in_a_rollback_pauses_it(void)
{
    open_with(2);
    update_to("v2");
    for (int i = 0; i < 4; i++) {
        world_settle("web", "n1");
        fx.now += SECONDS(5);
    }
    Pb__Service *s = service_now("web");
    EXPECT(service_can_roll_back(s));
    service_roll_back(s, fx.now, SERVICE_ROLLBACK_MANUAL);
    world_put(STORE_UPDATE, STORE_SERVICE, s);
    world_pass();
    EXPECT_INT(status()->state, UPDATE_ROLLBACK_STARTED);
    EXPECT_STR(status()->message, "manually requested rollback");
    EXPECT_STR(newest("web", 1, NULL)->spec->container->image, "v1");
    fail_the_new_one(1);
    EXPECT_INT(status()->state, UPDATE_ROLLBACK_PAUSED);
    EXPECT(str_starts(status()->message,
                      "rollback paused due to failure or early termination of task "));
    world_close();
}

static void a_new_update_in_the_midst_of_one_starts_over_and_keeps_what_is_right_already(void)
{
    open_with(3);
    update_to("v2");
    world_obey("web", "n1");
    world_pass();
    world_obey("web", "n1");
    world_pass(); /* slot 1 runs v2, slot 2 is under way */
    fx.now += SECONDS(1);
    update_to("v1"); /* as it was: slot 3 is clean already */
    EXPECT_INT(status()->state, UPDATE_UPDATING);
    EXPECT_INT(pb_time_ns(status()->started_at), fx.now);
    char id[ID_SIZE];
    str_copy(id, sizeof id, newest("web", 3, NULL)->id);
    for (int i = 0; i < 8; i++) {
        world_settle("web", "n1");
        fx.now += SECONDS(5);
    }
    EXPECT_INT(status()->state, UPDATE_COMPLETED);
    EXPECT_INT(count_image("v1", TASK_RUNNING, true), 3);
    EXPECT_STR(newest("web", 3, NULL)->id, id);
    world_close();
}

static void same(Pb__ServiceSpec *spec)
{
    (void)spec;
}

static void an_update_that_changes_nothing_replaces_nobody_and_has_no_status(void)
{
    open_with(2);
    world_update("web", same);
    EXPECT_INT(world_pass(), 0);
    EXPECT(status() == NULL);
    world_close();
}

static void force(Pb__ServiceSpec *spec)
{
    spec->task->force_update++;
}

static void force_replaces_everybody(void)
{
    open_with(2);
    world_update("web", force);
    for (int i = 0; i < 4; i++) {
        world_settle("web", "n1");
        fx.now += SECONDS(5);
    }
    EXPECT_INT(status()->state, UPDATE_COMPLETED);
    EXPECT_INT(count_tasks("web", -1, -1), 4);
    world_close();
}

static void constrain(Pb__ServiceSpec *spec)
{
    spec->task->placement = PB_NEW(Placement, placement);
    PB_PUSH(spec->task->placement->n_constraints, spec->task->placement->constraints,
            mem_str("node.id == n1"));
}

static void new_constraints_that_the_node_satisfies_replace_nobody(void)
{
    open_with(2);
    world_update("web", constrain);
    EXPECT_INT(world_pass(), 0);
    world_close();
}

static void a_global_service_is_updated_node_by_node(void)
{
    world_open();
    rules = update_rules(NULL);
    for (int i = 1; i <= 3; i++) {
        char id[8];
        snprintf(id, sizeof id, "n%d", i);
        world_put(STORE_CREATE, STORE_NODE, world_node(id));
    }
    Pb__Service *s = world_service("web", "v1", 0);
    world_global(s);
    world_put(STORE_CREATE, STORE_SERVICE, s);
    world_settle("web", NULL);
    EXPECT_INT(count_image("v1", TASK_RUNNING, true), 3);
    update_to("v2");
    EXPECT_INT(count_image("v1", TASK_RUNNING, true), 2);
    EXPECT_STR(newest("web", 0, "n1")->spec->container->image, "v2");
    world_settle("web", NULL);
    EXPECT_INT(count_image("v2", TASK_RUNNING, true), 3);
    fx.now += SECONDS(5);
    world_pass();
    EXPECT_INT(status()->state, UPDATE_COMPLETED);
    world_close();
}

static void one_shot(Pb__ServiceSpec *spec)
{
    pb_str(&spec->task->container->image, "v2");
    pb_str(&spec->annotations->name, "web");
}

static void finished_tasks_are_refreshed_by_an_update(void)
{
    world_open();
    world_put(STORE_CREATE, STORE_NODE, world_node("n1"));
    Pb__Service *s = world_service("web", "v1", 1);
    world_restart_policy(s->spec, PB__RESTART_POLICY__RESTART_CONDITION__RESTART_CONDITION_NONE);
    world_put(STORE_CREATE, STORE_SERVICE, s);
    world_settle("web", "n1");
    set_task(newest("web", 1, NULL), TASK_COMPLETE, NULL);
    world_pass();
    EXPECT_INT(count_tasks("web", -1, -1), 1);
    world_update("web", one_shot);
    world_settle("web", "n1");
    EXPECT_INT(count_image("v2", TASK_RUNNING, true), 1);
    world_close();
}

int main(void)
{
    TEST(an_update_replaces_one_slot_after_the_other_and_completes_after_the_monitor_period);
    TEST(parallelism_and_delay_are_kept_also_by_a_manager_that_took_over);
    TEST(parallelism_0_replaces_all_at_once);
    TEST(start_first_keeps_the_old_task_until_the_new_one_runs);
    TEST(a_failure_pauses_the_update_and_names_the_task);
    TEST(a_failure_after_the_monitor_period_is_no_failure_of_the_update);
    TEST(the_failure_ratio_is_of_all_slots_and_must_be_passed_to_count);
    TEST(continue_does_not_care);
    TEST(a_failure_can_turn_the_update_back_once_and_for_all);
    TEST(a_failure_in_a_rollback_pauses_it);
    TEST(a_new_update_in_the_midst_of_one_starts_over_and_keeps_what_is_right_already);
    TEST(an_update_that_changes_nothing_replaces_nobody_and_has_no_status);
    TEST(force_replaces_everybody);
    TEST(new_constraints_that_the_node_satisfies_replace_nobody);
    TEST(a_global_service_is_updated_node_by_node);
    TEST(finished_tasks_are_refreshed_by_an_update);
    return check_done();
}
