/* unit/agent/test_task_plan.c - the next step of a task, for every state that it can be in. */
#include "agent/task_plan.h"
#include "lib/check.h"
#include "proto/swarm.pb-c.h"

#define S(name) PB__TASK_STATE__TASK_STATE_##name

static enum task_step step(struct task_view v)
{
    return task_plan(&v);
}

static void a_new_task_gets_its_container(void)
{
    EXPECT_INT(step((struct task_view){.state = S(ASSIGNED), .desired = S(RUNNING)}), STEP_CREATE);
    EXPECT_INT(step((struct task_view){.state = S(ACCEPTED), .desired = S(READY)}), STEP_CREATE);
}

static void a_ready_task_is_held_until_more_is_wanted(void)
{
    EXPECT_INT(
        step((struct task_view){.state = S(READY), .desired = S(READY), .has_container = true}),
        STEP_NONE);
    EXPECT_INT(
        step((struct task_view){.state = S(READY), .desired = S(RUNNING), .has_container = true}),
        STEP_START);
}

static void a_start_that_a_crash_cut_short_is_made_again(void)
{
    EXPECT_INT(step((struct task_view){
                   .state = S(STARTING), .desired = S(RUNNING), .has_container = true}),
               STEP_START);
    EXPECT_INT(
        step((struct task_view){
            .state = S(STARTING), .desired = S(RUNNING), .has_container = true, .running = true}),
        STEP_NONE);
}

static void nothing_is_planned_while_a_step_is_under_way(void)
{
    for (int removed = 0; removed < 2; removed++)
        EXPECT_INT(step((struct task_view){.state = S(RUNNING),
                                           .desired = S(REMOVE),
                                           .busy = true,
                                           .running = true,
                                           .withdrawn = removed}),
                   STEP_NONE);
}

static void a_running_task_is_stopped_when_it_shall_end(void)
{
    EXPECT_INT(
        step((struct task_view){
            .state = S(RUNNING), .desired = S(SHUTDOWN), .has_container = true, .running = true}),
        STEP_STOP);
    EXPECT_INT(
        step((struct task_view){
            .state = S(RUNNING), .desired = S(RUNNING), .has_container = true, .running = true}),
        STEP_NONE);
}

static void a_task_that_never_started_changes_its_state_alone(void)
{
    EXPECT_INT(
        step((struct task_view){.state = S(READY), .desired = S(SHUTDOWN), .has_container = true}),
        STEP_SHUT);
    EXPECT_INT(step((struct task_view){.state = S(ASSIGNED), .desired = S(REMOVE)}), STEP_SHUT);
}

static void an_ended_task_keeps_its_container_until_it_is_withdrawn(void)
{
    EXPECT_INT(
        step((struct task_view){.state = S(FAILED), .desired = S(SHUTDOWN), .has_container = true}),
        STEP_NONE);
    EXPECT_INT(
        step((struct task_view){
            .state = S(FAILED), .desired = S(REMOVE), .has_container = true, .withdrawn = true}),
        STEP_REMOVE);
    EXPECT_INT(step((struct task_view){.state = S(FAILED), .withdrawn = true}), STEP_FORGET);
}

static void a_withdrawn_task_that_runs_is_stopped_first(void)
{
    EXPECT_INT(step((struct task_view){
                   .state = S(RUNNING), .has_container = true, .running = true, .withdrawn = true}),
               STEP_STOP);
}

static void a_container_that_outlived_its_ended_task_is_stopped(void)
{
    EXPECT_INT(
        step((struct task_view){
            .state = S(ORPHANED), .desired = S(RUNNING), .has_container = true, .running = true}),
        STEP_STOP);
}

/* Whatever the history, following the plan ends: every step moves state, container or existence
 * forward. */
static void every_history_ends(void)
{
    static const int states[] = {S(ASSIGNED), S(ACCEPTED), S(PREPARING), S(READY),  S(STARTING),
                                 S(RUNNING),  S(COMPLETE), S(SHUTDOWN),  S(FAILED), S(REJECTED)};
    for (size_t i = 0; i < sizeof(states) / sizeof(states[0]); i++) {
        struct task_view v = {.state = states[i],
                              .desired = S(REMOVE),
                              .withdrawn = true,
                              .has_container = states[i] >= S(READY),
                              .running = states[i] == S(RUNNING)};
        int steps = 0;
        enum task_step s;
        while ((s = task_plan(&v)) != STEP_FORGET && steps++ < 10) {
            EXPECT(s == STEP_STOP || s == STEP_REMOVE);
            if (s == STEP_STOP)
                v.running = false;
            if (s == STEP_REMOVE)
                v.has_container = false;
        }
        EXPECT(steps < 10);
    }
}

int main(void)
{
    TEST(a_new_task_gets_its_container);
    TEST(a_ready_task_is_held_until_more_is_wanted);
    TEST(a_start_that_a_crash_cut_short_is_made_again);
    TEST(nothing_is_planned_while_a_step_is_under_way);
    TEST(a_running_task_is_stopped_when_it_shall_end);
    TEST(a_task_that_never_started_changes_its_state_alone);
    TEST(an_ended_task_keeps_its_container_until_it_is_withdrawn);
    TEST(a_withdrawn_task_that_runs_is_stopped_first);
    TEST(a_container_that_outlived_its_ended_task_is_stopped);
    TEST(every_history_ends);
    return check_done();
}
