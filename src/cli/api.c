/* cli/api.c - requests and answers over libcurl. */
#include "cli/api.h"
#include <errno.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include "base/mem.h"
#include "base/str.h"
#include "cli/about.h"
#include "cli/js.h"

enum { PATH_MAX_BYTES = 1 << 20, HEADERS_MAX = 8192, ERROR_BODY_MAX = 1 << 20, CONNECT_S = 60 };

struct api {
    char *host;   /* as the user knows it */
    char *socket; /* path of a unix socket, or NULL */
    char *base;   /* "http://…" without a version */
    bool tls, agreed;
    char version[16];
    struct buf ping; /* header lines of the ping's answer */
    CURL *idle;      /* kept for its open connection */
};

/* --- where the engine is --- */

static const char *chosen_host(const struct cli *c)
{
    const char *h = global_str(c, "host");
    if (str_empty(h))
        h = getenv("KEEP_HOST");
    if (str_empty(h))
        h = getenv("DOCKER_HOST");
    return str_or(h, "unix:///run/keep/keep.sock");
}

static bool wants_tls(const struct cli *c)
{
    return global_bool(c, "tls") || global_bool(c, "tlsverify") ||
           !str_empty(getenv("DOCKER_TLS_VERIFY")) || !str_empty(getenv("DOCKER_TLS"));
}

static int resolve_host(struct cli *c, struct api *a, const char *host)
{
    const char *scheme = strstr(host, "://");
    a->host = scheme ? mem_str(host) : mem_printf("tcp://%s", host);
    if (str_starts(a->host, "unix://")) {
        a->socket = mem_str(a->host + 7);
        a->base = mem_str("http://api.keep.localhost");
        return 0;
    }
    if (!str_starts(a->host, "tcp://") && !str_starts(a->host, "http://"))
        return err_set(&c->err, -EINVAL, "unable to parse docker host `%s`", host);
    a->tls = wants_tls(c);
    const char *addr = strstr(a->host, "://") + 3;
    bool port = strchr(str_starts(addr, "[") ? str_or(strchr(addr, ']'), "") : addr, ':');
    a->base = mem_printf("%s://%s%s", a->tls ? "https" : "http", addr,
                         port     ? ""
                         : a->tls ? ":2376"
                                  : ":2375");
    return 0;
}

static int api_open(struct cli *c)
{
    if (c->api)
        return 0;
    struct api *a = NEW(struct api);
    a->ping = BUF_INIT(HEADERS_MAX);
    snprintf(a->version, sizeof a->version, "%s", CLI_API_VERSION);
    c->api = a;
    curl_global_init(CURL_GLOBAL_DEFAULT);
    return resolve_host(c, a, chosen_host(c));
}

const char *api_host(struct cli *c)
{
    return c->api->host;
}

bool api_over_tls(struct cli *c)
{
    return c->api->tls;
}

const char *api_version(struct cli *c)
{
    return c->api->version;
}

static void set_tls(const struct cli *c, CURL *h)
{
    const char *dir = str_or(global_str(c, "config"), getenv("DOCKER_CERT_PATH"));
    static const struct {
        const char *flag, *file;
        CURLoption option;
    } files[] = {{"tlscacert", "ca.pem", CURLOPT_CAINFO},
                 {"tlscert", "cert.pem", CURLOPT_SSLCERT},
                 {"tlskey", "key.pem", CURLOPT_SSLKEY}};
    for (size_t i = 0; i < 3; i++) {
        const char *path = global_str(c, files[i].flag);
        AUTO_FREE char *in_dir = path  ? mem_str(path)
                                 : dir ? mem_printf("%s/%s", dir, files[i].file)
                                       : NULL;
        if (in_dir && access(in_dir, R_OK) == 0)
            curl_easy_setopt(h, files[i].option, in_dir);
    }
    bool verify = global_bool(c, "tlsverify") || !str_empty(getenv("DOCKER_TLS_VERIFY"));
    curl_easy_setopt(h, CURLOPT_SSL_VERIFYPEER, verify ? 1L : 0L);
    curl_easy_setopt(h, CURLOPT_SSL_VERIFYHOST, verify ? 2L : 0L);
}

