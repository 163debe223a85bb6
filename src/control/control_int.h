/* control/control_int.h - what the files of this room share: the context, answering when durable,
 * the tables of handlers. */
#ifndef CONTROL_CONTROL_INT_H
#define CONTROL_CONTROL_INT_H
#include "control/control.h"
#include "rpc/methods.h"

struct watcher;
struct control {
    struct store *store;
    struct control_hooks hooks;
    int64_t (*now)(void *arg);
    void *now_arg;
    char *node_id, *addr;
    struct store_watch *watch; /* while somebody watches */
    struct watcher *watchers;
};
int64_t control_now(const struct control *c);

/* Proposes b; when it is durable, reply is called with the object as it then is (NULL: gone, or
 * none is wanted: id NULL). When it cannot be made durable the call fails and says why. The call
 * may end meanwhile. */
typedef void (*control_reply)(struct control *c, struct rpc_call *call, const void *object);
void control_commit(struct control *c, struct rpc_call *call, struct store_batch *b,
                    enum store_kind k, const char *id, control_reply reply);

/* The words of several operations */
void control_fail_argument(struct rpc_call *call); /* "invalid argument" */
void control_fail_missing(struct rpc_call *call, const char *what, const char *id);
void control_fail_sequence(struct rpc_call *call);
bool control_same_version(enum store_kind k, const void *object, const Pb__Version *v);

/* ---- lists ---- */
struct control_filter { /* what all lists can be filtered by */
    size_t n_names, n_prefixes, n_ids;
    char *const *names, *const *prefixes, *const *ids;
    size_t n_labels;
    void *labels; /* map entries; model/pb.h */
    bool any;     /* secrets and configs: one match among names, prefixes and ids is enough, case
                     ignored */
};
#define CONTROL_FILTER(f, any_)                                                                    \
    ((f) ? (struct control_filter){(f)->n_names, (f)->n_name_prefixes, (f)->n_id_prefixes,         \
                                   (f)->names, (f)->name_prefixes, (f)->id_prefixes,               \
                                   (f)->n_labels, (f)->labels, (any_)}                             \
         : (struct control_filter){0})
bool control_filter_match(const struct control_filter *f, const char *id, const char *name,
                          const Pb__Annotations *labelled);
bool control_labels_match(size_t n, void *wanted, size_t n_have, void *have);
bool control_has_string(char *const *list, size_t n, const char *s);
bool control_has_prefix_of(char *const *list, size_t n, const char *s);

struct control_list { /* borrowed objects */
    const void **v;
    size_t n, room;
};
void control_list_add(struct control_list *l, const void *object);
/* Every object of a kind that passes the filter, by id. */
struct control_list control_list_of(const struct control *c, enum store_kind k,
                                    const struct control_filter *f);

/* ---- the files' handlers ---- */
struct control_table {
    const struct rpc_handler *handlers;
    size_t n;
};
struct control_table control_secret_table(void);
struct control_table control_config_table(void);
struct control_table control_service_table(void);
struct control_table control_task_table(void);
struct control_table control_node_table(void);
struct control_table control_cluster_table(void);
struct control_table control_network_table(void);
struct control_table control_watch_table(void);
struct control_table control_refused_table(void);
#define CONTROL_TABLE(t) ((struct control_table){(t), sizeof(t) / sizeof(*(t))})

/* A cluster without its keys: a copy that shares everything else with the original, as long as that
 * lives. */
struct control_redacted {
    Pb__Cluster cluster;
    Pb__ClusterSpec spec;
    Pb__CAConfig ca_config;
    Pb__RootCA root_ca;
    Pb__RootRotation rotation;
};
const Pb__Cluster *control_redact_cluster(const Pb__Cluster *c, struct control_redacted *ret);
void control_watch_done(struct control *c);
#endif
