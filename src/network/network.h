/* network/network.h - a network namespace for every container, and the node's bridge network.
 *
 * Each container gets a namespace pinned at <exec-root>/netns/<container id>, with a loopback and,
 * on the `bridge` network, an eth0 with an address of the bridge's subnet, a default route and
 * outward masquerading. libmnl speaks rtnetlink; one nftables table of our own (named after the
 * daemon's instance, so that two daemons on one machine do not meet) is given to the nft program
 * once, when the bridge is made: libnftables in the process would cost 2 MB for good. A new
 * namespace is made, and its netlink socket opened, by the loop's own thread, which is back in its
 * own before anything else runs (netns.h). Nothing global is taken over: no iptables chain of
 * others, no change to interfaces that are not ours; ip_forward is switched on in the daemon's
 * namespace only when a bridge is made, and said in the log.
 *
 * State: <exec-root>/network/ (addresses by container), found again after a restart; what belongs
 * to no container is removed by network_sweep. Limits: one IPv4 subnet (default 172.29.0.0/16, or
 * the first free of a list), at most NETWORK_ENDPOINTS_MAX endpoints. */
#ifndef NETWORK_NETWORK_H
#define NETWORK_NETWORK_H
#include <stdbool.h>
#include <stdint.h>
#include <uv.h>
#include "base/err.h"

enum { NETWORK_ENDPOINTS_MAX = 4000 };
enum network_mode { NETWORK_NONE, NETWORK_BRIDGE, NETWORK_HOST };

struct network_options {
    const char *exec_root; /* /run/keep */
    const char *instance;  /* short id of this daemon, [a-z0-9]{1,8}: names the bridge
                              "keep<instance>" and the nft table */
    const char *subnet;    /* "172.29.0.0/16", or NULL: the first of a list that no route of the
                              machine overlaps */
};
struct network_endpoint { /* what a container was given */
    enum network_mode mode;
    char netns_path[256]; /* "" for NETWORK_HOST */
    char ip[48], gateway[48], mac[18];
    unsigned prefix_len;
    char bridge[16], network_id[65], endpoint_id[65];
};
struct network;

MUST_CHECK int network_open(uv_loop_t *loop, const struct network_options *o, struct network **ret,
                            struct err *e);
void network_close(struct network *n); /* leaves endpoints and their bridge: containers go on */
/* Makes the namespace and, for bridge, the endpoint; the bridge itself is made at the first use.
 * Takes about 1 ms; on_done comes on the loop. hostname lines are not its business. A container
 * that has an endpoint gets the same again. */
void network_attach(struct network *n, const char *container_id, enum network_mode mode,
                    void (*on_done)(void *arg, int r, const struct err *e,
                                    const struct network_endpoint *ep),
                    void *arg);
void network_detach(struct network *n,
                    const char *container_id); /* deletes namespace and endpoint; no such: fine */
const struct network_endpoint *network_find(const struct network *n, const char *container_id);
/* Removes endpoints and namespaces of containers for which keep(arg, id) is false. At start. */
void network_sweep(struct network *n, bool (*keep)(void *arg, const char *container_id), void *arg);

struct network_info { /* for the API and for `info` */
    const char *id, *name, *driver, *scope, *subnet, *gateway, *bridge;
    int64_t created_ns;
    bool internal;
};
size_t network_list(const struct network *n, struct network_info *ret,
                    size_t max); /* bridge, host, none */
/* The resolv.conf text that a container should see: the host's servers without loopback ones, else
 * public fallbacks are NOT invented: empty list. */
char *network_resolv_conf(const char *const *dns, const char *const *search,
                          const char *const *options); /* malloc'ed */
#endif
