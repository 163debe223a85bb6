/* image/pull.c - an image from a registry: skopeo fetches, the store unpacks.
 *
 * The manifest is read first (its hash is the digest people pin), of a list the one for this
 * machine too; when its configuration is an image that is here already, nothing is fetched.
 * Otherwise skopeo copies exactly that manifest, by digest, into the job's directory. */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include "base/mem.h"
#include "base/str.h"
#include "image/auth.h"
#include "image/disk.h"
#include "image/job.h"
#include "image/manifest.h"

enum { MANIFEST_MAX = 4 << 20, STDERR_MAX = 8192, PULL_ARGS_MAX = 16 };

struct pull {
    char *ref_text, *auth; /* auth: wiped as soon as it is in the memfd */
    struct image_ref ref;
    char name[640]; /* familiar */
    char *remote;   /* "docker://host/path" */
    bool plain_http, list;
    int auth_fd;
    char digest[DIGEST_HEX_SIZE]; /* of what the reference names: a manifest or a list */
    struct manifest m;
    char manifest_hex[DIGEST_HEX_SIZE]; /* of the manifest for this machine */
    struct buf out;
};

static void pull_free(void *p)
{
    struct pull *x = p;
    if (x->auth_fd >= 0)
        close(x->auth_fd);
    manifest_free(&x->m);
    buf_free(&x->out);
    free(x->ref_text);
    free(x->auth);
    free(x->remote);
    free(x);
}

/* Loopback addresses: nobody listens on the way, so plain http is allowed as the engine allows it.
 */
static bool is_loopback(const char *domain)
{
    char host[256];
    struct in_addr v4;
    str_copy(host, sizeof host, domain);
    if (str_starts(host, "[::1]"))
        return !host[5] || host[5] == ':';
    host[strcspn(host, ":")] = '\0';
    if (str_ieq(host, "localhost"))
        return true;
    return inet_pton(AF_INET, host, &v4) == 1 && (ntohl(v4.s_addr) >> 24) == 127;
}

/* ---- running skopeo ---- */

static void on_failed(struct image_job *j, const char *stderr_text)
{
    struct pull *x = j->more;
    job_end(j, manifest_complaint(stderr_text, x->name, &j->err));
}

static void on_chunk(void *data, const char *p, size_t n)
{
    struct image_job *j = data;
    buf_append(&((struct pull *)j->more)->out, p, n);
}

static void pass_on(char ***env, const char *name)
{
    const char *v = getenv(name);
    if (v)
        strv_push(env, mem_printf("%s=%s", name, v));
}

/* Its home, its temporary files and its idea of credentials are all in the job's directory. */
static char **skopeo_env(const struct image_job *j)
{
    static const char *const passed[] = {"HTTP_PROXY",    "HTTPS_PROXY", "NO_PROXY",
                                         "http_proxy",    "https_proxy", "no_proxy",
                                         "SSL_CERT_FILE", "SSL_CERT_DIR"};
    char **env = NULL;
    strv_push(&env, mem_str("PATH=" CHILD_PATH));
    strv_push(&env, mem_printf("HOME=%s", j->dir));
    strv_push(&env, mem_printf("TMPDIR=%s", j->dir));
    strv_push(&env, mem_printf("XDG_RUNTIME_DIR=%s", j->dir));
    for (size_t i = 0; i < sizeof passed / sizeof *passed; i++)
        pass_on(&env, passed[i]);
    return env;
}

static void run_skopeo(struct image_job *j, const char *const *args,
                       void (*next)(struct image_job *j))
{
    struct pull *x = j->more;
    const char *argv[PULL_ARGS_MAX + 1] = {j->s->skopeo};
    size_t n = 1;
    while (*args && n < PULL_ARGS_MAX)
        argv[n++] = *args++;
    AUTO_STRV char **env = skopeo_env(j);
    struct child_fd auth = {.fd = x->auth_fd, .as = 3};
    struct child_spec spec = {
        .argv = argv,
        .env = (const char *const *)env,
        .out = {.to = CHILD_CHUNKS, .on_chunk = on_chunk},
        .err = {.to = CHILD_CAPTURE, .max = STDERR_MAX},
        .fds = &auth,
        .nfds = 1,
    };
    buf_free(&x->out);
    j->on_child_failed = on_failed;
    job_child(j, &spec, next);
}

#define AUTH_PATH "/proc/self/fd/3"

static void inspect(struct image_job *j, const char *digest_or_tag,
                    void (*next)(struct image_job *j))
{
    struct pull *x = j->more;
    AUTO_FREE char *from = mem_printf("%s%s", x->remote, digest_or_tag);
    const char *const args[] = {"inspect",
                                "--raw",
                                "--authfile",
                                AUTH_PATH,
                                x->plain_http ? "--tls-verify=false" : "--tls-verify=true",
                                from,
                                NULL};
    run_skopeo(j, args, next);
}

