/* cli/opts.c - flag values: numbers, sizes, labels, filters, words. */
#include "cli/opts.h"
#include <arpa/inet.h>
#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include "base/buf.h"
#include "base/mem.h"
#include "base/str.h"
#include "cli/js.h"

enum { FIELD_MAX = 1 << 20 };

int parse_bool(const char *s, bool *ret, struct err *e)
{
    static const char *const yes[] = {"1", "t", "T", "true", "TRUE", "True"};
    static const char *const no[] = {"0", "f", "F", "false", "FALSE", "False"};
    for (size_t i = 0; i < 6; i++) {
        if (str_eq(s, yes[i]) || str_eq(s, no[i])) {
            *ret = str_eq(s, yes[i]);
            return 0;
        }
    }
    return err_set(e, -EINVAL, "strconv.ParseBool: parsing \"%s\": invalid syntax", s);
}

/* Digits in `base`, 0 meaning that a prefix decides: 0x, 0o, 0b, 0. 0, -EINVAL, -ERANGE. */
static int digits(const char *s, unsigned base, uint64_t *ret)
{
    uint64_t v = 0;
    if (base == 0) {
        base = 10;
        if (s[0] == '0' && s[1]) {
            char p = (char)tolower((unsigned char)s[1]);
            base = p == 'x' ? 16 : p == 'b' ? 2 : 8;
            s += p == 'x' || p == 'b' || p == 'o' ? 2 : 1;
        }
    }
    if (!*s)
        return -EINVAL;
    bool over = false;
    for (; *s; s++) {
        int ch = tolower((unsigned char)*s);
        unsigned d = isdigit(ch)   ? (unsigned)(ch - '0')
                     : isalpha(ch) ? (unsigned)(ch - 'a' + 10)
                                   : 99;
        if (d >= base)
            return -EINVAL;
        over = over || __builtin_mul_overflow(v, base, &v) || __builtin_add_overflow(v, d, &v);
    }
    *ret = v;
    return over ? -ERANGE : 0;
}

int parse_uint(const char *s, unsigned base, unsigned bits, uint64_t *ret, struct err *e)
{
    uint64_t v;
    int r = digits(s, base, &v);
    if (r == -EINVAL)
        return err_set(e, -EINVAL, "strconv.ParseUint: parsing \"%s\": invalid syntax", s);
    if (r || (bits < 64 && v >> bits))
        return err_set(e, -EINVAL, "strconv.ParseUint: parsing \"%s\": value out of range", s);
    *ret = v;
    return 0;
}

int parse_int(const char *s, unsigned base, int64_t *ret, struct err *e)
{
    bool minus = *s == '-';
    uint64_t v;
    int r = digits(s + (minus || *s == '+'), base, &v);
    if (r == -EINVAL)
        return err_set(e, -EINVAL, "strconv.ParseInt: parsing \"%s\": invalid syntax", s);
    if (r || v > (uint64_t)INT64_MAX)
        return err_set(e, -EINVAL, "strconv.ParseInt: parsing \"%s\": value out of range", s);
    *ret = minus ? -(int64_t)v : (int64_t)v;
    return 0;
}

int parse_size(const char *s, int64_t *ret, struct err *e)
{
    char *end;
    errno = 0;
    double v = strtod(s, &end);
    if (end == s || !(isdigit((unsigned char)*s) || *s == '.' || *s == '-') || errno)
        return err_set(e, -EINVAL, "invalid size: '%s'", s);
    while (*end == ' ')
        end++;
    const char *units = "bkmgtp", *unit = "b";
    if (*end) {
        unit = strchr(units, tolower((unsigned char)*end));
        bool tail = !end[1] || str_ieq(end + 1, "b") || str_ieq(end + 1, "ib");
        if (!unit || !*unit || !tail || (*unit == 'b' && end[1]))
            return err_set(e, -EINVAL, "invalid suffix: '%s'", end);
    }
    for (; unit > units; unit--)
        v *= 1024;
    if (v < 0)
        return err_set(e, -EINVAL, "invalid size: '%s'", s);
    if (v >= 9.2e18)
        return err_set(e, -EINVAL, "size %s is too large", s);
    *ret = (int64_t)v;
    return 0;
}

int check_size(const char *s, struct err *e)
{
    int64_t n;
    return parse_size(s, &n, e);
}

int parse_cpus(const char *s, int64_t *ret, struct err *e)
{
    char *end;
    double v = strtod(s, &end);
    if (end == s || *end || !(v > -9e9 && v < 9e9))
        return err_set(e, -EINVAL, "failed to parse %s as a rational number", s);
    double nano = v * 1e9;
    int64_t whole = (int64_t)(nano + (nano < 0 ? -0.5 : 0.5));
    double off = nano - (double)whole;
    if (off > 1e-4 || off < -1e-4)
        return err_set(e, -EINVAL, "value is too precise");
    *ret = whole;
    return 0;
}

int check_cpus(const char *s, struct err *e)
{
    int64_t n;
    return parse_cpus(s, &n, e);
}

