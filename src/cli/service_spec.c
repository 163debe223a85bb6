/* cli/service_spec.c - the parts of a service's spec that create and update share. */
#include "cli/service_spec.h"
#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include "base/mem.h"
#include "base/str.h"
#include "cli/api.h"
#include "cli/js.h"
#include "cli/opts.h"

void spec_int(json_t *o, const char *key, int64_t v)
{
    json_object_set_new(o, key, js_own(json_integer(v)));
}

static bool any_set(struct cli *c, const char *const *names)
{
    for (; *names; names++)
        if (flag_set(c, *names))
            return true;
    return false;
}

int spec_restart(struct cli *c, json_t *task)
{
    static const char *const names[] = {"restart-condition", "restart-delay",
                                        "restart-max-attempts", "restart-window", NULL};
    enum { DELAY_S = 5 };
    if (!any_set(c, names))
        return 0;
    bool fresh = !json_is_object(json_object_get(task, "RestartPolicy"));
    json_t *p = js_sub(task, "RestartPolicy");
    if (fresh) {
        js_set_str(p, "Condition", "any");
        spec_int(p, "Delay", DELAY_S * 1000000000LL);
        spec_int(p, "MaxAttempts", 0);
    }
    if (flag_set(c, "restart-condition"))
        js_set_str(p, "Condition", flag_str(c, "restart-condition"));
    if (flag_set(c, "restart-delay"))
        spec_int(p, "Delay", flag_duration(c, "restart-delay", 0));
    if (flag_set(c, "restart-max-attempts"))
        spec_int(p, "MaxAttempts", (int64_t)flag_uint(c, "restart-max-attempts", 0));
    if (flag_set(c, "restart-window"))
        spec_int(p, "Window", flag_duration(c, "restart-window", 0));
    return 0;
}

int spec_rollout(struct cli *c, json_t *spec, const char *prefix, const char *key)
{
    static const char *const tails[] = {"delay",   "failure-action", "max-failure-ratio",
                                        "monitor", "order",          "parallelism"};
    enum { N = sizeof tails / sizeof *tails, MONITOR_S = 5 };
    char names[N][40];
    bool set[N], any = false;
    for (size_t i = 0; i < N; i++) {
        snprintf(names[i], sizeof names[i], "%s-%s", prefix, tails[i]);
        any = (set[i] = flag_set(c, names[i])) || any;
    }
    if (!any)
        return 0;
    bool fresh = !json_is_object(json_object_get(spec, key));
    json_t *u = js_sub(spec, key);
    if (fresh) {
        spec_int(u, "Parallelism", 1);
        js_set_str(u, "FailureAction", "pause");
        spec_int(u, "Monitor", MONITOR_S * 1000000000LL);
        spec_int(u, "MaxFailureRatio", 0);
        js_set_str(u, "Order", "stop-first");
    }
    if (set[0])
        spec_int(u, "Delay", flag_duration(c, names[0], 0));
    if (set[1])
        js_set_str(u, "FailureAction", flag_str(c, names[1]));
    if (set[2])
        json_object_set_new(u, "MaxFailureRatio", js_own(json_real(flag_float(c, names[2]))));
    if (set[3])
        spec_int(u, "Monitor", flag_duration(c, names[3], 0));
    if (set[4])
        js_set_str(u, "Order", flag_str(c, names[4]));
    if (set[5])
        spec_int(u, "Parallelism", (int64_t)flag_uint(c, names[5], 1));
    return 0;
}

int spec_health(struct cli *c, json_t *container)
{
    static const char *const names[] = {"health-cmd",
                                        "health-interval",
                                        "health-retries",
                                        "health-start-interval",
                                        "health-start-period",
                                        "health-timeout",
                                        NULL};
    bool none = flag_set(c, "no-healthcheck") && flag_bool(c, "no-healthcheck");
    if (none && any_set(c, names))
        return err_set(&c->err, -EINVAL, "--no-healthcheck conflicts with --health-* options");
    if (none) {
        json_object_set_new(container, "Healthcheck", js_own(json_pack("{s:[s]}", "Test", "NONE")));
        return 0;
    }
    if (!any_set(c, names))
        return 0;
    json_t *h = js_sub(container, "Healthcheck");
    if (str_eq(json_string_value(json_array_get(json_object_get(h, "Test"), 0)), "NONE"))
        json_object_del(h, "Test");
    if (!str_empty(flag_str(c, "health-cmd")))
        json_object_set_new(h, "Test",
                            js_own(json_pack("[s,s]", "CMD-SHELL", flag_str(c, "health-cmd"))));
    else if (flag_set(c, "health-cmd"))
        json_object_del(h, "Test");
    if (flag_set(c, "health-interval"))
        spec_int(h, "Interval", flag_duration(c, "health-interval", 0));
    if (flag_set(c, "health-timeout"))
        spec_int(h, "Timeout", flag_duration(c, "health-timeout", 0));
    if (flag_set(c, "health-start-period"))
        spec_int(h, "StartPeriod", flag_duration(c, "health-start-period", 0));
    if (flag_set(c, "health-start-interval"))
        spec_int(h, "StartInterval", flag_duration(c, "health-start-interval", 0));
    if (flag_set(c, "health-retries"))
        spec_int(h, "Retries", flag_int(c, "health-retries", 0));
    return 0;
}

