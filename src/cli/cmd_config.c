/* cli/cmd_config.c - `keep config`. Configs are for what need not be kept secret: the engine gives
 * them back. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include "base/clock.h"
#include "base/mem.h"
#include "base/secret.h"
#include "base/str.h"
#include "cli/age.h"
#include "cli/api.h"
#include "cli/commands.h"
#include "cli/format.h"
#include "cli/hijack.h"
#include "cli/js.h"
#include "cli/opts.h"

enum { READ_MAX = 2 * 1000 * 1024 }; /* twice the limit: the engine refuses what is too large */

/* --- create: the same way as a secret, since someone may put one here --- */

static int run_create(struct cli *c)
{
    AUTO_SECRET struct secret_buf *data = NULL;
    AUTO_JSON json_t *spec = js_own(json_object()), *answer = NULL;
    int r = api_needs(c, c->path, "1.30");
    if (!r) {
        r = read_payload(c, c->args[1], READ_MAX, &data);
        if (r)
            return err_wrap(&c->err, r, "Error reading content from \"%s\"", c->args[1]);
    }
    if (r)
        return r;
    js_set_str(spec, "Name", c->args[0]);
    json_object_set_new(spec, "Labels", labels_object(flag_list(c, "label")));
    if (!str_empty(flag_str(c, "template-driver")))
        js_set_str(js_sub(spec, "Templating"), "Name", flag_str(c, "template-driver"));
    r = post_secret(c, "/configs/create", spec, "Data", true, data, &answer);
    if (!r)
        printf("%s\n", js_str(answer, "ID"));
    return r;
}

static const struct flag create_flags[] = {
    {.name = "label",
     .letter = 'l',
     .type = "list",
     .help = "Labels of the config",
     .check = check_label},
    {.name = "template-driver",
     .type = "string",
     .help = "What expands the content as a template",
     .api = "1.37"},
    FLAG_END,
};
static const struct command create = {.name = "create",
                                      .usage = "[OPTIONS] CONFIG file|-",
                                      .about = "Create a config from a file or STDIN",
                                      .locked = true,
                                      .flags = create_flags,
                                      .run = run_create,
                                      .min = 2,
                                      .max = 2};

/* --- ls --- */

static const struct column columns[] = {
    {"ID", "ID"},         {"Name", "NAME"}, {"CreatedAt", "CREATED"}, {"UpdatedAt", "UPDATED"},
    {"Labels", "LABELS"}, {NULL, NULL}};
static const struct listing listing = {
    .columns = columns,
    .table = "{{.ID}}\t{{.Name}}\t{{.CreatedAt}}\t{{.UpdatedAt}}",
    .quiet = "{{.ID}}",
    .type = "*config.configContext",
};

static json_t *config_row(json_t *s, int64_t now)
{
    char text[AGE_SIZE];
    json_t *row = row_new(json_object_get(json_object_get(s, "Spec"), "Labels"));
    AUTO_FREE char *labels = labels_text(js_at(s, "Spec.Labels"));
    js_set_str(row, "ID", js_str(s, "ID"));
    js_set_str(row, "Name", js_str(s, "Spec.Name"));
    js_set_str(row, "CreatedAt", ago_text(js_time(s, "CreatedAt"), now, text));
    js_set_str(row, "UpdatedAt", ago_text(js_time(s, "UpdatedAt"), now, text));
    js_set_str(row, "Labels", labels);
    return row;
}

static int run_ls(struct cli *c)
{
    AUTO_JSON json_t *list = NULL, *rows = js_own(json_array());
    int r = api_needs(c, c->path, "1.30");
    if (!r)
        r = get_list(c, "/configs", &list);
    if (r)
        return r;
    json_t *s;
    size_t i;
    json_array_foreach(list, i, s) json_array_append_new(rows, config_row(s, clock_wall_ns()));
    rows_sort(rows, "Name");
    const char *format = flag_str(c, "format");
    if (str_empty(format) && !flag_bool(c, "quiet"))
        format = format_setting(c, "configFormat");
    return list_print(c, &listing, format, flag_bool(c, "quiet"), rows);
}

static const struct flag ls_flags[] = {FLAG_FILTER,
                                       FLAG_LIST_FORMAT,
                                       {.name = "quiet", .letter = 'q', .help = "Only show ids"},
                                       FLAG_END};
