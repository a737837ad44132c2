# SPDX-License-Identifier: MIT
"""Other interpreters of the same process, with a lock of their own and without. In a program of its own: what goes
wrong there ends it."""

import subprocess
import sys

import pytest

PROGRAM = """
import sys
try:
    import _interpreters as interpreters
except ImportError:
    import _xxsubinterpreters as interpreters

ECHO = '''
import asyncio, fastws, fastws.asyncio

async def echo(connection):
    async for message in connection:
        await connection.send(message)

async def main(driver):
    async with fastws.asyncio.serve(echo, "127.0.0.1", 0, driver=driver) as server:
        url = "ws://127.0.0.1:{}/".format(server.sockets[0].getsockname()[1])
        async with fastws.asyncio.connect(url, driver=driver) as client:
            for i in range(300):
                await client.send(str(i) * 100)
                assert await client.recv() == str(i) * 100
            try:
                await client.send(3)
            except TypeError:
                pass

for driver in ("protocol", "loop"):
    asyncio.run(main(driver))
'''

def create(kind):
    if sys.version_info >= (3, 13):
        return interpreters.create(kind)
    return interpreters.create(isolated=kind == "isolated")

exec(ECHO)
for _ in range(2):
    interpreter = create(sys.argv[1])
    problem = interpreters.run_string(interpreter, ECHO)
    assert problem is None, problem
    interpreters.destroy(interpreter)
exec(ECHO)
print("done")
"""


@pytest.mark.skipif(sys.version_info < (3, 12), reason="asyncio itself is for one interpreter before 3.12")
@pytest.mark.parametrize("kind", ["isolated", "legacy"])
def test_every_interpreter_echoes(kind):
    """One after another: at once, CPython 3.13 does not come beyond imports of its own."""
    arguments = [sys.executable, "-W", "ignore", "-c", PROGRAM, kind]
    ended = subprocess.run(arguments, capture_output=True, text=True, timeout=120, check=False)
    assert ended.returncode == 0, ended.stderr
    assert ended.stdout == "done\n"
