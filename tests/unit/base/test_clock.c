/* unit/base/test_clock.c - times and durations as text. */
#include "lib/check.h"
#include <errno.h>
#include "base/clock.h"

#define T2021 1609459200000000000LL /* 2021-01-01T00:00:00Z */

static void times_are_written_as_the_api_writes_them(void)
{
    char t[TIME_TEXT_SIZE];
    EXPECT_STR(time_text(0, t), "0001-01-01T00:00:00Z");
    EXPECT_STR(time_text(T2021, t), "2021-01-01T00:00:00Z");
    EXPECT_STR(time_text(T2021 + 1, t), "2021-01-01T00:00:00.000000001Z");
    EXPECT_STR(time_text(T2021 + 120000000, t), "2021-01-01T00:00:00.12Z");
    EXPECT_STR(time_text_fixed(T2021 + 120000000, t), "2021-01-01T00:00:00.120000000Z");
    EXPECT_STR(time_text(-1, t), "1969-12-31T23:59:59.999999999Z");
    EXPECT_STR(time_text(INT64_MAX, t), "2262-04-11T23:47:16.854775807Z");
    EXPECT_STR(time_text(INT64_MIN, t), "1677-09-21T00:12:43.145224192Z");
}

static void what_is_written_is_read_back(void)
{
    static const int64_t all[] = {
        0, 1, -1, T2021, T2021 + 123456789, INT64_MAX, INT64_MIN, 951782400000000000};
    char t[TIME_TEXT_SIZE];
    for (size_t i = 0; i < sizeof(all) / sizeof(*all); i++) {
        int64_t v = 7;
        EXPECT_INT(time_parse(time_text(all[i], t), &v), 0);
        EXPECT_INT(v, all[i]);
    }
}

static void offsets_are_understood(void)
{
    int64_t v;
    EXPECT_INT(time_parse("2021-01-01T02:30:00+02:30", &v), 0);
    EXPECT_INT(v, T2021);
    EXPECT_INT(time_parse("2020-12-31T19:00:00.5-05:00", &v), 0);
    EXPECT_INT(v, T2021 + 500000000);
    EXPECT_INT(time_parse("2021-01-01T00:00:00.1234567899Z", &v), 0);
    EXPECT_INT(v, T2021 + 123456789);
}

static void other_texts_are_not_times(void)
{
    static const char *const bad[] = {"",
                                      "now",
                                      "2021",
                                      "2021-01-01",
                                      "2021-01-01T00:00:00",
                                      "2021-01-01T00:00Z",
                                      "2021-13-01T00:00:00Z",
                                      "2021-02-29T00:00:00Z",
                                      "2021-01-00T00:00:00Z",
                                      "2021-01-01T24:00:00Z",
                                      "2021-01-01T00:60:00Z",
                                      "2021-01-01T00:00:60Z",
                                      "2021-01-01T00:00:00.Z",
                                      "2021-01-01T00:00:00Zx",
                                      "2021-01-01T00:00:00+25:00",
                                      "2021-01-01 00:00:00Z",
                                      "9999-01-01T00:00:00Z",
                                      "0002-01-01T00:00:00Z",
                                      "2021-01-01T00:00:00+0100",
                                      "-021-01-01T00:00:00Z",
                                      NULL};
    int64_t v = 7;
    for (int i = 0; bad[i]; i++) {
        if (time_parse(bad[i], &v) != -EINVAL)
            check_fail(__FILE__, __LINE__, bad[i]);
    }
    EXPECT_INT(time_parse(NULL, &v), -EINVAL);
    EXPECT_INT(v, 7);
}

