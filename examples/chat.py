# SPDX-License-Identifier: MIT
"""A chat with rooms, and its page on the same port.

Each message is a verb and its words, a space between them. From a client: "join ROOM NAME", which leaves the room
before, and "say TEXT". To the clients of a room: "joined ROOM NAME", "said NAME TEXT", "left ROOM NAME". To one client:
"here ROOM NAME...", when it joins, and "error TEXT". What goes to a room is framed once for all. A client that does not
read is closed with 1008.
"""

import argparse
import asyncio
import pathlib
import signal
import sys

import fastws
import fastws.asyncio
from server import port

PAGE = pathlib.Path(__file__).with_name("chat.html")
MESSAGE_MAX = 4096  # bytes
NAME_MAX = 96  # bytes
QUEUE_MAX = 65536  # bytes that wait for a client, before it is too slow


class Member:
    """A client, from its handshake to its end."""

    def __init__(self, connection: fastws.ServerConnection) -> None:
        self.connection = connection
        self.name = ""
        self.room: Room | None = None

    async def refuse(self, why: str) -> None:
        await self.connection.send(f"error {why}")


class Room:
    """Who is in it, by name. The last one to leave takes it down."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.members: dict[str, Member] = {}

    def tell(self, text: str) -> None:
        """Sends everyone the same frame, and gives up clients that have too much of it waiting."""
        connections = [member.connection for member in self.members.values()]
        fastws.broadcast(connections, text)
        for connection in connections:
            if connection.queued > QUEUE_MAX:
                connection.close_nowait(fastws.CloseCode.POLICY_VIOLATION, "too slow")


class Chat:
    """Every room, by name."""

    def __init__(self) -> None:
        self.rooms: dict[str, Room] = {}

    async def serve(self, connection: fastws.ServerConnection) -> None:
        """Serves a client until it ends, however it ends."""
        member = Member(connection)
        try:
            async for message in connection:
                await self.obey(member, message)
        except fastws.ConnectionClosed:
            pass
        finally:
            self.leave(member)

    async def obey(self, member: Member, message: str | bytes) -> None:
        verb, _, words = message.partition(" ") if isinstance(message, str) else ("", "", "")
        if verb == "join":
            await self.join(member, words)
        elif verb == "say" and member.room is None:
            await member.refuse("Join a room first.")
        elif verb == "say" and member.room is not None:
            member.room.tell(f"said {member.name} {words}")
        else:
            await member.refuse('Send "join ROOM NAME" or "say TEXT".')

    async def join(self, member: Member, words: str) -> None:
        room_name, _, name = words.partition(" ")
        if not (is_name(room_name) and is_name(name)):
            return await member.refuse("A room and a name have 1 to 96 bytes and no spaces.")
        room = self.rooms.get(room_name)
        if room is not None and name in room.members:
            if room.members[name] is not member:
                await member.refuse("Someone in that room has the name already.")
            return
        self.leave(member)
        room = self.rooms.setdefault(room_name, Room(room_name))
        member.name, member.room = name, room
        room.members[name] = member
        room.tell(f"joined {room_name} {name}")
        await member.connection.send(" ".join(["here", room_name, *room.members]))

    def leave(self, member: Member) -> None:
        room, member.room = member.room, None
        if room is None:
            return
        del room.members[member.name]
        if not room.members:
            del self.rooms[room.name]
        room.tell(f"left {room.name} {member.name}")


def is_name(text: str) -> bool:
    return 0 < len(text.encode()) <= NAME_MAX and all(character > " " and character != "\x7f" for character in text)


def answer(connection: fastws.ServerConnection, request: fastws.asyncio.Request) -> fastws.asyncio.Response | None:
    """Gives the page, lets the chat begin from there, and knows nothing else."""
    if request.path == "/ws":
        host = request.headers["Host"]
        is_ours = request.headers.get("Origin") in (None, f"http://{host}", f"https://{host}")
        return None if is_ours else connection.respond(403, "The chat is for its own page.\n")
    if request.path != "/":
        return connection.respond(404, "There is nothing here.\n")
    response = connection.respond(200, PAGE.read_text("utf-8"))
    del response.headers["Content-Type"]
    response.headers["Content-Type"] = "text/html; charset=utf-8"
    return response


async def run(host: str, number: int) -> None:
    """Serves until SIGTERM or SIGINT."""
    stopped = asyncio.Event()
    for signal_number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(signal_number, stopped.set)
    async with fastws.serve(
        Chat().serve, host, number, process_request=answer, max_size=MESSAGE_MAX, close_timeout=2
    ) as server:
        name = f"[{host}]" if ":" in host else host
        print(f"listening on ws://{name}:{server.sockets[0].getsockname()[1]}/", flush=True)
        await stopped.wait()


def main() -> int:
    """Reads the command line and serves until it is told to stop. Returns the exit code."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=port, default=9001, help="0 for any free one")
    arguments = parser.parse_args()
    try:
        asyncio.run(run(arguments.host, arguments.port))
    except OSError as error:
        print(f"{parser.prog}: cannot listen on {arguments.host} port {arguments.port}: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
