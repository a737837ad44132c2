# SPDX-License-Identifier: MIT
"""What scripts/peers --servers makes of its samples: medians, ratios, tables and verdicts."""

import pathlib
import re
import sys

import pytest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[2] / "bench" / "peers"))

from serving import broadcast, echo, goals, tables  # noqa: E402
from serving.rounds import Sample, is_held_up, median_of, ratio_of  # noqa: E402

CASES = [case[0] for case in (*echo.make_cases(), *broadcast.make_cases())]


def constant(**cpu):
    """Times of servers that take so many microseconds each time, a processor all to themselves. _ stands for -."""
    by_server = {name.replace("_", "-"): [Sample(1e6 / us, us, 0.5)] * 2 for name, us in cpu.items()}
    return {case: by_server for case in CASES}


def test_ratios_are_taken_within_a_round():
    """A round that is twice as slow for both says nothing about them."""
    ours, base = [Sample(1, 3.0, 0), Sample(1, 6.0, 0), None], [Sample(1, 2.0, 0), Sample(1, 4.0, 0), Sample(1, 9.0, 0)]
    assert median_of(ours, "cpu") == 4.5
    assert ratio_of(ours, base, "cpu") == 1.5
    assert median_of([None], "cpu") is None
    assert ratio_of([None], [None], "cpu") is None


@pytest.mark.parametrize(
    ("sample", "expected"),
    [
        (Sample(500_000, 1.0, 0.99), True),  # half a processor for the server, a whole one for the load
        (Sample(990_000, 1.0, 0.99), False),  # both are full
        (Sample(500_000, 1.0, 0.60), False),  # both wait for the network
    ],
)
def test_a_load_without_time_left_is_seen(sample, expected):
    assert is_held_up([sample]) is expected
    assert not is_held_up([None])


def test_every_goal_is_about_some_case():
    for goal in goals.GOALS:
        assert any(re.search(goal.cases, case) for case in CASES), goal
        assert goal.how in goals.WORDS


@pytest.mark.parametrize("goal", goals.GOALS, ids=lambda goal: f"{goal.ours}-{goal.other}-{goal.how}-{goal.words}")
def test_a_goal_is_met_at_its_bound_and_missed_beyond(goal):
    """The same processor time means the same rate here, so that all three kinds can be tried in one way."""
    ours, other = (goal.bound, 1.0) if goal.how == "most" else (1.0, goal.bound)
    at_bound = {goal.ours: ours, goal.other: other}
    just = goals.judge(goal, constant(**at_bound))
    assert just.is_met and f"{goal.bound:.2f}" in just.value and f"{goal.bound:g}" in just.goal
    slower = goals.judge(goal, constant(**{goal.ours: ours * 1.1, goal.other: other}))
    assert not slower.is_met and "met in 0 of" in slower.value


def test_the_worst_case_is_named():
    times = constant(fastws=1.0, raw=1.0)
    times["text/64x1/1024"] = {"fastws": [Sample(1, 1.3, 0)], "raw": [Sample(1, 1.0, 0)]}
    verdict = goals.judge(goals.GOALS[0], times)
    assert not verdict.is_met
    assert verdict.value == "1.00 of the CPU time of raw, at worst 1.30, text/64x1/1024; met in 11 of 12"


def test_what_was_not_measured_is_not_judged():
    assert list(goals.verdicts({}, {})) == []
    assert list(goals.verdicts(constant(fastws=1.0), {})) == []
    failed = {case: {"fastws": [None], "raw": [None]} for case in CASES}
    assert list(goals.verdicts(failed, {"fastws": None})) == []


def test_memory_is_judged_by_the_byte():
    first, second = goals.verdicts({}, {"fastws": 256.0, "fastws-callbacks": 2048.5, "websockets": 1e6})
    assert first.is_met and first.value == "256 bytes a connection"
    assert not second.is_met
    assert [line[:4] for line in tables.goal_lines([first, second])] == ["ok  ", "MISS"]


def test_every_line_of_a_table_has_the_cells_of_its_head():
    times = constant(raw=1.0, fastws=1.05, websockets=9.0)
    made = tables.tables(times, {"fastws": 250.4, "broken": None}, 10_000, is_compact=True)
    assert len(made) == 4 + 1 + 1 + 1, "CPU time by shape, rates in flight, broadcasts, memory"
    for table in [*made, tables.goal_table(list(goals.verdicts(times, {})))]:
        assert {len(line) for line in table.lines} == {len(table.head)}
        lines = [line for line in tables.markdown(table).splitlines() if line.startswith("|")]
        assert len({line.count("|") for line in lines}) == 1
        assert table.title in tables.text(table)
    assert len(tables.tables(times, {}, 10_000, is_compact=False)) == 4 + 4 + 1


def test_numbers_have_three_digits():
    assert [tables.number(value) for value in (0.01234, 1.0, 12.34, 123.4, 12345.6)] == [
        "0.0123", "1", "12.3", "123", "12346",
    ]
