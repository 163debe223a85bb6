/* cli/cmd_service.c - `keep service`: ls, ps, inspect, rm, scale, rollback. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include "base/clock.h"
#include "base/mem.h"
#include "base/str.h"
#include "cli/api.h"
#include "cli/commands.h"
#include "cli/format.h"
#include "cli/js.h"
#include "cli/opts.h"
#include "cli/service_impl.h"
#include "cli/service_spec.h"

enum { ID_SHORT = 12 };

/* --- ls --- */

static const struct column columns[] = {
    {"ID", "ID"},       {"Name", "NAME"},   {"Mode", "MODE"}, {"Replicas", "REPLICAS"},
    {"Image", "IMAGE"}, {"Ports", "PORTS"}, {NULL, NULL}};
static const struct listing listing = {
    .columns = columns,
    .table = "{{.ID}}\t{{.Name}}\t{{.Mode}}\t{{.Replicas}}\t{{.Image}}\t{{.Ports}}",
    .quiet = "{{.ID}}",
    .raw = "id: {{.ID}}\nname: {{.Name}}\nmode: {{.Mode}}\nreplicas: {{.Replicas}}\nimage: "
           "{{.Image}}\nports: {{.Ports}}\n",
    .type = "*service.serviceContext",
};

static const char *mode_word(json_t *s)
{
    static const char *const words[][2] = {{"Global", "global"},
                                           {"Replicated", "replicated"},
                                           {"ReplicatedJob", "replicated job"},
                                           {"GlobalJob", "global job"}};
    for (size_t i = 0; i < 4; i++)
        if (json_object_get(js_at(s, "Spec.Mode"), words[i][0]))
            return words[i][1];
    return "";
}

static char *replicas_text(json_t *s)
{
    long long running = js_int(s, "ServiceStatus.RunningTasks"),
              desired = js_int(s, "ServiceStatus.DesiredTasks");
    long long done = js_int(s, "ServiceStatus.CompletedTasks"),
              max = js_int(s, "Spec.TaskTemplate.Placement.MaxReplicas");
    json_t *mode = js_at(s, "Spec.Mode");
    if (json_object_get(mode, "ReplicatedJob"))
        return mem_printf("%lld/%lld (%lld/%lld completed)", running, desired, done,
                          (long long)js_int(s, "Spec.Mode.ReplicatedJob.TotalCompletions"));
    if (json_object_get(mode, "GlobalJob"))
        return mem_printf("%lld/%lld (%lld/%lld completed)", running, desired, done,
                          desired + done);
    if (json_object_get(mode, "Replicated") && max > 0)
        return mem_printf("%lld/%lld (max %lld per node)", running, desired, max);
    return mem_printf("%lld/%lld", running, desired);
}

struct port {
    long long published, target;
    const char *protocol;
};

static int by_port(const void *a, const void *b)
{
    const struct port *x = a, *y = b;
    int r = strcmp(x->protocol, y->protocol);
    return r ? r : x->published < y->published ? -1 : x->published > y->published;
}

static void put_range(struct buf *b, const struct port *from, const struct port *to)
{
    buf_str(b, b->len ? ", " : "");
    if (from == to)
        buf_printf(b, "*:%lld->%lld/%s", from->published, from->target, from->protocol);
    else
        buf_printf(b, "*:%lld-%lld->%lld-%lld/%s", from->published, to->published, from->target,
                   to->target, from->protocol);
}

/* Ports of the routing mesh; neighbours become a range. */
static char *ports_text(json_t *s)
{
    json_t *ports = js_at(s, "Endpoint.Ports"), *p;
    AUTO_FREE struct port *list = mem_array(json_array_size(ports) + 1, sizeof *list);
    size_t i, n = 0, from = 0;
    json_array_foreach(ports, i, p) if (str_eq(js_str(p, "PublishMode"), "ingress")) list[n++] =
        (struct port){js_int(p, "PublishedPort"), js_int(p, "TargetPort"), js_str(p, "Protocol")};
    qsort(list, n, sizeof *list, by_port);
    struct buf b = BUF_INIT(1 << 16);
    buf_str(&b, "");
    for (i = 0; i < n; i++) {
        bool more = i + 1 < n && list[i + 1].published == list[i].published + 1 &&
                    list[i + 1].target == list[i].target + 1 &&
                    str_eq(list[i + 1].protocol, list[i].protocol);
        if (more)
            continue;
        put_range(&b, &list[from], &list[i]);
        from = i + 1;
    }
    return b.p ? buf_take(&b) : mem_str("");
}

