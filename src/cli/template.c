/* cli/template.c - reading a template. */
#include "cli/template.h"
#include <ctype.h>
#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include "base/mem.h"
#include "base/str.h"
#include "cli/js.h"
#include "cli/opts.h"
#include "cli/template_impl.h"

struct reader {
    const char *s;
    size_t at, end, close; /* within one action: it ends at `end`, and its "}}" stands at `close` */
    struct err *err;
    unsigned depth;
};

static unsigned line_of(const struct reader *r, size_t pos)
{
    unsigned n = 1;
    for (size_t i = 0; i < pos && r->s[i]; i++)
        n += r->s[i] == '\n';
    return n;
}

#define FAIL(r, ...) fail(r, mem_printf(__VA_ARGS__))
static int fail(struct reader *r, char *what)
{
    (void)err_set(r->err, -EINVAL, "template: :%u: %s", line_of(r, r->at), what);
    free(what);
    return -EINVAL;
}

/* --- freeing --- */

static void pipe_free(struct pipe *p)
{
    if (!p)
        return;
    for (size_t i = 0; i < p->n; i++) {
        struct command_node *c = &p->cmds[i];
        for (size_t k = 0; k < c->n; k++) {
            free(c->args[k].name);
            strv_free(c->args[k].fields);
            free(c->args[k].field_pos);
            pipe_free(c->args[k].paren);
            json_decref(c->args[k].constant);
            free(c->args[k].source);
        }
        free(c->args);
        free(c->source);
    }
    free(p->cmds);
    free(p->vars[0]);
    free(p->vars[1]);
    free(p);
}

static void node_free(struct node *n)
{
    while (n) {
        struct node *next = n->next;
        free(n->text);
        pipe_free(n->pipe);
        node_free(n->body);
        node_free(n->otherwise);
        free(n);
        n = next;
    }
}

void template_free(struct template *t)
{
    if (!t)
        return;
    node_free(t->list);
    free(t->source);
    free(t);
}

/* --- operands --- */

static bool word_char(char ch)
{
    return isalnum((unsigned char)ch) || ch == '_';
}

static void skip_blanks(struct reader *r)
{
    while (r->at < r->end && isspace((unsigned char)r->s[r->at]))
        r->at++;
}

static size_t word_length(const struct reader *r, size_t at)
{
    size_t n = 0;
    while (at + n < r->end && word_char(r->s[at + n]))
        n++;
    return n;
}

static int read_string(struct reader *r, struct operand *o)
{
    char quote = r->s[r->at++];
    AUTO_BUF struct buf b = BUF_INIT(TEMPLATE_MAX);
    buf_str(&b, "");
    for (; r->at < r->end && r->s[r->at] != quote; r->at++) {
        char ch = r->s[r->at];
        if (ch == '\\' && quote != '`' && r->at + 1 < r->end) {
            ch = r->s[++r->at];
            const char *from = "nrt", *to = "\n\r\t", *hit = strchr(from, ch);
            ch = hit && ch ? to[hit - from] : ch;
        }
        buf_char(&b, ch);
    }
    if (r->at >= r->end)
        return FAIL(r,
                    quote == '`' ? "unterminated raw quoted string" : "unterminated quoted string");
    r->at++;
    o->kind = OP_CONST;
    o->constant = quote == '\'' ? js_own(json_integer(b.len ? (unsigned char)*b.p : 0))
                                : js_text(b.p ? b.p : "", b.len);
    return 0;
}

static int read_number(struct reader *r, struct operand *o)
{
    const char *s = r->s + r->at;
    size_t n = 1;
    while (r->at + n < r->end && (word_char(s[n]) || s[n] == '.'))
        n++;
    AUTO_FREE char *text = mem_strn(s, n);
    char *end = text;
    int64_t i;
    double d = strtod(text, &end);
    if (!parse_int(text, 0, &i, NULL))
        o->constant = js_own(json_integer(i));
    else if (!*end && d > -1e300 && d < 1e300)
        o->constant = js_own(json_real(d));
    else
        return FAIL(r, "bad number syntax: \"%s\"", text);
    o->kind = OP_CONST;
    r->at += n;
    return 0;
}

