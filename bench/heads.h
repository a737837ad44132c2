/* SPDX-License-Identifier: MIT */
/* The requests that are measured: upgrade/..., http_head/.... */
#ifndef FASTWS_BENCH_HEADS_H
#define FASTWS_BENCH_HEADS_H

/* What RFC 6455 asks for, and no more. */
inline const char minimal[] = "GET / HTTP/1.1\r\n"
                       "Host: ws.example.io\r\n"
                       "Upgrade: websocket\r\n"
                       "Connection: Upgrade\r\n"
                       "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
                       "Sec-WebSocket-Version: 13\r\n"
                       "\r\n";

/* What a browser sends. */
inline const char chrome[] = "GET /chat/42 HTTP/1.1\r\n"
                      "Host: ws.example.io\r\n"
                      "Connection: Upgrade\r\n"
                      "Pragma: no-cache\r\n"
                      "Cache-Control: no-cache\r\n"
                      "User-Agent: Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) "
                      "Chrome/142.0.0.0 Safari/537.36\r\n"
                      "Upgrade: websocket\r\n"
                      "Origin: http://example.io\r\n"
                      "Sec-WebSocket-Version: 13\r\n"
                      "Accept-Encoding: gzip, deflate, br\r\n"
                      "Accept-Language: en-US,en;q=0.9\r\n"
                      "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
                      "Sec-WebSocket-Extensions: permessage-deflate; client_max_window_bits\r\n"
                      "\r\n";

/* The sizes that the goals are given for. */
static_assert(sizeof minimal - 1 == 152);
static_assert(sizeof chrome - 1 == 483);

#endif
