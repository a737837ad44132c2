# SPDX-License-Identifier: MIT
"""Merges the results of several Google Benchmark programs, and of bench_stream.py, and prints their minima.

    python scripts/lib/bench.py [--markdown] MERGED.json RESULT.json...

Times are CPU time for one item where the benchmark counts items, else for one iteration: the least of all repetitions.
Cycles are multiples of calibrate/cycle, which one of the programs measures. `of limit` compares a kernel with what the
memory allows: memset for masking in place, memcpy for masking into another buffer. Python is compared with the bare
sockets of the same run. --markdown prints the tables that docs/performance.md has: a column for each row of kernels, in
nanoseconds; names of what is measured in Python go without `python/`, which is a folder to those who check documents.
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
    "frames_masked/64": 15,
    "frames_text/64": 18,
    "message_write/server/64": 30,
    "message_write/client/64": 44,
    "message_write/server/65536": 100,
    "message_write/server/16777216": 100,
    "message_echo/64": 160,
    "broadcast/1000": 60,
    "upgrade/minimal": 480,
    "upgrade/chrome": 810,
}

# Checking a text of 64 bytes that has readable bytes behind it: most cycles for the best row.
SHORT_TEXT_CYCLES_ASCII, SHORT_TEXT_CYCLES = 10, 16
# Unmasking and checking in one pass, for the best row: least share of `mask` on ASCII, of `utf8` on other texts.
FUSED_ASCII_GOALS = {4096: 0.85, 32768: 0.9, 1048576: 0.9}
FUSED_TEXT_GOAL = 0.9
FRAME_OVER_MASK = 1.5  # frames_masked/1024 takes at most so many times as long as the best mask/1024.
ACCEPT_CYCLE_GOAL = 220  # With SHA instructions.
HTTP_HEAD_CYCLE_GOAL = 360  # http_head/chrome, for the best row.
SLOWER_THAN_ROW_BELOW = 1.05
ROWS_COMPARED_UP_TO = 1048576
TEXT_KERNELS = ("utf8", "utf8_slop", "mask_utf8")
# Compression, on JSON: times beside those of bare zlib, of the tail beside those of no takeover; what a tail sends
# beside what takeover sends; bytes that a connection holds between messages.
DEFLATE_OVER_ZLIB, INFLATE_OVER_ZLIB, TAIL_OVER_NO_TAKEOVER = 1.05, 1.1, 1.3
TAIL_RATIO_OVER_TAKEOVER, HELD_GOALS = 1.1, {"tail": 2048, "no_takeover": 0}
STREAM_OVER_SOCKET, STREAM_GOAL_BYTES = 1.3, 64  # Stream.send() and recv(), beside those of the sockets.


class Row:
    """The least time of one benchmark, in nanoseconds and in cycles."""

    def __init__(self, name):
        self.name = name
        self.ns = float("inf")
        self.cycles = None
        self.bytes_per_second = 0.0
        self.ratio = self.held = None

    def add(self, run):
        scale = {"ns": 1, "us": 1e3, "ms": 1e6, "s": 1e9}[run["time_unit"]]
        rate = run.get("items_per_second")
        self.ns = min(self.ns, 1e9 / rate if rate else run["cpu_time"] * scale)
        self.bytes_per_second = max(self.bytes_per_second, run.get("bytes_per_second", 0.0))
        self.ratio, self.held = run.get("ratio"), run.get("held")


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


def compressions(rows):
    """Yields mode, corpus, size and the row of all that compresses a message."""
    for name, row in rows.items():
        if name.startswith("deflate/"):
            yield (*name.split("/")[1:], row)


def print_compression(rows):
    """Prints what docs/compression.md shows: bytes sent, bytes held and times, beside bare zlib."""
    def times(row, *bare):
        other = next((rows[name] for name in bare if name in rows), None)
        return ["%.2f" % (row.ns / 1e3) if row else "", "%.2f" % (row.ns / other.ns) if row and other else ""]

    lines = []
    for mode, corpus, size, row in compressions(rows):
        alone, inflate = "zlib/deflate/no_takeover/%s/%s" % (corpus, size), "inflate/%s/%s/%s" % (mode, corpus, size)
        lines.append(["%s, %s" % (corpus, size), mode, "%.3f" % row.ratio, "%d" % row.held,
                      *times(row, "zlib/" + row.name, alone), *times(rows.get(inflate), "zlib/" + inflate)])
    if lines:
        print_markdown_table(["Corpus, bytes", "Mode", "Sent / plain", "Held", "Compress, µs", "of zlib",
                              "Inflate, µs", "of zlib"], lines)


def print_markdown_table(head, lines):
    print("| %s |" % " | ".join(head))
    print("|---|%s" % ("--:|" * (len(head) - 1)))
    for line in lines:
        print("| %s |" % " | ".join(line))
    print()


def kernel_table(rows, kernel, cases):
    """Returns the head and the lines of a kernel's table. A filter may have left out some rows, or what limits them."""
    isas = list(dict.fromkeys(isa for by_isa in cases.values() for isa in by_isa))
    limit = LIMITS.get(kernel)
    limits = {case: rows.get("%s/%s" % (limit, case)) for case in cases}
    columns = [(isa, {case: by_isa.get(isa) for case, by_isa in cases.items()}) for isa in isas]
    if any(limits.values()):
        columns.append(("`%s`" % limit, limits))
    lines = [[case, *("%.1f" % column[case].ns if column[case] else "" for _, column in columns)] for case in cases]
    return ["`%s`, ns" % kernel, *(name for name, _ in columns)], lines


