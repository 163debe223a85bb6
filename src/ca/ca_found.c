/* ca/ca_found.c - the first objects of a cluster. */
#include "ca/ca_found.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/id.h"
#include "base/mem.h"
#include "base/str.h"
#include "ca/ca_cert.h"
#include "ca/ca_token.h"
#include "model/pb.h"

enum { UNLOCK_KEY = 32 };
#define UNLOCK_SUBSYSTEM "swarm-manager"

static struct ca_bytes bytes_of(const ProtobufCBinaryData *b)
{
    return (struct ca_bytes){b->data, b->len};
}

static void set_text(ProtobufCBinaryData *field, const char *text)
{
    pb_bytes(field, text, strlen(text));
}

static char *new_id(void)
{
    char id[ID_SIZE];
    id_new(id);
    return mem_str(id);
}

static int make_root(Pb__Cluster *c, int64_t now, struct err *e)
{
    AUTO_FREE char *cert = NULL;
    AUTO_SECRET struct secret_buf *key = NULL;
    char digest[CA_DIGEST_TEXT_SIZE];
    int r = ca_root_new(now, &cert, &key, e);
    if (r < 0)
        return r;
    c->root_ca = PB_NEW(RootCA, root_ca);
    set_text(&c->root_ca->ca_cert, cert);
    pb_bytes(&c->root_ca->ca_key, secret_buf_bytes(key), secret_buf_len(key));
    ca_digest_text(bytes_of(&c->root_ca->ca_cert), digest);
    pb_str(&c->root_ca->ca_cert_hash, digest);
    ca_rotate_tokens(c, true, true);
    return 0;
}

static int make_cluster(const Keep__InitRequest *req, int64_t now, Pb__Cluster **ret, struct err *e)
{
    Pb__Cluster *c = *ret = PB_NEW(Cluster, cluster);
    c->id = new_id();
    c->spec = req->spec ? pb_dup(req->spec) : PB_NEW(ClusterSpec, cluster_spec);
    ca_spec_defaults(c->spec);
    int r = ca_spec_check(c->spec, e);
    if (r == 0)
        r = make_root(c, now, e);
    if (r != 0)
        return r;
    /* Pools are kept only when they were given: the engine shows null otherwise. */
    for (size_t i = 0; i < req->n_default_addr_pool; i++)
        PB_PUSH(c->n_defaultaddresspool, c->defaultaddresspool, mem_str(req->default_addr_pool[i]));
    c->subnetsize = req->subnet_size ? req->subnet_size : CA_SUBNET_SIZE;
    c->vxlanudpport = req->data_path_port ? req->data_path_port : CA_DATA_PATH_PORT;
    if (c->spec->encryption_config->auto_lock_managers)
        ca_set_autolock(c, true);
    return 0;
}

static int add_tls_info(Pb__Node *n, const Pb__Cluster *c, struct err *e)
{
    AUTO_FREE void *subject = NULL;
    AUTO_FREE void *key = NULL;
    size_t ns, nk;
    int r = ca_issuer_info(bytes_of(&c->root_ca->ca_cert), &subject, &ns, &key, &nk, e);
    if (r < 0)
        return r;
    if (n->description->tls_info)
        pb_free(n->description->tls_info);
    Pb__NodeTLSInfo *t = n->description->tls_info = PB_NEW(NodeTLSInfo, node_tlsinfo);
    pb_bytes(&t->trust_root, c->root_ca->ca_cert.data, c->root_ca->ca_cert.len);
    pb_bytes(&t->cert_issuer_subject, subject, ns);
    pb_bytes(&t->cert_issuer_public_key, key, nk);
    return 0;
}

static int add_certificate(Pb__Node *n, const Pb__Cluster *c, int64_t now,
                           struct secret_buf **ret_key, struct err *e)
{
    AUTO_FREE char *csr = NULL;
    AUTO_FREE char *cert = NULL;
    AUTO_SECRET struct secret_buf *key = NULL;
    struct ca_subject subject = {.node_id = n->id, .cluster_id = c->id, .manager = true};
    int r = ca_key_new(&key, e);
    if (r == 0)
        r = ca_csr_new(key, &csr, e);
    if (r == 0)
        r = ca_issue(bytes_of(&c->root_ca->ca_cert), bytes_of(&c->root_ca->ca_key),
                     (struct ca_bytes){csr, strlen(csr)}, &subject,
                     pb_duration_ns(c->spec->ca_config->node_cert_expiry, CA_EXPIRY_DEFAULT_NS),
                     now, &cert, e);
    if (r < 0)
        return r;
    Pb__Certificate *x = n->certificate = PB_NEW(Certificate, certificate);
    x->role = PB__NODE_ROLE__NODE_ROLE_MANAGER;
    set_text(&x->csr, csr);
    set_text(&x->certificate, cert);
    pb_str(&x->cn, n->id);
    x->status = PB_NEW(IssuanceStatus, issuance_status);
    x->status->state = PB__ISSUANCE_STATUS__STATE__STATE_ISSUED;
    *ret_key = TAKE(key);
    return 0;
}

