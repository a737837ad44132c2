# SPDX-License-Identifier: MIT
"""python -m fastws.bench: a table that names every row, and the same for programs."""

import io
import json
import os
import subprocess
import sys

import pytest

import fastws
from fastws import bench


def run(*arguments, encoding="utf-8", **env):
    done = subprocess.run(
        [sys.executable, "-X", "dev", "-m", "fastws.bench", *arguments],
        capture_output=True, timeout=120, env={**os.environ, "PYTHONIOENCODING": encoding, **env}, check=False,
    )
    return done.returncode, done.stdout.decode(encoding), done.stderr.decode()


@pytest.mark.parametrize("encoding, full", [("utf-8", "█"), ("ascii", "#"), ("latin-1", "#")])
def test_prints_a_row_with_bars_for_each_isa_in_each_table(encoding, full):
    code, out, err = run("--seconds", "0.001", encoding=encoding)
    assert (code, err) == (0, "")
    assert fastws.isas()[0] in out.splitlines()[0]
    tables = out.split("\n\n")[1:-1]
    assert len(tables) == 3
    for table in tables:
        title, sizes, *rows = table.splitlines()
        assert "GB/s" in title
        assert sizes.split() == ["1", "KiB", "32", "KiB", "1", "MiB"]
        assert [row.split()[0] for row in rows] == list(fastws.isas())
        assert full * bench.BAR_LEN in table and full * (bench.BAR_LEN + 1) not in table
    assert max(len(line) for line in out.splitlines()) <= 80


def test_json_has_a_time_for_every_kernel_isa_and_size():
    code, out, err = run("--seconds", "0.001", "--json")
    assert (code, err) == (0, "")
    report = json.loads(out)
    assert report["version"] == fastws.__version__
    assert report["isas"] == list(fastws.isas())
    assert report["isa"] == fastws.isa()
    assert report["call_ns"] > 0
    assert [result["name"] for result in report["results"]] == [
        name % (isa, size)
        for name in ("mask/%s/%d", "utf8/%s/ascii/%d", "utf8/%s/cyrillic/%d")
        for size in bench.SIZES
        for isa in fastws.isas()
    ]
    for result in report["results"]:
        assert result["name"].split("/")[1] == result["isa"]
        assert result["gigabytes_per_second"] == pytest.approx(result["bytes"] / result["ns"])


def test_names_the_row_that_was_selected_and_measures_all():
    code, out, _ = run("--seconds", "0.001", "--json", FASTWS_ISA="scalar")
    assert code == 0
    report = json.loads(out)
    assert report["isa"] == "scalar"
    assert {result["isa"] for result in report["results"]} == set(fastws.isas())


@pytest.mark.parametrize("seconds", ["0", "-1", "nan", "inf", "x", ""])
def test_refuses_what_is_no_time(seconds):
    code, out, err = run("--seconds", seconds)
    assert (code, out) == (2, "")
    assert "--seconds" in err


@pytest.fixture
def last_row():
    before = fastws.isa()
    fastws.select_isa(fastws.isas()[-1])
    yield fastws.isas()[-1]
    fastws.select_isa(before)


class FakeTimer:
    """Notes which row is selected whenever it is asked; each call takes 1 ms."""

    def __init__(self, fails=False):
        self.seen = []
        self.fails = fails

    def timeit(self, count):
        self.seen.append((fastws.isa(), count))
        if self.fails:
            raise KeyboardInterrupt
        return count * 0.001


def make_cells(timer):
    return [bench.Cell("mask", "mask", isa, 1024, timer) for isa in fastws.isas()]


def test_rows_take_turns_and_the_selected_one_comes_back(last_row):
    timer = FakeTimer()
    cells = make_cells(timer)
    bench.measure(cells, 0.0105 * len(cells) * bench.ROUNDS)
    assert fastws.isa() == last_row
    rounds = timer.seen[2 * len(cells) :]
    assert rounds == [(isa, 10) for isa in fastws.isas()] * bench.ROUNDS
    assert [cell.seconds for cell in cells] == pytest.approx([0.001] * len(cells))


def test_the_selected_row_comes_back_after_an_interruption(last_row):
    with pytest.raises(KeyboardInterrupt):
        bench.measure(make_cells(FakeTimer(fails=True)), 1)
    assert fastws.isa() == last_row


@pytest.mark.parametrize("size", [0, 1, 7, 1024, 32768])
@pytest.mark.parametrize("sentence", [bench.ASCII, bench.CYRILLIC])
def test_texts_are_valid_and_as_long_as_they_should_be(sentence, size):
    text = bench.text(sentence, size)
    assert len(text) == size
    assert fastws.is_utf8(text)
    assert text.isascii() or sentence == bench.CYRILLIC


@pytest.mark.parametrize(
    "share, expected", [(1, "████"), (0.5, "██"), (1 / 32, "▏"), (0, "▏"), (31 / 32, "███▉"), (0.28, "█▏")]
)
def test_bars_are_drawn_in_eighths(share, expected):
    assert bench.bar(share, 4, is_unicode=True) == expected


@pytest.mark.parametrize("share, expected", [(1, "####"), (0.5, "##"), (0, "#"), (0.7, "###")])
def test_bars_without_unicode(share, expected):
    assert bench.bar(share, 4, is_unicode=False) == expected


@pytest.mark.parametrize("encoding, expected", [("utf-8", True), ("cp1252", False), ("ascii", False)])
def test_asks_the_encoding_of_the_output(monkeypatch, encoding, expected):
    monkeypatch.setattr(sys, "stdout", io.TextIOWrapper(io.BytesIO(), encoding=encoding))
    assert bench.can_print(bench.BLOCKS) is expected


def test_output_without_an_encoding_gets_ascii(monkeypatch):
    monkeypatch.setattr(sys, "stdout", io.StringIO())
    assert bench.can_print(bench.BLOCKS) is False


def measure_streams(root, *arguments):
    done = subprocess.run(
        [sys.executable, str(root / "bench" / "bench_stream.py"), "--rounds", "1", "--json", *arguments],
        capture_output=True, text=True, timeout=120, check=True,
    )
    return {result["name"]: result for result in json.loads(done.stdout)["results"]}


def test_streams_are_measured_beside_bare_sockets(root):
    results = measure_streams(root)
    assert results["python/socket/64"]["ratio"] == 1
    assert all(result["ns"] > 0 for result in results.values())
    assert {"python/stream/server/binary/64", "python/stream/client/text/4096"} < set(results)


def test_a_filter_keeps_what_streams_are_compared_with(root):
    assert list(measure_streams(root, "--filter", "client/text/64$")) == [
        "python/socket/64", "python/stream/client/text/64"
    ]
    assert measure_streams(root, "--filter", "^mask/") == {}
