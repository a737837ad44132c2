/* SPDX-License-Identifier: MIT */
/* Makes keys and certificates for tests: of the curve P-256, for that takes no time. */
#include "certificates.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <openssl/ec.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>

#define CHECK(condition)                                                                                               \
    do {                                                                                                               \
        if (!(condition)) {                                                                                            \
            fprintf(stderr, "%s:%d: %s\n", __FILE__, __LINE__, #condition);                                            \
            abort();                                                                                                   \
        }                                                                                                              \
    } while (0)

static char folder[32];
static int count;

static EVP_PKEY *make_key(void) {
    EVP_PKEY_CTX *context = EVP_PKEY_CTX_new_id(EVP_PKEY_EC, NULL);
    EVP_PKEY *key = NULL;
    CHECK(context != NULL && EVP_PKEY_keygen_init(context) == 1);
    CHECK(EVP_PKEY_CTX_set_ec_paramgen_curve_nid(context, NID_X9_62_prime256v1) == 1);
    CHECK(EVP_PKEY_keygen(context, &key) == 1);
    EVP_PKEY_CTX_free(context);
    return key;
}

static void add_extension(X509 *x509, int nid, const char *value) {
    X509V3_CTX context;
    X509V3_set_ctx_nodb(&context);
    X509V3_set_ctx(&context, x509, x509, NULL, NULL, 0);
    X509_EXTENSION *extension = X509V3_EXT_conf_nid(NULL, &context, nid, value);
    CHECK(extension != NULL && X509_add_ext(x509, extension, -1) == 1);
    X509_EXTENSION_free(extension);
}

static void save(struct certificate *certificate) {
    if (folder[0] == '\0') {
        snprintf(folder, sizeof folder, "/tmp/fastws-XXXXXX");
        CHECK(mkdtemp(folder) != NULL);
    }
    snprintf(certificate->path, sizeof certificate->path, "%s/%d.pem", folder, ++count);
    FILE *file = fopen(certificate->path, "w");
    CHECK(file != NULL && PEM_write_X509(file, certificate->x509) == 1);
    CHECK(PEM_write_PrivateKey(file, certificate->key, NULL, NULL, 0, NULL, NULL) == 1);
    CHECK(fclose(file) == 0);
}

void certificate_make(struct certificate *out, const struct certificate *issuer, const char *common_name,
                      const char *names, int from_days, int to_days) {
    out->key = make_key();
    out->x509 = X509_new();
    CHECK(out->x509 != NULL && X509_set_version(out->x509, 2) == 1);
    ASN1_INTEGER_set(X509_get_serialNumber(out->x509), count + 1);
    X509_time_adj_ex(X509_getm_notBefore(out->x509), from_days, 0, NULL);
    X509_time_adj_ex(X509_getm_notAfter(out->x509), to_days, 0, NULL);
    X509_set_pubkey(out->x509, out->key);
    X509_NAME *name = X509_get_subject_name(out->x509);
    CHECK(X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_ASC, (const unsigned char *)common_name, -1, -1, 0) == 1);
    X509_set_issuer_name(out->x509, issuer != NULL ? X509_get_subject_name(issuer->x509) : name);
    if (names == NULL) add_extension(out->x509, NID_basic_constraints, "critical,CA:TRUE");
    if (names != NULL && *names != '\0') add_extension(out->x509, NID_subject_alt_name, names);
    CHECK(X509_sign(out->x509, issuer != NULL ? issuer->key : out->key, EVP_sha256()) > 0);
    save(out);
}

void certificate_free(struct certificate *certificate) {
    unlink(certificate->path);
    EVP_PKEY_free(certificate->key);
    X509_free(certificate->x509);
}

void certificates_clean(void) {
    if (folder[0] != '\0') rmdir(folder);
}
