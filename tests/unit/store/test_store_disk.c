/* unit/store/test_store_disk.c - what the store does with its disk: failures, payloads, restarts,
 * damage; and misuse. */
#include "lib/check.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "unit/store/store_test.h"

/* ---- misuse ---- */

static void propose_nothing(void)
{
    store_propose(fx.store, store_batch_new(fx.store), NULL, NULL);
}

static void create_twice(void)
{
    propose_create(STORE_SECRET, secret("a1", "two"), NULL);
}

static void take_a_name(void)
{
    propose_create(STORE_SECRET, secret("a2", "ONE"), NULL);
}

static void remove_nothing(void)
{
    propose_remove(STORE_SECRET, "nothing");
}

static void payload_in_object(void)
{
    Pb__Secret *s = secret("a3", "three");
    s->spec->data = (ProtobufCBinaryData){.len = 1, .data = mem_dup("x", 1)};
    propose_create(STORE_SECRET, s, NULL);
}

static void payload_of_nothing(void)
{
    struct store_batch *b = store_batch_new(fx.store);
    store_put_payload(b, "nothing", "x", 1);
    store_propose(fx.store, b, NULL, NULL);
}

static bool aborts(void (*fn)(void))
{
    int status = 0;
    fflush(stdout);
    pid_t pid = fork();
    if (pid == 0) {
        struct rlimit none = {0, 0};
        setrlimit(RLIMIT_CORE, &none);
        if (!freopen("/dev/null", "w", stderr))
            _exit(2);
        fn();
        _exit(0);
    }
    return waitpid(pid, &status, 0) == pid && WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT;
}

static void breaking_the_contract_ends_the_process(void)
{
    propose_create(STORE_SECRET, secret("a1", "one"), NULL);
    EXPECT(aborts(create_twice));
    EXPECT(aborts(take_a_name));
    EXPECT(aborts(remove_nothing));
    EXPECT(aborts(payload_in_object));
    EXPECT(aborts(payload_of_nothing));
    fixture_run(&fx);
    EXPECT(aborts(create_twice));
    EXPECT(!aborts(propose_nothing));
}

/* ---- failure ---- */

static void a_failed_batch_takes_itself_and_all_later_ones_back(void)
{
    struct outcome o[4] = {0};
    propose_create(STORE_SECRET, secret("a1", "one"), &o[0]);
    fixture_run(&fx);
    fake_log_fail(fx.disk, -ENOSPC, "no space left on the disk", 1);
    propose_rename_label("a1", &o[1]);
    propose_create(STORE_SECRET, secret("a2", "two"), &o[2]);
    struct store_batch *b = store_batch_new(fx.store);
    store_remove(b, STORE_SECRET, "a1");
    store_propose(fx.store, b, on_done, &o[3]);
    EXPECT_INT(store_index(fx.store, STORE_TIP), 4);
    fixture_run(&fx);
    for (int i = 1; i < 4; i++) {
        EXPECT(o[i].calls == 1 && o[i].r == -ENOSPC && o[i].order == i + 1);
        EXPECT(strstr(o[i].text, "no space") != NULL);
    }
    EXPECT(tip("a1") == committed("a1") && tip("a1") && !tip("a1")->internal);
    EXPECT(tip("a2") == NULL && store_by_name(fx.store, STORE_TIP, STORE_SECRET, "two") == NULL);
    EXPECT_INT(store_index(fx.store, STORE_TIP), 1);
    EXPECT_INT(store_count(fx.store, STORE_TIP, STORE_SECRET), 1);
    /* and the store goes on */
    EXPECT_INT(propose_create(STORE_SECRET, secret("a2", "two"), &o[0]), 2);
    fixture_run(&fx);
    EXPECT(o[0].r == 0 && committed("a2") != NULL);
}

static void propose_again(void *arg, int r, const struct err *e)
{
    (void)e;
    if (r < 0)
        propose_create(STORE_SECRET, secret("a1", "one"), arg);
}

