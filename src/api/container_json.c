/* api/container_json.c - see container_json.h. Members and their order are those of recorded
 * answers. */
#include "api/container_json.h"

#include <string.h>

#include "base/clock.h"
#include "base/mem.h"
#include "base/str.h"

enum { COMMAND_TEXT_MAX = 64 << 10, LOWER_TEXT_MAX = 1 << 20, SHM_SIZE = 64 << 20 };

void human_duration(int64_t ns, struct buf *out)
{
    int64_t s = ns / NS_PER_SEC, m = s / 60, h = (s + 1800) / 3600;
    if (s < 1)
        buf_str(out, "Less than a second");
    else if (s == 1)
        buf_str(out, "1 second");
    else if (s < 60)
        buf_printf(out, "%lld seconds", (long long)s);
    else if (m == 1)
        buf_str(out, "About a minute");
    else if (m < 60)
        buf_printf(out, "%lld minutes", (long long)m);
    else if (h == 1)
        buf_str(out, "About an hour");
    else if (h < 48)
        buf_printf(out, "%lld hours", (long long)h);
    else if (h < 24 * 14)
        buf_printf(out, "%lld days", (long long)(h / 24));
    else if (h < 24 * 60)
        buf_printf(out, "%lld weeks", (long long)(h / 24 / 7));
    else if (h < 24 * 365 * 2)
        buf_printf(out, "%lld months", (long long)(h / 24 / 30));
    else
        buf_printf(out, "%lld years", (long long)(s / 3600 / 24 / 365));
}

void container_status_text(const struct container *c, int64_t now_ns, struct buf *out)
{
    switch (c->state) {
    case CONTAINER_RUNNING:
    case CONTAINER_PAUSED:
        buf_str(out, "Up ");
        human_duration(now_ns - c->started_ns, out);
        if (c->state == CONTAINER_PAUSED)
            buf_str(out, " (Paused)");
        return;
    case CONTAINER_EXITED:
        buf_printf(out, "Exited (%d) ", c->exit_code);
        human_duration(now_ns - c->finished_ns, out);
        buf_str(out, " ago");
        return;
    case CONTAINER_REMOVING:
        buf_str(out, "Removal In Progress");
        return;
    case CONTAINER_DEAD:
        buf_str(out, "Dead");
        return;
    case CONTAINER_CREATED:
        buf_str(out, "Created");
        return;
    }
}

static void labels(struct jw *w, const char *key, char *const *v)
{
    jw_object(w, key);
    for (; v && *v; v++) {
        const char *eq = strchr(*v, '=');
        AUTO_FREE char *name = eq ? mem_strn(*v, (size_t)(eq - *v)) : mem_str(*v);
        jw_str(w, name, eq ? eq + 1 : "");
    }
    jw_end_object(w);
}

/* The command as a person would type it: an argument with a blank is put between quotes. */
static void command_text(struct jw *w, const struct container *c)
{
    AUTO_BUF struct buf b = BUF_INIT(COMMAND_TEXT_MAX);
    buf_str(&b, c->path ? c->path : "");
    for (const char *const *a = c->args; a && *a; a++)
        buf_printf(&b, strchr(*a, ' ') ? " '%s'" : " %s", *a);
    jw_str(w, "Command", b.p ? b.p : "");
}

static const char *network_name(const struct container *c)
{
    switch (c->config->network) {
    case NETWORK_HOST:
        return "host";
    case NETWORK_NONE:
        return "none";
    default:
        return "bridge";
    }
}

static void network(struct jw *w, const struct container *c)
{
    const struct network_endpoint *ep = c->endpoint;
    jw_object(w, "Networks");
    jw_object(w, network_name(c));
    jw_null(w, "IPAMConfig");
    jw_null(w, "Links");
    jw_null(w, "Aliases");
    jw_str(w, "NetworkID", ep ? ep->network_id : "");
    jw_str(w, "EndpointID", ep ? ep->endpoint_id : "");
    jw_str(w, "Gateway", ep ? ep->gateway : "");
    jw_str(w, "IPAddress", ep ? ep->ip : "");
    jw_uint(w, "IPPrefixLen", ep ? ep->prefix_len : 0);
    jw_str(w, "IPv6Gateway", "");
    jw_str(w, "GlobalIPv6Address", "");
    jw_int(w, "GlobalIPv6PrefixLen", 0);
    jw_str(w, "MacAddress", ep ? ep->mac : "");
    jw_null(w, "DriverOpts");
    jw_end_object(w);
    jw_end_object(w);
}

