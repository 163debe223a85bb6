/* cli/cmd_network.c - `keep network` and `keep volume`. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include "base/mem.h"
#include "base/str.h"
#include "cli/age.h"
#include "cli/api.h"
#include "cli/commands.h"
#include "cli/format.h"
#include "cli/js.h"
#include "cli/opts.h"
#include "cli/prune_impl.h"

enum { ID_SHORT = 12 };

/* --- network ls --- */

static const struct column columns[] = {{"ID", "NETWORK ID"},
                                        {"Name", "NAME"},
                                        {"Driver", "DRIVER"},
                                        {"Scope", "SCOPE"},
                                        {"IPv4", "IPV4"},
                                        {"IPv6", "IPV6"},
                                        {"Internal", "INTERNAL"},
                                        {"Labels", "LABELS"},
                                        {"CreatedAt", "CREATED AT"},
                                        {NULL, NULL}};
static const struct listing listing = {
    .columns = columns,
    .table = "{{.ID}}\t{{.Name}}\t{{.Driver}}\t{{.Scope}}",
    .quiet = "{{.ID}}",
    .type = "*network.networkContext",
};

static const char *truth(json_t *o, const char *key)
{
    return js_bool(o, key) ? "true" : "false";
}

static json_t *network_row(json_t *n, bool trunc)
{
    char text[AGE_SIZE];
    json_t *labels = json_object_get(n, "Labels"),
           *row = row_new(json_is_object(labels) ? labels : NULL);
    AUTO_FREE char *l = labels_text(labels), *id = mem_strn(js_str(n, "Id"), trunc ? ID_SHORT : 64);
    js_set_str(row, "ID", id);
    js_set_str(row, "Name", js_str(n, "Name"));
    js_set_str(row, "Driver", js_str(n, "Driver"));
    js_set_str(row, "Scope", js_str(n, "Scope"));
    js_set_str(row, "IPv4", truth(n, "EnableIPv4"));
    js_set_str(row, "IPv6", truth(n, "EnableIPv6"));
    js_set_str(row, "Internal", truth(n, "Internal"));
    js_set_str(row, "Labels", l);
    js_set_str(row, "CreatedAt", go_time(js_time(n, "Created"), "UTC", text));
    return row;
}

static int run_ls(struct cli *c)
{
    AUTO_JSON json_t *list = NULL, *rows = js_own(json_array());
    int r = get_list(c, "/networks", &list);
    if (r)
        return r;
    json_t *n;
    size_t i;
    json_array_foreach(list, i, n)
        json_array_append_new(rows, network_row(n, !flag_bool(c, "no-trunc")));
    rows_sort(rows, "Name");
    const char *format = flag_str(c, "format");
    if (str_empty(format) && !flag_bool(c, "quiet"))
        format = format_setting(c, "networksFormat");
    return list_print(c, &listing, format, flag_bool(c, "quiet"), rows);
}

static const struct flag ls_flags[] = {FLAG_FILTER,
                                       FLAG_LIST_FORMAT,
                                       {.name = "no-trunc", .help = "Do not shorten anything"},
                                       {.name = "quiet", .letter = 'q', .help = "Only show ids"},
                                       FLAG_END};
static const struct command ls = {.name = "ls",
                                  .aliases = "list",
                                  .paths = "keep network ls, keep network list",
                                  .usage = "[OPTIONS]",
                                  .about = "List networks",
                                  .flags = ls_flags,
                                  .run = run_ls};

/* --- inspect, create, rm --- */

static int get_network(struct cli *c, const char *ref, struct buf *ret)
{
    AUTO_FREE char *path = flag_bool(c, "verbose") ? api_path("/networks/%s?verbose=true", ref)
                                                   : api_path("/networks/%s", ref);
    return api_text(c, "GET", path, NULL, ret);
}

static const struct inspection inspection = {.get = get_network};

static int run_inspect(struct cli *c)
{
    return inspect_run(c, &inspection, flag_str(c, "format"), c->args, c->nargs);
}

static const struct flag inspect_flags[] = {
    FLAG_FORMAT,
    {.name = "verbose", .letter = 'v', .help = "Show more, to find out what is wrong"},
    FLAG_END};
static const struct command inspect = {.name = "inspect",
                                       .usage = "[OPTIONS] NETWORK [NETWORK...]",
                                       .about =
                                           "Display detailed information on one or more networks",
                                       .flags = inspect_flags,
                                       .run = run_inspect,
                                       .min = 1,
                                       .max = -1};

static json_t *ipam(struct cli *c)
{
    json_t *o = js_own(json_object()), *list = js_list(o, "Config");
    js_set_str(o, "Driver", str_or(flag_str(c, "ipam-driver"), "default"));
    js_sub(o, "Options");
    const char *const *gateways = flag_list(c, "gateway"), *const *ranges =
                                                               flag_list(c, "ip-range");
    for (const char *const *s = flag_list(c, "subnet"); *s; s++) {
        json_t *one = js_own(json_pack("{s:s}", "Subnet", *s));
        if (*gateways)
            js_set_str(one, "Gateway", *gateways++);
        if (*ranges)
            js_set_str(one, "IPRange", *ranges++);
        json_array_append_new(list, one);
    }
    return o;
}

