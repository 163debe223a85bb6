/* http/server.c - drives libmicrohttpd from the loop: accepting, running it when its descriptors or
 * timeouts say so, noticing clients that went away.
 *
 * libmicrohttpd listens on nothing: this file accepts and hands it connections, so that one
 * instance serves all sockets. A connection whose request waits (is suspended) is not looked at by
 * the library; a second, edge-triggered epoll set tells of its end. */
#include "http/internal.h"

#include <arpa/inet.h>
#include <stdlib.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include "base/log.h"

static void on_timer(uv_timer_t *t);

static void server_run(struct http_server *s)
{
    unsigned rounds = 0;
    MHD_UNSIGNED_LONG_LONG ms = 0;
    bool have = false;
    if (s->running || s->stopped)
        return;
    s->running = true;
    do {
        s->kick = false;
        MHD_run(s->mhd);
        have = MHD_get_timeout(s->mhd, &ms) == MHD_YES;
    } while ((s->kick || (have && ms == 0)) && ++rounds < 16);
    s->running = false;
    if (have && ms == 0)
        s->kick = true; /* the rest of the loop gets its turn first */
    if (!have)
        uv_timer_stop(&s->timer);
    else if (!uv_is_active((uv_handle_t *)&s->timer) || uv_timer_get_due_in(&s->timer) > ms)
        uv_timer_start(&s->timer, on_timer, ms, 0);
}

static void on_timer(uv_timer_t *t)
{
    server_run(t->data);
}

static void on_mhd_readable(uv_poll_t *p, int status, int events)
{
    (void)status, (void)events;
    server_run(p->data);
}

static void on_prepare(uv_prepare_t *p)
{
    struct http_server *s = p->data;
    if (s->kick)
        server_run(s);
    if (s->kick) /* still work: do not sleep */
        uv_timer_start(&s->timer, on_timer, 0, 0);
}

static void on_check(uv_check_t *c)
{
    struct http_server *s = c->data;
    if (s->kick)
        server_run(s);
}

void http_server_kick(struct http_server *s)
{
    s->kick = true;
}

/* ---- clients that go away ---- */

static void conn_hung_up(struct http_conn *conn)
{
    conn->gone = true;
    if (conn->raw)
        http_raw_lost(conn->raw);
    else if (conn->rq && conn->rq->suspended)
        http_request_lost(conn->rq);
}

static void on_watch(uv_poll_t *p, int status, int events)
{
    struct http_server *s = p->data;
    struct epoll_event ev[64];
    (void)status, (void)events;
    int n = epoll_wait(s->watch, ev, 64, 0);
    for (int i = 0; i < n; i++) {
        struct http_conn *conn = ev[i].data.ptr;
        /* A closed sending half is no end on a unix socket (its end is EPOLLHUP); on TCP nothing
         * else would ever tell. */
        bool half = !(ev[i].events & (EPOLLHUP | EPOLLERR));
        if (half && (conn->unix_socket || conn->raw))
            continue;
        conn_hung_up(conn);
    }
}

/* ---- connections ---- */

static void peer_of(int fd, bool unix_socket, struct http_peer *ret)
{
    *ret = (struct http_peer){.unix_socket = unix_socket, .uid = UINT32_MAX, .gid = UINT32_MAX};
    if (unix_socket) {
        struct ucred cr;
        socklen_t len = sizeof(cr);
        if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &cr, &len) == 0) {
            ret->uid = cr.uid;
            ret->gid = cr.gid;
            ret->pid = cr.pid;
        }
        return;
    }
    struct sockaddr_storage sa;
    socklen_t len = sizeof(sa);
    char ip[INET6_ADDRSTRLEN] = "";
    if (getpeername(fd, (struct sockaddr *)&sa, &len) != 0)
        return;
    if (sa.ss_family == AF_INET) {
        const struct sockaddr_in *in = (const void *)&sa;
        inet_ntop(AF_INET, &in->sin_addr, ip, sizeof(ip));
        snprintf(ret->address, sizeof(ret->address), "%s:%u", ip, ntohs(in->sin_port));
    } else if (sa.ss_family == AF_INET6) {
        const struct sockaddr_in6 *in = (const void *)&sa;
        inet_ntop(AF_INET6, &in->sin6_addr, ip, sizeof(ip));
        snprintf(ret->address, sizeof(ret->address), "[%s]:%u", ip, ntohs(in->sin6_port));
    }
}

