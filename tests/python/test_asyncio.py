# SPDX-License-Identifier: MIT
"""Connection under asyncio: its buffer methods are what asyncio.BufferedProtocol asks for."""

import asyncio

import websockets.sync.client

import fastws


class Echo(asyncio.BufferedProtocol):
    """A server in twenty lines: all of WebSocket is in the Connection."""

    def connection_made(self, transport):
        self.transport = transport
        self.upgrade = fastws.Upgrade()
        self.connection = fastws.Connection("server")
        self.get_buffer = self.connection.get_buffer
        self.is_open = False

    def get_buffer(self, sizehint):
        raise AssertionError("replaced by that of the connection")

    def buffer_updated(self, nbytes):
        if self.is_open:
            self.handle(self.connection.buffer_updated(nbytes))
            return
        rest = self.upgrade.feed(self.connection.get_buffer()[:nbytes])
        self.transport.write(self.upgrade.response)
        if rest is not None:
            self.is_open = True
            self.handle(self.connection.receive(rest))

    def handle(self, events):
        for event in events:
            if isinstance(event, fastws.Message):
                self.connection.send(event.data)
        self.transport.write(self.connection.data_to_send())
        if self.connection.close_expected():
            self.transport.close()

    def eof_received(self):
        if self.connection.state == "OPEN":
            self.connection.receive_eof()


def talk(port):
    with websockets.sync.client.connect(f"ws://127.0.0.1:{port}/", max_size=None) as client:
        for message in ["text", b"binary", "x" * 1000000, ""]:
            client.send(message)
            assert client.recv(timeout=10) == message
        client.send(["frag", "ments"])
        assert client.recv(timeout=10) == "fragments"
    return client.close_code


def test_serves_through_a_buffered_protocol():
    async def main():
        loop = asyncio.get_running_loop()
        server = await loop.create_server(Echo, "127.0.0.1", 0)
        async with server:
            port = server.sockets[0].getsockname()[1]
            return await asyncio.gather(*(asyncio.to_thread(talk, port) for _ in range(3)))

    assert asyncio.run(asyncio.wait_for(main(), 60)) == [1000] * 3
