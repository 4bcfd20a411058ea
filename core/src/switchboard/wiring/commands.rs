//! Requests of clients in the JSON protocol, and the application's verdicts on them.

use std::sync::Arc;

use super::switchboard::Switchboard;
use crate::protocol::{
    Command, Content, ErrorCode, KeptContent, Rejected, RequestId, ServerMessage,
};
use crate::switchboard::action::Notice;
use crate::switchboard::phase::Phase;
use crate::switchboard::recipients::{Exclude, Receipt};
use crate::switchboard::rooms::Via;
use crate::{CloseReason, ConnectionId, Direct, Frame, Rooms, StaleId, Time, Token, check_name};

/// A question that only the application can answer. Pass the answer to [`Switchboard::answer`], or
/// for a token to [`Switchboard::authenticated`].
#[derive(Clone, Debug)]
pub enum Question {
    /// Whether the connection may enter a room.
    Join {
        /// The room.
        room: Arc<str>,
        /// Whether the room is the lobby, to which the connection returns.
        lobby: bool,
        /// The id of the request.
        request: Option<RequestId<'static>>,
    },
    /// Whether the connection may send to a user.
    Direct {
        /// The user.
        to: Arc<str>,
        /// The encoded message.
        frame: Frame,
        /// The id of the request.
        request: Option<RequestId<'static>>,
    },
    /// Whether a message may go to a room that the sender is in.
    Message {
        /// The room.
        room: Arc<str>,
        /// The content, as the client wrote it.
        content: KeptContent,
        /// Whether the sender receives it too.
        echo: bool,
        /// The id of the request.
        request: Option<RequestId<'static>>,
    },
    /// Whether a token is valid, and whose it is.
    Token {
        /// The token.
        token: Token,
        /// The id of the request.
        request: Option<RequestId<'static>>,
    },
}

