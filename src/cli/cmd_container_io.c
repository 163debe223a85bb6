/* cli/cmd_container_io.c - what is read out of containers: logs, diff, top, port, cp, export,
 * commit. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "base/clock.h"
#include "base/mem.h"
#include "base/str.h"
#include "cli/api.h"
#include "cli/commands.h"
#include "cli/hijack.h"
#include "cli/js.h"
#include "cli/service_spec.h"
#include "cli/table.h"

#define PATHS(word) "keep container " word ", keep " word

static int to_stdout(void *ctx, const char *p, size_t n)
{
    (void)ctx;
    bool ok = fwrite(p, 1, n, stdout) == n && !fflush(stdout);
    return ok ? 0 : -EIO;
}

static int to_demux(void *ctx, const char *p, size_t n)
{
    return demux_step(ctx, p, n);
}

/* --- logs --- */

/* What the engine takes: seconds since 1970, or a time that it reads itself. */
static int add_time(struct cli *c, struct buf *path, const char *flag)
{
    const char *s = flag_str(c, flag);
    int64_t ns;
    char text[48];
    if (str_empty(s))
        return 0;
    if (time_parse_query(s, clock_wall_ns(), &ns))
        return err_set(
            &c->err, -EINVAL,
            "invalid value for \"%s\": failed to parse value as time or duration: \"%s\"", flag, s);
    snprintf(text, sizeof text, "%lld.%09lld", (long long)(ns / NS_PER_SEC),
             (long long)(ns % NS_PER_SEC));
    query_add(path, flag, text);
    return 0;
}

static int run_logs(struct cli *c)
{
    AUTO_JSON json_t *o = NULL;
    AUTO_BUF struct buf path = BUF_INIT(1 << 16);
    AUTO_FREE char *inspect = api_path("/containers/%s/json", c->args[0]),
                   *logs = api_path("/containers/%s/logs", c->args[0]);
    int r = api_get(c, inspect, &o);
    if (r)
        return r;
    buf_str(&path, logs);
    if (flag_bool(c, "details"))
        query_add(&path, "details", "1");
    if (flag_bool(c, "follow"))
        query_add(&path, "follow", "1");
    r = add_time(c, &path, "since");
    if (r)
        return r;
    query_add(&path, "stderr", "1");
    query_add(&path, "stdout", "1");
    query_add(&path, "tail", str_or(flag_str(c, "tail"), "all"));
    if (flag_bool(c, "timestamps"))
        query_add(&path, "timestamps", "1");
    r = add_time(c, &path, "until");
    if (r)
        return r;
    struct demux d = {.on_data = demux_to_std, .ctx = c};
    bool tty = js_bool(o, "Config.Tty");
    struct api_stream s = {
        .method = "GET", .path = path.p, .on_data = tty ? to_stdout : to_demux, .ctx = &d};
    return api_stream(c, &s);
}

static const struct flag logs_flags[] = {
    {.name = "details", .help = "Show what the log driver adds to lines"},
    {.name = "follow", .letter = 'f', .help = "Go on with lines to come"},
    {.name = "since",
     .type = "string",
     .help = "From this time (\"2013-01-02T13:23:37Z\") or so long ago (\"42m\")"},
    {.name = "tail",
     .letter = 'n',
     .type = "string",
     .help = "How many of the last lines",
     .def = "\"all\""},
    {.name = "timestamps", .letter = 't', .help = "Show when each line was written"},
    {.name = "until",
     .type = "string",
     .help = "Up to this time (\"2013-01-02T13:23:37Z\") or so long ago (\"42m\")"},
    FLAG_END,
};
const struct command cmd_logs = {.name = "logs",
                                 .paths = PATHS("logs"),
                                 .usage = "[OPTIONS] CONTAINER",
                                 .about = "Fetch the logs of a container",
                                 .flags = logs_flags,
                                 .run = run_logs,
                                 .min = 1,
                                 .max = 1};

/* --- diff, top, port --- */

static int run_diff(struct cli *c)
{
    AUTO_JSON json_t *list = NULL;
    AUTO_FREE char *path = api_path("/containers/%s/changes", c->args[0]);
    static const char kinds[] = "CAD";
    int r = api_get(c, path, &list);
    json_t *o;
    size_t i;
    json_array_foreach(list, i, o)
    {
        int64_t kind = js_int(o, "Kind");
        printf("%c %s\n", kind >= 0 && kind < 3 ? kinds[kind] : '?', js_str(o, "Path"));
    }
    return r;
}

