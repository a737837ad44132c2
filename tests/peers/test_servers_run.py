# SPDX-License-Identifier: MIT
"""The real loads of scripts/peers --servers, and its servers in C and Python: few connections, and servers that do it
wrong."""

import base64
import hashlib
import os
import pathlib
import shutil
import socket
import subprocess
import sys
import threading

import pytest

ROOT = pathlib.Path(__file__).resolve().parents[2]
PEERS = ROOT / "bench" / "peers"
sys.path.insert(0, str(PEERS))

from serving import idle  # noqa: E402
from serving.process import Server  # noqa: E402

EXAMPLES = pathlib.Path(os.environ.get("FASTWS_EXAMPLES", ROOT / "build" / "examples"))
CPU = min(os.sched_getaffinity(0))
COLLECTING = f"{sys.executable} {PEERS}/python/collecting.py "
ECHO_ASYNCIO = COLLECTING + f"{ROOT}/examples/echo_asyncio.py"

ECHOES = {
    "fastws-callbacks": ECHO_ASYNCIO + " --callbacks",
    "fastws-async-for-protocol-uvloop": ECHO_ASYNCIO + " --driver protocol --uvloop",
    **{
        name + option.replace(" -", ""): COLLECTING + f"{PEERS}/python/echo_{name}.py{option}"
        for name in ("websockets", "aiohttp", "picows")
        for option in ("", " --uvloop")
    },
}
BROADCAST = f"{sys.executable} {PEERS}/python/broadcast_"
BROADCASTS = {
    "fastws-async-for": BROADCAST + "fastws.py",
    "fastws-callbacks-protocol": BROADCAST + "fastws.py --api callbacks --driver protocol",
    "websockets": BROADCAST + "websockets.py",
    "websockets-uvloop": BROADCAST + "websockets.py --uvloop",
}


@pytest.fixture(scope="module")
def built(tmp_path_factory):
    """A folder with the programs in C that stand alone, built as scripts/peers builds them."""
    compiler = shutil.which("cc") or shutil.which("gcc") or shutil.which("clang")
    folder = tmp_path_factory.mktemp("built")
    for source in (ROOT / "bench" / "load_echo.c", ROOT / "bench" / "load_broadcast.c", PEERS / "raw_echo.c"):
        subprocess.run([compiler, "-std=c11", "-O2", source, "-o", folder / source.stem], check=True)
    return folder


@pytest.fixture
def start():
    """Starts servers that end with the test."""
    started = []

    def start(command):
        started.append(Server("made here", str(command), CPU))
        return started[-1]

    yield start
    for server in started:
        server.stop()


def load(program, *arguments):
    command = [str(argument) for argument in (program, *arguments)]
    return subprocess.run(command, capture_output=True, text=True, timeout=100, check=False)


def check_numbers(run):
    """Something a second, some CPU time, and a share of a processor."""
    assert run.returncode == 0, run.stderr
    rate, cpu, share = map(float, run.stdout.split())
    assert rate > 0 and cpu > 0 and 0 < share <= 1.1


@pytest.mark.parametrize("name", ECHOES)
def test_servers_echo(built, start, name):
    server = start(ECHOES[name])
    for kind, size in (("text", 64), ("binary", 0), ("binary", 70000)):
        check_numbers(load(built / "load_echo", kind, server.port, server.process.pid, 1, 2, size, 0.02))


def test_servers_in_c_echo(built, start):
    raw = start(built / "raw_echo")
    assert raw.is_raw
    check_numbers(load(built / "load_echo", "raw", raw.port, raw.process.pid, 3, 4, 1024, 0.02))
    ours = start(f"{EXAMPLES}/echo_loop --port 0")
    assert not ours.is_raw
    check_numbers(load(built / "load_echo", "text", ours.port, ours.process.pid, 3, 4, 1024, 0.02))


@pytest.mark.parametrize("name", BROADCASTS)
def test_servers_broadcast(built, start, name):
    server = start(BROADCASTS[name])
    for size in (1, 1024):
        check_numbers(load(built / "load_broadcast", server.port, server.process.pid, 5, size, 0.02))


def test_the_server_in_c_broadcasts(built, start, tmp_path):
    library = EXAMPLES.parent
    command = ["cc", "-std=c11", f"-I{ROOT}/include", PEERS / "c" / "broadcast.c", f"-L{library}", "-lfastws"]
    subprocess.run([*command, f"-Wl,-rpath,{library}", "-o", tmp_path / "broadcast"], check=True)
    server = start(tmp_path / "broadcast")
    for _ in range(2):  # clients come and go
        check_numbers(load(built / "load_broadcast", server.port, server.process.pid, 5, 1024, 0.02))


# ---- Servers that do it wrong ----


