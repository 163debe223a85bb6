/* runtime/runtime.c - the table of containers: opening, finding, telling what happens. */
#include "runtime/runtime.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/str.h"
#include "loop/file.h"
#include "runtime/internal.h"
#include "runtime/rootfs.h"
#include "runtime/tools.h"

static int compare_ids(struct ct *a, struct ct *b)
{
    return strcmp(a->pub.id, b->pub.id);
}

RB_GENERATE_STATIC(ct_tree, ct, node, compare_ids)

const char *container_state_name(enum container_state s)
{
    static const char *const names[] = {"created", "running",  "paused",
                                        "exited",  "removing", "dead"};
    return s <= CONTAINER_DEAD ? names[s] : "unknown";
}

const char *runtime_name(const struct runtime *rt)
{
    return rt->name;
}

const char *runtime_version(const struct runtime *rt)
{
    return rt->version;
}

/* ---- opening ---- */

static int make_private(const char *path, struct err *e)
{
    int r = file_mkdirs(path, 0700, e);
    if (r == 0 && chmod(path, 0700) != 0) /* it may have been there before, wider */
        r = err_sys(e, errno, "cannot make %s private", path);
    return r;
}

static int make_dirs(struct runtime *rt, struct err *e)
{
    const char *const dirs[] = {rt->containers_dir, rt->run_dir, rt->secrets_dir, rt->exits_dir,
                                rt->state_root};
    for (size_t i = 0; i < sizeof dirs / sizeof dirs[0]; i++) {
        int r = make_private(dirs[i], e);
        if (r != 0)
            return r;
    }
    return rootfs_make_init_layer(rt->init_layer, e);
}

static void on_exits_changed(uv_fs_event_t *h, const char *name, int events, int status)
{
    struct runtime *rt = h->data;
    struct container *c;
    (void)events;
    if (status != 0 || !name || !str_is_hex(name, ID_HEX_LEN) ||
        runtime_find(rt, name, &c, NULL) != 0)
        return;
    if (ct_running(ct_of(c)))
        exit_queue_reap(ct_of(c));
}

static int watch_exits(struct runtime *rt, struct err *e)
{
    rt->exits = NEW(uv_fs_event_t);
    rt->exits->data = rt;
    int r = uv_fs_event_init(rt->loop, rt->exits);
    if (r == 0)
        r = uv_fs_event_start(rt->exits, on_exits_changed, rt->exits_dir, 0);
    return r == 0 ? 0 : err_sys(e, -r, "cannot watch %s", rt->exits_dir);
}

static void on_wake(void *arg)
{
    waits_run_due(arg);
}

static struct runtime *runtime_new(uv_loop_t *loop, const struct runtime_options *o)
{
    struct runtime *rt = NEW(struct runtime);
    rt->loop = loop;
    rt->holds = 1;
    rt->images = o->images;
    rt->network = o->network;
    rt->data_root = mem_str(o->data_root);
    rt->exec_root = mem_str(o->exec_root);
    rt->helper = mem_str(o->runtime_helper);
    rt->cgroup_parent = mem_str(str_or(o->cgroup_parent, "/keep"));
    rt->containers_dir = mem_printf("%s/containers", rt->data_root);
    rt->init_layer = mem_printf("%s/containers/init", rt->data_root);
    rt->run_dir = mem_printf("%s/containers", rt->exec_root);
    rt->secrets_dir = mem_printf("%s/secrets", rt->exec_root);
    rt->exits_dir = mem_printf("%s/exits", rt->exec_root);
    rt->state_root = mem_printf("%s/oci", rt->exec_root);
    rt->caps = caps_available();
    RB_INIT(&rt->tree);
    TAILQ_INIT(&rt->all);
    TAILQ_INIT(&rt->pending);
    TAILQ_INIT(&rt->watches);
    rt->pump = deferred_new(loop, ops_pump, rt);
    rt->wake = deferred_new(loop, on_wake, rt);
    return rt;
}

static void free_handle(uv_handle_t *h)
{
    free(h);
}

static void runtime_free(struct runtime *rt)
{
    char *const strings[] = {rt->data_root,      rt->exec_root,  rt->helper,  rt->cgroup_parent,
                             rt->containers_dir, rt->init_layer, rt->run_dir, rt->secrets_dir,
                             rt->exits_dir,      rt->state_root};
    for (size_t i = 0; i < sizeof strings / sizeof strings[0]; i++)
        free(strings[i]);
    deferred_free(rt->pump);
    deferred_free(rt->wake);
    free(rt);
}

