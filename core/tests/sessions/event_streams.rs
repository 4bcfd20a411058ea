//! Event streams in place of a WebSocket.

use std::time::Duration;

use switchboard_core::protocol::Content;
use switchboard_core::session::{Call, Reply, Session, Turn};
use switchboard_core::{
    Action, CloseReason, Config, Denied, Direct, Event, Exclude, Frame, Origins, ReadMode, Time,
    WriteTurn,
};

use super::node::{Node, PEER, handshake, raw};

pub(crate) const GET: &[u8] = b"GET /sse/blue?token=ann HTTP/1.1\r\nHost: here\r\n\r\n";

pub(crate) fn with_sse(config: &mut Config) {
    config.sse = Some("/sse".into());
    config.history.messages = 100;
    config.history.on_join_max = 10;
}

/// Opens a stream as `ann` in the room `blue`.
pub(crate) fn open(change: impl FnOnce(&mut Config)) -> Node {
    let mut node = Node::new(|config| {
        with_sse(config);
        change(config);
    });
    node.read(GET);
    node.let_in();
    node
}

impl Node {
    pub(crate) fn stream(&self) -> String {
        String::from_utf8(self.sent.clone()).expect("an event stream is text")
    }

    /// Returns the path to which the client posts.
    pub(crate) fn post_path(&self) -> String {
        let stream = self.stream();
        let (_, rest) = stream.split_once(r#"{"session":""#).expect("a session");
        let (session, _) = rest.split_once('"').expect("its end");
        format!("/sse/{session}")
    }

    /// Posts a body on another connection; returns the answer.
    pub(crate) fn post(&mut self, body: &str) -> String {
        self.post_to(&self.post_path(), "", body)
    }

    pub(crate) fn post_to(&mut self, path: &str, headers: &str, body: &str) -> String {
        let head = format!(
            "POST {path} HTTP/1.1\r\nHost: here\r\nContent-Length: {}\r\n{headers}\r\n",
            body.len()
        );
        self.exchange(&[head.as_bytes(), body.as_bytes()])
    }

    /// Sends the parts of a request on another connection; returns the answer.
    pub(crate) fn exchange(&mut self, parts: &[&[u8]]) -> String {
        let id = self.board.connect(self.now, PEER).expect("a seat");
        let mut session = Session::new(id, PEER, handshake(self.board.config()));
        for part in parts {
            let (mut bytes, mut used) = (part.to_vec(), 0);
            while used < bytes.len() {
                let mut node = switchboard_core::session::LocalNode {
                    switchboard: &mut self.board,
                    now: self.now,
                };
                let rest = &mut bytes[used..];
                let received = session.receive(&mut node, rest, &mut Turn::default());
                assert!(received.step.is_none(), "{received:?}");
                used += received.used;
                assert!(received.used > 0);
            }
        }
        let mut answer = Vec::new();
        let mut turn = WriteTurn::default();
        self.board.take_turn(&mut turn, 32);
        turn.write_each(|to, bytes| {
            let out = if to == id {
                &mut answer
            } else {
                &mut self.sent
            };
            out.extend_from_slice(bytes);
            bytes.len()
        });
        self.board.report(self.now, &mut turn);
        self.drive();
        self.carry_out(None);
        String::from_utf8(answer).expect("an answer is text")
    }

    fn publish(&mut self, content: &str) {
        let content = Content::parse(content).expect("it is JSON");
        let now = self.now;
        let nobody = Exclude::default();
        let sent = self.board.broadcast(now, "blue", content, None, nobody);
        sent.expect("it fits");
        self.drive();
    }

    /// Opens a stream anew, with this more in its request.
    fn come_back(&mut self, query: &str, header: &str) {
        let head = format!("GET /sse/blue?token=ann{query} HTTP/1.1\r\nHost: here\r\n{header}\r\n");
        self.id = self.board.connect(self.now, PEER).expect("a seat");
        self.session = Session::new(self.id, PEER, handshake(self.board.config()));
        self.sent.clear();
        self.read(head.as_bytes());
        self.let_in();
    }

    /// Returns the ids on the stream, in order.
    pub(crate) fn ids(&self) -> Vec<String> {
        let stream = self.stream();
        let lines = stream.lines().filter_map(|line| line.strip_prefix("id: "));
        lines.map(str::to_owned).collect()
    }
}

pub(crate) fn status(answer: &str) -> &str {
    answer.split(' ').nth(1).unwrap_or_default()
}

#[test]
fn a_stream_is_admitted_like_a_websocket_and_gets_the_same_messages() {
    let mut node = open(|_| {});
    node.publish(r#"{"n":1}"#);
    let stream = node.stream();
    let (head, events) = stream.split_once("\r\n\r\n").expect("a head");
    assert!(head.starts_with("HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n"));
    for header in [
        "Cache-Control: no-cache",
        "X-Accel-Buffering: no",
        "Connection: close",
    ] {
        assert!(head.contains(header), "{head}");
    }
    let mut events = events.split("\n\n");
    assert!(
        events
            .next()
            .unwrap()
            .starts_with("event: session\ndata: {\"session\":\"0-0-")
    );
    assert!(
        events
            .next()
            .unwrap()
            .starts_with(r#"data: {"type":"welcome","connection":"0-0","user":"ann""#)
    );
    let subscribed = events.next().unwrap();
    let id = subscribed.strip_prefix("id: ").expect("an id");
    let (epoch, rest) = id.split_once(".0\n").expect("position 0");
    assert!(
        rest.starts_with(r#"data: {"type":"subscribed","channel":"blue","seq":0"#),
        "{rest}"
    );
    assert!(events.next().unwrap().contains(r#""type":"presence""#));
    let message = r#"data: {"type":"message","channel":"blue","content":{"n":1},"seq":1}"#;
    assert_eq!(events.next(), Some(&*format!("id: {epoch}.1\n{message}")));
    assert_eq!(node.board.members("blue"), [node.id]);
}

#[test]
fn a_client_goes_on_after_the_id_that_it_has_seen() {
    let mut node = open(|_| {});
    for n in 1..=4 {
        node.publish(&n.to_string());
    }
    let seen = node.ids()[2].clone();
    let mut again = |query: &str, header: &str| {
        node.come_back(query, header);
        (node.stream(), node.ids())
    };
    for (query, header) in [
        (String::new(), format!("Last-Event-ID: {seen}\r\n")),
        (format!("&since={seen}"), String::new()),
        // A browser comes back with the URL that it was given first.
        (
            "&since=other.1&last=1".into(),
            format!("last-event-id: {seen}\r\n"),
        ),
    ] {
        let (stream, ids) = again(&query, &header);
        assert!(stream.contains(r#""recovered":true"#), "{query} {header}");
        let numbers = ids.iter().map(|id| id.rsplit('.').next().unwrap());
        assert_eq!(numbers.collect::<Vec<_>>(), ["2", "3", "4"]);
    }
    let (stream, ids) = again("&last=1", "");
    assert!(!stream.contains("recovered"));
    assert!(
        ids[0].ends_with(".3") && ids[1].ends_with(".4") && ids.len() == 2,
        "{ids:?}"
    );
    let (stream, ids) = again("", "Last-Event-ID: other.1\r\n");
    assert!(stream.contains(r#""recovered":false"#) && ids.len() == 1);
}

#[test]
fn the_end_is_an_event_with_the_code_and_then_the_end_of_the_body() {
    let mut node = open(|_| {});
    let (now, id) = (node.now, node.id);
    node.publish("1");
    node.board
        .close(now, id, CloseReason::Kicked)
        .expect("it is open");
    node.drive();
    let end = "event: close\ndata: {\"code\":4004,\"reason\":\"kicked\"}\n\n";
    assert!(node.stream().ends_with(end));
    assert_eq!(status(&node.post("7")), "404");
    node.board.handle(now, id, Event::Eof).expect("it lingers");
    assert!(node.board.read_mode(id).is_err());
}

#[test]
fn messages_that_go_out_before_the_end_bring_their_positions() {
    let mut node = open(|_| {});
    let (now, id) = (node.now, node.id);
    let mut turn = WriteTurn::default();
    let nobody = Exclude::default();
    for content in ["1", "2"] {
        let content = Content::parse(content).expect("it is JSON");
        let sent = node.board.broadcast(now, "blue", content, None, nobody);
        sent.expect("it fits");
    }
    node.board
        .close(now, id, CloseReason::Draining)
        .expect("it is open");
    node.board.take_turn(&mut turn, 32);
    let (_, bytes) = turn.job(0).expect("what is left");
    let text = String::from_utf8_lossy(bytes).into_owned();
    let first = text
        .find(".1\ndata: {\"type\":\"message\"")
        .expect("the first");
    let second = text
        .find(".2\ndata: {\"type\":\"message\"")
        .expect("the second");
    assert!(
        first < second && text.ends_with("\"reason\":\"draining\"}\n\n"),
        "{text}"
    );
}

#[test]
fn a_refused_stream_is_answered_by_status_whatever_the_policy() {
    let mut node = Node::new(with_sse);
    node.read(GET);
    let Some(Call::Authenticate(login)) = node.call.take() else {
        panic!("expected authentication");
    };
    node.reply(Reply::Identity(login, Err(Denied::Unauthorized)));
    let stream = node.stream();
    assert!(
        stream.starts_with("HTTP/1.1 401 Unauthorized\r\n"),
        "{stream}"
    );
    assert!(!stream.contains("session"));
}

#[test]
fn a_client_that_takes_what_is_sent_needs_no_answer_to_pings() {
    let mut node = open(|_| {});
    node.sent.clear();
    for _ in 0..100 {
        node.now = node.board.next_deadline().expect("a ping");
        node.board.tick(node.now);
        node.drive();
    }
    assert!(node.board.is_connected("ann"));
    assert!(node.now > Time::from_millis(1_000) + Duration::from_secs(100));
    assert!(
        node.stream().matches(":\n").count() > 3,
        "{}",
        node.stream()
    );
}

#[test]
fn a_peer_that_does_not_acknowledge_is_gone_as_if_it_answered_no_ping() {
    let mut node = open(|_| {});
    let (now, id) = (node.now, node.id);
    node.board
        .handle(now, id, Event::TimedOut)
        .expect("it is open");
    let closes = node.board.stats(now).closes;
    assert_eq!(closes.get("heartbeat_timeout"), Some(&1));
}

#[test]
fn input_on_the_stream_itself_ends_it() {
    let mut node = open(|_| {});
    node.read(b"GET / HTTP/1.1\r\n");
    assert!(node.has_sent("event: close\ndata: {\"code\":1002,"));
    assert_eq!(node.session.mode(), ReadMode::Discard);
}

#[test]
fn a_raw_stream_has_text_and_binary_messages_in_both_directions() {
    let mut node = open(|config| {
        raw(config);
        config.direct = Direct::Open;
    });
    let (now, id) = (node.now, node.id);
    for frame in [Frame::text("a\nb"), Frame::binary(&[1, 2])] {
        node.board.send(now, id, frame).expect("it is open");
    }
    node.drive();
    assert!(
        node.stream()
            .ends_with("data: a\ndata: b\n\nevent: binary\ndata: AQI=\n\n")
    );
    assert!(!node.has_sent("welcome") && node.ids().is_empty());
    let path = node.post_path();
    assert_eq!(status(&node.post_to(&path, "", "[not JSON")), "202");
    assert_eq!(node.text().as_deref(), Some("[not JSON"));
    node.reply(Reply::Delivered(Ok(())));
    let binary = "Content-Type: application/octet-stream\r\n";
    assert_eq!(status(&node.post_to(&path, binary, "\u{1}")), "202");
    assert!(matches!(node.call.take(), Some(Call::Binary(bytes)) if bytes == [1]));
}

#[test]
fn a_message_that_is_cut_goes_on_where_it_was_cut() {
    let mut node = open(|_| {});
    let content = format!("\"{}\"", "é".repeat(20_000));
    let (now, id) = (node.now, node.id);
    let before = node.sent.len();
    let parsed = Content::parse(&content).expect("it is JSON");
    let nobody = Exclude::default();
    let sent = node.board.broadcast(now, "blue", parsed, None, nobody);
    sent.expect("it fits");
    let mut turn = WriteTurn::default();
    while node.board.wants_write() {
        node.board.take_turn(&mut turn, 32);
        turn.write_each(|_, bytes| {
            let most = bytes.len().min(7_001);
            node.sent.extend_from_slice(&bytes[..most]);
            most
        });
        node.board.report(now, &mut turn);
        node.board
            .handle(now, id, Event::Writable)
            .expect("it is open");
    }
    while node
        .board
        .poll_action()
        .is_some_and(|it| it != Action::ReadMode(id))
    {}
    let event = String::from_utf8(node.sent[before..].to_vec()).expect("it is text");
    let (line, data) = event.split_once('\n').expect("two lines");
    assert!(line.starts_with("id: ") && line.ends_with(".1"), "{line}");
    assert!(data.starts_with("data: ") && data.contains(&content) && data.ends_with("}\n\n"));
    assert_eq!(event.matches("\n\n").count(), 1);
    assert_eq!(node.board.audit(), Ok(()));
}

#[test]
fn a_room_that_was_left_and_entered_again_tells_positions_as_before() {
    // A client may do both, and so may the application.
    for by_client in [true, false] {
        let mut node = open(|_| {});
        node.publish("1");
        if by_client {
            let leave = r#"{"type":"unsubscribe","channel":"blue"}"#;
            let enter = r#"{"type":"subscribe","channel":"blue"}"#;
            node.post(&format!("[{leave},{enter}]"));
            let Some(Call::Ask(question)) = node.call.take() else {
                panic!("the application is not asked");
            };
            node.reply(Reply::Verdict(question, Ok(())));
        } else {
            assert_eq!(node.board.leave(node.now, node.id, "blue"), Ok(true));
            assert_eq!(node.board.join(node.now, node.id, "blue"), Ok(()));
        }
        node.publish("2");
        let position = node.board.position("blue").expect("a room");
        let expected = [0, 1, 1, 2].map(|seq| format!("{}.{seq}", position.epoch));
        assert_eq!(node.ids(), expected, "{}", node.stream());
    }
}

#[test]
fn what_goes_out_after_leaving_brings_its_position() {
    let mut node = open(|_| {});
    let content = Content::parse("1").expect("it is JSON");
    let (now, nobody) = (node.now, Exclude::default());
    let sent = node.board.broadcast(now, "blue", content, None, nobody);
    sent.expect("it fits");
    node.post(r#"{"type":"unsubscribe","channel":"blue"}"#);
    let ids = node.ids();
    assert!(
        ids.len() == 2 && ids[1].ends_with(".1"),
        "{}",
        node.stream()
    );
}

#[test]
fn the_smallest_queue_holds_what_a_newcomer_is_told() {
    let longest = "x".repeat(128);
    let mut node = Node::new(|config| {
        with_sse(config);
        config.origins = Origins::Any;
        config.limits.queue_bytes = 650 + 4 * 128;
    });
    node.board.set_wall_clock(node.now, 784_111_777);
    let origin = "Origin: https://chat.example.org";
    let head =
        format!("GET /sse/{longest}?token={longest} HTTP/1.1\r\nHost: here\r\n{origin}\r\n\r\n");
    node.read(head.as_bytes());
    node.let_in();
    let stream = node.stream();
    for told in [r#""type":"presence""#, "Access-Control", "Date: "] {
        assert!(stream.contains(told), "{stream}");
    }
}

#[test]
fn numbers_that_are_skipped_bring_the_position_after_them() {
    let mut node = open(|_| {});
    let (now, nobody) = (node.now, Exclude::default());
    let not_ann = Exclude {
        users: &["ann"],
        ..nobody
    };
    for exclude in [nobody, not_ann, not_ann] {
        let content = Content::parse("1").expect("it is JSON");
        let sent = node.board.broadcast(now, "blue", content, None, exclude);
        sent.expect("it fits");
        node.drive();
    }
    let seen = node.ids()[1].clone();
    node.come_back("", &format!("Last-Event-ID: {seen}\r\n"));
    let skip = "data: {\"type\":\"skip\",\"channel\":\"blue\",\"from\":2,\"to\":3}";
    let epoch = seen.strip_suffix(".1").expect("the first");
    let event = format!("id: {epoch}.3\n{skip}\n\n");
    assert!(node.has_sent(&event), "{}", node.stream());
}
