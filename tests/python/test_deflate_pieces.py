# SPDX-License-Identifier: MIT
"""fastws.deflate: the pieces that stand alone. RFC 7692."""

import itertools
import random
import zlib

import pytest

import fastws
from fastws import Deflate, Frame, Header
from fastws.deflate import (
    NAME,
    WINDOW_BITS_MAX,
    WINDOW_BITS_MIN,
    Codec,
    MessageState,
    Parameters,
    compress_frame,
    confirm,
    decompress_frame,
    negotiate,
    offer,
)

MODES = ["takeover", "tail", "no_takeover"]
TEXT = b'{"symbol": "ETH-USD", "price": 1234.5, "side": "buy"} ' * 4
RSV1 = fastws.Rsv.RSV1


def frame(payload, opcode=1, *, fin=True, rsv=0, mask=None):
    return Frame((Header(fin, rsv, opcode, mask, len(payload)), fastws.masked(payload, mask) if mask else payload))


# ---- Parameters ----


def all_parameters():
    bits = [None, *range(8, 16)]
    return [Parameters(*each) for each in itertools.product((False, True), (False, True), bits, [*bits, True])]


def test_writes_what_it_parses():
    for parameters in all_parameters():
        text = parameters.format()
        assert text.startswith(NAME)
        assert Parameters.parse(text[len(NAME) + 1 :]) == parameters
        assert Parameters.parse(text[len(NAME) + 1 :].encode()) == parameters
        if parameters.client_max_window_bits is True:
            with pytest.raises(fastws.NegotiationError):
                Parameters.parse(text[len(NAME) + 1 :], is_answer=True)
        else:
            assert Parameters.parse(text[len(NAME) + 1 :], is_answer=True) == parameters
    assert (WINDOW_BITS_MIN, WINDOW_BITS_MAX) == (8, 15)


def test_parses_as_the_rfc_says():
    assert Parameters.parse("") == Parameters() == Parameters.parse("  ")
    assert Parameters.parse(' server_max_window_bits="10" ; SERVER_NO_CONTEXT_TAKEOVER') == Parameters(True, False, 10)
    for text, name in {
        "foo": "FASTWS_ERR_DEFLATE_PARAM",
        "server_max_window_bits": "FASTWS_ERR_DEFLATE_VALUE",
        "server_max_window_bits=08": "FASTWS_ERR_DEFLATE_VALUE",
        "client_max_window_bits=16": "FASTWS_ERR_DEFLATE_VALUE",
        "server_no_context_takeover=1": "FASTWS_ERR_DEFLATE_VALUE",
        "client_max_window_bits; client_max_window_bits": "FASTWS_ERR_DEFLATE_REPEATED",
    }.items():
        with pytest.raises(fastws.NegotiationError) as raised:
            Parameters.parse(text)
        assert raised.value.name == name and raised.value.rfc == "RFC 7692 7.1"
    for text in ("=", "a b", ";", "\xff"):
        with pytest.raises(fastws.InvalidHeader):
            Parameters.parse(text)
    for wrong in (5, None):
        with pytest.raises(TypeError):
            Parameters.parse(wrong)


def test_writes_no_parameters_that_are_none():
    for wrong in (Parameters(server_max_window_bits=7), Parameters(client_max_window_bits=16),
                  Parameters(server_max_window_bits=True), Parameters(client_max_window_bits=False),
                  Parameters(client_max_window_bits=1), Parameters(server_max_window_bits=-1)):
        with pytest.raises(ValueError):
            wrong.format()
    with pytest.raises(TypeError):
        Parameters(server_max_window_bits="10").format()
    with pytest.raises(TypeError):
        Deflate(parameters=(False, False, None, None))


# ---- Agreement ----


