/* api/distribution.c - /distribution/{name}/json: a registry is asked for the manifest of an image,
 * by skopeo, so that clients can pin its digest.
 *
 * Any failure is an answer that clients take for "no digest known" and go on with the name as it
 * is. Credentials come in a header and go through a memfd. */
#include "api/distribution.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "api/state.h"
#include "base/str.h"
#include "image/auth.h"
#include "image/digest.h"
#include "image/manifest.h"
#include "loop/child.h"

enum { MANIFEST_MAX = 4 << 20, COMPLAINT_MAX = 8192, ASK_MS = 30000 };

/* ---- the pure part ---- */

char *distribution_remote(const struct image_ref *ref, char **ret_registry)
{
    const char *domain = ref->domain[0] ? ref->domain : "docker.io";
    bool official = !ref->domain[0] && !strchr(ref->path, '/');
    *ret_registry = mem_str(domain);
    return mem_printf("docker://%s/%s%s%s%s", domain, official ? "library/" : "", ref->path,
                      ref->digest[0] ? "@" : ":", ref->digest[0] ? ref->digest : ref->tag);
}

static void write_platforms(struct jw *w, const json_t *list)
{
    size_t i;
    json_t *m;
    if (!json_is_array(list)) {
        jw_null(w, "Platforms");
        return;
    }
    jw_array(w, "Platforms");
    json_array_foreach((json_t *)(uintptr_t)list, i, m)
    {
        const json_t *p = json_object_get(m, "platform");
        jw_object(w, NULL);
        jw_str_opt(w, "architecture", json_string_value(json_object_get(p, "architecture")));
        jw_str_opt(w, "os", json_string_value(json_object_get(p, "os")));
        jw_str_opt(w, "variant", json_string_value(json_object_get(p, "variant")));
        jw_end_object(w);
    }
    jw_end_array(w);
}

int distribution_answer(const char *manifest, size_t n, struct buf *ret, struct err *e)
{
    struct jw w = JW_INIT(ret);
    char hex[DIGEST_HEX_SIZE];
    json_t *root = NULL;
    int r = json_body_parse(manifest, n, &root, e);
    if (r != 0 || !json_is_object(root)) {
        json_decref(root);
        return err_set(e, -EPROTO, "the registry's answer is no manifest");
    }
    const char *type = json_string_value(json_object_get(root, "mediaType"));
    const json_t *list = json_object_get(root, "manifests");
    if (!type) /* of the older forms that do not say */
        type = list ? "application/vnd.oci.image.index.v1+json"
                    : "application/vnd.oci.image.manifest.v1+json";
    digest_of(manifest, n, hex);
    AUTO_FREE char *digest = mem_printf("sha256:%s", hex);
    jw_object(&w, NULL);
    jw_object(&w, "Descriptor");
    jw_str(&w, "mediaType", type);
    jw_str(&w, "digest", digest);
    jw_uint(&w, "size", n);
    jw_end_object(&w);
    write_platforms(&w, list);
    jw_end_object(&w);
    json_decref(root);
    return 0;
}

/* ---- asking ---- */

struct ask {
    struct api_call *call;
    struct child *child;
    char name[600];
};

static void free_ask(void *arg)
{
    struct ask *a = arg;
    child_abandon(a->child);
    free(a);
}

static void on_asked(void *data, const struct child_result *res)
{
    struct ask *a = data;
    struct api_call *c = a->call;
    struct err e = {""};
    struct buf b = API_OUT();
    a->child = NULL;
    if (res->timed_out) {
        api_error(c, 500, "the registry of %s did not answer in time", a->name);
    } else if (res->status != 0) {
        int r = manifest_complaint(res->err->p, a->name, &e);
        api_error(c, r == IMAGE_NOT_FOUND ? 404 : 500, "%s", e.text);
    } else if (res->out_cut || distribution_answer(res->out->p, res->out->len, &b, &e) != 0) {
        api_error(c, 500, "%s", res->out_cut ? "the registry's manifest is too large" : e.text);
    } else {
        api_reply_json(c, 200, &b);
    }
    buf_free(&b);
}

/* As pull has it: nobody listens on the way to this machine itself, so plain http is allowed there.
 */
static bool is_loopback(const char *registry)
{
    return str_eq(registry, "localhost") || str_starts(registry, "localhost:") ||
           str_starts(registry, "127.") || str_starts(registry, "[::1]");
}

static int start_skopeo(struct ask *a, const char *remote, bool plain, int auth, struct err *e)
{
    static const char *const passed[] = {"HTTP_PROXY",    "HTTPS_PROXY", "NO_PROXY",
                                         "http_proxy",    "https_proxy", "no_proxy",
                                         "SSL_CERT_FILE", "SSL_CERT_DIR"};
    const char *const tls = plain ? "--tls-verify=false" : "--tls-verify=true";
    const char *const argv[] = {"skopeo",          "inspect", "--raw", "--authfile",
                                "/proc/self/fd/3", tls,       remote,  NULL};
    const struct child_fd fd = {.fd = auth, .as = 3};
    AUTO_STRV char **env = NULL;
    strv_push(&env, mem_str("PATH=" CHILD_PATH));
    strv_push(&env, mem_str("HOME=/nonexistent")); /* no settings or credentials of the user who
                                                      started the daemon */
    for (size_t i = 0; i < sizeof(passed) / sizeof(*passed); i++) {
        const char *v = getenv(passed[i]);
        if (v)
            strv_push(&env, mem_printf("%s=%s", passed[i], v));
    }
    const struct child_spec spec = {.argv = argv,
                                    .env = (const char *const *)env,
                                    .out = {.to = CHILD_CAPTURE, .max = MANIFEST_MAX},
                                    .err = {.to = CHILD_CAPTURE, .max = COMPLAINT_MAX},
                                    .fds = &fd,
                                    .nfds = 1,
                                    .timeout_ms = ASK_MS,
                                    .on_exit = on_asked,
                                    .data = a};
    return child_start(a->call->api->o.loop, &spec, &a->child, e);
}

static void distribution_ready(struct api_call *c)
{
    struct image_ref ref;
    struct err e = {""};
    if (image_ref_parse(c->param[0], &ref, &e) != 0) {
        api_error(c, 400, "%s", e.text);
        return;
    }
    AUTO_FREE char *registry = NULL;
    AUTO_FREE char *remote = distribution_remote(&ref, &registry);
    AUTO_CLOSE int auth = auth_memfd(http_header(c->rq, "X-Registry-Auth"), registry, &e);
    struct ask *a = NEW(struct ask);
    a->call = c;
    c->state = a;
    c->free_state = free_ask;
    image_ref_familiar(&ref, a->name, sizeof(a->name));
    int r = auth < 0 ? auth : start_skopeo(a, remote, is_loopback(registry), auth, &e);
    if (r < 0)
        api_error(c, 500, "%s",
                  r == -ENOENT ? "skopeo, which asks registries, is not installed" : e.text);
}

void api_distribution(struct api_call *c)
{
    api_take_none(c, distribution_ready);
}
