/* cli/cmd_node.c - `keep node`. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <ctype.h>
#include "base/clock.h"
#include "base/mem.h"
#include "base/str.h"
#include "cli/age.h"
#include "cli/api.h"
#include "cli/commands.h"
#include "cli/format.h"
#include "cli/js.h"

/* First letter large; into a small ring, so that several may stand in one printf. */
static const char *capital(const char *s)
{
    static char ring[4][64];
    static unsigned at;
    char *p = ring[at++ % 4];
    str_copy(p, sizeof ring[0], s);
    p[0] = (char)toupper((unsigned char)p[0]);
    return p;
}

/* --- ls --- */

static const struct column columns[] = {{"ID", "ID"},
                                        {"Self", ""},
                                        {"Hostname", "HOSTNAME"},
                                        {"Status", "STATUS"},
                                        {"Availability", "AVAILABILITY"},
                                        {"ManagerStatus", "MANAGER STATUS"},
                                        {"TLSStatus", "TLS STATUS"},
                                        {"EngineVersion", "ENGINE VERSION"},
                                        {NULL, NULL}};
static const struct listing listing = {
    .columns = columns,
    .table = "{{.ID}} {{if .Self}}*{{else}} {{ end "
             "}}\t{{.Hostname}}\t{{.Status}}\t{{.Availability}}\t{{.ManagerStatus}}\t"
             "{{.EngineVersion}}",
    .quiet = "{{.ID}}",
    .type = "*node.nodeContext",
};

static const char *tls_status(json_t *node, json_t *info)
{
    json_t *own = js_at(info, "Swarm.Cluster.TLSInfo"), *its = js_at(node, "Description.TLSInfo");
    if (!its || !own)
        return "Unknown";
    return json_equal(own, its) ? "Ready" : "Needs Rotation";
}

static json_t *node_row(json_t *n, json_t *info)
{
    json_t *row = row_new(json_object_get(json_object_get(n, "Spec"), "Labels"));
    const char *reach = js_str(n, "ManagerStatus.Reachability");
    js_set_str(row, "ID", js_str(n, "ID"));
    json_object_set_new(row, "Self",
                        json_boolean(str_eq(js_str(n, "ID"), js_str(info, "Swarm.NodeID"))));
    js_set_str(row, "Hostname", js_str(n, "Description.Hostname"));
    js_set_str(row, "Status", capital(js_str(n, "Status.State")));
    js_set_str(row, "Availability", capital(js_str(n, "Spec.Availability")));
    js_set_str(row, "ManagerStatus",
               js_bool(n, "ManagerStatus.Leader") ? "Leader" : capital(reach));
    js_set_str(row, "TLSStatus", tls_status(n, info));
    js_set_str(row, "EngineVersion", js_str(n, "Description.Engine.EngineVersion"));
    return row;
}

static int run_ls(struct cli *c)
{
    AUTO_JSON json_t *list = NULL, *info = NULL, *rows = js_own(json_array());
    int r = get_list(c, "/nodes", &list);
    if (!r && json_array_size(list) && !flag_bool(c, "quiet"))
        r = api_get(c, "/info", &info);
    if (r)
        return r;
    json_t *n;
    size_t i;
    json_array_foreach(list, i, n) json_array_append_new(rows, node_row(n, info));
    rows_sort(rows, "Hostname");
    const char *format = flag_str(c, "format");
    if (str_empty(format) && !flag_bool(c, "quiet"))
        format = format_setting(c, "nodesFormat");
    return list_print(c, &listing, format, flag_bool(c, "quiet"), rows);
}

static const struct flag ls_flags[] = {FLAG_FILTER,
                                       FLAG_LIST_FORMAT,
                                       {.name = "quiet", .letter = 'q', .help = "Only show ids"},
                                       FLAG_END};
static const struct command ls = {.name = "ls",
                                  .aliases = "list",
                                  .paths = "keep node ls, keep node list",
                                  .usage = "[OPTIONS]",
                                  .about = "List nodes in the swarm",
                                  .flags = ls_flags,
                                  .run = run_ls};

/* --- inspect --- */

