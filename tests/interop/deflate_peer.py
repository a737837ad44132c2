# SPDX-License-Identifier: MIT
"""deflate_peer.c again, with the Python package: python deflate_peer.py server|URL [NAME=NUMBER...]

A server prints its port, echoes for one client after the other, and prints after each what was agreed on. A client
exchanges messages with an echo server and prints the same. The names are fields of struct fastws_deflate_config.
"""

import random
import socket
import sys

import fastws

MODES = {1: "takeover", 2: "tail", 3: "no_takeover"}
NAMES = {
    "is_peer_takeover": "peer_takeover",
    "window_bits": "window_bits",
    "peer_window_bits": "peer_window_bits",
    "is_any_bits_offered": "offer_window_bits",
    "level": "level",
    "memory_level": "memory_level",
    "strategy": "strategy",
}


def read_settings(arguments):
    settings = dict(argument.split("=") for argument in arguments)
    mode = MODES[int(settings.pop("mode", 1))]
    return fastws.Deflate(mode, **{NAMES[name]: int(value) for name, value in settings.items()})


def print_agreed(stream):
    print(stream.compression.parameters.format() if stream.compression else "", flush=True)


def echo(stream):
    """Until the peer closes, with whatever code."""
    try:
        for message in stream:
            stream.send(message, compress=True)
    except fastws.ConnectionClosedError as error:
        if error.rcvd is None:
            raise


def serve(deflate):
    upgrader = fastws.Upgrader(compression=deflate)
    with socket.create_server(("127.0.0.1", 0)) as listener:
        print(listener.getsockname()[1], flush=True)
        while True:
            sock, _ = listener.accept()
            with sock, upgrader.upgrade(sock) as stream:
                echo(stream)
                print_agreed(stream)


def make_messages():
    """Messages that refer to each other, and some that nothing can be said shorter of."""
    source = random.Random(1)
    for size in [0, 1, 5, 100, 1000, 20000, 1000, 199000, 70000, 1000] * 3:
        text = "".join(f'{{"price": {source.randrange(10**6)}}}' for _ in range(size // 16 + 1))[:size]
        yield source.randbytes(size) if size == 70000 else text


def talk(url, deflate):
    with fastws.Dialer(compression=deflate, timeout=10).dial(url) as stream:
        for number, message in enumerate(make_messages()):
            if number // 10 == 1 and isinstance(message, str):
                with fastws.Writer(stream, compress=True) as writer:
                    writer.write(message[: len(message) // 2])
                    writer.flush_fragment()
                    stream.ping("between")
                    writer.write(message[len(message) // 2 :])
            else:
                stream.send(message, compress=True)
            received = stream.recv(timeout=20)
            assert received == message, f"{len(message)} came back as {len(received)}"
    print_agreed(stream)


if __name__ == "__main__":
    settings = read_settings(sys.argv[2:])
    if sys.argv[1] == "server":
        serve(settings)
    talk(sys.argv[1], settings)