static CURL *new_handle(struct cli *c)
{
    CURL *h = c->api->idle ? TAKE(c->api->idle) : curl_easy_init();
    if (!h)
        abort();
    curl_easy_reset(h);
    if (c->api->socket)
        curl_easy_setopt(h, CURLOPT_UNIX_SOCKET_PATH, c->api->socket);
    if (c->api->tls)
        set_tls(c, h);
    curl_easy_setopt(h, CURLOPT_USERAGENT, "Keep-Client/" KEEP_VERSION " (linux)");
    curl_easy_setopt(h, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(h, CURLOPT_CONNECTTIMEOUT, (long)CONNECT_S);
    curl_easy_setopt(h, CURLOPT_PROXY, "");
    curl_easy_setopt(h, CURLOPT_HTTP_VERSION, CURL_HTTP_VERSION_1_1);
    return h;
}

static void done_handle(struct cli *c, CURL *h)
{
    if (c->api->idle)
        curl_easy_cleanup(h);
    else
        c->api->idle = h;
}

/* --- versions --- */

bool version_less(const char *a, const char *b)
{
    return str_natural_cmp(a, b) < 0;
}

static size_t on_ping_header(char *p, size_t size, size_t n, void *ctx)
{
    struct cli *c = ctx;
    buf_append(&c->api->ping, p, size * n);
    return size * n;
}

const char *api_header(struct cli *c, const char *name)
{
    static char value[64];
    size_t n = strlen(name);
    for (const char *l = c->api->ping.p; l && *l; l += strcspn(l, "\n") + 1) {
        if (strncasecmp(l, name, n) != 0 || l[n] != ':')
            continue;
        l += n + 1;
        l += strspn(l, " ");
        snprintf(value, sizeof value, "%.*s", (int)strcspn(l, "\r\n"), l);
        return value;
    }
    return "";
}

static const char *fixed_version(void)
{
    return str_or(getenv("KEEP_API_VERSION"), getenv("DOCKER_API_VERSION"));
}

static CURLcode ping(struct cli *c, bool head)
{
    CURL *h = new_handle(c);
    AUTO_FREE char *url = mem_printf("%s/_ping", c->api->base);
    buf_clear(&c->api->ping);
    curl_easy_setopt(h, CURLOPT_URL, url);
    curl_easy_setopt(h, CURLOPT_NOBODY, head ? 1L : 0L);
    curl_easy_setopt(h, CURLOPT_HEADERFUNCTION, on_ping_header);
    curl_easy_setopt(h, CURLOPT_HEADERDATA, c);
    if (!head)
        curl_easy_setopt(h, CURLOPT_WRITEDATA, NULL);
    CURLcode r = curl_easy_perform(h);
    long status = 0;
    curl_easy_getinfo(h, CURLINFO_RESPONSE_CODE, &status);
    done_handle(c, h);
    return r == CURLE_OK && status != 200 && status != 500 ? CURLE_HTTP_RETURNED_ERROR : r;
}

static int no_engine(struct cli *c)
{
    if (c->api->socket && access(c->api->socket, F_OK) == 0 && access(c->api->socket, W_OK) &&
        errno == EACCES)
        return err_set(&c->err, -EACCES,
                       "permission denied while trying to connect to the daemon socket at %s",
                       c->api->host);
    return err_set(&c->err, -ECONNREFUSED,
                   "Cannot connect to the Docker daemon at %s. Is the docker daemon running?",
                   c->api->host);
}

int api_ready(struct cli *c)
{
    int r = api_open(c);
    if (r || c->api->agreed)
        return r;
    CURLcode p = ping(c, true);
    if (p == CURLE_HTTP_RETURNED_ERROR)
        p = CURLE_OK; /* an engine that knows no HEAD; its headers came all the same */
    if (p != CURLE_OK)
        return no_engine(c);
    const char *theirs = api_header(c, "Api-Version"), *fixed = fixed_version();
    if (!str_empty(fixed))
        snprintf(c->api->version, sizeof c->api->version, "%s", fixed);
    else if (!*theirs)
        snprintf(c->api->version, sizeof c->api->version, "1.24");
    else if (version_less(theirs, CLI_API_VERSION))
        snprintf(c->api->version, sizeof c->api->version, "%s", theirs);
    c->api->agreed = true;
    return 0;
}

int api_needs(struct cli *c, const char *what, const char *version)
{
    int r = api_ready(c);
    if (r)
        return r;
    if (!version_less(c->api->version, version))
        return 0;
    return err_set(&c->err, -ENOTSUP,
                   "%s requires API version %s, but the Docker daemon API version is %s", what,
                   version, c->api->version);
}

/* --- paths --- */

/* `keep` lists what may stand as it is besides letters and digits. */
static void put_escaped(struct buf *b, const char *s, const char *keep)
{
    for (; *s; s++) {
        unsigned char ch = (unsigned char)*s;
        bool plain = (ch >= '0' && ch <= '9') || (ch >= 'a' && ch <= 'z') ||
                     (ch >= 'A' && ch <= 'Z') || strchr(keep, ch);
        if (plain)
            buf_char(b, (char)ch);
        else
            buf_printf(b, "%%%02X", ch);
    }
}

char *api_path(const char *fmt, ...)
{
    struct buf b = BUF_INIT(PATH_MAX_BYTES);
    va_list ap;
    va_start(ap, fmt);
    for (const char *p = fmt; *p; p++) {
        if (p[0] == '%' && p[1] == 's') {
            put_escaped(&b, va_arg(ap, const char *), "-_.~$&+,/:;=@");
            p++;
        } else {
            buf_char(&b, *p);
        }
    }
    va_end(ap);
    return buf_take(&b);
}

void query_add(struct buf *path, const char *key, const char *value)
{
    buf_str(path, path->p && strchr(path->p, '?') ? "&" : "?");
    put_escaped(path, key, "-_.~");
    buf_char(path, '=');
    put_escaped(path, value, "-_.~");
}

void query_filters(struct buf *path, const char *const *filters)
{
    if (!filters || !*filters)
        return;
    AUTO_JSON json_t *o = js_own(json_object());
    for (; *filters; filters++) {
        size_t n = strcspn(*filters, "=");
        AUTO_FREE char *key = mem_strn(*filters, n);
        const char *value = (*filters)[n] ? *filters + n + 1 : "";
        json_object_set_new(js_sub(o, key), value, json_true());
    }
    AUTO_BUF struct buf b = BUF_INIT(PATH_MAX_BYTES);
    js_write(&b, o, false);
    query_add(path, "filters", b.p);
}

/* --- one request --- */

struct exchange {
    struct cli *c;
    CURL *h;
    struct api_stream *s;
    struct buf error; /* body of a refusal */
    int result;
    long status;
};

static size_t on_body(char *p, size_t size, size_t n, void *ctx)
{
    struct exchange *x = ctx;
    n *= size;
    if (!x->status)
        curl_easy_getinfo(x->h, CURLINFO_RESPONSE_CODE, &x->status);
    if (x->status >= 300) {
        buf_append(&x->error, p, n);
        return n;
    }
    x->result = x->s->on_data ? x->s->on_data(x->s->ctx, p, n) : 0;
    return x->result ? 0 : n;
}

static size_t on_upload(char *p, size_t size, size_t n, void *ctx)
{
    struct exchange *x = ctx;
    size_t got = x->s->read(x->s->ctx, p, size * n);
    return got == (size_t)-1 ? CURL_READFUNC_ABORT : got;
}

static struct curl_slist *add_header(struct curl_slist *l, const char *line)
{
    struct curl_slist *n = curl_slist_append(l, line);
    if (!n)
        abort();
    return n;
}

static struct curl_slist *set_body(struct exchange *x, struct buf *body)
{
    struct api_stream *s = x->s;
    struct curl_slist *headers = add_header(NULL, "Expect:");
    if (s->read) {
        AUTO_FREE char *type =
            mem_printf("Content-Type: %s", str_or(s->content_type, "application/x-tar"));
        headers = add_header(add_header(headers, "Transfer-Encoding: chunked"), type);
        curl_easy_setopt(x->h, CURLOPT_POST, 1L);
        curl_easy_setopt(x->h, CURLOPT_READFUNCTION, on_upload);
        curl_easy_setopt(x->h, CURLOPT_READDATA, x);
    } else if (s->body) {
        js_write(body, s->body, true);
        buf_char(body, '\n');
        headers = add_header(headers, "Content-Type: application/json");
        curl_easy_setopt(x->h, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)body->len);
        curl_easy_setopt(x->h, CURLOPT_POSTFIELDS, body->p);
    } else if (!str_eq(s->method, "GET") && !str_eq(s->method, "HEAD") &&
               !str_eq(s->method, "DELETE")) {
        headers = add_header(headers, "Content-Type:");
        curl_easy_setopt(x->h, CURLOPT_POSTFIELDSIZE, 0L);
        curl_easy_setopt(x->h, CURLOPT_POSTFIELDS, "");
    }
    for (const char *const *l = s->headers; l && *l; l++)
        headers = add_header(headers, *l);
    if (str_eq(s->method, "HEAD"))
        curl_easy_setopt(x->h, CURLOPT_NOBODY, 1L);
    else
        curl_easy_setopt(x->h, CURLOPT_CUSTOMREQUEST, s->method);
    curl_easy_setopt(x->h, CURLOPT_HTTPHEADER, headers);
    return headers;
}

