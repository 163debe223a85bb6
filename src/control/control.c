/* control/control.c - the context, and answering when durable. */
#include "control/control.h"

#include <errno.h>
#include <stdlib.h>

#include "base/mem.h"
#include "base/str.h"
#include "control/control_int.h"
#include "model/pb.h"

struct control *control_new(struct store *s, const struct control_hooks *hooks,
                            int64_t (*now)(void *arg), void *now_arg)
{
    struct control *c = NEW(struct control);
    c->store = s;
    if (hooks)
        c->hooks = *hooks;
    c->now = now;
    c->now_arg = now_arg;
    return c;
}

int64_t control_now(const struct control *c)
{
    return c->now(c->now_arg);
}

void control_set_self(struct control *c, const char *node_id, const char *addr)
{
    char *id = mem_str(node_id), *at = mem_str(addr);
    free(c->node_id);
    free(c->addr);
    c->node_id = id;
    c->addr = at;
}

void control_free(struct control *c)
{
    if (!c)
        return;
    free(c->node_id);
    free(c->addr);
    free(c);
}

void control_register(struct rpc_server *server, struct control *c)
{
    struct control_table tables[] = {
        control_secret_table(),  control_config_table(), control_service_table(),
        control_task_table(),    control_node_table(),   control_cluster_table(),
        control_network_table(), control_watch_table(),  control_refused_table(),
    };
    for (size_t i = 0; i < sizeof(tables) / sizeof(*tables); i++)
        rpc_server_add(server, tables[i].handlers, tables[i].n, c);
}

/* ---- answering when durable ---- */
struct answer {
    struct control *control;
    struct rpc_call *call; /* NULL: it ended before */
    enum store_kind kind;
    char *id;
    control_reply reply;
};

static void on_call_over(struct rpc_call *call, void *arg)
{
    (void)call;
    ((struct answer *)arg)->call = NULL;
}

static void fail_store(struct rpc_call *call, int r, const struct err *e)
{
    enum rpc_code code = r == -ENOSPC ? RPC_RESOURCE_EXHAUSTED : RPC_UNKNOWN;
    rpc_fail(call, code, "the change was not stored: %s", str_or(err_text(e), "unknown error"));
}

static void on_durable(void *arg, int r, const struct err *e)
{
    struct answer *a = arg;
    if (a->call) {
        rpc_on_close(a->call, NULL, NULL);
        if (r)
            fail_store(a->call, r, e);
        else
            a->reply(a->control, a->call,
                     a->id ? store_get(a->control->store, STORE_COMMITTED, a->kind, a->id) : NULL);
    }
    free(a->id);
    free(a);
}

void control_commit(struct control *c, struct rpc_call *call, struct store_batch *b,
                    enum store_kind k, const char *id, control_reply reply)
{
    struct answer *a = NEW(struct answer);
    *a = (struct answer){c, call, k, mem_str(id), reply};
    rpc_on_close(call, on_call_over, a);
    store_propose(c->store, b, on_durable, a);
}

/* ---- words ---- */
void control_fail_argument(struct rpc_call *call)
{
    rpc_fail(call, RPC_INVALID_ARGUMENT, "invalid argument");
}

void control_fail_missing(struct rpc_call *call, const char *what, const char *id)
{
    rpc_fail(call, RPC_NOT_FOUND, "%s %s not found", what, id);
}

void control_fail_sequence(struct rpc_call *call)
{
    rpc_fail(call, RPC_UNKNOWN, "update out of sequence");
}

bool control_same_version(enum store_kind k, const void *object, const Pb__Version *v)
{
    const Pb__Meta *meta = store_object_meta(k, object);
    return meta && v && pb_version(meta->version) == v->index;
}
