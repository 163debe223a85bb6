/* unit/store/test_store.c - what the store shows: two views, lookups, watchers. */
#include "lib/check.h"

#include <errno.h>

#include "unit/store/store_test.h"

/* ---- views ---- */

static void a_create_is_in_tip_at_once_and_committed_when_durable(void)
{
    struct outcome o = {0};
    EXPECT_INT(propose_create(STORE_SECRET, secret("a1", "db"), &o), 1);
    EXPECT(tip("a1") != NULL && committed("a1") == NULL);
    EXPECT_INT(store_index(fx.store, STORE_TIP), 1);
    EXPECT_INT(store_index(fx.store, STORE_COMMITTED), 0);
    EXPECT_INT(store_count(fx.store, STORE_TIP, STORE_SECRET), 1);
    EXPECT_INT(store_count(fx.store, STORE_COMMITTED, STORE_SECRET), 0);
    EXPECT(store_by_name(fx.store, STORE_TIP, STORE_SECRET, "DB") == tip("a1"));
    EXPECT(store_by_name(fx.store, STORE_COMMITTED, STORE_SECRET, "db") == NULL);
    EXPECT_INT(o.calls, 0);
    EXPECT(fake_log_step(fx.disk));
    EXPECT(committed("a1") != NULL && committed("a1") == tip("a1"));
    EXPECT(store_by_name(fx.store, STORE_COMMITTED, STORE_SECRET, "dB") == committed("a1"));
    EXPECT_INT(store_index(fx.store, STORE_COMMITTED), 1);
    EXPECT(o.calls == 1 && o.r == 0);
}

static void an_object_is_stamped_with_its_index_and_times(void)
{
    propose_create(STORE_SECRET, secret("a1", "db"), NULL);
    fixture_run(&fx);
    const Pb__Meta *m = committed("a1")->meta;
    EXPECT_INT(m->version->index, 1);
    EXPECT_INT(m->created_at->seconds, 1700000000);
    EXPECT_INT(m->updated_at->seconds, 1700000000);
    fx.now += 5000000007;
    propose_create(STORE_SECRET, secret("a2", "other"), NULL);
    EXPECT_INT(propose_rename_label("a1", NULL), 3);
    EXPECT_INT(committed("a1")->meta->version->index, 1);
    EXPECT_INT(tip("a1")->meta->version->index, 3);
    fixture_run(&fx);
    m = committed("a1")->meta;
    EXPECT_INT(m->version->index, 3);
    EXPECT_INT(m->created_at->seconds, 1700000000);
    EXPECT_INT(m->created_at->nanos, 0);
    EXPECT_INT(m->updated_at->seconds, 1700000005);
    EXPECT_INT(m->updated_at->nanos, 7);
    EXPECT_INT(committed("a2")->meta->version->index, 2);
}

static void each_view_keeps_its_own_object_while_an_update_is_on_its_way(void)
{
    propose_create(STORE_SECRET, secret("a1", "db"), NULL);
    fixture_run(&fx);
    const Pb__Secret *old = committed("a1");
    propose_rename_label("a1", NULL);
    propose_rename_label("a1", NULL);
    propose_remove(STORE_SECRET, "a1");
    propose_create(STORE_SECRET, secret("a9", "DB"), NULL); /* the name is free in TIP */
    EXPECT(committed("a1") == old && !old->internal);
    EXPECT(tip("a1") == NULL && tip("a9") != NULL);
    EXPECT(store_by_name(fx.store, STORE_COMMITTED, STORE_SECRET, "db") == old);
    EXPECT(store_by_name(fx.store, STORE_TIP, STORE_SECRET, "db") == tip("a9"));
    fixture_run(&fx);
    EXPECT(committed("a1") == NULL);
    EXPECT(store_by_name(fx.store, STORE_COMMITTED, STORE_SECRET, "db") == committed("a9"));
    EXPECT_INT(store_count(fx.store, STORE_COMMITTED, STORE_SECRET), 1);
}

static int same_as_object(const void *object, const void *packed, size_t n, void *arg)
{
    Pb__Secret *again = pb__secret__unpack(NULL, n, packed);
    const Pb__Secret *s = object;
    EXPECT(again && strcmp(again->id, s->id) == 0 && again->internal == s->internal);
    EXPECT(again && again->meta->version->index == s->meta->version->index);
    pb__secret__free_unpacked(again, NULL);
    ++*(int *)arg;
    return 0;
}

static void the_bytes_of_a_list_follow_every_change(void)
{
    int n = 0;
    propose_create(STORE_SECRET, secret("a", "a"), NULL);
    propose_create(STORE_SECRET, secret("b", "b"), NULL);
    EXPECT_INT(store_each_packed(fx.store, STORE_SECRET, same_as_object, &n), 0);
    EXPECT_INT(n, 0); /* only what is durable */
    fixture_run(&fx);
    store_each_packed(fx.store, STORE_SECRET, same_as_object, &n);
    EXPECT_INT(n, 2);
    Pb__Secret *changed = store_copy(STORE_SECRET, committed("a"));
    changed->internal = true;
    struct store_batch *b = store_batch_new(fx.store);
    store_update(b, STORE_SECRET, changed);
    store_remove(b, STORE_SECRET, "b");
    store_propose(fx.store, b, NULL, NULL);
    fixture_run(&fx);
    n = 0;
    store_each_packed(fx.store, STORE_SECRET, same_as_object, &n);
    EXPECT_INT(n, 1);
    EXPECT(((const Pb__Secret *)committed("a"))->internal);
}

