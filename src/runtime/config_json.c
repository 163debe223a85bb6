/* runtime/config_json.c - one table names the members, so that writing and reading cannot drift
 * apart. */
#include "runtime/config_json.h"

#include <errno.h>
#include <jansson.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include "base/jw.h"
#include "base/mem.h"
#include "base/str.h"

enum member_kind { MEMBER_STR, MEMBER_STRV, MEMBER_BOOL, MEMBER_INT };
struct member {
    const char *key;
    enum member_kind kind;
    size_t at;
};
#define MEMBER(kind, name)                                                                         \
    {                                                                                              \
#name, kind, offsetof(struct container_config, name)                                       \
    }
static const struct member members[] = {
    MEMBER(MEMBER_STR, name),
    MEMBER(MEMBER_STR, image),
    MEMBER(MEMBER_STRV, entrypoint),
    MEMBER(MEMBER_STRV, cmd),
    MEMBER(MEMBER_STRV, env),
    MEMBER(MEMBER_STRV, labels),
    MEMBER(MEMBER_STR, user),
    MEMBER(MEMBER_STR, workdir),
    MEMBER(MEMBER_STR, hostname),
    MEMBER(MEMBER_STR, domainname),
    MEMBER(MEMBER_STR, stop_signal),
    MEMBER(MEMBER_STRV, groups),
    MEMBER(MEMBER_STRV, hosts),
    MEMBER(MEMBER_STRV, dns),
    MEMBER(MEMBER_STRV, dns_search),
    MEMBER(MEMBER_STRV, dns_options),
    MEMBER(MEMBER_STRV, cap_add),
    MEMBER(MEMBER_STRV, cap_drop),
    MEMBER(MEMBER_STRV, sysctls),
    MEMBER(MEMBER_STRV, ulimits),
    MEMBER(MEMBER_BOOL, tty),
    MEMBER(MEMBER_BOOL, open_stdin),
    MEMBER(MEMBER_BOOL, stdin_once),
    MEMBER(MEMBER_BOOL, read_only),
    MEMBER(MEMBER_BOOL, no_new_privileges),
    MEMBER(MEMBER_BOOL, privileged),
    MEMBER(MEMBER_BOOL, init),
    MEMBER(MEMBER_BOOL, auto_remove),
    MEMBER(MEMBER_BOOL, attach_stdin),
    MEMBER(MEMBER_BOOL, attach_stdout),
    MEMBER(MEMBER_BOOL, attach_stderr),
    MEMBER(MEMBER_INT, nano_cpus),
    MEMBER(MEMBER_INT, memory),
    MEMBER(MEMBER_INT, pids_limit),
    MEMBER(MEMBER_INT, oom_score_adj),
    MEMBER(MEMBER_INT, stop_timeout_s),
    MEMBER(MEMBER_STR, log_driver),
    MEMBER(MEMBER_BOOL, service_task),
};
#undef MEMBER
enum { MEMBERS = sizeof(members) / sizeof(members[0]) };

static void secret_file_done(struct secret_file *f)
{
    free(f->target);
    free(f->name);
    secret_buf_free(f->payload);
}

static void mount_spec_done(struct mount_spec *m)
{
    free(m->source);
    free(m->target);
    free(m->propagation);
}

void container_config_free(struct container_config *c)
{
    if (!c)
        return;
    for (size_t i = 0; i < MEMBERS; i++) {
        void *p = (char *)c + members[i].at;
        if (members[i].kind == MEMBER_STR)
            free(*(char **)p);
        else if (members[i].kind == MEMBER_STRV)
            strv_free(*(char ***)p);
    }
    for (size_t i = 0; i < c->nmounts; i++)
        mount_spec_done(&c->mounts[i]);
    for (size_t i = 0; i < c->nsecrets; i++)
        secret_file_done(&c->secrets[i]);
    free(c->mounts);
    free(c->secrets);
    free(c);
}

/* ---- writing ---- */

static void write_member(struct jw *w, const struct member *m, const struct container_config *c)
{
    const void *p = (const char *)c + m->at;
    if (m->kind == MEMBER_STR && *(char *const *)p)
        jw_str(w, m->key, *(char *const *)p);
    else if (m->kind == MEMBER_STRV && *(char **const *)p)
        jw_strv(w, m->key, *(const char *const *const *)p);
    else if (m->kind == MEMBER_BOOL)
        jw_bool(w, m->key, *(const bool *)p);
    else if (m->kind == MEMBER_INT)
        jw_int(w, m->key, *(const int64_t *)p);
}

