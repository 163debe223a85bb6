/* api/encode_object.c - whole objects: secrets, configs, services, tasks, nodes, the cluster,
 * networks. */
#include <string.h>
#include "api/encode.h"
#include "base/str.h"
#include "model/node.h"
#include "model/task.h"

void encode_secret(struct jw *w, const char *key, const Pb__Secret *s)
{
    jw_object(w, key);
    encode_head(w, s->id, s->meta);
    jw_object(w, "Spec");
    if (s->spec) {
        jw_str_opt(w, "Name", pb_name(s->spec->annotations));
        encode_labels(w, s->spec->annotations);
        encode_driver(w, "Driver", s->spec->driver);
        encode_driver(w, "Templating", s->spec->templating);
    }
    jw_end_object(w);
    jw_end_object(w);
}

void encode_config(struct jw *w, const char *key, const Pb__Config *c)
{
    jw_object(w, key);
    encode_head(w, c->id, c->meta);
    jw_object(w, "Spec");
    if (c->spec) {
        jw_str_opt(w, "Name", pb_name(c->spec->annotations));
        encode_labels(w, c->spec->annotations);
        if (c->spec->data.len)
            jw_base64(w, "Data", c->spec->data.data, c->spec->data.len);
        encode_driver(w, "Templating", c->spec->templating);
    }
    jw_end_object(w);
    jw_end_object(w);
}

/* ---- service ---- */

const char *encode_update_state(int state)
{
    static const char *const words[] = {"",
                                        "updating",
                                        "paused",
                                        "completed",
                                        "rollback_started",
                                        "rollback_paused",
                                        "rollback_completed"};
    return encode_word(words, 7, state);
}

static void encode_endpoint(struct jw *w, const Pb__Endpoint *e)
{
    jw_object(w, "Endpoint");
    encode_endpoint_spec(w, "Spec", e ? e->spec : NULL);
    if (e) {
        encode_ports(w, "Ports", e->ports, e->n_ports);
        if (e->n_virtual_ips > 0) {
            jw_array(w, "VirtualIPs");
            for (size_t i = 0; i < e->n_virtual_ips; i++) {
                jw_object(w, NULL);
                jw_str_opt(w, "NetworkID", e->virtual_ips[i]->network_id);
                jw_str_opt(w, "Addr", e->virtual_ips[i]->addr);
                jw_end_object(w);
            }
            jw_end_array(w);
        }
    }
    jw_end_object(w);
}

static void encode_time_opt(struct jw *w, const char *key, const Google__Protobuf__Timestamp *t)
{
    if (pb_time_ns(t))
        jw_time(w, key, pb_time_ns(t));
}

static void encode_update_status(struct jw *w, const Pb__UpdateStatus *u)
{
    const char *state = u ? encode_update_state((int)u->state) : "";
    if (*state == '\0')
        return;
    jw_object(w, "UpdateStatus");
    jw_str(w, "State", state);
    encode_time_opt(w, "StartedAt", u->started_at);
    encode_time_opt(w, "CompletedAt", u->completed_at);
    jw_str_opt(w, "Message", u->message);
    jw_end_object(w);
}

void encode_service(struct jw *w, const char *key, const Pb__Service *s,
                    const Pb__ListServiceStatusesResponse__ServiceStatus *status)
{
    jw_object(w, key);
    encode_head(w, s->id, s->meta);
    encode_service_spec(w, "Spec", s->spec);
    if (s->previous_spec)
        encode_service_spec(w, "PreviousSpec", s->previous_spec);
    encode_endpoint(w, s->endpoint);
    encode_update_status(w, s->update_status);
    if (status) {
        jw_object(w, "ServiceStatus");
        jw_uint(w, "RunningTasks", status->running_tasks);
        jw_uint(w, "DesiredTasks", status->desired_tasks);
        jw_uint(w, "CompletedTasks", status->completed_tasks);
        jw_end_object(w);
    }
    if (s->job_status) {
        jw_object(w, "JobStatus");
        encode_version(w, "JobIteration", s->job_status->job_iteration);
        encode_time_opt(w, "LastExecution", s->job_status->last_execution);
        jw_end_object(w);
    }
    jw_end_object(w);
}

/* ---- task ---- */

