/* unit/control/test_validate.c - what a service's and a cluster's spec must be: each rule with its
 * words. */
#include <math.h>
#include <stdlib.h>

#include "base/clock.h"
#include "control/invent_name.h"
#include "control/validate_cluster.h"
#include "control/validate_service.h"
#include "lib/check.h"
#include "model/name.h"
#include "model/pb.h"
#include "model/service.h"
#include "unit/control/control_fixture.h"

/* Each row spoils a good spec in one way. */
static Pb__ContainerSpec *ctr(Pb__ServiceSpec *s)
{
    return s->task->container;
}
static void no_name(Pb__ServiceSpec *s)
{
    pb_str(&s->annotations->name, "");
}
static void dotted_name(Pb__ServiceSpec *s)
{
    pb_str(&s->annotations->name, "a.b");
}
static void long_name(Pb__ServiceSpec *s)
{
    char n[65];
    memset(n, 'a', 64);
    n[64] = 0;
    pb_str(&s->annotations->name, n);
}
static void no_image(Pb__ServiceSpec *s)
{
    pb_str(&ctr(s)->image, "");
}
static void bad_image(Pb__ServiceSpec *s)
{
    pb_str(&ctr(s)->image, "UPPER Case");
}
static void add_mount(Pb__ServiceSpec *s, const char *target)
{
    Pb__Mount *m = PB_NEW(Mount, mount);
    pb_str(&m->target, target);
    PB_PUSH(ctr(s)->n_mounts, ctr(s)->mounts, m);
}
static void same_mounts(Pb__ServiceSpec *s)
{
    add_mount(s, "/x");
    add_mount(s, "/y");
    add_mount(s, "/x");
}
static Pb__Resources *limits(Pb__ServiceSpec *s)
{
    s->task->resources = PB_NEW(ResourceRequirements, resource_requirements);
    return s->task->resources->limits = PB_NEW(Resources, resources);
}
static void small_cpu(Pb__ServiceSpec *s)
{
    limits(s)->nano_cpus = 100000;
}
static void tiny_cpu(Pb__ServiceSpec *s)
{
    limits(s)->nano_cpus = 1;
}
static void small_memory(Pb__ServiceSpec *s)
{
    limits(s)->memory_bytes = 1024;
}
static void small_reservation(Pb__ServiceSpec *s)
{
    s->task->resources = PB_NEW(ResourceRequirements, resource_requirements);
    s->task->resources->reservations = PB_NEW(Resources, resources);
    s->task->resources->reservations->memory_bytes = 1;
}
static void restart_delay(Pb__ServiceSpec *s)
{
    s->task->restart = PB_NEW(RestartPolicy, restart_policy);
    pb_set_duration(&s->task->restart->delay, -1);
}
static void restart_window(Pb__ServiceSpec *s)
{
    s->task->restart = PB_NEW(RestartPolicy, restart_policy);
    pb_set_duration(&s->task->restart->window, -NS_PER_SEC);
}
static void constraint(Pb__ServiceSpec *s)
{
    s->task->placement = PB_NEW(Placement, placement);
    PB_PUSH(s->task->placement->n_constraints, s->task->placement->constraints,
            mem_str("node.role manager"));
}
static Pb__UpdateConfig *update(Pb__ServiceSpec *s)
{
    return s->update = PB_NEW(UpdateConfig, update_config);
}
static void update_delay(Pb__ServiceSpec *s)
{
    pb_set_duration(&update(s)->delay, -1);
}
static void update_monitor(Pb__ServiceSpec *s)
{
    pb_set_duration(&update(s)->monitor, -1);
}
static void update_ratio(Pb__ServiceSpec *s)
{
    update(s)->max_failure_ratio = 1.5F;
}
static void update_nan(Pb__ServiceSpec *s)
{
    update(s)->max_failure_ratio = NAN;
}
static void rollback_delay(Pb__ServiceSpec *s)
{
    s->rollback = PB_NEW(UpdateConfig, update_config);
    pb_set_duration(&s->rollback->delay, -1);
}
static Pb__HealthConfig *health(Pb__ServiceSpec *s)
{
    return ctr(s)->healthcheck = PB_NEW(HealthConfig, health_config);
}
static void health_interval(Pb__ServiceSpec *s)
{
    pb_set_duration(&health(s)->interval, 999999);
}
static void health_timeout(Pb__ServiceSpec *s)
{
    pb_set_duration(&health(s)->timeout, -1);
}
static void health_retries(Pb__ServiceSpec *s)
{
    health(s)->retries = -1;
}
static void dnsrr(Pb__ServiceSpec *s)
{
    ctl_spec_port(s, 80, 80, 0);
    s->endpoint->mode = PB__ENDPOINT_SPEC__RESOLUTION_MODE__RESOLUTION_MODE_DNSRR;
}
static void same_ports(Pb__ServiceSpec *s)
{
    ctl_spec_port(s, 80, 80, 0);
    ctl_spec_port(s, 81, 80, 0);
}
static void huge_port(Pb__ServiceSpec *s)
{
    ctl_spec_port(s, 80, 65536, 0);
}
static void job_with_update(Pb__ServiceSpec *s)
{
    pb_free(s->replicated);
    s->mode_case = PB__SERVICE_SPEC__MODE_GLOBAL_JOB;
    s->global_job = PB_NEW(GlobalJob, global_job);
    update(s);
}
static void job(Pb__ServiceSpec *s)
{
    pb_free(s->replicated);
    s->mode_case = PB__SERVICE_SPEC__MODE_GLOBAL_JOB;
    s->global_job = PB_NEW(GlobalJob, global_job);
}
static void negative_replicas(Pb__ServiceSpec *s)
{
    s->replicated->replicas = (uint64_t)-1;
}
static void many_replicas(Pb__ServiceSpec *s)
{
    s->replicated->replicas = SERVICE_REPLICAS_MAX + 1;
}
static void no_runtime(Pb__ServiceSpec *s)
{
    pb_free(s->task->container);
    s->task->container = NULL;
    s->task->runtime_case = PB__TASK_SPEC__RUNTIME__NOT_SET;
}
static void attachment(Pb__ServiceSpec *s)
{
    pb_free(s->task->container);
    s->task->runtime_case = PB__TASK_SPEC__RUNTIME_ATTACHMENT;
    s->task->attachment = PB_NEW(NetworkAttachmentSpec, network_attachment_spec);
}
static void ref_no_id(Pb__ServiceSpec *s)
{
    ctl_spec_secret(s, "", "n", "t");
}
static void ref_no_name(Pb__ServiceSpec *s)
{
    ctl_spec_secret(s, "i", "", "t");
}
static void ref_no_target(Pb__ServiceSpec *s)
{
    ctl_spec_secret(s, "i", "n", NULL);
}
static void ref_empty_target(Pb__ServiceSpec *s)
{
    ctl_spec_secret(s, "i", "n", "");
}
static void ref_clash(Pb__ServiceSpec *s)
{
    ctl_spec_secret(s, "i", "a", "t");
    ctl_spec_secret(s, "k", "x", "./t"); /* compared byte for byte */
    ctl_spec_secret(s, "j", "b", "t");
}
static void config_no_target(Pb__ServiceSpec *s)
{
    Pb__ConfigReference *r = PB_NEW(ConfigReference, config_reference);
    pb_str(&r->config_id, "i");
    pb_str(&r->config_name, "n");
    PB_PUSH(ctr(s)->n_configs, ctr(s)->configs, r);
}
static void fine(Pb__ServiceSpec *s)
{
    limits(s)->nano_cpus = 1000000;
    s->task->resources->limits->memory_bytes = 4 << 20;
    add_mount(s, "/x");
    add_mount(s, "/x/y");
    pb_set_duration(&health(s)->interval, 1000000);
    ctl_spec_secret(s, "i", "a", "t");
    ctl_spec_secret(s, "i", "a", "u");
    ctl_spec_port(s, 80, 0, 0);
    ctl_spec_port(s, 80, 0, 0);
    update(s)->max_failure_ratio = 1;
    s->task->placement = PB_NEW(Placement, placement);
    PB_PUSH(s->task->placement->n_constraints, s->task->placement->constraints,
            mem_str("node.role == manager"));
}

