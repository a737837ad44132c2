# SPDX-License-Identifier: MIT
"""Upgrades inside an HTTP server, that of the standard library: one thread for each connection."""

import argparse
import http.server
import signal
import sys
from collections.abc import Callable

import fastws

UPGRADER = fastws.Upgrader()


class Server(http.server.ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 512


def handler_of(serve: Callable[[fastws.Stream], None]) -> type[http.server.BaseHTTPRequestHandler]:
    """Makes the class of the handlers that upgrade each request and serve its stream."""

    class Handler(http.server.BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        timeout = 10  # seconds for a request, not for the stream
        disable_nagle_algorithm = True

        def do_GET(self) -> None:
            try:
                serve(UPGRADER.upgrade_http(self))
            except (fastws.Error, OSError) as error:
                self.log_error("%s", error)

    return Handler


def stop(*_: object) -> None:
    raise KeyboardInterrupt


def main(description: str | None, serve: Callable[[fastws.Stream], None]) -> int:
    """Reads the command line and serves until it is told to stop. Returns the exit code."""
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=9001, help="0 for any free one")
    arguments = parser.parse_args()
    signal.signal(signal.SIGTERM, stop)
    try:
        server = Server((arguments.host, arguments.port), handler_of(serve))
    except (OSError, OverflowError) as error:
        print(f"{parser.prog}: cannot listen on {arguments.host} port {arguments.port}: {error}", file=sys.stderr)
        return 1
    with server:
        print(f"listening on ws://{arguments.host}:{server.server_port}/", flush=True)
        try:
            server.serve_forever()
        except KeyboardInterrupt:
            return 0
    return 0
