/* cli/template.h - the part of Go's text/template language that output formats use, over JSON
 * values.
 *
 * Actions: fields (.A.B), variables, pipes, if/else, range, with, comments, trimming; functions and
 * or not eq ne lt le gt ge len index slice print printf println json join split upper lower title
 * truncate pad. What is not there is refused with Go's own sentence for an unknown function.
 *
 * A template is read once and may be run many times. Errors read like Go's: "template: :1:2:
 * executing …". */
#ifndef CLI_TEMPLATE_H
#define CLI_TEMPLATE_H
#include <jansson.h>
#include <stdbool.h>
#include "base/buf.h"
#include "base/err.h"

struct template;
int template_new(const char *text, struct template **ret, struct err *e);
void template_free(struct template *t);

struct template_env {
    const char *type; /* "secret.secretContext": an unknown field is an error that names it. NULL: a
                         map's error */
    bool header;      /* the data are column titles: what is unknown prints as "<no value>" */
    bool times;       /* members like CreatedAt print as Go prints times */
    bool fold;        /* letters of a member may be large or small */
    bool nils;        /* members that the API leaves out when they are empty are known, and print as
                         nothing */
};
int template_run(const struct template *t, json_t *data, const struct template_env *env,
                 struct buf *out, struct err *e);
#endif
