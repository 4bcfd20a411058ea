//! The load generator: one thread and one epoll set, which checks every delivery.

mod connection;
mod dialect;
mod histogram;
mod inflating;
mod pace;
mod publisher;
mod receive;

use std::io;
use std::mem::{MaybeUninit, take};
use std::net::SocketAddrV4;
use std::os::fd::OwnedFd;
use std::time::{Duration, Instant};

use rustix::event::Timespec;
use rustix::event::epoll::{self, CreateFlags, Event, EventData, EventFlags};
use rustix::io::{Errno, read};

pub(crate) use self::connection::Plan;
use self::connection::{Connection, Stage};
pub(crate) use self::dialect::Dialect;
pub(crate) use self::histogram::Histogram;
use self::inflating::Inflating;
pub(crate) use self::pace::Pace;
use self::publisher::Publisher;
use crate::wire::{self, Reader, TEXT, To};

/// Events per wait.
const EVENTS: usize = 512;
/// Bytes per read.
const SCRATCH: usize = 256 << 10;
/// Concurrent connects: fewer than a listener's backlog or a server's handshake seats.
const PENDING: usize = 64;
/// How long a connect, or the last delivery, may take.
const PATIENCE: Duration = Duration::from_secs(20);

/// What was received.
#[derive(Clone, Debug, Default)]
pub(crate) struct Tally {
    pub(crate) deliveries: u64,
    pub(crate) published: u64,
    pub(crate) bytes: u64,
    pub(crate) pings: u64,
    /// The server's own messages: welcomes, presence.
    pub(crate) notices: u64,
    /// Clients that have got all that they missed.
    pub(crate) recovered: u64,
    /// Gaps in publishers' numbers, and messages missing at the end.
    pub(crate) lost: u64,
    pub(crate) reordered: u64,
    /// Damaged messages, and messages at the wrong connection.
    pub(crate) wrong: u64,
    /// Connections that the server ended unexpectedly.
    pub(crate) closed: u64,
    pub(crate) latency: Histogram,
}

/// The load generator.
pub(crate) struct Load {
    epoll: OwnedFd,
    /// Connections are spread over them by user.
    servers: Vec<SocketAddrV4>,
    dialect: Dialect,
    started: Instant,
    connections: Vec<Connection>,
    rooms: Vec<Vec<usize>>,
    publishers: Vec<Publisher>,
    /// Publishers whose message has arrived everywhere.
    ready: Vec<usize>,
    /// Connections with queued bytes.
    writing: Vec<usize>,
    opened: usize,
    now: u64,
    scratch: Vec<u8>,
    reader: Reader,
    /// Bytes of content per message.
    content: usize,
    /// Whether the content is words.
    words: bool,
    /// There where clients offer to inflate messages.
    inflating: Option<Inflating>,
    /// The epoch of the first room, and its last number.
    position: Option<(String, u64)>,
    text: Vec<u8>,
    pub(crate) tally: Tally,
}

impl Load {
    pub(crate) fn new(
        servers: Vec<SocketAddrV4>,
        dialect: Dialect,
        content: usize,
    ) -> io::Result<Self> {
        Ok(Self {
            epoll: epoll::create(CreateFlags::CLOEXEC)?,
            servers,
            dialect,
            started: Instant::now(),
            connections: Vec::new(),
            rooms: Vec::new(),
            publishers: Vec::new(),
            ready: Vec::new(),
            writing: Vec::new(),
            opened: 0,
            now: 0,
            scratch: vec![0; SCRATCH],
            reader: Reader::new(),
            content: content.max(wire::CONTENT_MIN),
            words: false,
            inflating: None,
            position: None,
            text: Vec::new(),
            tally: Tally::default(),
        })
    }

    /// Opens connections until all are upgraded.
    pub(crate) fn open(&mut self, plans: impl IntoIterator<Item = Plan>) -> io::Result<()> {
        let mut plans = plans.into_iter();
        let mut last = Instant::now();
        loop {
            let before = self.opened;
            while self.connections.len() - self.opened < PENDING {
                let Some(plan) = plans.next() else { break };
                self.start(plan)?;
            }
            if self.opened == self.connections.len() {
                return Ok(());
            }
            self.turn(Duration::from_millis(100))?;
            if self.opened > before {
                last = Instant::now();
            } else if last.elapsed() > PATIENCE {
                return Err(io::Error::other("connections are not accepted"));
            }
        }
    }

