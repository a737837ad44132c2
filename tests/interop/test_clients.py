# SPDX-License-Identifier: MIT
"""Clients of others against our echo servers, in C and in Python."""

import asyncio
import http.server
import json
import os
import shutil
import signal
import subprocess
import threading
import urllib.parse

import aiohttp
import pytest
import websockets.asyncio.client

import fastws

MESSAGES = ["", "ascii", "Grüße 😀", b"", b"\x00\xff", b"x" * 125, b"x" * 126, "y" * 65535, "z" * 65536, bytes(1 << 20)]


def test_programs(our_url, peer):
    done = subprocess.run([*peer, "client", our_url], capture_output=True, text=True, timeout=90, check=False)
    assert (done.returncode, done.stdout) == (0, "done\n"), done.stderr


@pytest.mark.parametrize("compression", [None, "deflate"])
def test_websockets(our_url, compression):
    async def converse():
        async with websockets.asyncio.client.connect(our_url, compression=compression, max_size=None) as client:
            for message in MESSAGES:
                await client.send(message)
                assert await client.recv() == message
            await client.send(["frag", "men", "ted"])
            assert await client.recv() == "fragmented"
            await (await client.ping(b"p"))
            await client.close(4000)
            return client.close_code

    assert asyncio.run(asyncio.wait_for(converse(), 60)) == 4000


def test_aiohttp(our_url):
    async def converse():
        async with (
            aiohttp.ClientSession() as session,
            session.ws_connect(our_url, max_msg_size=0, compress=15) as client,
        ):
            for message in MESSAGES:
                await (client.send_str(message) if isinstance(message, str) else client.send_bytes(message))
                received = await client.receive()
                assert received.data == message
            await client.close(code=4000)
            return client.close_code

    assert asyncio.run(asyncio.wait_for(converse(), 60)) == 4000


def test_curl(our_url, tool):
    """The plain request; and frames, where curl speaks them."""
    curl = tool("curl")
    version = subprocess.run([curl, "--version"], capture_output=True, text=True, timeout=20, check=True).stdout
    headers = ["Upgrade: websocket", "Connection: Upgrade", "Sec-WebSocket-Version: 13",
               "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ=="]
    arguments = [part for header in headers for part in ("--header", header)]
    command = [curl, "--silent", "--include", "--no-buffer", "--http1.1", "--noproxy", "*", "--max-time", "2"]
    url = our_url.replace("ws://", "http://")
    done = subprocess.run([*command, *arguments, url], capture_output=True, timeout=20, check=False)
    assert done.stdout.startswith(b"HTTP/1.1 101 ") and b"s3pPLMBiTxaQ9kYGzzhZRbK+xOo=" in done.stdout
    done = subprocess.run([*command, *arguments[:-2], url], capture_output=True, timeout=20, check=False)
    assert (done.returncode, done.stdout[:13]) == (0, b"HTTP/1.1 400 ")
    if " ws " in version.split("Protocols:")[1].split("\n")[0] + " ":
        done = subprocess.run([*command, "--verbose", our_url], capture_output=True, timeout=20, check=False)
        assert b"< HTTP/1.1 101 " in done.stderr


# ---- A browser ----

DEFLATE_SETTINGS = [
    ("mode=1",),
    ("mode=1", "window_bits=8", "peer_window_bits=9"),
    ("mode=2",),
    ("mode=2", "is_peer_takeover=1"),
    ("mode=3", "window_bits=10", "peer_window_bits=15"),
]

FLAGS = ["--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
         "--disable-background-networking", "--disable-component-update", "--disable-sync", "--disable-dev-shm-usage"]


class Page(http.server.ThreadingHTTPServer):
    """Serves the page, takes its report, and echoes at /echo as an HTTP server that upgrades."""

    daemon_threads = True

    def __init__(self, page, upgrader):
        super().__init__(("127.0.0.1", 0), PageHandler)
        self.page, self.upgrader = page, upgrader
        self.report, self.has_report, self.handshakes = "", threading.Event(), []


class PageHandler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self):
        if self.path == "/echo":
            try:
                with self.server.upgrader.upgrade_http(self) as stream:
                    self.server.handshakes.append(stream.handshake)
                    for message in stream:
                        stream.send(message)
            except fastws.Error:
                pass
            return
        self.answer(self.server.page if self.path.startswith("/?") else b"")

    def do_POST(self):
        self.server.report = self.rfile.read(int(self.headers["Content-Length"])).decode()
        self.server.has_report.set()
        self.answer(b"")

    def answer(self, body):
        self.send_response(200)
        self.send_header("Content-Type", "text/html; charset=utf-8")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass


@pytest.fixture
def browse(tool, here, tmp_path):
    """Opens the page in a browser, with the URL that it is to connect to: returns the report and the handshakes."""
    chromium = tool("chromium", "chromium-browser", "google-chrome")

    def run(url, **options):
        server = Page((here / "page.html").read_bytes(), fastws.Upgrader(protocol=["superchat"], **options))
        thread = threading.Thread(target=server.serve_forever, args=(0.05,))
        thread.start()
        port = server.server_address[1]
        # A browser gives up where it offered subprotocols and none was taken; the echo servers speak none.
        protocols = [] if url else [("protocol", "chat"), ("protocol", "superchat")]
        query = urllib.parse.urlencode([("url", url or f"ws://127.0.0.1:{port}/echo"), *protocols])
        command = [chromium, *FLAGS, f"--user-data-dir={tmp_path / 'profile'}", f"http://127.0.0.1:{port}/?{query}"]
        try:
            browser = subprocess.Popen(
                command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True
            )
            try:
                assert server.has_report.wait(60), f"no report; the browser's status is {browser.poll()}"
            finally:
                # Its helpers are in its session. It may have ended by itself.
                try:
                    os.killpg(browser.pid, signal.SIGKILL)
                except ProcessLookupError:
                    pass
                browser.wait(10)
        finally:
            server.shutdown()
            server.server_close()
            thread.join(10)
            shutil.rmtree(tmp_path / "profile", ignore_errors=True)
        return json.loads(server.report), server.handshakes

    return run


def test_chromium_inside_an_http_server(browse):
    report, handshakes = browse(None, origins=())
    assert report == {
        "opened": True, "messages": 6, "code": 4000, "clean": True, "protocol": "superchat", "extensions": ""
    }
    (handshake,) = handshakes
    headers = dict(handshake.headers)
    assert handshake.target == "/echo" and handshake.protocol == "superchat"
    assert headers["Origin"] == f"http://{handshake.host}" and "session=a1" in headers["Cookie"]


def test_chromium_from_another_origin(browse, our_url):
    """The echo servers check no origin."""
    report, _ = browse(our_url)
    assert report.pop("extensions").partition(";")[0] in ("", "permessage-deflate")
    assert report == {"opened": True, "messages": 6, "code": 4000, "clean": True, "protocol": ""}


@pytest.mark.parametrize("settings", DEFLATE_SETTINGS, ids=" ".join)
def test_chromium_compressed(browse, start, deflate_peer, settings):
    with start(*deflate_peer, "server", *settings) as port:
        report, _ = browse(f"ws://127.0.0.1:{port}/")
    assert report.pop("extensions").startswith("permessage-deflate")
    assert report == {"opened": True, "messages": 6, "code": 4000, "clean": True, "protocol": ""}


def test_chromium_is_refused_for_its_origin(browse):
    report, handshakes = browse(None, on_header=refuse_origin)
    assert report["opened"] is False and report["code"] == 1006 and handshakes == []


def refuse_origin(name, value):
    if name.lower() == b"origin":
        raise fastws.Reject(403, "not from here")
