/* unit/dispatcher/test_dispatcher.c - the service as a node sees it, over a real socket. */
#include "dispatcher/dispatcher.h"

#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/id.h"
#include "cluster.h"
#include "proto/dispatcher.pb-c.h"
#include "rpc/methods.h"

static uv_loop_t loop;
static struct rpc_server *server;
static struct rpc_client *client;
static struct dispatcher *disp;
static int64_t mono;

static int64_t mono_now(void *arg)
{
    (void)arg;
    return mono;
}

static int64_t wall_now(void *arg)
{
    (void)arg;
    return fx.now;
}

/* Runs the loop and the disk until cond holds, or for two seconds. */
#define SPIN(cond)                                                                                 \
    do {                                                                                           \
        for (int64_t end_ = clock_mono_ns() + 2 * NS_PER_SEC;                                      \
             !(cond) && clock_mono_ns() < end_;) {                                                 \
            uv_run(&loop, UV_RUN_NOWAIT);                                                          \
            fixture_run(&fx);                                                                      \
        }                                                                                          \
        EXPECT(cond);                                                                              \
    } while (0)

static void settle(void)
{
    for (int i = 0; i < 50; i++) {
        uv_run(&loop, UV_RUN_NOWAIT);
        fixture_run(&fx);
        usleep(200);
    }
}

static void open_all(void)
{
    struct err e = {0};
    struct sockaddr_un a = {.sun_family = AF_UNIX};
    uint32_t uid = getuid();

    fixture_open(&fx);
    put_node("n1");
    mono = NS_PER_SEC;
    uv_loop_init(&loop);
    disp = dispatcher_new(&(struct dispatcher_options){.loop = &loop,
                                                       .store = fx.store,
                                                       .local_node_id = "n1",
                                                       .mono = mono_now,
                                                       .wall = wall_now});
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    snprintf(a.sun_path, sizeof a.sun_path, "%s/d.sock", check_tmpdir());
    REQUIRE(bind(fd, (struct sockaddr *)&a, sizeof a) == 0 && listen(fd, 8) == 0);
    REQUIRE(rpc_server_new(&loop, &server, &e) == 0);
    dispatcher_register(server, disp);
    REQUIRE(rpc_server_listen_fd(server, fd, &uid, 1, &e) == 0);
    REQUIRE(rpc_client_new(&loop, a.sun_path, &client, &e) == 0);
}

static void close_all(void)
{
    rpc_client_close(client);
    settle();
    rpc_server_close(server, NULL, NULL);
    dispatcher_free(disp);
    settle();
    fixture_close(&fx);
    uv_run(&loop, UV_RUN_DEFAULT);
    EXPECT_INT(uv_loop_close(&loop), 0);
}

/* ---- what the node hears ---- */
static struct {
    char id[ID_SIZE];
    int state, messages, managers;
    bool ended;
    struct rpc_status end;
} session;
static struct {
    char log[4096]; /* "+t1 +s1=payload -t1 …" for each change */
    int messages, type;
    char applies[32], results[32];
    bool ended, all_secret;
    struct rpc_status end;
} assigned;

static void on_session_message(void *arg, ProtobufCMessage *m)
{
    const Pb__SessionMessage *s = (const Pb__SessionMessage *)m;
    (void)arg;
    str_copy(session.id, sizeof session.id, s->session_id);
    session.state = node_state(s->node);
    session.managers = (int)s->n_managers;
    session.messages++;
}

static void on_session_end(void *arg, const struct rpc_status *st)
{
    (void)arg;
    session.ended = true;
    session.end = *st;
}

static void note(char sign, const char *id, const char *data, size_t n)
{
    size_t at = strlen(assigned.log);
    snprintf(assigned.log + at, sizeof assigned.log - at, "%s%c%s%s%.*s", at ? " " : "", sign, id,
             n ? "=" : "", (int)n, data);
}

