/* unit/model/test_name.c - which names are good. */
#include "model/name.h"

#include "lib/check.h"

static const char *of(size_t n, char c)
{
    static char s[2][300];
    static int k;
    k = !k;
    memset(s[k], c, n);
    s[k][n] = '\0';
    return s[k];
}

static void service_names_are_dns_labels(void)
{
    static const char *const good[] = {"a", "web", "web-1", "a__b", "A--b_c9"};
    static const char *const bad[] = {"-a", "a-", "a.b", "_a", "a_", "a b", "ä", "a/b"};
    for (size_t i = 0; i < sizeof good / sizeof *good; i++)
        EXPECT(name_check_service(good[i]) == NULL);
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        EXPECT_STR(name_check_service(bad[i]), "name must be valid as a DNS name component");
    EXPECT_STR(name_check_service(""), "meta: name must be provided");
    EXPECT_STR(name_check_service(NULL), "meta: name must be provided");
    EXPECT(name_check_service(of(63, 'a')) == NULL);
    EXPECT_STR(name_check_service(of(64, 'a')), "name must be 63 characters or fewer");
}

static void secret_names_may_have_dots_and_64_characters(void)
{
    static const char words[] =
        "invalid name, only 64 [a-zA-Z0-9-_.] characters allowed, and the start and end "
        "character must be [a-zA-Z0-9]";
    EXPECT(name_check_secret("site.key-1_x") == NULL);
    EXPECT(name_check_secret("a..b") == NULL);
    EXPECT(name_check_secret(of(64, '7')) == NULL);
    EXPECT_STR(name_check_secret(of(65, '7')), words);
    EXPECT_STR(name_check_secret(".a"), words);
    EXPECT_STR(name_check_secret("a."), words);
    EXPECT_STR(name_check_secret("a/b"), words);
    EXPECT_STR(name_check_secret("a\nb"), words);
    EXPECT_STR(name_check_secret(""), "name must be provided");
}

static void the_cluster_has_one_name(void)
{
    EXPECT(name_check_cluster("default") == NULL);
    EXPECT_STR(name_check_cluster("x"), "swarm spec must be named \"default\"");
}

static void image_references_follow_the_grammar_of_registries(void)
{
    static const char *const good[] = {
        "nginx",
        "nginx:1.25",
        "library/nginx",
        "localhost:5000/a/b:tag_1",
        "localhost/a",
        "Registry.example/a",
        "example.com/a__b/c-d.e:T",
        "[::1]:5000/x",
        "a--b",
        "nginx@sha256:0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef",
        "nginx:1@sha256:0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef",
        "sha256:0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"};
    static const char *const bad[] = {
        "Nginx",    ":x",
        "a:",       "a::b",
        "a//b",     "/a",
        "a/",       "a b",
        "-a",       "a-",
        "a..b",     "a___b",
        "a_.b",     "a@sha256:12",
        "a@",       "a:-x",
        "[::1/x",   "ex ample.com/a",
        "http://a", "-x.com/a",
        "x.com:/a", "a@b@c",
        "..",       "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"};
    char why[NAME_REASON_SIZE], want[NAME_REASON_SIZE];
    for (size_t i = 0; i < sizeof good / sizeof *good; i++)
        EXPECT(name_check_image(good[i], why) == NULL || (printf("# %s\n", good[i]), false));
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        snprintf(want, sizeof want, "ContainerSpec: \"%s\" is not a valid repository/tag", bad[i]);
        EXPECT_STR(name_check_image(bad[i], why), want);
    }
    EXPECT_STR(name_check_image("", why), "ContainerSpec: image reference must be provided");
    EXPECT(name_check_image(of(255, 'a'), why) == NULL);
    EXPECT(name_check_image(of(256, 'a'), why) != NULL);
}

int main(void)
{
    TEST(service_names_are_dns_labels);
    TEST(secret_names_may_have_dots_and_64_characters);
    TEST(the_cluster_has_one_name);
    TEST(image_references_follow_the_grammar_of_registries);
    return check_done();
}
