#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Adds: {"id": 1, "numbers": [1, 2.5]} is answered with {"id": 1, "sum": 3.5}, anything else with an error."""

import json
import sys
from typing import Any

import fastws
import server


def add(request: Any) -> dict[str, object]:
    """Returns what is to be added to the response."""
    numbers = request.get("numbers") if isinstance(request, dict) else None
    if not isinstance(numbers, list):
        return {"error": "numbers is not an array"}
    if not all(isinstance(number, (int, float)) and not isinstance(number, bool) for number in numbers):
        return {"error": "numbers holds something else"}
    return {"sum": sum(numbers)}


def answer(reader: fastws.Reader) -> dict[str, object]:
    """Reads one request, and returns the response."""
    try:
        request = json.load(reader)
    except (ValueError, RecursionError):
        return {"id": None, "error": "not JSON"}
    return {"id": request.get("id") if isinstance(request, dict) else None, **add(request)}


def serve(stream: fastws.Stream) -> None:
    """Answers until the client closes. JSON is text: binary messages are refused with 1003."""
    reader, writer = fastws.Reader(stream), fastws.Writer(stream)
    with stream:
        for header in reader:
            if header.opcode != fastws.OpCode.TEXT:
                stream.close(fastws.CloseCode.UNSUPPORTED_DATA)
                return
            with writer:
                json.dump(answer(reader), writer)


if __name__ == "__main__":
    sys.exit(server.main(__doc__, fastws.Upgrader(max_size=65536), serve))
