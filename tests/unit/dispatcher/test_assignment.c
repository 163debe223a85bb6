/* unit/dispatcher/test_assignment.c - what a node has to be sent. */
#include "dispatcher/assignment.h"

#include "cluster.h"

static struct assignment_sent sent;

static void on_event(void *arg, const struct store_event *ev)
{
    (void)arg;
    assignment_event(&sent, "n1", ev);
}

static void open_all(void)
{
    fixture_open(&fx);
    store_watch(fx.store, on_event, NULL);
    put_secret("s1", "one");
    put_secret("s2", "two");
    put_config("c1", "conf");
}

static void close_all(void)
{
    assignment_sent_clear(&sent);
    fixture_close(&fx);
}

/* "tasks secrets configs | gone tasks, secrets, configs", after which it counts as sent */
static const char *plan_of(const char *node)
{
    static char text[256];
    struct assignment_plan p;
    assignment_plan(fx.store, node, &sent, &p);
    text[0] = '\0';
    for (size_t i = 0; i < p.tasks.n; i++)
        strcat(strcat(text, ((const Pb__Task *)p.tasks.v[i])->id), " ");
    for (size_t i = 0; i < p.secrets.n; i++)
        strcat(strcat(text, ((const Pb__Secret *)p.secrets.v[i])->id), " ");
    for (size_t i = 0; i < p.configs.n; i++)
        strcat(strcat(text, ((const Pb__Config *)p.configs.v[i])->id), " ");
    strcat(text, "|");
    for (char **v = p.gone_tasks; v && *v; v++)
        strcat(strcat(text, " "), *v);
    for (char **v = p.gone_secrets; v && *v; v++)
        strcat(strcat(text, " "), *v);
    for (char **v = p.gone_configs; v && *v; v++)
        strcat(strcat(text, " "), *v);
    assignment_plan_done(&p);
    return text;
}

static void a_node_gets_its_own_tasks_and_what_they_name_and_nothing_else(void)
{
    open_all();
    put_task("t1", "n1", TASK_ASSIGNED, "s1", "c1");
    put_task("t2", "n2", TASK_ASSIGNED, "s2", NULL);
    put_task("t3", "", TASK_PENDING, "s2", NULL);
    EXPECT_STR(plan_of("n1"), "t1 s1 c1 |");
    EXPECT_STR(plan_of("n1"), "|");
    close_all();
}

static void a_global_task_that_is_not_confirmed_yet_is_not_sent(void)
{
    open_all();
    put_task("t1", "n1", TASK_PENDING, "s1", NULL);
    EXPECT_STR(plan_of("n1"), "|");
    close_all();
}

static void a_secret_is_withdrawn_when_its_last_task_has_ended(void)
{
    open_all();
    put_task("t1", "n1", TASK_RUNNING, "s1", NULL);
    put_task("t2", "n1", TASK_RUNNING, "s1", NULL);
    EXPECT_STR(plan_of("n1"), "t1 t2 s1 |");
    change_task("t1", TASK_COMPLETE, -1);
    EXPECT_STR(plan_of("n1"), "|");
    change_task("t2", -1, TASK_SHUTDOWN);
    EXPECT_STR(plan_of("n1"), "t2 |"); /* it still runs */
    change_task("t2", TASK_SHUTDOWN, -1);
    EXPECT_STR(plan_of("n1"), "| s1");
    close_all();
}

static void a_deleted_task_is_withdrawn_with_its_secret(void)
{
    open_all();
    put_task("t1", "n1", TASK_RUNNING, "s1", "c1");
    plan_of("n1");
    drop(STORE_TASK, "t1");
    EXPECT_STR(plan_of("n1"), "| t1 s1 c1");
    close_all();
}

static void a_task_is_sent_again_only_when_something_else_is_wanted_of_it(void)
{
    open_all();
    put_task("t1", "n1", TASK_ASSIGNED, NULL, NULL);
    plan_of("n1");
    change_task("t1", TASK_RUNNING, -1);
    EXPECT_STR(plan_of("n1"), "|");
    change_task("t1", -1, TASK_SHUTDOWN);
    EXPECT_STR(plan_of("n1"), "t1 |");
    close_all();
}

static void a_secret_that_changed_is_sent_again_to_who_has_it(void)
{
    open_all();
    put_task("t1", "n1", TASK_RUNNING, "s1", NULL);
    plan_of("n1");
    struct store_batch *b = store_batch_new(fx.store);
    store_update(b, STORE_SECRET,
                 store_copy(STORE_SECRET, store_get(fx.store, STORE_TIP, STORE_SECRET, "s1")));
    store_put_payload(b, "s1", "new", 3);
    store_propose(fx.store, b, NULL, NULL);
    EXPECT_STR(plan_of("n1"), "|"); /* not durable yet */
    fixture_run(&fx);
    EXPECT_STR(plan_of("n1"), "s1 |");
    close_all();
}

static void what_is_not_durable_is_not_sent(void)
{
    open_all();
    struct store_batch *b = store_batch_new(fx.store);
    Pb__Task *t = PB_NEW(Task, task);
    pb_str(&t->id, "t1");
    pb_str(&t->node_id, "n1");
    task_set_status(t, TASK_ASSIGNED, fx.now, NULL, NULL);
    store_create(b, STORE_TASK, t);
    store_propose(fx.store, b, NULL, NULL);
    EXPECT_STR(plan_of("n1"), "|");
    fixture_run(&fx);
    EXPECT_STR(plan_of("n1"), "t1 |");
    close_all();
}