int parse_cidr(const char *s, struct err *e)
{
    unsigned char addr[16];
    uint64_t bits;
    const char *slash = strchr(s, '/');
    AUTO_FREE char *ip = mem_strn(s, slash ? (size_t)(slash - s) : strlen(s));
    int family = strchr(ip, ':') ? AF_INET6 : AF_INET;
    if (slash && inet_pton(family, ip, addr) == 1 && !str_to_u64(slash + 1, 128, &bits) &&
        bits <= (family == AF_INET ? 32 : 128))
        return 0;
    return err_set(e, -EINVAL, "invalid string being converted to CIDR: %s", s);
}

int check_cidrs(const char *s, struct err *e)
{
    AUTO_STRV char **fields = NULL;
    int r = csv_record(s, &fields, e);
    for (size_t i = 0; !r && fields[i]; i++)
        r = parse_cidr(fields[i], e);
    return r;
}

int check_label(const char *s, struct err *e)
{
    size_t n = strcspn(s, "=");
    if (!n)
        return err_set(e, -EINVAL, "invalid label '%s': empty name", s);
    for (size_t i = 0; i < n; i++)
        if (isspace((unsigned char)s[i]))
            return err_set(e, -EINVAL, "label '%s' contains whitespaces", s);
    return 0;
}

int check_env(const char *s, struct err *e)
{
    return strcspn(s, "=") ? 0 : err_set(e, -EINVAL, "invalid environment variable: %s", s);
}

int check_filter(const char *s, struct err *e)
{
    return !*s || strchr(s, '=')
               ? 0
               : err_set(e, -EINVAL, "bad format of filter (expected name=value)");
}

int check_ip(const char *s, struct err *e)
{
    unsigned char a[16];
    if (inet_pton(AF_INET, s, a) == 1 || inet_pton(AF_INET6, s, a) == 1)
        return 0;
    return err_set(e, -EINVAL, "IP address is not correctly formatted: %s", s);
}

int check_host(const char *s, struct err *e)
{
    const char *sep = strpbrk(s, "=:");
    if (!sep || sep == s || !sep[1])
        return err_set(e, -EINVAL, "bad format for add-host: \"%s\"", s);
    struct err why;
    if (!str_eq(sep + 1, "host-gateway") && check_ip(sep + 1, &why))
        return err_set(e, -EINVAL, "invalid IP address in add-host: \"%s\"", sep + 1);
    return 0;
}

int check_generic(const char *s, struct err *e)
{
    const char *eq = strchr(s, '=');
    if (!eq || eq == s || !eq[1])
        return err_set(e, -EINVAL, "invalid generic-resource format `%s` expected `name=value`", s);
    return 0;
}

int check_pref(const char *s, struct err *e)
{
    const char *eq = strchr(s, '=');
    if (!eq)
        return err_set(e, -EINVAL,
                       "placement preference must be of the format \"<strategy>=<arg>\"");
    if (!str_starts(s, "spread="))
        return err_set(e, -EINVAL,
                       "unsupported placement preference %.*s (only spread is supported)",
                       (int)(eq - s), s);
    return 0;
}

int check_credspec(const char *s, struct err *e)
{
    if (!*s || str_starts(s, "config://") || str_starts(s, "file://") ||
        str_starts(s, "registry://"))
        return 0;
    return err_set(e, -EINVAL,
                   "invalid credential spec: value must be prefixed with \"config://\", "
                   "\"file://\", or \"registry://\"");
}

int check_pem(const char *s, struct err *e)
{
    AUTO_BUF struct buf b = BUF_INIT(FIELD_MAX);
    int r = buf_read_file(&b, s, NULL);
    if (r)
        return err_set(e, r, "open %s: %s", s,
                       r == -ENOENT ? "no such file or directory" : strerror(-r));
    if (!b.p || !strstr(b.p, "-----BEGIN "))
        return err_set(e, -EINVAL, "file contents must be in PEM format");
    return 0;
}

int parse_ulimit(const char *s, json_t **ret, struct err *e)
{
    const char *eq = strchr(s, '=');
    if (!eq)
        return err_set(e, -EINVAL, "invalid ulimit argument: %s", s);
    AUTO_FREE char *name = mem_strn(s, (size_t)(eq - s));
    const char *colon = strchr(eq, ':');
    AUTO_FREE char *soft = mem_strn(eq + 1, colon ? (size_t)(colon - eq - 1) : strlen(eq + 1));
    int64_t lo, hi;
    if (parse_int(soft, 10, &lo, NULL) || parse_int(colon ? colon + 1 : soft, 10, &hi, NULL))
        return err_set(e, -EINVAL, "invalid ulimit value \"%s\" in %s", eq + 1, s);
    if (hi != -1 && lo > hi)
        return err_set(e, -EINVAL,
                       "ulimit soft limit must be less than or equal to hard limit: %lld > %lld",
                       (long long)lo, (long long)hi);
    *ret = js_own(
        json_pack("{s:s,s:I,s:I}", "Name", name, "Hard", (json_int_t)hi, "Soft", (json_int_t)lo));
    return 0;
}

int check_ulimit(const char *s, struct err *e)
{
    AUTO_JSON json_t *u = NULL;
    return parse_ulimit(s, &u, e);
}

