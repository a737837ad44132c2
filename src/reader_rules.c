/* SPDX-License-Identifier: MIT */
/* Judges headers before any of their payload is awaited: by RFC 6455 section 5, the limits, and the extensions. */
#include "reader.h"

#include <fastws/error.h>
#include <fastws/header.h>

static int is_over(uint64_t count, uint64_t max) {
    return max != 0 && count > max;
}

/* Judges a data frame against the limits before any of its payload is awaited. RFC 6455 10.4. */
static int check_limits(const struct fws_reader *reader, const struct fastws_header *header, int is_compressed) {
    const struct fastws_limits *limits = reader->rules.limits;
    if (is_over(header->length, limits->max_frame)) return FASTWS_ERR_FRAME_TOO_LARGE;
    /* No overflow: both sums are what was received, and a length is below 2^63. A compressed message is measured as it
     * is inflated. */
    uint64_t message_len = reader->given_len + reader->message_len + header->length;
    if (!is_compressed && is_over(message_len, limits->max_message)) return FASTWS_ERR_MESSAGE_TOO_LARGE;
    if (is_over((uint64_t)reader->fragments + 1, limits->max_fragments)) return FASTWS_ERR_TOO_MANY_FRAGMENTS;
    if (header->length > 0) return 0;
    if (is_over((uint64_t)reader->empty_fragments + 1, limits->max_empty_fragments)) {
        return FASTWS_ERR_TOO_MANY_EMPTY_FRAGMENTS;
    }
    return 0;
}

/* RFC 7692 6: RSV1 on the first frame marks a compressed message, where that was agreed on. */
static int begins_compressed(const struct fws_reader *reader, const struct fastws_header *header) {
    return reader->rules.inflater && !reader->is_open && header->rsv & FASTWS_RSV1;
}

/* Lets every extension clear the bits that it claims. RFC 6455 5.2: what is left has no meaning. */
static int claim_bits(const struct fws_reader *reader, const struct fastws_header *header) {
    uint8_t rsv = header->rsv;
    if (begins_compressed(reader, header)) rsv = (uint8_t)(rsv & ~FASTWS_RSV1);
    for (size_t i = 0; i < reader->rules.extension_count; i++) {
        const struct fastws_extension *extension = &reader->rules.extensions[i];
        if (!extension->receive) continue;
        struct fastws_header seen = *header;
        seen.rsv = rsv;
        int error = extension->receive(extension->context, &seen);
        if (error < 0) return fastws_error_close_code(error) ? error : FASTWS_ERR_EXTENSION;
        rsv &= seen.rsv;
    }
    return rsv != 0 && reader->rules.is_header_checked ? FASTWS_ERR_RSV : 0;
}

int fws_reader_judge(const struct fws_reader *reader, const struct fastws_header *header) {
    int is_data = !fws_reader_is_control(header->opcode);
    if (reader->rules.is_header_checked) {
        struct fastws_header judged = *header;
        if (is_data && reader->rules.extension_count > 0) judged.rsv = 0; /* the extensions judge them */
        unsigned state = reader->rules.inflater ? FASTWS_STATE_EXTENDED : 0u;
        if (reader->is_open) state |= FASTWS_STATE_FRAGMENTED;
        TRY(fastws_header_check(&judged, reader->rules.role | state));
    }
    if (!is_data) return header->length > FASTWS_CONTROL_MAX ? FASTWS_ERR_CONTROL_LEN : 0;
    int is_compressed = fws_reader_is_inflating(reader) || begins_compressed(reader, header);
    TRY(check_limits(reader, header, is_compressed));
    return reader->rules.extension_count > 0 ? claim_bits(reader, header) : 0;
}
