/* cli/cmd_system.c - `keep version`, `events`, `inspect` and the group `system`. `info` is in
 * cmd_info.c. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/utsname.h>
#include "base/clock.h"
#include "base/mem.h"
#include "base/str.h"
#include "cli/about.h"
#include "cli/age.h"
#include "cli/api.h"
#include "cli/commands.h"
#include "cli/format.h"
#include "cli/js.h"

/* --- version --- */

static const char *client_arch(void)
{
#if defined(__x86_64__)
    return "amd64";
#elif defined(__aarch64__)
    return "arm64";
#else
    static struct utsname u;
    return uname(&u) ? "unknown" : u.machine;
#endif
}

json_t *client_object(struct cli *c)
{
    json_t *o = js_own(json_object());
    js_set_str(o, "Version", KEEP_VERSION);
    js_set_str(o, "ApiVersion", c->api ? api_version(c) : CLI_API_VERSION);
    js_set_str(o, "DefaultAPIVersion", CLI_API_VERSION);
    js_set_str(o, "GitCommit", KEEP_BUILD);
    js_set_str(o, "GoVersion", "");
    js_set_str(o, "Os", "linux");
    js_set_str(o, "Arch", client_arch());
    js_set_str(o, "BuildTime", "");
    js_set_str(o, "Context", "default");
    return o;
}

/* "2026-05-07T21:09:36.0+00:00" as "Thu May  7 21:09:36 2026"; what is no time stays as it is */
static void build_time(const char *s, char ret[AGE_SIZE])
{
    int64_t ns;
    struct tm tm;
    if (time_parse(s, &ns)) {
        str_copy(ret, AGE_SIZE, s);
        return;
    }
    time_t t = (time_t)(ns / NS_PER_SEC);
    gmtime_r(&t, &tm);
    strftime(ret, AGE_SIZE, "%a %b %e %H:%M:%S %Y", &tm);
}

static void print_client(struct cli *c, bool agreed)
{
    bool lower = agreed && !str_eq(api_version(c), CLI_API_VERSION);
    printf("Client:\n Version:           %s\n API version:       %s%s%s%s\n Git commit:        %s\n"
           " OS/Arch:           linux/%s\n Context:           default\n",
           KEEP_VERSION, agreed ? api_version(c) : CLI_API_VERSION,
           lower ? " (downgraded from " : "", lower ? CLI_API_VERSION : "", lower ? ")" : "",
           KEEP_BUILD, client_arch());
}

static void print_component(json_t *s, json_t *comp)
{
    char text[AGE_SIZE];
    bool engine = str_eq(js_str(comp, "Name"), "Engine");
    json_t *d = json_object_get(comp, "Details");
    printf(" %s:\n  Version:          %s\n", js_str(comp, "Name"), js_str(comp, "Version"));
    if (!engine) {
        AUTO_FREE const char **keys = js_sorted_keys(d);
        for (size_t i = 0; keys[i]; i++)
            printf("  %s:%*s%s\n", keys[i], (int)(strlen(keys[i]) < 16 ? 17 - strlen(keys[i]) : 1),
                   "", js_str(d, keys[i]));
        return;
    }
    printf("  API version:      %s (minimum version %s)\n", js_str(d, "ApiVersion"),
           js_str(d, "MinAPIVersion"));
    if (*js_str(d, "GoVersion"))
        printf("  Go version:       %s\n", js_str(d, "GoVersion"));
    if (*js_str(d, "GitCommit"))
        printf("  Git commit:       %s\n", js_str(d, "GitCommit"));
    build_time(js_str(d, "BuildTime"), text);
    if (*text)
        printf("  Built:            %s\n", text);
    printf("  OS/Arch:          %s/%s\n", js_str(d, "Os"), js_str(d, "Arch"));
    printf("  Experimental:     %s\n",
           str_or(js_str(d, "Experimental"), js_bool(s, "Experimental") ? "true" : "false"));
}

static void print_server(json_t *s)
{
    const char *platform = js_str(s, "Platform.Name");
    json_t *comp;
    size_t i;
    printf("\nServer:%s%s\n", *platform ? " " : "", platform);
    json_array_foreach(json_object_get(s, "Components"), i, comp) print_component(s, comp);
}

