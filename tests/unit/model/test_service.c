/* unit/model/test_service.c - defaults, the moves of a service, which tasks are out of date; and
 * the small tools under them. */
#include "model/service.h"

#include <limits.h>

#include "lib/check.h"
#include "model/idmap.h"
#include "model/pb.h"
#include "model/task.h"

static Pb__ServiceSpec *spec(const char *image)
{
    Pb__ServiceSpec *s = PB_NEW(ServiceSpec, service_spec);
    s->task = PB_NEW(TaskSpec, task_spec);
    s->task->runtime_case = PB__TASK_SPEC__RUNTIME_CONTAINER;
    s->task->container = PB_NEW(ContainerSpec, container_spec);
    pb_str(&s->task->container->image, image);
    return s;
}

static Pb__Service *service(const char *image)
{
    Pb__Service *s = PB_NEW(Service, service);
    s->spec = spec(image);
    s->meta = PB_NEW(Meta, meta);
    pb_set_version(&s->meta->version, 10);
    service_born(s);
    return s;
}

static Pb__Task *task_of(const Pb__Service *s)
{
    Pb__Task *t = PB_NEW(Task, task);
    t->spec = pb_dup(s->spec->task);
    t->endpoint = PB_NEW(Endpoint, endpoint);
    t->endpoint->spec = pb_dup(s->spec->endpoint);
    pb_set_version(&t->spec_version, pb_version(s->spec_version));
    task_set_status(t, TASK_RUNNING, 1, NULL, NULL);
    return t;
}

static void a_silent_spec_means_the_defaults(void)
{
    Pb__ServiceSpec *s = PB_NEW(ServiceSpec, service_spec);
    EXPECT_INT(service_spec_mode(s), SERVICE_REPLICATED);
    EXPECT_INT(service_spec_replicas(s), 1);
    struct restart_rules r = restart_rules(NULL);
    EXPECT_INT(r.condition, PB__RESTART_POLICY__RESTART_CONDITION__RESTART_CONDITION_ANY);
    EXPECT_INT(r.delay_ns, 5000000000);
    EXPECT_INT(r.max_attempts, 0);
    struct update_rules u = update_rules(NULL);
    EXPECT_INT(u.parallelism, 1);
    EXPECT_INT(u.monitor_ns, 5000000000);
    service_spec_insert_defaults(s);
    EXPECT_INT(s->replicated->replicas, 1);
    EXPECT_INT(s->update->parallelism, 1);
    EXPECT_INT(pb_duration_ns(s->rollback->monitor, 0), 5000000000);
    EXPECT_INT(pb_duration_ns(s->task->restart->delay, 0), 5000000000);
    pb_free(s);
}

static void spans_of_strangers_are_held_within_what_a_clock_can_add(void)
{
    Pb__TaskSpec *t = PB_NEW(TaskSpec, task_spec);
    t->restart = PB_NEW(RestartPolicy, restart_policy);
    pb_set_duration(&t->restart->delay, INT64_MAX);
    pb_set_duration(&t->restart->window, -1);
    struct restart_rules r = restart_rules(t);
    EXPECT(r.delay_ns > 0 && r.delay_ns < INT64_MAX - 2000000000000000000);
    EXPECT_INT(r.window_ns, 0);
    pb_free(t);
    Pb__Cluster *c = PB_NEW(Cluster, cluster);
    EXPECT_INT(service_heartbeat_ns(c), DEFAULT_HEARTBEAT_NS);
    c->spec = PB_NEW(ClusterSpec, cluster_spec);
    c->spec->dispatcher = PB_NEW(DispatcherConfig, dispatcher_config);
    pb_set_duration(&c->spec->dispatcher->heartbeat_period, INT64_MAX);
    EXPECT_INT(service_heartbeat_ns(c), HEARTBEAT_MAX_NS);
    pb_set_duration(&c->spec->dispatcher->heartbeat_period, 0);
    EXPECT_INT(service_heartbeat_ns(c), DEFAULT_HEARTBEAT_NS);
    pb_free(c);
}

static void an_update_keeps_the_old_spec_and_a_rollback_exchanges_them(void)
{
    Pb__Service *s = service("v1");
    EXPECT(!service_can_roll_back(s));
    service_change(s, spec("v2"));
    EXPECT_STR(s->spec->task->container->image, "v2");
    EXPECT_STR(s->previous_spec->task->container->image, "v1");
    EXPECT_INT(pb_version(s->spec_version), 10);
    EXPECT_INT(pb_version(s->previous_spec_version), 0);
    EXPECT_INT(service_update_state(s), UPDATE_NONE);
    service_roll_back(s, 99, SERVICE_ROLLBACK_MANUAL);
    EXPECT_STR(s->spec->task->container->image, "v1");
    EXPECT_STR(s->previous_spec->task->container->image, "v2");
    EXPECT_INT(pb_version(s->spec_version), 0);
    EXPECT_INT(pb_version(s->previous_spec_version), 10);
    EXPECT_STR(update_state_name(service_update_state(s)), "rollback_started");
    EXPECT_INT(pb_time_ns(s->update_status->started_at), 99);
    service_change(s, spec("v3"));
    EXPECT(s->update_status == NULL);
    pb_free(s);
}

