/* api/encode_spec.c - the spec of a service and of its tasks. */
#include <string.h>
#include "api/encode.h"

static void encode_privileges(struct jw *w, const Pb__Privileges *p)
{
    static const char *const seccomp[] = {"default", "unconfined", "custom"}, *const apparmor[] = {
                                                                                  "default",
                                                                                  "disabled"};
    jw_object(w, "Privileges");
    if (p->credential_spec) {
        const Pb__Privileges__CredentialSpec *cs = p->credential_spec;
        jw_object(w, "CredentialSpec");
        jw_str(w, "Config",
               cs->source_case == PB__PRIVILEGES__CREDENTIAL_SPEC__SOURCE_CONFIG ? cs->config : "");
        jw_str(w, "File",
               cs->source_case == PB__PRIVILEGES__CREDENTIAL_SPEC__SOURCE_FILE ? cs->file : "");
        jw_str(w, "Registry",
               cs->source_case == PB__PRIVILEGES__CREDENTIAL_SPEC__SOURCE_REGISTRY ? cs->registry
                                                                                   : "");
        jw_end_object(w);
    } else {
        jw_null(w, "CredentialSpec");
    }
    if (p->selinux_context) {
        const Pb__Privileges__SELinuxContext *se = p->selinux_context;
        jw_object(w, "SELinuxContext");
        jw_bool(w, "Disable", se->disable);
        jw_str(w, "User", se->user);
        jw_str(w, "Role", se->role);
        jw_str(w, "Type", se->type);
        jw_str(w, "Level", se->level);
        jw_end_object(w);
    } else {
        jw_null(w, "SELinuxContext");
    }
    if (p->seccomp) {
        jw_object(w, "Seccomp");
        jw_str(w, "Mode", encode_word(seccomp, 3, (int)p->seccomp->mode));
        if (p->seccomp->profile.len)
            jw_base64(w, "Profile", p->seccomp->profile.data, p->seccomp->profile.len);
        jw_end_object(w);
    }
    if (p->apparmor) {
        jw_object(w, "AppArmor");
        jw_str(w, "Mode", encode_word(apparmor, 2, (int)p->apparmor->mode));
        jw_end_object(w);
    }
    if (p->no_new_privileges)
        jw_bool(w, "NoNewPrivileges", true);
    jw_end_object(w);
}

static void encode_bind(struct jw *w, const Pb__Mount__BindOptions *b)
{
    static const char *const words[] = {"rprivate", "private", "rshared",
                                        "shared",   "rslave",  "slave"};
    jw_object(w, "BindOptions");
    jw_str(w, "Propagation", encode_word(words, 6, (int)b->propagation));
    if (b->nonrecursive)
        jw_bool(w, "NonRecursive", true);
    if (b->createmountpoint)
        jw_bool(w, "CreateMountpoint", true);
    if (b->readonlynonrecursive)
        jw_bool(w, "ReadOnlyNonRecursive", true);
    if (b->readonlyforcerecursive)
        jw_bool(w, "ReadOnlyForceRecursive", true);
    jw_end_object(w);
}

static void encode_mount(struct jw *w, const Pb__Mount *m)
{
    static const char *const types[] = {"bind", "volume", "tmpfs", "npipe", "cluster"};
    static const char *const consistency[] = {"default", "consistent", "cached", "delegated"};
    jw_object(w, NULL);
    jw_str(w, "Type", encode_word(types, 5, (int)m->type));
    jw_str_opt(w, "Source", m->source);
    jw_str_opt(w, "Target", m->target);
    if (m->readonly)
        jw_bool(w, "ReadOnly", true);
    if (m->consistency)
        jw_str(w, "Consistency", encode_word(consistency, 4, (int)m->consistency));
    if (m->bind_options)
        encode_bind(w, m->bind_options);
    if (m->volume_options) {
        jw_object(w, "VolumeOptions");
        if (m->volume_options->nocopy)
            jw_bool(w, "NoCopy", true);
        encode_map_opt(w, "Labels", PB_MAP(m->volume_options, labels));
        jw_str_opt(w, "Subpath", m->volume_options->subpath);
        encode_driver(w, "DriverConfig", m->volume_options->driver_config);
        jw_end_object(w);
    }
    if (m->tmpfs_options) {
        jw_object(w, "TmpfsOptions");
        encode_int_opt(w, "SizeBytes", m->tmpfs_options->size_bytes);
        encode_int_opt(w, "Mode", m->tmpfs_options->mode);
        jw_end_object(w);
    }
    jw_end_object(w);
}

