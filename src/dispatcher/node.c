/* dispatcher/node.c - what a session says about its node, brought into the store. */
#include <stdlib.h>

#include "base/mem.h"
#include "base/str.h"
#include "dispatcher/internal.h"
#include "model/node.h"
#include "model/pb.h"

static void set_status(Pb__Node *n, int state, const char *message)
{
    if (!n->status)
        n->status = PB_NEW(NodeStatus, node_status);
    n->status->state = (Pb__NodeStatus__State)state;
    pb_str(&n->status->message, message);
}

/* What a node says of itself; who certified it is the manager's own knowledge (ca puts it there)
 * and stays when the node does not speak of it. */
static Pb__NodeDescription *described(const Pb__Node *n, const Pb__NodeDescription *told)
{
    Pb__NodeDescription *d = pb_dup(told);
    if (d && !d->tls_info && n->description)
        d->tls_info = pb_dup(n->description->tls_info);
    return d;
}

/* The session's first message waits for this to be durable: a node that was told it is registered
 * is READY in the store. */
void node_registered(struct dispatcher *d, struct session *s,
                     const Pb__NodeDescription *description)
{
    const Pb__Node *n = STORE_GET(d->o.store, STORE_TIP, NODE, Node, s->node_id);
    struct store_batch *b = store_batch_new(d->o.store);
    struct write *w = write_new(d);
    Pb__NodeDescription *now = described(n, description);

    if (node_state(n) != NODE_READY || (now && !pb_equal(now, n->description))) {
        Pb__Node *copy = store_copy(STORE_NODE, n);
        set_status(copy, NODE_READY, "");
        if (now) {
            pb_free(copy->description);
            copy->description = TAKE(now);
        }
        store_update(b, STORE_NODE, copy);
    }
    pb_free(now);
    w->node_id = mem_str(s->node_id);
    write_propose(w, b);
}

void node_set_state(struct dispatcher *d, const char *node_id, int state, const char *message)
{
    const Pb__Node *n = STORE_GET(d->o.store, STORE_TIP, NODE, Node, node_id);

    if (!n || node_state(n) == state)
        return;
    struct store_batch *b = store_batch_new(d->o.store);
    Pb__Node *copy = store_copy(STORE_NODE, n);
    set_status(copy, state, message);
    store_update(b, STORE_NODE, copy);
    write_propose(write_new(d), b);
}
