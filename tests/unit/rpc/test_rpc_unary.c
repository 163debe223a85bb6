/* unit/rpc/test_rpc_unary.c - unary calls: answers, refusals, deadlines, many at once, broken
 * connections. */
#include "unit/rpc/rpc_fixture.h"

#include <uv.h>

#include "proto/dispatcher.pb-c.h"

static struct rpc_call *held; /* of a handler that does not answer */
static int closed_calls;

static void on_call_closed(struct rpc_call *c, void *arg)
{
    (void)arg;
    closed_calls++;
    if (held == c)
        held = NULL;
}

/* GetNode: the id says what to do. */
static void get_node(struct rpc_call *c, const ProtobufCMessage *request, void *service)
{
    const Pb__GetNodeRequest *r = (const Pb__GetNodeRequest *)request;
    Pb__GetNodeResponse res = PB__GET_NODE_RESPONSE__INIT;
    Pb__Node node = PB__NODE__INIT;
    (void)service;
    rpc_on_close(c, on_call_closed, NULL);
    if (strcmp(r->node_id, "hold") == 0) {
        held = c;
        return;
    }
    if (strncmp(r->node_id, "fail ", 5) == 0) {
        rpc_fail(c, RPC_NOT_FOUND, "%s", r->node_id + 5);
        return;
    }
    node.id = r->node_id;
    res.node = &node;
    rpc_reply(c, &res.base);
}

static void list_tasks(struct rpc_call *c, const ProtobufCMessage *request, void *service)
{
    size_t n = *(size_t *)service;
    Pb__ListTasksResponse res = PB__LIST_TASKS_RESPONSE__INIT;
    Pb__Task one = PB__TASK__INIT;
    char text[512];
    (void)request;
    memset(text, 'x', sizeof(text) - 1);
    text[sizeof(text) - 1] = 0;
    one.id = text;
    res.n_tasks = n;
    res.tasks = mem_array(n, sizeof(*res.tasks));
    for (size_t i = 0; i < n; i++)
        res.tasks[i] = &one;
    rpc_reply(c, &res.base);
    free(res.tasks);
}

static size_t list_size;
static const struct rpc_handler handlers[] = {
    {&rpc_method_control_get_node, get_node},
    {&rpc_method_control_list_tasks, list_tasks},
};

static void on_node(void *arg, const struct rpc_status *st, ProtobufCMessage *m)
{
    struct answer *a = arg;
    a->done = true;
    a->calls++;
    a->st = *st;
    if (m)
        snprintf(a->text, sizeof(a->text), "%s", ((Pb__GetNodeResponse *)m)->node->id);
}

static struct rpc_pending *ask(struct fixture *f, const char *id, uint64_t timeout,
                               struct answer *a)
{
    Pb__GetNodeRequest r = PB__GET_NODE_REQUEST__INIT;
    char text[4096];
    snprintf(text, sizeof(text), "%s", id);
    r.node_id = text;
    return rpc_start(f->client, &rpc_method_control_get_node, &r.base, timeout, on_node, a);
}

static void a_unary_call_brings_its_answer(void)
{
    struct fixture f = {0};
    struct answer a = {0};
    fixture_open(&f, handlers, 2, &list_size);
    ask(&f, "n1", 5000, &a);
    EXPECT(!a.done); /* never from inside */
    EXPECT(fixture_wait(&f, &a.done));
    EXPECT_INT(a.st.code, RPC_OK);
    EXPECT_STR(a.text, "n1");
    fixture_close(&f);
    EXPECT_INT(a.calls, 1);
}

