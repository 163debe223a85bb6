/* unit/http/test_server.c - the server against raw sockets: whole answers, streams, takeovers, bad
 * heads, clients that go away. */
#include "lib/check.h"

#include <errno.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>
#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "http/http.h"

static uv_loop_t loop;
static struct http_server *server;
static char unix_path[64];
static int tcp_port;
static char got[1 << 20];
static size_t ngot;

/* ---- what the server under test does ---- */

static int gone, freed, closed_raw;
static struct http_request *waiting, *stream;
static struct http_raw *raw;
static char pieces[4096];
static size_t npieces;
static bool piece_end;
static const char *wiped_at;

static void on_freed(void *data)
{
    freed++;
    if (data == waiting)
        waiting = NULL;
}
static void on_gone(void *arg, struct http_request *rq)
{
    (void)arg, (void)rq;
    gone++;
}
static void echo_body(struct http_request *rq, const char *p, size_t n)
{
    struct buf b = BUF_INIT(8 << 20);
    buf_printf(&b, "%zu:", n);
    buf_append(&b, p, n);
    http_reply(rq, 200, "text/plain", &b);
}
static int on_piece(struct http_request *rq, const char *p, size_t n)
{
    if (!p) {
        piece_end = true;
        http_reply_text(rq, 200, "text/plain", "pieces");
        return 0;
    }
    if (npieces + n < sizeof(pieces)) {
        memcpy(pieces + npieces, p, n);
        npieces += n;
    }
    wiped_at = p;
    return 0;
}
static int on_pausing_piece(struct http_request *rq, const char *p, size_t n)
{
    if (!p) {
        http_reply_text(rq, 200, "text/plain", "paused and done");
        return 0;
    }
    npieces += n;
    waiting = rq;
    return 1;
}
static void reply_pong(struct http_request *rq)
{
    http_reply_text(rq, 200, "text/plain", "pong");
}
static void wait_for_later(struct http_request *rq)
{
    waiting = rq;
}
static void big_answer(struct http_request *rq)
{
    struct buf b = BUF_INIT(8 << 20);
    for (int i = 0; i < 100000; i++)
        buf_str(&b, "0123456789");
    http_reply(rq, 200, "text/plain", &b);
}
static void begin_stream(struct http_request *rq)
{
    stream = rq;
    http_stream_begin(rq, 200, "application/json", 1 << 16);
}
static void raw_open(void *arg, struct http_raw *r)
{
    (void)arg;
    raw = r;
    http_raw_write(r, "hello ", 6);
}
static void raw_bytes(void *arg, const char *p, size_t n)
{
    (void)arg;
    if (n == 0)
        http_raw_write(raw, "[end]", 5);
    else
        http_raw_write(raw, p, n);
}
static void raw_closed(void *arg)
{
    (void)arg;
    raw = NULL;
    closed_raw++;
}
static void upgrade(struct http_request *rq)
{
    static const struct http_raw_callbacks cb = {raw_open, raw_bytes, NULL, raw_closed, NULL};
    http_upgrade(rq, "application/vnd.docker.raw-stream", &cb);
}
static void reply_query(struct http_request *rq)
{
    struct buf b = BUF_INIT(4096);
    const char *a = http_query(rq, "a"), *none = http_query(rq, "none");
    buf_printf(&b, "[%s][%s][%d][%s]", a ? a : "(null)", none ? none : "(null)",
               http_query_bool(rq, "t"), http_raw_path(rq));
    http_reply(rq, 200, "text/plain", &b);
}

static void on_request(void *arg, struct http_request *rq)
{
    (void)arg;
    const char *path = http_raw_path(rq);
    http_set_data(rq, rq, on_freed);
    http_on_gone(rq, on_gone, NULL);
    if (strcmp(path, "/echo") == 0)
        http_take_body(rq, 1 << 20, echo_body);
    else if (strcmp(path, "/pieces") == 0)
        http_take_pieces(rq, 1 << 20, true, on_piece);
    else if (strcmp(path, "/slow") == 0)
        http_take_pieces(rq, 1 << 20, false, on_pausing_piece);
    else if (strcmp(path, "/wait") == 0)
        http_take_none(rq, wait_for_later);
    else if (strcmp(path, "/big") == 0)
        http_take_none(rq, big_answer);
    else if (strcmp(path, "/stream") == 0)
        http_take_none(rq, begin_stream);
    else if (strcmp(path, "/raw") == 0)
        http_take_none(rq, upgrade);
    else if (strncmp(path, "/q", 2) == 0)
        http_take_none(rq, reply_query);
    else if (strcmp(path, "/plain") == 0) {
        http_plain(rq);
        http_reply_text(rq, 404, "application/json", "{}");
    } else
        http_take_none(rq, reply_pong);
}

