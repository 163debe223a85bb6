/* dispatcher/assignment.c - see dispatcher/assignment.h.
 *
 * Each live task holds a count of one on every secret and config that it names; an object is with
 * the node as long as its count is above 0. */
#include "dispatcher/assignment.h"

#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/str.h"
#include "model/pb.h"
#include "model/task.h"

struct sent_task {
    int desired;
    bool live; /* it holds counts on these */
    char **secrets, **configs;
};
struct sent_object {
    size_t count;
    int64_t version; /* that the node has; NOT_SENT: it does not have it */
};
enum { NOT_SENT = -1 };

static void task_free(struct sent_task *t)
{
    strv_free(t->secrets);
    strv_free(t->configs);
    free(t);
}

static void objects_clear(struct idmap *m)
{
    IDMAP_EACH(m, it)
    free(it->p);
    idmap_clear(m);
}

void assignment_sent_clear(struct assignment_sent *s)
{
    IDMAP_EACH(&s->tasks, it)
    task_free(it->p);
    idmap_clear(&s->tasks);
    objects_clear(&s->secrets);
    objects_clear(&s->configs);
    idmap_clear(&s->touched_tasks);
    idmap_clear(&s->touched_secrets);
    idmap_clear(&s->touched_configs);
    s->begun = false;
}

bool assignment_has_secret(const struct assignment_sent *s, const char *id)
{
    const struct idmap_entry *e = idmap_get(&s->secrets, id);

    return e && ((const struct sent_object *)e->p)->version != NOT_SENT;
}

bool assignment_has_task(const struct assignment_sent *s, const char *id)
{
    return idmap_get(&s->tasks, id) != NULL;
}

static void push(struct assignment_list *l, const void *object)
{
    if ((l->n & (l->n - 1)) == 0)
        l->v = mem_grow(l->v, l->n ? l->n * 2 : 1, sizeof *l->v);
    l->v[l->n++] = object;
}

static bool take_out(struct assignment_list *l, enum store_kind k, const char *id)
{
    for (size_t i = 0; i < l->n; i++) {
        if (!str_eq(store_object_id(k, l->v[i]), id))
            continue;
        memmove(l->v + i, l->v + i + 1, (l->n - i - 1) * sizeof *l->v);
        l->n--;
        return true;
    }
    return false;
}

static bool is_assigned(const Pb__Task *t)
{
    return task_state(t) >= TASK_ASSIGNED;
}

/* May it still want its secrets? */
static bool is_live(const Pb__Task *t)
{
    return is_assigned(t) && task_state(t) <= TASK_RUNNING;
}

/* ---- counting ---- */
struct look {
    const struct store *s;
    const char *node_id;
    struct assignment_sent *sent;
    struct assignment_plan *plan;
};

static void hold(struct idmap *objects, struct idmap *touched, char ***held, const char *id)
{
    if (str_empty(id))
        return;
    struct idmap_entry *e = idmap_put(objects, id);
    if (!e->p) {
        struct sent_object *o = NEW(struct sent_object);
        o->version = NOT_SENT;
        e->p = o;
    }
    ((struct sent_object *)e->p)->count++;
    idmap_put(touched, id);
    strv_push(held, mem_str(id));
}

static void let_go(struct idmap *objects, struct idmap *touched, char ***held)
{
    for (char **id = *held; id && *id; id++) {
        struct idmap_entry *e = idmap_get(objects, *id);
        if (e)
            ((struct sent_object *)e->p)->count--;
        idmap_put(touched, *id);
    }
    strv_free(TAKE(*held));
}

