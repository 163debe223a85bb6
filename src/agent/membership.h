/* agent/membership.h - whether this node is in a swarm: founding one, leaving it, being in it again
 * after a restart.
 *
 * <data-root>/swarm/node.json says that the node is a member: it appears (fsync, rename) when Init
 * was answered, and its removal is the moment of leaving, so that a crash anywhere leaves either a
 * member or none; what is left below swarm/ without it is cleared at the next start. Owns: the
 * manager's process, its client, the agent. Joining other nodes is not served yet. */
#ifndef AGENT_MEMBERSHIP_H
#define AGENT_MEMBERSHIP_H
#include <uv.h>
#include "image/image.h"
#include "proto/keep.pb-c.h"
#include "rpc/rpc.h"
#include "runtime/runtime.h"

struct membership;
struct membership_options {
    uv_loop_t *loop;
    const char *data_root, *exec_root;
    const char *manager_program, *manager_user;
    struct runtime *runtime;
    struct image_store *images;
    bool debug;
};
/* Takes up the membership that the disk tells of. */
MUST_CHECK int membership_open(const struct membership_options *o, struct membership **ret,
                               struct err *e);
/* Stops the manager in order; containers go on. */
void membership_close(struct membership *m, void (*on_closed)(void *arg), void *arg);

enum membership_state { MEMBERSHIP_NONE, MEMBERSHIP_CHANGING, MEMBERSHIP_ACTIVE };
enum membership_state membership_state(const struct membership *m);
struct rpc_client *membership_manager(const struct membership *m); /* NULL unless ACTIVE */
const char *membership_node_id(const struct membership *m);        /* "" unless ACTIVE */
const char *membership_addr(const struct membership *m); /* advertised "host:port" or "" */
int membership_manager_pid(const struct membership *m);

typedef void (*membership_on_done)(void *arg, const struct rpc_status *st, const char *node_id);
/* FAILED_PRECONDITION with the engine's words when there is a swarm already. rq is borrowed for the
 * call. */
void membership_init(struct membership *m, const Keep__InitRequest *rq, membership_on_done d,
                     void *arg);
/* Ends the session, removes every task's container (and its secrets), the manager and its state.
 * Refused without force on a manager. */
void membership_leave(struct membership *m, bool force, membership_on_done d, void *arg);
#endif
