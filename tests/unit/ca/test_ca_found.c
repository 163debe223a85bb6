/* unit/ca/test_ca_found.c - a founded cluster has the form of a recorded one. */
#include "lib/check.h"

#include <openssl/pem.h>
#include <openssl/x509v3.h>
#include <stdlib.h>

#include "base/clock.h"
#include "base/id.h"
#include "base/str.h"
#include "ca/ca_cert.h"
#include "ca/ca_found.h"
#include "ca/ca_token.h"
#include "lib/store_fixture.h"
#include "model/pb.h"

#define NOW (1795302125LL * NS_PER_SEC)

static Keep__InitRequest *request(void)
{
    Keep__InitRequest *r = NEW(Keep__InitRequest);
    keep__init_request__init(r);
    r->listen_addr = mem_str("127.0.0.1:2377");
    r->advertise_addr = mem_str("127.0.0.1:2377");
    r->description = PB_NEW(NodeDescription, node_description);
    pb_str(&r->description->hostname, "vm");
    return r;
}

static struct ca_founding *found(Keep__InitRequest *r)
{
    struct ca_founding *f = NULL;
    struct err e = {0};
    if (ca_found_cluster(r, NOW, &f, &e) != 0) {
        printf("# %s\n", err_text(&e));
        abort();
    }
    pb_free(r);
    return f;
}

static void a_plain_init_has_the_engines_defaults(void)
{
    struct ca_founding *f = found(request());
    const Pb__Cluster *c = f->cluster;
    EXPECT(id_valid(c->id));
    EXPECT_STR(pb_name(c->spec->annotations), "default");
    EXPECT_INT(c->spec->orchestration->task_history_retention_limit, 5);
    EXPECT_INT(c->spec->raft->snapshot_interval, 10000);
    EXPECT_INT(c->spec->raft->keep_old_snapshots, 0);
    EXPECT_INT(c->spec->raft->log_entries_for_slow_followers, 500);
    EXPECT_INT(c->spec->raft->election_tick, 10);
    EXPECT_INT(c->spec->raft->heartbeat_tick, 1);
    EXPECT_INT(pb_duration_ns(c->spec->dispatcher->heartbeat_period, 0), 5 * NS_PER_SEC);
    EXPECT_INT(pb_duration_ns(c->spec->ca_config->node_cert_expiry, 0), 7776000000000000);
    EXPECT(!c->spec->encryption_config->auto_lock_managers && !ca_unlock_key(c));
    EXPECT(c->spec->task_defaults && c->spec->acceptance_policy); /* the wire carries them always */
    EXPECT_INT(c->n_defaultaddresspool, 0);
    EXPECT_INT(c->subnetsize, 24);
    EXPECT_INT(c->vxlanudpport, 4789);
    ca_founding_free(f);
}

static void what_init_is_told_is_kept(void)
{
    Keep__InitRequest *r = request();
    r->data_path_port = 7777;
    r->subnet_size = 26;
    PB_PUSH(r->n_default_addr_pool, r->default_addr_pool, mem_str("10.20.0.0/16"));
    r->availability = PB__NODE_SPEC__AVAILABILITY__AVAILABILITY_DRAIN;
    r->spec = PB_NEW(ClusterSpec, cluster_spec);
    r->spec->orchestration = PB_NEW(OrchestrationConfig, orchestration_config);
    r->spec->raft = PB_NEW(RaftConfig, raft_config);
    r->spec->raft->snapshot_interval = 500;
    r->spec->raft->keep_old_snapshots = 1;
    r->spec->dispatcher = PB_NEW(DispatcherConfig, dispatcher_config);
    pb_set_duration(&r->spec->dispatcher->heartbeat_period, 10 * NS_PER_SEC);
    r->spec->ca_config = PB_NEW(CAConfig, caconfig);
    pb_set_duration(&r->spec->ca_config->node_cert_expiry, 172800000000000);
    struct ca_founding *f = found(r);
    const Pb__Cluster *c = f->cluster;
    EXPECT_INT(c->spec->orchestration->task_history_retention_limit, 0);
    EXPECT_INT(c->spec->raft->snapshot_interval, 500);
    EXPECT_INT(c->spec->raft->keep_old_snapshots, 1);
    EXPECT_INT(c->spec->raft->election_tick, 10);
    EXPECT_INT(pb_duration_ns(c->spec->dispatcher->heartbeat_period, 0), 10 * NS_PER_SEC);
    EXPECT(c->n_defaultaddresspool == 1 && str_eq(c->defaultaddresspool[0], "10.20.0.0/16"));
    EXPECT(c->subnetsize == 26 && c->vxlanudpport == 7777 && f->node->vxlanudpport == 7777);
    EXPECT_INT(f->node->spec->availability, PB__NODE_SPEC__AVAILABILITY__AVAILABILITY_DRAIN);
    X509 *leaf = NULL;
    BIO *b = BIO_new_mem_buf(f->node->certificate->certificate.data,
                             (int)f->node->certificate->certificate.len);
    leaf = PEM_read_bio_X509(b, NULL, NULL, NULL);
    BIO_free(b);
    int days = 0, secs = 0;
    REQUIRE(leaf != NULL);
    ASN1_TIME_diff(&days, &secs, X509_get0_notBefore(leaf), X509_get0_notAfter(leaf));
    EXPECT(days == 2 && secs == 3600);
    X509_free(leaf);
    ca_founding_free(f);
}