static void encode_task_status(struct jw *w, const Pb__TaskStatus *st)
{
    jw_object(w, "Status");
    jw_time(w, "Timestamp", st ? pb_time_ns(st->timestamp) : 0);
    jw_str(w, "State", task_state_name(st ? (int)st->state : TASK_NEW));
    jw_str_opt(w, "Message", st ? st->message : NULL);
    jw_str_opt(w, "Err", st ? st->err : NULL);
    if (st && st->runtime_status_case == PB__TASK_STATUS__RUNTIME_STATUS_CONTAINER &&
        st->container) {
        jw_object(w, "ContainerStatus");
        jw_str(w, "ContainerID", st->container->container_id);
        jw_int(w, "PID", st->container->pid);
        jw_int(w, "ExitCode", st->container->exit_code);
        jw_end_object(w);
    }
    jw_object(w, "PortStatus");
    if (st && st->port_status)
        encode_ports(w, "Ports", st->port_status->ports, st->port_status->n_ports);
    jw_end_object(w);
    jw_end_object(w);
}

static void encode_attachments(struct jw *w, Pb__NetworkAttachment *const *n, size_t count)
{
    if (count == 0)
        return;
    jw_array(w, "NetworksAttachments");
    for (size_t i = 0; i < count; i++) {
        jw_object(w, NULL);
        if (n[i]->network)
            encode_network(w, "Network", n[i]->network, false);
        encode_strings(w, "Addresses", n[i]->addresses, n[i]->n_addresses);
        jw_end_object(w);
    }
    jw_end_array(w);
}

void encode_task(struct jw *w, const char *key, const Pb__Task *t)
{
    jw_object(w, key);
    encode_head(w, t->id, t->meta);
    encode_labels(w, t->annotations);
    encode_task_spec(w, "Spec", t->spec, false);
    jw_str_opt(w, "ServiceID", t->service_id);
    encode_int_opt(w, "Slot", (int64_t)t->slot);
    jw_str_opt(w, "NodeID", t->node_id);
    encode_task_status(w, t->status);
    jw_str(w, "DesiredState", task_state_name((int)t->desired_state));
    encode_attachments(w, t->networks, t->n_networks);
    encode_generic(w, "GenericResources", t->assigned_generic_resources,
                   t->n_assigned_generic_resources);
    if (t->job_iteration)
        encode_version(w, "JobIteration", t->job_iteration);
    jw_end_object(w);
}

/* ---- node ---- */

static void encode_engine(struct jw *w, const Pb__EngineDescription *e)
{
    jw_object(w, "Engine");
    if (e) {
        jw_str_opt(w, "EngineVersion", e->engine_version);
        encode_map_opt(w, "Labels", PB_MAP(e, labels));
        if (e->n_plugins > 0) {
            jw_array(w, "Plugins");
            for (size_t i = 0; i < e->n_plugins; i++) {
                jw_object(w, NULL);
                jw_str(w, "Type", e->plugins[i]->type);
                jw_str(w, "Name", e->plugins[i]->name);
                jw_end_object(w);
            }
            jw_end_array(w);
        }
    }
    jw_end_object(w);
}

static void encode_description(struct jw *w, const Pb__NodeDescription *d)
{
    jw_object(w, "Description");
    jw_str_opt(w, "Hostname", d ? d->hostname : NULL);
    jw_object(w, "Platform");
    if (d && d->platform) {
        jw_str_opt(w, "Architecture", d->platform->architecture);
        jw_str_opt(w, "OS", d->platform->os);
    }
    jw_end_object(w);
    jw_object(w, "Resources");
    if (d && d->resources) {
        encode_int_opt(w, "NanoCPUs", d->resources->nano_cpus);
        encode_int_opt(w, "MemoryBytes", d->resources->memory_bytes);
        encode_generic(w, "GenericResources", d->resources->generic, d->resources->n_generic);
    }
    jw_end_object(w);
    encode_engine(w, d ? d->engine : NULL);
    jw_object(w, "TLSInfo");
    if (d && d->tls_info && d->tls_info->trust_root.len) {
        const Pb__NodeTLSInfo *t = d->tls_info;
        jw_strn(w, "TrustRoot", (const char *)t->trust_root.data, t->trust_root.len);
        jw_base64(w, "CertIssuerSubject", t->cert_issuer_subject.data, t->cert_issuer_subject.len);
        jw_base64(w, "CertIssuerPublicKey", t->cert_issuer_public_key.data,
                  t->cert_issuer_public_key.len);
    }
    jw_end_object(w);
    jw_end_object(w);
}

