"""The echo servers, by PyPI's websockets."""

import os
import threading
import unittest

from websockets.exceptions import ConnectionClosed
from websockets.sync.client import connect

from server import echo

MIB = 1 << 20


class Echoes(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.server = cls.enterClassContext(echo())

    def client(self, **options):
        options = {"compression": None, "max_size": 17 * MIB, **options}
        return self.enterContext(connect(self.server.url("/any/path"), **options))

    def test_text_and_binary_come_back(self):
        client = self.client()
        for message in ["", "hello", "😀" * 1000, b"", b"\0\xff", os.urandom(100_000)]:
            client.send(message)
            self.assertEqual(client.recv(timeout=10), message)

    def test_16_mib_come_back(self):
        client = self.client()
        for message in [os.urandom(16 * MIB), "y" * (16 * MIB)]:
            client.send(message)
            self.assertTrue(client.recv(timeout=30) == message)

    def test_fragments_come_back_as_one_message(self):
        client = self.client()
        client.send(["one ", "two ", "three"])
        self.assertEqual(client.recv(timeout=10), "one two three")
        client.send(bytes([n]) for n in range(200))
        self.assertEqual(client.recv(timeout=10), bytes(range(200)))

    def test_pings_are_answered_with_their_payload(self):
        client = self.client()
        for payload in [b"", b"x" * 125]:
            self.assertTrue(client.ping(payload).wait(10))

    def test_many_clients_at_once_get_their_own(self):
        wrong = []

        def talk(number):
            with connect(self.server.url("/"), compression=None) as client:
                for round_ in range(200):
                    message = f"{number} {round_}"
                    client.send(message)
                    if (heard := client.recv(timeout=20)) != message:
                        wrong.append((message, heard))

        threads = [threading.Thread(target=talk, args=(number,)) for number in range(20)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        self.assertEqual(wrong, [])

    def test_a_deflate_offer_is_not_taken_up(self):
        client = self.client(compression="deflate")
        self.assertEqual(client.protocol.extensions, [])
        client.send("x" * 1000)
        self.assertEqual(client.recv(timeout=10), "x" * 1000)

    def test_a_close_is_answered_with_its_code(self):
        for code in [1000, 3000, 4999]:
            client = self.client()
            client.close(code, "bye")
            with self.assertRaises(ConnectionClosed) as closed:
                client.recv(timeout=10)
            self.assertEqual(closed.exception.rcvd.code, code)


if __name__ == "__main__":
    unittest.main()
