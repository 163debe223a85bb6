/* cli/template_fn.c - the functions that templates may call. */
#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include "base/mem.h"
#include "base/str.h"
#include "cli/js.h"
#include "cli/template_impl.h"

typedef int fn_body(struct run *r, const struct val *a, size_t n, struct val *ret, struct err *why);

static const char *text(const struct val *v)
{
    const char *s = json_string_value(v->j);
    return s ? s : "";
}

static int from_buf(struct run *r, struct buf *b, struct val *ret)
{
    *ret = val_own(r, js_text(b->p ? b->p : "", b->len));
    buf_free(b);
    return 0;
}

static int fn_json(struct run *r, const struct val *a, size_t n, struct val *ret, struct err *why)
{
    (void)n;
    (void)why;
    struct buf b = BUF_INIT(64 << 20);
    if (json_is_object(a->j) && json_object_get(a->j, "%row")) {
        AUTO_JSON json_t *row = js_own(json_copy(a->j));
        json_object_del(row, "%row");
        json_object_del(row, "%labels");
        js_write(&b, row, false);
    } else {
        js_write(&b, a->j, true);
    }
    return from_buf(r, &b, ret);
}

static int fn_join(struct run *r, const struct val *a, size_t n, struct val *ret, struct err *why)
{
    (void)n;
    (void)why;
    struct buf b = BUF_INIT(1 << 20);
    for (size_t i = 0; i < json_array_size(a[0].j); i++) {
        buf_str(&b, i ? text(&a[1]) : "");
        val_print(&b, (struct val){.j = json_array_get(a[0].j, i)});
    }
    return from_buf(r, &b, ret);
}

static int fn_split(struct run *r, const struct val *a, size_t n, struct val *ret, struct err *why)
{
    (void)n;
    (void)why;
    const char *s = text(&a[0]), *sep = text(&a[1]), *hit;
    json_t *list = js_own(json_array());
    while (*sep && (hit = strstr(s, sep))) {
        json_array_append_new(list, js_text(s, (size_t)(hit - s)));
        s = hit + strlen(sep);
    }
    js_push_str(list, s);
    *ret = val_own(r, list);
    return 0;
}

static int change_case(struct run *r, const struct val *a, struct val *ret, int how)
{
    AUTO_FREE char *s = mem_str(text(a));
    for (size_t i = 0; s[i]; i++) {
        unsigned char ch = (unsigned char)s[i];
        if (how == 'u' || (how == 't' && (i == 0 || s[i - 1] == ' ')))
            s[i] = (char)toupper(ch);
        else if (how == 'l')
            s[i] = (char)tolower(ch);
    }
    *ret = val_string(r, s);
    return 0;
}

static int fn_upper(struct run *r, const struct val *a, size_t n, struct val *ret, struct err *why)
{
    (void)n;
    (void)why;
    return change_case(r, a, ret, 'u');
}

static int fn_lower(struct run *r, const struct val *a, size_t n, struct val *ret, struct err *why)
{
    (void)n;
    (void)why;
    return change_case(r, a, ret, 'l');
}

static int fn_title(struct run *r, const struct val *a, size_t n, struct val *ret, struct err *why)
{
    (void)n;
    (void)why;
    return change_case(r, a, ret, 't');
}

static int fn_truncate(struct run *r, const struct val *a, size_t n, struct val *ret,
                       struct err *why)
{
    (void)n;
    (void)why;
    json_int_t max = json_integer_value(a[1].j);
    AUTO_FREE char *s = mem_strn(text(&a[0]), max < 0 ? 0 : (size_t)max);
    *ret = val_string(r, s);
    return 0;
}

static int fn_pad(struct run *r, const struct val *a, size_t n, struct val *ret, struct err *why)
{
    (void)n;
    json_int_t before = json_integer_value(a[1].j), after = json_integer_value(a[2].j);
    if (before < 0 || after < 0 || before > TEMPLATE_MAX || after > TEMPLATE_MAX)
        return err_set(why, -EINVAL, "pad out of range");
    AUTO_FREE char *s =
        mem_printf("%*s%s%*s", (int)before, "", *text(a) ? text(a) : "", (int)after, "");
    *ret = val_string(r, *text(a) ? s : "");
    return 0;
}

static int fn_len(struct run *r, const struct val *a, size_t n, struct val *ret, struct err *why)
{
    (void)n;
    size_t len = 0;
    if (json_is_string(a->j))
        len = json_string_length(a->j);
    else if (a->kind == VAL_NIL_LIST)
        len = 0;
    else if (json_is_array(a->j))
        len = json_array_size(a->j);
    else if (json_is_object(a->j))
        len = json_object_size(a->j);
    else
        return err_set(why, -EINVAL, "len of nil pointer");
    *ret = val_own(r, json_integer((json_int_t)len));
    return 0;
}

