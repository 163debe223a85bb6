/* unit/base/test_secret_base64.c - base64 on its way into secret memory. */
#include "lib/check.h"
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include "base/buf.h"
#include "base/clock.h"
#include "base/id.h"
#include "base/mem.h"
#include "base/secret.h"

enum { ARENA = 6 << 20 };

/* --- base64
 * ------------------------------------------------------------------------------------------ */

/* Decodes in chunks of `step`; the outcome, or the length. */
static int decode(const char *in, size_t step, size_t capacity, char *ret, size_t *ret_at)
{
    AUTO_SECRET struct secret_buf *s = secret_buf_new(capacity);
    struct secret_base64 st = {0};
    size_t n = strlen(in);
    int r = 0;
    for (size_t at = 0; at < n && r == 0; at += step)
        r = secret_base64_step(&st, in + at, n - at < step ? n - at : step, s);
    if (r == 0)
        r = secret_base64_end(&st);
    *ret_at = st.at;
    if (r < 0)
        return r;
    memcpy(ret, secret_buf_bytes(s), secret_buf_len(s));
    return (int)secret_buf_len(s);
}

static void base64_is_decoded_in_pieces_of_any_size(void)
{
    static const struct {
        const char *in, *out;
    } good[] = {{"", ""},
                {"Zg==", "f"},
                {"Zm8=", "fo"},
                {"Zm9v", "foo"},
                {"Zm9vYmFy", "foobar"},
                {"Zm9v\r\nYmFy\n", "foobar"},
                {"Zm9vYg=\n=", "foob"},
                {"+/+/", "\xfb\xff\xbf"},
                {"Zh==", "f"} /* spare bits are not looked at, as in Go */};
    char out[64];
    size_t at;
    for (size_t i = 0; i < sizeof(good) / sizeof(*good); i++)
        for (size_t step = 1; step < 10; step++) {
            int n = decode(good[i].in, step, 20, out, &at);
            EXPECT_INT(n, strlen(good[i].out));
            EXPECT(n >= 0 && memcmp(out, good[i].out, (size_t)n) == 0);
        }
}

static void bad_base64_is_refused_at_its_place(void)
{
    static const struct {
        const char *in;
        size_t at;
    } bad[] = {{"Zm9v!", 4}, {"Z", 1},        {"Zg", 2},    {"Zg=", 3},   {"=", 0},
               {"Z=", 1},    {"Zg==Zg==", 4}, {"Zg===", 4}, {"Zm9v=", 4}, {"Zm8=Zm9v", 4},
               {"Zm9-", 3},  {"Zm_v", 2},     {"Zm 9v", 2}, {"Zg=a", 3},  {"\xff", 0}};
    char out[64];
    size_t at;
    for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++)
        for (size_t step = 1; step < 10; step++) {
            EXPECT_INT(decode(bad[i].in, step, 20, out, &at), -EINVAL);
            EXPECT_INT(at, bad[i].at);
        }
}

static void every_digit_has_its_value(void)
{
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    char out[64], in[5] = "AAAA";
    size_t at;
    for (int c = 1; c < 256; c++) {
        const char *d = strchr(digits, c);
        in[3] = (char)c;
        int n = decode(in, 4, 20, out, &at);
        if (d) {
            EXPECT_INT(n, 3);
            EXPECT_INT(out[2], d - digits);
        } else if (c != '=') {
            EXPECT_INT(n, -EINVAL);
        }
    }
}

/* Whole pieces go sixteen digits at a time, single bytes one by one: every byte at every place,
 * both ways. */
static void base64_many_at_once_and_one_by_one_agree(void)
{
    char in[40];
    for (unsigned c = 0; c < 256; c++) {
        for (size_t at = 0; at < 16; at++) {
            struct secret_base64 whole = {0}, single = {0};
            AUTO_SECRET struct secret_buf *a = secret_buf_new(64), *b = secret_buf_new(64);
            memcpy(in, "QUJDREVGR0hJSktMTU5PUFFSU1RVVldYWVphYmNk", sizeof in);
            in[at] = (char)c;
            int ra = secret_base64_step(&whole, in, sizeof in, a), rb = 0;
            for (size_t i = 0; i < sizeof in && rb == 0; i++)
                rb = secret_base64_step(&single, in + i, 1, b);
            if (ra != rb || whole.at != single.at || !secret_buf_equal(a, b)) {
                check_fail(__FILE__, __LINE__, "a byte is taken in another way");
                return;
            }
        }
    }
}

static void base64_past_the_capacity_is_told(void)
{
    char out[64];
    size_t at;
    EXPECT_INT(decode("Zm9vYmFy", 3, 5, out, &at), -ENOSPC);
    EXPECT_INT(decode("Zm9vYmE=", 3, 5, out, &at), 5);
}

int main(void)
{
    struct err e = {0};
    if (secret_arena_open(ARENA, &e) < 0) {
        printf("Bail out! %s\n", e.text);
        return 1;
    }
    TEST(base64_is_decoded_in_pieces_of_any_size);
    TEST(bad_base64_is_refused_at_its_place);
    TEST(base64_many_at_once_and_one_by_one_agree);
    TEST(base64_past_the_capacity_is_told);
    TEST(every_digit_has_its_value);
    return check_done();
}
