/* dispatcher/send.c - packs what a node is told: its session, its assignments.
 *
 * This is the one place of the manager where a payload leaves the seal. The messages are built of
 * borrowed parts: nothing is copied but by rpc_send, into secret memory. */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "base/mem.h"
#include "base/str.h"
#include "dispatcher/internal.h"
#include "model/node.h"
#include "model/pb.h"
#include "model/task.h"

enum { MANAGER_WEIGHT = 10 }; /* as real managers give themselves */

struct peers {
    Pb__WeightedPeer **v;
    size_t n;
};

static int add_manager(const void *object, void *arg)
{
    const Pb__Node *n = object;
    struct peers *p = arg;

    if (!n->manager_status || str_empty(n->manager_status->addr))
        return 0;
    Pb__WeightedPeer *w = PB_NEW(WeightedPeer, weighted_peer);
    w->peer = PB_NEW(Peer, peer);
    pb_str(&w->peer->node_id, n->id);
    pb_str(&w->peer->addr, n->manager_status->addr);
    w->weight = MANAGER_WEIGHT;
    PB_PUSH(p->n, p->v, w);
    return 0;
}

int send_session(struct stream *st)
{
    const struct store *s = st->d->o.store;
    const Pb__Cluster *c = store_by_name(s, STORE_COMMITTED, STORE_CLUSTER, "default");
    Pb__SessionMessage m = PB__SESSION_MESSAGE__INIT;
    struct peers peers = {0};

    m.session_id = st->session_id;
    m.node = (Pb__Node *)(uintptr_t)store_get(s, STORE_COMMITTED, STORE_NODE, st->session->node_id);
    if (!m.node)
        return 0; /* its removal ends the stream */
    store_each(s, STORE_COMMITTED, STORE_NODE, add_manager, &peers);
    m.managers = peers.v;
    m.n_managers = peers.n;
    if (c) {
        m.network_bootstrap_keys = c->network_bootstrap_keys;
        m.n_network_bootstrap_keys = c->n_network_bootstrap_keys;
        if (c->root_ca)
            m.rootca = c->root_ca->ca_cert;
    }
    int r = rpc_send(st->call, &m.base);
    for (size_t i = 0; i < peers.n; i++)
        pb_free(peers.v[i]);
    free(peers.v);
    return r;
}

/* One change with room for each kind of item, so that a message is two allocations. */
struct part {
    Pb__AssignmentChange change;
    Pb__Assignment assignment;
    union {
        Pb__Secret secret;
        Pb__Config config;
        Pb__Task task;
    };
    Pb__SecretSpec spec;
    struct secret_buf *payload;
};
struct parts {
    struct part *v;
    Pb__AssignmentChange **list;
    size_t n;
};

static struct part *add_part(struct parts *p, bool remove)
{
    struct part *x = &p->v[p->n];

    pb__assignment_change__init(&x->change);
    pb__assignment__init(&x->assignment);
    x->change.assignment = &x->assignment;
    x->change.action = remove ? PB__ASSIGNMENT_CHANGE__ASSIGNMENT_ACTION__ASSIGNMENT_ACTION_REMOVE
                              : PB__ASSIGNMENT_CHANGE__ASSIGNMENT_ACTION__ASSIGNMENT_ACTION_UPDATE;
    p->list[p->n++] = &x->change;
    return x;
}

static void set_secret(struct part *x, const Pb__Secret *secret)
{
    x->secret = *secret;
    x->assignment.item_case = PB__ASSIGNMENT__ITEM_SECRET;
    x->assignment.secret = &x->secret;
}

static void set_config(struct part *x, const Pb__Config *config)
{
    x->config = *config;
    x->assignment.item_case = PB__ASSIGNMENT__ITEM_CONFIG;
    x->assignment.config = &x->config;
}

static void set_task(struct part *x, const Pb__Task *task)
{
    x->task = *task;
    x->assignment.item_case = PB__ASSIGNMENT__ITEM_TASK;
    x->assignment.task = &x->task;
}

static void reject(struct dispatcher *d, const struct assignment_list *failed, const char *why)
{
    struct store_batch *b = store_batch_new(d->o.store);

    for (size_t i = 0; i < failed->n; i++) {
        const Pb__Task *t = failed->v[i];
        const Pb__Task *tip = STORE_GET(d->o.store, STORE_TIP, TASK, Task, t->id);
        if (!tip || task_state(tip) >= TASK_STARTING || store_batch_len(b) == STORE_BATCH_MAX)
            continue;
        Pb__Task *copy = store_copy(STORE_TASK, tip);
        task_set_status(copy, TASK_REJECTED, dispatcher_wall(d), NULL, why);
        store_update(b, STORE_TASK, copy);
    }
    write_propose(write_new(d), b);
}

static void free_payloads(struct secret_buf **payloads, size_t n)
{
    for (size_t i = 0; i < n; i++)
        secret_buf_free(payloads[i]);
    free(payloads);
}

