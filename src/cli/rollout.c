/* cli/rollout.c - how far a service is: counting tasks by slot or node, as engine-api tells it for
 * the stock CLI. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include "base/mem.h"
#include "base/str.h"
#include "cli/js.h"
#include "cli/progress.h"

enum { BARS_MAX = 20, ERROR_CUT = 75, RUNNING = 9, COMPLETE = 10, STATES = 15 };

static int state_number(const char *s)
{
    static const char *const states[STATES] = {"new",      "allocated", "pending",  "assigned",
                                               "accepted", "preparing", "ready",    "starting",
                                               "running",  "complete",  "shutdown", "failed",
                                               "rejected", "remove",    "orphaned"};
    for (int i = 0; i < STATES; i++)
        if (str_eq(states[i], s))
            return i + 1;
    return 0;
}

static int status_of(json_t *t)
{
    return state_number(js_str(t, "Status.State"));
}

static int desired_of(json_t *t)
{
    return state_number(js_str(t, "DesiredState"));
}

static void draw(struct lines *l, const char *name, const char *status)
{
    struct line_state s = {.name = name, .status = status};
    lines_draw(l, &s);
}

/* The task's error on one line, cut; or its state with a bar. */
static void draw_task(struct lines *l, const char *name, json_t *t, int out_of)
{
    char text[ERROR_CUT * 4 + 8];
    const char *error = js_str(t, "Status.Err");
    if (*error) {
        size_t n = 0, chars = 0;
        bool cut = false;
        for (; error[n] && n < sizeof text - 8; n++) {
            chars += ((unsigned char)error[n] & 0xc0) != 0x80;
            if (chars > ERROR_CUT) {
                cut = true;
                break;
            }
            text[n] = error[n] == '\n' ? ' ' : error[n];
        }
        /* the sign of the cut takes the place of the last character */
        while (cut && n && ((unsigned char)text[--n] & 0xc0) == 0x80)
            continue;
        str_copy(text + n, sizeof text - n, cut ? "…" : "");
        draw(l, name, text);
        return;
    }
    if (desired_of(t) > (out_of == COMPLETE ? COMPLETE : RUNNING) ||
        status_of(t) > (out_of == COMPLETE ? COMPLETE : RUNNING))
        return;
    snprintf(text, sizeof text, "%-9s", js_str(t, "Status.State"));
    struct line_state s = {.name = name, .status = text, .current = status_of(t), .total = out_of};
    lines_draw(l, &s);
}

static void draw_overall(struct lines *l, size_t running, size_t all, bool rollback)
{
    char text[80];
    snprintf(text, sizeof text, "%s%zu out of %zu tasks", rollback ? "rolling back update: " : "",
             running, all);
    draw(l, "overall progress", text);
}

static bool on_live_node(json_t *t, json_t *nodes)
{
    const char *id = js_str(t, "NodeID");
    return !*id || json_object_get(nodes, id);
}

/* The task that stands for each key ("1", "2" … or a node): the one with the lower desired, then
 * lower real state. */
static json_t *pick(json_t *tasks, json_t *nodes, bool by_node)
{
    json_t *picked = js_own(json_object()), *t;
    size_t i;
    json_array_foreach(tasks, i, t)
    {
        char key[64];
        if (!desired_of(t) || !status_of(t))
            continue;
        if (by_node)
            str_copy(key, sizeof key, js_str(t, "NodeID"));
        else
            snprintf(key, sizeof key, "%lld", (long long)js_int(t, "Slot"));
        json_t *old = json_object_get(picked, key);
        if (old && (desired_of(old) < desired_of(t) ||
                    (desired_of(old) == desired_of(t) && status_of(old) <= status_of(t))))
            continue;
        if (by_node && !*key)
            continue;
        if (on_live_node(t, nodes))
            json_object_set(picked, key, t);
    }
    return picked;
}

