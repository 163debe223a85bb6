/* unit/base/test_secret.c - the memory of secrets. */
#include "lib/check.h"
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>
#include "base/buf.h"
#include "base/clock.h"
#include "base/id.h"
#include "base/mem.h"
#include "base/secret.h"

enum { ARENA = 6 << 20 };
#if defined(__SANITIZE_ADDRESS__)
enum { UNDER_ASAN = 1 };
#else
enum { UNDER_ASAN = 0 };
#endif

/* How a child that runs fn ends; what it says goes to `said`. */
static int end_of(void (*fn)(void), struct buf *said)
{
    int p[2];
    if (pipe2(p, O_CLOEXEC) < 0)
        return -1;
    fflush(stdout);
    pid_t pid = fork();
    if (pid == 0) {
        dup2(p[1], 2);
        fn();
        _exit(0);
    }
    close(p[1]);
    char chunk[4096];
    for (ssize_t n; (n = read(p[0], chunk, sizeof(chunk))) > 0;)
        buf_append(said, chunk, (size_t)n);
    buf_str(said, "");
    close(p[0]);
    int st = 0;
    waitpid(pid, &st, 0);
    return st;
}

static bool aborts(void (*fn)(void), const char *words)
{
    AUTO_BUF struct buf said = BUF_INIT(1 << 20);
    int st = end_of(fn, &said);
    bool ok = WIFSIGNALED(st) && WTERMSIG(st) == SIGABRT && strstr(said.p, words);
    if (!ok)
        printf("# status %d, said: %s\n", st, said.p);
    return ok;
}

static size_t used(void)
{
    size_t n;
    secret_arena_stats(&n, NULL);
    return n;
}

/* --- before the arena is open: run first
 * ---------------------------------------------------------- */

static void alloc_early(void)
{
    secret_free(secret_alloc(1));
}

static void allocating_before_opening_aborts_with_a_reason(void)
{
    EXPECT(aborts(alloc_early, "secret_alloc before secret_arena_open"));
}

static void open_without_right(void)
{
    struct err e;
    setrlimit(RLIMIT_MEMLOCK, &(struct rlimit){64 << 10, 64 << 10});
    if (setuid(65534) < 0)
        _exit(3);
    int r = secret_arena_open(ARENA, &e);
    dprintf(2, "%d %s", r, e.text);
    if (secret_owns(&e))
        _exit(4);
}

static void a_limit_that_is_too_low_is_refused_with_advice(void)
{
    if (geteuid() != 0) {
        check_skip("needs root to give rights up");
        return;
    }
    AUTO_BUF struct buf said = BUF_INIT(10000);
    EXPECT_INT(end_of(open_without_right, &said), 0);
    EXPECT(strncmp(said.p, "-12 cannot lock 6144 KiB", 24) == 0);
    EXPECT(strstr(said.p, "the limit is 64 KiB") && strstr(said.p, "CAP_IPC_LOCK") &&
           strstr(said.p, "LimitMEMLOCK="));
}

static void absurd_sizes_are_refused(void)
{
    struct err e;
    EXPECT_INT(secret_arena_open(0, &e), -EINVAL);
    EXPECT_INT(secret_arena_open((size_t)1 << 50, &e), -EINVAL);
}

/* --- from here on it is open
 * ------------------------------------------------------------------------ */

static void opening_locks_and_hardens_the_process(void)
{
    struct err e;
    REQUIRE(secret_arena_open(ARENA, &e) == 0);
    EXPECT_INT(secret_arena_open(ARENA, &e), -EALREADY);
    EXPECT_INT(prctl(PR_GET_DUMPABLE), 0);
    struct rlimit l;
    getrlimit(RLIMIT_CORE, &l);
    EXPECT(l.rlim_cur == 0 && l.rlim_max == 0);
    AUTO_BUF struct buf b = BUF_INIT(1 << 20);
    REQUIRE(buf_read_file(&b, "/proc/self/status", &e) == 0);
    const char *p = strstr(b.p, "VmLck:");
    EXPECT(p && strstr(p, "6144 kB") && strstr(p, "6144 kB") < p + 32);
    size_t total;
    secret_arena_stats(NULL, &total);
    EXPECT_INT(total, ARENA);
}

