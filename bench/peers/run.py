# SPDX-License-Identifier: MIT
"""Measures the same work through fastws and through other libraries, side by side in one run.

Each library is measured by a worker: a program in its language that knows how to call it. scripts/peers builds them
and starts this program, which writes the data, asks all workers in turn for a few milliseconds of work, many times
over, and keeps the least time of each case. Between a worker and this program goes one line at a time:

    peer NAME VERSION        a library that the worker measures
    note NAME TEXT           what else should stand under the table: a compiler, a kernel row
    case NAME ROW            something that it can measure; ROW is a line of the file `rows` in the folder of the data
    ready                    no more of those

and then, for each question `NAME ROW COUNT`, an answer `NANOSECONDS COUNT`: how long how many calls took. Before the
clock starts, a worker does a sixteenth of the work, because others had the caches in between.
"""

import argparse
import ast
import json
import pathlib
import platform
import random
import re
import shlex
import subprocess
import sys
import zlib

import report

BATCH_NS = 2_000_000  # how long one answer should take
CALIBRATION_NS = 200_000  # how long a batch must take for its length to be trusted
ROUNDS = 15
SEED = 6455

MASK_SIZES = (7, 16, 64, 125, 512, 1024, 4096, 32768, 262144, 1048576)
TEXT_SIZES = (20, 64, 1024, 4096, 32768, 1048576)
PAYLOAD_SIZES = (64, 1024)
HEADER_LENGTHS = (64, 1024, 65536)
STREAM_LEN = 65536
COMPRESSED_SIZES = (128, 1024)
COMPRESSED_COUNT = 64  # different ones: the same again and again would be compressed several times faster
KEY = bytes([0x37, 0xFA, 0x21, 0x3D])
OPCODE_TEXT, OPCODE_BINARY = 1, 2


def read_texts(header):
    """Returns the texts of bench/texts.h by name: {"name", "a part" "and another"}."""
    literal = r'"(?:[^"\\]|\\.)*"'
    entry = re.compile(r"\{(%s),\s*((?:%s\s*)+)\}" % (literal, literal))
    found = entry.findall(header.read_text(encoding="utf-8"))
    return {ast.literal_eval(name): ast.literal_eval("(%s)" % sentence) for name, sentence in found}


TEXTS = read_texts(pathlib.Path(__file__).parents[1] / "texts.h")

HEADS = {
    "minimal": (
        "GET / HTTP/1.1",
        "Host: ws.example.io",
        "Upgrade: websocket",
        "Connection: Upgrade",
        "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==",
        "Sec-WebSocket-Version: 13",
    ),
    "chrome": (
        "GET /chat/42 HTTP/1.1",
        "Host: ws.example.io",
        "Connection: Upgrade",
        "Pragma: no-cache",
        "Cache-Control: no-cache",
        "User-Agent: Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/142.0.0.0 "
        "Safari/537.36",
        "Upgrade: websocket",
        "Origin: http://example.io",
        "Sec-WebSocket-Version: 13",
        "Accept-Encoding: gzip, deflate, br",
        "Accept-Language: en-US,en;q=0.9",
        "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==",
        "Sec-WebSocket-Extensions: permessage-deflate; client_max_window_bits",
    ),
}


