/* runtime/create.c - a new container: its configuration on top of its image's, checked, and
 * remembered on disk. Nothing is mounted. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/str.h"
#include "loop/file.h"
#include "runtime/internal.h"
#include "runtime/path.h"
#include "runtime/secrets.h"
#include "runtime/spec.h"

/* ---- the image's part ---- */

static void inherit(char **own, const char *image)
{
    if (str_empty(*own) && !str_empty(image)) {
        free(*own);
        *own = mem_str(image);
    }
}

static void drop_empty(char ***v)
{
    if (*v && (*v)[0] && !(*v)[0][0] && !(*v)[1]) { /* [""] is how clients say "none" */
        strv_free(*v);
        *v = mem_array(1, sizeof(char *));
    }
}

static void merge_command(struct container_config *c, const struct image_config *img)
{
    bool own_entrypoint = c->entrypoint && c->entrypoint[0];
    drop_empty(&c->entrypoint);
    if (!own_entrypoint && !(c->cmd && c->cmd[0]) && img->cmd) {
        strv_free(c->cmd);
        c->cmd = strv_dup((const char *const *)img->cmd);
    }
    if (!c->entrypoint && img->entrypoint)
        c->entrypoint = strv_dup((const char *const *)img->entrypoint);
}

static bool has_key(char *const *v, const char *entry)
{
    size_t n = strcspn(entry, "=");
    for (size_t i = 0; v && v[i]; i++)
        if (strncmp(v[i], entry, n) == 0 && (v[i][n] == '=' || v[i][n] == '\0'))
            return true;
    return false;
}

static void merge_missing(char ***own, char *const *image)
{
    for (size_t i = 0; image && image[i]; i++)
        if (strchr(image[i], '=') && !has_key(*own, image[i]))
            strv_push(own, mem_str(image[i]));
}

/* Entries of the user's without "=" ask to take the variable away from the image's. */
static void drop_bare_env(char **v)
{
    size_t n = 0;
    for (size_t i = 0; v && v[i]; i++) {
        if (strchr(v[i], '=') && v[i][0] != '=')
            v[n++] = v[i];
        else
            free(v[i]);
    }
    if (v)
        v[n] = NULL;
}

static void merge(struct container_config *c, const struct image_config *img)
{
    merge_command(c, img);
    merge_missing(&c->env, img->env);
    drop_bare_env(c->env);
    merge_missing(&c->labels, img->labels);
    inherit(&c->user, img->user);
    inherit(&c->workdir, img->workdir);
    inherit(&c->stop_signal, img->stop_signal);
}

/* ---- checks ---- */

static int check_refused(const struct container_config *c, struct err *e)
{
    if (c->privileged)
        return err_set(e, RUNTIME_BAD_REQUEST,
                       "privileged containers are not supported by this version");
    if (c->init)
        return err_set(e, RUNTIME_BAD_REQUEST,
                       "an init process (--init) is not supported by this version");
    if (!str_empty(c->log_driver) && !str_eq(c->log_driver, "json-file") &&
        !str_eq(c->log_driver, "none"))
        return err_set(e, RUNTIME_BAD_REQUEST, "logger: no log driver named '%.64s' is registered",
                       c->log_driver);
    return 0;
}

static int check_command(const struct container_config *c, struct err *e)
{
    size_t words =
        strv_len((const char *const *)c->entrypoint) + strv_len((const char *const *)c->cmd);
    if (words == 0)
        return err_set(e, RUNTIME_BAD_REQUEST, "No command specified");
    if (words > RUNTIME_ARGS_MAX)
        return err_set(e, RUNTIME_BAD_REQUEST, "more than %d words in the command",
                       RUNTIME_ARGS_MAX);
    if (strv_len((const char *const *)c->env) > RUNTIME_ENV_MAX)
        return err_set(e, RUNTIME_BAD_REQUEST, "more than %d variables in the environment",
                       RUNTIME_ENV_MAX);
    return 0;
}

