# SPDX-License-Identifier: MIT
"""Lets the lints import checkout.py, and adds the report of sizes to the end of a run."""

import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))

import checkout  # noqa: E402
import sizes  # noqa: E402


@pytest.fixture(scope="session")
def tree():
    """The text files of the checkout: their text by their path."""
    return checkout.text_files()


def pytest_terminal_summary(terminalreporter):
    found = sizes.report(checkout.text_files())
    if found:
        terminalreporter.section("sizes: worth a second look, not a failure")
        for line in found:
            terminalreporter.line(line)
