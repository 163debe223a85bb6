/* unit/cli/test_text.c - ages, sizes, tables, JSON as text. */
#include <stdlib.h>
#include "base/clock.h"
#include "base/mem.h"
#include "cli/age.h"
#include "cli/js.h"
#include "cli/table.h"
#include "lib/check.h"

static void ages_are_put_in_words(void)
{
    static const struct {
        int64_t s;
        const char *text;
    } rows[] = {{0, "Less than a second"}, {1, "1 second"},         {59, "59 seconds"},
                {60, "About a minute"},    {119, "About a minute"}, {120, "2 minutes"},
                {3599, "59 minutes"},      {3600, "About an hour"}, {7200, "2 hours"},
                {172800, "2 days"},        {14 * 86400, "2 weeks"}, {60 * 86400, "2 months"},
                {90 * 86400, "3 months"},  {800 * 86400, "2 years"}};
    char text[AGE_SIZE];
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        EXPECT_STR(age_text(rows[i].s * NS_PER_SEC, text), rows[i].text);
    EXPECT_STR(ago_lower(0, 60 * NS_PER_SEC, text), "about a minute ago");
    EXPECT_STR(age_text(-5, text), "Less than a second");
}

static void durations_read_like_go(void)
{
    char text[AGE_SIZE];
    EXPECT_STR(go_duration(0, text), "0s");
    EXPECT_STR(go_duration(90 * NS_PER_SEC, text), "1m30s");
    EXPECT_STR(go_duration(7776000 * NS_PER_SEC, text), "2160h0m0s");
    EXPECT_STR(go_duration(1500 * NS_PER_MS, text), "1.5s");
    EXPECT_STR(go_duration(300 * NS_PER_MS, text), "300ms");
    EXPECT_STR(go_duration(-NS_PER_SEC, text), "-1s");
}

static void times_and_sizes_read_like_go(void)
{
    char text[AGE_SIZE];
    EXPECT_STR(go_time(1795311842209744705LL, "UTC", text),
               "2026-11-22 01:44:02.209744705 +0000 UTC");
    EXPECT_STR(go_time(1795311842200000000LL, "utc", text), "2026-11-22 01:44:02.2 +0000 utc");
    EXPECT_STR(size_decimal(1982000, 3, text), "1.98MB");
    EXPECT_STR(size_decimal(0, 3, text), "0B");
    EXPECT_STR(size_binary(67108864, text), "64MiB");
}

static void columns_are_ten_wide_and_three_apart(void)
{
    AUTO_BUF struct buf b = BUF_INIT(4096);
    table_layout("ID\tNAME\tX\nabcdefghijkl\ta\tlast column\n", 10, 3, &b);
    EXPECT_STR(b.p, "ID             NAME      X\nabcdefghijkl   a         last column\n");
    buf_clear(&b);
    table_layout("ID\tNAME\n", 10, 3, &b);
    EXPECT_STR(b.p, "ID        NAME\n");
}

static void a_line_without_a_column_does_not_break_the_others(void)
{
    AUTO_BUF struct buf b = BUF_INIT(4096);
    table_layout("no tabs here at all\na\tb\n\xc3\xa4\xc3\xb6\xc3\xbc\tc", 2, 3, &b);
    EXPECT_STR(b.p, "no tabs here at all\na     b\n\xc3\xa4\xc3\xb6\xc3\xbc   c\n");
    buf_clear(&b);
    buf_str(&b, "");
    table_layout("", 10, 3, &b);
    EXPECT_INT(b.len, 0);
}

static void json_is_indented_without_being_read(void)
{
    AUTO_BUF struct buf b = BUF_INIT(4096);
    static const char raw[] = "[{\"a\":{},\"b\":[1,2.50],\"c\":\"x{,\\\"\"}]";
    js_indent(&b, raw, strlen(raw), 0);
    EXPECT_STR(b.p, "[\n    {\n        \"a\": {},\n        \"b\": [\n            1,\n            "
                    "2.50\n        ],\n"
                    "        \"c\": \"x{,\\\"\"\n    }\n]");
}

static void json_is_written_as_go_writes_it(void)
{
    AUTO_JSON json_t *o = json_loads("{\"b\":\"<&>\",\"a\":[0.1,1,true,null]}", 0, NULL);
    AUTO_BUF struct buf b = BUF_INIT(4096);
    js_write(&b, o, false);
    EXPECT_STR(b.p, "{\"a\":[0.1,1,true,null],\"b\":\"\\u003c\\u0026\\u003e\"}");
    buf_clear(&b);
    js_write(&b, o, true);
    EXPECT_STR(b.p, "{\"b\":\"\\u003c\\u0026\\u003e\",\"a\":[0.1,1,true,null]}");
}

static void broken_json_is_not_read_past_its_end(void)
{
    static const char *const bad[] = {"\"", "\"\\", "[", "{\"a", "]]]]", ""};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        AUTO_FREE char *exact = mem_dup(bad[i], strlen(bad[i]) + 1);
        AUTO_BUF struct buf b = BUF_INIT(4096);
        js_indent(&b, exact, strlen(exact), 0);
        EXPECT(!b.failed);
    }
}

int main(void)
{
    TEST(ages_are_put_in_words);
    TEST(durations_read_like_go);
    TEST(times_and_sizes_read_like_go);
    TEST(columns_are_ten_wide_and_three_apart);
    TEST(a_line_without_a_column_does_not_break_the_others);
    TEST(json_is_indented_without_being_read);
    TEST(json_is_written_as_go_writes_it);
    TEST(broken_json_is_not_read_past_its_end);
    return check_done();
}
