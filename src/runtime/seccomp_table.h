/* runtime/seccomp_table.h - the policy as data, for the two forms in which seccomp.c writes it. Not
 * for others. */
#ifndef RUNTIME_SECCOMP_TABLE_H
#define RUNTIME_SECCOMP_TABLE_H
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "runtime/caps.h"

enum { SECCOMP_LISTS = 6, SECCOMP_IFS = 7 };
extern const char *const seccomp_lists[SECCOMP_LISTS]; /* names separated by blanks */
struct seccomp_cap_list {
    const char *cap, *calls;
};
extern const struct seccomp_cap_list seccomp_cap_lists[];
extern const size_t seccomp_ncap_lists;
enum seccomp_compare { SECCOMP_EQ, SECCOMP_NE, SECCOMP_MASKED_ZERO };
struct seccomp_if { /* allowed when one argument compares so */
    const char *call;
    unsigned arg;
    uint64_t value;
    enum seccomp_compare op;
    const char *unless_cap; /* or NULL: always */
};
extern const struct seccomp_if seccomp_ifs[SECCOMP_IFS];
/* The next name of a list; false at its end. Names that libseccomp does not know are passed over.
 */
bool seccomp_next(const char **list, char name[64]);
#endif
