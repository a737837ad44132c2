# SPDX-License-Identifier: MIT
"""Every code block of the documents works: C is compiled and run, Python is run, CMake finds, commands exist."""

import base64
import hashlib
import os
import re
import shlex
import shutil
import socket
import struct
import subprocess
import sys
import time

import checkout
import documents
import pytest

TREE = checkout.text_files()
BLOCKS = [
    pytest.param(language, text, id=f"{path}:{line}")
    for path, page in sorted(documents.documents(TREE).items())
    for line, language, text in documents.blocks(page)
]
# Commands that a reader has, or gets with scripts/setup.
COMMANDS = {"cc", "cmake", "ctest", "ldconfig", "pip"}

C_FLAGS = "-std=c11 -Wall -Wextra -Wpedantic -Werror".split()

# What the README leaves out: a listener, and a thread for each client.
LISTENER = """
#include <netinet/in.h>
#include <pthread.h>
#include <stdio.h>
#include <stdint.h>

static struct fastws_conn_config config;

static void *run(void *fd) {
    echo((int)(intptr_t)fd, &config);
    return NULL;
}

int main(void) {
    struct sockaddr_in address = {.sin_family = AF_INET};
    socklen_t len = sizeof address;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    fastws_conn_config_init(&config, FASTWS_ROLE_SERVER);
    int listener = socket(AF_INET, SOCK_STREAM, 0);
    if (bind(listener, (struct sockaddr *)&address, len) != 0 || listen(listener, 64) != 0) return 1;
    if (getsockname(listener, (struct sockaddr *)&address, &len) != 0) return 1;
    printf("%d\\n", ntohs(address.sin_port));
    fflush(stdout);
    for (;;) {
        pthread_t thread;
        if (pthread_create(&thread, NULL, run, (void *)(intptr_t)accept(listener, NULL, NULL)) != 0) return 1;
        pthread_detach(thread);
    }
}
"""

# Copying from a stream to itself is an echo.
COPYING_ECHO = """
void echo(int fd, const struct fastws_conn_config *config) {
    struct fastws_io io;
    struct fastws_stream *stream;
    fastws_io_from_fd(&io, fd);
    if (fastws_stream_accept(&io, NULL, config, 10000, &stream) != 0) { io.close(io.ctx); return; }
    (void)copy(stream, stream);
    fastws_stream_close(stream, FASTWS_CLOSE_NORMAL_CLOSURE, NULL, 0);
    fastws_stream_free(stream);
}
"""


