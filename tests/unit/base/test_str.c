/* unit/base/test_str.c - strings. */
#include "lib/check.h"
#include <errno.h>
#include "base/str.h"

static void nothing_equals_only_nothing(void)
{
    EXPECT(str_eq(NULL, NULL) && str_eq("a", "a"));
    EXPECT(!str_eq(NULL, "") && !str_eq("", NULL) && !str_eq("a", "A"));
    EXPECT(str_ieq("AbZ", "aBz") && !str_ieq("ab", "abc") && !str_ieq("[", "{"));
    EXPECT(str_icmp("a", "B") < 0 && str_icmp("b", "A") > 0 && str_icmp("x", "X") == 0);
}

static void prefixes_and_suffixes(void)
{
    EXPECT(str_starts("secret", "sec") && str_starts("x", "") && !str_starts("se", "sec"));
    EXPECT(str_istarts("SECret", "sec") && !str_istarts("se", "sec") && !str_istarts(NULL, ""));
    EXPECT(str_ends("a.json", ".json") && !str_ends("json", ".json") && !str_ends(NULL, ""));
    EXPECT(str_empty(NULL) && str_empty("") && !str_empty(" "));
    EXPECT_STR(str_or("", "x"), "x");
    EXPECT_STR(str_or("y", "x"), "y");
}

static void hex_is_lower_case_and_of_the_length(void)
{
    EXPECT(str_is_hex("0af", 3) && !str_is_hex("0af", 2) && !str_is_hex("0af", 4));
    EXPECT(!str_is_hex("0AF", 3) && !str_is_hex("0ag", 3) && !str_is_hex(NULL, 0));
}

static void numbers_are_digits_only(void)
{
    static const char *const bad[] = {"", " 1", "1 ", "+1", "0x10", "1e3", "-1", "1.0", NULL};
    uint64_t v = 77;
    EXPECT_INT(str_to_u64("0", 10, &v), 0);
    EXPECT_INT(v, 0);
    for (int i = 0; bad[i]; i++)
        EXPECT_INT(str_to_u64(bad[i], UINT64_MAX, &v), -EINVAL);
    EXPECT_INT(str_to_u64(NULL, 1, &v), -EINVAL);
    EXPECT_INT(v, 0); /* written only on success */
}

static void numbers_have_ranges(void)
{
    uint64_t v;
    EXPECT_INT(str_to_u64("18446744073709551615", UINT64_MAX, &v), 0);
    EXPECT(v == UINT64_MAX);
    EXPECT_INT(str_to_u64("18446744073709551616", UINT64_MAX, &v), -ERANGE);
    EXPECT_INT(str_to_u64("99999999999999999999999999", UINT64_MAX, &v), -ERANGE);
    EXPECT_INT(str_to_u64("11", 10, &v), -ERANGE);
    EXPECT_INT(str_to_u64("99999999999999999999999999x", UINT64_MAX, &v), -EINVAL);
    int64_t i;
    EXPECT_INT(str_to_i64("-9223372036854775808", &i), 0);
    EXPECT(i == INT64_MIN);
    EXPECT_INT(str_to_i64("9223372036854775808", &i), -ERANGE);
    EXPECT_INT(str_to_i64("-9223372036854775809", &i), -ERANGE);
    EXPECT_INT(str_to_i64("--1", &i), -EINVAL);
    EXPECT_INT(str_to_i64("-", &i), -EINVAL);
    EXPECT_INT(str_to_i64(NULL, &i), -EINVAL);
}

static void copies_are_cut_and_terminated(void)
{
    char d[4] = "zzz";
    EXPECT_INT(str_copy(d, sizeof(d), "abcdef"), 6);
    EXPECT_STR(d, "abc");
    EXPECT_INT(str_copy(d, sizeof(d), "ab"), 2);
    EXPECT_STR(d, "ab");
    EXPECT_INT(str_copy(d, 0, "x"), 1);
    EXPECT_STR(d, "ab");
}

static void printable_means_ascii_without_control(void)
{
    EXPECT(str_printable("a ~") && str_printable(""));
    EXPECT(!str_printable("a\n") && !str_printable("\x7f") && !str_printable("\xc3\xa9"));
}

static void names_sort_as_people_count(void)
{
    EXPECT(str_natural_cmp("web_9", "web_10") < 0);
    EXPECT(str_natural_cmp("web_10", "web_9") > 0);
    EXPECT(str_natural_cmp("web", "web_1") < 0);
    EXPECT(str_natural_cmp("a2b10", "a2b9") > 0);
    EXPECT(str_natural_cmp("a", "a") == 0);
    EXPECT(str_natural_cmp("a01", "a1") < 0 && str_natural_cmp("a1", "a01") > 0);
    EXPECT(str_natural_cmp("a99999999999999999999999999", "a100000000000000000000000000") < 0);
    EXPECT(str_natural_cmp("a1", "aa") < 0);
    EXPECT(str_natural_cmp("\xc3", "a") > 0);
    EXPECT(str_natural_cmp("a0", "a00b") < 0);
}

int main(void)
{
    TEST(nothing_equals_only_nothing);
    TEST(prefixes_and_suffixes);
    TEST(hex_is_lower_case_and_of_the_length);
    TEST(numbers_are_digits_only);
    TEST(numbers_have_ranges);
    TEST(copies_are_cut_and_terminated);
    TEST(printable_means_ascii_without_control);
    TEST(names_sort_as_people_count);
    return check_done();
}
