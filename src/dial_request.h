/* SPDX-License-Identifier: MIT */
/* The request of an opening handshake, as text, and what may be asked for in it. RFC 6455 4.1. */
#ifndef FWS_DIAL_REQUEST_H
#define FWS_DIAL_REQUEST_H

#include <fastws/dial.h>

#include "platform.h"

/* Judges what a configuration asks for. Returns 0, FASTWS_ERR_ARGUMENT, FASTWS_ERR_HANDSHAKE_HEADER or
 * FASTWS_ERR_DIAL_EXTENSIONS_MAX. */
FWS_PRIVATE FASTWS_NODISCARD int fws_dial_request_check(const struct fastws_dial_config *config);

/* Judges the parts of an address that are written, which may have been put together by hand. Returns 0,
 * FASTWS_ERR_URL_TARGET or FASTWS_ERR_URL_HOST. */
FWS_PRIVATE FASTWS_NODISCARD int fws_dial_request_check_url(const struct fastws_url *url);

/* Writes the request, as far as cap bytes at dst go.
 *   config, url   have passed the two above
 *   key           FASTWS_KEY_LEN bytes
 *   credentials   "user:password" in base64, or empty
 * Returns the length of the whole: if it is more than cap, what stands at dst is of no use. */
FWS_PRIVATE size_t fws_dial_request_write(char *dst, size_t cap, const struct fastws_dial_config *config,
                                          const struct fastws_url *url, const char *key,
                                          struct fastws_slice credentials);

/* Returns 1 if the configuration brings an Authorization header of its own, else 0. */
FWS_PRIVATE FASTWS_NODISCARD int fws_dial_request_has_authorization(const struct fastws_dial_config *config);

#endif
