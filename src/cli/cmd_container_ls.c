/* cli/cmd_container_ls.c - `keep ps`. */
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

enum { ID_SHORT = 12, COMMAND_SHORT = 20, MOUNT_SHORT = 15 };

static const struct column columns[] = {{"ID", "CONTAINER ID"},
                                        {"Image", "IMAGE"},
                                        {"Command", "COMMAND"},
                                        {"CreatedAt", "CREATED AT"},
                                        {"RunningFor", "CREATED"},
                                        {"Status", "STATUS"},
                                        {"State", "STATE"},
                                        {"Ports", "PORTS"},
                                        {"Names", "NAMES"},
                                        {"Size", "SIZE"},
                                        {"Labels", "LABELS"},
                                        {"Mounts", "MOUNTS"},
                                        {"LocalVolumes", "LOCAL VOLUMES"},
                                        {"Networks", "NETWORKS"},
                                        {"Platform", "PLATFORM"},
                                        {NULL, NULL}};
#define TABLE                                                                                      \
    "{{.ID}}\t{{.Image}}\t{{.Command}}\t{{.RunningFor}}\t{{.Status}}\t{{.Ports}}\t{{.Names}}"
static const struct listing listing = {
    .columns = columns,
    .table = TABLE,
    .quiet = "{{.ID}}",
    .type = "*formatter.ContainerContext",
    .trouble = "failed to execute template: ",
};

/* As many characters as `keep`, the last of them a sign that more was there. */
static char *shorten(const char *s, size_t keep)
{
    size_t chars = 0, cut = 0, n = 0;
    for (; s[n]; n++) {
        if (((unsigned char)s[n] & 0xc0) == 0x80)
            continue;
        if (chars++ == keep - 1)
            cut = n;
    }
    return chars > keep ? mem_printf("%.*s…", (int)cut, s) : mem_str(s);
}

static char *quoted(const char *s)
{
    struct buf b = BUF_INIT(1 << 20);
    buf_char(&b, '"');
    for (; *s; s++) {
        if (*s == '"' || *s == '\\')
            buf_printf(&b, "\\%c", *s);
        else if (*s == '\n')
            buf_str(&b, "\\n");
        else if (*s == '\t')
            buf_str(&b, "\\t");
        else
            buf_char(&b, *s);
    }
    buf_char(&b, '"');
    return buf_take(&b);
}

struct port {
    const char *ip, *type;
    int64_t public, private;
};

static int by_port(const void *a, const void *b)
{
    const struct port *x = a, *y = b;
    int64_t d = x->private - y->private;
    d = d ? d : strcmp(x->ip, y->ip);
    d = d ? d : x->public - y->public;
    d = d ? d : strcmp(x->type, y->type);
    return d < 0 ? -1 : d > 0;
}

/* Neighbouring ports of one address and protocol, written as one range. */
struct range {
    const char *ip, *type;
    int64_t first, last;
};

static void put_range(struct buf *b, const struct range *r)
{
    AUTO_FREE char *span = r->first == r->last
                               ? mem_printf("%lld", (long long)r->first)
                               : mem_printf("%lld-%lld", (long long)r->first, (long long)r->last);
    bool six = strchr(r->ip, ':');
    buf_str(b, b->len ? ", " : "");
    if (*r->ip)
        buf_printf(b, "%s%s%s:%s->", six ? "[" : "", r->ip, six ? "]" : "", span);
    buf_printf(b, "%s/%s", span, r->type);
}

static void put_mapping(struct buf *b, const struct port *p)
{
    bool six = strchr(p->ip, ':');
    buf_printf(b, "%s%s%s%s:%lld->%lld/%s", b->len ? ", " : "", six ? "[" : "", p->ip,
               six ? "]" : "", (long long)p->public, (long long)p->private, p->type);
}

/* Adds a port to the range of its address, or writes that range out and begins a new one. */
static size_t add_to_range(struct buf *b, struct range *ranges, size_t n, const struct port *p)
{
    for (size_t i = 0; i < n; i++) {
        struct range *r = &ranges[i];
        if (!str_eq(r->ip, p->ip) || !str_eq(r->type, p->type))
            continue;
        if (p->private != r->last + 1) {
            put_range(b, r);
            r->first = p->private;
        }
        r->last = p->private;
        return n;
    }
    ranges[n] = (struct range){p->ip, p->type, p->private, p->private};
    return n + 1;
}

