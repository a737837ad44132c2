/* SPDX-License-Identifier: MIT */
/* Header values that are lists of options with parameters, such as Sec-WebSocket-Extensions:
 *
 *     permessage-deflate; client_max_window_bits; server_max_window_bits=10, foo; bar="a, \"b\""
 *
 *     list      = *( "," OWS ) option *( OWS "," OWS [ option ] )                    RFC 9110 5.6.1
 *     option    = token *( OWS ";" OWS [ parameter ] )                               RFC 9110 5.6.6
 *     parameter = token [ OWS "=" OWS ( token / quoted-string ) ]                    RFC 6455 9.1, RFC 9110 5.6.4
 *
 * Nothing here allocates or copies. An option is a slice of the caller's bytes whose grammar was judged; its parameters
 * are taken out of it one by one, so that there may be any number of them:
 *
 *     while ((result = fastws_option_next(&option, &list)) > 0)
 *         while (fastws_option_next_parameter(&parameter, &option.parameters) > 0)
 *             ...
 *
 * Lenient in three things, which no two readers understand differently: empty elements and empty parameters are
 * skipped, white space may stand around "=" (RFC 6455 uses the grammar of RFC 2616, which has it), a name may come more
 * than once. Names are compared byte by byte. */
#ifndef FASTWS_OPTIONS_H
#define FASTWS_OPTIONS_H

#include <stddef.h>

#include <fastws/export.h>
#include <fastws/http.h>
#include <fastws/http_write.h>

FASTWS_BEGIN_DECLS

/* One option: name and parameters lie one behind the other in the caller's bytes. */
struct fastws_option {
    struct fastws_slice name;       /* a token */
    struct fastws_slice parameters; /* what follows the name, up to the last parameter; empty if there is none */
};

/* One parameter. */
struct fastws_option_parameter {
    struct fastws_slice name;  /* a token */
    struct fastws_slice value; /* a token, or what stands between the quotes, still escaped; empty if there is none */
    int has_value;             /* 1: there was a "=" */
    int is_quoted;             /* 1: the value was a quoted string */
    int has_escapes;           /* 1: value holds backslashes: fastws_option_unescape() */
};

/* Takes the next option from a list.
 *   list  what is left of the list; moved behind the option and its comma, or to the end; not moved on an error
 *   out   written only when 1 is returned
 * Returns 1, 0 when no option is left, or
 *   FASTWS_ERR_HTTP_OPTIONS  the next element is no option: two tokens without a comma or semicolon, a quoted string
 *                            that does not end or holds a control byte, ...
 * Thread-safe. Never allocates. */
FASTWS_API FASTWS_NODISCARD FASTWS_NONNULL(1, 2) int fastws_option_next(struct fastws_option *out,
                                                                        struct fastws_slice *list);

/* Takes the next parameter.
 *   parameters  those of an option, or what is left of them: work on a copy to be able to start again
 *   out         written only when 1 is returned
 * Returns 1, 0 when no parameter is left, or
 *   FASTWS_ERR_HTTP_OPTIONS  they do not come from fastws_option_next() and are malformed
 * Thread-safe. Never allocates. */
FASTWS_API FASTWS_NODISCARD FASTWS_NONNULL(1, 2) int fastws_option_next_parameter(struct fastws_option_parameter *out,
                                                                                  struct fastws_slice *parameters);

/* Finds the first parameter of that name. Returns 1, or 0 if there is none. Thread-safe. Never allocates. */
FASTWS_API FASTWS_NODISCARD FASTWS_NONNULL(1, 2) int fastws_option_find(struct fastws_option_parameter *out,
                                                                        const struct fastws_option *option,
                                                                        struct fastws_slice name);

/* Writes the value of a parameter as it is meant: without the backslashes that escape. RFC 9110 5.6.4.
 *   dst  cap bytes; parameter->value.len are enough
 * Returns how many bytes were written, or
 *   FASTWS_ERR_BUFFER_SIZE  they do not fit, or are more than INT_MAX; some were written
 * Thread-safe. Never allocates. */
FASTWS_API FASTWS_NODISCARD FASTWS_NONNULL(3) int
fastws_option_unescape(char *dst, size_t cap, const struct fastws_option_parameter *parameter);

/* Returns 1 if the values are the same when escapes are resolved, else 0. Thread-safe. Never allocates. */
FASTWS_API FASTWS_NODISCARD FASTWS_NONNULL(1) int
fastws_option_value_equals(const struct fastws_option_parameter *parameter, struct fastws_slice text);

/* Returns 1 if both have the same name and the same parameters in the same order, whatever their white space and
 * quotes; else 0. Thread-safe. Never allocates. */
FASTWS_API FASTWS_NODISCARD FASTWS_NONNULL(1, 2) int fastws_option_equals(const struct fastws_option *a,
                                                                          const struct fastws_option *b);

/* Returns the bytes from the name to the last parameter, as they were received. Thread-safe. Never allocates. */
FASTWS_API FASTWS_NODISCARD FASTWS_NONNULL(1) struct fastws_slice
fastws_option_text(const struct fastws_option *option);

/* Copies an option to memory of its own: fastws_option_text() bytes.
 *   out  points into dst then; may be option itself; written only on success
 * Returns 0,
 *   FASTWS_ERR_BUFFER_SIZE  cap is less than that
 * Thread-safe. Never allocates. */
FASTWS_API FASTWS_NODISCARD FASTWS_NONNULL(1, 4) int fastws_option_copy(struct fastws_option *out, char *dst,
                                                                        size_t cap,
                                                                        const struct fastws_option *option);

/* Options whose name is there already are left out. */
#define FASTWS_OPTIONS_UNIQUE (1u << 0)

/* Takes all options of a list, behind those that are there.
 *   options, cap  room for options, memory of the caller
 *   count         in and out: how many there are. On an error those before the one that caused it
 *   flags         0, or FASTWS_OPTIONS_UNIQUE
 * Returns 0,
 *   FASTWS_ERR_HTTP_OPTIONS  as fastws_option_next()
 *   FASTWS_ERR_BUFFER_SIZE   more than cap
 * Thread-safe. Never allocates. */
FASTWS_API FASTWS_NODISCARD FASTWS_NONNULL(3) int fastws_options_parse(struct fastws_option *options, size_t cap,
                                                                       size_t *count, struct fastws_slice list,
                                                                       unsigned flags);

/* Appends an option to text, behind ", " if that is not empty: name *( "; " parameter ). Values that are no tokens are
 * quoted, backslashes and quotes in them escaped. A value with has_escapes is taken for what stands between quotes.
 *   parameters, count  NULL if count is 0. A parameter with has_value 0 is written without "="
 * Returns 0, or
 *   FASTWS_ERR_BUFFER_SIZE       the text has become longer than its cap: what stands at ptr is of no use, len is right
 *   FASTWS_ERR_HANDSHAKE_HEADER  a name is no token, or a value holds CR, LF or another control byte but the tab, or is
 *                                not escaped as it says: nothing was appended
 * Thread-safe. Never allocates. */
FASTWS_API FASTWS_NODISCARD FASTWS_NONNULL(1) int
fastws_option_write(struct fastws_http_text *text, struct fastws_slice name,
                    const struct fastws_option_parameter *parameters, size_t count);

/* Appends options that were parsed, each as fastws_option_write() does. Those before one that is refused stay. */
FASTWS_API FASTWS_NODISCARD FASTWS_NONNULL(1) int fastws_options_write(struct fastws_http_text *text,
                                                                       const struct fastws_option *options,
                                                                       size_t count);

FASTWS_END_DECLS

#endif
