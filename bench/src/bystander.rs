//! The round trip of a ping of somebody else, while a large room gets messages.

use std::io::{self, Read, Write};
use std::net::{SocketAddrV4, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use crate::load::Histogram;
use crate::measure::{SETTLE, Trial};
use crate::wire::{self, KEY, PING, PONG};
use crate::workload::Rooms;

/// The time between two pings: within the rate of messages that servers allow.
const PAUSE: Duration = Duration::from_millis(20);
/// How long a ping may take.
const PATIENCE: Duration = Duration::from_secs(10);

/// A connection that pings, on a thread of its own, so that the load generator's work is not
/// measured.
struct Bystander {
    stop: Arc<AtomicBool>,
    thread: thread::JoinHandle<io::Result<Histogram>>,
}

impl Bystander {
    fn start(server: SocketAddrV4) -> io::Result<Self> {
        let mut stream = TcpStream::connect(server)?;
        stream.set_nodelay(true)?;
        stream.set_read_timeout(Some(PATIENCE))?;
        let request = format!(
            "GET /ws/elsewhere?token=bystander HTTP/1.1\r\nHost: {server}\r\nUpgrade: websocket\r\n\
             Connection: Upgrade\r\nSec-WebSocket-Key: {KEY}\r\nSec-WebSocket-Version: 13\r\n\r\n"
        );
        stream.write_all(request.as_bytes())?;
        let stop = Arc::new(AtomicBool::new(false));
        let stopped = stop.clone();
        let thread = thread::spawn(move || ping(stream, &stopped));
        Ok(Self { stop, thread })
    }

    /// Returns the round trips so far.
    fn stop(self) -> io::Result<Histogram> {
        self.stop.store(true, Ordering::Relaxed);
        let failed = |_| io::Error::other("the bystander's thread panicked");
        self.thread.join().map_err(failed)?
    }
}

fn ping(mut stream: TcpStream, stopped: &AtomicBool) -> io::Result<Histogram> {
    let (mut times, mut input, mut number) = (Histogram::default(), Vec::new(), 0_u64);
    let mut is_open = false;
    while !stopped.load(Ordering::Relaxed) {
        number += 1;
        let payload = number.to_be_bytes();
        let mut out = Vec::new();
        wire::put_client_frame(&mut out, PING, &payload);
        let sent = Instant::now();
        stream.write_all(&out)?;
        while !take_pong(&mut input, &mut is_open, &payload) {
            let mut buffer = [0; 4 << 10];
            match stream.read(&mut buffer)? {
                0 => return Err(io::Error::other("the bystander was closed")),
                bytes => input.extend(&buffer[..bytes]),
            }
        }
        times.add(sent.elapsed().as_nanos() as u64);
        thread::sleep(PAUSE);
    }
    Ok(times)
}

/// Consumes what has arrived; returns whether the pong was there.
fn take_pong(input: &mut Vec<u8>, is_open: &mut bool, payload: &[u8]) -> bool {
    if !*is_open {
        let Some(end) = memchr::memmem::find(input, b"\r\n\r\n") else {
            return false;
        };
        input.drain(..end + 4);
        *is_open = true;
    }
    let mut found = false;
    while let Some(head) = wire::header(input) {
        let end = head.bytes + head.payload;
        if input.len() < end {
            break;
        }
        found |= head.opcode == PONG && &input[head.bytes..end] == payload;
        input.drain(..end);
    }
    found
}

impl Trial {
    pub(crate) fn bystander(&mut self, rooms: Rooms) -> io::Result<()> {
        self.open_rooms(rooms)?;
        let at_rest = Bystander::start(self.process.address)?;
        self.load.settle(SETTLE * 2)?;
        let rest = at_rest.stop()?;
        self.run.set("rest_p90_us", rest.quantile(0.9));
        self.run.check(&self.load.take_tally());
        let bystander = Bystander::start(self.process.address)?;
        let before = self.reading()?;
        self.load
            .run(rooms.pace, self.scale.time.max(Duration::from_secs(3)))?;
        let after = self.reading()?;
        let times = bystander.stop()?;
        let tally = self.load.take_tally();
        self.run.check(&tally);
        self.run.cpu(after.since(&before), tally.deliveries);
        for (key, part) in [
            ("ping_p50_us", 0.5),
            ("ping_p90_us", 0.9),
            ("ping_p99_us", 0.99),
        ] {
            self.run.set(key, times.quantile(part));
        }
        Ok(())
    }
}
