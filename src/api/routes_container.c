/* api/routes_container.c - containers of this node: list, inspect, start, stop, kill, pause, wait,
 * rename, remove, changes. */
#include "api/routes_local.h"

#include <stdlib.h>
#include <string.h>

#include "api/container_filter.h"
#include "api/container_json.h"
#include "base/clock.h"
#include "base/mem.h"
#include "base/str.h"

void api_error_runtime(struct api_call *c, int r, const struct err *e)
{
    static const unsigned statuses[] = {[RUNTIME_NOT_FOUND] = 404,
                                        [RUNTIME_AMBIGUOUS] = 400,
                                        [RUNTIME_CONFLICT] = 409,
                                        [RUNTIME_NOT_MODIFIED] = 304,
                                        [RUNTIME_BAD_REQUEST] = 400};
    if (r == RUNTIME_NOT_MODIFIED)
        api_reply_empty(c, 304);
    else if (r > 0 && (size_t)r < sizeof(statuses) / sizeof(statuses[0]))
        api_error(c, statuses[r], "%s", err_text(e));
    else
        api_error_unexpected(c, e);
}

struct container *api_container(struct api_call *c)
{
    struct container *found;
    struct err e = {0};
    int r = runtime_find(api_runtime(c->api), c->param[0], &found, &e);
    if (r == 0)
        return found;
    api_error_runtime(c, r, &e);
    return NULL;
}

/* ---- list and inspect ---- */

struct listing {
    struct jw w;
    struct container_filter *filter;
    int64_t now;
    size_t shown;
};

static int list_one(void *arg, struct container *c)
{
    struct listing *l = arg;
    if (!container_filter_fits(l->filter, c))
        return 0;
    container_json_list_entry(&l->w, c, l->now);
    l->shown++;
    return container_filter_full(l->filter, l->shown);
}

static void on_list(struct api_call *c)
{
    AUTO_BUF struct buf out = API_OUT();
    struct listing l = {.w = JW_INIT(&out), .now = clock_wall_ns()};
    if (container_filter_get(c, &l.filter) != 0)
        return;
    jw_array(&l.w, NULL);
    runtime_each(api_runtime(c->api), list_one, &l);
    jw_end_array(&l.w);
    container_filter_free(l.filter);
    api_reply_json(c, 200, &out);
}

void api_container_list(struct api_call *c)
{
    api_take_none(c, on_list);
}

static void on_inspect(struct api_call *c)
{
    const struct container *ct = api_container(c);
    if (!ct)
        return;
    AUTO_BUF struct buf out = API_OUT();
    struct jw w = JW_INIT(&out);
    container_json_inspect(&w, ct, runtime_name(api_runtime(c->api)));
    api_reply_json(c, 200, &out);
}

void api_container_inspect(struct api_call *c)
{
    api_take_none(c, on_inspect);
}

/* ---- what changes its state ---- */

static void on_changed(void *arg, int r, const struct err *e, struct container *ct)
{
    (void)ct;
    struct api_call *c = arg;
    if (r == 0)
        api_reply_empty(c, 204);
    else
        api_error_runtime(c, r, e);
    api_release(c);
}

/* Seconds of ?t=; -1 when absent. False: answered. */
static bool stop_time(struct api_call *c, int64_t *ret)
{
    const char *t = http_query(c->rq, "t");
    *ret = -1;
    if (!t || !*t)
        return true;
    if (str_to_i64(t, ret) == 0)
        return true;
    api_error(c, 400, "strconv.Atoi: parsing \"%.64s\": invalid syntax", t);
    return false;
}

/* The signal of ?signal=; 0 when absent. False: answered. */
static bool wanted_signal(struct api_call *c, int *ret)
{
    const char *s = http_query(c->rq, "signal");
    *ret = 0;
    if (!s || !*s)
        return true;
    *ret = runtime_signal_number(s);
    if (*ret > 0)
        return true;
    api_error(c, 400, "Invalid signal: %.64s", s);
    return false;
}

static void on_stop(struct api_call *c)
{
    int64_t t;
    int sig;
    if (!stop_time(c, &t) || !wanted_signal(c, &sig))
        return;
    struct container *ct = api_container(c);
    if (!ct)
        return;
    api_hold(c);
    runtime_stop(api_runtime(c->api), ct, sig, t, on_changed, c);
}

void api_container_stop(struct api_call *c)
{
    api_take_none(c, on_stop);
}

static void on_start(struct api_call *c)
{
    struct container *ct = api_container(c);
    if (!ct)
        return;
    if (ct->config->nsecrets > 0) {
        api_error(c, 409,
                  "container %s had secrets of a task that has ended: they were wiped; "
                  "the service starts a new task instead",
                  ct->config->name);
        return;
    }
    api_hold(c);
    runtime_start(api_runtime(c->api), ct, NULL, 0, on_changed, c);
}

void api_container_start(struct api_call *c)
{
    api_take_none(c, on_start);
}

