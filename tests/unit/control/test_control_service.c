/* unit/control/test_control_service.c - services at the manager: create, update, roll back, ports,
 * lists, counts. */
#include "unit/control/control_fixture.h"

#include "model/service.h"

static struct ctl c;

static void a_service_is_born_with_its_endpoint_and_version(void)
{
    char id[ID_SIZE] = "";
    ctl_open(&c, NULL);
    EXPECT_INT(ctl_service(&c, ctl_spec("redis"), id), RPC_OK);
    const Pb__Service *s = ctl_get_service(&c, id);
    REQUIRE(s && s->meta && s->meta->version);
    EXPECT_STR(s->spec->annotations->name, "redis");
    EXPECT(s->spec_version && s->spec_version->index == 0);
    EXPECT(!s->previous_spec && !s->update_status);
    EXPECT_INT(ctl_service(&c, ctl_spec("Redis"), NULL), RPC_ALREADY_EXISTS);
    EXPECT_STR(c.st.message,
               "name conflicts with an existing object: service Redis already exists");
    ctl_close(&c);
}

static void a_service_without_a_name_gets_one(void)
{
    char id[ID_SIZE] = "", other[ID_SIZE] = "";
    ctl_open(&c, NULL);
    EXPECT_INT(ctl_service(&c, ctl_spec(""), id), RPC_OK);
    EXPECT_INT(ctl_service(&c, ctl_spec(""), other), RPC_OK);
    const Pb__Service *s = ctl_get_service(&c, id), *t = ctl_get_service(&c, other);
    REQUIRE(s && t);
    EXPECT(strchr(s->spec->annotations->name, '_') != NULL);
    EXPECT(strcmp(s->spec->annotations->name, t->spec->annotations->name) != 0);
    ctl_close(&c);
}

static void references_must_name_what_is_there(void)
{
    char id[ID_SIZE] = "";
    ctl_open(&c, NULL);
    EXPECT_INT(ctl_secret(&c, "db", 3, id), RPC_OK);
    Pb__ServiceSpec *s = ctl_spec("a");
    ctl_spec_secret(s, "nope", "ghost", "t");
    EXPECT_INT(ctl_service(&c, s, NULL), RPC_INVALID_ARGUMENT);
    EXPECT_STR(c.st.message, "secret not found: ghost");
    s = ctl_spec("a");
    ctl_spec_secret(s, id, "DB", "t"); /* another name than the object has */
    ctl_spec_secret(s, "nope", "ghost", "u");
    EXPECT_INT(ctl_service(&c, s, NULL), RPC_INVALID_ARGUMENT);
    EXPECT_STR(c.st.message, "secrets not found: DB, ghost");
    s = ctl_spec("a");
    ctl_spec_secret(s, id, "db", "t");
    EXPECT_INT(ctl_service(&c, s, NULL), RPC_OK);
    s = ctl_spec("b");
    Pb__ConfigReference *r = PB_NEW(ConfigReference, config_reference);
    pb_str(&r->config_id, "x");
    pb_str(&r->config_name, "cfg");
    r->target_case = PB__CONFIG_REFERENCE__TARGET_RUNTIME;
    r->runtime = PB_NEW(RuntimeTarget, runtime_target);
    PB_PUSH(s->task->container->n_configs, s->task->container->configs, r);
    EXPECT_INT(ctl_service(&c, s, NULL), RPC_INVALID_ARGUMENT);
    EXPECT_STR(c.st.message, "config not found: cfg");
    ctl_close(&c);
}

static Pb__ServiceSpec *with_image(const char *image)
{
    Pb__ServiceSpec *s = ctl_spec("web");
    pb_str(&s->task->container->image, image);
    return s;
}

