# SPDX-License-Identifier: MIT
"""Finds, builds and starts the peers. Tests of one that is missing are skipped."""

import contextlib
import os
import pathlib
import shutil
import subprocess
import sys
import threading

import pytest

ROOT = pathlib.Path(__file__).resolve().parents[2]
HERE = pathlib.Path(__file__).resolve().parent


def find_tool(name, *others):
    """The path of a program, or a skip."""
    for candidate in (name, *others):
        found = shutil.which(candidate)
        if found:
            return found
    return pytest.skip(f"{name} is not installed")


@contextlib.contextmanager
def started(*command):
    """Starts a server, and yields the first line that it prints. It is killed in the end, with what it has started."""
    with subprocess.Popen(list(map(str, command)), stdout=subprocess.PIPE, text=True, start_new_session=True) as server:
        watchdog = threading.Timer(60, server.kill)
        watchdog.start()
        try:
            line = server.stdout.readline().strip()
            watchdog.cancel()
            assert line, f"{command[-1]} printed nothing"
            yield line
            assert server.poll() is None, f"{command[-1]} has ended"
        finally:
            watchdog.cancel()
            server.kill()


def find_example(name):
    """The command of an example: of C programs in FASTWS_EXAMPLES, or in what this checkout built last."""
    if name.endswith(".py"):
        return [sys.executable, ROOT / "examples" / name]
    folders = [os.environ.get("FASTWS_EXAMPLES"), ROOT / "build" / "examples", ROOT / "build" / "clang" / "examples"]
    for folder in filter(None, folders):
        if (pathlib.Path(folder) / name).exists():
            return [pathlib.Path(folder) / name]
    raise AssertionError(f"no program {name}: build first (cmake -S . -B build && cmake --build build)")


def find_peer(name):
    """The command of a program that the C tests built, beside the examples; or of one beside this file."""
    if name.endswith(".py"):
        return [sys.executable, HERE / name]
    (example,) = find_example("echo")
    return [example.parents[1] / "tests" / name]


@pytest.fixture(scope="session", params=["echo", "echo.py"])
def our_url(request):
    """The URL of a server of ours that echoes: in C, and in Python."""
    with started(*find_example(request.param), "--port", "0") as line:
        yield line.split()[-1]


@pytest.fixture(scope="session")
def gobwas(tmp_path_factory):
    """The command of the Go program."""
    go = find_tool("go", "/usr/local/go/bin/go")
    folder = tmp_path_factory.mktemp("go")
    for name in ("main.go", "go.mod", "go.sum"):
        shutil.copy(HERE / "go" / name, folder)
    run_setup([go, "build", "-o", "peer", "."], folder)
    return [folder / "peer"]


@pytest.fixture(scope="session")
def node(tmp_path_factory):
    """The command of the Node.js program."""
    program, npm = find_tool("node"), find_tool("npm")
    folder = tmp_path_factory.mktemp("node")
    for name in ("peer.js", "package.json", "package-lock.json"):
        shutil.copy(HERE / "node" / name, folder)
    run_setup([npm, "ci", "--silent", "--no-audit", "--no-fund", "--ignore-scripts"], folder)
    return [program, folder / "peer.js"]


def run_setup(command, folder):
    """Builds a peer. Where its packages cannot be had, that is no fault of this checkout."""
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=300, check=False)
    if done.returncode != 0:
        words = ("dial tcp", "no such host", "ENOTFOUND", "ECONNREFUSED", "EAI_AGAIN", "ETIMEDOUT")
        if any(word in done.stderr for word in words):
            pytest.skip(f"{folder.name}: the packages of this peer cannot be downloaded")
        pytest.fail(done.stderr)


@pytest.fixture(params=["gobwas", "node"])
def peer(request):
    """The command of a peer, which is a client or a server as its argument says."""
    return request.getfixturevalue(request.param)


@pytest.fixture(scope="session")
def start():
    return started


@pytest.fixture(scope="session")
def tool():
    return find_tool


@pytest.fixture(scope="session")
def example():
    return find_example


@pytest.fixture(scope="session")
def own_peer():
    return find_peer


@pytest.fixture(params=["deflate_peer", "deflate_peer.py"])
def deflate_peer(request):
    """The command of an end of ours with settings of compression: in C, and in Python."""
    return find_peer(request.param)


@pytest.fixture(scope="session")
def here():
    return HERE