static void a_refusal_keeps_its_text_byte_by_byte(void)
{
    static const char *const texts[] = {
        "secret 100% gone", "ünïcödé – \"quoted\"\n\ttab", "%41 stays", "", "%",
    };
    struct fixture f = {0};
    fixture_open(&f, handlers, 2, &list_size);
    for (size_t i = 0; i < sizeof(texts) / sizeof(*texts); i++) {
        struct answer a = {0};
        char id[256];
        snprintf(id, sizeof(id), "fail %s", texts[i]);
        ask(&f, id, 5000, &a);
        EXPECT(fixture_wait(&f, &a.done));
        EXPECT_INT(a.st.code, RPC_NOT_FOUND);
        EXPECT_STR(a.st.message, texts[i]);
    }
    fixture_close(&f);
}

static void an_overlong_refusal_is_cut_not_lost(void)
{
    struct fixture f = {0};
    struct answer a = {0};
    char id[3000] = "fail ";
    memset(id + 5, '%', sizeof(id) - 6);
    fixture_open(&f, handlers, 2, &list_size);
    ask(&f, id, 5000, &a);
    EXPECT(fixture_wait(&f, &a.done));
    EXPECT_INT(a.st.code, RPC_NOT_FOUND);
    EXPECT_INT(strlen(a.st.message), ERR_TEXT_MAX - 1);
    fixture_close(&f);
}

static void an_unknown_method_or_service_is_unimplemented(void)
{
    struct fixture f = {0};
    struct answer a = {0};
    Pb__GetTaskRequest r = PB__GET_TASK_REQUEST__INIT;
    Pb__HeartbeatRequest h = PB__HEARTBEAT_REQUEST__INIT;
    fixture_open(&f, handlers, 2, &list_size);
    rpc_start(f.client, &rpc_method_control_get_task, &r.base, 0, on_node, &a);
    EXPECT(fixture_wait(&f, &a.done));
    EXPECT_INT(a.st.code, RPC_UNIMPLEMENTED);
    EXPECT_STR(a.st.message, "unknown method GetTask for service docker.swarmkit.v1.Control");
    a = (struct answer){0};
    rpc_start(f.client, &rpc_method_dispatcher_heartbeat, &h.base, 0, on_node, &a);
    EXPECT(fixture_wait(&f, &a.done));
    EXPECT_STR(a.st.message, "unknown service docker.swarmkit.v1.Dispatcher");
    fixture_close(&f);
}

static void a_thousand_calls_in_flight_each_get_their_own_answer(void)
{
    enum { N = 1000 };
    struct fixture f = {0};
    static struct answer a[N];
    memset(a, 0, sizeof(a));
    fixture_open(&f, handlers, 2, &list_size);
    for (int i = 0; i < N; i++) {
        char id[32];
        snprintf(id, sizeof(id), "n%d", i);
        ask(&f, id, 0, &a[i]);
    }
    for (int i = 0; i < N; i++) {
        char id[32];
        snprintf(id, sizeof(id), "n%d", i);
        EXPECT(fixture_wait(&f, &a[i].done));
        EXPECT_STR(a[i].text, id);
        EXPECT_INT(a[i].calls, 1);
    }
    fixture_close(&f);
}

static void on_list(void *arg, const struct rpc_status *st, ProtobufCMessage *m)
{
    struct answer *a = arg;
    a->done = true;
    a->st = *st;
    a->size = m ? ((Pb__ListTasksResponse *)m)->n_tasks : 0;
}

static void ask_list(struct fixture *f, struct answer *a)
{
    Pb__ListTasksRequest r = PB__LIST_TASKS_REQUEST__INIT;
    rpc_start(f->client, &rpc_method_control_list_tasks, &r.base, 0, on_list, a);
}

static void a_list_of_ten_thousand_crosses_whole(void)
{
    struct fixture f = {0};
    struct answer a = {0};
    list_size = 10000;
    fixture_open(&f, handlers, 2, &list_size);
    ask_list(&f, &a);
    EXPECT(fixture_wait(&f, &a.done));
    EXPECT_INT(a.st.code, RPC_OK);
    EXPECT_INT(a.size, 10000);
    fixture_close(&f);
}

