# SPDX-License-Identifier: MIT
"""Tables of what bench/peers/run.py measured, for a terminal and for docs/performance.md."""

BASE = "fastws"
OURS = ("fastws", "fastws-clang")  # both are ours: no race between them
LEVEL = 0.03  # times closer than this are level: they change places from run to run

# Group of rows: its title, and what each column calls.
GROUPS = {
    "mask": ("Masking in place, by bytes", {
        "fastws": "`fastws_mask()`",
        "gobwas": "`ws.Cipher()`",
        "gorilla": "`maskBytes()`, private, called by its symbol",
        "coder": "`mask()`, private, called by its symbol",
        "gws": "`internal.MaskXOR()`, called by its symbol",
        "tokio-websockets": "`mask::frame()`, private, its file compiled into the worker",
        "fastwebsockets": "`unmask()`",
        "tungstenite": "`apply_mask()`, private, its file compiled into the worker",
        "bufferutil": "`unmask()`: a call from JavaScript into C is part of it",
    }),
    "utf8": ("Is it UTF-8? By text and bytes", {
        "fastws": "`fastws_utf8_is_valid()`",
        "gobwas": "`wsutil.UTF8Reader`, which copies as well",
        "gws": "`utf8.Valid()` of Go's library, which it calls",
        "simdutf8": "`basic::from_utf8()`, which tokio-websockets and fastwebsockets call",
        "tungstenite": "`str::from_utf8()` of Rust's library, which it calls",
        "utf-8-validate": "a call from JavaScript into C is part of it",
    }),
    "frames": ("A server receives masked frames, by kind and bytes of payload: time for one frame", {
        "fastws": "`fastws_conn_space()`, `_filled()`, `_next()`",
        "gobwas": "binary `ws.ReadHeaderBuffer()`, `io.ReadFull()`, `ws.Cipher()`; text `wsutil.Reader` with `CheckUTF8`; "
                  "over a `bufio.Reader`",
        "gorilla": "`NextReader()` into one buffer; does not check text, so binary only",
        "coder": "`Reader()` into one buffer; does not check text, so binary only",
        "gws": "`ReadLoop()` with `CheckUtf8Enabled`",
        "tokio-websockets": "`WebSocketStream` as a `Stream`",
        "fastwebsockets": "`WebSocket::read_frame()`",
        "tungstenite": "`WebSocket::read()`",
        "wslay": "`wslay_event_recv()`",
    }),
    "header_read": ("Reading the header of a masked frame, by length of its payload", {
        "fastws": "`fastws_header_parse()`",
        "gobwas": "`ws.ReadHeaderBuffer()` from a `bytes.Reader`",
        "tungstenite": "`FrameHeader::parse()`",
    }),
    "header_write": ("Writing the header of a masked frame, by length of its payload", {
        "fastws": "`fastws_header_write()`",
        "gobwas": "`ws.WriteHeaderBuffer()` to a `bytes.Buffer`",
        "tungstenite": "`FrameHeader::format()` to a `Vec`",
    }),
    "upgrade": ("The server's half of the handshake, by request", {
        "fastws": "`fastws_upgrade_feed()`, `_response()`, `_reset()`",
        "gobwas": "`ws.Upgrader{}.Upgrade()`",
        "tungstenite": "`accept()`, which makes a connection as well",
    }),
    "accept_key": ("Sec-WebSocket-Accept from Sec-WebSocket-Key", {
        "fastws": "`fastws_accept_key()`, which checks the key as well",
        "gobwas": "`initAcceptFromNonce()`, private, called by its symbol",
        "gorilla": "`computeAcceptKey()`, private, called by its symbol",
        "coder": "`secWebSocketAccept()`, private, called by its symbol",
        "gws": "`internal.ComputeAcceptKey()`, called by its symbol",
        "tungstenite": "`derive_accept_key()`",
    }),
    "python_mask": ("Python: masking in place, by bytes", {
        "fastws": "`fastws.mask()` on a `bytearray`",
        "aiohttp": "the C masker of its reader and writer, on a `bytearray`",
    }),
    "python_masked": ("Python: masking into new bytes, by bytes", {
        "fastws": "`fastws.masked()`",
        "websockets": "`speedups.apply_mask()`, its C masker",
    }),
    "python_frames": ("Python: a server receives masked frames, Sans-I/O: time for one frame", {
        "fastws": "`Connection.receive()`",
        "websockets": "`ServerProtocol.receive_data()`, `events_received()`; does not check text, so binary only",
    }),
}

