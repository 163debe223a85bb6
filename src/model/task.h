/* model/task.h - a task: its states, which moves are legal, its name and the labels of its
 * container.
 *
 * A task is made once, runs at most once on one node and is never changed but for its status, its
 * desired state and the notes below. The observed state only grows. Pure; no ownership but where a
 * function says so. */
#ifndef MODEL_TASK_H
#define MODEL_TASK_H
#include <stdbool.h>
#include <stdint.h>
#include "proto/swarm.pb-c.h"

enum {
    TASK_NEW = PB__TASK_STATE__TASK_STATE_NEW,
    TASK_PENDING = PB__TASK_STATE__TASK_STATE_PENDING,
    TASK_ASSIGNED = PB__TASK_STATE__TASK_STATE_ASSIGNED,
    TASK_ACCEPTED = PB__TASK_STATE__TASK_STATE_ACCEPTED,
    TASK_PREPARING = PB__TASK_STATE__TASK_STATE_PREPARING,
    TASK_READY = PB__TASK_STATE__TASK_STATE_READY,
    TASK_STARTING = PB__TASK_STATE__TASK_STATE_STARTING,
    TASK_RUNNING = PB__TASK_STATE__TASK_STATE_RUNNING,
    TASK_COMPLETE = PB__TASK_STATE__TASK_STATE_COMPLETE,
    TASK_SHUTDOWN = PB__TASK_STATE__TASK_STATE_SHUTDOWN,
    TASK_FAILED = PB__TASK_STATE__TASK_STATE_FAILED,
    TASK_REJECTED = PB__TASK_STATE__TASK_STATE_REJECTED,
    TASK_REMOVE = PB__TASK_STATE__TASK_STATE_REMOVE, /* desired only */
    TASK_ORPHANED = PB__TASK_STATE__TASK_STATE_ORPHANED,
};

const char *
task_state_name(int state); /* as the API prints it: "running"; "unknown" for a stranger */
int task_state_parse(const char *name); /* without regard to case; -1 when there is no such state */
bool task_state_may_move(
    int from, int to); /* observed: the same or forward; out of a final state only to ORPHANED */
bool task_state_is_final(int state);     /* COMPLETE and beyond: it runs no more */
int task_state(const Pb__Task *t);       /* observed; NEW when there is no status */
bool task_wanted(const Pb__Task *t);     /* desired state is RUNNING or below: it is meant to run */
bool task_is_running(const Pb__Task *t); /* observed RUNNING exactly */
int64_t task_status_time(const Pb__Task *t); /* of its last status, ns; 0: none */

/* Replaces the status: state, time, message and err; what else the status holds is kept. NULL
 * message or err: left as it is. */
void task_set_status(Pb__Task *t, int state, int64_t now, const char *message, const char *err);

/* A status as its node reports it: taken when it moves the task forward (or says more about the
 * state that it is in), stamped with who applied it and when; notes when it first ran. False:
 * dropped, the task is as it was. States that only managers set are never taken. */
bool task_apply_status(Pb__Task *t, const Pb__TaskStatus *reported, const char *by, int64_t now);
int64_t task_ended_at(
    const Pb__Task *t); /* by the manager's clock when it knows, else the node's; 0 unless final */

/* "web.1.<id>", or for slot 0 "web.<node id>.<id>"; annotations.name when it is set. malloc'ed. */
char *task_name(const Pb__Task *t);
/* What the container is to carry: the user's labels, the task's, then com.docker.swarm.*; key,
 * value, key, value, …, NULL. A later key replaces an earlier one. malloc'ed (strv_free). */
char **task_container_labels(const Pb__Task *t);
uint64_t task_stop_grace_ns(const Pb__Task *t);             /* 10 s when the spec is silent */
const Pb__ContainerSpec *task_container(const Pb__Task *t); /* NULL when it is no container */
bool task_uses_secret(const Pb__Task *t, const char *secret_id);
bool task_uses_config(const Pb__Task *t, const char *config_id);

/* Notes that the deciders leave on a task (in annotations.indices, which no client sees), so that
 * everything they know survives a restart of the manager. */
#define TASK_NOTE_UPDATE "keep.update" /* the rolling update that made it: update_mark() */
#define TASK_NOTE_ORDER                                                                            \
    "keep.order" /* the how many-th of its slot it is: clocks may stand still or go back */
#define TASK_NOTE_START_AT "keep.start-at" /* not to be raised to RUNNING before, ns */
#define TASK_NOTE_RAN_AT "keep.ran-at"     /* when it reached RUNNING, ns */
const char *task_note(const Pb__Task *t, const char *key); /* NULL: none */
int64_t task_note_ns(const Pb__Task *t, const char *key);  /* 0: none */
void task_set_note(Pb__Task *t, const char *key, const char *value);
void task_set_note_ns(Pb__Task *t, const char *key, int64_t ns);
#endif
