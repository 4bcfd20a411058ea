//! What the recorder is told, and its dump.

use super::switchboard::Switchboard;
use crate::recorder::{Cause, Dump, Ended, Input, Redactor};
use crate::switchboard::action::Action;
use crate::switchboard::log::Turn;
use crate::switchboard::recipients::Exclude;
use crate::switchboard::to_all::ToAll;
use crate::switchboard::to_user::ToUser;
use crate::{CloseReason, ConnectionId, Refused, RoomMessage, Time};

impl Switchboard {
    /// Returns what the recorder remembers, as far as [`FlightRecorder`](crate::FlightRecorder) says; `None` if
    /// it is off.
    ///
    /// Copies at most 64 KiB: the rest is shared with the recorder.
    pub fn dump(&mut self, now: Time) -> Option<Dump> {
        let unix = self.clock.unix_seconds();
        let recorder = self.recorder.as_mut()?;
        Some(recorder.dump(&self.config, now, unix))
    }

    /// Stops the recorder until the next dump, which then shows what came before an audit that failed.
    pub fn stop_recording(&mut self, found: &str) {
        if let Some(recorder) = &mut self.recorder {
            recorder.stop(found.to_owned());
        }
    }

    /// Records what is said to the node. Costs nothing while the recorder is off.
    #[inline]
    pub(super) fn record<'a>(&mut self, now: Time, input: impl FnOnce(&Redactor) -> Input<'a>) {
        if let Some(recorder) = &mut self.recorder {
            let input = input(&recorder.redactor());
            recorder.input(now, &input);
        }
    }

    /// Records what a polled action was, or that there is none.
    #[inline]
    pub(super) fn record_action(&mut self, action: Option<&Action>) {
        match (&mut self.recorder, action) {
            (Some(recorder), Some(action)) => recorder.acted(action),
            (Some(recorder), None) => recorder.polled(),
            (None, _) => {}
        }
    }

    /// Records a message of the application to a room.
    pub(super) fn record_broadcast(
        &mut self,
        now: Time,
        message: &RoomMessage<'_>,
        volatile: bool,
        exclude: Exclude<'_>,
    ) {
        self.record(now, |it| Input::Broadcast {
            room: it.name(message.room()),
            content: it.content(message.content()),
            key: message.key().map(|key| it.name(key)),
            volatile,
            sender: message.sender().map(|sender| it.name(sender)),
            id: message.request().map(|(id, _)| it.name(id)),
            again: message.request().and_then(|(_, again)| again),
            epoch: message.epoch().map(Into::into),
            exclude: exclude.into(),
        });
    }

    /// Records a part of a message to all connections.
    pub(super) fn record_part(&mut self, now: Time, all: &mut ToAll, exclude: Exclude<'_>) {
        let Some(recorder) = &mut self.recorder else {
            return;
        };
        let number = all.number(|| recorder.number());
        let frame = recorder.redactor().frame(&all.frame);
        let exclude = exclude.into();
        recorder.input(
            now,
            &Input::BroadcastAll {
                number,
                frame,
                exclude,
            },
        );
    }

    /// Records a part of a message to all connections of a user.
    pub(super) fn record_to_user(&mut self, now: Time, to: &mut ToUser, everywhere: bool) {
        let Some(recorder) = &mut self.recorder else {
            return;
        };
        let devices = self.users.count(to.user());
        let number = to.number(devices, || recorder.number());
        let redactor = recorder.redactor();
        let input = Input::SendToUser {
            user: redactor.name(to.user()),
            frame: redactor.frame(&to.frame),
            everywhere,
            number,
        };
        recorder.input(now, &input);
    }

    /// Records what was written of a turn.
    pub(super) fn record_report(&mut self, now: Time, turn: &Turn) {
        let Some(recorder) = &mut self.recorder else {
            return;
        };
        let (mut bytes, mut short, mut failed) = (0, Vec::new(), Vec::new());
        for (index, job) in turn.results().enumerate() {
            bytes += job.written;
            if job.failed {
                failed.push((job.id, index));
            }
            if job.written < job.bytes {
                short.push((job.id, index, job.written));
            }
        }
        recorder.input(
            now,
            &Input::Report {
                turn: turn.number(),
                jobs: turn.len(),
                bytes,
                short,
                failed,
            },
        );
        for job in turn.results() {
            recorder.wrote(job.id, job.bytes);
        }
    }

    /// Notes why a connection is about to be ended, if that is recorded. The first call for a connection
    /// counts.
    #[inline]
    pub(super) fn because(&mut self, id: ConnectionId, why: impl FnOnce(&Self) -> Cause) {
        if self.recorder.is_some() {
            let why = why(self);
            if let Some(recorder) = &mut self.recorder {
                recorder.explain(id, why);
            }
        }
    }

    /// Records the end of a connection, of a user if it was admitted.
    pub(super) fn record_end(&mut self, id: ConnectionId, reason: CloseReason, user: Option<&str>) {
        if self.recorder.is_some() {
            let usual = super::causes::usual(reason);
            self.record_ended(id, usual, |ended| {
                reason.as_str().clone_into(&mut ended.reason);
                ended.code = reason.code();
                ended.user = user.map(str::to_owned);
            });
        }
    }

    /// Records that a connection is refused.
    pub(super) fn record_refusal(&mut self, id: ConnectionId, refused: Refused) {
        if self.recorder.is_some() {
            let usual = self.cause_of_refusal(id, refused);
            self.record_ended(id, usual, |ended| {
                refused.as_str().clone_into(&mut ended.reason);
                ended.code = refused.close().and_then(CloseReason::code);
                ended.refused = true;
            });
        }
    }

    fn record_ended(&mut self, id: ConnectionId, usual: Cause, fill: impl FnOnce(&mut Ended)) {
        let (Some(recorder), Ok(connection)) = (&mut self.recorder, self.connections.get(id))
        else {
            return;
        };
        let mut ended = Ended {
            conn: id,
            ip: connection.ip.to_string(),
            user: None,
            reason: String::new(),
            code: None,
            refused: false,
            why: recorder.explanation(id).unwrap_or(usual),
        };
        fill(&mut ended);
        recorder.ended(self.clock.now(), &ended);
    }
}