static const char *network_mode(const struct container *c)
{
    return c->config->network == NETWORK_BRIDGE ? "default" : network_name(c);
}

static void mounts(struct jw *w, const struct container *c)
{
    jw_array(w, "Mounts");
    for (size_t i = 0; i < c->config->nmounts; i++) {
        const struct mount_spec *m = &c->config->mounts[i];
        jw_object(w, NULL);
        jw_str(w, "Type", m->type == MOUNT_BIND ? "bind" : "tmpfs");
        jw_str(w, "Source", m->type == MOUNT_BIND ? m->source : "");
        jw_str(w, "Destination", m->target);
        jw_str(w, "Mode", "");
        jw_bool(w, "RW", !m->readonly);
        jw_str(w, "Propagation", m->type == MOUNT_BIND ? str_or(m->propagation, "rprivate") : "");
        jw_end_object(w);
    }
    jw_end_array(w);
}

void container_json_list_entry(struct jw *w, const struct container *c, int64_t now_ns)
{
    AUTO_BUF struct buf status = BUF_INIT(256);
    AUTO_FREE char *name = mem_printf("/%s", c->config->name);
    container_status_text(c, now_ns, &status);
    jw_object(w, NULL);
    jw_str(w, "Id", c->id);
    jw_strv(w, "Names", (const char *const[]){name, NULL});
    jw_str(w, "Image", c->config->image);
    jw_str(w, "ImageID", c->image_id);
    command_text(w, c);
    jw_int(w, "Created", c->created_ns / NS_PER_SEC);
    jw_array(w, "Ports");
    jw_end_array(w);
    labels(w, "Labels", c->config->labels);
    jw_str(w, "State", container_state_name(c->state));
    jw_str(w, "Status", status.p);
    jw_object(w, "HostConfig");
    jw_str(w, "NetworkMode", network_mode(c));
    jw_end_object(w);
    jw_object(w, "NetworkSettings");
    network(w, c);
    jw_end_object(w);
    mounts(w, c);
    jw_end_object(w);
}

/* ---- inspection ---- */

static void state(struct jw *w, const struct container *c)
{
    jw_object(w, "State");
    jw_str(w, "Status", container_state_name(c->state));
    jw_bool(w, "Running", c->state == CONTAINER_RUNNING || c->state == CONTAINER_PAUSED);
    jw_bool(w, "Paused", c->state == CONTAINER_PAUSED);
    jw_bool(w, "Restarting", c->restarting);
    jw_bool(w, "OOMKilled", c->oom_killed);
    jw_bool(w, "Dead", c->state == CONTAINER_DEAD);
    jw_int(w, "Pid", c->pid);
    jw_int(w, "ExitCode", c->exit_code);
    jw_str(w, "Error", str_or(c->error, ""));
    jw_time(w, "StartedAt", c->started_ns);
    jw_time(w, "FinishedAt", c->finished_ns);
    jw_end_object(w);
}

static void limits(struct jw *w, const struct container_config *f)
{
    static const char *const unset[] = {
        "BlkioWeightDevice",   "BlkioDeviceReadBps",   "BlkioDeviceWriteBps",
        "BlkioDeviceReadIOps", "BlkioDeviceWriteIOps", "Devices",
        "DeviceCgroupRules",   "DeviceRequests",       "MemorySwappiness"};
    static const char *const zero[] = {"CpuShares",     "BlkioWeight",       "CpuPeriod",
                                       "CpuQuota",      "CpuRealtimePeriod", "CpuRealtimeRuntime",
                                       "KernelMemory",  "KernelMemoryTCP",   "MemoryReservation",
                                       "MemorySwap",    "CpuCount",          "CpuPercent",
                                       "IOMaximumIOps", "IOMaximumBandwidth"};
    jw_int(w, "Memory", f->memory);
    jw_int(w, "NanoCpus", f->nano_cpus);
    jw_str(w, "CgroupParent", "");
    jw_str(w, "CpusetCpus", "");
    jw_str(w, "CpusetMems", "");
    jw_bool(w, "OomKillDisable", false);
    for (size_t i = 0; i < sizeof(unset) / sizeof(*unset); i++)
        jw_null(w, unset[i]);
    for (size_t i = 0; i < sizeof(zero) / sizeof(*zero); i++)
        jw_int(w, zero[i], 0);
    if (f->pids_limit)
        jw_int(w, "PidsLimit", f->pids_limit);
    else
        jw_null(w, "PidsLimit");
    jw_array(w, "Ulimits");
    for (char **u = f->ulimits; u && *u; u++) {
        char name[64];
        long long soft = 0, hard = 0;
        if (sscanf(*u, "%63[^=]=%lld:%lld", name, &soft, &hard) != 3)
            continue;
        jw_object(w, NULL);
        jw_str(w, "Name", name);
        jw_int(w, "Hard", hard);
        jw_int(w, "Soft", soft);
        jw_end_object(w);
    }
    jw_end_array(w);
}

