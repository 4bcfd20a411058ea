//! Every way to end a connection, while messages are under way.

use std::time::Duration;

use shuttle::thread::{self, JoinHandle};
use switchboard_core::{CloseReason, ConnectionId, Exclude, Frame as CoreFrame};

use super::explore::{explore, explore_times, probe};
use super::machine::draw;
use super::node::{Hub, Node, config, pass_time_until, until};
use super::peer::Peer;
use switchboard_kit::CLOSE;

const STEP: Duration = Duration::from_millis(100);

/// The way in which a connection ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Ending {
    Kicked,
    Disconnected,
    Closed,
    HookPanics,
    Ended,
    Reset,
    Vanished,
}

const ENDINGS: [(Ending, &str); 7] = [
    (Ending::Kicked, "a kick"),
    (Ending::Disconnected, "a disconnected user"),
    (Ending::Closed, "a client's Close"),
    (Ending::HookPanics, "a hook's panic"),
    (Ending::Ended, "an end of the client's side"),
    (Ending::Reset, "a reset"),
    (Ending::Vanished, "a client that is gone"),
];

impl Ending {
    /// Returns the code of the Close frame if the client is certain to get one.
    fn code(self) -> Option<u16> {
        match self {
            Self::Kicked | Self::Disconnected => Some(4004),
            Self::Closed => Some(1000),
            Self::HookPanics => Some(1011),
            Self::Ended | Self::Reset | Self::Vanished => None,
        }
    }
}

