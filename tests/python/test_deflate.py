# SPDX-License-Identifier: MIT
"""Compressed messages through connections: what is agreed on, which messages, what is held. RFC 7692."""

import gc
import sys
import threading
import time
import zlib

import pytest

import fastws
from fastws import Connection, Deflate, Dial, Message, PreparedMessage, Upgrade
from fastws.deflate import Parameters

MODES = ["takeover", "tail", "no_takeover"]
TEXT = '{"symbol": "ETH-USD", "price": 1234.5, "side": "buy"} ' * 4
# RFC 7692 7.2.3: what each example is, the frames as they are on the wire, what the message is.
EXAMPLES = {
    "one block": (bytes.fromhex("c107f248cdc9c90700"), "Hello"),
    "in two fragments": (bytes.fromhex("4103f248cd8004c9c90700"), "Hello"),
    "no compression": (bytes.fromhex("c10b000500faff48656c6c6f00"), "Hello"),
    "final block": (bytes.fromhex("c108f348cdc9c9070000"), "Hello"),
    "two blocks": (bytes.fromhex("c10df248050000 00ffffcac9c90700".replace(" ", "")), "Hello"),
    "empty": (bytes.fromhex("c10100"), ""),
}


def pair(server="deflate", client="deflate", parameters=None, **options):
    """Two ends of a connection."""
    ends = []
    for role, wanted in (("server", server), ("client", client)):
        if parameters is not None and wanted is not None:
            wanted = (Deflate() if wanted == "deflate" else wanted).with_parameters(parameters)
        ends.append(Connection(role, compression=wanted, **options))
    return ends


def agree(server, client):
    """What a handshake of the two leads to: their connections."""
    upgrade, dial = Upgrade(compression=server), Dial("ws://localhost/", compression=client)
    assert upgrade.feed(dial.request) == b"" and dial.feed(upgrade.response) == b""
    assert upgrade.handshake.extensions == dial.handshake.extensions
    return Connection("server", compression=upgrade.compression), Connection("client", compression=dial.compression)


def carry(sender, receiver):
    """Brings over what is to be sent. Returns the bytes and the events."""
    wire = sender.data_to_send()
    return wire, receiver.receive(wire)


def is_compressed(wire):
    return bool(wire[0] & 0x40)


# ---- The examples of the RFC ----


@pytest.mark.parametrize("name", EXAMPLES)
def test_reads_the_examples_of_the_rfc(name):
    wire, message = EXAMPLES[name]
    for step in (len(wire), 1):
        client = Connection("client", compression="deflate")
        events = [event for i in range(0, len(wire), step) for event in client.receive(wire[i : i + step])]
        assert events == [(fastws.OpCode.TEXT, message)] and events[0].compressed


def test_writes_the_examples_of_the_rfc():
    server, _ = pair()
    server.send("Hello", compress=True)
    assert server.data_to_send() == bytes.fromhex("c107f248cdc9c90700")
    # 7.2.3.2: the same again, which refers to the first.
    server.send("Hello", compress=True)
    assert server.data_to_send() == bytes.fromhex("c105f200110000")
    # 7.2.3.6
    server.send("", compress=True)
    assert server.data_to_send() == bytes.fromhex("c10100")
    plain, _ = pair(Deflate("no_takeover", level=0))
    plain.send("Hello", compress=True)
    # 7.2.3.3
    assert plain.data_to_send() == bytes.fromhex("c10b000500faff48656c6c6f00")


# ---- The settings ----

SETTINGS = {
    "peer_takeover": (False, True), "window_bits": (8, 15), "peer_window_bits": (8, 15),
    "require_peer_window_bits": (True, False), "offer_window_bits": (False, True), "level": (0, 9),
    "memory_level": (1, 9), "strategy": (zlib.Z_DEFAULT_STRATEGY, zlib.Z_FIXED), "skip_binary": (True, False),
    "tail_size": (256, 32768), "threshold": (0, 1 << 40), "max_inflated": (1, None), "max_ratio": (1, None),
}
OUTSIDE = {
    "window_bits": (7, 16), "peer_window_bits": (7, 16), "level": (-1, 10), "memory_level": (0, 10),
    "strategy": (-1, 5), "tail_size": (255, 32769), "threshold": (-1,), "max_inflated": (0, -1),
    "max_ratio": (0, 1 << 32),
}


