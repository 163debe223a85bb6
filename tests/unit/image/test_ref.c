/* unit/image/test_ref.c - references, as the engine reads them. */
#include <string.h>
#include "base/str.h"
#include "image/image.h"
#include "lib/check.h"

static void names_are_normalised_as_the_engine_does_it(void)
{
    static const char *const table[][2] = {
        {"redis", "redis:latest"},
        {"redis:alpine", "redis:alpine"},
        {"library/redis", "redis:latest"},
        {"docker.io/redis", "redis:latest"},
        {"docker.io/library/redis:7", "redis:7"},
        {"index.docker.io/library/redis", "redis:latest"},
        {"gitea/gitea:1.13.0", "gitea/gitea:1.13.0"},
        {"docker.io/gitea/gitea", "gitea/gitea:latest"},
        {"library/a/b", "library/a/b:latest"},
        {"localhost/a", "localhost/a:latest"},
        {"localhost:5000/a:b", "localhost:5000/a:b"},
        {"host:5000/a/b:c", "host:5000/a/b:c"},
        {"Reg.Example/a", "Reg.Example/a:latest"},
        {"[::1]:5000/a", "[::1]:5000/a:latest"},
        {"my_app:1.0", "my_app:1.0"},
        {"a__b/c.d-e--f:T_x.y-z", "a__b/c.d-e--f:T_x.y-z"},
        {"a@sha256:0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef",
         "a@sha256:0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"},
        {"a:t@sha256:0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef",
         "a:t@sha256:0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"},
    };
    for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
        struct image_ref r;
        struct err e = {0};
        char name[640] = "";
        EXPECT_INT(image_ref_parse(table[i][0], &r, &e), 0);
        image_ref_familiar(&r, name, sizeof name);
        EXPECT_STR(name, table[i][1]);
    }
}

static void what_is_no_reference_is_refused_in_the_engines_words(void)
{
    static const char format[] = "invalid reference format";
    static const char lower[] = "invalid reference format: repository name must be lowercase";
    static const char *const table[][2] = {
        {"", format},
        {":x", format},
        {"a:", format},
        {"a:-x", format},
        {"a/", format},
        {"/a", format},
        {"a//b", format},
        {"-a", format},
        {"a-", format},
        {"a..b", format},
        {"a___b", format},
        {"a.-b", format},
        {"a b", format},
        {"a\nb", format},
        {"../../etc/passwd", format},
        {"host:port/a", format},
        {"ho_st.x/a", format},
        {"a@sha256:12", format},
        {"a@", format},
        {"docker.io/docker.io/x", format},
        {"a@md5:0123456789abcdef0123456789abcdef", "unsupported digest algorithm"},
        {"a@sha256:0123456789abcdef0123456789abcdef", "invalid checksum digest length"},
        {"UPPER", lower},
        {"UPPER:1", lower},
        {"host.x/UPPER", lower},
        {"UPPER/x", lower},
        {"0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef",
         "invalid repository name "
         "(0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef), "
         "cannot specify 64-byte hexadecimal strings"},
    };
    for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
        struct image_ref r;
        struct err e = {0};
        EXPECT_INT(image_ref_parse(table[i][0], &r, &e), IMAGE_BAD_REFERENCE);
        EXPECT_STR(err_text(&e), table[i][1]);
    }
}

static void lengths_have_limits(void)
{
    char s[2000];
    struct image_ref r;
    memset(s, 'a', sizeof s);
    s[255] = '\0';
    EXPECT_INT(image_ref_parse(s, &r, NULL),
               IMAGE_BAD_REFERENCE); /* with the '/' that the engine counts */
    s[254] = '\0';
    EXPECT_INT(image_ref_parse(s, &r, NULL), 0);
    memset(s, 'a', sizeof s);
    s[1999] = '\0';
    EXPECT_INT(image_ref_parse(s, &r, NULL), IMAGE_BAD_REFERENCE);
    memset(s, 'a', sizeof s);
    s[1] = ':', s[130] = '\0';
    EXPECT_INT(image_ref_parse(s, &r, NULL), 0);
    s[130] = 'a', s[131] = '\0';
    EXPECT_INT(image_ref_parse(s, &r, NULL), IMAGE_BAD_REFERENCE);
}

static void a_missing_image_is_told_with_its_full_name(void)
{
    struct err e = {0};
    EXPECT_INT(image_not_found("web", &e), IMAGE_NOT_FOUND);
    EXPECT_STR(err_text(&e), "No such image: web:latest");
    image_not_found("nosuch:1", &e);
    EXPECT_STR(err_text(&e), "No such image: nosuch:1");
}

int main(void)
{
    TEST(names_are_normalised_as_the_engine_does_it);
    TEST(what_is_no_reference_is_refused_in_the_engines_words);
    TEST(lengths_have_limits);
    TEST(a_missing_image_is_told_with_its_full_name);
    return check_done();
}