void encode_node(struct jw *w, const char *key, const Pb__Node *n)
{
    static const char *const reach[] = {"unknown", "unreachable", "reachable"};
    jw_object(w, key);
    encode_head(w, n->id, n->meta);
    jw_object(w, "Spec");
    jw_str_opt(w, "Name", n->spec ? pb_name(n->spec->annotations) : NULL);
    encode_labels(w, n->spec ? n->spec->annotations : NULL);
    jw_str(w, "Role", node_role_name(n->spec ? (int)n->spec->desired_role : NODE_WORKER));
    jw_str(w, "Availability", node_availability_name(node_availability(n)));
    jw_end_object(w);
    encode_description(w, n->description);
    jw_object(w, "Status");
    jw_str(w, "State", node_state_name(node_state(n)));
    jw_str_opt(w, "Message", n->status ? n->status->message : NULL);
    jw_str_opt(w, "Addr", n->status ? n->status->addr : NULL);
    jw_end_object(w);
    if (n->manager_status) {
        jw_object(w, "ManagerStatus");
        if (n->manager_status->leader)
            jw_bool(w, "Leader", true);
        jw_str(w, "Reachability", encode_word(reach, 3, (int)n->manager_status->reachability));
        jw_str_opt(w, "Addr", n->manager_status->addr);
        jw_end_object(w);
    }
    jw_end_object(w);
}

/* ---- cluster ---- */

static void encode_ca_config(struct jw *w, const Pb__CAConfig *ca)
{
    jw_object(w, "CAConfig");
    if (ca) {
        encode_duration(w, "NodeCertExpiry", ca->node_cert_expiry, false);
        if (ca->n_external_cas > 0) {
            jw_array(w, "ExternalCAs");
            for (size_t i = 0; i < ca->n_external_cas; i++) {
                jw_object(w, NULL);
                jw_str(w, "Protocol", "cfssl");
                jw_str(w, "URL", ca->external_cas[i]->url);
                encode_map_opt(w, "Options", PB_MAP(ca->external_cas[i], options));
                jw_strn(w, "CACert", (const char *)ca->external_cas[i]->ca_cert.data,
                        ca->external_cas[i]->ca_cert.len);
                jw_end_object(w);
            }
            jw_end_array(w);
        }
        if (ca->signing_ca_cert.len) /* the key beside it is never written */
            jw_strn(w, "SigningCACert", (const char *)ca->signing_ca_cert.data,
                    ca->signing_ca_cert.len);
        encode_int_opt(w, "ForceRotate", (int64_t)ca->force_rotate);
    }
    jw_end_object(w);
}

static void encode_raft(struct jw *w, const Pb__RaftConfig *r)
{
    jw_object(w, "Raft");
    encode_int_opt(w, "SnapshotInterval", r ? (int64_t)r->snapshot_interval : 0);
    jw_uint(w, "KeepOldSnapshots", r ? r->keep_old_snapshots : 0);
    encode_int_opt(w, "LogEntriesForSlowFollowers",
                   r ? (int64_t)r->log_entries_for_slow_followers : 0);
    jw_uint(w, "ElectionTick", r ? r->election_tick : 0);
    jw_uint(w, "HeartbeatTick", r ? r->heartbeat_tick : 0);
    jw_end_object(w);
}

static void encode_cluster_spec(struct jw *w, const Pb__ClusterSpec *s)
{
    jw_object(w, "Spec");
    if (s) {
        jw_str_opt(w, "Name", pb_name(s->annotations));
        encode_labels(w, s->annotations);
        jw_object(w, "Orchestration");
        if (s->orchestration)
            jw_int(w, "TaskHistoryRetentionLimit", s->orchestration->task_history_retention_limit);
        jw_end_object(w);
        encode_raft(w, s->raft);
        jw_object(w, "Dispatcher");
        encode_duration(w, "HeartbeatPeriod",
                        s->dispatcher ? s->dispatcher->heartbeat_period : NULL, false);
        jw_end_object(w);
        encode_ca_config(w, s->ca_config);
        jw_object(w, "TaskDefaults");
        encode_driver(w, "LogDriver", s->task_defaults ? s->task_defaults->log_driver : NULL);
        jw_end_object(w);
        jw_object(w, "EncryptionConfig");
        jw_bool(w, "AutoLockManagers",
                s->encryption_config && s->encryption_config->auto_lock_managers);
        jw_end_object(w);
    }
    jw_end_object(w);
}

