/* cli/cmd_image.c - `keep image`: ls, rm, tag, inspect, history. What carries images about is in
 * cmd_image_io.c. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include "base/clock.h"
#include "base/mem.h"
#include "base/str.h"
#include "cli/age.h"
#include "cli/api.h"
#include "cli/commands.h"
#include "cli/format.h"
#include "cli/js.h"
#include "cli/prune_impl.h"
#include "cli/service_spec.h"

enum { ID_SHORT = 12, BY_SHORT = 45 };

/* --- ls --- */

static const struct column columns[] = {{"ID", "IMAGE ID"},
                                        {"Repository", "REPOSITORY"},
                                        {"Tag", "TAG"},
                                        {"Digest", "DIGEST"},
                                        {"CreatedSince", "CREATED"},
                                        {"CreatedAt", "CREATED AT"},
                                        {"Size", "SIZE"},
                                        {"Containers", "CONTAINERS"},
                                        {"VirtualSize", "SIZE"},
                                        {"SharedSize", "SHARED SIZE"},
                                        {"UniqueSize", "UNIQUE SIZE"},
                                        {NULL, NULL}};
static const struct listing listing = {
    .columns = columns,
    .table = "{{.Repository}}\t{{.Tag}}\t{{.ID}}\t{{.CreatedSince}}\t{{.Size}}",
    .quiet = "{{.ID}}",
    .type = "*formatter.imageContext",
    .trouble = "failed to execute template: ",
};

static const char *plain_id(const char *id)
{
    return str_starts(id, "sha256:") ? id + 7 : id;
}

static void add_row(json_t *rows, json_t *o, const char *repo, const char *tag, const char *digest,
                    bool trunc)
{
    char text[AGE_SIZE];
    int64_t created = js_int(o, "Created") * NS_PER_SEC;
    json_t *row = row_new(NULL);
    AUTO_FREE char *id =
        trunc ? mem_strn(plain_id(js_str(o, "Id")), ID_SHORT) : mem_str(js_str(o, "Id"));
    js_set_str(row, "ID", id);
    js_set_str(row, "Repository", repo);
    js_set_str(row, "Tag", tag);
    js_set_str(row, "Digest", digest);
    js_set_str(row, "CreatedSince", ago_text(created, clock_wall_ns(), text));
    js_set_str(row, "CreatedAt", go_time(created, "UTC", text));
    js_set_str(row, "Size", size_decimal((double)js_int(o, "Size"), 3, text));
    js_set_str(row, "VirtualSize", size_decimal((double)js_int(o, "Size"), 4, text));
    js_set_str(row, "Containers", "N/A");
    js_set_str(row, "SharedSize", "N/A");
    js_set_str(row, "UniqueSize", "N/A");
    json_array_append_new(rows, row);
}

/* One row for each name of an image, or one without a name. */
static void image_rows(json_t *rows, json_t *o, bool trunc)
{
    json_t *t;
    size_t i;
    bool any = false;
    json_array_foreach(json_object_get(o, "RepoTags"), i, t)
    {
        const char *name = str_or(json_string_value(t), ""), *colon = strrchr(name, ':');
        if (str_eq(name, "<none>:<none>") || !colon)
            continue;
        AUTO_FREE char *repo = mem_strn(name, (size_t)(colon - name));
        add_row(rows, o, repo, colon + 1, "<none>", trunc);
        any = true;
    }
    if (!any)
        add_row(rows, o, "<none>", "<none>", "<none>", trunc);
}

static int run_ls(struct cli *c)
{
    AUTO_BUF struct buf path = BUF_INIT(1 << 20);
    AUTO_JSON json_t *list = NULL, *rows = js_own(json_array());
    AUTO_STRV char **filters = strv_dup(flag_list(c, "filter"));
    const char *format = flag_str(c, "format");
    if (c->nargs)
        strv_push(&filters, mem_printf("reference=%s", c->args[0]));
    buf_str(&path, "/images/json");
    if (flag_bool(c, "all"))
        query_add(&path, "all", "1");
    query_filters(&path, (const char *const *)filters);
    int r = api_get(c, path.p, &list);
    if (r)
        return r;
    json_t *o;
    size_t i;
    json_array_foreach(list, i, o) image_rows(rows, o, !flag_bool(c, "no-trunc"));
    if (str_empty(format) && !flag_bool(c, "quiet"))
        format = format_setting(c, "imagesFormat");
    struct listing l = listing;
    if (flag_bool(c, "digests"))
        l.table = "{{.Repository}}\t{{.Tag}}\t{{.Digest}}\t{{.ID}}\t{{.CreatedSince}}\t{{.Size}}";
    return list_print(c, &l, format, flag_bool(c, "quiet"), rows);
}