@pytest.mark.parametrize("mode", MODES)
def test_every_setting_can_be_read_back(mode):
    for name, values in SETTINGS.items():
        for value in values:
            assert getattr(Deflate(mode, **{name: value}), name) == value
    assert Deflate(mode).mode == mode


def test_has_the_defaults_of_the_library():
    takeover = Deflate()
    assert takeover == Deflate("takeover") and takeover.mode == "takeover"
    assert (takeover.window_bits, takeover.memory_level, takeover.peer_takeover) == (12, 5, True)
    for mode in MODES[1:]:
        deflate = Deflate(mode)
        assert (deflate.window_bits, deflate.memory_level, deflate.peer_takeover) == (15, 8, False)
        assert (deflate.level, deflate.threshold, deflate.tail_size, deflate.peer_window_bits) == (1, 64, 1024, 15)
        assert deflate.max_inflated is None and deflate.max_ratio is None and deflate.parameters is None
        assert deflate.offer_window_bits and not deflate.skip_binary and not deflate.require_peer_window_bits


def test_refuses_settings_that_are_none():
    for name, values in OUTSIDE.items():
        for value in values:
            with pytest.raises(ValueError, match=name):
                Deflate(**{name: value})
        with pytest.raises(TypeError):
            Deflate(**{name: "x"})
    for mode in ("", "TAIL", "deflate"):
        with pytest.raises(ValueError, match="'takeover', 'tail' or 'no_takeover'"):
            Deflate(mode)
    for wrong in (1, b"tail", ()):
        with pytest.raises(TypeError):
            Deflate(wrong)
        with pytest.raises(TypeError):
            Deflate(parameters=wrong)
    with pytest.raises(ValueError):
        Deflate(parameters=Parameters(client_max_window_bits=True))
    with pytest.raises(TypeError):
        Deflate("tail", False)


@pytest.mark.parametrize("value", [0, 7, 16, 1 << 70, -1])
def test_the_range_of_a_setting_is_named(value):
    with pytest.raises(ValueError, match="^window_bits must be from 8 to 15$"):
        Deflate(window_bits=value)


def test_compares_and_shows_itself():
    a, b = Deflate("tail", threshold=5), Deflate("tail", threshold=5)
    assert a == b and hash(a) == hash(b) and a != Deflate("tail") and a != 5 and len({a, b, Deflate()}) == 2
    assert eval(repr(a), {"Deflate": Deflate}) == a
    agreed = a.with_parameters(Parameters(server_max_window_bits=10))
    assert agreed != a and agreed.parameters == Parameters(server_max_window_bits=10) and a.parameters is None
    assert eval(repr(agreed), {"Deflate": Deflate, "Parameters": Parameters}) == agreed
    with pytest.raises(AttributeError):
        a.level = 5


@pytest.mark.parametrize("kind", [
    lambda value: Connection("server", compression=value),
    lambda value: fastws.Stream(object, compression=value),
    lambda value: Upgrade(compression=value),
    lambda value: Dial("ws://localhost/", compression=value),
    lambda value: fastws.Upgrader(compression=value),
    lambda value: fastws.Dialer(compression=value),
], ids=["Connection", "Stream", "Upgrade", "Dial", "Upgrader", "Dialer"])
def test_what_is_no_compression_is_refused(kind):
    for wrong, error in ((5, TypeError), (b"deflate", TypeError), ("gzip", ValueError), (Deflate, TypeError)):
        with pytest.raises(error, match="compression must be"):
            kind(wrong)


# ---- Agreement ----


@pytest.mark.parametrize("server", MODES)
@pytest.mark.parametrize("client", MODES)
def test_every_pair_of_modes_talks_once_it_agreed(server, client):
    ends = agree(Deflate(server), Deflate(client))
    for _ in range(3):
        for sender, receiver in (ends, ends[::-1]):
            sender.send(TEXT)
            wire, events = carry(sender, receiver)
            assert events == [(1, TEXT)] and events[0].compressed and len(wire) < len(TEXT) / 2
            sender.send(b"\0" * 5000)
            assert carry(sender, receiver)[1] == [(2, b"\0" * 5000)]


