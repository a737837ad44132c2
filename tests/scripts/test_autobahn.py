# SPDX-License-Identifier: MIT
"""scripts/autobahn: which cases each role gets, and that none passes but by its report. wstest is made up here."""

import itertools
import json
import os
import pathlib
import re
import shutil
import subprocess
import sys

import pytest

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "scripts" / "lib"))

import autobahn  # noqa: E402

# How many cases each group of the suite has; 12.* and 13.* are five and seven groups of 18.
PLAIN_GROUPS = {1: 16, 2: 11, 3: 7, 4: 10, 5: 20, 6: 145, 7: 37, 10: 1}
DEFLATE_CASES = {f"{a}.{b}.{c}" for a, last in ((12, 5), (13, 7)) for b in range(1, last + 1) for c in range(1, 19)}

# Reports every role as its name says: "bad" fails a case, "dead" dies, "slow" hangs, "late" waits for another role.
WSTEST = """#!%s
import json, pathlib, socket, sys, time
spec_path = pathlib.Path(sys.argv[sys.argv.index("--spec") + 1])
spec = json.loads(spec_path.read_text())
role = spec_path.parent.name
url = spec["servers"][0]["url"] if "servers" in spec else spec["url"]
if role.startswith("dead"):
    sys.exit(3)
if role.startswith("slow"):
    time.sleep(60)
until = time.monotonic() + 20
while role.startswith("late") and not (spec_path.parents[1] / "other").exists() and time.monotonic() < until:
    time.sleep(0.01)
good = {"behavior": "OK", "behaviorClose": "OK"}
cases = {str(number): dict(good) for number in range(1, 4)}
if role.startswith("bad"):
    cases["3"]["behaviorClose"] = "UNCLEAN"
if role.startswith("late") and time.monotonic() > until:
    del cases["3"]
pathlib.Path(spec["outdir"], "index.json").write_text(json.dumps({role: cases}))
if "servers" not in spec:
    host, port = url[5:].split(":")
    listener = socket.create_server((host, int(port)))
    time.sleep(60)
"""
SERVER = [sys.executable, "-c", "import time; print('listening on ws://127.0.0.1:1/', flush=True); time.sleep(60)"]
CLIENT = [sys.executable, "-c", "import sys; print(sys.argv[1:])"]
BROKEN_CLIENT = [sys.executable, "-c", "import sys; sys.exit(4)"]
BROKEN_SERVER = [sys.executable, "-c", "print('no address')"]


@pytest.fixture
def play(tmp_path, monkeypatch, capsys):
    """Plays made-up roles, three cases each. Returns the status, and what was printed about each role."""
    wstest = tmp_path / "wstest"
    wstest.write_text(WSTEST % sys.executable)
    wstest.chmod(0o755)

    def run(servers=(), clients=(), server=SERVER, client=CLIENT, short=True):
        monkeypatch.setattr(autobahn, "SERVERS", dict.fromkeys(servers, server))
        monkeypatch.setattr(autobahn, "CLIENTS", dict.fromkeys(clients, client))
        monkeypatch.setattr(autobahn, "ROLES", autobahn.SERVERS | autobahn.CLIENTS)
        monkeypatch.setattr(autobahn, "cases_of", lambda role, short: (["*"], 3))
        options = ["--short"] if short else []
        status = autobahn.main([*options, str(wstest), str(tmp_path / "reports"), *servers, *clients])
        printed = re.sub(r"^took \d+ s\n", "", capsys.readouterr().out, flags=re.MULTILINE)
        return status, [part.splitlines() for part in re.split("^Autobahn, ", printed, flags=re.MULTILINE)[1:]]

    return run


def test_unknown_options_are_refused_at_once():
    run = subprocess.run([ROOT / "scripts" / "autobahn", "--shrot"], capture_output=True, text=True, timeout=20)
    assert run.returncode == 1
    assert run.stdout == ""
    assert run.stderr.startswith("autobahn: usage: scripts/autobahn [--short] [ROLE...]")


@pytest.fixture
def tree(tmp_path):
    """A checkout in which everything is installed already."""
    (tmp_path / ".venv" / "bin").mkdir(parents=True)
    (tmp_path / ".venv" / "bin" / "python").symlink_to(sys.executable)
    shutil.copytree(ROOT / "scripts", tmp_path / "scripts")
    (tmp_path / "scripts" / "setup").write_text("#!/bin/sh\n")
    return tmp_path


@pytest.mark.parametrize("options", [[], ["--short"]])
def test_unknown_roles_are_refused_before_anything_is_built(tree, options):
    command = [tree / "scripts" / "autobahn", *options, "C", "asyncio"]
    run = subprocess.run(command, capture_output=True, text=True, timeout=60)
    assert run.returncode == 2
    assert run.stdout == ""
    assert "no role is called asyncio; there are: C, C-loop, Python, " in run.stderr
    assert not (tree / "build").exists()


def test_known_roles_are_not_refused(tmp_path):
    assert autobahn.main(["wstest", str(tmp_path / "reports"), "--check", *autobahn.ROLES]) == 0
    assert not (tmp_path / "reports").exists()