static int read_pipe(struct reader *r, struct pipe **ret, char close);

static int read_word(struct reader *r, struct operand *o)
{
    size_t n = word_length(r, r->at);
    AUTO_FREE char *w = mem_strn(r->s + r->at, n);
    r->at += n;
    o->kind = OP_CONST;
    if (str_eq(w, "true") || str_eq(w, "false")) {
        o->constant = json_boolean(str_eq(w, "true"));
    } else if (str_eq(w, "nil")) {
        o->constant = json_null();
    } else if (fn_known(w)) {
        o->kind = OP_FUNC;
        o->name = TAKE(w);
    } else {
        return FAIL(r, "function \"%s\" not defined", w);
    }
    return 0;
}

static void read_fields(struct reader *r, struct operand *o)
{
    size_t n = 0;
    while (r->at + 1 < r->end && r->s[r->at] == '.' && word_char(r->s[r->at + 1])) {
        size_t len = word_length(r, r->at + 1);
        strv_push(&o->fields, mem_strn(r->s + r->at + 1, len));
        o->field_pos = mem_grow(o->field_pos, n + 1, sizeof *o->field_pos);
        o->field_pos[n++] = r->at;
        r->at += len + 1;
    }
}

static int read_operand(struct reader *r, struct operand *o)
{
    char ch = r->s[r->at];
    int e = 0;
    o->pos = r->at;
    if (ch == '.') {
        o->kind = OP_DOT;
        if (r->at + 1 >= r->end || !word_char(r->s[r->at + 1]))
            r->at++;
    } else if (ch == '$') {
        size_t n = word_length(r, r->at + 1);
        o->kind = OP_VAR;
        o->name = mem_strn(r->s + r->at, n + 1);
        r->at += n + 1;
    } else if (ch == '"' || ch == '`' || ch == '\'') {
        e = read_string(r, o);
    } else if (isdigit((unsigned char)ch) ||
               ((ch == '-' || ch == '+') && isdigit((unsigned char)r->s[r->at + 1]))) {
        e = read_number(r, o);
    } else if (ch == '(') {
        r->at++;
        o->kind = OP_PAREN;
        e = read_pipe(r, &o->paren, ')');
    } else if (word_char(ch)) {
        e = read_word(r, o);
    } else {
        e = FAIL(r, "unexpected \"%c\" in operand", ch);
    }
    if (e)
        return e;
    read_fields(r, o);
    o->source = mem_strn(r->s + o->pos, r->at - o->pos);
    return 0;
}

static int read_command(struct reader *r, struct command_node *c, char close)
{
    c->pos = r->at;
    for (skip_blanks(r); r->at < r->end && r->s[r->at] != '|' && r->s[r->at] != close;
         skip_blanks(r)) {
        if (c->n >= ARGS_MAX)
            return FAIL(r, "too many arguments");
        c->args = mem_grow(c->args, c->n + 1, sizeof *c->args);
        c->args[c->n] = (struct operand){0};
        int e = read_operand(r, &c->args[c->n++]);
        if (e)
            return e;
    }
    if (!c->n)
        return FAIL(r, "missing value for command");
    struct operand *last = &c->args[c->n - 1];
    size_t from = c->args[0].pos, to = last->pos + strlen(last->source);
    c->pos = from;
    c->source = mem_strn(r->s + from, to - from);
    return 0;
}

