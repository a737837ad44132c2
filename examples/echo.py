#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Echoes text and binary messages: one thread for each connection, so that a silent peer stops nobody else."""

import argparse
import signal
import socket
import sys
import threading
import time

import fastws

upgrader = fastws.Upgrader()


def serve(sock: socket.socket) -> None:
    """Upgrades a connection and echoes until it ends, however it ends."""
    with sock:
        try:
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            with upgrader.upgrade(sock) as stream:
                for message in stream:
                    stream.send(message)
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


def accept(listener: socket.socket) -> None:
    """Serves one more connection. Without a descriptor or a thread for it, the others go on."""
    try:
        sock, _ = listener.accept()
    except OSError:
        time.sleep(0.1)
        return
    try:
        threading.Thread(target=serve, args=(sock,), daemon=True).start()
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


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
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
                accept(listener)
        except KeyboardInterrupt:
            return 0


if __name__ == "__main__":
    sys.exit(main())
