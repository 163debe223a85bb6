/* dispatcher/internal.h - what the files of this room share: the dispatcher, its streams, its
 * pending writes. Private to the room. */
#ifndef DISPATCHER_INTERNAL_H
#define DISPATCHER_INTERNAL_H
#include "dispatcher/assignment.h"
#include "dispatcher/dispatcher.h"
#include "dispatcher/sessions.h"
#include "loop/deferred.h"
#include "proto/dispatcher.pb-c.h"

struct stream {           /* a Session or Assignments call; freed by its on_close */
    struct dispatcher *d; /* NULL: the dispatcher is gone */
    struct stream *next;
    struct rpc_call *call;
    struct session *session;
    char session_id[ID_SIZE]; /* as it was registered; another registration ends this one */
    bool assignments;
    bool over;    /* ended by us: nothing more is sent */
    bool dirty;   /* something may have to be sent at the end of the turn */
    bool waiting; /* a Session: its node is not committed as READY yet; any: the peer is slow to
                     read */
    uint64_t sequence;
    struct assignment_sent sent;
};
struct update { /* an UpdateTaskStatus call that waits for the turn to end, then for its commit */
    struct update *next;
    struct rpc_call *call; /* NULL: over */
    bool queued; /* in the dispatcher's list or a write's: whoever comes last, that or the call's
                    end, frees it */
    char *node_id;
    const Pb__UpdateTaskStatusRequest *request; /* valid while the call is */
};
struct write { /* a proposal on its way */
    struct write *next;
    struct dispatcher *d; /* NULL: the dispatcher is gone */
    struct update *updates;
    char *node_id; /* whose registration this is; NULL: none */
};
struct dispatcher {
    struct dispatcher_options o;
    char *local_node_id;
    struct sessions sessions;
    struct stream *streams;
    struct update *updates, **updates_end;
    struct write *writes;
    struct store_watch *watch;
    struct deferred *turn;
    uv_timer_t *timer;
    bool stopped;
};
enum {
    STREAM_QUEUE_MAX = 1 << 20
}; /* more unsent than that: what changes meanwhile goes out as one message later */

int64_t dispatcher_wall(const struct dispatcher *d);
int64_t dispatcher_mono(const struct dispatcher *d);
int64_t dispatcher_period(const struct dispatcher *d);
const char *dispatcher_caller(struct dispatcher *d, struct rpc_call *call,
                              bool *ret_local); /* NULL: the call was failed */
/* The session of the caller, or NULL: the call was failed with the words that nodes know. */
struct session *dispatcher_session(struct dispatcher *d, struct rpc_call *call,
                                   const char *session_id);
void dispatcher_arm(struct dispatcher *d); /* the timer, for the next deadline */

/* node.c: the node's object */
void node_registered(struct dispatcher *d, struct session *s,
                     const Pb__NodeDescription *description);
void node_set_state(struct dispatcher *d, const char *node_id, int state, const char *message);
/* write.c: proposals */
struct write *write_new(struct dispatcher *d);
void write_propose(struct write *w, struct store_batch *b);
void updates_flush(struct dispatcher *d);
void updates_drop(struct dispatcher *d); /* at the dispatcher's end */
void on_update_task_status(struct rpc_call *call, const ProtobufCMessage *request, void *service);
/* stream.c */
void on_session(struct rpc_call *call, const ProtobufCMessage *request, void *service);
void on_assignments(struct rpc_call *call, const ProtobufCMessage *request, void *service);
void streams_flush(struct dispatcher *d);
void streams_end(struct dispatcher *d, const struct session *s, const char *but_session_id,
                 enum rpc_code code, const char *words);
/* send.c: one message; 0 or rpc_send's error */
int send_session(struct stream *st);
int send_assignments(struct stream *st);
#endif
