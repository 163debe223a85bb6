/* runtime/internal.h - what the room's own files share: the runtime, its containers, operations and
 * streams. Not for other rooms. */
#ifndef RUNTIME_INTERNAL_H
#define RUNTIME_INTERNAL_H
#include <sys/queue.h>
#include <uv.h>

#include "base/tree.h"
#include "loop/child.h"
#include "loop/deferred.h"
#include "runtime/caps.h"
#include "runtime/config_json.h"
#include "runtime/runtime.h"
#include "runtime/user.h"

enum { CONTAINERS_MAX = 20000, CHILD_TEXT_MAX = 16384, CHILD_TIMEOUT_MS = 60000 };

struct ct;
struct op;
struct hub;
struct spec_input;

/* One thing to do with a container. It holds the container (no other op of it runs) and one of
 * RUNTIME_PARALLEL places, until it is finished or released. */
struct op {
    TAILQ_ENTRY(op) link; /* of those that wait for a place */
    TAILQ_ENTRY(op) wait; /* of those that wait for the container's exit */
    struct runtime *rt;
    struct ct *c;
    void (*run)(struct op *op);
    void (*on_exit)(
        struct op *op); /* after op_release: the container has ended and is cleaned up */
    runtime_on_done done;
    void *arg;
    struct err err;
    int result;
    bool force, pause, is_stop, told; /* of remove; of pause; told: done was called */
    bool active;                      /* has one of the places */
    bool shared;                      /* does not hold the container: other ops run beside it */
    int signal;
    int64_t timeout_s;
    uv_timer_t *timer;
    uv_work_t work;
    void (*work_run)(struct op *op); /* in the pool: touches only what is the op's own */
    void (*work_done)(struct op *op);
    struct secret_buf **payloads;
    size_t npayloads;
    struct exec_run *exec;
    char **paths; /* for the pool */
    struct buf text;
};
TAILQ_HEAD(op_queue, op);

struct wait_handle {
    TAILQ_ENTRY(wait_handle) link;
    struct ct *c;
    enum wait_for what;
    bool due; /* called at the next turn */
    int exit_code;
    char *error;
    void (*on_exit)(void *arg, int exit_code, const char *error);
    void *arg;
};
TAILQ_HEAD(wait_queue, wait_handle);

struct runtime_watch {
    TAILQ_ENTRY(runtime_watch) link;
    struct runtime *rt;
    bool gone;
    void (*cb)(void *arg, const struct runtime_event *ev);
    void *arg;
};
TAILQ_HEAD(watch_queue, runtime_watch);

/* A client of a process's output and input, with what it has not taken yet. The owner (hub or exec)
 * fills it. */
struct chunk {
    STAILQ_ENTRY(chunk) link;
    enum stream_fd fd;
    size_t n;
    char bytes[];
};
struct stream {
    TAILQ_ENTRY(stream) link;
    struct stream_sink sink;
    STAILQ_HEAD(, chunk) queue;
    size_t queued;
    bool full, ended, held, closed, pumping; /* held: nothing may be given yet */
    int64_t full_since_ms;
    const struct stream_owner *owner;
    void *owner_arg;
};
struct stream_owner {
    void (*input)(void *owner, struct stream *s, const void *p, size_t n);
    void (*input_end)(void *owner, struct stream *s);
    size_t (*input_queued)(void *owner);
    void (*resize)(void *owner, unsigned rows, unsigned cols);
    void (*drained)(void *owner, struct stream *s); /* has room again */
    void (*gone)(void *owner, struct stream *s);    /* unlink it: freed after */
};
TAILQ_HEAD(stream_list, stream);

struct exec_run; /* exec.c */
struct ex {
    struct exec pub; /* first */
    TAILQ_ENTRY(ex) link;
    struct exec_config *config;
    struct exec_run *run; /* while starting or running */
    bool forgotten;
};
TAILQ_HEAD(exec_list, ex);

struct ct {
    struct container pub; /* first */
    RB_ENTRY(ct) node;
    TAILQ_ENTRY(ct) age; /* newest first */
    struct runtime *rt;
    struct container_config *config;
    char **layers;
    char **argv; /* entrypoint and cmd */
    char *data_dir, *exec_dir, *secrets_dir, *log_path, *rootfs, *upper, *work, *error;
    struct op *current;
    struct op_queue waiters; /* released ops */
    struct wait_queue waits;
    uint64_t pid_start;
    int pidfd;
    uv_poll_t *exit_poll;
    uv_timer_t *exit_timer;
    unsigned exit_tries;
    bool reaping, exit_seen; /* a reap op is queued or runs; it ended while it was being started */
    bool prepared, gone, linked;
    unsigned holds;       /* who needs the memory, though the container be gone */
    struct user_ids user; /* of the last start */
    struct network_endpoint endpoint;
    char on_network[ID_HEX_SIZE]; /* the network that "connect" was told for, until "disconnect" */
    struct hub *hub;
    struct buf early; /* input that came before the start */
    bool early_end;
    struct stream_list streams;
    struct exec_list execs;
    size_t nexecs;
};
RB_HEAD(ct_tree, ct);
TAILQ_HEAD(ct_list, ct);

