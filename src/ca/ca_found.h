/* ca/ca_found.h - founding a cluster: the objects with which it begins. Pure but for randomness;
 * main proposes them in one batch.
 *
 * The root's private key lies in the cluster's object: sealed at rest by the store, never sent to a
 * worker. */
#ifndef CA_CA_FOUND_H
#define CA_CA_FOUND_H
#include <stdbool.h>
#include <stdint.h>
#include "base/err.h"
#include "base/secret.h"
#include "ca/ca_spec.h"
#include "proto/keep.pb-c.h"
#include "proto/swarm.pb-c.h"

struct ca_founding {
    Pb__Cluster *cluster; /* taken out (TAKE) by who proposes it */
    Pb__Node *node;       /* the first manager; its certificate is in certificate.certificate */
    struct secret_buf *node_key; /* PEM */
};
/* 0, CA_INIT_REFUSED, CA_SPEC_REFUSED, or negative. */
MUST_CHECK int ca_found_cluster(const Keep__InitRequest *r, int64_t now_ns,
                                struct ca_founding **ret, struct err *e);
void ca_founding_free(struct ca_founding *f); /* what was not taken out; NULL is fine */

/* The unlock key lies in the cluster too, 32 bytes, so that every manager can wrap its keyring with
 * it (keys/kek.h). Both change a copy of the cluster. Turning on what is on already keeps the key.
 */
void ca_set_autolock(Pb__Cluster *copy, bool on);
void ca_rotate_unlock_key(Pb__Cluster *copy);                 /* nothing when autolock is off */
const Pb__EncryptionKey *ca_unlock_key(const Pb__Cluster *c); /* NULL when autolock is off */
#endif
