//! What waits for one connection: what its rooms have published, and frames of its own.

use switchboard_kit::{Reader, Received};

pub use super::item::{Is, Item, Kind, framed};

/// The most pongs that wait before the latest replaces the one before.
const PONGS: usize = 32;

/// What a member has not got of a room.
#[derive(Clone, Debug)]
pub struct Lag {
    /// The number of the membership.
    pub stay: u64,
    /// The messages, and those that it passes.
    pub items: Vec<Item>,
}

/// Where a frame that a writer has taken comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum From {
    Rest,
    Http,
    Urgent,
    Own,
    Room(u64),
}

/// How a frame of which some is written is held.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Begun {
    /// Only what remains of it, for this connection.
    #[default]
    Alone,
    /// A message of a room, once for all members that have begun it.
    Once,
    /// In one of these ways, as the room was left before it was known that it has begun.
    Unsure,
}

/// What waits.
#[derive(Clone, Debug, Default)]
pub struct Queue {
    /// By room.
    pub rooms: Vec<Lag>,
    /// HTTP responses, which go before everything.
    http: Vec<Item>,
    urgent: Vec<Item>,
    own: Vec<Item>,
    /// A frame of which some is written.
    rest: Option<Item>,
    /// Bytes of it that are written.
    cut: usize,
    /// How it is held.
    begun: Begun,
    /// What a writer has taken.
    flight: Vec<(From, Item)>,
    /// Memberships that have ended, and whose messages go out all the same.
    flushed: Vec<u64>,
}

impl Queue {
    /// Returns whether a frame that a writer has taken is of a room, and not of one that was left to end.
    fn is_of_room(&self, from: From) -> bool {
        matches!(from, From::Room(stay) if !self.flushed.contains(&stay))
    }

    /// Returns the frames that are not of a room which the connection is in.
    fn own_items(&self) -> impl Iterator<Item = &Item> {
        let flight = self.flight.iter();
        let flight = flight.filter(|(from, item)| !self.is_of_room(*from) && !item.excluded);
        let lanes = [&self.http, &self.urgent, &self.own].into_iter().flatten();
        lanes.chain(&self.rest).chain(flight.map(|(_, item)| item))
    }

    /// Returns all frames, without those that are only passed.
    pub fn all(&self) -> impl Iterator<Item = &Item> {
        let rooms = self.rooms.iter().flat_map(|lag| &lag.items);
        let flight = self.flight.iter();
        let flight = flight.filter(|(from, _)| self.is_of_room(*from));
        let rooms = rooms.chain(flight.map(|(_, item)| item));
        self.own_items().chain(rooms.filter(|item| !item.excluded))
    }

    /// Returns the bytes of its own frames that are not written.
    pub fn own_bytes(&self) -> usize {
        self.own_items().map(|item| item.len).sum::<usize>() - self.cut
    }

    fn has_begun(&self, item: &Item) -> bool {
        let flight = self.flight.first().filter(|(from, _)| *from == From::Rest);
        let rest = flight.map(|(_, item)| item).or(self.rest.as_ref());
        rest.is_some_and(|rest| std::ptr::eq(rest, item))
    }

    /// Returns the frames that are certainly held, and of which nothing is written.
    pub fn whole(&self) -> impl Iterator<Item = &Item> {
        let adrift = |item| self.adrift().any(|other| std::ptr::eq(other, item));
        let whole = self.all().filter(|item| !self.has_begun(item));
        whole.filter(move |&item| !adrift(item))
    }

    /// Returns what a writer has taken of rooms that were left since, and not to end.
    fn adrift(&self) -> impl Iterator<Item = &Item> {
        let left = |stay| self.rooms.iter().all(|lag| lag.stay != stay);
        let taken = self.flight.iter();
        taken.filter_map(move |(from, item)| match *from {
            From::Room(stay) if self.is_of_room(*from) && left(stay) => Some(item),
            _ => None,
        })
    }

    fn begun(&self) -> Option<&Item> {
        self.all().find(|item| self.has_begun(item))
    }

    /// Returns the bytes that remain of a frame that has begun, and that no other connection shares.
    pub fn rest_bytes(&self) -> usize {
        let begun = self.begun().filter(|_| self.begun == Begun::Alone);
        begun.map_or(0, |item| item.len - self.cut)
    }

