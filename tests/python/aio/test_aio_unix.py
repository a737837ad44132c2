# SPDX-License-Identifier: MIT
"""Servers on sockets in the file system: what they leave there."""

import os
import socket

import pytest

import fastws
import fastws.asyncio


async def echoes(path):
    async with fastws.asyncio.unix_connect(path) as client:
        await client.send("x")
        return await client.recv() == "x"


def test_the_socket_goes_with_its_server(run, echo, tmp_path):
    """It used to stay, but for transports of asyncio from Python 3.13 on."""

    async def main():
        path = str(tmp_path / "socket")
        for _ in range(2):
            async with fastws.asyncio.unix_serve(echo, path):
                assert await echoes(path)
            assert not os.path.exists(path)

    run(main())


def test_so_does_one_that_was_given(run, echo, tmp_path):
    async def main():
        path = str(tmp_path / "socket")
        sock = socket.socket(socket.AF_UNIX)
        sock.bind(path)
        async with fastws.asyncio.unix_serve(echo, sock=sock):
            assert await echoes(path)
        assert not os.path.exists(path)

    run(main())


def test_cleanup_socket_leaves_it_to_the_next_server(run, echo, tmp_path):
    async def main():
        path = str(tmp_path / "socket")
        for _ in range(2):
            async with fastws.asyncio.unix_serve(echo, path, cleanup_socket=False):
                assert await echoes(path)
            assert os.path.exists(path)

    run(main())


def test_a_socket_that_took_its_place_stays(run, echo, tmp_path):
    async def main():
        path = str(tmp_path / "socket")
        async with fastws.asyncio.unix_serve(echo, path):
            async with fastws.asyncio.unix_serve(echo, path) as other:
                server = fastws.asyncio.unix_serve(echo, str(tmp_path / "second"))
                async with server:
                    os.replace(path, tmp_path / "second")
                assert await echoes(str(tmp_path / "second"))
                assert other.is_serving()

    run(main())


@pytest.mark.parametrize("gone", ["unlink", "folder"])
def test_one_that_is_gone_already_is_not_missed(run, echo, tmp_path, gone, logged):
    async def main():
        folder = tmp_path / "folder"
        folder.mkdir()
        async with fastws.asyncio.unix_serve(echo, folder / "socket"):
            (folder / "socket").unlink()
            if gone == "folder":
                folder.rmdir()

    run(main())
    assert logged() == []


def test_an_abstract_name_is_no_file(run, echo, tmp_path):
    async def main():
        path = f"\0{tmp_path}"
        async with fastws.asyncio.unix_serve(echo, path):
            sock = socket.socket(socket.AF_UNIX)  # uvloop does not connect to such names itself
            sock.connect(path)
            async with fastws.asyncio.unix_connect(sock=sock) as client:
                await client.send("x")
                assert await client.recv() == "x"

    run(main())