static const struct flag ls_flags[] = {
    {.name = "all", .letter = 'a', .help = "Also show images in between"},
    {.name = "digests", .help = "Show digests"},
    FLAG_FILTER,
    FLAG_LIST_FORMAT,
    {.name = "no-trunc", .help = "Do not shorten anything"},
    {.name = "quiet", .letter = 'q', .help = "Only show ids"},
    FLAG_END,
};
#define LS_PATHS "keep image ls, keep image list, keep images"
const struct command cmd_image_ls = {.name = "ls",
                                     .aliases = "list",
                                     .paths = LS_PATHS,
                                     .usage = "[OPTIONS] [REPOSITORY[:TAG]]",
                                     .about = "List images",
                                     .flags = ls_flags,
                                     .run = run_ls,
                                     .max = 1};
const struct command cmd_images = {.name = "images",
                                   .paths = LS_PATHS,
                                   .usage = "[OPTIONS] [REPOSITORY[:TAG]]",
                                   .about = "List images",
                                   .flags = ls_flags,
                                   .run = run_ls,
                                   .max = 1,
                                   .section = SEC_COMMON};

/* --- rm --- */

static int remove_one(struct cli *c, const char *ref)
{
    AUTO_BUF struct buf path = BUF_INIT(1 << 16);
    AUTO_JSON json_t *list = NULL;
    AUTO_FREE char *name = api_path("/images/%s", ref);
    buf_str(&path, name);
    if (flag_bool(c, "force"))
        query_add(&path, "force", "1");
    if (flag_bool(c, "no-prune"))
        query_add(&path, "noprune", "1");
    int r = api_call(c, "DELETE", path.p, NULL, &list);
    json_t *o;
    size_t i;
    json_array_foreach(list, i, o)
    {
        if (*js_str(o, "Deleted"))
            printf("Deleted: %s\n", js_str(o, "Deleted"));
        else
            printf("Untagged: %s\n", js_str(o, "Untagged"));
    }
    return r;
}

static int run_rm(struct cli *c)
{
    int bad = 0;
    for (size_t i = 0; i < c->nargs; i++) {
        int r = remove_one(c, c->args[i]);
        bad |= report(c, r) && !(r == 404 && flag_bool(c, "force"));
    }
    return bad;
}

static const struct flag rm_flags[] = {
    {.name = "force", .letter = 'f', .help = "Also remove it when it is in use"},
    {.name = "no-prune", .help = "Leave its parents without a name alone"},
    FLAG_END,
};
#define RM_PATHS "keep image rm, keep image remove, keep rmi"
const struct command cmd_image_rm = {.name = "rm",
                                     .aliases = "remove",
                                     .paths = RM_PATHS,
                                     .usage = "[OPTIONS] IMAGE [IMAGE...]",
                                     .about = "Remove one or more images",
                                     .flags = rm_flags,
                                     .run = run_rm,
                                     .min = 1,
                                     .max = -1};
const struct command cmd_rmi = {.name = "rmi",
                                .paths = RM_PATHS,
                                .usage = "[OPTIONS] IMAGE [IMAGE...]",
                                .about = "Remove one or more images",
                                .flags = rm_flags,
                                .run = run_rm,
                                .min = 1,
                                .max = -1};

/* --- tag --- */

static int run_tag(struct cli *c)
{
    AUTO_BUF struct buf path = BUF_INIT(1 << 16);
    AUTO_FREE char *tag = NULL, *repo = image_full_name(c->args[1], &tag, &c->err),
                   *name = api_path("/images/%s/tag", c->args[0]);
    if (!repo)
        return err_wrap(&c->err, -EINVAL,
                        "Error parsing reference: \"%s\" is not a valid repository/tag",
                        c->args[1]);
    buf_str(&path, name);
    query_add(&path, "repo", repo);
    query_add(&path, "tag", tag);
    return api_call(c, "POST", path.p, NULL, NULL);
}

const struct command cmd_tag = {.name = "tag",
                                .paths = "keep image tag, keep tag",
                                .usage = "SOURCE_IMAGE[:TAG] TARGET_IMAGE[:TAG]",
                                .about = "Create a tag TARGET_IMAGE that refers to SOURCE_IMAGE",
                                .run = run_tag,
                                .min = 2,
                                .max = 2};

/* --- inspect --- */

