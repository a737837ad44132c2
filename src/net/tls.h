/* SPDX-License-Identifier: MIT */
/* TLS handshakes that share the deadline of what they are a step of. */
#ifndef FWS_NET_TLS_H
#define FWS_NET_TLS_H

#include <fastws/tls.h>

#include "../platform.h"

/* Like fastws_tls_connect(), but until a time of fws_clock_ms(). */
FWS_PRIVATE FASTWS_NODISCARD int fws_tls_connect(struct fastws_tls *tls, const struct fastws_io *io, const char *host,
                                                 uint64_t until_ms, struct fastws_io *out,
                                                 struct fastws_tls_failure *failure);

#endif