static json_t *service_row(json_t *s)
{
    json_t *row = row_new(NULL);
    const char *image = js_str(s, "Spec.TaskTemplate.ContainerSpec.Image");
    AUTO_FREE char *id = mem_strn(js_str(s, "ID"), ID_SHORT), *replicas = replicas_text(s),
                   *ports = ports_text(s);
    AUTO_FREE char *plain = mem_strn(image, strcspn(image, "@"));
    js_set_str(row, "ID", id);
    js_set_str(row, "Name", js_str(s, "Spec.Name"));
    js_set_str(row, "Mode", mode_word(s));
    js_set_str(row, "Replicas", replicas);
    js_set_str(row, "Image", plain);
    js_set_str(row, "Ports", ports);
    return row;
}

static int run_ls(struct cli *c)
{
    AUTO_JSON json_t *list = NULL, *rows = js_own(json_array());
    bool quiet = flag_bool(c, "quiet");
    int r = get_list(c, quiet ? "/services" : "/services?status=true", &list);
    if (r)
        return r;
    json_t *s;
    size_t i;
    json_array_foreach(list, i, s) json_array_append_new(rows, service_row(s));
    rows_sort(rows, "Name");
    const char *format = flag_str(c, "format");
    if (str_empty(format) && !quiet)
        format = format_setting(c, "servicesFormat");
    return list_print(c, &listing, format, quiet, rows);
}

static const struct flag ls_flags[] = {FLAG_FILTER,
                                       FLAG_LIST_FORMAT,
                                       {.name = "quiet", .letter = 'q', .help = "Only show ids"},
                                       FLAG_END};
static const struct command ls = {.name = "ls",
                                  .aliases = "list",
                                  .paths = "keep service ls, keep service list",
                                  .usage = "[OPTIONS]",
                                  .about = "List services",
                                  .flags = ls_flags,
                                  .run = run_ls};

/* --- ps --- */

/* An id, a name, or the beginning of an id: as the stock CLI decides it, with two lists. */
static int find_service(struct cli *c, const char *ref, char **ret_id)
{
    AUTO_JSON json_t *by_id = NULL, *by_name = NULL;
    AUTO_FREE char *f1 = mem_printf("id=%s", ref), *f2 = mem_printf("name=%s", ref);
    const char *id_filter[] = {f1, NULL}, *name_filter[] = {f2, NULL};
    AUTO_BUF struct buf p1 = BUF_INIT(1 << 20), p2 = BUF_INIT(1 << 20);
    buf_str(&p1, "/services");
    buf_str(&p2, "/services");
    query_filters(&p1, id_filter);
    query_filters(&p2, name_filter);
    int r = api_get(c, p1.p, &by_id);
    if (!r)
        r = api_get(c, p2.p, &by_name);
    if (r)
        return r;
    json_t *s;
    size_t i;
    json_array_foreach(by_id, i, s) if (str_eq(js_str(s, "ID"), ref)) *ret_id = mem_str(ref);
    if (!*ret_id)
        json_array_foreach(by_name, i,
                           s) if (!*ret_id && str_eq(js_str(s, "Spec.Name"), ref)) *ret_id =
            mem_str(js_str(s, "ID"));
    if (*ret_id)
        return 0;
    if (json_array_size(by_id) > 1)
        return err_set(&c->err, -EINVAL, "multiple services found with provided prefix: %s", ref);
    if (json_array_size(by_id) == 0)
        return err_set(&c->err, -ENOENT, "no such service: %s", ref);
    *ret_id = mem_str(js_str(json_array_get(by_id, 0), "ID"));
    return 0;
}

static char **ps_filters(struct cli *c, char **ids)
{
    char **filters = mem_array(1, sizeof *filters);
    for (const char *const *f = flag_list(c, "filter"); *f; f++) {
        AUTO_FREE char *self = str_eq(*f, "node=self") ? own_node_id(c) : NULL;
        strv_push(&filters, self ? mem_printf("node=%s", self) : mem_str(*f));
    }
    for (; ids && *ids; ids++)
        strv_push(&filters, mem_printf("service=%s", *ids));
    return filters;
}