static int index_once(struct run *r, struct val *v, const struct val *key, struct err *why)
{
    if (json_is_object(v->j)) {
        json_t *m = json_object_get(v->j, text(key));
        *v = m ? (struct val){.j = m, .kind = json_is_null(m) ? VAL_NIL : VAL_JSON}
               : val_string(r, "");
        return 0;
    }
    json_int_t i = json_integer_value(key->j);
    if (json_is_array(v->j) && json_is_integer(key->j)) {
        if (i < 0 || (size_t)i >= json_array_size(v->j))
            return err_set(why, -EINVAL, "reflect: slice index out of range");
        json_t *m = json_array_get(v->j, (size_t)i);
        *v = (struct val){.j = m, .kind = json_is_null(m) ? VAL_NIL : VAL_JSON};
        return 0;
    }
    if (json_is_string(v->j) && json_is_integer(key->j)) {
        if (i < 0 || (size_t)i >= json_string_length(v->j))
            return err_set(why, -EINVAL, "reflect: string index out of range");
        *v = val_own(r, json_integer((unsigned char)text(v)[i]));
        return 0;
    }
    if (v->kind == VAL_NIL || v->kind == VAL_NONE)
        return err_set(why, -EINVAL, "index of untyped nil");
    return err_set(why, -EINVAL, "can't index item of this type");
}

static int fn_index(struct run *r, const struct val *a, size_t n, struct val *ret, struct err *why)
{
    struct val v = a[0];
    for (size_t i = 1; i < n; i++) {
        int e = index_once(r, &v, &a[i], why);
        if (e)
            return e;
    }
    *ret = v;
    return 0;
}

static int fn_slice(struct run *r, const struct val *a, size_t n, struct val *ret, struct err *why)
{
    size_t len = json_is_string(a->j) ? json_string_length(a->j) : json_array_size(a->j);
    json_int_t from = n > 1 ? json_integer_value(a[1].j) : 0;
    json_int_t to = n > 2 ? json_integer_value(a[2].j) : (json_int_t)len;
    if (from < 0 || to < from || (size_t)to > len)
        return err_set(why, -EINVAL, "index out of range: %lld",
                       (long long)(to < from ? from : to));
    if (json_is_string(a->j)) {
        *ret = val_own(r, js_text(text(a) + from, (size_t)(to - from)));
        return 0;
    }
    json_t *list = js_own(json_array());
    for (json_int_t i = from; i < to; i++)
        json_array_append(list, json_array_get(a->j, (size_t)i));
    *ret = val_own(r, list);
    return 0;
}

static int print_all(struct run *r, const struct val *a, size_t n, struct val *ret, bool line)
{
    struct buf b = BUF_INIT(1 << 20);
    for (size_t i = 0; i < n; i++) {
        bool gap = line || (i && !json_is_string(a[i].j) && !json_is_string(a[i - 1].j));
        buf_str(&b, i && gap ? " " : "");
        val_print(&b, a[i]);
    }
    buf_str(&b, line ? "\n" : "");
    return from_buf(r, &b, ret);
}

static int fn_print(struct run *r, const struct val *a, size_t n, struct val *ret, struct err *why)
{
    (void)why;
    return print_all(r, a, n, ret, false);
}

static int fn_println(struct run *r, const struct val *a, size_t n, struct val *ret,
                      struct err *why)
{
    (void)why;
    return print_all(r, a, n, ret, true);
}

/* A width or precision of more than three digits: nobody means it, and to pad so far takes seconds.
 */
static bool width_is_mad(const char *spec, size_t len)
{
    size_t digits = 0;
    for (size_t i = 0; i < len && digits <= 3; i++)
        digits = isdigit((unsigned char)spec[i]) ? digits + 1 : 0;
    return digits > 3;
}

/* One verb: flags, width, precision and a letter. */
static void format_one(struct buf *out, const char *spec, size_t len, struct val v)
{
    AUTO_BUF struct buf b = BUF_INIT(1 << 20);
    char fmt[32], verb = spec[len - 1];
    if (len > 24 || width_is_mad(spec, len)) {
        buf_str(out, "%!(BADWIDTH)"); /* as Go says it */
        return;
    }
    if (strchr("dxXo", verb) && json_is_integer(v.j)) {
        snprintf(fmt, sizeof fmt, "%.*sll%c", (int)len - 1, spec, verb);
    } else if (strchr("feg", verb) && json_is_number(v.j)) {
        snprintf(fmt, sizeof fmt, "%.*s", (int)len, spec);
    } else {
        if (verb == 'q')
            js_write(&b, v.j, true);
        else
            val_print(&b, v);
        snprintf(fmt, sizeof fmt, "%.*ss", (int)len - 1, spec);
        verb = 's';
    }
    char small[1024];
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
    /* the format was put together above from checked parts */
    if (verb == 's')
        snprintf(small, sizeof small, fmt, b.p ? b.p : "");
    else if (strchr("feg", verb))
        snprintf(small, sizeof small, fmt, json_number_value(v.j));
    else
        snprintf(small, sizeof small, fmt, (long long)json_integer_value(v.j));
#pragma GCC diagnostic pop
    buf_str(out, verb == 's' && b.len >= sizeof small ? b.p : small);
}

