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


@pytest.mark.parametrize("code", list(fastws.CloseCode))
def test_reserved_codes_are_those_that_cannot_be_sent(code):
    if code.is_reserved:
        with pytest.raises(ValueError):
            fastws.close_body(code, "x")
    else:
        assert fastws.close_body(code) == code.to_bytes(2, "big")
