/* unit/api/test_api.c - the whole room over real sockets, against a manager that is a few lines
 * long: routing, versions, secrets, lookups, errors. */
#include "lib/check.h"

#include <errno.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>
#include "api/api.h"
#include "base/clock.h"
#include "base/id.h"
#include "base/secret.h"
#include "base/str.h"
#include "model/pb.h"
#include "proto/control.pb-c.h"
#include "rpc/methods.h"
#include "unit/api/fake_manager.h"

static uv_loop_t loop;
static struct api *api;
static struct rpc_server *server;
static struct rpc_client *client;
static char api_path[64], rpc_path[64];
static enum api_node_state state = API_NODE_ACTIVE;
static bool is_manager = true;

/* ---- the node ---- */

static void get_node(void *arg, struct api_node *ret)
{
    (void)arg;
    *ret = (struct api_node){.state = state,
                             .manager = is_manager,
                             .node_id = "n",
                             .node_addr = "127.0.0.1",
                             .error = ""};
}

static char init_seen[256];
static void init_swarm(void *arg, const Keep__InitRequest *rq, bool force, api_on_outcome done,
                       void *done_arg)
{
    struct api_outcome o = {.node_id = "r1qd74dtmsforgvfestfw0uw5"};
    (void)arg, (void)force;
    snprintf(init_seen, sizeof(init_seen), "%s %s %s", rq->listen_addr, rq->advertise_addr,
             rq->spec->annotations->name);
    done(done_arg, &o);
}

/* ---- the client ---- */

static char got[1 << 20];

static int dial(const char *path)
{
    struct sockaddr_un sa = {.sun_family = AF_UNIX};
    snprintf(sa.sun_path, sizeof(sa.sun_path), "%s", path);
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (connect(fd, (struct sockaddr *)&sa, sizeof(sa)) != 0)
        perror("connect");
    return fd;
}

/* Sends a request on a connection of its own, runs the loop until the answer ended. The whole
 * answer is in got; its status is returned. */
static int ask_with(const char *method, const char *path, const char *header, const char *body)
{
    int fd = dial(api_path);
    size_t n = 0;
    AUTO_FREE char *rq = mem_printf(
        "%s %s HTTP/1.1\r\nHost: x\r\nConnection: close\r\n%sContent-Length: %zu\r\n\r\n%s", method,
        path, header, body ? strlen(body) : 0, body ? body : "");
    size_t len = strlen(rq), sent = 0;
    got[0] = '\0';
    for (int64_t end = clock_mono_ns() + 5 * NS_PER_SEC; clock_mono_ns() < end;) {
        if (sent < len) {
            ssize_t w = send(fd, rq + sent, len - sent, MSG_DONTWAIT | MSG_NOSIGNAL);
            sent += w > 0 ? (size_t)w : 0;
        }
        uv_run(&loop, UV_RUN_NOWAIT);
        ssize_t r = recv(fd, got + n, sizeof(got) - 1 - n, MSG_DONTWAIT);
        if (r == 0)
            break;
        n += r > 0 ? (size_t)r : 0;
        got[n] = '\0';
    }
    close(fd);
    return n > 12 ? atoi(got + 9) : -1;
}

static int ask(const char *method, const char *path, const char *body)
{
    return ask_with(method, path, "", body);
}

static const char *body_of_answer(void)
{
    char *at = strstr(got, "\r\n\r\n");
    return at ? at + 4 : "";
}

static void expect_error(const char *method, const char *path, const char *body, int status,
                         const char *words)
{
    AUTO_FREE char *want = mem_printf("{\"message\":\"%s\"}\n", words);
    EXPECT_INT(ask(method, path, body), status);
    EXPECT_STR(body_of_answer(), want);
}

/* ---- the behaviour ---- */

