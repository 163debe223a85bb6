/* unit/image/test_import.c - a root file system becomes an image; the changes that go with it. */
#include "image/changes.h"
#include "image/config.h"
#include "store_env.h"

static bool have_root(void)
{
    if (geteuid() == 0)
        return true;
    check_skip("unpacking needs root");
    return false;
}

static void rootfs(struct buf *b)
{
    tar_add(b, (struct tar_entry){.name = "./", .type = '5'});
    tar_add(b, (struct tar_entry){.name = "./bin/", .type = '5'});
    tar_add(b, (struct tar_entry){.name = "./bin/sh", .type = '0', .data = "#!", .mode = 0755});
    tar_end(b);
}

static void an_import_is_an_image_of_one_layer_with_its_changes(void)
{
    struct env t;
    AUTO_BUF struct buf b = BUF_INIT(1 << 20);
    const struct image *img;
    static const char *const changes[] = {"CMD [\"sh\",\"-c\",\"trap 'exit 0' TERM\"]",
                                          "ENV A=1 B=\"two words\"", "WORKDIR /srv", NULL};
    if (!have_root())
        return;
    env_open(&t);
    rootfs(&b);
    REQUIRE(env_import(&t, &b, "redis:alpine", "", changes) == 0);
    REQUIRE(image_find(t.store, "redis:alpine", &img) == 0);
    EXPECT_STR(img->id, t.id);
    EXPECT(strncmp(t.stream, t.id, strlen(t.id)) == 0); /* its id is the status that is told */
    EXPECT_STR(img->config.cmd[2], "trap 'exit 0' TERM");
    EXPECT_STR(img->config.env[1], "B=two words");
    EXPECT_STR(img->config.workdir, "/srv");
    EXPECT_INT(img->size, 2);
    EXPECT(img->created_ns > 0);
    EXPECT(strstr(img->config_json, "\"comment\":\"Imported from -\"") != NULL);
    EXPECT(img->diff_ids[0] && !img->diff_ids[1]);
    env_close(&t);
}

static void a_second_import_shares_the_layer_and_may_take_the_tag(void)
{
    struct env t;
    AUTO_BUF struct buf b = BUF_INIT(1 << 20);
    const struct image *img;
    char first[IMAGE_ID_SIZE];
    if (!have_root())
        return;
    env_open(&t);
    rootfs(&b);
    REQUIRE(env_import(&t, &b, "a", "1", NULL) == 0);
    str_copy(first, sizeof first, t.id);
    REQUIRE(env_import(&t, &b, "a", "1", NULL) == 0);
    EXPECT(strcmp(first, t.id) != 0);
    env_settle(&t);
    EXPECT_INT(env_count(&t, "layers"), 1);
    EXPECT_INT(env_count(&t, "tmp"), 0);
    REQUIRE(image_find(t.store, first, &img) == 0); /* it stays, without a name */
    EXPECT(!img->tags[0]);
    REQUIRE(env_import(&t, &b, "", "", NULL) == 0);
    REQUIRE(image_find(t.store, t.id, &img) == 0);
    EXPECT(!img->tags[0]);
    env_close(&t);
}

static void an_import_that_cannot_be_is_refused_before_anything_is_done(void)
{
    struct env t;
    AUTO_BUF struct buf b = BUF_INIT(1 << 20);
    static const char *const from[] = {"FROM x", NULL};
    if (!have_root())
        return;
    env_open(&t);
    rootfs(&b);
    EXPECT_INT(env_import(&t, &b, "UPPER", "1", NULL), IMAGE_BAD_REFERENCE);
    EXPECT_STR(t.error, "invalid reference format: repository name must be lowercase");
    EXPECT_INT(env_import(&t, &b, "a", "no tag", NULL), IMAGE_BAD_REFERENCE);
    EXPECT_STR(t.error, "invalid tag format");
    EXPECT_INT(
        env_import(&t, &b,
                   "a@sha256:0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef", "",
                   NULL),
        IMAGE_BAD_REFERENCE);
    EXPECT_STR(t.error, "cannot import digest reference");
    EXPECT_INT(env_import(&t, &b, "a", "1", from), IMAGE_BAD_CHANGE);
    EXPECT_STR(t.error, "from is not a valid change command");
    EXPECT(env_is_clean(&t));
    env_close(&t);
}

