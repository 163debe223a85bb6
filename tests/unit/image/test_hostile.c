/* unit/image/test_hostile.c - archives that mean harm: each is refused as a whole and leaves
 * nothing behind. */
#include "store_env.h"

static bool have_root(void)
{
    if (geteuid() == 0)
        return true;
    check_skip("unpacking needs root");
    return false;
}

static struct tar_entry dir(const char *name)
{
    return (struct tar_entry){.name = name, .type = '5'};
}
static struct tar_entry file(const char *name)
{
    return (struct tar_entry){.name = name, .type = '0', .data = "evil"};
}
static struct tar_entry symlink_to(const char *name, const char *to)
{
    return (struct tar_entry){.name = name, .type = '2', .link = to};
}
static struct tar_entry hardlink_to(const char *name, const char *to)
{
    return (struct tar_entry){.name = name, .type = '1', .link = to};
}

/* A layer of the entries inside an archive that is otherwise good; must be refused with these
 * words. */
static void refuse_layer_buf(struct buf *l, const char *words)
{
    struct env t;
    AUTO_BUF struct buf a = BUF_INIT(64 << 20);
    env_open(&t);
    tar_end(l);
    docker_archive(&a, l, 1, "evil:1");
    EXPECT_INT(env_load_buf(&t, &a), -EPROTO);
    EXPECT(strstr(t.error, words) != NULL);
    EXPECT(env_is_clean(&t));
    env_close(&t);
    buf_free(l);
}

static void refuse_layer(const struct tar_entry *e, size_t n, const char *words)
{
    struct buf l = BUF_INIT(64 << 20);
    for (size_t i = 0; i < n; i++)
        tar_add(&l, e[i]);
    refuse_layer_buf(&l, words);
}
#define REFUSE_LAYER(words, ...)                                                                   \
    do {                                                                                           \
        const struct tar_entry entries_[] = {__VA_ARGS__};                                         \
        refuse_layer(entries_, sizeof entries_ / sizeof *entries_, words);                         \
    } while (0)

static void a_path_that_climbs_is_refused(void)
{
    if (!have_root())
        return;
    REFUSE_LAYER("climbs", file("../escape"));
    REFUSE_LAYER("climbs", dir("a"), file("a/../../escape"));
    REFUSE_LAYER("climbs", dir("a/.."));
}

static void an_absolute_path_is_refused(void)
{
    if (have_root())
        REFUSE_LAYER("absolute", file("/tmp/keep-test-escape"));
}

static void a_hard_link_out_of_the_layer_is_refused(void)
{
    if (!have_root())
        return;
    REFUSE_LAYER("absolute", hardlink_to("shadow", "/etc/shadow"));
    REFUSE_LAYER("climbs", hardlink_to("shadow", "../../../../etc/shadow"));
    REFUSE_LAYER("does not hold", hardlink_to("shadow", "etc/shadow"));
}

static void a_hard_link_through_a_symbolic_link_is_refused(void)
{
    if (have_root())
        REFUSE_LAYER("does not hold", symlink_to("e", "/etc"), hardlink_to("shadow", "e/shadow"));
}

static void a_file_written_through_a_symbolic_link_is_refused(void)
{
    if (!have_root())
        return;
    REFUSE_LAYER("through a link", symlink_to("e", "/tmp"), file("e/keep-test-escape"));
    REFUSE_LAYER("through a link", dir("in"), symlink_to("e", "in"), file("e/x"));
    REFUSE_LAYER("through a link", symlink_to("e", "../../../.."), dir("e/deep/er"));
}

static void a_file_in_the_place_of_a_link_replaces_the_link(void)
{
    struct env t;
    AUTO_BUF struct buf a = BUF_INIT(1 << 20);
    struct buf l = BUF_INIT(1 << 20);
    const struct image *img;
    if (!have_root())
        return;
    env_open(&t);
    AUTO_FREE char *victim = mem_printf("%s/victim", t.root);
    tar_add(&l, symlink_to("f", victim));
    tar_add(&l, file("f"));
    tar_end(&l);
    docker_archive(&a, &l, 1, "x:1");
    REQUIRE(env_load_buf(&t, &a) == 0);
    EXPECT(access(victim, F_OK) != 0);
    REQUIRE(image_find(t.store, "x:1", &img) == 0);
    AUTO_FREE char *f = mem_printf("%s/f", img->layer_dirs[0]);
    struct stat st;
    EXPECT(lstat(f, &st) == 0 && S_ISREG(st.st_mode));
    env_close(&t);
    buf_free(&l);
}

