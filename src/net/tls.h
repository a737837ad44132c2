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

#endif
