/* bench/store_bench.c - what a durable create costs, alone and in company, and what ten thousand
 * secrets weigh.
 *
 * Usage: store_bench DIR (on the disk to be measured; a directory is made in it and left there).
 * Prints one line a figure. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <uv.h>

#include "base/buf.h"
#include "base/clock.h"
#include "base/id.h"
#include "base/mem.h"
#include "base/secret.h"
#include "keys/sealer.h"
#include "store/sqlite.h"
#include "store/store.h"

enum { ALONE = 3000, TOTAL = 10000, COMPANY = 64, PAYLOAD = 32 };

struct bench {
    uv_loop_t loop;
    struct keyring *ring;
    struct sealer *sealer;
    struct store *store;
    int64_t *took;
    size_t done, started, total;
};
struct one {
    struct bench *b;
    int64_t since;
};

static _Noreturn void die(const struct err *e)
{
    fprintf(stderr, "store_bench: %s\n", err_text(e));
    exit(1);
}

static int64_t wall(void *arg)
{
    (void)arg;
    return clock_wall_ns();
}

static int by_value(const void *a, const void *b)
{
    int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;
    return (x > y) - (x < y);
}

static void figures(const char *what, int64_t *took, size_t n, int64_t whole)
{
    qsort(took, n, sizeof *took, by_value);
    printf("%-34s p50 %6.1f us  p99 %7.1f us  max %8.1f us  %7.0f/s\n", what,
           (double)took[n / 2] / 1e3, (double)took[n * 99 / 100] / 1e3, (double)took[n - 1] / 1e3,
           (double)n * 1e9 / (double)whole);
}

static void disk_alone(const char *dir, int64_t *took, size_t pages)
{
    static char page[16384];
    AUTO_FREE char *path = mem_printf("%s/raw", dir);
    AUTO_CLOSE int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    for (int i = 0; i < 1024; i++)
        if (write(fd, page, 4096) != 4096)
            exit(1);
    fsync(fd);
    int64_t begin = clock_mono_ns();
    for (size_t i = 0; i < ALONE; i++) {
        int64_t t = clock_mono_ns();
        if (pwrite(fd, page, pages * 4096, (off_t)(i * pages % 1000 * 4096)) < 0 ||
            fdatasync(fd) < 0)
            exit(1);
        took[i] = clock_mono_ns() - t;
    }
    char what[64];
    snprintf(what, sizeof what, "disk: %zu KiB overwrite + fdatasync", pages * 4);
    figures(what, took, ALONE, clock_mono_ns() - begin);
    unlink(path);
}

static void bench_open(struct bench *b, const char *dir)
{
    struct err e = {0};
    struct log_engine *engine;
    uv_loop_init(&b->loop);
    int r = keyring_open(dir, NULL, &b->ring, &e);
    if (r == -ENOENT)
        r = keyring_create(dir, NULL, 1, &b->ring, &e);
    if (r != 0)
        die(&e);
    b->sealer = sealer_new(b->ring);
    if (sqlite_log_open(&b->loop, dir, &engine, &e) < 0 ||
        store_open(engine, b->sealer, wall, NULL, &b->store, &e) < 0)
        die(&e);
}

static void bench_close(struct bench *b)
{
    store_close(b->store);
    uv_run(&b->loop, UV_RUN_DEFAULT);
    uv_loop_close(&b->loop);
    sealer_free(b->sealer);
    keyring_free(b->ring);
}

static void create(struct bench *b);

static void on_created(void *arg, int r, const struct err *e)
{
    struct one *o = arg;
    struct bench *b = o->b;
    if (r < 0)
        die(e);
    b->took[b->done++] = clock_mono_ns() - o->since;
    free(o);
    if (b->started < b->total)
        create(b);
}

static void create(struct bench *b)
{
    char id[ID_SIZE];
    uint8_t payload[PAYLOAD];
    struct one *o = NEW(struct one);
    *o = (struct one){b, clock_mono_ns()};
    id_new(id);
    random_bytes(payload, sizeof payload);
    Pb__Secret *s = NEW(Pb__Secret);
    pb__secret__init(s);
    s->id = mem_str(id);
    s->spec = NEW(Pb__SecretSpec);
    pb__secret_spec__init(s->spec);
    s->spec->annotations = NEW(Pb__Annotations);
    pb__annotations__init(s->spec->annotations);
    s->spec->annotations->name = mem_printf("secret-%zu-%.8s", b->started, id);
    struct store_batch *batch = store_batch_new(b->store);
    store_create(batch, STORE_SECRET, s);
    store_put_payload(batch, id, payload, sizeof payload);
    b->started++;
    store_propose(b->store, batch, on_created, o);
}

static void run(struct bench *b, const char *what, size_t n, size_t at_once)
{
    b->done = b->started = 0;
    b->total = n;
    int64_t begin = clock_mono_ns();
    for (size_t i = 0; i < at_once && b->started < n; i++)
        create(b);
    uv_run(&b->loop, UV_RUN_DEFAULT);
    if (b->done != n)
        exit(1);
    figures(what, b->took, n, clock_mono_ns() - begin);
}

static double mib(const char *dir, const char *name)
{
    struct stat st;
    AUTO_FREE char *path = mem_printf("%s/%s", dir, name);
    return stat(path, &st) < 0 ? 0 : (double)st.st_blocks * 512 / 1048576;
}

static long rss_kib(void)
{
    struct err e = {0};
    AUTO_BUF struct buf b = BUF_INIT(65536);
    if (buf_read_file(&b, "/proc/self/status", &e) < 0)
        return -1;
    const char *p = strstr(b.p, "VmRSS:");
    return p ? strtol(p + 6, NULL, 10) : -1;
}

int main(int argc, char **argv)
{
    struct err e = {0};
    struct bench b = {.took = mem_array(TOTAL, sizeof *b.took)};
    if (argc != 2) {
        fprintf(stderr, "usage: store_bench DIR\n");
        return 2;
    }
    AUTO_FREE char *dir = mem_printf("%s/store-bench-XXXXXX", argv[1]);
    if (!mkdtemp(dir) || secret_arena_open(4 << 20, &e) < 0)
        die(&e);
    disk_alone(dir, b.took, 1);
    disk_alone(dir, b.took, 4);
    bench_open(&b, dir);
    printf("empty store: resident %ld KiB\n", rss_kib());
    run(&b, "create, one at a time", ALONE, 1);
    run(&b, "create, 64 at once", TOTAL - ALONE, COMPANY);
    printf("%zu secrets of %d B: resident %ld KiB, state.db %.1f MiB, journal %.1f MiB\n",
           store_count(b.store, STORE_COMMITTED, STORE_SECRET), PAYLOAD, rss_kib(),
           mib(dir, "state.db"), mib(dir, "state.db-wal"));
    bench_close(&b);
    int64_t t = clock_mono_ns();
    bench_open(&b, dir);
    printf("reopen: %.1f ms, %zu secrets, state.db %.1f MiB\n", (double)(clock_mono_ns() - t) / 1e6,
           store_count(b.store, STORE_COMMITTED, STORE_SECRET), mib(dir, "state.db"));
    bench_close(&b);
    free(b.took);
    return 0;
}
