/* api/api.h - the Engine API of one node: routes, JSON, and what the manager, the runtime, the
 * images and the network have to say.
 *
 * keepd's main makes one, gives it listening sockets, and tells it what it needs to know of the
 * node through struct api_node_ops. Cluster objects are asked of the manager over rpc (the Control
 * service); containers and images of the rooms below. The api keeps no copy of anything but the
 * last 256 events. One thread, one loop; nothing here blocks. */
#ifndef API_API_H
#define API_API_H
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <uv.h>
#include "base/err.h"
#include "http/http.h"
#include "image/image.h"
#include "network/network.h"
#include "proto/keep.pb-c.h"
#include "rpc/rpc.h"
#include "runtime/runtime.h"

enum api_node_state {
    API_NODE_INACTIVE,
    API_NODE_PENDING,
    API_NODE_ACTIVE,
    API_NODE_ERROR,
    API_NODE_LOCKED
};
struct api_remote {
    const char *node_id, *addr; /* a manager: "192.0.2.10:2377" */
};
struct api_node { /* what this node is just now; strings borrowed until the loop turns */
    enum api_node_state state;
    bool manager;          /* a manager runs here (locked or not) */
    const char *node_id;   /* "" when in no swarm or locked */
    const char *node_addr; /* address without port, or "" */
    const char *error;     /* for API_NODE_ERROR, or "" */
    const struct api_remote *remotes;
    size_t nremotes;
};
/* r 0: done (for init, node_id is the new node's). Otherwise the answer's status and its words:
 * http is e.g. 503; 0 means "take st" (a failed call to the manager). */
struct api_outcome {
    unsigned http;
    const char *message;
    const struct rpc_status *st;
    const char *node_id;
};
typedef void (*api_on_outcome)(void *arg, const struct api_outcome *o);

struct api_node_ops { /* given by main; each asynchronous one calls done exactly once, not from
                         inside */
    void *arg;
    void (*get)(void *arg, struct api_node *ret);
    /* Found a cluster. rq's description is filled by main. force_new: --force-new-cluster. rq is
     * borrowed for the call. */
    void (*init)(void *arg, const Keep__InitRequest *rq, bool force_new, api_on_outcome done,
                 void *done_arg);
    void (*leave)(void *arg, bool force, api_on_outcome done,
                  void *done_arg); /* the refusals of engine-api 7.4 are the api's own */
    /* key as the user typed it, in secret memory; borrowed for the call. NULL: this build cannot
     * lock. */
    void (*unlock)(void *arg, const struct secret_buf *key, api_on_outcome done, void *done_arg);
};

struct api_options {
    uv_loop_t *loop;
    struct runtime *runtime;    /* NULL in tests: the routes that need it answer 503 */
    struct image_store *images; /* likewise */
    struct network *network;    /* likewise */
    struct rpc_client *manager; /* NULL when no manager runs here; api_set_manager later */
    struct api_node_ops node;
    const char *data_root;
    bool debug;
};
struct api;
MUST_CHECK int api_new(const struct api_options *o, struct api **ret,
                       struct err *e);                              /* strings of o are copied */
MUST_CHECK int api_listen_fd(struct api *a, int fd, struct err *e); /* a listening socket; taken */
/* The manager came (a client, borrowed until the next call) or went (NULL). Starts and ends the
 * watch of cluster events. */
void api_set_manager(struct api *a, struct rpc_client *manager);
void api_node_changed(
    struct api *a);            /* the node's state changed: the Swarm header of /_ping follows */
void api_close(struct api *a); /* ends every call; freed on the loop */
#endif
