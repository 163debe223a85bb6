/* agent/task_plan.c - see task_plan.h. */
#include "agent/task_plan.h"

#include "proto/swarm.pb-c.h"

enum {
    READY = PB__TASK_STATE__TASK_STATE_READY,
    STARTING = PB__TASK_STATE__TASK_STATE_STARTING,
    COMPLETE = PB__TASK_STATE__TASK_STATE_COMPLETE,
    SHUTDOWN = PB__TASK_STATE__TASK_STATE_SHUTDOWN,
};

enum task_step task_plan(const struct task_view *v)
{
    if (v->busy)
        return STEP_NONE;
    if (v->withdrawn) {
        if (v->running)
            return STEP_STOP;
        return v->has_container ? STEP_REMOVE : STEP_FORGET;
    }
    if (v->state >= COMPLETE)
        return v->running ? STEP_STOP : STEP_NONE;
    if (v->desired >= SHUTDOWN) {
        if (v->running)
            return STEP_STOP;
        return v->state < COMPLETE ? STEP_SHUT : STEP_NONE;
    }
    if (v->state < READY)
        return STEP_CREATE;
    if (v->state == READY || (v->state == STARTING &&
                              !v->running)) /* STARTING: the daemon died in the middle of a start */
        return v->desired > READY ? STEP_START : STEP_NONE;
    return STEP_NONE;
}
