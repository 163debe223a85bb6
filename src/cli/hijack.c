/* cli/hijack.c - bare connections. */
#include "cli/hijack.h"
#include <ctype.h>
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <unistd.h>
#include "base/buf.h"
#include "base/mem.h"
#include "base/str.h"
#include "cli/api.h"
#include "cli/js.h"
#include "cli/term.h"

enum { HEAD_MAX = 64 << 10, ANSWER_BODY_MAX = 1 << 20, PIECE = 32 << 10, KEYS_MAX = 16 };

struct hijack {
    CURL *curl;
    int fd;
    struct buf in; /* what came behind the head */
    int status;
    bool chunked;
};

/* --- frames --- */

int demux_step(struct demux *d, const char *p, size_t n)
{
    while (n) {
        if (d->have < sizeof d->head) {
            d->head[d->have++] = (unsigned char)*p++;
            n--;
            if (d->have == sizeof d->head)
                d->left = (size_t)d->head[4] << 24 | (size_t)d->head[5] << 16 |
                          (size_t)d->head[6] << 8 | d->head[7];
            if (d->have == sizeof d->head && !d->left)
                d->have = 0;
            continue;
        }
        if (d->head[0] > 3)
            return -EPROTO;
        size_t take = n < d->left ? n : d->left;
        int r = d->on_data(d->ctx, d->head[0] ? d->head[0] : 1, p, take);
        if (r)
            return r;
        p += take;
        n -= take;
        d->left -= take;
        if (!d->left)
            d->have = 0;
    }
    return 0;
}

int demux_to_std(void *ctx, int stream, const char *p, size_t n)
{
    struct cli *c = ctx;
    if (stream == 3)
        return err_set(&c->err, -EIO, "error from daemon in stream: %.*s", (int)(n > 900 ? 900 : n),
                       p);
    FILE *f = stream == 2 ? stderr : stdout;
    fwrite(p, 1, n, f);
    fflush(f);
    return 0;
}

/* --- the connection --- */

static int wait_for(int fd, short events)
{
    struct pollfd p = {.fd = fd, .events = events};
    while (poll(&p, 1, -1) < 0)
        if (errno != EINTR)
            return -errno;
    return 0;
}

static int send_all(struct hijack *h, const void *data, size_t n)
{
    for (const char *p = data; n;) {
        size_t sent = 0;
        CURLcode r = curl_easy_send(h->curl, p, n, &sent);
        if (r == CURLE_AGAIN && !wait_for(h->fd, POLLOUT))
            continue;
        if (r != CURLE_OK)
            return -EPIPE;
        p += sent;
        n -= sent;
    }
    return 0;
}

/* 0 and *ret_n 0: the other side has closed. -EAGAIN: nothing there yet. */
static int receive(struct hijack *h, char *p, size_t room, size_t *ret_n)
{
    if (h->in.len) {
        *ret_n = h->in.len < room ? h->in.len : room;
        memcpy(p, h->in.p, *ret_n);
        buf_consume(&h->in, *ret_n);
        return 0;
    }
    CURLcode r = curl_easy_recv(h->curl, p, room, ret_n);
    if (r == CURLE_AGAIN)
        return -EAGAIN;
    if (r == CURLE_UNSUPPORTED_PROTOCOL || r == CURLE_GOT_NOTHING)
        *ret_n = 0;
    return r == CURLE_OK || r == CURLE_GOT_NOTHING ? 0 : -EIO;
}

