/* cli/service_edit.c - the "-add" and "-rm" flags of `service update`. */
#include "cli/service_edit.h"
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include "base/mem.h"
#include "base/str.h"
#include "cli/api.h"
#include "cli/js.h"
#include "cli/opts.h"
#include "cli/service_spec.h"

static bool listed(const char *const *list, const char *word)
{
    for (; *list; list++)
        if (str_eq(*list, word))
            return true;
    return false;
}

/* Stores the list, or removes the member when the list is empty. */
static void store(json_t *o, const char *key, json_t *list)
{
    if (json_array_size(list))
        json_object_set(o, key, list);
    else
        json_object_del(o, key);
}

void edit_map(struct cli *c, json_t *o, const char *key, const char *add, const char *rm)
{
    if (!flag_set(c, add) && !flag_set(c, rm))
        return;
    json_t *m = js_sub(o, key);
    for (const char *const *v = flag_list(c, rm); *v; v++)
        json_object_del(m, *v);
    AUTO_JSON json_t *more = labels_object(flag_list(c, add));
    json_object_update(m, more);
}

void edit_set(struct cli *c, json_t *o, const char *key, const char *add, const char *rm)
{
    if (!flag_set(c, add) && !flag_set(c, rm))
        return;
    AUTO_JSON json_t *set = js_own(json_object());
    json_t *v;
    size_t i;
    json_array_foreach(json_object_get(o, key), i,
                       v) if (!listed(flag_list(c, rm), str_or(json_string_value(v), "")))
        json_object_set_new(set, str_or(json_string_value(v), ""), json_true());
    for (const char *const *p = flag_list(c, add); *p; p++)
        json_object_set_new(set, *p, json_true());
    AUTO_FREE const char **keys = js_sorted_keys(set);
    AUTO_JSON json_t *list = js_strings(keys);
    store(o, key, list);
}

void edit_env(struct cli *c, json_t *container)
{
    if (!flag_set(c, "env-add") && !flag_set(c, "env-rm"))
        return;
    AUTO_JSON json_t *by_key = js_own(json_object()), *list = js_own(json_array()), *more = NULL;
    json_t *v;
    size_t i;
    const char *k;
    json_array_foreach(json_object_get(container, "Env"), i, v)
    {
        const char *s = str_or(json_string_value(v), "");
        AUTO_FREE char *key = mem_strn(s, strcspn(s, "="));
        if (!listed(flag_list(c, "env-rm"), key))
            json_object_set(by_key, key, v);
    }
    if (!env_from_files(NULL, flag_list(c, "env-add"), &more, &c->err))
        json_array_foreach(more, i, v)
        {
            const char *s = str_or(json_string_value(v), "");
            AUTO_FREE char *key = mem_strn(s, strcspn(s, "="));
            json_object_set(by_key, key, v);
        }
    json_object_foreach(by_key, k, v) json_array_append(list, v);
    store(container, "Env", list);
}

/* An entry is "ip host…"; --host-rm takes "host" or "host:ip". */
static bool host_removed(const char *const *rm, const char *entry)
{
    size_t ip = strcspn(entry, " ");
    const char *host = entry[ip] ? entry + ip + 1 : "";
    for (; *rm; rm++) {
        size_t n = strcspn(*rm, ":");
        bool same = strlen(host) == n && strncmp(host, *rm, n) == 0;
        bool same_ip =
            !(*rm)[n] || (strlen(*rm + n + 1) == ip && strncmp(*rm + n + 1, entry, ip) == 0);
        if (same && same_ip)
            return true;
    }
    return false;
}

void edit_hosts(struct cli *c, json_t *container)
{
    if (!flag_set(c, "host-add") && !flag_set(c, "host-rm"))
        return;
    AUTO_JSON json_t *list = js_own(json_array());
    json_t *v;
    size_t i;
    json_array_foreach(
        json_object_get(container, "Hosts"), i,
        v) if (!host_removed(flag_list(c, "host-rm"), str_or(json_string_value(v), "")))
        json_array_append(list, v);
    for (const char *const *h = flag_list(c, "host-add"); *h; h++) {
        AUTO_FREE char *entry = host_entry(*h);
        js_push_str(list, entry);
    }
    store(container, "Hosts", list);
}

int edit_words(struct cli *c, json_t *container, const char *flag, const char *key)
{
    if (!flag_set(c, flag))
        return 0;
    AUTO_STRV char **words = split_words(str_or(flag_str(c, flag), ""), &c->err);
    if (!words)
        return -EINVAL;
    AUTO_JSON json_t *list = js_strings((const char *const *)words);
    store(container, key, list);
    return 0;
}

static int by_source_target(const void *a, const void *b)
{
    json_t *x = *(json_t *const *)a, *y = *(json_t *const *)b;
    int r = strcmp(js_str(x, "Source"), js_str(y, "Source"));
    return r ? r : strcmp(js_str(x, "Target"), js_str(y, "Target"));
}

