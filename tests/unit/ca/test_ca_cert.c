/* unit/ca/test_ca_cert.c - certificates, held against OpenSSL's own checks. */
#include "lib/check.h"

#include <errno.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>
#include <stdlib.h>

#include "base/clock.h"
#include "base/mem.h"
#include "ca/ca_cert.h"

#define NOW (1795302125LL * NS_PER_SEC) /* 2026-11-21 23:02:05 UTC */
#define NODE "dyyqznnkfosc686obuw0jcvkp"
#define CLUSTER "q6a4u4e40irlk2lasljgi0h8c"

static char *root_pem;
static struct secret_buf *root_key;

static struct ca_bytes text(const char *s)
{
    return (struct ca_bytes){s, strlen(s)};
}

static struct ca_bytes key_of(const struct secret_buf *k)
{
    return (struct ca_bytes){secret_buf_bytes(k), secret_buf_len(k)};
}

static X509 *parse(const char *pem)
{
    BIO *b = BIO_new_mem_buf(pem, -1);
    X509 *c = PEM_read_bio_X509(b, NULL, NULL, NULL);
    BIO_free(b);
    return c;
}

static int issue(bool manager, int64_t expiry, char **ret)
{
    struct secret_buf *key = NULL;
    AUTO_FREE char *csr = NULL;
    struct err e = {0};
    struct ca_subject s = {NODE, CLUSTER, manager};
    int r = ca_key_new(&key, &e);
    if (r == 0)
        r = ca_csr_new(key, &csr, &e);
    if (r == 0)
        r = ca_issue(text(root_pem), key_of(root_key), text(csr), &s, expiry, NOW, ret, &e);
    secret_buf_free(key);
    if (r < 0)
        printf("# %s\n", err_text(&e));
    return r;
}

/* OpenSSL's own check of the chain, for a purpose, at a time; 0 or its error. */
static int verify(const char *leaf_pem, const char *anchor_pem, int purpose, int64_t at,
                  const char *host)
{
    X509 *leaf = parse(leaf_pem), *anchor = parse(anchor_pem);
    X509_STORE *store = X509_STORE_new();
    X509_STORE_CTX *ctx = X509_STORE_CTX_new();
    X509_STORE_add_cert(store, anchor);
    X509_STORE_CTX_init(ctx, store, leaf, NULL);
    X509_VERIFY_PARAM *p = X509_STORE_CTX_get0_param(ctx);
    X509_VERIFY_PARAM_set_time(p, (time_t)(at / NS_PER_SEC));
    X509_VERIFY_PARAM_set_purpose(p, purpose);
    X509_VERIFY_PARAM_set_flags(p, X509_V_FLAG_X509_STRICT);
    if (host)
        X509_VERIFY_PARAM_set1_host(p, host, 0);
    int r = X509_verify_cert(ctx) == 1 ? 0 : X509_STORE_CTX_get_error(ctx);
    X509_STORE_CTX_free(ctx);
    X509_STORE_free(store);
    X509_free(leaf);
    X509_free(anchor);
    return r;
}

static long seconds_between(const ASN1_TIME *a, const ASN1_TIME *b)
{
    int days = 0, secs = 0;
    ASN1_TIME_diff(&days, &secs, a, b);
    return days * 86400L + secs;
}

static long seconds_from_now(const ASN1_TIME *t)
{
    ASN1_TIME *now = ASN1_TIME_set(NULL, (time_t)(NOW / NS_PER_SEC));
    long s = seconds_between(now, t);
    ASN1_TIME_free(now);
    return s;
}

static void the_root_has_the_form_of_a_swarm_root(void)
{
    X509 *c = parse(root_pem);
    char name[64];
    REQUIRE(c != NULL);
    X509_NAME_oneline(X509_get_subject_name(c), name, sizeof name);
    EXPECT_STR(name, "/CN=swarm-ca");
    EXPECT(X509_NAME_cmp(X509_get_subject_name(c), X509_get_issuer_name(c)) == 0);
    EXPECT_INT(X509_verify(c, X509_get0_pubkey(c)), 1);
    EXPECT(EVP_PKEY_get_bits(X509_get0_pubkey(c)) == 256 &&
           EVP_PKEY_is_a(X509_get0_pubkey(c), "EC"));
    EXPECT_INT(X509_get_signature_nid(c), NID_ecdsa_with_SHA256);
    EXPECT_INT(X509_get_key_usage(c), KU_KEY_CERT_SIGN | KU_CRL_SIGN);
    EXPECT(X509_check_ca(c) == 1 && X509_get_pathlen(c) == -1);
    EXPECT(X509_get0_subject_key_id(c) != NULL && X509_get0_authority_key_id(c) == NULL);
    EXPECT_INT(seconds_from_now(X509_get0_notBefore(c)), -5 - 5 * 60); /* minute 23:02, five back */
    EXPECT_INT(seconds_between(X509_get0_notBefore(c), X509_get0_notAfter(c)), 630720000);
    EXPECT_INT(X509_get_version(c), X509_VERSION_3);
    X509_free(c);
}

