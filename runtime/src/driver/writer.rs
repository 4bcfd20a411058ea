//! Writes queued data to the sockets, outside the lock.

use std::hint::black_box;
use std::io;

use switchboard_core::WriteTurn;

use crate::net::Socket;
use crate::node::{BLOCKED, Link, Shared};
use crate::sync::Arc;

/// Connections per turn.
const TURN: usize = 32;
/// Connections whose links are read together before each is written to. What the kernel does for one write
/// displaces them from the cache.
const PREFETCH: usize = 4;

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

/// Writes batches of queued frames.
pub(crate) struct Writer {
    /// The index of its event loop; `None` for a writer that runs on behalf of a hook.
    index: Option<usize>,
    turn: WriteTurn,
    /// The link of each connection in the turn, unless it is about to go.
    links: Vec<Option<Arc<Link>>>,
    /// Links whose sockets take no more bytes.
    blocked: Vec<Arc<Link>>,
}

impl Writer {
    /// Creates a writer.
    pub(crate) fn new(index: Option<usize>) -> Self {
        Self {
            index,
            turn: WriteTurn::default(),
            links: Vec::new(),
            blocked: Vec::new(),
        }
    }

    /// Takes one turn: collects data, writes it, reports the outcome.
    pub(crate) fn write_batch(&mut self, shared: &Shared) -> Written {
        if !shared.take_to_write() {
            self.turn.give_back();
            return Written::Nothing;
        }
        self.write_some(shared)
    }

    fn write_some(&mut self, shared: &Shared) -> Written {
        let more = self.take(shared);
        if self.turn.is_empty() {
            return if more {
                Written::Partly
            } else {
                Written::Nothing
            };
        }
        let mut links = self.links.drain(..);
        for at in 0..self.turn.len() {
            if at % PREFETCH == 0 {
                let next = links.as_slice().iter().take(PREFETCH).flatten();
                black_box(next.fold(0, |words, link| words ^ link.socket.fetch()));
            }
            let link = links.next().flatten();
            let Some((_, bytes)) = self.turn.job(at) else {
                break;
            };
            let wanted = bytes.len();
            match link.as_ref().map(|link| write(link, bytes)) {
                Some(Ok(written)) => {
                    self.turn.wrote(at, written);
                    self.blocked.extend(link.filter(|_| written < wanted));
                }
                Some(Err(_)) | None => self.turn.failed(at),
            }
        }
        drop(links);
        shared.with(|locked, now| locked.switchboard.report(now, &mut self.turn));
        for link in self.blocked.drain(..) {
            link.signal(BLOCKED);
        }
        if more { Written::Partly } else { Written::All }
    }

    /// Collects data for a turn. Returns whether there is more.
    fn take(&mut self, shared: &Shared) -> bool {
        let Self { turn, links, .. } = self;
        let more = shared.with(|locked, _| {
            locked.switchboard.take_turn(turn, TURN);
            let jobs = (0..turn.len()).filter_map(|at| turn.job(at));
            locked.add_links(jobs.map(|(id, _)| id), links);
            locked.switchboard.wants_write()
        });
        if more && !self.turn.is_empty() {
            // Let another thread help.
            shared.ring_for_writing(self.index);
        }
        more
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
    use switchboard_core::{Config, Event, Handshake, Identity, Switchboard};

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