def test_both_drivers_are_there_in_both_roles():
    drivers = {"asyncio-protocol": "protocol", "asyncio-loop": "loop"}
    for role, driver in drivers.items():
        assert autobahn.SERVERS[role][1:] == ["examples/echo_asyncio.py", "--driver", driver]
        client = autobahn.CLIENTS[role + "-client"]
        assert client[1:] == ["examples/autobahn_client_asyncio.py", "--driver", driver]


@pytest.mark.parametrize("role", autobahn.ROLES)
def test_the_program_of_each_role_is_an_example(role):
    command = autobahn.ROLES[role]
    program = command[1] if command[0] == sys.executable else "examples/%s.c" % pathlib.Path(command[0]).name
    assert (ROOT / program).is_file()


@pytest.mark.parametrize("role", autobahn.ROLES)
def test_a_full_run_has_all_cases(role):
    assert autobahn.cases_of(role, False) == (["*"], sum(PLAIN_GROUPS.values()) + 54 + len(DEFLATE_CASES))


@pytest.mark.parametrize("role", autobahn.ROLES)
def test_a_short_run_has_every_plain_case_but_9_and_a_sample(role):
    """wstest hangs on the name of a case that does not exist."""
    patterns, count = autobahn.cases_of(role, True)
    plain = ["%d.*" % group for group in PLAIN_GROUPS]
    assert patterns[: len(plain)] == plain
    sample = patterns[len(plain) :]
    assert set(sample) <= DEFLATE_CASES
    assert count == sum(PLAIN_GROUPS.values()) + len(set(sample)) == (283 if role in ("C", "C-client") else 256)


@pytest.mark.parametrize("role", autobahn.ROLES)
def test_a_sample_has_all_parameters_and_fragments(role):
    sample = autobahn.cases_of(role, True)[0]
    assert {case.rpartition(".")[0] for case in sample} >= {f"13.{number}" for number in range(1, 8)}
    assert any(case.startswith("12.") and case.endswith(".11") for case in sample)


def test_the_sample_of_the_c_core_has_all_payloads():
    for role, size in itertools.product(("C", "C-client"), (1, 3, 11)):
        assert set(autobahn.cases_of(role, True)[0]) >= {f"12.{number}.{size}" for number in range(1, 6)}


def test_good_roles_pass(play, tmp_path):
    status, about = play(servers=["one"], clients=["two"])
    good = "3 cases: 3 OK, 0 INFORMATIONAL, 0 other"
    assert (status, about) == (0, [["one", good], ["two", good]])
    spec = json.loads((tmp_path / "reports" / "one" / "spec.json").read_text())
    assert (spec["cases"], spec["servers"]) == (["*"], [{"agent": "one", "url": "ws://127.0.0.1:1/"}])
    url = json.loads((tmp_path / "reports" / "two" / "spec.json").read_text())["url"]
    assert (tmp_path / "reports" / "two" / "client.log").read_text() == "['--agent', 'two', '%s']\n" % url


def test_reports_of_an_older_run_do_not_count(play, tmp_path):
    assert play(servers=["one"])[0] == 0
    status, about = play(servers=["dead"])
    assert status == 1
    assert os.listdir(tmp_path / "reports") == ["dead"]


@pytest.mark.parametrize("kind", ["servers", "clients"])
def test_a_case_that_is_not_good_fails_the_run_and_the_others_are_judged(play, kind):
    status, about = play(**{kind: ["bad", "good"]})
    assert status == 1
    assert about == [
        ["bad", "3: behavior OK, behaviorClose UNCLEAN", "3 cases: 2 OK, 0 INFORMATIONAL, 1 other"],
        ["good", "3 cases: 3 OK, 0 INFORMATIONAL, 0 other"],
    ]


@pytest.mark.parametrize("kind", ["servers", "clients"])
def test_a_suite_that_dies_fails_its_role_alone(play, kind):
    status, about = play(**{kind: ["dead", "good"]})
    assert status == 1
    assert [role[0] for role in about] == ["dead", "good"]
    assert about[0][1].startswith("wstest: status 3; " if kind == "servers" else "wstest does not listen; ")
    assert about[1][1] == "3 cases: 3 OK, 0 INFORMATIONAL, 0 other"


@pytest.mark.parametrize("short", [False, True])
def test_a_suite_that_hangs_is_ended(play, short, monkeypatch):
    monkeypatch.setattr(autobahn, "SECONDS", {short: 0.5, not short: 60})
    status, about = play(servers=["slow"], short=short)
    assert status == 1
    assert about[0][1].startswith("wstest: not done in time; ")


def test_a_client_that_fails_fails_the_run(play):
    status, about = play(clients=["good"], client=BROKEN_CLIENT)
    assert status == 1
    assert about[0][1].startswith("good: status 4; ")


def test_a_server_that_does_not_listen_fails_the_run(play):
    status, about = play(servers=["good"], server=BROKEN_SERVER)
    assert status == 1
    assert about[0][1].endswith("printed 'no address' instead of its address")


def test_roles_run_beside_each_other(play, monkeypatch):
    """The report of the first is good only if the second began before it was written."""
    monkeypatch.setattr(os, "sched_getaffinity", lambda process: {0, 1})
    assert play(servers=["late", "other"])[0] == 0


def test_ports_are_not_those_that_systems_choose():
    found = {autobahn.free_port() for _ in range(20)}
    assert len(found) == 20
    assert all(20000 <= port < 32768 for port in found)
