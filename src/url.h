/* SPDX-License-Identifier: MIT */
/* The part of an address that names a server, for addresses of other schemes: those of proxies, and redirects. */
#ifndef FWS_URL_H
#define FWS_URL_H

#include <fastws/url.h>

#include "platform.h"

/* Parses [ user [ ":" password ] "@" ] host [ ":" port ], which ends at the first of "/?#" or at the end of text.
 *   out    userinfo, host and, if one is given, port: it has to hold the default; the rest stays as it is
 *   rest   written on success: what is behind it
 * Returns 0 or FASTWS_ERR_URL_USERINFO, _HOST or _PORT. */
FWS_PRIVATE FASTWS_NODISCARD int fws_url_parse_authority(struct fastws_url *out, struct fastws_slice text,
                                                         struct fastws_slice *rest);

/* Returns 1 and moves *text behind the prefix, given in lower case, if text begins with it in any case; else 0. */
FWS_PRIVATE FASTWS_NODISCARD int fws_url_take_prefix(struct fastws_slice *text, const char *lower);

/* Says which kind of host a text is, "[" and "]" taken off an IPv6 address: enum fastws_host_kind but
 * FASTWS_HOST_UNIX, or FASTWS_ERR_URL_HOST. */
FWS_PRIVATE FASTWS_NODISCARD int fws_url_host_kind(struct fastws_slice text, int is_bracketed);

/* Decodes user and password, as Basic authentication and SOCKS want them. RFC 7617.
 *   dst, cap   room for both of them, as "user:password" without a NUL: user.len + password.len + 1 are enough
 *   user_len   written on success: bytes of the user's name
 * Returns the length of all, or FASTWS_ERR_URL_USERINFO: a control byte, or a colon in the user's name. */
FWS_PRIVATE FASTWS_NODISCARD ptrdiff_t fws_url_credentials(char *dst, size_t cap, const struct fastws_url *url,
                                                           size_t *user_len);

#endif
