/* api/filters.c - the "filters" parameter: {"name":{"a":true}} or {"name":["a"]}, as names with
 * values. */
#include <stdlib.h>
#include <string.h>
#include "api/state.h"
#include "base/str.h"

enum { FILTER_KEYS_MAX = 64 };

struct api_filters {
    size_t n;
    char *key[FILTER_KEYS_MAX];
    char **values[FILTER_KEYS_MAX]; /* never NULL */
};

void api_filters_free(struct api_filters *f)
{
    if (!f)
        return;
    for (size_t i = 0; i < f->n; i++) {
        free(f->key[i]);
        strv_free(f->values[i]);
    }
    free(f);
}

static bool is_known(const char *const *known, const char *key)
{
    if (!known)
        return true;
    while (*known && strcmp(*known, key) != 0)
        known++;
    return *known != NULL;
}

static int take_values(const json_t *v, char ***out)
{
    const char *k;
    json_t *item;
    size_t i;
    if (json_is_object(v)) {
        json_object_foreach((json_t *)(uintptr_t)v, k, item)
        {
            if (!json_is_boolean(item))
                return -1;
            strv_push(out, mem_str(k));
        }
        return 0;
    }
    if (!json_is_array(v))
        return -1;
    json_array_foreach(v, i, item)
    {
        if (!json_is_string(item))
            return -1;
        strv_push(out, mem_str(json_string_value(item)));
    }
    return 0;
}

static int parse(const char *text, struct api_filters *f, struct err *e)
{
    json_t *root = NULL, *v;
    const char *k;
    int r = json_body_parse(text, strlen(text), &root, e);
    if (r == JSON_BODY_EMPTY)
        return 0;
    if (r < 0)
        return r;
    if (!json_is_object(root))
        r = err_set(
            e, -1,
            "json: cannot unmarshal filters into Go value of type map[string]map[string]bool");
    else
        json_object_foreach(root, k, v)
        {
            if (f->n == FILTER_KEYS_MAX) {
                r = err_set(e, -1, "too many filters");
                break;
            }
            f->key[f->n] = mem_str(k);
            f->values[f->n] = mem_array(1, sizeof(char *));
            f->n++;
            if (take_values(v, &f->values[f->n - 1]) != 0) {
                r = err_set(
                    e, -1,
                    "json: cannot unmarshal filter '%s' into Go value of type map[string]bool", k);
                break;
            }
        }
    json_decref(root);
    return r;
}

int api_filters_parse(const char *text, const char *const *known, struct api_filters **ret,
                      unsigned *ret_status, struct err *e)
{
    struct api_filters *f = NEW(struct api_filters);
    int r = parse(text, f, e);
    *ret_status = r < 0 ? 500 : 400;
    for (size_t i = 0; i < f->n && r == 0; i++) {
        if (!is_known(known, f->key[i]))
            r = err_set(e, -1, "Invalid filter '%s'", f->key[i]);
    }
    if (r < 0)
        api_filters_free(f);
    else
        *ret = f;
    return r;
}

int api_filters_get(struct api_call *c, const char *const *known, struct api_filters **ret)
{
    const char *text = http_query(c->rq, "filters");
    unsigned status = 400;
    struct err e = {""};
    *ret = NULL;
    if (str_empty(text))
        return 0;
    int r = api_filters_parse(text, known, ret, &status, &e);
    if (r < 0)
        api_error(c, status, "%s", e.text);
    return r;
}

static size_t find(const struct api_filters *f, const char *key)
{
    size_t i = 0;
    while (f && i < f->n && strcmp(f->key[i], key) != 0)
        i++;
    return i;
}

bool api_filters_has(const struct api_filters *f, const char *key)
{
    return f && find(f, key) < f->n;
}

const char *const *api_filters_values(const struct api_filters *f, const char *key)
{
    static const char *const none[] = {NULL};
    size_t i = find(f, key);
    return f && i < f->n ? (const char *const *)f->values[i] : none;
}

bool api_filters_labels(const struct api_filters *f, const char *key,
                        const char *(*get)(void *arg, const char *key), void *arg)
{
    for (const char *const *v = api_filters_values(f, key); *v; v++) {
        const char *eq = strchr(*v, '=');
        AUTO_FREE char *name = eq ? mem_strn(*v, (size_t)(eq - *v)) : mem_str(*v);
        const char *have = get(arg, name);
        if (!have || (eq && eq[1] && strcmp(have, eq + 1) != 0))
            return false;
    }
    return true;
}