static void listeners_pause(struct http_server *s, bool pause);

static void on_connection(void *arg, struct MHD_Connection *c, void **context,
                          enum MHD_ConnectionNotificationCode code)
{
    struct http_server *s = arg;
    (void)c;
    if (code == MHD_CONNECTION_NOTIFY_STARTED) {
        *context = TAKE(s->accepting);
        s->nconns++;
        return;
    }
    struct http_conn *conn = *context;
    *context = NULL;
    if (!conn)
        return;
    epoll_ctl(s->watch, EPOLL_CTL_DEL, conn->fd, NULL);
    free(conn);
    s->nconns--;
    if (s->full && !s->closing)
        listeners_pause(s, false);
}

static void accept_one(struct http_listener *l, int fd)
{
    struct http_server *s = l->s;
    struct sockaddr_storage sa = {.ss_family = AF_UNIX};
    struct http_conn *conn = NEW(struct http_conn);
    *conn = (struct http_conn){.s = s, .fd = fd, .unix_socket = l->unix_socket};
    peer_of(fd, l->unix_socket, &conn->peer);
    if (!l->unix_socket) {
        int on = 1;
        (void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
    }
    struct epoll_event ev = {.events = EPOLLRDHUP | EPOLLET, .data.ptr = conn};
    if (epoll_ctl(s->watch, EPOLL_CTL_ADD, fd, &ev) != 0) {
        free(conn);
        close(fd);
        return;
    }
    s->accepting = conn;
    if (MHD_add_connection(s->mhd, fd, (struct sockaddr *)&sa, sizeof(sa.ss_family)) != MHD_YES)
        log_warn("a connection could not be served: %s",
                 strerror(errno)); /* the library has closed it */
    if (s->accepting) {            /* never announced: nobody else owns it */
        free(s->accepting);
        s->accepting = NULL;
    }
    s->kick = true; /* its first bytes may be there already */
}

static void on_listener(uv_poll_t *p, int status, int events)
{
    struct http_listener *l = p->data;
    (void)status, (void)events;
    for (int i = 0; i < 32; i++) {
        if (l->s->nconns >= HTTP_CONNECTIONS_MAX) {
            listeners_pause(l->s, true); /* the rest waits in the kernel's queue */
            return;
        }
        int fd = accept4(l->fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
        if (fd < 0) {
            if (errno != EAGAIN && errno != ECONNABORTED && errno != EINTR)
                log_warn("accept: %s", strerror(errno));
            return;
        }
        accept_one(l, fd);
    }
}

static void listeners_pause(struct http_server *s, bool pause)
{
    s->full = pause;
    for (struct http_listener *l = s->listeners; l; l = l->next) {
        if (pause)
            uv_poll_stop(&l->poll);
        else
            uv_poll_start(&l->poll, UV_READABLE, on_listener);
    }
}

int http_server_listen_fd(struct http_server *s, int fd, struct err *e)
{
    int domain = 0;
    socklen_t len = sizeof(domain);
    if (getsockopt(fd, SOL_SOCKET, SO_DOMAIN, &domain, &len) != 0)
        return err_sys(e, errno, "listening socket");
    struct http_listener *l = NEW(struct http_listener);
    *l = (struct http_listener){.s = s, .fd = fd, .unix_socket = domain == AF_UNIX};
    int r = uv_poll_init(s->loop, &l->poll, fd);
    if (r < 0) {
        free(l);
        return err_set(e, r, "listening socket: %s", uv_strerror(r));
    }
    l->poll.data = l;
    l->next = s->listeners;
    s->listeners = l;
    if (!s->full)
        uv_poll_start(&l->poll, UV_READABLE, on_listener);
    return 0;
}

/* ---- what libmicrohttpd calls ---- */

static void *on_uri(void *arg, const char *uri, struct MHD_Connection *c)
{
    return http_request_new(arg, c, uri);
}

static enum MHD_Result on_access(void *arg, struct MHD_Connection *c, const char *url,
                                 const char *method, const char *version, const char *data,
                                 size_t *size, void **con_cls)
{
    struct http_request *rq = *con_cls;
    (void)arg, (void)url;
    return rq ? http_request_step(rq, c, method, version, data, size) : MHD_NO;
}

static void on_completed(void *arg, struct MHD_Connection *c, void **con_cls,
                         enum MHD_RequestTerminationCode why)
{
    struct http_request *rq = *con_cls;
    (void)arg, (void)c;
    *con_cls = NULL;
    if (!rq)
        return;
    if (why != MHD_REQUEST_TERMINATED_COMPLETED_OK || !rq->queued)
        http_request_tell_gone(rq);
    http_request_free(rq);
}

static size_t leave_raw(void *arg, struct MHD_Connection *c, char *s)
{
    (void)arg, (void)c;
    return strlen(s);
}

static void PRINTF(2, 0) on_mhd_log(void *arg, const char *fmt, va_list ap)
{
    AUTO_FREE char *line = mem_vprintf(fmt, ap);
    (void)arg;
    line[strcspn(line, "\n")] = '\0';
    /* It tries TCP's options on unix sockets too, and warns each time of a delay that these do not
     * have. */
    if (!strstr(line, "TCP_") && !strstr(line, "Failed to push the data"))
        log_debug("http: %s", line);
}

/* ---- beginning and end ---- */

static int mhd_start(struct http_server *s, struct err *e)
{
    s->mhd = MHD_start_daemon(MHD_USE_EPOLL | MHD_ALLOW_SUSPEND_RESUME | MHD_ALLOW_UPGRADE |
                                  MHD_USE_NO_LISTEN_SOCKET | MHD_USE_ERROR_LOG,
                              0, NULL, NULL, on_access, s,                    /**/
                              MHD_OPTION_EXTERNAL_LOGGER, on_mhd_log, s,      /* must be first */
                              MHD_OPTION_URI_LOG_CALLBACK, on_uri, s,         /**/
                              MHD_OPTION_UNESCAPE_CALLBACK, leave_raw, s,     /**/
                              MHD_OPTION_NOTIFY_COMPLETED, on_completed, s,   /**/
                              MHD_OPTION_NOTIFY_CONNECTION, on_connection, s, /**/
                              MHD_OPTION_CONNECTION_LIMIT, (unsigned)HTTP_CONNECTIONS_MAX + 8, /**/
                              MHD_OPTION_CONNECTION_TIMEOUT, (unsigned)HTTP_IDLE_SECONDS,      /**/
                              MHD_OPTION_CONNECTION_MEMORY_LIMIT, (size_t)HTTP_POOL,           /**/
                              MHD_OPTION_CONNECTION_MEMORY_INCREMENT, (size_t)4096, MHD_OPTION_END);
    if (!s->mhd)
        return err_set(e, -EIO, "libmicrohttpd does not start");
    return 0;
}

static int loop_start(struct http_server *s, struct err *e)
{
    const union MHD_DaemonInfo *info = MHD_get_daemon_info(s->mhd, MHD_DAEMON_INFO_EPOLL_FD);
    if (!info)
        return err_set(e, -EIO, "libmicrohttpd has no epoll descriptor");
    int r = uv_poll_init(s->loop, &s->poll, info->epoll_fd);
    if (r == 0)
        r = uv_poll_init(s->loop, &s->watch_poll, s->watch);
    if (r < 0)
        return err_set(e, r, "http: %s", uv_strerror(r));
    uv_timer_init(s->loop, &s->timer);
    uv_prepare_init(s->loop, &s->prepare);
    uv_check_init(s->loop, &s->check);
    s->poll.data = s->watch_poll.data = s->timer.data = s->prepare.data = s->check.data = s;
    s->handles = 5;
    uv_poll_start(&s->poll, UV_READABLE, on_mhd_readable);
    uv_poll_start(&s->watch_poll, UV_READABLE, on_watch);
    uv_prepare_start(&s->prepare, on_prepare);
    uv_check_start(&s->check, on_check);
    uv_unref((uv_handle_t *)&s->prepare);
    uv_unref((uv_handle_t *)&s->check);
    return 0;
}

int http_server_new(uv_loop_t *loop, void (*on_request)(void *arg, struct http_request *rq),
                    void *arg, struct http_server **ret, struct err *e)
{
    struct http_server *s = NEW(struct http_server);
    *s = (struct http_server){.loop = loop, .on_request = on_request, .arg = arg};
    s->watch = epoll_create1(EPOLL_CLOEXEC);
    int r = s->watch < 0 ? err_sys(e, errno, "epoll") : mhd_start(s, e);
    if (r == 0)
        r = loop_start(s, e);
    if (r < 0) {
        if (s->mhd)
            MHD_stop_daemon(s->mhd);
        if (s->watch >= 0)
            close(s->watch);
        free(s);
        return r;
    }
    *ret = s;
    return 0;
}

void http_server_header(struct http_server *s, const char *name, const char *value)
{
    for (size_t i = 0; i < s->nheaders; i++) {
        if (strcmp(s->headers[i].name, name) == 0) {
            free(s->headers[i].value);
            s->headers[i].value = mem_str(value);
            return;
        }
    }
    if (s->nheaders < HTTP_REPLY_HEADERS_MAX)
        s->headers[s->nheaders++] = (struct http_header_pair){mem_str(name), mem_str(value)};
}

static void on_handle_closed(uv_handle_t *h)
{
    struct http_server *s = h->data;
    if (--s->handles > 0)
        return;
    for (size_t i = 0; i < s->nheaders; i++) {
        free(s->headers[i].name);
        free(s->headers[i].value);
    }
    close(s->watch);
    free(s);
}

static void on_listener_closed(uv_handle_t *h)
{
    struct http_listener *l = h->data;
    close(l->fd);
    free(l);
}

void http_server_close(struct http_server *s)
{
    if (!s || s->closing)
        return;
    s->closing = true;
    for (struct http_listener *l = s->listeners, *next; l; l = next) {
        next = l->next;
        uv_close((uv_handle_t *)&l->poll, on_listener_closed);
    }
    s->listeners = NULL;
    for (struct http_request *rq = s->requests, *next; rq; rq = next) {
        next = rq->next;
        if (rq->conn && rq->conn->raw)
            http_raw_lost(rq->conn->raw);
        else if (rq->suspended)
            http_request_lost(rq);
    }
    for (int i = 0; i < 3; i++) /* what was woken ends here, taken-over connections too */
        MHD_run(s->mhd);
    s->stopped = true;
    uv_poll_stop(&s->poll); /* before its descriptor is closed */
    MHD_stop_daemon(s->mhd);
    uv_handle_t *h[] = {(uv_handle_t *)&s->poll, (uv_handle_t *)&s->watch_poll,
                        (uv_handle_t *)&s->timer, (uv_handle_t *)&s->prepare,
                        (uv_handle_t *)&s->check};
    for (size_t i = 0; i < sizeof(h) / sizeof(*h); i++)
        uv_close(h[i], on_handle_closed);
}
