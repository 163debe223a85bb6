/* http/json_scan.c - the states of JSON, one byte at a time. Pure. */
#include "http/json_scan.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

enum state {
    ST_VALUE,       /* a value must come */
    ST_FIRST_VALUE, /* after '[': a value or ']' */
    ST_FIRST_KEY,   /* after '{': a name or '}' */
    ST_KEY,         /* after ',': a name */
    ST_AFTER_KEY,
    ST_AFTER_MEMBER,
    ST_AFTER_ELEMENT,
    ST_STRING,
    ST_ESCAPE,
    ST_HEX,
    ST_LITERAL,
    ST_NUMBER,
    ST_DONE,
    ST_FAILED,
};
enum number { NUM_MINUS, NUM_ZERO, NUM_INT, NUM_DOT, NUM_FRACTION, NUM_E, NUM_ESIGN, NUM_EXPONENT };

void json_scan_init(struct json_scan *s)
{
    memset(s, 0, sizeof(*s));
}

/* A byte as the decoder quotes it: 'x', '\'', '"', '\n', '\x00', and above 127 as the Latin-1
 * letter it would be. */
static const char *quoted(unsigned char c, char ret[16])
{
    static const char named[] = "\a\b\f\n\r\t\v", letters[] = "abfnrtv";
    const char *at = c ? strchr(named, c) : NULL;
    if (c == '\'')
        snprintf(ret, 16, "'\\''");
    else if (c == '\\')
        snprintf(ret, 16, "'\\\\'");
    else if (at)
        snprintf(ret, 16, "'\\%c'", letters[at - named]);
    else if (c < 0x20 || c == 0x7f)
        snprintf(ret, 16, "'\\x%02x'", c);
    else if (c < 0x80)
        snprintf(ret, 16, "'%c'", c);
    else if (c < 0xa1 || c == 0xad)
        snprintf(ret, 16, "'\\u%04x'", c);
    else
        snprintf(ret, 16, "'%c%c'", 0xc0 | c >> 6, 0x80 | (c & 0x3f));
    return ret;
}

static enum json_scan_event fail(struct json_scan *s, unsigned char c, const char *where)
{
    char q[16];
    s->state = ST_FAILED;
    err_set(&s->e, -EINVAL, "invalid character %s %s", quoted(c, q), where);
    return SCAN_ERROR;
}

