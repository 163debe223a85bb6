/* cli/cmd_secret.c - `keep secret`. A payload is only ever in locked memory and on its way to the
 * engine. */
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

enum {
    READ_MAX = 2 * 500 * 1024
}; /* twice the limit, so that the engine and not we refuse a size */

/* --- create --- */

static const char *payload_source(struct cli *c)
{
    return c->nargs == 2 ? c->args[1] : flag_str(c, "from-file");
}

static int read_from_env(struct cli *c, const char *name, struct secret_buf **ret)
{
    const char *value = getenv(name);
    if (str_empty(value))
        return err_set(&c->err, -EINVAL, "the environment variable %s is empty or not set", name);
    struct secret_buf *s = secret_buf_new(READ_MAX);
    if (!s)
        return err_set(&c->err, -ENOMEM, "out of locked memory");
    if (secret_buf_append(s, value, strlen(value))) {
        secret_buf_free(s);
        return err_set(&c->err, -EFBIG, "the environment variable %s is too long", name);
    }
    *ret = s;
    return 0;
}

static int get_payload(struct cli *c, struct secret_buf **ret)
{
    const char *driver = flag_str(c, "driver"), *env = flag_str(c, "from-env"),
               *source = payload_source(c);
    if (c->nargs == 2 && flag_set(c, "from-file"))
        return err_set(&c->err, -EINVAL, "--from-file conflicts with a file argument");
    if (source && env)
        return err_set(&c->err, -EINVAL, "--from-env conflicts with a file");
    if (!str_empty(driver))
        return source || env
                   ? err_set(&c->err, -EINVAL, "When using secret driver secret data must be empty")
                   : 0;
    if (env)
        return read_from_env(c, env, ret);
    if (!source)
        return err_set(&c->err, -EINVAL, "secret file is required");
    return read_payload(c, source, READ_MAX, ret);
}

static int run_create(struct cli *c)
{
    AUTO_SECRET struct secret_buf *data = NULL;
    AUTO_JSON json_t *spec = js_own(json_object()), *answer = NULL;
    int r = api_needs(c, c->path, "1.25");
    if (r)
        return r;
    r = get_payload(c, &data);
    if (r)
        return r;
    js_set_str(spec, "Name", c->args[0]);
    json_object_set_new(spec, "Labels", labels_object(flag_list(c, "label")));
    if (!str_empty(flag_str(c, "driver")))
        js_set_str(js_sub(spec, "Driver"), "Name", flag_str(c, "driver"));
    if (!str_empty(flag_str(c, "template-driver")))
        js_set_str(js_sub(spec, "Templating"), "Name", flag_str(c, "template-driver"));
    r = post_secret(c, "/secrets/create", spec, "Data", true, data, &answer);
    if (!r)
        printf("%s\n", js_str(answer, "ID"));
    return r;
}

static const struct flag create_flags[] = {
    {.name = "driver",
     .letter = 'd',
     .type = "string",
     .help = "Plugin that gives the value when a task needs it"},
    {.name = "from-env", .type = "string", .help = "Take the value of this environment variable"},
    {.name = "from-file",
     .type = "string",
     .help = "Take the value from this file, as the second argument does"},
    {.name = "label",
     .letter = 'l',
     .type = "list",
     .help = "Labels of the secret",
     .check = check_label},
    {.name = "template-driver",
     .type = "string",
     .help = "What expands the value as a template",
     .api = "1.37"},
    FLAG_END,
};
static const struct command create = {
    .name = "create",
    .usage = "[OPTIONS] SECRET [file|-]",
    .about = "Create a secret from a file or STDIN as content",
    .locked = true,
    .flags = create_flags,
    .run = run_create,
    .min = 1,
    .max = 2,
};

/* --- ls --- */

static const struct column columns[] = {{"ID", "ID"},
                                        {"Name", "NAME"},
                                        {"Driver", "DRIVER"},
                                        {"CreatedAt", "CREATED"},
                                        {"UpdatedAt", "UPDATED"},
                                        {"Labels", "LABELS"},
                                        {NULL, NULL}};
static const struct listing listing = {
    .columns = columns,
    .table = "{{.ID}}\t{{.Name}}\t{{.Driver}}\t{{.CreatedAt}}\t{{.UpdatedAt}}",
    .quiet = "{{.ID}}",
    .type = "*secret.secretContext",
};

static json_t *secret_row(json_t *s, int64_t now)
{
    char text[AGE_SIZE];
    json_t *row = row_new(json_object_get(json_object_get(s, "Spec"), "Labels"));
    AUTO_FREE char *labels = labels_text(js_at(s, "Spec.Labels"));
    js_set_str(row, "ID", js_str(s, "ID"));
    js_set_str(row, "Name", js_str(s, "Spec.Name"));
    js_set_str(row, "Driver", js_str(s, "Spec.Driver.Name"));
    js_set_str(row, "CreatedAt", ago_text(js_time(s, "CreatedAt"), now, text));
    js_set_str(row, "UpdatedAt", ago_text(js_time(s, "UpdatedAt"), now, text));
    js_set_str(row, "Labels", labels);
    return row;
}

