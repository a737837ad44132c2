/* SPDX-License-Identifier: MIT */
/* Negotiation: whatever the line says, a server answers within RFC 7692 7.1, its answer reads back as it was meant, and
 * a client that made the offer takes it. Input: four bytes of settings, then the line. */
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <fastws/deflate.h>
#include <fastws/error.h>

/* Stops the fuzzer at a property that does not hold. */
static void expect(int holds) {
    if (!holds) abort();
}

static struct fastws_deflate_config config_of(const uint8_t settings[4]) {
    struct fastws_deflate_config config;
    fastws_deflate_config_init(&config, (enum fastws_deflate_mode)(1 + settings[0] % 3));
    config.is_peer_takeover = settings[1] & 1;
    config.is_peer_bits_required = settings[1] >> 1 & 1;
    config.is_any_bits_offered = settings[1] >> 2 & 1;
    config.window_bits = (uint8_t)(8 + settings[2] % 8);
    config.peer_window_bits = (uint8_t)(8 + settings[3] % 8);
    return config;
}

static struct fastws_slice text_of(char *text, const struct fastws_deflate_params *params) {
    int len = fastws_deflate_params_write(text, FASTWS_DEFLATE_PARAMS_MAX, params);
    expect(len > 0);
    return (struct fastws_slice){text, (size_t)len};
}

/* An answer that was accepted is legal to write, and starts a connection. */
static void expect_usable(const struct fastws_deflate_config *config, const struct fastws_deflate_params *agreed) {
    char text[FASTWS_DEFLATE_PARAMS_MAX];
    struct fastws_deflate_pool *pool;
    struct fastws_deflate *deflate;
    text_of(text, agreed);
    expect(fastws_deflate_pool_new(NULL, 0, &pool) == 0);
    for (unsigned role = FASTWS_STATE_SERVER; role <= FASTWS_STATE_CLIENT; role++) {
        expect(fastws_deflate_new(config, role, agreed, pool, &deflate) == 0);
        fastws_deflate_free(deflate);
    }
    fastws_deflate_pool_free(pool);
}

/* One offer or answer by itself: what parses is written so that it parses to the same. */
static void expect_same_again(struct fastws_slice text, int is_answer) {
    struct fastws_deflate_params params, again;
    char written[FASTWS_DEFLATE_PARAMS_MAX];
    if (fastws_deflate_params_parse(&params, text, is_answer) < 0) return;
    struct fastws_slice line = text_of(written, &params);
    size_t name_len = strlen(FASTWS_DEFLATE_NAME), skipped = line.len > name_len ? name_len + 1 : name_len;
    expect(fastws_deflate_params_parse(&again, (struct fastws_slice){line.ptr + skipped, line.len - skipped},
                                       is_answer) == 0);
    expect(memcmp(&params, &again, sizeof params) == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    if (size < 4) return 0;
    struct fastws_deflate_config config = config_of(data);
    struct fastws_slice line = {(const char *)data + 4, size - 4};
    struct fastws_deflate_params agreed, offer;
    char text[FASTWS_DEFLATE_PARAMS_MAX];
    expect_same_again(line, 0);
    expect_same_again(line, 1);
    int accepted = fastws_deflate_accept(&agreed, &config, line);
    expect(accepted == 0 || accepted == 1 || accepted == FASTWS_ERR_HANDSHAKE_EXTENSIONS);
    if (accepted == 1) expect_usable(&config, &agreed);
    if (fastws_deflate_offer(&offer, &config) < 0) return 0;
    int confirmed = fastws_deflate_confirm(&agreed, &offer, 1, line);
    if (confirmed == 1) expect_usable(&config, &agreed);
    /* Servers and clients of this library get along, whatever their settings. */
    if (fastws_deflate_accept(&agreed, &config, text_of(text, &offer)) == 1)
        expect(fastws_deflate_confirm(&agreed, &offer, 1, text_of(text, &agreed)) == 1);
    return 0;
}
