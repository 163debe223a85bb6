/* loop/signals.h - SIGTERM, SIGINT and SIGHUP as callbacks of the loop; SIGPIPE ignored.
 *
 * on_stop is called for every SIGTERM or SIGINT, `times` counting from 1, so that a second one can
 * hurry the end. The handle does not keep the loop alive. One per process. */
#ifndef LOOP_SIGNALS_H
#define LOOP_SIGNALS_H
#include <uv.h>
#include "base/err.h"

struct signals_spec {
    void (*on_stop)(void *data, int signum, unsigned times);
    void (*on_hangup)(void *data); /* NULL: SIGHUP is ignored */
    void *data;
};
struct signals;
MUST_CHECK int signals_start(uv_loop_t *loop, const struct signals_spec *spec, struct signals **ret,
                             struct err *e);
void signals_free(struct signals *s); /* memory goes with the loop's next turn; NULL is fine */
void signals_ignore_pipe(void);
#endif
