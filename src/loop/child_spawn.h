/* loop/child_spawn.h - turns a struct child_spec into a call of uv_spawn: for loop/child.c alone.
 */
#ifndef LOOP_CHILD_SPAWN_H
#define LOOP_CHILD_SPAWN_H
#include "loop/child.h"

MUST_CHECK int child_spec_check(const struct child_spec *spec, struct err *e);
/* theirs: the child's ends of our pipes for descriptors 0, 1, 2, or -1. *ret_inited: process must
 * be closed. */
MUST_CHECK int child_spawn(uv_loop_t *loop, uv_process_t *process, const struct child_spec *spec,
                           const int theirs[3], uv_exit_cb on_ended, bool *ret_inited,
                           struct err *e);
#endif
