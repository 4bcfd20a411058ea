//! Event streams in place of a WebSocket, and what their clients post (docs/protocol.md, section 6).

use super::switchboard::Switchboard;
use crate::http::response::{self, PageResponse};
use crate::recorder::Input;
use crate::switchboard::action::Action;
use crate::switchboard::phase::Phase;
use crate::switchboard::posts::{Full, MESSAGES, Posted};
use crate::{BadRequest, ConnectionId, Frame, IpKey, Refused, Request, StaleId, Time};

/// What a page of an origin that may connect may send.
const PREFLIGHT: [(&str, &str); 3] = [
    ("Access-Control-Allow-Methods", "GET, POST"),
    (
        "Access-Control-Allow-Headers",
        "Authorization, Content-Type, Last-Event-ID",
    ),
    ("Access-Control-Max-Age", "600"),
];

impl Switchboard {
    /// Takes a request by which the client of an event stream sends `messages`, or the error of its
    /// body, and answers it. The session of the stream takes the messages from
    /// [`next_posted`](Self::next_posted).
    ///
    /// # Errors
    ///
    /// [`StaleId`] if the connection is gone.
    pub fn post(
        &mut self,
        now: Time,
        id: ConnectionId,
        request: &Request,
        messages: Result<Vec<Posted>, BadRequest>,
    ) -> Result<(), StaleId> {
        let stream = self.recorder.is_some().then(|| self.stream_of(request));
        self.record(now, |it| Input::Post {
            conn: id,
            request: it.asked(request),
            stream: stream.flatten(),
            messages: (&messages).into(),
        });
        self.advance_clock(now);
        if !matches!(self.connections.get(id)?.phase, Phase::Arrived) {
            return Ok(());
        }
        let messages = messages.and_then(|messages| match messages.len() {
            0..=MESSAGES => Ok(messages),
            _ => Err(BadRequest::BodyTooLarge),
        });
        self.answer_sharing(id, request, |board| {
            let messages = messages.map_err(Refused::Malformed)?;
            Ok(board.pass_on(request, messages))
        });
        Ok(())
    }

    /// Answers whether a page may open an event stream and post to one.
    pub(super) fn answer_preflight(&mut self, id: ConnectionId, request: &Request) {
        self.answer_sharing(id, request, |_| {
            let mut page = PageResponse::text(204, "");
            for (name, value) in PREFLIGHT {
                page = page.with_header(name, value);
            }
            Ok(page)
        });
    }

    /// Answers a request that opens no stream, if its origin may have an answer.
    fn answer_sharing(
        &mut self,
        id: ConnectionId,
        request: &Request,
        answer: impl FnOnce(&mut Self) -> Result<PageResponse, Refused>,
    ) {
        if self.exceeds_share(id, IpKey::of(request.peer())) {
            return self.turn_away(id, Refused::IpLimit, false);
        }
        let Ok(connection) = self.connections.get(id) else {
            return;
        };
        let checked = self.seats.page_seat(connection, &self.config.limits);
        let origins = &self.config.origins;
        let checked =
            checked.and_then(|()| origins.check_request(request).map_err(Refused::Origin));
        match checked.and_then(|()| answer(self)) {
            Ok(mut page) => {
                page.headers.extend(self.config.origins.sharing(request));
                if let Some(date) = self.date() {
                    page = page.with_header("Date", &date.to_string());
                }
                let answer = response::page(&page, false).unwrap_or_default();
                self.finish_http(id, answer, true);
            }
            Err(refused) => self.refuse(id, refused),
        }
    }

    /// Takes the next message that was posted for an event stream.
    pub fn next_posted(&mut self, id: ConnectionId) -> Option<Posted> {
        if self.takes_posts(id) {
            self.record(self.clock.now(), |_| Input::NextPosted { conn: id });
            self.posts.take(id.slot)
        } else {
            None
        }
    }

    /// Sets the key from which the secrets of event streams follow, in place of one that follows from the
    /// seed, which has half as many bits. Call it before any connection arrives.
    pub const fn set_stream_key(&mut self, key: (u64, u64)) {
        self.posts.set_key(key);
    }

    /// Makes a connection an event stream. Returns the response to its request, with the first event.
    pub(super) fn open_event_stream(&mut self, id: ConnectionId, request: &Request) -> Frame {
        self.log.make_event_stream(id);
        let headers = self.config.origins.sharing(request);
        let secret = self.posts.secret(id);
        Frame::raw(response::event_stream(headers, self.date(), &secret))
    }

    /// Queues the messages of a post for the session of the stream.
    fn pass_on(&mut self, request: &Request, messages: Vec<Posted>) -> PageResponse {
        let stream = self.stream_of(request);
        let Some(stream) = stream.filter(|&id| self.takes_posts(id)) else {
            return PageResponse::text(404, "the session has ended\n");
        };
        if self.posts.add(stream.slot, messages, &self.config.limits) == Err(Full) {
            let page = PageResponse::text(429, "earlier messages wait\n");
            return page.with_header("Retry-After", "1");
        }
        // The session checks for posted messages whenever its read mode changes.
        self.effects.act(Action::ReadMode(stream));
        PageResponse::text(202, "")
    }

    /// Returns the stream whose secret a request names.
    fn stream_of(&self, request: &Request) -> Option<ConnectionId> {
        let secret = request.path().rsplit('/').next().unwrap_or_default();
        self.posts.find(secret)
    }

    fn takes_posts(&self, id: ConnectionId) -> bool {
        let found = self.connections.get(id);
        self.log.is_event_stream(id)
            && found.is_ok_and(|it| matches!(it.phase, Phase::Open | Phase::AwaitingAuth(_)))
    }
}
