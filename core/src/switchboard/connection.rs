//! One connection, and the table of all of them.
//!
//! ```text
//!            ┌──────────▶ Page ─────────────┐
//!  Arrived ──┼─▶ Authenticating ─▶ Open ─▶ Closing ─▶ gone
//!            │         │  ▲         ▲                  ▲
//!            │         ▼  │         │                  │
//!            │       AwaitingAuth ──┘                  │
//!            └─▶ Refused ──────────────────────────────┘   (from each state before Open)
//! ```
//! A handshake seat is held in every state before `Open`, and in `Refused`; from `Page` on one of
//! those for pages instead.

use std::sync::Arc;
use std::time::Duration;

use slab::Slab;
use smallvec::SmallVec;

use super::capacity::ReserveOne;
use super::limits::{Bucket, Strikes};
use super::queue::Queue;
use super::reject::Claim;
use super::timers::Kind;
use crate::time::nanos;
use crate::{CloseReason, Config, ConnectionId, Frame, IpKey, StaleId, Time};

/// No user, no room.
pub(super) const NONE: u32 = u32::MAX;

/// Where a connection stands.
#[derive(Debug)]
pub(super) enum Phase {
    /// Its request is being read.
    Arrived,
    /// It asked for a page, and the page is being made.
    Page,
    /// The application is asked who it is.
    Authenticating(Box<Pending>),
    /// Upgraded; its first message must say who it is.
    AwaitingAuth(Box<Pending>),
    /// Told no; it may read the answer and go.
    Refused(Ending),
    /// Admitted.
    Open,
    /// It was open; out of every index, and about to go.
    Closing(Ending),
}

/// What a phase is counted as.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Seat {
    Page,
    Handshake,
    Refused,
    Open,
    Closing,
}

impl Seat {
    /// Whether it is one of those before admission, or without.
    pub(super) const fn is_entering(self) -> bool {
        matches!(self, Self::Page | Self::Handshake | Self::Refused)
    }
}

impl Phase {
    pub(super) fn seat(&self) -> Seat {
        match self {
            Self::Page => Seat::Page,
            Self::Arrived | Self::Authenticating(_) | Self::AwaitingAuth(_) => Seat::Handshake,
            Self::Refused(ending) if ending.page => Seat::Page,
            Self::Refused(_) => Seat::Refused,
            Self::Open => Seat::Open,
            Self::Closing(_) => Seat::Closing,
        }
    }
}

/// What is known of a connection that is not admitted yet.
#[derive(Clone, Debug, Default)]
pub(super) struct Pending {
    pub(super) lobby: Option<Arc<str>>,
    /// The 101 response, until it is sent; `None` also where the application upgraded itself.
    pub(super) response: Option<Frame>,
    /// When its first message is too late, in liveness time.
    pub(super) auth_deadline: Time,
    /// It is known who it is; whether it gets in depends on another connection of its user.
    pub(super) claim: Option<Box<Claim>>,
}

/// What is left to do for a connection that goes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Ending {
    /// Bytes read and discarded.
    pub(super) discarded: u32,
    /// What is queued need not go out.
    pub(super) now: bool,
    /// The write side has been shut down.
    pub(super) shut: bool,
    /// The peer's side has ended.
    pub(super) eof: bool,
    /// It asked for a page and got it.
    pub(super) page: bool,
    /// Why, for what is discarded later.
    pub(super) reason: Option<CloseReason>,
}

/// Whether a connection's connect has been charged to an address.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fare {
    /// Not yet: it comes through a trusted proxy, and its client is not known.
    Due,
    Paid,
    /// The rate did not allow it.
    Refused,
}

/// Who may write to a connection's socket.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum WriteState {
    /// Nobody, and nothing waits.
    Idle,
    /// It stands in the list of connections that have something to write.
    Queued,
    /// A writer has taken frames and has not reported yet.
    Writing,
    /// The socket takes no more until it is writable again.
    Blocked,
}

