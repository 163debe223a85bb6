/* unit/store/test_sqlite.c - the embedded engine on a real disk: restart, damage, full disk, kill
 * -9. */
#include "lib/check.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>
#include <uv.h>

#include "base/clock.h"
#include "base/id.h"
#include "base/mem.h"
#include "base/secret.h"
#include "base/str.h"
#include "keys/sealer.h"
#include "store/sqlite.h"
#include "store/store.h"

/* ---- a store on a real database ---- */

struct rig {
    uv_loop_t loop;
    struct keyring *ring;
    struct sealer *sealer;
    struct store *store;
};

static int64_t wall(void *arg)
{
    (void)arg;
    return clock_wall_ns();
}

static int rig_open(struct rig *g, const char *dir, struct err *e)
{
    struct log_engine *engine;
    *g = (struct rig){0};
    uv_loop_init(&g->loop);
    int r = keyring_open(dir, NULL, &g->ring, e);
    if (r == -ENOENT)
        r = keyring_create(dir, NULL, 1, &g->ring, e);
    if (r == 0) {
        g->sealer = sealer_new(g->ring);
        r = sqlite_log_open(&g->loop, dir, &engine, e);
    }
    return r ? r : store_open(engine, g->sealer, wall, NULL, &g->store, e);
}

static void rig_close(struct rig *g)
{
    store_close(g->store);
    uv_run(&g->loop, UV_RUN_DEFAULT);
    EXPECT_INT(uv_loop_close(&g->loop), 0);
    sealer_free(g->sealer);
    keyring_free(g->ring);
}

static bool rig_must(struct rig *g, const char *dir)
{
    struct err e = {0};
    if (rig_open(g, dir, &e) == 0)
        return true;
    printf("# open: %s\n", err_text(&e));
    return false;
}

struct outcome {
    int calls, r;
    char text[128];
};

static void on_done(void *arg, int r, const struct err *e)
{
    struct outcome *o = arg;
    o->calls++;
    o->r = r;
    snprintf(o->text, sizeof o->text, "%.100s", err_text(e));
}

/* A secret whose payload follows from its id, so that anyone can check it. */
static size_t payload_of(const char *id, size_t n, uint8_t *p)
{
    for (size_t i = 0; i < n; i++)
        p[i] = (uint8_t)(id[i % strlen(id)] + (int)i);
    return n;
}

static void put(struct store *s, const char *id, size_t n,
                void (*done)(void *, int, const struct err *), void *arg)
{
    Pb__Secret *x = NEW(Pb__Secret);
    pb__secret__init(x);
    x->id = mem_str(id);
    x->spec = NEW(Pb__SecretSpec);
    pb__secret_spec__init(x->spec);
    x->spec->annotations = NEW(Pb__Annotations);
    pb__annotations__init(x->spec->annotations);
    x->spec->annotations->name = mem_printf("name-%s", id);
    AUTO_FREE uint8_t *p = mem_new(n + 1);
    struct store_batch *b = store_batch_new(s);
    store_create(b, STORE_SECRET, x);
    store_put_payload(b, id, p, payload_of(id, n, p));
    store_propose(s, b, done, arg);
}

static bool has(struct store *s, const char *id, size_t n)
{
    AUTO_FREE uint8_t *want = mem_new(n + 1);
    AUTO_SECRET struct secret_buf *got = NULL;
    payload_of(id, n, want);
    return store_get(s, STORE_COMMITTED, STORE_SECRET, id) &&
           store_payload(s, id, &got, NULL) == 0 && secret_buf_len(got) == n &&
           memcmp(secret_buf_bytes(got), want, n) == 0;
}

static void settle(struct rig *g)
{
    uv_run(&g->loop, UV_RUN_DEFAULT);
}

/* ---- tests ---- */

static void a_restart_keeps_objects_payloads_and_the_index(void)
{
    const char *dir = check_tmpdir();
    struct rig g;
    struct outcome o = {0};
    struct stat st;
    char path[128];
    REQUIRE(rig_must(&g, dir));
    put(g.store, "aaa", 32, on_done, &o);
    put(g.store, "bbb", 499999, on_done, &o);
    settle(&g);
    EXPECT(o.calls == 2 && o.r == 0);
    EXPECT(has(g.store, "aaa", 32) && has(g.store, "bbb", 499999));
    struct store_batch *b = store_batch_new(g.store);
    store_remove(b, STORE_SECRET, "aaa");
    store_propose(g.store, b, on_done, &o);
    settle(&g);
    snprintf(path, sizeof path, "%s/state.db", dir);
    EXPECT(stat(path, &st) == 0 && (st.st_mode & 0777) == 0600);
    snprintf(path, sizeof path, "%s/state.db-wal", dir);
    EXPECT(stat(path, &st) == 0 && (st.st_mode & 0777) == 0600);
    rig_close(&g);
    REQUIRE(rig_must(&g, dir));
    EXPECT_INT(store_index(g.store, STORE_COMMITTED), 3);
    EXPECT_INT(store_count(g.store, STORE_COMMITTED, STORE_SECRET), 1);
    EXPECT(has(g.store, "bbb", 499999));
    struct secret_buf *s = NULL;
    EXPECT_INT(store_payload(g.store, "aaa", &s, NULL), -ENOENT);
    rig_close(&g);
}

