# SPDX-License-Identifier: MIT
"""Merges the results of several Google Benchmark programs and prints their minima.

    python scripts/lib/bench.py MERGED.json RESULT.json...

Times are CPU time for one item where the benchmark counts items, else for one iteration: the least of all repetitions.
Cycles are multiples of calibrate/cycle, which one of the programs measures. `of limit` compares a kernel with what the
memory allows: memset for masking in place, memcpy for masking into another buffer.
"""

import json
import pathlib
import sys

LIMITS = {"mask": "memset", "mask_unaligned": "memset", "mask_copy": "memcpy"}

# (name, size) -> least share of its limit for the best row; name -> most cycles an item.
SHARE_GOALS = {
    **{("mask", size): 0.95 for size in (4096, 32768, 262144)},
    ("mask_unaligned", 4096): 0.85,
    **{("mask_unaligned", size): 0.95 for size in (32768, 262144, 1048576, 16777216)},
}
MASK_CYCLE_GOALS = {7: 8, 64: 11, 125: 16}
CYCLE_GOALS = {
    "header_parse": 11,
    "header_write": 10,
    "frames_masked/64": 22,
    "message_write/server/64": 30,
    "message_write/client/64": 44,
    "message_write/server/65536": 100,
    "message_write/server/16777216": 100,
    "message_echo/64": 160,
    "broadcast/1000": 60,
}
ACCEPT_CYCLE_GOAL = 220  # With SHA instructions.
SLOWER_THAN_ROW_BELOW = 1.05
ROWS_COMPARED_UP_TO = 1048576


class Row:
    """The least time of one benchmark, in nanoseconds and in cycles."""

    def __init__(self, name):
        self.name = name
        self.ns = float("inf")
        self.cycles = None
        self.bytes_per_second = 0.0

    def add(self, run):
        scale = {"ns": 1, "us": 1e3, "ms": 1e6, "s": 1e9}[run["time_unit"]]
        rate = run.get("items_per_second")
        self.ns = min(self.ns, 1e9 / rate if rate else run["cpu_time"] * scale)
        self.bytes_per_second = max(self.bytes_per_second, run.get("bytes_per_second", 0.0))


def add_program(rows, results):
    """Adds what one program measured. Interleaved runs are put back into the program's order."""
    for run in sorted(results["benchmarks"], key=lambda run: run["family_index"]):
        if run.get("run_type", "iteration") == "iteration" and not run.get("error_occurred"):
            name = run.get("run_name", run["name"])
            rows.setdefault(name, Row(name)).add(run)


def count_cycles(rows):
    calibration = rows.get("calibrate/cycle")
    for row in rows.values():
        row.cycles = row.ns / calibration.ns if calibration else None


def limit_of(rows, row):
    """Returns how fast a masking row is compared with memset or memcpy of the same size, or None."""
    kernel, size = row.name.partition("/")[0], row.name.rpartition("/")[2]
    limit = rows.get("%s/%s" % (LIMITS.get(kernel), size))
    return limit.ns / row.ns if limit else None


def print_table(rows):
    width = max(len(name) for name in rows)
    print("%-*s %12s %10s %8s %9s" % (width, "minima", "ns", "cycles", "GB/s", "of limit"))
    for row in rows.values():
        share = limit_of(rows, row)
        print("%-*s %12.2f %10s %8s %9s" % (
            width, row.name, row.ns,
            "" if row.cycles is None else "%.1f" % row.cycles,
            "%.1f" % (row.bytes_per_second / 1e9) if row.bytes_per_second else "",
            "" if share is None else "%.2f" % share,
        ))


def masks(rows):
    """Yields (kernel, isa, size, row) of the masking rows, the best ISA of each kernel first."""
    for row in rows.values():
        parts = row.name.split("/")
        if len(parts) == 3 and parts[0] in LIMITS:
            yield parts[0], parts[1], int(parts[2]), row


def goals(rows):
    """Yields (what, value, goal, met) for each goal that these results can show."""
    isas = {}
    for kernel, isa, _, _ in masks(rows):
        if isa not in isas.setdefault(kernel, []):
            isas[kernel].append(isa)
    for kernel, isa, size, row in masks(rows):
        if isa == isas[kernel][0]:
            share, goal = limit_of(rows, row), SHARE_GOALS.get((kernel, size))
            if share and goal:
                yield row.name, "%.2f of %s" % (share, LIMITS[kernel]), "at least %.2f" % goal, share >= goal
            goal = MASK_CYCLE_GOALS.get(size) if kernel == "mask" else None
            if goal and row.cycles:
                yield row.name, "%.1f cycles" % row.cycles, "at most %d" % goal, row.cycles <= goal
    for row in rows.values():
        goal = CYCLE_GOALS.get(row.name, CYCLE_GOALS.get(row.name.partition("/")[0]))
        if goal and row.cycles:
            yield row.name, "%.1f cycles" % row.cycles, "at most %d" % goal, row.cycles <= goal
    accept = next((row for name, row in rows.items() if name.startswith("accept_key/")), None)  # The best ISA is first.
    if accept and accept.cycles:
        yield (accept.name, "%.1f cycles" % accept.cycles, "at most %d with SHA instructions" % ACCEPT_CYCLE_GOAL,
               accept.cycles <= ACCEPT_CYCLE_GOAL)
    yield from row_order(rows, isas)


def row_order(rows, isas):
    """Yields, for each kernel and ISA, the size at which it does worst against the row below it."""
    for kernel, names in isas.items():
        for better, worse in zip(names, names[1:]):
            ratios = [
                (row.ns / rows["%s/%s/%d" % (kernel, worse, size)].ns, size)
                for name, isa, size, row in masks(rows)
                if (name, isa) == (kernel, better) and size <= ROWS_COMPARED_UP_TO
                and "%s/%s/%d" % (kernel, worse, size) in rows
            ]
            if ratios:
                ratio, size = max(ratios)
                yield ("%s/%s/%d" % (kernel, better, size), "%.2f of the time of %s" % (ratio, worse),
                       "at most %.2f" % SLOWER_THAN_ROW_BELOW, ratio <= SLOWER_THAN_ROW_BELOW)


def main(arguments):
    if len(arguments) < 2:
        sys.exit(__doc__)
    merged, rows = {"context": None, "benchmarks": []}, {}
    for path in arguments[1:]:
        text = pathlib.Path(path).read_text(encoding="utf-8")
        if not text:
            continue  # The filter left this program nothing to run.
        results = json.loads(text)
        merged["context"] = merged["context"] or results["context"]
        merged["benchmarks"] += results["benchmarks"]
        add_program(rows, results)
    if not rows:
        sys.exit("no benchmark ran")
    count_cycles(rows)
    pathlib.Path(arguments[0]).write_text(json.dumps(merged, indent=1) + "\n", encoding="utf-8")
    print_table(rows)
    found = list(goals(rows))
    if found:
        print()
        for what, value, goal, met in found:
            print("%-4s %-28s %s (goal: %s)" % ("ok" if met else "MISS", what, value, goal))


if __name__ == "__main__":
    main(sys.argv[1:])