def text_of(name, size):
    """Exactly size bytes of a text: whole characters, and spaces where the next one does not fit."""
    unit = TEXTS[name]
    text = (unit * (size // len(unit.encode()) + 1)).encode()[:size]
    return text.decode(errors="ignore").encode().ljust(size)


def header_of(opcode, length):
    """A masked header, as a client writes it."""
    if length < 126:
        extended = bytes([0x80 | length])
    elif length < 65536:
        extended = bytes([0x80 | 126]) + length.to_bytes(2, "big")
    else:
        extended = bytes([0x80 | 127]) + length.to_bytes(8, "big")
    return bytes([0x80 | opcode]) + extended + KEY


def stream_of(opcode, payload):
    """As many masked frames as fit 64 KiB."""
    masked = bytes(byte ^ KEY[i % 4] for i, byte in enumerate(payload))
    frame = header_of(opcode, len(payload)) + masked
    return frame * (STREAM_LEN // len(frame))


def json_of(generator, size):
    """An update of an order book, of about size bytes."""
    changes = []
    while True:
        sequence = generator.randrange(10**9)
        update = {"type": "l2update", "product_id": "ETH-USD", "sequence": sequence, "changes": changes}
        text = json.dumps(update, separators=(",", ":")).encode()
        if len(text) + 40 > size:
            return text
        price, amount = generator.randrange(300000, 302000) / 100, generator.randrange(10**8) / 10**8
        changes.append([generator.choice(("buy", "sell")), "%.2f" % price, "%.8f" % amount])


def compressed(message):
    """As a peer without context sends it: RFC 7692 7.2.1."""
    compressor = zlib.compressobj(1, wbits=-15)
    return (compressor.compress(message) + compressor.flush(zlib.Z_SYNC_FLUSH))[:-4]


def behind_lengths(messages):
    """The messages, each behind its length in four bytes."""
    return b"".join(len(message).to_bytes(4, "big") + message for message in messages)


def make_rows():
    """Yields each row and its data."""
    generator = random.Random(SEED)
    for size in MASK_SIZES:
        yield "mask/%d" % size, generator.randbytes(size)
    for text in TEXTS:
        for size in TEXT_SIZES:
            yield "utf8/%s/%d" % (text, size), text_of(text, size)
    for size in PAYLOAD_SIZES:
        yield "frames/binary/%d" % size, stream_of(OPCODE_BINARY, generator.randbytes(size))
        for text in ("ascii", "cyrillic"):
            yield "frames/%s/%d" % (text, size), stream_of(OPCODE_TEXT, text_of(text, size))
    for length in HEADER_LENGTHS:
        yield "header_read/%d" % length, header_of(OPCODE_BINARY, length)
        yield "header_write/%d" % length, header_of(OPCODE_BINARY, length)
    for name, lines in HEADS.items():
        head = "\r\n".join((*lines, "", "")).encode()
        yield "http_head/%s" % name, head
        yield "upgrade/%s" % name, head
    for size in COMPRESSED_SIZES:
        messages = [json_of(generator, size) for _ in range(COMPRESSED_COUNT)]
        yield "deflate/json/%d" % size, behind_lengths(messages)
        yield "inflate/json/%d" % size, behind_lengths(compressed(message) for message in messages)
    yield "accept_key", b"dGhlIHNhbXBsZSBub25jZQ=="
    for size in MASK_SIZES:
        yield "python_mask/%d" % size, generator.randbytes(size)
        yield "python_masked/%d" % size, generator.randbytes(size)
    for size in PAYLOAD_SIZES:
        yield "python_frames/binary/%d" % size, stream_of(OPCODE_BINARY, generator.randbytes(size))


def write_data(folder, wanted):
    """Writes the data of the rows that are wanted, and their list. Returns the list."""
    folder.mkdir(parents=True, exist_ok=True)
    rows = []
    for row, data in make_rows():
        if wanted.search(row):
            (folder / row.replace("/", "-")).write_bytes(data)
            rows.append(row)
    (folder / "rows").write_text("".join(row + "\n" for row in rows))
    return rows


class Worker:
    """A program that measures, and what it said about itself."""

    def __init__(self, command):
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self.peers, self.notes, self.cases = {}, [], []
        while (words := self.read_line())[0] != "ready":
            if words[0] == "peer":
                self.peers[words[1]] = words[2]
            elif words[0] == "note":
                self.notes.append(" ".join(words[1:]))
            else:
                self.cases.append((words[1], words[2]))

    def read_line(self):
        line = self.process.stdout.readline()
        if not line:
            raise RuntimeError("it ended with status %d" % self.process.wait())
        return line.split()

    def ask(self, peer, row, count):
        """Returns how many nanoseconds how many calls took."""
        self.process.stdin.write("%s %s %d\n" % (peer, row, count))
        self.process.stdin.flush()
        elapsed, done = self.read_line()
        return int(elapsed), int(done)

    def end(self):
        self.process.stdin.close()
        self.process.wait()


class Case:
    """One library at one row: how often to call it, and its least time so far."""

    def __init__(self, worker, peer, row):
        self.worker, self.peer, self.row = worker, peer, row
        self.count = 1
        self.ns = float("inf")

    def calibrate(self):
        """Finds how many calls take about as long as one answer should."""
        while True:
            elapsed, done = self.worker.ask(self.peer, self.row, self.count)
            if elapsed >= CALIBRATION_NS:
                break
            self.count *= 8
        self.count = max(1, round(BATCH_NS * done / elapsed))

    def measure(self):
        elapsed, done = self.worker.ask(self.peer, self.row, self.count)
        self.ns = min(self.ns, elapsed / done)


def start(commands, skipped):
    """Starts the workers. One that cannot be started is skipped with its reason."""
    workers = []
    for name, command in commands:
        try:
            workers.append(Worker(command))
        except (OSError, RuntimeError) as error:
            skipped.append((name, "its worker does not start: %s" % error))
    return workers


def measure(workers, rounds):
    """Measures every case in every round, rows in order and the libraries of a row in changing order."""
    rows = {}
    for worker in workers:
        for peer, row in worker.cases:
            rows.setdefault(row, []).append(Case(worker, peer, row))
    for cases in rows.values():
        for case in cases:
            case.calibrate()
    generator = random.Random(SEED)
    for number in range(rounds):
        print("round %d of %d" % (number + 1, rounds), file=sys.stderr)
        for cases in rows.values():
            for case in generator.sample(cases, len(cases)):
                case.measure()
    return rows


def machine():
    """What the times depend on."""
    try:
        lines = pathlib.Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        lines = []
    found = dict(re.split(r"\s*: ?", line, maxsplit=1) for line in reversed(lines) if ":" in line)
    words = [found.get("model name", platform.machine())]
    words += ["%s %s" % (key, found[key]) for key in ("cpu family", "model", "stepping") if key in found]
    return {"cpu": ", ".join(words), "system": "%s %s" % (platform.system(), platform.release())}


def parse_arguments():
    parser = argparse.ArgumentParser()
    parser.add_argument("--data", type=pathlib.Path, required=True, help="folder for the data")
    parser.add_argument("--worker", action="append", default=[], help="NAME=COMMAND")
    parser.add_argument("--skipped", action="append", default=[], help="NAME: REASON")
    parser.add_argument("--tool", action="append", default=[], help="a compiler and its version")
    parser.add_argument("--filter", type=re.compile, default=re.compile(""))
    parser.add_argument("--rounds", type=int, default=ROUNDS)
    parser.add_argument("--json", type=pathlib.Path)
    parser.add_argument("--markdown", action="store_true")
    return parser.parse_args()


def main():
    arguments = parse_arguments()
    names = write_data(arguments.data, arguments.filter)
    if not names:
        sys.exit("no row is called like that")
    commands = [(name, shlex.split(command)) for name, _, command in (text.partition("=") for text in arguments.worker)]
    skipped = [tuple(text.split(": ", 1)) for text in arguments.skipped]
    workers = start(commands, skipped)
    try:
        rows = measure(workers, arguments.rounds)
    finally:
        for worker in workers:
            worker.end()
    peers = {}
    for worker in workers:
        peers.update(worker.peers)
    results = {
        "machine": machine(),
        "tools": arguments.tool + [note for worker in workers for note in worker.notes],
        "peers": peers,
        "skipped": [{"name": name, "reason": reason} for name, reason in skipped],
        "rounds": arguments.rounds,
        "ns": {row: {case.peer: case.ns for case in rows[row]} for row in names if row in rows},
    }
    if arguments.json:
        arguments.json.write_text(json.dumps(results, indent=1) + "\n", encoding="utf-8")
    print(report.markdown(results) if arguments.markdown else report.text(results))


if __name__ == "__main__":
    main()
