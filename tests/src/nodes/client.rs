//! A client: what it wants, what it knows, and how it comes and goes.

use fastrand::Rng;
use switchboard_kit::{ClientFrame, TEXT, close, frame};

use super::link::{Link, Up};
use super::place::{Place, Stage};
use super::plan::{HALL, MILLI, PRICES, Plan, ROOMS, SECOND};
use super::schedule::Step;
use super::world::World;

/// A connection on which nothing arrives for so long is given up, as a client with timers does.
const SILENCE: u64 = 7 * SECOND;

/// Where a client is in its life.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Life {
    /// It comes back then.
    Away(u64),
    /// It waits to be admitted, or is.
    Here,
    /// Another connection of its user is there in place of it.
    Replaced,
}

/// What a request is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum What {
    /// To be in a room.
    Enter,
    /// This message to a room.
    Message(u64),
    /// A message to a user.
    Direct,
    /// To remove this key.
    Removal(usize),
}

impl What {
    pub(super) const fn message(self) -> Option<u64> {
        match self {
            Self::Message(id) => Some(id),
            _ => None,
        }
    }
}

/// A request that was not answered.
#[derive(Clone, Copy, Debug)]
pub(super) struct Pending {
    pub(super) request: u64,
    pub(super) room: usize,
    pub(super) what: What,
    /// Where it was when it sent it first: epoch and number.
    pub(super) at: Option<(u32, u64)>,
    pub(super) echo: bool,
    /// When it was sent last.
    pub(super) sent: u64,
    pub(super) link: u32,
}

pub(super) struct Client {
    pub(super) user: u32,
    pub(super) session: String,
    pub(super) lobby: usize,
    /// Rooms it wants to be in beside the lobby.
    pub(super) wants: Vec<usize>,
    pub(super) life: Life,
    pub(super) link: Option<u32>,
    pub(super) places: [Place; ROOMS.len()],
    pub(super) pending: Vec<Pending>,
    pub(super) requests: u64,
    /// A step is on its way.
    pub(super) next_act: u64,
}

impl Client {
    pub(super) fn draw_all(plan: &Plan, rng: &mut Rng) -> Vec<Self> {
        let draw = |number: u32| {
            let lobby = rng.usize(..HALL);
            let lobby = if plan.values && rng.u8(..6) == 0 {
                PRICES
            } else {
                lobby
            };
            let wants = (0..plan.rooms()).filter(|&room| room != lobby && rng.u8(..4) == 0);
            Self {
                user: number % plan.users,
                session: format!("session-{number}"),
                lobby,
                wants: wants.collect(),
                life: Life::Away(0),
                link: None,
                places: Default::default(),
                pending: Vec::new(),
                requests: 0,
                next_act: 0,
            }
        };
        (0..plan.clients).map(draw).collect()
    }
}

pub(super) fn user_name(user: u32) -> String {
    format!("u{user}")
}

impl World {
    /// A client does something, and will again.
    pub(super) fn client_acts(&mut self, c: u32) {
        let client = &mut self.clients[c as usize];
        if client.next_act > self.now {
            return;
        }
        let pause = if self.is_calm {
            100 * MILLI
        } else {
            self.plan.pace
        };
        client.next_act = self.now + self.rng.u64(pause / 4..=pause);
        self.schedule.push(client.next_act, Step::Client(c));
        match client.life {
            Life::Replaced => {
                // Somebody takes the device up again after a while.
                if !self.is_calm && self.rng.u8(..8) == 0 {
                    let at = self.now + self.rng.u64(SECOND..20 * SECOND);
                    self.clients[c as usize].life = Life::Away(at);
                }
            }
            Life::Away(at) if at <= self.now && !self.is_over => self.dials(c),
            Life::Away(_) => {}
            Life::Here => self.lives(c),
        }
    }

