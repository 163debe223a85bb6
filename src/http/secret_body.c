/* http/secret_body.c - see the header. The scanner says where in the JSON a byte stands; this file
 * says where the byte goes.
 *
 * What is held of the payload outside secret memory at any time: up to five bytes of an escape (in
 * `esc`), wiped with the reader. */
#include "http/secret_body.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "base/buf.h"
#include "base/mem.h"
#include "http/json.h"
#include "http/json_scan.h"

enum where {
    IN_REST,       /* bytes go to the rest */
    IN_KEY,        /* a name on the first level: to the rest, and watched */
    BEFORE_SECRET, /* after the name "Data": its value has not begun */
    IN_SECRET,     /* inside the string */
    IN_WRONG,      /* a value of "Data" that is no string: dropped */
};
struct secret_body {
    struct json_scan scan;
    const char *go_struct, *go_type;
    uint64_t expected;
    struct buf rest;
    struct secret_buf *payload;
    struct secret_base64 b64;
    enum where where;
    char key[5]; /* the name so far, escapes undone; "Data" has four letters */
    size_t keylen;
    char esc[5]; /* of \uXXXX, without the backslash */
    size_t esclen;
    bool escaping, ended, no_memory, overflow, bad_base64;
    size_t bad_at;
    char wrong[16]; /* what kind of value "Data" had */
};

struct secret_body *secret_body_new(const char *go_struct, const char *go_type, uint64_t expected)
{
    struct secret_body *b = NEW(struct secret_body);
    json_scan_init(&b->scan);
    b->go_struct = go_struct;
    b->go_type = go_type;
    b->expected = expected;
    b->rest = BUF_INIT(SECRET_BODY_REST_MAX);
    return b;
}

void secret_body_free(struct secret_body *b)
{
    if (!b)
        return;
    secret_buf_free(b->payload);
    buf_free(&b->rest);
    secret_wipe(b, sizeof(*b));
    free(b);
}

/* ---- the name ---- */

static void key_char(struct secret_body *b, unsigned c)
{
    if (b->keylen < sizeof(b->key))
        b->key[b->keylen] = c < 0x80 ? (char)c : '?';
    b->keylen++;
}

static bool key_is_data(const struct secret_body *b)
{
    return b->keylen == 4 && (b->key[0] | 0x20) == 'd' && (b->key[1] | 0x20) == 'a' &&
           (b->key[2] | 0x20) == 't' && (b->key[3] | 0x20) == 'a';
}

/* ---- the payload ---- */

static void begin_payload(struct secret_body *b)
{
    size_t capacity = SECRET_MAX;
    if (b->expected > 0 && b->expected / 4 * 3 + 3 < SECRET_MAX)
        capacity = (size_t)(b->expected / 4 * 3 + 3);
    secret_buf_free(b->payload);
    b->payload = secret_buf_new(capacity);
    memset(&b->b64, 0, sizeof(b->b64));
    b->bad_base64 = b->overflow = false;
    b->wrong[0] = '\0';
    b->no_memory = b->payload == NULL;
}

/* What was decoded is of no use; a buffer of exactly the forbidden size makes whoever checks sizes
 * refuse it, in its own order of checks. */
static void too_large(struct secret_body *b)
{
    b->overflow = true;
    secret_buf_free(b->payload);
    b->payload = secret_buf_new(SECRET_MAX);
    if (b->payload && secret_buf_room(b->payload, SECRET_MAX))
        secret_buf_grown(b->payload, SECRET_MAX);
    else
        b->no_memory = true;
}

static void payload_bytes(struct secret_body *b, const char *p, size_t n)
{
    if (b->no_memory || b->bad_base64 || b->overflow || n == 0)
        return;
    int r = secret_base64_step(&b->b64, p, n, b->payload);
    if (r == -ENOSPC) {
        too_large(b);
    } else if (r != 0) {
        b->bad_base64 = true;
        b->bad_at = b->b64.at;
    }
}

static void payload_char(struct secret_body *b, unsigned c)
{
    char byte = c < 0x80 ? (char)c : '\x01'; /* nothing above is base64 */
    payload_bytes(b, &byte, 1);
    secret_wipe(&byte, 1);
}

static void end_payload(struct secret_body *b)
{
    if (b->no_memory || b->bad_base64 || b->overflow || secret_base64_end(&b->b64) == 0)
        return;
    b->bad_base64 = true;
    b->bad_at = b->b64.at - b->b64.have; /* the decoder points at the group that is not whole */
}

/* ---- escapes, in a name or in the payload ---- */

static void emit(struct secret_body *b, unsigned c)
{
    if (b->where == IN_KEY)
        key_char(b, c);
    else
        payload_char(b, c);
}

/* One byte of a string whose value matters; the scanner has accepted it. */
static void string_byte(struct secret_body *b, char c)
{
    static const char names[] = "bfnrt", values[] = "\b\f\n\r\t";
    if (!b->escaping) {
        if (c == '\\') {
            b->escaping = true;
            b->esclen = 0;
        } else {
            emit(b, (unsigned char)c);
        }
        return;
    }
    b->esc[b->esclen++] = c;
    if (b->esc[0] != 'u') {
        const char *at = strchr(names, c);
        emit(b, (unsigned char)(at && c ? values[at - names] : c));
        b->escaping = false;
    } else if (b->esclen == 5) {
        unsigned v = 0;
        for (size_t i = 1; i < 5; i++) {
            char d = b->esc[i];
            v = v << 4 | (unsigned)(d <= '9' ? d - '0' : (d | 0x20) - 'a' + 10);
        }
        emit(b, v);
        b->escaping = false;
    }
    if (!b->escaping)
        secret_wipe(b->esc, sizeof(b->esc));
}

