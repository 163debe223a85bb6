/* runtime/exec.c - execs as records: made, found, forgotten. The running of one is exec_run.c. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/str.h"
#include "runtime/internal.h"

enum { EXECS_KEPT = 64 }; /* ended ones of a container that can still be looked at */

static void exec_config_free(struct exec_config *x)
{
    if (!x)
        return;
    strv_free(x->cmd);
    strv_free(x->env);
    free(x->user);
    free(x->workdir);
    free(x->detach_keys);
    free(x);
}

static void ex_free(struct ex *x)
{
    exec_config_free(x->config);
    free(x);
}

static void ex_forget(struct ct *c, struct ex *x)
{
    TAILQ_REMOVE(&c->execs, x, link);
    c->nexecs--;
    if (!x->run) {
        ex_free(x);
        return;
    }
    x->forgotten = true; /* freed when its process has ended */
    if (c->rt->closing)
        exec_run_abandon(x->run);
}

void execs_free(struct ct *c)
{
    for (struct ex *x; (x = TAILQ_FIRST(&c->execs));)
        ex_forget(c, x);
}

void exec_ended(struct ex *x)
{
    x->run = NULL;
    if (x->forgotten)
        ex_free(x);
}

/* The oldest go that have ended, then those that were never started. */
static void make_room(struct ct *c)
{
    struct ex *x, *next;
    size_t idle = 0;
    TAILQ_FOREACH(x, &c->execs, link)
    idle += x->run == NULL;
    for (x = TAILQ_FIRST(&c->execs); x && idle >= EXECS_KEPT; x = next) {
        next = TAILQ_NEXT(x, link);
        if (x->run)
            continue;
        ex_forget(c, x);
        idle--;
    }
}

static int check_exec(struct ct *c, const struct exec_config *x, struct err *e)
{
    if (c->pub.state == CONTAINER_PAUSED)
        return err_set(e, RUNTIME_CONFLICT,
                       "Container %s is paused, unpause the container before exec",
                       c->config->name);
    if (c->pub.state != CONTAINER_RUNNING)
        return err_set(e, RUNTIME_CONFLICT, "Container %s is not running", c->pub.id);
    if (!x->cmd || !x->cmd[0])
        return err_set(e, RUNTIME_BAD_REQUEST, "No exec command specified");
    if (strv_len((const char *const *)x->cmd) > RUNTIME_ARGS_MAX ||
        strv_len((const char *const *)x->env) > RUNTIME_ENV_MAX)
        return err_set(e, RUNTIME_BAD_REQUEST, "the exec's command or environment is too long");
    if (x->privileged)
        return err_set(e, RUNTIME_BAD_REQUEST, "privileged exec is not supported by this version");
    if (x->tty && !c->rt->is_crun)
        return err_set(e, RUNTIME_BAD_REQUEST,
                       "exec with a terminal needs crun, which does not run on this node");
    return 0;
}

/* The engine writes the program, a blank, and the arguments: "exec_create: mount " ends with one.
 */
static void emit_command(struct ct *c, const char *what, const struct ex *x)
{
    AUTO_BUF struct buf b = BUF_INIT(1 << 20);
    char *const *cmd = x->config->cmd;
    buf_printf(&b, "%s: %s ", what, cmd[0]);
    for (size_t i = 1; cmd[i]; i++)
        buf_printf(&b, "%s%s", i > 1 ? " " : "", cmd[i]);
    const struct runtime_event ev = {
        .action = b.failed ? what : b.p, .c = &c->pub, .exec_id = x->pub.id};
    rt_emit(c, &ev);
}

int runtime_exec_create(struct runtime *rt, struct container *pub, struct exec_config *config,
                        struct exec **ret, struct err *e)
{
    struct ct *c = ct_of(pub);
    (void)rt;
    int r = check_exec(c, config, e);
    make_room(c);
    if (r == 0 && c->nexecs >= RUNTIME_EXECS_MAX)
        r = err_set(e, RUNTIME_CONFLICT,
                    "Container %s has %d execs running, which is the most it can have", c->pub.id,
                    RUNTIME_EXECS_MAX);
    if (r != 0) {
        exec_config_free(config);
        return r;
    }
    struct ex *x = NEW(struct ex);
    id_hex_new(x->pub.id);
    x->config = config;
    x->pub.config = config;
    x->pub.container = pub;
    x->pub.exit_code = -1;
    TAILQ_INSERT_TAIL(&c->execs, x, link);
    c->nexecs++;
    emit_command(c, "exec_create", x);
    *ret = &x->pub;
    return 0;
}

int runtime_exec_find(struct runtime *rt, const char *id, struct exec **ret, struct err *e)
{
    struct ct *c;
    struct ex *x;
    TAILQ_FOREACH(c, &rt->all, age)
    {
        TAILQ_FOREACH(x, &c->execs, link)
        {
            if (str_eq(x->pub.id, id)) {
                *ret = &x->pub;
                return 0;
            }
        }
    }
    return err_set(e, RUNTIME_NOT_FOUND, "No such exec instance: %.128s", id);
}

/* A refusal comes at the next turn, like every answer. */
struct refused {
    uv_timer_t timer;
    struct err err;
    int r;
    void (*on_started)(void *arg, int r, const struct err *e, struct stream *s);
    void *arg;
};

static void on_refused_closed(uv_handle_t *h)
{
    free(h->data);
}

static void on_refused(uv_timer_t *t)
{
    struct refused *f = t->data;
    f->on_started(f->arg, f->r, &f->err, NULL);
    uv_close((uv_handle_t *)t, on_refused_closed);
}

void runtime_exec_start(struct runtime *rt, struct exec *pub, const struct stream_sink *sink,
                        void (*on_started)(void *arg, int r, const struct err *e, struct stream *s),
                        void *arg)
{
    struct ex *x = (struct ex *)pub;
    struct ct *c = ct_of(pub->container);
    struct err e = {0};
    int r = 0;
    if (pub->started)
        r = err_set(&e, RUNTIME_CONFLICT, "Error: Exec command %s %s", pub->id,
                    pub->running ? "is already running" : "has already run");
    else
        r = check_exec(c, x->config, &e);
    if (r != 0) {
        struct refused *f = NEW(struct refused);
        *f = (struct refused){.err = e, .r = r, .on_started = on_started, .arg = arg};
        uv_timer_init(rt->loop, &f->timer);
        f->timer.data = f;
        uv_timer_start(&f->timer, on_refused, 0, 0);
        return;
    }
    pub->started = true;
    emit_command(c, "exec_start", x);
    exec_run_start(x, sink, on_started, arg);
}

int runtime_exec_resize(struct runtime *rt, struct exec *pub, unsigned rows, unsigned cols,
                        struct err *e)
{
    struct ex *x = (struct ex *)pub;
    (void)rt;
    if (rows > 65535 || cols > 65535)
        return err_set(e, RUNTIME_BAD_REQUEST, "a terminal of %u lines and %u columns cannot be",
                       rows, cols);
    x->config->rows = rows;
    x->config->cols = cols;
    if (pub->started && !pub->running && !x->run)
        return err_set(e, -EIO, "cannot resize a stopped container: unknown");
    if (x->run)
        exec_run_resize(x->run, rows, cols);
    return 0;
}
