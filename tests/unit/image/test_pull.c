/* unit/image/test_pull.c - pulling from a registry on a loopback address, with and without
 * credentials. */
#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include "image/auth.h"
#include "image/config.h"
#include "image/manifest.h"
#include "store_env.h"

struct registry {
    pid_t pid;
    unsigned port;
    char *dir;
};

static unsigned free_port(void)
{
    struct sockaddr_in a = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t n = sizeof a;
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (bind(fd, (struct sockaddr *)&a, n) < 0 || getsockname(fd, (struct sockaddr *)&a, &n) < 0)
        exit(2);
    close(fd);
    return ntohs(a.sin_port);
}

static bool reachable(unsigned port)
{
    struct sockaddr_in a = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    a.sin_port = htons((uint16_t)port);
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    bool ok = connect(fd, (struct sockaddr *)&a, sizeof a) == 0;
    close(fd);
    return ok;
}

static bool tools_missing(void)
{
    if (geteuid() != 0) {
        check_skip("unpacking needs root");
        return true;
    }
    if (system("command -v docker-registry >/dev/null && command -v skopeo >/dev/null") == 0)
        return false;
    check_skip("docker-registry or skopeo is not installed");
    return true;
}

/* The store of a registry in dir; with `users` only the user "u" with password "p4ss" may read. */
static void registry_start(struct registry *r, char *dir, bool users)
{
    AUTO_FREE char *conf = mem_printf("%s/registry.yml", dir);
    AUTO_FREE char *passwd = mem_printf("%s/htpasswd", dir);
    *r = (struct registry){.port = free_port(), .dir = dir};
    FILE *f = fopen(conf, "w");
    fprintf(
        f,
        "version: 0.1\nlog: {level: error, accesslog: {disabled: true}}\nstorage:\n  filesystem:\n"
        "    rootdirectory: %s/data\nhttp:\n  addr: 127.0.0.1:%u\n",
        dir, r->port);
    if (users)
        fprintf(f, "auth:\n  htpasswd:\n    realm: test\n    path: %s\n", passwd);
    fclose(f);
    f = fopen(passwd, "w");
    fputs("u:$2y$04$4e8TfgQ9zr4EcZBPRFQgEulOyqrSHUp1emhUYVuSYoFVKqBu5vw/m\n", f);
    fclose(f);
    r->pid = fork();
    if (r->pid == 0) {
        int null = open("/dev/null", O_RDWR);
        dup2(null, 1), dup2(null, 2);
        execlp("docker-registry", "docker-registry", "serve", conf, NULL);
        _exit(127);
    }
    for (int i = 0; i < 500 && !reachable(r->port); i++)
        usleep(20000);
}

static void registry_stop(struct registry *r)
{
    kill(r->pid, SIGKILL);
    waitpid(r->pid, NULL, 0);
}

static void push(struct registry *r, const char *from, const char *to)
{
    AUTO_FREE char *cmd = mem_printf("skopeo --insecure-policy copy --all -q "
                                     "--dest-tls-verify=false %s docker://127.0.0.1:%u/%s",
                                     from, r->port, to);
    EXPECT_INT(system(cmd), 0);
}

static void push_archive(struct registry *r, const char *content, const char *to)
{
    AUTO_BUF struct buf a = BUF_INIT(1 << 20);
    struct buf l = BUF_INIT(1 << 20);
    tar_add(&l, (struct tar_entry){.name = "f", .type = '0', .data = content});
    tar_end(&l);
    docker_archive(&a, &l, 1, "x:1");
    AUTO_FREE char *path = write_temp(r->dir, "push.tar", &a);
    AUTO_FREE char *from = mem_printf("docker-archive:%s", path);
    push(r, from, to);
    buf_free(&l);
}

static int pull(struct env *t, const char *ref, const char *auth)
{
    env_begin(t);
    image_pull(t->store, ref, auth, on_env_progress, on_env_done, t);
    env_run(t);
    return t->r;
}

static int pull_from(struct env *t, const struct registry *r, const char *name, const char *auth)
{
    AUTO_FREE char *ref = mem_printf("127.0.0.1:%u/%s", r->port, name);
    return pull(t, ref, auth);
}

static const struct image *find_in(struct env *t, const struct registry *r, const char *name)
{
    AUTO_FREE char *ref = mem_printf("127.0.0.1:%u/%s", r->port, name);
    const struct image *img = NULL;
    return image_find(t->store, ref, &img) == 0 ? img : NULL;
}