/* ---- after the copy ---- */

static void short_id(const char *hex, char ret[13])
{
    str_copy(ret, 13, hex);
}

static void say_done(struct image_job *j, bool newer)
{
    struct pull *x = j->more;
    AUTO_FREE char *digest = mem_printf("Digest: sha256:%s", x->digest);
    AUTO_FREE char *status = mem_printf(
        "Status: %s for %s", newer ? "Downloaded newer image" : "Image is up to date", x->name);
    job_say(j, digest, NULL, 0, 0);
    job_say(j, status, NULL, 0, 0);
}

static void commit(struct image_job *j)
{
    struct pull *x = j->more;
    struct plan_image *im = &j->plan.images[0];
    AUTO_FREE char *repo =
        mem_printf("%s%s%s", x->ref.domain, x->ref.domain[0] ? "/" : "", x->ref.path);
    const struct ref_row *old = store_ref(j->s, x->name);
    bool newer = !old || !str_eq(old->id, im->id);
    if (!x->ref.digest[0])
        strv_push(&im->tags, mem_str(x->name));
    strv_push(&im->digests, mem_printf("%s@sha256:%s", repo, x->digest));
    int r = job_commit(j);
    if (r == 0)
        say_done(j, newer);
    job_end(j, r);
}

static int read_config(struct image_job *j, struct buf *b)
{
    struct pull *x = j->more;
    char hex[DIGEST_HEX_SIZE];
    AUTO_FREE char *path = mem_printf("%s/copy/%s", j->dir, x->m.config);
    int r = buf_read_file(b, path, &j->err);
    if (r < 0)
        return r;
    digest_of(b->p ? b->p : "", b->len, hex);
    if (!str_eq(hex, x->m.config))
        return err_set(&j->err, -EPROTO,
                       "the configuration of the image is not what the registry promised");
    return 0;
}

static int plan_copy(struct image_job *j)
{
    struct pull *x = j->more;
    AUTO_BUF struct buf config = BUF_INIT(IMAGE_CONFIG_MAX + 1);
    AUTO_STRV char **blobs = NULL;
    struct plan_image *im;
    int r = read_config(j, &config);
    if (r < 0)
        return r;
    for (size_t i = 0; i < x->m.nlayers; i++)
        strv_push(&blobs, mem_printf("%s/copy/%s", j->dir, x->m.layers[i].hex));
    r = plan_image_of(&j->plan, config.p ? config.p : "", config.len, (const char *const *)blobs,
                      &im, &j->err);
    for (size_t i = 0; r == 0 && i < im->nlayers; i++)
        short_id(x->m.layers[i].hex, j->plan.layers[im->layers[i]].label);
    return r;
}

static void say_layers(struct image_job *j, const char *status)
{
    struct pull *x = j->more;
    char id[13];
    for (size_t i = 0; i < x->m.nlayers; i++) {
        short_id(x->m.layers[i].hex, id);
        job_say(j, status, id, 0, 0);
    }
}

static void on_copied(struct image_job *j)
{
    j->on_child_failed = NULL;
    say_layers(j, "Download complete");
    int r = plan_copy(j);
    if (r < 0) {
        job_end(j, r);
        return;
    }
    j->layers_ready = commit;
    job_build(j);
}

/* ---- before it ---- */

static void copy(struct image_job *j)
{
    struct pull *x = j->more;
    AUTO_FREE char *from = mem_printf("%s@sha256:%s", x->remote, x->manifest_hex);
    AUTO_FREE char *to = mem_printf("dir:%s/copy", j->dir);
    const char *const args[] = {"--insecure-policy",
                                "copy",
                                "--quiet",
                                "--authfile",
                                AUTH_PATH,
                                x->plain_http ? "--src-tls-verify=false" : "--src-tls-verify=true",
                                from,
                                to,
                                NULL};
    say_layers(j, "Pulling fs layer");
    run_skopeo(j, args, on_copied);
}

/* The image is here: only its names may be new. */
static void reuse(struct image_job *j, const struct stored *have)
{
    AUTO_STRV char **none = NULL;
    for (size_t i = 0; have->config.diff_ids[i]; i++)
        strv_push(&none, mem_str("/nonexistent"));
    int r = plan_image_of(&j->plan, have->json, have->json_len, (const char *const *)none, NULL,
                          &j->err);
    if (r < 0) {
        job_end(j, r);
        return;
    }
    j->layers_ready = commit;
    job_build(j);
}