static int line_of_slot(struct rollout *r, int slot)
{
    for (size_t i = 0; i < r->nslots; i++)
        if (r->slots[i] == slot)
            return (int)i + 1;
    if (r->nslots == sizeof r->slots / sizeof *r->slots)
        return (int)r->nslots + 1; /* beyond what is drawn */
    r->slots[r->nslots++] = slot;
    return (int)r->nslots;
}

static bool still_running(json_t *picked)
{
    const char *k;
    json_t *t;
    json_object_foreach(picked, k, t) if (status_of(t) != RUNNING) return false;
    return true;
}

static size_t count_running(json_t *picked)
{
    const char *k;
    json_t *t;
    size_t n = 0;
    json_object_foreach(picked, k, t) n += desired_of(t) <= RUNNING && status_of(t) == RUNNING;
    return n;
}

static int replicated(struct cli *c, struct rollout *r, struct lines *l, json_t *service,
                      json_t *tasks, json_t *nodes, bool *ret)
{
    json_t *want = js_at(service, "Spec.Mode.Replicated.Replicas");
    char name[48];
    if (!want)
        return err_set(&c->err, -EPROTO, "no replica count");
    size_t all = (size_t)json_integer_value(want);
    if (!r->begun) {
        draw_overall(l, 0, all, r->rollback);
        for (size_t i = 1; all <= BARS_MAX && i <= all; i++) {
            snprintf(name, sizeof name, "%zu/%zu", i, all);
            draw(l, name, " ");
        }
        r->begun = true;
    }
    AUTO_JSON json_t *picked = pick(tasks, nodes, false);
    if (r->done && !still_running(picked))
        r->done = false;
    const char *k;
    json_t *t;
    json_object_foreach(picked, k, t)
    {
        int line = line_of_slot(r, (int)js_int(t, "Slot"));
        snprintf(name, sizeof name, "%d/%zu", line, all);
        if (!r->done && all <= BARS_MAX && (size_t)line <= all)
            draw_task(l, name, t, RUNNING);
    }
    size_t running = count_running(picked);
    if (!r->done) {
        draw_overall(l, running, all, r->rollback);
        r->done = running == all;
    }
    *ret = running == all;
    return 0;
}

static int global(struct rollout *r, struct lines *l, json_t *tasks, json_t *nodes, bool *ret)
{
    AUTO_JSON json_t *picked = pick(tasks, nodes, true);
    size_t all = json_object_size(picked);
    *ret = false;
    if (!r->begun) {
        if (!all) {
            draw(l, "overall progress", "waiting for new tasks");
            return 0;
        }
        draw_overall(l, 0, all, r->rollback);
        r->begun = true;
    }
    if (r->done && !still_running(picked))
        r->done = false;
    const char *k;
    json_t *t;
    json_object_foreach(picked, k, t)
    {
        char name[16];
        snprintf(name, sizeof name, "%.12s", js_str(t, "NodeID"));
        if (!r->done && all <= BARS_MAX && json_object_get(nodes, js_str(t, "NodeID")))
            draw_task(l, name, t, RUNNING);
    }
    size_t running = count_running(picked);
    if (!r->done) {
        draw_overall(l, running, all, r->rollback);
        r->done = running == all;
    }
    *ret = running == all;
    return 0;
}

/* --- jobs --- */

static json_t *of_this_round(json_t *service, json_t *tasks)
{
    json_t *out = js_own(json_array()), *t;
    size_t i;
    int64_t round = js_int(service, "JobStatus.JobIteration.Index");
    json_array_foreach(tasks, i, t) if (js_int(t, "JobIteration.Index") == round)
        json_array_append(out, t);
    return out;
}

static size_t count_state(json_t *picked, int at)
{
    const char *k;
    json_t *t;
    size_t n = 0;
    json_object_foreach(picked, k, t) n +=
        at == COMPLETE ? status_of(t) == COMPLETE : status_of(t) < COMPLETE;
    return n;
}

