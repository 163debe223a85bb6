/* cli/template_eval.c - running a template. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include "base/clock.h"
#include "base/mem.h"
#include "base/str.h"
#include "cli/age.h"
#include "cli/js.h"
#include "cli/template_impl.h"

struct val val_own(struct run *r, json_t *j)
{
    json_array_append_new(r->pool, js_own(j));
    return (struct val){.j = j};
}

struct val val_string(struct run *r, const char *s)
{
    return val_own(r, js_text(s, strlen(s)));
}

static int exec_error(struct run *r, size_t pos, const char *at, const char *what)
{
    unsigned line = 1;
    size_t start = 0;
    for (size_t i = 0; i < pos; i++)
        if (r->t->source[i] == '\n') {
            line++;
            start = i + 1;
        }
    return err_set(r->err, -EINVAL, "template: :%u:%zu: executing \"\" at <%s>: %s", line,
                   pos - start, at, what);
}

/* --- fields --- */

/* Members that the engine leaves out when they are not set, and what Go prints for the empty
 * member. */
static const char *nil_text(const char *name)
{
    static const char *const pointers[] = {
        "Driver",       "Templating",     "UpdateStatus", "PreviousSpec", "ManagerStatus",
        "JobStatus",    "ServiceStatus",  "Global",       "Replicated",   "EndpointSpec",
        "UpdateConfig", "RollbackConfig", "Placement",    "Resources",    "RestartPolicy",
        "LogDriver",    "Healthcheck",    "DNSConfig",    "Init"};
    static const char *const lists[] = {"Data",       "Secrets",  "Configs",     "Ports",
                                        "VirtualIPs", "Mounts",   "Args",        "Env",
                                        "Command",    "Networks", "Constraints", "Preferences"};
    for (size_t i = 0; i < sizeof pointers / sizeof *pointers; i++)
        if (str_eq(name, pointers[i]))
            return "<nil>";
    for (size_t i = 0; i < sizeof lists / sizeof *lists; i++)
        if (str_eq(name, lists[i]))
            return "[]";
    return NULL;
}

static bool is_map(const char *parent)
{
    return str_eq(parent, "Labels") || str_eq(parent, "Options") || str_eq(parent, "Sysctls") ||
           str_eq(parent, "Annotations") || str_eq(parent, "Networks");
}

static bool is_time(const char *name)
{
    return str_ends(name, "At") || str_eq(name, "Timestamp");
}

static const char *type_word(struct val v)
{
    return json_is_string(v.j)    ? "string"
           : json_is_integer(v.j) ? "int"
           : json_is_boolean(v.j) ? "bool"
                                  : "interface {}";
}

static int missing(struct run *r, struct val from, const char *name, size_t pos, const char *at,
                   bool top)
{
    AUTO_FREE char *what = NULL;
    if (!json_is_object(from.j))
        what = mem_printf("can't evaluate field %s in type %s", name, type_word(from));
    else if (r->env->type && top)
        what = mem_printf("can't evaluate field %s in type %s", name, r->env->type);
    else
        what = mem_printf("map has no entry for key \"%s\"", name);
    return exec_error(r, pos, at, what);
}

static json_t *folded(json_t *o, const char *name)
{
    const char *k;
    json_t *m;
    json_object_foreach(o, k, m) if (str_ieq(k, name)) return m;
    return NULL;
}

static int one_field(struct run *r, const struct operand *o, size_t i, struct val *v, bool top)
{
    const char *name = o->fields[i];
    json_t *m = json_is_object(v->j) && name[0] != '%' ? json_object_get(v->j, name) : NULL;
    if (!m && r->env->fold)
        m = folded(v->j, name);
    if (v->kind == VAL_NIL)
        return exec_error(r, o->field_pos[i], o->source, "nil pointer evaluating");
    if (m) {
        v->j = m;
        v->kind = json_is_null(m) ? VAL_NIL : VAL_JSON;
        if (r->env->times && json_is_string(m) && is_time(name))
            v->kind = VAL_TIME;
        return 0;
    }
    bool map = json_is_object(v->j) && ((i && is_map(o->fields[i - 1])) || r->env->header);
    const char *nil = r->env->nils && json_is_object(v->j) ? nil_text(name) : NULL;
    if (map) {
        *v = (struct val){.kind = VAL_NONE};
    } else if (nil) {
        *v = (struct val){.kind = str_eq(nil, "[]") ? VAL_NIL_LIST : VAL_NIL};
    } else {
        return missing(r, *v, name, o->field_pos[i], o->source, top && i == 0);
    }
    return 0;
}

static int find_var(struct run *r, const struct operand *o, struct val *ret)
{
    for (size_t i = r->nvars; i-- > 0;)
        if (str_eq(r->vars[i].name, o->name)) {
            *ret = r->vars[i].v;
            return 0;
        }
    AUTO_FREE char *what = mem_printf("undefined variable \"%s\"", o->name);
    return exec_error(r, o->pos, o->source, what);
}

