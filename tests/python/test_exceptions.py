# SPDX-License-Identifier: MIT
"""The exceptions: one tree, as it is drawn, that can be caught, read and pickled."""

import pickle

import pytest

import fastws
from fastws import exceptions

CLASSES = [getattr(exceptions, name) for name in exceptions.__all__]


def test_the_tree_is_drawn_as_it_is():
    lines = [line for line in exceptions.__doc__.splitlines() if "──" in line]
    drawn = [line.replace("│", " ").split("── ")[1].split()[0] for line in lines]
    assert sorted([*drawn, "Error"]) == sorted(exceptions.__all__)
    depths = {"Error": -1}
    path = [exceptions.Error]
    for line, name in zip(lines, drawn, strict=True):
        depth = (min(line.index(c) for c in "├└" if c in line) - 4) // 4
        depths[name] = depth
        del path[depth + 1 :]
        cls = getattr(exceptions, name)
        assert cls.__bases__[0] is path[depth], name
        path.append(cls)


@pytest.mark.parametrize("cls", CLASSES)
def test_each_is_an_error_of_the_package(cls):
    assert issubclass(cls, fastws.Error)
    assert getattr(fastws, cls.__name__) is cls
    assert cls.__doc__


def test_builtin_classes_catch_them():
    assert issubclass(fastws.ConnectionTimeout, TimeoutError)
    assert issubclass(fastws.HandshakeTimeout, TimeoutError)
    assert issubclass(fastws.ConcurrencyError, RuntimeError)


@pytest.mark.parametrize("cls", CLASSES)
def test_each_can_be_pickled(cls):
    error = cls()
    twin = pickle.loads(pickle.dumps(error))
    assert type(twin) is cls and str(twin) == str(error) and vars(twin) == vars(error)


def test_details_survive_pickling():
    error = pickle.loads(pickle.dumps(fastws.ProtocolError("x", name="N", code=1002, rfc="R")))
    assert (str(error), error.name, error.code, error.rfc, error.status) == ("x", "N", 1002, "R", None)
    closed = fastws.ConnectionClosedError(fastws.Close((1002, "why")), None)
    twin = pickle.loads(pickle.dumps(closed))
    assert twin.rcvd == (1002, "why") and twin.code == 1002 and twin.reason == "why"


def test_connection_closed_says_what_happened():
    rcvd, sent = fastws.Close((1001, "bye")), fastws.Close((1000, ""))
    assert str(fastws.ConnectionClosed(rcvd, sent)) == "received 1001 (bye); sent 1000"
    assert str(fastws.ConnectionClosed()) == "no close frame received or sent"
    assert fastws.ConnectionClosed().code == 1006
    assert fastws.ConnectionClosed(None, sent, "FASTWS_ERR_RSV", 1002).code == 1002


def test_reject_holds_the_response():
    reject = fastws.Reject(401, "who?", headers={"WWW-Authenticate": "Basic"}, body=b"b")
    assert (reject.status, reject.reason, reject.body, str(reject)) == (401, "who?", b"b", "401 who?")
    assert fastws.Reject().status == 403
    for status in (0, 101, 199, 600):
        with pytest.raises(ValueError):
            fastws.Reject(status)
    with pytest.raises(TypeError):
        fastws.Reject("403")
