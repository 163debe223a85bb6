/* agent/manager_child.c - see manager_child.h. */
#include "agent/manager_child.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "loop/child.h"

enum { CHILD_END_MS = 5000, BACKLOG = 128 };

struct manager_child {
    uv_loop_t *loop;
    char *program, *socket_path, *state_dir, *user;
    bool debug, ending;
    int listen_fd;
    int alive_fd;        /* our end of the pipe whose closing tells the manager that we are gone */
    struct child *child; /* NULL between two lives */
    uv_timer_t timer;
    uint64_t pause_ms;
    int64_t started_ns;
    void (*on_ended)(void *arg);
    void *arg;
};

static int listen_at(const char *path, int *ret, struct err *e)
{
    struct sockaddr_un sa = {.sun_family = AF_UNIX};
    if (strlen(path) >= sizeof(sa.sun_path))
        return err_set(e, -ENAMETOOLONG, "socket path '%s' is too long", path);
    memcpy(sa.sun_path, path, strlen(path));
    AUTO_CLOSE int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0)
        return err_sys(e, errno, "socket");
    unlink(path);
    mode_t mask = umask(0177);
    int r = bind(fd, (struct sockaddr *)&sa, sizeof(sa));
    int bind_errno = errno;
    umask(mask);
    if (r < 0)
        return err_sys(e, bind_errno, "bind '%s'", path);
    if (listen(fd, BACKLOG) < 0)
        return err_sys(e, errno, "listen '%s'", path);
    *ret = TAKE_FD(fd);
    return 0;
}

static void spawn(struct manager_child *m);

static void on_pause_over(uv_timer_t *t)
{
    spawn(t->data);
}

static void on_timer_closed(uv_handle_t *h)
{
    struct manager_child *m = h->data;
    close(m->listen_fd);
    unlink(m->socket_path);
    void (*cb)(void *) = m->on_ended;
    void *arg = m->arg;
    free(m->program);
    free(m->socket_path);
    free(m->state_dir);
    free(m->user);
    free(m);
    cb(arg);
}

static void start_again_later(struct manager_child *m)
{
    if (clock_mono_ns() - m->started_ns > CHILD_STEADY_MS * NS_PER_MS)
        m->pause_ms = CHILD_PAUSE_FIRST_MS;
    uv_timer_start(&m->timer, on_pause_over, m->pause_ms, 0);
    m->pause_ms = m->pause_ms * 2 > CHILD_PAUSE_MAX_MS ? CHILD_PAUSE_MAX_MS : m->pause_ms * 2;
}

static void on_manager_exit(void *arg, const struct child_result *r)
{
    struct manager_child *m = arg;
    m->child = NULL;
    if (m->alive_fd >= 0)
        close(TAKE_FD(m->alive_fd));
    if (m->ending) {
        uv_close((uv_handle_t *)&m->timer, on_timer_closed);
        return;
    }
    log_error("keep-manager ended (%s %d): it is started again", r->signal ? "signal" : "status",
              r->signal ? r->signal : r->status);
    start_again_later(m);
}

static int start_child(struct manager_child *m, struct err *e)
{
    int alive[2];
    if (pipe2(alive, O_CLOEXEC) < 0)
        return err_sys(e, errno, "pipe");
    const char *argv[] = {m->program, "--state-dir",   m->state_dir,   "--user",
                          m->user,    "--listen-fd=3", "--alive-fd=4", m->debug ? "-D" : NULL,
                          NULL};
    const struct child_fd fds[] = {{.fd = m->listen_fd, .as = 3}, {.fd = alive[0], .as = 4}};
    const struct child_spec spec = {
        .argv = argv,
        .new_session = true, /* a ^C at a terminal is for keepd, which ends us in order */
        .out = {.to = CHILD_FD, .fd = STDERR_FILENO},
        .err = {.to = CHILD_FD, .fd = STDERR_FILENO},
        .fds = fds,
        .nfds = 2,
        .grace_ms = CHILD_END_MS,
        .on_exit = on_manager_exit,
        .data = m,
    };
    int r = child_start(m->loop, &spec, &m->child, e);
    close(alive[0]);
    if (r < 0)
        close(alive[1]);
    else
        m->alive_fd = alive[1];
    return r;
}

static void spawn(struct manager_child *m)
{
    struct err e = {0};
    m->started_ns = clock_mono_ns();
    if (start_child(m, &e) < 0) {
        log_error("keep-manager could not be started: %s", e.text);
        start_again_later(m);
    }
}

int manager_child_start(const struct manager_child_options *o, struct manager_child **ret,
                        struct err *e)
{
    int fd;
    if (access(o->program, X_OK) < 0)
        return err_sys(e, errno, "keep-manager is not beside keepd: '%s'", o->program);
    int r = listen_at(o->socket_path, &fd, e);
    if (r < 0)
        return r;
    struct manager_child *m = NEW(struct manager_child);
    m->loop = o->loop;
    m->program = mem_str(o->program);
    m->socket_path = mem_str(o->socket_path);
    m->state_dir = mem_str(o->state_dir);
    m->user = mem_str(o->user);
    m->debug = o->debug;
    m->listen_fd = fd;
    m->alive_fd = -1;
    m->pause_ms = CHILD_PAUSE_FIRST_MS;
    uv_timer_init(m->loop, &m->timer);
    m->timer.data = m;
    spawn(m);
    *ret = m;
    return 0;
}

void manager_child_end(struct manager_child *m, void (*on_ended)(void *arg), void *arg)
{
    m->ending = true;
    m->on_ended = on_ended;
    m->arg = arg;
    uv_timer_stop(&m->timer);
    if (m->child)
        child_stop(m->child);
    else
        uv_close((uv_handle_t *)&m->timer, on_timer_closed);
}

int manager_child_pid(const struct manager_child *m)
{
    return m && m->child ? (int)child_pid(m->child) : 0;
}