static void every_bad_spec_is_refused_in_the_engines_words(void)
{
    static const struct {
        void (*spoil)(Pb__ServiceSpec *);
        int code;
        const char *text;
    } t[] = {
        {fine, RPC_OK, NULL},
        {no_name, 3, "meta: name must be provided"},
        {dotted_name, 3, "name must be valid as a DNS name component"},
        {long_name, 3, "name must be 63 characters or fewer"},
        {no_image, 3, "ContainerSpec: image reference must be provided"},
        {bad_image, 3, "ContainerSpec: \"UPPER Case\" is not a valid repository/tag"},
        {same_mounts, 3, "ContainerSpec: duplicate mount point: /x"},
        {small_cpu, 3, "invalid cpu value 0.0001: Must be at least 0.001"},
        {tiny_cpu, 3, "invalid cpu value 1e-09: Must be at least 0.001"},
        {small_memory, 3, "invalid memory value 1024: Must be at least 4MiB"},
        {small_reservation, 3, "invalid memory value 1: Must be at least 4MiB"},
        {restart_delay, 3, "TaskSpec: restart-delay cannot be negative"},
        {restart_window, 3, "TaskSpec: restart-window cannot be negative"},
        {constraint, RPC_UNKNOWN, "constraint expected one operator from ==, !="},
        {update_delay, 3, "TaskSpec: update-delay cannot be negative"},
        {update_monitor, 3, "TaskSpec: update-monitor cannot be negative"},
        {update_ratio, 3,
         "TaskSpec: update-maxfailureratio cannot be less than 0 or bigger than 1"},
        {update_nan, 3, "TaskSpec: update-maxfailureratio cannot be less than 0 or bigger than 1"},
        {rollback_delay, 3, "TaskSpec: update-delay cannot be negative"},
        {health_interval, 3, "ContainerSpec: Interval in HealthConfig cannot be less than 1ms"},
        {health_timeout, 3, "ContainerSpec: Timeout in HealthConfig cannot be less than 1ms"},
        {health_retries, 3, "ContainerSpec: Retries in HealthConfig cannot be negative"},
        {dnsrr, 3, "EndpointSpec: port published with ingress mode can't be used with dnsrr mode"},
        {same_ports, 3, "EndpointSpec: duplicate published ports provided"},
        {huge_port, 3, "EndpointSpec: a port is larger than 65535"},
        {job_with_update, 3, "Jobs may not have an update config"},
        {job, RPC_UNIMPLEMENTED, "job services are not supported yet"},
        {negative_replicas, 3, "Number of replicas must be non-negative"},
        {many_replicas, 3, "Number of replicas must be at most 100000"},
        {no_runtime, 3, "TaskSpec: missing runtime"},
        {attachment, RPC_UNIMPLEMENTED, "only services of containers are supported"},
        {ref_no_id, 3, "malformed secret reference"},
        {ref_no_name, 3, "malformed secret reference"},
        {ref_no_target, 3, "malformed secret reference, no target provided"},
        {ref_empty_target, 3, "malformed file secret reference, invalid target file name provided"},
        {ref_clash, 3, "secret references 'a' and 'b' have a conflicting target: 't'"},
        {config_no_target, 3, "malformed config reference, no target provided"},
    };
    for (size_t i = 0; i < sizeof(t) / sizeof(*t); i++) {
        struct rpc_status why = {0};
        Pb__ServiceSpec *s = ctl_spec("web");
        t[i].spoil(s);
        EXPECT_INT(validate_service_spec(s, &why), t[i].code);
        if (t[i].text)
            EXPECT_STR(why.message, t[i].text);
        pb_free(s);
    }
}