void spec_resources(struct cli *c, json_t *task)
{
    json_t *r = js_sub(task, "Resources"), *limits = js_sub(r, "Limits"),
           *reserved = js_sub(r, "Reservations");
    if (flag_set(c, "limit-cpu"))
        spec_int(limits, "NanoCPUs", flag_cpus(c, "limit-cpu"));
    if (flag_set(c, "limit-memory"))
        spec_int(limits, "MemoryBytes", flag_bytes(c, "limit-memory"));
    if (flag_set(c, "limit-pids"))
        spec_int(limits, "Pids", flag_int(c, "limit-pids", 0));
    if (flag_set(c, "reserve-cpu"))
        spec_int(reserved, "NanoCPUs", flag_cpus(c, "reserve-cpu"));
    if (flag_set(c, "reserve-memory"))
        spec_int(reserved, "MemoryBytes", flag_bytes(c, "reserve-memory"));
}

void spec_log_driver(struct cli *c, json_t *task)
{
    if (str_empty(flag_str(c, "log-driver")))
        return;
    json_t *d = js_own(json_object());
    js_set_str(d, "Name", flag_str(c, "log-driver"));
    if (*flag_list(c, "log-opt"))
        json_object_set_new(d, "Options", labels_object(flag_list(c, "log-opt")));
    json_object_set_new(task, "LogDriver", d);
}

int spec_generic(const char *const *values, json_t *reservations, struct err *e)
{
    for (; *values; values++) {
        size_t n = strcspn(*values, "=");
        AUTO_FREE char *kind = mem_strn(*values, n);
        int64_t count;
        const char *v = *values + n + 1;
        if (check_generic(*values, e))
            return -EINVAL;
        json_t *one =
            parse_int(v, 10, &count, NULL)
                ? json_pack("{s:{s:s,s:s}}", "NamedResourceSpec", "Kind", kind, "Value", v)
                : json_pack("{s:{s:s,s:I}}", "DiscreteResourceSpec", "Kind", kind, "Value",
                            (json_int_t)count);
        json_array_append_new(js_list(reservations, "GenericResources"), js_own(one));
    }
    return 0;
}

void spec_strings(struct cli *c, json_t *container)
{
    static const char *const pairs[][2] = {{"hostname", "Hostname"},
                                           {"user", "User"},
                                           {"workdir", "Dir"},
                                           {"stop-signal", "StopSignal"},
                                           {"isolation", "Isolation"}};
    for (size_t i = 0; i < sizeof pairs / sizeof *pairs; i++)
        if (flag_set(c, pairs[i][0]))
            js_set_str(container, pairs[i][1], flag_str(c, pairs[i][0]));
    if (flag_set(c, "tty"))
        json_object_set_new(container, "TTY", json_boolean(flag_bool(c, "tty")));
    if (flag_set(c, "read-only"))
        json_object_set_new(container, "ReadOnly", json_boolean(flag_bool(c, "read-only")));
    if (flag_set(c, "stop-grace-period"))
        spec_int(container, "StopGracePeriod", flag_duration(c, "stop-grace-period", 0));
    if (flag_set(c, "oom-score-adj"))
        spec_int(container, "OomScoreAdj", flag_int(c, "oom-score-adj", 0));
    if (flag_set(c, "init"))
        json_object_set_new(container, "Init", json_boolean(flag_bool(c, "init")));
}

/* --- capabilities --- */

/* "net_admin" is CAP_NET_ADMIN; the set is an object whose keys are the names. */
static void add_capability(json_t *set, const char *name)
{
    AUTO_FREE char *cap =
        mem_printf("%s%s", str_ieq(name, "ALL") || str_istarts(name, "CAP_") ? "" : "CAP_", name);
    for (char *p = cap; *p; p++)
        *p = (char)toupper((unsigned char)*p);
    json_object_set_new(set, cap, json_true());
}

static json_t *capability_set(json_t *container, const char *key)
{
    json_t *set = js_own(json_object()), *v;
    size_t i;
    json_array_foreach(json_object_get(container, key), i, v)
        add_capability(set, str_or(json_string_value(v), ""));
    return set;
}

