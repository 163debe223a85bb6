/* runtime/live.h - real containers for tests: busybox as the only image, no network, everything
 * below one temporary directory.
 *
 * The image store and the network are stood in for by the few functions that the runtime calls.
 * Included once by each test program. */
#ifndef RUNTIME_LIVE_H
#define RUNTIME_LIVE_H
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/str.h"
#include "lib/check.h"
#include "loop/child.h"
#include "loop/file.h"
#include "loop/subreaper.h"
#include "runtime/runtime.h"

enum { LIVE_PATIENCE_MS = 20000 };
#define LIVE_NETWORK "2222222222222222222222222222222222222222222222222222222222222222"

static uv_loop_t live_loop;
static struct runtime *live_rt;
static char *live_top;
static const char *live_skip;
static struct subreaper *live_reaper;
static char live_cgroup[48];
static pid_t live_guardian;

/* ---- stand-ins ---- */

static char *live_layers[8];
static size_t live_nlayers;
static char *live_env[] = {(char[]){"FROM_IMAGE=yes"}, (char[]){"BARE"}, NULL};
static int live_held;

int image_find(struct image_store *s, const char *ref, const struct image **ret)
{
    static struct image img;
    static char *dirs[9];
    (void)s;
    if (!str_starts(ref, "busybox"))
        return IMAGE_NOT_FOUND;
    img = (struct image){.layer_dirs = dirs, .config = {.env = live_env}};
    str_copy(img.id, sizeof img.id,
             "sha256:1111111111111111111111111111111111111111111111111111111111111111");
    dirs[0] = live_layers[0];
    dirs[1] = NULL;
    for (size_t i = 1; i < live_nlayers; i++) { /* "busybox-NAME": the layer NAME on top */
        const char *name = strrchr(live_layers[i], '/') + 1;
        if (ref[7] == '-' && str_eq(ref + 8, name)) {
            dirs[1] = live_layers[i];
            dirs[2] = NULL;
        }
    }
    *ret = &img;
    return 0;
}

void image_hold(struct image_store *s, const char *id)
{
    (void)s, (void)id;
    live_held++;
}

void image_release(struct image_store *s, const char *id)
{
    (void)s, (void)id;
    live_held--;
}

int image_not_found(const char *ref, struct err *e)
{
    return err_set(e, IMAGE_NOT_FOUND, "No such image: %s", ref);
}

struct live_attach {
    uv_timer_t timer;
    struct network_endpoint ep;
    void (*on_done)(void *arg, int r, const struct err *e, const struct network_endpoint *ep);
    void *arg;
};

static void live_free_handle(uv_handle_t *h)
{
    free(h->data);
}

static void live_attached(uv_timer_t *t)
{
    struct live_attach *a = t->data;
    a->on_done(a->arg, 0, NULL, &a->ep);
    uv_close((uv_handle_t *)t, live_free_handle);
}

static char *live_netns(const char *id)
{
    return mem_printf("%s/run/netns/%s", live_top, id);
}

/* A namespace of its own, pinned as the network room does it. */
static void live_make_netns(const char *path)
{
    AUTO_CLOSE int fd = open(path, O_CREAT | O_RDONLY | O_CLOEXEC, 0600);
    pid_t pid = fork();
    if (pid == 0)
        _exit(unshare(CLONE_NEWNET) == 0 &&
                      mount("/proc/self/ns/net", path, NULL, MS_BIND, NULL) == 0
                  ? 0
                  : 1);
    while (waitpid(pid, NULL, 0) < 0 && errno == EINTR)
        ;
}

void network_attach(struct network *n, const char *id, enum network_mode mode,
                    void (*on_done)(void *arg, int r, const struct err *e,
                                    const struct network_endpoint *ep),
                    void *arg)
{
    struct live_attach *a = NEW(struct live_attach);
    AUTO_FREE char *path = live_netns(id);
    (void)n;
    a->on_done = on_done;
    a->arg = arg;
    a->ep.mode = mode;
    str_copy(a->ep.network_id, sizeof a->ep.network_id, LIVE_NETWORK);
    if (mode != NETWORK_HOST) {
        if (!file_exists(path))
            live_make_netns(path);
        str_copy(a->ep.netns_path, sizeof a->ep.netns_path, path);
    }
    uv_timer_init(&live_loop, &a->timer);
    a->timer.data = a;
    uv_timer_start(&a->timer, live_attached, 0, 0);
}