static void the_kernel_flags_of_the_range_are_set(void)
{
    AUTO_FCLOSE FILE *f = fopen("/proc/self/smaps", "re");
    REQUIRE(f);
    char *p = secret_alloc(100), line[512];
    unsigned long lo, hi;
    bool ours = false;
    while (fgets(line, sizeof(line), f)) {
        if (sscanf(line, "%lx-%lx ", &lo, &hi) == 2)
            ours = lo <= (unsigned long)p && (unsigned long)p < hi;
        else if (ours && strncmp(line, "VmFlags:", 8) == 0)
            break;
    }
    EXPECT(ours);
    EXPECT(strstr(line, " lo") && strstr(line, " dd") &&
           strstr(line, " wf")); /* locked, no dump, wiped on fork */
    secret_free(p);
}

static void fresh_memory_is_zero_and_stays_so_when_reused(void)
{
    size_t before = used();
    for (size_t n = 0; n < 20000; n = n * 3 / 2 + 1) {
        unsigned char *p = secret_alloc(n), *q;
        REQUIRE(p != NULL);
        EXPECT(secret_owns(p));
        for (size_t i = 0; i < n; i++)
            EXPECT(p[i] == 0);
        memset(p, 0xa5, n);
        secret_free(p);
        q = secret_alloc(n);
        for (size_t i = 0; i < n; i++)
            EXPECT(q[i] == 0);
        secret_free(q);
    }
    secret_free(NULL);
    EXPECT_INT(used(), before);
}

/* Reads what was freed on purpose, so the sanitizer must look away. */
__attribute__((no_sanitize_address)) static int bytes_left(const volatile char *p, int n)
{
    int left = 0;
    for (int i = 0; i < n; i++)
        left += p[i] != 0;
    return left;
}

static void freeing_leaves_no_byte_behind(void)
{
    char *keep = secret_alloc(24), *p = secret_alloc(24);
    char *volatile stale = p;
    memset(p, 'S', 24);
    EXPECT_INT(bytes_left(stale, 24), 24);
    secret_free(p);
    EXPECT_INT(bytes_left(stale, 32), 0);
    secret_free(keep);
}

static void a_full_arena_gives_nothing_and_recovers(void)
{
    size_t before = used();
    void *p[64];
    int n = 0;
    while (n < 64 && (p[n] = secret_alloc(500000)))
        n++;
    EXPECT_INT(n, ARENA / (123 * 4096)); /* 500,000 bytes take 123 pages */
    EXPECT(secret_alloc(ARENA) == NULL);
    EXPECT(secret_alloc((size_t)-1) == NULL);
    EXPECT(secret_alloc((size_t)-8) == NULL);
    while (n)
        secret_free(p[--n]);
    EXPECT_INT(used(), before);
    void *big = secret_alloc(ARENA / 2);
    EXPECT(big != NULL); /* the pieces have joined again */
    secret_free(big);
}

static void small_ones_fill_the_arena_too(void)
{
    size_t before = used();
    void **p = mem_array(200000, sizeof(*p));
    int n = 0;
    while (n < 200000 && (p[n] = secret_alloc(20)))
        n++;
    EXPECT(n >= (ARENA / 32) * 99 / 100);
    for (int i = 0; i < n; i++)
        secret_free(p[(i * 7919L) % n]); /* every one once: 7919 is prime and does not divide n */
    EXPECT_INT(used(), before);
    void *all = secret_alloc(ARENA - 8); /* even the pages kept for small ones are given up */
    EXPECT(all != NULL);
    secret_free(all);
    free(p);
}

static void pages_of_large_ones_go_back_to_the_kernel(void)
{
    unsigned char *p = secret_alloc(1 << 20), resident[300];
    memset(p, 1, 1 << 20);
    char *base = (char *)p;
    REQUIRE(mincore(base, 257 * 4096, resident) == 0);
    EXPECT(resident[10] & 1);
    secret_free(p);
    REQUIRE(mincore(base, 257 * 4096, resident) == 0);
    int still = 0;
    for (int i = 0; i < 257; i++)
        still += resident[i] & 1;
    EXPECT_INT(still, 0);
}

static void random_histories_keep_every_byte(void)
{
    enum { N = 400 };
    struct {
        unsigned char *p;
        size_t n;
        unsigned char fill;
    } live[N] = {0};
    uint64_t seed = random_u64(), x = seed | 1;
    size_t before = used();
    bool ok = true;
    for (int turn = 0; turn < 40000; turn++) {
        x ^= x << 13, x ^= x >> 7, x ^= x << 17;
        size_t i = (x >> 8) % N;
        if (live[i].p) {
            for (size_t k = 0; k < live[i].n; k++)
                ok &= live[i].p[k] == live[i].fill;
            secret_free(live[i].p);
            live[i].p = NULL;
            continue;
        }
        live[i].n = (x >> 20) % 10 == 0 ? (x >> 32) % 40000 : (x >> 32) % 300;
        live[i].p = secret_alloc(live[i].n);
        live[i].fill = (unsigned char)x;
        if (live[i].p)
            memset(live[i].p, live[i].fill, live[i].n);
    }
    for (size_t i = 0; i < N; i++)
        secret_free(live[i].p);
    if (!ok)
        printf("# seed %llu\n", (unsigned long long)seed);
    EXPECT(ok);
    EXPECT_INT(used(), before);
}

