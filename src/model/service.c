/* model/service.c - see model/service.h. */
#include "model/service.h"

#include "model/constraint.h"
#include "model/pb.h"
#include "model/task.h"

enum service_mode service_spec_mode(const Pb__ServiceSpec *spec)
{
    switch (spec->mode_case) {
    case PB__SERVICE_SPEC__MODE_GLOBAL:
        return SERVICE_GLOBAL;
    case PB__SERVICE_SPEC__MODE_REPLICATED_JOB:
        return SERVICE_REPLICATED_JOB;
    case PB__SERVICE_SPEC__MODE_GLOBAL_JOB:
        return SERVICE_GLOBAL_JOB;
    default:
        return SERVICE_REPLICATED;
    }
}

bool service_spec_is_job(const Pb__ServiceSpec *spec)
{
    enum service_mode m = service_spec_mode(spec);

    return m == SERVICE_REPLICATED_JOB || m == SERVICE_GLOBAL_JOB;
}

uint64_t service_spec_replicas(const Pb__ServiceSpec *spec)
{
    if (spec->mode_case == PB__SERVICE_SPEC__MODE_REPLICATED && spec->replicated)
        return spec->replicated->replicas;
    return service_spec_mode(spec) == SERVICE_REPLICATED ? 1 : 0;
}

const char *service_name(const Pb__Service *s)
{
    return s->spec ? pb_name(s->spec->annotations) : "";
}

/* A time span that can be added to the clock without leaving its range: nobody waits a hundred
 * years. */
static int64_t span(const Google__Protobuf__Duration *d, int64_t otherwise)
{
    const int64_t most = 100LL * 365 * 24 * 3600 * 1000000000LL;
    int64_t ns = pb_duration_ns(d, otherwise);

    return ns < 0 ? 0 : (ns > most ? most : ns);
}

struct restart_rules restart_rules(const Pb__TaskSpec *spec)
{
    const Pb__RestartPolicy *p = spec ? spec->restart : NULL;

    return (struct restart_rules){
        .condition =
            p ? (int)p->condition : PB__RESTART_POLICY__RESTART_CONDITION__RESTART_CONDITION_ANY,
        .delay_ns = span(p ? p->delay : NULL, DEFAULT_RESTART_DELAY_NS),
        .window_ns = span(p ? p->window : NULL, 0),
        .max_attempts = p ? p->max_attempts : 0,
    };
}

struct update_rules update_rules(const Pb__UpdateConfig *c)
{
    return (struct update_rules){
        .parallelism = c ? c->parallelism : 1,
        .delay_ns = span(c ? c->delay : NULL, 0),
        .monitor_ns = span(c ? c->monitor : NULL, DEFAULT_MONITOR_NS),
        .failure_action =
            c ? (int)c->failure_action : PB__UPDATE_CONFIG__FAILURE_ACTION__FAILURE_ACTION_PAUSE,
        .order = c ? (int)c->order : PB__UPDATE_CONFIG__UPDATE_ORDER__UPDATE_ORDER_STOP_FIRST,
        .max_failure_ratio = c ? (double)c->max_failure_ratio : 0.0,
    };
}

static void fill_update(Pb__UpdateConfig **field)
{
    if (!*field) {
        *field = PB_NEW(UpdateConfig, update_config);
        (*field)->parallelism = 1;
    }
    if (!(*field)->monitor)
        pb_set_duration(&(*field)->monitor, DEFAULT_MONITOR_NS);
}

void service_spec_insert_defaults(Pb__ServiceSpec *spec)
{
    if (!spec->task)
        spec->task = PB_NEW(TaskSpec, task_spec);
    Pb__TaskSpec *t = spec->task;
    if (t->runtime_case == PB__TASK_SPEC__RUNTIME_CONTAINER && !t->container->stop_grace_period)
        pb_set_duration(&t->container->stop_grace_period, DEFAULT_STOP_GRACE_NS);
    if (!t->restart) {
        t->restart = PB_NEW(RestartPolicy, restart_policy);
        t->restart->condition = PB__RESTART_POLICY__RESTART_CONDITION__RESTART_CONDITION_ANY;
    }
    if (!t->restart->delay)
        pb_set_duration(&t->restart->delay, DEFAULT_RESTART_DELAY_NS);
    if (spec->mode_case == PB__SERVICE_SPEC__MODE__NOT_SET) {
        spec->mode_case = PB__SERVICE_SPEC__MODE_REPLICATED;
        spec->replicated = PB_NEW(ReplicatedService, replicated_service);
        spec->replicated->replicas = 1;
    }
    if (!service_spec_is_job(spec)) {
        fill_update(&spec->update);
        fill_update(&spec->rollback);
    }
    if (!spec->endpoint)
        spec->endpoint = PB_NEW(EndpointSpec, endpoint_spec);
}