static void closing_waits_for_what_is_on_its_way(void)
{
    const char *dir = check_tmpdir();
    struct rig g;
    struct outcome o = {0};
    REQUIRE(rig_must(&g, dir));
    for (int i = 0; i < 20; i++) {
        char id[8];
        snprintf(id, sizeof id, "i%d", i);
        put(g.store, id, 10, on_done, &o);
    }
    rig_close(&g); /* without a turn of the loop */
    EXPECT(o.calls == 20 && o.r == 0);
    REQUIRE(rig_must(&g, dir));
    EXPECT_INT(store_count(g.store, STORE_COMMITTED, STORE_SECRET), 20);
    rig_close(&g);
}

static void no_plaintext_reaches_the_disk(void)
{
    const char *dir = check_tmpdir();
    static const char word[] = "name-plaintextid", *const files[] = {"state.db", "state.db-wal",
                                                                     "state.db-shm"};
    struct rig g;
    uint8_t payload[200];
    REQUIRE(rig_must(&g, dir));
    put(g.store, "plaintextid", 200, NULL, NULL);
    settle(&g);
    payload_of("plaintextid", 200, payload);
    size_t seen = 0;
    for (size_t i = 0; i < 3; i++) {
        char path[128];
        snprintf(path, sizeof path, "%s/%s", dir, files[i]);
        AUTO_CLOSE int fd = open(path, O_RDONLY | O_CLOEXEC);
        AUTO_FREE char *p = mem_new(1 << 20);
        ssize_t n = fd < 0 ? 0 : read(fd, p, 1 << 20);
        seen += memmem(p, (size_t)n, "plaintextid", 11) != NULL; /* the id is in clear */
        EXPECT(memmem(p, (size_t)n, word, sizeof word - 1) == NULL);
        EXPECT(memmem(p, (size_t)n, payload, 16) == NULL);
    }
    EXPECT(seen > 0);
    rig_close(&g);
}

static void a_second_process_is_refused(void)
{
    const char *dir = check_tmpdir();
    struct rig g;
    struct log_engine *engine = NULL;
    struct err e = {0};
    REQUIRE(rig_must(&g, dir));
    EXPECT_INT(sqlite_log_open(&g.loop, dir, &engine, &e), -EBUSY);
    EXPECT(engine == NULL && strstr(err_text(&e), "in use"));
    rig_close(&g);
}

static void another_programs_file_is_refused_and_left_alone(void)
{
    const char *dir = check_tmpdir();
    struct log_engine *engine = NULL;
    struct err e = {0};
    char path[128], back[64] = "";
    uv_loop_t loop;
    uv_loop_init(&loop);
    snprintf(path, sizeof path, "%s/state.db", dir);
    AUTO_CLOSE int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    static const char junk[] = "this is a letter to a friend, certainly no database at all";
    REQUIRE(write(fd, junk, sizeof junk) == sizeof junk);
    EXPECT_INT(sqlite_log_open(&loop, dir, &engine, &e), -EBADMSG);
    EXPECT(*err_text(&e));
    EXPECT(pread(fd, back, sizeof back, 0) == sizeof junk && strcmp(back, junk) == 0);
    EXPECT_INT(sqlite_log_open(&loop, "/nowhere/at/all", &engine, &e), -ENOENT);
    uv_loop_close(&loop);
}

/* Whatever byte of the database is wrong: the words say so, or the byte did not matter and every
 * payload is right. */
