/* api/decode_container.c - the ContainerSpec of a service. */
#include <errno.h>
#include <string.h>
#include "api/decode.h"
#include "base/str.h"

static int decode_bind(const struct json_at *at, Pb__Mount *m, struct err *e)
{
    static const char *const words[] = {"rprivate", "private", "rshared",
                                        "shared",   "rslave",  "slave"};
    struct json_at b;
    if (!json_at_object(at, "BindOptions", "BindOptions", "mount.BindOptions", &b))
        return 0;
    const char *word = json_at_str(&b, "Propagation");
    int propagation = *word ? decode_word(words, 6, word) : 0;
    if (propagation < 0)
        return err_set(e, -EINVAL, "invalid MountBindPropagation: \"%s\"", word);
    m->bind_options = PB_NEW(Mount__BindOptions, mount__bind_options);
    m->bind_options->propagation = (Pb__Mount__BindOptions__Propagation)propagation;
    m->bind_options->nonrecursive = json_at_bool(&b, "NonRecursive");
    m->bind_options->createmountpoint = json_at_bool(&b, "CreateMountpoint");
    m->bind_options->readonlynonrecursive = json_at_bool(&b, "ReadOnlyNonRecursive");
    m->bind_options->readonlyforcerecursive = json_at_bool(&b, "ReadOnlyForceRecursive");
    return 0;
}

static void decode_mount_options(const struct json_at *at, Pb__Mount *m)
{
    struct json_at o;
    if (json_at_object(at, "VolumeOptions", "VolumeOptions", "mount.VolumeOptions", &o)) {
        m->volume_options = PB_NEW(Mount__VolumeOptions, mount__volume_options);
        m->volume_options->nocopy = json_at_bool(&o, "NoCopy");
        pb_str(&m->volume_options->subpath, json_at_str(&o, "Subpath"));
        DECODE_MAP(&o, "Labels", m->volume_options, labels,
                   pb__mount__volume_options__labels_entry__init);
        m->volume_options->driver_config = decode_driver(&o, "DriverConfig");
    }
    if (json_at_object(at, "TmpfsOptions", "TmpfsOptions", "mount.TmpfsOptions", &o)) {
        m->tmpfs_options = PB_NEW(Mount__TmpfsOptions, mount__tmpfs_options);
        m->tmpfs_options->size_bytes = json_at_int(&o, "SizeBytes", 0, "int64");
        m->tmpfs_options->mode =
            (uint32_t)json_at_uint(&o, "Mode", UINT32_MAX, "fs.FileMode", NULL);
    }
}

static int decode_mount(const struct json_at *at, Pb__Mount *m, struct err *e)
{
    static const char *const types[] = {"bind", "volume", "tmpfs", "npipe", "cluster"};
    static const char *const consistency[] = {"default", "consistent", "cached", "delegated"};
    const char *type = json_at_str(at, "Type"), *consistent = json_at_str(at, "Consistency");
    int type_at = decode_word(types, 5, type),
        consistent_at = *consistent ? decode_word(consistency, 4, consistent) : 0;
    pb_str(&m->source, json_at_str(at, "Source"));
    pb_str(&m->target, json_at_str(at, "Target"));
    m->readonly = json_at_bool(at, "ReadOnly");
    if (type_at < 0 && *type)
        return err_set(e, -EINVAL, "invalid MountType: \"%s\"", type);
    if (consistent_at < 0)
        return err_set(e, -EINVAL, "invalid MountConsistency: \"%s\"", consistent);
    m->type = (Pb__Mount__Type)(type_at < 0 ? 0 : type_at);
    m->consistency = (Pb__Mount__Consistency)consistent_at;
    decode_mount_options(at, m);
    return decode_bind(at, m, e);
}

static int decode_mounts(const struct json_at *at, Pb__ContainerSpec *c, struct err *e)
{
    json_t *list;
    size_t n = json_at_array(at, "Mounts", "[]mount.Mount", &list);
    int r = 0;
    for (size_t i = 0; i < n && r == 0; i++) {
        struct json_at x;
        if (!json_at_element(at, "Mounts", list, i, "Mount", "mount.Mount", &x))
            continue;
        PB_PUSH(c->n_mounts, c->mounts, PB_NEW(Mount, mount));
        r = decode_mount(&x, c->mounts[c->n_mounts - 1], e);
    }
    return r;
}