static void ten_thousand_small_ones_take_milliseconds(void)
{
    static void *p[10000];
    int64_t t = clock_mono_ns();
    for (int i = 0; i < 10000; i++)
        p[i] = secret_alloc(40);
    for (int i = 0; i < 10000; i++)
        secret_free(p[i]);
    int64_t us = (clock_mono_ns() - t) / 1000;
    t = clock_mono_ns();
    for (int i = 0; i < 10000; i++)
        secret_free(secret_alloc(40));
    int64_t pair = (clock_mono_ns() - t) / 1000;
    printf("# 10,000 allocated and freed: %lld us; one at a time: %lld us\n", (long long)us,
           (long long)pair);
    EXPECT(us < 100000 && pair < 100000);
}

/* --- misuse ends the process
 * --------------------------------------------------------------------------- */

static unsigned char *volatile victim;

__attribute__((no_sanitize_address)) static void write_past(size_t n)
{
    victim = secret_alloc(n);
    for (size_t i = 0; i < 8; i++) /* no memset: the sanitizer would stop it first */
        victim[n + i] = 0x5a;
    secret_free(victim);
}

static void overflow_small(void)
{
    write_past(33);
}

static void overflow_large(void)
{
    write_past(5000);
}

static void free_twice(void)
{
    char *p = secret_alloc(10), *q = secret_alloc(10);
    secret_free(p);
    secret_free(p);
    secret_free(q);
}

static void free_large_twice(void)
{
    char *p = secret_alloc(10000);
    secret_free(p);
    secret_free(p);
}

static void free_inside(void)
{
    secret_free((char *)secret_alloc(100) + 8);
}

static void free_inside_large(void)
{
    secret_free((char *)secret_alloc(10000) + 4096);
}

static void free_foreign(void)
{
    static char c[10];
    secret_free(c);
}

static void *in_thread(void *arg)
{
    (void)arg;
    return secret_alloc(1);
}

static void other_thread(void)
{
    pthread_t t;
    pthread_create(&t, NULL, in_thread, NULL);
    pthread_join(t, NULL);
}

static void reach_guard(void)
{
    char *p = secret_alloc(ARENA - 8);
    p[ARENA] = 1; /* one page on: the page behind the arena */
}

/* Canaries are checked only in the process that opened the arena, so each child opens its own: this
 * runs before the parent has one. */
static void misuse(void (*fn)(void))
{
    struct err e;
    if (secret_arena_open(1 << 20, &e) < 0) {
        dprintf(2, "%s", e.text);
        _exit(5);
    }
    fn();
}
#define MISUSE(fn)                                                                                 \
    static void in_child_##fn(void)                                                                \
    {                                                                                              \
        misuse(fn);                                                                                \
    }
MISUSE(overflow_small)
MISUSE(overflow_large)
MISUSE(free_twice)
MISUSE(free_large_twice)
MISUSE(free_inside)
MISUSE(free_inside_large)
MISUSE(free_foreign)
MISUSE(other_thread)

static void misuse_aborts_with_a_reason(void)
{
    EXPECT(aborts(in_child_overflow_small, "a secret of 33 bytes was written past its end"));
    EXPECT(aborts(in_child_overflow_large, "a secret of 5000 bytes was written past its end"));
    EXPECT(aborts(in_child_free_twice, "or twice"));
    EXPECT(aborts(in_child_free_large_twice, "did not give"));
    EXPECT(aborts(in_child_free_inside, "did not give"));
    EXPECT(aborts(in_child_free_inside_large, "did not give"));
    EXPECT(aborts(in_child_free_foreign, "secret_free of ordinary memory"));
    EXPECT(aborts(in_child_other_thread, "in another thread"));
}

static void the_page_behind_the_arena_cannot_be_written(void)
{
    AUTO_BUF struct buf said = BUF_INIT(1 << 20);
    int st = end_of(reach_guard, &said);
    EXPECT(WIFSIGNALED(st) ? WTERMSIG(st) == SIGSEGV : UNDER_ASAN && WEXITSTATUS(st) != 0);
}

