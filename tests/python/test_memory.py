# SPDX-License-Identifier: MIT
"""What is given back: memory, references, random bytes of a parent, interpreters."""

import gc
import io
import os
import sys

import pytest

import fastws
from fastws import Connection, Reader, Stream, Upgrade, Writer

TYPES = [
    fastws.Chunk, fastws.PreparedMessage, fastws.CipherReader, fastws.Utf8Reader, fastws.Message, fastws.Ping,
    fastws.Close, fastws.Failure, fastws.Header, Connection, Stream, Reader, Writer, Upgrade,
]


def echo(server, client, message):
    client.send(message)
    for event in server.receive(client.data_to_send()):
        server.send(event.data)
    client.receive(server.data_to_send())


def test_blocks_are_flat_over_100_000_echoes():
    server, client = Connection("server"), Connection("client")

    def run(count):
        for i in range(count):
            echo(server, client, "Grüße" if i % 2 else b"binary")

    run(1000)
    gc.collect()
    before = sys.getallocatedblocks()
    run(100_000)
    gc.collect()
    assert abs(sys.getallocatedblocks() - before) < 50


def test_blocks_are_flat_over_echoes_through_sockets(streams):
    server, client = streams

    def run(count):
        for _ in range(count):
            client.send("message")
            server.send(server.recv())
            client.recv()

    run(200)
    gc.collect()
    before = sys.getallocatedblocks()
    run(10_000)
    gc.collect()
    assert abs(sys.getallocatedblocks() - before) < 50


