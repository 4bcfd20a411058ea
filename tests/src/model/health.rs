//! Probes of `ping_user`.

use switchboard_core::ConnectionId;

use super::queue::{Is, Item, Kind, framed};
use super::{Conn, Model, texts};

impl Model {
    /// Returns whether a probe with this number waits, and answers it.
    pub(crate) fn answered(&mut self, id: ConnectionId, number: u64) -> bool {
        let Some(conn) = self.conn(id) else {
            return false;
        };
        let before = conn.asked.len();
        conn.asked.retain(|&(asked, _)| asked != number);
        if conn.asked.len() < before {
            return true;
        }
        let Some(at) = conn
            .probes
            .iter()
            .position(|&(payload, _)| payload == number)
        else {
            return false;
        };
        let (_, ticket) = conn.probes.remove(at);
        self.resolve(ticket, id, true);
        true
    }

    /// Probes all connections of a user; `ticket` is the system's id for the question.
    pub fn ping_user(&mut self, ticket: u64, user: &str, timeout: u64) {
        let deadline = self.live() + timeout;
        let devices = self.users.get(user).cloned().unwrap_or_default();
        let waiting = devices.iter().map(|&id| (id, true, false)).collect();
        self.questions.insert(ticket, (deadline, waiting));
        self.number = ticket + devices.len() as u64;
        for (number, &id) in (ticket + 1..).zip(&devices) {
            let item = question(number, self.json());
            if let Some(conn) = self.conn(id) {
                conn.probes.push((number, ticket));
            }
            self.push(id, item);
        }
        self.conclude_if_answered(ticket);
    }

    pub(crate) fn forget_probes(&mut self, id: ConnectionId) {
        let probes = self.conn(id).map(|conn| std::mem::take(&mut conn.probes));
        for (_, ticket) in probes.unwrap_or_default() {
            self.resolve(ticket, id, false);
        }
    }

    fn resolve(&mut self, ticket: u64, id: ConnectionId, answered: bool) {
        if let Some((_, waiting)) = self.questions.get_mut(&ticket) {
            for entry in waiting.iter_mut().filter(|entry| entry.0 == id) {
                (entry.1, entry.2) = (false, answered);
            }
        }
        self.conclude_if_answered(ticket);
    }

    fn conclude_if_answered(&mut self, ticket: u64) {
        let open = |(_, waiting): &(u64, Vec<(ConnectionId, bool, bool)>)| {
            waiting.iter().any(|entry| entry.1)
        };
        if self
            .questions
            .get(&ticket)
            .is_some_and(|question| !open(question))
        {
            self.conclude(ticket);
        }
    }

    fn conclude(&mut self, ticket: u64) {
        if let Some((_, waiting)) = self.questions.remove(&ticket) {
            for &(id, ..) in &waiting {
                if let Some(conn) = self.conn(id) {
                    conn.probes.retain(|&(_, other)| other != ticket);
                }
            }
            let results = waiting
                .iter()
                .map(|&(id, _, answered)| (id, answered))
                .collect();
            self.notes.push(super::Note::Pinged(ticket, results));
        }
    }

    pub(crate) fn tick_questions(&mut self) {
        let live = self.live();
        let over = self
            .questions
            .iter()
            .filter(|(_, question)| question.0 <= live);
        let over: Vec<u64> = over.map(|(&ticket, _)| ticket).collect();
        for ticket in over {
            self.conclude(ticket);
        }
    }

    /// Returns the next deadline of a question, in liveness time.
    pub(crate) fn next_question(&self) -> Option<u64> {
        self.questions.values().map(|question| question.0).min()
    }

    /// Returns the time since a user's connections were last heard.
    pub fn silence(&self, user: &str) -> Option<u64> {
        let devices = self.users.get(user)?;
        let heard = devices
            .iter()
            .filter_map(|id| self.conns.get(id).map(heard_at))
            .max()?;
        Some(self.live().saturating_sub(heard))
    }
}

/// Returns a ping, as a message or a control frame.
pub(super) fn question(number: u64, by_message: bool) -> Item {
    let mut item = if by_message {
        let text = texts::health_ping(number);
        Item::new(framed(text.len()), Is::Json(text), Kind::Message)
    } else {
        Item::new(framed(8), Is::Ping(Some(number)), Kind::Control)
    };
    item.urgent = true;
    item
}

fn heard_at(conn: &Conn) -> u64 {
    conn.last_heard
}