static int run_create(struct cli *c)
{
    AUTO_JSON json_t *q = js_own(json_object()), *made = NULL;
    if (*flag_list(c, "gateway") && !*flag_list(c, "subnet"))
        return err_set(&c->err, -EINVAL,
                       "every ip-range or gateway must have a corresponding subnet");
    js_set_str(q, "Name", c->args[0]);
    json_object_set_new(q, "CheckDuplicate", json_true());
    js_set_str(q, "Driver", str_or(flag_str(c, "driver"), "bridge"));
    if (!str_empty(flag_str(c, "scope")))
        js_set_str(q, "Scope", flag_str(c, "scope"));
    json_object_set_new(q, "EnableIPv6", json_boolean(flag_bool(c, "ipv6")));
    json_object_set_new(q, "IPAM", ipam(c));
    json_object_set_new(q, "Internal", json_boolean(flag_bool(c, "internal")));
    json_object_set_new(q, "Attachable", json_boolean(flag_bool(c, "attachable")));
    json_object_set_new(q, "Ingress", json_boolean(flag_bool(c, "ingress")));
    json_object_set_new(q, "Options", labels_object(flag_list(c, "opt")));
    json_object_set_new(q, "Labels", labels_object(flag_list(c, "label")));
    int r = api_call(c, "POST", "/networks/create", q, &made);
    if (!r)
        printf("%s\n", js_str(made, "Id"));
    return r;
}

static const struct flag create_flags[] = {
    {.name = "attachable", .help = "Containers may be put on it by hand"},
    {.name = "driver",
     .letter = 'd',
     .type = "string",
     .help = "What makes the network",
     .def = "\"bridge\""},
    {.name = "gateway", .type = "strings", .help = "Gateway of the subnet"},
    {.name = "ingress", .help = "Make it the swarm's routing mesh"},
    {.name = "internal", .help = "No way out"},
    {.name = "ip-range", .type = "strings", .help = "Addresses of containers come from here"},
    {.name = "ipam-driver",
     .type = "string",
     .help = "What gives out addresses",
     .def = "\"default\""},
    {.name = "ipv6", .help = "Also give IPv6 addresses"},
    {.name = "label", .type = "list", .help = "Labels of the network", .check = check_label},
    {.name = "opt", .letter = 'o', .type = "map", .help = "Options of the driver", .def = "map[]"},
    {.name = "scope", .type = "string", .help = "Where the network is known"},
    {.name = "subnet", .type = "strings", .help = "Subnet in CIDR form"},
    FLAG_END,
};
static const struct command create = {.name = "create",
                                      .usage = "[OPTIONS] NETWORK",
                                      .about = "Create a network",
                                      .flags = create_flags,
                                      .run = run_create,
                                      .min = 1,
                                      .max = 1};

static int remove_network(struct cli *c, const char *ref)
{
    AUTO_FREE char *path = api_path("/networks/%s", ref);
    int r = api_call(c, "DELETE", path, NULL, NULL);
    if (r != 404 || !flag_bool(c, "force"))
        return r;
    c->err.text[0] = 0;
    return 0;
}

static int run_rm(struct cli *c)
{
    return for_each_arg(c, remove_network);
}

static const struct flag rm_flags[] = {
    {.name = "force", .letter = 'f', .help = "A network that is not there is no error"}, FLAG_END};
static const struct command rm = {.name = "rm",
                                  .aliases = "remove",
                                  .paths = "keep network rm, keep network remove",
                                  .usage = "NETWORK [NETWORK...]",
                                  .about = "Remove one or more networks",
                                  .flags = rm_flags,
                                  .run = run_rm,
                                  .min = 1,
                                  .max = -1};

static const struct command *const network_subs[] = {&create, &inspect, &ls, &cmd_network_prune,
                                                     &rm,     NULL};
const struct command cmd_network = {
    .name = "network", .about = "Manage networks", .subs = network_subs, .section = SEC_MANAGE};

/* --- volume --- */

static const struct column volume_columns[] = {{"Driver", "DRIVER"}, {"Name", "VOLUME NAME"},
                                               {"Scope", "SCOPE"},   {"Mountpoint", "MOUNTPOINT"},
                                               {"Labels", "LABELS"}, {NULL, NULL}};
static const struct listing volume_listing = {
    .columns = volume_columns,
    .table = "{{.Driver}}\t{{.Name}}",
    .quiet = "{{.Name}}",
    .type = "*formatter.volumeContext",
    .trouble = "failed to execute template: ",
};

