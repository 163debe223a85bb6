/* main/keep-manager/main.c - keep-manager: gives up root, opens keys and store, joins the rooms
 * that decide, serves its socket.
 *
 * Started by keepd with its listening socket (--listen-fd) and the reading end of a pipe
 * (--alive-fd) whose end says that keepd has gone; then, and on SIGTERM, it finishes what is on its
 * way to the disk and ends. */
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>
#include <uv.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/secret.h"
#include "base/str.h"
#include "base/trim.h"
#include "base/version.h"
#include "keys/keyring.h"
#include "keys/sealer.h"
#include "loop/signals.h"
#include "main/keep-manager/cluster.h"
#include "main/keep-manager/drop.h"
#include "store/sqlite.h"

enum { SECRET_ARENA = 128 << 20, LOCK_WAIT_MS = 10000, LOCK_STEP_MS = 20 };

struct manager_options {
    const char *state_dir, *user;
    int listen_fd, alive_fd;
    bool debug;
};

struct manager {
    struct manager_options o;
    uv_loop_t loop;
    struct signals *signals;
    uv_poll_t alive;
    struct keyring *keyring;
    struct sealer *sealer;
    struct store *store;
    struct cluster *cluster;
    bool stopping;
};

static int64_t wall(void *arg)
{
    (void)arg;
    return clock_wall_ns();
}

/* ---- the end ---- */

static void on_cluster_closed(void *arg)
{
    struct manager *m = arg;
    store_close(TAKE(m->store)); /* what was proposed is finished first */
    cluster_free(TAKE(m->cluster));
    signals_free(TAKE(m->signals));
    uv_close((uv_handle_t *)&m->alive, NULL);
}

static void stop(struct manager *m, const char *why)
{
    if (m->stopping)
        return;
    m->stopping = true;
    log_debug("%s: stopping", why);
    uv_poll_stop(&m->alive);
    cluster_close(m->cluster, on_cluster_closed, m);
}

static void on_stop(void *arg, int signum, unsigned times)
{
    (void)signum;
    if (times > 2)
        _exit(1);
    stop(arg, "told to");
}

static void on_alive(uv_poll_t *p, int status, int events)
{
    (void)status, (void)events; /* nothing is ever written: whatever comes is the end */
    stop(p->data, "keepd has gone");
}

/* ---- the start ---- */

static int open_keyring(struct manager *m, struct err *e)
{
    int r = keyring_open(m->o.state_dir, NULL, &m->keyring, e);
    if (r == -ENOENT)
        r = keyring_create(m->o.state_dir, NULL, clock_wall_ns(), &m->keyring, e);
    if (r == KEYRING_LOCKED || r == KEYRING_WRONG_KEY)
        return err_set(e, -EACCES,
                       "the store's keys in %s do not open: autolock is not served by this version",
                       m->o.state_dir);
    return r;
}

/* The manager before us may still be finishing: it sees its keepd's end at the same time as the new
 * one starts. */
static int open_store(struct manager *m, struct err *e)
{
    struct log_engine *engine;
    int r, waited = 0;
    while ((r = sqlite_log_open(&m->loop, m->o.state_dir, &engine, e)) == -EBUSY &&
           waited < LOCK_WAIT_MS) {
        const struct timespec step = {.tv_nsec = LOCK_STEP_MS * NS_PER_MS};
        nanosleep(&step, NULL);
        waited += LOCK_STEP_MS;
    }
    if (r < 0)
        return r;
    m->sealer = sealer_new(m->keyring);
    return store_open(engine, m->sealer, wall, NULL, &m->store, e);
}

static int start(struct manager *m, struct err *e)
{
    const struct signals_spec sig = {.on_stop = on_stop, .data = m};
    int r = secret_arena_open(SECRET_ARENA, e);
    if (r == 0 && mlockall(MCL_CURRENT | MCL_FUTURE | MCL_ONFAULT) < 0)
        log_warn("memory other than that of secrets may be swapped out: mlockall: %s",
                 strerror(errno));
    if (r == 0)
        r = drop_to(m->o.user, m->o.state_dir, &m->o.state_dir, e);
    if (r == 0)
        r = open_keyring(m, e);
    if (r == 0)
        r = open_store(m, e);
    if (r == 0)
        r = signals_start(&m->loop, &sig, &m->signals, e);
    if (r == 0)
        r = cluster_open(&m->loop, m->store, m->o.listen_fd, &m->cluster, e);
    if (r == 0) {
        uv_poll_init(&m->loop, &m->alive, m->o.alive_fd);
        m->alive.data = m;
        uv_poll_start(&m->alive, UV_READABLE | UV_DISCONNECT, on_alive);
        memory_trim();
    }
    return r;
}

static int parse(int argc, char **argv, struct manager_options *o, struct err *e)
{
    static const struct option options[] = {
        {"state-dir", required_argument, NULL, 's'},
        {"user", required_argument, NULL, 'u'},
        {"listen-fd", required_argument, NULL, 'l'},
        {"alive-fd", required_argument, NULL, 'a'},
        {"debug", no_argument, NULL, 'D'},
        {"version", no_argument, NULL, 'v'},
        {NULL, 0, NULL, 0},
    };
    uint64_t fd;
    int opt;
    *o = (struct manager_options){.user = "keep", .listen_fd = -1, .alive_fd = -1};
    while ((opt = getopt_long(argc, argv, "Dv", options, NULL)) != -1) {
        switch (opt) {
        case 's':
            o->state_dir = optarg;
            break;
        case 'u':
            o->user = optarg;
            break;
        case 'D':
            o->debug = true;
            break;
        case 'v':
            return 1;
        case 'l':
        case 'a':
            if (str_to_u64(optarg, 1000, &fd) != 0)
                return err_set(e, -EINVAL, "'%s' is no descriptor", optarg);
            *(opt == 'l' ? &o->listen_fd : &o->alive_fd) = (int)fd;
            break;
        default:
            return err_set(e, -EINVAL, "keep-manager is started by keepd, not by hand");
        }
    }
    if (!o->state_dir || o->listen_fd < 0 || o->alive_fd < 0)
        return err_set(e, -EINVAL, "keep-manager is started by keepd, not by hand");
    return 0;
}

int main(int argc, char **argv)
{
    static struct manager m;
    struct err e = {0};
    int r = parse(argc, argv, &m.o, &e);
    if (r == 1) {
        puts("keep-manager " KEEP_VERSION);
        return 0;
    }
    log_init("keep-manager", m.o.debug ? LOG_DEBUG : LOG_INFO);
    uv_loop_init(&m.loop);
    if (r == 0) {
        fcntl(m.o.listen_fd, F_SETFD, FD_CLOEXEC);
        fcntl(m.o.alive_fd, F_SETFD, FD_CLOEXEC);
        r = start(&m, &e);
    }
    if (r < 0) {
        log_error("%s", e.text);
        return 1;
    }
    uv_run(&m.loop, UV_RUN_DEFAULT);
    sealer_free(m.sealer);
    keyring_free(m.keyring);
    return 0;
}
