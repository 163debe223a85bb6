/* runtime/k8slog.c - parsing forwards, and counting backwards. */
#include "runtime/k8slog.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/mem.h"

enum { BLOCK = 65536, TIME_MAX_LEN = 63, HEAD_MAX = 96 };

static bool word_is(const char *p, size_t n, const char *word)
{
    return strlen(word) == n && memcmp(p, word, n) == 0;
}

bool k8slog_parse(const char *line, size_t n, struct k8slog_line *ret)
{
    char time[TIME_MAX_LEN + 1];
    const char *end = line + n;
    const char *a = memchr(line, ' ', n);
    const char *b = a ? memchr(a + 1, ' ', (size_t)(end - a - 1)) : NULL;
    if (!b || a - line > TIME_MAX_LEN || end - b < 2)
        return false;
    memcpy(time, line, (size_t)(a - line));
    time[a - line] = '\0';
    if (word_is(a + 1, (size_t)(b - a - 1), "stdout"))
        ret->fd = STREAM_STDOUT;
    else if (word_is(a + 1, (size_t)(b - a - 1), "stderr"))
        ret->fd = STREAM_STDERR;
    else
        return false;
    if ((b[1] != 'F' && b[1] != 'P') || (end - b > 2 && b[2] != ' '))
        return false;
    ret->partial = b[1] == 'P';
    ret->text = end - b > 3 ? b + 3 : end;
    ret->n = (size_t)(end - ret->text);
    return time_parse(time, &ret->time_ns) == 0;
}

static ssize_t read_at(int fd, char *p, size_t n, int64_t at)
{
    ssize_t m;
    do
        m = pread(fd, p, n, at);
    while (m < 0 && errno == EINTR);
    return m < 0 ? -errno : m;
}

enum { NOT_WANTED, WHOLE, PIECE };
/* What begins at `at`. Only the head of the line is read. */
static int counts(int fd, int64_t at, bool want_stdout, bool want_stderr)
{
    char head[HEAD_MAX];
    struct k8slog_line l;
    ssize_t n = read_at(fd, head, sizeof head, at);
    if (n < 0)
        return (int)n;
    const char *end = memchr(head, '\n', (size_t)n);
    if (!k8slog_parse(head, end ? (size_t)(end - head) : (size_t)n, &l))
        return NOT_WANTED;
    if (l.fd == STREAM_STDOUT ? !want_stdout : !want_stderr)
        return NOT_WANTED;
    return l.partial ? PIECE : WHOLE;
}

int64_t k8slog_tail(int fd, int64_t size, int64_t lines, bool want_stdout, bool want_stderr)
{
    static char block[BLOCK];
    int64_t end = size, found = 0, line_start = size;
    if (lines == 0)
        return size;
    while (end > 0) {
        int64_t from = end > BLOCK ? end - BLOCK : 0;
        ssize_t n = read_at(fd, block, (size_t)(end - from), from);
        if (n < end - from)
            return n < 0 ? n : -EIO;
        for (int64_t i = end - 1; i >= from - (from == 0); i--) {
            if (i >= 0 && block[i - from] != '\n')
                continue;
            int64_t start = i + 1; /* a line begins after each newline, and at 0 */
            if (start >= size)
                continue;
            int r = counts(fd, start, want_stdout, want_stderr);
            if (r < 0)
                return r;
            bool last_piece =
                r == PIECE && line_start == size; /* the end of the output, without a newline */
            if ((r == WHOLE || last_piece) && ++found > lines)
                return line_start;
            /* Pieces in front of a whole line belong to it: only the whole one before ends the
             * search. */
            line_start = start;
        }
        end = from;
    }
    return 0;
}