static void on_kill(struct api_call *c)
{
    int sig;
    if (!wanted_signal(c, &sig))
        return;
    struct container *ct = api_container(c);
    if (!ct)
        return;
    api_hold(c);
    runtime_kill(api_runtime(c->api), ct, sig ? sig : 9, on_changed, c);
}

void api_container_kill(struct api_call *c)
{
    api_take_none(c, on_kill);
}

static void pause_or_not(struct api_call *c, bool pause)
{
    struct container *ct = api_container(c);
    if (!ct)
        return;
    api_hold(c);
    runtime_pause(api_runtime(c->api), ct, pause, on_changed, c);
}

static void on_pause(struct api_call *c)
{
    pause_or_not(c, true);
}

static void on_unpause(struct api_call *c)
{
    pause_or_not(c, false);
}

void api_container_pause(struct api_call *c)
{
    api_take_none(c, on_pause);
}

void api_container_unpause(struct api_call *c)
{
    api_take_none(c, on_unpause);
}

static void on_remove(struct api_call *c)
{
    struct container *ct = api_container(c);
    if (!ct)
        return;
    api_hold(c);
    runtime_remove(api_runtime(c->api), ct, http_query_bool(c->rq, "force"), on_changed, c);
}

void api_container_remove(struct api_call *c)
{
    api_take_none(c, on_remove);
}

static void on_rename(struct api_call *c)
{
    struct err e = {0};
    struct container *ct = api_container(c);
    if (!ct)
        return;
    int r = runtime_rename(api_runtime(c->api), ct, str_or(http_query(c->rq, "name"), ""), &e);
    if (r == 0)
        api_reply_empty(c, 204);
    else
        api_error_runtime(c, r, &e);
}

void api_container_rename(struct api_call *c)
{
    api_take_none(c, on_rename);
}

/* ---- wait: the head goes out at once, the JSON when it ends ---- */

struct waiting {
    struct api_call *call;
    struct wait_handle *handle;
};

static void waiting_free(void *state)
{
    struct waiting *x = state;
    if (x->handle)
        runtime_wait_cancel(x->handle);
    free(x);
}

static void on_waited(void *arg, int exit_code, const char *error)
{
    struct waiting *x = arg;
    struct api_call *c = x->call;
    x->handle = NULL;
    if (!c->rq)
        return;
    AUTO_BUF struct buf out = BUF_INIT(64 << 10);
    struct jw w = JW_INIT(&out);
    jw_object(&w, NULL);
    if (!str_empty(error)) {
        jw_object(&w, "Error");
        jw_str(&w, "Message", error);
        jw_end_object(&w);
    } else if (c->minor < 42) {
        jw_null(&w, "Error");
    }
    jw_int(&w, "StatusCode", exit_code);
    jw_end_object(&w);
    buf_char(&out, '\n');
    http_stream_write(c->rq, out.p, out.len);
    http_stream_end(c->rq);
}

static bool wait_condition(struct api_call *c, enum wait_for *ret)
{
    const char *s = http_query(c->rq, "condition");
    *ret = WAIT_NOT_RUNNING;
    if (str_empty(s) || str_eq(s, "not-running"))
        return true;
    *ret = str_eq(s, "removed") ? WAIT_REMOVED : WAIT_NEXT_EXIT;
    if (*ret == WAIT_REMOVED || str_eq(s, "next-exit"))
        return true;
    api_error(c, 400, "invalid condition: \"%.64s\"", s);
    return false;
}

static void on_wait(struct api_call *c)
{
    enum wait_for what;
    struct container *ct = api_container(c);
    if (!ct || !wait_condition(c, &what))
        return;
    struct waiting *x = NEW(struct waiting);
    x->call = c;
    c->state = x;
    c->free_state = waiting_free;
    http_stream_begin(c->rq, 200, "application/json", 64 << 10);
    x->handle = runtime_wait(api_runtime(c->api), ct, what, on_waited, x);
}

void api_container_wait(struct api_call *c)
{
    api_take_none(c, on_wait);
}

/* ---- changes of the writable layer ---- */

struct changes {
    struct jw w;
    size_t n;
};

static void on_change(void *arg, int kind, const char *path)
{
    struct changes *x = arg;
    jw_object(&x->w, NULL);
    jw_str(&x->w, "Path", path);
    jw_int(&x->w, "Kind", kind);
    jw_end_object(&x->w);
    x->n++;
}

static void on_changes(struct api_call *c)
{
    struct container *ct = api_container(c);
    if (!ct)
        return;
    AUTO_BUF struct buf out = API_OUT();
    struct changes x = {.w = JW_INIT(&out)};
    struct err e = {0};
    jw_array(&x.w, NULL);
    int r = runtime_changes(api_runtime(c->api), ct, on_change, &x, &e);
    jw_end_array(&x.w);
    if (r != 0) {
        api_error_runtime(c, r, &e);
        return;
    }
    if (!x.n) {
        buf_clear(&out);
        buf_str(&out, "null");
    }
    api_reply_json(c, 200, &out);
}

void api_container_changes(struct api_call *c)
{
    api_take_none(c, on_changes);
}
