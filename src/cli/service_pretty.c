/* cli/service_pretty.c - `service inspect --pretty`. */
#include <stdlib.h>
#include <string.h>
#include "base/clock.h"
#include "base/mem.h"
#include "base/str.h"
#include "cli/age.h"
#include "cli/api.h"
#include "cli/js.h"
#include "cli/service_impl.h"

static void put_words(struct buf *b, const char *title, json_t *list)
{
    json_t *v;
    size_t i;
    if (!json_array_size(list))
        return;
    buf_str(b, title);
    json_array_foreach(list, i, v) buf_printf(b, "%s ", str_or(json_string_value(v), ""));
    buf_char(b, '\n');
}

static void put_mode(struct buf *b, json_t *s)
{
    json_t *mode = js_at(s, "Spec.Mode");
    buf_str(b, "Service Mode:");
    if (json_object_get(mode, "Global"))
        buf_str(b, "\tGlobal");
    else if (json_object_get(mode, "Replicated"))
        buf_printf(b, "\tReplicated\n Replicas:\t%lld",
                   (long long)js_int(mode, "Replicated.Replicas"));
    buf_char(b, '\n');
}

static void put_update_status(struct buf *b, json_t *s)
{
    char text[AGE_SIZE];
    const char *state = js_str(s, "UpdateStatus.State");
    int64_t now = clock_wall_ns();
    if (!*state)
        return;
    buf_printf(b, "UpdateStatus:\n State:\t\t%s\n", state);
    if (js_at(s, "UpdateStatus.StartedAt"))
        buf_printf(b, " Started:\t%s\n", ago_text(js_time(s, "UpdateStatus.StartedAt"), now, text));
    if (str_eq(state, "completed") && js_at(s, "UpdateStatus.CompletedAt"))
        buf_printf(b, " Completed:\t%s\n",
                   ago_text(js_time(s, "UpdateStatus.CompletedAt"), now, text));
    buf_printf(b, " Message:\t%s\n", js_str(s, "UpdateStatus.Message"));
}

static void put_placement(struct buf *b, json_t *task)
{
    json_t *p = js_at(task, "Placement"), *v;
    size_t i;
    if (!p)
        return;
    buf_str(b, "Placement:\n");
    if (js_len(p, "Constraints")) {
        buf_str(b, " Constraints:\t[");
        json_array_foreach(json_object_get(p, "Constraints"), i, v)
            buf_printf(b, "%s%s", i ? " " : "", str_or(json_string_value(v), ""));
        buf_str(b, "]\n");
    }
    if (js_len(p, "Preferences")) {
        buf_str(b, " Preferences:\t[");
        json_array_foreach(json_object_get(p, "Preferences"), i, v)
            buf_printf(b, "%sspread=%s", i ? " " : "", js_str(v, "Spread.SpreadDescriptor"));
        buf_str(b, "]\n");
    }
    if (js_int(p, "MaxReplicas") > 0)
        buf_printf(b, " Max Replicas Per Node:   %lld\n", (long long)js_int(p, "MaxReplicas"));
}

static void put_rollout(struct buf *b, json_t *u, const char *title, const char *order)
{
    char text[AGE_SIZE];
    if (!u)
        return;
    buf_printf(b, "%s:\n Parallelism:\t%lld\n", title, (long long)js_int(u, "Parallelism"));
    if (js_int(u, "Delay"))
        buf_printf(b, " Delay:\t\t%s\n", go_duration(js_int(u, "Delay"), text));
    buf_printf(b, " On failure:\t%s\n", js_str(u, "FailureAction"));
    if (js_int(u, "Monitor"))
        buf_printf(b, " Monitoring Period: %s\n", go_duration(js_int(u, "Monitor"), text));
    buf_printf(b, " Max failure ratio: %g\n %s%s\n", js_real(u, "MaxFailureRatio"), order,
               js_str(u, "Order"));
}

static int by_target(const void *a, const void *b)
{
    return strcmp(js_str(*(json_t *const *)a, "File.Name"),
                  js_str(*(json_t *const *)b, "File.Name"));
}

static void put_files(struct buf *b, json_t *list, const char *title, const char *name_key)
{
    size_t n = json_array_size(list);
    AUTO_FREE json_t **v = mem_array(n + 1, sizeof *v);
    for (size_t i = 0; i < n; i++)
        v[i] = json_array_get(list, i);
    qsort(v, n, sizeof *v, by_target);
    if (n)
        buf_printf(b, "%s:\n", title);
    for (size_t i = 0; i < n; i++)
        buf_printf(b, " Target:\t%s\n  Source:\t%s\n", js_str(v[i], "File.Name"),
                   js_str(v[i], name_key));
}

static void put_container(struct buf *b, json_t *cs)
{
    buf_printf(b, "ContainerSpec:\n Image:\t\t%s\n", js_str(cs, "Image"));
    put_words(b, " Args:\t\t", json_object_get(cs, "Args"));
    put_words(b, " Env:\t\t", json_object_get(cs, "Env"));
    if (*js_str(cs, "Dir"))
        buf_printf(b, " Dir:\t\t%s\n", js_str(cs, "Dir"));
    if (json_is_boolean(json_object_get(cs, "Init")))
        buf_printf(b, " Init:\t\t%s\n", js_bool(cs, "Init") ? "true" : "false");
    if (*js_str(cs, "User"))
        buf_printf(b, " User:\t\t%s\n", js_str(cs, "User"));
    json_t *m;
    size_t i;
    buf_str(b, js_len(cs, "Mounts") ? "Mounts:\n" : "");
    json_array_foreach(json_object_get(cs, "Mounts"), i, m) buf_printf(
        b, " Target:\t%s\n  Source:\t%s\n  ReadOnly:\t%s\n  Type:\t\t%s\n", js_str(m, "Target"),
        js_str(m, "Source"), js_bool(m, "ReadOnly") ? "true" : "false", js_str(m, "Type"));
    put_files(b, json_object_get(cs, "Configs"), "Configs", "ConfigName");
    put_files(b, json_object_get(cs, "Secrets"), "Secrets", "SecretName");
}

