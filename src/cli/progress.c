/* cli/progress.c - lines that are redrawn in place. */
#include "cli/progress.h"
#include <errno.h>
#include <string.h>
#include <unistd.h>
#include "base/buf.h"
#include "base/mem.h"
#include "base/str.h"
#include "cli/age.h"
#include "cli/js.h"
#include "cli/term.h"

enum { WIDE = 110, BAR = 50, STATUS_MAX = 4096 };

void lines_init(struct lines *l, FILE *out, bool quiet)
{
    unsigned rows;
    memset(l, 0, sizeof *l);
    l->out = out;
    l->quiet = quiet;
    l->tty = term_size(fileno(out), &rows, &l->columns) && isatty(fileno(out));
}

/* The place of a line, made at first sight. */
static size_t line_place(struct lines *l, const char *name)
{
    for (size_t i = 0; i < l->n; i++)
        if (str_eq(l->names[i], name))
            return i;
    if (l->n == LINES_MAX)
        return l->n - 1;
    str_copy(l->names[l->n], LINE_NAME, name);
    if (l->tty)
        fputc('\n', l->out);
    return l->n++;
}

static void put_bar(struct buf *b, const struct lines *l, const struct line_state *s)
{
    char now[AGE_SIZE], all[AGE_SIZE];
    if (s->current <= 0 && s->total <= 0)
        return;
    if (l->columns > WIDE && s->total > 0) {
        int n = (int)((double)s->current / (double)s->total * 100) / 2;
        n = n > BAR ? BAR : n;
        buf_char(b, '[');
        for (int i = 0; i < n; i++)
            buf_char(b, '=');
        buf_printf(b, ">%*s] ", BAR - n, "");
    }
    if (!s->counts)
        return;
    if (s->total > 0)
        buf_printf(b, "%7s/%s", size_decimal((double)s->current, 4, now),
                   size_decimal((double)s->total, 4, all));
    else
        buf_printf(b, "%7s", size_decimal((double)s->current, 4, now));
}

void lines_draw(struct lines *l, const struct line_state *s)
{
    if (l->quiet)
        return;
    if (!l->tty && (s->current > 0 || s->total > 0))
        return;
    if (!*s->name || s->plain) {
        l->n = 0; /* something else has been printed: the lines above are out of reach */
        fprintf(l->out, "%s%s%s\n", s->name, *s->name ? ": " : "", s->status);
        fflush(l->out);
        return;
    }
    size_t place = line_place(l, s->name), up = l->n - place;
    if (!l->tty) {
        fprintf(l->out, "%s: %s\n", s->name, s->status);
        fflush(l->out);
        return;
    }
    AUTO_BUF struct buf b = BUF_INIT(STATUS_MAX);
    buf_str(&b, "");
    put_bar(&b, l, s);
    fprintf(l->out, "\033[%zuA\033[2K\r%s: %s %s\r\033[%zuB", up, s->name, s->status,
            b.p ? b.p : "", up);
    fflush(l->out);
}

int lines_message(struct cli *c, struct lines *l, json_t *m)
{
    json_t *detail = json_object_get(m, "progressDetail");
    const char *error = js_str(m, "errorDetail.message");
    if (!*error)
        error = js_str(m, "error");
    if (*error)
        return err_set(&c->err, -EIO, "%s", error);
    if (*js_str(m, "stream")) {
        l->n = 0;
        if (!l->quiet)
            fputs(js_str(m, "stream"), l->out);
        fflush(l->out);
        return 0;
    }
    if (json_object_get(m, "aux"))
        return 0;
    struct line_state s = {.name = js_str(m, "id"),
                           .status = js_str(m, "status"),
                           .current = js_int(detail, "current"),
                           .total = js_int(detail, "total"),
                           .counts = !js_bool(detail, "hidecounts"),
                           .plain = !detail};
    lines_draw(l, &s);
    return 0;
}
