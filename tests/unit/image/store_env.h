/* unit/image/store_env.h - for the tests of image: tars made by hand, a store in a fresh directory,
 * jobs run to their end. */
#ifndef STORE_ENV_H
#define STORE_ENV_H
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <uv.h>
#include "base/buf.h"
#include "base/mem.h"
#include "base/str.h"
#include "image/digest.h"
#include "image/image.h"
#include "lib/check.h"

/* ---- tar ---- */

struct tar_entry {
    const char *name;
    char type; /* '0' file, '1' hard link, '2' symbolic link, '3' char, '4' block, '5' directory,
                  '6' pipe, 'x' pax */
    const char *link;
    const char *data;
    size_t len;     /* 0: strlen of data */
    uint64_t claim; /* a size to claim instead */
    unsigned mode, uid, gid, major, minor;
};

static inline void tar_octal(char *field, size_t digits, uint64_t v)
{
    for (size_t i = digits; i-- > 0; v >>= 3)
        field[i] = (char)('0' + (v & 7));
}

static inline void tar_add(struct buf *b, struct tar_entry t)
{
    char h[512] = {0};
    size_t len = t.len ? t.len : t.data ? strlen(t.data) : 0;
    unsigned sum = 0;
    snprintf(h, 100, "%s", t.name);
    tar_octal(h + 100, 7, t.mode ? t.mode : t.type == '5' ? 0755 : 0644);
    tar_octal(h + 108, 7, t.uid);
    tar_octal(h + 116, 7, t.gid);
    tar_octal(h + 124, 11, t.claim ? t.claim : len);
    tar_octal(h + 136, 11, 1600000000u);
    memset(h + 148, ' ', 8);
    h[156] = t.type;
    if (t.link)
        snprintf(h + 157, 100, "%s", t.link);
    memcpy(h + 257, "ustar\00000", 8);
    tar_octal(h + 329, 7, t.major);
    tar_octal(h + 337, 7, t.minor);
    for (size_t i = 0; i < 512; i++)
        sum += (unsigned char)h[i];
    tar_octal(h + 148, 6, sum);
    h[154] = 0;
    buf_append(b, h, 512);
    if (t.data)
        buf_append(b, t.data, len);
    static const char zero[512];
    if (len % 512)
        buf_append(b, zero, 512 - len % 512);
}

static inline void tar_pax(struct buf *b, const char *key, const char *value)
{
    char rec[512];
    int n = 0;
    for (int i = 0; i < 3; i++) /* the record's length counts its own digits */
        n = snprintf(rec, sizeof rec, "%d %s=%s\n", n, key, value);
    tar_add(b, (struct tar_entry){.name = "pax", .type = 'x', .data = rec, .len = (size_t)n});
}

static inline void tar_end(struct buf *b)
{
    static const char zero[1024];
    buf_append(b, zero, sizeof zero);
}

static inline char *write_temp(const char *dir, const char *name, const struct buf *b)
{
    char *path = mem_printf("%s/%s", dir, name);
    FILE *f = fopen(path, "w");
    if (!f || (b->len && fwrite(b->p, 1, b->len, f) != b->len) || fclose(f) != 0) {
        perror(path);
        exit(2);
    }
    return path;
}

/* ---- a store and its jobs ---- */

struct env {
    uv_loop_t loop;
    struct image_store *store;
    char *root;
    /* of the last job */
    bool done;
    int r;
    char id[IMAGE_ID_SIZE], error[ERR_TEXT_MAX], stream[8192];
};

static inline void env_open_at(struct env *t, char *root)
{
    struct err e = {0};
    struct image_store_options o = {.data_root = root};
    memset(t, 0, sizeof *t);
    uv_loop_init(&t->loop);
    t->root = root;
    if (image_store_open(&t->loop, &o, &t->store, &e) != 0) {
        printf("# %s\n", err_text(&e));
        exit(2);
    }
}

static inline void env_open(struct env *t)
{
    env_open_at(t, check_tmpdir());
}

static inline void env_close(struct env *t)
{
    image_store_close(t->store);
    uv_run(&t->loop, UV_RUN_DEFAULT);
    EXPECT_INT(uv_loop_close(&t->loop), 0);
}

