/* SPDX-License-Identifier: MIT */
/* The byte stream inside TLS: OpenSSL between two struct fastws_io. */
#define _POSIX_C_SOURCE 200809L
#include "tls_stream.h"

#include <stdlib.h>
#include <string.h>

#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/ssl.h>

#include "tls.h"

enum { RECORD_MAX = 16384 }; /* bytes of a record, RFC 8446 5.1: what one write makes at most */

/* ---- What OpenSSL reads from and writes to ---- */

/* Says what became of a read or write below, as OpenSSL wants it. */
static int outcome(BIO *bio, ptrdiff_t n, int retry) {
    struct fws_tls_stream *stream = BIO_get_data(bio);
    BIO_clear_retry_flags(bio);
    if (n == FASTWS_IO_AGAIN) BIO_set_flags(bio, retry | BIO_FLAGS_SHOULD_RETRY);
    stream->is_below_failed = n < 0 && n != FASTWS_IO_AGAIN;
    return n < 0 ? -1 : (int)n;
}

static int bio_read(BIO *bio, char *dst, int len) {
    struct fws_tls_stream *stream = BIO_get_data(bio);
    if (len <= 0) return 0;
    ptrdiff_t n = stream->below.read(stream->below.ctx, dst, (size_t)len);
    if (n == 0) stream->is_below_eof = 1;
    return outcome(bio, n > len ? FASTWS_IO_FAILED : n, BIO_FLAGS_READ);
}

static int bio_write(BIO *bio, const char *src, int len) {
    struct fws_tls_stream *stream = BIO_get_data(bio);
    if (len <= 0) return 0;
    struct fastws_iovec iov = {src, (size_t)len};
    ptrdiff_t n = stream->below.writev(stream->below.ctx, &iov, 1);
    return outcome(bio, n > len || n == 0 ? FASTWS_IO_FAILED : n, BIO_FLAGS_WRITE);
}

static pthread_once_t method_once = PTHREAD_ONCE_INIT;
static BIO_METHOD *method; /* lives as long as the process */

static void make_method(void) { method = fws_tls_bio_method("fastws_io", bio_read, bio_write); }

/* ---- The stream inside ---- */

/* Notes the end of an operation that did not work. Returns what a read or write of struct fastws_io returns then. */
static ptrdiff_t note_failure(struct fws_tls_stream *stream, int result, int *want) {
    int error = SSL_get_error(stream->ssl, result);
    *want = error;
    if (error == SSL_ERROR_WANT_READ || error == SSL_ERROR_WANT_WRITE) return FASTWS_IO_AGAIN;
    *want = 0;
    /* OpenSSL takes no part in what fails below a write: its state for reading is as it was. */
    if (want == &stream->write_want && error == SSL_ERROR_SYSCALL) {
        stream->is_write_broken = 1;
    } else if (error != SSL_ERROR_ZERO_RETURN) {
        stream->is_broken = 1;
    }
    return error == SSL_ERROR_ZERO_RETURN || stream->is_below_eof ? 0 : FASTWS_IO_FAILED;
}

static ptrdiff_t read_locked(struct fws_tls_stream *stream, void *dst, size_t len) {
    if (stream->is_broken) return stream->is_below_eof ? 0 : FASTWS_IO_FAILED;
    ERR_clear_error();
    size_t n;
    int result = SSL_read_ex(stream->ssl, dst, len, &n);
    if (result <= 0) return note_failure(stream, result, &stream->read_want);
    stream->read_want = 0;
    return (ptrdiff_t)n;
}

static ptrdiff_t inside_read(void *ctx, void *dst, size_t len) {
    struct fws_tls_stream *stream = ctx;
    pthread_mutex_lock(&stream->lock);
    ptrdiff_t n = read_locked(stream, dst, len);
    pthread_mutex_unlock(&stream->lock);
    return n;
}

