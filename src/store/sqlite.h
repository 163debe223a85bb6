/* store/sqlite.h - the embedded engine: one manager's log as a SQLite database in one directory.
 *
 * Owns `state.db` with its -wal and -shm in dir (0700, made by the caller) and holds a lock on dir,
 * so that a second process is refused (-EBUSY). An append is one transaction on libuv's pool,
 * synced before it is done; all batches of an append share it. The journal is folded into the
 * database when nothing happens, or past SQLITE_LOG_JOURNAL_MAX, also on the pool.
 *
 * Errors: -ENOSPC the disk is full, -EIO, -EBUSY another program holds the database, -EBADMSG it is
 * damaged or no database of ours. After a failed append the transaction is rolled back and later
 * ones work again when the cause is gone.
 *
 * close: the timer's handle closes when the loop runs next; run it to its end before uv_loop_close.
 */
#ifndef STORE_SQLITE_H
#define STORE_SQLITE_H
#include <uv.h>
#include "base/err.h"
#include "store/log.h"

enum { SQLITE_LOG_JOURNAL_MAX = 4 << 20, SQLITE_LOG_IDLE_MS = 250 };

MUST_CHECK int sqlite_log_open(uv_loop_t *loop, const char *dir, struct log_engine **ret,
                               struct err *e);
#endif