static int eval_pipe(struct run *r, const struct pipe *p, struct val dot, struct val *ret);

static int eval_operand(struct run *r, const struct operand *o, struct val dot, struct val *ret)
{
    int e = 0;
    bool top = o->kind == OP_DOT;
    switch (o->kind) {
    case OP_DOT:
        *ret = dot;
        break;
    case OP_VAR:
        e = find_var(r, o, ret);
        top = str_eq(o->name, "$");
        break;
    case OP_PAREN:
        e = eval_pipe(r, o->paren, dot, ret);
        break;
    case OP_CONST:
        *ret =
            (struct val){.j = o->constant, .kind = json_is_null(o->constant) ? VAL_NIL : VAL_JSON};
        break;
    default:
        return exec_error(r, o->pos, o->source, "can't use a function as an argument");
    }
    for (size_t i = 0; !e && o->fields && o->fields[i]; i++)
        e = one_field(r, o, i, ret, top);
    return e;
}

/* `.Label "k"` is a method in Go; here the row carries its labels under a name that no template can
 * write. */
static bool is_label_call(const struct command_node *c)
{
    const struct operand *o = &c->args[0];
    return c->n == 2 && o->kind == OP_DOT && o->fields &&
           strv_len((const char *const *)o->fields) == 1 && str_eq(o->fields[0], "Label");
}

static int call_label(struct run *r, const struct command_node *c, struct val dot, struct val *ret)
{
    struct val key;
    int e = eval_operand(r, &c->args[1], dot, &key);
    if (e)
        return e;
    const char *name = json_string_value(key.j);
    json_t *labels = json_object_get(dot.j, "%labels");
    if (r->env->header)
        *ret = val_string(r, name ? name : "");
    else if (!labels)
        return missing(r, dot, "Label", c->pos, ".Label", true);
    else
        *ret =
            val_string(r, str_or(json_string_value(json_object_get(labels, name ? name : "")), ""));
    return 0;
}

static int eval_command(struct run *r, const struct command_node *c, struct val dot,
                        const struct val *last, struct val *ret)
{
    struct val args[ARGS_MAX + 1];
    size_t n = 0;
    if (is_label_call(c))
        return call_label(r, c, dot, ret);
    if (c->args[0].kind != OP_FUNC) {
        if (c->n > 1 || last)
            return exec_error(r, c->pos, c->source, "can't give argument to non-function");
        return eval_operand(r, &c->args[0], dot, ret);
    }
    for (size_t i = 1; i < c->n; i++) {
        int e = eval_operand(r, &c->args[i], dot, &args[n++]);
        if (e)
            return e;
    }
    if (last)
        args[n++] = *last;
    struct err why = {{0}};
    if (!fn_call(r, c->args[0].name, args, n, ret, &why))
        return 0;
    if (str_starts(why.text, "wrong number of args"))
        return exec_error(r, c->pos, c->args[0].name, why.text);
    AUTO_FREE char *what = mem_printf("error calling %s: %s", c->args[0].name, why.text);
    return exec_error(r, c->pos, c->source, what);
}

static void set_var(struct run *r, const char *name, struct val v, bool assign)
{
    for (size_t i = r->nvars; assign && i-- > 0;)
        if (str_eq(r->vars[i].name, name)) {
            r->vars[i].v = v;
            return;
        }
    if (r->nvars < VARS_MAX) {
        r->vars[r->nvars].name = name;
        r->vars[r->nvars++].v = v;
    }
}

static int eval_pipe(struct run *r, const struct pipe *p, struct val dot, struct val *ret)
{
    struct val v = {0};
    for (size_t i = 0; i < p->n; i++) {
        int e = eval_command(r, &p->cmds[i], dot, i ? &v : NULL, &v);
        if (e)
            return e;
    }
    *ret = v;
    return 0;
}

/* --- nodes --- */

static int run_list(struct run *r, const struct node *n, struct val dot);

static int range_once(struct run *r, const struct node *n, struct val key, json_t *item)
{
    size_t mark = r->nvars;
    struct val v = {.j = item, .kind = json_is_null(item) ? VAL_NIL : VAL_JSON};
    if (n->pipe->nvars == 2)
        set_var(r, n->pipe->vars[0], key, false);
    if (n->pipe->nvars)
        set_var(r, n->pipe->vars[n->pipe->nvars - 1], v, false);
    int e = run_list(r, n->body, v);
    r->nvars = mark;
    return e;
}