static int get_image(struct cli *c, const char *ref, struct buf *ret)
{
    AUTO_FREE char *path = api_path("/images/%s/json", ref);
    return api_text(c, "GET", path, NULL, ret);
}

static const struct inspection inspection = {.get = get_image};

static int run_inspect(struct cli *c)
{
    return inspect_run(c, &inspection, flag_str(c, "format"), c->args, c->nargs);
}

static const struct flag inspect_flags[] = {FLAG_FORMAT, FLAG_END};
static const struct command inspect = {.name = "inspect",
                                       .usage = "[OPTIONS] IMAGE [IMAGE...]",
                                       .about =
                                           "Display detailed information on one or more images",
                                       .flags = inspect_flags,
                                       .run = run_inspect,
                                       .min = 1,
                                       .max = -1};

/* --- history --- */

static const struct column history_columns[] = {{"ID", "IMAGE"},
                                                {"CreatedSince", "CREATED"},
                                                {"CreatedAt", "CREATED AT"},
                                                {"CreatedBy", "CREATED BY"},
                                                {"Size", "SIZE"},
                                                {"Comment", "COMMENT"},
                                                {NULL, NULL}};
static const struct listing history_listing = {
    .columns = history_columns,
    .table = "{{.ID}}\t{{.CreatedSince}}\t{{.CreatedBy}}\t{{.Size}}\t{{.Comment}}",
    .quiet = "{{.ID}}",
    .type = "*formatter.historyContext",
    .trouble = "failed to execute template: ",
};

static json_t *history_row(json_t *o, bool trunc, bool human)
{
    char text[AGE_SIZE], number[24];
    json_t *row = row_new(NULL);
    int64_t created = js_int(o, "Created") * NS_PER_SEC;
    AUTO_FREE char *by = mem_str(js_str(o, "CreatedBy"));
    const char *id = js_str(o, "Id");
    for (char *p = by; *p; p++)
        *p = *p == '\t' ? ' ' : *p;
    AUTO_FREE char *cut =
        trunc && strlen(by) > BY_SHORT ? mem_printf("%.*s…", BY_SHORT - 1, by) : mem_str(by);
    AUTO_FREE char *short_id = trunc ? mem_strn(plain_id(id), ID_SHORT) : mem_str(id);
    snprintf(number, sizeof number, "%lld", (long long)js_int(o, "Size"));
    js_set_str(row, "ID", short_id);
    js_set_str(row, "CreatedAt", go_time(created, "UTC", text));
    js_set_str(row, "CreatedSince",
               human ? ago_text(created, clock_wall_ns(), text) : go_time(created, "UTC", text));
    js_set_str(row, "CreatedBy", cut);
    js_set_str(row, "Size", human ? size_decimal((double)js_int(o, "Size"), 3, text) : number);
    js_set_str(row, "Comment", js_str(o, "Comment"));
    return row;
}

static int run_history(struct cli *c)
{
    AUTO_JSON json_t *list = NULL, *rows = js_own(json_array());
    AUTO_FREE char *path = api_path("/images/%s/history", c->args[0]);
    int r = api_get(c, path, &list);
    if (r)
        return r;
    json_t *o;
    size_t i;
    json_array_foreach(list, i, o) json_array_append_new(
        rows, history_row(o, !flag_bool(c, "no-trunc"), flag_bool(c, "human")));
    return list_print(c, &history_listing, flag_str(c, "format"), flag_bool(c, "quiet"), rows);
}

static const struct flag history_flags[] = {
    FLAG_LIST_FORMAT,
    {.name = "human", .letter = 'H', .help = "Sizes and times in words", .def = "true"},
    {.name = "no-trunc", .help = "Do not shorten anything"},
    {.name = "quiet", .letter = 'q', .help = "Only show ids"},
    FLAG_END,
};
const struct command cmd_history = {.name = "history",
                                    .paths = "keep image history, keep history",
                                    .usage = "[OPTIONS] IMAGE",
                                    .about = "Show the history of an image",
                                    .flags = history_flags,
                                    .run = run_history,
                                    .min = 1,
                                    .max = 1};

static const struct command *const subs[] = {&cmd_history,  &cmd_import,      &inspect,  &cmd_load,
                                             &cmd_image_ls, &cmd_image_prune, &cmd_pull, &cmd_push,
                                             &cmd_image_rm, &cmd_save,        &cmd_tag,  NULL};
const struct command cmd_image = {
    .name = "image", .about = "Manage images", .subs = subs, .section = SEC_MANAGE};
