/* main/keep-manager/cluster.c - see cluster.h. */
#include "main/keep-manager/cluster.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/str.h"
#include "base/trim.h"
#include "ca/ca_found.h"
#include "ca/ca_spec.h"
#include "ca/ca_token.h"
#include "control/control.h"
#include "dispatcher/dispatcher.h"
#include "orchestrator/orchestrator.h"
#include "orchestrator/run.h"
#include "rpc/methods.h"
#include "rpc/rpc.h"
#include "scheduler/scheduler.h"

struct cluster {
    uv_loop_t *loop;
    struct store *store;
    struct rpc_server *server;
    struct control *control;
    struct dispatcher *dispatcher;
    struct orchestrator *orchestrator;
    struct scheduler *scheduler;
    struct run *run;
    bool founding;
    void (*on_closed)(void *arg);
    void *arg;
};

static int64_t wall(void *arg)
{
    (void)arg;
    return clock_wall_ns();
}

/* ---- this node ---- */

static int find_manager(const void *object, void *arg)
{
    const Pb__Node *n = object;
    if (!n->manager_status)
        return 0;
    *(const Pb__Node **)arg = n;
    return 1;
}

static void take_up_duties(struct cluster *c)
{
    const Pb__Node *self = NULL;
    store_each(c->store, STORE_COMMITTED, STORE_NODE, find_manager, &self);
    if (!self)
        return;
    control_set_self(c->control, self->id, self->manager_status->addr);
    dispatcher_set_local_node(c->dispatcher, self->id);
    const struct decider deciders[] = {
        orchestrator_decider(c->orchestrator),
        {.self = c->scheduler,
         .note = scheduler_note,
         .note_all = scheduler_note_all,
         .pass = scheduler_decide},
    };
    c->run = run_new(c->loop, c->store, deciders, 2, NULL, NULL);
}

/* ---- founding ---- */

struct init_call {
    struct cluster *cluster;
    struct rpc_call *call; /* NULL: whoever asked has gone */
    char node_id[ID_SIZE], cluster_id[ID_SIZE];
};

static void on_init_call_over(struct rpc_call *call, void *arg)
{
    (void)call;
    struct init_call *i = arg;
    i->call = NULL;
}

static void on_founded(void *arg, int r, const struct err *e)
{
    struct init_call *i = arg;
    i->cluster->founding = false;
    if (r < 0) {
        if (i->call)
            rpc_fail(i->call, RPC_INTERNAL, "%s", e->text);
        free(i);
        return;
    }
    take_up_duties(i->cluster);
    memory_trim(); /* keys and certificates were made: seldom work */
    if (i->call) {
        Keep__InitResponse response = KEEP__INIT_RESPONSE__INIT;
        response.node_id = i->node_id;
        response.cluster_id = i->cluster_id;
        struct rpc_call *call = i->call;
        rpc_on_close(call, NULL, NULL);
        rpc_reply(call, &response.base);
    }
    free(i);
}

static void handle_init(struct rpc_call *call, const ProtobufCMessage *request, void *service)
{
    struct cluster *c = service;
    struct ca_founding *f;
    struct err e = {0};
    if (c->founding || store_count(c->store, STORE_TIP, STORE_CLUSTER) > 0) {
        rpc_fail(call, RPC_FAILED_PRECONDITION, "there is a cluster already");
        return;
    }
    const Pb__ClusterSpec *spec = ((const Keep__InitRequest *)request)->spec;
    if (spec && spec->encryption_config && spec->encryption_config->auto_lock_managers) {
        /* Else the cluster would say that it is locked while its key lies on the disk. */
        rpc_fail(call, RPC_UNIMPLEMENTED, "autolock is not supported by this version");
        return;
    }
    int r = ca_found_cluster((const Keep__InitRequest *)request, clock_wall_ns(), &f, &e);
    if (r != 0) {
        rpc_fail(call, r > 0 ? RPC_INVALID_ARGUMENT : RPC_INTERNAL, "%s", e.text);
        return;
    }
    struct init_call *i = NEW(struct init_call);
    i->cluster = c;
    i->call = call;
    str_copy(i->node_id, sizeof(i->node_id), f->node->id);
    str_copy(i->cluster_id, sizeof(i->cluster_id), f->cluster->id);
    struct store_batch *b = store_batch_new(c->store);
    store_create(b, STORE_CLUSTER, TAKE(f->cluster));
    store_create(b, STORE_NODE, TAKE(f->node));
    store_create(b, STORE_NETWORK, control_ingress_network());
    ca_founding_free(f);
    c->founding = true;
    rpc_on_close(call, on_init_call_over, i);
    store_propose(c->store, b, on_founded, i);
}

static const struct rpc_handler init_handler = {&rpc_method_manager_init, handle_init};

/* ---- keys: what control asks of the ca ---- */

static enum rpc_code rotate(void *arg, const Pb__Cluster *before, Pb__Cluster *after,
                            const Pb__KeyRotation *rotation, struct rpc_status *why)
{
    (void)arg, (void)before;
    bool locked =
        after->spec->encryption_config && after->spec->encryption_config->auto_lock_managers;
    if (locked)
        return (enum rpc_code)rpc_status_set(why, RPC_UNIMPLEMENTED,
                                             "autolock is not supported by this version");
    if (rotation && rotation->manager_unlock_key)
        return (enum rpc_code)rpc_status_set(why, RPC_FAILED_PRECONDITION,
                                             "cannot rotate because autolock is not turned on");
    if (rotation && (rotation->worker_join_token || rotation->manager_join_token))
        ca_rotate_tokens(after, rotation->worker_join_token, rotation->manager_join_token);
    return RPC_OK;
}

/* ---- life ---- */

int cluster_open(uv_loop_t *loop, struct store *s, int listen_fd, struct cluster **ret,
                 struct err *e)
{
    static const uint32_t root_only[] = {0};
    struct cluster *c = NEW(struct cluster);
    c->loop = loop;
    c->store = s;
    int r = rpc_server_new(loop, &c->server, e);
    if (r < 0) {
        free(c);
        return r;
    }
    const struct control_hooks hooks = {.arg = c, .rotate = rotate};
    const struct dispatcher_options d = {.loop = loop, .store = s};
    c->control = control_new(s, &hooks, wall, NULL);
    c->dispatcher = dispatcher_new(&d);
    c->orchestrator = orchestrator_new();
    c->scheduler = scheduler_new();
    rpc_server_add(c->server, &init_handler, 1, c);
    control_register(c->server, c->control);
    dispatcher_register(c->server, c->dispatcher);
    take_up_duties(c);
    *ret = c;
    return rpc_server_listen_fd(c->server, listen_fd, root_only, 1, e);
}

static void on_server_closed(void *arg)
{
    struct cluster *c = arg;
    if (c->run)
        run_free(TAKE(c->run));
    dispatcher_free(TAKE(c->dispatcher));
    c->on_closed(c->arg);
}

void cluster_close(struct cluster *c, void (*on_closed)(void *arg), void *arg)
{
    c->on_closed = on_closed;
    c->arg = arg;
    dispatcher_stop(c->dispatcher);
    rpc_server_close(TAKE(c->server), on_server_closed, c);
}

void cluster_free(struct cluster *c)
{
    control_free(c->control);
    orchestrator_free(c->orchestrator);
    scheduler_free(c->scheduler);
    free(c);
}
