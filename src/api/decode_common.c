/* api/decode_common.c - parts of specs: labels, drivers, durations, words; and the specs of
 * secrets, configs and nodes. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include "api/decode.h"
#include "base/str.h"

void decode_pair(void *arg, const char *k, const char *v)
{
    struct pb_pairs *p = arg;
    struct pb_entry *e = NEW(struct pb_entry);
    e->key = mem_str(k);
    e->value = mem_str(v);
    PB_PUSH(*p->n, *p->list, e);
}

static int by_key(const void *a, const void *b)
{
    struct pb_entry *const *x = a, *const *y = b;
    return strcmp((*x)->key, (*y)->key);
}

void decode_sort_pairs(struct pb_pairs *p)
{
    if (*p->n > 1)
        qsort(*p->list, *p->n, sizeof(**p->list), by_key);
}

Pb__Annotations *decode_annotations(const struct json_at *at)
{
    Pb__Annotations *a = PB_NEW(Annotations, annotations);
    pb_str(&a->name, json_at_str(at, "Name"));
    DECODE_MAP(at, "Labels", a, labels, pb__annotations__labels_entry__init);
    return a;
}

Pb__Driver *decode_driver(const struct json_at *at, const char *key)
{
    struct json_at d;
    if (!json_at_object(at, key, "Driver", "swarm.Driver", &d))
        return NULL;
    Pb__Driver *m = PB_NEW(Driver, driver);
    pb_str(&m->name, json_at_str(&d, "Name"));
    DECODE_MAP(&d, "Options", m, options, pb__driver__options_entry__init);
    return m;
}

Google__Protobuf__Duration *decode_duration(const struct json_at *at, const char *key, bool pointer)
{
    Google__Protobuf__Duration *d = NULL;
    bool present = json_at_any(at, key) != NULL;
    int64_t ns = json_at_int(at, key, 0, "time.Duration");
    if (present && (ns != 0 || pointer))
        pb_set_duration(&d, ns);
    return d;
}

int decode_word(const char *const *words, size_t n, const char *word)
{
    for (size_t i = 0; i < n; i++) {
        if (str_ieq(words[i], word))
            return (int)i;
    }
    return -1;
}

/* ---- small specs ---- */

static int type_error(const struct json_in *in, struct err *e)
{
    return in->failed ? err_set(e, -EINVAL, "%s", err_text(&in->e)) : 0;
}

int decode_secret_spec(const json_t *body, Pb__SecretSpec **ret, struct err *e)
{
    struct json_in in = {.failed = false};
    struct json_at at = json_at_root(&in, body, "swarm.SecretSpec");
    Pb__SecretSpec *s = PB_NEW(SecretSpec, secret_spec);
    s->annotations = decode_annotations(&at);
    s->driver = decode_driver(&at, "Driver");
    s->templating = decode_driver(&at, "Templating");
    int r = type_error(&in, e);
    if (r < 0)
        pb_free(s);
    else
        *ret = s;
    return r;
}

/* Standard base64 of something that is no secret; newlines are skipped. */
static int decode_base64(const char *text, ProtobufCBinaryData *ret, struct err *e)
{
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    size_t len = strlen(text), n = 0, group = 0, pad = 0, i = 0, start = 0;
    uint8_t *out = mem_new(len / 4 * 3 + 4);
    uint32_t bits = 0;
    for (; i < len; i++) {
        const char *at = strchr(digits, text[i]);
        if (text[i] == '\n' || text[i] == '\r')
            continue;
        bool padding = text[i] == '=' && group >= 2;
        if ((!at && !padding) || (at && pad) || (n > 0 && group == 0 && pad))
            break;
        if (group == 0)
            start = i;
        bits = bits << 6 | (uint32_t)(at ? at - digits : 0);
        pad += padding;
        if (++group < 4)
            continue;
        for (size_t k = 0; k + pad < 3; k++)
            out[n++] = (uint8_t)(bits >> (16 - 8 * k));
        group = 0;
        bits = 0;
    }
    if (i < len || group) {
        free(out);
        return err_set(e, -EINVAL, "illegal base64 data at input byte %zu", i < len ? i : start);
    }
    *ret = (ProtobufCBinaryData){n, out};
    return 0;
}

int decode_config_spec(const json_t *body, Pb__ConfigSpec **ret, struct err *e)
{
    struct json_in in = {.failed = false};
    struct json_at at = json_at_root(&in, body, "swarm.ConfigSpec");
    Pb__ConfigSpec *s = PB_NEW(ConfigSpec, config_spec);
    s->annotations = decode_annotations(&at);
    s->templating = decode_driver(&at, "Templating");
    const char *text = json_at_str(&at, "Data");
    int r = type_error(&in, e);
    if (r == 0)
        r = decode_base64(text, &s->data, e);
    if (r < 0)
        pb_free(s);
    else
        *ret = s;
    return r;
}

int decode_node_spec(const json_t *body, Pb__NodeSpec **ret, struct err *e)
{
    static const char *const roles[] = {"worker", "manager"}, *const availability[] = {
                                                                  "active", "pause", "drain"};
    struct json_in in = {.failed = false};
    struct json_at at = json_at_root(&in, body, "swarm.NodeSpec");
    Pb__NodeSpec *s = PB_NEW(NodeSpec, node_spec);
    s->annotations = decode_annotations(&at);
    const char *role = json_at_str(&at, "Role"), *avail = json_at_str(&at, "Availability");
    int role_at = decode_word(roles, 2, role), avail_at = decode_word(availability, 3, avail);
    int r = type_error(&in, e);
    if (r == 0 && role_at < 0)
        r = err_set(e, -EINVAL, "invalid Role: \"%s\"", role);
    if (r == 0 && avail_at < 0)
        r = err_set(e, -EINVAL, "invalid Availability: \"%s\"", avail);
    if (r < 0) {
        pb_free(s);
        return r;
    }
    s->desired_role = (Pb__NodeRole)role_at;
    s->availability = (Pb__NodeSpec__Availability)avail_at;
    s->membership = PB__NODE_SPEC__MEMBERSHIP__MEMBERSHIP_ACCEPTED;
    *ret = s;
    return 0;
}