static void who_is_told_of_a_failure_may_propose_again_from_there(void)
{
    struct outcome o = {0};
    fake_log_fail(fx.disk, -ENOSPC, "full", 1);
    struct store_batch *b = store_batch_new(fx.store);
    store_create(b, STORE_SECRET, secret("a1", "one"));
    store_propose(fx.store, b, propose_again, &o);
    fixture_run(&fx);
    EXPECT(o.calls == 1 && o.r == 0 && committed("a1") != NULL);
}

/* ---- payloads ---- */

static void put_secret(const char *id, const char *name, const char *payload)
{
    struct store_batch *b = store_batch_new(fx.store);
    store_create(b, STORE_SECRET, secret(id, name));
    store_put_payload(b, id, payload, strlen(payload));
    store_propose(fx.store, b, NULL, NULL);
}

static bool payload_is(const char *id, const char *want)
{
    AUTO_SECRET struct secret_buf *s = NULL;
    return store_payload(fx.store, id, &s, NULL) == 0 && secret_buf_len(s) == strlen(want) &&
           memcmp(secret_buf_bytes(s), want, strlen(want)) == 0;
}

static void a_payload_is_kept_sealed_and_goes_with_its_secret(void)
{
    struct secret_buf *s = NULL;
    struct err e = {0};
    put_secret("a1", "database-password", "hunter2");
    EXPECT_INT(store_payload(fx.store, "a1", &s, &e), -ENOENT);
    fixture_run(&fx);
    EXPECT(payload_is("a1", "hunter2"));
    for (size_t i = 0; i < fake_log_count(fx.disk); i++) {
        struct log_record *r = fake_log_record(fx.disk, i);
        EXPECT(memmem(r->bytes, r->len, "hunter2", 7) == NULL);
        EXPECT(memmem(r->bytes, r->len, "database-password", 17) == NULL);
    }
    EXPECT_INT(fake_log_count(fx.disk), 2);
    propose_remove(STORE_SECRET, "a1");
    fixture_run(&fx);
    EXPECT_INT(fake_log_count(fx.disk), 0);
    EXPECT_INT(store_payload(fx.store, "a1", &s, &e), -ENOENT);
}

static void a_payload_is_replaced_by_the_next(void)
{
    put_secret("a1", "db", "first");
    fixture_run(&fx);
    struct store_batch *b = store_batch_new(fx.store);
    store_update(b, STORE_SECRET, store_copy(STORE_SECRET, tip("a1")));
    store_put_payload(b, "a1", "second", 6);
    propose_create(STORE_SECRET, secret("a2", "between"),
                   NULL); /* the index moves on after sealing */
    store_propose(fx.store, b, NULL, NULL);
    fixture_run(&fx);
    EXPECT(payload_is("a1", "second"));
    fixture_reopen(&fx);
    EXPECT(payload_is("a1", "second"));
}

/* ---- restart and damage ---- */

static void a_restart_keeps_everything(void)
{
    char list[128] = "";
    put_secret("a1", "db", "hunter2");
    propose_create(STORE_TASK, task("t1", "s1", "n1"), NULL);
    propose_create(STORE_SECRET, secret("gone", "gone"), NULL);
    propose_remove(STORE_SECRET, "gone");
    fixture_run(&fx);
    fixture_reopen(&fx);
    EXPECT_INT(store_index(fx.store, STORE_COMMITTED), 4);
    EXPECT_INT(store_index(fx.store, STORE_TIP), 4);
    EXPECT(committed("a1") == tip("a1") && committed("a1"));
    EXPECT_STR(store_object_name(STORE_SECRET, committed("a1")), "db");
    EXPECT_INT(committed("a1")->meta->version->index, 1);
    EXPECT(committed("gone") == NULL);
    EXPECT(store_by_name(fx.store, STORE_TIP, STORE_SECRET, "DB") == tip("a1"));
    store_each_task_of_node(fx.store, STORE_TIP, "n1", add_id, list);
    EXPECT_STR(list, "t1 ");
    EXPECT(payload_is("a1", "hunter2"));
    EXPECT_INT(propose_create(STORE_SECRET, secret("a5", "x"), NULL), 5);
}