/* One for each secret of the plan, or NULL: *ret_bad cannot be opened, for the reason in e. */
static struct secret_buf **try_payloads(struct stream *st, const struct assignment_plan *plan,
                                        const Pb__Secret **ret_bad, struct err *e)
{
    struct secret_buf **payloads = mem_array(plan->secrets.n + 1, sizeof *payloads);

    for (size_t i = 0; i < plan->secrets.n; i++) {
        const Pb__Secret *secret = plan->secrets.v[i];
        int r = store_payload(st->d->o.store, secret->id, &payloads[i], e);
        if (r == 0)
            continue;
        if (!e->text[0])
            err_sys(e, -r, "its payload");
        *ret_bad = secret;
        free_payloads(payloads, i);
        return NULL;
    }
    return payloads;
}

/* Opens a payload for each secret of the plan. Those that cannot be opened leave it, with the tasks
 * that wait for them. */
static struct secret_buf **open_payloads(struct stream *st, struct assignment_plan *plan)
{
    struct secret_buf **payloads;
    const Pb__Secret *bad = NULL;
    struct err e = {0};

    while (!(payloads = try_payloads(st, plan, &bad, &e))) {
        struct assignment_list failed = {0};
        AUTO_FREE char *why =
            mem_printf("unable to open secret %s: %s",
                       bad->spec ? pb_name(bad->spec->annotations) : bad->id, err_text(&e));
        log_error("node %s: %s", st->session->node_id, why);
        assignment_plan_without(plan, &st->sent, bad, &failed);
        if (failed.n)
            reject(st->d, &failed, why);
        free(failed.v);
        e.text[0] = '\0';
    }
    return payloads;
}

static void add_updates(struct parts *p, const struct assignment_plan *plan,
                        struct secret_buf **payloads)
{
    for (size_t i = 0; i < plan->secrets.n; i++) {
        const Pb__Secret *secret = plan->secrets.v[i];
        struct part *x = add_part(p, false);
        set_secret(x, secret);
        x->spec = secret->spec ? *secret->spec : (Pb__SecretSpec)PB__SECRET_SPEC__INIT;
        x->spec.data.data = (uint8_t *)(uintptr_t)secret_buf_bytes(payloads[i]);
        x->spec.data.len = secret_buf_len(payloads[i]);
        x->secret.spec = &x->spec;
    }
    for (size_t i = 0; i < plan->configs.n; i++)
        set_config(add_part(p, false), plan->configs.v[i]);
    for (size_t i = 0; i < plan->tasks.n; i++)
        set_task(add_part(p, false), plan->tasks.v[i]);
}

static void add_removals(struct parts *p, const struct assignment_plan *plan)
{
    for (char **id = plan->gone_tasks; id && *id; id++) {
        Pb__Task t = PB__TASK__INIT;
        t.id = *id;
        set_task(add_part(p, true), &t);
    }
    for (char **id = plan->gone_secrets; id && *id; id++) {
        Pb__Secret x = PB__SECRET__INIT;
        x.id = *id;
        set_secret(add_part(p, true), &x);
    }
    for (char **id = plan->gone_configs; id && *id; id++) {
        Pb__Config x = PB__CONFIG__INIT;
        x.id = *id;
        set_config(add_part(p, true), &x);
    }
}

static size_t plan_size(const struct assignment_plan *p)
{
    return p->tasks.n + p->secrets.n + p->configs.n + strv_len((const char *const *)p->gone_tasks) +
           strv_len((const char *const *)p->gone_secrets) +
           strv_len((const char *const *)p->gone_configs);
}

static int send_plan(struct stream *st, const struct assignment_plan *plan,
                     struct secret_buf **payloads)
{
    Pb__AssignmentsMessage m = PB__ASSIGNMENTS_MESSAGE__INIT;
    size_t n = plan_size(plan);
    struct parts parts = {.v = mem_array(n + 1, sizeof *parts.v),
                          .list = mem_array(n + 1, sizeof *parts.list)};
    char applies[24] = "", results[24];

    add_updates(&parts, plan, payloads);
    add_removals(&parts, plan);
    if (st->sequence) {
        snprintf(applies, sizeof applies, "%" PRIu64, st->sequence);
        m.type = PB__ASSIGNMENTS_MESSAGE__TYPE__TYPE_INCREMENTAL;
    }
    snprintf(results, sizeof results, "%" PRIu64, st->sequence + 1);
    m.applies_to = applies;
    m.results_in = results;
    m.changes = parts.list;
    m.n_changes = parts.n;
    int r = rpc_send(st->call, &m.base);
    free(parts.v);
    free(parts.list);
    return r;
}

int send_assignments(struct stream *st)
{
    struct assignment_plan plan;
    int r = 0;

    assignment_plan(st->d->o.store, st->session->node_id, &st->sent, &plan);
    struct secret_buf **payloads = open_payloads(st, &plan);
    if (st->sequence == 0 || !assignment_plan_empty(&plan)) {
        r = send_plan(st, &plan, payloads);
        st->sequence++;
    }
    free_payloads(payloads, plan.secrets.n);
    assignment_plan_done(&plan);
    return r;
}
