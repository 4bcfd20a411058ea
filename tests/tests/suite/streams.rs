//! Sockets that the application accepted, and streams other than sockets.

use std::future::pending;
use std::io;
use std::net::{IpAddr, Ipv4Addr};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll, Waker, ready};
use std::time::Duration;

use super::app::{Log, Plain};
use super::catalogue::covers;
use super::frames::{BINARY, CLOSE, TEXT, close, frame};
use super::peer::{Peer, upgrade};
use super::server::{raw, until};
use crate::rt::{
    self, Application, AsyncReadExt, AsyncWriteExt, Config, Connection, Denied, Frame, Hub,
    Identity, Message, Presence, Rates, Request, Wire,
};

covers! {
    a_writer_that_had_to_wait_goes_on:
        "S8", "a transport that takes 1 byte at a time" => "every frame whole and in order";
}

const PEER: IpAddr = IpAddr::V4(Ipv4Addr::new(192, 0, 2, 7));

struct Scene {
    runtime: rt::Runtime,
    hub: Hub,
    log: Log,
}

fn scene(threads: usize, wire: Wire) -> Scene {
    super::logs::capture();
    let runtime = rt::Runtime::new(threads);
    let app = Plain::default();
    let log = app.log.clone();
    let mut config = Config {
        wire,
        rates: Rates::unlimited(),
        presence: Presence {
            enabled: false,
            ..Presence::default()
        },
        ..Config::default()
    };
    config.limits.queue_bytes = 16 << 20;
    config.limits.queue_messages = 1 << 20;
    config.limits.message_bytes = 1 << 20;
    config.timeouts.write_stall = Duration::from_secs(300);
    config.health.ping_interval = Duration::from_secs(300 * 86_400);
    let hub = Hub::new(config, app)
        .expect("a configuration")
        .spawn_on(runtime.executor());
    Scene { runtime, hub, log }
}

impl Scene {
    fn until_users(&self, count: usize) {
        let users = || self.hub.stats().users;
        until("so many users", || users() == count, users);
        assert_eq!(self.hub.audit(), Ok(()));
    }
}

/// A stream that, like TLS, sends buffered bytes only when flushed, and can be flushed only once
/// the test allows it.
pub(crate) struct Held<S> {
    pub(crate) stream: S,
    pub(crate) bytes: Vec<u8>,
    pub(crate) gate: Arc<Gate>,
}

impl<S> Held<S> {
    /// Sends the buffered bytes by `write`, once the test allows it.
    pub(crate) fn poll_send(
        &mut self,
        context: &mut Context<'_>,
        write: impl Fn(&mut S, &mut Context<'_>, &[u8]) -> Poll<io::Result<usize>>,
    ) -> Poll<io::Result<()>> {
        while !self.bytes.is_empty() {
            ready!(self.gate.poll_open(context));
            let sent = ready!(write(&mut self.stream, context, &self.bytes))?;
            self.bytes.drain(..sent);
        }
        Poll::Ready(Ok(()))
    }
}

/// The test's view of a [`Held`] stream.
#[derive(Default)]
pub(crate) struct Gate(Mutex<GateState>);

#[derive(Default)]
struct GateState {
    open: bool,
    waiting: Option<Waker>,
    /// Bytes read from the stream.
    read: usize,
}

impl Gate {
    pub(crate) fn poll_open(&self, context: &Context<'_>) -> Poll<()> {
        let mut state = self.lock();
        if state.open {
            return Poll::Ready(());
        }
        state.waiting = Some(context.waker().clone());
        Poll::Pending
    }

    pub(crate) fn count_read(&self, bytes: usize) {
        self.lock().read += bytes;
    }

