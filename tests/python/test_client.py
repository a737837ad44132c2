# SPDX-License-Identifier: MIT
"""examples/client.py, and the clients for Autobahn beside it: what they print and exit with, also over TLS."""

import shutil
import socket
import ssl
import subprocess
import sys
import threading
import urllib.parse

import pytest
import websockets.sync.server


@pytest.fixture
def run_example(root):
    """Runs an example. Returns its status and what it printed."""

    def run(name, *arguments):
        command = [sys.executable, str(root / "examples" / name), *arguments]
        done = subprocess.run(command, capture_output=True, encoding="utf-8", timeout=60, check=False)
        return done.returncode, done.stdout

    return run


@pytest.fixture
def serve():
    """Runs a handler of the websockets package, over TLS if there is a context. Returns the address."""
    servers = []

    def start(handler, context=None):
        server = websockets.sync.server.serve(handler, "127.0.0.1", 0, ssl=context, compression=None, max_size=None)
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        servers.append((server, thread))
        return f"127.0.0.1:{server.socket.getsockname()[1]}"

    yield start
    for server, thread in servers:
        server.shutdown()
        thread.join(20)


def echo(connection):
    for message in connection:
        connection.send(message)
        if message == "bye":
            return


def test_prints_messages(run_example, serve):
    url = f"ws://{serve(echo)}/"
    assert run_example("client.py", "--send", "Grüße", "--until", "Grüße", url) == (0, "MSG Grüße\n")
    assert run_example("client.py", "--send", "bye", url) == (0, "MSG bye\n")
    status, printed = run_example("client.py", "--send", "bye", "--until", "other", url)
    assert status == 1 and printed == "MSG bye\nERROR the server closed before it sent 'other'\n"


def test_prints_errors(run_example):
    with socket.create_server(("127.0.0.1", 0)) as listener:
        url = f"ws://127.0.0.1:{listener.getsockname()[1]}/"

        def refuse():
            sock, _ = listener.accept()
            with sock:
                sock.recv(4096)
                sock.sendall(b"HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\n\r\n")

        thread = threading.Thread(target=refuse, daemon=True)
        thread.start()
        status, printed = run_example("client.py", url)
        assert status == 1 and printed.startswith("ERROR ") and printed.endswith(": 403 Forbidden\n")
        thread.join(20)
        assert run_example("client.py", "--timeout", "0.2", url) == (1, "ERROR connection was not open in time\n")
    status, printed = run_example("client.py", url)
    assert status == 1 and "refused" in printed
    assert run_example("client.py", "http://h/") == (1, "ERROR URL scheme is not ws or wss\n")
    assert run_example("client.py")[0] == 2


@pytest.mark.skipif(not shutil.which("openssl"), reason="needs the openssl program")
def test_speaks_tls(run_example, serve, tmp_path):
    """The authority of --ca is trusted, and no other."""
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2",
         "-keyout", "key.pem", "-out", "ca.pem", "-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost"],
        cwd=tmp_path, check=True, capture_output=True,
    )
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(tmp_path / "ca.pem", tmp_path / "key.pem")
    url = f"wss://localhost:{serve(echo, context).rpartition(':')[2]}/"
    ca = str(tmp_path / "ca.pem")
    assert run_example("client.py", "--ca", ca, "--send", "a", "--until", "a", url) == (0, "MSG a\n")
    status, printed = run_example("client.py", "--send", "a", url)
    assert status == 1 and "self" in printed and "signed certificate" in printed
    status, printed = run_example("client.py", "--ca", ca, url.replace("localhost", "127.0.0.1"))
    assert status == 1 and "mismatch" in printed.lower()


AUTOBAHN_CLIENTS = ["autobahn_client.py"]
AUTOBAHN_CLIENTS += [f"autobahn_client_asyncio.py --driver {driver}" for driver in ("protocol", "loop")]


@pytest.mark.parametrize("client", AUTOBAHN_CLIENTS)
def test_runs_the_cases_of_a_fuzzing_server(run_example, serve, client):
    """As Autobahn has them: a count, cases that end as they like, and a report."""
    seen = []

    def fuzz(connection):
        path, _, query = connection.request.path.partition("?")
        arguments = urllib.parse.parse_qs(query)
        seen.append((path, arguments.get("case"), arguments.get("agent")))
        if path == "/getCaseCount":
            connection.send("3")
        elif arguments.get("case") == ["1"]:
            connection.send("x" * 70000)
            assert connection.recv() == "x" * 70000
            connection.send(b"\xff")
            assert connection.recv() == b"\xff"
            seen.append("echoed")
        elif arguments.get("case") == ["2"]:
            connection.socket.shutdown(socket.SHUT_RDWR)

    url = f"ws://{serve(fuzz)}"
    assert run_example(*client.split(), "--agent", "it", url) == (0, "3 cases\n")
    assert seen == [
        ("/getCaseCount", None, None),
        ("/runCase", ["1"], ["it"]),
        "echoed",
        ("/runCase", ["2"], ["it"]),
        ("/runCase", ["3"], ["it"]),
        ("/updateReports", None, ["it"]),
    ]