    fn start(&mut self, plan: Plan) -> io::Result<()> {
        let server = self.servers[plan.user % self.servers.len()];
        let connection = Connection::start(server, plan)?;
        let index = self.connections.len();
        epoll::add(
            &self.epoll,
            &connection.fd,
            EventData::new_u64(index as u64),
            EventFlags::OUT,
        )?;
        if self.rooms.len() <= plan.room {
            self.rooms.resize_with(plan.room + 1, Vec::new);
        }
        self.rooms[plan.room].push(index);
        self.connections.push(connection);
        Ok(())
    }

    /// Makes a connection a publisher to its room.
    pub(crate) fn publish_to_room(&mut self, connection: usize) {
        let room = self.connections[connection].plan.room;
        let members = &self.rooms[room];
        let mut audience = 0;
        let place = self.connections[members[0]].next.len();
        for &member in members {
            self.connections[member].next.push(0);
            audience += u32::from(!self.connections[member].plan.stalled);
        }
        let publisher = Publisher::new(connection, To::Room(room), place, audience);
        self.publishers.push(publisher);
    }

    /// Makes a connection a publisher to another's user.
    pub(crate) fn publish_to_user(&mut self, connection: usize, to: usize) {
        let place = self.connections[to].next.len();
        self.connections[to].next.push(0);
        let to = To::User(self.connections[to].plan.user);
        self.publishers
            .push(Publisher::new(connection, to, place, 1));
    }

    /// Sets the bytes of content of further messages.
    pub(crate) fn set_content(&mut self, bytes: usize) {
        self.content = bytes.max(wire::CONTENT_MIN);
    }

    /// Fills further messages with words, which compress like prose.
    pub(crate) fn say_words(&mut self) {
        self.words = true;
    }

    /// Lets clients offer to inflate messages, each by itself.
    pub(crate) fn offer_to_inflate(&mut self) {
        self.inflating = Some(Inflating::default());
    }

    /// Only receives, for this time.
    pub(crate) fn settle(&mut self, time: Duration) -> io::Result<()> {
        let end = Instant::now() + time;
        while let Some(left) = end.checked_duration_since(Instant::now()) {
            self.turn(left)?;
        }
        Ok(())
    }

    /// Receives until all clients have got what they missed.
    pub(crate) fn recover(&mut self, clients: u64) -> io::Result<()> {
        let end = Instant::now() + PATIENCE;
        while self.tally.recovered < clients && Instant::now() < end {
            self.turn(Duration::from_millis(10))?;
        }
        self.tally.lost += clients - self.tally.recovered;
        Ok(())
    }

    /// Returns the counts and resets them.
    pub(crate) fn take_tally(&mut self) -> Tally {
        take(&mut self.tally)
    }

    /// Returns how many of the stalled connections were closed; reads what they were sent.
    pub(crate) fn count_closed_stalled(&mut self) -> usize {
        let mut buffer = take(&mut self.scratch);
        let end = Instant::now() + Duration::from_secs(3);
        let mut open: Vec<usize> = (0..self.connections.len())
            .filter(|&index| self.connections[index].plan.stalled)
            .collect();
        let all = open.len();
        while !open.is_empty() && Instant::now() < end {
            open.retain(
                |&index| match read(&self.connections[index].fd, &mut buffer[..]) {
                    Ok(0) => false,
                    Ok(_) | Err(Errno::AGAIN) => true,
                    Err(_) => false,
                },
            );
        }
        self.scratch = buffer;
        all - open.len()
    }

    fn nanos(&self) -> u64 {
        self.started.elapsed().as_nanos() as u64
    }

