/* runtime/k8slog.h - lines of the log that conmon writes: "TIME stdout|stderr F|P TEXT": pure.
 *
 * P means that the line goes on in the next one of the same stream. The text is a stranger's; it
 * may hold anything but a newline. */
#ifndef RUNTIME_K8SLOG_H
#define RUNTIME_K8SLOG_H
#include <stdbool.h>
#include "runtime/runtime.h"

struct k8slog_line {
    int64_t time_ns;
    enum stream_fd fd;
    bool partial;
    const char *text; /* into the line */
    size_t n;
};
/* line: without its newline. false: not one of conmon's (torn by a full disk). */
bool k8slog_parse(const char *line, size_t n, struct k8slog_line *ret);
/* Where in the file the last `lines` whole lines of the wanted streams begin; size: how much of it
 * there is. Negative: errno. */
int64_t k8slog_tail(int fd, int64_t size, int64_t lines, bool want_stdout, bool want_stderr);
#endif
