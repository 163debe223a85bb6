/* cli/parse.c - from argv to a command, its flags and its arguments. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "base/clock.h"
#include "base/mem.h"
#include "base/str.h"
#include "cli/about.h"
#include "cli/command.h"
#include "cli/opts.h"

enum { EXIT_FLAG = 125 };

bool flag_repeats(const struct flag *f)
{
    static const char *const words[] = {"list",    "secret",     "config", "mount",       "port",
                                        "pref",    "network",    "ulimit", "external-ca", "filter",
                                        "strings", "ipNetSlice", "map"};
    for (size_t i = 0; f->type && i < sizeof words / sizeof *words; i++)
        if (str_eq(f->type, words[i]))
            return true;
    return false;
}

static size_t flag_count(const struct flag *f)
{
    size_t n = 0;
    while (f && f[n].name)
        n++;
    return n;
}

static int check_duration(const char *v, struct err *e)
{
    int64_t ns;
    return duration_parse(v, &ns) ? err_set(e, -EINVAL, "time: invalid duration \"%s\"", v) : 0;
}

static int check_number(const char *type, const char *v, struct err *e)
{
    int64_t i;
    uint64_t u;
    if (str_eq(type, "int") || str_eq(type, "int64"))
        return parse_int(v, 0, &i, e);
    if (str_eq(type, "uint"))
        return parse_uint(v, 0, 64, &u, e);
    if (str_eq(type, "uint32"))
        return parse_uint(v, 0, 32, &u, e);
    if (str_eq(type, "float")) {
        char *end;
        (void)strtod(v, &end);
        if (!*v || *end)
            return err_set(e, -EINVAL, "strconv.ParseFloat: parsing \"%s\": invalid syntax", v);
    }
    return 0;
}

static int flag_check(const struct flag *f, const char *v, struct err *e)
{
    static const struct {
        const char *type;
        int (*check)(const char *, struct err *);
    } by_type[] = {
        {"duration", check_duration},
        {"bytes", check_size},
        {"decimal", check_cpus},
        {"secret", check_secret},
        {"config", check_config},
        {"mount", check_mount},
        {"port", check_port},
        {"pref", check_pref},
        {"ulimit", check_ulimit},
        {"filter", check_filter},
        {"credential-spec", check_credspec},
        {"external-ca", check_external_ca},
        {"ipNetSlice", check_cidrs},
        {"pem-file", check_pem},
    };
    bool b;
    if (f->check)
        return f->check(v, e);
    if (!f->type)
        return parse_bool(v, &b, e);
    for (size_t i = 0; i < sizeof by_type / sizeof *by_type; i++)
        if (str_eq(f->type, by_type[i].type))
            return by_type[i].check(v, e);
    return check_number(f->type, v, e);
}

/* The state of one pass over one list of flags. */
struct pass {
    struct cli *c;
    const struct flag *flags;
    struct flag_value *values;
    char **argv;
    int argc, at;
    bool help, short_help;
};

static int put(struct pass *p, const struct flag *f, const char *v)
{
    struct flag_value *fv = &p->values[f - p->flags];
    struct err e;
    if (flag_check(f, v, &e)) {
        if (f->letter)
            return err_set(&p->c->err, -EINVAL,
                           "invalid argument \"%s\" for \"-%c, --%s\" flag: %s", v, f->letter,
                           f->name, e.text);
        return err_set(&p->c->err, -EINVAL, "invalid argument \"%s\" for \"--%s\" flag: %s", v,
                       f->name, e.text);
    }
    if (!flag_repeats(f)) {
        strv_free(fv->v);
        fv->v = NULL;
    }
    strv_push(&fv->v, mem_str(v));
    fv->changed = true;
    return 0;
}

static int long_flag(struct pass *p, const char *word)
{
    const char *eq = strchr(word, '=');
    size_t n = eq ? (size_t)(eq - word) : strlen(word);
    for (const struct flag *f = p->flags; f && f->name; f++) {
        if (strlen(f->name) != n || strncmp(f->name, word, n) != 0)
            continue;
        if (eq)
            return put(p, f, eq + 1);
        if (!f->type)
            return put(p, f, "true");
        if (p->at + 1 >= p->argc)
            return err_set(&p->c->err, -EINVAL, "flag needs an argument: --%s", f->name);
        return put(p, f, p->argv[++p->at]);
    }
    if (n == 4 && strncmp(word, "help", 4) == 0) {
        p->help = true;
        return 0;
    }
    return err_set(&p->c->err, -EINVAL, "unknown flag: --%.*s", (int)n, word);
}