static int read_head(struct cli *c, struct hijack *h)
{
    char piece[4096];
    AUTO_BUF struct buf b = BUF_INIT(HEAD_MAX);
    char *end;
    while (!b.p || !(end = strstr(b.p, "\r\n\r\n"))) {
        size_t n = 0;
        int r = receive(h, piece, sizeof piece, &n);
        if (r == -EAGAIN && !wait_for(h->fd, POLLIN))
            continue;
        buf_append(&b, piece, n);
        if (r || !n || b.failed)
            return err_set(&c->err, -EPROTO, "the engine closed the connection before it answered");
    }
    size_t head = (size_t)(end - b.p) + 4;
    h->status = str_starts(b.p, "HTTP/1.") && b.len > 12 && sscanf(b.p + 9, "%3d", &h->status) == 1
                    ? h->status
                    : 0;
    buf_append(&h->in, b.p + head, b.len - head);
    for (char *p = b.p; p < end; p++)
        *p = (char)tolower((unsigned char)*p);
    *end = 0;
    if (!h->status)
        return err_set(&c->err, -EPROTO, "the engine's answer cannot be read");
    return strstr(b.p, "transfer-encoding: chunked") ? 1 : 0;
}

/* The rest of an ordinary answer: the request asked for the connection to be closed behind it. */
static void read_rest(struct hijack *h, bool chunked, struct buf *ret)
{
    char piece[4096];
    for (;;) {
        size_t n = 0;
        int r = receive(h, piece, sizeof piece, &n);
        if (r == -EAGAIN && !wait_for(h->fd, POLLIN))
            continue;
        if (r || !n || ret->failed)
            break;
        buf_append(ret, piece, n);
    }
    if (!chunked || !ret->p)
        return;
    AUTO_BUF struct buf raw = *ret;
    *ret = BUF_INIT(ANSWER_BODY_MAX);
    for (char *p = raw.p; p && p < raw.p + raw.len;) {
        size_t n = 0;
        char *data = strstr(p, "\r\n");
        if (sscanf(p, "%zx", &n) != 1 || !n || !data || n > raw.len - (size_t)(data + 2 - raw.p))
            break;
        buf_append(ret, data + 2, n);
        p = data + 2 + n + 2;
    }
}

static struct hijack *connect_raw(struct cli *c)
{
    CURL *curl = api_raw(c);
    if (!curl)
        return NULL;
    struct hijack *h = NEW(struct hijack);
    curl_socket_t fd = -1;
    curl_easy_getinfo(curl, CURLINFO_ACTIVESOCKET, &fd);
    h->curl = curl;
    h->fd = fd;
    h->in = BUF_INIT(HEAD_MAX);
    signal(SIGPIPE, SIG_IGN);
    return h;
}

void hijack_close(struct hijack *h)
{
    if (!h)
        return;
    curl_easy_cleanup(h->curl);
    buf_free(&h->in);
    free(h);
}

static int refused(struct cli *c, struct hijack *h, bool chunked)
{
    AUTO_BUF struct buf body = BUF_INIT(ANSWER_BODY_MAX);
    read_rest(h, chunked, &body);
    return api_refusal(c, h->status, body.p, body.len);
}

int hijack_open(struct cli *c, const char *path, json_t *body, struct hijack **ret)
{
    struct hijack *h = connect_raw(c);
    if (!h)
        return -ECONNREFUSED;
    AUTO_BUF struct buf b = BUF_INIT(ANSWER_BODY_MAX), text = BUF_INIT(ANSWER_BODY_MAX);
    if (body) {
        js_write(&text, body, true);
        buf_char(&text, '\n');
    }
    buf_printf(&b,
               "POST /v%s%s HTTP/1.1\r\nHost: api.keep.localhost\r\nConnection: "
               "Upgrade\r\nUpgrade: tcp\r\n"
               "Content-Type: %s\r\nContent-Length: %zu\r\n\r\n",
               api_version(c), path, body ? "application/json" : "text/plain", text.len);
    buf_append(&b, text.p, text.len);
    int r = send_all(h, b.p, b.len);
    if (r)
        r = err_set(&c->err, r, "error during connect: the engine closed the connection");
    else
        r = read_head(c, h);
    if (r >= 0 && h->status != 101 && h->status != 200)
        r = refused(c, h, r == 1);
    else if (r > 0)
        r = 0;
    if (r) {
        hijack_close(h);
        return r;
    }
    *ret = h;
    return 0;
}

