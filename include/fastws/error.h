/* SPDX-License-Identifier: MIT */
/* Every error of the library: its number, name, text, close code or HTTP status, and RFC section.
 *
 * Functions return 0 or a non-negative count when they worked, and a negative enum fastws_error when they
 * did not. FASTWS_NEED_MORE is 0: a state of an unfinished parse, not a failure. */
#ifndef FASTWS_ERROR_H
#define FASTWS_ERROR_H

#include <fastws/export.h>

FASTWS_BEGIN_DECLS

/* Numbers are part of the ABI: a new error goes to the end of its group, and its row into error.c. */
enum fastws_error {
    FASTWS_NEED_MORE = 0,

    /* The call itself. */
    FASTWS_ERR_NOMEM = -1,       /* the allocator returned NULL */
    FASTWS_ERR_ARGUMENT = -2,    /* an argument is outside what the function documents */
    FASTWS_ERR_BUFFER_SIZE = -3, /* the destination is smaller than what has to be written */
    FASTWS_ERR_STATE = -4,       /* the call is not allowed at this point of the object's life */
    FASTWS_ERR_ISA = -5,         /* no such kernel row in this build, or this CPU cannot run it */
    FASTWS_ERR_RANDOM = -6,      /* the operating system gave no random bytes */

    /* The wire: frame headers and their order. RFC 6455 section 5. */
    FASTWS_ERR_LEN_FORM = -20,                /* payload length not in its shortest form */
    FASTWS_ERR_LEN_MSB = -21,                 /* 64-bit payload length with its top bit set */
    FASTWS_ERR_OPCODE_RESERVED = -22,         /* opcode 0x3-0x7 or 0xb-0xf */
    FASTWS_ERR_CONTROL_LEN = -23,             /* control frame of more than 125 bytes */
    FASTWS_ERR_CONTROL_FRAGMENTED = -24,      /* control frame without FIN */
    FASTWS_ERR_RSV = -25,                     /* RSV bit that no extension claimed */
    FASTWS_ERR_MASK_REQUIRED = -26,           /* unmasked frame from a client */
    FASTWS_ERR_MASK_UNEXPECTED = -27,         /* masked frame from a server */
    FASTWS_ERR_CONTINUATION_EXPECTED = -28,   /* new data frame inside a fragmented message */
    FASTWS_ERR_CONTINUATION_UNEXPECTED = -29, /* continuation frame with nothing to continue */
    FASTWS_ERR_UTF8 = -30,                    /* text that is not UTF-8 */
    FASTWS_ERR_DEFLATE_DATA = -31,            /* compressed message that is not DEFLATE, or refers past its window */
    FASTWS_ERR_DEFLATE_TRUNCATED = -32,       /* compressed message that ends inside a block */

    /* The body of a close frame. RFC 6455 5.5.1 and 7.4. */
    FASTWS_ERR_CLOSE_LEN = -40,           /* close body of one byte */
    FASTWS_ERR_CLOSE_CODE_UNUSED = -41,   /* close code 0-999 */
    FASTWS_ERR_CLOSE_CODE_RESERVED = -42, /* close code 1005, 1006 or 1015: never on the wire */
    FASTWS_ERR_CLOSE_CODE_MEANING = -43,  /* close code 1004: no meaning was given to it */
    FASTWS_ERR_CLOSE_CODE_UNKNOWN = -44,  /* close code 1016-2999 that no standard defines */
    FASTWS_ERR_CLOSE_CODE_RANGE = -45,    /* close code of 5000 or more */
    FASTWS_ERR_CLOSE_UTF8 = -46,          /* close reason that is not UTF-8 */

    /* Limits on what a peer may send. */
    FASTWS_ERR_FRAME_TOO_LARGE = -60,
    FASTWS_ERR_MESSAGE_TOO_LARGE = -61,
    FASTWS_ERR_TOO_MANY_FRAGMENTS = -62,       /* fragments of one message */
    FASTWS_ERR_TOO_MANY_EMPTY_FRAGMENTS = -63, /* fragments without payload of one message */
    FASTWS_ERR_CONTROL_FLOOD = -64,            /* control replies that the peer does not read */
    FASTWS_ERR_INFLATED_TOO_LARGE = -68,       /* compressed message that inflates to more than the limit */
    FASTWS_ERR_INFLATED_RATIO = -69,           /* compressed message that inflates to too many times its size */

