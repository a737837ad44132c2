# SPDX-License-Identifier: MIT
"""connect(): where it goes, what it says there, what it makes of answers, and how it comes again."""

import asyncio
import contextlib
import socket
import ssl

import pytest
import websockets
from websockets.asyncio.server import serve as websockets_serve

import fastws
import fastws.asyncio


@contextlib.asynccontextmanager
async def answering(*answers):
    """A server that answers each connection with the next bytes, and then ends it.

    Gives its address and the requests."""
    requests, left = [], list(answers)

    async def talk(reader, writer):
        with contextlib.suppress(asyncio.IncompleteReadError, ConnectionError):
            requests.append(await reader.readuntil(b"\r\n\r\n"))
            writer.write(left.pop(0))
            await writer.drain()
            writer.close()
            await writer.wait_closed()

    server = await asyncio.start_server(talk, "127.0.0.1", 0)
    async with server:
        yield "ws://127.0.0.1:{}/".format(server.sockets[0].getsockname()[1]), requests


def test_sends_what_it_was_told(run):
    async def main():
        async with answering(b"HTTP/1.1 404 Not Found\r\nContent-Length: 2\r\n\r\nno") as (url, requests):
            with pytest.raises(fastws.InvalidStatus) as caught:
                await fastws.asyncio.connect(
                    url + "path?x=1",
                    origin="https://a.example",
                    subprotocols=["a", "b"],
                    additional_headers={"X-Token": "t"},
                    user_agent_header="me",
                )
            assert (caught.value.response.status_code, caught.value.response.body) == (404, b"no")
            head = requests[0].lower()
            assert head.startswith(b"get /path?x=1 http/1.1\r\n")
            lines = (b"origin: https://a.example", b"sec-websocket-protocol: a, b", b"x-token: t", b"user-agent: me")
            for line in lines:
                assert line + b"\r\n" in head
        async with answering(b"HTTP/1.1 404 Not Found\r\n\r\n") as (url, requests):
            with pytest.raises(fastws.InvalidStatus):
                await fastws.asyncio.connect(url, user_agent_header=None)
            assert b"user-agent" not in requests[0].lower()

    run(main())


@pytest.mark.parametrize("package", [fastws, websockets])
def test_the_headers_of_a_refusal_are_those_of_websockets(run, package):
    """They used to be pairs: no name was found in them."""

    async def main():
        lines = b"X-Reason: full\r\nSet-Cookie: a=1\r\nset-cookie: b=2\r\nContent-Length: 4\r\n"
        async with answering(b"HTTP/1.1 503 Busy\r\n" + lines + b"\r\nbusy") as (url, _):
            with pytest.raises(package.InvalidStatus) as caught:
                await package.connect(url)
        response = caught.value.response
        assert (response.status_code, response.reason_phrase, response.body) == (503, "Busy", b"busy")
        headers = response.headers
        assert headers["x-reason"] == headers.get("X-REASON") == "full"
        assert headers.get_all("Set-Cookie") == ["a=1", "b=2"]
        assert "x-Reason" in headers and "X-Other" not in headers and headers.get("X-Other") is None
        with pytest.raises(LookupError):
            headers["Set-Cookie"]

    run(main())


def test_so_are_those_of_a_redirect_that_is_not_followed(run):
    async def main():
        async with answering(b"HTTP/1.1 302 Found\r\nLocation: ftp://a.example/\r\n\r\n") as (url, _):
            with pytest.raises(fastws.SecurityError) as caught:
                await fastws.asyncio.connect(url)
            assert caught.value.__cause__.response.headers["location"] == "ftp://a.example/"

    run(main())


@pytest.mark.parametrize(
    "answer, error",
    [
        (b"", fastws.InvalidMessage),
        (b"HTTP/1.1 101 ", fastws.InvalidMessage),
        (b"nonsense\r\n\r\n", fastws.InvalidMessage),
        (
            b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n",
            fastws.InvalidHeader,
        ),
        (b"HTTP/1.1 301 Moved\r\nLocation: http://127.0.0.1/\r\n\r\n", OSError),
    ],
)
def test_answers_that_open_nothing(run, answer, error):
    async def main():
        async with answering(answer) as (url, _):
            with pytest.raises(error):
                await fastws.asyncio.connect(url)

    run(main())


def test_follows_redirects_and_keeps_secrets(run, serving):
    async def main():
        async def handler(connection):
            await connection.send(str("Authorization" in connection.request.headers) + connection.request.path)

        async with serving(handler) as target:
            moved = f"HTTP/1.1 302 Found\r\nLocation: {target}there\r\n\r\n".encode()
            async with answering(moved) as (url, requests):
                async with fastws.asyncio.connect(url, additional_headers={"Authorization": "secret"}) as client:
                    assert await client.recv() == "False/there"
                assert b"secret" in requests[0]

    run(main())