static int run_ls(struct cli *c)
{
    AUTO_JSON json_t *list = NULL, *rows = js_own(json_array());
    int r = api_needs(c, c->path, "1.25");
    if (!r)
        r = get_list(c, "/secrets", &list);
    if (r)
        return r;
    json_t *s;
    size_t i;
    json_array_foreach(list, i, s) json_array_append_new(rows, secret_row(s, clock_wall_ns()));
    rows_sort(rows, "Name");
    const char *format = flag_str(c, "format");
    if (str_empty(format) && !flag_bool(c, "quiet"))
        format = format_setting(c, "secretFormat");
    return list_print(c, &listing, format, flag_bool(c, "quiet"), rows);
}

static const struct flag ls_flags[] = {
    FLAG_FILTER,
    FLAG_LIST_FORMAT,
    {.name = "quiet", .letter = 'q', .help = "Only show ids"},
    FLAG_END,
};
static const struct command ls = {
    .name = "ls",
    .aliases = "list",
    .paths = "keep secret ls, keep secret list",
    .usage = "[OPTIONS]",
    .about = "List secrets",
    .flags = ls_flags,
    .run = run_ls,
};

/* --- inspect --- */

static int get_secret(struct cli *c, const char *ref, struct buf *ret)
{
    AUTO_FREE char *path = api_path("/secrets/%s", ref);
    if (!*ref)
        return err_set(&c->err, -EINVAL, "invalid secret name or ID: value is empty");
    return api_text(c, "GET", path, NULL, ret);
}

static void pretty_secret(struct cli *c, json_t *o, struct buf *b)
{
    (void)c;
    char text[AGE_SIZE];
    json_t *labels = js_at(o, "Spec.Labels");
    buf_printf(b, "ID:              %s\nName:              %s\n", js_str(o, "ID"),
               js_str(o, "Spec.Name"));
    AUTO_FREE const char **keys = js_sorted_keys(labels);
    buf_str(b, keys[0] ? "Labels:\n" : "");
    for (size_t i = 0; keys[i]; i++) {
        const char *v = str_or(json_string_value(json_object_get(labels, keys[i])), "");
        buf_printf(b, " - %s%s%s\n", keys[i], *v ? "=" : "", v);
    }
    buf_printf(b, "Driver:            %s\n", js_str(o, "Spec.Driver.Name"));
    buf_printf(b, "Created at:        %s\n", go_time(js_time(o, "CreatedAt"), "utc", text));
    buf_printf(b, "Updated at:        %s\n", go_time(js_time(o, "UpdatedAt"), "utc", text));
}

static const struct inspection inspection = {
    .get = get_secret, .pretty = pretty_secret, .env = {.times = true, .nils = true}};

static int run_inspect(struct cli *c)
{
    const char *format = flag_bool(c, "pretty") ? "pretty" : flag_str(c, "format");
    if (format && str_starts(format, "pretty") && format[6])
        return err_set(&c->err, -EINVAL,
                       "cannot supply extra formatting options to the pretty template");
    int r = api_needs(c, c->path, "1.25");
    return r ? r : inspect_run(c, &inspection, format, c->args, c->nargs);
}

static const struct flag inspect_flags[] = {
    FLAG_FORMAT,
    {.name = "pretty", .help = "Print it for people to read"},
    FLAG_END,
};
static const struct command inspect = {
    .name = "inspect",
    .usage = "[OPTIONS] SECRET [SECRET...]",
    .about = "Display detailed information on one or more secrets",
    .flags = inspect_flags,
    .run = run_inspect,
    .min = 1,
    .max = -1,
};

/* --- rm --- */

static int remove_one(struct cli *c, const char *ref)
{
    AUTO_FREE char *path = api_path("/secrets/%s", ref);
    if (!*ref)
        return err_set(&c->err, -EINVAL, "invalid secret name or ID: value is empty");
    return api_call(c, "DELETE", path, NULL, NULL);
}

static int run_rm(struct cli *c)
{
    int r = api_needs(c, c->path, "1.25");
    return r ? r : for_each_arg(c, remove_one);
}

static const struct command rm = {
    .name = "rm",
    .aliases = "remove",
    .paths = "keep secret rm, keep secret remove",
    .usage = "SECRET [SECRET...]",
    .about = "Remove one or more secrets",
    .run = run_rm,
    .min = 1,
    .max = -1,
};

static const struct command *const subs[] = {&create, &inspect, &ls, &rm, NULL};
const struct command cmd_secret = {
    .name = "secret", .about = "Manage Swarm secrets", .subs = subs, .section = SEC_SWARM};
