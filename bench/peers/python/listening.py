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


def run(start: Callable[[], Awaitable[tuple[Any, tuple]]], options: argparse.Namespace) -> None:
    """Starts a server, says where it listens, and waits until the process is killed. start() gives the server, to be
    kept, and its address."""

    async def main() -> None:
        server, address = await start()
        print("listening on ws://{}:{}/".format(*address[:2]), flush=True)
        await asyncio.Event().wait()
        del server

    runner = importlib.import_module("uvloop").run if options.uvloop else asyncio.run
    runner(main())