static int run_range(struct run *r, const struct node *n, struct val v, struct val dot)
{
    int e = 0;
    if (!val_true(v))
        return run_list(r, n->otherwise, dot);
    if (json_is_array(v.j)) {
        for (size_t i = 0; !e && i < json_array_size(v.j); i++)
            e = range_once(r, n, val_own(r, json_integer((json_int_t)i)), json_array_get(v.j, i));
        return e;
    }
    if (json_is_object(v.j)) {
        AUTO_FREE const char **keys = js_sorted_keys(v.j);
        for (size_t i = 0; !e && keys[i]; i++)
            e = range_once(r, n, val_string(r, keys[i]), json_object_get(v.j, keys[i]));
        return e;
    }
    AUTO_BUF struct buf b = BUF_INIT(TEMPLATE_MAX);
    buf_str(&b, "range can't iterate over ");
    val_print(&b, v);
    const struct command_node *c = &n->pipe->cmds[n->pipe->n - 1];
    return exec_error(r, c->pos, c->source, b.p);
}

static int run_node(struct run *r, const struct node *n, struct val dot)
{
    struct val v;
    if (n->kind == ND_TEXT) {
        buf_str(r->out, n->text);
        return 0;
    }
    int e = eval_pipe(r, n->pipe, dot, &v);
    if (e)
        return e;
    size_t mark = r->nvars;
    if (n->kind != ND_RANGE && n->pipe->nvars)
        set_var(r, n->pipe->vars[0], v, n->pipe->assign);
    if (n->kind == ND_ACTION) {
        if (!n->pipe->nvars)
            val_print(r->out, v);
        return 0;
    }
    if (n->kind == ND_RANGE)
        e = run_range(r, n, v, dot);
    else if (val_true(v))
        e = run_list(r, n->body, n->kind == ND_WITH ? v : dot);
    else
        e = run_list(r, n->otherwise, dot);
    r->nvars = mark;
    return e;
}

static int run_list(struct run *r, const struct node *n, struct val dot)
{
    int e = 0;
    if (++r->depth > DEPTH_MAX)
        return err_set(r->err, -EINVAL, "template: too deep");
    for (; !e && n; n = n->next)
        e = run_node(r, n, dot);
    r->depth--;
    return e;
}

int template_run(const struct template *t, json_t *data, const struct template_env *env,
                 struct buf *out, struct err *e)
{
    AUTO_JSON json_t *pool = js_own(json_array());
    struct run r = {.env = env, .out = out, .err = e, .pool = pool, .t = t};
    struct val dot = {.j = data};
    set_var(&r, "$", dot, false);
    return run_list(&r, t->list, dot);
}

/* --- values --- */

bool val_true(struct val v)
{
    if (v.kind == VAL_NONE || v.kind == VAL_NIL || !v.j)
        return false; /* a list that is not there has no j */
    switch (json_typeof(v.j)) {
    case JSON_STRING:
        return json_string_length(v.j) > 0;
    case JSON_ARRAY:
        return json_array_size(v.j) > 0;
    case JSON_OBJECT:
        return json_object_size(v.j) > 0;
    case JSON_INTEGER:
        return json_integer_value(v.j) != 0;
    case JSON_REAL:
        return json_real_value(v.j) < 0 || json_real_value(v.j) > 0;
    default:
        return json_is_true(v.j);
    }
}

static void print_object(struct buf *b, json_t *j)
{
    AUTO_FREE const char **keys = js_sorted_keys(j);
    /* a version is a number with a name around it, and prints as that number */
    if (keys[0] && !keys[1] && str_eq(keys[0], "Index")) {
        val_print(b, (struct val){.j = json_object_get(j, "Index")});
        return;
    }
    buf_str(b, "map[");
    for (size_t i = 0; keys[i]; i++) {
        buf_printf(b, "%s%s:", i ? " " : "", keys[i]);
        val_print(b, (struct val){.j = json_object_get(j, keys[i])});
    }
    buf_char(b, ']');
}

void val_print(struct buf *b, struct val v)
{
    char text[AGE_SIZE];
    int64_t ns;
    if (v.kind == VAL_NONE) {
        buf_str(b, "<no value>");
    } else if (v.kind == VAL_NIL_LIST) {
        buf_str(b, "[]");
    } else if (v.kind == VAL_NIL || !v.j || json_is_null(v.j)) {
        buf_str(b, "<nil>");
    } else if (v.kind == VAL_TIME && !time_parse(json_string_value(v.j), &ns)) {
        buf_str(b, go_time(ns, "UTC", text));
    } else if (json_is_string(v.j)) {
        buf_append(b, json_string_value(v.j), json_string_length(v.j));
    } else if (json_is_object(v.j)) {
        print_object(b, v.j);
    } else if (json_is_array(v.j)) {
        buf_char(b, '[');
        for (size_t i = 0; i < json_array_size(v.j); i++) {
            buf_str(b, i ? " " : "");
            val_print(b, (struct val){.j = json_array_get(v.j, i)});
        }
        buf_char(b, ']');
    } else {
        js_write(b, v.j, false);
    }
}
