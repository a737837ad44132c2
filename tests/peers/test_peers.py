# SPDX-License-Identifier: MIT
"""The program behind scripts/peers, with workers made up here: what it writes, asks, keeps and prints."""

import json
import pathlib
import re
import shlex
import subprocess
import sys

import pytest

PEERS = pathlib.Path(__file__).resolve().parents[2] / "bench" / "peers"
sys.path.insert(0, str(PEERS))

import report  # noqa: E402
import run  # noqa: E402

# Measures two libraries at mask/7: "slow" takes 20 ns a call, "fastws" 10, and every third answer is disturbed.
WORKER = """
import sys
print("peer fastws 1.0")
print("peer gobwas 2.0")
print("note made up")
print("case fastws mask/7")
print("case gobwas mask/7")
print("ready", flush=True)
for number, question in enumerate(sys.stdin):
    peer, row, count = question.split()
    ns = {"fastws": 10, "gobwas": 20}[peer] * (5 if number % 3 == 0 else 1)
    print(int(count) * ns, count, flush=True)
"""


@pytest.fixture
def worker(tmp_path):
    """The command of a worker."""
    path = tmp_path / "worker.py"
    path.write_text(WORKER)
    return [sys.executable, str(path)]


def results(**rows):
    return {
        "machine": {"cpu": "a CPU", "system": "a system"},
        "tools": ["a compiler"],
        "peers": {"fastws": "1.0", "gobwas": "2.0"},
        "skipped": [{"name": "wslay", "reason": "not here"}],
        "rounds": 1,
        "ns": {row.replace("_", "/"): times for row, times in rows.items()},
    }


@pytest.mark.parametrize("name", run.TEXTS)
@pytest.mark.parametrize("size", run.TEXT_SIZES)
def test_texts_are_whole_characters_of_the_size(name, size):
    text = run.text_of(name, size)
    assert len(text) == size
    assert text.decode().rstrip() in run.TEXTS[name] * (size // len(run.TEXTS[name]) + 1)


def test_only_ascii_is_ascii():
    assert [name for name in run.TEXTS if run.text_of(name, 64).isascii()] == ["ascii"]


def test_all_texts_of_the_header_are_found():
    assert list(run.TEXTS) == ["ascii", "latin", "cyrillic", "cjk", "emoji", "json", "trades"]
    assert run.TEXTS["json"].startswith('{"id":184467,"user":"Zoë",')
    assert run.TEXTS["json"].endswith('as last week"},')


@pytest.mark.parametrize(
    "length, header",
    [
        (125, b"\x82\xfd" + run.KEY),  # FIN binary | MASK 125
        (126, b"\x82\xfe\x00\x7e" + run.KEY),  # MASK 126, then 16 bits
        (65535, b"\x82\xfe\xff\xff" + run.KEY),
        (65536, b"\x82\xff\x00\x00\x00\x00\x00\x01\x00\x00" + run.KEY),  # MASK 127, then 64 bits
    ],
)
def test_headers_have_the_shortest_form(length, header):
    assert run.header_of(run.OPCODE_BINARY, length) == header


def test_streams_hold_whole_frames_in_64_kib():
    payload = b"x" * 64
    stream = run.stream_of(run.OPCODE_TEXT, payload)
    frame = b"\x81\xc0" + run.KEY + bytes(byte ^ run.KEY[i % 4] for i, byte in enumerate(payload))
    assert stream == frame * (65536 // len(frame))


def test_every_row_belongs_to_a_group_and_has_its_own_file(tmp_path):
    rows = run.write_data(tmp_path, re.compile(""))
    assert {report.group_of(row) for row in rows} == set(report.GROUPS)
    assert (tmp_path / "rows").read_text().split() == rows
    assert len({row.replace("/", "-") for row in rows}) == len(rows)
    assert (tmp_path / "mask-64").stat().st_size == 64


def test_a_filter_leaves_the_other_rows_out(tmp_path):
    assert run.write_data(tmp_path, re.compile("^mask/7$")) == ["mask/7"]


def test_the_least_time_of_all_rounds_counts(worker):
    workers = run.start([("made up", worker)], [])
    rows = run.measure(workers, 6)
    for started in workers:
        started.end()
    assert {case.peer: case.ns for case in rows["mask/7"]} == {"fastws": 10, "gobwas": 20}


def test_a_worker_that_does_not_start_is_skipped_with_its_reason(worker):
    skipped = []
    workers = run.start(
        [("absent", ["/no/such/worker"]), ("broken", [sys.executable, "-c", "raise SystemExit(3)"]), ("sound", worker)],
        skipped,
    )
    for started in workers:
        started.end()
    assert len(workers) == 1
    assert [name for name, _ in skipped] == ["absent", "broken"]
    assert "ended with status 3" in skipped[1][1]


def test_a_run_prints_tables_and_writes_json(tmp_path, worker):
    made_up = "made up=" + shlex.join(worker)
    arguments = ["--data", tmp_path / "data", "--worker", made_up, "--json", tmp_path / "out.json"]
    arguments += ["--skipped", "wslay: not here", "--rounds", "4", "--filter", "^mask/7$"]
    command = [sys.executable, PEERS / "run.py", *map(str, arguments)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert re.search(r"^7 +10\.0 +20\.0 ×2\.00$", done.stdout, re.MULTILINE)
    assert "SKIPPED wslay: not here" in done.stdout.splitlines()
    assert "Versions: fastws 1.0, gobwas 2.0" in done.stdout.splitlines()
    written = json.loads((tmp_path / "out.json").read_text())
    assert written["ns"] == {"mask/7": {"fastws": 10.0, "gobwas": 20.0}}
    assert written["skipped"] == [{"name": "wslay", "reason": "not here"}]


@pytest.mark.parametrize(
    "ns, expected",
    [(20.0, "20.0 ×2.00"), (10.2, "10.2 ×1.02="), (9.8, "9.8 ×0.98="), (9.0, "9.0 ×0.90!"), (1234.5, "1234 ×123.45")],
)
def test_cells_say_who_is_ahead(ns, expected):
    assert report.cell({"fastws": 10.0, "gobwas": ns}, "gobwas") == expected


def test_our_other_build_is_compared_with_nobody():
    found = results(mask_7={"fastws": 10.0, "fastws-clang": 5.0})
    assert report.cell(found["ns"]["mask/7"], "fastws-clang") == "5.0 ×0.50"
    assert list(report.summary(found)) == ["fastws is behind in 0 of 0 comparisons"]


def test_what_was_not_measured_stays_empty():
    assert report.cell({"fastws": 10.0}, "gobwas") == ""
    assert report.cell({"gobwas": 10.0}, "gobwas") == "10.0"


def test_the_summary_names_the_worst_rows_first():
    found = results(mask_7={"fastws": 10.0, "gobwas": 9.0}, mask_64={"fastws": 10.0, "gobwas": 5.0},
                    mask_125={"fastws": 10.0, "gobwas": 30.0})
    assert list(report.summary(found)) == [
        "fastws is behind in 2 of 3 comparisons:",
        "mask, gobwas in 2 of 3: 64 ×0.50, 7 ×0.90",
    ]


def test_markdown_has_as_many_cells_in_every_line_of_a_table():
    found = results(mask_7={"fastws": 10.0, "gobwas": 9.0}, mask_64={"fastws": 10.0, "gorilla": 5.0})
    table = [line for line in report.markdown(found).splitlines() if line.startswith("|")]
    assert table[0] == "| `mask` | fastws | gobwas | gorilla |"
    assert {line.count("|") for line in table} == {5}
