/* unit/control/control_fixture.h - control behind a real socket, on a store whose disk is a fake.
 */
#ifndef UNIT_CONTROL_FIXTURE_H
#define UNIT_CONTROL_FIXTURE_H
#include <errno.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>
#include "base/clock.h"
#include "base/id.h"
#include "base/mem.h"
#include "control/control.h"
#include "lib/check.h"
#include "lib/store_fixture.h"
#include "model/pb.h"
#include "model/task.h"
#include "rpc/methods.h"

struct ctl {
    struct store_fixture fx;
    uv_loop_t loop;
    struct rpc_server *server;
    struct rpc_client *client;
    struct control *control;
    /* of the last call */
    bool done, hold_disk;
    struct rpc_status st;
    void *response; /* a copy; freed by the next call */
};

static inline void ctl_open(struct ctl *c, const struct control_hooks *hooks)
{
    struct sockaddr_un a = {.sun_family = AF_UNIX};
    uint32_t uid = getuid();
    struct err e = {0};
    *c = (struct ctl){0};
    fixture_open(&c->fx);
    snprintf(a.sun_path, sizeof(a.sun_path), "%s/s", check_tmpdir());
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0 || bind(fd, (struct sockaddr *)&a, sizeof(a)))
        exit(2);
    uv_loop_init(&c->loop);
    c->control = control_new(c->fx.store, hooks, fixture_now_, &c->fx);
    if (rpc_server_new(&c->loop, &c->server, &e) ||
        rpc_server_listen_fd(c->server, fd, &uid, 1, &e) ||
        rpc_client_new(&c->loop, a.sun_path, &c->client, &e)) {
        printf("# %s\n", e.text);
        exit(2);
    }
    control_register(c->server, c->control);
}

static inline void ctl_close(struct ctl *c)
{
    rpc_client_close(c->client);
    rpc_server_close(c->server, NULL, NULL);
    uv_run(&c->loop, UV_RUN_DEFAULT);
    fixture_close(&c->fx);
    control_free(c->control);
    EXPECT_INT(uv_loop_close(&c->loop), 0);
    pb_free(c->response);
}

static inline void ctl_turn(struct ctl *c)
{
    for (int i = 0; i < 20; i++) {
        uv_run(&c->loop, UV_RUN_NOWAIT);
        if (!c->hold_disk)
            fixture_run(&c->fx);
    }
}

static inline void ctl_answered_(void *arg, const struct rpc_status *st, ProtobufCMessage *m)
{
    struct ctl *c = arg;
    c->done = true;
    c->st = *st;
    c->response = pb_dup(m);
}

/* One call, to its end. The code of its status. */
static inline int ctl_call(struct ctl *c, const struct rpc_method *m, const void *request)
{
    int64_t end = clock_mono_ns() + 5 * NS_PER_SEC;
    pb_free(c->response);
    c->response = NULL;
    c->done = false;
    rpc_start(c->client, m, request, 0, ctl_answered_, c);
    while (!c->done && clock_mono_ns() < end) {
        uv_run(&c->loop, UV_RUN_NOWAIT);
        if (!c->hold_disk)
            fixture_run(&c->fx);
        else if (fake_log_waiting(c->fx.disk))
            return -1;
    }
    EXPECT(c->done);
    return (int)c->st.code;
}
#define CTL_CALL(c, m, rq) ctl_call((c), &rpc_method_control_##m, (rq))

/* ---- objects ---- */
static inline int ctl_secret(struct ctl *c, const char *name, size_t size, char ret_id[ID_SIZE])
{
    Pb__CreateSecretRequest rq = PB__CREATE_SECRET_REQUEST__INIT;
    Pb__SecretSpec spec = PB__SECRET_SPEC__INIT;
    Pb__Annotations a = PB__ANNOTATIONS__INIT;
    uint8_t *data = mem_new(size ? size : 1);
    memset(data, 's', size);
    a.name = (char *)(uintptr_t)name;
    spec.annotations = &a;
    spec.data = (ProtobufCBinaryData){size, data};
    rq.spec = &spec;
    int code = CTL_CALL(c, create_secret, &rq);
    if (code == RPC_OK && ret_id)
        snprintf(ret_id, ID_SIZE, "%s", ((Pb__CreateSecretResponse *)c->response)->secret->id);
    free(data);
    return code;
}

