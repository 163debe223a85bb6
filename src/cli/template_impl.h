/* cli/template_impl.h - the tree of a template, shared by template.c, template_eval.c and
 * template_fn.c. */
#ifndef CLI_TEMPLATE_IMPL_H
#define CLI_TEMPLATE_IMPL_H
#include "cli/template.h"

enum { TEMPLATE_MAX = 64 << 10, VARS_MAX = 32, ARGS_MAX = 16, DEPTH_MAX = 64 };

enum operand_kind { OP_DOT, OP_VAR, OP_PAREN, OP_FUNC, OP_CONST };
struct operand {
    enum operand_kind kind;
    char *name;    /* variable or function */
    char **fields; /* .A.B after it */
    size_t *field_pos;
    struct pipe *paren;
    json_t *constant;
    char *source;
    size_t pos;
};
struct command_node {
    struct operand *args;
    size_t n;
    size_t pos;
    char *source;
};
struct pipe {
    char *vars[2];
    size_t nvars;
    bool assign; /* "=" and not ":=" */
    struct command_node *cmds;
    size_t n;
};
enum node_kind { ND_TEXT, ND_ACTION, ND_IF, ND_RANGE, ND_WITH };
struct node {
    enum node_kind kind;
    char *text;
    struct pipe *pipe;
    struct node *body, *otherwise; /* lists */
    struct node *next;
};
struct template
{
    struct node *list;
    char *source;
};

enum val_kind { VAL_JSON, VAL_NONE, VAL_NIL, VAL_NIL_LIST, VAL_TIME };
struct val {
    json_t *j; /* borrowed: the run's pool or the data own it */
    enum val_kind kind;
};
struct run {
    const struct template_env *env;
    struct buf *out;
    struct err *err;
    json_t *pool; /* owns what functions made */
    struct {
        const char *name;
        struct val v;
    } vars[VARS_MAX];
    size_t nvars, depth;
    const struct template *t;
};

bool fn_known(const char *name);
int fn_call(struct run *r, const char *name, const struct val *args, size_t n, struct val *ret,
            struct err *why);
bool val_true(struct val v);
void val_print(struct buf *b, struct val v);
struct val val_own(struct run *r, json_t *j);
struct val val_string(struct run *r, const char *s);
#endif
