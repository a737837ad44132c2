# SPDX-License-Identifier: MIT
"""What the servers of this folder share: options, the event loop, and the line that says where they listen."""

import argparse
import asyncio
import importlib
from collections.abc import Awaitable, Callable
from typing import Any

MAX_SIZE = 16 << 20  # bytes of a message, for every library: the default of the C library


def parse(description: str | None, **choices: list[str]) -> argparse.Namespace:
    """Reads the command line: --uvloop, and an option for each of choices, whose first value is the default."""
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("--uvloop", action="store_true", help="run on the event loop of that package")
    for name, values in choices.items():
        parser.add_argument(f"--{name}", choices=values, default=values[0])
    return parser.parse_args()


def run(start: Callable[[], Awaitable[Any]], options: argparse.Namespace) -> None:
    """Starts a server, which has to have sockets, says where it listens, and waits until the process is killed."""

    async def main() -> None:
        server = await start()
        print("listening on ws://{}:{}/".format(*server.sockets[0].getsockname()[:2]), flush=True)
        await asyncio.Event().wait()

    runner = importlib.import_module("uvloop").run if options.uvloop else asyncio.run
    runner(main())