static int short_flags(struct pass *p, const char *word)
{
    for (const char *l = word; *l; l++) {
        const struct flag *f = p->flags;
        while (f && f->name && f->letter != *l)
            f++;
        if (!f || !f->name) {
            if (*l == 'h') {
                p->help = p->short_help = true;
                return 0;
            }
            return err_set(&p->c->err, -EINVAL, "unknown shorthand flag: '%c' in -%s", *l, l);
        }
        int r;
        if (l[1] == '=')
            return put(p, f, l + 2);
        if (!f->type) {
            r = put(p, f, "true");
            if (r)
                return r;
            continue;
        }
        if (l[1])
            return put(p, f, l + 1);
        if (p->at + 1 >= p->argc)
            return err_set(&p->c->err, -EINVAL, "flag needs an argument: '%c' in -%s", *l, l);
        return put(p, f, p->argv[++p->at]);
    }
    return 0;
}

/* One word. 1: it is an argument, not a flag. */
static int one_word(struct pass *p)
{
    const char *w = p->argv[p->at];
    if (w[0] != '-' || !w[1])
        return 1;
    return w[1] == '-' ? long_flag(p, w + 2) : short_flags(p, w + 1);
}

static int leaf_words(struct pass *p, const struct command *cmd)
{
    struct cli *c = p->c;
    for (; p->at < p->argc; p->at++) {
        if (str_eq(p->argv[p->at], "--")) {
            p->at++;
            break;
        }
        int r = one_word(p);
        if (r < 0)
            return r;
        if (r == 0)
            continue;
        if (cmd->greedy)
            break;
        c->args[c->nargs++] = p->argv[p->at];
    }
    while (p->at < p->argc)
        c->args[c->nargs++] = p->argv[p->at++];
    return 0;
}

static bool named(const struct command *cmd, const char *word)
{
    size_t n = strlen(word);
    if (str_eq(cmd->name, word))
        return true;
    for (const char *a = cmd->aliases; a && *a;) {
        size_t len = strcspn(a, " ");
        if (len == n && strncmp(a, word, n) == 0)
            return true;
        a += len + (a[len] == ' ');
    }
    return false;
}

static const struct command *find_sub(const struct command *group, const char *word)
{
    for (size_t i = 0; group->subs && group->subs[i]; i++)
        if (named(group->subs[i], word))
            return group->subs[i];
    return NULL;
}

static void descend(struct cli *c, const struct command *sub)
{
    char *path = mem_printf("%s %s", c->path, sub->name);
    free(c->path);
    c->path = path;
    c->cmd = sub;
}

static int count_error(struct cli *c)
{
    const struct command *m = c->cmd;
    const char *s = m->min == 1 ? "" : "s";
    fprintf(stderr, "keep: '%s' ", c->path);
    if (m->max == 0)
        fprintf(stderr, "accepts no arguments\n");
    else if (m->max < 0)
        fprintf(stderr, "requires at least %d argument%s\n", m->min, s);
    else if (m->min == m->max)
        fprintf(stderr, "requires %d argument%s\n", m->min, s);
    else if (m->min == 0)
        fprintf(stderr, "requires at most %d argument%s\n", m->max, m->max == 1 ? "" : "s");
    else
        fprintf(stderr, "requires at least %d and at most %d arguments\n", m->min, m->max);
    /* `exec` and `run` take a command line of their own, and the stock CLI words their hint in
     * another way */
    if (!m->greedy)
        usage_hint(m, c->path);
    else
        fprintf(stderr, "\nUsage:  %s %s\n\nSee '%s --help' for more information\n", c->path,
                m->usage, c->path);
    return 1;
}

static int bad_flag(struct cli *c)
{
    fprintf(stderr, "%s\n", c->err.text);
    usage_hint(c->cmd, c->path);
    c->err.text[0] = 0;
    return EXIT_FLAG;
}

static int run_help_word(struct cli *c, int argc, char **argv)
{
    for (int i = 0; i < argc; i++) {
        const struct command *sub = find_sub(c->cmd, argv[i]);
        if (!sub) {
            AUTO_BUF struct buf b = BUF_INIT(4096);
            for (int k = 0; k < argc; k++)
                buf_printf(&b, "%s%s", k ? " " : "", argv[k]);
            fprintf(stderr, "unknown help topic: %s\n", b.p);
            return 1;
        }
        descend(c, sub);
    }
    help_print(c, c->cmd, c->path, false);
    return 0;
}

static int unknown_command(struct cli *c, const char *word)
{
    fprintf(stderr, "keep: unknown command: %s %s\n", c->path, word);
    if (c->cmd == c->root)
        fprintf(stderr, "\nRun 'keep --help' for more information\n");
    else
        usage_hint(c->cmd, c->path);
    return 1;
}

/* Goes down through the groups. 1: c->cmd is a leaf and p->at is behind its name. */
static int find_leaf(struct cli *c, struct pass *p, int *ret_exit)
{
    while (c->cmd->subs) {
        for (; p->at < p->argc; p->at++) {
            int r = one_word(p);
            if (r < 0) {
                *ret_exit = bad_flag(c);
                return 0;
            }
            if (r > 0)
                break;
        }
        if (c->cmd == c->root && !p->help && global_bool(c, "version")) {
            printf("Keep version %s, build %s\n", KEEP_VERSION, KEEP_BUILD);
            *ret_exit = 0;
            return 0;
        }
        if (p->help || p->at >= p->argc) {
            help_print(c, c->cmd, c->path, !p->help);
            *ret_exit = 0;
            return 0;
        }
        const char *word = p->argv[p->at++];
        const struct command *sub = find_sub(c->cmd, word);
        if (!sub && c->cmd == c->root && str_eq(word, "help")) {
            *ret_exit = run_help_word(c, p->argc - p->at, p->argv + p->at);
            return 0;
        }
        if (!sub) {
            *ret_exit = unknown_command(c, word);
            return 0;
        }
        descend(c, sub);
        p->flags = NULL; /* the global flags stand before the first command */
        p->values = NULL;
    }
    return 1;
}

