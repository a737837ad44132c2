# SPDX-License-Identifier: MIT
"""Servers that a dialer meets: what its test files share."""

import socket
import threading

import pytest

import fastws


class Server:
    """Listens, and runs a function for each connection in a thread; what it returns and raises is kept."""

    def __init__(self, serve, listener=None):
        self.listener = listener or socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1] if self.listener.family != socket.AF_UNIX else 0
        self.serve = serve
        self.results = []
        self.threads = []
        self.thread = threading.Thread(target=self.run, daemon=True)
        self.thread.start()

    def run(self):
        while True:
            try:
                sock, _ = self.listener.accept()
            except OSError:
                return
            thread = threading.Thread(target=self.handle, args=(sock,), daemon=True)
            self.threads.append(thread)
            thread.start()

    def handle(self, sock):
        sock.settimeout(20)
        with sock:
            try:
                self.results.append(self.serve(sock))
            except Exception as error:  # noqa: BLE001
                self.results.append(error)

    def url(self, rest="/"):
        return f"ws://127.0.0.1:{self.port}{rest}"

    def close(self):
        if self.listener.fileno() >= 0:
            try:
                self.listener.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass
            self.listener.close()
        for thread in [self.thread, *self.threads]:
            thread.join(20)
            assert not thread.is_alive(), "thread hangs"


@pytest.fixture
def start():
    servers = []

    def start(serve, listener=None):
        servers.append(Server(serve, listener))
        return servers[-1]

    yield start
    for server in servers:
        server.close()


@pytest.fixture(autouse=True)
def no_proxy_of_the_machine(monkeypatch):
    for name in ("http_proxy", "https_proxy", "HTTPS_PROXY", "all_proxy", "ALL_PROXY", "no_proxy", "NO_PROXY"):
        monkeypatch.delenv(name, raising=False)


def read_head(sock):
    head = b""
    while not head.endswith(b"\r\n\r\n"):
        byte = sock.recv(1)
        assert byte, "the client went away"
        head += byte
    return fastws.http.parse_request(head)


def echo(sock):
    """Serves one connection of ours. Returns the request and the handshake."""
    stream = fastws.Upgrader(protocol=["chat"]).upgrade(sock)
    for message in stream:
        stream.send(message)
    return stream.handshake


def assert_echoes(stream):
    with stream:
        stream.send("Grüße")
        assert stream.recv(20) == "Grüße"
