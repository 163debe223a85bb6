/* cli/age.h - times, spans and sizes in words, as the stock CLI puts them. Pure. */
#ifndef CLI_AGE_H
#define CLI_AGE_H
#include <stdint.h>

enum { AGE_SIZE = 64 };
const char *age_text(int64_t span_ns, char ret[AGE_SIZE]);                  /* "About a minute" */
const char *ago_text(int64_t then_ns, int64_t now_ns, char ret[AGE_SIZE]);  /* "3 seconds ago" */
const char *ago_lower(int64_t then_ns, int64_t now_ns, char ret[AGE_SIZE]); /* first letter small */
const char *go_duration(int64_t ns, char ret[AGE_SIZE]); /* "1m30s", "2160h0m0s" */
const char *go_time(int64_t wall_ns, const char *zone,
                    char ret[AGE_SIZE]); /* "2026-11-22 01:24:02.2 +0000 UTC" */
const char *size_decimal(double n, int digits, char ret[AGE_SIZE]); /* "1.98MB": powers of 1000 */
const char *size_binary(double n, char ret[AGE_SIZE]);              /* "64MiB": powers of 1024 */
#endif
