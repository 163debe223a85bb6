/* unit/image/test_refs.c - finding, tagging and removing by the engine's rules; crashes leave only
 * what is swept. */
#include "store_env.h"

static bool have_root(void)
{
    if (geteuid() == 0)
        return true;
    check_skip("unpacking needs root");
    return false;
}

static char *make(struct env *t, const char *name, const char *content)
{
    AUTO_BUF struct buf b = BUF_INIT(1 << 20);
    tar_add(&b, (struct tar_entry){.name = "f", .type = '0', .data = content});
    tar_end(&b);
    if (env_import(t, &b, name, "", NULL) != 0)
        check_fail(__FILE__, __LINE__, "an import");
    return mem_str(t->id);
}

static char removed[2000], events[2000];
static void on_removed(void *arg, const char *untagged, const char *deleted)
{
    size_t n = strlen(removed);
    (void)arg;
    if (untagged)
        snprintf(removed + n, sizeof removed - n, "-%s ", untagged);
    else
        snprintf(removed + n, sizeof removed - n, "x%.12s ", deleted + 7);
}
static void on_event(void *arg, const char *action, const char *id, const char *name)
{
    size_t n = strlen(events);
    (void)arg, (void)id;
    snprintf(events + n, sizeof events - n, "%s %.20s; ", action, name);
}

static struct err err;
static int rm(struct env *t, const char *ref, bool force)
{
    removed[0] = '\0';
    err.text[0] = '\0';
    return image_remove(t->store, ref, force, false, on_removed, NULL, &err);
}

static void an_image_is_found_by_name_id_and_prefix(void)
{
    struct env t;
    const struct image *img;
    if (!have_root())
        return;
    env_open(&t);
    AUTO_FREE char *id = make(&t, "redis:alpine", "1");
    EXPECT_INT(image_find(t.store, "redis:alpine", &img), 0);
    EXPECT_INT(image_find(t.store, "docker.io/library/redis:alpine", &img), 0);
    EXPECT_INT(image_find(t.store, id, &img), 0);
    EXPECT_INT(image_find(t.store, id + 7, &img), 0);
    char prefix[20];
    snprintf(prefix, sizeof prefix, "%.12s", id + 7);
    EXPECT_INT(image_find(t.store, prefix, &img), 0);
    snprintf(prefix, sizeof prefix, "sha256:%.2s", id + 7);
    EXPECT_INT(image_find(t.store, prefix, &img), 0);
    EXPECT_INT(image_find(t.store, "redis", &img), IMAGE_NOT_FOUND);
    EXPECT_INT(image_find(t.store, "", &img), IMAGE_BAD_REFERENCE);
    EXPECT_INT(image_find(t.store, "UPPER", &img), IMAGE_BAD_REFERENCE);
    char seen[17] = "";
    for (int i = 0; i < 17; i++) { /* of 17 images two begin with the same digit */
        char name[20], content[20];
        snprintf(name, sizeof name, "n:%d", i);
        snprintf(content, sizeof content, "c%d", i);
        AUTO_FREE char *other = make(&t, name, content);
        char digit[2] = {other[7], '\0'};
        if (strchr(seen, digit[0]) || id[7] == digit[0]) {
            EXPECT_INT(image_find(t.store, digit, &img), IMAGE_AMBIGUOUS);
            break;
        }
        strcat(seen, digit);
    }
    env_close(&t);
}

static void a_tag_is_added_moved_and_refused(void)
{
    struct env t;
    const struct image *img;
    if (!have_root())
        return;
    env_open(&t);
    image_on_event(t.store, on_event, NULL);
    AUTO_FREE char *a = make(&t, "a:1", "1");
    AUTO_FREE char *b = make(&t, "b:1", "2");
    events[0] = '\0';
    EXPECT_INT(image_tag(t.store, "a:1", "docker.io/library/c", "2", &err), 0);
    EXPECT_STR(events, "tag c:2; ");
    EXPECT(image_find(t.store, "c:2", &img) == 0 && str_eq(img->id, a));
    EXPECT_INT(image_tag(t.store, "b:1", "c", "2", &err), 0);
    EXPECT(image_find(t.store, "c:2", &img) == 0 && str_eq(img->id, b));
    EXPECT_INT(image_tag(t.store, "nosuch:1", "x", "1", &err), IMAGE_NOT_FOUND);
    EXPECT_STR(err_text(&err), "No such image: nosuch:1");
    EXPECT_INT(image_tag(t.store, "a:1", "UP", "1", &err), IMAGE_BAD_REFERENCE);
    EXPECT_INT(image_tag(t.store, "a:1", "x", "bad tag", &err), IMAGE_BAD_REFERENCE);
    EXPECT_INT(image_tag(t.store, "a:1", "sha256", "1", &err), IMAGE_BAD_REFERENCE);
    env_close(&t);
}