def print_markdown(rows, python):
    """Prints a table for each kernel that several ISAs have, and one of all that is left."""
    kernels, rest = {}, []
    for row in rows.values():
        parts = row.name.split("/")
        if parts[0] in LIMITS or parts[0] in TEXT_KERNELS or parts[0] == "accept_key":
            kernels.setdefault(parts[0], {}).setdefault("/".join(parts[2:]) or "a key", {})[parts[1]] = row
        elif parts[0] not in (*LIMITS.values(), "deflate", "inflate", "zlib"):
            rest.append(row)
    print_compression(rows)
    for kernel, cases in kernels.items():
        print_markdown_table(*kernel_table(rows, kernel, cases))
    print_markdown_table(["", "ns", "cycles", "GB/s"], [
        ["`%s`" % row.name, "%.2f" % row.ns, "" if row.cycles is None else "%.1f" % row.cycles,
         "%.1f" % (row.bytes_per_second / 1e9) if row.bytes_per_second else ""] for row in rest])
    if python:
        print_markdown_table(["python: `send()` and `recv()`", "ns", "of bare"], [
            ["`%s`" % result["name"].removeprefix("python/"), "%.0f" % result["ns"], "%.2f" % result["ratio"]]
            for result in python])
    found = [*goals(rows), *python_goals(python)]
    if found:
        lines = [["`%s`" % what.removeprefix("python/"), value, goal, "" if met else "missed"]
                 for what, value, goal, met in found]
        print_markdown_table(["", "measured", "goal", ""], lines)


def print_python(results):
    """Prints what bench_stream.py measured; the first of each size is what the others are compared with."""
    width = max(len(result["name"]) for result in results)
    print("\n%-*s %12s %10s" % (width, "python: send() and recv()", "ns", "of bare"))
    for result in results:
        print("%-*s %12.0f %10.2f" % (width, result["name"], result["ns"], result["ratio"]))


def python_goals(results):
    for result in results:
        if result["name"].startswith("python/stream/") and result["bytes"] == STREAM_GOAL_BYTES:
            yield (result["name"], "%.2f of bare sockets" % result["ratio"], "at most %.1f" % STREAM_OVER_SOCKET,
                   result["ratio"] <= STREAM_OVER_SOCKET)


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
    head = best(rows, "http_head", "chrome")
    if head and head.cycles:
        yield (head.name, "%.1f cycles" % head.cycles, "at most %d" % HTTP_HEAD_CYCLE_GOAL,
               head.cycles <= HTTP_HEAD_CYCLE_GOAL)
    yield from text_goals(rows)
    yield from compression_goals(rows)
    frame, alone = rows.get("frames_masked/1024"), best(rows, "mask", "1024")
    if frame and alone:
        ratio = frame.ns / alone.ns
        yield (frame.name, "%.2f of the time of %s" % (ratio, alone.name), "at most %.2f" % FRAME_OVER_MASK,
               ratio <= FRAME_OVER_MASK)
    yield from row_order(rows, isas)


