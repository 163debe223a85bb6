/* bench/load.c - the part of the benchmark that python would be too slow for. bench/run compiles it
 * by itself.
 *
 *   load http SOCKET CONNECTIONS COUNT METHOD PATH [BODY]   closed loop; "{n}" in PATH and BODY
 * becomes the request's number one line "wall NS bad COUNT bytes LAST_BODY", then one line of
 * latencies in ns, one for each request load serve SOCKET SIZE                                  the
 * floor: answers every request with SIZE bytes load watch NONCE PATH reports each process whose
 * environment has KEEP_BENCH=NONCE: "ready"; "readable PID NS" when PATH below its root first read
 * as the nonce; "gone PID NS"; until stdin ends
 *
 * Times are CLOCK_MONOTONIC, python's time.monotonic_ns. */
#define _GNU_SOURCE
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/cn_proc.h>
#include <linux/connector.h>
#include <linux/netlink.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

enum { CONNECTIONS_MAX = 512, CHUNK = 256 << 10, WATCH_MAX = 1024, PROCESSES_MAX = 4 << 20 };

static int64_t now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return t.tv_sec * 1000000000LL + t.tv_nsec;
}

static void die(const char *what)
{
    fprintf(stderr, "load: %s: %s\n", what, strerror(errno));
    exit(1);
}

static struct sockaddr_un address(const char *path)
{
    struct sockaddr_un a = {.sun_family = AF_UNIX};
    if (strlen(path) >= sizeof(a.sun_path)) {
        errno = ENAMETOOLONG;
        die(path);
    }
    strcpy(a.sun_path, path);
    return a;
}

/* ---- answers: enough of HTTP/1.1 to know where one ends ---- */
struct answer {
    enum { HEAD, BODY, CHUNK_SIZE, CHUNK_DATA, CHUNK_END, LAST } at;
    char line[16384];
    size_t n, left, bytes;
    int status;
};

static void answer_head(struct answer *a)
{
    char *length;
    a->status = atoi(a->line + 9);
    length = strcasestr(a->line, "\r\ncontent-length:");
    if (length) {
        a->left = strtoull(length + 17, NULL, 10);
        a->at = BODY;
    } else {
        a->at = strcasestr(a->line, "\r\ntransfer-encoding: chunked") ? CHUNK_SIZE : BODY;
    }
    if (a->status == 204 || a->status == 304)
        a->left = 0, a->at = BODY;
    a->n = 0;
}

/* Takes bytes; true when the answer is whole (no byte of a next one may follow: one request at a
 * time). */
static bool answer_feed(struct answer *a, const char *p, size_t n)
{
    while (true) {
        if (a->at == BODY && a->left == 0)
            return true;
        if (n == 0)
            return false;
        if (a->at == BODY || a->at == CHUNK_DATA) {
            size_t k = a->left < n ? a->left : n;
            a->left -= k, a->bytes += k, p += k, n -= k;
            if (a->at == CHUNK_DATA && a->left == 0)
                a->at = CHUNK_END;
            continue;
        }
        if (a->n + 1 >= sizeof(a->line)) {
            errno = EMSGSIZE;
            die("an answer's head");
        }
        a->line[a->n++] = *p++;
        a->line[a->n] = '\0';
        n--;
        if (a->at == HEAD) {
            if (a->n >= 4 && memcmp(a->line + a->n - 4, "\r\n\r\n", 4) == 0)
                answer_head(a);
        } else if (a->n >= 2 && a->line[a->n - 1] == '\n') {
            if (a->at == CHUNK_SIZE)
                a->left = strtoull(a->line, NULL, 16), a->at = a->left ? CHUNK_DATA : LAST;
            else if (a->at == CHUNK_END)
                a->at = CHUNK_SIZE;
            else if (a->n == 2)
                a->at = BODY, a->left = 0;
            a->n = 0;
        }
    }
}

