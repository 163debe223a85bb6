/* api/routes_info.c - /info: the machine, the daemon, and its place in a swarm. */
#include <stdlib.h>
#include <string.h>
#include <sys/sysinfo.h>
#include <sys/utsname.h>
#include <unistd.h>
#include "api/encode.h"
#include "api/state.h"
#include "base/clock.h"
#include "base/str.h"
#include "base/version.h"
#include "loop/child.h"
#include "proto/keep.pb-c.h"
#include "rpc/methods.h"

/* Said in every /info of a node whose cluster has no autolock: a sealed store is only as safe as
 * the key beside it. It stands among the security options because clients print warnings on
 * standard error of every "info". */
#define UNLOCKED_OPTION "name=secret-store,autolock=off: only as safe as this node's disk"

struct info {
    Pb__Cluster *cluster; /* ours */
    uint32_t nodes, managers;
    bool counted;
    char error[ERR_TEXT_MAX];
};

static void free_info(void *arg)
{
    struct info *i = arg;
    pb_free(i->cluster);
    free(i);
}

/* ---- the machine ---- */

/* The value of KEY= in /etc/os-release, without quotes. */
static char *os_release(const char *key)
{
    AUTO_BUF struct buf b = BUF_INIT(64 << 10);
    size_t n = strlen(key);
    if (buf_read_file(&b, "/etc/os-release", NULL) < 0)
        return mem_str("");
    for (char *save = NULL, *line = strtok_r(b.p, "\n", &save); line;
         line = strtok_r(NULL, "\n", &save)) {
        if (strncmp(line, key, n) != 0 || line[n] != '=')
            continue;
        char *v = line + n + 1;
        size_t len = strlen(v);
        if (len >= 2 && *v == '"')
            return mem_strn(v + 1, len - 2);
        return mem_str(v);
    }
    return mem_str("");
}

static int count_image(void *arg, const struct image *img)
{
    (void)img;
    ++*(int64_t *)arg;
    return 0;
}

static void write_counts(struct jw *w, const struct api *a)
{
    struct runtime *rt = a->o.runtime;
    int64_t images = 0;
    size_t running = rt ? runtime_count(rt, CONTAINER_RUNNING) : 0,
           paused = rt ? runtime_count(rt, CONTAINER_PAUSED) : 0;
    size_t stopped = rt ? runtime_count(rt, CONTAINER_CREATED) +
                              runtime_count(rt, CONTAINER_EXITED) +
                              runtime_count(rt, CONTAINER_DEAD)
                        : 0;
    if (a->o.images)
        image_each(a->o.images, count_image, &images);
    jw_uint(w, "Containers", running + paused + stopped);
    jw_uint(w, "ContainersRunning", running);
    jw_uint(w, "ContainersPaused", paused);
    jw_uint(w, "ContainersStopped", stopped);
    jw_int(w, "Images", images);
}

/* What the kernel lets containers be limited by: the files of either layout of control groups. */
static bool has_limit(const char *v1, const char *controller)
{
    AUTO_BUF struct buf b = BUF_INIT(4096);
    AUTO_FREE char *path = mem_printf("/sys/fs/cgroup/%s", v1);
    if (access(path, F_OK) == 0)
        return true;
    return *controller && buf_read_file(&b, "/sys/fs/cgroup/cgroup.controllers", NULL) >= 0 &&
           b.p && strstr(b.p, controller);
}

static bool is_one(const char *path)
{
    AUTO_BUF struct buf b = BUF_INIT(64);
    return buf_read_file(&b, path, NULL) >= 0 && b.p && *b.p == '1';
}

static void write_flags(struct jw *w, const struct api *a)
{
    static const struct {
        const char *key, *v1, *controller;
    } limits[] = {{"MemoryLimit", "memory/memory.limit_in_bytes", "memory"},
                  {"SwapLimit", "memory/memory.memsw.limit_in_bytes", "memory"},
                  {"KernelMemory", "memory/memory.kmem.limit_in_bytes", ""},
                  {"KernelMemoryTCP", "memory/memory.kmem.tcp.limit_in_bytes", ""},
                  {"CpuCfsPeriod", "cpu/cpu.cfs_period_us", "cpu"},
                  {"CpuCfsQuota", "cpu/cpu.cfs_quota_us", "cpu"},
                  {"CPUShares", "cpu/cpu.shares", "cpu"},
                  {"CPUSet", "cpuset/cpuset.cpus", "cpuset"},
                  {"PidsLimit", "pids/cgroup.procs", "pids"}};
    for (size_t i = 0; i < sizeof(limits) / sizeof(*limits); i++)
        jw_bool(w, limits[i].key, has_limit(limits[i].v1, limits[i].controller));
    jw_bool(w, "IPv4Forwarding", is_one("/proc/sys/net/ipv4/ip_forward"));
    jw_bool(w, "BridgeNfIptables", is_one("/proc/sys/net/bridge/bridge-nf-call-iptables"));
    jw_bool(w, "BridgeNfIp6tables", is_one("/proc/sys/net/bridge/bridge-nf-call-ip6tables"));
    jw_bool(w, "Debug", a->o.debug);
    jw_int(w, "NFd", -1);
    jw_bool(w, "OomKillDisable", has_limit("memory/memory.oom_control", ""));
    jw_int(w, "NGoroutines", 1);
}

