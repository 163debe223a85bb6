/* http/internal.h - what the files of this room share: one server, its connections, one request.
 * Not for other rooms. */
#ifndef HTTP_INTERNAL_H
#define HTTP_INTERNAL_H
#include <microhttpd.h>
#include "base/mem.h"
#include "http/http.h"

enum {
    HTTP_REPLY_HEADERS_MAX = 16,
    HTTP_DROP_MAX = 64 << 20, /* of an unwanted body; after that the connection is closed */
    HTTP_DRAIN_MAX = 1 << 20, /* a declared body up to this is read and dropped so that the
                                 connection can live on */
    HTTP_POOL = HTTP_HEAD_MAX + (4 << 10),
    HTTP_BLOCK = 32 << 10,
};

struct http_header_pair {
    char *name, *value;
};
struct http_listener {
    struct http_server *s;
    int fd;
    bool unix_socket;
    uv_poll_t poll;
    struct http_listener *next;
};
struct http_conn { /* one accepted socket */
    struct http_server *s;
    int fd;
    bool unix_socket;
    bool gone; /* nobody will read an answer */
    struct http_peer peer;
    struct http_request *rq; /* the one under way, or NULL */
    struct http_raw *raw;    /* after a takeover */
};
struct http_server {
    uv_loop_t *loop;
    struct MHD_Daemon *mhd;
    void (*on_request)(void *arg, struct http_request *rq);
    void *arg;
    struct http_listener *listeners;
    struct http_header_pair headers[HTTP_REPLY_HEADERS_MAX];
    size_t nheaders;
    uv_poll_t poll;   /* MHD's epoll descriptor */
    uv_timer_t timer; /* MHD's next timeout */
    uv_prepare_t prepare;
    uv_check_t check;
    uv_poll_t watch_poll; /* watch: an edge-triggered epoll over all connections that tells of
                             hang-ups only */
    int watch;
    unsigned handles; /* not yet closed */
    unsigned nconns;
    bool kick, running, full, closing, stopped;
    struct http_conn *accepting;
    struct http_request *requests; /* all, doubly linked */
};
enum http_body_mode { BODY_UNSET, BODY_WHOLE, BODY_PIECES, BODY_NONE };
struct http_stream {
    char *p; /* bytes off..len wait */
    size_t off, len, cap, max;
    bool begun, ended;
    void (*on_drain)(void *arg, struct http_request *rq);
    void *drain_arg;
    bool told_drain;
};
struct http_request {
    struct http_server *s;
    struct http_conn *conn;
    struct MHD_Connection *mhd;
    struct http_request *next, **link;
    char *uri;         /* as sent; cut at '?' */
    const char *query; /* after '?', or "" */
    const char *method;

    struct http_header_pair decoded_query[16];
    size_t ndecoded;

    bool started, in_handler, suspended, gone, gone_told;
    enum http_body_mode mode;
    bool has_body, body_done, dropping, paused, secret;
    size_t max;
    uint64_t pieces_max, got, dropped;
    struct buf body;
    void (*on_body)(struct http_request *rq, const char *p, size_t n);
    int (*on_piece)(struct http_request *rq, const char *p, size_t n);
    void (*on_ready)(struct http_request *rq);

    void (*on_gone)(void *arg, struct http_request *rq);
    void *gone_arg;
    void *data;
    void (*on_free)(void *data);

    struct http_header_pair headers[HTTP_REPLY_HEADERS_MAX];
    size_t nheaders;
    bool plain;
    struct MHD_Response *answer; /* chosen, not yet given to MHD */
    unsigned status;
    bool answered, queued;
    struct http_stream stream;
    struct http_raw_callbacks raw_cb;
};

/* request.c */
struct http_request *http_request_new(struct http_server *s, struct MHD_Connection *c,
                                      const char *uri);
void http_request_free(struct http_request *rq);
enum MHD_Result http_request_step(struct http_request *rq, struct MHD_Connection *c,
                                  const char *method, const char *version, const char *data,
                                  size_t *size);
void http_request_tell_gone(struct http_request *rq);
void http_request_lost(
    struct http_request *rq); /* the client has gone: tells, and lets MHD end it */
void http_request_wake(struct http_request *rq); /* resumes it if it waits */
/* reply.c */
enum MHD_Result http_reply_queue(struct http_request *rq);
void http_stream_free(struct http_stream *st);
/* raw.c */
void http_raw_open(struct http_conn *conn, const struct http_raw_callbacks *cb, const void *extra,
                   size_t nextra, int fd, struct MHD_UpgradeResponseHandle *urh);
void http_raw_lost(struct http_raw *raw);
/* server.c */
void http_server_kick(
    struct http_server *s); /* MHD has something to do: run it before the loop sleeps */
#endif