/// Runs a client from within the room to its end.
fn live(mut peer: Peer, ending: Ending) {
    match ending {
        Ending::Closed => peer.send_close(),
        Ending::HookPanics => {
            peer.send_text(r#"{"type":"message","channel":"blue","content":"panic"}"#);
        }
        Ending::Ended => peer.end(),
        Ending::Reset => peer.reset(),
        Ending::Vanished => return,
        Ending::Kicked | Ending::Disconnected => {}
    }
    let frames = peer.rest();
    let mut messages = frames.iter().filter(|frame| frame.is_to("blue"));
    let mut last = 0;
    assert!(messages.all(|message| message.seq() > std::mem::replace(&mut last, message.seq())));
    if let Some(code) = ending.code() {
        assert!(!peer.is_cut(), "{ending:?}: the last frame is whole");
        let close = frames.last().and_then(super::frames::Frame::code);
        assert_eq!(close, Some(code), "{ending:?}: {frames:?}");
        let closes = frames.iter().filter(|frame| frame.opcode == CLOSE).count();
        assert_eq!(closes, 1, "{ending:?}");
    }
}

/// Ends the connection from the application's side, if that is how it ends.
fn end(hub: &Hub, user: &str, id: ConnectionId, ending: Ending) {
    match ending {
        Ending::Kicked => hub.close(id, CloseReason::Kicked).expect("it is there"),
        Ending::Disconnected => {
            assert_eq!(hub.disconnect_user(user, CloseReason::Kicked), 1);
        }
        _ => {}
    }
}

fn publish(hub: Hub) -> JoinHandle<()> {
    thread::spawn(move || {
        for n in 0..3 {
            hub.broadcast("blue", &n.to_string()).expect("JSON");
        }
    })
}

#[test]
fn every_kind_of_end_while_messages_are_under_way_leaves_nothing_behind() {
    let all: Vec<_> = ENDINGS.iter().map(|(_, name)| *name).collect();
    explore("endings", &all, || {
        let mut node = Node::new(config(), 2);
        let members: Vec<_> = ["ann", "bob", "cid"]
            .into_iter()
            .map(|user| {
                let (ending, name) = ENDINGS[draw(ENDINGS.len())];
                probe(name);
                (user, ending, node.enter(user, "blue", 40 + draw(200)))
            })
            .collect();
        let mut threads = vec![publish(node.hub.clone())];
        for (user, ending, peer) in members {
            let id = node.hub.connections_of(user)[0];
            threads.push(thread::spawn(move || live(peer, ending)));
            let hub = node.hub.clone();
            threads.push(thread::spawn(move || end(&hub, user, id, ending)));
        }
        let hub = node.hub.clone();
        threads.push(thread::spawn(move || {
            for _ in 0..3 {
                hub.audit().expect("consistent");
            }
        }));
        for thread in threads {
            thread.join().expect("it ran");
        }
        node.until_empty(3);
        node.finish();
    });
}

#[test]
fn the_end_of_a_client_is_not_forgotten_behind_a_hook() {
    explore("end behind a hook", &[], || {
        let mut node = Node::new(config(), 1);
        let mut peer = node.enter("ann", "blue", 400);
        peer.send_text(r#"{"type":"message","channel":"blue","content":"linger"}"#);
        peer.end();
        assert_eq!(node.hub.disconnect_user("ann", CloseReason::Kicked), 1);
        peer.rest();
        // No time passes, so this must not depend on a timeout.
        node.until_empty(1);
        node.finish();
    });
}

#[test]
fn the_end_of_a_client_is_not_forgotten_behind_the_last_hook() {
    explore("end behind the last hook", &[], || {
        let mut node = Node::new(config(), 1);
        let mut peer = node.enter("clinging", "blue", 400);
        let hub = node.hub.clone();
        let kick = thread::spawn(move || hub.disconnect_user("clinging", CloseReason::Kicked));
        peer.end();
        kick.join().expect("it ran");
        peer.rest();
        node.until_empty(1);
        node.finish();
    });
}

#[test]
fn a_hooks_answer_before_a_violation_goes_out() {
    explore("answer before a violation", &[], || {
        let mut node = Node::new(config(), 1);
        let mut peer = node.enter("ann", "blue", 1 << 20);
        // Wait until nothing else is written to it.
        until(|| node.hub.members("everybody").len() == 1);
        until(|| node.hub.stats().queued_bytes == 0);
        peer.send_text_and_violation(r#"{"type":"message","channel":"blue","content":0,"id":1}"#);
        let frames = peer.rest();
        assert!(frames.iter().any(|frame| frame.is("ack")), "{frames:?}");
        let close = frames.last().and_then(super::frames::Frame::code);
        assert_eq!(close, Some(1002));
        drop(peer);
        node.until_empty(1);
        node.finish();
    });
}

#[test]
fn a_hooks_answer_before_a_violation_goes_out_beside_another_writer() {
    explore_times(10, "answer before a violation, two threads", &[], || {
        let mut node = Node::new(config(), 2);
        let mut peer = node.enter("ann", "blue", 1 << 20);
        let mut other = node.enter("bob", "red", 1 << 20);
        // Wait until nothing else is written to them.
        until(|| node.hub.members("everybody").len() == 2);
        until(|| node.hub.stats().queued_bytes == 0);
        let elsewhere = thread::spawn(move || {
            for n in 0..3 {
                other.send_text(&format!(r#"{{"type":"ping","timestamp":{n}}}"#));
                other.expect("pong");
            }
            other
        });
        peer.send_text_and_violation(r#"{"type":"message","channel":"blue","content":0,"id":1}"#);
        let frames = peer.rest();
        assert!(frames.iter().any(|frame| frame.is("ack")), "{frames:?}");
        drop((peer, elsewhere.join().expect("it ran")));
        node.until_empty(2);
        node.finish();
    });
}

#[test]
fn a_hooks_answer_before_a_close_goes_out_before_the_close_is_answered() {
    explore("answer before a Close", &[], || {
        let mut node = Node::new(config(), 2);
        let mut peer = node.enter("ann", "blue", 40 + draw(200));
        peer.send_text_and_close(r#"{"type":"message","channel":"blue","content":0,"id":1}"#);
        let frames = peer.rest();
        assert!(frames.iter().any(|frame| frame.is("ack")), "{frames:?}");
        let close = frames.last().and_then(super::frames::Frame::code);
        assert_eq!(close, Some(1000));
        drop(peer);
        node.until_empty(1);
        node.finish();
    });
}

#[test]
fn a_close_behind_a_hook_is_answered_in_time() {
    explore("a Close behind a hook", &[], || {
        let mut node = Node::new(config(), 1);
        let mut peer = node.enter("ann", "blue", 1 << 20);
        // The hook of this message runs longer than its connection.
        peer.send_text_and_close(r#"{"type":"message","channel":"blue","content":"linger"}"#);
        pass_time_until(STEP, || {
            node.hub.stats().closes.contains_key("client_closed")
        });
        let frames = peer.rest();
        let close = frames.last().and_then(super::frames::Frame::code);
        assert_eq!(close, Some(1000));
        drop(peer);
        node.until_empty(1);
        node.finish();
    });
}

#[test]
fn a_newcomer_replaces_its_predecessor_while_messages_are_under_way() {
    explore("replaced", &[], || {
        let mut node = Node::new(config(), 2);
        let older = node.enter("ann", "blue", 60);
        let other = node.enter("bob", "blue", 80);
        let mut older = older;
        let publisher = publish(node.hub.clone());
        let old = thread::spawn(move || {
            let frames = older.rest();
            let close = frames.last().and_then(super::frames::Frame::code);
            assert_eq!(close, Some(1000));
        });
        let newer = node.enter("ann", "blue", 60);
        publisher.join().expect("it ran");
        old.join().expect("it ran");
        assert_eq!(node.hub.connections_of("ann").len(), 1);
        assert!(node.hub.is_connected("ann"));
        drop((newer, other));
        node.until_empty(3);
        node.finish();
    });
}

#[test]
fn any_thread_may_do_anything_at_any_time() {
    explore("commands", &[], || {
        let mut node = Node::new(config(), 2);
        let peers = [node.enter("ann", "blue", 90), node.enter("bob", "blue", 90)];
        let ids = node.hub.members("blue");
        let mut threads: Vec<JoinHandle<()>> = Vec::new();
        for (peer, ending) in peers
            .into_iter()
            .zip([Ending::Kicked, Ending::Disconnected])
        {
            threads.push(thread::spawn(move || live(peer, ending)));
        }
        for index in 0..2 {
            let (hub, ids) = (node.hub.clone(), ids.clone());
            threads.push(thread::spawn(move || {
                let _ = hub.join(ids[index], "green");
                let _ = hub.broadcast("green", "1");
                let _ = hub.leave(ids[1 - index], "blue");
                let _ = hub.send(ids[index], CoreFrame::text("{}"));
                let _ = hub.broadcast_all(CoreFrame::text("{}"), Exclude::NOBODY);
                end(
                    &hub,
                    "bob",
                    ids[0],
                    [Ending::Kicked, Ending::Disconnected][index],
                );
                let _ = hub.send(ids[index], CoreFrame::text("{}"));
            }));
        }
        let hub = node.hub.clone();
        threads.push(thread::spawn(move || {
            // Answered at the latest when the connection is gone.
            let ping = hub.ping_user("ann", Duration::from_secs(2));
            drop(shuttle::future::block_on(ping));
        }));
        for thread in threads {
            thread.join().expect("it ran");
        }
        node.until_empty(2);
        node.finish();
    });
}
