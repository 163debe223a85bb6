/* unit/base/test_jw.c - JSON as it goes out. */
#include "lib/check.h"
#include <math.h>
#include "base/clock.h"
#include "base/jw.h"

static void members_keep_their_order_and_commas(void)
{
    AUTO_BUF struct buf b = BUF_INIT(10000);
    struct jw w = JW_INIT(&b);
    const char *const v[] = {"x", "y", NULL};
    jw_object(&w, NULL);
    jw_str(&w, "ID", "abc");
    jw_str_opt(&w, "Empty", "");
    jw_str_opt(&w, "None", NULL);
    jw_object(&w, "Spec");
    jw_end_object(&w);
    jw_array(&w, "List");
    jw_int(&w, NULL, -5);
    jw_object(&w, NULL);
    jw_bool(&w, "Yes", true);
    jw_end_object(&w);
    jw_array(&w, NULL);
    jw_end_array(&w);
    jw_end_array(&w);
    jw_null(&w, "Nil");
    jw_strv(&w, "Args", v);
    jw_strv(&w, "NoArgs", NULL);
    jw_raw(&w, "Raw", "{\"a\":1}");
    jw_str(&w, "Nothing", NULL);
    jw_time(&w, "At", 0);
    jw_base64(&w, "B", "abcd", 4);
    jw_end_object(&w);
    EXPECT_STR(b.p, "{\"ID\":\"abc\",\"Spec\":{},\"List\":[-5,{\"Yes\":true},[]],\"Nil\":null,"
                    "\"Args\":[\"x\",\"y\"],\"NoArgs\":null,\"Raw\":{\"a\":1},\"Nothing\":\"\","
                    "\"At\":\"0001-01-01T00:00:00Z\",\"B\":\"YWJjZA==\"}");
}

static void expect_string(int line, const char *s, size_t n, const char *want)
{
    AUTO_BUF struct buf b = BUF_INIT(10000);
    struct jw w = JW_INIT(&b);
    jw_strn(&w, NULL, s, n);
    if (strcmp(b.p, want) != 0)
        check_fail_str(__FILE__, line, "string", b.p, want);
}
#define STRING(s, want) expect_string(__LINE__, s, sizeof(s) - 1, want)

static void strings_are_escaped_as_the_engine_does(void)
{
    STRING("", "\"\"");
    STRING("plain text that is long enough for whole words",
           "\"plain text that is long enough for whole words\"");
    STRING("a\"b\\c/d", "\"a\\\"b\\\\c/d\"");
    STRING("<a>&'\x7f", "\"<a>&'\x7f\"");
    STRING("\n\r\t", "\"\\n\\r\\t\"");
    STRING("\x01\b\f\x1f\0z", "\"\\u0001\\u0008\\u000c\\u001f\\u0000z\"");
    STRING("caf\xc3\xa9 \xf0\x9f\x94\x91", "\"caf\xc3\xa9 \xf0\x9f\x94\x91\"");
    STRING("\xe2\x80\xa8|\xe2\x80\xa9|\xe2\x80\xaa", "\"\\u2028|\\u2029|\xe2\x80\xaa\"");
}

static void invalid_utf8_becomes_the_replacement(void)
{
    STRING("\xff", "\"\\ufffd\"");
    STRING("a\xc3", "\"a\\ufffd\"");
    STRING("\xe2\x80", "\"\\ufffd\\ufffd\"");
    STRING("\xe2", "\"\\ufffd\"");
    STRING("\xc0\xaf", "\"\\ufffd\\ufffd\"");            /* overlong */
    STRING("\xed\xa0\x80", "\"\\ufffd\\ufffd\\ufffd\""); /* a surrogate */
    STRING("\xf4\x90\x80\x80", "\"\\ufffd\\ufffd\\ufffd\\ufffd\"");
    STRING("\xf8\x88\x80\x80\x80", "\"\\ufffd\\ufffd\\ufffd\\ufffd\\ufffd\"");
    STRING("\x80wrong", "\"\\ufffdwrong\"");
}

/* Every byte at every place of a word: the fast path must see exactly what the slow one sees. */
static void each_byte_is_seen_at_each_place(void)
{
    for (int c = 0; c < 128; c++) {
        for (size_t at = 0; at < 17; at++) {
            char s[17], want[64];
            memset(s, 'x', sizeof(s));
            s[at] = (char)c;
            AUTO_BUF struct buf b = BUF_INIT(1000);
            struct jw w = JW_INIT(&b);
            jw_strn(&w, NULL, s, sizeof(s));
            char e[8] = {(char)c, 0};
            if (c == '"' || c == '\\')
                snprintf(e, sizeof(e), "\\%c", c);
            else if (c == '\n' || c == '\r' || c == '\t')
                snprintf(e, sizeof(e), "\\%c", c == '\n' ? 'n' : c == '\r' ? 'r' : 't');
            else if (c < 32)
                snprintf(e, sizeof(e), "\\u%04x", (unsigned)c);
            snprintf(want, sizeof(want), "\"%.*s%s%.*s\"", (int)at, "xxxxxxxxxxxxxxxxx", e,
                     (int)(16 - at), "xxxxxxxxxxxxxxxxx");
            EXPECT_STR(b.p, want);
        }
    }
}

