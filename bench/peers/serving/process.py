# SPDX-License-Identifier: MIT
"""A server as a process: where it listens, what it used, what it holds."""

import contextlib
import os
import re
import shlex
import signal
import subprocess
import time
from pathlib import Path

QUIET_S = 0.01
QUIET_NS = 300_000  # with less CPU time in QUIET_S, a server has nothing left to do
SETTLE_S = 20


class Server:
    """A server that runs: a program that prints `listening on SCHEME://HOST:PORT/`, or the port alone."""

    def __init__(self, name: str, command: str, cpu: int) -> None:
        self.name = name
        pinned = ["taskset", "-c", str(cpu), *shlex.split(command)]
        self.process = subprocess.Popen(pinned, stdout=subprocess.PIPE, text=True)
        line = self.process.stdout.readline()
        found = re.search(r"(?:(\w+)://[^:/]*:)?(\d+)/?$", line.strip())
        if not found:
            self.stop()
            raise SystemExit(f"servers.py: {name} printed {line!r}, and no address")
        self.is_raw = found[1] == "tcp"
        self.port = int(found[2])

    def stop(self) -> None:
        self.process.kill()
        self.process.wait()
        self.process.stdout.close()

    def _read(self, file: str) -> str:
        return Path("/proc", str(self.process.pid), file).read_text()

    def _cpu_ns(self) -> int:
        """CPU time of all threads."""
        tasks = Path("/proc", str(self.process.pid), "task").iterdir()
        return sum(int((task / "schedstat").read_text().split()[0]) for task in tasks)

    def settle(self) -> None:
        """Waits until the server has nothing to do: closing a thousand connections takes a while."""
        end = time.monotonic() + SETTLE_S
        before = -QUIET_NS
        with contextlib.suppress(OSError):
            while (now := self._cpu_ns()) - before >= QUIET_NS and time.monotonic() < end:
                before = now
                time.sleep(QUIET_S)

    def collect(self) -> bool:
        """Has the server collect its garbage, if it knows SIGUSR2. Returns whether it does."""
        caught = int(re.search(r"^SigCgt:\s*(\w+)", self._read("status"), re.MULTILINE)[1], 16)
        if not caught >> (signal.SIGUSR2 - 1) & 1:
            return False
        os.kill(self.process.pid, signal.SIGUSR2)
        return self.process.stdout.readline().strip() == "collected"

    def memory(self) -> int:
        """Bytes of anonymous memory that are resident: heaps and stacks, no files, nothing of the kernel's sockets."""
        return int(re.search(r"^Anonymous:\s*(\d+) kB", self._read("smaps_rollup"), re.MULTILINE)[1]) * 1024
