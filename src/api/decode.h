/* api/decode.h - specs as clients send them become messages.
 *
 * Two kinds of error: a type error, noted in the json_in of the walk (its words are the decoder's),
 * and an enum word or combination that cannot be
 * ("invalid RestartCondition: …"), for which -EINVAL and words are returned. Results are malloc'ed
 * messages. Unknown members are ignored. */
#ifndef API_DECODE_H
#define API_DECODE_H
#include "http/json.h"
#include "model/pb.h"
#include "proto/swarm.pb-c.h"

/* Each: 0 and a message; -EINVAL with the words of either kind of error. */
MUST_CHECK int decode_service_spec(const json_t *body, Pb__ServiceSpec **ret, struct err *e);
MUST_CHECK int decode_node_spec(const json_t *body, Pb__NodeSpec **ret, struct err *e);
MUST_CHECK int decode_secret_spec(const json_t *body, Pb__SecretSpec **ret,
                                  struct err *e); /* without its data */
MUST_CHECK int decode_config_spec(const json_t *body, Pb__ConfigSpec **ret, struct err *e);
/* What the body says replaces what base says (NULL: nothing); what it is silent about stays. */
MUST_CHECK int decode_cluster_spec(const struct json_at *at, const Pb__ClusterSpec *base,
                                   Pb__ClusterSpec **ret, struct err *e);

/* parts */
Pb__Annotations *decode_annotations(const struct json_at *at);
Pb__Driver *decode_driver(const struct json_at *at, const char *key); /* NULL when absent */
Google__Protobuf__Duration *
decode_duration(const struct json_at *at, const char *key,
                bool pointer); /* NULL when absent (or 0, unless a pointer in Go) */
/* Index of the word (without regard to case), or -1. */
int decode_word(const char *const *words, size_t n, const char *word);
int decode_task_spec(const struct json_at *at, Pb__TaskSpec **ret, struct err *e);
int decode_container_spec(const struct json_at *at, Pb__ContainerSpec **ret, struct err *e);
size_t decode_networks(const struct json_at *at, Pb__NetworkAttachmentConfig ***ret);
struct pb_pairs { /* collects map<string,string> entries of any message */
    size_t *n;
    struct pb_entry ***list;
};
void decode_pair(void *arg /* struct pb_pairs */, const char *k, const char *v);
void decode_sort_pairs(struct pb_pairs *p);
#define DECODE_MAP(at_, json_key, owner, field, ENTRY_INIT)                                        \
    do {                                                                                           \
        struct pb_pairs pairs_ = {&(owner)->n_##field,                                             \
                                  (struct pb_entry ***)(void *)&(owner)->field};                   \
        json_at_map((at_), (json_key), decode_pair, &pairs_);                                      \
        decode_sort_pairs(&pairs_);                                                                \
        for (size_t i_ = 0; i_ < (owner)->n_##field; i_++) {                                       \
            char *k_ = (owner)->field[i_]->key, *v_ = (owner)->field[i_]->value;                   \
            ENTRY_INIT((owner)->field[i_]);                                                        \
            (owner)->field[i_]->key = k_;                                                          \
            (owner)->field[i_]->value = v_;                                                        \
        }                                                                                          \
    } while (0)
#endif
