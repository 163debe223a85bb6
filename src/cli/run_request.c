/* cli/run_request.c - what `run` and `create` ask the engine for. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include "base/mem.h"
#include "base/str.h"
#include "cli/api.h"
#include "cli/commands.h"
#include "cli/js.h"
#include "cli/opts.h"
#include "cli/run_impl.h"
#include "cli/service_spec.h"
#include "cli/term.h"

static void set_list(struct cli *c, const char *flag, json_t *o, const char *key)
{
    if (*flag_list(c, flag))
        json_object_set_new(o, key, js_strings(flag_list(c, flag)));
}

static void set_bool(struct cli *c, const char *flag, json_t *o, const char *key)
{
    json_object_set_new(o, key, json_boolean(flag_bool(c, flag)));
}

/* "80", "8080:80/udp", "127.0.0.1::80", "1000-1002:2000-2002" */
static int add_port(struct cli *c, const char *flag, json_t *exposed, json_t *bindings)
{
    const char *slash = strchr(flag, '/');
    AUTO_FREE char *s = mem_strn(flag, slash ? (size_t)(slash - flag) : strlen(flag));
    const char *proto = slash ? slash + 1 : "tcp", *ip = "", *host = "";
    char *last = strrchr(s, ':');
    char *container = last ? last + 1 : s;
    uint64_t c1, c2, h1 = 0, h2 = 0;
    if (last) {
        *last = 0;
        char *before = strrchr(s, ':');
        host = before ? before + 1 : s;
        if (before) {
            *before = 0;
            ip = s;
        }
    }
    char *dash = strchr(container, '-');
    AUTO_FREE char *first =
        mem_strn(container, dash ? (size_t)(dash - container) : strlen(container));
    AUTO_FREE char *hfirst = mem_strn(host, strcspn(host, "-"));
    const char *hsecond = host[strlen(hfirst)] ? host + strlen(hfirst) + 1 : hfirst;
    if (str_to_u64(first, 65535, &c1) || str_to_u64(dash ? dash + 1 : first, 65535, &c2) || c2 < c1)
        return err_set(&c->err, -EINVAL, "invalid containerPort: %s", container);
    if (*host && (str_to_u64(hfirst, 65535, &h1) || str_to_u64(hsecond, 65535, &h2) || h2 < h1))
        return err_set(&c->err, -EINVAL, "invalid hostPort: %s", host);
    if (*host && h2 - h1 != c2 - c1 && c1 != c2)
        return err_set(&c->err, -EINVAL,
                       "invalid ranges specified for container and host Ports: %s and %s",
                       container, host);
    for (uint64_t i = c1; i <= c2; i++) {
        AUTO_FREE char *key = mem_printf("%llu/%s", (unsigned long long)i, proto);
        AUTO_FREE char *port = !*host ? mem_str("")
                               : c1 == c2 && h1 != h2
                                   ? mem_str(host)
                                   : mem_printf("%llu", (unsigned long long)(h1 + i - c1));
        json_object_set_new(exposed, key, js_own(json_object()));
        json_array_append_new(js_list(bindings, key),
                              js_own(json_pack("{s:s,s:s}", "HostIp", ip, "HostPort", port)));
    }
    return 0;
}

static int set_ports(struct cli *c, json_t *q, json_t *host)
{
    json_t *exposed = js_sub(q, "ExposedPorts"), *bindings = js_sub(host, "PortBindings");
    for (const char *const *p = flag_list(c, "publish"); *p; p++) {
        int r = add_port(c, *p, exposed, bindings);
        if (r)
            return r;
    }
    for (const char *const *p = flag_list(c, "expose"); *p; p++) {
        AUTO_FREE char *key = strchr(*p, '/') ? mem_str(*p) : mem_printf("%s/tcp", *p);
        json_object_set_new(exposed, key, js_own(json_object()));
    }
    if (!json_object_size(exposed))
        json_object_del(q, "ExposedPorts");
    return 0;
}