static inline void on_env_progress(void *arg, const struct image_progress *p)
{
    struct env *t = arg;
    size_t n = strlen(t->stream);
    snprintf(t->stream + n, sizeof t->stream - n, "%s%s%s%s", p->id ? p->id : "", p->id ? ": " : "",
             p->stream   ? p->stream
             : p->status ? p->status
                         : "",
             p->stream ? "" : "\n");
}

static inline void on_env_done(void *arg, int r, const struct err *e, const char *id)
{
    struct env *t = arg;
    t->done = true;
    t->r = r;
    str_copy(t->id, sizeof t->id, id ? id : "");
    str_copy(t->error, sizeof t->error, err_text(e));
    if (r != 0)
        printf("# ended with %d: %s\n", r, t->error);
}

static inline void env_run(struct env *t)
{
    while (!t->done && uv_run(&t->loop, UV_RUN_ONCE))
        ;
}

static inline void env_settle(struct env *t) /* also what is removed later */
{
    uv_run(&t->loop, UV_RUN_DEFAULT);
}

static inline void env_begin(struct env *t)
{
    t->done = false;
    t->stream[0] = t->id[0] = t->error[0] = '\0';
}

static inline int env_load(struct env *t, const char *file)
{
    env_begin(t);
    image_load(t->store, file, on_env_progress, on_env_done, t);
    env_run(t);
    return t->r;
}

static inline int env_load_buf(struct env *t, const struct buf *b)
{
    AUTO_FREE char *path = write_temp(t->root, "archive.tar", b);
    return env_load(t, path);
}

static inline int env_import(struct env *t, const struct buf *b, const char *repo, const char *tag,
                             const char *const *changes)
{
    AUTO_FREE char *path = write_temp(t->root, "rootfs.tar", b);
    env_begin(t);
    image_import(t->store, path, repo, tag, "", changes, on_env_progress, on_env_done, t);
    env_run(t);
    return t->r;
}

static inline unsigned env_count(const struct env *t, const char *sub)
{
    AUTO_FREE char *cmd = mem_printf("ls -A '%s/image/%s' | wc -l", t->root, sub);
    FILE *p = popen(cmd, "r");
    unsigned n = 0;
    if (!p || fscanf(p, "%u", &n) != 1)
        n = 9999;
    if (p)
        pclose(p);
    return n;
}

/* Nothing was kept: no layer, no configuration, nothing under way. */
static inline bool env_is_clean(struct env *t)
{
    env_settle(t);
    return env_count(t, "tmp") == 0 && env_count(t, "layers") == 0 && env_count(t, "configs") == 0;
}

/* A Docker archive of one image with the given layers. */
static inline void docker_archive(struct buf *b, const struct buf *layers, size_t n,
                                  const char *tag)
{
    char hex[DIGEST_HEX_SIZE], name[160];
    AUTO_BUF struct buf config = BUF_INIT(1 << 20), manifest = BUF_INIT(1 << 20);
    buf_str(&config, "{\"architecture\":\"amd64\",\"os\":\"linux\",\"config\":{\"Cmd\":[\"sh\"],"
                     "\"Env\":[\"A=1\","
                     "\"HOST\"]},\"rootfs\":{\"type\":\"layers\",\"diff_ids\":[");
    for (size_t i = 0; i < n; i++) {
        digest_of(layers[i].p, layers[i].len, hex);
        buf_printf(&config, "%s\"sha256:%s\"", i ? "," : "", hex);
    }
    buf_str(&config, "]}}");
    digest_of(config.p, config.len, hex);
    buf_printf(&manifest, "[{\"Config\":\"%s.json\",\"RepoTags\":[\"%s\"],\"Layers\":[", hex, tag);
    for (size_t i = 0; i < n; i++) {
        snprintf(name, sizeof name, "l%zu/layer.tar", i);
        buf_printf(&manifest, "%s\"%s\"", i ? "," : "", name);
        tar_add(b, (struct tar_entry){
                       .name = name, .type = '0', .data = layers[i].p, .len = layers[i].len});
    }
    buf_str(&manifest, "]}]");
    snprintf(name, sizeof name, "%s.json", hex);
    tar_add(b, (struct tar_entry){.name = name, .type = '0', .data = config.p});
    tar_add(b, (struct tar_entry){.name = "manifest.json", .type = '0', .data = manifest.p});
    tar_end(b);
}
#endif