/* Ports that are published under another number are not put together, and come last. */
static char *ports_text(json_t *ports)
{
    size_t count = json_array_size(ports), i, n = 0, nranges = 0;
    AUTO_FREE struct port *list = mem_array(count + 1, sizeof *list);
    AUTO_FREE struct range *ranges = mem_array(count + 1, sizeof *ranges);
    AUTO_BUF struct buf moved = BUF_INIT(1 << 16);
    struct buf b = BUF_INIT(1 << 16);
    json_t *p;
    json_array_foreach(ports, i, p)
    {
        list[n++] = (struct port){js_str(p, "IP"), js_str(p, "Type"), js_int(p, "PublicPort"),
                                  js_int(p, "PrivatePort")};
    }
    qsort(list, n, sizeof *list, by_port);
    buf_str(&b, "");
    for (i = 0; i < n; i++) {
        if (*list[i].ip && list[i].public != list[i].private)
            put_mapping(&moved, &list[i]);
        else
            nranges = add_to_range(&b, ranges, nranges, &list[i]);
    }
    for (i = 0; i < nranges; i++)
        put_range(&b, &ranges[i]);
    if (moved.len)
        buf_printf(&b, "%s%s", b.len ? ", " : "", moved.p);
    return b.p ? buf_take(&b) : mem_str("");
}

static char *names_text(json_t *names, bool trunc)
{
    struct buf b = BUF_INIT(1 << 16);
    json_t *v;
    size_t i;
    buf_str(&b, "");
    json_array_foreach(names, i, v)
    {
        const char *s = str_or(json_string_value(v), "");
        s += *s == '/';
        if (trunc && strchr(s, '/'))
            continue; /* the name under which a link knows it */
        buf_printf(&b, "%s%s", b.len ? "," : "", s);
    }
    return b.p ? buf_take(&b) : mem_str("");
}

static void set_mounts(json_t *row, json_t *mounts, bool trunc)
{
    AUTO_BUF struct buf b = BUF_INIT(1 << 16);
    json_t *m;
    size_t i;
    int64_t local = 0;
    char count[24];
    buf_str(&b, "");
    json_array_foreach(mounts, i, m)
    {
        const char *name = *js_str(m, "Name") ? js_str(m, "Name") : js_str(m, "Source");
        AUTO_FREE char *text = trunc ? shorten(name, MOUNT_SHORT) : mem_str(name);
        buf_printf(&b, "%s%s", b.len ? "," : "", text);
        local += str_eq(js_str(m, "Driver"), "local");
    }
    snprintf(count, sizeof count, "%lld", (long long)local);
    js_set_str(row, "Mounts", b.p ? b.p : "");
    js_set_str(row, "LocalVolumes", count);
}

static void set_size(json_t *row, json_t *o)
{
    char rw[AGE_SIZE], all[AGE_SIZE];
    size_decimal((double)js_int(o, "SizeRw"), 3, rw);
    if (js_int(o, "SizeRootFs") > 0) {
        AUTO_FREE char *both = mem_printf("%s (virtual %s)", rw,
                                          size_decimal((double)js_int(o, "SizeRootFs"), 3, all));
        js_set_str(row, "Size", both);
    } else {
        js_set_str(row, "Size", rw);
    }
}

