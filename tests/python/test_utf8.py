# SPDX-License-Identifier: MIT
"""is_utf8() and Utf8Validator: what CPython's decoder says, in one piece and in any number of them, for every row."""

import array
import copy
import importlib.util
import itertools
import pickle
import sys
import threading
import time

import pytest
from decoder import bad_at, check_text, is_whole
from decoder import check_validator as check
from hypothesis import given
from hypothesis import strategies as st

import fastws
from fastws import Utf8Validator

LARGE = 65536  # from here on other threads run


@pytest.fixture(params=fastws.isas())
def row(request):
    before = fastws.isa()
    fastws.select_isa(request.param)
    yield request.param
    fastws.select_isa(before)


def check_every_way(data):
    check_text(data)
    check([data])
    check([data[i : i + 1] for i in range(len(data))])
    for cut in range(len(data) + 1):
        check([data[:cut], data[cut:]])


EDGES = [
    "00", "7f", "80", "bf", "c0", "c080", "c1bf", "c280", "c2", "c27f", "c2c0", "dfbf",
    "e0", "e080", "e09fbf", "e0a080", "e0a0", "e0a07f", "e1bfbf",
    "ec8080", "ed", "ed9fbf", "eda080", "edbfbf", "ee8080", "efbfbd", "efbfbe", "efbfbf",
    "efbbbf", "f0", "f08080", "f08fbfbf", "f0908080", "f09080", "f0908041", "f3bfbfbf", "f4", "f48fbfbf", "f4908080",
    "f5", "f5808080", "f8", "f888808080", "fc", "fe", "ff",
    "c3a9c3", "e282ace282", "f09f9880f09f98", "ceba80", "cebac0",
]  # fmt: skip


@pytest.mark.parametrize("edge", EDGES)
def test_edges_of_what_is_allowed(row, edge):
    """Alone, and where vectors begin and end: behind ASCII, behind other characters, in front of both."""
    edge = bytes.fromhex(edge)
    check_every_way(edge)
    for before in (b"a" * 13, b"a" * 31, b"a" * 62, b"a" * 64, "é".encode() * 31, "€".encode() * 21, "😀".encode() * 15):
        for after in (b"", b"z", b"z" * 70, "é".encode() * 40):
            data = before + edge + after
            assert fastws.is_utf8(data) is is_whole(data)
            check([data])
            check([data[: len(before) + 1], data[len(before) + 1 :]])


def test_every_two_bytes(row):
    for first, second in itertools.product(range(256), repeat=2):
        data = bytes((first, second))
        assert fastws.is_utf8(data) is is_whole(data)
        validator = Utf8Validator()
        validator.update(data)
        assert validator.error_offset == bad_at(data)


INTERESTING = bytes.fromhex("41 7f 80 8f 90 9f a0 bf c0 c1 c2 df e0 e1 ec ed ee ef f0 f1 f3 f4 f5 ff")


def test_every_three_interesting_bytes_behind_ascii(row):
    for ending in itertools.product(INTERESTING, repeat=3):
        data = b"a" * 30 + bytes(ending)
        assert fastws.is_utf8(data) is is_whole(data)
        validator = Utf8Validator()
        validator.update(data)
        assert validator.error_offset == bad_at(data)


TEXT = st.text(max_size=60).map(str.encode)
STRUCTURED = st.lists(st.sampled_from(INTERESTING), max_size=8).map(bytes)
DAMAGED = st.tuples(TEXT, STRUCTURED, TEXT).map(b"".join)
BYTES = st.binary(max_size=200) | TEXT | STRUCTURED | DAMAGED


def for_every_row(function, *arguments):
    before = fastws.isa()
    try:
        for name in fastws.isas():
            fastws.select_isa(name)
            function(*arguments)
    finally:
        fastws.select_isa(before)


@given(BYTES)
def test_agrees_with_python_cut_at_every_place(data):
    for_every_row(check_every_way, data)


@given(st.lists(BYTES, max_size=12))
def test_agrees_with_python_in_many_pieces(pieces):
    for_every_row(check, pieces)


