/* api/decode_service.c - the spec of a service, but for its container. */
#include <errno.h>
#include <string.h>
#include "api/decode.h"
#include "base/str.h"

/* ---- resources ---- */

static void decode_generic(const struct json_at *at, Pb__Resources *r)
{
    json_t *list;
    size_t n = json_at_array(at, "GenericResources", "[]swarm.GenericResource", &list);
    for (size_t i = 0; i < n; i++) {
        struct json_at x, part;
        if (!json_at_element(at, "GenericResources", list, i, "GenericResource",
                             "swarm.GenericResource", &x))
            continue;
        Pb__GenericResource *g = PB_NEW(GenericResource, generic_resource);
        if (json_at_object(&x, "NamedResourceSpec", "NamedGenericResource",
                           "swarm.NamedGenericResource", &part)) {
            g->resource_case = PB__GENERIC_RESOURCE__RESOURCE_NAMED_RESOURCE_SPEC;
            g->named_resource_spec = PB_NEW(NamedGenericResource, named_generic_resource);
            pb_str(&g->named_resource_spec->kind, json_at_str(&part, "Kind"));
            pb_str(&g->named_resource_spec->value, json_at_str(&part, "Value"));
        } else if (json_at_object(&x, "DiscreteResourceSpec", "DiscreteGenericResource",
                                  "swarm.DiscreteGenericResource", &part)) {
            g->resource_case = PB__GENERIC_RESOURCE__RESOURCE_DISCRETE_RESOURCE_SPEC;
            g->discrete_resource_spec = PB_NEW(DiscreteGenericResource, discrete_generic_resource);
            pb_str(&g->discrete_resource_spec->kind, json_at_str(&part, "Kind"));
            g->discrete_resource_spec->value = json_at_int(&part, "Value", 0, "int64");
        }
        PB_PUSH(r->n_generic, r->generic, g);
    }
}

static Pb__Resources *decode_some(const struct json_at *at, const char *key, const char *type,
                                  const char *go_type, int64_t *ret_pids)
{
    struct json_at x;
    if (!json_at_object(at, key, type, go_type, &x))
        return NULL;
    Pb__Resources *r = PB_NEW(Resources, resources);
    r->nano_cpus = json_at_int(&x, "NanoCPUs", 0, "int64");
    r->memory_bytes = json_at_int(&x, "MemoryBytes", 0, "int64");
    if (ret_pids)
        *ret_pids = json_at_int(&x, "Pids", 0, "int64");
    else
        decode_generic(&x, r);
    return r;
}

static void decode_resources(const struct json_at *at, Pb__TaskSpec *t)
{
    struct json_at r;
    int64_t pids = 0;
    if (!json_at_object(at, "Resources", "ResourceRequirements", "swarm.ResourceRequirements", &r))
        return;
    t->resources = PB_NEW(ResourceRequirements, resource_requirements);
    t->resources->limits = decode_some(&r, "Limits", "Limit", "swarm.Limit", &pids);
    t->resources->reservations =
        decode_some(&r, "Reservations", "Resources", "swarm.Resources", NULL);
    if (t->runtime_case == PB__TASK_SPEC__RUNTIME_CONTAINER && t->container)
        t->container->pidslimit = pids;
}

/* ---- restart, placement, networks ---- */

static int decode_restart(const struct json_at *at, Pb__TaskSpec *t, struct err *e)
{
    static const char *const words[] = {"none", "on-failure", "any"};
    struct json_at r;
    if (!json_at_object(at, "RestartPolicy", "RestartPolicy", "swarm.RestartPolicy", &r))
        return 0;
    const char *word = json_at_str(&r, "Condition");
    int condition = *word ? decode_word(words, 3, word) : 2;
    if (condition < 0)
        return err_set(e, -EINVAL, "invalid RestartCondition: \"%s\"", word);
    t->restart = PB_NEW(RestartPolicy, restart_policy);
    t->restart->condition = (Pb__RestartPolicy__RestartCondition)condition;
    t->restart->delay = decode_duration(&r, "Delay", true);
    t->restart->max_attempts = json_at_uint(&r, "MaxAttempts", INT64_MAX, "uint64", NULL);
    t->restart->window = decode_duration(&r, "Window", true);
    return 0;
}

