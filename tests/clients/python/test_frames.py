"""What frames a server takes and how it ends what it does not take: rows F1 to F22."""

import json
import struct
import unittest

from server import BINARY, CLOSE, CONTINUATION, PING, PONG, TEXT, chat, echo, frame, request, until

MIB = 1 << 20


class EchoFrames(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.server = cls.enterClassContext(echo())

    def ends_with(self, code, *parts):
        """Sends the parts and asserts the code of the Close and the end that follow."""
        for split in (False, True):
            data = b"".join(parts)
            with self.subTest(data[:40], split=split), self.server.connect() as wire:
                wire.upgraded("/")
                if split:
                    for byte in data[:200]:
                        wire.send(bytes([byte]))
                    data = data[200:]
                wire.send(data)
                self.assertEqual(wire.close_frame()[0], code)
                wire.socket.shutdown(1)
                self.assertEqual(wire.rest(), b"", "nothing after the Close")

    def echoes(self, data, *expected):
        with self.subTest(data[:40]), self.server.connect() as wire:
            wire.upgraded("/")
            wire.send(data)
            for it in expected:
                self.assertEqual(wire.frame(), it)

    def test_f1_an_unmasked_frame_is_1002(self):
        self.ends_with(1002, frame(TEXT, b"hello", masked=False))

    def test_f2_a_reserved_bit_is_1002(self):
        for rsv in range(1, 8):
            self.ends_with(1002, frame(TEXT, b"hello", rsv=rsv))

    def test_f3_a_reserved_opcode_is_1002(self):
        for opcode in [3, 4, 5, 6, 7, 11, 12, 13, 14, 15]:
            self.ends_with(1002, frame(opcode, b"hello"))

    def test_f4_a_control_frame_in_fragments_is_1002(self):
        for opcode in [PING, PONG, CLOSE]:
            self.ends_with(1002, frame(opcode, fin=False))

    def test_f5_a_control_frame_over_125_bytes_is_1002_before_its_payload(self):
        for length in [126, 65_536, 16 * MIB]:
            self.ends_with(1002, frame(PING, declared=length))
        self.echoes(frame(PING, b"x" * 125), (PONG, b"x" * 125))

    def test_f6_a_message_over_the_limit_is_1009_before_its_payload(self):
        self.ends_with(1009, frame(BINARY, declared=16 * MIB + 1))
        self.ends_with(
            1009, frame(BINARY, b"abc", fin=False), frame(CONTINUATION, declared=16 * MIB - 2)
        )

    def test_f7_a_length_that_overflows_is_told(self):
        for length in [1 << 63, (1 << 64) - 1]:
            self.ends_with(1002, frame(BINARY, declared=length))
        for length in [(1 << 63) - 1, (1 << 32) + 5]:
            self.ends_with(1009, frame(BINARY, declared=length))

    def test_f8_a_length_in_a_longer_form_is_taken_and_the_stream_stays_in_step(self):
        data = frame(TEXT, b"hi", form=16) + frame(TEXT, b"there", form=64) + frame(TEXT, b"!")
        self.echoes(data, (TEXT, b"hi"), (TEXT, b"there"), (TEXT, b"!"))

    def test_f10_empty_frames_are_empty_messages(self):
        data = frame(TEXT) + frame(BINARY) + frame(TEXT, fin=False) + frame(CONTINUATION)
        self.echoes(data, (TEXT, b""), (BINARY, b""), (TEXT, b""))
        self.echoes(frame(PING), (PONG, b""))

    def test_f13_bad_utf8_is_1007(self):
        for bad in [b"\xc0\x80", b"\xed\xa0\x80", b"\xf4\x90\x80\x80", b"\xff", b"caf\xc3"]:
            self.ends_with(1007, frame(TEXT, bad))
        self.ends_with(1007, frame(TEXT, b"\xce\xba\xed", fin=False) + frame(CONTINUATION, b"\xa0"))

    def test_f13_bad_utf8_is_told_before_the_message_is_complete(self):
        self.ends_with(1007, frame(TEXT, b"\xf4\x90\x80\x80", fin=False))

    def test_f14_good_utf8_cut_inside_a_character_is_delivered(self):
        text = "κόσμε😀".encode()
        for cut in range(len(text) + 1):
            data = frame(TEXT, text[:cut], fin=False) + frame(CONTINUATION, text[cut:])
            self.echoes(data, (TEXT, text))

    def test_f15_fragments_out_of_turn_are_1002(self):
        self.ends_with(1002, frame(CONTINUATION, b"x"))
        self.ends_with(1002, frame(TEXT, b"a", fin=False), frame(TEXT, b"b"))
        self.ends_with(1002, frame(TEXT, b"a", fin=False), frame(BINARY, b"b", fin=False))

    def test_f16_a_ping_between_fragments_is_answered_at_once(self):
        data = frame(TEXT, b"a", fin=False) + frame(PING, b"p") + frame(CONTINUATION, b"b")
        self.echoes(data, (PONG, b"p"), (TEXT, b"ab"))

    def test_f17_an_illegal_close_is_1002(self):
        codes = [0, 999, 1004, 1005, 1006, 1015, 1016, 1100, 2000, 2999, 5000, 65535]
        for code in codes:
            self.ends_with(1002, frame(CLOSE, struct.pack(">H", code)))
        self.ends_with(1002, frame(CLOSE, b"\x03"))

    def test_f18_a_close_reason_that_is_not_utf8_is_refused(self):
        with self.server.connect() as wire:
            wire.upgraded("/").send(frame(CLOSE, b"\x03\xe8\xff\xff"))
            self.assertIn(wire.close_frame()[0], (1002, 1007))

    def test_f19_a_legal_close_is_answered_with_its_code(self):
        for code in [1000, 1001, 1002, 1003, 1007, 1008, 1009, 1010, 1011, 3000, 3999, 4000, 4999]:
            self.ends_with(code, frame(CLOSE, struct.pack(">H", code) + b"bye"))
        self.ends_with(None, frame(CLOSE))

    def test_f20_what_follows_a_close_is_ignored(self):
        with self.server.connect() as wire:
            wire.upgraded("/").send(frame(CLOSE, b"\x03\xe8") + frame(TEXT, b"late") + frame(CLOSE))
            self.assertEqual(wire.frame(), (CLOSE, b"\x03\xe8"))
            self.assertEqual(wire.rest(), b"")

    def test_f21_a_close_inside_a_message_is_clean(self):
        self.ends_with(1000, frame(TEXT, b"part", fin=False), frame(CLOSE, b"\x03\xe8"))

    def test_l1_a_flood_of_pings_is_answered_with_the_latest(self):
        with self.server.connect() as wire:
            wire.upgraded("/")
            wire.send(b"".join(frame(PING, b"%d" % n) for n in range(5000)))
            while (got := wire.frame()) != (PONG, b"4999"):
                self.assertEqual(got[0], PONG)


class ChatFrames(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.server = cls.enterClassContext(chat("--rate", 0, "--leave-grace", 0.01))

    def test_f11_endless_fragments_are_1008(self):
        for part in [b"", b"x"]:
            with self.server.connect() as wire:
                wire.upgraded("/ws?token=ann")
                wire.send(frame(TEXT, part, fin=False) + frame(CONTINUATION, part, fin=False) * 1100)
                self.assertEqual(wire.close_frame(), (1008, "policy"))
        self.server.is_empty()

    def test_r11_a_message_and_a_close_in_one_packet_are_both_handled(self):
        with self.server.connect() as bob, self.server.connect() as ann:
            bob.upgraded("/ws/den?token=bob")
            ann.upgraded("/ws/den?token=ann")
            self.server.reaches(total_connections=2)
            text = b'{"type":"message","channel":"den","content":"last words"}'
            ann.send(frame(TEXT, text) + frame(CLOSE, b"\x03\xe8"))
            self.assertEqual(ann.close_frame()[0], 1000)
            while b"last words" not in bob.frame()[1]:
                pass
        self.server.is_empty()

    def test_f22_a_connection_cut_inside_a_frame_is_gone_and_nothing_was_delivered(self):
        with self.server.connect() as bob, self.server.connect() as ann:
            bob.upgraded("/ws/den?token=bob")
            ann.upgraded("/ws/den?token=ann")
            self.server.reaches(total_connections=2)
            text = json.dumps({"type": "message", "channel": "den", "content": "cut"}).encode()
            ann.send(frame(TEXT, text)[:-5])
            ann.socket.close()
            self.server.reaches(total_connections=1)
            bob.send(frame(CLOSE))
            heard = bob.rest()
            self.assertNotIn(b'"cut"', heard)
        self.server.is_empty()

    def test_s5_who_has_ended_its_side_is_gone_at_once(self):
        with self.server.connect() as wire:
            wire.upgraded("/ws/den?token=half")
            self.server.reaches(total_connections=1)
            wire.socket.shutdown(1)
            self.server.reaches(total_connections=0)
        self.server.is_empty()

    def test_a_violation_is_counted_by_its_reason(self):
        with self.server.connect() as wire:
            wire.upgraded("/ws/den?token=eve").send(frame(TEXT, b"x", masked=False))
            self.assertEqual(wire.close_frame(), (1002, "protocol_error"))
        self.server.is_empty()
        self.assertGreaterEqual(self.server.stats()["closes"]["protocol_error"], 1)

    def test_l4_many_tiny_messages_do_not_keep_others_waiting(self):
        with chat("--rate", 0) as server, server.connect() as busy, server.connect() as other:
            busy.upgraded("/ws?token=busy")
            other.upgraded("/ws?token=other")
            ping = frame(TEXT, b'{"type":"ping"}')
            busy.send(ping * 20_000)
            other.send(ping)
            answers = (other.frame() for _ in range(2))
            kinds = [json.loads(payload)["type"] for _, payload in answers]
            self.assertEqual(kinds, ["welcome", "pong"])

    def test_a_refusal_told_by_close_ends_the_stream(self):
        with chat("--max-connections", 1, "--max-per-ip", 9) as server, server.connect() as first:
            first.upgraded("/ws?token=first")
            server.reaches(total_connections=1)
            with server.connect() as second:
                second.send(request("/ws?token=second"))
                self.assertEqual(second.response()[0], 101)
                self.assertEqual(second.close_frame(), (4002, "server_full"))
                self.assertEqual(second.rest(), b"")
            until(lambda: server.stats()["pending_handshakes"] == 0, "the seat of the refused")


if __name__ == "__main__":
    unittest.main()
