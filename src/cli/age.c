/* cli/age.c - times, spans and sizes in words. */
#include "cli/age.h"
#include <ctype.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include "base/clock.h"
#include "base/str.h"

const char *age_text(int64_t ns, char ret[AGE_SIZE])
{
    int64_t s = ns / NS_PER_SEC, m = s / 60;
    int64_t h = (int64_t)((double)ns / 3.6e12 + 0.5);
    if (s < 1)
        snprintf(ret, AGE_SIZE, "Less than a second");
    else if (s == 1)
        snprintf(ret, AGE_SIZE, "1 second");
    else if (s < 60)
        snprintf(ret, AGE_SIZE, "%lld seconds", (long long)s);
    else if (m == 1)
        snprintf(ret, AGE_SIZE, "About a minute");
    else if (m < 60)
        snprintf(ret, AGE_SIZE, "%lld minutes", (long long)m);
    else if (h == 1)
        snprintf(ret, AGE_SIZE, "About an hour");
    else if (h < 48)
        snprintf(ret, AGE_SIZE, "%lld hours", (long long)h);
    else if (h < 24 * 7 * 2)
        snprintf(ret, AGE_SIZE, "%lld days", (long long)h / 24);
    else if (h < 24 * 30 * 2)
        snprintf(ret, AGE_SIZE, "%lld weeks", (long long)h / 24 / 7);
    else if (h < 24 * 365 * 2)
        snprintf(ret, AGE_SIZE, "%lld months", (long long)h / 24 / 30);
    else
        snprintf(ret, AGE_SIZE, "%lld years", (long long)((double)ns / 3.6e12) / 24 / 365);
    return ret;
}

const char *ago_text(int64_t then_ns, int64_t now_ns, char ret[AGE_SIZE])
{
    age_text(now_ns - then_ns, ret);
    size_t n = strlen(ret);
    str_copy(ret + n, AGE_SIZE - n, " ago");
    return ret;
}

const char *ago_lower(int64_t then_ns, int64_t now_ns, char ret[AGE_SIZE])
{
    ago_text(then_ns, now_ns, ret);
    ret[0] = (char)tolower((unsigned char)ret[0]);
    return ret;
}

/* Digits after the point without trailing zeros: 1500000 of 10^9 is ".0015". */
static size_t put_fraction(char *p, size_t room, int64_t part, int digits)
{
    char text[24];
    if (!part)
        return 0;
    int n = snprintf(text, sizeof text, ".%0*lld", digits, (long long)part);
    while (n > 1 && text[n - 1] == '0')
        text[--n] = 0;
    return (size_t)snprintf(p, room, "%s", text);
}

const char *go_duration(int64_t ns, char ret[AGE_SIZE])
{
    size_t at = 0;
    if (ns < 0) {
        ret[at++] = '-';
        ns = -ns;
    }
    if (ns == 0)
        return memcpy(ret, "0s", 3);
    if (ns < NS_PER_SEC) {
        int64_t unit = ns < 1000 ? 1 : ns < NS_PER_MS ? 1000 : NS_PER_MS;
        int digits = unit == 1 ? 0 : unit == 1000 ? 3 : 6;
        at += (size_t)snprintf(ret + at, AGE_SIZE - at, "%lld", (long long)(ns / unit));
        at += put_fraction(ret + at, AGE_SIZE - at, ns % unit, digits);
        snprintf(ret + at, AGE_SIZE - at, "%s", unit == 1 ? "ns" : unit == 1000 ? "\u00b5s" : "ms");
        return ret;
    }
    int64_t s = ns / NS_PER_SEC;
    if (s >= 3600)
        at += (size_t)snprintf(ret + at, AGE_SIZE - at, "%lldh", (long long)s / 3600);
    if (s >= 60)
        at += (size_t)snprintf(ret + at, AGE_SIZE - at, "%lldm", (long long)s / 60 % 60);
    at += (size_t)snprintf(ret + at, AGE_SIZE - at, "%lld", (long long)s % 60);
    at += put_fraction(ret + at, AGE_SIZE - at, ns % NS_PER_SEC, 9);
    snprintf(ret + at, AGE_SIZE - at, "s");
    return ret;
}

const char *go_time(int64_t ns, const char *zone, char ret[AGE_SIZE])
{
    time_t t = (time_t)(ns / NS_PER_SEC);
    struct tm tm;
    gmtime_r(&t, &tm);
    size_t at = strftime(ret, AGE_SIZE, "%Y-%m-%d %H:%M:%S", &tm);
    at += put_fraction(ret + at, AGE_SIZE - at, ns % NS_PER_SEC, 9);
    snprintf(ret + at, AGE_SIZE - at, " +0000 %s", zone);
    return ret;
}

static const char *scaled(double n, double base, int digits, const char *const *units,
                          char ret[AGE_SIZE])
{
    size_t i = 0;
    while (n >= base && units[i + 1]) {
        n /= base;
        i++;
    }
    snprintf(ret, AGE_SIZE, "%.*g%s", digits, n, units[i]);
    return ret;
}

const char *size_decimal(double n, int digits, char ret[AGE_SIZE])
{
    static const char *const units[] = {"B", "kB", "MB", "GB", "TB", "PB", "EB", NULL};
    return scaled(n, 1000, digits, units, ret);
}

const char *size_binary(double n, char ret[AGE_SIZE])
{
    static const char *const units[] = {"B", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB", NULL};
    return scaled(n, 1024, 4, units, ret);
}