static void ping_says_versions_and_the_state_of_the_swarm(void)
{
    EXPECT_INT(ask("GET", "/_ping", NULL), 200);
    EXPECT_STR(body_of_answer(), "OK");
    EXPECT(strstr(got, "Api-Version: 1.44\r\n") && strstr(got, "Swarm: active/manager\r\n") &&
           strstr(got, "Ostype: linux\r\n") && strstr(got, "Docker-Experimental: false\r\n") &&
           strstr(got, "Pragma: no-cache\r\n"));
    EXPECT_INT(ask("HEAD", "/_ping", NULL), 200);
    EXPECT(strstr(got, "Content-Length: 0\r\n"));
    EXPECT_STR(body_of_answer(), "");
}

static void unknown_paths_and_methods_are_404_without_common_headers(void)
{
    static const char *const paths[][2] = {{"GET", "/v1.41/nope"}, {"PUT", "/secrets"},
                                           {"GET", "/secrets/"},   {"GET", "/secrets/a%2Fb"},
                                           {"GET", "/"},           {"GET", "/V1.41/info"}};
    for (size_t i = 0; i < sizeof(paths) / sizeof(*paths); i++) {
        EXPECT_INT(ask(paths[i][0], paths[i][1], NULL), 404);
        EXPECT_STR(body_of_answer(), "{\"message\":\"page not found\"}\n");
        EXPECT(!strstr(got, "Api-Version") && strstr(got, "Content-Type: application/json"));
    }
}

static void unclean_paths_are_redirected_and_options_are_empty(void)
{
    EXPECT_INT(ask("GET", "/v1.41//version", NULL), 301);
    EXPECT(strstr(got, "Location: /v1.41/version\r\n"));
    EXPECT_INT(ask("OPTIONS", "/anything", NULL), 200);
    EXPECT_STR(body_of_answer(), "");
}

static void versions_outside_the_range_are_refused(void)
{
    EXPECT_INT(ask("GET", "/v1.99/version", NULL), 400);
    EXPECT_STR(body_of_answer(), "{\"message\":\"client version 1.99 is too new. Maximum supported "
                                 "API version is 1.44\"}\n");
    EXPECT_INT(ask("GET", "/v1.11/version", NULL), 400);
    EXPECT_STR(body_of_answer(), "client version 1.11 is too old. Minimum supported API version is "
                                 "1.24, please upgrade your client to a newer version\n");
    EXPECT_INT(ask("GET", "/v1.24/version", NULL), 200);
    EXPECT_INT(ask("GET", "/v1.99/nope", NULL), 404);
}

static void a_secret_is_created_through_locked_memory(void)
{
    EXPECT_INT(ask("POST", "/v1.41/secrets/create",
                   "{\"Name\":\"db_pwd\",\"Labels\":{},\"Data\":\"cGF5bG9hZA==\"}\n"),
               201);
    EXPECT(strncmp(body_of_answer(), "{\"ID\":\"", 7) == 0);
    EXPECT(last_len == 7 && memcmp(last_data, "payload", 7) == 0);
    EXPECT(data_was_locked);
}

static void bad_secrets_are_refused_in_the_engines_words(void)
{
    expect_error("POST", "/secrets/create", "{\"Name\":\"r3\",\"Data\":\"aGk\"}", 400,
                 "illegal base64 data at input byte 0");
    expect_error("POST", "/secrets/create", "{nope", 400,
                 "invalid character 'n' looking for beginning of object key string");
    expect_error("POST", "/secrets/create", "", 400, "got EOF while reading request body");
    expect_error("POST", "/secrets/create", "[]", 400,
                 "json: cannot unmarshal array into Go value of type swarm.SecretSpec");
    expect_error(
        "POST", "/secrets/create", "{\"Name\":5,\"Data\":\"eA==\"}", 400,
        "json: cannot unmarshal number into Go struct field SecretSpec.Name of type string");
    expect_error("POST", "/secrets/create", "{\"Name\":\"r7\",\"Labels\":[],\"Data\":\"eA==\"}",
                 400,
                 "json: cannot unmarshal array into Go struct field SecretSpec.Labels of type "
                 "map[string]string");
    expect_error("POST", "/secrets/create", "{\"Name\":\"r6\"}", 400,
                 "rpc error: code = InvalidArgument desc = secret data must be larger than 0 and "
                 "less than 512000 bytes");
}

