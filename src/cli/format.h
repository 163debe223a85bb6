/* cli/format.h - what lists and inspections print: tables, templates, JSON.
 *
 * A row is an object with the fields that a template may use; members that begin with '%' are ours
 * ("%labels" serves .Label "k"). */
#ifndef CLI_FORMAT_H
#define CLI_FORMAT_H
#include <jansson.h>
#include "cli/command.h"
#include "cli/template.h"

struct column {
    const char *field, *title;
};
struct listing {
    const struct column *columns; /* ends with a NULL field */
    const char *table;            /* the default, without the word "table " */
    const char *quiet;            /* template of -q */
    const char *raw;              /* template of the format "raw"; may be NULL */
    const char *type;             /* Go's name of a row, for errors */
    const char *trouble;          /* before an error while running: "template parsing error: " */
};
int list_print(struct cli *c, const struct listing *l, const char *format, bool quiet,
               json_t *rows);

json_t *row_new(json_t *labels);                 /* labels may be NULL */
char *labels_text(json_t *labels);               /* "a=b,c=d" sorted; malloc'ed */
void rows_sort(json_t *rows, const char *field); /* naturally */

/* Looks each reference up, prints what was found, then what went wrong. get puts the answer's bytes
 * into `ret`. */
struct inspection {
    int (*get)(struct cli *c, const char *ref, struct buf *ret);
    struct template_env env;
    void (*pretty)(struct cli *c, json_t *o, struct buf *out); /* of --pretty; may be NULL */
    bool typed; /* Go prints the error of its own type and does not fall back to plain JSON */
};
int inspect_run(struct cli *c, const struct inspection *k, const char *format, char **refs,
                size_t n);

/* One object through --format ("" or NULL: 1, the caller prints it in its own way). */
int format_one_object(struct cli *c, const char *format, json_t *o, const struct template_env *env);

/* Errors of several arguments: each is printed on its own line at once; the command then ends
 * with 1. */
int report(struct cli *c, int r);
/* Runs one call for each argument and prints the argument when it worked. */
int for_each_arg(struct cli *c, int (*call)(struct cli *c, const char *ref));
#endif