static void the_first_node_is_a_ready_leader_with_its_certificate(void)
{
    struct ca_founding *f = found(request());
    const Pb__Node *n = f->node;
    EXPECT(id_valid(n->id) && strcmp(n->id, f->cluster->id) != 0);
    EXPECT_INT(n->role, PB__NODE_ROLE__NODE_ROLE_MANAGER);
    EXPECT_INT(n->spec->desired_role, PB__NODE_ROLE__NODE_ROLE_MANAGER);
    EXPECT_INT(n->spec->membership, PB__NODE_SPEC__MEMBERSHIP__MEMBERSHIP_ACCEPTED);
    EXPECT_INT(n->status->state, PB__NODE_STATUS__STATE__STATE_READY);
    EXPECT_STR(n->status->addr, "127.0.0.1");
    EXPECT_STR(n->description->hostname, "vm");
    EXPECT(n->manager_status->leader && n->manager_status->raft_id != 0);
    EXPECT_INT(n->manager_status->reachability,
               PB__RAFT_MEMBER_STATUS__REACHABILITY__REACHABILITY_REACHABLE);
    EXPECT_STR(n->manager_status->addr, "127.0.0.1:2377");
    EXPECT_STR(n->certificate->cn, n->id);
    EXPECT_INT(n->certificate->status->state, PB__ISSUANCE_STATUS__STATE__STATE_ISSUED);
    EXPECT(n->certificate->csr.len > 100);
    const Pb__NodeTLSInfo *t = n->description->tls_info;
    REQUIRE(t != NULL);
    EXPECT(t->trust_root.len == f->cluster->root_ca->ca_cert.len &&
           memcmp(t->trust_root.data, f->cluster->root_ca->ca_cert.data, t->trust_root.len) == 0);
    EXPECT(t->cert_issuer_subject.len == 21 && t->cert_issuer_public_key.len == 91);
    ca_founding_free(f);
}

static X509 *cert_of(const ProtobufCBinaryData *d)
{
    BIO *b = BIO_new_mem_buf(d->data, (int)d->len);
    X509 *x = PEM_read_bio_X509(b, NULL, NULL, NULL);
    BIO_free(b);
    return x;
}

static void the_nodes_key_certificate_and_root_belong_together(void)
{
    struct ca_founding *f = found(request());
    X509 *leaf = cert_of(&f->node->certificate->certificate),
         *root = cert_of(&f->cluster->root_ca->ca_cert);
    REQUIRE(leaf && root && f->node_key);
    BIO *b = BIO_new_mem_buf(secret_buf_bytes(f->node_key), (int)secret_buf_len(f->node_key));
    EVP_PKEY *key = PEM_read_bio_PrivateKey(b, NULL, NULL, NULL);
    EXPECT(key && X509_check_private_key(leaf, key) == 1);
    EXPECT_INT(X509_verify(leaf, X509_get0_pubkey(root)), 1);
    EXPECT(X509_check_host(leaf, "swarm-manager", 0, 0, NULL) == 1 &&
           X509_check_host(leaf, f->node->id, 0, 0, NULL) == 1);
    char o[64];
    X509_NAME_get_text_by_NID(X509_get_subject_name(leaf), NID_organizationName, o, sizeof o);
    EXPECT_STR(o, f->cluster->id);
    EVP_PKEY_free(key);
    BIO_free(b);
    X509_free(leaf);
    X509_free(root);
    ca_founding_free(f);
}

