/* cli/cmd_service_logs.c - `keep service logs`: lines of many tasks, each with the name of its task
 * and node. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include "base/mem.h"
#include "base/str.h"
#include "cli/api.h"
#include "cli/commands.h"
#include "cli/hijack.h"
#include "cli/js.h"
#include "cli/service_impl.h"

enum { ID_SHORT = 12, LINE_MAX_BYTES = 4 << 20 };

struct log_view {
    struct cli *c;
    struct names *names;
    json_t *tasks; /* by id */
    struct demux demux;
    struct buf line[2]; /* a frame that comes in pieces; stdout, stderr */
    unsigned width;     /* digits of the replica count */
    bool timestamps, details;
};

static unsigned digits(long long n)
{
    unsigned d = 1;
    while (n >= 10) {
        n /= 10;
        d++;
    }
    return d;
}

static json_t *task_of(struct log_view *v, const char *id)
{
    json_t *t = json_object_get(v->tasks, id);
    if (t)
        return t;
    AUTO_FREE char *path = api_path("/tasks/%s", id);
    struct err keep = v->c->err;
    if (api_get(v->c, path, &t)) {
        v->c->err = keep; /* its id is all there is to show */
        t = js_own(json_object());
    }
    json_object_set_new(v->tasks, id, t);
    return t;
}

/* "web.1.abcdefghijkl@node1" and blanks up to the width of the largest slot */
static char *prefix(struct log_view *v, const char *task_id, const char *node_id)
{
    struct cli *c = v->c;
    bool no_trunc = flag_bool(c, "no-trunc");
    if (flag_bool(c, "no-resolve"))
        return mem_printf("%.*s@%.*s", no_trunc ? 64 : ID_SHORT, task_id, no_trunc ? 64 : ID_SHORT,
                          node_id);
    json_t *t = task_of(v, task_id);
    long long slot = js_int(t, "Slot");
    const char *service = name_of(c, v->names, "service", js_str(t, "ServiceID"));
    AUTO_FREE char *which = slot ? mem_printf("%s.%lld", service, slot)
                                 : mem_printf("%s.%s", service, js_str(t, "NodeID"));
    AUTO_FREE char *id = mem_printf(".%.*s", no_trunc ? 64 : ID_SHORT, task_id);
    unsigned pad = digits(slot) < v->width ? v->width - digits(slot) : 0;
    return mem_printf("%s%s@%s%*s", which, flag_bool(c, "no-task-ids") ? "" : id,
                      name_of(c, v->names, "node", node_id), (int)pad, "");
}

/* Takes "k=v,k=v" apart: what says where the line is from, and the rest for --details. */
static void read_details(const char *s, size_t n, char *task, char *node, size_t room,
                         struct buf *rest)
{
    while (n) {
        size_t len = 0;
        while (len < n && s[len] != ',')
            len++;
        AUTO_FREE char *kv = mem_strn(s, len);
        if (str_starts(kv, "com.docker.swarm.task.id="))
            str_copy(task, room, kv + 25);
        else if (str_starts(kv, "com.docker.swarm.node.id="))
            str_copy(node, room, kv + 25);
        else if (!str_starts(kv, "com.docker.swarm.service.id="))
            buf_printf(rest, "%s%s", rest->len ? "," : "", kv);
        s += len;
        n -= len;
        if (n) {
            s++;
            n--;
        }
    }
}

static int put_line(struct log_view *v, FILE *out, const char *p, size_t n)
{
    char task[64] = "", node[64] = "";
    AUTO_BUF struct buf rest = BUF_INIT(LINE_MAX_BYTES);
    const char *end = p + n, *stamp = NULL;
    size_t stamp_len = 0;
    buf_str(&rest, "");
    if (v->timestamps) {
        const char *blank = memchr(p, ' ', n);
        if (!blank)
            return err_set(&v->c->err, -EPROTO, "invalid context in log message: %.*s",
                           (int)(n > 200 ? 200 : n), p);
        stamp = p;
        stamp_len = (size_t)(blank - p);
        p = blank + 1;
    }
    const char *blank = memchr(p, ' ', (size_t)(end - p));
    if (!blank)
        return err_set(&v->c->err, -EPROTO, "invalid context in log message: %.*s",
                       (int)(end - p > 200 ? 200 : end - p), p);
    read_details(p, (size_t)(blank - p), task, node, sizeof task, &rest);
    AUTO_FREE char *who = prefix(v, task, node);
    if (stamp)
        fprintf(out, "%.*s ", (int)stamp_len, stamp);
    fprintf(out, "%s    | ", who);
    if (v->details)
        fprintf(out, "%s ", rest.p ? rest.p : "");
    fwrite(blank + 1, 1, (size_t)(end - blank - 1), out);
    fflush(out);
    return 0;
}

