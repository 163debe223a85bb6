/* http/request.c - one request: its head, its query, its body on the way in, and when it waits.
 *
 * The library calls http_request_step for the head, for each piece of body, at its end, and once
 * more whenever the request was woken. The steps are: start (the room's user chooses how the body
 * comes), take pieces, finish, then queue the answer if it is there or suspend until it is. */
#include "http/internal.h"

#include <stdlib.h>
#include <stdlib.h>
#include <string.h>
#include "base/secret.h"
#include "base/str.h"

struct http_request *http_request_new(struct http_server *s, struct MHD_Connection *c,
                                      const char *uri)
{
    const union MHD_ConnectionInfo *info =
        MHD_get_connection_info(c, MHD_CONNECTION_INFO_SOCKET_CONTEXT);
    struct http_request *rq = NEW(struct http_request);
    rq->s = s;
    rq->mhd = c;
    rq->conn = info ? info->socket_context : NULL;
    rq->uri = mem_str(uri);
    char *mark = strchr(rq->uri, '?');
    rq->query = "";
    if (mark) {
        *mark = '\0';
        rq->query = mark + 1;
    }
    rq->next = s->requests;
    rq->link = &s->requests;
    if (rq->next)
        rq->next->link = &rq->next;
    s->requests = rq;
    if (rq->conn)
        rq->conn->rq = rq;
    return rq;
}

void http_request_free(struct http_request *rq)
{
    if (rq->conn && rq->conn->rq == rq)
        rq->conn->rq = NULL;
    if (rq->on_free)
        rq->on_free(rq->data);
    *rq->link = rq->next;
    if (rq->next)
        rq->next->link = rq->link;
    if (rq->answer)
        MHD_destroy_response(rq->answer);
    for (size_t i = 0; i < rq->nheaders; i++) {
        free(rq->headers[i].name);
        free(rq->headers[i].value);
    }
    for (size_t i = 0; i < rq->ndecoded; i++) {
        free(rq->decoded_query[i].name);
        free(rq->decoded_query[i].value);
    }
    if (rq->secret && rq->body.p)
        secret_wipe(rq->body.p, rq->body.cap);
    buf_free(&rq->body);
    http_stream_free(&rq->stream);
    free(rq->uri);
    free(rq);
}

/* ---- waiting and waking ---- */

void http_request_tell_gone(struct http_request *rq)
{
    rq->gone = true;
    if (rq->gone_told)
        return;
    rq->gone_told = true;
    if (rq->on_gone)
        rq->on_gone(rq->gone_arg, rq);
}

void http_request_wake(struct http_request *rq)
{
    if (!rq->suspended)
        return;
    rq->suspended = false;
    MHD_resume_connection(rq->mhd);
    http_server_kick(rq->s);
}

void http_request_lost(struct http_request *rq)
{
    http_request_tell_gone(rq);
    http_request_wake(rq);
}

static enum MHD_Result wait_for_answer(struct http_request *rq)
{
    if (rq->gone || (rq->conn && rq->conn->gone))
        return MHD_NO;
    rq->suspended = true;
    MHD_suspend_connection(rq->mhd);
    return MHD_YES;
}

/* ---- the steps ---- */

static void drop_body(struct http_request *rq)
{
    rq->dropping = true;
    buf_free(&rq->body);
}

static void refuse(struct http_request *rq, unsigned status, const char *text)
{
    if (!rq->answered)
        http_reply_text(rq, status, "text/plain; charset=utf-8", text);
}

static void finish_body(struct http_request *rq)
{
    rq->body_done = true;
    if (rq->answered || rq->dropping)
        return;
    switch (rq->mode) {
    case BODY_WHOLE:
        rq->on_body(rq, rq->body.p ? rq->body.p : "", rq->body.len);
        break;
    case BODY_PIECES:
        rq->on_piece(rq, NULL, 0);
        break;
    case BODY_NONE:
        rq->on_ready(rq);
        break;
    case BODY_UNSET:
        refuse(rq, 500, "nobody takes this request's body\n");
        break;
    }
}

static void take_piece(struct http_request *rq, const char *p, size_t n)
{
    rq->got += n;
    if (rq->mode == BODY_WHOLE && !rq->dropping) {
        if (rq->got <= rq->max) {
            buf_append(&rq->body, p, n);
            return;
        }
        drop_body(rq);
        refuse(rq, 413, "request body too large\n");
    } else if (rq->mode == BODY_PIECES && !rq->dropping) {
        int r = rq->got <= rq->pieces_max ? rq->on_piece(rq, p, n) : -1;
        if (rq->got > rq->pieces_max)
            refuse(rq, 413, "request body too large\n");
        rq->paused = r == 1;
        if (r < 0)
            drop_body(rq);
    }
    if (rq->dropping || rq->mode == BODY_NONE)
        rq->dropped += n;
}

