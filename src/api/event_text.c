/* api/event_text.c - see the header. */
#include "api/event_text.h"

#include <stdlib.h>
#include <string.h>
#include "api/encode.h"
#include "api/lists.h"
#include "base/str.h"
#include "model/node.h"
#include "model/pb.h"
#include "model/service.h"

void event_init(struct event *ev, const char *type, const char *action, const char *id,
                const char *scope, int64_t time_ns)
{
    *ev = (struct event){.id = mem_str(id), .time_ns = time_ns};
    str_copy(ev->type, sizeof(ev->type), type);
    str_copy(ev->action, sizeof(ev->action), action);
    str_copy(ev->scope, sizeof(ev->scope), scope);
}

void event_attribute(struct event *ev, const char *key, const char *value)
{
    for (char **a = ev->attributes; a && *a; a += 2) {
        if (strcmp(*a, key) == 0) {
            free(a[1]);
            a[1] = mem_str(value ? value : "");
            return;
        }
    }
    strv_push(&ev->attributes, mem_str(key));
    strv_push(&ev->attributes, mem_str(value ? value : ""));
}

void event_done(struct event *ev)
{
    free(ev->id);
    free(ev->from);
    strv_free(ev->attributes);
}

static const char *attribute(const struct event *ev, const char *key)
{
    for (char **a = ev->attributes; a && *a; a += 2) {
        if (strcmp(*a, key) == 0)
            return a[1];
    }
    return NULL;
}

/* ---- filters ---- */

static const char *label(void *arg, const char *key)
{
    return attribute(arg, key);
}

/* One of the values is the object's id, its beginning, or its name. */
static bool is_named(const struct event *ev, const struct api_filters *f, const char *key)
{
    const char *name = attribute(ev, "name");
    for (const char *const *v = api_filters_values(f, key); *v; v++) {
        if (str_starts(ev->id, *v) || (name && strcmp(name, *v) == 0))
            return true;
    }
    return false;
}

static bool is_image(const struct event *ev, const struct api_filters *f)
{
    const char *name = strcmp(ev->type, "image") == 0 ? attribute(ev, "name") : ev->from;
    for (const char *const *v = api_filters_values(f, "image"); *v; v++) {
        size_t n = strlen(*v);
        if (str_eq(ev->id, *v) || (name && strncmp(name, *v, n) == 0 &&
                                   (name[n] == '\0' || (name[n] == ':' && !strchr(*v, ':')))))
            return true;
    }
    return false;
}

static bool fits_action(const struct event *ev, const struct api_filters *f)
{
    const char *const *v = api_filters_values(f, "event");
    size_t bare = strcspn(ev->action, ":"); /* "exec_start: sh" is wanted by "exec_start" too */
    if (!*v)
        return true;
    for (; *v; v++) {
        if (strcmp(*v, ev->action) == 0 ||
            (strlen(*v) == bare && memcmp(*v, ev->action, bare) == 0))
            return true;
    }
    return false;
}

bool event_fits(const struct event *ev, const struct api_filters *f)
{
    static const char *const objects[] = {"container", "volume", "network", "plugin", "daemon",
                                          "service",   "node",   "secret",  "config"};
    if (!f)
        return true;
    if (!list_fits_exact(f, "type", ev->type) || !list_fits_exact(f, "scope", ev->scope) ||
        !fits_action(ev, f))
        return false;
    for (size_t i = 0; i < sizeof(objects) / sizeof(*objects); i++) {
        if (api_filters_has(f, objects[i]) &&
            (strcmp(ev->type, objects[i]) != 0 || !is_named(ev, f, objects[i])))
            return false;
    }
    if (api_filters_has(f, "image") && !is_image(ev, f))
        return false;
    return api_filters_labels(f, "label", label, (void *)(uintptr_t)ev);
}

/* ---- writing ---- */

static int by_key(const void *a, const void *b)
{
    char *const *x = a, *const *y = b;
    return strcmp(*x, *y);
}

void event_write(const struct event *ev, struct buf *b)
{
    struct jw w = JW_INIT(b);
    bool old_members = strcmp(ev->type, "container") == 0 || strcmp(ev->type, "image") == 0;
    size_t n = strv_len((const char *const *)ev->attributes) / 2;
    jw_object(&w, NULL);
    if (old_members) {
        jw_str(&w, "status", ev->action);
        jw_str(&w, "id", ev->id);
        jw_str_opt(&w, "from", ev->from);
    }
    jw_str(&w, "Type", ev->type);
    jw_str(&w, "Action", ev->action);
    jw_object(&w, "Actor");
    jw_str(&w, "ID", ev->id);
    jw_object(&w, "Attributes");
    if (n > 1)
        qsort(ev->attributes, n, 2 * sizeof(char *), by_key);
    for (size_t i = 0; i < n; i++)
        jw_str(&w, ev->attributes[2 * i], ev->attributes[2 * i + 1]);
    jw_end_object(&w);
    jw_end_object(&w);
    jw_str(&w, "scope", ev->scope);
    jw_int(&w, "time", ev->time_ns / 1000000000);
    jw_int(&w, "timeNano", ev->time_ns);
    jw_end_object(&w);
    buf_char(b, '\n');
}

/* ---- changes of the cluster's objects ---- */

