# SPDX-License-Identifier: MIT
"""An echo server by websockets: its asyncio server, as its documentation has it. Compression is off; the rest is as it
comes, keep-alive included: a ping after 20 seconds. A message is str or bytes, and text is checked by decoding it."""

import serving
from websockets.asyncio.server import ServerConnection, serve


async def echo(connection: ServerConnection) -> None:
    async for message in connection:
        await connection.send(message)


async def start():
    return await serve(echo, "127.0.0.1", 0, compression=None, max_size=serving.MAX_SIZE)


if __name__ == "__main__":
    serving.run(start, serving.parse(__doc__))
