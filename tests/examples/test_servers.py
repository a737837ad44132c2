# SPDX-License-Identifier: MIT
"""The servers of examples/ that echo, each with the websockets package as its client."""

import asyncio
import contextlib
import socket

import pytest
import websockets.asyncio.client
import websockets.exceptions

KEY = b"\x37\xfa\x21\x3d"


NAMES = ["echo", "echo_stream", "raw", "echo.py", "echo_stream.py", "raw.py"]
NAMES += ["echo_asyncio.py", "echo_asyncio.py --callbacks", "echo_asyncio.py --uvloop"]
NAMES += ["echo_asyncio.py --driver protocol", "echo_asyncio.py --driver loop --callbacks --uvloop"]


@pytest.fixture(scope="module", params=NAMES)
def name(request):
    if "--uvloop" in request.param:
        pytest.importorskip("uvloop")
    return request.param


@pytest.fixture(scope="module")
def url(start, name):
    return start(name)


@pytest.fixture
def upgraded(url, address):
    """A socket behind its handshake, for bytes that no client of others sends."""
    with socket.create_connection(address(url), timeout=20) as sock:
        sock.sendall(
            b"GET / HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n"
        )
        response = b""
        while not response.endswith(b"\r\n\r\n"):
            response += sock.recv(1)
        assert response.startswith(b"HTTP/1.1 101 ")
        yield sock


def frame(first, payload=b""):
    """A short frame, masked. first: FIN RSV1-3 opcode."""
    masked = bytes(byte ^ KEY[i % 4] for i, byte in enumerate(payload))
    return bytes([first, 0x80 | len(payload)]) + KEY + masked


def read_to_end(sock):
    received = b""
    while part := sock.recv(4096):
        received += part
    return received


@pytest.mark.parametrize("message", ["text", "Grüße", b"binary", "", b"", "y" * 65536, b"x" * (1 << 20)])
def test_echoes(url, connect, message):
    with connect(url) as client:
        client.send(message)
        assert client.recv(timeout=60) == message


def test_echoes_large_messages_to_clients_that_read_meanwhile(url):
    message = bytes(range(256)) * (16 << 12)

    async def talk():
        async with websockets.asyncio.client.connect(url, max_size=None, compression=None) as client:
            sending = asyncio.create_task(client.send(message))
            assert await asyncio.wait_for(client.recv(), 60) == message
            await sending

    asyncio.run(talk())


def test_echoes_fragments_around_pings(url, connect):
    with connect(url) as client:
        pongs = []

        def parts():
            yield "a"
            pongs.append(client.ping("inside"))
            yield from ["b" * 5000, "", "c"]

        client.send(parts())
        assert client.recv(timeout=20) == "a" + "b" * 5000 + "c"
        assert pongs[0].wait(10)
        assert client.ping().wait(10)


def test_closes_with_the_code_of_the_client(url, connect):
    with connect(url) as client:
        client.close(4321, "enough")
        assert (client.close_code, client.protocol.close_rcvd.code) == (4321, 4321)


def test_serves_many_clients_at_once(url, connect):
    with contextlib.ExitStack() as stack:
        clients = [stack.enter_context(connect(url)) for _ in range(50)]
        for number, client in enumerate(clients):
            client.send(str(number))
        assert [client.recv(timeout=20) for client in clients] == [str(number) for number in range(50)]


@pytest.mark.parametrize(
    "bad",
    [
        pytest.param(frame(0x83), id="reserved opcode"),
        pytest.param(frame(0x80, b"x"), id="stray continuation"),
        pytest.param(frame(0xC1, b"x"), id="RSV1"),
        pytest.param(frame(0x09, b"x"), id="fragmented ping"),
        pytest.param(b"\x81\x01x", id="no mask"),
        pytest.param(frame(0x01, b"x") + frame(0x81, b"y"), id="message inside a message"),
    ],
)
def test_tells_what_is_wrong_and_serves_the_next_one(url, upgraded, connect, bad):
    upgraded.sendall(frame(0x81, b"good") + bad)
    upgraded.shutdown(socket.SHUT_WR)
    received = read_to_end(upgraded)
    assert received.startswith(b"\x81\x04good")
    assert b"\x03\xea" in received[6:]  # 1002
    with connect(url) as client:
        client.send("next")
        assert client.recv(timeout=20) == "next"


def test_survives_clients_that_vanish(url, upgraded, connect):
    upgraded.sendall(frame(0x01, b"begun") + frame(0x80, b"cut")[:5])
    upgraded.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
    upgraded.close()
    with connect(url) as client:
        client.send("next")
        assert client.recv(timeout=20) == "next"


@pytest.mark.parametrize("name", ["echo_stream", "raw", "echo_stream.py", "raw.py"], indirect=True, scope="module")
def test_a_streamed_message_comes_back_before_its_end(upgraded):
    upgraded.sendall(frame(0x02, b"x" * 100) + frame(0x00, b"y" * 100) * 100)
    assert upgraded.recv(1)[0] == 0x02
    upgraded.sendall(frame(0x80, b"end") + frame(0x88, b"\x03\xe8"))
    assert read_to_end(upgraded).endswith(b"end\x88\x02\x03\xe8")


@pytest.mark.parametrize("name", ["raw", "raw.py"], indirect=True, scope="module")
def test_the_raw_server_judges_cookies(url, connect):
    with connect(url, additional_headers={"Cookie": "a=b"}) as client:
        assert client.response.headers["Server"] == "raw"
    with pytest.raises(websockets.exceptions.InvalidStatus) as refused:
        with connect(url, additional_headers={"Cookie": "nonsense"}):
            pass
    assert refused.value.response.status_code == 400
    assert refused.value.response.body == b"bad cookie"
