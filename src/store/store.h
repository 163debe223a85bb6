/* store/store.h - the cluster's state: where orchestrator, scheduler, dispatcher, ca and control
 * meet.
 *
 * Objects are protobuf messages (proto/), kept in memory by id, by name and, for tasks, by service
 * and node. Payloads of secrets are not: they lie sealed in the engine and are opened one at a time
 * (store_payload).
 *
 * Two views. COMMITTED is what is durable: answers to clients and watchers see it. TIP adds what
 * has been proposed and is on its way to the disk: whoever decides looks at it, so that a second
 * decision knows of the first. A batch that cannot be made durable takes itself and everything
 * proposed after it back out of TIP, and each of their proposers is told.
 *
 * Objects that are handed out are borrowed and never change; they stay valid until control returns
 * to the loop. To change one, copy it (store_copy), change the copy, put it into a batch. The store
 * stamps meta.version.index (the log index of the batch), created_at and updated_at.
 *
 * One thread, one loop. Limits: STORE_BATCH_MAX changes a batch; the engine's own. */
#ifndef STORE_STORE_H
#define STORE_STORE_H
#include <stdbool.h>
#include <stdint.h>
#include "base/err.h"
#include "base/secret.h"
#include "proto/swarm.pb-c.h"

enum store_kind {
    STORE_CLUSTER,
    STORE_NODE,
    STORE_SERVICE,
    STORE_TASK,
    STORE_NETWORK,
    STORE_SECRET,
    STORE_CONFIG,
    STORE_KINDS
};
enum store_view { STORE_COMMITTED, STORE_TIP };
enum store_action { STORE_CREATE = 1, STORE_UPDATE = 2, STORE_REMOVE = 4 };
enum { STORE_BATCH_MAX = 10000 };

struct store;
struct store_batch;
struct log_engine; /* store/log.h: the seam; sqlite.h and the tests' fake implement it */
struct sealer; /* keys/sealer.h: seals every record; borrowed, must live longer than the store */

/* Takes the engine (closes it also when it fails) and reads everything in it. `now` is asked for
 * the stamps. -EBADMSG: a record does not open or parse. */
MUST_CHECK int store_open(struct log_engine *engine, const struct sealer *sealer,
                          int64_t (*now)(void *arg), void *now_arg, struct store **ret,
                          struct err *e);
/* What is on its way is finished first and its on_done called; watchers hear nothing more, and what
 * on_done proposes then is dropped without a word. Frees the engine and the watches. The real
 * engine's handles close when the loop runs next: run it to its end before uv_loop_close. Not from
 * inside on_done or a watcher (aborts). */
void store_close(struct store *s);

/* ---- reading: NULL when there is none ---- */
const void *store_get(const struct store *s, enum store_view v, enum store_kind k, const char *id);
const void *store_by_name(const struct store *s, enum store_view v, enum store_kind k,
                          const char *name); /* without regard to case; nodes: none */
#define STORE_GET(s, v, K, T, id) ((const Pb__##T *)store_get(s, v, STORE_##K, id))
uint64_t store_index(const struct store *s, enum store_view v); /* of the last batch */
size_t store_count(const struct store *s, enum store_view v, enum store_kind k);

/* In order of id. store_each stops when fn returns non-zero and hands that back. They show the
 * state at the call: fn may propose, and does not see what it proposed. */
typedef int (*store_fn)(const void *object, void *arg);
int store_each(const struct store *s, enum store_view v, enum store_kind k, store_fn fn, void *arg);
int store_each_prefix(const struct store *s, enum store_view v, enum store_kind k,
                      const char *id_prefix, store_fn fn, void *arg);
/* The committed objects of a kind as bytes (proto/), in order of id: what a list of everything is
 * made of. They are packed at the first call and kept until the object changes. fn must not
 * propose. */
typedef int (*store_packed_fn)(const void *object, const void *packed, size_t n, void *arg);
int store_each_packed(const struct store *s, enum store_kind k, store_packed_fn fn, void *arg);
int store_each_task_of_service(const struct store *s, enum store_view v, const char *service_id,
                               store_fn fn, void *arg);
int store_each_task_of_node(const struct store *s, enum store_view v, const char *node_id,
                            store_fn fn, void *arg);

/* What any object has */
const char *store_object_id(enum store_kind k, const void *object);
const char *store_object_name(enum store_kind k,
                              const void *object); /* annotations.name; node: hostname; task: "" */
const Pb__Meta *store_object_meta(enum store_kind k, const void *object);

/* ---- changing ---- */
void *store_copy(enum store_kind k, const void *object); /* deep */
void store_object_free(enum store_kind k, void *object);

struct store_batch *store_batch_new(struct store *s);
void store_batch_free(struct store_batch *b); /* of one that was not proposed */
void store_create(struct store_batch *b, enum store_kind k, void *object); /* takes object */
void store_update(struct store_batch *b, enum store_kind k,
                  void *object); /* takes object; replaces the one with its id */
void store_remove(struct store_batch *b, enum store_kind k,
                  const char *id); /* a secret's payload goes with it */
/* Seals now, keeps no plaintext. The secret must be in TIP or in this batch when it is proposed. A
 * plaintext in Secret.spec.data aborts. */
void store_put_payload(struct store_batch *b, const char *secret_id, const void *p, size_t n);
size_t store_batch_len(const struct store_batch *b);

/* Applies to TIP now, to COMMITTED when durable; then on_done with r 0, or -errno with words (disk
 * full: -ENOSPC). An empty batch is done at the next turn of the loop. Takes b. on_done may be
 * NULL. Never calls back from inside. Returns the batch's index. A create whose id or (secrets,
 * services, configs, networks) name exists, or an update or remove of nothing, is a programming
 * error in the caller and aborts: check TIP first. */
uint64_t store_propose(struct store *s, struct store_batch *b,
                       void (*on_done)(void *arg, int r, const struct err *e), void *arg);

/* ---- watching: after a batch became durable, once for each of its changes, in order ---- */
struct store_event {
    enum store_action action;
    enum store_kind kind;
    const void *object; /* the new one; of a REMOVE the last one */
    const void *before; /* of an UPDATE */
    uint64_t index;
};
struct store_watch;
/* Every watcher sees a batch whole: COMMITTED holds all of it before its first event; then its
 * on_done is called. A watcher may propose, watch and unwatch. Watchers are called in the order in
 * which they were added. */
struct store_watch *
store_watch(struct store *s, void (*on_event)(void *arg, const struct store_event *ev), void *arg);
void store_unwatch(struct store_watch *w);

/* ---- payloads ---- */
/* Opens the payload of a secret. -ENOENT; -EBADMSG: it was altered; -ENOMEM: locked memory is full.
 */
MUST_CHECK int store_payload(const struct store *s, const char *secret_id, struct secret_buf **ret,
                             struct err *e);
#endif
