/* store/sqlite_db.c - tables, statements and errors of the embedded engine's database. */
#include "store/sqlite_db.h"

#include <errno.h>
#include <sqlite3.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "base/mem.h"

enum { SCHEMA = 1, APPLICATION = 0x4b656570, PAGE = 4096, BUSY_MS = 2000 };

enum statement {
    BEGIN,
    COMMIT,
    ROLLBACK,
    PUT_OBJECT,
    DEL_OBJECT,
    PUT_PAYLOAD,
    DEL_PAYLOAD,
    SET_INDEX,
    GET_PAYLOAD,
    STATEMENTS
};
static const char *const texts[STATEMENTS] = {
    [BEGIN] = "BEGIN IMMEDIATE",
    [COMMIT] = "COMMIT",
    [ROLLBACK] = "ROLLBACK",
    [PUT_OBJECT] = "INSERT INTO objects(kind,id,at,record) VALUES(?,?,?,?)"
                   " ON CONFLICT(kind,id) DO UPDATE SET at=excluded.at,record=excluded.record",
    [DEL_OBJECT] = "DELETE FROM objects WHERE kind=? AND id=?",
    [PUT_PAYLOAD] = "INSERT INTO payloads(kind,id,at,record) VALUES(?,?,?,?)"
                    " ON CONFLICT(kind,id) DO UPDATE SET at=excluded.at,record=excluded.record",
    [DEL_PAYLOAD] = "DELETE FROM payloads WHERE kind=? AND id=?",
    [SET_INDEX] = "UPDATE meta SET last=?",
    [GET_PAYLOAD] = "SELECT at,record FROM payloads WHERE id=?1 ORDER BY kind LIMIT 1",
};

struct sqlite_db {
    sqlite3 *db;
    sqlite3_stmt *statements[STATEMENTS];
    size_t journal;
};

/* SQLite's codes are coarse: where it knows the system's error, that one is told. */
static int fail(const struct sqlite_db *d, int rc, const char *what, struct err *e)
{
    int r = -EIO, sys = d->db ? sqlite3_system_errno(d->db) : 0;
    switch (rc & 0xff) {
    case SQLITE_FULL:
        r = -ENOSPC;
        break;
    case SQLITE_BUSY:
    case SQLITE_LOCKED:
        r = -EBUSY;
        break;
    case SQLITE_NOMEM:
        r = -ENOMEM;
        break;
    case SQLITE_CORRUPT:
    case SQLITE_NOTADB:
        r = -EBADMSG;
        break;
    case SQLITE_READONLY:
    case SQLITE_PERM:
        r = -EACCES;
        break;
    case SQLITE_IOERR:
    case SQLITE_CANTOPEN:
        r = sys > 0 ? -sys : -EIO;
        break;
    default:
        break;
    }
    return err_set(e, r, "%s: %s", what,
                   r == -ENOSPC ? "no space left on the disk"
                   : d->db      ? sqlite3_errmsg(d->db)
                                : "?");
}

static int exec(struct sqlite_db *d, const char *sql, const char *what, struct err *e)
{
    int rc = sqlite3_exec(d->db, sql, NULL, NULL, NULL);
    return rc == SQLITE_OK ? 0 : fail(d, rc, what, e);
}

static int read_number(struct sqlite_db *d, const char *sql, int64_t *ret, struct err *e)
{
    sqlite3_stmt *st = NULL;
    int rc = sqlite3_prepare_v2(d->db, sql, -1, &st, NULL);
    if (rc == SQLITE_OK)
        rc = sqlite3_step(st);
    int r = 0;
    if (rc == SQLITE_ROW)
        *ret = sqlite3_column_int64(st, 0);
    else
        r = fail(d, rc == SQLITE_DONE ? SQLITE_CORRUPT : rc, "read the database", e);
    sqlite3_finalize(st);
    return r;
}

static int make_tables(struct sqlite_db *d, struct err *e)
{
    /* Rows are found by key only and small or long: no row id, the record at the end. */
    return exec(d,
                "BEGIN IMMEDIATE;"
                "CREATE TABLE objects(kind INTEGER NOT NULL,id TEXT NOT NULL,at INTEGER NOT "
                "NULL,record BLOB NOT NULL,"
                " PRIMARY KEY(kind,id)) WITHOUT ROWID;"
                "CREATE TABLE payloads(kind INTEGER NOT NULL,id TEXT NOT NULL,at INTEGER NOT "
                "NULL,record BLOB NOT NULL,"
                " PRIMARY KEY(id,kind)) WITHOUT ROWID;"
                "CREATE TABLE meta(last INTEGER NOT NULL);"
                "INSERT INTO meta VALUES(0);"
                "PRAGMA application_id=1264936304;"
                "PRAGMA user_version=1;"
                "COMMIT",
                "make the tables", e);
}

