/* runtime/runtime.h - the containers of this node: create, start, stop, exec, logs, remove; secrets
 * into their memory.
 *
 * crun (or runc where crun cannot run) under conmon; conmon holds the container, so keepd may die
 * and come back (runtime_recover finds everything again). A container's files:
 * <data-root>/containers/<id>/ (config.json ours, log, upper/ and work/ of its overlay) and
 * <exec-root>/containers/<id>/ (bundle, sockets, rootfs mount point), its secrets in a tmpfs of its
 * own below <exec-root>/secrets/<id> (parent 0700).
 *
 * Secrets: written by the daemon from secret memory straight into the tmpfs (noswap, nosuid, nodev,
 * noexec, sized), born with final owner and mode, bound read-only at /run/secrets; other absolute
 * targets are reached as docs/design says. Overwritten, unlinked and unmounted when the container
 * stops; a stopped container has none.
 *
 * Everything that starts, stops or mounts is asynchronous: exactly one on_done, never from inside.
 * At most RUNTIME_PARALLEL operations run at once, the rest waits in order. struct container is
 * read-only for others and borrowed: valid until its REMOVED event. */
#ifndef RUNTIME_RUNTIME_H
#define RUNTIME_RUNTIME_H
#include <stdbool.h>
#include <stdint.h>
#include <uv.h>
#include "base/err.h"
#include "base/id.h"
#include "base/secret.h"
#include "image/image.h"
#include "network/network.h"

enum {
    RUNTIME_PARALLEL = 8,
    RUNTIME_ARGS_MAX = 4096,
    RUNTIME_ENV_MAX = 4096,
    RUNTIME_EXECS_MAX = 1000
};
enum container_state {
    CONTAINER_CREATED,
    CONTAINER_RUNNING,
    CONTAINER_PAUSED,
    CONTAINER_EXITED,
    CONTAINER_REMOVING,
    CONTAINER_DEAD
};
const char *container_state_name(enum container_state s); /* "created" … as the API says */

/* outcomes (positive): the API maps them to statuses */
enum {
    RUNTIME_NOT_FOUND = 1, /* no such container / image / exec: words in err */
    RUNTIME_AMBIGUOUS,
    RUNTIME_CONFLICT, /* name taken, running, not running, paused: words in err (the engine's) */
    RUNTIME_NOT_MODIFIED, /* start of a running one, stop of a stopped one */
    RUNTIME_BAD_REQUEST,  /* the configuration cannot be: words in err */
};

struct secret_file {         /* one secret (or config) to appear in the container */
    char *target;            /* absolute, cleaned */
    uint32_t uid, gid, mode; /* permission bits only; write bits are dropped by the mount */
    struct secret_buf
        *payload; /* taken by runtime_start, wiped after it was written; NULL in stored configs */
    char *name;   /* object's name, for messages */
};
struct mount_spec {
    enum { MOUNT_BIND, MOUNT_TMPFS } type;
    char *source, *target;
    bool readonly;
    char *propagation; /* or NULL: rprivate */
    uint64_t tmpfs_size;
    uint32_t tmpfs_mode;
};
struct container_config { /* what a container is made of; all strings malloc'ed, owned by the struct
                           */
    char *name;           /* without '/'; "" : a random one */
    char *image;          /* reference as given; the image is resolved at create */
    char **entrypoint, **cmd; /* NULL: the image's */
    char **env;               /* added to the image's, same key replaces */
    char **labels;            /* "key=value" */
    char *user, *workdir, *hostname, *domainname, *stop_signal;
    char **groups, **hosts; /* hosts: "ip name" lines for /etc/hosts, as "name:ip" */
    char **dns, **dns_search, **dns_options;
    char **cap_add, **cap_drop, **sysctls /* "k=v" */, **ulimits /* "name=soft:hard" */;
    bool tty, open_stdin, stdin_once, read_only, no_new_privileges, privileged, init, auto_remove;
    bool attach_stdin, attach_stdout, attach_stderr;
    int64_t nano_cpus, memory, pids_limit, oom_score_adj,
        stop_timeout_s; /* 0: not set; stop_timeout_s -1: default 10 */
    enum network_mode network;
    struct mount_spec *mounts;
    size_t nmounts;
    struct secret_file *secrets; /* payloads come with runtime_start */
    size_t nsecrets;
    char *log_driver; /* "json-file" (default), "none" */
    uint64_t log_max_size;
    bool service_task; /* made for a swarm task */
};
void container_config_free(struct container_config *c); /* its content and itself */