/* ---- the load ---- */
struct connection {
    int fd;
    int64_t start;
    size_t number;
    struct answer in;
};
struct load {
    const char *path, *method, *target, *body;
    size_t count, next, done, bad, last_bytes;
    int64_t *latency;
};

static size_t fill(char *out, size_t room, const char *text, size_t number)
{
    const char *hole = strstr(text, "{n}");
    int n = hole ? snprintf(out, room, "%.*s%zu%s", (int)(hole - text), text, number, hole + 3)
                 : snprintf(out, room, "%s", text);
    if (n < 0 || (size_t)n >= room) {
        errno = EMSGSIZE;
        die("a request");
    }
    return (size_t)n;
}

static void send_next(struct load *l, struct connection *c)
{
    static char body[1 << 20], target[4096], all[(1 << 20) + 8192];
    c->number = l->next++;
    size_t nb = fill(body, sizeof(body), l->body, c->number);
    fill(target, sizeof(target), l->target, c->number);
    int n = snprintf(all, sizeof(all), "%s %s HTTP/1.1\r\nHost: bench\r\n", l->method, target);
    n += nb || strcmp(l->method, "POST") == 0
             ? snprintf(all + n, sizeof(all) - (size_t)n,
                        "Content-Type: application/json\r\nContent-Length: %zu\r\n\r\n%s", nb, body)
             : snprintf(all + n, sizeof(all) - (size_t)n, "\r\n");
    c->in.at = HEAD;
    c->in.n = c->in.left = c->in.bytes = 0;
    c->start = now();
    for (size_t at = 0; at < (size_t)n;) {
        ssize_t k = send(c->fd, all + at, (size_t)n - at, MSG_NOSIGNAL);
        if (k < 0)
            die("send");
        at += (size_t)k;
    }
}

/* One read; true when this connection has nothing more to do. */
static bool receive(struct load *l, struct connection *c)
{
    static char buf[CHUNK];
    ssize_t n = recv(c->fd, buf, sizeof(buf), 0);
    if (n <= 0) {
        errno = n == 0 ? ECONNRESET : errno;
        die("the daemon closed the connection");
    }
    if (!answer_feed(&c->in, buf, (size_t)n))
        return false;
    l->latency[c->number] = now() - c->start;
    l->last_bytes = c->in.bytes;
    l->done++;
    if (c->in.status >= 300 && l->bad++ == 0)
        fprintf(stderr, "load: %s %s: status %d\n", l->method, l->target, c->in.status);
    if (l->next >= l->count)
        return true;
    send_next(l, c);
    return false;
}

static int http(char **v)
{
    static struct connection c[CONNECTIONS_MAX];
    struct load l = {.path = v[2],
                     .count = strtoull(v[4], NULL, 10),
                     .method = v[5],
                     .target = v[6],
                     .body = v[7] ? v[7] : ""};
    size_t n = strtoull(v[3], NULL, 10);
    if (n < 1 || n > CONNECTIONS_MAX || l.count < n)
        die("CONNECTIONS and COUNT");
    l.latency = calloc(l.count, sizeof(*l.latency));
    struct sockaddr_un a = address(l.path);
    int ep = epoll_create1(EPOLL_CLOEXEC);
    for (size_t i = 0; i < n; i++) {
        c[i].fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
        if (connect(c[i].fd, (struct sockaddr *)&a, sizeof(a)) < 0)
            die(l.path);
        struct epoll_event ev = {.events = EPOLLIN, .data.u64 = i};
        epoll_ctl(ep, EPOLL_CTL_ADD, c[i].fd, &ev);
    }
    int64_t start = now();
    for (size_t i = 0; i < n; i++)
        send_next(&l, &c[i]);
    while (l.done < l.count) {
        struct epoll_event ev[64];
        int k = epoll_wait(ep, ev, 64, 60000);
        if (k == 0)
            errno = ETIMEDOUT;
        if (k <= 0)
            die("waiting for an answer");
        for (int i = 0; i < k; i++)
            receive(&l, &c[ev[i].data.u64]);
    }
    printf("wall %lld bad %zu bytes %zu\n", (long long)(now() - start), l.bad, l.last_bytes);
    for (size_t i = 0; i < l.count; i++)
        printf("%lld ", (long long)l.latency[i]);
    puts("");
    return 0;
}

