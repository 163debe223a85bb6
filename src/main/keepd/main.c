/* main/keepd/main.c - keepd: reads its options, takes its directories, joins the rooms, runs until
 * told to stop. */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>
#include <uv.h>

#include "agent/membership.h"
#include "api/api.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/secret.h"
#include "base/str.h"
#include "base/version.h"
#include "image/image.h"
#include "loop/file.h"
#include "loop/notify.h"
#include "loop/signals.h"
#include "loop/subreaper.h"
#include "main/keepd/listen.h"
#include "main/keepd/options.h"
#include "main/keepd/swarm.h"
#include "network/network.h"
#include "runtime/runtime.h"

enum { SECRET_ARENA = 128 << 20, SOCKETS_MAX = 16 };

struct daemon {
    struct keepd_options o;
    uv_loop_t loop;
    struct signals *signals;
    struct subreaper *subreaper;
    struct image_store *images;
    struct network *network;
    struct runtime *runtime;
    struct api *api;
    struct swarm swarm;
    char *program_dir;
    int sockets[SOCKETS_MAX], nsockets;
    bool stopping;
};

/* ---- the end ---- */

static void on_membership_closed(void *arg)
{
    struct daemon *d = arg;
    d->swarm.membership = NULL;
    runtime_close(d->runtime);
    network_close(d->network);
    image_store_close(d->images);
    subreaper_free(d->subreaper);
    signals_free(d->signals);
    uv_stop(&d->loop);
}

static void stop(struct daemon *d)
{
    d->stopping = true;
    notify_send("STOPPING=1", NULL);
    api_set_manager(d->api, NULL);
    api_close(d->api);
    if (d->swarm.membership)
        membership_close(d->swarm.membership, on_membership_closed, d);
    else
        on_membership_closed(d);
}

static void on_stop(void *arg, int signum, unsigned times)
{
    struct daemon *d = arg;
    if (times > 2)
        _exit(1);
    if (d->stopping)
        return;
    log_info("%s: stopping; containers go on", signum == SIGTERM ? "SIGTERM" : "SIGINT");
    stop(d);
}

/* ---- the start ---- */

static int serve(struct daemon *d, struct err *e)
{
    for (int i = 0; i < d->nsockets; i++) {
        int r = api_listen_fd(d->api, d->sockets[i], e);
        if (r < 0)
            return r;
    }
    return 0;
}

static void give_up(const struct err *e)
{
    log_error("%s", e->text);
    _exit(1); /* nothing is under way yet that would have to be undone */
}

static void on_recovered(void *arg)
{
    struct daemon *d = arg;
    struct err e = {0};
    AUTO_FREE char *manager = mem_printf("%s/keep-manager", d->program_dir);
    const struct membership_options mo = {
        .loop = &d->loop,
        .data_root = d->o.data_root,
        .exec_root = d->o.exec_root,
        .manager_program = manager,
        .manager_user = d->o.manager_user,
        .runtime = d->runtime,
        .images = d->images,
        .debug = d->o.debug,
    };
    int r = membership_open(&mo, &d->swarm.membership, &e);
    if (r < 0)
        give_up(&e);
    swarm_changed(&d->swarm);
    r = serve(d, &e);
    if (r < 0)
        give_up(&e);
    notify_send("READY=1", NULL);
    log_info("keepd %s is ready: %s %s, API %s, listening on %s", KEEP_VERSION,
             runtime_name(d->runtime), runtime_version(d->runtime), KEEP_API_VERSION,
             d->o.hosts[0]);
}

/* Two daemons of one machine must not meet: what is global is named after their roots. */
static void instance_name(const struct daemon *d, char ret[9])
{
    if (str_eq(d->o.exec_root, "/run/keep")) {
        str_copy(ret, 9, "0");
        return;
    }
    uint32_t h = 2166136261u; /* FNV-1a: only has to differ */
    for (const char *p = d->o.exec_root; *p; p++)
        h = (h ^ (unsigned char)*p) * 16777619u;
    snprintf(ret, 9, "%07x", h & 0xfffffff);
}

struct image_user {
    const char *image_id;
    const struct container *found;
};

static int find_image_user(void *arg, struct container *c)
{
    struct image_user *u = arg;
    if (!str_eq(c->image_id, u->image_id))
        return 0;
    u->found = c;
    return c->state == CONTAINER_RUNNING ||
           c->state == CONTAINER_PAUSED; /* a running one is worth more */
}

static const char *describe_image_user(void *arg, const char *image_id, bool *ret_running)
{
    const struct daemon *d = arg;
    struct image_user u = {.image_id = image_id};
    *ret_running = runtime_each(d->runtime, find_image_user, &u) != 0;
    return u.found ? u.found->id : NULL;
}