static void devices_are_refused(void)
{
    if (!have_root())
        return;
    REFUSE_LAYER("device", {.name = "sda", .type = '4', .major = 8});
    REFUSE_LAYER("device", {.name = "null", .type = '3', .major = 1, .minor = 3});
}

static void a_whiteout_through_a_link_is_refused(void)
{
    if (!have_root())
        return;
    REFUSE_LAYER("through a link", symlink_to("e", "/etc"), file("e/.wh.passwd"));
    REFUSE_LAYER("through a link", symlink_to("e", "/etc"), file("e/.wh..wh..opq"));
}

static void a_whiteout_without_a_name_is_refused(void)
{
    if (!have_root())
        return;
    REFUSE_LAYER("without a name", file("a/.wh."));
    REFUSE_LAYER("without a name", file("a/.wh..."), file("a/.wh.."));
}

static void attributes_of_overlayfs_are_refused(void)
{
    struct buf l = BUF_INIT(1 << 20);
    if (!have_root())
        return;
    tar_pax(&l, "SCHILY.xattr.trusted.overlay.redirect", "/../../secret");
    tar_add(&l, dir("d"));
    refuse_layer_buf(&l, "attribute of overlayfs");
}

static void an_impossible_owner_is_refused(void)
{
    struct buf l = BUF_INIT(1 << 20);
    if (!have_root())
        return;
    tar_pax(&l, "uid", "4294967295");
    tar_add(&l, file("f"));
    refuse_layer_buf(&l, "impossible owner");
}

static void too_deep_a_path_is_refused(void)
{
    struct buf l = BUF_INIT(1 << 20);
    char deep[450] = "";
    if (!have_root())
        return;
    for (size_t i = 0; i < 201; i++)
        deep[2 * i] = 'a', deep[2 * i + 1] = '/';
    tar_pax(&l, "path", deep);
    tar_add(&l, file("f"));
    refuse_layer_buf(&l, "too long or deep");
}

static void a_sparse_file_counts_in_full(void)
{
    struct buf l = BUF_INIT(1 << 20);
    if (!have_root())
        return;
    tar_pax(&l, "GNU.sparse.realsize", "99999999999999");
    tar_pax(&l, "size", "99999999999999");
    tar_add(&l, (struct tar_entry){.name = "huge", .type = '0', .claim = 1000});
    refuse_layer_buf(&l, "larger than allowed");
}

/* 1.3 GB of zeros in some KiB of nested gzip, named as a layer. */
static void a_bomb_is_refused_by_its_ratio(void)
{
    struct env t;
    AUTO_BUF struct buf a = BUF_INIT(64 << 20), z = BUF_INIT(64 << 20);
    if (!have_root())
        return;
    env_open(&t);
    AUTO_FREE char *cmd =
        mem_printf("head -c 1300000000 /dev/zero | gzip -1 | gzip -9 | gzip -9 > %s/bomb", t.root);
    AUTO_FREE char *path = mem_printf("%s/bomb", t.root);
    REQUIRE(system(cmd) == 0 && buf_read_file(&z, path, NULL) == 0);
    docker_archive(&a, &z, 1, "bomb:1");
    EXPECT_INT(env_load_buf(&t, &a), -EPROTO);
    EXPECT(strstr(t.error, "expands") || strstr(t.error, "tar header"));
    EXPECT_INT(env_load(&t, path), -EPROTO); /* and as the archive itself */
    EXPECT(env_is_clean(&t));
    env_close(&t);
}

