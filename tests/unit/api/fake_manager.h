/* unit/api/fake_manager.h - a manager of a few lines for test_api.c: secrets in a table, two
 * services, one cluster; what it was asked is noted. */
#ifndef UNIT_API_FAKE_MANAGER_H
#define UNIT_API_FAKE_MANAGER_H
#include <stdbool.h>
#include <string.h>
#include "base/id.h"
#include "base/secret.h"
#include "base/str.h"
#include "model/pb.h"
#include "proto/control.pb-c.h"
#include "rpc/methods.h"

static Pb__Secret *secrets[64];
static size_t nsecrets;
static uint8_t last_data[64];
static size_t last_len;
static bool data_was_locked;
static int list_calls, get_calls;

static void create_secret(struct rpc_call *call, const ProtobufCMessage *m, void *arg)
{
    const Pb__CreateSecretRequest *rq = (const void *)m;
    Pb__CreateSecretResponse res = PB__CREATE_SECRET_RESPONSE__INIT;
    (void)arg;
    last_len = rq->spec->data.len;
    data_was_locked = last_len == 0 || secret_owns(rq->spec->data.data);
    if (last_len <= sizeof(last_data) && last_len > 0)
        memcpy(last_data, rq->spec->data.data, last_len);
    if (last_len == 0 || last_len >= 512000) {
        rpc_fail(call, RPC_INVALID_ARGUMENT,
                 "secret data must be larger than 0 and less than 512000 bytes");
        return;
    }
    Pb__Secret *s = PB_NEW(Secret, secret);
    char id[ID_SIZE];
    id_new(id);
    pb_str(&s->id, id);
    s->spec = PB_NEW(SecretSpec, secret_spec);
    s->spec->annotations = pb_dup(rq->spec->annotations);
    secrets[nsecrets++] = s;
    res.secret = s;
    rpc_reply(call, &res.base);
}

static bool has(char **list, size_t n, const char *s, bool prefix)
{
    for (size_t i = 0; i < n; i++)
        if (prefix ? str_starts(s, list[i]) : str_ieq(s, list[i]))
            return true;
    return false;
}

static void list_secrets(struct rpc_call *call, const ProtobufCMessage *m, void *arg)
{
    const Pb__ListSecretsRequest *rq = (const void *)m;
    Pb__ListSecretsResponse res = PB__LIST_SECRETS_RESPONSE__INIT;
    Pb__Secret *found[64];
    const Pb__ListSecretsRequest__Filters *f = rq->filters;
    (void)arg;
    list_calls++;
    res.secrets = found;
    for (size_t i = 0; i < nsecrets; i++) {
        const char *name = secrets[i]->spec->annotations->name;
        bool all = !f || (!f->n_names && !f->n_id_prefixes && !f->n_name_prefixes);
        if (all || has(f->names, f->n_names, name, false) ||
            has(f->id_prefixes, f->n_id_prefixes, secrets[i]->id, true) ||
            has(f->name_prefixes, f->n_name_prefixes, name, true))
            found[res.n_secrets++] = secrets[i];
    }
    rpc_reply(call, &res.base);
}

static void get_secret(struct rpc_call *call, const ProtobufCMessage *m, void *arg)
{
    const Pb__GetSecretRequest *rq = (const void *)m;
    Pb__GetSecretResponse res = PB__GET_SECRET_RESPONSE__INIT;
    (void)arg;
    get_calls++;
    for (size_t i = 0; i < nsecrets; i++) {
        if (str_eq(secrets[i]->id, rq->secret_id)) {
            res.secret = secrets[i];
            rpc_reply(call, &res.base);
            return;
        }
    }
    rpc_fail(call, RPC_NOT_FOUND, "secret %s not found", rq->secret_id);
}

static void remove_secret(struct rpc_call *call, const ProtobufCMessage *m, void *arg)
{
    (void)m, (void)arg;
    rpc_fail(call, RPC_INVALID_ARGUMENT, "secret 'a' is in use by the following service: redis");
}

static void update_secret(struct rpc_call *call, const ProtobufCMessage *m, void *arg)
{
    const Pb__UpdateSecretRequest *rq = (const void *)m;
    (void)arg;
    data_was_locked = rq->spec->data.len == 0 || secret_owns(rq->spec->data.data);
    last_len = rq->spec->data.len;
    rpc_fail(call, RPC_UNKNOWN, "update out of sequence");
}

static void list_clusters(struct rpc_call *call, const ProtobufCMessage *m, void *arg)
{
    Pb__ListClustersResponse res = PB__LIST_CLUSTERS_RESPONSE__INIT;
    Pb__Cluster c = PB__CLUSTER__INIT, *list = &c;
    (void)m, (void)arg;
    c.id = (char *)(uintptr_t) "q6a4u4e40irlk2lasljgi0h8c";
    res.clusters = &list;
    res.n_clusters = 1;
    rpc_reply(call, &res.base);
}

static void list_services(struct rpc_call *call, const ProtobufCMessage *m, void *arg)
{
    Pb__ListServicesResponse res = PB__LIST_SERVICES_RESPONSE__INIT;
    Pb__Service *list[2] = {PB_NEW(Service, service), PB_NEW(Service, service)};
    (void)m, (void)arg;
    for (size_t i = 0; i < 2; i++) {
        Pb__ServiceSpec *spec = PB_NEW(ServiceSpec, service_spec);
        pb_str(&list[i]->id, i ? "service-two" : "service-one");
        spec->annotations = PB_NEW(Annotations, annotations);
        pb_str(&spec->annotations->name, i ? "two" : "one");
        spec->task = PB_NEW(TaskSpec, task_spec);
        spec->task->runtime_case = PB__TASK_SPEC__RUNTIME_CONTAINER;
        spec->task->container = PB_NEW(ContainerSpec, container_spec);
        spec->mode_case = PB__SERVICE_SPEC__MODE_REPLICATED;
        spec->replicated = PB_NEW(ReplicatedService, replicated_service);
        list[i]->spec = spec;
    }
    res.services = list;
    res.n_services = 2;
    rpc_reply(call, &res.base);
    pb_free(list[0]);
    pb_free(list[1]);
}

static void list_statuses(struct rpc_call *call, const ProtobufCMessage *m, void *arg)
{
    const Pb__ListServiceStatusesRequest *rq = (const void *)m;
    Pb__ListServiceStatusesResponse res = PB__LIST_SERVICE_STATUSES_RESPONSE__INIT;
    Pb__ListServiceStatusesResponse__ServiceStatus
        st = PB__LIST_SERVICE_STATUSES_RESPONSE__SERVICE_STATUS__INIT,
        *list = &st;
    (void)arg;
    st.service_id = rq->services[1];
    st.running_tasks = 3;
    res.statuses = &list;
    res.n_statuses = 1;
    rpc_reply(call, &res.base);
}

static void hang(struct rpc_call *call, const ProtobufCMessage *m, void *arg)
{
    (void)call, (void)m, (void)arg;
}

static const struct rpc_handler handlers[] = {
    {&rpc_method_control_create_secret, create_secret},
    {&rpc_method_control_list_secrets, list_secrets},
    {&rpc_method_control_get_secret, get_secret},
    {&rpc_method_control_remove_secret, remove_secret},
    {&rpc_method_control_update_secret, update_secret},
    {&rpc_method_control_list_clusters, list_clusters},
    {&rpc_method_control_list_nodes, hang},
    {&rpc_method_control_list_services, list_services},
    {&rpc_method_control_list_service_statuses, list_statuses},
};
#endif
