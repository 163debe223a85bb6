/* unit/store/test_torture.c - the disk under the embedded engine fails, call by call.
 *
 * The definitions of pwrite64 and its like stand before libc's, for libsqlite3 too. */
#include "lib/check.h"

#include <errno.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <unistd.h>
#include <uv.h>

#include "base/mem.h"
#include "base/secret.h"
#include "keys/sealer.h"
#include "store/sqlite.h"
#include "store/store.h"

#define INTERPOSE __attribute__((visibility("default")))

static atomic_int calls, fail_at, fail_times, fail_errno, syncs, unsynced;
static atomic_bool armed;

static bool fails(void)
{
    if (!armed)
        return false;
    int n = calls++;
    return n >= fail_at && n < fail_at + fail_times;
}

static void arm(int at, int times, int errnum)
{
    calls = 0;
    fail_at = at;
    fail_times = times;
    fail_errno = errnum;
    armed = true;
}

INTERPOSE ssize_t pwrite64(int fd, const void *p, size_t n, off_t at);
INTERPOSE ssize_t pwrite64(int fd, const void *p, size_t n, off_t at)
{
    if (fails()) {
        errno = fail_errno;
        return -1;
    }
    unsynced++;
    return syscall(SYS_pwrite64, fd, p, n, at);
}

INTERPOSE int fdatasync(int fd)
{
    if (fails()) {
        errno = fail_errno == ENOSPC ? EIO : fail_errno;
        return -1;
    }
    syncs++;
    unsynced = 0;
    return (int)syscall(SYS_fdatasync, fd);
}

INTERPOSE int ftruncate64(int fd, off_t n);
INTERPOSE int ftruncate64(int fd, off_t n)
{
    if (fails()) {
        errno = fail_errno;
        return -1;
    }
    return (int)syscall(SYS_ftruncate, fd, n);
}

/* ---- a store over it ---- */

static uv_loop_t loop;
static struct keyring *ring;
static struct sealer *sealer;
static struct store *store;
static int result, unsynced_at_done, syncs_at_done;

static int64_t no_time(void *arg)
{
    (void)arg;
    return 1;
}

static int open_store(const char *dir, struct err *e)
{
    struct log_engine *engine;
    uv_loop_init(&loop);
    int r = sqlite_log_open(&loop, dir, &engine, e);
    if (r == 0)
        r = store_open(engine, sealer, no_time, NULL, &store, e);
    if (r < 0) {
        store = NULL;
        uv_run(&loop, UV_RUN_DEFAULT);
        EXPECT_INT(uv_loop_close(&loop), 0);
    }
    return r;
}

static void close_store(void)
{
    store_close(store);
    uv_run(&loop, UV_RUN_DEFAULT);
    EXPECT_INT(uv_loop_close(&loop), 0);
}

static void on_done(void *arg, int r, const struct err *e)
{
    (void)arg;
    result = r;
    unsynced_at_done = unsynced;
    syncs_at_done = syncs;
    if (r < 0 && !*err_text(e))
        abort();
}

static int put(int number)
{
    char id[16];
    uint8_t payload[600] = {0};
    snprintf(id, sizeof id, "id%06d", number);
    Pb__Secret *x = NEW(Pb__Secret);
    pb__secret__init(x);
    x->id = mem_str(id);
    x->spec = NEW(Pb__SecretSpec);
    pb__secret_spec__init(x->spec);
    x->spec->annotations = NEW(Pb__Annotations);
    pb__annotations__init(x->spec->annotations);
    x->spec->annotations->name = mem_str(id);
    struct store_batch *b = store_batch_new(store);
    store_create(b, STORE_SECRET, x);
    store_put_payload(b, id, payload, sizeof payload);
    result = 1;
    store_propose(store, b, on_done, NULL);
    uv_run(&loop, UV_RUN_DEFAULT);
    return result;
}

static bool there(enum store_view v, int number)
{
    char id[16];
    snprintf(id, sizeof id, "id%06d", number);
    return store_get(store, v, STORE_SECRET, id) != NULL;
}