    /* The life of a connection. */
    FASTWS_ERR_CLOSED = -70,        /* the connection was closed, or is being closed */
    FASTWS_ERR_EOF = -71,           /* the stream ended between messages, without a close frame, or before a request */
    FASTWS_ERR_UNEXPECTED_EOF = -72,/* the stream ended inside a message or a handshake */
    FASTWS_ERR_PING_TIMEOUT = -73,  /* no sign of life after a ping */
    FASTWS_ERR_CLOSE_TIMEOUT = -74, /* the peer did not finish the close handshake */
    FASTWS_ERR_TIMEOUT = -75,       /* the deadline of the call passed */
    FASTWS_ERR_IO = -76,            /* the byte stream failed */
    FASTWS_ERR_READER_BUSY = -77,   /* another thread is reading from this stream */
    FASTWS_ERR_EXTENSION = -78,     /* an extension of this end refused a frame */
    FASTWS_ERR_MESSAGE_KIND = -82,  /* text where binary was to be read, or binary where text was */
    FASTWS_ERR_QUEUE_FULL = -86,    /* more is queued for the peer than may be */
    FASTWS_ERR_DROPPED = -87,       /* the message was dropped, since the peer reads too slowly */
    FASTWS_ERR_SLOW_CONSUMER = -88, /* the peer reads too slowly, or not at all */
    FASTWS_ERR_SHUTDOWN = -89,      /* the event loop shuts down */

    /* The head of an HTTP request or response. RFC 9112. */
    FASTWS_ERR_HTTP_REQUEST_LINE = -90, /* request line that is not "METHOD SP target SP version" */
    FASTWS_ERR_HTTP_METHOD = -91,       /* method other than GET */
    FASTWS_ERR_HTTP_VERSION = -92,      /* HTTP version other than 1.1 and later 1.x */
    FASTWS_ERR_HTTP_TARGET = -93,       /* byte in the request target that may not stand there */
    FASTWS_ERR_HTTP_LINE_END = -94,     /* CR or LF that is not part of a CRLF line end */
    FASTWS_ERR_HTTP_FOLD = -95,         /* header line folded with leading white space */
    FASTWS_ERR_HTTP_HEADER_NAME = -96,  /* header line without a token and a colon at its start */
    FASTWS_ERR_HTTP_HEADER_VALUE = -97, /* control byte in a header value, or not what its header asks for */
    FASTWS_ERR_HTTP_HEAD_TOO_LARGE = -98,
    FASTWS_ERR_HTTP_TOO_MANY_HEADERS = -99,
    FASTWS_ERR_HTTP_BODY = -100,        /* upgrade request that announces a body */
    FASTWS_ERR_HTTP_STATUS_LINE = -101, /* status line that is not "version SP status SP reason" */
    FASTWS_ERR_HTTP_OPTIONS = -102,     /* value that is not a list of options with parameters */
    FASTWS_ERR_HTTP_COOKIE = -103,      /* value of a Cookie header that is not a list of pairs */
    FASTWS_ERR_HTTP_TOKENS = -104,      /* value that is not a list of tokens */

    /* The negotiation of permessage-deflate. RFC 7692 section 7.1. */
    FASTWS_ERR_DEFLATE_PARAM = -113,       /* parameter that the extension does not have */
    FASTWS_ERR_DEFLATE_VALUE = -114,       /* value missing, not allowed, or not a number 8-15 without leading zeros */
    FASTWS_ERR_DEFLATE_REPEATED = -115,    /* parameter given twice, or two answers */
    FASTWS_ERR_DEFLATE_ANSWER = -116,      /* answer that the offer did not allow */
    FASTWS_ERR_DEFLATE_UNAVAILABLE = -117, /* this build of the library cannot compress */

