# SPDX-License-Identifier: MIT
"""The program behind scripts/peers --servers, with a load and servers made up here."""

import json
import pathlib
import subprocess
import sys
import textwrap

import pytest

PROGRAM = pathlib.Path(__file__).resolve().parents[2] / "bench" / "peers" / "servers.py"

SERVER = "import time; print({line!r}, flush=True); time.sleep(60)"


@pytest.fixture
def load(tmp_path):
    """A load that answers by the port of its server: 1 is twice as fast as 2, and 3 fails."""
    path = tmp_path / "load"
    path.write_text(
        textwrap.dedent(
            f"""\
            #!{sys.executable}
            import sys
            kind, port, pid, connections, in_flight, size, seconds = sys.argv[1:]
            assert (kind == "raw") == (port == "1"), sys.argv
            assert int(pid) > 1 and float(seconds) > 0
            if port == "3":
                sys.exit("the server closed")
            print(100000 // int(port), 2.5 * int(port))
            """
        )
    )
    path.chmod(0o755)
    return path


def server(name, line):
    return f"--server={name}={sys.executable} -c '{SERVER.format(line=line).replace(chr(39), chr(34))}'"


def run(load, *arguments):
    command = [sys.executable, PROGRAM, "--load", load, "--server-cpu", "0", "--load-cpu", "0", *arguments]
    return subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)


def test_prints_medians_and_ratios(load, tmp_path):
    out = tmp_path / "times.json"
    result = run(
        load,
        server("raw", "listening on tcp://127.0.0.1:1/"),
        server("ours", "listening on ws://127.0.0.1:2/"),
        server("port-alone", "2"),
        server("broken", "listening on ws://127.0.0.1:3/"),
        "--rounds=2",
        "--filter=binary/1x1/64$",
        f"--json={out}",
        "--skipped=other: no tool here",
    )
    assert result.returncode == 0, result.stderr
    assert "| case | raw | ours | port-alone | broken |" in result.stdout
    assert "| binary/1x1/64 | 2.5 | 5 ×2.00 | 5 ×2.00 | failed |" in result.stdout
    assert "| binary/1x1/64 | 100 | 50 ×0.50 | 50 ×0.50 | failed |" in result.stdout
    assert "SKIPPED other: no tool here" in result.stdout
    times = json.loads(out.read_text())
    assert times["binary/1x1/64"]["ours"] == [[50000, 5.0]] * 2
    assert times["binary/1x1/64"]["broken"] == [None, None]
    assert "the server closed" in result.stderr


def test_refuses_a_server_without_an_address_and_a_filter_without_cases(load):
    result = run(load, server("mute", "hello"), "--filter=binary/1x1/64$")
    assert result.returncode != 0
    assert "mute printed" in result.stderr
    result = run(load, server("raw", "tcp://127.0.0.1:1/"), "--filter=nothing")
    assert result.returncode != 0
    assert "no case matches" in result.stderr


def test_has_every_case_of_the_goals(load):
    result = run(load, server("raw", "tcp://127.0.0.1:1/"), "--rounds=1")
    for shape in ("1x1", "64x1", "1000x1", "64x64"):
        for size in (64, 1024, 65536):
            for kind in ("text", "binary"):
                assert f"| {kind}/{shape}/{size} |" in result.stdout