/* Puts small pieces together, for each write becomes a record of its own. Returns what to write, and its length. */
static const void *gather(uint8_t space[RECORD_MAX], const struct fastws_iovec *iov, int count, size_t *len) {
    if (count == 1 || iov[0].len >= RECORD_MAX) {
        *len = iov[0].len < RECORD_MAX ? iov[0].len : RECORD_MAX;
        return iov[0].base;
    }
    *len = 0;
    for (int i = 0; i < count && *len < RECORD_MAX; i++) {
        size_t room = RECORD_MAX - *len;
        size_t part = iov[i].len < room ? iov[i].len : room;
        memcpy(space + *len, iov[i].base, part);
        *len += part;
    }
    return space;
}

/* Keeps what OpenSSL has begun to write. */
static ptrdiff_t keep_begun(struct fws_tls_stream *stream, const void *src, size_t len) {
    if (stream->begun != NULL) return FASTWS_IO_AGAIN;
    stream->begun = malloc(len);
    if (stream->begun == NULL) {
        stream->is_write_broken = 1;
        return FASTWS_IO_FAILED;
    }
    memcpy(stream->begun, src, len);
    stream->begun_len = len;
    return FASTWS_IO_AGAIN;
}

static size_t sum_len(const struct fastws_iovec *iov, int count) {
    size_t sum = 0;
    for (int i = 0; i < count; i++) sum += iov[i].len;
    return sum;
}

/* Says that len bytes are written, of which the caller offers offered_len now. */
static ptrdiff_t take(struct fws_tls_stream *stream, size_t len, size_t offered_len) {
    size_t taken = len < offered_len ? len : offered_len;
    stream->ahead_len = len - taken;
    return (ptrdiff_t)taken;
}

static ptrdiff_t write_locked(struct fws_tls_stream *stream, const struct fastws_iovec *iov, int count) {
    if (stream->is_broken || stream->is_write_broken) return FASTWS_IO_FAILED;
    size_t offered_len = sum_len(iov, count);
    if (stream->ahead_len > 0) return take(stream, stream->ahead_len, offered_len);
    uint8_t space[RECORD_MAX];
    size_t len = stream->begun_len, written;
    const void *src = stream->begun != NULL ? stream->begun : gather(space, iov, count, &len);
    ERR_clear_error();
    int result = SSL_write_ex(stream->ssl, src, len, &written);
    if (result <= 0) {
        ptrdiff_t n = note_failure(stream, result, &stream->write_want);
        return n == FASTWS_IO_AGAIN ? keep_begun(stream, src, len) : FASTWS_IO_FAILED;
    }
    stream->write_want = 0;
    free(stream->begun);
    stream->begun = NULL;
    return take(stream, written, offered_len);
}

static ptrdiff_t inside_writev(void *ctx, const struct fastws_iovec *iov, int count) {
    struct fws_tls_stream *stream = ctx;
    pthread_mutex_lock(&stream->lock);
    ptrdiff_t n = write_locked(stream, iov, count);
    pthread_mutex_unlock(&stream->lock);
    return n;
}

/* What has to be so below before the next read, and the next write, is worth a try. Returns 1 if a read is now. */
static int look(struct fws_tls_stream *stream, unsigned *for_read, unsigned *for_write) {
    pthread_mutex_lock(&stream->lock);
    *for_read = stream->read_want == SSL_ERROR_WANT_WRITE ? FASTWS_IO_WRITABLE : FASTWS_IO_READABLE;
    *for_write = stream->write_want == SSL_ERROR_WANT_READ ? FASTWS_IO_READABLE : FASTWS_IO_WRITABLE;
    /* A read that wanted more has used up what OpenSSL holds. */
    int is_readable = stream->is_broken || (stream->read_want == 0 && SSL_has_pending(stream->ssl));
    pthread_mutex_unlock(&stream->lock);
    return is_readable;
}

