# SPDX-License-Identifier: MIT
"""Classes of connections have methods of their own where those are called for each message, and what users override
stays so."""

import pytest

import fastws
from fastws._core import AsyncConnection, _own_methods

FREQUENT = ["recv", "send", "send_nowait"]


@pytest.mark.parametrize("name", FREQUENT)
@pytest.mark.parametrize("kind", [fastws.ServerConnection, fastws.ClientConnection])
def test_a_class_has_its_own_method(kind, name):
    method, inherited = kind.__dict__[name], getattr(AsyncConnection, name)
    assert method.__objclass__ is kind
    assert method.__doc__ == inherited.__doc__
    assert method.__text_signature__ == inherited.__text_signature__


def test_a_method_that_is_overridden_stays_so():
    class Mixin:
        def send_nowait(self, message):
            return "mixin"

    @_own_methods
    class Connection(Mixin, AsyncConnection):
        def send(self, message):
            return "own"

    assert Connection.send(None, "x") == "own"
    assert Connection.send_nowait(None, "x") == "mixin"
    assert "send_nowait" not in Connection.__dict__
    assert Connection.__dict__["recv"].__objclass__ is Connection


def test_only_a_class_of_connections_is_taken():
    for wrong in (object, 1):
        with pytest.raises((TypeError, AttributeError)):
            _own_methods(wrong)
