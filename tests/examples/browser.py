# SPDX-License-Identifier: MIT
"""A headless Chromium, driven by the DevTools protocol over a WebSocket of fastws."""

import json
import os
import pathlib
import shutil
import signal
import subprocess
import time
import urllib.request

import fastws

FLAGS = ["--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--remote-debugging-port=0",
         "--disable-background-networking", "--disable-component-update", "--disable-sync", "--disable-dev-shm-usage"]
TIMEOUT = 60  # seconds, for each step: a browser starts slowly on a busy machine


def find_chromium():
    """The browser's command, or None."""
    return next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)


def wait_for(look):
    """Calls look until it returns something, and returns that."""
    until = time.monotonic() + TIMEOUT
    while not (found := look()):
        assert time.monotonic() < until, "the browser took too long"
        time.sleep(0.05)
    return found


class Browser:
    """One process with a profile of its own and one page.

    Args:
        command: the browser's.
        profile: a folder that is made, and removed in the end.
    """

    def __init__(self, command, profile):
        self._profile = pathlib.Path(profile)
        self._process = subprocess.Popen(
            [command, *FLAGS, f"--user-data-dir={profile}", "about:blank"],
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True,
        )
        self._calls = 0
        self._stream = None
        try:
            port = wait_for(self._read_port)
            self._stream = fastws.Dialer(timeout=TIMEOUT).dial(wait_for(lambda: self._find_page(port)))
        except BaseException:
            self.close()
            raise

    def _read_port(self):
        """The port of the DevTools, once the browser has written it down."""
        assert self._process.poll() is None, f"the browser ended with {self._process.poll()}"
        try:
            return (self._profile / "DevToolsActivePort").read_text().partition("\n")[0]
        except FileNotFoundError:
            return None

    def _find_page(self, port):
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/json/list", timeout=TIMEOUT) as response:
            pages = json.load(response)
        return next((page["webSocketDebuggerUrl"] for page in pages if page["type"] == "page"), None)

    def _call(self, method, **parameters):
        self._calls += 1
        self._stream.send(json.dumps({"id": self._calls, "method": method, "params": parameters}))
        for message in self._stream:
            answer = json.loads(message)
            if answer.get("id") == self._calls:
                return answer["result"]
        raise AssertionError("the browser has gone")

    def open(self, url):
        """Opens a page."""
        assert "errorText" not in self._call("Page.navigate", url=url)
        wait_for(lambda: self.run("document.readyState") == "complete" and self.run("location.href") == url)

    def run(self, script):
        """Runs a script in the page, and returns its value."""
        answer = self._call("Runtime.evaluate", expression=script, returnByValue=True)
        assert "exceptionDetails" not in answer, answer
        return answer["result"].get("value")

    def close(self):
        if self._stream is not None:
            self._stream.io.close()
        try:  # its helpers are in its session; it may have ended by itself
            os.killpg(self._process.pid, signal.SIGKILL)
        except ProcessLookupError:
            pass
        self._process.wait(TIMEOUT)
        shutil.rmtree(self._profile, ignore_errors=True)
