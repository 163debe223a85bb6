/* agent/task_plan.h - the next step of a task on its node: pure, so that every history can be
 * tried.
 *
 * States only move forward. A step runs to its end before the next is planned (busy). READY is held
 * until the manager wants more than READY; what is to end is stopped first; what was withdrawn is
 * removed with its container. Rules: swarm-wire 4.8. */
#ifndef AGENT_TASK_PLAN_H
#define AGENT_TASK_PLAN_H
#include <stdbool.h>

enum task_step {
    STEP_NONE,   /* wait for something to happen */
    STEP_CREATE, /* image and container */
    STEP_START,
    STEP_STOP,   /* signal, grace, kill */
    STEP_SHUT,   /* never started: the state alone changes to SHUTDOWN */
    STEP_REMOVE, /* the container, by force */
    STEP_FORGET, /* nothing is left of it */
};
struct task_view {
    int state, desired; /* PB task states */
    bool busy, withdrawn, has_container, running;
};
enum task_step task_plan(const struct task_view *v);
#endif
