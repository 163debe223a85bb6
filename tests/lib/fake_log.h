/* lib/fake_log.h - the store's engine in memory, for simulations: completes, fails and forgets when
 * told.
 *
 *   struct fake_log *disk = fake_log_new();
 *   store_open(fake_log_engine(disk), sealer, now, NULL, &s, &e);
 *   store_propose(s, b, on_done, x);  fake_log_step(disk);     the append is durable, the callbacks
 * run fake_log_crash(disk);  store_close(s);                     what was not completed never
 * happened store_open(fake_log_engine(disk), ...);                    what was is there again
 *
 * What it "wrote" outlives every engine handed out, until fake_log_free. One engine at a time. */
#ifndef LIB_FAKE_LOG_H
#define LIB_FAKE_LOG_H
#include <stdbool.h>
#include "store/log.h"

struct fake_log;
struct fake_log *fake_log_new(void);
void fake_log_free(struct fake_log *f);                 /* its engines must be closed */
struct log_engine *fake_log_engine(struct fake_log *f); /* aborts when one is open */

bool fake_log_waiting(const struct fake_log *f); /* an append is under way */
bool fake_log_step(struct fake_log *f);          /* completes it; false when there is none */
void fake_log_run(struct fake_log *f);           /* steps until nothing is under way */
/* The next `times` appends fail with r (say -ENOSPC) when they are stepped, and leave nothing. */
void fake_log_fail(struct fake_log *f, int r, const char *words, unsigned times);
/* The append under way is dropped with its done: called never, or with -EIO when the store is
 * closed. */
void fake_log_crash(struct fake_log *f);

unsigned fake_log_appends(const struct fake_log *f); /* completed ones, empty ones not counted */
size_t fake_log_count(const struct fake_log *f);     /* records kept, payloads too */
struct log_record *fake_log_record(struct fake_log *f,
                                   size_t i); /* to look at, or to alter: bytes are malloc'ed */
#endif
