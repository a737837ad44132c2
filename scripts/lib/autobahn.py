# SPDX-License-Identifier: MIT
"""Runs the Autobahn suite: its fuzzing client against the C and the Python echo server, its fuzzing server against the
C and the Python client.

    python scripts/lib/autobahn.py WSTEST REPORTS SECONDS [EXCLUDED CASES...]

Each of the two has SECONDS. Leaves REPORTS/servers/index.json and REPORTS/clients/index.json, which
tests/autobahn/judge.py judges: wstest exits 0 whatever it finds.
"""

import contextlib
import json
import os
import pathlib
import shutil
import socket
import subprocess
import sys
import time

from example_server import example_server

SECONDS_TO_START = 30


def start(wstest, folder, mode, spec):
    """Starts wstest. Returns the process and the file with its output."""
    folder.mkdir(parents=True)
    path = folder / "spec.json"
    spec = {"outdir": str(folder), "cases": ["*"], "exclude-agent-cases": {}, **spec}
    path.write_text(json.dumps(spec), encoding="utf-8")
    log = folder / "wstest.log"
    with open(log, "w", encoding="utf-8") as output:
        command = [wstest, "--mode", mode, "--spec", path, "--webport", "0"]
        environment = {**os.environ, "PYTHONUNBUFFERED": "1"}
        return subprocess.Popen(command, stdout=output, stderr=subprocess.STDOUT, env=environment), log


@contextlib.contextmanager
def ended(processes):
    """Ends what still runs: a mistake in its spec, or an exception in its reactor, would have wstest hang for ever."""
    try:
        yield
    finally:
        for process in processes:
            process.kill()
            process.wait()


def wait(process, name, log, until):
    try:
        status = process.wait(max(0, until - time.monotonic()))
    except subprocess.TimeoutExpired:
        sys.exit("%s: not done in time; its output is in %s" % (name, log))
    if status != 0:
        sys.exit("%s: status %d; its output is in %s" % (name, status, log))


def fuzz_servers(wstest, folder, seconds, excluded):
    until = time.monotonic() + seconds
    with (
        open(folder.parent / "servers.log", "w", encoding="utf-8") as errors,
        example_server("build/examples/echo", errors=errors) as c,
        example_server(sys.executable, "examples/echo.py", errors=errors) as python,
    ):
        servers = [{"agent": "C", "url": c}, {"agent": "Python", "url": python}]
        process, log = start(wstest, folder, "fuzzingclient", {"servers": servers, "exclude-cases": excluded})
        with ended([process]):
            wait(process, "wstest", log, until)


def free_port():
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return listener.getsockname()[1]


def wait_until_it_listens(process, port, log):
    until = time.monotonic() + SECONDS_TO_START
    while process.poll() is None and time.monotonic() < until:
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=1):
            return
        time.sleep(0.1)
    sys.exit("wstest does not listen; its output is in %s" % log)


def fuzz_clients(wstest, folder, seconds, excluded):
    """Runs one client after the other. Each has the server write the report of all that it has seen."""
    until = time.monotonic() + seconds
    port = free_port()
    url = "ws://127.0.0.1:%d" % port
    clients = {
        "C-client": ["build/examples/autobahn_client"],
        "Python-client": [sys.executable, "examples/autobahn_client.py"],
    }
    process, log = start(wstest, folder, "fuzzingserver", {"url": url, "exclude-cases": excluded})
    with ended([process]), open(folder.parent / "clients.log", "w", encoding="utf-8") as output:
        wait_until_it_listens(process, port, log)
        for name, command in clients.items():
            client = subprocess.Popen([*command, "--agent", name, url], stdout=output, stderr=output)
            with ended([client]):
                wait(client, name, output.name, until)


def main(arguments):
    if len(arguments) < 3:
        sys.exit(__doc__)
    wstest, reports, seconds = arguments[0], pathlib.Path(arguments[1]).resolve(), float(arguments[2])
    shutil.rmtree(reports, ignore_errors=True)  # wstest would leave the files of an older run in place.
    reports.mkdir(parents=True)
    fuzz_servers(wstest, reports / "servers", seconds, arguments[3:])
    fuzz_clients(wstest, reports / "clients", seconds, arguments[3:])


if __name__ == "__main__":
    main(sys.argv[1:])
