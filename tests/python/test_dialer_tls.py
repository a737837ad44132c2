# SPDX-License-Identifier: MIT
"""Dialer over TLS: certificates good and bad, made for the test by openssl, proxies, and what is no socket."""

import contextlib
import shutil
import socket
import ssl
import subprocess
import threading
import time

import pytest

import fastws
from fastws import Dialer
from fastws.blocking import Deadline
from fastws.tls import TLSStream

pytestmark = pytest.mark.skipif(not shutil.which("openssl"), reason="needs the openssl program")


def openssl(*arguments, cwd):
    subprocess.run(["openssl", *arguments], cwd=cwd, check=True, capture_output=True, timeout=60)


@pytest.fixture(scope="module")
def certificates(tmp_path_factory):
    """A folder with ca.pem, and certificates that it signed or did not."""
    folder = tmp_path_factory.mktemp("certificates")
    key = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes"]
    openssl("req", "-x509", *key, "-keyout", "ca.key", "-out", "ca.pem", "-subj", "/CN=Test CA", "-days", "2",
            "-addext", "keyUsage=critical,keyCertSign", cwd=folder)

    (folder / "ca.conf").write_text(
        "[ca]\nnew_certs_dir=.\ndatabase=index\nrand_serial=yes\ndefault_md=sha256\npolicy=any\n"
        "[any]\ncommonName=supplied\n"
    )
    (folder / "index").touch()

    def sign(name, names, *dates):
        identifiers = "subjectKeyIdentifier=hash\nauthorityKeyIdentifier=keyid\n"
        (folder / "names").write_text(f"subjectAltName={names}\n{identifiers}")
        openssl("req", "-new", *key, "-keyout", f"{name}.key", "-out", "request", "-subj", f"/CN={name}", cwd=folder)
        openssl(
            "ca", "-batch", "-notext", "-config", "ca.conf", "-name", "ca", "-in", "request", "-cert", "ca.pem",
            "-keyfile", "ca.key", "-extfile", "names", "-out", f"{name}.pem", *dates, cwd=folder,
        )

    sign("good", "DNS:localhost,IP:127.0.0.1", "-days", "2")
    sign("expired", "DNS:localhost", "-startdate", "20200101000000Z", "-enddate", "20200102000000Z")
    sign("other", "DNS:example.com", "-days", "2")
    openssl(
        "req", "-x509", *key, "-keyout", "self.key", "-out", "self.pem", "-subj", "/CN=localhost", "-days", "2",
        "-addext", "subjectAltName=DNS:localhost", cwd=folder,
    )
    return folder


@pytest.fixture
def trusting(certificates):
    """A context of a client that trusts the authority of the test."""
    context = ssl.create_default_context(cafile=certificates / "ca.pem")
    context.set_alpn_protocols(["http/1.1"])
    return context


@pytest.fixture
def serve_tls(certificates):
    """Starts an echo server with a certificate. Returns its port and the names that clients asked for (SNI)."""
    listeners = []

    def start(name, alpn=("http/1.1",)):
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certificates / f"{name}.pem", certificates / f"{name}.key")
        context.set_alpn_protocols(list(alpn))
        asked = []
        context.sni_callback = lambda sock, server_name, _: asked.append(server_name)
        listener = socket.create_server(("127.0.0.1", 0))
        listeners.append(listener)

        def serve(plain):
            try:
                with context.wrap_socket(plain, server_side=True) as sock:
                    asked.append(sock.selected_alpn_protocol())
                    for message in (stream := fastws.Upgrader().upgrade(sock)):
                        stream.send(message)
            except (OSError, fastws.Error):
                pass

        def run():
            while True:
                try:
                    plain, _ = listener.accept()
                except OSError:
                    return
                plain.settimeout(20)
                threading.Thread(target=serve, args=(plain,), daemon=True).start()

        threading.Thread(target=run, daemon=True).start()
        return listener.getsockname()[1], asked

    yield start
    for listener in listeners:
        listener.shutdown(socket.SHUT_RDWR)
        listener.close()


