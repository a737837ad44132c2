# SPDX-License-Identifier: MIT
"""Hostile peers: each meets a limit with a named reason in the log, its neighbour keeps echoing, nothing is left."""

import asyncio
import contextlib
import gc
import logging
import resource
import socket
import struct
import subprocess
import sys
import weakref

import pytest

import fastws
import fastws.asyncio

TIMES = {"ping_interval": 0.2, "ping_timeout": 0.3, "close_timeout": 0.2}
REFUSED = "request refused: handshake did not finish in time"


@pytest.fixture
def attacked(serving, echo, logged):
    """A server whose handler is the one that is given for peers that attack, and echo for one that does not: an
    asynchronous context manager that gives its address. In the end the peer that does not is still served, the log has
    told the reason, and connections are gone."""

    @contextlib.asynccontextmanager
    async def attacked(handler, reason, **options):
        seen = []

        async def dispatch(connection):
            if connection.request.path == "/neighbour":
                await echo(connection)
            else:
                seen.append(weakref.ref(connection))
                await handler(connection)

        async with serving(dispatch, **{**TIMES, **options}) as url:
            async with neighbour(url):
                yield url
                async with asyncio.timeout(10):
                    while not any(reason in text for text in logged(logging.INFO)):
                        await asyncio.sleep(0.01)
        gc.collect()
        assert [each() for each in seen if each() is not None] == []

    return attacked


@contextlib.asynccontextmanager
async def neighbour(url):
    """A connection that echoes all the time."""
    rounds = 0

    async def keep(client):
        nonlocal rounds
        while True:
            await client.send(str(rounds))
            assert await client.recv() == str(rounds)
            rounds += 1
            await asyncio.sleep(0.001)

    async with fastws.asyncio.connect(url + "neighbour") as client:
        task = asyncio.create_task(keep(client))
        yield
        before = rounds
        async with asyncio.timeout(5):
            while rounds < before + 3 and not task.done():
                await asyncio.sleep(0.01)
        assert not task.done() and before > 0
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def read_to_the_end(connection):
    with contextlib.suppress(fastws.ConnectionClosedError):
        async for _ in connection:
            pass


def test_a_head_byte_by_byte(run, attacked, raw, request_with):
    """As slow as it may be: the limit is for the whole of it."""

    async def main():
        async with attacked(read_to_the_end, REFUSED, open_timeout=0.5) as url, raw(url, b"") as client:

            async def trickle():
                for byte in request_with() * 100:
                    client.writer.write(bytes([byte]))
                    await asyncio.sleep(0.02)

            task = asyncio.create_task(trickle())
            async with asyncio.timeout(5):
                assert (await client.read_head()).status_code == 408
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)

    run(main())


def test_a_head_without_end(run, attacked, raw):
    async def main():
        async with attacked(read_to_the_end, "request refused: HTTP head is larger than the limit") as url:
            async with raw(url, b"GET / HTTP/1.1\r\n" + b"X: " + b"x" * 20000) as client:
                assert (await client.read_head()).status_code == 431

    run(main())


def test_too_much_before_the_answer(run, attacked, serving, raw, request_with, logged):
    async def main():
        async def process_request(connection, request):
            if request.path != "/neighbour":
                await asyncio.sleep(30)

        reason = "request refused: more than 65536 bytes came before the answer"
        async with attacked(read_to_the_end, reason, process_request=process_request) as url:
            async with raw(url, request_with() + b"x" * 100_000) as client:
                with contextlib.suppress(ConnectionError):
                    assert await client.reader.read() == b""

    run(main())


@pytest.mark.parametrize("way", ["send", "iterable", "send_nowait", "broadcast"])
def test_a_peer_that_never_reads(run, attacked, raw, way):
    """What waits for it has an end, whether by write_limit or by the pace of who sends; then it is given up."""
    most = 0

    async def flood(connection):
        nonlocal most

        def pieces():
            while True:
                yield b"x" * 10_000

        with contextlib.suppress(fastws.ConnectionClosedError):
            while connection.state == fastws.asyncio.State.OPEN:
                if way == "send":
                    await connection.send(b"x" * 10_000)
                elif way == "iterable":
                    await connection.send(pieces())
                elif way == "send_nowait":
                    connection.send_nowait(b"x" * 10_000)
                    await asyncio.sleep(0.001)
                else:
                    fastws.asyncio.broadcast([connection], b"x" * 10_000)
                    await asyncio.sleep(0.001)
                most = max(most, connection.queued)

    async def main():
        options = {"write_limit": 50_000, "compression": None}
        async with attacked(flood, "FASTWS_ERR_PING_TIMEOUT", **options) as url, raw(url) as client:
            client.writer.transport.pause_reading()
            await asyncio.sleep(1)
        if way in ("send", "iterable"):
            assert most <= 50_000 + 10_014

    run(main())


def test_a_peer_that_never_answers_the_close_frame(run, attacked, raw):
    async def main():
        async def handler(connection):
            await connection.close(4000)
            assert connection.close_code == 1006

        async with attacked(handler, "FASTWS_ERR_CLOSE_TIMEOUT") as url, raw(url) as client:
            assert await client.read_frame() == (8, b"\x0f\xa0")
            with contextlib.suppress(ConnectionError):
                await client.reader.read()

    run(main())


