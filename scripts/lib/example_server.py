# SPDX-License-Identifier: MIT
"""Starts a server of examples/ the way that each of them is started."""

import contextlib
import subprocess
import sys
import threading

SECONDS_TO_START = 30


@contextlib.contextmanager
def example_server(*command, errors=None):
    """Starts a server on a free port and yields its URL. The server must still be running when the block ends.

    Args:
        errors: file for what the server writes to standard error; this process's own by default.
    """
    name = " ".join(command)
    # A session of its own keeps Ctrl-C away from the server: whoever started it ends it.
    server = subprocess.Popen(
        [*command, "--port", "0"], stdout=subprocess.PIPE, stderr=errors, text=True, start_new_session=True
    )
    try:
        yield read_url(server, name)
        if server.poll() is not None:
            sys.exit("%s died with status %d" % (name, server.returncode))
    finally:
        server.kill()
        server.wait()


def read_url(server, name):
    """Returns the address from the line `listening on ws://127.0.0.1:PORT/`."""
    watchdog = threading.Timer(SECONDS_TO_START, server.kill)
    watchdog.start()
    line = server.stdout.readline().strip()
    watchdog.cancel()
    prefix = "listening on "
    if not line.startswith(prefix):
        sys.exit("%s printed %r instead of its address" % (name, line))
    return line.removeprefix(prefix)
