/* SPDX-License-Identifier: MIT */
/* Compares the extensions of an answer with those that were offered. RFC 6455 9.1. */
#include "dial_extensions.h"

#include <fastws/error.h>
#include <fastws/options.h>

/* Returns the number of the first offer of that name, -1 if there is none. */
static int find_offer(struct fastws_slice offers, struct fastws_slice name) {
    struct fastws_option offered;
    for (int i = 0; fastws_option_next(&offered, &offers) > 0; i++)
        if (offered.name.len == name.len && memcmp(offered.name.ptr, name.ptr, name.len) == 0) return i;
    return -1;
}

int fws_extension_offer_deflate(struct fastws_deflate_params *offer, const struct fastws_deflate_config *config) {
    return config != NULL && fastws_deflate_offer(offer, config) == 0;
}

int fws_extension_judge(struct fastws_slice offers, int has_deflate, struct fastws_slice answer, uint64_t *accepted) {
    struct fastws_option option;
    int result;
    while ((result = fastws_option_next(&option, &answer)) > 0) {
        if (has_deflate && fastws_http_equals(option.name, FASTWS_DEFLATE_NAME)) continue;
        int offer = find_offer(offers, option.name);
        if (offer < 0 || *accepted & UINT64_C(1) << offer) return FASTWS_ERR_HANDSHAKE_EXTENSIONS_ANSWER;
        *accepted |= UINT64_C(1) << offer;
    }
    return result < 0 ? FASTWS_ERR_HANDSHAKE_EXTENSIONS : 0;
}