static json_t *container_row(json_t *o, bool trunc, int64_t now)
{
    char text[AGE_SIZE];
    json_t *labels = json_object_get(o, "Labels"),
           *row = row_new(json_is_object(labels) ? labels : NULL);
    int64_t created = js_int(o, "Created") * NS_PER_SEC;
    const char *image = js_str(o, "Image");
    AUTO_FREE char *id = mem_strn(js_str(o, "Id"), trunc ? ID_SHORT : 64),
                   *names = names_text(json_object_get(o, "Names"), trunc);
    AUTO_FREE char *cut =
        trunc ? shorten(js_str(o, "Command"), COMMAND_SHORT) : mem_str(js_str(o, "Command"));
    AUTO_FREE char *command = quoted(cut), *ports = ports_text(json_object_get(o, "Ports")),
                   *l = labels_text(labels);
    if (str_starts(image, "sha256:") && trunc)
        image += 7;
    AUTO_FREE char *short_image =
        mem_strn(image, trunc && str_is_hex(image, 64) ? ID_SHORT : strlen(image));
    js_set_str(row, "ID", id);
    js_set_str(row, "Names", names);
    js_set_str(row, "Image", *short_image ? short_image : "<no image>");
    js_set_str(row, "Command", command);
    js_set_str(row, "CreatedAt", go_time(created, "UTC", text));
    js_set_str(row, "RunningFor", ago_text(created, now, text));
    js_set_str(row, "Ports", ports);
    js_set_str(row, "State", js_str(o, "State"));
    js_set_str(row, "Status", js_str(o, "Status"));
    js_set_str(row, "Labels", l);
    json_object_set_new(row, "Platform", json_null());
    set_size(row, o);
    set_mounts(row, json_object_get(o, "Mounts"), trunc);
    AUTO_FREE const char **nets = js_sorted_keys(js_at(o, "NetworkSettings.Networks"));
    AUTO_BUF struct buf b = BUF_INIT(1 << 16);
    buf_str(&b, "");
    for (size_t i = 0; nets[i]; i++)
        buf_printf(&b, "%s%s", i ? "," : "", nets[i]);
    js_set_str(row, "Networks", b.p ? b.p : "");
    return row;
}

static int run_ls(struct cli *c)
{
    AUTO_BUF struct buf path = BUF_INIT(1 << 20);
    AUTO_JSON json_t *list = NULL, *rows = js_own(json_array());
    const char *format = flag_str(c, "format");
    bool quiet = flag_bool(c, "quiet"), size = flag_bool(c, "size"),
         trunc = !flag_bool(c, "no-trunc");
    int64_t last = flag_bool(c, "latest") ? 1 : flag_int(c, "last", -1);
    char number[24];
    if (str_empty(format) && !quiet)
        format = format_setting(c, "psFormat");
    buf_str(&path, "/containers/json");
    if (flag_bool(c, "all") || last > 0)
        query_add(&path, "all", "1");
    if (last > 0) {
        snprintf(number, sizeof number, "%lld", (long long)last);
        query_add(&path, "limit", number);
    }
    if (size || (format && strstr(format, ".Size")))
        query_add(&path, "size", "1");
    query_filters(&path, flag_list(c, "filter"));
    int r = api_get(c, path.p, &list);
    if (r)
        return r;
    json_t *o;
    size_t i;
    json_array_foreach(list, i, o)
        json_array_append_new(rows, container_row(o, trunc, clock_wall_ns()));
    struct listing l = listing;
    if (size)
        l.table = TABLE "\t{{.Size}}";
    return list_print(c, &l, format, quiet, rows);
}

static const struct flag flags[] = {
    {.name = "all", .letter = 'a', .help = "Also show containers that do not run"},
    FLAG_FILTER,
    FLAG_LIST_FORMAT,
    {.name = "last",
     .letter = 'n',
     .type = "int",
     .help = "Only the n newest, in any state",
     .def = "-1"},
    {.name = "latest", .letter = 'l', .help = "Only the newest, in any state"},
    {.name = "no-trunc", .help = "Do not shorten anything"},
    {.name = "quiet", .letter = 'q', .help = "Only show ids"},
    {.name = "size", .letter = 's', .help = "Also show how much room they take"},
    FLAG_END,
};
#define PATHS "keep container ls, keep container list, keep container ps, keep ps"
const struct command cmd_container_ls = {.name = "ls",
                                         .aliases = "list ps",
                                         .paths = PATHS,
                                         .usage = "[OPTIONS]",
                                         .about = "List containers",
                                         .flags = flags,
                                         .run = run_ls};
const struct command cmd_ps = {.name = "ps",
                               .paths = PATHS,
                               .usage = "[OPTIONS]",
                               .about = "List containers",
                               .flags = flags,
                               .run = run_ls,
                               .section = SEC_COMMON};
