/* unit/http/test_path.c - raw paths become versions and segments. */
#include "lib/check.h"

#include <errno.h>
#include <stdlib.h>
#include "http/http.h"

static void a_version_is_taken_off_and_segments_are_decoded(void)
{
    struct http_path p;
    char *clean = NULL;
    REQUIRE(http_path_parse("/v1.41/secrets/a%20b", &p, &clean) == 0);
    EXPECT_STR(p.version, "1.41");
    EXPECT_INT(p.count, 2);
    EXPECT_STR(p.segment[0], "secrets");
    EXPECT_STR(p.segment[1], "a b");
    http_path_free(&p);
}

static void an_escaped_slash_is_a_slash(void)
{
    struct http_path p;
    char *clean = NULL;
    REQUIRE(http_path_parse("/secrets/a%2Fb", &p, &clean) == 0);
    EXPECT_STR(p.version, "");
    EXPECT_INT(p.count, 3);
    http_path_free(&p);
}

static void a_trailing_slash_is_an_empty_segment(void)
{
    struct http_path p;
    char *clean = NULL;
    REQUIRE(http_path_parse("/secrets/", &p, &clean) == 0);
    EXPECT_INT(p.count, 2);
    EXPECT_STR(p.segment[1], "");
    http_path_free(&p);
}

static void expect_clean(const char *raw, const char *want)
{
    struct http_path p;
    char *clean = NULL;
    EXPECT_INT(http_path_parse(raw, &p, &clean), 1);
    EXPECT_STR(clean, want);
    free(clean);
}

static void unclean_paths_name_the_clean_one(void)
{
    expect_clean("//v1.41//secrets", "/v1.41/secrets");
    expect_clean("/v1.41/../secrets", "/secrets");
    expect_clean("/a/./b/", "/a/b/");
    expect_clean("/..", "/");
    expect_clean("/../../..", "/");
    expect_clean("/a/%2e%2e/b", "/b");
    expect_clean("/x//a\tb", "/x/a%09b");
}

static void bad_escapes_and_nul_are_refused(void)
{
    struct http_path p;
    char *clean = NULL;
    EXPECT_INT(http_path_parse("/a%2", &p, &clean), -EINVAL);
    EXPECT_INT(http_path_parse("/a%zz", &p, &clean), -EINVAL);
    EXPECT_INT(http_path_parse("/a%00b", &p, &clean), -EINVAL);
    EXPECT_INT(http_path_parse("*", &p, &clean), -EINVAL);
    EXPECT_INT(http_path_parse("", &p, &clean), -EINVAL);
    EXPECT_INT(http_path_parse("/1/2/3/4/5/6/7/8/9/10/11/12/13", &p, &clean), -EINVAL);
    EXPECT(clean == NULL);
}

static void only_digits_and_dots_make_a_version(void)
{
    struct http_path p;
    char *clean = NULL;
    REQUIRE(http_path_parse("/version", &p, &clean) == 0);
    EXPECT_STR(p.version, "");
    EXPECT_INT(p.count, 1);
    http_path_free(&p);
    REQUIRE(http_path_parse("/v1.41", &p, &clean) == 0);
    EXPECT_STR(p.version, "1.41");
    EXPECT_INT(p.count, 0);
    http_path_free(&p);
}

int main(void)
{
    TEST(a_version_is_taken_off_and_segments_are_decoded);
    TEST(an_escaped_slash_is_a_slash);
    TEST(a_trailing_slash_is_an_empty_segment);
    TEST(unclean_paths_name_the_clean_one);
    TEST(bad_escapes_and_nul_are_refused);
    TEST(only_digits_and_dots_make_a_version);
    return check_done();
}