static void an_answer_above_the_limit_is_resource_exhausted(void)
{
    struct fixture f = {0};
    struct answer a = {0};
    list_size = RPC_MESSAGE_MAX / 512 + 1;
    fixture_open(&f, handlers, 2, &list_size);
    ask_list(&f, &a);
    EXPECT(fixture_wait(&f, &a.done));
    EXPECT_INT(a.st.code, RPC_RESOURCE_EXHAUSTED);
    a = (struct answer){0};
    ask(&f, "n1", 0, &a); /* and the connection still serves */
    EXPECT(fixture_wait(&f, &a.done));
    EXPECT_INT(a.st.code, RPC_OK);
    fixture_close(&f);
}

static void a_request_above_the_limit_is_refused_before_it_is_sent(void)
{
    struct fixture f = {0};
    struct answer a = {0};
    Pb__GetNodeRequest r = PB__GET_NODE_REQUEST__INIT;
    fixture_open(&f, handlers, 2, &list_size);
    char *huge = mem_new(RPC_MESSAGE_MAX + 2);
    memset(huge, 'a', RPC_MESSAGE_MAX + 1);
    r.node_id = huge;
    rpc_start(f.client, &rpc_method_control_get_node, &r.base, 0, on_node, &a);
    EXPECT(!a.done);
    EXPECT(fixture_wait(&f, &a.done));
    EXPECT_INT(a.st.code, RPC_RESOURCE_EXHAUSTED);
    EXPECT_STR(a.st.message, "the request is too large");
    free(huge);
    fixture_close(&f);
}

static void a_call_without_an_answer_ends_at_its_deadline(void)
{
    struct fixture f = {0};
    struct answer a = {0};
    closed_calls = 0;
    fixture_open(&f, handlers, 2, &list_size);
    int64_t start = clock_mono_ns();
    ask(&f, "hold", 60, &a);
    EXPECT(fixture_wait(&f, &a.done));
    int64_t took = clock_mono_ns() - start;
    EXPECT_INT(a.st.code, RPC_DEADLINE_EXCEEDED);
    EXPECT(strstr(a.st.message, "60 ms") && strstr(a.st.message, f.path));
    EXPECT(took >= 55 * NS_PER_MS && took < 1000 * NS_PER_MS);
    fixture_turn(&f, 20);
    EXPECT_INT(closed_calls, 1); /* the server heard of it */
    EXPECT(!held);
    fixture_close(&f);
}

static void a_cancelled_call_calls_nobody_back_and_reaches_the_server(void)
{
    struct fixture f = {0};
    struct answer a = {0};
    closed_calls = 0;
    fixture_open(&f, handlers, 2, &list_size);
    struct rpc_pending *p = ask(&f, "hold", 1000, &a);
    fixture_turn(&f, 20);
    EXPECT(held);
    rpc_cancel(p);
    fixture_turn(&f, 20);
    EXPECT(!a.done);
    EXPECT_INT(closed_calls, 1);
    rpc_cancel(ask(&f, "n1", 0, &a)); /* one that has not even left */
    fixture_turn(&f, 20);
    EXPECT(!a.done);
    fixture_close(&f);
    EXPECT(!a.done);
}

static void without_a_server_a_call_is_unavailable_and_names_the_socket(void)
{
    struct fixture f = {0};
    struct answer a = {0};
    fixture_open(&f, handlers, 2, &list_size);
    fixture_stop_server(&f);
    unlink(f.path);
    ask(&f, "n1", 0, &a);
    EXPECT(!a.done);
    EXPECT(fixture_wait(&f, &a.done));
    EXPECT_INT(a.st.code, RPC_UNAVAILABLE);
    char want[256];
    snprintf(want, sizeof(want), "cannot connect to %s: no such file or directory", f.path);
    EXPECT_STR(a.st.message, want);
    fixture_serve(&f, handlers, 2, &list_size);
    a = (struct answer){0};
    ask(&f, "n1", 0, &a);
    EXPECT(fixture_wait(&f, &a.done));
    EXPECT_INT(a.st.code, RPC_OK);
    fixture_close(&f);
}