    /* The opening handshake. RFC 6455 section 4. */
    FASTWS_ERR_HANDSHAKE_HOST = -120,       /* Host missing, repeated or malformed */
    FASTWS_ERR_HANDSHAKE_UPGRADE = -121,    /* Upgrade missing, or without "websocket" */
    FASTWS_ERR_HANDSHAKE_CONNECTION = -122, /* Connection missing, or without "upgrade" */
    FASTWS_ERR_HANDSHAKE_KEY = -123,        /* Sec-WebSocket-Key missing, repeated, or not base64 of 16 bytes */
    FASTWS_ERR_HANDSHAKE_VERSION_MISSING = -124,
    FASTWS_ERR_HANDSHAKE_VERSION = -125,    /* Sec-WebSocket-Version other than 13 */
    FASTWS_ERR_HANDSHAKE_PROTOCOL = -126,   /* Sec-WebSocket-Protocol that is not a list of tokens */
    FASTWS_ERR_HANDSHAKE_EXTENSIONS = -127, /* Sec-WebSocket-Extensions that does not parse */
    FASTWS_ERR_HANDSHAKE_REJECTED = -128,   /* a callback refused the request */
    FASTWS_ERR_HANDSHAKE_HEADER = -129,     /* header to write that holds a forbidden byte, or is ours to write */
    FASTWS_ERR_HANDSHAKE_TIMEOUT = -130,    /* the head did not arrive in time */
    FASTWS_ERR_HANDSHAKE_ORIGIN = -131,     /* Origin of a page that may not connect, or more than one */

    /* The answer to an opening handshake. RFC 6455 4.1. */
    FASTWS_ERR_HANDSHAKE_STATUS = -135,            /* the server answered with another status than 101 */
    FASTWS_ERR_HANDSHAKE_ACCEPT = -136,            /* Sec-WebSocket-Accept missing, repeated, or not that of the key */
    FASTWS_ERR_HANDSHAKE_PROTOCOL_ANSWER = -137,   /* subprotocol in the answer that was not offered, or two */
    FASTWS_ERR_HANDSHAKE_EXTENSIONS_ANSWER = -138, /* extension in the answer that was not offered, or twice */
    FASTWS_ERR_HANDSHAKE_REDIRECT = -139,          /* the server points to another address */

    /* Addresses. RFC 3986, RFC 6455 section 3. */
    FASTWS_ERR_URL_SCHEME = -140,   /* scheme that is none of those known, or nothing behind it */
    FASTWS_ERR_URL_USERINFO = -141, /* byte in user or password that may not stand there, or a name with a colon */
    FASTWS_ERR_URL_HOST = -142,     /* host that is missing, or neither a name nor an IP address */
    FASTWS_ERR_URL_PORT = -143,     /* port other than 1 to 65535 */
    FASTWS_ERR_URL_TARGET = -144,   /* byte in path, query or fragment that may not stand there */

    /* Dialling: the way to a server. */
    FASTWS_ERR_DIAL_RESOLVE = -145,  /* the host name has no address */
    FASTWS_ERR_DIAL_CONNECT = -146,  /* no address took the connection */
    FASTWS_ERR_DIAL_TIMEOUT = -147,  /* the connection was not open in time */
    FASTWS_ERR_DIAL_REDIRECT = -148, /* a redirect that may not be followed, to no address of ours or from wss to ws */
    FASTWS_ERR_DIAL_REJECTED = -149, /* a callback refused the answer */
    FASTWS_ERR_PROXY_URL = -150,     /* the address of a proxy is none, or of a kind that is not known */
    FASTWS_ERR_PROXY_ANSWER = -151,  /* answer of a proxy that is neither HTTP nor SOCKS 5 as it has to be */
    FASTWS_ERR_PROXY_AUTH = -152,    /* the proxy wants credentials, or others */
    FASTWS_ERR_PROXY_REFUSED = -153, /* the proxy does not connect us */
    FASTWS_ERR_DIAL_REDIRECTS_MAX = -154,  /* more redirects than the limit */
    FASTWS_ERR_DIAL_CANCELLED = -155,      /* the program gave the dial up */
    FASTWS_ERR_DIAL_EXTENSIONS_MAX = -156, /* more than 64 extensions to offer */
    FASTWS_ERR_PROXY_CREDENTIALS = -157,   /* user or password of more than 255 bytes for SOCKS 5 */

