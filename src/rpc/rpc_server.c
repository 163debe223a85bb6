/* rpc/rpc_server.c - the server: listeners, connections, calls. */
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/log.h"
#include "base/mem.h"
#include "rpc/rpc.h"
#include "rpc/rpc_pipe.h"
#include "rpc/rpc_server_in.h"

enum { BACKLOG = 128, CONNECTIONS_MAX = 1024 };

struct listener {
    uv_pipe_t handle;
    struct listener *next;
    struct rpc_server *server;
    uint32_t *uids;
    size_t nuids;
};
struct entry {
    const struct rpc_handler *handler;
    void *service;
};
struct rpc_server {
    uv_loop_t *loop;
    struct listener *listeners;
    struct connection *connections;
    unsigned nlisteners, nconnections;
    struct entry *table; /* by hash of the path; a power of two, at most half full */
    size_t entries, room;
    uint8_t *read_buffer;
    bool closing;
    uv_timer_t last; /* gives closing a turn of its own */
    void (*on_closed)(void *arg);
    void *on_closed_arg;
};
struct connection {
    struct rpc_pipe pipe;
    struct connection *next, *prev;
    struct rpc_server *server;
    struct rpc_peer peer;
};

/* ---- the table of methods ---- */
static size_t hash(const char *s, size_t n)
{
    uint64_t h = 14695981039346656037ULL; /* FNV-1a */
    for (size_t i = 0; i < n; i++)
        h = (h ^ (unsigned char)s[i]) * 1099511628211ULL;
    return (size_t)h;
}

static struct entry *entry_for(struct entry *table, size_t room, const char *path, size_t n)
{
    size_t i = hash(path, n) & (room - 1);
    while (table[i].handler) {
        const char *has = table[i].handler->method->path;
        if (strlen(has) == n && memcmp(has, path, n) == 0)
            break;
        i = (i + 1) & (room - 1);
    }
    return &table[i];
}

static void table_grow(struct rpc_server *s)
{
    size_t room = s->room ? s->room * 2 : 64;
    struct entry *table = mem_array(room, sizeof(*table));
    for (size_t i = 0; i < s->room; i++) {
        if (!s->table[i].handler)
            continue;
        const char *path = s->table[i].handler->method->path;
        *entry_for(table, room, path, strlen(path)) = s->table[i];
    }
    free(s->table);
    s->table = table;
    s->room = room;
}

void rpc_server_add(struct rpc_server *s, const struct rpc_handler *handlers, size_t n,
                    void *service)
{
    for (size_t i = 0; i < n; i++) {
        const char *path = handlers[i].method->path;
        if ((s->entries + 1) * 2 > s->room)
            table_grow(s);
        struct entry *e = entry_for(s->table, s->room, path, strlen(path));
        s->entries += !e->handler;
        *e = (struct entry){.handler = &handlers[i], .service = service};
    }
}

static bool service_known(const struct rpc_server *s, const char *path, size_t n)
{
    for (size_t i = 0; i < s->room; i++)
        if (s->table[i].handler && strncmp(s->table[i].handler->method->path, path, n) == 0)
            return true;
    return false;
}

static void unknown_method(const struct rpc_server *s, const char *path, size_t n,
                           struct rpc_status *why)
{
    const char *slash = n > 1 && path[0] == '/' ? memchr(path + 1, '/', n - 1) : NULL;
    if (!slash) {
        rpc_status_set(why, RPC_UNIMPLEMENTED, "malformed method name: \"%.*s\"",
                       (int)(n < 256 ? n : 256), path);
        return;
    }
    size_t service = (size_t)(slash - path) + 1;
    if (service_known(s, path, service))
        rpc_status_set(why, RPC_UNIMPLEMENTED, "unknown method %.*s for service %.*s",
                       (int)(n - service), path + service, (int)service - 2, path + 1);
    else
        rpc_status_set(why, RPC_UNIMPLEMENTED, "unknown service %.*s", (int)service - 2, path + 1);
}

/* ---- calls ---- */
static struct rpc_call *call_of(struct rpc_stream *st)
{
    return (struct rpc_call *)st; /* its first member */
}