static inline Pb__ServiceSpec *ctl_spec(const char *name)
{
    Pb__ServiceSpec *s = PB_NEW(ServiceSpec, service_spec);
    s->annotations = PB_NEW(Annotations, annotations);
    pb_str(&s->annotations->name, name);
    s->task = PB_NEW(TaskSpec, task_spec);
    s->task->runtime_case = PB__TASK_SPEC__RUNTIME_CONTAINER;
    s->task->container = PB_NEW(ContainerSpec, container_spec);
    pb_str(&s->task->container->image, "redis:alpine");
    s->mode_case = PB__SERVICE_SPEC__MODE_REPLICATED;
    s->replicated = PB_NEW(ReplicatedService, replicated_service);
    s->replicated->replicas = 1;
    return s;
}

static inline void ctl_spec_secret(Pb__ServiceSpec *s, const char *id, const char *name,
                                   const char *target)
{
    Pb__SecretReference *r = PB_NEW(SecretReference, secret_reference);
    pb_str(&r->secret_id, id);
    pb_str(&r->secret_name, name);
    if (target) {
        r->target_case = PB__SECRET_REFERENCE__TARGET_FILE;
        r->file = PB_NEW(FileTarget, file_target);
        pb_str(&r->file->name, target);
    }
    PB_PUSH(s->task->container->n_secrets, s->task->container->secrets, r);
}

static inline void ctl_spec_port(Pb__ServiceSpec *s, uint32_t target, uint32_t published, int mode)
{
    Pb__PortConfig *p = PB_NEW(PortConfig, port_config);
    p->target_port = target;
    p->published_port = published;
    p->publish_mode = (Pb__PortConfig__PublishMode)mode;
    if (!s->endpoint)
        s->endpoint = PB_NEW(EndpointSpec, endpoint_spec);
    PB_PUSH(s->endpoint->n_ports, s->endpoint->ports, p);
}

/* Takes spec. */
static inline int ctl_service(struct ctl *c, Pb__ServiceSpec *spec, char ret_id[ID_SIZE])
{
    Pb__CreateServiceRequest rq = PB__CREATE_SERVICE_REQUEST__INIT;
    rq.spec = spec;
    int code = CTL_CALL(c, create_service, &rq);
    if (code == RPC_OK && ret_id)
        snprintf(ret_id, ID_SIZE, "%s", ((Pb__CreateServiceResponse *)c->response)->service->id);
    pb_free(spec);
    return code;
}

static inline const Pb__Service *ctl_get_service(struct ctl *c, const char *id)
{
    return STORE_GET(c->fx.store, STORE_COMMITTED, SERVICE, Service, id);
}

/* Takes spec. version 0: the one it has. */
static inline int ctl_update(struct ctl *c, const char *id, Pb__ServiceSpec *spec, uint64_t version,
                             bool back)
{
    Pb__UpdateServiceRequest rq = PB__UPDATE_SERVICE_REQUEST__INIT;
    Pb__Version v = PB__VERSION__INIT;
    const Pb__Service *s = ctl_get_service(c, id);
    v.index = version ? version : s ? s->meta->version->index : 0;
    rq.service_id = (char *)(uintptr_t)id;
    rq.service_version = &v;
    rq.spec = spec;
    rq.rollback = back ? PB__UPDATE_SERVICE_REQUEST__ROLLBACK__ROLLBACK_PREVIOUS
                       : PB__UPDATE_SERVICE_REQUEST__ROLLBACK__ROLLBACK_NONE;
    int code = CTL_CALL(c, update_service, &rq);
    pb_free(spec);
    return code;
}

static inline void ctl_put(struct ctl *c, enum store_kind k, void *object)
{
    struct store_batch *b = store_batch_new(c->fx.store);
    store_create(b, k, object);
    store_propose(c->fx.store, b, NULL, NULL);
    fixture_run(&c->fx);
}
#endif