static void sort_array(json_t *list, int (*order)(const void *, const void *))
{
    size_t n = json_array_size(list);
    AUTO_FREE json_t **v = mem_array(n + 1, sizeof *v);
    for (size_t i = 0; i < n; i++)
        v[i] = json_incref(json_array_get(list, i));
    qsort(v, n, sizeof *v, order);
    json_array_clear(list);
    for (size_t i = 0; i < n; i++)
        json_array_append_new(list, v[i]);
}

int edit_mounts(struct cli *c, json_t *container)
{
    if (!flag_set(c, "mount-add") && !flag_set(c, "mount-rm"))
        return 0;
    AUTO_JSON json_t *by_target = js_own(json_object()), *list = js_own(json_array()),
                     *added = js_own(json_object());
    json_t *m;
    size_t i;
    const char *k;
    json_array_foreach(json_object_get(container, "Mounts"), i,
                       m) if (!listed(flag_list(c, "mount-rm"), js_str(m, "Target")))
        json_object_set(by_target, js_str(m, "Target"), m);
    for (const char *const *v = flag_list(c, "mount-add"); *v; v++) {
        int r = parse_mount(*v, &m, &c->err);
        if (r)
            return r;
        if (json_object_get(added, js_str(m, "Target"))) {
            json_decref(m);
            return err_set(&c->err, -EINVAL, "duplicate mount target");
        }
        json_object_set_new(added, js_str(m, "Target"), json_true());
        json_object_set_new(by_target, js_str(m, "Target"), m);
    }
    json_object_foreach(by_target, k, m) json_array_append(list, m);
    sort_array(list, by_source_target);
    store(container, "Mounts", list);
    return 0;
}

int edit_ulimits(struct cli *c, json_t *container)
{
    if (!flag_set(c, "ulimit-add") && !flag_set(c, "ulimit-rm"))
        return 0;
    AUTO_JSON json_t *by_name = js_own(json_object()), *list = js_own(json_array());
    json_t *u;
    size_t i;
    json_array_foreach(json_object_get(container, "Ulimits"), i,
                       u) if (!listed(flag_list(c, "ulimit-rm"), js_str(u, "Name")))
        json_object_set(by_name, js_str(u, "Name"), u);
    for (const char *const *v = flag_list(c, "ulimit-add"); *v; v++) {
        int r = parse_ulimit(*v, &u, &c->err);
        if (r)
            return r;
        json_object_set_new(by_name, js_str(u, "Name"), u);
    }
    AUTO_FREE const char **names = js_sorted_keys(by_name);
    for (i = 0; names[i]; i++)
        json_array_append(list, json_object_get(by_name, names[i]));
    store(container, "Ulimits", list);
    return 0;
}

static const char *generic_kind(json_t *g)
{
    const char *kind = js_str(g, "DiscreteResourceSpec.Kind");
    return *kind ? kind : js_str(g, "NamedResourceSpec.Kind");
}

int edit_generic(struct cli *c, json_t *reservations)
{
    if (!flag_set(c, "generic-resource-add") && !flag_set(c, "generic-resource-rm"))
        return 0;
    AUTO_JSON json_t *fresh = js_own(json_object()), *by_kind = js_own(json_object()),
                     *list = js_own(json_array());
    json_t *g;
    size_t i;
    const char *k;
    json_array_foreach(json_object_get(reservations, "GenericResources"), i, g)
        json_object_set(by_kind, generic_kind(g), g);
    for (const char *const *v = flag_list(c, "generic-resource-rm"); *v; v++)
        if (json_object_del(by_kind, *v))
            return err_set(&c->err, -ENOENT, "could not find generic-resource `%s` to remove it",
                           *v);
    int r = spec_generic(flag_list(c, "generic-resource-add"), fresh, &c->err);
    if (r)
        return r;
    json_array_foreach(json_object_get(fresh, "GenericResources"), i, g)
        json_object_set(by_kind, generic_kind(g), g);
    json_object_foreach(by_kind, k, g) json_array_append(list, g);
    store(reservations, "GenericResources", list);
    return 0;
}

int edit_placement(struct cli *c, json_t *task)
{
    edit_set(c, js_sub(task, "Placement"), "Constraints", "constraint-add", "constraint-rm");
    json_t *p = js_sub(task, "Placement"), *v;
    size_t i;
    if (flag_set(c, "replicas-max-per-node"))
        spec_int(p, "MaxReplicas", (int64_t)flag_uint(c, "replicas-max-per-node", 0));
    if (!flag_set(c, "placement-pref-add") && !flag_set(c, "placement-pref-rm"))
        return 0;
    AUTO_JSON json_t *list = js_own(json_array());
    json_array_foreach(json_object_get(p, "Preferences"), i, v)
    {
        AUTO_FREE char *word = mem_printf("spread=%s", js_str(v, "Spread.SpreadDescriptor"));
        if (!listed(flag_list(c, "placement-pref-rm"), word))
            json_array_append(list, v);
    }
    for (const char *const *w = flag_list(c, "placement-pref-add"); *w; w++)
        json_array_append_new(list, js_own(json_pack("{s:{s:s}}", "Spread", "SpreadDescriptor",
                                                     *w + strlen("spread="))));
    store(p, "Preferences", list);
    return 0;
}

