/* unit/rpc/test_rpc_stream.c - streams both ways, backpressure, cancelling, secrets on their way,
 * hostile bytes. */
#include "unit/rpc/rpc_fixture.h"

#include "proto/dispatcher.pb-c.h"

enum { BIG = 512 << 10 };

static struct rpc_call *watching;
static int closes, drains, handled;
static size_t highest, uploaded_messages, uploaded_bytes;
static int send_left;

static void on_watch_closed(struct rpc_call *c, void *arg)
{
    (void)arg, (void)c;
    closes++;
    watching = NULL;
}

static int send_event(struct rpc_call *c, size_t padding)
{
    Pb__WatchMessage m = PB__WATCH_MESSAGE__INIT;
    Pb__WatchMessage__Event ev = PB__WATCH_MESSAGE__EVENT__INIT, *evs[] = {&ev};
    Pb__Object o = PB__OBJECT__INIT;
    Pb__Node n = PB__NODE__INIT;
    char *id = mem_new(padding + 1);
    memset(id, 'w', padding);
    n.id = id;
    o.object_case = PB__OBJECT__OBJECT_NODE;
    o.node = &n;
    ev.object = &o;
    m.events = evs;
    m.n_events = 1;
    int r = rpc_send(c, &m.base);
    free(id);
    return r;
}

/* Sends as long as little waits, goes on when all has gone: what every stream's producer should do.
 */
static void produce(struct rpc_call *c, void *arg)
{
    (void)arg;
    drains++;
    while (send_left && rpc_queued(c) < 1 << 20) {
        EXPECT_INT(send_event(c, BIG), 0);
        send_left--;
        if (rpc_queued(c) > highest)
            highest = rpc_queued(c);
    }
    if (!send_left)
        rpc_finish(c);
}

static void watch(struct rpc_call *c, const ProtobufCMessage *request, void *service)
{
    const Pb__WatchRequest *r = (const Pb__WatchRequest *)request;
    (void)service;
    watching = c;
    rpc_on_close(c, on_watch_closed, NULL);
    if (r->include_old_object) {
        rpc_on_drain(c, produce, NULL);
        produce(c, NULL);
    }
}

static void publish(struct rpc_call *c, const ProtobufCMessage *request, void *service)
{
    const Pb__PublishLogsMessage *m = (const Pb__PublishLogsMessage *)request;
    Pb__PublishLogsResponse res = PB__PUBLISH_LOGS_RESPONSE__INIT;
    (void)service;
    handled++;
    if (!m) {
        rpc_reply(c, &res.base);
        return;
    }
    if (strcmp(m->subscription_id, "stop") == 0) {
        rpc_fail(c, RPC_NOT_FOUND, "no such subscription");
        return;
    }
    uploaded_messages++;
    uploaded_bytes += strlen(m->subscription_id);
}

static bool request_was_secret;
static const uint8_t *seen_at;

static void create_secret(struct rpc_call *c, const ProtobufCMessage *request, void *service)
{
    const Pb__CreateSecretRequest *r = (const Pb__CreateSecretRequest *)request;
    Pb__CreateSecretResponse res = PB__CREATE_SECRET_RESPONSE__INIT;
    (void)service;
    request_was_secret = secret_owns(r) && secret_owns(r->spec) &&
                         secret_owns(r->spec->data.data) &&
                         memcmp(r->spec->data.data, "open sesame", 11) == 0;
    seen_at = r->spec->data.data;
    rpc_reply(c, &res.base);
}

static void assignments(struct rpc_call *c, const ProtobufCMessage *request, void *service)
{
    Pb__AssignmentsMessage m = PB__ASSIGNMENTS_MESSAGE__INIT;
    char id[] = "result";
    (void)request, (void)service;
    m.results_in = id;
    EXPECT_INT(rpc_send(c, &m.base), 0);
    rpc_finish(c);
    EXPECT_INT(rpc_send(c, &m.base), -EPIPE);
}

static const struct rpc_handler handlers[] = {
    {&rpc_method_watch_watch, watch},
    {&rpc_method_log_broker_publish_logs, publish},
    {&rpc_method_control_create_secret, create_secret},
    {&rpc_method_dispatcher_assignments, assignments},
};
enum { HANDLERS = sizeof(handlers) / sizeof(*handlers) };

struct flow {
    bool ended;
    int messages;
    size_t bytes;
    struct rpc_status st;
    bool secret;
};

