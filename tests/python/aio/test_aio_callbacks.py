# SPDX-License-Identifier: MIT
"""The callback API: what is called when, and what becomes of what it raises."""

import asyncio
import types

import pytest

import fastws
import fastws.asyncio


class Listener:
    """Notes every call."""

    def __init__(self):
        self.seen = []
        self.closed = asyncio.Event()

    def on_open(self, connection):
        self.seen.append("open")

    def on_message(self, connection, message):
        self.seen.append(message)

    def on_ping(self, connection, data):
        self.seen.append(("ping", data))

    def on_pong(self, connection, data):
        self.seen.append(("pong", data))

    def on_close(self, connection, code, reason):
        self.seen.append(("close", code, reason))
        self.closed.set()


def test_everything_is_told_in_order(run, serving, raw):
    async def main():
        listener = Listener()
        async with serving(listener=listener) as url, raw(url) as client:
            client.send(9, b"a")
            client.send(1, "t\u00e9xt".encode())
            client.send(10, b"b")
            client.send(2, b"bytes")
            client.send(1, b"fr", fin=False)
            client.send(9, b"c")
            client.send(0, b"ag")
            client.send(8, b"\x0f\xa0why")
            for payload in (b"a", b"c"):
                assert await client.read_frame() == (10, payload)
            await client.close()
            await listener.closed.wait()
        assert listener.seen == [
            "open", ("ping", b"a"), "t\u00e9xt", ("pong", b"b"), b"bytes", ("ping", b"c"), "frag",
            ("close", 4000, "why"),
        ]

    run(main())


def test_no_callback_is_needed(run, serving, raw):
    async def main():
        async with serving(listener=object()) as url, raw(url) as client:
            client.send(1, b"nobody listens")
            client.send(9)
            assert await client.read_frame() == (10, b"")

    run(main())


@pytest.mark.parametrize("name", ["on_open", "on_message", "on_ping", "on_pong"])
def test_what_a_callback_raises_closes_with_1011_and_is_logged(run, serving, raw, caplog, name):
    async def main():
        def fail(*args):
            raise LookupError("no such luck")

        listener = Listener()
        setattr(listener, name, fail)
        async with serving(listener=listener) as url, raw(url) as client:
            if name != "on_open":
                for opcode in (9, 1, 10):
                    client.send(opcode, b"x")
            while (frame := await client.read_frame())[0] != 8:
                pass
            assert frame[1][:2] == b"\x03\xf3"
            client.send(8, frame[1])
            await client.close()
            await listener.closed.wait()

    run(main())
    (record,) = [record for record in caplog.records if record.levelname == "ERROR"]
    assert record.getMessage() == "callback failed"
    assert isinstance(record.exc_info[1], LookupError)


def test_on_close_may_raise(run, serving, raw, caplog):
    async def main():
        class Bad:
            def on_close(self, *args):
                raise LookupError

        async with serving(listener=Bad()) as url, raw(url) as client:
            client.send(8)
            await client.read_frame()

    run(main())
    assert [record.getMessage() for record in caplog.records if record.levelname == "ERROR"] == ["callback failed"]


def test_to_send_while_the_connection_closes_is_no_failure(run, serving, raw, logged):
    """What callbacks raised because they had closed the connection themselves used to be logged."""

    async def main():
        class Leaving(Listener):
            def on_message(self, connection, message):
                super().on_message(connection, message)
                connection.close_nowait(4000)
                connection.send_nowait(message)

        listener = Leaving()
        async with serving(listener=listener) as url, raw(url) as client:
            client.send(1, b"first")
            assert await client.read_close() == 4000
            client.send(8, b"\x0f\xa0")
            client.writer.close()
            await listener.closed.wait()
        assert listener.seen == ["open", "first", ("close", 4000, "")]

    run(main())
    assert logged() == []


@pytest.mark.parametrize("is_open", [True, False])
def test_other_failures_of_a_closing_connection_are_logged(run, serving, raw, logged, is_open):
    async def main():
        def fail(connection, message):
            if not is_open:
                connection.close_nowait(4000)
                raise LookupError("no such luck")
            raise fastws.ConnectionClosedError(None, None)  # of another connection

        listener = Listener()
        listener.on_message = fail
        async with serving(listener=listener) as url, raw(url) as client:
            client.send(1, b"x")
            assert await client.read_close() == (1011 if is_open else 4000)

    run(main())
    assert logged() == ["callback failed"]


def test_send_nowait_tells_of_room_and_on_drain_when_there_is_again(run, serving, raw):
    async def main():
        drained = asyncio.Event()

        class Source:
            def on_open(self, connection):
                while connection.send_nowait(b"x" * 100000):
                    self.sent = getattr(self, "sent", 0) + 1

            def on_drain(self, connection):
                drained.set()
                connection.close_nowait()

        source = Source()
        async with serving(listener=source) as url, raw(url) as client:
            await asyncio.sleep(0.1)
            assert source.sent > 0
            assert not drained.is_set()
            for _ in range(source.sent + 1):
                assert await client.read_frame() == (2, b"x" * 100000)
            await drained.wait()
            assert await client.read_close() == 1000

    run(main())


def test_keyboard_interrupt_passes_through(loop_name, serving):
    class Interrupted:
        def on_message(self, connection, message):
            raise KeyboardInterrupt

    async def main():
        async with serving(listener=Interrupted()) as url, fastws.asyncio.connect(url) as client:
            await client.send("x")
            await asyncio.sleep(10)

    if loop_name == "uvloop":
        import uvloop

        loop = uvloop.new_event_loop()
    else:
        loop = asyncio.new_event_loop()
    with pytest.raises(KeyboardInterrupt):
        loop.run_until_complete(main())
    for task in asyncio.all_tasks(loop):
        task.cancel()
    loop.run_until_complete(asyncio.gather(*asyncio.all_tasks(loop), return_exceptions=True))
    loop.close()


@pytest.mark.parametrize("name", ["on_open", "on_message", "on_close", "on_ping", "on_pong", "on_drain"])
def test_coroutine_functions_are_no_callbacks(run, name):
    """Their coroutines would be awaited by nobody: messages used to get lost without an error."""

    async def coroutine_function(*arguments):
        pass

    async def main():
        listener = types.SimpleNamespace(**{name: coroutine_function})
        for function in (fastws.asyncio.serve, lambda **options: fastws.asyncio.connect("ws://localhost/", **options)):
            with pytest.raises(TypeError, match=f"{name} of a listener must be a plain function"):
                function(listener=listener)

    run(main())


def test_recv_does_not_wait_for_what_goes_to_on_message(run, serving, echo):
    """It used to wait for ever."""

    async def main():
        received = asyncio.Queue()
        listener = types.SimpleNamespace(on_message=lambda connection, message: received.put_nowait(message))
        async with serving(echo) as url, fastws.asyncio.connect(url, listener=listener) as client:
            with pytest.raises(RuntimeError, match="go to on_message"):
                await client.recv()
            with pytest.raises(RuntimeError, match="go to on_message"):
                await anext(client)
            await client.send("x")
            assert await received.get() == "x"
            await client.close()
            with pytest.raises(fastws.ConnectionClosedOK):
                await client.recv()

    run(main())
