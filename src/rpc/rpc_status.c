/* rpc/rpc_status.c - codes, their names, and status texts on the wire. */
#include "rpc/rpc_status.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <nghttp2/nghttp2.h>

const char *rpc_code_name(enum rpc_code code)
{
    static const char *const names[] = {
        "OK",
        "Canceled",
        "Unknown",
        "InvalidArgument",
        "DeadlineExceeded",
        "NotFound",
        "AlreadyExists",
        "PermissionDenied",
        "ResourceExhausted",
        "FailedPrecondition",
        "Aborted",
        "OutOfRange",
        "Unimplemented",
        "Internal",
        "Unavailable",
        "DataLoss",
        "Unauthenticated",
    };
    if ((unsigned)code < sizeof(names) / sizeof(*names))
        return names[code];
    return "Unknown";
}

int rpc_status_set(struct rpc_status *st, enum rpc_code code, const char *fmt, ...)
{
    va_list ap;
    st->code = code;
    va_start(ap, fmt);
    vsnprintf(st->message, sizeof(st->message), fmt, ap);
    va_end(ap);
    return (int)code;
}

size_t rpc_text_encode(const char *s, char ret[RPC_TEXT_ENCODED])
{
    static const char hex[] = "0123456789ABCDEF";
    size_t n = 0;
    for (; *s && n + 4 <= RPC_TEXT_ENCODED; s++) {
        unsigned char c = (unsigned char)*s;
        if (c >= 0x20 && c <= 0x7e && c != '%') {
            ret[n++] = (char)c;
            continue;
        }
        ret[n++] = '%';
        ret[n++] = hex[c >> 4];
        ret[n++] = hex[c & 15];
    }
    ret[n] = 0;
    return n;
}

static int hex_digit(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    if (c >= 'a' && c <= 'f')
        return c - 'a' + 10;
    if (c >= 'A' && c <= 'F')
        return c - 'A' + 10;
    return -1;
}

/* A text that was cut may end within a character: take its first bytes away. */
static size_t whole_characters(const char *s, size_t n)
{
    size_t back = 0;
    while (back < 3 && back < n && ((unsigned char)s[n - 1 - back] & 0xc0) == 0x80)
        back++;
    if (back == n)
        return n;
    unsigned char lead = (unsigned char)s[n - 1 - back];
    size_t want = lead >= 0xf0 ? 3 : lead >= 0xe0 ? 2 : lead >= 0xc0 ? 1 : 0;
    return want > back ? n - 1 - back : n;
}

void rpc_text_decode(const char *s, size_t n, char ret[ERR_TEXT_MAX])
{
    size_t out = 0, i = 0;
    while (i < n && out + 1 < ERR_TEXT_MAX) {
        int hi = -1, lo = -1;
        if (s[i] == '%' && n - i > 2) {
            hi = hex_digit(s[i + 1]);
            lo = hex_digit(s[i + 2]);
        }
        bool escape = hi >= 0 && lo >= 0 && (hi | lo);
        ret[out++] = escape ? (char)(hi << 4 | lo) : s[i];
        i += escape ? 3 : 1;
    }
    ret[i < n ? whole_characters(ret, out) : out] = 0;
}

void rpc_timeout_text(uint64_t ms, char ret[RPC_TIMEOUT_TEXT])
{
    if (ms <= 99999999)
        snprintf(ret, RPC_TIMEOUT_TEXT, "%" PRIu64 "m", ms);
    else if (ms / 1000 <= 99999999)
        snprintf(ret, RPC_TIMEOUT_TEXT, "%" PRIu64 "S", ms / 1000);
    else
        snprintf(ret, RPC_TIMEOUT_TEXT, "99999999S");
}

enum rpc_code rpc_code_of_reset(uint32_t http2_error)
{
    switch (http2_error) {
    case NGHTTP2_REFUSED_STREAM:
        return RPC_UNAVAILABLE;
    case NGHTTP2_CANCEL:
        return RPC_CANCELLED;
    case NGHTTP2_ENHANCE_YOUR_CALM:
        return RPC_RESOURCE_EXHAUSTED;
    case NGHTTP2_INADEQUATE_SECURITY:
        return RPC_PERMISSION_DENIED;
    default:
        return RPC_INTERNAL;
    }
}

enum rpc_code rpc_code_of_http(unsigned http_status)
{
    switch (http_status) {
    case 400:
        return RPC_INTERNAL;
    case 401:
        return RPC_UNAUTHENTICATED;
    case 403:
        return RPC_PERMISSION_DENIED;
    case 404:
        return RPC_UNIMPLEMENTED;
    case 429:
    case 502:
    case 503:
    case 504:
        return RPC_UNAVAILABLE;
    default:
        return RPC_UNKNOWN;
    }
}