/* ---- the floor: a server that does nothing ---- */
static int serve(char **v)
{
    struct sockaddr_un a = address(v[2]);
    size_t size = strtoull(v[3], NULL, 10);
    char *out = malloc(size + 256), *in = malloc(CHUNK);
    int n = sprintf(
        out, "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %zu\r\n\r\n",
        size);
    memset(out + n, 'x', size);
    size += (size_t)n;
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0), ep = epoll_create1(EPOLL_CLOEXEC);
    if (bind(fd, (struct sockaddr *)&a, sizeof(a)) < 0 || listen(fd, 128) < 0)
        die(v[2]);
    struct epoll_event ev = {.events = EPOLLIN, .data.fd = fd};
    epoll_ctl(ep, EPOLL_CTL_ADD, fd, &ev);
    puts("ready");
    fflush(stdout);
    while (epoll_wait(ep, &ev, 1, -1) == 1) {
        if (ev.data.fd == fd) {
            struct epoll_event e = {.events = EPOLLIN,
                                    .data.fd = accept4(fd, NULL, NULL, SOCK_CLOEXEC)};
            epoll_ctl(ep, EPOLL_CTL_ADD, e.data.fd, &e);
            continue;
        }
        /* The harness's own requests arrive in one piece. */
        ssize_t got = recv(ev.data.fd, in, CHUNK, 0);
        if (got <= 0) {
            close(ev.data.fd);
            continue;
        }
        for (size_t at = 0; at < size;) {
            ssize_t k = send(ev.data.fd, out + at, size - at, MSG_NOSIGNAL);
            if (k <= 0)
                break;
            at += (size_t)k;
        }
    }
    return 0;
}

/* ---- containers, seen from outside ---- */
struct seen {
    int pid, pidfd;
    bool read;
};
struct watch {
    const char *nonce, *path;
    char needle[128];
    struct seen seen[WATCH_MAX];
    size_t n, reading;
};

static void look(struct watch *w, int pid)
{
    static char env[65536];
    char name[64];
    for (size_t i = 0; i < w->n; i++)
        if (w->seen[i].pid == pid)
            return;
    snprintf(name, sizeof(name), "/proc/%d/environ", pid);
    int fd = open(name, O_RDONLY | O_CLOEXEC);
    ssize_t n = fd < 0 ? -1 : read(fd, env, sizeof(env) - 1);
    if (fd >= 0)
        close(fd);
    if (n <= 0 || !memmem(env, (size_t)n + 1, w->needle, strlen(w->needle) + 1) ||
        w->n == WATCH_MAX)
        return;
    int pidfd = (int)syscall(SYS_pidfd_open, pid, 0);
    if (pidfd < 0)
        return;
    w->seen[w->n++] = (struct seen){.pid = pid, .pidfd = pidfd};
    w->reading++;
}

static void try_read(struct watch *w, struct seen *s)
{
    char name[4200], text[256];
    snprintf(name, sizeof(name), "/proc/%d/root%s", s->pid, w->path);
    int fd = open(name, O_RDONLY | O_CLOEXEC);
    ssize_t n = fd < 0 ? -1 : read(fd, text, sizeof(text));
    int64_t t = now();
    if (fd >= 0)
        close(fd);
    if (n != (ssize_t)strlen(w->nonce) || memcmp(text, w->nonce, (size_t)n) != 0)
        return;
    s->read = true;
    w->reading--;
    printf("readable %d %lld\n", s->pid, (long long)t);
}

