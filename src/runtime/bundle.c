/* runtime/bundle.c - the directory that conmon is pointed at: file system, files of the network,
 * secrets, config.json. */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/mem.h"
#include "base/str.h"
#include "loop/file.h"
#include "runtime/internal.h"
#include "runtime/path.h"
#include "runtime/rootfs.h"
#include "runtime/seccomp.h"
#include "runtime/secrets.h"
#include "runtime/spec.h"

int bundle_mount(struct ct *c, struct err *e)
{
    AUTO_FREE char *links = mem_printf("%s/layers", c->exec_dir);
    int r = file_mkdirs(c->exec_dir, 0700, e);
    if (r != 0 || rootfs_is_mounted(c->rootfs))
        return r;
    const struct rootfs_spec s = {
        .layers = (const char *const *)c->layers,
        .init_layer = c->rt->init_layer,
        .links_dir = links,
        .upper = c->upper,
        .work = c->work,
        .target = c->rootfs,
    };
    return rootfs_mount(&s, e);
}

char *bundle_hostname(const struct ct *c)
{
    char own[HOST_NAME_MAX + 1];
    if (!str_empty(c->config->hostname))
        return mem_str(c->config->hostname);
    if (c->config->network == NETWORK_HOST && gethostname(own, sizeof own) == 0)
        return mem_str(own);
    return mem_strn(c->pub.id, 12);
}

/* ---- hosts, hostname, resolv.conf ---- */

static void write_hosts(const struct ct *c, const char *hostname, struct buf *b)
{
    const struct container_config *cfg = c->config;
    const char *ip = c->endpoint.ip;
    buf_str(
        b,
        "127.0.0.1\tlocalhost\n::1\tlocalhost ip6-localhost ip6-loopback\nfe00::0\tip6-localnet\n"
        "ff00::0\tip6-mcastprefix\nff02::1\tip6-allnodes\nff02::2\tip6-allrouters\n");
    for (size_t i = 0; cfg->hosts && cfg->hosts[i]; i++) {
        const char *colon = strchr(cfg->hosts[i], ':');
        if (!colon)
            continue;
        const char *to = str_eq(colon + 1, "host-gateway") ? c->endpoint.gateway : colon + 1;
        if (*to)
            buf_printf(b, "%s\t%.*s\n", to, (int)(colon - cfg->hosts[i]), cfg->hosts[i]);
    }
    if (ip[0] && !str_empty(cfg->domainname))
        buf_printf(b, "%s\t%s.%s %s\n", ip, hostname, cfg->domainname, hostname);
    else if (ip[0])
        buf_printf(b, "%s\t%s\n", ip, hostname);
}

static int put_file(const struct ct *c, const char *name, const char *text, size_t n, struct err *e)
{
    AUTO_FREE char *path = mem_printf("%s/%s", c->exec_dir, name);
    return file_replace(path, text, n, 0644, e);
}

static int write_net_files(const struct ct *c, const char *hostname, struct err *e)
{
    const struct container_config *cfg = c->config;
    AUTO_BUF struct buf b = BUF_INIT(1 << 20);
    AUTO_FREE char *resolv =
        network_resolv_conf((const char *const *)cfg->dns, (const char *const *)cfg->dns_search,
                            (const char *const *)cfg->dns_options);
    AUTO_FREE char *line = mem_printf("%s\n", hostname);
    write_hosts(c, hostname, &b);
    int r = b.failed ? err_set(e, -E2BIG, "too many host entries")
                     : put_file(c, "hosts", b.p, b.len, e);
    if (r == 0)
        r = put_file(c, "hostname", line, strlen(line), e);
    if (r == 0)
        r = put_file(c, "resolv.conf", str_or(resolv, ""), strlen(str_or(resolv, "")), e);
    return r;
}

/* ---- binds ---- */

struct plan { /* what is shown where */
    struct spec_bind *binds;
    size_t nbinds;
    char **tmpfs_targets;
    size_t ntmpfs;
};

static void plan_done(struct plan *p)
{
    for (size_t i = 0; i < p->nbinds; i++) {
        free(p->binds[i].source);
        free(p->binds[i].target);
    }
    for (size_t i = 0; i < p->ntmpfs; i++)
        free(p->tmpfs_targets[i]);
    free(p->tmpfs_targets);
    free(p->binds);
}

/* Gives the bind a target without links; the mount point is there afterwards. */
static int settle(int root, struct spec_bind *b, enum rootfs_kind kind, bool ours, struct err *e)
{
    char *found;
    int r = rootfs_resolve(root, b->target, kind, ours, &found, e);
    if (r == 0) {
        free(b->target);
        b->target = found;
    }
    return r;
}

static int plan_net_files(const struct ct *c, int root, struct plan *p, struct err *e)
{
    static const char *const names[] = {"resolv.conf", "hostname", "hosts"};
    int r = 0;
    for (size_t i = 0; i < 3 && r == 0; i++) {
        struct spec_bind *b = &p->binds[p->nbinds++];
        b->source = mem_printf("%s/%s", c->exec_dir, names[i]);
        b->target = mem_printf("/etc/%s", names[i]);
        r = settle(root, b, ROOTFS_FILE, true, e);
    }
    return r;
}

