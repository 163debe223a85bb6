/* loop/subreaper.h - adopts the orphans of our children (conmon and what it leaves) and reaps them.
 *
 * The process becomes PR_SET_CHILD_SUBREAPER. Each orphan that ends is reported once and waited
 * for. Programs started by loop/child.h are left to it; any other fork of this process would lose
 * its exit status to us. The handle does not keep the loop alive. One per process. */
#ifndef LOOP_SUBREAPER_H
#define LOOP_SUBREAPER_H
#include <sys/types.h>
#include <uv.h>
#include "base/err.h"

/* status: 0 to 255, or -1 and the signal. */
typedef void subreaper_cb(void *data, pid_t pid, int status, int signum);

struct subreaper;
MUST_CHECK int subreaper_start(uv_loop_t *loop, subreaper_cb *on_reaped, void *data,
                               struct subreaper **ret, struct err *e); /* on_reaped may be NULL */
void subreaper_free(struct subreaper *s); /* stops adopting; NULL is fine */
#endif
