/* control/in_use.c - who uses what. */
#include "control/in_use.h"

#include "base/str.h"
#include "model/pb.h"
#include "model/service.h"

static const Pb__ContainerSpec *container_of(const Pb__ServiceSpec *spec)
{
    if (!spec || !spec->task || spec->task->runtime_case != PB__TASK_SPEC__RUNTIME_CONTAINER)
        return NULL;
    return spec->task->container;
}

bool service_spec_uses_secret(const Pb__ServiceSpec *spec, const char *id)
{
    const Pb__ContainerSpec *c = container_of(spec);
    for (size_t i = 0; c && i < c->n_secrets; i++)
        if (str_eq(c->secrets[i]->secret_id, id))
            return true;
    return false;
}

bool service_spec_uses_config(const Pb__ServiceSpec *spec, const char *id)
{
    const Pb__ContainerSpec *c = container_of(spec);
    for (size_t i = 0; c && i < c->n_configs; i++)
        if (str_eq(c->configs[i]->config_id, id))
            return true;
    const Pb__Privileges__CredentialSpec *cred =
        c && c->privileges ? c->privileges->credential_spec : NULL;
    return cred && cred->source_case == PB__PRIVILEGES__CREDENTIAL_SPEC__SOURCE_CONFIG &&
           str_eq(cred->config, id);
}

static bool attached(Pb__NetworkAttachmentConfig *const *list, size_t n, const char *id)
{
    for (size_t i = 0; i < n; i++)
        if (str_eq(list[i]->target, id))
            return true;
    return false;
}

bool service_spec_uses_network(const Pb__ServiceSpec *spec, const char *id)
{
    if (!spec)
        return false;
    return attached(spec->networks, spec->n_networks, id) ||
           (spec->task && attached(spec->task->networks, spec->task->n_networks, id));
}

struct search {
    in_use_fn uses;
    const char *id;
    size_t found;
    struct buf *names;
};

static int visit(const void *object, void *arg)
{
    const Pb__Service *s = object;
    struct search *q = arg;
    if (!q->uses(s->spec, q->id))
        return 0;
    buf_printf(q->names, "%s%s", q->found++ ? ", " : "", service_name(s));
    return 0;
}

size_t in_use_services(const struct store *s, in_use_fn uses, const char *id, struct buf *names)
{
    AUTO_BUF struct buf list = BUF_INIT(names->max - 32); /* room for the words in front */
    struct search q = {.uses = uses, .id = id, .names = &list};
    store_each(s, STORE_TIP, STORE_SERVICE, visit, &q);
    if (q.found)
        buf_printf(names, "service%s: %s", q.found > 1 ? "s" : "", list.p ? list.p : "");
    return q.found;
}