static void a_task_is_dirty_when_its_template_or_endpoint_differs(void)
{
    Pb__Service *s = service("v1");
    Pb__Task *t = task_of(s);
    EXPECT(!service_task_is_dirty(s, t, NULL));
    service_change(s, spec("v1"));
    EXPECT(!service_task_is_dirty(s, t, NULL)); /* another version, the same template */
    s->spec->endpoint = PB_NEW(EndpointSpec, endpoint_spec);
    EXPECT(!service_task_is_dirty(s, t, NULL)); /* nothing said and nothing asked for */
    Pb__PortConfig *p = PB_NEW(PortConfig, port_config);
    p->target_port = 80;
    PB_PUSH(s->spec->endpoint->n_ports, s->spec->endpoint->ports, p);
    EXPECT(service_task_is_dirty(s, t, NULL));
    service_change(s, spec("v1"));
    s->spec->task->force_update = 1;
    EXPECT(service_task_is_dirty(s, t, NULL));
    t->spec_version->index = s->spec_version->index;
    EXPECT(!service_task_is_dirty(s, t, NULL)); /* the versions decide first */
    pb_free(t);
    pb_free(s);
}

static void other_constraints_alone_leave_a_task_whose_node_satisfies_them(void)
{
    Pb__Service *s = service("v1");
    Pb__Task *t = task_of(s);
    Pb__Node *n = PB_NEW(Node, node);
    pb_str(&n->id, "n1");
    service_change(s, spec("v1"));
    s->spec->task->placement = PB_NEW(Placement, placement);
    PB_PUSH(s->spec->task->placement->n_constraints, s->spec->task->placement->constraints,
            mem_str("node.id==n1"));
    EXPECT_INT(service_task_difference(s, t), TASK_OTHER_CONSTRAINTS);
    EXPECT(!service_task_is_dirty(s, t, n));
    EXPECT(service_task_is_dirty(s, t, NULL));
    pb_str(&n->id, "n2");
    EXPECT(service_task_is_dirty(s, t, n));
    s->spec->task->placement->max_replicas = 2; /* more than constraints */
    pb_str(&n->id, "n1");
    EXPECT(service_task_is_dirty(s, t, n));
    pb_free(n);
    pb_free(t);
    pb_free(s);
}

static void other_registry_credentials_leave_a_task_that_has_its_image(void)
{
    Pb__Service *s = service("v1");
    Pb__Task *t = task_of(s);
    service_change(s, spec("v1"));
    s->spec->task->container->pull_options =
        PB_NEW(ContainerSpec__PullOptions, container_spec__pull_options);
    pb_str(&s->spec->task->container->pull_options->registry_auth, "x");
    EXPECT(!service_task_is_dirty(s, t, NULL));
    task_set_status(t, TASK_PREPARING, 1, NULL, NULL);
    EXPECT(service_task_is_dirty(s, t, NULL));
    pb_free(t);
    pb_free(s);
}

static void times_and_durations_survive_the_way_there_and_back(void)
{
    static const int64_t values[] = {1, 999999999, 1700000000123456789, -1, -1500000000};
    Google__Protobuf__Timestamp *t = NULL;
    Google__Protobuf__Duration *d = NULL;
    for (size_t i = 0; i < sizeof values / sizeof *values; i++) {
        pb_set_time(&t, values[i]);
        EXPECT_INT(pb_time_ns(t), values[i]);
        EXPECT(t->nanos >= 0);
        pb_set_duration(&d, values[i]);
        EXPECT_INT(pb_duration_ns(d, 7), values[i]);
    }
    d->seconds = INT64_MAX;
    EXPECT(pb_duration_ns(d, 0) == INT64_MAX);
    d->seconds = INT64_MIN;
    EXPECT(pb_duration_ns(d, 0) == INT64_MIN);
    pb_set_time(&t, 0);
    EXPECT(t == NULL);
    EXPECT_INT(pb_duration_ns(NULL, 7), 7);
    pb_free(d);
}

static void the_id_table_keeps_everything_through_growth_and_deletion(void)
{
    struct idmap m = {0};
    char key[16];
    for (int i = 0; i < 3000; i++) {
        snprintf(key, sizeof key, "k%d", i);
        idmap_put(&m, key)->n = i;
    }
    for (int i = 0; i < 3000; i += 3) {
        snprintf(key, sizeof key, "k%d", i);
        EXPECT(idmap_del(&m, key));
        EXPECT(!idmap_del(&m, key));
    }
    EXPECT_INT(m.count, 2000);
    for (int i = 0; i < 3000; i++) {
        snprintf(key, sizeof key, "k%d", i);
        struct idmap_entry *e = idmap_get(&m, key);
        EXPECT((e != NULL) == (i % 3 != 0));
        if (e)
            EXPECT_INT(e->n, i);
    }
    idmap_clear(&m);
    EXPECT(idmap_get(&m, "k1") == NULL);
}

int main(void)
{
    TEST(a_silent_spec_means_the_defaults);
    TEST(spans_of_strangers_are_held_within_what_a_clock_can_add);
    TEST(an_update_keeps_the_old_spec_and_a_rollback_exchanges_them);
    TEST(a_task_is_dirty_when_its_template_or_endpoint_differs);
    TEST(other_constraints_alone_leave_a_task_whose_node_satisfies_them);
    TEST(other_registry_credentials_leave_a_task_that_has_its_image);
    TEST(times_and_durations_survive_the_way_there_and_back);
    TEST(the_id_table_keeps_everything_through_growth_and_deletion);
    return check_done();
}