static void write_mounts(struct jw *w, const struct container_config *c)
{
    jw_array(w, "mounts");
    for (size_t i = 0; i < c->nmounts; i++) {
        const struct mount_spec *m = &c->mounts[i];
        jw_object(w, NULL);
        jw_str(w, "type", m->type == MOUNT_BIND ? "bind" : "tmpfs");
        jw_str(w, "source", m->source);
        jw_str(w, "target", m->target);
        jw_bool(w, "readonly", m->readonly);
        jw_str_opt(w, "propagation", m->propagation);
        jw_uint(w, "size", m->tmpfs_size);
        jw_uint(w, "mode", m->tmpfs_mode);
        jw_end_object(w);
    }
    jw_end_array(w);
}

static void write_secrets(struct jw *w, const struct container_config *c)
{
    jw_array(w, "secrets");
    for (size_t i = 0; i < c->nsecrets; i++) {
        const struct secret_file *f = &c->secrets[i];
        jw_object(w, NULL);
        jw_str(w, "name", f->name);
        jw_str(w, "target", f->target);
        jw_uint(w, "uid", f->uid);
        jw_uint(w, "gid", f->gid);
        jw_uint(w, "mode", f->mode);
        jw_end_object(w);
    }
    jw_end_array(w);
}

void config_json_write(const struct config_record *r, struct buf *ret)
{
    struct jw w = JW_INIT(ret);
    jw_object(&w, NULL);
    jw_str(&w, "id", r->id);
    jw_str(&w, "image_id", r->image_id);
    jw_int(&w, "created_ns", r->created_ns);
    jw_strv(&w, "layers", (const char *const *)r->layers);
    jw_object(&w, "config");
    for (size_t i = 0; i < MEMBERS; i++)
        write_member(&w, &members[i], r->config);
    jw_int(&w, "network", r->config->network);
    jw_uint(&w, "log_max_size", r->config->log_max_size);
    write_mounts(&w, r->config);
    write_secrets(&w, r->config);
    jw_end_object(&w);
    jw_end_object(&w);
}

void state_json_write(const struct state_record *s, struct buf *ret)
{
    struct jw w = JW_INIT(ret);
    jw_object(&w, NULL);
    jw_str(&w, "state", container_state_name(s->state));
    jw_int(&w, "pid", s->pid);
    jw_uint(&w, "pid_start", s->pid_start);
    jw_int(&w, "exit_code", s->exit_code);
    jw_bool(&w, "oom_killed", s->oom_killed);
    jw_int(&w, "started_ns", s->started_ns);
    jw_int(&w, "finished_ns", s->finished_ns);
    jw_str(&w, "error", s->error);
    jw_end_object(&w);
}

/* ---- reading: ours, but a disk may have changed it, so every type is looked at ---- */

static char *get_str(const json_t *o, const char *key)
{
    const json_t *v = json_object_get(o, key);
    return json_is_string(v) ? mem_str(json_string_value(v)) : NULL;
}

static int64_t get_int(const json_t *o, const char *key)
{
    const json_t *v = json_object_get(o, key);
    return json_is_integer(v) ? (int64_t)json_integer_value(v) : 0;
}

static bool get_bool(const json_t *o, const char *key)
{
    return json_is_true(json_object_get(o, key));
}

static char **get_strv(const json_t *o, const char *key)
{
    const json_t *v = json_object_get(o, key);
    if (!json_is_array(v))
        return NULL;
    char **out = mem_array(json_array_size(v) + 1, sizeof(char *));
    size_t n = 0;
    for (size_t i = 0; i < json_array_size(v); i++)
        if (json_is_string(json_array_get(v, i)))
            out[n++] = mem_str(json_string_value(json_array_get(v, i)));
    return out;
}

static void read_member(const json_t *o, const struct member *m, struct container_config *c)
{
    void *p = (char *)c + m->at;
    if (m->kind == MEMBER_STR)
        *(char **)p = get_str(o, m->key);
    else if (m->kind == MEMBER_STRV)
        *(char ***)p = get_strv(o, m->key);
    else if (m->kind == MEMBER_BOOL)
        *(bool *)p = get_bool(o, m->key);
    else
        *(int64_t *)p = get_int(o, m->key);
}

