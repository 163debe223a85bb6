/* unit/image/test_load.c - good archives: loaded, shared, found again; layers in overlay form. */
#include <sys/mount.h>
#include <sys/sysmacros.h>
#include <sys/xattr.h>
#include "store_env.h"

static bool have_root(void)
{
    if (geteuid() == 0)
        return true;
    check_skip("unpacking needs root");
    return false;
}

static void base_layer(struct buf *b)
{
    tar_add(b, (struct tar_entry){.name = "./", .type = '5'});
    tar_add(b, (struct tar_entry){.name = "etc/", .type = '5', .mode = 0750, .gid = 7});
    tar_add(b, (struct tar_entry){
                   .name = "etc/passwd", .type = '0', .data = "root:x:0:0::/:/bin/sh\n", .uid = 3});
    tar_add(b, (struct tar_entry){.name = "etc/link", .type = '2', .link = "/nowhere/../out"});
    tar_add(b, (struct tar_entry){.name = "etc/same", .type = '1', .link = "etc/passwd"});
    tar_add(
        b, (struct tar_entry){.name = "bin/su", .type = '0', .data = "x", .mode = 04755, .uid = 1});
    tar_add(b, (struct tar_entry){.name = "run/pipe", .type = '6'});
    tar_end(b);
}

static void upper_layer(struct buf *b)
{
    tar_add(b, (struct tar_entry){.name = "etc/.wh.passwd", .type = '0'});
    tar_add(b, (struct tar_entry){.name = "bin/", .type = '5'});
    tar_add(b, (struct tar_entry){.name = "bin/.wh..wh..opq", .type = '0'});
    tar_add(b, (struct tar_entry){.name = "bin/new", .type = '0', .data = "new"});
    tar_end(b);
}

static struct stat stat_in(const char *dir, const char *name)
{
    AUTO_FREE char *path = mem_printf("%s/%s", dir, name);
    struct stat st = {0};
    lstat(path, &st);
    return st;
}

static void a_docker_archive_becomes_an_image_with_overlay_layers(void)
{
    struct env t;
    AUTO_BUF struct buf a = BUF_INIT(1 << 20);
    struct buf l[2] = {BUF_INIT(1 << 20), BUF_INIT(1 << 20)};
    const struct image *img;
    if (!have_root())
        return;
    env_open(&t);
    base_layer(&l[0]);
    upper_layer(&l[1]);
    docker_archive(&a, l, 2, "redis:2");
    REQUIRE(env_load_buf(&t, &a) == 0);
    EXPECT(strstr(t.stream, "Loaded image: redis:2\n") != NULL);
    REQUIRE(image_find(t.store, "redis:2", &img) == 0);
    EXPECT_STR(img->id, t.id);
    EXPECT_STR(img->tags[0], "redis:2");
    EXPECT_STR(img->config.cmd[0], "sh");
    EXPECT_STR(img->config.env[0], "A=1");
    EXPECT(img->config.env[1] == NULL); /* HOST has no value: it must not come from the daemon */
    EXPECT_INT(img->size, 22 + 1 + 3);
    const char *low = img->layer_dirs[0], *up = img->layer_dirs[1];
    struct stat st = stat_in(low, "etc/passwd");
    EXPECT(S_ISREG(st.st_mode) && st.st_uid == 3 && st.st_nlink == 2);
    st = stat_in(low, "bin/su");
    EXPECT_INT(st.st_mode & 07777, 04755);
    EXPECT_INT(st.st_mtime, 1600000000);
    EXPECT(S_ISFIFO(stat_in(low, "run/pipe").st_mode));
    EXPECT(S_ISLNK(stat_in(low, "etc/link").st_mode));
    st = stat_in(up, "etc/passwd");
    EXPECT(S_ISCHR(st.st_mode) && st.st_rdev == makedev(0, 0));
    st = stat_in(up, "etc"); /* not described by the upper layer: as the lower one has it */
    EXPECT_INT(st.st_mode & 07777, 0750);
    EXPECT_INT(st.st_gid, 7);
    char value[4] = "";
    AUTO_FREE char *bin = mem_printf("%s/bin", up);
    EXPECT_INT(getxattr(bin, "trusted.overlay.opaque", value, sizeof value), 1);
    EXPECT_STR(value, "y");
    EXPECT_INT(env_count(&t, "layers"), 2);
    env_settle(&t);
    EXPECT_INT(env_count(&t, "tmp"), 0);
    buf_free(&l[0]), buf_free(&l[1]);
    env_close(&t);
}