static void what_waits_shares_one_flush(void)
{
    struct outcome o[50] = {0};
    char id[8], name[8];
    for (int i = 0; i < 50; i++) {
        snprintf(id, sizeof id, "i%d", i);
        snprintf(name, sizeof name, "n%d", i);
        propose_create(STORE_SECRET, secret(id, name), &o[i]);
    }
    fixture_run(&fx);
    EXPECT_INT(fake_log_appends(fx.disk), 2); /* the first alone, the rest together */
    for (int i = 0; i < 50; i++)
        EXPECT(o[i].calls == 1 && o[i].r == 0 && o[i].order == i + 1);
}

static void an_empty_batch_is_done_later_and_takes_no_index(void)
{
    struct outcome o = {0}, first = {0};
    store_propose(fx.store, store_batch_new(fx.store), on_done, &o);
    EXPECT_INT(o.calls, 0);
    fixture_run(&fx);
    EXPECT(o.calls == 1 && o.r == 0);
    EXPECT_INT(store_index(fx.store, STORE_TIP), 0);
    EXPECT_INT(fake_log_appends(fx.disk), 0);
    /* behind another it waits for that one */
    propose_create(STORE_SECRET, secret("a", "a"), &first);
    store_propose(fx.store, store_batch_new(fx.store), on_done, &o);
    fixture_run(&fx);
    EXPECT(first.order < o.order);
}

/* ---- order and lookup ---- */

static void lookup_by_prefix_is_in_order_of_id(void)
{
    static const char *const ids[] = {"b2", "ab3", "ab1", "ab", "a", "ac", "ab2x"};
    char list[256] = "";
    for (size_t i = 0; i < sizeof ids / sizeof *ids; i++)
        propose_create(STORE_SECRET, secret(ids[i], ids[i]), NULL);
    propose_remove(STORE_SECRET, "ab1");
    EXPECT_INT(store_each_prefix(fx.store, STORE_TIP, STORE_SECRET, "ab", add_secret_id, list), 0);
    EXPECT_STR(list, "ab ab2x ab3 ");
    fixture_run(&fx);
    list[0] = 0;
    store_each(fx.store, STORE_COMMITTED, STORE_SECRET, add_secret_id, list);
    EXPECT_STR(list, "a ab ab2x ab3 ac b2 ");
    list[0] = 0;
    store_each_prefix(fx.store, STORE_COMMITTED, STORE_SECRET, "abc", add_secret_id, list);
    EXPECT_STR(list, "");
}

static int stop_at_two(const void *object, void *arg)
{
    (void)object;
    return ++*(int *)arg == 2 ? 7 : 0;
}

static void a_walk_stops_when_told(void)
{
    int n = 0;
    for (int i = 0; i < 5; i++) {
        char id[4] = {'a', (char)('0' + i), 0};
        propose_create(STORE_SECRET, secret(id, id), NULL);
    }
    EXPECT_INT(store_each(fx.store, STORE_TIP, STORE_SECRET, stop_at_two, &n), 7);
    EXPECT_INT(n, 2);
}

static int remove_in_walk(const void *object, void *arg)
{
    (void)arg;
    propose_remove(STORE_TASK, store_object_id(STORE_TASK, object));
    return 0;
}

static void a_walk_shows_the_state_at_its_start_whatever_fn_proposes(void)
{
    propose_create(STORE_TASK, task("t1", "s", "n"), NULL);
    propose_create(STORE_TASK, task("t2", "s", "n"), NULL);
    propose_create(STORE_TASK, task("t3", "s", "m"), NULL);
    fixture_run(&fx);
    store_each_task_of_node(fx.store, STORE_TIP, "n", remove_in_walk, NULL);
    EXPECT_INT(store_count(fx.store, STORE_TIP, STORE_TASK), 1);
    store_each(fx.store, STORE_TIP, STORE_TASK, remove_in_walk, NULL);
    EXPECT_INT(store_count(fx.store, STORE_TIP, STORE_TASK), 0);
    fixture_run(&fx);
    EXPECT_INT(store_count(fx.store, STORE_COMMITTED, STORE_TASK), 0);
}

