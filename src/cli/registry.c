/* cli/registry.c - credentials of registries. */
#include "cli/registry.h"
#include <stdlib.h>
#include <string.h>
#include "base/mem.h"
#include "base/str.h"
#include "cli/api.h"
#include "cli/js.h"
#include "cli/service_spec.h"

static json_t *config_file(struct cli *c)
{
    const char *dir = str_or(global_str(c, "config"), getenv("DOCKER_CONFIG"));
    AUTO_FREE char *path = !str_empty(dir)
                               ? mem_printf("%s/config.json", dir)
                               : mem_printf("%s/.docker/config.json", str_or(getenv("HOME"), ""));
    return json_load_file(path, 0, NULL);
}

static char *encode(const char *s, size_t n)
{
    static const char set[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    char *out = mem_new(n / 3 * 4 + 5), *w = out;
    for (size_t i = 0; i < n; i += 3) {
        unsigned v = (unsigned)(unsigned char)s[i] << 16 |
                     (i + 1 < n ? (unsigned)(unsigned char)s[i + 1] << 8 : 0) |
                     (i + 2 < n ? (unsigned char)s[i + 2] : 0);
        *w++ = set[v >> 18];
        *w++ = set[v >> 12 & 63];
        *w++ = i + 1 < n ? set[v >> 6 & 63] : '=';
        *w++ = i + 2 < n ? set[v & 63] : '=';
    }
    return out;
}

static char *decode(const char *s)
{
    char *out = mem_new(strlen(s) + 1), *w = out;
    unsigned bits = 0, have = 0;
    static const char set[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    for (; *s && *s != '='; s++) {
        const char *hit = strchr(set, *s);
        if (!hit)
            continue;
        bits = bits << 6 | (unsigned)(hit - set);
        have += 6;
        if (have >= 8) {
            have -= 8;
            *w++ = (char)(bits >> have & 255);
        }
    }
    return out;
}

char *registry_auth(struct cli *c, const char *image)
{
    char *tag = NULL;
    AUTO_JSON json_t *config = config_file(c), *out = js_own(json_object());
    AUTO_FREE char *full = image_full_name(image, &tag, NULL);
    free(tag);
    AUTO_FREE char *domain = full ? mem_strn(full, strcspn(full, "/")) : mem_str("");
    const char *server = str_eq(domain, "docker.io") ? "https://index.docker.io/v1/" : domain;
    json_t *entry = json_object_get(json_object_get(config, "auths"), server);
    if (entry) {
        AUTO_FREE char *pair = decode(js_str(entry, "auth"));
        size_t n = strcspn(pair, ":");
        AUTO_FREE char *user = mem_strn(pair, n);
        js_set_str(out, "username", user);
        js_set_str(out, "password", pair[n] ? pair + n + 1 : "");
        js_set_str(out, "serveraddress", server);
    }
    AUTO_BUF struct buf b = BUF_INIT(1 << 20);
    js_write(&b, out, false);
    return encode(b.p, b.len);
}

static int collect(void *ctx, const char *p, size_t n)
{
    buf_append(ctx, p, n);
    return ((struct buf *)ctx)->failed;
}

int registry_call(struct cli *c, const char *method, const char *path, json_t *body,
                  const char *const *headers, struct buf *ret)
{
    struct api_stream s = {.method = method,
                           .path = path,
                           .body = body,
                           .headers = headers,
                           .on_data = collect,
                           .ctx = ret};
    return api_stream(c, &s);
}
