/* http/http.h - the Engine API's server: HTTP/1.1 on unix and TCP sockets by libmicrohttpd, driven
 * by one libuv loop.
 *
 * The room knows HTTP and nothing of what is served. A request is handed to one function when its
 * head has arrived; that function says how the body is to be taken (whole into a bounded buffer,
 * piece by piece, or none) and answers now or later. Paths come raw (not decoded); http_path splits
 * and decodes.
 *
 * Kinds of answer: whole (http_reply), streamed in chunks (http_stream_*), or a takeover of the
 * connection (http_upgrade: 101, raw bytes both ways). A client that goes away is noticed also
 * while a request waits: on_gone is called once. Ownership: struct http_request lives until
 * on_free. Body pieces are wiped in the server's buffer after they were handed over when
 * http_take_secret was asked for. Limits: HTTP_HEAD_MAX for request line and headers (431), the
 * body limit that the handler names (413), HTTP_CONNECTIONS_MAX, an idle time for heads (slow
 * clients). */
#ifndef HTTP_HTTP_H
#define HTTP_HTTP_H
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <uv.h>
#include "base/buf.h"
#include "base/err.h"

enum { HTTP_HEAD_MAX = 64 << 10, HTTP_CONNECTIONS_MAX = 1000, HTTP_IDLE_SECONDS = 300 };

struct http_server;
struct http_request;

struct http_peer { /* who asks */
    bool unix_socket;
    uint32_t uid, gid;
    int32_t pid;
    char address[64]; /* TCP: "ip:port" */
};
MUST_CHECK int http_server_new(uv_loop_t *loop,
                               void (*on_request)(void *arg, struct http_request *rq), void *arg,
                               struct http_server **ret, struct err *e);
MUST_CHECK int http_server_listen_fd(struct http_server *s, int fd,
                                     struct err *e); /* a listening unix or TCP socket; taken */
void http_server_header(struct http_server *s, const char *name,
                        const char *value); /* sent with every answer unless http_plain */
void http_server_close(struct http_server *s);

/* ---- the request ---- */
const char *http_method(const struct http_request *rq);
const char *http_raw_path(const struct http_request *rq);                 /* before '?', as sent */
const char *http_header(const struct http_request *rq, const char *name); /* NULL */
const char *http_query(const struct http_request *rq,
                       const char *name); /* decoded, first of that name; NULL when absent */
void http_query_all(const struct http_request *rq, const char *name,
                    void (*fn)(void *arg, const char *v), void *arg);
bool http_query_bool(
    const struct http_request *rq,
    const char *name); /* the engine's: "", 0, no, false, none are false (any case) */
const struct http_peer *http_peer(const struct http_request *rq);
bool http_wants_upgrade(const struct http_request *rq);
void *http_data(const struct http_request *rq);
void http_set_data(struct http_request *rq, void *data,
                   void (*on_free)(void *data)); /* freed with the request */
void http_on_gone(struct http_request *rq, void (*cb)(void *arg, struct http_request *rq),
                  void *arg); /* the client has gone before the answer was whole */

/* ---- its body: call exactly one of these from on_request ---- */
/* Whole, at most max bytes (else 413 is answered by the room); on_body when complete. An early end
 * of the connection: on_gone, no on_body. */
void http_take_body(struct http_request *rq, size_t max,
                    void (*on_body)(struct http_request *rq, const char *p, size_t n));
/* Piece by piece. on_piece returns 0 (go on), 1 (pause: http_resume_body), or negative (stop
 * reading; the rest is dropped; an answer must be given). p is NULL at the end. */
void http_take_pieces(struct http_request *rq, uint64_t max, bool secret,
                      int (*on_piece)(struct http_request *rq, const char *p, size_t n));
void http_resume_body(struct http_request *rq);
void http_take_none(
    struct http_request *rq,
    void (*on_ready)(struct http_request *rq)); /* a body that comes is read and dropped */

/* ---- its answer: exactly one ---- */
void http_reply(struct http_request *rq, unsigned status, const char *content_type,
                struct buf *body /* emptied */);
void http_reply_text(struct http_request *rq, unsigned status, const char *content_type,
                     const char *text);
void http_reply_empty(struct http_request *rq, unsigned status); /* no body; 204, 304, 200 */
void http_reply_header(struct http_request *rq, const char *name,
                       const char *value); /* before the answer */
void http_plain(struct http_request *rq);  /* before the answer: without the server's common headers
                                              (the "page not found" answer) */

/* Streamed: the head goes out at once. http_stream_write copies; returns bytes now queued, or
 * -ENOBUFS past max_queue (the data was not taken), -EPIPE. */
void http_stream_begin(struct http_request *rq, unsigned status, const char *content_type,
                       size_t max_queue);
int64_t http_stream_write(struct http_request *rq, const void *p, size_t n);
void http_stream_on_drain(struct http_request *rq, void (*cb)(void *arg, struct http_request *rq),
                          void *arg); /* queue is empty again */
void http_stream_end(struct http_request *rq);

/* Takeover. The 101 head (Connection: Upgrade, Upgrade: tcp, given content type) is sent, then the
 * connection belongs to struct http_raw. */
struct http_raw;
struct http_raw_callbacks {
    void (*on_open)(void *arg, struct http_raw *raw);
    void (*on_bytes)(void *arg, const char *p,
                     size_t n);   /* from the client; n 0: it closed its sending half */
    void (*on_drain)(void *arg);  /* all that was written has gone out */
    void (*on_closed)(void *arg); /* gone; raw is invalid after */
    void *arg;
};
void http_upgrade(struct http_request *rq, const char *content_type,
                  const struct http_raw_callbacks *cb);
int64_t http_raw_write(struct http_raw *raw, const void *p,
                       size_t n);                      /* copies; bytes queued, or -EPIPE */
void http_raw_pause(struct http_raw *raw, bool pause); /* reading from the client */
void http_raw_close(struct http_raw *raw);             /* after what is queued; on_closed follows */

/* ---- helpers ---- */
/* Splits "/v1.41/secrets/a%2Fb" into version "1.41" ("" when absent) and decoded segments. -EINVAL:
 * bad escape. 1: not clean ("//", ".", ".."): ret_clean has the Location. */
struct http_path {
    char version[16];
    char *segment[12];
    size_t count;
    char *storage;
};
MUST_CHECK int http_path_parse(const char *raw, struct http_path *ret, char **ret_clean);
void http_path_free(struct http_path *p);
#endif