static void on_assigned_message(void *arg, ProtobufCMessage *m)
{
    const Pb__AssignmentsMessage *a = (const Pb__AssignmentsMessage *)m;
    (void)arg;
    assigned.messages++;
    assigned.type = (int)a->type;
    str_copy(assigned.applies, sizeof assigned.applies, a->applies_to);
    str_copy(assigned.results, sizeof assigned.results, a->results_in);
    for (size_t i = 0; i < a->n_changes; i++) {
        const Pb__Assignment *x = a->changes[i]->assignment;
        char sign = a->changes[i]->action ? '-' : '+';
        if (x->item_case == PB__ASSIGNMENT__ITEM_TASK) {
            note(sign, x->task->id, NULL, 0);
        } else if (x->item_case == PB__ASSIGNMENT__ITEM_SECRET) {
            const ProtobufCBinaryData *d = x->secret->spec ? &x->secret->spec->data : NULL;
            note(sign, x->secret->id, d ? (const char *)d->data : "", d ? d->len : 0);
            assigned.all_secret = assigned.all_secret && (!d || secret_owns(d->data));
        } else if (x->item_case == PB__ASSIGNMENT__ITEM_CONFIG) {
            const ProtobufCBinaryData *d = x->config->spec ? &x->config->spec->data : NULL;
            note(sign, x->config->id, d ? (const char *)d->data : "", d ? d->len : 0);
        }
    }
}

static void on_assigned_end(void *arg, const struct rpc_status *st)
{
    (void)arg;
    assigned.ended = true;
    assigned.end = *st;
}

static void register_node(const char *had)
{
    Pb__SessionRequest m = PB__SESSION_REQUEST__INIT;
    Pb__NodeDescription d = PB__NODE_DESCRIPTION__INIT;
    d.hostname = (char *)(uintptr_t) "host1";
    m.description = &d;
    m.session_id = (char *)(uintptr_t)had;
    memset(&session, 0, sizeof session);
    rpc_open(client, &rpc_method_dispatcher_session, &m.base, 0, on_session_message, on_session_end,
             NULL);
    SPIN(session.messages > 0 || session.ended);
}

static void open_assignments(void)
{
    Pb__AssignmentsRequest m = PB__ASSIGNMENTS_REQUEST__INIT;
    m.session_id = session.id;
    memset(&assigned, 0, sizeof assigned);
    assigned.all_secret = true;
    rpc_open(client, &rpc_method_dispatcher_assignments, &m.base, 0, on_assigned_message,
             on_assigned_end, NULL);
    SPIN(assigned.messages > 0 || assigned.ended);
}

static struct {
    bool done;
    struct rpc_status st;
    int64_t period;
} answered;

static void on_answer(void *arg, const struct rpc_status *st, ProtobufCMessage *m)
{
    (void)arg;
    answered.done = true;
    answered.st = *st;
    if (m && m->descriptor == &pb__heartbeat_response__descriptor)
        answered.period = pb_duration_ns(((const Pb__HeartbeatResponse *)m)->period, 0);
}

static void beat(const char *id)
{
    Pb__HeartbeatRequest m = PB__HEARTBEAT_REQUEST__INIT;
    m.session_id = (char *)(uintptr_t)id;
    memset(&answered, 0, sizeof answered);
    rpc_start(client, &rpc_method_dispatcher_heartbeat, &m.base, 0, on_answer, NULL);
    SPIN(answered.done);
}

static void report(const char *task, int state, const char *err, bool wait)
{
    Pb__UpdateTaskStatusRequest m = PB__UPDATE_TASK_STATUS_REQUEST__INIT;
    Pb__UpdateTaskStatusRequest__TaskStatusUpdate
        u = PB__UPDATE_TASK_STATUS_REQUEST__TASK_STATUS_UPDATE__INIT,
        *list[] = {&u};
    Pb__TaskStatus st = PB__TASK_STATUS__INIT;
    st.state = (Pb__TaskState)state;
    st.err = (char *)(uintptr_t)err;
    u.task_id = (char *)(uintptr_t)task;
    u.status = &st;
    m.session_id = session.id;
    m.updates = list;
    m.n_updates = 1;
    memset(&answered, 0, sizeof answered);
    rpc_start(client, &rpc_method_dispatcher_update_task_status, &m.base, 0, on_answer, NULL);
    if (wait)
        SPIN(answered.done);
}

static const Pb__Node *node_now(void)
{
    return store_get(fx.store, STORE_COMMITTED, STORE_NODE, "n1");
}