LEFT_OUT = (
    "wslay masks byte by byte as it reads and writes, and has no function for it: it is in `frames` only",
    "fastws-clang is the same library built by clang; it is compared with nobody",
    "fastwebsockets and tokio-websockets upgrade through other crates, coder, gorilla and gws through Go's HTTP server: "
    "their handshakes are not the same work",
    "aiohttp reads frames inside of its transport, without a Sans-I/O connection",
)


def group_of(row):
    return row.partition("/")[0]


def tables(results):
    """Yields (group, columns, [(label, {column: ns})])."""
    groups = {}
    for row, times in results["ns"].items():
        groups.setdefault(group_of(row), []).append((row.partition("/")[2] or row, times))
    for group, lines in groups.items():
        known = list(GROUPS[group][1])
        columns = {column: None for _, times in lines for column in times}
        yield group, sorted(columns, key=lambda name: OURS.index(name) if name in OURS else len(OURS) + known.index(name)), lines


def ratio_of(times, column):
    """How many times as long as fastws a library takes, or None."""
    if column == BASE or column not in times or BASE not in times:
        return None
    return times[column] / times[BASE]


def mark_of(column, ratio):
    """What stands behind a ratio: ! where fastws is behind, = where both are level."""
    if ratio is None or column in OURS or ratio > 1 + LEVEL:
        return ""
    return "!" if ratio < 1 - LEVEL else "="


def cell(times, column):
    if column not in times:
        return ""
    ns = times[column]
    text = "%.1f" % ns if ns < 1000 else "%.0f" % ns
    ratio = ratio_of(times, column)
    return text if ratio is None else "%s ×%.2f%s" % (text, ratio, mark_of(column, ratio))


def races(results):
    """Counts the comparisons with other libraries, and yields those that fastws does not win: (row, column, ratio)."""
    count, lost = 0, []
    for row, times in results["ns"].items():
        for column in times:
            ratio = ratio_of(times, column)
            if ratio is not None and column not in OURS:
                count += 1
                if ratio < 1 - LEVEL:
                    lost.append((row, column, ratio))
    return count, sorted(lost, key=lambda race: race[2])


def summary(results):
    """Yields lines that say where fastws is behind."""
    count, lost = races(results)
    yield "fastws is behind in %d of %d comparisons%s" % (len(lost), count, ":" if lost else "")
    for row, column, ratio in lost:
        yield "behind  %-28s %s takes %.2f of the time" % (row, column, ratio)


def about(results):
    """Yields lines that say what was measured where."""
    yield "CPU: " + results["machine"]["cpu"]
    yield "System: " + results["machine"]["system"]
    yield "Built with: " + "; ".join(results["tools"])
    yield "Versions: " + ", ".join("%s %s" % pair for pair in results["peers"].items())
    yield "Least time of %d rounds, in nanoseconds for one call; ×: times as long as fastws, ! where fastws is behind, = \
where they are within %d %%" % (results["rounds"], LEVEL * 100)
    for skip in results["skipped"]:
        yield "SKIPPED %s: %s" % (skip["name"], skip["reason"])


def calls(group, columns):
    return ["%s: %s" % (column, GROUPS[group][1][column]) for column in columns if column in GROUPS[group][1]]


def text(results):
    """The tables for a terminal."""
    lines = list(about(results))
    for group, columns, rows in tables(results):
        cells = [["", *columns]] + [[label, *(cell(times, column) for column in columns)] for label, times in rows]
        widths = [max(len(line[i]) for line in cells) for i in range(len(cells[0]))]
        lines += ["", "%s: %s" % (group, GROUPS[group][0])]
        for line in cells:
            padded = [line[0].ljust(widths[0])] + [word.rjust(width) for word, width in zip(line[1:], widths[1:])]
            lines.append("  ".join(padded).rstrip())
        lines += ["    " + call.replace("`", "") for call in calls(group, columns)]
    lines += ["", "not compared:"] + ["    " + reason.replace("`", "") for reason in LEFT_OUT]
    return "\n".join([*lines, "", *summary(results)])


def markdown(results):
    """The tables for a document."""
    lines = ["* " + line for line in about(results)]
    for group, columns, rows in tables(results):
        lines += ["", "### %s" % GROUPS[group][0], ""]
        lines.append("| `%s` | %s |" % (group, " | ".join(columns)))
        lines.append("|---|" + "--:|" * len(columns))
        lines += ["| %s | %s |" % (label, " | ".join(cell(times, column) for column in columns)) for label, times in rows]
        lines += [""] + ["* " + call for call in calls(group, columns)]
    lines += ["", "### Not compared", ""] + ["* " + reason for reason in LEFT_OUT]
    first, *behind = summary(results)
    return "\n".join([*lines, "", first[0].upper() + first[1:], ""] + ["* `%s`" % line.strip() for line in behind])
