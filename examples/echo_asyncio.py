# SPDX-License-Identifier: MIT
"""An echo server under asyncio. It says where it listens, and serves until it is interrupted or terminated."""

import argparse
import asyncio
import importlib
import signal

import fastws


async def echo(connection: fastws.ServerConnection) -> None:
    async for message in connection:
        await connection.send(message)


class Echo:
    """The same with callbacks: nothing to await, no task for each connection."""

    def on_message(self, connection: fastws.ServerConnection, message: str | bytes) -> None:
        connection.send_nowait(message)


async def main(options: argparse.Namespace) -> None:
    stop = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    handler, listener = (None, Echo()) if options.callbacks else (echo, None)
    async with fastws.serve(
        handler, options.host, options.port, listener=listener, max_size=16 << 20, driver=options.driver
    ) as server:
        print("listening on ws://{}:{}/".format(*server.sockets[0].getsockname()[:2]), flush=True)
        await stop.wait()


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=0, help="0, the default, takes a free one")
    parser.add_argument("--callbacks", action="store_true", help="call functions instead of running tasks")
    parser.add_argument("--driver", choices=["protocol", "loop"], help="who moves bytes: see fastws.serve()")
    parser.add_argument("--uvloop", action="store_true", help="run on the event loop of that package")
    options = parser.parse_args()
    run = importlib.import_module("uvloop").run if options.uvloop else asyncio.run
    run(main(options))
