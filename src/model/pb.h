/* model/pb.h - conveniences for protobuf-c messages: strings, times, maps of labels, copies.
 *
 * A string that a message holds is malloc'ed or protobuf-c's shared empty string; NULL and "" mean
 * the same. Everything put into a message here is a copy. Pure; never fails (small memory,
 * base/mem.h). */
#ifndef MODEL_PB_H
#define MODEL_PB_H
#include <stdbool.h>
#include <stdint.h>
#include <protobuf-c/protobuf-c.h>
#include "base/mem.h"
#include "proto/swarm.pb-c.h"

/* PB_NEW(Task, task): an initialised Pb__Task, to be freed with pb__task__free_unpacked(m, NULL) */
#define PB_NEW(T, t)                                                                               \
    __extension__({                                                                                \
        Pb__##T *m_ = NEW(Pb__##T);                                                                \
        pb__##t##__init(m_);                                                                       \
        m_;                                                                                        \
    })
/* Appends one message to a repeated field: PB_PUSH(task->n_networks, task->networks, attachment) */
#define PB_PUSH(count, list, item)                                                                 \
    do {                                                                                           \
        (list) = mem_grow((list), (count) + 1, sizeof *(list));                                    \
        (list)[(count)++] = (item);                                                                \
    } while (0)

void pb_str(char **field, const char *value); /* replaces; frees the old one; NULL sets "" */
void pb_bytes(ProtobufCBinaryData *field, const void *p, size_t n);
void *pb_dup(const void *message); /* deep copy of any message; NULL gives NULL */
void pb_free(void *message);       /* any message; NULL is fine */
bool pb_equal(
    const void *a,
    const void *b); /* same kind, same packed bytes; NULL equals NULL and an empty message */

int64_t pb_time_ns(const Google__Protobuf__Timestamp *t);          /* 0 for NULL */
void pb_set_time(Google__Protobuf__Timestamp **field, int64_t ns); /* 0 removes it */
int64_t pb_duration_ns(const Google__Protobuf__Duration *d,
                       int64_t otherwise); /* otherwise when NULL; saturates */
void pb_set_duration(Google__Protobuf__Duration **field, int64_t ns);
uint64_t pb_version(const Pb__Version *v); /* 0 for NULL */
void pb_set_version(Pb__Version **field, uint64_t index);
const char *pb_name(const Pb__Annotations *a); /* never NULL */

/* map<string, string>: every such field is a size_t and an array of pointers to entries of this one
 * shape
 * ({base, key, value}); pass PB_MAP(annotations->labels). */
struct pb_entry {
    ProtobufCMessage base;
    char *key, *value;
};
struct pb_map {
    size_t n;
    struct pb_entry *const *e;
};
#define PB_MAP(field_owner, field)                                                                 \
    ((struct pb_map){(field_owner)->n_##field,                                                     \
                     (struct pb_entry *const *)(void *)(field_owner)->field})
const char *pb_map_get(struct pb_map m, const char *key); /* NULL: absent */
/* Sets a label in annotations, replacing an equal key. */
void pb_label_set(Pb__Annotations *a, const char *key, const char *value);
#endif
