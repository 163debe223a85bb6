/* unit/dispatcher/cluster.h - objects for the dispatcher's tests. */
#ifndef CLUSTER_H
#define CLUSTER_H
#include "lib/store_fixture.h"

#include "base/clock.h"
#include "base/str.h"
#include "model/node.h"
#include "model/pb.h"
#include "model/task.h"

static struct store_fixture fx;

static inline void put_node(const char *id)
{
    struct store_batch *b = store_batch_new(fx.store);
    Pb__Node *n = PB_NEW(Node, node);
    pb_str(&n->id, id);
    n->spec = PB_NEW(NodeSpec, node_spec);
    n->manager_status = PB_NEW(ManagerStatus, manager_status);
    pb_str(&n->manager_status->addr, "192.0.2.1:2377");
    n->description = PB_NEW(NodeDescription, node_description);
    n->description->tls_info = PB_NEW(NodeTLSInfo, node_tlsinfo);
    pb_bytes(&n->description->tls_info->trust_root, "root", 4);
    store_create(b, STORE_NODE, n);
    store_propose(fx.store, b, NULL, NULL);
    fixture_run(&fx);
}

static inline void put_secret(const char *id, const char *payload)
{
    struct store_batch *b = store_batch_new(fx.store);
    Pb__Secret *s = PB_NEW(Secret, secret);
    pb_str(&s->id, id);
    s->spec = PB_NEW(SecretSpec, secret_spec);
    s->spec->annotations = PB_NEW(Annotations, annotations);
    pb_str(&s->spec->annotations->name, id);
    store_create(b, STORE_SECRET, s);
    store_put_payload(b, id, payload, strlen(payload));
    store_propose(fx.store, b, NULL, NULL);
    fixture_run(&fx);
}

static inline void put_config(const char *id, const char *data)
{
    struct store_batch *b = store_batch_new(fx.store);
    Pb__Config *c = PB_NEW(Config, config);
    pb_str(&c->id, id);
    c->spec = PB_NEW(ConfigSpec, config_spec);
    c->spec->annotations = PB_NEW(Annotations, annotations);
    pb_str(&c->spec->annotations->name, id);
    pb_bytes(&c->spec->data, data, strlen(data));
    store_create(b, STORE_CONFIG, c);
    store_propose(fx.store, b, NULL, NULL);
    fixture_run(&fx);
}

/* A task on node that uses the secret and the config (NULL: none). */
static inline void put_task(const char *id, const char *node, int state, const char *secret,
                            const char *config)
{
    struct store_batch *b = store_batch_new(fx.store);
    Pb__Task *t = PB_NEW(Task, task);
    pb_str(&t->id, id);
    pb_str(&t->service_id, "svc");
    pb_str(&t->node_id, node);
    t->slot = 1;
    t->desired_state = PB__TASK_STATE__TASK_STATE_RUNNING;
    t->spec = PB_NEW(TaskSpec, task_spec);
    t->spec->runtime_case = PB__TASK_SPEC__RUNTIME_CONTAINER;
    Pb__ContainerSpec *c = t->spec->container = PB_NEW(ContainerSpec, container_spec);
    if (secret) {
        Pb__SecretReference *r = PB_NEW(SecretReference, secret_reference);
        pb_str(&r->secret_id, secret);
        PB_PUSH(c->n_secrets, c->secrets, r);
    }
    if (config) {
        Pb__ConfigReference *r = PB_NEW(ConfigReference, config_reference);
        pb_str(&r->config_id, config);
        PB_PUSH(c->n_configs, c->configs, r);
    }
    task_set_status(t, state, fx.now, NULL, NULL);
    store_create(b, STORE_TASK, t);
    store_propose(fx.store, b, NULL, NULL);
    fixture_run(&fx);
}

static inline void change_task(const char *id, int state, int desired)
{
    struct store_batch *b = store_batch_new(fx.store);
    Pb__Task *t = store_copy(STORE_TASK, store_get(fx.store, STORE_TIP, STORE_TASK, id));
    if (state >= 0)
        task_set_status(t, state, fx.now, NULL, NULL);
    if (desired >= 0)
        t->desired_state = (Pb__TaskState)desired;
    store_update(b, STORE_TASK, t);
    store_propose(fx.store, b, NULL, NULL);
    fixture_run(&fx);
}

static inline void drop(enum store_kind k, const char *id)
{
    struct store_batch *b = store_batch_new(fx.store);
    store_remove(b, k, id);
    store_propose(fx.store, b, NULL, NULL);
    fixture_run(&fx);
}

static inline const Pb__Task *task_now(const char *id)
{
    return store_get(fx.store, STORE_TIP, STORE_TASK, id);
}
#endif
