/* store/store_kind.c - what the kinds of objects have in common, and where each keeps it. */
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/mem.h"
#include "store/store_int.h"

static const struct kind {
    const ProtobufCMessageDescriptor *descriptor;
    size_t id, meta;
    bool named;
} kinds[STORE_KINDS] = {
#define KIND(K, T, t, n)                                                                           \
    [STORE_##K] = {&pb__##t##__descriptor, offsetof(Pb__##T, id), offsetof(Pb__##T, meta), n}
    KIND(CLUSTER, Cluster, cluster, true), KIND(NODE, Node, node, false),
    KIND(SERVICE, Service, service, true), KIND(TASK, Task, task, false),
    KIND(NETWORK, Network, network, true), KIND(SECRET, Secret, secret, true),
    KIND(CONFIG, Config, config, true),
#undef KIND
};

static const char *text(const char *s)
{
    return s ? s : "";
}

const ProtobufCMessageDescriptor *kind_descriptor(enum store_kind k)
{
    return kinds[k].descriptor;
}

bool kind_named(enum store_kind k)
{
    return kinds[k].named;
}

const char *store_object_id(enum store_kind k, const void *object)
{
    return text(*(char *const *)((const char *)object + kinds[k].id));
}

const Pb__Meta *store_object_meta(enum store_kind k, const void *object)
{
    return *(Pb__Meta *const *)((const char *)object + kinds[k].meta);
}

static const char *annotated(const Pb__Annotations *a)
{
    return a ? text(a->name) : "";
}

const char *store_object_name(enum store_kind k, const void *object)
{
#define SPEC_NAME(T)                                                                               \
    (((const Pb__##T *)object)->spec ? annotated(((const Pb__##T *)object)->spec->annotations) : "")
    switch (k) {
    case STORE_CLUSTER:
        return SPEC_NAME(Cluster);
    case STORE_SERVICE:
        return SPEC_NAME(Service);
    case STORE_NETWORK:
        return SPEC_NAME(Network);
    case STORE_SECRET:
        return SPEC_NAME(Secret);
    case STORE_CONFIG:
        return SPEC_NAME(Config);
    case STORE_NODE: {
        const Pb__NodeDescription *d = ((const Pb__Node *)object)->description;
        return d ? text(d->hostname) : "";
    }
    case STORE_TASK:
    case STORE_KINDS:
        break;
    }
#undef SPEC_NAME
    return "";
}

void *store_copy(enum store_kind k, const void *object)
{
    size_t n = protobuf_c_message_get_packed_size(object);
    AUTO_FREE uint8_t *bytes = mem_new(n + 1);
    protobuf_c_message_pack(object, bytes);
    void *copy = protobuf_c_message_unpack(kinds[k].descriptor, NULL, n, bytes);
    if (!copy)
        abort(); /* what was just packed unpacks unless there is no memory */
    return copy;
}

void store_object_free(enum store_kind k, void *object)
{
    (void)k;
    if (object)
        protobuf_c_message_free_unpacked(object, NULL);
}

static void set_time(Google__Protobuf__Timestamp **at, int64_t ns)
{
    if (!*at) {
        *at = NEW(Google__Protobuf__Timestamp);
        google__protobuf__timestamp__init(*at);
    }
    (*at)->seconds = ns / NS_PER_SEC;
    (*at)->nanos = (int32_t)(ns % NS_PER_SEC);
}

/* before: the object that is replaced, or NULL. The wire always carries meta and meta.version, so
 * they are made here. */
void kind_stamp(enum store_kind k, void *object, uint64_t index, const void *before, int64_t now)
{
    Pb__Meta **at = (Pb__Meta **)(void *)((char *)object + kinds[k].meta);
    if (!*at) {
        *at = NEW(Pb__Meta);
        pb__meta__init(*at);
    }
    Pb__Meta *m = *at;
    if (!m->version) {
        m->version = NEW(Pb__Version);
        pb__version__init(m->version);
    }
    m->version->index = index;
    const Pb__Meta *old = before ? store_object_meta(k, before) : NULL;
    set_time(&m->updated_at, now);
    set_time(&m->created_at, now);
    if (old && old->created_at) {
        m->created_at->seconds = old->created_at->seconds;
        m->created_at->nanos = old->created_at->nanos;
    }
}
