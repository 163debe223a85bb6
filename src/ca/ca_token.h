/* ca/ca_token.h - join tokens: what a new node must show, and how it knows the cluster's root.
 *
 * "SWMTKN-1-" 50 base-36 digits of the SHA-256 of the root's PEM text, "-", 25 base-36 digits of 16
 * random bytes. Version 2 carries a flag for FIPS clusters; it is read, never made. Pure. */
#ifndef CA_CA_TOKEN_H
#define CA_CA_TOKEN_H
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "base/err.h"
#include "ca/ca_cert.h"
#include "proto/swarm.pb-c.h"

enum { CA_DIGEST = 32, CA_TOKEN_LEN = 85, CA_TOKEN_SIZE = 86, CA_DIGEST_TEXT_SIZE = 72 };
enum { CA_TOKEN_WORKER = 1, CA_TOKEN_MANAGER }; /* outcomes of ca_token_role */

struct ca_token {
    uint8_t digest[CA_DIGEST];
    bool fips;
};

void ca_digest(struct ca_bytes root_pem, uint8_t ret[CA_DIGEST]);
void ca_digest_text(struct ca_bytes root_pem,
                    char ret[CA_DIGEST_TEXT_SIZE]); /* "sha256:" and hex */
void ca_token_new(struct ca_bytes root_pem, char ret[CA_TOKEN_SIZE]);
MUST_CHECK int ca_token_parse(const char *text, struct ca_token *ret,
                              struct err *e); /* -EINVAL "invalid join token" */
/* Which of the cluster's tokens it is, compared whole and in constant time; -EACCES: neither. */
MUST_CHECK int ca_token_role(const Pb__Cluster *c, const char *text, struct err *e);
/* New secrets for the chosen roles, in a copy of the cluster that the caller proposes. */
void ca_rotate_tokens(Pb__Cluster *copy, bool worker, bool manager);
#endif
