"""The README's calls of the HTTP API, as printed."""

import contextlib
import io
import json
import os
import pathlib
import re
import subprocess
import unittest

from server import TEXT, chat, until

README = (pathlib.Path(__file__).parents[3] / "README.md").read_text()
KEY = "s3cret"


class Api(unittest.TestCase):
    def setUp(self):
        os.environ["SWITCHBOARD_API_KEY"] = KEY
        self.server = chat("--api", "127.0.0.1:0")
        self.addCleanup(self.server.__exit__)
        line = self.server.process.stdout.readline()
        prefix = "API listening on "
        self.assertTrue(line.startswith(prefix), line)
        self.address = line[len(prefix) :].strip()
        self.wire = self.server.connect().upgraded("/ws/lobby?token=ann")
        self.addCleanup(self.wire.__exit__)
        self.server.reaches(total_connections=1)

    def example(self, language, first):
        blocks = re.findall(rf"```{language}\n(.*?)```", README, re.DOTALL)
        (block,) = [it for it in blocks if first in it]
        return block.replace("127.0.0.1:8081", self.address)

    def message(self):
        """The next message of the room."""
        return until(self.next_message, "a message")

    def next_message(self):
        opcode, payload = self.wire.frame()
        message = json.loads(payload) if opcode == TEXT else {}
        return message if message.get("type") == "message" else None

    def test_python(self):
        with contextlib.redirect_stdout(io.StringIO()) as printed:
            exec(self.example("python", "urllib"), {})
        self.assertEqual(printed.getvalue(), "1\n")
        message = self.message()
        self.assertEqual((message["content"], message["sender"]), ({"text": "It works"}, "news"))

    def test_curl(self):
        block = self.example("console", "curl")
        _, command, answer = re.split(r"^\$ |\n(?=\{)", block, maxsplit=3, flags=re.MULTILINE)[1:]
        done = subprocess.run(["sh", "-c", command], capture_output=True, text=True, timeout=30)
        self.assertEqual(json.loads(done.stdout), json.loads(answer), done.stderr)
        self.assertEqual(self.message()["content"], {"text": "It works"})


if __name__ == "__main__":
    unittest.main()
