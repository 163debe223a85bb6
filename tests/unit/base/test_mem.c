/* unit/base/test_mem.c - ordinary memory and string vectors. */
#include "lib/check.h"
#include <signal.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>
#include "base/mem.h"

static void new_memory_is_zero_even_of_size_nothing(void)
{
    AUTO_FREE unsigned char *p = mem_new(4096);
    for (int i = 0; i < 4096; i++)
        EXPECT(p[i] == 0);
    AUTO_FREE void *q = mem_new(0);
    EXPECT(q != NULL);
}

static void strings_are_copied_and_cut(void)
{
    AUTO_FREE char *a = mem_str("abc"), *b = mem_strn("abcdef", 3), *c = mem_strn("ab", 9);
    EXPECT_STR(a, "abc");
    EXPECT_STR(b, "abc");
    EXPECT_STR(c, "ab");
    EXPECT(mem_str(NULL) == NULL);
    AUTO_FREE char *d = mem_printf("%s-%d", "web", 9);
    EXPECT_STR(d, "web-9");
    AUTO_FREE char *e = mem_dup("x\0y", 4);
    EXPECT(memcmp(e, "x\0y", 4) == 0);
}

static void vectors_grow_one_by_one(void)
{
    AUTO_STRV char **v = NULL;
    EXPECT_INT(strv_len((const char *const *)v), 0);
    for (int i = 0; i < 1000; i++)
        strv_push(&v, mem_printf("%d", i));
    EXPECT_INT(strv_len((const char *const *)v), 1000);
    EXPECT_STR(v[999], "999");
    EXPECT_STR(v[0], "0");
    AUTO_STRV char **w = strv_dup((const char *const *)v);
    EXPECT_INT(strv_len((const char *const *)w), 1000);
    EXPECT_STR(w[512], "512");
    strv_push(&w, mem_str("more")); /* a copy of any length can be pushed to */
    EXPECT_STR(w[1000], "more");
    EXPECT(strv_dup(NULL) == NULL);
    strv_free(NULL);
}

static void pushing_to_a_copy_of_any_length_stays_in_bounds(void)
{
    for (int n = 0; n < 40; n++) {
        AUTO_STRV char **v = mem_array((size_t)n + 1, sizeof(*v));
        for (int i = 0; i < n; i++)
            v[i] = mem_str("x");
        AUTO_STRV char **w = strv_dup((const char *const *)v);
        for (int i = 0; i < 10; i++)
            strv_push(&w, mem_str("y"));
        EXPECT_INT(strv_len((const char *const *)w), n + 10);
    }
}

static void take_leaves_nothing(void)
{
    AUTO_FREE char *p = mem_str("x");
    char *q = TAKE(p);
    EXPECT(p == NULL && q != NULL);
    free(q);
    AUTO_CLOSE int fd = dup(1);
    int got = TAKE_FD(fd);
    EXPECT(fd == -1 && got >= 0);
    close(got);
}

static bool dies(void (*fn)(void))
{
    fflush(stdout);
    pid_t pid = fork();
    if (pid == 0) {
        close(2);
        fn();
        _exit(0);
    }
    int st = 0;
    waitpid(pid, &st, 0);
    return WIFSIGNALED(st) && WTERMSIG(st) == SIGABRT;
}

static void overflow(void)
{
    free(mem_array(SIZE_MAX / 2, 3));
}

static void overflow_grow(void)
{
    free(mem_grow(NULL, SIZE_MAX / 8, 16));
}

static void a_product_that_overflows_aborts(void)
{
    EXPECT(dies(overflow));
    EXPECT(dies(overflow_grow));
}

int main(void)
{
    TEST(new_memory_is_zero_even_of_size_nothing);
    TEST(strings_are_copied_and_cut);
    TEST(vectors_grow_one_by_one);
    TEST(pushing_to_a_copy_of_any_length_stays_in_bounds);
    TEST(take_leaves_nothing);
    TEST(a_product_that_overflows_aborts);
    return check_done();
}