static void images_share_layers_and_the_last_one_removes_them(void)
{
    struct env t;
    AUTO_BUF struct buf a = BUF_INIT(1 << 20), b = BUF_INIT(1 << 20);
    struct buf l[2] = {BUF_INIT(1 << 20), BUF_INIT(1 << 20)};
    const struct image *one, *two;
    if (!have_root())
        return;
    env_open(&t);
    base_layer(&l[0]);
    upper_layer(&l[1]);
    docker_archive(&a, l, 1, "one:1");
    docker_archive(&b, l, 2, "two:1");
    REQUIRE(env_load_buf(&t, &a) == 0);
    REQUIRE(env_load_buf(&t, &b) == 0);
    EXPECT_INT(env_count(&t, "layers"), 2);
    REQUIRE(image_find(t.store, "one:1", &one) == 0 && image_find(t.store, "two:1", &two) == 0);
    EXPECT_STR(one->layer_dirs[0], two->layer_dirs[0]);
    EXPECT_INT(image_disk_usage(t.store), 22 + 1 + 3);
    EXPECT_INT(image_remove(t.store, "two:1", false, false, NULL, NULL, NULL), 0);
    env_settle(&t);
    EXPECT_INT(env_count(&t, "layers"), 1);
    EXPECT_INT(image_remove(t.store, "one:1", false, false, NULL, NULL, NULL), 0);
    EXPECT(env_is_clean(&t));
    buf_free(&l[0]), buf_free(&l[1]);
    env_close(&t);
}

static void loading_again_unpacks_nothing_and_keeps_one_image(void)
{
    struct env t;
    AUTO_BUF struct buf a = BUF_INIT(1 << 20);
    struct buf l = BUF_INIT(1 << 20);
    if (!have_root())
        return;
    env_open(&t);
    base_layer(&l);
    docker_archive(&a, &l, 1, "one:1");
    REQUIRE(env_load_buf(&t, &a) == 0);
    REQUIRE(env_load_buf(&t, &a) == 0);
    EXPECT_STR(t.stream, "Loaded image: one:1\n"); /* no "Loading layer" */
    EXPECT_INT(env_count(&t, "layers"), 1);
    EXPECT_INT(env_count(&t, "configs"), 1);
    buf_free(&l);
    env_close(&t);
}

static void compressed_archives_are_read(void)
{
    static const char *const tools[] = {"gzip", "xz", "zstd -q", "bzip2"};
    struct buf l = BUF_INIT(1 << 20);
    if (!have_root())
        return;
    base_layer(&l);
    for (size_t i = 0; i < 4; i++) {
        struct env t;
        AUTO_BUF struct buf a = BUF_INIT(1 << 20);
        env_open(&t);
        docker_archive(&a, &l, 1, "one:1");
        AUTO_FREE char *path = write_temp(t.root, "a.tar", &a);
        AUTO_FREE char *cmd = mem_printf("%s -c %s > %s.z", tools[i], path, path);
        AUTO_FREE char *packed = mem_printf("%s.z", path);
        if (system(cmd) == 0) /* a machine may lack one of them */
            EXPECT_INT(env_load(&t, packed), 0);
        env_close(&t);
    }
    buf_free(&l);
}

static void blob(struct buf *tar, const struct buf *content, char ret[DIGEST_HEX_SIZE])
{
    char name[100];
    digest_of(content->p, content->len, ret);
    snprintf(name, sizeof name, "blobs/sha256/%s", ret);
    tar_add(tar,
            (struct tar_entry){.name = name, .type = '0', .data = content->p, .len = content->len});
}

static void oci_archive(struct buf *tar, const struct buf *layer, const char *wrong)
{
    char diff[DIGEST_HEX_SIZE], lhex[DIGEST_HEX_SIZE], chex[DIGEST_HEX_SIZE], mhex[DIGEST_HEX_SIZE];
    AUTO_BUF struct buf c = BUF_INIT(65536), m = BUF_INIT(65536), i = BUF_INIT(65536);
    digest_of(layer->p, layer->len, diff);
    blob(tar, layer, lhex);
    buf_printf(&c,
               "{\"os\":\"linux\",\"rootfs\":{\"type\":\"layers\",\"diff_ids\":[\"sha256:%s\"]}}",
               diff);
    blob(tar, &c, chex);
    buf_printf(&m,
               "{\"schemaVersion\":2,\"config\":{\"digest\":\"sha256:%s\"},\"layers\":[{\"digest\":"
               "\"sha256:%s\"}]}",
               chex, wrong ? wrong : lhex);
    blob(tar, &m, mhex);
    buf_printf(&i,
               "{\"schemaVersion\":2,\"manifests\":[{\"digest\":\"sha256:%s\",\"annotations\":"
               "{\"org.opencontainers.image.ref.name\":\"docker.io/library/web:3\"}}]}",
               mhex);
    tar_add(tar, (struct tar_entry){.name = "index.json", .type = '0', .data = i.p});
    tar_add(tar, (struct tar_entry){.name = "oci-layout",
                                    .type = '0',
                                    .data = "{\"imageLayoutVersion\":\"1.0.0\"}"});
    tar_end(tar);
}