static int inside_wait(void *ctx, int for_write, uint64_t until_ms) {
    struct fws_tls_stream *stream = ctx;
    unsigned read_needs, write_needs;
    if (look(stream, &read_needs, &write_needs) && !for_write) return 1;
    unsigned what = for_write ? write_needs : read_needs;
    return stream->below.wait(stream->below.ctx, what == FASTWS_IO_WRITABLE, until_ms);
}

static int inside_wait_any(void *ctx, uint64_t until_ms) {
    struct fws_tls_stream *stream = ctx;
    unsigned read_needs, write_needs;
    int is_readable = look(stream, &read_needs, &write_needs);
    int bits = stream->below.wait_any(stream->below.ctx, is_readable ? 0 : until_ms);
    if (bits < 0) return bits;
    unsigned found = is_readable ? FASTWS_IO_READABLE : 0;
    if ((unsigned)bits & read_needs) found |= FASTWS_IO_READABLE;
    if ((unsigned)bits & write_needs) found |= FASTWS_IO_WRITABLE;
    return (int)found;
}

/* Says that nothing more comes, as far as the peer takes bytes now. */
static void send_close_notify(struct fws_tls_stream *stream) {
    ERR_clear_error();
    int can_write = !stream->is_broken && !stream->is_write_broken && stream->begun == NULL;
    if (can_write && !(SSL_get_shutdown(stream->ssl) & SSL_SENT_SHUTDOWN)) (void)!SSL_shutdown(stream->ssl);
}

static int inside_shutdown(void *ctx) {
    struct fws_tls_stream *stream = ctx;
    pthread_mutex_lock(&stream->lock);
    send_close_notify(stream);
    pthread_mutex_unlock(&stream->lock);
    return stream->below.shutdown != NULL ? stream->below.shutdown(stream->below.ctx) : 0;
}

void fws_tls_stream_discard(struct fws_tls_stream *stream) {
    SSL_free(stream->ssl);
    pthread_mutex_destroy(&stream->lock);
    free(stream->begun);
    free(stream);
    ERR_clear_error();
}

static int inside_close(void *ctx) {
    struct fws_tls_stream *stream = ctx;
    struct fastws_io below = stream->below;
    send_close_notify(stream);
    fws_tls_stream_discard(stream);
    return below.close != NULL ? below.close(below.ctx) : 0;
}

/* ---- Life ---- */

struct fws_tls_stream *fws_tls_stream_new(struct ssl_ctx_st *context, const struct fastws_io *io) {
    pthread_once(&method_once, make_method);
    struct fws_tls_stream *stream = calloc(1, sizeof *stream);
    if (stream == NULL) return NULL;
    if (pthread_mutex_init(&stream->lock, NULL) != 0) {
        free(stream);
        return NULL;
    }
    stream->below = *io;
    stream->ssl = SSL_new(context);
    BIO *bio = method != NULL && stream->ssl != NULL ? BIO_new(method) : NULL;
    if (bio == NULL) {
        fws_tls_stream_discard(stream);
        return NULL;
    }
    BIO_set_data(bio, stream);
    BIO_set_init(bio, 1);
    SSL_set_bio(stream->ssl, bio, bio);
    SSL_set_options(stream->ssl, SSL_OP_NO_RENEGOTIATION);
    SSL_set_mode(stream->ssl, SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER | SSL_MODE_RELEASE_BUFFERS);
    SSL_set_read_ahead(stream->ssl, 1); /* one read for a record, not one for its head and one for the rest */
    return stream;
}

void fws_tls_stream_describe(struct fastws_io *out, struct fws_tls_stream *stream) {
    *out = (struct fastws_io){.read = inside_read,
                              .writev = inside_writev,
                              .wait = inside_wait,
                              .close = inside_close,
                              .ctx = stream,
                              .shutdown = inside_shutdown,
                              .wait_any = stream->below.wait_any != NULL ? inside_wait_any : NULL};
}