static void a_secret_too_large_is_refused_by_the_manager_whatever_its_size(void)
{
    static const size_t sizes[] = {512000, 512001, 700000, 1024000};
    for (size_t i = 0; i < 4; i++) {
        size_t n = (sizes[i] + 2) / 3 * 4;
        AUTO_FREE char *body = mem_new(n + 64);
        size_t at = (size_t)snprintf(body, 64, "{\"Name\":\"big\",\"Data\":\"");
        memset(body + at, 'Q', n);
        memcpy(body + at + n, "\"}", 3);
        expect_error("POST", "/secrets/create", body, 400,
                     "rpc error: code = InvalidArgument desc = secret data must be larger than 0 "
                     "and less than 512000 bytes");
    }
}

static void a_secret_is_found_by_name_with_one_call(void)
{
    list_calls = get_calls = 0;
    EXPECT_INT(ask("GET", "/v1.41/secrets/DB_PWD", NULL), 200);
    EXPECT(strstr(got, "\"Spec\":{\"Name\":\"db_pwd\",\"Labels\":{}}"));
    EXPECT_INT(list_calls, 1);
    EXPECT_INT(get_calls, 0);
}

static void a_secret_is_found_by_id_and_by_prefix(void)
{
    list_calls = get_calls = 0;
    AUTO_FREE char *by_id = mem_printf("/secrets/%s", secrets[0]->id),
                   *by_prefix = mem_printf("/secrets/%.20s", secrets[0]->id);
    EXPECT_INT(ask("GET", by_id, NULL), 200);
    EXPECT_INT(get_calls, 1);
    EXPECT_INT(list_calls, 0);
    EXPECT_INT(ask("GET", by_prefix, NULL), 200);
    expect_error("GET", "/secrets/nope", NULL, 404, "secret nope not found");
    expect_error("GET", "/secrets/aaaaaaaaaaaaaaaaaaaaaaaaa", NULL, 404,
                 "secret aaaaaaaaaaaaaaaaaaaaaaaaa not found");
}

static void an_ambiguous_prefix_is_refused_and_a_name_beats_it(void)
{
    Pb__Secret *a = PB_NEW(Secret, secret), *b = PB_NEW(Secret, secret);
    pb_str(&a->id, "kkkaaaaaaaaaaaaaaaaaaaaaa");
    pb_str(&b->id, "kkkbbbbbbbbbbbbbbbbbbbbbb");
    a->spec = PB_NEW(SecretSpec, secret_spec);
    b->spec = PB_NEW(SecretSpec, secret_spec);
    a->spec->annotations = PB_NEW(Annotations, annotations);
    b->spec->annotations = PB_NEW(Annotations, annotations);
    pb_str(&a->spec->annotations->name, "one");
    pb_str(&b->spec->annotations->name, "kkk");
    secrets[nsecrets++] = a;
    secrets[nsecrets++] = b;
    expect_error("GET", "/secrets/kk", NULL, 400, "secret kk is ambiguous (2 matches found)");
    EXPECT_INT(ask("GET", "/secrets/kkk", NULL), 200);
    EXPECT(strstr(got, "kkkbbb"));
}

static void lists_are_filtered(void)
{
    EXPECT_INT(ask("GET", "/secrets?filters=%7B%22name%22%3A%7B%22one%22%3Atrue%7D%7D", NULL), 200);
    EXPECT(strstr(got, "\"one\"") && !strstr(got, "db_pwd"));
    EXPECT_INT(ask("GET", "/secrets?filters=%7B%22label%22%3A%5B%22x%22%5D%7D", NULL), 200);
    EXPECT_STR(body_of_answer(), "[]\n");
    expect_error("GET", "/secrets?filters=%7B%22nope%22%3A%5B%221%22%5D%7D", NULL, 400,
                 "Invalid filter 'nope'");
}

