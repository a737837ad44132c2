# SPDX-License-Identifier: MIT
"""What several test files share: vectors, pairs of connected ends, the echo server."""

import pathlib
import socket
import ssl
import subprocess
import sys
import threading

import hypothesis
import pytest

import fastws

# How long an example takes says something of the machine only.
hypothesis.settings.register_profile("untimed", deadline=None)
hypothesis.settings.load_profile("untimed")

ROOT = pathlib.Path(__file__).resolve().parents[2]
KEY = b"\x37\xfa\x21\x3d"  # of the examples in RFC 6455 5.7

# The RFC's own example. RFC 6455 1.3.
REQUEST = (
    b"GET /chat HTTP/1.1\r\nHost: server.example.com\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nOrigin: http://example.com\r\n"
    b"Sec-WebSocket-Protocol: chat, superchat\r\nSec-WebSocket-Version: 13\r\n\r\n"
)


def read_vectors(name):
    lines = (ROOT / "tests" / "vectors" / name).read_text().splitlines()
    return [line.split() for line in lines if line.strip() and not line.startswith("#")]


def from_hex(text):
    return b"" if text == "-" else bytes.fromhex(text)


def pytest_generate_tests(metafunc):
    """A test that is marked with vectors("name.txt") runs once for each line, as the argument `vector`."""
    marker = metafunc.definition.get_closest_marker("vectors")
    if marker:
        rows = read_vectors(marker.args[0])
        metafunc.parametrize("vector", rows, ids=[row[0] for row in rows])


def pytest_configure(config):
    config.addinivalue_line("markers", "vectors(name): run once for each line of a file in tests/vectors")


@pytest.fixture(name="from_hex")
def from_hex_fixture():
    return from_hex


@pytest.fixture
def key():
    return KEY


@pytest.fixture
def request_bytes():
    return REQUEST


@pytest.fixture
def root():
    return ROOT


@pytest.fixture
def sockets():
    """Two connected sockets; a test that blocks fails after 20 s."""
    ours, theirs = socket.socketpair()
    ours.settimeout(20)
    theirs.settimeout(20)
    with ours, theirs:
        yield ours, theirs


@pytest.fixture(scope="session")
def tls_contexts(tmp_path_factory):
    """TLS with a certificate of our own."""
    tmp_path = tmp_path_factory.mktemp("tls")
    certificate, private = tmp_path / "cert.pem", tmp_path / "key.pem"
    command = ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes",
               "-keyout", private, "-out", certificate, "-days", "2", "-subj", "/CN=localhost"]
    try:
        subprocess.run(command, check=True, capture_output=True)
    except FileNotFoundError:
        pytest.skip("openssl is not installed")
    server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    server.load_cert_chain(certificate, private)
    client = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    client.check_hostname = False
    client.load_verify_locations(certificate)
    return server, client


@pytest.fixture
def streams(sockets):
    """A server and a client that are connected."""
    return fastws.Stream(sockets[0], "server"), fastws.Stream(sockets[1], "client")


@pytest.fixture
def in_thread():
    """Runs a function in a thread: its result, or its exception, comes from the call that is returned."""
    started = []

    def start(function, *args):
        result = {}

        def run():
            try:
                result["value"] = function(*args)
            except BaseException as error:  # noqa: BLE001
                result["error"] = error

        thread = threading.Thread(target=run, daemon=True)
        started.append(thread)
        thread.start()

        def finish(timeout=20):
            thread.join(timeout)
            assert not thread.is_alive(), "thread hangs"
            if "error" in result:
                raise result["error"]
            return result["value"]

        return finish

    yield start
    for thread in started:
        thread.join(20)


class Scripted:
    """A byte stream that reads what it was given, piece by piece, and keeps what is written: an item for each write."""

    def __init__(self, *pieces):
        self.pieces = list(pieces)
        self.written = []
        self.is_closed = False

    def recv_into(self, buffer):
        if not self.pieces:
            return 0
        piece = self.pieces.pop(0)
        part, rest = piece[: len(buffer)], piece[len(buffer) :]
        if rest:
            self.pieces.insert(0, rest)
        buffer[: len(part)] = part
        return len(part)

    def sendall(self, data):
        self.written.append(bytes(data))

    def close(self):
        self.is_closed = True


@pytest.fixture(name="Scripted")
def scripted_fixture():
    return Scripted


@pytest.fixture
def masked_frame(key):
    """A frame as a client sends it, also one that no client may send."""

    def build(opcode, payload=b"", *, fin=True, rsv=0, mask=key):
        header = fastws.Header(fin, rsv, opcode, mask, len(payload))
        return header.encode() + (fastws.masked(payload, mask) if mask else payload)

    return build


@pytest.fixture(scope="session")
def echo_url():
    command = [sys.executable, str(ROOT / "examples" / "echo.py"), "--port", "0"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as server:
        try:
            line = server.stdout.readline()
            assert line.startswith("listening on ws://127.0.0.1:")
            yield line.split()[-1]
        finally:
            server.terminate()
            assert server.wait(10) == 0


@pytest.fixture
def run_python():
    """Runs code in a new interpreter. Returns what it printed; fails if it fails, unless told otherwise."""

    def run(code, *, env=None, check=True):
        import os

        done = subprocess.run(
            [sys.executable, "-X", "dev", "-c", code],
            capture_output=True, text=True, timeout=120, env={**os.environ, **(env or {})}, check=False,
        )
        assert not check or done.returncode == 0, done.stderr
        return done

    return run


@pytest.fixture
def run_short_of_memory(run_python):
    """Runs functions of a code, in a new interpreter, with each of the first allocations failing in turn: they may
    raise, and have to work again afterwards."""
    pytest.importorskip("_testcapi")

    def run(code, functions, most):
        return run_python(code + f"""
import _testcapi
for work in ({functions}):
    work()
    for start in range(1, {most}):
        try:
            _testcapi.set_nomemory(start, start + 1)
            work()
        except Exception:
            pass
        finally:
            _testcapi.remove_mem_hooks()
    work()
print("done")
""")

    return run