static void a_crash_loses_what_was_not_completed_and_nothing_else(void)
{
    struct outcome kept = {0}, lost = {0};
    propose_create(STORE_SECRET, secret("a1", "one"), &kept);
    fixture_run(&fx);
    propose_create(STORE_SECRET, secret("a2", "two"), &lost);
    fake_log_crash(fx.disk);
    fixture_reopen(&fx);
    EXPECT(kept.calls == 1 && kept.r == 0 && committed("a1"));
    EXPECT(lost.r == -EIO && committed("a2") == NULL && tip("a2") == NULL);
    EXPECT_INT(store_index(fx.store, STORE_TIP), 1);
}

static int try_open(struct err *e)
{
    struct store *s = NULL;
    int r = store_open(fake_log_engine(fx.disk), fx.sealer, fixture_now_, &fx, &s, e);
    if (r == 0)
        store_close(s);
    return r;
}

static void every_flipped_bit_of_a_record_is_refused_with_words(void)
{
    put_secret("a1", "db", "hunter2");
    fixture_run(&fx);
    store_close(fx.store);
    for (size_t i = 0; i < 2; i++) {
        struct log_record *r = fake_log_record(fx.disk, i);
        uint8_t *p = (uint8_t *)(uintptr_t)r->bytes;
        for (size_t bit = 0; bit < r->len * 8; bit++) {
            struct err e = {0};
            p[bit / 8] ^= (uint8_t)(1 << bit % 8);
            if (r->op == LOG_PUT_OBJECT) {
                EXPECT_INT(try_open(&e), -EBADMSG);
            } else {
                struct store *s = NULL;
                AUTO_SECRET struct secret_buf *out = NULL;
                REQUIRE(store_open(fake_log_engine(fx.disk), fx.sealer, fixture_now_, &fx, &s,
                                   &e) == 0);
                EXPECT_INT(store_payload(s, "a1", &out, &e), -EBADMSG);
                EXPECT(out == NULL);
                store_close(s);
            }
            EXPECT(*err_text(&e) && strstr(err_text(&e), "a1"));
            p[bit / 8] ^= (uint8_t)(1 << bit % 8);
        }
    }
    struct err e = {0};
    REQUIRE(store_open(fake_log_engine(fx.disk), fx.sealer, fixture_now_, &fx, &fx.store, &e) == 0);
}

static void records_do_not_open_in_each_others_place(void)
{
    propose_create(STORE_SECRET, secret("a1", "one"), NULL);
    propose_create(STORE_SECRET, secret("a2", "two"), NULL);
    fixture_run(&fx);
    store_close(fx.store);
    struct log_record *x = fake_log_record(fx.disk, 0), *y = fake_log_record(fx.disk, 1);
    struct err e = {0};
    const char *id = x->id; /* the labels are swapped, the bytes stay */
    x->id = y->id, y->id = id;
    EXPECT_INT(try_open(&e), -EBADMSG);
    y->id = x->id, x->id = id;
    x->index++;
    EXPECT_INT(try_open(&e), -EBADMSG);
    x->index--;
    x->kind = STORE_CONFIG;
    EXPECT_INT(try_open(&e), -EBADMSG);
    x->kind = 99;
    EXPECT_INT(try_open(&e), -EBADMSG);
    x->kind = STORE_SECRET;
    REQUIRE(store_open(fake_log_engine(fx.disk), fx.sealer, fixture_now_, &fx, &fx.store, &e) == 0);
}

static int64_t no_time(void *arg)
{
    (void)arg;
    return 0;
}

