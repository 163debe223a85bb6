/* model/constraint.h - placement constraints: "node.labels.zone == east", "node.role != manager".
 *
 * Keys ignore case but for the name of a label; values ignore case; an unknown key never matches.
 * Pure. */
#ifndef MODEL_CONSTRAINT_H
#define MODEL_CONSTRAINT_H
#include <stdbool.h>
#include <stddef.h>
#include "base/err.h"
#include "proto/swarm.pb-c.h"

/* Checks the form of one expression. -EINVAL with the engine's words ("constraint expected one
 * operator from ==, !=", …). */
MUST_CHECK int constraint_check(const char *expr, struct err *e);
/* Does the node satisfy all of them? An expression of bad form is not satisfied. */
bool constraint_match(char *const *exprs, size_t n, const Pb__Node *node);
bool constraint_match_task(const Pb__TaskSpec *spec, const Pb__Node *node);
#endif