int later_open(struct cli *c, const char *path, struct hijack **ret)
{
    struct hijack *h = connect_raw(c);
    if (!h)
        return -ECONNREFUSED;
    AUTO_FREE char *head =
        mem_printf("POST /v%s%s HTTP/1.1\r\nHost: api.keep.localhost\r\nConnection: close\r\n"
                   "Content-Length: 0\r\n\r\n",
                   api_version(c), path);
    int r = send_all(h, head, strlen(head));
    if (!r)
        r = read_head(c, h);
    h->chunked = r == 1;
    if (r >= 0 && h->status >= 300)
        r = refused(c, h, h->chunked);
    else if (r > 0)
        r = 0;
    if (r) {
        hijack_close(h);
        return r;
    }
    *ret = h;
    return 0;
}

int later_finish(struct cli *c, struct hijack *h, json_t **ret)
{
    AUTO_BUF struct buf body = BUF_INIT(ANSWER_BODY_MAX);
    read_rest(h, h->chunked, &body);
    hijack_close(h);
    *ret = json_loadb(body.p ? body.p : "", body.len, JSON_DISABLE_EOF_CHECK, NULL);
    return *ret ? 0 : err_set(&c->err, -EPROTO, "the engine's answer cannot be read");
}

/* --- the stream --- */

int detach_keys_parse(const char *s, unsigned char *ret, size_t room, size_t *ret_n, struct err *e)
{
    size_t n = 0;
    for (const char *p = s; *p && n < room; n++) {
        size_t len = strcspn(p, ",");
        int ch = len == 6 ? tolower((unsigned char)p[5]) : 0;
        if (len == 1)
            ret[n] = (unsigned char)*p;
        else if (len == 6 && str_istarts(p, "ctrl-") && (isalpha(ch) || strchr("@[\\]^_", ch)))
            ret[n] = (unsigned char)(isalpha(ch) ? ch - 'a' + 1 : ch == '@' ? 0 : ch - '@');
        else
            return err_set(e, -EINVAL,
                           "invalid detach keys (%s) provided: Unknown character: '%.*s'", s,
                           (int)len, p);
        p += len + (p[len] == ',');
    }
    *ret_n = n;
    return 0;
}

struct pump {
    struct cli *c;
    struct hijack *h;
    struct hijack_run *o;
    struct demux demux;
    unsigned char keys[KEYS_MAX];
    size_t nkeys, matched;
    bool in_open;
    int signals;
};

static void resize(struct pump *p)
{
    unsigned rows, columns;
    if (!p->o->tty || !p->o->resize_path || !term_size(1, &rows, &columns))
        return;
    AUTO_FREE char *path = mem_printf("%s?h=%u&w=%u", p->o->resize_path, rows, columns);
    struct err keep = p->c->err;
    if (api_call(p->c, "POST", path, NULL, NULL))
        p->c->err =
            keep; /* the process may have ended already: its size does not matter any more */
}

/* Bytes of the user, with the keys that mean "leave" taken out. true: leave. */
static bool typed(struct pump *p, const char *in, size_t n)
{
    char out[PIECE + KEYS_MAX];
    size_t len = 0;
    for (size_t i = 0; i < n; i++) {
        if (p->nkeys && (unsigned char)in[i] == p->keys[p->matched]) {
            if (++p->matched == p->nkeys)
                return true;
            continue;
        }
        memcpy(out + len, p->keys, p->matched);
        len += p->matched;
        p->matched = p->nkeys && (unsigned char)in[i] == p->keys[0] ? 1 : 0;
        if (!p->matched)
            out[len++] = in[i];
        if (len > PIECE - 1) {
            (void)send_all(p->h, out, len);
            len = 0;
        }
    }
    if (len && send_all(p->h, out, len))
        p->in_open = false;
    return false;
}

static void half_close(struct pump *p)
{
    p->in_open = false;
    if (!api_over_tls(
            p->c)) /* below TLS it would cut the session: there the end of input is not told */
        shutdown(p->h->fd, SHUT_WR);
}

