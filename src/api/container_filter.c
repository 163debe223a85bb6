/* api/container_filter.c - see container_filter.h. Several values of one key are alternatives;
 * labels must all fit. */
#include "api/container_filter.h"

#include <regex.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/str.h"

enum { NAME_PATTERNS_MAX = 32, PATTERN_LEN_MAX = 512 };

static const char *const known[] = {
    "ancestor", "before", "exited",  "expose",  "health", "id",     "is-task", "isolation",
    "label",    "name",   "network", "publish", "since",  "status", "volume",  NULL};

struct container_filter {
    struct api_filters *f; /* NULL: none given */
    bool all;
    int64_t limit;
    regex_t name[NAME_PATTERNS_MAX];
    size_t names;
    int64_t before_ns, since_ns; /* 0: no bound */
};

void container_filter_free(struct container_filter *f)
{
    if (!f)
        return;
    for (size_t i = 0; i < f->names; i++)
        regfree(&f->name[i]);
    api_filters_free(f->f);
    free(f);
}

static const char *const *values(const struct container_filter *f, const char *key)
{
    static const char *const none[] = {NULL};
    return f->f ? api_filters_values(f->f, key) : none;
}

static int take_names(struct api_call *c, struct container_filter *f)
{
    for (const char *const *v = values(f, "name"); *v; v++) {
        if (f->names == NAME_PATTERNS_MAX || strlen(*v) > PATTERN_LEN_MAX ||
            regcomp(&f->name[f->names], *v, REG_EXTENDED | REG_NOSUB) != 0) {
            api_error(c, 400, "Invalid filter 'name=%.128s'", *v);
            return 1;
        }
        f->names++;
    }
    return 0;
}

static int take_statuses(struct api_call *c, struct container_filter *f)
{
    static const char *const states[] = {"created",  "running", "paused", "restarting",
                                         "removing", "exited",  "dead"};
    for (const char *const *v = values(f, "status"); *v; v++) {
        bool ok = false;
        for (size_t i = 0; i < sizeof(states) / sizeof(states[0]); i++)
            ok = ok || str_eq(*v, states[i]);
        if (!ok) {
            api_error(c, 400, "Invalid filter 'status=%.128s'", *v);
            return 1;
        }
        f->all = true;
    }
    return 0;
}

static int take_bound(struct api_call *c, struct container_filter *f, const char *key, int64_t *ret)
{
    for (const char *const *v = values(f, key); *v; v++) {
        struct container *other;
        struct err e = {0};
        if (runtime_find(api_runtime(c->api), *v, &other, &e) != 0) {
            api_error(c, 404, "%s", e.text);
            return 1;
        }
        *ret = other->created_ns;
        f->all = true;
    }
    return 0;
}

int container_filter_get(struct api_call *c, struct container_filter **ret)
{
    struct container_filter *f = NEW(struct container_filter);
    if (api_filters_get(c, known, &f->f) != 0) {
        free(f);
        return 1;
    }
    const char *limit = http_query(c->rq, "limit");
    f->all = http_query_bool(c->rq, "all");
    if (limit && str_to_i64(limit, &f->limit) == 0 && f->limit > 0)
        f->all = true;
    if (values(f, "exited")[0])
        f->all = true;
    if (take_names(c, f) || take_statuses(c, f) || take_bound(c, f, "before", &f->before_ns) ||
        take_bound(c, f, "since", &f->since_ns)) {
        container_filter_free(f);
        return 1;
    }
    *ret = f;
    return 0;
}

bool container_filter_full(const struct container_filter *f, size_t shown)
{
    return f->limit > 0 && shown >= (size_t)f->limit;
}

static bool name_fits(const struct container_filter *f, const struct container *c)
{
    if (!f->names)
        return true;
    AUTO_FREE char *slashed = mem_printf("/%s", c->config->name);
    for (size_t i = 0; i < f->names; i++)
        if (regexec(&f->name[i], slashed, 0, NULL, 0) == 0 ||
            regexec(&f->name[i], slashed + 1, 0, NULL, 0) == 0)
            return true;
    return false;
}