static int open_rooms(struct daemon *d, struct err *e)
{
    char instance[9];
    instance_name(d, instance);
    AUTO_FREE char *helper = mem_printf("%s/keep-runtime", d->program_dir);
    AUTO_FREE char *unpack = mem_printf("%s/keep-unpack", d->program_dir);
    const struct image_store_options io = {.data_root = d->o.data_root, .self_exe = unpack};
    const struct network_options no = {
        .exec_root = d->o.exec_root, .instance = instance, .subnet = d->o.subnet};
    int r = image_store_open(&d->loop, &io, &d->images, e);
    if (r == 0)
        r = network_open(&d->loop, &no, &d->network, e);
    if (r == 0) {
        const struct runtime_options ro = {.data_root = d->o.data_root,
                                           .exec_root = d->o.exec_root,
                                           .runtime_helper = helper,
                                           .images = d->images,
                                           .network = d->network,
                                           .cgroup_parent = d->o.cgroup_parent};
        r = runtime_open(&d->loop, &ro, &d->runtime, e);
    }
    if (r < 0)
        return r;
    image_on_describe_user(d->images, describe_image_user, d);
    d->swarm.loop = &d->loop;
    const struct api_options ao = {.loop = &d->loop,
                                   .runtime = d->runtime,
                                   .images = d->images,
                                   .network = d->network,
                                   .node = swarm_node_ops(&d->swarm),
                                   .data_root = d->o.data_root,
                                   .debug = d->o.debug};
    r = api_new(&ao, &d->api, e);
    d->swarm.api = d->api;
    return r;
}

static int take_sockets(struct daemon *d, struct err *e)
{
    for (char **h = d->o.hosts; *h; h++) {
        int n = 1;
        int r = str_eq(*h, "fd://")
                    ? listen_inherited(d->sockets + d->nsockets, SOCKETS_MAX - d->nsockets, &n, e)
                    : listen_unix(*h, d->o.group, &d->sockets[d->nsockets], e);
        if (r < 0)
            return r;
        d->nsockets += n;
    }
    return 0;
}

static int take_dirs(struct daemon *d, struct err *e)
{
    int r = file_mkdirs(d->o.data_root, 0710, e);
    if (r == 0)
        r = file_mkdirs(d->o.exec_root, 0700, e);
    if (r == 0)
        r = lock_dir(d->o.data_root, "data-root", e);
    if (r == 0)
        r = lock_dir(d->o.exec_root, "exec-root", e);
    if (r == 0)
        r = take_sockets(d, e);
    if (r == 0)
        r = write_pidfile(d->o.pidfile, e);
    return r;
}

static int find_program_dir(struct daemon *d, struct err *e)
{
    char path[4096];
    ssize_t n = readlink("/proc/self/exe", path, sizeof(path) - 1);
    if (n < 0)
        return err_sys(e, errno, "/proc/self/exe (is /proc mounted?)");
    path[n] = '\0';
    *strrchr(path, '/') = '\0';
    d->program_dir = mem_str(path);
    return 0;
}

/* Nothing of this process ever reaches swap; pages are locked as they are touched. Better than
 * nothing where it is forbidden. */
static void lock_memory(void)
{
    if (mlockall(MCL_CURRENT | MCL_FUTURE | MCL_ONFAULT) < 0)
        log_warn("memory other than that of secrets may be swapped out: mlockall: %s",
                 strerror(errno));
}

static int start(struct daemon *d, struct err *e)
{
    const struct signals_spec sig = {.on_stop = on_stop, .data = d};
    int r = secret_arena_open(SECRET_ARENA, e);
    if (r == 0) {
        lock_memory();
        r = find_program_dir(d, e);
    }
    if (r == 0)
        r = take_dirs(d, e);
    if (r == 0)
        r = signals_start(&d->loop, &sig, &d->signals, e);
    if (r == 0)
        r = subreaper_start(&d->loop, NULL, NULL, &d->subreaper, e);
    if (r == 0)
        r = open_rooms(d, e);
    if (r == 0)
        runtime_recover(d->runtime, on_recovered, d);
    return r;
}

int main(int argc, char **argv)
{
    static struct daemon d;
    struct err e = {0};
    int r = keepd_options_parse(argc, argv, &d.o, &e);
    if (r == OPTIONS_HELP || r == OPTIONS_VERSION) {
        puts(r == OPTIONS_HELP ? keepd_usage : "keepd " KEEP_VERSION);
        return 0;
    }
    log_init("keepd", d.o.debug ? LOG_DEBUG : LOG_INFO);
    if (r == 0 && geteuid() != 0)
        r = err_set(&e, -EPERM,
                    "keepd mounts and starts containers and must run as root: try sudo keepd");
    uv_loop_init(&d.loop);
    if (r == 0)
        r = start(&d, &e);
    if (r < 0) {
        log_error("%s", e.text);
        return 1;
    }
    uv_run(&d.loop, UV_RUN_DEFAULT);
    while (d.stopping && uv_loop_close(&d.loop) == UV_EBUSY && uv_run(&d.loop, UV_RUN_NOWAIT))
        ;
    for (char **h = d.o.hosts; *h; h++)
        if (str_starts(*h, "unix://"))
            unlink(*h + strlen("unix://"));
    unlink(d.o.pidfile);
    log_info("keepd has stopped");
    return 0;
}