static void removing_by_name_untags_and_the_last_name_deletes(void)
{
    struct env t;
    char want[200];
    if (!have_root())
        return;
    env_open(&t);
    image_on_event(t.store, on_event, NULL);
    AUTO_FREE char *id = make(&t, "a:1", "1");
    EXPECT_INT(image_tag(t.store, "a:1", "a", "2", NULL), 0);
    EXPECT_INT(rm(&t, "a:2", false), 0);
    EXPECT_STR(removed, "-a:2 ");
    const struct image *img;
    REQUIRE(image_find(t.store, "a:1", &img) == 0);
    snprintf(want, sizeof want, "-a:1 x%.12s x%.12s ", id + 7, img->diff_ids[0] + 7);
    events[0] = '\0';
    EXPECT_INT(rm(&t, "a:1", false), 0);
    EXPECT_STR(removed, want);
    EXPECT(str_starts(events, "untag a:1; delete sha256:"));
    EXPECT_INT(rm(&t, "a:1", false), IMAGE_NOT_FOUND);
    EXPECT_STR(err_text(&err), "No such image: a:1");
    EXPECT(env_is_clean(&t));
    env_close(&t);
}

static void removing_by_id_needs_force_when_there_are_several_names(void)
{
    struct env t;
    if (!have_root())
        return;
    env_open(&t);
    AUTO_FREE char *id = make(&t, "a:1", "1");
    EXPECT_INT(image_tag(t.store, "a:1", "b", "1", NULL), 0);
    EXPECT_INT(rm(&t, id, false), IMAGE_MULTIPLE_TAGS);
    EXPECT(str_starts(err_text(&err), "conflict: unable to delete "));
    EXPECT(str_ends(err_text(&err),
                    " (must be forced) - image is referenced in multiple repositories"));
    EXPECT_STR(removed, "");
    EXPECT_INT(rm(&t, id, true), 0);
    EXPECT(str_starts(removed, "-a:1 -b:1 x"));
    AUTO_FREE char *one = make(&t, "a:1", "1");
    char prefix[13];
    str_copy(prefix, sizeof prefix, one + 7);
    EXPECT_INT(rm(&t, prefix, false), 0); /* one name only: goes with it */
    EXPECT(env_is_clean(&t));
    env_close(&t);
}

static bool user_runs;
static const char *describe(void *arg, const char *image_id, bool *ret_running)
{
    (void)arg, (void)image_id;
    *ret_running = user_runs;
    return "0123456789abcdef0123";
}

static void an_image_that_a_container_holds_stays(void)
{
    struct env t;
    const struct image *img;
    char want[300];
    if (!have_root())
        return;
    env_open(&t);
    image_on_describe_user(t.store, describe, NULL);
    AUTO_FREE char *id = make(&t, "a:1", "1");
    image_hold(t.store, id);
    EXPECT_INT(rm(&t, "a:1", false), IMAGE_IN_USE);
    snprintf(want, sizeof want,
             "conflict: unable to remove repository reference \"a:1\" (must force) - container "
             "0123456789ab is using its referenced image %.12s",
             id + 7);
    EXPECT_STR(err_text(&err), want);
    EXPECT_INT(rm(&t, id, false), IMAGE_IN_USE);
    snprintf(want, sizeof want,
             "conflict: unable to delete %.12s (must be forced) - image is being used by stopped "
             "container 0123456789ab",
             id + 7);
    EXPECT_STR(err_text(&err), want);
    user_runs = true;
    EXPECT_INT(rm(&t, id, true), IMAGE_IN_USE);
    EXPECT(strstr(err_text(&err), "(cannot be forced)") != NULL);
    EXPECT_INT(rm(&t, "a:1", true), 0); /* only untagged */
    EXPECT_STR(removed, "-a:1 ");
    REQUIRE(image_find(t.store, id, &img) == 0);
    image_release(t.store, id);
    EXPECT_INT(rm(&t, id, false), 0);
    user_runs = false;
    EXPECT(env_is_clean(&t));
    env_close(&t);
}