static int run_version(struct cli *c)
{
    AUTO_JSON json_t *server = NULL, *all = js_own(json_object());
    struct template_env env = {.type = "system.versionInfo", .fold = true};
    const char *format = flag_str(c, "format");
    int r = api_get(c, "/version", &server);
    if (!str_empty(format)) {
        json_object_set_new(all, "Client", client_object(c));
        json_object_set(all, "Server", server ? server : json_null());
        struct err why = c->err;
        int f = format_one_object(c, format, all, &env);
        if (!f && r)
            c->err = why;
        return f ? f : r;
    }
    print_client(c, r == 0);
    fflush(stdout);
    if (!r)
        print_server(server);
    return r;
}

static const struct flag format_only[] = {FLAG_FORMAT, FLAG_END};
const struct command cmd_version = {.name = "version",
                                    .usage = "[OPTIONS]",
                                    .about = "Show the version information of client and daemon",
                                    .flags = format_only,
                                    .run = run_version,
                                    .section = SEC_COMMON};

/* --- events --- */

struct event_view {
    struct cli *c;
    struct line_split split;
    struct template *t;
    bool json;
};

static void print_event(json_t *e)
{
    char text[TIME_TEXT_SIZE];
    json_t *a = js_at(e, "Actor.Attributes");
    int64_t ns = js_int(e, "timeNano") ? js_int(e, "timeNano") : js_int(e, "time") * NS_PER_SEC;
    AUTO_FREE const char **keys = js_sorted_keys(a);
    printf("%s %s %s %s", time_text_fixed(ns, text), js_str(e, "Type"), js_str(e, "Action"),
           js_str(e, "Actor.ID"));
    for (size_t i = 0; keys[i]; i++)
        printf("%s%s=%s", i ? ", " : " (", keys[i],
               str_or(json_string_value(json_object_get(a, keys[i])), ""));
    printf("%s\n", keys[0] ? ")" : "");
    fflush(stdout);
}

static int on_event(void *ctx, char *line, size_t n)
{
    struct event_view *v = ctx;
    AUTO_JSON json_t *e = json_loadb(line, n, 0, NULL);
    if (!e)
        return 0;
    if (v->json) {
        AUTO_BUF struct buf b = BUF_INIT(1 << 20);
        js_write(&b, e, true);
        printf("%s\n", b.p);
    } else if (v->t) {
        AUTO_BUF struct buf b = BUF_INIT(1 << 20);
        struct template_env env = {.type = "*events.Message", .fold = true};
        int r = template_run(v->t, e, &env, &b, &v->c->err);
        if (r)
            return r;
        printf("%s\n", b.p ? b.p : "");
    } else {
        print_event(e);
    }
    fflush(stdout);
    return 0;
}

static int on_event_data(void *ctx, const char *p, size_t n)
{
    struct event_view *v = ctx;
    return line_split(&v->split, p, n);
}

static int add_time(struct cli *c, struct buf *path, const char *flag)
{
    const char *s = flag_str(c, flag);
    int64_t ns;
    char text[48];
    if (str_empty(s))
        return 0;
    if (time_parse_query(s, clock_wall_ns(), &ns))
        return err_set(&c->err, -EINVAL, "failed to parse value as time or duration: \"%s\"", s);
    snprintf(text, sizeof text, "%lld.%09lld", (long long)(ns / NS_PER_SEC),
             (long long)(ns % NS_PER_SEC));
    query_add(path, flag, text);
    return 0;
}

static int run_events(struct cli *c)
{
    struct event_view v = {.c = c, .split = {.buf = BUF_INIT(4 << 20), .on_line = on_event}};
    const char *format = flag_str(c, "format");
    struct err why;
    v.split.ctx = &v;
    v.json = str_eq(format, "json") || str_eq(format, "{{json .}}");
    if (!str_empty(format) && !v.json && template_new(format, &v.t, &why))
        return err_set(&c->err, -EINVAL, "Error parsing format: %s", why.text);
    AUTO_BUF struct buf path = BUF_INIT(1 << 16);
    buf_str(&path, "/events");
    query_filters(&path, flag_list(c, "filter"));
    int r = add_time(c, &path, "since");
    if (!r)
        r = add_time(c, &path, "until");
    struct api_stream s = {.method = "GET", .path = path.p, .on_data = on_event_data, .ctx = &v};
    if (!r)
        r = api_stream(c, &s);
    template_free(v.t);
    buf_free(&v.split.buf);
    return r;
}

static const struct flag events_flags[] = {
    FLAG_FILTER,
    {.name = "format", .type = "string", .help = HELP_FORMAT_TEXT},
    {.name = "since", .type = "string", .help = "Begin with events of this time"},
    {.name = "until", .type = "string", .help = "End at this time"},
    FLAG_END,
};
const struct command cmd_events = {.name = "events",
                                   .paths = "keep system events, keep events",
                                   .usage = "[OPTIONS]",
                                   .about = "Get real time events from the server",
                                   .flags = events_flags,
                                   .run = run_events};