def test_every_offer_is_answered_within_the_rules():
    """RFC 7692 7.1: what an answer may and must hold, for every offer and every server."""
    servers = [Deflate(mode, peer_takeover=peer, window_bits=own, peer_window_bits=bits, require_peer_window_bits=must)
               for mode in MODES for peer in (False, True) for own in (8, 12, 15) for bits in (8, 15)
               for must in (False, True)]
    count = 0
    for offered in all_parameters():
        for server in servers:
            agreed = negotiate(server, offered.format())
            if agreed is None:
                # Only where its window is to be limited, and cannot be.
                assert server.require_peer_window_bits and offered.client_max_window_bits is None
                continue
            answer = agreed.parameters
            count += 1
            assert answer.server_no_context_takeover or not offered.server_no_context_takeover
            assert answer.client_no_context_takeover or server.peer_takeover
            if offered.server_max_window_bits:
                assert answer.server_max_window_bits <= offered.server_max_window_bits
            if offered.client_max_window_bits is None:
                assert answer.client_max_window_bits is None
            elif answer.client_max_window_bits is not None:
                assert answer.client_max_window_bits <= (15 if offered.client_max_window_bits is True
                                                         else offered.client_max_window_bits)
            assert agreed == server.with_parameters(answer)
            # The client takes it.
            assert confirm("deflate", [offered], answer.format()).parameters is not None
    assert count > 10000


def test_offers_are_tried_in_turn():
    text = "foo, permessage-deflate; bar, permessage-deflate; server_max_window_bits=7, permessage-deflate; " \
           "server_max_window_bits=10, permessage-deflate"
    assert negotiate("deflate", text).parameters.server_max_window_bits == 10
    assert negotiate("deflate", text.encode()).parameters.server_max_window_bits == 10
    for declined in ("", "foo", "permessage-deflate; foo", "x-permessage-deflate"):
        assert negotiate("deflate", declined) is None
    with pytest.raises(fastws.InvalidHeader):
        negotiate("deflate", "permessage-deflate; ;")
    for wrong in (None, 5):
        with pytest.raises(TypeError):
            negotiate(wrong, "")
        with pytest.raises(TypeError):
            negotiate("deflate", wrong)


def test_offers_what_the_settings_want():
    assert offer("deflate") == Parameters(client_max_window_bits=12)
    assert offer(Deflate("tail")) == Parameters(server_no_context_takeover=True, client_max_window_bits=True)
    assert offer(Deflate("no_takeover")).client_no_context_takeover
    assert offer(Deflate(peer_window_bits=9, offer_window_bits=False)) == Parameters(server_max_window_bits=9)
    with pytest.raises(TypeError):
        offer(None)


def test_answers_are_judged():
    sent = [Parameters(server_max_window_bits=12, client_max_window_bits=True), Parameters()]
    assert confirm("deflate", sent, "foo") is None
    taken = confirm("deflate", sent, "permessage-deflate; server_max_window_bits=10; client_max_window_bits=9")
    assert taken.parameters == Parameters(False, False, 10, 9)
    assert confirm("deflate", sent, b"permessage-deflate").parameters == Parameters()
    for answer, name in {
        "permessage-deflate; server_max_window_bits=13; client_max_window_bits=9": "FASTWS_ERR_DEFLATE_ANSWER",
        "permessage-deflate, permessage-deflate": "FASTWS_ERR_DEFLATE_REPEATED",
        "permessage-deflate; client_max_window_bits": "FASTWS_ERR_DEFLATE_VALUE",
    }.items():
        with pytest.raises(fastws.NegotiationError) as raised:
            confirm("deflate", sent, answer)
        assert raised.value.name == name
    with pytest.raises(fastws.NegotiationError):
        confirm("deflate", [], "permessage-deflate")
    with pytest.raises(ValueError, match="at most 64"):
        confirm("deflate", [Parameters()] * 65, "")
    with pytest.raises(TypeError):
        confirm("deflate", ["permessage-deflate"], "")


# ---- Payloads ----


