# SPDX-License-Identifier: MIT
"""Idle connections: the memory of the server for each of them.

A server of its own is started, 500 connections are opened, and so many more: what its anonymous memory grows by between
the two, divided by their number. What it needs once, and for its first connections, does not count. Before each look it
collects its garbage, if its language has that. Sockets inside of the kernel are not part of it.
"""

import resource
import socket
import sys

from .process import Server

CONNECTIONS = 10_000
FIRST = 500
SPARE = 100  # descriptors that are used for other things
CASE = "idle"
REQUEST = (
    b"GET / HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
)


def raise_limit(wanted: int) -> int:
    """Raises the limit of descriptors, which processes inherit. Returns how many of the connections that are wanted may
    be opened beside the first ones."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    if hard == resource.RLIM_INFINITY:
        return wanted
    return min(wanted, hard - FIRST - SPARE)


def open_client(port: int) -> socket.socket:
    """Connects and upgrades. Raises OSError where the server does not answer by 101."""
    client = socket.create_connection(("127.0.0.1", port), timeout=20)
    client.sendall(REQUEST)
    answer = b""
    while b"\r\n\r\n" not in answer:
        part = client.recv(4096)
        if not part:
            break
        answer += part
    if not answer.startswith(b"HTTP/1.1 101"):
        client.close()
        raise OSError(f"the server answered {answer[:100]!r}")
    return client


def memory_of(server: Server) -> int:
    server.settle()
    server.collect()
    return server.memory()


def measure(name: str, command: str, cpu: int, count: int) -> float | None:
    """Bytes for each of so many connections, or None where the server failed."""
    clients: list[socket.socket] = []
    server = Server(name, command, cpu)
    try:
        clients += (open_client(server.port) for _ in range(FIRST))
        before = memory_of(server)
        clients += (open_client(server.port) for _ in range(count))
        return (memory_of(server) - before) / count
    except OSError as error:
        print(f"{name} {CASE}: {error}", file=sys.stderr)
        return None
    finally:
        server.stop()  # first, or it would have much to say about clients that vanish
        for client in clients:
            client.close()