    /// Returns a frame that has begun and is held for others too, or may be, and the least bytes of it
    /// that are held for all of them.
    pub fn begun_by_many(&self) -> Option<(&Item, usize)> {
        let item = self.begun()?;
        match self.begun {
            Begun::Alone => None,
            Begun::Once => Some((item, item.len)),
            Begun::Unsure => Some((item, item.len - self.cut)),
        }
    }

    /// Returns the messages of rooms that were left to end, of which nothing is written.
    pub fn flushed(&self) -> impl Iterator<Item = &Item> {
        let own = self.own_items().filter(|item| item.of_room);
        own.filter(|item| !self.has_begun(item))
    }

    /// Returns the bytes of which it is not certain whether, or how often, they are held.
    pub fn uncertain_bytes(&self) -> usize {
        let flight = self.flight.iter().map(|(_, item)| item);
        let rooms = self.rooms.iter().flat_map(|lag| &lag.items);
        let passed = flight.chain(rooms).filter(|item| item.excluded);
        let begun = self.begun().filter(|item| item.of_room);
        passed
            .chain(self.flushed())
            .chain(begun.filter(|_| self.begun != Begun::Once))
            .chain(self.adrift())
            .map(|item| item.len)
            .sum()
    }

    /// Returns the number of its own messages that are not written.
    pub fn own_messages(&self) -> usize {
        self.own_items().filter(|item| item.is_message()).count()
    }

    /// Returns the number of messages that are not written.
    pub fn messages(&self) -> usize {
        self.all().filter(|item| item.is_message()).count()
    }

    /// Returns whether nothing waits.
    pub fn is_empty(&self) -> bool {
        self.all().next().is_none()
    }

    /// Returns whether a frame outside the queue may be written here.
    pub fn is_clean(&self) -> bool {
        self.rest.is_none() && self.http.is_empty()
    }

    /// Queues a frame of its own.
    pub fn push(&mut self, item: Item) {
        match item.kind {
            Kind::Http => self.http.push(item),
            _ if item.urgent => self.urgent.push(item),
            _ => self.own.push(item),
        }
    }

    /// Returns how many messages, and bytes, a member is behind in a room: those that it is certain
    /// to have before it, and those that it may have.
    pub fn lag(&self, stay: u64) -> [(usize, usize); 2] {
        let rooms = self.rooms.iter().filter(|lag| lag.stay == stay);
        let flight = self.flight.iter();
        let flight = flight.filter(|(from, _)| *from == From::Room(stay));
        let items = rooms.flat_map(|lag| &lag.items);
        let items: Vec<_> = items.chain(flight.map(|(_, item)| item)).collect();
        let first = items.iter().position(|item| !item.excluded);
        let certain = &items[first.unwrap_or(items.len())..];
        [certain, &items].map(|items| (items.len(), items.iter().map(|it| it.len).sum()))
    }

    /// Queues a message of a room.
    pub fn publish(&mut self, stay: u64, item: Item) {
        if let Some(lag) = self.rooms.iter_mut().find(|lag| lag.stay == stay) {
            lag.items.push(item);
        }
    }

    /// It passes what is not for it, as nothing is left to write.
    pub fn pass(&mut self) {
        for lag in &mut self.rooms {
            lag.items.retain(|item| !item.excluded);
        }
    }

    /// It leaves a room, and does not get what no writer has taken; returns the number of messages.
    pub fn leave(&mut self, stay: u64) -> u64 {
        let at = self.rooms.iter().position(|lag| lag.stay == stay);
        at.map_or(0, |at| {
            let lag = self.rooms.remove(at);
            lag.items.iter().filter(|item| item.is_message()).count() as u64
        })
    }

    /// Returns whether a member has not got all that was published before it came: whether that is
    /// certain, and whether it is possible.
    pub fn recovers(&self, stay: u64) -> [bool; 2] {
        let rooms = self.rooms.iter().filter(|lag| lag.stay == stay);
        let flight = self.flight.iter();
        let flight = flight.filter(|(from, _)| *from == From::Room(stay));
        let items = rooms.flat_map(|lag| &lag.items);
        let items = items.chain(flight.map(|(_, item)| item));
        let items: Vec<_> = items.filter(|item| item.recovered).collect();
        [items.iter().any(|item| !item.excluded), !items.is_empty()]
    }