@pytest.mark.parametrize("name, values", SETTINGS.items())
def test_every_setting_talks_in_both_roles(name, values):
    for value in values:
        if name.startswith("max_") and value is not None:
            continue  # they refuse messages: test_deflate_hostile.py
        deflate = Deflate(**{name: value})
        for server, client in ((deflate, "deflate"), ("deflate", deflate), (deflate, deflate)):
            ends = agree(server, client)
            for sender, receiver in (ends, ends[::-1]):
                for message in (TEXT, b"binary" * 1000, "x" * 70000):
                    sender.send(message)
                    assert carry(sender, receiver)[1][0].data == message


def test_what_was_agreed_on_is_shown():
    upgrade = Upgrade(compression=Deflate("tail", window_bits=10))
    dial = Dial("ws://localhost/", compression=Deflate("takeover", peer_window_bits=11))
    assert upgrade.compression is None and dial.compression is None
    upgrade.feed(dial.request)
    dial.feed(upgrade.response)
    wanted = Parameters(False, True, 10, 12)
    assert upgrade.compression == Deflate("tail", window_bits=10).with_parameters(wanted)
    assert dial.compression == Deflate("takeover", peer_window_bits=11).with_parameters(wanted)
    assert upgrade.handshake.extensions == (wanted.format(),)
    connection = Connection("client", compression=dial.compression)
    assert connection.compression is dial.compression
    assert Connection("server", compression="deflate").compression.parameters == Parameters()
    assert Connection("server").compression is None


def test_nothing_is_agreed_on_where_one_end_does_not_want_it():
    for server, client in ((None, "deflate"), ("deflate", None), (None, None)):
        for end in agree(server, client):
            assert end.compression is None and end.compression_held == 0
            end.send(TEXT, compress=True)
            assert not is_compressed(end.data_to_send())


def test_an_answer_that_was_not_offered_fails_the_handshake():
    answers = {
        "permessage-deflate; foo": "FASTWS_ERR_DEFLATE_PARAM",
        "permessage-deflate; server_max_window_bits=7": "FASTWS_ERR_DEFLATE_VALUE",
        "permessage-deflate; server_no_context_takeover; server_no_context_takeover": "FASTWS_ERR_DEFLATE_REPEATED",
        "permessage-deflate; client_max_window_bits=10": "FASTWS_ERR_DEFLATE_ANSWER",
    }
    for answer, name in answers.items():
        dial = Dial("ws://localhost/", compression=Deflate(window_bits=15, offer_window_bits=False))
        upgrade = Upgrade(negotiate=lambda offered: answer)
        upgrade.feed(dial.request)
        with pytest.raises(fastws.NegotiationError) as raised:
            dial.feed(upgrade.response)
        assert raised.value.name == name and dial.compression is None


def test_stands_beside_other_extensions():
    upgrade = Upgrade(compression="deflate", negotiate=lambda offered: offered if offered == b"foo" else None)
    dial = Dial("ws://localhost/", compression="deflate", extensions="foo, bar")
    upgrade.feed(dial.request)
    dial.feed(upgrade.response)
    assert "foo" in dial.handshake.extensions and dial.compression is not None
    with pytest.raises(ValueError, match="without permessage-deflate"):
        Dial("ws://localhost/", compression="deflate", extensions="permessage-deflate")
    seen = []
    server = Connection("server", compression="deflate", extensions=[lambda header: seen.append(header.rsv)])
    client = Connection("client", compression="deflate")
    client.send(TEXT)
    assert carry(client, server)[1][0].compressed
    server.send(TEXT)
    assert carry(server, client)[1][0].compressed and seen == [0, 0]


