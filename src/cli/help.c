/* cli/help.c - help texts: laid out as the stock CLI lays them out, wrapped at the width of the
 * terminal. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include "base/buf.h"
#include "base/mem.h"
#include "base/str.h"
#include "cli/command.h"

enum {
    HELP_MAX = 1 << 18,
    WRAP_SLOP = 5,   /* a last short word may stand out that far */
    WRAP_LEAST = 24, /* narrower is not worth wrapping */
    PATH_INDENT = 2,
};

/* Cuts the first line off s at a blank, so that it is at most `width` wide, or `slop` more if that
 * ends the text. */
static size_t first_line(const char *s, size_t width, size_t *ret_skip)
{
    size_t n = strlen(s), cut = 0, nl = 0;
    *ret_skip = 0;
    if (width + WRAP_SLOP > n)
        return n;
    for (size_t i = 0; i < width && i < n; i++) {
        if (strchr(" \t\n", s[i]))
            cut = i;
        if (s[i] == '\n')
            nl = i;
    }
    if (nl && nl < cut)
        cut = nl;
    if (!cut)
        return n;
    *ret_skip = 1;
    return cut;
}

static void put_indented(struct buf *b, const char *s, size_t n, size_t indent)
{
    for (size_t i = 0; i < n; i++) {
        buf_char(b, s[i]);
        if (s[i] == '\n')
            buf_printf(b, "%*s", (int)indent, "");
    }
}

static void put_wrapped(struct buf *b, const char *s, size_t indent, size_t width)
{
    if (width < indent + WRAP_LEAST) {
        indent = 16;
        if (width < indent + WRAP_LEAST) {
            put_indented(b, s, strlen(s), indent);
            return;
        }
        buf_printf(b, "\n%*s", (int)indent, "");
    }
    size_t room = width - indent - WRAP_SLOP;
    for (bool more = false; *s; more = true) {
        size_t skip, n = first_line(s, room, &skip);
        if (more)
            buf_printf(b, "\n%*s", (int)indent, "");
        put_indented(b, s, n, indent);
        s += n + skip;
    }
}

static size_t flag_width(const struct flag *f)
{
    return strlen(f->name) + (f->type ? strlen(f->type) + 1 : 0);
}

static void put_flags(struct buf *b, const struct flag *flags, size_t columns)
{
    size_t widest = 0;
    for (const struct flag *f = flags; f->name; f++)
        if (flag_width(f) > widest)
            widest = flag_width(f);
    size_t indent = 8 + widest + 3;
    for (const struct flag *f = flags; f->name; f++) {
        if (!f->help)
            continue;
        if (f->letter)
            buf_printf(b, "  -%c, --%s", f->letter, f->name);
        else
            buf_printf(b, "      --%s", f->name);
        if (f->type)
            buf_printf(b, " %s", f->type);
        buf_printf(b, "%*s", (int)(widest - flag_width(f) + 3), "");
        AUTO_FREE char *text =
            f->def ? mem_printf("%s (default %s)", f->help, f->def) : mem_str(f->help);
        put_wrapped(b, text, indent, columns - 1);
        buf_char(b, '\n');
    }
}

static size_t terminal_columns(void)
{
    struct winsize ws;
    return ioctl(0, TIOCGWINSZ, &ws) == 0 && ws.ws_col ? ws.ws_col : 80;
}

static void put_section(struct buf *b, const struct command *g, enum section sec, const char *title,
                        bool root)
{
    bool any = false;
    size_t widest = 11;
    for (size_t i = 0; g->subs[i]; i++)
        if (strlen(g->subs[i]->name) + 1 > widest)
            widest = strlen(g->subs[i]->name) + 1;
    for (size_t i = 0; g->subs[i]; i++) {
        if (root && g->subs[i]->section != sec)
            continue;
        if (!any)
            buf_printf(b, "\n%s:\n", title);
        any = true;
        buf_printf(b, "  %-*s %s\n", (int)widest, g->subs[i]->name, g->subs[i]->about);
    }
}

static void put_group(struct buf *b, const struct command *g, const char *path, bool root)
{
    if (root) {
        put_section(b, g, SEC_COMMON, "Common Commands", root);
        put_section(b, g, SEC_MANAGE, "Management Commands", root);
        put_section(b, g, SEC_SWARM, "Swarm Commands", root);
    }
    put_section(b, g, SEC_PLAIN, "Commands", root);
    if (root) {
        buf_str(b, "\nGlobal Options:\n");
        put_flags(b, g->flags, terminal_columns());
    }
    buf_printf(b, "\nRun '%s COMMAND --help' for more information on a command.\n", path);
}

/* Help and usage of a leaf speak of the path that was typed; groups show only the word COMMAND. */
static void put_usage(struct buf *b, const struct command *cmd, const char *path)
{
    if (cmd->subs)
        buf_printf(b, "Usage:  %s %sCOMMAND\n", path, str_eq(path, "keep") ? "[OPTIONS] " : "");
    else
        buf_printf(b, "Usage:  %s%s%s\n", path, str_empty(cmd->usage) ? "" : " ",
                   str_or(cmd->usage, ""));
}

static bool any_flag_shown(const struct flag *f)
{
    for (; f && f->name; f++)
        if (f->help)
            return true;
    return false;
}

void help_print(const struct cli *c, const struct command *cmd, const char *path, bool to_stderr)
{
    AUTO_BUF struct buf b = BUF_INIT(HELP_MAX);
    put_usage(&b, cmd, path);
    buf_printf(&b, "\n%s\n", cmd->about);
    if (cmd->more)
        buf_printf(&b, "\n%s\n", cmd->more);
    if (cmd->paths)
        buf_printf(&b, "\nAliases:\n%*s%s\n", PATH_INDENT, "", cmd->paths);
    if (!cmd->subs && any_flag_shown(cmd->flags)) {
        buf_str(&b, "\nOptions:\n");
        put_flags(&b, cmd->flags, terminal_columns());
    }
    if (cmd->subs)
        put_group(&b, cmd, path, cmd == c->root);
    fputs(b.p, to_stderr ? stderr : stdout);
}

void usage_hint(const struct command *cmd, const char *path)
{
    if (str_eq(path, "keep"))
        fprintf(stderr, "\nUsage:  keep [OPTIONS] COMMAND [ARG...]\n");
    else
        fprintf(stderr, "\nUsage:  %s%s%s\n", path, str_empty(cmd->usage) ? "" : " ",
                str_or(cmd->usage, ""));
    fprintf(stderr, "\nRun '%s --help' for more information\n", path);
}