static void encode_file(struct jw *w, const Pb__FileTarget *f)
{
    jw_object(w, "File");
    jw_str(w, "Name", f->name);
    jw_str(w, "UID", f->uid);
    jw_str(w, "GID", f->gid);
    jw_uint(w, "Mode", f->mode);
    jw_end_object(w);
}

static void encode_references(struct jw *w, const Pb__ContainerSpec *c)
{
    if (c->n_secrets > 0) {
        jw_array(w, "Secrets");
        for (size_t i = 0; i < c->n_secrets; i++) {
            jw_object(w, NULL);
            if (c->secrets[i]->target_case == PB__SECRET_REFERENCE__TARGET_FILE)
                encode_file(w, c->secrets[i]->file);
            jw_str(w, "SecretID", c->secrets[i]->secret_id);
            jw_str(w, "SecretName", c->secrets[i]->secret_name);
            jw_end_object(w);
        }
        jw_end_array(w);
    }
    if (c->n_configs > 0) {
        jw_array(w, "Configs");
        for (size_t i = 0; i < c->n_configs; i++) {
            jw_object(w, NULL);
            if (c->configs[i]->target_case == PB__CONFIG_REFERENCE__TARGET_FILE) {
                encode_file(w, c->configs[i]->file);
            } else if (c->configs[i]->target_case == PB__CONFIG_REFERENCE__TARGET_RUNTIME) {
                jw_object(w, "Runtime");
                jw_end_object(w);
            }
            jw_str(w, "ConfigID", c->configs[i]->config_id);
            jw_str(w, "ConfigName", c->configs[i]->config_name);
            jw_end_object(w);
        }
        jw_end_array(w);
    }
}

static void encode_health(struct jw *w, const Pb__HealthConfig *h)
{
    jw_object(w, "Healthcheck");
    encode_strings(w, "Test", h->test, h->n_test);
    encode_duration(w, "Interval", h->interval, false);
    encode_duration(w, "Timeout", h->timeout, false);
    encode_duration(w, "StartPeriod", h->start_period, false);
    encode_duration(w, "StartInterval", h->start_interval, false);
    encode_int_opt(w, "Retries", h->retries);
    jw_end_object(w);
}

static void encode_flag(struct jw *w, const char *key, bool v)
{
    if (v)
        jw_bool(w, key, true);
}

static void encode_container_head(struct jw *w, const Pb__ContainerSpec *c)
{
    jw_str_opt(w, "Image", c->image);
    encode_map_opt(w, "Labels", PB_MAP(c, labels));
    encode_strings(w, "Command", c->command, c->n_command);
    encode_strings(w, "Args", c->args, c->n_args);
    jw_str_opt(w, "Hostname", c->hostname);
    encode_strings(w, "Env", c->env, c->n_env);
    jw_str_opt(w, "Dir", c->dir);
    jw_str_opt(w, "User", c->user);
    encode_strings(w, "Groups", c->groups, c->n_groups);
    if (c->privileges)
        encode_privileges(w, c->privileges);
    if (c->init)
        jw_bool(w, "Init", c->init->value);
    jw_str_opt(w, "StopSignal", c->stop_signal);
    encode_flag(w, "TTY", c->tty);
    encode_flag(w, "OpenStdin", c->open_stdin);
    encode_flag(w, "ReadOnly", c->read_only);
}

static void encode_container(struct jw *w, const Pb__ContainerSpec *c)
{
    static const char *const isolation[] = {"default", "process", "hyperv"};
    jw_object(w, "ContainerSpec");
    encode_container_head(w, c);
    if (c->n_mounts > 0) {
        jw_array(w, "Mounts");
        for (size_t i = 0; i < c->n_mounts; i++)
            encode_mount(w, c->mounts[i]);
        jw_end_array(w);
    }
    encode_duration(w, "StopGracePeriod", c->stop_grace_period, true);
    if (c->healthcheck)
        encode_health(w, c->healthcheck);
    encode_strings(w, "Hosts", c->hosts, c->n_hosts);
    if (c->dns_config) {
        jw_object(w, "DNSConfig");
        encode_strings(w, "Nameservers", c->dns_config->nameservers, c->dns_config->n_nameservers);
        encode_strings(w, "Search", c->dns_config->search, c->dns_config->n_search);
        encode_strings(w, "Options", c->dns_config->options, c->dns_config->n_options);
        jw_end_object(w);
    }
    encode_references(w, c);
    jw_str(w, "Isolation", encode_word(isolation, 3, (int)c->isolation));
    encode_map_opt(w, "Sysctls", PB_MAP(c, sysctls));
    encode_strings(w, "CapabilityAdd", c->capability_add, c->n_capability_add);
    encode_strings(w, "CapabilityDrop", c->capability_drop, c->n_capability_drop);
    if (c->n_ulimits > 0) {
        jw_array(w, "Ulimits");
        for (size_t i = 0; i < c->n_ulimits; i++) {
            jw_object(w, NULL);
            jw_str(w, "Name", c->ulimits[i]->name);
            jw_int(w, "Hard", c->ulimits[i]->hard);
            jw_int(w, "Soft", c->ulimits[i]->soft);
            jw_end_object(w);
        }
        jw_end_array(w);
    }
    encode_int_opt(w, "OomScoreAdj", c->oom_score_adj);
    jw_end_object(w);
}

