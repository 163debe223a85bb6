/* unit/orchestrator/world.h - a store, one orchestrator and obedient nodes, for its tests. */
#ifndef WORLD_H
#define WORLD_H
#include "lib/store_fixture.h"

#include "base/clock.h"
#include "base/str.h"
#include "model/node.h"
#include "model/pb.h"
#include "model/service.h"
#include "model/task.h"
#include "orchestrator/orchestrator.h"

static struct store_fixture fx;
static struct orchestrator *orch;
static struct store_watch *watch;
static int64_t wake;
static unsigned next_id;

static inline void world_id(void *arg, char ret[ID_SIZE])
{
    (void)arg;
    snprintf(ret, ID_SIZE, "t%024u", ++next_id);
}

static inline void world_event(void *arg, const struct store_event *ev)
{
    (void)arg;
    orchestrator_note(orch, fx.store, ev);
}

static inline void world_manager(void)
{
    orch = orchestrator_new();
    orchestrator_set_ids(orch, world_id, NULL);
    watch = store_watch(fx.store, world_event, NULL);
}

static inline void world_open(void)
{
    fixture_open(&fx);
    next_id = 0;
    world_manager();
}

static inline void world_close(void)
{
    orchestrator_free(orch);
    fixture_close(&fx);
}

/* The manager dies and another starts from what is on the disk. */
static inline void world_restart(void)
{
    orchestrator_free(orch);
    fixture_reopen(&fx);
    world_manager();
}

static inline void world_put(enum store_action a, enum store_kind k, void *object)
{
    struct store_batch *b = store_batch_new(fx.store);
    if (a == STORE_CREATE)
        store_create(b, k, object);
    else
        store_update(b, k, object);
    store_propose(fx.store, b, NULL, NULL);
    fixture_run(&fx);
}

static inline void world_drop(enum store_kind k, const char *id)
{
    struct store_batch *b = store_batch_new(fx.store);
    store_remove(b, k, id);
    store_propose(fx.store, b, NULL, NULL);
    fixture_run(&fx);
}

static inline Pb__Node *world_node(const char *id)
{
    Pb__Node *n = PB_NEW(Node, node);
    pb_str(&n->id, id);
    n->spec = PB_NEW(NodeSpec, node_spec);
    n->spec->annotations = PB_NEW(Annotations, annotations);
    n->status = PB_NEW(NodeStatus, node_status);
    n->status->state = PB__NODE_STATUS__STATE__STATE_READY;
    return n;
}

static inline Pb__Service *world_service(const char *id, const char *image, uint64_t replicas)
{
    Pb__Service *s = PB_NEW(Service, service);
    pb_str(&s->id, id);
    s->spec = PB_NEW(ServiceSpec, service_spec);
    s->spec->annotations = PB_NEW(Annotations, annotations);
    pb_str(&s->spec->annotations->name, id);
    s->spec->mode_case = PB__SERVICE_SPEC__MODE_REPLICATED;
    s->spec->replicated = PB_NEW(ReplicatedService, replicated_service);
    s->spec->replicated->replicas = replicas;
    s->spec->task = PB_NEW(TaskSpec, task_spec);
    s->spec->task->runtime_case = PB__TASK_SPEC__RUNTIME_CONTAINER;
    s->spec->task->container = PB_NEW(ContainerSpec, container_spec);
    pb_str(&s->spec->task->container->image, image);
    service_born(s);
    return s;
}

static inline void world_global(Pb__Service *s)
{
    pb_free(s->spec->replicated);
    s->spec->mode_case = PB__SERVICE_SPEC__MODE_GLOBAL;
    s->spec->global = PB_NEW(GlobalService, global_service);
}

static inline Pb__RestartPolicy *world_restart_policy(Pb__ServiceSpec *spec, int condition)
{
    spec->task->restart = PB_NEW(RestartPolicy, restart_policy);
    spec->task->restart->condition = (Pb__RestartPolicy__RestartCondition)condition;
    return spec->task->restart;
}

static inline Pb__Service *service_now(const char *id)
{
    return store_copy(STORE_SERVICE, store_get(fx.store, STORE_TIP, STORE_SERVICE, id));
}

