//! The floor: an epoll loop that writes the content of each read to every member and does nothing
//! else. It has no JSON, policies, answers or checks, so it is a lower bound for any server.
//! Optionally it announces newcomers to a room, which is the lower bound of presence.

use std::collections::{HashMap, VecDeque};
use std::io;
use std::mem::{MaybeUninit, take};
use std::net::TcpListener;
use std::os::fd::OwnedFd;
use std::time::{Duration, Instant};

use rustix::event::Timespec;
use rustix::event::epoll::{self, CreateFlags, Event, EventData, EventFlags};
use rustix::io::{Errno, read};
use rustix::net::{SendFlags, SocketFlags, accept_with, send, sockopt};
use tokio_tungstenite::tungstenite::handshake::derive_accept_key;

use super::QUEUE_BYTES;
use super::floor_frames::Brought;
use crate::wire;

const LISTENER: u64 = u64::MAX;
const SCRATCH: usize = 64 << 10;
const NOBODY: usize = usize::MAX;
const PING: [u8; 2] = [0x89, 0];
/// The interval over which newcomers are collected; Switchboard's default.
const INTERVAL: Duration = Duration::from_millis(250);
/// The shortest announcement of a newcomer.
const NEWS: &[u8] = b"\x81\x13{\"type\":\"presence\"}";

struct Connection {
    fd: OwnedFd,
    /// `NOBODY` before the upgrade.
    room: usize,
    rest: Vec<u8>,
    backlog: Vec<u8>,
}

struct Floor {
    epoll: OwnedFd,
    connections: Vec<Option<Connection>>,
    rooms: Vec<Vec<usize>>,
    names: HashMap<String, usize>,
    /// Connections by the number in the user's name.
    users: Vec<usize>,
    scratch: Vec<u8>,
    brought: Brought,
    /// Rooms with pending announcements and when they are due; `None` disables announcements.
    news: Option<VecDeque<(Instant, usize)>>,
}

/// What a floor does beside the least.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Extras {
    /// Announces newcomers to their room.
    pub(crate) presence: bool,
    /// The number of parts of the interval over which pings are spread.
    pub(crate) beats: u32,
}

/// Serves until an error.
pub(crate) fn serve(listener: &TcpListener, ping: Duration, extras: Extras) -> io::Result<()> {
    listener.set_nonblocking(true)?;
    let mut floor = Floor {
        epoll: epoll::create(CreateFlags::CLOEXEC)?,
        connections: Vec::new(),
        rooms: Vec::new(),
        names: HashMap::new(),
        users: Vec::new(),
        scratch: vec![0; SCRATCH],
        brought: Brought::default(),
        news: extras.presence.then(VecDeque::new),
    };
    epoll::add(
        &floor.epoll,
        listener,
        EventData::new_u64(LISTENER),
        EventFlags::IN,
    )?;
    let ping = ping / extras.beats;
    let mut due = Instant::now() + ping;
    let mut beats = (0..extras.beats as usize).cycle();
    let mut events = [MaybeUninit::<Event>::uninit(); 1024];
    loop {
        let news = floor.news.iter().flatten().next().map(|&(at, _)| at);
        let next = news.map_or(due, |at| at.min(due));
        let left = next.saturating_duration_since(Instant::now());
        let timeout = Timespec {
            tv_sec: left.as_secs().try_into().unwrap_or(i64::MAX),
            tv_nsec: left.subsec_nanos().into(),
        };
        let (ready, _) = match epoll::wait(&floor.epoll, &mut events[..], Some(&timeout)) {
            Err(Errno::INTR) => continue,
            ready => ready?,
        };
        for event in &*ready {
            let (data, flags) = (event.data, event.flags);
            match data.u64() {
                LISTENER => floor.accept(listener)?,
                index if flags.contains(EventFlags::OUT) => floor.drain(index as usize),
                index => floor.read(index as usize),
            }
        }
        floor.tell_news();
        if left.is_zero() && next == due {
            due += ping;
            let beat = beats.next().unwrap_or_default();
            for index in (beat..floor.connections.len()).step_by(extras.beats as usize) {
                if floor.is_upgraded(index) {
                    floor.write(index, &PING);
                }
            }
        }
    }
}

impl Floor {
    fn is_upgraded(&self, index: usize) -> bool {
        let connection = self.connections[index].as_ref();
        connection.is_some_and(|connection| connection.room != NOBODY)
    }

    fn accept(&mut self, listener: &TcpListener) -> io::Result<()> {
        loop {
            match accept_with(listener, SocketFlags::NONBLOCK | SocketFlags::CLOEXEC) {
                Ok(fd) => {
                    sockopt::set_tcp_nodelay(&fd, true)?;
                    let data = EventData::new_u64(self.connections.len() as u64);
                    epoll::add(&self.epoll, &fd, data, EventFlags::IN)?;
                    self.connections.push(Some(Connection {
                        fd,
                        room: NOBODY,
                        rest: Vec::new(),
                        backlog: Vec::new(),
                    }));
                }
                Err(Errno::AGAIN) => return Ok(()),
                Err(Errno::CONNABORTED | Errno::INTR) => {}
                Err(error) => return Err(error.into()),
            }
        }
    }

