# SPDX-License-Identifier: MIT
"""is_utf8() and Utf8Validator against CPython's decoder: texts made at random, in pieces made at random, on every row.

    fuzz_utf8.py [--seconds S] [--seed N] [--crash FILE] CORPUS...

Starts with the files of the corpora as they are, then changes and joins them for S seconds (0: not at all). A text on
which the two disagree ends it with status 1, and is written to FILE. The rows themselves, also through SIMDe, are
compared by fuzz_utf8_rows.c.
"""

import argparse
import pathlib
import random
import sys
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "python"))
import decoder  # noqa: E402
import fastws  # noqa: E402

LEN_MAX = 4096
POOL_MAX = 500
EDGES = bytes.fromhex("00 41 7f 80 8f 90 9f a0 bf c0 c1 c2 df e0 e1 ec ed ee ef f0 f1 f3 f4 f5 f8 ff")
CHARACTERS = [chr(code).encode() for code in (0, 0x7F, 0x80, 0x7FF, 0x800, 0xD7FF, 0xE000, 0xFFFF, 0x10000, 0x10FFFF)]


def insert(rng, data, part):
    at = rng.randrange(len(data) + 1)
    return data[:at] + part + data[at:]


def insert_edges(rng, data, pool):
    return insert(rng, data, bytes(rng.choices(EDGES, k=rng.randint(1, 4))))


def insert_characters(rng, data, pool):
    return insert(rng, data, rng.choice(CHARACTERS) * rng.choice((1, 1, 5, 21, 64, 300)))


def insert_other(rng, data, pool):
    return insert(rng, data, rng.choice(pool))


def flip_bit(rng, data, pool):
    if not data:
        return data
    at = rng.randrange(len(data))
    return data[:at] + bytes([data[at] ^ 1 << rng.randrange(8)]) + data[at + 1 :]


def remove(rng, data, pool):
    begin = rng.randrange(len(data) + 1)
    return data[:begin] + data[begin + rng.choice((1, 2, 3, 16, 64)) :]


def cut_end(rng, data, pool):
    return data[: rng.randrange(len(data) + 1)]


def repair(rng, data, pool):
    """What is bad goes, so that the next change is reached."""
    return data.decode(errors="ignore").encode()


CHANGES = [insert_edges, insert_characters, insert_other, flip_bit, remove, cut_end, repair]


def make_text(rng, pool):
    data = rng.choice(pool)
    for _ in range(rng.randint(1, 4)):
        data = rng.choice(CHANGES)(rng, data, pool)
    return data[:LEN_MAX]


def cut(rng, data):
    """Pieces of data: one byte each, or ended at random places, of which some are the same."""
    if rng.randrange(8) == 0:
        return [data[i : i + 1] for i in range(len(data))]
    ends = sorted(rng.choices(range(len(data) + 1), k=rng.randrange(9)))
    return [data[i:k] for i, k in zip([0, *ends], [*ends, len(data)], strict=True)]


def is_agreed(data, pieces, crash):
    """Has every row judge data. Returns False, and says how, if one judges it otherwise than the decoder."""
    for row in fastws.isas():
        fastws.select_isa(row)
        try:
            decoder.check_text(data)
            decoder.check_validator([data])
            decoder.check_validator(pieces)
        except AssertionError as error:
            crash.write_bytes(data)
            lengths = [len(piece) for piece in pieces]
            print(f"{row}: {data!r} in pieces of {lengths}: {error!r}\nthe text is in {crash}", file=sys.stderr)
            return False
    return True


def read_corpora(folders):
    return [path.read_bytes() for folder in folders for path in sorted(folder.iterdir())]


def run(options):
    rng = random.Random(options.seed)
    pool = read_corpora(options.corpus)
    before = fastws.isa()
    until = time.monotonic() + options.seconds
    count = 0
    try:
        for data in pool:
            if not is_agreed(data, cut(rng, data), options.crash):
                return 1
            count += 1
        while time.monotonic() < until:
            data = make_text(rng, pool)
            if not is_agreed(data, cut(rng, data), options.crash):
                return 1
            count += 1
            if len(pool) < POOL_MAX:
                pool.append(data)
            else:
                pool[rng.randrange(POOL_MAX)] = data
    finally:
        fastws.select_isa(before)
    print(f"DONE {count} texts on the rows {' '.join(fastws.isas())}")
    return 0


def main(arguments=None):
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seconds", type=float, default=0)
    parser.add_argument("--seed", type=int, help="the same seed makes the same texts")
    parser.add_argument("--crash", type=pathlib.Path, default="crash-utf8")
    parser.add_argument("corpus", type=pathlib.Path, nargs="+")
    options = parser.parse_args(arguments)
    if options.seed is None:
        options.seed = random.SystemRandom().randrange(1 << 32)
    print(f"seed {options.seed}")
    return run(options)


if __name__ == "__main__":
    sys.exit(main())
