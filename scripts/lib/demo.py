# SPDX-License-Identifier: MIT
"""Shows that the echo servers and the chats work: with the `websockets` client, and on pages for people. scripts/demo
runs it."""

import argparse
import contextlib
import http.server
import pathlib
import random
import sys
import time
import urllib.request

from websockets.sync.client import connect

import fastws
from example_server import example_server

MIB = 1 << 20


def messages():
    """Yields (what, as sent, as it must come back); a list is sent in fragments."""
    noise = random.Random(1)
    yield "text", "Καλημέρα, fastws 🐎", "Καλημέρα, fastws 🐎"
    yield "binary", bytes(range(256)), bytes(range(256))
    yield "empty", b"", b""
    yield "fragmented text", ["one ", "", "two ", "three ✓"], "one two three ✓"
    pieces = [noise.randbytes(length) for length in (1, 125, 126, 65535, 65536)]
    yield "fragmented binary", pieces, b"".join(pieces)
    large = noise.randbytes(16 * MIB)
    yield "16 MiB binary", large, large
    yield "16 MiB text", "a" * (16 * MIB), "a" * (16 * MIB)


def check(name, url):
    """Echoes every message through one connection and a ping; exits when anything differs."""
    with connect(url, max_size=None, compression=None) as client:
        for what, sent, expected in messages():
            start = time.perf_counter()
            client.send(sent)
            if client.recv() != expected:
                sys.exit("%s server: the echo of the %s message differs" % (name, what))
            print("   %-6s %-17s echoed in %.1f ms" % (name, what, 1e3 * (time.perf_counter() - start)))
        if not client.ping().wait(10):
            sys.exit("%s server: no answer to a ping" % name)


def page_of(url):
    """The page that a chat serves on the port of its WebSockets."""
    return url.replace("ws://", "http://")


def check_chat(name, url):
    """Two clients meet in a room, and the page is there; exits when anything differs."""
    with connect(url + "ws") as ann, connect(url + "ws") as bob:
        ann.send("join demo ann")
        heard = [ann.recv(10), ann.recv(10)]
        bob.send("join demo bob")
        heard += [ann.recv(10), bob.recv(10), bob.recv(10)]
        bob.send("say hello")
        heard += [ann.recv(10), bob.recv(10)]
    with urllib.request.urlopen(page_of(url), timeout=10) as response:
        is_page = b"<title>Chat</title>" in response.read()
    if heard.count("joined demo bob") != 2 or heard[-2:] != ["said bob hello"] * 2 or not is_page:
        sys.exit("%s chat: two clients in a room do not hear each other" % name)
    print("   %-6s two clients talk in a room of %s" % (name, page_of(url)))


def mask_speed():
    """Returns how fast the active row masks 64 KiB, in GB/s: the best of many short runs."""
    buffer, rounds, best = bytearray(65536), 100, float("inf")
    for _ in range(50):
        start = time.perf_counter()
        for _ in range(rounds):
            fastws.mask(buffer, b"\x12\x34\x56\x78")
        best = min(best, time.perf_counter() - start)
    return len(buffer) * rounds / best / 1e9


def serve_page(urls, chats, port):
    """Serves the page until Ctrl-C: on the port asked for, or on any free one when that is taken."""
    page = pathlib.Path(__file__).with_name("demo.html").read_text(encoding="utf-8")
    for name, url in urls.items():
        page = page.replace("{{%s}}" % name, url).replace("{{chat of %s}}" % name, page_of(chats[name]))

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            body = page.encode()
            self.send_response(200 if self.path == "/" else 404)
            self.send_header("Content-Type", "text/html; charset=utf-8")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *arguments):
            pass

    try:
        server = http.server.ThreadingHTTPServer(("127.0.0.1", port), Handler)
    except OSError:
        server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    print("== open http://127.0.0.1:%d/ in a browser; Ctrl-C ends the demo" % server.server_port, flush=True)
    try:
        server.serve_forever()
    except KeyboardInterrupt:
        print()


def main():
    parser = argparse.ArgumentParser(prog="scripts/demo", description="Shows fastws at work.")
    parser.add_argument("--check", action="store_true", help="exit after the self-check")
    parser.add_argument("--port", type=int, default=8000, help="where the page is served (8000)")
    options = parser.parse_args()
    with contextlib.ExitStack() as stack:

        def start(name):
            """One server in C, one in Python."""
            commands = {"C": ["build/examples/" + name], "Python": [sys.executable, "examples/" + name + ".py"]}
            return {language: stack.enter_context(example_server(*of)) for language, of in commands.items()}

        urls, chats = start("echo"), start("chat")
        for name, url in urls.items():
            print("== checking the %s servers with the client of websockets: echo at %s" % (name, url))
            check(name, url)
            check_chat(name, chats[name])
        print("== fastws %s uses %s (of %s): masks %.1f GB/s"
              % (fastws.__version__, fastws.isa(), ", ".join(fastws.isas()), mask_speed()), flush=True)
        if not options.check:
            serve_page(urls, chats, options.port)


if __name__ == "__main__":
    main()
