"""What the handshake takes and what it refuses, with its exact status: rows H1 to H21."""

import time
import unittest

from server import HEADERS, KEY, PING, PONG, chat, frame, request


class Handshakes(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.server = cls.enterClassContext(chat("--rate", 0, "--users", "allow:1000"))

    def tearDown(self):
        # Whatever was sent, nothing of it is left.
        self.server.is_empty()

    def answer(self, data, then=b""):
        """The status and headers of the answer to these bytes, and whether the end follows."""
        with self.server.connect() as wire:
            wire.send(data)
            if then:
                wire.send(then)
            status, headers = wire.response()
            if status != 101:
                options = "close, Upgrade" if status == 426 else "close"
                self.assertEqual(headers.get("connection"), options, data[:80])
                body = wire.rest()
                self.assertEqual(len(body), int(headers["content-length"]), "nothing follows it")
            return status, headers

    def status(self, data, then=b""):
        return self.answer(data, then)[0]

    def assert_status(self, expected, *requests):
        for data in requests:
            with self.subTest(data[:100]):
                self.assertEqual(self.status(data), expected)

    def test_a_legal_request_is_answered_101(self):
        status, headers = self.answer(request())
        self.assertEqual(status, 101)
        self.assertEqual(headers["upgrade"].lower(), "websocket")
        self.assertEqual(headers["connection"].lower(), "upgrade")
        self.assertEqual(headers["sec-websocket-accept"], "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=")
        self.assertNotIn("sec-websocket-extensions", headers)
        self.assertNotIn("sec-websocket-protocol", headers)

    def test_h1_only_get_upgrades(self):
        for method in ["POST", "HEAD", "PUT", "get", "CONNECT"]:
            with self.subTest(method), self.server.connect() as wire:
                wire.send(request(method=method))
                status, headers = wire.response()
                self.assertEqual((status, headers["allow"]), (405, "GET"))

    def test_h2_another_protocol_is_told_from_its_first_line(self):
        self.assert_status(505, b"GET /ws HTTP/1.0\r\n\r\n", b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n")
        self.assert_status(505, b"GET /ws HTTP/2")
        self.assert_status(400, b"\x16\x03\x01\x02\x00\x01", b"\0\0", b"hello\r\n")

    def test_h3_upgrade_and_connection_are_lists(self):
        self.assert_status(
            101,
            request(Connection=["Connection: keep-alive, Upgrade"]),
            request(Connection=["Connection: keep-alive", "Connection: Upgrade"]),
            request(Upgrade=["Upgrade: websocket, h2c"]),
            request(Upgrade=["upgrade:WebSocket"]),
        )
        for wrong in [
            request(Connection=[]),
            request(Connection=["Connection: notupgrade"]),
            request(Upgrade=[]),
            request(Upgrade=["Upgrade: notwebsocket"]),
        ]:
            with self.subTest(wrong):
                status, headers = self.answer(wrong)
                self.assertEqual((status, headers["upgrade"]), (426, "websocket"))

    def test_h4_only_version_13(self):
        for lines in [[], *([f"Sec-WebSocket-Version: {it}"] for it in ["8", "7", "255", "013", "13, 8"])]:
            with self.subTest(lines):
                status, headers = self.answer(request(Sec_WebSocket_Version=lines))
                self.assertEqual((status, headers["sec-websocket-version"]), (426, "13"))

    def test_h5_the_key_is_16_bytes_once(self):
        line = "Sec-WebSocket-Key: "
        keys = ["", "AAAAAAAAAAAAAAAAAAAA", "AAAAAAAAAAAAAAAAAAAAAAA=", "not base64 at all!!!!!!!"]
        self.assert_status(
            400,
            request(Sec_WebSocket_Key=[]),
            request(Sec_WebSocket_Key=[line + KEY, line + KEY]),
            *(request(Sec_WebSocket_Key=[line + key]) for key in keys),
        )

    def test_h6_host_is_one_name(self):
        hosts = ["", "a/b", "a?b", "a#b", "user@a", "a b", "a, b", "a:b", "[::1"]
        self.assert_status(
            400,
            request(Host=[]),
            request(Host=["Host: a", "Host: a"]),
            *(request(Host=[f"Host: {host}"]) for host in hosts),
        )
        self.assert_status(101, request(Host=["Host: [::1]:8080"]), request(Host=["host: a"]))

    def test_h7_too_many_or_too_large_headers(self):
        fits = 124 - len(HEADERS)
        self.assert_status(101, request(lines=["X: y"] * fits))
        self.assert_status(
            431,
            request(lines=["X: y"] * (fits + 1)),
            request(lines=["X: " + "y" * 70_000]),
            b"GET /ws HTTP/1.1\r\nX: " + b"y" * 70_000,
        )

    def test_h8_a_target_over_8_kib_is_414(self):
        path = "/ws?token=ann&x="
        self.assert_status(101, request(path + "y" * (8192 - len(path))))
        self.assert_status(
            414, request(path + "y" * (8193 - len(path))), b"GET /" + b"a" * 9000
        )

    def test_h9_a_byte_in_a_while_does_not_hold_a_seat(self):
        with chat("--handshake-timeout", 0.5) as server, server.connect() as wire:
            from_ = time.monotonic()
            wire.socket.settimeout(0.1)
            heard = b""
            for byte in request():
                try:
                    wire.send(bytes([byte]))
                    data = wire.socket.recv(4096)
                    heard += data
                    if not data:
                        break
                except TimeoutError:
                    continue
                except OSError:
                    break
            took = time.monotonic() - from_
            self.assertLess(took, 3)
            self.assertRegex(heard, rb"^(HTTP/1.1 408 |$)")
            server.is_empty()

    def test_h10_an_upgrade_has_no_body(self):
        fields = ["Content-Length: 5", "Transfer-Encoding: chunked", "Content-Length: x"]
        self.assert_status(400, *(request(lines=[field]) for field in fields))
        self.assert_status(101, request(lines=["Content-Length: 0"]))

    def test_h11_a_request_behind_a_refused_one_is_never_parsed(self):
        wrong = request(Sec_WebSocket_Version=["Sec-WebSocket-Version: 1777"])
        self.assertEqual(self.status(wrong, then=request()), 426)
        self.assertEqual(self.status(wrong + request()), 426)

    def test_h12_lines_are_strict(self):
        good = request(lines=["X: y"])
        for old, new in [
            (b"X: y\r\n", b"X: y\n"),
            (b"HTTP/1.1\r\n", b"HTTP/1.1\n"),
            (b"X: y\r\n", b"X: y\r\n folded\r\n"),
            (b"X: y", b"X: \0"),
            (b"X: y", b"X: \x07"),
            (b"X: y", b"X : y"),
            (b"X: y", b"no colon"),
            (b"GET ", b"GET  "),
            (b"GET ", b"\nGET "),
            (b"GET ", b"\r\n\r\nGET "),
        ]:
            self.assertIn(old, good)
            self.assert_status(400, good.replace(old, new, 1))
        self.assert_status(101, b"\r\n" + good)

    def test_h13_a_room_is_decoded_once_and_must_be_a_name(self):
        for room in ["%", "%zz", "%00", "%FF", "%C0%AF", "%2e%2e%2f", "%0a", "\xe9", "a" * 129]:
            self.assert_status(400, request(f"/ws/{room}?token=ann"))
        self.assert_status(101, request("/ws/%252f?token=ann"), request("/ws/K%C3%BCche?token=ann"))

    def test_h14_other_targets_are_404(self):
        targets = ["http://evil/no", "//ws", "//ws/den", "/nowhere", "/ws/a/b", "/ws/", "*", "ws"]
        self.assert_status(404, *(request(target) for target in targets))
        self.assert_status(101, request("http://evil/ws?token=ann"))

    def test_h15_subprotocols_are_a_list_of_tokens(self):
        offer = "Sec-WebSocket-Protocol: "
        bad = ["b" + " " * 32_000 + "x", "a b", "a, a"]
        self.assert_status(400, *(request(lines=[offer + it]) for it in bad))
        odd = ["", ",", "a,,b", "a,"]
        self.assert_status(101, *(request(lines=[offer + it]) for it in odd))
        _, headers = self.answer(request(lines=[offer + "other, switchboard.v1.json"]))
        self.assertEqual(headers["sec-websocket-protocol"], "switchboard.v1.json")
        _, headers = self.answer(request(lines=[offer + "other"]))
        self.assertNotIn("sec-websocket-protocol", headers)

    def test_h16_extensions_are_ignored(self):
        for junk in ["permessage-deflate; client_max_window_bits", ';;;="', ""]:
            status, headers = self.answer(request(lines=[f"Sec-WebSocket-Extensions: {junk}"]))
            self.assertEqual(status, 101)
            self.assertNotIn("sec-websocket-extensions", headers)

    def test_h18_frames_before_the_answer_are_heard(self):
        with self.server.connect() as wire:
            wire.send(request() + frame(PING, b"early"))
            self.assertEqual(wire.response()[0], 101)
            while (heard := wire.frame())[0] != PONG:
                pass
            self.assertEqual(heard[1], b"early")

    def test_h20_a_legal_request_byte_by_byte_is_answered_101(self):
        with self.server.connect() as wire:
            for byte in request():
                wire.send(bytes([byte]))
            self.assertEqual(wire.response()[0], 101)

    def test_h21_a_token_is_well_encoded_and_other_parameters_are_plain(self):
        self.assert_status(400, request("/ws?token=%a"), request("/ws?t%6Fken=%zz"))
        self.assert_status(101, request("/ws?token=a&token=%zz"))
        many = "&".join(f"p{n}=" for n in range(50))
        self.assert_status(101, request(f"/ws?__proto__=1&token=a&{many}"))


if __name__ == "__main__":
    unittest.main()
