# SPDX-License-Identifier: MIT
"""Tables of what was measured, for a terminal and for docs/performance.md: a line for each server."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import NamedTuple

from . import broadcast, echo
from .goals import Verdict
from .rounds import Rounds, Times, is_held_up, median_of, ratio_of

BASE = "raw"
FAILED = "failed"
HELD_UP = "~"
UNITS = {65536: "64 KiB", 1024: "1 KiB", 64: "64 B"}


class Table(NamedTuple):
    title: str
    head: list[str]
    lines: list[list[str]]


def number(value: float) -> str:
    """Three digits, and all of those before the point."""
    return f"{value:.0f}" if value >= 100 else f"{value:.3g}"


def cell_of(rounds: Rounds, base: Rounds, which: str) -> str:
    """A median, and how it compares with the base."""
    value = median_of(rounds, which)
    if value is None:
        return FAILED
    text = number(value / 1000 if which == "rate" else value)
    if which == "rate" and is_held_up(rounds):
        text = HELD_UP + text
    ratio = None if rounds is base else ratio_of(rounds, base, which)
    return text if ratio is None else f"{text} ×{ratio:.2f}"


def table_of(title: str, heads: Mapping[str, str], times: Times, which: str) -> Table | None:
    """The servers at the cases whose names are the keys of heads; None if none of those was measured."""
    cases = [case for case in heads if case in times]
    if not cases:
        return None
    names = list(times[cases[0]])
    base = BASE if BASE in names else names[0]
    lines = [[name, *(cell_of(times[case][name], times[case][base], which) for case in cases)] for name in names]
    return Table(f"{title}, × {base}", ["", *(heads[case] for case in cases)], lines)


def echo_tables(times: Times, is_compact: bool) -> Iterator[Table | None]:
    """CPU time by shape, then rates: messages that come one at a time are a matter of CPU time."""
    shapes = {shape: {} for shape in echo.SHAPES}
    for case, kind, count, in_flight, size in echo.make_cases():
        shapes[f"{count}x{in_flight}"][case] = f"{kind}, {UNITS[size]}"
    for shape, heads in shapes.items():
        yield table_of(f"{echo.SHAPES[shape]}: µs of CPU time for each message", heads, times, "cpu")
    for shape, heads in shapes.items():
        if not is_compact or shape == "64x64":
            yield table_of(f"{echo.SHAPES[shape]}: thousands of messages a second", heads, times, "rate")


def broadcast_table(times: Times) -> Table | None:
    """CPU time and wall-clock time of one broadcast, in microseconds."""
    cases = {case: UNITS[size] for case, _, size in broadcast.make_cases() if case in times}
    if not cases:
        return None
    names = list(times[next(iter(cases))])
    lines = []
    for name in names:
        cells = []
        for case in cases:
            rate = median_of(times[case][name], "rate")
            cells += [cell_of(times[case][name], times[case][names[0]], "cpu"), number(1e6 / rate) if rate else FAILED]
        lines.append([name, *cells])
    head = [f"{what}, {size}" for size in cases.values() for what in ("CPU", "until all have it")]
    return Table(f"One broadcast to {broadcast.CONNECTIONS} connections, µs, × {names[0]}", ["", *head], lines)


def idle_table(idle: Mapping[str, float | None], count: int) -> Table | None:
    if not idle:
        return None
    lines = [[name, FAILED if held is None else f"{held:.0f}"] for name, held in idle.items()]
    return Table(f"{count} idle connections: bytes of memory for each", ["", "bytes"], lines)


def tables(times: Times, idle: Mapping[str, float | None], count: int, is_compact: bool) -> list[Table]:
    """Every table that has something to say."""
    found = [*echo_tables(times, is_compact), broadcast_table(times), idle_table(idle, count)]
    return [table for table in found if table]


def goal_table(found: Sequence[Verdict]) -> Table:
    lines = [[verdict.what, verdict.value, verdict.goal, "" if verdict.is_met else "missed"] for verdict in found]
    return Table("Goals", ["", "measured", "goal", ""], lines)


def text(table: Table) -> str:
    """For a terminal."""
    cells = [table.head, *table.lines]
    widths = [max(len(line[i]) for line in cells) for i in range(len(table.head))]
    lines = []
    for line in cells:
        padded = [line[0].ljust(widths[0])] + [word.rjust(width) for word, width in zip(line[1:], widths[1:])]
        lines.append("  ".join(padded).rstrip())
    return "\n".join([table.title, *lines])


def markdown(table: Table) -> str:
    """For a document."""
    rule = "|---|" + "--:|" * (len(table.head) - 1)
    lines = ["| " + " | ".join(line) + " |" for line in (table.head, *table.lines)]
    return "\n".join([f"**{table.title}**", "", lines[0], rule, *lines[1:]])


def goal_lines(found: Iterable[Verdict]) -> Iterator[str]:
    """For a terminal, as those of scripts/bench."""
    for verdict in found:
        yield f"{'ok' if verdict.is_met else 'MISS':<4} {verdict.what}: {verdict.value} (goal: {verdict.goal})"


def notes(times: Times) -> Iterator[str]:
    """What has to be known to read the tables."""
    held_up = [f"{name} {case}" for case, by in times.items() for name, rounds in by.items() if is_held_up(rounds)]
    if held_up:
        yield f"{HELD_UP} the load was busier than the server, so that the rate is the load's: {', '.join(held_up)}"