static int check_tables(struct sqlite_db *d, bool writer, struct err *e)
{
    int64_t app = 0, version = 0, tables = 0;
    int r = read_number(d, "PRAGMA application_id", &app, e);
    if (r == 0)
        r = read_number(d, "PRAGMA user_version", &version, e);
    if (r == 0)
        r = read_number(d, "SELECT count(*) FROM sqlite_schema", &tables, e);
    if (r < 0)
        return r;
    if (app == 0 && version == 0 && tables == 0 && writer)
        return make_tables(d, e);
    if (app != APPLICATION)
        return err_set(e, -EBADMSG, "it is another program's database");
    if (version != SCHEMA)
        return err_set(e, -EBADMSG, "it has version %lld, this program knows %d",
                       (long long)version, SCHEMA);
    return 0;
}

static int set_up(struct sqlite_db *d, bool writer, struct err *e)
{
    sqlite3_extended_result_codes(d->db, 1);
    sqlite3_busy_timeout(d->db, BUSY_MS);
    /* The cache stays small: metadata lives in our own memory, and a payload is read once. */
    int r = exec(
        d,
        writer
            ? "PRAGMA page_size=4096; PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL; PRAGMA "
              "wal_autocheckpoint=0;"
              "PRAGMA journal_size_limit=8388608; PRAGMA cache_size=-512; PRAGMA temp_store=MEMORY;"
              "PRAGMA trusted_schema=OFF; PRAGMA cell_size_check=ON"
            : "PRAGMA cache_size=-64; PRAGMA query_only=ON; PRAGMA trusted_schema=OFF; PRAGMA "
              "cell_size_check=ON",
        "set up the database", e);
    return r < 0 ? r : check_tables(d, writer, e);
}

static int prepare(struct sqlite_db *d, bool writer, struct err *e)
{
    for (int i = 0; i < STATEMENTS; i++) {
        if (writer != (i != GET_PAYLOAD))
            continue;
        int rc = sqlite3_prepare_v3(d->db, texts[i], -1, SQLITE_PREPARE_PERSISTENT,
                                    &d->statements[i], NULL);
        if (rc != SQLITE_OK)
            return fail(d, rc, "prepare a statement", e);
    }
    return 0;
}

static int on_journal(void *arg, sqlite3 *db, const char *name, int pages)
{
    (void)db, (void)name;
    ((struct sqlite_db *)arg)->journal = (size_t)pages * PAGE;
    return SQLITE_OK;
}

int sqlite_db_open(const char *path, bool writer, struct sqlite_db **ret, struct err *e)
{
    struct sqlite_db *d = NEW(struct sqlite_db);
    int flags = SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_READWRITE | (writer ? SQLITE_OPEN_CREATE : 0);
    int rc = sqlite3_open_v2(path, &d->db, flags, NULL);
    int r = rc == SQLITE_OK ? set_up(d, writer, e) : fail(d, rc, "open the database", e);
    if (r == 0)
        r = prepare(d, writer, e);
    if (r < 0) {
        sqlite_db_close(d);
        return err_wrap(e, r, "'%s'", path);
    }
    if (writer)
        sqlite3_wal_hook(d->db, on_journal, d);
    *ret = d;
    return 0;
}

void sqlite_db_close(struct sqlite_db *d)
{
    if (!d)
        return;
    for (int i = 0; i < STATEMENTS; i++)
        sqlite3_finalize(d->statements[i]);
    sqlite3_close(d->db);
    free(d);
}

/* ---- reading ---- */

int sqlite_db_load(struct sqlite_db *d, int (*on_record)(void *arg, const struct log_record *r),
                   void *arg, uint64_t *ret_index, struct err *e)
{
    int64_t last = 0;
    sqlite3_stmt *st = NULL;
    int r = read_number(d, "SELECT last FROM meta", &last, e);
    if (r < 0)
        return r;
    int rc = sqlite3_prepare_v2(d->db, "SELECT kind,id,at,record FROM objects", -1, &st, NULL);
    if (rc != SQLITE_OK)
        return fail(d, rc, "read the objects", e);
    while (r == 0 && (rc = sqlite3_step(st)) == SQLITE_ROW) {
        const char *id = (const char *)sqlite3_column_text(st, 1);
        struct log_record rec = {.op = LOG_PUT_OBJECT,
                                 .kind = sqlite3_column_int(st, 0),
                                 .id = id ? id : "",
                                 .index = (uint64_t)sqlite3_column_int64(st, 2),
                                 .bytes = sqlite3_column_blob(st, 3),
                                 .len = (size_t)sqlite3_column_bytes(st, 3)};
        if (rec.index > (uint64_t)last)
            last = (int64_t)rec.index;
        r = on_record(arg, &rec);
    }
    if (r == 0 && rc != SQLITE_DONE)
        r = fail(d, rc, "read the objects", e);
    sqlite3_finalize(st);
    if (r == 0)
        *ret_index = (uint64_t)last;
    return r;
}

