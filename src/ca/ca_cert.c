/* ca/ca_cert.c - making certificates with OpenSSL. */
#include "ca/ca_cert.h"

#include <errno.h>
#include <openssl/bio.h>
#include <openssl/ec.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/id.h"
#include "base/mem.h"

enum { ROOT_SECONDS = 630720000, ROOT_BACK = 5 * 60, LEAF_BACK = 3600, SERIAL = 20 };

#define AUTO_OF(T, t)                                                                              \
    static void free_##t(T **p)                                                                    \
    {                                                                                              \
        T##_free(*p);                                                                              \
    }
AUTO_OF(X509, x509)
AUTO_OF(X509_REQ, req)
AUTO_OF(EVP_PKEY, pkey)
#define AUTO(t) __attribute__((cleanup(free_##t)))

static void free_bio(BIO **b)
{
    BIO_free_all(*b);
}

static int fail(struct err *e, int r, const char *what)
{
    const char *why = ERR_reason_error_string(ERR_peek_last_error());
    err_set(e, r, "%s: %s", what, why ? why : "failed");
    ERR_clear_error();
    return r;
}

static int not_a(struct err *e, const char *what)
{
    ERR_clear_error();
    return err_set(e, -EINVAL, "this is no %s", what);
}

/* ---- text ---- */

static BIO *reader(struct ca_bytes b)
{
    return b.n <= CA_PEM_MAX ? BIO_new_mem_buf(b.p, (int)b.n) : NULL;
}

static char *text_of(BIO *b)
{
    char *p;
    long n = BIO_get_mem_data(b, &p);
    return mem_strn(p, (size_t)n);
}

/* No key of ours has a passphrase; without this OpenSSL would ask on the terminal. */
static int no_passphrase(char *buf, int size, int writing, void *arg)
{
    (void)buf, (void)size, (void)writing, (void)arg;
    return -1;
}

static int read_cert(struct ca_bytes pem, X509 **ret, struct err *e)
{
    AUTO(bio) BIO *b = reader(pem);
    *ret = b ? PEM_read_bio_X509(b, NULL, no_passphrase, NULL) : NULL;
    return *ret ? 0 : not_a(e, "certificate");
}

static int read_key(struct ca_bytes pem, EVP_PKEY **ret, struct err *e)
{
    AUTO(bio) BIO *b = reader(pem);
    *ret = b ? PEM_read_bio_PrivateKey(b, NULL, no_passphrase, NULL) : NULL;
    return *ret ? 0 : not_a(e, "private key");
}

/* A memory BIO of the secure kind wipes what it held when it is freed. */
static int write_key(EVP_PKEY *key, struct secret_buf **ret, struct err *e)
{
    char *p;
    AUTO(bio) BIO *b = BIO_new(BIO_s_secmem());
    if (!b || PEM_write_bio_PKCS8PrivateKey(b, key, NULL, NULL, 0, NULL, NULL) != 1)
        return fail(e, -EPROTO, "write a private key");
    long n = BIO_get_mem_data(b, &p);
    AUTO_SECRET struct secret_buf *s = secret_buf_new((size_t)n);
    if (!s || secret_buf_append(s, p, (size_t)n) < 0)
        return err_set(e, -ENOMEM, "out of locked memory");
    *ret = TAKE(s);
    return 0;
}

static int write_cert(X509 *cert, char **ret, struct err *e)
{
    AUTO(bio) BIO *b = BIO_new(BIO_s_mem());
    if (!b || PEM_write_bio_X509(b, cert) != 1)
        return fail(e, -EPROTO, "write a certificate");
    *ret = text_of(b);
    return 0;
}

/* ---- parts of a certificate ---- */

/* Printable strings: what swarm's own certificates have, byte for byte. */
static bool add_name(X509_NAME *name, const char *field, const char *value)
{
    return X509_NAME_add_entry_by_txt(name, field, V_ASN1_PRINTABLESTRING,
                                      (const unsigned char *)value, -1, -1, 0) == 1;
}

static bool add_extension(X509 *cert, X509 *issuer, int nid, const char *value)
{
    X509V3_CTX ctx;
    X509V3_set_ctx_nodb(&ctx);
    X509V3_set_ctx(&ctx, issuer, cert, NULL, NULL, 0);
    X509_EXTENSION *x = X509V3_EXT_conf_nid(NULL, &ctx, nid, value);
    bool ok = x && X509_add_ext(cert, x, -1) == 1;
    X509_EXTENSION_free(x);
    return ok;
}