    /* TLS. RFC 8446, RFC 5280, RFC 9525. */
    FASTWS_ERR_TLS_UNAVAILABLE = -160,   /* the library was built without TLS */
    FASTWS_ERR_TLS_CONTEXT = -161,       /* certificates or keys to use cannot be loaded */
    FASTWS_ERR_TLS_HANDSHAKE = -162,     /* no agreement with the peer, or it is none that speaks TLS */
    FASTWS_ERR_TLS_CERTIFICATE = -163,   /* certificate that is wrong in another way than those below */
    FASTWS_ERR_TLS_EXPIRED = -164,       /* certificate whose time has passed */
    FASTWS_ERR_TLS_NOT_YET_VALID = -165, /* certificate whose time has not come */
    FASTWS_ERR_TLS_SELF_SIGNED = -166,   /* certificate that vouches for itself and is not trusted */
    FASTWS_ERR_TLS_UNTRUSTED = -167,     /* certificate of an issuer that is not trusted */
    FASTWS_ERR_TLS_HOST = -168,          /* certificate for another host */
    FASTWS_ERR_TLS_ALPN = -169,          /* the peer speaks no HTTP/1.1 inside TLS */

    /* The event loop and its listeners. */
    FASTWS_ERR_BACKEND = -170,        /* this system, or this back end, cannot do that */
    FASTWS_ERR_ADDRESS = -171,        /* host, port or path mean nothing */
    FASTWS_ERR_ADDRESS_IN_USE = -172, /* another socket has the address */
    FASTWS_ERR_ADDRESS_DENIED = -173, /* this process may not have the address */
    FASTWS_ERR_LISTEN = -174,         /* the system refused to listen */
    FASTWS_ERR_DESCRIPTORS = -175,    /* the process or the system is out of descriptors */
    FASTWS_ERR_FORKED = -176,         /* the object belongs to the parent process */
    FASTWS_ERR_TLS_RECORD = -177,     /* what came inside TLS is no record of this connection, or an alert */
    FASTWS_ERR_MESSAGE_TIMEOUT = -178 /* a message that was begun did not end in time */
};

/* Returns the name, such as "FASTWS_ERR_UTF8": a static string. "FASTWS_NEED_MORE" for 0, and
 * "FASTWS_ERR_UNKNOWN" for a number that is no error. Thread-safe. Never allocates. */
FASTWS_API FASTWS_NODISCARD const char *fastws_error_name(int error);

/* Returns one sentence for people, without a full stop: a static string. Thread-safe. Never allocates. */
FASTWS_API FASTWS_NODISCARD const char *fastws_error_text(int error);

/* Returns the close code that answers the error (1002, 1007, 1009, ...; 1006 where nothing can be sent), or 0
 * for an error that does not come from a frame. RFC 6455 7.4.1. Thread-safe. Never allocates. */
FASTWS_API FASTWS_NODISCARD int fastws_error_close_code(int error);

/* Returns the HTTP status that answers the error (400, 405, 426, ...), or 0 for an error that does not come from
 * a handshake. RFC 9110 section 15. Thread-safe. Never allocates. */
FASTWS_API FASTWS_NODISCARD int fastws_error_http_status(int error);

/* Returns where the rule stands that was broken, such as "RFC 6455 5.2": a static string, "" where no RFC has
 * one. Thread-safe. Never allocates. */
FASTWS_API FASTWS_NODISCARD const char *fastws_error_rfc(int error);

/* Walks the table: returns the error that follows previous in it (0 to start), or 0 after the last.
 * Thread-safe. Never allocates. */
FASTWS_API FASTWS_NODISCARD int fastws_error_next(int previous);

FASTWS_END_DECLS

#endif
