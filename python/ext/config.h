/* SPDX-License-Identifier: MIT */
/* The options of a connection: keyword arguments of Connection, Stream and their reset(), and attributes of both. */
#ifndef FASTWS_PY_CONFIG_H
#define FASTWS_PY_CONFIG_H

#include "state.h"

#include <fastws/conn.h>

/* Which types have an option. */
#define CONFIG_CONNECTION (1u << 0)
#define CONFIG_STREAM (1u << 1)
#define CONFIG_ENDPOINT (1u << 2)

/* Takes the options out of keyword arguments, which may be NULL, and puts them into config; those that are not given
 * stay as they are.
 *   type   CONFIG_*
 * Returns the other arguments in a new dict, or NULL with an exception. */
PyObject *config_take(PyObject *kwargs, unsigned type, struct fastws_conn_config *config);

/* What an attribute of a PyGetSetDef answers.
 *   option   its closure: one of config_options */
PyObject *config_get(const struct fastws_conn_config *config, const void *option);

enum option_kind {
    OPTION_LIMIT64, /* an integer of at least 1, or None for 0: uint64_t */
    OPTION_LIMIT32, /* the same: uint32_t */
    OPTION_LIMIT,   /* the same: size_t */
    OPTION_SECONDS, /* a number above 0, or None for 0: uint32_t of milliseconds */
    OPTION_YES,     /* a truth value: uint8_t */
    OPTION_NO,      /* a truth value: uint8_t that says the contrary */
    OPTION_QUEUE,   /* high or (high, low), or None: queue_high and queue_low */
    OPTION_DELIVERY /* the name of a way: uint8_t */
};

struct option {
    const char *name;
    enum option_kind kind;
    unsigned types; /* CONFIG_* */
    size_t off;     /* of its field in struct fastws_conn_config */
};

enum option_index {
    OPTION_MAX_SIZE,
    OPTION_MAX_FRAME_SIZE,
    OPTION_MAX_FRAGMENTS,
    OPTION_MAX_EMPTY_FRAGMENTS,
    OPTION_PING_INTERVAL,
    OPTION_PING_TIMEOUT,
    OPTION_CLOSE_TIMEOUT,
    OPTION_CHECK_UTF8,
    OPTION_SKIP_HEADER_CHECK,
    OPTION_AUTO_PONG,
    OPTION_AUTO_CLOSE,
    OPTION_WRITE_LIMIT,
    OPTION_FRAGMENT_SIZE,
    OPTION_OF_DELIVERY,
    OPTION_COUNT
};

extern const struct option config_options[OPTION_COUNT];

/* Entries of a PyGetSetDef for what both types have.
 *   get   a getter that calls config_get() */
#define CONFIG_GETTERS(get)                                                                                            \
    {"max_size", get, NULL, "Bytes that a message may have; None: no limit.",                                          \
     (void *)&config_options[OPTION_MAX_SIZE]},                                                                        \
    {"max_frame_size", get, NULL, "Bytes that a frame may have; None: no limit.",                                      \
     (void *)&config_options[OPTION_MAX_FRAME_SIZE]},                                                                  \
    {"max_fragments", get, NULL, "Frames that a message may have; None: no limit.",                                    \
     (void *)&config_options[OPTION_MAX_FRAGMENTS]},                                                                   \
    {"max_empty_fragments", get, NULL, "Frames without payload that a message may have; None: no limit.",              \
     (void *)&config_options[OPTION_MAX_EMPTY_FRAGMENTS]},                                                             \
    {"ping_interval", get, NULL, "Seconds of silence before a ping; None: never.",                                     \
     (void *)&config_options[OPTION_PING_INTERVAL]},                                                                   \
    {"ping_timeout", get, NULL, "Seconds of silence after that ping before the connection fails; None: never.",        \
     (void *)&config_options[OPTION_PING_TIMEOUT]},                                                                    \
    {"close_timeout", get, NULL, "Seconds for the close handshake; None: no limit.",                                   \
     (void *)&config_options[OPTION_CLOSE_TIMEOUT]},                                                                   \
    {"check_utf8", get, NULL, "Whether text that comes must be UTF-8. RFC 6455 8.1.",                                  \
     (void *)&config_options[OPTION_CHECK_UTF8]},                                                                      \
    {"skip_header_check", get, NULL, "Whether the rules of Header.check() are left alone.",                            \
     (void *)&config_options[OPTION_SKIP_HEADER_CHECK]},                                                               \
    {"auto_pong", get, NULL, "Whether pings are answered by themselves. RFC 6455 5.5.2.",                              \
     (void *)&config_options[OPTION_AUTO_PONG]},                                                                       \
    {"auto_close", get, NULL, "Whether close frames and errors are answered by themselves. RFC 6455 5.5.1, 7.1.7.",    \
     (void *)&config_options[OPTION_AUTO_CLOSE]},                                                                      \
    {"write_limit", get, NULL, "Marks of queued, in bytes: (high, low); None: no limit.",                              \
     (void *)&config_options[OPTION_WRITE_LIMIT]}

#endif
