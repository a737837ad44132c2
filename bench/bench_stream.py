#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Measures Stream.send() and Stream.recv() over a socket pair, beside bare socket.send() and socket.recv().

One thread sends and receives in turn. Sides are taken in turn too, and the least time of all rounds is printed: what
disturbs the machine for a while disturbs both. scripts/bench runs it and knows the goal.
"""

import argparse
import json
import math
import re
import socket
import sys
import time
from collections.abc import Callable, Sequence

import fastws

SIZES = (64, 4096)
CALLS = 500


def bare(size: int) -> Callable[[int], None]:
    """Sends and receives through sockets alone."""
    ours, theirs = socket.socketpair()
    payload = bytes(size)

    def run(count: int) -> None:
        send, recv = ours.send, theirs.recv
        for _ in range(count):
            send(payload)
            recv(65536)

    return run


def streams(message: str | bytes, *, from_client: bool) -> Callable[[int], None]:
    """Sends and receives messages from one end to the other."""
    ours, theirs = socket.socketpair()
    ends = fastws.Stream(ours, "server"), fastws.Stream(theirs, "client")
    sender, receiver = reversed(ends) if from_client else ends

    def run(count: int) -> None:
        send, recv = sender.send, receiver.recv
        for _ in range(count):
            send(message)
            recv()

    return run


def sides(size: int) -> dict[str, Callable[[int], None]]:
    """What is measured for one size; the first is what the others are compared with."""
    return {
        f"python/socket/{size}": bare(size),
        f"python/stream/server/binary/{size}": streams(bytes(size), from_client=False),
        f"python/stream/client/binary/{size}": streams(bytes(size), from_client=True),
        f"python/stream/server/text/{size}": streams("x" * size, from_client=False),
        f"python/stream/client/text/{size}": streams("x" * size, from_client=True),
    }


def choose(runs: dict[str, Callable[[int], None]], pattern: str) -> dict[str, Callable[[int], None]]:
    """Returns the runs whose names match, with the first, which they are compared with; nothing if none does."""
    first, *others = runs
    chosen = [name for name in others if re.search(pattern, name)]
    return {name: runs[name] for name in [first, *chosen]} if chosen or re.search(pattern, first) else {}


def measure(runs: dict[str, Callable[[int], None]], rounds: int) -> dict[str, float]:
    """Returns the least nanoseconds that one send and one receive take, for each side."""
    least = dict.fromkeys(runs, math.inf)
    for _ in range(rounds):
        for name, run in runs.items():
            start = time.perf_counter_ns()
            run(CALLS)
            least[name] = min(least[name], (time.perf_counter_ns() - start) / CALLS)
    return least


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs the command. Returns its exit code."""
    parser = argparse.ArgumentParser(description="Measures Stream beside bare sockets.")
    parser.add_argument("--rounds", type=int, default=200, help="(default: %(default)s)")
    parser.add_argument("--filter", default=".", metavar="REGEX", help="measure what matches")
    parser.add_argument("--json", action="store_true", help="print numbers for programs")
    options = parser.parse_args(arguments)
    results = []
    for size in SIZES:
        least = measure(choose(sides(size), options.filter), max(1, options.rounds))
        base = next(iter(least.values()), math.nan)
        results += [{"name": name, "bytes": size, "ns": ns, "ratio": ns / base} for name, ns in least.items()]
    if options.json:
        print(json.dumps({"version": fastws.__version__, "isa": fastws.isa(), "results": results}, indent=2))
    else:
        print(f"{'send() and recv()':<32}{'ns':>8}{'of bare':>10}")
        for result in results:
            print(f"{result['name']:<32}{result['ns']:>8.0f}{result['ratio']:>10.2f}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
