//! Writes queued data to the sockets, outside the lock.

use std::io;
use std::ops::Range;

use switchboard_core::{Chunk, ConnectionId, Event, Frame};

use crate::net::Socket;
use crate::node::{BLOCKED, Link, Locked, Shared};
use crate::sync::Arc;

/// Connections per turn.
const TURN: usize = 32;
/// Bytes taken for one connection per turn.
const CHUNK: usize = 64 << 10;
/// Buffered bytes above which no further connection is taken in a turn.
const BUFFER: usize = 256 << 10;

/// One connection's share of a turn.
struct Job {
    id: ConnectionId,
    link: Arc<Link>,
    payload: Payload,
    outcome: io::Result<usize>,
}

impl Job {
    /// Takes the next connection that has something to write.
    fn next(locked: &mut Locked) -> Option<Self> {
        loop {
            let id = locked.switchboard.poll_send()?;
            if let Some(link) = locked.link(id) {
                return Some(Self {
                    id,
                    link,
                    payload: Payload::Copied(0..0),
                    outcome: Ok(0),
                });
            }
        }
    }

    /// Takes its data.
    fn fill(&mut self, locked: &mut Locked, buffer: &mut Vec<u8>) {
        let start = buffer.len();
        self.payload = match locked.switchboard.transmit(self.id, buffer, CHUNK) {
            Chunk::Copied(bytes) => Payload::Copied(start..start + bytes),
            Chunk::Shared(frame, from) => Payload::Shared(frame, from),
            Chunk::Nothing => Payload::Copied(start..start),
        };
    }
}

enum Payload {
    Copied(Range<usize>),
    Shared(Frame, usize),
}

/// The outcome of a turn.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Written {
    /// Nothing was queued.
    Nothing,
    /// Every queued connection has had its turn.
    All,
    /// There is more.
    Partly,
}

/// Writes batches of queued data.
pub(crate) struct Writer {
    /// The index of its event loop; `None` for a writer that runs on behalf of a hook.
    index: Option<usize>,
    buffer: Vec<u8>,
    turn: Vec<Job>,
}

impl Writer {
    /// Creates a writer.
    pub(crate) const fn new(index: Option<usize>) -> Self {
        Self {
            index,
            buffer: Vec::new(),
            turn: Vec::new(),
        }
    }

    /// Takes one turn: collects data, writes it, reports the outcome.
    pub(crate) fn write_batch(&mut self, shared: &Shared) -> Written {
        if !shared.take_to_write() {
            if self.buffer.capacity() > CHUNK {
                self.buffer = Vec::new();
            }
            return Written::Nothing;
        }
        self.write_some(shared)
    }

    fn write_some(&mut self, shared: &Shared) -> Written {
        let more = self.take(shared);
        if self.turn.is_empty() {
            return Written::Nothing;
        }
        for job in &mut self.turn {
            let bytes = match &job.payload {
                Payload::Copied(range) => &self.buffer[range.clone()],
                Payload::Shared(frame, from) => &frame.as_bytes()[*from..],
            };
            job.outcome = write(&job.link, bytes);
        }
        self.report(shared);
        self.buffer.clear();
        if more { Written::Partly } else { Written::All }
    }

    /// Collects data for a turn. Returns whether there is more.
    ///
    /// The connections' state has left the caches since it was last used. Each step is done for all of them
    /// before the next step, so that the cache misses overlap.
    fn take(&mut self, shared: &Shared) -> bool {
        let Self { buffer, turn, .. } = self;
        let more = shared.with(|locked, _| {
            for _ in 0..locked.count_next(TURN, BUFFER, CHUNK) {
                turn.extend(Job::next(locked));
            }
            for job in &mut *turn {
                job.fill(locked, buffer);
            }
            // Shared frames take no room in the buffer, so there may be some left. Taking the next job also
            // removes connections from the list that have gone.
            while turn.len() < TURN && buffer.len() < BUFFER {
                let Some(mut job) = Job::next(locked) else {
                    break;
                };
                job.fill(locked, buffer);
                turn.push(job);
            }
            locked.switchboard.wants_write()
        });
        if more && !self.turn.is_empty() {
            // Let another thread help.
            shared.ring_for_writing(self.index);
        }
        more
    }

    fn report(&mut self, shared: &Shared) {
        shared.with(|locked, now| {
            for job in &self.turn {
                let event = match job.outcome {
                    Ok(written) => Event::Wrote(written),
                    Err(_) => Event::Reset,
                };
                // A stale id means that the connection has gone, so the outcome does not matter.
                let _ = locked.switchboard.handle(now, job.id, event);
            }
        });
        for job in self.turn.drain(..) {
            let wanted = match &job.payload {
                Payload::Copied(range) => range.len(),
                Payload::Shared(frame, from) => frame.as_bytes().len() - from,
            };
            if job.outcome.is_ok_and(|written| written < wanted) {
                job.link.signal(BLOCKED);
            }
        }
    }
}

/// Takes one turn of writing now, before an end that would discard queued data. Ignores the flag that
/// there is something to write, since another thread may have cleared it without having written yet.
pub(crate) fn flush_now(shared: &Shared) {
    Writer::new(None).write_some(shared);
}

/// Writes until all is written or the socket would block.
fn write(link: &Link, bytes: &[u8]) -> io::Result<usize> {
    let mut written = 0;
    while written < bytes.len() {
        match link.socket.try_write(&bytes[written..]) {
            Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
            Ok(more) => written += more,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => break,
            Err(error) => return Err(error),
        }
    }
    Ok(written)
}

#[cfg(test)]
mod tests {
    use std::net::{IpAddr, Ipv4Addr};

    use shuttle::Runner;
    use shuttle::scheduler::RandomScheduler;
    use switchboard_core::{Config, Handshake, Identity, Switchboard};

    use super::*;
    use crate::application::Application;
    use crate::hub::Hub;

    struct Nobody;

    impl Application for Nobody {}

    const HEAD: &[u8] = b"GET /ws HTTP/1.1\r\nHost: here\r\nUpgrade: websocket\r\n\
        Connection: Upgrade\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\
        Sec-WebSocket-Version: 13\r\n\r\n";

    fn who_goes_before_its_turn() {
        let hub = Hub::new(Config::default(), Nobody).expect("a good configuration");
        let shared = hub.shared();
        let mut handshake = Handshake::new(shared.handshake(false));
        let request = handshake.receive(HEAD).expect("it is legal");
        let mut request = request.expect("it is complete");
        let peer = IpAddr::V4(Ipv4Addr::LOCALHOST);
        request.set_peer(peer);
        shared.with(|locked, now| {
            let board = &mut locked.switchboard;
            let id = board.connect(now, peer).expect("a seat");
            board.request(now, id, &request).expect("it is there");
            let ann = Ok(Identity::user("ann"));
            board.authenticated(now, id, ann, None).expect("it is");
            board.handle(now, id, Event::Reset).expect("it is");
        });
        assert!(shared.read(Switchboard::wants_write));
        assert_eq!(Writer::new(None).write_batch(shared), Written::Nothing);
        assert!(!shared.read(Switchboard::wants_write));
    }

    #[test]
    fn who_goes_before_its_turn_does_not_stay_in_the_list() {
        // The default stack is too small for making a hub.
        let mut config = shuttle::Config::new();
        config.stack_size = 256 << 10;
        let runner = Runner::new(RandomScheduler::new(1), config);
        runner.run(who_goes_before_its_turn);
    }
}