struct container {
    char id[ID_HEX_SIZE];
    const struct container_config *config; /* merged with the image's: entrypoint, cmd, env,
                                              workdir, user, stop_signal final */
    char image_id[IMAGE_ID_SIZE];
    const char *path;        /* first word of the command */
    const char *const *args; /* the rest */
    enum container_state state;
    int pid; /* 0 unless running */
    int exit_code;
    bool oom_killed, restarting;
    const char *error;                           /* why the start failed, or "" */
    int64_t created_ns, started_ns, finished_ns; /* 0: never */
    const struct network_endpoint *endpoint;     /* NULL when stopped */
    unsigned restart_count;
    const char *log_path, *rootfs_path, *upper_path,
        *work_path;            /* rootfs_path: the merged mount, while mounted */
    const char *init_layer;    /* above the image's layers, below the upper directory */
    const char *const *layers; /* the image's, lowest first */
};

struct runtime;
struct runtime_options {
    const char *data_root, *exec_root;
    const char *runtime_helper; /* absolute path of the keep-runtime program */
    struct image_store *images;
    struct network *network;
    const char *cgroup_parent; /* "/keep", or another for a second daemon */
};
/* Finds crun/runc and conmon on PATH, tries which runtime works here. Errors are one sentence that
 * says what to do. */
MUST_CHECK int runtime_open(uv_loop_t *loop, const struct runtime_options *o, struct runtime **ret,
                            struct err *e);
/* Reads every container back, learns what ended meanwhile, clears orphans (containers, mounts,
 * directories). on_done when true. */
void runtime_recover(struct runtime *rt, void (*on_done)(void *arg), void *arg);
void runtime_close(struct runtime *rt);                /* containers go on */
const char *runtime_name(const struct runtime *rt);    /* "crun" or "runc" */
const char *runtime_version(const struct runtime *rt); /* "1.8.1" */
/* What no container sees of /proc and /sys, and what none may write; NULL ends each list. */
extern const char *const runtime_masked_paths[], *const runtime_readonly_paths[];

typedef void (*runtime_on_done)(void *arg, int r, const struct err *e,
                                struct container *c); /* c NULL unless it exists */

void runtime_create(struct runtime *rt, struct container_config *config /* taken */,
                    runtime_on_done d, void *arg); /* mounts nothing yet */
/* Mounts, network, secrets, conmon + crun create, start. payloads: parallel to config->secrets,
 * each taken and wiped; NULL when there are none. */
void runtime_start(struct runtime *rt, struct container *c, struct secret_buf **payloads, size_t n,
                   runtime_on_done d, void *arg);
/* Prepares what can be done before the start (overlay mount, namespace), so that a start is quick.
 * Optional. */
void runtime_prepare(struct runtime *rt, struct container *c, runtime_on_done d, void *arg);
void runtime_stop(struct runtime *rt, struct container *c, int signal /* 0: its own */,
                  int64_t timeout_s /* -1: its own */, runtime_on_done d, void *arg);
void runtime_kill(struct runtime *rt, struct container *c, int signal, runtime_on_done d,
                  void *arg);
void runtime_pause(struct runtime *rt, struct container *c, bool pause, runtime_on_done d,
                   void *arg);
void runtime_remove(struct runtime *rt, struct container *c, bool force, runtime_on_done d,
                    void *arg);
MUST_CHECK int runtime_rename(struct runtime *rt, struct container *c, const char *name,
                              struct err *e);
int runtime_signal_number(const char *name); /* "SIGTERM", "TERM", "15"; -EINVAL */

/* By id, name (with or without '/'), unique id prefix. 0, RUNTIME_NOT_FOUND ("No such container:
 * X"), RUNTIME_AMBIGUOUS. */
MUST_CHECK int runtime_find(struct runtime *rt, const char *ref, struct container **ret,
                            struct err *e);
int runtime_each(struct runtime *rt, int (*fn)(void *arg, struct container *c),
                 void *arg); /* newest first */
size_t runtime_count(const struct runtime *rt, enum container_state s);

/* What happens to containers:
 * "create","start","die","kill","stop","oom","destroy","pause","unpause","rename","exec_create:
 * cmd", "exec_start: cmd","exec_die","attach","resize", and to their networks:
 * "connect","disconnect" (those have a network_id). */
struct runtime_event {
    const char *action;
    const struct container *c;
    int exit_code;          /* die, exec_die */
    int signal;             /* kill */
    const char *exec_id;    /* exec_* */
    const char *network_id; /* connect, disconnect; else NULL */
};
struct runtime_watch;
struct runtime_watch *
runtime_watch(struct runtime *rt, void (*cb)(void *arg, const struct runtime_event *ev), void *arg);
void runtime_unwatch(struct runtime_watch *w);