static void store_set(json_t *container, const char *key, json_t *set)
{
    AUTO_FREE const char **names = js_sorted_keys(set);
    json_object_del(container, key);
    if (names[0])
        json_object_set_new(container, key, js_strings(names));
}

void spec_capabilities(struct cli *c, json_t *container)
{
    if (!flag_set(c, "cap-add") && !flag_set(c, "cap-drop"))
        return;
    AUTO_JSON json_t *add = capability_set(container, "CapabilityAdd"),
                     *drop = capability_set(container, "CapabilityDrop");
    AUTO_JSON json_t *to_add = js_own(json_object()), *to_drop = js_own(json_object());
    const char *k;
    json_t *v;
    for (const char *const *p = flag_list(c, "cap-add"); *p; p++)
        add_capability(to_add, *p);
    for (const char *const *p = flag_list(c, "cap-drop"); *p; p++)
        add_capability(to_drop, *p);
    /* asking for what was dropped before takes it off that list, and the other way round */
    json_object_foreach(to_add, k, v)
    {
        if (json_object_del(drop, k))
            json_object_set_new(add, k, json_true());
    }
    json_object_foreach(to_drop, k, v)
    {
        bool was_added = !json_object_del(add, k);
        if (!was_added || json_object_get(to_add, k))
            json_object_set_new(drop, k, json_true());
    }
    store_set(container, "CapabilityAdd", add);
    store_set(container, "CapabilityDrop", drop);
}

char *host_entry(const char *flag)
{
    size_t n = strcspn(flag, "=:");
    const char *ip = flag + n + (flag[n] != 0);
    size_t len = strlen(ip);
    if (*ip == '[' && len > 2 && ip[len - 1] == ']')
        return mem_printf("%.*s %.*s", (int)len - 2, ip + 1, (int)n, flag);
    return mem_printf("%s %.*s", ip, (int)n, flag);
}

/* --- secrets and configs --- */

static int check_targets(struct cli *c, json_t *refs, const char *kind, const char *name_key)
{
    AUTO_JSON json_t *seen = js_own(json_object());
    json_t *r;
    size_t i;
    json_array_foreach(refs, i, r)
    {
        const char *target = js_str(r, "File.Name");
        if (json_object_get(seen, target))
            return err_set(&c->err, -EEXIST, "duplicate %s target for %s not allowed",
                           str_eq(kind, "Secret") ? "secret" : "config", js_str(r, name_key));
        json_object_set_new(seen, target, json_true());
    }
    return 0;
}

static int fetch_named(struct cli *c, json_t *refs, const char *list_path, const char *name_key,
                       json_t **ret)
{
    AUTO_BUF struct buf path = BUF_INIT(1 << 20);
    AUTO_STRV char **filters = mem_array(1, sizeof *filters);
    json_t *r;
    size_t i;
    json_array_foreach(refs, i, r) strv_push(&filters, mem_printf("name=%s", js_str(r, name_key)));
    buf_str(&path, list_path);
    query_filters(&path, (const char *const *)filters);
    return api_get(c, path.p, ret);
}

static const char *id_of(json_t *list, const char *name)
{
    json_t *o;
    size_t i;
    json_array_foreach(list, i, o) if (str_eq(js_str(o, "Spec.Name"), name)) return js_str(o, "ID");
    return NULL;
}

json_t *spec_files(struct cli *c, const char *const *values, const char *kind)
{
    bool secret = str_eq(kind, "Secret");
    const char *name_key = secret ? "SecretName" : "ConfigName",
               *id_key = secret ? "SecretID" : "ConfigID";
    AUTO_JSON json_t *refs = js_own(json_array()), *list = NULL;
    json_t *ref;
    size_t i;
    for (; *values; values++) {
        if (parse_file_reference(*values, kind, &ref, &c->err))
            return NULL;
        json_array_append_new(refs, ref);
    }
    if (!json_array_size(refs))
        return TAKE(refs);
    if (check_targets(c, refs, kind, name_key) ||
        fetch_named(c, refs, secret ? "/secrets" : "/configs", name_key, &list))
        return NULL;
    json_array_foreach(refs, i, ref)
    {
        const char *id = id_of(list, js_str(ref, name_key));
        if (!id) {
            (void)err_set(&c->err, -ENOENT, "%s not found: %s", secret ? "secret" : "config",
                          js_str(ref, name_key));
            return NULL;
        }
        js_set_str(ref, id_key, id);
    }
    return TAKE(refs);
}