static void on_event(void *arg, ProtobufCMessage *m)
{
    struct flow *w = arg;
    Pb__WatchMessage *wm = (Pb__WatchMessage *)m;
    w->messages++;
    w->bytes += strlen(wm->events[0]->object->node->id);
}

static void on_end(void *arg, const struct rpc_status *st)
{
    struct flow *w = arg;
    EXPECT(!w->ended);
    w->ended = true;
    w->st = *st;
}

static struct rpc_pending *open_watch(struct fixture *f, bool produced, struct flow *w)
{
    Pb__WatchRequest r = PB__WATCH_REQUEST__INIT;
    r.include_old_object = produced;
    return rpc_open(f->client, &rpc_method_watch_watch, &r.base, 0, on_event, on_end, w);
}

static void a_stream_brings_every_message_and_then_its_status(void)
{
    struct fixture f = {0};
    struct flow w = {0};
    fixture_open(&f, handlers, HANDLERS, NULL);
    closes = 0;
    open_watch(&f, false, &w);
    fixture_turn(&f, 10);
    REQUIRE(watching);
    for (int i = 0; i < 100; i++)
        EXPECT_INT(send_event(watching, (size_t)i), 0);
    rpc_fail(watching, RPC_ABORTED, "that is all");
    EXPECT(fixture_wait(&f, &w.ended));
    EXPECT_INT(w.messages, 100);
    EXPECT_INT(w.bytes, 99 * 100 / 2);
    EXPECT_INT(w.st.code, RPC_ABORTED);
    EXPECT_STR(w.st.message, "that is all");
    EXPECT_INT(closes, 1);
    fixture_close(&f);
}

static void a_producer_that_heeds_the_queue_never_fills_it(void)
{
    struct fixture f = {0};
    struct flow w = {0};
    fixture_open(&f, handlers, HANDLERS, NULL);
    send_left = 100;
    drains = 0;
    highest = 0;
    open_watch(&f, true, &w);
    EXPECT(fixture_wait(&f, &w.ended));
    EXPECT_INT(w.messages, 100);
    EXPECT_INT(w.bytes, 100 * (size_t)BIG);
    EXPECT_INT(w.st.code, RPC_OK);
    EXPECT(drains > 10);
    EXPECT(highest < 2 << 20);
    fixture_close(&f);
}

static void a_queue_that_nobody_reads_has_an_end(void)
{
    struct fixture f = {0};
    struct flow w = {0};
    int r = 0, sent = 0;
    fixture_open(&f, handlers, HANDLERS, NULL);
    open_watch(&f, false, &w);
    fixture_turn(&f, 10);
    REQUIRE(watching);
    while (!r && sent < 1000) /* the loop does not turn */
        sent += (r = send_event(watching, BIG)) == 0;
    EXPECT_INT(r, -ENOBUFS);
    EXPECT_INT(sent, RPC_QUEUE_MAX / (BIG + 64));
    rpc_finish(watching);
    EXPECT(fixture_wait(&f, &w.ended));
    EXPECT_INT(w.messages, sent);
    fixture_close(&f);
}

static void a_watcher_that_goes_away_ends_the_servers_call(void)
{
    struct fixture f = {0};
    struct flow w = {0};
    fixture_open(&f, handlers, HANDLERS, NULL);
    closes = 0;
    struct rpc_pending *p = open_watch(&f, false, &w);
    fixture_turn(&f, 10);
    REQUIRE(watching);
    EXPECT_INT(send_event(watching, 10), 0);
    rpc_cancel(p);
    fixture_turn(&f, 20);
    EXPECT_INT(closes, 1);
    EXPECT_INT(w.messages, 0);
    EXPECT(!w.ended);
    fixture_close(&f);
    EXPECT(!w.ended);
}

static struct fixture *cancel_in;
static struct rpc_pending *cancel_what;
static void cancel_at_first(void *arg, ProtobufCMessage *m)
{
    on_event(arg, m);
    rpc_cancel(cancel_what);
}

static void a_call_may_be_cancelled_from_its_own_message(void)
{
    struct fixture f = {0};
    struct flow w = {0};
    Pb__WatchRequest r = PB__WATCH_REQUEST__INIT;
    r.include_old_object = true;
    send_left = 50;
    fixture_open(&f, handlers, HANDLERS, NULL);
    cancel_in = &f;
    cancel_what =
        rpc_open(f.client, &rpc_method_watch_watch, &r.base, 0, cancel_at_first, on_end, &w);
    fixture_turn(&f, 50);
    EXPECT_INT(w.messages, 1);
    EXPECT(!w.ended);
    fixture_close(&f);
}

