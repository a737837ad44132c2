# SPDX-License-Identifier: MIT
"""An echo server by aiohttp: a handler of web.WebSocketResponse on the low-level server, which has no router and no
access log. Compression is off; there is no heartbeat, as by default. A message is str or bytes."""

import listening
from aiohttp import WSMsgType, web


async def echo(request: web.BaseRequest) -> web.WebSocketResponse:
    socket = web.WebSocketResponse(compress=False, max_msg_size=listening.MAX_SIZE)
    await socket.prepare(request)
    async for message in socket:
        if message.type is WSMsgType.TEXT:
            await socket.send_str(message.data)
        elif message.type is WSMsgType.BINARY:
            await socket.send_bytes(message.data)
    return socket


async def start():
    runner = web.ServerRunner(web.Server(echo, access_log=None))
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    return runner, runner.addresses[0]


if __name__ == "__main__":
    listening.run(start, listening.parse(__doc__))