static int check_numbers(const struct container_config *c, struct err *e)
{
    enum { MEMORY_MIN = 6 << 20 };
    char name[32];
    uint64_t soft, hard;
    if (c->memory < 0 || (c->memory > 0 && c->memory < MEMORY_MIN))
        return err_set(e, RUNTIME_BAD_REQUEST, "Minimum memory limit allowed is 6MB");
    if (c->nano_cpus < 0 || (c->nano_cpus > 0 && c->nano_cpus < 10000000))
        return err_set(e, RUNTIME_BAD_REQUEST, "NanoCPUs must be 0.01 CPU or more");
    if (c->oom_score_adj < -1000 || c->oom_score_adj > 1000)
        return err_set(e, RUNTIME_BAD_REQUEST,
                       "Invalid value %lld, range for oom score adj is [-1000, 1000]",
                       (long long)c->oom_score_adj);
    for (size_t i = 0; c->ulimits && c->ulimits[i]; i++)
        if (spec_parse_ulimit(c->ulimits[i], name, &soft, &hard) != 0)
            return err_set(e, RUNTIME_BAD_REQUEST, "invalid ulimit: %.128s", c->ulimits[i]);
    if (!str_empty(c->stop_signal) && runtime_signal_number(c->stop_signal) < 0)
        return err_set(e, RUNTIME_BAD_REQUEST, "Invalid signal: %.64s", c->stop_signal);
    return 0;
}

static int check_mount(struct mount_spec *m, struct err *e)
{
    static const char *const known[] = {"private", "rprivate", "shared",
                                        "rshared", "slave",    "rslave"};
    struct stat st;
    char *clean = path_clean(m->target);
    bool ok = str_empty(m->propagation);
    if (!clean || str_eq(clean, "/")) {
        free(clean);
        return err_set(e, RUNTIME_BAD_REQUEST,
                       "invalid mount target, must be an absolute path in the container");
    }
    free(m->target);
    m->target = clean;
    for (size_t i = 0; i < sizeof known / sizeof known[0]; i++)
        ok = ok || str_eq(m->propagation, known[i]);
    if (!ok)
        return err_set(e, RUNTIME_BAD_REQUEST, "invalid mount propagation '%.32s'", m->propagation);
    if (m->type == MOUNT_TMPFS)
        return 0;
    if (!m->source || m->source[0] != '/')
        return err_set(e, RUNTIME_BAD_REQUEST,
                       "invalid mount path: '%.256s' mount path must be absolute",
                       str_or(m->source, ""));
    if (stat(m->source, &st) != 0)
        return err_set(
            e, RUNTIME_BAD_REQUEST,
            "invalid mount config for type \"bind\": bind source path does not exist: %.256s",
            m->source);
    return 0;
}

static int check_names(const struct container_config *c, struct err *e)
{
    char *const *const lists[] = {c->hosts, c->dns, c->dns_search, c->dns_options, c->sysctls};
    for (size_t i = 0; i < sizeof lists / sizeof lists[0]; i++)
        for (size_t j = 0; lists[i] && lists[i][j]; j++)
            if (!str_printable(lists[i][j]) || strlen(lists[i][j]) > 1024)
                return err_set(e, RUNTIME_BAD_REQUEST,
                               "invalid character in a host, DNS or sysctl setting");
    if (!str_printable(str_or(c->hostname, "")) || strlen(str_or(c->hostname, "")) > 63 ||
        strpbrk(str_or(c->hostname, ""), " /"))
        return err_set(e, RUNTIME_BAD_REQUEST, "invalid hostname format: %.128s", c->hostname);
    return 0;
}

static int check_rest(struct runtime *rt, struct container_config *c, struct err *e)
{
    caps_set caps;
    int r = caps_choose((const char *const *)c->cap_add, (const char *const *)c->cap_drop, rt->caps,
                        &caps, e);
    if (r == 0)
        r = secrets_check(c->secrets, c->nsecrets, e);
    if (r != 0)
        return RUNTIME_BAD_REQUEST;
    for (size_t i = 0; i < c->nmounts && r == 0; i++)
        r = check_mount(&c->mounts[i], e);
    if (r == 0 && !str_empty(c->workdir)) {
        char *clean = path_clean(c->workdir);
        if (!clean)
            return err_set(
                e, RUNTIME_BAD_REQUEST,
                "the working directory '%.256s' is invalid, it needs to be an absolute path",
                c->workdir);
        free(c->workdir);
        c->workdir = clean;
    }
    return r;
}

static int check(struct runtime *rt, struct container_config *c, struct err *e)
{
    int r = check_refused(c, e);
    if (r == 0)
        r = check_command(c, e);
    if (r == 0)
        r = check_numbers(c, e);
    if (r == 0)
        r = check_names(c, e);
    if (r == 0)
        r = check_rest(rt, c, e);
    return r;
}

/* ---- the operation ---- */

