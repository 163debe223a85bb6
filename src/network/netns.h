/* network/netns.h - network namespaces that stay because a file holds them.
 *
 * The calling thread enters the new namespace for three system calls and goes back; were it not
 * able to go back the process aborts, since everything after it would happen in the wrong network.
 * Other threads never leave theirs. */
#ifndef NETWORK_NETNS_H
#define NETWORK_NETNS_H
#include <stdbool.h>
#include "base/err.h"
#include "network/rtnl.h"

/* Makes a namespace and pins it at path (an old one there is let go first). ret_fd: it, open;
 * ret_inside: a socket in it. */
MUST_CHECK int netns_create(const char *path, int *ret_fd, struct rtnl **ret_inside, struct err *e);
bool netns_is_pinned(const char *path);
void netns_release(const char *path); /* not there: fine. It lives on while a process is in it */
#endif