def compile_c(folder, text):
    """Compiles C as a user of the library does. Returns the program."""
    library = checkout.find_library().resolve()
    source, program = folder / "block.c", folder / "block"
    source.write_text(text)
    arguments = [
        f"-I{checkout.ROOT / 'include'}",
        source,
        "-o",
        program,
        library,
        f"-Wl,-rpath,{library.parent}",
        "-pthread",
    ]
    compiler = shlex.split(os.environ.get("CC", "cc"))
    done = subprocess.run([*compiler, *C_FLAGS, *map(str, arguments)], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return program


def generate(folder, text):
    """Runs CMake on a project of one program that has fastws installed, and inside of it."""
    install = ["cmake", "--install", checkout.find_library().resolve().parent, "--prefix", folder / "prefix"]
    subprocess.run(install, check=True, stdout=subprocess.DEVNULL)
    (folder / "fastws").symlink_to(checkout.ROOT)
    shutil.copy(checkout.ROOT / "tests/install/program.c", folder)
    head = "cmake_minimum_required(VERSION 3.21)\nproject(app LANGUAGES C)\nadd_executable(app program.c)\n"
    (folder / "CMakeLists.txt").write_text(head + text)
    configure = ["cmake", "-S", folder, "-B", folder / "build", f"-DCMAKE_PREFIX_PATH={folder / 'prefix'}"]
    done = subprocess.run(configure, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


def complete(text):
    """A C block as a program: a function gets the listener that it is for, statements get a main() around them."""
    if re.search(r"^int main\(", text, re.MULTILINE):
        return text
    if re.search(r"^int copy\(struct fastws_stream \*from, ", text, re.MULTILINE):
        text += COPYING_ECHO
    if re.search(r"^void echo\(int fd, ", text, re.MULTILINE):
        return text + LISTENER
    lines = text.split("\n")
    includes = [line for line in lines if line.startswith("#include")]
    body = [line for line in lines if not line.startswith("#include")]
    return "\n".join([*includes, "int main(void) {", *body, "return 0;", "}", ""])


def sh_problems(tree, text):
    """Commands that are not there, and options that their scripts do not know."""
    for line in text.replace("\\\n", "").replace("&&", "\n").split("\n"):
        words = [word for word in shlex.split(line, comments=True)]
        while words and re.fullmatch(r"[A-Z_]+=.*", words[0]):
            words.pop(0)
        if not words:
            continue
        command = words[0]
        if command.startswith("scripts/"):
            if command not in tree:
                yield f"there is no {command}"
                continue
            known = tree[command] + "".join(checkout.select(tree, rf"scripts/lib/{command[8:]}\.\w+").values())
            for option in words[1:]:
                if option.startswith("-") and option not in known:
                    yield f"{command} knows no {option}"
        elif command not in COMMANDS:
            yield f"nobody promises a command {command}"
        for word in words[1:]:
            if word.startswith(("examples/", "tests/", "src/", "simd/")) and word not in tree:
                yield f"there is no {word}"
    for name in re.findall(r"-D(\w+)=", text):
        if name.startswith("FASTWS_") and name not in tree["CMakeLists.txt"]:
            yield f"the build knows no {name}"


class Client:
    """A WebSocket client of a few lines, so that no library vouches for another."""

    def __init__(self, port):
        self.socket = socket.create_connection(("127.0.0.1", port), timeout=20)
        self.file = self.socket.makefile("rb")

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.file.close()
        self.socket.close()

    def upgrade(self):
        key = base64.b64encode(os.urandom(16))
        self.socket.sendall(
            b"GET / HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: " + key + b"\r\n\r\n"
        )
        head = b"".join(iter(lambda: self.file.readline(), b"\r\n"))
        assert head.startswith(b"HTTP/1.1 101 "), head
        accept = base64.b64encode(hashlib.sha1(key + b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11").digest())
        assert accept in head

    def send(self, opcode, payload):
        """One masked frame, FIN set."""
        key = os.urandom(4)
        size = struct.pack("!B", 0x80 | len(payload)) if len(payload) < 126 else struct.pack("!BH", 0xFE, len(payload))
        masked = bytes(byte ^ key[i % 4] for i, byte in enumerate(payload))
        self.socket.sendall(bytes([0x80 | opcode]) + size + key + masked)

    def receive(self):
        """One message, maybe in fragments: the first byte that it has in one frame, and its payload."""
        first, payload = self.receive_frame()
        opcode, fin = first & 0x7F, first & 0x80
        while not fin:
            first, more = self.receive_frame()
            assert first & 0x7F == 0
            payload, fin = payload + more, first & 0x80
        return 0x80 | opcode, payload

    def receive_frame(self):
        """One unmasked frame: its first byte and its payload."""
        first, size = self.file.read(2)
        if size == 126:
            (size,) = struct.unpack("!H", self.file.read(2))
        return first, self.file.read(size)

    def answer_to_garbage(self):
        self.socket.sendall(b"garbage\r\n\r\n")
        return self.file.read()


def check_echo_server(port):
    """Echoes text, binary and a longer message, and outlives a client that talks garbage and one that just leaves."""
    with Client(port) as bad, Client(port) as gone:
        assert bad.answer_to_garbage().startswith(b"HTTP/1.1 400 ")
        gone.upgrade()
    with Client(port) as client:
        client.upgrade()
        for opcode, payload in ((1, "grüß dich".encode()), (2, b"\x00\xff"), (2, bytes(range(256)) * 100), (1, b"")):
            client.send(opcode, payload)
            assert client.receive() == (0x80 | opcode, payload)
        client.send(8, b"\x03\xe8")
        assert client.receive() == (0x88, b"\x03\xe8")
        assert client.file.read() == b""


def free_port():
    with socket.create_server(("127.0.0.1", 0)) as probe:
        return probe.getsockname()[1]


def wait_for(port, process):
    """Until somebody listens."""
    for _ in range(200):
        assert process.poll() is None, "the server has ended"
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
            return
        except OSError:
            time.sleep(0.05)
    raise AssertionError("nobody listens")


class Process(subprocess.Popen):
    """A server that ends with its test."""

    def __exit__(self, *arguments):
        self.kill()
        super().__exit__(*arguments)


@pytest.mark.parametrize("language, text", BLOCKS)
def test_block(language, text, tmp_path):
    if language == "c":
        text = complete(text)
        program = compile_c(tmp_path, text)
        if "fastws_loop_run(" in text:
            port = free_port()
            assert text.count("9001") == 1
            with Process([compile_c(tmp_path, text.replace("9001", str(port)))]) as process:
                wait_for(port, process)
                check_echo_server(port)
        elif "void echo(int fd" in text:
            with Process([program], stdout=subprocess.PIPE, text=True) as process:
                check_echo_server(int(process.stdout.readline()))
        else:
            subprocess.run([program], check=True, timeout=60)
    elif language == "python":
        if "serve_forever" in text:
            port = free_port()
            assert text.count("9001") == 1
            with Process([sys.executable, "-c", text.replace("9001", str(port))], stderr=subprocess.DEVNULL) as process:
                wait_for(port, process)
                check_echo_server(port)
        else:
            subprocess.run([sys.executable, "-c", text], check=True, timeout=60)
    elif language == "cmake":
        generate(tmp_path, text)
    elif language == "sh":
        assert list(sh_problems(TREE, text)) == []
    else:
        assert language == "text", "a block without a language that a test knows"


def test_the_readme_shows_the_servers():
    blocks = [(language, text) for _, language, text in documents.blocks(TREE["README.md"])]
    assert sum(language == "c" and "fastws_loop_run(" in text for language, text in blocks) == 1
    assert sum(language == "c" and "void echo(int fd" in text for language, text in blocks) == 1
    assert sum(language == "python" and "serve_forever" in text for language, text in blocks) == 2


def test_the_floors_of_the_architecture_page_are_those_of_the_lint():
    """Each concept stands in the row of its floor, or is one that comes later."""
    import test_floors

    rows = {row[3][0]: row[3][1] for row in documents.tables(TREE["docs/architecture.md"]) if row[2][0] == "Floor"}
    written = {
        name: int(floor)
        for floor, who in rows.items()
        for name in re.findall(r"`(\w+)(?:\.h)?`", who)
        if name in test_floors.FLOOR_OF
    }
    assert len(written) > 20
    assert {name: test_floors.FLOOR_OF[name] for name in written} == written
    there = {
        test_floors.concept_of(path) for path in checkout.select(TREE, r"(?:include/fastws|src|src/net)/\w+\.[ch]")
    }
    assert sorted(there - set(written)) == []


HOUSE = {"scripts/bench": "--json --filter", "CMakeLists.txt": "option(FASTWS_BUILD_TESTS)"}


def test_sound_commands_have_no_problem():
    text = "scripts/bench --filter '^mask'  # all of them\nFASTWS_ISA=sse2 scripts/bench\n"
    text += "cmake -DFASTWS_BUILD_TESTS=OFF && pip install .\n"
    assert list(sh_problems(HOUSE, text)) == []


@pytest.mark.parametrize(
    "text",
    ["scripts/none", "scripts/bench --none", "make", "cmake . && make", "cmake -DFASTWS_NONE=ON", "cc examples/none.c"],
)
def test_a_command_that_does_not_exist_is_found(text):
    assert list(sh_problems(HOUSE, text)) != []


def test_a_block_that_does_not_compile_is_found(tmp_path):
    with pytest.raises(AssertionError, match="fastws_none"):
        compile_c(tmp_path, complete("#include <fastws/fastws.h>\nfastws_none();\n"))


def test_a_target_that_does_not_exist_is_found(tmp_path):
    with pytest.raises(AssertionError, match="fastws::none"):
        generate(tmp_path, "find_package(fastws REQUIRED)\ntarget_link_libraries(app PRIVATE fastws::none)\n")


def test_a_server_that_does_not_echo_is_found():
    with socket.create_server(("127.0.0.1", 0)) as silent:
        port = silent.getsockname()[1]
        silent.settimeout(20)
        with Client(port) as client:
            accepted, _ = silent.accept()
            accepted.sendall(b"HTTP/1.1 200 OK\r\n\r\n")
            with pytest.raises(AssertionError):
                client.upgrade()
            accepted.close()
