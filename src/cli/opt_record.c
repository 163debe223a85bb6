/* cli/opt_record.c - flag values that are records of key=value fields: secrets, configs, mounts,
 * networks, CAs. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include "base/mem.h"
#include "base/str.h"
#include "cli/js.h"
#include "cli/opts.h"

static char *lower(const char *s, size_t n)
{
    char *l = mem_strn(s, n);
    for (char *p = l; *p; p++)
        *p = (char)(*p >= 'A' && *p <= 'Z' ? *p + 32 : *p);
    return l;
}

/* --- secrets and configs --- */

static int reference_field(json_t *ref, json_t *file, const char *field, const char *kind,
                           struct err *e)
{
    const char *eq = strchr(field, '=');
    if (!eq)
        return err_set(e, -EINVAL, "invalid field '%s' must be a key=value pair", field);
    AUTO_FREE char *key = lower(field, (size_t)(eq - field));
    const char *value = eq + 1;
    AUTO_FREE char *name_key = mem_printf("%sName", kind);
    if (str_eq(key, "source") || str_eq(key, "src")) {
        js_set_str(ref, name_key, value);
    } else if (str_eq(key, "target")) {
        js_set_str(file, "Name", value);
    } else if (str_eq(key, "uid")) {
        js_set_str(file, "UID", value);
    } else if (str_eq(key, "gid")) {
        js_set_str(file, "GID", value);
    } else if (str_eq(key, "mode")) {
        uint64_t mode;
        struct err why;
        if (parse_uint(value, 0, 32, &mode, &why))
            return err_set(e, -EINVAL, "invalid mode specified: %s", why.text);
        json_object_set_new(file, "Mode", js_own(json_integer((json_int_t)mode)));
    } else {
        AUTO_FREE char *word = lower(kind, strlen(kind));
        return err_set(e, -EINVAL, "invalid field in %s request: %s", word, key);
    }
    return 0;
}

int parse_file_reference(const char *s, const char *kind, json_t **ret, struct err *e)
{
    enum { MODE_DEFAULT = 0444 };
    AUTO_STRV char **fields = NULL;
    int r = csv_record(s, &fields, e);
    if (r)
        return r;
    AUTO_JSON json_t *ref = js_own(json_object());
    AUTO_FREE char *name_key = mem_printf("%sName", kind);
    json_t *file = js_sub(ref, "File");
    js_set_str(file, "UID", "0");
    js_set_str(file, "GID", "0");
    json_object_set_new(file, "Mode", js_own(json_integer(MODE_DEFAULT)));
    if (fields[0] && !fields[1] && !strchr(fields[0], '=')) {
        js_set_str(ref, name_key, fields[0]);
    } else {
        for (size_t i = 0; !r && fields[i]; i++)
            r = reference_field(ref, file, fields[i], kind, e);
        if (r)
            return r;
    }
    const char *name = js_str(ref, name_key);
    if (!*name)
        return err_set(e, -EINVAL, "source is required");
    if (!*js_str(file, "Name"))
        js_set_str(file, "Name", name);
    *ret = TAKE(ref);
    return 0;
}

int check_secret(const char *s, struct err *e)
{
    AUTO_JSON json_t *ref = NULL;
    return parse_file_reference(s, "Secret", &ref, e);
}

int check_config(const char *s, struct err *e)
{
    AUTO_JSON json_t *ref = NULL;
    return parse_file_reference(s, "Config", &ref, e);
}

/* --- mounts --- */

/* Fields that are a word without a value, or a word and a truth value. */
static int truth_field(const char *key, const char *value, bool *ret, struct err *e)
{
    if (!value) {
        *ret = true;
        return 0;
    }
    if (parse_bool(value, ret, NULL))
        return err_set(e, -EINVAL, "invalid value for %s: %s", key, value);
    return 0;
}

static void add_pair(json_t *o, const char *kv)
{
    size_t n = strcspn(kv, "=");
    AUTO_FREE char *k = mem_strn(kv, n);
    js_set_str(o, k, kv[n] ? kv + n + 1 : "");
}

static int tmpfs_field(json_t *m, const char *key, const char *value, struct err *e)
{
    json_t *t = js_sub(m, "TmpfsOptions");
    if (str_eq(key, "tmpfs-size")) {
        int64_t n;
        if (parse_size(value, &n, NULL))
            return err_set(e, -EINVAL, "invalid value for %s: %s", key, value);
        json_object_set_new(t, "SizeBytes", js_own(json_integer(n)));
        return 0;
    }
    uint64_t mode;
    if (parse_uint(value, 8, 32, &mode, NULL))
        return err_set(e, -EINVAL, "invalid value for %s: %s", key, value);
    json_object_set_new(t, "Mode", js_own(json_integer((json_int_t)mode)));
    return 0;
}