/* ---- the client's side ---- */

static int dial_unix(void)
{
    struct sockaddr_un sa = {.sun_family = AF_UNIX};
    snprintf(sa.sun_path, sizeof(sa.sun_path), "%s", unix_path);
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (connect(fd, (struct sockaddr *)&sa, sizeof(sa)) != 0)
        perror("connect");
    return fd;
}

static int dial_tcp(void)
{
    struct sockaddr_in sa = {.sin_family = AF_INET,
                             .sin_port = htons((uint16_t)tcp_port),
                             .sin_addr = {htonl(INADDR_LOOPBACK)}};
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (connect(fd, (struct sockaddr *)&sa, sizeof(sa)) != 0)
        perror("connect");
    return fd;
}

static void turn(int ms)
{
    for (int64_t end = clock_mono_ns() + ms * NS_PER_MS; clock_mono_ns() < end;) {
        uv_run(&loop, UV_RUN_NOWAIT);
        usleep(200);
    }
}

/* Runs the loop until `want` has come (true), or the connection ended or two seconds passed
 * (false). want NULL: until the end (true). */
static bool receive(int fd, const char *want)
{
    ngot = 0;
    got[0] = '\0';
    for (int64_t end = clock_mono_ns() + 2 * NS_PER_SEC; clock_mono_ns() < end;) {
        uv_run(&loop, UV_RUN_NOWAIT);
        ssize_t n = recv(fd, got + ngot, sizeof(got) - 1 - ngot, MSG_DONTWAIT);
        if (n == 0 || (n < 0 && errno != EAGAIN))
            return want == NULL;
        if (n < 0) {
            usleep(100);
            continue;
        }
        ngot += (size_t)n;
        got[ngot] = '\0';
        if (want && strstr(got, want))
            return true;
    }
    return false;
}

static void say(int fd, const char *text)
{
    if (send(fd, text, strlen(text), MSG_NOSIGNAL) < 0)
        perror("send");
}

#define HEAD(method, path) method " " path " HTTP/1.1\r\nHost: h\r\n"

/* ---- the behaviour ---- */

static void a_get_is_answered_on_one_connection_again_and_again(void)
{
    int fd = dial_unix();
    for (int i = 0; i < 3; i++) {
        say(fd, HEAD("GET", "/_ping") "\r\n");
        EXPECT(receive(fd, "pong"));
        EXPECT(strstr(got, "HTTP/1.1 200 OK\r\n") && strstr(got, "Api-Version: 1.44") &&
               strstr(got, "Date: ") && strstr(got, "Content-Length: 4"));
    }
    say(fd, HEAD("HEAD", "/_ping") "\r\n" HEAD("GET", "/_ping") "\r\n");
    EXPECT(receive(fd, "pong"));
    close(fd);
    turn(5);
}

static void a_plain_answer_has_no_common_headers(void)
{
    int fd = dial_unix();
    say(fd, HEAD("GET", "/plain") "\r\n");
    EXPECT(receive(fd, "{}"));
    EXPECT(!strstr(got, "Api-Version") && strstr(got, "404 Not Found") &&
           strstr(got, "Content-Type: application/json"));
    close(fd);
    turn(5);
}

static void a_body_comes_whole_with_a_length_or_in_chunks(void)
{
    int fd = dial_tcp();
    say(fd, HEAD("POST", "/echo") "Content-Length: 5\r\n\r\nhe");
    turn(5);
    say(fd, "llo");
    EXPECT(receive(fd, "5:hello"));
    say(fd,
        HEAD("POST", "/echo") "Transfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n");
    EXPECT(receive(fd, "5:abcde"));
    say(fd, HEAD("POST", "/echo") "Content-Length: 0\r\n\r\n");
    EXPECT(receive(fd, "0:"));
    say(fd, HEAD("POST", "/echo") "Expect: 100-continue\r\nContent-Length: 2\r\n\r\n");
    EXPECT(receive(fd, "100 Continue\r\n\r\n"));
    say(fd, "ok");
    EXPECT(receive(fd, "2:ok"));
    close(fd);
    turn(5);
}