static void what_the_manager_says_has_its_prefix(void)
{
    expect_error("DELETE", "/secrets/db_pwd", NULL, 400,
                 "rpc error: code = InvalidArgument desc = secret 'a' is in use by the following "
                 "service: redis");
    expect_error("POST", "/secrets/db_pwd/update?version=11",
                 "{\"Name\":\"db_pwd\",\"Data\":\"eA==\"}", 500,
                 "rpc error: code = Unknown desc = update out of sequence");
    EXPECT(data_was_locked && last_len == 1);
    expect_error("POST", "/secrets/db_pwd/update?version=-1", "{\"Name\":\"db_pwd\"}", 400,
                 "invalid secret version");
    expect_error("POST", "/secrets/nope/update?version=1", "{\"Name\":\"x\"}", 404,
                 "secret nope not found");
    EXPECT_INT(ask("GET", "/configs", NULL), 501); /* this manager has none */
    expect_error("POST", "/swarm/update?version=x", "{}", 400,
                 "invalid swarm version 'x': strconv.ParseUint: parsing \\\"x\\\": invalid syntax");
    expect_error("POST", "/swarm/update?version=1&rotateWorkerToken=maybe", "{}", 400,
                 "invalid value for rotateWorkerToken: maybe");
}

static void a_node_outside_a_swarm_says_so(void)
{
    state = API_NODE_INACTIVE;
    is_manager = false;
    api_node_changed(api);
    expect_error("GET", "/secrets", NULL, 503,
                 "This node is not a swarm manager. Use \\\"docker swarm init\\\" or \\\"docker "
                 "swarm join\\\" to connect this node to swarm and try again.");
    EXPECT_INT(ask("POST", "/secrets/create", "{\"Name\":\"a\",\"Data\":\"eA==\"}"), 503);
    expect_error("POST", "/swarm/leave", NULL, 503, "This node is not part of a swarm");
    EXPECT_INT(ask("GET", "/_ping", NULL), 200);
    EXPECT(strstr(got, "Swarm: inactive\r\n"));
    state = API_NODE_ACTIVE;
    expect_error("GET", "/services", NULL, 503,
                 "This node is not a swarm manager. Worker nodes can't be used to view or modify "
                 "cluster state. Please run this command on a "
                 "manager node or promote the current node to a manager.");
    state = API_NODE_LOCKED;
    expect_error("GET", "/nodes", NULL, 503,
                 "Swarm is encrypted and needs to be unlocked before it can be used. Please use "
                 "\\\"docker swarm unlock\\\" to unlock it.");
}

static void init_checks_addresses_and_answers_the_node(void)
{
    static const char body[] =
        "{\"ListenAddr\":\"127.0.0.1:2377\",\"AdvertiseAddr\":\"%s\",\"Spec\":{\"Labels\":null},"
        "\"DefaultAddrPool\":[],\"SubnetSize\":24}";
    char text[512];
    state = API_NODE_INACTIVE;
    is_manager = false;
    snprintf(text, sizeof(text), body, "nosuchif0");
    expect_error("POST", "/swarm/init", text, 400,
                 "advertise address must be a non-zero IP address or network interface (with "
                 "optional port number)");
    snprintf(text, sizeof(text), body, "127.0.0.1");
    EXPECT_INT(ask("POST", "/swarm/init", text), 200);
    EXPECT_STR(body_of_answer(), "\"r1qd74dtmsforgvfestfw0uw5\"\n");
    EXPECT_STR(init_seen, "127.0.0.1:2377 127.0.0.1:2377 default");
    state = API_NODE_ACTIVE;
    is_manager = true;
    expect_error("POST", "/swarm/init", text, 503,
                 "This node is already part of a swarm. Use \\\"docker swarm leave\\\" to leave "
                 "this swarm and join another one.");
    EXPECT_INT(ask("POST", "/swarm/leave", NULL), 503);
    EXPECT(strstr(got, "Use `--force` to ignore this message. \""));
    api_node_changed(api);
}

