/* SPDX-License-Identifier: MIT */
/* TLS in a library that was built without it: everything says so. */
#include "tls.h"
#include "tls_memory.h"

#include <fastws/error.h>

void fastws_tls_config_init(struct fastws_tls_config *config, enum fastws_role role) {
    *config = (struct fastws_tls_config){.size = sizeof *config, .role = (uint8_t)role};
    config->is_verified = role == FASTWS_ROLE_CLIENT;
}

int fastws_tls_is_available(void) { return 0; }

static int refuse(struct fastws_tls_failure *failure) {
    if (failure != NULL) *failure = (struct fastws_tls_failure){.text = "built without TLS"};
    return FASTWS_ERR_TLS_UNAVAILABLE;
}

int fastws_tls_new(const struct fastws_tls_config *config, struct fastws_tls **out,
                   struct fastws_tls_failure *failure) {
    (void)config;
    (void)out;
    return refuse(failure);
}

void fastws_tls_free(struct fastws_tls *tls) { (void)tls; }

int fws_tls_connect(struct fastws_tls *tls, const struct fastws_io *io, const char *host,
                    const struct fws_limit *limit, struct fastws_io *out, struct fastws_tls_failure *failure) {
    (void)tls;
    (void)io;
    (void)host;
    (void)limit;
    (void)out;
    return refuse(failure);
}

int fastws_tls_connect(struct fastws_tls *tls, const struct fastws_io *io, const char *host, uint64_t timeout_ms,
                       struct fastws_io *out, struct fastws_tls_failure *failure) {
    (void)timeout_ms;
    return fws_tls_connect(tls, io, host, NULL, out, failure);
}

int fastws_tls_accept(struct fastws_tls *tls, const struct fastws_io *io, uint64_t timeout_ms, struct fastws_io *out,
                      struct fastws_tls_failure *failure) {
    (void)timeout_ms;
    return fws_tls_connect(tls, io, "", NULL, out, failure);
}

enum fastws_role fws_tls_role(const struct fastws_tls *tls) {
    (void)tls;
    return FASTWS_ROLE_CLIENT;
}

/* Without a struct fastws_tls there is nothing to open, so nothing of what follows is called. */
int fws_tls_memory_open(struct fws_tls_memory *memory, const struct fastws_tls *tls, const char *host) {
    (void)memory;
    (void)tls;
    (void)host;
    return FASTWS_ERR_TLS_UNAVAILABLE;
}

void fws_tls_memory_close(struct fws_tls_memory *memory) { (void)memory; }

int fws_tls_memory_shake(struct fws_tls_memory *memory) {
    (void)memory;
    return FASTWS_ERR_TLS_UNAVAILABLE;
}

ptrdiff_t fws_tls_memory_read(struct fws_tls_memory *memory, void *dst, size_t len) {
    (void)memory;
    (void)dst;
    (void)len;
    return FWS_TLS_BROKEN;
}

int fws_tls_memory_has_more(const struct fws_tls_memory *memory) {
    (void)memory;
    return 0;
}

int fws_tls_memory_write(struct fws_tls_memory *memory, const void *src, size_t len) {
    (void)memory;
    (void)src;
    (void)len;
    return FWS_TLS_BROKEN;
}

void fws_tls_memory_end(struct fws_tls_memory *memory) { (void)memory; }