    fn dials(&mut self, c: u32) {
        let n = self.rng.usize(..self.nodes.len());
        let l = self.links.len() as u32;
        self.links.push(Link::new(c, n, self.now));
        let client = &mut self.clients[c as usize];
        client.link = Some(l);
        client.life = Life::Here;
        for place in &mut client.places {
            place.leaves();
        }
        let lobby = client.lobby;
        let since = client.places[lobby].asks(0);
        let since = since.map(|(epoch, seq)| format!("&since={}.{seq}", self.oracle.name(epoch)));
        let request = format!(
            "GET /ws/{}?token={}&session={}{} HTTP/1.1\r\nHost: sim\r\nUpgrade: websocket\r\n\
             Connection: Upgrade\r\nSec-WebSocket-Version: 13\r\n\
             Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n",
            ROOMS[lobby],
            user_name(client.user),
            client.session,
            since.unwrap_or_default(),
        );
        self.note(|| format!("client {c} dials node {n}: link {l}"));
        self.send_up(l, Up::Open);
        self.send_up(l, Up::Bytes(request.into_bytes()));
    }

    /// The connection of a client is gone, or it gives it up.
    pub(super) fn loses_link(&mut self, c: u32, back: u64) {
        let client = &mut self.clients[c as usize];
        let Some(l) = client.link.take() else {
            return;
        };
        client.life = Life::Away(self.now + back);
        client.next_act = 0;
        for place in &mut client.places {
            place.leaves();
        }
        let lost = client.pending.iter().filter(|it| !it.echo);
        let lost = lost.filter_map(|it| match it.what {
            What::Removal(key) => Some(key),
            What::Message(id) => self.oracle.messages[id as usize].written.key,
            _ => None,
        });
        for key in lost {
            client.places[PRICES].table.loses(key);
        }
        client
            .pending
            .retain(|pending| pending.what.message().is_some());
        self.links[l as usize].client_gone = true;
        self.schedule.push(self.now + back, Step::Client(c));
    }

    fn lives(&mut self, c: u32) {
        let Some(l) = self.clients[c as usize].link else {
            return;
        };
        let link = &self.links[l as usize];
        if link.holds {
            if self.is_calm || self.rng.u8(..4) == 0 {
                self.reads_on(l);
            }
            return;
        }
        if link.heard + SILENCE < self.now {
            self.note(|| format!("client {c} hears nothing"));
            self.send_up(l, Up::Reset);
            return self.loses_link(c, MILLI);
        }
        if link.opened.is_none() {
            return;
        }
        if self.is_over {
            return self.closes(c, l);
        }
        self.asks_for_rooms(c, l);
        if !self.is_calm {
            self.does_something(c, l);
        }
    }

    /// Sends a text message.
    pub(super) fn says(&mut self, l: u32, text: &str) {
        let mask = Some(self.rng.u32(..).to_ne_bytes());
        let frame = ClientFrame {
            mask,
            ..frame(TEXT, text)
        };
        self.send_up(l, Up::Bytes(frame.bytes()));
    }

    /// Notes a request that is to be answered.
    pub(super) fn asks(&mut self, c: u32, room: usize, what: What) -> &mut Pending {
        let now = self.now;
        let client = &mut self.clients[c as usize];
        client.requests += 1;
        client.pending.push(Pending {
            request: client.requests,
            room,
            what,
            at: client.places[room].at(),
            echo: false,
            sent: now,
            link: client.link.unwrap_or(0),
        });
        client.pending.last_mut().expect("it was just added")
    }

    /// Asks to be in the rooms that it wants to be in.
    fn asks_for_rooms(&mut self, c: u32, l: u32) {
        let client = &self.clients[c as usize];
        let all = client.wants.iter().chain([&client.lobby]);
        let wanted = all.copied().find(|&room| {
            let place = &client.places[room];
            place.stage == Stage::Out && place.retry <= self.now
        });
        let Some(room) = wanted else {
            return;
        };
        let request = self.asks(c, room, What::Enter).request;
        let since = self.clients[c as usize].places[room].asks(request);
        let since = since.map(|(epoch, seq)| {
            let epoch = self.oracle.name(epoch);
            format!(",\"since\":{{\"epoch\":\"{epoch}\",\"seq\":{seq}}}")
        });
        let text = format!(
            "{{\"type\":\"subscribe\",\"channel\":\"{}\",\"id\":{request}{}}}",
            ROOMS[room],
            since.unwrap_or_default(),
        );
        self.says(l, &text);
    }

    /// The client closes its connection in order, and comes back after a while.
    pub(super) fn closes(&mut self, c: u32, l: u32) {
        self.send_up(l, Up::Bytes(close(1000, "").bytes()));
        self.send_up(l, Up::Fin);
        let back = self.rng.u64(100 * MILLI..10 * SECOND);
        self.loses_link(c, back);
    }
}
