# SPDX-License-Identifier: MIT
"""Header: parsing, writing, judging, and being a value."""

import copy
import pickle

import pytest
from hypothesis import given
from hypothesis import strategies as st

import fastws
from fastws import Header, OpCode, State

headers = st.builds(
    Header,
    fin=st.booleans(),
    rsv=st.integers(0, 7),
    opcode=st.integers(0, 15),
    mask=st.none() | st.binary(min_size=4, max_size=4),
    length=st.integers(0, 2**63 - 1) | st.sampled_from([0, 125, 126, 65535, 65536, 2**63 - 1]),
)


@pytest.mark.vectors("header.txt")
def test_parses_and_writes_the_vectors(vector, from_hex):
    _, text, fin, rsv, opcode, key, length = vector
    data = from_hex(text)
    header = Header(fin == "1", int(rsv), int(opcode), None if key == "-" else from_hex(key), int(length))
    assert header.encode() == data
    assert header.size == len(data)
    assert Header.parse(data) == header
    assert Header.parse(data + b"more") == header
    for end in range(len(data)):
        assert Header.parse(data[:end]) is None


@pytest.mark.vectors("header_bad.txt")
def test_refuses_the_bad_vectors_as_soon_as_they_are_known(vector, from_hex):
    _, text, decided, error = vector
    data = from_hex(text)
    for end in range(int(decided)):
        assert Header.parse(data[:end]) is None
    for end in range(int(decided), len(data) + 1):
        with pytest.raises(fastws.ProtocolError) as info:
            Header.parse(data[:end])
        assert info.value.name == error
        assert info.value.code == 1002
        assert info.value.rfc == "RFC 6455 5.2"


@given(headers)
def test_what_is_written_is_parsed_again(header):
    data = header.encode()
    assert Header.parse(data) == header
    assert Header.parse(data).size == header.size == len(data)
    assert eval(repr(header), {"Header": Header}) == header


@given(headers)
def test_is_a_value(header):
    for twin in (copy.copy(header), copy.deepcopy(header), pickle.loads(pickle.dumps(header))):
        assert twin == header and hash(twin) == hash(header) and not twin != header
    assert header != header.encode()
    assert header != None  # noqa: E711


def test_has_the_fields_it_was_given():
    header = Header(fin=False, rsv=4, opcode=2, mask=b"abcd", length=300)
    assert (header.fin, header.rsv, header.opcode, header.mask, header.length) == (False, 4, 2, b"abcd", 300)
    assert header.opcode is OpCode.BINARY
    assert header.size == 8
    assert repr(header) == "Header(fin=False, rsv=4, opcode=2, mask=b'abcd', length=300)"


def test_defaults_are_those_of_an_empty_text():
    assert Header().encode() == b"\x81\x00"
    assert Header().mask is None


def test_a_reserved_opcode_is_a_number():
    opcode = Header.parse(b"\x83\x00").opcode
    assert opcode == 3 and type(opcode) is int


def test_cannot_be_changed():
    with pytest.raises(AttributeError):
        Header().fin = False
    with pytest.raises(AttributeError):
        Header().other = 1
    with pytest.raises(TypeError):
        type("Sub", (Header,), {})


def test_differs_in_each_field():
    different = [Header(), Header(fin=False), Header(rsv=1), Header(opcode=2), Header(mask=bytes(4)), Header(length=1)]
    assert len(set(different)) == len(different)


@pytest.mark.parametrize(
    "arguments",
    [{"rsv": 8}, {"rsv": -1}, {"opcode": 16}, {"opcode": -1}, {"mask": b"abc"}, {"mask": b""}, {"length": -1},
     {"length": 2**63}],
)
def test_refuses_fields_out_of_range(arguments):
    with pytest.raises(ValueError):
        Header(**arguments)


@pytest.mark.parametrize("arguments", [{"rsv": "1"}, {"opcode": None}, {"mask": "abcd"}, {"length": 1.0}, {"size": 2}])
def test_refuses_fields_of_the_wrong_type(arguments):
    with pytest.raises(TypeError):
        Header(**arguments)


@pytest.mark.parametrize("data", [None, "\x81\x00", 5, memoryview(b"\x81\x00abcdef")[::2]])
def test_parses_contiguous_bytes_only(data):
    with pytest.raises(TypeError):
        Header.parse(data)


@pytest.mark.parametrize(
    ("header", "state", "name"),
    [
        (Header(opcode=3), 0, "OPCODE_RESERVED"),
        (Header(opcode=11), 0, "OPCODE_RESERVED"),
        (Header(opcode=9, length=126), 0, "CONTROL_LEN"),
        (Header(opcode=9, fin=False), 0, "CONTROL_FRAGMENTED"),
        (Header(rsv=4), 0, "RSV"),
        (Header(rsv=2), State.EXTENDED, "RSV"),
        (Header(opcode=9, rsv=4), State.EXTENDED, "RSV"),
        (Header(), State.SERVER, "MASK_REQUIRED"),
        (Header(mask=bytes(4)), State.CLIENT, "MASK_UNEXPECTED"),
        (Header(), State.FRAGMENTED, "CONTINUATION_EXPECTED"),
        (Header(opcode=0), 0, "CONTINUATION_UNEXPECTED"),
    ],
)
def test_check_names_the_rule_that_is_broken(header, state, name):
    with pytest.raises(fastws.ProtocolError) as info:
        header.check(state)
    assert info.value.name == "FASTWS_ERR_" + name
    assert info.value.code == 1002
    assert info.value.rfc.startswith("RFC 6455 5")
    assert str(info.value)


@pytest.mark.parametrize(
    ("header", "state"),
    [
        (Header(), 0),
        (Header(), State.CLIENT),
        (Header(mask=bytes(4)), State.SERVER),
        (Header(rsv=4), State.EXTENDED),
        (Header(rsv=3), State.RSV2 | State.RSV3),
        (Header(opcode=0), State.FRAGMENTED),
        (Header(opcode=9, length=125), State.FRAGMENTED),
        (Header(fin=False), 0),
    ],
)
def test_check_passes_what_is_allowed(header, state):
    assert header.check(state) is None


@pytest.mark.parametrize(("state", "error"), [(-1, ValueError), (64, ValueError), ("server", TypeError)])
def test_check_refuses_unknown_states(state, error):
    with pytest.raises(error):
        Header().check(state)
