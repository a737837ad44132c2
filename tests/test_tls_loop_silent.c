/* SPDX-License-Identifier: MIT */
/* What a client costs that connects to an event loop inside TLS and says nothing: counted below OpenSSL. */
#include "loop_clients.h"

#include <openssl/crypto.h>

#include "certificates.h"

enum { CLIENTS = 50, HEAD = 16 };

static size_t openssl_live; /* bytes */

static void *count_malloc(size_t len, const char *file, int line) {
    (void)file;
    (void)line;
    uint8_t *block = malloc(HEAD + len);
    if (block == NULL) return NULL;
    memcpy(block, &len, sizeof len);
    openssl_live += len;
    return block + HEAD;
}

static void count_free(void *ptr, const char *file, int line) {
    (void)file;
    (void)line;
    if (ptr == NULL) return;
    uint8_t *block = (uint8_t *)ptr - HEAD;
    size_t len;
    memcpy(&len, block, sizeof len);
    openssl_live -= len;
    free(block);
}

static void *count_realloc(void *ptr, size_t len, const char *file, int line) {
    void *moved = len > 0 ? count_malloc(len, file, line) : NULL;
    if (ptr != NULL && (moved != NULL || len == 0)) {
        size_t before;
        memcpy(&before, (uint8_t *)ptr - HEAD, sizeof before);
        if (moved != NULL) memcpy(moved, ptr, before < len ? before : len);
        count_free(ptr, file, line);
    }
    return moved;
}

static void costs_no_openssl_before_its_first_byte(void **state) {
    struct server server;
    struct certificate certificate;
    struct fastws_tls_config tls_config;
    struct client clients[CLIENTS];
    server_prepare(&server, *(int *)*state);
    certificate_make(&certificate, NULL, "server", "DNS:localhost", -1, 30);
    fastws_tls_config_init(&tls_config, FASTWS_ROLE_SERVER);
    tls_config.certificate_file = certificate.path;
    assert_int_equal(fastws_tls_new(&tls_config, &server.config.tls, NULL), 0);
    server_open(&server);
    size_t before = openssl_live;
    for (int i = 0; i < CLIENTS; i++) client_connect(&clients[i], &server);
    UNTIL(&server, stats_of(&server).sockets == CLIENTS);
    for (int i = 0; i < 5; i++) turn(&server, 0);
    assert_int_equal(openssl_live, before);
    client_send(&server, &clients[0], "\x16", 1); /* the type of a handshake record. RFC 8446 5.1 */
    UNTIL(&server, openssl_live > before + 1000);
    assert_int_equal(server.refusals, 0);
    for (int i = 0; i < CLIENTS; i++) client_close(&clients[i]);
    UNTIL(&server, stats_of(&server).sockets == 0);
    assert_int_equal(server.refusals, CLIENTS);
    fastws_loop_free(server.loop);
    fastws_tls_free(server.config.tls);
    certificate_free(&certificate);
    assert_int_equal(server.memory.live, 0);
}

static int teardown(void **state) {
    (void)state;
    certificates_clean();
    return 0;
}

int main(void) {
    const struct CMUnitTest tests[] = {ON_BOTH(costs_no_openssl_before_its_first_byte)};
    if (CRYPTO_set_mem_functions(count_malloc, count_realloc, count_free) != 1) return 1;
    return cmocka_run_group_tests(tests, NULL, teardown);
}
