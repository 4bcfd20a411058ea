//! Who dials, and what each kind of client does.

use fastrand::Rng;

use super::counters::Fault;
use super::frames::{self, KEY, PING, PONG, TEXT};
use super::link::{Link, Seen, Take};
use super::plan::{MICRO, MILLI, Plan, SECOND};
use super::schedule::Step;
use super::world::World;

/// How a client behaves, until faults stop.
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
    /// It has been welcomed.
    pub(super) welcomed: bool,
    /// The upgrade was answered.
    pub(super) upgraded: bool,
    pub(super) rooms: Vec<u32>,
    /// Its host has stopped until then.
    pub(super) stopped_until: u64,
    /// It reads nothing until then.
    pub(super) deaf_until: u64,
    /// It answers no ping.
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
    /// A client does what it does next.
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

    /// A new connection, with its first bytes.
    pub(super) fn dial(&mut self, c: u32) {
        let client = &mut self.clients[c as usize];
        client.tries += 1;
        client.upgraded = false;
        client.welcomed = false;
        client.rooms.clear();
        client.mute = false;
        let (kind, address) = (client.kind, client.address);
        let l = self.links.len() as u32;
        client.link = Some(l);
        self.tally.dialled += 1;
        let mut link = Link::new(c, address, self.now, self.frozen);
        if !self.calm {
            link.read_size = match self.rng.u8(..12) {
                0 => 1,
                1..4 => self.rng.usize(2..64),
                _ => usize::MAX,
            };
            link.take = match self.rng.u8(..16) {
                0 => Take::One,
                1..4 => Take::Part,
                _ => Take::All,
            };
            link.window = match self.rng.u8(..8) {
                0 => self.rng.usize(16..512),
                1..4 => self.rng.usize(512..8_192),
                _ => 128 << 10,
            };
        }
        self.links.push(link);
        self.schedule.push(self.now, Step::Accept(l));
        if !self.calm && self.first_bytes_go_wrong(c, l, kind) {
            return;
        }
        let request = self.good_request(c, kind);
        self.send(l, request);
    }

    fn first_bytes_go_wrong(&mut self, c: u32, l: u32, kind: Kind) -> bool {
        match kind {
            Kind::BadHandshake if self.rng.u8(..4) != 0 => {
                if self.rng.u8(..5) == 0 {
                    self.fault(Fault::Slowloris);
                    self.send(l, b"GET /ws HT".to_vec());
                } else {
                    self.fault(Fault::BadHandshake);
                    let (bytes, status) = frames::bad_request(&mut self.rng);
                    self.links[l as usize].shadow.asked = Some(status);
                    self.send(l, bytes);
                }
                true
            }
            Kind::Visitor if self.rng.bool() => {
                self.send(l, b"GET /stats HTTP/1.1\r\nHost: sim\r\n\r\n".to_vec());
                true
            }
            Kind::Reconnector if self.rng.u8(..6) == 0 => {
                // Gone before, while or just after it asks.
                let request = self.good_request(c, kind);
                let part = self.rng.usize(..=request.len());
                self.send(l, request[..part].to_vec());
                self.client_ends(l);
                true
            }
            _ => false,
        }
    }

    fn good_request(&mut self, c: u32, kind: Kind) -> Vec<u8> {
        let client = &self.clients[c as usize];
        let lobby = client
            .lobby
            .map_or(String::new(), |room| format!("/r{room}"));
        let mut token = format!("u{}", client.user);
        if kind == Kind::Expiring && !self.calm {
            token = format!("{token}:{}", self.rng.u32(200..20_000));
        }
        if self.trouble(2) {
            self.fault(Fault::BadToken);
            token = "bad".into();
        } else if self.trouble(3) {
            token = "anon".into();
        }
        let first = kind == Kind::FirstMessage && self.plan.json;
        let (query, header) = match self.rng.u8(..3) {
            _ if first => (String::new(), String::new()),
            0 => (String::new(), format!("Authorization: Bearer {token}\r\n")),
            1 => (String::new(), format!("Cookie: a=b; token={token}\r\n")),
            _ => (format!("?token={token}"), String::new()),
        };
        let origin = if self.trouble(2) {
            self.fault(Fault::ForeignOrigin);
            "Origin: http://evil.example\r\n"
        } else if self.rng.bool() {
            "Origin: http://sim\r\n"
        } else {
            ""
        };
        format!(
            "GET /ws{lobby}{query} HTTP/1.1\r\nHost: sim\r\nUpgrade: h2c, websocket\r\n\
             Connection: keep-alive\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n\
             Sec-WebSocket-Key: {KEY}\r\nSec-WebSocket-Protocol: switchboard.v1.json\r\n\
             {header}{origin}\r\n"
        )
        .into_bytes()
    }

    /// Something of the node has reached a client.
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
            }
            Seen::Http(_) => {}
            Seen::Entered(room) => {
                if !client.rooms.contains(&room) {
                    client.rooms.push(room);
                }
            }
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
                    return;
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
                // More in the same packet works as well.
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

    /// The client breaks off, in one of several ways.
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
                link.shadow.causes |= super::ends::bit("reset");
            }
            1 | 2 => {
                self.tally.fault(Fault::AbruptEnd);
                link.fin_at = Some(link.last_arrival.max(now));
                link.client_gone = true;
                // Writing to who has gone fails sooner or later.
                link.shadow.causes |= super::ends::bit("eof") | super::ends::bit("reset");
            }
            3 => {
                self.tally.fault(Fault::HalfClose);
                link.fin_at = Some(link.last_arrival.max(now));
                link.shadow.causes |= super::ends::bit("eof");
            }
            _ => {
                let code = [1000, 1001, 3000, 4999][self.rng.usize(..4)];
                let bytes = frames::close(&mut self.rng, code);
                link.shadow.causes |= super::ends::bit("client_closed");
                if self.clients[c as usize].upgraded {
                    self.send(l, bytes);
                } else {
                    let link = &mut self.links[l as usize];
                    link.fin_at = Some(link.last_arrival.max(now));
                    link.client_gone = true;
                    link.shadow.causes |= super::ends::bit("eof") | super::ends::bit("reset");
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

    /// The client has nothing to do with a link any more; it dials again after a while.
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

    /// A protocol ping, or a pong that nobody asked for.
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
