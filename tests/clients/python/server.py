"""Starts an example program, and speaks to it below the level of any WebSocket library."""

import json
import os
import socket
import struct
import subprocess
import time
import urllib.request


def until(condition, what, seconds=10.0):
    """Waits until `condition` holds; fails, saying `what`, when it does not in time."""
    deadline = time.monotonic() + seconds
    while not (value := condition()):
        if time.monotonic() > deadline:
            told = what() if callable(what) else what
            raise AssertionError(f"waited {seconds} s for {told}")
        time.sleep(0.005)
    return value


class Server:
    """A running example program; `with` ends it."""

    def __init__(self, variable, *flags):
        if variable not in os.environ:
            raise RuntimeError(f"{variable} must name the program to test")
        command = [os.environ[variable], "--listen", "127.0.0.1:0", *map(str, flags)]
        environment = {k: v for k, v in os.environ.items() if k != "SWITCHBOARD_SECRET"}
        # What it logs is not looked at here, and must not fill a pipe.
        self.process = subprocess.Popen(
            command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, env=environment
        )
        line = self.process.stdout.readline()
        prefix = "listening on 127.0.0.1:"
        if not line.startswith(prefix):
            raise AssertionError(f"{command} said {line!r}, status {self.process.wait(5)}")
        self.port = int(line[len(prefix) :])
        self.host = f"127.0.0.1:{self.port}"

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.kill()
        self.process.wait()
        self.process.stdout.close()

    def url(self, path):
        return f"ws://{self.host}{path}"

    def stats(self):
        with urllib.request.urlopen(f"http://{self.host}/stats.json", timeout=10) as answer:
            return json.load(answer)

    def reaches(self, **expected):
        """Waits until the statistics are as expected."""
        return until(
            lambda: expected.items() <= self.stats().items(), lambda: f"{expected}: {self.stats()}"
        )

    def is_empty(self):
        """Waits until nothing of any client is left."""
        return self.reaches(
            total_connections=0, active_rooms=0, users=0, pending_handshakes=0, closing=0, queued_bytes=0
        )

    def connect(self):
        return Wire(socket.create_connection(("127.0.0.1", self.port), timeout=10))


def chat(*flags):
    return Server("SWITCHBOARD_CHAT", *flags)


def echo(*flags):
    return Server("SWITCHBOARD_ECHO", *flags)


KEY = "dGhlIHNhbXBsZSBub25jZQ=="

HEADERS = {
    "Host": "server.example.com",
    "Upgrade": "websocket",
    "Connection": "Upgrade",
    "Sec-WebSocket-Version": "13",
    "Sec-WebSocket-Key": KEY,
}


def request(path="/ws?token=ann", method="GET", version="HTTP/1.1", lines=(), **replaced):
    """The bytes of an upgrade request. `replaced` are lines in place of a header, by its name with
    underscores; `lines` are added."""
    fields = []
    for name, value in HEADERS.items():
        fields += replaced.pop(name.replace("-", "_"), [f"{name}: {value}"])
    assert not replaced, replaced
    head = [f"{method} {path} {version}", *fields, *lines, "", ""]
    return "\r\n".join(head).encode("latin-1")


TEXT, BINARY, CLOSE, PING, PONG, CONTINUATION = 1, 2, 8, 9, 10, 0
MASK = b"\x37\xfa\x21\x3d"


def frame(opcode, payload=b"", fin=True, rsv=0, masked=True, declared=None, form=None):
    """One frame of a client; anything about it can be made wrong."""
    length = len(payload) if declared is None else declared
    form = form or (7 if length < 126 else 16 if length < 65536 else 64)
    head = bytes([(0x80 if fin else 0) | rsv << 4 | opcode])
    bit = 0x80 if masked else 0
    if form == 7:
        head += bytes([bit | length])
    elif form == 16:
        head += bytes([bit | 126]) + struct.pack(">H", length)
    else:
        head += bytes([bit | 127]) + struct.pack(">Q", length)
    if not masked:
        return head + payload
    key = int.from_bytes(MASK * (len(payload) // 4 + 1))
    size = 4 * (len(payload) // 4 + 1)
    mixed = (int.from_bytes(payload.ljust(size, b"\0")) ^ key).to_bytes(size)[: len(payload)]
    return head + MASK + mixed


class Wire:
    """A plain TCP connection that reads HTTP and frames by hand."""

    def __init__(self, connection):
        self.socket = connection
        self.buffer = b""

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.socket.close()

    def send(self, data):
        self.socket.sendall(data)

    def _fill(self):
        data = self.socket.recv(65536)
        self.buffer += data
        return bool(data)

    def _take(self, count):
        while len(self.buffer) < count:
            if not self._fill():
                raise EOFError(f"the end, after {self.buffer!r}")
        taken, self.buffer = self.buffer[:count], self.buffer[count:]
        return taken

    def response(self):
        """The status and the headers of an HTTP answer, names in lower case."""
        while b"\r\n\r\n" not in self.buffer:
            if not self._fill():
                raise EOFError(f"no answer, only {self.buffer!r}")
        head, self.buffer = self.buffer.split(b"\r\n\r\n", 1)
        first, *lines = head.decode("latin-1").split("\r\n")
        headers = dict(line.split(": ", 1) for line in lines)
        return int(first.split(" ")[1]), {name.lower(): it for name, it in headers.items()}

    def rest(self):
        """Everything up to the end of the stream; a reset is an error."""
        while self._fill():
            pass
        return self.buffer

    def frame(self):
        """The opcode and the payload of the next frame."""
        first, second = self._take(2)
        assert first & 0xF0 == 0x80, f"one whole frame without reserved bits, not {first:#x}"
        assert second & 0x80 == 0, "a server does not mask"
        length = second
        if length == 126:
            (length,) = struct.unpack(">H", self._take(2))
        elif length == 127:
            (length,) = struct.unpack(">Q", self._take(8))
        return first & 0x0F, self._take(length)

    def close_frame(self):
        """The code and the reason of the Close that comes, after whatever comes before it."""
        while True:
            opcode, payload = self.frame()
            if opcode == CLOSE:
                if not payload:
                    return None, ""
                return struct.unpack(">H", payload[:2])[0], payload[2:].decode()

    def upgraded(self, path="/ws?token=ann"):
        """Upgrades and gives itself back."""
        self.send(request(path))
        status, _ = self.response()
        assert status == 101, status
        return self
