/* network/rtnl.h - the few things said to the kernel over rtnetlink.
 *
 * A socket stays in the network namespace in which it was opened, whatever the thread does later.
 * Calls block for the kernel's answer, which it gives at once. Errors: -errno as the kernel said
 * it, with words. */
#ifndef NETWORK_RTNL_H
#define NETWORK_RTNL_H
#include <stdbool.h>
#include <stdint.h>
#include "base/err.h"

struct rtnl;
MUST_CHECK int rtnl_open(struct rtnl **ret, struct err *e); /* in the thread's present namespace */
void rtnl_close(struct rtnl *n);                            /* NULL is fine */

struct rtnl_mac {
    uint8_t b[6];
};
/* Index of an interface, or -ENODEV. ret_kind: "bridge", "veth", "" … */
MUST_CHECK int rtnl_link_index(struct rtnl *n, const char *name, char ret_kind[32], struct err *e);
MUST_CHECK int rtnl_bridge_add(struct rtnl *n, const char *name, struct rtnl_mac mac,
                               struct err *e);
/* A pair: `name` here, up, on the bridge; "eth0" with that address in the other namespace, still
 * down. */
MUST_CHECK int rtnl_veth_add(struct rtnl *n, const char *name, int bridge_index, int netns_fd,
                             struct rtnl_mac mac, struct err *e);
MUST_CHECK int rtnl_link_up(struct rtnl *n, int index, struct err *e);
MUST_CHECK int rtnl_link_delete(struct rtnl *n, const char *name, struct err *e); /* no such: 0 */
/* Addresses in host order. An address that is there already: 0. */
MUST_CHECK int rtnl_addr_add(struct rtnl *n, int index, uint32_t ip, unsigned prefix_len,
                             struct err *e);
MUST_CHECK int rtnl_default_route(struct rtnl *n, int index, uint32_t gateway, struct err *e);

struct rtnl_route { /* a destination of the main or local tables */
    uint32_t net;
    unsigned prefix_len; /* 0: a default route */
    int oif;
};
MUST_CHECK int rtnl_routes(struct rtnl *n, void (*on_route)(void *arg, const struct rtnl_route *r),
                           void *arg, struct err *e);
MUST_CHECK int rtnl_links_of(struct rtnl *n, int master,
                             void (*on_link)(void *arg, const char *name), void *arg,
                             struct err *e);
#endif
