/* SPDX-License-Identifier: MIT */
/* Keys and certificates that are made while a test runs, in a folder that goes with it. */
#ifndef TESTS_CERTIFICATES_H
#define TESTS_CERTIFICATES_H

#include <openssl/x509.h>

/* A certificate and its key. */
struct certificate {
    EVP_PKEY *key;
    X509 *x509;
    char path[64]; /* file with both, the certificate first: it is its own chain */
};

/* Makes a certificate that is valid from from_days until to_days, counted from now.
 *   issuer     who signs; NULL: the certificate itself
 *   names      subjectAltName, such as "DNS:localhost,IP:127.0.0.1"; NULL: an authority without one */
void certificate_make(struct certificate *out, const struct certificate *issuer, const char *common_name,
                      const char *names, int from_days, int to_days);

void certificate_free(struct certificate *certificate);

/* Removes the folder, once all certificates are freed. */
void certificates_clean(void);

#endif
