/* unit/rpc/rpc_fixture.h - a server and a client of it on one loop, and handlers that do as a test
 * wants. */
#ifndef UNIT_RPC_FIXTURE_H
#define UNIT_RPC_FIXTURE_H
#include <errno.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>
#include "base/clock.h"
#include "base/mem.h"
#include "base/secret.h"
#include "lib/check.h"
#include "proto/control.pb-c.h"
#include "proto/logs.pb-c.h"
#include "proto/watch.pb-c.h"
#include "rpc/methods.h"
#include "rpc/rpc.h"

struct fixture {
    uv_loop_t loop;
    struct rpc_server *server;
    struct rpc_client *client;
    char *path;
};

static inline int fixture_socket(const char *path)
{
    struct sockaddr_un a = {.sun_family = AF_UNIX};
    snprintf(a.sun_path, sizeof(a.sun_path), "%s", path);
    unlink(path);
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0 || bind(fd, (struct sockaddr *)&a, sizeof(a)) || listen(fd, 16)) {
        perror(path);
        exit(2);
    }
    return fd;
}

static inline int fixture_connect(const char *path)
{
    struct sockaddr_un a = {.sun_family = AF_UNIX};
    snprintf(a.sun_path, sizeof(a.sun_path), "%s", path);
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0 || connect(fd, (struct sockaddr *)&a, sizeof(a))) {
        perror(path);
        exit(2);
    }
    return fd;
}

static inline void fixture_serve(struct fixture *f, const struct rpc_handler *h, size_t n,
                                 void *arg)
{
    uint32_t uid = getuid();
    if (rpc_server_new(&f->loop, &f->server, NULL) ||
        rpc_server_listen_fd(f->server, fixture_socket(f->path), &uid, 1, NULL))
        exit(2);
    rpc_server_add(f->server, h, n, arg);
}

static inline void fixture_open(struct fixture *f, const struct rpc_handler *h, size_t n, void *arg)
{
    char path[128];
    snprintf(path, sizeof(path), "%s/s", check_tmpdir());
    f->path = mem_str(path);
    uv_loop_init(&f->loop);
    fixture_serve(f, h, n, arg);
    if (rpc_client_new(&f->loop, path, &f->client, NULL))
        exit(2);
}

static inline void fixture_mark(void *arg)
{
    *(bool *)arg = true;
}

static inline void fixture_stop_server(struct fixture *f)
{
    bool closed = false;
    rpc_server_close(f->server, fixture_mark, &closed);
    while (!closed && uv_run(&f->loop, UV_RUN_ONCE))
        ;
    f->server = NULL;
}

static inline void fixture_close(struct fixture *f)
{
    rpc_client_close(f->client);
    if (f->server)
        rpc_server_close(f->server, NULL, NULL);
    uv_run(&f->loop, UV_RUN_DEFAULT);
    EXPECT_INT(uv_loop_close(&f->loop), 0);
    free(f->path);
}

static inline void fixture_tick(uv_timer_t *t)
{
    (void)t;
}

/* Turns the loop until *done or five seconds are over. */
static inline bool fixture_wait(struct fixture *f, const bool *done)
{
    uv_timer_t tick; /* so that a wait for nothing ends */
    int64_t end = clock_mono_ns() + 5 * NS_PER_SEC;
    uv_timer_init(&f->loop, &tick);
    uv_timer_start(&tick, fixture_tick, 50, 50);
    while (!*done && clock_mono_ns() < end)
        uv_run(&f->loop, UV_RUN_ONCE);
    uv_close((uv_handle_t *)&tick, NULL);
    uv_run(&f->loop, UV_RUN_NOWAIT);
    return *done;
}

static inline void fixture_turn(struct fixture *f, int ms)
{
    int64_t end = clock_mono_ns() + ms * NS_PER_MS;
    while (clock_mono_ns() < end) {
        uv_run(&f->loop, UV_RUN_NOWAIT);
        usleep(200);
    }
}

struct answer {
    bool done;
    int calls;
    struct rpc_status st;
    char text[4096]; /* what a test wants to keep of the response */
    size_t size;
};
#endif
