/* SPDX-License-Identifier: MIT */
/* TLS handshakes that share the deadline of what they are a step of. */
#ifndef FWS_NET_TLS_H
#define FWS_NET_TLS_H

#include <fastws/tls.h>

#include "../platform.h"
#include "io.h"

/* Like fastws_tls_connect(), but with a limit: returns also FASTWS_ERR_DIAL_CANCELLED. */
FWS_PRIVATE FASTWS_NODISCARD int fws_tls_connect(struct fastws_tls *tls, const struct fastws_io *io, const char *host,
                                                 const struct fws_limit *limit, struct fastws_io *out,
                                                 struct fastws_tls_failure *failure);

/* ---- Steps of a handshake, for those who drive it themselves ---- */

/* Types of OpenSSL. */
struct ssl_st;
struct ssl_ctx_st;
struct bio_st;
struct bio_method_st;

/* What became of the byte stream below TLS. */
enum fws_tls_below { FWS_TLS_BELOW_FINE, FWS_TLS_BELOW_EOF, FWS_TLS_BELOW_FAILED };

FWS_PRIVATE enum fastws_role fws_tls_role(const struct fastws_tls *tls);
FWS_PRIVATE struct ssl_ctx_st *fws_tls_context(const struct fastws_tls *tls);

/* Makes a kind of BIO, which OpenSSL reads from and writes to without a buffer in between. NULL: no memory. */
FWS_PRIVATE struct bio_method_st *fws_tls_bio_method(const char *name, int (*read)(struct bio_st *, char *, int),
                                                     int (*write)(struct bio_st *, const char *, int));

/* Says which side ssl is, and whom it expects: host is NULL for a server.
 * Returns 0, FASTWS_ERR_ARGUMENT (tls is of the other role, or host is no host) or FASTWS_ERR_NOMEM. */
FWS_PRIVATE FASTWS_NODISCARD int fws_tls_begin(const struct fastws_tls *tls, struct ssl_st *ssl, const char *host);

/* Returns why a handshake failed, which is not for want of bytes: an error of fastws_tls_connect(). */
FWS_PRIVATE FASTWS_NODISCARD int fws_tls_explain(struct ssl_st *ssl, enum fws_tls_below below,
                                                 struct fastws_tls_failure *failure);

/* Judges what a server chose, once hands are shaken. Returns 0 or FASTWS_ERR_TLS_ALPN. */
FWS_PRIVATE FASTWS_NODISCARD int fws_tls_check_protocol(const struct ssl_st *ssl, struct fastws_tls_failure *failure);

#endif
