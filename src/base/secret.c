/* base/secret.c - the locked arena and its allocator.
 *
 * The arena is one run of pages. A page is free, part of a run given out whole, or cut into equal
 * slots. Everything that says which is which lies outside the arena, in ordinary memory: bytes
 * written past a secret reach another secret's canary at worst, and freeing either one then ends
 * the process. */
#include "base/secret.h"

#include <errno.h>
#include <inttypes.h>
#include <pthread.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>
#include "base/id.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/secret_pages.h"
#if defined(__SANITIZE_ADDRESS__)
#include <sanitizer/asan_interface.h>
#else
#define ASAN_POISON_MEMORY_REGION(p, n) ((void)(p), (void)(n))
#define ASAN_UNPOISON_MEMORY_REGION(p, n) ((void)(p), (void)(n))
#endif
#ifndef MADV_DONTNEED_LOCKED
#define MADV_DONTNEED_LOCKED 24 /* Linux 5.18 */
#endif
#ifndef MLOCK_ONFAULT
#define MLOCK_ONFAULT 1
#endif

enum {
    PAGE = 4096,
    CANARY = 8,
    CLASSES = 7, /* slots of 32, 64, ... 2048 bytes; more than that takes whole pages */
    SLOT_MIN = 32,
    SLOT_MAX = SLOT_MIN << (CLASSES - 1),
    SLOTS_MAX = PAGE / SLOT_MIN,
};

/* One page cut into slots. */
struct slab {
    uint64_t taken[SLOTS_MAX / 64];
    uint16_t size[SLOTS_MAX]; /* as asked for: the canary follows the last byte */
    uint32_t page, count, slots;
    unsigned class;
    struct slab *prev, *next; /* among the slabs of its class that have a free slot */
};

static struct {
    char *base;
    size_t pages, used;
    uint64_t canary;
    pthread_t owner;
    pid_t pid;
    struct slab **slab; /* by page; NULL where the page is not cut */
    size_t *run_size;   /* by first page of a run: bytes asked for */
    struct slab *open[CLASSES];
    struct slab *spare[CLASSES]; /* one empty slab is kept, so that a lone secret does not cost a
                                    page each time */
} arena;

void secret_wipe(void *p, size_t n)
{
    if (n)
        explicit_bzero(p, n);
}

bool secret_equal(const void *a, const void *b, size_t n)
{
    return n == 0 || sodium_memcmp(a, b, n) == 0;
}

void secret_process_harden(void)
{
    if (prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) < 0 ||
        setrlimit(RLIMIT_CORE, &(struct rlimit){0, 0}) < 0)
        log_abort("core dumps cannot be turned off: %s", strerrordesc_np(errno));
}

/* --- opening
 * ---------------------------------------------------------------------------------------- */

/* What the kernel has counted as locked; asked rather than believed, because sanitizers and
 * sandboxes answer mlock with a success that locks nothing. */
static size_t locked_bytes(void)
{
    AUTO_FCLOSE FILE *f = fopen("/proc/self/status", "re");
    char line[256];
    uintmax_t kib = 0;
    while (f && fgets(line, sizeof(line), f))
        if (sscanf(line, "VmLck: %ju", &kib) == 1)
            break;
    return (size_t)kib * 1024;
}

static int refuse_lock(struct err *e, int errnum, size_t bytes)
{
    struct rlimit limit = {0, 0};
    char have[32] = "unlimited";
    getrlimit(RLIMIT_MEMLOCK, &limit);
    if (limit.rlim_cur != RLIM_INFINITY)
        snprintf(have, sizeof(have), "%ju KiB", (uintmax_t)limit.rlim_cur / 1024);
    return err_set(e, -errnum,
                   "cannot lock %zu KiB of memory for secrets (%s; the limit is %s): give the "
                   "process the capability CAP_IPC_LOCK, or raise RLIMIT_MEMLOCK (ulimit -l, "
                   "LimitMEMLOCK= in a unit)",
                   bytes / 1024, strerrordesc_np(errnum), have);
}

static int lock_range(char *p, size_t bytes, struct err *e)
{
    size_t before = locked_bytes();
    long r = syscall(SYS_mlock2, p, bytes, MLOCK_ONFAULT);
    if (r < 0 && (errno == ENOSYS || errno == EINVAL))
        r = syscall(SYS_mlock, p, bytes); /* not the library's mlock, which sanitizers replace */
    if (r < 0)
        return refuse_lock(e, errno == EPERM ? EPERM : ENOMEM, bytes);
    if (locked_bytes() < before + bytes)
        return err_set(e, -EPERM,
                       "the kernel accepted but did not lock %zu KiB of memory for secrets",
                       bytes / 1024);
    return 0;
}

