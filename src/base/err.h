/* base/err.h - how a failure is told: a number for the program, a sentence for a person.
 *
 * Every fallible function returns int: 0 is success; a negative number (a negated errno, or -EPROTO
 * and its like) is unexpected and is passed up unchanged, with words added in front by err_wrap; a
 * positive number is an outcome that the function's own header names and its caller handles.
 * The words live in a fixed-size struct that the caller owns, so that the out-of-memory path needs
 * no memory. A NULL struct err * is allowed everywhere. No secret may be put into an error. */
#ifndef BASE_ERR_H
#define BASE_ERR_H
#include <stddef.h>

enum { ERR_TEXT_MAX = 1024 };
struct err {
    char text[ERR_TEXT_MAX]; /* always terminated; cut with "..." when too long */
};

#define MUST_CHECK __attribute__((warn_unused_result))
#define PRINTF(fmt, first) __attribute__((format(printf, fmt, first)))

int err_set(struct err *e, int r, const char *fmt, ...) PRINTF(3, 4); /* returns r */
int err_sys(struct err *e, int errnum, const char *fmt, ...)
    PRINTF(3, 4); /* "…: strerror"; -errnum */
int err_wrap(struct err *e, int r, const char *fmt, ...) PRINTF(3, 4); /* puts "…: " in front; r */
const char *err_text(const struct err *e);                             /* "" for NULL */
#endif
