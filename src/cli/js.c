/* cli/js.c - reading JSON by path, and writing it as Go programs do. */
#include "cli/js.h"
#include <stdlib.h>
#include <string.h>
#include "base/clock.h"
#include "base/mem.h"

enum { PATH_PART = 128 };

void auto_json_(json_t **p)
{
    json_decref(*p);
}

json_t *js_own(json_t *o)
{
    if (!o)
        abort();
    return o;
}

json_t *js_text(const char *s, size_t n)
{
    json_t *v = json_stringn(s, n);
    if (v)
        return v;
    /* not UTF-8: every bad byte becomes '?', as the terminal would show it anyway */
    AUTO_FREE char *copy = mem_strn(s, n);
    for (char *p = copy; *p; p++)
        if (*p & 0x80)
            *p = '?';
    return js_own(json_string(copy));
}

json_t *js_at(json_t *o, const char *path)
{
    while (o && *path) {
        char part[PATH_PART];
        size_t n = strcspn(path, ".");
        if (n >= sizeof part)
            return NULL;
        memcpy(part, path, n);
        part[n] = 0;
        o = json_object_get(o, part);
        path += n + (path[n] == '.');
    }
    return json_is_null(o) ? NULL : o;
}

const char *js_str(json_t *o, const char *path)
{
    const char *s = json_string_value(js_at(o, path));
    return s ? s : "";
}

int64_t js_int(json_t *o, const char *path)
{
    json_t *v = js_at(o, path);
    return json_is_integer(v) ? (int64_t)json_integer_value(v) : (int64_t)json_number_value(v);
}

double js_real(json_t *o, const char *path)
{
    return json_number_value(js_at(o, path));
}

bool js_bool(json_t *o, const char *path)
{
    return json_is_true(js_at(o, path));
}

size_t js_len(json_t *o, const char *path)
{
    json_t *v = js_at(o, path);
    return json_is_object(v) ? json_object_size(v) : json_array_size(v);
}

int64_t js_time(json_t *o, const char *path)
{
    int64_t ns;
    return time_parse(js_str(o, path), &ns) ? 0 : ns;
}

void js_set_str(json_t *o, const char *key, const char *s)
{
    json_object_set_new(o, key, js_text(s ? s : "", s ? strlen(s) : 0));
}

void js_push_str(json_t *array, const char *s)
{
    json_array_append_new(array, js_text(s, strlen(s)));
}

json_t *js_sub(json_t *o, const char *key)
{
    json_t *v = json_object_get(o, key);
    if (!json_is_object(v)) {
        v = js_own(json_object());
        json_object_set_new(o, key, v);
    }
    return v;
}

json_t *js_list(json_t *o, const char *key)
{
    json_t *v = json_object_get(o, key);
    if (!json_is_array(v)) {
        v = js_own(json_array());
        json_object_set_new(o, key, v);
    }
    return v;
}

json_t *js_strings(const char *const *v)
{
    json_t *a = js_own(json_array());
    for (; v && *v; v++)
        js_push_str(a, *v);
    return a;
}

