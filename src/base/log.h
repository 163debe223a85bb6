/* base/log.h - what the operator reads, on standard error, one line an event.
 *
 * Lines are "<level> message"; under systemd (JOURNAL_STREAM set) they carry the "<n>" priority
 * prefix, on a terminal or file a time stamp. Code that returns an error does not log it; code that
 * logs it does not return it. Nothing secret: no formatter exists for the types of base/secret.h.
 */
#ifndef BASE_LOG_H
#define BASE_LOG_H
#include "base/err.h"

enum log_level { LOG_ERROR = 3, LOG_WARN = 4, LOG_INFO = 6, LOG_DEBUG = 7 };

void log_init(const char *program, enum log_level max); /* program is borrowed for ever */
enum log_level log_level(void);
void log_line(enum log_level level, const char *fmt, ...) PRINTF(2, 3);
/* Says it and aborts: for broken invariants and for "no memory" only. Needs no memory itself. */
_Noreturn void log_abort(const char *fmt, ...) PRINTF(1, 2);
#define log_error(...) log_line(LOG_ERROR, __VA_ARGS__)
#define log_warn(...) log_line(LOG_WARN, __VA_ARGS__)
#define log_info(...) log_line(LOG_INFO, __VA_ARGS__)
#define log_debug(...)                                                                             \
    do {                                                                                           \
        if (log_level() >= LOG_DEBUG)                                                              \
            log_line(LOG_DEBUG, __VA_ARGS__);                                                      \
    } while (0)
#endif