@pytest.mark.parametrize("host, port", [("127.0.0.1", True), (None, True), ("127.0.0.1", False)])
def test_a_host_that_was_given_stands_for_the_first_origin_only(run, host, port):
    """A redirect within that origin used to be refused, too."""

    async def main():
        same = b"HTTP/1.1 302 Found\r\nLocation: /there\r\n\r\n"
        other = b"HTTP/1.1 302 Found\r\nLocation: http://other.example/\r\n\r\n"
        async with answering(same, other) as (url, requests):
            number = int(url.rstrip("/").rpartition(":")[2])
            given = {"host": host, "port": number if port else None}
            given = {name: value for name, value in given.items() if value is not None}
            address = f"ws://127.0.0.1:{number}/" if host is None else f"ws://a.example:{number}/"
            with pytest.raises(fastws.SecurityError, match="redirect away from the host"):
                await fastws.asyncio.connect(address, **given)
            assert requests[1].startswith(b"GET /there ")
            assert len(requests) == 2

    run(main())


def test_the_value_of_user_agent_may_be_among_additional_headers(run):
    """Both used to be sent, the default first."""

    async def main():
        async with answering(b"HTTP/1.1 404 Not Found\r\n\r\n") as (url, requests):
            with pytest.raises(fastws.InvalidStatus):
                await fastws.asyncio.connect(url, additional_headers={"user-agent": "mine"})
            assert requests[0].lower().count(b"user-agent") == 1
            assert b"user-agent: mine\r\n" in requests[0]

    run(main())


def test_the_response_is_the_last_head_as_it_came(run, serving, echo):
    """Of what the handshake itself asks for, nothing used to be in it."""

    async def main():
        async with serving(echo) as url, fastws.asyncio.connect(url) as client:
            key = client.request.headers["Sec-WebSocket-Key"].encode()
            names = [name for name, _ in client.response.headers.raw_items()]
            assert client.response.headers["Sec-WebSocket-Accept"] == fastws.accept_key(key)
            assert {"Upgrade", "Connection", "Sec-WebSocket-Extensions", "Server"} <= set(names)

    run(main())


def test_interim_answers_are_no_response(run):
    async def main():
        async def talk(reader, writer):
            request = fastws.http.parse_request(await reader.readuntil(b"\r\n\r\n"))
            accept = fastws.accept_key(request.header("Sec-WebSocket-Key").encode())
            answer = "HTTP/1.1 103 Early Hints\r\nX-Hint: 1\r\n\r\nHTTP/1.1 101 Fine\r\nUpgrade: websocket\r\n"
            answer += f"Connection: Upgrade\r\nX-Last: 1\r\nSec-WebSocket-Accept: {accept}\r\n\r\n"
            # FIN text | 2 | "hi"
            for byte in answer.encode() + b"\x81\x02hi":
                writer.write(bytes([byte]))
                await asyncio.sleep(0)
            await reader.read()
            writer.close()

        async with await asyncio.start_server(talk, "127.0.0.1", 0) as server:
            url = "ws://127.0.0.1:{}/".format(server.sockets[0].getsockname()[1])
            async with fastws.asyncio.connect(url, close_timeout=0.1) as client:
                assert (client.response.status_code, client.response.reason_phrase) == (101, "Fine")
                assert "X-Last" in client.response.headers and "X-Hint" not in client.response.headers
                assert await client.recv() == "hi"

    run(main())


def test_redirects_in_a_circle_end(run):
    async def main():
        async with answering(*[b"HTTP/1.1 307 X\r\nLocation: /again\r\n\r\n"] * 20) as (url, requests):
            with pytest.raises(fastws.SecurityError):
                await fastws.asyncio.connect(url)
            assert len(requests) == 11

    run(main())


def test_open_timeout(run):
    async def main():
        with socket.create_server(("127.0.0.1", 0)) as sock:
            url = "ws://127.0.0.1:{}/".format(sock.getsockname()[1])
            with pytest.raises(TimeoutError) as caught:
                await fastws.asyncio.connect(url, open_timeout=0.1)
            assert isinstance(caught.value, fastws.HandshakeTimeout)

    run(main())