    fn read(&mut self, index: usize) {
        let Some(connection) = &mut self.connections[index] else {
            return;
        };
        let mut scratch = take(&mut self.scratch);
        let kept = connection.rest.len();
        scratch[..kept].copy_from_slice(&connection.rest);
        match read(&connection.fd, &mut scratch[kept..]) {
            Ok(bytes) if bytes > 0 => {
                connection.rest.clear();
                let input = &mut scratch[..kept + bytes];
                if connection.room == NOBODY {
                    self.upgrade(index, input);
                } else {
                    self.frames(index, input);
                }
            }
            Err(Errno::AGAIN | Errno::INTR) => {}
            Ok(_) | Err(_) => self.remove(index),
        }
        self.scratch = scratch;
    }

    fn upgrade(&mut self, index: usize, input: &[u8]) {
        let Some(connection) = &mut self.connections[index] else {
            return;
        };
        if !input.ends_with(b"\r\n\r\n") {
            connection.rest.extend(input);
            return;
        }
        let head = String::from_utf8_lossy(input);
        let key = head
            .lines()
            .find_map(|line| line.strip_prefix("Sec-WebSocket-Key: "));
        let target = head.split(' ').nth(1).and_then(wire::target);
        let (Some(key), Some((room, user))) = (key, target) else {
            return self.remove(index);
        };
        let answer = format!(
            "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
             Sec-WebSocket-Accept: {}\r\n\r\n",
            derive_accept_key(key.as_bytes())
        );
        let count = self.rooms.len();
        let room = *self.names.entry(room).or_insert(count);
        if room == count {
            self.rooms.push(Vec::new());
        }
        self.rooms[room].push(index);
        connection.room = room;
        if let Some(news) = &mut self.news
            && news.back().is_none_or(|&(_, last)| last != room)
        {
            news.push_back((Instant::now() + INTERVAL, room));
        }
        if let Some(user) = user.strip_prefix('u').and_then(|user| user.parse().ok()) {
            if self.users.len() <= user {
                self.users.resize(user + 1, NOBODY);
            }
            self.users[user] = index;
        }
        self.write(index, answer.as_bytes());
    }

    fn tell_news(&mut self) {
        let now = Instant::now();
        while let Some(&(_, room)) = self.news.iter().flatten().next().filter(|new| new.0 <= now) {
            self.news.as_mut().and_then(VecDeque::pop_front);
            for member in self.rooms[room].clone() {
                self.write(member, NEWS);
            }
        }
    }

    fn frames(&mut self, index: usize, input: &mut [u8]) {
        let mut brought = take(&mut self.brought);
        let used = brought.take(input);
        if let Some(connection) = &mut self.connections[index] {
            connection.rest.extend(&input[used..]);
            let room = connection.room;
            if !brought.room.is_empty() {
                let mut at = 0;
                while let Some(&member) = self.rooms[room].get(at) {
                    self.write(member, &brought.room);
                    // It may have been removed because it lags.
                    at += usize::from(self.rooms[room].get(at) == Some(&member));
                }
            }
        }
        for (user, range) in &brought.to {
            if let Some(&to) = self.users.get(*user) {
                self.write(to, &brought.direct[range.clone()]);
            }
        }
        if !brought.pongs.is_empty() {
            self.write(index, &brought.pongs);
        }
        if brought.over {
            self.remove(index);
        }
        brought.clear();
        self.brought = brought;
    }

    fn write(&mut self, index: usize, bytes: &[u8]) {
        let Some(Some(connection)) = self.connections.get_mut(index) else {
            return;
        };
        let mut written = 0;
        if connection.backlog.is_empty() {
            written = match send(&connection.fd, bytes, SendFlags::NOSIGNAL) {
                Ok(written) => written,
                Err(Errno::AGAIN) => 0,
                Err(_) => bytes.len(),
            };
        }
        if written == bytes.len() {
            return;
        }
        connection.backlog.extend(&bytes[written..]);
        if connection.backlog.len() > QUEUE_BYTES {
            return self.remove(index);
        }
        let data = EventData::new_u64(index as u64);
        let flags = EventFlags::IN | EventFlags::OUT;
        // It is registered; this fails only without memory.
        let _ = epoll::modify(&self.epoll, &connection.fd, data, flags);
    }

    fn drain(&mut self, index: usize) {
        let Some(connection) = &mut self.connections[index] else {
            return;
        };
        let backlog = take(&mut connection.backlog);
        let data = EventData::new_u64(index as u64);
        let _ = epoll::modify(&self.epoll, &connection.fd, data, EventFlags::IN);
        self.write(index, &backlog);
    }

    fn remove(&mut self, index: usize) {
        let Some(connection) = self.connections[index].take() else {
            return;
        };
        if let Some(room) = self.rooms.get_mut(connection.room) {
            room.retain(|&member| member != index);
        }
    }
}
