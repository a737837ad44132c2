/* SPDX-License-Identifier: MIT */
/* TLS by OpenSSL: contexts and handshakes. */
#define _POSIX_C_SOURCE 200809L
#include "tls.h"

#include <stdio.h>
#include <stdlib.h>

#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>

#include <fastws/error.h>

#include "../url.h"
#include "io.h"
#include "tls_stream.h"

enum { HOST_CAP = 256 };

struct fastws_tls {
    SSL_CTX *context;
    uint8_t role;
    uint8_t is_verified;
    uint8_t is_custom; /* the context is the caller's */
};

/* ---- What went wrong ---- */

static void describe(struct fastws_tls_failure *failure, long verify_result, const char *text) {
    if (failure == NULL) return;
    failure->verify_result = verify_result;
    snprintf(failure->text, sizeof failure->text, "%s", text != NULL ? text : "");
}

/* The first error of this thread is the cause, those behind it its consequences. */
static int fail(struct fastws_tls_failure *failure, int error) {
    unsigned long cause = ERR_peek_error();
    describe(failure, 0, cause != 0 ? ERR_reason_error_string(cause) : fastws_error_text(error));
    ERR_clear_error();
    return error;
}

static int error_of_verify_result(long result) {
    switch (result) {
    case X509_V_ERR_CERT_HAS_EXPIRED: return FASTWS_ERR_TLS_EXPIRED;
    case X509_V_ERR_CERT_NOT_YET_VALID: return FASTWS_ERR_TLS_NOT_YET_VALID;
    case X509_V_ERR_DEPTH_ZERO_SELF_SIGNED_CERT:
    case X509_V_ERR_SELF_SIGNED_CERT_IN_CHAIN: return FASTWS_ERR_TLS_SELF_SIGNED;
    case X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT:
    case X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT_LOCALLY:
    case X509_V_ERR_UNABLE_TO_VERIFY_LEAF_SIGNATURE: return FASTWS_ERR_TLS_UNTRUSTED;
    case X509_V_ERR_HOSTNAME_MISMATCH:
    case X509_V_ERR_IP_ADDRESS_MISMATCH: return FASTWS_ERR_TLS_HOST;
    default: return FASTWS_ERR_TLS_CERTIFICATE;
    }
}

/* ---- Contexts ---- */

void fastws_tls_config_init(struct fastws_tls_config *config, enum fastws_role role) {
    *config = (struct fastws_tls_config){.size = sizeof *config, .role = (uint8_t)role};
    config->is_verified = role == FASTWS_ROLE_CLIENT;
}

int fastws_tls_is_available(void) { return 1; }

static const unsigned char http_1_1[] = {8, 'h', 't', 't', 'p', '/', '1', '.', '1'};

/* RFC 7301 3.2: a client that offers nothing that we speak is refused. */
static int select_protocol(SSL *ssl, const unsigned char **out, unsigned char *out_len, const unsigned char *in,
                           unsigned in_len, void *argument) {
    (void)ssl;
    (void)argument;
    unsigned char *found;
    if (SSL_select_next_proto(&found, out_len, http_1_1, sizeof http_1_1, in, in_len) != OPENSSL_NPN_NEGOTIATED)
        return SSL_TLSEXT_ERR_ALERT_FATAL;
    *out = found;
    return SSL_TLSEXT_ERR_OK;
}

static int load_files(SSL_CTX *context, const struct fastws_tls_config *config) {
    const char *key_file = config->key_file != NULL ? config->key_file : config->certificate_file;
    if (config->ca_file != NULL) {
        if (SSL_CTX_load_verify_locations(context, config->ca_file, NULL) != 1) return 0;
    } else if (SSL_CTX_set_default_verify_paths(context) != 1) {
        return 0;
    }
    if (config->certificate_file == NULL) return 1;
    return SSL_CTX_use_certificate_chain_file(context, config->certificate_file) == 1 &&
           SSL_CTX_use_PrivateKey_file(context, key_file, SSL_FILETYPE_PEM) == 1 &&
           SSL_CTX_check_private_key(context) == 1;
}

/* Returns a context made from the files, or NULL. */
static SSL_CTX *make_context(const struct fastws_tls_config *config) {
    int is_server = config->role == FASTWS_ROLE_SERVER;
    SSL_CTX *context = SSL_CTX_new(is_server ? TLS_server_method() : TLS_client_method());
    if (context == NULL) return NULL;
    SSL_CTX_set_min_proto_version(context, TLS1_2_VERSION);
    if (is_server) {
        SSL_CTX_set_alpn_select_cb(context, select_protocol, NULL);
        if (config->is_verified) SSL_CTX_set_verify(context, SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT, NULL);
    }
    if (load_files(context, config)) return context;
    SSL_CTX_free(context);
    return NULL;
}

