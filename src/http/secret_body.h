/* http/secret_body.h - the body of POST /secrets/create as it arrives: the member "Data" goes into
 * secret memory, the rest into an ordinary buffer.
 *
 * Bytes of the value of a top-level member whose name is "Data" (any case, escapes in the name
 * undone) are unescaped and base64-decoded one by one, straight into a struct secret_buf. They
 * touch no other memory than the piece itself and a few bytes of state, which are wiped. In the
 * rest that value reads null. A value that is no string is left out of the rest too and makes the
 * engine's type error. Same member twice: the last one counts.
 *
 * The caller hands over pieces of any size, then calls secret_body_end, then takes the rest (JSON
 * text) and the payload. More than SECRET_MAX decoded bytes: the surplus is thrown away and the
 * payload is SECRET_MAX bytes long, which whoever checks sizes refuses. */
#ifndef HTTP_SECRET_BODY_H
#define HTTP_SECRET_BODY_H
#include <stddef.h>
#include <jansson.h>
#include "base/err.h"
#include "base/secret.h"

enum { SECRET_BODY_REST_MAX = 1 << 20, SECRET_BODY_MAX = 8 << 20 };

struct secret_body;
/* expected: the length of the body if it is known, else 0: bounds how much secret memory is asked
 * for. */
struct secret_body *secret_body_new(const char *go_struct /* "SecretSpec" */,
                                    const char *go_type /* "swarm.SecretSpec" */,
                                    uint64_t expected);
int secret_body_step(struct secret_body *b, const char *p,
                     size_t n); /* 0; 1: an error or the end has been reached, no more is needed */
/* 0: *ret_rest is the object without its Data (to be freed by json_decref). 1 (SECRET_BODY_EMPTY):
 * there was no body. -EINVAL: the words of the engine in e. -ENOMEM: no room in secret memory. */
enum { SECRET_BODY_EMPTY = 1 };
MUST_CHECK int secret_body_end(struct secret_body *b, json_t **ret_rest, struct err *e);
struct secret_buf *secret_body_take(
    struct secret_body *b); /* the payload, or NULL when there was no Data (or it was null) */
void secret_body_free(struct secret_body *b); /* wipes; NULL is fine */
#endif
