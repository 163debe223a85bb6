/* main/keepd/listen.h - the sockets that keepd serves the API on, and the locks that keep two
 * daemons off one directory. */
#ifndef MAIN_KEEPD_LISTEN_H
#define MAIN_KEEPD_LISTEN_H
#include "base/err.h"

/* "unix://PATH": a listening socket there, mode 0600 (0660 and the group when one is given). A
 * socket on which somebody answers is refused; one that nobody serves is replaced. -EADDRINUSE. */
MUST_CHECK int listen_unix(const char *host, const char *group, int *ret_fd, struct err *e);
/* "fd://": the sockets that a service manager has opened (LISTEN_FDS, LISTEN_PID); fills at most
 * max. */
MUST_CHECK int listen_inherited(int *ret_fds, int max, int *ret_n, struct err *e);
/* An exclusive lock on <dir>/lock, held until the process ends. -EBUSY with words when another
 * daemon has it. */
MUST_CHECK int lock_dir(const char *dir, const char *flag, struct err *e);
MUST_CHECK int write_pidfile(const char *path, struct err *e);
#endif
