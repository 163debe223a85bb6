/* api/state.h - what the files of this room share: the api itself, calls to the manager, looking
 * objects up. Not for other rooms. */
#ifndef API_STATE_H
#define API_STATE_H
#include "api/api.h"
#include "api/route.h"
#include "model/pb.h"
#include "proto/control.pb-c.h"
#include "proto/swarm.pb-c.h"

enum { API_RPC_MS = 20000 }; /* the engine's limit on calls to its manager */

struct api_events;
struct api {
    struct api_options o;
    char *data_root;
    const char *swarm_header; /* what /_ping says */
    char engine_id[60];       /* what /info says: made of the data root's own identity */
    struct http_server *http;
    struct api_events *events;
    struct runtime_watch *watch;
};

/* ---- the manager (manager.c) ---- */
/* The client, or NULL after the engine's 503 ("This node is not a swarm manager. …") has been
 * given. */
struct rpc_client *api_manager(struct api_call *c);
/* Calls the manager; a failure is answered here. on_ok gets the response, borrowed for the call: it
 * lies in one block of rpc's, so no part of it may be taken out, changed or freed (pb_dup makes a
 * copy that may). */
void api_rpc(struct api_call *c, const struct rpc_method *m, const void *request,
             void (*on_ok)(struct api_call *c, ProtobufCMessage *response));
/* The same, but the handler sees the failure too: response NULL and st. */
void api_rpc_any(struct api_call *c, const struct rpc_method *m, const void *request,
                 void (*on_done)(struct api_call *c, const struct rpc_status *st,
                                 ProtobufCMessage *response));

/* ---- looking up (resolve.c): id, name, unique id prefix, in the engine's order ---- */
enum api_kind { KIND_SECRET, KIND_CONFIG, KIND_SERVICE, KIND_NODE, KIND_TASK, KIND_NETWORK };
/* on_found gets the object (a Pb__Secret etc., borrowed for the call); not found and ambiguous are
 * answered here. */
void api_resolve(struct api_call *c, enum api_kind kind, const char *ref,
                 void (*on_found)(struct api_call *c, void *object));
/* Not found calls on_none instead of answering 404. */
void api_resolve_or(struct api_call *c, enum api_kind kind, const char *ref,
                    void (*on_found)(struct api_call *c, void *object),
                    void (*on_none)(struct api_call *c));
/* Replaces each value by the id it stands for, one after another; then on_all. values: a
 * NULL-terminated malloc'ed vector that the caller keeps. */
void api_resolve_all(struct api_call *c, enum api_kind kind, char **values,
                     void (*on_all)(struct api_call *c));

/* ---- parameters ---- */
/* ?version=: 0, or answered. word: "secret" ("invalid secret version") or "service" ("invalid
 * service version 'x': strconv.ParseUint: …"). */
MUST_CHECK int api_version_param(struct api_call *c, const char *word, bool with_reason,
                                 uint64_t *ret);

/* ---- for tests too: pure ---- */
unsigned api_status_of(enum rpc_code code); /* errors.c */

/* events.c */
struct api_events *api_events_new(struct api *a);
void api_events_free(struct api_events *ev);
void api_events_manager(struct api_events *ev, struct rpc_client *client);
void api_events_route(struct api_call *c);
size_t api_events_listeners(const struct api_events *ev);

/* handlers, by file */
void api_secret_list(struct api_call *c);
void api_secret_create(struct api_call *c);
void api_secret_get(struct api_call *c);
void api_secret_remove(struct api_call *c);
void api_secret_update(struct api_call *c);
void api_config_list(struct api_call *c);
void api_config_create(struct api_call *c);
void api_config_get(struct api_call *c);
void api_config_remove(struct api_call *c);
void api_config_update(struct api_call *c);
void api_service_list(struct api_call *c);
void api_service_create(struct api_call *c);
void api_service_get(struct api_call *c);
void api_service_remove(struct api_call *c);
void api_service_update(struct api_call *c);
void api_service_logs(struct api_call *c);
void api_task_list(struct api_call *c);
void api_task_get(struct api_call *c);
void api_task_logs(struct api_call *c);
void api_node_list(struct api_call *c);
void api_node_get(struct api_call *c);
void api_node_update(struct api_call *c);
void api_node_remove(struct api_call *c);
void api_swarm_get(struct api_call *c);
void api_swarm_init(struct api_call *c);
void api_swarm_join(struct api_call *c);
void api_swarm_leave(struct api_call *c);
void api_swarm_update(struct api_call *c);
void api_swarm_unlockkey(struct api_call *c);
void api_swarm_unlock(struct api_call *c);
void api_network_list(struct api_call *c);
void api_network_get(struct api_call *c);
void api_network_create(struct api_call *c);
void api_network_remove(struct api_call *c);
void api_ping(struct api_call *c);
void api_version(struct api_call *c);
void api_info(struct api_call *c);
void api_distribution(struct api_call *c);
void api_auth(struct api_call *c);
void api_df(struct api_call *c);
void api_volume_list(struct api_call *c);
void api_volume_get(struct api_call *c);
void api_volume_other(struct api_call *c);
void api_plugin_list(struct api_call *c);
void api_plugin_get(struct api_call *c);
#endif
