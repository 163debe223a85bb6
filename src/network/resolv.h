/* network/resolv.h - the pure half of network_resolv_conf: the host's file as text in, the
 * container's out. */
#ifndef NETWORK_RESOLV_H
#define NETWORK_RESOLV_H
#include <stdbool.h>

bool resolv_only_loopback(
    const char *host); /* names servers, and all of them on loopback addresses */
char *resolv_compose(const char *host, const char *const *dns, const char *const *search,
                     const char *const *options); /* malloc'ed */
#endif
