/* network/state.h - inside of the room: what is known of the networks and endpoints, and its files.
 *
 * <exec-root>/network/networks.json   ids, subnet, time of making
 * <exec-root>/network/<container id>  one endpoint as JSON
 * <exec-root>/netns/<container id>    its pinned namespace
 * All below /run: a reboot takes it away together with the namespaces. */
#ifndef NETWORK_STATE_H
#define NETWORK_STATE_H
#include <stdbool.h>
#include "loop/child.h"
#include "loop/deferred.h"
#include "network/network.h"
#include "network/rtnl.h"
#include "network/subnet.h"

enum { CONTAINER_ID_MAX = 64 };
struct endpoint {
    char container[CONTAINER_ID_MAX + 1];
    struct network_endpoint pub;
};
struct attach { /* one request under way */
    struct attach *next;
    char container[CONTAINER_ID_MAX + 1];
    enum network_mode mode;
    void (*on_done)(void *arg, int r, const struct err *e, const struct network_endpoint *ep);
    void *arg;
};
struct network {
    uv_loop_t *loop;
    char *dir, *netns_dir;
    char instance[9], bridge[16];
    char ids[3][65]; /* bridge, host, none */
    int64_t created_ns;
    struct subnet subnet;
    bool subnet_fixed; /* the operator chose it */
    char subnet_str[SUBNET_TEXT_SIZE], gateway_str[16];
    struct rtnl *rtnl;
    struct endpoint **endpoints;
    size_t n;
    struct attach *queue, **queue_end;
    struct deferred *due;
    bool bridge_ready;
    int bridge_index;
    struct child *nft;
    char *nft_text; /* what it is reading */
    void (*on_filtered)(struct network *n, int r);
    struct err nft_err;
};

struct endpoint *endpoint_find(const struct network *n, const char *container);
struct endpoint *endpoint_insert(struct network *n, const char *container);
void endpoint_forget(struct network *n, struct endpoint *ep); /* memory, address, file */
MUST_CHECK int endpoint_save(struct network *n, const struct endpoint *ep, struct err *e);
bool container_id_valid(const char *id); /* it becomes a file name */

MUST_CHECK int state_load(struct network *n, struct err *e);
MUST_CHECK int state_save(struct network *n, struct err *e);
void state_subnet_changed(struct network *n); /* the texts made from it */

/* bridge.c */
MUST_CHECK int bridge_choose_subnet(struct network *n,
                                    struct err *e); /* the first that no route overlaps */
/* The bridge is there, up, with its address. 0, or an error. */
MUST_CHECK int bridge_make(struct network *n, struct err *e);
/* Masquerading and forwarding, by the nft program; on_done on the loop. */
MUST_CHECK int bridge_filter(struct network *n, void (*on_done)(struct network *n, int r),
                             struct err *e);
MUST_CHECK int bridge_enable_forwarding(struct network *n, struct err *e);
#endif
