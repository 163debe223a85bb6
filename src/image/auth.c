/* image/auth.c - X-Registry-Auth becomes a containers-auth.json in memory. */
#include "image/auth.h"

#include <errno.h>
#include <jansson.h>
#include <malloc.h>
#include <openssl/evp.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>
#include "base/mem.h"
#include "base/secret.h"
#include "base/str.h"

enum { FIELD_MAX = 32768, FILE_MAX = 3 * FIELD_MAX };

/* jansson copies what it parses: its memory is wiped as it is given back. One thread, so swapping
 * the functions is safe. */
static void wiping_free(void *p)
{
    if (p)
        secret_wipe(p, malloc_usable_size(p));
    free(p);
}

/* base64url, with or without padding, into out (terminated). Length or -1. */
static long decode(const char *in, unsigned char *out)
{
    size_t n = strlen(in);
    while (n > 0 && in[n - 1] == '=')
        n--;
    if (n == 0 || n % 4 == 1)
        return -1;
    size_t padded = (n + 3) / 4 * 4;
    char *copy = mem_new(padded + 1);
    for (size_t i = 0; i < padded; i++)
        copy[i] = i >= n ? '=' : in[i] == '-' ? '+' : in[i] == '_' ? '/' : in[i];
    long len = EVP_DecodeBlock(out, (const unsigned char *)copy, (int)padded);
    secret_wipe(copy, padded);
    free(copy);
    if (len < 0)
        return -1;
    len -= (long)(padded - n);
    out[len] = '\0';
    return len;
}

static const char *field(json_t *o, const char *name)
{
    const char *s = json_string_value(json_object_get(o, name));
    return s && strlen(s) < FIELD_MAX ? s : "";
}

static bool plain_token(const char *s)
{
    for (; *s; s++)
        if (*s <= ' ' || *s > '~' || *s == '"' || *s == '\\')
            return false;
    return true;
}

/* {"auths":{"host:5000":{"auth":"<base64 of user:password>","identitytoken":"…"}}} */
static size_t compose(json_t *o, const char *registry, char *ret)
{
    const char *user = field(o, "username"), *password = field(o, "password");
    const char *token = field(o, "identitytoken");
    if ((!*user && !*token) || !plain_token(token))
        return 0;
    char *pair = mem_new(2 * FIELD_MAX + 2), *coded = mem_new(FILE_MAX);
    size_t n =
        (size_t)snprintf(pair, 2 * FIELD_MAX + 2, "%s:%s", *user ? user : "<token>", password);
    EVP_EncodeBlock((unsigned char *)coded, (const unsigned char *)pair, (int)n);
    int len = snprintf(ret, 2 * FILE_MAX, "{\"auths\":{\"%s\":{\"auth\":\"%s\"%s%s%s}}}", registry,
                       coded, *token ? ",\"identitytoken\":\"" : "", token, *token ? "\"" : "");
    secret_wipe(pair, 2 * FIELD_MAX + 2);
    secret_wipe(coded, FILE_MAX);
    free(pair);
    free(coded);
    return len > 0 && len < 2 * FILE_MAX ? (size_t)len : 0;
}

static size_t convert(const char *header, const char *registry, char *ret)
{
    size_t n = 0;
    unsigned char *text = mem_new(AUTH_HEADER_MAX + 4);
    long len = strlen(header) < AUTH_HEADER_MAX ? decode(header, text) : -1;
    if (len > 0) {
        json_malloc_t m;
        json_free_t f;
        json_get_alloc_funcs(&m, &f);
        json_set_alloc_funcs(m, wiping_free);
        json_t *o = json_loadb((const char *)text, (size_t)len, 0, NULL);
        n = compose(o, registry, ret);
        json_decref(o);
        json_set_alloc_funcs(m, f);
    }
    secret_wipe(text, AUTH_HEADER_MAX + 4);
    free(text);
    return n;
}

int auth_memfd(const char *header_b64, const char *registry, struct err *e)
{
    static const char none[] = "{\"auths\":{}}";
    AUTO_CLOSE int fd = memfd_create("registry-auth", MFD_CLOEXEC);
    if (fd < 0)
        return err_sys(e, errno, "cannot hold the registry's credentials");
    char *text = mem_new(2 * FILE_MAX);
    size_t n = header_b64 ? convert(header_b64, registry, text) : 0;
    ssize_t w = n > 0 ? write(fd, text, n) : write(fd, none, sizeof none - 1);
    int x = errno;
    secret_wipe(text, 2 * FILE_MAX);
    free(text);
    if (w != (ssize_t)(n > 0 ? n : sizeof none - 1))
        return err_sys(e, w < 0 ? x : EIO, "cannot hold the registry's credentials");
    return TAKE_FD(fd);
}
