//! What admitted clients do.

use super::client::Kind;
use super::counters::Fault;
use switchboard_kit::{BINARY, PING, TEXT};

use super::frames;
use super::plan::{MILLI, SECOND};
use super::world::World;

impl World {
    /// Makes a connected client act.
    pub(super) fn act(&mut self, c: u32, l: u32) {
        let client = &self.clients[c as usize];
        let link = &self.links[l as usize];
        if self.quiet || link.fin_at.is_some() || link.reset_at.is_some() || link.client_gone {
            return;
        }
        let kind = if self.calm {
            Kind::Chatter
        } else {
            client.kind
        };
        if kind == Kind::FirstMessage && !client.welcomed {
            return;
        }
        if !self.calm && self.misbehaves(c, l, kind) {
            return;
        }
        if kind == Kind::Quiet && self.rng.u8(..4) != 0 {
            return;
        }
        if self.plan.json {
            self.chat(c, l);
        } else {
            let size = self.rng.usize(..200);
            let payload = vec![b'r'; size];
            let opcode = if self.rng.bool() { TEXT } else { BINARY };
            let bytes = frames::frame(&mut self.rng, true, opcode, &payload);
            self.send(l, bytes);
        }
    }

    /// Misbehaves according to `kind`; returns whether that is all for now.
    fn misbehaves(&mut self, c: u32, l: u32, kind: Kind) -> bool {
        match kind {
            Kind::SlowReader if self.rng.u8(..4) == 0 => {
                self.fault(Fault::SlowReader);
                let long = self.rng.u64(SECOND..20 * SECOND);
                self.clients[c as usize].deaf_until = self.now + long;
                false
            }
            Kind::Silent if self.rng.u8(..4) == 0 => {
                self.fault(Fault::Silent);
                self.clients[c as usize].mute = true;
                true
            }
            Kind::Silent => self.clients[c as usize].mute,
            Kind::Flooder => self.flood(c, l),
            Kind::BadFrames if self.rng.u8(..3) == 0 => {
                self.fault(Fault::BadFrame);
                let limits = self.plan.config.limits;
                let (bytes, close) =
                    frames::bad_frame(&mut self.rng, limits.message_bytes, limits.fragments);
                self.allow(l, close);
                self.send(l, bytes);
                true
            }
            Kind::BadFrames if self.plan.json && self.rng.u8(..6) == 0 => {
                self.fault(Fault::BinaryMessage);
                let bytes = frames::frame(&mut self.rng, true, BINARY, b"x");
                self.allow(l, "unsupported_data");
                self.allow(l, "policy");
                self.send(l, bytes);
                true
            }
            Kind::BadJson if self.plan.json => {
                self.fault(Fault::BadJson);
                let text = frames::bad_json(&mut self.rng);
                self.send_text(l, text);
                true
            }
            Kind::Reconnector | Kind::Duplicate if self.rng.u8(..4) == 0 => {
                self.client_ends(l);
                true
            }
            Kind::Expiring if self.plan.json && self.rng.u8(..3) == 0 => {
                self.refresh(c, l);
                true
            }
            Kind::Unfinished if self.rng.bool() => {
                self.leave_unfinished(c, l);
                true
            }
            _ => false,
        }
    }

    /// Sends the first part of a message and leaves it unfinished.
    fn leave_unfinished(&mut self, c: u32, l: u32) {
        self.fault(Fault::UnfinishedMessage);
        let most = self.plan.config.limits.message_bytes;
        let size = self.rng.usize(1..=most.min(5_000));
        let whole = frames::frame(&mut self.rng, true, TEXT, &vec![b'x'; size]);
        let part = self.rng.usize(1..whole.len());
        self.allow(l, "policy");
        // Whatever the client sends next is part of that message.
        self.allow(l, "invalid_utf8");
        self.allow(l, "protocol_error");
        self.allow(l, "too_big");
        self.links[l as usize].shadow.strikes.clear();
        self.send(l, whole[..part].to_vec());
        self.clients[c as usize].mute = true;
        self.clients[c as usize].stopped_until = self.now + 40 * SECOND;
    }

    fn flood(&mut self, c: u32, l: u32) -> bool {
        let count = self.rng.usize(1..60);
        let mut bytes = Vec::new();
        if self.rng.bool() || !self.plan.json {
            self.fault(Fault::FloodPings);
            for _ in 0..count {
                bytes.extend(frames::frame(&mut self.rng, true, PING, b"flood"));
            }
        } else {
            self.fault(Fault::FloodMessages);
            for _ in 0..count {
                let text = self.message_text(c, false);
                bytes.extend(self.text_frame(&text));
            }
        }
        self.send(l, bytes);
        true
    }