static void another_keyring_does_not_open_the_store(void)
{
    struct keyring *ring = NULL;
    struct err e = {0};
    propose_create(STORE_SECRET, secret("a1", "one"), NULL);
    fixture_run(&fx);
    store_close(fx.store);
    REQUIRE(keyring_new_ephemeral(&ring, &e) == 0);
    struct sealer *other = sealer_new(ring);
    struct store *s = NULL;
    EXPECT_INT(store_open(fake_log_engine(fx.disk), other, no_time, NULL, &s, &e), -EBADMSG);
    EXPECT(s == NULL && *err_text(&e));
    sealer_free(other);
    keyring_free(ring);
    REQUIRE(store_open(fake_log_engine(fx.disk), fx.sealer, fixture_now_, &fx, &fx.store, &e) == 0);
}

static void closing_finishes_what_is_on_its_way(void)
{
    struct outcome o[3] = {0};
    propose_create(STORE_SECRET, secret("a1", "one"), &o[0]);
    propose_create(STORE_SECRET, secret("a2", "two"), &o[1]);
    struct store_batch *unused = store_batch_new(fx.store);
    store_create(unused, STORE_SECRET, secret("a3", "three"));
    store_batch_free(unused);
    fixture_reopen(&fx);
    EXPECT(o[0].calls == 1 && o[0].r == 0 && o[1].calls == 1 && o[1].r == 0);
    EXPECT(committed("a1") && committed("a2") && !committed("a3"));
}

/* ---- a long random history against a plain model ---- */

enum { IDS = 12 };
struct model {
    bool there[IDS], flag[IDS];
};

static void random_histories_agree_with_a_model(void)
{
    unsigned seed = 12345;
    struct model durable = {0}, now = {0};
    for (int i = 0; i < 4000; i++) {
        unsigned x = (unsigned)rand_r(&seed), k = x % IDS;
        char id[4] = {'k', (char)('a' + k), 0};
        if (x / 16 % 8 == 0) { /* let the disk answer, at times with a failure */
            bool bad = x / 128 % 4 == 0;
            if (bad)
                fake_log_fail(fx.disk, -ENOSPC, "full", 1);
            bool waited = fake_log_waiting(fx.disk);
            fake_log_run(fx.disk);
            fake_log_fail(fx.disk, 0, "", 0);
            if (waited && bad)
                now = durable;
            else
                durable = now;
        } else if (!now.there[k]) {
            propose_create(STORE_SECRET, secret(id, id), NULL);
            now.there[k] = true, now.flag[k] = false;
        } else if (x / 128 % 2) {
            propose_remove(STORE_SECRET, id);
            now.there[k] = false;
        } else {
            propose_rename_label(id, NULL);
            now.flag[k] = !now.flag[k];
        }
        for (unsigned j = 0; j < IDS; j++) {
            char jd[4] = {'k', (char)('a' + j), 0};
            const Pb__Secret *t = tip(jd), *c = committed(jd);
            REQUIRE((t != NULL) == now.there[j] && (!t || t->internal == now.flag[j]));
            REQUIRE((c != NULL) == durable.there[j] && (!c || c->internal == durable.flag[j]));
            REQUIRE(store_by_name(fx.store, STORE_TIP, STORE_SECRET, jd) == t);
            REQUIRE(store_by_name(fx.store, STORE_COMMITTED, STORE_SECRET, jd) == c);
        }
    }
}

int main(void)
{
    STORE_TEST(breaking_the_contract_ends_the_process);
    STORE_TEST(a_failed_batch_takes_itself_and_all_later_ones_back);
    STORE_TEST(who_is_told_of_a_failure_may_propose_again_from_there);
    STORE_TEST(a_payload_is_kept_sealed_and_goes_with_its_secret);
    STORE_TEST(a_payload_is_replaced_by_the_next);
    STORE_TEST(a_restart_keeps_everything);
    STORE_TEST(a_crash_loses_what_was_not_completed_and_nothing_else);
    STORE_TEST(every_flipped_bit_of_a_record_is_refused_with_words);
    STORE_TEST(records_do_not_open_in_each_others_place);
    STORE_TEST(another_keyring_does_not_open_the_store);
    STORE_TEST(closing_finishes_what_is_on_its_way);
    STORE_TEST(random_histories_agree_with_a_model);
    return check_done();
}