static void hold_all(struct assignment_sent *x, struct sent_task *st, const Pb__Task *t)
{
    const Pb__ContainerSpec *c = task_container(t);

    for (size_t i = 0; c && i < c->n_secrets; i++)
        hold(&x->secrets, &x->touched_secrets, &st->secrets, c->secrets[i]->secret_id);
    for (size_t i = 0; c && i < c->n_configs; i++)
        hold(&x->configs, &x->touched_configs, &st->configs, c->configs[i]->config_id);
    for (size_t i = 0; t->spec && i < t->spec->n_resource_references; i++) {
        const Pb__ResourceReference *r = t->spec->resource_references[i];
        if (r->resource_type == PB__RESOURCE_TYPE__RESOURCE_TYPE_SECRET)
            hold(&x->secrets, &x->touched_secrets, &st->secrets, r->resource_id);
        else if (r->resource_type == PB__RESOURCE_TYPE__RESOURCE_TYPE_CONFIG)
            hold(&x->configs, &x->touched_configs, &st->configs, r->resource_id);
    }
    st->live = true;
}

static void let_go_all(struct assignment_sent *x, struct sent_task *st)
{
    let_go(&x->secrets, &x->touched_secrets, &st->secrets);
    let_go(&x->configs, &x->touched_configs, &st->configs);
    st->live = false;
}

static int one_task(const void *object, void *arg)
{
    const Pb__Task *t = object;
    struct look *l = arg;

    if (!is_assigned(t))
        return 0;
    struct idmap_entry *e = idmap_put(&l->sent->tasks, t->id);
    struct sent_task *st = e->p;
    bool known = st != NULL;
    if (!known)
        e->p = st = NEW(struct sent_task);
    /* A task never changes but for what is wanted of it. */
    if (!known || st->desired != (int)t->desired_state)
        push(&l->plan->tasks, t);
    st->desired = (int)t->desired_state;
    if (is_live(t) && !st->live)
        hold_all(l->sent, st, t);
    else if (!is_live(t) && st->live)
        let_go_all(l->sent, st);
    return 0;
}

static void forget_task(struct assignment_sent *x, const char *id)
{
    struct idmap_entry *e = idmap_get(&x->tasks, id);

    let_go_all(x, e->p);
    task_free(e->p);
    idmap_del(&x->tasks, id);
}

static void touched_task(struct look *l, const char *id)
{
    const Pb__Task *t = STORE_GET(l->s, STORE_COMMITTED, TASK, Task, id);

    if (t && is_assigned(t) && str_eq(str_or(t->node_id, ""), l->node_id)) {
        one_task(t, l);
    } else if (idmap_get(&l->sent->tasks, id)) {
        strv_push(&l->plan->gone_tasks, mem_str(id));
        forget_task(l->sent, id);
    }
}

/* Counts are settled: what has to come and what has to go. An object that is not in the store any
 * more cannot be sent; the task that names it says so when it starts. */
static void settle(struct look *l, enum store_kind k)
{
    bool secret = k == STORE_SECRET;
    struct idmap *objects = secret ? &l->sent->secrets : &l->sent->configs;
    struct idmap *touched = secret ? &l->sent->touched_secrets : &l->sent->touched_configs;

    IDMAP_EACH(touched, it)
    {
        struct idmap_entry *e = idmap_get(objects, it->key);
        if (!e)
            continue;
        struct sent_object *o = e->p;
        const void *object = store_get(l->s, STORE_COMMITTED, k, it->key);
        const Pb__Meta *m = object ? store_object_meta(k, object) : NULL;
        int64_t version = m ? (int64_t)pb_version(m->version) : 0;
        if (o->count && object && o->version != version) {
            push(secret ? &l->plan->secrets : &l->plan->configs, object);
            o->version = version;
        } else if ((!o->count || !object) && o->version != NOT_SENT) {
            strv_push(secret ? &l->plan->gone_secrets : &l->plan->gone_configs, mem_str(it->key));
            o->version = NOT_SENT;
        }
        if (!o->count) {
            free(o);
            idmap_del(objects, it->key);
        }
    }
    idmap_clear(touched);
}

void assignment_plan(const struct store *s, const char *node_id, struct assignment_sent *sent,
                     struct assignment_plan *ret)
{
    struct look l = {.s = s, .node_id = node_id, .sent = sent, .plan = ret};