static void an_image_is_pulled_with_its_digest_and_not_twice(void)
{
    struct env t;
    struct registry r;
    char want[200];
    if (tools_missing())
        return;
    registry_start(&r, check_tmpdir(), false);
    env_open(&t);
    push_archive(&r, "one", "a/x:1");
    REQUIRE(pull_from(&t, &r, "a/x:1", NULL) == 0);
    const struct image *img = find_in(&t, &r, "a/x:1");
    REQUIRE(img != NULL);
    EXPECT_STR(img->id, t.id);
    EXPECT_INT(strv_len((const char *const *)img->digests), 1);
    EXPECT(str_starts(t.stream, "1: Pulling from a/x\n"));
    EXPECT(strstr(t.stream, ": Pulling fs layer\n") && strstr(t.stream, ": Pull complete\n"));
    snprintf(want, sizeof want, "Status: Downloaded newer image for 127.0.0.1:%u/a/x:1\n", r.port);
    EXPECT(str_ends(t.stream, want));
    EXPECT(strstr(t.stream, strchr(img->digests[0], '@') + 1) != NULL); /* "Digest: sha256:…" */
    AUTO_FREE char *by_digest = mem_str(strstr(img->digests[0], "a/x@"));
    REQUIRE(pull_from(&t, &r, "a/x:1", NULL) == 0);
    snprintf(want, sizeof want, "Status: Image is up to date for 127.0.0.1:%u/a/x:1\n", r.port);
    EXPECT(str_ends(t.stream, want));
    EXPECT(strstr(t.stream, "Pulling fs layer") == NULL);
    AUTO_FREE char *ref = mem_printf("127.0.0.1:%u/a/x:1", r.port);
    EXPECT_INT(image_remove(t.store, ref, false, false, NULL, NULL, NULL), 0);
    EXPECT(env_is_clean(&t)); /* the digest went with the last tag of its repository */
    REQUIRE(pull_from(&t, &r, by_digest, NULL) == 0);
    img = find_in(&t, &r, by_digest);
    EXPECT(img && !img->tags[0] && img->digests[0]);
    registry_stop(&r);
    env_close(&t);
}

static void what_is_not_there_is_told_in_the_engines_words(void)
{
    struct env t;
    struct registry r;
    char want[300];
    if (tools_missing())
        return;
    registry_start(&r, check_tmpdir(), false);
    env_open(&t);
    EXPECT_INT(pull_from(&t, &r, "a/nope:1", NULL), IMAGE_NOT_FOUND);
    snprintf(want, sizeof want,
             "manifest for 127.0.0.1:%u/a/nope:1 not found: manifest unknown: manifest unknown",
             r.port);
    EXPECT_STR(t.error, want);
    EXPECT_STR(t.stream, ""); /* nothing was said, so the answer can still be an error */
    EXPECT_INT(pull_from(&t, &r, "UPPER:1", NULL), IMAGE_BAD_REFERENCE);
    registry_stop(&r);
    EXPECT_INT(pull_from(&t, &r, "a/x:1", NULL), -EIO);
    snprintf(want, sizeof want,
             "Get \"http://127.0.0.1:%u/v2/\": dial tcp 127.0.0.1:%u: connect: connection refused",
             r.port, r.port);
    EXPECT_STR(t.error, want);
    EXPECT(env_is_clean(&t));
    env_close(&t);
}

/* {"username":"u","password":"p4ss","serveraddress":"x"} and with a wrong password, base64url */
#define GOOD "eyJ1c2VybmFtZSI6InUiLCJwYXNzd29yZCI6InA0c3MiLCJzZXJ2ZXJhZGRyZXNzIjoieCJ9"
#define WRONG "eyJ1c2VybmFtZSI6InUiLCJwYXNzd29yZCI6Indyb25nIn0="