static bool any(const struct container_filter *f, const char *key,
                bool (*fits)(const struct container *c, const char *v), const struct container *c)
{
    const char *const *v = values(f, key);
    if (!*v)
        return true;
    for (; *v; v++)
        if (fits(c, *v))
            return true;
    return false;
}

static bool id_fits(const struct container *c, const char *v)
{
    return str_starts(c->id, v);
}

static bool status_fits(const struct container *c, const char *v)
{
    return str_eq(v, container_state_name(c->state));
}

static bool exited_fits(const struct container *c, const char *v)
{
    int64_t code;
    return c->state == CONTAINER_EXITED && str_to_i64(v, &code) == 0 && code == c->exit_code;
}

static bool task_fits(const struct container *c, const char *v)
{
    bool want = str_ieq(v, "true") || str_eq(v, "1");
    return want == c->config->service_task;
}

static bool ancestor_fits(const struct container *c, const char *v)
{
    struct image_ref a, b;
    char x[512], y[512];
    if (str_starts(c->image_id, v) ||
        (str_starts(c->image_id, "sha256:") && str_starts(c->image_id + 7, v)))
        return true;
    if (image_ref_parse(v, &a, NULL) != 0 || image_ref_parse(c->config->image, &b, NULL) != 0)
        return str_eq(v, c->config->image);
    image_ref_familiar(&a, x, sizeof(x));
    image_ref_familiar(&b, y, sizeof(y));
    return str_eq(x, y);
}

static bool network_fits(const struct container *c, const char *v)
{
    static const char *const names[] = {
        [NETWORK_NONE] = "none", [NETWORK_BRIDGE] = "bridge", [NETWORK_HOST] = "host"};
    return str_eq(v, names[c->config->network]) ||
           (c->endpoint && str_starts(c->endpoint->network_id, v));
}

static bool volume_fits(const struct container *c, const char *v)
{
    for (size_t i = 0; i < c->config->nmounts; i++)
        if (str_eq(c->config->mounts[i].target, v) || str_eq(c->config->mounts[i].source, v))
            return true;
    return false;
}

static bool never_fits(const struct container *c, const char *v)
{
    (void)c, (void)v;
    return false; /* nothing here publishes ports or has health checks yet */
}

static bool health_fits(const struct container *c, const char *v)
{
    (void)c;
    return str_eq(v, "none");
}

static bool isolation_fits(const struct container *c, const char *v)
{
    (void)c;
    return str_ieq(v, "default");
}

static const char *label_of(void *arg, const char *key)
{
    const struct container *c = arg;
    size_t n = strlen(key);
    for (char **l = c->config->labels; l && *l; l++)
        if (strncmp(*l, key, n) == 0 && (*l)[n] == '=')
            return *l + n + 1;
    return NULL;
}

bool container_filter_fits(struct container_filter *f, const struct container *c)
{
    if (!f->all && c->state != CONTAINER_RUNNING && c->state != CONTAINER_PAUSED)
        return false;
    if ((f->before_ns && c->created_ns >= f->before_ns) ||
        (f->since_ns && c->created_ns <= f->since_ns))
        return false;
    if (!f->f)
        return true;
    return name_fits(f, c) && any(f, "id", id_fits, c) && any(f, "status", status_fits, c) &&
           any(f, "exited", exited_fits, c) && any(f, "is-task", task_fits, c) &&
           any(f, "ancestor", ancestor_fits, c) && any(f, "network", network_fits, c) &&
           any(f, "volume", volume_fits, c) && any(f, "publish", never_fits, c) &&
           any(f, "expose", never_fits, c) && any(f, "health", health_fits, c) &&
           any(f, "isolation", isolation_fits, c) &&
           api_filters_labels(f->f, "label", label_of, (void *)(uintptr_t)c);
}
