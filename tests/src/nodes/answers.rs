//! What clients are told of what they sent: that it was published, or why not.

use super::client::What;
use super::hearing::Heard;
use super::oracle::Fate;
use super::place::Stage;
use super::plan::{HALL, PRICES, SECOND};
use super::world::World;

impl World {
    pub(super) fn is_acknowledged(&mut self, c: u32, l: u32, heard: &Heard<'_>) {
        let client = &mut self.clients[c as usize];
        let found = client
            .pending
            .iter()
            .position(|pending| Some(pending.request) == heard.id);
        let Some(pending) = found.map(|at| client.pending.remove(at)) else {
            return self.fail("answers", format!("client {c}: {heard:?} answers nothing"));
        };
        let seq = heard.seq.unwrap_or(0);
        let local = heard.local == Some(true);
        let Some(id) = pending.what.message() else {
            if let What::Removal(_) = pending.what {
                return self.has_set(c, pending.what, (seq, local));
            }
            self.count("direct to another node", heard.delivered.unwrap_or(0));
            return;
        };
        let duplicate = heard.duplicate == Some(true);
        self.count("ack", 1);
        self.count("ack of a node on its own", u64::from(local));
        self.count("ack of a duplicate", u64::from(duplicate));
        let message = &mut self.oracle.messages[id as usize];
        message.fate = if local { Fate::Local } else { Fate::Published };
        if pending.room == PRICES && !pending.echo {
            if duplicate {
                self.had_set(c, id, seq);
            } else {
                self.has_set(c, pending.what, (seq, local));
            }
            return;
        }
        let place = &mut self.clients[c as usize].places[pending.room];
        let Some((epoch, _)) = place.at().filter(|_| place.is_in() && seq > 0) else {
            return;
        };
        if !pending.echo {
            place.owns(seq);
        }
        let is_shared = self.oracle.is_shared(epoch);
        self.check("acks are true", !local || !is_shared, || {
            format!("client {c} link {l} is in a shared epoch: {heard:?}")
        });
        self.numbered_for(c, epoch, seq, id);
    }

    pub(super) fn is_refused(&mut self, c: u32, l: u32, heard: &Heard<'_>) {
        let code = heard.code.as_ref().and_then(|code| code.as_str());
        let code = code.unwrap_or_default().to_owned();
        let client = &mut self.clients[c as usize];
        let found = client
            .pending
            .iter()
            .position(|pending| Some(pending.request) == heard.id);
        let pending = found.map(|at| client.pending.remove(at));
        let message = pending.and_then(|pending| pending.what.message());
        let away = self.may_be_away();
        let is_known = match &*code {
            "unavailable" => {
                self.count("unavailable", 1);
                let is_direct = pending.is_some_and(|pending| pending.what == What::Direct);
                self.count("perhaps nobody to reach", u64::from(is_direct));
                away
            }
            "unrecoverable" => {
                self.count("unrecoverable", 1);
                message.is_some()
            }
            "rate_limited" => {
                self.count("too much waited", 1);
                message.is_some() && away
            }
            "limit_exceeded" => {
                self.count("too many keys", 1);
                pending.is_some_and(|pending| pending.room == PRICES) && message.is_some()
            }
            "room_full" => {
                self.count("room full", 1);
                heard.room() == Some(HALL)
            }
            "not_connected" => {
                self.count("nobody to reach", 1);
                pending.is_some_and(|pending| pending.what == What::Direct)
            }
            _ => false,
        };
        self.check("errors", is_known, || {
            format!("client {c} link {l}: {heard:?}")
        });
        if let Some(id) = message.filter(|_| code != "unrecoverable") {
            self.message_refused(id);
        }
        if message.is_none()
            && let Some(room) = heard.room()
        {
            let place = &mut self.clients[c as usize].places[room];
            if !place.is_in() {
                place.stage = Stage::Out;
                place.retry = self.now + SECOND;
            }
        }
    }

    /// A message is nowhere, as its sender is told.
    pub(super) fn message_refused(&mut self, id: u64) {
        let message = &mut self.oracle.messages[id as usize];
        message.fate = Fate::Refused;
        let (numbers, again) = (message.numbers.len(), message.links.len() > 1);
        self.check("fate", numbers == 0 || again, || {
            format!("{id} is refused, but is numbered")
        });
    }
}