static void a_body_past_its_limit_is_413(void)
{
    int fd = dial_unix();
    char block[4096];
    memset(block, 'x', sizeof(block));
    say(fd, HEAD("POST", "/echo") "Content-Length: 1052672\r\n\r\n");
    for (int i = 0; i < 257; i++) {
        for (size_t off = 0; off < sizeof(block);) {
            ssize_t n = send(fd, block + off, sizeof(block) - off, MSG_DONTWAIT | MSG_NOSIGNAL);
            off += n > 0 ? (size_t)n : 0;
            uv_run(&loop, UV_RUN_NOWAIT);
        }
    }
    EXPECT(receive(fd, "too large"));
    EXPECT(strstr(got, "HTTP/1.1 413 "));
    close(fd);
    turn(5);
}

static void pieces_are_handed_over_and_wiped(void)
{
    int fd = dial_unix();
    npieces = 0;
    piece_end = false;
    say(fd, HEAD("POST", "/pieces") "Content-Length: 12\r\n\r\ntop-");
    turn(10);
    EXPECT(wiped_at && wiped_at[0] == '\0' && wiped_at[3] == '\0');
    say(fd, "secretXX");
    EXPECT(receive(fd, "pieces"));
    EXPECT(piece_end && npieces == 12 && memcmp(pieces, "top-secretXX", 12) == 0);
    close(fd);
    turn(5);
}

static void a_paused_body_goes_on_when_resumed(void)
{
    int fd = dial_unix();
    npieces = 0;
    waiting = NULL;
    say(fd, HEAD("POST", "/slow") "Content-Length: 6\r\n\r\nabc");
    turn(10);
    REQUIRE(waiting != NULL);
    say(fd, "def");
    turn(10);
    EXPECT_INT(npieces, 3);
    http_resume_body(waiting);
    turn(10);
    EXPECT_INT(npieces, 6);
    http_resume_body(waiting);
    EXPECT(receive(fd, "paused and done"));
    close(fd);
    turn(5);
}

static void an_answer_may_come_later(void)
{
    int fd = dial_unix();
    waiting = NULL;
    say(fd, HEAD("GET", "/wait") "\r\n");
    turn(10);
    REQUIRE(waiting != NULL);
    http_reply_header(waiting, "X-Late", "yes");
    http_reply_text(waiting, 201, "text/plain", "late");
    EXPECT(receive(fd, "late") && strstr(got, "201 Created") && strstr(got, "X-Late: yes"));
    say(fd, HEAD("GET", "/_ping") "\r\n");
    EXPECT(receive(fd, "pong"));
    close(fd);
    turn(5);
}

static void a_client_that_leaves_while_waiting_is_noticed(void)
{
    for (int i = 0; i < 2; i++) {
        int fd = i ? dial_tcp() : dial_unix();
        int before = freed;
        gone = 0;
        say(fd, HEAD("GET", "/wait") "\r\n");
        turn(10);
        EXPECT(waiting != NULL);
        close(fd);
        turn(20);
        EXPECT_INT(gone, 1);
        EXPECT_INT(freed, before + 1);
    }
}

static void a_half_closed_unix_client_still_gets_its_answer(void)
{
    int fd = dial_unix();
    gone = 0;
    say(fd, HEAD("GET", "/wait") "\r\n");
    turn(10);
    shutdown(fd, SHUT_WR);
    turn(10);
    REQUIRE(waiting != NULL);
    http_reply_text(waiting, 200, "text/plain", "still here");
    EXPECT(receive(fd, "still here"));
    close(fd);
    turn(10);
    EXPECT_INT(gone, 0);
}

static void a_large_answer_comes_whole(void)
{
    int fd = dial_tcp();
    say(fd, HEAD("GET", "/big") "\r\n");
    size_t total = 0;
    for (int64_t end = clock_mono_ns() + 2 * NS_PER_SEC;
         clock_mono_ns() < end && total < 1000000;) {
        uv_run(&loop, UV_RUN_NOWAIT);
        ssize_t n = recv(fd, got, sizeof(got), MSG_DONTWAIT);
        total += n > 0 ? (size_t)n : 0;
    }
    EXPECT(total > 1000000 && total < 1001000);
    close(fd);
    turn(5);
}

