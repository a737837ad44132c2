# SPDX-License-Identifier: MIT
"""Tables of what bench/peers/run.py measured, for a terminal and for docs/performance.md."""

BASE = "fastws"
OURS = ("fastws", "fastws-clang")  # both are ours: no race between them
LEVEL = 0.03  # times closer than this are level: they change places from run to run
NAMED = 6  # so many of the rows that are lost to a library are named in the summary

# Group of rows: its title, and what each column calls.
GROUPS = {
    "mask": ("Masking in place, by bytes", {
        "fastws": "`fastws_mask()`",
        "gobwas": "`ws.Cipher()`",
        "gorilla": "`maskBytes()`, private, called by its symbol",
        "coder": "`mask()`, private, called by its symbol",
        "gws": "`internal.MaskXOR()`, called by its symbol",
        "tokio-websockets": "`mask::frame()`, private, its file compiled into the worker",
        "fastwebsockets": "`unmask()`, inlined, as in the crate",
        "tungstenite": "`apply_mask()`, private, its file compiled into the worker and inlined, as in the crate",
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
        "gobwas": "binary `ws.ReadHeaderBuffer()`, `io.ReadFull()`, `ws.Cipher()`; text `wsutil.Reader` with "
                  "`CheckUTF8`; over a `bufio.Reader`",
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
    "http_head": ("Reading the head of a request into slices, by request", {
        "fastws": "`fastws_http_parse_request()`, room for 64 headers",
        "httparse": "`Request::parse()`, room for 64 headers, as fastwebsockets and tungstenite have it or more",
    }),
    "upgrade": ("The server's half of the handshake, by request", {
        "fastws": "`fastws_upgrade_feed()`, `_response()`, `_reset()`",
        "gobwas": "`ws.Upgrader{}.Upgrade()`",
        "tungstenite": "`accept()`, which makes a connection as well",
    }),
    "deflate": ("Compressing a message without context, level 1, 64 messages in turn", {
        "fastws": "`fastws_deflate_compress_frame()`, over zlib",
        "gobwas": "`wsflate.CompressFrame()`, which makes a compressor for each message; its level is 9",
    }),
    "inflate": ("Inflating a message without context, 64 messages in turn", {
        "fastws": "`fastws_deflate_decompress_frame()`, over zlib",
        "gobwas": "`wsflate.DecompressFrame()`, which makes a decompressor for each message",
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
    "fastwebsockets and tokio-websockets upgrade through other crates, coder, gorilla and gws through Go's HTTP "
    "server, websockets and aiohttp through their own: their handshakes are not the same work",
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
        known = [*OURS, *GROUPS[group][1]]
        columns = {column for _, times in lines for column in times}
        yield group, sorted(columns, key=known.index), lines


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
    """Yields each comparison with another library: (group, column, label of the row, ratio)."""
    for group, columns, lines in tables(results):
        for column in columns:
            for label, times in lines:
                ratio = ratio_of(times, column)
                if ratio is not None and column not in OURS:
                    yield group, column, label, ratio


def summary(results):
    """Yields lines that say where fastws is behind: the first one how often, then one for each library of a group."""
    counts, lost = {}, {}
    for group, column, label, ratio in races(results):
        counts[group, column] = counts.get((group, column), 0) + 1
        if mark_of(column, ratio) == "!":
            lost.setdefault((group, column), []).append((ratio, label))
    total = sum(len(labels) for labels in lost.values())
    yield "fastws is behind in %d of %d comparisons%s" % (total, sum(counts.values()), ":" if lost else "")
    for (group, column), labels in lost.items():
        worst = ", ".join("%s ×%.2f" % (label, ratio) for ratio, label in sorted(labels)[:NAMED])
        rest = ", and nearer ones" if len(labels) > NAMED else ""
        yield "%s, %s in %d of %d: %s%s" % (group, column, len(labels), counts[group, column], worst, rest)


def about(results):
    """Yields lines that say what was measured where."""
    yield "CPU: " + results["machine"]["cpu"]
    yield "System: " + results["machine"]["system"]
    yield "Built with: " + "; ".join(results["tools"])
    yield "Versions: " + ", ".join("%s %s" % pair for pair in results["peers"].items())
    yield "Least time of %d rounds, in nanoseconds for one call. ×: times as long as fastws, ! where fastws is " \
          "behind, = where they are within %d %%" % (results["rounds"], LEVEL * 100)
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
        for label, times in rows:
            lines.append("| %s | %s |" % (label, " | ".join(cell(times, column) for column in columns)))
        lines += [""] + ["* " + call for call in calls(group, columns)]
    lines += ["", "### Not compared", ""] + ["* " + reason for reason in LEFT_OUT]
    first, *behind = summary(results)
    return "\n".join([*lines, "", "### Where fastws is behind", "", first, ""] + ["* " + line for line in behind])