static void both_tokens_carry_the_digest_of_the_root(void)
{
    struct ca_founding *f = found(request());
    const Pb__RootCA *r = f->cluster->root_ca;
    struct ca_bytes pem = {r->ca_cert.data, r->ca_cert.len};
    struct ca_token w, m;
    uint8_t digest[CA_DIGEST];
    char hash[CA_DIGEST_TEXT_SIZE];
    ca_digest(pem, digest);
    ca_digest_text(pem, hash);
    REQUIRE(ca_token_parse(r->join_tokens->worker, &w, NULL) == 0);
    REQUIRE(ca_token_parse(r->join_tokens->manager, &m, NULL) == 0);
    EXPECT(memcmp(w.digest, digest, sizeof digest) == 0 &&
           memcmp(m.digest, digest, sizeof digest) == 0);
    EXPECT(strcmp(r->join_tokens->worker, r->join_tokens->manager) != 0);
    EXPECT_STR(r->ca_cert_hash, hash);
    EXPECT(r->ca_key.len > 100);
    ca_founding_free(f);
}

static void check_refused(Keep__InitRequest *r, int outcome, const char *words)
{
    struct ca_founding *f = NULL;
    struct err e = {0};
    EXPECT_INT(ca_found_cluster(r, NOW, &f, &e), outcome);
    EXPECT_STR(err_text(&e), words);
    EXPECT(f == NULL);
    ca_founding_free(f);
    pb_free(r);
}

static void bad_inits_are_refused_with_the_engines_words(void)
{
    Keep__InitRequest *r = request();
    r->data_path_port = 80;
    check_refused(r, CA_INIT_REFUSED,
                  "Datapath port number is not in valid range (1024-49151) : 80");
    r = request();
    r->subnet_size = 33;
    check_refused(r, CA_INIT_REFUSED, "subnet size is out of range: 33");
    r = request();
    PB_PUSH(r->n_default_addr_pool, r->default_addr_pool, mem_str("10.0.0.0/28"));
    check_refused(r, CA_INIT_REFUSED,
                  "invalid CIDR: \"10.0.0.0/28\". Subnet size is too small for pool: 24");
    static const char *const pools[] = {"10.0.0.0",  "x/8", "10.0.0.0/33",
                                        "10.0.0.0/", "/8",  "1234567890.1234567890/8"};
    for (size_t i = 0; i < sizeof pools / sizeof *pools; i++) {
        char want[96];
        snprintf(want, sizeof want, "invalid CIDR address: %s", pools[i]);
        r = request();
        PB_PUSH(r->n_default_addr_pool, r->default_addr_pool, mem_str(pools[i]));
        check_refused(r, CA_INIT_REFUSED, want);
    }
    r = request();
    r->spec = PB_NEW(ClusterSpec, cluster_spec);
    r->spec->ca_config = PB_NEW(CAConfig, caconfig);
    pb_set_duration(&r->spec->ca_config->node_cert_expiry, 60 * NS_PER_SEC);
    check_refused(r, CA_SPEC_REFUSED, "minimum certificate expiry time is: 1h0m0s");
    r = request();
    r->spec = PB_NEW(ClusterSpec, cluster_spec);
    r->spec->dispatcher = PB_NEW(DispatcherConfig, dispatcher_config);
    pb_set_duration(&r->spec->dispatcher->heartbeat_period, -NS_PER_SEC);
    check_refused(r, CA_SPEC_REFUSED, "heartbeat time period cannot be a negative duration");
    r = request();
    r->spec = PB_NEW(ClusterSpec, cluster_spec);
    r->spec->annotations = PB_NEW(Annotations, annotations);
    pb_str(&r->spec->annotations->name, "mine");
    check_refused(r, CA_INIT_REFUSED, "swarm spec must be named \"default\"");
}

