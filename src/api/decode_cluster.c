/* api/decode_cluster.c - the spec of a swarm: what the body says replaces what is there, as the
 * engine merges it. */
#include <errno.h>
#include <string.h>
#include "api/decode.h"
#include "base/str.h"

#define PART(field, Type, type)                                                                    \
    do {                                                                                           \
        if (!s->field)                                                                             \
            s->field = PB_NEW(Type, type);                                                         \
    } while (0)

static void merge_labels(Pb__ClusterSpec *s, const struct json_at *at)
{
    PART(annotations, Annotations, annotations);
    if (!json_at_any(at, "Labels"))
        return;
    Pb__Annotations *said = decode_annotations(at);
    pb_str(&said->name, pb_name(s->annotations));
    pb_free(s->annotations);
    s->annotations = said;
}

static void merge_raft(Pb__ClusterSpec *s, const struct json_at *at)
{
    struct json_at raft, orchestration;
    bool present = false;
    PART(raft, RaftConfig, raft_config);
    /* Absent is not 0: the ca fills in the engine's default where nothing was said. */
    if (json_at_object(at, "Orchestration", "OrchestrationConfig", "swarm.OrchestrationConfig",
                       &orchestration) &&
        json_at_any(&orchestration, "TaskHistoryRetentionLimit")) {
        PART(orchestration, OrchestrationConfig, orchestration_config);
        s->orchestration->task_history_retention_limit =
            json_at_int(&orchestration, "TaskHistoryRetentionLimit", 0, "int64");
    }
    if (!json_at_object(at, "Raft", "RaftConfig", "swarm.RaftConfig", &raft))
        return;
    uint64_t v = json_at_uint(&raft, "SnapshotInterval", INT64_MAX, "uint64", NULL);
    s->raft->snapshot_interval = v ? v : s->raft->snapshot_interval;
    v = json_at_uint(&raft, "KeepOldSnapshots", INT64_MAX, "uint64", &present);
    s->raft->keep_old_snapshots = present ? v : s->raft->keep_old_snapshots;
    v = json_at_uint(&raft, "LogEntriesForSlowFollowers", INT64_MAX, "uint64", NULL);
    s->raft->log_entries_for_slow_followers = v ? v : s->raft->log_entries_for_slow_followers;
    v = json_at_uint(&raft, "HeartbeatTick", UINT32_MAX, "int", NULL);
    s->raft->heartbeat_tick = v ? (uint32_t)v : s->raft->heartbeat_tick;
    v = json_at_uint(&raft, "ElectionTick", UINT32_MAX, "int", NULL);
    s->raft->election_tick = v ? (uint32_t)v : s->raft->election_tick;
}

static void set_duration(Google__Protobuf__Duration **field, Google__Protobuf__Duration *said)
{
    if (!said)
        return;
    pb_free(*field);
    *field = said;
}

static int merge_external_cas(Pb__CAConfig *ca, const struct json_at *at, struct err *e)
{
    json_t *list;
    size_t n = json_at_array(at, "ExternalCAs", "[]*swarm.ExternalCA", &list);
    for (size_t i = 0; i < n; i++) {
        struct json_at x;
        if (!json_at_element(at, "ExternalCAs", list, i, "ExternalCA", "swarm.ExternalCA", &x))
            continue;
        if (!str_ieq(json_at_str(&x, "Protocol"), "cfssl"))
            return err_set(e, -EINVAL, "invalid CAProtocol: \"%s\"", json_at_str(&x, "Protocol"));
        Pb__ExternalCA *m = PB_NEW(ExternalCA, external_ca);
        pb_str(&m->url, json_at_str(&x, "URL"));
        DECODE_MAP(&x, "Options", m, options, pb__external_ca__options_entry__init);
        const char *cert = json_at_str(&x, "CACert");
        pb_bytes(&m->ca_cert, cert, strlen(cert));
        PB_PUSH(ca->n_external_cas, ca->external_cas, m);
    }
    return 0;
}

static int merge_ca(Pb__ClusterSpec *s, const struct json_at *at, struct err *e)
{
    struct json_at ca;
    PART(ca_config, CAConfig, caconfig);
    if (!json_at_object(at, "CAConfig", "CAConfig", "swarm.CAConfig", &ca))
        return 0;
    set_duration(&s->ca_config->node_cert_expiry, decode_duration(&ca, "NodeCertExpiry", false));
    if (*json_at_str(&ca, "SigningCAKey") || *json_at_str(&ca, "SigningCACert"))
        return err_set(e, -EINVAL, "a signing certificate or key of your own is not supported");
    uint64_t force = json_at_uint(&ca, "ForceRotate", INT64_MAX, "uint64", NULL);
    s->ca_config->force_rotate = force ? force : s->ca_config->force_rotate;
    return merge_external_cas(s->ca_config, &ca, e);
}

static void merge_rest(Pb__ClusterSpec *s, const struct json_at *at)
{
    struct json_at part;
    PART(dispatcher, DispatcherConfig, dispatcher_config);
    PART(task_defaults, TaskDefaults, task_defaults);
    PART(encryption_config, EncryptionConfig, encryption_config);
    if (json_at_object(at, "Dispatcher", "DispatcherConfig", "swarm.DispatcherConfig", &part))
        set_duration(&s->dispatcher->heartbeat_period,
                     decode_duration(&part, "HeartbeatPeriod", false));
    if (json_at_object(at, "TaskDefaults", "TaskDefaults", "swarm.TaskDefaults", &part)) {
        Pb__Driver *d = decode_driver(&part, "LogDriver");
        if (d) {
            pb_free(s->task_defaults->log_driver);
            s->task_defaults->log_driver = d;
        }
    }
    json_at_object(at, "EncryptionConfig", "EncryptionConfig", "swarm.EncryptionConfig", &part);
    s->encryption_config->auto_lock_managers = json_at_bool(&part, "AutoLockManagers");
}

int decode_cluster_spec(const struct json_at *at, const Pb__ClusterSpec *base,
                        Pb__ClusterSpec **ret, struct err *e)
{
    const char *name = json_at_str(at, "Name");
    if (*name && strcmp(name, "default") != 0)
        return err_set(e, -EINVAL, "invalid Name \"%s\": swarm spec must be named \"default\"",
                       name);
    Pb__ClusterSpec *s = base ? pb_dup(base) : PB_NEW(ClusterSpec, cluster_spec);
    merge_labels(s, at);
    pb_str(&s->annotations->name, "default");
    merge_raft(s, at);
    int r = merge_ca(s, at, e);
    merge_rest(s, at);
    if (r == 0 && at->in->failed)
        r = err_set(e, -EINVAL, "%s", err_text(&at->in->e));
    if (r < 0)
        pb_free(s);
    else
        *ret = s;
    return r;
}