static void a_stream_sends_its_head_at_once_and_pieces_as_they_come(void)
{
    int fd = dial_unix();
    say(fd, HEAD("GET", "/stream") "\r\n");
    EXPECT(receive(fd, "\r\n\r\n"));
    EXPECT(strstr(got, "Transfer-Encoding: chunked"));
    REQUIRE(stream != NULL);
    EXPECT(http_stream_write(stream, "one\n", 4) >= 0);
    EXPECT(receive(fd, "one\n"));
    EXPECT(http_stream_write(stream, "two\n", 4) >= 0);
    EXPECT(receive(fd, "two\n"));
    char *flood = mem_new(1 << 17);
    EXPECT_INT(http_stream_write(stream, flood, 1 << 17), -ENOBUFS);
    free(flood);
    http_stream_end(stream);
    EXPECT(receive(fd, "0\r\n\r\n"));
    say(fd, HEAD("GET", "/_ping") "\r\n");
    EXPECT(receive(fd, "pong"));
    close(fd);
    turn(5);
}

static void a_stream_whose_reader_left_is_over(void)
{
    int fd = dial_unix();
    gone = 0;
    say(fd, HEAD("GET", "/stream") "\r\n");
    EXPECT(receive(fd, "\r\n\r\n"));
    close(fd);
    turn(20);
    EXPECT_INT(gone, 1);
}

static void a_takeover_keeps_half_closed_connections_open(void)
{
    int fd = dial_unix();
    closed_raw = 0;
    say(fd, "POST /raw HTTP/1.1\r\nHost: h\r\nConnection: Upgrade\r\nUpgrade: "
            "tcp\r\nContent-Length: 0\r\n\r\nearly ");
    EXPECT(receive(fd, "early "));
    EXPECT(strstr(got, "HTTP/1.1 101 ") && strstr(got, "Upgrade: tcp") &&
           strstr(got, "Connection: Upgrade"));
    say(fd, "bytes");
    EXPECT(receive(fd, "bytes"));
    shutdown(fd, SHUT_WR);
    EXPECT(receive(fd, "[end]"));
    turn(10);
    REQUIRE(raw != NULL);
    http_raw_write(raw, "after", 5);
    EXPECT(receive(fd, "after"));
    http_raw_close(raw);
    EXPECT(receive(fd, NULL));
    turn(5);
    EXPECT_INT(closed_raw, 1);
    close(fd);
}

static void a_takeover_whose_client_left_is_closed(void)
{
    int fd = dial_unix();
    closed_raw = 0;
    say(fd, "POST /raw HTTP/1.1\r\nHost: h\r\nConnection: Upgrade\r\nUpgrade: "
            "tcp\r\nContent-Length: 0\r\n\r\n");
    EXPECT(receive(fd, "hello "));
    close(fd);
    turn(20);
    EXPECT_INT(closed_raw, 1);
}

static void queries_are_decoded_and_paths_are_not(void)
{
    int fd = dial_unix();
    say(fd, HEAD("GET", "/q/a%2Fb?a=x%20y+z&t=False&a=2&bad=%zz") "\r\n");
    EXPECT(receive(fd, "]["));
    EXPECT(strstr(got, "[x y z][(null)][0][/q/a%2Fb]"));
    say(fd, HEAD("GET", "/q?t=1") "\r\n");
    EXPECT(receive(fd, "[(null)][(null)][1][/q]"));
    close(fd);
    turn(5);
}

static void bad_heads_are_refused(void)
{
    int fd = dial_unix();
    say(fd, "GET /_ping HTTP/1.1\r\n\r\n");
    EXPECT(receive(fd, "Host header"));
    EXPECT(strstr(got, "HTTP/1.1 400 "));
    close(fd);
    fd = dial_unix();
    say(fd, "\x16\x03\x01garbage\r\n\r\n");
    receive(fd, NULL);
    EXPECT(ngot == 0 || strstr(got, " 400 "));
    close(fd);
    fd = dial_unix();
    char *huge = mem_new(80 << 10);
    snprintf(huge, 64, "GET /_ping HTTP/1.1\r\nHost: h\r\nX: ");
    memset(huge + strlen(huge), 'a', 70 << 10);
    (void)send(fd, huge, 70 << 10, MSG_DONTWAIT | MSG_NOSIGNAL);
    EXPECT(receive(fd, "431"));
    free(huge);
    close(fd);
    turn(5);
}

