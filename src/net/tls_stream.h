/* SPDX-License-Identifier: MIT */
/* The byte stream inside TLS, from the first byte of the handshake on. */
#ifndef FWS_NET_TLS_STREAM_H
#define FWS_NET_TLS_STREAM_H

#include <pthread.h>
#include <stddef.h>
#include <stdint.h>

#include <fastws/stream.h>

#include "../platform.h"

/* Types of OpenSSL. */
struct ssl_st;
struct ssl_ctx_st;

/* lock guards everything below it, once the handshake is over. It is never held while below waits, for below does not
 * block. */
struct fws_tls_stream {
    struct fastws_io below;
    pthread_mutex_t lock;
    struct ssl_st *ssl;
    int read_want;  /* SSL_ERROR_WANT_* of the last read, 0 if it brought something */
    int write_want; /* of the last write */
    int is_below_eof;
    int is_below_failed;
    int is_broken;       /* nothing goes any more */
    int is_write_broken; /* nothing leaves any more. What has arrived can be read: it may say why */
    /* A write that OpenSSL has begun has to be finished with the same bytes, whatever the caller offers next. */
    uint8_t *begun;
    size_t begun_len;
    size_t ahead_len; /* bytes that are written and that the caller has not offered again since */
};

/* Makes the stream of a connection whose handshake has not begun. Returns NULL when there is no memory. */
FWS_PRIVATE FASTWS_NODISCARD struct fws_tls_stream *fws_tls_stream_new(struct ssl_ctx_st *context,
                                                                       const struct fastws_io *io);

/* Frees everything but what is below. */
FWS_PRIVATE void fws_tls_stream_discard(struct fws_tls_stream *stream);

/* Describes the stream, which closing frees then. */
FWS_PRIVATE void fws_tls_stream_describe(struct fastws_io *out, struct fws_tls_stream *stream);

#endif
