# SPDX-License-Identifier: MIT
"""The stubs say what the package is; the package and its examples are typed strictly."""

import importlib.util
import pathlib
import shutil
import subprocess
import sys

import pytest

import fastws

needs_mypy = pytest.mark.skipif(not importlib.util.find_spec("mypy"), reason="needs mypy")
needs_pyright = pytest.mark.skipif(not importlib.util.find_spec("basedpyright"), reason="needs basedpyright")


USER = """
import json
import shutil
import socket
import fastws

dialer = fastws.Dialer(protocols=["chat"], header=[("X", "y")], on_header=lambda name, value: print(name + value))
client: fastws.Stream = dialer.dial("wss://example.com/")
try:
    dialer.upgrade(socket.socket(), "ws://example.com/")
except fastws.InvalidStatus as error:
    body: bytes = error.response.body if error.response else b""
dial = fastws.Dial("ws://example.com/")
rest: bytes | None = dial.feed(dial.request)
for option in fastws.http.parse_options("foo; a=1"):
    fastws.http.format_options([option, "bar", ("baz", [("a", None)])])
stream = fastws.Upgrader(protocol=["chat"], header={"Server": "x"}).upgrade(socket.socket())
reader, writer = fastws.Reader(stream), fastws.Writer(stream)
json.dump(json.load(reader), writer)
shutil.copyfileobj(reader, writer)


def unset_bits(header: fastws.Header) -> fastws.Header:
    return header


for header in fastws.Reader(stream, extensions=[unset_bits], on_intermediate=lambda header, data: data.hex()):
    with fastws.Writer(stream, header.opcode, None) as file:
        count: int = file.read_from(reader)
stream.send(fastws.PreparedMessage(b"x", text=True))
stream.send("x" * 100, compress=True)
deflate = fastws.Deflate("tail", level=6, parameters=fastws.deflate.Parameters(server_max_window_bits=10))
offering = fastws.Dial("ws://example.com/", compression=deflate)
compressed = fastws.Stream(socket.socket(), compression=offering.compression)
agreed: fastws.deflate.Parameters | None = compressed.compression.parameters if compressed.compression else None
packed: fastws.Frame = fastws.deflate.compress_frame((fastws.Header(length=1), b"x"), "deflate")
payload: bytes = fastws.deflate.Codec(deflate, "client").compress("x") + fastws.deflate.decompress_frame(packed).payload
held: int = compressed.compression_held + fastws.deflate.stats().held
masked: bytes = fastws.CipherReader(fastws.Utf8Reader(open("x", "rb")), b"abcd").read()
with stream:
    for message in stream:
        stream.send(message)
code: int | None = stream.close_code
for event in fastws.Connection("server").receive(bytearray(b"")):
    match event:
        case fastws.Message(opcode, data):
            text: str | bytes = data
            is_compressed: bool = event.compressed
        case fastws.Chunk(data=part, last=True):
            part.hex()
        case fastws.Close(code, reason):
            reason.upper()


async def handler(connection: fastws.ServerConnection) -> None:
    async for message in connection:
        length: int = len(message)
        await connection.send([message] if isinstance(message, str) else message)
    raw: bytes = await connection.recv(decode=False)
    latency: float = await (await connection.ping())
    user: str = connection.username
    header = connection.request.headers["Host"] if connection.request else ""


async def main() -> None:
    authenticate = fastws.basic_auth("realm", ("user", "password"))
    async with fastws.serve(handler, "", 0, process_request=authenticate) as server:
        async with fastws.connect("ws://localhost/", subprotocols=["chat"]) as client:
            await client.send(b"x")
            text: str = await client.recv(True)
            async for part in client.recv_streaming(decode=True):
                part.upper()
        async for client in fastws.connect("ws://localhost/"):
            await client.close(1001)
        try:
            await fastws.connect("ws://localhost/")
        except fastws.InvalidStatus as refusal:
            location: str = refusal.response.headers["Location"]
        fastws.broadcast(server.connections, fastws.PreparedMessage("x"))
        await server.serve_forever()


parsed = fastws.Header.parse(memoryview(b""))
if parsed is not None:
    parsed.check(fastws.State.SERVER | fastws.State.FRAGMENTED)
"""


def run(*command, cwd):
    done = subprocess.run([sys.executable, "-m", *command], capture_output=True, text=True, cwd=cwd, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


@needs_mypy
def test_stubs_match_the_package(tmp_path):
    run("mypy.stubtest", "fastws", cwd=tmp_path)


@needs_mypy
def test_package_and_examples_are_typed(root, tmp_path):
    run("mypy", "--strict", "-p", "fastws", cwd=tmp_path)
    run("mypy", "--strict", *map(str, (root / "examples").glob("*.py")), cwd=tmp_path)


@needs_mypy
def test_users_get_the_types(tmp_path):
    (tmp_path / "user.py").write_text(USER)
    run("mypy", "--strict", "user.py", cwd=tmp_path)


@needs_pyright
def test_pyright_finds_nothing(root, tmp_path):
    """The package, in the mode that pyright has by default, and who uses it."""
    (tmp_path / "user.py").write_text(USER)
    (tmp_path / "pyrightconfig.json").write_text('{"typeCheckingMode": "standard", "reportMissingModuleSource": false}')
    for example in (root / "examples").glob("*.py"):
        shutil.copy(example, tmp_path)
    shutil.copytree(pathlib.Path(fastws.__file__).parent, tmp_path / "fastws", ignore=shutil.ignore_patterns("*.so"))
    run("basedpyright", cwd=tmp_path)


def test_everything_public_is_documented():
    assert sorted(fastws.__all__) == list(fastws.__all__)
    for name in fastws.__all__:
        item = getattr(fastws, name)
        if name == "__version__":
            continue
        assert item.__doc__, name
        if isinstance(item, type) and item.__module__ == "fastws":
            for attribute, value in vars(item).items():
                is_private = attribute.startswith("_")
                assert is_private or callable(item) and getattr(value, "__doc__", None), (name, attribute)


def test_is_marked_as_typed():
    assert (pathlib.Path(fastws.__file__).parent / "py.typed").exists()
