/* SPDX-License-Identifier: MIT */
/* The rules that an upgrade request must keep, line by line, and what is known of it so far. RFC 6455 4.2.1. */
#ifndef FWS_UPGRADE_REQUEST_H
#define FWS_UPGRADE_REQUEST_H

#include <fastws/deflate.h>
#include <fastws/handshake.h>
#include <fastws/http.h>
#include <fastws/http_write.h>
#include <fastws/upgrade.h>

#include "platform.h"

/* At the start nothing is known, and reject is not read. */
struct fws_request {
    const struct fastws_upgrade_config *config;
    const struct fastws_allocator *allocator;
    int has_line;  /* the request line was judged */
    unsigned seen; /* headers that were there and are right: see upgrade_request.c */
    unsigned header_count;
    int is_head_method;           /* the answer to HEAD has no body. RFC 9110 9.3.2 */
    size_t protocol_rank;         /* of the protocol in the configuration's list, if it is from there */
    struct fastws_slice target;   /* in the head */
    struct fastws_slice protocol; /* best one so far, in the head or in the configuration; empty if there is none */
    struct fastws_slice host;     /* in the head */
    struct fastws_slice origin;   /* in the head */
    struct fastws_http_text extensions; /* those accepted so far */
    char *extensions_block;             /* what they are written into, if it is not memory of the owner; of its cap */
    struct fastws_deflate_params deflate; /* if has_deflate: what was agreed on for permessage-deflate */
    uint8_t has_deflate;
    struct fastws_reject reject;        /* what the callback filled that was called last */
    uint32_t accept_state[5];           /* what is hashed of the answer to the key, once that was seen */
};

/* Judge the request line, one header line, and the head as a whole, and call the callbacks.
 * Return 0, or the FASTWS_ERR_HTTP_* and FASTWS_ERR_HANDSHAKE_* of upgrade.h; reject is filled when that is
 * FASTWS_ERR_HANDSHAKE_REJECTED. */
FWS_PRIVATE FASTWS_NODISCARD int fws_request_judge_line(struct fws_request *request, struct fastws_slice method,
                                                        struct fastws_slice target);
FWS_PRIVATE FASTWS_NODISCARD int fws_request_judge_header(struct fws_request *request, struct fastws_slice name,
                                                          struct fastws_slice value);
FWS_PRIVATE FASTWS_NODISCARD int fws_request_judge_end(struct fws_request *request, struct fastws_http_headers *extra);

/* Reads and judges the lines that have arrived.
 *   head, len  bytes received so far, from the first of the head on
 *   off, pos   in and out: where the line starts that is read next, and how much of it was looked at
 * Returns 1 after the last line, NEED_MORE or an error. */
FWS_PRIVATE FASTWS_NODISCARD int fws_request_read(struct fws_request *request, const char *head, size_t len,
                                                  size_t *off, size_t *pos);

#endif