/* ---- the tests ---- */
static void a_node_that_registers_is_ready_before_it_hears_so_and_its_description_is_kept(void)
{
    open_all();
    register_node("");
    EXPECT_INT(session.messages, 1);
    EXPECT_INT(session.state, NODE_READY);
    EXPECT_INT(session.managers, 1);
    EXPECT(id_valid(session.id));
    EXPECT_INT(node_state(node_now()), NODE_READY);
    EXPECT_STR(node_hostname(node_now()), "host1");
    close_all();
}

static void who_certified_a_node_is_kept_when_it_describes_itself(void)
{
    open_all();
    register_node("");
    const Pb__NodeDescription *d = node_now()->description;
    EXPECT_STR(d->hostname, "host1");
    REQUIRE(d->tls_info != NULL);
    EXPECT_INT(d->tls_info->trust_root.len, 4);
    close_all();
}

static void calls_without_a_session_are_refused_in_the_known_words(void)
{
    open_all();
    beat("x");
    EXPECT_INT(answered.st.code, RPC_NOT_FOUND);
    EXPECT_STR(answered.st.message, "node not registered");
    register_node("");
    beat("x");
    EXPECT_INT(answered.st.code, RPC_INVALID_ARGUMENT);
    EXPECT_STR(answered.st.message, "session invalid");
    beat(session.id);
    EXPECT_INT(answered.st.code, RPC_OK);
    EXPECT(answered.period >= 4500 * NS_PER_MS && answered.period <= 5500 * NS_PER_MS);
    close_all();
}

static void on_other_message(void *arg, ProtobufCMessage *m)
{
    (void)arg;
    (void)m;
}

static void on_other_end(void *arg, const struct rpc_status *st)
{
    (void)arg;
    (void)st;
}

static void a_node_that_is_silent_for_three_periods_is_down_until_it_registers_again(void)
{
    open_all();
    register_node("");
    open_assignments();
    mono += 16 * NS_PER_SEC;
    /* the timer keeps real time: another node's registration makes it look at our clock now */
    put_node("n2");
    dispatcher_set_local_node(disp, "n2");
    Pb__SessionRequest m = PB__SESSION_REQUEST__INIT;
    struct rpc_pending *other = rpc_open(client, &rpc_method_dispatcher_session, &m.base, 0,
                                         on_other_message, on_other_end, NULL);
    SPIN(session.ended && assigned.ended);
    EXPECT_INT(node_state(node_now()), NODE_DOWN);
    EXPECT_STR(node_now()->status->message, "heartbeat failure");
    dispatcher_set_local_node(disp, "n1");
    char old[ID_SIZE];
    str_copy(old, sizeof old, session.id);
    beat(old);
    EXPECT_STR(answered.st.message, "node not registered");
    register_node(old);
    EXPECT_INT(node_state(node_now()), NODE_READY);
    rpc_cancel(other);
    close_all();
}

static void assignments_begin_complete_and_follow_each_commit_in_a_chain(void)
{
    open_all();
    put_secret("s1", "payload");
    put_config("c1", "conf");
    put_task("t1", "n1", TASK_ASSIGNED, "s1", "c1");
    put_task("t2", "n2", TASK_ASSIGNED, NULL, NULL);
    register_node("");
    open_assignments();
    EXPECT_INT(assigned.type, PB__ASSIGNMENTS_MESSAGE__TYPE__TYPE_COMPLETE);
    EXPECT_STR(assigned.applies, "");
    EXPECT_STR(assigned.results, "1");
    EXPECT_STR(assigned.log, "+s1=payload +c1=conf +t1");
    EXPECT(assigned.all_secret);

    assigned.log[0] = '\0';
    change_task("t1", -1, TASK_SHUTDOWN);
    SPIN(assigned.messages == 2);
    EXPECT_INT(assigned.type, PB__ASSIGNMENTS_MESSAGE__TYPE__TYPE_INCREMENTAL);
    EXPECT_STR(assigned.applies, "1");
    EXPECT_STR(assigned.results, "2");
    EXPECT_STR(assigned.log, "+t1");

    assigned.log[0] = '\0';
    change_task("t1", TASK_SHUTDOWN, -1);
    SPIN(assigned.messages == 3);
    EXPECT_STR(assigned.log, "-s1 -c1");
    assigned.log[0] = '\0';
    drop(STORE_TASK, "t1");
    SPIN(assigned.messages == 4);
    EXPECT_STR(assigned.log, "-t1");
    put_task("t3", "n2", TASK_ASSIGNED, NULL, NULL); /* nothing for n1: no message */
    settle();
    EXPECT_INT(assigned.messages, 4);
    close_all();
}

