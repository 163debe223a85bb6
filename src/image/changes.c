/* image/changes.c - the instructions, one function each, found by name. */
#include "image/changes.h"

#include <ctype.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include "base/buf.h"
#include "base/clock.h"
#include "base/jw.h"
#include "base/mem.h"
#include "base/str.h"

struct state {
    struct image_config *c;
    bool cmd_set;
};

#define refuse(e, ...) err_set(e, IMAGE_BAD_CHANGE, __VA_ARGS__)

static const char *const *env_of(const struct state *st)
{
    return (const char *const *)st->c->env;
}

static char **shell_form(const char *rest)
{
    char **v = NULL;
    strv_push(&v, mem_str("/bin/sh"));
    strv_push(&v, mem_str("-c"));
    strv_push(&v, mem_str(rest));
    return v;
}

static char **command(const char *rest)
{
    char **v = words_json(rest);
    return v ? v : shell_form(rest);
}

static int do_cmd(struct state *st, const char *rest, struct err *e)
{
    (void)e;
    strv_free(st->c->cmd);
    st->c->cmd = command(rest);
    st->cmd_set = true;
    return 0;
}

static int do_entrypoint(struct state *st, const char *rest, struct err *e)
{
    (void)e;
    strv_free(st->c->entrypoint);
    st->c->entrypoint = command(rest);
    if (!st->cmd_set) { /* the inherited command belonged to the inherited entry point */
        strv_free(st->c->cmd);
        st->c->cmd = NULL;
    }
    return 0;
}

/* Sets "key=value" in a list; the same key is replaced in its place. */
static void set_pair(char ***list, const char *key, const char *value)
{
    char *pair = mem_printf("%s=%s", key, value);
    size_t n = strlen(key);
    for (char **p = *list; p && *p; p++)
        if (strncmp(*p, key, n) == 0 && (*p)[n] == '=') {
            free(*p);
            *p = pair;
            return;
        }
    strv_push(list, pair);
}

static int add_pair(char ***list, const char *const *env, const char *raw_key,
                    const char *raw_value, const char *what, struct err *e)
{
    AUTO_FREE char *key = words_expand(raw_key, env);
    AUTO_FREE char *value = words_expand(raw_value, env);
    if (!*key)
        return refuse(e, "%s names can not be blank", what);
    set_pair(list, key, value);
    return 0;
}

/* "K=V K2='a b'", or the old "K the rest of the line". All values see the environment as it was
 * before. */
static int pairs(struct state *st, char ***list, const char *rest, const char *what, struct err *e)
{
    AUTO_STRV char **words = words_split(rest);
    AUTO_STRV char **env = strv_dup(env_of(st));
    const char *const *before = (const char *const *)env;
    if (!words)
        return refuse(e, "%s requires at least one argument", what);
    if (!strchr(words[0], '=')) {
        const char *value = rest + strlen(words[0]);
        value += strspn(value, " \t");
        if (!*value)
            return refuse(e, "%s must have two arguments", what);
        return add_pair(list, before, words[0], value, what, e);
    }
    for (size_t i = 0; words[i]; i++) {
        char *eq = strchr(words[i], '=');
        if (!eq)
            return refuse(
                e, "Syntax error - can't find = in \"%.200s\". Must be of the form: name=value",
                words[i]);
        *eq = '\0';
        int r = add_pair(list, before, words[i], eq + 1, what, e);
        if (r != 0)
            return r;
    }
    return 0;
}

static int do_env(struct state *st, const char *rest, struct err *e)
{
    return pairs(st, &st->c->env, rest, "ENV", e);
}

static int do_label(struct state *st, const char *rest, struct err *e)
{
    return pairs(st, &st->c->labels, rest, "LABEL", e);
}

static int one_word(struct state *st, const char *rest, const char *what, char **ret, struct err *e)
{
    AUTO_STRV char **words = words_split(rest);
    if (strv_len((const char *const *)words) != 1)
        return refuse(e, "%s requires exactly one argument", what);
    *ret = words_expand(words[0], env_of(st));
    return 0;
}

static int do_user(struct state *st, const char *rest, struct err *e)
{
    char *user;
    int r = one_word(st, rest, "USER", &user, e);
    if (r != 0)
        return r;
    free(st->c->user);
    st->c->user = user;
    return 0;
}

static int do_workdir(struct state *st, const char *rest, struct err *e)
{
    AUTO_FREE char *dir = words_expand(rest, env_of(st)); /* blanks belong to the path */
    if (!*dir)
        return refuse(e, "%s requires exactly one argument", "WORKDIR");
    const char *base = str_or(st->c->workdir, "/");
    char *joined = *dir == '/' ? mem_str(dir)
                               : mem_printf("%s%s%s", base, str_ends(base, "/") ? "" : "/", dir);
    for (size_t n = strlen(joined); n > 1 && joined[n - 1] == '/'; n--)
        joined[n - 1] = '\0';
    free(st->c->workdir);
    st->c->workdir = joined;
    return 0;
}