static bool payload_there(int number)
{
    char id[16];
    struct secret_buf *s = NULL;
    snprintf(id, sizeof id, "id%06d", number);
    int r = store_payload(store, id, &s, NULL);
    secret_buf_free(r == 0 ? s : NULL);
    return r == 0;
}

static void what_is_acknowledged_was_synced_before(void)
{
    struct err e = {0};
    const char *dir = check_tmpdir();
    REQUIRE(open_store(dir, &e) == 0);
    for (int i = 0; i < 20; i++) {
        int before = syncs;
        REQUIRE(put(i) == 0);
        EXPECT(syncs_at_done > before);
        EXPECT_INT(unsynced_at_done, 0);
    }
    close_store();
}

/* After each failure: TIP and COMMITTED as before, the next write works, and a restart shows what
 * was acknowledged, no more. */
static void fail_each_call(int errnum, int want, int times)
{
    struct err e = {0};
    const char *dir = check_tmpdir();
    bool acked[400] = {0};
    int n = 0, failures = 0;
    REQUIRE(open_store(dir, &e) == 0);
    for (int at = 0; at < 40 && n < 390; at++) {
        arm(at, times, errnum);
        int r = put(n);
        armed = false;
        if (r < 0) {
            failures++;
            EXPECT(r == want || r == -EIO);
            EXPECT(!there(STORE_TIP, n) && !there(STORE_COMMITTED, n) && !payload_there(n));
        }
        acked[n] = r == 0;
        n++;
        REQUIRE(put(n) == 0);
        acked[n++] = true;
    }
    EXPECT(failures >= 4);
    close_store();
    REQUIRE(open_store(dir, &e) == 0);
    for (int i = 0; i < n; i++)
        EXPECT(there(STORE_COMMITTED, i) == acked[i] && payload_there(i) == acked[i]);
    printf("# %d failures of %d\n", failures, n);
    close_store();
}

static void each_write_fails_for_want_of_space(void)
{
    fail_each_call(ENOSPC, -ENOSPC, 1);
}

static void each_write_and_sync_fails_with_an_io_error(void)
{
    fail_each_call(EIO, -EIO, 1);
}

static void several_calls_in_a_row_fail(void)
{
    fail_each_call(EIO, -EIO, 7);
}

static void an_opening_that_fails_says_so_and_loses_nothing(void)
{
    struct err e = {0};
    const char *dir = check_tmpdir();
    int refused = 0;
    REQUIRE(open_store(dir, &e) == 0);
    for (int i = 0; i < 5; i++)
        REQUIRE(put(i) == 0);
    close_store();
    for (int at = 0; at < 20; at++) {
        arm(at, 1, EIO);
        int r = open_store(dir, &e);
        armed = false;
        if (r == 0) {
            for (int i = 0; i < 5; i++)
                EXPECT(there(STORE_COMMITTED, i));
            close_store();
        } else {
            refused++;
            EXPECT(*err_text(&e));
        }
    }
    const char *fresh = check_tmpdir();
    for (int at = 0; at < 30; at++) { /* the very first opening */
        arm(at, 1, ENOSPC);
        int r = open_store(fresh, &e);
        armed = false;
        refused += r < 0;
        if (r == 0)
            close_store();
    }
    EXPECT(refused > 0);
    REQUIRE(open_store(fresh, &e) == 0);
    EXPECT_INT(put(1), 0);
    close_store();
}

int main(void)
{
    struct err e = {0};
    if (secret_arena_open(1 << 20, &e) < 0 || keyring_new_ephemeral(&ring, &e) < 0) {
        printf("# %s\n", err_text(&e));
        return 2;
    }
    sealer = sealer_new(ring);
    TEST(what_is_acknowledged_was_synced_before);
    TEST(each_write_fails_for_want_of_space);
    TEST(each_write_and_sync_fails_with_an_io_error);
    TEST(several_calls_in_a_row_fail);
    TEST(an_opening_that_fails_says_so_and_loses_nothing);
    sealer_free(sealer);
    keyring_free(ring);
    return check_done();
}