    fn refresh(&mut self, c: u32, l: u32) {
        let user = self.clients[c as usize].user;
        if self.rng.u8(..8) == 0 {
            self.fault(Fault::WrongUser);
            let other = user + 1_000;
            self.send_text(l, &format!("{{\"type\":\"auth\",\"token\":\"u{other}\"}}"));
            return;
        }
        let millis = self.rng.u32(500..10_000);
        let id = self.next_id();
        self.send_text(
            l,
            &format!("{{\"type\":\"auth\",\"token\":\"u{user}:{millis}\",\"id\":{id}}}"),
        );
    }

    pub(super) fn next_id(&mut self) -> u64 {
        self.serial += 1;
        self.serial
    }

    /// Returns a `message` to one of the client's rooms, or to another. Its content names the
    /// sender.
    pub(super) fn message_text(&mut self, c: u32, large: bool) -> String {
        let client = &self.clients[c as usize];
        let rooms = client.rooms.clone();
        let sender = client.link.map_or(0, |link| link);
        let number = self.next_id();
        let filler = if large {
            let most = self.plan.config.limits.message_bytes.min(60_000);
            "y".repeat(self.rng.usize(..most.saturating_sub(180).max(1)))
        } else {
            String::new()
        };
        let content = match self.rng.u8(..3) {
            0 => format!("{{\"l\":{sender},\"n\":{number}, \"p\": \"{filler}é\\u00e9\"}}"),
            1 => format!("[{sender},  {number},\"{filler}\"]"),
            _ => format!("\"{sender} {number}{filler}\""),
        };
        let id = match self.rng.u8(..4) {
            0 => String::new(),
            _ => format!(",\"id\":{number}"),
        };
        let echo = if self.rng.u8(..4) == 0 {
            ",\"echo\":true"
        } else {
            ""
        };
        let room = match rooms.as_slice() {
            [_] if self.rng.u8(..4) == 0 => None,
            [] => Some(self.rng.u32(..self.plan.rooms)),
            some => Some(some[self.rng.usize(..some.len())]),
        };
        let channel = room.map_or(String::new(), |r| format!(",\"channel\":\"r{r}\""));
        let (content, more) = match room {
            Some(r) => self.draw_fields(c, r, content, !id.is_empty()),
            None => (content, String::new()),
        };
        // The claimed sender has no effect (J7).
        let text = format!(
            "{{\"type\":\"message\"{channel},\"sender\":\"u0\",\"content\":{content}{echo}{id}{more}}}"
        );
        if let Some(r) = room.filter(|_| self.plan.keeps && !id.is_empty()) {
            self.remember(c, r, number, &text);
        }
        text
    }

    /// Sends a `direct` to some user, who may not be connected.
    fn send_direct(&mut self, l: u32, id: u64) {
        let to = self.rng.usize(..self.clients.len());
        let to = self.clients[to].user;
        let content = format!("\"d {l} u{to} {id}\"");
        self.send_text(
            l,
            &format!("{{\"type\":\"direct\",\"to\":\"u{to}\",\"content\":{content},\"id\":{id}}}"),
        );
    }

    fn chat(&mut self, c: u32, l: u32) {
        let room = self.rng.u32(..self.plan.rooms);
        let id = self.next_id();
        match self.rng.u8(..100) {
            0..45 => {
                let text = self.message_text(c, false);
                self.send_text(l, &text);
            }
            45..50 => {
                let text = self.message_text(c, !self.calm);
                self.send_text(l, &text);
            }
            50..58 => {
                self.fault(Fault::Fragments);
                let text = self.message_text(c, false);
                let most = self.plan.config.limits.fragments.min(12);
                let bytes = frames::fragments(&mut self.rng, text.as_bytes(), most);
                self.send(l, bytes);
            }
            58..68 => {
                let text = self.subscribe_text(c, room, id);
                self.send_text(l, &text);
            }
            68..72 if !self.calm => self.send_text(
                l,
                &format!("{{\"type\":\"unsubscribe\",\"channel\":\"r{room}\",\"id\":{id}}}"),
            ),
            72..82 => self.send_direct(l, id),
            82..90 => self.send_text(
                l,
                &format!("{{\"type\":\"ping\",\"timestamp\":{id},\"id\":{id}}}"),
            ),
            90..95 => self.control(l),
            // A subscription and a message in one packet, sometimes with the end too.
            95..97 => {
                let mut bytes = self.text_frame(&format!(
                    "{{\"type\":\"subscribe\",\"channel\":\"r{room}\"}}"
                ));
                bytes.extend(self.text_frame(&format!(
                    "{{\"type\":\"message\",\"channel\":\"r{room}\",\"content\":\"{l} {id}\"}}"
                )));
                self.send(l, bytes);
            }
            97 if !self.calm => self.client_ends(l),
            98 if !self.calm => {
                self.fault(Fault::StoppedHost);
                let long = self.rng.u64(500 * MILLI..40 * SECOND);
                self.clients[c as usize].stopped_until = self.now + long;
                self.clients[c as usize].deaf_until = self.now + long;
            }
            _ => {}
        }
    }
}