class Stock:
    """The other end, made of Python's zlib."""

    def __init__(self, own_bits=15, peer_bits=15, is_takeover=True, level=6):
        self.is_takeover = is_takeover
        self.own = (level, zlib.DEFLATED, -max(own_bits, 9))
        self.deflater = zlib.compressobj(*self.own)
        self.inflater = zlib.decompressobj(-peer_bits)

    def compress(self, message):
        if not self.is_takeover:
            self.deflater = zlib.compressobj(*self.own)
        return (self.deflater.compress(message) + self.deflater.flush(zlib.Z_SYNC_FLUSH))[:-4]

    def decompress(self, payload):
        return self.inflater.decompress(payload + b"\0\0\xff\xff")


def messages():
    source = random.Random(7)
    return [b"", b"x", TEXT, TEXT * 100, source.randbytes(300), source.randbytes(70000), TEXT * 2000, b"", TEXT]


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("role", ["server", "client"])
def test_zlib_reads_what_is_written_and_the_other_way_round(mode, role):
    for bits, level, memory, strategy in itertools.product((8, 9, 12, 15), (0, 1, 6, 9), (1, 9), (0, 2, 3, 4)):
        agreed = Parameters(server_max_window_bits=bits, client_max_window_bits=bits)
        settings = Deflate(mode, window_bits=bits, level=level, memory_level=memory, strategy=strategy)
        codec = Codec(settings.with_parameters(agreed), role)
        # A window of 256 bytes is one that zlib only reads.
        stock = Stock(own_bits=9 if bits == 8 else bits, peer_bits=bits, is_takeover=bits > 8)
        for message in messages()[: 5 if level else 4]:
            assert stock.decompress(codec.compress(message)) == message
            if bits > 8:
                assert codec.decompress(stock.compress(message)) == message


@pytest.mark.parametrize("mode", MODES)
def test_large_messages_cross_with_context(mode):
    codec, stock = Codec(Deflate(mode, window_bits=15)), Stock()
    for message in messages() * 2:
        assert stock.decompress(codec.compress(message)) == message
        assert codec.decompress(stock.compress(message)) == message


def test_compresses_and_inflates_in_pieces():
    ours, theirs = Codec("deflate"), Codec("deflate", "client")
    for step in (1, 7, 1000):
        pieces = [ours.compress(TEXT[i : i + step], end=False) for i in range(0, len(TEXT), step)]
        payload = b"".join(pieces) + ours.compress(b"")
        read = [theirs.decompress(payload[i : i + step], end=False) for i in range(0, len(payload), step)]
        assert b"".join(read) + theirs.decompress(b"") == TEXT


def test_a_flush_shows_all_that_was_given():
    ours, theirs = Codec("deflate"), Codec("deflate", "client")
    for piece in (b"first", "zweites ü", bytearray(b"third")):
        payload = ours.compress(piece, end=False, flush=True)
        assert theirs.decompress(payload, end=False) == (piece.encode() if isinstance(piece, str) else bytes(piece))
    assert theirs.decompress(ours.compress("")) == b""


def test_forgets_messages_that_were_not_sent():
    ours, theirs = Codec("deflate"), Codec("deflate", "client")
    assert theirs.decompress(ours.compress(TEXT)) == TEXT
    ours.compress(b"never sent" * 100)
    ours.forget()
    assert theirs.decompress(ours.compress(b"never sent" * 100)) == b"never sent" * 100
    ours.compress(b"begun", end=False)
    ours.forget()
    assert theirs.decompress(ours.compress(TEXT)) == TEXT