/* "host:port" or "[v6]:port" without its port */
static char *host_of(const char *addr)
{
    const char *colon = strrchr(addr, ':');
    size_t n = colon ? (size_t)(colon - addr) : strlen(addr);
    if (n >= 2 && addr[0] == '[' && addr[n - 1] == ']')
        return mem_strn(addr + 1, n - 2);
    return mem_strn(addr, n);
}

static int make_node(const Keep__InitRequest *req, const Pb__Cluster *c, int64_t now,
                     struct ca_founding *f, struct err *e)
{
    Pb__Node *n = f->node = PB_NEW(Node, node);
    n->id = new_id();
    n->role = PB__NODE_ROLE__NODE_ROLE_MANAGER;
    n->spec = PB_NEW(NodeSpec, node_spec);
    n->spec->annotations = PB_NEW(Annotations, annotations);
    n->spec->desired_role = PB__NODE_ROLE__NODE_ROLE_MANAGER;
    n->spec->membership = PB__NODE_SPEC__MEMBERSHIP__MEMBERSHIP_ACCEPTED;
    n->spec->availability = req->availability;
    n->description =
        req->description ? pb_dup(req->description) : PB_NEW(NodeDescription, node_description);
    n->status = PB_NEW(NodeStatus, node_status);
    n->status->state = PB__NODE_STATUS__STATE__STATE_READY;
    n->status->addr = host_of(str_or(req->advertise_addr, ""));
    n->manager_status = PB_NEW(ManagerStatus, manager_status);
    do
        n->manager_status->raft_id = random_u64();
    while (n->manager_status->raft_id == 0);
    pb_str(&n->manager_status->addr, req->advertise_addr);
    n->manager_status->leader = true;
    n->manager_status->reachability = PB__RAFT_MEMBER_STATUS__REACHABILITY__REACHABILITY_REACHABLE;
    n->vxlanudpport = c->vxlanudpport;
    int r = add_certificate(n, c, now, &f->node_key, e);
    return r < 0 ? r : add_tls_info(n, c, e);
}

int ca_found_cluster(const Keep__InitRequest *r, int64_t now_ns, struct ca_founding **ret,
                     struct err *e)
{
    int rc = ca_init_check(r, e);
    if (rc != 0)
        return rc;
    struct ca_founding *f = NEW(struct ca_founding);
    rc = make_cluster(r, now_ns, &f->cluster, e);
    if (rc == 0)
        rc = make_node(r, f->cluster, now_ns, f, e);
    if (rc != 0) {
        ca_founding_free(f);
        return rc;
    }
    *ret = f;
    return 0;
}

void ca_founding_free(struct ca_founding *f)
{
    if (!f)
        return;
    if (f->cluster && f->cluster->root_ca && f->cluster->root_ca->ca_key.data)
        secret_wipe(f->cluster->root_ca->ca_key.data, f->cluster->root_ca->ca_key.len);
    pb_free(f->cluster);
    pb_free(f->node);
    secret_buf_free(f->node_key);
    free(f);
}

/* ---- autolock ---- */

static Pb__EncryptionKey *find_unlock_key(const Pb__Cluster *c)
{
    for (size_t i = 0; i < c->n_unlock_keys; i++)
        if (str_eq(c->unlock_keys[i]->subsystem, UNLOCK_SUBSYSTEM))
            return c->unlock_keys[i];
    return NULL;
}

const Pb__EncryptionKey *ca_unlock_key(const Pb__Cluster *c)
{
    return find_unlock_key(c);
}

void ca_rotate_unlock_key(Pb__Cluster *copy)
{
    uint8_t key[UNLOCK_KEY];
    Pb__EncryptionKey *k = find_unlock_key(copy);
    if (!k)
        return;
    random_bytes(key, sizeof key);
    pb_bytes(&k->key, key, sizeof key);
    secret_wipe(key, sizeof key);
}

void ca_set_autolock(Pb__Cluster *copy, bool on)
{
    Pb__EncryptionKey *k = find_unlock_key(copy);
    copy->spec->encryption_config->auto_lock_managers = on;
    if (on == (k != NULL))
        return;
    if (on) {
        k = PB_NEW(EncryptionKey, encryption_key);
        pb_str(&k->subsystem, UNLOCK_SUBSYSTEM);
        PB_PUSH(copy->n_unlock_keys, copy->unlock_keys, k);
        ca_rotate_unlock_key(copy);
        return;
    }
    for (size_t i = 0; i < copy->n_unlock_keys; i++)
        if (copy->unlock_keys[i] == k) {
            copy->unlock_keys[i] = copy->unlock_keys[--copy->n_unlock_keys];
            break;
        }
    secret_wipe(k->key.data, k->key.len);
    pb_free(k);
}