const struct command cmd_diff = {
    .name = "diff",
    .paths = PATHS("diff"),
    .usage = "CONTAINER",
    .about = "Inspect changes to files or directories on a container's filesystem",
    .run = run_diff,
    .min = 1,
    .max = 1};

static void put_row(struct buf *b, json_t *row)
{
    json_t *v;
    size_t i;
    json_array_foreach(row, i, v)
        buf_printf(b, "%s%s", i ? "\t" : "", str_or(json_string_value(v), ""));
    buf_char(b, '\n');
}

static int run_top(struct cli *c)
{
    enum { LEAST = 20, GAP = 3 };
    AUTO_JSON json_t *o = NULL;
    AUTO_BUF struct buf path = BUF_INIT(1 << 16), args = BUF_INIT(1 << 16), b = BUF_INIT(1 << 20),
                        out = BUF_INIT(1 << 22);
    AUTO_FREE char *name = api_path("/containers/%s/top", c->args[0]);
    buf_str(&path, name);
    for (size_t i = 1; i < c->nargs; i++)
        buf_printf(&args, "%s%s", i > 1 ? " " : "", c->args[i]);
    if (args.len)
        query_add(&path, "ps_args", args.p);
    int r = api_get(c, path.p, &o);
    if (r)
        return r;
    put_row(&b, json_object_get(o, "Titles"));
    json_t *row;
    size_t i;
    json_array_foreach(json_object_get(o, "Processes"), i, row) put_row(&b, row);
    table_layout(b.p, LEAST, GAP, &out);
    fputs(out.p, stdout);
    return 0;
}

const struct command cmd_top = {.name = "top",
                                .paths = PATHS("top"),
                                .usage = "CONTAINER [ps OPTIONS]",
                                .about = "Display the running processes of a container",
                                .run = run_top,
                                .min = 1,
                                .max = -1,
                                .greedy = true};

static void put_bindings(const char *port, json_t *bindings, bool with_port)
{
    json_t *bnd;
    size_t i;
    json_array_foreach(bindings, i, bnd)
    {
        const char *ip = js_str(bnd, "HostIp");
        bool six = strchr(ip, ':');
        if (with_port)
            printf("%s -> ", port);
        printf("%s%s%s:%s\n", six ? "[" : "", ip, six ? "]" : "", js_str(bnd, "HostPort"));
    }
}

static int run_port(struct cli *c)
{
    AUTO_JSON json_t *o = NULL;
    AUTO_FREE char *path = api_path("/containers/%s/json", c->args[0]);
    int r = api_get(c, path, &o);
    if (r)
        return r;
    json_t *ports = js_at(o, "NetworkSettings.Ports");
    if (c->nargs == 2) {
        AUTO_FREE char *want =
            strchr(c->args[1], '/') ? mem_str(c->args[1]) : mem_printf("%s/tcp", c->args[1]);
        json_t *bindings = json_object_get(ports, want);
        if (!json_array_size(bindings))
            return err_set(&c->err, -ENOENT, "no public port '%s' published for %s", want,
                           c->args[0]);
        put_bindings(want, bindings, false);
        return 0;
    }
    AUTO_FREE const char **keys = js_sorted_keys(ports);
    for (size_t i = 0; keys[i]; i++)
        put_bindings(keys[i], json_object_get(ports, keys[i]), true);
    return 0;
}

const struct command cmd_port = {.name = "port",
                                 .paths = PATHS("port"),
                                 .usage = "CONTAINER [PRIVATE_PORT[/PROTO]]",
                                 .about =
                                     "List port mappings or a specific mapping for the container",
                                 .run = run_port,
                                 .min = 1,
                                 .max = 2};

/* --- cp --- */

static size_t from_stdin(void *ctx, char *p, size_t n)
{
    (void)ctx;
    ssize_t got;
    while ((got = read(0, p, n)) < 0 && errno == EINTR)
        continue;
    return got < 0 ? (size_t)-1 : (size_t)got;
}

/* "CONTAINER:PATH"; NULL for a path of this machine. */
static char *container_side(const char *s, const char **ret_path)
{
    const char *colon = strchr(s, ':');
    if (!colon || *s == '/' || *s == '.')
        return NULL;
    *ret_path = colon + 1;
    return mem_strn(s, (size_t)(colon - s));
}

static int copy_out(struct cli *c, const char *container, const char *path)
{
    AUTO_BUF struct buf p = BUF_INIT(1 << 16);
    AUTO_FREE char *name = api_path("/containers/%s/archive", container);
    buf_str(&p, name);
    query_add(&p, "path", path);
    if (isatty(1))
        return err_set(&c->err, -EINVAL,
                       "refusing to write a tar archive to the terminal: redirect standard output");
    struct api_stream s = {.method = "GET", .path = p.p, .on_data = to_stdout};
    int r = api_stream(c, &s);
    return r == -EIO ? err_set(&c->err, r, "standard output: write error") : r;
}