def test_gives_memory_back_and_keeps_context():
    ours, theirs = Codec("deflate"), Codec("deflate", "client")
    assert ours.held == theirs.held == 0
    for _ in range(3):
        theirs.decompress(ours.compress(TEXT * 20))
    assert ours.held > 30000 and theirs.held > 30000
    ours.idle()
    theirs.idle()
    assert ours.held == 1024 and theirs.held <= 32768
    payload = ours.compress(TEXT * 20)
    assert len(payload) < 60 and theirs.decompress(payload) == TEXT * 20
    alone = Codec()
    alone.compress(TEXT)
    alone.idle()
    assert alone.held == 0
    assert (alone.deflate.mode, alone.role, theirs.role) == ("no_takeover", "server", "client")


def test_keeps_to_its_limit():
    bomb = Codec().compress(bytes(1 << 20))
    assert len(bomb) < 5000
    assert Codec(max_size=1 << 20).decompress(bomb) == bytes(1 << 20) == Codec(max_size=None).decompress(bomb)
    for codec in (Codec(max_size=(1 << 20) - 1), Codec(Deflate(max_inflated=1000), max_size=None),
                  Codec(Deflate(max_inflated=1 << 30), max_size=1000), Codec(Deflate(max_ratio=100))):
        for _ in range(2):
            with pytest.raises(fastws.MessageTooBig) as raised:
                codec.decompress(bomb)
            assert raised.value.code == 1009
    for limit in (0, -1):
        with pytest.raises(ValueError):
            Codec(max_size=limit)


# ---- Frames ----


def test_compresses_and_inflates_whole_frames():
    for opcode in (1, 2):
        packed = compress_frame(frame(b"Hello", opcode))
        # RFC 7692 7.2.3.1
        assert packed == (Header(True, RSV1, opcode, None, 7), bytes.fromhex("f248cdc9c90700"))
        assert decompress_frame(packed) == frame(b"Hello", opcode)
        assert decompress_frame(tuple(packed)) == frame(b"Hello", opcode)
    for message in messages():
        packed = compress_frame(frame(message, 2), "deflate")
        assert decompress_frame(packed) == frame(message, 2)
        assert Stock().decompress(packed.payload) == message


def test_frames_that_are_not_compressed_are_left_as_they_are():
    for plain in (frame(b"x" * 100, 9), frame(b"", 10), frame(b"\x03\xe8", 8)):
        assert compress_frame(plain) == plain == decompress_frame(plain)
    assert decompress_frame(frame(b"Hello")) == frame(b"Hello")


def test_a_masked_frame_is_unmasked_before_it_is_inflated():
    packed = compress_frame(frame(b"Hello"))
    masked = frame(packed.payload, rsv=RSV1, mask=b"abcd")
    assert decompress_frame(masked) == frame(b"Hello")
    assert decompress_frame(frame(b"plain", mask=b"abcd")) == frame(b"plain")
    with pytest.raises(ValueError, match="masked"):
        compress_frame(frame(b"Hello", mask=b"abcd"))


def test_compresses_and_inflates_fragments():
    ours, theirs = Codec("deflate"), Codec("deflate", "client")
    for _ in range(3):
        text = "Grüße!".encode()
        parts = [frame(text[:5], fin=False), frame(b"between", 9), frame(text[5:7], 0, fin=False), frame(text[7:], 0)]
        packed = [ours.compress_frame(part) for part in parts]
        assert [part.header.rsv for part in packed] == [RSV1, 0, 0, 0] and packed[1] == parts[1]
        assert [theirs.decompress_frame(part) for part in packed] == parts
    with pytest.raises(ValueError, match="take a Codec"):
        compress_frame(frame(b"x", fin=False))
    with pytest.raises(ValueError, match="take a Codec"):
        decompress_frame(frame(b"x", fin=False, rsv=RSV1))


