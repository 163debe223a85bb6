/* unit/loop/test_signals.c - stop, hang-up, and telling the service manager. */
#include "lib/check.h"
#include <errno.h>
#include <signal.h>
#include <stddef.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>
#include <uv.h>
#include "base/mem.h"
#include "loop/notify.h"
#include "loop/signals.h"

static unsigned stops, hangups;
static int last;

static void on_stop(void *data, int signum, unsigned times)
{
    stops = times;
    last = signum;
    if (times < 2)
        kill(getpid(), SIGINT);
    else
        uv_stop(data);
}

static void on_hangup(void *data)
{
    (void)data;
    hangups++;
    kill(getpid(), SIGTERM);
}

static void on_guard(uv_timer_t *t)
{
    check_fail(__FILE__, __LINE__, "the signals to arrive in time");
    uv_stop(t->loop);
}

static void signals_arrive_in_the_loop_and_are_counted(void)
{
    uv_loop_t loop;
    struct signals *s;
    struct err e;
    uv_timer_t guard;
    uv_loop_init(&loop);
    struct signals_spec spec = {.on_stop = on_stop, .on_hangup = on_hangup, .data = &loop};
    REQUIRE(signals_start(&loop, &spec, &s, &e) == 0);
    uv_timer_init(&loop, &guard);
    uv_timer_start(&guard, on_guard, 5000, 0);
    kill(getpid(), SIGHUP);
    uv_run(&loop, UV_RUN_DEFAULT);
    EXPECT(hangups == 1 && stops == 2 && last == SIGINT);
    uv_close((uv_handle_t *)&guard, NULL);
    signals_free(s);
    signals_free(NULL);
    uv_run(&loop, UV_RUN_DEFAULT);
    EXPECT_INT(uv_loop_close(&loop), 0);
}

static void watching_does_not_keep_the_loop_alive(void)
{
    uv_loop_t loop;
    struct signals *s;
    struct err e;
    uv_loop_init(&loop);
    struct signals_spec spec = {.on_stop = on_stop, .data = &loop};
    REQUIRE(signals_start(&loop, &spec, &s, &e) == 0);
    EXPECT_INT(uv_run(&loop, UV_RUN_DEFAULT), 0);
    signals_free(s);
    uv_run(&loop, UV_RUN_DEFAULT);
    EXPECT_INT(uv_loop_close(&loop), 0);
}

static void a_broken_pipe_is_an_error_not_a_death(void)
{
    int p[2];
    signals_ignore_pipe();
    REQUIRE(pipe(p) == 0);
    close(p[0]);
    EXPECT(write(p[1], "x", 1) < 0 && errno == EPIPE);
    close(p[1]);
}

static int listen_at(const char *path, bool abstract)
{
    struct sockaddr_un a = {.sun_family = AF_UNIX};
    int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    memcpy(a.sun_path, path, strlen(path));
    if (abstract)
        a.sun_path[0] = 0;
    socklen_t n = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + strlen(path));
    return bind(fd, (struct sockaddr *)&a, n) < 0 ? -1 : fd;
}

static void expect_datagram(const char *path, bool abstract)
{
    struct err e;
    char got[64] = "";
    AUTO_CLOSE int fd = listen_at(path, abstract);
    REQUIRE(fd >= 0);
    setenv("NOTIFY_SOCKET", path, 1);
    EXPECT_INT(notify_send("READY=1\nSTATUS=serving", &e), 0);
    EXPECT_INT(recv(fd, got, sizeof(got) - 1, 0), 22);
    EXPECT_STR(got, "READY=1\nSTATUS=serving");
}

static void the_service_manager_gets_one_datagram(void)
{
    AUTO_FREE char *path = mem_printf("%s/notify", check_tmpdir());
    AUTO_FREE char *name = mem_printf("@keep-test-%d", (int)getpid());
    expect_datagram(path, false);
    expect_datagram(name, true);
}

static void without_a_service_manager_nobody_is_told(void)
{
    struct err e;
    unsetenv("NOTIFY_SOCKET");
    EXPECT_INT(notify_send("READY=1", &e), NOTIFY_NOBODY);
    setenv("NOTIFY_SOCKET", "relative", 1);
    EXPECT_INT(notify_send("READY=1", &e), -EINVAL);
    setenv("NOTIFY_SOCKET", "/nonexistent/notify", 1);
    EXPECT_INT(notify_send("READY=1", &e), -ENOENT);
    char big[300];
    memset(big, 'a', sizeof(big));
    big[0] = '/';
    big[299] = 0;
    setenv("NOTIFY_SOCKET", big, 1);
    EXPECT_INT(notify_send("READY=1", &e), -EINVAL);
}

int main(void)
{
    TEST(signals_arrive_in_the_loop_and_are_counted);
    TEST(watching_does_not_keep_the_loop_alive);
    TEST(a_broken_pipe_is_an_error_not_a_death);
    TEST(the_service_manager_gets_one_datagram);
    TEST(without_a_service_manager_nobody_is_told);
    return check_done();
}
