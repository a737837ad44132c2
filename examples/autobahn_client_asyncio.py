# SPDX-License-Identifier: MIT
"""A client for the fuzzing server of the Autobahn test suite, under asyncio.

    python autobahn_client_asyncio.py [--agent NAME] [--driver protocol|loop] URL

Runs every case that the server has: connects, echoes what comes until the server closes, and goes on with the next one.
In the end it has the server write its report. URL is that of the server, such as ws://127.0.0.1:9001.
"""

import argparse
import asyncio
import contextlib

import fastws


async def main(options: argparse.Namespace) -> None:
    def connect(resource: str) -> fastws.connect:
        return fastws.connect(options.url + resource, max_size=16 << 20, proxy=None, driver=options.driver)

    async def echo(resource: str) -> None:
        """Sends back what comes until the connection ends, however it does: that is for the server to judge."""
        with contextlib.suppress(fastws.ConnectionClosed):
            async with connect(resource) as connection:
                async for message in connection:
                    await connection.send(message)

    async with connect("/getCaseCount") as connection:
        count = int(await connection.recv())
    for case in range(1, count + 1):
        await echo(f"/runCase?case={case}&agent={options.agent}")
    await echo(f"/updateReports?agent={options.agent}")
    print(f"{count} cases")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description="Runs the cases of Autobahn's fuzzing server, under asyncio.")
    parser.add_argument("--agent", default="fastws", help="name of the client in the report (default: %(default)s)")
    parser.add_argument("--driver", choices=["protocol", "loop"], help="who moves bytes: see fastws.serve()")
    parser.add_argument("url", help="of the server, such as ws://127.0.0.1:9001")
    asyncio.run(main(parser.parse_args()))
