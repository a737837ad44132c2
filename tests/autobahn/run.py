# SPDX-License-Identifier: MIT
"""Runs the Autobahn suite's fuzzing client against echo servers, and judges what it found.

    python tests/autobahn/run.py WSTEST REPORTS short|full NAME=COMMAND...

Each COMMAND starts an example server: it is given `--port 0` and prints `listening on ws://127.0.0.1:PORT/`.
"""

import contextlib
import json
import os
import pathlib
import shlex
import shutil
import subprocess
import sys

import judge

# What each run leaves out and how many cases remain. 12.* and 13.* need permessage-deflate, which is not negotiated
# yet; 9.* (large and many messages) takes longer than all the rest.
COMPRESSION = ["12.*", "13.*"]
RUNS = {"short": (COMPRESSION + ["9.*"], 247), "full": (COMPRESSION, 301)}
SECONDS_PER_PEER = {"short": 180, "full": 900}


@contextlib.contextmanager
def echo_server(command):
    """Starts a server on a free port and yields its URL. It must still be running at the end."""
    server = subprocess.Popen(shlex.split(command) + ["--port", "0"], stdout=subprocess.PIPE, text=True)
    try:
        line = server.stdout.readline().strip()
        prefix = "listening on "
        if not line.startswith(prefix):
            sys.exit("%s printed %r instead of its address" % (command, line))
        yield line.removeprefix(prefix)
        if server.poll() is not None:
            sys.exit("%s died with status %d" % (command, server.returncode))
    finally:
        server.kill()
        server.wait()


def fuzz(wstest, reports, spec, seconds):
    """Runs wstest in a time limit: a mistake in its spec, or an exception in its reactor, would hang it for ever."""
    path = reports / "spec.json"
    path.write_text(json.dumps(spec))
    with open(reports / "wstest.log", "w", encoding="utf-8") as log:
        try:
            subprocess.run(
                [wstest, "--mode", "fuzzingclient", "--spec", path],
                stdout=log, stderr=subprocess.STDOUT, timeout=seconds, check=True,
                env={**os.environ, "PYTHONUNBUFFERED": "1"},
            )
        except subprocess.SubprocessError as error:
            print("wstest: %s; its output is in %s" % (error, log.name))


def main(arguments):
    if len(arguments) < 4 or arguments[2] not in RUNS:
        sys.exit(__doc__)
    wstest, reports, run = arguments[0], pathlib.Path(arguments[1]).resolve(), arguments[2]
    excluded, cases = RUNS[run]
    shutil.rmtree(reports, ignore_errors=True)  # Old case files would stay there.
    reports.mkdir(parents=True)
    with contextlib.ExitStack() as servers:
        spec = {"outdir": str(reports), "servers": [], "cases": ["*"], "exclude-cases": excluded, "exclude-agent-cases": {}}
        for server in arguments[3:]:
            name, _, command = server.partition("=")
            spec["servers"].append({"agent": name, "url": servers.enter_context(echo_server(command))})
        fuzz(wstest, reports, spec, SECONDS_PER_PEER[run] * len(spec["servers"]))
    passed, lines = judge.judge(reports / "index.json", cases)
    peers = sum(line.startswith("Autobahn, ") for line in lines)
    print("\n".join(lines))
    return 0 if passed and peers == len(spec["servers"]) else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
