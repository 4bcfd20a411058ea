//! Turns of an event loop: many ready sockets, and hooks that block the loop.

use std::sync::Mutex;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::time::Duration;

use super::frames::{BINARY, frame};
use super::peer::Peer;
use super::server::Server;
use crate::rt::{
    self, Application, Config, Connection, Denied, Health, Limits, Message, Rates, Wire,
};

/// Events that a loop takes at a time.
const EVENTS: usize = 256;

/// Echoes messages; `hold` blocks the thread until the test releases it.
struct Holding {
    held: Sender<()>,
    go_on: Mutex<Receiver<()>>,
}

impl Application for Holding {
    async fn on_message(&self, client: &Connection, message: Message) -> Result<(), Denied> {
        match message {
            Message::Text(text) if text == "hold" => {
                self.held.send(()).expect("the test listens");
                let go_on = self.go_on.lock().expect("one holds at a time");
                let _ = go_on.recv_timeout(Duration::from_secs(10));
            }
            Message::Text(text) => drop(client.send_text(&text)),
            _ => {}
        }
        Ok(())
    }
}

struct Scene {
    server: Server,
    held: Receiver<()>,
    go_on: Sender<()>,
}

fn scene(threads: usize) -> Scene {
    let never = Duration::from_secs(30_000_000);
    let config = Config {
        wire: Wire::Raw,
        rates: Rates::unlimited(),
        limits: Limits {
            handshakes: 2 * EVENTS,
            per_ip: 2 * EVENTS,
            ..Limits::default()
        },
        health: Health {
            ping_interval: never,
            ..Health::default()
        },
        ..Config::default()
    };
    let ((held, hears), (go_on, waits)) = (channel(), channel());
    let application = Holding {
        held,
        go_on: Mutex::new(waits),
    };
    Scene {
        server: Server::with_threads(threads, config, application),
        held: hears,
        go_on,
    }
}

fn hear(peer: &mut Peer, text: &str) {
    peer.say(text);
    assert_eq!(peer.frame().payload, text.as_bytes());
}

#[test]
fn a_message_behind_a_full_batch_of_events_is_heard() {
    let scene = scene(1);
    let mut holder = scene.server.client("/ws");
    let mut peers: Vec<Peer> = (0..EVENTS).map(|_| scene.server.client("/ws")).collect();
    hear(&mut holder, "all are in");
    holder.say("hold");
    scene.held.recv().expect("it stands still");
    for peer in &mut peers {
        peer.send(&frame(BINARY, b""));
    }
    scene.go_on.send(()).expect("it waits");
    // These messages cause no output, and so no further turn.
    let heard = EVENTS as u64 + 2;
    scene
        .server
        .until("all are heard", |stats| stats.messages_in == heard);
    hear(&mut peers[0], "hello");
}

#[test]
fn a_hook_that_stands_still_holds_up_no_other_thread() {
    let scene = scene(2);
    // One connection per thread.
    let mut peers: Vec<Peer> = (0..2).map(|_| scene.server.client("/ws")).collect();
    peers[0].say("hold");
    scene.held.recv().expect("it stands still");
    let frame = rt::Frame::text("hello");
    let receipt = scene.server.hub.broadcast_all(frame, rt::Exclude::NOBODY);
    assert_eq!(receipt.expect("short").accepted, 2);
    assert_eq!(peers[1].frame().payload, b"hello");
    scene.go_on.send(()).expect("it waits");
}
