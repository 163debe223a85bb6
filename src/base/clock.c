/* base/clock.c - asking the clock; times and durations as text. */
#include "base/clock.h"

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

static int64_t read_clock(clockid_t which)
{
    struct timespec t;
    clock_gettime(which, &t); /* cannot fail for these two clocks */
    return (int64_t)t.tv_sec * NS_PER_SEC + t.tv_nsec;
}

int64_t clock_wall_ns(void)
{
    return read_clock(CLOCK_REALTIME);
}

int64_t clock_mono_ns(void)
{
    return read_clock(CLOCK_MONOTONIC);
}

static void put_digits(char *to, int n, int64_t v)
{
    while (n > 0) {
        to[--n] = (char)('0' + v % 10);
        v /= 10;
    }
}

/* "2006-01-02T15:04:05" and nine decimals, no zone; returns the length. */
static size_t put_time(int64_t ns, char ret[TIME_TEXT_SIZE])
{
    int64_t s = ns / NS_PER_SEC, frac = ns % NS_PER_SEC;
    if (frac < 0) {
        frac += NS_PER_SEC;
        s--;
    }
    time_t t = s;
    struct tm tm = {0};
    gmtime_r(&t, &tm);
    /* By hand: a list of ten thousand objects has twenty thousand times. Their years are 1677 to
     * 2262. */
    put_digits(ret, 4, tm.tm_year + 1900);
    put_digits(ret + 5, 2, tm.tm_mon + 1);
    put_digits(ret + 8, 2, tm.tm_mday);
    put_digits(ret + 11, 2, tm.tm_hour);
    put_digits(ret + 14, 2, tm.tm_min);
    put_digits(ret + 17, 2, tm.tm_sec);
    put_digits(ret + 20, 9, frac);
    ret[4] = ret[7] = '-';
    ret[10] = 'T';
    ret[13] = ret[16] = ':';
    ret[19] = '.';
    return 29;
}

const char *time_text(int64_t ns, char ret[TIME_TEXT_SIZE])
{
    if (ns == 0)
        return memcpy(ret, "0001-01-01T00:00:00Z", sizeof("0001-01-01T00:00:00Z"));
    size_t n = put_time(ns, ret);
    while (ret[n - 1] == '0')
        n--;
    if (ret[n - 1] == '.')
        n--;
    ret[n] = 'Z';
    ret[n + 1] = 0;
    return ret;
}

const char *time_text_fixed(int64_t ns, char ret[TIME_TEXT_SIZE])
{
    size_t n = put_time(ns, ret);
    ret[n] = 'Z';
    ret[n + 1] = 0;
    return ret;
}

/* Exactly n digits; moves *s past them. */
static bool take_digits(const char **s, int n, int *ret)
{
    int v = 0;
    for (int i = 0; i < n; i++) {
        char c = (*s)[i];
        if (c < '0' || c > '9')
            return false;
        v = v * 10 + (c - '0');
    }
    *s += n;
    *ret = v;
    return true;
}

static bool take_char(const char **s, char c)
{
    if (**s != c)
        return false;
    (*s)++;
    return true;
}

/* Decimals after the point as nanoseconds; digits past the ninth are read and dropped. */
static bool take_fraction(const char **s, int64_t *ret)
{
    int64_t v = 0;
    int n = 0;
    for (; **s >= '0' && **s <= '9'; (*s)++, n++)
        if (n < 9)
            v = v * 10 + (**s - '0');
    for (int i = n; i < 9; i++)
        v *= 10;
    *ret = v;
    return n > 0;
}

