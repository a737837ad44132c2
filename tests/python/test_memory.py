# SPDX-License-Identifier: MIT
"""What is given back: memory, references, random bytes of a parent, interpreters."""

import gc
import os
import sys

import pytest

import fastws
from fastws import Connection, Reader, Stream, Upgrade, Writer

TYPES = [fastws.Message, fastws.Ping, fastws.Close, fastws.Failure, fastws.Header, Connection, Stream, Reader, Writer, Upgrade]


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
