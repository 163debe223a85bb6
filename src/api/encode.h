/* api/encode.h - cluster objects as the engine writes them: the order of members and what is left
 * out are part of the format.
 *
 * NULL parts of an object are written as if empty. A secret's data is never written: there is no
 * function for it. */
#ifndef API_ENCODE_H
#define API_ENCODE_H
#include "base/jw.h"
#include "model/pb.h"
#include "proto/control.pb-c.h"
#include "proto/swarm.pb-c.h"

/* encode_common.c */
void encode_head(struct jw *w, const char *id,
                 const Pb__Meta *meta); /* ID, Version, CreatedAt, UpdatedAt */
void encode_version(struct jw *w, const char *key, const Pb__Version *v);
void encode_map(struct jw *w, const char *key, struct pb_map m); /* keys in order; {} when empty */
void encode_map_opt(struct jw *w, const char *key, struct pb_map m);    /* nothing when empty */
void encode_labels(struct jw *w, const Pb__Annotations *a);             /* "Labels" */
void encode_driver(struct jw *w, const char *key, const Pb__Driver *d); /* nothing for NULL */
void encode_strings(struct jw *w, const char *key, char *const *v,
                    size_t n); /* nothing when n is 0 */
void encode_duration(struct jw *w, const char *key, const Google__Protobuf__Duration *d,
                     bool zero_too);
void encode_generic(struct jw *w, const char *key, Pb__GenericResource *const *g, size_t n);
void encode_int_opt(struct jw *w, const char *key, int64_t v);
void encode_ports(struct jw *w, const char *key, Pb__PortConfig *const *p, size_t n);
/* "RESTART_CONDITION_ON_FAILURE" -> "on-failure": the word of an enum value, or "" */
const char *encode_word(const char *const *words, size_t n, int value);

/* encode_spec.c */
void encode_task_spec(struct jw *w, const char *key, const Pb__TaskSpec *t, bool of_service);
void encode_service_spec(struct jw *w, const char *key, const Pb__ServiceSpec *s);
void encode_endpoint_spec(struct jw *w, const char *key, const Pb__EndpointSpec *s);

/* encode_object.c */
void encode_secret(struct jw *w, const char *key, const Pb__Secret *s);
void encode_config(struct jw *w, const char *key, const Pb__Config *c);
void encode_service(struct jw *w, const char *key, const Pb__Service *s,
                    const Pb__ListServiceStatusesResponse__ServiceStatus *status);
void encode_task(struct jw *w, const char *key, const Pb__Task *t);
void encode_node(struct jw *w, const char *key, const Pb__Node *n);
void encode_cluster(struct jw *w, const char *key, const Pb__Cluster *c, bool with_tokens);
void encode_network(struct jw *w, const char *key, const Pb__Network *n, bool full);
const char *encode_update_state(int state); /* "" for none */

/* encode_tls.c */
void encode_trust_root(
    struct jw *w, const char *key,
    ProtobufCBinaryData pem); /* TLSInfo of a root certificate; {} when it is none */
#endif