static void an_oci_layout_is_read(void)
{
    struct env t;
    AUTO_BUF struct buf a = BUF_INIT(1 << 20);
    struct buf l = BUF_INIT(1 << 20);
    const struct image *img;
    if (!have_root())
        return;
    env_open(&t);
    base_layer(&l);
    oci_archive(&a, &l, NULL);
    REQUIRE(env_load_buf(&t, &a) == 0);
    EXPECT_INT(image_find(t.store, "web:3", &img), 0);
    buf_free(&l);
    env_close(&t);
}

static void an_oci_blob_that_is_not_what_its_name_says_is_refused(void)
{
    struct env t;
    AUTO_BUF struct buf a = BUF_INIT(1 << 20);
    struct buf l = BUF_INIT(1 << 20);
    char name[100];
    static const char lie[] = "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa";
    if (!have_root())
        return;
    env_open(&t);
    base_layer(&l);
    snprintf(name, sizeof name, "blobs/sha256/%s", lie);
    tar_add(&a, (struct tar_entry){.name = name, .type = '0', .data = l.p, .len = l.len});
    oci_archive(&a, &l, lie);
    EXPECT_INT(env_load_buf(&t, &a), -EPROTO);
    EXPECT(strstr(t.error, "is not what its name says") != NULL);
    EXPECT(env_is_clean(&t));
    buf_free(&l);
    env_close(&t);
}

static void a_restart_finds_what_was_there(void)
{
    struct env t;
    AUTO_BUF struct buf a = BUF_INIT(1 << 20);
    struct buf l = BUF_INIT(1 << 20);
    const struct image *img;
    if (!have_root())
        return;
    env_open(&t);
    base_layer(&l);
    docker_archive(&a, &l, 1, "one:1");
    REQUIRE(env_load_buf(&t, &a) == 0);
    EXPECT_INT(image_tag(t.store, "one:1", "host:5000/x/y", "", NULL), 0);
    char *root = t.root;
    env_close(&t);
    env_open_at(&t, root);
    REQUIRE(image_find(t.store, "host:5000/x/y:latest", &img) == 0);
    EXPECT_INT(strv_len((const char *const *)img->tags), 2);
    EXPECT_INT(img->size, 23);
    EXPECT(img->tagged_ns > 0);
    buf_free(&l);
    env_close(&t);
}

static void an_empty_layer_and_an_image_without_layers_are_fine(void)
{
    struct env t;
    AUTO_BUF struct buf a = BUF_INIT(1 << 20), b = BUF_INIT(1 << 20);
    struct buf l = BUF_INIT(1 << 20);
    const struct image *img;
    if (!have_root())
        return;
    env_open(&t);
    tar_end(&l);
    docker_archive(&a, &l, 1, "empty:1");
    EXPECT_INT(env_load_buf(&t, &a), 0);
    docker_archive(&b, NULL, 0, "none:1");
    EXPECT_INT(env_load_buf(&t, &b), 0);
    REQUIRE(image_find(t.store, "none:1", &img) == 0);
    EXPECT(img->layer_dirs && !img->layer_dirs[0]);
    buf_free(&l);
    env_close(&t);
}

static void a_layer_that_repeats_may_be_a_link_in_the_archive(void)
{
    struct env t;
    AUTO_BUF struct buf a = BUF_INIT(1 << 20), c = BUF_INIT(65536);
    struct buf l = BUF_INIT(1 << 20);
    const struct image *img;
    char hex[DIGEST_HEX_SIZE];
    if (!have_root())
        return;
    env_open(&t);
    base_layer(&l);
    digest_of(l.p, l.len, hex);
    buf_printf(&c, "{\"rootfs\":{\"diff_ids\":[\"sha256:%s\",\"sha256:%s\"]}}", hex, hex);
    tar_add(&a,
            (struct tar_entry){.name = "one/layer.tar", .type = '0', .data = l.p, .len = l.len});
    tar_add(&a,
            (struct tar_entry){.name = "two/layer.tar", .type = '2', .link = "../one/layer.tar"});
    tar_add(&a, (struct tar_entry){.name = "c.json", .type = '0', .data = c.p});
    tar_add(&a, (struct tar_entry){.name = "manifest.json",
                                   .type = '0',
                                   .data = "[{\"Config\":\"c.json\",\"RepoTags\":null,\"Layers\":"
                                           "[\"one/layer.tar\",\"two/layer.tar\"]}]"});
    tar_end(&a);
    REQUIRE(env_load_buf(&t, &a) == 0);
    EXPECT(strstr(t.stream, "Loaded image ID: sha256:") != NULL);
    REQUIRE(image_find(t.store, t.id, &img) == 0);
    EXPECT_INT(strv_len((const char *const *)img->layer_dirs), 2);
    EXPECT_INT(env_count(&t, "layers"), 1);
    EXPECT_INT(image_remove(t.store, t.id, false, false, NULL, NULL, NULL), 0);
    EXPECT(env_is_clean(&t));
    buf_free(&l);
    env_close(&t);
}