static void an_empty_node_gets_an_empty_complete_set(void)
{
    open_all();
    register_node("");
    open_assignments();
    EXPECT_INT(assigned.messages, 1);
    EXPECT_STR(assigned.log, "");
    close_all();
}

static void the_plaintext_is_forgotten_when_the_message_is_gone(void)
{
    size_t before, after, total;

    open_all();
    put_secret("s1", "payload");
    put_task("t1", "n1", TASK_ASSIGNED, "s1", NULL);
    register_node("");
    settle();
    secret_arena_stats(&before, &total);
    open_assignments();
    settle();
    secret_arena_stats(&after, &total);
    EXPECT_INT(after, before);
    close_all();
}

static void a_secret_that_cannot_be_opened_rejects_the_task_and_spares_the_stream(void)
{
    open_all();
    put_secret("s1", "payload");
    put_secret("s2", "other");
    for (size_t i = 0; i < fake_log_count(fx.disk); i++) {
        struct log_record *r = fake_log_record(fx.disk, i);
        if (r->op == LOG_PUT_PAYLOAD && str_eq(r->id, "s1"))
            ((uint8_t *)(uintptr_t)r->bytes)[r->len - 1] ^= 1;
    }
    put_task("t1", "n1", TASK_ASSIGNED, "s1", NULL);
    put_task("t2", "n1", TASK_ASSIGNED, "s2", NULL);
    register_node("");
    open_assignments();
    EXPECT_STR(assigned.log, "+s2=other +t2");
    SPIN(task_state(task_now("t1")) == TASK_REJECTED);
    EXPECT(str_starts(task_now("t1")->status->err, "unable to open secret s1: "));
    EXPECT(!assigned.ended);
    close_all();
}

static void a_status_is_answered_when_it_is_durable(void)
{
    open_all();
    put_task("t1", "n1", TASK_ASSIGNED, NULL, NULL);
    register_node("");
    report("t1", TASK_RUNNING, "", true);
    EXPECT_INT(answered.st.code, RPC_OK);
    const Pb__Task *t = store_get(fx.store, STORE_COMMITTED, STORE_TASK, "t1");
    EXPECT_INT(task_state(t), TASK_RUNNING);
    EXPECT_STR(t->status->applied_by, "n1");
    EXPECT_INT(task_note_ns(t, TASK_NOTE_RAN_AT), fx.now);
    close_all();
}

static void a_status_that_goes_back_is_dropped_and_an_unknown_task_is_no_error(void)
{
    open_all();
    put_task("t1", "n1", TASK_ASSIGNED, NULL, NULL);
    register_node("");
    report("t1", TASK_RUNNING, "", true);
    uint64_t index = store_index(fx.store, STORE_TIP);
    report("t1", TASK_PREPARING, "", true);
    EXPECT_INT(answered.st.code, RPC_OK);
    report("t1", TASK_RUNNING, "", true);
    report("t1", TASK_ORPHANED, "", true);
    report("t1", TASK_REMOVE, "", true);
    report("nope", TASK_RUNNING, "", true);
    EXPECT_INT(answered.st.code, RPC_OK);
    EXPECT_INT(task_state(task_now("t1")), TASK_RUNNING);
    EXPECT_INT(store_index(fx.store, STORE_TIP), index); /* nothing was written */
    close_all();
}

static void a_status_for_another_nodes_task_is_refused(void)
{
    open_all();
    put_task("t1", "n2", TASK_RUNNING, NULL, NULL);
    register_node("");
    report("t1", TASK_FAILED, "", true);
    EXPECT_INT(answered.st.code, RPC_PERMISSION_DENIED);
    EXPECT_INT(task_state(task_now("t1")), TASK_RUNNING);
    close_all();
}

