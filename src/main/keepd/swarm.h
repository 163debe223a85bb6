/* main/keepd/swarm.h - joins what the API asks of the node (api/api.h, struct api_node_ops) to its
 * membership (agent/membership.h). */
#ifndef MAIN_KEEPD_SWARM_H
#define MAIN_KEEPD_SWARM_H
#include "agent/membership.h"
#include "api/api.h"

struct swarm {
    uv_loop_t *loop;
    struct membership *membership; /* NULL until the runtime has recovered */
    struct api *api;
    struct api_remote self;
    char host[64]; /* address without its port */
};
struct api_node_ops swarm_node_ops(struct swarm *s);
void swarm_changed(struct swarm *s); /* after membership_open: tells the api */
#endif
