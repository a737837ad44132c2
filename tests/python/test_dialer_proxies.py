# SPDX-License-Identifier: MIT
"""Dialer through proxies: HTTP CONNECT, SOCKS 5, and the choice by the environment."""

import base64
import socket
import threading
import time

import pytest
from dialing import assert_echoes, echo, no_proxy_of_the_machine, read_head, start  # noqa: F401

import fastws
from fastws import Dialer, proxies


def tunnel(sock, to):
    """Passes bytes both ways until both ends are done."""
    with socket.create_connection(to) as far:
        def pump(source, sink):
            try:
                while data := source.recv(65536):
                    sink.sendall(data)
                sink.shutdown(socket.SHUT_WR)
            except OSError:
                pass

        thread = threading.Thread(target=pump, args=(far, sock), daemon=True)
        thread.start()
        pump(sock, far)
        thread.join(20)


def http_proxy(credentials=None):
    def serve(sock):
        request = read_head(sock)
        assert request.method == "CONNECT"
        if credentials and request.header("Proxy-Authorization") != "Basic " + base64.b64encode(credentials).decode():
            sock.sendall(b"HTTP/1.1 407 Who are you\r\nContent-Length: 0\r\n\r\n")
            return request
        sock.sendall(b"HTTP/1.1 103 Early\r\n\r\nHTTP/1.1 200 OK\r\n\r\n")
        host, _, port = request.target.rpartition(":")
        tunnel(sock, (host.strip("[]"), int(port)))
        return request

    return serve


def socks_proxy(user=None, reply=0):
    def serve(sock):
        version, count = sock.recv(2)
        methods = sock.recv(count)
        sock.sendall(b"\x05\x02" if user else b"\x05\x00")
        if user:
            assert 2 in methods and sock.recv(1) == b"\x01"
            given = tuple(sock.recv(sock.recv(1)[0]) for _ in range(2))
            sock.sendall(b"\x01\x00" if given == user else b"\x01\x01")
            if given != user:
                return None
        assert sock.recv(3) == b"\x05\x01\x00"
        kind = sock.recv(1)[0]
        host = sock.recv(sock.recv(1)[0]).decode() if kind == 3 else socket.inet_ntoa(sock.recv(4))
        port = int.from_bytes(sock.recv(2), "big")
        sock.sendall(b"\x05" + bytes([reply]) + b"\x00\x03\x04name\x00\x50")
        if not reply:
            tunnel(sock, (host, port))
        return kind, host, port

    return serve


def test_goes_through_an_http_proxy(start):
    server, proxy = start(echo), start(http_proxy(b"me:se cret"))
    assert_echoes(Dialer(proxy=f"http://me:se%20cret@127.0.0.1:{proxy.port}").dial(server.url()))
    with pytest.raises(fastws.InvalidProxyStatus) as caught:
        Dialer(proxy=f"127.0.0.1:{proxy.port}/").dial(server.url())
    assert caught.value.response.status_code == 407 and caught.value.name == "FASTWS_ERR_PROXY_AUTH"
    proxy.close()
    assert proxy.results[0].header("Host") == f"127.0.0.1:{server.port}"


@pytest.mark.parametrize(("scheme", "kind"), [("socks5", 1), ("socks5h", 3)])
def test_goes_through_a_socks_proxy(start, monkeypatch, scheme, kind):
    server, proxy = start(echo), start(socks_proxy((b"me", b"secret")))
    found = [(socket.AF_INET, 0, 0, "", ("127.0.0.1", 0))]
    monkeypatch.setattr(proxies, "resolve", lambda *_: found)
    address = f"{scheme}://me:secret@127.0.0.1:{proxy.port}"
    assert_echoes(Dialer(proxy=address).dial(f"ws://localhost:{server.port}/"))
    with pytest.raises(fastws.ProxyError, match="user and password"):
        Dialer(proxy=address.replace("secret", "wrong")).dial(server.url())
    proxy.close()
    assert proxy.results[0] == (kind, "localhost" if kind == 3 else "127.0.0.1", server.port)


def test_a_socks_proxy_says_why_it_refuses(start):
    proxy = start(socks_proxy(reply=5))
    with pytest.raises(fastws.ProxyError, match="connection refused"):
        Dialer(proxy=f"socks5://127.0.0.1:{proxy.port}").dial("ws://127.0.0.1:9/")


@pytest.mark.parametrize(
    ("scheme", "answer"),
    [
        ("http", b"SSH-2.0\r\n"),
        ("http", b""),
        ("http", b"HTTP/1.1 200 OK\r\n\r\nHTTP/1.1 101 x"),
        ("socks5", b"HTTP/1.1 400 x"),
        ("socks5", b"\x05\x02"),
        ("socks5", b"\x05"),
        ("socks5", b"\x05\x00\x05\x00\x00\x09"),
        ("socks5", b"\x05\x00\x04\x00\x00\x01"),
    ],
)
def test_proxies_that_answer_nonsense(start, scheme, answer):
    def serve(sock):
        sock.recv(3)
        sock.sendall(answer)
        sock.shutdown(socket.SHUT_WR)
        while sock.recv(1000):
            pass

    with pytest.raises(fastws.InvalidProxyMessage) as caught:
        Dialer(proxy=f"{scheme}://127.0.0.1:{start(serve).port}").dial("ws://127.0.0.1:9/")
    assert caught.value.name == "FASTWS_ERR_PROXY_ANSWER"