static int run_ps(struct cli *c)
{
    AUTO_STRV char **ids = NULL;
    AUTO_BUF struct buf errors = BUF_INIT(1 << 20), path = BUF_INIT(1 << 20);
    for (size_t i = 0; i < c->nargs; i++) {
        char *id = NULL;
        int r = find_service(c, c->args[i], &id);
        if (r && r != -ENOENT)
            return r;
        if (r)
            buf_printf(&errors, "%s\n", c->err.text);
        else
            strv_push(&ids, id);
        c->err.text[0] = 0;
    }
    struct task_view v = {.no_resolve = flag_bool(c, "no-resolve"),
                          .no_trunc = flag_bool(c, "no-trunc"),
                          .quiet = flag_bool(c, "quiet"),
                          .format = flag_str(c, "format")};
    int r = 0;
    if (ids) {
        AUTO_JSON json_t *tasks = NULL;
        AUTO_STRV char **filters = ps_filters(c, ids);
        buf_str(&path, "/tasks");
        query_filters(&path, (const char *const *)filters);
        r = api_get(c, path.p, &tasks);
        if (!r)
            r = tasks_print(c, tasks, &v);
    }
    fflush(stdout);
    if (errors.len)
        fputs(errors.p, stderr);
    return r ? r : errors.len ? 1 : 0;
}

static const struct flag ps_flags[] = {
    FLAG_FILTER,
    {.name = "format", .type = "string", .help = "Print each task with a Go template"},
    {.name = "no-resolve", .help = "Show ids instead of names"},
    {.name = "no-trunc", .help = "Do not shorten anything"},
    {.name = "quiet", .letter = 'q', .help = "Only show task ids"},
    FLAG_END,
};
static const struct command ps = {.name = "ps",
                                  .usage = "[OPTIONS] SERVICE [SERVICE...]",
                                  .about = "List the tasks of one or more services",
                                  .flags = ps_flags,
                                  .run = run_ps,
                                  .min = 1,
                                  .max = -1};

/* --- inspect --- */

static int get_service(struct cli *c, const char *ref, struct buf *ret)
{
    AUTO_FREE char *path = api_path("/services/%s?insertDefaults=true", ref);
    if (!*ref)
        return err_set(&c->err, -EINVAL, "invalid service name or ID: value is empty");
    int r = api_text(c, "GET", path, NULL, ret);
    return r == 404 ? err_set(&c->err, r, "Error: no such service: %s", ref) : r;
}

static const struct inspection inspection = {
    .get = get_service,
    .pretty = service_pretty,
    .env = {.times = true, .nils = true, .type = "swarm.Service"}};

static int run_inspect(struct cli *c)
{
    const char *format = flag_str(c, "format");
    if (flag_bool(c, "pretty") && !str_empty(format))
        return err_set(&c->err, -EINVAL, "--format is incompatible with human friendly format");
    return inspect_run(c, &inspection, flag_bool(c, "pretty") ? "pretty" : format, c->args,
                       c->nargs);
}

static const struct flag inspect_flags[] = {
    FLAG_FORMAT, {.name = "pretty", .help = "Print it for people to read"}, FLAG_END};
static const struct command inspect = {.name = "inspect",
                                       .usage = "[OPTIONS] SERVICE [SERVICE...]",
                                       .about =
                                           "Display detailed information on one or more services",
                                       .flags = inspect_flags,
                                       .run = run_inspect,
                                       .min = 1,
                                       .max = -1};

/* --- rm --- */

static int remove_one(struct cli *c, const char *ref)
{
    AUTO_FREE char *path = api_path("/services/%s", ref);
    return api_call(c, "DELETE", path, NULL, NULL);
}

static int run_rm(struct cli *c)
{
    return for_each_arg(c, remove_one);
}

static const struct command rm = {.name = "rm",
                                  .aliases = "remove",
                                  .paths = "keep service rm, keep service remove",
                                  .usage = "SERVICE [SERVICE...]",
                                  .about = "Remove one or more services",
                                  .run = run_rm,
                                  .min = 1,
                                  .max = -1};

/* --- scale --- */

int service_fetch(struct cli *c, const char *ref, json_t **ret)
{
    AUTO_FREE char *path = api_path("/services/%s?insertDefaults=false", ref);
    return api_get(c, path, ret);
}

char *service_update_path(json_t *service, const char *more)
{
    AUTO_FREE char *path = api_path("/services/%s/update", js_str(service, "ID"));
    return mem_printf("%s?%sversion=%lld", path, more, (long long)js_int(service, "Version.Index"));
}

