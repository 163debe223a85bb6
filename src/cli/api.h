/* cli/api.h - the HTTP client: finds the engine, agrees on a version, asks, and puts refusals into
 * words.
 *
 * The engine is named by --host, then KEEP_HOST, then DOCKER_HOST, then the default socket. The
 * first call sends HEAD /_ping and takes the lower of the two sides' versions; KEEP_API_VERSION or
 * DOCKER_API_VERSION fixes it.
 *
 * Results: 0; a positive HTTP status of 300 and more, with "Error response from daemon: …" in
 * c->err; or negative when no answer came. Answers are bounded by ANSWER_MAX. No secret goes
 * through here: see hijack.h. */
#ifndef CLI_API_H
#define CLI_API_H
#include <jansson.h>
#include <curl/curl.h>
#include "base/buf.h"
#include "cli/command.h"

enum { ANSWER_MAX = 512 << 20 };

MUST_CHECK int
api_ready(struct cli *c); /* connected and agreed; negative when the engine cannot be reached */
const char *api_host(struct cli *c);
bool api_over_tls(struct cli *c);
const char *api_version(struct cli *c); /* "1.41", after api_ready */
const char *api_header(struct cli *c,
                       const char *name); /* of the ping: "Ostype", "Swarm" …; "" if none */
bool version_less(const char *a, const char *b);
int api_needs(struct cli *c, const char *what, const char *version);

/* A path with its %s filled in, each escaped for a path (slashes stay). Malloc'ed. */
char *api_path(const char *fmt, ...);
void query_add(struct buf *path, const char *key,
               const char *value); /* "?" or "&" as needed, escaped */
/* filters={"k":{"v":true}} of k=v words. */
void query_filters(struct buf *path, const char *const *filters);

MUST_CHECK int api_call(struct cli *c, const char *method, const char *path, json_t *body,
                        json_t **ret);
MUST_CHECK int api_get(struct cli *c, const char *path, json_t **ret);
MUST_CHECK int api_text(struct cli *c, const char *method, const char *path, json_t *body,
                        struct buf *ret);

struct api_stream {
    const char *method, *path;
    json_t *body;
    const char *content_type;                           /* of what `read` gives */
    size_t (*read)(void *ctx, char *p, size_t n);       /* upload, chunked; (size_t)-1 gives up */
    int (*on_data)(void *ctx, const char *p, size_t n); /* not 0: stop, with that result */
    const char *const *headers;                         /* more request headers, "K: V" */
    void *ctx;
};
MUST_CHECK int api_stream(struct cli *c, struct api_stream *s);

/* A bare connection to the engine, for hijack.h. The caller owns the handle. NULL: c->err says why.
 */
CURL *api_raw(struct cli *c);
/* Puts the engine's refusal into c->err; returns status. */
int api_refusal(struct cli *c, int status, const char *body, size_t n);
/* Splits a chunked stream of JSON objects, one a line, into values; see on_line. */
struct line_split {
    struct buf buf;
    int (*on_line)(void *ctx, char *line, size_t n);
    void *ctx;
};
int line_split(struct line_split *l, const char *p, size_t n);
#endif