static int protect_range(char *p, size_t bytes, struct err *e)
{
    if (mprotect(p, bytes, PROT_READ | PROT_WRITE) < 0)
        return err_sys(e, errno, "open the memory for secrets");
    if (madvise(p, bytes, MADV_DONTDUMP) < 0)
        return err_sys(e, errno, "keep the memory for secrets out of core dumps");
    if (madvise(p, bytes, MADV_WIPEONFORK) < 0)
        return err_sys(e, errno, "keep the memory for secrets out of child processes");
    return lock_range(p, bytes, e);
}

int secret_arena_open(size_t bytes, struct err *e)
{
    if (arena.base)
        return err_set(e, -EALREADY, "the memory for secrets is open already");
    if (sysconf(_SC_PAGESIZE) != PAGE)
        return err_set(e, -ENOTSUP, "memory pages of this machine are not of 4096 bytes");
    if (bytes == 0 || bytes > (size_t)PAGE * SECRET_PAGES_MAX)
        return err_set(e, -EINVAL, "%zu bytes of memory for secrets", bytes);
    size_t pages = (bytes + PAGE - 1) / PAGE, size = pages * PAGE;
    char *p =
        mmap(NULL, size + 2 * PAGE, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (p == MAP_FAILED)
        return err_sys(e, errno, "reserve %zu KiB of memory for secrets", size / 1024);
    int r = protect_range(p + PAGE, size, e);
    if (r < 0) {
        munmap(p, size + 2 * PAGE);
        return r;
    }
    secret_process_harden();
    secret_pages_init(pages);
    arena.pages = pages;
    arena.slab = mem_array(pages, sizeof(*arena.slab));
    arena.run_size = mem_array(pages, sizeof(*arena.run_size));
    arena.canary = random_u64();
    arena.owner = pthread_self();
    arena.pid = getpid();
    arena.base = p + PAGE;
    ASAN_POISON_MEMORY_REGION(arena.base, size);
    return 0;
}

void secret_arena_stats(size_t *ret_used, size_t *ret_total)
{
    if (ret_used)
        *ret_used = arena.used;
    if (ret_total)
        *ret_total = arena.pages * PAGE;
}

bool secret_owns(const void *p)
{
    uintptr_t at = (uintptr_t)p, base = (uintptr_t)arena.base;
    return arena.base && at >= base && at - base < arena.pages * PAGE;
}

/* --- canaries
 * --------------------------------------------------------------------------------------- */

static void put_canary(char *p, size_t n)
{
    memcpy(p + n, &arena.canary, CANARY);
}

static void check_canary(const char *p, size_t n)
{
    /* In a forked child the kernel has emptied the arena, canaries and all. */
    if (memcmp(p + n, &arena.canary, CANARY) != 0 && getpid() == arena.pid)
        log_abort("a secret of %zu bytes was written past its end", n);
}

static void check_caller(const char *what)
{
    if (!arena.base)
        log_abort("%s before secret_arena_open", what);
    if (!pthread_equal(arena.owner, pthread_self()))
        log_abort("%s in another thread than secret_arena_open", what);
}

/* --- pages
 * ------------------------------------------------------------------------------------------ */

static char *page_at(uint32_t page)
{
    return arena.base + (size_t)page * PAGE;
}

/* The pages are wiped by now. A kernel older than 5.18 keeps them; that costs memory, nothing else.
 */
static void release_pages(uint32_t page, uint32_t count)
{
    ASAN_POISON_MEMORY_REGION(page_at(page), (size_t)count * PAGE);
    madvise(page_at(page), (size_t)count * PAGE, MADV_DONTNEED_LOCKED);
    secret_pages_give(page, count);
}

static void *run_alloc(size_t n)
{
    if (n > arena.pages * PAGE - CANARY)
        return NULL;
    uint32_t count = (uint32_t)((n + CANARY + PAGE - 1) / PAGE), page;
    if (!secret_pages_take(count, &page))
        return NULL;
    char *p = page_at(page);
    ASAN_UNPOISON_MEMORY_REGION(p, n);
    ASAN_UNPOISON_MEMORY_REGION(p + n, CANARY);
    arena.run_size[page] = n;
    arena.used += (size_t)count * PAGE;
    put_canary(p, n);
    ASAN_POISON_MEMORY_REGION(p + n, CANARY);
    return p;
}

static void run_free(char *p, uint32_t page)
{
    uint32_t count = secret_pages_run(page);
    size_t n = arena.run_size[page];
    if (!count || p != page_at(page))
        log_abort("secret_free of something that secret_alloc did not give");
    ASAN_UNPOISON_MEMORY_REGION(p, (size_t)count * PAGE);
    check_canary(p, n);
    secret_wipe(p, n + CANARY);
    arena.used -= (size_t)count * PAGE;
    release_pages(page, count);
}

/* --- slots
 * ------------------------------------------------------------------------------------------ */

static unsigned class_of(size_t n)
{
    unsigned class = 0;
    while ((size_t)SLOT_MIN << class < n + CANARY)
        class ++;
    return class;
}

static void list_add(struct slab *s)
{
    s->prev = NULL;
    s->next = arena.open[s->class];
    if (s->next)
        s->next->prev = s;
    arena.open[s->class] = s;
}

static void list_remove(struct slab *s)
{
    if (s->prev)
        s->prev->next = s->next;
    else
        arena.open[s->class] = s->next;
    if (s->next)
        s->next->prev = s->prev;
}

static struct slab *slab_new(unsigned class)
{
    struct slab *s = arena.spare[class];
    uint32_t page;
    if (s) {
        arena.spare[class] = NULL;
    } else {
        if (!secret_pages_take(1, &page))
            return NULL;
        s = NEW(struct slab);
        s->page = page;
        s->class = class;
        s->slots = (uint32_t)(PAGE / (SLOT_MIN << class));
        arena.slab[page] = s;
    }
    list_add(s);
    return s;
}

/* Every class keeps a page for itself when it can; when the arena is full those are given up. */
static bool drop_spares(void)
{
    bool any = false;
    for (unsigned c = 0; c < CLASSES; c++) {
        struct slab *s = arena.spare[c];
        if (!s)
            continue;
        arena.spare[c] = NULL;
        arena.slab[s->page] = NULL;
        release_pages(s->page, 1);
        free(s);
        any = true;
    }
    return any;
}

static unsigned free_slot(const struct slab *s)
{
    for (unsigned w = 0; w < SLOTS_MAX / 64; w++)
        if (~s->taken[w])
            return w * 64 + (unsigned)__builtin_ctzll(~s->taken[w]);
    return SLOTS_MAX;
}

static void *slot_alloc(size_t n)
{
    unsigned class = class_of(n);
    size_t width = (size_t)SLOT_MIN << class;
    struct slab *s = arena.open[class] ? arena.open[class] : slab_new(class);
    if (!s)
        return NULL;
    unsigned i = free_slot(s);
    char *p = page_at(s->page) + i * width;
    s->taken[i / 64] |= UINT64_C(1) << i % 64;
    s->size[i] = (uint16_t)n;
    if (++s->count == s->slots)
        list_remove(s);
    arena.used += width;
    ASAN_UNPOISON_MEMORY_REGION(p, width);
    put_canary(p, n);
    ASAN_POISON_MEMORY_REGION(p + n, width - n);
    return p;
}

static void slab_emptied(struct slab *s)
{
    list_remove(s);
    if (!arena.spare[s->class]) {
        arena.spare[s->class] = s;
        return;
    }
    arena.slab[s->page] = NULL;
    release_pages(s->page, 1);
    free(s);
}

static void slot_free(char *p, struct slab *s)
{
    size_t width = (size_t)SLOT_MIN << s->class, at = (size_t)(p - page_at(s->page));
    size_t i = at / width;
    uint64_t bit = UINT64_C(1) << i % 64;
    if (at % width != 0 || !(s->taken[i / 64] & bit))
        log_abort("secret_free of something that secret_alloc did not give, or twice");
    ASAN_UNPOISON_MEMORY_REGION(p, width);
    check_canary(p, s->size[i]);
    secret_wipe(p, s->size[i] + (size_t)CANARY);
    ASAN_POISON_MEMORY_REGION(p, width);
    s->taken[i / 64] &= ~bit;
    arena.used -= width;
    if (s->count-- == s->slots)
        list_add(s);
    if (s->count == 0)
        slab_emptied(s);
}

/* --- the two verbs
 * ----------------------------------------------------------------------------------- */

void *secret_alloc(size_t n)
{
    check_caller("secret_alloc");
    bool small = n + CANARY <= SLOT_MAX && n <= SLOT_MAX;
    void *p = small ? slot_alloc(n) : run_alloc(n);
    if (!p && drop_spares())
        p = small ? slot_alloc(n) : run_alloc(n);
    return p; /* zero already: fresh from the kernel, or wiped when it was freed */
}

void secret_free(void *p)
{
    if (!p)
        return;
    check_caller("secret_free");
    if (!secret_owns(p))
        log_abort("secret_free of ordinary memory");
    uint32_t page = (uint32_t)((size_t)((char *)p - arena.base) / PAGE);
    if (arena.slab[page])
        slot_free(p, arena.slab[page]);
    else
        run_free(p, page);
}