static struct image_config cfg;
static struct err err;
static int apply(const char *text)
{
    const char *const v[] = {text, NULL};
    err.text[0] = '\0';
    return changes_apply(&cfg, v, &err);
}

static void instructions_do_what_a_dockerfile_does(void)
{
    EXPECT_INT(apply("CMD echo hi"), 0);
    EXPECT_STR(cfg.cmd[2], "echo hi");
    EXPECT_INT(apply("ENTRYPOINT [\"/x\", \"y\"]"), 0);
    EXPECT(cfg.cmd == NULL); /* the inherited command goes with the inherited entry point */
    EXPECT_STR(cfg.entrypoint[1], "y");
    EXPECT_INT(apply("entrypoint [\"/x\"]\nCMD a\nENTRYPOINT b"), 0);
    EXPECT_STR(cfg.cmd[2], "a");
    EXPECT_INT(apply("ENV A=1 B='$A' C=\"x y\" D=a\\ b"), 0);
    EXPECT_STR(cfg.env[1], "B=$A");
    EXPECT_STR(cfg.env[3], "D=a b");
    EXPECT_INT(apply("ENV A 2 and more"), 0);
    EXPECT_STR(cfg.env[0], "A=2 and more");
    EXPECT_INT(apply("ENV P=${A}:${N:-none}:${A:+set}:$N:\\$A"), 0);
    EXPECT_STR(cfg.env[4], "P=2 and more:none:set::$A");
    EXPECT_INT(apply("WORKDIR /a/\nWORKDIR b"), 0);
    EXPECT_STR(cfg.workdir, "/a/b");
    EXPECT_INT(apply("USER 1000:10"), 0);
    EXPECT_STR(cfg.user, "1000:10");
    EXPECT_INT(apply("EXPOSE 80 53/UDP 8000-8002 80"), 0);
    EXPECT_INT(strv_len((const char *const *)cfg.ports), 5);
    EXPECT_STR(cfg.ports[1], "53/udp");
    EXPECT_INT(apply("VOLUME [\"/data\"]\nVOLUME /data /more"), 0);
    EXPECT_INT(strv_len((const char *const *)cfg.volumes), 2);
    EXPECT_INT(apply("LABEL k=\"a=b\" \\\n  l=2\n# a comment\n\nSTOPSIGNAL SIGQUIT"), 0);
    EXPECT_STR(cfg.labels[0], "k=a=b");
    EXPECT_STR(cfg.labels[1], "l=2");
    EXPECT_STR(cfg.stop_signal, "SIGQUIT");
    EXPECT_INT(apply("HEALTHCHECK --interval=5s --retries=3 CMD curl x"), 0);
    EXPECT_STR(cfg.healthcheck_json,
               "{\"Test\":[\"CMD-SHELL\",\"curl x\"],\"Interval\":5000000000,\"Retries\":3}");
    EXPECT_INT(apply("HEALTHCHECK NONE"), 0);
    EXPECT_STR(cfg.healthcheck_json, "{\"Test\":[\"NONE\"]}");
    EXPECT_INT(apply("ONBUILD RUN x"), 0);
    EXPECT_STR(cfg.onbuild[0], "RUN x");
    config_free_part(&cfg);
}

