# SPDX-License-Identifier: MIT
"""Stream over ssl.SSLSocket: also with one thread that reads and another that sends."""

import socket
import ssl
import time
import tracemalloc

import pytest

import fastws
from fastws import Reader, Stream, Writer


@pytest.fixture
def tls(sockets, tls_contexts, in_thread):
    """A server and a client, as sockets."""
    wrapped = in_thread(lambda: tls_contexts[0].wrap_socket(sockets[0], server_side=True))
    with tls_contexts[1].wrap_socket(sockets[1]) as theirs, wrapped() as ours:
        yield ours, theirs


def test_messages_both_ways(tls, in_thread):
    server, client = Stream(tls[0]), Stream(tls[1], "client")

    def echo():
        for message in server:
            server.send(message)
        server.close()

    echoed = in_thread(echo)
    for message in ("Hello", bytes(100000), "x" * 16384, b""):
        client.send(message)
        assert client.recv() == message
    with pytest.raises(TimeoutError):
        client.recv(timeout=0.02)
    client.close()
    echoed()


def test_two_threads_share_each_end(tls, in_thread):
    """Both ends send more than fits between them before either reads: whoever sends must not keep the reader out."""
    ends = Stream(tls[0], ping_timeout=None), Stream(tls[1], "client", ping_timeout=None)
    messages = [bytes([i % 256]) * (i * 3331 % 70000) for i in range(150)]

    def send(stream):
        for message in messages:
            stream.send(message)

    def read(stream):
        return [stream.recv() for _ in messages]

    sending = [in_thread(send, end) for end in ends]
    time.sleep(0.2)
    reading = [in_thread(read, end) for end in ends]
    for finish in sending:
        finish(60)
    for finish in reading:
        assert finish(60) == messages


def test_a_reader_and_a_writer_share_each_end(tls, in_thread):
    server, client = Stream(tls[0]), Stream(tls[1], "client")
    payload = bytes(range(256)) * 20000

    def echo():
        reader, writer = Reader(server), Writer(server)
        for header in reader:
            writer.reset(header.opcode)
            writer.read_from(reader)
            writer.flush()
        server.close()

    echoed, received = in_thread(echo), in_thread(client.recv)
    with Writer(client, 2, 60000) as writer:
        writer.write(payload)
    assert received(60) == payload
    client.close()
    echoed()


def test_half_a_record_keeps_nobody_from_sending(sockets, tls_contexts, in_thread):
    """A peer that stops inside a TLS record blocks reading alone."""
    middle, outside = socket.socketpair()
    with middle, outside:
        ours, theirs = sockets
        wrapped = in_thread(lambda: tls_contexts[0].wrap_socket(ours, server_side=True))

        def relay(source, dest):
            while data := source.recv(65536):
                dest.sendall(data)

        relays = [in_thread(relay, theirs, middle), in_thread(relay, middle, theirs)]
        with tls_contexts[1].wrap_socket(outside) as client, wrapped() as server:
            stream = Stream(server, ping_interval=None)
            client.send(fastws.compile_frame(2, b"whole", mask=b"abcd"))
            assert stream.recv() == b"whole"
            received = in_thread(lambda: stream.recv(timeout=0.5))
            # The header of a record of 256 bytes, and 100 of them.
            theirs.sendall(b"\x17\x03\x03\x01\x00" + bytes(100))
            time.sleep(0.1)
            started = time.monotonic()
            stream.send(b"not held back")
            assert time.monotonic() - started < 0.3
            with pytest.raises(TimeoutError):
                received()
            assert client.recv(1000) == fastws.compile_frame(2, b"not held back")
        outside.close()
        middle.close()
        theirs.close()
        for finish in relays:
            try:
                finish()
            except OSError:
                pass


def test_a_cork_while_another_thread_reads(tls, in_thread):
    server, client = Stream(tls[0]), Stream(tls[1], "client")
    received = in_thread(lambda: [client.recv() for _ in range(600)])
    echoed = in_thread(lambda: [server.recv() for _ in range(300)])
    sent = in_thread(lambda: [client.send(bytes([i % 256]) * i) for i in range(300)])
    for i in range(20):
        with server.cork():
            for j in range(30):
                server.send(f"{i} {j}")
    assert received() == [f"{i} {j}" for i in range(20) for j in range(30)]
    sent()
    assert echoed() == [bytes([i % 256]) * i for i in range(300)]


def test_reset_from_and_to_tls(tls, Scripted, masked_frame):
    stream = Stream(tls[0])
    stream.send("one")
    assert tls[1].recv(100) == fastws.compile_frame(1, "one")
    stream.reset(Scripted(masked_frame(1, b"two")))
    assert stream.recv() == "two" and tls[0].fileno() == -1
    stream = Stream(Scripted(), "client")
    stream.reset(tls[1])
    with pytest.raises(fastws.ConnectionClosedError):
        stream.recv()


