/* cli/cmd_info.c - `keep info`. */
#include <stdlib.h>
#include <string.h>
#include "base/mem.h"
#include "base/str.h"
#include "cli/about.h"
#include "cli/age.h"
#include "cli/api.h"
#include "cli/commands.h"
#include "cli/format.h"
#include "cli/js.h"

/* A line with its title and what follows, when there is something. */
static void line(const char *title, const char *value)
{
    if (*value)
        printf("%s: %s\n", title, value);
}

static const char *truth(json_t *o, const char *path)
{
    return js_bool(o, path) ? "true" : "false";
}

static int by_text(const void *a, const void *b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

static void words(const char *title, json_t *list, bool sorted)
{
    size_t n = json_array_size(list), i;
    AUTO_FREE const char **v = mem_array(n + 1, sizeof *v);
    for (i = 0; i < n; i++)
        v[i] = str_or(json_string_value(json_array_get(list, i)), "");
    if (sorted)
        qsort(v, n, sizeof *v, by_text);
    printf("%s:", title);
    for (i = 0; i < n; i++)
        printf(" %s", v[i]);
    putchar('\n');
}

static void print_driver(json_t *s)
{
    json_t *pair;
    size_t i;
    line(" Server Version", js_str(s, "ServerVersion"));
    line(" Storage Driver", js_str(s, "Driver"));
    json_array_foreach(json_object_get(s, "DriverStatus"), i, pair)
        printf("  %s: %s\n", str_or(json_string_value(json_array_get(pair, 0)), ""),
               str_or(json_string_value(json_array_get(pair, 1)), ""));
    line(" Logging Driver", js_str(s, "LoggingDriver"));
    line(" Cgroup Driver", js_str(s, "CgroupDriver"));
    line(" Cgroup Version", js_str(s, "CgroupVersion"));
    printf(" Plugins:\n");
    words("  Volume", js_at(s, "Plugins.Volume"), false);
    words("  Network", js_at(s, "Plugins.Network"), false);
    if (js_len(s, "Plugins.Authorization"))
        words("  Authorization", js_at(s, "Plugins.Authorization"), false);
    words("  Log", js_at(s, "Plugins.Log"), false);
}

static void print_manager(json_t *w)
{
    char text[AGE_SIZE];
    json_t *cluster = json_object_get(w, "Cluster"), *pool;
    size_t i;
    printf("  ClusterID: %s\n  Managers: %lld\n  Nodes: %lld\n", js_str(cluster, "ID"),
           (long long)js_int(w, "Managers"), (long long)js_int(w, "Nodes"));
    if (js_len(cluster, "DefaultAddrPool")) {
        printf("  Default Address Pool: ");
        json_array_foreach(json_object_get(cluster, "DefaultAddrPool"), i, pool)
            printf("%s%s", i ? "," : "", str_or(json_string_value(pool), ""));
        printf("  \n  SubnetSize: %lld\n", (long long)js_int(cluster, "SubnetSize"));
    }
    if (js_int(cluster, "DataPathPort"))
        printf("  Data Path Port: %lld\n", (long long)js_int(cluster, "DataPathPort"));
    printf("  Orchestration:\n   Task History Retention Limit: %lld\n",
           (long long)js_int(cluster, "Spec.Orchestration.TaskHistoryRetentionLimit"));
    printf("  Raft:\n   Snapshot Interval: %lld\n",
           (long long)js_int(cluster, "Spec.Raft.SnapshotInterval"));
    if (js_at(cluster, "Spec.Raft.KeepOldSnapshots"))
        printf("   Number of Old Snapshots to Retain: %lld\n",
               (long long)js_int(cluster, "Spec.Raft.KeepOldSnapshots"));
    printf("   Heartbeat Tick: %lld\n   Election Tick: %lld\n",
           (long long)js_int(cluster, "Spec.Raft.HeartbeatTick"),
           (long long)js_int(cluster, "Spec.Raft.ElectionTick"));
    age_text(js_int(cluster, "Spec.Dispatcher.HeartbeatPeriod"), text);
    printf("  Dispatcher:\n   Heartbeat Period: %s\n", text);
    age_text(js_int(cluster, "Spec.CAConfig.NodeCertExpiry"), text);
    printf("  CA Configuration:\n   Expiry Duration: %s\n   Force Rotate: %lld\n", text,
           (long long)js_int(cluster, "Spec.CAConfig.ForceRotate"));
    json_t *ca;
    json_array_foreach(js_at(cluster, "Spec.CAConfig.ExternalCAs"), i, ca)
        printf("%s     %s: %s\n", i ? "" : "   External CAs:\n", js_str(ca, "Protocol"),
               js_str(ca, "URL"));
    printf("  Autolock Managers: %s\n  Root Rotation In Progress: %s\n",
           truth(cluster, "Spec.EncryptionConfig.AutoLockManagers"),
           truth(cluster, "RootRotationInProgress"));
}

static void print_swarm(json_t *s)
{
    json_t *w = json_object_get(s, "Swarm"), *m;
    const char *state = js_str(w, "LocalNodeState");
    size_t i;
    printf(" Swarm: %s\n", state);
    if (str_eq(state, "inactive") || str_eq(state, "locked") || !*state)
        return;
    printf("  NodeID: %s\n", js_str(w, "NodeID"));
    if (*js_str(w, "Error"))
        printf("  Error: %s\n", js_str(w, "Error"));
    printf("  Is Manager: %s\n", truth(w, "ControlAvailable"));
    if (js_at(w, "Cluster") && js_bool(w, "ControlAvailable") && !*js_str(w, "Error") &&
        !str_eq(state, "error"))
        print_manager(w);
    printf("  Node Address: %s\n", js_str(w, "NodeAddr"));
    size_t n = js_len(w, "RemoteManagers");
    AUTO_FREE const char **addrs = mem_array(n + 1, sizeof *addrs);
    json_array_foreach(json_object_get(w, "RemoteManagers"), i, m) addrs[i] = js_str(m, "Addr");
    qsort(addrs, n, sizeof *addrs, by_text);
    if (n)
        printf("  Manager Addresses:\n");
    for (i = 0; i < n; i++)
        printf("   %s\n", addrs[i]);
}

static void print_runtimes(json_t *s)
{
    AUTO_FREE const char **names = js_sorted_keys(json_object_get(s, "Runtimes"));
    if (names[0]) {
        printf(" Runtimes:");
        for (size_t i = 0; names[i]; i++)
            printf(" %s", names[i]);
        printf("\n Default Runtime: %s\n", js_str(s, "DefaultRuntime"));
    }
    printf(" Init Binary: %s\n", js_str(s, "InitBinary"));
    static const char *const commits[][2] = {{"containerd", "ContainerdCommit.ID"},
                                             {"runc", "RuncCommit.ID"},
                                             {"init", "InitCommit.ID"}};
    for (size_t i = 0; i < 3; i++)
        printf(" %s version: %s\n", commits[i][0], js_str(s, commits[i][1]));
}

static void print_security(json_t *s)
{
    json_t *o;
    size_t i;
    if (!js_len(s, "SecurityOptions"))
        return;
    printf(" Security Options:\n");
    json_array_foreach(json_object_get(s, "SecurityOptions"), i, o)
    {
        AUTO_FREE char *text = mem_str(str_or(json_string_value(o), ""));
        for (char *rest = text, *f; (f = strsep(&rest, ",")) != NULL;) {
            if (str_starts(f, "name="))
                printf("  %s\n", f + 5);
            else if (str_starts(f, "profile="))
                printf("   Profile: %s\n", f + 8);
        }
    }
}

static void print_machine(json_t *s)
{
    char text[AGE_SIZE];
    line(" Kernel Version", js_str(s, "KernelVersion"));
    line(" Operating System", js_str(s, "OperatingSystem"));
    line(" OSType", js_str(s, "OSType"));
    line(" Architecture", js_str(s, "Architecture"));
    printf(" CPUs: %lld\n", (long long)js_int(s, "NCPU"));
    line(" Total Memory", size_binary((double)js_int(s, "MemTotal"), text));
    line(" Name", js_str(s, "Name"));
    line(" ID", js_str(s, "ID"));
    printf(" Docker Root Dir: %s\n", js_str(s, "DockerRootDir"));
    printf(" Debug Mode: %s\n", truth(s, "Debug"));
    line(" HTTP Proxy", js_str(s, "HttpProxy"));
    line(" HTTPS Proxy", js_str(s, "HttpsProxy"));
    line(" No Proxy", js_str(s, "NoProxy"));
    json_t *l;
    size_t i;
    json_array_foreach(json_object_get(s, "Labels"), i, l)
        printf("%s  %s\n", i ? "" : " Labels:\n", str_or(json_string_value(l), ""));
    printf(" Experimental: %s\n", truth(s, "ExperimentalBuild"));
}

static void print_registries(json_t *s)
{
    json_t *cidr, *pool;
    size_t i;
    AUTO_FREE const char **index = js_sorted_keys(js_at(s, "RegistryConfig.IndexConfigs"));
    bool any = js_len(s, "RegistryConfig.InsecureRegistryCIDRs") > 0;
    if (any)
        printf(" Insecure Registries:\n");
    for (i = 0; any && index[i]; i++)
        if (!js_bool(json_object_get(js_at(s, "RegistryConfig.IndexConfigs"), index[i]), "Secure"))
            printf("  %s\n", index[i]);
    json_array_foreach(js_at(s, "RegistryConfig.InsecureRegistryCIDRs"), i, cidr)
        printf("  %s\n", str_or(json_string_value(cidr), ""));
    json_array_foreach(js_at(s, "RegistryConfig.Mirrors"), i, cidr)
        printf("%s  %s\n", i ? "" : " Registry Mirrors:\n", str_or(json_string_value(cidr), ""));
    printf(" Live Restore Enabled: %s\n", truth(s, "LiveRestoreEnabled"));
    line(" Product License", js_str(s, "ProductLicense"));
    json_array_foreach(json_object_get(s, "DefaultAddressPools"), i, pool)
        printf("%s   Base: %s, Size: %lld\n", i ? "" : " Default Address Pools:\n",
               js_str(pool, "Base"), (long long)js_int(pool, "Size"));
    putchar('\n');
}

static void print_server(json_t *s)
{
    json_t *w;
    size_t i;
    printf("\nServer:\n Containers: %lld\n  Running: %lld\n  Paused: %lld\n  Stopped: %lld\n "
           "Images: %lld\n",
           (long long)js_int(s, "Containers"), (long long)js_int(s, "ContainersRunning"),
           (long long)js_int(s, "ContainersPaused"), (long long)js_int(s, "ContainersStopped"),
           (long long)js_int(s, "Images"));
    print_driver(s);
    print_swarm(s);
    print_runtimes(s);
    print_security(s);
    print_machine(s);
    print_registries(s);
    fflush(stdout);
    json_array_foreach(json_object_get(s, "Warnings"), i, w)
        fprintf(stderr, "%s\n", str_or(json_string_value(w), ""));
}

static int run_info(struct cli *c)
{
    AUTO_JSON json_t *s = NULL;
    struct template_env env = {.type = "system.dockerInfo", .fold = true};
    const char *format = flag_str(c, "format");
    int r = api_get(c, "/info", &s);
    if (!str_empty(format)) {
        if (r)
            return r;
        json_t *client = client_object(c);
        json_object_set_new(client, "Debug", json_boolean(global_bool(c, "debug")));
        json_object_set_new(client, "Plugins", js_own(json_array()));
        json_object_set_new(client, "Warnings", json_null());
        json_object_set_new(s, "ClientInfo", client);
        return format_one_object(c, format, s, &env);
    }
    printf("Client:\n Version:    %s\n Context:    default\n Debug Mode: %s\n", KEEP_VERSION,
           global_bool(c, "debug") ? "true" : "false");
    fflush(stdout);
    if (r) {
        printf("\nServer:\n");
        return r;
    }
    print_server(s);
    return 0;
}

static const struct flag flags[] = {FLAG_FORMAT, FLAG_END};
const struct command cmd_info = {.name = "info",
                                 .paths = "keep system info, keep info",
                                 .usage = "[OPTIONS]",
                                 .about = "Display system-wide information",
                                 .flags = flags,
                                 .run = run_info,
                                 .section = SEC_COMMON};