void network_detach(struct network *n, const char *id)
{
    AUTO_FREE char *path = live_netns(id);
    (void)n;
    umount2(path, MNT_DETACH);
    unlink(path);
}

const struct network_endpoint *network_find(const struct network *n, const char *id)
{
    (void)n, (void)id;
    return NULL;
}

void network_sweep(struct network *n, bool (*keep)(void *arg, const char *id), void *arg)
{
    (void)n;
    AUTO_FREE char *dir = live_netns("");
    DIR *d = opendir(dir);
    for (struct dirent *e; d && (e = readdir(d));)
        if (e->d_name[0] != '.' && !keep(arg, e->d_name))
            network_detach(NULL, e->d_name);
    if (d)
        closedir(d);
}

char *network_resolv_conf(const char *const *dns, const char *const *search,
                          const char *const *options)
{
    (void)search, (void)options;
    return mem_printf("nameserver %s\n", dns && dns[0] ? dns[0] : "192.0.2.53");
}

/* ---- turning the loop ---- */

static bool live_until(bool (*done)(void *arg), void *arg)
{
    int64_t end = clock_mono_ns() + LIVE_PATIENCE_MS * NS_PER_MS;
    while (!done(arg)) {
        if (clock_mono_ns() > end)
            return false;
        if (uv_run(&live_loop, UV_RUN_NOWAIT) >= 0)
            usleep(200);
    }
    return true;
}

struct live_done {
    bool done;
    int r;
    struct err e;
    struct container *c;
};

static void live_on_done(void *arg, int r, const struct err *e, struct container *c)
{
    struct live_done *d = arg;
    d->done = true;
    d->r = r;
    if (e)
        d->e = *e;
    d->c = c;
}

static bool live_is_done(void *arg)
{
    return ((struct live_done *)arg)->done;
}

static __attribute__((unused)) bool live_flag(void *arg)
{
    return *(bool *)arg;
}

static bool live_stopped(void *arg)
{
    const struct container *c = arg;
    return c->state != CONTAINER_RUNNING && c->state != CONTAINER_PAUSED;
}

static void live_sleep_ms(int ms)
{
    int64_t end = clock_mono_ns() + ms * NS_PER_MS;
    while (clock_mono_ns() < end) {
        uv_run(&live_loop, UV_RUN_NOWAIT);
        usleep(500);
    }
}

/* ---- containers ---- */

static struct container_config *live_config(const char *script)
{
    struct container_config *c = NEW(struct container_config);
    c->image = mem_str("busybox");
    c->stop_timeout_s = -1;
    c->log_driver = mem_str("json-file");
    if (script) {
        strv_push(&c->cmd, mem_str("/bin/sh"));
        strv_push(&c->cmd, mem_str("-c"));
        strv_push(&c->cmd, mem_str(script));
    }
    return c;
}

static struct live_done live_create(struct container_config *c)
{
    struct live_done d = {0};
    runtime_create(live_rt, c, live_on_done, &d);
    if (!live_until(live_is_done, &d))
        d.r = -ETIMEDOUT;
    return d;
}

static struct live_done live_start(struct container *c, struct secret_buf **payloads, size_t n)
{
    struct live_done d = {0};
    runtime_start(live_rt, c, payloads, n, live_on_done, &d);
    if (!live_until(live_is_done, &d))
        d.r = -ETIMEDOUT;
    return d;
}

static struct live_done live_remove(struct container *c)
{
    struct live_done d = {0};
    runtime_remove(live_rt, c, true, live_on_done, &d);
    if (!live_until(live_is_done, &d))
        d.r = -ETIMEDOUT;
    return d;
}

/* Created and started; NULL when that failed (and is marked). */
static __attribute__((unused)) struct container *live_run(struct container_config *config)
{
    struct live_done d = live_create(config);
    if (d.r == 0)
        d = live_start(d.c, NULL, 0);
    if (d.r != 0)
        fprintf(stderr, "# %s\n", d.e.text);
    EXPECT_INT(d.r, 0);
    return d.r == 0 ? d.c : NULL;
}