static Pb__FileTarget *decode_file(const struct json_at *at, const char *go_type)
{
    struct json_at f;
    const char *dot = strchr(go_type, '.');
    if (!json_at_object(at, "File", dot + 1, go_type, &f))
        return NULL;
    Pb__FileTarget *m = PB_NEW(FileTarget, file_target);
    pb_str(&m->name, json_at_str(&f, "Name"));
    pb_str(&m->uid, json_at_str(&f, "UID"));
    pb_str(&m->gid, json_at_str(&f, "GID"));
    m->mode = (uint32_t)json_at_uint(&f, "Mode", UINT32_MAX, "fs.FileMode", NULL);
    return m;
}

static void decode_secrets(const struct json_at *at, Pb__ContainerSpec *c)
{
    json_t *list;
    size_t n = json_at_array(at, "Secrets", "[]*swarm.SecretReference", &list);
    for (size_t i = 0; i < n; i++) {
        struct json_at x;
        if (!json_at_element(at, "Secrets", list, i, "SecretReference", "swarm.SecretReference",
                             &x))
            continue;
        Pb__SecretReference *m = PB_NEW(SecretReference, secret_reference);
        pb_str(&m->secret_id, json_at_str(&x, "SecretID"));
        pb_str(&m->secret_name, json_at_str(&x, "SecretName"));
        Pb__FileTarget *file = decode_file(&x, "swarm.SecretReferenceFileTarget");
        if (file) {
            m->target_case = PB__SECRET_REFERENCE__TARGET_FILE;
            m->file = file;
        }
        PB_PUSH(c->n_secrets, c->secrets, m);
    }
}

static int decode_configs(const struct json_at *at, Pb__ContainerSpec *c, struct err *e)
{
    json_t *list;
    size_t n = json_at_array(at, "Configs", "[]*swarm.ConfigReference", &list);
    for (size_t i = 0; i < n; i++) {
        struct json_at x, runtime;
        if (!json_at_element(at, "Configs", list, i, "ConfigReference", "swarm.ConfigReference",
                             &x))
            continue;
        Pb__ConfigReference *m = PB_NEW(ConfigReference, config_reference);
        PB_PUSH(c->n_configs, c->configs, m);
        pb_str(&m->config_id, json_at_str(&x, "ConfigID"));
        pb_str(&m->config_name, json_at_str(&x, "ConfigName"));
        Pb__FileTarget *file = decode_file(&x, "swarm.ConfigReferenceFileTarget");
        bool has_runtime = json_at_object(&x, "Runtime", "ConfigReferenceRuntimeTarget",
                                          "swarm.ConfigReferenceRuntimeTarget", &runtime);
        if (file) {
            m->target_case = PB__CONFIG_REFERENCE__TARGET_FILE;
            m->file = file;
        } else if (has_runtime) {
            m->target_case = PB__CONFIG_REFERENCE__TARGET_RUNTIME;
            m->runtime = PB_NEW(RuntimeTarget, runtime_target);
        }
        if (file && has_runtime)
            return err_set(e, -EINVAL, "either File or Runtime should be set");
    }
    return 0;
}

static int decode_credential(const struct json_at *at, Pb__Privileges *p, struct err *e)
{
    struct json_at cs;
    if (!json_at_object(at, "CredentialSpec", "CredentialSpec", "swarm.CredentialSpec", &cs))
        return 0;
    const char *config = json_at_str(&cs, "Config"), *file = json_at_str(&cs, "File"),
               *registry = json_at_str(&cs, "Registry");
    int given = (*config != '\0') + (*file != '\0') + (*registry != '\0');
    if (given == 0)
        return err_set(e, -EINVAL,
                       "invalid CredentialSpec: must either provide \"file\", \"registry\", or "
                       "\"config\" for credential spec");
    if (given > 1)
        return err_set(e, -EINVAL,
                       "invalid CredentialSpec: cannot specify both \"file\", \"registry\", or "
                       "\"config\" credential specs");
    p->credential_spec = PB_NEW(Privileges__CredentialSpec, privileges__credential_spec);
    if (*config) {
        p->credential_spec->source_case = PB__PRIVILEGES__CREDENTIAL_SPEC__SOURCE_CONFIG;
        p->credential_spec->config = mem_str(config);
    } else if (*file) {
        p->credential_spec->source_case = PB__PRIVILEGES__CREDENTIAL_SPEC__SOURCE_FILE;
        p->credential_spec->file = mem_str(file);
    } else {
        p->credential_spec->source_case = PB__PRIVILEGES__CREDENTIAL_SPEC__SOURCE_REGISTRY;
        p->credential_spec->registry = mem_str(registry);
    }
    return 0;
}