static void add_once(char ***list, char *s)
{
    for (char **p = *list; p && *p; p++)
        if (str_eq(*p, s)) {
            free(s);
            return;
        }
    strv_push(list, s);
}

/* Ranges are cheap to write and dear to keep: each port is compared with every other. */
enum { EXPOSED_PORTS_MAX = 1000 };

/* "80", "80/udp", "8000-8002/tcp" */
static int expose(struct state *st, const char *port, struct err *e)
{
    uint64_t first, last;
    AUTO_FREE char *copy = mem_str(port);
    char *slash = strchr(copy, '/');
    const char *proto = "tcp";
    if (slash)
        *slash = '\0', proto = slash + 1;
    char *dash = strchr(copy, '-');
    if (dash)
        *dash = '\0';
    if (!str_ieq(proto, "tcp") && !str_ieq(proto, "udp") && !str_ieq(proto, "sctp"))
        return refuse(e, "Invalid proto: %.100s", proto);
    if (str_to_u64(copy, 65535, &first) != 0 || first == 0)
        return refuse(e, "Invalid containerPort: %.100s", copy);
    last = first;
    if (dash && (str_to_u64(dash + 1, 65535, &last) != 0 || last < first))
        return refuse(e, "Invalid containerPort: %.100s", port);
    if (strv_len((const char *const *)st->c->ports) + (last - first + 1) > EXPOSED_PORTS_MAX)
        return refuse(e, "EXPOSE: an image may name at most %d ports", EXPOSED_PORTS_MAX);
    for (uint64_t p = first; p <= last; p++) {
        char *text = mem_printf("%u/%s", (unsigned)p, proto);
        for (char *c = text; *c; c++)
            *c = (char)tolower((unsigned char)*c);
        add_once(&st->c->ports, text);
    }
    return 0;
}

static int do_expose(struct state *st, const char *rest, struct err *e)
{
    AUTO_STRV char **words = words_split(rest);
    if (!words)
        return refuse(e, "%s requires at least one argument", "EXPOSE");
    for (size_t i = 0; words[i]; i++) {
        AUTO_FREE char *port = words_expand(words[i], env_of(st));
        int r = expose(st, port, e);
        if (r != 0)
            return r;
    }
    return 0;
}

static int do_volume(struct state *st, const char *rest, struct err *e)
{
    AUTO_STRV char **words = words_json(rest);
    if (!words)
        words = words_split(rest);
    if (!words || !words[0])
        return refuse(e, "%s requires at least one argument", "VOLUME");
    for (size_t i = 0; words[i]; i++) {
        char *v = words_expand(words[i], env_of(st));
        if (!*v) {
            free(v);
            return refuse(e, "%s specified can not be an empty string", "VOLUME");
        }
        add_once(&st->c->volumes, v);
    }
    return 0;
}

static bool signal_known(const char *s)
{
    uint64_t n;
    if (str_to_u64(s, 64, &n) == 0)
        return n > 0;
    if (str_istarts(s, "SIG"))
        s += 3;
    if (str_istarts(s, "RTM")) /* RTMIN+n, RTMAX-n */
        return true;
    for (int i = 1; i < 32; i++) {
        const char *name = sigabbrev_np(i);
        if (name && str_ieq(name, s))
            return true;
    }
    return false;
}

static int do_stopsignal(struct state *st, const char *rest, struct err *e)
{
    char *sig;
    int r = one_word(st, rest, "STOPSIGNAL", &sig, e);
    if (r != 0)
        return r;
    free(st->c->stop_signal);
    st->c->stop_signal = sig;
    return signal_known(sig) ? 0 : refuse(e, "Invalid signal: %.100s", sig);
}

static int do_onbuild(struct state *st, const char *rest, struct err *e)
{
    AUTO_STRV char **words = words_split(rest);
    if (!words)
        return refuse(e, "%s requires at least one argument", "ONBUILD");
    if (str_ieq(words[0], "ONBUILD"))
        return refuse(e, "%s", "Chaining ONBUILD via `ONBUILD ONBUILD` isn't allowed");
    if (str_ieq(words[0], "MAINTAINER") || str_ieq(words[0], "FROM"))
        return refuse(e, "%.20s isn't allowed as an ONBUILD trigger", words[0]);
    strv_push(&st->c->onbuild, mem_str(rest));
    return 0;
}

struct health {
    int64_t interval, timeout, start_period;
    uint64_t retries;
};

static int health_option(struct health *h, const char *opt, struct err *e)
{
    const char *eq = strchr(opt, '=');
    int64_t *to = str_starts(opt, "--interval=")       ? &h->interval
                  : str_starts(opt, "--timeout=")      ? &h->timeout
                  : str_starts(opt, "--start-period=") ? &h->start_period
                                                       : NULL;
    if (str_starts(opt, "--retries="))
        return str_to_u64(eq + 1, 1000000, &h->retries) == 0
                   ? 0
                   : refuse(e, "HEALTHCHECK: invalid number of retries: %.100s", eq + 1);
    if (!to)
        return refuse(e, "Unknown flag: %.100s", opt);
    if (duration_parse(eq + 1, to) != 0 || (*to != 0 && *to < NS_PER_MS))
        return refuse(e, "HEALTHCHECK: invalid duration: %.100s", eq + 1);
    return 0;
}

