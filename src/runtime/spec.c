/* runtime/spec.c - config.json, member by member; the values are those that the engine's containers
 * have. */
#include "runtime/spec.h"

#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/mem.h"
#include "base/str.h"
#include "runtime/path.h"
#include "runtime/seccomp.h"

static const char default_path[] =
    "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

const char *const runtime_masked_paths[] = {
    "/proc/asound",
    "/proc/acpi",
    "/proc/interrupts",
    "/proc/kcore",
    "/proc/keys",
    "/proc/latency_stats",
    "/proc/timer_list",
    "/proc/timer_stats",
    "/proc/sched_debug",
    "/proc/scsi",
    "/sys/firmware",
    "/sys/devices/virtual/powercap",
    NULL,
};
const char *const runtime_readonly_paths[] = {
    "/proc/bus", "/proc/fs", "/proc/irq", "/proc/sys", "/proc/sysrq-trigger", NULL};

/* ---- environment ---- */

static size_t key_len(const char *entry)
{
    return strcspn(entry, "=");
}

static void env_put(char ***v, const char *entry)
{
    size_t n = key_len(entry);
    if (n == 0 || entry[n] != '=')
        return; /* an entry without "=" would be filled from the daemon's own environment elsewhere:
                   never here */
    for (size_t i = 0; *v && (*v)[i]; i++) {
        if (strncmp((*v)[i], entry, n + 1) == 0) {
            free((*v)[i]);
            (*v)[i] = mem_str(entry);
            return;
        }
    }
    strv_push(v, mem_str(entry));
}

static bool env_has(char *const *v, const char *key)
{
    size_t n = strlen(key);
    for (size_t i = 0; v && v[i]; i++)
        if (key_len(v[i]) == n && memcmp(v[i], key, n) == 0)
            return true;
    return false;
}

char **spec_env_merge(const char *const *base, const char *const *more)
{
    char **v = NULL;
    for (size_t i = 0; base && base[i]; i++)
        env_put(&v, base[i]);
    for (size_t i = 0; more && more[i]; i++)
        env_put(&v, more[i]);
    return v;
}

static char **process_env(const struct spec_input *in, const char *const *more, bool tty)
{
    AUTO_STRV char **base = NULL;
    strv_push(&base, mem_str(default_path));
    strv_push(&base, mem_printf("HOSTNAME=%s", in->hostname));
    if (tty)
        strv_push(&base, mem_str("TERM=xterm"));
    AUTO_STRV char **own =
        spec_env_merge((const char *const *)base, (const char *const *)in->c->config->env);
    char **v = spec_env_merge((const char *const *)own, more);
    if (!env_has(v, "HOME"))
        strv_push(&v, mem_printf("HOME=%s", in->user->home));
    return v;
}

/* ---- process ---- */

int spec_parse_ulimit(const char *s, char ret_name[32], uint64_t *ret_soft, uint64_t *ret_hard)
{
    const char *eq = strchr(s, '=');
    if (!eq || eq == s || eq - s > 20)
        return -EINVAL;
    size_t n = (size_t)(eq - s);
    memcpy(ret_name, "RLIMIT_", 7);
    for (size_t i = 0; i < n; i++) {
        if (!isalpha((unsigned char)s[i]))
            return -EINVAL;
        ret_name[7 + i] = (char)toupper((unsigned char)s[i]);
    }
    ret_name[7 + n] = '\0';
    const char *colon = strchr(eq + 1, ':');
    AUTO_FREE char *soft = mem_strn(eq + 1, colon ? (size_t)(colon - eq - 1) : strlen(eq + 1));
    const char *hard = colon ? colon + 1 : soft;
    int64_t a, b;
    if (str_to_i64(soft, &a) != 0 || str_to_i64(hard, &b) != 0 || a < -1 || b < -1)
        return -EINVAL;
    *ret_soft = a < 0 ? UINT64_MAX : (uint64_t)a;
    *ret_hard = b < 0 ? UINT64_MAX : (uint64_t)b;
    return *ret_soft > *ret_hard ? -EINVAL : 0;
}