/* ---- where the bytes go ---- */

static void wrong_value(struct secret_body *b, char c)
{
    const char *kind = c == '{'               ? "object"
                       : c == '['             ? "array"
                       : c == 't' || c == 'f' ? "bool"
                       : c == 'n'             ? ""
                                              : "number";
    b->where = IN_WRONG;
    buf_str(&b->rest, "null");
    if (*kind)
        snprintf(b->wrong, sizeof(b->wrong), "%s", kind);
}

static bool top_member(const struct secret_body *b)
{
    return b->scan.depth == 1 && b->scan.kind[0] == '{';
}

static void after_secret_name(struct secret_body *b, enum json_scan_event ev, char c)
{
    if (ev == SCAN_BEGIN_STRING) {
        b->where = IN_SECRET;
        b->escaping = false;
        begin_payload(b);
        buf_str(&b->rest, "null");
    } else if (ev == SCAN_BEGIN_OTHER || ev == SCAN_OPEN) {
        wrong_value(b, c);
    } else {
        buf_char(&b->rest, c);
    }
}

static void route(struct secret_body *b, enum json_scan_event ev, char c)
{
    switch (b->where) {
    case IN_REST:
        buf_char(&b->rest, c);
        if (ev == SCAN_BEGIN_KEY && top_member(b)) {
            b->where = IN_KEY;
            b->keylen = 0;
            b->escaping = false;
        }
        break;
    case IN_KEY:
        buf_char(&b->rest, c);
        if (ev == SCAN_END_STRING)
            b->where = key_is_data(b) ? BEFORE_SECRET : IN_REST;
        else
            string_byte(b, c);
        break;
    case BEFORE_SECRET:
        after_secret_name(b, ev, c);
        break;
    case IN_SECRET:
        if (ev == SCAN_END_STRING) {
            end_payload(b);
            b->where = IN_REST;
        } else {
            string_byte(b, c);
        }
        break;
    case IN_WRONG: /* over with the comma or brace of the top object */
        if ((ev == SCAN_COMMA && b->scan.depth == 1) || (ev == SCAN_CLOSE && b->scan.depth == 0)) {
            b->where = IN_REST;
            buf_char(&b->rest, c);
        }
        break;
    }
}

/* A run of payload bytes without quote, backslash or control byte: the scanner would say INSIDE to
 * each. */
static size_t plain_run(const char *p, size_t n)
{
    size_t i = 0;
    while (i < n && (unsigned char)p[i] > 0x20 && p[i] != '"' && p[i] != '\\')
        i++;
    return i;
}

int secret_body_step(struct secret_body *b, const char *p, size_t n)
{
    for (size_t i = 0; i < n && !b->ended; i++) {
        if (b->where == IN_SECRET && !b->escaping) {
            size_t run = plain_run(p + i, n - i);
            payload_bytes(b, p + i, run);
            i += run;
            if (i == n)
                break;
        }
        enum json_scan_event ev = json_scan_byte(&b->scan, (unsigned char)p[i]);
        if (ev == SCAN_ERROR || ev == SCAN_END) {
            b->ended = true;
            break;
        }
        route(b, ev, p[i]);
        b->ended = b->scan.whole;
    }
    return b->ended;
}

/* ---- the end ---- */

static int type_error(const struct secret_body *b, struct err *e)
{
    return err_set(e, -EINVAL,
                   "json: cannot unmarshal %s into Go struct field %s.Data of type []uint8",
                   b->wrong, b->go_struct);
}

int secret_body_end(struct secret_body *b, json_t **ret_rest, struct err *e)
{
    int r = json_scan_end(&b->scan);
    if (r > 0)
        return SECRET_BODY_EMPTY;
    if (r < 0)
        return err_set(e, r, "%s", err_text(&b->scan.e));
    if (b->rest.failed)
        return err_set(e, -EINVAL, "request body too large");
    if (b->no_memory)
        return err_set(e, -ENOMEM, "out of locked memory for secrets");
    json_t *rest = NULL;
    r = json_body_parse(b->rest.p, b->rest.len, &rest, e);
    if (r != 0)
        return r < 0 ? r : err_set(e, -EINVAL, "unexpected EOF");
    struct json_in in = {.failed = false};
    (void)json_at_root(&in, rest, b->go_type);
    if (in.failed)
        r = err_set(e, -EINVAL, "%s", err_text(&in.e));
    else if (b->bad_base64)
        r = err_set(e, -EINVAL, "illegal base64 data at input byte %zu", b->bad_at);
    else if (b->wrong[0])
        r = type_error(b, e);
    if (r < 0)
        json_decref(rest);
    else
        *ret_rest = rest;
    return r;
}

struct secret_buf *secret_body_take(struct secret_body *b)
{
    return TAKE(b->payload);
}