int api_refusal(struct cli *c, int status, const char *body, size_t n)
{
    AUTO_JSON json_t *j = json_loadb(body ? body : "", n, 0, NULL);
    c->status = status;
    const char *message = js_str(j, "message");
    size_t len = strlen(message);
    while (len && strchr(" \r\n\t", message[len - 1]))
        len--;
    if (len)
        return err_set(&c->err, status, "Error response from daemon: %.*s", (int)len, message);
    if (j)
        return err_set(
            &c->err, status,
            "Error response from daemon: API returned a %d but provided no error-message", status);
    while (n && strchr(" \r\n", body[n - 1]))
        n--;
    if (n)
        return err_set(&c->err, status, "Error response from daemon: %.*s",
                       (int)(n > 900 ? 900 : n), body);
    return err_set(&c->err, status,
                   "Error response from daemon: request returned %d for API route and version %s, "
                   "check if the "
                   "server supports the requested API version",
                   status, c->api->version);
}

int api_stream(struct cli *c, struct api_stream *s)
{
    int r = api_ready(c);
    if (r)
        return r;
    struct exchange x = {.c = c, .s = s, .error = BUF_INIT(ERROR_BODY_MAX), .h = new_handle(c)};
    AUTO_BUF struct buf body = BUF_INIT(ANSWER_MAX);
    AUTO_FREE char *url = mem_printf("%s/v%s%s", c->api->base, c->api->version, s->path);
    struct curl_slist *headers = set_body(&x, &body);
    curl_easy_setopt(x.h, CURLOPT_URL, url);
    curl_easy_setopt(x.h, CURLOPT_WRITEFUNCTION, on_body);
    curl_easy_setopt(x.h, CURLOPT_WRITEDATA, &x);
    CURLcode code = curl_easy_perform(x.h);
    curl_easy_getinfo(x.h, CURLINFO_RESPONSE_CODE, &x.status);
    done_handle(c, x.h);
    curl_slist_free_all(headers);
    c->status = (int)x.status;
    if (x.result)
        r = x.result;
    else if (code == CURLE_COULDNT_CONNECT || code == CURLE_COULDNT_RESOLVE_HOST)
        r = no_engine(c);
    else if (x.status >= 300)
        r = api_refusal(c, (int)x.status, x.error.p, x.error.len);
    else if (code != CURLE_OK)
        r = err_set(&c->err, -EIO, "error during connect: %s", curl_easy_strerror(code));
    buf_free(&x.error);
    return r;
}