static void change(struct event *ev, const char *what, const char *before, const char *after)
{
    char key[48];
    if (str_eq(before, after))
        return;
    snprintf(key, sizeof(key), "%s.old", what);
    event_attribute(ev, key, before);
    snprintf(key, sizeof(key), "%s.new", what);
    event_attribute(ev, key, after);
}

static void service_changes(struct event *ev, const Pb__Service *before, const Pb__Service *after)
{
    const Pb__ServiceSpec *b = before->spec, *a = after->spec;
    char old_n[24], new_n[24];
    if (b && a && b->mode_case == PB__SERVICE_SPEC__MODE_REPLICATED &&
        a->mode_case == PB__SERVICE_SPEC__MODE_REPLICATED) {
        snprintf(old_n, sizeof(old_n), "%llu", (unsigned long long)b->replicated->replicas);
        snprintf(new_n, sizeof(new_n), "%llu", (unsigned long long)a->replicated->replicas);
        change(ev, "replicas", old_n, new_n);
    }
    if (b && a && b->task && a->task && b->task->runtime_case == PB__TASK_SPEC__RUNTIME_CONTAINER &&
        a->task->runtime_case == PB__TASK_SPEC__RUNTIME_CONTAINER)
        change(ev, "image", b->task->container->image, a->task->container->image);
    const char *old_state =
        before->update_status ? encode_update_state((int)before->update_status->state) : "";
    const char *new_state =
        after->update_status ? encode_update_state((int)after->update_status->state) : "";
    if (!str_eq(old_state, new_state)) {
        if (*old_state)
            event_attribute(ev, "updatestate.old", old_state);
        if (*new_state)
            event_attribute(ev, "updatestate.new", new_state);
    }
}

static void node_changes(struct event *ev, const Pb__Node *before, const Pb__Node *after)
{
    static const char *const reach[] = {"unknown", "unreachable", "reachable"};
    change(ev, "availability", node_availability_name(node_availability(before)),
           node_availability_name(node_availability(after)));
    change(ev, "role", node_role_name(before->spec ? (int)before->spec->desired_role : 0),
           node_role_name(after->spec ? (int)after->spec->desired_role : 0));
    change(ev, "state", node_state_name(node_state(before)), node_state_name(node_state(after)));
    if (before->manager_status && after->manager_status) {
        change(ev, "leader", before->manager_status->leader ? "true" : "false",
               after->manager_status->leader ? "true" : "false");
        change(ev, "reachability", encode_word(reach, 3, (int)before->manager_status->reachability),
               encode_word(reach, 3, (int)after->manager_status->reachability));
    }
}

struct face { /* what all kinds have */
    const char *type, *id, *name;
    const Pb__Meta *meta;
};

static bool face_of(const Pb__Object *o, struct face *ret)
{
    switch (o->object_case) {
    case PB__OBJECT__OBJECT_SECRET:
        *ret = (struct face){"secret", o->secret->id,
                             o->secret->spec ? pb_name(o->secret->spec->annotations) : "",
                             o->secret->meta};
        return true;
    case PB__OBJECT__OBJECT_CONFIG:
        *ret = (struct face){"config", o->config->id,
                             o->config->spec ? pb_name(o->config->spec->annotations) : "",
                             o->config->meta};
        return true;
    case PB__OBJECT__OBJECT_SERVICE:
        *ret = (struct face){"service", o->service->id,
                             o->service->spec ? pb_name(o->service->spec->annotations) : "",
                             o->service->meta};
        return true;
    case PB__OBJECT__OBJECT_NETWORK:
        *ret = (struct face){"network", o->network->id,
                             o->network->spec ? pb_name(o->network->spec->annotations) : "",
                             o->network->meta};
        return true;
    case PB__OBJECT__OBJECT_NODE: {
        const Pb__Node *n = o->node;
        const char *name = n->spec ? pb_name(n->spec->annotations) : "";
        *ret = (struct face){"node", n->id, *name ? name : node_hostname(n), n->meta};
        return true;
    }
    default:
        return false;
    }
}

bool event_of_object(const Pb__WatchMessage__Event *ch, int64_t now, struct event *ret)
{
    struct face f;
    if (!ch->object || !face_of(ch->object, &f))
        return false;
    const char *action =
        ch->action == PB__WATCH_ACTION_KIND__WATCH_ACTION_KIND_WATCH_ACTION_CREATE   ? "create"
        : ch->action == PB__WATCH_ACTION_KIND__WATCH_ACTION_KIND_WATCH_ACTION_REMOVE ? "remove"
                                                                                     : "update";
    int64_t at = now;
    if (*action == 'c' && f.meta)
        at = pb_time_ns(f.meta->created_at);
    else if (*action == 'u' && f.meta)
        at = pb_time_ns(f.meta->updated_at);
    event_init(ret, f.type, action, f.id, "swarm", at ? at : now);
    event_attribute(ret, "name", f.name);
    if (*action == 'u' && ch->old_object &&
        ch->old_object->object_case == ch->object->object_case) {
        if (ch->object->object_case == PB__OBJECT__OBJECT_SERVICE)
            service_changes(ret, ch->old_object->service, ch->object->service);
        else if (ch->object->object_case == PB__OBJECT__OBJECT_NODE)
            node_changes(ret, ch->old_object->node, ch->object->node);
    }
    return true;
}
