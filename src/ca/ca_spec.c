/* ca/ca_spec.c - defaults and limits of the cluster's settings. */
#include "ca/ca_spec.h"

#include <arpa/inet.h>
#include <errno.h>
#include <string.h>

#include "base/clock.h"
#include "base/str.h"
#include "ca/ca_cert.h"
#include "model/pb.h"

#define HEARTBEAT_DEFAULT_NS (5 * NS_PER_SEC)
enum {
    HISTORY = 5,
    SNAPSHOT_INTERVAL = 10000,
    SLOW_FOLLOWERS = 500,
    HEARTBEAT_TICK = 1,
    ELECTION_TICK = 10
};

static void raft_defaults(Pb__RaftConfig *r)
{
    if (r->snapshot_interval == 0)
        r->snapshot_interval = SNAPSHOT_INTERVAL;
    if (r->log_entries_for_slow_followers == 0)
        r->log_entries_for_slow_followers = SLOW_FOLLOWERS;
    if (r->heartbeat_tick == 0)
        r->heartbeat_tick = HEARTBEAT_TICK;
    if (r->election_tick == 0)
        r->election_tick = ELECTION_TICK;
}

void ca_spec_defaults(Pb__ClusterSpec *s)
{
    if (!s->annotations)
        s->annotations = PB_NEW(Annotations, annotations);
    if (str_empty(s->annotations->name))
        pb_str(&s->annotations->name, "default");
    if (!s->acceptance_policy)
        s->acceptance_policy = PB_NEW(AcceptancePolicy, acceptance_policy);
    if (!s->orchestration) {
        s->orchestration = PB_NEW(OrchestrationConfig, orchestration_config);
        s->orchestration->task_history_retention_limit = HISTORY;
    }
    if (!s->raft)
        s->raft = PB_NEW(RaftConfig, raft_config);
    raft_defaults(s->raft);
    if (!s->dispatcher)
        s->dispatcher = PB_NEW(DispatcherConfig, dispatcher_config);
    if (pb_duration_ns(s->dispatcher->heartbeat_period, 0) == 0)
        pb_set_duration(&s->dispatcher->heartbeat_period, HEARTBEAT_DEFAULT_NS);
    if (!s->ca_config)
        s->ca_config = PB_NEW(CAConfig, caconfig);
    if (pb_duration_ns(s->ca_config->node_cert_expiry, 0) == 0)
        pb_set_duration(&s->ca_config->node_cert_expiry, CA_EXPIRY_DEFAULT_NS);
    if (!s->task_defaults)
        s->task_defaults = PB_NEW(TaskDefaults, task_defaults);
    if (!s->encryption_config)
        s->encryption_config = PB_NEW(EncryptionConfig, encryption_config);
}

static int refuse(struct err *e, int outcome, const char *text)
{
    err_set(e, 0, "%s", text);
    return outcome;
}

int ca_spec_check(const Pb__ClusterSpec *s, struct err *e)
{
    if (s->ca_config &&
        pb_duration_ns(s->ca_config->node_cert_expiry, CA_EXPIRY_DEFAULT_NS) < CA_EXPIRY_MIN_NS)
        return refuse(e, CA_SPEC_REFUSED, "minimum certificate expiry time is: 1h0m0s");
    if (s->dispatcher && pb_duration_ns(s->dispatcher->heartbeat_period, 0) < 0)
        return refuse(e, CA_SPEC_REFUSED, "heartbeat time period cannot be a negative duration");
    if (!str_eq(pb_name(s->annotations), "default"))
        return refuse(e, CA_SPEC_REFUSED, "modification of cluster name is not allowed");
    /* Told now rather than at the first certificate that would have to come from there. */
    if (s->ca_config &&
        (s->ca_config->n_external_cas > 0 || s->ca_config->signing_ca_cert.len > 0 ||
         s->ca_config->signing_ca_key.len > 0))
        return refuse(e, CA_SPEC_REFUSED, "external and replaced root CAs are not supported yet");
    return 0;
}

static int check_pool(const char *pool, uint32_t subnet, struct err *e)
{
    char host[INET_ADDRSTRLEN];
    struct in_addr addr;
    uint64_t bits;
    const char *slash = strchr(pool, '/');
    size_t n = slash ? (size_t)(slash - pool) : sizeof host;
    if (n < sizeof host) {
        memcpy(host, pool, n);
        host[n] = 0;
    }
    if (n >= sizeof host || inet_pton(AF_INET, host, &addr) != 1 ||
        str_to_u64(slash + 1, 32, &bits) < 0) {
        err_set(e, 0, "invalid CIDR address: %.64s", pool);
        return CA_INIT_REFUSED;
    }
    if (subnet < bits) {
        err_set(e, 0, "invalid CIDR: \"%.64s\". Subnet size is too small for pool: %u", pool,
                (unsigned)subnet);
        return CA_INIT_REFUSED;
    }
    return 0;
}

int ca_init_check(const Keep__InitRequest *r, struct err *e)
{
    uint32_t port = r->data_path_port, subnet = r->subnet_size ? r->subnet_size : CA_SUBNET_SIZE;
    if (port != 0 && (port < 1024 || port > 49151)) {
        err_set(e, 0, "Datapath port number is not in valid range (1024-49151) : %u",
                (unsigned)port);
        return CA_INIT_REFUSED;
    }
    if (subnet > CA_SUBNET_SIZE_MAX) {
        err_set(e, 0, "subnet size is out of range: %u", (unsigned)subnet);
        return CA_INIT_REFUSED;
    }
    if (r->spec && !str_empty(pb_name(r->spec->annotations)) &&
        !str_eq(pb_name(r->spec->annotations), "default"))
        return refuse(e, CA_INIT_REFUSED, "swarm spec must be named \"default\"");
    for (size_t i = 0; i < r->n_default_addr_pool; i++) {
        int rc = check_pool(str_or(r->default_addr_pool[i], ""), subnet, e);
        if (rc != 0)
            return rc;
    }
    return 0;
}