@pytest.mark.parametrize("package", [fastws, websockets])
@pytest.mark.parametrize("is_secure", [False, True])
def test_an_open_timeout_of_0_is_up_at_once(run, echo, contexts, is_secure, package):
    async def main():
        options = {"ssl": contexts[0]} if is_secure else {}
        async with fastws.asyncio.serve(echo, "127.0.0.1", 0, **options) as server:
            url = "{}://localhost:{}/".format("wss" if is_secure else "ws", server.sockets[0].getsockname()[1])
            with pytest.raises(TimeoutError, match="timed out during opening handshake"):
                await package.connect(url, open_timeout=0, **({"ssl": contexts[1]} if is_secure else {}))
            await asyncio.sleep(0.05)

    run(main())


def test_to_cancel_connect_leaves_nothing(run):
    async def main():
        with socket.create_server(("127.0.0.1", 0)) as sock:
            task = asyncio.ensure_future(fastws.asyncio.connect("ws://127.0.0.1:{}/".format(sock.getsockname()[1])))
            await asyncio.sleep(0.05)
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task

    run(main())


@pytest.mark.parametrize(
    "arguments, error",
    [
        ({"uri": "http://localhost/"}, fastws.InvalidURI),
        ({"uri": "ws://localhost/", "ssl": True}, ValueError),
        ({"uri": "wss://localhost/", "ssl": None}, ValueError),
        ({"uri": "ws://localhost/", "subprotocols": ["a b"]}, ValueError),
        ({"uri": "ws://localhost/", "compression": "brotli"}, ValueError),
        ({"uri": "ws://localhost/", "additional_headers": {"X": "a\nb"}}, ValueError),
        ({"uri": "ws://localhost/", "max_queue": (1, 2)}, ValueError),
    ],
)
def test_refuses_bad_arguments(run, arguments, error):
    async def main():
        with pytest.raises(error):
            await fastws.asyncio.connect(**arguments)

    run(main())


def test_connects_again(run):
    async def main():
        async def handler(connection):
            await connection.send("hello")

        again = asyncio.Event()

        async def serve_again():
            nonlocal server
            await again.wait()
            server = await fastws.asyncio.serve(handler, "127.0.0.1", port)

        server = await fastws.asyncio.serve(handler, "127.0.0.1", 0)
        port = server.sockets[0].getsockname()[1]
        received = []
        # While this client is busy with a message, the close that came with it is not answered.
        options = {"reconnect_delays": lambda: iter([0.02] * 50), "close_timeout": 0.2}
        connecting = fastws.asyncio.connect(f"ws://127.0.0.1:{port}/", **options)
        async for client in connecting:
            try:
                received.append(await client.recv())
                if len(received) == 3:
                    break
                if len(received) == 1:
                    server.close()
                    await server.wait_closed()
                    asyncio.get_running_loop().call_later(0.1, again.set)
                    asyncio.ensure_future(serve_again())
                await client.recv()
            except fastws.ConnectionClosed:
                continue
        server.close()
        await server.wait_closed()
        assert received == ["hello"] * 3

    run(main())


def test_a_fatal_error_ends_the_attempts(run):
    async def main():
        attempts = 0
        answers = [b"HTTP/1.1 503 Busy\r\n\r\n", b"HTTP/1.1 503 Busy\r\n\r\n", b"HTTP/1.1 403 Forbidden\r\n\r\n"]
        async with answering(*answers) as (url, requests):
            with pytest.raises(fastws.InvalidStatus) as caught:
                async for _ in fastws.asyncio.connect(url, reconnect_delays=lambda: iter([0.01, 0.01])):
                    attempts += 1
            assert caught.value.status == 403
            assert len(requests) == 3
            assert attempts == 0
        async with answering(b"HTTP/1.1 503 Busy\r\n\r\n") as (url, _):
            with pytest.raises(LookupError) as other:
                async for _ in fastws.asyncio.connect(url, process_exception=lambda error: LookupError("no")):
                    pass
            assert isinstance(other.value.__cause__, fastws.InvalidStatus)

    run(main())


def test_backoff_grows():
    delays = fastws.asyncio.backoff()
    first, *others = [next(delays) for _ in range(12)]
    assert 0 <= first <= 5
    assert others == sorted(others)
    assert others[0] == 3
    assert others[-1] == 90


