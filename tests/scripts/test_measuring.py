# SPDX-License-Identifier: MIT
"""The commands that measure: what they refuse before they build anything, and the tables that scripts/bench prints."""

import pathlib
import subprocess
import sys

import pytest

SCRIPTS = pathlib.Path(__file__).resolve().parents[2] / "scripts"
sys.path.insert(0, str(SCRIPTS / "lib"))

import bench  # noqa: E402

COUNTS = (("peers", ("--kernels", "--rounds")), ("bench", ("--repetitions",)))


@pytest.mark.parametrize("count", ["0", "-1", "1.5", "", "many", "08", "1000000"])
@pytest.mark.parametrize(("script", "options"), COUNTS)
def test_a_run_of_no_rounds_is_refused_at_once(script, options, count):
    """scripts/peers --rounds 0 used to build everything, and to print infinite times."""
    run = subprocess.run([str(SCRIPTS / script), *options, count], capture_output=True, text=True, timeout=20)
    assert run.returncode == 1
    assert run.stdout == ""
    assert run.stderr == '%s: %s takes a whole number from 1 to 999999, not "%s"\n' % (script, options[-1], count)


@pytest.mark.parametrize(
    ("options", "reason"),
    [
        (("--kernels", "--only", "fastws"), "--only is about --servers"),
        (("--kernels", "--seconds", "1"), "--seconds is about --servers"),
        (("--servers", "--seconds", "soon"), '--seconds takes a number, not "soon"'),
        (("--servers", "--only"), "usage: "),
        (("--only", "fastws"), "usage: "),
    ],
)
def test_options_of_servers_are_refused_where_they_mean_nothing(options, reason):
    run = subprocess.run([str(SCRIPTS / "peers"), *options], capture_output=True, text=True, timeout=20)
    assert run.returncode == 1
    assert run.stdout == ""
    assert run.stderr.startswith(f"peers: {reason}")


def rows_of(**ns):
    """Rows as scripts/bench measures them; __ stands for a slash."""
    rows = {}
    for name, time in ns.items():
        row = bench.Row(name.replace("__", "/"))
        row.add({"time_unit": "ns", "cpu_time": time})
        rows[row.name] = row
    bench.count_cycles(rows)
    return rows


def cells(text):
    """The lines of each table, as lists of their cells."""
    return [[line.split("|")[1:-1] for line in table.splitlines()] for table in text.strip().split("\n\n")]


def printed(capsys, rows):
    bench.print_markdown(rows, [])
    tables = cells(capsys.readouterr().out)
    for lines in tables:
        assert {len(line) for line in lines} == {len(lines[0])}, "a table whose lines differ in length"
    return [[[cell.strip() for cell in line] for line in (lines[0], *lines[2:])] for lines in tables]


def test_a_kernel_stands_beside_what_limits_it(capsys):
    tables = printed(capsys, rows_of(mask__avx2__64=2, mask__scalar__64=8, memset__64=1, calibrate__cycle=0.5))
    assert tables[0] == [["`mask`, ns", "avx2", "scalar", "`memset`"], ["64", "2.0", "8.0", "1.0"]]


def test_a_filter_that_leaves_out_the_limit_leaves_out_its_column(capsys):
    """The head of the table used to have a column that no line had."""
    tables = printed(capsys, rows_of(mask__avx2__64=2, mask__scalar__64=8, calibrate__cycle=0.5))
    assert tables[0] == [["`mask`, ns", "avx2", "scalar"], ["64", "2.0", "8.0"]]


def test_what_a_filter_left_out_stays_empty(capsys):
    tables = printed(capsys, rows_of(mask__scalar__7=4, mask__avx2__64=2, memset__64=1, calibrate__cycle=0.5))
    assert tables[0] == [["`mask`, ns", "scalar", "avx2", "`memset`"], ["7", "4.0", "", ""], ["64", "", "2.0", "1.0"]]


def test_compression_stands_beside_bare_zlib(capsys):
    """A tail has no zlib of its own: it is compared with messages that stand alone."""
    rows = rows_of(deflate__tail__chat__128=4000, zlib__deflate__no_takeover__chat__128=8000,
                   inflate__tail__chat__128=220, zlib__inflate__tail__chat__128=200,
                   deflate__takeover__chat__128=3000, zlib__deflate__takeover__chat__128=2500)
    for row in rows.values():
        row.ratio, row.held = 0.5, 1024.0
    tables = printed(capsys, rows)
    assert tables[0] == [
        ["Corpus, bytes", "Mode", "Sent / plain", "Held", "Compress, µs", "of zlib", "Inflate, µs", "of zlib"],
        ["chat, 128", "tail", "0.500", "1024", "4.00", "0.50", "0.22", "1.10"],
        ["chat, 128", "takeover", "0.500", "1024", "3.00", "1.20", "", ""],
    ]


def test_what_belongs_to_no_kernel_has_a_table_of_its_own(capsys):
    tables = printed(capsys, rows_of(header_parse=3, calibrate__cycle=0.5))
    assert tables[0] == [["", "ns", "cycles", "GB/s"], ["`header_parse`", "3.00", "6.0", ""],
                         ["`calibrate/cycle`", "0.50", "1.0", ""]]