static int set_mounts(struct cli *c, json_t *q, json_t *host)
{
    json_t *volumes = js_sub(q, "Volumes");
    for (const char *const *v = flag_list(c, "volume"); *v; v++) {
        if (strchr(*v, ':'))
            js_push_str(js_list(host, "Binds"), *v);
        else
            json_object_set_new(volumes, *v, js_own(json_object()));
    }
    for (const char *const *m = flag_list(c, "mount"); *m; m++) {
        json_t *one;
        int r = parse_mount(*m, &one, &c->err);
        if (r)
            return r;
        json_array_append_new(js_list(host, "Mounts"), one);
    }
    for (const char *const *t = flag_list(c, "tmpfs"); *t; t++) {
        size_t n = strcspn(*t, ":");
        AUTO_FREE char *path = mem_strn(*t, n);
        js_set_str(js_sub(host, "Tmpfs"), path, (*t)[n] ? *t + n + 1 : "");
    }
    for (const char *const *u = flag_list(c, "ulimit"); *u; u++) {
        json_t *one;
        int r = parse_ulimit(*u, &one, &c->err);
        if (r)
            return r;
        json_array_append_new(js_list(host, "Ulimits"), one);
    }
    return 0;
}

static int set_restart(struct cli *c, json_t *host)
{
    const char *word = str_or(flag_str(c, "restart"), "no");
    size_t n = strcspn(word, ":");
    uint64_t tries = 0;
    AUTO_FREE char *name = mem_strn(word, n);
    if (word[n] && str_to_u64(word + n + 1, INT32_MAX, &tries))
        return err_set(&c->err, -EINVAL,
                       "invalid restart policy format: maximum retry count must be an integer");
    json_object_set_new(
        host, "RestartPolicy",
        js_own(json_pack("{s:s,s:I}", "Name", name, "MaximumRetryCount", (json_int_t)tries)));
    if (flag_bool(c, "rm") && !str_eq(name, "no"))
        return err_set(&c->err, -EINVAL,
                       "conflicting options: cannot specify both --restart and --rm");
    return 0;
}

static void set_resources(struct cli *c, json_t *host)
{
    if (flag_set(c, "memory"))
        spec_int(host, "Memory", flag_bytes(c, "memory"));
    if (flag_set(c, "memory-reservation"))
        spec_int(host, "MemoryReservation", flag_bytes(c, "memory-reservation"));
    if (flag_set(c, "cpus"))
        spec_int(host, "NanoCpus", flag_cpus(c, "cpus"));
    if (flag_set(c, "cpu-shares"))
        spec_int(host, "CpuShares", flag_int(c, "cpu-shares", 0));
    if (flag_set(c, "cpuset-cpus"))
        js_set_str(host, "CpusetCpus", flag_str(c, "cpuset-cpus"));
    if (flag_set(c, "pids-limit"))
        spec_int(host, "PidsLimit", flag_int(c, "pids-limit", 0));
    if (flag_set(c, "shm-size"))
        spec_int(host, "ShmSize", flag_bytes(c, "shm-size"));
    if (flag_set(c, "oom-score-adj"))
        spec_int(host, "OomScoreAdj", flag_int(c, "oom-score-adj", 0));
}

static void set_network(struct cli *c, json_t *q, json_t *host)
{
    const char *const *n = flag_list(c, "network");
    AUTO_JSON json_t *net = NULL;
    if (*n && parse_network_opt(*n, &net, NULL))
        return; /* refused by the engine with the name as it is */
    const char *name = net ? js_str(net, "Target") : "default";
    js_set_str(host, "NetworkMode", name);
    json_t *end = js_sub(js_sub(js_sub(q, "NetworkingConfig"), "EndpointsConfig"), name);
    if (json_object_get(net, "Aliases"))
        json_object_set(end, "Aliases", json_object_get(net, "Aliases"));
    if (*flag_list(c, "network-alias"))
        json_object_set_new(end, "Aliases", js_strings(flag_list(c, "network-alias")));
    if (!str_empty(flag_str(c, "ip")))
        js_set_str(js_sub(end, "IPAMConfig"), "IPv4Address", flag_str(c, "ip"));
}