/// A refusal by the application.
#[non_exhaustive]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Denied {
    /// Missing or invalid credentials.
    Unauthorized,
    /// Authenticated, but not allowed.
    Forbidden,
}

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
                ..
            }) => self.subscribe(id, &channel, request),
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
                echo,
                ..
            }) => self.route(id, channel.as_deref(), content, echo, request),
            Ok(Command::Direct {
                id: request,
                to,
                content,
            }) => self.direct(id, &to, content, request),
            Ok(Command::Ping {
                id: request,
                timestamp,
            }) => {
                self.send_message(
                    id,
                    &ServerMessage::Pong {
                        timestamp,
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

    /// Takes the application's answer. Has no effect on a connection that is not open any more.
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
        self.advance_clock(now);
        self.hook_done(id)?;
        if !self.connections.get(id)?.is_open() {
            return Ok(());
        }
        if let Err(denied) = answer {
            self.deny(id, &question, denied);
            return Ok(());
        }
        match question {
            Question::Join { room, request, .. } => self.enter_asked(id, &room, request.as_ref()),
            Question::Direct { to, frame, request } => {
                self.send_direct(id, &to, frame, request.as_ref());
            }
            Question::Message {
                room,
                content,
                echo,
                request,
            } => {
                self.publish_from(id, &room, content.as_content(), echo, request.as_ref());
            }
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
        self.end(id, CloseReason::Policy);
        None
    }

    fn subscribe(
        &mut self,
        id: ConnectionId,
        channel: &str,
        request: Option<RequestId<'_>>,
    ) -> Option<Question> {
        let room = match self.may_enter(id, channel, Via::Request) {
            Ok(room) => room,
            Err(error) => {
                self.join_failed(id, channel, error, request.as_ref());
                return None;
            }
        };
        if self.config.rooms == Rooms::Open {
            let _ = self.enter_room_answering(id, channel, room, Via::Request, request.as_ref());
            return None;
        }
        let request = request.map(RequestId::into_owned);
        let lobby = self
            .connections
            .get(id)
            .is_ok_and(|found| found.comes_back_to(channel));
        Some(Question::Join {
            room: channel.into(),
            lobby,
            request,
        })
    }

    fn enter_asked(&mut self, id: ConnectionId, room: &str, request: Option<&RequestId<'_>>) {
        match self.may_enter(id, room, Via::Request) {
            Ok(place) => {
                let _ = self.enter_room_answering(id, room, place, Via::Request, request);
            }
            Err(error) => {
                // The application may have recorded a membership when it granted this.
                self.notify(Notice::JoinFailed {
                    id,
                    room: room.into(),
                    error,
                });
                self.join_failed(id, room, error, request);
            }
        }
    }

    fn unsubscribe(&mut self, id: ConnectionId, channel: &str, request: Option<&RequestId<'_>>) {
        if let Err(bad) = check_name(channel, self.config.limits.name_bytes) {
            return self.bad_name(id, bad, request);
        }
        match self.rooms.find(channel) {
            Some(key) if self.leave_voluntarily(id, key) => {
                self.send_message(
                    id,
                    &ServerMessage::Unsubscribed {
                        channel,
                        id: request,
                    },
                );
            }
            _ => self.not_in_channel(id, channel, request),
        }
    }

    /// Finds the room of a message, and checks that its sender is a member.
    fn route(
        &mut self,
        id: ConnectionId,
        channel: Option<&str>,
        content: Content<'_>,
        echo: bool,
        request: Option<RequestId<'_>>,
    ) -> Option<Question> {
        let Ok(connection) = self.connections.get(id) else {
            return None;
        };
        let key = match (channel, connection.rooms.as_slice()) {
            (None, [only]) => only.room,
            (None, _) => {
                let message = "`channel` is required unless you are in exactly one channel";
                self.bad_request(id, message, request.as_ref());
                return None;
            }
            (Some(channel), _) => {
                if let Err(bad) = check_name(channel, self.config.limits.name_bytes) {
                    self.bad_name(id, bad, request.as_ref());
                    return None;
                }
                match self.rooms.find(channel) {
                    Some(key) if self.is_member(id, key) => key,
                    _ => {
                        self.not_in_channel(id, channel, request.as_ref());
                        return None;
                    }
                }
            }
        };
        Some(Question::Message {
            room: self.room_name(key),
            content: content.to_kept(),
            echo,
            request: request.map(RequestId::into_owned),
        })
    }

    fn publish_from(
        &mut self,
        id: ConnectionId,
        room: &str,
        content: Content<'_>,
        echo: bool,
        request: Option<&RequestId<'_>>,
    ) {
        let key = match self.rooms.find(room) {
            Some(key) if self.is_member(id, key) => key,
            _ => return self.not_in_channel(id, room, request),
        };
        let Some(sender) = self.user_of(id) else {
            return;
        };
        let own = [id];
        let connections: &[ConnectionId] = if echo { &[] } else { &own };
        let exclude = Exclude {
            connections,
            users: &[],
        };
        match self.publish(key, content, Some(&sender), exclude) {
            Ok(Receipt { seq: Some(seq), .. }) => {
                if let Some(request) = request {
                    let ack = ServerMessage::Ack {
                        id: request,
                        seq,
                        duplicate: false,
                    };
                    self.send_message(id, &ack);
                }
            }
            Ok(_) => {}
            Err(error) => self.send_failed(id, error, request, Some(room)),
        }
    }

    fn direct(
        &mut self,
        id: ConnectionId,
        to: &str,
        content: Content<'_>,
        request: Option<RequestId<'_>>,
    ) -> Option<Question> {
        if let Err(bad) = check_name(to, self.config.limits.name_bytes) {
            self.bad_name(id, bad, request.as_ref());
            return None;
        }
        let sender = self.user_of(id)?;
        let message = ServerMessage::Direct {
            content,
            sender: Some(&sender),
        };
        let frame = self.encoder.encode(&message, content.as_json().len());
        if let Err(error) = self.check_size(&frame) {
            self.send_failed(id, error, request.as_ref(), None);
            return None;
        }
        if self.config.direct == Direct::Open {
            self.send_direct(id, to, frame, request.as_ref());
            return None;
        }
        Some(Question::Direct {
            to: to.into(),
            frame,
            request: request.map(RequestId::into_owned),
        })
    }

    fn send_direct(
        &mut self,
        id: ConnectionId,
        to: &str,
        frame: Frame,
        request: Option<&RequestId<'_>>,
    ) {
        if !self.is_connected(to) {
            let message = "the user is not connected";
            return self.fail(id, ErrorCode::NotConnected, message, request, None);
        }
        let delivered = self.send_to_devices(to, frame).accepted as u64;
        if let Some(request) = request {
            self.send_message(
                id,
                &ServerMessage::DirectAck {
                    id: request,
                    delivered,
                },
            );
        }
    }
}