static void credentials_open_a_closed_registry_and_are_left_nowhere(void)
{
    struct env t;
    struct registry open, closed;
    char want[300];
    if (tools_missing())
        return;
    char *dir = check_tmpdir();
    registry_start(&open, dir, false);
    push_archive(&open, "one", "a/x:1");
    registry_stop(&open);
    registry_start(&closed, dir, true);
    env_open(&t);
    snprintf(want, sizeof want,
             "pull access denied for 127.0.0.1:%u/a/x, repository does not exist or may require "
             "'docker login': "
             "unauthorized: authentication required",
             closed.port);
    EXPECT_INT(pull_from(&t, &closed, "a/x:1", NULL), IMAGE_NOT_FOUND);
    EXPECT_STR(t.error, want);
    EXPECT_INT(pull_from(&t, &closed, "a/x:1", "e30="), IMAGE_NOT_FOUND);
    EXPECT_INT(pull_from(&t, &closed, "a/x:1", WRONG), IMAGE_NOT_FOUND);
    EXPECT(strstr(t.error, "wrong") == NULL);
    EXPECT_INT(pull_from(&t, &closed, "a/x:1", "not base64!"), IMAGE_NOT_FOUND);
    EXPECT_INT(pull_from(&t, &closed, "a/x:1", GOOD), 0);
    AUTO_FREE char *grep = mem_printf("grep -rq 'p4ss\\|dTpwNHNz' %s/image", t.root);
    EXPECT(system(grep) != 0);
    registry_stop(&closed);
    env_close(&t);
}

static void write_blob(const char *dir, const char *content, char ret[DIGEST_HEX_SIZE])
{
    struct buf b = {.p = NULL};
    AUTO_FREE char *blobs = mem_printf("%s/blobs/sha256", dir);
    AUTO_FREE char *copy = mem_str(content);
    digest_of(content, strlen(content), ret);
    b.p = copy, b.len = strlen(content);
    free(write_temp(blobs, ret, &b));
}

static void of_a_list_the_image_for_this_machine_is_taken(void)
{
    struct env t;
    struct registry r;
    static const char *const archs[] = {"s390x", NULL};
    char c[DIGEST_HEX_SIZE], m[DIGEST_HEX_SIZE], list[DIGEST_HEX_SIZE];
    AUTO_BUF struct buf l = BUF_INIT(65536), index = BUF_INIT(65536), oci = BUF_INIT(65536);
    if (tools_missing())
        return;
    registry_start(&r, check_tmpdir(), false);
    env_open(&t);
    AUTO_FREE char *mk = mem_printf("mkdir -p %s/oci/blobs/sha256", r.dir);
    AUTO_FREE char *dir = mem_printf("%s/oci", r.dir);
    EXPECT_INT(system(mk), 0);
    buf_str(&l, "{\"schemaVersion\":2,\"mediaType\":\"application/"
                "vnd.oci.image.index.v1+json\",\"manifests\":[");
    for (int i = 0; i < 2; i++) {
        const char *arch = archs[i] ? archs[i] : config_host_architecture();
        AUTO_FREE char *config = mem_printf("{\"architecture\":\"%s\",\"os\":\"linux\",\"rootfs\":{"
                                            "\"type\":\"layers\",\"diff_ids\":[]}}",
                                            arch);
        write_blob(dir, config, c);
        AUTO_FREE char *man = mem_printf(
            "{\"schemaVersion\":2,\"mediaType\":\"application/"
            "vnd.oci.image.manifest.v1+json\",\"config\":"
            "{\"mediaType\":\"application/"
            "vnd.oci.image.config.v1+json\",\"digest\":\"sha256:%s\",\"size\":%zu},\"layers\":[]}",
            c, strlen(config));
        write_blob(dir, man, m);
        buf_printf(&l,
                   "%s{\"mediaType\":\"application/"
                   "vnd.oci.image.manifest.v1+json\",\"digest\":\"sha256:%s\",\"size\":%zu,"
                   "\"platform\":{\"os\":\"linux\",\"architecture\":\"%s\"}}",
                   i ? "," : "", m, strlen(man), arch);
    }
    buf_str(&l, "]}");
    write_blob(dir, l.p, list);
    buf_printf(&index,
               "{\"schemaVersion\":2,\"manifests\":[{\"mediaType\":\"application/"
               "vnd.oci.image.index.v1+json\",\"digest\":\"sha256:%s\",\"size\":%zu}]}",
               list, l.len);
    free(write_temp(dir, "index.json", &index));
    buf_str(&oci, "{\"imageLayoutVersion\":\"1.0.0\"}");
    free(write_temp(dir, "oci-layout", &oci));
    AUTO_FREE char *from = mem_printf("oci:%s", dir);
    push(&r, from, "multi:1");
    REQUIRE(pull_from(&t, &r, "multi:1", NULL) == 0);
    const struct image *img = find_in(&t, &r, "multi:1");
    REQUIRE(img != NULL);
    EXPECT_STR(img->config.architecture, config_host_architecture());
    EXPECT(img->digests[0] && str_ends(img->digests[0], list)); /* what the tag names is the list */
    registry_stop(&r);
    env_close(&t);
}