@pytest.mark.parametrize("peer", ["fastws", "websockets as server", "websockets as client"])
def test_tls(run, echo, contexts, peer):
    async def main():
        serve = websockets_serve if peer == "websockets as server" else fastws.asyncio.serve
        connect = websockets.connect if peer == "websockets as client" else fastws.asyncio.connect
        async with serve(echo, "127.0.0.1", 0, ssl=contexts[0]) as server:
            port = next(iter(server.sockets)).getsockname()[1]
            async with connect(f"wss://localhost:{port}/", ssl=contexts[1], host="127.0.0.1", max_size=None) as client:
                for message in ["text", b"x" * 50000, "y" * 900000]:
                    await client.send(message)
                    assert await client.recv() == message
                for i in range(100):
                    await client.send(str(i))
                assert [await client.recv() for _ in range(100)] == [str(i) for i in range(100)]
            assert client.close_code == 1000
            with pytest.raises(ssl.SSLCertVerificationError):
                await fastws.asyncio.connect(f"wss://localhost:{port}/", host="127.0.0.1")

    run(main(), complaints=0)


def test_sockets_in_the_file_system(run, echo, tmp_path):
    async def main():
        path = str(tmp_path / "socket")
        async with fastws.asyncio.unix_serve(echo, path):
            for connecting in (fastws.asyncio.unix_connect(path), fastws.asyncio.connect(f"ws+unix://{path}:/target")):
                async with connecting as client:
                    await client.send("x")
                    assert await client.recv() == "x"

    run(main())


def test_a_socket_that_is_connected_already(run, serving, echo):
    async def main():
        async with serving(echo) as url:
            sock = socket.create_connection(("127.0.0.1", int(url.rstrip("/").rpartition(":")[2])))
            async with fastws.asyncio.connect("ws://elsewhere.example/", sock=sock) as client:
                await client.send("x")
                assert await client.recv() == "x"
                assert client.request.headers["Host"] == "elsewhere.example"

    run(main())


@pytest.mark.parametrize("is_secure", [False, True])
def test_through_a_proxy(run, echo, contexts, http_proxy, is_secure):
    async def main():
        options = {"ssl": contexts[0]} if is_secure else {}
        async with fastws.asyncio.serve(echo, "127.0.0.1", 0, **options) as server, http_proxy() as (address, seen):
            url = "{}://localhost:{}/".format("wss" if is_secure else "ws", server.sockets[0].getsockname()[1])
            client_options = {"ssl": contexts[1]} if is_secure else {}
            async with fastws.asyncio.connect(url, proxy=f"http://me:pw@{address}", **client_options) as client:
                await client.send("through")
                assert await client.recv() == "through"
            assert b"Proxy-Authorization: Basic bWU6cHc=" in seen[0]
            await asyncio.sleep(0.05)

    run(main())


def test_a_proxy_that_refuses(run, http_proxy):
    async def main():
        async with http_proxy(b"HTTP/1.1 403 Forbidden\r\nX-Reason: name\r\n\r\n") as (address, _):
            with pytest.raises(fastws.InvalidProxyStatus) as caught:
                await fastws.asyncio.connect("ws://localhost:1/", proxy=f"http://{address}")
            assert caught.value.response.headers["x-reason"] == "name"
        with pytest.raises(fastws.InvalidProxy):
            await fastws.asyncio.connect("ws://localhost:1/", proxy="gopher://x")

    run(main())


@pytest.mark.parametrize("package", [fastws, websockets])
def test_a_proxy_is_spoken_to_as_its_address_says(run, package):
    """Without TLS an https proxy used to be told in the clear what it was to be told in private: the password, say."""

    async def main():
        async with answering(b"HTTP/1.1 403 Forbidden\r\n\r\n") as (url, requests):
            address = url.removeprefix("ws://").rstrip("/")
            with pytest.raises(ValueError, match="https:// prox"):
                await package.connect("ws://a.example/", proxy=f"https://me:pw@{address}", proxy_ssl=None)
            with pytest.raises(ValueError, match="proxy_ssl"):
                await package.connect("ws://a.example/", proxy=f"http://{address}", proxy_ssl=True)
            assert not requests
            with pytest.raises(Exception, match="403"):
                await package.connect("ws://a.example/", proxy=f"http://{address}", proxy_ssl=None)
            assert len(requests) == 1

    run(main())


def test_callbacks_of_a_client(run, serving, echo):
    class Listener:
        def __init__(self, done):
            self.seen = []
            self.done = done

        def on_open(self, connection):
            connection.send_nowait("hello")

        def on_message(self, connection, message):
            self.seen.append(message)
            connection.ping_nowait(b"p")

        def on_pong(self, connection, data):
            self.seen.append(data)
            connection.close_nowait(4000, "enough")

        def on_close(self, connection, code, reason):
            self.seen.append((code, reason))
            self.done.set()

    async def main():
        listener = Listener(asyncio.Event())
        async with serving(echo) as url:
            await fastws.asyncio.connect(url, listener=listener)
            await listener.done.wait()
        assert listener.seen == ["hello", b"p", (4000, "")]

    run(main())