static struct rpc_stream *on_open(void *owner)
{
    struct rpc_call *c = NEW(struct rpc_call);
    c->connection = owner;
    return &c->stream;
}

static const struct rpc_method *on_path(struct rpc_stream *st, const char *path, size_t n,
                                        struct rpc_status *why)
{
    struct rpc_call *c = call_of(st);
    struct rpc_server *s = c->connection->server;
    struct entry *e = s->room ? entry_for(s->table, s->room, path, n) : NULL;
    if (!e || !e->handler) {
        unknown_method(s, path, n, why);
        return NULL;
    }
    c->handler = e->handler;
    c->service = e->service;
    return e->handler->method;
}

static void on_message(struct rpc_stream *st, ProtobufCMessage *m, struct rpc_chunk *memory)
{
    struct rpc_call *c = call_of(st);
    if (st->method->flags & RPC_CLIENT_STREAM) {
        if (!st->out_ended)
            c->handler->handle(c, m, c->service);
        rpc_chunks_free(memory);
        return;
    }
    c->request = m;
    c->memory = memory;
}

static void on_peer_ended(struct rpc_stream *st)
{
    struct rpc_call *c = call_of(st);
    if (!st->out_ended)
        c->handler->handle(c, c->request, c->service);
}

static void on_drained(struct rpc_stream *st)
{
    struct rpc_call *c = call_of(st);
    if (c->on_drain && !st->out_ended)
        c->on_drain(c, c->on_drain_arg);
}

static void on_stream_closed(struct rpc_stream *st, uint32_t http2_error)
{
    struct rpc_call *c = call_of(st);
    (void)http2_error;
    rpc_stream_detach(st);
    if (c->on_close)
        c->on_close(c, c->on_close_arg);
    rpc_chunks_free(c->memory);
    free(c);
}

static void on_goaway(void *owner)
{
    (void)owner;
}

static void on_dirty(void *owner)
{
    rpc_pipe_dirty(owner);
}

static const struct rpc_session_ops session_ops = {
    .on_open = on_open,
    .on_path = on_path,
    .on_message = on_message,
    .on_peer_ended = on_peer_ended,
    .on_drained = on_drained,
    .on_closed = on_stream_closed,
    .on_goaway = on_goaway,
    .on_dirty = on_dirty,
};

struct rpc_peer rpc_call_peer(const struct rpc_call *c)
{
    return c->connection->peer;
}

/* ---- connections ---- */
static void closed_one(struct rpc_server *s);

static void on_gone(struct rpc_pipe *p)
{
    struct connection *c = (struct connection *)p;
    struct rpc_server *s = c->server;
    struct rpc_stream *st;
    while ((st = rpc_session_first(p->session)))
        on_stream_closed(st, 0);
    rpc_session_free(p->session);
    if (c->prev)
        c->prev->next = c->next;
    else
        s->connections = c->next;
    if (c->next)
        c->next->prev = c->prev;
    s->nconnections--;
    free(c);
    closed_one(s);
}

static void on_broken(struct rpc_pipe *p, const char *why)
{
    struct connection *c = (struct connection *)p;
    log_debug("rpc: connection of process %d (uid %u) ended: %s", c->peer.pid, c->peer.uid, why);
}

static const struct rpc_pipe_ops pipe_ops = {.on_broken = on_broken, .on_gone = on_gone};

static bool welcome(const struct listener *l, struct connection *c)
{
    if (c->server->nconnections > CONNECTIONS_MAX) {
        log_warn("rpc: more than %d connections; one was refused", CONNECTIONS_MAX);
        return false;
    }
    int r = rpc_pipe_peer(&c->pipe, &c->peer);
    if (r) {
        log_warn("rpc: who connects is not known: %s", uv_strerror(r));
        return false;
    }
    for (size_t i = 0; i < l->nuids; i++)
        if (l->uids[i] == c->peer.uid)
            return true;
    log_warn("rpc: process %d of user %u may not connect", c->peer.pid, c->peer.uid);
    return false;
}