/// Membership in a room.
#[derive(Clone, Copy, Debug)]
pub(super) struct Membership {
    pub(super) room: u32,
    /// The place in the room's list of members.
    pub(super) index: u32,
    /// It was entered by the URL.
    pub(super) lobby: bool,
    /// The version of the presence that was told last; 0: a full list is due.
    pub(super) seen: u32,
}

/// The ping that was not answered yet.
#[derive(Clone, Copy, Debug)]
pub(super) struct Outstanding {
    pub(super) payload: u64,
    /// In liveness time.
    pub(super) sent: Time,
    /// When it is too late, in liveness time; [`Time::MAX`] while the ping itself has not left, so that
    /// the time a slow reader needs for what was written before it is not taken for silence.
    pub(super) deadline: Time,
    /// Whether only a message counts as life: it was a `health_ping`.
    pub(super) health: bool,
    /// The client has shown life since.
    pub(super) heard: bool,
}

impl Outstanding {
    /// Whether the socket has taken all of it.
    pub(super) fn has_left(&self) -> bool {
        self.deadline < Time::MAX
    }
}

/// A question of `ping_user` to this connection.
#[derive(Clone, Copy, Debug)]
pub(super) struct Probe {
    pub(super) payload: u64,
    pub(super) sent: Time,
    /// Of the question; of one by [`Switchboard::ask_for_life`](super::Switchboard), its payload.
    pub(super) ticket: u64,
}

impl Probe {
    /// Whether it only asks for a sign of life, for a newcomer of the same user.
    pub(super) fn is_for_life(&self) -> bool {
        self.ticket == self.payload
    }
}

// The fields lie in this order, so that what a broadcast looks at lies together, and after it what
// a ping and its answer do.
#[derive(Debug)]
#[repr(C)]
pub(super) struct ConnectionState {
    pub(super) queue: Queue,
    pub(super) stalled_from: Time,
    pub(super) generation: u32,
    pub(super) writer: WriteState,
    pub(super) fare: Fare,
    /// One bit per kind of timer that is armed.
    pub(super) armed: u16,
    /// It holds a seat of its address.
    pub(super) ip_seat: bool,
    /// It is not read, because a hook is busy or its queue is long.
    pub(super) paused: bool,
    /// The application is being asked.
    pub(super) hook: bool,
    /// It is in a message.
    pub(super) in_message: bool,
    pub(super) user: u32,
    pub(super) phase: Phase,
    /// In liveness time, as are the deadlines.
    pub(super) next_ping: Time,
    pub(super) ping: Option<Outstanding>,
    pub(super) last_heard: Time,
    /// In nanoseconds; the largest number: not known.
    rtt: u64,
    /// Most are in one room.
    pub(super) rooms: SmallVec<[Membership; 1]>,
    pub(super) messages: Bucket,
    pub(super) bytes: Bucket,
    cold: Option<Box<ColdState>>,
    /// Of the phase; of one that talks, and has no deadline as such: of the message it is in.
    pub(super) deadline: Time,
    pub(super) hook_deadline: Time,
    /// On the driver's clock; [`Time::MAX`]: never.
    expires: Time,
    /// Bytes of its unfinished message.
    pub(super) partial: usize,
    pub(super) ip: IpKey,
}

/// What most connections do not have.
#[derive(Debug, Default)]
struct ColdState {
    strikes: Strikes,
    probes: Vec<Probe>,
    /// The room that its URL named, once it has left it.
    lobby: Option<Arc<str>>,
}

// One lives for every connection (architecture: at most 1.25 KiB of process memory each).
const _: () = assert!(size_of::<ConnectionState>() <= 256);

impl ConnectionState {
    pub(super) fn new(ip: IpKey, now: Time, deadline: Time) -> Self {
        Self {
            queue: Queue::new(),
            writer: WriteState::Idle,
            fare: Fare::Due,
            generation: 0,
            user: NONE,
            phase: Phase::Arrived,
            armed: 0,
            ip_seat: false,
            paused: false,
            hook: false,
            in_message: false,
            ip,
            rooms: SmallVec::new(),
            messages: Bucket::default(),
            bytes: Bucket::default(),
            cold: None,
            last_heard: now,
            deadline,
            hook_deadline: Time::MAX,
            stalled_from: now,
            next_ping: Time::MAX,
            ping: None,
            expires: Time::MAX,
            rtt: u64::MAX,
            partial: 0,
        }
    }

