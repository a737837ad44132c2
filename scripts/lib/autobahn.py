# SPDX-License-Identifier: MIT
"""Runs the Autobahn suite: its fuzzing client against the echo servers of examples, its fuzzing server against their
clients, each with a wstest of its own, and as many at a time as there are processors.

    python scripts/lib/autobahn.py [--short] [--check] WSTEST REPORTS [ROLE...]

Leaves REPORTS/ROLE/index.json and prints what tests/autobahn/judge.py says about it: wstest exits 0 whatever it finds.
--short leaves out 9.*, and takes a sample of 12.* and 13.*; --check only looks whether there are such roles.
"""

import argparse
import concurrent.futures
import contextlib
import functools
import itertools
import json
import os
import pathlib
import shutil
import socket
import subprocess
import sys
import time

from example_server import example_server

JUDGE = pathlib.Path(__file__).resolve().parents[2] / "tests" / "autobahn" / "judge.py"
SECONDS = {False: 14400, True: 450}  # for a role, if it is short
SECONDS_TO_START = 30

# How long wstest waits for a close frame, and as client for the end of TCP: by default for 1 s, which a peer on a busy
# machine may miss. What it finds stays the same.
PATIENCE = {"closeHandshakeTimeout": 10}
PATIENCE_OF_CLIENT = {**PATIENCE, "serverConnectionDropTimeout": 10}

SERVERS = {
    "C": ["build/examples/echo"],
    "C-loop": ["build/examples/echo_loop"],
    "Python": [sys.executable, "examples/echo.py"],
    "asyncio-protocol": [sys.executable, "examples/echo_asyncio.py", "--driver", "protocol"],
    "asyncio-loop": [sys.executable, "examples/echo_asyncio.py", "--driver", "loop"],
}
CLIENTS = {
    "C-client": ["build/examples/autobahn_client"],
    "Python-client": [sys.executable, "examples/autobahn_client.py"],
    "asyncio-protocol-client": [sys.executable, "examples/autobahn_client_asyncio.py", "--driver", "protocol"],
    "asyncio-loop-client": [sys.executable, "examples/autobahn_client_asyncio.py", "--driver", "loop"],
}
ROLES = SERVERS | CLIENTS

# 12.* has five payloads, 13.* seven sets of parameters. Of each, 1 is a thousand messages of 16 bytes, 3 of 256 bytes,
# 11 of 8 KiB in fragments. All roles have the codec of the C library: C tries each payload and each set with all three,
# the others each set, binary messages and fragments once.
PLAIN, PLAIN_COUNT = ["1.*", "2.*", "3.*", "4.*", "5.*", "6.*", "7.*", "10.*"], 247
DEFLATE = [*(f"12.{n}" for n in range(1, 6)), *(f"13.{n}" for n in range(1, 8))]
WIDE_SAMPLE = [f"{group}.{size}" for group in DEFLATE for size in (1, 3, 11)]
SAMPLE = ["12.1.11", "12.2.1", *(f"13.{n}.1" for n in range(1, 8))]


def cases_of(role, short):
    """Returns the patterns of the cases that a role has to pass, and how many cases these are."""
    if not short:
        return ["*"], 517
    sample = WIDE_SAMPLE if role in ("C", "C-client") else SAMPLE
    return PLAIN + sample, PLAIN_COUNT + len(sample)


def start(wstest, folder, mode, spec):
    """Starts wstest. Returns the process and the file with its output."""
    path = folder / "spec.json"
    path.write_text(json.dumps({"outdir": str(folder), "exclude-agent-cases": {}, **spec}), encoding="utf-8")
    log = folder / "wstest.log"
    with open(log, "w", encoding="utf-8") as output:
        command = [wstest, "--mode", mode, "--spec", path, "--webport", "0"]
        environment = {**os.environ, "PYTHONUNBUFFERED": "1"}
        return subprocess.Popen(command, stdout=output, stderr=subprocess.STDOUT, env=environment), log


@contextlib.contextmanager
def ended(process):
    """Ends what still runs: a mistake in its spec, or an exception in its reactor, would have wstest hang for ever."""
    try:
        yield
    finally:
        process.kill()
        process.wait()


