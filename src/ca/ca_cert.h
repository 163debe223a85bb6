/* ca/ca_cert.h - the root of the cluster and the certificates that it issues to nodes.
 *
 * Pure but for the kernel's randomness: values in, values out, `now` is a parameter. Certificates
 * and requests are PEM text, malloc'ed; private keys are PEM (PKCS#8) in secret memory. The forms
 * are those that swarm nodes expect: ECDSA P-256 with SHA-256, subject of a leaf O=cluster,
 * OU=role, CN=node; key identifiers in every certificate, since every root of every cluster has one
 * and the same name.
 *
 * Errors: -EINVAL what was given is no certificate, key or request; -EBADMSG a request is not
 * signed by its own key; -EPROTO OpenSSL. */
#ifndef CA_CA_CERT_H
#define CA_CA_CERT_H
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "base/err.h"
#include "base/secret.h"

#define CA_ROLE_MANAGER "swarm-manager"
#define CA_ROLE_WORKER "swarm-worker"
#define CA_NAME "swarm-ca"
#define CA_EXPIRY_DEFAULT_NS (2160LL * 3600 * 1000000000)
#define CA_EXPIRY_MIN_NS (3600LL * 1000000000)
enum { CA_PEM_MAX = 65536 }; /* of a bundle or request that comes from outside */

struct ca_bytes { /* borrowed */
    const void *p;
    size_t n;
};
struct ca_subject {
    const char *node_id, *cluster_id;
    bool manager;
};

MUST_CHECK int ca_root_new(int64_t now_ns, char **ret_cert, struct secret_buf **ret_key,
                           struct err *e);
MUST_CHECK int ca_key_new(struct secret_buf **ret_key, struct err *e);
MUST_CHECK int ca_csr_new(const struct secret_buf *key, char **ret_csr,
                          struct err *e); /* empty subject: the manager names */
/* Only the public key is taken from the request. An expiry below CA_EXPIRY_MIN_NS becomes the
 * default. */
MUST_CHECK int ca_issue(struct ca_bytes root_cert, struct ca_bytes root_key, struct ca_bytes csr,
                        const struct ca_subject *subject, int64_t expiry_ns, int64_t now_ns,
                        char **ret_cert, struct err *e);
/* What a node's TLSInfo says of its issuer: DER of the subject and of the public key of the first
 * certificate. Malloc'ed. */
MUST_CHECK int ca_issuer_info(struct ca_bytes cert, void **ret_subject, size_t *ret_subject_len,
                              void **ret_key, size_t *ret_key_len, struct err *e);
#endif
