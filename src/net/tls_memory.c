/* SPDX-License-Identifier: MIT */
/* TLS between pieces of memory: OpenSSL reads what was received where it lies, and writes where there is room. */
#define _POSIX_C_SOURCE 200809L
#include "tls_memory.h"

#include <pthread.h>
#include <string.h>

#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/ssl.h>

#include <fastws/error.h>

/* ---- What OpenSSL reads from and writes to ---- */

static int memory_read(BIO *bio, char *dst, int len) {
    struct fws_tls_memory *memory = BIO_get_data(bio);
    BIO_clear_retry_flags(bio);
    if (len <= 0) return 0;
    size_t n = (size_t)len < memory->in_len ? (size_t)len : memory->in_len;
    if (n == 0) {
        BIO_set_retry_read(bio);
        return -1;
    }
    memcpy(dst, memory->in, n);
    memory->in += n;
    memory->in_len -= n;
    return (int)n;
}

/* A part of a record would be no use: all of it or nothing. */
static int memory_write(BIO *bio, const char *src, int len) {
    struct fws_tls_memory *memory = BIO_get_data(bio);
    BIO_clear_retry_flags(bio);
    if (len <= 0) return 0;
    if ((size_t)len > memory->out_cap - memory->out_len) {
        BIO_set_retry_write(bio);
        return -1;
    }
    memcpy(memory->out + memory->out_len, src, (size_t)len);
    memory->out_len += (size_t)len;
    return len;
}

static pthread_once_t method_once = PTHREAD_ONCE_INIT;
static BIO_METHOD *method; /* lives as long as the process */

static void make_method(void) { method = fws_tls_bio_method("fastws_memory", memory_read, memory_write); }

/* ---- Life ---- */

int fws_tls_memory_open(struct fws_tls_memory *memory, const struct fastws_tls *tls, const char *host) {
    pthread_once(&method_once, make_method);
    ERR_clear_error();
    memory->ssl = SSL_new(fws_tls_context(tls));
    BIO *bio = method != NULL && memory->ssl != NULL ? BIO_new(method) : NULL;
    int error = bio != NULL ? 0 : FASTWS_ERR_NOMEM;
    if (error == 0) {
        BIO_set_data(bio, memory);
        BIO_set_init(bio, 1);
        SSL_set_bio(memory->ssl, bio, bio);
        SSL_set_options(memory->ssl, SSL_OP_NO_RENEGOTIATION);
        SSL_set_mode(memory->ssl, SSL_MODE_RELEASE_BUFFERS);
        error = fws_tls_begin(tls, memory->ssl, host);
    }
    if (error < 0) fws_tls_memory_close(memory);
    return error;
}

void fws_tls_memory_close(struct fws_tls_memory *memory) {
    SSL_free(memory->ssl);
    memory->ssl = NULL;
    ERR_clear_error();
}

/* ---- Use ---- */

int fws_tls_memory_shake(struct fws_tls_memory *memory) {
    ERR_clear_error();
    int result = SSL_do_handshake(memory->ssl);
    if (result == 1) {
        if (!SSL_is_server(memory->ssl)) TRY(fws_tls_check_protocol(memory->ssl, NULL));
        return 1;
    }
    int want = SSL_get_error(memory->ssl, result);
    if ((want == SSL_ERROR_WANT_READ && !memory->is_ended) || want == SSL_ERROR_WANT_WRITE) return 0;
    return fws_tls_explain(memory->ssl, memory->is_ended ? FWS_TLS_BELOW_EOF : FWS_TLS_BELOW_FINE, NULL);
}

ptrdiff_t fws_tls_memory_read(struct fws_tls_memory *memory, void *dst, size_t len) {
    size_t n;
    ERR_clear_error();
    int result = SSL_read_ex(memory->ssl, dst, len, &n);
    if (result > 0) return (ptrdiff_t)n;
    switch (SSL_get_error(memory->ssl, result)) {
    case SSL_ERROR_WANT_READ: return memory->is_ended ? 0 : FWS_TLS_AGAIN;
    case SSL_ERROR_WANT_WRITE: return FWS_TLS_AGAIN;
    case SSL_ERROR_ZERO_RETURN: memory->is_ended = 1; return 0;
    default: return FWS_TLS_BROKEN;
    }
}

int fws_tls_memory_has_more(const struct fws_tls_memory *memory) {
    return memory->in_len > 0 || SSL_pending(memory->ssl) > 0;
}

int fws_tls_memory_write(struct fws_tls_memory *memory, const void *src, size_t len) {
    size_t n;
    ERR_clear_error();
    return SSL_write_ex(memory->ssl, src, len, &n) > 0 && n == len ? 0 : FWS_TLS_BROKEN;
}

void fws_tls_memory_end(struct fws_tls_memory *memory) {
    ERR_clear_error();
    if (memory->ssl == NULL) return;
    if (SSL_is_init_finished(memory->ssl) && !(SSL_get_shutdown(memory->ssl) & SSL_SENT_SHUTDOWN)) {
        (void)!SSL_shutdown(memory->ssl);
    }
    ERR_clear_error();
}