static void a_truncated_archive_is_refused_as_the_engine_says_it(void)
{
    struct env t;
    AUTO_BUF struct buf a = BUF_INIT(1 << 20);
    struct buf l = BUF_INIT(1 << 20);
    if (!have_root())
        return;
    env_open(&t);
    for (int i = 0; i < 20; i++)
        tar_add(&l, (struct tar_entry){.name = "f", .type = '0', .data = "some data of a file"});
    tar_end(&l);
    docker_archive(&a, &l, 1, "x:1");
    for (size_t cut = 700; cut < a.len - 3000; cut += 1700) {
        AUTO_BUF struct buf part = BUF_INIT(1 << 20);
        buf_append(&part, a.p, cut);
        EXPECT_INT(env_load_buf(&t, &part), -EPROTO);
        EXPECT_STR(t.error, "Error processing tar file(exit status 1): unexpected EOF");
    }
    EXPECT(env_is_clean(&t));
    env_close(&t);
    buf_free(&l);
}

static void garbage_and_nothing_are_refused_as_the_engine_says_it(void)
{
    struct env t;
    AUTO_BUF struct buf a = BUF_INIT(1 << 20);
    if (!have_root())
        return;
    env_open(&t);
    EXPECT_INT(env_load_buf(&t, &a), -EPROTO);
    EXPECT(strstr(t.error, "/docker-import-") &&
           str_ends(t.error, "/repositories: no such file or directory"));
    buf_str(&a, "this is no tar");
    EXPECT_INT(env_load_buf(&t, &a), -EPROTO);
    EXPECT_STR(t.error, "Error processing tar file(exit status 1): unexpected EOF");
    EXPECT(env_is_clean(&t));
    env_close(&t);
}

static void refuse_outer(const struct tar_entry *e, size_t n, const char *words)
{
    struct env t;
    AUTO_BUF struct buf a = BUF_INIT(1 << 20);
    env_open(&t);
    for (size_t i = 0; i < n; i++)
        tar_add(&a, e[i]);
    tar_end(&a);
    EXPECT_INT(env_load_buf(&t, &a), -EPROTO);
    EXPECT(strstr(t.error, words) != NULL);
    EXPECT(env_is_clean(&t));
    env_close(&t);
}
#define REFUSE_OUTER(words, ...)                                                                   \
    do {                                                                                           \
        const struct tar_entry entries_[] = {__VA_ARGS__};                                         \
        refuse_outer(entries_, sizeof entries_ / sizeof *entries_, words);                         \
    } while (0)

static struct tar_entry text(const char *name, const char *data)
{
    return (struct tar_entry){.name = name, .type = '0', .data = data};
}

#define CONFIG "{\"os\":\"linux\",\"rootfs\":{\"type\":\"layers\",\"diff_ids\":[]}}"

static void a_manifest_that_is_a_link_is_refused(void)
{
    if (have_root())
        REFUSE_OUTER("is a link", symlink_to("manifest.json", "/etc/passwd"));
}

static void a_manifest_given_twice_is_refused(void)
{
    if (have_root())
        REFUSE_OUTER("twice", text("manifest.json", "[]"), text("./manifest.json", "[]"));
}

static void a_manifest_that_names_what_lies_outside_is_refused(void)
{
    if (!have_root())
        return;
    REFUSE_OUTER("does not hold",
                 text("manifest.json", "[{\"Config\":\"../../../etc/passwd\",\"Layers\":[]}]"));
    REFUSE_OUTER("does not hold",
                 text("manifest.json", "[{\"Config\":\"/etc/passwd\",\"Layers\":[]}]"));
    REFUSE_OUTER("does not hold", text("c", CONFIG),
                 text("manifest.json", "[{\"Config\":\"c\",\"Layers\":[\"../../etc/passwd\"]}]"));
    REFUSE_OUTER("does not hold", text("c", CONFIG), symlink_to("l", "/etc/passwd"),
                 text("manifest.json", "[{\"Config\":\"c\",\"Layers\":[\"l\"]}]"));
    REFUSE_OUTER("does not hold", text("c", CONFIG), symlink_to("l", "../../c"),
                 text("manifest.json", "[{\"Config\":\"c\",\"Layers\":[\"l\"]}]"));
}