static void runtime_put(struct runtime *rt)
{
    if (--rt->holds == 0)
        runtime_free(rt);
}

int runtime_open(uv_loop_t *loop, const struct runtime_options *o, struct runtime **ret,
                 struct err *e)
{
    struct runtime *rt = runtime_new(loop, o);
    int r = 0;
    if (o->data_root[0] != '/' || o->exec_root[0] != '/' || o->runtime_helper[0] != '/')
        r = err_set(e, -EINVAL, "data root, exec root and keep-runtime must be absolute paths");
    if (r == 0)
        r = rootfs_check_kernel(e);
    if (r == 0)
        r = make_dirs(rt, e);
    if (r == 0)
        r = tools_find(rt, e);
    if (r == 0)
        r = watch_exits(rt, e);
    if (r != 0) {
        runtime_close(rt);
        return r;
    }
    log_info("containers run with %s %s under conmon", rt->name, rt->version);
    *ret = rt;
    return 0;
}

void runtime_close(struct runtime *rt)
{
    if (!rt)
        return;
    rt->closing = true;
    for (struct ct *c; (c = TAILQ_FIRST(&rt->all));)
        ct_unlink(c);
    for (struct runtime_watch *w; (w = TAILQ_FIRST(&rt->watches));) {
        TAILQ_REMOVE(&rt->watches, w, link);
        free(w);
    }
    if (rt->exits)
        uv_close((uv_handle_t *)rt->exits, free_handle);
    runtime_put(rt);
}

/* ---- containers ---- */

struct ct *ct_of(struct container *c)
{
    return (struct ct *)c;
}

bool ct_running(const struct ct *c)
{
    return c->pub.state == CONTAINER_RUNNING || c->pub.state == CONTAINER_PAUSED;
}

void ct_set_error(struct ct *c, const char *text)
{
    free(c->error);
    c->error = mem_str(text);
    c->pub.error = c->error;
}

static void make_argv(struct ct *c)
{
    for (size_t i = 0; c->config->entrypoint && c->config->entrypoint[i]; i++)
        strv_push(&c->argv, mem_str(c->config->entrypoint[i]));
    for (size_t i = 0; c->config->cmd && c->config->cmd[i]; i++)
        strv_push(&c->argv, mem_str(c->config->cmd[i]));
    if (!c->argv)
        strv_push(&c->argv, mem_str(""));
    c->pub.path = c->argv[0];
    c->pub.args = (const char *const *)c->argv + 1;
}

struct ct *ct_new(struct runtime *rt, struct config_record *r)
{
    struct ct *c = NEW(struct ct);
    c->rt = rt;
    rt->holds++;
    c->config = TAKE(r->config);
    c->layers = TAKE(r->layers);
    str_copy(c->pub.id, sizeof c->pub.id, r->id);
    str_copy(c->pub.image_id, sizeof c->pub.image_id, r->image_id);
    c->pub.created_ns = r->created_ns;
    c->pub.config = c->config;
    c->data_dir = mem_printf("%s/%s", rt->containers_dir, r->id);
    c->exec_dir = mem_printf("%s/%s", rt->run_dir, r->id);
    c->secrets_dir = mem_printf("%s/%s", rt->secrets_dir, r->id);
    c->log_path = mem_printf("%s/log", c->data_dir);
    c->upper = mem_printf("%s/upper", c->data_dir);
    c->work = mem_printf("%s/work", c->data_dir);
    c->rootfs = mem_printf("%s/rootfs", c->exec_dir);
    c->pub.log_path = c->log_path;
    c->pub.upper_path = c->upper;
    c->pub.work_path = c->work;
    c->pub.init_layer = rt->init_layer;
    c->pub.layers = (const char *const *)c->layers;
    c->pub.rootfs_path = c->rootfs;
    c->pidfd = -1;
    c->holds = 1; /* the table */
    TAILQ_INIT(&c->waiters);
    TAILQ_INIT(&c->waits);
    TAILQ_INIT(&c->streams);
    TAILQ_INIT(&c->execs);
    ct_set_error(c, "");
    make_argv(c);
    return c;
}

