/* fuzz/fuzz_base_text.c - times, durations, numbers and base64 as strangers write them.
 *
 * fuzz-room: base
 * Whatever is accepted must be written and read again as the same value; base64 must not depend on
 * where it is cut. */
#include <limits.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/jw.h"
#include "base/mem.h"
#include "base/secret.h"
#include "base/str.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void times(const char *s)
{
    char text[TIME_TEXT_SIZE];
    int64_t ns, again;
    if (time_parse(s, &ns) == 0) {
        time_text_fixed(ns, text);
        if (time_parse(time_text(ns, text), &again) != 0 || again != ns)
            abort();
    }
    if (time_parse_query(s, 1700000000 * NS_PER_SEC, &ns) == 0)
        time_text(ns, text);
    (void)duration_parse(s, &ns);
}

static void numbers(const char *s)
{
    uint64_t u;
    int64_t i;
    AUTO_FREE char *copy = mem_str(s);
    if (str_to_u64(s, UINT64_MAX, &u) == 0 && (s[0] < '0' || s[0] > '9'))
        abort();
    if (str_to_u64(s, 65535, &u) == 0 && u > 65535)
        abort();
    (void)str_to_i64(s, &i);
    if (str_natural_cmp(s, copy) != 0 || !str_ieq(s, copy) || str_icmp(s, copy) != 0)
        abort();
    (void)str_printable(s);
    (void)str_is_hex(s, 64);
}

static void ordered(const char *s)
{
    size_t half = strlen(s) / 2;
    AUTO_FREE char *a = mem_strn(s, half);
    int ab = str_natural_cmp(a, s + half), ba = str_natural_cmp(s + half, a);
    if ((ab < 0) != (ba > 0) || (ab == 0) != (ba == 0))
        abort();
}

/* In pieces of `step` bytes. The length of what came out, or a negative number. */
static int64_t decode(const char *p, size_t n, size_t step, struct secret_buf *out)
{
    struct secret_base64 st = {0};
    for (size_t at = 0; at < n; at += step) {
        int r = secret_base64_step(&st, p + at, n - at < step ? n - at : step, out);
        if (r != 0)
            return r;
    }
    int r = secret_base64_end(&st);
    return r ? r : (int64_t)secret_buf_len(out);
}

static void base64(const char *p, size_t n)
{
    AUTO_SECRET struct secret_buf *whole = secret_buf_new(n + 1);
    AUTO_SECRET struct secret_buf *cut = secret_buf_new(n + 1);
    AUTO_SECRET struct secret_buf *tight = secret_buf_new(4);
    if (!whole || !cut || !tight)
        return;
    int64_t a = decode(p, n, n ? n : 1, whole), b = decode(p, n, 3, cut);
    if (a != b || (a >= 0 && !secret_buf_equal(whole, cut)))
        abort();
    (void)decode(p, n, 5, tight);
    if (secret_buf_len(tight) > 4)
        abort();
}

static void json(const char *s, size_t n)
{
    AUTO_BUF struct buf b = BUF_INIT(1 << 20);
    struct jw w = JW_INIT(&b);
    jw_object(&w, NULL);
    jw_strn(&w, s, s, n);
    jw_base64(&w, "b", s, n);
    jw_end_object(&w);
    if (b.failed || b.len < 2)
        abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct err e;
    static bool open;
    if (!open && secret_arena_open(1 << 20, &e) < 0)
        abort();
    open = true;
    AUTO_FREE char *s = mem_strn((const char *)data, size);
    times(s);
    numbers(s);
    ordered(s);
    base64((const char *)data, size);
    json(s, strlen(s));
    return 0;
}