static int fn_printf(struct run *r, const struct val *a, size_t n, struct val *ret, struct err *why)
{
    (void)why;
    struct buf b = BUF_INIT(1 << 20);
    size_t next = 1;
    for (const char *p = text(&a[0]); *p; p++) {
        if (*p != '%') {
            buf_char(&b, *p);
            continue;
        }
        size_t len = 1 + strspn(p + 1, "-+ #0123456789.");
        char verb = p[len];
        if (verb == '%')
            buf_char(&b, '%');
        else if (!verb)
            buf_str(&b, "%!(NOVERB)");
        else if (next >= n)
            buf_printf(&b, "%%!%c(MISSING)", verb);
        else
            format_one(&b, p, len + 1, a[next++]);
        p += verb ? len : len - 1;
    }
    return from_buf(r, &b, ret);
}

/* --- truth and order --- */

static int compare(const struct val *a, const struct val *b, struct err *why, int *ret)
{
    if (json_is_string(a->j) && json_is_string(b->j)) {
        *ret = strcmp(text(a), text(b));
        return 0;
    }
    if (json_is_number(a->j) && json_is_number(b->j)) {
        double x = json_number_value(a->j), y = json_number_value(b->j);
        *ret = x < y ? -1 : x > y;
        return 0;
    }
    if (json_is_boolean(a->j) && json_is_boolean(b->j)) {
        *ret = json_is_true(a->j) - json_is_true(b->j);
        return 0;
    }
    if (a->kind != VAL_JSON || b->kind != VAL_JSON) {
        *ret = a->kind != b->kind;
        return 0;
    }
    return err_set(why, -EINVAL, "incompatible types for comparison");
}

static int put_bool(struct run *r, bool b, struct val *ret)
{
    *ret = val_own(r, json_boolean(b));
    return 0;
}

static int fn_eq(struct run *r, const struct val *a, size_t n, struct val *ret, struct err *why)
{
    for (size_t i = 1; i < n; i++) {
        int c, e = compare(&a[0], &a[i], why, &c);
        if (e || c == 0)
            return e ? e : put_bool(r, true, ret);
    }
    return put_bool(r, false, ret);
}

#define ORDER(name, test)                                                                          \
    static int name(struct run *r, const struct val *a, size_t n, struct val *ret,                 \
                    struct err *why)                                                               \
    {                                                                                              \
        (void)n;                                                                                   \
        int c, e = compare(&a[0], &a[1], why, &c);                                                 \
        return e ? e : put_bool(r, test, ret);                                                     \
    }
ORDER(fn_ne, c != 0)
ORDER(fn_lt, c < 0)
ORDER(fn_le, c <= 0)
ORDER(fn_gt, c > 0)
ORDER(fn_ge, c >= 0)

static int fn_and(struct run *r, const struct val *a, size_t n, struct val *ret, struct err *why)
{
    (void)r;
    (void)why;
    size_t i = 0;
    while (i + 1 < n && val_true(a[i]))
        i++;
    *ret = a[i];
    return 0;
}

static int fn_or(struct run *r, const struct val *a, size_t n, struct val *ret, struct err *why)
{
    (void)r;
    (void)why;
    size_t i = 0;
    while (i + 1 < n && !val_true(a[i]))
        i++;
    *ret = a[i];
    return 0;
}

static int fn_not(struct run *r, const struct val *a, size_t n, struct val *ret, struct err *why)
{
    (void)n;
    (void)why;
    return put_bool(r, !val_true(a[0]), ret);
}

static const struct {
    const char *name;
    fn_body *body;
    size_t min, max;
} functions[] = {
    {"and", fn_and, 1, ARGS_MAX},
    {"or", fn_or, 1, ARGS_MAX},
    {"not", fn_not, 1, 1},
    {"eq", fn_eq, 2, ARGS_MAX},
    {"ne", fn_ne, 2, 2},
    {"lt", fn_lt, 2, 2},
    {"le", fn_le, 2, 2},
    {"gt", fn_gt, 2, 2},
    {"ge", fn_ge, 2, 2},
    {"len", fn_len, 1, 1},
    {"index", fn_index, 1, ARGS_MAX},
    {"slice", fn_slice, 1, 3},
    {"print", fn_print, 0, ARGS_MAX},
    {"printf", fn_printf, 1, ARGS_MAX},
    {"println", fn_println, 0, ARGS_MAX},
    {"json", fn_json, 1, 1},
    {"join", fn_join, 2, 2},
    {"split", fn_split, 2, 2},
    {"upper", fn_upper, 1, 1},
    {"lower", fn_lower, 1, 1},
    {"title", fn_title, 1, 1},
    {"truncate", fn_truncate, 2, 2},
    {"pad", fn_pad, 3, 3},
};

bool fn_known(const char *name)
{
    for (size_t i = 0; i < sizeof functions / sizeof *functions; i++)
        if (str_eq(functions[i].name, name))
            return true;
    return false;
}

int fn_call(struct run *r, const char *name, const struct val *args, size_t n, struct val *ret,
            struct err *why)
{
    size_t i = 0;
    while (!str_eq(functions[i].name, name))
        i++;
    if (n < functions[i].min || n > functions[i].max)
        return err_set(why, -EINVAL, "wrong number of args for %s: want %zu got %zu", name,
                       functions[i].min, n);
    return functions[i].body(r, args, n, ret, why);
}