static int on_frame(void *ctx, int stream, const char *p, size_t n)
{
    struct log_view *v = ctx;
    if (stream == 3)
        return demux_to_std(v->c, stream, p, n);
    struct buf *b = &v->line[stream == 2];
    buf_append(b, p, n);
    if (b->failed)
        return err_set(&v->c->err, -EFBIG, "a line of the log is too long");
    if (v->demux.left != n) /* more of this frame is to come */
        return 0;
    int r = put_line(v, stream == 2 ? stderr : stdout, b->p, b->len);
    buf_clear(b);
    return r;
}

static int on_data(void *ctx, const char *p, size_t n)
{
    struct log_view *v = ctx;
    return demux_step(&v->demux, p, n);
}

static int on_raw(void *ctx, const char *p, size_t n)
{
    (void)ctx;
    fwrite(p, 1, n, stdout);
    fflush(stdout);
    return 0;
}

static int find_source(struct cli *c, const char *ref, bool *ret_tty, unsigned *ret_width,
                       const char **ret_kind)
{
    AUTO_JSON json_t *o = NULL;
    *ret_kind = "services";
    int r = service_fetch(c, ref, &o);
    if (!r) {
        *ret_tty = js_bool(o, "Spec.TaskTemplate.ContainerSpec.TTY");
        *ret_width = js_at(o, "Spec.Mode.Replicated")
                         ? digits(js_int(o, "Spec.Mode.Replicated.Replicas"))
                         : 0;
        return 0;
    }
    if (r != 404)
        return r;
    AUTO_FREE char *path = api_path("/tasks/%s", ref);
    r = api_get(c, path, &o);
    if (r == 404)
        return err_set(&c->err, r, "no such task or service: %s", ref);
    *ret_kind = "tasks";
    *ret_tty = js_bool(o, "Spec.ContainerSpec.TTY");
    *ret_width = 0;
    return r;
}

static void log_query(struct cli *c, struct buf *path, bool details)
{
    query_add(path, "stdout", "1");
    query_add(path, "stderr", "1");
    if (!str_empty(flag_str(c, "since")))
        query_add(path, "since", flag_str(c, "since"));
    if (flag_bool(c, "timestamps"))
        query_add(path, "timestamps", "1");
    if (details)
        query_add(path, "details", "1");
    if (flag_bool(c, "follow"))
        query_add(path, "follow", "1");
    query_add(path, "tail", str_or(flag_str(c, "tail"), "all"));
}

static int run_logs(struct cli *c)
{
    bool tty = false, raw = flag_bool(c, "raw");
    const char *kind;
    struct log_view v = {
        .c = c, .timestamps = flag_bool(c, "timestamps"), .details = flag_bool(c, "details")};
    int r = find_source(c, c->args[0], &tty, &v.width, &kind);
    if (!r && tty && !raw)
        r = err_set(&c->err, -EINVAL, "tty service logs only supported with --raw");
    if (r)
        return r;
    AUTO_BUF struct buf path = BUF_INIT(1 << 16);
    AUTO_FREE char *name = api_path("/%s/%s/logs", kind, c->args[0]);
    buf_str(&path, name);
    log_query(c, &path, !raw || v.details);
    v.names = names_new();
    v.tasks = js_own(json_object());
    v.line[0] = v.line[1] = BUF_INIT(LINE_MAX_BYTES);
    v.demux.on_data = raw ? demux_to_std : on_frame;
    v.demux.ctx = raw ? (void *)c : (void *)&v;
    struct api_stream s = {
        .method = "GET", .path = path.p, .on_data = tty ? on_raw : on_data, .ctx = &v};
    r = api_stream(c, &s);
    names_free(v.names);
    json_decref(v.tasks);
    buf_free(&v.line[0]);
    buf_free(&v.line[1]);
    return r;
}

static const struct flag flags[] = {
    {.name = "details", .help = "Show what the log driver adds to lines"},
    {.name = "follow", .letter = 'f', .help = "Go on with lines to come"},
    {.name = "no-resolve", .help = "Show ids instead of names"},
    {.name = "no-task-ids", .help = "Leave the ids of tasks out"},
    {.name = "no-trunc", .help = "Do not shorten anything"},
    {.name = "raw", .help = "Print the lines as they are"},
    {.name = "since",
     .type = "string",
     .help = "From this time (\"2013-01-02T13:23:37Z\") or so long ago (\"42m\")"},
    {.name = "tail",
     .letter = 'n',
     .type = "string",
     .help = "How many of the last lines",
     .def = "\"all\""},
    {.name = "timestamps", .letter = 't', .help = "Show when each line was written"},
    FLAG_END,
};
const struct command cmd_service_logs = {.name = "logs",
                                         .usage = "[OPTIONS] SERVICE|TASK",
                                         .about = "Fetch the logs of a service or task",
                                         .flags = flags,
                                         .run = run_logs,
                                         .min = 1,
                                         .max = 1};