def best(rows, kernel, case):
    """Returns the row KERNEL/ISA/CASE of the best ISA, which comes first, or None."""
    start, end = kernel + "/", "/" + case
    return next((row for name, row in rows.items() if name.startswith(start) and name.endswith(end)), None)


def text_goals(rows):
    """Yields the goals of the UTF-8 kernels' best rows."""
    for case in dict.fromkeys("/".join(name.split("/")[2:]) for name in rows if name.startswith("mask_utf8/")):
        text, size = case.split("/")[0], int(case.split("/")[1])
        short = best(rows, "utf8_slop", case) if size == 64 else None
        goal = SHORT_TEXT_CYCLES_ASCII if text == "ascii" else SHORT_TEXT_CYCLES
        if short and short.cycles:
            yield short.name, "%.1f cycles" % short.cycles, "at most %d" % goal, short.cycles <= goal
        alone = best(rows, "mask", str(size)) if text == "ascii" else best(rows, "utf8", case)
        if alone and size in FUSED_ASCII_GOALS:
            goal, fused = FUSED_ASCII_GOALS[size] if text == "ascii" else FUSED_TEXT_GOAL, best(rows, "mask_utf8", case)
            share = alone.ns / fused.ns
            yield fused.name, "%.2f of %s" % (share, alone.name), "at least %.2f" % goal, share >= goal


def compression_goals(rows):
    """Yields the goals of compression: all of them on JSON."""
    def beside(row, other, goal):
        ratio = row.ns / rows[other].ns
        return row.name, "%.2f of the time of %s" % (ratio, other), "at most %.2f" % goal, ratio <= goal

    for mode, corpus, size, row in compressions(rows):
        case = "%s/%s" % (corpus, size)
        if corpus != "json":
            continue
        if mode in HELD_GOALS:
            yield row.name, "%d bytes held" % row.held, "at most %d" % HELD_GOALS[mode], row.held <= HELD_GOALS[mode]
        for direction, goal in (("deflate", DEFLATE_OVER_ZLIB), ("inflate", INFLATE_OVER_ZLIB)):
            ours, bare = rows.get("%s/%s/%s" % (direction, mode, case)), "zlib/%s/%s/%s" % (direction, mode, case)
            if size == "1024" and ours and bare in rows:
                yield beside(ours, bare, goal)
        if mode != "tail":
            continue
        if "deflate/no_takeover/" + case in rows:
            yield beside(row, "deflate/no_takeover/" + case, TAIL_OVER_NO_TAKEOVER)
        full = rows.get("deflate/takeover/" + case)
        if full:
            more = row.ratio / full.ratio
            yield (row.name, "%.2f of the bytes of takeover" % more, "at most %.2f" % TAIL_RATIO_OVER_TAKEOVER,
                   more <= TAIL_RATIO_OVER_TAKEOVER)


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
    is_markdown = arguments[:1] == ["--markdown"]
    if is_markdown:
        arguments = arguments[1:]
    if len(arguments) < 2:
        sys.exit(__doc__)
    merged, rows = {"context": None, "benchmarks": [], "python": []}, {}
    for path in arguments[1:]:
        text = pathlib.Path(path).read_text(encoding="utf-8")
        if not text:
            continue  # The filter left this program nothing to run.
        results = json.loads(text)
        if "benchmarks" not in results:
            merged["python"] += results["results"]
            continue
        merged["context"] = merged["context"] or results["context"]
        merged["benchmarks"] += results["benchmarks"]
        add_program(rows, results)
    if not rows and not merged["python"]:
        sys.exit("no benchmark ran")
    count_cycles(rows)
    pathlib.Path(arguments[0]).write_text(json.dumps(merged, indent=1) + "\n", encoding="utf-8")
    if is_markdown:
        print_markdown(rows, merged["python"])
        return
    if rows:
        print_table(rows)
    if merged["python"]:
        print_python(merged["python"])
    found = [*goals(rows), *python_goals(merged["python"])]
    if found:
        print()
        for what, value, goal, met in found:
            print("%-4s %-34s %s (goal: %s)" % ("ok" if met else "MISS", what, value, goal))


if __name__ == "__main__":
    main(sys.argv[1:])