def test_a_connection_without_parameters_keeps_to_the_extension_alone():
    """Whatever a peer may do by default, and nothing that it would have to know."""
    server = Connection("server", compression=Deflate("no_takeover", window_bits=9))
    assert server.compression.parameters == Parameters()
    peer = zlib.compressobj(9, wbits=-15)
    for message in (b"a" * 40000, TEXT.encode(), b"a" * 40000 + TEXT.encode()):
        payload = (peer.compress(message) + peer.flush(zlib.Z_SYNC_FLUSH))[:-4]
        wire = fastws.compile_frame(2, payload, rsv=fastws.Rsv.RSV1, mask=b"abcd")
        assert server.receive(wire) == [(2, message)]


# ---- Which messages ----


def test_the_threshold_and_the_call_choose():
    server, client = pair(Deflate(threshold=100, skip_binary=True))
    for data, compress, wanted in [
        ("x" * 99, None, False), ("x" * 100, None, True), (b"x" * 100, None, False), ("x" * 99, True, True),
        (b"x", True, True), ("x" * 100, False, False), ("", None, False), ("", True, True),
        ("x" * 70000, None, True), ("x" * 70000, False, False), (b"x" * 70000, None, False), (b"x" * 70000, True, True),
    ]:
        server.send(data, compress=compress)
        wire, events = carry(server, client)
        assert is_compressed(wire) is wanted and events[0].compressed is wanted and events[0].data == data
    with pytest.raises(ZeroDivisionError):
        server.send("x", compress=Untrue())
    with pytest.raises(TypeError):
        server.send("x", None, True)


class Untrue:
    def __bool__(self):
        return 1 / 0


def test_a_message_in_pieces_is_compressed_as_a_whole():
    for compress, wanted in ((None, True), (True, True), (False, False)):
        server, client = pair(fragment_size=1000)
        server.begin(compress=compress)
        for _ in range(30):
            server.write(TEXT)
        server.flush_fragment()
        server.ping(b"between")
        server.finish()
        wire, events = carry(server, client)
        assert is_compressed(wire) is wanted and (len(wire) < 3000) is wanted
        assert events == [(b"between",), (1, TEXT * 30)] and events[-1].compressed is wanted


def test_control_frames_are_left_alone():
    server, client = pair(Deflate(threshold=0))
    server.ping(b"x" * 100)
    server.close(1000, "y" * 100)
    wire, events = carry(server, client)
    assert not is_compressed(wire) and events == [(b"x" * 100,), (1000, "y" * 100)]


@pytest.mark.parametrize("delivery", ["fragments", "stream"])
def test_chunks_say_that_they_came_compressed(delivery):
    server, client = pair(delivery=delivery)
    server.send(TEXT * 100, compress=True)
    server.send(TEXT, compress=False)
    wire = server.data_to_send()
    for step in (len(wire), 1, 100):
        client.reset(compression="deflate")
        chunks = [event for i in range(0, len(wire), step) for event in client.receive(wire[i : i + step])]
        compressed = [chunk for chunk in chunks if chunk.compressed]
        assert b"".join(chunk.data for chunk in compressed) == (TEXT * 100).encode()
        assert b"".join(chunk.data for chunk in chunks if not chunk.compressed) == TEXT.encode()
        assert compressed[0].first and compressed[-1].last and len(compressed[0]) == 5


@pytest.mark.parametrize("settings", [{"skip_binary": True}, {"threshold": 1 << 20}])
def test_a_large_message_is_compressed_by_itself_whoever_chose_so(settings):
    server, client = pair(Deflate(**settings))
    server.send(bytes(1 << 17))
    assert not is_compressed(carry(server, client)[0])
    # It used to go through the connection's own stream, with the interpreter lock.
    server.send(bytes(1 << 17), compress=True)
    wire, events = carry(server, client)
    assert is_compressed(wire) and events[0].data == bytes(1 << 17) and server.compression_held == 1024


# ---- Memory ----


