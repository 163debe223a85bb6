/* api/router.c - from a request to its handler: path, version, route, body; and the answers that
 * every handler gives. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include "api/route_table.h"
#include "api/state.h"
#include "base/str.h"
#include "base/version.h"

/* ---- matching ---- */

/* Takes the segments that the pattern's braces stand for. false: it does not fit (what was taken is
 * freed by the caller). */
static bool fits(const char *pattern, const struct http_path *path, struct api_call *c)
{
    size_t at = 0;
    while (*pattern == '/') {
        pattern++;
        size_t n = strcspn(pattern, "/");
        if (at >= path->count)
            return false;
        const char *seg = path->segment[at];
        if (n == 3 && memcmp(pattern, "{*}", 3) == 0) {
            /* as many as leave enough for what follows */
            size_t rest = 0;
            for (const char *p = pattern + n; *p; p++)
                rest += *p == '/';
            if (path->count < at + 1 + rest)
                return false;
            AUTO_BUF struct buf joined = BUF_INIT(4096);
            for (; at < path->count - rest; at++) {
                if (*path->segment[at] == '\0')
                    return false;
                buf_printf(&joined, "%s%s", joined.len ? "/" : "", path->segment[at]);
            }
            c->param[c->nparams++] = buf_take(&joined);
        } else if (n == 2 && memcmp(pattern, "{}", 2) == 0) {
            if (*seg == '\0')
                return false;
            c->param[c->nparams++] = mem_str(seg);
            at++;
        } else {
            if (strlen(seg) != n || memcmp(seg, pattern, n) != 0)
                return false;
            at++;
        }
        pattern += n;
    }
    return at == path->count;
}

static void drop_params(struct api_call *c)
{
    while (c->nparams > 0)
        free(c->param[--c->nparams]);
}

static const struct api_route *find_in(const struct api_route *table, const char *method,
                                       const struct http_path *path, struct api_call *c)
{
    for (const struct api_route *r = table; r->method; r++) {
        if (strcmp(r->method, method) != 0)
            continue;
        if (fits(r->pattern, path, c))
            return r;
        drop_params(c);
    }
    return NULL;
}

/* ---- the version in the path ---- */

/* "1.41": the number before the first dot and the one after it, as much of them as are digits;
 * large ones saturate. */
static unsigned number_at(const char *p, const char **end)
{
    unsigned v = 0;
    for (; *p >= '0' && *p <= '9'; p++)
        v = v < 100000 ? v * 10 + (unsigned)(*p - '0') : v;
    *end = p;
    return v;
}

static unsigned minor_of(const char *version, unsigned *ret_major)
{
    *ret_major = number_at(version, &version);
    return *version == '.' ? number_at(version + 1, &version) : 0;
}

static void refuse_version(struct api_call *c, unsigned status, const char *content_type,
                           struct buf *text)
{
    http_plain(
        c->rq); /* these answers lack Docker-Experimental, so all common headers are set here */
    http_reply_header(c->rq, "Api-Version", API_VERSION);
    http_reply_header(c->rq, "Ostype", "linux");
    http_reply_header(c->rq, "Server", "Docker/" KEEP_VERSION " (linux)");
    c->answered = true;
    http_reply(c->rq, status, content_type, text);
}

static bool version_is_served(struct api_call *c, const char *version)
{
    unsigned major = 0;
    c->minor = API_MINOR_MAX;
    if (*version == '\0')
        return true;
    c->minor = minor_of(version, &major);
    bool old = major < 1 || (major == 1 && c->minor < API_MINOR_MIN),
         young = major > 1 || c->minor > API_MINOR_MAX;
    if (!old && !young)
        return true;
    struct buf b = BUF_INIT(4096);
    if (old) { /* clients of that age expect plain text */
        http_reply_header(c->rq, "X-Content-Type-Options", "nosniff");
        buf_printf(&b,
                   "client version %s is too old. Minimum supported API version is %s, please "
                   "upgrade your client to a newer version\n",
                   version, API_VERSION_MIN);
        refuse_version(c, 400, "text/plain; charset=utf-8", &b);
    } else {
        buf_printf(
            &b,
            "{\"message\":\"client version %s is too new. Maximum supported API version is %s\"}\n",
            version, API_VERSION);
        refuse_version(c, 400, "application/json", &b);
    }
    return false;
}

/* ---- life of a call ---- */

static void call_free(struct api_call *c)
{
    drop_params(c);
    if (c->free_state)
        c->free_state(c->state);
    free(c);
}

void api_hold(struct api_call *c)
{
    c->holds++;
}

void api_release(struct api_call *c)
{
    if (--c->holds == 0)
        call_free(c);
}

static void stop_pending(struct api_call *c)
{
    if (c->pending)
        rpc_cancel(TAKE(c->pending));
}

