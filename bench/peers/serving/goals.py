# SPDX-License-Identifier: MIT
"""What servers are to reach: each goal is judged at every case that it is about. The median of all of them is told, and
the worst one."""

import re
import statistics
from collections.abc import Iterator, Mapping
from typing import NamedTuple

from .rounds import Times, ratio_of

SMALL = r"/(1|64|1000)x1/(64|1024)$"
LARGE = r"/(1|64|1000)x1/65536$"
ONE_AT_A_TIME = r"/(1|64|1000)x1/"
IN_FLIGHT = r"/64x64/"
ANY = r"^(text|binary)/"
BROADCAST = r"^broadcast/"


class Goal(NamedTuple):
    """A server beside another one. `most`: at most so many times its CPU time; `less`: at least so many times less;
    `faster`: at least so many times its rate."""

    ours: str
    other: str
    how: str
    bound: float
    cases: str
    words: str


GOALS = (
    Goal("fastws", "raw", "most", 1.05, SMALL, "one at a time, up to 1 KiB"),
    Goal("fastws", "raw", "most", 1.15, LARGE, "one at a time, 64 KiB"),
    Goal("fastws", "raw", "most", 1.15, IN_FLIGHT, "in flight"),
    Goal("fastws", "bun", "most", 1.0, ANY, "everywhere"),
    Goal("fastws", "bun", "faster", 2.0, IN_FLIGHT, "in flight"),
    Goal("fastws-callbacks", "fastws", "most", 1.15, ONE_AT_A_TIME, "one at a time"),
    Goal("fastws-callbacks", "fastws", "most", 1.6, IN_FLIGHT, "in flight"),
    Goal("fastws-async-for", "fastws-callbacks", "most", 1.3, ANY, "everywhere"),
    Goal("fastws-callbacks", "picows-uvloop", "less", 1.3, ONE_AT_A_TIME, "one at a time"),
    Goal("fastws-callbacks", "picows-uvloop", "faster", 10.0, IN_FLIGHT, "in flight"),
    Goal("fastws-async-for", "aiohttp-uvloop", "less", 2.0, ONE_AT_A_TIME, "one at a time"),
    Goal("fastws-async-for", "websockets-uvloop", "less", 4.0, ONE_AT_A_TIME, "one at a time"),
    Goal("fastws-async-for", "websockets", "faster", 5.0, BROADCAST, "broadcast"),
    Goal("fastws-async-for", "websockets", "less", 5.0, BROADCAST, "broadcast"),
)

IDLE_GOALS = {"fastws": 256, "fastws-callbacks": 2048}  # bytes for a connection

WORDS = {
    "most": ("of the CPU time of", "at most"),
    "less": ("times less CPU time than", "at least"),
    "faster": ("times the rate of", "at least"),
}


class Verdict(NamedTuple):
    what: str
    value: str
    goal: str
    is_met: bool


def value_of(goal: Goal, times: Times, case: str) -> float | None:
    """What is compared with the bound, or None where one of both was not measured."""
    ours, other = times[case].get(goal.ours), times[case].get(goal.other)
    if ours is None or other is None:
        return None
    if goal.how == "less":
        return ratio_of(other, ours, "cpu")
    return ratio_of(ours, other, "rate" if goal.how == "faster" else "cpu")


def judge(goal: Goal, times: Times) -> Verdict | None:
    """The median and the worst of all cases, or None where none was measured."""
    found = {case: value_of(goal, times, case) for case in times if re.search(goal.cases, case)}
    values = [(value, case) for case, value in found.items() if value is not None]
    if not values:
        return None
    is_most = goal.how == "most"
    met = sum(value <= goal.bound if is_most else value >= goal.bound for value, _ in values)
    worst, case = max(values) if is_most else min(values)
    verb, at = WORDS[goal.how]
    middle = statistics.median(value for value, _ in values)
    value = f"{middle:.2f} {verb} {goal.other}, at worst {worst:.2f}, {case}; met in {met} of {len(values)}"
    return Verdict(f"{goal.ours}, {goal.words}", value, f"{at} {goal.bound:g}", met == len(values))


def verdicts(times: Times, idle: Mapping[str, float | None]) -> Iterator[Verdict]:
    """The verdict on each goal that was measured."""
    for goal in GOALS:
        verdict = judge(goal, times)
        if verdict:
            yield verdict
    for name, bound in IDLE_GOALS.items():
        held = idle.get(name)
        if held is not None:
            yield Verdict(f"{name}, idle", f"{held:.0f} bytes a connection", f"at most {bound}", held <= bound)
