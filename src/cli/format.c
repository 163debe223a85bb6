/* cli/format.c - what lists and inspections print. */
#include "cli/format.h"
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "base/mem.h"
#include "base/str.h"
#include "cli/js.h"
#include "cli/table.h"

enum { OUTPUT_MAX = 512 << 20, COLUMN_LEAST = 10, COLUMN_GAP = 3 };

/* The two-letter escapes that a shell leaves in a format. */
static char *unescape(const char *s)
{
    char *out = mem_str(s), *w = out;
    for (const char *p = s; *p; p++) {
        if (p[0] == '\\' && (p[1] == 't' || p[1] == 'n'))
            *w++ = *++p == 't' ? '\t' : '\n';
        else
            *w++ = *p;
    }
    *w = 0;
    return out;
}

json_t *row_new(json_t *labels)
{
    json_t *row = js_own(json_object());
    json_object_set_new(row, "%row", json_true());
    if (labels)
        json_object_set(row, "%labels", labels);
    else
        json_object_set_new(row, "%labels", js_own(json_object()));
    return row;
}

char *labels_text(json_t *labels)
{
    struct buf b = BUF_INIT(OUTPUT_MAX);
    buf_str(&b, "");
    AUTO_FREE const char **keys = js_sorted_keys(labels);
    for (size_t i = 0; keys[i]; i++)
        buf_printf(&b, "%s%s=%s", i ? "," : "", keys[i],
                   str_or(json_string_value(json_object_get(labels, keys[i])), ""));
    return b.p ? buf_take(&b) : mem_str("");
}

static const char *sort_field;
static int by_field(const void *a, const void *b)
{
    return str_natural_cmp(js_str(*(json_t *const *)a, sort_field),
                           js_str(*(json_t *const *)b, sort_field));
}

void rows_sort(json_t *rows, const char *field)
{
    size_t n = json_array_size(rows);
    AUTO_FREE json_t **v = mem_array(n + 1, sizeof *v);
    for (size_t i = 0; i < n; i++)
        v[i] = json_incref(json_array_get(rows, i));
    sort_field = field;
    qsort(v, n, sizeof *v, by_field);
    json_array_clear(rows);
    for (size_t i = 0; i < n; i++)
        json_array_append_new(rows, v[i]);
}

static json_t *titles(const struct column *columns)
{
    json_t *o = js_own(json_object());
    for (; columns->field; columns++)
        js_set_str(o, columns->field, columns->title);
    return o;
}

/* The template of a listing and whether it is a table. */
static char *choose(const struct listing *l, const char *format, bool quiet, bool *ret_table)
{
    *ret_table = true;
    if (quiet && (str_empty(format) || str_eq(format, "table"))) {
        *ret_table = false;
        return mem_str(l->quiet);
    }
    if (str_empty(format) || str_eq(format, "table"))
        return mem_str(l->table);
    if (str_starts(format, "table ") || str_starts(format, "table\t")) {
        const char *rest = format + 6;
        return unescape(rest + strspn(rest, " \t"));
    }
    *ret_table = false;
    if (str_eq(format, "json"))
        return mem_str("{{json .}}");
    if (str_eq(format, "raw") && l->raw)
        return mem_str(quiet ? l->quiet : l->raw);
    return unescape(format);
}

int list_print(struct cli *c, const struct listing *l, const char *format, bool quiet, json_t *rows)
{
    bool table;
    AUTO_FREE char *text = choose(l, format, quiet, &table);
    struct template *t;
    struct err why;
    if (template_new(text, &t, &why))
        return err_set(&c->err, -EINVAL, "template parsing error: %s", why.text);
    AUTO_BUF struct buf b = BUF_INIT(OUTPUT_MAX), laid = BUF_INIT(OUTPUT_MAX);
    struct template_env env = {.type = l->type}, head = {.header = true};
    int r = 0;
    if (table) {
        AUTO_JSON json_t *names = titles(l->columns);
        r = template_run(t, names, &head, &b, &why);
        buf_char(&b, '\n');
    }
    for (size_t i = 0; !r && i < json_array_size(rows); i++) {
        r = template_run(t, json_array_get(rows, i), &env, &b, &why);
        buf_char(&b, '\n');
    }
    if (!r && l->trouble && !json_array_size(rows)) {
        /* these lists try their template before they ask */
        AUTO_JSON json_t *names = titles(l->columns);
        AUTO_BUF struct buf nowhere = BUF_INIT(OUTPUT_MAX);
        json_object_set_new(names, "%labels", js_own(json_object()));
        r = template_run(t, names, &env, &nowhere, &why);
    }
    template_free(t);
    if (r)
        return err_set(&c->err, r, "%s%s",
                       l->trouble ? l->trouble : "template parsing error: ", why.text);
    if (table)
        table_layout(b.p, COLUMN_LEAST, COLUMN_GAP, &laid);
    struct buf *out = table ? &laid : &b;
    if (out->p)
        fwrite(out->p, 1, out->len, stdout);
    return 0;
}

/* --- inspect --- */

int report(struct cli *c, int r)
{
    if (!r)
        return 0;
    if (c->err.text[0]) {
        fflush(stdout);
        fprintf(stderr, "%s\n", c->err.text);
    }
    c->err.text[0] = 0;
    return 1;
}