void encode_cluster(struct jw *w, const char *key, const Pb__Cluster *c, bool with_tokens)
{
    const Pb__RootCA *ca = c->root_ca;
    jw_object(w, key);
    encode_head(w, c->id, c->meta);
    encode_cluster_spec(w, c->spec);
    encode_trust_root(w, "TLSInfo", ca ? ca->ca_cert : (ProtobufCBinaryData){0, NULL});
    jw_bool(w, "RootRotationInProgress", ca && ca->root_rotation);
    if (c->n_defaultaddresspool > 0)
        encode_strings(w, "DefaultAddrPool", c->defaultaddresspool, c->n_defaultaddresspool);
    else
        jw_null(w, "DefaultAddrPool");
    jw_uint(w, "SubnetSize", c->subnetsize ? c->subnetsize : 24);
    jw_uint(w, "DataPathPort", c->vxlanudpport ? c->vxlanudpport : 4789);
    if (with_tokens) {
        jw_object(w, "JoinTokens");
        jw_str(w, "Worker", ca && ca->join_tokens ? ca->join_tokens->worker : "");
        jw_str(w, "Manager", ca && ca->join_tokens ? ca->join_tokens->manager : "");
        jw_end_object(w);
    }
    jw_end_object(w);
}

/* ---- network ---- */

static void encode_ipam(struct jw *w, const char *key, const Pb__IPAMOptions *i, bool full)
{
    jw_object(w, key);
    if (full)
        jw_str(w, "Driver",
               i && i->driver && !str_empty(i->driver->name) ? i->driver->name : "default");
    else if (i && i->driver)
        encode_driver(w, "Driver", i->driver);
    if (full)
        jw_null(w, "Options");
    if (full || (i && i->n_configs)) {
        jw_array(w, full ? "Config" : "Configs");
        for (size_t k = 0; i && k < i->n_configs; k++) {
            jw_object(w, NULL);
            jw_str_opt(w, "Subnet", i->configs[k]->subnet);
            jw_str_opt(w, full ? "IPRange" : "Range", i->configs[k]->range);
            jw_str_opt(w, "Gateway", i->configs[k]->gateway);
            jw_end_object(w);
        }
        jw_end_array(w);
    }
    jw_end_object(w);
}

/* As GET /networks has it. */
static void encode_network_full(struct jw *w, const char *key, const Pb__Network *n)
{
    const Pb__NetworkSpec *s = n->spec;
    const Pb__Driver *d = n->driver_state ? n->driver_state : s ? s->driver_config : NULL;
    jw_object(w, key);
    jw_str(w, "Name", s ? pb_name(s->annotations) : "");
    jw_str(w, "Id", n->id);
    jw_time(w, "Created", n->meta ? pb_time_ns(n->meta->created_at) : 0);
    jw_str(w, "Scope", "swarm");
    jw_str(w, "Driver", d && !str_empty(d->name) ? d->name : "overlay");
    jw_bool(w, "EnableIPv6", s && s->ipv6_enabled);
    encode_ipam(w, "IPAM", n->ipam ? n->ipam : s ? s->ipam : NULL, true);
    jw_bool(w, "Internal", s && s->internal);
    jw_bool(w, "Attachable", s && s->attachable);
    jw_bool(w, "Ingress", s && s->ingress);
    jw_raw(w, "ConfigFrom", "{\"Network\":\"\"}");
    jw_bool(w, "ConfigOnly", false);
    jw_null(w, "Containers");
    encode_map(w, "Options", d ? PB_MAP(d, options) : (struct pb_map){0, NULL});
    encode_labels(w, s ? s->annotations : NULL);
    jw_end_object(w);
}

void encode_network(struct jw *w, const char *key, const Pb__Network *n, bool full)
{
    const Pb__NetworkSpec *s = n->spec;
    if (full) {
        encode_network_full(w, key, n);
        return;
    }
    jw_object(w, key);
    encode_head(w, n->id, n->meta);
    jw_object(w, "Spec");
    if (s) {
        jw_str_opt(w, "Name", pb_name(s->annotations));
        encode_labels(w, s->annotations);
        jw_object(w, "DriverConfiguration");
        if (s->driver_config)
            jw_str_opt(w, "Name", s->driver_config->name);
        jw_end_object(w);
        if (s->ingress)
            jw_bool(w, "Ingress", true);
        if (s->ipam)
            encode_ipam(w, "IPAMOptions", s->ipam, false);
        jw_str(w, "Scope", "swarm");
    }
    jw_end_object(w);
    encode_driver(w, "DriverState", n->driver_state);
    if (n->ipam)
        encode_ipam(w, "IPAMOptions", n->ipam, false);
    jw_end_object(w);
}
