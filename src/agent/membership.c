/* agent/membership.c - see membership.h. */
#include "agent/membership.h"

#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <pwd.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "agent/agent.h"
#include "agent/manager_child.h"
#include "base/buf.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/str.h"
#include "loop/file.h"
#include "rpc/methods.h"

enum { INIT_TIMEOUT_MS = 20000, NODE_FILE_MAX = 64 << 10 };

#define TEXT_ALREADY                                                                               \
    "This node is already part of a swarm. Use \"docker swarm leave\" to leave this swarm and "    \
    "join another one."
#define TEXT_NOT_IN "This node is not part of a swarm"
#define TEXT_LAST_MANAGER                                                                          \
    "You are attempting to leave the swarm on a node that is participating as a manager. "         \
    "Removing the last manager "                                                                   \
    "erases all current state of the swarm. Use `--force` to ignore this message. "

struct membership {
    uv_loop_t *loop;
    char *exec_root, *dir, *manager_dir, *node_file, *socket_path;
    char *manager_program, *manager_user;
    uid_t uid;
    gid_t gid;
    bool debug;
    struct runtime *runtime;
    struct image_store *images;

    enum membership_state state;
    char *node_id, *addr;
    struct manager_child *child;
    struct rpc_client *manager;
    struct agent *agent;

    membership_on_done on_done; /* of the change under way */
    void *arg;
    size_t removing;
    void (*on_closed)(void *arg);
    void *closed_arg;
};

enum membership_state membership_state(const struct membership *m)
{
    return m->state;
}

struct rpc_client *membership_manager(const struct membership *m)
{
    return m->state == MEMBERSHIP_ACTIVE ? m->manager : NULL;
}

const char *membership_node_id(const struct membership *m)
{
    return m->state == MEMBERSHIP_ACTIVE ? m->node_id : "";
}

const char *membership_addr(const struct membership *m)
{
    return m->state == MEMBERSHIP_ACTIVE ? m->addr : "";
}

int membership_manager_pid(const struct membership *m)
{
    return manager_child_pid(m->child);
}

/* ---- the disk ---- */

static int node_file_write(const struct membership *m, struct err *e)
{
    json_t *j = json_pack("{s:i, s:s, s:s}", "version", 1, "node_id", m->node_id, "addr", m->addr);
    char *text = json_dumps(j, JSON_INDENT(1));
    int r = file_write(m->node_file, text, strlen(text), 0600, e);
    free(text);
    json_decref(j);
    return r;
}

/* 0, or 1 when there is none. */
static int node_file_read(struct membership *m, struct err *e)
{
    AUTO_BUF struct buf b = BUF_INIT(NODE_FILE_MAX);
    int r = buf_read_file(&b, m->node_file, e);
    if (r == -ENOENT)
        return 1;
    if (r < 0)
        return r;
    json_error_t je;
    json_t *j = json_loadb(b.p, b.len, 0, &je);
    const char *id = json_string_value(json_object_get(j, "node_id"));
    const char *addr = json_string_value(json_object_get(j, "addr"));
    if (id && addr) {
        m->node_id = mem_str(id);
        m->addr = mem_str(addr);
    } else {
        r = err_set(
            e, -EBADMSG,
            "'%s' is damaged: restore it from a backup, or remove %s to leave the swarm for good",
            m->node_file, m->dir);
    }
    json_decref(j);
    return r;
}

static int make_dirs(const struct membership *m, struct err *e)
{
    int r = file_mkdirs(m->dir, 0710, e);
    if (r == 0 && chown(m->dir, 0, m->gid) < 0)
        r = err_sys(e, errno, "chown '%s'", m->dir);
    if (r == 0)
        r = file_mkdirs(m->manager_dir, 0700, e);
    if (r == 0 && chown(m->manager_dir, m->uid, m->gid) < 0)
        r = err_sys(e, errno, "chown '%s'", m->manager_dir);
    return r;
}

static int clear_dirs(const struct membership *m, struct err *e)
{
    struct stat st;
    if (lstat(m->dir, &st) < 0 && errno == ENOENT)
        return 0;
    return file_remove_tree(m->dir, e);
}

/* ---- manager and agent ---- */

static int start_manager(struct membership *m, struct err *e)
{
    const struct manager_child_options o = {
        .loop = m->loop,
        .program = m->manager_program,
        .socket_path = m->socket_path,
        .state_dir = m->manager_dir,
        .user = m->manager_user,
        .debug = m->debug,
    };
    int r = manager_child_start(&o, &m->child, e);
    if (r == 0)
        r = rpc_client_new(m->loop, m->socket_path, &m->manager, e);
    return r;
}

