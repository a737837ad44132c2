/* SPDX-License-Identifier: MIT */
/* TLS around a byte stream, by OpenSSL. RFC 6455 section 4.1, step 5, and 10.6. fastws_dial() uses it for wss; a server
 * uses it between accept() and fastws_stream_accept():
 *
 *     fastws_tls_config_init(&config, FASTWS_ROLE_SERVER);
 *     config.certificate_file = "chain.pem";
 *     config.key_file = "key.pem";
 *     fastws_tls_new(&config, &tls, NULL);                           (once)
 *     ...
 *     fastws_io_from_fd(&plain, fd);
 *     if (fastws_tls_accept(tls, &plain, 10000, &io, NULL) == 0)
 *         fastws_stream_accept(&io, NULL, &conn_config, 10000, &stream);
 *
 * TLS 1.2 and 1.3, without renegotiation. A library that was built without OpenSSL has these functions too: they return
 * FASTWS_ERR_TLS_UNAVAILABLE. */
#ifndef FASTWS_TLS_H
#define FASTWS_TLS_H

#include <stddef.h>
#include <stdint.h>

#include <fastws/conn.h>
#include <fastws/export.h>
#include <fastws/stream.h>

FASTWS_BEGIN_DECLS

/* What connections of one kind share: certificates, keys, rules. Thread-safe. */
struct fastws_tls;

/* How to use TLS. Fill it with fastws_tls_config_init(), then change what differs. Used during fastws_tls_new()
 * only. */
struct fastws_tls_config {
    size_t size;  /* sizeof(struct fastws_tls_config) of the caller's header */
    uint8_t role; /* enum fastws_role */

    /* 1: the peer has to show a certificate that leads to an authority of ca_file and, if the peer is a server, is for
     * the host that was asked for: by its subjectAltName (RFC 9525 6), IP addresses included. 1 for a client, 0 for a
     * server. 0 for a client gives up all that TLS is for: for tests only. */
    uint8_t is_verified;

    const char *ca_file;          /* certificates of the authorities to trust, PEM. NULL: those of the system, or of the
                                     environment variables SSL_CERT_FILE and SSL_CERT_DIR */
    const char *certificate_file; /* own certificate and those that lead to its authority, PEM. A server needs one */
    const char *key_file;         /* its private key, PEM, not encrypted. NULL: in certificate_file */

    /* An SSL_CTX of OpenSSL to use instead of one that is made from the files above, which are ignored then. It gets
     * one more reference. is_verified still holds for a client; a server keeps what the SSL_CTX says. NULL */
    void *context;
};

/* Why TLS failed, for people and for code that knows OpenSSL. */
struct fastws_tls_failure {
    long verify_result; /* X509_V_ERR_* of OpenSSL, 0 where the certificate was not the reason */
    char text[200];     /* one line, such as "certificate has expired"; ended by a NUL; may be empty */
};

/* Sets every field to its default, for one role. */
FASTWS_API FASTWS_NONNULL(1) void fastws_tls_config_init(struct fastws_tls_config *config, enum fastws_role role);

/* Returns 1 if the library was built with TLS, else 0. Thread-safe. Never allocates. */
FASTWS_API FASTWS_NODISCARD int fastws_tls_is_available(void);

/* Loads certificates and keys.
 *   out       written only on success; free it with fastws_tls_free()
 *   failure   NULL, or written on failure
 * Returns 0,
 *   FASTWS_ERR_ARGUMENT         config->size or role is not one that this library knows; a server without certificate
 *   FASTWS_ERR_TLS_CONTEXT      a file cannot be read, or key and certificate do not belong together
 *   FASTWS_ERR_TLS_UNAVAILABLE  built without TLS
 *   FASTWS_ERR_NOMEM */
FASTWS_API FASTWS_NODISCARD FASTWS_NONNULL(1, 2) int fastws_tls_new(const struct fastws_tls_config *config,
                                                                    struct fastws_tls **out,
                                                                    struct fastws_tls_failure *failure);

/* Frees it. Connections that were made with it go on. NULL is allowed. */
FASTWS_API void fastws_tls_free(struct fastws_tls *tls);

/* Shakes hands as a client, and describes the byte stream inside.
 *   io          below TLS: needs read, writev and wait, which must not block (FASTWS_IO_AGAIN); copied
 *   host        name or IP address of the server, without brackets: what its certificate has to be for. A name is also
 *               told to the server (SNI, RFC 6066 section 3)
 *   timeout_ms  for the handshake; 0: no limit
 *   out         written only on success. Closing it closes io. Its functions take a lock that is never held while io
 *               waits: one thread may read while another writes
 *   failure     NULL, or written on failure
 * The only protocol that is offered inside is http/1.1 (ALPN, RFC 7301). The end of the stream without a close_notify
 * is taken for an end: the frames of the WebSocket protocol show what is missing.
 * Returns 0, or
 *   FASTWS_ERR_ARGUMENT           tls is a server's, io lacks a function, or host is no host
 *   FASTWS_ERR_TIMEOUT            the handshake did not end in time
 *   FASTWS_ERR_IO                 io failed, or the peer reset the connection
 *   FASTWS_ERR_TLS_HANDSHAKE      the peer ended it, speaks no TLS, or no version or cipher that we do
 *   FASTWS_ERR_TLS_EXPIRED, _NOT_YET_VALID, _SELF_SIGNED, _UNTRUSTED, _HOST
 *   FASTWS_ERR_TLS_CERTIFICATE    another fault of the certificate, or of one that it leads to
 *   FASTWS_ERR_TLS_ALPN           the server speaks other protocols only, or chose one; newer releases of OpenSSL say
 *                                 FASTWS_ERR_TLS_HANDSHAKE to the latter
 *   FASTWS_ERR_TLS_UNAVAILABLE
 *   FASTWS_ERR_NOMEM
 * after which io stays the caller's to close. */
FASTWS_API FASTWS_NODISCARD FASTWS_NONNULL(1, 2, 3, 5) int fastws_tls_connect(struct fastws_tls *tls,
                                                                              const struct fastws_io *io,
                                                                              const char *host, uint64_t timeout_ms,
                                                                              struct fastws_io *out,
                                                                              struct fastws_tls_failure *failure);

/* Like fastws_tls_connect(), but as a server. A client that offers protocols and not http/1.1 is refused:
 * FASTWS_ERR_TLS_ALPN. */
FASTWS_API FASTWS_NODISCARD FASTWS_NONNULL(1, 2, 4) int fastws_tls_accept(struct fastws_tls *tls,
                                                                          const struct fastws_io *io,
                                                                          uint64_t timeout_ms, struct fastws_io *out,
                                                                          struct fastws_tls_failure *failure);

FASTWS_END_DECLS

#endif