/* "$v :=" or "$k, $v :=" in front of a pipeline. */
static void read_declaration(struct reader *r, struct pipe *p)
{
    size_t start = r->at;
    while (p->nvars < 2) {
        skip_blanks(r);
        if (r->at >= r->end || r->s[r->at] != '$')
            break;
        size_t n = word_length(r, r->at + 1);
        p->vars[p->nvars++] = mem_strn(r->s + r->at, n + 1);
        r->at += n + 1;
        skip_blanks(r);
        if (r->at < r->end && r->s[r->at] == ',') {
            r->at++;
            continue;
        }
        if (r->at + 1 < r->end && r->s[r->at] == ':' && r->s[r->at + 1] == '=') {
            r->at += 2;
            return;
        }
        if (r->at < r->end && r->s[r->at] == '=') {
            r->at++;
            p->assign = true;
            return;
        }
        break;
    }
    for (p->nvars = 0; start != r->at && (p->vars[0] || p->vars[1]);) {
        free(TAKE(p->vars[0]));
        free(TAKE(p->vars[1]));
    }
    r->at = start;
}

static int read_pipe(struct reader *r, struct pipe **ret, char close)
{
    struct pipe *p = *ret = NEW(struct pipe);
    if (++r->depth > DEPTH_MAX)
        return FAIL(r, "too deep");
    read_declaration(r, p);
    for (;;) {
        p->cmds = mem_grow(p->cmds, p->n + 1, sizeof *p->cmds);
        p->cmds[p->n] = (struct command_node){0};
        int e = read_command(r, &p->cmds[p->n++], close);
        if (e)
            return e;
        if (r->at < r->end && r->s[r->at] == '|') {
            r->at++;
            continue;
        }
        break;
    }
    if (close && (r->at >= r->end || r->s[r->at] != close))
        return FAIL(r, "unclosed left paren");
    r->at += close ? 1 : 0;
    r->depth--;
    return 0;
}

/* --- actions and lists --- */

enum ending { END_EOF, END_END, END_ELSE, END_ELSE_IF };

static bool keyword(struct reader *r, const char *word)
{
    size_t n = strlen(word);
    if (r->at + n > r->end || strncmp(r->s + r->at, word, n) != 0 || word_char(r->s[r->at + n]))
        return false;
    r->at += n;
    return true;
}

/* Where the "}}" of this action stands. Quotes hide one; so does a comment, which has no quotes. */
static int action_end(struct reader *r, size_t *ret)
{
    const char *s = r->s;
    size_t at = r->at;
    char quote = 0;
    if (s[at] == '-' && isspace((unsigned char)s[at + 1]))
        at += 1 + strspn(s + at + 1, " \t\r\n");
    if (strncmp(s + at, "/*", 2) == 0) {
        const char *end = strstr(s + at + 2, "*/");
        if (!end)
            return FAIL(r, "unclosed comment");
        at = (size_t)(end - s) + 2;
        if (isspace((unsigned char)s[at]) && s[at + strspn(s + at, " \t\r\n")] == '-')
            at += strspn(s + at, " \t\r\n") + 1;
        if (strncmp(s + at, "}}", 2) != 0)
            return FAIL(r, "comment ends before closing delimiter");
    }
    for (; s[at] && (quote || strncmp(s + at, "}}", 2) != 0); at++) {
        if (!quote && strchr("\"`'", s[at]))
            quote = s[at];
        else if (quote && s[at] == '\\' && quote != '`' && s[at + 1])
            at++;
        else if (s[at] == quote)
            quote = 0;
    }
    if (!s[at])
        return FAIL(r, !quote         ? "unclosed action"
                       : quote == '`' ? "unterminated raw quoted string"
                       : quote == '"' ? "unterminated quoted string"
                                      : "unterminated character constant");
    *ret = at;
    return 0;
}

static int read_list(struct reader *r, struct node **ret, enum ending *ret_end);

static int read_block(struct reader *r, struct node *n)
{
    enum ending end;
    size_t close = r->close;
    int e = read_pipe(r, &n->pipe, 0);
    if (e)
        return e;
    r->at = close;
    e = read_list(r, &n->body, &end);
    if (!e && end == END_ELSE_IF) {
        n->otherwise = NEW(struct node);
        n->otherwise->kind = ND_IF;
        return read_block(r, n->otherwise);
    }
    if (!e && end == END_ELSE)
        e = read_list(r, &n->otherwise, &end);
    if (!e && end != END_END)
        e = FAIL(r, end == END_EOF ? "unexpected EOF" : "expected end; found {{else}}");
    return e;
}