static void encode_some_resources(struct jw *w, const char *key, const Pb__Resources *r,
                                  int64_t pids)
{
    if (!r && !pids)
        return;
    jw_object(w, key);
    encode_int_opt(w, "NanoCPUs", r ? r->nano_cpus : 0);
    encode_int_opt(w, "MemoryBytes", r ? r->memory_bytes : 0);
    encode_int_opt(w, "Pids", pids);
    if (r)
        encode_generic(w, "GenericResources", r->generic, r->n_generic);
    jw_end_object(w);
}

static void encode_restart(struct jw *w, const Pb__RestartPolicy *r)
{
    static const char *const words[] = {"none", "on-failure", "any"};
    jw_object(w, "RestartPolicy");
    jw_str(w, "Condition", encode_word(words, 3, (int)r->condition));
    encode_duration(w, "Delay", r->delay, true);
    jw_uint(w, "MaxAttempts", r->max_attempts);
    encode_duration(w, "Window", r->window, true);
    jw_end_object(w);
}

static void encode_placement(struct jw *w, const Pb__Placement *p)
{
    jw_object(w, "Placement");
    encode_strings(w, "Constraints", p->constraints, p->n_constraints);
    if (p->n_preferences > 0) {
        jw_array(w, "Preferences");
        for (size_t i = 0; i < p->n_preferences; i++) {
            if (p->preferences[i]->preference_case != PB__PLACEMENT_PREFERENCE__PREFERENCE_SPREAD)
                continue;
            jw_object(w, NULL);
            jw_object(w, "Spread");
            jw_str(w, "SpreadDescriptor", p->preferences[i]->spread->spread_descriptor);
            jw_end_object(w);
            jw_end_object(w);
        }
        jw_end_array(w);
    }
    encode_int_opt(w, "MaxReplicas", (int64_t)p->max_replicas);
    if (p->n_platforms > 0) {
        jw_array(w, "Platforms");
        for (size_t i = 0; i < p->n_platforms; i++) {
            jw_object(w, NULL);
            jw_str_opt(w, "Architecture", p->platforms[i]->architecture);
            jw_str_opt(w, "OS", p->platforms[i]->os);
            jw_end_object(w);
        }
        jw_end_array(w);
    }
    jw_end_object(w);
}

static void encode_networks(struct jw *w, Pb__NetworkAttachmentConfig *const *n, size_t count)
{
    if (count == 0)
        return;
    jw_array(w, "Networks");
    for (size_t i = 0; i < count; i++) {
        jw_object(w, NULL);
        jw_str_opt(w, "Target", n[i]->target);
        encode_strings(w, "Aliases", n[i]->aliases, n[i]->n_aliases);
        encode_map_opt(w, "DriverOpts", PB_MAP(n[i], driver_attachment_opts));
        jw_end_object(w);
    }
    jw_end_array(w);
}

static int64_t pids_of(const Pb__TaskSpec *t)
{
    return t->runtime_case == PB__TASK_SPEC__RUNTIME_CONTAINER && t->container
               ? t->container->pidslimit
               : 0;
}