@pytest.fixture
def fuzzer(root):
    """The program that scripts/fuzz has look for disagreements, as a function of its arguments."""
    spec = importlib.util.spec_from_file_location("fuzz_utf8", root / "tests" / "fuzz" / "fuzz_utf8.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return lambda *options: module.main([*options, str(root / "tests" / "fuzz" / "corpus" / "utf8")])


def test_agrees_with_python_on_what_the_fuzzer_knows(fuzzer, capsys):
    before = fastws.isa()
    assert fuzzer("--seed", "1", "--seconds", "0.2") == 0
    assert fastws.isa() == before
    count, rows = capsys.readouterr().out.split("DONE ")[1].split(" texts on the rows ")
    assert int(count) > 15
    assert tuple(rows.split()) == fastws.isas()


class Careless:
    """Takes half a character for a whole one."""

    def __init__(self):
        self.validator = Utf8Validator()

    def __getattr__(self, name):
        return getattr(self.validator, name)

    def finish(self):
        return True


@pytest.mark.parametrize("name, broken", [("is_utf8", bytes.isascii), ("Utf8Validator", Careless)])
def test_the_fuzzer_finds_disagreements(fuzzer, tmp_path, monkeypatch, capsys, name, broken):
    monkeypatch.setattr(fastws, name, broken)
    crash = tmp_path / "crash"
    assert fuzzer("--seed", "1", "--crash", str(crash)) == 1
    told = capsys.readouterr().err
    assert repr(crash.read_bytes()) in told
    assert str(crash) in told


@pytest.mark.parametrize("length", [LARGE - 1, LARGE, LARGE + 1, 5 * LARGE])
@pytest.mark.parametrize("character", ["a", "é", "€", "😀"])
def test_large_pieces(row, character, length):
    encoded = character.encode()
    data = (encoded * (length // len(encoded) + 1))[:length]
    check([data])
    check([data[:-2], data[-2:]])
    check([b"x", data, data])
    bad = data[: length - 5] + b"\xff" + data[length - 4 :]
    assert fastws.is_utf8(bad) is False
    check([bad])
    check([bad, data])


@pytest.mark.parametrize("make", [bytes, bytearray, memoryview, lambda data: array.array("B", data)])
def test_takes_any_buffer(make):
    assert fastws.is_utf8(make(b"caf\xc3\xa9")) is True
    assert Utf8Validator().update(make(b"caf\xc3")) is True
    assert Utf8Validator().validate(make(b"caf\xc3")) == (True, False, 4, 4)


@pytest.mark.parametrize("data", ["str", 5, None, [1], memoryview(bytes(8))[::2]])
def test_refuses_other_types_and_changes_nothing(data):
    validator = Utf8Validator()
    validator.update(b"\xc3")
    for function in (fastws.is_utf8, validator.update, validator.validate):
        with pytest.raises(TypeError, match="data must be a C-contiguous bytes-like object"):
            function(data)
    assert validator.offset == 1
    assert validator.update(b"\xa9") and validator.finish()


@pytest.mark.parametrize("arguments, keywords", [((b"x",), {}), ((), {"data": b"x"})])
def test_constructor_takes_nothing(arguments, keywords):
    with pytest.raises(TypeError):
        Utf8Validator(*arguments, **keywords)


def test_methods_refuse_other_counts_of_arguments():
    validator = Utf8Validator()
    for call in (validator.update, validator.validate, fastws.is_utf8):
        with pytest.raises(TypeError):
            call()
        with pytest.raises(TypeError):
            call(b"", b"")


def test_properties_cannot_be_set_and_a_validator_not_be_copied():
    validator = Utf8Validator()
    for name in ("is_valid", "is_ascii", "offset", "error_offset", "anything"):
        with pytest.raises(AttributeError):
            setattr(validator, name, 1)
    for function in (copy.copy, pickle.dumps):
        with pytest.raises(TypeError):
            function(validator)


def test_nothing_is_a_text():
    validator = Utf8Validator()
    state = (validator.is_valid, validator.is_ascii, validator.error_offset, validator.offset, validator.finish())
    assert state == (True, True, None, 0, True)
    assert validator.update(b"") is True


def test_stays_bad_until_reset():
    validator = Utf8Validator()
    assert validator.update(b"ab\xff") is False
    assert validator.update(b"more") is False
    assert validator.update(b"") is False
    assert validator.finish() is False
    assert (validator.is_valid, validator.is_ascii, validator.error_offset, validator.offset) == (False, False, 2, 2)
    assert validator.reset() is None
    assert (validator.is_valid, validator.is_ascii, validator.error_offset, validator.offset) == (True, True, None, 0)
    assert validator.update(b"good") is True


def test_reset_forgets_an_unfinished_character():
    validator = Utf8Validator()
    validator.update(b"\xe2\x82")
    assert validator.finish() is False
    assert validator.is_valid is True
    validator.reset()
    assert validator.finish() is True
    assert validator.update(b"\xac") is False


def test_text_may_go_on_after_finish():
    validator = Utf8Validator()
    assert validator.update(b"caf") and validator.finish() and validator.is_ascii
    assert validator.update(b"\xc3") and not validator.finish() and not validator.is_ascii
    assert validator.update(b"\xa9") and validator.finish() and not validator.is_ascii


def test_validate_is_that_of_wsaccel_and_autobahn():
    """(valid, ends on a code point, index in this piece, index in all of them)."""
    validator = Utf8Validator()
    assert validator.validate(b"\xce\xba\xe1\xbd") == (True, False, 4, 4)
    assert validator.validate(b"\xb9\xcf\x83") == (True, True, 3, 7)
    assert validator.validate(b"") == (True, True, 0, 7)
    assert validator.validate(b"ab\xed\xa0\x80edited") == (False, False, 3, 10)
    assert validator.validate(b"more") == (False, False, 0, 10)
    validator.reset()
    assert validator.validate(b"edited") == (True, True, 6, 6)
    assert [type(item) for item in validator.validate(b"")] == [bool, bool, int, int]


@given(st.lists(BYTES, max_size=8))
def test_validate_tells_what_the_rest_tells(pieces):
    one, other = Utf8Validator(), Utf8Validator()
    for piece in pieces:
        before = other.offset
        valid = other.update(piece)
        assert one.validate(piece) == (valid, other.finish(), other.offset - before, other.offset)


def lets_others_run(function):
    """Whether another thread gets anything done within a call of function, tried until one does.

    Nobody has to give way meanwhile: the interpreter asks a thread to only after the switch interval, which is longer
    than the test. What the other thread has done when the call is over, it did because the call let go of the lock.
    """
    done = [0]
    is_over = False

    def work():
        while not is_over:
            done[0] += 1
            time.sleep(0.0001)

    interval = sys.getswitchinterval()
    sys.setswitchinterval(1000)
    thread = threading.Thread(target=work)
    try:
        thread.start()
        for _ in range(500):
            before = done[0]
            function()
            if done[0] != before:
                return True
        return False
    finally:
        sys.setswitchinterval(interval)
        is_over = True
        thread.join()


KEY = b"\x37\xfa\x21\x3d"
BIG = bytes(16 << 20)
BUFFER = bytearray(16 << 20)
FUNCTIONS = {
    "is_utf8": lambda data: fastws.is_utf8(data),
    "update": lambda data: Utf8Validator().update(data),
    "validate": lambda data: Utf8Validator().validate(data),
    "mask": lambda data: fastws.mask(memoryview(BUFFER)[: len(data)], KEY),
    "masked": lambda data: fastws.masked(data, KEY),
}


@pytest.mark.parametrize("name", FUNCTIONS)
def test_other_threads_run_while_a_large_piece_is_worked_on(name):
    assert lets_others_run(lambda: FUNCTIONS[name](BIG))


@pytest.mark.parametrize("name", FUNCTIONS)
def test_other_threads_do_not_run_while_a_small_piece_is_worked_on(name):
    small = BIG[: LARGE - 1]
    assert not lets_others_run(lambda: FUNCTIONS[name](small))


def test_two_threads_cannot_use_one_validator_at_once():
    """The second is refused; properties are those of before, then those of after, never of the middle."""
    validator = Utf8Validator()
    large = bytes(64 << 20)
    calls = {
        "update": lambda: validator.update(b""),
        "validate": lambda: validator.validate(b""),
        "finish": validator.finish,
        "reset": validator.reset,
    }
    refused = set()
    offsets = set()
    for _ in range(100):
        thread = threading.Thread(target=validator.update, args=(large,))
        thread.start()
        while thread.is_alive():
            offsets.add(validator.offset)
            for name, call in calls.items():
                try:
                    call()
                except fastws.ConcurrencyError:
                    refused.add(name)
        thread.join()
        if refused == set(calls):
            break
        validator.reset()
    assert refused == set(calls)
    assert offsets <= {0, len(large)}
    validator.reset()
    assert validator.validate(b"abc") == (True, True, 3, 3)


def test_many_threads_with_a_validator_each():
    data = "naïve €😀 ".encode() * 20000
    results = []

    def work():
        validator = Utf8Validator()
        for _ in range(20):
            validator.update(data)
        results.append((validator.finish(), validator.offset))

    threads = [threading.Thread(target=work) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert results == [(True, 20 * len(data))] * 8


def test_mask_and_masked_in_many_threads():
    """Two masks with one key are none: every thread gets its own bytes back."""
    results = []

    def work(seed):
        data = bytes((seed + i) % 251 for i in range(LARGE + seed))
        key = bytes((seed, 1, 2, 3))
        buffer = bytearray(data)
        for _ in range(50):
            fastws.mask(buffer, key)
            assert buffer == fastws.masked(data, key)
            fastws.mask(buffer, key)
        results.append(buffer == data)

    threads = [threading.Thread(target=work, args=(seed,)) for seed in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert results == [True] * 8


def test_holds_the_buffer_while_other_threads_run():
    """Nobody may resize the buffer while it is read without the interpreter lock."""
    buffer = bytearray(32 << 20)
    validator = Utf8Validator()
    thread = threading.Thread(target=lambda: [validator.update(buffer) and fastws.is_utf8(buffer) for _ in range(20)])
    refused = 0
    thread.start()
    while thread.is_alive():
        try:
            buffer.append(0)
            buffer.pop()
        except BufferError:
            refused += 1
    thread.join()
    assert refused > 0
    assert validator.is_ascii


def test_a_buffer_written_in_python_cannot_upset_it():
    """__buffer__ runs Python code, which may use the validator that is about to read. Python 3.12 and later."""
    if sys.version_info < (3, 12):
        pytest.skip("classes get __buffer__ with Python 3.12")

    class Meddler:
        def __buffer__(self, flags):
            validator.update(b"ab")
            return memoryview(b"cd")

        def __release_buffer__(self, view):
            validator.reset()
            view.release()

    validator = Utf8Validator()
    assert validator.validate(Meddler()) == (True, True, 2, 4)
    assert validator.offset == 0