/* --- ports --- */

static bool same_port(json_t *a, json_t *b)
{
    return js_int(a, "TargetPort") == js_int(b, "TargetPort") &&
           str_eq(js_str(a, "Protocol"), js_str(b, "Protocol")) &&
           str_eq(js_str(a, "PublishMode"), js_str(b, "PublishMode"));
}

static int port_list(struct cli *c, const char *flag, json_t *into)
{
    for (const char *const *v = flag_list(c, flag); *v; v++) {
        int r = parse_ports(*v, into, &c->err);
        if (r)
            return r;
    }
    return 0;
}

int edit_endpoint(struct cli *c, json_t *spec)
{
    if (flag_set(c, "endpoint-mode"))
        js_set_str(js_sub(spec, "EndpointSpec"), "Mode", flag_str(c, "endpoint-mode"));
    if (!flag_set(c, "publish-add") && !flag_set(c, "publish-rm"))
        return 0;
    AUTO_JSON json_t *gone = js_own(json_array()), *list = js_own(json_array());
    json_t *e = js_sub(spec, "EndpointSpec"), *p, *g;
    size_t i, k;
    int r = port_list(c, "publish-rm", gone);
    if (r)
        return r;
    json_array_foreach(json_object_get(e, "Ports"), i, p)
    {
        bool keep = true;
        json_array_foreach(gone, k, g) keep = keep && !same_port(p, g);
        if (keep)
            json_array_append(list, p);
    }
    r = port_list(c, "publish-add", list);
    if (r)
        return r;
    store(e, "Ports", list);
    return 0;
}

/* --- secrets, configs, networks --- */

int edit_files(struct cli *c, json_t *container)
{
    static const char *const kinds[][5] = {
        {"secret-add", "secret-rm", "Secret", "Secrets", "SecretName"},
        {"config-add", "config-rm", "Config", "Configs", "ConfigName"}};
    for (size_t k = 0; k < 2; k++) {
        if (!flag_set(c, kinds[k][0]) && !flag_set(c, kinds[k][1]))
            continue;
        AUTO_JSON json_t *list = js_own(json_array()),
                         *more = spec_files(c, flag_list(c, kinds[k][0]), kinds[k][2]);
        json_t *ref;
        size_t i;
        if (!more)
            return 1;
        json_array_foreach(json_object_get(container, kinds[k][3]), i,
                           ref) if (!listed(flag_list(c, kinds[k][1]), js_str(ref, kinds[k][4])))
            json_array_append(list, ref);
        json_array_extend(list, more);
        store(container, kinds[k][3], list);
    }
    return 0;
}

static int network_id(struct cli *c, const char *ref, char **ret)
{
    AUTO_JSON json_t *n = NULL;
    AUTO_FREE char *path = api_path("/networks/%s?scope=swarm", ref);
    int r = api_get(c, path, &n);
    if (!r)
        *ret = mem_str(js_str(n, "Id"));
    return r;
}

int edit_networks(struct cli *c, json_t *spec)
{
    if (!flag_set(c, "network-add") && !flag_set(c, "network-rm"))
        return 0;
    json_t *task = js_sub(spec, "TaskTemplate"), *n, *more;
    AUTO_STRV char **gone = mem_array(1, sizeof *gone);
    AUTO_JSON json_t *list = js_own(json_array()), *seen = js_own(json_object());
    size_t i;
    int r = 0;
    for (const char *const *v = flag_list(c, "network-rm"); !r && *v; v++) {
        char *id = NULL;
        r = network_id(c, *v, &id);
        if (!r)
            strv_push(&gone, id);
    }
    if (!r)
        r = spec_networks(c, flag_list(c, "network-add"), &more);
    if (r)
        return r;
    json_array_foreach(json_object_get(task, "Networks"), i,
                       n) if (!listed((const char *const *)gone, js_str(n, "Target")))
    {
        json_array_append(list, n);
        json_object_set_new(seen, js_str(n, "Target"), json_true());
    }
    json_array_foreach(more, i, n)
    {
        if (json_object_get(seen, js_str(n, "Target")))
            r = err_set(&c->err, -EEXIST, "service is already attached to network %s",
                        flag_list(c, "network-add")[i]);
        json_array_append(list, n);
    }
    json_decref(more);
    store(task, "Networks", list);
    return r;
}