static void decode_placement(const struct json_at *at, Pb__TaskSpec *t)
{
    struct json_at p, x, spread;
    json_t *list;
    if (!json_at_object(at, "Placement", "Placement", "swarm.Placement", &p))
        return;
    Pb__Placement *m = t->placement = PB_NEW(Placement, placement);
    m->constraints = json_at_strings(&p, "Constraints", &m->n_constraints);
    m->max_replicas = json_at_uint(&p, "MaxReplicas", INT64_MAX, "uint64", NULL);
    size_t n = json_at_array(&p, "Preferences", "[]swarm.PlacementPreference", &list);
    for (size_t i = 0; i < n; i++) {
        if (!json_at_element(&p, "Preferences", list, i, "PlacementPreference",
                             "swarm.PlacementPreference", &x) ||
            !json_at_object(&x, "Spread", "SpreadOver", "swarm.SpreadOver", &spread))
            continue;
        Pb__PlacementPreference *pref = PB_NEW(PlacementPreference, placement_preference);
        pref->preference_case = PB__PLACEMENT_PREFERENCE__PREFERENCE_SPREAD;
        pref->spread = PB_NEW(SpreadOver, spread_over);
        pb_str(&pref->spread->spread_descriptor, json_at_str(&spread, "SpreadDescriptor"));
        PB_PUSH(m->n_preferences, m->preferences, pref);
    }
    n = json_at_array(&p, "Platforms", "[]swarm.Platform", &list);
    for (size_t i = 0; i < n; i++) {
        if (!json_at_element(&p, "Platforms", list, i, "Platform", "swarm.Platform", &x))
            continue;
        Pb__Platform *pl = PB_NEW(Platform, platform);
        pb_str(&pl->architecture, json_at_str(&x, "Architecture"));
        pb_str(&pl->os, json_at_str(&x, "OS"));
        PB_PUSH(m->n_platforms, m->platforms, pl);
    }
}

size_t decode_networks(const struct json_at *at, Pb__NetworkAttachmentConfig ***ret)
{
    json_t *list;
    size_t n = json_at_array(at, "Networks", "[]swarm.NetworkAttachmentConfig", &list), count = 0;
    for (size_t i = 0; i < n; i++) {
        struct json_at x;
        if (!json_at_element(at, "Networks", list, i, "NetworkAttachmentConfig",
                             "swarm.NetworkAttachmentConfig", &x))
            continue;
        Pb__NetworkAttachmentConfig *m = PB_NEW(NetworkAttachmentConfig, network_attachment_config);
        pb_str(&m->target, json_at_str(&x, "Target"));
        m->aliases = json_at_strings(&x, "Aliases", &m->n_aliases);
        DECODE_MAP(&x, "DriverOpts", m, driver_attachment_opts,
                   pb__network_attachment_config__driver_attachment_opts_entry__init);
        PB_PUSH(count, *ret, m);
    }
    return count;
}

/* ---- the task ---- */

static int decode_runtime(const struct json_at *at, Pb__TaskSpec *t, struct err *e)
{
    struct json_at container, other;
    bool has_container =
        json_at_object(at, "ContainerSpec", "ContainerSpec", "swarm.ContainerSpec", &container);
    bool has_other = json_at_object(at, "PluginSpec", "PluginSpec", "runtime.PluginSpec", &other) ||
                     json_at_object(at, "NetworkAttachmentSpec", "NetworkAttachmentSpec",
                                    "swarm.NetworkAttachmentSpec", &other);
    const char *runtime = json_at_str(at, "Runtime");
    bool is_container = *runtime == '\0' || strcmp(runtime, "container") == 0;
    if ((is_container && has_other) || (!is_container && has_container))
        return err_set(e, -EINVAL, "mismatched Runtime and *Spec fields");
    if (!is_container)
        return err_set(e, -EINVAL, "services of runtime \"%s\" are not supported", runtime);
    Pb__ContainerSpec *c = NULL;
    int r = decode_container_spec(&container, &c, e);
    if (r < 0)
        return r;
    t->runtime_case = PB__TASK_SPEC__RUNTIME_CONTAINER;
    t->container = c;
    return 0;
}

