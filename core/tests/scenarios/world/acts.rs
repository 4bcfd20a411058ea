//! What the clients of a [`World`] do.

use std::time::Duration;

use switchboard_core::protocol::parse;
use switchboard_core::{ConnectionId, Event, Question};

use super::{Client, Said, World, verdict};

/// Actions of clients.
impl World {
    /// Sends a text message; the application answers at once.
    pub(crate) fn says(&mut self, client: Client, text: impl Into<Said>) {
        if let Some(question) = self.asks_to(client, text) {
            self.answer(client, question);
        }
        self.flush();
    }

    /// Sends a text message; returns the question to the application.
    pub(crate) fn asks_to(&mut self, client: Client, text: impl Into<Said>) -> Option<Question> {
        let (id, Said(text)) = (self.id(client), text.into());
        self.event(id, Event::Heard);
        let charged = self.charge(id, text.len());
        let taken = self.board.message(self.now, id, false, text.len(), charged);
        if taken != Ok(true) {
            self.flush();
            return None;
        }
        let question = self.board.command(self.now, id, parse(&text));
        self.flush();
        question.ok().flatten()
    }

    pub(crate) fn answer(&mut self, client: Client, question: Question) {
        let id = self.id(client);
        let _ = match question {
            Question::Token { token, request } => {
                let verdict = verdict(token.reveal());
                self.board
                    .authenticated(self.now, id, verdict, request.as_ref())
            }
            other => {
                let answer = self.denies.clone().map_or(Ok(()), Err);
                self.board.answer(self.now, id, other, answer)
            }
        };
        self.flush();
    }

    /// Sends a binary message; returns whether it is to be processed.
    pub(crate) fn sends_binary(&mut self, client: Client, bytes: usize) -> bool {
        let id = self.id(client);
        let charged = self.charge(id, bytes);
        let taken = self.board.message(self.now, id, true, bytes, charged);
        self.flush();
        taken.unwrap_or(false)
    }

    /// Passes any other event of its socket.
    pub(crate) fn happens(&mut self, client: Client, event: Event<'_>) {
        let id = self.id(client);
        let control = match event {
            Event::Ping(payload) => Some(payload.len()),
            Event::Pong(payload) => {
                let asked_for = self.board.pong(self.now, id, payload) != Ok(false);
                (!asked_for).then_some(payload.len())
            }
            _ => None,
        };
        match control.map(|bytes| (bytes, self.charge(id, bytes))) {
            Some((bytes, Err(retry_after))) => {
                self.event(id, Event::OverRate { bytes, retry_after });
            }
            _ if matches!(event, Event::Pong(_)) => {}
            _ => self.event(id, event),
        }
        self.flush();
    }

    /// Charges a message or control frame to its meter, as its session does.
    fn charge(&mut self, id: ConnectionId, bytes: usize) -> Result<(), Duration> {
        let meter = self.meters.entry(id).or_default();
        meter.charge(self.now, &self.board.config().rates, bytes)
    }

    /// Its socket takes this many more bytes, then none.
    pub(crate) fn stops_reading_after(&mut self, client: Client, bytes: usize) {
        self.peer_mut(client).room = Some(bytes);
    }

    /// Its socket takes this many more bytes.
    pub(crate) fn reads(&mut self, client: Client, bytes: usize) {
        let peer = self.peer_mut(client);
        peer.room = peer.room.map(|room| room + bytes);
        self.happens(client, Event::Writable);
    }

    /// Its socket takes everything again.
    pub(crate) fn reads_all(&mut self, client: Client) {
        self.peer_mut(client).room = None;
        self.happens(client, Event::Writable);
    }

    /// It stops answering, even to a close.
    pub(crate) fn falls_silent(&mut self, client: Client) {
        let peer = self.peer_mut(client);
        (peer.answers, peer.polite) = (false, false);
    }

    pub(crate) fn keeps_its_side_open(&mut self, client: Client) {
        self.peer_mut(client).polite = false;
    }
}
