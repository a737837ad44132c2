# SPDX-License-Identifier: MIT
"""A client for the fuzzing server of the Autobahn test suite: python autobahn_client.py [--agent NAME] URL

Runs every case that the server has: connects, echoes what comes until the server closes, and goes on with the next one.
In the end it has the server write its report. URL is that of the server, such as ws://127.0.0.1:9001.
"""

import argparse

import fastws


def echo(stream: fastws.Stream) -> None:
    """Sends back what comes until the connection ends, however it does: that is for the server to judge."""
    try:
        with stream:
            while True:
                stream.write_message(*stream.read_data())
    except fastws.ConnectionClosed:
        pass


def main() -> None:
    parser = argparse.ArgumentParser(description="Runs the cases of Autobahn's fuzzing server.")
    parser.add_argument("--agent", default="fastws", help="name of the client in the report (default: %(default)s)")
    parser.add_argument("url", help="of the server, such as ws://127.0.0.1:9001")
    arguments = parser.parse_args()
    dialer = fastws.Dialer(compression="deflate")
    with dialer.dial(f"{arguments.url}/getCaseCount") as stream:
        count = int(stream.recv())
    for case in range(1, count + 1):
        echo(dialer.dial(f"{arguments.url}/runCase?case={case}&agent={arguments.agent}"))
    echo(dialer.dial(f"{arguments.url}/updateReports?agent={arguments.agent}"))
    print(f"{count} cases")


if __name__ == "__main__":
    main()