static int bind_recursive(json_t *m, const char *value, struct err *e)
{
    json_t *b = js_sub(m, "BindOptions");
    if (str_eq(value, "enabled"))
        return 0;
    if (str_eq(value, "disabled"))
        json_object_set_new(b, "NonRecursive", json_true());
    else if (str_eq(value, "writable"))
        json_object_set_new(b, "ReadOnlyNonRecursive", json_true());
    else if (str_eq(value, "readonly"))
        json_object_set_new(b, "ReadOnlyForceRecursive", json_true());
    else
        return err_set(e, -EINVAL,
                       "invalid value for bind-recursive: %s (must be \"enabled\", \"disabled\", "
                       "\"writable\", or \"readonly\")",
                       value);
    return 0;
}

static int value_field(json_t *m, const char *key, const char *value, const char *field,
                       struct err *e)
{
    if (str_eq(key, "type")) {
        AUTO_FREE char *word = lower(value, strlen(value));
        js_set_str(m, "Type", word);
    } else if (str_eq(key, "source") || str_eq(key, "src")) {
        js_set_str(m, "Source", value);
    } else if (str_eq(key, "target") || str_eq(key, "dst") || str_eq(key, "destination")) {
        js_set_str(m, "Target", value);
    } else if (str_eq(key, "consistency")) {
        js_set_str(m, "Consistency", value);
    } else if (str_eq(key, "bind-propagation")) {
        AUTO_FREE char *word = lower(value, strlen(value));
        js_set_str(js_sub(m, "BindOptions"), "Propagation", word);
    } else if (str_eq(key, "bind-recursive")) {
        return bind_recursive(m, value, e);
    } else if (str_eq(key, "volume-subpath")) {
        js_set_str(js_sub(m, "VolumeOptions"), "Subpath", value);
    } else if (str_eq(key, "volume-label")) {
        add_pair(js_sub(js_sub(m, "VolumeOptions"), "Labels"), value);
    } else if (str_eq(key, "volume-driver")) {
        js_set_str(js_sub(js_sub(m, "VolumeOptions"), "DriverConfig"), "Name", value);
    } else if (str_eq(key, "volume-opt")) {
        add_pair(js_sub(js_sub(js_sub(m, "VolumeOptions"), "DriverConfig"), "Options"), value);
    } else if (str_eq(key, "tmpfs-size") || str_eq(key, "tmpfs-mode")) {
        return tmpfs_field(m, key, value, e);
    } else {
        return err_set(e, -EINVAL, "unexpected key '%s' in '%s'", key, field);
    }
    return 0;
}

static int mount_field(json_t *m, const char *field, struct err *e)
{
    const char *eq = strchr(field, '=');
    AUTO_FREE char *key = lower(field, eq ? (size_t)(eq - field) : strlen(field));
    const char *value = eq ? eq + 1 : NULL;
    bool b = false;
    int r;
    if (str_eq(key, "readonly") || str_eq(key, "ro")) {
        r = truth_field(key, value, &b, e);
        json_object_set_new(m, "ReadOnly", json_boolean(b));
        return r;
    }
    if (str_eq(key, "volume-nocopy")) {
        r = truth_field(key, value, &b, e);
        json_object_set_new(js_sub(m, "VolumeOptions"), "NoCopy", json_boolean(b));
        return r;
    }
    if (str_eq(key, "bind-nonrecursive")) {
        r = truth_field(key, value, &b, e);
        json_object_set_new(js_sub(m, "BindOptions"), "NonRecursive", json_boolean(b));
        return r;
    }
    if (!value)
        return err_set(e, -EINVAL, "invalid field '%s' must be a key=value pair", field);
    return value_field(m, key, value, field, e);
}

static int mount_kinds(json_t *m, struct err *e)
{
    static const struct {
        const char *type, *options, *prefix;
    } kinds[] = {{"volume", "VolumeOptions", "volume-*"},
                 {"bind", "BindOptions", "bind-*"},
                 {"tmpfs", "TmpfsOptions", "tmpfs-*"}};
    const char *type = js_str(m, "Type");
    if (!*type)
        return err_set(e, -EINVAL, "type is required");
    if (!*js_str(m, "Target"))
        return err_set(e, -EINVAL, "target is required");
    for (size_t i = 0; i < 3; i++)
        if (json_object_get(m, kinds[i].options) && !str_eq(type, kinds[i].type))
            return err_set(e, -EINVAL, "cannot mix '%s' options with mount type '%s'",
                           kinds[i].prefix, type);
    return 0;
}

