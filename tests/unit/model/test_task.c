/* unit/model/test_task.c - states and their moves, names, labels, notes. */
#include "model/task.h"

#include <stdlib.h>

#include "base/str.h"
#include "lib/check.h"
#include "model/pb.h"

static Pb__Task *make(void)
{
    Pb__Task *t = PB_NEW(Task, task);
    pb_str(&t->id, "taskid");
    pb_str(&t->node_id, "nodeid");
    pb_str(&t->service_id, "svcid");
    t->service_annotations = PB_NEW(Annotations, annotations);
    pb_str(&t->service_annotations->name, "web");
    t->spec = PB_NEW(TaskSpec, task_spec);
    t->spec->runtime_case = PB__TASK_SPEC__RUNTIME_CONTAINER;
    t->spec->container = PB_NEW(ContainerSpec, container_spec);
    return t;
}

static const int all[] = {TASK_NEW,    TASK_PENDING,  TASK_ASSIGNED, TASK_ACCEPTED, TASK_PREPARING,
                          TASK_READY,  TASK_STARTING, TASK_RUNNING,  TASK_COMPLETE, TASK_SHUTDOWN,
                          TASK_FAILED, TASK_REJECTED, TASK_REMOVE,   TASK_ORPHANED};

static void every_state_has_a_name_that_parses_back(void)
{
    for (size_t i = 0; i < sizeof all / sizeof *all; i++)
        EXPECT_INT(task_state_parse(task_state_name(all[i])), all[i]);
    EXPECT_INT(task_state_parse("Running"), TASK_RUNNING);
    EXPECT_INT(task_state_parse("nope"), -1);
    EXPECT_STR(task_state_name(7), "unknown");
}

static void a_state_never_goes_back_and_an_end_is_final_but_for_orphans(void)
{
    for (size_t i = 0; i < sizeof all / sizeof *all; i++) {
        for (size_t k = 0; k < sizeof all / sizeof *all; k++) {
            bool may = task_state_may_move(all[i], all[k]);
            if (all[k] < all[i] || all[k] == TASK_REMOVE)
                EXPECT(!may);
            else if (all[i] >= TASK_COMPLETE && all[k] != all[i] && all[k] != TASK_ORPHANED)
                EXPECT(!may);
            else
                EXPECT(may);
        }
    }
    EXPECT(!task_state_may_move(TASK_RUNNING, 12345));
}

static void a_report_moves_a_task_forward_and_is_stamped(void)
{
    Pb__Task *t = make();
    Pb__TaskStatus st = PB__TASK_STATUS__INIT;

    task_set_status(t, TASK_ASSIGNED, 5, "x", "");
    st.state = PB__TASK_STATE__TASK_STATE_RUNNING;
    st.message = (char *)(uintptr_t) "started";
    EXPECT(task_apply_status(t, &st, "n1", 77));
    EXPECT_INT(task_state(t), TASK_RUNNING);
    EXPECT_STR(t->status->applied_by, "n1");
    EXPECT_INT(pb_time_ns(t->status->applied_at), 77);
    EXPECT_INT(task_note_ns(t, TASK_NOTE_RAN_AT), 77);
    EXPECT(!task_apply_status(t, &st, "n1", 80)); /* the same again is no news */
    st.err = (char *)(uintptr_t) "but";
    EXPECT(task_apply_status(t, &st, "n1", 81)); /* the same state, more words */
    EXPECT_INT(task_note_ns(t, TASK_NOTE_RAN_AT), 77);
    st.state = PB__TASK_STATE__TASK_STATE_STARTING;
    EXPECT(!task_apply_status(t, &st, "n1", 82));
    st.state = PB__TASK_STATE__TASK_STATE_ORPHANED; /* managers only */
    EXPECT(!task_apply_status(t, &st, "n1", 82));
    st.state = PB__TASK_STATE__TASK_STATE_FAILED;
    EXPECT(task_apply_status(t, &st, "n1", 83));
    EXPECT_INT(task_ended_at(t), 83);
    st.state = PB__TASK_STATE__TASK_STATE_REJECTED;
    EXPECT(!task_apply_status(t, &st, "n1", 84));
    pb_free(t);
}

static void the_name_is_service_slot_id_and_the_node_when_there_is_no_slot(void)
{
    Pb__Task *t = make();
    char *name = task_name(t);
    EXPECT_STR(name, "web.nodeid.taskid");
    free(name);
    t->slot = 3;
    name = task_name(t);
    EXPECT_STR(name, "web.3.taskid");
    free(name);
    pb_free(t);
}