static void info_and_version_are_whole_objects(void)
{
    EXPECT_INT(ask("GET", "/version", NULL), 200);
    EXPECT(strstr(got, "\"ApiVersion\":\"1.44\"") && strstr(got, "\"MinAPIVersion\":\"1.24\""));
    EXPECT_INT(ask("GET", "/info", NULL), 200);
    json_t *v = json_loads(strchr(body_of_answer(), '{'), JSON_DISABLE_EOF_CHECK, NULL);
    EXPECT_STR(json_string_value(json_object_get(json_object_get(v, "Swarm"), "LocalNodeState")),
               "active");
    EXPECT(strstr(got, "only as safe as this node's disk") != NULL);
    EXPECT_INT(strlen(json_string_value(json_object_get(v, "ID"))), 59);
    json_decref(v);
}

static void services_are_listed_with_their_status_and_shown_with_defaults(void)
{
    EXPECT_INT(ask("GET", "/services", NULL), 200);
    EXPECT(strstr(got, "service-one") && strstr(got, "service-two") &&
           !strstr(got, "ServiceStatus"));
    EXPECT_INT(ask("GET", "/services?status=true", NULL), 200);
    EXPECT(strstr(
        got, "\"ServiceStatus\":{\"RunningTasks\":3,\"DesiredTasks\":0,\"CompletedTasks\":0}}]"));
    EXPECT_INT(ask("GET", "/services?filters=%7B%22mode%22%3A%5B%22global%22%5D%7D", NULL), 200);
    EXPECT_STR(body_of_answer(), "[]\n");
    EXPECT_INT(ask("GET", "/services/two?insertDefaults=true", NULL), 200);
    EXPECT(strstr(got, "\"StopGracePeriod\":10000000000") &&
           strstr(got, "\"EndpointSpec\":{\"Mode\":\"vip\"}"));
    expect_error("GET", "/services/two?insertDefaults=perhaps", NULL, 400,
                 "invalid value for insertDefaults: perhaps");
    expect_error("POST", "/services/two/update?version=1&rollback=sideways",
                 "{\"TaskTemplate\":{\"ContainerSpec\":{\"Image\":\"i\"}}}", 400,
                 "unrecognized rollback option sideways");
    expect_error("POST", "/services/two/update", "{}", 400,
                 "invalid service version '': strconv.ParseUint: parsing \\\"\\\": invalid syntax");
}

static void a_client_that_leaves_takes_its_call_with_it(void)
{
    int fd = dial(api_path);
    static const char rq[] = "GET /nodes HTTP/1.1\r\nHost: x\r\n\r\n";
    EXPECT(send(fd, rq, sizeof(rq) - 1, 0) > 0);
    for (int i = 0; i < 100; i++) {
        uv_run(&loop, UV_RUN_NOWAIT);
        usleep(100);
    }
    close(fd);
    for (int i = 0; i < 100; i++) {
        uv_run(&loop, UV_RUN_NOWAIT);
        usleep(100);
    }
    EXPECT_INT(ask("GET", "/_ping", NULL), 200);
}

static void events_stream_and_end(void)
{
    EXPECT_INT(ask("GET", "/events?since=1&until=2", NULL), 200);
    EXPECT(strstr(got, "Transfer-Encoding: chunked"));
    expect_error("GET", "/events?since=5&until=2", NULL, 400,
                 "`since` time (5) cannot be after `until` time (2)");
    EXPECT_INT(ask("GET", "/events?since=x", NULL), 500);
}

