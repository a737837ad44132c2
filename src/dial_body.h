/* SPDX-License-Identifier: MIT */
/* The body of an HTTP answer: where it ends, and its bytes without their chunking. RFC 9112 sections 6 and 7. */
#ifndef FWS_DIAL_BODY_H
#define FWS_DIAL_BODY_H

#include <fastws/http.h>

#include "platform.h"

enum fws_body_state {
    FWS_BODY_DONE, /* the body is complete */
    FWS_BODY_BAD,  /* what comes is no body */
    FWS_BODY_COUNTED,
    FWS_BODY_UNTIL_END, /* of the stream */
    FWS_BODY_SIZE,      /* of a chunk, and those below, in the order of their bytes */
    FWS_BODY_EXTENSION,
    FWS_BODY_SIZE_LF,
    FWS_BODY_DATA,
    FWS_BODY_DATA_CR,
    FWS_BODY_DATA_LF,
    FWS_BODY_TRAILER_START,
    FWS_BODY_TRAILER,
    FWS_BODY_TRAILER_LF,
    FWS_BODY_END_LF
};

/* All zero at the start of a head: what its headers say of the body. */
struct fws_body {
    enum fws_body_state state;
    uint64_t left;       /* bytes of the body, or of the chunk, that are to come */
    uint32_t framing_len; /* bytes that are no data: a peer must not keep us with those alone */
    uint8_t has_digits;
    uint8_t has_length;
    uint8_t is_length_bad;
    uint8_t has_coding; /* a Transfer-Encoding */
    uint8_t is_chunked; /* which has "chunked" last */
};

/* Note what a header says of the body. */
FWS_PRIVATE void fws_body_note_length(struct fws_body *body, struct fastws_slice value);
FWS_PRIVATE void fws_body_note_coding(struct fws_body *body, struct fastws_slice value);

/* Begins the body of an answer, once all headers were noted. RFC 9112 6.3. */
FWS_PRIVATE void fws_body_begin(struct fws_body *body, int status);

/* Takes bytes up to the next piece of data, and with it.
 *   data   the piece; empty if there is none in what was taken
 * Returns how many bytes were taken: fewer than len only if data is not empty, or the body is done or bad. */
FWS_PRIVATE FASTWS_NODISCARD size_t fws_body_take(struct fws_body *body, const char *src, size_t len,
                                                  struct fastws_slice *data);

#endif