int spec_networks(struct cli *c, const char *const *values, json_t **ret)
{
    AUTO_JSON json_t *list = js_own(json_array());
    for (; *values; values++) {
        AUTO_JSON json_t *n = NULL, *found = NULL;
        int r = parse_network_opt(*values, &n, &c->err);
        if (!r && !*js_str(n, "Target"))
            r = err_set(&c->err, -EINVAL, "invalid network name or ID: value is empty");
        if (r)
            return r;
        AUTO_FREE char *path = api_path("/networks/%s?scope=swarm", js_str(n, "Target"));
        r = api_get(c, path, &found);
        if (r)
            return r;
        js_set_str(n, "Target", js_str(found, "Id"));
        json_array_append(list, n);
    }
    *ret = TAKE(list);
    return 0;
}

int spec_credential(struct cli *c, json_t *container)
{
    const char *v = flag_str(c, "credential-spec");
    if (str_empty(v))
        return 0;
    json_t *cs = js_own(json_object());
    json_object_set_new(js_sub(container, "Privileges"), "CredentialSpec", cs);
    if (str_starts(v, "file://"))
        js_set_str(cs, "File", v + 7);
    else if (str_starts(v, "registry://"))
        js_set_str(cs, "Registry", v + 11);
    else
        return err_set(&c->err, -ENOTSUP,
                       "credential specs out of configs are for Windows nodes and not supported");
    return 0;
}

/* --- images --- */

char *image_with_tag(const char *image)
{
    const char *last = strrchr(image, '/');
    AUTO_FREE char *tag = NULL, *full = image_full_name(image, &tag, NULL);
    if (!full || strchr(image, '@') || strchr(last ? last : image, ':') || str_is_hex(image, 64))
        return mem_str(image); /* the engine has the words for a name that is none */
    return mem_printf("%s:latest", image);
}

char *image_full_name(const char *image, char **ret_tag, struct err *e)
{
    const char *at = strchr(image, '@'), *slash = strrchr(image, '/');
    AUTO_FREE char *name = mem_strn(image, at ? (size_t)(at - image) : strlen(image));
    char *colon = strrchr(name, ':');
    if (colon && (!slash || colon > name + (slash - image))) {
        *colon = 0;
        *ret_tag = mem_str(colon + 1);
    } else {
        *ret_tag = at ? mem_str(at + 1) : mem_str("latest");
    }
    size_t first = strcspn(name, "/");
    bool domain = name[first] && (memchr(name, '.', first) || memchr(name, ':', first) ||
                                  strncmp(name, "localhost", first) == 0);
    const char *path = domain ? name + first + 1 : name;
    AUTO_FREE char *full =
        domain ? mem_str(name)
               : mem_printf("docker.io/%s%s", strchr(name, '/') ? "" : "library/", name);
    for (const char *p = path; *p; p++) {
        if (isupper((unsigned char)*p)) {
            (void)err_set(e, -EINVAL,
                          "invalid reference format: repository name (%s) must be lowercase",
                          domain ? path : full + strlen("docker.io/"));
            free(TAKE(*ret_tag));
            return NULL;
        }
        if (!islower((unsigned char)*p) && !isdigit((unsigned char)*p) && !strchr("._-/", *p)) {
            (void)err_set(e, -EINVAL, "invalid reference format");
            free(TAKE(*ret_tag));
            return NULL;
        }
    }
    return TAKE(full);
}

int spec_image_digest(struct cli *c, json_t *spec, bool *ret_warn)
{
    json_t *task = js_sub(spec, "TaskTemplate"), *container = js_sub(task, "ContainerSpec");
    const char *image = js_str(container, "Image");
    *ret_warn = false;
    if (flag_bool(c, "no-resolve-image") || strchr(image, '@'))
        return 0;
    AUTO_JSON json_t *d = NULL;
    AUTO_FREE char *path = api_path("/distribution/%s/json", image);
    struct err keep = c->err;
    if (api_get(c, path, &d)) {
        c->err =
            keep; /* a registry that cannot be reached is no reason to refuse: the user is told */
        *ret_warn = true;
        return 0;
    }
    const char *digest = js_str(d, "Descriptor.digest");
    if (*digest) {
        AUTO_FREE char *pinned = mem_printf("%s@%s", image, digest);
        js_set_str(container, "Image", pinned);
    }
    json_t *platforms = js_list(js_sub(task, "Placement"), "Platforms"), *p;
    size_t i;
    json_array_clear(platforms);
    json_array_foreach(json_object_get(d, "Platforms"), i, p) json_array_append_new(
        platforms, js_own(json_pack("{s:s,s:s}", "Architecture", js_str(p, "architecture"), "OS",
                                    js_str(p, "os"))));
    return 0;
}

void warn_no_digest(const char *image)
{
    fprintf(stderr,
            "image %s could not be accessed on a registry to record\nits digest. Each node will "
            "access %s independently,\n"
            "possibly leading to different nodes running different\nversions of the image.\n\n",
            image, image);
}