void ct_insert(struct ct *c)
{
    struct runtime *rt = c->rt;
    struct ct *after;
    RB_INSERT(ct_tree, &rt->tree, c);
    c->linked = true;
    TAILQ_FOREACH(after, &rt->all, age)
    if (after->pub.created_ns <= c->pub.created_ns)
        break;
    if (after)
        TAILQ_INSERT_BEFORE(after, c, age);
    else
        TAILQ_INSERT_TAIL(&rt->all, c, age);
    rt->count++;
}

void ct_unlink(struct ct *c)
{
    struct runtime *rt = c->rt;
    char why[ID_HEX_SIZE + 32];
    snprintf(why, sizeof why, rt->closing ? "the daemon is stopping" : "No such container: %s",
             c->pub.id);
    c->linked = false;
    RB_REMOVE(ct_tree, &rt->tree, c);
    TAILQ_REMOVE(&rt->all, c, age);
    rt->count--;
    exit_unwatch(c);
    hub_close(c);
    waits_drop(c);
    ops_cancel(c, rt->closing ? -ECANCELED : RUNTIME_NOT_FOUND, why);
    execs_free(c);
    ct_put(c);
}

struct ct *ct_hold(struct ct *c)
{
    c->holds++;
    return c;
}

static void ct_free(struct ct *c)
{
    user_ids_done(&c->user);
    container_config_free(c->config);
    strv_free(c->layers);
    strv_free(c->argv);
    char *const strings[] = {c->data_dir, c->exec_dir, c->secrets_dir, c->log_path,
                             c->rootfs,   c->upper,    c->work,        c->error};
    for (size_t i = 0; i < sizeof strings / sizeof strings[0]; i++)
        free(strings[i]);
    buf_free(&c->early);
    runtime_put(c->rt);
    free(c);
}

void ct_put(struct ct *c)
{
    if (--c->holds == 0)
        ct_free(c);
}

int ct_save_config(struct ct *c, struct err *e)
{
    struct config_record r = {
        .created_ns = c->pub.created_ns, .layers = c->layers, .config = c->config};
    str_copy(r.id, sizeof r.id, c->pub.id);
    str_copy(r.image_id, sizeof r.image_id, c->pub.image_id);
    AUTO_BUF struct buf b = BUF_INIT(CONFIG_JSON_MAX);
    AUTO_FREE char *path = mem_printf("%s/config.json", c->data_dir);
    config_json_write(&r, &b);
    if (b.failed)
        return err_set(e, RUNTIME_BAD_REQUEST, "the container's configuration is too large");
    return file_write(path, b.p, b.len, 0600, e);
}

/* A power cut ends every container, so that waiting for the disk here would buy nothing. */
int ct_save_state(struct ct *c, struct err *e)
{
    const struct state_record s = {
        .state = c->pub.state,
        .pid = c->pub.pid,
        .pid_start = c->pid_start,
        .exit_code = c->pub.exit_code,
        .oom_killed = c->pub.oom_killed,
        .started_ns = c->pub.started_ns,
        .finished_ns = c->pub.finished_ns,
        .error = c->error,
    };
    AUTO_BUF struct buf b = BUF_INIT(CONFIG_JSON_MAX);
    AUTO_FREE char *path = mem_printf("%s/state.json", c->data_dir);
    state_json_write(&s, &b);
    return file_replace(path, b.p, b.len, 0600, e);
}

/* ---- finding ---- */

static int find_by_prefix(struct runtime *rt, const char *ref, struct ct **ret, struct err *e)
{
    struct ct key = {0};
    size_t n = strlen(ref);
    if (n == 0 || n > ID_HEX_LEN || strspn(ref, "0123456789abcdef") != n)
        return err_set(e, RUNTIME_NOT_FOUND, "No such container: %.256s", ref);
    str_copy(key.pub.id, sizeof key.pub.id, ref);
    struct ct *c = RB_NFIND(ct_tree, &rt->tree, &key);
    if (!c || strncmp(c->pub.id, ref, n) != 0)
        return err_set(e, RUNTIME_NOT_FOUND, "No such container: %.256s", ref);
    struct ct *next = RB_NEXT(ct_tree, &rt->tree, c);
    if (n < ID_HEX_LEN && next && strncmp(next->pub.id, ref, n) == 0)
        return err_set(e, RUNTIME_AMBIGUOUS, "Multiple IDs found with provided prefix: %.256s",
                       ref);
    *ret = c;
    return 0;
}