    *ret = (struct assignment_plan){0};
    if (!sent->begun)
        store_each_task_of_node(s, STORE_COMMITTED, node_id, one_task, &l);
    else
        IDMAP_EACH(&sent->touched_tasks, it)
    touched_task(&l, it->key);
    sent->begun = true;
    idmap_clear(&sent->touched_tasks);
    settle(&l, STORE_SECRET);
    settle(&l, STORE_CONFIG);
}

bool assignment_plan_empty(const struct assignment_plan *p)
{
    return p->tasks.n + p->secrets.n + p->configs.n == 0 && !p->gone_tasks && !p->gone_secrets &&
           !p->gone_configs;
}

void assignment_plan_done(struct assignment_plan *p)
{
    free(p->tasks.v);
    free(p->secrets.v);
    free(p->configs.v);
    strv_free(p->gone_tasks);
    strv_free(p->gone_secrets);
    strv_free(p->gone_configs);
    *p = (struct assignment_plan){0};
}

/* Objects of this kind that nobody needs once the failed tasks are out: those of this plan leave
 * it, those that the node has are withdrawn. */
static void drop_unneeded(struct assignment_plan *p, struct assignment_sent *sent,
                          enum store_kind k)
{
    bool secret = k == STORE_SECRET;
    struct idmap *objects = secret ? &sent->secrets : &sent->configs;
    struct idmap *touched = secret ? &sent->touched_secrets : &sent->touched_configs;

    IDMAP_EACH(touched, it)
    {
        struct idmap_entry *e = idmap_get(objects, it->key);
        struct sent_object *o = e ? e->p : NULL;
        if (!o || o->count)
            continue;
        if (!take_out(secret ? &p->secrets : &p->configs, k, it->key) && o->version != NOT_SENT)
            strv_push(secret ? &p->gone_secrets : &p->gone_configs, mem_str(it->key));
        free(o);
        idmap_del(objects, it->key);
    }
    idmap_clear(touched);
}

void assignment_plan_without(struct assignment_plan *p, struct assignment_sent *sent,
                             const Pb__Secret *secret, struct assignment_list *failed)
{
    size_t kept = 0;
    struct idmap_entry *e = idmap_get(&sent->secrets, secret->id);

    take_out(&p->secrets, STORE_SECRET, secret->id);
    if (e)
        ((struct sent_object *)e->p)->version = NOT_SENT;
    for (size_t i = 0; i < p->tasks.n; i++) {
        const Pb__Task *t = p->tasks.v[i];
        if (task_state(t) < TASK_STARTING && task_uses_secret(t, secret->id)) {
            push(failed, t);
            forget_task(sent, t->id);
        } else {
            p->tasks.v[kept++] = t;
        }
    }
    p->tasks.n = kept;
    drop_unneeded(p, sent, STORE_SECRET);
    drop_unneeded(p, sent, STORE_CONFIG);
}

static bool task_concerns(const struct store_event *ev)
{
    const Pb__Task *t = ev->object, *before = ev->before;

    if (ev->action != STORE_UPDATE || !before)
        return is_assigned(t);
    return t->desired_state != before->desired_state || is_assigned(t) != is_assigned(before) ||
           is_live(t) != is_live(before);
}

bool assignment_event(struct assignment_sent *sent, const char *node_id,
                      const struct store_event *ev)
{
    bool secret = ev->kind == STORE_SECRET;

    if (ev->kind == STORE_TASK) {
        const Pb__Task *t = ev->object;
        if (!str_eq(str_or(t->node_id, ""), node_id) || !task_concerns(ev))
            return false;
        if (sent->begun)
            idmap_put(&sent->touched_tasks, t->id);
        return true;
    }
    if (!secret && ev->kind != STORE_CONFIG)
        return false;
    const char *id = store_object_id(ev->kind, ev->object);
    if (!idmap_get(secret ? &sent->secrets : &sent->configs, id))
        return false;
    idmap_put(secret ? &sent->touched_secrets : &sent->touched_configs, id);
    return true;
}
