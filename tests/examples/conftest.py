# SPDX-License-Identifier: MIT
"""Starts the servers of examples/, once for all tests of a file."""

import functools
import os
import pathlib
import signal
import subprocess
import sys
import urllib.parse

import pytest
import websockets.sync.client

ROOT = pathlib.Path(__file__).resolve().parents[2]


def find_example(name):
    """The command of NAME.py, or of a program in C: in FASTWS_EXAMPLES, or in what this checkout built last."""
    if name.endswith(".py"):
        return [sys.executable, ROOT / "examples" / name]
    folders = [ROOT / "build" / "examples", ROOT / "build" / "clang" / "examples"]
    if os.environ.get("FASTWS_EXAMPLES"):
        folders = [pathlib.Path(os.environ["FASTWS_EXAMPLES"])]
    built = [folder / name for folder in folders if (folder / name).exists()]
    if not built and name == "json" and any((folder / "echo").exists() for folder in folders):
        pytest.skip("examples/json was not built: cJSON is missing (libcjson-dev)")
    assert built, f"no program {name}: build first (cmake -S . -B build && cmake --build build), or set FASTWS_EXAMPLES"
    return [max(built, key=lambda path: path.stat().st_mtime)]


@pytest.fixture(scope="session")
def command_of():
    """The function that finds an example."""
    return find_example


@pytest.fixture(scope="module")
def start():
    """Starts a server by name, and returns its URL. In the end all of them must still run, and stop when told to: what
    runs in the background has SIGINT ignored, and would not see it."""
    servers = []

    def start_server(command_line, *options):
        name, *fixed = command_line.split()
        command = [*find_example(name), "--port", "0", *fixed, *options]
        restore = functools.partial(signal.signal, signal.SIGINT, signal.SIG_DFL)
        servers.append(subprocess.Popen(command, stdout=subprocess.PIPE, text=True, preexec_fn=restore))
        line = servers[-1].stdout.readline()
        assert line.startswith("listening on ws://127.0.0.1:"), line
        return line.split()[-1]

    yield start_server
    for number, server in enumerate(servers):
        with server:
            assert server.poll() is None
            server.send_signal([signal.SIGTERM, signal.SIGINT][number % 2])
            try:
                assert server.wait(10) == 0
            finally:
                server.kill()


@pytest.fixture
def connect():
    """The client of the websockets package."""

    def connect_to(url, **options):
        return websockets.sync.client.connect(url, max_size=None, compression=None, **options)

    return connect_to


@pytest.fixture
def address():
    """Host and port of a URL, for plain sockets."""

    def address_of(url):
        parts = urllib.parse.urlsplit(url)
        return parts.hostname, parts.port

    return address_of