static int get_node(struct cli *c, const char *ref, struct buf *ret)
{
    AUTO_FREE char *self = str_eq(ref, "self") ? own_node_id(c) : mem_str(ref);
    if (!self)
        return 1;
    if (!*self)
        return err_set(&c->err, -EINVAL, "invalid node name or ID: value is empty");
    AUTO_FREE char *path = api_path("/nodes/%s", self);
    return api_text(c, "GET", path, NULL, ret);
}

static void put_labels(struct buf *b, const char *title, json_t *labels)
{
    AUTO_FREE const char **keys = js_sorted_keys(labels);
    if (keys[0])
        buf_printf(b, "%s\n", title);
    for (size_t i = 0; keys[i]; i++) {
        const char *v = str_or(json_string_value(json_object_get(labels, keys[i])), "");
        buf_printf(b, " - %s%s%s\n", keys[i], *v ? "=" : "", v);
    }
}

static void put_plugins(struct buf *b, json_t *plugins)
{
    static const char *const kinds[] = {"Authorization", "Log", "Network", "Volume"};
    buf_str(b, json_array_size(plugins) ? "Plugins:\n" : "");
    for (size_t k = 0; k < 4; k++) {
        json_t *p;
        size_t i;
        bool any = false;
        json_array_foreach(plugins, i, p)
        {
            if (!str_eq(js_str(p, "Type"), kinds[k]))
                continue;
            if (any)
                buf_str(b, ", ");
            else
                buf_printf(b, " %s:%s", kinds[k], k == 0 ? "\t" : "\t\t");
            buf_str(b, js_str(p, "Name"));
            any = true;
        }
        buf_str(b, any ? "\n" : "");
    }
}

static void pretty_node(struct cli *c, json_t *n, struct buf *b)
{
    char text[AGE_SIZE];
    (void)c;
    buf_printf(b, "ID:\t\t\t%s\n", js_str(n, "ID"));
    if (*js_str(n, "Spec.Name"))
        buf_printf(b, "Name:\t\t\t%s\n", js_str(n, "Spec.Name"));
    put_labels(b, "Labels:", js_at(n, "Spec.Labels"));
    buf_printf(b, "Hostname:              \t%s\n", js_str(n, "Description.Hostname"));
    buf_printf(b, "Joined at:             \t%s\n", go_time(js_time(n, "CreatedAt"), "utc", text));
    buf_printf(b, "Status:\n State:\t\t\t%s\n", capital(js_str(n, "Status.State")));
    if (*js_str(n, "Status.Message"))
        buf_printf(b, " Message:\t\t%s\n", capital(js_str(n, "Status.Message")));
    buf_printf(b, " Availability:         \t%s\n", capital(js_str(n, "Spec.Availability")));
    if (*js_str(n, "Status.Addr"))
        buf_printf(b, " Address:\t\t%s\n", js_str(n, "Status.Addr"));
    if (js_at(n, "ManagerStatus"))
        buf_printf(b, "Manager Status:\n Address:\t\t%s\n Raft Status:\t\t%s\n Leader:\t\t%s\n",
                   js_str(n, "ManagerStatus.Addr"),
                   capital(js_str(n, "ManagerStatus.Reachability")),
                   js_bool(n, "ManagerStatus.Leader") ? "Yes" : "No");
    buf_printf(b, "Platform:\n Operating System:\t%s\n Architecture:\t\t%s\n",
               js_str(n, "Description.Platform.OS"),
               js_str(n, "Description.Platform.Architecture"));
    buf_printf(b, "Resources:\n CPUs:\t\t\t%lld\n Memory:\t\t%s\n",
               (long long)js_int(n, "Description.Resources.NanoCPUs") / 1000000000,
               size_binary((double)js_int(n, "Description.Resources.MemoryBytes"), text));
    put_plugins(b, js_at(n, "Description.Engine.Plugins"));
    buf_printf(b, "Engine Version:\t\t%s\n", js_str(n, "Description.Engine.EngineVersion"));
    put_labels(b, "Engine Labels:", js_at(n, "Description.Engine.Labels"));
    if (js_at(n, "Description.TLSInfo"))
        buf_printf(b, "TLS Info:\n TrustRoot:\n%s\n Issuer Subject:\t%s\n Issuer Public Key:\t%s\n",
                   js_str(n, "Description.TLSInfo.TrustRoot"),
                   js_str(n, "Description.TLSInfo.CertIssuerSubject"),
                   js_str(n, "Description.TLSInfo.CertIssuerPublicKey"));
}