    /// Writes each message separately, as unrelated messages would be. How many a server finds in
    /// one read is up to the server.
    fn publish(&mut self, publisher: usize, since: u64) -> io::Result<()> {
        let found = &mut self.publishers[publisher];
        let number = found.publish(since);
        self.text.clear();
        let to = &found.to;
        self.dialect
            .put_message(&mut self.text, to, publisher, number, self.content);
        if self.words {
            wire::put_words(&mut self.text, number);
        }
        let index = found.connection;
        wire::put_client_frame(&mut self.connections[index].out, TEXT, &self.text);
        self.tally.published += 1;
        self.write(index)
    }

    fn write_all(&mut self) -> io::Result<()> {
        while let Some(index) = self.writing.pop() {
            self.write(index)?;
        }
        Ok(())
    }

    fn write(&mut self, index: usize) -> io::Result<()> {
        let connection = &mut self.connections[index];
        if connection.stage == Stage::Closed {
            connection.out.clear();
            return Ok(());
        }
        match connection.flush() {
            Ok(true) => Ok(()),
            Ok(false) => self.watch(index, EventFlags::IN | EventFlags::OUT),
            Err(_) => self.lose(index),
        }
    }

    fn watch(&self, index: usize, flags: EventFlags) -> io::Result<()> {
        let data = EventData::new_u64(index as u64);
        Ok(epoll::modify(
            &self.epoll,
            &self.connections[index].fd,
            data,
            flags,
        )?)
    }

    /// Waits for events and handles them.
    fn turn(&mut self, timeout: Duration) -> io::Result<()> {
        let timeout = Timespec {
            tv_sec: timeout.as_secs().try_into().unwrap_or(i64::MAX),
            tv_nsec: timeout.subsec_nanos().into(),
        };
        let mut events = [MaybeUninit::<Event>::uninit(); EVENTS];
        let (events, _) = match epoll::wait(&self.epoll, &mut events[..], Some(&timeout)) {
            Ok(events) => events,
            Err(Errno::INTR) => return Ok(()),
            Err(error) => return Err(error.into()),
        };
        for event in &*events {
            let (data, flags) = (event.data, event.flags);
            let index = data.u64() as usize;
            if flags.contains(EventFlags::OUT) {
                self.writable(index)?;
            }
            if flags.intersects(EventFlags::IN | EventFlags::HUP | EventFlags::ERR) {
                self.readable(index)?;
            }
        }
        self.write_all()
    }

    fn writable(&mut self, index: usize) -> io::Result<()> {
        if self.connections[index].stage == Stage::Connecting {
            let missed = self.connections[index].plan.missed;
            let since = match &self.position {
                Some((epoch, seq)) if missed > 0 => {
                    format!("&since={epoch}.{}", seq - u64::from(missed))
                }
                _ => String::new(),
            };
            let plan = &self.connections[index].plan;
            let target = self.dialect.target(plan, &since);
            let offers = self.inflating.is_some();
            self.connections[index].request(&target, offers)?;
            return self.watch(index, EventFlags::IN);
        }
        if self.connections[index].flush().is_ok_and(|all| all) {
            self.watch(index, EventFlags::IN)?;
        }
        Ok(())
    }

    fn readable(&mut self, index: usize) -> io::Result<()> {
        let connection = &mut self.connections[index];
        if matches!(connection.stage, Stage::Closed | Stage::Connecting) {
            return Ok(());
        }
        let mut scratch = take(&mut self.scratch);
        match read(&connection.fd, &mut scratch[..]) {
            Ok(bytes) if bytes > 0 => self.receive(index, &scratch[..bytes])?,
            Err(Errno::AGAIN | Errno::INTR) => {}
            Ok(_) | Err(_) => self.lose(index)?,
        }
        self.scratch = scratch;
        Ok(())
    }

    /// The server ended a connection.
    fn lose(&mut self, index: usize) -> io::Result<()> {
        let connection = &mut self.connections[index];
        if connection.stage != Stage::Closed {
            let upgraded = connection.stage == Stage::Open;
            connection.stage = Stage::Closed;
            epoll::delete(&self.epoll, &connection.fd)?;
            if !upgraded {
                return Err(io::Error::other(
                    "a connection ended before it was upgraded",
                ));
            }
            self.tally.closed += 1;
            if self.tally.closed == self.opened as u64 {
                return Err(io::Error::other("the server has ended all connections"));
            }
        }
        Ok(())
    }
}
