# SPDX-License-Identifier: MIT
"""A proxy in front of a WebSocket server.

It reads the head of a request, connects to the server if the request is for --path, and from then on copies bytes both
ways, the head first: the handshake and all frames are between the client and the server.
"""

import argparse
import asyncio
import http
import signal
import sys

import fastws.http
from server import port

HEAD_MAX = 16384  # bytes
REQUEST_TIMEOUT = 10  # seconds
CONNECT_TIMEOUT = 10
LINGER_TIMEOUT = 1


class Refused(Exception):
    """The request is answered with a status, and goes nowhere."""

    def __init__(self, status: int) -> None:
        self.status = http.HTTPStatus(status)


async def read_head(reader: asyncio.StreamReader, path: str) -> bytes:
    """Reads the head of a request for the path. What came with it stays in the reader."""
    try:
        async with asyncio.timeout(REQUEST_TIMEOUT):
            head = await reader.readuntil(b"\r\n\r\n")
        request = fastws.http.parse_request(head)
    except TimeoutError:
        raise Refused(408) from None
    except asyncio.LimitOverrunError:
        raise Refused(431) from None
    except fastws.Error:
        raise Refused(400) from None
    if request is None:
        raise Refused(400)
    if request.target.partition("?")[0] != path:
        raise Refused(404)
    return head


async def open_upstream(host: str, port: int) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    try:
        async with asyncio.timeout(CONNECT_TIMEOUT):
            return await asyncio.open_connection(host, port)
    except OSError:  # a TimeoutError is one
        raise Refused(502) from None


async def refuse(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, status: http.HTTPStatus) -> None:
    """Answers, and reads what the client still sends: closing over unread bytes would take the answer back."""
    head = f"HTTP/1.1 {status} {status.phrase}\r\nConnection: close\r\nContent-Length: 0\r\n\r\n"
    writer.write(head.encode())
    writer.write_eof()
    try:
        async with asyncio.timeout(LINGER_TIMEOUT):
            while await reader.read(HEAD_MAX):
                pass
    except TimeoutError:
        pass


async def copy(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Copies until there is no more. A side that does not read stops what is sent to it, and nothing else."""
    while part := await reader.read(65536):
        writer.write(part)
        await writer.drain()
    writer.write_eof()


async def tunnel(
    reader: asyncio.StreamReader, writer: asyncio.StreamWriter, head: bytes, upstream: tuple[str, int]
) -> None:
    answers, requests = await open_upstream(*upstream)
    try:
        requests.write(head)
        async with asyncio.TaskGroup() as ways:  # where one fails, the other ends too
            ways.create_task(copy(reader, requests))
            ways.create_task(copy(answers, writer))
    finally:
        requests.close()


async def serve_client(
    reader: asyncio.StreamReader, writer: asyncio.StreamWriter, path: str, upstream: tuple[str, int]
) -> None:
    try:
        head = await read_head(reader, path)
        await tunnel(reader, writer, head, upstream)
    except Refused as refused:
        await refuse(reader, writer, refused.status)
    finally:
        writer.close()


async def run(arguments: argparse.Namespace) -> None:
    """Serves until SIGTERM or SIGINT."""

    async def on_client(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            await serve_client(reader, writer, arguments.path, arguments.upstream)
        except* (OSError, asyncio.IncompleteReadError):  # either side has left
            pass

    stopped = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stopped.set)
    server = await asyncio.start_server(on_client, arguments.host, arguments.port, limit=HEAD_MAX, backlog=512)
    async with server:
        host = f"[{arguments.host}]" if ":" in arguments.host else arguments.host
        print(f"listening on ws://{host}:{server.sockets[0].getsockname()[1]}/", flush=True)
        await stopped.wait()


def address(text: str) -> tuple[str, int]:
    host, _, number = text.rpartition(":")
    if not host:
        raise argparse.ArgumentTypeError("must be HOST:PORT")
    return host.removeprefix("[").removesuffix("]"), port(number)


def main() -> int:
    """Reads the command line and serves until it is told to stop. Returns the exit code."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=port, default=9000, help="0 for any free one")
    parser.add_argument("--path", default="/ws", help="requests for others are answered with 404")
    parser.add_argument("--upstream", type=address, default=("127.0.0.1", 9001), metavar="HOST:PORT")
    arguments = parser.parse_args()
    try:
        asyncio.run(run(arguments))
    except OSError as error:
        print(f"{parser.prog}: cannot listen on {arguments.host} port {arguments.port}: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