static void a_disk_that_refuses_the_list_changes_nothing(void)
{
    struct env t;
    const struct image *img;
    if (!have_root())
        return;
    env_open(&t);
    AUTO_FREE char *id = make(&t, "a:1", "1");
    AUTO_FREE char *list = mem_printf("%s/image/repositories.json", t.root);
    EXPECT_INT(unlink(list), 0);
    EXPECT_INT(mkdir(list, 0700), 0); /* a rename onto a directory fails */
    EXPECT(image_tag(t.store, "a:1", "b", "1", &err) < 0);
    EXPECT_INT(image_find(t.store, "b:1", &img), IMAGE_NOT_FOUND);
    EXPECT(rm(&t, "a:1", false) < 0);
    EXPECT_STR(removed, "");
    REQUIRE(image_find(t.store, "a:1", &img) == 0);
    EXPECT_STR(img->tags[0], "a:1");
    AUTO_BUF struct buf b = BUF_INIT(1 << 20);
    tar_add(&b, (struct tar_entry){.name = "g", .type = '0', .data = "2"});
    tar_end(&b);
    EXPECT(env_import(&t, &b, "c:1", "", NULL) < 0);
    EXPECT_INT(image_find(t.store, "c:1", &img), IMAGE_NOT_FOUND);
    env_settle(&t);
    EXPECT_INT(env_count(&t, "layers"), 1);
    EXPECT_INT(env_count(&t, "configs"), 1);
    rmdir(list);
    env_close(&t);
}

static void run(const char *root, const char *script)
{
    AUTO_FREE char *cmd = mem_printf("cd %s/image && %s", root, script);
    EXPECT_INT(system(cmd), 0);
}

static void what_a_crash_leaves_is_swept_at_the_start(void)
{
    struct env t;
    const struct image *img;
    if (!have_root())
        return;
    env_open(&t);
    AUTO_FREE char *id = make(&t, "a:1", "1");
    char *root = t.root;
    env_close(&t);
    /* in the middle of unpacking; after the rename of a layer; after its configuration; half a
     * layer; links that lead out */
    run(root, "mkdir -p tmp/docker-import-7/layer-0/fs/a/b && ln -s / tmp/docker-import-7/out && "
              "chmod 0 tmp/docker-import-7/layer-0");
    run(root, "l=$(printf 'a%.0s' $(seq 64)); mkdir -p layers/$l/fs && printf 3 > layers/$l/size "
              "&& echo '{}' > configs/$l");
    run(root, "l=$(printf 'b%.0s' $(seq 64)); mkdir -p layers/$l/fs");
    run(root, "ln -s / layers/out; touch configs/.x.new");
    env_open_at(&t, root);
    env_settle(&t);
    EXPECT_INT(env_count(&t, "tmp"), 0);
    EXPECT_INT(env_count(&t, "layers"), 1);
    EXPECT_INT(env_count(&t, "configs"), 1);
    EXPECT_INT(image_find(t.store, "a:1", &img), 0);
    EXPECT(access("/etc/passwd", F_OK) == 0);
    env_close(&t);
}

static void a_damaged_list_stops_the_start_instead_of_sweeping_everything(void)
{
    struct env t;
    struct image_store *s;
    if (!have_root())
        return;
    env_open(&t);
    AUTO_FREE char *id = make(&t, "a:1", "1");
    struct image_store_options o = {.data_root = t.root};
    image_store_close(t.store);
    run(t.root, "echo '{\"format\":1,' > repositories.json");
    EXPECT(image_store_open(&t.loop, &o, &s, &err) < 0);
    EXPECT(strstr(err_text(&err), "repositories.json is damaged") != NULL);
    EXPECT_INT(env_count(&t, "layers"), 1);
    uv_run(&t.loop, UV_RUN_DEFAULT);
    EXPECT_INT(uv_loop_close(&t.loop), 0);
}

static void an_altered_configuration_leaves_its_image_out(void)
{
    struct env t;
    const struct image *img;
    if (!have_root())
        return;
    env_open(&t);
    AUTO_FREE char *a = make(&t, "a:1", "1");
    AUTO_FREE char *b = make(&t, "b:1", "2");
    char *root = t.root;
    env_close(&t);
    AUTO_FREE char *script = mem_printf("sed -i s/linux/Linux/ configs/%s", a + 7);
    run(root, script);
    env_open_at(&t, root);
    EXPECT_INT(image_find(t.store, "a:1", &img), IMAGE_NOT_FOUND);
    EXPECT_INT(image_find(t.store, "b:1", &img), 0);
    env_close(&t);
}

int main(int argc, char **argv)
{
    if (argc > 1 && str_eq(argv[1], "image-unpack"))
        return image_unpack_main(argc, argv);
    TEST(an_image_is_found_by_name_id_and_prefix);
    TEST(a_tag_is_added_moved_and_refused);
    TEST(removing_by_name_untags_and_the_last_name_deletes);
    TEST(removing_by_id_needs_force_when_there_are_several_names);
    TEST(an_image_that_a_container_holds_stays);
    TEST(a_disk_that_refuses_the_list_changes_nothing);
    TEST(what_a_crash_leaves_is_swept_at_the_start);
    TEST(a_damaged_list_stops_the_start_instead_of_sweeping_everything);
    TEST(an_altered_configuration_leaves_its_image_out);
    return check_done();
}