static void the_issuer_is_encoded_as_the_engine_does_it(void)
{
    void *subject = NULL, *key = NULL;
    size_t ns, nk;
    REQUIRE(ca_issuer_info(text(root_pem), &subject, &ns, &key, &nk, NULL) == 0);
    static const uint8_t want[] = {0x30, 0x13, 0x31, 0x11, 0x30, 0x0f, 0x06, 0x03, 0x55, 0x04, 0x03,
                                   0x13, 0x08, 's',  'w',  'a',  'r',  'm',  '-',  'c',  'a'};
    EXPECT(ns == sizeof want && memcmp(subject, want, ns) == 0);
    EXPECT_INT(nk, 91);
    free(subject);
    free(key);
}

static void a_manager_certificate_verifies_for_server_and_client(void)
{
    AUTO_FREE char *pem = NULL;
    REQUIRE(issue(true, CA_EXPIRY_DEFAULT_NS, &pem) == 0);
    EXPECT_INT(verify(pem, root_pem, X509_PURPOSE_SSL_SERVER, NOW, "swarm-manager"), 0);
    EXPECT_INT(verify(pem, root_pem, X509_PURPOSE_SSL_SERVER, NOW, "swarm-ca"), 0);
    EXPECT_INT(verify(pem, root_pem, X509_PURPOSE_SSL_CLIENT, NOW, NODE), 0);
    EXPECT_INT(verify(pem, root_pem, X509_PURPOSE_SSL_SERVER, NOW, "swarm-worker"),
               X509_V_ERR_HOSTNAME_MISMATCH);
    X509 *c = parse(pem);
    char name[128];
    X509_NAME_oneline(X509_get_subject_name(c), name, sizeof name);
    EXPECT_STR(name, "/O=" CLUSTER "/OU=swarm-manager/CN=" NODE);
    EXPECT_INT(X509_get_key_usage(c), KU_DIGITAL_SIGNATURE | KU_KEY_ENCIPHERMENT);
    EXPECT_INT(X509_get_extended_key_usage(c), XKU_SSL_SERVER | XKU_SSL_CLIENT);
    EXPECT(X509_get0_subject_key_id(c) && X509_get0_authority_key_id(c));
    EXPECT_INT(X509_check_ca(c), 0);
    EXPECT_INT(seconds_from_now(X509_get0_notBefore(c)), -5 - 3600);
    EXPECT_INT(seconds_between(X509_get0_notBefore(c), X509_get0_notAfter(c)), 2160 * 3600 + 3600);
    X509_free(c);
}

static void a_worker_certificate_is_no_manager_and_no_ca(void)
{
    AUTO_FREE char *pem = NULL;
    REQUIRE(issue(false, CA_EXPIRY_DEFAULT_NS, &pem) == 0);
    EXPECT_INT(verify(pem, root_pem, X509_PURPOSE_SSL_CLIENT, NOW, "swarm-worker"), 0);
    EXPECT_INT(verify(pem, root_pem, X509_PURPOSE_SSL_CLIENT, NOW, "swarm-manager"),
               X509_V_ERR_HOSTNAME_MISMATCH);
    EXPECT_INT(verify(pem, root_pem, X509_PURPOSE_SSL_CLIENT, NOW, "swarm-ca"),
               X509_V_ERR_HOSTNAME_MISMATCH);
}

static void an_expired_certificate_does_not_verify(void)
{
    AUTO_FREE char *pem = NULL;
    REQUIRE(issue(false, CA_EXPIRY_MIN_NS, &pem) == 0);
    EXPECT_INT(verify(pem, root_pem, X509_PURPOSE_SSL_CLIENT, NOW + 59 * 60 * NS_PER_SEC, NULL), 0);
    EXPECT_INT(verify(pem, root_pem, X509_PURPOSE_SSL_CLIENT, NOW + 2 * 3600 * NS_PER_SEC, NULL),
               X509_V_ERR_CERT_HAS_EXPIRED);
}

static void too_short_a_life_becomes_the_default(void)
{
    AUTO_FREE char *pem = NULL;
    REQUIRE(issue(false, 1, &pem) == 0);
    X509 *c = parse(pem);
    EXPECT_INT(seconds_between(X509_get0_notBefore(c), X509_get0_notAfter(c)), 2161 * 3600);
    X509_free(c);
}

