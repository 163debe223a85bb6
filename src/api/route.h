/* api/route.h - one call of the Engine API: what a handler is given and how it answers.
 *
 * A route is a method, a pattern and a handler. In a pattern "{}" takes one decoded segment, "{*}"
 * takes one or more, joined with '/' (image names). The first route that fits wins;
 * api_local_routes (containers, exec, images, commit, build of this node) are tried after
 * api_swarm_routes.
 *
 * Life of a call: the router makes it, its handler takes the body (exactly one of api_take_none,
 * api_take_json, api_take_bytes, or http_take_pieces on c->rq) and gives exactly one answer, at
 * once or later. When the client goes away first, c->on_gone (if set) runs, c->pending is cancelled
 * and c->rq becomes NULL; every answer function is then a no-op. The call itself is freed when
 * nobody holds it: whoever starts work that cannot be cancelled does api_hold before and
 * api_release in its callback. c->state is freed by c->free_state with the call.
 *
 * Errors are {"message":"…"} with the engine's own words. No secret may be put into one. */
#ifndef API_ROUTE_H
#define API_ROUTE_H
#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "base/buf.h"
#include "base/err.h"
#include "base/jw.h"
#include "base/version.h"
#include "http/http.h"
#include "http/json.h"
#include "rpc/rpc.h"

struct api;

enum {
    API_PARAMS_MAX = 3,
    API_JSON_MAX = 4 << 20,     /* a request's JSON body; a config of 1000 KiB in base64 fits */
    API_ANSWER_MAX = 256 << 20, /* a list of everything */
    API_MINOR_MAX = 44,         /* announced: 1.44; the minimum is 1.24 */
    API_MINOR_MIN = 24,
};
#define API_VERSION KEEP_API_VERSION
#define API_VERSION_MIN KEEP_API_MIN_VERSION

struct api_call {
    struct api *api;
    struct http_request *rq;     /* NULL when the client has gone */
    unsigned minor;              /* of the version asked for: 41 for /v1.41/… */
    char *param[API_PARAMS_MAX]; /* what the pattern's braces took, in order */
    size_t nparams;
    struct rpc_pending *pending; /* set by who starts one; cancelled when the client goes */
    void (*on_gone)(struct api_call *c);
    void *state; /* the handler's own */
    void (*free_state)(void *state);
    /* the router's own, not for handlers */
    unsigned holds;
    bool answered;
    const char *go_type;
    void (*on_json)(struct api_call *c, json_t *body);
    void (*on_bytes)(struct api_call *c, const char *p, size_t n);
    void (*on_ready)(struct api_call *c);
    void (*on_rpc_ok)(struct api_call *c, ProtobufCMessage *response);
    void (*on_rpc_any)(struct api_call *c, const struct rpc_status *st, ProtobufCMessage *response);
    void (*on_found)(struct api_call *c, void *object);
    void (*on_none)(struct api_call *c);
    void (*on_each)(struct api_call *c, void *object);
    void (*on_all)(struct api_call *c);
    const char *ref;
    char **values;
    unsigned kind;
    bool by_prefix;
};

struct api_route {
    const char *method;
    const char *pattern; /* "/containers/{}/json", without version */
    void (*handle)(struct api_call *c);
};
extern const struct api_route api_swarm_routes[]; /* end with a NULL method */
extern const struct api_route api_local_routes[];

struct api_call *api_call_of(const struct http_request *rq); /* the call behind a request */
void api_hold(struct api_call *c);
void api_release(struct api_call *c);

/* ---- the body: exactly one ---- */
void api_take_none(struct api_call *c, void (*on_ready)(struct api_call *c));
/* The whole body as JSON (http/json.h); what does not parse or is not an object is answered here
 * with the decoder's words. go_type names the type in these
 * ("swarm.ServiceSpec"). An empty body is 400 "got EOF while reading request body"; with
 * api_take_json_opt it is NULL. body is borrowed for the call of on_json. */
void api_take_json(struct api_call *c, const char *go_type,
                   void (*on_json)(struct api_call *c, json_t *body));
void api_take_json_opt(struct api_call *c, const char *go_type,
                       void (*on_json)(struct api_call *c, json_t *body));
void api_take_bytes(struct api_call *c, size_t max,
                    void (*on_bytes)(struct api_call *c, const char *p, size_t n));

/* ---- the answer: exactly one ---- */
void api_reply_json(struct api_call *c, unsigned status,
                    struct buf *json); /* adds the final newline; empties the buffer */
void api_reply_empty(struct api_call *c, unsigned status); /* no body, no content type */
void api_error(struct api_call *c, unsigned status, const char *fmt, ...) PRINTF(3, 4);
void api_error_status(struct api_call *c,
                      const struct rpc_status *st); /* from the manager: gRPC code to HTTP status,
                                                       "rpc error: code = … desc = …" */
void api_error_unexpected(struct api_call *c, const struct err *e); /* 500 with the sentence */
#define API_OUT() BUF_INIT(API_ANSWER_MAX)

/* ---- parts that handlers need ---- */
struct runtime *api_runtime(struct api *a);
struct image_store *api_images(struct api *a);
struct network *api_network(struct api *a);
uv_loop_t *api_loop(struct api *a);
/* "filters" of the query as a name and its values; both spellings. 0 (NULL when absent) or an
 * answer has been given and a non-zero value is returned. */
struct api_filters;
MUST_CHECK int api_filters_get(struct api_call *c, const char *const *known /* NULL: any */,
                               struct api_filters **ret);
/* The pure half: -1 with the words and a status, 400 for an unknown key, 500 for a wrong shape. */
MUST_CHECK int api_filters_parse(const char *text, const char *const *known,
                                 struct api_filters **ret, unsigned *ret_status, struct err *e);
void api_filters_free(struct api_filters *f);
bool api_filters_has(const struct api_filters *f, const char *key);
const char *const *api_filters_values(const struct api_filters *f,
                                      const char *key); /* never NULL; NULL-terminated */
/* All label filters ("k" or "k=v") fit. get(arg, key) is the value or NULL. */
bool api_filters_labels(const struct api_filters *f, const char *key,
                        const char *(*get)(void *arg, const char *key), void *arg);

/* An event of this node goes to /events and its ring of the last 256. attributes: "key", "value",
 * …, NULL; borrowed. type "container", "image", "network", …; id, from (an image name, or NULL) for
 * the old members. */
void api_event(struct api *a, const char *type, const char *action, const char *id,
               const char *from, const char *const *attributes);
#endif
