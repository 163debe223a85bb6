/* http/json.c - one JSON value is checked, read, and walked with the engine's names for what is
 * wrong. */
#include "http/json.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "base/buf.h"
#include "base/mem.h"
#include "base/str.h"
#include "http/json_scan.h"

/* Length of the UTF-8 sequence at p, 0 when it is none. */
static size_t utf8_at(const unsigned char *p, size_t n)
{
    size_t len = p[0] < 0x80                   ? 1
                 : p[0] >= 0xc2 && p[0] < 0xe0 ? 2
                 : p[0] >= 0xe0 && p[0] < 0xf0 ? 3
                 : p[0] >= 0xf0 && p[0] < 0xf5 ? 4
                                               : 0;
    if (len == 0 || len > n)
        return 0;
    for (size_t i = 1; i < len; i++) {
        if ((p[i] & 0xc0) != 0x80)
            return 0;
    }
    if ((p[0] == 0xe0 && p[1] < 0xa0) || (p[0] == 0xed && p[1] > 0x9f) ||
        (p[0] == 0xf0 && p[1] < 0x90) || (p[0] == 0xf4 && p[1] > 0x8f))
        return 0;
    return len;
}

/* Broken UTF-8 becomes U+FFFD, as it does with the engine; the library would refuse it. */
static void repair(const char *p, size_t n, struct buf *out)
{
    const unsigned char *u = (const unsigned char *)p;
    for (size_t i = 0, len; i < n; i += len) {
        len = utf8_at(u + i, n - i);
        if (len > 0)
            buf_append(out, p + i, len);
        else
            buf_append(out, "\xef\xbf\xbd", 3);
        len = len > 0 ? len : 1;
    }
}

static bool all_utf8(const char *p, size_t n)
{
    for (size_t i = 0, len; i < n; i += len) {
        len = utf8_at((const unsigned char *)p + i, n - i);
        if (len == 0)
            return false;
    }
    return true;
}

int json_body_parse(const char *p, size_t n, json_t **ret, struct err *e)
{
    struct json_scan scan;
    size_t end = 0;
    json_error_t why;
    json_scan_init(&scan);
    for (; end < n && !scan.whole; end++) {
        enum json_scan_event ev = json_scan_byte(&scan, (unsigned char)p[end]);
        if (ev == SCAN_ERROR)
            return err_set(e, -EINVAL, "%s", err_text(&scan.e));
        if (ev == SCAN_END)
            break;
    }
    int r = json_scan_end(&scan);
    if (r > 0)
        return JSON_BODY_EMPTY;
    if (r < 0)
        return err_set(e, r, "%s", err_text(&scan.e));
    AUTO_BUF struct buf repaired = BUF_INIT(3 * end + 1);
    if (!all_utf8(p, end)) {
        repair(p, end, &repaired);
        p = repaired.p;
        end = repaired.len;
    }
    *ret = json_loadb(p, end, JSON_DECODE_ANY | JSON_DISABLE_EOF_CHECK, &why);
    if (!*ret)
        return err_set(e, -EINVAL, "invalid JSON: %s", why.text);
    return 0;
}

/* ---- the walk ---- */

static const char *kind(const json_t *v, char ret[64])
{
    switch (json_typeof(v)) {
    case JSON_OBJECT:
        return "object";
    case JSON_ARRAY:
        return "array";
    case JSON_STRING:
        return "string";
    case JSON_INTEGER:
        return "number";
    case JSON_REAL:
        snprintf(ret, 64, "number");
        return ret;
    case JSON_TRUE:
    case JSON_FALSE:
        return "bool";
    case JSON_NULL:
        break;
    }
    return "null";
}

static void path_of(const struct json_at *at, struct buf *out)
{
    if (!at || !at->up)
        return;
    path_of(at->up, out);
    buf_printf(out, "%s.", at->key);
}

static void note(const struct json_at *at, const char *key, const char *what, const char *go_type)
{
    if (at->in->failed)
        return;
    AUTO_BUF struct buf path = BUF_INIT(512);
    path_of(at, &path);
    at->in->failed = true;
    err_set(&at->in->e, -EINVAL,
            "json: cannot unmarshal %s into Go struct field %s.%s%s of type %s", what, at->type,
            path.p ? path.p : "", key, go_type);
}

void json_at_fail(const struct json_at *at, const char *key, const json_t *v, const char *go_type)
{
    char word[64];
    note(at, key, kind(v, word), go_type);
}

struct json_at json_at_root(struct json_in *in, const json_t *v, const char *go_type)
{
    char word[64];
    const char *dot = strrchr(go_type, '.');
    struct json_at at = {.in = in, .type = dot ? dot + 1 : go_type};
    if (json_is_object(v)) {
        at.o = v;
    } else if (v && !json_is_null(v) && !in->failed) {
        in->failed = true;
        err_set(&in->e, -EINVAL, "json: cannot unmarshal %s into Go value of type %s",
                kind(v, word), go_type);
    }
    return at;
}

json_t *json_at_any(const struct json_at *at, const char *key)
{
    if (!at->o)
        return NULL;
    json_t *found = json_object_get(at->o, key), *v;
    const char *k;
    if (!found) {
        json_object_foreach((json_t *)(uintptr_t)at->o, k, v)
        {
            if (str_ieq(k, key))
                found = v;
        }
    }
    return json_is_null(found) ? NULL : found;
}