@pytest.mark.parametrize("mode, theirs", [("takeover", "takeover"), ("tail", "takeover"), ("no_takeover", "tail")])
def test_what_is_held_can_be_read_and_given_back(mode, theirs):
    server, client = agree(Deflate(mode), Deflate(theirs, window_bits=15))
    assert server.compression_held == client.compression_held == 0
    for _ in range(3):
        server.send(TEXT * 10)
        assert carry(server, client)[1][0].data == TEXT * 10
        client.send(TEXT * 10)
        assert carry(client, server)[1][0].data == TEXT * 10
    busy = server.compression_held
    assert {"takeover": busy > 60000, "tail": busy == 1024, "no_takeover": busy == 0}[mode]
    server.idle()
    idle = server.compression_held
    # The last 1 KiB that was sent, and the window of a peer that keeps its context.
    assert idle == {"takeover": 1024 + 3 * len(TEXT * 10), "tail": 1024, "no_takeover": 0}[mode]
    # Context is kept: what follows still refers to what was sent.
    server.send(TEXT * 10)
    wire, events = carry(server, client)
    assert events[0].data == TEXT * 10 and (len(wire) < 60 or mode == "no_takeover")
    client.send(TEXT * 10)
    assert carry(client, server)[1][0].data == TEXT * 10


def test_counts_where_the_bytes_are():
    gc.collect()
    fastws.deflate.trim()
    before = fastws.deflate.stats()
    server, client = pair()
    server.send(TEXT)
    carry(server, client)
    stats = fastws.deflate.stats()
    assert stats.held == sum(stats[1:7]) and stats.streams_made == before.streams_made + 2
    assert stats.compressors - before.compressors == server.compression_held
    assert stats.inflaters - before.inflaters == client.compression_held
    del server, client
    gc.collect()
    freed = fastws.deflate.stats()
    assert freed.compressors == before.compressors and freed.free >= stats.held - before.held
    fastws.deflate.trim()
    assert fastws.deflate.stats().free == 0


def test_streams_are_lent_from_connection_to_connection():
    connections = [pair("deflate", "deflate", Parameters(True, True)) for _ in range(20)]
    fastws.deflate.trim()
    made = fastws.deflate.stats().streams_made
    for server, client in connections * 3:
        server.send(TEXT)
        assert carry(server, client)[1][0].data == TEXT
        assert server.compression_held == client.compression_held == 0
    assert fastws.deflate.stats().streams_made == made + 2


# ---- One message to many ----


def test_a_prepared_message_is_compressed_once_for_each_set_of_settings():
    kinds = [Deflate("tail"), Deflate("tail", level=9), Deflate("tail", window_bits=9), Deflate("no_takeover"), None]
    ends = [agree(kinds[i % len(kinds)], "deflate") for i in range(50)]
    for number in range(3):
        message = PreparedMessage(TEXT * 40 + str(number))
        wires = set()
        for server, client in ends:
            server.send(message)
            wire, events = carry(server, client)
            assert events[0].data == message.data and events[0].compressed is bool(server.compression)
            wires.add(wire)
            # A message of its own still fits behind it.
            server.send(TEXT + str(number))
            assert carry(server, client)[1][0].data == TEXT + str(number)
        # "tail" and "no_takeover" with the same settings share theirs.
        assert len(wires) == 4


def test_sharing_a_prepared_message_costs_no_more_compression():
    message = PreparedMessage(bytes(range(256)) * 2000 + zlib.compress(TEXT.encode()) * 2000)
    servers = [Connection("server", compression=Deflate("no_takeover", level=9)) for _ in range(40)]
    started = time.perf_counter()
    servers[0].send(message)
    first = time.perf_counter() - started
    started = time.perf_counter()
    for server in servers[1:]:
        server.send(message)
    assert (time.perf_counter() - started) / 39 < first / 3
    assert len({server.data_to_send() for server in servers}) == 1


def test_a_prepared_message_has_its_choice():
    # Only C had it: what is secret could not be told to stay plain.
    for compress, wanted in ((None, [False, True, True]), (True, [True] * 3), (False, [False] * 3)):
        server, client = pair()
        for text, is_wanted in zip(["x", TEXT, TEXT * 1000], wanted, strict=True):
            server.send(PreparedMessage(text, compress=compress))
            wire, events = carry(server, client)
            assert is_compressed(wire) is is_wanted and events[0].data == text
        plain, receiver = pair(None, None)
        plain.send(PreparedMessage(TEXT, compress=compress))
        wire, events = carry(plain, receiver)
        assert not is_compressed(wire) and events[0].data == TEXT
    with pytest.raises(TypeError):
        PreparedMessage("x", None, True)
    server, _ = pair()
    for compress in (True, False):
        with pytest.raises(ValueError, match="PreparedMessage has its choice"):
            server.send(PreparedMessage("x"), compress=compress)
    server.send(PreparedMessage("x"), compress=None)
    assert not is_compressed(server.data_to_send())


