# SPDX-License-Identifier: MIT
"""CPython's UTF-8 decoder as the judge of is_utf8() and Utf8Validator: for tests and for tests/fuzz/fuzz_utf8.py."""

import codecs
import itertools

import fastws


def bad_at(data):
    """The first byte that cannot stand where it stands, by CPython's decoder; None if all can."""
    try:
        data.decode()
    except UnicodeDecodeError as error:
        if error.reason == "unexpected end of data":
            return None
        # A byte that begins nothing is bad itself; else the one behind the good part of the character is.
        return error.start if error.reason == "invalid start byte" else error.end
    return None


def is_whole(data):
    try:
        data.decode()
    except UnicodeDecodeError:
        return False
    return True


def ends_between_characters(pieces):
    """What the incremental decoder holds back after each piece, as True for nothing; False from a bad byte on."""
    decoder = codecs.getincrementaldecoder("utf-8")()
    endings = []
    for piece in pieces:
        try:
            decoder.decode(piece)
        except UnicodeDecodeError:
            break
        endings.append(decoder.getstate()[0] == b"")
    return endings + [False] * (len(pieces) - len(endings))


def check_validator(pieces):
    """Everything that a validator tells after pieces is what the decoder says of all of them together."""
    data = b"".join(pieces)
    validator = fastws.Utf8Validator()
    told = [(validator.update(piece), validator.finish()) for piece in pieces]
    bad = bad_at(data)
    ends = itertools.accumulate(len(piece) for piece in pieces)
    assert [is_good for is_good, _ in told] == [bad is None or bad >= end for end in ends]
    assert [is_finished for _, is_finished in told] == ends_between_characters(pieces)
    assert validator.is_valid is (bad is None)
    assert validator.error_offset == bad
    assert validator.offset == (len(data) if bad is None else bad)
    assert validator.finish() is is_whole(data)
    assert validator.is_ascii is data.isascii()


def check_text(data):
    assert fastws.is_utf8(data) is is_whole(data)