static int plan_mounts(const struct ct *c, int root, struct plan *p, struct err *e)
{
    const struct container_config *cfg = c->config;
    int r = 0;
    p->tmpfs_targets = mem_array(cfg->nmounts + 1, sizeof(char *));
    p->ntmpfs = cfg->nmounts;
    for (size_t i = 0; i < cfg->nmounts && r == 0; i++) {
        const struct mount_spec *m = &cfg->mounts[i];
        struct stat st;
        if (m->type == MOUNT_TMPFS) {
            r = rootfs_resolve(root, m->target, ROOTFS_DIR, false, &p->tmpfs_targets[i], e);
            continue;
        }
        if (stat(m->source, &st) != 0)
            return err_set(
                e, RUNTIME_BAD_REQUEST,
                "invalid mount config for type \"bind\": bind source path does not exist: %.256s",
                m->source);
        struct spec_bind *b = &p->binds[p->nbinds++];
        *b = (struct spec_bind){.source = mem_str(m->source),
                                .target = mem_str(m->target),
                                .readonly = m->readonly,
                                .propagation = m->propagation};
        r = settle(root, b, S_ISDIR(st.st_mode) ? ROOTFS_DIR : ROOTFS_FILE, false, e);
    }
    return r;
}

static int plan_secrets(const struct ct *c, int root, struct plan *p, struct err *e)
{
    const struct container_config *cfg = c->config;
    size_t first = p->nbinds;
    int r = 0;
    p->nbinds += secrets_binds(c->secrets_dir, cfg->secrets, cfg->nsecrets, p->binds + first);
    for (size_t i = first; i < p->nbinds && r == 0; i++) {
        if (str_eq(p->binds[i].target, SECRETS_DIR))
            r = rootfs_own_dir(root, SECRETS_DIR, e);
        else
            r = settle(root, &p->binds[i], ROOTFS_FILE, true, e);
    }
    return r;
}

static int plan_make(const struct ct *c, int root, struct plan *p, struct err *e)
{
    p->binds = mem_array(c->config->nmounts + c->config->nsecrets + 4, sizeof(*p->binds));
    int r = plan_net_files(c, root, p, e);
    if (r == 0)
        r = plan_mounts(c, root, p, e);
    if (r == 0)
        r = plan_secrets(c, root, p, e);
    return r;
}

/* ---- user, working directory ---- */

int bundle_find_user(struct ct *c, int root, const char *spec, struct user_ids *ret, struct err *e)
{
    char *passwd = NULL, *group = NULL;
    /* A file that is absent, too large or no file at all counts as empty: numbers still work, names
     * are then unknown. */
    if (rootfs_read_file(root, "/etc/passwd", USER_FILE_MAX, &passwd) != 0)
        passwd = NULL;
    if (rootfs_read_file(root, "/etc/group", USER_FILE_MAX, &group) != 0)
        group = NULL;
    int r = user_find(spec, passwd, group, (const char *const *)c->config->groups, ret, e);
    free(passwd);
    free(group);
    return r;
}

static int find_user(struct ct *c, int root, struct err *e)
{
    struct user_ids u;
    int r = bundle_find_user(c, root, c->config->user, &u, e);
    if (r != 0)
        return r;
    user_ids_done(&c->user);
    c->user = u;
    return 0;
}

static int make_workdir(const struct ct *c, int root, struct err *e)
{
    const char *dir = c->config->workdir;
    if (str_empty(dir) || path_below(dir, "/proc") || path_below(dir, "/sys") ||
        path_below(dir, "/dev"))
        return 0;
    AUTO_FREE char *found = NULL;
    return rootfs_resolve(root, dir, ROOTFS_DIR, false, &found, e);
}

void bundle_spec_input(struct ct *c, const char *hostname, struct spec_input *ret)
{
    *ret = (struct spec_input){
        .c = &c->pub,
        .rootfs = c->rootfs,
        .netns = c->config->network == NETWORK_HOST || !c->endpoint.netns_path[0]
                     ? NULL
                     : c->endpoint.netns_path,
        .hostname = hostname,
        .user = &c->user,
    };
    /* The names were checked when the container was created. */
    if (caps_choose((const char *const *)c->config->cap_add,
                    (const char *const *)c->config->cap_drop, c->rt->caps, &ret->caps, NULL) != 0)
        ret->caps = 0;
}

static int write_spec(struct ct *c, const char *hostname, const struct plan *p, struct err *e)
{
    AUTO_BUF struct buf b = BUF_INIT(SPEC_MAX);
    AUTO_FREE char *path = mem_printf("%s/config.json", c->exec_dir);
    AUTO_FREE char *cgroup = mem_printf("%s/%s", c->rt->cgroup_parent, c->pub.id);
    struct spec_input in;
    bundle_spec_input(c, hostname, &in);
    in.cgroup_path = cgroup;
    in.seccomp_program = c->rt->is_crun ? seccomp_compiled(in.caps) : NULL;
    in.binds = p->binds;
    in.nbinds = p->nbinds;
    in.tmpfs_targets = p->tmpfs_targets;
    if (c->config->network != NETWORK_HOST && !in.netns)
        return err_set(e, -EINVAL, "the container has no network namespace");
    int r = spec_write(&in, &b, e);
    return r == 0 ? file_replace(path, b.p, b.len, 0600, e) : r;
}

int bundle_write(struct ct *c, struct secret_buf *const *payloads, struct err *e)
{
    struct plan plan = {0};
    AUTO_FREE char *hostname = bundle_hostname(c);
    AUTO_CLOSE int root = rootfs_open(c->rootfs, e);
    if (root < 0)
        return root;
    int r = find_user(c, root, e);
    if (r == 0)
        r = make_workdir(c, root, e);
    if (r == 0)
        r = write_net_files(c, hostname, e);
    if (r == 0)
        r = plan_make(c, root, &plan, e);
    if (r == 0 && c->config->nsecrets > 0)
        r = secrets_mount(c->secrets_dir, c->config->secrets, payloads, c->config->nsecrets, e);
    if (r == 0)
        r = write_spec(c, hostname, &plan, e);
    plan_done(&plan);
    return r;
}
