# SPDX-License-Identifier: MIT
"""The chats of examples/, with the websockets package and with Chromium as their clients."""

import contextlib
import socket
import time
import urllib.error
import urllib.request

import pytest
import websockets.exceptions

from browser import Browser, find_chromium, wait_for


@pytest.fixture(scope="module", params=["chat", "chat.py"])
def url(start, request):
    return start(request.param)


@pytest.fixture
def page(url):
    """The address of the page."""
    return url.replace("ws://", "http://")


@pytest.fixture
def enter(url, connect):
    """Connects a client, which joins a room and is told of it."""
    with contextlib.ExitStack() as stack:

        def enter_room(room, name):
            client = stack.enter_context(connect(url + "ws"))
            client.send(f"join {room} {name}")
            assert client.recv(timeout=20) == f"joined {room} {name}"
            assert client.recv(timeout=20).startswith(f"here {room} ")
            return client

        yield enter_room


@pytest.fixture
def browsers(tmp_path):
    """Two browsers, each a process of its own."""
    command = find_chromium()
    if command is None:
        pytest.skip("no Chromium (chromium)")
    with contextlib.ExitStack() as stack:
        yield [stack.enter_context(contextlib.closing(Browser(command, tmp_path / name))) for name in "ab"]


def test_everyone_in_a_room_hears_what_is_said(enter):
    ann, bob = enter("tea", "ann"), enter("tea", "bob")
    assert ann.recv(timeout=20) == "joined tea bob"
    ann.send("say Grüße, \0 and all")
    assert ann.recv(timeout=20) == bob.recv(timeout=20) == "said ann Grüße, \0 and all"


def test_other_rooms_hear_nothing(enter):
    ann, bob, eve = enter("red", "ann"), enter("red", "bob"), enter("blue", "eve")
    assert ann.recv(timeout=20) == "joined red bob"
    eve.send("say psst")
    assert eve.recv(timeout=20) == "said eve psst"
    bob.send("say hello")
    assert ann.recv(timeout=20) == "said bob hello"


def test_who_joins_is_told_who_is_there(enter, url, connect):
    enter("hall", "ann")
    enter("hall", "bob")
    with connect(url + "ws") as client:
        client.send("join hall cid")
        assert client.recv(timeout=20) == "joined hall cid"
        here = client.recv(timeout=20).split(" ")
        assert here[:2] == ["here", "hall"] and sorted(here[2:]) == ["ann", "bob", "cid"]


def test_who_leaves_is_missed(enter):
    ann, bob = enter("pub", "ann"), enter("pub", "bob")
    assert ann.recv(timeout=20) == "joined pub bob"
    bob.close()
    assert ann.recv(timeout=20) == "left pub bob"


def test_a_member_may_move_to_another_room(enter):
    ann, bob = enter("north", "ann"), enter("north", "bob")
    assert ann.recv(timeout=20) == "joined north bob"
    bob.send("join south bob")
    assert ann.recv(timeout=20) == "left north bob"
    assert bob.recv(timeout=20) == "joined south bob"
    assert bob.recv(timeout=20) == "here south bob"
    bob.send("say anyone?")
    assert bob.recv(timeout=20) == "said bob anyone?"


def test_a_name_is_given_once_in_a_room(enter, url, connect):
    enter("bar", "ann")
    with connect(url + "ws") as client:
        client.send("join bar ann")
        assert client.recv(timeout=20).startswith("error ")
        client.send("join bar anna")
        assert client.recv(timeout=20) == "joined bar anna"


@pytest.mark.parametrize(
    "message",
    ["", "join", "join a", "join a b c", "join  b", "join a\tb", "join a " + "n" * 97, "join " + "r" * 97 + " n",
     "say too early", "shout x", "JOIN a b", b"join a b", "v" * 4096],
)
def test_what_makes_no_sense_is_an_error_and_nothing_else(url, connect, message):
    with connect(url + "ws") as client:
        client.send(message)
        assert client.recv(timeout=20).startswith("error ")
        client.send("join a b")
        assert client.recv(timeout=20) == "joined a b"


def test_a_message_that_is_too_long_closes_with_1009(url, connect):
    with connect(url + "ws") as client:
        client.send("say " + "x" * 4093)
        with pytest.raises(websockets.exceptions.ConnectionClosed):
            client.recv(timeout=20)
        assert client.close_code == 1009


def test_a_member_who_does_not_read_stops_nobody(enter, url, address):
    ann = enter("flood", "ann")
    with socket.create_connection(address(url), timeout=20) as idle:
        idle.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        idle.sendall(
            b"GET /ws HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n"
            b"\x81\x8e\0\0\0\0join flood idl"  # FIN text, masked with zeroes, 14 bytes
        )
        assert ann.recv(timeout=20) == "joined flood idl"
        until = time.monotonic() + 60
        message = ""
        while message != "left flood idl":  # what the system's buffers hold, and the mark of its queue, take a while
            assert time.monotonic() < until
            ann.send("say " + "x" * 4000)
            message = ann.recv(timeout=20)
            while message.startswith("said ann ") and message != "said ann " + "x" * 4000:
                message = ann.recv(timeout=20)


def test_the_page_is_on_the_same_port(page):
    with urllib.request.urlopen(page, timeout=20) as response:
        assert response.headers.get_content_type() == "text/html"
        assert b"<title>Chat</title>" in response.read()


def test_nothing_else_is(page):
    with pytest.raises(urllib.error.HTTPError) as caught:
        urllib.request.urlopen(page + "chat.c", timeout=20)
    assert caught.value.code == 404


def test_a_page_from_elsewhere_is_refused(url, connect):
    with pytest.raises(websockets.exceptions.InvalidStatus) as caught, connect(url + "ws", origin="http://evil.test"):
        pass
    assert caught.value.response.status_code == 403


def lines(browser):
    return browser.run("[...document.querySelectorAll('#log li')].map(line => line.textContent)")


def join(browser, room, name):
    browser.run(f"find('room').value = '{room}'; find('name').value = '{name}'; find('enter').requestSubmit()")
    wait_for(lambda: f"{name} has joined {room}" in lines(browser))


def say(browser, text):
    browser.run(f"find('text').value = '{text}'; find('say').requestSubmit()")


def test_two_browsers_talk(browsers, page, enter):
    """And no text becomes a part of the page."""
    cid = enter("web", "cid")
    for browser, name in zip(browsers, ("ann", "bob")):
        browser.open(page)
        join(browser, "web", name)
        assert cid.recv(timeout=20) == f"joined web {name}"
    assert browsers[1].run("find('state').textContent") == "online"
    say(browsers[0], "<b>Grüße</b>")
    cid.recv(timeout=20)
    cid.send("say and back")
    for browser in browsers:
        wait_for(lambda: lines(browser)[-2:] == ["ann<b>Grüße</b>", "cidand back"])
    assert "In web: " in "".join(lines(browsers[1]))
    browsers[1].close()
    wait_for(lambda: lines(browsers[0])[-1] == "bob has left web")