static void the_kernel_merges_the_layers_as_the_image_means_it(void)
{
    struct env t;
    AUTO_BUF struct buf a = BUF_INIT(1 << 20);
    struct buf l[2] = {BUF_INIT(1 << 20), BUF_INIT(1 << 20)};
    const struct image *img;
    if (!have_root())
        return;
    env_open(&t);
    base_layer(&l[0]);
    upper_layer(&l[1]);
    docker_archive(&a, l, 2, "x:1");
    REQUIRE(env_load_buf(&t, &a) == 0 && image_find(t.store, "x:1", &img) == 0);
    AUTO_FREE char *at = mem_printf("%s/merged", t.root);
    AUTO_FREE char *data = mem_printf("lowerdir=%s:%s", img->layer_dirs[1], img->layer_dirs[0]);
    REQUIRE(mkdir(at, 0700) == 0);
    if (mount("overlay", at, "overlay", MS_RDONLY, data) < 0) {
        check_skip("overlayfs cannot be mounted here");
    } else {
        EXPECT(stat_in(at, "etc/passwd").st_mode == 0); /* whited out */
        EXPECT(S_ISREG(stat_in(at, "etc/same").st_mode));
        EXPECT(stat_in(at, "bin/su").st_mode == 0); /* its directory was replaced */
        EXPECT(S_ISREG(stat_in(at, "bin/new").st_mode));
        EXPECT_INT(stat_in(at, "etc").st_mode & 07777, 0750);
        umount2(at, MNT_DETACH);
    }
    buf_free(&l[0]), buf_free(&l[1]);
    env_close(&t);
}

static void two_loads_at_once_of_one_layer_keep_it_once(void)
{
    struct env t, u;
    AUTO_BUF struct buf a = BUF_INIT(1 << 20), b = BUF_INIT(1 << 20);
    struct buf l = BUF_INIT(1 << 20);
    const struct image *img;
    if (!have_root())
        return;
    env_open(&t);
    u = t; /* for the second job's outcome only */
    base_layer(&l);
    docker_archive(&a, &l, 1, "a:1");
    docker_archive(&b, &l, 1, "b:1");
    AUTO_FREE char *one = write_temp(t.root, "a.tar", &a), *two = write_temp(t.root, "b.tar", &b);
    env_begin(&t), env_begin(&u);
    image_load(t.store, one, on_env_progress, on_env_done, &t);
    image_load(t.store, two, on_env_progress, on_env_done, &u);
    env_settle(&t);
    EXPECT(t.done && u.done && t.r == 0 && u.r == 0);
    EXPECT_INT(image_find(t.store, "a:1", &img) + image_find(t.store, "b:1", &img), 0);
    EXPECT_INT(env_count(&t, "layers"), 1);
    EXPECT_INT(env_count(&t, "tmp"), 0);
    buf_free(&l);
    env_close(&t);
}

int main(int argc, char **argv)
{
    if (argc > 1 && str_eq(argv[1], "image-unpack"))
        return image_unpack_main(argc, argv);
    TEST(a_docker_archive_becomes_an_image_with_overlay_layers);
    TEST(images_share_layers_and_the_last_one_removes_them);
    TEST(loading_again_unpacks_nothing_and_keeps_one_image);
    TEST(compressed_archives_are_read);
    TEST(an_oci_layout_is_read);
    TEST(an_oci_blob_that_is_not_what_its_name_says_is_refused);
    TEST(a_restart_finds_what_was_there);
    TEST(a_layer_that_repeats_may_be_a_link_in_the_archive);
    TEST(the_kernel_merges_the_layers_as_the_image_means_it);
    TEST(two_loads_at_once_of_one_layer_keep_it_once);
    TEST(an_empty_layer_and_an_image_without_layers_are_fine);
    return check_done();
}