static void on_client_gone(void *arg, struct http_request *rq)
{
    struct api_call *c = arg;
    (void)rq;
    if (c->on_gone)
        c->on_gone(c);
    stop_pending(c);
}

static void on_request_freed(void *data)
{
    struct api_call *c = data;
    c->rq = NULL;
    stop_pending(c);
    api_release(c);
}

struct api_call *api_call_of(const struct http_request *rq)
{
    return http_data(rq);
}

/* ---- a request comes ---- */

static void not_found(struct http_request *rq)
{
    http_plain(rq);
    http_reply_text(rq, 404, "application/json", "{\"message\":\"page not found\"}\n");
}

static void route(struct api_call *c, const struct http_path *path)
{
    const char *method = http_method(c->rq);
    const struct api_route *r = find_in(api_swarm_routes, method, path, c);
    if (!r)
        r = find_in(api_local_routes, method, path, c);
    if (!r) {
        c->answered = true;
        not_found(c->rq);
    } else if (version_is_served(c, path->version)) {
        r->handle(c);
    }
}

void api_on_request(void *arg, struct http_request *rq)
{
    struct http_path path;
    char *clean = NULL;
    if (strcmp(http_method(rq), "OPTIONS") == 0) {
        http_reply_empty(rq, 200);
        return;
    }
    int r = http_path_parse(http_raw_path(rq), &path, &clean);
    if (r > 0) {
        http_plain(rq);
        http_reply_header(rq, "Location", clean);
        http_reply_empty(rq, 301);
        free(clean);
        return;
    }
    if (r < 0) {
        not_found(rq);
        return;
    }
    struct api_call *c = NEW(struct api_call);
    *c = (struct api_call){.api = arg, .rq = rq, .holds = 1};
    http_set_data(rq, c, on_request_freed);
    http_on_gone(rq, on_client_gone, c);
    route(c, &path);
    http_path_free(&path);
}

/* ---- bodies ---- */

static void on_ready(struct http_request *rq)
{
    struct api_call *c = http_data(rq);
    c->on_ready(c);
}

void api_take_none(struct api_call *c, void (*ready)(struct api_call *c))
{
    c->on_ready = ready;
    http_take_none(c->rq, on_ready);
}

static void on_bytes(struct http_request *rq, const char *p, size_t n)
{
    struct api_call *c = http_data(rq);
    c->on_bytes(c, p, n);
}

void api_take_bytes(struct api_call *c, size_t max,
                    void (*bytes)(struct api_call *c, const char *p, size_t n))
{
    c->on_bytes = bytes;
    http_take_body(c->rq, max, on_bytes);
}

static void give_json(struct api_call *c, const char *p, size_t n, bool may_be_empty)
{
    struct err e = {""};
    json_t *body = NULL;
    struct json_in in = {.failed = false};
    int r = json_body_parse(p, n, &body, &e);
    if (r == JSON_BODY_EMPTY && !may_be_empty) {
        api_error(c, 400, "got EOF while reading request body");
        return;
    }
    if (r < 0) {
        api_error(c, 400, "%s", e.text);
        return;
    }
    (void)json_at_root(&in, body, c->go_type);
    if (in.failed)
        api_error(c, 400, "%s", in.e.text);
    else
        c->on_json(c, json_is_null(body) ? NULL : body);
    json_decref(body);
}

static void json_needed(struct api_call *c, const char *p, size_t n)
{
    give_json(c, p, n, false);
}

static void json_optional(struct api_call *c, const char *p, size_t n)
{
    give_json(c, p, n, true);
}

void api_take_json(struct api_call *c, const char *go_type,
                   void (*on_json)(struct api_call *c, json_t *body))
{
    c->go_type = go_type;
    c->on_json = on_json;
    api_take_bytes(c, API_JSON_MAX, json_needed);
}

void api_take_json_opt(struct api_call *c, const char *go_type,
                       void (*on_json)(struct api_call *c, json_t *body))
{
    c->go_type = go_type;
    c->on_json = on_json;
    api_take_bytes(c, API_JSON_MAX, json_optional);
}

/* ---- answers ---- */

void api_reply_json(struct api_call *c, unsigned status, struct buf *json)
{
    if (!c->rq || c->answered) {
        buf_free(json);
        return;
    }
    buf_char(json, '\n');
    if (json->failed) { /* larger than API_ANSWER_MAX */
        buf_free(json);
        api_error(c, 500, "the answer is too large");
        return;
    }
    c->answered = true;
    http_reply(c->rq, status, "application/json", json);
}

void api_reply_empty(struct api_call *c, unsigned status)
{
    if (!c->rq || c->answered)
        return;
    c->answered = true;
    http_reply_empty(c->rq, status);
}
