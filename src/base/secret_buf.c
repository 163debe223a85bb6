/* base/secret_buf.c - the opaque buffer, and base64 decoded straight into it. */
#include "base/secret.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include "base/log.h"
#include "base/mem.h"

struct secret_buf {
    size_t len, capacity;
    uint8_t *p; /* in the arena; the two numbers are not */
};

struct secret_buf *secret_buf_new(size_t capacity)
{
    uint8_t *p = secret_alloc(capacity);
    if (!p)
        return NULL;
    struct secret_buf *s = NEW(struct secret_buf);
    s->capacity = capacity;
    s->p = p;
    return s;
}

uint8_t *secret_buf_room(struct secret_buf *s, size_t n)
{
    return n <= s->capacity - s->len ? s->p + s->len : NULL;
}

void secret_buf_grown(struct secret_buf *s, size_t n)
{
    if (n > s->capacity - s->len)
        log_abort("a secret of %zu bytes grew past its %zu", s->len + n, s->capacity);
    s->len += n;
}

int secret_buf_append(struct secret_buf *s, const void *p, size_t n)
{
    uint8_t *room = secret_buf_room(s, n);
    if (!room)
        return -ENOSPC;
    if (n)
        memcpy(room, p, n);
    s->len += n;
    return 0;
}

struct secret_buf *secret_buf_dup(const struct secret_buf *s)
{
    struct secret_buf *copy = secret_buf_new(s->len);
    if (copy) {
        if (s->len)
            memcpy(copy->p, s->p, s->len);
        copy->len = s->len;
    }
    return copy;
}

size_t secret_buf_len(const struct secret_buf *s)
{
    return s->len;
}

const uint8_t *secret_buf_bytes(const struct secret_buf *s)
{
    return s->p;
}

bool secret_buf_equal(const struct secret_buf *a, const struct secret_buf *b)
{
    return a->len == b->len && secret_equal(a->p, b->p, a->len);
}

void secret_buf_free(struct secret_buf *s)
{
    if (!s)
        return;
    secret_free(s->p);
    free(s);
}

void auto_secret_buf_(struct secret_buf **p)
{
    secret_buf_free(*p);
}

/* All ones when lo <= c <= hi, else 0; c < 256. */
static uint32_t in_range(uint32_t c, uint32_t lo, uint32_t hi)
{
    return 0 - (((lo - 1 - c) & (c - (hi + 1))) >> 31);
}

/* The six bits of a base64 digit, or 64 for anything else: no table and no branch, because an index
 * or a jump that depends on the payload can be seen in the cache. */
static uint32_t digit_value(uint32_t c)
{
    uint32_t upper = in_range(c, 'A', 'Z'), lower = in_range(c, 'a', 'z');
    uint32_t digit = in_range(c, '0', '9'), plus = in_range(c, '+', '+'),
             slash = in_range(c, '/', '/');
    uint32_t none = ~(upper | lower | digit | plus | slash);
    return (upper & (c - 'A')) | (lower & (c - 'a' + 26)) | (digit & (c - '0' + 52)) | (plus & 62) |
           (slash & 63) | (none & 64);
}

static int put_group(struct secret_base64 *st, struct secret_buf *s)
{
    size_t n = st->have - 1; /* 2, 3 or 4 digits make 1, 2 or 3 bytes */
    uint32_t bits = st->bits << 6 * (4 - st->have);
    if (n > s->capacity - s->len)
        return -ENOSPC;
    for (size_t i = 0; i < n; i++)
        s->p[s->len + i] = (uint8_t)(bits >> (16 - 8 * i));
    s->len += n;
    st->bits = 0;
    return 0;
}

static int take_padding(struct secret_base64 *st, struct secret_buf *s)
{
    if (st->have < 2 || st->have + st->padding >= 4)
        return -EINVAL;
    st->padding++;
    return st->have + st->padding == 4 ? put_group(st, s) : 0;
}

static int take_digit(struct secret_base64 *st, uint32_t value, struct secret_buf *s)
{
    if (value == 64 || st->padding)
        return -EINVAL;
    st->bits = st->bits << 6 | value;
    if (++st->have < 4)
        return 0;
    int r = put_group(st, s);
    st->have = 0;
    return r;
}

/* Sixteen digits at a time. Comparisons of vectors give masks, not jumps. */
enum { BLOCK = 16 };
typedef uint8_t block __attribute__((vector_size(BLOCK)));

static block in_range_16(block c, uint8_t lo, uint8_t hi)
{
    return (block)((c >= lo) & (c <= hi));
}

/* Four whole groups. false: there is something else than digits among them, and nothing was taken.
 */
static bool take_block(const char *p, uint8_t value[BLOCK], struct secret_buf *s)
{
    block c, v;
    memcpy(&c, p, BLOCK);
    block upper = in_range_16(c, 'A', 'Z'), lower = in_range_16(c, 'a', 'z');
    block digit = in_range_16(c, '0', '9'), plus = in_range_16(c, '+', '+'),
          slash = in_range_16(c, '/', '/');
    v = (upper & (c - 'A')) | (lower & (c - ('a' - 26))) | (digit & (c + (52 - '0'))) |
        (plus & 62) | (slash & 63);
    block none = ~(upper | lower | digit | plus | slash);
    uint64_t bad[2];
    memcpy(bad, &none, BLOCK);
    if (bad[0] | bad[1])
        return false;
    memcpy(value, &v, BLOCK);
    uint8_t *out = s->p + s->len;
    for (size_t i = 0; i < BLOCK; i += 4, out += 3) {
        out[0] = (uint8_t)(value[i] << 2 | value[i + 1] >> 4);
        out[1] = (uint8_t)(value[i + 1] << 4 | value[i + 2] >> 2);
        out[2] = (uint8_t)(value[i + 2] << 6 | value[i + 3]);
    }
    s->len += BLOCK / 4 * 3;
    return true;
}

/* As many blocks as there are from here on; how many bytes they were. */
static size_t take_blocks(const struct secret_base64 *st, const char *p, size_t n,
                          struct secret_buf *s)
{
    uint8_t value[BLOCK];
    size_t at = 0;
    if (st->have != 0 || st->padding || n < BLOCK)
        return 0;
    while (n - at >= BLOCK && s->capacity - s->len >= BLOCK / 4 * 3 && take_block(p + at, value, s))
        at += BLOCK;
    secret_wipe(value, sizeof(value));
    return at;
}

int secret_base64_step(struct secret_base64 *st, const char *p, size_t n, struct secret_buf *s)
{
    size_t retry = 0; /* where a block may begin again after one that was none */
    for (size_t i = 0; i < n; i++) {
        if (st->have == 0 && i >= retry) {
            size_t taken = take_blocks(st, p + i, n - i, s);
            st->at += taken;
            i += taken;
            retry = i + BLOCK;
            if (i == n)
                break;
        }
        unsigned char c = (unsigned char)p[i];
        int r = 0;
        if (c == '=')
            r = take_padding(st, s);
        else if (c != '\n' && c != '\r')
            r = take_digit(st, digit_value(c), s);
        if (r < 0)
            return r;
        st->at++;
    }
    return 0;
}

int secret_base64_end(const struct secret_base64 *st)
{
    return st->have == 0 || st->have + st->padding == 4 ? 0 : -EINVAL;
}