def test_frames_are_judged():
    for wrong in (frame(b"", 9, rsv=RSV1), frame(b"", 0, rsv=RSV1)):
        with pytest.raises(fastws.ProtocolError) as raised:
            decompress_frame(wrong)
        assert raised.value.name == "FASTWS_ERR_RSV" and raised.value.code == 1002
    with pytest.raises(fastws.ProtocolError):
        compress_frame(frame(b"x", rsv=RSV1))
    codec = Codec()
    with pytest.raises(fastws.ProtocolError):
        codec.compress_frame(frame(b"x", 0))
    codec.compress_frame(frame(b"x", fin=False))
    with pytest.raises(fastws.ProtocolError):
        codec.compress_frame(frame(b"x"))
    with pytest.raises(fastws.InvalidUTF8):
        decompress_frame(compress_frame(frame(b"\xff", 1)))
    assert decompress_frame(compress_frame(frame(b"\xff", 2))) == frame(b"\xff", 2)
    with pytest.raises(fastws.MessageTooBig):
        decompress_frame(compress_frame(frame(bytes(100000), 2)), max_size=99999)
    for wrong in (5, (), (1, 2), (Header(), "x"), None):
        for function in (compress_frame, decompress_frame):
            with pytest.raises(TypeError):
                function(wrong)
    for function in (compress_frame, decompress_frame):
        with pytest.raises(ValueError, match="header.length"):
            function((Header(length=3), b"x"))


# ---- RSV1 ----


def test_takes_rsv1_off_the_first_frame_and_remembers_it():
    state = MessageState()
    for rsv, wanted in ((RSV1 | 1, True), (2, False)):
        assert state.unset_bits(Header(False, rsv, 1)) == Header(False, rsv & 3, 1)
        assert state.received_compressed is wanted
        assert state.unset_bits(Header(True, 0, 9)) == Header(True, 0, 9)
        assert state.unset_bits(Header(True, 1, 0)) == Header(True, 1, 0) and state.received_compressed is wanted
    for wrong in (Header(True, RSV1, 9), Header(True, RSV1, 0), Header(True, 0, 0)):
        with pytest.raises(fastws.ProtocolError):
            state.unset_bits(wrong)
    with pytest.raises(TypeError):
        state.unset_bits(5)


def test_sets_rsv1_on_the_first_frame_only():
    state = MessageState(compressed=True)
    assert state.set_bits(Header(False, 0, 2)) == Header(False, RSV1, 2)
    assert state.set_bits(Header(True, 0, 9)) == Header(True, 0, 9)
    with pytest.raises(RuntimeError):
        state.compressed = False
    assert state.set_bits(Header(True, 0, 0)) == Header(True, 0, 0)
    state.compressed = False
    assert state.compressed is False and state.set_bits(Header(True, 2, 1)) == Header(True, 2, 1)
    with pytest.raises(fastws.ProtocolError):
        state.set_bits(Header(True, RSV1, 1))
    with pytest.raises(AttributeError):
        del state.compressed


def test_any_compression_can_stand_on_the_state(streams):
    """As gobwas/ws does it: the state marks the frames, a codec of its own makes the payloads."""
    server, client = streams
    state, codec = MessageState(compressed=True), Codec()
    with fastws.Writer(client, 2, extensions=[state]) as writer:
        writer.write(codec.compress(TEXT))
    received = MessageState()
    reader = fastws.Reader(server, extensions=[received])
    header = reader.next_frame()
    assert header.rsv == 0 and received.received_compressed
    assert Codec("deflate").decompress(reader.read()) == TEXT


def test_is_available():
    assert fastws.deflate.is_available() is True


def test_a_codec_takes_no_other_arguments():
    for wrong in (5, b"deflate"):
        with pytest.raises(TypeError):
            Codec(wrong)
    for wrong in ("gzip", "tail"):
        with pytest.raises(ValueError):
            Codec(wrong)
    with pytest.raises(ValueError):
        Codec(None, "peer")
    codec = Codec()
    for method in (codec.compress, codec.decompress):
        with pytest.raises(TypeError):
            method()
        with pytest.raises(TypeError):
            method(5)
        with pytest.raises(ZeroDivisionError):
            method(b"", end=Untrue())


class Untrue:
    def __bool__(self):
        return 1 / 0
