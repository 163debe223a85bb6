/* store/sqlite_db.h - the database under the embedded engine: tables, statements, errors. No loop,
 * no threads of its own.
 *
 * One struct sqlite_db is one connection, used by one thread at a time. Internal to the room. */
#ifndef STORE_SQLITE_DB_H
#define STORE_SQLITE_DB_H
#include <stdbool.h>
#include "base/err.h"
#include "store/log.h"

struct sqlite_db;

/* writer: makes the tables when there are none, and takes the changes. Else: reads only. */
MUST_CHECK int sqlite_db_open(const char *path, bool writer, struct sqlite_db **ret, struct err *e);
void sqlite_db_close(struct sqlite_db *d); /* NULL is fine */

MUST_CHECK int sqlite_db_load(struct sqlite_db *d,
                              int (*on_record)(void *arg, const struct log_record *r), void *arg,
                              uint64_t *ret_index, struct err *e);
MUST_CHECK int sqlite_db_append(struct sqlite_db *d, const struct log_entry *entries, size_t n,
                                struct err *e);
MUST_CHECK int sqlite_db_payload(struct sqlite_db *d, const char *id, void **ret, size_t *ret_len,
                                 uint64_t *ret_index, struct err *e);
/* Folds the journal into the database. The journal's file keeps its size and is written from its
 * start again. */
MUST_CHECK int sqlite_db_checkpoint(struct sqlite_db *d, struct err *e);
size_t sqlite_db_journal(const struct sqlite_db *d); /* bytes in the journal that are not folded
                                                        yet, after the last append */
#endif