static int copy_in(struct cli *c, const char *container, const char *path)
{
    AUTO_BUF struct buf p = BUF_INIT(1 << 16);
    AUTO_FREE char *name = api_path("/containers/%s/archive", container);
    buf_str(&p, name);
    query_add(&p, "noOverwriteDirNonDir", "true");
    query_add(&p, "path", path);
    if (flag_bool(c, "archive"))
        query_add(&p, "copyUIDGID", "true");
    struct api_stream s = {.method = "PUT", .path = p.p, .read = from_stdin};
    return api_stream(c, &s);
}

static int run_cp(struct cli *c)
{
    const char *from_path = NULL, *to_path = NULL;
    AUTO_FREE char *from = container_side(c->args[0], &from_path),
                   *to = container_side(c->args[1], &to_path);
    if (from && to)
        return err_set(&c->err, -EINVAL, "copying between containers is not supported");
    if (from && str_eq(c->args[1], "-"))
        return copy_out(c, from, from_path);
    if (to && str_eq(c->args[0], "-"))
        return copy_in(c, to, to_path);
    if (!from && !to)
        return err_set(&c->err, -EINVAL, "must specify at least one container source");
    return err_set(
        &c->err, -ENOTSUP,
        "copying to and from files is not there yet: use '-' and tar, as in '%s %s - | tar x'",
        c->path, from ? c->args[0] : c->args[1]);
}

static const struct flag cp_flags[] = {
    {.name = "archive", .letter = 'a', .help = "Keep the owners"},
    {.name = "follow-link", .letter = 'L', .help = "Copy what a link in SRC_PATH points to"},
    {.name = "quiet", .letter = 'q', .help = "Show no progress"},
    FLAG_END,
};
const struct command cmd_cp = {
    .name = "cp",
    .paths = PATHS("cp"),
    .usage = "[OPTIONS] CONTAINER:SRC_PATH DEST_PATH|-\n\tkeep cp [OPTIONS] SRC_PATH|- "
             "CONTAINER:DEST_PATH",
    .about = "Copy files/folders between a container and the local filesystem",
    .more = "With '-' as the destination the container's files come out as a tar archive,\n"
            "with '-' as the source a tar archive on standard input goes in.",
    .flags = cp_flags,
    .run = run_cp,
    .min = 2,
    .max = 2};

/* --- commit --- */

static int run_commit(struct cli *c)
{
    AUTO_BUF struct buf path = BUF_INIT(1 << 20);
    AUTO_JSON json_t *o = NULL;
    AUTO_FREE char *tag = NULL, *repo = NULL;
    if (c->nargs == 2 && *c->args[1]) {
        repo = image_full_name(c->args[1], &tag, &c->err);
        if (!repo)
            return 1;
    }
    buf_str(&path, "/commit");
    query_add(&path, "author", str_or(flag_str(c, "author"), ""));
    for (const char *const *v = flag_list(c, "change"); *v; v++)
        query_add(&path, "changes", *v);
    query_add(&path, "comment", str_or(flag_str(c, "message"), ""));
    query_add(&path, "container", c->args[0]);
    if (!flag_bool(c, "pause"))
        query_add(&path, "pause", "0");
    query_add(&path, "repo", repo ? repo : "");
    query_add(&path, "tag", tag ? tag : "");
    int r = api_call(c, "POST", path.p, NULL, &o);
    if (!r)
        printf("%s\n", js_str(o, "Id"));
    return r;
}

static const struct flag commit_flags[] = {
    {.name = "author", .letter = 'a', .type = "string", .help = "Who made it"},
    {.name = "change",
     .letter = 'c',
     .type = "list",
     .help = "Dockerfile instruction for the new image"},
    {.name = "message", .letter = 'm', .type = "string", .help = "Why it was made"},
    {.name = "pause", .letter = 'p', .help = "Pause the container meanwhile", .def = "true"},
    FLAG_END,
};
const struct command cmd_commit = {.name = "commit",
                                   .paths = PATHS("commit"),
                                   .usage = "[OPTIONS] CONTAINER [REPOSITORY[:TAG]]",
                                   .about = "Create a new image from a container's changes",
                                   .flags = commit_flags,
                                   .run = run_commit,
                                   .min = 1,
                                   .max = 2};
