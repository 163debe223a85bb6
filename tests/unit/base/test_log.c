/* unit/base/test_log.c - lines on standard error. */
#include "lib/check.h"
#include <fcntl.h>
#include <signal.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>
#include "base/buf.h"
#include "base/log.h"
#include "base/mem.h"

/* Runs fn in a child whose standard error is a file, and reads that. */
static int capture(void (*fn)(void), struct buf *out)
{
    AUTO_FREE char *path = mem_printf("%s/err", check_tmpdir());
    fflush(stdout);
    pid_t pid = fork();
    if (pid == 0) {
        int fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
        if (fd < 0 || dup2(fd, 2) < 0)
            _exit(9);
        fn();
        _exit(0);
    }
    int st = -1;
    waitpid(pid, &st, 0);
    struct err e;
    EXPECT_INT(buf_read_file(out, path, &e), 0);
    return st;
}

static void say(void)
{
    log_init("keepd", LOG_INFO);
    log_info("started on %s", "/run/x");
    log_debug("not %s", "shown");
    log_error("a\nfake: line\x1b[2J");
}

static void lines_carry_program_and_level_and_hide_control_bytes(void)
{
    AUTO_BUF struct buf b = BUF_INIT(10000);
    EXPECT_INT(capture(say, &b), 0);
    EXPECT(strstr(b.p, "Z keepd: info started on /run/x\n") != NULL);
    EXPECT(strstr(b.p, "shown") == NULL);
    EXPECT(strstr(b.p, "Z keepd: error a?fake: line?[2J\n") != NULL);
}

static void say_journal(void)
{
    struct stat st;
    char text[64];
    fstat(2, &st);
    snprintf(text, sizeof(text), "%ju:%ju", (uintmax_t)st.st_dev, (uintmax_t)st.st_ino);
    setenv("JOURNAL_STREAM", text, 1);
    log_init("keepd", LOG_DEBUG);
    log_warn("w");
    log_debug("d");
    setenv("JOURNAL_STREAM", "1:2", 1);
    log_init("keepd", LOG_DEBUG);
    log_warn("elsewhere");
}

static void under_systemd_lines_carry_the_priority(void)
{
    AUTO_BUF struct buf b = BUF_INIT(10000);
    EXPECT_INT(capture(say_journal, &b), 0);
    EXPECT(strncmp(b.p, "<4>warning w\n<7>debug d\n2", 25) == 0);
}

static void say_long(void)
{
    static char big[20000];
    memset(big, 'x', sizeof(big) - 1);
    log_info("%s", big);
}

static void long_lines_are_cut_and_end(void)
{
    AUTO_BUF struct buf b = BUF_INIT(30000);
    EXPECT_INT(capture(say_long, &b), 0);
    EXPECT(b.len < 5000 && b.len > 3000);
    EXPECT_STR(b.p + b.len - 4, "...\n");
}

static void say_abort(void)
{
    log_abort("broken %d", 1);
}

static void abort_says_why(void)
{
    AUTO_BUF struct buf b = BUF_INIT(30000);
    int st = capture(say_abort, &b);
    EXPECT(WIFSIGNALED(st) && WTERMSIG(st) == SIGABRT);
    EXPECT(strstr(b.p, "error broken 1\n") != NULL);
}

int main(void)
{
    unsetenv("JOURNAL_STREAM");
    TEST(lines_carry_program_and_level_and_hide_control_bytes);
    TEST(under_systemd_lines_carry_the_priority);
    TEST(long_lines_are_cut_and_end);
    TEST(abort_says_why);
    return check_done();
}
