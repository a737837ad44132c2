# SPDX-License-Identifier: MIT
"""Dial and fastws.http: no reference is lost, and every allocation may fail."""

import gc
import sys

import pytest

import fastws

WORK = r'''
import re, fastws
from fastws import Dial, http
ACCEPT = "Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: %s\r\n"
def see(*_): pass
def fail(*_): raise KeyError("own")
def attempt(function, *args, **options):
    try: return function(*args, **options)
    except (fastws.Error, KeyError, ValueError, TypeError): return None
def answer(dial, *lines):
    key = re.search(rb"Key: (\S+)", dial.request)[1]
    return ("HTTP/1.1 101 x\r\n" + ACCEPT % fastws.accept_key(key) + "".join(lines) + "\r\n").encode()
class Owner:
    def __call__(self, *_): return self.dial
def opens():
    options = dict(protocols=["a", "b"], extensions="x;y=1", header={"A": "b"}, host="h", origin="http://o")
    dial = Dial("ws://u:p@example.com?x", on_header=see, on_extension=see, on_end=see, **options)
    dial.feed(answer(dial, "B: c\r\n", "Sec-WebSocket-Protocol: b\r\n", "Sec-WebSocket-Extensions: x; y\r\n") + b"rest")
    dial.handshake, dial.status, dial.request
    dial = Dial("ws://h/", on_header=fail)
    attempt(dial.feed, answer(dial, "B: c\r\n"))
    owner = Owner()  # no lambda: CPython 3.12 and 3.13 crash where a new function finds no memory
    dial = owner.dial = Dial("ws://h/", on_header=owner)
    attempt(dial.feed, answer(dial, "B: c\r\n"))
def refused():
    wrong = {"header": {"Host": "x"}}, {"header": 1}, {"protocols": ["a", "a"]}, {"host": "a b"}, {"on_end": 1}
    for options in wrong:
        attempt(Dial, "ws://h/", **options)
    attempt(Dial, "nonsense")
    dial = Dial("ws://h/", on_status_error=see)
    attempt(dial.feed, b"HTTP/1.1 403 x\r\nA: b\r\nContent-Length: 3\r\n\r\nabc")
    dial = Dial("ws://h/", on_status_error=fail)
    attempt(dial.feed, b"HTTP/1.1 403 x\r\nContent-Length: 0\r\n\r\n")
    for location in (b"/x", b"ftp://x"):
        dial = Dial("ws://h/", redirects=True)
        attempt(dial.feed, b"HTTP/1.1 302 x\r\nLocation: " + location + b"\r\n\r\n")
    attempt(Dial("ws://h/").eof)
    attempt(Dial("ws://h/").expire)
def values():
    http.parse_request(b"GET / HTTP/1.1\r\nA: b\r\n\r\n"), http.parse_response(b"HTTP/1.1 200\r\nA: b\r\n\r\n")
    http.parse_tokens("a, b"), http.parse_items('a "b\\c" (d)'), http.canonical_name("a-b"), http.is_token("a")
    http.format_options(http.parse_options('a;b="\\c d";e, f')), http.format_cookies(http.parse_cookies("a=b; c=d"))
    for function in (http.parse_request, http.parse_tokens, http.parse_options, http.parse_items):
        attempt(function, b'"\n')
    attempt(http.format_options, [("a", [("b", "\n")])])
    fastws.parse_url("wss://u:%41@h/"), fastws.parse_url("ws+unix:///a:/b"), fastws.resolve_url("ws://a/", "b")
    fastws.is_same_origin("ws://a/", "ws://b/"), attempt(fastws.parse_url, "x")
'''


def test_no_references_are_lost():
    names = {}
    exec(WORK, names)
    types = [fastws.Dial, fastws.Option, fastws.Request, fastws.Response, fastws.Url, fastws.InvalidStatus,
             fastws.Handshake]

    def run(count):
        for _ in range(count):
            for name in ("opens", "refused", "values"):
                names[name]()
        gc.collect()
        return sys.getallocatedblocks(), [sys.getrefcount(each) for each in types]

    run(5)
    before = run(5)
    after = run(100)
    assert abs(after[0] - before[0]) < 100
    assert all(abs(a - b) < 10 for a, b in zip(after[1], before[1], strict=True))


def test_every_allocation_may_fail(run_short_of_memory):
    """Whichever allocation of Python's fails, the result is an exception or the right answer, and no crash."""
    code = WORK + "import sys\nsys.unraisablehook = see\n"
    assert run_short_of_memory(code, "opens, refused, values", 250).stdout == "done\n"