static char *live_read_file(const char *path)
{
    struct buf b = BUF_INIT(64 << 20);
    if (buf_read_file(&b, path, NULL) != 0) {
        buf_free(&b);
        return mem_str("");
    }
    return buf_take(&b);
}

/* What it printed, in the log's own order, without time stamps. */
static __attribute__((unused)) char *live_output(struct container *c)
{
    char *log = live_read_file(c->log_path);
    struct buf b = BUF_INIT(64 << 20);
    buf_str(&b, "");
    for (char *line = log; *line;) {
        char *end = strchr(line, '\n');
        char *text = line;
        for (int i = 0; i < 3 && text; i++)
            text = strchr(text, ' ') ? strchr(text, ' ') + 1 : NULL;
        if (!end)
            break;
        if (text && text <= end) /* "P": the line goes on in the next one */
            buf_append(&b, text, (size_t)(end - text) + (text[-2] == 'F'));
        line = end + 1;
    }
    free(log);
    buf_reserve(&b, 1);
    return buf_take(&b);
}

/* Runs it to its end and gives its output. */
static __attribute__((unused)) char *live_run_out(struct container_config *config, int *ret_code)
{
    struct container *c = live_run(config);
    if (!c)
        return mem_str("");
    EXPECT(live_until(live_stopped, c));
    if (ret_code)
        *ret_code = c->exit_code;
    char *out = live_output(c);
    EXPECT_INT(live_remove(c).r, 0);
    return out;
}

static __attribute__((unused)) struct secret_buf *live_secret(const char *text)
{
    struct secret_buf *s = secret_buf_new(strlen(text) + 1);
    EXPECT_INT(secret_buf_append(s, text, strlen(text)), 0);
    return s;
}

/* ---- the machine ---- */

static void live_sh(const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    AUTO_FREE char *cmd = mem_vprintf(fmt, ap);
    va_end(ap);
    pid_t pid = fork();
    if (pid == 0) {
        execl("/bin/sh", "sh", "-c", cmd, (char *)NULL);
        _exit(127);
    }
    int status = 0;
    while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
        ;
    if (status != 0)
        fprintf(stderr, "# failed: %s\n", cmd);
}

/* A layer on top of busybox, made by a shell script that runs in it. */
static __attribute__((unused)) void live_layer(const char *name, const char *script)
{
    char *dir = mem_printf("%s/layers/%s", live_top, name);
    live_sh("mkdir -p '%s' && cd '%s' && %s", dir, dir, script);
    live_layers[live_nlayers++] = dir;
}

static int live_open(void)
{
    AUTO_FREE char *data = mem_printf("%s/data", live_top);
    AUTO_FREE char *run = mem_printf("%s/run", live_top);
    AUTO_FREE char *helper = mem_printf("%s/keep-runtime", live_top);
    struct runtime_options o = {.data_root = data,
                                .exec_root = run,
                                .runtime_helper = helper,
                                .cgroup_parent = live_cgroup};
    struct err e = {0};
    int r = runtime_open(&live_loop, &o, &live_rt, &e);
    if (r != 0)
        fprintf(stderr, "# %s\n", e.text);
    return r;
}

/* A process that outlives this one when it is killed, and clears away what it had. The pipe ends
 * when we do. */
static void live_guard(void)
{
    int ends[2];
    char byte;
    if (pipe2(ends, O_CLOEXEC) != 0)
        return;
    live_guardian = fork();
    if (live_guardian != 0) {
        close(ends[0]);
        return;
    }
    close(ends[1]);
    setsid();
    while (read(ends[0], &byte, 1) < 0 && errno == EINTR)
        ;
    live_sh("for p in $(cat /sys/fs/cgroup/*%s/*/cgroup.procs /sys/fs/cgroup%s/*/cgroup.procs "
            "2>/dev/null); do kill -9 $p; done; sleep 0.5; "
            "grep -o ' %s/[^ ]*' /proc/mounts | sort -r | while read m; do umount -l \"$m\"; done; "
            "rmdir /sys/fs/cgroup/*%s/* /sys/fs/cgroup/*%s /sys/fs/cgroup%s 2>/dev/null; rm -rf "
            "--one-file-system '%s'",
            live_cgroup, live_cgroup, live_top, live_cgroup, live_cgroup, live_cgroup, live_top);
    _exit(0);
}