def test_the_timeout_of_the_socket_is_kept(tls):
    tls[0].settimeout(0.05)
    stream = Stream(tls[0])
    with pytest.raises(TimeoutError):
        stream.recv()
    tls[0].settimeout(0.1)
    started = time.monotonic()
    with pytest.raises(TimeoutError):
        stream.recv()
    assert time.monotonic() - started >= 0.09


def test_a_peer_that_does_not_read_is_given_up(tls):
    stream = Stream(tls[0], ping_timeout=0.2)
    with pytest.raises(fastws.ConnectionClosedError) as info:
        stream.send(bytes(16 << 20))
    assert isinstance(info.value.__cause__.__cause__ or info.value.__cause__, (TimeoutError, fastws.ConnectionLost))


def test_an_end_without_a_close_is_reported(tls):
    stream = Stream(tls[0])
    tls[1].close()
    with pytest.raises(fastws.ConnectionClosedError):
        stream.recv()
    with pytest.raises(fastws.ConnectionClosedError):
        for _ in range(10):
            stream.send(b"x" * 100000)


def test_a_socket_whose_methods_call_back_is_refused(tls_contexts, sockets, in_thread):
    class Calls(ssl.SSLSocket):
        stream = None

        def send(self, data, flags=0):
            if self.stream is not None:
                with pytest.raises(fastws.ConcurrencyError):
                    self.stream.send(b"inner")
                with pytest.raises(fastws.ConcurrencyError):
                    self.stream.recv()
            return super().send(data, flags)

    tls_contexts[0].sslsocket_class = Calls
    try:
        wrapped = in_thread(lambda: tls_contexts[0].wrap_socket(sockets[0], server_side=True))
        with tls_contexts[1].wrap_socket(sockets[1]) as theirs, wrapped() as ours:
            ours.stream = Stream(ours)
            ours.stream.send(b"outer")
            assert theirs.recv(100) == fastws.compile_frame(2, b"outer")
            ours.stream = None
    finally:
        tls_contexts[0].sslsocket_class = ssl.SSLSocket


def test_the_close_frame_is_not_lost_in_a_reset(tls_contexts, in_thread, masked_frame):
    """A peer that is told of its error may have sent more: closing under that would reset the connection."""
    with socket.create_server(("127.0.0.1", 0)) as listener, socket.create_connection(listener.getsockname()) as plain:
        accepted, _ = listener.accept()
        wrapped = in_thread(lambda: tls_contexts[0].wrap_socket(accepted, server_side=True))
        with tls_contexts[1].wrap_socket(plain) as theirs, wrapped() as ours:
            stream = Stream(ours)
            theirs.sendall(masked_frame(3) + bytes(1 << 17))

            def serve():
                with pytest.raises(fastws.ConnectionClosedError):
                    stream.recv()
                stream.close()

            served = in_thread(serve)
            time.sleep(0.3)
            assert theirs.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR) == 0  # it used to be ECONNRESET
            frame = theirs.recv(200)
            assert (frame[0], frame[2:4]) == (0x88, b"\x03\xea")
            theirs.close()
            served()


def test_a_silent_connection_holds_no_memory_to_read_into(tls):
    stream = Stream(tls[0])
    tls[1].sendall(fastws.compile_frame(1, "x", mask=b"abcd"))
    tracemalloc.start()
    try:
        assert stream.recv() == "x"
        with pytest.raises(TimeoutError):
            stream.recv(timeout=0.05)
        assert tracemalloc.get_traced_memory()[0] < 32768
    finally:
        tracemalloc.stop()


def test_a_write_that_waits_for_bytes_of_the_peer_keeps_its_deadline(tls_contexts, sockets, in_thread, masked_frame):
    """As in a renegotiation that the peer never ends. It used to spin while there was something to read."""

    class Renegotiates(ssl.SSLSocket):
        is_stuck = False

        def send(self, data, flags=0):
            if self.is_stuck:
                raise ssl.SSLWantReadError
            return super().send(data, flags)

    tls_contexts[0].sslsocket_class = Renegotiates
    try:
        wrapped = in_thread(lambda: tls_contexts[0].wrap_socket(sockets[0], server_side=True))
        with tls_contexts[1].wrap_socket(sockets[1]) as theirs, wrapped() as ours:
            stream = Stream(ours, ping_interval=None, ping_timeout=0.6)
            theirs.sendall(masked_frame(9, b"ping") * 50)
            ours.is_stuck = True
            used = time.process_time()
            with pytest.raises(TimeoutError):
                stream.recv(timeout=0.5)
            assert stream.queued > 0
            started = time.monotonic()
            with pytest.raises(fastws.ConnectionClosedError):
                stream.send("x")
            assert 0.5 < time.monotonic() - started < 3
            assert time.process_time() - used < 0.3
    finally:
        tls_contexts[0].sslsocket_class = ssl.SSLSocket
