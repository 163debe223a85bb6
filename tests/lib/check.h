/* lib/check.h - the test harness: a test is a sentence about behaviour, printed as TAP.
 *
 *   static void insert_refuses_a_taken_name(void) { EXPECT(1 + 1 == 2); }
 *   int main(void) { TEST(insert_refuses_a_taken_name); return check_done(); }
 *
 * A failed EXPECT marks the test as failed and goes on; a failed REQUIRE leaves the test function.
 */
#ifndef LIB_CHECK_H
#define LIB_CHECK_H
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

void check_run(const char *name, void (*fn)(void));
void check_fail(const char *file, int line, const char *what);
void check_fail_str(const char *file, int line, const char *expr, const char *got,
                    const char *want);
void check_fail_int(const char *file, int line, const char *expr, long long got, long long want);
void check_skip(const char *why); /* call first in a test function, then return */
int check_done(void);             /* prints the plan; the value for main to return */
char *check_tmpdir(void); /* a fresh directory, removed by check_done; owned by the harness */

#define TEST(fn) check_run(#fn, fn)
#define EXPECT(c) ((c) ? (void)0 : check_fail(__FILE__, __LINE__, #c))
#define REQUIRE(c)                                                                                 \
    do {                                                                                           \
        if (!(c)) {                                                                                \
            check_fail(__FILE__, __LINE__, #c);                                                    \
            return;                                                                                \
        }                                                                                          \
    } while (0)
#define EXPECT_STR(got, want)                                                                      \
    do {                                                                                           \
        const char *g_ = (got), *w_ = (want);                                                      \
        if (!g_ || !w_ || strcmp(g_, w_) != 0)                                                     \
            check_fail_str(__FILE__, __LINE__, #got, g_, w_);                                      \
    } while (0)
#define EXPECT_INT(got, want)                                                                      \
    do {                                                                                           \
        long long g_ = (long long)(got), w_ = (long long)(want);                                   \
        if (g_ != w_)                                                                              \
            check_fail_int(__FILE__, __LINE__, #got, g_, w_);                                      \
    } while (0)
#endif