static void an_empty_spec_is_refused_not_followed(void)
{
    struct rpc_status why = {0};
    Pb__ServiceSpec s = PB__SERVICE_SPEC__INIT;
    Pb__Annotations a = PB__ANNOTATIONS__INIT;
    char name[] = "web";
    EXPECT_INT(validate_service_spec(NULL, &why), RPC_INVALID_ARGUMENT);
    EXPECT_INT(validate_service_spec(&s, &why), RPC_INVALID_ARGUMENT);
    a.name = name;
    s.annotations = &a;
    EXPECT_INT(validate_service_spec(&s, &why), RPC_INVALID_ARGUMENT);
    EXPECT_STR(why.message, "TaskSpec: missing runtime");
}

static enum rpc_code cluster(const char *name, int64_t expiry, int64_t heartbeat, uint64_t rotate,
                             struct rpc_status *why)
{
    Pb__ClusterSpec *s = PB_NEW(ClusterSpec, cluster_spec);
    s->annotations = PB_NEW(Annotations, annotations);
    pb_str(&s->annotations->name, name);
    s->ca_config = PB_NEW(CAConfig, caconfig);
    if (expiry)
        pb_set_duration(&s->ca_config->node_cert_expiry, expiry);
    s->ca_config->force_rotate = rotate;
    s->dispatcher = PB_NEW(DispatcherConfig, dispatcher_config);
    pb_set_duration(&s->dispatcher->heartbeat_period, heartbeat);
    enum rpc_code code = validate_cluster_spec(s, NULL, why);
    pb_free(s);
    return code;
}