static void set_host_words(struct cli *c, json_t *host)
{
    static const char *const words[][2] = {
        {"ipc", "IpcMode"}, {"pid", "PidMode"},     {"userns", "UsernsMode"},
        {"uts", "UTSMode"}, {"runtime", "Runtime"}, {"cgroup-parent", "CgroupParent"}};
    static const char *const lists[][2] = {{"cap-add", "CapAdd"},
                                           {"cap-drop", "CapDrop"},
                                           {"dns", "Dns"},
                                           {"dns-option", "DnsOptions"},
                                           {"dns-search", "DnsSearch"},
                                           {"add-host", "ExtraHosts"},
                                           {"group-add", "GroupAdd"},
                                           {"security-opt", "SecurityOpt"},
                                           {"volumes-from", "VolumesFrom"},
                                           {"link", "Links"}};
    for (size_t i = 0; i < sizeof words / sizeof *words; i++)
        if (flag_set(c, words[i][0]))
            js_set_str(host, words[i][1], flag_str(c, words[i][0]));
    for (size_t i = 0; i < sizeof lists / sizeof *lists; i++)
        set_list(c, lists[i][0], host, lists[i][1]);
    set_bool(c, "rm", host, "AutoRemove");
    set_bool(c, "privileged", host, "Privileged");
    set_bool(c, "publish-all", host, "PublishAllPorts");
    set_bool(c, "read-only", host, "ReadonlyRootfs");
    if (flag_set(c, "init"))
        set_bool(c, "init", host, "Init");
    if (*flag_list(c, "sysctl"))
        json_object_set_new(host, "Sysctls", labels_object(flag_list(c, "sysctl")));
    static const char *const empty[] = {"Dns",
                                        "DnsOptions",
                                        "DnsSearch",
                                        "Devices",
                                        "BlkioWeightDevice",
                                        "BlkioDeviceReadBps",
                                        "BlkioDeviceWriteBps",
                                        "BlkioDeviceReadIOps",
                                        "BlkioDeviceWriteIOps",
                                        "Ulimits"};
    for (size_t i = 0; i < sizeof empty / sizeof *empty; i++)
        js_list(host, empty[i]);
    json_t *log = js_sub(host, "LogConfig");
    js_set_str(log, "Type", flag_str(c, "log-driver"));
    json_object_set_new(log, "Config", labels_object(flag_list(c, "log-opt")));
    for (const char *const *d = flag_list(c, "device"); *d; d++) {
        AUTO_FREE char *from = mem_strn(*d, strcspn(*d, ":"));
        const char *rest = (*d)[strlen(from)] ? *d + strlen(from) + 1 : from;
        AUTO_FREE char *to = mem_strn(rest, strcspn(rest, ":"));
        const char *rights = rest[strlen(to)] ? rest + strlen(to) + 1 : "rwm";
        json_array_append_new(
            js_list(host, "Devices"),
            js_own(json_pack("{s:s,s:s,s:s}", "PathOnHost", from, "PathInContainer", to,
                             "CgroupPermissions", rights)));
    }
}

