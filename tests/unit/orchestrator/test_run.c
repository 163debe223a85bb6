/* unit/orchestrator/test_run.c - deciders on a loop: after each commit, in order, and again when
 * their time comes. */
#include "orchestrator/run.h"

#include "world.h"

static uv_loop_t loop;

struct toy {
    unsigned passes, noted, all;
    int64_t wake_in; /* from now; 0: never */
    bool create;     /* the next pass makes a secret */
    size_t seen;     /* secrets in TIP at its last pass */
};

static bool toy_note(void *self, const struct store *s, const struct store_event *ev)
{
    struct toy *t = self;
    (void)s;
    (void)ev;
    t->noted++;
    return true;
}

static void toy_all(void *self)
{
    ((struct toy *)self)->all++;
}

static int64_t toy_pass(void *self, const struct store *s, int64_t now, struct store_batch *out)
{
    struct toy *t = self;
    t->passes++;
    t->seen = store_count(s, STORE_TIP, STORE_CONFIG);
    if (t->create) {
        Pb__Config *c = PB_NEW(Config, config);
        char id[ID_SIZE];
        id_new(id);
        pb_str(&c->id, id);
        c->spec = PB_NEW(ConfigSpec, config_spec);
        c->spec->annotations = PB_NEW(Annotations, annotations);
        pb_str(&c->spec->annotations->name, id);
        store_create(out, STORE_CONFIG, c);
        t->create = false;
    }
    return t->wake_in ? now + t->wake_in : INT64_MAX;
}

static struct decider toy(struct toy *t)
{
    return (struct decider){.self = t, .note = toy_note, .note_all = toy_all, .pass = toy_pass};
}

static void turn(int ms)
{
    for (int64_t end = clock_mono_ns() + ms * NS_PER_MS; clock_mono_ns() < end;) {
        uv_run(&loop, UV_RUN_NOWAIT);
        fixture_run(&fx);
    }
}

static void done(struct run *r)
{
    run_free(r);
    fixture_close(&fx);
    uv_run(&loop, UV_RUN_DEFAULT);
    EXPECT_INT(uv_loop_close(&loop), 0);
}

static void the_second_sees_at_once_what_the_first_decided_and_quiet_stays_quiet(void)
{
    struct toy a = {.create = true}, b = {0};
    fixture_open(&fx);
    uv_loop_init(&loop);
    struct decider d[] = {toy(&a), toy(&b)};
    struct run *r = run_new(&loop, fx.store, d, 2, NULL, NULL);
    uv_run(&loop, UV_RUN_NOWAIT);
    EXPECT_INT(a.passes, 1);
    EXPECT_INT(b.seen, 1); /* not durable yet */
    turn(20);
    EXPECT_INT(a.passes, 2); /* for the commit of its own */
    EXPECT_INT(a.noted, 1);
    turn(20);
    EXPECT_INT(a.passes, 2);
    done(r);
}

static void a_decider_that_asks_for_it_wakes_again(void)
{
    struct toy a = {.wake_in = 15 * NS_PER_MS};
    fixture_open(&fx);
    uv_loop_init(&loop);
    struct decider d[] = {toy(&a)};
    struct run *r = run_new(&loop, fx.store, d, 1, NULL, NULL);
    turn(10);
    EXPECT_INT(a.passes, 1);
    turn(200);
    EXPECT(a.passes > 3 && a.passes < 16);
    done(r);
}

static void a_lost_proposal_makes_everybody_look_again_a_second_later(void)
{
    struct toy a = {.create = true};
    fixture_open(&fx);
    uv_loop_init(&loop);
    fake_log_fail(fx.disk, -28, "no space left on device", 1);
    struct decider d[] = {toy(&a)};
    struct run *r = run_new(&loop, fx.store, d, 1, NULL, NULL);
    turn(500);
    EXPECT_INT(a.passes, 1);
    EXPECT_INT(a.all, 1);
    turn(800);
    EXPECT_INT(a.passes, 2);
    EXPECT_INT(a.all, 2);
    done(r);
}

static void it_may_end_while_a_proposal_is_on_its_way(void)
{
    struct toy a = {.create = true};
    fixture_open(&fx);
    uv_loop_init(&loop);
    struct decider d[] = {toy(&a)};
    struct run *r = run_new(&loop, fx.store, d, 1, NULL, NULL);
    uv_run(&loop, UV_RUN_NOWAIT);
    EXPECT_INT(a.passes, 1);
    done(r);
}

static void from_a_service_to_its_task_takes_one_turn(void)
{
    fixture_open(&fx);
    uv_loop_init(&loop);
    struct orchestrator *o = orchestrator_new();
    struct decider d[] = {orchestrator_decider(o)};
    struct run *r = run_new(&loop, fx.store, d, 1, NULL, NULL);
    turn(5);
    world_put(STORE_CREATE, STORE_SERVICE, world_service("web", "nginx", 2));
    EXPECT_INT(count_tasks("web", -1, -1), 0);
    uv_run(&loop, UV_RUN_NOWAIT);
    EXPECT_INT(count_tasks("web", TASK_NEW, TASK_RUNNING), 2);
    done(r);
    orchestrator_free(o);
}

int main(void)
{
    TEST(the_second_sees_at_once_what_the_first_decided_and_quiet_stays_quiet);
    TEST(a_decider_that_asks_for_it_wakes_again);
    TEST(a_lost_proposal_makes_everybody_look_again_a_second_later);
    TEST(it_may_end_while_a_proposal_is_on_its_way);
    TEST(from_a_service_to_its_task_takes_one_turn);
    return check_done();
}
