# SPDX-License-Identifier: MIT
"""Loads servers side by side: echoes, broadcasts, idle connections.

    servers.py [--load LOAD_ECHO --server NAME=COMMAND ...] [--idle NAME=COMMAND ...]
               [--broadcast-load LOAD_BROADCAST --broadcast NAME=COMMAND ...] [--rounds N] [--filter REGEX] ...

A server is any program that prints `listening on SCHEME://127.0.0.1:PORT/`, or the port alone, and serves from then on:
WebSocket messages, or, where SCHEME is tcp, bytes. All of them run the whole time, each on --server-cpu, and the load
comes from a process of its own on --load-cpu; both inherit the priority of this program. One round measures every
server once for every case, in an order of its own, and the median of all rounds counts; ratios are medians of the
ratios within a round, since what disturbs a machine lasts longer than one case. Idle connections are opened once, at a
server of their own.
"""

import argparse
import json
import os
import re
import signal
import sys
from functools import partial
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))

from serving import broadcast, echo, idle, tables  # noqa: E402
from serving.goals import verdicts  # noqa: E402
from serving.process import Server  # noqa: E402
from serving.rounds import measure_all  # noqa: E402


def named(argument):
    name, _, command = argument.partition("=")
    if not command:
        raise argparse.ArgumentTypeError(f"{argument} is not NAME=COMMAND")
    return name, command


def names(argument):
    """A pattern that matches names as a whole: regular expressions, commas between them."""
    return re.compile("|".join(f"(?:{name})" for name in argument.split(",")))


def parse_arguments():
    cpus = sorted(os.sched_getaffinity(0))
    parser = argparse.ArgumentParser(description="Loads servers side by side.")
    parser.add_argument("--load", help="the program load_echo")
    parser.add_argument("--server", action="append", default=[], type=named, metavar="NAME=COMMAND")
    parser.add_argument("--broadcast-load", help="the program load_broadcast")
    parser.add_argument("--broadcast", action="append", default=[], type=named, metavar="NAME=COMMAND")
    parser.add_argument("--idle", action="append", default=[], type=named, metavar="NAME=COMMAND")
    parser.add_argument("--connections", type=int, default=idle.CONNECTIONS, help="that are idle")
    parser.add_argument("--skipped", action="append", default=[], metavar="NAME: REASON")
    parser.add_argument("--only", type=names, default=re.compile(".*"), metavar="REGEX,...")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=0.3, help="of load for one sample")
    parser.add_argument("--filter", type=re.compile, default=re.compile(""), metavar="REGEX")
    parser.add_argument("--server-cpu", type=int, default=cpus[-1])
    parser.add_argument("--load-cpu", type=int, default=cpus[0])
    parser.add_argument("--json", type=Path)
    parser.add_argument("--markdown", action="store_true", help="tables for a document")
    return parser.parse_args()


def choose(options, commands, cases):
    """The cases and the servers that are wanted; no servers where there is no case for them."""
    wanted = [case for case in cases if options.filter.search(case[0])]
    return wanted, [(name, command) for name, command in commands if options.only.fullmatch(name)] if wanted else []


def measure(options, load, commands, cases, how):
    """Starts servers, measures them, and stops them. Returns their times."""
    wanted, chosen = choose(options, commands, cases)
    servers = []
    try:
        for name, command in chosen:
            servers.append(Server(name, command, options.server_cpu))
        pinned = ["taskset", "-c", str(options.load_cpu), load]
        return measure_all(options.rounds, servers, wanted, partial(how, pinned, options.seconds)) if servers else {}
    finally:
        for server in servers:
            server.stop()


def measure_idle(options, count):
    """Returns the bytes of a connection by server."""
    chosen = choose(options, options.idle, [(idle.CASE,)])[1]
    return {name: idle.measure(name, command, options.server_cpu, count) for name, command in chosen}


def show(options, times, held, count):
    render = tables.markdown if options.markdown else tables.text
    for table in tables.tables(times, held, count, is_compact=options.markdown):
        print(render(table), end="\n\n")
    for note in tables.notes(times):
        print(note)
    found = list(verdicts(times, held))
    if options.markdown and found:
        print(tables.markdown(tables.goal_table(found)), end="\n\n")
    elif found:
        print("\n".join(tables.goal_lines(found)))
    for skipped in options.skipped:
        print(f"SKIPPED {skipped}")
    return found


def main():
    options = parse_arguments()
    signal.signal(signal.SIGTERM, lambda number, frame: sys.exit(128 + number))  # servers would outlive this program
    count = idle.raise_limit(options.connections)
    held = measure_idle(options, count)
    times = measure(options, options.load, options.server, echo.make_cases(), echo.measure)
    times |= measure(options, options.broadcast_load, options.broadcast, broadcast.make_cases(), broadcast.measure)
    if not times and not held:
        raise SystemExit("servers.py: no case and no server matches")
    found = show(options, times, held, count)
    if options.json:
        results = {"times": times, "idle": held, "connections": count, "skipped": options.skipped}
        results["goals"] = [verdict._asdict() for verdict in found]
        options.json.write_text(json.dumps(results, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