int decode_task_spec(const struct json_at *at, Pb__TaskSpec **ret, struct err *e)
{
    Pb__TaskSpec *t = PB_NEW(TaskSpec, task_spec);
    int r = decode_runtime(at, t, e);
    if (r == 0) {
        decode_resources(at, t);
        decode_placement(at, t);
        t->log_driver = decode_driver(at, "LogDriver");
        t->force_update = json_at_uint(at, "ForceUpdate", INT64_MAX, "uint64", NULL);
        t->n_networks = decode_networks(at, &t->networks);
        r = decode_restart(at, t, e);
    }
    if (r < 0)
        pb_free(t);
    else
        *ret = t;
    return r;
}

/* ---- update, endpoint, mode ---- */

static int decode_update(const struct json_at *at, const char *key, Pb__UpdateConfig **ret,
                         struct err *e)
{
    static const char *const actions[] = {"pause", "continue", "rollback"}, *const orders[] = {
                                                                                "stop-first",
                                                                                "start-first"};
    struct json_at u;
    if (!json_at_object(at, key, "UpdateConfig", "swarm.UpdateConfig", &u))
        return 0;
    const char *action = json_at_str(&u, "FailureAction"), *order = json_at_str(&u, "Order");
    int action_at = *action ? decode_word(actions, 3, action) : 0,
        order_at = *order ? decode_word(orders, 2, order) : 0;
    if (action_at < 0)
        return err_set(e, -EINVAL, "unrecognized update failure action %s", action);
    if (order_at < 0)
        return err_set(e, -EINVAL, "unrecognized update order %s", order);
    Pb__UpdateConfig *m = PB_NEW(UpdateConfig, update_config);
    m->parallelism = json_at_uint(&u, "Parallelism", INT64_MAX, "uint64", NULL);
    m->delay = decode_duration(&u, "Delay", false);
    if (!m->delay)
        pb_set_duration(&m->delay, 0);
    m->failure_action = (Pb__UpdateConfig__FailureAction)action_at;
    m->monitor = decode_duration(&u, "Monitor", false);
    m->max_failure_ratio = (float)json_at_real(&u, "MaxFailureRatio", "float32");
    m->order = (Pb__UpdateConfig__UpdateOrder)order_at;
    *ret = m;
    return 0;
}

static void decode_ports(const struct json_at *at, Pb__EndpointSpec *ep)
{
    static const char *const protocols[] = {"tcp", "udp", "sctp"}, *const modes[] = {"ingress",
                                                                                     "host"};
    json_t *list;
    size_t n = json_at_array(at, "Ports", "[]swarm.PortConfig", &list);
    for (size_t i = 0; i < n; i++) {
        struct json_at x;
        if (!json_at_element(at, "Ports", list, i, "PortConfig", "swarm.PortConfig", &x))
            continue;
        Pb__PortConfig *p = PB_NEW(PortConfig, port_config);
        int protocol = decode_word(protocols, 3, json_at_str(&x, "Protocol")),
            mode = decode_word(modes, 2, json_at_str(&x, "PublishMode"));
        pb_str(&p->name, json_at_str(&x, "Name"));
        p->protocol = (Pb__PortConfig__Protocol)(protocol < 0 ? 0 : protocol);
        p->target_port = (uint32_t)json_at_uint(&x, "TargetPort", UINT32_MAX, "uint32", NULL);
        p->published_port = (uint32_t)json_at_uint(&x, "PublishedPort", UINT32_MAX, "uint32", NULL);
        p->publish_mode = (Pb__PortConfig__PublishMode)(mode < 0 ? 0 : mode);
        PB_PUSH(ep->n_ports, ep->ports, p);
    }
}

