/* api/encode_tls.c - what clients are told of a root certificate: itself, its subject and its
 * public key. */
#include <openssl/bio.h>
#include <openssl/pem.h>
#include <openssl/x509.h>
#include <string.h>
#include "api/encode.h"

static X509 *read_certificate(ProtobufCBinaryData pem)
{
    BIO *bio = pem.len > 0 && pem.len < 1 << 20 ? BIO_new_mem_buf(pem.data, (int)pem.len) : NULL;
    X509 *cert = bio ? PEM_read_bio_X509(bio, NULL, NULL, NULL) : NULL;
    BIO_free(bio);
    return cert;
}

void encode_trust_root(struct jw *w, const char *key, ProtobufCBinaryData pem)
{
    X509 *cert = read_certificate(pem);
    jw_object(w, key);
    if (cert) {
        unsigned char *subject = NULL, *spki = NULL;
        int nsubject = i2d_X509_NAME(X509_get_subject_name(cert), &subject);
        int nspki = i2d_X509_PUBKEY(X509_get_X509_PUBKEY(cert), &spki);
        jw_strn(w, "TrustRoot", (const char *)pem.data, pem.len);
        if (nsubject > 0)
            jw_base64(w, "CertIssuerSubject", subject, (size_t)nsubject);
        if (nspki > 0)
            jw_base64(w, "CertIssuerPublicKey", spki, (size_t)nspki);
        OPENSSL_free(subject);
        OPENSSL_free(spki);
    }
    X509_free(cert);
    jw_end_object(w);
}