static int scale_one(struct cli *c, const char *ref, const char *count)
{
    uint64_t n;
    struct err why;
    AUTO_JSON json_t *service = NULL, *answer = NULL;
    if (parse_uint(count, 10, 64, &n, &why))
        return err_set(&c->err, -EINVAL, "%s: invalid replicas value %s: %s", ref, count, why.text);
    int r = service_fetch(c, ref, &service);
    if (r)
        return err_wrap(&c->err, r, "%s", ref);
    json_t *mode = js_sub(js_sub(service, "Spec"), "Mode");
    if (json_object_get(mode, "Replicated"))
        spec_int(js_sub(mode, "Replicated"), "Replicas", (int64_t)n);
    else if (json_object_get(mode, "ReplicatedJob"))
        spec_int(js_sub(mode, "ReplicatedJob"), "TotalCompletions", (int64_t)n);
    else
        return err_set(&c->err, -EINVAL,
                       "%s: scale can only be used with replicated or replicated-job mode", ref);
    AUTO_FREE char *path = service_update_path(service, "");
    r = api_call(c, "POST", path, json_object_get(service, "Spec"), &answer);
    if (r)
        return err_wrap(&c->err, r, "%s", ref);
    warn_answer(answer);
    printf("%s scaled to %s\n", ref, count);
    return 0;
}

static int check_specifiers(struct cli *c)
{
    for (size_t i = 0; i < c->nargs; i++) {
        const char *eq = strchr(c->args[i], '=');
        if (eq && eq[1])
            continue;
        fprintf(stderr, "invalid scale specifier '%s'.\nSee '%s --help'.\n\nUsage:  %s %s\n\n%s\n",
                c->args[i], c->path, c->path, c->cmd->usage, c->cmd->about);
        return 1;
    }
    return 0;
}

static int run_scale(struct cli *c)
{
    AUTO_STRV char **scaled = NULL;
    AUTO_BUF struct buf errors = BUF_INIT(1 << 20);
    if (check_specifiers(c))
        return 1;
    for (size_t i = 0; i < c->nargs; i++) {
        size_t n = strcspn(c->args[i], "=");
        AUTO_FREE char *ref = mem_strn(c->args[i], n);
        if (scale_one(c, ref, c->args[i] + n + 1))
            buf_printf(&errors, "%s\n", c->err.text);
        else
            strv_push(&scaled, TAKE(ref));
        c->err.text[0] = 0;
    }
    fflush(stdout);
    for (size_t i = 0; !flag_bool(c, "detach") && scaled && scaled[i]; i++) {
        if (service_wait(c, scaled[i], false))
            buf_printf(&errors, "%s: %s\n", scaled[i], c->err.text);
        c->err.text[0] = 0;
    }
    if (errors.len)
        fputs(errors.p, stderr);
    return errors.len ? 1 : 0;
}

static const struct flag scale_flags[] = {FLAG_DETACH, FLAG_END};
static const struct command scale = {.name = "scale",
                                     .usage = "SERVICE=REPLICAS [SERVICE=REPLICAS...]",
                                     .about = "Scale one or multiple replicated services",
                                     .flags = scale_flags,
                                     .run = run_scale,
                                     .min = 1,
                                     .max = -1};

/* --- rollback --- */

static int run_rollback(struct cli *c)
{
    AUTO_JSON json_t *service = NULL, *answer = NULL;
    int r = service_fetch(c, c->args[0], &service);
    if (r)
        return r;
    AUTO_FREE char *path = service_update_path(service, "rollback=previous&");
    r = api_call(c, "POST", path, json_object_get(service, "Spec"), &answer);
    if (r)
        return r;
    warn_answer(answer);
    printf("%s\n", c->args[0]);
    fflush(stdout);
    return flag_bool(c, "detach") ? 0 : service_wait(c, c->args[0], flag_bool(c, "quiet"));
}

static const struct flag rollback_flags[] = {FLAG_DETACH, FLAG_QUIET_PROGRESS, FLAG_END};
static const struct command rollback = {.name = "rollback",
                                        .usage = "[OPTIONS] SERVICE",
                                        .about = "Revert changes to a service's configuration",
                                        .flags = rollback_flags,
                                        .run = run_rollback,
                                        .min = 1,
                                        .max = 1};

static const struct command *const subs[] = {
    &cmd_service_create, &inspect, &cmd_service_logs,   &ls, &ps, &rm,
    &rollback,           &scale,   &cmd_service_update, NULL};
const struct command cmd_service = {
    .name = "service", .about = "Manage Swarm services", .subs = subs, .section = SEC_SWARM};