static void an_update_keeps_what_was_and_a_rollback_swaps(void)
{
    char id[ID_SIZE] = "";
    ctl_open(&c, NULL);
    EXPECT_INT(ctl_service(&c, with_image("a:1"), id), RPC_OK);
    EXPECT_INT(ctl_update(&c, id, with_image("a:1"), 0, true), RPC_FAILED_PRECONDITION);
    char want[128];
    snprintf(want, sizeof(want), "service %s does not have a previous spec", id);
    EXPECT_STR(c.st.message, want);
    uint64_t born = ctl_get_service(&c, id)->meta->version->index;
    EXPECT_INT(ctl_update(&c, id, with_image("a:2"), 0, false), RPC_OK);
    const Pb__Service *s = ctl_get_service(&c, id);
    EXPECT_STR(s->spec->task->container->image, "a:2");
    EXPECT_STR(s->previous_spec->task->container->image, "a:1");
    EXPECT_INT(s->spec_version->index, born);
    EXPECT(!s->update_status);
    EXPECT_INT(ctl_update(&c, id, with_image("ignored:1"), 0, true), RPC_OK);
    s = ctl_get_service(&c, id);
    EXPECT_STR(s->spec->task->container->image, "a:1");
    EXPECT_STR(s->previous_spec->task->container->image, "a:2");
    EXPECT_INT(service_update_state(s), UPDATE_ROLLBACK_STARTED);
    EXPECT_STR(s->update_status->message, "manually requested rollback");
    EXPECT_INT(pb_time_ns(s->update_status->started_at), c.fx.now);
    EXPECT_INT(ctl_update(&c, id, with_image("x:1"), 0, true), RPC_OK); /* forward again */
    EXPECT_STR(ctl_get_service(&c, id)->spec->task->container->image, "a:2");
    ctl_close(&c);
}

static void updates_that_may_not_be_are_refused(void)
{
    char id[ID_SIZE] = "";
    ctl_open(&c, NULL);
    EXPECT_INT(ctl_service(&c, ctl_spec("web"), id), RPC_OK);
    EXPECT_INT(ctl_update(&c, id, ctl_spec("other"), 0, false), RPC_UNIMPLEMENTED);
    EXPECT_STR(c.st.message, "renaming services is not supported");
    Pb__ServiceSpec *s = ctl_spec("web");
    pb_free(s->replicated);
    s->mode_case = PB__SERVICE_SPEC__MODE_GLOBAL;
    s->global = PB_NEW(GlobalService, global_service);
    EXPECT_INT(ctl_update(&c, id, s, 0, false), RPC_UNIMPLEMENTED);
    EXPECT_STR(c.st.message, "service mode change is not allowed");
    EXPECT_INT(ctl_update(&c, id, ctl_spec("web"), 99, false), RPC_UNKNOWN);
    EXPECT_STR(c.st.message, "update out of sequence");
    EXPECT_INT(ctl_update(&c, "nope", ctl_spec("web"), 1, false), RPC_NOT_FOUND);
    EXPECT_STR(c.st.message, "service nope not found");
    EXPECT_INT(ctl_update(&c, "", ctl_spec("web"), 1, false), RPC_INVALID_ARGUMENT);
    EXPECT_INT(ctl_update(&c, id, NULL, 1, false), RPC_INVALID_ARGUMENT);
    EXPECT_INT(ctl_update(&c, id, with_image("-"), 0, false), RPC_INVALID_ARGUMENT);
    EXPECT_STR(ctl_get_service(&c, id)->spec->task->container->image, "redis:alpine");
    ctl_close(&c);
}

static Pb__ServiceSpec *published(const char *name, uint32_t port, int mode)
{
    Pb__ServiceSpec *s = ctl_spec(name);
    ctl_spec_port(s, 80, port, mode);
    return s;
}

static uint32_t port_of(const char *id)
{
    const Pb__Service *s = ctl_get_service(&c, id);
    return s && s->endpoint && s->endpoint->n_ports ? s->endpoint->ports[0]->published_port : 1;
}

