//! The state of one connection.

use std::sync::Arc;
use std::time::Duration;

use super::few::Few;
use super::limits::Strikes;
use super::pending::{Claim, Pending};
use super::phase::{ConnectRate, Ending, Page, Phase};
use super::ping::{Outstanding, Probe};
use super::timers::Kind;
use crate::base::time::nanos;
use crate::{Config, IpKey, Time};

/// Why reading pauses.
const HOOK_BUSY: u8 = 1;
const LONG: u8 = 2;

/// No user or room.
pub(super) const NONE: u32 = u32::MAX;

/// Membership in a room.
#[derive(Clone, Copy, Debug)]
pub(super) struct Membership {
    pub(super) room: u32,
    /// Whether the URL named this room.
    pub(super) lobby: bool,
    /// How often the room had gone on in another epoch when it was entered: numbers that a client names may
    /// be of the epoch before.
    pub(super) moved: u16,
}

const _: () = assert!(size_of::<Membership>() <= 8);

// In this order, the fields that a ping and its answer use share cache lines.
#[derive(Debug)]
#[repr(C)]
pub(super) struct ConnectionState {
    /// Since when its socket takes no bytes although some wait, or since when a page waits;
    /// [`Time::MAX`] otherwise.
    pub(super) stalled_from: Time,
    pub(super) generation: u32,
    /// Why reading pauses: one bit for each reason.
    pauses: u8,
    /// Whether a hook is running.
    pub(super) hook: bool,
    /// One bit for each kind of timer that is armed.
    pub(super) armed: u16,
    /// How much of what it wants waits for the cluster.
    pub(super) waits: u32,
    pub(super) user: u32,
    pub(super) phase: Phase,
    /// In liveness time, like the deadlines.
    pub(super) next_ping: Time,
    pub(super) ping: Option<Outstanding>,
    pub(super) last_heard: Time,
    /// In nanoseconds; `u64::MAX` if unknown.
    rtt: u64,
    /// Most connections are in one room.
    pub(super) rooms: Few<Membership>,
    cold: Option<Box<ColdState>>,
    /// The deadline of the phase, or for an open connection that of its incomplete message.
    pub(super) deadline: Time,
    pub(super) hook_deadline: Time,
    /// The hash of the session that it belongs to; 0 for none.
    pub(super) session: u64,
    /// In the driver's time; [`Time::MAX`] for never.
    expires: Time,
    pub(super) ip: IpKey,
    /// Whether it holds a seat of its address.
    pub(super) ip_seat: bool,
    pub(super) connect_rate: ConnectRate,
    /// Whether a message has begun and is incomplete.
    pub(super) in_message: bool,
    /// Bytes of the unfinished message. None is longer than this can tell.
    pub(super) partial: u32,
}

/// State that most connections do not have.
#[derive(Debug, Default)]
struct ColdState {
    strikes: Strikes,
    probes: Vec<Probe>,
    /// Whether the client's Close, a violation or the end of its input waits behind a hook.
    leaving: bool,
    /// Whether its request gets no body in the response, because the method is HEAD.
    head_only: bool,
    /// The lobby, once the connection has left it.
    lobby: Option<Arc<str>>,
    /// The lobby of an event stream, which tells positions in it, also once it was left and entered again.
    told_room: Option<Arc<str>>,
}

// There is one per connection; see docs/architecture.md for the memory budget.
const _: () = assert!(size_of::<ConnectionState>() <= 160);

impl ConnectionState {
    pub(super) fn new(ip: IpKey, now: Time, deadline: Time) -> Self {
        Self {
            pauses: 0,
            connect_rate: ConnectRate::Unchecked,
            generation: 0,
            user: NONE,
            phase: Phase::Arrived,
            armed: 0,
            ip_seat: false,
            hook: false,
            in_message: false,
            waits: 0,
            ip,
            rooms: Few::None,
            cold: None,
            last_heard: now,
            deadline,
            hook_deadline: Time::MAX,
            session: 0,
            stalled_from: Time::MAX,
            next_ping: Time::MAX,
            ping: None,
            expires: Time::MAX,
            rtt: u64::MAX,
            partial: 0,
        }
    }

    /// Reads a word of each of the cache lines that a ping changes.
    pub(super) fn fetch(&self) -> u64 {
        self.stalled_from.as_nanos() ^ self.last_heard.as_nanos()
    }

    pub(super) fn is_open(&self) -> bool {
        matches!(self.phase, Phase::Open)
    }

    /// Returns whether its first message is still to come; no longer once the application has been
    /// asked about that, when what follows waits like any other message.
    pub(super) fn awaits_first_message(&self) -> bool {
        let asked = |pending: &Pending| self.hook || pending.claim.is_some();
        matches!(&self.phase, Phase::AwaitingAuth(pending) if !asked(pending))
    }

    /// Returns whether part of a page is unsent. Until it is sent, `deadline` bounds it however
    /// steadily it goes.
    pub(super) fn reads_page(&self) -> bool {
        matches!(self.phase, Phase::Refused(ending) if ending.page == Page::Unsent)
    }

    /// Notes that all of a page is sent.
    pub(super) fn page_is_sent(&mut self) {
        if let Some(ending) = self.ending()
            && ending.page == Page::Unsent
        {
            ending.page = Page::Sent;
        }
    }

    /// Returns when its login expires, in the driver's time.
    pub(super) fn expires(&self) -> Option<Time> {
        (self.expires < Time::MAX).then_some(self.expires)
    }

    /// Sets when its login expires; returns the previous time.
    pub(super) fn set_expires(&mut self, at: Option<Time>) -> Option<Time> {
        let before = self.expires();
        self.expires = at.unwrap_or(Time::MAX);
        before
    }

