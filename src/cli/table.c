/* cli/table.c - text with tabs laid out in columns. */
#include "cli/table.h"
#include <stdlib.h>
#include <string.h>
#include "base/mem.h"

enum { COLUMNS_MAX = 64 };

struct line {
    const char *cell[COLUMNS_MAX];
    size_t len[COLUMNS_MAX];
    size_t width[COLUMNS_MAX]; /* of the padded cells */
    size_t n;                  /* cells, the unpadded last one included */
};

size_t text_width(const char *s, size_t n)
{
    size_t w = 0;
    for (size_t i = 0; i < n; i++)
        w += ((unsigned char)s[i] & 0xc0) != 0x80;
    return w;
}

static const char *split_line(const char *p, struct line *l)
{
    for (l->n = 0; l->n < COLUMNS_MAX;) {
        size_t len = strcspn(p, "\t\n");
        if (l->n == COLUMNS_MAX - 1)
            len = strcspn(p, "\n");
        l->cell[l->n] = p;
        l->len[l->n++] = len;
        p += len;
        if (*p != '\t')
            break;
        p++;
    }
    return *p == '\n' ? p + 1 : p;
}

/* Sets the width of column k in the run of lines that starts at `from`; returns the line behind the
 * run. */
static size_t set_width(struct line *lines, size_t n, size_t from, size_t k, size_t least,
                        size_t gap)
{
    size_t to = from, width = least;
    for (; to < n && lines[to].n > k + 1; to++) {
        size_t w = text_width(lines[to].cell[k], lines[to].len[k]) + gap;
        width = w > width ? w : width;
    }
    for (size_t i = from; i < to; i++)
        lines[i].width[k] = width;
    return to > from ? to : from + 1;
}

void table_layout(const char *text, unsigned least, unsigned gap, struct buf *out)
{
    size_t n = 0, count = 1;
    for (const char *p = text; *p; p++)
        count += *p == '\n';
    struct line *lines = mem_array(count, sizeof *lines);
    for (const char *p = text; *p;)
        p = split_line(p, &lines[n++]);
    for (size_t k = 0; k + 1 < COLUMNS_MAX; k++)
        for (size_t i = 0; i < n;)
            i = set_width(lines, n, i, k, least, gap);
    for (size_t i = 0; i < n; i++) {
        struct line *l = &lines[i];
        for (size_t k = 0; k < l->n; k++) {
            buf_append(out, l->cell[k], l->len[k]);
            size_t w = text_width(l->cell[k], l->len[k]);
            if (k + 1 < l->n)
                buf_printf(out, "%*s", (int)(l->width[k] - w), "");
        }
        buf_char(out, '\n');
    }
    free(lines);
}
