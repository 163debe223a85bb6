/* cli/cmd_swarm.c - `keep swarm`: init, join, leave, tokens, update. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include "base/mem.h"
#include "base/str.h"
#include "cli/api.h"
#include "cli/commands.h"
#include "cli/js.h"
#include "cli/opts.h"
#include "cli/swarm_impl.h"

#define HELP_AVAILABILITY "Whether the node takes tasks (\"active\", \"pause\", \"drain\")"
#define HELP_ADVERTISE "Address that the other nodes are told (format: \"<ip|interface>[:port]\")"
#define HELP_LISTEN "Address to listen on (format: \"<ip|interface>[:port]\")"
#define HELP_DATA_PATH                                                                             \
    "Address or interface for the traffic of containers (format: \"<ip|interface>\")"

/* --- the spec, shared by init and update --- */

static void set_int(json_t *o, const char *key, int64_t v)
{
    json_object_set_new(o, key, js_own(json_integer(v)));
}

int swarm_merge_flags(struct cli *c, json_t *spec)
{
    enum { EXPIRY_S = 90 * 24 * 3600 };
    if (flag_set(c, "task-history-limit"))
        set_int(js_sub(spec, "Orchestration"), "TaskHistoryRetentionLimit",
                flag_int(c, "task-history-limit", 5));
    if (flag_set(c, "dispatcher-heartbeat"))
        set_int(js_sub(spec, "Dispatcher"), "HeartbeatPeriod",
                flag_duration(c, "dispatcher-heartbeat", 5000000000));
    if (flag_set(c, "cert-expiry"))
        set_int(js_sub(spec, "CAConfig"), "NodeCertExpiry",
                flag_duration(c, "cert-expiry", EXPIRY_S * 1000000000LL));
    if (flag_set(c, "max-snapshots"))
        set_int(js_sub(spec, "Raft"), "KeepOldSnapshots",
                (int64_t)flag_uint(c, "max-snapshots", 0));
    if (flag_set(c, "snapshot-interval"))
        set_int(js_sub(spec, "Raft"), "SnapshotInterval",
                (int64_t)flag_uint(c, "snapshot-interval", 10000));
    if (flag_set(c, "autolock"))
        json_object_set_new(js_sub(spec, "EncryptionConfig"), "AutoLockManagers",
                            json_boolean(flag_bool(c, "autolock")));
    return flag_set(c, "external-ca") ? swarm_merge_cas(c, js_sub(spec, "CAConfig")) : 0;
}

int swarm_merge_cas(struct cli *c, json_t *ca_config)
{
    const char *const *v = flag_list(c, "external-ca");
    json_t *list = js_own(json_array());
    json_object_set_new(ca_config, "ExternalCAs", list);
    for (; *v; v++) {
        json_t *ca;
        int r = parse_external_ca(*v, &ca, &c->err);
        if (r)
            return r;
        json_array_append_new(list, ca);
    }
    return 0;
}

/* --- init --- */

static int check_availability(struct cli *c, const char *a)
{
    if (str_eq(a, "active") || str_eq(a, "pause") || str_eq(a, "drain"))
        return 0;
    return err_set(&c->err, -EINVAL,
                   "invalid availability \"%s\", only active, pause and drain are supported", a);
}

static json_t *address_pools(struct cli *c)
{
    json_t *list = js_own(json_array());
    for (const char *const *v = flag_list(c, "default-addr-pool"); *v; v++) {
        AUTO_STRV char **fields = NULL;
        if (csv_record(*v, &fields, NULL))
            continue; /* checked when the flag was read */
        for (size_t i = 0; fields[i]; i++)
            js_push_str(list, fields[i]);
    }
    return list;
}

