/* cli/cmd_service_create.c - `keep service create`. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include "base/mem.h"
#include "base/str.h"
#include "cli/api.h"
#include "cli/commands.h"
#include "cli/js.h"
#include "cli/opts.h"
#include "cli/registry.h"
#include "cli/service_impl.h"
#include "cli/service_spec.h"

static void set_list(struct cli *c, const char *flag, json_t *o, const char *key)
{
    if (*flag_list(c, flag))
        json_object_set_new(o, key, js_strings(flag_list(c, flag)));
}

static int set_dns_hosts(struct cli *c, json_t *container)
{
    json_t *dns = js_sub(container, "DNSConfig");
    set_list(c, "dns", dns, "Nameservers");
    set_list(c, "dns-search", dns, "Search");
    set_list(c, "dns-option", dns, "Options");
    for (const char *const *h = flag_list(c, "host"); *h; h++) {
        AUTO_FREE char *entry = host_entry(*h);
        js_push_str(js_list(container, "Hosts"), entry);
    }
    return 0;
}

static int set_command(struct cli *c, json_t *container)
{
    if (c->nargs > 1) {
        json_t *args = js_list(container, "Args");
        for (size_t i = 1; i < c->nargs; i++)
            js_push_str(args, c->args[i]);
    }
    if (!str_empty(flag_str(c, "entrypoint"))) {
        AUTO_STRV char **words = split_words(flag_str(c, "entrypoint"), &c->err);
        if (!words)
            return -EINVAL;
        json_object_set_new(container, "Command", js_strings((const char *const *)words));
    }
    return 0;
}

static int set_mounts(struct cli *c, json_t *container)
{
    for (const char *const *m = flag_list(c, "mount"); *m; m++) {
        json_t *one;
        int r = parse_mount(*m, &one, &c->err);
        if (r)
            return r;
        json_array_append_new(js_list(container, "Mounts"), one);
    }
    for (const char *const *u = flag_list(c, "ulimit"); *u; u++) {
        json_t *one;
        int r = parse_ulimit(*u, &one, &c->err);
        if (r)
            return r;
        json_array_append_new(js_list(container, "Ulimits"), one);
    }
    return 0;
}

static int set_env(struct cli *c, json_t *container)
{
    json_t *env;
    int r = env_from_files(flag_list(c, "env-file"), flag_list(c, "env"), &env, &c->err);
    if (r)
        return r;
    if (json_array_size(env))
        json_object_set(container, "Env", env);
    json_decref(env);
    return 0;
}

static int set_files(struct cli *c, json_t *container)
{
    static const char *const kinds[][3] = {{"secret", "Secret", "Secrets"},
                                           {"config", "Config", "Configs"}};
    for (size_t i = 0; i < 2; i++) {
        if (!*flag_list(c, kinds[i][0]))
            continue;
        json_t *refs = spec_files(c, flag_list(c, kinds[i][0]), kinds[i][1]);
        if (!refs)
            return 1;
        json_object_set_new(container, kinds[i][2], refs);
    }
    return 0;
}

static int container_spec(struct cli *c, json_t *task)
{
    json_t *container = js_sub(task, "ContainerSpec");
    AUTO_FREE char *image = image_with_tag(c->args[0]);
    js_set_str(container, "Image", image);
    json_object_set_new(container, "Init", json_boolean(flag_bool(c, "init")));
    if (*flag_list(c, "container-label"))
        json_object_set_new(container, "Labels", labels_object(flag_list(c, "container-label")));
    if (*flag_list(c, "sysctl"))
        json_object_set_new(container, "Sysctls", labels_object(flag_list(c, "sysctl")));
    set_list(c, "group", container, "Groups");
    spec_strings(c, container);
    spec_capabilities(c, container);
    int r = set_command(c, container);
    if (!r)
        r = set_env(c, container);
    if (!r)
        r = set_mounts(c, container);
    if (!r)
        r = set_dns_hosts(c, container);
    if (!r)
        r = spec_health(c, container);
    if (!r)
        r = spec_credential(c, container);
    return r;
}

static void set_placement(struct cli *c, json_t *task)
{
    json_t *p = js_sub(task, "Placement");
    set_list(c, "constraint", p, "Constraints");
    for (const char *const *v = flag_list(c, "placement-pref"); *v; v++)
        json_array_append_new(
            js_list(p, "Preferences"),
            js_own(json_pack("{s:{s:s}}", "Spread", "SpreadDescriptor", *v + strlen("spread="))));
    if (flag_set(c, "replicas-max-per-node"))
        spec_int(p, "MaxReplicas", (int64_t)flag_uint(c, "replicas-max-per-node", 0));
}

/* --- mode --- */

