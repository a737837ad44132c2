# SPDX-License-Identifier: MIT
"""Loads echo servers side by side: CPU time of the server for each message, and messages a second.

    servers.py --load LOAD_ECHO --server NAME=COMMAND [--server NAME=COMMAND ...] [--rounds N] [--filter REGEX]

A server is any program that prints `listening on SCHEME://127.0.0.1:PORT/`, or the port alone, and echoes from then on:
WebSocket messages, or, where SCHEME is tcp, bytes. All of them run the whole time, each on --server-cpu, and the load
comes from a process of its own on --load-cpu. One round measures every server once for every case, in an order of its
own, and the median of all rounds counts; ratios are medians of the ratios within a round, since what disturbs a machine
lasts longer than one case.
"""

import argparse
import json
import random
import re
import shlex
import statistics
import subprocess
import sys

SIZES = (64, 1024, 65536)
CONNECTIONS = (1, 64, 1000)
IN_FLIGHT = (64, 64)  # connections, messages in flight on each of them
KINDS = ("text", "binary")
BASE = "raw"


def make_cases():
    """Yields (name, kind, connections, messages in flight, bytes)."""
    shapes = [(count, 1) for count in CONNECTIONS] + [IN_FLIGHT]
    for count, in_flight in shapes:
        for size in SIZES:
            for kind in KINDS:
                yield f"{kind}/{count}x{in_flight}/{size}", kind, count, in_flight, size


class Server:
    """A server that runs."""

    def __init__(self, name, command, cpu):
        self.name = name
        pinned = ["taskset", "-c", str(cpu), *shlex.split(command)]
        self.process = subprocess.Popen(pinned, stdout=subprocess.PIPE, text=True)
        line = self.process.stdout.readline()
        found = re.search(r"(?:(\w+)://[^:/]*:)?(\d+)/?$", line.strip())
        if not found:
            self.process.kill()
            raise SystemExit(f"servers.py: {name} printed {line!r}, and no address")
        self.is_raw = found[1] == "tcp"
        self.port = int(found[2])

    def measure(self, options, case):
        """Returns messages a second and microseconds of CPU each, or None where the server failed."""
        _, kind, connections, in_flight, size = case
        command = ["taskset", "-c", str(options.load_cpu), options.load, "raw" if self.is_raw else kind]
        numbers = (self.port, self.process.pid, connections, in_flight, size, options.seconds)
        command += map(str, numbers)
        limit = 60 + 10 * options.seconds
        run = subprocess.run(command, capture_output=True, text=True, timeout=limit, check=False)
        if run.returncode != 0:
            print(f"{self.name} {case[0]}: {run.stderr.strip()}", file=sys.stderr)
            return None
        rate, cpu = map(float, run.stdout.split())
        return rate, cpu

    def stop(self):
        self.process.kill()
        self.process.wait()


def measure_all(options, servers, cases):
    """Returns {case: {server: [(rate, CPU) or None of each round]}}."""
    times = {case[0]: {server.name: [] for server in servers} for case in cases}
    for number in range(options.rounds):
        for case in cases:
            for server in random.sample(servers, len(servers)):
                times[case[0]][server.name].append(server.measure(options, case))
        print(f"round {number + 1} of {options.rounds}", file=sys.stderr, flush=True)
    return times


def median_of(rounds, which):
    """The median of one of the two numbers, or None if no round worked."""
    values = [pair[which] for pair in rounds if pair]
    return statistics.median(values) if values else None


def ratio_of(rounds, base, which):
    """The median of the ratios to another server in the same round, or None."""
    values = [pair[which] / other[which] for pair, other in zip(rounds, base, strict=True) if pair and other]
    return statistics.median(values) if values else None


def cell_of(rounds, base, which):
    value, ratio = median_of(rounds, which), ratio_of(rounds, base, which)
    if value is None:
        return "failed"
    text = f"{value:.3g}" if which else f"{value / 1000:.4g}"
    return text if ratio is None or rounds is base else f"{text} ×{ratio:.2f}"


def print_table(title, times, names, base, which):
    print(f"\n{title}\n")
    print("| case | " + " | ".join(names) + " |")
    print("|---" * (len(names) + 1) + "|")
    for case, by_server in times.items():
        cells = [cell_of(by_server[name], by_server[base], which) for name in names]
        print(f"| {case} | " + " | ".join(cells) + " |")


def parse_arguments():
    parser = argparse.ArgumentParser(description="Loads echo servers side by side.")
    parser.add_argument("--load", required=True, help="the program load_echo")
    parser.add_argument("--server", action="append", required=True, metavar="NAME=COMMAND")
    parser.add_argument("--skipped", action="append", default=[], metavar="NAME: REASON")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=0.5)
    parser.add_argument("--filter", type=re.compile, default=re.compile(""))
    parser.add_argument("--server-cpu", type=int, default=0)
    parser.add_argument("--load-cpu", type=int, default=1)
    parser.add_argument("--json")
    parser.add_argument("--markdown", action="store_true", help="changes nothing: the tables are so")
    return parser.parse_args()


def main():
    options = parse_arguments()
    cases = [case for case in make_cases() if options.filter.search(case[0])]
    if not cases:
        raise SystemExit("servers.py: no case matches")
    servers = []
    try:
        for argument in options.server:
            name, command = argument.split("=", 1)
            servers.append(Server(name, command, options.server_cpu))
        times = measure_all(options, servers, cases)
    finally:
        for server in servers:
            server.stop()
    names = [server.name for server in servers]
    base = BASE if BASE in names else names[0]
    print_table(f"Microseconds of the server's CPU for each message, × {base}", times, names, base, 1)
    print_table(f"Thousands of messages a second, × {base}", times, names, base, 0)
    for skipped in options.skipped:
        print(f"SKIPPED {skipped}")
    if options.json:
        with open(options.json, "w", encoding="utf-8") as file:
            json.dump(times, file, indent=1)


if __name__ == "__main__":
    main()