#define V(v) ((const char *const *)(v))

static void host_config(struct jw *w, const struct container *c, const char *runtime_name)
{
    const struct container_config *f = c->config;
    jw_object(w, "HostConfig");
    jw_null(w, "Binds");
    jw_str(w, "ContainerIDFile", "");
    jw_object(w, "LogConfig");
    jw_str(w, "Type", str_or(f->log_driver, "json-file"));
    jw_object(w, "Config");
    jw_end_object(w);
    jw_end_object(w);
    jw_str(w, "NetworkMode", network_mode(c));
    jw_object(w, "PortBindings");
    jw_end_object(w);
    jw_object(w, "RestartPolicy");
    jw_str(w, "Name", "");
    jw_int(w, "MaximumRetryCount", 0);
    jw_end_object(w);
    jw_bool(w, "AutoRemove", f->auto_remove);
    jw_str(w, "VolumeDriver", "");
    jw_null(w, "VolumesFrom");
    jw_strv(w, "CapAdd", V(f->cap_add));
    jw_strv(w, "CapDrop", V(f->cap_drop));
    jw_strv(w, "Dns", V(f->dns));
    jw_strv(w, "DnsOptions", V(f->dns_options));
    jw_strv(w, "DnsSearch", V(f->dns_search));
    jw_strv(w, "ExtraHosts", V(f->hosts));
    jw_strv(w, "GroupAdd", V(f->groups));
    jw_str(w, "CgroupnsMode", "private");
    jw_str(w, "IpcMode", "private");
    jw_str(w, "Cgroup", "");
    jw_null(w, "Links");
    jw_int(w, "OomScoreAdj", f->oom_score_adj);
    jw_str(w, "PidMode", "");
    jw_bool(w, "Privileged", f->privileged);
    jw_bool(w, "PublishAllPorts", false);
    jw_bool(w, "ReadonlyRootfs", f->read_only);
    if (f->no_new_privileges)
        jw_strv(w, "SecurityOpt", (const char *const[]){"no-new-privileges", NULL});
    else
        jw_null(w, "SecurityOpt");
    jw_str(w, "UTSMode", "");
    jw_str(w, "UsernsMode", "");
    jw_int(w, "ShmSize", SHM_SIZE);
    jw_str(w, "Runtime", runtime_name);
    jw_str(w, "Isolation", f->service_task ? "default" : "");
    limits(w, f);
    jw_array(w, "ConsoleSize");
    jw_uint(w, NULL, 0);
    jw_uint(w, NULL, 0);
    jw_end_array(w);
    jw_strv(w, "MaskedPaths", runtime_masked_paths);
    jw_strv(w, "ReadonlyPaths", runtime_readonly_paths);
    jw_bool(w, "Init", f->init);
    jw_end_object(w);
}