static void a_clusters_settings_have_their_rules(void)
{
    struct rpc_status why = {0};
    EXPECT_INT(cluster("default", 3600 * NS_PER_SEC, NS_PER_SEC, 0, &why), RPC_OK);
    EXPECT_INT(cluster("default", 0, NS_PER_SEC, 0, &why), RPC_OK);
    EXPECT_INT(cluster("default", 60 * NS_PER_SEC, NS_PER_SEC, 0, &why), RPC_INVALID_ARGUMENT);
    EXPECT_STR(why.message, "minimum certificate expiry time is: 1h0m0s");
    EXPECT_INT(cluster("default", 0, -1, 0, &why), RPC_INVALID_ARGUMENT);
    EXPECT_STR(why.message, "heartbeat time period cannot be a negative duration");
    EXPECT_INT(cluster("mine", 0, 0, 0, &why), RPC_INVALID_ARGUMENT);
    EXPECT_STR(why.message, "swarm spec must be named \"default\"");
    EXPECT_INT(cluster("default", 0, 0, 1, &why), RPC_UNIMPLEMENTED);
    EXPECT_INT(validate_cluster_spec(NULL, NULL, &why), RPC_INVALID_ARGUMENT);
}

static void invented_names_are_names_and_differ(void)
{
    char a[INVENTED_NAME_SIZE], b[INVENTED_NAME_SIZE];
    for (uint64_t i = 0; i < 40; i++) {
        invent_name(i | i << 32, (unsigned)i, a);
        EXPECT(name_check_service(a) == NULL);
    }
    invent_name(7, 0, a);
    invent_name(7, 1, b);
    EXPECT(strncmp(a, b, strlen(a)) == 0 && strcmp(b + strlen(a), "0") == 0);
    invent_name(8, 0, b);
    EXPECT(strcmp(a, b) != 0);
}

int main(void)
{
    TEST(every_bad_spec_is_refused_in_the_engines_words);
    TEST(an_empty_spec_is_refused_not_followed);
    TEST(a_clusters_settings_have_their_rules);
    TEST(invented_names_are_names_and_differ);
    return check_done();
}