static void a_damaged_database_is_refused_with_words_or_harmless(void)
{
    const char *dir = check_tmpdir();
    struct rig g;
    char path[128];
    REQUIRE(rig_must(&g, dir));
    for (int i = 0; i < 30; i++) {
        char id[8];
        snprintf(id, sizeof id, "i%02d", i);
        put(g.store, id, 300, NULL, NULL);
    }
    settle(&g);
    rig_close(&g);
    snprintf(path, sizeof path, "%s/state.db", dir);
    AUTO_CLOSE int fd = open(path, O_RDWR | O_CLOEXEC);
    struct stat st;
    REQUIRE(fd >= 0 && fstat(fd, &st) == 0 && st.st_size > 8192);
    AUTO_FREE uint8_t *good = mem_new((size_t)st.st_size);
    REQUIRE(pread(fd, good, (size_t)st.st_size, 0) == st.st_size);
    unsigned seed = 7, refused = 0, payloads = 0, fine = 0;
    for (int round = 0; round < 400; round++) {
        off_t at = rand_r(&seed) % st.st_size;
        uint8_t bad = good[at] ^ (uint8_t)(1 << rand_r(&seed) % 8);
        REQUIRE(pwrite(fd, &bad, 1, at) == 1);
        struct err e = {0};
        int r = rig_open(&g, dir, &e);
        if (r == 0) {
            bool seen = false;
            struct secret_buf *s = NULL;
            EXPECT_INT(store_count(g.store, STORE_COMMITTED, STORE_SECRET), 30);
            for (int i = 0; i < 30; i++) {
                char id[8];
                snprintf(id, sizeof id, "i%02d", i);
                r = store_payload(g.store, id, &s, NULL);
                EXPECT(r < 0 || has(g.store, id, 300));
                seen = seen || r < 0;
                secret_buf_free(r == 0 ? s : NULL);
            }
            seen ? payloads++ : fine++;
        } else {
            refused++;
            EXPECT(*err_text(&e) != 0);
        }
        rig_close(&g);
        REQUIRE(pwrite(fd, good, (size_t)st.st_size, 0) == st.st_size &&
                ftruncate(fd, st.st_size) == 0);
    }
    printf("# %u openings and %u payloads refused, %u harmless\n", refused, payloads, fine);
    EXPECT(refused > 20 && payloads > 20);
    REQUIRE(rig_must(&g, dir));
    rig_close(&g);
}

static void a_full_disk_is_told_and_later_writes_work_again(void)
{
    const char *dir = check_tmpdir();
    struct rig g;
    char path[128];
    struct outcome o = {0};
    if (mount("tmpfs", dir, "tmpfs", 0, "size=2m") < 0) {
        check_skip("cannot mount a tmpfs");
        return;
    }
    snprintf(path, sizeof path, "%s/ballast", dir);
    bool opened = rig_must(&g, dir);
    EXPECT(opened);
    if (opened) {
        put(g.store, "before", 1000, on_done, &o);
        settle(&g);
        EXPECT(o.calls == 1 && o.r == 0);
        AUTO_CLOSE int fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
        static const char zeros[65536];
        while (write(fd, zeros, sizeof zeros) > 0)
            ;
        for (int i = 0; i < 3; i++) {
            char id[8];
            snprintf(id, sizeof id, "full%d", i);
            o = (struct outcome){0};
            put(g.store, id, 100000, on_done, &o);
            settle(&g);
            EXPECT_INT(o.r, -ENOSPC);
            EXPECT(strstr(o.text, "no space") != NULL);
            EXPECT(store_get(g.store, STORE_TIP, STORE_SECRET, id) == NULL);
        }
        EXPECT(has(g.store, "before", 1000));
        unlink(path);
        EXPECT(ftruncate(fd, 0) == 0);
        o = (struct outcome){0};
        put(g.store, "after", 100000, on_done, &o);
        settle(&g);
        EXPECT(o.calls == 1 && o.r == 0);
        rig_close(&g);
        opened = rig_must(&g, dir);
        EXPECT(opened);
    }
    if (opened) {
        EXPECT(has(g.store, "before", 1000) && has(g.store, "after", 100000));
        EXPECT_INT(store_count(g.store, STORE_COMMITTED, STORE_SECRET), 2);
        rig_close(&g);
    }
    EXPECT_INT(umount(dir), 0);
}

static void the_journal_stays_bounded_under_load(void)
{
    const char *dir = check_tmpdir();
    struct rig g;
    struct stat st;
    char path[128];
    off_t most = 0;
    REQUIRE(rig_must(&g, dir));
    snprintf(path, sizeof path, "%s/state.db-wal", dir);
    for (int i = 0; i < 60; i++) {
        char id[8];
        snprintf(id, sizeof id, "i%d", i);
        put(g.store, id, 400000, NULL, NULL);
        settle(&g);
        if (stat(path, &st) == 0 && st.st_size > most)
            most = st.st_size;
    }
    for (int i = 0; i < 60; i++) { /* and all at once */
        char id[8];
        snprintf(id, sizeof id, "j%d", i);
        put(g.store, id, 400000, NULL, NULL);
    }
    while (uv_run(&g.loop, UV_RUN_ONCE))
        if (stat(path, &st) == 0 && st.st_size > most)
            most = st.st_size;
    EXPECT_INT(store_count(g.store, STORE_COMMITTED, STORE_SECRET), 120);
    printf("# journal at most %lld KiB\n", (long long)most / 1024);
    EXPECT(most > 0 && most < 3 * SQLITE_LOG_JOURNAL_MAX);
    rig_close(&g);
}

/* ---- kill -9 ---- */

struct writer {
    struct rig g;
    unsigned next, round;
};
struct said {
    struct writer *w;
    char id[ID_SIZE];
};