static void ports_are_given_once_and_kept(void)
{
    enum { INGRESS = 0, HOST = 1 };
    char a[ID_SIZE] = "", b[ID_SIZE] = "", want[256];
    ctl_open(&c, NULL);
    EXPECT_INT(ctl_service(&c, published("web", 80, INGRESS), a), RPC_FAILED_PRECONDITION);
    EXPECT_STR(c.st.message, "service needs ingress network, but no ingress network is present");
    ctl_put(&c, STORE_NETWORK, control_ingress_network());
    EXPECT_INT(ctl_service(&c, published("web", 80, INGRESS), a), RPC_OK);
    EXPECT_INT(port_of(a), 80);
    EXPECT_INT(ctl_service(&c, published("x", 80, INGRESS), NULL), RPC_INVALID_ARGUMENT);
    snprintf(want, sizeof(want),
             "port '80' is already in use by service 'web' (%s) as an ingress port", a);
    EXPECT_STR(c.st.message, want);
    EXPECT_INT(ctl_service(&c, published("x", 80, HOST), NULL), RPC_INVALID_ARGUMENT);
    EXPECT_STR(c.st.message, want);
    EXPECT_INT(ctl_service(&c, published("h1", 90, HOST), b), RPC_OK);
    EXPECT_INT(ctl_service(&c, published("h2", 90, HOST), NULL), RPC_OK); /* on other nodes */
    EXPECT_INT(ctl_service(&c, published("x", 90, INGRESS), NULL), RPC_INVALID_ARGUMENT);
    EXPECT(strstr(c.st.message, "as a host-published port") != NULL);
    EXPECT_INT(ctl_service(&c, published("d1", 0, INGRESS), a), RPC_OK);
    EXPECT_INT(ctl_service(&c, published("d2", 0, INGRESS), b), RPC_OK);
    EXPECT_INT(port_of(a), 30000);
    EXPECT_INT(port_of(b), 30001);
    EXPECT_INT(ctl_service(&c, published("x", 30001, INGRESS), NULL), RPC_INVALID_ARGUMENT);
    EXPECT_INT(ctl_update(&c, b, published("d2", 0, INGRESS), 0, false), RPC_OK);
    EXPECT_INT(port_of(b), 30001); /* an update does not move it */
    EXPECT_INT(ctl_service(&c, published("h3", 0, HOST), a), RPC_OK);
    EXPECT_INT(port_of(a), 0); /* the node chooses */
    ctl_close(&c);
}

static void attach(Pb__ServiceSpec *s, const char *id)
{
    Pb__NetworkAttachmentConfig *n = PB_NEW(NetworkAttachmentConfig, network_attachment_config);
    pb_str(&n->target, id);
    PB_PUSH(s->task->n_networks, s->task->networks, n);
}

static void networks_must_be_there_and_not_be_the_ingress(void)
{
    Pb__CreateNetworkRequest rq = PB__CREATE_NETWORK_REQUEST__INIT;
    Pb__RemoveNetworkRequest rm = PB__REMOVE_NETWORK_REQUEST__INIT;
    char ingress_id[ID_SIZE], id[ID_SIZE] = "";
    ctl_open(&c, NULL);
    Pb__Network *ingress = control_ingress_network();
    snprintf(ingress_id, sizeof(ingress_id), "%s", ingress->id);
    ctl_put(&c, STORE_NETWORK, ingress);
    Pb__ServiceSpec *s = ctl_spec("web");
    attach(s, ingress_id);
    EXPECT_INT(ctl_service(&c, s, NULL), RPC_INVALID_ARGUMENT);
    EXPECT_STR(c.st.message,
               "Service cannot be explicitly attached to the ingress network \"ingress\"");
    s = ctl_spec("web");
    attach(s, "ghost");
    EXPECT_INT(ctl_service(&c, s, NULL), RPC_NOT_FOUND);
    EXPECT_STR(c.st.message, "network ghost not found");
    rq.spec = PB_NEW(NetworkSpec, network_spec);
    rq.spec->annotations = PB_NEW(Annotations, annotations);
    pb_str(&rq.spec->annotations->name, "app_default");
    EXPECT_INT(CTL_CALL(&c, create_network, &rq), RPC_OK);
    snprintf(id, sizeof(id), "%s", ((Pb__CreateNetworkResponse *)c.response)->network->id);
    EXPECT_INT(CTL_CALL(&c, create_network, &rq), RPC_ALREADY_EXISTS);
    pb_label_set(rq.spec->annotations, "com.docker.swarm.predefined", "1");
    EXPECT_INT(CTL_CALL(&c, create_network, &rq), RPC_PERMISSION_DENIED);
    pb_free(rq.spec);
    s = ctl_spec("web");
    attach(s, id);
    attach(s, "host");
    EXPECT_INT(ctl_service(&c, s, NULL), RPC_OK);
    rm.network_id = id;
    EXPECT_INT(CTL_CALL(&c, remove_network, &rm), RPC_FAILED_PRECONDITION);
    EXPECT(strstr(c.st.message, "is in use by service") != NULL);
    ctl_close(&c);
}

