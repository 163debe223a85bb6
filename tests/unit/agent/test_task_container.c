/* unit/agent/test_task_container.c - a task's spec as a container's configuration. */
#include "agent/internal.h"

#include <stdlib.h>

#include "base/str.h"
#include "lib/check.h"
#include "model/pb.h"

static Pb__Task *task_new(void)
{
    Pb__Task *t = PB_NEW(Task, task);
    pb_str(&t->id, "tzgseipbc1jdqlavikzvs1qk4");
    pb_str(&t->service_id, "ddws1hsqbr59vh70fgrfixs64");
    t->slot = 2;
    t->service_annotations = PB_NEW(Annotations, annotations);
    pb_str(&t->service_annotations->name, "redis");
    t->spec = PB_NEW(TaskSpec, task_spec);
    t->spec->runtime_case = PB__TASK_SPEC__RUNTIME_CONTAINER;
    t->spec->container = PB_NEW(ContainerSpec, container_spec);
    pb_str(&t->spec->container->image, "redis:alpine");
    return t;
}

static Pb__SecretReference *add_secret(Pb__Task *t, const char *target, const char *uid,
                                       const char *gid, uint32_t mode)
{
    Pb__ContainerSpec *s = t->spec->container;
    Pb__SecretReference *r = PB_NEW(SecretReference, secret_reference);
    pb_str(&r->secret_id, "w3yszkcy3ip08cgnfbiggq5e6");
    pb_str(&r->secret_name, "db_pwd");
    r->target_case = PB__SECRET_REFERENCE__TARGET_FILE;
    r->file = PB_NEW(FileTarget, file_target);
    pb_str(&r->file->name, target);
    pb_str(&r->file->uid, uid);
    pb_str(&r->file->gid, gid);
    r->file->mode = mode;
    PB_PUSH(s->n_secrets, s->secrets, r);
    return r;
}

static bool has(char **v, const char *s)
{
    for (; v && *v; v++)
        if (str_eq(*v, s))
            return true;
    return false;
}

static void a_container_is_named_after_service_slot_and_task(void)
{
    Pb__Task *t = task_new();
    char *name = task_container_name(t, "nodeid");
    EXPECT_STR(name, "redis.2.tzgseipbc1jdqlavikzvs1qk4");
    free(name);
    t->slot = 0;
    name = task_container_name(t, "nodeid");
    EXPECT_STR(name, "redis.nodeid.tzgseipbc1jdqlavikzvs1qk4");
    free(name);
    pb_free(t);
}

static void the_swarm_s_labels_cannot_be_forged_by_a_spec(void)
{
    Pb__Task *t = task_new();
    struct container_config *c = NULL;
    Pb__ContainerSpec__LabelsEntry *l =
        PB_NEW(ContainerSpec__LabelsEntry, container_spec__labels_entry);
    l->key = mem_str("com.docker.swarm.task.id");
    l->value = mem_str("another");
    PB_PUSH(t->spec->container->n_labels, t->spec->container->labels, l);
    struct err e = {0};
    REQUIRE(task_container_config(t, "nodeid", &c, &e) == 0);
    EXPECT(!has(c->labels, "com.docker.swarm.task.id=another"));
    EXPECT(has(c->labels, "com.docker.swarm.task.id=tzgseipbc1jdqlavikzvs1qk4"));
    EXPECT(has(c->labels, "com.docker.swarm.task="));
    EXPECT(has(c->labels, "com.docker.swarm.service.name=redis"));
    EXPECT(c->service_task);
    container_config_free(c);
    pb_free(t);
}

