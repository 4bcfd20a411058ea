//! The clients: when they dial, and how each kind behaves.

use std::collections::BTreeMap;

use fastrand::Rng;

use super::counters::Fault;
use switchboard_kit::{PING, PONG, TEXT};

use super::frames;
use super::link::Seen;
use super::plan::{MICRO, MILLI, Plan, SECOND};
use super::resending::Unanswered;
use super::schedule::Step;
use super::world::World;

/// How a client behaves until faults stop.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Chatter,
    Quiet,
    SlowReader,
    Silent,
    Flooder,
    BadHandshake,
    BadFrames,
    BadJson,
    Reconnector,
    Duplicate,
    FirstMessage,
    Expiring,
    Unfinished,
    Visitor,
}

impl Kind {
    pub(super) const MISCHIEF: &[Self] = &[
        Self::SlowReader,
        Self::Silent,
        Self::Flooder,
        Self::BadHandshake,
        Self::BadFrames,
        Self::BadJson,
        Self::Reconnector,
        Self::Duplicate,
        Self::FirstMessage,
        Self::FirstMessage,
        Self::Expiring,
        Self::Unfinished,
        Self::Visitor,
    ];
}

#[derive(Debug)]
pub(super) struct Client {
    pub(super) kind: Kind,
    pub(super) user: u32,
    pub(super) address: u32,
    pub(super) lobby: Option<u32>,
    pub(super) link: Option<u32>,
    /// Whether `welcome` arrived.
    pub(super) welcomed: bool,
    /// Whether the upgrade was answered.
    pub(super) upgraded: bool,
    pub(super) rooms: Vec<u32>,
    /// The name of its session, if it has one.
    pub(super) session: Option<String>,
    /// The epoch and number up to which it has everything of each room.
    pub(super) positions: BTreeMap<u32, (String, u64)>,
    /// Messages that were not answered.
    pub(super) unanswered: Vec<Unanswered>,
    /// The client's host is stopped until then.
    pub(super) stopped_until: u64,
    /// The client reads nothing until then.
    pub(super) deaf_until: u64,
    /// Whether it ignores pings.
    pub(super) mute: bool,
    pub(super) wants_in: bool,
    pub(super) tries: u32,
    pub(super) acting: bool,
}

impl Client {
    pub(super) fn draw_all(plan: &Plan, rng: &mut Rng) -> Vec<Self> {
        plan.kinds
            .iter()
            .enumerate()
            .map(|(index, &kind)| Self {
                kind,
                user: if kind == Kind::Duplicate || rng.u8(..8) == 0 {
                    rng.u32(..plan.users)
                } else {
                    index as u32
                },
                address: rng.u32(..plan.addresses),
                lobby: (rng.u8(..100) < 75).then(|| rng.u32(..plan.rooms)),
                link: None,
                welcomed: false,
                upgraded: false,
                rooms: Vec::new(),
                session: (plan.keeps && rng.u8(..4) > 0).then(|| format!("s-{index}")),
                positions: BTreeMap::new(),
                unanswered: Vec::new(),
                stopped_until: 0,
                deaf_until: 0,
                mute: false,
                wants_in: true,
                tries: 0,
                acting: true,
            })
            .collect()
    }
}

impl World {
    /// Runs the next action of a client.
    pub(super) fn client_acts(&mut self, c: u32) {
        let client = &mut self.clients[c as usize];
        if !client.wants_in {
            client.acting = false;
            return;
        }
        if self.now < client.stopped_until {
            let at = client.stopped_until;
            return self.schedule.push(at, Step::Client(c));
        }
        match (client.link, client.upgraded) {
            (None, _) => self.dial(c),
            (Some(l), true) => self.act(c, l),
            (Some(_), false) => {}
        }
        let mean = match self.clients[c as usize].kind {
            _ if self.calm => 4 * SECOND,
            Kind::Flooder => 20 * MILLI,
            Kind::Quiet => 5 * SECOND,
            Kind::Chatter => 400 * MILLI,
            _ => SECOND,
        };
        let wait = self.rng.u64(mean / 8..mean * 2);
        self.schedule.push(self.now + wait, Step::Client(c));
    }

    /// A client received something.
    pub(super) fn client_sees(&mut self, l: u32, seen: Seen) {
        let c = self.links[l as usize].client;
        let client = &mut self.clients[c as usize];
        if client.link != Some(l) {
            return;
        }
        match seen {
            Seen::Http(101) => {
                client.upgraded = true;
                let first = client.kind == Kind::FirstMessage && self.plan.json;
                if first {
                    self.first_message(c, l);
                }
            }
            Seen::Welcome => {
                client.welcomed = true;
                client.tries = 0;
                self.come_back(c, l);
            }
            Seen::Http(_) => {}
            Seen::Entered(room) => {
                if !client.rooms.contains(&room) {
                    client.rooms.push(room);
                }
            }
            Seen::Position(room, epoch, seq) => {
                client.positions.insert(room, (epoch, seq));
                self.send_again(c, l, room, None);
            }
            Seen::Recovered(room, epoch) => self.send_again(c, l, room, Some(&epoch)),
            Seen::Number(room, seq) => {
                if let Some((_, last)) = client.positions.get_mut(&room) {
                    *last = seq.max(*last);
                }
            }
            Seen::Answered(id) => client.unanswered.retain(|it| it.id != id),
            Seen::Left(room) => client.rooms.retain(|&other| other != room),
            Seen::Ping(payload) => {
                if !client.mute {
                    let pong = frames::frame(&mut self.rng, true, PONG, &payload);
                    self.send(l, pong);
                }
            }
            Seen::HealthPing(timestamp) => {
                if !client.mute {
                    self.send_text(
                        l,
                        &format!("{{\"type\":\"health_pong\",\"timestamp\":{timestamp}}}"),
                    );
                }
            }
            Seen::Close(code) => {
                let polite = self.calm || self.rng.u8(..10) != 0;
                let bytes = frames::close(&mut self.rng, code.unwrap_or(1000));
                if polite {
                    self.send(l, bytes);
                } else if self.rng.bool() {
                    self.fault(Fault::InputAfterEnd);
                    let most = if self.links[l as usize].read_size < 64 {
                        1_000
                    } else {
                        400_000
                    };
                    let size = self.rng.usize(1..most);
                    self.send(l, vec![0x55; size]);
                }
            }
        }
    }

