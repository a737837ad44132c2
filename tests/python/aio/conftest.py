# SPDX-License-Identifier: MIT
"""Event loops and drivers that every test of fastws.asyncio runs with, and what may not be left behind."""

import asyncio
import contextlib
import gc
import importlib.util
import os

import pytest

import fastws.asyncio

LOOPS = ["asyncio", "uvloop"]
DRIVERS = ["protocol"]


def _new_loop(name):
    if name == "uvloop":
        import uvloop

        return uvloop.new_event_loop()
    return asyncio.new_event_loop()


@pytest.fixture(params=LOOPS)
def loop_name(request):
    if request.param == "uvloop" and not importlib.util.find_spec("uvloop"):
        pytest.skip("needs uvloop")
    return request.param


@pytest.fixture(params=DRIVERS)
def driver(request):
    """How bytes are moved: what serve() and connect() are told as driver, once there are several."""
    return request.param


class Run:
    """Runs a coroutine to its end on a new loop: call it. Afterwards no task, no descriptor and no complaint is left."""

    def __init__(self, loop_name):
        self._loop_name = loop_name
        self.complaints = []  # what the exception handler of the loop was told

    def __call__(self, main, *, timeout=30, debug=False, complaints=0):
        _new_loop(self._loop_name).close()  # what libuv opens once for the process is no leak
        descriptors = len(os.listdir("/proc/self/fd"))
        with asyncio.Runner(loop_factory=lambda: _new_loop(self._loop_name), debug=debug) as runner:
            runner.get_loop().set_exception_handler(lambda loop, context: self.complaints.append(context))
            result = runner.run(self._watch(main, timeout))
        gc.collect()
        assert len(self.complaints) == complaints, self.complaints
        assert len(os.listdir("/proc/self/fd")) <= descriptors
        return result

    async def _watch(self, main, timeout):
        async with asyncio.timeout(timeout):
            result = await main
        await asyncio.sleep(0)
        left = asyncio.all_tasks() - {asyncio.current_task()}
        assert not left, left
        return result


@pytest.fixture
def run(loop_name, driver):
    return Run(loop_name)


async def _echo(connection):
    async for message in connection:
        await connection.send(message)


@pytest.fixture
def echo():
    return _echo


def url_of(server, scheme="ws"):
    host, port = server.sockets[0].getsockname()[:2]
    return f"{scheme}://{host}:{port}/"


@pytest.fixture(name="url_of")
def url_of_fixture():
    return url_of


@pytest.fixture
def serving():
    """A server of fastws on a free port: an asynchronous context manager that gives its address."""

    @contextlib.asynccontextmanager
    async def serving(handler=None, **options):
        async with fastws.asyncio.serve(handler, "127.0.0.1", 0, **options) as server:
            yield url_of(server)

    return serving


@pytest.fixture
def pair():
    """A connected server and client: an asynchronous context manager that gives both connections."""

    @contextlib.asynccontextmanager
    async def pair(client_options=None, **server_options):
        arrived = asyncio.get_running_loop().create_future()

        async def handler(connection):
            arrived.set_result(connection)
            await connection.wait_closed()

        async with fastws.asyncio.serve(handler, "127.0.0.1", 0, **server_options) as server:
            async with fastws.asyncio.connect(url_of(server), **(client_options or {})) as client:
                yield await arrived, client

    return pair
