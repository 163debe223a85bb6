/* api/encode_common.c - the small parts that many objects have. */
#include <stdlib.h>
#include <string.h>
#include "api/encode.h"

void encode_version(struct jw *w, const char *key, const Pb__Version *v)
{
    jw_object(w, key);
    if (pb_version(v))
        jw_uint(w, "Index", pb_version(v));
    jw_end_object(w);
}

void encode_head(struct jw *w, const char *id, const Pb__Meta *meta)
{
    jw_str(w, "ID", id);
    encode_version(w, "Version", meta ? meta->version : NULL);
    jw_time(w, "CreatedAt", meta ? pb_time_ns(meta->created_at) : 0);
    jw_time(w, "UpdatedAt", meta ? pb_time_ns(meta->updated_at) : 0);
}

static int by_key(const void *a, const void *b)
{
    const struct pb_entry *const *x = a, *const *y = b;
    return strcmp((*x)->key, (*y)->key);
}

static bool in_order(struct pb_map m)
{
    for (size_t i = 1; i < m.n; i++) {
        if (strcmp(m.e[i - 1]->key, m.e[i]->key) > 0)
            return false;
    }
    return true;
}

void encode_map(struct jw *w, const char *key, struct pb_map m)
{
    AUTO_FREE void *sorted = NULL;
    if (!in_order(m)) { /* the engine's maps come out sorted */
        sorted = mem_array(m.n, sizeof(*m.e));
        memcpy(sorted, (const void *)m.e, m.n * sizeof(*m.e));
        qsort(sorted, m.n, sizeof(*m.e), by_key);
        m.e = sorted;
    }
    jw_object(w, key);
    for (size_t i = 0; i < m.n; i++)
        jw_str(w, m.e[i]->key, m.e[i]->value);
    jw_end_object(w);
}

void encode_map_opt(struct jw *w, const char *key, struct pb_map m)
{
    if (m.n > 0)
        encode_map(w, key, m);
}

void encode_labels(struct jw *w, const Pb__Annotations *a)
{
    encode_map(w, "Labels", a ? PB_MAP(a, labels) : (struct pb_map){0, NULL});
}

void encode_driver(struct jw *w, const char *key, const Pb__Driver *d)
{
    if (!d)
        return;
    jw_object(w, key);
    jw_str_opt(w, "Name", d->name);
    encode_map_opt(w, "Options", PB_MAP(d, options));
    jw_end_object(w);
}

void encode_strings(struct jw *w, const char *key, char *const *v, size_t n)
{
    if (n == 0)
        return;
    jw_array(w, key);
    for (size_t i = 0; i < n; i++)
        jw_str(w, NULL, v[i]);
    jw_end_array(w);
}

void encode_int_opt(struct jw *w, const char *key, int64_t v)
{
    if (v)
        jw_int(w, key, v);
}

void encode_duration(struct jw *w, const char *key, const Google__Protobuf__Duration *d,
                     bool zero_too)
{
    int64_t ns = pb_duration_ns(d, 0);
    if (d && (ns || zero_too))
        jw_int(w, key, ns);
}

void encode_generic(struct jw *w, const char *key, Pb__GenericResource *const *g, size_t n)
{
    if (n == 0)
        return;
    jw_array(w, key);
    for (size_t i = 0; i < n; i++) {
        jw_object(w, NULL);
        if (g[i]->resource_case == PB__GENERIC_RESOURCE__RESOURCE_NAMED_RESOURCE_SPEC) {
            jw_object(w, "NamedResourceSpec");
            jw_str_opt(w, "Kind", g[i]->named_resource_spec->kind);
            jw_str_opt(w, "Value", g[i]->named_resource_spec->value);
            jw_end_object(w);
        } else if (g[i]->resource_case == PB__GENERIC_RESOURCE__RESOURCE_DISCRETE_RESOURCE_SPEC) {
            jw_object(w, "DiscreteResourceSpec");
            jw_str_opt(w, "Kind", g[i]->discrete_resource_spec->kind);
            encode_int_opt(w, "Value", g[i]->discrete_resource_spec->value);
            jw_end_object(w);
        }
        jw_end_object(w);
    }
    jw_end_array(w);
}

const char *encode_word(const char *const *words, size_t n, int value)
{
    return value >= 0 && (size_t)value < n && words[value] ? words[value] : "";
}

void encode_ports(struct jw *w, const char *key, Pb__PortConfig *const *p, size_t n)
{
    static const char *const protocols[] = {"tcp", "udp", "sctp"}, *const modes[] = {"ingress",
                                                                                     "host"};
    if (n == 0)
        return;
    jw_array(w, key);
    for (size_t i = 0; i < n; i++) {
        jw_object(w, NULL);
        jw_str_opt(w, "Name", p[i]->name);
        jw_str(w, "Protocol", encode_word(protocols, 3, (int)p[i]->protocol));
        encode_int_opt(w, "TargetPort", p[i]->target_port);
        encode_int_opt(w, "PublishedPort", p[i]->published_port);
        jw_str(w, "PublishMode", encode_word(modes, 2, (int)p[i]->publish_mode));
        jw_end_object(w);
    }
    jw_end_array(w);
}