static int by_name(const void *a, const void *b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

const char **js_sorted_keys(json_t *o)
{
    const char **keys = mem_array(json_object_size(o) + 1, sizeof *keys);
    const char *k;
    json_t *v;
    size_t n = 0;
    json_object_foreach(o, k, v) keys[n++] = k;
    qsort(keys, n, sizeof *keys, by_name);
    return keys;
}

static void write_string(struct buf *b, const char *s, size_t n)
{
    buf_char(b, '"');
    for (size_t i = 0; i < n; i++) {
        unsigned char ch = (unsigned char)s[i];
        if (ch == '"' || ch == '\\')
            buf_printf(b, "\\%c", ch);
        else if (ch == '\n')
            buf_str(b, "\\n");
        else if (ch == '\r')
            buf_str(b, "\\r");
        else if (ch == '\t')
            buf_str(b, "\\t");
        else if (ch < 0x20 || ch == '<' || ch == '>' || ch == '&')
            buf_printf(b, "\\u%04x", ch);
        else
            buf_char(b, (char)ch);
    }
    buf_char(b, '"');
}

static void write_real(struct buf *b, double d)
{
    char text[40];
    for (int digits = 1; digits <= 17; digits++) {
        snprintf(text, sizeof text, "%.*g", digits, d);
        if (!(strtod(text, NULL) < d) && !(strtod(text, NULL) > d))
            break;
    }
    buf_str(b, text);
}

static void write_object(struct buf *b, json_t *v, bool keep_order)
{
    bool first = true;
    buf_char(b, '{');
    const char *k;
    json_t *m;
    AUTO_FREE const char **keys = keep_order ? NULL : js_sorted_keys(v);
    if (keep_order) {
        json_object_foreach(v, k, m)
        {
            buf_str(b, first ? "" : ",");
            first = false;
            write_string(b, k, strlen(k));
            buf_char(b, ':');
            js_write(b, m, keep_order);
        }
    }
    for (size_t i = 0; keys && keys[i]; i++) {
        buf_str(b, i ? "," : "");
        write_string(b, keys[i], strlen(keys[i]));
        buf_char(b, ':');
        js_write(b, json_object_get(v, keys[i]), keep_order);
    }
    buf_char(b, '}');
}

void js_write(struct buf *b, json_t *v, bool keep_order)
{
    size_t i;
    json_t *m;
    switch (v ? json_typeof(v) : JSON_NULL) {
    case JSON_OBJECT:
        write_object(b, v, keep_order);
        break;
    case JSON_ARRAY:
        buf_char(b, '[');
        json_array_foreach(v, i, m)
        {
            buf_str(b, i ? "," : "");
            js_write(b, m, keep_order);
        }
        buf_char(b, ']');
        break;
    case JSON_STRING:
        write_string(b, json_string_value(v), json_string_length(v));
        break;
    case JSON_INTEGER:
        buf_printf(b, "%lld", (long long)json_integer_value(v));
        break;
    case JSON_REAL:
        write_real(b, json_real_value(v));
        break;
    case JSON_TRUE:
        buf_str(b, "true");
        break;
    case JSON_FALSE:
        buf_str(b, "false");
        break;
    default:
        buf_str(b, "null");
    }
}

static void new_line(struct buf *b, unsigned level)
{
    buf_char(b, '\n');
    for (unsigned i = 0; i < level; i++)
        buf_str(b, "    ");
}

static size_t skip_string(const char *p, size_t i, size_t n)
{
    for (i++; i < n && p[i] != '"'; i++)
        if (p[i] == '\\')
            i++;
    return i < n ? i : n - 1;
}

static size_t skip_blank(const char *p, size_t i, size_t n)
{
    while (i < n && strchr(" \t\r\n", p[i]))
        i++;
    return i;
}

void js_indent(struct buf *b, const char *p, size_t n, unsigned level)
{
    for (size_t i = 0; i < n; i++) {
        char ch = p[i];
        if (ch == '"') {
            size_t end = skip_string(p, i, n);
            buf_append(b, p + i, end - i + 1);
            i = end;
        } else if (ch == '{' || ch == '[') {
            size_t next = skip_blank(p, i + 1, n);
            buf_char(b, ch);
            if (next < n && (p[next] == '}' || p[next] == ']')) {
                buf_char(b, p[next]);
                i = next;
            } else {
                new_line(b, ++level);
            }
        } else if (ch == '}' || ch == ']') {
            new_line(b, level ? --level : 0);
            buf_char(b, ch);
        } else if (ch == ',') {
            buf_char(b, ch);
            new_line(b, level);
        } else if (ch == ':') {
            buf_str(b, ": ");
        } else if (!strchr(" \t\r\n", ch)) {
            buf_char(b, ch);
        }
    }
}
