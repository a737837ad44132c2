# SPDX-License-Identifier: MIT
"""What the servers beside this file have in common: one thread for each connection, so that a silent peer stops nobody."""

import argparse
import signal
import socket
import sys
import threading
import time
from collections.abc import Callable

import fastws


def serve_connection(sock: socket.socket, upgrader: fastws.Upgrader, serve: Callable[[fastws.Stream], None]) -> None:
    """Upgrades a connection and serves it until it ends, however it ends."""
    with sock:
        try:
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            serve(upgrader.upgrade(sock))
        except fastws.HandshakeError:
            refuse(sock)
        except (fastws.Error, OSError):
            pass


def refuse(sock: socket.socket) -> None:
    """Lets the peer read its refusal: closing with unread bytes would reset the connection under it."""
    try:
        sock.shutdown(socket.SHUT_WR)
        sock.settimeout(1)
        sock.recv(65536)
    except OSError:
        pass


def accept(listener: socket.socket, upgrader: fastws.Upgrader, serve: Callable[[fastws.Stream], None]) -> None:
    """Serves one more connection. Without a descriptor or a thread for it, the others go on."""
    try:
        sock, _ = listener.accept()
    except OSError:
        time.sleep(0.1)
        return
    try:
        threading.Thread(target=serve_connection, args=(sock, upgrader, serve), daemon=True).start()
    except RuntimeError:
        sock.close()


def stop(*_: object) -> None:
    raise KeyboardInterrupt


def port(text: str) -> int:
    number = int(text) if text.isdecimal() else -1
    if not 0 <= number <= 65535:
        raise argparse.ArgumentTypeError("must be from 0 to 65535")
    return number


def listen(host: str, number: int) -> socket.socket:
    """Listens on the first address of host, of whichever family it is."""
    family, _, _, _, address = socket.getaddrinfo(host or None, number, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)[0]
    return socket.create_server(address, family=family, backlog=512)


def main(description: str | None, upgrader: fastws.Upgrader, serve: Callable[[fastws.Stream], None]) -> int:
    """Reads the command line and serves until it is told to stop. Returns the exit code."""
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=port, default=9001, help="0 for any free one")
    arguments = parser.parse_args()
    signal.signal(signal.SIGTERM, stop)
    try:
        listener = listen(arguments.host, arguments.port)
    except (OSError, UnicodeError) as error:
        print(f"{parser.prog}: cannot listen on {arguments.host} port {arguments.port}: {error}", file=sys.stderr)
        return 1
    with listener:
        host = f"[{arguments.host}]" if ":" in arguments.host else arguments.host
        print(f"listening on ws://{host}:{listener.getsockname()[1]}/", flush=True)
        try:
            while True:
                accept(listener, upgrader, serve)
        except KeyboardInterrupt:
            return 0