    fn open(&self) {
        let waiting = {
            let mut state = self.lock();
            state.open = true;
            state.waiting.take()
        };
        if let Some(waiting) = waiting {
            waiting.wake();
        }
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, GateState> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Waits inside the runtime for a condition.
async fn until_it_is(mut condition: impl FnMut() -> bool) {
    while !condition() {
        rt::sleep(Duration::from_millis(1)).await;
    }
}

/// An application whose message hook never returns.
struct Busy;

impl Application for Busy {
    async fn authenticate(&self, _: &Request) -> Result<Identity, Denied> {
        Ok(Identity::user("ann"))
    }

    async fn on_message(&self, _: &Connection, _: Message) -> Result<(), Denied> {
        pending().await
    }
}

/// Reads the head of the response, and nothing after it.
async fn read_head(stream: &mut (impl AsyncReadExt + Unpin)) -> String {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        let mut byte = [0];
        let read = stream.read(&mut byte).await.expect("a byte");
        assert_eq!(
            read,
            1,
            "the end after {:?}",
            String::from_utf8_lossy(&head)
        );
        head.push(byte[0]);
    }
    String::from_utf8(head).expect("text")
}

/// Returns the next frame's payload, of at most 64 KiB.
async fn read_frame(stream: &mut (impl AsyncReadExt + Unpin)) -> (u8, Vec<u8>) {
    let mut header = [0; 2];
    stream.read_exact(&mut header).await.expect("a header");
    let length = match header[1] {
        126 => {
            let mut length = [0; 2];
            stream.read_exact(&mut length).await.expect("a length");
            u16::from_be_bytes(length) as usize
        }
        127 => panic!("longer than 64 KiB"),
        short => short as usize,
    };
    let mut payload = vec![0; length];
    stream.read_exact(&mut payload).await.expect("a payload");
    (header[0], payload)
}

#[test]
fn a_socket_may_be_handed_over_with_the_bytes_that_were_read() {
    let scene = scene(1, Wire::Raw);
    let request = upgrade("/ws/blue?token=s3cr3t-ann", &[]);
    for early in [0, 1, 20, request.len()] {
        let listener = scene.runtime.run(rt::bind());
        let address = listener.local_addr().expect("an address");
        let mut peer = Peer::connect(address);
        peer.send(&request);
        let hub = scene.hub.clone();
        scene.runtime.run(async move {
            let (mut stream, _) = listener.accept().await.expect("a stream");
            let mut read = vec![0; early];
            stream.read_exact(&mut read).await.expect("bytes");
            hub.accept(stream, read).expect("taken");
        });
        assert_eq!(peer.head().status, 101, "{early}");
        peer.say("hello");
        assert_eq!(peer.text(), "hello");
        peer.leave();
        scene.until_users(0);
    }
    assert_eq!(scene.log.count("text ann 5"), 4);
}

#[test]
fn any_stream_will_do() {
    let scene = scene(1, Wire::Raw);
    let (near, mut far) = rt::pipe(4_096);
    let hub = scene.hub.clone();
    scene.runtime.run(async move {
        hub.accept_stream(near, PEER, Vec::new()).expect("taken");
        let request = upgrade("/ws/blue?token=s3cr3t-ann", &[]);
        far.write_all(&request).await.expect("written");
        let head = read_head(&mut far).await;
        assert!(head.starts_with("HTTP/1.1 101"), "{head}");
        far.write_all(&frame(TEXT, b"hello"))
            .await
            .expect("written");
        assert_eq!(read_frame(&mut far).await, (0x80 | TEXT, b"hello".to_vec()));
        far.write_all(&close(1000, b"")).await.expect("written");
        let (first, payload) = read_frame(&mut far).await;
        assert_eq!((first, &payload[..2]), (0x80 | CLOSE, &[3, 232][..]));
        let mut rest = Vec::new();
        far.read_to_end(&mut rest).await.expect("the end");
        assert_eq!(rest, b"");
    });
    scene.log.until_has("disconnect ann [blue] client_closed");
    scene.until_users(0);
}

#[test]
fn an_upgraded_stream_begins_with_frames() {
    let scene = scene(1, Wire::Raw);
    let (near, mut far) = rt::pipe(4_096);
    let hub = scene.hub.clone();
    scene.runtime.run(async move {
        let headers = [
            ("Host", "localhost"),
            ("Authorization", "Bearer s3cr3t-ann"),
        ];
        let request = Request::upgraded("/chat", Some("blue".into()), headers);
        let early = [frame(TEXT, b"one"), frame(TEXT, b"two")[..3].to_vec()].concat();
        hub.accept_upgraded(near, PEER, request.expect("a request"), early)
            .expect("taken");
        far.write_all(&frame(TEXT, b"two")[3..])
            .await
            .expect("written");
        for text in ["one", "two"] {
            assert_eq!(read_frame(&mut far).await.1, text.as_bytes());
        }
    });
    scene.log.until_has("disconnect ann [blue] eof");
}

#[test]
fn an_upgraded_stream_is_refused_by_close() {
    let scene = scene(1, Wire::Raw);
    let (near, mut far) = rt::pipe(4_096);
    let hub = scene.hub.clone();
    scene.runtime.run(async move {
        let headers = [("Authorization", "Bearer wrong")];
        let request = Request::upgraded("/chat", None, headers).expect("a request");
        hub.accept_upgraded(near, PEER, request, Vec::new())
            .expect("taken");
        let (first, payload) = read_frame(&mut far).await;
        assert_eq!(
            (first, &payload[..2]),
            (0x80 | CLOSE, &4001_u16.to_be_bytes()[..])
        );
    });
    assert_eq!(scene.log.lines(), [""; 0]);
}

/// Sends frames to a client behind a narrow pipe that reads them only later.
fn squeeze(scene: &Scene, capacity: usize, count: usize, size: usize) {
    let (near, mut far) = rt::pipe(capacity);
    let hub = scene.hub.clone();
    let request = Request::upgraded("/ws?token=s3cr3t-ann", None, [("Host", "a")]);
    hub.accept_upgraded(near, PEER, request.expect("a request"), Vec::new())
        .expect("taken");
    scene.until_users(1);
    let payload = vec![7; size];
    for _ in 0..count {
        let sent = hub.send_to_user("ann", Frame::binary(&payload));
        assert_eq!(sent.expect("sent").accepted, 1);
    }
    scene.runtime.run(async move {
        for _ in 0..count {
            let (first, payload) = read_frame(&mut far).await;
            assert_eq!((first, payload.len()), (0x80 | BINARY, size));
        }
    });
    scene.until_users(0);
}

#[test]
fn a_writer_that_had_to_wait_goes_on() {
    for threads in [1, 2] {
        let scene = scene(threads, Wire::Raw);
        for capacity in [1, 64, 1_000, 100_000] {
            squeeze(&scene, capacity, 20, 2_000);
        }
        for _ in 0..20 {
            squeeze(&scene, 512, 40, 3_000);
        }
    }
}

#[test]
fn both_ways_at_once_do_not_stop_each_other() {
    let scene = scene(2, Wire::Raw);
    for capacity in [64, 512, 10_000] {
        let (near, mut far) = rt::pipe(capacity);
        let hub = scene.hub.clone();
        let request = Request::upgraded("/ws?token=s3cr3t-ann", None, [("Host", "a")]);
        hub.accept_upgraded(near, PEER, request.expect("a request"), Vec::new())
            .expect("taken");
        scene.runtime.run(async move {
            // Writes everything before it reads the first echo.
            for number in 0..100_u8 {
                let sent = frame(BINARY, &vec![number; 1_000]);
                far.write_all(&sent).await.expect("written");
            }
            for number in 0..100_u8 {
                assert_eq!(read_frame(&mut far).await.1, vec![number; 1_000]);
            }
        });
        scene.until_users(0);
    }
}

#[test]
fn the_last_handle_ends_every_connection() {
    let Scene { runtime, hub, log } = scene(1, Wire::Json);
    let listener = runtime.run(rt::bind());
    let address = listener.local_addr().expect("an address");
    let accepting = hub.clone();
    let mut peer = Peer::connect(address);
    runtime.run(async move {
        let (stream, _) = listener.accept().await.expect("a stream");
        accepting.accept(stream, Vec::new()).expect("taken");
    });
    peer.send(&upgrade("/ws/blue?token=s3cr3t-ann", &[]));
    assert_eq!(peer.head().status, 101);
    peer.expect("welcome");
    log.until(&["connect ann"]);
    drop(hub);
    peer.gone();
    log.until(&["connect ann", "disconnect ann [blue] shutdown"]);
}

#[test]
fn a_pending_flush_is_retried_while_reading_pauses() {
    let runtime = rt::Runtime::new(1);
    let mut config = raw();
    // Nothing else may be written meanwhile, because that would flush too.
    config.timeouts.hook = Duration::from_secs(300);
    config.health.ping_interval = Duration::from_secs(300 * 86_400);
    let hub = Hub::new(config, Busy)
        .expect("a configuration")
        .spawn_on(runtime.executor());
    // The executor has one thread, so a task's turn is complete when the test looks.
    runtime.run(async move {
        let (stream, mut far) = rt::pipe(100_000);
        let gate = Arc::new(Gate::default());
        let near = Held {
            stream,
            bytes: Vec::new(),
            gate: gate.clone(),
        };
        let request = Request::upgraded("/ws", None, [("Host", "a")]).expect("a request");
        hub.accept_upgraded(near, PEER, request, Vec::new())
            .expect("taken");
        until_it_is(|| hub.stats().users == 1).await;
        // More than may wait behind a busy hook.
        let messages = frame(TEXT, b"hello").repeat(100);
        far.write_all(&messages).await.expect("written");
        until_it_is(|| gate.lock().read == messages.len()).await;
        let sent = hub.send_to_user("ann", Frame::text("now")).expect("sent");
        assert_eq!(sent.accepted, 1);
        until_it_is(|| gate.lock().waiting.is_some()).await;
        gate.open();
        let (first, payload) = read_frame(&mut far).await;
        assert_eq!((first, payload), (0x80 | TEXT, b"now".to_vec()));
    });
}
