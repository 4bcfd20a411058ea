//! Refusals.

use switchboard_core::response::refusal;
use switchboard_core::{BadOrigin, BadRequest, ConnectionId, Refusal, Refused};

use super::ending::close_item;
use super::queue::{Is, Item, Kind};
use super::{Model, Note, Phase, nanos, texts};

impl Model {
    /// Refuses a connection that is not admitted.
    pub(crate) fn refuse(&mut self, id: ConnectionId, key: &'static str) {
        let Some(conn) = self.conns.get(&id) else {
            return;
        };
        let (upgraded, response) = match conn.phase {
            Phase::AwaitingAuth { .. } => (true, None),
            Phase::Authenticating { response, .. } => (response.is_none(), response),
            Phase::Arrived | Phase::Page => (false, None),
            _ => return,
        };
        let lingers = |phase: &Phase| matches!(phase, Phase::Refused { seat: false, .. });
        let lingering = self.count(|conn| lingers(&conn.phase));
        let crowded = 2 * lingering >= self.config.limits.handshakes.max(2);
        let http = |key| {
            matches!(
                key,
                "malformed" | "origin" | "handshakes_full" | "refusals_full"
            )
        };
        // If there is no seat to linger in, the refusal is sent by HTTP.
        let by_close = response.is_some() && self.config.refusal == Refusal::Close;
        let key = if by_close && crowded && !http(key) {
            "refusals_full"
        } else {
            key
        };
        let http = http(key);
        self.count_refused(key);
        self.notes.push(Note::Refused(id, key.into()));
        if upgraded {
            let code = if http { "policy" } else { key };
            let close = texts::close_code(code).map(|number| (number, code.to_owned()));
            return self.linger(id, Some(close_item(close)));
        }
        if let (false, Some(len)) = (http, response)
            && self.config.refusal == Refusal::Close
        {
            self.push(id, Item::new(len, Is::Http(101), Kind::Http));
            let close = texts::close_code(key).map(|number| (number, key.to_owned()));
            return self.linger(id, Some(close_item(close)));
        }
        self.answer_refusal(id, key);
    }

    /// Sends the refusal in one write, because there is no seat for it.
    pub(crate) fn turn_away(&mut self, id: ConnectionId, upgraded: bool) {
        self.count_refused("ip_limit");
        self.notes.push(Note::Refused(id, "ip_limit".into()));
        let code = texts::close_code("ip_limit").filter(|_| upgraded);
        self.remove(id, Some(code.unwrap_or(texts::status("ip_limit"))));
    }

    fn answer_refusal(&mut self, id: ConnectionId, key: &str) {
        let len = refusal_len(key, self.rule);
        self.answer_http(id, texts::status(key), len, false);
    }

    /// Sends a Close frame to a connection that is not admitted, which then lingers.
    pub(crate) fn linger(&mut self, id: ConnectionId, close: Option<Item>) {
        self.refused_phase(id, false);
        if let Some(close) = close {
            self.push(id, close);
        }
        self.settle(id);
    }

    pub(crate) fn answer_http(&mut self, id: ConnectionId, status: u16, len: usize, page: bool) {
        self.refused_phase(id, page);
        self.push(id, Item::new(len, Is::Http(status), Kind::Http));
        if page {
            // A page has this time between bytes, and a second per KiB in addition.
            let patience = nanos(self.config.timeouts.write_stall);
            let latest = self.live() + patience + len.div_ceil(1_024) as u64 * 1_000_000_000;
            let live = self.live();
            if let Some(conn) = self.conn(id) {
                conn.stalled_from = Some(live);
                conn.deadline = latest;
            }
        }
        self.settle(id);
    }

    fn refused_phase(&mut self, id: ConnectionId, page: bool) {
        let timeouts = &self.config.timeouts;
        let patience = nanos(if page {
            timeouts.close
        } else {
            timeouts.refusal
        });
        let deadline = self.live() + patience;
        let Some(conn) = self.conn(id) else { return };
        let seat = conn.phase == Phase::Page;
        conn.phase = Phase::Refused { page, seat };
        conn.deadline = deadline;
        conn.hook = None;
        conn.claim = None;
        conn.message_deadline = None;
        conn.partial = 0;
    }

    pub(crate) fn hook_started(&mut self, id: ConnectionId) {
        let deadline = self.live() + nanos(self.config.timeouts.hook);
        if let Some(conn) = self.conn(id)
            && !conn.is_ending()
        {
            conn.hook = Some(deadline);
        }
    }

    /// A hook of the application panicked or timed out.
    pub fn hook_failed(&mut self, id: ConnectionId) {
        let Some(conn) = self.conn(id) else { return };
        conn.hook = None;
        if conn.is_open() {
            self.end(id, "internal", None);
        } else {
            self.refuse(id, "internal");
        }
    }
}

/// Returns the length of an HTTP refusal. Other tests check its text.
fn refusal_len(key: &str, rule: &'static str) -> usize {
    let refused = match key {
        "malformed" => Refused::Malformed(BadRequest::Syntax(rule)),
        "restart" => Refused::Restart,
        // The driver's requests cause no other variant.
        "origin" => Refused::Origin(BadOrigin::Host),
        "ip_limit" => Refused::IpLimit,
        "handshakes_full" => Refused::HandshakesFull,
        "refusals_full" => Refused::RefusalsFull,
        "unauthorized" => Refused::Unauthorized,
        "forbidden" => Refused::Forbidden,
        "already_connected" => Refused::AlreadyConnected,
        "server_full" => Refused::ServerFull,
        "lobby_full" => Refused::LobbyFull,
        _ => Refused::Internal,
    };
    refusal(refused, 5).len()
}