static void write_caps(struct jw *w, const char *key, caps_set caps)
{
    jw_array(w, key);
    for (unsigned i = 0; caps_name(i); i++)
        if (caps >> i & 1)
            jw_str(w, NULL, caps_name(i));
    jw_end_array(w);
}

static void write_user(struct jw *w, const struct user_ids *u)
{
    jw_object(w, "user");
    jw_uint(w, "uid", u->uid);
    jw_uint(w, "gid", u->gid);
    jw_array(w, "additionalGids");
    for (size_t i = 0; i < u->ngroups; i++)
        jw_uint(w, NULL, u->groups[i]);
    jw_end_array(w);
    jw_end_object(w);
}

static void write_capabilities(struct jw *w, const struct spec_input *in)
{
    caps_set own = in->user->uid == 0 ? in->caps : 0; /* a plain user has none of them in hand */
    jw_object(w, "capabilities");
    write_caps(w, "bounding", in->caps);
    write_caps(w, "effective", own);
    write_caps(w, "permitted", own);
    write_caps(w, "inheritable", 0);
    write_caps(w, "ambient", 0);
    jw_end_object(w);
}

static int write_rlimits(struct jw *w, char *const *ulimits, struct err *e)
{
    int r = 0;
    jw_array(w, "rlimits");
    for (size_t i = 0; ulimits && ulimits[i] && r == 0; i++) {
        char name[32];
        uint64_t soft, hard;
        r = spec_parse_ulimit(ulimits[i], name, &soft, &hard);
        if (r != 0)
            return err_set(e, r, "invalid ulimit: %.128s", ulimits[i]);
        jw_object(w, NULL);
        jw_str(w, "type", name);
        jw_uint(w, "soft", soft);
        jw_uint(w, "hard", hard);
        jw_end_object(w);
    }
    jw_end_array(w);
    return 0;
}

static void write_process_head(struct jw *w, const struct spec_input *in,
                               const char *const *more_env, bool tty, const char *workdir)
{
    const struct container_config *cfg = in->c->config;
    AUTO_STRV char **env = process_env(in, more_env, tty);
    jw_bool(w, "terminal", tty);
    write_user(w, in->user);
    jw_strv(w, "env", (const char *const *)env);
    jw_str(w, "cwd", str_or(workdir, "/"));
    write_capabilities(w, in);
    jw_bool(w, "noNewPrivileges", cfg->no_new_privileges);
    jw_int(w, "oomScoreAdj", cfg->oom_score_adj);
}

static int write_process(struct jw *w, const struct spec_input *in, struct err *e)
{
    const struct container_config *cfg = in->c->config;
    jw_object(w, "process");
    write_process_head(w, in, NULL, cfg->tty, cfg->workdir);
    jw_array(w, "args");
    for (size_t i = 0; cfg->entrypoint && cfg->entrypoint[i]; i++)
        jw_str(w, NULL, cfg->entrypoint[i]);
    for (size_t i = 0; cfg->cmd && cfg->cmd[i]; i++)
        jw_str(w, NULL, cfg->cmd[i]);
    jw_end_array(w);
    int r = write_rlimits(w, cfg->ulimits, e);
    jw_end_object(w);
    return r;
}

void spec_write_exec(const struct spec_input *in, const struct exec_config *x, const char *workdir,
                     struct buf *ret)
{
    struct jw w = JW_INIT(ret);
    jw_object(&w, NULL);
    write_process_head(&w, in, (const char *const *)x->env, x->tty, workdir);
    if (x->tty && x->rows && x->cols) { /* set before the program runs: it may ask at once */
        jw_object(&w, "consoleSize");
        jw_uint(&w, "height", x->rows);
        jw_uint(&w, "width", x->cols);
        jw_end_object(&w);
    }
    jw_strv(&w, "args", (const char *const *)x->cmd);
    jw_end_object(&w);
}

/* ---- mounts ---- */

static void write_mount(struct jw *w, const char *target, const char *type, const char *source,
                        const char *options)
{
    jw_object(w, NULL);
    jw_str(w, "destination", target);
    jw_str(w, "type", type);
    jw_str(w, "source", source);
    jw_array(w, "options");
    while (*options) {
        size_t n = strcspn(options, ",");
        jw_strn(w, NULL, options, n);
        options += n + (options[n] == ',');
    }
    jw_end_array(w);
    jw_end_object(w);
}

