# SPDX-License-Identifier: MIT
"""What compression gives back: bytes, references; and what it does where there is no memory."""

import gc
import sys

import pytest

import fastws
from fastws import Connection, Deflate, Stream
from fastws.deflate import Codec, MessageState

TEXT = '{"symbol": "ETH-USD", "price": 1234.5, "side": "buy"} ' * 4


@pytest.mark.parametrize("mode", ["takeover", "tail", "no_takeover"])
def test_blocks_and_bytes_are_flat_over_10_000_echoes(mode):
    server = Connection("server", compression=Deflate(mode))
    client = Connection("client", compression="deflate")

    def run(count):
        for i in range(count):
            client.send(TEXT + str(i))
            for event in server.receive(client.data_to_send()):
                server.send(event.data)
            client.receive(server.data_to_send())

    run(500)
    gc.collect()
    before, held = sys.getallocatedblocks(), fastws.deflate.stats()
    run(10_000)
    gc.collect()
    assert abs(sys.getallocatedblocks() - before) < 50
    assert fastws.deflate.stats() == held


def everything():
    """One of everything, some of it refused."""
    deflate = Deflate("tail", threshold=0)
    upgrade, dial = fastws.Upgrade(compression=deflate), fastws.Dial("ws://x/", compression="deflate")
    upgrade.feed(dial.request)
    dial.feed(upgrade.response)
    server = Connection("server", compression=upgrade.compression)
    client = Connection("client", compression=dial.compression)
    for message in (TEXT, TEXT.encode(), TEXT * 1000, fastws.PreparedMessage(TEXT * 1000)):
        client.send(message)
        server.receive(client.data_to_send())
    server.begin(compress=True)
    server.write(TEXT * 100)
    server.finish()
    server.idle()
    (server.compression, server.compression_held, repr(deflate), hash(deflate), deflate == upgrade.compression)
    server.reset(compression=deflate.with_parameters(fastws.deflate.Parameters(True)))
    server.reset()
    codec, state = Codec(deflate), MessageState(True)
    packed = codec.compress_frame((fastws.Header(length=3), b"xyz"))
    codec.decompress_frame(packed)
    state.set_bits(state.unset_bits(packed.header))
    codec.decompress(codec.compress(TEXT))
    fastws.deflate.negotiate(deflate, "permessage-deflate; client_max_window_bits")
    fastws.deflate.confirm(deflate, [fastws.deflate.offer(deflate)], "permessage-deflate")
    for refused in (lambda: Deflate(level=10), lambda: Connection("server", compression=5),
                    lambda: server.reset(compression="x"), lambda: codec.decompress(b"\x07"),
                    lambda: codec.decompress_frame((fastws.Header(), b"x"))):
        with pytest.raises((TypeError, ValueError, fastws.Error)):
            refused()


def test_references_are_flat_over_everything():
    kinds = [Deflate, Codec, MessageState, Connection, fastws.Upgrade, fastws.Dial, fastws.deflate.Parameters]

    def run(count):
        for _ in range(count):
            everything()
        gc.collect()

    run(10)
    blocks, references = sys.getallocatedblocks(), [sys.getrefcount(kind) for kind in kinds]
    held = fastws.deflate.stats().held
    run(200)
    assert abs(sys.getallocatedblocks() - blocks) < 50
    assert [sys.getrefcount(kind) for kind in kinds] == references
    assert fastws.deflate.stats().held == held


SETUP = '''
import fastws
from fastws import Connection, Deflate, Stream
from fastws.deflate import Codec, MessageState, Parameters, negotiate, offer, confirm
TEXT = "some text of which there is more " * 20

def connections():
    server = Connection("server", compression=Deflate("tail", threshold=0))
    client = Connection("client", compression="deflate")
    for message in (TEXT, TEXT * 200, fastws.PreparedMessage(TEXT * 200), fastws.PreparedMessage(TEXT)):
        client.send(message)
        events = server.receive(client.data_to_send())
        assert events and events[0].compressed, events
    server.begin(compress=True)
    server.write(TEXT * 30)
    server.finish()
    server.idle()
    repr(server.compression), server.compression_held
    server.reset(compression="deflate")
    server.send(TEXT)

def handshakes():
    upgrade = fastws.Upgrade(compression=Deflate("tail"))
    dial = fastws.Dial("ws://x/", compression="deflate")
    upgrade.feed(dial.request)
    dial.feed(upgrade.response)
    assert upgrade.compression.parameters == dial.compression.parameters
    fastws.Upgrader(compression="deflate"), fastws.Dialer(compression="deflate")

class IO:
    def __init__(self, data=b""):
        self.data, self.written = data, b""
    def recv_into(self, buffer):
        part, self.data = self.data[:len(buffer)], self.data[len(buffer):]
        buffer[:len(part)] = part
        return len(part)
    def sendall(self, data):
        self.written += data

def streams():
    io = IO()
    stream = Stream(io, "client", compression="deflate")
    stream.send(TEXT)
    stream.send(TEXT * 200)
    stream.send(fastws.PreparedMessage(TEXT * 200))
    with fastws.Writer(stream, compress=True) as writer:
        writer.write(TEXT * 200)
    stream.idle()
    server = Stream(IO(io.written), compression="deflate")
    assert server.recv() == TEXT and server.recv() == TEXT * 200
    reader = fastws.Reader(server)
    assert len(reader.read()) == len(TEXT * 200)
    reader.next_frame()
    reader.read(5)
    server.reset(IO(), compression="deflate")

def pieces():
    codec, state = Codec("deflate"), MessageState(True)
    packed = codec.compress_frame((fastws.Header(length=3), b"xyz"))
    codec.decompress_frame(packed)
    state.unset_bits(state.set_bits(fastws.Header()))
    codec.decompress(codec.compress(TEXT * 200))
    codec.idle()
    deflate = negotiate(Deflate("tail"), "permessage-deflate; client_max_window_bits")
    confirm(deflate, [offer(deflate)], deflate.parameters.format())
    assert deflate == Deflate("tail", parameters=deflate.parameters) and hash(deflate)
    repr(deflate), fastws.deflate.stats()
    Parameters.parse(deflate.parameters.format().partition(";")[2])
'''


@pytest.mark.parametrize("function", ["connections", "handshakes", "streams", "pieces"])
def test_every_allocation_of_python_may_fail(run_short_of_memory, function):
    assert run_short_of_memory(SETUP, f"{function},", 220).stdout.split() == ["done"]


def test_a_stream_that_is_idle_holds_less(streams):
    server, client = (Stream(stream.io, stream.role, compression="deflate") for stream in streams)
    for _ in range(3):
        client.send(TEXT)
        server.send(server.recv())
        client.recv()
    busy = server.compression_held
    server.idle()
    assert server.compression_held < busy / 5
    client.send(TEXT)
    assert server.recv() == TEXT
