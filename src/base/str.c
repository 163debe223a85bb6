/* base/str.c - strings without locale. */
#include "base/str.h"

#include <errno.h>
#include <string.h>

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

static int lower(char c)
{
    return c >= 'A' && c <= 'Z' ? c - 'A' + 'a' : (unsigned char)c;
}

bool str_eq(const char *a, const char *b)
{
    return a == b || (a && b && strcmp(a, b) == 0);
}

int str_icmp(const char *a, const char *b)
{
    while (*a && lower(*a) == lower(*b))
        a++, b++;
    return lower(*a) - lower(*b);
}

bool str_ieq(const char *a, const char *b)
{
    return a == b || (a && b && str_icmp(a, b) == 0);
}

bool str_starts(const char *s, const char *prefix)
{
    return s && strncmp(s, prefix, strlen(prefix)) == 0;
}

bool str_istarts(const char *s, const char *prefix)
{
    if (!s)
        return false;
    while (*prefix && lower(*s) == lower(*prefix))
        s++, prefix++;
    return !*prefix;
}

bool str_ends(const char *s, const char *suffix)
{
    size_t n = s ? strlen(s) : 0, m = strlen(suffix);
    return s && n >= m && memcmp(s + n - m, suffix, m) == 0;
}

bool str_empty(const char *s)
{
    return !s || !*s;
}

const char *str_or(const char *s, const char *otherwise)
{
    return str_empty(s) ? otherwise : s;
}

bool str_is_hex(const char *s, size_t len)
{
    size_t i = 0;
    for (; s && i < len && (is_digit(s[i]) || (s[i] >= 'a' && s[i] <= 'f')); i++)
        ;
    return s && i == len && !s[i];
}

int str_to_u64(const char *s, uint64_t max, uint64_t *ret)
{
    uint64_t v = 0;
    bool over = false;
    if (str_empty(s))
        return -EINVAL;
    for (; *s; s++) {
        if (!is_digit(*s))
            return -EINVAL;
        over |= __builtin_mul_overflow(v, 10u, &v);
        over |= __builtin_add_overflow(v, (uint64_t)(*s - '0'), &v);
    }
    if (over || v > max)
        return -ERANGE;
    *ret = v;
    return 0;
}

int str_to_i64(const char *s, int64_t *ret)
{
    uint64_t v;
    bool minus = s && *s == '-';
    int r = str_to_u64(minus ? s + 1 : s, minus ? (uint64_t)INT64_MAX + 1 : INT64_MAX, &v);
    if (r < 0)
        return r;
    *ret = minus ? (int64_t)(0 - v) : (int64_t)v;
    return 0;
}

size_t str_copy(char *dst, size_t size, const char *src)
{
    size_t n = strlen(src);
    if (size) {
        size_t take = n < size ? n : size - 1;
        memcpy(dst, src, take);
        dst[take] = 0;
    }
    return n;
}

bool str_printable(const char *s)
{
    for (; *s; s++)
        if (*s < 32 || *s > 126)
            return false;
    return true;
}

/* Compares the digit runs at *a and *b as numbers of any length and steps over them. */
static int cmp_digits(const char **a, const char **b)
{
    const char *x = *a, *y = *b;
    while (*x == '0')
        x++;
    while (*y == '0')
        y++;
    const char *x0 = x, *y0 = y;
    while (is_digit(*x))
        x++;
    while (is_digit(*y))
        y++;
    *a = x;
    *b = y;
    if (x - x0 != y - y0)
        return x - x0 < y - y0 ? -1 : 1;
    return memcmp(x0, y0, (size_t)(x - x0));
}

int str_natural_cmp(const char *a, const char *b)
{
    const char *whole_a = a, *whole_b = b;
    while (*a && *b) {
        if (is_digit(*a) && is_digit(*b)) {
            int c = cmp_digits(&a, &b);
            if (c)
                return c < 0 ? -1 : 1;
        } else {
            if (*a != *b)
                return (unsigned char)*a < (unsigned char)*b ? -1 : 1;
            a++, b++;
        }
    }
    if (*a || *b)
        return *a ? 1 : -1;
    int c = strcmp(whole_a, whole_b); /* "01" and "1" are not the same name: the order is total */
    return (c > 0) - (c < 0);
}
