# SPDX-License-Identifier: MIT
"""The program behind scripts/peers --servers, with loads and servers made up here: what it starts, asks, and prints."""

import json
import pathlib
import subprocess
import sys
import textwrap

import pytest

PROGRAM = pathlib.Path(__file__).resolve().parents[2] / "bench" / "peers" / "servers.py"

SERVER = "import time; print({line!r}, flush=True); time.sleep(60)"


ECHO = "kind, port, pid, connections, in_flight, size, seconds = sys.argv[1:]"
BROADCAST = "port, pid, connections, size, seconds = sys.argv[1:]"


def made_up_load(path, arguments):
    """A load that answers by the port of its server: 1 is twice as fast as 2, and 3 fails. That of 4 is full itself."""
    path.write_text(
        textwrap.dedent(
            f"""\
            #!{sys.executable}
            import sys
            {arguments}
            assert int(pid) > 1 and float(seconds) > 0 and int(connections) and int(size)
            if port == "3":
                sys.exit("the server closed")
            print(100000 / int(port), 2.5 * int(port), 0.99 if port == "4" else 0.5)
            """
        )
    )
    path.chmod(0o755)
    return path


@pytest.fixture
def load(tmp_path):
    return made_up_load(tmp_path / "load_echo", ECHO + '; assert (kind == "raw") == (port == "1"), sys.argv')


@pytest.fixture
def broadcast_load(tmp_path):
    return made_up_load(tmp_path / "load_broadcast", BROADCAST)


def server(name, line, option="--server"):
    return f"{option}={name}={sys.executable} -c '{SERVER.format(line=line).replace(chr(39), chr(34))}'"


RAW = server("raw", "listening on tcp://127.0.0.1:1/")


def run(*arguments):
    command = [sys.executable, PROGRAM, "--server-cpu", "0", "--load-cpu", "0", *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)


def cells(output, name):
    """The cells of the lines that begin with a name, from tables in Markdown."""
    lines = [line.strip("| ").split(" | ") for line in output.splitlines() if line.startswith(f"| {name} |")]
    return [line[1:] for line in lines]


def test_prints_medians_and_ratios(load, tmp_path):
    out = tmp_path / "times.json"
    result = run(
        "--load",
        load,
        RAW,
        server("ours", "listening on ws://127.0.0.1:2/"),
        server("port-alone", "2"),
        server("broken", "listening on ws://127.0.0.1:3/"),
        "--rounds=2",
        "--filter=binary/64x64/64$",
        f"--json={out}",
        "--markdown",
        "--skipped=other: no tool here",
    )
    assert result.returncode == 0, result.stderr
    assert cells(result.stdout, "raw") == [["2.5"], ["100"]]
    assert cells(result.stdout, "ours") == cells(result.stdout, "port-alone") == [["5 ×2.00"], ["50 ×0.50"]]
    assert cells(result.stdout, "broken") == [["failed"], ["failed"]]
    assert "SKIPPED other: no tool here" in result.stdout
    times = json.loads(out.read_text())["times"]
    assert times["binary/64x64/64"]["ours"] == [[50000, 5.0, 0.5]] * 2
    assert times["binary/64x64/64"]["broken"] == [None, None]
    assert "the server closed" in result.stderr


def test_a_terminal_gets_the_same_with_every_rate(load):
    result = run("--load", load, RAW, server("ours", "2"), "--rounds=1", "--filter=binary/1x1/64$")
    lines = [line.split() for line in result.stdout.splitlines()]
    assert ["raw", "2.5"] in lines and ["ours", "5", "×2.00"] in lines
    assert ["raw", "100"] in lines and ["ours", "50", "×0.50"] in lines
    assert "|" not in result.stdout


def test_says_where_the_load_was_the_limit(load):
    result = run("--load", load, RAW, server("quick", "4"), "--rounds=1", "--filter=text/64x64/64$", "--markdown")
    assert cells(result.stdout, "quick")[1] == ["~25 ×0.25"]
    assert "~ the load was busier than the server" in result.stdout
    assert "quick text/64x64/64" in result.stdout
    load.write_text(load.read_text().replace("2.5 * int(port)", "10.0 * int(port)"))
    result = run("--load", load, RAW, server("quick", "4"), "--rounds=1", "--filter=text/64x64/64$", "--markdown")
    assert cells(result.stdout, "quick")[1] == ["25 ×0.25"], "a server that is as busy sets the pace"
    assert "~" not in result.stdout


def test_broadcasts_have_a_table_of_their_own(broadcast_load):
    servers = [server("fastws", "1", "--broadcast"), server("websockets", "2", "--broadcast")]
    result = run("--broadcast-load", broadcast_load, *servers, "--rounds=1", "--markdown", "--filter=1000/1024")
    assert cells(result.stdout, "fastws") == [["2.5", "10"]], result.stderr
    assert cells(result.stdout, "websockets") == [["5 ×2.00", "20"]]


def test_idle_connections_are_weighed_at_servers_of_their_own(tmp_path):
    program = PROGRAM.parent / "python" / "echo_websockets.py"
    out = tmp_path / "held.json"
    result = run(f"--idle=websockets={sys.executable} {program}", "--connections=40", "--markdown", f"--json={out}")
    assert result.returncode == 0, result.stderr
    held = json.loads(out.read_text())["idle"]["websockets"]
    assert 1000 < held < 100_000
    assert "40 idle connections" in result.stdout
    assert cells(result.stdout, "websockets") == [[f"{held:.0f}"]]


def test_only_the_servers_named_are_started(load):
    servers = [RAW, server("fastws", "2"), server("fastws-callbacks", "2"), server("mute", "hello")]
    result = run("--load", load, *servers, "--rounds=1", "--filter=text/1x1/64$", "--markdown", "--only=raw,.*-call.*")
    assert result.returncode == 0, result.stderr
    assert cells(result.stdout, "raw") and cells(result.stdout, "fastws-callbacks")
    assert not cells(result.stdout, "fastws") and "mute" not in result.stdout


def test_refuses_what_cannot_be_measured(load):
    result = run("--load", load, server("mute", "hello"), "--filter=binary/1x1/64$")
    assert result.returncode != 0
    assert "mute printed" in result.stderr
    for nothing in ("--filter=nothing", "--only=nothing"):
        result = run("--load", load, RAW, nothing)
        assert result.returncode != 0
        assert "no case and no server matches" in result.stderr
    result = run("--load", load, "--server=without-a-command")
    assert result.returncode != 0
    assert "is not NAME=COMMAND" in result.stderr


def test_has_every_case_of_the_goals(load, tmp_path):
    out = tmp_path / "times.json"
    result = run("--load", load, RAW, "--rounds=1", f"--json={out}", "--markdown")
    times = json.loads(out.read_text())["times"]
    for shape in ("1x1", "64x1", "1000x1", "64x64"):
        for size in (64, 1024, 65536):
            for kind in ("text", "binary"):
                assert f"{kind}/{shape}/{size}" in times
    assert [len(line) for line in cells(result.stdout, "raw")] == [6] * 5, "four shapes, and rates of one"
