#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Accepts requests for one host with well-formed cookies only, and adds a header to what it answers."""

import platform
import sys

import fastws
import fastws.http
import server


def check_host(host: bytes) -> None:
    if host.lower() != b"github.com":
        raise fastws.Reject(403, headers={"X-Want-Host": "github.com"})


def check_cookies(name: bytes, value: bytes) -> None:
    if name.lower() != b"cookie":
        return
    try:
        # Here is the place to check a session, or to keep what is needed later.
        fastws.http.parse_cookies(value, stop=True)
    except fastws.Error:
        raise fastws.Reject(400, "bad cookie") from None


def add_version() -> dict[str, str]:
    return {"X-Python-Version": platform.python_version()}


def echo(stream: fastws.Stream) -> None:
    with stream:
        for message in stream:
            stream.send(message)


if __name__ == "__main__":
    upgrader = fastws.Upgrader(on_host=check_host, on_header=check_cookies, on_before_upgrade=add_version)
    sys.exit(server.main(__doc__, upgrader, echo))
