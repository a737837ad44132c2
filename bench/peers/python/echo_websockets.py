# SPDX-License-Identifier: MIT
"""An echo server by websockets: its asyncio server, as its documentation has it. Compression is off; the rest is as it
comes, keep-alive included: a ping after 20 seconds. A message is str or bytes, and text is checked by decoding it."""

import listening
from websockets.asyncio.server import ServerConnection, serve


async def echo(connection: ServerConnection) -> None:
    async for message in connection:
        await connection.send(message)


async def start():
    server = await serve(echo, "127.0.0.1", 0, compression=None, max_size=listening.MAX_SIZE)
    return server, server.sockets[0].getsockname()


if __name__ == "__main__":
    listening.run(start, listening.parse(__doc__))
