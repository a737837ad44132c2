/* SPDX-License-Identifier: MIT */
/* The server's handshake over a byte stream: request in, stream open, answer out. RFC 6455 section 4.2. */
#define _POSIX_C_SOURCE 200809L
#include <fastws/error.h>
#include <fastws/upgrade.h>

#include "io.h"
#include "stream.h"

enum { LINGER_MS = 500 }; /* how long a peer that was refused is read from, so that it gets the answer */

/* Reads until the head is accepted (1), refused (FASTWS_ERR_HANDSHAKE_TIMEOUT is one way), or the stream is at its end:
 * that alone leaves no answer to write. */
static int read_head(const struct fastws_io *io, struct fastws_upgrade *upgrade, struct fws_received *received,
                     const struct fws_limit *limit) {
    for (int is_begun = 0;; is_begun = 1) {
        ptrdiff_t n = fws_io_read(io, received->bytes, sizeof received->bytes, limit);
        if (n == FASTWS_ERR_TIMEOUT) return fastws_upgrade_refuse(upgrade, FASTWS_ERR_HANDSHAKE_TIMEOUT);
        if (n < 0) return (int)n;
        if (n == 0) return is_begun ? FASTWS_ERR_UNEXPECTED_EOF : FASTWS_ERR_EOF;
        received->len = (size_t)n;
        int result = fastws_upgrade_feed(upgrade, received->bytes, received->len, &received->used);
        if (result != FASTWS_NEED_MORE) return result;
    }
}

/* Writes the answer, if there is one: 0 or an error of io. */
static int answer(const struct fastws_io *io, const struct fastws_upgrade *upgrade, const struct fws_limit *limit) {
    const void *response;
    size_t len;
    if (fastws_upgrade_response(upgrade, &response, &len) < 0) return 0;
    int error = fws_io_write(io, response, len, limit);
    return error == FASTWS_ERR_TIMEOUT ? FASTWS_ERR_HANDSHAKE_TIMEOUT : error;
}

/* Opens a server's stream, for a request that is accepted. The role is looked at once the size has been judged. */
static int open_server(const struct fastws_io *io, const struct fastws_upgrade *upgrade,
                       const struct fastws_deflate_config *deflate, const struct fastws_conn_config *config,
                       const struct fws_received *received, struct fastws_stream **out) {
    struct fastws_stream *stream;
    struct fastws_deflate_params agreed;
    struct fastws_slice initial = {(const char *)received->bytes + received->used, received->len - received->used};
    const struct fastws_deflate_params *params = fastws_upgrade_deflate(upgrade, &agreed) > 0 ? &agreed : NULL;
    TRY(fws_stream_open_agreed(io, config, deflate, params, initial, &stream));
    if (config->role != FASTWS_ROLE_SERVER) {
        fws_stream_dispose(stream);
        return FASTWS_ERR_ARGUMENT;
    }
    *out = stream;
    return 0;
}

/* Takes the acceptance back. */
static int refuse(struct fastws_upgrade *upgrade, int error) {
    fastws_upgrade_reset(upgrade);
    return fastws_upgrade_refuse(upgrade, error);
}

int fastws_stream_accept(const struct fastws_io *io, const struct fastws_upgrade_config *upgrade_config,
                         const struct fastws_conn_config *config, uint64_t timeout_ms, struct fastws_stream **out) {
    if (io->read == NULL || io->writev == NULL) return FASTWS_ERR_ARGUMENT;
    struct fastws_upgrade *upgrade;
    TRY(fastws_upgrade_new(upgrade_config, NULL, &upgrade));
    struct fws_limit limit = {fws_deadline_ms(fws_clock_ms(), timeout_ms), -1};
    struct fws_received received;
    struct fastws_stream *stream = NULL;
    int result = read_head(io, upgrade, &received, &limit);
    if (result > 0) { /* nothing may fail behind the 101 */
        const struct fastws_deflate_config *deflate = upgrade_config != NULL ? upgrade_config->deflate : NULL;
        result = open_server(io, upgrade, deflate, config, &received, &stream);
        if (result < 0) result = refuse(upgrade, result);
    }
    int error = answer(io, upgrade, &limit);
    fastws_upgrade_free(upgrade);
    if (result < 0) {
        /* Not until the deadline: after a 408 that has passed, and it may be never. */
        if (error == 0) fws_io_linger(io, fws_clock_ms() + LINGER_MS);
        return result;
    }
    if (error < 0) {
        fws_stream_dispose(stream);
        return error;
    }
    *out = stream;
    return 0;
}