static int check_mode(struct cli *c, bool replicated, bool job)
{
    if (!replicated && flag_set(c, "replicas"))
        return err_set(&c->err, -EINVAL,
                       "replicas can only be used with replicated or replicated-job mode");
    if (!replicated && flag_set(c, "replicas-max-per-node"))
        return err_set(
            &c->err, -EINVAL,
            "replicas-max-per-node can only be used with replicated or replicated-job mode");
    if (!(replicated && job) && flag_set(c, "max-concurrent"))
        return err_set(&c->err, -EINVAL,
                       "max-concurrent can only be used with replicated-job mode");
    return 0;
}

static int set_mode(struct cli *c, json_t *spec)
{
    const char *word = str_or(flag_str(c, "mode"), "replicated");
    json_t *mode = js_sub(spec, "Mode");
    static const char *const words[][2] = {{"replicated", "Replicated"},
                                           {"global", "Global"},
                                           {"replicated-job", "ReplicatedJob"},
                                           {"global-job", "GlobalJob"}};
    size_t i = 0;
    while (i < 4 && !str_eq(words[i][0], word))
        i++;
    if (i == 4)
        return err_set(&c->err, -EINVAL, "Unknown mode: %s, only replicated and global supported",
                       word);
    json_t *m = js_sub(mode, words[i][1]);
    int r = check_mode(c, i == 0 || i == 2, i >= 2);
    if (r)
        return r;
    int64_t n = (int64_t)flag_uint(c, "replicas", 0);
    if (i == 0 && flag_set(c, "replicas"))
        spec_int(m, "Replicas", n);
    if (i == 2 && (flag_set(c, "max-concurrent") || flag_set(c, "replicas")))
        spec_int(m, "MaxConcurrent", (int64_t)flag_uint(c, "max-concurrent", (uint64_t)n));
    if (i == 2 && flag_set(c, "replicas"))
        spec_int(m, "TotalCompletions", n);
    r = spec_rollout(c, spec, "update", "UpdateConfig");
    if (!r)
        r = spec_rollout(c, spec, "rollback", "RollbackConfig");
    if (!r && i >= 2 &&
        (json_object_get(spec, "UpdateConfig") || json_object_get(spec, "RollbackConfig")))
        r = err_set(&c->err, -EINVAL,
                    "update and rollback configuration is not supported for jobs");
    return r;
}

static int set_endpoint(struct cli *c, json_t *spec)
{
    json_t *e = js_sub(spec, "EndpointSpec");
    js_set_str(e, "Mode", str_or(flag_str(c, "endpoint-mode"), "vip"));
    for (const char *const *p = flag_list(c, "publish"); *p; p++) {
        int r = parse_ports(*p, js_list(e, "Ports"), &c->err);
        if (r)
            return r;
    }
    return 0;
}

static int build_spec(struct cli *c, json_t *spec)
{
    js_set_str(spec, "Name", flag_str(c, "name"));
    json_object_set_new(spec, "Labels", labels_object(flag_list(c, "label")));
    json_t *task = js_sub(spec, "TaskTemplate");
    int r = container_spec(c, task);
    if (r)
        return r;
    spec_resources(c, task);
    r = spec_generic(flag_list(c, "generic-resource"),
                     js_sub(js_sub(task, "Resources"), "Reservations"), &c->err);
    if (!r)
        r = spec_restart(c, task);
    if (r)
        return r;
    set_placement(c, task);
    spec_log_driver(c, task);
    spec_int(task, "ForceUpdate", 0);
    r = set_mode(c, spec);
    return r ? r : set_endpoint(c, spec);
}

static int finish_spec(struct cli *c, json_t *spec, bool *ret_warn)
{
    json_t *task = js_sub(spec, "TaskTemplate"), *networks = NULL;
    int r = 0;
    if (*flag_list(c, "network")) {
        r = spec_networks(c, flag_list(c, "network"), &networks);
        if (!r)
            json_object_set_new(task, "Networks", networks);
    }
    if (!r)
        r = set_files(c, js_sub(task, "ContainerSpec"));
    return r ? r : spec_image_digest(c, spec, ret_warn);
}