/* A user's update: the same spec but for what edit does to it. */
static inline void world_update(const char *id, void (*edit)(Pb__ServiceSpec *))
{
    Pb__Service *s = service_now(id);
    Pb__ServiceSpec *spec = pb_dup(s->spec);
    edit(spec);
    service_change(s, spec);
    world_put(STORE_UPDATE, STORE_SERVICE, s);
}

/* Passes until nothing changes any more, at the time that it is. How many batches. */
static inline unsigned world_pass(void)
{
    for (unsigned n = 0; n < 100; n++) {
        struct store_batch *b = store_batch_new(fx.store);
        orchestrator_pass(orch, fx.store, fx.now, b, &wake);
        if (store_batch_len(b) == 0) {
            store_batch_free(b);
            return n;
        }
        store_propose(fx.store, b, NULL, NULL);
        fixture_run(&fx);
    }
    return 100;
}

struct tasks {
    const Pb__Task *v[512];
    size_t n;
};

static inline int world_collect(const void *object, void *arg)
{
    struct tasks *t = arg;
    if (t->n < sizeof t->v / sizeof *t->v)
        t->v[t->n++] = object;
    return 0;
}

static inline struct tasks tasks_of(const char *service)
{
    struct tasks t = {.n = 0};
    store_each_task_of_service(fx.store, STORE_TIP, service, world_collect, &t);
    return t;
}

static inline size_t count_tasks(const char *service, int state, int desired) /* -1: any */
{
    struct tasks t = tasks_of(service);
    size_t n = 0;
    for (size_t i = 0; i < t.n; i++)
        n += (state < 0 || task_state(t.v[i]) == state) &&
             (desired < 0 || (int)t.v[i]->desired_state == desired);
    return n;
}

/* The newest task of a slot (of a global service: of slot 0 on that node). */
static inline const Pb__Task *newest(const char *service, uint64_t slot, const char *node)
{
    struct tasks t = tasks_of(service);
    const Pb__Task *best = NULL;
    for (size_t i = 0; i < t.n; i++)
        if (t.v[i]->slot == slot && (!node || str_eq(t.v[i]->node_id, node)))
            best = t.v[i]; /* ids grow */
    return best;
}

static inline void set_task(const Pb__Task *t, int state, const char *node)
{
    Pb__Task *c = store_copy(STORE_TASK, t);
    if (node)
        pb_str(&c->node_id, node);
    if (state >= TASK_ACCEPTED && state <= TASK_REJECTED) {
        Pb__TaskStatus st = PB__TASK_STATUS__INIT;
        st.state = (Pb__TaskState)state;
        if (!task_apply_status(c, &st, "manager", fx.now))
            check_fail(__FILE__, __LINE__, "an illegal move of a test");
        pb_set_time(&c->status->timestamp, fx.now);
    } else {
        task_set_status(c, state, fx.now, NULL, NULL);
    }
    world_put(STORE_UPDATE, STORE_TASK, c);
}

static inline const Pb__Task *task_now(const char *id)
{
    return store_get(fx.store, STORE_TIP, STORE_TASK, id);
}

/* Scheduler and nodes do at once what is wanted. Tasks go to `node` unless they have one. */
static inline void world_obey(const char *service, const char *node)
{
    struct tasks t = tasks_of(service);
    char ids[512][ID_SIZE]; /* objects do not outlive a commit */
    for (size_t i = 0; i < t.n; i++)
        str_copy(ids[i], ID_SIZE, t.v[i]->id);
    for (size_t i = 0; i < t.n; i++) {
        const Pb__Task *now = task_now(ids[i]);
        int state = task_state(now), want = (int)now->desired_state;
        if (task_state_is_final(state))
            continue;
        if (want >= TASK_SHUTDOWN) {
            if (state >= TASK_ASSIGNED)
                set_task(now, TASK_SHUTDOWN, NULL);
        } else if (state < want) {
            if (state < TASK_ASSIGNED)
                set_task(now, TASK_ASSIGNED, str_empty(now->node_id) ? node : NULL);
            set_task(task_now(ids[i]), want, NULL);
        }
    }
}

static inline void world_settle(const char *service, const char *node)
{
    for (int i = 0; i < 50; i++) {
        if (world_pass() == 0 && i > 0)
            break;
        world_obey(service, node);
    }
}
#endif