def failures(masked_frame, Scripted, request_bytes):
    """One of everything, most of it refused."""
    for frame in (masked_frame(3), masked_frame(1, b"\xff"), masked_frame(8, b"\x03"), masked_frame(8, b"\x03\xe8x")):
        server = Connection("server")
        server.receive(frame)
        with pytest.raises(fastws.ConnectionClosed):
            server.receive(b"x")
        stream = Stream(Scripted(frame))
        for read in (stream.recv, stream.recv, stream.read_header):
            with pytest.raises(fastws.ConnectionClosed):
                read()
        stream.close()
    with pytest.raises(ValueError):
        Connection("other")
    with pytest.raises(TypeError):
        Stream(5)
    with pytest.raises(ValueError):
        Upgrade(header={"a": "\r\n"})
    upgrade = Upgrade(on_header=lambda name, value: upgrade, header={"Server": "x"}, protocol=["chat"])
    upgrade.feed(request_bytes)
    upgrade = Upgrade(on_header=lambda name, value: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        upgrade.feed(request_bytes)
    stream = Stream(Scripted(masked_frame(1, b"[1]") + masked_frame(2, b"x") + masked_frame(2, bytes(300))))
    reader, writer = Reader(stream), Writer(stream)
    reader.next_frame()
    reader.read()
    writer.write("x")
    writer.flush()
    stream.read_data()
    frame = stream.read_frame()
    stream.write_frame(frame)
    hash(fastws.Header.parse(frame.header.encode()))
    stream.send(fastws.PreparedMessage("prepared" * 1000))
    for delivery in ("fragments", "stream"):
        server = Connection("server", delivery=delivery, extensions=[lambda header: None])
        server.begin()
        server.write("x" * 5000)
        server.flush_fragment()
        server.receive(masked_frame(2, bytes(70000), fin=False) + masked_frame(0, b"x") + masked_frame(1, b"\xff"))
    large = masked_frame(2, bytes(100000), fin=False) + masked_frame(0, bytes(200000)) * 3
    stream = Stream(Scripted(large + masked_frame(3)))
    reader = Reader(stream, extensions=[lambda header: None], on_continuation=lambda header, reader: reader.read(5))
    reader.next_frame()
    reader.read()
    with pytest.raises(fastws.ConnectionClosed):
        reader.next_frame()
    for connection, new in ((Connection("server"), ()), (Stream(Scripted()), (Scripted(),))):
        connection.reset(*new, extensions=[lambda header: connection], max_size=70000)
        with pytest.raises(ValueError):
            connection.reset(*new, extensions=[lambda header: None], max_size=0)
        with pytest.raises(TypeError):
            connection.reset(*new, extensions=[lambda header: None], role=5)
        connection.reset(*new, role="client", extensions=())
    connection.write_header(fastws.Header(length=3))
    with pytest.raises(RuntimeError), connection.cork():
        connection.send("x")
    connection.close()
    server = Connection("server")
    server.send(bytes(9000))
    while server.data_to_send(1000):
        pass
    with pytest.raises(ZeroDivisionError):
        Writer(Stream(Scripted()), extensions=[lambda header: 1 / 0]).write("x" * 5000)
    with pytest.raises(fastws.InvalidUTF8):
        fastws.Utf8Reader(fastws.CipherReader(io.BytesIO(b"\xff"), bytes(4))).read()
    fastws.CipherWriter(io.BytesIO(), bytes(4)).write(b"x")
    fastws.parse_close(fastws.close_body(1000, "x"))
    with pytest.raises(fastws.ProtocolError):
        fastws.Header.parse(b"\x82\x7e\0\0")


def test_no_references_are_lost(masked_frame, Scripted, request_bytes):
    def run():
        failures(masked_frame, Scripted, request_bytes)

    for _ in range(5):
        run()
    gc.collect()
    before = sys.getallocatedblocks(), [sys.getrefcount(each) for each in TYPES]
    for _ in range(100):
        run()
    gc.collect()
    after = sys.getallocatedblocks(), [sys.getrefcount(each) for each in TYPES]
    assert abs(after[0] - before[0]) < 100
    assert all(abs(a - b) < 10 for a, b in zip(after[1], before[1], strict=True))


def test_every_allocation_may_fail(run_short_of_memory):
    """Whichever allocation of Python's fails, the result is an exception or the right answer, and no crash."""
    code = """
import fastws
from fastws import Connection, Header, Reader, Stream, Upgrade, Writer
KEY = b"abcd"
frame = lambda op, p: fastws.Header(opcode=op, mask=KEY, length=len(p)).encode() + fastws.masked(p, KEY)
data = frame(1, "ä".encode()) + frame(9, b"p") + frame(2, b"x" * 5000) + frame(8, b"\\x03\\xe8bye")
request = (b"GET /chat HTTP/1.1\\r\\nHost: a\\r\\nUpgrade: websocket\\r\\nConnection: Upgrade\\r\\n"
           b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\\r\\nSec-WebSocket-Version: 13\\r\\nX: y\\r\\n\\r\\n")
# Made here: a function that CPython 3.12 fails to make for want of memory takes its code with it.
def ignore(name, value): pass
def ignore_one(header): pass
class Files:
    def __init__(self, data): self.data = data
    def read(self, n):
        part, self.data = self.data, b""
        return part
    def write(self, data): return len(data)
def more(): return {"d": "e"}
def fail(name, value): raise reject
reject = fastws.Reject(404, "x", headers={"a": "b"})
class Script:
    def __init__(self): self.data = data
    def recv_into(self, buffer):
        part, self.data = self.data[:len(buffer)], self.data[len(buffer):]
        buffer[:len(part)] = part
        return len(part)
    def sendall(self, data): pass
def connection():
    server, client = Connection("server"), Connection("client")
    server.receive(data), server.data_to_send()
    client.send("x" * 5000), client.send("y"), client.ping(), client.close(1000, "r"), client.data_to_send()
    bad = Connection("server")
    bad.receive(b"\\x83\\x00")
    try: bad.receive(b"x")
    except fastws.ConnectionClosed: pass
def stream():
    stream = Stream(Script(), initial=b"")
    stream.read_data(), stream.send(stream.recv()), stream.close()
def files():
    stream = Stream(Script())
    reader, writer = Reader(stream), Writer(stream, 2)
    reader.next_frame(), reader.read(1), reader.read(), writer.write(b"x" * 9000), writer.flush(), stream.read_frame()
def streams():
    large = Script()
    large.data = Header(False, 0, 2, KEY, 70000).encode() + bytes(70000) + frame(9, b"p") + frame(0, b"z" * 70000)
    stream = Stream(large)
    reader = Reader(stream, extensions=[ignore_one], on_intermediate=ignore, on_continuation=ignore)
    reader.next_frame(), reader.read(1), reader.read()
    writer = Writer(stream, 2, 5000, extensions=[ignore_one])
    writer.write(b"x" * 9000), writer.flush_fragment(), writer.flush(), stream.send(fastws.PreparedMessage("x" * 9000))
    large = Script()
    large.data = frame(2, b"y" * 200000)
    assert Stream(large).recv() == b"y" * 200000
    server = Connection("server", delivery="stream", extensions=[ignore_one])
    server.begin(), server.write("x" * 5000), server.finish(), server.receive(data), server.data_to_send()
def resets():
    server = Connection("server", write_limit=(9, 1), extensions=[ignore_one])
    server.send("x" * 5000), server.send("y"), server.data_to_send(5)
    server.send("z" * 5000), server.data_to_send(5003)
    server.data_to_send(), server.reset(max_size=5, extensions=()), server.max_size, server.write_limit
    stream = Stream(Script(), extensions=[ignore_one])
    with stream.cork():
        stream.send("x"), stream.send(b"y" * 9000), stream.answer(9, b"p"), stream.answer(8, b"\\x03\\xe8")
    stream.reset(Script(), initial=frame(1, b"x"), extensions=[ignore_one]), stream.recv(), stream.set_extensions(())
    stream.write_header(Header(length=5)), stream.write(b"x"), stream.reset(Script(), max_frame_size=1)
    try: stream.read_frame()
    except fastws.ConnectionClosed: pass
    writer = Writer(stream)
    writer.set_extensions([ignore_one]), writer.reset(extensions=())
def ciphers():
    fastws.Utf8Reader(fastws.CipherReader(Files(bytes(9)), bytes(4))).read()
    fastws.CipherWriter(Files(b""), KEY).write(b"x")
def upgrade():
    upgrade = Upgrade(header={"a": "b"}, protocol=["c"], on_header=ignore, on_before_upgrade=more)
    upgrade.feed(request), upgrade.response, upgrade.handshake
    try: Upgrade(on_header=fail).feed(request)
    except fastws.Reject: pass
def pieces():
    Header.parse(Header(mask=KEY).encode()), repr(Header()), hash(Header()), fastws.compile_frame(1, "ä", mask=KEY)
    fastws.parse_close(fastws.close_body(1000, "x")), fastws.isas(), fastws.accept_key("dGhlIHNhbXBsZSBub25jZQ==")
"""
    functions = "connection, stream, files, streams, resets, ciphers, upgrade, pieces"
    assert run_short_of_memory(code, functions, 150).stdout == "done\n"


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork()")
def test_a_child_does_not_use_the_masks_of_its_parent(run_python):
    code = """
import fastws, os
client = fastws.Connection("client")
def mask():
    client.send("x")
    return fastws.Header.parse(client.data_to_send()).mask
mask()
read, write = os.pipe()
if os.fork() == 0:
    os.write(write, mask())
    os._exit(0)
os.wait()
print(os.read(read, 4) != mask())
"""
    assert run_python(code).stdout == "True\n"


INTERPRETER = """
import sys
sys.path[:] = {path!r}
import fastws
server, client = fastws.Connection("server"), fastws.Connection("client")
for i in range(1000):
    client.send("x" * i)
    assert server.receive(client.data_to_send())[0].data == "x" * i
try:
    server.receive(b"\\x83\\x00")[0].error
    server.receive(b"")
except fastws.ConnectionClosedError:
    pass
else:
    raise AssertionError
"""


@pytest.mark.skipif(sys.version_info < (3, 12), reason="interpreters have their own lock from 3.12 on")
def test_interpreters_with_their_own_lock(run_python):
    module = "_interpreters" if sys.version_info >= (3, 13) else "_xxsubinterpreters"
    create = "create('isolated')" if sys.version_info >= (3, 13) else "create(isolated=True)"
    code = f"""
import sys, threading
import {module} as interpreters
import fastws
code = {INTERPRETER!r}.format(path=sys.path)
failed = []
def run():
    interpreter = interpreters.{create}
    try:
        result = interpreters.run_string(interpreter, code)
        if result is not None:
            failed.append(result)
    except Exception as error:
        failed.append(error)
    interpreters.destroy(interpreter)
threads = [threading.Thread(target=run) for _ in range(4)]
for thread in threads: thread.start()
exec(code)
for thread in threads: thread.join()
assert not failed, failed
print("done")
"""
    assert run_python(code).stdout == "done\n"


def test_the_module_can_be_loaded_anew(run_python):
    code = """
import gc, sys
import fastws
first = fastws.Connection("server")
for name in [name for name in sys.modules if name.startswith("fastws")]:
    del sys.modules[name]
del fastws
import fastws
assert type(first) is not fastws.Connection
second = fastws.Connection("client")
second.send("x")
print(first.receive(second.data_to_send())[0].data)
del first
gc.collect()
"""
    assert run_python(code).stdout == "x\n"


def test_a_writer_with_extensions_raises_what_is_missing(run_python):
    """Memory that is missing for them is not the end of the connection."""
    pytest.importorskip("_testcapi")
    run_python("""
import _testcapi
from fastws import Stream, Writer
class Io:
    def recv_into(self, buffer): return 0
    def sendall(self, data): pass
def attempt(start):
    writer = Writer(Stream(Io()), extensions=[lambda header: None])
    error = None
    try:
        _testcapi.set_nomemory(start, start + 1)
        writer.write(b"x" * 10)
    except BaseException as raised:
        error = raised
    finally:
        _testcapi.remove_mem_hooks()
    assert error is None or type(error) is MemoryError, (start, repr(error))
    writer.write(b"y")
    writer.flush()
for start in range(1, 40):
    attempt(start)
""")