int service_send(struct cli *c, const char *path, json_t *spec, const char *image, json_t **ret)
{
    if (!flag_bool(c, "with-registry-auth"))
        return api_call(c, "POST", path, spec, ret);
    AUTO_FREE char *auth = registry_auth(c, image), *line = mem_printf("X-Registry-Auth: %s", auth);
    const char *headers[] = {line, NULL};
    AUTO_BUF struct buf b = BUF_INIT(1 << 20);
    int r = registry_call(c, "POST", path, spec, headers, &b);
    if (r)
        return r;
    *ret = json_loadb(b.p ? b.p : "", b.len, 0, NULL);
    return *ret ? 0 : err_set(&c->err, -EPROTO, "the engine's answer cannot be read");
}

static int run_create(struct cli *c)
{
    AUTO_JSON json_t *spec = js_own(json_object()), *answer = NULL;
    bool warn = false;
    int r = build_spec(c, spec);
    if (!r)
        r = finish_spec(c, spec, &warn);
    const char *image = js_str(spec, "TaskTemplate.ContainerSpec.Image");
    if (!r)
        r = service_send(c, "/services/create", spec, image, &answer);
    if (r)
        return r;
    warn_answer(answer);
    if (warn)
        warn_no_digest(image);
    printf("%s\n", js_str(answer, "ID"));
    fflush(stdout);
    return flag_bool(c, "detach") ? 0
                                  : service_wait(c, js_str(answer, "ID"), flag_bool(c, "quiet"));
}

static const struct flag flags[] = {
    FLAGS_SERVICE_COMMON_A,
    {.name = "config", .type = "config", .help = "Configs that the service gets as files"},
    {.name = "constraint", .type = "list", .help = "Conditions that a node must meet"},
    {.name = "container-label",
     .type = "list",
     .help = "Labels of the containers",
     .check = check_label},
    FLAG_CREDSPEC,
    FLAG_DETACH,
    {.name = "dns", .type = "list", .help = "DNS servers", .check = check_ip},
    {.name = "dns-option", .type = "list", .help = "DNS options"},
    {.name = "dns-search", .type = "list", .help = "DNS search domains"},
    {.name = "endpoint-mode",
     .type = "string",
     .help = "How the service is found (vip or dnsrr)",
     .def = "\"vip\""},
    FLAG_ENTRYPOINT,
    {.name = "env",
     .letter = 'e',
     .type = "list",
     .help = "Environment variables",
     .check = check_env},
    {.name = "env-file", .type = "list", .help = "Files of environment variables"},
    {.name = "generic-resource",
     .type = "list",
     .help = "Resources that you defined",
     .check = check_generic},
    {.name = "group", .type = "list", .help = "More groups of the container's user"},
    FLAGS_HEALTH,
    {.name = "host",
     .type = "list",
     .help = "Lines for the container's hosts file (host:ip)",
     .check = check_host},
    FLAG_HOSTNAME,
    FLAGS_INIT_ISOLATION,
    {.name = "label",
     .letter = 'l',
     .type = "list",
     .help = "Labels of the service",
     .check = check_label},
    FLAGS_LIMITS,
    {.name = "mode",
     .type = "string",
     .def = "\"replicated\"",
     .help = "Kind of service (\"replicated\", \"global\", \"replicated-job\", \"global-job\")"},
    {.name = "mount", .type = "mount", .help = "File systems that the service gets"},
    {.name = "name", .type = "string", .help = "Name of the service"},
    {.name = "network", .type = "network", .help = "Networks that the service is on"},
    FLAGS_NO_HEALTH_RESOLVE,
    {.name = "placement-pref", .type = "pref", .help = "How tasks are spread over the nodes"},
    {.name = "publish",
     .letter = 'p',
     .type = "port",
     .help = "Ports that are reached from outside"},
    FLAG_QUIET_PROGRESS,
    FLAGS_ROOT_REPLICAS,
    FLAGS_RESTART("\"any\"", "5s"),
    FLAGS_ROLLBACKS("0s", "\"pause\"", "5s", "\"stop-first\"", "1"),
    {.name = "secret", .type = "secret", .help = "Secrets that the service gets as files"},
    FLAGS_STOP("10s"),
    {.name = "sysctl", .type = "list", .help = "Kernel settings of the container"},
    FLAG_TTY,
    {.name = "ulimit", .type = "ulimit", .help = "Limits of the processes", .def = "[]"},
    FLAGS_UPDATES("0s", "\"pause\"", "5s", "\"stop-first\"", "1"),
    FLAGS_USER_AUTH_DIR,
    FLAG_END,
};

const struct command cmd_service_create = {.name = "create",
                                           .usage = "[OPTIONS] IMAGE [COMMAND] [ARG...]",
                                           .about = "Create a new service",
                                           .flags = flags,
                                           .run = run_create,
                                           .min = 1,
                                           .max = -1,
                                           .greedy = true};
