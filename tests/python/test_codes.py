# SPDX-License-Identifier: MIT
"""The enumerations: the same numbers as the C headers."""

import re

import pytest

import fastws


def constants(root, header, prefix):
    text = (root / "include" / "fastws" / header).read_text()
    return {name: int(value, 0) for name, value in re.findall(rf"{prefix}(\w+) = (\w+)", text)}


def test_opcodes_are_those_of_the_header(root):
    assert {code.name: code.value for code in fastws.OpCode} == constants(root, "header.h", "FASTWS_OPCODE_")


def test_close_codes_are_those_of_the_header(root):
    assert {code.name: code.value for code in fastws.CloseCode} == constants(root, "close.h", "FASTWS_CLOSE_")


def test_states_are_those_of_the_header(root):
    text = (root / "include" / "fastws" / "header.h").read_text()
    bits = {name: 1 << int(bit) for name, bit in re.findall(r"#define FASTWS_STATE_(\w+) \(1u << (\d)\)", text)}
    assert {state.name: state.value for state in fastws.State} == bits


@pytest.mark.parametrize("code", list(fastws.OpCode))
def test_an_opcode_is_control_or_data(code):
    assert code.is_control == (code in (8, 9, 10))
    assert code.is_data == (code in (0, 1, 2))


def test_reserved_opcodes_are_those_without_a_name():
    assert [code for code in range(300) if fastws.OpCode.is_reserved(code)] == [3, 4, 5, 6, 7, 11, 12, 13, 14, 15]


def test_rsv_bits_pack_and_unpack(root):
    text = (root / "include" / "fastws" / "header.h").read_text()
    bits = {name: 1 << int(bit) for name, bit in re.findall(r"#define FASTWS_(RSV\d) \(1u << (\d)\)", text)}
    assert {bit.name: bit.value for bit in fastws.Rsv} == bits
    header = fastws.Header.parse(b"\xd1\x00")  # FIN RSV1 RSV3 text | no mask, length 0
    assert fastws.Rsv(header.rsv) == fastws.Rsv.RSV1 | fastws.Rsv.RSV3
    assert fastws.Header(rsv=fastws.Rsv.RSV2).encode() == b"\xa1\x00"


def test_sizes_are_those_of_the_header(root):
    text = (root / "include" / "fastws" / "header.h").read_text()
    sizes = dict(re.findall(r"#define FASTWS_((?:HEADER|CONTROL)_M\w+) (\d+)", text))
    assert sizes == {name: str(getattr(fastws, name)) for name in ("HEADER_MIN", "HEADER_MAX", "CONTROL_MAX")}


def test_close_ranges_are_those_of_the_header(root):
    text = (root / "include" / "fastws" / "close.h").read_text()
    ends = {name: int(value) for name, value in re.findall(r"#define FASTWS_CLOSE_(\w+_M(?:IN|AX)) (\d+)", text)}
    for part in fastws.CloseRange:
        assert ends[f"{part.name}_MIN"] in part and ends[f"{part.name}_MAX"] in part
        assert ends[f"{part.name}_MIN"] - 1 not in part and ends[f"{part.name}_MAX"] + 1 not in part
    assert not any(code in part for part in fastws.CloseRange for code in (-1, 5000, 65535, "1000"))


@pytest.mark.parametrize("code", list(fastws.CloseCode))
def test_reserved_codes_are_those_that_cannot_be_sent(code):
    if code.is_reserved:
        with pytest.raises(ValueError):
            fastws.close_body(code, "x")
    else:
        assert fastws.close_body(code) == code.to_bytes(2, "big")
