/* cli/cmd_service_update.c - `keep service update`: reads the spec, changes what the flags name,
 * sends it back. */
#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include "base/mem.h"
#include "base/str.h"
#include "cli/api.h"
#include "cli/commands.h"
#include "cli/js.h"
#include "cli/opts.h"
#include "cli/service_edit.h"
#include "cli/service_impl.h"
#include "cli/service_spec.h"

static int edit_container(struct cli *c, json_t *container)
{
    edit_map(c, container, "Labels", "container-label-add", "container-label-rm");
    edit_map(c, container, "Sysctls", "sysctl-add", "sysctl-rm");
    edit_env(c, container);
    edit_set(c, container, "Groups", "group-add", "group-rm");
    json_t *dns = js_sub(container, "DNSConfig");
    edit_set(c, dns, "Nameservers", "dns-add", "dns-rm");
    edit_set(c, dns, "Search", "dns-search-add", "dns-search-rm");
    edit_set(c, dns, "Options", "dns-option-add", "dns-option-rm");
    edit_hosts(c, container);
    spec_strings(c, container);
    spec_capabilities(c, container);
    if (flag_set(c, "image")) {
        AUTO_FREE char *image = image_with_tag(flag_str(c, "image"));
        js_set_str(container, "Image", image);
    }
    int r = edit_words(c, container, "args", "Args");
    if (!r)
        r = edit_words(c, container, "entrypoint", "Command");
    if (!r)
        r = edit_mounts(c, container);
    if (!r)
        r = edit_ulimits(c, container);
    if (!r)
        r = spec_health(c, container);
    if (!r)
        r = spec_credential(c, container);
    return r;
}

static int edit_mode(struct cli *c, json_t *spec)
{
    json_t *mode = js_sub(spec, "Mode");
    bool job = json_object_get(mode, "ReplicatedJob") != NULL;
    if (flag_set(c, "replicas")) {
        int64_t n = (int64_t)flag_uint(c, "replicas", 0);
        if (!job && !json_object_get(mode, "Replicated"))
            return err_set(&c->err, -EINVAL, "replicas can only be used with replicated mode");
        spec_int(js_sub(mode, job ? "ReplicatedJob" : "Replicated"),
                 job ? "TotalCompletions" : "Replicas", n);
    }
    if (flag_set(c, "max-concurrent")) {
        if (!job)
            return err_set(&c->err, -EINVAL,
                           "max-concurrent can only be used with replicated-job mode");
        spec_int(js_sub(mode, "ReplicatedJob"), "MaxConcurrent",
                 (int64_t)flag_uint(c, "max-concurrent", 0));
    }
    return 0;
}

static int edit_task(struct cli *c, json_t *spec)
{
    json_t *task = js_sub(spec, "TaskTemplate");
    static const char *const amounts[] = {
        "limit-cpu",      "limit-memory",         "limit-pids",         "reserve-cpu",
        "reserve-memory", "generic-resource-add", "generic-resource-rm"};
    bool any = false;
    int r = edit_container(c, js_sub(task, "ContainerSpec"));
    for (size_t i = 0; i < sizeof amounts / sizeof *amounts; i++)
        any = any || flag_set(c, amounts[i]);
    if (!r && any) {
        spec_resources(c, task);
        r = edit_generic(c, js_sub(js_sub(task, "Resources"), "Reservations"));
    }
    if (!r)
        r = spec_restart(c, task);
    if (!r)
        r = edit_placement(c, task);
    if (r)
        return r;
    if (flag_set(c, "log-driver") && str_empty(flag_str(c, "log-driver")))
        json_object_del(task, "LogDriver");
    spec_log_driver(c, task);
    if (flag_bool(c, "force"))
        spec_int(task, "ForceUpdate", js_int(task, "ForceUpdate") + 1);
    return 0;
}

static int edit_spec(struct cli *c, json_t *spec)
{
    edit_map(c, spec, "Labels", "label-add", "label-rm");
    int r = edit_task(c, spec);
    if (!r)
        r = edit_mode(c, spec);
    if (!r)
        r = spec_rollout(c, spec, "update", "UpdateConfig");
    if (!r)
        r = spec_rollout(c, spec, "rollback", "RollbackConfig");
    if (!r)
        r = edit_endpoint(c, spec);
    if (!r)
        r = edit_files(c, js_sub(js_sub(spec, "TaskTemplate"), "ContainerSpec"));
    if (!r)
        r = edit_networks(c, spec);
    return r;
}

static int check_rollback_alone(struct cli *c)
{
    for (size_t i = 0; c->cmd->flags[i].name; i++) {
        const char *n = c->cmd->flags[i].name;
        if (c->values[i].changed && !str_eq(n, "rollback") && !str_eq(n, "detach") &&
            !str_eq(n, "quiet"))
            return err_set(&c->err, -EINVAL, "other flags may not be combined with --rollback");
    }
    return 0;
}

