/* agent/agent_secrets.c - the secrets that were delivered to this node, in secret memory, by id. */
#include "agent/internal.h"

#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "base/mem.h"
#include "base/str.h"

static int compare(struct agent_secret *a, struct agent_secret *b)
{
    return strcmp(a->id, b->id);
}
RB_PROTOTYPE_STATIC(agent_secrets, agent_secret, node, compare)
RB_GENERATE_STATIC(agent_secrets, agent_secret, node, compare)

static void drop(struct agent *a, struct agent_secret *s)
{
    RB_REMOVE(agent_secrets, &a->secrets, s);
    secret_buf_free(s->payload);
    free(s->id);
    free(s->name);
    free(s);
}

void agent_secrets_put(struct agent *a, const Pb__Secret *in)
{
    agent_secrets_drop(a, in->id);
    size_t n = in->spec ? in->spec->data.len : 0;
    struct secret_buf *payload = secret_buf_new(n);
    if (!payload || secret_buf_append(payload, in->spec ? in->spec->data.data : NULL, n) < 0) {
        /* Its tasks fail with "secret not found", which is what they would see anyway. */
        log_error("locked memory is full: secret %s was not taken; give the daemon more with "
                  "LimitMEMLOCK=",
                  in->id);
        secret_buf_free(payload);
        return;
    }
    struct agent_secret *s = NEW(struct agent_secret);
    s->id = mem_str(in->id);
    s->name = mem_str(in->spec && in->spec->annotations ? in->spec->annotations->name : "");
    s->templated = in->spec && in->spec->templating && !str_empty(in->spec->templating->name);
    s->payload = payload;
    RB_INSERT(agent_secrets, &a->secrets, s);
}

const struct agent_secret *agent_secrets_find(struct agent *a, const char *id)
{
    struct agent_secret key = {.id = id ? (char *)(uintptr_t)id : (char *)(uintptr_t) ""};
    return RB_FIND(agent_secrets, &a->secrets, &key);
}

void agent_secrets_drop(struct agent *a, const char *id)
{
    struct agent_secret key = {.id = (char *)(uintptr_t)id};
    struct agent_secret *s = RB_FIND(agent_secrets, &a->secrets, &key);
    if (s)
        drop(a, s);
}

void agent_secrets_clear(struct agent *a)
{
    struct agent_secret *s;
    while ((s = RB_MIN(agent_secrets, &a->secrets)) != NULL)
        drop(a, s);
}
