//! The session's node: the oracle predicts each call, then the call is made, then both are
//! compared.

use std::sync::Arc;
use std::time::Duration;

use switchboard_core::protocol::{Command, Rejected, RequestId};
use switchboard_core::session::{Held, Node, RoomChanges};
use switchboard_core::{
    ApplicationCode, BadRequest, CloseReason, Config, ConnectionId, Deflater, Denied, Event,
    Identity, Posted, PresenceInfo, Question, Reach, ReadMode, Refused, Request, RequestOutcome,
    RoomMessage, Time,
};

use super::counters::Probe;
use super::link::{Answer, Phase};
use super::schedule::Step;
use super::world::World;

/// The world, as the node of one link's session.
pub(super) struct Seam<'a> {
    pub(super) world: &'a mut World,
    pub(super) l: u32,
}

impl Seam<'_> {
    /// Records what the oracle needs to know before an event happens.
    fn predict(&mut self, event: &Event<'_>) {
        let (world, l) = (&mut *self.world, self.l);
        match event {
            Event::Ping(payload) => {
                world.predict_control(l, payload.len(), true);
                world.links[l as usize].shadow.pings += 1;
            }
            Event::OverRate { bytes, .. } => world.predict_control(l, *bytes, false),
            Event::Close(close) => {
                world.allow(l, "client_closed");
                let code = close.as_ref().map(|close| close.code);
                let shadow = &mut world.links[l as usize].shadow;
                // An event that waited behind the one that ended the connection has no effect.
                if matches!(shadow.phase, Phase::Open | Phase::AwaitingAuth) {
                    shadow.close_code = Some(code);
                }
            }
            Event::Paused => {
                let link = &mut world.links[l as usize];
                link.paused = true;
                link.shadow.paused_since = true;
                world.probe(Probe::ReadingPaused);
            }
            Event::Resumed => {
                world.links[l as usize].paused = false;
                world.schedule.push(world.now, Step::Arrive(l));
            }
            Event::Leaving => world.links[l as usize].shadow.leaving = true,
            Event::Partial { in_message, .. } => world.links[l as usize].partial = *in_message,
            _ => {}
        }
    }
}

impl<'w> Node for Seam<'w> {
    type Held<'a> = Seam<'w>;

    fn hold<T>(&mut self, work: impl FnOnce(&mut Self::Held<'_>) -> T) -> T {
        work(self)
    }

    fn config(&self) -> &Config {
        &self.world.plan.config
    }

    fn now(&self) -> Time {
        Time::from_nanos(self.world.now)
    }

    fn may_read_on(&self) -> bool {
        !self.world.board.is_congested() && !self.world.links[self.l as usize].signalled
    }

    fn take_room_changes(&mut self) -> RoomChanges {
        std::mem::take(&mut self.world.links[self.l as usize].room_changes)
    }

    fn take_deflater(&mut self) -> Option<Box<Deflater>> {
        self.world.take_deflater()
    }

    fn keep_deflater(&mut self, deflater: Box<Deflater>) {
        self.world.deflater = Some(deflater);
    }
}

impl World {
    fn take_deflater(&mut self) -> Option<Box<Deflater>> {
        let level = self.plan.config.compression?.level;
        let (wanted, kept) = (self.board.has_inflating(), &mut self.deflater);
        wanted.then(|| {
            kept.take()
                .unwrap_or_else(|| Box::new(Deflater::new(level)))
        })
    }

    /// Compresses a message of the application, like the node of production.
    pub(super) fn deflate(&mut self, message: &mut RoomMessage<'_>) {
        if self.plan.config.compresses(message.room(), message.len())
            && let Some(mut deflater) = self.take_deflater()
        {
            message.deflate(&mut deflater);
            self.deflater = Some(deflater);
        }
    }
}

impl Held for Seam<'_> {
    fn event(&mut self, _: ConnectionId, event: Event<'_>) {
        self.predict(&event);
        self.world.event(self.l, event);
        if matches!(event, Event::OverRate { .. }) {
            self.world.predicted_charge(self.l);
        }
    }

    fn read_mode(&mut self, id: ConnectionId) -> Option<ReadMode> {
        let (world, l) = (&mut *self.world, self.l);
        let mode = world.board.read_mode(id).ok()?;
        let link = &mut world.links[l as usize];
        let before = std::mem::replace(&mut link.read_mode, mode);
        if mode == ReadMode::Wait && before == ReadMode::Discard {
            world.probe(Probe::DiscardBound);
        }
        if mode == ReadMode::Wait && before == ReadMode::Frames {
            world.probe(Probe::IntakeWait);
            world.links[l as usize].shadow.paused_since = true;
        }
        if before != mode {
            world.schedule.push(world.now, Step::Arrive(l));
        }
        Some(mode)
    }

    fn request(&mut self, id: ConnectionId, request: &Request, _answered: bool) -> RequestOutcome {
        let (world, l) = (&mut *self.world, self.l);
        world.predict_request(l, request);
        let answer = world.call(|board, now| board.request(now, id, request));
        world.predicted_admission(l);
        answer.unwrap_or(RequestOutcome::Refused)
    }

    fn omit_body(&mut self, id: ConnectionId) {
        let _ = self.world.board.omit_body(id);
    }