/* --- inspect: whatever has that name --- */

struct kind {
    const char *name, *path;
    bool swarm;
};
static const struct kind kinds[] = {
    {"container", "/containers/%s/json", false},
    {"image", "/images/%s/json", false},
    {"network", "/networks/%s", false},
    {"volume", "/volumes/%s", false},
    {"service", "/services/%s?insertDefaults=true", true},
    {"task", "/tasks/%s", true},
    {"node", "/nodes/%s", true},
    {"plugin", "/plugins/%s/json", false},
    {"secret", "/secrets/%s", true},
    {"config", "/configs/%s", true},
};
enum { KINDS = sizeof kinds / sizeof *kinds, FIRST_SWARM = 4 };

static bool is_manager(struct cli *c)
{
    static int known = -1;
    if (known < 0) {
        AUTO_JSON json_t *info = NULL;
        struct err keep = c->err;
        known = api_get(c, "/info", &info) == 0 && js_bool(info, "Swarm.ControlAvailable");
        c->err = keep; /* no answer means: not a manager that can be asked */
    }
    return known == 1;
}

static int get_kind(struct cli *c, const struct kind *k, const char *ref, struct buf *ret)
{
    AUTO_FREE char *path = api_path(k->path, ref);
    if (flag_bool(c, "size") && str_eq(k->name, "container")) {
        AUTO_FREE char *sized = mem_printf("%s?size=1", path);
        return api_text(c, "GET", sized, NULL, ret);
    }
    return api_text(c, "GET", path, NULL, ret);
}

/* What means "not of this kind" and lets the search go on. */
static bool goes_on(struct cli *c, const struct kind *k, int r)
{
    if (r == 404)
        return true;
    bool unusable = strstr(c->err.text, "This node is not a swarm manager") ||
                    strstr(c->err.text, "not supported");
    return unusable || (str_eq(k->name, "plugin") && r > 0);
}

static int get_any(struct cli *c, const char *ref, struct buf *ret)
{
    for (size_t i = 0; i < KINDS; i++) {
        if (i == FIRST_SWARM)
            (void)is_manager(c);
        if (kinds[i].swarm && !is_manager(c))
            continue;
        buf_clear(ret);
        int r = get_kind(c, &kinds[i], ref, ret);
        if (!r)
            c->err.text[0] = 0; /* what the earlier kinds answered */
        if (!r || !goes_on(c, &kinds[i], r))
            return r;
    }
    return err_set(&c->err, 404, "Error: No such object: %s", ref);
}

static const struct kind *wanted_kind;
static int get_wanted(struct cli *c, const char *ref, struct buf *ret)
{
    return get_kind(c, wanted_kind, ref, ret);
}

static int run_inspect(struct cli *c)
{
    static const struct inspection any = {.get = get_any}, one = {.get = get_wanted};
    const char *type = flag_str(c, "type");
    if (!flag_set(c, "type"))
        return inspect_run(c, &any, flag_str(c, "format"), c->args, c->nargs);
    for (size_t i = 0; i < KINDS; i++)
        if (str_eq(kinds[i].name, type))
            wanted_kind = &kinds[i];
    if (!wanted_kind)
        return err_set(&c->err, -EINVAL,
                       "unknown type: \"%s\": must be one of \"config\", \"container\", \"image\", "
                       "\"network\", \"node\", "
                       "\"plugin\", \"secret\", \"service\", \"task\", \"volume\"",
                       type);
    return inspect_run(c, &one, flag_str(c, "format"), c->args, c->nargs);
}

static const struct flag inspect_flags[] = {
    FLAG_FORMAT,
    {.name = "size", .letter = 's', .help = "Also show how much room a container takes"},
    {.name = "type", .type = "string", .help = "Only look for this kind of object"},
    FLAG_END,
};
const struct command cmd_inspect = {.name = "inspect",
                                    .usage = "[OPTIONS] NAME|ID [NAME|ID...]",
                                    .about = "Return low-level information on objects",
                                    .flags = inspect_flags,
                                    .run = run_inspect,
                                    .min = 1,
                                    .max = -1};

static const struct command *const subs[] = {&cmd_events, &cmd_info, NULL};
const struct command cmd_system = {
    .name = "system", .about = "Manage the daemon", .subs = subs, .section = SEC_MANAGE};