int64_t service_heartbeat_ns(const Pb__Cluster *c)
{
    const Pb__DispatcherConfig *d = c && c->spec ? c->spec->dispatcher : NULL;
    int64_t ns = span(d ? d->heartbeat_period : NULL, DEFAULT_HEARTBEAT_NS);

    return ns == 0 ? DEFAULT_HEARTBEAT_NS : (ns > HEARTBEAT_MAX_NS ? HEARTBEAT_MAX_NS : ns);
}

void service_born(Pb__Service *s)
{
    pb_set_version(&s->spec_version, 0);
}

static uint64_t own_version(const Pb__Service *s)
{
    return s->meta ? pb_version(s->meta->version) : 0;
}

void service_change(Pb__Service *s, Pb__ServiceSpec *new_spec)
{
    pb_free(s->previous_spec);
    s->previous_spec = s->spec;
    s->spec = new_spec;
    pb_set_version(&s->previous_spec_version, pb_version(s->spec_version));
    pb_set_version(&s->spec_version, own_version(s));
    pb_free(s->update_status);
    s->update_status = NULL;
}

bool service_can_roll_back(const Pb__Service *s)
{
    return s->previous_spec != NULL;
}

void service_roll_back(Pb__Service *s, int64_t now, const char *message)
{
    Pb__ServiceSpec *spec = s->spec;
    Pb__Version *version = s->spec_version;

    s->spec = s->previous_spec;
    s->previous_spec = spec;
    s->spec_version = s->previous_spec_version;
    s->previous_spec_version = version;
    if (!s->spec_version)
        pb_set_version(&s->spec_version, 0);
    pb_free(s->update_status);
    s->update_status = PB_NEW(UpdateStatus, update_status);
    s->update_status->state = PB__UPDATE_STATUS__UPDATE_STATE__UPDATE_STATE_ROLLBACK_STARTED;
    pb_str(&s->update_status->message, message);
    pb_set_time(&s->update_status->started_at, now);
}

int service_update_state(const Pb__Service *s)
{
    return s->update_status ? (int)s->update_status->state : UPDATE_NONE;
}

const char *update_state_name(int state)
{
    static const char *const names[] = {
        [UPDATE_NONE] = "",
        [UPDATE_UPDATING] = "updating",
        [UPDATE_PAUSED] = "paused",
        [UPDATE_COMPLETED] = "completed",
        [UPDATE_ROLLBACK_STARTED] = "rollback_started",
        [UPDATE_ROLLBACK_PAUSED] = "rollback_paused",
        [UPDATE_ROLLBACK_COMPLETED] = "rollback_completed",
    };

    return state >= 0 && (size_t)state < sizeof names / sizeof *names ? names[state] : "";
}

bool service_endpoint_equal(const Pb__EndpointSpec *spec, const Pb__Endpoint *of_task)
{
    return pb_equal(spec, of_task ? of_task->spec : NULL);
}

/* Are the two the same once constraints (and, for a task that needs no image any more, the way to
 * pull one) are put aside? */
static bool same_but_for(const Pb__TaskSpec *want, const Pb__TaskSpec *have, bool constraints,
                         bool pull)
{
    Pb__TaskSpec a = *want, b = *have;
    Pb__Placement empty = PB__PLACEMENT__INIT;
    Pb__Placement pa = a.placement ? *a.placement : empty, pb = b.placement ? *b.placement : empty;
    Pb__ContainerSpec ca, cb;

    if (constraints) { /* shallow copies: nothing of theirs is freed */
        pa.n_constraints = pb.n_constraints = 0;
        a.placement = &pa;
        b.placement = &pb;
    }
    if (pull && a.runtime_case == PB__TASK_SPEC__RUNTIME_CONTAINER &&
        b.runtime_case == PB__TASK_SPEC__RUNTIME_CONTAINER) {
        ca = *a.container;
        cb = *b.container;
        ca.pull_options = cb.pull_options = NULL;
        a.container = &ca;
        b.container = &cb;
    }
    return pb_equal(&a, &b);
}

enum task_difference service_task_difference(const Pb__Service *s, const Pb__Task *t)
{
    static const Pb__TaskSpec empty = PB__TASK_SPEC__INIT;
    const Pb__TaskSpec *want = s->spec && s->spec->task ? s->spec->task : &empty;
    const Pb__TaskSpec *have = t->spec ? t->spec : &empty;

    if (s->spec_version && t->spec_version && s->spec_version->index == t->spec_version->index)
        return TASK_SAME;
    if (!service_endpoint_equal(s->spec ? s->spec->endpoint : NULL, t->endpoint))
        return TASK_OTHER_SPEC;
    bool pull = task_state(t) > TASK_READY;
    if (same_but_for(want, have, false, pull))
        return TASK_SAME;
    return same_but_for(want, have, true, pull) ? TASK_OTHER_CONSTRAINTS : TASK_OTHER_SPEC;
}

bool service_task_is_dirty(const Pb__Service *s, const Pb__Task *t, const Pb__Node *node)
{
    enum task_difference d = service_task_difference(s, t);

    if (d == TASK_OTHER_CONSTRAINTS)
        return !node || !s->spec || !constraint_match_task(s->spec->task, node);
    return d != TASK_SAME;
}
