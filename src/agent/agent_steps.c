/* agent/agent_steps.c - the steps of a task, carried out: image, container, secrets, start, stop,
 * removal. */
#include "agent/internal.h"

#include <errno.h>
#include <stdlib.h>

#include "base/log.h"
#include "base/mem.h"
#include "base/str.h"

static void begin(struct agent_task *t)
{
    t->busy = true;
    t->agent->operations++;
}

/* The step is over: plan the next one and tell the manager. The task may be gone after. */
static void end(struct agent_task *t)
{
    struct agent *a = t->agent;
    t->busy = false;
    if (!a->closing) {
        agent_task_advance(t);
        agent_tell(a);
    }
    agent_operation_done(a);
}

static void reject(struct agent_task *t, const char *err)
{
    agent_task_set(t, PB__TASK_STATE__TASK_STATE_REJECTED, t->message, err);
}

static void fail_start(struct agent_task *t, const char *why)
{
    AUTO_FREE char *err = mem_printf("starting container failed: %s", why);
    agent_task_set(t, PB__TASK_STATE__TASK_STATE_FAILED, t->message, err);
}

/* ---- create ---- */

static void create(struct agent_task *t);

static void on_pulled(void *arg, int r, const struct err *e, const char *id)
{
    (void)id;
    struct agent_task *t = arg;
    t->pull = NULL;
    t->pulled = true;
    const char *image = t->task->spec->container->image;
    if (r != 0 && !t->withdrawn) {
        log_info("image %s could not be pulled: %s", image, err_text(e));
        AUTO_FREE char *err = mem_printf("No such image: %s", image);
        reject(t, err);
        end(t);
    } else if (t->withdrawn || t->agent->closing) {
        end(t);
    } else {
        create(t);
    }
}

static void pull(struct agent_task *t)
{
    const Pb__ContainerSpec *spec = t->task->spec->container;
    const char *auth = spec->pull_options ? spec->pull_options->registry_auth : NULL;
    t->pull = image_pull(t->agent->images, spec->image, str_empty(auth) ? NULL : auth, NULL,
                         on_pulled, t);
}

static void on_created(void *arg, int r, const struct err *e, struct container *c)
{
    struct agent_task *t = arg;
    if (r == 0) {
        t->container = c;
        str_copy(t->container_id, sizeof(t->container_id), c->id);
        agent_task_set(t, PB__TASK_STATE__TASK_STATE_READY, "prepared", NULL);
    } else if (r == RUNTIME_NOT_FOUND && !t->pulled && !t->withdrawn && !t->agent->closing) {
        pull(t);
        return;
    } else {
        reject(t, err_text(e));
    }
    end(t);
}

static void create(struct agent_task *t)
{
    struct container_config *config;
    struct err e = {0};
    if (task_container_config(t->task, t->agent->node_id, &config, &e) != 0) {
        reject(t, err_text(&e));
        end(t);
        return;
    }
    runtime_create(t->agent->runtime, config, on_created, t);
}

static void step_create(struct agent_task *t)
{
    begin(t);
    agent_task_set(t, PB__TASK_STATE__TASK_STATE_PREPARING, "preparing", NULL);
    create(t);
}

/* ---- start ---- */

