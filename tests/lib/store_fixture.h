/* lib/store_fixture.h - a store on a fake engine, for the tests of every room that meets in it.
 *
 *   static struct store_fixture fx;
 *   fixture_open(&fx);  ...store_propose(fx.store, b, NULL, NULL); fixture_run(&fx);...
 * fixture_close(&fx);
 *
 * Time stands still until fx.now is moved. fixture_reopen closes and opens the store on the same
 * disk; after a crash only with what was completed. Functions are static inline: a room without a
 * store does not link them. */
#ifndef LIB_STORE_FIXTURE_H
#define LIB_STORE_FIXTURE_H
#include <stdlib.h>

#include "base/mem.h"
#include "base/secret.h"
#include "keys/keyring.h"
#include "keys/sealer.h"
#include "lib/check.h"
#include "lib/fake_log.h"
#include "store/store.h"

struct store_fixture {
    struct fake_log *disk;
    struct keyring *ring;
    struct sealer *sealer;
    struct store *store;
    int64_t now;
};

static inline int64_t fixture_now_(void *arg)
{
    return ((struct store_fixture *)arg)->now;
}

static inline void fixture_must_(int r, const struct err *e)
{
    if (r == 0)
        return;
    fprintf(stderr, "fixture: %s\n", err_text(e));
    abort();
}

static inline void fixture_open(struct store_fixture *fx)
{
    struct err e = {0};
    size_t used, total;
    secret_arena_stats(&used, &total);
    if (total == 0)
        fixture_must_(secret_arena_open(4 << 20, &e), &e);
    *fx = (struct store_fixture){.now = 1700000000000000000};
    fixture_must_(keyring_new_ephemeral(&fx->ring, &e), &e);
    fx->sealer = sealer_new(fx->ring);
    fx->disk = fake_log_new();
    fixture_must_(
        store_open(fake_log_engine(fx->disk), fx->sealer, fixture_now_, fx, &fx->store, &e), &e);
}

static inline void fixture_reopen(struct store_fixture *fx)
{
    struct err e = {0};
    store_close(fx->store);
    fixture_must_(
        store_open(fake_log_engine(fx->disk), fx->sealer, fixture_now_, fx, &fx->store, &e), &e);
}

static inline void fixture_run(struct store_fixture *fx) /* everything proposed becomes durable */
{
    fake_log_run(fx->disk);
}

static inline void fixture_close(struct store_fixture *fx)
{
    store_close(fx->store);
    fake_log_free(fx->disk);
    sealer_free(fx->sealer);
    keyring_free(fx->ring);
}
#endif