static int check_config(const struct fastws_tls_config *config) {
    if (config->size != sizeof *config) return FASTWS_ERR_ARGUMENT;
    if (config->role != FASTWS_ROLE_CLIENT && config->role != FASTWS_ROLE_SERVER) return FASTWS_ERR_ARGUMENT;
    int lacks_certificate = config->certificate_file == NULL && config->context == NULL;
    return config->role == FASTWS_ROLE_SERVER && lacks_certificate ? FASTWS_ERR_ARGUMENT : 0;
}

int fastws_tls_new(const struct fastws_tls_config *config, struct fastws_tls **out,
                   struct fastws_tls_failure *failure) {
    ERR_clear_error();
    if (check_config(config) < 0) return fail(failure, FASTWS_ERR_ARGUMENT);
    struct fastws_tls *tls = malloc(sizeof *tls);
    if (tls == NULL) return fail(failure, FASTWS_ERR_NOMEM);
    *tls = (struct fastws_tls){.role = config->role, .is_verified = config->is_verified};
    tls->is_custom = config->context != NULL;
    tls->context = tls->is_custom ? config->context : make_context(config);
    if (tls->context == NULL) {
        free(tls);
        return fail(failure, FASTWS_ERR_TLS_CONTEXT);
    }
    if (tls->is_custom) SSL_CTX_up_ref(tls->context);
    *out = tls;
    return 0;
}

void fastws_tls_free(struct fastws_tls *tls) {
    if (tls == NULL) return;
    SSL_CTX_free(tls->context);
    free(tls);
}

enum fastws_role fws_tls_role(const struct fastws_tls *tls) { return (enum fastws_role)tls->role; }

struct ssl_ctx_st *fws_tls_context(const struct fastws_tls *tls) { return tls->context; }

/* ---- Handshakes ---- */

/* Says whom we expect. RFC 9525 section 6: by subjectAltName only. */
static int set_host(const struct fastws_tls *tls, SSL *ssl, const char *host) {
    size_t len = strlen(host);
    struct fastws_slice slice = {host, len};
    int kind = fws_url_host_kind(slice, memchr(host, ':', len) != NULL);
    if (kind < 0 || len >= HOST_CAP) return FASTWS_ERR_ARGUMENT;
    char name[HOST_CAP];
    memcpy(name, host, len + 1);
    if (name[len - 1] == '.') name[len - 1] = '\0'; /* RFC 6066 section 3: without the dot at the end */
    X509_VERIFY_PARAM *param = SSL_get0_param(ssl);
    X509_VERIFY_PARAM_set_hostflags(param, X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS | X509_CHECK_FLAG_NEVER_CHECK_SUBJECT);
    int done = kind == FASTWS_HOST_NAME ? SSL_set_tlsext_host_name(ssl, name) == 1 && SSL_set1_host(ssl, name) == 1
                                        : X509_VERIFY_PARAM_set1_ip_asc(param, name) == 1;
    if (!done || SSL_set_alpn_protos(ssl, http_1_1, sizeof http_1_1) != 0) return FASTWS_ERR_NOMEM;
    /* An SSL_CTX of a caller verifies nothing unless told. Its callback for verification, if any, stays. */
    SSL_set_verify(ssl, tls->is_verified ? SSL_VERIFY_PEER : SSL_VERIFY_NONE, NULL);
    SSL_set_connect_state(ssl);
    return 0;
}

int fws_tls_begin(const struct fastws_tls *tls, struct ssl_st *ssl, const char *host) {
    if ((host == NULL) != (tls->role == FASTWS_ROLE_SERVER)) return FASTWS_ERR_ARGUMENT;
    if (host != NULL) return set_host(tls, ssl, host);
    SSL_set_accept_state(ssl);
    return 0;
}

int fws_tls_explain(struct ssl_st *ssl, enum fws_tls_below below, struct fastws_tls_failure *failure) {
    long result = SSL_get_verify_result(ssl);
    if (result != X509_V_OK && SSL_get_verify_mode(ssl) != SSL_VERIFY_NONE) {
        describe(failure, result, X509_verify_cert_error_string(result));
        ERR_clear_error();
        return error_of_verify_result(result);
    }
    int reason = ERR_GET_REASON(ERR_peek_error());
    /* RFC 7301 3.2: the alert that was sent, or that came. */
    if (reason == SSL_R_NO_APPLICATION_PROTOCOL || reason == SSL_AD_REASON_OFFSET + SSL_AD_NO_APPLICATION_PROTOCOL)
        return fail(failure, FASTWS_ERR_TLS_ALPN);
    if (below == FWS_TLS_BELOW_FAILED) return fail(failure, FASTWS_ERR_IO);
    if (below != FWS_TLS_BELOW_EOF) return fail(failure, FASTWS_ERR_TLS_HANDSHAKE);
    describe(failure, 0, "peer ended the stream inside the TLS handshake");
    ERR_clear_error();
    return FASTWS_ERR_TLS_HANDSHAKE;
}