static const struct inspection inspection = {
    .get = get_node, .pretty = pretty_node, .env = {.times = true, .nils = true}};

static int run_inspect(struct cli *c)
{
    const char *format = flag_bool(c, "pretty") ? "pretty" : flag_str(c, "format");
    if (format && str_starts(format, "pretty") && format[6])
        return err_set(&c->err, -EINVAL, "--format is incompatible with human friendly format");
    return inspect_run(c, &inspection, format, c->args, c->nargs);
}

static const struct flag inspect_flags[] = {
    FLAG_FORMAT, {.name = "pretty", .help = "Print it for people to read"}, FLAG_END};
static const struct command inspect = {.name = "inspect",
                                       .usage = "[OPTIONS] self|NODE [NODE...]",
                                       .about = "Display detailed information on one or more nodes",
                                       .flags = inspect_flags,
                                       .run = run_inspect,
                                       .min = 1,
                                       .max = -1};

/* --- update, promote, demote --- */

static int send_node(struct cli *c, json_t *node)
{
    AUTO_FREE char *path = api_path("/nodes/%s/update", js_str(node, "ID"));
    AUTO_FREE char *full =
        mem_printf("%s?version=%lld", path, (long long)js_int(node, "Version.Index"));
    return api_call(c, "POST", full, json_object_get(node, "Spec"), NULL);
}

static int fetch_node(struct cli *c, const char *ref, json_t **ret)
{
    AUTO_FREE char *path = api_path("/nodes/%s", ref);
    return api_get(c, path, ret);
}

static int change_role(struct cli *c, const char *role, const char *before, const char *behind)
{
    for (size_t i = 0; i < c->nargs; i++) {
        AUTO_JSON json_t *node = NULL;
        int r = fetch_node(c, c->args[i], &node);
        if (r)
            return r;
        if (str_eq(js_str(node, "Spec.Role"), role)) {
            printf("Node %s is already a %s.\n", c->args[i], role);
            continue;
        }
        js_set_str(js_sub(node, "Spec"), "Role", role);
        r = send_node(c, node);
        if (r)
            return r;
        printf("%s %s %s in the swarm.\n", before, c->args[i], behind);
    }
    return 0;
}

static int run_promote(struct cli *c)
{
    return change_role(c, "manager", "Node", "promoted to a manager");
}

static int run_demote(struct cli *c)
{
    return change_role(c, "worker", "Manager", "demoted");
}

static const struct command promote = {.name = "promote",
                                       .usage = "NODE [NODE...]",
                                       .about = "Promote one or more nodes to manager in the swarm",
                                       .run = run_promote,
                                       .min = 1,
                                       .max = -1};
static const struct command demote = {.name = "demote",
                                      .usage = "NODE [NODE...]",
                                      .about = "Demote one or more nodes from manager in the swarm",
                                      .run = run_demote,
                                      .min = 1,
                                      .max = -1};

static int run_update(struct cli *c)
{
    AUTO_JSON json_t *node = NULL;
    int r = fetch_node(c, c->args[0], &node);
    if (r)
        return r;
    json_t *spec = js_sub(node, "Spec"), *labels = js_sub(spec, "Labels");
    if (flag_set(c, "role"))
        js_set_str(spec, "Role", flag_str(c, "role"));
    if (flag_set(c, "availability"))
        js_set_str(spec, "Availability", flag_str(c, "availability"));
    for (const char *const *l = flag_list(c, "label-add"); *l; l++) {
        size_t n = strcspn(*l, "=");
        AUTO_FREE char *k = mem_strn(*l, n);
        js_set_str(labels, k, (*l)[n] ? *l + n + 1 : "");
    }
    for (const char *const *l = flag_list(c, "label-rm"); *l; l++)
        if (json_object_del(labels, *l))
            return err_set(&c->err, -ENOENT, "key %s doesn't exist in node's labels", *l);
    r = send_node(c, node);
    if (!r)
        printf("%s\n", c->args[0]);
    return r;
}

