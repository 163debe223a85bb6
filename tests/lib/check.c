#include "lib/check.h"

#include <stdlib.h>
#include <ftw.h>
#include <unistd.h>

static int number, failures;
static bool current_failed;
static const char *skip_reason;
static char *dirs[64];
static int ndirs;

void check_run(const char *name, void (*fn)(void))
{
    current_failed = false;
    skip_reason = NULL;
    fn();
    number++;
    if (skip_reason)
        printf("ok %d - %s # SKIP %s\n", number, name, skip_reason);
    else
        printf("%s %d - %s\n", current_failed ? "not ok" : "ok", number, name);
    failures += current_failed;
    fflush(stdout);
}

void check_fail(const char *file, int line, const char *what)
{
    current_failed = true;
    printf("# %s:%d: expected %s\n", file, line, what);
}

void check_fail_str(const char *file, int line, const char *expr, const char *got, const char *want)
{
    current_failed = true;
    printf("# %s:%d: %s is '%s', expected '%s'\n", file, line, expr, got ? got : "(null)",
           want ? want : "(null)");
}

void check_fail_int(const char *file, int line, const char *expr, long long got, long long want)
{
    current_failed = true;
    printf("# %s:%d: %s is %lld, expected %lld\n", file, line, expr, got, want);
}

void check_skip(const char *why)
{
    skip_reason = why;
}

static int remove_one(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
    (void)st, (void)type, (void)ftw;
    return remove(path);
}

int check_done(void)
{
    for (int i = 0; i < ndirs; i++) {
        nftw(dirs[i], remove_one, 16, FTW_DEPTH | FTW_PHYS | FTW_MOUNT);
        free(dirs[i]);
    }
    printf("1..%d\n", number);
    return failures ? 1 : 0;
}

char *check_tmpdir(void)
{
    char path[] = "/tmp/keep-test-XXXXXX";
    if (ndirs == 64 || !mkdtemp(path)) {
        perror("mkdtemp");
        exit(2);
    }
    return dirs[ndirs++] = strdup(path);
}