static char *health_json(const struct health *h, const char *kind, char **args)
{
    struct buf b = BUF_INIT(1 << 20);
    struct jw w = JW_INIT(&b);
    jw_object(&w, NULL);
    jw_array(&w, "Test");
    jw_str(&w, NULL, kind);
    for (size_t i = 0; args && args[i]; i++)
        jw_str(&w, NULL, args[i]);
    jw_end_array(&w);
    if (h->interval)
        jw_int(&w, "Interval", h->interval);
    if (h->timeout)
        jw_int(&w, "Timeout", h->timeout);
    if (h->start_period)
        jw_int(&w, "StartPeriod", h->start_period);
    if (h->retries)
        jw_uint(&w, "Retries", h->retries);
    jw_end_object(&w);
    return buf_take(&b);
}

static int do_healthcheck(struct state *st, const char *rest, struct err *e)
{
    struct health h = {0};
    while (str_starts(rest, "--")) {
        size_t n = strcspn(rest, " \t");
        AUTO_FREE char *opt = mem_strn(rest, n);
        int r = health_option(&h, opt, e);
        if (r != 0)
            return r;
        rest += n + strspn(rest + n, " \t");
    }
    size_t n = strcspn(rest, " \t");
    AUTO_FREE char *type = mem_strn(rest, n);
    rest += n + strspn(rest + n, " \t");
    AUTO_STRV char **args = NULL;
    const char *kind = "NONE";
    if (str_ieq(type, "CMD")) {
        args = words_json(rest);
        kind = args ? "CMD" : "CMD-SHELL";
        if (!args)
            strv_push(&args, mem_str(rest));
        if (!args[0] || !*args[0])
            return refuse(e, "%s", "Missing command after HEALTHCHECK CMD");
    } else if (!str_ieq(type, "NONE")) {
        return refuse(e, "Unknown type \"%.100s\" in HEALTHCHECK (try CMD)", type);
    } else if (*rest) {
        return refuse(e, "%s", "HEALTHCHECK NONE takes no arguments");
    }
    free(st->c->healthcheck_json);
    st->c->healthcheck_json = health_json(&h, kind, args);
    return 0;
}

static const struct instruction {
    const char *name;
    int (*apply)(struct state *st, const char *rest, struct err *e);
} instructions[] = {
    {"cmd", do_cmd},         {"entrypoint", do_entrypoint},   {"env", do_env},
    {"expose", do_expose},   {"healthcheck", do_healthcheck}, {"label", do_label},
    {"onbuild", do_onbuild}, {"stopsignal", do_stopsignal},   {"user", do_user},
    {"volume", do_volume},   {"workdir", do_workdir},
};

static int apply_line(struct state *st, char *line, struct err *e)
{
    line += strspn(line, " \t");
    for (size_t n = strlen(line); n > 0 && isspace((unsigned char)line[n - 1]); n--)
        line[n - 1] = '\0';
    if (!*line || *line == '#')
        return 0;
    size_t n = strcspn(line, " \t");
    char *rest = line + n;
    if (*rest) {
        *rest++ = '\0';
        rest += strspn(rest, " \t");
    }
    for (char *p = line; *p; p++)
        *p = (char)tolower((unsigned char)*p);
    for (size_t i = 0; i < sizeof instructions / sizeof *instructions; i++)
        if (str_eq(instructions[i].name, line))
            return instructions[i].apply(st, rest, e);
    return refuse(e, "%.100s is not a valid change command", line);
}

/* Joins lines that end with a backslash, and applies each. */
static int apply_text(struct state *st, const char *text, struct err *e)
{
    AUTO_BUF struct buf line = BUF_INIT(CHANGE_LEN_MAX + 1);
    for (;;) {
        size_t n = strcspn(text, "\n"), used = n;
        bool last = !text[n];
        if (used > 0 && text[used - 1] == '\r')
            used--;
        bool more = used > 0 && text[used - 1] == '\\' && !last;
        buf_append(&line, text, more ? used - 1 : used);
        if (!more) {
            int r = line.p ? apply_line(st, line.p, e) : 0;
            if (r != 0 || last)
                return r;
            buf_clear(&line);
        }
        text += n + 1;
    }
}

int changes_apply(struct image_config *c, const char *const *changes, struct err *e)
{
    struct state st = {.c = c};
    if (strv_len(changes) > CHANGES_MAX)
        return refuse(e, "%s", "too many changes");
    for (size_t i = 0; changes && changes[i]; i++) {
        if (strlen(changes[i]) > CHANGE_LEN_MAX)
            return refuse(e, "%s", "a change is too long");
        int r = apply_text(&st, changes[i], e);
        if (r != 0)
            return r;
    }
    return 0;
}