int sqlite_db_payload(struct sqlite_db *d, const char *id, void **ret, size_t *ret_len,
                      uint64_t *ret_index, struct err *e)
{
    sqlite3_stmt *st = d->statements[GET_PAYLOAD];
    int r = 0;
    sqlite3_bind_text(st, 1, id, -1, SQLITE_STATIC);
    int rc = sqlite3_step(st);
    if (rc == SQLITE_DONE) {
        r = err_set(e, -ENOENT, "the payload of '%s' is not there", id);
    } else if (rc != SQLITE_ROW) {
        r = fail(d, rc, "read a payload", e);
    } else {
        size_t n = (size_t)sqlite3_column_bytes(st, 1);
        void *p = mem_try(n + 1);
        if (p && n > 0)
            memcpy(p, sqlite3_column_blob(st, 1), n);
        if (!p)
            r = err_set(e, -ENOMEM, "no memory for a payload");
        *ret = p;
        *ret_len = n;
        *ret_index = (uint64_t)sqlite3_column_int64(st, 0);
    }
    sqlite3_reset(
        st); /* its code is that of step, told already; open it would hold the journal back */
    sqlite3_clear_bindings(st);
    return r;
}

/* ---- writing ---- */

static int step(struct sqlite_db *d, enum statement which, const char *what, struct err *e)
{
    sqlite3_stmt *st = d->statements[which];
    int rc = sqlite3_step(st);
    int r = rc == SQLITE_DONE ? 0 : fail(d, rc, what, e);
    sqlite3_reset(st);
    return r;
}

static int apply(struct sqlite_db *d, const struct log_record *rec, struct err *e)
{
    static const enum statement which[] = {[LOG_PUT_OBJECT] = PUT_OBJECT,
                                           [LOG_DEL_OBJECT] = DEL_OBJECT,
                                           [LOG_PUT_PAYLOAD] = PUT_PAYLOAD,
                                           [LOG_DEL_PAYLOAD] = DEL_PAYLOAD};
    sqlite3_stmt *st = d->statements[which[rec->op]];
    sqlite3_bind_int(st, 1, rec->kind);
    sqlite3_bind_text(st, 2, rec->id, -1, SQLITE_STATIC);
    if (rec->op == LOG_PUT_OBJECT || rec->op == LOG_PUT_PAYLOAD) {
        sqlite3_bind_int64(st, 3, (sqlite3_int64)rec->index);
        sqlite3_bind_blob64(st, 4, rec->bytes, rec->len, SQLITE_STATIC);
    }
    int r = step(d, which[rec->op], "write a record", e);
    sqlite3_clear_bindings(st);
    return r;
}

/* The last index is the largest of all rows' and meta's. A row that carries it saves the write of
 * meta's page; whoever takes that row away later has a larger index and no row, and writes meta. */
static bool row_shows_index(const struct log_entry *entry)
{
    bool shown = false;
    for (size_t i = 0; i < entry->count; i++) {
        const struct log_record *r = &entry->records[i];
        if (r->op == LOG_PUT_OBJECT && r->index == entry->index)
            shown = true;
        else if (r->op == LOG_DEL_OBJECT) /* perhaps of the row just put */
            return false;
    }
    return shown;
}

static int write_all(struct sqlite_db *d, const struct log_entry *entries, size_t n, struct err *e)
{
    for (size_t i = 0; i < n; i++)
        for (size_t j = 0; j < entries[i].count; j++) {
            int r = apply(d, &entries[i].records[j], e);
            if (r < 0)
                return r;
        }
    if (row_shows_index(&entries[n - 1]))
        return 0;
    sqlite3_bind_int64(d->statements[SET_INDEX], 1, (sqlite3_int64)entries[n - 1].index);
    return step(d, SET_INDEX, "write the index", e);
}

int sqlite_db_append(struct sqlite_db *d, const struct log_entry *entries, size_t n, struct err *e)
{
    if (n == 0)
        return 0;
    int r = 0;
    if (!sqlite3_get_autocommit(d->db)) /* an earlier roll back failed */
        r = step(d, ROLLBACK, "roll back", e);
    if (r == 0)
        r = step(d, BEGIN, "begin a transaction", e);
    if (r < 0)
        return r;
    r = write_all(d, entries, n, e);
    if (r == 0)
        r = step(d, COMMIT, "make a transaction durable", e);
    /* Some errors have rolled back already; then there is nothing to roll back. */
    if (r < 0 && !sqlite3_get_autocommit(d->db)) {
        struct err e2 = {0};
        if (step(d, ROLLBACK, "roll back", &e2) < 0)
            return err_wrap(e, r, "%s", err_text(&e2));
    }
    return r;
}

int sqlite_db_checkpoint(struct sqlite_db *d, struct err *e)
{
    int in_journal = 0, folded = 0;
    int rc =
        sqlite3_wal_checkpoint_v2(d->db, NULL, SQLITE_CHECKPOINT_PASSIVE, &in_journal, &folded);
    if (rc != SQLITE_OK)
        return fail(d, rc, "fold the journal into the database", e);
    if (folded >= in_journal)
        d->journal = 0;
    return 0;
}

size_t sqlite_db_journal(const struct sqlite_db *d)
{
    return d->journal;
}
