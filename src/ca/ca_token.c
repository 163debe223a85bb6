/* ca/ca_token.c - making, reading and comparing join tokens. */
#include "ca/ca_token.h"

#include <errno.h>
#include <openssl/evp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/id.h"
#include "base/mem.h"
#include "base/secret.h"
#include "base/str.h"
#include "model/pb.h"

enum { DIGEST_DIGITS = 50, SECRET_DIGITS = 25, SECRET_BYTES = 16 };
static const char digits[] = "0123456789abcdefghijklmnopqrstuvwxyz";

/* A big-endian number in base 36, filled up with zeros in front. Destroys n. */
static void to_base36(uint8_t *n, size_t bytes, char *ret, size_t count)
{
    for (size_t i = count; i-- > 0;) {
        unsigned rest = 0;
        for (size_t j = 0; j < bytes; j++) {
            unsigned v = rest << 8 | n[j];
            n[j] = (uint8_t)(v / 36);
            rest = v % 36;
        }
        ret[i] = digits[rest];
    }
}

/* False: no digits, or more than the bytes hold. */
static bool from_base36(const char *s, size_t count, uint8_t *ret, size_t bytes)
{
    memset(ret, 0, bytes);
    for (size_t i = 0; i < count; i++) {
        const char *d = s[i] ? strchr(digits, s[i]) : NULL;
        if (!d)
            return false;
        unsigned carry = (unsigned)(d - digits);
        for (size_t j = bytes; j-- > 0;) {
            unsigned v = ret[j] * 36u + carry;
            ret[j] = (uint8_t)v;
            carry = v >> 8;
        }
        if (carry)
            return false;
    }
    return true;
}

void ca_digest(struct ca_bytes root_pem, uint8_t ret[CA_DIGEST])
{
    if (EVP_Digest(root_pem.p, root_pem.n, ret, NULL, EVP_sha256(), NULL) != 1)
        abort(); /* only without memory */
}

void ca_digest_text(struct ca_bytes root_pem, char ret[CA_DIGEST_TEXT_SIZE])
{
    uint8_t d[CA_DIGEST];
    ca_digest(root_pem, d);
    memcpy(ret, "sha256:", 7);
    hex_encode(d, sizeof d, ret + 7);
}

void ca_token_new(struct ca_bytes root_pem, char ret[CA_TOKEN_SIZE])
{
    uint8_t d[CA_DIGEST], secret[SECRET_BYTES];
    ca_digest(root_pem, d);
    random_bytes(secret, sizeof secret);
    char *p = ret;
    memcpy(p, "SWMTKN-1-", 9);
    to_base36(d, sizeof d, p + 9, DIGEST_DIGITS);
    p[9 + DIGEST_DIGITS] = '-';
    to_base36(secret, sizeof secret, p + 10 + DIGEST_DIGITS, SECRET_DIGITS);
    p[CA_TOKEN_LEN] = 0;
    secret_wipe(secret, sizeof secret);
}
_Static_assert(9 + DIGEST_DIGITS + 1 + SECRET_DIGITS == CA_TOKEN_LEN,
               "the header names the length");

int ca_token_parse(const char *text, struct ca_token *ret, struct err *e)
{
    struct ca_token t = {.fips = false};
    uint8_t secret[SECRET_BYTES +
                   1]; /* 25 digits may hold a little more than the 16 bytes that we make */
    const char *p = NULL;
    if (str_starts(text, "SWMTKN-1-")) {
        p = text + 9;
    } else if (str_starts(text, "SWMTKN-2-0-") || str_starts(text, "SWMTKN-2-1-")) {
        t.fips = text[9] == '1';
        p = text + 11;
    }
    if (!p || strlen(p) != DIGEST_DIGITS + 1 + SECRET_DIGITS || p[DIGEST_DIGITS] != '-' ||
        !from_base36(p, DIGEST_DIGITS, t.digest, sizeof t.digest) ||
        !from_base36(p + DIGEST_DIGITS + 1, SECRET_DIGITS, secret, sizeof secret))
        return err_set(e, -EINVAL, "invalid join token");
    secret_wipe(secret, sizeof secret);
    *ret = t;
    return 0;
}

static bool same(const char *a, const char *b)
{
    size_t n = strlen(a);
    return n > 0 && n == strlen(b) && secret_equal(a, b, n);
}

int ca_token_role(const Pb__Cluster *c, const char *text, struct err *e)
{
    const Pb__JoinTokens *t = c->root_ca ? c->root_ca->join_tokens : NULL;
    if (t && same(str_or(t->manager, ""), text))
        return CA_TOKEN_MANAGER;
    if (t && same(str_or(t->worker, ""), text))
        return CA_TOKEN_WORKER;
    return err_set(e, -EACCES, "A valid join token is necessary to join this cluster");
}

void ca_rotate_tokens(Pb__Cluster *copy, bool worker, bool manager)
{
    char token[CA_TOKEN_SIZE];
    Pb__RootCA *root = copy->root_ca;
    if (!root->join_tokens)
        root->join_tokens = PB_NEW(JoinTokens, join_tokens);
    struct ca_bytes pem = {root->ca_cert.data, root->ca_cert.len};
    if (worker) {
        ca_token_new(pem, token);
        pb_str(&root->join_tokens->worker, token);
    }
    if (manager) {
        ca_token_new(pem, token);
        pb_str(&root->join_tokens->manager, token);
    }
    secret_wipe(token, sizeof token);
}
