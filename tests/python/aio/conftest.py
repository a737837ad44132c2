# SPDX-License-Identifier: MIT
"""Event loops and drivers that every test of fastws.asyncio runs with, and what may not be left behind."""

import asyncio
import contextlib
import gc
import importlib.util
import logging
import os
import ssl
import subprocess

import pytest

import fastws
import fastws.asyncio

LOOPS = ["asyncio", "uvloop"]
DRIVERS = ["protocol", "loop"]


def _new_loop(name):
    if name == "uvloop":
        import uvloop

        return uvloop.new_event_loop()
    return asyncio.new_event_loop()


@pytest.fixture(params=LOOPS)
def loop_name(request):
    if request.param == "uvloop" and not importlib.util.find_spec("uvloop"):
        pytest.skip("needs uvloop")
    return request.param


@pytest.fixture(params=DRIVERS)
def driver(request, monkeypatch):
    """How bytes are moved where serve() and connect() are not told: by driver=None."""
    monkeypatch.setattr(fastws.asyncio.settings, "_DEFAULT_DRIVER", request.param)
    return request.param


class Run:
    """Runs a coroutine to its end on a new loop: call it. No task, no descriptor and no complaint is left then."""

    def __init__(self, loop_name):
        self._loop_name = loop_name
        self.complaints = []  # what the exception handler of the loop was told

    def __call__(self, main, *, timeout=30, debug=False, complaints=0):
        _new_loop(self._loop_name).close()  # what libuv opens once for the process is no leak
        descriptors = len(os.listdir("/proc/self/fd"))
        with asyncio.Runner(loop_factory=lambda: _new_loop(self._loop_name), debug=debug) as runner:
            runner.get_loop().set_exception_handler(lambda loop, context: self.complaints.append(context))
            result = runner.run(self._watch(main, timeout))
        gc.collect()
        assert len(self.complaints) == complaints, self.complaints
        assert len(os.listdir("/proc/self/fd")) <= descriptors
        return result

    async def _watch(self, main, timeout):
        async with asyncio.timeout(timeout):
            result = await main
        await asyncio.sleep(0)
        left = asyncio.all_tasks() - {asyncio.current_task()}
        assert not left, left
        return result


@pytest.fixture
def run(loop_name, driver):
    return Run(loop_name)


async def _echo(connection):
    async for message in connection:
        await connection.send(message)


@pytest.fixture
def echo():
    return _echo


def url_of(server, scheme="ws"):
    host, port = server.sockets[0].getsockname()[:2]
    return f"{scheme}://{host}:{port}/"


@pytest.fixture(name="url_of")
def url_of_fixture():
    return url_of


@pytest.fixture
def serving():
    """A server of fastws on a free port: an asynchronous context manager that gives its address."""

    @contextlib.asynccontextmanager
    async def serving(handler=None, **options):
        async with fastws.asyncio.serve(handler, "127.0.0.1", 0, **options) as server:
            yield url_of(server)

    return serving


@pytest.fixture
def pair():
    """A connected server and client: an asynchronous context manager that gives both connections."""

    @contextlib.asynccontextmanager
    async def pair(client_options=None, **server_options):
        arrived = asyncio.get_running_loop().create_future()

        async def handler(connection):
            arrived.set_result(connection)
            await connection.wait_closed()

        async with fastws.asyncio.serve(handler, "127.0.0.1", 0, **server_options) as server:
            async with fastws.asyncio.connect(url_of(server), **(client_options or {})) as client:
                yield await arrived, client

    return pair


