# SPDX-License-Identifier: MIT
"""Measures what the kernels of each instruction set do on this machine: ``python -m fastws.bench``."""

import argparse
import dataclasses
import json
import math
import platform
import sys
import timeit
from collections.abc import Sequence

import fastws

KEY = b"\x37\xfa\x21\x3d"
SIZES = {1024: "1 KiB", 32768: "32 KiB", 1048576: "1 MiB"}
ASCII = "The quick brown fox jumps over the lazy dog while five boxing wizards watch. "
CYRILLIC = "Съешь же ещё этих мягких французских булок да выпей чаю, широкая электрификация южных губерний. "

ROUNDS = 6
BAR_LEN = 14
BLOCKS = " ▏▎▍▌▋▊▉█"


@dataclasses.dataclass
class Cell:
    """One kernel of one instruction set on one size."""

    kernel: str
    title: str
    isa: str
    size: int
    timer: timeit.Timer
    seconds: float = math.inf

    @property
    def gigabytes_per_second(self) -> float:
        return self.size / self.seconds / 1e9


def text(sentence: str, size: int) -> bytes:
    """Returns size bytes of whole characters, full stops where the next one does not fit."""
    encoded = sentence.encode()
    cut = (encoded * (size // len(encoded) + 1))[:size]
    return cut.decode(errors="ignore").encode().ljust(size, b".")


def cells() -> list[Cell]:
    """Everything to be measured, in the order of the tables."""
    found = []

    def add(kernel: str, title: str, statement: str, make_buffer: type[bytearray] | None, sentence: str = "") -> None:
        for size in SIZES:
            buffer = make_buffer(size) if make_buffer else text(sentence, size)
            names = {"mask": fastws.mask, "is_utf8": fastws.is_utf8, "buffer": buffer, "key": KEY}
            for isa in fastws.isas():
                found.append(Cell(kernel, title, isa, size, timeit.Timer(statement, globals=names)))

    add("mask", "mask in place", "mask(buffer, key)", bytearray)
    add("utf8/ascii", "UTF-8, ASCII", "is_utf8(buffer)", None, ASCII)
    add("utf8/cyrillic", "UTF-8, two-byte characters", "is_utf8(buffer)", None, CYRILLIC)
    return found


def measure(measured: Sequence[Cell], seconds: float) -> None:
    """Times each cell in every round and keeps its least time. The selected instruction set is restored.

    Rows take turns within a round: what disturbs the machine for a while disturbs all of them.

    Args:
        measured: what to time; the first call of each is to warm up.
        seconds: how long all of it takes. A cell runs at least once in each round.
    """
    share = seconds / len(measured) / ROUNDS
    selected = fastws.isa()
    try:
        estimates = []
        for cell in measured:
            fastws.select_isa(cell.isa)
            cell.timer.timeit(1)
            estimates.append(max(cell.timer.timeit(1), 1e-9))
        for _ in range(ROUNDS):
            for i, cell in enumerate(measured):
                fastws.select_isa(cell.isa)
                count = max(1, int(share / estimates[i]))
                estimates[i] = max(cell.timer.timeit(count) / count, 1e-9)
                cell.seconds = min(cell.seconds, estimates[i])
    finally:
        fastws.select_isa(selected)


def call_seconds() -> float:
    """Returns what a call costs that has nothing to do: it is in every figure."""
    timer = timeit.Timer("mask(buffer, key)", globals={"mask": fastws.mask, "buffer": bytearray(), "key": KEY})
    return min(timer.repeat(50, 1000)) / 1000


def bar(share: float, length: int, *, is_unicode: bool) -> str:
    """Draws a share (0 to 1) of length columns: in eighths of a column, or in whole ones without Unicode."""
    if not is_unicode:
        return "#" * max(1, round(share * length))
    whole, eighths = divmod(max(1, round(share * length * 8)), 8)
    return (BLOCKS[8] * whole + BLOCKS[eighths]).rstrip()


def table(group: Sequence[Cell], *, is_unicode: bool) -> list[str]:
    """The lines of one kernel: a row for each instruction set, a column for each size. The longest bar is fastest."""
    most = max(cell.gigabytes_per_second for cell in group)
    lines = [group[0].title + ", GB/s", " " * 10 + "".join(name.rjust(7).ljust(23) for name in SIZES.values())]
    for isa in fastws.isas():
        line = isa.ljust(10)
        for cell in group:
            if cell.isa == isa:
                drawn = bar(cell.gigabytes_per_second / most, BAR_LEN, is_unicode=is_unicode)
                line += f"{cell.gigabytes_per_second:7.2f} {drawn:<{BAR_LEN}} "
        lines.append(line)
    return [line.rstrip() for line in lines]


def can_print(symbols: str) -> bool:
    """Whether standard output has an encoding that knows all of them."""
    try:
        symbols.encode(sys.stdout.encoding or "ascii")
    except (UnicodeEncodeError, LookupError):
        return False
    return True


def print_tables(measured: Sequence[Cell], call: float) -> None:
    """Prints one table for each kernel, and what a call costs."""
    is_unicode = can_print(BLOCKS)
    print(f"fastws {fastws.__version__}, CPython {platform.python_version()}, {platform.machine()}; "
          f"the kernels use {fastws.isa()}")
    for kernel in dict.fromkeys(cell.kernel for cell in measured):
        group = [cell for cell in measured if cell.kernel == kernel]
        print("", *table(group, is_unicode=is_unicode), sep="\n")
    print(f"\nThe least of {ROUNDS} rounds. {call * 1e9:.0f} ns of each call are Python's.")


def as_json(measured: Sequence[Cell], call: float) -> str:
    """The same as numbers; names are those of scripts/bench: KERNEL/ISA/BYTES, utf8/ISA/TEXT/BYTES."""
    results = []
    for cell in measured:
        kernel, _, what = cell.kernel.partition("/")
        name = "/".join(part for part in (kernel, cell.isa, what, str(cell.size)) if part)
        results.append({"name": name, "isa": cell.isa, "bytes": cell.size, "ns": cell.seconds * 1e9,
                        "gigabytes_per_second": cell.gigabytes_per_second})
    return json.dumps(
        {
            "version": fastws.__version__,
            "python": platform.python_version(),
            "machine": platform.machine(),
            "isa": fastws.isa(),
            "isas": fastws.isas(),
            "call_ns": call * 1e9,
            "results": results,
        },
        indent=2,
    )


def duration(number: str) -> float:
    """Reads a number of seconds above 0."""
    seconds = float(number)
    if not 0 < seconds < math.inf:
        raise ValueError(number)
    return seconds


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs the command. Returns its exit code."""
    parser = argparse.ArgumentParser(prog="python -m fastws.bench", description="Measures the kernels of this machine.")
    parser.add_argument("--seconds", type=duration, default=2.0, help="how long to measure (default: %(default)s)")
    parser.add_argument("--json", action="store_true", help="print numbers for programs")
    options = parser.parse_args(arguments)
    measured = cells()
    measure(measured, options.seconds)
    call = call_seconds()
    if options.json:
        print(as_json(measured, call))
    else:
        print_tables(measured, call)
    return 0


if __name__ == "__main__":
    sys.exit(main())