static int decode_confinement(const struct json_at *at, Pb__Privileges *p, struct err *e)
{
    static const char *const seccomp[] = {"default", "unconfined", "custom"}, *const apparmor[] = {
                                                                                  "default",
                                                                                  "disabled"};
    struct json_at x;
    if (json_at_object(at, "Seccomp", "SeccompOpts", "swarm.SeccompOpts", &x)) {
        const char *mode = json_at_str(&x, "Mode");
        int mode_at = *mode ? decode_word(seccomp, 3, mode) : 0;
        if (mode_at < 0)
            return err_set(e, -EINVAL, "invalid Seccomp mode: \"%s\"", mode);
        if (mode_at == 2)
            return err_set(e, -EINVAL, "a custom seccomp profile for a service is not supported");
        p->seccomp = PB_NEW(Privileges__SeccompOpts, privileges__seccomp_opts);
        p->seccomp->mode = (Pb__Privileges__SeccompOpts__SeccompMode)mode_at;
    }
    if (json_at_object(at, "AppArmor", "AppArmorOpts", "swarm.AppArmorOpts", &x)) {
        const char *mode = json_at_str(&x, "Mode");
        int mode_at = *mode ? decode_word(apparmor, 2, mode) : 0;
        if (mode_at < 0)
            return err_set(e, -EINVAL, "invalid AppArmor mode: \"%s\"", mode);
        p->apparmor = PB_NEW(Privileges__AppArmorOpts, privileges__app_armor_opts);
        p->apparmor->mode = (Pb__Privileges__AppArmorOpts__AppArmorMode)mode_at;
    }
    return 0;
}

static int decode_privileges(const struct json_at *at, Pb__ContainerSpec *c, struct err *e)
{
    struct json_at p, se;
    if (!json_at_object(at, "Privileges", "Privileges", "swarm.Privileges", &p))
        return 0;
    c->privileges = PB_NEW(Privileges, privileges);
    c->privileges->no_new_privileges = json_at_bool(&p, "NoNewPrivileges");
    if (json_at_object(&p, "SELinuxContext", "SELinuxContext", "swarm.SELinuxContext", &se)) {
        Pb__Privileges__SELinuxContext *m =
            PB_NEW(Privileges__SELinuxContext, privileges__selinux_context);
        m->disable = json_at_bool(&se, "Disable");
        pb_str(&m->user, json_at_str(&se, "User"));
        pb_str(&m->role, json_at_str(&se, "Role"));
        pb_str(&m->type, json_at_str(&se, "Type"));
        pb_str(&m->level, json_at_str(&se, "Level"));
        c->privileges->selinux_context = m;
    }
    int r = decode_credential(&p, c->privileges, e);
    return r < 0 ? r : decode_confinement(&p, c->privileges, e);
}

