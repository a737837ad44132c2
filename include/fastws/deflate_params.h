/* SPDX-License-Identifier: MIT */
/* The parameters of permessage-deflate, from and to the text of Sec-WebSocket-Extensions. RFC 7692 7.1.
 *
 * What is made of them is in deflate.h: fastws_deflate_accept(), _offer() and _confirm().
 *
 * All functions are thread-safe and never allocate. */
#ifndef FASTWS_DEFLATE_PARAMS_H
#define FASTWS_DEFLATE_PARAMS_H

#include <stddef.h>
#include <stdint.h>

#include <fastws/export.h>
#include <fastws/http.h>

FASTWS_BEGIN_DECLS

#define FASTWS_DEFLATE_NAME "permessage-deflate"
#define FASTWS_DEFLATE_BITS_MIN 8  /* a window is 2^bits bytes: 256 ... */
#define FASTWS_DEFLATE_BITS_MAX 15 /* ... to 32 768. RFC 7692 7.1.2 */
#define FASTWS_DEFLATE_BITS_ANY 1  /* client_max_window_bits without a value: the server may set the client's window */

/* The parameters of an offer, of an answer, or of what was agreed. All zero: none of them. May be copied. */
struct fastws_deflate_params {
    uint8_t server_no_context_takeover; /* 1: the server compresses each message on its own. RFC 7692 7.1.1.1 */
    uint8_t client_no_context_takeover; /* 1: the client does. RFC 7692 7.1.1.2 */
    uint8_t server_max_window_bits;     /* 8..15, 0: not given. RFC 7692 7.1.2.1 */
    uint8_t client_max_window_bits;     /* 8..15, 0: not given, FASTWS_DEFLATE_BITS_ANY in offers. RFC 7692 7.1.2.2 */
};

/* Parses the parameters of one offer or answer: "server_no_context_takeover; client_max_window_bits=10". Values may be
 * quoted strings (RFC 6455 9.1); names are compared without case; empty parameters are skipped, as
 * fastws_option_next_parameter() does.
 *   out         written only on success
 *   text        what stands behind the name of the extension: struct fastws_option's parameters, with the first
 *               semicolon or without; may be empty
 *   is_answer   1: of an answer, where client_max_window_bits must have a value
 * Returns 0, or
 *   FASTWS_ERR_HANDSHAKE_EXTENSIONS   not a list of parameters
 *   FASTWS_ERR_DEFLATE_PARAM          unknown parameter
 *   FASTWS_ERR_DEFLATE_VALUE          value missing, not allowed, or not a number 8..15 without leading zeros
 *   FASTWS_ERR_DEFLATE_REPEATED       a parameter twice
 * RFC 7692 7.1. */
FASTWS_API FASTWS_NODISCARD FASTWS_NONNULL(1) int
fastws_deflate_params_parse(struct fastws_deflate_params *out, struct fastws_slice text, int is_answer);

#define FASTWS_DEFLATE_PARAMS_MAX 130 /* bytes that fastws_deflate_params_write() can write */

/* Writes one offer or answer: the name of the extension and its parameters, in the order of the struct.
 *   dst, cap   FASTWS_DEFLATE_PARAMS_MAX is enough. Nothing is written on failure, and no NUL ever
 * Returns the bytes written, or
 *   FASTWS_ERR_ARGUMENT      window bits other than those above, or a flag that is neither 0 nor 1
 *   FASTWS_ERR_BUFFER_SIZE   cap is too small */
FASTWS_API FASTWS_NODISCARD FASTWS_NONNULL(1, 3) int
fastws_deflate_params_write(char *dst, size_t cap, const struct fastws_deflate_params *params);

FASTWS_END_DECLS

#endif