@pytest.fixture(autouse=True)
def no_proxy_of_the_machine(monkeypatch):
    for name in ("https_proxy", "HTTPS_PROXY", "all_proxy", "ALL_PROXY"):
        monkeypatch.delenv(name, raising=False)


def assert_echoes(stream, size=200000):
    with stream:
        stream.send("x" * size)
        assert stream.recv() == "x" * size


def test_opens_over_tls(serve_tls, trusting):
    port, asked = serve_tls("good")
    for host, sni in (("localhost", "localhost"), ("127.0.0.1", None)):
        asked.clear()
        stream = Dialer(ssl=trusting).dial(f"wss://{host}:{port}/")
        assert isinstance(stream.io, ssl.SSLSocket)
        assert_echoes(stream)
        assert asked == [sni, "http/1.1"]


def test_the_default_is_to_verify_and_to_ask_for_http_1_1(serve_tls, certificates, monkeypatch):
    port, asked = serve_tls("good")
    with pytest.raises(ssl.SSLCertVerificationError):
        Dialer().dial(f"wss://localhost:{port}/")
    monkeypatch.setenv("SSL_CERT_FILE", str(certificates / "ca.pem"))
    asked.clear()
    assert_echoes(Dialer().dial(f"wss://localhost:{port}/"))
    assert asked[-1] == "http/1.1"


@pytest.mark.parametrize(
    ("name", "reason"),
    [("expired", "expired"), ("other", "Hostname mismatch"), ("self", "self.signed")],
)
def test_names_what_is_wrong_with_a_certificate(serve_tls, trusting, name, reason):
    port, _ = serve_tls(name)
    with pytest.raises(ssl.SSLCertVerificationError, match=reason) as caught:
        Dialer(ssl=trusting).dial(f"wss://localhost:{port}/")
    assert caught.value.verify_message
    if name == "other":
        assert_echoes(Dialer(ssl=trusting, server_hostname="example.com").dial(f"wss://localhost:{port}/"))


def test_a_server_that_speaks_no_tls(trusting, in_thread):
    with socket.create_server(("127.0.0.1", 0)) as listener:
        def serve():
            sock, _ = listener.accept()
            with sock:
                sock.sendall(b"HTTP/1.1 400 x\r\n\r\n")
                sock.recv(1000)

        finish = in_thread(serve)
        with pytest.raises(ssl.SSLError):
            Dialer(ssl=trusting).dial(f"wss://localhost:{listener.getsockname()[1]}/")
        finish()


def test_a_server_that_speaks_another_protocol_inside(serve_tls, trusting):
    trusting.set_alpn_protocols(["h2"])
    port, _ = serve_tls("good", alpn=["h2"])
    with pytest.raises(fastws.InvalidMessage) as caught:
        Dialer(ssl=trusting).dial(f"wss://localhost:{port}/")
    assert caught.value.name == "FASTWS_ERR_TLS_ALPN"


def test_the_deadline_covers_tls(trusting):
    with socket.create_server(("127.0.0.1", 0)) as silent:
        begun = time.monotonic()
        with pytest.raises(fastws.HandshakeTimeout):
            Dialer(ssl=trusting, timeout=0.3).dial(f"wss://localhost:{silent.getsockname()[1]}/")
        assert time.monotonic() - begun < 5


def test_a_redirect_from_wss_to_ws_is_not_followed(certificates, trusting, in_thread):
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificates / "good.pem", certificates / "good.key")
    with socket.create_server(("127.0.0.1", 0)) as listener:
        def serve():
            plain, _ = listener.accept()
            with context.wrap_socket(plain, server_side=True) as sock:
                sock.recv(4096)
                sock.sendall(b"HTTP/1.1 301 x\r\nLocation: http://localhost/\r\n\r\n")
                sock.recv(1)

        finish = in_thread(serve)
        with pytest.raises(fastws.SecurityError, match="wss to ws"):
            Dialer(ssl=trusting).dial(f"wss://localhost:{listener.getsockname()[1]}/")
        finish()