static int collect(void *ctx, const char *p, size_t n)
{
    struct buf *b = ctx;
    buf_append(b, p, n);
    return b->failed ? -EFBIG : 0;
}

int api_text(struct cli *c, const char *method, const char *path, json_t *body, struct buf *ret)
{
    struct api_stream s = {
        .method = method, .path = path, .body = body, .on_data = collect, .ctx = ret};
    int r = api_stream(c, &s);
    return r == -EFBIG ? err_set(&c->err, r, "the answer is too large") : r;
}

int api_call(struct cli *c, const char *method, const char *path, json_t *body, json_t **ret)
{
    AUTO_BUF struct buf b = BUF_INIT(ANSWER_MAX);
    int r = api_text(c, method, path, body, &b);
    if (r || !ret)
        return r;
    json_error_t je;
    *ret = json_loadb(b.p ? b.p : "", b.len, JSON_DECODE_ANY, &je);
    if (!*ret)
        return err_set(&c->err, -EPROTO, "the engine's answer cannot be read: %s", je.text);
    return 0;
}

int api_get(struct cli *c, const char *path, json_t **ret)
{
    return api_call(c, "GET", path, NULL, ret);
}

CURL *api_raw(struct cli *c)
{
    if (api_ready(c))
        return NULL;
    CURL *h = new_handle(c);
    curl_easy_setopt(h, CURLOPT_FRESH_CONNECT, 1L);
    curl_easy_setopt(h, CURLOPT_URL, c->api->base);
    curl_easy_setopt(h, CURLOPT_CONNECT_ONLY, 1L);
    if (curl_easy_perform(h) == CURLE_OK)
        return h;
    curl_easy_cleanup(h);
    (void)no_engine(c);
    return NULL;
}

int line_split(struct line_split *l, const char *p, size_t n)
{
    buf_append(&l->buf, p, n);
    if (l->buf.failed)
        return -EFBIG;
    size_t at = 0;
    int r = 0;
    char *nl;
    while (!r && (nl = memchr(l->buf.p + at, '\n', l->buf.len - at))) {
        size_t len = (size_t)(nl - (l->buf.p + at));
        *nl = 0;
        r = len ? l->on_line(l->ctx, l->buf.p + at, len) : 0;
        at += len + 1;
    }
    buf_consume(&l->buf, at);
    return r;
}