static int init_request(struct cli *c, json_t **ret)
{
    const char *availability = str_or(flag_str(c, "availability"), "active");
    AUTO_JSON json_t *q = js_own(json_object());
    json_t *spec = js_sub(q, "Spec");
    int r = check_availability(c, availability);
    if (!r)
        r = swarm_merge_flags(c, spec);
    if (r)
        return r;
    js_set_str(spec, "Name", "default");
    js_sub(spec, "Labels");
    js_set_str(q, "ListenAddr", str_or(flag_str(c, "listen-addr"), "0.0.0.0:2377"));
    js_set_str(q, "AdvertiseAddr", flag_str(c, "advertise-addr"));
    js_set_str(q, "DataPathAddr", flag_str(c, "data-path-addr"));
    set_int(q, "DataPathPort", (int64_t)flag_uint(c, "data-path-port", 0));
    json_object_set_new(q, "DefaultAddrPool", address_pools(c));
    json_object_set_new(q, "ForceNewCluster", json_boolean(flag_bool(c, "force-new-cluster")));
    json_object_set_new(q, "AutoLockManagers", json_boolean(flag_bool(c, "autolock")));
    js_set_str(q, "Availability", availability);
    set_int(q, "SubnetSize", (int64_t)flag_uint(c, "default-addr-pool-mask-length", 24));
    *ret = TAKE(q);
    return 0;
}

/* "To add a worker …": asks for the swarm's tokens and this node's address. */
static int print_join(struct cli *c, const char *node_id, bool worker, bool manager)
{
    AUTO_JSON json_t *node = NULL, *swarm = NULL;
    AUTO_FREE char *path = api_path("/nodes/%s", node_id);
    int r = api_get(c, path, &node);
    if (!r)
        r = api_get(c, "/swarm", &swarm);
    if (r)
        return r;
    const char *addr = js_str(node, "ManagerStatus.Addr");
    if (!*addr)
        return 0;
    if (worker)
        printf("To add a worker to this swarm, run the following command:\n\n    keep swarm join "
               "--token %s %s\n\n",
               js_str(swarm, "JoinTokens.Worker"), addr);
    if (manager)
        printf("To add a manager to this swarm, run the following command:\n\n    keep swarm join "
               "--token %s %s\n\n",
               js_str(swarm, "JoinTokens.Manager"), addr);
    return 0;
}

static void hint_advertise_addr(struct cli *c)
{
    AUTO_FREE char *said = mem_str(c->err.text);
    err_set(&c->err, 0, "%s - specify one with --advertise-addr", said);
}

static int run_init(struct cli *c)
{
    AUTO_JSON json_t *q = NULL, *id = NULL, *key = NULL;
    int r = init_request(c, &q);
    if (!r)
        r = api_call(c, "POST", "/swarm/init", q, &id);
    if (r) {
        if (strstr(c->err.text, "could not choose an IP address to advertise") ||
            strstr(c->err.text, "could not find the system's IP address"))
            hint_advertise_addr(c);
        return r;
    }
    const char *node = str_or(json_string_value(id), "");
    printf("Swarm initialized: current node (%s) is now a manager.\n\n", node);
    r = print_join(c, node, true, false);
    if (r)
        return r;
    printf("To add a manager to this swarm, run 'keep swarm join-token manager' and follow the "
           "instructions.\n");
    if (!flag_bool(c, "autolock"))
        return 0;
    r = api_get(c, "/swarm/unlockkey", &key);
    if (!r)
        swarm_print_key(js_str(key, "UnlockKey"));
    return r;
}