    /// Reads a little of each of the three cache lines that a ping changes.
    pub(super) fn fetch(&self) -> u64 {
        u64::from(self.queue.urgent.tail)
            ^ self.stalled_from.as_nanos()
            ^ self.last_heard.as_nanos()
    }

    pub(super) fn is_open(&self) -> bool {
        matches!(self.phase, Phase::Open)
    }

    /// Whether some of a page still waits to go out. Until then its deadline is the latest, however
    /// steadily it goes.
    pub(super) fn reads_page(&self) -> bool {
        matches!(self.phase, Phase::Refused(ending) if ending.page) && !self.queue.is_empty()
    }

    /// When its principal expires, on the driver's clock.
    pub(super) fn expires(&self) -> Option<Time> {
        (self.expires < Time::MAX).then_some(self.expires)
    }

    /// Sets when its principal expires; returns what was set before.
    pub(super) fn set_expires(&mut self, at: Option<Time>) -> Option<Time> {
        let before = self.expires();
        self.expires = at.unwrap_or(Time::MAX);
        before
    }

    /// The latest round-trip time.
    pub(super) fn round_trip(&self) -> Option<Duration> {
        (self.rtt < u64::MAX).then(|| Duration::from_nanos(self.rtt))
    }

    pub(super) fn set_round_trip(&mut self, rtt: Duration) {
        self.rtt = nanos(rtt);
    }

    pub(super) fn strikes(&mut self) -> &mut Strikes {
        &mut self.cold.get_or_insert_default().strikes
    }

    /// The questions that it has not answered, to be added to.
    pub(super) fn probes(&mut self) -> &mut Vec<Probe> {
        &mut self.cold.get_or_insert_default().probes
    }

    /// The questions that it has not answered, if it was asked any.
    pub(super) fn outstanding_probes(&mut self) -> Option<&mut Vec<Probe>> {
        self.cold.as_mut().map(|cold| &mut cold.probes)
    }

    /// Notes that it has left the room that its URL named.
    pub(super) fn left_lobby(&mut self, name: Arc<str>) {
        self.cold.get_or_insert_default().lobby = Some(name);
    }

    /// Whether its URL named this room, in which it is not.
    pub(super) fn comes_back_to(&self, room: &str) -> bool {
        let lobby = self.cold.as_ref().and_then(|cold| cold.lobby.as_deref());
        lobby == Some(room)
    }

    /// What is known of it, while it is not admitted and its request has been read.
    pub(super) fn pending(&mut self) -> Option<&mut Pending> {
        match &mut self.phase {
            Phase::Authenticating(pending) | Phase::AwaitingAuth(pending) => Some(pending),
            _ => None,
        }
    }

    pub(super) fn claim(&self) -> Option<&Claim> {
        match &self.phase {
            Phase::Authenticating(pending) | Phase::AwaitingAuth(pending) => {
                pending.claim.as_deref()
            }
            _ => None,
        }
    }

    pub(super) fn ending(&mut self) -> Option<&mut Ending> {
        match &mut self.phase {
            Phase::Refused(ending) | Phase::Closing(ending) => Some(ending),
            _ => None,
        }
    }

    /// When this is due, in liveness time; `None` if it is not, or not before the end of time.
    pub(super) fn deadline(&self, kind: Kind, config: &Config) -> Option<Time> {
        self.raw_deadline(kind, config).filter(|&at| at < Time::MAX)
    }

