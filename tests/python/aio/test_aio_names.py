# SPDX-License-Identifier: MIT
"""Names, arguments and defaults are those of websockets, but for what docs/asyncio.md lists."""

import inspect
import pathlib

import pytest
import websockets
import websockets.asyncio.client
import websockets.asyncio.server

import fastws
import fastws.asyncio

FUNCTIONS = ["serve", "unix_serve", "connect", "unix_connect", "broadcast", "basic_auth"]
CLASSES = ["ServerConnection", "ClientConnection", "Server"]
DIFFERENT = {"user_agent_header", "server_header", "process_exception", "reconnect_delays"}  # they name the package

DOCUMENT = pathlib.Path(__file__).parents[3] / "docs" / "asyncio.md"


def of_websockets(name):
    return getattr(websockets.asyncio.server, name, None) or getattr(websockets.asyncio.client, name)


@pytest.fixture(scope="module")
def documented():
    """What the page says is missing, or there in addition."""
    text = DOCUMENT.read_text()
    section = text[text.index("## Beside websockets") :]
    return set(section.replace("`", " ").replace(",", " ").replace("(", " ").split())


def parameters(function):
    return {
        name: parameter
        for name, parameter in inspect.signature(function).parameters.items()
        if name != "self" and parameter.kind is not inspect.Parameter.VAR_KEYWORD
    }


def compare(theirs, ours, documented):
    theirs, ours = parameters(theirs), parameters(ours)
    assert set(theirs) - set(ours) <= documented
    assert set(ours) - set(theirs) <= documented
    for name in set(theirs) & set(ours) - DIFFERENT:
        assert ours[name].kind == theirs[name].kind, name
        if theirs[name].default is not inspect.Parameter.empty:
            assert ours[name].default == theirs[name].default, name
    by_place = [name for name in theirs if theirs[name].kind is not inspect.Parameter.KEYWORD_ONLY]
    assert [name for name in ours if name in by_place] == by_place


@pytest.mark.parametrize("name", FUNCTIONS)
def test_functions_take_the_same(name, documented):
    compare(of_websockets(name), getattr(fastws.asyncio, name), documented)
    assert name == "unix_serve" or getattr(fastws, name) is getattr(fastws.asyncio, name)


def public(item):
    return {name for name in dir(item) if not name.startswith("_")}


@pytest.mark.parametrize("name", CLASSES)
def test_classes_have_the_same(name, documented):
    theirs, ours = of_websockets(name), getattr(fastws.asyncio, name)
    assert public(theirs) - public(ours) <= documented
    for method in public(theirs) & public(ours):
        if inspect.isfunction(getattr(theirs, method)):
            compare(getattr(theirs, method), getattr(ours, method), documented)


def test_connections_have_the_attributes_that_websockets_documents(run, pair):
    names = ["id", "logger", "request", "response", "latency", "subprotocol", "state", "close_code", "close_reason"]
    names += ["local_address", "remote_address", "transport"]

    async def main():
        async with pair() as (server, client):
            for name in names:
                assert hasattr(server, name) and hasattr(client, name), name

    run(main())


def test_states_and_close_codes_have_the_same_names():
    for theirs, ours in ((websockets.State, fastws.asyncio.State), (websockets.CloseCode, fastws.CloseCode)):
        for name, member in theirs.__members__.items():
            assert ours.__members__[name] == member