    fn malformed(&mut self, id: ConnectionId, bad: BadRequest) {
        let (world, l) = (&mut *self.world, self.l);
        world.predict_malformed(l, bad.status());
        let _ = world.call(|board, now| board.malformed(now, id, bad));
        world.predicted_admission(l);
    }

    fn pong(&mut self, id: ConnectionId, payload: &[u8]) -> bool {
        let (world, l) = (&mut *self.world, self.l);
        world.note(|| format!("link {l} {:?}", Event::Pong(payload)));
        world.predict_pong(l, payload);
        world.call(|board, now| board.pong(now, id, payload)) == Ok(true)
    }

    fn message(
        &mut self,
        id: ConnectionId,
        binary: bool,
        bytes: usize,
        charged: Result<(), Duration>,
    ) -> bool {
        let (world, l) = (&mut *self.world, self.l);
        world.links[l as usize].shadow.last_message = world.now;
        let expected = world.predict_message(l, binary, bytes);
        let admitted =
            world.call(|board, now| board.message(now, id, binary, bytes, charged)) == Ok(true);
        world.check(
            20,
            expected.is_none_or(|expected| expected == admitted),
            || format!("link {l}: a message of {bytes} bytes, admitted: {admitted}"),
        );
        world.predicted_charge(l);
        admitted
    }

    fn command(
        &mut self,
        id: ConnectionId,
        text: &str,
        parsed: Result<Command<'_>, Rejected<'_>>,
    ) -> Option<Question> {
        let (world, l) = (&mut *self.world, self.l);
        world.predict_command(l, text);
        let question = world.call(|board, now| board.command(now, id, parsed));
        world.predicted_command(l);
        let question = question.ok().flatten();
        world.check_question(l, question.as_ref());
        question
    }

    fn authenticated(
        &mut self,
        id: ConnectionId,
        verdict: Result<Identity, Refused>,
        request: Option<&RequestId<'_>>,
    ) -> Option<Arc<str>> {
        let (world, l) = (&mut *self.world, self.l);
        world.predict_admission(l, &verdict, request);
        let _ = world.call(|board, now| board.authenticated(now, id, verdict, request));
        world.predicted_admission(l);
        world.board.user_of(id)
    }

    fn is_undecided(&mut self, id: ConnectionId) -> bool {
        let (world, l) = (&mut *self.world, self.l);
        let undecided = world.board.is_undecided(id);
        let claims = world.links[l as usize].shadow.claim.is_some();
        world.check(29, undecided == claims, || {
            format!("link {l}: undecided: {undecided}, claim pending: {claims}")
        });
        undecided
    }

    fn limit_lobby(&mut self, id: ConnectionId, reach: Reach) {
        let _ = self.world.board.limit_lobby(id, reach);
    }

    fn set_presence(&mut self, id: ConnectionId, info: PresenceInfo) {
        let world = &mut *self.world;
        let _ = world.call(|board, now| board.set_presence(now, id, Some(info)));
    }

    fn stop_compressing(&mut self, id: ConnectionId) {
        let _ = self.world.board.stop_compressing(id);
    }

    fn explain_refusal(&mut self, id: ConnectionId, text: &str) {
        let _ = self.world.board.explain_refusal(id, text);
    }

    fn user(&mut self, id: ConnectionId) -> Option<Arc<str>> {
        self.world.board.user_of(id)
    }

    fn answer(&mut self, id: ConnectionId, question: Question, answer: Result<(), Denied>) {
        let (world, l) = (&mut *self.world, self.l);
        world.predict_answer(l, &question, &answer);
        world.note_entrance(&question);
        let message = match &question {
            Question::Message { room, request, .. } if answer.is_ok() => {
                let id = request.as_ref().map(|id| id.as_json().to_owned());
                Some((room.clone(), id.and_then(|id| id.parse().ok())))
            }
            _ => None,
        };
        let _ = world.call(|board, now| board.answer(now, id, question, answer));
        world.oracle.entering = None;
        if let Some((room, request)) = message
            && world.refused_as_busy(&room)
        {
            world.expect_answer(l, request, Answer::Any);
        }
        world.oracle.unsure = false;
        world.predicted_command(l);
    }

    fn answer_page(&mut self, id: ConnectionId, response: Vec<u8>) {
        let (world, l) = (&mut *self.world, self.l);
        world.predict_page(l);
        let _ = world.call(|board, now| board.answer_page(now, id, response));
    }

    /// No client of the simulation has an event stream.
    fn post(
        &mut self,
        id: ConnectionId,
        request: &Request,
        messages: Result<Vec<Posted>, BadRequest>,
    ) {
        let _ = self
            .world
            .call(|board, now| board.post(now, id, request, messages));
    }

    fn next_posted(&mut self, id: ConnectionId) -> Option<Posted> {
        self.world.board.next_posted(id)
    }

    fn close(&mut self, id: ConnectionId, reason: CloseReason) {
        let (world, l) = (&mut *self.world, self.l);
        world.allow(l, "forbidden");
        let _ = world.call(|board, now| board.close(now, id, reason));
    }

    fn close_with(&mut self, id: ConnectionId, code: ApplicationCode, text: &str) {
        let (world, l) = (&mut *self.world, self.l);
        world.allow(l, "application");
        let _ = world.call(|board, now| board.close_with(now, id, code, text));
    }
}
