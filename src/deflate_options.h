/* SPDX-License-Identifier: MIT */
/* The list in a Sec-WebSocket-Extensions header: extensions and their parameters, as slices. RFC 6455 9.1. */
#ifndef FWS_DEFLATE_OPTIONS_H
#define FWS_DEFLATE_OPTIONS_H

#include <fastws/http.h>

#include "platform.h"

/* Takes the next extension from a list of them. Empty elements are skipped.
 *   name     a token
 *   params   what stands behind its first semicolon, checked for its form; empty if there is none
 *   list     moved behind the extension and its comma
 * Returns 1, 0 when none is left, or FASTWS_ERR_HANDSHAKE_EXTENSIONS. */
FWS_PRIVATE int fws_deflate_next_extension(struct fastws_slice *name, struct fastws_slice *params,
                                           struct fastws_slice *list);

/* Takes the next parameter: token [ "=" ( token | quoted-string ) ].
 *   value    as it stands there, a quoted string with its quotes; ptr is NULL if there is no value
 *   params   moved behind the parameter and its semicolon
 * Returns 1, 0 when params is empty, or FASTWS_ERR_HANDSHAKE_EXTENSIONS. */
FWS_PRIVATE int fws_deflate_next_param(struct fastws_slice *name, struct fastws_slice *value,
                                       struct fastws_slice *params);

/* Copies a value without quotes and escapes, at most cap bytes. Returns its whole length. */
FWS_PRIVATE size_t fws_deflate_unquote(char *dst, size_t cap, struct fastws_slice value);

#endif