/* One copy of each payload for the runtime, which wipes it once it is written. */
static int gather_secrets(struct agent_task *t, struct secret_buf ***ret, size_t *ret_n,
                          struct err *e)
{
    const Pb__ContainerSpec *spec = t->task->spec->container;
    struct secret_buf **v = mem_array(spec->n_secrets + 1, sizeof(struct secret_buf *));
    size_t n = 0;
    int r = 0;
    for (size_t i = 0; i < spec->n_secrets && r == 0; i++) {
        const Pb__SecretReference *ref = spec->secrets[i];
        if (ref->target_case != PB__SECRET_REFERENCE__TARGET_FILE)
            continue;
        const struct agent_secret *s = agent_secrets_find(t->agent, ref->secret_id);
        if (!s)
            r = err_set(e, -ENOENT, "unable to get secret from secret store: secret %s not found",
                        ref->secret_id);
        else if (s->templated)
            r = err_set(
                e, -ENOSYS,
                "unable to get secret from secret store: failed to expand templated secret %s: "
                "templates are not supported by this version",
                ref->secret_id);
        else if (!(v[n] = secret_buf_dup(s->payload)))
            r = err_set(e, -ENOMEM,
                        "unable to get secret from secret store: locked memory is full");
        else
            n++;
    }
    if (r != 0) {
        for (size_t i = 0; i < n; i++)
            secret_buf_free(v[i]);
        free(v);
        return r;
    }
    *ret = v;
    *ret_n = n;
    return 0;
}

static void on_started(void *arg, int r, const struct err *e, struct container *c)
{
    struct agent_task *t = arg;
    if (r != 0 && r != RUNTIME_NOT_MODIFIED) {
        fail_start(t, err_text(e));
    } else {
        t->pid = c->pid;
        agent_task_set(t, PB__TASK_STATE__TASK_STATE_RUNNING, "started", NULL);
        if (c->state ==
            CONTAINER_EXITED) /* so short that it ended before we were told of its start */
            agent_task_take_exit(t, c);
    }
    end(t);
}

static void step_start(struct agent_task *t)
{
    struct secret_buf **payloads = NULL;
    size_t n = 0;
    struct err e = {0};
    begin(t);
    agent_task_set(t, PB__TASK_STATE__TASK_STATE_STARTING, "starting", NULL);
    if (task_container_check_start(t->task, &e) != 0 || gather_secrets(t, &payloads, &n, &e) != 0) {
        fail_start(t, err_text(&e));
        end(t);
        return;
    }
    runtime_start(t->agent->runtime, t->container, payloads, n, on_started, t);
    free(payloads);
}

/* ---- stop and removal ---- */

static void on_stopped(void *arg, int r, const struct err *e, struct container *c)
{
    struct agent_task *t = arg;
    if (r < 0)
        log_warn("task %s did not stop: %s", t->task->id, err_text(e));
    if (c && c->state != CONTAINER_RUNNING && t->state < PB__TASK_STATE__TASK_STATE_COMPLETE)
        agent_task_take_exit(t, c);
    else if (!t->container && t->state < PB__TASK_STATE__TASK_STATE_COMPLETE)
        agent_task_set(t, PB__TASK_STATE__TASK_STATE_SHUTDOWN, "shutdown", NULL);
    end(t);
}

static void step_stop(struct agent_task *t)
{
    const Pb__ContainerSpec *spec = t->task->spec->container;
    int64_t grace = spec->stop_grace_period ? spec->stop_grace_period->seconds : -1;
    begin(t);
    t->stopping = true;
    runtime_stop(t->agent->runtime, t->container, 0, grace, on_stopped, t);
}

static void on_removed(void *arg, int r, const struct err *e, struct container *c)
{
    (void)c;
    struct agent_task *t = arg;
    if (r != 0)
        log_warn("container of task %s was not removed: %s", t->task->id, err_text(e));
    t->container = NULL;
    end(t);
}

void agent_step(struct agent_task *t, enum task_step step)
{
    switch (step) {
    case STEP_CREATE:
        step_create(t);
        break;
    case STEP_START:
        step_start(t);
        break;
    case STEP_STOP:
        step_stop(t);
        break;
    case STEP_SHUT:
        agent_task_set(t, PB__TASK_STATE__TASK_STATE_SHUTDOWN, "shutdown", NULL);
        break;
    case STEP_REMOVE:
        begin(t);
        runtime_remove(t->agent->runtime, t->container, true, on_removed, t);
        break;
    case STEP_NONE:
    case STEP_FORGET:
        break;
    }
}