static bool set_serial(X509 *cert)
{
    unsigned char bytes[SERIAL];
    random_bytes(bytes, sizeof bytes);
    bytes[0] &= 0x7f; /* positive */
    BIGNUM *n = BN_bin2bn(bytes, sizeof bytes, NULL);
    bool ok = n && BN_to_ASN1_INTEGER(n, X509_get_serialNumber(cert)) != NULL;
    BN_free(n);
    return ok;
}

/* From the nearest minute, so that a clock that is a little behind does not refuse it, plus what is
 * set back. */
static bool set_times(X509 *cert, int64_t now_ns, int64_t back, int64_t seconds)
{
    int64_t minute = (now_ns / NS_PER_SEC + 30) / 60 * 60;
    return ASN1_TIME_set(X509_getm_notBefore(cert), (time_t)(minute - back)) &&
           ASN1_TIME_set(X509_getm_notAfter(cert), (time_t)(minute - back + seconds));
}

/* ---- keys and requests ---- */

int ca_key_new(struct secret_buf **ret_key, struct err *e)
{
    AUTO(pkey) EVP_PKEY *key = EVP_EC_gen("P-256");
    return key ? write_key(key, ret_key, e) : fail(e, -EPROTO, "make a key");
}

static struct ca_bytes key_bytes(const struct secret_buf *key)
{
    return (struct ca_bytes){secret_buf_bytes(key), secret_buf_len(key)};
}

int ca_csr_new(const struct secret_buf *key, char **ret_csr, struct err *e)
{
    AUTO(pkey) EVP_PKEY *k = NULL;
    int r = read_key(key_bytes(key), &k, e);
    if (r < 0)
        return r;
    AUTO(req) X509_REQ *req = X509_REQ_new();
    AUTO(bio) BIO *b = BIO_new(BIO_s_mem());
    if (!req || !b || X509_REQ_set_version(req, X509_REQ_VERSION_1) != 1 ||
        X509_REQ_set_pubkey(req, k) != 1 || X509_REQ_sign(req, k, EVP_sha256()) <= 0 ||
        PEM_write_bio_X509_REQ(b, req) != 1)
        return fail(e, -EPROTO, "make a certificate request");
    *ret_csr = text_of(b);
    return 0;
}

/* PEM_read_bio_X509_REQ takes both names that requests go by. */
static int read_csr(struct ca_bytes csr, X509_REQ **ret, struct err *e)
{
    AUTO(bio) BIO *b = reader(csr);
    *ret = b ? PEM_read_bio_X509_REQ(b, NULL, no_passphrase, NULL) : NULL;
    if (!*ret)
        return not_a(e, "certificate request");
    EVP_PKEY *key = X509_REQ_get0_pubkey(*ret);
    if (!key || X509_REQ_verify(*ret, key) != 1) {
        ERR_clear_error();
        return err_set(e, -EBADMSG, "the certificate request is not signed by its own key");
    }
    return 0;
}

/* ---- certificates ---- */

int ca_root_new(int64_t now_ns, char **ret_cert, struct secret_buf **ret_key, struct err *e)
{
    AUTO(pkey) EVP_PKEY *key = EVP_EC_gen("P-256");
    AUTO(x509) X509 *c = X509_new();
    if (!key || !c || X509_set_version(c, X509_VERSION_3) != 1 || !set_serial(c) ||
        !set_times(c, now_ns, ROOT_BACK, ROOT_SECONDS) ||
        !add_name(X509_get_subject_name(c), "CN", CA_NAME) ||
        X509_set_issuer_name(c, X509_get_subject_name(c)) != 1 || X509_set_pubkey(c, key) != 1 ||
        !add_extension(c, c, NID_key_usage, "critical,keyCertSign,cRLSign") ||
        !add_extension(c, c, NID_basic_constraints, "critical,CA:TRUE") ||
        !add_extension(c, c, NID_subject_key_identifier, "hash") ||
        X509_sign(c, key, EVP_sha256()) <= 0)
        return fail(e, -EPROTO, "make the root certificate");
    AUTO_FREE char *cert = NULL;
    int r = write_cert(c, &cert, e);
    if (r == 0)
        r = write_key(key, ret_key, e);
    if (r == 0)
        *ret_cert = TAKE(cert);
    return r;
}

