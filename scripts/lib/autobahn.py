# SPDX-License-Identifier: MIT
"""Runs the Autobahn suite's fuzzing client against the C and the Python echo server.

    python scripts/lib/autobahn.py WSTEST REPORTS SECONDS [EXCLUDED CASES...]

Leaves REPORTS/index.json, which tests/autobahn/judge.py judges: wstest exits 0 whatever it finds.
"""

import json
import os
import pathlib
import shutil
import subprocess
import sys

from example_server import example_server


def fuzz(wstest, reports, spec, seconds):
    """Runs wstest in a time limit: a mistake in its spec, or an exception in its reactor, would hang it for ever."""
    path = reports / "spec.json"
    path.write_text(json.dumps(spec), encoding="utf-8")
    with open(reports / "wstest.log", "w", encoding="utf-8") as log:
        try:
            subprocess.run(
                [wstest, "--mode", "fuzzingclient", "--spec", path],
                stdout=log, stderr=subprocess.STDOUT, timeout=seconds, check=True,
                env={**os.environ, "PYTHONUNBUFFERED": "1"},
            )
        except subprocess.SubprocessError as error:
            sys.exit("wstest: %s; its output is in %s" % (error, log.name))


def main(arguments):
    if len(arguments) < 3:
        sys.exit(__doc__)
    wstest, reports, seconds = arguments[0], pathlib.Path(arguments[1]).resolve(), float(arguments[2])
    shutil.rmtree(reports, ignore_errors=True)  # wstest would leave the files of an older run in place.
    reports.mkdir(parents=True)
    with (
        open(reports / "servers.log", "w", encoding="utf-8") as errors,
        example_server("build/examples/echo", errors=errors) as c,
        example_server(sys.executable, "examples/echo.py", errors=errors) as python,
    ):
        spec = {
            "outdir": str(reports),
            "servers": [{"agent": "C", "url": c}, {"agent": "Python", "url": python}],
            "cases": ["*"],
            "exclude-cases": arguments[3:],
            "exclude-agent-cases": {},
        }
        fuzz(wstest, reports, spec, seconds)


if __name__ == "__main__":
    main(sys.argv[1:])