static void tasks_are_found_by_service_and_by_node_in_each_view(void)
{
    char list[128] = "";
    propose_create(STORE_TASK, task("t3", "s1", "n1"), NULL);
    propose_create(STORE_TASK, task("t1", "s1", ""), NULL);
    propose_create(STORE_TASK, task("t2", "s2", "n1"), NULL);
    fixture_run(&fx);
    store_each_task_of_service(fx.store, STORE_COMMITTED, "s1", add_id, list);
    EXPECT_STR(list, "t1 t3 ");
    struct store_batch *b = store_batch_new(fx.store);
    Pb__Task *t = store_copy(STORE_TASK, store_get(fx.store, STORE_TIP, STORE_TASK, "t1"));
    t->node_id = mem_str("n1"); /* what was there is the static empty string */
    store_update(b, STORE_TASK, t);
    store_propose(fx.store, b, NULL, NULL);
    list[0] = 0;
    store_each_task_of_node(fx.store, STORE_TIP, "n1", add_id, list);
    EXPECT_STR(list, "t1 t2 t3 ");
    list[0] = 0;
    store_each_task_of_node(fx.store, STORE_COMMITTED, "n1", add_id, list);
    EXPECT_STR(list, "t2 t3 ");
    fixture_run(&fx);
    list[0] = 0;
    store_each_task_of_node(fx.store, STORE_COMMITTED, "n1", add_id, list);
    EXPECT_STR(list, "t1 t2 t3 ");
    list[0] = 0;
    store_each_task_of_node(fx.store, STORE_COMMITTED, "", add_id, list);
    EXPECT_STR(list, "");
}

/* ---- watching ---- */

static char heard[512];

static void hear(void *arg, const struct store_event *ev)
{
    char line[96];
    snprintf(line, sizeof line, "%s%d:%s@%u%s ", (const char *)arg, (int)ev->action,
             store_object_id(ev->kind, ev->object), (unsigned)ev->index, ev->before ? "+" : "");
    strcat(heard, line);
}

static void whole_batch_is_there(void *arg, const struct store_event *ev)
{
    bool *ok = arg;
    (void)ev;
    *ok = *ok && committed("b1") && committed("b2");
}

static void watchers_hear_each_change_in_order_after_it_is_durable(void)
{
    bool whole = true;
    heard[0] = 0;
    struct store_watch *w = store_watch(fx.store, hear, (void *)(uintptr_t) "");
    propose_create(STORE_SECRET, secret("a1", "one"), NULL);
    propose_rename_label("a1", NULL);
    propose_remove(STORE_SECRET, "a1");
    EXPECT_STR(heard, "");
    fixture_run(&fx);
    EXPECT_STR(heard, "1:a1@1 2:a1@2+ 4:a1@3 ");
    heard[0] = 0;
    store_watch(fx.store, whole_batch_is_there, &whole);
    struct store_batch *b = store_batch_new(fx.store);
    store_create(b, STORE_SECRET, secret("b1", "b1"));
    store_create(b, STORE_SECRET, secret("b2", "b2"));
    store_propose(fx.store, b, NULL, NULL);
    fixture_run(&fx);
    EXPECT_STR(heard, "1:b1@4 1:b2@4 ");
    EXPECT(whole);
    store_unwatch(w);
    propose_create(STORE_SECRET, secret("c", "c"), NULL);
    fixture_run(&fx);
    EXPECT_STR(heard, "1:b1@4 1:b2@4 ");
}

static void a_failed_batch_is_not_heard_of(void)
{
    heard[0] = 0;
    store_watch(fx.store, hear, (void *)(uintptr_t) "");
    fake_log_fail(fx.disk, -EIO, "bad", 1);
    propose_create(STORE_SECRET, secret("a1", "one"), NULL);
    fixture_run(&fx);
    EXPECT_STR(heard, "");
}

static struct store_watch *doomed;

static void unwatch_and_watch(void *arg, const struct store_event *ev)
{
    (void)ev;
    if (*(bool *)arg)
        return;
    *(bool *)arg = true;
    store_unwatch(doomed);
    store_watch(fx.store, hear, (void *)(uintptr_t) "new");
    propose_create(STORE_SECRET, secret("a2", "two"), NULL);
}

static void a_watcher_may_unwatch_watch_and_propose(void)
{
    bool once = false;
    heard[0] = 0;
    store_watch(fx.store, unwatch_and_watch, &once);
    doomed = store_watch(fx.store, hear, (void *)(uintptr_t) "doomed");
    propose_create(STORE_SECRET, secret("a1", "one"), NULL);
    fixture_run(&fx);
    EXPECT_STR(heard, "new1:a2@2 ");
}

int main(void)
{
    STORE_TEST(a_create_is_in_tip_at_once_and_committed_when_durable);
    STORE_TEST(an_object_is_stamped_with_its_index_and_times);
    STORE_TEST(each_view_keeps_its_own_object_while_an_update_is_on_its_way);
    STORE_TEST(the_bytes_of_a_list_follow_every_change);
    STORE_TEST(what_waits_shares_one_flush);
    STORE_TEST(an_empty_batch_is_done_later_and_takes_no_index);
    STORE_TEST(lookup_by_prefix_is_in_order_of_id);
    STORE_TEST(a_walk_stops_when_told);
    STORE_TEST(a_walk_shows_the_state_at_its_start_whatever_fn_proposes);
    STORE_TEST(tasks_are_found_by_service_and_by_node_in_each_view);
    STORE_TEST(watchers_hear_each_change_in_order_after_it_is_durable);
    STORE_TEST(a_failed_batch_is_not_heard_of);
    STORE_TEST(a_watcher_may_unwatch_watch_and_propose);
    return check_done();
}