static bool add_names(X509 *c, const struct ca_subject *s)
{
    X509_NAME *name = X509_get_subject_name(c);
    const char *role = s->manager ? CA_ROLE_MANAGER : CA_ROLE_WORKER;
    AUTO_FREE char *alt =
        mem_printf("DNS:%s,DNS:%s%s", role, s->node_id, s->manager ? ",DNS:" CA_NAME : "");
    return add_name(name, "O", s->cluster_id) && add_name(name, "OU", role) &&
           add_name(name, "CN", s->node_id) && add_extension(c, c, NID_subject_alt_name, alt);
}

static int fill_leaf(X509 *c, X509 *root, EVP_PKEY *public_key, const struct ca_subject *s,
                     int64_t expiry_ns, int64_t now_ns, struct err *e)
{
    if (expiry_ns < CA_EXPIRY_MIN_NS)
        expiry_ns = CA_EXPIRY_DEFAULT_NS;
    if (X509_set_version(c, X509_VERSION_3) != 1 || !set_serial(c) ||
        !set_times(c, now_ns, LEAF_BACK, expiry_ns / NS_PER_SEC + LEAF_BACK) ||
        X509_set_issuer_name(c, X509_get_subject_name(root)) != 1 ||
        X509_set_pubkey(c, public_key) != 1 ||
        !add_extension(c, root, NID_key_usage, "critical,digitalSignature,keyEncipherment") ||
        !add_extension(c, root, NID_ext_key_usage, "serverAuth,clientAuth") ||
        !add_extension(c, root, NID_basic_constraints, "critical,CA:FALSE") ||
        !add_extension(c, root, NID_subject_key_identifier, "hash") ||
        !add_extension(c, root, NID_authority_key_identifier, "keyid:always") || !add_names(c, s))
        return fail(e, -EPROTO, "make a certificate");
    return 0;
}

/* Ids go into a comma-separated list: what is not an id could add names of its own. */
static bool plain(const char *id)
{
    return *id && strlen(id) <= 64 &&
           strspn(id, "0123456789abcdefghijklmnopqrstuvwxyz.FIPS") == strlen(id);
}

int ca_issue(struct ca_bytes root_cert, struct ca_bytes root_key, struct ca_bytes csr,
             const struct ca_subject *subject, int64_t expiry_ns, int64_t now_ns, char **ret_cert,
             struct err *e)
{
    AUTO(x509) X509 *root = NULL;
    AUTO(pkey) EVP_PKEY *key = NULL;
    AUTO(req) X509_REQ *req = NULL;
    if (!plain(subject->node_id) || !plain(subject->cluster_id))
        return err_set(e, -EINVAL, "a certificate cannot name '%s' in '%s'", subject->node_id,
                       subject->cluster_id);
    int r = read_cert(root_cert, &root, e);
    if (r == 0)
        r = read_key(root_key, &key, e);
    if (r == 0 && X509_check_private_key(root, key) != 1)
        r = fail(e, -EINVAL, "the root's key and certificate");
    if (r == 0)
        r = read_csr(csr, &req, e);
    if (r < 0)
        return r;
    AUTO(x509) X509 *c = X509_new();
    if (!c)
        return fail(e, -EPROTO, "make a certificate");
    r = fill_leaf(c, root, X509_REQ_get0_pubkey(req), subject, expiry_ns, now_ns, e);
    if (r == 0 && X509_sign(c, key, EVP_sha256()) <= 0)
        r = fail(e, -EPROTO, "sign a certificate");
    return r < 0 ? r : write_cert(c, ret_cert, e);
}

int ca_issuer_info(struct ca_bytes cert, void **ret_subject, size_t *ret_subject_len,
                   void **ret_key, size_t *ret_key_len, struct err *e)
{
    AUTO(x509) X509 *c = NULL;
    int r = read_cert(cert, &c, e);
    if (r < 0)
        return r;
    unsigned char *subject = NULL, *key = NULL;
    int ns = i2d_X509_NAME(X509_get_subject_name(c), &subject);
    int nk = i2d_X509_PUBKEY(X509_get_X509_PUBKEY(c), &key);
    if (ns > 0 && nk > 0) {
        *ret_subject = mem_dup(subject, (size_t)ns);
        *ret_subject_len = (size_t)ns;
        *ret_key = mem_dup(key, (size_t)nk);
        *ret_key_len = (size_t)nk;
    } else {
        r = fail(e, -EPROTO, "encode a certificate's issuer");
    }
    OPENSSL_free(subject);
    OPENSSL_free(key);
    return r;
}
