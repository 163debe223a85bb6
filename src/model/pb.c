/* model/pb.c - see model/pb.h. */
#include "model/pb.h"

#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/str.h"

void pb_str(char **field, const char *value)
{
    char *old = *field;

    *field = str_empty(value) ? (char *)(uintptr_t)protobuf_c_empty_string : mem_str(value);
    if (old && old != protobuf_c_empty_string)
        free(old);
}

void pb_bytes(ProtobufCBinaryData *field, const void *p, size_t n)
{
    void *copy = n ? mem_dup(p, n) : NULL;

    free(field->data);
    field->data = copy;
    field->len = n;
}

static uint8_t *packed(const ProtobufCMessage *m, size_t *ret_len)
{
    size_t len = protobuf_c_message_get_packed_size(m);
    uint8_t *p = mem_new(len ? len : 1);

    *ret_len = protobuf_c_message_pack(m, p);
    return p;
}

void *pb_dup(const void *message)
{
    const ProtobufCMessage *m = message;
    size_t len;

    if (!m)
        return NULL;
    uint8_t *p = packed(m, &len);
    void *copy = protobuf_c_message_unpack(m->descriptor, NULL, len, p);
    free(p);
    if (!copy) /* bytes that we have just packed: only memory can be the reason */
        abort();
    return copy;
}

void pb_free(void *message)
{
    if (message)
        protobuf_c_message_free_unpacked(message, NULL);
}

bool pb_equal(const void *a, const void *b)
{
    size_t la = a ? protobuf_c_message_get_packed_size(a) : 0;
    size_t lb = b ? protobuf_c_message_get_packed_size(b) : 0;

    if (la != lb)
        return false;
    if (la == 0 || a == b)
        return true;
    uint8_t *pa = packed(a, &la), *pb = packed(b, &lb);
    bool same = la == lb && memcmp(pa, pb, la) == 0;
    free(pa);
    free(pb);
    return same;
}

/* Seconds and nanoseconds as one number; what does not fit is held at the ends. */
static int64_t join_ns(int64_t seconds, int32_t nanos)
{
    int64_t ns;

    if (__builtin_mul_overflow(seconds, NS_PER_SEC, &ns) || __builtin_add_overflow(ns, nanos, &ns))
        return seconds < 0 ? INT64_MIN : INT64_MAX;
    return ns;
}

int64_t pb_time_ns(const Google__Protobuf__Timestamp *t)
{
    return t ? join_ns(t->seconds, t->nanos) : 0;
}

void pb_set_time(Google__Protobuf__Timestamp **field, int64_t ns)
{
    pb_free(*field);
    *field = NULL;
    if (ns == 0)
        return;
    Google__Protobuf__Timestamp *t = NEW(Google__Protobuf__Timestamp);
    google__protobuf__timestamp__init(t);
    t->seconds = ns / NS_PER_SEC;
    t->nanos = (int32_t)(ns % NS_PER_SEC);
    if (t->nanos < 0) { /* a time stamp's nanoseconds count forward, also before 1970 */
        t->seconds--;
        t->nanos += (int32_t)NS_PER_SEC;
    }
    *field = t;
}

int64_t pb_duration_ns(const Google__Protobuf__Duration *d, int64_t otherwise)
{
    return d ? join_ns(d->seconds, d->nanos) : otherwise;
}

void pb_set_duration(Google__Protobuf__Duration **field, int64_t ns)
{
    pb_free(*field);
    Google__Protobuf__Duration *d = NEW(Google__Protobuf__Duration);
    google__protobuf__duration__init(d);
    d->seconds = ns / NS_PER_SEC;
    d->nanos = (int32_t)(ns % NS_PER_SEC);
    *field = d;
}

uint64_t pb_version(const Pb__Version *v)
{
    return v ? v->index : 0;
}

void pb_set_version(Pb__Version **field, uint64_t index)
{
    if (!*field)
        *field = PB_NEW(Version, version);
    (*field)->index = index;
}

const char *pb_name(const Pb__Annotations *a)
{
    return a && a->name ? a->name : "";
}

const char *pb_map_get(struct pb_map m, const char *key)
{
    for (size_t i = 0; i < m.n; i++)
        if (strcmp(str_or(m.e[i]->key, ""), key) == 0)
            return str_or(m.e[i]->value, "");
    return NULL;
}

void pb_label_set(Pb__Annotations *a, const char *key, const char *value)
{
    for (size_t i = 0; i < a->n_labels; i++) {
        if (strcmp(str_or(a->labels[i]->key, ""), key) == 0) {
            pb_str(&a->labels[i]->value, value);
            return;
        }
    }
    Pb__Annotations__LabelsEntry *e = NEW(Pb__Annotations__LabelsEntry);
    pb__annotations__labels_entry__init(e);
    pb_str(&e->key, key);
    pb_str(&e->value, value);
    PB_PUSH(a->n_labels, a->labels, e);
}