static int run_volume_ls(struct cli *c)
{
    AUTO_JSON json_t *answer = NULL, *rows = js_own(json_array());
    int r = get_list(c, "/volumes", &answer);
    if (r)
        return r;
    json_t *v;
    size_t i;
    json_array_foreach(json_object_get(answer, "Volumes"), i, v)
    {
        json_t *labels = json_object_get(v, "Labels"),
               *row = row_new(json_is_object(labels) ? labels : NULL);
        AUTO_FREE char *l = labels_text(labels);
        js_set_str(row, "Driver", js_str(v, "Driver"));
        js_set_str(row, "Name", js_str(v, "Name"));
        js_set_str(row, "Scope", js_str(v, "Scope"));
        js_set_str(row, "Mountpoint", js_str(v, "Mountpoint"));
        js_set_str(row, "Labels", l);
        json_array_append_new(rows, row);
    }
    rows_sort(rows, "Name");
    return list_print(c, &volume_listing, flag_str(c, "format"), flag_bool(c, "quiet"), rows);
}

static const struct flag volume_ls_flags[] = {
    FLAG_FILTER,
    FLAG_LIST_FORMAT,
    {.name = "quiet", .letter = 'q', .help = "Only show names"},
    FLAG_END};
static const struct command volume_ls = {.name = "ls",
                                         .aliases = "list",
                                         .paths = "keep volume ls, keep volume list",
                                         .usage = "[OPTIONS]",
                                         .about = "List volumes",
                                         .flags = volume_ls_flags,
                                         .run = run_volume_ls};

static int get_volume(struct cli *c, const char *ref, struct buf *ret)
{
    AUTO_FREE char *path = api_path("/volumes/%s", ref);
    return api_text(c, "GET", path, NULL, ret);
}

static const struct inspection volume_inspection = {.get = get_volume};

static int run_volume_inspect(struct cli *c)
{
    return inspect_run(c, &volume_inspection, flag_str(c, "format"), c->args, c->nargs);
}

static const struct flag volume_inspect_flags[] = {FLAG_FORMAT, FLAG_END};
static const struct command volume_inspect = {
    .name = "inspect",
    .usage = "[OPTIONS] VOLUME [VOLUME...]",
    .about = "Display detailed information on one or more volumes",
    .flags = volume_inspect_flags,
    .run = run_volume_inspect,
    .min = 1,
    .max = -1};

static int remove_volume(struct cli *c, const char *ref)
{
    AUTO_FREE char *path =
        api_path(flag_bool(c, "force") ? "/volumes/%s?force=1" : "/volumes/%s", ref);
    return api_call(c, "DELETE", path, NULL, NULL);
}

static int run_volume_rm(struct cli *c)
{
    return for_each_arg(c, remove_volume);
}

static const struct flag volume_rm_flags[] = {
    {.name = "force", .letter = 'f', .help = "Remove it in any case"}, FLAG_END};
static const struct command volume_rm = {
    .name = "rm",
    .aliases = "remove",
    .paths = "keep volume rm, keep volume remove",
    .usage = "[OPTIONS] VOLUME [VOLUME...]",
    .about =
        "Remove one or more volumes. You cannot remove a volume that is in use by a container.",
    .flags = volume_rm_flags,
    .run = run_volume_rm,
    .min = 1,
    .max = -1};

static int run_volume_create(struct cli *c)
{
    AUTO_JSON json_t *q = js_own(json_object()), *made = NULL;
    js_set_str(q, "Driver", str_or(flag_str(c, "driver"), "local"));
    json_object_set_new(q, "DriverOpts", labels_object(flag_list(c, "opt")));
    json_object_set_new(q, "Labels", labels_object(flag_list(c, "label")));
    if (c->nargs)
        js_set_str(q, "Name", c->args[0]);
    int r = api_call(c, "POST", "/volumes/create", q, &made);
    if (!r)
        printf("%s\n", js_str(made, "Name"));
    return r;
}

static const struct flag volume_create_flags[] = {
    {.name = "driver",
     .letter = 'd',
     .type = "string",
     .help = "What makes the volume",
     .def = "\"local\""},
    {.name = "label", .type = "list", .help = "Labels of the volume", .check = check_label},
    {.name = "opt", .letter = 'o', .type = "map", .help = "Options of the driver", .def = "map[]"},
    FLAG_END,
};
static const struct command volume_create = {.name = "create",
                                             .usage = "[OPTIONS] [VOLUME]",
                                             .about = "Create a volume",
                                             .flags = volume_create_flags,
                                             .run = run_volume_create,
                                             .max = 1};

static const struct command *const volume_subs[] = {&volume_create,    &volume_inspect, &volume_ls,
                                                    &cmd_volume_prune, &volume_rm,      NULL};
const struct command cmd_volume = {
    .name = "volume", .about = "Manage volumes", .subs = volume_subs, .section = SEC_MANAGE};
