/* base/jw.c - JSON, written forward only. */
#include "base/jw.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "base/clock.h"

#define ONES 0x0101010101010101ULL
#define HIGHS 0x8080808080808080ULL

/* True when none of the eight bytes is a control byte, a quote, a backslash or outside ASCII. */
static bool word_is_plain(const char *p)
{
    uint64_t w, quote, slash;
    memcpy(&w, p, sizeof(w));
    quote = w ^ ONES * '"';
    slash = w ^ ONES * '\\';
    /* A borrow can only make this say "not plain" for a plain byte, never the other way about. */
    return !(((w - ONES * 0x20) | (quote - ONES) | (slash - ONES) | w) & HIGHS);
}

/* Length of the well-formed UTF-8 sequence at p (RFC 3629), or 0. */
static size_t utf8_len(const unsigned char *p, size_t n)
{
    static const struct {
        unsigned char lo, hi, second_lo, second_hi, len;
    } forms[] = {{0xc2, 0xdf, 0x80, 0xbf, 2}, {0xe0, 0xe0, 0xa0, 0xbf, 3},
                 {0xe1, 0xec, 0x80, 0xbf, 3}, {0xed, 0xed, 0x80, 0x9f, 3},
                 {0xee, 0xef, 0x80, 0xbf, 3}, {0xf0, 0xf0, 0x90, 0xbf, 4},
                 {0xf1, 0xf3, 0x80, 0xbf, 4}, {0xf4, 0xf4, 0x80, 0x8f, 4}};
    for (size_t i = 0; i < sizeof(forms) / sizeof(*forms); i++) {
        if (p[0] < forms[i].lo || p[0] > forms[i].hi)
            continue;
        if (n < forms[i].len || p[1] < forms[i].second_lo || p[1] > forms[i].second_hi)
            return 0;
        for (size_t k = 2; k < forms[i].len; k++)
            if ((p[k] & 0xc0) != 0x80)
                return 0;
        return forms[i].len;
    }
    return 0;
}

/* Bytes at the start of s that may be copied as they are. */
static size_t plain_run(const char *s, size_t n)
{
    size_t i = 0;
    while (i < n) {
        if (n - i >= 8 && word_is_plain(s + i)) {
            i += 8;
            continue;
        }
        unsigned char c = (unsigned char)s[i];
        if (c < 0x20 || c == '"' || c == '\\')
            break;
        if (c < 0x80) {
            i++;
            continue;
        }
        size_t len = utf8_len((const unsigned char *)s + i, n - i);
        if (!len || (len == 3 && memcmp(s + i, "\xe2\x80", 2) == 0 &&
                     ((unsigned char)s[i + 2] & 0xfe) == 0xa8)) /* U+2028, U+2029 */
            break;
        i += len;
    }
    return i;
}

/* Writes what stands at s instead of itself; returns how many bytes of s that was. */
static size_t put_escape(struct buf *b, const char *s, size_t n)
{
    unsigned char c = (unsigned char)*s;
    if (c >= 0x80 &&
        utf8_len((const unsigned char *)s, n) == 3) { /* well-formed: a line separator */
        buf_append(b, s[2] == '\xa8' ? "\\u2028" : "\\u2029", 6);
        return 3;
    }
    if (c >= 0x80)
        buf_append(b, "\\ufffd", 6);
    else if (c == '"' || c == '\\')
        buf_append(b, (char[]){'\\', (char)c}, 2);
    else if (c == '\n' || c == '\r' || c == '\t')
        buf_append(b, c == '\n' ? "\\n" : c == '\r' ? "\\r" : "\\t", 2);
    else
        buf_printf(b, "\\u%04x", c);
    return 1;
}

static void put_string(struct buf *b, const char *s, size_t n)
{
    buf_reserve(b, n + 2);
    buf_char(b, '"');
    while (n) {
        size_t run = plain_run(s, n);
        buf_append(b, s, run);
        s += run;
        n -= run;
        if (!n)
            break;
        size_t used = put_escape(b, s, n);
        s += used;
        n -= used;
    }
    buf_char(b, '"');
}

static void begin(struct jw *w, const char *key)
{
    if (w->comma)
        buf_char(w->b, ',');
    w->comma = true;
    if (key) {
        put_string(w->b, key, strlen(key));
        buf_char(w->b, ':');
    }
}

static void open_with(struct jw *w, const char *key, char c)
{
    begin(w, key);
    buf_char(w->b, c);
    w->comma = false;
}

static void close_with(struct jw *w, char c)
{
    buf_char(w->b, c);
    w->comma = true;
}

void jw_object(struct jw *w, const char *key)
{
    open_with(w, key, '{');
}

void jw_end_object(struct jw *w)
{
    close_with(w, '}');
}

void jw_array(struct jw *w, const char *key)
{
    open_with(w, key, '[');
}

