# SPDX-License-Identifier: MIT
"""Rounds of samples: every server at every case, in changing order, and what comes out of them."""

import random
import statistics
import subprocess
import sys
from collections.abc import Callable, Sequence
from typing import NamedTuple

from .process import Server

WARM_UPS = 2  # of the first cases, which are small ones: text and binary


class Sample(NamedTuple):
    """One server at one case."""

    rate: float  # a second
    cpu: float  # microseconds of the server for each
    load: float  # share of a processor that the load took

    @property
    def busy(self) -> float:
        """The share of a processor that the server took."""
        return self.rate * self.cpu / 1e6


Rounds = list[Sample | None]  # None: the server failed
Times = dict[str, dict[str, Rounds]]  # by case and server


def run_load(name: str, case: str, command: Sequence[str], seconds: float) -> Sample | None:
    """Runs a load program. What it says about a failure is passed on."""
    try:
        run = subprocess.run(command, capture_output=True, text=True, timeout=60 + 10 * seconds, check=False)
    except subprocess.TimeoutExpired:
        print(f"{name} {case}: no end in sight", file=sys.stderr)
        return None
    if run.returncode != 0:
        print(f"{name} {case}: {run.stderr.strip()}", file=sys.stderr)
        return None
    return Sample(*map(float, run.stdout.split()))


Measure = Callable[[Server, tuple], Sample | None]


def measure_all(rounds: int, servers: Sequence[Server], cases: Sequence[tuple], measure: Measure) -> Times:
    """Measures every server at every case, whose name comes first, once a round. Servers are warm before: some compile
    what runs often."""
    times: Times = {case[0]: {server.name: [] for server in servers} for case in cases}
    for server in servers:
        for case in cases[:WARM_UPS]:
            measure(server, case)
            server.settle()
    for number in range(rounds):
        for case in cases:
            for server in random.sample(servers, len(servers)):
                times[case[0]][server.name].append(measure(server, case))
                server.settle()
        print(f"round {number + 1} of {rounds}", file=sys.stderr, flush=True)
    return times


def median_of(rounds: Rounds, which: str) -> float | None:
    """The median of one of the numbers, or None if no round worked."""
    values = [getattr(sample, which) for sample in rounds if sample]
    return statistics.median(values) if values else None


def ratio_of(rounds: Rounds, base: Rounds, which: str) -> float | None:
    """The median of the ratios to another server in the same round, or None: what disturbs a machine lasts longer than
    one sample."""
    pairs = [(sample, other) for sample, other in zip(rounds, base, strict=True) if sample and other]
    values = [getattr(sample, which) / getattr(other, which) for sample, other in pairs if getattr(other, which)]
    return statistics.median(values) if values else None


def is_held_up(rounds: Rounds) -> bool:
    """Whether the load was what limited the rate: its processor full, the server's not."""
    load, busy = median_of(rounds, "load"), median_of(rounds, "busy")
    return load is not None and load >= 0.9 and busy < 0.9
