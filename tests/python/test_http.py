# SPDX-License-Identifier: MIT
"""fastws.http: heads and header values, read and written; what httphead gets wrong included."""

import pytest

import fastws
from fastws.http import (
    Option,
    canonical_name,
    format_cookies,
    format_options,
    is_header_value,
    is_token,
    parse_cookies,
    parse_items,
    parse_options,
    parse_request,
    parse_response,
    parse_tokens,
    select_options,
)

REQUEST = b"POST /a?b HTTP/1.0\r\nHost: x\r\nX-Y:\t z \r\nX-Y: \xff\r\n\r\n"


def test_reads_a_request_once_it_is_whole():
    for size in range(len(REQUEST)):
        assert parse_request(REQUEST[:size]) is None
    for data in (REQUEST, bytearray(REQUEST + b"body")):
        request = parse_request(data)
        assert request == ("POST", "/a?b", (("Host", "x"), ("X-Y", "z"), ("X-Y", "\xff")), (1, 0), len(REQUEST))
    assert request.header("x-y") == "z" and request.header("none") is None and request.header("none", "d") == "d"


def test_reads_a_response_once_it_is_whole():
    data = b"HTTP/1.1 404 Not Found\r\nA: b\r\n\r\n"
    for size in range(len(data)):
        assert parse_response(data[:size]) is None
    assert parse_response(data + b"x") == (404, "Not Found", (("A", "b"),), b"", (1, 1), len(data), False)
    assert parse_response(b"HTTP/1.1 101\r\n\r\n").reason_phrase == ""


@pytest.mark.parametrize(
    ("data", "name", "status"),
    [
        (b"GET /\r\n", "FASTWS_ERR_HTTP_REQUEST_LINE", 400),
        (b"GET / HTTP/42.1092\r\n", "FASTWS_ERR_HTTP_VERSION", 505),
        (b"GET / HTTP/1.1\n", "FASTWS_ERR_HTTP_LINE_END", 400),
        (b"GET / HTTP/1.1\r\nA: b\r\n c\r\n", "FASTWS_ERR_HTTP_FOLD", 400),
        (b"GET / HTTP/1.1\r\nA : b\r\n", "FASTWS_ERR_HTTP_HEADER_NAME", 400),
        (b"GET / HTTP/1.1\r\nA: \x00\r\n", "FASTWS_ERR_HTTP_HEADER_VALUE", 400),
    ],
)
def test_malformed_heads_are_named(data, name, status):
    with pytest.raises(fastws.InvalidMessage) as caught:
        parse_request(data)
    assert (caught.value.name, caught.value.status) == (name, status)


def test_header_lines_are_limited():
    data = b"GET / HTTP/1.1\r\n" + b"A: b\r\n" * 129 + b"\r\n"
    with pytest.raises(fastws.InvalidMessage) as caught:
        parse_request(data)
    assert caught.value.status == 431
    assert len(parse_request(data, max_headers=129).headers) == 129
    assert len(parse_request(data, max_headers=None).headers) == 129


@pytest.mark.parametrize(
    ("value", "tokens"), [("a,b,c", ("a", "b", "c")), (b"a, ,\tb", ("a", "b")), ("", ()), ("Upgrade", ("Upgrade",))]
)
def test_reads_tokens(value, tokens):
    assert parse_tokens(value) == tokens


@pytest.mark.parametrize("value", ["a b", "a,b;c", '"a"', "a\x00"])
def test_refuses_what_is_no_list_of_tokens(value):
    with pytest.raises(fastws.InvalidHeader):
        parse_tokens(value)


@pytest.mark.parametrize(
    ("value", "options"),
    [
        ("foo", (Option("foo"),)),
        ("foo;a=1,, , ,bar;b=2", (Option("foo", (("a", "1"),)), Option("bar", (("b", "2"),)))),
        ("foo ; a ; b = 2", (Option("foo", (("a", None), ("b", "2"))),)),
        ('foo;a="x, \\"y\\\\"', (Option("foo", (("a", 'x, "y\\'),)),)),
        ("foo;a=", None),
        ("foo;a,foo;a", (Option("foo", (("a", None),)), Option("foo", (("a", None),)))),
        ("foo bar", None),
        ("=[", None),
        ('foo;a="x', None),
        ("", ()),
    ],
)
def test_reads_options(value, options):
    if options is None:
        with pytest.raises(fastws.InvalidHeader) as caught:
            parse_options(value)
        assert caught.value.name == "FASTWS_ERR_HTTP_OPTIONS" and caught.value.status == 400
    else:
        assert parse_options(value) == parse_options(value.encode()) == options