static int from_user(struct pump *p)
{
    char piece[PIECE / 2];
    ssize_t n = read(0, piece, sizeof piece);
    if (n < 0 && (errno == EINTR || errno == EAGAIN))
        return 0;
    if (n <= 0) {
        half_close(p);
        return 0;
    }
    if (typed(p, piece, (size_t)n)) {
        p->o->detached = true;
        return 1;
    }
    return 0;
}

/* 1: the stream has ended. */
static int from_engine(struct pump *p)
{
    char piece[PIECE];
    size_t n = 0;
    int r = receive(p->h, piece, sizeof piece, &n);
    if (r == -EAGAIN)
        return 0;
    if (r || !n)
        return 1;
    if (p->o->tty) {
        fwrite(piece, 1, n, stdout);
        fflush(stdout);
        return 0;
    }
    r = demux_step(&p->demux, piece, n);
    return r == -EPROTO ? err_set(&p->c->err, r, "unrecognized stream: %d", p->demux.head[0]) : r;
}

/* 1: leave. */
static int on_signal(struct pump *p)
{
    struct signalfd_siginfo si;
    if (read(p->signals, &si, sizeof si) != sizeof si)
        return 0;
    if (si.ssi_signo == SIGWINCH) {
        resize(p);
        return 0;
    }
    if (!p->o->kill_path)
        return 1;
    AUTO_FREE char *path = mem_printf("%s?signal=%u", p->o->kill_path, si.ssi_signo);
    struct err keep = p->c->err;
    if (api_call(p->c, "POST", path, NULL, NULL))
        p->c->err = keep; /* it has ended meanwhile */
    return 0;
}

static int watch_signals(const struct hijack_run *o)
{
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGWINCH);
    sigaddset(&set, SIGINT);
    if (o->kill_path) {
        sigaddset(&set, SIGTERM);
        sigaddset(&set, SIGHUP);
        sigaddset(&set, SIGQUIT);
        sigaddset(&set, SIGUSR1);
        sigaddset(&set, SIGUSR2);
    }
    sigprocmask(SIG_BLOCK, &set, NULL);
    return signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
}

static int pump_loop(struct pump *p)
{
    int r = 0;
    while (!r) {
        struct pollfd f[3] = {{.fd = p->h->fd, .events = POLLIN},
                              {.fd = p->in_open ? 0 : -1, .events = POLLIN},
                              {.fd = p->signals, .events = POLLIN}};
        if (!p->h->in.len && poll(f, 3, -1) < 0 && errno != EINTR)
            return err_sys(&p->c->err, errno, "poll");
        if (f[2].revents)
            r = on_signal(p);
        if (!r && (p->h->in.len || f[0].revents))
            r = from_engine(p);
        if (!r && f[1].revents)
            r = from_user(p);
    }
    return r;
}

int hijack_run(struct cli *c, struct hijack *h, struct hijack_run *o)
{
    struct pump p = {
        .c = c, .h = h, .o = o, .in_open = o->in, .demux = {.on_data = demux_to_std, .ctx = c}};
    int r = detach_keys_parse(str_or(o->detach_keys, "ctrl-p,ctrl-q"), p.keys, KEYS_MAX, &p.nkeys,
                              &c->err);
    if (r)
        return r;
    if (!o->tty)
        p.nkeys = 0;
    p.signals = watch_signals(o);
    bool raw = o->tty && o->in && isatty(0);
    if (raw && (r = term_raw(0, &c->err)))
        return r;
    if (!o->in)
        half_close(&p);
    resize(&p);
    r = pump_loop(&p);
    term_restore();
    close(p.signals);
    return r < 0 ? r : 0;
}

/* --- the request with the secret --- */

