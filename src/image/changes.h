/* image/changes.h - Dockerfile instructions that alter an image's configuration (import, commit).
 *
 * CMD, ENTRYPOINT, ENV, EXPOSE, HEALTHCHECK, LABEL, ONBUILD, STOPSIGNAL, USER, VOLUME, WORKDIR, in
 * JSON or shell form, with quotes, continuation lines and $NAME, ${NAME}, ${NAME:-x}, ${NAME:+x}
 * from the image's own environment. Anything else is refused in the engine's words.
 * IMAGE_BAD_CHANGE with a sentence; the configuration is then half altered and to be thrown away.
 */
#ifndef IMAGE_CHANGES_H
#define IMAGE_CHANGES_H
#include "base/err.h"
#include "image/image.h"

enum { CHANGES_MAX = 1000, CHANGE_LEN_MAX = 65536 };
/* Every string may hold several lines; NULL-terminated, NULL is none. Members of c are malloc'ed.
 */
MUST_CHECK int changes_apply(struct image_config *c, const char *const *changes, struct err *e);

/* words.c: splitting and expanding */
char **words_split(const char *s); /* at blanks outside quotes; quotes stay */
char *
words_expand(const char *word,
             const char *const *env); /* quotes and backslashes go, $NAME is replaced; malloc'ed */
char **words_json(const char *s);     /* ["a","b"]; NULL when it is not that */
#endif
