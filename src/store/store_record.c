/* store/store_record.c - objects to sealed records and back. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "base/mem.h"
#include "store/store_int.h"

static struct seal_label label_of(enum seal_class of, int kind, const char *id, uint64_t index)
{
    return (struct seal_label){.of = of, .kind = (uint32_t)kind, .id = id, .index = index};
}

static struct log_record seal(const struct store *s, const struct seal_label *l, int op,
                              const void *p, size_t n)
{
    struct err e = {0};
    void *bytes = NULL;
    struct log_record r = {.kind = (int)l->kind, .id = l->id, .index = l->index};
    r.op = op;
    if (sealer_seal(s->sealer, l, p, n, &bytes, &r.len, &e) < 0) {
        /* Sizes are bounded long before; what is left is that the system has no memory. */
        log_error("seal a record: %s", err_text(&e));
        abort();
    }
    r.bytes = bytes;
    return r;
}

static struct log_record object_record(const struct store *s, const struct change *c,
                                       uint64_t index)
{
    size_t n = protobuf_c_message_get_packed_size(c->object);
    uint8_t small[4096];
    uint8_t *bytes = n <= sizeof small ? small : mem_new(n);
    protobuf_c_message_pack(c->object, bytes);
    struct seal_label l = label_of(SEAL_OBJECT, c->kind, c->id, index);
    struct log_record r = seal(s, &l, LOG_PUT_OBJECT, bytes, n);
    secret_wipe(bytes, n); /* the cluster's object holds the key of the root */
    if (bytes != small)
        free(bytes);
    return r;
}

void record_payload(struct store_batch *b, struct change *c, const void *p, size_t n)
{
    struct seal_label l = label_of(SEAL_PAYLOAD, c->kind, c->id, b->store->index[STORE_TIP] + 1);
    c->payload = seal(b->store, &l, LOG_PUT_PAYLOAD, p, n);
}

void batch_records(struct store_batch *b)
{
    b->records = mem_array(b->count * 2 + 1, sizeof *b->records);
    for (size_t i = 0; i < b->count; i++) {
        struct change *c = &b->changes[i];
        struct log_record *r = &b->records[b->nrecords++];
        if (c->action == 0) {
            *r = c->payload;
        } else if (c->object) {
            *r = object_record(b->store, c, b->index);
        } else {
            *r = (struct log_record){
                .op = LOG_DEL_OBJECT, .kind = (int)c->kind, .id = c->id, .index = b->index};
            if (c->kind == STORE_SECRET)
                b->records[b->nrecords++] = (struct log_record){
                    .op = LOG_DEL_PAYLOAD, .kind = (int)c->kind, .id = c->id, .index = b->index};
        }
    }
}

int record_open(const struct sealer *sealer, const struct log_record *r, void **ret_object,
                struct err *e)
{
    if (r->kind < 0 || r->kind >= STORE_KINDS)
        return err_set(e, -EBADMSG, "record '%s' is of an unknown kind (%d)", r->id, r->kind);
    struct seal_label l = label_of(SEAL_OBJECT, r->kind, r->id, r->index);
    void *bytes;
    size_t n;
    int rc = sealer_open(sealer, &l, r->bytes, r->len, &bytes, &n, e);
    if (rc < 0)
        return rc;
    enum store_kind k = (enum store_kind)r->kind;
    void *object = protobuf_c_message_unpack(kind_descriptor(k), NULL, n, bytes);
    secret_wipe(bytes, n);
    free(bytes);
    if (!object)
        return err_set(e, -EBADMSG, "record '%s' opens but cannot be read", r->id);
    const Pb__Meta *m = store_object_meta(k, object);
    if (strcmp(store_object_id(k, object), r->id) != 0 || !m || !m->version ||
        m->version->index != r->index) {
        store_object_free(k, object);
        return err_set(e, -EBADMSG, "record '%s' holds another object than its label says", r->id);
    }
    *ret_object = object;
    return 0;
}