static void a_server_that_stops_fails_open_calls_and_the_next_call_connects_again(void)
{
    struct fixture f = {0};
    struct answer a = {0}, b = {0};
    closed_calls = 0;
    fixture_open(&f, handlers, 2, &list_size);
    ask(&f, "hold", 0, &a);
    ask(&f, "hold", 0, &b);
    fixture_turn(&f, 20);
    fixture_stop_server(&f);
    EXPECT_INT(closed_calls, 2);
    EXPECT(fixture_wait(&f, &a.done));
    EXPECT(fixture_wait(&f, &b.done));
    EXPECT_INT(a.st.code, RPC_UNAVAILABLE);
    EXPECT(strstr(a.st.message, f.path) != NULL);
    fixture_serve(&f, handlers, 2, &list_size);
    a = (struct answer){0};
    ask(&f, "n2", 0, &a);
    EXPECT(fixture_wait(&f, &a.done));
    EXPECT_STR(a.text, "n2");
    fixture_close(&f);
}

static void a_server_that_dies_without_a_word_makes_its_calls_unavailable(void)
{
    struct fixture f = {0};
    struct answer a = {0}, b = {0};
    fixture_open(&f, handlers, 2, &list_size);
    fixture_stop_server(&f);
    int listener = fixture_socket(f.path);
    ask(&f, "n1", 0, &a);
    ask(&f, "n2", 10000, &b);
    fixture_turn(&f, 10);
    int fd = accept(listener, NULL, NULL);
    EXPECT(fd >= 0);
    close(fd); /* as the kernel does it for a killed process */
    EXPECT(fixture_wait(&f, &a.done));
    EXPECT(fixture_wait(&f, &b.done));
    char want[256];
    snprintf(want, sizeof(want), "the connection to %s broke: ", f.path);
    EXPECT_INT(a.st.code, RPC_UNAVAILABLE);
    EXPECT(strncmp(a.st.message, want, strlen(want)) == 0);
    EXPECT_INT(b.st.code, RPC_UNAVAILABLE);
    close(listener);
    fixture_serve(&f, handlers, 2, &list_size);
    a = (struct answer){0};
    ask(&f, "n3", 0, &a);
    EXPECT(fixture_wait(&f, &a.done));
    EXPECT_STR(a.text, "n3");
    fixture_close(&f);
}

static void a_server_that_never_accepts_meets_the_deadline(void)
{
    struct fixture f = {0};
    struct answer a = {0};
    fixture_open(&f, handlers, 2, &list_size);
    fixture_stop_server(&f);
    int listener = fixture_socket(f.path);
    ask(&f, "n1", 50, &a);
    EXPECT(fixture_wait(&f, &a.done));
    EXPECT_INT(a.st.code, RPC_DEADLINE_EXCEEDED);
    close(listener);
    fixture_close(&f);
}

static void thousands_of_cancelled_calls_do_not_cost_the_connection(void)
{
    struct fixture f = {0};
    struct answer a = {0};
    fixture_open(&f, handlers, 2, &list_size);
    closed_calls = 0;
    for (int round = 0; round < 5; round++) {
        struct rpc_pending *p[1000];
        for (int i = 0; i < 1000; i++)
            p[i] = ask(&f, "hold", 0, &a);
        fixture_turn(&f, 5);
        for (int i = 0; i < 1000; i++)
            rpc_cancel(p[i]);
        fixture_turn(&f, 5);
    }
    EXPECT(!a.done);
    ask(&f, "n1", 0, &a);
    EXPECT(fixture_wait(&f, &a.done));
    EXPECT_INT(a.st.code, RPC_OK);
    EXPECT_INT(closed_calls, 5001);
    fixture_close(&f);
}

