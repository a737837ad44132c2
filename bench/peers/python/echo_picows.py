# SPDX-License-Identifier: MIT
"""An echo server by picows: its core API, which is its fastest one. A frame is sent back from a view of the receive
buffer, without a copy into bytes; text is not checked. There is no compression in this API, and no automatic ping by
default. Its sockets are those of aiofastnet, which it takes by default on both event loops."""

import picows
import listening


class Echo(picows.WSListener):
    def on_ws_frame(self, transport: picows.WSTransport, frame: picows.WSFrame) -> None:
        if frame.msg_type == picows.WSMsgType.CLOSE:
            transport.send_close(frame.get_close_code(), frame.get_close_message())
            transport.disconnect()
        else:
            transport.send(frame.msg_type, frame.get_payload_as_memoryview(), frame.fin)

    def pause_writing(self) -> None:
        """Clients here read all that comes. The inherited functions write a line to the log each time."""

    def resume_writing(self) -> None:
        """See pause_writing()."""


async def start():
    server = await picows.ws_create_server(lambda request: Echo(), "127.0.0.1", 0, max_frame_size=listening.MAX_SIZE)
    return server, server.sockets[0].getsockname()


if __name__ == "__main__":
    listening.run(start, listening.parse(__doc__))
