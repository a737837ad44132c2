/* SPDX-License-Identifier: MIT */
/* The two answers to an upgrade request, as text. RFC 6455 4.2.2, RFC 9112 section 4. */
#ifndef FWS_UPGRADE_RESPONSE_H
#define FWS_UPGRADE_RESPONSE_H

#include <fastws/handshake.h>
#include <fastws/http.h>

#include "platform.h"

/* What the answers are made of. Headers have passed fws_response_check(). */
struct fws_response {
    struct fastws_http_headers fixed; /* in every response */
    struct fastws_http_headers extra; /* in this one, behind the fixed ones */

    /* 101 only. */
    struct fastws_slice protocol;   /* may be empty */
    struct fastws_slice extensions; /* may be empty */

    /* Refusals only. */
    int status; /* some have headers of their own */
    struct fastws_slice body;
    int is_body_left_out; /* only its length is told */
};

/* Where the accept key and the protocol stand in what fws_response_accepted() writes. */
#define FWS_RESPONSE_ACCEPT_OFF 97
#define FWS_RESPONSE_PROTOCOL_OFF 151

/* Returns 0, or
 *   FASTWS_ERR_HANDSHAKE_HEADER  a name is no token or one that the handshake writes itself, or a value is no value */
FWS_PRIVATE FASTWS_NODISCARD int fws_response_check(const struct fastws_http_headers *headers);

/* Write the 101, with room for the accept key, and a refusal, as far as cap bytes at dst go. Return the length of the
 * whole: if it is more than cap, what stands at dst is of no use. */
FWS_PRIVATE size_t fws_response_accepted(char *dst, size_t cap, const struct fws_response *response);
FWS_PRIVATE size_t fws_response_refused(char *dst, size_t cap, const struct fws_response *response);

#endif
