/* loop/child.h - runs another program without blocking and tells how it ended.
 *
 * The child gets exactly what its struct child_spec names: no environment, no descriptor and no
 * signal setting of ours otherwise. Everything in the spec is borrowed until child_start returns,
 * but for `in.data` (until on_exit). on_exit is called once, from the loop, after the child has
 * ended and its captured output has been read to the end, or CHILD_DRAIN_MS after its end when a
 * grandchild keeps the pipe open. The handle is valid until on_exit returns. Captured output has a
 * ceiling: more is read and dropped, and marked.
 *
 * Errors of child_start: what open, pipe, fork or exec said (-ENOENT: no such program); then there
 * is no callback. All programs of a process must be started here, or loop/subreaper.h would take
 * their exit status. One thread. */
#ifndef LOOP_CHILD_H
#define LOOP_CHILD_H
#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>
#include <uv.h>
#include "base/buf.h"
#include "base/err.h"

enum {
    CHILD_FD_MAX = 32,     /* highest number that a descriptor may be given */
    CHILD_GRACE_MS = 3000, /* from SIGTERM to SIGKILL, unless the spec says otherwise */
    CHILD_DRAIN_MS = 500,
    CHILD_LINE_MAX = 65536, /* a longer line is cut when `max` is 0 */
};

enum child_io {
    CHILD_NULL,    /* /dev/null; what zero-initialised means */
    CHILD_FD,      /* fd: borrowed, the caller may close it when child_start has returned */
    CHILD_CAPTURE, /* output: into the result, at most `max` bytes */
    CHILD_CHUNKS,  /* output: to on_chunk as it comes */
    CHILD_LINES,   /* output: to on_line, without the newline, cut at `max` bytes */
    CHILD_DATA,    /* input: `data` and then the end */
};
struct child_input {
    enum child_io from;
    int fd;
    const void *data; /* a child that does not read all of it is no error */
    size_t len;
};
struct child_output {
    enum child_io to;
    int fd;
    size_t max;
    void (*on_chunk)(void *data, const char *p, size_t n);
    void (*on_line)(void *data, const char *line, size_t n); /* terminated */
};
struct child_fd {
    int fd; /* ours, borrowed */
    int as; /* its number in the child: 3 to CHILD_FD_MAX */
};

struct child_result {
    int status; /* 0 to 255; -1 when a signal ended it */
    int signal; /* 0, or the signal that ended it */
    bool timed_out;
    bool out_cut, err_cut; /* output passed its ceiling */
    struct buf *out, *err; /* captured; terminated, p never NULL; may be emptied with buf_take */
};
typedef void child_exit_cb(void *data, const struct child_result *result);

struct child_spec {
    const char *const *argv; /* argv[0] without a slash is looked for in CHILD_PATH */
    const char *const *env;  /* NULL: PATH=CHILD_PATH alone */
    bool inherit_env;        /* ours, before `env` */
    const char *cwd;         /* NULL: "/" */
    bool set_ids;            /* run as uid and gid with no other group */
    uid_t uid;
    gid_t gid;
    bool new_session; /* setsid; child_kill then reaches its whole process group */
    struct child_input in;
    struct child_output out, err;
    const struct child_fd *fds;
    size_t nfds;
    uint64_t timeout_ms;    /* 0: none. SIGTERM, and after grace_ms SIGKILL */
    uint64_t grace_ms;      /* 0: CHILD_GRACE_MS */
    child_exit_cb *on_exit; /* NULL is allowed */
    void *data;             /* given to every callback */
};
#define CHILD_PATH "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"

struct child;
MUST_CHECK int child_start(uv_loop_t *loop, const struct child_spec *spec, struct child **ret,
                           struct err *e); /* ret may be NULL */
pid_t child_pid(const struct child *c);    /* 0 once it has ended */
void child_kill(struct child *c, int signum);
void child_stop(struct child *c); /* SIGTERM, and after the grace SIGKILL */
void child_pause(struct child *c,
                 bool paused);       /* of reading its output: the pipe fills and the child waits */
void child_abandon(struct child *c); /* SIGKILL, no more callbacks; NULL is fine */
bool child_known(pid_t pid);         /* started here and not yet waited for */
/* Where CHILD_PATH has the program; 0 or -ENOENT. */
MUST_CHECK int child_find(const char *name, char *ret, size_t size);
#endif