static void http_1_0_is_answered_and_closed(void)
{
    int fd = dial_unix();
    say(fd, "GET /_ping HTTP/1.0\r\n\r\n");
    EXPECT(receive(fd, NULL));
    EXPECT(strstr(got, " 200 OK") && strstr(got, "pong"));
    close(fd);
}

static void a_unix_client_is_known_by_its_ids(void)
{
    /* covered through the answers above only in part: look at the peer of a waiting request */
    int fd = dial_unix();
    waiting = NULL;
    say(fd, HEAD("GET", "/wait") "\r\n");
    turn(10);
    REQUIRE(waiting != NULL);
    EXPECT(http_peer(waiting)->unix_socket && http_peer(waiting)->uid == getuid() &&
           http_peer(waiting)->pid == getpid());
    http_reply_empty(waiting, 204);
    EXPECT(receive(fd, "204 No Content"));
    close(fd);
    turn(5);
}

static void closing_the_server_ends_everything(void)
{
    int a = dial_unix(), b = dial_unix(), c = dial_unix(), d = dial_unix();
    gone = closed_raw = 0;
    say(a, HEAD("GET", "/wait") "\r\n");
    say(b, HEAD("GET", "/stream") "\r\n");
    say(c, "POST /raw HTTP/1.1\r\nHost: h\r\nConnection: Upgrade\r\nUpgrade: tcp\r\n\r\n");
    say(d, HEAD("POST", "/echo") "Content-Length: 9\r\n\r\nhalf");
    turn(20);
    http_server_close(server);
    uv_run(&loop, UV_RUN_DEFAULT);
    EXPECT_INT(closed_raw, 1);
    EXPECT_INT(gone, 3);
    EXPECT_INT(uv_loop_close(&loop), 0);
    close(a), close(b), close(c), close(d);
}

static int start(void)
{
    struct err e;
    struct sockaddr_un un = {.sun_family = AF_UNIX};
    struct sockaddr_in in = {.sin_family = AF_INET, .sin_addr = {htonl(INADDR_LOOPBACK)}};
    socklen_t len = sizeof(in);
    snprintf(unix_path, sizeof(unix_path), "%s/s", check_tmpdir());
    snprintf(un.sun_path, sizeof(un.sun_path), "%s", unix_path);
    uv_loop_init(&loop);
    int ufd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0),
        tfd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (bind(ufd, (struct sockaddr *)&un, sizeof(un)) != 0 || listen(ufd, 64) != 0 ||
        bind(tfd, (struct sockaddr *)&in, sizeof(in)) != 0 || listen(tfd, 64) != 0 ||
        getsockname(tfd, (struct sockaddr *)&in, &len) != 0)
        return -1;
    tcp_port = ntohs(in.sin_port);
    if (http_server_new(&loop, on_request, NULL, &server, &e) != 0)
        return -1;
    http_server_header(server, "Api-Version", "1.44");
    return http_server_listen_fd(server, ufd, &e) | http_server_listen_fd(server, tfd, &e);
}

int main(void)
{
    if (start() != 0) {
        printf("Bail out! no server\n");
        return 1;
    }
    TEST(a_get_is_answered_on_one_connection_again_and_again);
    TEST(a_plain_answer_has_no_common_headers);
    TEST(a_body_comes_whole_with_a_length_or_in_chunks);
    TEST(a_body_past_its_limit_is_413);
    TEST(pieces_are_handed_over_and_wiped);
    TEST(a_paused_body_goes_on_when_resumed);
    TEST(an_answer_may_come_later);
    TEST(a_client_that_leaves_while_waiting_is_noticed);
    TEST(a_half_closed_unix_client_still_gets_its_answer);
    TEST(a_large_answer_comes_whole);
    TEST(a_stream_sends_its_head_at_once_and_pieces_as_they_come);
    TEST(a_stream_whose_reader_left_is_over);
    TEST(a_takeover_keeps_half_closed_connections_open);
    TEST(a_takeover_whose_client_left_is_closed);
    TEST(queries_are_decoded_and_paths_are_not);
    TEST(bad_heads_are_refused);
    TEST(http_1_0_is_answered_and_closed);
    TEST(a_unix_client_is_known_by_its_ids);
    TEST(closing_the_server_ends_everything);
    return check_done();
}