def test_server_hostname_is_for_its_server_only(serve_tls, certificates, trusting, in_thread):
    """A redirect to another server used to be held to the certificate of the first one."""
    port, asked = serve_tls("good")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificates / "other.pem", certificates / "other.key")
    with socket.create_server(("127.0.0.1", 0)) as listener:
        def serve():
            plain, _ = listener.accept()
            with context.wrap_socket(plain, server_side=True) as sock:
                sock.recv(4096)
                sock.sendall(f"HTTP/1.1 307 x\r\nLocation: wss://localhost:{port}/\r\n\r\n".encode())
                sock.recv(1)

        finish = in_thread(serve)
        dialer = Dialer(ssl=trusting, server_hostname="example.com")
        assert_echoes(dialer.dial(f"wss://127.0.0.1:{listener.getsockname()[1]}/"))
        assert asked[0] == "localhost"
        finish()


class Plain:
    """A byte stream that is no socket."""

    def __init__(self, sock):
        self.sock = sock
        self.recv_into = sock.recv_into
        self.sendall = sock.sendall
        self.close = sock.close


def test_tls_over_what_is_no_socket(serve_tls, trusting):
    """One thread sends while another receives: both use one TLS state."""
    port, _ = serve_tls("good")
    connect = lambda host, port, timeout: Plain(socket.create_connection((host, port)))  # noqa: E731
    stream = Dialer(ssl=trusting, connect=connect).dial(f"wss://localhost:{port}/")
    assert isinstance(stream.io, TLSStream)
    messages = [str(i) * (i * 500) for i in range(100)]
    sender = threading.Thread(target=lambda: [stream.send(message) for message in messages])
    sender.start()
    assert [stream.recv() for _ in messages] == messages
    sender.join(20)
    stream.close()


class Server:
    """A TLS server in memory: what it has to send comes in one piece."""

    def __init__(self, certificates):
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certificates / "good.pem", certificates / "good.key")
        self.incoming, self.outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        self.tls = context.wrap_bio(self.incoming, self.outgoing, server_side=True)
        self.is_open = False

    def sendall(self, data):
        self.incoming.write(data)
        if not self.is_open:
            with contextlib.suppress(ssl.SSLWantReadError):
                self.tls.do_handshake()
                self.is_open = True

    def recv_into(self, buffer):
        data = self.outgoing.read(len(buffer))
        buffer[: len(data)] = data
        return len(data)


def test_a_record_that_came_with_another_is_read_before_more_is_written(certificates, trusting):
    server = Server(certificates)
    stream = TLSStream(server, trusting, "localhost")
    stream.do_handshake()
    server.tls.write(b"head")
    server.tls.write(b"body")
    buffer = bytearray(100)
    assert buffer[: stream.recv_into(buffer)] == b"head"
    assert stream.exchange(memoryview(b"request"), 100, Deadline(5)) == (0, b"body")
    assert stream.exchange(memoryview(b"request"), 100, Deadline(5)) == (7, None)


def test_tls_over_what_is_no_socket_is_verified(serve_tls, trusting):
    connect = lambda host, port, timeout: Plain(socket.create_connection((host, port)))  # noqa: E731
    port, _ = serve_tls("other")
    with pytest.raises(ssl.SSLCertVerificationError, match="Hostname mismatch"):
        Dialer(ssl=trusting, connect=connect).dial(f"wss://localhost:{port}/")


def test_goes_through_an_https_proxy(serve_tls, certificates, trusting, in_thread):
    """TLS inside TLS: the proxy sees the name of the server, and not what is said to it."""
    port, _ = serve_tls("good")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificates / "good.pem", certificates / "good.key")
    with socket.create_server(("127.0.0.1", 0)) as listener:
        def serve():
            plain, _ = listener.accept()
            sock = context.wrap_socket(plain, server_side=True)
            with sock, socket.create_connection(("127.0.0.1", port)) as far:
                head = sock.recv(4096)
                sock.sendall(b"HTTP/1.1 200 OK\r\n\r\n")
                seen = b""
                sock.settimeout(0.02)
                far.settimeout(0.02)
                while True:
                    for source, sink in ((sock, far), (far, sock)):
                        try:
                            data = source.recv(65536)
                        except TimeoutError:
                            continue
                        if not data:
                            return head, seen
                        seen += data
                        sink.settimeout(20)
                        sink.sendall(data)
                        sink.settimeout(0.02)

        finish = in_thread(serve)
        proxy = f"https://localhost:{listener.getsockname()[1]}"
        stream = Dialer(ssl=trusting, proxy=proxy).dial(f"wss://localhost:{port}/")
        assert isinstance(stream.io, TLSStream)
        assert_echoes(stream, 20000)
        head, seen = finish()
        assert head.startswith(f"CONNECT localhost:{port} ".encode()) and b"xxxx" not in seen


