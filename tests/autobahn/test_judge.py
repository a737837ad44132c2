# SPDX-License-Identifier: MIT
"""The judge of Autobahn reports, on reports made up here: it must pass the good ones and nothing else."""

import json
import pathlib
import subprocess
import sys

import pytest

JUDGE = pathlib.Path(__file__).with_name("judge.py")


def outcome(behavior="OK", close="OK", **more):
    return {"behavior": behavior, "behaviorClose": close, **more}


def run(folder, peers, expected):
    """Writes a report and judges every peer in it. Returns the exit status and the lines printed."""
    index = folder / "index.json"
    index.write_text(json.dumps(peers))
    return run_on(index, expected, *peers)


def run_on(index, expected, *agents):
    command = [sys.executable, JUDGE, index, str(expected), *agents]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.stderr == ""
    return done.returncode, done.stdout.splitlines()


def test_passes_when_every_case_is_ok(tmp_path):
    status, lines = run(tmp_path, {"echo": {"1.1.1": outcome(), "10.1.1": outcome()}}, 2)
    assert (status, lines) == (0, ["Autobahn, echo", "2 cases: 2 OK, 0 INFORMATIONAL, 0 other"])


@pytest.mark.parametrize("case", [outcome("INFORMATIONAL", "INFORMATIONAL"), outcome("INFORMATIONAL", "OK")])
def test_counts_informational_cases_apart(tmp_path, case):
    status, lines = run(tmp_path, {"echo": {"1.1.1": outcome(), "7.1.6": case}}, 2)
    assert (status, lines[-1]) == (0, "2 cases: 1 OK, 1 INFORMATIONAL, 0 other")


@pytest.mark.parametrize("behavior", ["NON-STRICT", "UNIMPLEMENTED", "FAILED", "", None])
def test_fails_on_any_other_behavior(tmp_path, behavior):
    status, lines = run(tmp_path, {"echo": {"1.1.1": outcome(), "6.4.1": outcome(behavior)}}, 2)
    assert (status, lines[-1]) == (1, "2 cases: 1 OK, 0 INFORMATIONAL, 1 other")
    assert any(line.startswith("6.4.1: behavior ") for line in lines)


@pytest.mark.parametrize("close", ["WRONG CODE", "UNCLEAN", "FAILED", "FAILED BY CLIENT"])
def test_fails_on_a_bad_close_of_a_good_case(tmp_path, close):
    status, lines = run(tmp_path, {"echo": {"7.3.1": outcome("OK", close)}}, 1)
    assert (status, lines[-1]) == (1, "1 cases: 0 OK, 0 INFORMATIONAL, 1 other")
    assert "7.3.1: behavior OK, behaviorClose " + close in lines


def test_fails_when_a_field_is_missing(tmp_path):
    status, lines = run(tmp_path, {"echo": {"1.1.1": {"behavior": "OK"}}}, 1)
    assert (status, lines[-1]) == (1, "1 cases: 0 OK, 0 INFORMATIONAL, 1 other")


@pytest.mark.parametrize("expected", [1, 3])
def test_fails_when_the_number_of_cases_is_not_the_number_asked_for(tmp_path, expected):
    status, lines = run(tmp_path, {"echo": {"1.1.1": outcome(), "1.1.2": outcome()}}, expected)
    assert status == 1
    assert "%d cases were asked for, 2 are in the report" % expected in lines


def test_fails_when_one_of_two_peers_fails_and_names_both(tmp_path):
    peers = {"good": {"1.1.1": outcome()}, "bad": {"1.1.1": outcome("FAILED")}}
    status, lines = run(tmp_path, peers, 1)
    assert status == 1
    assert lines == [
        "Autobahn, good",
        "1 cases: 1 OK, 0 INFORMATIONAL, 0 other",
        "Autobahn, bad",
        "1.1.1: behavior FAILED, behaviorClose OK",
        "1 cases: 0 OK, 0 INFORMATIONAL, 1 other",
    ]


def test_fails_when_a_peer_is_not_in_the_report(tmp_path):
    """wstest stops half way when its reactor dies, and then reports what it has."""
    index = tmp_path / "index.json"
    index.write_text(json.dumps({"C": {"1.1.1": outcome()}}))
    status, lines = run_on(index, 1, "C", "Python")
    assert (status, lines[-1]) == (1, "0 cases: 0 OK, 0 INFORMATIONAL, 0 other")


def test_quotes_what_the_suite_says_about_a_failure(tmp_path):
    (tmp_path / "case.json").write_text(json.dumps({"result": "Actual events differ.", "resultClose": "Too late."}))
    _, lines = run(tmp_path, {"echo": {"1.1.1": outcome("FAILED", reportfile="case.json")}}, 1)
    assert "    result: Actual events differ." in lines
    assert "    resultClose: Too late." in lines


@pytest.mark.parametrize("text", ["", "{", "[1]", "3"])
def test_fails_on_a_broken_report(tmp_path, text):
    index = tmp_path / "index.json"
    index.write_text(text)
    status, lines = run_on(index, 1, "echo")
    assert status == 1
    assert lines[0].startswith("no report: ")


@pytest.mark.parametrize("text", ["{}", "[]"])
def test_fails_on_an_empty_report(tmp_path, text):
    index = tmp_path / "index.json"
    index.write_text(text)
    status, lines = run_on(index, 1, "echo")
    assert (status, lines[-1]) == (1, "0 cases: 0 OK, 0 INFORMATIONAL, 0 other")


def test_fails_on_a_missing_report(tmp_path):
    status, lines = run_on(tmp_path / "index.json", 1, "echo")
    assert status == 1
    assert lines[0].startswith("no report: ")