@pytest.mark.parametrize("proxy", ["ftp://x:1", "http://", "http://x/path", "http://x?q", "http://x#f", "socks5://x:0"])
def test_addresses_of_proxies_that_are_none(proxy):
    with pytest.raises(fastws.InvalidProxy):
        Dialer(proxy=proxy).dial("ws://127.0.0.1:9/")


@pytest.mark.parametrize(
    ("environment", "url", "expected"),
    [
        ({}, "ws://a/", None),
        ({"http_proxy": "p:1"}, "ws://a/", ("http", "p", 1)),
        ({"http_proxy": "p:1"}, "wss://a/", None),
        ({"HTTP_PROXY": "p:1"}, "ws://a/", None),
        ({"https_proxy": "socks5://p"}, "wss://a/", ("socks5", "p", 1080)),
        ({"HTTPS_PROXY": "https://p"}, "wss://a/", ("https", "p", 443)),
        ({"ALL_PROXY": "http://p"}, "ws://a/", ("http", "p", 80)),
        ({"ALL_PROXY": "http://p:443"}, "ws://a/", ("http", "p", 443)),
        ({"ALL_PROXY": "socks5h://p:80"}, "ws://a/", ("socks5h", "p", 80)),
        ({"all_proxy": "p"}, "ws+unix:///x:/", None),
        ({"all_proxy": "p", "no_proxy": "*"}, "ws://a/", None),
        ({"all_proxy": "p", "no_proxy": "b, A"}, "ws://a/", None),
        ({"all_proxy": "p", "NO_PROXY": ".example.com"}, "ws://x.example.com./", None),
        ({"all_proxy": "p", "no_proxy": "example.com"}, "ws://badexample.com/", ("http", "p", 80)),
        ({"all_proxy": "p", "no_proxy": "10.0.0.0/8"}, "ws://10.1.2.3/", None),
        ({"all_proxy": "p", "no_proxy": "10.0.0.0/8"}, "ws://11.1.2.3/", ("http", "p", 80)),
        ({"all_proxy": "p", "no_proxy": "[::1],fd00::/8"}, "ws://[::1]/", None),
        ({"all_proxy": "p", "no_proxy": "fd00::/8"}, "ws://[fd12::1]/", None),
        ({"all_proxy": "p", "no_proxy": "a:81"}, "ws://a:81/", None),
        ({"all_proxy": "p", "no_proxy": "a:81"}, "ws://a:82/", ("http", "p", 80)),
    ],
)
def test_the_environment_chooses_a_proxy(monkeypatch, environment, url, expected):
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    proxy = proxies.choose_proxy(fastws.parse_url(url), True)
    assert (proxy and (proxy.scheme, proxy.url.host, proxy.url.port)) == expected
    assert proxies.choose_proxy(fastws.parse_url(url), None) is None


def test_interim_answers_without_end(start):
    """Without a timeout a proxy that sends nothing else held the caller for ever."""

    def serve(sock):
        sock.recv(3)
        with pytest.raises(OSError):
            while True:
                sock.sendall(b"HTTP/1.1 100 Continue\r\n\r\n" * 100)

    with pytest.raises(fastws.InvalidProxyMessage, match="too large") as caught:
        Dialer(timeout=None, proxy=f"127.0.0.1:{start(serve).port}").dial("ws://127.0.0.1:9/")
    assert caught.value.name == "FASTWS_ERR_HTTP_HEAD_TOO_LARGE"


@pytest.mark.parametrize(("headers", "name"), [
    (b"A: " + b"b" * 20000 + b"\r\n", "FASTWS_ERR_HTTP_HEAD_TOO_LARGE"),
    (b"A: b\r\n" * 200, "FASTWS_ERR_HTTP_TOO_MANY_HEADERS"),
    (b"\r\n" + b"HTTP/1.1 103 Early\r\n\r\n" * 800 + b"HTTP/1.1 103 x\r\n", "FASTWS_ERR_HTTP_HEAD_TOO_LARGE"),
    (b"A : b\r\n", "FASTWS_ERR_PROXY_ANSWER"),
])
def test_limits_of_answers_have_names(start, headers, name):
    def serve(sock):
        sock.recv(1000)
        sock.sendall(b"HTTP/1.1 103 x\r\n" + headers + b"\r\n")
        sock.recv(1)

    with pytest.raises(fastws.InvalidProxyMessage) as caught:
        Dialer(proxy=f"127.0.0.1:{start(serve).port}").dial("ws://127.0.0.1:9/")
    assert caught.value.name == name


def test_credentials_that_are_too_long_for_socks(start):
    proxy = start(socks_proxy((b"u", b"p")))
    with pytest.raises(fastws.InvalidProxy) as caught:
        Dialer(proxy=f"socks5://{'u' * 256}:p@127.0.0.1:{proxy.port}").dial("ws://127.0.0.1:9/")
    assert caught.value.name == "FASTWS_ERR_PROXY_CREDENTIALS"


def test_the_deadline_covers_proxies(start):
    proxy = start(lambda sock: sock.recv(1) and time.sleep(0.8))
    for scheme in ("http", "socks5"):
        with pytest.raises(fastws.HandshakeTimeout):
            Dialer(timeout=0.3, proxy=f"{scheme}://127.0.0.1:{proxy.port}").dial("ws://127.0.0.1:9/")