static const struct command ls = {.name = "ls",
                                  .aliases = "list",
                                  .paths = "keep config ls, keep config list",
                                  .usage = "[OPTIONS]",
                                  .about = "List configs",
                                  .flags = ls_flags,
                                  .run = run_ls};

/* --- inspect --- */

static int get_config(struct cli *c, const char *ref, struct buf *ret)
{
    AUTO_FREE char *path = api_path("/configs/%s", ref);
    if (!*ref)
        return err_set(&c->err, -EINVAL, "invalid config name or ID: value is empty");
    return api_text(c, "GET", path, NULL, ret);
}

static void put_decoded(struct buf *b, const char *s)
{
    static const char set[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    unsigned bits = 0, have = 0;
    for (; *s && *s != '='; s++) {
        const char *hit = strchr(set, *s);
        if (!hit)
            continue;
        bits = bits << 6 | (unsigned)(hit - set);
        have += 6;
        if (have >= 8) {
            have -= 8;
            buf_char(b, (char)(bits >> have & 255));
        }
    }
}

static void pretty_config(struct cli *c, json_t *o, struct buf *b)
{
    (void)c;
    char text[AGE_SIZE];
    json_t *labels = js_at(o, "Spec.Labels");
    buf_printf(b, "ID:\t\t\t%s\nName:\t\t\t%s\n", js_str(o, "ID"), js_str(o, "Spec.Name"));
    AUTO_FREE const char **keys = js_sorted_keys(labels);
    buf_str(b, keys[0] ? "Labels:\n" : "");
    for (size_t i = 0; keys[i]; i++) {
        const char *v = str_or(json_string_value(json_object_get(labels, keys[i])), "");
        buf_printf(b, " - %s%s%s\n", keys[i], *v ? "=" : "", v);
    }
    buf_printf(b, "Created at:            \t%s\n", go_time(js_time(o, "CreatedAt"), "utc", text));
    buf_printf(b, "Updated at:            \t%s\n", go_time(js_time(o, "UpdatedAt"), "utc", text));
    buf_str(b, "Data:\n");
    put_decoded(b, js_str(o, "Spec.Data"));
    buf_char(b, '\n');
}

static const struct inspection inspection = {
    .get = get_config, .pretty = pretty_config, .env = {.times = true, .nils = true}};

static int run_inspect(struct cli *c)
{
    const char *format = flag_bool(c, "pretty") ? "pretty" : flag_str(c, "format");
    if (format && str_starts(format, "pretty") && format[6])
        return err_set(&c->err, -EINVAL,
                       "cannot supply extra formatting options to the pretty template");
    int r = api_needs(c, c->path, "1.30");
    return r ? r : inspect_run(c, &inspection, format, c->args, c->nargs);
}

static const struct flag inspect_flags[] = {
    FLAG_FORMAT, {.name = "pretty", .help = "Print it for people to read"}, FLAG_END};
static const struct command inspect = {.name = "inspect",
                                       .usage = "[OPTIONS] CONFIG [CONFIG...]",
                                       .about =
                                           "Display detailed information on one or more configs",
                                       .flags = inspect_flags,
                                       .run = run_inspect,
                                       .min = 1,
                                       .max = -1};

/* --- rm --- */

static int remove_one(struct cli *c, const char *ref)
{
    AUTO_FREE char *path = api_path("/configs/%s", ref);
    if (!*ref)
        return err_set(&c->err, -EINVAL, "invalid config name or ID: value is empty");
    return api_call(c, "DELETE", path, NULL, NULL);
}

static int run_rm(struct cli *c)
{
    int r = api_needs(c, c->path, "1.30");
    return r ? r : for_each_arg(c, remove_one);
}

static const struct command rm = {.name = "rm",
                                  .aliases = "remove",
                                  .paths = "keep config rm, keep config remove",
                                  .usage = "CONFIG [CONFIG...]",
                                  .about = "Remove one or more configs",
                                  .run = run_rm,
                                  .min = 1,
                                  .max = -1};

static const struct command *const subs[] = {&create, &inspect, &ls, &rm, NULL};
const struct command cmd_config = {
    .name = "config", .about = "Manage Swarm configs", .subs = subs, .section = SEC_SWARM};
