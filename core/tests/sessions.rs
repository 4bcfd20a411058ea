//! One session on a real switchboard in virtual time: the order of hooks, the backlog behind a busy
//! hook, and what an end releases.

mod support;

use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;
use std::time::Duration;

use support::{ClientFrame, TEXT, close, frame, wire};
use switchboard_core::session::{
    self, BACKLOG, Call, Ended, LocalNode, Reply, Session, Step, Turn,
};
use switchboard_core::{
    Action, CloseReason, Config, ConnectionId, Denied, Event, HandshakeConfig, Identity, Notice,
    ReadMode, Request, Switchboard, Time, UserPolicy, Wire, WriteTurn,
};

const PEER: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);

fn handshake(config: &Config) -> Arc<HandshakeConfig> {
    Arc::new(HandshakeConfig {
        endpoint: config.endpoint.clone(),
        pages: false,
        json: config.wire == Wire::Json,
        compression: config.compression.is_some(),
        name_bytes: config.limits.name_bytes,
        tokens: switchboard_core::Tokens::default(),
    })
}

/// A switchboard that counts how often its lock is held.
struct Counted<'a> {
    switchboard: &'a mut Switchboard,
    now: Time,
    holds: &'a mut usize,
}

impl session::Node for Counted<'_> {
    type Held<'a> = LocalNode<'a>;

    fn hold<T>(&mut self, work: impl FnOnce(&mut LocalNode<'_>) -> T) -> T {
        *self.holds += 1;
        work(&mut LocalNode {
            switchboard: self.switchboard,
            now: self.now,
        })
    }

    fn config(&self) -> &Config {
        self.switchboard.config()
    }

    fn now(&self) -> Time {
        self.now
    }
}

/// A node with one connection, and the pending calls of the application.
struct Node {
    board: Switchboard,
    now: Time,
    session: Session,
    id: ConnectionId,
    /// The running call.
    call: Option<Call>,
    flushes: usize,
    /// How often the session held the lock.
    holds: usize,
    /// The bytes sent to the client.
    sent: Vec<u8>,
}

impl Node {
    fn new(change: impl FnOnce(&mut Config)) -> Self {
        let mut config = Config::default();
        change(&mut config);
        let handshake = handshake(&config);
        let now = Time::from_millis(1_000);
        let mut board = Switchboard::new(config, 7, now).expect("a valid configuration");
        let id = board.connect(now, PEER).expect("a seat");
        Self {
            board,
            now,
            session: Session::new(id, PEER, handshake),
            id,
            call: None,
            flushes: 0,
            holds: 0,
            sent: Vec::new(),
        }
    }

    /// Opens the connection as `ann` in the room `blue`.
    fn open(change: impl FnOnce(&mut Config)) -> Self {
        let mut node = Self::new(change);
        node.read(HEAD);
        node.let_in();
        node
    }

    fn let_in(&mut self) {
        let Some(Call::Authenticate(login)) = self.call.take() else {
            panic!("expected authentication");
        };
        let name = login.request.token().map_or("ann", |token| token.reveal());
        let identity = Identity::user(name);
        self.reply(Reply::Identity(login, Ok(identity)));
        let Some(Call::Lobby(lobby)) = self.call.take() else {
            panic!("expected authorization of the lobby");
        };
        assert_eq!((&*lobby.user, &*lobby.room), ("ann", "blue"));
        self.reply(Reply::Lobby(lobby, Ok(())));
        assert!(matches!(self.call.take(), Some(Call::Connect)));
        self.reply(Reply::Connected);
        assert!(self.board.is_connected("ann"));
    }