static void write_in_pool(struct op *op)
{
    static const char *const dirs[] = {"", "/upper", "/work"};
    op->result = 0;
    for (size_t i = 0; i < 3 && op->result == 0; i++) {
        AUTO_FREE char *dir = mem_printf("%s%s", op->paths[0], dirs[i]);
        if (mkdir(dir, i == 1 ? 0755 : 0700) != 0)
            op->result = err_sys(&op->err, errno, "cannot make %s", dir);
    }
    AUTO_FREE char *path = mem_printf("%s/config.json", op->paths[0]);
    if (op->result == 0)
        op->result = file_write(path, op->text.p, op->text.len, 0600, &op->err);
}

static void on_written(struct op *op)
{
    struct ct *c = op->c;
    if (op->result != 0) {
        struct err undo;
        if (file_remove_tree(c->data_dir, &undo) != 0)
            log_error("%s", err_text(&undo));
        image_release(op->rt->images, c->pub.image_id);
        c->gone = true;
    } else {
        rt_emit_simple(c, "create");
    }
    op_end(op, op->result);
}

static void create_run(struct op *op)
{
    struct ct *c = op->c;
    struct config_record r = {
        .created_ns = c->pub.created_ns, .layers = c->layers, .config = c->config};
    str_copy(r.id, sizeof r.id, c->pub.id);
    str_copy(r.image_id, sizeof r.image_id, c->pub.image_id);
    op->text.max = CONFIG_JSON_MAX;
    config_json_write(&r, &op->text);
    if (op->text.failed) {
        image_release(op->rt->images, c->pub.image_id);
        c->gone = true;
        op_end(op, err_set(&op->err, RUNTIME_BAD_REQUEST,
                           "the container's configuration is too large"));
        return;
    }
    strv_push(&op->paths, mem_str(c->data_dir));
    op_in_pool(op, write_in_pool, on_written);
}

/* A refusal is told at the next turn, like everything else. */
struct refusal {
    struct err err;
    int r;
    runtime_on_done done;
    void *arg;
    uv_timer_t timer;
};

static void on_refusal_closed(uv_handle_t *h)
{
    free(h->data);
}

static void on_refusal_due(uv_timer_t *t)
{
    struct refusal *f = t->data;
    f->done(f->arg, f->r, &f->err, NULL);
    uv_close((uv_handle_t *)t, on_refusal_closed);
}

static void refuse_later(struct runtime *rt, int r, const struct err *e, runtime_on_done d,
                         void *arg)
{
    struct refusal *f = NEW(struct refusal);
    *f = (struct refusal){.err = *e, .r = r, .done = d, .arg = arg};
    uv_timer_init(rt->loop, &f->timer);
    f->timer.data = f;
    uv_timer_start(&f->timer, on_refusal_due, 0, 0);
}

static int resolve(struct runtime *rt, struct config_record *rec, struct err *e)
{
    struct container_config *c = rec->config;
    const struct image *img;
    if (rt->count >= CONTAINERS_MAX)
        return err_set(e, RUNTIME_CONFLICT,
                       "this node has %d containers, which is the most it can have",
                       CONTAINERS_MAX);
    if (str_empty(c->image) || image_find(rt->images, c->image, &img) != 0) {
        (void)image_not_found(str_or(c->image, ""), e);
        return RUNTIME_NOT_FOUND;
    }
    if (!str_empty(c->name)) {
        char *plain = mem_str(c->name[0] == '/' ? c->name + 1 : c->name);
        free(c->name);
        c->name = plain;
        int r = name_check(rt, plain, e);
        if (r != 0)
            return r;
    } else {
        free(c->name);
        c->name = name_random(rt);
    }
    merge(c, &img->config);
    str_copy(rec->image_id, sizeof rec->image_id, img->id);
    rec->layers = strv_dup((const char *const *)img->layer_dirs);
    if (!rec->layers)
        rec->layers = mem_array(1, sizeof(char *));
    return check(rt, c, e);
}

void runtime_create(struct runtime *rt, struct container_config *config, runtime_on_done d,
                    void *arg)
{
    struct config_record rec = {.config = config, .created_ns = clock_wall_ns()};
    struct err e = {0};
    id_hex_new(rec.id);
    int r = resolve(rt, &rec, &e);
    if (r != 0) {
        config_record_done(&rec);
        refuse_later(rt, r, &e, d, arg);
        return;
    }
    for (size_t i = 0; i < config->nsecrets; i++) { /* payloads come with the start */
        secret_buf_free(config->secrets[i].payload);
        config->secrets[i].payload = NULL;
    }
    image_hold(rt->images, rec.image_id);
    struct ct *c = ct_new(rt, &rec);
    ct_insert(c);
    op_queue(op_new(c, create_run, d, arg), false);
}