static const struct flag init_flags[] = {
    {.name = "advertise-addr", .type = "string", .help = HELP_ADVERTISE},
    {.name = "autolock",
     .help = "Lock managers when they stop: starting one again then takes the unlock key"},
    {.name = "availability", .type = "string", .help = HELP_AVAILABILITY, .def = "\"active\""},
    {.name = "cert-expiry", .type = "duration", .help = HELP_CERT_EXPIRY, .def = "2160h0m0s"},
    {.name = "data-path-addr", .type = "string", .help = HELP_DATA_PATH},
    {.name = "data-path-port",
     .type = "uint32",
     .help = "Port of that traffic (1024 - 49151); 0 means 4789"},
    {.name = "default-addr-pool",
     .type = "ipNetSlice",
     .help = "Where networks take their subnets from, as CIDR",
     .def = "[]"},
    {.name = "default-addr-pool-mask-length",
     .type = "uint32",
     .help = "Mask length of those subnets",
     .def = "24"},
    {.name = "dispatcher-heartbeat", .type = "duration", .help = HELP_HEARTBEAT, .def = "5s"},
    {.name = "external-ca", .type = "external-ca", .help = HELP_EXTERNAL_CA},
    {.name = "force-new-cluster",
     .help = "Make a cluster of this one manager out of the state it has"},
    {.name = "listen-addr", .type = "node-addr", .help = HELP_LISTEN, .def = "0.0.0.0:2377"},
    {.name = "max-snapshots", .type = "uint", .help = HELP_MAX_SNAPSHOTS},
    {.name = "snapshot-interval", .type = "uint", .help = HELP_SNAPSHOT_INTERVAL, .def = "10000"},
    {.name = "task-history-limit", .type = "int", .help = HELP_TASK_HISTORY, .def = "5"},
    FLAG_END,
};
static const struct command init = {.name = "init",
                                    .usage = "[OPTIONS]",
                                    .about = "Initialize a swarm",
                                    .flags = init_flags,
                                    .run = run_init};

/* --- join --- */

static int run_join(struct cli *c)
{
    AUTO_JSON json_t *q = js_own(json_object()), *info = NULL;
    const char *availability = str_or(flag_str(c, "availability"), "active");
    int r = check_availability(c, availability);
    if (r)
        return r;
    js_set_str(q, "ListenAddr", str_or(flag_str(c, "listen-addr"), "0.0.0.0:2377"));
    js_set_str(q, "AdvertiseAddr", flag_str(c, "advertise-addr"));
    js_set_str(q, "DataPathAddr", flag_str(c, "data-path-addr"));
    js_push_str(js_list(q, "RemoteAddrs"), c->args[0]);
    js_set_str(q, "JoinToken", flag_str(c, "token"));
    js_set_str(q, "Availability", availability);
    r = api_call(c, "POST", "/swarm/join", q, NULL);
    if (!r)
        r = api_get(c, "/info", &info);
    if (!r)
        printf("This node joined a swarm as a %s.\n",
               js_bool(info, "Swarm.ControlAvailable") ? "manager" : "worker");
    return r;
}

static const struct flag join_flags[] = {
    {.name = "advertise-addr", .type = "string", .help = HELP_ADVERTISE},
    {.name = "availability", .type = "string", .help = HELP_AVAILABILITY, .def = "\"active\""},
    {.name = "data-path-addr", .type = "string", .help = HELP_DATA_PATH},
    {.name = "listen-addr", .type = "node-addr", .help = HELP_LISTEN, .def = "0.0.0.0:2377"},
    {.name = "token", .type = "string", .help = "The swarm's token for this role"},
    FLAG_END,
};
static const struct command join = {.name = "join",
                                    .usage = "[OPTIONS] HOST:PORT",
                                    .about = "Join a swarm as a node and/or manager",
                                    .flags = join_flags,
                                    .run = run_join,
                                    .min = 1,
                                    .max = 1};

/* --- leave --- */

static int run_leave(struct cli *c)
{
    int r = api_call(c, "POST", flag_bool(c, "force") ? "/swarm/leave?force=1" : "/swarm/leave",
                     NULL, NULL);
    if (!r)
        printf("Node left the swarm.\n");
    return r;
}

static const struct flag leave_flags[] = {
    {.name = "force", .letter = 'f', .help = "Leave in any case, whatever the warnings say"},
    FLAG_END,
};
static const struct command leave = {.name = "leave",
                                     .usage = "[OPTIONS]",
                                     .about = "Leave the swarm",
                                     .flags = leave_flags,
                                     .run = run_leave};

/* --- join-token --- */

int swarm_rotate(struct cli *c, json_t *swarm, const char *what)
{
    AUTO_FREE char *path = api_path("/swarm/update?version=");
    AUTO_BUF struct buf b = BUF_INIT(4096);
    buf_printf(&b, "%s%lld&rotateWorkerToken=%s&rotateManagerToken=%s&rotateManagerUnlockKey=%s",
               path, (long long)js_int(swarm, "Version.Index"),
               str_eq(what, "worker") ? "true" : "false",
               str_eq(what, "manager") ? "true" : "false", str_eq(what, "key") ? "true" : "false");
    return api_call(c, "POST", b.p, json_object_get(swarm, "Spec"), NULL);
}