static void on_connection(uv_stream_t *stream, int status)
{
    struct listener *l = stream->data;
    struct rpc_server *s = l->server;
    if (status < 0) {
        log_error("rpc: accepting: %s", uv_strerror(status));
        return;
    }
    struct connection *c = NEW(struct connection);
    c->server = s;
    int r = rpc_pipe_init(&c->pipe, s->loop, true, &session_ops, &pipe_ops, s->read_buffer);
    if (r) {
        log_error("rpc: accepting: %s", uv_strerror(r));
        free(c);
        return;
    }
    c->next = s->connections;
    if (c->next)
        c->next->prev = c;
    s->connections = c;
    s->nconnections++;
    if (rpc_pipe_accept(&c->pipe, stream) || s->closing || !welcome(l, c) ||
        rpc_pipe_start(&c->pipe))
        rpc_pipe_close(&c->pipe);
}

/* ---- the server ---- */
int rpc_server_new(uv_loop_t *loop, struct rpc_server **ret, struct err *e)
{
    struct rpc_server *s = NEW(struct rpc_server);
    s->loop = loop;
    int r = uv_timer_init(loop, &s->last);
    if (r) {
        free(s);
        return err_set(e, r, "rpc: %s", uv_strerror(r));
    }
    s->last.data = s;
    s->read_buffer = rpc_read_buffer_new();
    *ret = s;
    return 0;
}

static void on_listener_closed(uv_handle_t *h)
{
    struct listener *l = h->data;
    struct rpc_server *s = l->server;
    free(l->uids);
    free(l);
    s->nlisteners--;
    closed_one(s);
}

int rpc_server_listen_fd(struct rpc_server *s, int fd, const uint32_t *uids, size_t nuids,
                         struct err *e)
{
    struct listener *l = NEW(struct listener);
    int r = uv_pipe_init(s->loop, &l->handle, 0);
    if (r) {
        free(l);
        close(fd);
        return err_set(e, r, "rpc: %s", uv_strerror(r));
    }
    l->server = s;
    l->handle.data = l;
    l->uids = nuids ? mem_dup(uids, nuids * sizeof(*uids)) : NULL;
    l->nuids = nuids;
    s->nlisteners++;
    r = uv_pipe_open(&l->handle, fd);
    if (r)
        close(fd);
    else
        r = uv_listen((uv_stream_t *)&l->handle, BACKLOG, on_connection);
    if (r) {
        uv_close((uv_handle_t *)&l->handle, on_listener_closed);
        return err_set(e, r, "rpc: listening: %s", uv_strerror(r));
    }
    l->next = s->listeners;
    s->listeners = l;
    return 0;
}

static void on_last_closed(uv_handle_t *h)
{
    struct rpc_server *s = h->data;
    if (s->on_closed)
        s->on_closed(s->on_closed_arg);
    rpc_read_buffer_free(s->read_buffer);
    free(s->table);
    free(s);
}

static void closed_one(struct rpc_server *s)
{
    bool turned = s->closing && !uv_is_active((uv_handle_t *)&s->last);
    if (turned && !s->nconnections && !s->nlisteners && !uv_is_closing((uv_handle_t *)&s->last))
        uv_close((uv_handle_t *)&s->last, on_last_closed);
}

/* What was answered before still goes out, as far as the socket takes it. */
static void say_goodbye(struct connection *c)
{
    rpc_pipe_flush(&c->pipe);
    if (c->pipe.closing)
        return;
    rpc_session_goaway(c->pipe.session);
    rpc_pipe_flush(&c->pipe);
    rpc_pipe_close(&c->pipe);
}

static void on_last_turn(uv_timer_t *t)
{
    struct rpc_server *s = t->data;
    for (struct listener *l = s->listeners; l; l = l->next)
        uv_close((uv_handle_t *)&l->handle, on_listener_closed);
    s->listeners = NULL;
    for (struct connection *c = s->connections; c; c = c->next)
        say_goodbye(c);
    closed_one(s);
}

/* On the loop, because a handler may close its own server. */
void rpc_server_close(struct rpc_server *s, void (*on_closed)(void *arg), void *arg)
{
    s->on_closed = on_closed;
    s->on_closed_arg = arg;
    s->closing = true;
    uv_timer_start(&s->last, on_last_turn, 0, 0);
}
