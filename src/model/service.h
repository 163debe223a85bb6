/* model/service.h - a service: its mode, what a silent spec means, how a new spec takes the place
 * of the old one, and which tasks are out of date.
 *
 * The version of a spec is the service's meta.version before the write that brought the spec in; a
 * task remembers the version it was made from. Pure. */
#ifndef MODEL_SERVICE_H
#define MODEL_SERVICE_H
#include <stdbool.h>
#include <stdint.h>
#include "proto/swarm.pb-c.h"

enum service_mode {
    SERVICE_REPLICATED,
    SERVICE_GLOBAL,
    SERVICE_REPLICATED_JOB,
    SERVICE_GLOBAL_JOB
};
enum service_mode
service_spec_mode(const Pb__ServiceSpec *spec); /* replicated when nothing is said */
bool service_spec_is_job(const Pb__ServiceSpec *spec);
uint64_t service_spec_replicas(
    const Pb__ServiceSpec *spec); /* of a replicated one; 1 when nothing is said */
const char *service_name(const Pb__Service *s);

/* Defaults: what is meant where a spec is silent (not written into the spec). */
struct restart_rules {
    int condition; /* PB__RESTART_POLICY__RESTART_CONDITION__… */
    int64_t delay_ns, window_ns;
    uint64_t max_attempts;
};
struct restart_rules restart_rules(const Pb__TaskSpec *spec);
struct update_rules {
    uint64_t parallelism; /* 0: all at once */
    int64_t delay_ns, monitor_ns;
    int failure_action, order; /* PB__UPDATE_CONFIG__… */
    double max_failure_ratio;
};
struct update_rules update_rules(const Pb__UpdateConfig *config); /* NULL: all defaults */
#define DEFAULT_STOP_GRACE_NS (10 * 1000000000LL)
#define DEFAULT_RESTART_DELAY_NS (5 * 1000000000LL)
#define DEFAULT_MONITOR_NS (5 * 1000000000LL)
#define DEFAULT_HEARTBEAT_NS (5 * 1000000000LL)
#define HEARTBEAT_MAX_NS                                                                           \
    (3600 * 1000000000LL) /* a node that is silent longer is no news to anybody */
int64_t
service_heartbeat_ns(const Pb__Cluster *c); /* what the cluster asks for; NULL: the default */
enum { DEFAULT_TASK_HISTORY = 5 };
enum {
    SERVICE_REPLICAS_MAX = 100000
}; /* more is refused by control; the orchestrator makes no more */

/* Fills what is silent, for display (insertDefaults=true) only. */
void service_spec_insert_defaults(Pb__ServiceSpec *spec);

/* ---- the moves of a service. Each changes s in place; the caller puts it into a batch. ---- */
void service_born(Pb__Service *s); /* a new one: spec_version 0 */
void service_change(Pb__Service *s,
                    Pb__ServiceSpec *new_spec); /* takes new_spec; the old one becomes
                                                   previous_spec; no update status */
bool service_can_roll_back(const Pb__Service *s);
/* spec and previous_spec change places; UpdateStatus rollback_started. What a user asks for. */
void service_roll_back(Pb__Service *s, int64_t now, const char *message);
#define SERVICE_ROLLBACK_MANUAL "manually requested rollback"

enum { /* short names */
       UPDATE_NONE = PB__UPDATE_STATUS__UPDATE_STATE__UPDATE_STATE_UNKNOWN,
       UPDATE_UPDATING = PB__UPDATE_STATUS__UPDATE_STATE__UPDATE_STATE_UPDATING,
       UPDATE_PAUSED = PB__UPDATE_STATUS__UPDATE_STATE__UPDATE_STATE_PAUSED,
       UPDATE_COMPLETED = PB__UPDATE_STATUS__UPDATE_STATE__UPDATE_STATE_COMPLETED,
       UPDATE_ROLLBACK_STARTED = PB__UPDATE_STATUS__UPDATE_STATE__UPDATE_STATE_ROLLBACK_STARTED,
       UPDATE_ROLLBACK_PAUSED = PB__UPDATE_STATUS__UPDATE_STATE__UPDATE_STATE_ROLLBACK_PAUSED,
       UPDATE_ROLLBACK_COMPLETED = PB__UPDATE_STATUS__UPDATE_STATE__UPDATE_STATE_ROLLBACK_COMPLETED,
};
int service_update_state(const Pb__Service *s);
/* "updating", "paused", …; "" for none */
const char *update_state_name(int state);

/* How the task's template and endpoint differ from what the service has now. Tasks of one
 * spec_version (and the same side of READY) all give the same answer. */
enum task_difference { TASK_SAME, TASK_OTHER_CONSTRAINTS, TASK_OTHER_SPEC };
enum task_difference service_task_difference(const Pb__Service *s, const Pb__Task *t);
/* Is the task made from another template or endpoint than the service has now? A node that still
 * satisfies the new placement constraints keeps a task that differs in nothing else: pass the
 * task's node, or NULL. */
bool service_task_is_dirty(const Pb__Service *s, const Pb__Task *t, const Pb__Node *node);
/* Is this endpoint spec (a service's) what the task has? Absent and empty are equal. */
bool service_endpoint_equal(const Pb__EndpointSpec *spec, const Pb__Endpoint *of_task);
#endif
