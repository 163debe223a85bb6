/* bench/rpc_bench.c - how fast is rpc over a unix socket: a server in a child process, a client
 * here.
 *
 * Prints one line a measure: unary one at a time, unary 64 in flight, a list of 10,000 objects, a
 * stream of 500 KiB secrets. */
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/mem.h"
#include "base/secret.h"
#include "proto/control.pb-c.h"
#include "proto/dispatcher.pb-c.h"
#include "rpc/methods.h"
#include "rpc/rpc.h"

enum { LIST = 10000, STREAM = 200, PAYLOAD = 500 << 10, ROUNDS = 20000 };

static void get_node(struct rpc_call *c, const ProtobufCMessage *m, void *arg)
{
    Pb__GetNodeResponse res = PB__GET_NODE_RESPONSE__INIT;
    Pb__Node n = PB__NODE__INIT;
    (void)arg;
    n.id = ((const Pb__GetNodeRequest *)m)->node_id;
    res.node = &n;
    rpc_reply(c, &res.base);
}

static Pb__Secret *secrets[LIST];

static void list_secrets(struct rpc_call *c, const ProtobufCMessage *m, void *arg)
{
    Pb__ListSecretsResponse res = PB__LIST_SECRETS_RESPONSE__INIT;
    (void)m, (void)arg;
    res.n_secrets = LIST;
    res.secrets = secrets;
    rpc_reply(c, &res.base);
}

static void make_secrets(void)
{
    for (int i = 0; i < LIST; i++) {
        Pb__Secret *s = NEW(Pb__Secret);
        pb__secret__init(s);
        s->id = mem_str("0123456789abcdefghijklmno");
        s->spec = NEW(Pb__SecretSpec);
        pb__secret_spec__init(s->spec);
        s->spec->annotations = NEW(Pb__Annotations);
        pb__annotations__init(s->spec->annotations);
        s->spec->annotations->name = mem_printf("a-secret-with-a-name-of-usual-length-%d", i);
        s->spec->annotations->n_labels = 4;
        s->spec->annotations->labels = mem_array(4, sizeof(void *));
        for (int k = 0; k < 4; k++) {
            Pb__Annotations__LabelsEntry *l = NEW(Pb__Annotations__LabelsEntry);
            pb__annotations__labels_entry__init(l);
            l->key = mem_printf("org.example.label.number.%d", k);
            l->value = mem_str("a value of the label that is a bit longer than its key");
            s->spec->annotations->labels[k] = l;
        }
        secrets[i] = s;
    }
}

static int left;
static void produce(struct rpc_call *c, void *arg)
{
    Pb__AssignmentsMessage m = PB__ASSIGNMENTS_MESSAGE__INIT;
    Pb__AssignmentChange ch = PB__ASSIGNMENT_CHANGE__INIT, *chs[] = {&ch};
    Pb__Assignment a = PB__ASSIGNMENT__INIT;
    Pb__Secret s = PB__SECRET__INIT;
    Pb__SecretSpec spec = PB__SECRET_SPEC__INIT;
    static uint8_t payload[PAYLOAD];
    (void)arg;
    spec.data = (ProtobufCBinaryData){PAYLOAD, payload};
    s.spec = &spec;
    a.item_case = PB__ASSIGNMENT__ITEM_SECRET;
    a.secret = &s;
    ch.assignment = &a;
    m.changes = chs;
    m.n_changes = 1;
    while (left && rpc_queued(c) < 2 << 20) {
        if (rpc_send(c, &m.base))
            abort();
        left--;
    }
    if (!left)
        rpc_finish(c);
}

static void assignments(struct rpc_call *c, const ProtobufCMessage *m, void *arg)
{
    (void)m, (void)arg;
    left = STREAM;
    rpc_on_drain(c, produce, NULL);
    produce(c, NULL);
}

static const struct rpc_handler handlers[] = {
    {&rpc_method_control_get_node, get_node},
    {&rpc_method_control_list_secrets, list_secrets},
    {&rpc_method_dispatcher_assignments, assignments},
};

static int serve(int fd)
{
    uv_loop_t loop;
    struct rpc_server *s;
    uint32_t uid = getuid();
    uv_loop_init(&loop);
    make_secrets();
    if (rpc_server_new(&loop, &s, NULL) || rpc_server_listen_fd(s, fd, &uid, 1, NULL))
        return 1;
    rpc_server_add(s, handlers, 3, NULL);
    return uv_run(&loop, UV_RUN_DEFAULT);
}