static char *before_fork;

static void look_after_fork(void)
{
    for (int i = 0; i < 6; i++)
        if (before_fork[i])
            _exit(1);
    secret_free(before_fork); /* its canary is gone, which is no overflow */
}

static void a_forked_child_sees_nothing(void)
{
    AUTO_BUF struct buf said = BUF_INIT(1 << 20);
    before_fork = secret_alloc(6);
    memcpy(before_fork, "hidden", 6);
    EXPECT_INT(end_of(look_after_fork, &said), 0);
    EXPECT(memcmp(before_fork, "hidden", 6) == 0);
    secret_free(before_fork);
}

/* --- buffers
 * ----------------------------------------------------------------------------------------- */

static void buffers_hold_their_capacity_and_no_more(void)
{
    size_t before = used();
    struct secret_buf *s = secret_buf_new(10);
    REQUIRE(s);
    EXPECT_INT(secret_buf_len(s), 0);
    EXPECT_INT(secret_buf_append(s, "0123456789", 10), 0);
    EXPECT_INT(secret_buf_append(s, "x", 1), -ENOSPC);
    EXPECT_INT(secret_buf_append(s, NULL, 0), 0);
    EXPECT_INT(secret_buf_append(s, "x", (size_t)-1), -ENOSPC);
    EXPECT_INT(secret_buf_len(s), 10);
    EXPECT(memcmp(secret_buf_bytes(s), "0123456789", 10) == 0);
    struct secret_buf *t = secret_buf_dup(s);
    EXPECT(t && secret_buf_equal(s, t) && secret_buf_bytes(s) != secret_buf_bytes(t));
    struct secret_buf *u = secret_buf_new(0);
    EXPECT(u && !secret_buf_equal(s, u));
    EXPECT_INT(secret_buf_append(u, "x", 1), -ENOSPC);
    secret_buf_free(s);
    secret_buf_free(t);
    secret_buf_free(u);
    secret_buf_free(NULL);
    EXPECT_INT(used(), before);
}

static void room_is_written_and_then_counted(void)
{
    AUTO_SECRET struct secret_buf *s = secret_buf_new(8);
    REQUIRE(s);
    uint8_t *p = secret_buf_room(s, 5);
    REQUIRE(p);
    memcpy(p, "abcde", 5);
    EXPECT_INT(secret_buf_len(s), 0);
    secret_buf_grown(s, 5);
    EXPECT(secret_buf_room(s, 4) == NULL && secret_buf_room(s, 3) == p + 5);
    EXPECT(memcmp(secret_buf_bytes(s), "abcde", 5) == 0);
}

static void a_full_arena_gives_no_buffer(void)
{
    EXPECT(secret_buf_new(ARENA) == NULL);
    EXPECT(secret_buf_new((size_t)-1) == NULL);
}

static void comparing_sees_each_byte(void)
{
    uint8_t a[64] = {0}, b[64] = {0};
    EXPECT(secret_equal(a, b, 64) && secret_equal(NULL, NULL, 0));
    for (size_t i = 0; i < 64; i++) {
        b[i] = 0x80;
        EXPECT(!secret_equal(a, b, 64));
        b[i] = 0;
    }
    memset(a, 7, 64);
    secret_wipe(a, 64);
    EXPECT(secret_equal(a, b, 64));
}

int main(void)
{
    TEST(allocating_before_opening_aborts_with_a_reason);
    TEST(a_limit_that_is_too_low_is_refused_with_advice);
    TEST(absurd_sizes_are_refused);
    TEST(misuse_aborts_with_a_reason);
    TEST(opening_locks_and_hardens_the_process);
    TEST(the_kernel_flags_of_the_range_are_set);
    TEST(fresh_memory_is_zero_and_stays_so_when_reused);
    TEST(freeing_leaves_no_byte_behind);
    TEST(a_full_arena_gives_nothing_and_recovers);
    TEST(small_ones_fill_the_arena_too);
    TEST(pages_of_large_ones_go_back_to_the_kernel);
    TEST(random_histories_keep_every_byte);
    TEST(ten_thousand_small_ones_take_milliseconds);
    TEST(the_page_behind_the_arena_cannot_be_written);
    TEST(a_forked_child_sees_nothing);
    TEST(buffers_hold_their_capacity_and_no_more);
    TEST(room_is_written_and_then_counted);
    TEST(a_full_arena_gives_no_buffer);
    TEST(comparing_sees_each_byte);
    return check_done();
}
