/* http/json_scan.h - a byte-at-a-time JSON checker whose complaints are those of the engine's
 * decoder.
 *
 * It keeps no text, only where it is; so it also guides the streaming reader of secret bodies.
 * Depth is bounded by JSON_SCAN_DEPTH. */
#ifndef HTTP_JSON_SCAN_H
#define HTTP_JSON_SCAN_H
#include <stdbool.h>
#include <stdint.h>
#include "base/err.h"

enum { JSON_SCAN_DEPTH = 256 };
enum json_scan_event {
    SCAN_ERROR = -1,   /* words in scan->e */
    SCAN_INSIDE = 0,   /* in the middle of a literal, or white space */
    SCAN_SPACE,        /* white space between tokens */
    SCAN_BEGIN_STRING, /* the opening quote of a value */
    SCAN_BEGIN_KEY,    /* the opening quote of a member's name */
    SCAN_END_STRING,   /* the closing quote, of either */
    SCAN_BEGIN_OTHER,  /* first byte of a number, true, false, null */
    SCAN_OPEN,         /* { or [ */
    SCAN_CLOSE,        /* } or ]; also ends a number in front of it */
    SCAN_COLON,
    SCAN_COMMA, /* also ends a number in front of it */
    SCAN_END,   /* the byte after a number on top level: the value was over before it */
};
struct json_scan {
    uint8_t state, back, hex, number;
    const char *literal; /* what is left of true, false, null */
    const char *literal_name;
    unsigned depth;
    uint8_t kind[JSON_SCAN_DEPTH]; /* '{' or '[' */
    bool whole;                    /* the top-level value is complete */
    struct err e;
};
void json_scan_init(struct json_scan *s);
enum json_scan_event json_scan_byte(struct json_scan *s, unsigned char c);
/* At the end of the input: 0 when a value is complete; -EINVAL ("unexpected EOF"); 1 when there was
 * nothing but white space. */
int json_scan_end(struct json_scan *s);
#endif