static void write_kernel_mounts(struct jw *w)
{
    write_mount(w, "/proc", "proc", "proc", "nosuid,noexec,nodev");
    write_mount(w, "/dev", "tmpfs", "tmpfs", "nosuid,strictatime,mode=755,size=65536k");
    write_mount(w, "/dev/pts", "devpts", "devpts",
                "nosuid,noexec,newinstance,ptmxmode=0666,mode=0620,gid=5");
    write_mount(w, "/sys", "sysfs", "sysfs", "nosuid,noexec,nodev,ro");
    write_mount(w, "/sys/fs/cgroup", "cgroup", "cgroup", "ro,nosuid,noexec,nodev");
    write_mount(w, "/dev/mqueue", "mqueue", "mqueue", "nosuid,noexec,nodev");
    write_mount(w, "/dev/shm", "tmpfs", "shm", "nosuid,noexec,nodev,mode=1777,size=65536k");
}

struct spec_mount { /* for sorting: what lies higher is mounted first */
    const char *target;
    const struct spec_bind *bind;
    const struct mount_spec *tmpfs;
    size_t order;
};

static int compare_mounts(const void *a, const void *b)
{
    const struct spec_mount *x = a, *y = b;
    unsigned dx = path_depth(x->target), dy = path_depth(y->target);
    if (dx != dy)
        return dx < dy ? -1 : 1;
    return x->order < y->order ? -1 : 1;
}

static void write_bind(struct jw *w, const struct spec_bind *b)
{
    AUTO_FREE char *options =
        mem_printf("rbind,%s,%s%s", b->readonly ? "ro" : "rw", str_or(b->propagation, "rprivate"),
                   b->hardened ? ",nosuid,nodev,noexec" : "");
    write_mount(w, b->target, "bind", b->source, options);
}

static void write_tmpfs(struct jw *w, const struct spec_mount *m)
{
    AUTO_FREE char *size = m->tmpfs->tmpfs_size
                               ? mem_printf(",size=%llu", (unsigned long long)m->tmpfs->tmpfs_size)
                               : mem_str("");
    AUTO_FREE char *options =
        mem_printf("nosuid,noexec,nodev,%s%s,mode=%o", m->tmpfs->readonly ? "ro" : "rw", size,
                   m->tmpfs->tmpfs_mode ? m->tmpfs->tmpfs_mode : 01777);
    write_mount(w, m->target, "tmpfs", "tmpfs", options);
}

static void write_mounts(struct jw *w, const struct spec_input *in)
{
    const struct container_config *cfg = in->c->config;
    struct spec_mount *v = mem_array(in->nbinds + cfg->nmounts + 1, sizeof(*v));
    size_t n = 0;
    for (size_t i = 0; i < in->nbinds; i++, n++)
        v[n] =
            (struct spec_mount){.target = in->binds[i].target, .bind = &in->binds[i], .order = n};
    for (size_t i = 0; i < cfg->nmounts; i++) {
        if (cfg->mounts[i].type != MOUNT_TMPFS)
            continue;
        v[n] = (struct spec_mount){
            .target = in->tmpfs_targets[i], .tmpfs = &cfg->mounts[i], .order = n};
        n++;
    }
    qsort(v, n, sizeof(*v), compare_mounts);
    jw_array(w, "mounts");
    write_kernel_mounts(w);
    for (size_t i = 0; i < n; i++) {
        if (v[i].bind)
            write_bind(w, v[i].bind);
        else
            write_tmpfs(w, &v[i]);
    }
    jw_end_array(w);
    free(v);
}

/* ---- linux ---- */

static void write_device_rule(struct jw *w, bool allow, const char *type, int major, int minor,
                              const char *access)
{
    jw_object(w, NULL);
    jw_bool(w, "allow", allow);
    if (type)
        jw_str(w, "type", type);
    if (major >= 0)
        jw_int(w, "major", major);
    if (minor >= 0)
        jw_int(w, "minor", minor);
    jw_str(w, "access", access);
    jw_end_object(w);
}

