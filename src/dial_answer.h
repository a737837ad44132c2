/* SPDX-License-Identifier: MIT */
/* The rules that the answer to an opening handshake must keep, line by line, and what is known of it so far.
 * RFC 6455 4.1. */
#ifndef FWS_DIAL_ANSWER_H
#define FWS_DIAL_ANSWER_H

#include <fastws/deflate.h>
#include <fastws/dial.h>
#include <fastws/handshake.h>
#include <fastws/http.h>

#include "dial_body.h"
#include "platform.h"

/* A part of the head, which may move: where it starts there. */
struct fws_part {
    size_t off;
    size_t len;
};

/* All zero but for the configuration and what the key has to be answered with: nothing is known yet. */
struct fws_answer {
    const struct fastws_dial_config *config;
    int status; /* 0: not known. What follows is about the head that it begins, but for header_count and accept */
    uint8_t version_major; /* of the line that holds the status, as is reason */
    uint8_t version_minor;
    struct fws_part reason;
    struct fws_part location; /* of a redirect */
    unsigned seen;            /* headers that were there and are right: see dial_answer.c */
    unsigned header_count;
    size_t protocol_rank;        /* of the protocol in the configuration's list, if one was seen */
    uint64_t extensions;         /* that were accepted: fws_extension_judge() */
    struct fastws_deflate_params deflate; /* if has_deflate: what was agreed on for permessage-deflate */
    uint8_t has_deflate;
    struct fws_body body;        /* of an answer that is not 101 */
    char accept[FASTWS_ACCEPT_LEN + 1];
};

/* Judge the status line, one header line, and the head as a whole. Slices point into head.
 * Return 0, or the FASTWS_ERR_HTTP_* and FASTWS_ERR_HANDSHAKE_* of dial.h. */
FWS_PRIVATE FASTWS_NODISCARD int fws_answer_judge_line(struct fws_answer *answer, const char *head,
                                                       const struct fastws_http_status_line *line);
FWS_PRIVATE FASTWS_NODISCARD int fws_answer_judge_header(struct fws_answer *answer, const char *head,
                                                         const struct fastws_http_header *header);
FWS_PRIVATE FASTWS_NODISCARD int fws_answer_judge_end(const struct fws_answer *answer);

/* Returns 1 if another head follows: RFC 9110 15.2. */
FWS_PRIVATE FASTWS_NODISCARD int fws_answer_is_interim(const struct fws_answer *answer);

/* Returns 1 if the answer points elsewhere, and says where. */
FWS_PRIVATE FASTWS_NODISCARD int fws_answer_is_redirect(const struct fws_answer *answer);

/* Returns 1 if a subprotocol was agreed on: that of protocol_rank. */
FWS_PRIVATE FASTWS_NODISCARD int fws_answer_has_protocol(const struct fws_answer *answer);

/* Calls on_header and on_extension for one header line of a 101. Returns 0 or FASTWS_ERR_DIAL_REJECTED. */
FWS_PRIVATE FASTWS_NODISCARD int fws_answer_show(const struct fastws_dial_config *config,
                                                 const struct fastws_http_header *header);

#endif
