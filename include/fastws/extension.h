/* SPDX-License-Identifier: MIT */
/* An extension as a connection sees it: who claims the reserved bits of frame headers. RFC 6455 5.2 and 9.
 *
 * A connection takes a list of them in its configuration (conn.h). They judge and mark headers; what they do with
 * payloads happens outside, with the rsv of the events. permessage-deflate needs none of this. */
#ifndef FASTWS_EXTENSION_H
#define FASTWS_EXTENSION_H

#include <fastws/export.h>
#include <fastws/header.h>

FASTWS_BEGIN_DECLS

/* An extension that uses RSV bits: called for each text, binary and continuation frame with its header, in the order of
 * the list. RFC 6455 9. Payload is not its business. Both functions may be NULL, and must not call the connection.
 *   receive   judges a header that came. It may clear the RSV bits that it claims; bits that nobody has cleared in the
 *             end fail the connection with FASTWS_ERR_RSV. Changes of other fields are not taken over
 *   send      may set RSV bits of a header that is about to be queued. Other changes are not taken over. Where the
 *             connection compresses (RFC 7692), RSV1 is not an extension's to set: the call that sends returns
 *             FASTWS_ERR_RSV and queues nothing
 *   context   handed to both
 * They return 0, or a negative enum fastws_error to refuse: receive fails the connection with it (with
 * FASTWS_ERR_EXTENSION where it has no close code), and the call that sends returns it and queues nothing. */
struct fastws_extension {
    int (*receive)(void *context, struct fastws_header *header);
    int (*send)(void *context, struct fastws_header *header);
    void *context;
};

FASTWS_END_DECLS

#endif