static void decode_health_and_dns(const struct json_at *at, Pb__ContainerSpec *c)
{
    struct json_at x;
    if (json_at_object(at, "Healthcheck", "HealthConfig", "container.HealthConfig", &x)) {
        Pb__HealthConfig *h = PB_NEW(HealthConfig, health_config);
        h->test = json_at_strings(&x, "Test", &h->n_test);
        h->interval = decode_duration(&x, "Interval", false);
        h->timeout = decode_duration(&x, "Timeout", false);
        h->start_period = decode_duration(&x, "StartPeriod", false);
        h->start_interval = decode_duration(&x, "StartInterval", false);
        h->retries = (int32_t)json_at_int(&x, "Retries", 0, "int32");
        c->healthcheck = h;
    }
    if (json_at_object(at, "DNSConfig", "DNSConfig", "swarm.DNSConfig", &x)) {
        Pb__ContainerSpec__DNSConfig *d =
            PB_NEW(ContainerSpec__DNSConfig, container_spec__dnsconfig);
        d->nameservers = json_at_strings(&x, "Nameservers", &d->n_nameservers);
        d->search = json_at_strings(&x, "Search", &d->n_search);
        d->options = json_at_strings(&x, "Options", &d->n_options);
        c->dns_config = d;
    }
}

static void decode_ulimits(const struct json_at *at, Pb__ContainerSpec *c)
{
    json_t *list;
    size_t n = json_at_array(at, "Ulimits", "[]*units.Ulimit", &list);
    for (size_t i = 0; i < n; i++) {
        struct json_at x;
        if (!json_at_element(at, "Ulimits", list, i, "Ulimit", "units.Ulimit", &x))
            continue;
        Pb__ContainerSpec__Ulimit *u = PB_NEW(ContainerSpec__Ulimit, container_spec__ulimit);
        pb_str(&u->name, json_at_str(&x, "Name"));
        u->hard = json_at_int(&x, "Hard", 0, "int64");
        u->soft = json_at_int(&x, "Soft", 0, "int64");
        PB_PUSH(c->n_ulimits, c->ulimits, u);
    }
}

static void decode_plain(const struct json_at *at, Pb__ContainerSpec *c)
{
    static const char *const isolation[] = {"default", "process", "hyperv"};
    int init = json_at_tristate(at, "Init"),
        iso = decode_word(isolation, 3, json_at_str(at, "Isolation"));
    pb_str(&c->image, json_at_str(at, "Image"));
    DECODE_MAP(at, "Labels", c, labels, pb__container_spec__labels_entry__init);
    c->command = json_at_strings(at, "Command", &c->n_command);
    c->args = json_at_strings(at, "Args", &c->n_args);
    pb_str(&c->hostname, json_at_str(at, "Hostname"));
    c->env = json_at_strings(at, "Env", &c->n_env);
    pb_str(&c->dir, json_at_str(at, "Dir"));
    pb_str(&c->user, json_at_str(at, "User"));
    c->groups = json_at_strings(at, "Groups", &c->n_groups);
    if (init >= 0) {
        c->init = NEW(Google__Protobuf__BoolValue);
        google__protobuf__bool_value__init(c->init);
        c->init->value = init;
    }
    pb_str(&c->stop_signal, json_at_str(at, "StopSignal"));
    c->tty = json_at_bool(at, "TTY");
    c->open_stdin = json_at_bool(at, "OpenStdin");
    c->read_only = json_at_bool(at, "ReadOnly");
    c->stop_grace_period = decode_duration(at, "StopGracePeriod", true);
    c->hosts = json_at_strings(at, "Hosts", &c->n_hosts);
    c->isolation = (Pb__ContainerSpec__Isolation)(iso < 0 ? 0 : iso);
    DECODE_MAP(at, "Sysctls", c, sysctls, pb__container_spec__sysctls_entry__init);
    c->capability_add = json_at_strings(at, "CapabilityAdd", &c->n_capability_add);
    c->capability_drop = json_at_strings(at, "CapabilityDrop", &c->n_capability_drop);
    c->oom_score_adj = json_at_int(at, "OomScoreAdj", 0, "int64");
}

int decode_container_spec(const struct json_at *at, Pb__ContainerSpec **ret, struct err *e)
{
    Pb__ContainerSpec *c = PB_NEW(ContainerSpec, container_spec);
    decode_plain(at, c);
    decode_health_and_dns(at, c);
    decode_ulimits(at, c);
    decode_secrets(at, c);
    int r = decode_mounts(at, c, e);
    if (r == 0)
        r = decode_configs(at, c, e);
    if (r == 0)
        r = decode_privileges(at, c, e);
    if (r < 0)
        pb_free(c);
    else
        *ret = c;
    return r;
}
