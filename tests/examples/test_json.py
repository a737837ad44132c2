# SPDX-License-Identifier: MIT
"""examples/json.c and json_server.py, asked by a client of the websockets package."""

import json

import pytest
import websockets.exceptions


@pytest.fixture(scope="module", params=["json", "json_server.py"])
def url(start, request):
    return start(request.param)


@pytest.mark.parametrize(
    ("request_text", "response"),
    [
        ('{"id": 1, "numbers": [1, 2.5]}', {"id": 1, "sum": 3.5}),
        ('{"id": "a", "numbers": []}', {"id": "a", "sum": 0}),
        ('{"numbers": [-1]}', {"id": None, "sum": -1}),
        ('{"id": 2, "numbers": ["1"]}', {"id": 2, "error": "numbers holds something else"}),
        ('{"id": [3]}', {"id": [3], "error": "numbers is not an array"}),
        ("[]", {"id": None, "error": "numbers is not an array"}),
        ("{", {"id": None, "error": "not JSON"}),
        ("", {"id": None, "error": "not JSON"}),
        ("[" * 60000, {"id": None, "error": "not JSON"}),
    ],
)
def test_answers(url, connect, request_text, response):
    with connect(url) as client:
        for _ in range(2):
            client.send(request_text)
            assert json.loads(client.recv(timeout=20)) == response


def test_answers_fragments_in_order(url, connect):
    with connect(url) as client:
        client.send(['{"id": 1, "num', 'bers": [1', "]}"])
        client.send('{"id": 2, "numbers": [2]}')
        assert [json.loads(client.recv(timeout=20))["id"] for _ in range(2)] == [1, 2]


@pytest.mark.parametrize(("message", "code"), [(b"{}", 1003), ("x" * 65537, 1009)])
def test_refuses_what_is_no_request(url, connect, message, code):
    with connect(url) as client:
        client.send(message)
        with pytest.raises(websockets.exceptions.ConnectionClosedError):
            client.recv(timeout=20)
        assert client.close_code == code