int runtime_find(struct runtime *rt, const char *ref, struct container **ret, struct err *e)
{
    const char *name = ref[0] == '/' ? ref + 1 : ref;
    struct ct *c;
    if (str_is_hex(ref, ID_HEX_LEN) && find_by_prefix(rt, ref, &c, NULL) == 0) {
        *ret = &c->pub;
        return 0;
    }
    TAILQ_FOREACH(c, &rt->all, age)
    {
        if (str_eq(c->config->name, name)) {
            *ret = &c->pub;
            return 0;
        }
    }
    int r = find_by_prefix(rt, ref, &c, e);
    if (r == 0)
        *ret = &c->pub;
    return r;
}

int runtime_each(struct runtime *rt, int (*fn)(void *arg, struct container *c), void *arg)
{
    struct ct *c, *next;
    int r = 0;
    for (c = TAILQ_FIRST(&rt->all); c && r == 0; c = next) {
        next = TAILQ_NEXT(c, age);
        r = fn(arg, &c->pub);
    }
    return r;
}

size_t runtime_count(const struct runtime *rt, enum container_state s)
{
    const struct ct *c;
    size_t n = 0;
    TAILQ_FOREACH(c, &rt->all, age)
    n += c->pub.state == s;
    return n;
}

int runtime_rename(struct runtime *rt, struct container *pub, const char *name, struct err *e)
{
    struct ct *c = ct_of(pub);
    if (name[0] == '/')
        name++;
    if (str_empty(name))
        return err_set(e, RUNTIME_BAD_REQUEST, "Neither old nor new names may be empty");
    if (str_eq(name, c->config->name))
        return err_set(e, RUNTIME_BAD_REQUEST,
                       "Renaming a container with the same name as its current name");
    int r = name_check(rt, name, e);
    if (r != 0)
        return r;
    char *old = c->config->name;
    c->config->name = mem_str(name);
    r = ct_save_config(c, e);
    if (r != 0) {
        free(c->config->name);
        c->config->name = old;
        return r;
    }
    free(old);
    rt_emit_simple(c, "rename");
    return 0;
}

/* ---- events ---- */

struct runtime_watch *
runtime_watch(struct runtime *rt, void (*cb)(void *arg, const struct runtime_event *ev), void *arg)
{
    struct runtime_watch *w = NEW(struct runtime_watch);
    w->rt = rt;
    w->cb = cb;
    w->arg = arg;
    TAILQ_INSERT_TAIL(&rt->watches, w, link);
    return w;
}

static void sweep_watches(struct runtime *rt)
{
    struct runtime_watch *w, *next;
    if (rt->emitting > 0)
        return;
    for (w = TAILQ_FIRST(&rt->watches); w; w = next) {
        next = TAILQ_NEXT(w, link);
        if (!w->gone)
            continue;
        TAILQ_REMOVE(&rt->watches, w, link);
        free(w);
    }
}

void runtime_unwatch(struct runtime_watch *w)
{
    if (!w)
        return;
    w->gone = true;
    sweep_watches(w->rt);
}

void rt_emit(struct ct *c, const struct runtime_event *ev)
{
    struct runtime_watch *w;
    c->rt->emitting++;
    TAILQ_FOREACH(w, &c->rt->watches, link)
    if (!w->gone)
        w->cb(w->arg, ev);
    c->rt->emitting--;
    sweep_watches(c->rt);
}

void rt_emit_simple(struct ct *c, const char *action)
{
    const struct runtime_event ev = {.action = action, .c = &c->pub};
    rt_emit(c, &ev);
}

void rt_emit_connect(struct ct *c)
{
    const struct runtime_event ev = {
        .action = "connect", .c = &c->pub, .network_id = c->on_network};
    str_copy(c->on_network, sizeof c->on_network, c->endpoint.network_id);
    if (c->on_network[0])
        rt_emit(c, &ev);
}

void rt_emit_disconnect(struct ct *c)
{
    const struct runtime_event ev = {
        .action = "disconnect", .c = &c->pub, .network_id = c->on_network};
    if (c->on_network[0])
        rt_emit(c, &ev);
    c->on_network[0] = '\0';
}