def shake_hands(client):
    """Answers a request, whose key is the only thing that counts."""
    request = b""
    while b"\r\n\r\n" not in request:
        request += client.recv(4096)
    key = next(line for line in request.split(b"\r\n") if line.lower().startswith(b"sec-websocket-key")).split()[1]
    accept = base64.b64encode(hashlib.sha1(key + b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11").digest())
    head = b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    client.sendall(head + b"Sec-WebSocket-Accept: " + accept + b"\r\n\r\n")


def echo_of(frame):
    """The echo of one short masked frame."""
    payload = bytes(byte ^ frame[2 + i % 4] for i, byte in enumerate(frame[6:]))
    return bytes([frame[0], len(payload)]) + payload


WRONG = {
    "other bytes": (lambda frame: echo_of(frame)[:-1] + b"\x00", "something else came than the echo"),
    "another opcode": (lambda frame: b"\x82" + echo_of(frame)[1:], "something else came than the echo"),
    "still masked": (lambda frame: frame[: len(echo_of(frame))], "something else came than the echo"),
    "a second time": (lambda frame: echo_of(frame) * 2, "the server sent more than an echo"),
    "nothing, and the end": (lambda frame: b"", "the server closed"),
}


@pytest.fixture
def wrong():
    """Serves one client: wrong(answer) gives the port of who answers each frame by answer(frame)."""
    listener = socket.create_server(("127.0.0.1", 0))
    threads = []

    def serve(answer):
        client, _ = listener.accept()
        with client:
            shake_hands(client)
            try:
                while (frame := client.recv(4096)) and (reply := answer(frame)):
                    client.sendall(reply)
            except OSError:
                return  # the load has seen enough

    def begin(answer):
        threads.append(threading.Thread(target=serve, args=(answer,)))
        threads[-1].start()
        return listener.getsockname()[1]

    yield begin
    for thread in threads:
        thread.join(10)
    listener.close()


@pytest.mark.parametrize("name", WRONG)
def test_a_wrong_echo_is_no_result(built, wrong, name):
    answer, reason = WRONG[name]
    run = load(built / "load_echo", "text", wrong(answer), os.getpid(), 1, 1, 64, 5)
    assert run.returncode == 1
    assert run.stdout == ""
    assert run.stderr == reason + "\n"


def test_a_wrong_broadcast_is_no_result(built, wrong, start):
    run = load(built / "load_broadcast", start(ECHOES["websockets"]).port, os.getpid(), 0, 64, 5)
    assert run.returncode == 2 and "usage" in run.stderr
    listener = socket.create_server(("127.0.0.1", 0))
    clients = []

    def serve():
        for _ in range(2):
            clients.append(listener.accept()[0])
            shake_hands(clients[-1])
        echo = echo_of(clients[0].recv(4096))
        clients[0].sendall(echo)
        clients[1].sendall(echo[:-1] + b"\x00")

    thread = threading.Thread(target=serve)
    thread.start()
    run = load(built / "load_broadcast", listener.getsockname()[1], os.getpid(), 1, 64, 5)
    thread.join(10)
    for opened in (*clients, listener):
        opened.close()
    assert (run.returncode, run.stderr) == (1, "a client got something else\n")


def test_a_server_that_refuses_is_no_result(built):
    listener = socket.create_server(("127.0.0.1", 0))

    def refuse():
        client, _ = listener.accept()
        client.recv(4096)
        client.sendall(b"HTTP/1.1 404 Not Found\r\n\r\n")
        client.close()

    thread = threading.Thread(target=refuse)
    thread.start()
    run = load(built / "load_echo", "text", listener.getsockname()[1], os.getpid(), 1, 1, 64, 5)
    thread.join(10)
    listener.close()
    assert run.returncode == 1 and run.stderr.startswith("HTTP/1.1 404")


# ---- What a process says about itself ----


def test_idle_connections_are_weighed_without_garbage(monkeypatch, tmp_path):
    """A server that keeps 20 000 bytes of each connection, and drops 64 KiB that only a collection frees."""
    program = tmp_path / "heavy.py"
    program.write_text(
        "import asyncio, gc, mmap\n"
        "kept = []\n"
        "async def serve(reader, writer):\n"
        "    await reader.readuntil(b'\\r\\n\\r\\n')\n"
        "    kept.append((writer, bytearray(20000)))\n"
        "    garbage = [mmap.mmap(-1, 65536, mmap.MAP_PRIVATE)]\n"
        "    garbage[0].write(bytes(65536))\n"
        "    garbage.append(garbage)\n"
        "    writer.write(b'HTTP/1.1 101 Switching Protocols\\r\\n\\r\\n')\n"
        "async def main():\n"
        "    gc.disable()\n"
        "    server = await asyncio.start_server(serve, '127.0.0.1', 0)\n"
        "    print(server.sockets[0].getsockname()[1], flush=True)\n"
        "    await asyncio.Event().wait()\n"
        "asyncio.run(main())\n"
    )
    monkeypatch.setattr(idle, "FIRST", 20)
    collected = idle.measure("heavy", COLLECTING + str(program), CPU, 200)
    assert 20_000 < collected < 60_000
    left = idle.measure("heavy", f"{sys.executable} {program}", CPU, 200)
    assert left > collected + 60_000


def test_no_more_connections_are_opened_than_the_limit_allows(monkeypatch):
    limits = []
    monkeypatch.setattr(idle.resource, "getrlimit", lambda which: (1024, 4096))
    monkeypatch.setattr(idle.resource, "setrlimit", lambda which, pair: limits.append(pair))
    assert idle.raise_limit(10_000) == 4096 - idle.FIRST - idle.SPARE
    assert idle.raise_limit(100) == 100
    monkeypatch.setattr(idle.resource, "getrlimit", lambda which: (1024, idle.resource.RLIM_INFINITY))
    assert idle.raise_limit(10_000) == 10_000
    assert limits[0] == (4096, 4096), "processes inherit the limit"


def test_a_server_that_does_not_upgrade_is_not_weighed(built, capsys):
    assert idle.measure("raw", str(built / "raw_echo"), CPU, 10) is None
    assert "raw idle: the server answered b'GET / HTTP" in capsys.readouterr().err