static const char *label(char **v, const char *key)
{
    for (; v && *v; v += 2)
        if (str_eq(v[0], key))
            return v[1];
    return NULL;
}

static void the_container_carries_the_users_labels_and_ours_which_win(void)
{
    Pb__Task *t = make();
    Pb__ContainerSpec__LabelsEntry *e = NEW(Pb__ContainerSpec__LabelsEntry);
    pb__container_spec__labels_entry__init(e);
    pb_str(&e->key, "com.docker.swarm.task.id");
    pb_str(&e->value, "forged");
    PB_PUSH(t->spec->container->n_labels, t->spec->container->labels, e);
    e = NEW(Pb__ContainerSpec__LabelsEntry);
    pb__container_spec__labels_entry__init(e);
    pb_str(&e->key, "a");
    pb_str(&e->value, "b");
    PB_PUSH(t->spec->container->n_labels, t->spec->container->labels, e);
    t->slot = 1;
    char **v = task_container_labels(t);
    EXPECT_STR(label(v, "a"), "b");
    EXPECT_STR(label(v, "com.docker.swarm.task"), "");
    EXPECT_STR(label(v, "com.docker.swarm.task.id"), "taskid");
    EXPECT_STR(label(v, "com.docker.swarm.task.name"), "web.1.taskid");
    EXPECT_STR(label(v, "com.docker.swarm.node.id"), "nodeid");
    EXPECT_STR(label(v, "com.docker.swarm.service.id"), "svcid");
    EXPECT_STR(label(v, "com.docker.swarm.service.name"), "web");
    strv_free(v);
    pb_free(t);
}

static void notes_are_kept_by_key_and_survive_a_copy(void)
{
    Pb__Task *t = make();
    EXPECT(task_note(t, TASK_NOTE_UPDATE) == NULL);
    EXPECT_INT(task_note_ns(t, TASK_NOTE_START_AT), 0);
    task_set_note(t, TASK_NOTE_UPDATE, "u1");
    task_set_note_ns(t, TASK_NOTE_START_AT, 1700000000123456789);
    task_set_note(t, TASK_NOTE_UPDATE, "u2");
    Pb__Task *c = pb_dup(t);
    EXPECT_STR(task_note(c, TASK_NOTE_UPDATE), "u2");
    EXPECT_INT(task_note_ns(c, TASK_NOTE_START_AT), 1700000000123456789);
    pb_free(c);
    pb_free(t);
}

static void the_stop_grace_period_is_ten_seconds_unless_the_spec_says_other(void)
{
    Pb__Task *t = make();
    EXPECT_INT(task_stop_grace_ns(t), 10000000000);
    pb_set_duration(&t->spec->container->stop_grace_period, 0);
    EXPECT_INT(task_stop_grace_ns(t), 0);
    pb_set_duration(&t->spec->container->stop_grace_period, -5);
    EXPECT_INT(task_stop_grace_ns(t), 0);
    pb_free(t);
}

static void references_are_found_wherever_a_spec_may_name_them(void)
{
    Pb__Task *t = make();
    Pb__ResourceReference *r = PB_NEW(ResourceReference, resource_reference);
    pb_str(&r->resource_id, "s2");
    r->resource_type = PB__RESOURCE_TYPE__RESOURCE_TYPE_SECRET;
    PB_PUSH(t->spec->n_resource_references, t->spec->resource_references, r);
    Pb__SecretReference *s = PB_NEW(SecretReference, secret_reference);
    pb_str(&s->secret_id, "s1");
    PB_PUSH(t->spec->container->n_secrets, t->spec->container->secrets, s);
    EXPECT(task_uses_secret(t, "s1"));
    EXPECT(task_uses_secret(t, "s2"));
    EXPECT(!task_uses_secret(t, "s3"));
    EXPECT(!task_uses_config(t, "s2"));
    pb_free(t);
}

int main(void)
{
    TEST(every_state_has_a_name_that_parses_back);
    TEST(a_state_never_goes_back_and_an_end_is_final_but_for_orphans);
    TEST(a_report_moves_a_task_forward_and_is_stamped);
    TEST(the_name_is_service_slot_id_and_the_node_when_there_is_no_slot);
    TEST(the_container_carries_the_users_labels_and_ours_which_win);
    TEST(notes_are_kept_by_key_and_survive_a_copy);
    TEST(the_stop_grace_period_is_ten_seconds_unless_the_spec_says_other);
    TEST(references_are_found_wherever_a_spec_may_name_them);
    return check_done();
}