static void a_missing_secret_is_not_sent_and_does_not_hold_the_task(void)
{
    open_all();
    put_task("t1", "n1", TASK_ASSIGNED, "gone", NULL);
    EXPECT_STR(plan_of("n1"), "t1 |");
    close_all();
}

static void without_a_secret_that_cannot_be_opened_only_tasks_that_do_not_run_are_held_back(void)
{
    struct assignment_plan p;
    struct assignment_list failed = {0};

    open_all();
    put_task("t1", "n1", TASK_ASSIGNED, "s1", "c1");
    put_task("t2", "n1", TASK_RUNNING, "s1", NULL);
    put_task("t3", "n1", TASK_ASSIGNED, "s2", NULL);
    assignment_plan(fx.store, "n1", &sent, &p);
    EXPECT_INT(p.configs.n, 1);
    assignment_plan_without(&p, &sent, store_get(fx.store, STORE_COMMITTED, STORE_SECRET, "s1"),
                            &failed);
    EXPECT_INT(p.secrets.n, 1);
    EXPECT_INT(p.configs.n, 0); /* only the task that is held back named it */
    EXPECT_INT(p.tasks.n, 2);
    EXPECT(!assignment_has_secret(&sent, "s1"));
    EXPECT(assignment_has_secret(&sent, "s2"));
    EXPECT(!assignment_has_task(&sent, "t1"));
    REQUIRE(failed.n == 1);
    EXPECT_STR(((const Pb__Task *)failed.v[0])->id, "t1");
    free(failed.v);
    assignment_plan_done(&p);
    change_task("t2", TASK_FAILED, -1);
    EXPECT_STR(plan_of("n1"), "|"); /* it never had the secret: nothing to withdraw */
    close_all();
}

static void a_secret_that_goes_from_one_task_to_the_next_stays(void)
{
    open_all();
    put_task("t1", "n1", TASK_RUNNING, "s1", NULL);
    plan_of("n1");
    change_task("t1", TASK_FAILED, -1);
    put_task("t2", "n1", TASK_ASSIGNED, "s1", NULL);
    EXPECT_STR(plan_of("n1"), "t2 |");
    close_all();
}

static void a_removed_secret_is_withdrawn_from_who_has_it(void)
{
    open_all();
    put_task("t1", "n1", TASK_RUNNING, "s1", NULL);
    plan_of("n1");
    drop(STORE_SECRET, "s1");
    EXPECT_STR(plan_of("n1"), "| s1");
    change_task("t1", TASK_FAILED, -1);
    EXPECT_STR(plan_of("n1"), "|");
    close_all();
}

static void only_changes_that_matter_concern_a_node(void)
{
    open_all();
    put_task("t1", "n1", TASK_RUNNING, "s1", NULL);
    plan_of("n1");
    Pb__Task *a = store_copy(STORE_TASK, task_now("t1")), *b = store_copy(STORE_TASK, a);
    struct store_event ev = {.action = STORE_UPDATE, .kind = STORE_TASK, .object = b, .before = a};
    EXPECT(!assignment_event(&sent, "n1", &ev));
    b->status->state = PB__TASK_STATE__TASK_STATE_FAILED;
    EXPECT(assignment_event(&sent, "n1", &ev));
    EXPECT(!assignment_event(&sent, "n2", &ev));
    b->status->state = a->status->state;
    b->desired_state = PB__TASK_STATE__TASK_STATE_SHUTDOWN;
    EXPECT(assignment_event(&sent, "n1", &ev));
    ev = (struct store_event){.action = STORE_UPDATE,
                              .kind = STORE_SECRET,
                              .object = store_get(fx.store, STORE_TIP, STORE_SECRET, "s1")};
    EXPECT(assignment_event(&sent, "n1", &ev));
    ev.object = store_get(fx.store, STORE_TIP, STORE_SECRET, "s2");
    EXPECT(!assignment_event(&sent, "n1", &ev));
    pb_free(a);
    pb_free(b);
    close_all();
}

int main(void)
{
    TEST(a_node_gets_its_own_tasks_and_what_they_name_and_nothing_else);
    TEST(a_global_task_that_is_not_confirmed_yet_is_not_sent);
    TEST(a_secret_is_withdrawn_when_its_last_task_has_ended);
    TEST(a_deleted_task_is_withdrawn_with_its_secret);
    TEST(a_task_is_sent_again_only_when_something_else_is_wanted_of_it);
    TEST(a_secret_that_changed_is_sent_again_to_who_has_it);
    TEST(what_is_not_durable_is_not_sent);
    TEST(a_missing_secret_is_not_sent_and_does_not_hold_the_task);
    TEST(without_a_secret_that_cannot_be_opened_only_tasks_that_do_not_run_are_held_back);
    TEST(a_secret_that_goes_from_one_task_to_the_next_stays);
    TEST(a_removed_secret_is_withdrawn_from_who_has_it);
    TEST(only_changes_that_matter_concern_a_node);
    return check_done();
}
