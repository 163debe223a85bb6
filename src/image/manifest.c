/* image/manifest.c - parses manifests and translates skopeo's errors. */
#include "image/manifest.h"

#include <errno.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>
#include "base/buf.h"
#include "base/mem.h"
#include "base/str.h"
#include "image/config.h"

static int wrong(struct err *e, const char *what)
{
    return err_set(e, -EPROTO, "the registry's manifest is not what it should be: %s", what);
}

static int take_digest(json_t *descriptor, char ret[DIGEST_HEX_SIZE], struct err *e)
{
    const char *hex = digest_hex(json_string_value(json_object_get(descriptor, "digest")));
    if (!hex)
        return wrong(e, "digest");
    str_copy(ret, DIGEST_HEX_SIZE, hex);
    return 0;
}

static int take_platform(json_t *list, struct manifest *m, struct err *e)
{
    json_t *it;
    size_t i;
    json_array_foreach(list, i, it)
    {
        json_t *p = json_object_get(it, "platform");
        const char *os = json_string_value(json_object_get(p, "os"));
        const char *arch = json_string_value(json_object_get(p, "architecture"));
        if (str_eq(os, "linux") && str_eq(arch, config_host_architecture()))
            return take_digest(it, m->platform, e);
    }
    return err_set(e, -EPROTO, "no matching manifest for linux/%s in the manifest list entries",
                   config_host_architecture());
}

static int take_manifest(json_t *root, struct manifest *m, struct err *e)
{
    json_t *layers = json_object_get(root, "layers"), *it;
    size_t i;
    if (json_integer_value(json_object_get(root, "schemaVersion")) != 2 || !json_is_array(layers))
        return wrong(e, "only schema version 2 and OCI manifests are supported");
    if (json_array_size(layers) > IMAGE_LAYERS_MAX)
        return wrong(e, "too many layers");
    int r = take_digest(json_object_get(root, "config"), m->config, e);
    m->layers = mem_array(json_array_size(layers) + 1, sizeof *m->layers);
    json_array_foreach(layers, i, it)
    {
        if (r == 0)
            r = take_digest(it, m->layers[i].hex, e);
        json_int_t size = json_integer_value(json_object_get(it, "size"));
        m->layers[i].size = size > 0 ? (uint64_t)size : 0;
        m->nlayers = i + 1;
    }
    return r;
}

int manifest_parse(const char *json, size_t n, struct manifest *ret, struct err *e)
{
    json_error_t je;
    *ret = (struct manifest){0};
    json_t *root = json_loadb(json, n, JSON_REJECT_DUPLICATES, &je);
    if (!root)
        return wrong(e, je.text);
    json_t *list = json_object_get(root, "manifests");
    int r = json_is_array(list) ? take_platform(list, ret, e) : take_manifest(root, ret, e);
    json_decref(root);
    if (r < 0)
        manifest_free(ret);
    return r;
}

void manifest_free(struct manifest *m)
{
    free(m->layers);
    *m = (struct manifest){0};
}

/* ---- complaints ---- */

/* The text of the last msg="…" (Go's quoting undone), or the last line. malloc'ed. */
static char *last_message(const char *text)
{
    const char *msg = NULL;
    for (const char *p = text; (p = strstr(p, "msg=\"")); p++)
        msg = p + 5;
    AUTO_BUF struct buf b = BUF_INIT(8192);
    if (!msg) {
        size_t n = strlen(text);
        while (n > 0 && text[n - 1] == '\n')
            n--;
        const char *start = n > 0 ? memrchr(text, '\n', n) : NULL;
        start = start ? start + 1 : text;
        return mem_strn(start, n - (size_t)(start - text));
    }
    for (; *msg && *msg != '"' && *msg != '\n'; msg++) {
        if (*msg == '\\' && msg[1])
            msg++;
        buf_char(&b, *msg == 'n' && msg[-1] == '\\' ? ' ' : *msg);
    }
    return b.p ? buf_take(&b) : mem_str("");
}

static const char *from(const char *message, const char *start)
{
    const char *p = strstr(message, start);
    return p ? p : message;
}

static bool has(const char *message, const char *part)
{
    return strcasestr(message, part) != NULL;
}

static int denied(const char *message, const char *name, struct err *e)
{
    char repo[600];
    str_copy(repo, sizeof repo, name);
    char *slash = strrchr(repo, '/'), *colon = strrchr(repo, ':'), *at = strchr(repo, '@');
    if (at)
        *at = '\0';
    else if (colon && (!slash || colon > slash))
        *colon = '\0';
    const char *why = has(message, "unauthorized") ? from(message, "unauthorized")
                      : has(message, "denied:")    ? from(message, "denied:")
                                                   : "requested access to the resource is denied";
    return err_set(
        e, IMAGE_NOT_FOUND,
        "pull access denied for %s, repository does not exist or may require 'docker login': %s",
        repo, why);
}

int manifest_complaint(const char *stderr_text, const char *name, struct err *e)
{
    AUTO_FREE char *message = last_message(stderr_text);
    if (has(message, "manifest unknown"))
        return err_set(e, IMAGE_NOT_FOUND, "manifest for %s not found: manifest unknown: %s", name,
                       "manifest unknown");
    if (has(message, "unauthorized") || has(message, "denied") || has(message, "name unknown") ||
        has(message, "invalid username/password"))
        return denied(message, name, e);
    if (!*message)
        return err_set(e, -EIO, "skopeo failed without a word");
    /* the rest of the chain names skopeo's steps, which are not the user's */
    return err_set(e, -EIO, "%s", from(message, "Get \""));
}
