/* SPDX-License-Identifier: MIT */
/* The one table of errors: name, text, close code, HTTP status and RFC section of each. */
#include <fastws/error.h>

#include <stddef.h>

struct row {
    const char *name;
    const char *text;
    const char *rfc;
    short close_code;  /* RFC 6455 7.4.1; 0: the error does not come from a frame */
    short http_status; /* RFC 9110 15; 0: the error does not come from a handshake */
};

#define ROW(name, close_code, http_status, rfc, text)                                                                  \
  [-FASTWS_ERR_##name] = {"FASTWS_ERR_" #name, text, rfc, close_code, http_status}

/* Indexed by the negated error. The gaps between the groups are rows without a name. */
static const struct row rows[] = {
    [0] = {"FASTWS_NEED_MORE", "more bytes are needed", "", 0, 0},

    /* Out of memory is the fault of this end: 1011 and 500 say so. */
    ROW(NOMEM, 1011, 500, "", "out of memory"),
    ROW(ARGUMENT, 0, 0, "", "argument outside what the function documents"),
    ROW(BUFFER_SIZE, 0, 0, "", "destination buffer is too small"),
    ROW(STATE, 0, 0, "", "call is not allowed at this point"),
    ROW(ISA, 0, 0, "", "instruction set is unknown, or this CPU does not have it"),
    /* Without a masking key a client cannot send even the close frame. RFC 6455 5.3. */
    ROW(RANDOM, 1006, 0, "RFC 6455 5.3", "operating system gave no random bytes"),

    ROW(LEN_FORM, 1002, 0, "RFC 6455 5.2", "payload length is not in its shortest form"),
    ROW(LEN_MSB, 1002, 0, "RFC 6455 5.2", "payload length has its most significant bit set"),
    ROW(OPCODE_RESERVED, 1002, 0, "RFC 6455 5.2", "opcode is reserved"),
    ROW(CONTROL_LEN, 1002, 0, "RFC 6455 5.5", "control frame carries more than 125 bytes"),
    ROW(CONTROL_FRAGMENTED, 1002, 0, "RFC 6455 5.5", "control frame is fragmented"),
    ROW(RSV, 1002, 0, "RFC 6455 5.2", "reserved bit is set that no extension claimed"),
    ROW(MASK_REQUIRED, 1002, 0, "RFC 6455 5.1", "frame from a client is not masked"),
    ROW(MASK_UNEXPECTED, 1002, 0, "RFC 6455 5.1", "frame from a server is masked"),
    ROW(CONTINUATION_EXPECTED, 1002, 0, "RFC 6455 5.4", "new message starts inside a fragmented one"),
    ROW(CONTINUATION_UNEXPECTED, 1002, 0, "RFC 6455 5.4", "continuation frame has nothing to continue"),
    ROW(UTF8, 1007, 0, "RFC 6455 8.1", "text is not valid UTF-8"),
    /* RFC 7692 names no code. 1007 is for data that is not what the message says it is; Node's ws sends it too. */
    ROW(DEFLATE_DATA, 1007, 0, "RFC 7692 7.2.2", "compressed message is not valid DEFLATE"),
    ROW(DEFLATE_TRUNCATED, 1007, 0, "RFC 7692 7.2.2", "compressed message ends inside a block"),

    ROW(CLOSE_LEN, 1002, 0, "RFC 6455 5.5.1", "close body of one byte holds no close code"),
    ROW(CLOSE_CODE_UNUSED, 1002, 0, "RFC 6455 7.4.2", "close code below 1000 is not used"),
    ROW(CLOSE_CODE_RESERVED, 1002, 0, "RFC 6455 7.4.1", "close code must not be sent in a close frame"),
    ROW(CLOSE_CODE_MEANING, 1002, 0, "RFC 6455 7.4.1", "close code 1004 has no meaning yet"),
    ROW(CLOSE_CODE_UNKNOWN, 1002, 0, "RFC 6455 7.4.2", "close code is not defined by the protocol"),
    ROW(CLOSE_CODE_RANGE, 1002, 0, "RFC 6455 7.4.2", "close code is above 4999"),
    ROW(CLOSE_UTF8, 1007, 0, "RFC 6455 5.5.1", "close reason is not valid UTF-8"),

    ROW(FRAME_TOO_LARGE, 1009, 0, "RFC 6455 10.4", "frame is larger than the limit"),
    ROW(MESSAGE_TOO_LARGE, 1009, 0, "RFC 6455 10.4", "message is larger than the limit"),
    ROW(TOO_MANY_FRAGMENTS, 1009, 0, "RFC 6455 10.4", "message has more fragments than the limit"),
    ROW(TOO_MANY_EMPTY_FRAGMENTS, 1009, 0, "RFC 6455 10.4", "message has more empty fragments than the limit"),
    ROW(CONTROL_FLOOD, 1008, 0, "RFC 6455 10.4", "peer sends control frames and does not read the replies"),
    ROW(INFLATED_TOO_LARGE, 1009, 0, "RFC 6455 10.4", "message inflates to more than the limit"),
    ROW(INFLATED_RATIO, 1009, 0, "RFC 6455 10.4", "message inflates to too many times its compressed size"),

    ROW(CLOSED, 0, 0, "RFC 6455 7.1", "connection is closed or closing"),
    ROW(EOF, 1006, 0, "RFC 6455 7.1.5", "stream ended without a close frame, or before a request"),
    ROW(UNEXPECTED_EOF, 1006, 0, "RFC 6455 7.1.5", "stream ended inside a message or a handshake"),
    ROW(PING_TIMEOUT, 1011, 0, "RFC 6455 5.5.2", "peer gave no sign of life after a ping"),
    ROW(CLOSE_TIMEOUT, 1006, 0, "RFC 6455 7.1.1", "peer did not finish the close handshake in time"),
    ROW(TIMEOUT, 0, 0, "", "deadline of the call passed"),
    ROW(IO, 1006, 0, "RFC 6455 7.1.5", "byte stream failed"),
    ROW(READER_BUSY, 0, 0, "", "another thread is reading from this stream"),
    ROW(EXTENSION, 1002, 0, "RFC 6455 9.1", "frame was refused by an extension"),
    ROW(MESSAGE_KIND, 1003, 0, "RFC 6455 7.4.1", "message is not of the kind that was to be read"),
    ROW(QUEUE_FULL, 0, 0, "", "send queue is over its limit"),
    ROW(DROPPED, 0, 0, "", "message was dropped, the peer reads too slowly"),
    ROW(SLOW_CONSUMER, 1008, 0, "RFC 6455 7.4.1", "peer reads too slowly"),
    ROW(SHUTDOWN, 1001, 503, "RFC 6455 7.4.1", "server is shutting down"),

    ROW(HTTP_REQUEST_LINE, 0, 400, "RFC 9112 3", "request line is malformed"),
    ROW(HTTP_METHOD, 0, 405, "RFC 6455 4.2.1", "HTTP method is not GET"),
    ROW(HTTP_VERSION, 0, 505, "RFC 6455 4.2.1", "HTTP version is not 1.1 or a later 1.x"),
    ROW(HTTP_TARGET, 0, 400, "RFC 9112 3.2", "request target holds a byte that may not stand there"),
    ROW(HTTP_LINE_END, 0, 400, "RFC 9112 2.2", "line does not end with CRLF"),
    ROW(HTTP_FOLD, 0, 400, "RFC 9112 5.2", "header line is folded"),
    ROW(HTTP_HEADER_NAME, 0, 400, "RFC 9112 5.1", "header line does not start with a name and a colon"),
    ROW(HTTP_HEADER_VALUE, 0, 400, "RFC 9110 5.5", "header value holds a control byte, or is malformed in another way"),
    ROW(HTTP_HEAD_TOO_LARGE, 0, 431, "RFC 6585 5", "HTTP head is larger than the limit"),
    ROW(HTTP_TOO_MANY_HEADERS, 0, 431, "RFC 6585 5", "HTTP head has more headers than the limit"),
    ROW(HTTP_BODY, 0, 400, "RFC 6455 4.1", "upgrade request announces a body"),
    ROW(HTTP_STATUS_LINE, 0, 0, "RFC 9112 4", "status line is malformed"),
    ROW(HTTP_OPTIONS, 0, 400, "RFC 9110 5.6.6", "value is not a list of options with parameters"),
    ROW(HTTP_COOKIE, 0, 400, "RFC 6265 4.2.1", "value of a Cookie header is malformed"),
    ROW(HTTP_TOKENS, 0, 400, "RFC 9110 5.6.1", "value is not a list of tokens"),

    /* What a client sees: a server declines a bad offer and answers none of these. */
    ROW(DEFLATE_PARAM, 0, 0, "RFC 7692 7.1", "permessage-deflate has no such parameter"),
    ROW(DEFLATE_VALUE, 0, 0, "RFC 7692 7.1", "parameter of permessage-deflate has a wrong value"),
    ROW(DEFLATE_REPEATED, 0, 0, "RFC 7692 7.1", "permessage-deflate, or a parameter of it, is given twice"),
    ROW(DEFLATE_ANSWER, 0, 0, "RFC 7692 7.1.2", "answer for permessage-deflate was not allowed by the offer"),
    ROW(DEFLATE_UNAVAILABLE, 0, 0, "", "library was built without zlib"),

    ROW(HANDSHAKE_HOST, 0, 400, "RFC 6455 4.2.1", "Host is missing, repeated or malformed"),
    ROW(HANDSHAKE_UPGRADE, 0, 400, "RFC 6455 4.2.1", "Upgrade is missing or does not name websocket"),
    ROW(HANDSHAKE_CONNECTION, 0, 400, "RFC 6455 4.2.1", "Connection is missing or does not name upgrade"),
    ROW(HANDSHAKE_KEY, 0, 400, "RFC 6455 4.2.1", "Sec-WebSocket-Key is missing, repeated or not base64 of 16 bytes"),
    /* Without a version the request does not match 4.2.1, which asks for 400. A version that this server does not
     * speak is a request to negotiate: 4.2.2 and 4.4 answer that with 426 and the version that it does speak. */
    ROW(HANDSHAKE_VERSION_MISSING, 0, 400, "RFC 6455 4.2.1", "Sec-WebSocket-Version is missing"),
    ROW(HANDSHAKE_VERSION, 0, 426, "RFC 6455 4.4", "Sec-WebSocket-Version is not 13"),
    ROW(HANDSHAKE_PROTOCOL, 0, 400, "RFC 6455 11.3.4", "Sec-WebSocket-Protocol is not a list of tokens"),
    ROW(HANDSHAKE_EXTENSIONS, 0, 400, "RFC 6455 9.1", "Sec-WebSocket-Extensions is malformed"),
    ROW(HANDSHAKE_REJECTED, 0, 403, "RFC 6455 4.2.2", "request was refused"),
    /* The header comes from this end's own program, so the answer blames the server. */
    ROW(HANDSHAKE_HEADER, 0, 500, "RFC 9110 5.5",
        "header to write holds a forbidden byte, or is one that the handshake writes itself"),
    ROW(HANDSHAKE_TIMEOUT, 0, 408, "RFC 9110 15.5.9", "handshake did not finish in time"),
    ROW(HANDSHAKE_ORIGIN, 0, 403, "RFC 6455 4.2.2", "Origin is not allowed"),

    ROW(HANDSHAKE_STATUS, 0, 0, "RFC 6455 4.1", "server answered with another status than 101"),
    ROW(HANDSHAKE_ACCEPT, 0, 0, "RFC 6455 4.1", "Sec-WebSocket-Accept is missing, repeated or not that of the key"),
    ROW(HANDSHAKE_PROTOCOL_ANSWER, 0, 0, "RFC 6455 4.1", "server chose a subprotocol that was not offered"),
    ROW(HANDSHAKE_EXTENSIONS_ANSWER, 0, 0, "RFC 6455 4.1", "server chose an extension that was not offered"),
    ROW(HANDSHAKE_REDIRECT, 0, 0, "RFC 6455 4.1", "server points to another address"),

    ROW(URL_SCHEME, 0, 0, "RFC 6455 3", "URL scheme is not ws or wss"),
    ROW(URL_USERINFO, 0, 0, "RFC 3986 3.2.1", "user or password in the URL is malformed"),
    ROW(URL_HOST, 0, 0, "RFC 3986 3.2.2", "host in the URL is neither a name nor an IP address"),
    ROW(URL_PORT, 0, 0, "RFC 3986 3.2.3", "port in the URL is not one of 1 to 65535"),
    ROW(URL_TARGET, 0, 0, "RFC 3986 3.3", "path or query of the URL holds a byte that may not stand there"),

    ROW(DIAL_RESOLVE, 0, 0, "RFC 6455 4.1", "host name has no address"),
    ROW(DIAL_CONNECT, 0, 0, "RFC 6455 4.1", "no address of the host took the connection"),
    ROW(DIAL_TIMEOUT, 0, 0, "RFC 6455 4.1", "connection was not open in time"),
    ROW(DIAL_REDIRECT, 0, 0, "RFC 9110 15.4", "redirect leads to no address of ws or wss, or from wss to ws"),
    ROW(DIAL_REJECTED, 0, 0, "RFC 6455 4.1", "answer was refused by a callback"),
    ROW(PROXY_URL, 0, 0, "RFC 3986 3", "address of the proxy is malformed, or of an unknown kind"),
    ROW(PROXY_ANSWER, 0, 0, "RFC 9110 9.3.6", "answer of the proxy is malformed"),
    ROW(PROXY_AUTH, 0, 0, "RFC 9110 15.5.8", "proxy wants credentials, or others"),
    ROW(PROXY_REFUSED, 0, 0, "RFC 9110 9.3.6", "proxy did not open the connection"),
    ROW(DIAL_REDIRECTS_MAX, 0, 0, "RFC 9110 15.4", "server redirects more often than the limit"),
    ROW(DIAL_CANCELLED, 0, 0, "RFC 6455 4.1", "dial was cancelled by the program"),
    ROW(DIAL_EXTENSIONS_MAX, 0, 0, "RFC 6455 9.1", "more than 64 extensions are to be offered"),
    ROW(PROXY_CREDENTIALS, 0, 0, "RFC 1929 2", "user or password is longer than the 255 bytes that SOCKS 5 has for it"),

    ROW(TLS_UNAVAILABLE, 0, 0, "RFC 6455 4.1", "library was built without TLS"),
    ROW(TLS_CONTEXT, 0, 0, "RFC 6455 4.1", "certificates or keys for TLS cannot be loaded"),
    ROW(TLS_HANDSHAKE, 0, 0, "RFC 8446 4", "TLS handshake failed"),
    ROW(TLS_CERTIFICATE, 0, 0, "RFC 5280 6", "certificate of the peer is not valid"),
    ROW(TLS_EXPIRED, 0, 0, "RFC 5280 4.1.2.5", "certificate of the peer has expired"),
    ROW(TLS_NOT_YET_VALID, 0, 0, "RFC 5280 4.1.2.5", "certificate of the peer is not valid yet"),
    ROW(TLS_SELF_SIGNED, 0, 0, "RFC 5280 6", "certificate of the peer is self-signed and not trusted"),
    ROW(TLS_UNTRUSTED, 0, 0, "RFC 5280 6", "certificate of the peer comes from an issuer that is not trusted"),
    ROW(TLS_HOST, 0, 0, "RFC 9525 6", "certificate of the peer is for another host"),
    ROW(TLS_ALPN, 0, 0, "RFC 7301 3.2", "peer does not speak HTTP/1.1 inside TLS"),

    ROW(BACKEND, 0, 0, "", "event back end is not available"),
    ROW(ADDRESS, 0, 0, "", "address does not resolve"),
    ROW(ADDRESS_IN_USE, 0, 0, "", "address is in use"),
    ROW(ADDRESS_DENIED, 0, 0, "", "address may not be used by this process"),
    ROW(LISTEN, 0, 0, "", "system refused to listen"),
    ROW(DESCRIPTORS, 0, 0, "", "process is out of descriptors"),
    ROW(FORKED, 0, 0, "", "object belongs to the parent process"),
    ROW(TLS_RECORD, 1006, 0, "RFC 8446 5.2", "what came inside TLS cannot be read"),
    ROW(MESSAGE_TIMEOUT, 1008, 0, "RFC 6455 7.4.1", "message did not end in time"),
};

static const struct row unknown = {"FASTWS_ERR_UNKNOWN", "unknown error", "", 0, 0};

static const int row_count = (int)(sizeof rows / sizeof rows[0]);

/* Returns the row of an error; every other number has the row of an unknown one. */
static const struct row *find(int error) {
    if (error > 0 || error <= -row_count) return &unknown;
    const struct row *row = &rows[-error];
    return row->name != NULL ? row : &unknown;
}

const char *fastws_error_name(int error) { return find(error)->name; }

const char *fastws_error_text(int error) { return find(error)->text; }

int fastws_error_close_code(int error) { return find(error)->close_code; }

int fastws_error_http_status(int error) { return find(error)->http_status; }

const char *fastws_error_rfc(int error) { return find(error)->rfc; }

int fastws_error_next(int previous) {
    if (previous > 0 || previous <= -row_count) return 0;
    for (int i = -previous + 1; i < row_count; i++)
        if (rows[i].name != NULL) return -i;
    return 0;
}
