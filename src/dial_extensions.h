/* SPDX-License-Identifier: MIT */
/* Which of the extensions offered an answer accepts. RFC 6455 9.1. */
#ifndef FWS_DIAL_EXTENSIONS_H
#define FWS_DIAL_EXTENSIONS_H

#include <stdint.h>

#include <fastws/http.h>

#include "platform.h"

enum { FWS_EXTENSION_OFFERS_MAX = 64 }; /* those accepted are kept as bits */

/* Judges one header line of an answer.
 *   offers     the list that was offered
 *   accepted   bits of the offers that earlier lines accepted; this line's are added
 * Returns 0, FASTWS_ERR_HANDSHAKE_EXTENSIONS or FASTWS_ERR_HANDSHAKE_EXTENSIONS_ANSWER. */
FWS_PRIVATE FASTWS_NODISCARD int fws_extension_judge(struct fastws_slice offers, struct fastws_slice answer,
                                                     uint64_t *accepted);

#endif
