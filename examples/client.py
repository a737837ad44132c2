# SPDX-License-Identifier: MIT
"""A WebSocket client: python client.py [--send TEXT] [--until TEXT] [--ca FILE] [--timeout SECONDS] URL

Sends one text message if told, prints each message that comes as "MSG text" until the server closes, or closes by
itself after a message equal to --until. On failure it prints "ERROR reason" and exits with 1.

    python client.py --send hello --until hello wss://example.com/echo
"""

import argparse
import ssl
import sys

import fastws


def text_of(message: str | bytes) -> str:
    return message if isinstance(message, str) else message.decode("utf-8", "backslashreplace")


def converse(stream: fastws.Stream, send: str | None, until: str | None) -> None:
    """Receives until the end that was asked for."""
    if send is not None:
        stream.send(send)
    for message in stream:
        print("MSG", text_of(message), flush=True)
        if until is not None and text_of(message) == until:
            return
    if until is not None:
        raise ConnectionError(f"the server closed before it sent {until!r}")


def reason_of(error: Exception) -> str:
    if isinstance(error, ssl.SSLCertVerificationError):
        return error.verify_message
    return str(error) or type(error).__name__


def main() -> int:
    parser = argparse.ArgumentParser(description="Talks to a WebSocket server.")
    parser.add_argument("--send", metavar="TEXT", help="a text message to send first")
    parser.add_argument("--until", metavar="TEXT", help="the message to close after")
    parser.add_argument("--ca", metavar="FILE", help="authorities to trust for wss, in place of the system's")
    parser.add_argument("--timeout", metavar="SECONDS", type=float, default=10.0, help="for connecting (default: 10)")
    parser.add_argument("url")
    arguments = parser.parse_args()
    try:
        context = ssl.create_default_context(cafile=arguments.ca) if arguments.ca else None
        with fastws.Dialer(ssl=context, timeout=arguments.timeout, compression="deflate").dial(arguments.url) as stream:
            converse(stream, arguments.send, arguments.until)
    except (OSError, fastws.Error) as error:
        print("ERROR", reason_of(error))
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
