/* agent/task_container.c - a task's spec, said as a container's configuration: pure. Rules:
 * swarm-wire 5.9. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "agent/internal.h"
#include "base/mem.h"
#include "base/str.h"

char *task_container_name(const Pb__Task *t, const char *node_id)
{
    const char *service = t->service_annotations ? t->service_annotations->name : "";
    if (t->annotations && !str_empty(t->annotations->name))
        return mem_str(t->annotations->name);
    if (t->slot)
        return mem_printf("%s.%llu.%s", service, (unsigned long long)t->slot, t->id);
    return mem_printf("%s.%s.%s", service, node_id, t->id);
}

static char **copy_strings(char **v, size_t n)
{
    if (n == 0)
        return NULL;
    char **out = mem_array(n + 1, sizeof(char *));
    for (size_t i = 0; i < n; i++)
        out[i] = mem_str(v[i]);
    return out;
}

static void take_labels(const Pb__Task *t, const char *node_id, const char *name,
                        struct container_config *c)
{
    const Pb__ContainerSpec *s = t->spec->container;
    for (size_t i = 0; i < s->n_labels; i++)
        if (!str_starts(s->labels[i]->key, "com.docker.swarm."))
            strv_push(&c->labels, mem_printf("%s=%s", s->labels[i]->key, s->labels[i]->value));
    strv_push(&c->labels, mem_printf("com.docker.swarm.node.id=%s", node_id));
    strv_push(&c->labels, mem_printf("com.docker.swarm.service.id=%s", t->service_id));
    strv_push(&c->labels, mem_printf("com.docker.swarm.service.name=%s",
                                     t->service_annotations ? t->service_annotations->name : ""));
    strv_push(&c->labels, mem_str("com.docker.swarm.task="));
    strv_push(&c->labels, mem_printf("com.docker.swarm.task.id=%s", t->id));
    strv_push(&c->labels, mem_printf("com.docker.swarm.task.name=%s", name));
}

/* "IP name [alias…]" becomes "name:IP", as the engine keeps extra hosts. */
static void take_hosts(const Pb__ContainerSpec *s, struct container_config *c)
{
    for (size_t i = 0; i < s->n_hosts; i++) {
        const char *space = strchr(s->hosts[i], ' ');
        if (!space)
            continue;
        const char *name = space + strspn(space, " ");
        int len = (int)strcspn(name, " ");
        if (len > 0)
            strv_push(&c->hosts,
                      mem_printf("%.*s:%.*s", len, name, (int)(space - s->hosts[i]), s->hosts[i]));
    }
}

static int take_mount(const Pb__Mount *m, struct mount_spec *out, struct err *e)
{
    *out = (struct mount_spec){
        .readonly = m->readonly, .target = mem_str(m->target), .source = mem_str(m->source)};
    switch (m->type) {
    case PB__MOUNT__TYPE__TYPE_BIND:
        out->type = MOUNT_BIND;
        return 0;
    case PB__MOUNT__TYPE__TYPE_TMPFS:
        out->type = MOUNT_TMPFS;
        if (m->tmpfs_options) {
            out->tmpfs_size =
                m->tmpfs_options->size_bytes > 0 ? (uint64_t)m->tmpfs_options->size_bytes : 0;
            out->tmpfs_mode = m->tmpfs_options->mode;
        }
        return 0;
    default:
        return err_set(e, -ENOSYS,
                       "mounts of type %s are not supported by this version: use bind or tmpfs",
                       m->type == PB__MOUNT__TYPE__TYPE_VOLUME ? "volume" : "npipe or cluster");
    }
}

/* The engine's Atoi: a sign and digits. -1 leaves the owner as it is, which is root. */
static int read_owner(const char *text, uint32_t *ret, struct err *e)
{
    int64_t v;
    if (str_empty(text)) {
        *ret = 0;
        return 0;
    }
    if (str_to_i64(text, &v) != 0)
        return err_set(e, -EINVAL, "strconv.Atoi: parsing \"%.64s\": invalid syntax", text);
    if (v < -1 || v >= UINT32_MAX)
        return err_set(e, -ERANGE, "\"%.64s\" is not a user or group id", text);
    *ret = v == -1 ? 0 : (uint32_t)v;
    return 0;
}

static int read_owners(const Pb__FileTarget *f, uint32_t *ret_uid, uint32_t *ret_gid, struct err *e)
{
    int r = read_owner(f->uid, ret_uid, e);
    return r < 0 ? r : read_owner(f->gid, ret_gid, e);
}

int task_container_check_start(const Pb__Task *t, struct err *e)
{
    const Pb__ContainerSpec *s = t->spec->container;
    uint32_t uid, gid;
    int r = 0;
    for (size_t i = 0; i < s->n_secrets && r == 0; i++)
        if (s->secrets[i]->target_case == PB__SECRET_REFERENCE__TARGET_FILE)
            r = read_owners(s->secrets[i]->file, &uid, &gid, e);
    return r;
}

/* An owner that cannot be read is told at the start (task_container_check_start): what is made here
 * for it is never written. */
static void take_secret(const Pb__SecretReference *ref, struct secret_file *out)
{
    const Pb__FileTarget *f = ref->file;
    struct err unread;
    if (read_owners(f, &out->uid, &out->gid, &unread) != 0)
        out->uid = out->gid = 0;
    out->mode = f->mode & 0777;
    out->name = mem_str(ref->secret_name);
    out->target = f->name[0] == '/' ? mem_str(f->name) : mem_printf("/run/secrets/%s", f->name);
}