static enum fws_tls_below below_of(const struct fws_tls_stream *stream) {
    if (stream->is_below_failed) return FWS_TLS_BELOW_FAILED;
    return stream->is_below_eof ? FWS_TLS_BELOW_EOF : FWS_TLS_BELOW_FINE;
}

static int shake_hands(struct fws_tls_stream *stream, const struct fws_limit *limit,
                       struct fastws_tls_failure *failure) {
    for (;;) {
        ERR_clear_error();
        int result = SSL_do_handshake(stream->ssl);
        if (result == 1) return 0;
        int want = SSL_get_error(stream->ssl, result);
        if (want != SSL_ERROR_WANT_READ && want != SSL_ERROR_WANT_WRITE) {
            stream->is_broken = 1;
            return fws_tls_explain(stream->ssl, below_of(stream), failure);
        }
        unsigned what = want == SSL_ERROR_WANT_WRITE ? FASTWS_IO_WRITABLE : FASTWS_IO_READABLE;
        int error = fws_io_await(&stream->below, what, limit);
        if (error < 0) return fail(failure, error);
    }
}

/* A server may leave the extension out, but not choose another protocol. RFC 7301 3.1. Releases of OpenSSL since the
 * middle of 2024 refuse that within the handshake, so that this is reached only with older ones. */
int fws_tls_check_protocol(const struct ssl_st *ssl, struct fastws_tls_failure *failure) {
    const unsigned char *protocol;
    unsigned len;
    SSL_get0_alpn_selected(ssl, &protocol, &len);
    int is_right = len == 0 || (len == http_1_1[0] && memcmp(protocol, http_1_1 + 1, len) == 0);
    return is_right ? 0 : fail(failure, FASTWS_ERR_TLS_ALPN);
}

/* ---- Bytes below TLS ---- */

/* There is no buffer, so a flush has nothing to do. */
static long control(BIO *bio, int command, long number, void *pointer) {
    (void)bio;
    (void)number;
    (void)pointer;
    return command == BIO_CTRL_FLUSH;
}

BIO_METHOD *fws_tls_bio_method(const char *name, int (*read)(BIO *, char *, int),
                               int (*write)(BIO *, const char *, int)) {
    BIO_METHOD *method = BIO_meth_new(BIO_get_new_index() | BIO_TYPE_SOURCE_SINK, name);
    if (method == NULL) return NULL;
    BIO_meth_set_read(method, read);
    BIO_meth_set_write(method, write);
    BIO_meth_set_ctrl(method, control);
    return method;
}

/* ---- Streams inside TLS ---- */

/* Shakes hands as the one or the other; host is NULL for a server. */
static int open_stream(struct fastws_tls *tls, const struct fastws_io *io, const char *host,
                       const struct fws_limit *limit, struct fastws_io *out, struct fastws_tls_failure *failure) {
    ERR_clear_error();
    if ((host == NULL) != (tls->role == FASTWS_ROLE_SERVER)) return fail(failure, FASTWS_ERR_ARGUMENT);
    if (io->read == NULL || io->writev == NULL || io->wait == NULL) return fail(failure, FASTWS_ERR_ARGUMENT);
    struct fws_tls_stream *stream = fws_tls_stream_new(tls->context, io);
    if (stream == NULL) return fail(failure, FASTWS_ERR_NOMEM);
    int error = fws_tls_begin(tls, stream->ssl, host);
    if (error < 0) error = fail(failure, error);
    if (error == 0) error = shake_hands(stream, limit, failure);
    if (error == 0 && host != NULL) error = fws_tls_check_protocol(stream->ssl, failure);
    if (error < 0) {
        fws_tls_stream_discard(stream);
        return error;
    }
    fws_tls_stream_describe(out, stream);
    return 0;
}

int fws_tls_connect(struct fastws_tls *tls, const struct fastws_io *io, const char *host,
                    const struct fws_limit *limit, struct fastws_io *out, struct fastws_tls_failure *failure) {
    return open_stream(tls, io, host, limit, out, failure);
}

int fastws_tls_connect(struct fastws_tls *tls, const struct fastws_io *io, const char *host, uint64_t timeout_ms,
                       struct fastws_io *out, struct fastws_tls_failure *failure) {
    struct fws_limit limit = {fws_deadline_ms(fws_clock_ms(), timeout_ms), -1};
    return open_stream(tls, io, host, &limit, out, failure);
}

int fastws_tls_accept(struct fastws_tls *tls, const struct fastws_io *io, uint64_t timeout_ms, struct fastws_io *out,
                      struct fastws_tls_failure *failure) {
    struct fws_limit limit = {fws_deadline_ms(fws_clock_ms(), timeout_ms), -1};
    return open_stream(tls, io, NULL, &limit, out, failure);
}