static void defaults_are_shown_only_when_asked_for(void)
{
    char id[ID_SIZE] = "";
    Pb__GetServiceRequest rq = PB__GET_SERVICE_REQUEST__INIT;
    ctl_open(&c, NULL);
    EXPECT_INT(ctl_service(&c, ctl_spec("web"), id), RPC_OK);
    rq.service_id = id;
    EXPECT_INT(CTL_CALL(&c, get_service, &rq), RPC_OK);
    EXPECT(!((Pb__GetServiceResponse *)c.response)->service->spec->task->restart);
    rq.insert_defaults = true;
    EXPECT_INT(CTL_CALL(&c, get_service, &rq), RPC_OK);
    EXPECT(((Pb__GetServiceResponse *)c.response)->service->spec->task->restart != NULL);
    EXPECT(!ctl_get_service(&c, id)->spec->task->restart); /* the stored one is untouched */
    ctl_close(&c);
}

static void put_task(const char *service, unsigned slot, int state, int desired, uint64_t version)
{
    Pb__Task *t = PB_NEW(Task, task);
    char id[ID_SIZE];
    id_new(id);
    pb_str(&t->id, id);
    pb_str(&t->service_id, service);
    t->slot = slot;
    t->desired_state = (Pb__TaskState)desired;
    t->status = PB_NEW(TaskStatus, task_status);
    t->status->state = (Pb__TaskState)state;
    t->service_annotations = PB_NEW(Annotations, annotations);
    pb_str(&t->service_annotations->name, "web");
    pb_label_set(t->service_annotations, "tier", "front");
    const Pb__Service *s = ctl_get_service(&c, service);
    t->spec = s ? pb_dup(s->spec->task) : PB_NEW(TaskSpec, task_spec);
    if (version) {
        pb_str(&t->spec->container->image, "old:1");
        pb_set_version(&t->spec_version, version);
    }
    pb_str(&t->node_id, "node1");
    ctl_put(&c, STORE_TASK, t);
}

static size_t tasks(void (*fill)(Pb__ListTasksRequest__Filters *, const char *), const char *v)
{
    Pb__ListTasksRequest rq = PB__LIST_TASKS_REQUEST__INIT;
    Pb__ListTasksRequest__Filters f = PB__LIST_TASKS_REQUEST__FILTERS__INIT;
    rq.filters = fill ? &f : NULL;
    if (fill)
        fill(&f, v);
    EXPECT_INT(CTL_CALL(&c, list_tasks, &rq), RPC_OK);
    return c.response ? ((Pb__ListTasksResponse *)c.response)->n_tasks : 999;
}

static char *one[1];
static Pb__TaskState state_of[1];
static void by_service(Pb__ListTasksRequest__Filters *f, const char *v)
{
    one[0] = (char *)(uintptr_t)v;
    f->service_ids = one;
    f->n_service_ids = 1;
}
static void by_node(Pb__ListTasksRequest__Filters *f, const char *v)
{
    one[0] = (char *)(uintptr_t)v;
    f->node_ids = one;
    f->n_node_ids = 1;
}
static void by_name(Pb__ListTasksRequest__Filters *f, const char *v)
{
    one[0] = (char *)(uintptr_t)v;
    f->name_prefixes = one;
    f->n_name_prefixes = 1;
}
static void by_runtime(Pb__ListTasksRequest__Filters *f, const char *v)
{
    one[0] = (char *)(uintptr_t)v;
    f->runtimes = one;
    f->n_runtimes = 1;
}
static void by_desired(Pb__ListTasksRequest__Filters *f, const char *v)
{
    state_of[0] = (Pb__TaskState)task_state_parse(v);
    f->desired_states = state_of;
    f->n_desired_states = 1;
}
static void by_label(Pb__ListTasksRequest__Filters *f, const char *v)
{
    static Pb__ListTasksRequest__Filters__LabelsEntry l, *ls[] = {&l};
    pb__list_tasks_request__filters__labels_entry__init(&l);
    l.key = (char *)(uintptr_t) "tier";
    l.value = (char *)(uintptr_t)v;
    f->labels = ls;
    f->n_labels = 1;
}
static void fresh(Pb__ListTasksRequest__Filters *f, const char *v)
{
    by_service(f, v);
    f->up_to_date = true;
}