static void statuses_of_one_turn_are_one_write(void)
{
    open_all();
    for (int i = 0; i < 20; i++) {
        char id[8];
        snprintf(id, sizeof id, "t%02d", i);
        put_task(id, "n1", TASK_ASSIGNED, NULL, NULL);
    }
    register_node("");
    settle();
    unsigned writes = fake_log_appends(fx.disk);
    for (int i = 0; i < 20; i++) {
        char id[8];
        snprintf(id, sizeof id, "t%02d", i);
        report(id, TASK_RUNNING, "", false);
    }
    SPIN(task_state(task_now("t19")) == TASK_RUNNING);
    settle();
    EXPECT(fake_log_appends(fx.disk) - writes <= 3);
    close_all();
}

static void a_status_that_cannot_be_stored_is_an_error_to_the_node(void)
{
    open_all();
    put_task("t1", "n1", TASK_ASSIGNED, NULL, NULL);
    register_node("");
    settle();
    fake_log_fail(fx.disk, -28, "no space left on device", 1);
    report("t1", TASK_RUNNING, "", true);
    EXPECT_INT(answered.st.code, RPC_UNAVAILABLE);
    EXPECT_INT(task_state(task_now("t1")), TASK_ASSIGNED);
    close_all();
}

static void a_new_registration_ends_the_streams_of_the_old_session(void)
{
    open_all();
    register_node("");
    open_assignments();
    char old[ID_SIZE];
    str_copy(old, sizeof old, session.id);
    register_node("");
    EXPECT(!str_eq(old, session.id));
    SPIN(assigned.ended);
    EXPECT_INT(assigned.end.code, RPC_INVALID_ARGUMENT);
    EXPECT_STR(assigned.end.message, "session invalid");
    close_all();
}

static void a_change_of_the_node_is_told_on_its_session(void)
{
    open_all();
    register_node("");
    struct store_batch *b = store_batch_new(fx.store);
    Pb__Node *n = store_copy(STORE_NODE, node_now());
    n->spec->availability = PB__NODE_SPEC__AVAILABILITY__AVAILABILITY_DRAIN;
    store_update(b, STORE_NODE, n);
    store_propose(fx.store, b, NULL, NULL);
    SPIN(session.messages == 2);
    drop(STORE_NODE, "n1");
    SPIN(session.ended);
    EXPECT_STR(session.end.message, "node not found");
    register_node("");
    EXPECT_INT(session.end.code, RPC_UNKNOWN);
    close_all();
}

static void a_new_manager_does_not_believe_that_nodes_are_ready_and_a_stopped_one_says_so(void)
{
    open_all();
    register_node("");
    dispatcher_stop(disp);
    SPIN(session.ended);
    EXPECT_INT(session.end.code, RPC_ABORTED);
    EXPECT_STR(session.end.message, "dispatcher is stopped");
    beat(session.id);
    EXPECT_INT(answered.st.code, RPC_ABORTED);
    struct dispatcher *second = dispatcher_new(&(struct dispatcher_options){
        .loop = &loop, .store = fx.store, .mono = mono_now, .wall = wall_now});
    fixture_run(&fx);
    EXPECT_INT(node_state(node_now()), NODE_UNKNOWN);
    dispatcher_free(second);
    close_all();
}

int main(void)
{
    TEST(a_node_that_registers_is_ready_before_it_hears_so_and_its_description_is_kept);
    TEST(who_certified_a_node_is_kept_when_it_describes_itself);
    TEST(calls_without_a_session_are_refused_in_the_known_words);
    TEST(a_node_that_is_silent_for_three_periods_is_down_until_it_registers_again);
    TEST(assignments_begin_complete_and_follow_each_commit_in_a_chain);
    TEST(an_empty_node_gets_an_empty_complete_set);
    TEST(the_plaintext_is_forgotten_when_the_message_is_gone);
    TEST(a_secret_that_cannot_be_opened_rejects_the_task_and_spares_the_stream);
    TEST(a_status_is_answered_when_it_is_durable);
    TEST(a_status_that_goes_back_is_dropped_and_an_unknown_task_is_no_error);
    TEST(a_status_for_another_nodes_task_is_refused);
    TEST(statuses_of_one_turn_are_one_write);
    TEST(a_status_that_cannot_be_stored_is_an_error_to_the_node);
    TEST(a_new_registration_ends_the_streams_of_the_old_session);
    TEST(a_change_of_the_node_is_told_on_its_session);
    TEST(a_new_manager_does_not_believe_that_nodes_are_ready_and_a_stopped_one_says_so);
    return check_done();
}