static int connector(void)
{
    struct {
        struct nlmsghdr h;
        struct cn_msg m;
        enum proc_cn_mcast_op op;
    } __attribute__((packed))
    ask = {.h = {.nlmsg_len = sizeof(ask), .nlmsg_type = NLMSG_DONE},
           .m = {.id = {CN_IDX_PROC, CN_VAL_PROC}, .len = sizeof(enum proc_cn_mcast_op)},
           .op = PROC_CN_MCAST_LISTEN};
    struct sockaddr_nl a = {.nl_family = AF_NETLINK, .nl_groups = CN_IDX_PROC};
    int fd = socket(AF_NETLINK, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, NETLINK_CONNECTOR),
        room = PROCESSES_MAX;
    if (fd < 0)
        return -1;
    setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &room, sizeof(room));
    if (bind(fd, (struct sockaddr *)&a, sizeof(a)) < 0 || send(fd, &ask, sizeof(ask), 0) < 0) {
        close(fd);
        return -1;
    }
    return fd;
}

static void events(struct watch *w, int fd)
{
    _Alignas(struct nlmsghdr) char buf[8192];
    ssize_t n;
    while ((n = recv(fd, buf, sizeof(buf), 0)) > 0) {
        struct proc_event *ev =
            (struct proc_event *)(void *)(buf + NLMSG_HDRLEN + sizeof(struct cn_msg));
        if ((size_t)n >= NLMSG_HDRLEN + sizeof(struct cn_msg) + 16 && ev->what == PROC_EVENT_EXEC)
            look(w, ev->event_data.exec.process_tgid);
    }
}

static void scan(struct watch *w)
{
    DIR *d = opendir("/proc");
    struct dirent *e;
    while (d && (e = readdir(d)))
        if (e->d_name[0] >= '1' && e->d_name[0] <= '9')
            look(w, atoi(e->d_name));
    if (d)
        closedir(d);
}

static void check_ends(struct watch *w, const struct pollfd *p)
{
    for (size_t i = w->n; i-- > 0;) {
        struct seen *s = &w->seen[i];
        if (!s->read)
            try_read(w, s);
        if (!(p[i].revents & POLLIN))
            continue;
        printf("gone %d %lld\n", s->pid, (long long)now());
        close(s->pidfd);
        w->reading -= !s->read;
        *s = w->seen[--w->n];
    }
}

static int watch(char **v)
{
    static struct watch w;
    static struct pollfd p[WATCH_MAX + 2];
    w.nonce = v[2];
    w.path = v[3];
    snprintf(w.needle, sizeof(w.needle), "KEEP_BENCH=%s", w.nonce);
    int cn = connector();
    setvbuf(stdout, NULL, _IOLBF, 0);
    puts(cn < 0 ? "ready (looking at /proc every millisecond)" : "ready");
    while (true) {
        size_t n = w.n;
        for (size_t i = 0; i < n; i++)
            p[i] = (struct pollfd){.fd = w.seen[i].pidfd, .events = POLLIN};
        p[n] = (struct pollfd){.fd = 0, .events = POLLIN};
        p[n + 1] = (struct pollfd){.fd = cn, .events = POLLIN};
        struct timespec wait = {0, w.reading ? 200000 : 1000000};
        if (ppoll(p, n + 2, w.reading || cn < 0 ? &wait : NULL, NULL) < 0)
            die("poll");
        if (p[n].revents)
            return 0;
        check_ends(&w, p);
        if (cn >= 0)
            events(&w, cn);
        else
            scan(&w);
        for (size_t i = 0; i < w.n; i++)
            if (!w.seen[i].read)
                try_read(&w, &w.seen[i]);
    }
}

int main(int argc, char **argv)
{
    if (argc >= 7 && strcmp(argv[1], "http") == 0)
        return http(argv);
    if (argc == 4 && strcmp(argv[1], "serve") == 0)
        return serve(argv);
    if (argc == 4 && strcmp(argv[1], "watch") == 0)
        return watch(argv);
    fprintf(stderr, "usage: load http|serve|watch …\n");
    return 2;
}
