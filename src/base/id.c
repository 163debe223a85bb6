/* base/id.c - random bytes and the two forms of identity made of them. */
#include "base/id.h"

#include <errno.h>
#include <string.h>
#include <sys/random.h>
#include "base/log.h"

enum { ID_BYTES = 17, ID_DIGITS = 27 }; /* 2^135 <= n < 2^136 always has 27 digits of base 36 */

void random_bytes(void *p, size_t n)
{
    uint8_t *at = p;
    while (n) {
        ssize_t got = getrandom(at, n, 0);
        if (got < 0 && errno == EINTR)
            continue;
        if (got <= 0)
            log_abort("the kernel gives no random bytes: %s", strerrordesc_np(errno));
        at += got;
        n -= (size_t)got;
    }
}

uint64_t random_u64(void)
{
    uint64_t v;
    random_bytes(&v, sizeof(v));
    return v;
}

void id_from_bytes(const uint8_t bytes[17], char ret[ID_SIZE])
{
    static const char digits[] = "0123456789abcdefghijklmnopqrstuvwxyz";
    uint8_t n[ID_BYTES];
    char text[ID_DIGITS];
    memcpy(n, bytes, sizeof(n));
    n[0] |= 0x80;
    for (int d = ID_DIGITS - 1; d >= 0; d--) {
        unsigned rest = 0;
        for (int i = 0; i < ID_BYTES; i++) {
            unsigned v = rest << 8 | n[i];
            n[i] = (uint8_t)(v / 36);
            rest = v % 36;
        }
        text[d] = digits[rest];
    }
    memcpy(ret, text + 1, ID_LEN);
    ret[ID_LEN] = 0;
}

void id_new(char ret[ID_SIZE])
{
    uint8_t bytes[ID_BYTES];
    random_bytes(bytes, sizeof(bytes));
    id_from_bytes(bytes, ret);
}

void hex_encode(const uint8_t *p, size_t n, char *ret)
{
    static const char digits[] = "0123456789abcdef";
    for (size_t i = 0; i < n; i++) {
        ret[2 * i] = digits[p[i] >> 4];
        ret[2 * i + 1] = digits[p[i] & 15];
    }
    ret[2 * n] = 0;
}

void id_hex_new(char ret[ID_HEX_SIZE])
{
    uint8_t bytes[ID_HEX_LEN / 2];
    random_bytes(bytes, sizeof(bytes));
    hex_encode(bytes, sizeof(bytes), ret);
}

bool id_valid(const char *s)
{
    size_t n = 0;
    for (; s && n <= ID_LEN && ((s[n] >= '0' && s[n] <= '9') || (s[n] >= 'a' && s[n] <= 'z')); n++)
        ;
    return s && n == ID_LEN && !s[n];
}