static void read_mounts(const json_t *o, struct container_config *c)
{
    const json_t *v = json_object_get(o, "mounts");
    c->mounts = mem_array(json_array_size(v) + 1, sizeof(*c->mounts));
    for (size_t i = 0; i < json_array_size(v); i++) {
        const json_t *m = json_array_get(v, i);
        AUTO_FREE char *type = get_str(m, "type");
        c->mounts[c->nmounts++] = (struct mount_spec){
            .type = str_eq(type, "tmpfs") ? MOUNT_TMPFS : MOUNT_BIND,
            .source = get_str(m, "source"),
            .target = get_str(m, "target"),
            .readonly = get_bool(m, "readonly"),
            .propagation = get_str(m, "propagation"),
            .tmpfs_size = (uint64_t)get_int(m, "size"),
            .tmpfs_mode = (uint32_t)get_int(m, "mode"),
        };
    }
}

static void read_secrets(const json_t *o, struct container_config *c)
{
    const json_t *v = json_object_get(o, "secrets");
    c->secrets = mem_array(json_array_size(v) + 1, sizeof(*c->secrets));
    for (size_t i = 0; i < json_array_size(v); i++) {
        const json_t *f = json_array_get(v, i);
        c->secrets[c->nsecrets++] = (struct secret_file){
            .name = get_str(f, "name"),
            .target = get_str(f, "target"),
            .uid = (uint32_t)get_int(f, "uid"),
            .gid = (uint32_t)get_int(f, "gid"),
            .mode = (uint32_t)get_int(f, "mode") & 0777,
        };
    }
}

void config_record_done(struct config_record *r)
{
    strv_free(r->layers);
    container_config_free(r->config);
    *r = (struct config_record){0};
}

/* Whatever the rest of the room takes for granted. */
static bool config_is_whole(const struct config_record *r)
{
    const struct container_config *c = r->config;
    bool whole = str_is_hex(r->id, ID_HEX_LEN) && r->layers && !str_empty(c->name) && c->image;
    for (size_t i = 0; i < c->nmounts; i++)
        whole = whole && c->mounts[i].target &&
                (c->mounts[i].source || c->mounts[i].type == MOUNT_TMPFS);
    for (size_t i = 0; i < c->nsecrets; i++)
        whole = whole && c->secrets[i].target && c->secrets[i].target[0] == '/';
    return whole && c->network >= NETWORK_NONE && c->network <= NETWORK_HOST;
}

int config_json_read(const char *text, size_t n, struct config_record *ret, struct err *e)
{
    json_t *top = json_loadb(text, n, 0, NULL);
    const json_t *o = json_object_get(top, "config");
    if (!json_is_object(o)) {
        json_decref(top);
        return err_set(e, -EBADMSG, "not a container's configuration");
    }
    struct config_record r = {.config = NEW(struct container_config),
                              .created_ns = get_int(top, "created_ns")};
    AUTO_FREE char *id = get_str(top, "id");
    AUTO_FREE char *image = get_str(top, "image_id");
    str_copy(r.id, sizeof r.id, str_or(id, ""));
    str_copy(r.image_id, sizeof r.image_id, str_or(image, ""));
    r.layers = get_strv(top, "layers");
    for (size_t i = 0; i < MEMBERS; i++)
        read_member(o, &members[i], r.config);
    r.config->network = (enum network_mode)get_int(o, "network");
    r.config->log_max_size = (uint64_t)get_int(o, "log_max_size");
    read_mounts(o, r.config);
    read_secrets(o, r.config);
    json_decref(top);
    if (!config_is_whole(&r)) {
        config_record_done(&r);
        return err_set(e, -EBADMSG, "a container's configuration lacks something");
    }
    *ret = r;
    return 0;
}

int state_json_read(const char *text, size_t n, struct state_record *ret, struct err *e)
{
    json_t *o = json_loadb(text, n, 0, NULL);
    AUTO_FREE char *state = get_str(o, "state");
    int found = -1;
    for (int s = CONTAINER_CREATED; s <= CONTAINER_DEAD; s++)
        if (str_eq(state, container_state_name((enum container_state)s)))
            found = s;
    if (found < 0) {
        json_decref(o);
        return err_set(e, -EBADMSG, "not a container's state");
    }
    *ret = (struct state_record){
        .state = (enum container_state)found,
        .pid = (int)get_int(o, "pid"),
        .pid_start = (uint64_t)get_int(o, "pid_start"),
        .exit_code = (int)get_int(o, "exit_code"),
        .oom_killed = get_bool(o, "oom_killed"),
        .started_ns = get_int(o, "started_ns"),
        .finished_ns = get_int(o, "finished_ns"),
        .error = get_str(o, "error"),
    };
    json_decref(o);
    return 0;
}