    fn with<T>(&mut self, work: impl FnOnce(&mut Session, &mut Counted<'_>) -> T) -> T {
        let mut node = Counted {
            switchboard: &mut self.board,
            now: self.now,
            holds: &mut self.holds,
        };
        let result = work(&mut self.session, &mut node);
        self.drive();
        result
    }

    /// Drives the switchboard like a driver.
    fn drive(&mut self) {
        let mut ended = None;
        let mut turn = WriteTurn::default();
        loop {
            while let Some(action) = self.board.poll_action() {
                match action {
                    Action::Notify(Notice::Closed {
                        id, rooms, reason, ..
                    }) if id == self.id => {
                        ended = Some(Ended { rooms, reason });
                    }
                    _ => {}
                }
            }
            self.board.take_turn(&mut turn, 32);
            if turn.is_empty() {
                break;
            }
            turn.write_each(|_, bytes| {
                self.sent.extend_from_slice(bytes);
                bytes.len()
            });
            self.board.report(self.now, &mut turn);
        }
        let mut node = LocalNode {
            switchboard: &mut self.board,
            now: self.now,
        };
        let mode = node.switchboard.read_mode(self.id).ok();
        self.session.update(&mut node, mode, ended);
        if !self.session.is_calling() {
            self.call = None;
        }
    }

    fn carry_out(&mut self, mut step: Option<Step>) {
        loop {
            match step.take() {
                Some(Step::Call(call)) => self.call = Some(call),
                Some(Step::Flush) => self.flushes += 1,
                None => {}
            }
            step = self.with(|session, node| session.next(node));
            // Its effects may have ended the connection, which it learns only then.
            let idle = self.session.is_calling() || self.session.is_idle();
            if step.is_none() && idle {
                return;
            }
        }
    }

    /// Passes received bytes; returns the number consumed.
    fn read(&mut self, bytes: &[u8]) -> usize {
        let (mut bytes, mut used, mut turn) = (bytes.to_vec(), 0, Turn::default());
        loop {
            let received =
                self.with(|session, node| session.receive(node, &mut bytes[used..], &mut turn));
            used += received.used;
            if received.step.is_none() {
                return used;
            }
            self.carry_out(received.step);
        }
    }

    /// Passes received bytes to a session whose calls all return at once. Returns how often that
    /// held the lock.
    fn holds_of(&mut self, bytes: &[u8]) -> usize {
        let before = self.holds;
        let (mut bytes, mut used, mut turn) = (bytes.to_vec(), 0, Turn::default());
        let mut reply: Option<Reply> = None;
        loop {
            let answered = reply.take();
            let received = self.with(|session, node| match answered {
                Some(reply) => {
                    session.reply_and_receive(node, reply, &mut bytes[used..], &mut turn)
                }
                None => session.receive(node, &mut bytes[used..], &mut turn),
            });
            used += received.used;
            reply = match received.step {
                None => break,
                Some(Step::Flush) => panic!("nothing to flush"),
                Some(Step::Call(Call::Ask(question))) => Some(Reply::Verdict(question, Ok(()))),
                Some(Step::Call(_)) => Some(Reply::Delivered(Ok(()))),
            };
            if used == bytes.len() {
                let step =
                    reply.and_then(|last| self.with(|session, node| session.reply(node, last)));
                assert!(step.is_none());
                break;
            }
        }
        assert_eq!(used, bytes.len());
        self.holds - before
    }

    fn say(&mut self, frames: &[ClientFrame]) -> usize {
        self.read(&wire(frames))
    }

    fn reply(&mut self, reply: Reply) {
        let step = self.with(|session, node| session.reply(node, reply));
        self.carry_out(step);
    }

    /// Returns the text that is being passed to the application.
    fn text(&mut self) -> Option<String> {
        match self.call.take() {
            Some(Call::Text(text)) => Some(text),
            None => None,
            other => panic!("{other:?}"),
        }
    }

    fn pending(&mut self) -> Option<Time> {
        self.with(|session, node| session.pending(node))
    }

    fn time_out(&mut self) {
        self.with(|session, node| session.time_out(node));
        self.carry_out(None);
    }

    /// Returns whether a second connection of `ann`, who may have one, is admitted.
    fn admits_another(&mut self) -> bool {
        let id = self.board.connect(self.now, PEER).expect("a seat");
        let handshake = handshake(self.board.config());
        let mut session = Session::new(id, PEER, handshake);
        let mut node = LocalNode {
            switchboard: &mut self.board,
            now: self.now,
        };
        let (mut head, mut turn) = (HEAD.to_vec(), Turn::default());
        let mut step = session.receive(&mut node, &mut head, &mut turn).step;
        while let Some(Step::Call(call)) = step.take() {
            step = match call {
                Call::Authenticate(login) => {
                    let identity = Ok(Identity::user("ann"));
                    session.reply(&mut node, Reply::Identity(login, identity))
                }
                Call::Lobby(lobby) => session.reply(&mut node, Reply::Lobby(lobby, Ok(()))),
                _ => None,
            };
        }
        self.board.connections_of("ann").contains(&id)
    }

    /// Returns where in the bytes sent to the client this text is.
    fn position(&self, text: &str) -> usize {
        let sent = String::from_utf8_lossy(&self.sent);
        sent.find(text)
            .unwrap_or_else(|| panic!("no {text} in {sent}"))
    }

    fn has_sent(&self, text: &str) -> bool {
        String::from_utf8_lossy(&self.sent).contains(text)
    }
}

const HEAD: &[u8] = b"GET /ws/blue?token=ann HTTP/1.1\r\nHost: here\r\nUpgrade: websocket\r\n\
    Connection: Upgrade\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\
    Sec-WebSocket-Version: 13\r\n\r\n";

fn raw(config: &mut Config) {
    config.wire = Wire::Raw;
}

#[test]
fn hooks_run_one_at_a_time_in_the_order_of_arrival() {
    let mut node = Node::open(raw);
    node.say(&[frame(TEXT, "1"), frame(TEXT, "2"), frame(TEXT, "3")]);
    for expected in ["1", "2", "3"] {
        assert_eq!(node.text().as_deref(), Some(expected));
        assert!(node.session.is_calling());
        node.reply(Reply::Delivered(Ok(())));
    }
    assert_eq!(node.text(), None);
    assert!(node.session.is_idle());
}

#[test]
fn reading_pauses_while_a_full_backlog_waits_and_then_goes_on() {
    let mut node = Node::open(raw);
    let frames: Vec<_> = (0..BACKLOG + 2)
        .map(|n| frame(TEXT, n.to_string()))
        .collect();
    let bytes = wire(&frames);
    let used = node.read(&bytes);
    assert_eq!(used, wire(&frames[..=BACKLOG]).len());
    assert!(node.session.is_paused());
    assert!(node.session.backlog_bytes() > 0);
    assert_eq!(node.text().as_deref(), Some("0"));
    node.reply(Reply::Delivered(Ok(())));
    assert!(!node.session.is_paused());
    node.read(&bytes[used..]);
    for n in 1..BACKLOG + 2 {
        assert_eq!(node.text(), Some(n.to_string()));
        node.reply(Reply::Delivered(Ok(())));
    }
    assert_eq!(node.session.backlog_bytes(), 0);
}

#[test]
fn a_violation_is_told_after_what_came_before_it_and_a_flush() {
    let mut node = Node::open(raw);
    let unmasked = ClientFrame {
        mask: None,
        ..frame(TEXT, "x")
    };
    node.say(&[frame(TEXT, "1"), unmasked]);
    assert_eq!(node.text().as_deref(), Some("1"));
    assert!(node.board.is_connected("ann") && node.flushes == 0);
    node.reply(Reply::Delivered(Ok(())));
    assert_eq!(node.flushes, 1);
    assert!(!node.board.is_connected("ann"));
    let Some(Call::Disconnect(ended)) = node.call.take() else {
        panic!("expected the application to be notified");
    };
    assert_eq!(ended.reason, CloseReason::ProtocolError);
    assert_eq!(*ended.rooms, [Arc::from("blue")]);
}

#[test]
fn a_close_waits_for_the_hook_before_it_but_only_for_the_close_timeout() {
    let mut node = Node::open(raw);
    node.say(&[frame(TEXT, "1"), frame(TEXT, "2"), close(1000, "")]);
    let due = node.pending().expect("the close is bounded");
    assert_eq!(due, node.now + Config::default().timeouts.close);
    assert!(node.session.is_paused(), "nothing counts after a close");
    node.now = due;
    node.time_out();
    assert!(!node.board.is_connected("ann"));
    assert!(node.session.is_calling(), "the hook still runs");
    // Its answer has no effect, the second message is not passed on, and the end is reported.
    assert_eq!(node.text().as_deref(), Some("1"));
    node.reply(Reply::Delivered(Err(Denied::Forbidden)));
    let Some(Call::Disconnect(ended)) = node.call.take() else {
        panic!("expected the application to be notified");
    };
    assert_eq!(ended.reason, CloseReason::ClientClosed);
}

#[test]
fn a_violation_waits_no_longer_than_a_close() {
    let mut node = Node::open(raw);
    let unmasked = ClientFrame {
        mask: None,
        ..frame(TEXT, "x")
    };
    node.say(&[frame(TEXT, "1"), frame(TEXT, "2"), unmasked]);
    let due = node.pending().expect("the violation is bounded");
    node.now = due;
    node.time_out();
    assert!(!node.board.is_connected("ann"));
    assert_eq!(node.text().as_deref(), Some("1"));
    node.reply(Reply::Delivered(Ok(())));
    let Some(Call::Disconnect(ended)) = node.call.take() else {
        panic!("the application is told");
    };
    assert_eq!(ended.reason, CloseReason::ProtocolError);
}

#[test]
fn a_close_is_answered_after_a_hook_that_returns_in_time() {
    let mut node = Node::open(raw);
    node.say(&[frame(TEXT, "1"), close(1000, "")]);
    assert!(node.board.is_connected("ann"));
    assert_eq!(node.text().as_deref(), Some("1"));
    node.reply(Reply::Delivered(Ok(())));
    assert!(!node.board.is_connected("ann"));
    assert!(matches!(node.call, Some(Call::Disconnect(_))));
}

#[test]
fn a_connection_that_leaves_once_its_hook_returns_gives_its_place_to_a_newcomer() {
    let unmasked = ClientFrame {
        mask: None,
        ..frame(TEXT, "x")
    };
    let reject = |config: &mut Config| {
        raw(config);
        config.users = UserPolicy::Reject;
    };
    for last in [Some(close(1000, "")), Some(unmasked), None] {
        let mut node = Node::open(reject);
        node.say(&[frame(TEXT, "1")]);
        assert!(!node.admits_another(), "it was heard just now");
        if let Some(last) = last {
            node.say(&[last]);
        } else {
            let step = node.with(|session, node| session.end_of_input(node));
            node.carry_out(step);
        }
        assert!(node.board.is_connected("ann") && node.session.is_calling());
        assert!(node.admits_another());
        node.drive();
        assert_eq!(node.text().as_deref(), Some("1"), "the hook goes on");
        node.reply(Reply::Delivered(Ok(())));
        let Some(Call::Disconnect(ended)) = node.call.take() else {
            panic!("expected the application to be notified");
        };
        assert_eq!(ended.reason, CloseReason::Replaced);
    }
}

#[test]
fn the_hook_of_a_connection_that_has_ended_is_given_up_after_its_time() {
    let mut node = Node::open(raw);
    node.say(&[frame(TEXT, "1")]);
    assert_eq!(node.pending(), None, "the node has the deadline");
    let id = node.id;
    node.with(|_, node| {
        let now = node.now;
        let board = &mut *node.switchboard;
        board.handle(now, id, Event::Reset).expect("it is there");
    });
    let due = node.pending().expect("the session has the deadline");
    assert_eq!(due, node.now + Config::default().timeouts.hook);
    node.time_out();
    assert_eq!(node.text().as_deref(), Some("1"), "not yet");
    node.now = due;
    node.time_out();
    assert!(matches!(node.call, Some(Call::Disconnect(_))));
    let last = node.pending().expect("this one too");
    node.now = last;
    node.time_out();
    assert!(node.session.is_idle() && node.session.user().is_none());
}

#[test]
fn a_hook_that_fails_ends_the_connection_and_the_application_hears_of_it() {
    let mut node = Node::open(raw);
    node.say(&[frame(TEXT, "1")]);
    node.call = None;
    node.with(|session, node| session.failed(node));
    node.carry_out(None);
    let Some(Call::Disconnect(ended)) = node.call.take() else {
        panic!("expected the application to be notified");
    };
    assert_eq!(ended.reason, CloseReason::Internal);
}

#[test]
fn a_hook_may_end_after_its_connection_is_closed_for_whatever_reason() {
    for reason in [CloseReason::Kicked, CloseReason::Internal] {
        let mut node = Node::open(raw);
        node.say(&[frame(TEXT, "1")]);
        node.pending();
        let id = node.id;
        node.with(|_, node| {
            let now = node.now;
            node.switchboard
                .close(now, id, reason)
                .expect("it is there");
        });
        assert_eq!(node.text().as_deref(), Some("1"), "{reason}");
        node.reply(Reply::Delivered(Ok(())));
        let Some(Call::Disconnect(ended)) = node.call.take() else {
            panic!("expected the application to be notified");
        };
        assert_eq!(ended.reason, reason);
    }
}

#[test]
fn a_hook_that_takes_too_long_is_dropped() {
    let mut node = Node::open(raw);
    node.say(&[frame(TEXT, "1")]);
    node.pending();
    // In steps, so that the host does not seem to stall.
    while node.board.is_connected("ann") {
        node.now = node.now + Duration::from_millis(100);
        node.with(|_, node| node.switchboard.tick(node.now));
    }
    node.carry_out(None);
    let Some(Call::Disconnect(ended)) = node.call.take() else {
        panic!("expected the application to be notified");
    };
    assert_eq!(ended.reason, CloseReason::Internal);
}

/// A connection whose `auth` message is being checked.
fn logging_in() -> Node {
    let mut node = Node::new(|_| {});
    let head = String::from_utf8_lossy(HEAD).replace("?token=ann", "");
    node.read(head.as_bytes());
    let Some(Call::Authenticate(login)) = node.call.take() else {
        panic!("expected authentication");
    };
    node.reply(Reply::Identity(login, Ok(Identity::FirstMessage)));
    node.say(&[frame(TEXT, r#"{"type":"auth","token":"ann"}"#)]);
    node.pending();
    node
}

#[test]
fn what_follows_a_login_under_way_may_be_as_long_as_any_message() {
    let mut node = logging_in();
    let content = "x".repeat(8 << 10);
    let long = format!(r#"{{"type":"message","content":"{content}","id":7}}"#);
    let long = wire(&[frame(TEXT, long)]);
    // Incomplete at first, which is bounded as well.
    let (begin, end) = long.split_at(6 << 10);
    node.read(begin);
    node.read(end);
    node.let_in();
    let Some(Call::Ask(question)) = node.call.take() else {
        panic!("expected the message");
    };
    node.reply(Reply::Verdict(question, Ok(())));
    assert!(node.has_sent(r#"{"type":"ack","id":7,"seq":1}"#));
}

#[test]
fn a_login_by_first_message_has_the_request_and_the_token() {
    let mut node = Node::new(|_| {});
    let head = String::from_utf8_lossy(HEAD).replace("?token=ann", "");
    node.read(head.as_bytes());
    let Some(Call::Authenticate(login)) = node.call.take() else {
        panic!("expected authentication");
    };
    assert!(login.request.token().is_none());
    node.reply(Reply::Identity(login, Ok(Identity::FirstMessage)));
    assert_eq!(node.session.mode(), ReadMode::Frames);
    node.say(&[frame(TEXT, r#"{"type":"auth","token":"ann","id":1}"#)]);
    let Some(Call::Authenticate(login)) = &node.call else {
        panic!("expected authentication again");
    };
    assert_eq!(login.request.path(), "/ws/blue");
    node.let_in();
    assert!(node.has_sent(r#"{"type":"authenticated","user":"ann","id":1}"#));
}

#[test]
fn a_client_whose_identity_is_stated_is_not_authenticated_again() {
    let mut node = Node::new(|_| {});
    node.session = Session::upgraded(node.id, PEER);
    let request = Request::upgraded("/chat?token=eve", Some("blue".into()), [("host", "h")]);
    let request = request.expect("a request");
    let step = node.with(|session, node| session.begin_as(node, request, Identity::user("ann")));
    node.carry_out(step);
    let Some(Call::Lobby(lobby)) = node.call.take() else {
        panic!("expected authorization of the lobby");
    };
    assert_eq!((&*lobby.user, &*lobby.room), ("ann", "blue"));
    node.reply(Reply::Lobby(lobby, Ok(())));
    assert!(matches!(node.call.take(), Some(Call::Connect)));
    node.reply(Reply::Connected);
    assert_eq!(node.board.members("blue"), [node.id]);
}

#[test]
fn a_lobby_that_is_denied_is_a_refusal() {
    let mut node = Node::new(|_| {});
    node.read(HEAD);
    let Some(Call::Authenticate(login)) = node.call.take() else {
        panic!("expected authentication");
    };
    node.reply(Reply::Identity(login, Ok(Identity::user("ann"))));
    let Some(Call::Lobby(lobby)) = node.call.take() else {
        panic!("expected authorization of the lobby");
    };
    node.reply(Reply::Lobby(lobby, Err(Denied::Forbidden)));
    assert!(!node.board.is_connected("ann"));
    assert_eq!(node.board.stats(node.now).refused["forbidden"], 1);
    assert!(node.session.is_idle(), "the application is not notified");
}

#[test]
fn the_call_for_a_client_that_is_refused_meanwhile_is_dropped() {
    let mut node = Node::new(|_| {});
    node.read(HEAD);
    assert!(matches!(node.call, Some(Call::Authenticate(_))));
    node.with(|_, node| {
        let (now, window) = (node.now, Duration::from_secs(1));
        node.switchboard.drain(now, window, window);
    });
    assert!(node.call.is_none() && !node.session.is_calling());
    assert_eq!(node.board.stats(node.now).refused["restart"], 1);
}

/// A message to the room `blue`, with this number as its id.
fn message(id: usize) -> ClientFrame {
    let text = format!(r#"{{"type":"message","content":0,"id":{id}}}"#);
    frame(TEXT, text)
}

#[test]
fn the_answer_to_a_request_and_the_next_message_of_the_read_take_one_hold_of_the_lock() {
    let mut node = Node::open(|_| {});
    for count in 1..=8 {
        let messages: Vec<_> = (0..count).map(|n| message(10 * count + n)).collect();
        assert_eq!(node.holds_of(&wire(&messages)), count + 1, "{count}");
        let acks: Vec<_> = (0..count)
            .map(|n| node.position(&format!(r#""ack","id":{}"#, 10 * count + n)))
            .collect();
        assert!(acks.is_sorted(), "in the order of the messages");
    }
}

#[test]
fn an_answer_is_given_before_a_violation_in_the_same_read_is_told() {
    let mut node = Node::open(|_| {});
    let unmasked = ClientFrame {
        mask: None,
        ..frame(TEXT, "x")
    };
    let mut bytes = wire(&[message(1), unmasked]);
    let mut turn = Turn::default();
    let received = node.with(|session, node| session.receive(node, &mut bytes, &mut turn));
    let Some(Step::Call(Call::Ask(question))) = received.step else {
        panic!("expected the message");
    };
    let rest = &mut bytes[received.used..];
    let received = node.with(|session, node| {
        session.reply_and_receive(node, Reply::Verdict(question, Ok(())), rest, &mut turn)
    });
    assert!(matches!(received.step, Some(Step::Flush)));
    node.position(r#""ack","id":1"#);
    node.carry_out(received.step);
    assert!(!node.board.is_connected("ann"));
}

#[test]
fn a_request_that_waits_for_a_hook_takes_no_hold_besides_that_of_the_answer() {
    let mut node = Node::open(|_| {});
    let messages: Vec<_> = (0..5).map(message).collect();
    node.say(&messages);
    let before = node.holds;
    for n in 0..5 {
        let Some(Call::Ask(question)) = node.call.take() else {
            panic!("expected message {n}");
        };
        node.reply(Reply::Verdict(question, Ok(())));
        node.position(&format!(r#""ack","id":{n}"#));
    }
    assert_eq!(node.holds - before, 5);
}

#[test]
fn a_read_within_a_message_takes_one_hold_of_the_lock() {
    let mut node = Node::open(|_| {});
    let bytes = wire(&[message(1)]);
    let (begin, rest) = bytes.split_at(10);
    let (middle, end) = rest.split_at(10);
    assert_eq!(node.holds_of(begin), 1);
    assert_eq!(node.holds_of(middle), 1);
    assert_eq!(node.holds_of(end), 2, "one more for the answer");
}

#[test]
fn a_message_to_the_application_takes_one_hold_of_the_lock() {
    let mut node = Node::open(raw);
    let messages: Vec<_> = (0..5).map(|n| frame(TEXT, n.to_string())).collect();
    assert_eq!(node.holds_of(&wire(&messages)), 5);
}
