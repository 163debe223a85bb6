/* api/routes_image_in.c - images come in: load, import, pull. Uploads are spooled to a file of the
 * image store's, then taken; progress goes out as the engine's stream of JSON messages
 * (engine-api 5.4). A failure before the first message is a status, after it a message. */
#include "api/routes_local.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/mem.h"
#include "base/str.h"

enum { MESSAGES_MAX = 4 << 20 };
#define UPLOAD_MAX (64ULL << 30)

struct incoming {
    struct api_call *call;
    struct image_job *job;
    char *file; /* the spooled upload; removed in the end */
    int fd;
    bool import, quiet, streaming;
    char **changes;
};

static void incoming_free(struct incoming *x)
{
    if (x->fd >= 0)
        close(x->fd);
    if (x->file)
        unlink(x->file);
    free(x->file);
    strv_free(x->changes);
    free(x);
}

/* ---- messages ---- */

static void begin_stream(struct incoming *x)
{
    if (!x->streaming && x->call->rq)
        http_stream_begin(x->call->rq, 200, "application/json", MESSAGES_MAX);
    x->streaming = true;
}

static void send_message(struct incoming *x, struct buf *b)
{
    begin_stream(x);
    buf_str(b, "\r\n");
    if (x->call->rq && !b->failed)
        http_stream_write(x->call->rq, b->p, b->len);
}

static void on_progress(void *arg, const struct image_progress *p)
{
    struct incoming *x = arg;
    if (x->quiet && !p->stream)
        return;
    AUTO_BUF struct buf b = BUF_INIT(64 << 10);
    struct jw w = JW_INIT(&b);
    jw_object(&w, NULL);
    jw_str_opt(&w, "status", p->status);
    jw_str_opt(&w, "stream", p->stream);
    if (p->total) {
        jw_object(&w, "progressDetail");
        jw_uint(&w, "current", p->current);
        jw_uint(&w, "total", p->total);
        jw_end_object(&w);
    }
    jw_str_opt(&w, "id", p->id);
    jw_end_object(&w);
    send_message(x, &b);
}

static void send_error(struct incoming *x, const char *text)
{
    AUTO_BUF struct buf b = BUF_INIT(64 << 10);
    struct jw w = JW_INIT(&b);
    jw_object(&w, NULL);
    jw_object(&w, "errorDetail");
    jw_str(&w, "message", text);
    jw_end_object(&w);
    jw_str(&w, "error", text);
    jw_end_object(&w);
    send_message(x, &b);
}

static void on_done(void *arg, int r, const struct err *e, const char *id)
{
    struct incoming *x = arg;
    struct api_call *c = x->call;
    x->job = NULL;
    (void)id; /* an import has told it as its last message */
    bool as_status = r != 0 && !x->streaming;
    if (as_status)
        api_error_image(c, r, e, c->nparams ? c->param[0] : "");
    else if (r != 0)
        send_error(x, err_text(e));
    else
        begin_stream(x);
    if (!as_status && c->rq)
        http_stream_end(c->rq);
    c->on_gone = NULL;
    c->state = NULL;
    incoming_free(x);
    api_release(c);
}

static void on_gone(struct api_call *c)
{
    struct incoming *x = c->state;
    if (x && x->job)
        image_job_cancel(x->job); /* on_done comes and cleans up */
}

static struct incoming *incoming_new(struct api_call *c)
{
    struct incoming *x = NEW(struct incoming);
    x->call = c;
    x->fd = -1;
    c->state = x;
    c->on_gone = on_gone;
    api_hold(c);
    return x;
}

/* It ended before there was a job. */
static void drop(struct incoming *x)
{
    struct api_call *c = x->call;
    c->state = NULL;
    c->on_gone = NULL;
    incoming_free(x);
    api_release(c);
}

/* ---- uploads ---- */

static void start_job(struct incoming *x)
{
    struct api_call *c = x->call;
    struct image_store *s = api_images(c->api);
    if (!x->import) {
        begin_stream(x); /* load tells its failures in the stream, always */
        x->job = image_load(s, x->file, on_progress, on_done, x);
        return;
    }
    x->job =
        image_import(s, x->file, str_or(http_query(c->rq, "repo"), ""),
                     str_or(http_query(c->rq, "tag"), ""), str_or(http_query(c->rq, "message"), ""),
                     (const char *const *)x->changes, on_progress, on_done, x);
}

static int write_all(int fd, const char *p, size_t n)
{
    while (n > 0) {
        ssize_t w = write(fd, p, n);
        if (w < 0 && errno != EINTR)
            return -errno;
        if (w > 0) {
            p += w;
            n -= (size_t)w;
        }
    }
    return 0;
}

static int on_piece(struct http_request *rq, const char *p, size_t n)
{
    struct incoming *x = api_call_of(rq)->state;
    if (!p) {
        start_job(x);
        return 0;
    }
    int r = write_all(x->fd, p, n);
    if (r < 0) {
        api_error(x->call, 500, "the upload could not be kept: %s", strerror(-r));
        drop(x);
        return -1;
    }
    return 0;
}

static void on_upload_gone(struct api_call *c)
{
    struct incoming *x = c->state;
    if (!x)
        return;
    if (x->job)
        image_job_cancel(x->job);
    else
        drop(x); /* cut in the middle: nothing was taken */
}

static void take_upload(struct api_call *c, bool import)
{
    struct incoming *x = incoming_new(c);
    x->import = import;
    x->quiet = http_query_bool(c->rq, "quiet");
    x->file = mem_printf("%s/upload-XXXXXX", image_tmp_dir(api_images(c->api)));
    x->fd = mkostemp(x->file, O_CLOEXEC);
    if (x->fd < 0) {
        struct err e = {0};
        err_sys(&e, errno, "'%s'", image_tmp_dir(api_images(c->api)));
        free(TAKE(x->file));
        http_take_none(c->rq, NULL);
        api_error_unexpected(c, &e);
        drop(x);
        return;
    }
    c->on_gone = on_upload_gone;
    http_take_pieces(c->rq, UPLOAD_MAX, false, on_piece);
}

void api_image_load(struct api_call *c)
{
    take_upload(c, false);
}

/* ---- pull ---- */

static void on_pull(struct api_call *c)
{
    const char *image = str_or(http_query(c->rq, "fromImage"), ""),
               *tag = str_or(http_query(c->rq, "tag"), "");
    const char *auth = http_header(c->rq, "X-Registry-Auth");
    struct image_ref parsed;
    struct err e = {0};
    AUTO_FREE char *ref = str_empty(tag)
                              ? mem_str(image)
                              : mem_printf("%s%s%s", image, strchr(tag, ':') ? "@" : ":", tag);
    int r = image_ref_parse(ref, &parsed, &e);
    if (r != 0) {
        api_error_image(c, r, &e, ref);
        return;
    }
    struct incoming *x = incoming_new(c);
    x->job = image_pull(api_images(c->api), ref, auth, on_progress, on_done, x);
}

static void add_change(void *arg, const char *v)
{
    struct incoming *x = arg;
    if (strv_len((const char *const *)x->changes) < 256)
        strv_push(&x->changes, mem_str(v));
}

void api_image_create(struct api_call *c)
{
    const char *src = http_query(c->rq, "fromSrc");
    if (str_empty(src)) {
        api_take_none(c, on_pull);
        return;
    }
    if (!str_eq(src, "-")) {
        api_not_yet(c); /* importing from a URL: the daemon fetches nothing on a client's word */
        return;
    }
    take_upload(c, true);
    if (c->state)
        http_query_all(c->rq, "changes", add_change, c->state);
}
