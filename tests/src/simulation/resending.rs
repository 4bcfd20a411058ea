//! Messages that clients send again (invariant 42, H6).

use super::counters::Probe;
use super::link::{Answer, Seen};
use super::output::Message;
use super::world::World;

/// What a message is that a client sends again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Again {
    New,
    Duplicate(u64),
    /// It cannot be told any more.
    Lost,
    /// The room may have it under this number, or does not have it; or that cannot be told any more.
    Unsure(Option<u64>),
}

impl Again {
    /// Returns the answer, unless it may be published.
    pub(super) const fn answer(self) -> Option<Answer> {
        match self {
            Self::New | Self::Unsure(None) => None,
            Self::Duplicate(seq) => Some(Answer::Duplicate(seq, false)),
            Self::Unsure(Some(seq)) => Some(Answer::Duplicate(seq, true)),
            Self::Lost => Some(Answer::Unrecoverable),
        }
    }
}

/// A message of which its client does not know whether it was published.
#[derive(Clone, Debug)]
pub(super) struct Unanswered {
    pub(super) id: u64,
    pub(super) room: u32,
    /// Where the client was in the room when it first sent it.
    pub(super) epoch: String,
    pub(super) seq: u64,
    /// The connection on which it was last sent.
    pub(super) link: u32,
    pub(super) text: String,
}

/// Messages that a client remembers.
const REMEMBERED: usize = 16;

impl World {
    /// Predicts what a message is that a client sends again, having been at the number `again` when it
    /// first sent it.
    pub(super) fn predict_again(&self, l: u32, r: u32, id: u64, again: u64) -> Again {
        let room = &self.oracle.rooms[r as usize];
        let first = self.first_kept(r);
        let session = self.session_name(l).filter(|_| !self.is_anonymous(l));
        let Some(session) = session.filter(|_| room.keeping.is_some()) else {
            return Again::Lost;
        };
        let seq = room.seq();
        if again > seq || first.least > again + 1 {
            return Again::Lost;
        }
        let request = Some((session, id));
        let log = room.log();
        let later = log.iter().enumerate().skip(again as usize);
        let found = later
            .filter(|(_, entry)| entry.request == request)
            .map(|(at, _)| at as u64 + 1)
            .next_back();
        let life = room.lives.len() as u32 - 1;
        let overwritten = |seq: u64| room.is_overwritten(life, seq);
        let by_key = room.keeping.is_some_and(|it| it.keys.is_some());
        match found {
            // It may be saved for slow members.
            Some(seq) if by_key && overwritten(seq) => Again::Unsure(Some(seq)),
            found if !first.exact => Again::Unsure(found),
            Some(seq) => Again::Duplicate(seq),
            // What was overwritten since may have been it.
            None if by_key && (again + 1..=seq).any(overwritten) => Again::Lost,
            None => Again::New,
        }
    }

    pub(super) fn probe_again(&mut self, again: Again) {
        self.probe(match again {
            Again::New | Again::Unsure(None) => Probe::ResentNew,
            Again::Duplicate(_) | Again::Unsure(Some(_)) => Probe::ResentFound,
            Again::Lost => Probe::ResentLost,
        });
    }

    /// A client remembers a message until it is answered.
    pub(super) fn remember(&mut self, c: u32, r: u32, id: u64, text: &str) {
        let client = &self.clients[c as usize];
        let position = client.positions.get(&r).cloned();
        let (Some((epoch, seq)), Some(link)) = (position, client.link) else {
            return;
        };
        let is_new = !text.contains("\"again\"") && !text.contains("\"volatile\"");
        let room = client.unanswered.len() < REMEMBERED;
        let remembers = client.session.is_some() && is_new && room;
        // Without a user, it is not known who comes back.
        if remembers && !self.is_anonymous(link) {
            self.clients[c as usize].unanswered.push(Unanswered {
                id,
                room: r,
                epoch,
                seq,
                link,
                text: text.to_owned(),
            });
        }
    }

    /// A client has entered a room: sends again what was not answered on an earlier connection, if it
    /// has come back to where it was.
    pub(super) fn send_again(&mut self, c: u32, l: u32, r: u32, recovered: Option<&str>) {
        let client = &mut self.clients[c as usize];
        let unanswered = std::mem::take(&mut client.unanswered);
        let (here, elsewhere): (Vec<_>, Vec<_>) = unanswered
            .into_iter()
            .partition(|it| it.room == r && it.link != l);
        client.unanswered = elsewhere;
        let Some(epoch) = recovered.filter(|_| !self.is_anonymous(l)) else {
            return;
        };
        for mut message in here {
            if message.epoch != epoch {
                continue;
            }
            let fields = message.text.strip_suffix('}').unwrap_or_default();
            let text = format!("{fields},\"again\":{}}}", message.seq);
            message.link = l;
            self.clients[c as usize].unanswered.push(message);
            self.send_text(l, &text);
        }
    }

    /// A client is told where it is in a room.
    pub(super) fn see_position(&mut self, l: u32, end: u64, r: u32, message: &Message<'_>) {
        let (Some(epoch), Some(seq)) = (message.epoch, message.seq) else {
            return;
        };
        if self.plan.keeps && message.recovered == Some(true) {
            self.see(l, end, Seen::Recovered(r, epoch.to_owned()));
        } else if self.plan.keeps {
            self.see(l, end, Seen::Position(r, epoch.to_owned(), seq));
        }
    }

    /// A client gets a number of a room, or is told that it does not.
    pub(super) fn see_number(&mut self, l: u32, end: u64, r: u32, seq: Option<u64>) {
        if let Some(seq) = seq.filter(|_| self.plan.keeps) {
            self.see(l, end, Seen::Number(r, seq));
        }
    }

    /// A request is answered, as its client sees.
    pub(super) fn see_answer(&mut self, l: u32, end: u64, id: u64) {
        if self.plan.keeps {
            self.see(l, end, Seen::Answered(id));
        }
    }
}