static bool valid_date(int year, int month, int day)
{
    static const int days[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    if (month < 1 || month > 12 || day < 1)
        return false;
    bool leap = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
    return day <= days[month - 1] + (month == 2 && leap);
}

static bool take_date(const char **s, struct tm *tm)
{
    int year, month;
    if (!take_digits(s, 4, &year) || !take_char(s, '-') || !take_digits(s, 2, &month) ||
        !take_char(s, '-') || !take_digits(s, 2, &tm->tm_mday) ||
        !valid_date(year, month, tm->tm_mday))
        return false;
    tm->tm_year = year - 1900;
    tm->tm_mon = month - 1;
    return true;
}

static bool take_hour_minute(const char **s, int *ret_hour, int *ret_minute)
{
    return take_digits(s, 2, ret_hour) && take_char(s, ':') && take_digits(s, 2, ret_minute) &&
           *ret_hour < 24 && *ret_minute < 60;
}

/* "Z" or "+hh:mm"; seconds east of Greenwich. */
static bool take_zone(const char **s, int *ret_seconds)
{
    int hour, minute;
    if (take_char(s, 'Z')) {
        *ret_seconds = 0;
        return true;
    }
    int sign = **s == '-' ? -1 : 1;
    if (!take_char(s, '-') && !take_char(s, '+'))
        return false;
    if (!take_hour_minute(s, &hour, &minute))
        return false;
    *ret_seconds = sign * (hour * 3600 + minute * 60);
    return true;
}

static int to_ns(struct tm *tm, int64_t frac, int zone, int64_t *ret_ns)
{
    int64_t s = (int64_t)timegm(tm) - zone, ns;
    if (s == -62135596800 && frac == 0) { /* the year 1: "not set" */
        *ret_ns = 0;
        return 0;
    }
    if (s < 0 && frac > 0) { /* keeps the product in range at the lower edge */
        s++;
        frac -= NS_PER_SEC;
    }
    if (__builtin_mul_overflow(s, NS_PER_SEC, &ns) || __builtin_add_overflow(ns, frac, &ns))
        return -EINVAL;
    *ret_ns = ns;
    return 0;
}

/* With `loose`, what may be left off: the time of day, its seconds, the zone (then UTC). */
static int parse_time(const char *s, bool loose, int64_t *ret_ns)
{
    struct tm tm = {0};
    int64_t frac = 0;
    int zone = 0;
    if (!take_date(&s, &tm))
        return -EINVAL;
    if (loose && !*s)
        return to_ns(&tm, 0, 0, ret_ns);
    if (!take_char(&s, 'T') || !take_hour_minute(&s, &tm.tm_hour, &tm.tm_min))
        return -EINVAL;
    if (take_char(&s, ':')) {
        if (!take_digits(&s, 2, &tm.tm_sec) || tm.tm_sec > 59)
            return -EINVAL;
        if (take_char(&s, '.') && !take_fraction(&s, &frac))
            return -EINVAL;
    } else if (!loose) {
        return -EINVAL;
    }
    if (!(loose && !*s) && (!take_zone(&s, &zone) || *s))
        return -EINVAL;
    return to_ns(&tm, frac, zone, ret_ns);
}

int time_parse(const char *rfc3339, int64_t *ret_ns)
{
    return rfc3339 ? parse_time(rfc3339, false, ret_ns) : -EINVAL;
}

static int parse_unix(const char *s, int64_t *ret_ns)
{
    int64_t v = 0, frac = 0;
    if (*s < '0' || *s > '9')
        return -EINVAL;
    for (; *s >= '0' && *s <= '9'; s++)
        if (__builtin_mul_overflow(v, 10, &v) || __builtin_add_overflow(v, *s - '0', &v))
            return -EINVAL;
    if (take_char(&s, '.') && !take_fraction(&s, &frac))
        return -EINVAL;
    if (*s || __builtin_mul_overflow(v, NS_PER_SEC, &v) || __builtin_add_overflow(v, frac, &v))
        return -EINVAL;
    *ret_ns = v;
    return 0;
}

int time_parse_query(const char *s, int64_t now_ns, int64_t *ret_ns)
{
    int64_t d;
    if (!s)
        return -EINVAL;
    if (parse_unix(s, ret_ns) == 0) /* before durations: "0" is the epoch */
        return 0;
    if (duration_parse(s, &d) == 0)
        return __builtin_sub_overflow(now_ns, d, ret_ns) ? -EINVAL : 0;
    return parse_time(s, true, ret_ns);
}

/* The unit at *s in nanoseconds, or 0; moves *s past it. */
static int64_t take_unit(const char **s)
{
    static const struct {
        const char *name;
        int64_t ns;
    } units[] = {
        {"ns", 1},         {"us", 1000},      {"\xc2\xb5s", 1000},    {"\xce\xbcs", 1000},
        {"ms", NS_PER_MS}, {"s", NS_PER_SEC}, {"m", 60 * NS_PER_SEC}, {"h", 3600 * NS_PER_SEC}};
    for (size_t i = 0; i < sizeof(units) / sizeof(*units); i++) {
        size_t n = strlen(units[i].name);
        if (strncmp(*s, units[i].name, n) == 0) {
            *s += n;
            return units[i].ns;
        }
    }
    return 0;
}

/* One "12.5h"; adds to *sum. */
static bool take_term(const char **s, int64_t *sum)
{
    int64_t whole = 0, part = 0, scale = 1, term;
    bool digits = false;
    for (; **s >= '0' && **s <= '9'; (*s)++, digits = true)
        if (__builtin_mul_overflow(whole, 10, &whole) ||
            __builtin_add_overflow(whole, **s - '0', &whole))
            return false;
    if (take_char(s, '.'))
        for (; **s >= '0' && **s <= '9'; (*s)++, digits = true)
            if (scale < 1000000000000) { /* finer than this adds nothing to an hour's nanoseconds */
                part = part * 10 + (**s - '0');
                scale *= 10;
            }
    int64_t unit = digits ? take_unit(s) : 0;
    if (!unit || __builtin_mul_overflow(whole, unit, &term))
        return false;
    double rest = (double)part * ((double)unit / (double)scale); /* as Go does it, bit for bit */
    if (__builtin_add_overflow(term, (int64_t)rest, &term))
        return false;
    return !__builtin_add_overflow(*sum, term, sum);
}

int duration_parse(const char *s, int64_t *ret_ns)
{
    int64_t sum = 0;
    if (!s)
        return -EINVAL;
    bool minus = *s == '-';
    if (*s == '-' || *s == '+')
        s++;
    if (strcmp(s, "0") == 0) { /* the one number that needs no unit */
        *ret_ns = 0;
        return 0;
    }
    if (!*s)
        return -EINVAL;
    while (*s)
        if (!take_term(&s, &sum))
            return -EINVAL;
    *ret_ns = minus ? -sum : sum;
    return 0;
}