/* ---- streams: attach and exec meet here ----
 * Output comes in pieces of at most 64 KiB. A sink that returns false has taken the piece and is
 * full: what follows waits in a bounded buffer (RUNTIME_SINK_MAX) until stream_resume asks for
 * more. When that is full too, an exec waits for its reader (and runs on when it has gone). A
 * container waits two seconds for a reader to take anything; then that reader is dropped, so that
 * it slows a container down but never stops it. */
enum { RUNTIME_SINK_MAX = 1 << 20 };
enum stream_fd { STREAM_STDOUT = 1, STREAM_STDERR = 2 };
struct stream; /* one attached client */
struct stream_sink {
    bool (*on_output)(void *arg, enum stream_fd fd, const void *p, size_t n);
    void (*on_end)(void *arg); /* the process has ended and all output was given; s is gone after */
    void *arg;
};
void stream_input(struct stream *s, const void *p, size_t n); /* to the process's stdin; copied */
void stream_input_end(struct stream *s);
size_t stream_input_queued(const struct stream *s);
void stream_resume(struct stream *s);
void stream_resize(struct stream *s, unsigned rows, unsigned cols);
void stream_close(
    struct stream *s); /* the client has gone; the process goes on; no callback after */

MUST_CHECK int runtime_attach(struct runtime *rt, struct container *c,
                              const struct stream_sink *sink, struct stream **ret, struct err *e);
MUST_CHECK int runtime_resize(struct runtime *rt, struct container *c, unsigned rows, unsigned cols,
                              struct err *e);

struct exec_config { /* strings malloc'ed, owned */
    char **cmd, **env;
    char *user, *workdir, *detach_keys;
    bool tty, privileged, attach_stdin, attach_stdout, attach_stderr;
    unsigned rows, cols; /* of the terminal, or 0 */
};
struct exec {
    char id[ID_HEX_SIZE];
    const struct exec_config *config;
    struct container *container;
    bool running, started;
    int exit_code; /* -1: none yet */
    int pid;
};
MUST_CHECK int runtime_exec_create(struct runtime *rt, struct container *c,
                                   struct exec_config *config /* taken */, struct exec **ret,
                                   struct err *e);
MUST_CHECK int runtime_exec_find(struct runtime *rt, const char *id, struct exec **ret,
                                 struct err *e);
/* sink NULL: detached. on_started: r 0, or the engine's words ("OCI runtime exec failed: …") and
 * exit code 126/127 set. */
void runtime_exec_start(struct runtime *rt, struct exec *x, const struct stream_sink *sink,
                        void (*on_started)(void *arg, int r, const struct err *e, struct stream *s),
                        void *arg);
MUST_CHECK int runtime_exec_resize(struct runtime *rt, struct exec *x, unsigned rows, unsigned cols,
                                   struct err *e);

/* ---- logs ---- */
struct log_query {
    bool want_stdout, want_stderr, follow;
    int64_t since_ns, until_ns; /* 0: no bound */
    int64_t tail;               /* lines; -1: all */
};
struct log_reader;
struct log_sink {
    /* One line (or part of one) at a time, with its own line end if it had one. false: full, call
     * log_reader_resume later. */
    bool (*on_line)(void *arg, enum stream_fd fd, int64_t time_ns, const char *p, size_t n);
    void (*on_end)(void *arg); /* end of the log (and of the container, when following); the reader
                                  is gone after */
    void *arg;
};
MUST_CHECK int runtime_logs(struct runtime *rt, struct container *c, const struct log_query *q,
                            const struct log_sink *sink, struct log_reader **ret, struct err *e);
void log_reader_resume(struct log_reader *l);
void log_reader_close(struct log_reader *l);

/* ---- wait ---- */
struct wait_handle;
enum wait_for { WAIT_NOT_RUNNING, WAIT_NEXT_EXIT, WAIT_REMOVED };
/* on_exit once, perhaps at the next turn of the loop. */
struct wait_handle *runtime_wait(struct runtime *rt, struct container *c, enum wait_for what,
                                 void (*on_exit)(void *arg, int exit_code, const char *error),
                                 void *arg);
void runtime_wait_cancel(struct wait_handle *w);

/* What the writable layer holds against the image: kind 0 changed, 1 added, 2 deleted. */
MUST_CHECK int runtime_changes(struct runtime *rt, struct container *c,
                               void (*fn)(void *arg, int kind, const char *path), void *arg,
                               struct err *e);
#endif
