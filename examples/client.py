#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Sends one message, and prints what comes until the server closes, or until a message that ends it."""

import argparse
import base64
import http.client
import os
import socket
import sys
import urllib.parse

import fastws

TIMEOUT = 10  # seconds for the handshake


def connect(url: str) -> fastws.Stream:
    """Opens a connection and asks for the upgrade. RFC 6455 4.1.

    Raises:
        HandshakeError: the server did not agree.
        OSError: there is no connection.
        ValueError: no ws or wss address.
    """
    parts = urllib.parse.urlsplit(url)
    kinds = {"ws": http.client.HTTPConnection, "wss": http.client.HTTPSConnection}
    if parts.scheme not in kinds or not parts.hostname or parts.fragment:
        raise ValueError(f"not a ws or wss address: {url}")
    connection = kinds[parts.scheme](parts.hostname, parts.port, timeout=TIMEOUT)
    key = base64.b64encode(os.urandom(16)).decode()
    target = urllib.parse.urlunsplit(("", "", parts.path or "/", parts.query, ""))
    connection.request("GET", target, headers={
        "Upgrade": "websocket", "Connection": "Upgrade", "Sec-WebSocket-Key": key, "Sec-WebSocket-Version": "13",
    })
    sock: socket.socket = connection.sock
    response = connection.getresponse()
    check_response(response, key)
    early = read_ahead(sock, response)
    sock.settimeout(None)
    return fastws.Stream(sock, "client", early)


def check_response(response: http.client.HTTPResponse, key: str) -> None:
    """Judges the response as RFC 6455 4.1 asks for. Nothing was offered, so nothing may be agreed on."""
    if response.status != 101:
        raise fastws.HandshakeError(f"server answered {response.status} {response.reason}")
    tokens = [token.strip().lower() for token in response.headers.get("Connection", "").split(",")]
    if "upgrade" not in tokens or response.headers.get("Upgrade", "").lower() != "websocket":
        raise fastws.HandshakeError("server did not upgrade the connection to WebSocket")
    if response.headers.get("Sec-WebSocket-Accept", "").strip() != fastws.accept_key(key):
        raise fastws.HandshakeError("Sec-WebSocket-Accept is wrong")
    for name in ("Sec-WebSocket-Extensions", "Sec-WebSocket-Protocol"):
        if name in response.headers:
            raise fastws.HandshakeError(f"server chose a {name} that was not offered")


def read_ahead(sock: socket.socket, response: http.client.HTTPResponse) -> bytes:
    """Returns what came behind the response: frames that must not be lost."""
    sock.settimeout(0)
    try:
        return response.fp.peek()
    except OSError:  # TLS has nothing yet
        return b""


def talk(stream: fastws.Stream, message: str | None, until: str | None) -> None:
    """Sends message and prints what comes. Leaving the block closes with 1000."""
    with stream:
        if message is not None:
            stream.send(message)
        for received in stream:
            text = received if isinstance(received, str) else received.decode(errors="backslashreplace")
            print("MSG", text, flush=True)
            if text == until:
                return


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--send", metavar="TEXT", help="the message")
    parser.add_argument("--until", metavar="TEXT", help="close after a message that is equal to it")
    parser.add_argument("url", help="ws://HOST:PORT/PATH")
    arguments = parser.parse_args()
    try:
        talk(connect(arguments.url), arguments.send, arguments.until)
    except (fastws.Error, OSError, ValueError, http.client.HTTPException) as error:
        print("ERROR", " ".join(str(error).split()) or type(error).__name__, flush=True)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