static int live_init(void)
{
    static const char *const applets[] = {
        "sh",       "cat",  "ls", "sleep", "echo", "id",    "stat",    "mount", "env",
        "pwd",      "head", "tr", "grep",  "stty", "dd",    "unshare", "mknod", "chmod",
        "hostname", "seq",  "wc", "touch", "rm",   "mkdir", "true"};
    struct err e = {0};
    uv_loop_init(&live_loop);
    if (geteuid() != 0)
        live_skip = "needs root";
    else if (access("/usr/bin/conmon", X_OK) != 0 || access("/usr/bin/busybox", X_OK) != 0)
        live_skip = "needs conmon and busybox-static";
    if (live_skip)
        return 0;
    log_init("test", LOG_WARN);
    if (secret_arena_open(16 << 20, &e) != 0 ||
        subreaper_start(&live_loop, NULL, NULL, &live_reaper, &e) != 0) {
        fprintf(stderr, "# %s\n", e.text);
        return -1;
    }
    live_top = mem_str(check_tmpdir());
    snprintf(live_cgroup, sizeof live_cgroup, "/keep-unit-test-%d", (int)getpid());
    live_guard();
    chmod(live_top, 0711);
    live_sh("cd '%s' && mkdir -p layers/base/bin layers/base/etc layers/base/tmp layers/base/root "
            "run/netns && cp /usr/bin/busybox layers/base/bin/ && "
            "printf 'root:x:0:0:root:/root:/bin/sh\\napp:x:1000:1000::/home/app:/bin/sh\\n' > "
            "layers/base/etc/passwd && "
            "printf 'root:x:0:\\napp:x:1000:\\nextra:x:2000:app\\n' > layers/base/etc/group && "
            "chmod 1777 layers/base/tmp",
            live_top);
    for (size_t i = 0; i < sizeof applets / sizeof applets[0]; i++) {
        AUTO_FREE char *link = mem_printf("%s/layers/base/bin/%s", live_top, applets[i]);
        if (symlink("busybox", link) != 0)
            return -1;
    }
    live_layers[live_nlayers++] = mem_printf("%s/layers/base", live_top);
    live_sh("gcc -O2 -D_GNU_SOURCE -o '%s/keep-runtime' src/main/keep-runtime.c", live_top);
    return live_open();
}

static int live_collect(void *arg, struct container *c)
{
    char ***v = arg;
    strv_push(v, mem_str(c->id));
    return 0;
}

static bool live_keep_none(void *arg, const char *id)
{
    (void)arg, (void)id;
    return false;
}

/* Whatever tests left behind goes, so that a failure leaves no container on the machine. */
static int live_finish(void)
{
    AUTO_STRV char **ids = NULL;
    if (live_skip)
        return check_done();
    runtime_each(live_rt, live_collect, &ids);
    for (size_t i = 0; ids && ids[i]; i++) {
        struct container *c;
        if (runtime_find(live_rt, ids[i], &c, NULL) == 0)
            live_remove(c);
    }
    runtime_close(live_rt);
    live_sleep_ms(20);
    subreaper_free(live_reaper);
    network_sweep(NULL, live_keep_none, NULL);
    live_sh("rmdir /sys/fs/cgroup/*%s /sys/fs/cgroup%s 2>/dev/null; true", live_cgroup,
            live_cgroup);
    kill(live_guardian, SIGKILL);
    live_sleep_ms(20);
    uv_loop_close(&live_loop);
    for (size_t i = 0; i < live_nlayers; i++)
        free(live_layers[i]);
    free(live_top);
    return check_done();
}

#define LIVE()                                                                                     \
    if (live_skip) {                                                                               \
        check_skip(live_skip);                                                                     \
        return;                                                                                    \
    }
#endif