static uv_loop_t loop;
static struct rpc_client *client;
static int to_start, running;
static int64_t *took, ntook;

struct one {
    int64_t start;
};
static void start_one(struct one *o);

static void on_node(void *arg, const struct rpc_status *st, ProtobufCMessage *m)
{
    struct one *o = arg;
    if (st->code || !m)
        abort();
    took[ntook++] = clock_mono_ns() - o->start;
    running--;
    start_one(o);
}

static void start_one(struct one *o)
{
    Pb__GetNodeRequest r = PB__GET_NODE_REQUEST__INIT;
    char id[] = "0123456789abcdefghijklmno";
    if (!to_start)
        return;
    to_start--;
    running++;
    o->start = clock_mono_ns();
    r.node_id = id;
    rpc_start(client, &rpc_method_control_get_node, &r.base, 5000, on_node, o);
}

static int cmp(const void *a, const void *b)
{
    int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;
    return x < y ? -1 : x > y;
}

static void unary(int in_flight)
{
    static struct one ones[1024];
    int64_t start = clock_mono_ns();
    to_start = ROUNDS;
    ntook = 0;
    for (int i = 0; i < in_flight; i++)
        start_one(&ones[i]);
    while (running)
        uv_run(&loop, UV_RUN_ONCE);
    double s = (double)(clock_mono_ns() - start) / 1e9;
    qsort(took, ROUNDS, sizeof(*took), cmp);
    printf("unary, %4d in flight: %8.0f/s  p50 %6.1f us  p99 %7.1f us\n", in_flight, ROUNDS / s,
           (double)took[ROUNDS / 2] / 1e3, (double)took[ROUNDS * 99 / 100] / 1e3);
}

static bool done;
static size_t bytes;
static void on_list(void *arg, const struct rpc_status *st, ProtobufCMessage *m)
{
    (void)arg;
    if (st->code || !m)
        abort();
    bytes = protobuf_c_message_get_packed_size(m);
    done = true;
}

static void list(void)
{
    Pb__ListSecretsRequest r = PB__LIST_SECRETS_REQUEST__INIT;
    int64_t best = INT64_MAX;
    for (int i = 0; i < 20; i++) {
        int64_t start = clock_mono_ns();
        done = false;
        rpc_start(client, &rpc_method_control_list_secrets, &r.base, 0, on_list, NULL);
        while (!done)
            uv_run(&loop, UV_RUN_ONCE);
        int64_t t = clock_mono_ns() - start;
        best = t < best ? t : best;
    }
    printf("list of %d (%.1f MB): best of 20 %.1f ms\n", LIST, (double)bytes / 1e6,
           (double)best / 1e6);
}

static void on_message(void *arg, ProtobufCMessage *m)
{
    (void)arg;
    bytes += ((Pb__AssignmentsMessage *)m)->changes[0]->assignment->secret->spec->data.len;
}

static void on_end(void *arg, const struct rpc_status *st)
{
    (void)arg;
    if (st->code)
        abort();
    done = true;
}

static void stream(void)
{
    Pb__AssignmentsRequest r = PB__ASSIGNMENTS_REQUEST__INIT;
    int64_t start = clock_mono_ns();
    done = false;
    bytes = 0;
    rpc_open(client, &rpc_method_dispatcher_assignments, &r.base, 0, on_message, on_end, NULL);
    while (!done)
        uv_run(&loop, UV_RUN_ONCE);
    double s = (double)(clock_mono_ns() - start) / 1e9;
    printf("stream of %d secrets of 500 KiB: %.0f MB/s\n", STREAM, (double)bytes / 1e6 / s);
}

int main(void)
{
    struct sockaddr_un a = {.sun_family = AF_UNIX};
    struct err e = {0};
    snprintf(a.sun_path, sizeof(a.sun_path), "/tmp/rpc-bench-%d", getpid());
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (bind(fd, (struct sockaddr *)&a, sizeof(a)) || listen(fd, 16))
        return 1;
    pid_t child = fork();
    if (secret_arena_open(32 << 20, &e)) {
        fprintf(stderr, "%s\n", e.text);
        return 1;
    }
    if (child == 0)
        return serve(fd);
    close(fd);
    took = mem_array(ROUNDS, sizeof(*took));
    uv_loop_init(&loop);
    if (rpc_client_new(&loop, a.sun_path, &client, &e))
        return 1;
    unary(1);
    unary(64);
    unary(1000);
    list();
    stream();
    kill(child, SIGTERM);
    waitpid(child, NULL, 0);
    unlink(a.sun_path);
    return 0;
}
