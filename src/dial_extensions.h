/* SPDX-License-Identifier: MIT */
/* Which of the extensions offered an answer accepts. RFC 6455 9.1. */
#ifndef FWS_DIAL_EXTENSIONS_H
#define FWS_DIAL_EXTENSIONS_H

#include <stdint.h>

#include <fastws/deflate.h>
#include <fastws/http.h>

#include "platform.h"

enum { FWS_EXTENSION_OFFERS_MAX = 64 }; /* those accepted are kept as bits */

/* Makes the offer of permessage-deflate. config was judged. Returns 1, or 0 if none is made: config is NULL, or the
 * library cannot compress. */
FWS_PRIVATE int fws_extension_offer_deflate(struct fastws_deflate_params *offer,
                                            const struct fastws_deflate_config *config);

/* Judges one header line of an answer.
 *   offers     the list that was offered
 *   has_deflate   1: permessage-deflate was offered besides, and is judged elsewhere
 *   accepted   bits of the offers that earlier lines accepted; this line's are added
 * Returns 0, FASTWS_ERR_HANDSHAKE_EXTENSIONS or FASTWS_ERR_HANDSHAKE_EXTENSIONS_ANSWER. */
FWS_PRIVATE FASTWS_NODISCARD int fws_extension_judge(struct fastws_slice offers, int has_deflate,
                                                     struct fastws_slice answer, uint64_t *accepted);

#endif