def test_options_can_be_asked():
    (option,) = parse_options("foo;a=1;a=2;b")
    assert option.get("a") == "1" and option.get("b", "d") is None and option.get("c", "d") == "d"
    assert option.with_parameter("c", "3").parameters == (*option.parameters, ("c", "3"))


def test_selects_options():
    assert [option.name for option in select_options("a,b,a")] == ["a", "b", "a"]
    assert [option.name for option in select_options("foo,foo,bar", unique=True)] == ["foo", "bar"]
    chosen = select_options("foo;x=1,bar,foo;x=2", lambda option: option.get("x") != "1", unique=True)
    assert chosen == (Option("bar"), Option("foo", (("x", "2"),)))


@pytest.mark.parametrize(
    ("options", "text"),
    [
        ([Option("foo", (("a", "1"), ("b", None)))], "foo; a=1; b"),
        (["a", ("b", [("c", "d e")])], 'a, b; c="d e"'),
        ([Option("a", (("b", '"\\'),))], 'a; b="\\"\\\\"'),
        ([Option("a", (("b", ""),))], 'a; b=""'),
        ([], ""),
    ],
)
def test_writes_options_that_read_the_same(options, text):
    assert format_options(options) == text
    assert format_options(parse_options(text)) == text


@pytest.mark.parametrize("option", ["a b", Option("a", (("b", "x\r\ny"),)), Option("a", (("b c", None),)), ""])
def test_refuses_to_write_what_would_be_read_otherwise(option):
    with pytest.raises(ValueError):
        format_options([option])
    with pytest.raises(TypeError):
        format_options([("a", [("b", 1)])])


@pytest.mark.parametrize(
    ("value", "flags", "pairs"),
    [
        ("a=1; b=2", {}, (("a", "1"), ("b", "2"))),
        ("a=1;  b=2", {}, (("a", "1"), ("b", "2"))),
        ('a="1"; bad name=2; c', {}, (("a", "1"), ("c", ""))),
        ("a=1, 2", {}, (("a", "1, 2"),)),
        ("a=1;b=2", {"strict": True}, None),
        ("a=1; b c=2; d=3", {"stop": True}, None),
        ("b c=2", {"any_name": True}, (("b c", "2"),)),
        ('a=x"y', {"any_value": True}, (("a", 'x"y'),)),
        ('a=x"y', {}, ()),
    ],
)
def test_reads_cookies(value, flags, pairs):
    if pairs is None:
        with pytest.raises(fastws.InvalidHeader) as caught:
            parse_cookies(value, **flags)
        assert caught.value.name == "FASTWS_ERR_HTTP_COOKIE"
    else:
        assert parse_cookies(value, **flags) == pairs


def test_writes_cookies():
    assert format_cookies([("a", "1"), ("b", "")]) == "a=1; b="
    for pair in [("a b", "1"), ("a", "1;b"), ("a", "1\r\n"), ("", "1")]:
        with pytest.raises(ValueError):
            format_cookies([pair])


def test_takes_other_values_apart():
    assert parse_items('foo;b="x\\"" (a (b) \\)) \xe9') == (
        ("token", "foo"),
        ("separator", ";"),
        ("token", "b"),
        ("separator", "="),
        ("string", 'x"'),
        ("comment", "a (b) )"),
        ("octet", "\xe9"),
    )
    for value in ['"', "(()", "\x01"]:
        with pytest.raises(fastws.InvalidHeader):
            parse_items(value)


def test_spells_names_as_usual():
    names = ["foo-", "-foo", "-", "foo----bar", "foo-bar", "FoO-BaR", "sec-websocket-extensions", ""]
    usual = ["Foo-", "-Foo", "-", "Foo----Bar", "Foo-Bar", "Foo-Bar", "Sec-Websocket-Extensions", ""]
    assert [canonical_name(name) for name in names] == usual


def test_knows_tokens_and_values():
    assert is_token("a!#$") and not is_token("") and not is_token("a b") and not is_token("\xe9")
    assert is_header_value("") and is_header_value("a \t\xff") and not is_header_value(" a")
    assert not is_header_value("a\r\nb")
    with pytest.raises(TypeError):
        is_token(1)


@pytest.mark.parametrize("function", [parse_tokens, parse_options, parse_cookies, parse_items, canonical_name])
def test_wrong_types_are_refused(function):
    with pytest.raises(TypeError):
        function(1)
    with pytest.raises(UnicodeEncodeError):
        function("\u20ac")