int for_each_arg(struct cli *c, int (*call)(struct cli *c, const char *ref))
{
    int bad = 0;
    AUTO_BUF struct buf errors = BUF_INIT(OUTPUT_MAX);
    for (size_t i = 0; i < c->nargs; i++) {
        if (call(c, c->args[i])) {
            bad = 1;
            buf_printf(&errors, "%s\n", c->err.text);
            c->err.text[0] = 0;
            continue;
        }
        printf("%s\n", c->args[i]);
        fflush(stdout);
    }
    if (bad)
        fputs(errors.p, stderr);
    return bad;
}

struct gathered {
    struct buf out, errors;
    size_t found;
    bool failed;
};

static void note_error(struct cli *c, struct gathered *g)
{
    g->failed = true;
    if (c->err.text[0])
        buf_printf(&g->errors, "%s\n", c->err.text);
    c->err.text[0] = 0;
}

static int put_template(struct cli *c, const struct inspection *k, const struct template *t,
                        const struct buf *raw, struct gathered *g)
{
    AUTO_JSON json_t *o = json_loadb(raw->p, raw->len, 0, NULL);
    AUTO_BUF struct buf b = BUF_INIT(OUTPUT_MAX);
    struct err why;
    if (template_run(t, o, &k->env, &b, &why))
        return err_set(&c->err, -EINVAL, "template parsing error: %s", why.text);
    buf_append(&g->out, b.p ? b.p : "", b.len);
    buf_char(&g->out, '\n');
    return 0;
}

static void put_raw(const struct buf *raw, struct gathered *g)
{
    size_t n = raw->len;
    while (n && strchr("\r\n ", raw->p[n - 1]))
        n--;
    buf_str(&g->out, g->found ? "," : "");
    buf_append(&g->out, raw->p, n);
}

static void finish_raw(const struct gathered *g, bool compact)
{
    AUTO_BUF struct buf all = BUF_INIT(OUTPUT_MAX), text = BUF_INIT(OUTPUT_MAX);
    buf_printf(&all, "[%s]", g->found ? g->out.p : "");
    if (compact)
        buf_str(&text, all.p);
    else
        js_indent(&text, all.p, all.len, 0);
    printf("%s\n", text.p);
}

static int one_pretty(struct cli *c, const struct inspection *k, const struct buf *raw,
                      struct gathered *g)
{
    AUTO_JSON json_t *o = json_loadb(raw->p, raw->len, 0, NULL);
    if (!o)
        return err_set(&c->err, -EPROTO, "the engine's answer cannot be read");
    k->pretty(c, o, &g->out);
    return 0;
}

int inspect_run(struct cli *c, const struct inspection *k, const char *format, char **refs,
                size_t n)
{
    struct gathered g = {.out = BUF_INIT(OUTPUT_MAX), .errors = BUF_INIT(OUTPUT_MAX)};
    struct template *t = NULL;
    struct err why;
    bool pretty = k->pretty && str_eq(format, "pretty"),
         plain = str_empty(format) || str_eq(format, "json");
    buf_str(&g.out, "");
    if (!pretty && !plain) {
        AUTO_FREE char *text = unescape(format);
        if (template_new(text, &t, &why))
            return err_set(&c->err, -EINVAL, "template parsing error: %s", why.text);
    }
    for (size_t i = 0; i < n; i++) {
        AUTO_BUF struct buf raw = BUF_INIT(OUTPUT_MAX);
        int r = k->get(c, refs[i], &raw);
        if (!r && pretty)
            r = one_pretty(c, k, &raw, &g);
        else if (!r && t)
            r = put_template(c, k, t, &raw, &g);
        else if (!r)
            put_raw(&raw, &g);
        if (r)
            note_error(c, &g);
        else
            g.found++;
        if (r && pretty) { /* all or nothing, as far as the stock CLI goes with this form */
            buf_clear(&g.out);
            break;
        }
    }
    if (plain)
        finish_raw(&g, str_eq(format, "json"));
    else if (t && !g.out.len)
        putchar('\n');
    else if (g.out.len)
        fwrite(g.out.p, 1, g.out.len, stdout);
    fflush(stdout);
    if (g.errors.len)
        fputs(g.errors.p, stderr);
    template_free(t);
    buf_free(&g.out);
    buf_free(&g.errors);
    return g.failed ? 1 : 0;
}

int format_one_object(struct cli *c, const char *format, json_t *o, const struct template_env *env)
{
    if (str_empty(format))
        return 1;
    AUTO_FREE char *text = unescape(str_eq(format, "json") ? "{{json .}}" : format);
    struct template *t;
    struct err why;
    if (template_new(text, &t, &why))
        return err_set(&c->err, -EINVAL, "template parsing error: %s", why.text);
    AUTO_BUF struct buf b = BUF_INIT(OUTPUT_MAX);
    buf_str(&b, "");
    int r = template_run(t, o, env, &b, &why);
    template_free(t);
    printf("%s\n", r ? "" : b.p);
    fflush(stdout);
    return r ? err_set(&c->err, r, "%s", why.text) : 0;
}