static void start_agent(struct membership *m)
{
    const struct agent_options o = {.loop = m->loop,
                                    .manager = m->manager,
                                    .runtime = m->runtime,
                                    .images = m->images,
                                    .node_id = m->node_id};
    m->agent = agent_new(&o);
    m->state = MEMBERSHIP_ACTIVE;
}

static void drop_client(struct membership *m)
{
    if (m->manager)
        rpc_client_close(TAKE(m->manager));
}

static void finish(struct membership *m, const struct rpc_status *st)
{
    membership_on_done d = TAKE(m->on_done);
    d(m->arg, st, m->node_id);
}

static void refuse(membership_on_done d, void *arg, enum rpc_code code, const char *text)
{
    struct rpc_status st;
    rpc_status_set(&st, code, "%s", text);
    d(arg, &st, NULL);
}

/* ---- founding ---- */

struct undo { /* why the founding failed, told once the manager has gone */
    struct membership *m;
    struct rpc_status st;
};

static void on_undone(void *arg)
{
    struct undo *u = arg;
    struct membership *m = u->m;
    struct err e = {0};
    if (clear_dirs(m, &e) < 0)
        log_error("%s", e.text);
    m->state = MEMBERSHIP_NONE;
    finish(m, &u->st);
    free(u);
}

static void undo_init(struct membership *m, const struct rpc_status *st)
{
    struct undo *u = NEW(struct undo);
    u->m = m;
    u->st = *st;
    free(TAKE(m->node_id));
    free(TAKE(m->addr));
    drop_client(m);
    if (m->child)
        manager_child_end(TAKE(m->child), on_undone, u);
    else
        on_undone(u);
}

static void on_founded(void *arg, const struct rpc_status *st, ProtobufCMessage *msg)
{
    struct membership *m = arg;
    if (st->code != RPC_OK) {
        undo_init(m, st);
        return;
    }
    struct err e = {0};
    m->node_id = mem_str(((const Keep__InitResponse *)msg)->node_id);
    if (node_file_write(m, &e) < 0) {
        struct rpc_status bad;
        rpc_status_set(&bad, RPC_INTERNAL, "%s", e.text);
        undo_init(m, &bad);
        return;
    }
    start_agent(m);
    finish(m, st);
}

void membership_init(struct membership *m, const Keep__InitRequest *rq, membership_on_done d,
                     void *arg)
{
    if (m->state != MEMBERSHIP_NONE) {
        refuse(d, arg, RPC_FAILED_PRECONDITION, TEXT_ALREADY);
        return;
    }
    struct err e = {0};
    m->state = MEMBERSHIP_CHANGING;
    m->on_done = d;
    m->arg = arg;
    int r = clear_dirs(m, &e);
    if (r == 0)
        r = make_dirs(m, &e);
    if (r == 0)
        r = start_manager(m, &e);
    if (r < 0) {
        struct rpc_status st;
        rpc_status_set(&st, RPC_INTERNAL, "%s", e.text);
        undo_init(m, &st);
        return;
    }
    m->addr = mem_str(rq->advertise_addr);
    rpc_start(m->manager, &rpc_method_manager_init, &rq->base, INIT_TIMEOUT_MS, on_founded, m);
}

/* ---- leaving ---- */

static void on_manager_gone(void *arg)
{
    struct membership *m = arg;
    struct err e = {0};
    struct rpc_status st = RPC_STATUS_OK;
    if (clear_dirs(m, &e) < 0)
        log_error("what is left of the swarm's state could not be removed: %s", e.text);
    free(TAKE(m->node_id));
    free(TAKE(m->addr));
    m->state = MEMBERSHIP_NONE;
    finish(m, &st);
}

static void end_manager(struct membership *m)
{
    drop_client(m);
    manager_child_end(TAKE(m->child), on_manager_gone, m);
}

static void on_container_removed(void *arg, int r, const struct err *e, struct container *c)
{
    (void)c;
    struct membership *m = arg;
    if (r != 0 && r != RUNTIME_NOT_FOUND)
        log_error("a task's container could not be removed: %s", err_text(e));
    if (--m->removing == 0)
        end_manager(m);
}

static int remove_task_container(void *arg, struct container *c)
{
    struct membership *m = arg;
    if (c->config->service_task && c->state != CONTAINER_REMOVING) {
        m->removing++;
        runtime_remove(m->runtime, c, true, on_container_removed, m);
    }
    return 0;
}

static void on_agent_closed(void *arg)
{
    struct membership *m = arg;
    m->removing = 1; /* ours, so that the last removal is seen even when there is none */
    runtime_each(m->runtime, remove_task_container, m);
    if (--m->removing == 0)
        end_manager(m);
}