/* --- CSV: fields may be quoted, quotes inside are doubled --- */

static int quoted_field(const char *s, const char **p, struct buf *b, struct err *e)
{
    const char *q = *p + 1;
    for (;; q++) {
        if (!*q)
            return err_set(
                e, -EINVAL,
                "parse error on line 1, column %zu: extraneous or missing \" in quoted-field",
                (size_t)(q - s) + 1);
        if (*q == '"' && q[1] == '"')
            q++;
        else if (*q == '"')
            break;
        buf_char(b, *q);
    }
    q++;
    if (*q && *q != ',')
        return err_set(
            e, -EINVAL,
            "parse error on line 1, column %zu: extraneous or missing \" in quoted-field",
            (size_t)(q - s));
    *p = q;
    return 0;
}

static int plain_field(const char *s, const char **p, struct buf *b, struct err *e)
{
    for (; **p && **p != ','; (*p)++) {
        if (**p == '"')
            return err_set(e, -EINVAL,
                           "parse error on line 1, column %zu: bare \" in non-quoted-field",
                           (size_t)(*p - s) + 1);
        buf_char(b, **p);
    }
    return 0;
}

int csv_record(const char *s, char ***ret, struct err *e)
{
    if (!*s)
        return err_set(e, -EINVAL, "EOF");
    AUTO_STRV char **fields = NULL;
    const char *p = s;
    for (;;) {
        AUTO_BUF struct buf b = BUF_INIT(FIELD_MAX);
        buf_str(&b, "");
        int r = *p == '"' ? quoted_field(s, &p, &b, e) : plain_field(s, &p, &b, e);
        if (r)
            return r;
        strv_push(&fields, mem_str(b.p ? b.p : ""));
        if (!*p)
            break;
        p++;
    }
    *ret = TAKE(fields);
    return 0;
}

/* --- words of a command line --- */

char **split_words(const char *s, struct err *e)
{
    char **words = mem_array(1, sizeof *words);
    AUTO_BUF struct buf b = BUF_INIT(FIELD_MAX);
    bool in = false;
    char quote = 0;
    for (; *s; s++) {
        if (quote == '\'' && *s != '\'') {
            buf_char(&b, *s);
        } else if (*s == '\\' && s[1]) {
            if (quote == '"' && !strchr("\"\\$`", s[1]))
                buf_char(&b, '\\');
            buf_char(&b, *++s);
            in = true;
        } else if (quote && *s == quote) {
            quote = 0;
        } else if (!quote && (*s == '"' || *s == '\'')) {
            quote = *s;
            in = true;
        } else if (!quote && isspace((unsigned char)*s)) {
            if (in)
                strv_push(&words, mem_str(b.p ? b.p : ""));
            buf_clear(&b);
            in = false;
        } else {
            buf_char(&b, *s);
            in = true;
        }
    }
    if (quote) {
        (void)err_set(e, -EINVAL, "EOF found when expecting closing quote");
        strv_free(words);
        return NULL;
    }
    if (in)
        strv_push(&words, mem_str(b.len ? b.p : ""));
    return words;
}

json_t *labels_object(const char *const *labels)
{
    json_t *o = js_own(json_object());
    for (; labels && *labels; labels++) {
        size_t n = strcspn(*labels, "=");
        AUTO_FREE char *k = mem_strn(*labels, n);
        js_set_str(o, k, (*labels)[n] ? *labels + n + 1 : "");
    }
    return o;
}

static void add_env(json_t *list, const char *line)
{
    const char *value = strchr(line, '=') ? NULL : getenv(line);
    if (strchr(line, '=')) {
        js_push_str(list, line);
    } else if (value) {
        AUTO_FREE char *kv = mem_printf("%s=%s", line, value);
        js_push_str(list, kv);
    }
}

static int add_env_file(json_t *list, const char *path, struct err *e)
{
    AUTO_BUF struct buf b = BUF_INIT(FIELD_MAX);
    int r = buf_read_file(&b, path, NULL);
    if (r)
        return err_set(e, r, "open %s: %s", path,
                       r == -ENOENT ? "no such file or directory" : strerror(-r));
    for (char *line = b.p, *next; line && *line; line = next) {
        next = line + strcspn(line, "\n");
        if (*next)
            *next++ = 0;
        line += strspn(line, " \t");
        line[strcspn(line, "\r")] = 0;
        if (!*line || *line == '#')
            continue;
        size_t key = strcspn(line, "=");
        if (!key || strcspn(line, " \t") < key)
            return err_set(e, -EINVAL, "variable '%.*s' contains whitespaces", (int)key, line);
        add_env(list, line);
    }
    return 0;
}

int env_from_files(const char *const *files, const char *const *env, json_t **ret, struct err *e)
{
    AUTO_JSON json_t *list = js_own(json_array());
    for (; files && *files; files++) {
        int r = add_env_file(list, *files, e);
        if (r)
            return r;
    }
    for (; env && *env; env++) {
        if (strchr(*env, '='))
            js_push_str(list, *env);
        else
            add_env(list, *env);
    }
    *ret = TAKE(list);
    return 0;
}