    /// Returns the stamp of the last message that waits.
    pub fn last_stamp(&self) -> u64 {
        self.own.iter().map(|item| item.stamp).max().unwrap_or(0)
    }

    /// Returns how many messages of a room, and bytes, are still to go out to a member.
    pub fn due(&self, stay: u64) -> (usize, usize) {
        let rooms = self.rooms.iter().filter(|lag| lag.stay == stay);
        let flight = self.flight.iter();
        let flight = flight.filter(|(from, _)| *from == From::Room(stay));
        let items = rooms.flat_map(|lag| &lag.items);
        let items = items.chain(flight.map(|(_, item)| item));
        let due = items.filter(|item| !item.excluded);
        due.fold((0, 0), |(messages, bytes), item| {
            (messages + 1, bytes + item.len)
        })
    }

    /// It leaves a room, but gets what was published there so far.
    pub fn leave_and_get(&mut self, stay: u64) {
        if let Some(at) = self.rooms.iter().position(|lag| lag.stay == stay) {
            let lag = self.rooms.remove(at);
            let items = lag.items.into_iter().filter(|item| !item.excluded);
            self.own.extend(items);
            self.own.sort_by_key(Item::place);
            self.flushed.push(stay);
        }
    }

    /// Queues a pong: each of a burst, but only the latest while the socket is blocked.
    pub fn answer(&mut self, payload: &[u8], blocked: bool, stamp: u64) {
        let taken = self.flight.iter().map(|(_, item)| item);
        let pongs = taken.chain(&self.urgent).filter(|item| item.is_pong());
        let is = Is::Pong(payload.to_vec());
        let mut pong = Item::new(framed(payload.len()), is, Kind::Control);
        pong.stamp = stamp;
        let full = blocked || pongs.count() >= PONGS;
        match self.urgent.iter_mut().rfind(|item| item.is_pong()) {
            Some(last) if full => *last = pong,
            _ => self.urgent.push(pong),
        }
    }

    /// A writer takes these bytes. `pings` says whether interval pings may be among them, which are
    /// not foreseen.
    pub fn take(&mut self, bytes: &[u8], pings: bool) -> Result<(), String> {
        let mut at = 0;
        if let Some(rest) = self.rest.take() {
            at = rest.len - self.cut;
            self.flight.push((From::Rest, rest));
        }
        for item in std::mem::take(&mut self.http) {
            at += item.len;
            self.flight.push((From::Http, item));
        }
        let mut bytes = bytes.get(at..).ok_or("too few bytes were taken")?;
        while !bytes.is_empty() {
            let len = frame_len(bytes).filter(|&len| len <= bytes.len());
            let (frame, more) = bytes.split_at(len.ok_or("a frame is cut")?);
            let heard = Reader::new(false).read(frame)?;
            let heard = heard.first().ok_or("a frame is not whole")?;
            self.take_frame(frame, heard, pings)?;
            bytes = more;
        }
        Ok(())
    }

    fn take_frame(&mut self, frame: &[u8], heard: &Received, pings: bool) -> Result<(), String> {
        if self.urgent.first().is_some_and(|item| item.is.is(heard)) {
            let item = self.urgent.remove(0);
            self.flight.push((From::Urgent, item));
            return Ok(());
        }
        if pings && let Some(ping) = interval_ping(frame) {
            self.flight.push((From::Urgent, ping));
            return Ok(());
        }
        if !self.urgent.is_empty() {
            return Err(format!("{heard:?} before {:?}", self.urgent));
        }
        // Frames of its own stand between the messages before them and those after.
        let until = self.own.first().map_or(u64::MAX, |item| item.stamp);
        for lag in &mut self.rooms {
            let next = lag.items.iter().position(|item| !item.excluded);
            if let Some(next) = next
                && lag.items[next].stamp <= until
                && lag.items[next].is.is(heard)
            {
                let items = lag.items.drain(..=next);
                let stay = lag.stay;
                self.flight
                    .extend(items.map(|item| (From::Room(stay), item)));
                return Ok(());
            }
        }
        let waits = |lag: &Lag| {
            let before = lag.items.iter();
            before.filter(|it| it.stamp <= until).any(|it| !it.excluded)
        };
        let own = self.own.first().filter(|item| item.is.is(heard));
        if own.is_none() || self.rooms.iter().any(waits) {
            return Err(format!("{heard:?} was taken, out of {self:?}"));
        }
        let mut item = self.own.remove(0);
        item.len = frame.len();
        self.flight.push((From::Own, item));
        Ok(())
    }

