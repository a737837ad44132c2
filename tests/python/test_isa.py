# SPDX-License-Identifier: MIT
"""The choice of the instruction set, by function and by the environment."""

import pytest

import fastws


def test_lists_the_rows_best_first():
    assert fastws.isas()[-1] == "scalar"
    assert fastws.isa() in fastws.isas()


def test_selects_each_row():
    before = fastws.isa()
    for name in fastws.isas():
        fastws.select_isa(name)
        assert fastws.isa() == name
    fastws.select_isa(before)


@pytest.mark.parametrize("name", ["", "mmx", "AVX2", "scalar\0", "\ud800x"])
def test_refuses_an_unknown_row_and_names_the_choices(name):
    before = fastws.isa()
    with pytest.raises(ValueError):
        fastws.select_isa(name)
    with pytest.raises(ValueError, match="scalar"):
        fastws.select_isa("mmx")
    assert fastws.isa() == before


@pytest.mark.parametrize("name", [None, b"scalar", 5])
def test_refuses_a_name_that_is_no_str(name):
    with pytest.raises(TypeError):
        fastws.select_isa(name)


def test_environment_names_the_row(run_python):
    assert run_python("import fastws; print(fastws.isa())", env={"FASTWS_ISA": "scalar"}).stdout == "scalar\n"
    assert run_python("import fastws; print(fastws.isa())", env={"FASTWS_ISA": ""}).stdout == fastws.isas()[0] + "\n"


def test_import_refuses_an_unknown_row_and_says_what_to_do(run_python):
    done = run_python("import fastws", env={"FASTWS_ISA": "mmx"}, check=False)
    assert done.returncode == 1
    assert "ImportError" in done.stderr
    assert "FASTWS_ISA" in done.stderr and "unset it" in done.stderr and "scalar" in done.stderr
