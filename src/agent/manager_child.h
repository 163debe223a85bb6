/* agent/manager_child.h - keep-manager as a child of this daemon: started, kept alive, ended.
 *
 * The daemon makes the manager's listening socket (<exec-root>/manager.sock, mode 0600, root's) and
 * hands it over, so that clients queue while a manager that died is started again; a pipe tells the
 * manager that its daemon has gone. A manager that ends is started again after a pause that grows
 * from CHILD_PAUSE_FIRST_MS to CHILD_PAUSE_MAX_MS and falls back once it has lived for
 * CHILD_STEADY_MS. */
#ifndef AGENT_MANAGER_CHILD_H
#define AGENT_MANAGER_CHILD_H
#include <stdbool.h>
#include <uv.h>
#include "base/err.h"

enum { CHILD_PAUSE_FIRST_MS = 20, CHILD_PAUSE_MAX_MS = 5000, CHILD_STEADY_MS = 10000 };

struct manager_child;
struct manager_child_options {
    uv_loop_t *loop;
    const char *program;     /* absolute path of keep-manager */
    const char *socket_path; /* made here; removed by manager_child_end */
    const char *state_dir;   /* exists, belongs to user */
    const char *user;        /* the manager drops to it before it reads anything */
    bool debug;
};
MUST_CHECK int manager_child_start(const struct manager_child_options *o,
                                   struct manager_child **ret, struct err *e);
/* SIGTERM, SIGKILL after 5 s; on_ended when it is gone, then m is freed. */
void manager_child_end(struct manager_child *m, void (*on_ended)(void *arg), void *arg);
int manager_child_pid(const struct manager_child *m); /* 0 while there is none */
#endif