static const struct flag update_flags[] = {
    {.name = "availability",
     .type = "string",
     .help = "Whether the node takes tasks (\"active\", \"pause\", \"drain\")"},
    {.name = "label-add", .type = "list", .help = "Set a label (\"key=value\")"},
    {.name = "label-rm", .type = "list", .help = "Take a label away"},
    {.name = "role", .type = "string", .help = "What the node is (\"worker\", \"manager\")"},
    FLAG_END,
};
static const struct command update = {.name = "update",
                                      .usage = "[OPTIONS] NODE",
                                      .about = "Update a node",
                                      .flags = update_flags,
                                      .run = run_update,
                                      .min = 1,
                                      .max = 1};

/* --- rm, ps --- */

static int remove_one(struct cli *c, const char *ref)
{
    AUTO_FREE char *path = api_path(flag_bool(c, "force") ? "/nodes/%s?force=1" : "/nodes/%s", ref);
    return api_call(c, "DELETE", path, NULL, NULL);
}

static int run_rm(struct cli *c)
{
    return for_each_arg(c, remove_one);
}

static const struct flag rm_flags[] = {
    {.name = "force", .letter = 'f', .help = "Remove it although it is not down"}, FLAG_END};
static const struct command rm = {.name = "rm",
                                  .aliases = "remove",
                                  .paths = "keep node rm, keep node remove",
                                  .usage = "[OPTIONS] NODE [NODE...]",
                                  .about = "Remove one or more nodes from the swarm",
                                  .flags = rm_flags,
                                  .run = run_rm,
                                  .min = 1,
                                  .max = -1};

static int node_tasks(struct cli *c, const char *ref, json_t *into)
{
    AUTO_JSON json_t *node = NULL, *tasks = NULL;
    AUTO_FREE char *self = str_eq(ref, "self") ? own_node_id(c) : mem_str(ref);
    if (!self)
        return 1;
    int r = fetch_node(c, self, &node);
    if (r)
        return r;
    AUTO_BUF struct buf p = BUF_INIT(1 << 20);
    AUTO_STRV char **filters = strv_dup(flag_list(c, "filter"));
    strv_push(&filters, mem_printf("node=%s", js_str(node, "ID")));
    buf_str(&p, "/tasks");
    query_filters(&p, (const char *const *)filters);
    r = api_get(c, p.p, &tasks);
    if (!r)
        json_array_extend(into, tasks);
    return r;
}

static int run_ps(struct cli *c)
{
    AUTO_JSON json_t *tasks = js_own(json_array());
    int bad = 0, r = 0;
    char self[] = "self";
    if (!c->nargs)
        c->args[c->nargs++] = self;
    AUTO_BUF struct buf errors = BUF_INIT(1 << 20);
    for (size_t i = 0; i < c->nargs; i++) {
        if (node_tasks(c, c->args[i], tasks)) {
            buf_printf(&errors, "%s\n", c->err.text);
            c->err.text[0] = 0;
            bad = 1;
        }
    }
    struct task_view v = {.no_resolve = flag_bool(c, "no-resolve"),
                          .no_trunc = flag_bool(c, "no-trunc"),
                          .quiet = flag_bool(c, "quiet"),
                          .format = flag_str(c, "format")};
    if (!bad || json_array_size(tasks))
        r = tasks_print(c, tasks, &v);
    fflush(stdout);
    if (bad)
        fputs(errors.p, stderr);
    return r ? r : bad;
}

static const struct flag ps_flags[] = {
    FLAG_FILTER,
    {.name = "format", .type = "string", .help = "Print each task with a Go template"},
    {.name = "no-resolve", .help = "Show ids instead of names"},
    {.name = "no-trunc", .help = "Do not shorten anything"},
    {.name = "quiet", .letter = 'q', .help = "Only show task ids"},
    FLAG_END,
};
static const struct command ps = {
    .name = "ps",
    .usage = "[OPTIONS] [NODE...]",
    .about = "List tasks running on one or more nodes, defaults to current node",
    .flags = ps_flags,
    .run = run_ps,
    .max = -1};

static const struct command *const subs[] = {&demote, &inspect, &ls,     &promote,
                                             &ps,     &rm,      &update, NULL};
const struct command cmd_node = {
    .name = "node", .about = "Manage Swarm nodes", .subs = subs, .section = SEC_SWARM};