void encode_task_spec(struct jw *w, const char *key, const Pb__TaskSpec *t, bool of_service)
{
    jw_object(w, key);
    if (!t) {
        jw_end_object(w);
        return;
    }
    if (t->runtime_case == PB__TASK_SPEC__RUNTIME_CONTAINER && t->container)
        encode_container(w, t->container);
    if (t->runtime_case == PB__TASK_SPEC__RUNTIME_ATTACHMENT && t->attachment) {
        jw_object(w, "NetworkAttachmentSpec");
        jw_str(w, "ContainerID", t->attachment->container_id);
        jw_end_object(w);
    }
    if (t->resources || pids_of(t)) {
        jw_object(w, "Resources");
        encode_some_resources(w, "Limits", t->resources ? t->resources->limits : NULL, pids_of(t));
        encode_some_resources(w, "Reservations", t->resources ? t->resources->reservations : NULL,
                              0);
        if (t->resources && t->resources->swap_bytes)
            jw_int(w, "SwapBytes", t->resources->swap_bytes->value);
        if (t->resources && t->resources->memory_swappiness)
            jw_int(w, "MemorySwappiness", t->resources->memory_swappiness->value);
        jw_end_object(w);
    }
    if (t->restart)
        encode_restart(w, t->restart);
    if (t->placement)
        encode_placement(w, t->placement);
    encode_networks(w, t->networks, t->n_networks);
    encode_driver(w, "LogDriver", t->log_driver);
    jw_uint(w, "ForceUpdate", t->force_update);
    if (of_service)
        jw_str(w, "Runtime",
               t->runtime_case == PB__TASK_SPEC__RUNTIME_ATTACHMENT ? "attachment" : "container");
    jw_end_object(w);
}

static void encode_update(struct jw *w, const char *key, const Pb__UpdateConfig *u)
{
    static const char *const actions[] = {"pause", "continue", "rollback"}, *const orders[] = {
                                                                                "stop-first",
                                                                                "start-first"};
    if (!u)
        return;
    jw_object(w, key);
    jw_uint(w, "Parallelism", u->parallelism);
    encode_duration(w, "Delay", u->delay, false);
    jw_str_opt(w, "FailureAction", encode_word(actions, 3, (int)u->failure_action));
    encode_duration(w, "Monitor", u->monitor, false);
    /* a float on the wire: as many digits as a float has, or 0.1 becomes 0.10000000149 */
    char text[32];
    snprintf(text, sizeof(text), "%.7g", (double)u->max_failure_ratio);
    jw_raw(w, "MaxFailureRatio", text);
    jw_str(w, "Order", encode_word(orders, 2, (int)u->order));
    jw_end_object(w);
}

void encode_endpoint_spec(struct jw *w, const char *key, const Pb__EndpointSpec *s)
{
    static const char *const modes[] = {"vip", "dnsrr"};
    jw_object(w, key);
    if (s) {
        jw_str(w, "Mode", encode_word(modes, 2, (int)s->mode));
        encode_ports(w, "Ports", s->ports, s->n_ports);
    }
    jw_end_object(w);
}

static void encode_mode(struct jw *w, const Pb__ServiceSpec *s)
{
    jw_object(w, "Mode");
    switch (s->mode_case) {
    case PB__SERVICE_SPEC__MODE_REPLICATED:
        jw_object(w, "Replicated");
        jw_uint(w, "Replicas", s->replicated->replicas);
        jw_end_object(w);
        break;
    case PB__SERVICE_SPEC__MODE_GLOBAL:
        jw_object(w, "Global");
        jw_end_object(w);
        break;
    case PB__SERVICE_SPEC__MODE_REPLICATED_JOB:
        jw_object(w, "ReplicatedJob");
        jw_uint(w, "MaxConcurrent", s->replicated_job->max_concurrent);
        jw_uint(w, "TotalCompletions", s->replicated_job->total_completions);
        jw_end_object(w);
        break;
    case PB__SERVICE_SPEC__MODE_GLOBAL_JOB:
        jw_object(w, "GlobalJob");
        jw_end_object(w);
        break;
    default:
        break;
    }
    jw_end_object(w);
}

void encode_service_spec(struct jw *w, const char *key, const Pb__ServiceSpec *s)
{
    jw_object(w, key);
    if (s) {
        jw_str_opt(w, "Name", pb_name(s->annotations));
        encode_labels(w, s->annotations);
        encode_task_spec(w, "TaskTemplate", s->task, true);
        encode_mode(w, s);
        encode_update(w, "UpdateConfig", s->update);
        encode_update(w, "RollbackConfig", s->rollback);
        encode_networks(w, s->networks, s->n_networks);
        if (s->endpoint)
            encode_endpoint_spec(w, "EndpointSpec", s->endpoint);
    }
    jw_end_object(w);
}
