# SPDX-License-Identifier: MIT
"""The direct wake: who awaits a message runs when it comes, without a future, and asyncio sees nothing strange."""

import asyncio
import contextvars
import time

import pytest

import fastws.asyncio
from fastws.exceptions import ConcurrencyError


def test_a_message_that_waits_costs_no_turn_of_the_loop(run, pair):
    async def main():
        turns = 0

        def count():
            nonlocal turns
            turns += 1
            handle[0] = loop.call_soon(count)

        loop = asyncio.get_running_loop()
        async with pair() as (server, client):
            for i in range(10):
                await client.send(str(i))
            await asyncio.sleep(0.1)
            handle = [loop.call_soon(count)]
            assert [await server.recv() for _ in range(10)] == [str(i) for i in range(10)]
            await server.send("no turn either")
            handle[0].cancel()
            assert turns == 0

    run(main())


def test_the_woken_task_is_itself(run, serving):
    variable = contextvars.ContextVar("variable")

    async def main():
        seen = []

        async def handler(connection):
            variable.set("handler")
            task = asyncio.current_task()
            async for message in connection:
                seen.append((message, asyncio.current_task() is task, variable.get()))

        async with serving(handler) as url, fastws.asyncio.connect(url) as client:
            for i in range(3):
                await client.send(str(i))
                await asyncio.sleep(0.02)
        assert seen == [(str(i), True, "handler") for i in range(3)]

    run(main())


def test_works_in_debug_mode(run, serving, echo):
    async def main():
        async with serving(echo) as url, fastws.asyncio.connect(url) as client:
            for i in range(10):
                await client.send(str(i))
                assert await client.recv() == str(i)

    run(main(), debug=True)


def test_two_may_not_receive_at_once(run, pair):
    async def main():
        async with pair() as (server, client):
            first = asyncio.create_task(server.recv())
            await asyncio.sleep(0)
            with pytest.raises(ConcurrencyError):
                await server.recv()
            await client.send("x")
            assert await first == "x"

    run(main())


@pytest.mark.parametrize("way", ["cancel", "timeout", "wait_for"])
def test_to_cancel_recv_loses_nothing(run, pair, way):
    async def main():
        async with pair() as (server, client):
            if way == "cancel":
                task = asyncio.create_task(server.recv())
                await asyncio.sleep(0.01)
                task.cancel("reason")
                with pytest.raises(asyncio.CancelledError):
                    await task
            else:
                with pytest.raises(TimeoutError):
                    if way == "timeout":
                        async with asyncio.timeout(0.01):
                            await server.recv()
                    else:
                        await asyncio.wait_for(server.recv(), 0.01)
            await client.send("kept")
            assert await server.recv() == "kept"

    run(main())


def test_a_cancel_and_a_message_at_once_lose_nothing(run, pair):
    async def main():
        async with pair() as (server, client):
            task = asyncio.create_task(server.recv())
            await asyncio.sleep(0.01)
            await client.send("kept")
            time.sleep(0.01)
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
            assert await server.recv() == "kept"

    run(main())


@pytest.mark.parametrize("wrap", [asyncio.ensure_future, asyncio.create_task, asyncio.shield])
def test_recv_is_a_coroutine_for_asyncio(run, pair, wrap):
    async def main():
        async with pair() as (server, client):
            waiting = wrap(server.recv())
            await client.send("x")
            assert await waiting == "x"
            await wrap(client.send("y"))
            assert await asyncio.gather(server.recv()) == ["y"]

    run(main())


def test_to_forget_an_await_is_warned_of(run, pair):
    """As with coroutines of Python; nothing used to be said."""

    async def main():
        async with pair() as (server, client):
            with pytest.warns(RuntimeWarning, match="coroutine 'Connection.recv' was never awaited"):
                server.recv()
            with pytest.warns(RuntimeWarning, match="coroutine 'Connection.__anext__' was never awaited"):
                anext(server)
            server.recv().close()
            waiting = asyncio.create_task(server.recv())
            await asyncio.sleep(0)
            assert "coro=<Connection.recv()" in repr(waiting)
            await client.send("x")
            assert await waiting == "x"

    run(main())


class Beginner:
    """A listener that begins a task with each message."""

    def __init__(self, function):
        self.function = function
        self.tasks = []

    def on_message(self, connection, message):
        self.tasks.append(asyncio.create_task(self.function(connection)))


@pytest.mark.skipif(not hasattr(asyncio, "eager_task_factory"), reason="CPython has them from 3.12 on")
@pytest.mark.parametrize("by_listener", [True, False])
def test_an_eager_task_is_not_interrupted_by_one_that_is_woken(run, serving, echo, raw, request_with, by_listener):
    """Behind a direct wake of the same batch it used to be: "Cannot enter into task" was the end of what was woken."""
    frame = fastws.compile_frame(fastws.OpCode.TEXT, "x")

    async def main():
        asyncio.get_running_loop().set_task_factory(asyncio.eager_task_factory)

        async def hand_over(connection):
            """Does as a transport in memory may: its protocol has the bytes at once, whoever runs."""
            protocol = idle.transport.get_protocol()
            memoryview(protocol.get_buffer(-1))[: len(frame)] = frame
            protocol.buffer_updated(len(frame))

        eager = {"listener": Beginner(hand_over)} if by_listener else {"handler": hand_over}
        async with (
            serving(echo, driver="loop") as echoing,
            serving(**eager, driver="loop") as beginning,
            fastws.asyncio.connect(echoing, driver="protocol") as idle,
            raw(echoing) as first,
            raw(beginning, None if by_listener else b"") as second,
        ):
            waiting = asyncio.create_task(idle.recv())
            await asyncio.sleep(0.05)
            # Both are ready in one turn, in this order.
            first.send(fastws.OpCode.TEXT, b"who echoes is woken directly")
            if by_listener:
                second.send(fastws.OpCode.TEXT, b"begin")
            else:
                second.writer.write(request_with())
            assert await asyncio.wait_for(waiting, 5) == "x"

    run(main())