static void take_secrets(const Pb__ContainerSpec *s, struct container_config *c)
{
    c->secrets = mem_array(s->n_secrets + 1, sizeof(*c->secrets));
    for (size_t i = 0; i < s->n_secrets; i++) {
        if (s->secrets[i]->target_case == PB__SECRET_REFERENCE__TARGET_FILE)
            take_secret(s->secrets[i], &c->secrets[c->nsecrets++]);
    }
}

static int take_mounts(const Pb__ContainerSpec *s, struct container_config *c, struct err *e)
{
    c->mounts = mem_array(s->n_mounts + 1, sizeof(*c->mounts));
    for (size_t i = 0; i < s->n_mounts; i++) {
        int r = take_mount(s->mounts[i], &c->mounts[c->nmounts++], e);
        if (r != 0)
            return r;
    }
    return 0;
}

static void take_limits(const Pb__Task *t, struct container_config *c)
{
    const Pb__ContainerSpec *s = t->spec->container;
    const Pb__Resources *limits = t->spec->resources ? t->spec->resources->limits : NULL;
    if (limits) {
        c->nano_cpus = limits->nano_cpus;
        c->memory = limits->memory_bytes;
    }
    c->pids_limit = s->pidslimit;
    c->oom_score_adj = s->oom_score_adj;
    c->stop_timeout_s = s->stop_grace_period ? s->stop_grace_period->seconds : -1;
    for (size_t i = 0; i < s->n_sysctls; i++)
        strv_push(&c->sysctls, mem_printf("%s=%s", s->sysctls[i]->key, s->sysctls[i]->value));
    for (size_t i = 0; i < s->n_ulimits; i++)
        strv_push(&c->ulimits,
                  mem_printf("%s=%lld:%lld", s->ulimits[i]->name, (long long)s->ulimits[i]->soft,
                             (long long)s->ulimits[i]->hard));
}

static enum network_mode network_of(const Pb__Task *t)
{
    for (size_t i = 0; i < t->spec->n_networks; i++) {
        if (str_eq(t->spec->networks[i]->target, "host"))
            return NETWORK_HOST;
        if (str_eq(t->spec->networks[i]->target, "none"))
            return NETWORK_NONE;
    }
    return NETWORK_BRIDGE;
}

static void take_strings(const Pb__ContainerSpec *s, struct container_config *c)
{
    c->image = mem_str(s->image);
    c->entrypoint = copy_strings(s->command, s->n_command);
    c->cmd = copy_strings(s->args, s->n_args);
    c->env = copy_strings(s->env, s->n_env);
    c->groups = copy_strings(s->groups, s->n_groups);
    c->cap_add = copy_strings(s->capability_add, s->n_capability_add);
    c->cap_drop = copy_strings(s->capability_drop, s->n_capability_drop);
    c->user = mem_str(s->user);
    c->workdir = mem_str(s->dir);
    c->hostname = mem_str(s->hostname);
    c->stop_signal = mem_str(s->stop_signal);
    if (s->dns_config) {
        c->dns = copy_strings(s->dns_config->nameservers, s->dns_config->n_nameservers);
        c->dns_search = copy_strings(s->dns_config->search, s->dns_config->n_search);
        c->dns_options = copy_strings(s->dns_config->options, s->dns_config->n_options);
    }
}

/* ---- what the API takes and this node cannot carry out yet: the task says so, instead of running
 * without it ---- */

static bool templated(const char *text)
{
    return text && strstr(text, "{{");
}

static bool has_template(const Pb__ContainerSpec *s)
{
    bool found = templated(s->hostname);
    for (size_t i = 0; i < s->n_env; i++)
        found = found || templated(s->env[i]);
    for (size_t i = 0; i < s->n_mounts; i++)
        found = found || templated(s->mounts[i]->source) || templated(s->mounts[i]->target);
    return found;
}

static bool has_health_check(const Pb__ContainerSpec *s)
{
    return s->healthcheck && s->healthcheck->n_test > 0 && !str_eq(s->healthcheck->test[0], "NONE");
}

static int refuse_what_is_missing(const Pb__Task *t, struct err *e)
{
    const Pb__ContainerSpec *s = t->spec->container;
    const char *what = NULL;
    if (s->n_configs > 0)
        what = "configs are not delivered";
    else if (t->endpoint && t->endpoint->n_ports > 0)
        what = "ports are not published";
    else if (has_health_check(s))
        what = "health checks are not run";
    else if (has_template(s))
        what = "templates in environment, hostname and mounts are not expanded";
    return what ? err_set(e, -ENOSYS, "%s by this version of Keep", what) : 0;
}

int task_container_config(const Pb__Task *t, const char *node_id, struct container_config **ret,
                          struct err *e)
{
    if (!t->spec || t->spec->runtime_case != PB__TASK_SPEC__RUNTIME_CONTAINER)
        return err_set(e, -ENOSYS, "unsupported runtime");
    int r = refuse_what_is_missing(t, e);
    if (r != 0)
        return r;
    const Pb__ContainerSpec *s = t->spec->container;
    struct container_config *c = NEW(struct container_config);
    c->name = task_container_name(t, node_id);
    c->service_task = true;
    c->tty = s->tty;
    c->open_stdin = s->open_stdin;
    c->read_only = s->read_only;
    c->no_new_privileges = s->privileges && s->privileges->no_new_privileges;
    c->init = s->init && s->init->value;
    c->network = network_of(t);
    c->log_driver = mem_str(t->log_driver && !str_empty(t->log_driver->name) ? t->log_driver->name
                                                                             : "json-file");
    take_strings(s, c);
    take_labels(t, node_id, c->name, c);
    take_hosts(s, c);
    take_limits(t, c);
    take_secrets(s, c);
    r = take_mounts(s, c, e);
    if (r != 0) {
        container_config_free(c);
        return r;
    }
    *ret = c;
    return 0;
}