static void another_root_of_the_same_name_does_not_verify_it(void)
{
    AUTO_FREE char *pem = NULL;
    AUTO_FREE char *other = NULL;
    AUTO_SECRET struct secret_buf *other_key = NULL;
    REQUIRE(issue(true, CA_EXPIRY_DEFAULT_NS, &pem) == 0);
    REQUIRE(ca_root_new(NOW, &other, &other_key, NULL) == 0);
    EXPECT(verify(pem, other, X509_PURPOSE_SSL_SERVER, NOW, NULL) != 0);
    /* and a root's certificate does not go with another root's key */
    AUTO_SECRET struct secret_buf *key = NULL;
    AUTO_FREE char *csr = NULL;
    char *out = NULL;
    struct ca_subject s = {NODE, CLUSTER, true};
    struct err e = {0};
    REQUIRE(ca_key_new(&key, &e) == 0 && ca_csr_new(key, &csr, &e) == 0);
    EXPECT_INT(ca_issue(text(other), key_of(root_key), text(csr), &s, 0, NOW, &out, &e), -EINVAL);
    EXPECT(out == NULL && *err_text(&e));
}

static int issue_for(struct ca_bytes csr, const char *node, const char *cluster)
{
    char *out = NULL;
    struct err e = {0};
    struct ca_subject s = {node, cluster, true};
    int r = ca_issue(text(root_pem), key_of(root_key), csr, &s, 0, NOW, &out, &e);
    if (r != 0 && !*err_text(&e))
        abort(); /* refused without words */
    free(out);
    return r;
}

static void a_strange_request_is_refused(void)
{
    AUTO_SECRET struct secret_buf *key = NULL;
    AUTO_FREE char *csr = NULL;
    REQUIRE(ca_key_new(&key, NULL) == 0 && ca_csr_new(key, &csr, NULL) == 0);
    EXPECT_INT(issue_for(text(csr), NODE, CLUSTER), 0);
    EXPECT_INT(issue_for(text(""), NODE, CLUSTER), -EINVAL);
    EXPECT_INT(issue_for(text("hello"), NODE, CLUSTER), -EINVAL);
    EXPECT_INT(issue_for(text(root_pem), NODE, CLUSTER), -EINVAL);
    AUTO_FREE char *huge = mem_new(CA_PEM_MAX + 2);
    memset(huge, 'a', CA_PEM_MAX + 1);
    EXPECT_INT(issue_for(text(huge), NODE, CLUSTER), -EINVAL);
    /* every altered letter: never issued, never a crash */
    size_t n = strlen(csr), issued = 0;
    for (size_t i = 28; i < n - 30; i++) {
        char was = csr[i];
        if (was == '\n' || was == '=')
            continue;
        csr[i] = was == 'A' ? 'B' : 'A';
        issued += issue_for(text(csr), NODE, CLUSTER) == 0;
        csr[i] = was;
    }
    EXPECT(issued <= 1); /* the last letter may carry bits that mean nothing */
    /* names that would add names */
    EXPECT_INT(issue_for(text(csr), "x,DNS:swarm-ca", CLUSTER), -EINVAL);
    EXPECT_INT(issue_for(text(csr), "", CLUSTER), -EINVAL);
    EXPECT_INT(issue_for(text(csr), NODE, "a/b"), -EINVAL);
}

static void no_two_serials_are_alike(void)
{
    AUTO_FREE char *a = NULL;
    AUTO_FREE char *b = NULL;
    REQUIRE(issue(true, 0, &a) == 0 && issue(true, 0, &b) == 0);
    X509 *x = parse(a), *y = parse(b);
    EXPECT(ASN1_INTEGER_cmp(X509_get0_serialNumber(x), X509_get0_serialNumber(y)) != 0);
    BIGNUM *n = ASN1_INTEGER_to_BN(X509_get0_serialNumber(x), NULL);
    EXPECT(!BN_is_negative(n) && BN_num_bits(n) > 100);
    BN_free(n);
    X509_free(x);
    X509_free(y);
}

int main(void)
{
    struct err e = {0};
    if (secret_arena_open(1 << 20, &e) < 0 || ca_root_new(NOW, &root_pem, &root_key, &e) < 0) {
        printf("# %s\n", err_text(&e));
        return 2;
    }
    TEST(the_root_has_the_form_of_a_swarm_root);
    TEST(the_issuer_is_encoded_as_the_engine_does_it);
    TEST(a_manager_certificate_verifies_for_server_and_client);
    TEST(a_worker_certificate_is_no_manager_and_no_ca);
    TEST(an_expired_certificate_does_not_verify);
    TEST(too_short_a_life_becomes_the_default);
    TEST(another_root_of_the_same_name_does_not_verify_it);
    TEST(a_strange_request_is_refused);
    TEST(no_two_serials_are_alike);
    free(root_pem);
    secret_buf_free(root_key);
    return check_done();
}
