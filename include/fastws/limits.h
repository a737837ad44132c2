/* SPDX-License-Identifier: MIT */
/* What a peer may make a connection hold. Every limit is inclusive, and 0 means none. */
#ifndef FASTWS_LIMITS_H
#define FASTWS_LIMITS_H

#include <stddef.h>
#include <stdint.h>

/* fastws_conn_config_init() sets the defaults given here. RFC 6455 10.4 asks for limits on frames and on what
 * fragments add up to. They hold however messages are handed out, also for what is discarded. */
struct fastws_limits {
    uint64_t max_message;         /* payload bytes of a message; 16 MiB. Above: FASTWS_ERR_MESSAGE_TOO_LARGE */
    uint64_t max_frame;           /* payload bytes of a frame; 16 MiB. Above: FASTWS_ERR_FRAME_TOO_LARGE */
    uint32_t max_fragments;       /* frames of a message; 262 144. Above: FASTWS_ERR_TOO_MANY_FRAGMENTS */
    uint32_t max_empty_fragments; /* of them without payload; 1024. Above: FASTWS_ERR_TOO_MANY_EMPTY_FRAGMENTS */
    size_t max_control_pending;   /* bytes of queued replies to control frames; 64 KiB. Above: reading stops until
                                     they drain, and FASTWS_ERR_CONTROL_FLOOD after the ping timeout */
};

#endif