# ---- Peers that drip, stop, or answer early ----


@pytest.fixture
def serve_each(certificates):
    """Runs a function for each connection, plain or inside TLS. Returns the port."""
    listeners, threads = [], []
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificates / "good.pem", certificates / "good.key")

    def start(serve, is_plain=False):
        listeners.append(socket.create_server(("127.0.0.1", 0)))
        listener = listeners[-1]

        def handle(plain):
            plain.settimeout(20)
            # What waits for an acknowledgement when a socket is reset is never sent.
            plain.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            with contextlib.suppress(OSError):
                with plain if is_plain else context.wrap_socket(plain, server_side=True) as sock:
                    serve(sock)

        def run():
            with contextlib.suppress(OSError):
                while True:
                    threads.append(threading.Thread(target=handle, args=(listener.accept()[0],), daemon=True))
                    threads[-1].start()

        threads.append(threading.Thread(target=run, daemon=True))
        threads[-1].start()
        return listener.getsockname()[1]

    start.context = context
    yield start
    for listener in listeners:
        listener.shutdown(socket.SHUT_RDWR)
        listener.close()
    for thread in threads:
        thread.join(20)
        assert not thread.is_alive(), "thread hangs"


def drip(sock):
    """The header of a long record of a handshake of TLS (RFC 8446 5.1), and then a byte at a time."""
    sock.recv(4096)
    sock.sendall(b"\x16\x03\x03\x3e\x80\x02\x00\x3e\x7c")
    for _ in range(100):
        sock.sendall(b"\x00")
        time.sleep(0.05)


def tunnel_then(serve):
    def proxy(sock):
        sock.recv(4096)
        sock.sendall(b"HTTP/1.1 200 OK\r\n\r\n")
        serve(sock)

    return proxy


class Timed(Plain):
    """The same, which can be told how long to wait."""

    def __init__(self, sock):
        super().__init__(sock)
        self.settimeout, self.gettimeout = sock.settimeout, sock.gettimeout


def connect_with(wrapped):
    return lambda host, port, timeout: wrapped(socket.create_connection((host, port)))


@pytest.mark.parametrize("way", ["socket", "object", "proxy", "proxy over an object"])
def test_the_deadline_covers_tls_of_any_kind_that_drips(serve_each, trusting, way):
    """Each byte used to begin the time anew, wherever TLS is not on a socket itself."""
    if way.startswith("proxy"):
        options = {"proxy": f"https://localhost:{serve_each(tunnel_then(drip))}"}
        url = "wss://localhost:9/"
    else:
        options, url = {}, f"wss://localhost:{serve_each(drip, is_plain=True)}/"
    if way.endswith("object"):
        options["connect"] = connect_with(Timed)
    begun = time.monotonic()
    with pytest.raises(fastws.HandshakeTimeout) as caught:
        Dialer(ssl=trusting, timeout=0.5, **options).dial(url)
    assert time.monotonic() - begun < 3 and caught.value.name == "FASTWS_ERR_DIAL_TIMEOUT"


@pytest.mark.parametrize("way", ["socket", "proxy"])
def test_a_dial_is_cancelled_in_tls_of_any_kind(serve_each, trusting, way):
    if way == "proxy":
        options = {"proxy": f"https://localhost:{serve_each(tunnel_then(drip))}"}
        url = "wss://localhost:9/"
    else:
        options, url = {}, f"wss://localhost:{serve_each(drip, is_plain=True)}/"
    ours, theirs = socket.socketpair()
    timer = threading.Timer(0.3, theirs.close)
    timer.start()
    with ours, pytest.raises(fastws.DialCancelled):
        Dialer(ssl=trusting, timeout=None, **options).dial(url, cancel=ours)
    timer.join()