static int run_join_token(struct cli *c)
{
    const char *role = c->args[0];
    bool worker = str_eq(role, "worker"), quiet = flag_bool(c, "quiet");
    AUTO_JSON json_t *swarm = NULL;
    if (!worker && !str_eq(role, "manager"))
        return err_set(&c->err, -EINVAL, "unknown role %s", role);
    int r = api_get(c, "/swarm", &swarm);
    if (!r && flag_bool(c, "rotate")) {
        r = swarm_rotate(c, swarm, role);
        if (!r && !quiet)
            printf("Successfully rotated %s join token.\n\n", role);
        json_decref(TAKE(swarm));
        if (!r)
            r = api_get(c, "/swarm", &swarm);
    }
    if (r)
        return r;
    if (quiet) {
        printf("%s\n", js_str(swarm, worker ? "JoinTokens.Worker" : "JoinTokens.Manager"));
        return 0;
    }
    AUTO_FREE char *node = own_node_id(c);
    return node ? print_join(c, node, worker, !worker) : 1;
}

static const struct flag token_flags[] = {
    {.name = "quiet", .letter = 'q', .help = "Only show the token"},
    {.name = "rotate", .help = "Make a new token"},
    FLAG_END,
};
static const struct command join_token = {.name = "join-token",
                                          .usage = "[OPTIONS] (worker|manager)",
                                          .about = "Manage join tokens",
                                          .flags = token_flags,
                                          .run = run_join_token,
                                          .min = 1,
                                          .max = 1};

/* --- update --- */

static int run_update(struct cli *c)
{
    AUTO_JSON json_t *swarm = NULL, *key = NULL;
    bool any = false;
    for (size_t i = 0; c->cmd->flags[i].name; i++)
        any = any || c->values[i].changed;
    if (!any) {
        help_print(c, c->cmd, c->path, false);
        return 0;
    }
    int r = api_get(c, "/swarm", &swarm);
    if (r)
        return r;
    bool locked = js_bool(swarm, "Spec.EncryptionConfig.AutoLockManagers");
    r = swarm_merge_flags(c, js_sub(swarm, "Spec"));
    if (!r)
        r = swarm_rotate(c, swarm, "");
    if (r)
        return r;
    printf("Swarm updated.\n");
    if (locked || !flag_bool(c, "autolock"))
        return 0;
    r = api_get(c, "/swarm/unlockkey", &key);
    if (r)
        return r;
    swarm_print_key(js_str(key, "UnlockKey"));
    return 0;
}

static const struct flag update_flags[] = {
    {.name = "autolock", .help = "Whether managers lock themselves when they stop (true|false)"},
    {.name = "cert-expiry", .type = "duration", .help = HELP_CERT_EXPIRY, .def = "2160h0m0s"},
    {.name = "dispatcher-heartbeat", .type = "duration", .help = HELP_HEARTBEAT, .def = "5s"},
    {.name = "external-ca", .type = "external-ca", .help = HELP_EXTERNAL_CA},
    {.name = "max-snapshots", .type = "uint", .help = HELP_MAX_SNAPSHOTS},
    {.name = "snapshot-interval", .type = "uint", .help = HELP_SNAPSHOT_INTERVAL, .def = "10000"},
    {.name = "task-history-limit", .type = "int", .help = HELP_TASK_HISTORY, .def = "5"},
    FLAG_END,
};
static const struct command update = {.name = "update",
                                      .usage = "[OPTIONS]",
                                      .about = "Update the swarm",
                                      .flags = update_flags,
                                      .run = run_update};

static const struct command *const subs[] = {&cmd_swarm_ca,         &init,   &join,
                                             &join_token,           &leave,  &cmd_swarm_unlock,
                                             &cmd_swarm_unlock_key, &update, NULL};
const struct command cmd_swarm = {
    .name = "swarm", .about = "Manage Swarm", .subs = subs, .section = SEC_SWARM};