static void put_log_driver(struct buf *b, json_t *d)
{
    if (!d)
        return;
    buf_printf(b, "Log Driver:\n Name:\t\t%s\n", js_str(d, "Name"));
    json_t *options = json_object_get(d, "Options");
    AUTO_FREE const char **keys = js_sorted_keys(options);
    buf_str(b, keys[0] ? " LogOpts:\n" : "");
    for (size_t i = 0; keys[i]; i++)
        buf_printf(b, "  %s:\t\t%s\n", keys[i], js_str(options, keys[i]));
}

static void put_amounts(struct buf *b, json_t *r, const char *title)
{
    char text[AGE_SIZE];
    int64_t cpu = js_int(r, "NanoCPUs"), memory = js_int(r, "MemoryBytes"),
            pids = js_int(r, "Pids");
    if (!cpu && !memory && !pids)
        return;
    buf_printf(b, " %s:\n", title);
    if (cpu)
        buf_printf(b, "  CPU:\t\t%.10g\n", (double)cpu / 1e9);
    if (memory)
        buf_printf(b, "  Memory:\t%s\n", size_binary((double)memory, text));
    if (pids)
        buf_printf(b, "  PIDs:\t\t%lld\n", (long long)pids);
}

static void put_networks(struct cli *c, struct buf *b, json_t *task)
{
    json_t *n;
    size_t i;
    if (!js_len(task, "Networks"))
        return;
    buf_str(b, "Networks:");
    json_array_foreach(json_object_get(task, "Networks"), i, n)
    {
        AUTO_JSON json_t *found = NULL;
        AUTO_FREE char *path = api_path("/networks/%s?scope=swarm", js_str(n, "Target"));
        struct err keep = c->err;
        if (api_get(c, path, &found))
            c->err = keep; /* shown by its id then */
        buf_printf(b, " %s", str_or(js_str(found, "Name"), js_str(n, "Target")));
    }
    buf_str(b, " \n");
}

static void put_health(struct buf *b, json_t *h)
{
    char text[AGE_SIZE];
    static const char *const times[][2] = {{"Interval", "Interval"},
                                           {"StartPeriod", "StartPeriod"},
                                           {"StartInterval", "StartInterval"},
                                           {"Timeout", "Timeout"}};
    if (!h)
        return;
    buf_str(b, "Healthcheck:\n");
    for (size_t i = 0; i < 4; i++)
        if (js_int(h, times[i][1]))
            buf_printf(b, " %s = %s\n", times[i][0], go_duration(js_int(h, times[i][1]), text));
    if (js_int(h, "Retries"))
        buf_printf(b, " Retries = %lld\n", (long long)js_int(h, "Retries"));
    json_t *v;
    size_t i;
    if (js_len(h, "Test")) {
        buf_str(b, " Tests:\n");
        json_array_foreach(json_object_get(h, "Test"), i, v)
            buf_printf(b, "\t Test = %s\n", str_or(json_string_value(v), ""));
    }
}

void service_pretty(struct cli *c, json_t *s, struct buf *b)
{
    json_t *task = js_at(s, "Spec.TaskTemplate"), *labels = js_at(s, "Spec.Labels"), *p;
    size_t i;
    AUTO_FREE const char **keys = js_sorted_keys(labels);
    buf_printf(b, "\nID:\t\t%s\nName:\t\t%s\n", js_str(s, "ID"), js_str(s, "Spec.Name"));
    buf_str(b, keys[0] ? "Labels:\n" : "");
    for (i = 0; keys[i]; i++) {
        const char *v = str_or(json_string_value(json_object_get(labels, keys[i])), "");
        buf_printf(b, " %s%s%s\n", keys[i], *v ? "=" : "", v);
    }
    put_mode(b, s);
    put_update_status(b, s);
    put_placement(b, task);
    put_rollout(b, js_at(s, "Spec.UpdateConfig"), "UpdateConfig", "Update order:      ");
    put_rollout(b, js_at(s, "Spec.RollbackConfig"), "RollbackConfig", "Rollback order:    ");
    put_container(b, js_at(task, "ContainerSpec"));
    put_log_driver(b, js_at(task, "LogDriver"));
    if (js_at(task, "Resources")) {
        buf_str(b, "Resources:\n");
        put_amounts(b, js_at(task, "Resources.Reservations"), "Reservations");
        put_amounts(b, js_at(task, "Resources.Limits"), "Limits");
    }
    put_networks(c, b, task);
    buf_printf(b, "Endpoint Mode:\t%s\n", js_str(s, "Spec.EndpointSpec.Mode"));
    buf_str(b, js_len(s, "Endpoint.Ports") ? "Ports:\n" : "");
    json_array_foreach(js_at(s, "Endpoint.Ports"), i, p) buf_printf(
        b, " PublishedPort = %lld\n  Protocol = %s\n  TargetPort = %lld\n  PublishMode = %s \n",
        (long long)js_int(p, "PublishedPort"), js_str(p, "Protocol"),
        (long long)js_int(p, "TargetPort"), js_str(p, "PublishMode"));
    put_health(b, js_at(task, "ContainerSpec.Healthcheck"));
    buf_char(b, '\n');
}
