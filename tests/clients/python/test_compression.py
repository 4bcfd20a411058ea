"""Compressed messages, by PyPI's websockets."""

import json
import os
import unittest

from websockets.extensions.permessage_deflate import ClientPerMessageDeflateFactory
from websockets.sync.client import connect

from server import chat, echo


def words(length):
    return ("how now brown cow " * (length // 18 + 1))[:length]


class Compression(unittest.TestCase):
    def member(self, server, name, **options):
        socket = self.enterContext(connect(server.url(f"/ws/den?token={name}"), **options))
        self.next(socket, "subscribed")
        return socket

    def next(self, socket, kind):
        while (message := json.loads(socket.recv(timeout=10)))["type"] != kind:
            pass
        return message

    def test_members_with_and_without_compression_get_the_same_messages(self):
        flags = ["--compress", "on", "--rate", 0, "--users", "allow:9"]
        with chat(*flags) as server:
            small = ClientPerMessageDeflateFactory(server_max_window_bits=10)
            members = [
                self.member(server, "ann", compression=None),
                self.member(server, "bob", compression="deflate"),
                self.member(server, "cy", compression=None, extensions=[small]),
            ]
            for number in range(1, 121):
                content = words(300 + 40 * number)
                message = {"type": "message", "content": content, "echo": True}
                members[number % 3].send(json.dumps(message))
                got = [self.next(member, "message") for member in members]
                self.assertEqual((got[0]["seq"], got[0]["content"]), (number, content))
                self.assertEqual(got[1:], [got[0], got[0]])
            stats = server.stats()["compressed"]
            self.assertEqual(stats["connections"], 2)
            self.assertGreater(stats["messages"], 100)
            self.assertLess(stats["bytes_out"], stats["bytes_in"] / 4)

    def test_clients_that_keep_their_window_read_short_lines_in_their_context(self):
        flags = ["--compress", "on", "--room-contexts", 4, "--on-join", 0, "--rate", 0, "--users", "allow:9"]
        with chat(*flags) as server:
            large = ClientPerMessageDeflateFactory()
            members = [
                self.member(server, "ann", compression=None),
                self.member(server, "bob", compression="deflate"),
                self.member(server, "cy", compression=None, extensions=[large]),
            ]
            for number in range(1, 301):
                if number == 100:
                    members.append(self.member(server, "dee", compression="deflate"))
                content = f"line {number}: the {number % 7}. build is done, who looks at it?"
                if number % 50 == 0:
                    content = words(100 * number)
                message = {"type": "message", "content": content, "echo": number < 200}
                sender = members[number % len(members)]
                sender.send(json.dumps(message))
                for member in members:
                    if member is not sender or number < 200:
                        got = self.next(member, "message")
                        self.assertEqual((got["seq"], got["content"]), (number, content))
                if number == 199:
                    # All get all, so every line is in the context; the three long messages are not.
                    stats = server.stats()["contexts"]
                    self.assertEqual((stats["rooms"], stats["messages"]), (1, 196))
            stats = server.stats()["contexts"]
            # Of the 98 lines after that, the 18 that nobody in step gets are left out.
            self.assertEqual((stats["rooms"], stats["messages"]), (1, 276))
            self.assertLess(stats["bytes_out"], stats["bytes_in"] / 2)

    def test_messages_of_any_size_come_back(self):
        with echo("--compress", "on") as server:
            client = self.enterContext(connect(server.url("/"), max_size=None))
            for length in [0, 1, 511, 512, 65_535, 65_536, 1 << 20]:
                noise = os.urandom(length)
                for message in [words(length), words(length).encode(), noise, noise.hex()]:
                    client.send(message)
                    self.assertTrue(client.recv(timeout=10) == message, length)


if __name__ == "__main__":
    unittest.main()