static void a_pull_can_be_cancelled(void)
{
    struct env t;
    struct registry r;
    if (tools_missing())
        return;
    registry_start(&r, check_tmpdir(), false);
    push_archive(&r, "one", "a/x:1");
    env_open(&t);
    AUTO_FREE char *ref = mem_printf("127.0.0.1:%u/a/x:1", r.port);
    env_begin(&t);
    struct image_job *j = image_pull(t.store, ref, NULL, on_env_progress, on_env_done, &t);
    uv_run(&t.loop, UV_RUN_NOWAIT);
    image_job_cancel(j);
    env_run(&t);
    EXPECT_INT(t.r, -ECANCELED);
    EXPECT(env_is_clean(&t));
    registry_stop(&r);
    env_close(&t);
}

static void read_back(int fd, char *ret, size_t size)
{
    ssize_t n = pread(fd, ret, size - 1, 0);
    ret[n > 0 ? n : 0] = '\0';
    close(fd);
}

static void credentials_become_an_auth_file_in_memory(void)
{
    char text[300];
    read_back(auth_memfd(GOOD, "host:5000", NULL), text, sizeof text);
    EXPECT_STR(text, "{\"auths\":{\"host:5000\":{\"auth\":\"dTpwNHNz\"}}}");
    static const char *const none[] = {NULL, "", "e30=", "!!!!", "AAAA", "eyJ1c2VybmFtZSI6W119",
                                       "x"};
    for (size_t i = 0; i < sizeof none / sizeof *none; i++) {
        read_back(auth_memfd(none[i], "host", NULL), text, sizeof text);
        EXPECT_STR(text, "{\"auths\":{}}");
    }
    /* {"identitytoken":"tok"} and one that would break out of the JSON */
    read_back(auth_memfd("eyJpZGVudGl0eXRva2VuIjoidG9rIn0", "h", NULL), text, sizeof text);
    EXPECT_STR(text, "{\"auths\":{\"h\":{\"auth\":\"PHRva2VuPjo=\",\"identitytoken\":\"tok\"}}}");
    read_back(auth_memfd("eyJpZGVudGl0eXRva2VuIjoiYVwiLCJ9", "h", NULL), text, sizeof text);
    EXPECT_STR(text, "{\"auths\":{}}");
}

static void manifests_and_complaints_of_strangers_are_bounded(void)
{
    static const char *const bad[] = {"",
                                      "[]",
                                      "{",
                                      "{}",
                                      "{\"schemaVersion\":1,\"layers\":[]}",
                                      "{\"schemaVersion\":2,\"layers\":[{}],\"config\":{}}",
                                      "{\"manifests\":[]}",
                                      "{\"manifests\":[1,{\"platform\":7}]}"};
    struct manifest m;
    struct err e = {0};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        EXPECT_INT(manifest_parse(bad[i], strlen(bad[i]), &m, &e), -EPROTO);
    EXPECT_INT(manifest_complaint("", "x:1", &e), -EIO);
    EXPECT_INT(manifest_complaint("plain\nlast words\n", "x:1", &e), -EIO);
    EXPECT_STR(err_text(&e), "last words");
    EXPECT_INT(manifest_complaint("level=fatal msg=\"a \\\"b\\\"\\n: denied: no\"", "h:5/x:1", &e),
               IMAGE_NOT_FOUND);
    EXPECT_STR(err_text(&e), "pull access denied for h:5/x, repository does not exist or may "
                             "require 'docker login': denied: no");
}

int main(int argc, char **argv)
{
    if (argc > 1 && str_eq(argv[1], "image-unpack"))
        return image_unpack_main(argc, argv);
    TEST(an_image_is_pulled_with_its_digest_and_not_twice);
    TEST(what_is_not_there_is_told_in_the_engines_words);
    TEST(credentials_open_a_closed_registry_and_are_left_nowhere);
    TEST(of_a_list_the_image_for_this_machine_is_taken);
    TEST(a_pull_can_be_cancelled);
    TEST(credentials_become_an_auth_file_in_memory);
    TEST(manifests_and_complaints_of_strangers_are_bounded);
    return check_done();
}