static void queries_take_seconds_durations_and_dates(void)
{
    int64_t v;
    EXPECT_INT(time_parse_query("1609459200", 0, &v), 0);
    EXPECT_INT(v, T2021);
    EXPECT_INT(time_parse_query("1609459200.5", 0, &v), 0);
    EXPECT_INT(v, T2021 + 500000000);
    EXPECT_INT(time_parse_query("1609459200.000000001", 0, &v), 0);
    EXPECT_INT(v, T2021 + 1);
    EXPECT_INT(time_parse_query("10m", T2021, &v), 0);
    EXPECT_INT(v, T2021 - 600 * NS_PER_SEC);
    EXPECT_INT(time_parse_query("2021-01-01T00:00:00Z", 5, &v), 0);
    EXPECT_INT(v, T2021);
    EXPECT_INT(time_parse_query("2021-01-01", 5, &v), 0);
    EXPECT_INT(v, T2021);
    EXPECT_INT(time_parse_query("2021-01-01T00:00", 5, &v), 0);
    EXPECT_INT(v, T2021);
    EXPECT_INT(time_parse_query("2021-01-01T01:00+01:00", 5, &v), 0);
    EXPECT_INT(v, T2021);
    EXPECT_INT(time_parse_query("0", 5, &v), 0);
    EXPECT_INT(v, 0);
    EXPECT_INT(time_parse_query("99999999999", 5, &v), -EINVAL);
    EXPECT_INT(time_parse_query("yesterday", 5, &v), -EINVAL);
    EXPECT_INT(time_parse_query("", 5, &v), -EINVAL);
    EXPECT_INT(time_parse_query("1609459200.", 5, &v), -EINVAL);
    EXPECT_INT(time_parse_query("-300h", INT64_MAX, &v), -EINVAL);
    EXPECT_INT(time_parse_query(NULL, 5, &v), -EINVAL);
}

static void durations_are_those_of_go(void)
{
    static const struct {
        const char *s;
        int64_t ns;
    } good[] = {{"0", 0},
                {"-0", 0},
                {"0s", 0},
                {"5s", 5 * NS_PER_SEC},
                {"1h2m3.5s", 3723500 * NS_PER_MS},
                {"300ms", 300 * NS_PER_MS},
                {"-1s", -NS_PER_SEC},
                {"+1s", NS_PER_SEC},
                {"1.5h", 5400 * NS_PER_SEC},
                {".5s", 500 * NS_PER_MS},
                {"5.s", 5 * NS_PER_SEC},
                {"10us", 10000},
                {"10\xc2\xb5s", 10000},
                {"10\xce\xbcs", 10000},
                {"7ns", 7},
                {"1s1s", 2 * NS_PER_SEC},
                {"9223372036854775807ns", INT64_MAX},
                {"0.3333333333333333333h", 1200 * NS_PER_SEC - 1}};
    static const char *const bad[] = {"",         "-",    "3",   "s",
                                      ".s",       "1x",   "1s ", " 1s",
                                      "1 s",      "--1s", "1d",  "9223372036854775808ns",
                                      "3000000h", "1s5",  NULL};
    int64_t v;
    for (size_t i = 0; i < sizeof(good) / sizeof(*good); i++) {
        v = -99;
        EXPECT_INT(duration_parse(good[i].s, &v), 0);
        EXPECT(v - good[i].ns <= 1 &&
               good[i].ns - v <= 1); /* Go's own rounding of long fractions */
    }
    for (int i = 0; bad[i]; i++)
        if (duration_parse(bad[i], &v) != -EINVAL)
            check_fail(__FILE__, __LINE__, bad[i]);
    EXPECT_INT(duration_parse(NULL, &v), -EINVAL);
}

static void clocks_move_forward(void)
{
    int64_t a = clock_mono_ns(), b = clock_mono_ns();
    EXPECT(b >= a && a > 0);
    EXPECT(clock_wall_ns() > T2021);
}

int main(void)
{
    TEST(times_are_written_as_the_api_writes_them);
    TEST(what_is_written_is_read_back);
    TEST(offsets_are_understood);
    TEST(other_texts_are_not_times);
    TEST(queries_take_seconds_durations_and_dates);
    TEST(durations_are_those_of_go);
    TEST(clocks_move_forward);
    return check_done();
}