    fn raw_deadline(&self, kind: Kind, config: &Config) -> Option<Time> {
        let phase = |fits: bool| fits.then_some(self.deadline);
        match kind {
            Kind::Handshake => phase(matches!(self.phase, Phase::Arrived)),
            Kind::Auth => match &self.phase {
                Phase::AwaitingAuth(pending) => {
                    (!self.hook && pending.claim.is_none()).then_some(pending.auth_deadline)
                }
                _ => None,
            },
            Kind::Claim => self.claim().map(|claim| claim.deadline),
            Kind::Linger => phase(matches!(self.phase, Phase::Refused(_)) && !self.reads_page()),
            Kind::Close => phase(matches!(self.phase, Phase::Closing(_))),
            Kind::Hook => self.hook.then_some(self.hook_deadline),
            Kind::Message => self.in_message.then_some(self.deadline),
            Kind::PingTimeout => {
                let ping = self.ping.filter(|ping| !ping.heard)?;
                (self.is_open() && !self.is_paused(config)).then_some(ping.deadline)
            }
            Kind::WriteStall => {
                let stalled = self.stalled_from + config.timeouts.write_stall;
                if self.reads_page() {
                    return Some(stalled.min(self.deadline));
                }
                (self.is_open() && !self.queue.is_empty()).then_some(stalled)
            }
            Kind::Ping => self.is_open().then_some(self.next_ping),
        }
    }

    /// Whether we do not read from it, by our own choice.
    pub(super) fn is_paused(&self, config: &Config) -> bool {
        self.paused
            || config
                .limits
                .pause_reading
                .is_some_and(|most| self.queue.bytes() > most)
    }

    pub(super) fn is_armed(&self, kind: Kind) -> bool {
        self.armed & kind.bit() != 0
    }
}

/// The generation that is never given out.
const RETIRED: u32 = u32::MAX;

/// All connections, by slot; a generation per slot tells who lives there now.
#[derive(Debug, Default)]
pub(super) struct Table {
    slots: Slab<ConnectionState>,
    /// The generation that the next inhabitant of a slot gets.
    generations: Vec<u32>,
    retired: usize,
}

impl Table {
    pub(super) fn len(&self) -> usize {
        self.slots.len() - self.retired
    }

    pub(super) fn insert(&mut self, mut connection: ConnectionState) -> ConnectionId {
        self.slots.reserve_one();
        let entry = self.slots.vacant_entry();
        let slot = entry.key();
        if slot == self.generations.len() {
            self.generations.reserve_one();
            self.generations.push(0);
        }
        connection.generation = self.generations[slot];
        let id = ConnectionId {
            slot: slot as u32,
            generation: connection.generation,
        };
        entry.insert(connection);
        id
    }

    pub(super) fn remove(&mut self, id: ConnectionId) {
        let slot = id.slot();
        self.generations[slot] += 1;
        if self.generations[slot] == RETIRED {
            // The slot has had every generation there is: nobody lives there again.
            self.slots[slot].generation = RETIRED;
            self.retired += 1;
        } else {
            self.slots.remove(slot);
        }
        if self.slots.is_empty() {
            self.slots.shrink_to_fit();
        }
    }

    pub(super) fn get(&self, id: ConnectionId) -> Result<&ConnectionState, StaleId> {
        match self.slots.get(id.slot()) {
            Some(found) if found.generation == id.generation => Ok(found),
            _ => Err(StaleId(id)),
        }
    }

    pub(super) fn get_mut(&mut self, id: ConnectionId) -> Result<&mut ConnectionState, StaleId> {
        match self.slots.get_mut(id.slot()) {
            Some(found) if found.generation == id.generation => Ok(found),
            _ => Err(StaleId(id)),
        }
    }

    /// The inhabitant of a slot that an index names, so that is known to be there.
    pub(super) fn at(&self, slot: u32) -> &ConnectionState {
        &self.slots[slot as usize]
    }

    pub(super) fn at_mut(&mut self, slot: u32) -> &mut ConnectionState {
        &mut self.slots[slot as usize]
    }

    pub(super) fn id_at(&self, slot: u32) -> ConnectionId {
        ConnectionId {
            slot,
            generation: self.slots[slot as usize].generation,
        }
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = (ConnectionId, &ConnectionState)> {
        self.slots
            .iter()
            .filter(|(_, found)| found.generation != RETIRED)
            .map(|(slot, found)| {
                (
                    ConnectionId {
                        slot: slot as u32,
                        generation: found.generation,
                    },
                    found,
                )
            })
    }
}
