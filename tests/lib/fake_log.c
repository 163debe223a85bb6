/* lib/fake_log.c - an engine whose disk is an array. */
#include "lib/fake_log.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"

struct fake_log {
    struct log_engine g; /* first; handed out */
    bool open, waiting, crashed;
    const struct log_entry *entries;
    size_t n;
    void (*done)(void *arg, int r, const struct err *e);
    void *arg;
    struct log_record *kept;
    size_t count, room;
    uint64_t index;
    int fail;
    unsigned fails, appends;
    char words[128];
};

static bool is_payload(const struct log_record *r)
{
    return r->op == LOG_PUT_PAYLOAD || r->op == LOG_DEL_PAYLOAD;
}

static struct log_record *find(struct fake_log *f, const struct log_record *r)
{
    for (size_t i = 0; i < f->count; i++) {
        struct log_record *k = &f->kept[i];
        if (is_payload(k) == is_payload(r) && k->kind == r->kind && strcmp(k->id, r->id) == 0)
            return k;
    }
    return NULL;
}

static void drop(struct fake_log *f, struct log_record *k)
{
    free((void *)(uintptr_t)k->bytes);
    free((void *)(uintptr_t)k->id);
    *k = f->kept[--f->count];
}

static void write_record(struct fake_log *f, const struct log_record *r)
{
    struct log_record *k = find(f, r);
    if (k)
        drop(f, k);
    if (r->op == LOG_DEL_OBJECT || r->op == LOG_DEL_PAYLOAD)
        return;
    if (f->count == f->room) {
        f->room = f->room ? 2 * f->room : 16;
        f->kept = mem_grow(f->kept, f->room, sizeof *f->kept);
    }
    k = &f->kept[f->count++];
    *k = *r;
    k->id = mem_str(r->id);
    k->bytes = mem_dup(r->bytes, r->len);
}

static int fake_load(struct log_engine *g, int (*on_record)(void *arg, const struct log_record *r),
                     void *arg, uint64_t *ret_index, struct err *e)
{
    struct fake_log *f = (struct fake_log *)g;
    (void)e;
    for (size_t i = 0; i < f->count; i++) {
        int r = is_payload(&f->kept[i]) ? 0 : on_record(arg, &f->kept[i]);
        if (r < 0)
            return r;
    }
    *ret_index = f->index;
    return 0;
}

static void fake_append(struct log_engine *g, const struct log_entry *entries, size_t n,
                        void (*done)(void *arg, int r, const struct err *e), void *arg)
{
    struct fake_log *f = (struct fake_log *)g;
    if (f->waiting)
        abort();
    f->waiting = true;
    f->entries = entries;
    f->n = n;
    f->done = done;
    f->arg = arg;
}

static int fake_payload(struct log_engine *g, const char *id, void **ret, size_t *ret_len,
                        uint64_t *ret_index, struct err *e)
{
    struct fake_log *f = (struct fake_log *)g;
    for (size_t i = 0; i < f->count; i++) {
        struct log_record *k = &f->kept[i];
        if (!is_payload(k) || strcmp(k->id, id) != 0)
            continue;
        *ret = mem_dup(k->bytes, k->len);
        *ret_len = k->len;
        *ret_index = k->index;
        return 0;
    }
    return err_set(e, -ENOENT, "the payload of '%s' is not there", id);
}

static void finish(struct fake_log *f, int r, const char *words)
{
    struct err e = {0};
    f->waiting = false;
    if (r < 0)
        err_set(&e, r, "%s", words);
    f->done(f->arg, r, &e);
}

bool fake_log_step(struct fake_log *f)
{
    if (!f->waiting || f->crashed)
        return false;
    if (f->fails > 0 && f->n > 0) {
        f->fails--;
        finish(f, f->fail, f->words);
        return true;
    }
    for (size_t i = 0; i < f->n; i++) {
        if (f->entries[i].index <= f->index)
            abort(); /* the log's index only grows */
        f->index = f->entries[i].index;
        for (size_t j = 0; j < f->entries[i].count; j++)
            write_record(f, &f->entries[i].records[j]);
    }
    f->appends += f->n > 0;
    finish(f, 0, "");
    return true;
}

void fake_log_run(struct fake_log *f)
{
    while (fake_log_step(f))
        ;
}

static void fake_flush(struct log_engine *g)
{
    struct fake_log *f = (struct fake_log *)g;
    if (f->crashed && f->waiting)
        finish(f, -EIO, "the disk is gone");
    else
        fake_log_step(f);
}

static void fake_close(struct log_engine *g)
{
    struct fake_log *f = (struct fake_log *)g;
    fake_flush(g);
    f->open = false;
    f->crashed = false;
}

struct fake_log *fake_log_new(void)
{
    struct fake_log *f = NEW(struct fake_log);
    f->g = (struct log_engine){.load = fake_load,
                               .append = fake_append,
                               .payload = fake_payload,
                               .flush = fake_flush,
                               .close = fake_close};
    return f;
}

void fake_log_free(struct fake_log *f)
{
    if (!f)
        return;
    if (f->open)
        abort();
    while (f->count > 0)
        drop(f, &f->kept[0]);
    free(f->kept);
    free(f);
}

struct log_engine *fake_log_engine(struct fake_log *f)
{
    if (f->open)
        abort();
    f->open = true;
    return &f->g;
}

bool fake_log_waiting(const struct fake_log *f)
{
    return f->waiting;
}

void fake_log_fail(struct fake_log *f, int r, const char *words, unsigned times)
{
    f->fail = r;
    f->fails = times;
    snprintf(f->words, sizeof f->words, "%s", words);
}

void fake_log_crash(struct fake_log *f)
{
    f->crashed = true;
}

unsigned fake_log_appends(const struct fake_log *f)
{
    return f->appends;
}

size_t fake_log_count(const struct fake_log *f)
{
    return f->count;
}

struct log_record *fake_log_record(struct fake_log *f, size_t i)
{
    return &f->kept[i];
}