static void what_there_is_none_of_is_said(void)
{
    EXPECT_INT(ask("GET", "/volumes", NULL), 200);
    EXPECT_STR(body_of_answer(), "{\"Volumes\":[],\"Warnings\":null}\n");
    EXPECT_INT(ask("GET", "/plugins", NULL), 200);
    EXPECT_INT(ask("GET", "/plugins/x/json", NULL), 404);
    expect_error("GET", "/volumes/web", NULL, 404, "get web: no such volume");
    expect_error("GET", "/distribution/UPPER/json", NULL, 400,
                 "invalid reference format: repository name must be lowercase");
    EXPECT_INT(ask("POST", "/swarm/join", "{}"), 503);
}

static int start(void)
{
    struct err e = {""};
    struct sockaddr_un a = {.sun_family = AF_UNIX}, b = a;
    const char *dir = check_tmpdir();
    uint32_t me = getuid();
    snprintf(api_path, sizeof(api_path), "%s/api", dir);
    snprintf(rpc_path, sizeof(rpc_path), "%s/rpc", dir);
    snprintf(a.sun_path, sizeof(a.sun_path), "%s", api_path);
    snprintf(b.sun_path, sizeof(b.sun_path), "%s", rpc_path);
    uv_loop_init(&loop);
    int afd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0),
        bfd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (bind(afd, (struct sockaddr *)&a, sizeof(a)) || listen(afd, 64) ||
        bind(bfd, (struct sockaddr *)&b, sizeof(b)) || listen(bfd, 64))
        return -1;
    if (rpc_server_new(&loop, &server, &e) != 0)
        return -1;
    rpc_server_add(server, handlers, sizeof(handlers) / sizeof(*handlers), NULL);
    if (rpc_server_listen_fd(server, bfd, &me, 1, &e) != 0 ||
        rpc_client_new(&loop, rpc_path, &client, &e) != 0)
        return -1;
    struct api_options o = {.loop = &loop,
                            .manager = client,
                            .data_root = "/var/lib/keep",
                            .node = {.get = get_node, .init = init_swarm}};
    if (api_new(&o, &api, &e) != 0)
        return -1;
    return api_listen_fd(api, afd, &e);
}

static void closing_leaves_nothing_behind(void)
{
    api_close(api);
    rpc_client_close(client);
    rpc_server_close(server, NULL, NULL);
    uv_run(&loop, UV_RUN_DEFAULT);
    EXPECT_INT(uv_loop_close(&loop), 0);
    for (size_t i = 0; i < nsecrets; i++)
        pb_free(secrets[i]);
}

int main(void)
{
    struct err e = {""};
    if (secret_arena_open(64 << 20, &e) != 0 || start() != 0) {
        printf("Bail out! %s\n", e.text);
        return 1;
    }
    TEST(ping_says_versions_and_the_state_of_the_swarm);
    TEST(unknown_paths_and_methods_are_404_without_common_headers);
    TEST(unclean_paths_are_redirected_and_options_are_empty);
    TEST(versions_outside_the_range_are_refused);
    TEST(a_secret_is_created_through_locked_memory);
    TEST(bad_secrets_are_refused_in_the_engines_words);
    TEST(a_secret_too_large_is_refused_by_the_manager_whatever_its_size);
    TEST(a_secret_is_found_by_name_with_one_call);
    TEST(a_secret_is_found_by_id_and_by_prefix);
    TEST(an_ambiguous_prefix_is_refused_and_a_name_beats_it);
    TEST(lists_are_filtered);
    TEST(what_the_manager_says_has_its_prefix);
    TEST(a_node_outside_a_swarm_says_so);
    TEST(init_checks_addresses_and_answers_the_node);
    TEST(info_and_version_are_whole_objects);
    TEST(services_are_listed_with_their_status_and_shown_with_defaults);
    TEST(a_client_that_leaves_takes_its_call_with_it);
    TEST(events_stream_and_end);
    TEST(what_there_is_none_of_is_said);
    TEST(closing_leaves_nothing_behind);
    return check_done();
}