static bool is_space(unsigned char c)
{
    return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

static bool is_digit(unsigned char c)
{
    return c >= '0' && c <= '9';
}

static void after_value(struct json_scan *s)
{
    if (s->depth == 0) {
        s->state = ST_DONE;
        s->whole = true;
    } else {
        s->state = s->kind[s->depth - 1] == '{' ? ST_AFTER_MEMBER : ST_AFTER_ELEMENT;
    }
}

static enum json_scan_event open_at(struct json_scan *s, unsigned char c)
{
    if (s->depth == JSON_SCAN_DEPTH) {
        s->state = ST_FAILED;
        err_set(&s->e, -EINVAL, "exceeded max depth");
        return SCAN_ERROR;
    }
    s->kind[s->depth++] = c;
    s->state = c == '{' ? ST_FIRST_KEY : ST_FIRST_VALUE;
    return SCAN_OPEN;
}

static enum json_scan_event close_at(struct json_scan *s)
{
    s->depth--;
    after_value(s);
    return SCAN_CLOSE;
}

static enum json_scan_event begin_value(struct json_scan *s, unsigned char c)
{
    static const char *const words[] = {"true", "false", "null"};
    if (c == '{' || c == '[')
        return open_at(s, c);
    if (c == '"') {
        s->state = ST_STRING;
        s->back = ST_VALUE;
        return SCAN_BEGIN_STRING;
    }
    if (c == '-' || is_digit(c)) {
        s->state = ST_NUMBER;
        s->number = c == '-' ? NUM_MINUS : c == '0' ? NUM_ZERO : NUM_INT;
        return SCAN_BEGIN_OTHER;
    }
    for (size_t i = 0; i < 3; i++) {
        if (c == (unsigned char)words[i][0]) {
            s->state = ST_LITERAL;
            s->literal_name = words[i];
            s->literal = words[i] + 1;
            return SCAN_BEGIN_OTHER;
        }
    }
    return fail(s, c, "looking for beginning of value");
}

static enum json_scan_event in_string(struct json_scan *s, unsigned char c)
{
    if (c == '\\') {
        s->state = ST_ESCAPE;
        return SCAN_INSIDE;
    }
    if (c < 0x20)
        return fail(s, c, "in string literal");
    if (c != '"')
        return SCAN_INSIDE;
    if (s->back == ST_KEY)
        s->state = ST_AFTER_KEY;
    else
        after_value(s);
    return SCAN_END_STRING;
}

static enum json_scan_event in_escape(struct json_scan *s, unsigned char c)
{
    if (s->state == ST_ESCAPE) {
        if (c == 'u') {
            s->state = ST_HEX;
            s->hex = 0;
            return SCAN_INSIDE;
        }
        if (c == '\0' || !strchr("bfnrt\\/\"", c))
            return fail(s, c, "in string escape code");
        s->state = ST_STRING;
        return SCAN_INSIDE;
    }
    if (!is_digit(c) && !((c | 0x20) >= 'a' && (c | 0x20) <= 'f'))
        return fail(s, c, "in \\u hexadecimal character escape");
    if (++s->hex == 4)
        s->state = ST_STRING;
    return SCAN_INSIDE;
}

static enum json_scan_event in_literal(struct json_scan *s, unsigned char c)
{
    char where[64];
    if (c != (unsigned char)*s->literal) {
        snprintf(where, sizeof(where), "in literal %s (expecting '%c')", s->literal_name,
                 *s->literal);
        return fail(s, c, where);
    }
    if (*++s->literal == '\0')
        after_value(s);
    return SCAN_INSIDE;
}

/* 1: c belongs to the number; 0: the number was over before c; -1: failed. */
static int in_number(struct json_scan *s, unsigned char c)
{
    switch ((enum number)s->number) {
    case NUM_MINUS:
        if (!is_digit(c))
            return fail(s, c, "in numeric literal");
        s->number = c == '0' ? NUM_ZERO : NUM_INT;
        return 1;
    case NUM_INT:
        if (is_digit(c))
            return 1;
        /* fall through */
    case NUM_ZERO:
        if (c == '.')
            s->number = NUM_DOT;
        else if (c == 'e' || c == 'E')
            s->number = NUM_E;
        else
            return 0;
        return 1;
    case NUM_DOT:
        if (!is_digit(c))
            return fail(s, c, "after decimal point in numeric literal");
        s->number = NUM_FRACTION;
        return 1;
    case NUM_FRACTION:
        if (c == 'e' || c == 'E')
            s->number = NUM_E;
        else if (!is_digit(c))
            return 0;
        return 1;
    case NUM_E:
        if (c == '+' || c == '-') {
            s->number = NUM_ESIGN;
            return 1;
        }
        /* fall through */
    case NUM_ESIGN:
        if (!is_digit(c))
            return fail(s, c, "in exponent of numeric literal");
        s->number = NUM_EXPONENT;
        return 1;
    case NUM_EXPONENT:
        return is_digit(c);
    }
    return -1;
}

static enum json_scan_event between(struct json_scan *s, unsigned char c)
{
    switch ((enum state)s->state) {
    case ST_FIRST_VALUE:
        return c == ']' ? close_at(s) : begin_value(s, c);
    case ST_FIRST_KEY:
        if (c == '}')
            return close_at(s);
        /* fall through */
    case ST_KEY:
        if (c != '"')
            return fail(s, c, "looking for beginning of object key string");
        s->state = ST_STRING;
        s->back = ST_KEY;
        return SCAN_BEGIN_KEY;
    case ST_AFTER_KEY:
        if (c != ':')
            return fail(s, c, "after object key");
        s->state = ST_VALUE;
        return SCAN_COLON;
    case ST_AFTER_MEMBER:
        if (c == '}')
            return close_at(s);
        if (c != ',')
            return fail(s, c, "after object key:value pair");
        s->state = ST_KEY;
        return SCAN_COMMA;
    case ST_AFTER_ELEMENT:
        if (c == ']')
            return close_at(s);
        if (c != ',')
            return fail(s, c, "after array element");
        s->state = ST_VALUE;
        return SCAN_COMMA;
    default:
        return begin_value(s, c);
    }
}

enum json_scan_event json_scan_byte(struct json_scan *s, unsigned char c)
{
    switch ((enum state)s->state) {
    case ST_FAILED:
        return SCAN_ERROR;
    case ST_DONE:
        return SCAN_END;
    case ST_STRING:
        return in_string(s, c);
    case ST_ESCAPE:
    case ST_HEX:
        return in_escape(s, c);
    case ST_LITERAL:
        return in_literal(s, c);
    case ST_NUMBER: {
        int r = in_number(s, c);
        if (r < 0)
            return SCAN_ERROR;
        if (r > 0)
            return SCAN_INSIDE;
        after_value(s);
        if (s->state == ST_DONE)
            return SCAN_END;
        break;
    }
    default:
        break;
    }
    return is_space(c) ? SCAN_SPACE : between(s, c);
}

int json_scan_end(struct json_scan *s)
{
    if (s->state == ST_FAILED)
        return -EINVAL;
    if (s->state == ST_NUMBER && s->depth == 0) {
        if (s->number == NUM_ZERO || s->number == NUM_INT || s->number == NUM_FRACTION ||
            s->number == NUM_EXPONENT) {
            s->state = ST_DONE;
            s->whole = true;
        }
    }
    if (s->whole)
        return 0;
    if (s->state == ST_VALUE && s->depth == 0)
        return 1;
    return err_set(&s->e, -EINVAL, "unexpected EOF");
}
