/* base/secret_pages.c - boundary tags in an array beside the arena. */
#include "base/secret_pages.h"

#include "base/log.h"
#include "base/mem.h"

enum { BINS = 24, NONE = UINT32_MAX >> 1 };

/* Meaningful at the first and the last page of a run only. */
struct page {
    uint32_t length;
    uint32_t prev, next; /* at the first page of a free run: its neighbours in the bin */
    bool head, tail, taken;
};

static struct page *table;
static uint32_t total;
static uint32_t bin[BINS];

static unsigned bin_of(uint32_t count)
{
    return 31u - (unsigned)__builtin_clz(count);
}

static void mark(uint32_t page, uint32_t count, bool taken)
{
    struct page *first = &table[page], *last = &table[page + count - 1];
    first->length = last->length = count;
    first->taken = last->taken = taken;
    first->head = true;
    last->tail = true;
}

static void unmark(uint32_t page, uint32_t count)
{
    table[page].head = false;
    table[page + count - 1].tail = false;
}

static void link_free(uint32_t page, uint32_t count)
{
    uint32_t *first = &bin[bin_of(count)];
    mark(page, count, false);
    table[page].prev = NONE;
    table[page].next = *first;
    if (*first != NONE)
        table[*first].prev = page;
    *first = page;
}

static void unlink_free(uint32_t page)
{
    struct page *p = &table[page];
    if (p->prev != NONE)
        table[p->prev].next = p->next;
    else
        bin[bin_of(p->length)] = p->next;
    if (p->next != NONE)
        table[p->next].prev = p->prev;
    unmark(page, p->length);
}

void secret_pages_init(size_t pages)
{
    table = mem_array(pages, sizeof(*table));
    total = (uint32_t)pages;
    for (unsigned i = 0; i < BINS; i++)
        bin[i] = NONE;
    link_free(0, total);
}

static uint32_t find(uint32_t count)
{
    /* Runs of this very bin may be too short; those of the bins above never are. */
    for (uint32_t p = bin[bin_of(count)]; p != NONE; p = table[p].next)
        if (table[p].length >= count)
            return p;
    for (unsigned b = bin_of(count) + 1; b < BINS; b++)
        if (bin[b] != NONE)
            return bin[b];
    return NONE;
}

bool secret_pages_take(uint32_t count, uint32_t *ret_page)
{
    if (count == 0 || count > total)
        return false;
    uint32_t page = find(count);
    if (page == NONE)
        return false;
    uint32_t length = table[page].length;
    unlink_free(page);
    if (length > count)
        link_free(page + count, length - count);
    mark(page, count, true);
    *ret_page = page;
    return true;
}

uint32_t secret_pages_run(uint32_t page)
{
    return page < total && table[page].head && table[page].taken ? table[page].length : 0;
}

void secret_pages_give(uint32_t page, uint32_t count)
{
    if (secret_pages_run(page) != count)
        log_abort("pages of secrets freed that were not taken");
    unmark(page, count);
    uint32_t after = page + count;
    if (after < total && table[after].head && !table[after].taken) {
        count += table[after].length;
        unlink_free(after);
    }
    if (page > 0 && table[page - 1].tail && !table[page - 1].taken) {
        uint32_t before = table[page - 1].length;
        page -= before;
        count += before;
        unlink_free(page);
    }
    link_free(page, count);
}
