/* fuzz/fuzz_runtime_log.c - a container's log: lines of which a stranger wrote the text, and a
 * search from the end.
 *
 * fuzz-room: runtime
 * The first byte chooses which streams are wanted and how many lines. Where the search ends must be
 * the beginning of a line, with no more whole lines behind it than were asked for, and never later
 * for more lines. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/mem.h"
#include "runtime/k8slog.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static bool parse(const char *line, size_t n, struct k8slog_line *l)
{
    AUTO_FREE char *copy = mem_dup(line, n ? n : 1); /* the sanitizer sees reads past the line */
    struct k8slog_line of_copy;
    bool ok = k8slog_parse(copy, n, &of_copy);
    if (ok && (of_copy.text < copy || of_copy.text + of_copy.n != copy + n))
        abort();
    if (ok != k8slog_parse(line, n, l))
        abort();
    return ok;
}

/* Whole lines of the wanted streams from `at` on; *ret_open: the output ends in a piece. */
static int64_t whole_lines(const char *p, size_t size, size_t at, bool out, bool err,
                           bool *ret_open)
{
    int64_t n = 0;
    *ret_open = false;
    while (at < size) {
        const char *nl = memchr(p + at, '\n', size - at);
        size_t len = nl ? (size_t)(nl - (p + at)) : size - at;
        struct k8slog_line l;
        if (parse(p + at, len, &l) && (l.fd == STREAM_STDOUT ? out : err)) {
            n += !l.partial;
            *ret_open = l.partial;
        }
        at += len + 1;
    }
    return n;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static int fd = -1;
    if (size < 2)
        return 0;
    bool out = data[0] & 1, err = data[0] & 2;
    int64_t want = data[0] >> 2 & 7;
    const char *p = (const char *)data + 1;
    size--;
    if (fd < 0)
        fd = memfd_create("log", MFD_CLOEXEC);
    if (fd < 0 || ftruncate(fd, 0) < 0 || pwrite(fd, p, size, 0) != (ssize_t)size)
        abort();
    bool open_end;
    int64_t all = whole_lines(p, size, 0, out, err, &open_end);
    int64_t at = k8slog_tail(fd, (int64_t)size, want, out, err);
    if (at < 0 || at > (int64_t)size || (at > 0 && at < (int64_t)size && p[at - 1] != '\n'))
        abort();
    if (want == 0 ? at != (int64_t)size : k8slog_tail(fd, (int64_t)size, want + 1, out, err) > at)
        abort();
    int64_t behind = whole_lines(p, size, (size_t)at, out, err, &open_end);
    if (behind > want || (at == 0 && behind != all))
        abort();
    return 0;
}