static void write_machine(struct jw *w, const struct api *a)
{
    struct utsname u;
    struct sysinfo si;
    AUTO_FREE char *pretty = os_release("PRETTY_NAME"), *version = os_release("VERSION_ID");
    bool unified = access("/sys/fs/cgroup/cgroup.controllers", F_OK) == 0;
    uname(&u);
    sysinfo(&si);
    jw_time(w, "SystemTime", clock_wall_ns());
    jw_str(w, "LoggingDriver", "json-file");
    jw_str(w, "CgroupDriver", "cgroupfs");
    jw_str(w, "CgroupVersion", unified ? "2" : "1");
    jw_uint(w, "NEventsListener", api_events_listeners(a->events));
    jw_str(w, "KernelVersion", u.release);
    jw_str(w, "OperatingSystem", str_or(pretty, "Linux"));
    jw_str(w, "OSVersion", version);
    jw_str(w, "OSType", "linux");
    jw_str(w, "Architecture", u.machine);
    jw_str(w, "IndexServerAddress", "https://index.docker.io/v1/");
    jw_raw(
        w, "RegistryConfig",
        "{\"AllowNondistributableArtifactsCIDRs\":[],\"AllowNondistributableArtifactsHostnames\":[]"
        ",\"InsecureRegistryCIDRs\":[\"127.0.0.0/8\"],"
        "\"IndexConfigs\":{\"docker.io\":{\"Name\":\"docker.io\",\"Mirrors\":[],\"Secure\":true,"
        "\"Official\":true}},\"Mirrors\":[]}");
    jw_int(w, "NCPU", sysconf(_SC_NPROCESSORS_ONLN));
    jw_uint(w, "MemTotal", (uint64_t)si.totalram * si.mem_unit);
    jw_null(w, "GenericResources");
    jw_str(w, "DockerRootDir", a->data_root);
    jw_str(w, "HttpProxy", "");
    jw_str(w, "HttpsProxy", "");
    jw_str(w, "NoProxy", "");
    jw_str(w, "Name", u.nodename);
    jw_raw(w, "Labels", "[]");
    jw_bool(w, "ExperimentalBuild", false);
    jw_str(w, "ServerVersion", KEEP_VERSION);
}

static void write_runtime(struct jw *w, const struct api *a)
{
    static const char *const known[] = {"crun", "runc"};
    const char *used = a->o.runtime ? runtime_name(a->o.runtime) : "crun";
    char path[256];
    jw_object(w, "Runtimes");
    for (size_t i = 0; i < 2; i++) {
        if (strcmp(known[i], used) != 0 && child_find(known[i], path, sizeof(path)) != 0)
            continue;
        jw_object(w, known[i]);
        jw_str(w, "path", known[i]);
        jw_end_object(w);
    }
    jw_end_object(w);
    jw_str(w, "DefaultRuntime", used);
}

/* ---- the swarm ---- */

static const char *state_word(enum api_node_state s)
{
    static const char *const words[] = {"inactive", "pending", "active", "error", "locked"};
    return words[s];
}

static void write_swarm(struct jw *w, const struct api_node *n, const struct info *i)
{
    jw_object(w, "Swarm");
    jw_str(w, "NodeID", n->node_id);
    jw_str(w, "NodeAddr", n->node_addr);
    jw_str(w, "LocalNodeState", state_word(n->state));
    jw_bool(w, "ControlAvailable", n->state == API_NODE_ACTIVE && n->manager && !*i->error);
    jw_str(w, "Error", *i->error ? i->error : n->error);
    if (n->nremotes > 0) {
        jw_array(w, "RemoteManagers");
        for (size_t k = 0; k < n->nremotes; k++) {
            jw_object(w, NULL);
            jw_str(w, "NodeID", n->remotes[k].node_id);
            jw_str(w, "Addr", n->remotes[k].addr);
            jw_end_object(w);
        }
        jw_end_array(w);
    } else {
        jw_null(w, "RemoteManagers");
    }
    if (i->counted) {
        jw_uint(w, "Nodes", i->nodes);
        jw_uint(w, "Managers", i->managers);
    }
    if (i->cluster)
        encode_cluster(w, "Cluster", i->cluster, false);
    jw_end_object(w);
}