    /// Returns the latest round-trip time.
    pub(super) fn round_trip(&self) -> Option<Duration> {
        (self.rtt < u64::MAX).then(|| Duration::from_nanos(self.rtt))
    }

    pub(super) fn set_round_trip(&mut self, rtt: Duration) {
        self.rtt = nanos(rtt);
    }

    pub(super) fn strikes(&mut self) -> &mut Strikes {
        &mut self.cold.get_or_insert_default().strikes
    }

    /// Returns its unanswered probes, allocating the list.
    pub(super) fn probes(&mut self) -> &mut Vec<Probe> {
        &mut self.cold.get_or_insert_default().probes
    }

    /// Returns its unanswered probes, if it was probed.
    pub(super) fn outstanding_probes(&mut self) -> Option<&mut Vec<Probe>> {
        self.cold.as_mut().map(|cold| &mut cold.probes)
    }

    /// Notes that its client is leaving.
    pub(super) fn set_leaving(&mut self) {
        self.cold.get_or_insert_default().leaving = true;
    }

    /// Returns whether its client is leaving, once a hook has returned.
    pub(super) fn is_leaving(&self) -> bool {
        self.cold.as_ref().is_some_and(|cold| cold.leaving)
    }

    /// Notes that the response to its request has no body.
    pub(super) fn set_head_only(&mut self) {
        self.cold.get_or_insert_default().head_only = true;
    }

    /// Returns whether the response to its request has no body.
    pub(super) fn is_head_only(&self) -> bool {
        self.cold.as_ref().is_some_and(|cold| cold.head_only)
    }

    /// Notes that it has left its lobby.
    pub(super) fn left_lobby(&mut self, name: Arc<str>) {
        self.cold.get_or_insert_default().lobby = Some(name);
    }

    /// Returns whether it has left this room, which is its lobby.
    pub(super) fn comes_back_to(&self, room: &str) -> bool {
        let lobby = self.cold.as_ref().and_then(|cold| cold.lobby.as_deref());
        lobby == Some(room)
    }

    /// Notes that it is an event stream with this lobby.
    pub(super) fn tell_positions_in(&mut self, lobby: Arc<str>) {
        self.cold.get_or_insert_default().told_room = Some(lobby);
    }

    /// Returns whether it is an event stream that tells positions in this room.
    pub(super) fn tells_positions_in(&self, room: &str) -> bool {
        let told = self
            .cold
            .as_ref()
            .and_then(|cold| cold.told_room.as_deref());
        told == Some(room)
    }

    /// Returns the pending admission, once the request has been read.
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

    /// Returns when this is due, in liveness time; `None` for never.
    pub(super) fn deadline(&self, kind: Kind, config: &Config) -> Option<Time> {
        self.raw_deadline(kind, config).filter(|&at| at < Time::MAX)
    }

    fn raw_deadline(&self, kind: Kind, config: &Config) -> Option<Time> {
        let phase = |fits: bool| fits.then_some(self.deadline);
        match kind {
            Kind::Handshake => phase(matches!(self.phase, Phase::Arrived)),
            Kind::Auth => match &self.phase {
                Phase::AwaitingAuth(pending) if self.awaits_first_message() => {
                    Some(pending.auth_deadline)
                }
                _ => None,
            },
            Kind::Claim => self.claim().map(|claim| claim.deadline),
            Kind::Linger => phase(matches!(self.phase, Phase::Refused(_)) && !self.reads_page()),
            Kind::Close => phase(matches!(self.phase, Phase::Closing(_))),
            Kind::Hook => self.hook.then_some(self.hook_deadline),
            Kind::Message => self.in_message.then_some(self.deadline),
            Kind::PingTimeout => {
                let ping = self.ping.filter(|ping| !ping.is_heard())?;
                (self.is_open() && !self.is_paused()).then_some(ping.deadline)
            }
            Kind::WriteStall => {
                let stalled = self.stalled_from + config.timeouts.write_stall;
                if self.reads_page() {
                    return Some(stalled.min(self.deadline));
                }
                self.is_open().then_some(stalled)
            }
            Kind::Ping => self.is_open().then_some(self.next_ping),
        }
    }

    /// Returns whether reading from it pauses, for reasons of the node.
    pub(super) const fn is_paused(&self) -> bool {
        self.pauses != 0
    }

    /// Sets whether reading pauses because a hook is busy.
    pub(super) fn set_hook_busy(&mut self, busy: bool) {
        self.set_pause(HOOK_BUSY, busy);
    }

    /// Returns whether so many bytes of its own frames wait that reading pauses.
    pub(super) const fn is_long(&self) -> bool {
        self.pauses & LONG != 0
    }

    /// Sets whether reading pauses because so many bytes of its own frames wait; returns whether it did.
    pub(super) fn set_long(&mut self, long: bool) -> bool {
        let before = self.is_long();
        self.set_pause(LONG, long);
        before
    }

    fn set_pause(&mut self, reason: u8, pauses: bool) {
        self.pauses = if pauses {
            self.pauses | reason
        } else {
            self.pauses & !reason
        };
    }

    /// Returns whether it is in this room.
    pub(super) fn is_in(&self, room: u32) -> bool {
        self.membership(room).is_some()
    }

    /// Returns its membership in a room.
    pub(super) fn membership(&self, room: u32) -> Option<&Membership> {
        self.rooms.iter().find(|member| member.room == room)
    }

    pub(super) fn is_armed(&self, kind: Kind) -> bool {
        self.armed & kind.bit() != 0
    }
}
