/* store/log.h - the seam under the store: makes batches durable, in order, and gives them back at
 * start.
 *
 * Real: store/sqlite.h (one manager), later store/etcd.h. Fake: tests/lib/fake_log.h, for
 * simulation. Records are sealed by the store's sealer before they come here (keys/sealer.h): an
 * engine sees kinds, ids and ciphertext. */
#ifndef STORE_LOG_H
#define STORE_LOG_H
#include <stddef.h>
#include <stdint.h>
#include "base/err.h"

struct log_record {
    enum { LOG_PUT_OBJECT, LOG_DEL_OBJECT, LOG_PUT_PAYLOAD, LOG_DEL_PAYLOAD } op;
    int kind; /* enum store_kind */
    const char *id;
    uint64_t index; /* log index of the batch; of a payload the index at which it was sealed: kept
                       beside it, given back with it */
    const void *bytes; /* sealed */
    size_t len;
};
struct log_entry { /* one batch: all of it or nothing */
    uint64_t index;
    struct log_record *records;
    size_t count;
};
struct log_engine {
    /* Every object record, any order, then returns 0; on_record's negative result ends it.
     * *ret_index: the last index. */
    int (*load)(struct log_engine *g, int (*on_record)(void *arg, const struct log_record *r),
                void *arg, uint64_t *ret_index, struct err *e);
    /* Makes entries durable in one flush; done(arg, r) on the loop's thread, later. One append at a
     * time; entries stay valid until done. All of them or none: after an error the engine is as
     * before and takes the next append. n of 0 is done at the next turn of the loop. */
    void (*append)(struct log_engine *g, const struct log_entry *entries, size_t n,
                   void (*done)(void *arg, int r, const struct err *e), void *arg);
    /* The sealed payload, malloc'ed. -ENOENT. Sees what append has finished. */
    int (*payload)(struct log_engine *g, const char *id, void **ret, size_t *ret_len,
                   uint64_t *ret_index, struct err *e);
    void (*flush)(struct log_engine *g); /* waits for an append under way and calls its done */
    void (*close)(struct log_engine *g);
};
#endif