static void an_update_may_not_rename_the_cluster(void)
{
    struct ca_founding *f = found(request());
    struct err e = {0};
    EXPECT_INT(ca_spec_check(f->cluster->spec, &e), 0);
    pb_str(&f->cluster->spec->annotations->name, "mine");
    EXPECT_INT(ca_spec_check(f->cluster->spec, &e), CA_SPEC_REFUSED);
    EXPECT_STR(err_text(&e), "modification of cluster name is not allowed");
    ca_founding_free(f);
}

static void autolock_makes_keeps_rotates_and_drops_the_unlock_key(void)
{
    struct ca_founding *f = found(request());
    Pb__Cluster *c = f->cluster;
    uint8_t first[32];
    ca_rotate_unlock_key(c);
    EXPECT(ca_unlock_key(c) == NULL);
    ca_set_autolock(c, true);
    REQUIRE(ca_unlock_key(c) && ca_unlock_key(c)->key.len == 32);
    EXPECT(c->spec->encryption_config->auto_lock_managers);
    memcpy(first, ca_unlock_key(c)->key.data, 32);
    ca_set_autolock(c, true);
    EXPECT(memcmp(first, ca_unlock_key(c)->key.data, 32) == 0);
    ca_rotate_unlock_key(c);
    EXPECT(memcmp(first, ca_unlock_key(c)->key.data, 32) != 0);
    ca_set_autolock(c, false);
    EXPECT(ca_unlock_key(c) == NULL && !c->spec->encryption_config->auto_lock_managers);
    ca_founding_free(f);
}

static void what_was_founded_goes_into_a_store_and_comes_back(void)
{
    struct store_fixture fx;
    struct ca_founding *f = found(request());
    AUTO_FREE char *cid = mem_str(f->cluster->id);
    AUTO_FREE char *nid = mem_str(f->node->id);
    fixture_open(&fx);
    struct store_batch *b = store_batch_new(fx.store);
    store_create(b, STORE_CLUSTER, TAKE(f->cluster));
    store_create(b, STORE_NODE, TAKE(f->node));
    store_propose(fx.store, b, NULL, NULL);
    fixture_run(&fx);
    for (size_t i = 0; i < fake_log_count(fx.disk); i++) {
        const struct log_record *r = fake_log_record(fx.disk, i);
        EXPECT(!memmem(r->bytes, r->len, "PRIVATE KEY", 11) &&
               !memmem(r->bytes, r->len, "SWMTKN", 6));
    }
    fixture_reopen(&fx);
    const Pb__Cluster *c = STORE_GET(fx.store, STORE_COMMITTED, CLUSTER, Cluster, cid);
    EXPECT(c && c == store_by_name(fx.store, STORE_COMMITTED, STORE_CLUSTER, "default"));
    EXPECT(c && memmem(c->root_ca->ca_key.data, c->root_ca->ca_key.len, "PRIVATE KEY", 11));
    const Pb__Node *n = STORE_GET(fx.store, STORE_COMMITTED, NODE, Node, nid);
    EXPECT(n && str_eq(store_object_name(STORE_NODE, n), "vm") && n->meta->version->index == 1);
    fixture_close(&fx);
    ca_founding_free(f);
}

int main(void)
{
    struct err e = {0};
    if (secret_arena_open(4 << 20, &e) < 0) {
        printf("# %s\n", err_text(&e));
        return 2;
    }
    TEST(a_plain_init_has_the_engines_defaults);
    TEST(what_init_is_told_is_kept);
    TEST(the_first_node_is_a_ready_leader_with_its_certificate);
    TEST(the_nodes_key_certificate_and_root_belong_together);
    TEST(both_tokens_carry_the_digest_of_the_root);
    TEST(bad_inits_are_refused_with_the_engines_words);
    TEST(an_update_may_not_rename_the_cluster);
    TEST(autolock_makes_keeps_rotates_and_drops_the_unlock_key);
    TEST(what_was_founded_goes_into_a_store_and_comes_back);
    return check_done();
}