const char *json_at_str(const struct json_at *at, const char *key)
{
    const json_t *v = json_at_any(at, key);
    if (v && !json_is_string(v))
        json_at_fail(at, key, v, "string");
    return v && json_is_string(v) ? json_string_value(v) : "";
}

char *json_at_dup(const struct json_at *at, const char *key)
{
    return mem_str(json_at_str(at, key));
}

static bool whole_number(const struct json_at *at, const char *key, const json_t *v,
                         const char *go_type)
{
    char word[64];
    if (json_is_integer(v))
        return true;
    if (json_is_real(v)) {
        snprintf(word, sizeof(word), "number %.10g", json_real_value(v));
        note(at, key, word, go_type);
    } else {
        json_at_fail(at, key, v, go_type);
    }
    return false;
}

int64_t json_at_int(const struct json_at *at, const char *key, int64_t otherwise,
                    const char *go_type)
{
    char word[64];
    const json_t *v = json_at_any(at, key);
    if (!v || !whole_number(at, key, v, go_type))
        return otherwise;
    int64_t n = json_integer_value(v);
    if (strcmp(go_type, "int32") == 0 && (n > INT32_MAX || n < INT32_MIN)) {
        snprintf(word, sizeof(word), "number %lld", (long long)n);
        note(at, key, word, go_type);
        return otherwise;
    }
    return n;
}

uint64_t json_at_uint(const struct json_at *at, const char *key, uint64_t max, const char *go_type,
                      bool *ret_present)
{
    char word[64];
    const json_t *v = json_at_any(at, key);
    if (ret_present)
        *ret_present = v != NULL;
    if (!v || !whole_number(at, key, v, go_type))
        return 0;
    json_int_t n = json_integer_value(v);
    if (n < 0 || (uint64_t)n > max) {
        snprintf(word, sizeof(word), "number %lld", (long long)n);
        note(at, key, word, go_type);
        return 0;
    }
    return (uint64_t)n;
}

double json_at_real(const struct json_at *at, const char *key, const char *go_type)
{
    const json_t *v = json_at_any(at, key);
    if (v && !json_is_number(v))
        json_at_fail(at, key, v, go_type);
    return v && json_is_number(v) ? json_number_value(v) : 0.0;
}

int json_at_tristate(const struct json_at *at, const char *key)
{
    const json_t *v = json_at_any(at, key);
    if (v && !json_is_boolean(v))
        json_at_fail(at, key, v, "bool");
    return v && json_is_boolean(v) ? json_is_true(v) : -1;
}

bool json_at_bool(const struct json_at *at, const char *key)
{
    return json_at_tristate(at, key) == 1;
}

bool json_at_object(const struct json_at *at, const char *key, const char *type,
                    const char *go_type, struct json_at *ret)
{
    const json_t *v = json_at_any(at, key);
    *ret = (struct json_at){.in = at->in, .type = type, .up = at, .key = key};
    if (v && !json_is_object(v)) {
        json_at_fail(at, key, v, go_type);
        return false;
    }
    ret->o = v;
    return v != NULL;
}

size_t json_at_array(const struct json_at *at, const char *key, const char *go_type, json_t **ret)
{
    json_t *v = json_at_any(at, key);
    *ret = NULL;
    if (v && !json_is_array(v)) {
        json_at_fail(at, key, v, go_type);
        return 0;
    }
    *ret = v;
    return json_array_size(v);
}

bool json_at_element(const struct json_at *at, const char *key, const json_t *array, size_t i,
                     const char *type, const char *go_type, struct json_at *ret)
{
    const json_t *v = json_array_get(array, i);
    *ret = (struct json_at){.in = at->in, .type = type, .up = at, .key = key};
    if (json_is_null(v))
        return false;
    if (!json_is_object(v)) {
        json_at_fail(at, key, v, go_type);
        return false;
    }
    ret->o = v;
    return true;
}

char **json_at_strings(const struct json_at *at, const char *key, size_t *ret_n)
{
    json_t *v, *item;
    size_t i, n = json_at_array(at, key, "[]string", &v);
    *ret_n = n;
    if (n == 0)
        return NULL;
    char **out = mem_array(n, sizeof(char *));
    json_array_foreach(v, i, item)
    {
        if (!json_is_string(item) && !json_is_null(item))
            json_at_fail(at, key, item, "string");
        out[i] = mem_str(json_is_string(item) ? json_string_value(item) : "");
    }
    return out;
}

char **json_at_strv(const struct json_at *at, const char *key)
{
    size_t n = 0;
    if (!json_at_any(at, key))
        return NULL;
    char **list = json_at_strings(at, key, &n);
    list = mem_grow(list, n + 1, sizeof(char *));
    list[n] = NULL;
    return list;
}

void json_at_map(const struct json_at *at, const char *key,
                 void (*put)(void *arg, const char *k, const char *v), void *arg)
{
    json_t *v = json_at_any(at, key), *item;
    const char *k;
    if (v && !json_is_object(v)) {
        json_at_fail(at, key, v, "map[string]string");
        return;
    }
    json_object_foreach(v, k, item)
    {
        if (!json_is_string(item) && !json_is_null(item))
            json_at_fail(at, key, item, "string");
        put(arg, k, json_is_string(item) ? json_string_value(item) : "");
    }
}