static int set_config(struct cli *c, json_t *q, bool attach)
{
    json_t *env = NULL;
    bool in = flag_bool(c, "interactive");
    int r = env_from_files(flag_list(c, "env-file"), flag_list(c, "env"), &env, &c->err);
    if (r)
        return r;
    js_set_str(q, "Hostname", flag_str(c, "hostname"));
    js_set_str(q, "Domainname", flag_str(c, "domainname"));
    js_set_str(q, "User", flag_str(c, "user"));
    json_object_set_new(q, "AttachStdin", json_boolean(attach && in));
    json_object_set_new(q, "AttachStdout", json_boolean(attach));
    json_object_set_new(q, "AttachStderr", json_boolean(attach));
    set_bool(c, "tty", q, "Tty");
    set_bool(c, "interactive", q, "OpenStdin");
    json_object_set_new(q, "StdinOnce", json_boolean(attach && in));
    json_object_set_new(q, "Env", env);
    json_t *cmd = c->nargs > 1 ? js_list(q, "Cmd") : NULL;
    for (size_t i = 1; i < c->nargs; i++)
        js_push_str(cmd, c->args[i]);
    js_set_str(q, "Image", c->args[0]);
    js_set_str(q, "WorkingDir", flag_str(c, "workdir"));
    if (flag_set(c, "entrypoint"))
        js_push_str(js_list(q, "Entrypoint"), flag_str(c, "entrypoint"));
    json_object_set_new(q, "Labels", labels_object(flag_list(c, "label")));
    if (flag_set(c, "stop-signal"))
        js_set_str(q, "StopSignal", flag_str(c, "stop-signal"));
    if (flag_set(c, "stop-timeout"))
        spec_int(q, "StopTimeout", flag_int(c, "stop-timeout", 0));
    return spec_health(c, q);
}

int run_request(struct cli *c, bool attach, json_t **ret)
{
    AUTO_JSON json_t *q = js_own(json_object());
    unsigned rows, columns;
    int r = set_config(c, q, attach);
    json_t *host = js_sub(q, "HostConfig");
    if (r)
        return r;
    if (flag_bool(c, "tty") && term_size(1, &rows, &columns))
        json_object_set_new(host, "ConsoleSize",
                            js_own(json_pack("[i,i]", (int)rows, (int)columns)));
    set_host_words(c, host);
    set_resources(c, host);
    set_network(c, q, host);
    r = set_ports(c, q, host);
    if (!r)
        r = set_mounts(c, q, host);
    if (!r)
        r = set_restart(c, host);
    if (!r)
        *ret = TAKE(q);
    return r;
}