static void instructions_that_cannot_be_are_refused(void)
{
    static const char *const table[][2] = {
        {"FROM x", "from is not a valid change command"},
        {"RUN x", "run is not a valid change command"},
        {"nonsense", "nonsense is not a valid change command"},
        {"ENV", "ENV requires at least one argument"},
        {"ENV A", "ENV must have two arguments"},
        {"ENV A=1 B", "Syntax error - can't find = in \"B\". Must be of the form: name=value"},
        {"ENV =x", "ENV names can not be blank"},
        {"LABEL", "LABEL requires at least one argument"},
        {"USER", "USER requires exactly one argument"},
        {"USER a b", "USER requires exactly one argument"},
        {"WORKDIR", "WORKDIR requires exactly one argument"},
        {"EXPOSE", "EXPOSE requires at least one argument"},
        {"EXPOSE x", "Invalid containerPort: x"},
        {"EXPOSE 70000", "Invalid containerPort: 70000"},
        {"EXPOSE 80/x", "Invalid proto: x"},
        {"EXPOSE 525-00000014001", "EXPOSE: an image may name at most 1000 ports"},
        {"VOLUME []", "VOLUME requires at least one argument"},
        {"VOLUME [\"\"]", "VOLUME specified can not be an empty string"},
        {"STOPSIGNAL NOPE", "Invalid signal: NOPE"},
        {"HEALTHCHECK X", "Unknown type \"X\" in HEALTHCHECK (try CMD)"},
        {"HEALTHCHECK --x=1 CMD a", "Unknown flag: --x=1"},
        {"HEALTHCHECK --interval=1us CMD a", "HEALTHCHECK: invalid duration: 1us"},
        {"HEALTHCHECK CMD", "Missing command after HEALTHCHECK CMD"},
        {"ONBUILD FROM x", "FROM isn't allowed as an ONBUILD trigger"},
        {"ONBUILD ONBUILD x", "Chaining ONBUILD via `ONBUILD ONBUILD` isn't allowed"},
    };
    for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
        EXPECT_INT(apply(table[i][0]), IMAGE_BAD_CHANGE);
        EXPECT_STR(err_text(&err), table[i][1]);
        config_free_part(&cfg);
    }
}

static void configurations_of_strangers_are_checked_member_by_member(void)
{
    static const char *const bad[] = {
        "",
        "{",
        "[]",
        "1",
        "{}",
        "{\"rootfs\":{\"diff_ids\":[\"x\"]}}",
        "{\"rootfs\":{\"diff_ids\":[1]}}",
        "{\"rootfs\":{\"diff_ids\":{}}}",
        "{\"os\":\"windows\",\"rootfs\":{}}",
        "{\"os\":1,\"rootfs\":{}}",
        "{\"rootfs\":{},\"config\":[]}",
        "{\"rootfs\":{},\"config\":{\"Env\":\"x\"}}",
        "{\"rootfs\":{},\"config\":{\"Cmd\":[[]]}}",
        "{\"rootfs\":{},\"config\":{\"Labels\":{\"a\":1}}}",
        "{\"rootfs\":{},\"config\":{\"User\":[]}}",
        "{\"rootfs\":{},\"rootfs\":{}}",
        "{\"rootfs\":{},\"config\":{\"Env\":[\"A=\\u0000\"]}}",
    };
    struct config c;
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        EXPECT_INT(config_parse(bad[i], strlen(bad[i]), &c, NULL), -EPROTO);
    AUTO_BUF struct buf many = BUF_INIT(1 << 20);
    buf_str(&many, "{\"rootfs\":{\"diff_ids\":[");
    for (int i = 0; i < 128; i++)
        buf_printf(&many, "%s\"sha256:%064d\"", i ? "," : "", i);
    buf_str(&many, "]}}");
    EXPECT_INT(config_parse(many.p, many.len, &c, &err), -EPROTO);
    EXPECT(strstr(err.text, "max depth exceeded") != NULL);
    AUTO_FREE char *deep = mem_new(100001);
    memset(deep, '[', 100000);
    EXPECT_INT(config_parse(deep, 100000, &c, NULL), -EPROTO);
}

static void environment_without_a_value_is_dropped(void)
{
    static const char json[] = "{\"rootfs\":{},\"config\":{\"Env\":[\"A=1\",\"HOME\",\"\",\"=x\","
                               "\"*\",\"B=\"],\"Labels\":null}}";
    struct config c;
    REQUIRE(config_parse(json, sizeof json - 1, &c, NULL) == 0);
    EXPECT_STR(c.c.env[0], "A=1");
    EXPECT_STR(c.c.env[1], "B=");
    EXPECT(c.c.env[2] == NULL && c.c.labels == NULL);
    config_free(&c);
}

int main(int argc, char **argv)
{
    if (argc > 1 && str_eq(argv[1], "image-unpack"))
        return image_unpack_main(argc, argv);
    TEST(an_import_is_an_image_of_one_layer_with_its_changes);
    TEST(a_second_import_shares_the_layer_and_may_take_the_tag);
    TEST(an_import_that_cannot_be_is_refused_before_anything_is_done);
    TEST(instructions_do_what_a_dockerfile_does);
    TEST(instructions_that_cannot_be_are_refused);
    TEST(configurations_of_strangers_are_checked_member_by_member);
    TEST(environment_without_a_value_is_dropped);
    return check_done();
}