static void on_uploaded(void *arg, const struct rpc_status *st, ProtobufCMessage *m)
{
    struct answer *a = arg;
    a->done = true;
    a->st = *st;
    a->size = m != NULL;
}

static int push_text(struct rpc_pending *p, const char *text)
{
    Pb__PublishLogsMessage m = PB__PUBLISH_LOGS_MESSAGE__INIT;
    char copy[64];
    snprintf(copy, sizeof(copy), "%s", text);
    m.subscription_id = copy;
    return rpc_push(p, &m.base);
}

static void an_upload_arrives_message_by_message(void)
{
    struct fixture f = {0};
    struct answer a = {0};
    fixture_open(&f, handlers, HANDLERS, NULL);
    uploaded_messages = uploaded_bytes = 0;
    struct rpc_pending *p =
        rpc_open_upload(f.client, &rpc_method_log_broker_publish_logs, 0, on_uploaded, &a);
    for (int i = 0; i < 1000; i++)
        EXPECT_INT(push_text(p, "0123456789"), 0);
    fixture_turn(&f, 20);
    EXPECT_INT(uploaded_messages, 1000);
    EXPECT(!a.done);
    rpc_push_end(p);
    EXPECT_INT(push_text(p, "late"), -EPIPE);
    EXPECT(fixture_wait(&f, &a.done));
    EXPECT_INT(a.st.code, RPC_OK);
    EXPECT_INT(a.size, 1);
    EXPECT_INT(uploaded_bytes, 10000);
    fixture_close(&f);
}

static void a_server_may_refuse_an_upload_in_the_middle(void)
{
    struct fixture f = {0};
    struct answer a = {0};
    fixture_open(&f, handlers, HANDLERS, NULL);
    handled = 0;
    struct rpc_pending *p =
        rpc_open_upload(f.client, &rpc_method_log_broker_publish_logs, 0, on_uploaded, &a);
    EXPECT_INT(push_text(p, "a"), 0);
    EXPECT_INT(push_text(p, "stop"), 0);
    EXPECT_INT(push_text(p, "b"), 0);
    EXPECT(fixture_wait(&f, &a.done));
    EXPECT_INT(a.st.code, RPC_NOT_FOUND);
    EXPECT_INT(handled, 2);
    fixture_close(&f);
}

static bool arena_holds(const char *text, size_t n)
{
    /* the pages a secret lay in are still mapped, and must read as nothing */
    return memcmp(seen_at, text, n) == 0;
}

static void a_secret_request_is_unpacked_into_secret_memory_and_wiped(void)
{
    struct fixture f = {0};
    struct answer a = {0};
    Pb__CreateSecretRequest r = PB__CREATE_SECRET_REQUEST__INIT;
    Pb__SecretSpec spec = PB__SECRET_SPEC__INIT;
    char data[] = "open sesame";
    r.spec = &spec;
    spec.data = (ProtobufCBinaryData){11, (uint8_t *)data};
    fixture_open(&f, handlers, HANDLERS, NULL);
    request_was_secret = false;
    rpc_start(f.client, &rpc_method_control_create_secret, &r.base, 0, on_uploaded, &a);
    EXPECT(fixture_wait(&f, &a.done));
    EXPECT_INT(a.st.code, RPC_OK);
    EXPECT(request_was_secret);
    fixture_close(&f);
#ifndef __SANITIZE_ADDRESS__ /* which poisons what was freed */
    EXPECT(!arena_holds("open sesame", 11));
#else
    (void)arena_holds;
#endif
}

static void on_assignment(void *arg, ProtobufCMessage *m)
{
    struct flow *w = arg;
    w->messages++;
    w->secret = secret_owns(m) && secret_owns(((Pb__AssignmentsMessage *)m)->results_in);
}

static void a_secret_response_is_unpacked_into_secret_memory(void)
{
    struct fixture f = {0};
    struct flow w = {0};
    Pb__AssignmentsRequest r = PB__ASSIGNMENTS_REQUEST__INIT;
    fixture_open(&f, handlers, HANDLERS, NULL);
    rpc_open(f.client, &rpc_method_dispatcher_assignments, &r.base, 0, on_assignment, on_end, &w);
    EXPECT(fixture_wait(&f, &w.ended));
    EXPECT_INT(w.messages, 1);
    EXPECT(w.secret);
    fixture_close(&f);
}