class RawClient:
    """A client that sends bytes as the test has them, after a handshake as it should be."""

    def __init__(self, reader, writer):
        self.reader = reader
        self.writer = writer

    @classmethod
    async def open(cls, url, request=None):
        host, _, port = url.removeprefix("ws://").rstrip("/").rpartition(":")
        client = cls(*await asyncio.open_connection(host, int(port)))
        client.writer.write(REQUEST if request is None else request)
        return client

    async def read_head(self):
        head = await self.reader.readuntil(b"\r\n\r\n")
        return fastws.http.parse_response(head)

    async def read_answer(self):
        """The status and the body of an answer behind which the connection ends."""
        head = await self.read_head()
        return head.status_code, await self.reader.read()

    def send(self, opcode, payload=b"", *, fin=True, rsv=0):
        self.writer.write(fastws.compile_frame(opcode, payload, fin=fin, rsv=rsv, mask=b"\1\2\3\4"))

    async def read_frame(self):
        """The next frame of the server: (opcode, payload)."""
        head = await self.reader.readexactly(2)
        more = {126: 2, 127: 8}.get(head[1], 0)
        header = fastws.Header.parse(head + await self.reader.readexactly(more))
        return header.opcode, await self.reader.readexactly(header.length)

    async def read_close(self):
        """The code of the close frame that comes next; then the server has to end the connection."""
        opcode, payload = await self.read_frame()
        assert opcode == fastws.OpCode.CLOSE
        self.send(fastws.OpCode.CLOSE, payload)
        assert await self.reader.read() == b""
        return int.from_bytes(payload[:2], "big")

    async def close(self):
        self.writer.close()
        with contextlib.suppress(OSError):
            await self.writer.wait_closed()


REQUEST = (
    b"GET /chat?x=1 HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n"
)


@pytest.fixture
def request_with():
    """The request of a handshake with more header lines, or others in the place of some."""

    def build(*lines, without=()):
        kept = [line for line in REQUEST[:-4].split(b"\r\n") if not line.lower().startswith(tuple(without) or b"\0")]
        return b"\r\n".join([*kept, *lines, b"", b""])

    return build


@pytest.fixture
def raw():
    """Opens a RawClient: an asynchronous context manager. With request, nothing was read yet."""

    @contextlib.asynccontextmanager
    async def raw(url, request=None):
        client = await RawClient.open(url, request)
        try:
            if request is None:
                assert (await client.read_head()).status_code == 101
            yield client
        finally:
            await client.close()

    return raw


@pytest.fixture
def logged(caplog):
    """The records of the loggers of fastws: (level, text) of each."""
    caplog.set_level(logging.INFO, logger="fastws")

    def logged(level=logging.ERROR):
        return [record.getMessage() for record in caplog.records if record.levelno >= level]

    return logged


@pytest.fixture(scope="session")
def contexts(tmp_path_factory):
    """TLS contexts of a server and of a client that trusts it."""
    folder = tmp_path_factory.mktemp("tls")
    certificate, key = folder / "certificate.pem", folder / "key.pem"
    command = "openssl req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN=localhost"
    command += " -addext subjectAltName=DNS:localhost"
    subprocess.run([*command.split(), "-keyout", key, "-out", certificate], check=True, capture_output=True)
    server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    server.load_cert_chain(certificate, key)
    return server, ssl.create_default_context(cafile=certificate)


@contextlib.asynccontextmanager
async def _http_proxy(answer=b"HTTP/1.1 200 OK\r\n\r\n"):
    """A proxy that connects to where CONNECT says."""
    seen = []

    async def pipe(reader, writer):
        with contextlib.suppress(ConnectionError):
            while data := await reader.read(65536):
                writer.write(data)
                await writer.drain()
        writer.close()

    async def talk(reader, writer):
        head = await reader.readuntil(b"\r\n\r\n")
        seen.append(head)
        writer.write(answer)
        if b" 200 " not in answer:
            writer.close()
            return
        port = int(head.split()[1].rpartition(b":")[2])
        there = await asyncio.open_connection("127.0.0.1", port)
        await asyncio.gather(pipe(reader, there[1]), pipe(there[0], writer))

    async with await asyncio.start_server(talk, "127.0.0.1", 0) as server:
        yield "127.0.0.1:{}".format(server.sockets[0].getsockname()[1]), seen


@pytest.fixture
def http_proxy():
    return _http_proxy