int parse_mount(const char *s, json_t **ret, struct err *e)
{
    AUTO_STRV char **fields = NULL;
    int r = csv_record(s, &fields, e);
    if (r)
        return r;
    AUTO_JSON json_t *m = js_own(json_pack("{s:s}", "Type", "volume"));
    for (size_t i = 0; !r && fields[i]; i++)
        r = mount_field(m, fields[i], e);
    if (!r)
        r = mount_kinds(m, e);
    if (!r)
        *ret = TAKE(m);
    return r;
}

int check_mount(const char *s, struct err *e)
{
    AUTO_JSON json_t *m = NULL;
    return parse_mount(s, &m, e);
}

/* --- networks: a name, or name=…,alias=…,driver-opt=k=v --- */

int parse_network_opt(const char *s, json_t **ret, struct err *e)
{
    AUTO_JSON json_t *n = js_own(json_object());
    if (!strchr(s, '=')) {
        js_set_str(n, "Target", s);
        *ret = TAKE(n);
        return 0;
    }
    AUTO_STRV char **fields = NULL;
    int r = csv_record(s, &fields, e);
    if (r)
        return r;
    for (size_t i = 0; fields[i]; i++) {
        char *eq = strchr(fields[i], '=');
        if (!eq)
            return err_set(e, -EINVAL, "invalid field %s", fields[i]);
        AUTO_FREE char *key = lower(fields[i], (size_t)(eq - fields[i]));
        if (str_eq(key, "name"))
            js_set_str(n, "Target", eq + 1);
        else if (str_eq(key, "alias"))
            js_push_str(js_list(n, "Aliases"), eq + 1);
        else if (str_eq(key, "driver-opt"))
            add_pair(js_sub(n, "DriverOpts"), eq + 1);
        else
            return err_set(e, -EINVAL, "invalid field key %s", key);
    }
    if (!*js_str(n, "Target"))
        return err_set(e, -EINVAL, "network name/id is not specified");
    *ret = TAKE(n);
    return 0;
}

/* --- external certificate authorities --- */

static int ca_field(json_t *ca, const char *field, struct err *e)
{
    const char *eq = strchr(field, '=');
    if (!eq)
        return err_set(e, -EINVAL, "invalid field '%s' must be a key=value pair", field);
    AUTO_FREE char *key = lower(field, (size_t)(eq - field));
    if (str_eq(key, "protocol")) {
        AUTO_FREE char *word = lower(eq + 1, strlen(eq + 1));
        if (!str_eq(word, "cfssl"))
            return err_set(e, -EINVAL, "unrecognized external CA protocol %s", eq + 1);
        js_set_str(ca, "Protocol", word);
    } else if (str_eq(key, "url")) {
        js_set_str(ca, "URL", eq + 1);
    } else if (str_eq(key, "cacert")) {
        AUTO_BUF struct buf b = BUF_INIT(1 << 20);
        struct err why;
        if (buf_read_file(&b, eq + 1, &why))
            return err_set(e, -EINVAL, "unable to read CA cert for external CA: %s", why.text);
        js_set_str(ca, "CACert", b.p);
    } else {
        json_object_set_new(js_sub(ca, "Options"), key, js_text(eq + 1, strlen(eq + 1)));
    }
    return 0;
}

int parse_external_ca(const char *s, json_t **ret, struct err *e)
{
    AUTO_STRV char **fields = NULL;
    int r = csv_record(s, &fields, e);
    if (r)
        return r;
    AUTO_JSON json_t *ca = js_own(json_object());
    for (size_t i = 0; !r && fields[i]; i++)
        r = ca_field(ca, fields[i], e);
    if (r)
        return r;
    if (!*js_str(ca, "Protocol"))
        return err_set(e, -EINVAL, "the external-ca option needs a protocol= parameter");
    if (!*js_str(ca, "URL"))
        return err_set(e, -EINVAL, "the external-ca option needs a url= parameter");
    *ret = TAKE(ca);
    return 0;
}

int check_external_ca(const char *s, struct err *e)
{
    AUTO_JSON json_t *ca = NULL;
    return parse_external_ca(s, &ca, e);
}
