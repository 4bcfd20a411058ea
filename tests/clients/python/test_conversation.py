"""What is said between clients of a chat, by PyPI's websockets."""

import json
import unittest

from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.sync.client import connect

from server import chat

JSON_PROTOCOL = "switchboard.v1.json"


class Member:
    """A client of the chat."""

    def __init__(self, server, path, **options):
        self.connecting = connect(server.url(path), compression=None, **options)

    def __enter__(self):
        self.socket = self.connecting.__enter__()
        return self

    def __exit__(self, *end):
        self.connecting.__exit__(*end)

    def say(self, **message):
        self.socket.send(json.dumps(message))

    def hear(self):
        return json.loads(self.socket.recv(timeout=10))

    def next(self, **expected):
        """The next message with all of these; those before it are passed over."""
        while not expected.items() <= (message := self.hear()).items():
            pass
        return message

    def end(self):
        """The code and the reason that it was closed with."""
        try:
            while True:
                self.socket.recv(timeout=10)
        except ConnectionClosed as closed:
            return closed.rcvd.code, closed.rcvd.reason


class Conversations(unittest.TestCase):
    def setUp(self):
        self.server = self.enterContext(chat("--users", "allow:3", "--leave-grace", 0.2))

    def member(self, name, room=None):
        path = f"/ws/{room}?token={name}" if room else f"/ws?token={name}"
        member = self.enterContext(Member(self.server, path))
        member.next(type="welcome")
        if room:
            member.next(type="presence", channel=room)
        return member

    def test_a_lobby_is_entered_as_if_one_had_asked(self):
        with Member(self.server, "/ws/den?token=ann") as ann:
            welcome, subscribed, presence = ann.hear(), ann.hear(), ann.hear()
        self.assertEqual(
            (welcome["type"], welcome["user"], welcome["ping_ms"], welcome["max_bytes"]),
            ("welcome", "ann", 25_000, 65_536),
        )
        self.assertEqual(set(subscribed), {"type", "channel", "seq", "epoch", "first"})
        self.assertEqual((subscribed["channel"], subscribed["seq"]), ("den", 0))
        self.assertEqual(subscribed["first"], 1, "the chat keeps a history")
        self.assertEqual(
            presence, {"type": "presence", "channel": "den", "count": 1, "users": ["ann"]}
        )

    def test_a_room_is_joined_and_left(self):
        ann = self.member("ann")
        ann.say(type="subscribe", channel="den", id="s1")
        subscribed = ann.hear()
        self.assertEqual((subscribed["type"], subscribed["id"]), ("subscribed", "s1"))
        ann.next(type="presence", users=["ann"])
        ann.say(type="subscribe", channel="den", id=2)
        error = ann.next(type="error")
        self.assertEqual((error["code"], error["id"]), ("already_subscribed", 2))
        ann.say(type="unsubscribe", channel="den", id=3)
        self.assertEqual(ann.hear(), {"type": "unsubscribed", "channel": "den", "id": 3})
        ann.say(type="unsubscribe", channel="den")
        self.assertEqual(ann.next(type="error")["code"], "not_in_channel")
        self.server.reaches(active_rooms=0, total_connections=1)

    def test_a_message_goes_to_the_others_and_its_sender_learns_its_number(self):
        ann, bob = self.member("ann", "den"), self.member("bob", "den")
        for number in range(1, 4):
            ann.say(type="message", channel="den", content={"n": number}, id=f"m{number}")
            self.assertEqual(ann.next(type="ack"), {"type": "ack", "id": f"m{number}", "seq": number})
            self.assertEqual(
                bob.next(type="message"),
                {"type": "message", "channel": "den", "content": {"n": number}, "sender": "ann", "seq": number},
            )
        late = self.enterContext(Member(self.server, "/ws/den?token=late"))
        self.assertEqual(late.next(type="subscribed")["seq"], 3)

    def test_echo_and_other_devices(self):
        ann, phone = self.member("ann", "den"), self.member("ann", "den")
        ann.say(type="message", channel="den", content=1)
        self.assertEqual(phone.next(type="message")["seq"], 1)
        ann.say(type="message", channel="den", content=2, echo=True, id=7)
        heard = [ann.next(type="message"), phone.next(type="message")]
        self.assertEqual([it["content"] for it in heard], [2, 2])

    def test_without_a_channel_the_only_room_is_meant(self):
        ann, bob = self.member("ann", "den"), self.member("bob", "den")
        ann.say(type="message", content="hello")
        self.assertEqual(bob.next(type="message")["channel"], "den")
        ann.say(type="subscribe", channel="side")
        ann.next(type="presence", channel="side")
        ann.say(type="message", content="which?", id=1)
        self.assertEqual(ann.next(type="error")["code"], "bad_request")

    def test_a_direct_message_reaches_every_device_of_its_user(self):
        ann, laptop, phone = self.member("ann"), self.member("bob"), self.member("bob")
        ann.say(type="direct", to="bob", content=[1, 2], id="d")
        self.assertEqual(ann.next(type="ack"), {"type": "ack", "id": "d", "delivered": 2})
        for device in laptop, phone:
            expected = {"type": "direct", "content": [1, 2], "sender": "ann"}
            self.assertEqual(device.next(type="direct"), expected)
        ann.say(type="direct", to="nobody", content=1, id="e")
        error = ann.next(type="error")
        self.assertEqual((error["code"], error["id"]), ("not_connected", "e"))

    def test_content_passes_through_byte_for_byte(self):
        ann, bob = self.member("ann", "den"), self.member("bob", "den")
        for content in ['{"b":1,  "a":1.0e+02,"b":2}', '"\\u00e9\\/é"', "-0.0", "[ ]", "null"]:
            ann.socket.send(f'{{"type":"message","channel":"den","content":{content}}}')
            text = bob.socket.recv(timeout=10)
            while '"type":"message"' not in text:
                text = bob.socket.recv(timeout=10)
            self.assertIn(f'"content":{content}', text)

    def test_a_ping_is_answered_with_its_timestamp(self):
        ann = self.member("ann")
        ann.say(type="ping", timestamp=1234567890123, id="p")
        self.assertEqual(ann.hear(), {"type": "pong", "timestamp": 1234567890123, "id": "p"})
        ann.say(type="ping")
        self.assertEqual(ann.hear(), {"type": "pong"})

    def test_the_order_of_a_room_is_the_same_for_all(self):
        members = [self.member(f"u{n}", "den") for n in range(4)]
        for round_ in range(20):
            for member in members:
                member.say(type="message", channel="den", content=round_, echo=True)
        heard = [[m.next(type="message") for _ in range(80)] for m in members]
        for messages in heard:
            self.assertEqual([it["seq"] for it in messages], list(range(1, 81)))
            self.assertEqual(messages, heard[0])
        for name in range(4):
            own = [it["content"] for it in heard[0] if it["sender"] == f"u{name}"]
            self.assertEqual(own, list(range(20)), "in the order they were sent")

    def test_without_a_history_a_room_that_was_empty_begins_again_with_another_epoch(self):
        server = self.enterContext(chat("--history", 0))
        epochs = set()
        for _ in range(3):
            with Member(server, "/ws/den?token=ann") as ann:
                subscribed = ann.next(type="subscribed")
                self.assertEqual(subscribed["seq"], 0)
                epochs.add(subscribed["epoch"])
                ann.say(type="message", channel="den", content=1, id=1)
                ann.next(type="ack", seq=1)
            server.reaches(active_rooms=0)
        self.assertEqual(len(epochs), 3)

    def test_a_room_with_a_history_goes_on_where_it_was(self):
        with Member(self.server, "/ws/den?token=ann") as ann:
            first = ann.next(type="subscribed")
            ann.say(type="message", channel="den", content="kept", id=1)
            ann.next(type="ack", seq=1)
        with Member(self.server, "/ws/den?token=bob") as bob:
            again = bob.next(type="subscribed")
            self.assertEqual((again["epoch"], again["seq"]), (first["epoch"], 1))
            self.assertEqual(bob.next(type="message")["content"], "kept")

    def test_presence_is_of_users_not_of_connections(self):
        ann = self.member("ann", "den")
        bob, phone = self.member("bob", "den"), self.member("bob", "den")
        self.assertEqual(ann.next(type="presence")["users"], ["ann", "bob"])
        phone.socket.close()
        self.server.reaches(total_connections=2)
        bob.say(type="unsubscribe", channel="den")
        self.assertEqual(ann.next(type="presence")["users"], ["ann"])

    def test_who_leaves_is_missed_after_the_grace(self):
        ann, bob = self.member("ann", "den"), self.member("bob", "den")
        ann.next(type="presence", count=2)
        bob.socket.close()
        self.assertEqual(ann.next(type="presence")["users"], ["ann"])

    def test_many_joins_at_once_are_few_frames_each(self):
        with chat("--max-per-room", 200) as server:
            members = [self.enterContext(Member(server, f"/ws/den?token=u{n:03}")) for n in range(120)]
            members[0].next(type="presence", count=120)
            joiner = members[-1].next(type="presence")
            self.assertEqual((joiner["count"], len(joiner["users"])), (120, 50))
            late = self.enterContext(Member(server, "/ws/den?token=late"))
            change = {"type": "presence", "channel": "den", "count": 121, "joined": ["late"]}
            self.assertEqual(members[0].next(type="presence"), change)
            late.socket.close()
            server.reaches(closes={"client_closed": 1}, total_connections=120)
            change = {"type": "presence", "channel": "den", "count": 120, "left": ["late"]}
            self.assertEqual(members[0].next(type="presence"), change)

    def test_the_protocol_is_echoed_only_where_it_is_offered(self):
        for offered, echoed in [(None, None), ([JSON_PROTOCOL], JSON_PROTOCOL), (["x", JSON_PROTOCOL], JSON_PROTOCOL)]:
            with Member(self.server, "/ws?token=ann", subprotocols=offered) as ann:
                self.assertEqual(ann.socket.subprotocol, echoed)
                ann.next(type="welcome")

    def test_a_room_limit_is_told_without_a_close(self):
        with chat("--max-per-room", 1) as server:
            with Member(server, "/ws/den?token=ann") as ann, Member(server, "/ws?token=bob") as bob:
                ann.next(type="presence")
                bob.say(type="subscribe", channel="den", id=1)
                error = bob.next(type="error")
                self.assertEqual((error["code"], error["id"]), ("room_full", 1))
                bob.say(type="ping")
                bob.next(type="pong")

    def test_a_hundred_rooms_are_enough_for_one_connection(self):
        with chat("--rate", 0) as server, Member(server, "/ws?token=ann") as ann:
            for number in range(100):
                ann.say(type="subscribe", channel=f"r{number}")
                ann.next(type="subscribed", channel=f"r{number}")
            ann.say(type="subscribe", channel="one more", id=1)
            self.assertEqual(ann.next(type="error")["code"], "limit_exceeded")

    def test_a_refusal_by_http_has_its_status(self):
        with chat("--refuse", "http", "--secret", "s") as server:
            with self.assertRaises(InvalidStatus) as refused, connect(server.url("/ws?token=bad")):
                pass
            self.assertEqual(refused.exception.response.status_code, 401)

    def test_binary_is_closed_1003(self):
        ann = self.member("ann")
        ann.socket.send(b"\0")
        self.assertEqual(ann.end(), (1003, "unsupported_data"))


if __name__ == "__main__":
    unittest.main()