static void write_one(struct writer *w);

static void on_written(void *arg, int r, const struct err *e)
{
    struct said *s = arg;
    if (r < 0) {
        fprintf(stderr, "writer: %s\n", err_text(e));
        _exit(3);
    }
    if (write(STDOUT_FILENO, s->id, ID_LEN) != ID_LEN)
        _exit(4);
    struct writer *w = s->w;
    free(s);
    write_one(w);
}

static void write_one(struct writer *w)
{
    struct said *s = NEW(struct said);
    s->w = w;
    id_new(s->id);
    put(w->g.store, s->id, 100 + w->next++ % 5000, on_written, s);
}

static int writer_main(const char *dir)
{
    struct writer w = {.next = 0};
    struct err e = {0};
    if (secret_arena_open(4 << 20, &e) < 0 || rig_open(&w.g, dir, &e) < 0) {
        fprintf(stderr, "writer: %s\n", err_text(&e));
        return 2;
    }
    for (int i = 0; i < 8; i++)
        write_one(&w);
    uv_run(&w.g.loop, UV_RUN_DEFAULT); /* until it is killed */
    return 0;
}

static pid_t start_writer(const char *dir, int *ret_fd)
{
    int fds[2];
    if (pipe2(fds, O_CLOEXEC) < 0)
        abort();
    pid_t pid = fork();
    if (pid == 0) {
        dup2(fds[1], STDOUT_FILENO);
        execl("/proc/self/exe", "test_sqlite", "writer", dir, (char *)NULL);
        _exit(9);
    }
    close(fds[1]);
    *ret_fd = fds[0];
    return pid;
}

static size_t read_some(int fd, char *p, size_t want)
{
    size_t n = 0;
    while (n < want) {
        ssize_t got = read(fd, p + n, want - n);
        if (got <= 0)
            break;
        n += (size_t)got;
    }
    return n;
}

static int right_payload(const void *object, void *arg)
{
    struct secret_buf *s = NULL;
    const char *id = ((const Pb__Secret *)object)->id;
    if (store_payload(arg, id, &s, NULL) < 0)
        return 1;
    bool ok = has(arg, id, secret_buf_len(s));
    secret_buf_free(s);
    return !ok;
}

static void kill_minus_nine_loses_nothing_that_was_acknowledged(void)
{
    enum { MOST = 40000 };
    const char *dir = check_tmpdir();
    AUTO_FREE char *ids = mem_new((size_t)MOST * ID_LEN + 1);
    size_t total = 0;
    unsigned seed = 99;
    for (int round = 0; round < 8; round++) {
        int fd, status;
        pid_t pid = start_writer(dir, &fd);
        size_t some = (size_t)(50 + rand_r(&seed) % 400);
        size_t n = read_some(fd, ids + total * ID_LEN, some * ID_LEN);
        kill(pid, SIGKILL);
        n += read_some(fd, ids + total * ID_LEN + n, ((size_t)MOST - total) * ID_LEN - n);
        close(fd);
        waitpid(pid, &status, 0);
        REQUIRE(WIFSIGNALED(status));
        total += n / ID_LEN;
    }
    struct rig g;
    REQUIRE(rig_must(&g, dir));
    size_t lost = 0;
    for (size_t i = 0; i < total; i++) {
        char id[ID_SIZE] = "";
        memcpy(id, ids + i * ID_LEN, ID_LEN);
        lost += store_get(g.store, STORE_COMMITTED, STORE_SECRET, id) == NULL;
    }
    printf("# %zu acknowledged over 8 kills, %zu in the store\n", total,
           store_count(g.store, STORE_COMMITTED, STORE_SECRET));
    EXPECT(total > 400);
    EXPECT_INT(lost, 0);
    EXPECT_INT(store_each(g.store, STORE_COMMITTED, STORE_SECRET, right_payload, g.store), 0);
    rig_close(&g);
}

int main(int argc, char **argv)
{
    if (argc == 3 && str_eq(argv[1], "writer"))
        return writer_main(argv[2]);
    struct err e = {0};
    if (secret_arena_open(4 << 20, &e) < 0) {
        printf("# %s\n", err_text(&e));
        return 2;
    }
    TEST(a_restart_keeps_objects_payloads_and_the_index);
    TEST(closing_waits_for_what_is_on_its_way);
    TEST(no_plaintext_reaches_the_disk);
    TEST(a_second_process_is_refused);
    TEST(another_programs_file_is_refused_and_left_alone);
    TEST(a_damaged_database_is_refused_with_words_or_harmless);
    TEST(a_full_disk_is_told_and_later_writes_work_again);
    TEST(the_journal_stays_bounded_under_load);
    TEST(kill_minus_nine_loses_nothing_that_was_acknowledged);
    return check_done();
}
