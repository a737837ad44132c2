# SPDX-License-Identifier: MIT
"""The worker of scripts/peers that measures libraries for Python, and fastws as Python sees it.

What it says and is asked stands in bench/peers/run.py, what the buffers are for in bench/peers/c/worker.h.
"""

import importlib.metadata
import pathlib
import platform
import sys
import time

import fastws
from aiohttp._websocket.mask import _websocket_mask_cython
from websockets.server import ServerProtocol
from websockets.speedups import apply_mask

IN_TURN_UP_TO = 512
TURNS = 16
RECEIVED = 65536  # what one receive brings, at most
KEY = bytes([0x37, 0xFA, 0x21, 0x3D])

cases = {}


def add(peer, row, run):
    cases[peer, row] = run
    print("case", peer, row)


def turns_of(data, kind):
    """Objects that take turns, each with the data: 16 for at most 512 bytes, else one."""
    return [kind(data) for _ in range(TURNS if len(data) <= IN_TURN_UP_TO else 1)]


def add_mask(row, data):
    """In place: both change a bytearray."""

    def run_fastws(count, mask=fastws.mask, turns=turns_of(data, bytearray)):
        last = len(turns) - 1
        for i in range(count):
            mask(turns[i & last], KEY)

    def run_aiohttp(count, mask=_websocket_mask_cython, turns=turns_of(data, bytearray)):
        last = len(turns) - 1
        for i in range(count):
            mask(KEY, turns[i & last])

    add("fastws", row, run_fastws)
    add("aiohttp", row, run_aiohttp)


def add_masked(row, data):
    """Copying: both return new bytes."""

    def run(count, mask, turns=turns_of(data, bytes)):
        last = len(turns) - 1
        for i in range(count):
            mask(turns[i & last], KEY)

    add("fastws", row, lambda count: run(count, fastws.masked))
    add("websockets", row, lambda count: run(count, apply_mask))


def count_messages(receive, received, message_len, count):
    """Receives the data again and again, until there were enough messages. Returns how many there were."""
    messages = 0
    while messages < count:
        for chunk in received:
            for event in receive(chunk):
                if len(event.data) != message_len:
                    raise ValueError("wrong result: frames")
                messages += 1
    return messages


def open_websockets():
    """A server's connection of websockets after its handshake: a function from what was received to the events."""
    server = ServerProtocol()
    server.receive_data(
        b"GET / HTTP/1.1\r\nHost: example.io\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n"
    )
    (request,) = server.events_received()
    server.send_response(server.accept(request))
    server.data_to_send()

    def receive(chunk):
        server.receive_data(chunk)
        return server.events_received()

    return receive


def add_frames(row, data):
    """Sans-I/O connections that are given what a receive brought. Binary frames only: that of websockets does not look
    at text, its layers above do."""
    message_len = int(row.rpartition("/")[2])
    received = [data[at : at + RECEIVED] for at in range(0, len(data), RECEIVED)]
    receive = fastws.Connection(role="server").receive
    add("fastws", row, lambda count: count_messages(receive, received, message_len, count))
    receive_websockets = open_websockets()
    add("websockets", row, lambda count: count_messages(receive_websockets, received, message_len, count))


GROUPS = {"python_mask": add_mask, "python_masked": add_masked, "python_frames": add_frames}


def main(folder):
    folder = pathlib.Path(folder)
    print("peer fastws", fastws.__version__)
    for package in ("aiohttp", "websockets"):
        print("peer", package, importlib.metadata.version(package))
    print("note python", platform.python_version())
    for row in (folder / "rows").read_text().split():
        add_row = GROUPS.get(row.partition("/")[0])
        if add_row:
            add_row(row, (folder / row.replace("/", "-")).read_bytes())
    print("ready", flush=True)
    for question in sys.stdin:
        peer, row, count = question.split()
        run, count = cases[peer, row], int(count)
        run(count // 16 + 1)  # others had the caches since the last question
        begin = time.perf_counter_ns()
        done = run(count) or count
        print(time.perf_counter_ns() - begin, done, flush=True)


if __name__ == "__main__":
    main(sys.argv[1])