@pytest.mark.parametrize("part", [b"\x82", b"\x82\xff\0\0", b"\x82\xfe\xff\xffabcd" + b"x" * 1000, b"\x02\x80abcd"])
@pytest.mark.parametrize("way", ["reset", "end"])
def test_the_stream_ends_inside_of_a_message(run, attacked, raw, part, way):
    async def main():
        ended = asyncio.get_running_loop().create_future()

        async def handler(connection):
            with pytest.raises(fastws.ConnectionClosedError) as caught:
                await connection.recv()
            ended.set_result(caught.value.code)

        reason = "reset" if way == "reset" else "FASTWS_ERR_UNEXPECTED_EOF"
        async with attacked(handler, reason) as url, raw(url) as client:
            client.writer.write(part)
            await asyncio.sleep(0.05)
            if way == "reset":
                sock = client.writer.transport.get_extra_info("socket")
                sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                client.writer.transport.abort()
            else:
                client.writer.write_eof()
            assert await ended == 1006

    run(main())


def test_frames_byte_by_byte_and_then_silence(run, attacked, raw):
    """Bytes are a sign of life, as long as they come."""

    async def main():
        async with attacked(read_to_the_end, "FASTWS_ERR_PING_TIMEOUT") as url, raw(url) as client:
            for byte in fastws.compile_frame(1, b"slow" * 10, mask=b"abcd"):
                client.writer.write(bytes([byte]))
                await asyncio.sleep(0.02)
            while (frame := await client.read_frame())[0] == 9:
                pass
            assert frame[0] == 8 and frame[1].startswith(b"\x03\xf3")

    run(main())


def test_pings_whose_answers_are_not_read(run, attacked, raw):
    async def main():
        async with attacked(read_to_the_end, "FASTWS_ERR_CONTROL_FLOOD") as url, raw(url) as client:
            client.writer.transport.pause_reading()
            pings = fastws.compile_frame(9, bytes(125), mask=b"abcd") * 500

            async def flood():
                with contextlib.suppress(ConnectionError):
                    while True:
                        client.writer.write(pings)
                        await client.writer.drain()

            async with asyncio.timeout(20):
                await flood()

    run(main())


@pytest.mark.parametrize("frame, name", [
    (b"\x81\xfe\x08\0abcd", "FASTWS_ERR_FRAME_TOO_LARGE"),
    (b"\xc1\x80abcd", "FASTWS_ERR_RSV"),
    (b"\x81\x01a", "FASTWS_ERR_MASK_REQUIRED"),
    (b"\x81\x81\0\0\0\0\xff", "FASTWS_ERR_UTF8"),
])
def test_what_breaks_a_rule(run, attacked, raw, frame, name):
    async def main():
        async with attacked(read_to_the_end, name, max_size=1000, compression=None) as url, raw(url) as client:
            client.writer.write(frame)
            opcode, payload = await client.read_frame()
            assert opcode == 8
            client.send(8, payload)

    run(main())


# ---- Very many ----

MANY = """
import resource, socket, sys
port, count = int(sys.argv[1]), int(sys.argv[2])
hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
socks = []
for i in range(count):  # from many addresses: with few ports left, the system searches long for one
    socks.append(socket.socket())
    socks[i].setsockopt(socket.IPPROTO_IP, 24, 1)  # IP_BIND_ADDRESS_NO_PORT
    socks[i].bind((f"127.0.0.{1 + i % 16}", 0))
    socks[i].connect(("127.0.0.1", port))
print("connected", flush=True)
print(sum(b" 408 " in sock.recv(100) for sock in socks), flush=True)
"""


class Counter(logging.Handler):
    """Counts what is logged, instead of keeping it."""

    def __init__(self):
        super().__init__()
        self.counts = {}

    def emit(self, record):
        text = record.getMessage()
        self.counts[text] = self.counts.get(text, 0) + 1


@pytest.fixture
def descriptors():
    """As many as the system lets us have, but no more than 20 000 and some."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    most = 20_200 if hard == resource.RLIM_INFINITY else min(hard, 20_200)
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, most), hard))
    yield most
    resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


@pytest.mark.parametrize("loop_name", ["asyncio"], indirect=True)  # it takes seconds
def test_20000_sockets_that_say_nothing(run, loop_name, serving, echo, descriptors):
    """Each of them is answered when its time is up."""
    count = descriptors - 200
    counter = Counter()
    logger = logging.Logger("counting", logging.INFO)
    logger.addHandler(counter)

    async def main():
        options = {"backlog": 4096, "open_timeout": 15, "logger": logger, "compression": None}
        async with serving(echo, **options) as url, neighbour(url):
            gc.collect()
            before = sys.getallocatedblocks()
            arguments = [sys.executable, "-c", MANY, url.rstrip("/").rpartition(":")[2], str(count)]
            process = await asyncio.create_subprocess_exec(*arguments, stdout=subprocess.PIPE)
            assert await process.stdout.readline() == b"connected\n"
            assert int(await process.stdout.readline()) == count
            await process.wait()
            while len(asyncio.all_tasks()) > 4:
                await asyncio.sleep(0.01)
            await asyncio.sleep(0.6)
            process = None
            gc.collect()
            assert sys.getallocatedblocks() - before < count / 2
        assert counter.counts[REFUSED] == count

    run(main(), timeout=120)