static void draw_job(struct lines *l, size_t complete, size_t total)
{
    char text[80];
    snprintf(text, sizeof text, "%zu out of %zu complete", complete, total);
    struct line_state s = {.name = "job progress",
                           .status = text,
                           .current = (int64_t)complete,
                           .total = (int64_t)total};
    lines_draw(l, &s);
}

static void begin_job(struct lines *l, size_t total, size_t at_once)
{
    char text[80];
    draw_job(l, 0, total);
    snprintf(text, sizeof text, "0 out of %zu tasks", at_once);
    draw(l, "active tasks", text);
    for (size_t i = 1; total <= BARS_MAX && i <= total; i++) {
        snprintf(text, sizeof text, "%zu/%zu", i, total);
        draw(l, text, " ");
    }
}

static int replicated_job(struct rollout *r, struct lines *l, json_t *service, json_t *tasks,
                          json_t *nodes, bool *ret)
{
    AUTO_JSON json_t *mine = of_this_round(service, tasks);
    AUTO_JSON json_t *picked = pick(mine, nodes, false);
    size_t total = (size_t)js_int(service, "Spec.Mode.ReplicatedJob.TotalCompletions");
    size_t at_once = (size_t)js_int(service, "Spec.Mode.ReplicatedJob.MaxConcurrent");
    if (!json_object_get(js_at(service, "Spec.Mode.ReplicatedJob"), "TotalCompletions"))
        total = 1;
    if (!at_once)
        at_once = total;
    size_t complete = count_state(picked, COMPLETE), active = count_state(picked, 0);
    size_t left = total - (complete < total ? complete : total),
           room = left < at_once ? left : at_once;
    char text[80], name[48];
    if (!r->begun)
        begin_job(l, total, at_once < total ? at_once : total);
    r->begun = true;
    draw_job(l, complete, total);
    snprintf(text, sizeof text, "%zu out of %zu tasks", active, room);
    draw(l, "active tasks", text);
    const char *k;
    json_t *t;
    json_object_foreach(picked, k, t)
    {
        int line = line_of_slot(r, (int)js_int(t, "Slot"));
        snprintf(name, sizeof name, "%d/%zu", line, total);
        if (total <= BARS_MAX && (size_t)line <= total)
            draw_task(l, name, t, COMPLETE);
    }
    *ret = complete >= total;
    return 0;
}

static int global_job(struct rollout *r, struct lines *l, json_t *service, json_t *tasks,
                      json_t *nodes, bool *ret)
{
    AUTO_JSON json_t *mine = of_this_round(service, tasks);
    AUTO_JSON json_t *picked = pick(mine, nodes, true);
    *ret = false;
    if (!r->begun && !json_object_size(picked)) {
        draw(l, "overall progress", "waiting for tasks to appear");
        return 0;
    }
    if (!r->begun)
        r->expected_nodes = json_object_size(picked);
    r->begun = true;
    size_t complete = count_state(picked, COMPLETE);
    draw_job(l, complete, r->expected_nodes);
    const char *k;
    json_t *t;
    json_object_foreach(picked, k, t)
    {
        char name[16];
        snprintf(name, sizeof name, "%.12s", js_str(t, "NodeID"));
        if (r->expected_nodes <= BARS_MAX)
            draw_task(l, name, t, COMPLETE);
    }
    *ret = complete >= r->expected_nodes;
    return 0;
}

int rollout_step(struct cli *c, struct rollout *r, struct lines *l, json_t *service, json_t *tasks,
                 json_t *nodes, bool *ret)
{
    json_t *mode = js_at(service, "Spec.Mode");
    if (json_object_get(mode, "Replicated"))
        return replicated(c, r, l, service, tasks, nodes, ret);
    if (json_object_get(mode, "Global"))
        return global(r, l, tasks, nodes, ret);
    if (json_object_get(mode, "ReplicatedJob"))
        return replicated_job(r, l, service, tasks, nodes, ret);
    if (json_object_get(mode, "GlobalJob"))
        return global_job(r, l, service, tasks, nodes, ret);
    return err_set(&c->err, -EPROTO, "unrecognized service mode");
}
