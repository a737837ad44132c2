# SPDX-License-Identifier: MIT
"""Runs a Python program that collects its garbage when SIGUSR2 comes, and says so: collecting.py PROGRAM [ARGUMENT...]

What idle connections hold is measured after that: garbage would be counted with them.
"""

import gc
import runpy
import signal
import sys
from pathlib import Path


def collect(number: int, frame: object) -> None:
    gc.collect()
    print("collected", flush=True)


if __name__ == "__main__":
    signal.signal(signal.SIGUSR2, collect)
    del sys.argv[0]
    sys.path[0] = str(Path(sys.argv[0]).parent)
    runpy.run_path(sys.argv[0], run_name="__main__")
