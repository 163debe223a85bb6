/* image/config.c - reads and writes the OCI image configuration. */
#include "image/config.h"

#include <errno.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>
#include <sys/utsname.h>
#include "base/buf.h"
#include "base/clock.h"
#include "base/jw.h"
#include "base/mem.h"
#include "base/str.h"
#include "base/version.h"
#include "image/digest.h"

enum { LIST_MAX = 65536 }; /* members of one list: a blob is 4 MiB at most anyway */

static int wrong(struct err *e, const char *name)
{
    return err_set(e, -EPROTO, "invalid image configuration: %s is not what it should be", name);
}

static int take_str(json_t *o, const char *name, char **ret, struct err *e)
{
    json_t *v = json_object_get(o, name);
    if (!v || json_is_null(v))
        return 0;
    if (!json_is_string(v))
        return wrong(e, name);
    if (json_string_length(v) > 0)
        *ret = mem_str(json_string_value(v));
    return 0;
}

static int take_list(json_t *o, const char *name, char ***ret, struct err *e)
{
    json_t *v = json_object_get(o, name), *it;
    size_t i;
    if (!v || json_is_null(v))
        return 0;
    if (!json_is_array(v) || json_array_size(v) > LIST_MAX)
        return wrong(e, name);
    char **list = mem_array(json_array_size(v) + 1, sizeof *list);
    json_array_foreach(v, i, it)
    {
        if (!json_is_string(it)) {
            strv_free(list);
            return wrong(e, name);
        }
        list[i] = mem_str(json_string_value(it));
    }
    *ret = list;
    return 0;
}

/* {"80/tcp": {}} gives its keys; {"k": "v"} with_values gives "k=v". */
static int take_map(json_t *o, const char *name, bool with_values, char ***ret, struct err *e)
{
    json_t *v = json_object_get(o, name), *it;
    const char *key;
    if (!v || json_is_null(v))
        return 0;
    if (!json_is_object(v) || json_object_size(v) > LIST_MAX)
        return wrong(e, name);
    char **list = mem_array(json_object_size(v) + 1, sizeof *list);
    size_t n = 0;
    json_object_foreach(v, key, it)
    {
        if (with_values && !json_is_string(it)) {
            strv_free(list);
            return wrong(e, name);
        }
        list[n++] = with_values ? mem_printf("%s=%s", key, json_string_value(it)) : mem_str(key);
    }
    *ret = list;
    return 0;
}

static void drop_nameless_env(char **env)
{
    size_t to = 0;
    for (size_t i = 0; env && env[i]; i++) {
        const char *eq = strchr(env[i], '=');
        if (eq && eq != env[i])
            env[to++] = env[i];
        else
            free(env[i]);
    }
    if (env)
        env[to] = NULL;
}

static int take_health(json_t *o, struct image_config *c, struct err *e)
{
    json_t *v = json_object_get(o, "Healthcheck");
    if (!v || json_is_null(v))
        return 0;
    if (!json_is_object(v))
        return wrong(e, "Healthcheck");
    char *s = json_dumps(v, JSON_COMPACT);
    c->healthcheck_json = mem_str(s);
    free(s);
    return 0;
}

static int take_config(json_t *o, struct image_config *c, struct err *e)
{
    int r = take_list(o, "Entrypoint", &c->entrypoint, e);
    if (r == 0)
        r = take_list(o, "Cmd", &c->cmd, e);
    if (r == 0)
        r = take_list(o, "Env", &c->env, e);
    if (r == 0)
        r = take_list(o, "Shell", &c->shell, e);
    if (r == 0)
        r = take_list(o, "OnBuild", &c->onbuild, e);
    if (r == 0)
        r = take_map(o, "Labels", true, &c->labels, e);
    if (r == 0)
        r = take_map(o, "Volumes", false, &c->volumes, e);
    if (r == 0)
        r = take_map(o, "ExposedPorts", false, &c->ports, e);
    if (r == 0)
        r = take_str(o, "User", &c->user, e);
    if (r == 0)
        r = take_str(o, "WorkingDir", &c->workdir, e);
    if (r == 0)
        r = take_str(o, "StopSignal", &c->stop_signal, e);
    if (r == 0)
        r = take_health(o, c, e);
    drop_nameless_env(c->env);
    return r;
}

static int take_diff_ids(json_t *root, struct config *c, struct err *e)
{
    json_t *fs = json_object_get(root, "rootfs");
    if (!json_is_object(fs))
        return wrong(e, "rootfs");
    int r = take_list(fs, "diff_ids", &c->diff_ids, e);
    if (r < 0)
        return r;
    size_t n = strv_len((const char *const *)c->diff_ids);
    if (n > IMAGE_LAYERS_MAX)
        return err_set(e, -EPROTO, "max depth exceeded: the image has %zu layers, %d are possible",
                       n, IMAGE_LAYERS_MAX);
    for (size_t i = 0; i < n; i++)
        if (!digest_hex(c->diff_ids[i]))
            return wrong(e, "diff_ids");
    if (!c->diff_ids)
        c->diff_ids = mem_array(1, sizeof *c->diff_ids);
    return 0;
}

static int take_all(json_t *root, struct config *c, struct err *e)
{
    json_t *part = json_object_get(root, "config");
    if (!json_is_object(root))
        return wrong(e, "the whole");
    int r = take_str(root, "author", &c->c.author, e);
    if (r == 0)
        r = take_str(root, "architecture", &c->c.architecture, e);
    if (r == 0)
        r = take_str(root, "os", &c->c.os, e);
    if (r == 0 && c->c.os && !str_eq(c->c.os, "linux"))
        r = err_set(e, -EPROTO, "image operating system \"%.100s\" cannot be used on this platform",
                    c->c.os);
    const char *created = json_string_value(json_object_get(root, "created"));
    if (created && time_parse(created, &c->created_ns) != 0)
        c->created_ns = 0; /* only for show */
    if (r == 0)
        r = take_diff_ids(root, c, e);
    if (r == 0 && part && !json_is_null(part))
        r = json_is_object(part) ? take_config(part, &c->c, e) : wrong(e, "config");
    return r;
}

