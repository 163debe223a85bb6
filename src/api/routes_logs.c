/* api/routes_logs.c - GET /containers/{}/logs: the log of a container, framed, followed if asked.
 */
#include "api/routes_local.h"

#include <stdlib.h>
#include <string.h>

#include "api/frame.h"
#include "base/clock.h"
#include "base/mem.h"
#include "base/str.h"

enum { LOG_QUEUE_MAX = 4 << 20, LOG_QUEUE_FULL = 256 << 10 };

struct log_call {
    struct api_call *call;
    struct log_reader *reader;
    bool tty, timestamps, details;
    struct buf line;
};

static void log_call_free(void *state)
{
    struct log_call *x = state;
    if (x->reader)
        log_reader_close(x->reader);
    buf_free(&x->line);
    free(x);
}

static bool on_line(void *arg, enum stream_fd fd, int64_t time_ns, const char *p, size_t n)
{
    struct log_call *x = arg;
    char stamp[TIME_TEXT_SIZE];
    if (!x->call->rq)
        return true;
    buf_clear(&x->line);
    if (!x->tty)
        frame_reserve(&x->line);
    if (x->timestamps)
        buf_printf(&x->line, "%s ", time_text_fixed(time_ns, stamp));
    if (x->details)
        buf_char(&x->line, ' ');
    buf_append(&x->line, p, n);
    if (!x->tty)
        frame_fill(&x->line, fd);
    return http_stream_write(x->call->rq, x->line.p, x->line.len) < LOG_QUEUE_FULL;
}

static void on_end(void *arg)
{
    struct log_call *x = arg;
    x->reader = NULL;
    if (x->call->rq)
        http_stream_end(x->call->rq);
}

static void on_drain(void *arg, struct http_request *rq)
{
    (void)rq;
    struct log_call *x = arg;
    if (x->reader)
        log_reader_resume(x->reader);
}

/* ?since= and ?until= */
static bool take_time(struct api_call *c, const char *name, int64_t *ret)
{
    const char *s = http_query(c->rq, name);
    *ret = 0;
    if (str_empty(s) || str_eq(s, "0") || time_parse_query(s, clock_wall_ns(), ret) == 0)
        return true;
    api_error(c, 400, "invalid value for \"%s\": %.64s", name, s);
    return false;
}

static bool take_query(struct api_call *c, struct log_query *q)
{
    const char *tail = http_query(c->rq, "tail");
    q->want_stdout = http_query_bool(c->rq, "stdout");
    q->want_stderr = http_query_bool(c->rq, "stderr");
    q->follow = http_query_bool(c->rq, "follow");
    q->tail = -1;
    if (!q->want_stdout && !q->want_stderr) {
        api_error(c, 400, "Bad parameters: you must choose at least one stream");
        return false;
    }
    if (!str_empty(tail) && !str_eq(tail, "all") &&
        (str_to_i64(tail, &q->tail) != 0 || q->tail < 0))
        q->tail = -1; /* the engine shows everything then, too */
    return take_time(c, "since", &q->since_ns) && take_time(c, "until", &q->until_ns);
}

static void on_logs(struct api_call *c)
{
    struct log_query q = {0};
    struct err e = {0};
    struct container *ct = api_container(c);
    if (!ct || !take_query(c, &q))
        return;
    struct log_call *x = NEW(struct log_call);
    x->call = c;
    x->tty = ct->config->tty;
    x->timestamps = http_query_bool(c->rq, "timestamps");
    x->details = http_query_bool(c->rq, "details");
    x->line = BUF_INIT(8 << 20);
    const struct log_sink sink = {.on_line = on_line, .on_end = on_end, .arg = x};
    int r = runtime_logs(api_runtime(c->api), ct, &q, &sink, &x->reader, &e);
    if (r != 0) {
        api_error_runtime(c, r, &e);
        log_call_free(x);
        return;
    }
    c->state = x;
    c->free_state = log_call_free;
    http_stream_begin(c->rq, 200, frame_content_type(c->minor, x->tty), LOG_QUEUE_MAX);
    http_stream_on_drain(c->rq, on_drain, x);
}

void api_container_logs(struct api_call *c)
{
    api_take_none(c, on_logs);
}