static int decode_endpoint(const struct json_at *at, Pb__ServiceSpec *s, struct err *e)
{
    static const char *const modes[] = {"vip", "dnsrr"};
    struct json_at x;
    if (!json_at_object(at, "EndpointSpec", "EndpointSpec", "swarm.EndpointSpec", &x))
        return 0;
    const char *word = json_at_str(&x, "Mode");
    int mode = *word ? decode_word(modes, 2, word) : 0;
    if (mode < 0)
        return err_set(e, -EINVAL, "invalid ResolutionMode: \"%s\"", word);
    s->endpoint = PB_NEW(EndpointSpec, endpoint_spec);
    s->endpoint->mode = (Pb__EndpointSpec__ResolutionMode)mode;
    decode_ports(&x, s->endpoint);
    return 0;
}

static void set_replicated(Pb__ServiceSpec *s, uint64_t replicas)
{
    s->mode_case = PB__SERVICE_SPEC__MODE_REPLICATED;
    s->replicated = PB_NEW(ReplicatedService, replicated_service);
    s->replicated->replicas = replicas;
}

static int decode_mode(const struct json_at *at, Pb__ServiceSpec *s, struct err *e)
{
    struct json_at m, replicated, global, job, global_job;
    bool present = false;
    json_at_object(at, "Mode", "ServiceMode", "swarm.ServiceMode", &m);
    bool has_replicated = json_at_object(&m, "Replicated", "ReplicatedService",
                                         "swarm.ReplicatedService", &replicated);
    bool has_global = json_at_object(&m, "Global", "GlobalService", "swarm.GlobalService", &global);
    bool has_job =
        json_at_object(&m, "ReplicatedJob", "ReplicatedJob", "swarm.ReplicatedJob", &job);
    bool has_global_job =
        json_at_object(&m, "GlobalJob", "GlobalJob", "swarm.GlobalJob", &global_job);
    if (has_replicated + has_global + has_job + has_global_job > 1)
        return err_set(e, -EINVAL, "must specify only one service mode");
    if (has_global) {
        s->mode_case = PB__SERVICE_SPEC__MODE_GLOBAL;
        s->global = PB_NEW(GlobalService, global_service);
    } else if (has_job) {
        uint64_t concurrent = json_at_uint(&job, "MaxConcurrent", INT64_MAX, "uint64", &present);
        concurrent = present ? concurrent : 1;
        uint64_t total = json_at_uint(&job, "TotalCompletions", INT64_MAX, "uint64", &present);
        s->mode_case = PB__SERVICE_SPEC__MODE_REPLICATED_JOB;
        s->replicated_job = PB_NEW(ReplicatedJob, replicated_job);
        s->replicated_job->max_concurrent = concurrent;
        s->replicated_job->total_completions = present ? total : concurrent;
    } else if (has_global_job) {
        s->mode_case = PB__SERVICE_SPEC__MODE_GLOBAL_JOB;
        s->global_job = PB_NEW(GlobalJob, global_job);
    } else {
        uint64_t replicas = json_at_uint(&replicated, "Replicas", INT64_MAX, "uint64", &present);
        set_replicated(s, present ? replicas : 1);
    }
    return 0;
}

int decode_service_spec(const json_t *body, Pb__ServiceSpec **ret, struct err *e)
{
    struct json_in in = {.failed = false};
    struct json_at at = json_at_root(&in, body, "swarm.ServiceSpec"), task;
    Pb__ServiceSpec *s = PB_NEW(ServiceSpec, service_spec);
    s->annotations = decode_annotations(&at);
    json_at_object(&at, "TaskTemplate", "TaskSpec", "swarm.TaskSpec", &task);
    int r = decode_task_spec(&task, &s->task, e);
    if (r == 0)
        r = decode_update(&at, "UpdateConfig", &s->update, e);
    if (r == 0)
        r = decode_update(&at, "RollbackConfig", &s->rollback, e);
    if (r == 0)
        r = decode_endpoint(&at, s, e);
    if (r == 0)
        r = decode_mode(&at, s, e);
    if (in.failed) /* the decoder speaks before anything looks at words */
        r = err_set(e, -EINVAL, "%s", err_text(&in.e));
    if (r < 0)
        pb_free(s);
    else
        *ret = s;
    return r;
}