static void fetch(struct image_job *j)
{
    struct pull *x = j->more;
    char id[IMAGE_ID_SIZE];
    AUTO_FREE char *status =
        mem_printf("Pulling from %s%s%s",
                   x->ref.domain[0] || strchr(x->ref.path, '/') ? "" : "library/", x->ref.path, "");
    job_say(j, status, x->ref.digest[0] ? x->ref.digest : x->ref.tag, 0, 0);
    snprintf(id, sizeof id, "sha256:%s", x->m.config);
    struct stored *have = store_by_id(j->s, id);
    if (have)
        reuse(j, have);
    else
        copy(j);
}

/* ret_hex: of the answer. */
static int take_answer(struct image_job *j, const char *expected_hex, char ret_hex[DIGEST_HEX_SIZE])
{
    struct pull *x = j->more;
    if (x->out.failed)
        return err_set(&j->err, -EPROTO, "the registry's manifest is larger than %d bytes",
                       MANIFEST_MAX);
    digest_of(x->out.p ? x->out.p : "", x->out.len, ret_hex);
    if (expected_hex && !str_eq(expected_hex, ret_hex))
        return err_set(&j->err, -EPROTO, "manifest verification failed for digest sha256:%s",
                       expected_hex);
    manifest_free(&x->m);
    return manifest_parse(x->out.p ? x->out.p : "", x->out.len, &x->m, &j->err);
}

static void on_platform(struct image_job *j)
{
    struct pull *x = j->more;
    char expected[DIGEST_HEX_SIZE];
    str_copy(expected, sizeof expected, x->m.platform);
    int r = take_answer(j, expected, x->manifest_hex);
    if (r == 0 && x->m.platform[0])
        r = err_set(&j->err, -EPROTO,
                    "the registry's manifest is not what it should be: a list in a list");
    if (r < 0)
        job_end(j, r);
    else
        fetch(j);
}

static void on_manifest(struct image_job *j)
{
    struct pull *x = j->more;
    int r = take_answer(j, digest_hex(x->ref.digest), x->digest);
    if (r < 0) {
        job_end(j, r);
        return;
    }
    if (x->m.platform[0]) {
        AUTO_FREE char *at = mem_printf("@sha256:%s", x->m.platform);
        inspect(j, at, on_platform);
        return;
    }
    str_copy(x->manifest_hex, sizeof x->manifest_hex, x->digest);
    fetch(j);
}

/* ---- the start ---- */

static int find_skopeo(struct image_job *j)
{
    char path[512];
    if (j->s->skopeo)
        return 0;
    if (child_find("skopeo", path, sizeof path) < 0)
        return err_set(
            &j->err, -ENOENT,
            "images cannot be pulled: the program skopeo is missing (apt-get install skopeo)");
    j->s->skopeo = mem_str(path);
    return 0;
}

static int prepare(struct image_job *j)
{
    struct pull *x = j->more;
    int r = image_ref_parse(x->ref_text, &x->ref, &j->err);
    if (r == 0)
        r = find_skopeo(j);
    if (r == 0)
        r = job_make_dir(j, "pull");
    if (r != 0)
        return r;
    image_ref_familiar(&x->ref, x->name, sizeof x->name);
    const char *domain = x->ref.domain[0] ? x->ref.domain : "docker.io";
    const char *library = x->ref.domain[0] || strchr(x->ref.path, '/') ? "" : "library/";
    x->remote = mem_printf("docker://%s/%s%s", domain, library, x->ref.path);
    x->plain_http = is_loopback(domain);
    int fd = auth_memfd(x->auth, domain, &j->err);
    if (x->auth)
        explicit_bzero(x->auth, strlen(x->auth));
    if (fd < 0)
        return fd;
    x->auth_fd = fd;
    return 0;
}

static void start(struct image_job *j)
{
    struct pull *x = j->more;
    int r = prepare(j);
    if (r != 0) {
        job_end(j, r);
        return;
    }
    AUTO_FREE char *what =
        x->ref.digest[0] ? mem_printf("@%s", x->ref.digest) : mem_printf(":%s", x->ref.tag);
    inspect(j, what, on_manifest);
}

struct image_job *image_pull(struct image_store *s, const char *ref, const char *registry_auth_b64,
                             image_on_progress p, image_on_done d, void *arg)
{
    struct pull *x = NEW(struct pull);
    struct image_job *j = job_new(s, "pull", start, p, d, arg);
    x->auth_fd = -1;
    x->ref_text = mem_str(ref);
    x->auth = registry_auth_b64 ? mem_str(registry_auth_b64) : NULL;
    x->out = BUF_INIT(MANIFEST_MAX);
    j->more = x;
    j->free_more = pull_free;
    return j;
}
