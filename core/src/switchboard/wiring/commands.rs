//! Requests of clients in the JSON protocol, and the application's verdicts on them.

use super::publishing::Sent;
use super::questions::Question;
use super::rooms::Entering;
use super::switchboard::Switchboard;
use crate::protocol::{Command, Rejected, RequestId, ServerMessage};
use crate::recorder::{Cause, Input};
use crate::switchboard::phase::Phase;
use crate::switchboard::rooms::Via;
use crate::{CloseReason, ConnectionId, Denied, JoinFrom, StaleId, Time};

impl Switchboard {
    /// Handles a parsed text message, or one that could not be understood.
    ///
    /// Returns a question if the application has to decide.
    ///
    /// # Errors
    ///
    /// [`StaleId`] if the connection is gone.
    pub fn command(
        &mut self,
        now: Time,
        id: ConnectionId,
        command: Result<Command<'_>, Rejected<'_>>,
    ) -> Result<Option<Question>, StaleId> {
        let pings = self.pings.last();
        self.record(now, |it| Input::Command {
            conn: id,
            said: it.said(&command, pings),
        });
        self.advance_clock(now);
        match self.connections.get(id)?.phase {
            Phase::Open => {}
            Phase::AwaitingAuth(_) => return Ok(self.first_message(id, command)),
            _ => return Ok(None),
        }
        Ok(match command {
            Err(rejected) => {
                self.strike(id, &ServerMessage::from(&rejected));
                None
            }
            Ok(Command::Subscribe {
                id: request,
                channel,
                since,
                last,
            }) => {
                let since = since.map(|since| JoinFrom::Since(since.into()));
                let from = since.or(last.map(JoinFrom::Last)).unwrap_or_default();
                self.subscribe(id, &channel, from, request)
            }
            Ok(Command::Unsubscribe {
                id: request,
                channel,
            }) => {
                self.unsubscribe(id, &channel, request.as_ref());
                None
            }
            Ok(Command::Message {
                id: request,
                channel,
                content,
                key,
                echo,
                volatile,
                again,
            }) => {
                let sent = Sent {
                    content,
                    key: key.as_deref(),
                    echo,
                    volatile,
                    again,
                    twin: None,
                };
                self.route(id, channel.as_deref(), sent, request)
            }
            Ok(Command::Direct {
                id: request,
                to,
                content,
            }) => self.direct_from(id, &to, content, request),
            Ok(Command::Call {
                id: request,
                method,
                params,
            }) => self.call(id, &method, params, request),
            Ok(Command::Ping {
                id: request,
                timestamp,
            }) => {
                self.send_message(
                    id,
                    &ServerMessage::Pong {
                        timestamp: timestamp.as_ref(),
                        id: request.as_ref(),
                    },
                );
                None
            }
            Ok(Command::HealthPong { timestamp }) => {
                timestamp.map(|timestamp| self.answered(id, timestamp));
                None
            }
            Ok(Command::Auth { id: request, token }) => Some(Question::Token {
                token,
                request: request.map(RequestId::into_owned),
            }),
        })
    }

    /// Takes the application's answer. Has no effect on a connection that is no longer open.
    ///
    /// # Errors
    ///
    /// [`StaleId`] if the connection is gone.
    pub fn answer(
        &mut self,
        now: Time,
        id: ConnectionId,
        question: Question,
        answer: Result<(), Denied>,
    ) -> Result<(), StaleId> {
        self.record(now, |it| Input::Answer {
            conn: id,
            to: it.decision(&question),
            answer: (&answer).into(),
        });
        self.advance_clock(now);
        self.hook_done(id)?;
        if !self.connections.get(id)?.is_open() {
            return Ok(());
        }
        if let Err(denied) = answer {
            self.deny(id, &question, &denied);
            return Ok(());
        }
        match question {
            Question::Join {
                room,
                from,
                reach,
                request,
                ..
            } => {
                let entering = Entering {
                    via: Via::Request,
                    from: &from,
                    reach,
                    request: request.as_ref(),
                    older: None,
                };
                self.enter_asked(id, &room, &entering);
            }
            Question::Direct { to, frame, request } => {
                self.send_direct(id, &to, frame, request.as_ref());
            }
            Question::Message {
                handled: true,
                request,
                ..
            } => self.acknowledge_handled(id, request.as_ref()),
            Question::Message {
                room,
                content,
                key,
                echo,
                volatile,
                again,
                twin,
                request,
                ..
            } => {
                let sent = Sent {
                    content: content.as_content(),
                    key: key.as_deref(),
                    echo,
                    volatile,
                    again,
                    twin: twin.as_deref(),
                };
                self.publish_from(id, &room, sent, request.as_ref());
            }
            Question::Call {
                result, request, ..
            } => self.send_result(id, result.as_content(), &request),
            Question::Token { .. } => {}
        }
        Ok(())
    }

    fn first_message(
        &mut self,
        id: ConnectionId,
        command: Result<Command<'_>, Rejected<'_>>,
    ) -> Option<Question> {
        if let Ok(Command::Auth { id: request, token }) = command {
            return Some(Question::Token {
                token,
                request: request.map(RequestId::into_owned),
            });
        }
        self.because(id, |_| {
            Cause::rule("first message").detail("it is not an `auth`")
        });
        self.end(id, CloseReason::Policy);
        None
    }
}