static void manifests_of_the_wrong_shape_are_refused(void)
{
    static const char *const manifests[] = {
        "",
        "{",
        "{}",
        "[1]",
        "[{\"Config\":1}]",
        "[{\"Config\":\"c\",\"Layers\":{}}]",
        "[{\"Config\":\"c\",\"Layers\":[1]}]",
        "[{\"Config\":\"c\",\"Layers\":[],\"RepoTags\":\"x\"}]",
        "[{\"Config\":\"c\",\"Layers\":[],\"RepoTags\":[\"UPPER:1\"]}]",
        "[{\"Config\":\"c\",\"Layers\":[\"c\"]}]",
        "[{\"Config\":\"c\",\"Config\":\"d\",\"Layers\":[]}]",
    };
    if (!have_root())
        return;
    for (size_t i = 0; i < sizeof manifests / sizeof *manifests; i++)
        REFUSE_OUTER("", text("c", CONFIG), text("manifest.json", manifests[i]));
}

static void a_configuration_that_is_not_what_its_name_says_is_refused(void)
{
    static const char name[] =
        "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa.json";
    AUTO_FREE char *m = mem_printf("[{\"Config\":\"%s\",\"Layers\":[]}]", name);
    if (have_root())
        REFUSE_OUTER("not what its name says", text(name, CONFIG), text("manifest.json", m));
}

static void a_layer_that_is_not_its_diff_id_is_refused(void)
{
    struct env t;
    AUTO_BUF struct buf a = BUF_INIT(1 << 20);
    struct buf l = BUF_INIT(1 << 20);
    if (!have_root())
        return;
    env_open(&t);
    tar_add(&l, text("f", "content"));
    tar_end(&l);
    docker_archive(&a, &l, 1, "x:1");
    char *p = memmem(a.p, a.len, "content", 7);
    REQUIRE(p != NULL);
    *p = 'C';
    EXPECT_INT(env_load_buf(&t, &a), -EPROTO);
    EXPECT(strstr(t.error, "invalid diffID") != NULL);
    EXPECT(env_is_clean(&t));
    env_close(&t);
    buf_free(&l);
}

static void a_second_layer_that_is_bad_takes_the_first_with_it(void)
{
    struct env t;
    AUTO_BUF struct buf a = BUF_INIT(1 << 20);
    struct buf l[2] = {BUF_INIT(1 << 20), BUF_INIT(1 << 20)};
    const struct image *img;
    if (!have_root())
        return;
    env_open(&t);
    tar_add(&l[0], text("f", "content"));
    tar_end(&l[0]);
    tar_add(&l[1], file("../f"));
    tar_end(&l[1]);
    docker_archive(&a, l, 2, "x:1");
    EXPECT_INT(env_load_buf(&t, &a), -EPROTO);
    EXPECT_INT(image_find(t.store, "x:1", &img), IMAGE_NOT_FOUND);
    EXPECT(env_is_clean(&t));
    env_close(&t);
    buf_free(&l[0]), buf_free(&l[1]);
}

static void devices_and_hard_links_in_the_archive_itself_are_refused(void)
{
    if (!have_root())
        return;
    REFUSE_OUTER("device", {.name = "manifest.json", .type = '6'});
    REFUSE_OUTER("hard link", text("c", "x"), hardlink_to("manifest.json", "c"));
    REFUSE_OUTER("climbs", text("../manifest.json", "[]"));
}