static void a_relative_target_lies_below_run_secrets_and_an_absolute_one_is_kept(void)
{
    Pb__Task *t = task_new();
    struct container_config *c = NULL;
    struct err e = {0};
    add_secret(t, "db_pwd", "0", "0", 0444);
    add_secret(t, "/etc/app/key", "2000", "3000", 0100400);
    REQUIRE(task_container_config(t, "nodeid", &c, &e) == 0);
    EXPECT_INT(c->nsecrets, 2);
    EXPECT_STR(c->secrets[0].target, "/run/secrets/db_pwd");
    EXPECT_STR(c->secrets[1].target, "/etc/app/key");
    EXPECT_INT(c->secrets[1].uid, 2000);
    EXPECT_INT(c->secrets[1].gid, 3000);
    EXPECT_INT(c->secrets[1].mode, 0400);
    container_config_free(c);
    pb_free(t);
}

static void an_owner_that_is_no_number_stops_the_start_and_not_the_creation(void)
{
    static const char *const bad[] = {
        "root", " 1", "1:", "4294967295", "4294967296", "-2", "99999999999999999999"};
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        Pb__Task *t = task_new();
        struct container_config *c = NULL;
        struct err e = {0};
        add_secret(t, "x", bad[i], "0", 0444);
        EXPECT(task_container_check_start(t, &e) < 0);
        EXPECT(strstr(e.text, bad[i]) != NULL);
        REQUIRE(task_container_config(t, "nodeid", &c, &e) == 0);
        EXPECT_INT(c->secrets[0].uid, 0);
        container_config_free(c);
        pb_free(t);
    }
}

static void minus_one_leaves_the_owner_root(void)
{
    Pb__Task *t = task_new();
    struct container_config *c = NULL;
    struct err e = {0};
    add_secret(t, "x", "-1", "-1", 0444);
    REQUIRE(task_container_config(t, "nodeid", &c, &e) == 0);
    EXPECT_INT(c->secrets[0].uid, 0);
    container_config_free(c);
    pb_free(t);
}

static void a_volume_mount_is_refused_by_name(void)
{
    Pb__Task *t = task_new();
    struct container_config *c = NULL;
    struct err e = {0};
    Pb__Mount *m = PB_NEW(Mount, mount);
    m->type = PB__MOUNT__TYPE__TYPE_VOLUME;
    pb_str(&m->target, "/data");
    PB_PUSH(t->spec->container->n_mounts, t->spec->container->mounts, m);
    EXPECT(task_container_config(t, "nodeid", &c, &e) < 0);
    EXPECT(strstr(e.text, "volume") != NULL);
    pb_free(t);
}

static void what_cannot_be_carried_out_yet_is_refused_by_name(void)
{
    static const char *const words[] = {"configs", "ports", "health checks", "templates"};
    for (int i = 0; i < 4; i++) {
        Pb__Task *t = task_new();
        struct container_config *c = NULL;
        struct err e = {0};
        Pb__ContainerSpec *s = t->spec->container;
        if (i == 0) {
            PB_PUSH(s->n_configs, s->configs, PB_NEW(ConfigReference, config_reference));
        } else if (i == 1) {
            t->endpoint = PB_NEW(Endpoint, endpoint);
            PB_PUSH(t->endpoint->n_ports, t->endpoint->ports, PB_NEW(PortConfig, port_config));
        } else if (i == 2) {
            s->healthcheck = PB_NEW(HealthConfig, health_config);
            PB_PUSH(s->healthcheck->n_test, s->healthcheck->test, mem_str("CMD-SHELL"));
        } else {
            PB_PUSH(s->n_env, s->env, mem_str("A={{.Task.Slot}}"));
        }
        EXPECT(task_container_config(t, "nodeid", &c, &e) < 0 && c == NULL);
        EXPECT(strstr(e.text, words[i]) != NULL);
        pb_free(t);
    }
}

int main(void)
{
    TEST(what_cannot_be_carried_out_yet_is_refused_by_name);
    TEST(a_container_is_named_after_service_slot_and_task);
    TEST(the_swarm_s_labels_cannot_be_forged_by_a_spec);
    TEST(a_relative_target_lies_below_run_secrets_and_an_absolute_one_is_kept);
    TEST(an_owner_that_is_no_number_stops_the_start_and_not_the_creation);
    TEST(minus_one_leaves_the_owner_root);
    TEST(a_volume_mount_is_refused_by_name);
    return check_done();
}