    fn first_message(&mut self, c: u32, l: u32) {
        let user = self.clients[c as usize].user;
        match self.rng.u8(..10) {
            0 if !self.calm => self.fault(Fault::NoFirstMessage),
            1 if !self.calm => {
                self.fault(Fault::BadFirstMessage);
                self.allow(l, "policy");
                if self.rng.bool() {
                    let bytes = frames::frame(&mut self.rng, true, TEXT, &[b' '; 5_000]);
                    self.allow(l, "too_big");
                    self.send(l, bytes);
                } else {
                    self.send_text(l, "{\"type\":\"ping\"}");
                }
            }
            2 if !self.calm => {
                self.fault(Fault::BadToken);
                self.send_text(l, "{\"type\":\"auth\",\"token\":\"bad\"}");
            }
            _ => {
                // Another message in the same packet must work too.
                let mut bytes = self.text_frame(&format!(
                    "{{\"type\":\"auth\",\"token\":\"u{user}\",\"id\":\"log in\"}}"
                ));
                if self.rng.bool() {
                    bytes.extend(self.text_frame("{\"type\":\"ping\",\"timestamp\":5}"));
                }
                self.send(l, bytes);
            }
        }
    }

    pub(super) fn text_frame(&mut self, text: &str) -> Vec<u8> {
        frames::frame(&mut self.rng, true, TEXT, text.as_bytes())
    }

    pub(super) fn send_text(&mut self, l: u32, text: &str) {
        let bytes = self.text_frame(text);
        self.send(l, bytes);
    }

    /// The client breaks off in one of several ways.
    pub(super) fn client_ends(&mut self, l: u32) {
        let c = self.links[l as usize].client;
        let now = self.now;
        let link = &mut self.links[l as usize];
        if link.fin_at.is_some() || link.reset_at.is_some() {
            return;
        }
        match self.rng.u8(..6) {
            0 if !self.calm => {
                self.tally.fault(Fault::PeerReset);
                link.reset_at = Some(now);
                link.client_gone = true;
                link.shadow.causes |= super::causes::bit("reset");
            }
            1 | 2 => {
                self.tally.fault(Fault::AbruptEnd);
                link.fin_at = Some(link.last_arrival.max(now));
                link.client_gone = true;
                // Writing to a peer that is gone fails sooner or later.
                link.shadow.causes |= super::causes::bit("eof") | super::causes::bit("reset");
            }
            3 => {
                self.tally.fault(Fault::HalfClose);
                link.fin_at = Some(link.last_arrival.max(now));
                link.shadow.causes |= super::causes::bit("eof");
            }
            _ => {
                let code = [1000, 1001, 3000, 4999][self.rng.usize(..4)];
                let bytes = frames::close(&mut self.rng, code);
                link.shadow.causes |= super::causes::bit("client_closed");
                if self.clients[c as usize].upgraded {
                    self.send(l, bytes);
                } else {
                    let link = &mut self.links[l as usize];
                    link.fin_at = Some(link.last_arrival.max(now));
                    link.client_gone = true;
                    link.shadow.causes |= super::causes::bit("eof") | super::causes::bit("reset");
                }
            }
        }
        let at = self.links[l as usize].fin_at.unwrap_or(now);
        self.schedule.push(at, Step::Arrive(l));
        let link = &self.links[l as usize];
        if link.client_gone {
            self.client_leaves(l);
        }
    }

    /// The client abandons a link and dials again after a while.
    pub(super) fn client_leaves(&mut self, l: u32) {
        let link = &mut self.links[l as usize];
        link.client_gone = true;
        link.seen.clear();
        link.unread = 0;
        let blocked = link.blocked;
        let c = link.client;
        if blocked {
            self.schedule.push(self.now + MICRO, Step::Writable(l));
        }
        let client = &mut self.clients[c as usize];
        if client.link == Some(l) {
            client.link = None;
            client.upgraded = false;
            client.welcomed = false;
        }
    }

    /// Sends a protocol ping or an unsolicited pong.
    pub(super) fn control(&mut self, l: u32) {
        let bytes = if self.rng.u8(..3) == 0 {
            self.fault(Fault::UnaskedPong);
            frames::frame(&mut self.rng, true, PONG, b"?")
        } else {
            let size = self.rng.usize(..=125);
            frames::frame(&mut self.rng, true, PING, &vec![7; size])
        };
        self.send(l, bytes);
    }
}