static void keys_of_strangers_are_escaped_too(void)
{
    AUTO_BUF struct buf b = BUF_INIT(1000);
    struct jw w = JW_INIT(&b);
    jw_object(&w, NULL);
    jw_str(&w, "a\"b", "c");
    jw_end_object(&w);
    EXPECT_STR(b.p, "{\"a\\\"b\":\"c\"}");
}

static void integers_reach_their_ends(void)
{
    AUTO_BUF struct buf b = BUF_INIT(1000);
    struct jw w = JW_INIT(&b);
    jw_array(&w, NULL);
    jw_int(&w, NULL, INT64_MIN);
    jw_int(&w, NULL, INT64_MAX);
    jw_int(&w, NULL, 0);
    jw_uint(&w, NULL, UINT64_MAX);
    jw_end_array(&w);
    EXPECT_STR(b.p, "[-9223372036854775808,9223372036854775807,0,18446744073709551615]");
}

static void reals_are_the_shortest_that_read_back(void)
{
    static const struct {
        double v;
        const char *want;
    } all[] = {{0.0, "0"},
               {-0.0, "-0"},
               {1, "1"},
               {0.1, "0.1"},
               {-2.5, "-2.5"},
               {100, "100"},
               {0.05, "0.05"},
               {1e20, "100000000000000000000"},
               {1e21, "1e+21"},
               {0.000001, "0.000001"},
               {0.0000001, "1e-7"},
               {123456.789, "123456.789"},
               {1.5e300, "1.5e+300"},
               {0.30000000000000004, "0.30000000000000004"},
               {NAN, "null"},
               {INFINITY, "null"}};
    for (size_t i = 0; i < sizeof(all) / sizeof(*all); i++) {
        AUTO_BUF struct buf b = BUF_INIT(1000);
        struct jw w = JW_INIT(&b);
        jw_real(&w, NULL, all[i].v);
        EXPECT_STR(b.p, all[i].want);
    }
}

static void base64_pads(void)
{
    static const char *const want[] = {"\"\"", "\"AA==\"", "\"AP8=\"", "\"AP9/\"", "\"AP9/gA==\""};
    for (size_t n = 0; n < 5; n++) {
        AUTO_BUF struct buf b = BUF_INIT(1000);
        struct jw w = JW_INIT(&b);
        jw_base64(&w, NULL, "\x00\xff\x7f\x80", n);
        EXPECT_STR(b.p, want[n]);
    }
}

static void a_full_buffer_is_told_not_overrun(void)
{
    AUTO_BUF struct buf b = BUF_INIT(20);
    struct jw w = JW_INIT(&b);
    jw_array(&w, NULL);
    for (int i = 0; i < 100; i++)
        jw_str(&w, NULL, "abcdef");
    jw_end_array(&w);
    EXPECT(b.failed && b.len <= 20);
}

static void a_megabyte_takes_milliseconds(void)
{
    AUTO_BUF struct buf b = BUF_INIT(64 << 20);
    struct jw w = JW_INIT(&b);
    int64_t t = clock_mono_ns();
    jw_array(&w, NULL);
    for (int i = 0; i < 20000; i++) {
        jw_object(&w, NULL);
        jw_str(&w, "ID", "0123456789abcdefghijklmno");
        jw_int(&w, "Index", i);
        jw_str(&w, "Name", "a name of some ordinary length");
        jw_end_object(&w);
    }
    jw_end_array(&w);
    int64_t ms = (clock_mono_ns() - t) / NS_PER_MS;
    printf("# %zu bytes in %lld ms\n", b.len, (long long)ms);
    EXPECT(!b.failed && ms < 500);
}

int main(void)
{
    TEST(members_keep_their_order_and_commas);
    TEST(strings_are_escaped_as_the_engine_does);
    TEST(invalid_utf8_becomes_the_replacement);
    TEST(each_byte_is_seen_at_each_place);
    TEST(keys_of_strangers_are_escaped_too);
    TEST(integers_reach_their_ends);
    TEST(reals_are_the_shortest_that_read_back);
    TEST(base64_pads);
    TEST(a_full_buffer_is_told_not_overrun);
    TEST(a_megabyte_takes_milliseconds);
    return check_done();
}