/* Steps over "}}" (and blanks behind "-}}"). */
static void leave_action(struct reader *r)
{
    bool trim =
        r->at && r->s[r->at - 1] == '-' && r->at >= 2 && isspace((unsigned char)r->s[r->at - 2]);
    r->at += 2;
    while (trim && isspace((unsigned char)r->s[r->at]))
        r->at++;
}

static int read_action(struct reader *r, struct node **ret, enum ending *ret_end, bool *ret_done)
{
    size_t close = 0;
    int e = action_end(r, &close);
    if (e)
        return e;
    r->end = r->close = close;
    if (r->s[r->at] == '-' && isspace((unsigned char)r->s[r->at + 1]))
        r->at++;
    if (close && r->s[close - 1] == '-' && close >= 2 && isspace((unsigned char)r->s[close - 2]))
        r->end--;
    skip_blanks(r);
    struct node *n = NULL;
    if (strncmp(r->s + r->at, "/*", 2) == 0) {
        r->at = close;
    } else if (keyword(r, "end")) {
        *ret_end = END_END;
        *ret_done = true;
    } else if (keyword(r, "else")) {
        skip_blanks(r);
        *ret_end = keyword(r, "if") ? END_ELSE_IF : END_ELSE;
        *ret_done = true;
        if (*ret_end == END_ELSE_IF)
            return 0;
    } else {
        n = *ret = NEW(struct node);
        n->kind = keyword(r, "if")      ? ND_IF
                  : keyword(r, "range") ? ND_RANGE
                  : keyword(r, "with")  ? ND_WITH
                                        : ND_ACTION;
        e = n->kind == ND_ACTION ? read_pipe(r, &n->pipe, 0) : read_block(r, n);
        if (e || n->kind != ND_ACTION)
            return e;
    }
    r->at = close;
    leave_action(r);
    return e;
}

static char *text_before(const struct reader *r, size_t from, size_t to, bool trim)
{
    while (trim && to > from && isspace((unsigned char)r->s[to - 1]))
        to--;
    return mem_strn(r->s + from, to - from);
}

static int read_list(struct reader *r, struct node **ret, enum ending *ret_end)
{
    struct node **tail = ret;
    bool done = false;
    /* a block's head leaves the reader in front of its "}}" */
    if (r->close && r->at == r->close)
        leave_action(r);
    while (!done) {
        const char *open = strstr(r->s + r->at, "{{");
        size_t to = open ? (size_t)(open - r->s) : strlen(r->s);
        bool trim = open && open[2] == '-' && isspace((unsigned char)open[3]);
        if (to > r->at) {
            struct node *text = *tail = NEW(struct node);
            text->text = text_before(r, r->at, to, trim);
            tail = &text->next;
        }
        r->at = to;
        if (!open) {
            *ret_end = END_EOF;
            return 0;
        }
        r->at += 2;
        int e = read_action(r, tail, ret_end, &done);
        if (e)
            return e;
        if (*tail)
            tail = &(*tail)->next;
    }
    return 0;
}

int template_new(const char *text, struct template **ret, struct err *e)
{
    struct template *t = NEW(struct template);
    struct reader r = {.s = text, .err = e};
    enum ending end = END_EOF;
    t->source = mem_str(text);
    int x = strlen(text) > TEMPLATE_MAX ? err_set(e, -EINVAL, "template: too long")
                                        : read_list(&r, &t->list, &end);
    if (!x && end != END_EOF)
        x = FAIL(&r, "unexpected {{%s}}", end == END_END ? "end" : "else");
    if (x) {
        template_free(t);
        return x;
    }
    *ret = t;
    return 0;
}
