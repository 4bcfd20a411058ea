//! New connections and their first bytes: valid requests, malformed ones, none.

use super::client::Kind;
use super::counters::Fault;
use super::frames::{self, KEY};
use super::link::{Link, Take};
use super::schedule::Step;
use super::world::World;

impl World {
    /// Opens a connection and sends its first bytes.
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
        let inflates = self.plan.config.compression.is_some();
        let window = [None, Some(9), Some(15)][c as usize % 3].filter(|_| inflates);
        self.links[l as usize].output.window = window;
        let request = self.good_request(c, kind, window);
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
                // The client may leave before, while or just after it sends its request.
                let request = self.good_request(c, kind, None);
                let part = self.rng.usize(..=request.len());
                self.send(l, request[..part].to_vec());
                self.client_ends(l);
                true
            }
            _ => false,
        }
    }

    fn good_request(&mut self, c: u32, kind: Kind, window: Option<u8>) -> Vec<u8> {
        let parameters = self.url_parameters(c);
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
        let (mut query, header) = match self.rng.u8(..3) {
            _ if first => (String::new(), String::new()),
            0 => (String::new(), format!("Authorization: Bearer {token}\r\n")),
            1 => (String::new(), format!("Cookie: a=b; token={token}\r\n")),
            _ => (format!("?token={token}"), String::new()),
        };
        for parameter in parameters {
            query.push(if query.is_empty() { '?' } else { '&' });
            query.push_str(&parameter);
        }
        let origin = if self.trouble(2) {
            self.fault(Fault::ForeignOrigin);
            "Origin: http://evil.example\r\n"
        } else if self.rng.bool() {
            "Origin: http://sim\r\n"
        } else {
            ""
        };
        let offer = window.map_or(String::new(), |bits| {
            format!(
                "Sec-WebSocket-Extensions: permessage-deflate; server_max_window_bits={bits}\r\n"
            )
        });
        format!(
            "GET /ws{lobby}{query} HTTP/1.1\r\nHost: sim\r\nUpgrade: h2c, websocket\r\n\
             Connection: keep-alive\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n\
             Sec-WebSocket-Key: {KEY}\r\nSec-WebSocket-Protocol: switchboard.v1.json\r\n\
             {header}{origin}{offer}\r\n"
        )
        .into_bytes()
    }
}
