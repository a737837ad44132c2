/* SPDX-License-Identifier: MIT */
/* What another library, wslay, makes of a stream of frames: the messages, and whether it goes on, is closed or refused.
 * Where wslay is not installed (FASTWS_WSLAY is not defined), nobody is asked. */
#ifndef FWS_TESTS_SECOND_OPINION_H
#define FWS_TESTS_SECOND_OPINION_H

#include <stddef.h>
#include <stdint.h>

#include <fastws/conn.h>

enum verdict { VERDICT_OPEN, VERDICT_CLOSED, VERDICT_REFUSED };

enum { OPINION_MESSAGE_MAX = 1 << 20 }; /* larger messages are refused: wslay allocates what a frame declares */

/* Called for each message, ping and pong. */
typedef void opinion_note(void *context, uint8_t opcode, const uint8_t *payload, size_t len);

#ifdef FASTWS_WSLAY

#include <stdlib.h>
#include <string.h>
#include <wslay/wslay.h>

struct opinion_stream {
    const uint8_t *ptr;
    size_t len;
    opinion_note *note;
    void *context;
};

static ssize_t opinion_receive(wslay_event_context_ptr wslay, uint8_t *buf, size_t len, int flags, void *context) {
    struct opinion_stream *stream = context;
    (void)flags;
    if (len > stream->len) len = stream->len;
    if (len == 0) {
        wslay_event_set_error(wslay, WSLAY_ERR_WOULDBLOCK);
        return -1;
    }
    memcpy(buf, stream->ptr, len);
    stream->ptr += len;
    stream->len -= len;
    return (ssize_t)len;
}

static int opinion_mask(wslay_event_context_ptr wslay, uint8_t *buf, size_t len, void *context) {
    (void)wslay;
    (void)context;
    memset(buf, 0, len);
    return 0;
}

static void opinion_message(wslay_event_context_ptr wslay, const struct wslay_event_on_msg_recv_arg *message,
                            void *context) {
    struct opinion_stream *stream = context;
    (void)wslay;
    if (message->opcode == WSLAY_CONNECTION_CLOSE) return;
    stream->note(stream->context, message->opcode, message->msg, message->msg_length);
}

/* Returns the verdict, or -1 if wslay has none: it ran out of memory. */
static inline int second_opinion(enum fastws_role role, const uint8_t *ptr, size_t len, opinion_note *note,
                                 void *context) {
    static const struct wslay_event_callbacks callbacks = {
        .recv_callback = opinion_receive, .genmask_callback = opinion_mask, .on_msg_recv_callback = opinion_message};
    struct opinion_stream stream = {ptr, len, note, context};
    wslay_event_context_ptr wslay;
    int error = role == FASTWS_ROLE_SERVER ? wslay_event_context_server_init(&wslay, &callbacks, &stream)
                                           : wslay_event_context_client_init(&wslay, &callbacks, &stream);
    if (error) return -1;
    wslay_event_config_set_max_recv_msg_length(wslay, OPINION_MESSAGE_MAX);
    error = wslay_event_recv(wslay);
    int verdict = wslay_event_get_close_received(wslay) ? VERDICT_CLOSED
                  : wslay_event_get_read_enabled(wslay) ? VERDICT_OPEN
                                                        : VERDICT_REFUSED;
    wslay_event_context_free(wslay);
    return error ? -1 : verdict;
}

#else

static inline int second_opinion(enum fastws_role role, const uint8_t *ptr, size_t len, opinion_note *note,
                                 void *context) {
    (void)role;
    (void)ptr;
    (void)len;
    (void)note;
    (void)context;
    return -1;
}

#endif

#endif
