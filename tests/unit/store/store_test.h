/* unit/store/store_test.h - secrets and tasks for the tests of the store, and who notes what became
 * of a proposal. */
#ifndef UNIT_STORE_STORE_TEST_H
#define UNIT_STORE_STORE_TEST_H
#include "lib/store_fixture.h"

static struct store_fixture fx;

static inline Pb__Annotations *annotations(const char *name)
{
    Pb__Annotations *a = NEW(Pb__Annotations);
    pb__annotations__init(a);
    a->name = mem_str(name);
    return a;
}

static inline Pb__Secret *secret(const char *id, const char *name)
{
    Pb__Secret *s = NEW(Pb__Secret);
    pb__secret__init(s);
    s->id = mem_str(id);
    s->spec = NEW(Pb__SecretSpec);
    pb__secret_spec__init(s->spec);
    s->spec->annotations = annotations(name);
    return s;
}

static inline Pb__Task *task(const char *id, const char *service, const char *node)
{
    Pb__Task *t = NEW(Pb__Task);
    pb__task__init(t);
    t->id = mem_str(id);
    t->service_id = mem_str(service);
    t->node_id = mem_str(node);
    return t;
}

struct outcome {
    int calls, r, order;
    char text[128];
};
static int order;

static inline void on_done(void *arg, int r, const struct err *e)
{
    struct outcome *o = arg;
    o->calls++;
    o->r = r;
    o->order = ++order;
    snprintf(o->text, sizeof o->text, "%.100s", err_text(e));
}

static inline uint64_t propose_create(enum store_kind k, void *object, struct outcome *o)
{
    struct store_batch *b = store_batch_new(fx.store);
    store_create(b, k, object);
    return store_propose(fx.store, b, o ? on_done : NULL, o);
}

static inline uint64_t propose_rename_label(const char *id, struct outcome *o)
{
    struct store_batch *b = store_batch_new(fx.store);
    Pb__Secret *s = store_copy(STORE_SECRET, store_get(fx.store, STORE_TIP, STORE_SECRET, id));
    s->internal = !s->internal;
    store_update(b, STORE_SECRET, s);
    return store_propose(fx.store, b, o ? on_done : NULL, o);
}

static inline uint64_t propose_remove(enum store_kind k, const char *id)
{
    struct store_batch *b = store_batch_new(fx.store);
    store_remove(b, k, id);
    return store_propose(fx.store, b, NULL, NULL);
}

static inline const Pb__Secret *committed(const char *id)
{
    return STORE_GET(fx.store, STORE_COMMITTED, SECRET, Secret, id);
}

static inline const Pb__Secret *tip(const char *id)
{
    return STORE_GET(fx.store, STORE_TIP, SECRET, Secret, id);
}

static inline int add_id(const void *object, void *arg)
{
    char *list = arg; /* first member of every object's own part is its id, but ask the store */
    const Pb__Task *t = object;
    strcat(list, t->id);
    strcat(list, " ");
    return 0;
}

static inline int add_secret_id(const void *object, void *arg)
{
    strcat(arg, store_object_id(STORE_SECRET, object));
    strcat(arg, " ");
    return 0;
}

static inline void fresh(void (*test)(void), const char *name)
{
    fixture_open(&fx);
    order = 0;
    check_run(name, test);
    fixture_close(&fx);
}
#define STORE_TEST(fn) fresh(fn, #fn)

#endif
