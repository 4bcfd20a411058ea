"""A megabyte of input that the server has not read does not turn its last word into a reset."""

import unittest

from server import BINARY, TEXT, chat, echo, frame, request

MIB = 1 << 20
ROUNDS = 10


def push(wire, data):
    """Sends as much as the other side lets in; reads nothing."""
    try:
        wire.send(data)
    except OSError:
        # It may have closed by now. What it said before is there to be read.
        pass


def each(server):
    """A new connection for each round: what is tested here is a race."""
    for _ in range(ROUNDS):
        with server.connect() as wire:
            yield wire


class Unread(unittest.TestCase):
    def test_a_refused_request_reads_its_status(self):
        with chat() as server:
            bad = request(Sec_WebSocket_Version=["Sec-WebSocket-Version: 8"])
            for wire in each(server):
                push(wire, bad + b"x" * MIB)
                self.assertEqual(wire.response()[0], 426)

    def test_a_client_refused_by_close_reads_its_close(self):
        with chat("--secret", "s") as server:
            for wire in each(server):
                wire.upgraded("/ws?token=bad")
                push(wire, frame(TEXT, b"x" * 60_000) * 17)
                self.assertEqual(wire.close_frame(), (4001, "unauthorized"))

    def test_a_protocol_error_reads_its_close(self):
        with chat("--rate", 0) as server:
            for wire in each(server):
                wire.upgraded("/ws?token=ann")
                push(wire, frame(TEXT, b"x", masked=False) + b"y" * MIB)
                self.assertEqual(wire.close_frame(), (1002, "protocol_error"))

    def test_a_message_over_the_limit_reads_its_close(self):
        with chat("--rate", 0) as server:
            for wire in each(server):
                wire.upgraded("/ws?token=ann")
                push(wire, frame(TEXT, b"x" * MIB))
                self.assertEqual(wire.close_frame(), (1009, "too_big"))

    def test_a_message_over_the_limit_of_echo_reads_its_close(self):
        with echo() as server:
            for wire in each(server):
                wire.upgraded("/")
                push(wire, frame(BINARY, b"x" * MIB, declared=16 * MIB + 1))
                self.assertEqual(wire.close_frame()[0], 1009)

    def test_a_full_server_tells_who_writes_on(self):
        with chat("--max-connections", 1, "--max-per-ip", 99) as server, server.connect() as first:
            first.upgraded("/ws?token=first")
            server.reaches(total_connections=1)
            for wire in each(server):
                wire.upgraded("/ws?token=second")
                push(wire, frame(TEXT, b"x" * 60_000) * 17)
                self.assertEqual(wire.close_frame(), (4002, "server_full"))


if __name__ == "__main__":
    unittest.main()
