# SPDX-License-Identifier: MIT
"""Sends each message to all clients, by websockets.broadcast(), as its documentation has it. Compression is off."""

import listening
from websockets.asyncio.server import ServerConnection, broadcast, serve

connections: set[ServerConnection] = set()


async def handle(connection: ServerConnection) -> None:
    connections.add(connection)
    try:
        async for message in connection:
            broadcast(connections, message)
    finally:
        connections.discard(connection)


async def start():
    server = await serve(handle, "127.0.0.1", 0, compression=None, max_size=listening.MAX_SIZE)
    return server, server.sockets[0].getsockname()


if __name__ == "__main__":
    listening.run(start, listening.parse(__doc__))
