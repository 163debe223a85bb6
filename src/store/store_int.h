/* store/store_int.h - what the store's modules share; nobody else includes it.
 *
 * An object that is in the store has one slot. The slot knows the object of each view, and each
 * view has its own trees over the slots by name, service and node. Who owns an object: the pending
 * change that brought it, until its batch is durable; then COMMITTED; then, when replaced, the
 * graveyard, until the engine's done callback returns to the loop. */
#ifndef STORE_STORE_INT_H
#define STORE_STORE_INT_H
#include "base/tree.h"
#include "keys/sealer.h"
#include "store/log.h"
#include "store/store.h"

enum { VIEWS = 2 };
/* Batches and bytes in one flush: bound the wait of the first for the last, and the journal. */
enum { GROUP_MAX = 256, GROUP_BYTES = 4 << 20 };

struct slot;
struct link { /* a slot in a tree by something else than its id */
    RB_ENTRY(link) entry;
    const char *key; /* inside the view's object; NULL: not in the tree */
    struct slot *slot;
};
struct slot {
    RB_ENTRY(slot) by_id;
    char *id;
    void *object[VIEWS];
    enum store_kind kind;
    unsigned pending; /* changes on their way that point here */
    void *packed;     /* the committed object as bytes, once somebody asked; or NULL */
    size_t packed_len;
    struct link link[]; /* VIEWS by name or service, then for tasks VIEWS by node */
};
RB_HEAD(id_tree, slot);
RB_HEAD(link_tree, link);

struct table {
    enum store_kind kind;
    struct id_tree ids;
    struct link_tree keys[VIEWS]; /* name; of tasks the service */
    struct link_tree nodes[VIEWS];
    size_t count[VIEWS];
};

/* ---- store_kind.c ---- */
const ProtobufCMessageDescriptor *kind_descriptor(enum store_kind k);
bool kind_named(enum store_kind k); /* names are unique and indexed */
void kind_stamp(enum store_kind k, void *object, uint64_t index, const void *before, int64_t now);

/* ---- store_table.c ---- */
void table_init(struct table *t, enum store_kind k);
void table_free(struct table *t); /* with the objects of COMMITTED; nothing may be pending */
struct slot *table_find(const struct table *t, const char *id);
struct slot *table_by_name(const struct table *t, enum store_view v, const char *name);
struct slot *table_slot(struct table *t, const char *id); /* found or made */
void table_set(struct table *t, struct slot *s, enum store_view v,
               void *object); /* object may be NULL */
void table_drop_if_empty(struct table *t, struct slot *s);
int table_each(const struct table *t, enum store_view v, const char *prefix, store_fn fn,
               void *arg);
int table_each_packed(const struct table *t, store_packed_fn fn, void *arg);
int table_each_of_service(const struct table *t, enum store_view v, const char *service,
                          store_fn fn, void *arg);
int table_each_of_node(const struct table *t, enum store_view v, const char *node, store_fn fn,
                       void *arg);

/* ---- store_batch.c ---- */
struct change {
    enum store_action action; /* 0: a payload */
    enum store_kind kind;
    void *object; /* the new one, or NULL */
    char *id;
    struct slot *slot; /* while pending */
    struct log_record payload;
    const void *ev_object, *ev_before; /* between being committed and being told */
};
struct store_batch {
    struct store *store;
    struct change *changes;
    size_t count, room;
    uint64_t index;
    struct log_record *records;
    size_t nrecords;
    void (*on_done)(void *arg, int r, const struct err *e);
    void *arg;
    struct store_batch *next;
};

/* ---- store_record.c ---- */
MUST_CHECK int record_open(const struct sealer *sealer, const struct log_record *r,
                           void **ret_object, struct err *e);
void batch_records(struct store_batch *b); /* seals; the records live as long as the batch */
void record_payload(struct store_batch *b, struct change *c, const void *p, size_t n);

struct batch_list {
    struct store_batch *first, *last;
    size_t count;
};
struct store_watch {
    void (*fn)(void *arg, const struct store_event *ev);
    void *arg;
    struct store *store;
    uint64_t from; /* told of what comes after this index */
    bool dead;
    struct store_watch *next;
};
struct grave {
    enum store_kind kind;
    void *object;
};
struct store {
    struct log_engine *engine;
    const struct sealer *sealer;
    int64_t (*now)(void *arg);
    void *now_arg;
    struct table tables[STORE_KINDS];
    uint64_t index[VIEWS];
    struct batch_list queued, flying;
    struct log_entry *entries; /* of the append under way */
    bool appending, telling, closing;
    struct store_watch *watches;
    struct grave *graves;
    size_t ngraves, grave_room;
};
#endif