int parse_line(struct cli *c, int argc, char **argv, int *ret_exit)
{
    struct pass p = {.c = c, .argv = argv, .argc = argc, .at = 1};
    c->cmd = c->root;
    c->path = mem_str("keep");
    c->args = mem_array((size_t)argc + 1, sizeof *c->args);
    p.flags = c->root->flags;
    p.values = c->globals = mem_array(flag_count(p.flags) + 1, sizeof *c->globals);
    if (!find_leaf(c, &p, ret_exit))
        return 0;
    p.flags = c->cmd->flags;
    p.values = c->values = mem_array(flag_count(p.flags) + 1, sizeof *c->values);
    if (leaf_words(&p, c->cmd) < 0) {
        *ret_exit = bad_flag(c);
        return 0;
    }
    if (p.help) {
        if (p.short_help)
            printf("Flag shorthand -h has been deprecated, use --help\n");
        help_print(c, c->cmd, c->path, false);
        *ret_exit = 0;
        return 0;
    }
    if ((int)c->nargs < c->cmd->min || (c->cmd->max >= 0 && (int)c->nargs > c->cmd->max)) {
        *ret_exit = count_error(c);
        return 0;
    }
    return 1;
}

/* --- getters --- */

static const struct flag_value *value_of(const struct flag *flags, const struct flag_value *values,
                                         const char *name, const struct flag **ret)
{
    for (const struct flag *f = flags; f && f->name; f++)
        if (str_eq(f->name, name)) {
            *ret = f;
            return &values[f - flags];
        }
    fprintf(stderr, "keep: the command has no flag --%s\n", name);
    abort();
}

static const char *last(const struct flag_value *v)
{
    return v->changed ? v->v[strv_len((const char *const *)v->v) - 1] : NULL;
}

bool flag_set(const struct cli *c, const char *name)
{
    const struct flag *f;
    return value_of(c->cmd->flags, c->values, name, &f)->changed;
}

const char *flag_str(const struct cli *c, const char *name)
{
    const struct flag *f;
    return last(value_of(c->cmd->flags, c->values, name, &f));
}

static bool truth(const struct flag *f, const char *s)
{
    bool b = str_eq(f->def, "true");
    if (s)
        (void)parse_bool(s, &b, NULL);
    return b;
}

bool flag_bool(const struct cli *c, const char *name)
{
    const struct flag *f;
    const char *s = last(value_of(c->cmd->flags, c->values, name, &f));
    return truth(f, s);
}

int64_t flag_int(const struct cli *c, const char *name, int64_t otherwise)
{
    const char *s = flag_str(c, name);
    if (s)
        (void)parse_int(s, 0, &otherwise, NULL);
    return otherwise;
}

uint64_t flag_uint(const struct cli *c, const char *name, uint64_t otherwise)
{
    const char *s = flag_str(c, name);
    if (s)
        (void)parse_uint(s, 0, 64, &otherwise, NULL);
    return otherwise;
}

int64_t flag_duration(const struct cli *c, const char *name, int64_t otherwise)
{
    const char *s = flag_str(c, name);
    int64_t ns = otherwise;
    if (s && duration_parse(s, &ns))
        ns = otherwise;
    return ns;
}

double flag_float(const struct cli *c, const char *name)
{
    const char *s = flag_str(c, name);
    return s ? strtod(s, NULL) : 0;
}

int64_t flag_bytes(const struct cli *c, const char *name)
{
    int64_t n = 0;
    const char *s = flag_str(c, name);
    if (s)
        (void)parse_size(s, &n, NULL);
    return n;
}

int64_t flag_cpus(const struct cli *c, const char *name)
{
    int64_t n = 0;
    const char *s = flag_str(c, name);
    if (s)
        (void)parse_cpus(s, &n, NULL);
    return n;
}

const char *const *flag_list(const struct cli *c, const char *name)
{
    static const char *const none[] = {NULL};
    const struct flag *f;
    const struct flag_value *v = value_of(c->cmd->flags, c->values, name, &f);
    return v->v ? (const char *const *)v->v : none;
}

const char *global_str(const struct cli *c, const char *name)
{
    const struct flag *f;
    return last(value_of(c->root->flags, c->globals, name, &f));
}

bool global_bool(const struct cli *c, const char *name)
{
    const struct flag *f;
    const char *s = last(value_of(c->root->flags, c->globals, name, &f));
    return truth(f, s);
}