REFUSAL = b"HTTP/1.1 413 Content Too Large\r\nContent-Length: 5\r\n\r\nlarge"


@pytest.mark.parametrize("is_held", [False, True])
@pytest.mark.parametrize("way", ["socket", "object", "proxy"])
def test_an_answer_that_comes_early_is_read_over_tls(serve_each, trusting, way, is_held):
    """The server reads no more of the request, and closes or keeps the connection."""
    done = threading.Event()

    def refuse(sock):
        sock.recv(100)
        sock.sendall(REFUSAL)
        if is_held:
            done.wait(20)

    def refuse_inside(sock):
        incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        inner = serve_each.context.wrap_bio(incoming, outgoing, server_side=True)

        def step(function):
            while True:
                with contextlib.suppress(ssl.SSLWantReadError):
                    return function()
                sock.sendall(outgoing.read())
                incoming.write(sock.recv(4096))

        step(inner.do_handshake)
        step(lambda: inner.read(100))
        inner.write(REFUSAL)
        sock.sendall(outgoing.read())
        if is_held:
            done.wait(20)

    port = serve_each(refuse)
    options = {"object": {"connect": connect_with(Plain)}, "socket": {}}.get(way)
    if way == "proxy":
        options = {"proxy": f"https://localhost:{serve_each(tunnel_then(refuse_inside))}"}
    # An object of the caller's takes all that it is given, or fails.
    size = 20 if way == "object" and is_held else 6000
    with pytest.raises(fastws.InvalidStatus) as caught:
        Dialer(ssl=trusting, timeout=10, header=[("X", "y" * 1000)] * size, **options).dial(f"wss://localhost:{port}/")
    assert caught.value.response.body == b"large"
    done.set()


def test_an_answer_is_read_where_nothing_can_be_written_any_more(serve_each, trusting):
    class Half(Plain):
        """Takes nothing of the request, and fails once the answer has begun."""

        is_broken = False

        def __init__(self, sock):
            super().__init__(sock)
            self.sendall = self.send_or_fail

        def send_or_fail(self, data):
            if self.is_broken:
                raise BrokenPipeError("own")
            self.sock.sendall(data)

        def bind_deadline(self, deadline):
            pass

        def exchange(self, data, size, deadline):
            self.is_broken = True
            return 0, self.sock.recv(size)

    def refuse(sock):
        sock.sendall(REFUSAL[:40])
        time.sleep(0.2)
        sock.sendall(REFUSAL[40:])

    port = serve_each(refuse)
    with pytest.raises(fastws.InvalidStatus) as caught:
        Dialer(ssl=trusting, timeout=10, connect=connect_with(Half)).dial(f"wss://localhost:{port}/")
    assert caught.value.response.body == b"large"


@pytest.mark.parametrize("way", ["socket", "object", "proxy"])
def test_what_is_opened_over_tls_waits_as_before(serve_tls, serve_each, trusting, way):
    """The dial makes what is below wait in its own way, and takes that back."""
    port, _ = serve_tls("good")
    options = {"socket": {"connect": lambda *where: socket.create_connection(where[:2], 17)},
               "object": {"connect": lambda *where: Timed(socket.create_connection(where[:2], 17))},
               "proxy": {}}[way]
    if way == "proxy":
        def relay(sock):
            with socket.create_connection(("127.0.0.1", port)) as far:
                far.settimeout(0.02)
                sock.settimeout(0.02)
                while True:
                    for source, sink in ((sock, far), (far, sock)):
                        with contextlib.suppress(TimeoutError):
                            data = source.recv(65536)
                            if not data:
                                return
                            sink.sendall(data)

        options = {"proxy": f"https://localhost:{serve_each(tunnel_then(relay))}"}
    stream = Dialer(ssl=trusting, timeout=10, **options).dial(f"wss://localhost:{port}/")
    assert stream.io.gettimeout() == (None if way == "proxy" else 17)
    assert_echoes(stream, 10000)