static bool autolock_is_off(const struct info *i)
{
    const Pb__ClusterSpec *s = i->cluster ? i->cluster->spec : NULL;
    return i->cluster && !(s && s->encryption_config && s->encryption_config->auto_lock_managers);
}

static void write_end(struct jw *w, const struct info *i)
{
    jw_bool(w, "LiveRestoreEnabled", true); /* containers outlive the daemon */
    jw_str(w, "Isolation", "");
    jw_str(w, "InitBinary", "");
    jw_raw(w, "ContainerdCommit", "{\"ID\":\"\",\"Expected\":\"\"}");
    jw_raw(w, "RuncCommit", "{\"ID\":\"\",\"Expected\":\"\"}");
    jw_raw(w, "InitCommit", "{\"ID\":\"\",\"Expected\":\"\"}");
    jw_array(w, "SecurityOptions");
    jw_str(w, NULL, "name=seccomp,profile=builtin");
    if (autolock_is_off(i))
        jw_str(w, NULL, UNLOCKED_OPTION);
    jw_end_array(w);
    jw_null(w, "Warnings");
}

static void reply_info(struct api_call *c)
{
    const struct api *a = c->api;
    struct api_node n = {.state = API_NODE_INACTIVE};
    struct buf b = API_OUT();
    struct jw w = JW_INIT(&b);
    if (a->o.node.get)
        a->o.node.get(a->o.node.arg, &n);
    jw_object(&w, NULL);
    jw_str(&w, "ID", a->engine_id);
    write_counts(&w, a);
    jw_str(&w, "Driver", "overlay2");
    jw_raw(&w, "DriverStatus",
           "[[\"Supports d_type\",\"true\"],[\"Native Overlay "
           "Diff\",\"true\"],[\"userxattr\",\"false\"]]");
    jw_raw(&w, "Plugins",
           "{\"Volume\":[],\"Network\":[\"bridge\",\"host\",\"null\"],\"Authorization\":null,"
           "\"Log\":[\"json-file\",\"none\"]}");
    write_flags(&w, a);
    write_machine(&w, a);
    write_runtime(&w, a);
    write_swarm(&w, &n, c->state);
    write_end(&w, c->state);
    jw_end_object(&w);
    api_reply_json(c, 200, &b);
}

static void note_failure(struct info *i, const struct rpc_status *st)
{
    snprintf(i->error, sizeof(i->error), "rpc error: code = %s desc = %.900s",
             rpc_code_name(st->code), st->message);
}

static void on_status(struct api_call *c, const struct rpc_status *st, ProtobufCMessage *response)
{
    struct info *i = c->state;
    const Keep__StatusResponse *r = (const void *)response;
    if (st->code == RPC_OK) {
        i->nodes = r->nodes;
        i->managers = r->managers;
        i->counted = true;
    } else {
        note_failure(i, st);
    }
    reply_info(c);
}

static void on_cluster(struct api_call *c, const struct rpc_status *st, ProtobufCMessage *response)
{
    struct info *i = c->state;
    const Pb__ListClustersResponse *r = (const void *)response;
    Keep__StatusRequest rq = KEEP__STATUS_REQUEST__INIT;
    if (st->code != RPC_OK) {
        note_failure(i, st);
        reply_info(c);
        return;
    }
    if (r->n_clusters > 0)
        i->cluster = pb_dup(r->clusters[0]); /* the response goes when this function returns */
    api_rpc_any(c, &rpc_method_manager_status, &rq, on_status);
}

static void info_ready(struct api_call *c)
{
    struct api_node n = {.state = API_NODE_INACTIVE};
    Pb__ListClustersRequest rq = PB__LIST_CLUSTERS_REQUEST__INIT;
    struct api *a = c->api;
    c->state = NEW(struct info);
    c->free_state = free_info;
    if (a->o.node.get)
        a->o.node.get(a->o.node.arg, &n);
    if (n.state == API_NODE_ACTIVE && n.manager && a->o.manager)
        api_rpc_any(c, &rpc_method_control_list_clusters, &rq, on_cluster);
    else
        reply_info(c);
}

void api_info(struct api_call *c)
{
    api_take_none(c, info_ready);
}