/* ---- strangers ---- */
static void garbage_closes_the_connection_and_harms_nobody_else(void)
{
    static const char preface[] = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
    static const char *const junk[] = {
        "GET / HTTP/1.1\r\nHost: x\r\n\r\n",
        "\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0",
        "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\nxxxxxxxxxxxxxxxxxxxxxxxxxxxx",
    };
    struct fixture f = {0};
    fixture_open(&f, handlers, HANDLERS, NULL);
    for (size_t i = 0; i < sizeof(junk) / sizeof(*junk); i++) {
        int fd = fixture_connect(f.path);
        size_t n = i == 1 ? 24 : strlen(junk[i]);
        EXPECT_INT(send(fd, junk[i], n, MSG_NOSIGNAL), (ssize_t)n);
        fixture_turn(&f, 20);
        char buf[4096];
        ssize_t got;
        while ((got = recv(fd, buf, sizeof(buf), MSG_DONTWAIT)) > 0)
            ;
        EXPECT_INT(got, 0); /* closed */
        close(fd);
    }
    int idle = fixture_connect(f.path);
    EXPECT(send(idle, preface, 10, MSG_NOSIGNAL) == 10);
    close(idle);
    struct flow w = {0};
    send_left = 1;
    open_watch(&f, true, &w);
    EXPECT(fixture_wait(&f, &w.ended));
    EXPECT_INT(w.st.code, RPC_OK);
    fixture_close(&f);
}

static void a_server_that_talks_garbage_makes_the_call_unavailable(void)
{
    struct fixture f = {0};
    struct flow w = {0};
    fixture_open(&f, handlers, HANDLERS, NULL);
    fixture_stop_server(&f);
    int listener = fixture_socket(f.path);
    open_watch(&f, false, &w);
    fixture_turn(&f, 10);
    int fd = accept(listener, NULL, NULL);
    EXPECT(fd >= 0);
    EXPECT(send(fd, "HTTP/1.1 400 Bad Request\r\n\r\n", 28, MSG_NOSIGNAL) == 28);
    EXPECT(fixture_wait(&f, &w.ended));
    EXPECT_INT(w.st.code, RPC_UNAVAILABLE);
    EXPECT(strstr(w.st.message, f.path) != NULL);
    close(fd);
    close(listener);
    fixture_close(&f);
}

static void a_connection_cut_in_the_middle_of_a_stream_is_unavailable(void)
{
    struct fixture f = {0};
    struct flow w = {0};
    fixture_open(&f, handlers, HANDLERS, NULL);
    closes = 0;
    open_watch(&f, false, &w);
    fixture_turn(&f, 10);
    REQUIRE(watching);
    EXPECT_INT(send_event(watching, 100), 0);
    fixture_turn(&f, 10);
    fixture_stop_server(&f);
    EXPECT(fixture_wait(&f, &w.ended));
    EXPECT_INT(w.messages, 1);
    EXPECT_INT(w.st.code, RPC_UNAVAILABLE);
    EXPECT_INT(closes, 1);
    fixture_close(&f);
}

int main(void)
{
    struct err e = {0};
    if (secret_arena_open(16 << 20, &e)) {
        printf("# %s\n", e.text);
        return 2;
    }
    TEST(a_stream_brings_every_message_and_then_its_status);
    TEST(a_producer_that_heeds_the_queue_never_fills_it);
    TEST(a_queue_that_nobody_reads_has_an_end);
    TEST(a_watcher_that_goes_away_ends_the_servers_call);
    TEST(a_call_may_be_cancelled_from_its_own_message);
    TEST(an_upload_arrives_message_by_message);
    TEST(a_server_may_refuse_an_upload_in_the_middle);
    TEST(a_secret_request_is_unpacked_into_secret_memory_and_wiped);
    TEST(a_secret_response_is_unpacked_into_secret_memory);
    TEST(garbage_closes_the_connection_and_harms_nobody_else);
    TEST(a_server_that_talks_garbage_makes_the_call_unavailable);
    TEST(a_connection_cut_in_the_middle_of_a_stream_is_unavailable);
    return check_done();
}