static void config(struct jw *w, const struct container *c)
{
    const struct container_config *f = c->config;
    char short_id[13];
    str_copy(short_id, sizeof(short_id), c->id);
    jw_object(w, "Config");
    jw_str(w, "Hostname", str_or(f->hostname, short_id));
    jw_str(w, "Domainname", str_or(f->domainname, ""));
    jw_str(w, "User", str_or(f->user, ""));
    jw_bool(w, "AttachStdin", f->attach_stdin);
    jw_bool(w, "AttachStdout", f->attach_stdout);
    jw_bool(w, "AttachStderr", f->attach_stderr);
    jw_bool(w, "Tty", f->tty);
    jw_bool(w, "OpenStdin", f->open_stdin);
    jw_bool(w, "StdinOnce", f->stdin_once);
    jw_strv(w, "Env", V(f->env));
    jw_strv(w, "Cmd", V(f->cmd));
    jw_str(w, "Image", f->image);
    jw_null(w, "Volumes");
    jw_str(w, "WorkingDir", str_or(f->workdir, ""));
    jw_strv(w, "Entrypoint", V(f->entrypoint));
    jw_null(w, "OnBuild");
    labels(w, "Labels", f->labels);
    jw_str_opt(w, "StopSignal", f->stop_signal);
    jw_end_object(w);
}

static void network_settings(struct jw *w, const struct container *c)
{
    const struct network_endpoint *ep = c->endpoint;
    jw_object(w, "NetworkSettings");
    jw_str(w, "Bridge", "");
    jw_str(w, "SandboxID", ep ? ep->endpoint_id : "");
    jw_bool(w, "HairpinMode", false);
    jw_str(w, "LinkLocalIPv6Address", "");
    jw_int(w, "LinkLocalIPv6PrefixLen", 0);
    jw_null(w, "SecondaryIPAddresses");
    jw_null(w, "SecondaryIPv6Addresses");
    jw_str(w, "GlobalIPv6Address", "");
    jw_int(w, "GlobalIPv6PrefixLen", 0);
    jw_str(w, "IPv6Gateway", "");
    jw_object(w, "Ports");
    jw_end_object(w);
    jw_str(w, "SandboxKey", ep ? ep->netns_path : "");
    jw_str(w, "EndpointID", ep ? ep->endpoint_id : "");
    jw_str(w, "Gateway", ep ? ep->gateway : "");
    jw_str(w, "IPAddress", ep ? ep->ip : "");
    jw_uint(w, "IPPrefixLen", ep ? ep->prefix_len : 0);
    jw_str(w, "MacAddress", ep ? ep->mac : "");
    network(w, c);
    jw_end_object(w);
}

static void graph_driver(struct jw *w, const struct container *c)
{
    AUTO_BUF struct buf lower = BUF_INIT(LOWER_TEXT_MAX);
    buf_str(&lower, str_or(c->init_layer, ""));
    for (size_t i = strv_len(c->layers); i-- > 0;)
        buf_printf(&lower, "%s%s", lower.len ? ":" : "", c->layers[i]);
    jw_object(w, "GraphDriver");
    jw_object(w, "Data");
    jw_str(w, "LowerDir", str_or(lower.p, ""));
    jw_str(w, "WorkDir", str_or(c->work_path, ""));
    jw_str(w, "MergedDir", str_or(c->rootfs_path, ""));
    jw_str(w, "UpperDir", str_or(c->upper_path, ""));
    jw_end_object(w);
    jw_str(w, "Name", "overlay2");
    jw_end_object(w);
}

void container_json_inspect(struct jw *w, const struct container *c, const char *runtime_name)
{
    AUTO_FREE char *name = mem_printf("/%s", c->config->name);
    jw_object(w, NULL);
    jw_str(w, "Id", c->id);
    jw_time(w, "Created", c->created_ns);
    jw_str(w, "Path", c->path);
    if (c->args)
        jw_strv(w, "Args", c->args);
    else
        jw_strv(w, "Args", (const char *const[]){NULL});
    state(w, c);
    jw_str(w, "Image", c->image_id);
    jw_str(w, "ResolvConfPath", "");
    jw_str(w, "HostnamePath", "");
    jw_str(w, "HostsPath", "");
    jw_str(w, "LogPath", str_or(c->log_path, ""));
    jw_str(w, "Name", name);
    jw_uint(w, "RestartCount", c->restart_count);
    jw_str(w, "Driver", "overlay2");
    jw_str(w, "Platform", "linux");
    jw_str(w, "MountLabel", "");
    jw_str(w, "ProcessLabel", "");
    jw_str(w, "AppArmorProfile", "");
    jw_null(w, "ExecIDs");
    host_config(w, c, runtime_name);
    graph_driver(w, c);
    mounts(w, c);
    config(w, c);
    network_settings(w, c);
    jw_end_object(w);
}
