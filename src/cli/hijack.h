/* cli/hijack.h - bare connections: the stream of exec and attach, and the one request that carries
 * a secret.
 *
 * A connection belongs to its opener. Ownership of the terminal is hijack_run's while it runs. */
#ifndef CLI_HIJACK_H
#define CLI_HIJACK_H
#include <jansson.h>
#include "base/secret.h"
#include "cli/command.h"

/* Frames of a stream without terminal: one byte stream number, three zero bytes, length, payload.
 */
struct demux {
    unsigned char head[8];
    size_t have, left;
    int (*on_data)(void *ctx, int stream, const char *p,
                   size_t n); /* stream 1 or 2 (0 counts as 1), 3 an error */
    void *ctx;
};
int demux_step(struct demux *d, const char *p, size_t n); /* 0, -EPROTO, or what on_data gave */
int demux_to_std(void *ctx, int stream, const char *p,
                 size_t n); /* writes to stdout and stderr; ctx: struct cli */

struct hijack; /* an upgraded connection */
/* POST path with an upgrade. body may be NULL. 0, an HTTP status, or negative. */
int hijack_open(struct cli *c, const char *path, json_t *body, struct hijack **ret);
void hijack_close(struct hijack *h);

struct hijack_run {
    bool tty, in;
    const char *detach_keys; /* NULL: the default */
    const char *resize_path; /* "/exec/ID/resize"; on a terminal */
    const char *kill_path;   /* "/containers/ID/kill": signals are passed on */
    bool detached;           /* out: the user left with the keys */
};
int hijack_run(struct cli *c, struct hijack *h, struct hijack_run *o);
int detach_keys_parse(const char *s, unsigned char *ret, size_t room, size_t *ret_n, struct err *e);

/* A POST whose answer comes later: the head has been read, the body not. For `wait`, which must be
 * open first. */
int later_open(struct cli *c, const char *path, struct hijack **ret);
int later_finish(struct cli *c, struct hijack *h, json_t **ret); /* reads the rest; closes h */

/* POST of `spec` with one more member that is secret: base64 (coded) or as it is. The body is made
 * in locked memory and written from there. data and ret may be NULL. */
int post_secret(struct cli *c, const char *path, json_t *spec, const char *member, bool coded,
                const struct secret_buf *data, json_t **ret);
#endif