    /// A writer wrote bytes. Returns the frames that are now complete, and the number of messages
    /// that are dropped, because their room was left.
    pub fn wrote(&mut self, bytes: usize) -> (Vec<Item>, u64) {
        let (mut left, mut done, mut back) = (bytes, Vec::new(), Vec::new());
        for (from, item) in std::mem::take(&mut self.flight) {
            let wanted = match from {
                _ if item.excluded => 0,
                From::Rest => item.len - self.cut,
                _ => item.len,
            };
            if !back.is_empty() || self.rest.is_some() {
                back.push((from, item));
            } else if left >= wanted {
                left -= wanted;
                self.cut = if from == From::Rest { 0 } else { self.cut };
                done.extend(Some(item).filter(|item| !item.excluded));
            } else if left > 0 || from == From::Rest {
                self.cut = if from == From::Rest { self.cut } else { 0 } + left;
                self.begun = match from {
                    From::Rest if left == 0 => self.begun,
                    From::Room(stay) if self.rooms.iter().any(|lag| lag.stay == stay) => {
                        Begun::Once
                    }
                    From::Room(_) => Begun::Unsure,
                    _ => Begun::Alone,
                };
                self.rest = Some(item);
            } else {
                back.push((from, item));
            }
        }
        let mut dropped = 0;
        for (from, item) in back.into_iter().rev() {
            match from {
                From::Rest | From::Http => self.http.insert(0, item),
                From::Urgent => self.urgent.insert(0, item),
                From::Own => self.own.insert(0, item),
                From::Room(stay) => {
                    if let Some(lag) = self.rooms.iter_mut().find(|lag| lag.stay == stay) {
                        lag.items.insert(0, item);
                    } else if self.flushed.contains(&stay) {
                        self.own.extend(Some(item).filter(|item| !item.excluded));
                    } else {
                        dropped += u64::from(item.is_message());
                    }
                }
            }
        }
        self.own.sort_by_key(Item::place);
        self.flushed.clear();
        (done, dropped)
    }

    /// Of the pongs that wait for a blocked socket, only the latest is sent.
    pub fn collapse_pongs(&mut self) {
        let mut more = self.urgent.iter().filter(|item| item.is_pong()).count();
        self.urgent.retain(|item| {
            more -= usize::from(item.is_pong());
            !item.is_pong() || more == 0
        });
    }

    /// Discards everything that no writer has taken and that need not survive; returns the number of
    /// messages.
    pub fn discard(&mut self) -> u64 {
        let before = self.messages();
        self.rooms.clear();
        // What a writer has of rooms that were left is dropped, unless it writes that.
        self.flushed.clear();
        self.urgent.retain(Item::survives);
        self.own.retain(Item::survives);
        (before - self.messages()) as u64
    }
}

/// Returns the length of a frame with this beginning.
fn frame_len(bytes: &[u8]) -> Option<usize> {
    Some(match *bytes.get(1)? {
        126 => 4 + usize::from(u16::from_be_bytes([*bytes.get(2)?, *bytes.get(3)?])),
        127 => 10 + usize::try_from(u64::from_be_bytes(bytes.get(2..10)?.try_into().ok()?)).ok()?,
        len => 2 + usize::from(len),
    })
}

/// Returns an interval ping, if a frame may be one.
fn interval_ping(frame: &[u8]) -> Option<Item> {
    let payload = frame.get(2..)?;
    let mut item = match frame[0] {
        0x89 => {
            let number = u64::from_be_bytes(payload.try_into().ok()?);
            Item::new(frame.len(), Is::Ping(Some(number)), Kind::Control)
        }
        0x81 if payload.starts_with(br#"{"type":"health_ping""#) => {
            let text = String::from_utf8(payload.to_vec()).ok()?;
            Item::new(frame.len(), Is::Json(text), Kind::Message)
        }
        _ => return None,
    };
    (item.urgent, item.beat) = (true, true);
    Some(item)
}