static bool body_announced(struct http_request *rq, uint64_t *ret_length)
{
    const char *te = http_header(rq, "Transfer-Encoding"), *cl = http_header(rq, "Content-Length");
    *ret_length = UINT64_MAX;
    if (te)
        return true;
    if (!cl)
        return false;
    if (str_to_u64(cl, UINT64_MAX, ret_length) != 0)
        *ret_length = UINT64_MAX;
    return *ret_length > 0;
}

static enum MHD_Result start(struct http_request *rq, const char *method, const char *version)
{
    uint64_t length = 0;
    rq->started = true;
    rq->method = method; /* lives in the connection's memory until the request ends */
    rq->has_body = body_announced(rq, &length);
    if (strcmp(version, "HTTP/1.1") == 0 && !http_header(rq, "Host")) {
        drop_body(rq);
        rq->plain = true;
        refuse(rq, 400, "400 Bad Request: missing required Host header");
        return http_reply_queue(rq);
    }
    rq->s->on_request(rq->s->arg, rq);
    /* An answer queued in this first step would end the connection, and a pause would repeat it:
     * both wait for the next one. */
    if (!rq->has_body || !rq->answered)
        return MHD_YES;
    drop_body(rq);
    /* Answered before the body came: a short one is read and dropped, so that the connection lives
     * on; with a long one it ends here. */
    if (length > HTTP_DRAIN_MAX || http_header(rq, "Expect"))
        return http_reply_queue(rq);
    return MHD_YES;
}

static enum MHD_Result more(struct http_request *rq, const char *data, size_t *size)
{
    take_piece(rq, data, *size);
    if (rq->secret) /* the library's buffer is ours to clean: nobody else reads these bytes again */
        secret_wipe((char *)(uintptr_t)data, *size);
    *size = 0;
    if (rq->dropped > HTTP_DROP_MAX)
        return MHD_NO;
    if (rq->paused && !rq->dropping)
        return wait_for_answer(rq);
    return MHD_YES;
}

enum MHD_Result http_request_step(struct http_request *rq, struct MHD_Connection *c,
                                  const char *method, const char *version, const char *data,
                                  size_t *size)
{
    enum MHD_Result r;
    rq->mhd = c;
    if (rq->gone)
        return MHD_NO;
    if (rq->queued)
        return MHD_YES;
    rq->in_handler = true;
    if (!rq->started)
        r = start(rq, method, version);
    else if (*size > 0)
        r = more(rq, data, size);
    else {
        if (!rq->body_done)
            finish_body(rq);
        r = rq->answered ? http_reply_queue(rq) : wait_for_answer(rq);
    }
    rq->in_handler = false;
    return r;
}

/* ---- what the user of the room asks ---- */

const char *http_method(const struct http_request *rq)
{
    return rq->method;
}

const char *http_raw_path(const struct http_request *rq)
{
    return rq->uri;
}

const char *http_header(const struct http_request *rq, const char *name)
{
    return MHD_lookup_connection_value(rq->mhd, MHD_HEADER_KIND, name);
}

const struct http_peer *http_peer(const struct http_request *rq)
{
    static const struct http_peer nobody = {.uid = UINT32_MAX, .gid = UINT32_MAX};
    return rq->conn ? &rq->conn->peer : &nobody;
}

bool http_wants_upgrade(const struct http_request *rq)
{
    const char *connection = http_header(rq, "Connection");
    return connection && strcasestr(connection, "upgrade") && http_header(rq, "Upgrade");
}

void *http_data(const struct http_request *rq)
{
    return rq->data;
}

void http_set_data(struct http_request *rq, void *data, void (*on_free)(void *data))
{
    rq->data = data;
    rq->on_free = on_free;
}

void http_on_gone(struct http_request *rq, void (*cb)(void *arg, struct http_request *rq),
                  void *arg)
{
    rq->on_gone = cb;
    rq->gone_arg = arg;
}

void http_take_body(struct http_request *rq, size_t max,
                    void (*on_body)(struct http_request *rq, const char *p, size_t n))
{
    rq->mode = BODY_WHOLE;
    rq->max = max;
    rq->body = BUF_INIT(max + 1);
    rq->on_body = on_body;
}

void http_take_pieces(struct http_request *rq, uint64_t max, bool secret,
                      int (*on_piece)(struct http_request *rq, const char *p, size_t n))
{
    rq->mode = BODY_PIECES;
    rq->pieces_max = max;
    rq->secret = secret;
    rq->on_piece = on_piece;
}

void http_resume_body(struct http_request *rq)
{
    rq->paused = false;
    http_request_wake(rq);
}

void http_take_none(struct http_request *rq, void (*on_ready)(struct http_request *rq))
{
    rq->mode = BODY_NONE;
    rq->on_ready = on_ready;
}
