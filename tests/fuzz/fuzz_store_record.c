/* fuzz/fuzz_store_record.c - a record that the disk gives back, opened as at a start.
 *
 * fuzz-room: store
 * The first byte chooses the kind, and by its highest bit how the rest is taken: as the sealed
 * bytes (nothing but -EBADMSG may come of it), or as what lay inside of the seal, so that the
 * fuzzer gets past the cipher. */
#include <errno.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/secret.h"
#include "store/store_int.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const struct sealer *the_sealer(void)
{
    static struct sealer *sealer;
    static struct keyring *keys;
    struct err e;
    if (!sealer) {
        if (secret_arena_open(1 << 20, &e) < 0 || keyring_new_ephemeral(&keys, &e) < 0)
            abort();
        sealer = sealer_new(keys);
    }
    return sealer;
}

/* The id is the message's own first field where there is one, so that labels can agree with what is
 * inside. */
static const char *label_id(const uint8_t *p, size_t n, char *id, size_t room)
{
    size_t len = n > 2 && p[0] == 0x0a && p[1] < room && p[1] <= n - 2 ? p[1] : 0;
    memcpy(id, p + 2, len);
    id[len] = '\0';
    return id;
}

static void try_index(struct log_record *r, const void *plain, size_t n, uint64_t index)
{
    struct seal_label l = {
        .of = SEAL_OBJECT, .kind = (uint32_t)r->kind, .id = r->id, .index = index};
    void *sealed = NULL, *object = NULL;
    struct err e = {0};
    if (sealer_seal(the_sealer(), &l, plain, n, &sealed, &r->len, &e) < 0)
        return;
    r->bytes = sealed;
    r->index = index;
    int got = record_open(the_sealer(), r, &object, &e);
    if (got == 0) {
        enum store_kind k = (enum store_kind)r->kind;
        if (strcmp(store_object_id(k, object), r->id) != 0 ||
            store_object_meta(k, object)->version->index != index)
            abort();
        (void)store_object_name(k, object);
        store_object_free(k, object);
    } else if (got != -EBADMSG) {
        abort();
    }
    free(sealed);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char id[64];
    if (size < 1)
        return 0;
    struct log_record r = {.kind = data[0] & 15, .id = "y2k0ylagn2hhnbfd3z1wv9fvf", .index = 7};
    r.op = LOG_PUT_OBJECT;
    bool raw = data[0] >> 7;
    data++;
    size--;
    if (raw) {
        void *object = NULL;
        struct err e = {0};
        r.bytes = data;
        r.len = size;
        if (record_open(the_sealer(), &r, &object, &e) != -EBADMSG || object)
            abort();
    } else if (size > 2) {
        r.id = label_id(data, size, id, sizeof(id));
        try_index(&r, data, size, 7);
    }
    return 0;
}