int config_parse(const char *json, size_t n, struct config *ret, struct err *e)
{
    json_error_t je;
    *ret = (struct config){0};
    if (n > IMAGE_CONFIG_MAX)
        return err_set(e, -EPROTO, "invalid image configuration: larger than %d bytes",
                       IMAGE_CONFIG_MAX);
    json_t *root = json_loadb(json, n, JSON_REJECT_DUPLICATES, &je);
    if (!root)
        return err_set(e, -EPROTO, "invalid image configuration: %s", je.text);
    int r = take_all(root, ret, e);
    json_decref(root);
    if (r < 0)
        config_free(ret);
    return r;
}

void config_free_part(struct image_config *c)
{
    strv_free(c->entrypoint);
    strv_free(c->cmd);
    strv_free(c->env);
    strv_free(c->labels);
    strv_free(c->volumes);
    strv_free(c->ports);
    strv_free(c->shell);
    strv_free(c->onbuild);
    free(c->user);
    free(c->workdir);
    free(c->stop_signal);
    free(c->author);
    free(c->architecture);
    free(c->os);
    free(c->healthcheck_json);
    *c = (struct image_config){0};
}

void config_free(struct config *c)
{
    config_free_part(&c->c);
    strv_free(c->diff_ids);
    *c = (struct config){0};
}

const char *config_host_architecture(void)
{
    static const char *const names[][2] = {
        {"x86_64", "amd64"},    {"aarch64", "arm64"}, {"i686", "386"},        {"armv7l", "arm"},
        {"ppc64le", "ppc64le"}, {"s390x", "s390x"},   {"riscv64", "riscv64"},
    };
    struct utsname u;
    if (uname(&u) < 0)
        return "unknown";
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (str_eq(u.machine, names[i][0]))
            return names[i][1];
    return "unknown";
}

/* ---- writing ---- */

static const char *const *strs(char **v)
{
    return (const char *const *)v;
}

static void write_keys(struct jw *w, const char *name, char **keys)
{
    if (!keys)
        return;
    jw_object(w, name);
    for (size_t i = 0; keys[i]; i++) {
        jw_object(w, keys[i]);
        jw_end_object(w);
    }
    jw_end_object(w);
}

static void write_labels(struct jw *w, char **labels)
{
    if (!labels) {
        jw_null(w, "Labels");
        return;
    }
    jw_object(w, "Labels");
    for (size_t i = 0; labels[i]; i++) {
        const char *eq = strchr(labels[i], '=');
        AUTO_FREE char *key =
            eq ? mem_strn(labels[i], (size_t)(eq - labels[i])) : mem_str(labels[i]);
        jw_str(w, key, eq ? eq + 1 : "");
    }
    jw_end_object(w);
}

/* Docker's Config object, members in its order. */
static void write_config(struct jw *w, const struct image_config *c)
{
    jw_object(w, "config");
    jw_str(w, "Hostname", "");
    jw_str(w, "Domainname", "");
    jw_str(w, "User", c->user);
    jw_bool(w, "AttachStdin", false);
    jw_bool(w, "AttachStdout", false);
    jw_bool(w, "AttachStderr", false);
    write_keys(w, "ExposedPorts", c->ports);
    jw_bool(w, "Tty", false);
    jw_bool(w, "OpenStdin", false);
    jw_bool(w, "StdinOnce", false);
    jw_strv(w, "Env", strs(c->env));
    jw_strv(w, "Cmd", strs(c->cmd));
    if (c->healthcheck_json)
        jw_raw(w, "Healthcheck", c->healthcheck_json);
    jw_str(w, "Image", "");
    if (c->volumes)
        write_keys(w, "Volumes", c->volumes);
    else
        jw_null(w, "Volumes");
    jw_str(w, "WorkingDir", c->workdir);
    jw_strv(w, "Entrypoint", strs(c->entrypoint));
    jw_strv(w, "OnBuild", strs(c->onbuild));
    write_labels(w, c->labels);
    jw_str_opt(w, "StopSignal", c->stop_signal);
    if (c->shell)
        jw_strv(w, "Shell", strs(c->shell));
    jw_end_object(w);
}

char *config_write(const struct image_config *c, const char *const *diff_ids, int64_t created_ns,
                   const char *comment)
{
    struct buf b = BUF_INIT(IMAGE_CONFIG_MAX);
    struct jw w = JW_INIT(&b);
    jw_object(&w, NULL);
    jw_str(&w, "architecture", str_or(c->architecture, config_host_architecture()));
    jw_str_opt(&w, "author", c->author);
    jw_str(&w, "comment", comment);
    write_config(&w, c);
    jw_time(&w, "created", created_ns);
    jw_str(&w, "docker_version", KEEP_VERSION);
    jw_array(&w, "history");
    jw_object(&w, NULL);
    jw_time(&w, "created", created_ns);
    jw_str(&w, "comment", comment);
    jw_end_object(&w);
    jw_end_array(&w);
    jw_str(&w, "os", "linux");
    jw_object(&w, "rootfs");
    jw_str(&w, "type", "layers");
    jw_strv(&w, "diff_ids", diff_ids);
    jw_end_object(&w);
    jw_end_object(&w);
    if (b.failed) {
        buf_free(&b);
        return NULL;
    }
    return buf_take(&b);
}
