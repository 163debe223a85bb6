/* runtime/console.c - SCM_RIGHTS, one message. */
#include "runtime/console.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/mem.h"
#include "base/str.h"

struct console {
    uv_poll_t poll, caller; /* the listener, and who called */
    uv_loop_t *loop;
    char *path;
    int listener, fd, handles;
    void (*on_terminal)(void *arg, int fd);
    void *arg;
};

static void on_closed(uv_handle_t *h)
{
    struct console *c = h->data;
    if (--c->handles > 0)
        return;
    if (c->fd >= 0)
        close(c->fd);
    close(c->listener);
    free(c->path);
    free(c);
}

void console_free(struct console *c)
{
    if (!c)
        return;
    unlink(c->path);
    uv_close((uv_handle_t *)&c->poll, on_closed);
    if (c->handles > 1)
        uv_close((uv_handle_t *)&c->caller, on_closed);
}

static int receive(int from)
{
    char byte[256];
    union {
        struct cmsghdr head;
        char room[CMSG_SPACE(sizeof(int) * 4)];
    } control;
    struct iovec v = {.iov_base = byte, .iov_len = sizeof byte};
    struct msghdr m = {
        .msg_iov = &v, .msg_iovlen = 1, .msg_control = &control, .msg_controllen = sizeof control};
    int fd = -1;
    if (recvmsg(from, &m, MSG_CMSG_CLOEXEC | MSG_DONTWAIT) < 0)
        return -1;
    for (struct cmsghdr *h = CMSG_FIRSTHDR(&m); h; h = CMSG_NXTHDR(&m, h)) {
        if (h->cmsg_level != SOL_SOCKET || h->cmsg_type != SCM_RIGHTS)
            continue;
        size_t n = (h->cmsg_len - CMSG_LEN(0)) / sizeof(int);
        for (size_t i = 0; i < n; i++) {
            int got;
            memcpy(&got, CMSG_DATA(h) + i * sizeof(int), sizeof got);
            if (fd < 0)
                fd = got;
            else
                close(got);
        }
    }
    return fd;
}

static void on_message(uv_poll_t *p, int status, int events)
{
    struct console *c = p->data;
    (void)events;
    uv_poll_stop(p);
    int fd = status == 0 ? receive(c->fd) : -1;
    if (fd >= 0)
        c->on_terminal(c->arg, fd);
}

static void on_caller(uv_poll_t *p, int status, int events)
{
    struct console *c = p->data;
    (void)events;
    int fd = status == 0 ? accept4(c->listener, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK) : -1;
    if (fd < 0)
        return;
    uv_poll_stop(p);
    if (uv_poll_init(c->loop, &c->caller, fd) != 0) {
        close(fd);
        return;
    }
    c->fd = fd;
    c->handles++;
    c->caller.data = c;
    uv_poll_start(&c->caller, UV_READABLE, on_message);
}

int console_listen(uv_loop_t *loop, const char *path, void (*on_terminal)(void *arg, int fd),
                   void *arg, struct console **ret, struct err *e)
{
    struct sockaddr_un a = {.sun_family = AF_UNIX};
    if (strlen(path) >= sizeof a.sun_path)
        return err_set(e, -ENAMETOOLONG,
                       "the exec root's path is too long for a terminal's socket");
    str_copy(a.sun_path, sizeof a.sun_path, path);
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0 || bind(fd, (struct sockaddr *)&a, sizeof a) != 0 || listen(fd, 1) != 0) {
        int r = err_sys(e, errno, "cannot listen for the terminal");
        if (fd >= 0)
            close(fd);
        return r;
    }
    struct console *c = NEW(struct console);
    *c = (struct console){.loop = loop,
                          .path = mem_str(path),
                          .listener = fd,
                          .fd = -1,
                          .handles = 1,
                          .on_terminal = on_terminal,
                          .arg = arg};
    int r = uv_poll_init(loop, &c->poll, fd);
    if (r != 0) {
        close(fd);
        unlink(path);
        free(c->path);
        free(c);
        return err_sys(e, -r, "cannot listen for the terminal");
    }
    c->poll.data = c;
    uv_poll_start(&c->poll, UV_READABLE, on_caller);
    *ret = c;
    return 0;
}
