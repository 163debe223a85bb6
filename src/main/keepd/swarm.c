/* main/keepd/swarm.c - see swarm.h. */
#include "main/keepd/swarm.h"

#include <stdlib.h>
#include <string.h>

#include "agent/description.h"
#include "base/mem.h"
#include "base/str.h"
#include "base/trim.h"

void swarm_changed(struct swarm *s)
{
    api_set_manager(s->api, membership_manager(s->membership));
    api_node_changed(s->api);
    memory_trim();
}

static void get(void *arg, struct api_node *ret)
{
    struct swarm *s = arg;
    *ret =
        (struct api_node){.state = API_NODE_PENDING, .node_id = "", .node_addr = "", .error = ""};
    if (!s->membership)
        return;
    switch (membership_state(s->membership)) {
    case MEMBERSHIP_NONE:
        ret->state = API_NODE_INACTIVE;
        return;
    case MEMBERSHIP_CHANGING:
        return;
    case MEMBERSHIP_ACTIVE:
        break;
    }
    const char *addr = membership_addr(s->membership);
    const char *colon = strrchr(addr, ':');
    str_copy(s->host, sizeof(s->host), addr);
    if (colon && (size_t)(colon - addr) < sizeof(s->host))
        s->host[colon - addr] = '\0';
    s->self = (struct api_remote){.node_id = membership_node_id(s->membership), .addr = addr};
    ret->state = API_NODE_ACTIVE;
    ret->manager = true;
    ret->node_id = s->self.node_id;
    ret->node_addr = s->host;
    ret->remotes = &s->self;
    ret->nremotes = 1;
}

/* An outcome that is told at the next turn of the loop, since the API must not hear it from inside
 * its own call. */
struct later {
    uv_timer_t timer;
    struct swarm *swarm;
    struct rpc_status st;
    char node_id[ID_SIZE];
    api_on_outcome done;
    void *done_arg;
};

static void on_later_closed(uv_handle_t *h)
{
    free(h->data);
}

static void on_later(uv_timer_t *t)
{
    struct later *l = t->data;
    struct api_outcome o = {.node_id = l->node_id, .st = &l->st};
    if (l->st.code == RPC_UNAVAILABLE || l->st.code == RPC_FAILED_PRECONDITION) {
        o.http = 503; /* membership's own refusals are the engine's: engine-api 7.4 */
        o.message = l->st.message;
    } else if (l->st.code == RPC_OK) {
        o.st = NULL;
    }
    swarm_changed(l->swarm);
    l->done(l->done_arg, &o);
    uv_close((uv_handle_t *)t, on_later_closed);
}

static void on_membership(void *arg, const struct rpc_status *st, const char *node_id)
{
    struct later *l = arg;
    l->st = *st;
    str_copy(l->node_id, sizeof(l->node_id), str_or(node_id, ""));
    uv_timer_start(&l->timer, on_later, 0, 0);
}

static struct later *later_new(struct swarm *s, api_on_outcome done, void *done_arg)
{
    struct later *l = NEW(struct later);
    l->swarm = s;
    l->done = done;
    l->done_arg = done_arg;
    uv_timer_init(s->loop, &l->timer);
    l->timer.data = l;
    return l;
}

static void refuse(struct swarm *s, enum rpc_code code, const char *text, api_on_outcome done,
                   void *done_arg)
{
    struct rpc_status st;
    rpc_status_set(&st, code, "%s", text);
    on_membership(later_new(s, done, done_arg), &st, NULL);
}

static void init(void *arg, const Keep__InitRequest *rq, bool force_new, api_on_outcome done,
                 void *done_arg)
{
    struct swarm *s = arg;
    if (!s->membership) {
        refuse(s, RPC_UNAVAILABLE, "keepd is still starting: try again in a moment", done,
               done_arg);
        return;
    }
    if (force_new) {
        refuse(s, RPC_UNIMPLEMENTED,
               "--force-new-cluster is not supported by this version: there is one manager", done,
               done_arg);
        return;
    }
    Keep__InitRequest with = *rq;
    Pb__NodeDescription *d = node_description_new();
    with.description = d;
    membership_init(s->membership, &with, on_membership, later_new(s, done, done_arg));
    pb__node_description__free_unpacked(d, NULL);
    api_node_changed(s->api);
}

static void leave(void *arg, bool force, api_on_outcome done, void *done_arg)
{
    struct swarm *s = arg;
    if (!s->membership) {
        refuse(s, RPC_UNAVAILABLE, "keepd is still starting: try again in a moment", done,
               done_arg);
        return;
    }
    if (force)
        api_set_manager(s->api, NULL); /* its client goes with the manager */
    membership_leave(s->membership, force, on_membership, later_new(s, done, done_arg));
}

struct api_node_ops swarm_node_ops(struct swarm *s)
{
    return (struct api_node_ops){.arg = s, .get = get, .init = init, .leave = leave};
}
