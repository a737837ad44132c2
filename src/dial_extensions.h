/* SPDX-License-Identifier: MIT */
/* Lists of extensions, and which of those offered an answer accepts. RFC 6455 9.1. */
#ifndef FWS_DIAL_EXTENSIONS_H
#define FWS_DIAL_EXTENSIONS_H

#include <stdint.h>

#include <fastws/http.h>

#include "platform.h"

enum { FWS_EXTENSION_OFFERS_MAX = 64 }; /* the answer's are kept as bits */

/* Takes the next extension from a list: token *( ";" token [ "=" ( token / quoted-string ) ] ), elements separated by
 * commas, empty ones skipped.
 *   name, parameters   written only when 1 is returned; parameters without the semicolon in front of the first one
 *   list               what is left of it
 * Returns 1, 0 when none is left, or FASTWS_ERR_HANDSHAKE_EXTENSIONS. */
FWS_PRIVATE FASTWS_NODISCARD int fws_extension_next(struct fastws_slice *name, struct fastws_slice *parameters,
                                                    struct fastws_slice *list);

/* Judges one header line of an answer.
 *   offers     the list that was offered
 *   accepted   bits of the offers that earlier lines accepted; this line's are added
 * Returns 0, FASTWS_ERR_HANDSHAKE_EXTENSIONS or FASTWS_ERR_HANDSHAKE_EXTENSIONS_ANSWER. */
FWS_PRIVATE FASTWS_NODISCARD int fws_extension_judge(struct fastws_slice offers, struct fastws_slice answer,
                                                     uint64_t *accepted);

#endif