void membership_leave(struct membership *m, bool force, membership_on_done d, void *arg)
{
    if (m->state == MEMBERSHIP_NONE) {
        refuse(d, arg, RPC_UNAVAILABLE, TEXT_NOT_IN);
        return;
    }
    if (m->state == MEMBERSHIP_CHANGING) {
        refuse(d, arg, RPC_UNAVAILABLE,
               "This node is just joining or leaving a swarm: try again in a moment");
        return;
    }
    if (!force) {
        refuse(d, arg, RPC_UNAVAILABLE, TEXT_LAST_MANAGER);
        return;
    }
    struct err e = {0};
    if (file_unlink(m->node_file, &e) < 0) {
        refuse(d, arg, RPC_INTERNAL, e.text);
        return;
    }
    m->state = MEMBERSHIP_CHANGING;
    m->on_done = d;
    m->arg = arg;
    agent_close(TAKE(m->agent), on_agent_closed, m);
}

/* ---- the daemon's start and end ---- */

static void on_stray_removed(void *arg, int r, const struct err *e, struct container *c)
{
    (void)arg, (void)c;
    if (r != 0)
        log_error("a container of a swarm that was left could not be removed: %s", err_text(e));
}

static int remove_stray(void *arg, struct container *c)
{
    struct membership *m = arg;
    if (c->config->service_task)
        runtime_remove(m->runtime, c, true, on_stray_removed, m);
    return 0;
}

static int find_user(struct membership *m, struct err *e)
{
    errno = 0;
    const struct passwd *pw = getpwnam(m->manager_user);
    if (!pw)
        return err_set(e, -ENOENT,
                       "there is no user '%s' for keep-manager: create it with "
                       "'useradd --system --no-create-home --shell /usr/sbin/nologin %s'",
                       m->manager_user, m->manager_user);
    if (pw->pw_uid == 0)
        return err_set(e, -EINVAL,
                       "keep-manager must not run as root: give another --manager-user");
    m->uid = pw->pw_uid;
    m->gid = pw->pw_gid;
    return 0;
}

/* The manager must be able to pass through data-root to its own directory, and nobody else. */
static int open_way(const struct membership *m, const char *data_root, struct err *e)
{
    if (chown(data_root, 0, m->gid) < 0 || chmod(data_root, 0710) < 0)
        return err_sys(e, errno, "'%s'", data_root);
    return 0;
}

static int take_up(struct membership *m, struct err *e)
{
    int r = node_file_read(m, e);
    if (r < 0)
        return r;
    if (r == 0) {
        r = start_manager(m, e);
        if (r == 0)
            start_agent(m);
        return r;
    }
    runtime_each(m->runtime, remove_stray, m);
    return clear_dirs(m, e);
}

static void membership_free(struct membership *m)
{
    char *strings[] = {m->exec_root,    m->dir,         m->manager_dir,
                       m->node_file,    m->socket_path, m->manager_program,
                       m->manager_user, m->node_id,     m->addr};
    for (size_t i = 0; i < sizeof(strings) / sizeof(strings[0]); i++)
        free(strings[i]);
    free(m);
}

int membership_open(const struct membership_options *o, struct membership **ret, struct err *e)
{
    struct membership *m = NEW(struct membership);
    m->loop = o->loop;
    m->runtime = o->runtime;
    m->images = o->images;
    m->debug = o->debug;
    m->exec_root = mem_str(o->exec_root);
    m->manager_program = mem_str(o->manager_program);
    m->manager_user = mem_str(o->manager_user);
    m->dir = mem_printf("%s/swarm", o->data_root);
    m->manager_dir = mem_printf("%s/manager", m->dir);
    m->node_file = mem_printf("%s/node.json", m->dir);
    m->socket_path = mem_printf("%s/manager.sock", o->exec_root);
    int r = find_user(m, e);
    if (r == 0)
        r = open_way(m, o->data_root, e);
    if (r == 0)
        r = take_up(m, e);
    if (r < 0) {
        drop_client(m);
        membership_free(m);
        return r;
    }
    *ret = m;
    return 0;
}

static void on_closing_manager_gone(void *arg)
{
    struct membership *m = arg;
    void (*cb)(void *) = m->on_closed;
    void *cb_arg = m->closed_arg;
    membership_free(m);
    cb(cb_arg);
}

static void on_closing_agent_gone(void *arg)
{
    struct membership *m = arg;
    drop_client(m);
    if (m->child)
        manager_child_end(TAKE(m->child), on_closing_manager_gone, m);
    else
        on_closing_manager_gone(m);
}

void membership_close(struct membership *m, void (*on_closed)(void *arg), void *arg)
{
    m->on_closed = on_closed;
    m->closed_arg = arg;
    if (m->agent)
        agent_close(TAKE(m->agent), on_closing_agent_gone, m);
    else
        on_closing_agent_gone(m);
}