static void tasks_are_found_by_every_filter(void)
{
    char id[ID_SIZE] = "";
    ctl_open(&c, NULL);
    EXPECT_INT(ctl_service(&c, ctl_spec("web"), id), RPC_OK);
    put_task(id, 1, TASK_RUNNING, TASK_RUNNING, 0);
    put_task(id, 2, TASK_FAILED, TASK_SHUTDOWN, 7);
    put_task("gone", 1, TASK_RUNNING, TASK_RUNNING, 0);
    EXPECT_INT(tasks(NULL, NULL), 3);
    EXPECT_INT(tasks(by_service, id), 2);
    EXPECT_INT(tasks(by_service, "nope"), 0);
    EXPECT_INT(tasks(by_node, "node1"), 3);
    EXPECT_INT(tasks(by_node, "node2"), 0);
    EXPECT_INT(tasks(by_name, "web.1."), 2);
    EXPECT_INT(tasks(by_desired, "shutdown"), 1);
    EXPECT_INT(tasks(by_label, "front"), 3);
    EXPECT_INT(tasks(by_label, ""), 3);
    EXPECT_INT(tasks(by_label, "back"), 0);
    EXPECT_INT(tasks(by_runtime, "container"), 2);
    EXPECT_INT(tasks(fresh, id), 1);
    Pb__RemoveTaskRequest rm = PB__REMOVE_TASK_REQUEST__INIT;
    EXPECT_INT(CTL_CALL(&c, remove_task, &rm), RPC_INVALID_ARGUMENT);
    rm.task_id = (char *)(uintptr_t) "nope";
    EXPECT_INT(CTL_CALL(&c, remove_task, &rm), RPC_NOT_FOUND);
    EXPECT_STR(c.st.message, "task nope not found");
    ctl_close(&c);
}

static void statuses_count_running_and_wanted(void)
{
    char id[ID_SIZE] = "", *ids[] = {id, (char *)(uintptr_t) "nope"};
    Pb__ListServiceStatusesRequest rq = PB__LIST_SERVICE_STATUSES_REQUEST__INIT;
    ctl_open(&c, NULL);
    Pb__ServiceSpec *s = ctl_spec("web");
    s->replicated->replicas = 5;
    EXPECT_INT(ctl_service(&c, s, id), RPC_OK);
    put_task(id, 1, TASK_RUNNING, TASK_RUNNING, 0);
    put_task(id, 2, TASK_COMPLETE, TASK_SHUTDOWN, 0);
    rq.services = ids;
    rq.n_services = 2;
    EXPECT_INT(CTL_CALL(&c, list_service_statuses, &rq), RPC_OK);
    Pb__ListServiceStatusesResponse *r = c.response;
    REQUIRE(r && r->n_statuses == 2);
    EXPECT_INT(r->statuses[0]->desired_tasks, 5);
    EXPECT_INT(r->statuses[0]->running_tasks, 1);
    EXPECT_INT(r->statuses[0]->completed_tasks, 0);
    EXPECT_INT(r->statuses[1]->desired_tasks, 0);
    ctl_close(&c);
}

static void a_removed_service_is_gone(void)
{
    char id[ID_SIZE] = "";
    Pb__RemoveServiceRequest rm = PB__REMOVE_SERVICE_REQUEST__INIT;
    Pb__ListServicesRequest ls = PB__LIST_SERVICES_REQUEST__INIT;
    ctl_open(&c, NULL);
    EXPECT_INT(ctl_service(&c, ctl_spec("web"), id), RPC_OK);
    EXPECT_INT(CTL_CALL(&c, list_services, &ls), RPC_OK);
    EXPECT_INT(((Pb__ListServicesResponse *)c.response)->n_services, 1);
    rm.service_id = id;
    EXPECT_INT(CTL_CALL(&c, remove_service, &rm), RPC_OK);
    EXPECT_INT(CTL_CALL(&c, remove_service, &rm), RPC_NOT_FOUND);
    EXPECT_INT(CTL_CALL(&c, list_services, &ls), RPC_OK);
    EXPECT_INT(((Pb__ListServicesResponse *)c.response)->n_services, 0);
    ctl_close(&c);
}

int main(void)
{
    TEST(a_service_is_born_with_its_endpoint_and_version);
    TEST(a_service_without_a_name_gets_one);
    TEST(references_must_name_what_is_there);
    TEST(an_update_keeps_what_was_and_a_rollback_swaps);
    TEST(updates_that_may_not_be_are_refused);
    TEST(ports_are_given_once_and_kept);
    TEST(networks_must_be_there_and_not_be_the_ingress);
    TEST(defaults_are_shown_only_when_asked_for);
    TEST(tasks_are_found_by_every_filter);
    TEST(statuses_count_running_and_wanted);
    TEST(a_removed_service_is_gone);
    return check_done();
}