const struct flag run_flags[] = {
    {.name = "add-host",
     .type = "list",
     .help = "Lines for the hosts file (host:ip)",
     .check = check_host},
    {.name = "cap-add", .type = "list", .help = "Give Linux capabilities"},
    {.name = "cap-drop", .type = "list", .help = "Take Linux capabilities away"},
    {.name = "cgroup-parent", .type = "string", .help = "Control group to make the container's in"},
    {.name = "cidfile", .type = "string", .help = "Write the container's id to this file"},
    {.name = "cpu-shares",
     .letter = 'c',
     .type = "int",
     .help = "Share of the CPUs (relative weight)"},
    {.name = "cpus", .type = "decimal", .help = "How many CPUs"},
    {.name = "cpuset-cpus", .type = "string", .help = "Which CPUs (0-3, 0,1)"},
    {.name = "detach", .letter = 'd', .help = "Leave it running and print its id"},
    {.name = "detach-keys",
     .type = "string",
     .help = "Keys that leave the container running and return"},
    {.name = "device", .type = "list", .help = "Devices of the host"},
    {.name = "dns", .type = "list", .help = "DNS servers", .check = check_ip},
    {.name = "dns-option", .type = "list", .help = "DNS options"},
    {.name = "dns-search", .type = "list", .help = "DNS search domains"},
    {.name = "domainname", .type = "string", .help = "NIS domain"},
    {.name = "entrypoint", .type = "string", .help = "Run this instead of the image's ENTRYPOINT"},
    {.name = "env",
     .letter = 'e',
     .type = "list",
     .help = "Environment variables",
     .check = check_env},
    {.name = "env-file", .type = "list", .help = "Files of environment variables"},
    {.name = "expose", .type = "list", .help = "Ports that the container serves"},
    {.name = "group-add", .type = "list", .help = "More groups of the container's user"},
    FLAGS_HEALTH,
    {.name = "hostname", .letter = 'h', .type = "string", .help = "Host name inside the container"},
    {.name = "init", .help = "Run an init that passes signals on and reaps"},
    {.name = "interactive", .letter = 'i', .help = "Pass standard input on"},
    {.name = "ip", .type = "string", .help = "IPv4 address (e.g., 172.30.100.104)"},
    {.name = "ipc", .type = "string", .help = "Whose IPC namespace"},
    {.name = "label",
     .letter = 'l',
     .type = "list",
     .help = "Labels of the container",
     .check = check_label},
    {.name = "link", .type = "list", .help = "Another container to know by name"},
    {.name = "log-driver", .type = "string", .help = "Where the output goes"},
    {.name = "log-opt", .type = "list", .help = "Options of that log driver"},
    {.name = "memory", .letter = 'm', .type = "bytes", .help = "Most memory to use"},
    {.name = "memory-reservation",
     .type = "bytes",
     .help = "Memory to fall back to under pressure"},
    {.name = "mount", .type = "mount", .help = "File systems that the container gets"},
    {.name = "name", .type = "string", .help = "Name of the container"},
    {.name = "network", .type = "network", .help = "Network that the container is on"},
    {.name = "network-alias", .type = "list", .help = "More names on that network"},
    {.name = "no-healthcheck", .help = "Ignore the HEALTHCHECK of the image"},
    {.name = "oom-score-adj",
     .type = "int",
     .help = "Preference of the kernel's OOM killer (-1000 to 1000)"},
    {.name = "pid", .type = "string", .help = "Whose PID namespace"},
    {.name = "pids-limit", .type = "int", .help = "Most processes to have (-1 for unlimited)"},
    {.name = "platform", .type = "string", .help = "Platform of the image"},
    {.name = "privileged", .help = "Give the container all rights"},
    {.name = "publish", .letter = 'p', .type = "list", .help = "Ports to reach from outside"},
    {.name = "publish-all", .letter = 'P', .help = "Publish every port that is exposed"},
    {.name = "pull",
     .type = "string",
     .help = "When to fetch the image (\"always\", \"missing\", \"never\")",
     .def = "\"missing\""},
    {.name = "quiet", .letter = 'q', .help = "Show nothing of fetching the image"},
    {.name = "read-only", .help = "The container cannot write to its root file system"},
    {.name = "restart", .type = "string", .help = "When to start it again", .def = "\"no\""},
    {.name = "rm", .help = "Remove it and its volumes without a name when it has ended"},
    {.name = "runtime", .type = "string", .help = "Runtime to use"},
    {.name = "security-opt", .type = "list", .help = "Security options"},
    {.name = "shm-size", .type = "bytes", .help = "Size of /dev/shm"},
    {.name = "sig-proxy", .help = "Pass signals on to the process", .def = "true"},
    {.name = "stop-signal", .type = "string", .help = "Signal that asks the container to stop"},
    {.name = "stop-timeout", .type = "int", .help = "Seconds between that signal and the kill"},
    {.name = "sysctl", .type = "map", .help = "Kernel settings of the container", .def = "map[]"},
    {.name = "tmpfs", .type = "list", .help = "Directories in memory"},
    {.name = "tty", .letter = 't', .help = "Allocate a pseudo-TTY"},
    {.name = "ulimit", .type = "ulimit", .help = "Limits of the processes", .def = "[]"},
    {.name = "user",
     .letter = 'u',
     .type = "string",
     .help = "User name or id (format: <name|uid>[:<group|gid>])"},
    {.name = "userns", .type = "string", .help = "Whose user namespace"},
    {.name = "uts", .type = "string", .help = "Whose UTS namespace"},
    {.name = "volume",
     .letter = 'v',
     .type = "list",
     .help = "Volumes and directories of the host"},
    {.name = "volumes-from", .type = "list", .help = "Containers whose volumes to share"},
    {.name = "workdir",
     .letter = 'w',
     .type = "string",
     .help = "Working directory in the container"},
    FLAG_END,
};