static void write_devices(struct jw *w)
{
    static const int allowed[][2] = {{1, 3}, {1, 5}, {1, 7}, {1, 8},   {1, 9},
                                     {5, 0}, {5, 1}, {5, 2}, {136, -1}};
    jw_array(w, "devices");
    write_device_rule(w, false, NULL, -1, -1, "rwm");
    write_device_rule(w, true, "c", -1, -1, "m"); /* to make a node is not to open it */
    write_device_rule(w, true, "b", -1, -1, "m");
    for (size_t i = 0; i < sizeof allowed / sizeof allowed[0]; i++)
        write_device_rule(w, true, "c", allowed[i][0], allowed[i][1], "rwm");
    jw_end_array(w);
}

static void write_resources(struct jw *w, const struct container_config *cfg)
{
    enum { PERIOD_US = 100000 };
    jw_object(w, "resources");
    write_devices(w);
    if (cfg->memory > 0) {
        jw_object(w, "memory");
        jw_int(w, "limit", cfg->memory);
        jw_end_object(w);
    }
    if (cfg->nano_cpus > 0) {
        jw_object(w, "cpu");
        jw_int(w, "period", PERIOD_US);
        jw_int(w, "quota", cfg->nano_cpus / (1000000000 / PERIOD_US));
        jw_end_object(w);
    }
    if (cfg->pids_limit > 0) {
        jw_object(w, "pids");
        jw_int(w, "limit", cfg->pids_limit);
        jw_end_object(w);
    }
    jw_end_object(w);
}

static void write_namespace(struct jw *w, const char *type, const char *path)
{
    jw_object(w, NULL);
    jw_str(w, "type", type);
    jw_str_opt(w, "path", path);
    jw_end_object(w);
}

static void write_namespaces(struct jw *w, const struct spec_input *in)
{
    jw_array(w, "namespaces");
    write_namespace(w, "mount", NULL);
    if (in->netns)
        write_namespace(w, "network", in->netns);
    write_namespace(w, "uts", NULL);
    write_namespace(w, "pid", NULL);
    write_namespace(w, "ipc", NULL);
    write_namespace(w, "cgroup", NULL);
    jw_end_array(w);
}

static void write_sysctls(struct jw *w, const struct container_config *cfg)
{
    jw_object(w, "sysctl");
    for (size_t i = 0; cfg->sysctls && cfg->sysctls[i]; i++) {
        size_t n = key_len(cfg->sysctls[i]);
        AUTO_FREE char *key = mem_strn(cfg->sysctls[i], n);
        if (cfg->sysctls[i][n] == '=')
            jw_str(w, key, cfg->sysctls[i] + n + 1);
    }
    if (!str_empty(cfg->domainname))
        jw_str(w, "kernel.domainname", cfg->domainname);
    jw_end_object(w);
}

static void write_linux(struct jw *w, const struct spec_input *in)
{
    const struct container_config *cfg = in->c->config;
    jw_object(w, "linux");
    write_sysctls(w, cfg);
    write_resources(w, cfg);
    jw_str(w, "cgroupsPath", in->cgroup_path);
    write_namespaces(w, in);
    seccomp_write(w, "seccomp", in->caps);
    jw_strv(w, "maskedPaths", runtime_masked_paths);
    jw_strv(w, "readonlyPaths", runtime_readonly_paths);
    jw_end_object(w);
}

int spec_write(const struct spec_input *in, struct buf *ret, struct err *e)
{
    struct jw w = JW_INIT(ret);
    jw_object(&w, NULL);
    jw_str(&w, "ociVersion", "1.0.2");
    int r = write_process(&w, in, e);
    if (r != 0)
        return r;
    jw_object(&w, "root");
    jw_str(&w, "path", in->rootfs);
    jw_bool(&w, "readonly", in->c->config->read_only);
    jw_end_object(&w);
    jw_str(&w, "hostname", in->hostname);
    write_mounts(&w, in);
    write_linux(&w, in);
    if (in->seccomp_program) {
        jw_object(&w, "annotations");
        jw_str(&w, "run.oci.seccomp_bpf_data", in->seccomp_program);
        jw_end_object(&w);
    }
    jw_end_object(&w);
    if (ret->failed)
        return err_set(e, -E2BIG, "the container's configuration is too large for the runtime");
    return 0;
}
