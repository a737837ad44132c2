# SPDX-License-Identifier: MIT
"""Sends each message to all clients, by fastws.broadcast(). Compression is off."""

import fastws
import listening

connections: set[fastws.ServerConnection] = set()


async def handle(connection: fastws.ServerConnection) -> None:
    connections.add(connection)
    try:
        async for message in connection:
            fastws.broadcast(connections, message)
    finally:
        connections.discard(connection)


class Listener:
    """The same with callbacks."""

    def on_open(self, connection: fastws.ServerConnection) -> None:
        connections.add(connection)

    def on_message(self, connection: fastws.ServerConnection, message: str | bytes) -> None:
        fastws.broadcast(connections, message)

    def on_close(self, connection: fastws.ServerConnection, code: int, reason: str) -> None:
        connections.discard(connection)


async def start():
    handler, listener = (None, Listener()) if options.api == "callbacks" else (handle, None)
    server = await fastws.serve(
        handler, "127.0.0.1", 0, listener=listener, compression=None, max_size=listening.MAX_SIZE, driver=options.driver
    )
    return server, server.sockets[0].getsockname()


if __name__ == "__main__":
    options = listening.parse(__doc__, api=["async-for", "callbacks"], driver=["loop", "protocol"])
    listening.run(start, options)
