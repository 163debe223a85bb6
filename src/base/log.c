/* base/log.c - one line, one write, so that lines of several threads do not mix. */
#include "base/log.h"

#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include "base/clock.h"

enum { LINE_MAX_BYTES = 4096 }; /* a longer message is cut; journald's own limit is 48 KiB */

static const char *program_name = "keep";
static enum log_level max_level = LOG_INFO;
static bool to_journal;

/* JOURNAL_STREAM is inherited by whatever we start with another stderr, so the inode is compared
 * too. */
static bool stderr_is_journal(void)
{
    const char *s = getenv("JOURNAL_STREAM");
    struct stat st;
    char want[64];
    if (!s || fstat(STDERR_FILENO, &st) < 0)
        return false;
    snprintf(want, sizeof(want), "%ju:%ju", (uintmax_t)st.st_dev, (uintmax_t)st.st_ino);
    return strcmp(s, want) == 0;
}

void log_init(const char *program, enum log_level max)
{
    program_name = program;
    max_level = max;
    to_journal = stderr_is_journal();
}

enum log_level log_level(void)
{
    return max_level;
}

static const char *level_name(enum log_level level)
{
    switch (level) {
    case LOG_ERROR:
        return "error";
    case LOG_WARN:
        return "warning";
    case LOG_INFO:
        return "info";
    case LOG_DEBUG:
        return "debug";
    }
    return "info";
}

static size_t put_prefix(char *line, size_t size, enum log_level level)
{
    char when[TIME_TEXT_SIZE];
    int n = to_journal ? snprintf(line, size, "<%d>%s ", (int)level, level_name(level))
                       : snprintf(line, size, "%s %s: %s ", time_text_fixed(clock_wall_ns(), when),
                                  program_name, level_name(level));
    return n < 0 ? 0 : (size_t)n < size ? (size_t)n : size - 1;
}

static void write_all(const char *p, size_t n)
{
    while (n) {
        ssize_t done = write(STDERR_FILENO, p, n);
        if (done < 0 && errno == EINTR)
            continue;
        if (done <= 0)
            return; /* nobody reads standard error: there is no one to tell */
        p += done;
        n -= (size_t)done;
    }
}

static void put_line(enum log_level level, const char *fmt, va_list ap) PRINTF(2, 0);
static void put_line(enum log_level level, const char *fmt, va_list ap)
{
    char line[LINE_MAX_BYTES];
    int saved = errno;
    size_t at = put_prefix(line, sizeof(line) - 1, level);
    int n = vsnprintf(line + at, sizeof(line) - 1 - at, fmt, ap);
    size_t end = at + (n < 0 ? 0 : (size_t)n);
    if (end > sizeof(line) - 2) {
        end = sizeof(line) - 2;
        memcpy(line + end - 3, "...", 3);
    }
    /* A name chosen by a stranger must not be able to start a line of its own or drive a terminal.
     */
    for (size_t i = at; i < end; i++)
        if ((unsigned char)line[i] < 32 || line[i] == 127)
            line[i] = '?';
    line[end++] = '\n';
    write_all(line, end);
    errno = saved;
}

void log_line(enum log_level level, const char *fmt, ...)
{
    if (level > max_level)
        return;
    va_list ap;
    va_start(ap, fmt);
    put_line(level, fmt, ap);
    va_end(ap);
}

void log_abort(const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    put_line(LOG_ERROR, fmt, ap);
    va_end(ap);
    abort();
}