static void names_that_are_not_text_survive_or_refuse_but_never_confuse_the_report(void)
{
    struct env t;
    AUTO_BUF struct buf a = BUF_INIT(1 << 20);
    struct buf l = BUF_INIT(1 << 20);
    const struct image *img;
    if (!have_root())
        return;
    env_open(&t);
    tar_add(&l, text("a\ndone 1 2", "x"));
    tar_add(&l, text("\xff\xfe latin", "x"));
    tar_add(&l, text("d\nparent x/f", "x"));
    tar_pax(&l, "path", "\xc3\xa4\xe2\x82\xac");
    tar_add(&l, text("f", "x"));
    tar_end(&l);
    docker_archive(&a, &l, 1, "x:1");
    REQUIRE(env_load_buf(&t, &a) == 0);
    REQUIRE(image_find(t.store, "x:1", &img) == 0);
    static const char *const names[] = {"a\ndone 1 2", "\xff\xfe latin", "d\nparent x/f",
                                        "\xc3\xa4\xe2\x82\xac"};
    for (size_t i = 0; i < 4; i++) {
        AUTO_FREE char *path = mem_printf("%s/%s", img->layer_dirs[0], names[i]);
        EXPECT(access(path, F_OK) == 0);
    }
    env_close(&t);
    buf_free(&l);
}

static void a_cancelled_load_leaves_nothing(void)
{
    struct env t;
    AUTO_BUF struct buf a = BUF_INIT(64 << 20);
    struct buf l = BUF_INIT(64 << 20);
    if (!have_root())
        return;
    env_open(&t);
    AUTO_FREE char *data = mem_new(20 << 20);
    tar_add(&l, (struct tar_entry){.name = "big", .type = '0', .data = data, .len = 20 << 20});
    tar_end(&l);
    docker_archive(&a, &l, 1, "x:1");
    AUTO_FREE char *path = write_temp(t.root, "a.tar", &a);
    env_begin(&t);
    struct image_job *j = image_load(t.store, path, on_env_progress, on_env_done, &t);
    for (int i = 0; i < 3; i++)
        uv_run(&t.loop, UV_RUN_NOWAIT);
    image_job_cancel(j);
    env_run(&t);
    EXPECT_INT(t.r, -ECANCELED);
    EXPECT(env_is_clean(&t));
    env_begin(&t);
    image_load(t.store, path, on_env_progress, on_env_done, &t);
    uv_run(&t.loop, UV_RUN_NOWAIT);
    image_store_close(t.store); /* closing ends what is under way */
    env_run(&t);
    EXPECT_INT(t.r, -ECANCELED);
    uv_run(&t.loop, UV_RUN_DEFAULT);
    EXPECT_INT(uv_loop_close(&t.loop), 0);
    buf_free(&l);
}

int main(int argc, char **argv)
{
    if (argc > 1 && str_eq(argv[1], "image-unpack"))
        return image_unpack_main(argc, argv);
    TEST(a_path_that_climbs_is_refused);
    TEST(an_absolute_path_is_refused);
    TEST(a_hard_link_out_of_the_layer_is_refused);
    TEST(a_hard_link_through_a_symbolic_link_is_refused);
    TEST(a_file_written_through_a_symbolic_link_is_refused);
    TEST(a_file_in_the_place_of_a_link_replaces_the_link);
    TEST(devices_are_refused);
    TEST(a_whiteout_through_a_link_is_refused);
    TEST(a_whiteout_without_a_name_is_refused);
    TEST(attributes_of_overlayfs_are_refused);
    TEST(an_impossible_owner_is_refused);
    TEST(too_deep_a_path_is_refused);
    TEST(a_sparse_file_counts_in_full);
    TEST(a_bomb_is_refused_by_its_ratio);
    TEST(a_truncated_archive_is_refused_as_the_engine_says_it);
    TEST(garbage_and_nothing_are_refused_as_the_engine_says_it);
    TEST(a_manifest_that_is_a_link_is_refused);
    TEST(a_manifest_given_twice_is_refused);
    TEST(a_manifest_that_names_what_lies_outside_is_refused);
    TEST(manifests_of_the_wrong_shape_are_refused);
    TEST(a_configuration_that_is_not_what_its_name_says_is_refused);
    TEST(a_layer_that_is_not_its_diff_id_is_refused);
    TEST(a_second_layer_that_is_bad_takes_the_first_with_it);
    TEST(devices_and_hard_links_in_the_archive_itself_are_refused);
    TEST(names_that_are_not_text_survive_or_refuse_but_never_confuse_the_report);
    TEST(a_cancelled_load_leaves_nothing);
    return check_done();
}