static void closing_the_client_cancels_what_is_open(void)
{
    struct fixture f = {0};
    struct answer a = {0};
    fixture_open(&f, handlers, 2, &list_size);
    ask(&f, "hold", 10000, &a);
    fixture_turn(&f, 10);
    rpc_client_close(f.client);
    EXPECT(!a.done);
    f.client = NULL;
    EXPECT(fixture_wait(&f, &a.done));
    EXPECT_INT(a.st.code, RPC_CANCELLED);
    fixture_close(&f);
    EXPECT_INT(a.calls, 1);
}

static void another_user_is_not_served(void)
{
    struct fixture f = {0};
    struct answer a = {0};
    uint32_t other = getuid() + 1;
    fixture_open(&f, handlers, 2, &list_size);
    fixture_stop_server(&f);
    EXPECT_INT(rpc_server_new(&f.loop, &f.server, NULL), 0);
    EXPECT_INT(rpc_server_listen_fd(f.server, fixture_socket(f.path), &other, 1, NULL), 0);
    rpc_server_add(f.server, handlers, 2, NULL);
    ask(&f, "n1", 0, &a);
    EXPECT(fixture_wait(&f, &a.done));
    EXPECT_INT(a.st.code, RPC_UNAVAILABLE);
    EXPECT_STR(a.text, "");
    fixture_close(&f);
}

static void a_path_that_does_not_fit_a_socket_is_refused(void)
{
    uv_loop_t loop;
    struct rpc_client *c = NULL;
    struct err e = {0};
    char path[200];
    memset(path, 'p', sizeof(path) - 1);
    path[sizeof(path) - 1] = 0;
    uv_loop_init(&loop);
    EXPECT_INT(rpc_client_new(&loop, path, &c, &e), -ENAMETOOLONG);
    EXPECT(!c);
    uv_loop_close(&loop);
}

static void the_peer_of_a_call_is_known(void)
{
    struct fixture f = {0};
    struct answer a = {0};
    fixture_open(&f, handlers, 2, &list_size);
    ask(&f, "hold", 0, &a);
    fixture_turn(&f, 10);
    REQUIRE(held);
    EXPECT_INT(rpc_call_peer(held).uid, getuid());
    EXPECT_INT(rpc_call_peer(held).pid, getpid());
    rpc_fail(held, RPC_ABORTED, "enough");
    EXPECT(fixture_wait(&f, &a.done));
    EXPECT_INT(a.st.code, RPC_ABORTED);
    fixture_close(&f);
}

int main(void)
{
    TEST(a_unary_call_brings_its_answer);
    TEST(a_refusal_keeps_its_text_byte_by_byte);
    TEST(an_overlong_refusal_is_cut_not_lost);
    TEST(an_unknown_method_or_service_is_unimplemented);
    TEST(a_thousand_calls_in_flight_each_get_their_own_answer);
    TEST(a_list_of_ten_thousand_crosses_whole);
    TEST(an_answer_above_the_limit_is_resource_exhausted);
    TEST(a_request_above_the_limit_is_refused_before_it_is_sent);
    TEST(a_call_without_an_answer_ends_at_its_deadline);
    TEST(a_cancelled_call_calls_nobody_back_and_reaches_the_server);
    TEST(without_a_server_a_call_is_unavailable_and_names_the_socket);
    TEST(a_server_that_stops_fails_open_calls_and_the_next_call_connects_again);
    TEST(a_server_that_dies_without_a_word_makes_its_calls_unavailable);
    TEST(a_server_that_never_accepts_meets_the_deadline);
    TEST(thousands_of_cancelled_calls_do_not_cost_the_connection);
    TEST(closing_the_client_cancels_what_is_open);
    TEST(another_user_is_not_served);
    TEST(a_path_that_does_not_fit_a_socket_is_refused);
    TEST(the_peer_of_a_call_is_known);
    return check_done();
}