struct runtime {
    uv_loop_t *loop;
    struct image_store *images;
    struct network *network;
    char *data_root, *exec_root, *cgroup_parent, *helper, *init_layer;
    char *containers_dir, *run_dir, *secrets_dir, *exits_dir,
        *state_root; /* state_root: the OCI runtime's --root */
    char oci_path[256], conmon_path[256], name[16], version[32];
    bool is_crun;
    caps_set caps;
    struct ct_tree tree;
    struct ct_list all;
    size_t count;
    struct op_queue pending;
    size_t running;
    struct deferred *pump, *wake;
    struct watch_queue watches;
    unsigned emitting;
    uv_fs_event_t *exits;
    bool closing;
    unsigned holds; /* containers whose memory is still in use, and the table */
};

/* runtime.c */
struct ct *ct_of(struct container *c);
void ct_insert(struct ct *c);
void ct_unlink(struct ct *c); /* out of the table; what waits for it is told */
struct ct *ct_hold(struct ct *c);
void ct_put(struct ct *c);
struct ct *ct_new(struct runtime *rt,
                  struct config_record *record); /* takes the record's content */
void ct_set_error(struct ct *c, const char *text);
bool ct_running(const struct ct *c); /* running or paused */
MUST_CHECK int ct_save_state(struct ct *c, struct err *e);
MUST_CHECK int ct_save_config(struct ct *c, struct err *e);
void rt_emit(struct ct *c, const struct runtime_event *ev);
void rt_emit_simple(struct ct *c, const char *action);
void rt_emit_connect(struct ct *c);    /* its endpoint was made for a start */
void rt_emit_disconnect(struct ct *c); /* and is gone; silent without the other */
/* wait.c */
void waits_tell(struct ct *c, bool removed);
void waits_run_due(struct runtime *rt);
void waits_drop(struct ct *c);
/* op.c */
struct op *op_new(struct ct *c, void (*run)(struct op *op), runtime_on_done done, void *arg);
void op_queue(struct op *op, bool first);
void op_release(
    struct op *op); /* gives place and container back, waits for the container's exit (on_exit) */
void op_end(struct op *op, int r);  /* r with op->err; calls done once and frees */
void op_tell(struct op *op, int r); /* calls done now; the op goes on */
void op_in_pool(struct op *op, void (*run)(struct op *op), void (*done)(struct op *op));
void ops_exited(struct ct *c);
void ops_cancel(struct ct *c, int r, const char *why); /* all that wait for it or its exit */
void ops_pump(void *rt);
/* The OCI runtime with arguments (ended by NULL) after --root. on_exit gets the op. */
MUST_CHECK int op_run_oci(struct op *op, const char *const *args, child_exit_cb *on_exit);
/* name.c */
MUST_CHECK int name_check(struct runtime *rt, const char *name, struct err *e);
char *name_random(struct runtime *rt);
/* bundle.c: everything between a configuration and a directory that conmon can be pointed at;
 * blocking, about 1 ms */
MUST_CHECK int bundle_mount(struct ct *c, struct err *e);
MUST_CHECK int bundle_write(struct ct *c, struct secret_buf *const *payloads, struct err *e);
void bundle_spec_input(struct ct *c, const char *hostname, struct spec_input *ret);
char *bundle_hostname(const struct ct *c);
MUST_CHECK int bundle_find_user(struct ct *c, int root, const char *spec, struct user_ids *ret,
                                struct err *e);
/* launch.c */
void launch(struct op *op,
            void (*done)(struct op *op, int r)); /* conmon and create; pid known on success */
void launch_error(const struct runtime *rt, const char *phase, const struct ct *c,
                  const char *message, struct err *e, int *ret_exit);
/* exit.c */
MUST_CHECK int exit_watch(struct ct *c, int pid,
                          struct err *e); /* opens the pidfd and looks for its end */
void exit_unwatch(struct ct *c);
void exit_queue_reap(struct ct *c);
uint64_t exit_pid_start(int pid); /* 0: no such process */
int exit_signal(struct ct *c, int signal);
void clean_up(struct op *op,
              void (*then)(struct op *op)); /* secrets, delete, mounts, network; in any state */
/* remove.c */
void remove_run(struct op *op);
/* hub.c */
void hub_open(struct ct *c);  /* when there are streams; between create and start */
void hub_close(struct ct *c); /* ends every stream */
/* stream.c */
struct stream *stream_new(const struct stream_sink *sink, const struct stream_owner *owner,
                          void *owner_arg);
bool stream_give(struct stream *s, enum stream_fd fd, const void *p,
                 size_t n); /* false: it holds RUNTIME_SINK_MAX or more */
void stream_end(
    struct stream *s); /* no more output; on_end when all was taken; s may be gone after */
void stream_drop(struct stream *s); /* on_end at once, what is queued is lost */
void stream_unhold(struct stream *s);
/* exec.c, exec_run.c */
void execs_free(struct ct *c);
void exec_run_start(struct ex *x, const struct stream_sink *sink,
                    void (*on_started)(void *arg, int r, const struct err *e, struct stream *s),
                    void *arg);
void exec_run_abandon(struct exec_run *r);
void exec_ended(struct ex *x);
void exec_run_resize(struct exec_run *r, unsigned rows, unsigned cols);
char *exec_read_log(const char *dir); /* the runtime's last complaint, or ""; malloc'ed */
void exec_error(const struct runtime *rt, const char *word, const char *message, struct err *e,
                int *ret_code);
/* recover.c */
#endif