# ---- reset() ----


def test_reset_turns_compression_off_unless_it_is_given():
    server, client = pair()
    server.send(TEXT)
    carry(server, client)
    server.reset()
    assert server.compression is None and server.compression_held == 0
    server.send(TEXT)
    assert not is_compressed(server.data_to_send())
    server.reset(compression=Deflate("tail"))
    client.reset(compression="deflate")
    server.send(TEXT)
    assert carry(server, client)[1][0].compressed and server.compression.mode == "tail"
    with pytest.raises(ValueError):
        server.reset(compression="gzip")
    assert server.compression.mode == "tail"


# ---- Threads ----


def watch(work):
    """Runs it while another thread counts. Returns how often that one came round meanwhile."""
    counts, stop = [0], threading.Event()

    def count():
        while not stop.is_set():
            counts[0] += 1
            time.sleep(0)

    thread = threading.Thread(target=count, daemon=True)
    thread.start()
    try:
        before = counts[0]
        work()
        return counts[0] - before
    finally:
        stop.set()
        thread.join(20)


def lets_others_run(work, count=1):
    """Whether another thread came round so often, in one of many tries: a busy machine may have no time for it."""
    return any(watch(work) >= count for _ in range(50))


@pytest.fixture
def switch_every():
    """Sets the seconds that a thread keeps the interpreter for, unless it lets it go."""
    before = sys.getswitchinterval()
    yield sys.setswitchinterval
    sys.setswitchinterval(before)


def test_other_threads_run_while_a_large_message_is_compressed(switch_every):
    switch_every(60)
    text = "".join(TEXT + str(i * 7919) for i in range(50000))
    server, client = pair(max_size=None, max_frame_size=None)
    assert lets_others_run(lambda: server.send(text))
    wire, events = carry(server, client)
    assert events[0].data == text and is_compressed(wire)
    codec = fastws.deflate.Codec()
    assert lets_others_run(lambda: codec.compress(text))
    packed = codec.compress(text)
    assert lets_others_run(lambda: codec.decompress(packed))
    # Small ones are done before another thread could have run.
    assert watch(lambda: server.send(TEXT * 20)) == 0
    assert watch(lambda: codec.compress(TEXT * 20)) == 0


def test_other_threads_take_turns_with_a_long_message_in_pieces(switch_every):
    switch_every(0.0005)
    text = "".join(TEXT + str(i * 7919) for i in range(50000))
    server, client = pair(max_size=None, max_frame_size=None)
    server.begin()
    # All of it is one call: who kept the interpreter would let nobody in between.
    assert lets_others_run(lambda: server.write(text), 2)
    server.finish()
    (event,) = carry(server, client)[1]
    assert event.data[: len(text)] == text and len(event.data) % len(text) == 0


def test_a_connection_is_not_reset_under_a_message(in_thread, switch_every):
    switch_every(0.0001)
    text = TEXT * 40000
    server, _ = pair(max_size=None)
    refused = 0
    for _ in range(20):
        finish = in_thread(server.send, text)
        while server.queued == 0 and refused == 0:
            try:
                server.reset(compression="deflate")
            except fastws.ConcurrencyError:
                refused += 1
        finish()
        server.data_to_send()
        if refused:
            break
    assert refused


def test_large_messages_and_small_ones_keep_their_order():
    server, client = pair(max_size=None)
    messages = [TEXT, TEXT * 2000, "x", TEXT * 3000, TEXT, b"y" * 100000]
    for message in messages:
        server.send(message)
    assert [event.data for event in carry(server, client)[1]] == messages


def test_message_is_still_a_pair():
    server, client = pair()
    server.send(TEXT)
    (event,) = carry(server, client)[1]
    opcode, data = event
    assert (opcode, data) == event == Message((1, TEXT)) and len(event) == 2