void jw_end_array(struct jw *w)
{
    close_with(w, ']');
}

void jw_strn(struct jw *w, const char *key, const char *s, size_t n)
{
    begin(w, key);
    put_string(w->b, s, n);
}

void jw_str(struct jw *w, const char *key, const char *s)
{
    jw_strn(w, key, s ? s : "", s ? strlen(s) : 0);
}

void jw_str_opt(struct jw *w, const char *key, const char *s)
{
    if (s && *s)
        jw_str(w, key, s);
}

/* The decimal digits of v at the end of text[24]; returns where they begin. */
static char *put_digits(char text[24], uint64_t v)
{
    char *p = text + 24;
    do
        *--p = (char)('0' + v % 10);
    while (v /= 10);
    return p;
}

void jw_int(struct jw *w, const char *key, int64_t v)
{
    char text[24], *p = put_digits(text, v < 0 ? 0 - (uint64_t)v : (uint64_t)v);
    if (v < 0)
        *--p = '-';
    begin(w, key);
    buf_append(w->b, p, (size_t)(text + 24 - p));
}

void jw_uint(struct jw *w, const char *key, uint64_t v)
{
    char text[24], *p = put_digits(text, v);
    begin(w, key);
    buf_append(w->b, p, (size_t)(text + 24 - p));
}

/* The shortest decimal that reads back as v: digits without a point, and the power of the first. */
static int shortest(double v, char digits[24])
{
    char text[40];
    for (int precision = 0; precision < 17; precision++) {
        snprintf(text, sizeof(text), "%.*e", precision, v);
        if (strtod(text, NULL) == v)
            break;
    }
    size_t n = 0;
    const char *p = text;
    for (; *p && *p != 'e'; p++)
        if (*p >= '0' && *p <= '9')
            digits[n++] = *p;
    digits[n] = 0;
    int power = 0, sign = 1;
    for (p += *p == 'e'; *p; p++) {
        if (*p == '-')
            sign = -1;
        else if (*p >= '0' && *p <= '9')
            power = power * 10 + (*p - '0');
    }
    return sign * power;
}

void jw_real(struct jw *w, const char *key, double v)
{
    begin(w, key);
    if (!isfinite(v)) { /* JSON has no word for it */
        buf_str(w->b, "null");
        return;
    }
    if (signbit(v))
        buf_char(w->b, '-');
    v = fabs(v);
    char digits[24];
    int power = shortest(v, digits), n = (int)strlen(digits);
    if (v != 0.0 && (v < 1e-6 || v >= 1e21)) { /* where the engine's own encoder changes form */
        buf_printf(w->b, "%c%s%se%+d", digits[0], n > 1 ? "." : "", digits + 1, power);
    } else if (power < 0) {
        buf_printf(w->b, "0.%.*s%s", -power - 1, "00000000", digits);
    } else {
        for (int i = 0; i <= power || i < n; i++) {
            if (i == power + 1)
                buf_char(w->b, '.');
            buf_char(w->b, i < n ? digits[i] : '0');
        }
    }
}

void jw_bool(struct jw *w, const char *key, bool v)
{
    begin(w, key);
    buf_str(w->b, v ? "true" : "false");
}

void jw_null(struct jw *w, const char *key)
{
    begin(w, key);
    buf_str(w->b, "null");
}

void jw_base64(struct jw *w, const char *key, const void *p, size_t n)
{
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    const unsigned char *in = p;
    begin(w, key);
    buf_reserve(w->b, n / 3 * 4 + 6);
    buf_char(w->b, '"');
    for (; n >= 3; n -= 3, in += 3)
        buf_append(w->b,
                   (char[]){digits[in[0] >> 2], digits[(in[0] & 3) << 4 | in[1] >> 4],
                            digits[(in[1] & 15) << 2 | in[2] >> 6], digits[in[2] & 63]},
                   4);
    if (n == 2)
        buf_append(w->b,
                   (char[]){digits[in[0] >> 2], digits[(in[0] & 3) << 4 | in[1] >> 4],
                            digits[(in[1] & 15) << 2], '='},
                   4);
    else if (n == 1)
        buf_append(w->b, (char[]){digits[in[0] >> 2], digits[(in[0] & 3) << 4], '=', '='}, 4);
    buf_char(w->b, '"');
}

void jw_time(struct jw *w, const char *key, int64_t wall_ns)
{
    char text[TIME_TEXT_SIZE];
    jw_str(w, key, time_text(wall_ns, text));
}

void jw_raw(struct jw *w, const char *key, const char *json)
{
    begin(w, key);
    buf_str(w->b, json);
}

void jw_strv(struct jw *w, const char *key, const char *const *v)
{
    if (!v) {
        jw_null(w, key);
        return;
    }
    jw_array(w, key);
    for (; *v; v++)
        jw_str(w, NULL, *v);
    jw_end_array(w);
}
