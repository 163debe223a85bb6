/* runtime/recover.c - after a restart of the daemon: what runs goes on, what ended is told, what
 * belongs to nobody is cleared away.
 *
 * Only what lies below our own roots, in our own cgroup and under a name of ours (64 hex digits) is
 * touched, and no link is followed. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <linux/magic.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/str.h"
#include "loop/file.h"
#include "runtime/internal.h"
#include "runtime/rootfs.h"
#include "runtime/secrets.h"
#include "runtime/tools.h"

enum { EXIT_LOST = 255, RECORD_MAX = 16 << 20, CONTROLLERS_MAX = 64 };

struct recovery {
    struct runtime *rt;
    size_t left; /* things under way */
    uv_timer_t timer;
    void (*on_done)(void *arg);
    void *arg;
};

/* ---- names in a directory ---- */

/* The names of 64 hex digits; NULL when there are none. */
static char **list_ids(const char *path)
{
    char **v = NULL;
    int fd = open(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    DIR *d = fd < 0 ? NULL : fdopendir(fd);
    if (!d) {
        if (fd >= 0)
            close(fd);
        return NULL;
    }
    for (struct dirent *entry; (entry = readdir(d));)
        if (str_is_hex(entry->d_name, ID_HEX_LEN))
            strv_push(&v, mem_str(entry->d_name));
    closedir(d);
    return v;
}

static struct ct *find_id(struct runtime *rt, const char *id)
{
    struct container *c;
    return runtime_find(rt, id, &c, NULL) == 0 && str_eq(c->id, id) ? ct_of(c) : NULL;
}

/* ---- reading the records ---- */

static int read_record(struct runtime *rt, const char *id, struct config_record *ret, struct err *e)
{
    AUTO_FREE char *path = mem_printf("%s/%s/config.json", rt->containers_dir, id);
    AUTO_BUF struct buf b = BUF_INIT(RECORD_MAX);
    int r = buf_read_file(&b, path, e);
    if (r == 0)
        r = config_json_read(b.p, b.len, ret, e);
    if (r == 0 && !str_eq(ret->id, id)) {
        config_record_done(ret);
        r = err_set(e, -EBADMSG, "the record in %s is of another container", path);
    }
    return r;
}

static void take_state(struct ct *c)
{
    struct state_record s;
    AUTO_FREE char *path = mem_printf("%s/state.json", c->data_dir);
    AUTO_BUF struct buf b = BUF_INIT(RECORD_MAX);
    if (buf_read_file(&b, path, NULL) != 0)
        return; /* never started */
    if (state_json_read(b.p, b.len, &s, NULL) != 0) {
        s = (struct state_record){.state = CONTAINER_EXITED,
                                  .exit_code = EXIT_LOST,
                                  .error = mem_str("its state was lost")};
        log_warn("container %.12s: its state cannot be read", c->pub.id);
    }
    c->pub.state = s.state == CONTAINER_REMOVING ? CONTAINER_DEAD : s.state;
    c->pub.pid = s.pid;
    c->pid_start = s.pid_start;
    c->pub.exit_code = s.exit_code;
    c->pub.oom_killed = s.oom_killed;
    c->pub.started_ns = s.started_ns;
    c->pub.finished_ns = s.finished_ns;
    ct_set_error(c, str_or(s.error, ""));
    free(s.error);
}

/* Is it still the process that we started? Looked at again once the pidfd holds it. */
static bool take_process(struct ct *c)
{
    struct err e = {0};
    uint64_t start = c->pid_start;
    if (c->pub.pid <= 0 || start == 0 || exit_pid_start(c->pub.pid) != start ||
        exit_watch(c, c->pub.pid, &e) != 0)
        return false;
    if (c->pid_start == start)
        return true;
    exit_unwatch(c);
    c->pid_start = start;
    return false;
}

static void take_user(struct ct *c)
{
    struct err e = {0};
    int root = rootfs_open(c->rootfs, &e);
    if (root < 0 || bundle_find_user(c, root, c->config->user, &c->user, &e) != 0)
        log_warn("container %.12s: %s", c->pub.id, err_text(&e));
    if (root >= 0)
        close(root);
}

static void take_endpoint(struct ct *c)
{
    const struct network_endpoint *ep = network_find(c->rt->network, c->pub.id);
    if (!ep)
        return;
    c->endpoint = *ep;
    c->pub.endpoint = &c->endpoint;
    str_copy(c->on_network, sizeof c->on_network, ep->network_id); /* so that its end is told */
}

static void take_container(struct runtime *rt, const char *id)
{
    struct config_record rec = {0};
    struct err e = {0};
    int r = read_record(rt, id, &rec, &e);
    if (r != 0) {
        /* Without a record it was never acknowledged, or is being removed: the sweep takes it. */
        if (r != -ENOENT)
            log_error("container %.12s is lost: %s", id, err_text(&e));
        return;
    }
    struct ct *c = ct_new(rt, &rec);
    config_record_done(&rec);
    ct_insert(c);
    image_hold(rt->images, c->pub.image_id);
    take_state(c);
    if (!ct_running(c))
        return;
    if (take_process(c)) {
        take_user(c);
        take_endpoint(c);
        return;
    }
    exit_queue_reap(c); /* the code is in its exit file, unless the machine was restarted */
    c->exit_tries = 1000;
}

/* ---- sweeping ---- */

static void sweep_secrets(struct runtime *rt)
{
    AUTO_STRV char **ids = list_ids(rt->secrets_dir);
    for (size_t i = 0; ids && ids[i]; i++) {
        struct ct *c = find_id(rt, ids[i]);
        AUTO_FREE char *dir = mem_printf("%s/%s", rt->secrets_dir, ids[i]);
        struct err e = {0};
        if ((!c || !ct_running(c) || c->reaping) && secrets_wipe(dir, &e) != 0)
            log_error("%s", err_text(&e));
    }
}

static void sweep_bundle(struct runtime *rt, const char *id)
{
    struct ct *c = find_id(rt, id);
    AUTO_FREE char *dir = mem_printf("%s/%s", rt->run_dir, id);
    AUTO_FREE char *rootfs = mem_printf("%s/rootfs", dir);
    AUTO_FREE char *lower = mem_printf("%s/lower", dir);
    struct err e = {0};
    rootfs_unmount(lower);
    if (c && ct_running(c))
        return;
    rootfs_unmount(rootfs);
    if (!c && file_remove_tree(dir, &e) != 0)
        log_error("%s", err_text(&e));
}

static void sweep_trees(struct runtime *rt)
{
    AUTO_STRV char **bundles = list_ids(rt->run_dir);
    AUTO_STRV char **data = list_ids(rt->containers_dir);
    for (size_t i = 0; bundles && bundles[i]; i++)
        sweep_bundle(rt, bundles[i]);
    for (size_t i = 0; data && data[i]; i++) {
        AUTO_FREE char *dir = mem_printf("%s/%s", rt->containers_dir, data[i]);
        AUTO_FREE char *record = mem_printf("%s/config.json", dir);
        struct err e = {0};
        /* A record that is there and cannot be read is left for a person to look at. */
        if (!find_id(rt, data[i]) && !file_exists(record) && file_remove_tree(dir, &e) != 0)
            log_error("%s", err_text(&e));
    }
}

static void sweep_exits(struct runtime *rt)
{
    AUTO_STRV char **ids = list_ids(rt->exits_dir);
    for (size_t i = 0; ids && ids[i]; i++) {
        AUTO_FREE char *path = mem_printf("%s/%s", rt->exits_dir, ids[i]);
        if (!find_id(rt, ids[i]))
            unlink(path);
    }
}

static void sweep_cgroup_dir(struct runtime *rt, const char *top)
{
    AUTO_FREE char *parent = mem_printf("%s%s", top, rt->cgroup_parent);
    AUTO_STRV char **ids = list_ids(parent);
    for (size_t i = 0; ids && ids[i]; i++) {
        AUTO_FREE char *dir = mem_printf("%s/%s", parent, ids[i]);
        if (!find_id(rt, ids[i]) && rmdir(dir) != 0 && errno != ENOENT)
            log_debug("%s: %s", dir,
                      strerror(errno)); /* not empty: a process of it is still dying */
    }
}

static void sweep_cgroups(struct runtime *rt)
{
    static const char top[] = "/sys/fs/cgroup";
    struct statfs fs;
    if (statfs(top, &fs) != 0)
        return;
    if (fs.f_type == CGROUP2_SUPER_MAGIC) {
        sweep_cgroup_dir(rt, top);
        return;
    }
    DIR *d = opendir(top);
    for (struct dirent *entry; d && (entry = readdir(d));) {
        AUTO_FREE char *dir = mem_printf("%s/%s", top, entry->d_name);
        if (entry->d_name[0] != '.')
            sweep_cgroup_dir(rt, dir);
    }
    if (d)
        closedir(d);
}

static bool keep_network(void *arg, const char *id)
{
    const struct ct *c = find_id(arg, id);
    return c && ct_running(c);
}

/* ---- the OCI runtime's own leftovers ---- */

static void one_done(struct recovery *v);

static void on_stray_deleted(void *data, const struct child_result *r)
{
    if (r->status != 0)
        log_warn("a stray container could not be deleted: %s", r->err->p);
    one_done(data);
}

static void delete_strays(struct recovery *v)
{
    struct runtime *rt = v->rt;
    AUTO_STRV char **ids = list_ids(rt->state_root);
    for (size_t i = 0; ids && ids[i]; i++) {
        struct ct *c = find_id(rt, ids[i]);
        if (c && ct_running(c)) /* running, or its reap deletes it */
            continue;
        const char *const args[] = {"delete", "--force", ids[i], NULL};
        AUTO_STRV char **argv = tools_oci_argv(rt, args);
        struct err e = {0};
        struct child_spec spec = {
            .argv = (const char *const *)argv,
            .err = {.to = CHILD_CAPTURE, .max = CHILD_TEXT_MAX},
            .timeout_ms = CHILD_TIMEOUT_MS,
            .on_exit = on_stray_deleted,
            .data = v,
        };
        v->left++;
        if (child_start(rt->loop, &spec, NULL, &e) != 0) {
            log_error("%s", err_text(&e));
            v->left--;
        }
    }
}

/* ---- in order ---- */

static void on_timer_closed(uv_handle_t *h)
{
    struct recovery *v = h->data;
    v->on_done(v->arg);
    free(v);
}

static bool any_reaping(struct runtime *rt)
{
    const struct ct *c;
    TAILQ_FOREACH(c, &rt->all, age)
    if (c->reaping)
        return true;
    return false;
}

static void sweep(struct recovery *v)
{
    sweep_secrets(v->rt);
    sweep_trees(v->rt);
    sweep_exits(v->rt);
    sweep_cgroups(v->rt);
    network_sweep(v->rt->network, keep_network, v->rt);
}

static void on_look(uv_timer_t *t)
{
    struct recovery *v = t->data;
    if (any_reaping(v->rt))
        return;
    uv_timer_stop(t);
    sweep(v);
    uv_close((uv_handle_t *)t, on_timer_closed);
}

/* Strays are gone: now what ended meanwhile is cleared away by its own reaping. */
static void one_done(struct recovery *v)
{
    if (--v->left > 0)
        return;
    uv_timer_start(&v->timer, on_look, 0, 5);
}

void runtime_recover(struct runtime *rt, void (*on_done)(void *arg), void *arg)
{
    struct recovery *v = NEW(struct recovery);
    AUTO_STRV char **ids = list_ids(rt->containers_dir);
    *v = (struct recovery){.rt = rt, .left = 1, .on_done = on_done, .arg = arg};
    uv_timer_init(rt->loop, &v->timer);
    v->timer.data = v;
    for (size_t i = 0; ids && ids[i]; i++)
        take_container(rt, ids[i]);
    sweep_secrets(rt); /* first of all: those of containers that ended */
    delete_strays(v);
    one_done(v);
}