def wait(process, name, log, until):
    try:
        status = process.wait(max(0, until - time.monotonic()))
    except subprocess.TimeoutExpired:
        sys.exit("%s: not done in time; its output is in %s" % (name, log))
    if status != 0:
        sys.exit("%s: status %d; its output is in %s" % (name, status, log))


def fuzz_server(wstest, folder, role, cases, until):
    with (
        open(folder / "server.log", "w", encoding="utf-8") as errors,
        example_server(*SERVERS[role], errors=errors) as url,
    ):
        spec = {"servers": [{"agent": role, "url": url}], "cases": cases, "options": PATIENCE_OF_CLIENT}
        process, log = start(wstest, folder, "fuzzingclient", spec)
        with ended(process):
            wait(process, "wstest", log, until)


# wstest needs to be told its port, and listens after a while. Systems choose ports from 32768 on, so that none of the
# connections of other roles takes it meanwhile.
ports = itertools.count(20000 + os.getpid() % 10000)


def free_port():
    for port in ports:
        with contextlib.suppress(OSError), socket.create_server(("127.0.0.1", port)):
            return port


def wait_until_it_listens(process, port, log):
    until = time.monotonic() + SECONDS_TO_START
    while process.poll() is None and time.monotonic() < until:
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=1):
            return
        time.sleep(0.1)
    sys.exit("wstest does not listen; its output is in %s" % log)


def fuzz_client(wstest, folder, role, cases, until):
    port = free_port()
    url = "ws://127.0.0.1:%d" % port
    process, log = start(wstest, folder, "fuzzingserver", {"url": url, "cases": cases, "options": PATIENCE})
    with ended(process), open(folder / "client.log", "w", encoding="utf-8") as output:
        wait_until_it_listens(process, port, log)
        client = subprocess.Popen([*CLIENTS[role], "--agent", role, url], stdout=output, stderr=output)
        with ended(client):
            wait(client, role, output.name, until)


def play(wstest, reports, short, role):
    """Runs a role. Returns whether it passed, and the lines to print about it."""
    cases, count = cases_of(role, short)
    folder = reports / role
    folder.mkdir(parents=True)
    begin = time.monotonic()
    fuzz = fuzz_server if role in SERVERS else fuzz_client
    try:
        fuzz(wstest, folder, role, cases, begin + SECONDS[short])
    except SystemExit as error:  # the other roles go on
        return False, ["Autobahn, %s" % role, str(error)]
    command = [sys.executable, JUDGE, folder / "index.json", str(count), role]
    judge = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=False)
    return judge.returncode == 0, [*judge.stdout.splitlines(), "took %d s" % (time.monotonic() - begin)]


def play_all(wstest, reports, short, roles):
    """Runs roles beside each other. Returns the status to exit with."""
    status = 0
    with concurrent.futures.ThreadPoolExecutor(len(os.sched_getaffinity(0))) as pool:
        for passed, lines in pool.map(functools.partial(play, wstest, reports, short), roles):
            print("\n".join(lines), flush=True)
            status = status if passed else 1
    return status


def main(arguments):
    parser = argparse.ArgumentParser(prog="scripts/autobahn", usage="%(prog)s [--short] [ROLE...]")
    parser.add_argument("--short", action="store_true", help="without 9.*, and with a sample of 12.* and 13.*")
    parser.add_argument("--check", action="store_true", help="only look whether there are such roles")
    parser.add_argument("wstest")
    parser.add_argument("reports", type=pathlib.Path)
    parser.add_argument("roles", nargs="*", metavar="role", help="one of: %s; all by default" % ", ".join(ROLES))
    options = parser.parse_intermixed_args(arguments)
    unknown = [role for role in options.roles if role not in ROLES]
    if unknown:
        parser.error("no role is called %s; there are: %s" % (unknown[0], ", ".join(ROLES)))
    if options.check:
        return 0
    shutil.rmtree(options.reports, ignore_errors=True)  # wstest would leave the files of an older run in place.
    return play_all(options.wstest, options.reports.resolve(), options.short, options.roles or list(ROLES))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