static int run_update(struct cli *c)
{
    AUTO_JSON json_t *service = NULL, *answer = NULL;
    bool rollback = flag_bool(c, "rollback"), warn = false;
    int r = rollback ? check_rollback_alone(c) : 0;
    if (!r)
        r = service_fetch(c, c->args[0], &service);
    if (r)
        return r;
    json_t *spec = js_sub(service, "Spec");
    if (!rollback)
        r = edit_spec(c, spec);
    if (!r && flag_set(c, "image"))
        r = spec_image_digest(c, spec, &warn);
    if (r)
        return r;
    const char *image = js_str(spec, "TaskTemplate.ContainerSpec.Image");
    AUTO_FREE char *path = service_update_path(service, rollback ? "rollback=previous&"
                                                        : flag_bool(c, "with-registry-auth")
                                                            ? ""
                                                            : "registryAuthFrom=spec&");
    r = service_send(c, path, spec, image, &answer);
    if (r)
        return r;
    warn_answer(answer);
    if (warn)
        warn_no_digest(image);
    printf("%s\n", c->args[0]);
    fflush(stdout);
    return flag_bool(c, "detach") ? 0 : service_wait(c, c->args[0], flag_bool(c, "quiet"));
}

static const struct flag flags[] = {
    {.name = "args", .type = "command", .help = "Arguments of the service's command"},
    FLAGS_SERVICE_COMMON_A,
    {.name = "config-add", .type = "config", .help = "Give one more config"},
    {.name = "config-rm", .type = "list", .help = "Take a config away"},
    {.name = "constraint-add", .type = "list", .help = "Add a condition for nodes"},
    {.name = "constraint-rm", .type = "list", .help = "Take a condition away"},
    {.name = "container-label-add",
     .type = "list",
     .help = "Set a label of the containers",
     .check = check_label},
    {.name = "container-label-rm",
     .type = "list",
     .help = "Take a label of the containers away, by its key"},
    FLAG_CREDSPEC,
    FLAG_DETACH,
    {.name = "dns-add", .type = "list", .help = "Add a DNS server", .check = check_ip},
    {.name = "dns-option-add", .type = "list", .help = "Add a DNS option"},
    {.name = "dns-option-rm", .type = "list", .help = "Take a DNS option away"},
    {.name = "dns-rm", .type = "list", .help = "Take a DNS server away"},
    {.name = "dns-search-add", .type = "list", .help = "Add a DNS search domain"},
    {.name = "dns-search-rm", .type = "list", .help = "Take a DNS search domain away"},
    {.name = "endpoint-mode", .type = "string", .help = "How the service is found (vip or dnsrr)"},
    FLAG_ENTRYPOINT,
    {.name = "env-add", .type = "list", .help = "Set an environment variable", .check = check_env},
    {.name = "env-rm", .type = "list", .help = "Take an environment variable away"},
    {.name = "force", .help = "Replace the tasks even if nothing has changed"},
    {.name = "generic-resource-add",
     .type = "list",
     .help = "Set a resource of your own",
     .check = check_generic},
    {.name = "generic-resource-rm", .type = "list", .help = "Take a resource of your own away"},
    {.name = "group-add", .type = "list", .help = "Add a group to the container's user"},
    {.name = "group-rm", .type = "list", .help = "Take a group from the container's user"},
    FLAGS_HEALTH,
    {.name = "host-add",
     .type = "list",
     .help = "Add a line to the hosts file (\"host:ip\")",
     .check = check_host},
    {.name = "host-rm", .type = "list", .help = "Take a line from the hosts file (\"host:ip\")"},
    FLAG_HOSTNAME,
    {.name = "image", .type = "string", .help = "Image and tag of the service"},
    FLAGS_INIT_ISOLATION,
    {.name = "label-add",
     .type = "list",
     .help = "Set a label of the service",
     .check = check_label},
    {.name = "label-rm", .type = "list", .help = "Take a label away, by its key"},
    FLAGS_LIMITS,
    {.name = "mount-add", .type = "mount", .help = "Add or replace a mount"},
    {.name = "mount-rm", .type = "list", .help = "Take a mount away, by its target"},
    {.name = "network-add", .type = "network", .help = "Put the service on one more network"},
    {.name = "network-rm", .type = "list", .help = "Take the service off a network"},
    FLAGS_NO_HEALTH_RESOLVE,
    {.name = "placement-pref-add", .type = "pref", .help = "Add a way of spreading tasks"},
    {.name = "placement-pref-rm", .type = "pref", .help = "Take a way of spreading tasks away"},
    {.name = "publish-add", .type = "port", .help = "Publish one more port"},
    {.name = "publish-rm", .type = "port", .help = "Stop publishing a port, by its target"},
    FLAG_QUIET_PROGRESS,
    FLAGS_ROOT_REPLICAS,
    FLAGS_RESTART(NULL, NULL),
    {.name = "rollback", .help = "Go back to the spec before this one"},
    FLAGS_ROLLBACKS(NULL, NULL, NULL, NULL, NULL),
    {.name = "secret-add", .type = "secret", .help = "Give one more secret"},
    {.name = "secret-rm", .type = "list", .help = "Take a secret away"},
    FLAGS_STOP(NULL),
    {.name = "sysctl-add", .type = "list", .help = "Set a kernel setting of the container"},
    {.name = "sysctl-rm", .type = "list", .help = "Take a kernel setting away"},
    FLAG_TTY,
    {.name = "ulimit-add", .type = "ulimit", .help = "Set a limit of the processes", .def = "[]"},
    {.name = "ulimit-rm", .type = "list", .help = "Take a limit of the processes away"},
    FLAGS_UPDATES(NULL, NULL, NULL, NULL, NULL),
    FLAGS_USER_AUTH_DIR,
    FLAG_END,
};

const struct command cmd_service_update = {.name = "update",
                                           .usage = "[OPTIONS] SERVICE",
                                           .about = "Update a service",
                                           .flags = flags,
                                           .run = run_update,
                                           .min = 1,
                                           .max = 1};
