/* cli/wait.c - stands by until a service runs as it should, and stays so for its monitor time. */
#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include "base/clock.h"
#include "base/mem.h"
#include "base/str.h"
#include "cli/api.h"
#include "cli/commands.h"
#include "cli/js.h"
#include "cli/progress.h"

enum { ROUND_MS = 200, MONITOR_S = 5 };

struct watch {
    struct cli *c;
    const char *id; /* as the user may know it: the progress lines name it */
    struct rollout rollout;
    struct lines lines;
    bool converged, ended;
    int64_t converged_at;
    char last_words[1024]; /* of a finished rollback */
};

static void say(struct watch *w, const char *name, const char *text)
{
    struct line_state s = {.name = name, .status = text};
    lines_draw(&w->lines, &s);
}

/* What the engine says of the update itself. 1: it is over. */
static int look_at_update(struct watch *w, json_t *service)
{
    const char *state = js_str(service, "UpdateStatus.State"),
               *message = js_str(service, "UpdateStatus.Message");
    if (str_eq(state, "updating"))
        w->rollout.rollback = false;
    else if (str_eq(state, "completed") && !w->converged)
        return 1;
    else if (str_eq(state, "paused"))
        return err_set(&w->c->err, -ECANCELED, "service update paused: %s", message);
    else if (str_eq(state, "rollback_paused"))
        return err_set(&w->c->err, -ECANCELED, "service rollback paused: %s", message);
    else if (str_eq(state, "rollback_completed") && !w->converged)
        str_copy(w->last_words, sizeof w->last_words, message);
    else if (str_eq(state, "rollback_started") && !w->rollout.rollback) {
        if (*message)
            say(w, "rollback", message);
        w->rollout.rollback = true;
    }
    return 0;
}

static json_t *live_nodes(json_t *nodes)
{
    json_t *live = js_own(json_object()), *n;
    size_t i;
    json_array_foreach(nodes, i, n) if (!str_eq(js_str(n, "Status.State"), "down"))
        json_object_set_new(live, js_str(n, "ID"), json_true());
    return live;
}

static bool is_job(json_t *service)
{
    return js_at(service, "Spec.Mode.ReplicatedJob") || js_at(service, "Spec.Mode.GlobalJob");
}

static void judge(struct watch *w, json_t *service, bool converged, int64_t monitor, int64_t now)
{
    char text[96];
    if (!converged) {
        if (w->converged)
            say(w, "verify", "Detected task failure");
        w->converged = false;
        return;
    }
    if (is_job(service)) {
        say(w, "", "job complete");
        w->ended = true;
        return;
    }
    if (!w->converged)
        w->converged_at = now;
    w->converged = true;
    int64_t left = monitor - (now - w->converged_at);
    if (left < 0)
        left = 0;
    snprintf(text, sizeof text, "Waiting %lld seconds to verify that tasks are stable...",
             (long long)(left / NS_PER_SEC) + 1);
    say(w, "verify", text);
}

static int one_round(struct watch *w)
{
    AUTO_JSON json_t *service = NULL, *tasks = NULL, *nodes = NULL;
    AUTO_FREE char *path = api_path("/services/%s?insertDefaults=false", w->id);
    int r = api_get(w->c, path, &service);
    if (r)
        return r;
    int64_t monitor = js_int(service, "Spec.UpdateConfig.Monitor"), now = clock_mono_ns();
    monitor = monitor ? monitor : MONITOR_S * NS_PER_SEC;
    r = look_at_update(w, service);
    if (r) {
        w->ended = r > 0;
        return r < 0 ? r : 0;
    }
    if (w->converged && now - w->converged_at >= monitor) {
        AUTO_FREE char *text = mem_printf("Service %s converged", w->id);
        say(w, "verify", text);
        if (w->last_words[0])
            say(w, "rollback", w->last_words);
        w->ended = true;
        return 0;
    }
    AUTO_BUF struct buf list = BUF_INIT(4096);
    AUTO_FREE char *of = mem_printf("service=%s", js_str(service, "ID"));
    const char *filters[] = {of, "_up-to-date=true", NULL};
    buf_str(&list, "/tasks");
    query_filters(&list, filters);
    r = api_get(w->c, list.p, &tasks);
    if (!r)
        r = api_get(w->c, "/nodes", &nodes);
    if (r)
        return r;
    bool converged = false;
    AUTO_JSON json_t *live = live_nodes(nodes);
    r = rollout_step(w->c, &w->rollout, &w->lines, service, tasks, live, &converged);
    if (!r)
        judge(w, service, converged, monitor, now);
    return r;
}

/* Waits a round's time; true when the user pressed ctrl-C. */
static bool interrupted(const sigset_t *set)
{
    struct timespec t = {.tv_nsec = ROUND_MS * NS_PER_MS};
    return sigtimedwait(set, NULL, &t) == SIGINT;
}

int service_wait(struct cli *c, const char *id, bool quiet)
{
    struct watch *w = NEW(struct watch);
    sigset_t set, before;
    w->c = c;
    w->id = id;
    lines_init(&w->lines, stdout, quiet);
    sigemptyset(&set);
    sigaddset(&set, SIGINT);
    sigprocmask(SIG_BLOCK, &set, &before);
    int r = 0;
    while (!r && !w->ended) {
        r = one_round(w);
        if (r || w->ended || !interrupted(&set))
            continue;
        if (!w->converged) {
            AUTO_FREE char *text = mem_printf("Use `keep service ps %s` to check progress.", id);
            say(w, "", "Operation continuing in background.");
            say(w, "", text);
        }
        break;
    }
    sigprocmask(SIG_SETMASK, &before, NULL);
    free(w);
    return r;
}