static void put_base64(struct secret_buf *out, const struct secret_buf *data)
{
    static const char set[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    const uint8_t *p = secret_buf_bytes(data);
    size_t n = secret_buf_len(data);
    for (size_t i = 0; i < n; i += 3) {
        uint32_t v = (uint32_t)p[i] << 16 | (i + 1 < n ? (uint32_t)p[i + 1] << 8 : 0) |
                     (i + 2 < n ? p[i + 2] : 0);
        char four[4] = {set[v >> 18], set[v >> 12 & 63], i + 1 < n ? set[v >> 6 & 63] : '=',
                        i + 2 < n ? set[v & 63] : '='};
        (void)secret_buf_append(out, four, sizeof four); /* the room was counted by the caller */
    }
}

/* As a JSON string. No key that the engine takes has other bytes than printable ones. */
static void put_plain(struct secret_buf *out, const struct secret_buf *data)
{
    const uint8_t *p = secret_buf_bytes(data);
    for (size_t i = 0; i < secret_buf_len(data); i++) {
        bool odd = p[i] < 32 || p[i] > 126;
        if (p[i] == '"' || p[i] == '\\')
            (void)secret_buf_append(out, "\\", 1);
        (void)secret_buf_append(out, odd ? (const void *)"?" : (const void *)&p[i], 1);
    }
}

/* The request's body; NULL when there is no locked memory left. */
static struct secret_buf *locked_body(const struct buf *spec, const char *member, bool coded,
                                      const struct secret_buf *data)
{
    size_t n = data ? secret_buf_len(data) : 0, coded_n = coded ? (n + 2) / 3 * 4 : 2 * n;
    struct secret_buf *out = secret_buf_new(spec->len + strlen(member) + coded_n + 16);
    if (!out)
        return NULL;
    bool more = spec->len > strlen("{}");
    (void)secret_buf_append(out, spec->p, spec->len - 1); /* the last brace comes below */
    if (data) {
        (void)secret_buf_append(out, more ? ",\"" : "\"", more ? 2 : 1);
        (void)secret_buf_append(out, member, strlen(member));
        (void)secret_buf_append(out, "\":\"", 3);
        if (coded)
            put_base64(out, data);
        else
            put_plain(out, data);
        (void)secret_buf_append(out, "\"", 1);
    }
    (void)secret_buf_append(out, "}\n", 2);
    return out;
}

static int send_locked(struct cli *c, struct hijack *h, const char *path,
                       const struct secret_buf *body)
{
    AUTO_BUF struct buf head = BUF_INIT(HEAD_MAX);
    buf_printf(&head,
               "POST /v%s%s HTTP/1.1\r\nHost: api.keep.localhost\r\nConnection: close\r\n"
               "Content-Type: application/json\r\nContent-Length: %zu\r\n\r\n",
               api_version(c), path, secret_buf_len(body));
    int r = send_all(h, head.p, head.len);
    return r ? r : send_all(h, secret_buf_bytes(body), secret_buf_len(body));
}

int post_secret(struct cli *c, const char *path, json_t *spec, const char *member, bool coded,
                const struct secret_buf *data, json_t **ret)
{
    AUTO_BUF struct buf body = BUF_INIT(ANSWER_BODY_MAX), rest = BUF_INIT(ANSWER_BODY_MAX);
    js_write(&body, spec, true);
    if (body.failed)
        return err_set(&c->err, -EFBIG, "the name and labels are too large");
    AUTO_SECRET struct secret_buf *out = locked_body(&body, member, coded, data);
    if (!out)
        return err_set(&c->err, -ENOMEM, "out of locked memory");
    struct hijack *h = connect_raw(c);
    if (!h)
        return -ECONNREFUSED;
    int sent = send_locked(c, h, path, out);
    int r = read_head(c, h); /* also after a failed write: the engine may have refused the size */
    if (r >= 0) {
        read_rest(h, r == 1, &rest);
        c->status = h->status;
        r = h->status >= 300 ? api_refusal(c, h->status, rest.p, rest.len) : sent;
    }
    hijack_close(h);
    if (r || !ret)
        return r;
    *ret = json_loadb(rest.p ? rest.p : "", rest.len, 0, NULL);
    return *ret ? 0 : err_set(&c->err, -EPROTO, "the engine's answer cannot be read");
}
